// Behaviour of the page: sort and filter the scorecard, draw charts when they come into view, copy commands.
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

// Charts. Each is drawn once, when it comes into view; before printing, all of them are.
const block = (id) => JSON.parse(document.getElementById(id).textContent);
let drawings = null;

async function start() {
  // The engine is packed text until the first chart is seen, so that the page opens at once. Its hash lets it run.
  const packed = Uint8Array.from(atob(document.getElementById("engine").textContent), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const engine = document.createElement("script");
  engine.textContent = await new Response(unpacked).text();
  document.head.append(engine);
  return block("drawings");
}

function tooltip(host) {
  // Text only: nothing of a record is ever read as markup.
  return (handler, event, item, value) => {
    all(".tip", host).forEach((old) => old.remove());
    if (value == null) return;
    const tip = document.createElement("div");
    tip.className = "tip";
    for (const [key, text] of Object.entries(value)) {
      if (text === "" || text === "NaN" || text === "0" && (key === "low" || key === "high")) continue;
      const line = document.createElement("div");
      line.textContent = `${key}: ${text}`;
      tip.append(line);
    }
    const frame = host.getBoundingClientRect();
    host.append(tip);
    const room = frame.width - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(room, event.clientX - frame.left + 12))}px`;
    tip.style.top = `${event.clientY - frame.top + 14}px`;
  };
}

async function draw(host) {
  if (host.dataset.state) return;
  host.dataset.state = "drawing";
  try {
    drawings ??= start();
    const figure = block(host.dataset.source);
    const drawing = structuredClone((await drawings)[figure.kind]);
    const rows = [];
    for (const { s, k, t, x, y, lo, hi } of figure.rows) {
      x.forEach((at, i) => rows.push({ s, k, t, x: at, y: y[i], lo: lo ? lo[i] : null, hi: hi ? hi[i] : null }));
    }
    drawing.data.find((data) => data.name === "rows").values = rows;
    for (const signal of drawing.signals) {
      if (signal.name in figure.signals) signal.value = figure.signals[signal.name];
    }
    drawing.description = host.getAttribute("aria-label");
    const plate = document.createElement("div");
    plate.className = "plate";
    host.append(plate);
    // ast: expressions are interpreted, so that the page can forbid code made from text.
    await window.vegaEmbed(plate, drawing, {
      mode: "vega", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: tooltip(host),
    });
    host.dataset.state = "drawn";
  } catch (error) {
    host.dataset.state = "failed";
    host.textContent = `This chart could not be drawn: ${error.message}`;
  }
}

const charts = all(".chart");
const watcher = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
  { rootMargin: "400px 0px" },
);
charts.forEach((chart) => watcher.observe(chart));

// Printing: open everything, draw everything, and leave the page afterwards as it was.
let closed = [];
function unfold() {
  closed = closed.concat(all("details:not([open])"));
  closed.forEach((details) => { details.open = true; });
  return Promise.all(charts.map(draw));
}
function fold() {
  closed.forEach((details) => { details.open = false; });
  closed = [];
}
window.addEventListener("beforeprint", unfold);
window.addEventListener("afterprint", fold);
matchMedia("print").addEventListener("change", (change) => (change.matches ? unfold() : fold()));

// A link to a reading opens it.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  const own = target.querySelector(":scope > details.evidence");
  if (own) own.open = true;
  target.scrollIntoView();
}
window.addEventListener("hashchange", openTarget);
openTarget();

all("[data-unfold]").forEach((button) => button.addEventListener("click", () => {
  const open = button.dataset.unfold === "open";
  all("details.evidence").forEach((details) => { details.open = open; });
}));

// The scorecard: sort by a column, keep rows by verdict and by words.
const table = document.getElementById("scorecard-table");
if (table) {
  const body = table.tBodies[0];
  const original = Array.from(body.rows);
  const heads = all("th[data-kind]", table);
  const status = document.getElementById("scorecard-status");
  const key = (row, column, kind) => {
    const raw = row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    return kind === "number" ? (raw === "" ? null : Number(raw)) : raw.toLowerCase();
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true }));
  heads.forEach((head) => head.querySelector("button").addEventListener("click", () => {
    const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction);
    const column = head.cellIndex;
    const factor = direction === "ascending" ? 1 : -1;
    const keyed = original.map((row, place) => ({ row, place, key: key(row, column, head.dataset.kind) }));
    keyed.sort((a, b) => {
      // What has no value stands last either way.
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      return factor * compare(a.key, b.key) || a.place - b.place;
    });
    body.append(...keyed.map((entry) => entry.row));
  }));

  const words = document.getElementById("filter-words");
  const choice = document.getElementById("filter-verdict");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of original) {
      const text = row.textContent.toLowerCase();
      const [kind, value] = choice.value.split("=");
      const keep = wanted.every((word) => text.includes(word)) && (!kind || row.dataset[kind] === value);
      row.hidden = !keep;
      shown += keep;
    }
    status.textContent = shown === original.length ? `${shown} readings` : `${shown} of ${original.length} readings`;
  };
  words.addEventListener("input", filter);
  choice.addEventListener("change", filter);
  all("[data-filter]").forEach((button) => button.addEventListener("click", () => {
    choice.value = button.dataset.filter;
    filter();
    document.getElementById("scorecard").scrollIntoView();
  }));
}

// Copy a command; where the clipboard is closed, select it instead.
all("button.copy").forEach((button) => button.addEventListener("click", async () => {
  const code = button.previousElementSibling;
  let done = "Copied";
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    done = "Selected";
  }
  button.textContent = done;
  setTimeout(() => { button.textContent = "Copy"; }, 1600);
}));
document.documentElement.dataset.ready = "yes";

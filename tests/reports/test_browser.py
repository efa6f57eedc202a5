"""The page in headless Chromium: quiet, drawn, sortable, legible in both schemes, at 400 px and on paper."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

READING = "r-T1-tuned-two-sided"

pytestmark = pytest.mark.long


class Page:
    """The page as a person has it before them."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver = driver
        self.path = path
        self.loads = 0

    def open(self, fragment: str = "") -> None:
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get("data:text/html,<title>blank</title>")  # a change of fragment alone would not load again
        self.driver.get(self.path.as_uri() + fragment)
        self.wait("return document.documentElement.dataset.ready === 'yes'")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any, seconds: float = 60.0) -> Any:
        end = time.monotonic() + seconds
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < end, f"still waiting for: {script}"
            time.sleep(0.03)
        return value

    def tool(self, command: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def size(self, width: int, height: int = 900) -> None:
        self.tool(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def media(self, media: str = "", scheme: str = "light") -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.tool("Emulation.setEmulatedMedia", media=media, features=features)

    def open_reading(self) -> None:
        self.open(f"#{READING}")
        self.see_charts(READING)

    def see_charts(self, reading: str) -> None:
        """Scroll past the charts of a reading, as a reader would."""
        charts = "[...document.getElementById(arguments[0]).querySelectorAll('.chart')]"
        for place in range(self.run(f"return {charts}.length", reading)):
            chart = f"{charts}[arguments[1]]"
            # Again and again: the browser goes to the fragment of the address when it likes, which may be after us.
            look = f"{chart}.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            self.wait(f"{look} return {chart}.dataset.state === 'drawn'", reading, place)

    def column(self, index: int) -> list[str]:
        rows = "[...document.querySelectorAll('#scorecard-table tbody tr')]"
        texts = self.run(f"return {rows}.map(row => row.cells[arguments[0]].innerText)", index)
        return [str(text).strip() for text in texts]


@pytest.fixture(scope="module")
def window(chromium: Any, report: Path) -> Page:
    return Page(chromium, report)


@pytest.fixture
def closed(window: Page) -> Iterator[Page]:
    """The window before the page is opened in it."""
    window.size(1280)
    window.media()
    yield window
    window.media()


@pytest.fixture
def opened(closed: Page) -> Page:
    closed.open()
    return closed


@pytest.mark.thorough
def test_it_is_quiet_and_asks_for_nothing(closed: Page) -> None:
    closed.open_reading()
    closed.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    closed.run("document.querySelectorAll('.chart').forEach(c => c.scrollIntoView())")
    assert closed.driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in closed.driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert any(url.startswith(closed.path.as_uri()) for url in asked)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.thorough
def test_charts_wait_until_they_are_seen_and_then_are_drawn(opened: Page) -> None:
    assert opened.run("return document.querySelectorAll('.chart svg').length") == 0
    opened.open_reading()
    drawn = opened.run(
        """return [...document.querySelectorAll(`#${arguments[0]} .chart`)].map(chart => {
             const svg = chart.querySelector('svg'), box = svg.getBoundingClientRect();
             const marks = [...svg.querySelectorAll('.role-mark path')].filter(p => p.getAttribute('d'));
             return [box.width, box.height, marks.length,
                     marks.filter(p => p.getBoundingClientRect().width > 100).length,
                     svg.textContent, document.documentElement.scrollWidth]})""",
        READING,
    )
    assert len(drawn) == 4
    for width, height, marks, long, text, _ in drawn:
        assert width > 300
        assert height > 200
        assert marks > 20  # points
        assert long >= 2  # the curve and the claimed slope
        assert "10⁸" in text


def test_a_chart_says_what_is_under_the_pointer(closed: Page) -> None:
    closed.open_reading()
    spot = closed.run(
        """const chart = [...document.querySelectorAll(`#${arguments[0]} .chart`)].at(-1);
           const point = [...chart.querySelectorAll('.mark-symbol path')].at(20);
           const box = point.getBoundingClientRect();
           return [box.x + box.width / 2, box.y + box.height / 2]""",
        READING,
    )
    closed.tool("Input.dispatchMouseEvent", type="mouseMoved", x=spot[0], y=spot[1])
    text = closed.wait("const tip = document.querySelector('.tip'); return tip && tip.textContent")
    assert text.startswith("at: ")
    assert "local slope: 1.6" in text


def test_the_scorecard_sorts_by_mouse(opened: Page) -> None:
    before = opened.column(0)
    heading = opened.run("return document.querySelectorAll('#scorecard-table thead button')[6]")
    heading.click()
    numbers = [int(text) for text in opened.column(6)]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 2
    heading.click()
    assert [int(text) for text in opened.column(6)] == sorted(numbers, reverse=True)
    sorts = "return [...document.querySelectorAll('#scorecard-table th')].map(h => h.getAttribute('aria-sort'))"
    assert [value for value in opened.run(sorts) if value] == ["descending"]
    assert sorted(opened.column(0)) == sorted(before)


def test_the_scorecard_sorts_by_keyboard(opened: Page) -> None:
    opened.run("document.querySelector('#filter-words').focus()")
    for key, code, number in (
        ("Tab", "Tab", 9),
        ("Tab", "Tab", 9),
        ("Tab", "Tab", 9),
        ("Enter", "Enter", 13),
    ):
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        opened.tool("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        opened.tool("Input.dispatchKeyEvent", type="keyUp", **common)
    assert opened.run("return document.activeElement.closest('th').getAttribute('aria-sort')") == "ascending"
    assert opened.run("return document.activeElement.innerText").startswith("Verdict")
    verdicts = opened.column(2)
    assert verdicts[:3] == ["FALSIFIED"] * 3
    assert verdicts[-1] == "ERROR"


def test_the_scorecard_filters(opened: Page) -> None:
    rows = "[...document.querySelectorAll('#scorecard-table tbody tr')]"
    shown = f"return {rows}.filter(row => row.offsetHeight).length"
    assert opened.run(shown) == 10
    opened.run("document.querySelector('.tally .is-falsified button').click()")
    assert opened.run(shown) == 3
    opened.run(
        "const words = document.getElementById('filter-words'); words.value = 's-above L2';"
        "words.dispatchEvent(new Event('input'))"
    )
    assert opened.run(shown) == 1
    assert opened.run("return document.getElementById('scorecard-status').textContent") == "1 of 10 readings"


def test_a_link_of_the_scorecard_opens_its_reading(opened: Page) -> None:
    opened.run("document.querySelector(`#scorecard-table a[href='#${arguments[0]}']`).click()", READING)
    opened.wait("return document.getElementById(arguments[0]).querySelector('details.evidence').open", READING)
    opened.wait(
        "const y = document.getElementById(arguments[0]).getBoundingClientRect().y; return y > 0 && y < 200",
        READING,
    )


@pytest.mark.parametrize("width", [400, 1000, 1160])
def test_no_page_is_wider_than_its_window(closed: Page, width: int) -> None:
    closed.size(width)
    closed.open_reading()
    closed.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert closed.run("return document.documentElement.scrollWidth") <= width
    widths = closed.run("return [...document.querySelectorAll('.chart svg')].map(s => s.clientWidth)")
    assert 200 < min(widths) <= max(widths) < width


CONTRAST = """
const parse = text => text.match(/[\\d.]+/g).map(Number);
const light = colour => colour.slice(0, 3).map(v => v / 255)
  .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
};
const seen = {};
for (const selector of arguments[0]) {
  const element = document.querySelector(selector);
  const style = getComputedStyle(element);
  const drawn = style.fill === 'none' ? style.stroke : style.fill;
  const ink = parse(element instanceof SVGElement ? drawn : style.color);
  const [a, b] = [light(ink), light(ground(element))].sort((p, q) => q - p);
  seen[selector] = (a + .05) / (b + .05);
}
return seen;
"""
TEXTS = (
    "h1", ".lead", ".soft", ".eyebrow", ".banner", ".rid", ".describe", "figcaption", ".bar a", ".facts dt",
    ".facts dd", ".calibration th", ".calibration td", ".checks a", ".message", ".agree.yes", ".agree.open", ".agree.differs",
    ".badge.is-survived", ".badge.is-falsified", ".badge.is-underpowered", ".badge.is-vacuous",
    ".badge.is-error", ".cell", ".stale", "code", ".copy", "summary", "#scorecard-table thead button",
    ".chart .role-axis-label text", ".chart .role-axis-title text",
)  # fmt: skip
LINES = (".chart .mark-line path", ".k-claim", ".k-curve", ".k-bar")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_are_legible(closed: Page, scheme: str) -> None:
    closed.media(scheme=scheme)
    closed.open_reading()
    contrasts = closed.run(CONTRAST, list(TEXTS))
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}
    assert min(closed.run(CONTRAST, list(LINES)).values()) >= 3.0


def test_dark_is_dark_and_paper_is_light(closed: Page) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    line = "return getComputedStyle(document.querySelector('.chart .mark-line path')).stroke"
    closed.open_reading()
    light, curve = closed.run(ground), closed.run(line)
    closed.media(scheme="dark")
    assert max(closed.run(ground)) < 60 < 200 < min(light)
    assert closed.run(line) != curve
    closed.media(media="print", scheme="dark")
    assert closed.run(ground) == light
    assert closed.run(line) == curve


def test_paper_shows_every_chart_and_all_that_is_folded(opened: Page) -> None:
    opened.media(media="print")
    charts = opened.run("return document.querySelectorAll('.chart').length")
    opened.wait("return document.querySelectorAll('.chart[data-state=drawn] svg').length === arguments[0]", charts)
    widths = opened.run("return [...document.querySelectorAll('.chart svg')].map(s => s.clientWidth)")
    assert min(widths) > 150
    assert opened.run("return [...document.querySelectorAll('.bar, .filters, .copy')].every(e => !e.offsetHeight)")
    opened.media()
    opened.wait("return !document.querySelector('details[open]')")


def test_printing_draws_before_it_prints(opened: Page) -> None:
    pdf = base64.b64decode(opened.tool("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 100_000
    assert opened.run("return [...document.querySelectorAll('.chart')].every(c => c.dataset.state === 'drawn')")
    assert opened.driver.get_log("browser") == []


def test_what_is_hostile_stays_text(opened: Page) -> None:
    reading = opened.run("return [...document.querySelectorAll('.reading')].at(-1).id")
    opened.open(f"#{reading}")
    opened.see_charts(reading)
    hostile = "<script>alert(1)</script>"
    inside = "return document.getElementById(arguments[0]).querySelector(arguments[1]).textContent"
    assert opened.run(inside, reading, "h4").strip().endswith(hostile)
    assert hostile in opened.run(inside, reading, ".chart svg")
    kinds = opened.run("return [...document.scripts].map(s => s.type).filter(t => t !== 'application/json')")
    assert sorted(kinds) == ["", "module", "text/plain"]  # the engine runs, the page, the engine as text
    assert opened.run("return document.querySelectorAll('img, iframe, [onerror], [onload], [onclick]').length") == 0
    assert opened.driver.get_log("browser") == []  # an alert would have blocked all of this


def test_a_script_that_got_in_would_not_run(opened: Page) -> None:
    opened.run(
        "window.got = 0; const s = document.createElement('script'); s.textContent = 'window.got = 1';"
        "document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.got = 2\">')"
    )
    time.sleep(0.1)
    assert opened.run("return window.got") == 0
    assert any("Content Security Policy" in entry["message"] for entry in opened.driver.get_log("browser"))


def test_the_skip_link_is_the_first_stop(opened: Page) -> None:
    opened.tool("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert opened.run("return document.activeElement.textContent") == "Skip to the content"
    assert opened.wait("return document.activeElement.getBoundingClientRect().top >= 0")


def all_charts(page: Page) -> int:
    """Scroll past every chart; how many there are."""
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    count = int(page.run("return document.querySelectorAll('.chart').length"))
    for place in range(count):
        chart = "document.querySelectorAll('.chart')[arguments[0]]"
        page.run(f"{chart}.scrollIntoView({{block: 'center', behavior: 'instant'}})", place)
        page.wait(f"return ['drawn', 'failed'].includes({chart}.dataset.state)", place)
    return count


@pytest.fixture
def statement(chromium: Any, report: Path) -> Iterator[Page]:
    """The page of the statement whose figure is drawn again."""
    page = Page(chromium, report.parent / "statements" / "L1.html")
    page.size(1280)
    page.media()
    yield page
    page.media()


def test_a_statement_has_a_page_that_is_quiet_and_drawn(statement: Page) -> None:
    statement.open()
    assert all_charts(statement) == 2 + 4
    assert statement.run("return [...document.querySelectorAll('.chart')].every(c => c.dataset.state === 'drawn')")
    assert statement.driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in statement.driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    levels = statement.run("return [...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_figure_of_several_curves_tells_them_apart(statement: Page) -> None:
    statement.open()
    all_charts(statement)
    strokes, dashes, marks, text = statement.run(
        """const svg = document.querySelectorAll('.panel .chart svg')[2];
           const lines = [...svg.querySelectorAll('.mark-line path')].filter(p => p.getBoundingClientRect().width > 100);
           return [lines.map(p => getComputedStyle(p).stroke), lines.map(p => p.getAttribute('stroke-dasharray')),
                   svg.querySelectorAll('.mark-rule line').length, svg.textContent]"""
    )
    assert len(set(strokes)) == len(set(dashes)) == 3  # the claimed slope and two curves
    assert marks >= 1
    assert "i* ≈ 81" in text
    legend = "return [...document.querySelectorAll('.panel .k-line')].map(p => getComputedStyle(p).stroke)"
    assert set(statement.run(legend)) <= set(strokes)


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (720, 2), (690, 1), (400, 1)])
def test_panels_stand_side_by_side_or_below_one_another(statement: Page, width: int, columns: int) -> None:
    statement.size(width)
    statement.open()
    all_charts(statement)
    tops = statement.run(
        "return [...document.querySelectorAll('.panel')].map(p => Math.round(p.getBoundingClientRect().top))"
    )
    assert len(set(tops)) == 3 - columns
    assert statement.run("return document.documentElement.scrollWidth") <= width
    widths = statement.run("return [...document.querySelectorAll('.panel .chart svg')].map(s => s.clientWidth)")
    assert 200 < min(widths) <= max(widths) < width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_statement_is_legible(statement: Page, scheme: str) -> None:
    statement.media(scheme=scheme)
    statement.open()
    all_charts(statement)
    texts = (
        "h1",
        ".lead",
        ".panel-title",
        ".found li",
        ".panel figcaption",
        ".slopes td",
        ".slopes .soft",
        ".bar a[aria-current]",
    )
    contrasts = statement.run(CONTRAST, list(texts))
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}
    lines = (*(f".k-line-{place}" for place in range(2)), ".panel .mark-line path")
    assert min(statement.run(CONTRAST, list(lines)).values()) >= 3.0


def test_a_statement_is_reached_from_the_scorecard_and_leads_back(opened: Page) -> None:
    opened.run("document.querySelector(`#scorecard-table a[href='statements/L1.html']`).click()")
    opened.wait(
        "return location.pathname.endsWith('/statements/L1.html') && document.documentElement.dataset.ready === 'yes'"
    )
    opened.run("document.querySelector(`a[href='../report.html#scorecard']`).click()")
    opened.wait("return location.pathname.endsWith('/report.html') && location.hash === '#scorecard'")
    assert opened.driver.get_log("browser") == []


def test_headings_descend_one_by_one(opened: Page) -> None:
    levels = opened.run("return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert opened.run("return document.documentElement.lang") == "en"

"""Pages of statements and figures drawn again, as text: what is on them, what is escaped, where links lead."""

from __future__ import annotations

import base64
import copy
import csv
import gzip
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

import reports
from reports import figures
from reports.page import page, pages
from reports.prose import blocks

HOSTILE = "<script>alert(1)</script>"
EMPTY = pd.DataFrame(columns=["id", "role", "series", "x", "y", "lo", "hi"])
Make = Callable[..., dict[str, Any]]


class Links(HTMLParser):
    """Ids and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        self.addresses |= {str(found["href"])} if "href" in found else set()


@pytest.fixture(scope="module")
def html(report: Path) -> dict[Path, str]:
    """Every page of the run."""
    return {
        path: path.read_text(encoding="utf-8") for path in (report, *sorted((report.parent / "statements").iterdir()))
    }


def test_every_statement_has_a_page_and_every_link_leads_somewhere(report: Path, html: dict[Path, str]) -> None:
    read = {path: Links(text) for path, text in html.items()}
    assert len(read) == 1 + 6
    reached = set()
    for path, links in read.items():
        assert len(set(links.ids)) == len(links.ids)
        for address in links.addresses:
            parts = urlsplit(address)
            assert not parts.scheme
            assert not parts.netloc
            target = (path.parent / parts.path).resolve() if parts.path else path
            reached.add(target)
            assert target.is_file(), address
            if parts.fragment:
                assert parts.fragment in read[target].ids, address
    assert reached == {*read, report.parent / "exhibits.csv"}


def test_a_page_holds_its_own_readings_and_no_others(report: Path, html: dict[Path, str]) -> None:
    t1 = html[report.parent / "statements" / "T1.html"]
    assert "T1/tuned-two-sided" in t1
    assert "L1/assumption-r" not in t1
    assert "Minimal" in t1
    assert 'href="../report.html#scorecard"' in t1
    assert html[report].count('href="statements/T1.html"') >= 4  # from every row of the scorecard, and from its section


def test_the_same_macros_draw_a_reading_on_either_page(report: Path, html: dict[Path, str]) -> None:
    card = re.compile(r'<article class="reading[^"]*" id="r-L1-assumption-r".*?</article>', re.DOTALL)
    own = card.search(html[report.parent / "statements" / "L1.html"])
    whole = card.search(html[report])
    assert own is not None
    assert whole is not None

    def alike(text: str) -> str:
        return re.sub(r"</?h\d", "<h", text.replace("../report.html", ""))

    assert alike(own.group()) == alike(whole.group())


def test_what_is_hostile_is_text_on_every_page(report: Path, html: dict[Path, str]) -> None:
    for text in html.values():
        assert HOSTILE not in text
        assert text.count("<script") <= 3 + text.count('<script type="application/json"')
    assert "&lt;script&gt;" in html[report.parent / "statements" / "T1.html"]  # the title of a panel
    assert all(re.fullmatch(r"[A-Za-z0-9-]+\.html", path.name) for path in html if path != report)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b c", "", ".", "CON<>|", "é"])
def test_a_name_stays_in_its_directory(make_finding: Make, make_run: Make, name: str) -> None:
    found = [path for path in pages([make_finding("T1", claim=name)], make_run(), EMPTY) if path != "report.html"]
    assert len(found) == 1
    assert re.fullmatch(r"statements/[A-Za-z0-9-]+\.html", found[0])


def test_names_that_differ_in_case_have_files_of_their_own(make_finding: Make, make_run: Make) -> None:
    found = pages([make_finding(name) for name in ("T1", "t1", "T1-2")], make_run(), EMPTY)
    assert len({path.lower() for path in found}) == 4


def test_the_explanation_of_a_module_is_shown_in_blocks(make_finding: Make, make_run: Make) -> None:
    text = f"Theorem 9: beta grows.\n\nWhy it does:\n\n* *First.* T*T {HOSTILE}\n  goes on\n* second"
    found = pages([make_finding("T9/a", explanation=text), make_finding("T9/b")], make_run(), EMPTY)[
        "statements/T9.html"
    ]
    assert '<p class="lead">Theorem 9: β grows.</p>' in found
    assert "<p>Why it does:</p>" in found
    assert "<li><em>First.</em> T*T &lt;script&gt;alert(1)&lt;/script&gt; goes on</li><li>second</li>" in found
    assert blocks(None) == blocks("  \n\n ") == []


def test_formulas_of_an_explanation_are_set() -> None:
    r"""A role of reStructuredText is no text for people; what does not convert, or is hostile, is shown in words."""
    [[found]] = blocks(
        "A kernel within :math:`c\\,i^{-b_+} \\le l_i`, of *all* i:\nsee :math:`\\nosuchmacro{x}` and beta."
    )
    assert found.count("<math") == 1
    assert ":math:" not in found
    assert found.endswith("and β.")
    [[hostile]] = blocks(f":math:`{HOSTILE}` and :math:`\\text{{{HOSTILE}}}`")
    assert "<script" not in hostile


def test_a_crossover_is_named_with_its_index_and_sample_size(
    make_finding: Make, make_case: Make, make_run: Make
) -> None:
    for crossover, shown in (
        ({"log10_index": 3.2457, "log10_n": 12.16, "text": ""}, "i* ≈ 1\u202f761, n ≈ 10¹²"),
        ({"log10_index": 400.2, "log10_n": 901.0, "text": ""}, "i* ≈ 10⁴⁰⁰, n ≈ 10⁹⁰¹"),
        ({"log10_index": None, "log10_n": None, "text": ""}, "beyond reach"),
    ):
        why = "the heaviest tail of the mixture takes over at about i = 10^3, n = 10^12"
        found = make_finding("F4/x", "FALSIFIED", minimal=make_case("F4/x", "minimal", crossover=crossover, why=why))
        text = pages([found], make_run(), EMPTY)["statements/F4.html"]
        assert f"<dt>Crossover ends</dt><dd>{shown}</dd>" in text
        assert "takes over at about i = 10<sup>3</sup>, n = 10<sup>12</sup>." in text
    assert "Crossover ends" not in page([make_finding("F4/x")], make_run(), EMPTY)


def test_dependence_and_width_are_tables_under_the_case(make_finding: Make, make_case: Make, make_run: Make) -> None:
    dependence = {
        "lags": [1, 100],
        "rows": [
            {"name": HOSTILE, "values": [-0.5, 0.0], "known": ""},
            {"name": "b(k), one coordinate", "values": [0.5, None], "known": HOSTILE},
        ],
        "sums": [{"of": "sum over h of rho_x(h)", "value": 1.25}, {"of": HOSTILE, "value": None}],
    }
    width = {"n": [1e3, 1e9], "m": [63.2, None]}
    shown = make_case("T4/x", "minimal", dependence=dependence, width=width)
    text = pages([make_finding("T4/x", "FALSIFIED", minimal=shown)], make_run(), EMPTY)["statements/T4.html"]
    assert '<th scope="col">1</th><th scope="col">100</th>' in text
    assert "<td>−0.5</td><td>0</td>" in text
    assert "<td>0.5</td><td>—</td><td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in text
    assert "of ρ<sub>x</sub>(h) = 1.25" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; diverges" in text
    assert '<th scope="row">width m</th><td>63.2</td><td>beyond reach</td>' in text
    assert HOSTILE not in text
    assert 'class="small lags"' not in page([make_finding("T4/x")], make_run(), EMPTY)


# ------------------------------------------------------------------------------------------- figures drawn again


def test_panels_slopes_and_sentences_are_on_both_pages(report: Path, html: dict[Path, str]) -> None:
    for path in (report, report.parent / "statements" / "L1.html"):
        text = html[path]
        assert text.count('<figure class="panel">') == (4 if path == report else 2)
        assert "within 0.021 of the claimed exponent." in text
        assert '0.6012 <span class="soft">[0.5901, 0.6123]</span>' in text
        assert "claimed slope = 0.6" in text
        assert "l<sub>i</sub> ~ i<sup>−β<sub>k</sub></sup>" in text
    assert "the exhibit failed" in html[report.parent / "statements" / "T1.html"]


def test_a_rule_marks_where_a_crossover_ends_if_the_panel_reaches_it(report: Path, html: dict[Path, str]) -> None:
    text = html[report.parent / "statements" / "L1.html"]
    blocks = dict(re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', text))
    near, far = (json.loads(blocks[f"exhibit-r-L1-0-{place}-panel"])["rows"] for place in (0, 1))
    assert [row for row in near if row["s"] in "mn"] == []
    (mark,) = [row for row in far if row["s"] in "mn"]
    assert (mark["x"], mark["t"], mark["s"]) == (
        [1e6],
        "i* ≈ 81",
        "n",
    )  # right of the rule: it stands in the left half
    guide = next(row for row in near if row["s"] == "g")
    curve = next(row for row in near if row["s"] == "e")
    assert guide["x"][-1] == pytest.approx(curve["x"][-1])
    assert guide["y"][-1] == pytest.approx(curve["y"][-1])
    assert guide["y"][0] / guide["y"][-1] == pytest.approx(16.0**0.6, rel=1e-4)


def test_the_points_are_a_table_too(report: Path, make_exhibit: Make) -> None:
    with open(report.parent / "exhibits.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    panel = make_exhibit("L1/assumption-r")["panels"][0]
    mine = [row for row in rows if row["id"] == "L1/assumption-r" and row["panel"] == panel["title"]]
    for series in panel["series"]:
        for kind in ("equivalent", "simulated"):
            told = [row for row in mine if (row["series"], row["kind"]) == (series["label"], kind)]
            assert [float(row["n"]) for row in told] == series[kind]["n"]
            assert [float(row["risk"]) for row in told] == series[kind]["risk"]
    assert {row["stderr"] for row in mine if row["kind"] == "equivalent"} == {""}


def test_a_run_without_exhibits_renders_as_before(tmp_path: Path, records: Any, make_exhibit: Make) -> None:
    findings, run, table = records
    (tmp_path / "findings.json").write_text(json.dumps(findings), encoding="utf-8")
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    table.to_parquet(tmp_path / "evidence.parquet")
    assert '<section class="exhibit"' not in reports.render(tmp_path).read_text(encoding="utf-8")
    assert not (tmp_path / "exhibits.csv").exists()
    record = {"schema": 1, "kind": "exhibits", "exhibits": [make_exhibit("L1/assumption-r")]}
    (tmp_path / "exhibits.json").write_text(json.dumps(record), encoding="utf-8")
    assert '<section class="exhibit"' in reports.render(tmp_path).read_text(encoding="utf-8")
    assert (tmp_path / "exhibits.csv").exists()


def test_absences_in_an_exhibit_are_left_out(make_finding: Make, make_run: Make, make_exhibit: Make) -> None:
    full = make_exhibit("F1/x")
    bare = copy.deepcopy(full)
    for panel in bare["panels"]:
        for series in panel["series"]:
            series |= dict.fromkeys(("equivalent", "local_slope", "simulated", "claimed", "crossover"))
            series["slopes"] = []
    for told in ({"id": "F1/x", "claim": "F1"}, {**full, "panels": [{}]}, bare):
        text = pages([make_finding("F1/x")], make_run(), EMPTY, [told])["statements/F1.html"]
        assert "data-source" not in text
        assert 'id="engine"' not in text  # no chart, so no engine either
    for series in full["panels"][0]["series"]:  # simulated only, as where there is no equivalent
        series |= dict.fromkeys(("equivalent", "local_slope"))
    text = pages([make_finding("F1/x")], make_run(), EMPTY, [full])["statements/F1.html"]
    assert text.count("data-source") == 3


def test_the_engine_is_packed_without_loss() -> None:
    assert gzip.decompress(base64.b64decode(figures.engine())).decode() == figures.script()
    assert len(figures.engine()) < 0.5 * len(figures.script())

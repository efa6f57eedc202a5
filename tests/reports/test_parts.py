"""The parts of the page: formulas, words, the matrix, the points of a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from reports import figures, words
from reports.mathml import statement_markup
from reports.matrix import build_matrix
from reports.page import _calibration


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>} \alpha",
        r"\href{javascript:alert(1)}{x}",
        r"\style{color:red}{x} \class{evil}{y}",
        r"a \text{&lt;img src=x onerror=alert(1)&gt;} b",
        "<img src=x onerror=alert(1)>",
    ],
)
def test_hostile_latex_is_text(latex: str) -> None:
    tree = ElementTree.fromstring(f"<r>{statement_markup(latex, 'words').replace('&nbsp;', ' ')}</r>")
    for element in tree.iter():
        assert element.tag.startswith(("m", "r", "div", "p", "none"))
        assert not {"href", "style", "src", "onerror"} & set(element.attrib)


BROKEN = (r"\frac{1}{", r"\left( 1 \right", r"\nosuchmacro x", r"\begin{matrix} a", "{" * 5000)


@pytest.mark.parametrize("latex", BROKEN)
def test_latex_that_fails_falls_back_to_words(latex: str) -> None:
    assert statement_markup(latex, "a < b") == '<p class="words">a &lt; b</p>'


def test_prose_with_formulas_between_dollars() -> None:
    markup = statement_markup(r"For all $s > 0$ & every $\beta$, it holds.", "")
    assert markup.count("<math") == 2
    assert markup.startswith('<p class="words">For all <math display="inline">')
    assert " &amp; every " in markup
    assert "β" in markup


def test_display_formulas() -> None:
    markup = statement_markup(r"\alpha = \frac{2s}{2s + 1/\beta}", "")
    assert '<math display="block">' in markup
    assert "<mfrac>" in markup


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"), (0, "0"), (12345, "12\u202f345"), (-3, "−3"), (2 / 3, "0.6667"), (1e-7, "10⁻⁷"),
        (1e12, "10¹²"),
        (1.234e-9, "1.23 × 10⁻⁹"), (math.nan, "not a number"),
        (math.inf, "∞"), (400080.3, "400\u202f080"), ("?", "—"),
    ],
)  # fmt: skip
def test_numbers_for_people(value: Any, shown: str) -> None:
    assert words.show_number(value) == shown


@pytest.mark.parametrize(
    ("chance", "shown"),
    [(None, "—"), (1, "100 %"), (0.99996, "> 99.9 %"), (0.936, "93.6 %"), (1e-5, "< 0.1 %")],
)
def test_chances_never_round_to_certainty(chance: Any, shown: str) -> None:
    assert words.show_chance(chance) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "—"), (0.0123, "0.012 s"), (7.25, "7.2 s"), (214.6, "3 min 35 s"), (7300, "2 h 1 min")],
)
def test_durations_for_people(seconds: Any, shown: str) -> None:
    assert words.show_seconds(seconds) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bias <= R^2 lam^(2s)", "bias ≤ R<sup>2</sup> λ<sup>2s</sup>"),
        ("beta and theta at lambda = 1/(eta t), no zeta", "β and θ at λ = 1/(η t), no zeta"),
        ("n^(-1/(2s + 1/beta))", "n<sup>−1/(2s + 1/β)</sup>"),
        ("Sigma = sum_k pi_k Sigma_k", "Σ = ∑<sub>k</sub> π<sub>k</sub> Σ<sub>k</sub>"),
        ("the sum of 1/beta_min", "the sum of 1/β<sub>min</sub>"),
        ("c1 i^-beta <= l_i", "c1 i<sup>−β</sup> ≤ l<sub>i</sub>"),
        ("sigma=0, out_of_scope, beta_k", "σ=0, out_of_scope, β<sub>k</sub>"),
        ("i^(1/(beta_2 - beta_1)), lam_first", "i<sup>1/(β<sub>2</sub> - β<sub>1</sub>)</sup>, lam_first"),
        ("a<b & x^<i>", "a&lt;b &amp; x^&lt;i&gt;"),
        ("f(^", "f(^"),
        ("the slope is alpha. Of beta.py, lam(x)", "the slope is α. Of beta.py, lam(x)"),
        (None, ""),
    ],
)
def test_symbols_in_print(text: str | None, shown: str) -> None:
    assert words.symbols(text) == shown


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("size", "1 of 4 = 0.25 [0.0063, 0.8059]", ("size: a true claim called violated", "0.25", "1 of 4")),
        ("power 0.02", "1.5 of 2 = 0.75 [0.1, 1.0]", ("power: an exponent wrong by 0.02 is noticed", "0.75", "1.5 of 2")),
        ("power, a two dropped", "not measured", ("power: formula wrong, a two dropped", "not measured", "")),
        ("permitted 0.05", "1e+06 of 2e+06 = 0.5 [0, 1]", ("finite samples permit noticing 0.05", "0.5", "1e+06 of 2e+06")),
        ("judged", "1043", ("judged", "1043", "")),
        ("size of the reading itself", "1 of 2", ("size of the reading itself", "1 of 2", "")),
    ],
)  # fmt: skip
def test_a_fact_of_the_calibration(name: str, text: str, shown: tuple[str, str, str]) -> None:
    groups = _calibration({"stale": True, "text": "words", name: text})
    fact = groups[""][0]
    assert (fact.name, fact.value, fact.counted) == shown


def test_facts_are_grouped_by_what_measured_them() -> None:
    facts = {"searches: judged": "3", "corners: found": "2", "a pack: of its own": "1", "size": "0"}
    groups = _calibration({"text": "words", **facts})
    assert {name: [fact.name for fact in found] for name, found in groups.items()} == {
        "": ["a pack: of its own", "size: a true claim called violated"],
        "searches": ["judged"],
        "corners": ["found"],
    }
    assert _calibration({"stale": False, "text": "words"}) == {}


def test_matrix_keeps_equal_coordinates_together() -> None:
    matrix = build_matrix(
        [
            (
                "a",
                [
                    "tuned · upper bound · sigma=0 · S-tail · s>1",
                    "schedule · upper bound · sigma>0 · S-L2 · s<=1",
                ],
            ),
            ("b", ["tuned · upper bound · sigma>0 · S-L2 · s>1", "not a cell"]),
        ]
    )
    assert matrix is not None
    assert matrix.groups == (("S-L2", 2), ("S-tail", 1))
    assert matrix.columns == ("s<=1", "s>1", "s>1")
    assert [row.heads for row in matrix.rows] == [
        (("schedule", 1), ("upper bound", 1), ("sigma>0", 1)),
        (("tuned", 2), ("upper bound", 2), ("sigma>0", 1)),
        (("sigma=0", 1),),
    ]
    assert [row.cells for row in matrix.rows] == [(("a",), (), ()), ((), ("b",), ()), ((), (), ("a",))]
    assert matrix.others == (("not a cell", "b"),)
    assert (matrix.judged, matrix.possible) == (3, 9)


def test_no_cells_no_matrix() -> None:
    assert build_matrix([("a", []), ("b", ["one · two"])]) is None


def test_json_cannot_leave_its_element() -> None:
    value = {"</script><!--": "&\u2028\u2029<>"}
    block = str(figures.json_block(value))
    assert not set("<>&\u2028\u2029") & set(block)
    assert json.loads(block) == value


def test_the_script_cannot_leave_its_element() -> None:
    assert "</script" not in figures.script().lower()
    assert "<!--" not in figures.script()


@pytest.mark.parametrize(("exponent", "slope"), [(0.8, -0.8), (-0.5, 0.5), (0.0, 0.0)])
def test_the_guide_follows_the_direction_of_the_curve(
    make_points: Callable[..., pd.DataFrame], exponent: float, slope: float
) -> None:
    evidence = figures.Evidence(make_points("L1/a", "typical", exponent))
    case = {"predicted": {"kind": "exponent", "value": exponent}}
    figure = figures.curve_figure(evidence, "L1/a", "typical", case, {})
    assert figure is not None
    curve, guide = (next(row for row in figure["rows"] if row["s"] == s) for s in "eg")
    assert guide["x"][-1] == curve["x"][-1]
    assert guide["y"][-1] == pytest.approx(curve["y"][-1], rel=1e-5)
    measured = math.log(guide["y"][-1] / guide["y"][0]) / math.log(guide["x"][-1] / guide["x"][0])
    assert measured == pytest.approx(slope, abs=1e-4)


def test_a_bound_claims_no_slope(make_points: Callable[..., pd.DataFrame]) -> None:
    evidence = figures.Evidence(make_points("L2/a", "minimal"))
    case = {"predicted": {"kind": "bound", "value": 1.0}}
    curve = figures.curve_figure(evidence, "L2/a", "minimal", case, {})
    slope = figures.slope_figure(evidence, "L2/a", "minimal", case, {})
    assert curve is not None
    assert slope is not None
    assert curve["claim"] == slope["claim"] == ""
    assert {row["s"] for row in curve["rows"]} == {"e", "s"}
    assert {row["s"] for row in slope["rows"]} == {"l"}


@pytest.mark.parametrize(("kind", "sign"), [("AtLeast", "≥"), ("at-most", "≤"), ("theta", "="), ("exponent", "=")])
def test_the_key_says_how_a_slope_is_claimed(make_points: Callable[..., pd.DataFrame], kind: str, sign: str) -> None:
    evidence = figures.Evidence(make_points("T1/a", "minimal"))
    figure = figures.slope_figure(evidence, "T1/a", "minimal", {"predicted": {"kind": kind, "value": 0.5}}, {})
    assert figure is not None
    assert figure["claim"] == f"claimed slope {sign} 0.5"


def test_a_slope_without_a_band_takes_the_tolerance_of_the_judgement(
    make_points: Callable[..., pd.DataFrame],
) -> None:
    evidence = figures.Evidence(make_points("T1/a", "minimal").assign(lo=None, hi=None))
    figure = figures.slope_figure(evidence, "T1/a", "minimal", {"exponent": 0.8, "tolerance": 0.01}, {})
    assert figure is not None
    assert set(figure["rows"][0]["lo"]) == {0.79}
    assert set(figure["rows"][0]["hi"]) == {0.81}


def test_a_band_below_zero_ends_at_the_frame(make_points: Callable[..., pd.DataFrame]) -> None:
    table = make_points("T1/a", "minimal")
    table["lo"] = table.lo.where(table.series != "simulation", -1.0)
    figure = figures.curve_figure(figures.Evidence(table), "T1/a", "minimal", {}, {})
    assert figure is not None
    simulated = next(row for row in figure["rows"] if row["s"] == "s")
    assert simulated["lo"] == pytest.approx([figure["signals"]["y_min"]] * len(simulated["x"]), rel=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (8.0, 1.2e12, [100.0, 1e4, 1e6, 1e8, 1e10, 1e12]),
        (0.9, 40.0, [1.0, 2.0, 5.0, 10.0, 20.0]),
        (0.98, 1.02, [0.98, 0.99, 1.0, 1.01, 1.02]),
    ],
)
def test_ticks_of_a_log_axis(low: float, high: float, ticks: list[float]) -> None:
    assert figures.log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("decades", [1e-6, 0.01, 0.3, 1.0, 3.0, 12.0, 40.0, 580.0])
def test_a_log_axis_has_some_ticks_but_not_many(decades: float) -> None:
    low = 10.0 ** (-decades / 2)
    assert 2 <= len(figures.log_ticks(low, low * 10.0 ** (decades / 2) * 10.0 ** (decades / 2))) <= 9


def test_drawings_hold_no_points_and_no_address_but_the_schema() -> None:
    text = json.dumps(figures.drawings())
    assert text.count("http") == len(figures.drawings()) == 4
    assert len(text) < 40_000

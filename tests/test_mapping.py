"""Maps: boundaries that are known, in one and two parameters; what is refused; records, page and command."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from typer.testing import CliRunner

from reports.map import map_page, map_svg, write_map, write_map_csv
from verifier import cli, records
from verifier.claims import Bound, Claim, Exponent, Proof, StraightLine, Theta
from verifier.instances import (
    CriticalTarget,
    Exponential,
    ExponentialTarget,
    Finite,
    Instance,
    LogPeriodic,
    Noise,
    PowerLaw,
    SingleEigenfunction,
)
from verifier.verdicts import mapping
from verifier.verdicts.calibration import draw
from verifier.verdicts.judge import look
from verifier.verdicts.mapping import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Progress,
    ReadingMap,
    Unmappable,
    continue_gap,
    map_reading,
    map_record,
)
from verifier.verdicts.search import Case

DOMAIN = st.builds(
    lambda beta, s, sigma: Instance(PowerLaw(beta), CriticalTarget(s), Noise(sigma)),
    beta=st.floats(1.2, 4.0),
    s=st.floats(0.1, 2.0),
    sigma=st.floats(0.5, 2.0),
)
PLAIN = {"beta": 2.0, "sigma": 1.0}  # with both set, one instance stands for all draws


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws are kept between maps, and violations confirmed without simulation, except where a test asks for all of it."""
    if "whole" in request.fixturenames:
        return

    def kept(domain: st.SearchStrategy[Instance], *arguments: Any) -> list[Instance]:
        return drawn(*arguments) if domain is DOMAIN else draw(domain, *arguments)

    monkeypatch.setattr(mapping, "draw", kept)
    monkeypatch.setattr(mapping, "confirm", lambda claim, instance, seed: Case(instance, look(claim, instance, seed)))


@pytest.fixture
def whole() -> None:
    """Draw and confirm in earnest."""


@cache
def drawn(*arguments: Any) -> list[Instance]:
    return draw(DOMAIN, *arguments)


def truth(instance: Instance) -> float:
    """By the schedule, whose bias saturates."""
    return 2.0 * min(instance.s, 1.0) / (2.0 * instance.s + 1.0 / instance.beta)


def claim(wrong_by: Callable[[Instance], float] = lambda instance: 0.0, **more: Any) -> Claim:
    """Right but for what ``wrong_by`` adds."""
    defaults: dict[str, Any] = {
        "id": "M1/planted",
        "title": "the risk falls as n^-alpha",
        "statement": "s",
        "source": "n",
        "domain": DOMAIN,
        "tuning": "schedule",  # a quarter of the time that the oracle's ridge takes
        "predict": lambda instance: Exponent(truth(instance) + wrong_by(instance)),
    }
    return Claim(**(defaults | more))


def beyond(place: float, slope: float = 0.3, power: float = 1.0) -> Callable[[Instance], float]:
    return lambda instance: slope * max(0.0, instance.s - place) ** power


def along_s(planted: Claim, low: float = 0.1, high: float = 2.0, **more: Any) -> ReadingMap:
    return map_reading(planted, x="s", ranges={"s": (low, high)}, **({"fixed": PLAIN, "judgements": 130} | more))


def statuses(found: ReadingMap) -> set[str]:
    return {point.status for point in found.points}


# one parameter


@pytest.mark.usefixtures("whole")
@pytest.mark.thorough
def test_saturation_ignored_breaks_at_one() -> None:
    """alpha with s in the place of min(s, 1): right up to s = 1, wrong from there on, by little at first."""
    ignored = claim(predict=lambda i: Exponent(2.0 * i.s / (2.0 * i.s + 1.0 / i.beta)), tuning="optimal")
    found = along_s(ignored)
    (boundary,) = found.boundaries
    assert (boundary.method, boundary.confirmed) == ("gap", True)
    assert boundary.at == pytest.approx(1.0, abs=0.01)
    assert boundary.interval[0] < 1.0 < boundary.interval[1]
    assert boundary.interval[1] - boundary.interval[0] < 0.2
    # What is visible begins later, and the bracket alone would miss the truth.
    assert boundary.holds < boundary.fails <= boundary.interval[1]
    assert boundary.holds > 1.0
    assert all((point.status == HOLDS) == (point.x < boundary.fails) for point in found.points)


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("place", [0.37, 0.5, 0.8])
@pytest.mark.thorough
def test_a_kink_is_found_from_either_side(place: float, side: str) -> None:
    wrong = beyond(place) if side == "above" else lambda i: 0.3 * max(0.0, place - i.s)
    (boundary,) = along_s(claim(wrong), 0.1, 0.95).boundaries
    assert boundary.at == pytest.approx(place, abs=0.005)
    assert boundary.interval[0] < place < boundary.interval[1]
    assert (boundary.holds < boundary.fails) == (side == "above")


def test_an_onset_without_slope_lies_in_the_interval() -> None:
    (boundary,) = along_s(claim(beyond(0.5, slope=2.0, power=2.0)), 0.1, 0.95).boundaries
    assert boundary.method == "gap"
    assert boundary.interval[0] < 0.5 < boundary.interval[1]
    assert boundary.fails > 0.55  # 2 x^2 = .007 at x = .059


def test_a_jump_is_bracketed() -> None:
    found = along_s(claim(lambda i: 0.1 * (i.s > 0.5)), 0.1, 0.95)
    (boundary,) = found.boundaries
    assert boundary.method == "bracket"
    assert boundary.interval == (boundary.holds, boundary.fails)
    assert boundary.holds <= 0.5 < boundary.fails
    assert boundary.fails - boundary.holds <= 0.85 / 512
    assert found.judgements < 100  # nothing like a grid of that width


def test_a_gap_that_does_not_tend_to_zero_is_not_resolved() -> None:
    """A gap just above the tolerance that shrinks a little: where it stops being visible says nothing of where it begins."""
    (boundary,) = along_s(claim(lambda i: 0.0055 + 0.003 * i.s), 0.1, 0.8).boundaries
    assert boundary.method == "unresolved"
    assert boundary.interval == (0.1, boundary.fails)


def test_a_reading_that_fails_in_the_middle_has_two_boundaries() -> None:
    found = along_s(claim(lambda i: -0.1 * (0.31 < i.s < 0.58)), 0.1, 0.95)
    assert [round(one.at, 2) for one in found.boundaries] == [0.31, 0.58]
    assert all(one.confirmed for one in found.boundaries)
    assert any(note.startswith("2 boundaries") for note in found.notes)


def test_a_crossing_of_two_formulas_is_no_stretch_that_holds() -> None:
    """Claimed and true exponent agree at s = .43 only; no coarse point is near it, but the gap changes its sign."""
    found = along_s(claim(lambda i: 0.5 * (i.s - 0.43)), 0.1, 0.95)
    assert [one.method for one in found.boundaries] == ["gap", "gap"]
    for one in found.boundaries:
        assert one.at == pytest.approx(0.43, abs=0.005)
    assert any("cross there" in note for note in found.notes)


@pytest.mark.thorough
def test_what_holds_or_fails_everywhere_has_no_boundary() -> None:
    right, wrong = (along_s(one, judgements=120) for one in (claim(), claim(lambda i: 0.1)))
    assert (statuses(right), right.boundaries, right.confirmations) == ({HOLDS}, (), 0)
    assert (statuses(wrong), wrong.boundaries, wrong.confirmations) == ({FAILS}, (), 1)
    assert any(point.confirmed for point in wrong.points)
    assert right.decided
    assert wrong.decided


def test_what_cannot_be_followed_is_undecided() -> None:
    found = along_s(claim(tuning=lambda instance, n: 1e-60 * n**-1.8), judgements=60)
    assert statuses(found) == {UNDECIDED}
    assert not found.decided
    assert "draws could not be decided, most often because" in found.points[0].reason


def test_out_of_scope_is_not_counted() -> None:
    def smooth(instance: Instance) -> bool:
        return instance.s >= 0.5

    found = along_s(claim(hypotheses=(smooth,)), 0.1, 0.95, judgements=100)
    assert all((point.status == UNDECIDED) == (point.x < 0.5) for point in found.points)
    rough = found.points[0]
    assert (rough.consistent, rough.out_of_scope) == (0, mapping.POOL)
    assert "only 0 draws were decided, of 20" in rough.reason
    assert "the hypothesis 'smooth' is not met" in rough.reason


@pytest.mark.thorough
def test_the_worst_of_the_draws_sets_the_boundary() -> None:
    """Wrong from s = 1/beta on: for the steepest spectra first. The draws reach beta = 4 nearly."""
    found = map_reading(claim(lambda i: 0.3 * max(0.0, i.beta * i.s - 1.0)), x="s", fixed={"sigma": 1.0})
    (boundary,) = found.boundaries
    assert boundary.instance is not None
    assert boundary.at == pytest.approx(1.0 / boundary.instance.beta, abs=0.01)
    assert boundary.instance.beta > 3.5
    held = next(point for point in found.points if point.x == boundary.holds)
    assert held.consistent > mapping.DRAWS  # what was left of the budget went there


@pytest.mark.thorough
def test_one_violation_in_many_draws_is_found_and_moved() -> None:
    """A corner of the other parameters that few draws meet: once met, it is tried first elsewhere."""
    corner = claim(lambda i: 0.1 * (i.s > 0.5 and i.beta > 3.6))
    found = map_reading(corner, x="s", ranges={"s": (0.1, 0.95)}, fixed={"sigma": 1.0}, judgements=400)
    (boundary,) = found.boundaries
    assert boundary.at == pytest.approx(0.5, abs=0.01)


def test_bounds_have_a_bracket_only() -> None:
    """A ratio of the risk to a constant, which it exceeds at small n from s = 1/2 on."""
    bounded = claim(predict=lambda i: Bound(1e9 if i.s < 0.5 else 1e-4))
    found = along_s(bounded, 0.1, 0.9, judgements=60)
    (boundary,) = found.boundaries
    assert boundary.method == "bracket"
    assert boundary.at == pytest.approx(0.5, abs=0.01)
    assert boundary.interval == (boundary.holds, boundary.fails)
    assert "compared with a constant" in boundary.text


@pytest.mark.thorough
def test_a_growing_ratio_is_bracketed_up_to_where_it_grows_for_ever() -> None:
    """At s = 1 exactly the bias carries a factor ln n; just below, it looks as if it did."""
    found = along_s(claim(predict=lambda i: Theta(truth(i))), 0.9, 1.0)
    (boundary,) = found.boundaries
    assert boundary.fails < 1.0
    assert boundary.interval == (boundary.holds, pytest.approx(1.0, abs=0.1 / 512))  # one step of the bisection


@pytest.mark.thorough
def test_an_oscillation_is_continued_to_none() -> None:
    """A log-periodic spectrum has no straight line, however small its amplitude: only a small one is not seen."""
    waves = st.floats(0.01, 0.5).map(lambda a: Instance(LogPeriodic(2.0, a, 2.0), CriticalTarget(0.5), Noise(1.0)))
    found = map_reading(
        claim(predict=lambda i: StraightLine(truth(i)), domain=waves, tuning="optimal"), x="amplitude", judgements=80
    )
    (boundary,) = found.boundaries
    assert boundary.method == "gap"
    assert boundary.at == pytest.approx(0.0, abs=0.01)
    assert boundary.interval[0] < 0.0 < boundary.holds < boundary.fails
    assert any("lies outside the range" in note for note in found.notes)


def test_whole_numbers_stay_whole() -> None:
    single = claim(
        lambda i: 0.0,
        tuning="optimal",
        predict=lambda i: Exponent(2 * i.beta / (2 * i.beta + 1) + 0.1 * (i.target.index >= 12)),  # type: ignore[attr-defined]
        domain=st.integers(1, 30).map(lambda k: Instance(PowerLaw(2.0), SingleEigenfunction(0.5, index=k), Noise(1.0))),
    )
    found = map_reading(single, x="index")
    (boundary,) = found.boundaries
    assert (boundary.holds, boundary.fails) == (11.0, 12.0)
    assert all(point.x == int(point.x) for point in found.points)
    with pytest.raises(Unmappable, match="must be of whole numbers"):
        map_reading(single, x="index", ranges={"x": (1.5, 20.0)})


@pytest.mark.thorough
def test_a_wide_range_is_walked_in_the_logarithm() -> None:
    scales = st.sampled_from([0.1, 1.0, 10.0]).map(
        lambda c: Instance(PowerLaw(2.0, c), CriticalTarget(0.5), Noise(1.0))
    )
    loud = claim(lambda i: 0.1 * (i.spectrum.scale > 0.5), domain=scales)  # type: ignore[attr-defined]
    found = map_reading(loud, x="scale")
    assert found.x.logarithmic
    (boundary,) = found.boundaries
    assert boundary.holds <= 0.5 < boundary.fails
    assert any("gave only 3 instances" in note for note in found.notes)


# two parameters


@pytest.mark.thorough
def test_a_curve_is_followed() -> None:
    """Wrong from s = 1/beta on."""
    found = map_reading(
        claim(lambda i: 0.3 * max(0.0, i.beta * i.s - 1.0)),
        x="s",
        y="beta",
        ranges={"s": (0.1, 0.95), "y": (1.5, 4.0)},
        fixed={"sigma": 1.0},
        judgements=360,
    )
    curve = {one.y: one for one in found.boundaries}
    assert sorted(curve) == [1.5, 2.75, 4.0]
    for beta, one in curve.items():
        assert beta is not None
        assert one.at == pytest.approx(1.0 / beta, abs=0.01)
        assert one.interval[0] < 1.0 / beta < one.interval[1]
        assert one.confirmed
    record = json.loads(json.dumps(map_record(found)))
    assert [line["y"] for line in record["curve"]] == [1.5, 2.75, 4.0]
    assert record["boundary"] is None
    assert record["y"] == "beta"


@pytest.mark.thorough
def test_a_second_crossing_on_one_line_is_noticed_and_said() -> None:
    def island(instance: Instance) -> float:
        return 0.1 * (instance.s > 0.7 or (instance.beta > 3.0 and 0.25 < instance.s < 0.4))

    found = map_reading(claim(island), x="s", y="beta", ranges={"s": (0.1, 0.95)}, fixed={"sigma": 1.0}, judgements=400)
    counts = {line: len([b for b in found.boundaries if b.y == line]) for line in {p.y for p in found.points}}
    assert {count for line, count in counts.items() if line is not None and line > 3.0} == {3}
    assert {count for line, count in counts.items() if line is not None and line < 3.0} == {1}
    assert any(note.startswith("3 boundaries at beta = ") for note in found.notes)


# how


def test_a_map_is_repeatable_and_keyed_by_its_seed() -> None:
    maps = [map_reading(claim(beyond(0.5)), x="s", judgements=120, seed=seed) for seed in (0, 0, 1)]
    kept = [json.dumps({k: v for k, v in map_record(one).items() if k not in ("seconds", "seed")}) for one in maps]
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]


def test_the_budget_is_kept_and_progress_told() -> None:
    told: list[Progress] = []
    found = map_reading(claim(beyond(0.5)), x="s", judgements=200, progress=told.append)
    assert found.judgements <= 200
    assert told[-1].total == 200
    assert [event.done for event in told] == sorted(event.done for event in told)


def test_what_is_not_confirmed_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    real = mapping.confirm

    def strict(claim: Claim, instance: Instance, seed: int) -> Any:
        case = real(claim, instance, seed)
        wavers = instance.s < 0.56
        found = replace(case.judgement, verdict="inconclusive", reason="shaky") if wavers else case.judgement
        return replace(case, judgement=found)

    monkeypatch.setattr(mapping, "confirm", strict)
    found = along_s(claim(lambda i: 0.1 * (i.s > 0.5)), 0.1, 0.95)
    (boundary,) = found.boundaries
    shaken = [point for point in found.points if point.confirmed is False]
    assert shaken
    assert all(point.status == UNDECIDED and "not confirmed" in point.reason for point in shaken)
    assert boundary.holds <= 0.5 < 0.56 <= boundary.fails
    assert boundary.interval[0] <= boundary.holds
    assert boundary.interval[1] >= boundary.fails


def test_an_interrupt_leaves_what_was_found() -> None:
    def stop(event: Progress) -> None:
        if event.done == 12:
            raise KeyboardInterrupt

    found = along_s(claim(lambda i: 0.1 * (i.s > 0.5)), progress=stop)
    assert found.interrupted
    assert len(found.points) in (11, 12)
    (boundary,) = found.boundaries
    assert not boundary.confirmed
    assert map_record(found)["interrupted"]


def test_the_line_and_the_parabola() -> None:
    reach, t = 0.25, 0.007

    def followed(gap: Callable[[float], float]) -> list[tuple[float, float, float]]:
        return [(v, gap(v), t) for v in (0.0, *(reach * part for part in mapping.FOLLOWED))]

    line = continue_gap(followed(lambda v: 0.2 * (v + 0.035)), [], reach)
    assert line is not None
    assert line.zero == pytest.approx(0.035, abs=1e-3)
    assert line.end == pytest.approx(0.07, abs=1e-3)
    curved = continue_gap(followed(lambda v: -0.2 * (v + 0.035) * (1.0 - v - 0.035)), [], reach)
    assert curved is not None
    assert curved.zero == pytest.approx(0.035, abs=1e-3)
    assert continue_gap(followed(lambda v: 0.1), [(-0.001, 0.0, t)], reach) is None  # it jumps
    flat = continue_gap(followed(lambda v: 0.0071 + 1e-4 * v), [(-0.001, 0.007, t)], reach)
    assert flat is not None
    assert flat.zero is None
    assert continue_gap([(0.0, 0.01, t)], [], reach) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.thorough
def test_intervals_take_in_the_truth(seed: int) -> None:
    """Onsets of random place, slope, power and side."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    for _ in range(2):
        place, slope = float(generator.uniform(0.3, 0.75)), float(generator.uniform(0.1, 1.0))
        power = float(generator.choice([0.7, 1.0, 1.5, 2.0]))
        (boundary,) = along_s(claim(beyond(place, slope, power)), 0.1, 0.95, judgements=120).boundaries
        assert boundary.interval[0] <= place <= boundary.interval[1], (place, slope, power, boundary)


# what is refused


def _uneven() -> st.SearchStrategy[Instance]:
    return st.sampled_from(
        [
            Instance(Exponential(1.0), CriticalTarget(0.5)),
            Instance(PowerLaw(2.0), ExponentialTarget(0.5, rate=1.0)),
            Instance(Finite((1.0, 0.5)), CriticalTarget(0.4)),
        ]
    )


REFUSED = [
    pytest.param({"x": "speed"}, "has a number called 'speed': its numbers are spectrum.beta", id="unknown"),
    pytest.param({"x": "s", "y": "s"}, "'s' is named twice", id="twice"),
    pytest.param({"x": "s", "fixed": {"s": 1.0}}, "'s' is named twice", id="swept and set"),
    pytest.param({"x": "norm"}, "norm does not vary", id="constant"),
    pytest.param({"x": "s", "ranges": {"s": (1.0, 1.0)}}, "its range is 1", id="empty range"),
    pytest.param({"x": "s", "ranges": {"s": (1.0, 0.5)}}, "must run from a smaller number", id="reversed range"),
    pytest.param({"x": "s", "ranges": {"beta": (1.0, 2.0)}}, "'beta', which is not swept", id="range of another"),
    pytest.param({"x": "s", "ranges": {"y": (1.0, 2.0)}}, "'y', which is not swept", id="range of no axis"),
    pytest.param({"x": "s", "ranges": {"s": (-1.0, 1.0)}}, "s=-1 is refused by every instance", id="outside"),
    pytest.param({"x": "s", "fixed": {"beta": 0.5}}, "beta=0.5 is refused by every instance", id="set outside"),
    pytest.param({"x": "s", "judgements": 5}, "judgements=5 cannot decide two points", id="too few"),
]


@pytest.mark.parametrize(("asked", "says"), REFUSED)
def test_what_cannot_be_mapped_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(Unmappable, match=re.escape(says)):
        map_reading(claim(), **asked)


def test_names_that_two_ingredients_have_are_asked_for_in_full() -> None:
    with pytest.raises(Unmappable, match=r"'rate' could be .*target\.rate.*: name one of them in full"):
        map_reading(claim(domain=_uneven()), x="rate")
    with pytest.raises(Unmappable, match=r"does not vary"):
        map_reading(claim(domain=_uneven()), x="target.rate")
    with pytest.raises(Unmappable, match=r"drawn has all of"):
        map_reading(claim(domain=_uneven()), x="spectrum.beta", y="spectrum.rate")


def test_proofs_and_broken_domains() -> None:
    with pytest.raises(Unmappable, match="an exact argument"):
        map_reading(claim(proof=lambda: Proof(True, "t", ())), x="s")
    with pytest.raises(Unmappable, match="gave no instance"):
        map_reading(claim(domain=st.nothing()), x="s")
    with pytest.raises(ValueError, match="the domain of claim M1/planted raised ZeroDivisionError"):
        map_reading(claim(domain=st.just(0).map(lambda zero: 1 // zero)), x="s")


def test_values_outside_the_domain_are_said_to_be() -> None:
    found = along_s(
        claim(domain=DOMAIN.filter(lambda i: 0.3 <= i.s <= 0.6)),
        0.1,
        0.95,
        fixed={"beta": 5.0, "sigma": 1.0},
        judgements=60,
    )
    assert sum("the map is of the formula, not of the reading" in note for note in found.notes) == 2


# records, page, command


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    return map_record(along_s(claim(beyond(0.5)), 0.1, 0.95, judgements=100))


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    planted = claim(lambda i: 0.1 * (i.s > 0.5))
    return map_record(map_reading(planted, x="s", y="beta", fixed={"sigma": 1.0}, judgements=260), "pack:CLAIMS")


@pytest.mark.thorough
def test_records_are_checked_and_come_back(one: dict[str, Any], two: dict[str, Any], tmp_path: Path) -> None:
    for record in (one, two):
        path = records.save_map(tmp_path / "map.json", record)
        assert records.load_map(path) == json.loads(json.dumps(record))
    assert (one["claim"], one["reading"], one["x"], one["kind"], one["seed"]) == ("M1", "planted", "s", "map", 0)
    assert one["interval"][0] < one["boundary"] < one["interval"][1]
    assert one["judgements"] <= 100
    assert Instance.from_json(one["boundaries"][0]["instance"]).s == one["boundaries"][0]["fails"]
    assert "y" not in one
    with pytest.raises(records.RecordError, match=r"map\.json: \$\.points\[0\]\.status is 'maybe'"):
        records.save_map(tmp_path / "map.json", one | {"points": [one["points"][0] | {"status": "maybe"}]})
    with pytest.raises(records.RecordError, match=r"lacks the key curve"):
        records.save_map(tmp_path / "map.json", {k: v for k, v in two.items() if k != "curve"})
    with pytest.raises(records.RecordError, match="cannot be written"):
        records.save_map(tmp_path, one)


@pytest.mark.thorough
def test_the_page_is_whole_and_asks_for_nothing(one: dict[str, Any], two: dict[str, Any], tmp_path: Path) -> None:
    for record in (one, two, one | {"boundaries": [], "interrupted": True}):
        text = write_map(tmp_path / "map.html", record).read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>")
        assert "<svg" in text
        assert "<script" not in text
        assert not re.findall(r"(?:src|href)=\"(?!#)[^\"]*", text)
        assert f"{len(record['points'])} points: " in text
    assert "no boundary was found in the range" in text
    assert "The map was interrupted" in text
    hostile = map_page(one | {"title": "<script>alert(1)</script>"}, map_svg(one))
    assert "<script" not in hostile
    with pytest.raises(ValueError, match=r"written as \.html"):
        write_map(tmp_path / "map.png", one)


def test_the_table_holds_points_and_boundaries(two: dict[str, Any], tmp_path: Path) -> None:
    with open(write_map_csv(tmp_path / "map.csv", two), encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    points = [row for row in rows if row["kind"] == "point"]
    assert [(float(row["s"]), float(row["beta"]), row["status"]) for row in points] == [
        (point["x"], point["y"], point["status"]) for point in two["points"]
    ]
    (first, *_) = [row for row in rows if row["kind"] == "boundary"]
    assert float(first["low"]) <= float(first["s"]) <= float(first["high"])


PACK = """
from hypothesis import strategies as st

import verifier as vf


def claim(name, wrong):
    return vf.Claim(
        id=name,
        title="t",
        statement="s",
        source="n",
        domain=st.floats(0.1, 0.95).map(
            lambda s: vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s), vf.Noise(1.0))
        ),
        predict=lambda i: vf.Exponent(2 * i.s / (2 * i.s + 1 / i.beta) + wrong(i)),
    )


def breaks(instance):
    raise KeyError("no")


CLAIMS = [
    claim("K1/jumps", lambda i: 0.1 * (i.s > 0.5)),
    claim("K1/breaks", breaks),
    vf.Claim(
        id="K2", title="t", statement="s", source="n", domain=st.floats(0.1, 0.9).map(
            lambda s: vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s), vf.Noise(1.0))
        ),
        predict=lambda i: vf.Exponent(0.5), tuning=lambda i, n: 1e-60 * n**-1.8,
    ),
]
"""


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "pack_of_maps.py").write_text(PACK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "pack_of_maps:CLAIMS"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["map", *arguments])


@pytest.mark.usefixtures("whole")
def test_the_command_draws_and_writes(pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_PATIENCE", 0.0)
    options = ["--set", "beta=2", "--range", "x=0.2:0.9", "--judgements", "80", "--seed", "3", "--pack", pack]
    result = run("K1/jumps", "--x", "s", *options, "--json", "map.json", "--out", "map.html")
    assert result.exit_code == 0, result.output
    for words in ("K1/jumps  over s, beta = 2", "boundary", "wrote map.json", "wrote map.html", "wrote map.csv"):
        assert words in result.stdout
    assert re.search(r"holds 0\.2 to 0\.\d+ \(\d+\)  fails 0\.\d+ to 0\.9 ", result.stdout)
    assert "/80] judgements" in result.stderr
    record = records.load_map("map.json")
    assert (record["seed"], record["pack"], record["fixed"], record["range"]) == (3, pack, {"beta": 2.0}, [0.2, 0.9])
    assert record["boundary"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.thorough
def test_nothing_decided_is_2_and_a_broken_claim_is_3(pack: str) -> None:
    undecided = run("K2", "--x", "s", "--judgements", "50", "--pack", pack)
    assert undecided.exit_code == 2, undecided.output
    assert "undecided" in undecided.stdout
    broken = run("K1/breaks", "--x", "s", "--pack", pack)
    assert broken.exit_code == cli.ERROR
    assert "predict of claim K1/breaks raised KeyError" in broken.stderr
    assert "Traceback" not in broken.output


def test_an_interrupt_writes_what_was_found(pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = mapping.look, []

    def look(*arguments: Any) -> Any:
        seen.append(1)
        if len(seen) == 10:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(mapping, "look", look)
    result = run("K1/jumps", "--x", "s", "--json", "map.json", "--pack", pack)
    assert result.exit_code == cli.INTERRUPTED
    assert "interrupted: this is what was found" in result.stderr
    assert records.load_map("map.json")["interrupted"]


BAD: Sequence[tuple[list[str], str]] = [
    ([], "Missing argument"),
    (["K1/jumps"], "Missing option '--x'"),
    (["K9", "--x", "s"], "no claim is called 'K9'"),
    (["K1", "--x", "s"], "K1 has 2 readings: name one, such as K1/jumps"),
    (["K1/jumps", "--x", "speed"], "has a number called 'speed'"),
    (["K1/jumps", "--x", "s", "--set", "beta"], "--set beta: give NAME=VALUE"),
    (["K1/jumps", "--x", "s", "--set", "beta=two"], "--set beta=two: 'two' is not a finite number"),
    (["K1/jumps", "--x", "s", "--set", "beta=nan"], "is not a finite number"),
    (["K1/jumps", "--x", "s", "--set", "beta=2", "--set", "beta=3"], "beta is given twice"),
    (["K1/jumps", "--x", "s", "--set", "beta=0.5"], "beta=0.5 is refused by every instance"),
    (["K1/jumps", "--x", "s", "--range", "s=1"], "--range s=1: give NAME=LOW:HIGH"),
    (["K1/jumps", "--x", "s", "--range", "s=1:0"], "must run from a smaller number"),
    (["K1/jumps", "--x", "s", "--range", "beta=1:2"], "'beta', which is not swept"),
    (["K1/jumps", "--x", "s", "--judgements", "5"], "judgements=5 cannot decide"),
    (["K1/jumps", "--x", "s", "--out", "map.png"], "--out is map.png: the page is written as .html"),
    (
        ["K1/jumps", "--x", "s", "--set", "beta=2", "--judgements", "50", "--json", "."],
        "--json is ., a directory: name a file",
    ),
]


@pytest.mark.parametrize(("arguments", "says"), BAD)
def test_bad_usage_is_one_sentence_and_64(arguments: list[str], says: str, pack: str) -> None:
    result = run(*arguments, "--pack", pack)
    assert result.exit_code == cli.USAGE, result.output
    assert says in " ".join(result.output.split()).replace(" │ │ ", " ")
    assert "Traceback" not in result.output

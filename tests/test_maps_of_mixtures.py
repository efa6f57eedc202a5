"""Maps of Proposition 1 and of Theorem 3, whose boundaries are derived; parameters of parts that hang together."""

from __future__ import annotations

import math
from typing import Any

import pytest

import verifier as vf
from properties import proposition_1, theorem_3
from verifier.claims import Claim
from verifier.verdicts import mapping
from verifier.verdicts.judge import look
from verifier.verdicts.mapping import FAILS, HOLDS, Boundary, ReadingMap, Unmappable, map_reading
from verifier.verdicts.parameters import moved, numbers_of, paths_of
from verifier.verdicts.search import Case

READINGS: dict[str, Claim] = {
    reading.id: reading for module in (proposition_1, theorem_3) for reading in module.READINGS
}
PURIFIED = vf.Instance(
    vf.Purified(vf.PowerLaw(2.0), 1.5), vf.CarriedFunction(s=0.4, origin=vf.PowerLaw(2.0)), vf.Noise(1.0)
)
MIXED = vf.Instance(
    vf.Mixture((0.5, 0.5), (vf.PowerLaw(3.0), vf.PowerLaw(2.0))), vf.CarriedFunction(s=0.7, origin=vf.PowerLaw(3.0))
)
APART = vf.DisjointMixture((0.5, 0.5), (vf.PowerLaw(3.0), vf.PowerLaw(2.0)))
ON_ONE = vf.Instance(APART, vf.ComponentTarget(s=0.5, mixture=APART))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Violations are confirmed without simulation, which tests/test_mapping.py does in earnest."""
    monkeypatch.setattr(mapping, "confirm", lambda claim, instance, seed: Case(instance, look(claim, instance, seed)))


def mapped(name: str, *, judgements: int = 110, **asked: Any) -> ReadingMap:
    return map_reading(READINGS[name], judgements=judgements, **asked)


def boundary_of(found: ReadingMap, truth: float, width: float) -> Boundary:
    """The only boundary: its interval takes in the truth, and is no wider than ``width``."""
    (boundary,) = found.boundaries
    assert boundary.interval[0] <= truth <= boundary.interval[1], boundary
    assert boundary.interval[1] - boundary.interval[0] < width, boundary
    return boundary


@pytest.mark.thorough
def test_the_function_after_purification_is_rougher_from_one_half_on() -> None:
    found = mapped(
        "P1/function-held-fixed", x="s", ranges={"x": (0.3, 0.9)}, fixed={"sigma": 1.0, "beta": 2.0}, judgements=160
    )
    boundary = boundary_of(found, 0.5, 0.2)
    assert boundary.at == pytest.approx(0.5, abs=0.02)
    assert boundary.holds < boundary.fails


@pytest.mark.parametrize(
    ("name", "s", "fails_above"),
    [
        ("P1/labels-held-fixed", 0.6, True),  # s' = s/q
        ("P1/function-held-fixed", 1.0, True),  # s' = 1/2 + (s - 1/2)/q
        ("P1/function-held-fixed", 0.1, False),
    ],
)
@pytest.mark.thorough
def test_the_power_of_purification_is_an_axis(name: str, s: float, fails_above: bool) -> None:
    """Without purification, q = 1, nothing changes; more redundancy, q < 1, changes the sign of what happens."""
    found = mapped(name, x="power", ranges={"x": (0.85, 1.6)}, fixed={"s": s, "sigma": 1.0, "beta": 2.0})
    boundary = boundary_of(found, 1.0, 0.35)
    assert boundary.at == pytest.approx(1.0, abs=0.05)
    assert (boundary.holds < boundary.fails) == fails_above


@pytest.mark.thorough
def test_no_purification_helps_labels() -> None:
    found = mapped("P1/labels-held-fixed", x="s", judgements=60)
    assert {point.status for point in found.points} == {FAILS}
    assert found.boundaries == ()


@pytest.mark.thorough
def test_the_function_of_one_component_is_smooth_enough_from_one_half_on() -> None:
    found = mapped("T3/function-of-one-component", x="s", ranges={"x": (0.4, 0.6)}, judgements=70)
    boundary = boundary_of(found, 0.5, 0.1)
    assert boundary.fails < boundary.holds


@pytest.mark.thorough
def test_coefficients_of_a_turned_component_lose_beyond_one_half() -> None:
    found = mapped("T3/rotated-coefficients", x="s", ranges={"x": (0.4, 0.7)}, judgements=120)
    boundary = boundary_of(found, 0.5, 0.2)
    assert boundary.holds < boundary.fails


@pytest.mark.thorough
def test_the_component_that_bears_the_function_must_be_steeper_to_lose() -> None:
    """One of two power laws with the other at 2: s' = 1/2 + (s - 1/2) beta_1/2 < s as soon as beta_1 > 2, for s < 1/2."""
    found = map_reading(
        vf.Claim(
            id="M1/component",
            title="t",
            statement="s",
            source="n",
            domain=READINGS["T3/function-of-one-component"].domain.map(lambda _: MIXED),
            predict=lambda i: vf.AtLeast(2.0 * i.s / (2.0 * i.s + 1.0 / i.beta)),
        ),
        x="origin.beta",
        ranges={"x": (1.5, 3.0)},
        fixed={"s": 0.4},
        judgements=60,
    )
    boundary = boundary_of(found, 2.0, 0.5)
    assert boundary.at == pytest.approx(2.0, abs=0.05)
    assert boundary.holds < boundary.fails
    assert boundary.instance is not None
    spectrum: Any = boundary.instance.spectrum
    assert spectrum.components[0].beta == boundary.fails
    assert spectrum.components[1].beta == 2.0


def test_what_fails_beside_a_point_is_tried_at_it() -> None:
    """The lower end is looked at first, before the one violation in many draws is known that is one there too."""
    domain = READINGS["P1/s-held-fixed"].domain
    rare = vf.Claim(
        id="M1/rare",
        title="t",
        statement="s",
        source="n",
        tuning="schedule",
        domain=domain,
        predict=lambda i: vf.Exponent(2.0 * i.s / (2.0 * i.s + 1.0 / i.beta) + 0.1 * (i.sigma == 5.0)),
    )
    found = map_reading(rare, x="s", ranges={"x": (0.2, 0.8)}, judgements=200)
    failing = [point.x for point in found.points if point.status == FAILS]
    holding = [point.x for point in found.points if point.status == HOLDS]
    assert failing
    assert not any(abs(a - b) <= 0.6 / 512 for a in failing for b in holding)


# parameters of parts that hang together


def test_a_part_that_is_written_down_twice_moves_as_one() -> None:
    record = PURIFIED.to_json()
    (path,) = paths_of("beta", record)
    assert path == ("spectrum", "spectrum", "beta")
    both = moved(record, {path: 3.0})
    assert both == vf.Instance(
        vf.Purified(vf.PowerLaw(3.0), 1.5), vf.CarriedFunction(s=0.4, origin=vf.PowerLaw(3.0)), vf.Noise(1.0)
    )
    (same,) = paths_of("origin.beta", record)
    assert moved(record, {same: 3.0}) == both
    (power,) = paths_of("power", record)
    assert moved(record, {power: 1.2}).beta == pytest.approx(2.4)
    (mixed,) = paths_of("components.2.beta", ON_ONE.to_json())
    pair: Any = moved(ON_ONE.to_json(), {mixed: 2.5})
    assert pair.target.mixture == pair.spectrum
    assert [part.beta for part in pair.spectrum.components] == [3.0, 2.5]


def test_beta_of_a_mixture_is_that_of_its_heaviest_component() -> None:
    record = MIXED.to_json()
    (path,) = paths_of("beta", record)
    assert path == ("spectrum", "components", "2", "beta")
    lighter = moved(record, {path: 2.75})
    assert lighter.beta == 2.75
    assert lighter.target == MIXED.target
    with pytest.raises(ValueError, match=r"beta=3\.5 is no longer the heaviest tail"):
        moved(record, {path: 3.5})
    # The other one is moved by its own name, to where it is the heaviest.
    assert moved(record, {("spectrum", "components", "1", "beta"): 1.5}).beta == 1.5


def test_places_in_lists_are_named() -> None:
    numbers = numbers_of(MIXED.to_json())
    assert ("spectrum", "components", "1", "beta") in numbers
    assert all(math.isfinite(value) for value in numbers.values())
    assert paths_of("components.1.beta", MIXED.to_json()) == [("spectrum", "components", "1", "beta")]
    assert paths_of("components.3.beta", MIXED.to_json()) == []
    with pytest.raises(Unmappable, match=r"'scale' could be|has a number called 'scale'"):
        map_reading(READINGS["T3/relative-to-the-mixture"], x="scale")

"""Route B's arithmetic: what finite samples may do to a slope, how many replicates it takes, and what stays undecided."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from verifier.claims import Claim, Exponent
from verifier.instances import CriticalTarget, Instance, Noise, PowerLaw, RademacherDesign, StudentDesign
from verifier.verdicts import reference
from verifier.verdicts.certify import student_quantile
from verifier.verdicts.judge import judge
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE
from verifier.verdicts.reference import (
    FEWEST_REPLICATES,
    MOST_REPLICATES,
    PILOT,
    SAMPLING_TOLERANCE,
    WIDEST,
    finite_size_allowance,
    finite_size_constant,
    needed_replicates,
    needed_size,
)

SMALL: dict[str, Any] = {"sizes": (100, 200)}
COINS = Instance(PowerLaw(1.5), CriticalTarget(0.5), Noise(1.0), RademacherDesign())  # exponent .6


def claim(value: float = 0.6) -> Claim:
    return Claim(
        id="X1",
        title="t",
        statement="s",
        source="n",
        domain=st.just(COINS),
        predict=lambda instance: Exponent(value),
    )


# ------------------------------------------------------------------------------------------------ the allowance


@pytest.mark.parametrize("constant", [4.0, 12.0, 60.0])
@pytest.mark.parametrize("sizes", [(200, 1600), (200, 3200), (50, 100, 1600)])
def test_the_allowance_bounds_what_a_relative_change_of_c_over_n_does_to_a_slope(
    constant: float, sizes: tuple[int, ...]
) -> None:
    """Of a slope between the ends; attained to first order by a change at the first size alone."""
    n = np.array(sizes, dtype=float)
    allowance = finite_size_allowance(constant, sizes)
    assert allowance == pytest.approx(constant / (n[0] * math.log(n[-1] / n[0])))
    span = math.log(n[-1] / n[0])
    # Of one sign, as c/n is: then the change at the last size cancels a part of that at the first.
    for share in (1.0, 0.5, -0.25):
        changed = np.log1p(share * constant / n)
        assert abs(changed[-1] - changed[0]) / span <= allowance
    tiny = np.log1p(1e-6 * constant / n[0]) / span
    assert tiny == pytest.approx(1e-6 * allowance, rel=1e-5)


def test_the_constant_is_the_larger_of_the_equivalents_and_what_an_ingredient_declares() -> None:
    assert finite_size_constant(COINS) == 4.0
    assert finite_size_constant(replace(COINS, noise=Noise(0.0))) == 12.0
    assert finite_size_constant(replace(COINS, design=StudentDesign(dof=5.0))) == 4.0  # declares 3
    assert finite_size_constant(replace(COINS, design=StudentDesign(dof=4.1))) == pytest.approx(30.0)
    assert finite_size_constant(replace(COINS, noise=Noise(0.0), design=StudentDesign(dof=4.5))) == 12.0


@pytest.mark.parametrize("allowance", [0.05, 0.01, 0.0033])
@pytest.mark.parametrize("constant", [0.01, 4.0, 60.0, 3000.0])
def test_the_needed_size_meets_the_allowance_with_two_digits(constant: float, allowance: float) -> None:
    size = needed_size(constant, 8.0, allowance)
    assert finite_size_allowance(constant, (size, 8 * size)) <= allowance * (1.0 + 1e-12)
    assert len(str(size).rstrip("0")) <= 2
    # Rounded up in the second digit, so by a tenth at most.
    assert size <= 1.1 * constant / (allowance * math.log(8.0)) + 1.0


# ------------------------------------------------------------------------------------------------ replicates


@pytest.mark.parametrize("z", [3.5, 4.5, 4.7])
@pytest.mark.parametrize("deviation", [0.0109, 0.014, 0.02, 0.03])
def test_needed_replicates_keep_sampling_within_its_tolerance(deviation: float, z: float) -> None:
    count = needed_replicates(deviation, z, SAMPLING_TOLERANCE)
    width = [student_quantile(z, k) * deviation / math.sqrt(k) for k in (count, count - 1)]
    assert width[0] <= SAMPLING_TOLERANCE
    assert count == FEWEST_REPLICATES or width[1] > SAMPLING_TOLERANCE
    assert needed_replicates(0.0, z, SAMPLING_TOLERANCE) == FEWEST_REPLICATES
    assert needed_replicates(deviation, z, tolerance=0.5) == FEWEST_REPLICATES


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, tuple[Any, ...]]]:
    """Role, replicates and key of every simulated curve."""
    asked: list[tuple[str, int, tuple[Any, ...]]] = []
    simulate = reference.learning_curve

    def watched(instance: Instance, **arguments: Any) -> Any:
        asked.append((arguments["key"][1], arguments["replicates"], arguments["key"]))
        return simulate(instance, **arguments)

    monkeypatch.setattr(reference, "learning_curve", watched)
    return asked


@pytest.mark.thorough
def test_a_pilot_says_how_many_and_is_then_forgotten(curves: list[tuple[str, int, tuple[Any, ...]]]) -> None:
    found = judge(claim(), COINS, seed=3, key=("k",), **SMALL)
    assert [(role, count) for role, count, _ in curves[:1]] == [("pilot", PILOT)]
    assert [role for role, _, _ in curves] == ["pilot", "treated", "reference"]
    count = curves[1][1]
    assert curves[2][1] == count
    assert FEWEST_REPLICATES <= count <= MOST_REPLICATES
    assert len({key for _, _, key in curves}) == 3  # no randomness is shared
    # Told the number at once, the same judgement comes out: nothing of the pilot is in it.
    curves.clear()
    again = judge(claim(), COINS, seed=3, key=("k",), replicates=count, **SMALL)
    assert [role for role, _, _ in curves] == ["treated", "reference"]
    assert (again.verdict, again.exponent, again.tolerance) == (found.verdict, found.exponent, found.tolerance)


@pytest.mark.thorough
def test_a_judgement_that_counts_its_own_replicates_is_repeatable() -> None:
    first = judge(claim(), COINS, seed=3, **SMALL)
    assert first.verdict == CONSISTENT
    assert judge(claim(), COINS, seed=3, **SMALL) == first
    assert judge(claim(), COINS, seed=4, **SMALL).exponent != first.exponent


@pytest.mark.thorough
def test_the_tolerance_is_sampling_plus_the_allowance() -> None:
    found = judge(claim(), COINS, seed=0, replicates=16, **SMALL)
    declared = judge(claim(), replace(COINS, design=Declared(5.0)), seed=0, replicates=16, **SMALL)
    assert found.tolerance is not None
    assert declared.tolerance is not None
    allowance = [finite_size_allowance(constant, SMALL["sizes"]) for constant in (4.0, 5.0)]
    assert declared.tolerance - found.tolerance == pytest.approx(allowance[1] - allowance[0])
    assert declared.exponent == found.exponent


# ------------------------------------------------------------------------------------------------ undecided


@dataclass(frozen=True)
class Declared(RademacherDesign):
    """Signs that declare how much finite samples may matter."""

    finite_size: float = 0.0


@pytest.mark.thorough
def test_a_large_declared_constant_is_undecided_and_the_sample_size_that_would_do_is_said() -> None:
    instance = replace(COINS, design=Declared(400.0))
    for value in (0.6, 9.0):  # whatever is claimed
        found = judge(claim(value), instance, seed=0, replicates=16, **SMALL)
        assert (found.route, found.verdict) == ("B", INCONCLUSIVE)
        assert found.tolerance is not None
        assert found.tolerance > WIDEST
        needed = needed_size(400.0, 2.0, 0.5 * WIDEST)
        assert f"it cannot be decided below n = {needed}" in found.reason
        assert "16 replicates at n = 100 to 200" in found.reason
        assert "from finite samples" in found.reason
    assert finite_size_allowance(400.0, (needed, 2 * needed)) <= 0.5 * WIDEST


def test_too_few_replicates_are_undecided_without_a_word_on_sizes() -> None:
    wide = replace(COINS, design=Declared(0.0))
    found = judge(claim(), wide, seed=0, replicates=3, sizes=(100, 200))
    assert found.verdict == INCONCLUSIVE
    assert "3 replicates at n = 100 to 200 leave the exponent known to +-" in found.reason
    allowance = finite_size_allowance(4.0, (100, 200))
    assert ("cannot be decided below" in found.reason) is (allowance > 0.5 * WIDEST)

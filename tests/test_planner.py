"""Plans: what they say on each route, and that a judgement made as planned notices the margin."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from verifier.claims import AtLeast, Bound, Claim, Exponent, Prediction, StraightLine, Theta
from verifier.instances import (
    CriticalTarget,
    Finite,
    GaussianDesign,
    Instance,
    Noise,
    PowerLaw,
    RademacherDesign,
    StudentDesign,
)
from verifier.risk.observables import EffectiveDimension, ExcessRisk
from verifier.verdicts import planner
from verifier.verdicts.judge import judge
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE
from verifier.verdicts.planner import plan
from verifier.verdicts.reference import WIDEST, finite_size_allowance, finite_size_constant

PLAIN = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0))  # exponent 2/3
COINS = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0), RademacherDesign())


def claim(instance: Instance = PLAIN, prediction: Prediction | None = None, **more: Any) -> Claim:
    return Claim(
        id="P1",
        title="t",
        statement="s",
        source="n",
        domain=st.just(instance),
        predict=lambda drawn: prediction or Exponent(2 / 3),
        **more,
    )


def test_with_an_equivalent_the_answer_is_the_tolerance() -> None:
    (found,) = plan(claim(), margin=0.05)
    assert (found.route, found.decides, found.n, found.replicates) == ("A", True, None, None)
    assert found.instance == PLAIN.describe()
    assert found.tolerance is not None
    assert found.text == f"the exponent is known to +-{found.tolerance:.4f}"
    (sharper,) = plan(claim(), margin=0.9 * found.tolerance)
    assert not sharper.decides
    assert sharper.text.endswith("which is not enough")
    assert plan(claim(), margin=1.1 * found.tolerance)[0].decides


def test_what_the_equivalent_leaves_undecided_is_said() -> None:
    slow = claim(tuning=lambda instance, n: 1e-60 * n**-1.8)  # interpolates at every n that can be reached
    (found,) = plan(slow, margin=0.05)
    assert (found.route, found.decides) == ("A", False)
    assert found.text.startswith("undecided: ")


def test_by_simulation_the_answer_is_sizes_and_replicates() -> None:
    (found,) = plan(claim(), margin=0.01, route="B")
    assert (found.route, found.decides) == ("B", True)
    assert found.n is not None
    assert found.replicates is not None
    first, last = found.n
    assert last == 8 * first
    # A third of the margin for finite samples; a smaller grid would not do.
    constant = finite_size_constant(PLAIN)
    assert finite_size_allowance(constant, (first, last)) <= 0.01 / 3.0
    assert finite_size_allowance(constant, (first - 20, 8 * (first - 20))) > 0.01 / 3.0
    assert found.tolerance == pytest.approx(finite_size_allowance(constant, (200, 1600)))
    for words in (f"n = {first} to {last}", f"{found.replicates} replicates", f"reference: {PLAIN.describe()}"):
        assert words in found.text
    (easier,) = plan(claim(), margin=0.05, route="B")
    assert easier.n == (200, 1600)
    assert easier.replicates is not None
    assert easier.replicates < found.replicates
    assert found.to_json()["n"] == [first, last]
    assert plan(claim(), margin=0.05)[0].to_json()["n"] is None


@pytest.mark.thorough
def test_a_judgement_made_as_planned_notices_the_margin() -> None:
    """And keeps the tolerance within about two thirds of it: a third each for finite samples and for sampling."""
    margin = 0.06
    (found,) = plan(claim(COINS), margin=margin)
    assert found.route == "B"
    assert found.n is not None
    judged = judge(claim(COINS), COINS, sizes=found.n, replicates=found.replicates, seed=1)
    assert judged.verdict == CONSISTENT, judged.reason
    assert judged.exponent is not None
    assert judged.tolerance is not None
    assert judged.tolerance < 2.4 / 3.0 * margin  # the spread of 8 pilot replicates is known to a quarter
    # The tolerance does not depend on the prediction: so much would have been noticed on either side.
    assert margin - abs(judged.exponent - 2 / 3) > judged.tolerance


@pytest.mark.thorough
def test_a_margin_wider_than_any_tolerance_still_gets_a_grid_that_decides() -> None:
    """On the default grid finite samples alone leave more than a tolerance may be, whatever is asked about."""
    heavy = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0), StudentDesign(dof=4.05))
    constant = finite_size_constant(heavy)
    assert constant == pytest.approx(60.0)
    assert finite_size_allowance(constant, (200, 1600)) > WIDEST
    (found,) = plan(claim(heavy), margin=0.5)
    assert found.decides
    assert found.n is not None
    assert finite_size_allowance(constant, found.n) <= 0.5 * WIDEST


@pytest.mark.thorough
def test_what_no_sample_size_decides_is_said() -> None:
    heavy = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0), StudentDesign(dof=4.002))  # c = 1500
    (found,) = plan(claim(heavy), margin=0.01)
    assert (found.route, found.decides) == ("B", False)
    assert found.n is not None
    assert found.n[1] > planner.LARGEST
    assert found.text == (
        f"cannot be decided below n = {found.n[0]}: finite samples alone move the slope by more than a third of 0.01"
    )


def test_without_noise_finite_samples_cost_more() -> None:
    silent = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(0.0), RademacherDesign())
    assert finite_size_constant(silent) == 3.0 * finite_size_constant(COINS)
    (found,) = plan(claim(silent), margin=0.05)
    assert found.decides
    assert found.n == (350, 2800)


@dataclass(frozen=True)
class NoPlain(GaussianDesign):
    """Its own reference, without an equivalent."""

    equivalent = False


OBSTACLES = [
    pytest.param(claim(COINS, Theta(2 / 3)), "cannot decide", id="an order"),
    pytest.param(claim(COINS, StraightLine(2 / 3)), "cannot decide", id="a straight line"),
    pytest.param(claim(COINS, observable=EffectiveDimension()), "cannot decide", id="no risk"),
    pytest.param(
        claim(Instance(Finite((1.0, 0.5)), design=RademacherDesign())), "no theorem gives the exponent", id="no theorem"
    ),
    pytest.param(claim(Instance(PowerLaw(2.0), design=NoPlain())), "needs an attribute 'plain'", id="no reference"),
]


@pytest.mark.parametrize(("asked", "why"), OBSTACLES)
def test_plans_and_judgements_agree_on_what_simulation_cannot_decide(asked: Claim, why: str) -> None:
    (found,) = plan(asked, margin=0.05, route="B")
    assert (found.route, found.decides, found.n) == ("B", False, None)
    assert why in found.text
    (instance,) = planner.draw(asked.domain, 1, 0)
    judged = judge(asked, instance, route="B", sizes=(100, 200), replicates=4)
    assert judged.verdict == INCONCLUSIVE
    assert why in judged.reason


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan"), float("inf"), 10.0])
def test_a_margin_is_the_error_of_an_exponent(margin: float) -> None:
    with pytest.raises(ValueError, match=r"margin=.* for example 0\.05"):
        plan(claim(), margin=margin)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ValueError, match="route='C' must be 'A'"):
        plan(claim(), margin=0.05, route="C")
    with pytest.raises(ValueError, match="claim P1 is about a bound"):
        plan(claim(prediction=Bound(1.0)), margin=0.05)
    with pytest.raises(ValueError, match="claim P1 is decided by an argument"):
        plan(claim(proof=lambda seed: pytest.fail("a plan proves nothing")), margin=0.05)

    def never(instance: Instance) -> bool:
        return False

    with pytest.raises(ValueError, match="no instance that was drawn meets the hypotheses of claim P1"):
        plan(claim(hypotheses=(never,)), margin=0.05)


@dataclass(frozen=True)
class Ruler(ExcessRisk):
    """Measured with a half-width, the wider one in a confirmation; with nothing measured on request."""

    half_width: float = 0.02
    absent: str = ""

    def measure(self, instance: Instance, *, key: tuple[str | int, ...], z: float, farther: bool) -> Any:
        width = self.half_width * (1.5 if farther else 1.0)
        return SimpleNamespace(value=2 / 3, half_width=width, reason="the window holds one point")

    def missing(self) -> str:
        return self.absent


def test_what_is_measured_is_planned_by_its_interval() -> None:
    """Not by a grid of sample sizes, on either route; what is in the way is said."""
    (found,) = plan(claim(observable=Ruler()), margin=0.05, instances=1)
    assert (found.route, found.decides, found.n, found.replicates) == ("B", True, None, None)
    assert found.tolerance == pytest.approx(0.03)
    assert found.text == "it is measured to +-0.0200 in a search and to +-0.0300 in a confirmation"
    (narrow,) = plan(claim(observable=Ruler()), margin=0.025, instances=1)
    assert not narrow.decides
    assert narrow.text.endswith("which is not enough")
    (nothing,) = plan(claim(observable=Ruler(half_width=0.0)), margin=0.05, instances=1)
    assert (nothing.decides, nothing.text) == (False, "undecided: the window holds one point")
    with pytest.raises(ValueError, match="claim P1 cannot be planned for: jax is not installed"):
        plan(claim(observable=Ruler(absent="jax is not installed")), margin=0.05)


def test_plans_are_repeatable_and_as_many_as_asked_for() -> None:
    spread = Claim(
        id="P1",
        title="t",
        statement="s",
        source="n",
        domain=st.floats(1.5, 3.0).map(lambda beta: Instance(PowerLaw(beta))),
        predict=lambda instance: AtLeast(0.3),
    )
    names = [[item.instance for item in plan(spread, margin=0.05, instances=3, seed=seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == 3

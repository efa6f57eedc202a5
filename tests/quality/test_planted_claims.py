"""Planted claims: false exponents are found and shrunk to something small, true ones never raise an alarm.

The claims are about the domains of the paper's own strategies. Each formula is one that a reader could take for the
right one; the corner is right on nine tenths of the domain.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis.strategies import SearchStrategy

from properties.hypotheses import alpha
from properties.strategies import assumption_r_spectra, hardest_targets, instances, noises, single_targets, smoothness
from verifier.claims import AtLeast, Claim, Exponent, Prediction, Theta
from verifier.instances import CriticalTarget, Instance, Noise, PowerLaw
from verifier.risk.asymptotics import theorem_exponent
from verifier.verdicts.falsify import FALSIFIED, SURVIVED, falsify
from verifier.verdicts.judgement import VIOLATED
from verifier.verdicts.search import Budget

SEEDS = (0, 1, 2)


def truth(tuning: str) -> Callable[[Instance], float]:
    def value(instance: Instance) -> float:
        exponent = theorem_exponent(instance, tuning)
        assert exponent is not None
        return exponent

    return value


def planted(
    predict: Callable[[Instance], Prediction], domain: SearchStrategy[Instance], tuning: str = "optimal"
) -> Claim:
    return Claim(
        id="X1/planted",
        title="planted",
        statement="a planted statement",
        source="here",
        domain=domain,
        predict=predict,
        tuning=tuning,
    )


def everything(noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Every spectrum of Assumption R, every target, every s."""
    return instances(
        assumption_r_spectra(),
        single_targets(smoothness()) | hardest_targets(smoothness(), ("S-L2", "S-tail", "S-H")),
        noise,
    )


def critical(high: float, low: float = 0.05) -> SearchStrategy[Instance]:
    """Critical targets with noise."""
    return instances(assumption_r_spectra(), hardest_targets(smoothness(low, high), ("S-tail",)), noises(silent=False))


def in_the_corner(instance: Instance) -> Exponent:
    """Right, except for s > 0.9."""
    return Exponent(alpha(instance) + (0.1 if instance.s > 0.9 else 0.0))


tuned = truth("optimal")
FALSE: dict[str, Claim] = {
    "alpha + 0.1": planted(lambda i: Exponent(alpha(i) + 0.1), critical(1.0)),
    "alpha - 0.1": planted(lambda i: Exponent(alpha(i) - 0.1), critical(1.0)),
    "any theorem + 0.1": planted(lambda i: Exponent(tuned(i) + 0.1), everything(noises(silent=False))),
    "s/(s + 1/beta)": planted(lambda i: Exponent(i.s / (i.s + 1.0 / i.beta)), critical(1.0)),
    "2s/(2s + beta)": planted(lambda i: Exponent(2.0 * i.s / (2.0 * i.s + i.beta)), critical(1.0)),
    "at least s/(s + 1/beta) + 0.3": planted(lambda i: AtLeast(i.s / (i.s + 1.0 / i.beta) + 0.3), critical(1.0)),
    "saturation ignored": planted(lambda i: AtLeast(alpha(i)), critical(3.0)),
    "saturation ignored, schedule": planted(lambda i: AtLeast(alpha(i)), critical(3.0), "schedule"),
    "noise ignored": planted(lambda i: Exponent(2.0 * i.beta * min(i.s, 1.0)), critical(1.0)),
    "wrong in a corner": planted(in_the_corner, critical(1.0)),
}


def unusual(instance: Instance) -> list[Any]:
    """The parameters that a reader has to take in: those that are not of the plain instance."""
    plain = Instance(PowerLaw(2.0), CriticalTarget(1.0), Noise(1.0))
    found: list[Any] = []
    for part, default in (
        (instance.spectrum, plain.spectrum),
        (instance.target, plain.target),
        (instance.noise, plain.noise),
    ):
        assert dataclasses.is_dataclass(part)
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if value != getattr(default, field.name, field.default):
                found.append(value)
    return found


@pytest.mark.parametrize("name", FALSE)
def test_false_claims_are_falsified_by_something_small(name: str) -> None:
    found = falsify(FALSE[name], budget=Budget(examples=30), seed=0)
    assert found.verdict == FALSIFIED, found.message
    assert found.minimal is not None
    assert found.worst is not None
    assert found.minimal.judgement.verdict == found.worst.judgement.verdict == VIOLATED
    assert found.minimal.judgement.certification is not None
    assert found.minimal.judgement.certification.agrees
    minimal = unusual(found.minimal.instance)
    assert len(minimal) <= 3
    assert all(isinstance(value, str) or float(f"{value:.2g}") == value for value in minimal)


@pytest.mark.thorough
def test_a_corner_is_met_where_it_is() -> None:
    for seed in SEEDS[1:]:
        found = falsify(FALSE["wrong in a corner"], budget=Budget(examples=30), seed=seed)
        assert found.minimal is not None
        assert found.minimal.instance == Instance(PowerLaw(2.0), CriticalTarget(1.0), Noise(1.0))
        assert all(instance.s > 0.9 for instance, judged in found.judged if judged.verdict == VIOLATED)
        assert any(instance.s <= 0.9 for instance, judged in found.judged)


def test_saturation_is_met_at_the_simplest_number_above_one() -> None:
    found = falsify(FALSE["saturation ignored"], budget=Budget(examples=40), seed=0)
    assert found.minimal is not None
    assert found.minimal.instance == Instance(PowerLaw(2.0), CriticalTarget(2.0), Noise(1.0))
    assert all(instance.s > 1.0 for instance, judged in found.judged if judged.verdict == VIOLATED)


TRUE: dict[str, Claim] = {
    f"{tuning}, {word}": planted((lambda value: lambda i: Exponent(value(i)))(truth(tuning)), everything(noise), tuning)
    for tuning in ("optimal", "schedule")
    for word, noise in (("noisy", noises(silent=False)), ("noiseless", noises(noisy=False)))
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TRUE)
def test_true_claims_never_raise_an_alarm(name: str, seed: int) -> None:
    found = falsify(TRUE[name], budget=Budget(examples=12), seed=seed)
    assert found.counts.violated == 0
    assert found.verdict == SURVIVED, found.message
    assert found.power is not None
    assert found.power.at["0.1"] > 0.5


def test_a_true_order_never_raises_an_alarm() -> None:
    order: Any = planted(lambda i: Theta(alpha(i)), critical(0.95), "schedule")
    for seed in SEEDS[:2]:
        found = falsify(order, budget=Budget(examples=12), seed=seed)
        assert found.counts.violated == 0
        assert found.verdict == SURVIVED, found.message

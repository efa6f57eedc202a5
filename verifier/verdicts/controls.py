"""Controls: claims whose truth is known, drawn afresh in every audit and judged by the machinery under audit.

True controls claim the exponent that a theorem gives (:mod:`verifier.risk.asymptotics`). False controls claim exponents
that a careless reader could take for it: alpha + 0.1, a factor 2 dropped, beta in the place of 1/beta. A control that comes out
wrong means that no verdict of the audit can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from verifier.claims import Claim, Exponent, Prediction
from verifier.instances import CriticalTarget, Instance, Noise, PowerLaw
from verifier.risk.asymptotics import theorem_exponent
from verifier.verdicts.falsify import ERROR, FALSIFIED, SURVIVED, falsify
from verifier.verdicts.search import Budget

EXAMPLES = 12


def _exponent(instance: Instance) -> float:
    value = theorem_exponent(instance, "optimal")
    assert value is not None
    return value


FALSE: dict[str, Callable[[Instance], Prediction]] = {
    "alpha-plus-a-tenth": lambda i: Exponent(_exponent(i) + 0.1),
    "a-two-dropped": lambda i: Exponent(i.s / (i.s + 1.0 / i.beta)),
    "beta-for-its-inverse": lambda i: Exponent(2.0 * i.s / (2.0 * i.s + i.beta)),
}


def controls(seed: int) -> tuple[tuple[Claim, bool], ...]:
    """The controls of the audit with this seed: pairs of a claim and whether it is true."""
    # The numbers are drawn by the search from the audit's seed; the grids leave out where two formulas coincide.
    noise = st.sampled_from([0.5, 1.0, 2.0]).map(lambda sigma: Noise(sigma=sigma))
    parts = st.tuples(st.sampled_from([1.3, 1.5, 2.0, 3.0]), st.sampled_from([0.3, 0.4, 0.5, 0.7]), noise)
    domain = parts.map(lambda p: Instance(PowerLaw(beta=p[0]), CriticalTarget(s=p[1]), p[2]))

    def control(name: str, predict: Callable[[Instance], Prediction], truth: bool) -> tuple[Claim, bool]:
        return (
            Claim(
                id=f"control/{name}",
                title=f"control, known to be {'true' if truth else 'false'}: {name.replace('-', ' ')}",
                statement="the oracle's risk of a critical target on a power law with noise has this exponent",
                source="Caponnetto and De Vito 2007",
                domain=domain,
                predict=predict,
                expected=SURVIVED if truth else FALSIFIED,
            ),
            truth,
        )

    true = control("theorem", lambda i: Exponent(_exponent(i)), True)
    return (true, *(control(name, predict, False) for name, predict in FALSE.items()))


def run_control(name: str, seed: int) -> dict[str, Any]:
    """Judge one control and record whether it came out right."""
    claim, truth = next(pair for pair in controls(seed) if pair[0].id == name)
    finding = falsify(claim, budget=Budget(examples=EXAMPLES), seed=seed)
    return {
        "id": claim.id,
        "truth": "true" if truth else "false",
        "verdict": finding.verdict,
        "right": finding.verdict == claim.expected,
        "text": claim.title,
        "confirmations": finding.confirmations,
    }


def failed_control(name: str, seed: int, message: str) -> dict[str, Any]:
    """The record of a control that could not be judged, with the reason: it is not right."""
    truth = next(truth for claim, truth in controls(seed) if claim.id == name)
    return {
        "id": name,
        "truth": "true" if truth else "false",
        "verdict": ERROR,
        "right": False,
        "text": message,
        "confirmations": 0,
    }

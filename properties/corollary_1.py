r"""Corollary 1: alpha = 2s / (2s + 1/beta) increases strictly in beta, with its limits. Algebra: proved, not sampled."""

from __future__ import annotations

from collections.abc import Callable

from properties.hypotheses import alpha
from properties.strategies import instances, power_laws
from verifier.claims import Exponent, Proof, Reading
from verifier.testing import check
from verifier.verdicts import proofs

SOURCE = "Corollary 1, section 2; derivative in appendix A.4"
domain = instances(power_laws())


def _reading(name: str, title: str, latex: str, proof: Callable[[], Proof], note: str = "") -> Reading:
    return Reading(
        id=f"C1/{name}",
        title=title,
        statement=f"For all s > 0, {title}.",
        latex=latex,
        source=SOURCE,
        domain=domain,
        predict=lambda instance: Exponent(alpha(instance)),
        prediction="exact",
        proof=proof,
        expected="SURVIVED",
        note=note,
    )


READINGS = (
    _reading(
        "increasing",
        "alpha is strictly increasing in beta, hence strictly decreasing in the redundancy index 1/beta",
        r"\frac{\partial \alpha}{\partial \beta} > 0",
        proofs.corollary_1_increasing,
    ),
    _reading(
        "limit-infinity",
        "alpha -> 1 as beta -> infinity",
        r"\lim_{\beta \to \infty} \alpha = 1",
        proofs.corollary_1_limit_infinity,
    ),
    _reading(
        "limit-one",
        "alpha -> 2s / (2s + 1) as beta -> 1+",
        r"\lim_{\beta \to 1^+} \alpha = \frac{2s}{2s + 1}",
        proofs.corollary_1_limit_one,
        "Heavy redundancy read as the edge of summability, beta -> 1.",
    ),
    _reading(
        "limit-zero",
        "alpha -> 0 as beta -> 0+",
        r"\lim_{\beta \to 0^+} \alpha = 0",
        proofs.corollary_1_limit_zero,
        "Heavy redundancy read as beta -> 0, outside the trace class: a statement about the formula only.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

r"""Lemma 5: if |K_m - K| <= eps in operator norm and K has tail index beta, then so has K_m, for all sufficiently large i.

By Weyl |l_i(K_m) - l_i(K)| <= eps, which says something where l_i(K) > eps, so for i up to the order eps^(-1/beta): for small i,
not for large ones. Readings: as stated, where any approximation of finite rank is a counterexample, however small eps is; for
i <= eps^(-1/beta), where the truncation of K just before that index still has the eigenvalue zero at it; and with a constant
before eps^(-1/beta), where Weyl's inequality gives both bounds with explicit constants.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from properties.strategies import betas, plain_instances, power_laws
from verifier.claims import Exponent, Reading, Theta
from verifier.instances import Instance, PowerLaw, Spectrum, Spiked, Truncated
from verifier.risk.observables import EffectiveDimension
from verifier.testing import check
from verifier.verdicts import proofs

SOURCE = "Lemma 5, appendix A.10"
LATEX = r"\|K_m - K\| \le \varepsilon \;\Rightarrow\; c_1 i^{-\beta} \le \lambda_i(K_m) \le c_2 i^{-\beta}"
EPSILON = 0.5
"""Of the as-stated reading: half of the largest eigenvalue of K = diag(i^-beta)."""


def perturbed_kernels() -> st.SearchStrategy[Spectrum]:
    """K = diag(i^-beta) itself, K with some leading eigenvalues raised, and K cut to finite rank."""
    laws = betas().map(PowerLaw)
    raised = st.builds(
        Spiked, beta=betas(), spikes=st.sampled_from([1, 2, 3, 10, 30]), height=st.sampled_from([1.5, 1.2, 1.1])
    )
    cut = st.builds(Truncated, spectrum=laws, size=st.sampled_from([1, 2, 3, 5, 10, 30, 100, 1000]))
    return st.one_of(laws, raised, cut)


def distance(instance: Instance) -> float:
    """|K_m - K|, K = diag(i^-beta) and K_m the diagonal of the spectrum: the largest difference of eigenvalues."""
    spectrum = instance.spectrum
    last = int(min(spectrum.size, 4096.0))
    x = np.log(np.arange(1.0, last + 1.0))
    left_out = (spectrum.size + 1.0) ** -instance.beta if math.isfinite(spectrum.size) else 0.0
    return max(left_out, float(np.max(np.abs(np.exp(spectrum.log_eigenvalues(x)) - np.exp(-instance.beta * x)))))


def within_epsilon(instance: Instance) -> bool:
    """|K_m - K| <= eps = 1/2 for K = diag(i^-beta)."""
    return distance(instance) <= EPSILON


READINGS = (
    Reading(
        id="L5/as-stated",
        title="an operator within eps of K has the tail index of K",
        statement="For K = diag(i^-beta) and |K_m - K| <= 1/2, N(lambda) of K_m times lambda^(1/beta) stays between two positive "
        "constants as lambda -> 0.",
        latex=LATEX + r" \text{ for all large } i",
        source=SOURCE,
        hypotheses=(within_epsilon,),
        domain=plain_instances(perturbed_kernels()),
        observable=EffectiveDimension(),
        predict=lambda instance: Theta(-1.0 / instance.beta),
        prediction="N(lambda) lambda^(1/beta) of K_m bounded above and below",
        expected="FALSIFIED",
        note="The tail index is read as the growth of the effective dimension, as in Lemma 1. Cut at rank m, K_m is within "
        "(m + 1)^-beta of K: no smaller eps helps. The proof calls the perturbation subdominant for large i; it is so for small i.",
    ),
    Reading(
        id="L5/up-to-eps",
        title="l_i(K_m) >= c i^-beta for all i <= eps^(-1/beta), with a constant c > 0",
        statement="There is c > 0 such that for all K_m with |K_m - K| <= eps, K = diag(i^-beta), and all i <= eps^(-1/beta), "
        "l_i(K_m) >= c i^-beta.",
        latex=LATEX + r", \quad i \le \varepsilon^{-1/\beta}",
        source=SOURCE + "; restricted to where the perturbation is below the eigenvalue",
        domain=plain_instances(power_laws()),
        observable=EffectiveDimension(),
        predict=lambda instance: Exponent(-1.0 / instance.beta),
        prediction="exact",
        proof=proofs.eigenvalues_up_to_the_perturbation,
        expected="FALSIFIED",
        note="The restriction is the right one up to its constant.",
    ),
    Reading(
        id="L5/above-the-perturbation",
        title="l_i(K_m) lies between (c1/2) i^-beta and (c2 + c1/2) i^-beta for all i <= (c1/(2 eps))^(1/beta)",
        statement="If c1 i^-beta <= l_i(K) <= c2 i^-beta for all i and |K_m - K| <= eps, then (c1/2) i^-beta <= l_i(K_m) <= "
        "(c2 + c1/2) i^-beta for all i <= (c1/(2 eps))^(1/beta).",
        latex=r"\tfrac{c_1}{2} i^{-\beta} \le \lambda_i(K_m) \le (c_2 + \tfrac{c_1}{2}) i^{-\beta}, \quad "
        r"i \le (c_1 / 2\varepsilon)^{1/\beta}",
        source=SOURCE + "; in its repairable form",
        domain=plain_instances(power_laws()),
        observable=EffectiveDimension(),
        predict=lambda instance: Exponent(-1.0 / instance.beta),
        prediction="exact",
        proof=proofs.eigenvalues_above_a_perturbation,
        expected="SURVIVED",
        note="Weyl's inequality, with explicit constants, for every self-adjoint K_m whatever its eigenvectors.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

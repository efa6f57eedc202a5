r"""Theorem 5 for random Fourier features on the torus: m = c n^q drawn frequencies keep the exponent alpha once q >= q*.

The proposition speaks of "random features" and names no degree. On the torus the features that are meant most often, cosines and
sines of frequencies drawn from the kernel's spectral measure (Rahimi and Recht 2007), have the kernel's eigenfunctions. Frequency k
is drawn a Poisson number M_k of times, of mean m p_k, p_k ~ k^-beta; the regression is one with the eigenvalues M_k/m
(:mod:`verifier.risk.fourier`). With c = kappa m, at s <= 1:

* c >> 1: the frequencies with l_k >= kappa are drawn many times each, M_k/(M_k + c) is about l_k/(l_k + kappa): bias and variance
  are the kernel's, kappa^2s and N(kappa)/n.
* c << 1: about m^(1/beta) frequencies were drawn at all. All of them are learnt: variance m^(1/beta)/n, whatever kappa. What was
  not drawn is lost, :math:`\sum_k f_k^2 e^{-m p_k} \asymp m^{-2s}`, and the rest of the bias, :math:`c^2 m^{-2s}` (a logarithm at
  s = 1), is less.

Write p = 1/(2s + 1/beta), so that kappa = n^-p is the best ridge of the kernel, alpha = 2 s p = 1 - p/beta. For q >= p the ridge
n^-p has c >= 1, the risk is of the order n^-alpha, and the lost energy n^(-2 s q) no larger; no smaller ridge helps, as the
variance m^(1/beta)/n has the exponent 1 - q/beta <= alpha. For q < p the lost energy has the smallest exponent at every ridge,
2 s q < alpha < 1 - q/beta. So q* = p, and the exponent is min(alpha, 2 s q), with the best ridge as with the scheduled one, at
which c = n^(q - p).

Drawing by p_k, not by the share l_k/(l_k + lambda) of a frequency in the effective dimension, costs a power: q* is beta times the
degree p/beta of N(lambda_n), and more than Gaussian features need, max(p/beta, 1 - p), wherever p > 1/2. Rudi and Rosasco (2017,
Theorem 3) ask for (1 + (2s - 1)/beta) p for s >= 1/2 and any bounded features: sharp at s = 1/2 here, more than is needed beyond.

For s > 1, where ridge regression on the kernel saturates at 2/(2 + 1/beta), few frequencies do better: they are learnt without a
ridge. The exponent is min(2 s q, max(1 - q/beta, 2/(2 + 1/beta))), which at q = p is 2s/(2s + 1/beta).
"""

from __future__ import annotations

from functools import partial

from properties import theorem_5
from properties.hypotheses import alpha, assumption_r, critical_degree, degree, noisy_labels
from properties.strategies import power_tails, smoothness
from properties.strategies.features import critical_instances
from properties.strategies.fourier import (
    NEAR_CRITICAL,
    at_the_frequency_degree,
    critical_degree_of_frequencies,
    finitely_many_frequencies,
    with_frequencies,
)
from properties.theorem_5 import at_least, degree_of_rudi_and_rosasco, exactly
from verifier.claims import Exponent, Reading
from verifier.instances import Instance
from verifier.testing import check

reading = partial(theorem_5.reading, features="random Fourier features on the torus")


def above_the_critical_degree(instance: Instance) -> bool:
    """q >= q* + .1, q* = 1/(2s + 1/beta)."""
    return degree(instance) >= critical_degree_of_frequencies(instance) + NEAR_CRITICAL


def away_from_the_critical_degree(instance: Instance) -> bool:
    """|q - q*| >= .1, q* = 1/(2s + 1/beta): closer, two powers of n differ by too little for either to lead."""
    return abs(degree(instance) - critical_degree_of_frequencies(instance)) >= NEAR_CRITICAL


def at_every_degree(instance: Instance) -> Exponent:
    """alpha, or 2 s q where that is smaller (s <= 1)."""
    return Exponent(min(alpha(instance), 2.0 * instance.s * degree(instance)))


def away_from_both_degrees(instance: Instance) -> bool:
    """q differs by .1 or more from 1/(2s + 1/beta), and from 1/(2 + 1/beta), beyond which the ridge of the kernel is the best."""
    saturated = 1.0 / (2.0 + 1.0 / instance.beta)
    return away_from_the_critical_degree(instance) and abs(degree(instance) - saturated) >= NEAR_CRITICAL


def width_grows_fast_enough(instance: Instance) -> bool:
    """q >= 1/4: a slower width is still on its way between two regimes at every n that can be reached."""
    return degree(instance) >= 0.25


def beyond_saturation(instance: Instance) -> Exponent:
    """min(2 s q, max(1 - q/beta, 2/(2 + 1/beta))), for s > 1."""
    q, inverse = degree(instance), 1.0 / instance.beta
    return Exponent(min(2.0 * instance.s * q, max(1.0 - q * inverse, 2.0 / (2.0 + inverse))))


def none(instance: Instance) -> Exponent:
    """0: the risk does not fall."""
    return Exponent(0.0)


def finitely_many(instance: Instance) -> bool:
    """The number of frequencies does not depend on n."""
    return not instance.features.grows


READINGS = (
    reading(
        "fourier-above-the-critical-degree",
        "with the oracle's ridge m = c n^q frequencies keep the exponent alpha for q above 1/(2s + 1/beta)",
        hypotheses=(assumption_r, noisy_labels, above_the_critical_degree),
        domain=with_frequencies(critical_instances(spectra=power_tails())).filter(above_the_critical_degree),
        predict=exactly,
        expected="SURVIVED",
        note="The degree of 1/lambda_n: every frequency that counts must be drawn. q >= q* + .1.",
    ),
    reading(
        "fourier-every-degree",
        "with the oracle's ridge the risk is at most of the order n^-alpha for m = c n^q frequencies, whatever q > 0",
        domain=with_frequencies(critical_instances()),
        predict=at_least,
        expected="FALSIFIED",
        note="Frequencies that are not drawn are lost, and with them m^-2s of the target.",
    ),
    reading(
        "fourier-exponent-by-degree",
        "with the oracle's ridge the exponent is min(alpha, 2 s q) for m = c n^q frequencies",
        hypotheses=(assumption_r, noisy_labels, away_from_the_critical_degree),
        domain=with_frequencies(critical_instances()).filter(away_from_the_critical_degree),
        predict=at_every_degree,
        prediction="exponent = min(2s/(2s + 1/beta), 2 s q)",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha,\, 2sq)}",
        expected="SURVIVED",
        note="Below q* the energy of the frequencies that were not drawn; |q - q*| >= .1.",
    ),
    reading(
        "fourier-gaussian-degree",
        "with the oracle's ridge the risk is at most of the order n^-alpha where Gaussian features would do, "
        "q = max(p/beta, 1 - p), p = 1/(2s + 1/beta)",
        domain=at_the_frequency_degree(critical_instances(), critical_degree),
        predict=at_least,
        expected="FALSIFIED",
        note="Gaussian features mix all eigenfunctions, and hold as many directions as there are features; of m drawn frequencies "
        "only m^(1/beta) are different ones. More are needed wherever p > 1/2.",
    ),
    reading(
        "fourier-rudi-rosasco-degree",
        "with the scheduled ridge the risk is at most of the order n^-alpha for the degree of Rudi and Rosasco, 1/2 <= s <= 1",
        tuning="schedule",
        domain=at_the_frequency_degree(critical_instances(smoothness(0.5, 1.0)), degree_of_rudi_and_rosasco),
        predict=at_least,
        expected="SURVIVED",
        note="q = (1 + (2s - 1)/beta)/(2s + 1/beta), sufficient for any bounded features; equal to q* at s = 1/2.",
    ),
    reading(
        "fourier-fixed",
        "with the oracle's ridge a fixed number of frequencies leaves the risk at most of the order n^-alpha",
        domain=finitely_many_frequencies(critical_instances()),
        predict=at_least,
        expected="FALSIFIED",
        note="'Finite width changes constants, not the exponent': m frequencies miss m^-2s of the target, at every n.",
    ),
    reading(
        "fourier-fixed-floor",
        "with the oracle's ridge the risk of a fixed number of frequencies has the exponent 0",
        hypotheses=(assumption_r, noisy_labels, finitely_many),
        domain=finitely_many_frequencies(critical_instances()).filter(finitely_many),
        predict=none,
        prediction="exponent = 0",
        latex=r"m \text{ fixed} \;\Rightarrow\; \mathcal{E}(n) \sim n^0",
        expected="SURVIVED",
        note="The floor is the energy of the frequencies that were not drawn.",
    ),
    reading(
        "fourier-beyond-saturation",
        "for 1 < s <= 2 and the oracle's ridge m = c n^q frequencies have the exponent min(2 s q, max(1 - q/beta, 2/(2 + 1/beta)))",
        hypotheses=(assumption_r, noisy_labels, away_from_both_degrees, width_grows_fast_enough),
        domain=with_frequencies(critical_instances(smoothness(1.1, 2.0)))
        .filter(away_from_both_degrees)
        .filter(width_grows_fast_enough),
        predict=beyond_saturation,
        prediction="exponent = min(2 s q, max(1 - q/beta, 2/(2 + 1/beta)))",
        latex=r"\mathcal{E}(n) \sim n^{-\min(2sq,\, \max(1 - q/\beta,\, 2/(2 + 1/\beta)))}",
        statement="For critical targets, 1 < s <= 2, with label noise and random Fourier features on the torus, with the oracle's "
        "ridge the exponent is min(2 s q, max(1 - q/beta, 2/(2 + 1/beta))) for m = c n^q frequencies.",
        expected="SURVIVED",
        note="Ridge regression on the kernel saturates at 2/(2 + 1/beta); few frequencies are learnt without a ridge. q >= 1/4.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

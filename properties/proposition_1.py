r"""Proposition 1: redundancy reduction, a tail index beta' > beta, makes the exponent alpha larger.

Redundancy is reduced by an operation on the data, x' = Sigma^((q-1)/2) x with q > 1 (verifier/instances/purification.py), so that
beta' = q beta. Three things can be held fixed. With f_i^2 ~ i^-(2 beta' s' + 1) after the operation, the tuned exponent is
2 t/(2 t + 1), t = beta' min(s', 1), and before it t = beta min(s, 1):

* *s*, relative to the covariance of the moment: s' = s, t = q beta s. A larger exponent, as the paper says; but another target.
* *The labels*, so the coefficients in L2 (what an operation on the data does): s' = s/q, t = beta min(s, q). For s <= 1 nothing
  changes, whatever q: the exponent depends on the product beta s only. For s > 1 purification lifts saturation, up to q = s.
* *The function* <theta, .>, its labels on the new inputs being others: s' = 1/2 + (s - 1/2)/q, beta' s' = beta s + (q - 1) beta/2.
  The exponent grows, since the new inputs show less of the function; by more than the paper says for s < 1/2, by less for
  1/2 < s <= 1.
"""

from __future__ import annotations

from typing import Any

from properties.hypotheses import alpha, assumption_r, noisy_labels
from properties.strategies import noises, smoothness
from properties.strategies.purification import (
    with_coefficients_held_fixed,
    with_function_held_fixed,
    with_s_held_fixed,
)
from verifier.claims import AtLeast, Exponent, Reading
from verifier.instances import Instance, Purified
from verifier.testing import check

SOURCE = "Proposition 1, section 3; proof in appendix A.7"
LATEX = r"\beta' > \beta \;\Rightarrow\; \alpha' = \frac{2s}{2s + 1/\beta'} > \alpha = \frac{2s}{2s + 1/\beta}"

up_to_1, up_to_half, above_1 = smoothness(0.05, 1.0), smoothness(0.05, 0.5), smoothness(1.1, 3.0)
noise = noises(silent=False)


def exactly(instance: Instance) -> Exponent:
    """The exponent is alpha', with the tail index after the operation."""
    return Exponent(alpha(instance))


def at_least(instance: Instance) -> AtLeast:
    """The risk is at most of the order n^-alpha'."""
    return AtLeast(alpha(instance))


def as_before(instance: Instance) -> Exponent:
    """The exponent is alpha, with the tail index before the operation."""
    return Exponent(_alpha_before(instance))


def no_worse(instance: Instance) -> AtLeast:
    """The risk is at most of the order n^-alpha, with the tail index before the operation."""
    return AtLeast(_alpha_before(instance))


def saturation_lifted(instance: Instance) -> Exponent:
    """2t/(2t + 1) with t = beta min(s, q)."""
    purified = _purified(instance)
    double = 2.0 * instance.beta / purified.power * min(instance.s, purified.power)
    return Exponent(double / (double + 1.0))


def _alpha_before(instance: Instance) -> float:
    return 2.0 * instance.s / (2.0 * instance.s + _purified(instance).power / instance.beta)


def _purified(instance: Instance) -> Purified:
    assert isinstance(instance.spectrum, Purified), instance.spectrum
    return instance.spectrum


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Proposition 1, with noise, under the oracle's ridge."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"Under Assumption R, after redundancy reduction, {title}.",
    }
    return Reading(id=f"P1/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "s-held-fixed",
        "the critical target of the same index s has the exponent alpha' > alpha, for s <= 1",
        domain=with_s_held_fixed(up_to_1, noise),
        predict=exactly,
        prediction="exponent = 2s/(2s + 1/beta')",
        expected="SURVIVED",
        note="Theorem 1 at beta'; that alpha' > alpha is Corollary 1. The target is another one after than before.",
    ),
    reading(
        "labels-held-fixed",
        "the risk for the same labels is at most of the order n^-alpha', for s <= 1",
        domain=with_coefficients_held_fixed(up_to_1, noise),
        predict=at_least,
        prediction="exponent >= 2s/(2s + 1/beta')",
        expected="FALSIFIED",
        note="Spectral purification as an operation on data. The coefficients in L2 are what they were, and relative to the new "
        "covariance their index is s beta/beta'.",
    ),
    reading(
        "labels-held-fixed-nothing-gained",
        "the exponent for the same labels is what it was before, for s <= 1",
        domain=with_coefficients_held_fixed(up_to_1, noise),
        predict=as_before,
        prediction="exponent = 2s/(2s + 1/beta), beta before",
        latex=r"\beta' s' = \beta s \;\Rightarrow\; \alpha' = \alpha",
        expected="SURVIVED",
        note="The opposite of the proposition: no amount of purification changes the exponent. Li and Lin (2024), Example 2.1.",
    ),
    reading(
        "labels-held-fixed-beyond-saturation",
        "the exponent for the same labels is 2t/(2t + 1), t = beta min(s, q), for s > 1",
        domain=with_coefficients_held_fixed(above_1, noise),
        predict=saturation_lifted,
        prediction="exponent = 2t/(2t + 1), t = beta min(s, q)",
        latex=r"\alpha' = \frac{2t}{2t + 1}, \quad t = \beta \min(s, q)",
        expected="SURVIVED",
        note="What purification does for data: it lifts saturation. Before it t = beta.",
    ),
    reading(
        "function-held-fixed",
        "the risk for the same function is at most of the order n^-alpha', for s <= 1",
        domain=with_function_held_fixed(up_to_1, noise),
        predict=at_least,
        prediction="exponent >= 2s/(2s + 1/beta')",
        expected="FALSIFIED",
        note="For 1/2 < s <= 1 the index after the operation is 1/2 + (s - 1/2) beta/beta' < s.",
    ),
    reading(
        "function-held-fixed-s-up-to-half",
        "the risk for the same function is at most of the order n^-alpha', for s <= 1/2",
        domain=with_function_held_fixed(up_to_half, noise),
        predict=at_least,
        prediction="exponent >= 2s/(2s + 1/beta')",
        expected="SURVIVED",
        note="For s <= 1/2 the index after the operation is at least s.",
    ),
    reading(
        "function-held-fixed-no-worse",
        "the risk for the same function is at most of the order n^-alpha, the exponent before, for s <= 1",
        domain=with_function_held_fixed(up_to_1, noise),
        predict=no_worse,
        prediction="exponent >= 2s/(2s + 1/beta), beta before",
        expected="SURVIVED",
        note="The qualitative half of the proposition: beta' s' = beta s + (beta' - beta)/2.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

r"""Remark 3: long-range dependence slows the clock but leaves alpha unchanged.

Fractional Gaussian noise of Hurst exponents H_x (inputs) and H_eps (noise). Centred inputs hear the noise through the products
x_t eps_t, whose autocorrelations fall as h^(2 H_x + 2 H_eps - 4). Let a = 2 H_x + 2 H_eps - 3.

* a < 0: the sum of products converges; the exponent in n is alpha. So it is where the inputs alone have long memory, or the noise
  alone (then the products are white), however long it is.
* a > 0: n samples are worth n^(1 - a): the variance is N n^(a - 1), N = N(kappa), as long as the low frequencies are not used up.
  Balanced against the bias N^(-2 s beta), the exponent is (1 - a) alpha: alpha in the clock n_eff = n^(1 - a), not in n.
* The inputs are loud at low frequencies, f(w) ~ w^(1 - 2 H_x). Where N exceeds n^(2 - 2 H_x), the frequencies below
  w ~ (N/n)^(1/(2 H_x - 1)) are fitted and their noise counts no more than they can carry: the variance is (N/n)^(1 - gamma),
  gamma = a/(2 H_x - 1), and the exponent 2 s beta (1 - gamma)/(2 s beta + 1 - gamma), larger than (1 - a) alpha: no clock at all.

Samples that are repeated in runs with P(L >= k) = k^-t, 1 < t < 2, together with their noise, are of the last kind: runs longer
than n/N are saturated, the variance is (N/n)^(t - 1), the exponent 2 s beta (t - 1)/(2 s beta + t - 1). With fresh noise nothing is
read: all samples are one run with a probability of order n^(1 - t), so that the mean risk falls no faster, while typical samples
have the exponent alpha.
(Derivation: verifier/risk/responses.py.)

All of that is for centred inputs. Uncentred ones have a constant coordinate, which hears the noise at frequency zero: it costs
sigma^2 n^(2 H_eps - 2), whatever the ridge, with independent inputs too, and the exponent is min(alpha, 2 - 2 H_eps)
(derivation: verifier/risk/means.py; more ridge on the mean would cost the others more than it saves).

For s <= 1 throughout, by saturation. Next to the borders between the cases the crossover from one to the other lies beyond any
sample size: hypotheses keep a tenth off.
"""

from __future__ import annotations

import math
from typing import Any

from properties.hypotheses import alpha, assumption_r, noisy_labels
from properties.strategies import hardest_targets, instances, noises, power_laws, smoothness
from properties.strategies.dependence import (
    dependent_instances,
    fractional,
    power_runs,
    repeated,
    separable,
    uncentred,
    white,
)
from verifier.claims import Exponent, Reading
from verifier.instances import Dependence, Instance, UncentredDesign, White
from verifier.testing import check

SOURCE = "Remark 3, section 2.1"
LATEX = r"\mathcal{E}(n) \sim n^{-\alpha}"
OFF = 0.1
"""How far from a border between two regimes, in exponents of n."""


def converges(dependence: Dependence) -> bool:
    """H_x + H_eps < 3/2."""
    return math.isfinite(dependence.product_sum())


def diverges(dependence: Dependence) -> bool:
    """H_x + H_eps > 3/2."""
    return math.isinf(dependence.product_sum())


plain = instances(power_laws(), hardest_targets(smoothness(0.05, 1.0), ("S-tail",)), noises(silent=False))
both = dependent_instances(plain, separable(fractional(), fractional()))
jointly_short = dependent_instances(plain, separable(fractional(), fractional()).filter(converges))
jointly_long = dependent_instances(plain, separable(fractional(), fractional()).filter(diverges))


smoother = instances(power_laws(), hardest_targets(smoothness(0.2, 1.0), ("S-tail",)), noises(silent=False))
slow_clock = dependent_instances(
    smoother, separable(fractional((0.7, 0.8, 0.65, 0.6)), fractional((0.9, 0.95, 0.85))).filter(diverges)
)


def hursts(instance: Instance) -> tuple[float, float]:
    """Hurst exponents of inputs and noise, 1/2 for independent samples."""
    processes = (getattr(instance.dependence, part, White()) for part in ("inputs", "noise"))
    inputs, noise = (float(process.hurst) for process in processes)
    return inputs, noise


def joint_memory(instance: Instance) -> float:
    """a = 2 H_x + 2 H_eps - 3: the products of inputs and noise have a sum of autocorrelations that grows as n^a."""
    return 2.0 * sum(hursts(instance)) - 3.0


def _balance(instance: Instance) -> float:
    """N = n^u balances bias and variance as long as the low frequencies are not used up; u less the 2 - 2 H_x at which they are."""
    power = (1.0 - joint_memory(instance)) / (1.0 + 2.0 * instance.s * instance.beta)
    return power - (2.0 - 2.0 * hursts(instance)[0])


def long_joint_memory(instance: Instance) -> bool:
    """H_x + H_eps >= 1.55: the sum of products diverges as a power."""
    return joint_memory(instance) >= OFF - 1e-9


def short_joint_memory(instance: Instance) -> bool:
    """H_x + H_eps <= 1.45: the sum of products converges."""
    return joint_memory(instance) <= 1e-9 - OFF


def low_frequencies_left(instance: Instance) -> bool:
    """The effective dimension stays below n^(2 - 2 H_x), by a power of n."""
    return _balance(instance) <= -OFF


def off_the_border(instance: Instance) -> bool:
    """The effective dimension is not of the order n^(2 - 2 H_x)."""
    return abs(_balance(instance)) >= OFF


def off_all_borders(instance: Instance) -> bool:
    """H_x + H_eps is not 3/2, and beyond it the effective dimension is not of the order n^(2 - 2 H_x)."""
    return short_joint_memory(instance) or (long_joint_memory(instance) and off_the_border(instance))


def off_the_mean(instance: Instance) -> bool:
    """2 - 2 H_eps, the exponent of what the noise costs the mean, is not alpha: it is a tenth off, or more."""
    return abs(2.0 - 2.0 * hursts(instance)[1] - alpha(instance)) >= OFF - 1e-9


def exactly(instance: Instance) -> Exponent:
    """The exponent in n is alpha."""
    return Exponent(alpha(instance))


def with_the_mean(instance: Instance) -> Exponent:
    """The exponent is alpha, or that of what the noise costs the mean, where it is smaller."""
    if not isinstance(instance.design, UncentredDesign):
        return exactly(instance)
    return Exponent(min(alpha(instance), 2.0 - 2.0 * hursts(instance)[1]))


def in_n_eff(instance: Instance) -> Exponent:
    """alpha in the clock n_eff = n^(1 - a), which in n is (1 - a) alpha."""
    return Exponent((1.0 - joint_memory(instance)) * alpha(instance))


def in_two_regimes(instance: Instance) -> Exponent:
    """(1 - a) alpha while low frequencies are left, the exponent of the saturated spectrum where they are not."""
    if _balance(instance) < 0.0:
        return in_n_eff(instance)
    hurst, noise = hursts(instance)
    return _saturated(instance, (2.0 - 2.0 * noise) / (2.0 * hurst - 1.0))


def _saturated(instance: Instance, power: float) -> Exponent:
    """Bias N^(-2 s beta) against the variance (N/n)^power."""
    smooth = 2.0 * instance.s * instance.beta
    return Exponent(smooth * power / (smooth + power))


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Remark 3 with noise and the oracle's ridge."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"Under Assumption R, for critical targets, s <= 1, at the oracle's ridge, {title}.",
        "prediction": "exponent = 2s/(2s + 1/beta)",
        "predict": exactly,
    }
    return Reading(id=f"R3/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "in-n",
        "with inputs and noise of long memory the exponent in n is alpha",
        domain=both,
        hypotheses=(assumption_r, noisy_labels, off_all_borders),
        expected="FALSIFIED",
        note="For H_x + H_eps > 3/2 the effective sample size is a power of n below one: the exponent in n is smaller.",
    ),
    reading(
        "inputs-alone",
        "with inputs of long memory and white noise the exponent in n is alpha",
        domain=dependent_instances(plain, separable(fractional(), white())),
        expected="SURVIVED",
        note="The products of inputs and white noise are white: no clock is slowed, at any H_x.",
    ),
    reading(
        "noise-alone",
        "with independent inputs and noise of long memory the exponent in n is alpha",
        domain=dependent_instances(plain, separable(white(), fractional())),
        expected="SURVIVED",
        note="For centred inputs; a constant feature hears the noise at frequency zero (uncentred-in-n).",
    ),
    reading(
        "uncentred-in-n",
        "with independent inputs, centred or not, and noise of long memory the exponent in n is alpha",
        domain=uncentred(dependent_instances(plain, separable(white(), fractional()))),
        hypotheses=(assumption_r, noisy_labels, off_the_mean),
        expected="FALSIFIED",
        note="The fitted mean is an average of the noise, which n samples of long memory leave at sigma^2 n^(2 H_eps - 2).",
    ),
    reading(
        "uncentred-intercept",
        "with independent uncentred inputs and noise of long memory the exponent in n is min(alpha, 2 - 2 H_eps)",
        domain=uncentred(dependent_instances(plain, separable(white(), fractional()))),
        hypotheses=(assumption_r, noisy_labels, off_the_mean),
        predict=with_the_mean,
        prediction="exponent = min(2s/(2s + 1/beta), 2 - 2 H_eps)",
        expected="SURVIVED",
        note="What mathematics gives: a term that no ridge balances. alpha alone for centred inputs.",
    ),
    reading(
        "short-joint-memory",
        "with inputs and noise of long memory and H_x + H_eps <= 1.45 the exponent in n is alpha",
        domain=jointly_short,
        hypotheses=(assumption_r, noisy_labels, short_joint_memory),
        expected="SURVIVED",
        note="What decides is the memory of the products: their autocorrelations are summable below 3/2.",
    ),
    reading(
        "in-n-eff",
        "with n_eff = n^(4 - 2 H_x - 2 H_eps) the exponent in n_eff is alpha, for H_x + H_eps >= 1.55",
        domain=jointly_long,
        hypotheses=(assumption_r, noisy_labels, long_joint_memory, off_the_border),
        predict=in_n_eff,
        prediction="exponent = (4 - 2 H_x - 2 H_eps) 2s/(2s + 1/beta)",
        latex=r"\mathcal{E}(n) \sim n_{\mathrm{eff}}^{-\alpha}",
        expected="FALSIFIED",
        note="Where the effective dimension exceeds n^(2 - 2 H_x) the low frequencies are used up and noise them less than the "
        "clock says.",
    ),
    reading(
        "in-n-eff-low-frequencies-left",
        "with n_eff = n^(4 - 2 H_x - 2 H_eps) the exponent in n_eff is alpha, for H_x + H_eps >= 1.55 and N << n^(2 - 2 H_x)",
        domain=slow_clock,
        hypotheses=(assumption_r, noisy_labels, long_joint_memory, low_frequencies_left),
        predict=in_n_eff,
        prediction="exponent = (4 - 2 H_x - 2 H_eps) 2s/(2s + 1/beta)",
        latex=r"\mathcal{E}(n) \sim n_{\mathrm{eff}}^{-\alpha}",
        expected="SURVIVED",
        note="The remark is right in this regime: the clock is slowed and alpha is the exponent in it.",
    ),
    reading(
        "two-regimes",
        "the exponent is (1 - a) alpha or, once low frequencies are used up, 2 s beta (1 - gamma)/(2 s beta + 1 - gamma), for "
        "H_x + H_eps >= 1.55",
        domain=jointly_long,
        hypotheses=(assumption_r, noisy_labels, long_joint_memory, off_the_border),
        predict=in_two_regimes,
        prediction="exponent = (1 - a) alpha, or that of the saturated spectrum",
        latex=r"\mathcal{E}(n) \sim n^{-\theta}",
        expected="SURVIVED",
        note="What mathematics gives in the place of the remark: a = 2 H_x + 2 H_eps - 3, gamma = a/(2 H_x - 1).",
    ),
    reading(
        "runs-repeated-noise",
        "for runs of repeated samples, with light tails and with heavy ones, the exponent in n is alpha",
        domain=dependent_instances(plain, repeated(power_runs(), ("repeated",))),
        expected="FALSIFIED",
        note="Run lengths with no mean square, polynomial mixing of that kind, change the exponent in n; all others do not.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

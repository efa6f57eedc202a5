r"""A claim pack from another paper: the decay rates of kernel ridge regression in Cui, Loureiro, Krzakala and Zdeborova,
"Generalization error rates in kernel regression: the crossover from the noiseless to noisy regime" (NeurIPS 2021,
arXiv 2105.15004), Table 1 and Figure 1.

Theirs and ours. Capacity alpha > 1 is the tail index beta: l_k = k^-alpha. Source r: theta_k^2 l_k = k^(-2 alpha r - 1),
which is the critical target with s = r. The ridge is n^-l in the normalisation of this project,
(1/n) sum (f(x_i) - y_i)^2 + lambda ||f||^2; without the 1/n the same ridge is n lambda, that is n^(1 - l). The check that
theirs is the former: their crossover to the noisy regime lies at l* = alpha/(1 + 2 alpha min(r, 1)), which is the best ridge
n^(-1/(2s + 1/beta)) of this normalisation (for r <= 1), and interpolation begins at l = alpha.

Where the rates come from. With sh = min(r, 1), kappa solves n = sum l_k/(l_k + kappa) + n lambda/kappa. The sum is of the
order kappa^(-1/alpha), so kappa ~ lambda while l < alpha, and kappa ~ n^-alpha from there on, where the sample is
interpolated: kappa ~ n^-min(l, alpha). Then

* the target's part, sum f_k^2 (kappa/(l_k + kappa))^2, is of the order kappa^(2 sh) (with a logarithm at r = 1): exponent
  2 sh min(l, alpha);
* the noise's part, sigma^2 df2/n with df2 ~ kappa^(-1/alpha): exponent 1 - l/alpha for l <= alpha, and 0 beyond, a plateau.

The smaller exponent wins. They cross at l*: below it the ridge is so large that the noise is not seen, above it the noise
dominates, and at l* the risk is the smallest that a noisy sample allows, with the exponent 2 alpha sh/(1 + 2 alpha sh).

    verifier falsify --pack tests.packs.cui_2021:CLAIMS       # all seven survive
    verifier falsify --pack tests.packs.cui_2021:MISREADINGS  # all three are falsified
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

import verifier as vf

SOURCE = "Cui, Loureiro, Krzakala and Zdeborova 2021, Table 1"

ALPHAS = sorted((k / 10 for k in range(11, 51)), key=lambda alpha: abs(alpha - 2.0))
SOURCES = sorted((k / 10 for k in range(1, 31)), key=lambda r: abs(r - 0.5))


def instances(*sigmas: float) -> st.SearchStrategy[vf.Instance]:
    """Power laws with critical targets, the plainest first, since that is what a counterexample shrinks to."""
    return st.builds(
        lambda sigma, r, alpha: vf.Instance(vf.PowerLaw(alpha), vf.CriticalTarget(s=r), vf.Noise(sigma)),
        sigma=st.sampled_from(sigmas),
        r=st.sampled_from(SOURCES),
        alpha=st.sampled_from(ALPHAS),
    )


noiseless, noisy = instances(0.0), instances(1.0, 0.1, 5.0)


def learnable(inst: vf.Instance) -> float:
    """min(r, 1): ridge makes no use of a smoother target."""
    return min(inst.s, 1.0)


def crossover(inst: vf.Instance) -> float:
    """l*, the decay at which target and noise balance."""
    return inst.beta / (1.0 + 2.0 * inst.beta * learnable(inst))


@dataclass(frozen=True)
class Decay:
    """The rule lambda = n^-l with l = share times alpha, or times the crossover l*."""

    share: float
    of_crossover: bool = False

    def power(self, inst: vf.Instance) -> float:
        """The decay l."""
        return self.share * (crossover(inst) if self.of_crossover else inst.beta)

    def __call__(self, inst: vf.Instance, n: float) -> float:
        """The ridge at n samples."""
        return float(n) ** -self.power(inst)


HALF, THREE_QUARTERS, BEYOND = Decay(0.5), Decay(0.75), Decay(1.5)
SLOW, BEST = Decay(0.5, of_crossover=True), Decay(1.0, of_crossover=True)


def beyond_the_crossover(inst: vf.Instance) -> bool:
    """l >= l*: the noise dominates."""
    return THREE_QUARTERS.power(inst) >= crossover(inst)


def reading(
    name: str,
    title: str,
    domain: st.SearchStrategy[vf.Instance],
    predict: Callable[[vf.Instance], vf.Prediction],
    tuning: str | Decay,
    *hypotheses: Callable[[vf.Instance], bool],
    expected: str = "SURVIVED",
) -> vf.Reading:
    """One cell of the table."""
    return vf.Reading(
        id=f"Cui21/{name}",
        title=title,
        statement=f"On power laws with critical targets, {title}.",
        source=SOURCE,
        domain=domain,
        predict=predict,
        tuning=tuning,
        hypotheses=hypotheses,
        expected=expected,
    )


def interpolated(inst: vf.Instance) -> vf.Exponent:
    """2 alpha min(r, 1)."""
    return vf.Exponent(2.0 * inst.beta * learnable(inst))


def best(inst: vf.Instance) -> vf.Exponent:
    """2 alpha min(r, 1) / (1 + 2 alpha min(r, 1))."""
    fast = 2.0 * inst.beta * learnable(inst)
    return vf.Exponent(fast / (1.0 + fast))


CLAIMS = (
    reading(
        "noiseless-under-regularised",
        "without noise and with lambda = n^-l, l >= alpha (l = 3 alpha/2), the risk falls as n^(-2 alpha min(r, 1))",
        noiseless,
        interpolated,
        BEYOND,
    ),
    reading(
        "noiseless-over-regularised",
        "without noise and with lambda = n^-l, l <= alpha (l = alpha/2), the risk falls as n^(-2 l min(r, 1))",
        noiseless,
        lambda inst: vf.Exponent(2.0 * HALF.power(inst) * learnable(inst)),
        HALF,
    ),
    reading(
        "noisy-under-regularised",
        "with noise and with lambda = n^-l, l >= alpha (l = 3 alpha/2), the risk stays on a plateau",
        noisy,
        lambda inst: vf.Exponent(0.0),
        BEYOND,
    ),
    reading(
        "noisy-variance",
        "with noise and with lambda = n^-l, l* <= l <= alpha (l = 3 alpha/4), the risk falls as n^-(1 - l/alpha)",
        noisy,
        lambda inst: vf.Exponent(1.0 - THREE_QUARTERS.power(inst) / inst.beta),
        THREE_QUARTERS,
        beyond_the_crossover,
    ),
    reading(
        "noisy-over-regularised",
        "with noise and with lambda = n^-l, l <= l* (l = l*/2), the risk falls as n^(-2 l min(r, 1)), as without noise",
        noisy,
        lambda inst: vf.Exponent(2.0 * SLOW.power(inst) * learnable(inst)),
        SLOW,
    ),
    reading(
        "noisy-crossover",
        "with noise and with lambda = n^-l*, the risk falls as n^-(2 alpha min(r, 1)/(1 + 2 alpha min(r, 1)))",
        noisy,
        best,
        BEST,
    ),
    reading(
        "noisy-optimal",
        "with noise and the best ridge, the risk falls as n^-(2 alpha min(r, 1)/(1 + 2 alpha min(r, 1)))",
        noisy,
        best,
        "optimal",
    ),
)

MISREADINGS = (
    reading(
        "saturation-ignored",
        "without noise and with l >= alpha, the risk falls as n^(-2 alpha r), however smooth the target",
        noiseless,
        lambda inst: vf.Exponent(2.0 * inst.beta * inst.s),
        BEYOND,
        expected="FALSIFIED",
    ),
    reading(
        "noisy-rate-without-noise",
        "without noise and with the best ridge, the risk falls at the rate of noisy samples",
        noiseless,
        best,
        "optimal",
        expected="FALSIFIED",
    ),
    reading(
        "noiseless-rate-with-noise",
        "with noise and with l >= alpha, the risk falls as n^(-2 alpha min(r, 1))",
        noisy,
        interpolated,
        BEYOND,
        expected="FALSIFIED",
    ),
)

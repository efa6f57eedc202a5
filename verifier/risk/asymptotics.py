r"""Exponents that theorems give, for checking the machinery itself and as the reference of route B. Never a prediction.

With target tails :math:`\sum_{j>k} f_j^2 \asymp k^{-t}` and saturation at :math:`t' = \min(t, 2\beta)`:

* noisy, tuned: :math:`t'/(t'+1)`; noiseless, tuned: :math:`t'` (Cui, Loureiro, Krzakala and Zdeborova 2021, Table 1);
* ridge :math:`n^{-\ell}`: bias exponent :math:`\min(\ell, \beta)\, t'/\beta`, variance exponent
  :math:`1 - \ell/\beta` for :math:`\ell \le \beta`; the smaller one wins (Caponnetto and De Vito 2007; saturation: Li,
  Zhang and Lin 2023).
"""

from __future__ import annotations

import math

from verifier.instances import (
    BallTarget,
    CriticalTarget,
    ExponentialTarget,
    Instance,
    LacunaryTarget,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
)
from verifier.risk.equivalents import Tuning


def effective_index(instance: Instance) -> float | None:
    """True source index in L2, infinite for targets smoother than any power, None for targets of other packages."""
    target = instance.target
    if isinstance(target, (CriticalTarget, LacunaryTarget, BallTarget)):
        return target.l2_index
    if isinstance(target, (SmootherTarget, RandomTarget)):
        return target.l2_index + target.excess
    if isinstance(target, (SingleEigenfunction, ExponentialTarget)):
        return math.inf
    return None


def theorem_exponent(instance: Instance, tuning: Tuning = "optimal") -> float | None:
    """lim -ln E / ln n where a theorem gives it, None where the module knows of none."""
    index = effective_index(instance)
    if index is None or math.isfinite(instance.spectrum.size) or instance.spectrum.tail_index is None:
        return None
    beta = instance.beta
    tail = 2.0 * beta * min(index, 1.0)
    if tuning == "optimal":
        return tail / (tail + 1.0) if instance.sigma > 0.0 else tail
    if tuning == "schedule":
        power = 1.0 / (2.0 * instance.s + 1.0 / beta)
        bias = power * tail / beta
        return min(bias, 1.0 - power / beta) if instance.sigma > 0.0 else bias
    return None

r"""Exponents that theorems give, for checking and calibrating the machinery and as the reference of route B. Never a prediction.

With target tails :math:`\sum_{j>k} f_j^2 \asymp k^{-t}` and saturation at :math:`t' = \min(t, 2\beta)`:

* noisy, tuned: :math:`t'/(t'+1)`; noiseless, tuned: :math:`t'` (Cui, Loureiro, Krzakala and Zdeborova 2021, Table 1);
* ridge :math:`n^{-\ell}`: bias exponent :math:`\min(\ell, \beta)\, t'/\beta`, variance exponent
  :math:`1 - \ell/\beta` for :math:`\ell \le \beta`; the smaller one wins (Caponnetto and De Vito 2007; saturation: Li,
  Zhang and Lin 2023);
* m = c n^q Gaussian features: with :math:`\gamma = n^{-g}`, :math:`0 \le g \le \beta\min(1, q)`, the terms of
  :mod:`verifier.risk.features` have the exponents :math:`g t'/\beta` (bias), :math:`q - g/\beta + g\min(t/\beta, 1)` (what the
  width adds: :math:`\rho \asymp N(\gamma)/m`, and :math:`\sum f_i^2 r_i(1-r_i) \asymp \gamma^{\min(t/\beta, 1)}`) and, with
  noise, :math:`1 - g/\beta`; the smallest wins. The oracle takes the best g, a ridge :math:`n^{-\ell}` gives
  :math:`g = \min(\ell, \beta q, \beta)`. A fixed width has exponent 0. (Rudi and Rosasco 2017 bound the degree from which nothing
  is lost; Defilippis, Loureiro and Misiakiewicz 2024 have it sharp.)
* m = c n^q landmarks, with noise (:mod:`verifier.risk.nystrom`): tuned :math:`\min(t'/(t'+1), t'q)`; ridge :math:`n^{-\ell}`, bias
  :math:`\min(\ell t'/\beta, t'q)` and variance :math:`1 - \min(\ell/\beta, q)`;
* m = c n^q Fourier features, with noise (:mod:`verifier.risk.fourier`): lost :math:`tq/\beta`; tuned
  :math:`\min(tq/\beta, \max(t'/(t'+1), 1 - q/\beta))`; ridge :math:`n^{-\ell}`, bias :math:`\min(\ell t', tq)/\beta` and
  variance :math:`1 - \min(\ell, q)/\beta`;
* a single pass of stochastic descent with the step n^(g - 1), g <= 1: bias :math:`2s'g`, noise :math:`1 - g` for the last
  iterate, :math:`1 - g/\beta` for the mean of the iterates (Dieuleveut and Bach 2016);
* a context of H ~ n^g heads, with noise (:mod:`verifier.risk.multihead`), :math:`k = \kappa/w = n^{-x}`: disjoint heads of tail
  index :math:`\beta_a` have the bias :math:`x t'/\beta` and the variance :math:`\min(1 - x/\beta, 1 - g - x/\beta_a)`; heads in one
  eigenbasis resolve the index n^q, :math:`q = \max(x/\beta, (x + g)/\beta_a)`, and have
  :math:`q \min(t, 2\min(\beta, \beta_a))` and 1 - q. The oracle takes the best x, a ridge n^-l with weights H^-a has x = l - a g;
* effective dimension and counting function against :math:`1/\lambda`: :math:`-1/\beta`; eigenvalues against i: beta.

Samples that depend on one another have these exponents too, unless inputs and noise both have a long memory
(:mod:`verifier.risk.memory`): then the variance falls more slowly, and the oracle balances the bias against that. Uncentred inputs
add a term to the variance that no ridge balances.

A boundedly invertible transform changes neither beta (Courant and Fischer) nor any of these formulas; it may change the index
of the target and with it t (:mod:`verifier.risk.smoothness`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.instances import (
    BallTarget,
    CarriedCoefficients,
    CarriedFunction,
    CodiagonalHeads,
    ComponentTarget,
    CriticalTarget,
    DisjointHeads,
    Exponential,
    ExponentialTarget,
    FourierFeatures,
    GaussianFeatures,
    Instance,
    LacunaryTarget,
    LogCorrected,
    NoDrift,
    NystromFeatures,
    RandomTarget,
    Ridge,
    RotatedMixture,
    SingleEigenfunction,
    SmootherTarget,
    SteppedDrift,
    StochasticDescent,
    TransformedDrift,
    Truncated,
)
from verifier.risk.equivalents import Tuning
from verifier.risk.memory import averages_out, balanced_power, has_logarithm, mean_exponent, variance_exponent
from verifier.risk.observables import (
    CountingFunction,
    DimensionAtLastEigenvalue,
    EffectiveDimension,
    Eigenvalues,
    ExcessRisk,
    Observable,
    saturated_index,
)
from verifier.risk.smoothness import index_after
from verifier.risk.windows import RelativeRisk


@dataclass(frozen=True)
class Formula:
    """The two numbers in the formula above that a wrong theorem could have wrong: t = ``tail`` beta s' with
    t' = min(t, ``tail`` beta ``saturation``). The defaults are the theorem's.
    """

    saturation: float = 1.0
    tail: float = 2.0


def effective_index(instance: Instance) -> float | None:
    """True source index in L2 relative to the covariance that the regression sees, the transform's included
    (:mod:`verifier.risk.smoothness`); infinite for targets smoother than any power, None for targets of other packages.
    """
    before = _index_before(instance)
    return None if before is None else index_after(instance, before)


def _index_before(instance: Instance) -> float | None:
    target = instance.target
    if isinstance(instance.spectrum, RotatedMixture):
        return None  # no less than declared (Loewner, Heinz, Douglas); how much more, no theorem used here says
    if isinstance(target, (CarriedCoefficients, CarriedFunction, ComponentTarget)):
        return None if instance.spectrum.tail_index is None else target.index_under(instance.spectrum.tail_index)
    if isinstance(target, (CriticalTarget, LacunaryTarget, BallTarget)):
        return target.l2_index
    if isinstance(target, (SmootherTarget, RandomTarget)):
        return target.l2_index + target.excess
    if isinstance(target, (SingleEigenfunction, ExponentialTarget)):
        return math.inf
    return None


def theorem_exponent(
    instance: Instance,
    tuning: Tuning = "optimal",
    observable: Observable | None = None,
    formula: Formula | None = None,
) -> float | None:
    """lim -ln y / ln x of an observable (default: the excess risk) where a theorem gives it, None where none is known here."""
    if isinstance(observable, RelativeRisk):
        both = [theorem_exponent(each, tuning, None, formula) for each in (instance, observable.without(instance))]
        return None if both[0] is None or both[1] is None else both[0] - both[1]
    if not isinstance(observable, (ExcessRisk, type(None))):
        return _of_the_spectrum(instance, observable)
    return _of_the_risk(instance, tuning, effective_index(instance), formula or Formula())


def least_exponent(
    instance: Instance, tuning: Tuning = "optimal", observable: Observable | None = None
) -> float | None:
    """An exponent that the risk has at least: the theorem's; where none is known, that of the index that a target keeps
    whatever the eigenvectors (Loewner, Heinz, Douglas).
    """
    known = theorem_exponent(instance, tuning, observable)
    if known is not None or not isinstance(observable, (ExcessRisk, type(None))):
        return known
    index = saturated_index(instance) if isinstance(instance.spectrum, RotatedMixture) else None
    return _of_the_risk(instance, tuning, index, Formula())


def _of_the_risk(instance: Instance, tuning: Tuning, index: float | None, formula: Formula) -> float | None:
    if not averages_out(instance):
        return None  # rare long runs may decide the mean
    if index is None or math.isfinite(instance.spectrum.size) or instance.spectrum.tail_index is None:
        return None
    if instance.drift != NoDrift():
        return _of_a_drift(instance, tuning, index)
    beta = instance.beta
    saturation = formula.saturation if isinstance(instance.filter, Ridge) else instance.filter.qualification
    tail = formula.tail * beta * min(index, saturation)
    if isinstance(instance.features, NystromFeatures):
        return _of_landmarks(instance, tuning, tail)
    if isinstance(instance.features, FourierFeatures):
        return _of_frequencies(instance, tuning, tail, formula.tail * index)
    if instance.features.finite:
        return _of_features(instance, tuning, tail, formula.tail * beta * min(index, 0.5))
    if isinstance(instance.filter, StochasticDescent):
        return _of_steps(instance, instance.filter, tuning, index)
    if instance.context.several:
        return _of_heads(instance, tuning, formula.tail * beta * index, formula)
    if tuning == "optimal":
        rate = tail if instance.sigma == 0.0 else min(_balanced(instance, tail), mean_exponent(instance))
        return rate if math.isfinite(rate) else None
    if tuning == "schedule":
        terms = _scheduled_terms(instance, tail)
        return min(terms) if math.isfinite(min(terms)) else None
    return None


def _of_a_drift(instance: Instance, tuning: Tuning, index: float) -> float | None:
    """The oracle's exponent where the kernel stops: coefficients and what a flow needs to learn them are then as if it never
    moved. So they are where features are moved, for an index of 1/2 and less.
    """
    kept = isinstance(instance.drift, SteppedDrift) or (isinstance(instance.drift, TransformedDrift) and index <= 0.5)
    if tuning != "optimal" or not kept:
        return None
    tail = 2.0 * instance.beta * index
    return tail / (tail + 1.0)


def _of_steps(instance: Instance, steps: StochasticDescent, tuning: Tuning, index: float) -> float | None:
    """The exponent with 1/(eta T) = n^-g after T = n^a steps, g <= a: bias, variance, and what the steps add
    (:mod:`verifier.risk.multi_pass`). A single pass, a = 1, has no variance, whose exponent would be no smaller than that of what
    its steps add. A rule that has a ``power`` of an instance is n^-power.
    """
    saturated, added = min(index, steps.qualification), 1.0 / (instance.beta if steps.averaged else 1.0)
    known = getattr(tuning, "power", None)
    if tuning == "schedule":
        power = instance.schedule_power
    elif callable(known):
        power = float(known(instance))
    elif tuning == "optimal":  # bias and the larger noise are of one order
        power = min(1.0 / (2.0 * saturated + 1.0 / instance.beta), steps.degree / (2.0 * saturated + added))
    else:
        return None
    power = min(power, steps.degree)
    return min(2.0 * saturated * power, 1.0 - power / instance.beta, steps.degree - power * added)


def _balanced(instance: Instance, tail: float) -> float:
    """Exponent of the oracle's risk against noise."""
    if math.isinf(tail):
        return variance_exponent(instance.dependence, 0.0)
    return tail * balanced_power(instance.dependence, tail)


def _scheduled_terms(instance: Instance, tail: float) -> tuple[float, ...]:
    """Exponents of bias and, with noise, variance under the schedule."""
    beta = instance.beta
    power = instance.schedule_power
    bias = power * tail / beta
    variance = min(variance_exponent(instance.dependence, power / beta), mean_exponent(instance))
    return (bias, variance) if instance.sigma > 0.0 else (bias,)


def _of_heads(instance: Instance, tuning: Tuning, tail: float, formula: Formula) -> float | None:
    """The exponent with noise and H ~ n^g heads; ``tail`` is t before saturation."""
    context, beta = instance.context, instance.beta
    if not isinstance(context, DisjointHeads | CodiagonalHeads) or tuning not in ("optimal", "schedule"):
        return None
    growth, added = context.degree, context.added.beta
    power = instance.schedule_power - context.weighting * growth
    if isinstance(context, DisjointHeads):
        tail = min(tail, formula.tail * beta * formula.saturation)
        if not math.isfinite(tail):
            return None
        if tuning == "optimal":
            return min(tail / (tail + 1.0), tail * (1.0 - growth) / (tail + beta / added))
        bias, variance = tail * power / beta, min(1.0 - power / beta, 1.0 - growth - power / added)
    else:
        tail = min(tail, formula.tail * min(beta, added) * formula.saturation)
        if tuning == "optimal":
            return tail / (tail + 1.0)
        resolved = max(power / beta, (power + growth) / added)
        bias, variance = tail * resolved, 1.0 - resolved
    # Without a ridge that is felt the sample is interpolated, above all eigenvalues nothing is learnt: neither risk falls.
    return max(min(bias, variance), 0.0)


def _of_features(instance: Instance, tuning: Tuning, tail: float, halved: float) -> float | None:
    """The exponent with m = c n^q features; ``tail`` is t' and ``halved`` is min(t, beta), the saturation of what they add."""
    features, beta = instance.features, instance.beta
    if not isinstance(features, GaussianFeatures) or tuning not in ("optimal", "schedule"):
        return None
    if not math.isfinite(tail):
        return None
    degree = features.degree
    # Exponents of the terms as lines in g: value at g = 0, slope.
    lines = [(0.0, tail / beta), (degree, (halved - 1.0) / beta)]
    lines += [(1.0, -1.0 / beta)] if instance.sigma > 0.0 else []

    def smallest(g: float) -> float:
        return min(start + slope * g for start, slope in lines)

    deepest = beta * min(1.0, degree)
    if tuning == "schedule":
        return smallest(min(instance.schedule_power, deepest))
    # The smallest of lines is concave, with its maximum at an end or where two of them meet.
    meeting = [
        (b[0] - a[0]) / (a[1] - b[1]) for k, a in enumerate(lines) for b in lines[k + 1 :] if abs(a[1] - b[1]) > 1e-12
    ]
    return max(smallest(g) for g in (0.0, deepest, *(g for g in meeting if 0.0 < g < deepest)))


def _of_landmarks(instance: Instance, tuning: Tuning, tail: float) -> float | None:
    """The exponent with m = c n^q landmarks and noise; ``tail`` is t'."""
    features, beta = instance.features, instance.beta
    assert isinstance(features, NystromFeatures)
    if not math.isfinite(tail):
        return None
    missed = tail * features.degree  # of the target, by the span
    if tuning == "optimal":
        return min(tail / (tail + 1.0), missed)
    if tuning == "schedule":
        power = instance.schedule_power
        return min(power * tail / beta, missed, 1.0 - min(power / beta, features.degree))
    return None


def _of_frequencies(instance: Instance, tuning: Tuning, tail: float, doubled: float) -> float | None:
    """The exponent with m = c n^q drawn frequencies and noise; ``tail`` is t' and ``doubled`` is t/beta, twice the index."""
    features, beta = instance.features, instance.beta
    assert isinstance(features, FourierFeatures)
    if not math.isfinite(doubled):
        return None
    lost = doubled * features.degree
    every = 1.0 - features.degree / beta  # the variance of learning every frequency that was drawn
    if tuning == "optimal":
        return min(lost, max(tail / (tail + 1.0), every))
    if tuning == "schedule":
        power = instance.schedule_power
        return min(power * tail / beta, lost, 1.0 - min(power, features.degree) / beta)
    return None


def _of_the_spectrum(instance: Instance, observable: Observable) -> float | None:
    spectrum = instance.spectrum
    if isinstance(observable, DimensionAtLastEigenvalue) and isinstance(spectrum, Truncated) and spectrum.inverse_index:
        # N(l_p) is of the order p, and l_p^(1/beta) = p^(-1/beta^2).
        return 1.0 / spectrum.spectrum.beta**2 - 1.0
    if isinstance(observable, (EffectiveDimension, CountingFunction)):
        if math.isfinite(spectrum.size):
            return 0.0  # all p directions count, once lambda is below the last eigenvalue
        return None if spectrum.tail_index is None else -1.0 / spectrum.tail_index
    if isinstance(observable, Eigenvalues) and not math.isfinite(spectrum.size):
        return spectrum.tail_index
    return None


def has_exact_order(instance: Instance, tuning: Tuning = "optimal", observable: Observable | None = None) -> bool:
    """Whether y is of the exact order of its power: no power of a logarithm multiplies it.

    Logarithms come from regularly varying spectra, and from targets whose index is exactly that of saturation: their bias
    sums equal terms over ln(1/kappa). Under the schedule such a bias may be hidden by a larger variance.
    """
    if isinstance(instance.spectrum, LogCorrected) and instance.spectrum.power != 0.0:
        return False
    if isinstance(instance.spectrum, Exponential):
        return False  # N(lambda) and the count grow as ln(1/lambda)
    if isinstance(observable, RelativeRisk):
        return all(has_exact_order(each, tuning) for each in (instance, observable.without(instance)))
    of_the_risk = isinstance(observable, (ExcessRisk, type(None)))
    if of_the_risk and instance.sigma > 0.0 and has_logarithm(instance.dependence):
        return False
    if of_the_risk and getattr(instance.context, "logarithms", 0.0) > 0.0:
        return False  # H is a power of ln n, times one of n
    index = effective_index(instance)
    if not of_the_risk or isinstance(instance.target, BallTarget):
        return True
    if isinstance(instance.features, NystromFeatures | FourierFeatures):
        return index is not None and abs(index - 1.0) > 1e-9
    if instance.features.finite:  # what the width adds has a logarithm at index 1/2
        return index is not None and abs(index - 1.0) > 1e-9 and abs(index - 0.5) > 1e-9
    if index is None or abs(index - instance.filter.qualification) > 1e-9:
        return index is not None
    if tuning != "schedule" or instance.sigma == 0.0:
        return False
    bias, variance = _scheduled_terms(instance, 2.0 * instance.beta)
    return bias > variance + 1e-9


def is_straight(instance: Instance) -> bool:
    """Whether nothing in the instance oscillates for ever in ln i, so that the local exponent converges."""
    parts = (instance.spectrum, instance.target, instance.transform)
    return all(getattr(part, "period", None) is None for part in parts)

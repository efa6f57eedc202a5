r"""The deterministic equivalent of the excess risk of kernel ridge regression: no randomness, any n.

With the degrees of freedom :math:`d_1(\kappa) = \sum_i l_i/(l_i + \kappa)` and
:math:`d_2(\kappa) = \sum_i (l_i/(l_i + \kappa))^2`, the effective ridge :math:`\kappa(n, \lambda)` solves
:math:`n = d_1(\kappa) + n\lambda/\kappa` and

.. math:: E(n, \lambda) = \frac{\sum_i f_i^2 (\kappa/(l_i+\kappa))^2 + \sigma^2 d_2(\kappa)/n}{1 - d_2(\kappa)/n}

(Simon, Dickens, Karkada and DeWeese 2023, eq. 5; Cheng and Montanari 2024, Theorem 2). Everything is parametrised by
kappa, since :math:`\lambda = \kappa (1 - d_1(\kappa)/n)` is explicit in it: a tuned risk is one minimisation over kappa
and needs no fixed point. All terms of all sums are positive, so nothing cancels, at any n.

The eigenvalues l are those of the covariance that the regression sees. Under a transform that is not unitary the sums are
those of :mod:`verifier.risk.operators`; the rest is the same. With finitely many random features the sums are those of
:mod:`verifier.risk.features`, kappa stands for the gamma there, and d2 and the bias depend on the width as well; with landmarks
they are those of :mod:`verifier.risk.nystrom`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances import Instance, log_index_at
from verifier.risk.coordinates import is_profiled, profile_ridge, profile_terms
from verifier.risk.dependent import DependentEquivalent
from verifier.risk.dependent_filters import DependentFilterEquivalent
from verifier.risk.drift import DriftEquivalent
from verifier.risk.engine import LOG_KAPPA_MIN, Equivalent, log_kappa_floor
from verifier.risk.filters import FilterEquivalent
from verifier.risk.finite_width import FeatureEquivalent, LandmarkEquivalent
from verifier.risk.fourier import FourierEquivalent
from verifier.risk.kinds import Kind, kind
from verifier.risk.means import UncentredEquivalent
from verifier.risk.multi_pass import MultiPassEquivalent
from verifier.risk.multihead import multihead_equivalent
from verifier.risk.single_pass import SinglePassEquivalent
from verifier.risk.transformed_drift import TransformedDriftEquivalent
from verifier.risk.turning import TurningEquivalent

Array = NDArray[np.float64]
Tuning = str | Callable[[Instance, float], float]

ENGINES: dict[Kind, Callable[[Instance, float], Equivalent]] = {
    Kind.LANDMARKS: LandmarkEquivalent,
    Kind.FOURIER: FourierEquivalent,
    Kind.FEATURES: FeatureEquivalent,
    Kind.HEADS: multihead_equivalent,
    Kind.UNCENTRED: UncentredEquivalent,
    Kind.DEPENDENT: DependentEquivalent,
    Kind.DRIFTING: DriftEquivalent,
    Kind.TURNING: TurningEquivalent,
    Kind.MOVED: TransformedDriftEquivalent,
    Kind.DESCENT: FilterEquivalent,
    Kind.DEPENDENT_DESCENT: DependentFilterEquivalent,
    Kind.SINGLE_PASS: SinglePassEquivalent,
    Kind.MULTI_PASS: MultiPassEquivalent,
}
"""The engine of every kind of instance that does not have the plain one."""


# Of coordinates with autocorrelations of their own only the spectral sums come from here (verifier.risk.profiles).
@lru_cache(maxsize=128)
def _equivalent(instance: Instance, log_reach: float) -> Equivalent:
    return ENGINES.get(kind(instance), Equivalent)(instance, log_reach)


def equivalent(instance: Instance, log_kappa: float) -> Equivalent:
    """The :class:`Equivalent` of an instance with nodes down to kappa = exp(``log_kappa``), cached."""
    size = instance.spectrum.size
    level = np.array([max(log_kappa, LOG_KAPPA_MIN)])
    reach = math.log(size) if math.isfinite(size) else float(log_index_at(instance.spectrum, level, steps=16)[0])
    return _equivalent(instance, 4.0 * math.ceil((reach + 0.5) / 4.0))


def equivalent_for(instance: Instance, n: Array, lam: Array) -> Equivalent:
    """The cached equivalent that serves the given sample sizes and ridges, arrays of shape (k,)."""
    floor = float(log_kappa_floor(instance, n, lam).min())
    return equivalent(instance, floor if math.isfinite(floor) else LOG_KAPPA_MIN)


def scheduled_ridge(instance: Instance, n: ArrayLike) -> Array:
    r"""The paper's schedule :math:`\lambda_n = n^{-1/(2s + 1/\beta)}` with the declared s, shape of n."""
    return np.asarray(np.asarray(n, dtype=np.float64) ** -instance.schedule_power)


def ridge(instance: Instance, n: ArrayLike, tuning: Tuning = "optimal") -> Array:
    """The ridge that a tuning rule uses at each n: "optimal" (the oracle), "schedule", or a function (instance, n)."""
    sizes = _sample_sizes(n)
    flat = sizes.ravel()
    if tuning == "optimal" and is_profiled(instance):
        return profile_ridge(instance, sizes)
    if tuning == "optimal":
        engine = equivalent_for(instance, flat, np.zeros_like(flat))
        return engine.ridge(flat, engine.optimum(flat)).reshape(sizes.shape)
    if tuning == "schedule":
        return scheduled_ridge(instance, sizes)
    if callable(tuning):
        return np.array([ruled_ridge(tuning, instance, float(m)) for m in flat]).reshape(sizes.shape)
    raise ValueError(f"tuning={tuning!r} must be 'optimal', 'schedule' or a function (instance, n) -> lambda")


def ruled(rule: Callable[[Instance, Any], Any], instance: Instance, n: float) -> Any:
    """What a tuning function (instance, n) returns; ValueError naming function, n and instance where it raises."""
    try:
        return rule(instance, n)
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}, at n={n:.12g} for {instance.describe()}"
        raise ValueError(f"the tuning function {_name(rule)} raised {said}") from error


def ruled_ridge(rule: Callable[[Instance, Any], Any], instance: Instance, n: float) -> float:
    """The ridge that a tuning function gives; ValueError naming the function, n and the instance where it gives none."""
    return checked_ridge(ruled(rule, instance, n), rule, instance, n)


def checked_ridge(given: Any, rule: Callable[[Instance, Any], Any], instance: Instance, n: float) -> float:
    """``given`` as a ridge, or a ValueError that names the function which returned it."""
    try:
        value = math.nan if isinstance(given, (str, bytes)) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not 0.0 <= value < math.inf:
        what = f"{given!r} at n={n:.12g} for {instance.describe()}"
        raise ValueError(f"the tuning function {_name(rule)} returned {what}; a ridge is a finite number >= 0")
    return value


def _name(rule: object) -> str:
    return getattr(rule, "__name__", type(rule).__name__)


def optimal_ridge(instance: Instance, n: ArrayLike) -> Array:
    """The oracle's ridge: argmin over lambda >= 0 of the deterministic equivalent, shape of n."""
    return ridge(instance, n, "optimal")


def effective_ridge(instance: Instance, n: ArrayLike, lam: ArrayLike) -> Array:
    """kappa(n, lambda) of the deterministic equivalent, broadcast over n and lambda."""
    sizes, ridges = np.broadcast_arrays(_sample_sizes(n), np.asarray(lam, dtype=np.float64))
    flat = sizes.ravel().astype(np.float64)
    checked = _ridges(ridges.ravel(), flat)
    return equivalent_for(instance, flat, checked).effective_ridge(flat, checked).reshape(sizes.shape)


def equivalent_risk(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> Array | float:
    """Excess risk of ridge regression by the deterministic equivalent, broadcast over n and lambda.

    ``n`` is one or more sample sizes from 1 to 1e60 (kappa must stay a normal double: about 1e300^(1/beta)); ``lam`` is
    a ridge >= 0, an array of them, "optimal" (default), "schedule", or a function (instance, n) -> lambda. Returns a
    float for scalar input. The relative error of the sums is below 1e-9; how far the equivalent itself is from the
    expected risk at finite n is what simulation certifies.
    """
    result = sum(risk_terms(instance, n=n, lam=lam))
    if np.any(np.isnan(result)):
        far = float(np.min(np.asarray(n, dtype=np.float64)[np.isnan(result)]))
        raise ValueError(f"n={far:g} is too large for {instance.spectrum.describe()}: kappa falls below exp(-330)")
    return float(result) if np.ndim(result) == 0 else np.asarray(result)


def risk_terms(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> tuple[Array, Array]:
    """The two terms of :func:`equivalent_risk`, from the target and from the noise, each of the shape of n.

    NaN where kappa lies below exp(-330), beyond what can be evaluated.
    """
    if is_profiled(instance):
        sizes, _, ridges = _with_ridges(instance, _sample_sizes(n), lam)
        return profile_terms(instance, sizes, ridges.reshape(sizes.shape))
    engine, sizes, kappa = _placed(instance, n, lam)
    target, noise = engine.terms(sizes.ravel(), kappa)
    return target.reshape(sizes.shape), noise.reshape(sizes.shape)


def watched_parts(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> tuple[Array, ...]:
    """The numbers of ``parts`` of the instance's equivalent, each of the shape of n; none where coordinates have correlations over
    time of their own.
    """
    if is_profiled(instance):
        return ()
    engine, sizes, kappa = _placed(instance, n, lam)
    return tuple(part.reshape(sizes.shape) for part in engine.parts(sizes.ravel(), kappa))


def fleeting_parts(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> tuple[Array, ...]:
    """The numbers of ``fleeting`` where a kernel's eigenvalues drift, each of the shape of n; none of any other instance."""
    engine, sizes, kappa = _placed(instance, n, lam)
    if not isinstance(engine, DriftEquivalent):
        return ()
    return tuple(part.reshape(sizes.shape) for part in engine.fleeting(sizes.ravel(), kappa))


def separate_terms(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> tuple[Array, ...]:
    """The terms of :func:`risk_terms` and, with Fourier features, what they lose of the target at any ridge taken out of the first
    as a third one, each of the shape of n.
    """
    if is_profiled(instance):
        return risk_terms(instance, n=n, lam=lam)
    engine, sizes, kappa = _placed(instance, n, lam)
    return tuple(term.reshape(sizes.shape) for term in engine.separate_terms(sizes.ravel(), kappa))


def _placed(instance: Instance, n: ArrayLike, lam: ArrayLike | Tuning) -> tuple[Equivalent, Array, Array]:
    """The engine, the sample sizes broadcast against the ridges, and kappa at each, flat."""
    sizes = _sample_sizes(n)
    if isinstance(lam, str) and lam == "optimal":
        flat = sizes.ravel()
        engine = equivalent_for(instance, flat, np.zeros_like(flat))
        return engine, sizes, engine.optimum(flat)
    sizes, flat, checked = _with_ridges(instance, sizes, lam)
    engine = equivalent_for(instance, flat, checked)
    return engine, sizes, engine.effective_ridge(flat, checked)


def _with_ridges(instance: Instance, sizes: Array, lam: ArrayLike | Tuning) -> tuple[Array, Array, Array]:
    """Sample sizes broadcast against the ridges of a rule, and both flat; a ridge out of reach is NaN."""
    ridges = ridge(instance, sizes, lam) if isinstance(lam, str) or callable(lam) else _numbers("lam", lam)
    try:
        sizes, ridges = np.broadcast_arrays(sizes, ridges)
    except ValueError:
        raise ValueError(f"lam of shape {ridges.shape} does not fit n of shape {sizes.shape}") from None
    flat, known = sizes.ravel().astype(np.float64), ridges.ravel()
    if isinstance(lam, str) and lam == "optimal":
        return sizes, flat, known
    return sizes, flat, _ridges(known, flat)


def effective_dimension(instance: Instance, lam: ArrayLike) -> Array:
    r"""Effective dimension :math:`N(\lambda) = \sum_i l_i/(l_i + \lambda)`, shape of lambda > 0."""
    ridges = np.asarray(lam, dtype=np.float64)
    if not np.all(ridges > 0.0):
        raise ValueError(f"lam={lam!r} must be positive; N(lambda) is infinite at zero")
    flat = ridges.ravel()
    return equivalent(instance, math.log(flat.min())).sums(flat).df1.reshape(ridges.shape)


def _sample_sizes(n: ArrayLike) -> Array:
    sizes = _numbers("n", n)
    if sizes.size == 0 or not np.all(np.isfinite(sizes)) or np.any(sizes < 1.0):
        raise ValueError(f"n={n!r} must be one or more finite sample sizes of at least 1")
    return sizes


def _numbers(name: str, value: object) -> Array:
    try:
        if value is None:
            raise TypeError
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r} must be a number or an array of numbers") from None


def _ridges(lam: ArrayLike, n: Array) -> Array:
    ridges = np.asarray(lam, dtype=np.float64)
    bad = ~np.isfinite(ridges) | (ridges < 0.0)
    if bad.any():
        where = int(np.argmax(bad))
        raise ValueError(f"lam={ridges[where]!r} at n={n[where]:g} must be a finite ridge >= 0")
    return np.asarray(ridges, dtype=np.float64)

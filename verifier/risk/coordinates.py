r"""Samples whose coordinates have autocorrelations of their own, or one another's: which equivalent serves an instance.

Of coordinates that are independent of one another it is that of a variance profile (:mod:`verifier.risk.profiles`), of pairs that
are coupled that of :mod:`verifier.risk.blocks`.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances import Instance, PerCoordinate, VectorAutoregression, log_index_at
from verifier.risk.blocks import BlockEquivalent, block_densities
from verifier.risk.profiles import LOWEST, ProfileEquivalent, densities, per_coordinate

Array = NDArray[np.float64]


def is_profiled(instance: Instance) -> bool:
    """Whether the coordinates of the samples have autocorrelations of their own, or one another's."""
    return isinstance(instance.dependence, PerCoordinate | VectorAutoregression)


def largest_factor(instance: Instance) -> float:
    """By what the slowest coordinates may need more samples than independent ones would: at least one, which it is for any other
    kind of dependence.
    """
    dependence = instance.dependence
    return max(1.0, *dependence.product_sums()) if isinstance(dependence, PerCoordinate | VectorAutoregression) else 1.0


def loudest(instance: Instance) -> float:
    """The largest spectral density of any direction of the samples at any frequency."""
    dependence = instance.dependence
    if isinstance(dependence, VectorAutoregression):
        return block_densities(dependence).loudest
    return densities(per_coordinate(instance)).loudest


@lru_cache(maxsize=64)
def _profile(instance: Instance, log_reach: float) -> ProfileEquivalent:
    coupled = isinstance(instance.dependence, VectorAutoregression)
    return BlockEquivalent(instance, log_reach) if coupled else ProfileEquivalent(instance, log_reach)


def profile_for(instance: Instance, n: float = 1.0, lam: float = 0.0) -> ProfileEquivalent:
    """The cached equivalent that serves sample sizes up to ``n`` and ridges from ``lam`` on."""
    size = instance.spectrum.size
    if math.isfinite(size):
        return _profile(instance, math.log(size))
    # No effective ridge is below the ridge, or below that of n max f independent samples, next to the eigenvalue at twice as many.
    reach = math.log(2.0 * n * loudest(instance))
    level = max(math.log(lam), LOWEST) if lam > 0.0 else LOWEST
    reach = min(reach, float(log_index_at(instance.spectrum, np.array([level]), steps=16)[0]))
    return _profile(instance, 4.0 * math.ceil((reach + 0.5) / 4.0))


def profile_terms(instance: Instance, n: ArrayLike, lam: ArrayLike) -> tuple[Array, Array]:
    """The two terms of the risk, from target and noise, broadcast over sample sizes and ridges ``lam`` >= 0.

    ``instance.dependence`` is a :class:`~verifier.instances.PerCoordinate` or a
    :class:`~verifier.instances.VectorAutoregression`; ValueError otherwise. NaN where ``lam`` is.
    """
    sizes, ridges = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(lam, dtype=np.float64))
    flat, ridge = sizes.ravel(), ridges.ravel()
    target, noise = np.full(flat.shape, np.nan), np.full(flat.shape, np.nan)
    known = np.isfinite(ridge)
    if known.any():
        engine = profile_for(instance, float(flat[known].max()), float(ridge[known].min()))
        target[known], noise[known] = engine.terms(flat[known], ridge[known])
    return target.reshape(sizes.shape), noise.reshape(sizes.shape)


def profile_ridge(instance: Instance, n: ArrayLike) -> Array:
    """The oracle's ridge, the argmin over lambda >= 0 of the risk of :func:`profile_terms`, shape of n."""
    sizes = np.asarray(n, dtype=np.float64)
    return profile_for(instance, float(sizes.max())).optimum(sizes.ravel()).reshape(sizes.shape)

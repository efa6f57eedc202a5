r"""The source index of a target, before and after a transform of the representation.

A target has index s relative to a covariance operator W on L2 when :math:`f = W^s g` with g in L2 (or, at the edge, when its
bias :math:`\|\kappa(W+\kappa)^{-1}f\|^2` is of the order :math:`\kappa^{2s}`, s < 1). Before a transform W is
:math:`\Sigma`; after it :math:`W = \Sigma^{1/2}M\Sigma^{1/2}`, M = T*T, and f is what it was (:mod:`verifier.risk.operators`).

* **s <= 1/2: every boundedly invertible T keeps the index.** The spaces :math:`\Sigma^{1/2}L^2` and :math:`W^{1/2}L^2` are
  the same with equivalent norms, since :math:`a^2\Sigma \le W \le b^2\Sigma`; by the inequality of Loewner (1934) and Heinz
  (1951) so are the ranges of :math:`\Sigma^s` and :math:`W^s` for :math:`0 \le s \le 1/2`.
* **1/2 <= s <= 1: f has index s after T exactly if** :math:`M^{-1}\theta` **has index s - 1/2 before it**, that is if
  :math:`M^{-1}\theta \in \Sigma^{s-1/2}H`. Proof: with the polar decomposition :math:`T\Sigma^{1/2} = JW^{1/2}`,
  :math:`f = \Sigma^{1/2}T^*\theta' = W^{1/2}J^*\theta'`, :math:`\theta' = T^{-*}\theta`, so f lies in the range of
  :math:`W^s` if :math:`\theta'` lies in that of :math:`(T\Sigma T^*)^{s-1/2}`. The range of :math:`(T\Sigma T^*)^{1/2}` is
  :math:`T\Sigma^{1/2}H`, and interpolation between H = TH and that space gives :math:`T\Sigma^r H` for the power
  :math:`r \le 1/2`; and :math:`T^{-1}T^{-*} = M^{-1}`.
* Beyond s = 1 ridge regression saturates, so that nothing more can be seen of the index.

For M = D plus finite rank, :math:`M^{-1}\theta = D^{-1}(\theta - \Phi a)`: the index after T is the smallest of s and of
:math:`\tfrac12 + (2\gamma - 1)/(2\beta)` over the smooth columns :math:`\phi_i \sim i^{-\gamma}` of :math:`\Phi` with
:math:`a \ne 0`, since :math:`\sum_{i>k} l_i\phi_i^2 \sim k^{-\beta-2\gamma+1}`. For :math:`T = 1 + cuv^*` both u and v count:
:math:`M^{-1}\theta = \theta' - c'\langle v, \theta'\rangle u`, :math:`\theta' = \theta - c'\langle u, \theta\rangle v`,
:math:`c' = c/(1 + c\langle u, v\rangle)`.
"""

from __future__ import annotations

import dataclasses
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from verifier.instances import Identity, Instance
from verifier.risk.equivalents import equivalent
from verifier.risk.operators import TransformedSums, metric

NEGLIGIBLE = 1e-9  # a load below this fraction of the largest one is rounding
NEAREST, DEEPEST = -200.0, -300.0  # ln kappa between which an index is measured


class SourceIndices(NamedTuple):
    """Measured source index before and after the transform, each at most 1."""

    before: float
    after: float


def source_indices(instance: Instance) -> SourceIndices:
    r"""Source index of the target relative to the covariance before and after the transform, as measured.

    Half the slope of ln bias in ln kappa between :math:`\kappa = e^{-300}` and :math:`e^{-200}`, through the deterministic
    equivalent: at most 1, where ridge regression saturates (a critical target of index 1 carries a logarithm, .005 less
    here). Infinite spectra only: on a finite one every target is smooth. ValueError where there is no polynomial tail.
    """
    if instance.spectrum.tail_index is None or math.isfinite(instance.spectrum.size):
        raise ValueError(
            f"{instance.spectrum.describe()} has no infinite polynomial tail; a source index is measured on one that has"
        )
    plain = dataclasses.replace(instance, transform=Identity())
    return SourceIndices(_measured(plain), _measured(instance))


def _measured(instance: Instance) -> float:
    log_kappa = np.array([NEAREST, DEEPEST])
    bias = np.log(equivalent(instance, DEEPEST).sums(np.exp(log_kappa)).bias)
    return 0.5 * float(bias[0] - bias[1]) / (NEAREST - DEEPEST)


def index_after(instance: Instance, before: float) -> float:
    """The index after the transform, by the theorem above, of the instance's target of index ``before`` in L2.

    Infinite where every column of M - D has finitely many entries and the target is smoother than any power.
    That theta and a column of the same decay cancel each other, for one strength of the transform, is not looked for.
    """
    if instance.transform.unitary or before <= 0.5 or instance.spectrum.tail_index is None:
        return before
    key: tuple[Any, Any, Any] = (instance.spectrum, instance.target, instance.transform)
    decay = _slowest_column(*key)
    return min(before, 0.5 + (2.0 * decay - 1.0) / (2.0 * instance.spectrum.tail_index))


@lru_cache(maxsize=1024)
def _slowest_column(spectrum: Any, target: Any, transform: Any) -> float:
    """Smallest gamma among the smooth columns that M^-1 theta contains, infinite where it contains none."""
    instance = Instance(spectrum=spectrum, target=target, transform=transform)
    columns = metric(transform, spectrum.size).columns
    if all(column.axis is not None for column in columns):
        return math.inf
    sums = equivalent(instance, DEEPEST).transformed
    assert isinstance(sums, TransformedSums)
    loads = np.abs(sums.loads(np.exp(np.array([DEEPEST])))[0])
    scale = max(float(loads.max()), math.sqrt(float(np.sum(sums.modes.target**2))))
    return min(
        (column.gamma for column, load in zip(columns, loads, strict=True) if load > NEGLIGIBLE * scale),
        default=math.inf,
    )

r"""Samples of a mixture: each input from one component. Their deterministic equivalent, and Monte Carlo on real samples.

With probability :math:`\pi_k` an input is :math:`N(0, \Sigma_k)`. Such inputs are not those of :math:`N(0, \Sigma)`,
:math:`\Sigma = \sum_k \pi_k\Sigma_k`: the length of an input tells its component. One scalar a component takes the place of the
one effective ridge (Couillet and Benaych-Georges 2016; Louart and Couillet 2018):

.. math:: \kappa_k = \lambda + \tfrac1n \mathrm{tr}\,\Sigma_k R, \qquad R = \Big(1 + \sum_j \pi_j\Sigma_j/\kappa_j\Big)^{-1},

where :math:`R` stands for :math:`\lambda(S + \lambda)^{-1}`. The second moments follow as for one population (the resolvent
identity, one row taken out at a time): with

.. math:: b_k = \langle\theta, R\Sigma_k R\,\theta\rangle, \qquad
          A_{kj} = \frac{\pi_j}{n\kappa_j^2}\,\mathrm{tr}\,\Sigma_k R\,\Sigma_j R, \qquad
          (1 - A)\,E = b + \sigma^2 A\,1,

:math:`E_k` is the excess risk on inputs of component k, and :math:`\sum_k \pi_k E_k` that on the mixture. With one component
this is :mod:`verifier.risk.equivalents`.

**When the mixture may be replaced by a Gaussian of its covariance.** Let :math:`x = N(\lambda)/(n \min_k \pi_k)`, N the
effective dimension of :math:`\Sigma`. As :math:`\pi_k\Sigma_k \le \Sigma`, :math:`\kappa_k/\lambda - 1 = \delta_k` obeys
:math:`\delta_k \le (1 + \max\delta) x`, so that :math:`\delta_k \le x/(1 - x)`. Hence
:math:`(1 - x)\Sigma \le \sum_k \pi_k\Sigma_k/(1 + \delta_k) \le \Sigma`; with :math:`\Sigma - \sum_k \pi_k\Sigma_k/(1+\delta_k)
= \Sigma^{1/2}C\Sigma^{1/2}, \|C\| \le x`, the resolvent identity gives
:math:`\|\Sigma^{1/2}(R - R_0)\theta\| \le \frac{x}{1-x}\|\Sigma^{1/2}R_0\theta\|`, :math:`R_0 = \lambda(\Sigma+\lambda)^{-1}`,
whatever the eigenvectors of the components, and the traces in A differ as little. So wherever :math:`N(\lambda)/n \to 0` the two
risks have the same exponent, and a ratio that tends to one. With label noise that is so under the oracle's ridge and under the
schedule: there the equivalent of the Gaussian gives the exponent of the mixture. Without noise the oracle interpolates,
:math:`\delta_k \to \infty`, and nothing of the kind holds. Inputs of a light component have a smaller unresolved part and count for
more: for two power laws in one eigenbasis, :math:`\beta_1 < \beta_2`, the equations give :math:`\kappa_k \sim n^{-\beta_k}`,
:math:`R_{ii} \sim (i/n)^{\beta_2}` for i < n, :math:`A_{12} \sim n^{\beta_2 - \beta_1}`, and the exponent
:math:`\min(2\beta_1 s, \beta_1 + \beta_2)` for a critical target relative to the mixture, where a Gaussian of its covariance has
:math:`\min(2\beta_1 s, 2\beta_1)`: the mixture saturates later (measured from the equations, tests/test_mixture_samples.py).

*Simulation.* Rows are drawn component by component, on p leading coordinates; with :math:`S_k = X_k'X_k/n` of the rows of component
k and :math:`r_k = \lambda + \tau_k`, :math:`\tau_k` the ridge that the coordinates beyond p are to such rows,
:math:`\lambda (S + \lambda)^{-1} = G = (1 + \sum_k S_k/r_k)^{-1}`: symmetric, and nothing is subtracted. Label noise and the signs
of the target's coefficients are averaged exactly. The coordinates beyond p enter to first order through the equations above,
a 2K x 2K linear system in place of the quotient of :mod:`verifier.risk.simulate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances import Instance, Mixture, RotatedMixture, log_index_at
from verifier.risk.quadrature import DEEPEST_LOG, index_nodes, tail_integral
from verifier.risk.simulate import Replicates
from verifier.risk.streams import stream

Array = NDArray[np.float64]

DIRECTIONS = 512
"""Most coordinates that are simulated; at n below a quarter of it, 4n."""

BAND = 512  # rows drawn at a time
MOST_STEPS = 100_000


@dataclass(frozen=True, eq=False)
class ComponentNodes:
    r"""Eigenvalues of the components on the nodes that stand for the indices after the first ``skip``.

    ``parts`` (K, N) :math:`l_{ki}` and ``multiplicity`` (N,) how many there are; ``far`` (K,) the traces of what lies beyond all
    nodes. ``target_parts`` (K, M) and ``energy`` (M,): :math:`l_{ki}` and :math:`\theta_i^2` times the weight, on the nodes of
    the target; ``far_energy`` (K,) :math:`\sum_i \theta_i^2 l_{ki}` beyond.
    """

    weights: Array
    parts: Array
    multiplicity: Array
    far: Array
    target_parts: Array
    energy: Array
    far_energy: Array


def component_nodes(instance: Instance, log_reach: float, skip: int = 0) -> ComponentNodes:
    """Nodes good for effective ridges down to the eigenvalue at the log-index ``log_reach``; ValueError for a spectrum that is no
    mixture.
    """
    if not isinstance(instance.spectrum, Mixture) or isinstance(instance.spectrum, RotatedMixture):
        raise ValueError(f"spectrum={instance.spectrum!r} must be a Mixture, of components in one eigenbasis")
    key: tuple[Any, Any] = (instance.spectrum, instance.target)
    return _component_nodes(*key, 4.0 * math.ceil(max(log_reach, 1.0) / 4.0), skip)


@lru_cache(maxsize=64)
def _component_nodes(mixture: Mixture, target: Any, log_n: float, skip: int) -> ComponentNodes:
    x, weight, start = index_nodes(mixture, target, log_n, skip)
    assert start is not None  # components are infinite
    far = np.array([tail_integral(mixture, part.log_eigenvalues, start) for part in mixture.components])
    support = target.support(DEEPEST_LOG / mixture.tail_index)
    where = x if support is None else support[support > math.log(skip + 0.5)]
    log_energy = _log_energy(mixture, target, where)
    far_energy = np.zeros(len(far))
    if support is None:
        energy = np.sign(weight) * np.exp(log_energy + np.log(np.abs(weight)))
        for k, part in enumerate(mixture.components):

            def log_summand(y: Array, part: Any = part) -> Array:
                return np.asarray(_log_energy(mixture, target, y) + part.log_eigenvalues(y))

            far_energy[k] = tail_integral(mixture, log_summand, start)
    else:
        energy = np.exp(log_energy)
    return ComponentNodes(
        np.asarray(mixture.weights),
        np.exp(_log_parts(mixture, x)),
        weight,
        far,
        np.exp(_log_parts(mixture, where)),
        energy,
        far_energy,
    )


def _log_parts(mixture: Mixture, x: Array) -> Array:
    return np.stack([np.asarray(part.log_eigenvalues(x)) for part in mixture.components])


def _log_energy(mixture: Mixture, target: Any, x: Array) -> Array:
    r"""ln of :math:`\theta_i^2 = f_i^2 / l_i`."""
    log_l = mixture.log_eigenvalues(x)
    return np.asarray(target.log_energy(x, log_l) + (2.0 * target.l2_index - 1.0) * log_l)


def _checked_numbers(n: ArrayLike, lam: ArrayLike) -> tuple[Array, Array]:
    """Sample sizes and ridges, broadcast, or a ValueError that says what they must be."""
    try:
        sizes, ridges = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(lam, dtype=np.float64))
    except (TypeError, ValueError):
        sizes = ridges = np.zeros(0)
    known = np.isfinite(sizes) & np.isfinite(ridges)
    if sizes.size == 0 or not np.all(known & (sizes >= 1.0) & (ridges >= 0.0)):
        raise ValueError(f"n={n!r} must be finite sample sizes of at least 1, and lam={lam!r} finite ridges >= 0")
    return sizes, ridges


def effective_ridges(instance: Instance, n: float, lam: float) -> Array:
    r"""The scalars :math:`\kappa_k(n, \lambda)`, shape (K,), by iteration from above, which decreases to the solution (the map is
    a standard interference function, Yates 1995); relative error 1e-12. One n >= 1 and one ridge >= 0.
    """
    _checked_numbers(n, lam)
    return _solved(component_nodes(instance, math.log(n)), n, lam)


def _solved(nodes: ComponentNodes, n: float, lam: float) -> Array:
    kappa = lam + (nodes.parts @ nodes.multiplicity + nodes.far) / n
    for _ in range(MOST_STEPS):
        shrunk = nodes.multiplicity / (1.0 + (nodes.weights / kappa) @ nodes.parts)
        following = lam + (nodes.parts @ shrunk + nodes.far) / n
        if np.all(np.abs(following - kappa) <= 1e-12 * kappa):
            return np.asarray(following)
        kappa = following
    raise ValueError(
        f"lam={lam:g} at n={n:g}: the effective ridges do not settle in {MOST_STEPS} steps; use a larger ridge"
    )


def _second_moments(nodes: ComponentNodes, kappa: Array, n: float) -> tuple[Array, Array]:
    """A, shape (K, K), and b, shape (K,)."""
    shrunk = 1.0 / (1.0 + (nodes.weights / kappa) @ nodes.parts)
    # tr Sigma_k R Sigma_j R / kappa_j first: an effective ridge without noise may be too small to be squared.
    crossed = (nodes.parts * (nodes.multiplicity * shrunk)) @ (nodes.parts * shrunk / kappa[:, None]).T
    shrunk_target = 1.0 / (1.0 + (nodes.weights / kappa) @ nodes.target_parts)
    bias = nodes.target_parts @ (nodes.energy * shrunk_target**2) + nodes.far_energy
    return crossed * (nodes.weights / (n * kappa)), bias


def mixture_risk(instance: Instance, *, n: ArrayLike, lam: ArrayLike) -> Array:
    """Excess risk on samples of the mixture, by its own deterministic equivalent, broadcast over n and ridges ``lam`` >= 0.

    ``instance`` has a :class:`~verifier.instances.Mixture` as its spectrum; its design is not looked at. ValueError where the
    effective ridges cannot be found.
    """
    return np.asarray(np.add(*mixture_terms(instance, n=n, lam=lam)))


def mixture_terms(instance: Instance, *, n: ArrayLike, lam: ArrayLike) -> tuple[Array, Array]:
    """The two terms of :func:`mixture_risk`, from the target and from the noise."""
    sizes, ridges = _checked_numbers(n, lam)
    reach, least = math.log(float(sizes.max())), float(ridges.min())
    if least > 0.0:  # no effective ridge is smaller than the ridge
        reach = min(reach, float(log_index_at(instance.spectrum, np.array([math.log(least)]), steps=20)[0]) + 1.0)
    nodes = component_nodes(instance, reach)
    pairs = zip(sizes.ravel(), ridges.ravel(), strict=True)
    terms = np.array([_terms(nodes, float(m), float(ridge)) for m, ridge in pairs])
    target, noise = terms.T.reshape(2, *sizes.shape)
    return target, instance.sigma**2 * noise


def _terms(nodes: ComponentNodes, n: float, lam: float) -> tuple[float, float]:
    """Risk from the target, and from the noise for a unit of its variance."""
    kappa = _solved(nodes, n, lam)
    passed, bias = _second_moments(nodes, kappa, n)
    solved = np.linalg.solve(np.eye(len(bias)) - passed, np.column_stack([bias, passed.sum(axis=1)]))
    target, noise = nodes.weights @ solved
    return float(target), float(noise)


# ------------------------------------------------------------------------------------------------ simulation


@dataclass(frozen=True, eq=False)
class _Setting:
    """One (n, lambda): ridges (K,) of the rows, and A and b of the coordinates beyond p."""

    ridges: Array
    passed: Array
    bias: Array


def simulate_mixture(instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates) -> Array:
    """Excess risks on samples of the mixture at each (n, lambda), shape (draws.count, len(pairs)).

    A replicate is one sample, of which (n, lambda) sees the first n rows. ``draws.noise`` and ``draws.signs`` must be
    "averaged"; ``draws.controls`` and ``draws.antithetic`` are without effect. Work n p^2 + K p^3 a pair, p at most 512.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: on samples of a mixture both are averaged")
    mixture = instance.spectrum
    assert isinstance(mixture, Mixture)
    widths = {n: min(DIRECTIONS, 4 * n) for n, _ in pairs}
    x = np.log(np.arange(1.0, max(widths.values()) + 1.0))
    parts = np.exp(_log_parts(mixture, x))
    theta = _squares(instance, len(x))
    settings = [_setting(instance, n, lam, widths[n]) for n, lam in pairs]
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        generator = stream(draws.seed, *draws.key, "replicate", draws.first + r, "mixture")
        for n, moments in _moments(generator, mixture, parts, sorted(widths)):
            p = widths[n]
            for j, (m, _) in enumerate(pairs):
                if m == n:
                    risk = _sampled(settings[j], moments[:, :p, :p], parts[:, :p], theta[:p], n, instance.sigma**2)
                    result[r, j] = float(np.asarray(mixture.weights) @ risk)
    return result


def _squares(instance: Instance, p: int) -> Array:
    """Squares of the target's coefficients theta at the first p indices."""
    mixture = instance.spectrum
    assert isinstance(mixture, Mixture)
    support = instance.target.support(math.log(p))
    if support is None:
        return np.exp(_log_energy(mixture, instance.target, np.log(np.arange(1.0, p + 1.0))))
    support = support[support < math.log(p + 0.5)]
    theta = np.zeros(p)
    theta[np.rint(np.exp(support)).astype(np.int64) - 1] = np.exp(_log_energy(mixture, instance.target, support))
    return theta


def _setting(instance: Instance, n: int, lam: float, p: int) -> _Setting:
    kappa = effective_ridges(instance, n, lam)
    rest = component_nodes(instance, math.log(n), p)
    shrunk = rest.multiplicity / (1.0 + (rest.weights / kappa) @ rest.parts)
    passed, bias = _second_moments(rest, kappa, n)
    return _Setting(lam + (rest.parts @ shrunk + rest.far) / n, passed, bias)


def _moments(
    generator: np.random.Generator, mixture: Mixture, parts: Array, sizes: Sequence[int]
) -> Iterator[tuple[int, Array]]:
    """(n, S_k for each component, shape (K, p, p)) at the increasing sample sizes; the first n rows are those of any longer run."""
    labels = np.searchsorted(
        np.cumsum(mixture.weights)[:-1], generator.random(BAND * math.ceil(sizes[-1] / BAND)), "right"
    )
    roots = np.sqrt(parts)
    total = np.zeros((len(parts), parts.shape[1], parts.shape[1]))
    done, wanted = 0, list(sizes)
    while wanted:
        rows = generator.standard_normal((BAND, parts.shape[1]))
        while wanted and wanted[0] <= done + BAND:
            n = wanted.pop(0)
            yield n, (total + _products(rows[: n - done], labels[done:n], roots)) / n
        if wanted:
            total += _products(rows, labels[done : done + BAND], roots)
        done += BAND


def _products(rows: Array, labels: NDArray[np.intp], roots: Array) -> Array:
    return np.stack([(own := rows[labels == k] * root).T @ own for k, root in enumerate(roots)])


def _sampled(setting: _Setting, moments: Array, parts: Array, theta: Array, n: int, variance: float) -> Array:
    """Excess risk on inputs of each component, shape (K,), for one sample."""
    scaled = moments / setting.ridges[:, None, None]
    shrunk = np.linalg.inv(np.eye(len(theta)) + scaled.sum(axis=0))
    bias = parts @ ((shrunk * shrunk) @ theta)
    heard = np.stack([np.sum((shrunk @ own) * shrunk, axis=1) for own in scaled]) / (n * setting.ridges[:, None])
    noise = parts @ heard.T  # risk on component k per unit of label noise on the rows of component j
    # With T the risk beyond p:  T = b + A (sigma^2 + E),  E = bias + noise (sigma^2 + T) + T.
    one = np.eye(len(bias))
    left = np.block([[one, -setting.passed], [-one - noise, one]])
    right = np.concatenate([setting.bias + variance * setting.passed.sum(axis=1), bias + variance * noise.sum(axis=1)])
    return np.asarray(np.linalg.solve(left, right)[len(bias) :])

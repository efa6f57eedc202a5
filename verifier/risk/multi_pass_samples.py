r"""Monte Carlo on stochastic gradient descent that draws from its samples: every draw is made.

In the dual, :math:`\theta = X'c`: a draw of i adds :math:`\eta r_i` to :math:`c_i` and takes :math:`\eta r_iK_{\cdot i}` from the
residuals :math:`r = y - Kc`, K the Gram matrix. Work n a step. Directions beyond the p leading ones, of small eigenvalues, are
orthogonal between samples: they add their trace to the diagonal of K, and what the target has there to the noise and to the risk.
Signs of the target and label noise are drawn, ``CHAINS`` times a sample, with draws of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance, MultiPass, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.quadrature import modes
from verifier.risk.simulate import Replicates, target_energies
from verifier.risk.streams import stream

Array = NDArray[np.float64]

DIRECTIONS = 512
"""Directions simulated, of the most that there are."""

CHAINS = 4
"""Descents on each sample; their mean is the replicate's risk."""

MOST_STEPS = 100_000
"""Steps from which on a descent is not run."""


def steps(degree: float, n: int) -> int:
    """T = n^a, a whole number."""
    return round(float(n**degree))


def simulate_multi_pass(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks after n^a draws at each (n, lambda), shape (draws.count, len(pairs)).

    ``directions`` p, by default 512. ``draws.noise`` and ``draws.signs`` must be "averaged"; ``draws.controls`` is without
    effect. ValueError where n^a exceeds ``MOST_STEPS``.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: with draws from the samples both are averaged")
    assert isinstance(instance.filter, MultiPass)
    longest = max(n for n, _ in pairs)
    if steps(instance.filter.degree, longest) > MOST_STEPS:
        raise ValueError(
            f"n={longest}: n^{instance.filter.degree:g} steps are more than the {MOST_STEPS} that are run; give smaller n"
        )
    p = int(min(DIRECTIONS if directions is None else directions, instance.spectrum.size))
    keys = [(*draws.key, "replicate", draws.first + r, "draws") for r in range(draws.count)]
    normals = np.stack([stream(draws.seed, *key, "inputs").standard_normal((longest, p)) for key in keys])
    return np.stack(
        [_risks(instance, n, lam, normals[:, :n], [stream(draws.seed, *key, n) for key in keys]) for n, lam in pairs],
        axis=1,
    )


def _risks(instance: Instance, n: int, lam: float, normals: Array, generators: Sequence[np.random.Generator]) -> Array:
    """Mean excess risk of the descents on each sample, shape (count,); ``normals`` has the shape (count, n, p)."""
    assert isinstance(instance.filter, MultiPass)
    sizes, lams = np.array([float(n)]), np.array([float(lam)])
    samples, count, p = len(normals), steps(instance.filter.degree, n), normals.shape[2]
    eta = 1.0 / (count * float(equivalent_for(instance, sizes, lams).effective_ridge(sizes, lams)[0]))
    ell = eigenvalues(instance.spectrum, p)
    trace = square = energy = 0.0
    if p < instance.spectrum.size:
        rest = modes(instance, math.log(n), skip=p)
        trace = float(rest.multiplicity @ rest.eigenvalues)
        square = float(rest.multiplicity @ rest.eigenvalues**2)
        energy = float(rest.target_energy.sum())
    x = normals * np.sqrt(ell)
    signs = np.stack([generator.choice([-1.0, 1.0], (CHAINS, p)) for generator in generators])
    noise = np.stack([generator.standard_normal((CHAINS, n)) for generator in generators])
    drawn = np.stack([generator.integers(n, size=(count, CHAINS)) for generator in generators], axis=1)
    target = np.sqrt(target_energies(instance, ell, None) / ell) * signs
    gram = x @ np.swapaxes(x, 1, 2)
    gram[:, np.arange(n), np.arange(n)] += trace
    gram *= eta
    rows, chains = gram.reshape(samples * n, n), np.arange(samples * CHAINS)
    first = np.repeat(n * np.arange(samples), CHAINS)
    residual = target @ np.swapaxes(x, 1, 2) + math.sqrt(instance.sigma**2 + energy) * noise
    residual = np.ascontiguousarray(residual.reshape(samples * CHAINS, n))
    taken, later = np.zeros_like(residual), np.zeros_like(residual)
    for t, i in enumerate(drawn.reshape(count, samples * CHAINS)):
        r = residual[chains, i]
        taken[chains, i] += r
        later[chains, i] += t * r
        residual -= r[:, None] * rows[first + i]
    # theta_0, ..., theta_(T-1): what step t adds is in the T - 1 - t that follow.
    c = eta * (taken * (count - 1.0) - later) / count if instance.filter.averaged else eta * taken
    c = c.reshape(samples, CHAINS, n)
    error = (c @ x - target) ** 2 @ ell + square * np.sum(c * c, axis=2) + energy
    return np.asarray(np.mean(error, axis=1))

r"""Second moments of long samples that depend on one another, streamed: n to a million without an array of n x p.

The model is that of :mod:`verifier.risk.dependent_samples`, :math:`X = C^{1/2} Z` in whitened coordinates. Turned into the
eigenbasis of C, whose eigenvalues are :math:`\mu_j`, the rows stay independent standard normal ones, so that in law

.. math:: X'X = \sum_j \mu_j z_j z_j', \qquad X' C_\varepsilon X = \sum_j \mu_j e_j z_j z_j', \qquad
          X'AX = \sum_j \mu_j a(\mu_j) z_j z_j', \; A = a(C),

the second wherever :math:`C_\varepsilon` has the same eigenbasis: exactly where the noise is white or of the inputs' own process,
or the inputs are white. For two different stationary processes only the diagonal of :math:`C_\varepsilon` in the eigenbasis of C is
kept: for short memory an error of order 1/n (Szego 1915; Gray 2006, section 4). Noise of long memory has correlations between its
lowest modes there that stay at any n. The mean of :math:`X'C_\varepsilon X` does not contain them (at n = 2048 it is good to
7e-4 in every pair that was tried); the variance of its entries does, and at n = 2048 comes out too small by up to 3 % where the
inputs have long memory too, by 10 % (H = .8) and 28 % (H = .95) where theirs is short. Bands of rows
are drawn, scaled, added to p x p sums (BLAS dsyrk) and forgotten. Runs of the same input are one row each, exactly.

The eigenvalues: of AR(1) those of Kac, Murdock and Szego (1953), exact at every n; of another process those of the matrix to
n = 1024, and beyond it its spectral density at n frequencies. Long memory has its lowest 64 modes from n = 1024, which grow as
:math:`n^{2H-1}`, since the density alone has no frequency below 1/n. The trace of C is n and is made so.

For AR(1) inputs there is also the path itself (:func:`path_moments`), whose prefixes are the smaller samples of one curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, eigh, hankel, toeplitz

from verifier.instances import AR1, Dependent, Instance, Process, Repeated, UncentredDesign, White
from verifier.instances.dependence import Dependence
from verifier.risk.dependent_samples import MOST_SAMPLES, risk_of, setting_of
from verifier.risk.simulate import Replicates
from verifier.risk.streams import normals, stream

Array = NDArray[np.float64]

BAND = 1024
"""Rows that are held at a time."""

DENSE = 1024
"""Longest sequence whose correlations are handled as a matrix here."""

LOW_MODES = 64
"""Modes of long memory that are scaled from the matrix of order ``DENSE``."""

_BLOCK = 32  # rows of one triangular product of the recursion of a path
_SHORT = 0.5  # Hurst exponent of short memory


@dataclass(frozen=True, eq=False)
class Modes:
    """Rows in the eigenbasis of C: its eigenvalues, and the diagonal of the noise's correlations there; shape (rows,) each."""

    inputs: Array
    noise: Array


def time_modes(dependence: Dependence, n: int, generator: np.random.Generator) -> Modes:
    """The modes of n samples; ``generator`` draws the runs where inputs are repeated and is left alone otherwise."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n={n!r} must be a whole number of samples, at least 1")
    if isinstance(dependence, Repeated):
        lengths: Array = np.asarray(dependence.runs.run_lengths(generator, n), dtype=np.float64)
        return Modes(lengths, lengths if dependence.noise == "repeated" else np.ones_like(lengths))
    if isinstance(dependence, Dependent):
        return _stationary(cast(Any, dependence.inputs), cast(Any, dependence.noise), int(n))
    raise ValueError(f"dependence={dependence!r} must be Dependent or Repeated to be streamed")


def can_be_streamed(instance: Instance) -> bool:
    """Whether longer samples of an instance than :func:`verifier.risk.dependent_samples.simulate_dependent` draws have the law of
    the streams here.
    """
    return not isinstance(instance.design, UncentredDesign) and in_one_eigenbasis(instance.dependence)


def in_one_eigenbasis(dependence: Dependence) -> bool:
    """Whether the moments here have the law of the samples': not where noise of long memory is not that of correlated inputs, whose
    lowest modes stay correlated in the eigenbasis of C.
    """
    if not isinstance(dependence, Dependent) or isinstance(dependence.inputs, White):
        return True
    return dependence.noise.hurst <= _SHORT or dependence.noise == dependence.inputs


@lru_cache(maxsize=8)
def _stationary(inputs: Any, noise: Any, n: int) -> Modes:
    if isinstance(inputs, White):  # the rows are independent in the eigenbasis of the noise as in any other
        return Modes(np.ones(n), _stationary(noise, noise, n).inputs) if not isinstance(noise, White) else _ones(n)
    if n <= DENSE and not isinstance(inputs, AR1):
        return _dense(inputs, noise, n)
    if isinstance(inputs, AR1):
        frequencies = kac_murdock_szego(inputs.rho, n)
        mu: Array = np.asarray(inputs.spectral_density(frequencies))
    else:
        frequencies = np.asarray(math.pi * np.arange(1, n + 1) / (n + 1.0), dtype=np.float64)
        mu = _density(inputs, inputs, frequencies, n)
    if noise == inputs:
        return Modes(mu, mu)
    if isinstance(noise, White):
        return Modes(mu, np.ones(n))
    if n <= DENSE:
        return _dense(inputs, noise, n)
    return Modes(mu, _density(noise, inputs, frequencies, n))


def _ones(n: int) -> Modes:
    ones = np.ones(n)
    return Modes(ones, ones)


def _dense(inputs: Process, noise: Process, n: int) -> Modes:
    values, vectors = eigh(toeplitz(inputs.autocorrelations(n - 1)))
    values = np.maximum(values, 0.0)
    if isinstance(noise, White):
        return Modes(values, np.ones(n))
    if noise == inputs:
        return Modes(values, values)
    return Modes(values, np.einsum("ij,ij->j", vectors, toeplitz(noise.autocorrelations(n - 1)) @ vectors))


def _density(process: Process, basis: Process, frequencies: Array, n: int) -> Array:
    """Variances of ``process`` along the eigenvectors of ``basis``, by increasing frequency; their mean is one."""
    if process.hurst <= _SHORT:
        density = process.spectral_density(frequencies)
        return np.asarray(density * (n / density.sum()), dtype=np.float64)
    low, shift = _lowest(cast(Any, process), cast(Any, basis))
    mu: Array = np.empty(n)
    mu[:LOW_MODES] = low * (n / DENSE) ** (2.0 * process.hurst - 1.0)
    mu[LOW_MODES:] = process.spectral_density(math.pi * (np.arange(LOW_MODES + 1, n + 1) - shift) / n)
    # What is missing from the trace is spread over the continuum, whose error is of order 1/n in each mode.
    mu[LOW_MODES:] *= (n - mu[:LOW_MODES].sum()) / mu[LOW_MODES:].sum()
    return mu


@lru_cache(maxsize=32)
def _lowest(process: Any, basis: Any) -> tuple[Array, float]:
    """Variances along the modes of lowest frequency at n = ``DENSE``, and the shift s, in [0, 1], for which f(pi (j - s)/n)
    continues the eigenvalues there.
    """
    correlations = process.autocorrelations(DENSE - 1)
    values = toeplitz_eigenvalues(correlations)[::-1][:LOW_MODES]
    shifts = np.linspace(0.0, 1.0, 1001)
    fit = process.spectral_density(math.pi * (LOW_MODES - shifts) / DENSE)
    shift = float(np.interp(values[-1], fit, shifts))
    if basis == process:
        return values, shift
    matrix = toeplitz(correlations)
    _, vectors = eigh(toeplitz(basis.autocorrelations(DENSE - 1)))
    # Order by frequency: the number of changes of sign of the eigenvector, which its level need not follow.
    changes = np.sum(vectors[1:] * vectors[:-1] < 0.0, axis=0)
    vectors = vectors[:, np.argsort(changes, kind="stable")[:LOW_MODES]]
    return np.einsum("ij,ij->j", vectors, matrix @ vectors), shift


def toeplitz_eigenvalues(correlations: Array) -> Array:
    """Eigenvalues of the symmetric Toeplitz matrix with this first row, of even length 2m, increasing.

    Its eigenvectors are even or odd under reversal, so that they are those of two matrices of order m (Cantoni and Butler 1976): a
    quarter of the work.
    """
    half = len(correlations) // 2
    near = toeplitz(correlations[:half])
    far = hankel(correlations[: half - 1 : -1], correlations[half:0:-1])
    return np.sort(np.concatenate([eigh(near + sign * far, eigvals_only=True) for sign in (-1.0, 1.0)]))


def kac_murdock_szego(rho: float, n: int) -> Array:
    r"""Frequencies of the eigenvectors of :math:`(\rho^{|s-t|})`, shape (n,), increasing in (0, pi).

    The roots of :math:`(n-1)\theta + 2\arg(e^{i\theta} - \rho) = j\pi` for j = 1..n; the eigenvalue at each is the spectral density
    there (Kac, Murdock and Szego 1953, section 1).
    """
    target = math.pi * np.arange(1, n + 1)
    low, high = np.zeros(n), np.full(n, math.pi)
    theta = target / (n + 1.0)
    for _ in range(100):
        cosine = np.cos(theta)
        value = (n - 1) * theta + 2.0 * np.arctan2(np.sin(theta), cosine - rho) - target
        slope = (n - 1) + 2.0 * (1.0 - rho * cosine) / (1.0 - 2.0 * rho * cosine + rho**2)
        low, high = np.where(value <= 0.0, theta, low), np.where(value >= 0.0, theta, high)
        following = theta - value / slope
        following = np.where((following >= low) & (following <= high), following, 0.5 * (low + high))
        step, theta = float(np.max(np.abs(following - theta))), following
        if step <= 1e-15 * math.pi:
            break
    return np.asarray(theta)


# ---------------------------------------------------------------------------------------------------- second moments


def weighted_moments(generator: np.random.Generator, weights: Sequence[Array], p: int) -> list[Array]:
    r""":math:`\sum_j w_j z_j z_j'` for each of the weights, shape (p, p), on the same rows z of iid standard normal numbers.

    Weights >= 0, shape (rows,) each. Memory 2 * BAND * p + p^2 a weight; work rows * p^2 a weight, once for weights that are the
    same array.
    """
    rows = len(weights[0])
    distinct = list({id(w): w for w in weights}.values())
    roots = [np.sqrt(w) for w in distinct]
    totals = [np.zeros((p, p), order="F") for _ in distinct]
    band, scaled = np.empty((min(BAND, rows), p)), np.empty((min(BAND, rows), p))
    for top in range(0, rows, BAND):
        z = band[: min(BAND, rows - top)]
        alone = roots[0][top : top + len(z)] if len(roots) == 1 else None
        normals(generator, z, alone)
        for k, root in enumerate(roots):
            x = z if alone is not None else np.multiply(z, root[top : top + len(z), None], out=scaled[: len(z)])
            totals[k] = blas.dsyrk(1.0, x.T, beta=1.0, c=totals[k], overwrite_c=1)
    full = {id(w): np.triu(total) + np.triu(total, 1).T for w, total in zip(distinct, totals, strict=True)}
    return [full[id(w)] for w in weights]


def stream_moments(
    dependence: Dependence, sizes: Sequence[int], p: int, generator: np.random.Generator
) -> Iterator[tuple[int, Array, Array]]:
    """(n, X'X/n, X'C_eps X/n) at each sample size, in law; X whitened, shape (p, p) each.

    Different sizes are independent of each other, since the eigenbasis of C changes with n.
    """
    for n in sizes:
        modes = time_modes(dependence, n, generator)
        own = modes.inputs if np.all(modes.noise == 1.0) else modes.inputs * modes.noise
        moments, through = weighted_moments(generator, [modes.inputs, own], p)
        yield n, moments / n, through / n


def path_moments(
    dependence: Dependent, sizes: Sequence[int], p: int, generator: np.random.Generator
) -> Iterator[tuple[int, Array, Array]]:
    r"""(n, X'X/n, X'C_eps X/n) at increasing sizes of one path of AR(1) inputs, with noise AR(1) or white; no approximation.

    :math:`x_t = \rho x_{t-1} + \sqrt{1-\rho^2} z_t`, and with :math:`u_t = \sum_{s\le t} r^{t-s} x_s`, r the noise's coefficient,
    :math:`X'C_\varepsilon X = U'X + X'U - X'X`. Both recursions run in blocks: a triangular Toeplitz matrix times the block, plus
    the powers of the coefficient times what is carried.
    """
    inputs, noise = dependence.inputs, dependence.noise
    if not isinstance(inputs, (AR1, White)) or not isinstance(noise, (AR1, White)):
        raise ValueError(f"dependence={dependence!r}: a path is streamed for processes AR1 and White alone")
    if any(a >= b for a, b in pairwise(sizes)) or not sizes or sizes[0] < 1:
        raise ValueError(f"sizes={sizes!r} must be increasing and at least 1")
    rho = inputs.rho if isinstance(inputs, AR1) else 0.0
    r = noise.rho if isinstance(noise, AR1) else 0.0
    plain, cross = np.zeros((p, p), order="F"), np.zeros((p, p), order="F")
    # A row more than a band in front: what comes in is carried from there. The first sample is of the stationary law: what it is
    # carried from has unit variance too.
    shocks, path, summed = (np.zeros((min(BAND, sizes[-1]) + 1, p)) for _ in range(3))
    path[-1] = generator.standard_normal(p)
    scale, done = np.full(len(path), math.sqrt(1.0 - rho**2)), 0
    last = len(path) - 1
    for n in sizes:
        while done < n:
            rows = min(len(path) - 1, n - done)
            path[0], summed[0] = path[last], summed[last]
            normals(generator, shocks[1 : rows + 1], scale[:rows])
            _recursion(shocks[: rows + 1], rho, path[: rows + 1])
            x = path[1 : rows + 1]
            plain = blas.dsyrk(1.0, x.T, beta=1.0, c=plain, overwrite_c=1)
            if r != 0.0:
                shocks[1 : rows + 1] = x
                _recursion(shocks[: rows + 1], r, summed[: rows + 1])
                cross = blas.dsyr2k(1.0, x.T, summed[1 : rows + 1].T, beta=1.0, c=cross, overwrite_c=1)
            done, last = done + rows, rows
        moments = (np.triu(plain) + np.triu(plain, 1).T) / n
        own = moments if r == 0.0 else (np.triu(cross) + np.triu(cross, 1).T) / n - moments
        yield n, moments, own


def _recursion(shocks: Array, rho: float, path: Array) -> None:
    """Write y_t = rho y_{t-1} + v_t to the rows 1, 2, ... of ``path`` from its row 0, v the rows 1, 2, ... of ``shocks``, which is
    overwritten in part.
    """
    if rho == 0.0:
        path[1:] = shocks[1:]
        return
    # A row before a block carries: [rho, rho^2, ...]' y beside the lower triangle of powers times the block, in one product.
    powers = np.tril(toeplitz(rho ** np.arange(_BLOCK + 1.0)))[1:]
    for top in range(0, len(path) - 1, _BLOCK):
        k = min(_BLOCK, len(path) - 1 - top)
        shocks[top] = path[top]
        np.matmul(powers[:k, : k + 1], shocks[top : top + k + 1], out=path[top + 1 : top + k + 1])


# ---------------------------------------------------------------------------------------------------- risks


def simulate_dependent_stream(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks on dependent samples at each (n, lambda), shape (draws.count, len(pairs)), for n beyond those of
    :func:`verifier.risk.dependent_samples.simulate_dependent`, with whose risks these agree in law.

    Pairs of the same n see the same sample, others independent ones. ``draws.noise`` and ``draws.signs`` must be "averaged".
    The coordinates beyond the simulated ones enter as there: a ridge of the inputs' correlations, a = r/(lambda + t mu) in the
    eigenbasis. Work up to 3 n p^2 a pair, memory O(p^2).
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: on dependent samples both are averaged")
    if isinstance(instance.design, UncentredDesign):
        longest = max(n for n, _ in pairs)
        raise ValueError(
            f"n={longest}: sequences of uncentred inputs, {instance.design!r}, are simulated up to n={MOST_SAMPLES}; a constant is "
            "no white column in the eigenbasis of their correlations"
        )
    settings = [setting_of(instance, n, lam, directions or min(512, 4 * n)) for n, lam in pairs]
    groups: dict[tuple[int, int], list[int]] = {}
    for j, setting in enumerate(settings):
        groups.setdefault((setting.item.n, len(setting.item.ell)), []).append(j)
    result = np.empty((draws.count, len(settings)))
    for r in range(draws.count):
        for (n, p), members in groups.items():
            key = (*draws.key, "replicate", draws.first + r, "dependent stream", n)
            source = stream(draws.seed, *key).bit_generator.seed_seq
            generator = np.random.Generator(np.random.SFC64(cast(np.random.SeedSequence, source)))
            modes = time_modes(instance.dependence, n, generator)
            weights: list[Array] = []
            for j in members:
                weights += _weights(modes, settings[j].item.ridge, settings[j].lam, settings[j].far)
            moments = [total / n for total in weighted_moments(generator, weights, p)]
            for k, j in enumerate(members):
                result[r, j] = risk_of(settings[j], *moments[3 * k : 3 * k + 3])
    return result


def _weights(modes: Modes, ridge: float, lam: float, far: float) -> list[Array]:
    """Weights of X'AX, X'A C_eps A X and X'ACAX; the same array where two are equal."""
    mu, e = modes.inputs, modes.noise
    gain = ridge / (lam + far * mu) if far > 0.0 else np.ones_like(mu)
    plain, through = mu * gain, (mu * gain) ** 2
    squared = plain if far == 0.0 or np.all(gain == 1.0) else mu * gain**2
    own = squared if np.all(e == 1.0) else through if e is mu else squared * e
    return [plain, own, plain if np.all(mu == 1.0) and squared is plain else through]

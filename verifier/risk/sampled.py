r"""Monte Carlo excess risk on real samples: any design, blocks of rows that are drawn, used and forgotten.

The model is that of :mod:`verifier.risk.simulate` with :math:`x_i = \sqrt{l_i} z_i`, z iid from a
:class:`verifier.instances.Design`. There Bartlett's decomposition stands for n rows; it knows Gaussian inputs only. Here
the rows exist.

*Streaming.* Z is drawn in tiles of 64 columns and 128, 128, 256, 512, ... at most 2048 rows, each from the stream
(seed, \*key, "replicate", r, "inputs", first row, first column). Row t and coordinate i are thereby the same numbers for
every n, p, grid of sample sizes and order of work: one sample grows along a curve, whose points are positively
correlated, and nothing depends on who computes which replicate. For n >= p the moments :math:`W = Z'Z/n`, p x p, are
accumulated from tiles and looked at where n passes a point of the grid, so that a whole curve costs one pass of
:math:`n p^2` operations (BLAS dsyrk). For n < p the kernel matrices, n x n, are accumulated from slabs of 256 columns. In
neither case is there ever an array of n x p: a process that computes a curve to n = 1e6 with p = 512 takes 160 MB,
28 of them for the curve. At p = 512 Rademacher, uniform and t5 inputs reach .78, .67 and .43 of the rate
of dsyrk alone, drawing included, at p = 1024 .73, .72 and .53 (benchmarks/real_samples.py).

*Averages.* Label noise is averaged exactly, and so are the signs of the target's coefficients: the law of inputs with
symmetric independent coordinates does not change when the sign of one coordinate flips, so replacing
:math:`\theta\theta'` by :math:`\mathrm{diag}(\theta^2)` keeps the mean over X, whatever the signs were, and only takes
variance away. (For a design that is not symmetric, the mean is that over targets with random signs.)

*One factorisation for all ridges.* For n >= p, with the eigendecomposition :math:`L^{1/2} W L^{1/2} = V \tau V'` and
:math:`g = 1/(\tau + \lambda)`,

.. math:: E_p(\lambda) = \lambda^2\, g' \big[(V' \mathrm{diag}(f^2/l)\, V) \circ (V' L V)\big]\, g
    + \frac{\sigma^2}{n} \sum_k \tau_k g_k^2 (V' L V)_{kk}

costs p^2 a ridge. For n < p the eigendecomposition is that of the kernel :math:`Z L Z'/n`. An eigendecomposition is
accurate relative to its largest eigenvalue, though, and on steep spectra directions that matter lie many orders of
magnitude below it. So the h leading directions with :math:`l_i > 100 \max(\lambda, l_{\min(n,p)})` are kept out of it
and joined by a Schur complement in whitened coordinates (Woodbury 1950), where their size only rescales a diagonal:
:math:`H = (W_{hh} + \lambda L_h^{-1} - W_{ht} L_t^{1/2} V g V' L_t^{1/2} W_{th})^{-1}` for n >= p and
:math:`H = (Z_h' (Z_t L_t Z_t'/n + \lambda)^{-1} Z_h/n + L_h^{-1})^{-1}` for n < p. h is small
(at :math:`\beta = 1.5` none up to n = 1600, 12 of 512 at n = 1e6), and a further ridge costs an h x h Cholesky
factorisation. Biases of order :math:`(\lambda/l_1)^2` thereby come out as squares of small numbers, not as differences of
large ones; against exact arithmetic the risk is good to 1e-9 down to 1e-20 of the target (tests/test_sampled.py).

*Truncation.* As for Gaussian inputs: p leading directions (:func:`verifier.risk.simulate.default_directions`: 4n up to
n = 400, 1600 up to n = 800, 512 beyond), and the others to first order through their deterministic means
(:meth:`verifier.risk.simulate.Problem.complete`). Those means are sums of many small independent terms, of which the
equivalent's kappa asks for second moments only; they are the same for every design.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from verifier.instances import Design, Independent, Instance, UncentredDesign
from verifier.risk.simulate import Problem, Replicates, problem
from verifier.risk.streams import stream

Array = NDArray[np.float64]

TILE_COLUMNS = 64
FIRST_ROWS, MOST_ROWS = 128, 2048
SLAB_COLUMNS = 4 * TILE_COLUMNS

_STEEP = 100.0  # times what is resolved: directions above are kept out of the eigendecomposition
_SINGULAR = 1e-11  # smallest over largest eigenvalue, ridge included, below which no digits are promised
_NO_RIDGE = 1e-6  # a ridge below this fraction of an eigenvalue does not make a singular matrix regular

_NOT_FINITE = "the first {n} inputs hold values that are not finite; design.draw must return finite numbers"


def whitened_inputs(
    design: Design, n: int, p: int, *, seed: int = 0, key: tuple[str | int, ...] = (), replicate: int = 0
) -> Array:
    """The first p coordinates z of the first n inputs of one replicate, shape (n, p): what the engine sees of them.

    Meant for looking at small samples; the engine itself never holds such an array. A larger n or p appends rows or
    columns and changes nothing else. Raises ValueError where ``design.draw`` does not return the shape it was asked for.
    """
    for name, value in (("n", n), ("p", p), ("replicate", replicate)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < (name != "replicate"):
            raise ValueError(f"{name}={value!r} must be a whole number of at least {int(name != 'replicate')}")
    return _slab(_Source(design, seed, (*key, "replicate", replicate)), n, 0, p)


def sampled_risk(
    instance: Instance,
    *,
    n: int,
    lam: float | Sequence[float] | Array,
    replicates: int = 32,
    seed: int = 0,
    key: tuple[str | int, ...] = (),
    directions: int | None = None,
) -> Array:
    """Per-replicate excess risks on real samples, shape (replicates,), or (replicates, k) for k ridges on the same ones.

    ``n`` >= 1 samples of ``instance.design``, Gaussian inputs included; ridges ``lam`` >= 0 (0 interpolates when n < p).
    Averaged over label noise and signs of the target. ``directions``: see
    :func:`verifier.risk.simulate.default_directions`. Work n p^2 for n >= p, n^2 p below, once for all ridges. Raises
    ValueError where a matrix is singular to double precision.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n={n!r} must be a whole number of samples, at least 1")
    if instance.dependence != Independent():
        raise ValueError(
            f"dependence={instance.dependence!r}: designs draw independent samples; use "
            "verifier.risk.dependent_samples.simulate_dependent"
        )
    if isinstance(instance.design, UncentredDesign):
        raise ValueError(
            f"design={instance.design!r}: designs draw centred coordinates here; use "
            "verifier.risk.dependent_samples.simulate_dependent"
        )
    ridges = np.atleast_1d(np.asarray(lam, dtype=np.float64))
    if ridges.ndim != 1 or ridges.size == 0:
        raise ValueError(f"lam={lam!r} must be one ridge or a sequence of ridges")
    problems = [problem(instance, n=int(n), lam=float(value), directions=directions) for value in ridges]
    samples = simulate_samples(instance.design, problems, Replicates(replicates, seed, tuple(key)))
    return samples if np.ndim(lam) else samples[:, 0]


def simulate_samples(design: Design, problems: Sequence[Problem], draws: Replicates) -> Array:
    """Risks of every problem on shared replicates of real samples, shape (draws.count, len(problems)).

    Each replicate is one sample, of which problem j sees the first n_j rows and p_j coordinates. ``draws.noise`` and
    ``draws.signs`` must be "averaged". ``draws.controls`` is without effect: the means of the control variates are known
    for Gaussian inputs, and a design has none to subtract.
    """
    if (draws.noise, draws.signs) != ("averaged", "averaged"):
        raise ValueError(
            f"noise={draws.noise!r}, signs={draws.signs!r}: on real samples both are averaged; use 'averaged' for both"
        )
    groups: dict[tuple[int, int], list[int]] = {}
    for j, item in enumerate(problems):
        groups.setdefault((item.n, len(item.ell)), []).append(j)
    tall = {shape: members for shape, members in groups.items() if shape[0] >= shape[1]}
    samples = np.empty((draws.count, len(problems)))
    for r in range(draws.count):
        source = _Source(design, draws.seed, (*draws.key, "replicate", draws.first + r))
        if tall:
            sizes, width = sorted({n for n, _ in tall}), max(p for _, p in tall)
            for n, moments in _second_moments(source, sizes, width):
                for (_, p), members in ((shape, found) for shape, found in tall.items() if shape[0] == n):
                    samples[r, members] = _primal(moments[:p, :p], [problems[j] for j in members])
        for shape, members in groups.items():
            if shape not in tall:
                samples[r, members] = _dual(source, [problems[j] for j in members])
    return samples


# ---------------------------------------------------------------------------------------------------- streaming


@dataclass(frozen=True)
class _Source:
    """The tiles of one replicate."""

    design: Design
    seed: int
    key: tuple[str | int, ...]

    def tile(self, top: int, left: int) -> Array:
        shape = (_height(top), TILE_COLUMNS)
        drawn = np.asarray(self.design.draw(stream(self.seed, *self.key, "inputs", top, left), shape), dtype=np.float64)
        if drawn.shape != shape:
            raise ValueError(
                f"design={self.design!r}: draw(generator, {shape}) returned an array of shape {drawn.shape}; it must "
                "return the shape that it is given"
            )
        return drawn


def _height(top: int) -> int:
    """Rows of the tiles that start at row ``top``: few at first, so that a small sample draws little in vain."""
    return min(max(top, FIRST_ROWS), MOST_ROWS)


def _tops(n: int) -> Iterator[int]:
    top = 0
    while top < n:
        yield top
        top += _height(top)


def _slab(source: _Source, n: int, left: int, right: int) -> Array:
    """Columns ``left`` (a multiple of the tile's) to ``right`` of the first n rows, shape (n, right - left)."""
    result = np.empty((n, right - left))
    for top in _tops(n):
        _fill(source, result[top : top + _height(top)], top, left)
    return result


def _fill(source: _Source, target: Array, top: int, left: int) -> None:
    """Write the tiles of one band of rows into ``target``, which may be shorter or narrower than they are."""
    rows, width = target.shape
    for offset in range(0, width, TILE_COLUMNS):
        part = target[:, offset : offset + TILE_COLUMNS]
        part[:] = source.tile(top, left + offset)[:rows, : part.shape[1]]


def _second_moments(source: _Source, sizes: Sequence[int], p: int) -> Iterator[tuple[int, Array]]:
    """(n, Z'Z/n) at each of the increasing sample sizes, shape (p, p), symmetric; from one pass over the rows."""
    total = np.zeros((p, p), order="F")
    band = np.empty((min(MOST_ROWS, max(sizes[-1], FIRST_ROWS)), p))
    for top in _tops(sizes[-1]):
        rows = band[: _height(top)]
        bottom = top + len(rows)
        rows = rows[: min(len(rows), sizes[-1] - top)]
        _fill(source, rows, top, 0)
        # A point of the grid inside the band gets its own sum, so that the running total, and with it every other
        # point, is rounded in the same way whatever the grid.
        for n in sizes:
            if top < n < bottom:
                yield n, _symmetric(_add_products(total.copy(order="F"), rows[: n - top]), n)
        if len(rows) == bottom - top:
            total = _add_products(total, rows)
            if bottom in sizes:
                yield bottom, _symmetric(total, bottom)


def _add_products(upper: Array, rows: Array) -> Array:
    """Add rows' rows to the upper triangle of a matrix in Fortran order, in place."""
    return np.asarray(blas.dsyrk(1.0, rows.T, beta=1.0, c=upper, overwrite_c=1))


def _symmetric(upper: Array, n: int) -> Array:
    if not np.all(np.isfinite(np.diagonal(upper))):
        raise ValueError(_NOT_FINITE.format(n=n))
    result = np.triu(upper)
    result += np.triu(upper, 1).T
    result /= n
    return result


# ---------------------------------------------------------------------------------------------------- risks


def _primal(moments: Array, problems: Sequence[Problem]) -> Array:
    """Risks for n >= p from W = Z'Z/n; the problems share n and the eigenvalues."""
    n, (h, scale) = problems[0].n, _steep(problems)
    head, tail = problems[0].ell[:h] / scale, problems[0].ell[h:] / scale
    root = np.sqrt(tail)
    values, vectors = _eigen(moments[h:, h:] * root[:, None] * root)
    lead = vectors.T @ (root[:, None] * moments[h:, :h])
    spread = vectors.T @ (tail[:, None] * vectors)
    targets = {item.f2[h:].tobytes(): item.f2[h:] for item in problems if item.f2[h:].any()}
    turned = {name: vectors.T @ ((f2 / tail)[:, None] * vectors) for name, f2 in targets.items()}
    results = np.empty(len(problems))
    for j, item in enumerate(problems):
        lam = item.ridge / scale
        g = _resolvent(values, lam, item)
        passed = g[:, None] * lead
        half = _half_inverse(moments[:h, :h] + np.diag(lam / head) - lead.T @ passed, item)
        small, e = half @ half.T, passed @ half
        # H is [[small, .], [-L^1/2 V beside, L^1/2 V (diag g + e e') V' L^1/2]], head first.
        beside = passed @ small
        columns = np.sum(small**2, axis=0) + np.sum(beside * (spread @ beside), axis=0)  # sum_i H_ij^2, j in the head
        trace = float(np.trace(small)) + float(np.sum(e * (spread @ e)))
        excess = float(columns @ (1.0 / head)) + float(np.sum(beside**2)) + _beyond_diagonal(g, e, 1.0, spread)
        # tr(H W H) = tr(H - lam H L^-1 H); the part of diag g is summed as tau g^2, not as the difference g - lam g^2.
        variance = (float(np.diagonal(spread) @ (values * g**2)) + trace - lam * excess) / n
        bias = float((item.f2[:h] * (lam / head) ** 2) @ columns)
        target = turned.get(item.f2[h:].tobytes())
        if target is not None:
            bias += lam**2 * (float(np.sum(beside * (target @ beside))) + _sandwich(g, e, 1.0, target, spread))
        results[j] = item.complete(bias + item.sigma2 * variance, variance)
    return results


def _dual(source: _Source, problems: Sequence[Problem]) -> Array:
    """Risks for n < p from n x n kernels; the problems share n and the eigenvalues."""
    n, (h, scale) = problems[0].n, _steep(problems)
    head, tail = problems[0].ell[:h] / scale, problems[0].ell[h:] / scale
    targets = {item.f2[h:].tobytes(): item.f2[h:] for item in problems if item.f2[h:].any()}
    weights = [tail, tail**2, *targets.values(), *(f2 * tail for f2 in targets.values())]
    lead, (kernel, *others) = _kernels(source, n, h, weights)
    values, vectors = _eigen(kernel / n)
    lead = vectors.T @ lead
    squares, *labels = (vectors.T @ matrix @ vectors for matrix in others)
    turned = dict(zip(targets, zip(labels[: len(targets)], labels[len(targets) :], strict=True), strict=True))
    results = np.empty(len(problems))
    for j, item in enumerate(problems):
        g = _resolvent(values, item.ridge / scale, item)
        passed = g[:, None] * lead
        half = _half_inverse(lead.T @ passed / n + np.diag(1.0 / head), item)
        small = half @ half.T
        # The inverse of the whole kernel is diag g - e e' in the eigenbasis of the tail's.
        e, beside = passed @ half / math.sqrt(n), passed @ small
        diagonal = float(np.diagonal(squares) @ g**2) + _beyond_diagonal(g, e, -1.0, squares)
        variance = (diagonal + float(np.sum(beside**2))) / n**2
        columns = np.sum(small**2, axis=0) + np.sum(beside * (squares @ beside), axis=0) / n**2
        risk = float((item.f2[:h] / head**2) @ columns) + item.sigma2 * variance
        pair = turned.get(item.f2[h:].tobytes())
        if pair is not None:
            plain, shrunk = pair
            fitted = float(np.diagonal(shrunk) @ g) - float(np.sum(e * (shrunk @ e)))
            quadratic = _sandwich(g, e, -1.0, plain, squares) + float(np.sum(beside * (plain @ beside)))
            risk += float(item.f2[h:].sum()) - 2.0 * fitted / n + quadratic / n**2
        results[j] = item.complete(risk, variance)
    return results


def _kernels(source: _Source, n: int, h: int, weights: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Z_h, shape (n, h), and the kernels Z_t diag(w) Z_t', shape (n, n), of each weighting of the other directions."""
    p = h + len(weights[0])
    lead = np.empty((n, h))
    totals = [np.zeros((n, n), order="F") for _ in weights]
    for left in range(0, p, SLAB_COLUMNS):
        slab = _slab(source, n, left, min(left + SLAB_COLUMNS, p))
        first = min(max(h - left, 0), slab.shape[1])
        lead[:, left : left + first] = slab[:, :first]
        for total, weight in zip(totals, weights, strict=True):
            part = weight[left + first - h : left + slab.shape[1] - h]
            alive = part > 0.0
            if alive.any():
                columns = slab[:, first:][:, alive] * np.sqrt(part[alive])
                blas.dsyrk(1.0, columns, beta=1.0, c=total, overwrite_c=1)
    if not all(np.all(np.isfinite(np.diagonal(total))) for total in totals):
        raise ValueError(_NOT_FINITE.format(n=n))
    return lead, [np.triu(total) + np.triu(total, 1).T for total in totals]


def _steep(problems: Sequence[Problem]) -> tuple[int, float]:
    """How many leading directions are kept out of the eigendecomposition (some are always left in it), and the
    eigenvalue that is still resolved: in units of it nothing overflows, also where eigenvalues are 1e-200.
    """
    n, ell = problems[0].n, problems[0].ell
    p, ridge = len(ell), min(item.ridge for item in problems)
    resolved = max(ridge, float(ell[min(n, p) - 1]))
    h = int(np.count_nonzero(ell > _STEEP * resolved))
    if n < p and ridge <= _NO_RIDGE * ell[h]:
        # Without a ridge the kernel of the others is regular only if they outnumber the samples.
        h = min(h, n // 2, p - n)
    return h, resolved


def _eigen(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues, increasing and not below zero, and eigenvectors of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.maximum(values, 0.0), vectors


def _resolvent(values: Array, lam: float, item: Problem) -> Array:
    """1/(tau + lambda), or ValueError where rounding errors of the largest tau reach the smallest tau + lambda.

    ``values`` and ``lam`` are in units of what is resolved; the error names the ridge of ``item``.
    """
    if not values[0] + lam > _SINGULAR * (values[-1] + lam):
        raise ValueError(_singular(item))
    return np.asarray(1.0 / (values + lam))


def _half_inverse(system: Array, item: Problem) -> Array:
    """K with K K' the inverse of a positive definite matrix."""
    try:
        return np.asarray(np.linalg.inv(np.linalg.cholesky(system)).T)
    except np.linalg.LinAlgError:
        raise ValueError(_singular(item)) from None


def _singular(item: Problem) -> str:
    return (
        f"lam={item.ridge:g} at n={item.n} with {len(item.ell)} directions: the system is singular in double "
        "precision; use a larger ridge or fewer directions"
    )


def _sandwich(g: Array, e: Array, sign: float, a: Array, b: Array) -> float:
    """Trace of Q a Q b with Q = diag(g) + sign e e', for symmetric a and b, in O(len(g)^2 (1 + rank))."""
    ae, be = a @ e, b @ e
    cross = float(np.sum(ae * (g[:, None] * be)))
    return float(g @ ((a * b) @ g)) + 2.0 * sign * cross + float(np.sum((e.T @ ae) * (e.T @ be)))


def _beyond_diagonal(g: Array, e: Array, sign: float, a: Array) -> float:
    """Trace of a (Q^2 - diag(g)^2) with Q = diag(g) + sign e e', for symmetric a."""
    ae = a @ e
    return 2.0 * sign * float(np.sum(ae * (g[:, None] * e))) + float(np.sum((e.T @ ae) * (e.T @ e)))

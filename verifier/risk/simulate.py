r"""Monte Carlo excess risk of kernel ridge regression on Gaussian designs, at a cost that does not grow with
n.

The model: :math:`x \sim N(0, \Sigma)`, :math:`\Sigma = \mathrm{diag}(l)`, :math:`y = \langle\theta, x\rangle
+ \sigma \varepsilon`, :math:`f_i = \theta_i \sqrt{l_i}`, :math:`\hat\theta = (S + \lambda)^{-1} X'y/n`,
:math:`S = X'X/n`. One replicate is one X; its risk is :math:`E_\varepsilon \|\Sigma^{1/2}(\hat\theta -
\theta)\|^2`.

*Sampling.* The risk depends on X through :math:`Z'Z = A A'` alone, Z = X :math:`\Sigma^{-1/2}`. By Bartlett's
decomposition A is lower triangular with independent entries, standard normal below the diagonal and
:math:`A_{ii}^2 \sim \chi^2_{n-i+1}` on it (Bartlett 1933; Muirhead 1982, Theorem 3.2.14); for n < p the same
holds with a trapezoid of n columns (Srivastava 2003, singular Wishart). A is p x min(n, p), so n = 1e6 costs
what n = p costs. The normals are drawn in keyed blocks and the chi variables are their quantile transforms:
entry (i, k) of A is the same normal at every n and every p. Points of a curve are thereby positively
correlated, and runs with p, 2p, 4p directions differ by nothing but the truncation.

*Risk.* In whitened coordinates, where the spread of the eigenvalues only rescales a diagonal, so that nothing
is lost on steep spectra. With n >= p, :math:`W = AA'/n`, :math:`H = (W + \lambda L^{-1})^{-1}`:

.. math:: E = \lambda^2 \sum_i (f_i/l_i)^2 [H^2]_{ii} + \frac{\sigma^2}{n} \mathrm{tr}(H-\lambda H L^{-1} H),

averaged over label noise and over the signs of f. With n < p the first h directions are solved with the
others as their ridge: :math:`T = (Z_t L_t Z_t'/n + \lambda)^{-1}` is n x n and well conditioned, and :math:`H
= (Z_h' T Z_h/n + L_h^{-1})^{-1}` takes the place of H above (Woodbury 1950). The textbook dual form subtracts
numbers of order one to get biases of order :math:`(\kappa/l_1)^2`, 1e-20 on steep noiseless instances; this
form subtracts nothing there.

*Truncation.* Directions beyond the first p enter to first order, through their deterministic means: with
kappa of the deterministic equivalent, an added ridge :math:`\frac1n \sum_{i>p} l_i\kappa/(l_i+\kappa)`, an
added risk and label noise :math:`B = \sum_{i>p} f_i^2 (\kappa/(l_i+\kappa))^2`, and :math:`d =
\frac1n\sum_{i>p} (l_i/(l_i+\kappa))^2`. With :math:`E_p` the risk of the p simulated directions and v its
variance per unit of noise,

.. math:: E = \frac{E_p + B(1+v) + \sigma^2 (1+v) d}{1 - (1+v) d}.

*How far the equivalent is leaned on.* Simulation certifies the equivalent, so it may lean on it for the far
tail only. :func:`default_directions` therefore keeps p = 4n directions up to n = 400, and 1600 >= 2n up to n
= 800: more than n samples can resolve (:math:`d_1 < n`), and the rest is in the linear regime, :math:`l_i <
2^{-\beta} l_n`. Above n = 800 it keeps the 512 leading directions (the Bartlett head), and between 512 and
:math:`d_1` stands the concentration of n samples, not a simulation. ``directions`` overrides either; the
measured bias is in tests/test_simulate.py.

*Heavy tails.* At lambda = 0 on a finite spectrum the risk has a finite mean only for |n - p| >= 2 and a
finite variance only for |n - p| >= 4: with n near p a sample mean says little, and no correction of this
module changes that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.special import gammaincinv, ndtr

from verifier.instances import GaussianDesign, Instance, eigenvalues
from verifier.instances.spectra import MAX_HEAD
from verifier.risk.equivalents import effective_ridge
from verifier.risk.quadrature import modes
from verifier.risk.streams import stream

Array = NDArray[np.float64]

EXHAUSTIVE_N = 800
EXHAUSTIVE_DIRECTIONS = 1600
HEAD_DIRECTIONS = 512
MAX_DIRECTIONS = 16384
NOISE_MODES = ("averaged", "sampled")
SIGN_MODES = ("averaged", "fixed", "sampled")

_BLOCK = 128
_NEGLIGIBLE = 1e-25  # an eigenvalue below this fraction of the ridge is linear to all digits
_CONTROLLED = 0.5  # below this 1 - d_1/n the expansion behind the controls adds variance; they are left off, whatever X
_EIGEN_FROM = 5  # ridges at once from which one eigendecomposition beats that many Cholesky factorisations
_EIGEN_RANGE = 1e-8  # an eigendecomposition is accurate relative to l_1; smaller ridges keep to Cholesky


@dataclass(frozen=True)
class Replicates:
    """How replicates are drawn: ``seed`` and ``key`` name the streams, ``count`` of them from ``first`` on.

    ``noise`` is "averaged" (analytically) or "sampled"; ``signs`` of the target's coefficients are "averaged"
    (analytically), "fixed" (all positive) or "sampled". "sampled" noise with "fixed" signs is the risk that
    one fit of scikit-learn's Ridge has. ``controls`` subtracts control variates of known mean zero: same
    mean, smaller variance.
    """

    count: int = 32
    seed: int = 0
    key: tuple[str | int, ...] = ()
    noise: str = "averaged"
    signs: str = "averaged"
    controls: bool = False
    first: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or int(self.count) != self.count or self.count < 1:
            raise ValueError(f"replicates={self.count!r} must be a whole number of at least 1")
        if self.noise not in NOISE_MODES:
            raise ValueError(f"noise={self.noise!r} must be one of {', '.join(NOISE_MODES)}")
        if self.signs not in SIGN_MODES:
            raise ValueError(f"signs={self.signs!r} must be one of {', '.join(SIGN_MODES)}")
        if self.controls and (self.noise, self.signs) != ("averaged", "averaged"):
            raise ValueError("controls=True needs noise='averaged' and signs='averaged', whose means it knows")


@dataclass(frozen=True, eq=False)
class Problem:
    """What one replicate needs at one (n, lambda): p simulated directions and the first-order effect of the
    others.

    ``ell``, ``f2``: eigenvalues and squared L2 coefficients, shape (p,). ``ridge``: lambda with the ridge of
    the far tail. ``kappa``: effective ridge (0 where nothing needs it). ``tail_bias``: B. ``tail_df2``: d.
    ``sigma2``: noise variance.
    """

    n: int
    ell: Array
    f2: Array
    sigma2: float
    ridge: float
    kappa: float
    tail_bias: float
    tail_df2: float

    def complete(self, risk: Array | float, variance: Array | float) -> Array | float:
        """Excess risk with the far tail, from that of the simulated directions and its variance per unit of
        noise.
        """
        if self.tail_bias == 0.0 and self.tail_df2 == 0.0:
            return risk
        inflation = 1.0 + variance
        added = (self.tail_bias + self.sigma2 * self.tail_df2) * inflation
        return (risk + added) / (1.0 - inflation * self.tail_df2)


def default_directions(instance: Instance, n: int) -> int:
    """How many leading directions are simulated at sample size n; see the module's docstring for the
    reasons.
    """
    size = instance.spectrum.size
    if n > EXHAUSTIVE_N:
        return int(min(size, HEAD_DIRECTIONS))
    kept = min(max(4 * n, HEAD_DIRECTIONS), EXHAUSTIVE_DIRECTIONS)
    return int(size) if size <= max(kept, 2 * HEAD_DIRECTIONS) else kept


def problem(instance: Instance, *, n: int, lam: float, directions: int | None = None) -> Problem:
    """Split an instance at (n, lambda) into simulated directions and the first-order far tail."""
    spectrum, target = instance.spectrum, instance.target
    lam = _ridge(lam)
    if directions is None:
        p = default_directions(instance, n)
    elif isinstance(directions, bool) or int(directions) != directions or not 1 <= directions <= MAX_DIRECTIONS:
        raise ValueError(f"directions={directions!r} must be a whole number from 1 to {MAX_DIRECTIONS}")
    else:
        p = int(min(directions, spectrum.size))
    ell = eigenvalues(spectrum, p)
    if lam > 0.0:
        ell = ell[: max(1, int(np.count_nonzero(ell > _NEGLIGIBLE * lam)))]
    p = len(ell)
    ball = bool(getattr(target, "supremum", False))
    tail = p < spectrum.size
    kappa = float(effective_ridge(instance, n, lam)) if tail or ball else 0.0
    index = worst_index(instance, kappa) if ball else None
    f2 = _energies(instance, ell, index)
    if not tail:
        return Problem(n, ell, f2, instance.sigma**2, lam, kappa, 0.0, 0.0)

    rest = modes(instance, math.log(n), skip=p)
    share = rest.eigenvalues / (rest.eigenvalues + kappa)
    if index is None:
        lt, energy = rest.target_eigenvalues, rest.target_energy
    elif index > p:
        lt = np.exp(spectrum.log_eigenvalues(np.log(np.array([float(index)]))))
        energy = target.norm**2 * lt ** (2.0 * target.l2_index)
    else:
        lt, energy = np.ones(0), np.ones(0)
    return Problem(
        n=n,
        ell=ell,
        f2=f2,
        sigma2=instance.sigma**2,
        ridge=lam + kappa * float(rest.multiplicity @ share) / n,
        kappa=kappa,
        tail_bias=float(energy @ (kappa / (lt + kappa)) ** 2),
        tail_df2=float(rest.multiplicity @ share**2) / n,
    )


def worst_index(instance: Instance, kappa: float) -> int:
    r"""Index that attains :math:`\max_i l_i^{2s'} (\kappa/(l_i+\kappa))^2`: the worst eigenfunction of the
    ball.

    The bias of ridge is linear in the squared coefficients, so its supremum over a ball is attained on one
    eigenfunction; which one is settled here by the deterministic equivalent, at this kappa. (The equivalent
    itself takes the supremum over a continuum of eigenvalues on infinite spectra, a relative (beta/i)^2
    higher.)
    """
    size = instance.spectrum.size
    near = np.arange(1.0, min(size, MAX_HEAD) + 1.0)
    candidates = near
    if size > MAX_HEAD:
        far = np.rint(np.geomspace(MAX_HEAD, min(size, 1e15), 20_000))
        candidates = np.concatenate([near, far[1:]])
    log_l = instance.spectrum.log_eigenvalues(np.log(candidates))
    log_kappa = math.log(kappa) if kappa > 0.0 else -math.inf
    value = 2.0 * instance.target.l2_index * log_l + 2.0 * (log_kappa - np.logaddexp(log_l, log_kappa))
    return int(candidates[int(np.argmax(value))])


def simulated_risk(
    instance: Instance,
    *,
    n: int,
    lam: float | Sequence[float] | Array,
    replicates: int = 32,
    seed: int = 0,
    key: tuple[str | int, ...] = (),
    noise: str = "averaged",
    signs: str = "averaged",
    controls: bool = False,
    directions: int | None = None,
) -> Array:
    """Per-replicate excess risks, shape (replicates,), or (replicates, k) for k ridges on the same samples.

    ``n`` >= 1 samples, ridges ``lam`` >= 0 (0 interpolates when n < p). See :class:`Replicates` for
    ``noise``, ``signs`` and ``controls``, :func:`default_directions` for ``directions``. Raises ValueError
    where a matrix is singular to double precision.
    """
    if not isinstance(instance.design, GaussianDesign):
        raise ValueError(
            f"design={instance.design!r}: Bartlett's decomposition stands for Gaussian inputs only; use "
            "verifier.risk.sampled.sampled_risk"
        )
    n = _sample_size(n)
    ridges = np.atleast_1d(np.asarray(lam, dtype=np.float64))
    if ridges.ndim != 1 or ridges.size == 0:
        raise ValueError(f"lam={lam!r} must be one ridge or a sequence of ridges")
    problems = [problem(instance, n=n, lam=float(value), directions=directions) for value in ridges]
    draws = Replicates(replicates, seed, tuple(key), noise, signs, controls)
    samples = simulate(problems, draws)
    return samples if np.ndim(lam) else samples[:, 0]


def simulate(problems: Sequence[Problem], draws: Replicates) -> Array:
    """Risks of every problem on shared replicates, shape (draws.count, len(problems))."""
    rows = max(len(item.ell) for item in problems)
    columns = max(min(item.n, len(item.ell)) for item in problems)
    groups: dict[tuple[int, int], list[int]] = {}
    for j, item in enumerate(problems):
        groups.setdefault((item.n, len(item.ell)), []).append(j)
    samples = np.empty((draws.count, len(problems)))
    for r in range(draws.count):
        key = (*draws.key, "replicate", draws.first + r)
        normals = _normals(rows, columns, draws.seed, key)
        extras = _Extras(draws, key)
        for (n, p), members in groups.items():
            factor = _bartlett(normals, n, p)
            chosen = [problems[j] for j in members]
            solve = _primal if n >= p else _dual
            samples[r, members] = solve(factor, chosen, draws, extras)
    return samples


class _Extras:
    """The sampled signs and label noise of one replicate: prefixes of two streams, whatever n and p."""

    def __init__(self, draws: Replicates, key: tuple[str | int, ...]) -> None:
        self._draws, self._key = draws, key

    def signs(self, p: int) -> Array:
        if self._draws.signs == "fixed":
            return np.ones(p)
        return np.sign(stream(self._draws.seed, *self._key, "signs").standard_normal(p))

    def noise(self, q: int) -> Array:
        return stream(self._draws.seed, *self._key, "noise").standard_normal(q)


def _normals(rows: int, columns: int, seed: int, key: tuple[str | int, ...]) -> Array:
    """Standard normals on and below the diagonal, shape (rows, columns): an entry does not depend on the
    shape.
    """
    result = np.zeros((rows, columns))
    for top in range(0, rows, _BLOCK):
        height = min(_BLOCK, rows - top)
        for left in range(0, min(top + 1, columns), _BLOCK):
            generator = stream(seed, *key, "normals", top, left)
            block = generator.standard_normal((height, _BLOCK))
            width = min(_BLOCK, columns - left)
            result[top : top + height, left : left + width] = block[:, :width]
    return result


def _bartlett(normals: Array, n: int, p: int) -> Array:
    """Lower trapezoidal A with A A' distributed as Z'Z, shape (p, min(n, p))."""
    columns = min(n, p)
    factor = np.tril(normals[:p, :columns], -1)
    shape = 0.5 * (n - np.arange(columns))
    diagonal = np.arange(columns)
    factor[diagonal, diagonal] = np.sqrt(2.0 * gammaincinv(shape, ndtr(normals[diagonal, diagonal])))
    return factor


def _primal(factor: Array, problems: Sequence[Problem], draws: Replicates, extras: _Extras) -> Array:
    """Risks for n >= p from the p x p matrix H; all problems share n and p."""
    n, p = problems[0].n, len(factor)
    # LAPACK multiplies an upper factor by its transpose at a third of a product's cost: indices are reversed.
    gram = lapack.dlauum(np.asfortranarray(factor[::-1, ::-1]))[0]
    gram /= n
    diagonal = np.arange(p)
    if _eigen_pays(problems, draws):
        return _primal_eigen(gram, problems)
    results = np.empty(len(problems))
    for j, item in enumerate(problems):
        ell, lam = item.ell[::-1], item.ridge
        f2 = item.f2[::-1]
        system = gram.copy(order="F")
        system[diagonal, diagonal] += lam / ell
        inverse = _inverse(system, item)
        upper = inverse * inverse
        own = upper[diagonal, diagonal]
        sums = upper.sum(axis=0) + upper.sum(axis=1) - own  # row sums of H_ij^2 from one triangle
        trace = float(inverse[diagonal, diagonal].sum())
        variance = (trace - lam * float(sums @ (1.0 / ell))) / n
        if draws.signs == "averaged":
            bias = float(sums @ (f2 * (lam / ell) ** 2))
            risk = bias + item.sigma2 * variance
            if draws.noise == "sampled":
                labels = math.sqrt(item.sigma2) * (factor @ extras.noise(p)) / n
                risk = bias + float(np.sum((_symmetric(inverse) @ labels[::-1]) ** 2))
        else:
            full = _symmetric(inverse)
            error = full @ (-(lam / ell) * extras.signs(p)[::-1] * np.sqrt(f2))
            if draws.noise == "sampled":
                labels = math.sqrt(item.sigma2) * (factor @ extras.noise(p)) / n
                risk = float(np.sum((error + full @ labels[::-1]) ** 2))
            else:
                risk = float(error @ error) + item.sigma2 * variance
        results[j] = item.complete(risk, variance)
        if draws.controls:
            results[j] -= _controls(gram, item)
    return results


def _eigen_pays(problems: Sequence[Problem], draws: Replicates) -> bool:
    if len(problems) < _EIGEN_FROM or draws.controls or (draws.noise, draws.signs) != ("averaged", "averaged"):
        return False
    return min(item.ridge for item in problems) > _EIGEN_RANGE * float(problems[0].ell[0])


def _primal_eigen(gram: Array, problems: Sequence[Problem]) -> Array:
    """All ridges from one eigendecomposition S = V diag(e) V', signs and noise averaged."""
    n, ell = problems[0].n, problems[0].ell[::-1]
    root = np.sqrt(ell)
    values, vectors = np.linalg.eigh(gram * root[:, None] * root, UPLO="U")
    spread = vectors.T @ (ell[:, None] * vectors)
    weights = np.diagonal(spread)
    results = np.empty(len(problems))
    # sum_ij theta_i^2 l_j G_ij^2 = sum_kk' (V' diag(theta^2) V * V' diag(l) V)_kk' g_k g_k'; ridges share the
    # target, except where each has its own worst of a ball.
    joints: dict[bytes, Array] = {}
    for j, item in enumerate(problems):
        shrink = 1.0 / (values + item.ridge)
        name = item.f2.tobytes()
        if name not in joints:
            joints[name] = (vectors.T @ ((item.f2[::-1] / ell)[:, None] * vectors)) * spread
        joint = joints[name]
        bias = item.ridge**2 * float(shrink @ joint @ shrink)
        variance = float(np.sum(values * shrink**2 * weights)) / n
        results[j] = item.complete(bias + item.sigma2 * variance, variance)
    return results


def _dual(factor: Array, problems: Sequence[Problem], draws: Replicates, extras: _Extras) -> Array:
    """Risks for n < p from n x n matrices; all problems share n and p."""
    return np.array([_dual_one(factor, item, draws, extras) for item in problems])


def _dual_one(factor: Array, item: Problem, draws: Replicates, extras: _Extras) -> float:
    n, p, ell = item.n, len(factor), item.ell
    h = _split(item)
    head, tail = factor[:h], factor[h:]
    lh, lt, f2h, f2t = ell[:h], ell[h:], item.f2[:h], item.f2[h:]
    kernel = _gram(tail, lt) / n
    squares = _gram(tail, lt * lt)
    kernel[np.arange(n), np.arange(n)] += item.ridge
    t = _symmetric(_inverse(kernel, item))
    tz = t[:, :h] @ head[:, :h].T  # the head's rows are zero beyond column h
    system = head[:, :h] @ tz[:h] / n
    system[np.arange(h), np.arange(h)] += 1.0 / lh
    small = _symmetric(_inverse(system, item)) if h else system
    yh = tz @ small
    q = t - yh @ tz.T / n
    qc = q @ squares
    variance = (float(np.sum(qc * q)) + float(np.sum(yh * yh))) / n**2

    if draws.signs == "averaged":
        passed = np.sum(small * small, axis=0) + np.sum(yh * (squares @ yh), axis=0) / n**2
        risk = float((f2h / lh**2) @ passed)
        if f2t.any():
            labels = _gram(tail, f2t)
            quadratic = float(np.sum((qc @ q) * labels)) + float(np.sum(yh * (labels @ yh)))
            risk += float(f2t.sum()) - 2.0 * float(np.sum(q * _gram(tail, f2t * lt))) / n + quadratic / n**2
        if draws.noise == "averaged":
            risk += item.sigma2 * variance
        else:
            drawn = extras.noise(n)
            spread = float(np.sum((lt * (tail @ (q @ drawn))) ** 2)) + float(np.sum((yh.T @ drawn) ** 2))
            risk += item.sigma2 * spread / n**2
    else:
        signed = extras.signs(p) * np.sqrt(item.f2)
        labels = tail.T @ signed[h:]
        if draws.noise == "sampled":
            labels = labels + math.sqrt(item.sigma2) * extras.noise(n)
        ratio = signed[:h] / lh
        error_head = yh.T @ labels / n - small @ ratio
        error_tail = lt * (tail @ (yh @ ratio + q @ labels)) / n - signed[h:]
        risk = float(error_head @ error_head) + float(error_tail @ error_tail)
        if draws.noise == "averaged":
            risk += item.sigma2 * variance
    result = float(item.complete(risk, variance))
    if draws.controls:
        first, *_, c = _first_order(item)
        if c >= _CONTROLLED:
            result -= float(first @ (np.einsum("ij,ij->i", factor, factor) / n - 1.0))
    return result


def _split(item: Problem) -> int:
    """Size of the head: half of the samples, unless the others could not carry the n x n matrix T without a
    ridge.
    """
    half = item.n // 2
    if len(item.ell) - half >= item.n or item.ridge > 1e-6 * item.ell[half]:
        return half
    return min(half, len(item.ell) - item.n)


def _gram(rows: Array, weights: Array) -> Array:
    """Weighted Gram matrix rows' diag(weights) rows for weights >= 0."""
    scaled = rows * np.sqrt(weights)[:, None]
    return np.asarray(scaled.T @ scaled)


def _inverse(system: Array, item: Problem) -> Array:
    """Upper triangle of the inverse of a positive definite matrix; zeros below."""
    if len(system) == 0:
        return system
    factor, failed = lapack.dpotrf(system, lower=0, clean=1)
    inverse, failed_too = lapack.dpotri(factor, lower=0)
    if failed or failed_too:
        raise ValueError(
            f"lam={item.ridge:g} at n={item.n} with {len(item.ell)} directions: the system is singular "
            "in double precision; use a larger ridge or fewer directions"
        )
    return np.asarray(inverse)


def _symmetric(upper: Array) -> Array:
    result = upper + upper.T
    diagonal = np.arange(len(upper))
    result[diagonal, diagonal] = upper[diagonal, diagonal]
    return result


def _first_order(item: Problem) -> tuple[Array, Array, Array, float, float]:
    r"""Derivatives of the risk in :math:`W_{ii}` at the mean-field point :math:`W = cI`, :math:`c = 1 -
    d_1/n`.

    There :math:`H = \mathrm{diag}(h)`, :math:`h_i = (c + \lambda/l_i)^{-1}`. Returned: the derivatives, h,
    the weights omega of :math:`[H^2]_{ii}` in the risk, the weight of tr H, and c. They depend on (n, lambda)
    alone, never on a replicate, so that whatever they multiply keeps its mean.
    """
    n, ell, lam = item.n, item.ell, item.ridge
    kappa = item.kappa
    if kappa == 0.0 and lam > 0.0:
        kappa = _head_kappa(n, ell, lam)
    share = ell / (ell + kappa)
    c = max(1.0 - float(share.sum()) / n, 1e-3)
    h = share / c if kappa > 0.0 else np.full(len(ell), 1.0 / c)
    room = max(1.0 - float(share @ share) / n, 1e-3)
    whole = max(room - item.tail_df2, 1e-3)
    bias = float(item.f2 @ (1.0 - share) ** 2) + item.tail_bias
    total = (bias + item.sigma2) / whole
    noise = item.sigma2 + item.tail_bias + total * item.tail_df2
    gain = room / whole
    omega = gain * (item.f2 * (lam / ell) ** 2 - noise * lam / (n * ell))
    trace = gain * noise / n
    return -2.0 * omega * h**3 - trace * h**2, h, omega, trace, c


def _head_kappa(n: int, ell: Array, lam: float) -> float:
    """Effective ridge of the simulated directions alone: bisection on the increasing kappa (1 - d1(kappa)/n)
    = lambda.
    """
    low, high = math.log(lam), math.log(lam + float(ell.sum()) / n)
    for _ in range(60):
        middle = 0.5 * (low + high)
        kappa = math.exp(middle)
        if kappa * (1.0 - float(np.sum(ell / (ell + kappa))) / n) < lam:
            low = middle
        else:
            high = middle
    return math.exp(high)


def _controls(gram: Array, item: Problem) -> float:
    r"""Linear and quadratic control variates, of mean zero exactly, from the upper triangle of reversed W.

    The expansion of the risk in :math:`D = W - I` to second order, :math:`\sum_i a_i D_{ii} + \sum_{ij}
    b_{ij} (D_{ij}^2 - E D_{ij}^2)`, with :math:`E D_{ij}^2 = (1 + \delta_{ij})/n`.
    """
    first, h, omega, trace, c = _first_order(item)
    if c < _CONTROLLED:
        return 0.0
    first, h, omega = first[::-1], h[::-1], omega[::-1]
    diagonal = np.arange(len(h))
    centred = gram[diagonal, diagonal] - 1.0
    squares = np.triu(gram, 1) ** 2 - np.triu(np.full(gram.shape, 1.0 / item.n), 1)
    # b_ij = omega_i (2 h_i^3 h_j + h_i^2 h_j^2) + trace h_i^2 h_j, summed over i < j with b_ij + b_ji.
    own = 3.0 * omega * h**4 + trace * h**3
    left = 2.0 * omega * h**3 + trace * h**2
    right = squares @ h + squares.T @ h
    even = squares @ h**2 + squares.T @ h**2
    second = float(left @ right) + float((omega * h**2) @ even)
    return float(first @ centred) + float(own @ (centred**2 - 2.0 / item.n)) + second


def _energies(instance: Instance, ell: Array, index: int | None) -> Array:
    """Squared L2 coefficients of the first directions, as many as there are eigenvalues ``ell``; of the
    single ``index`` where one is given.
    """
    target = instance.target
    result = np.zeros(len(ell))
    if index is not None:
        if index <= len(ell):
            result[index - 1] = target.norm**2 * float(ell[index - 1]) ** (2.0 * target.l2_index)
        return result
    log_index = np.log(np.arange(1.0, len(ell) + 1.0))
    support = target.support(float(log_index[-1]))
    if support is not None:
        log_index = support[support <= log_index[-1] + 1e-9]
    log_l = instance.spectrum.log_eigenvalues(log_index)
    where = np.rint(np.exp(log_index)).astype(np.int64) - 1
    result[where] = np.exp(target.log_energy(log_index, log_l) + 2.0 * target.l2_index * log_l)
    return result


def _sample_size(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n={n!r} must be a whole number of samples, at least 1")
    return int(n)


def _ridge(lam: object) -> float:
    value = float(lam)  # type: ignore[arg-type]
    if not math.isfinite(value) or value < 0.0:
        raise ValueError(f"lam={lam!r} must be a finite ridge >= 0")
    return value

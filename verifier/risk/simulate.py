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

*The fast estimator.* Where the equivalent is not on trial, :math:`\min(\frac34 d_1, n/2, 128)` directions
are enough (:func:`head_problems`, ``directions="head"``): the others self-average, and the same formulas
replace them by their means. Its relative bias with noise is below the resolution of the tests, 2e-4 at n =
100; without noise up to 1e-3, and 1e-2 on steep spectra.

*Transforms.* Under a transform that is not unitary the eigenvalues and coefficients are those in the eigenbasis of the
covariance that the regression sees (:mod:`verifier.risk.eigenbasis`): Gaussian inputs have independent coordinates there too.

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

from verifier.instances import GaussianDesign, Independent, Instance, eigenvalues
from verifier.instances.spectra import MAX_HEAD
from verifier.risk.controls import control
from verifier.risk.eigenbasis import eigenbasis
from verifier.risk.equivalents import effective_ridge, equivalent_for
from verifier.risk.quadrature import modes
from verifier.risk.stacked import stacked_risks
from verifier.risk.streams import stream

Array = NDArray[np.float64]

EXHAUSTIVE_N = 800
EXHAUSTIVE_DIRECTIONS = 1600
HEAD_DIRECTIONS = 512
MAX_DIRECTIONS = 16384
SMALL_HEAD = 128
SMALL_HEAD_SHARE = 0.75
SMALL_HEAD_STEP = 8
NOISE_MODES = ("averaged", "sampled")
SIGN_MODES = ("averaged", "fixed", "sampled")

_BLOCK = 128
_NEGLIGIBLE = 1e-25  # an eigenvalue below this fraction of the ridge is linear to all digits
_STACK = 2**20  # normals held at a time: replicates are solved in stacks while they are small


@dataclass(frozen=True)
class Replicates:
    """How replicates are drawn: ``seed`` and ``key`` name the streams, ``count`` of them from ``first`` on.

    ``noise`` is "averaged" (analytically) or "sampled"; ``signs`` of the target's coefficients are "averaged"
    (analytically), "fixed" (all positive) or "sampled". "sampled" noise with "fixed" signs is the risk that
    one fit of scikit-learn's Ridge has. ``controls`` subtracts control variates of known mean zero
    (:mod:`verifier.risk.controls`): same mean, smaller variance. ``antithetic`` makes a replicate the mean of
    two risks, of a factor A and of its mirror image, in which every normal g is -g: both have the
    distribution of A, and W - I changes its sign to first order, so that what is odd in it cancels
    (Hammersley and Morton 1956). It costs two risks. With n below the directions the controls are linear
    only, and mirrored samples without controls are better than with both.
    """

    count: int = 32
    seed: int = 0
    key: tuple[str | int, ...] = ()
    noise: str = "averaged"
    signs: str = "averaged"
    controls: bool = False
    antithetic: bool = False
    first: int = 0

    @property
    def averaged(self) -> bool:
        """Whether a replicate's risk is a function of X alone."""
        return (self.noise, self.signs) == ("averaged", "averaged")

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or int(self.count) != self.count or self.count < 1:
            raise ValueError(f"replicates={self.count!r} must be a whole number of at least 1")
        if self.noise not in NOISE_MODES:
            raise ValueError(f"noise={self.noise!r} must be one of {', '.join(NOISE_MODES)}")
        if self.signs not in SIGN_MODES:
            raise ValueError(f"signs={self.signs!r} must be one of {', '.join(SIGN_MODES)}")
        if self.controls and not self.averaged:
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


def head_directions(instance: Instance, n: Sequence[int] | Array, df1: Array) -> list[int]:
    r"""Directions of the fast estimator at each n: :math:`\min(\tfrac34 d_1(\kappa), n/2, 128)`, the first rounded up
    to a multiple of 8, so that neighbouring instances have the same shapes.

    ``df1`` (k,) holds :math:`d_1(\kappa)` of the ridges in use at the sample sizes ``n`` (k,).
    """
    kept = np.ceil(SMALL_HEAD_SHARE * np.asarray(df1) / SMALL_HEAD_STEP) * SMALL_HEAD_STEP
    kept = np.minimum(np.minimum(kept, np.asarray(n) // 2), min(SMALL_HEAD, instance.spectrum.size))
    return [int(value) for value in np.maximum(kept, 1)]


def head_problems(instance: Instance, n: Sequence[int], lam: Sequence[float] | Array) -> list[Problem]:
    r"""The fast estimator's problems at the pairs (n, lam), sequences of one length; ridges of one n share their
    directions.

    The :func:`head_directions` are simulated, all others enter as in :func:`problem`, but with their sums taken as
    those of the deterministic equivalent less those of the head: nothing is set up for each n. Where the sums are
    dominated by the head the difference keeps an absolute error of 1e-9 of them, all that the risk asks for.
    """
    _infinitely_wide(instance)
    sizes = np.array([_sample_size(m) for m in n], dtype=np.float64)
    ridges = np.array([_ridge(value) for value in lam])
    engine = equivalent_for(instance, sizes, ridges)
    kappa = engine.effective_ridge(sizes, ridges)
    sums = engine.sums(kappa)
    widest = {m: float(np.max(sums.df1[sizes == m])) for m in np.unique(sizes)}
    heads = head_directions(instance, sizes, np.array([widest[m] for m in sizes]))
    if not instance.diagonal:
        return [
            problem(instance, n=int(m), lam=float(lam), directions=p)
            for m, lam, p in zip(sizes, ridges, heads, strict=True)
        ]
    ball = bool(getattr(instance.target, "supremum", False))
    levels = eigenvalues(instance.spectrum, max(heads))
    energies = None if ball else target_energies(instance, levels, None)
    problems = []
    for j, p in enumerate(heads):
        level, ridge = float(kappa[j]), float(ridges[j])
        ell = levels[:p]
        if ridge > 0.0:
            ell = ell[: max(1, int(np.count_nonzero(ell > _NEGLIGIBLE * ridge)))]
        p = len(ell)
        # The worst target of a ball is one eigenfunction, in the head or in the tail; without noise, bias sums span so many
        # orders of magnitude that differences of them mean nothing.
        if energies is None or instance.sigma == 0.0:
            problems.append(problem(instance, n=int(sizes[j]), lam=ridge, directions=p))
            continue
        share = ell / (ell + level)
        f2 = energies[:p]
        df1, df2 = float(sums.df1[j] - share.sum()), float(sums.df2[j] - share @ share)
        bias = float(sums.bias[j] - f2 @ (1.0 - share) ** 2)
        tail = p < instance.spectrum.size
        problems.append(
            Problem(
                n=int(sizes[j]),
                ell=ell,
                f2=f2,
                sigma2=instance.sigma**2,
                ridge=ridge + (level * max(df1, 0.0) / sizes[j] if tail else 0.0),
                kappa=level,
                tail_bias=max(bias, 0.0) if tail else 0.0,
                tail_df2=max(df2, 0.0) / sizes[j] if tail else 0.0,
            )
        )
    return problems


def problem(instance: Instance, *, n: int, lam: float, directions: int | None = None) -> Problem:
    """Split an instance at (n, lambda) into simulated directions and the first-order far tail."""
    _infinitely_wide(instance)
    spectrum, target = instance.spectrum, instance.target
    lam = _ridge(lam)
    if directions is None:
        p = default_directions(instance, n)
    elif isinstance(directions, bool) or int(directions) != directions or not 1 <= directions <= MAX_DIRECTIONS:
        raise ValueError(f"directions={directions!r} must be a whole number from 1 to {MAX_DIRECTIONS}")
    else:
        p = int(min(directions, spectrum.size))
    if not instance.diagonal:
        return _transformed_problem(instance, n, lam, p)
    ell = eigenvalues(spectrum, p)
    if lam > 0.0:
        ell = ell[: max(1, int(np.count_nonzero(ell > _NEGLIGIBLE * lam)))]
    p = len(ell)
    ball = bool(getattr(target, "supremum", False))
    tail = p < spectrum.size
    kappa = float(effective_ridge(instance, n, lam)) if tail or ball else 0.0
    index = worst_index(instance, kappa) if ball else None
    f2 = target_energies(instance, ell, index)
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


def _transformed_problem(instance: Instance, n: int, lam: float, p: int) -> Problem:
    """The p leading eigenvalues of the transformed covariance and the far tail, in its eigenbasis."""
    basis = eigenbasis(instance, p)
    ell = basis.eigenvalues[:p]
    if lam > 0.0:
        ell = ell[: max(1, int(np.count_nonzero(ell > _NEGLIGIBLE * lam)))]
    p = len(ell)
    if p == instance.spectrum.size:
        return Problem(n, ell, basis.energies, instance.sigma**2, lam, 0.0, 0.0, 0.0)
    kappa = float(effective_ridge(instance, n, lam))
    df1, df2, bias = basis.rest(p, kappa)
    return Problem(
        n=n,
        ell=ell,
        f2=basis.energies[:p],
        sigma2=instance.sigma**2,
        ridge=lam + kappa * df1 / n,
        kappa=kappa,
        tail_bias=bias,
        tail_df2=df2 / n,
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
    antithetic: bool = False,
    directions: int | None = None,
) -> Array:
    """Per-replicate excess risks, shape (replicates,), or (replicates, k) for k ridges on the same samples.

    ``n`` >= 1 samples, ridges ``lam`` >= 0 (0 interpolates when n < p). See :class:`Replicates` for
    ``noise``, ``signs``, ``controls`` and ``antithetic``, :func:`default_directions` for ``directions``. Raises ValueError
    where a matrix is singular to double precision.
    """
    if not isinstance(instance.design, GaussianDesign):
        raise ValueError(
            f"design={instance.design!r}: Bartlett's decomposition stands for Gaussian inputs only; use "
            "verifier.risk.sampled.sampled_risk"
        )
    if instance.dependence != Independent():
        raise ValueError(
            f"dependence={instance.dependence!r}: Bartlett's decomposition stands for independent samples only; use "
            "verifier.risk.dependent_samples.simulate_dependent"
        )
    n = _sample_size(n)
    ridges = np.atleast_1d(np.asarray(lam, dtype=np.float64))
    if ridges.ndim != 1 or ridges.size == 0:
        raise ValueError(f"lam={lam!r} must be one ridge or a sequence of ridges")
    problems = [problem(instance, n=n, lam=float(value), directions=directions) for value in ridges]
    draws = Replicates(replicates, seed, tuple(key), noise, signs, controls, antithetic)
    samples = simulate(problems, draws)
    return samples if np.ndim(lam) else samples[:, 0]


def simulate(problems: Sequence[Problem], draws: Replicates) -> Array:
    """Risks of every problem on shared replicates, shape (draws.count, len(problems)).

    Problems may belong to different instances: whatever (n, p) they have in common is sampled once for all of
    them, and the replicates of small problems are solved in stacks (:mod:`verifier.risk.stacked`).
    """
    rows = max(len(item.ell) for item in problems)
    columns = max(min(item.n, len(item.ell)) for item in problems)
    groups: dict[tuple[int, int], list[int]] = {}
    for j, item in enumerate(problems):
        groups.setdefault((item.n, len(item.ell)), []).append(j)
    known = [control(item) if draws.controls else None for item in problems]
    mirrors = (1.0, -1.0) if draws.antithetic else (1.0,)
    samples = np.zeros((draws.count, len(problems)))
    step = max(1, _STACK // (rows * columns))
    for start in range(0, draws.count, step):
        stack = range(start, min(start + step, draws.count))
        keys = [(*draws.key, "replicate", draws.first + r) for r in stack]
        normals = np.stack([replicate_normals(rows, columns, draws.seed, key) for key in keys])
        for mirror in mirrors:
            for (n, p), members in groups.items():
                factors = bartlett(mirror * normals, n, p)
                chosen = [problems[j] for j in members]
                if n >= p and draws.averaged:
                    part = stacked_risks(factors, chosen, [known[j] for j in members])
                else:
                    part = np.empty((len(stack), len(members)))
                    for r, (factor, key) in enumerate(zip(factors, keys, strict=True)):
                        extras = _Extras(draws, key)
                        for k, (j, item) in enumerate(zip(members, chosen, strict=True)):
                            part[r, k] = (_primal if n >= p else _dual)(factor, item, draws, extras)
                            if (linear := known[j]) is not None:
                                part[r, k] -= linear.linear(np.einsum("ij,ij->i", factor, factor) / n - 1.0)
                samples[stack.start : stack.stop, members] += part / len(mirrors)
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


def replicate_normals(rows: int, columns: int, seed: int, key: tuple[str | int, ...]) -> Array:
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


def bartlett(normals: Array, n: int, p: int) -> Array:
    """Lower trapezoidal A with A A' distributed as Z'Z, shape (..., p, min(n, p)), from normals (..., rows, columns)."""
    columns = min(n, p)
    factor = np.tril(normals[..., :p, :columns], -1)
    shape = 0.5 * (n - np.arange(columns))
    diagonal = np.arange(columns)
    factor[..., diagonal, diagonal] = np.sqrt(2.0 * gammaincinv(shape, ndtr(normals[..., diagonal, diagonal])))
    return factor


def _primal(factor: Array, item: Problem, draws: Replicates, extras: _Extras) -> float:
    """Risk for n >= p with sampled signs or noise, from the p x p matrix H."""
    n, ell, lam = item.n, item.ell, item.ridge
    diagonal = np.arange(len(ell))
    system = factor @ factor.T / n
    system[diagonal, diagonal] += lam / ell
    full = _symmetric(_inverse(system, item))
    sums = np.sum(full * full, axis=0)
    variance = (float(full[diagonal, diagonal].sum()) - lam * float(sums @ (1.0 / ell))) / n
    labels = math.sqrt(item.sigma2) * (factor @ extras.noise(len(ell))) / n if draws.noise == "sampled" else None
    if draws.signs == "averaged":
        risk = float(sums @ (item.f2 * (lam / ell) ** 2))
        error = np.zeros(len(ell))
    else:
        risk = 0.0
        error = full @ (-(lam / ell) * extras.signs(len(ell)) * np.sqrt(item.f2))
    if labels is None:
        risk += float(error @ error) + item.sigma2 * variance
    else:
        risk += float(np.sum((error + full @ labels) ** 2))
    return float(item.complete(risk, variance))


def _dual(factor: Array, item: Problem, draws: Replicates, extras: _Extras) -> float:
    """Risk for n < p from n x n matrices."""
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
    return float(item.complete(risk, variance))


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


def target_energies(instance: Instance, ell: Array, index: int | None) -> Array:
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


def _infinitely_wide(instance: Instance) -> None:
    if instance.context.several:
        raise ValueError(
            f"context={instance.context!r}: samples of the first head alone stand for one head only; use learning_curve"
        )
    if instance.features.finite:
        raise ValueError(
            f"features={instance.features!r}: samples of the inputs alone stand for infinite width only; use learning_curve, or "
            "verifier.risk.feature_samples.simulate_features"
        )


def _ridge(lam: object) -> float:
    value = float(lam)  # type: ignore[arg-type]
    if not math.isfinite(value) or value < 0.0:
        raise ValueError(f"lam={lam!r} must be a finite ridge >= 0")
    return value

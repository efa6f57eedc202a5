r"""Monte Carlo excess risk on samples that depend on one another, drawn as :mod:`verifier.instances.dependence` draws them.

The model is that of :mod:`verifier.risk.dependent`; nothing of its derivation is used for the directions that are simulated. With
whitened inputs Z (n x p), the leading p coordinates, and the others as a ridge that is correlated over time like the inputs,
:math:`A = r\,(\lambda + t C)^{-1}, t = \frac1n \sum_{i>p} l_i \kappa/(l_i+\kappa), r = \lambda + t`, one has (Woodbury 1950)

.. math:: H = (Z'AZ/n + r L^{-1})^{-1}, \qquad b = r^2 \sum_i (f_i/l_i)^2 [H^2]_{ii}, \qquad
          v_M = \frac1{n^2} \mathrm{tr}\,H Z' A M A Z H,

for the bias, averaged over the signs of f, and the variance per unit of noise of correlation M, averaged over the noise given the
inputs: :math:`M = C_\varepsilon` for label noise, :math:`M = C` for what the far coordinates leave over, which is correlated like
the inputs. With :math:`B = \sum_{i>p} f_i^2 (\kappa/(l_i+\kappa))^2` and
:math:`d = \frac1n\sum_{i>p} (l_i/(l_i+\kappa))^2` the risk of the far coordinates is
:math:`T = B + d\,(J_x E + \sigma^2 J_\varepsilon)`, and that of all of them

.. math:: E = b + \sigma^2 v_{C_\varepsilon} + (1 + v_C)\,T,

two linear equations. Uncentred inputs have a constant coordinate more, a column of ones of the eigenvalue :math:`l_0`, whose part
of E is left out of :math:`J_x E`: the far coordinates hear it, and are spared the noise that it fits, as
:mod:`verifier.risk.means` says. Without dependence this is :meth:`verifier.risk.simulate.Problem.complete`. Runs are one row
each: a run of length L is one input with :math:`Z'AZ = \sum z z'\, rL/(\lambda + tL)`, noise of variance :math:`L^2` where it is
repeated and L where it is fresh.

With fewer samples than directions n x n matrices take the place of H. Let :math:`D = L/r`, the coordinates
with :math:`l_i \le r` be marked t, the others o, and :math:`K = nA^{-1} + Z_t D_t Z_t' = GG'`,
:math:`W_o = G^{-1}Z_o, W_t = G^{-1}Z_tD_t^{1/2}, T = W_o'W_t`. Then (Schur complements, Woodbury)

.. math:: H_{oo} = (W_o'W_o + D_o^{-1})^{-1}, \quad H_{ot} = -H_{oo} T D_t^{1/2}, \quad
          H_{tt} = D_t^{1/2}(1 - W_t'W_t + T'H_{oo}T) D_t^{1/2}, \quad HZ'A/n = F G^{-1},

F of the rows :math:`H_{oo}W_o'` and :math:`D_t^{1/2}(W_t' - T'H_{oo}W_o')`, so that :math:`v_M = \mathrm{tr}\,F'F\,G^{-1}MG^{-T}`.
Only where :math:`D_t \le 1` is anything subtracted from one: nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import blas, cho_factor, cho_solve, lapack, solve_triangular, solveh_banded, toeplitz

from verifier.instances import (
    AR1,
    Dependent,
    Independent,
    Instance,
    MovingAverage,
    Process,
    Repeated,
    UncentredDesign,
    White,
)
from verifier.risk.equivalents import equivalent_for
from verifier.risk.means import UncentredEquivalent
from verifier.risk.responses import responses
from verifier.risk.simulate import Problem, Replicates, problem
from verifier.risk.streams import stream

Array = NDArray[np.float64]

DIRECTIONS = 512
"""Most coordinates that are simulated by default; at n below a quarter of it, 4n."""

MOST_SAMPLES = 4096
"""Longest sequence: correlations over time are handled as matrices."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One (n, lambda): its problem, the ridge t of the far coordinates, the factors J_x, J_eps there, and what they hear besides
    because of a constant coordinate, the last one of the problem where there is one.
    """

    item: Problem
    lam: float
    inputs: float
    noise: float
    besides: float = 0.0
    uncentred: bool = False

    @property
    def far(self) -> float:
        return self.item.ridge - self.lam

    @property
    def few(self) -> bool:
        """Whether matrices of n x n are the smaller ones: most directions are shrunk more than they are fitted."""
        item = self.item
        shrunk = 2 * int(np.count_nonzero(item.ell > item.ridge)) < len(item.ell)
        return item.n < len(item.ell) and shrunk and not self.uncentred

    @property
    def drawn(self) -> int:
        """Coordinates that are drawn, all but the constant."""
        return len(self.item.ell) - self.uncentred

    def seen(self, inputs: Array) -> Array:
        """The coordinates of the problem at its n times, from inputs that are drawn for more of both."""
        z = inputs[: self.item.n, : self.drawn]
        return np.column_stack([z, np.ones(len(z))]) if self.uncentred else z

    def complete(self, moved: Array, whole: Array) -> float:
        """Excess risk from (bias, own, passed), the bias and the two variances of the simulated coordinates: ``whole`` of all of
        them, ``moved`` of the constant.
        """
        item, rest = self.item, whole - moved
        known, inflation = rest[0] + item.sigma2 * rest[1], 1.0 + rest[2]
        added = item.tail_bias + (item.sigma2 * self.noise + self.besides) * item.tail_df2
        others = (known + added * inflation) / (1.0 - inflation * self.inputs * item.tail_df2)
        beyond = (others - known) / inflation
        return float(others + moved[0] + item.sigma2 * moved[1] + moved[2] * beyond)


def simulate_dependent(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks on dependent samples at each (n, lambda), shape (draws.count, len(pairs)).

    A replicate is one sequence, of which (n, lambda) sees the first n samples. ``draws.noise`` and ``draws.signs`` must be
    "averaged"; ``draws.controls`` and ``draws.antithetic`` are without effect. n at most 4096; work n^2 p + p^3 a pair.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: on dependent samples both are averaged")
    longest = max(n for n, _ in pairs)
    if longest > MOST_SAMPLES:
        raise ValueError(f"n={longest}: sequences of dependent samples are simulated up to n={MOST_SAMPLES}")
    settings = [setting_of(instance, n, lam, directions or min(DIRECTIONS, 4 * n)) for n, lam in pairs]
    width = max(setting.drawn for setting in settings)
    dependence = instance.dependence
    passes = None
    if isinstance(dependence, Dependent | Independent):
        passes = [_InTime(dependence, setting) for setting in settings]
    result = np.empty((draws.count, len(settings)))
    for r in range(draws.count):
        generator = stream(draws.seed, *draws.key, "replicate", draws.first + r, "dependent")
        inputs, _ = dependence.draw(generator, longest, width)
        for j, setting in enumerate(settings):
            z = setting.seen(inputs)
            if passes is not None and setting.few:
                result[r, j] = passes[j].risk_of_few(z)
                continue
            moments = _of_runs(dependence, setting, z) if passes is None else passes[j].moments(z)
            result[r, j] = risk_of(setting, *moments)
    return result


def setting_of(instance: Instance, n: int, lam: float, p: int) -> Setting:
    """The setting of an instance at (n, lambda), with p simulated directions."""
    item = problem(instance, n=n, lam=lam, directions=p)
    if item.ridge == 0.0 and len(item.ell) >= responses(instance.dependence).capacity * n:
        raise ValueError(f"lam={lam:g} at n={n} with {len(item.ell)} directions: a sample so small needs a ridge")
    factors = _factors(instance, n, item.kappa)
    design = instance.design
    if not isinstance(design, UncentredDesign):
        return Setting(item, lam, *factors)
    with_mean = replace(item, ell=np.append(item.ell, design.mean**2), f2=np.append(item.f2, design.intercept**2))
    return Setting(with_mean, lam, *factors, besides=_besides(instance, n, item.kappa), uncentred=True)


def _besides(instance: Instance, n: int, kappa: float) -> float:
    """What the far coordinates hear of the mean, less the noise that they are spared."""
    if kappa == 0.0:
        return 0.0
    sizes = np.array([float(n)])
    engine = equivalent_for(instance, sizes, np.zeros(1))
    assert isinstance(engine, UncentredEquivalent)
    return float(engine.spared(sizes, np.array([kappa]))[0])


def _factors(instance: Instance, n: int, kappa: float) -> tuple[float, float]:
    if kappa == 0.0:
        return 1.0, 1.0  # nothing lies beyond the simulated coordinates
    sizes = np.array([float(n)])
    share = equivalent_for(instance, sizes, np.zeros(1)).sums(np.array([kappa])).df1 / sizes
    found = responses(instance.dependence)
    response = found.at(np.minimum(share, found.capacity), sizes)
    return float(response.inputs[0]), float(response.noise[0])


class _InTime:
    """Correlations of two stationary processes over time, for one setting."""

    def __init__(self, dependence: Dependent | Independent, setting: Setting) -> None:
        n, item = setting.item.n, setting.item
        self.white = isinstance(dependence.inputs, White)
        self.same = dependence.noise == dependence.inputs
        self.noise = None if isinstance(dependence.noise, White) else _correlations(dependence.noise, n)
        self.inputs = None if self.white else _correlations(dependence.inputs, n)
        self.scale, self.lam, self.far = item.ridge, setting.lam, setting.far
        self._setting = setting

    @cached_property
    def _matrices(self) -> tuple[Array, Array | None, Array | None]:
        """n A^-1, C_eps and C, shape (n, n) each; None for the identity."""
        n = self._setting.item.n
        own = None if self.noise is None else self.noise.times(np.eye(n))
        through = None if self.inputs is None else self.inputs.times(np.eye(n))
        over = (
            np.eye(n)
            if through is None or self.far == 0.0
            else (self.lam * np.eye(n) + self.far * through) / self.scale
        )
        return n * over, own, through

    def risk_of_few(self, z: Array) -> float:
        """Excess risk with fewer samples than directions (see the module)."""
        item, (plain, own, through) = self._setting.item, self._matrices
        d = item.ell / item.ridge
        fitted = d > 1.0
        root, leading = np.sqrt(d[~fitted]), z[:, fitted]
        tail = z[:, ~fitted] * root
        factor = np.linalg.cholesky(plain + tail @ tail.T)
        turned = solve_triangular(factor, np.concatenate([leading, tail], axis=1), lower=True, check_finite=False)
        w_o, w_t = turned[:, : leading.shape[1]], turned[:, leading.shape[1] :]
        # In units in which the diagonal is of order one, so that the inverse is good on steep spectra.
        unit = 1.0 / np.sqrt(1.0 + 1.0 / d[fitted])
        system = w_o.T @ w_o
        system.flat[:: len(unit) + 1] += 1.0 / d[fitted]
        half = np.linalg.cholesky(unit[:, None] * system * unit)
        inner = solve_triangular(half, np.diag(unit), lower=True, check_finite=False)
        inverse, between = inner.T @ inner, w_o.T @ w_t
        passed, fitting = inverse @ between, inverse @ w_o.T
        kept = inner @ between
        rest = kept.T @ kept - w_t.T @ w_t
        rest.flat[:: len(root) + 1] += 1.0
        squares = np.empty(len(d))
        squares[fitted] = (np.sum(inverse**2, axis=1) + passed**2 @ root**2) / d[fitted] ** 2
        squares[~fitted] = (np.sum(passed**2, axis=0) + rest**2 @ root**2) / root**2
        rows = np.concatenate([fitting, root[:, None] * (w_t.T - between.T @ fitting)])
        back = solve_triangular(factor, np.asarray(rows.T @ rows), trans=1, lower=True, check_finite=False)
        heard = solve_triangular(factor, back.T, trans=1, lower=True, check_finite=False)  # G^-T F'F G^-1

        def variance(correlations: Array | None) -> float:
            return float(np.trace(heard) if correlations is None else np.vdot(heard, correlations))

        whole = np.array([float(item.f2 @ squares), variance(own), variance(through)])
        return self._setting.complete(np.zeros(3), whole)

    def moments(self, z: Array) -> tuple[Array, Array, Array]:
        """Z'AZ/n, Z'AC_eps AZ/n and Z'ACAZ/n."""
        n = len(z)
        corrected = self.inputs is not None and self.far > 0.0
        passed = self.scale * self.inputs.solve(self.lam, self.far, z) if corrected and self.inputs is not None else z
        plain = passed.T @ passed / n
        through = plain if self.inputs is None else passed.T @ self.inputs.times(passed) / n
        if self.noise is None:
            return z.T @ passed / n if corrected else plain, plain, through
        own = through if self.same else passed.T @ self.noise.times(passed) / n
        return (z.T @ passed / n if corrected else plain), own, through


def _correlations(process: Process, n: int) -> _Dense | _Markov | _Banded:
    """The correlation matrix C of n samples of a process, by what it takes to multiply and to solve with it."""
    if isinstance(process, AR1) and n > 1:
        return _Markov(process.rho, n)
    if isinstance(process, MovingAverage) and process.order < n:
        return _Banded(process.autocorrelations(process.order), n)
    return _Dense(process.autocorrelations(n - 1))


class _Dense:
    """Any Toeplitz matrix: multiplied as part of a circulant one (work n log n a column), solved by its Cholesky factor (n^2)."""

    def __init__(self, correlations: Array) -> None:
        n = len(correlations)
        self._correlations = correlations
        self._length = next_fast_len(2 * n, real=True)
        wrapped = np.zeros(self._length)
        wrapped[:n] = correlations
        wrapped[self._length - n + 1 :] = correlations[:0:-1]
        self._spectrum = rfft(wrapped)[:, None]
        self._factors: dict[tuple[float, float], tuple[Array, bool]] = {}

    def times(self, z: Array) -> Array:
        product = irfft(self._spectrum * rfft(z, self._length, axis=0), self._length, axis=0)
        return np.asarray(product[: len(z)])

    def solve(self, lam: float, far: float, z: Array) -> Array:
        """(lam + far C)^-1 z."""
        if (lam, far) not in self._factors:
            shifted = lam * np.eye(len(z)) + far * toeplitz(self._correlations)
            self._factors[lam, far] = cho_factor(shifted, lower=True, overwrite_a=True)
        return np.asarray(cho_solve(self._factors[lam, far], z, check_finite=False))


class _Markov:
    r"""AR(1): :math:`C^{-1}` is tridiagonal, :math:`(1, 1 + \rho^2, \dots, 1 + \rho^2, 1)/(1 - \rho^2)` beside
    :math:`-\rho/(1 - \rho^2)`; work n a column.
    """

    def __init__(self, rho: float, n: int) -> None:
        self._precision = np.zeros((2, n))
        self._precision[0] = 1.0 + rho**2
        self._precision[0, [0, -1]] = 1.0
        self._precision[1, :-1] = -rho
        self._precision /= 1.0 - rho**2

    def times(self, z: Array) -> Array:
        return np.asarray(solveh_banded(self._precision, z, lower=True, check_finite=False))

    def solve(self, lam: float, far: float, z: Array) -> Array:
        """(lam + far C)^-1 z = (lam C^-1 + far)^-1 C^-1 z."""
        diagonal, beside = self._precision[0][:, None], self._precision[1][:-1, None]
        product = diagonal * z
        product[1:] += beside * z[:-1]
        product[:-1] += beside * z[1:]
        shifted = lam * self._precision
        shifted[0] += far
        return np.asarray(solveh_banded(shifted, product, lower=True, overwrite_b=True, check_finite=False))


class _Banded:
    """Moving averages: C is banded; work n times the order a column."""

    def __init__(self, correlations: Array, n: int) -> None:
        self._correlations = correlations
        self._bands = np.repeat(correlations[:, None], n, axis=1)

    def times(self, z: Array) -> Array:
        product = np.asarray(self._correlations[0] * z)
        for lag, correlation in enumerate(self._correlations[1:], start=1):
            product[lag:] += correlation * z[:-lag]
            product[:-lag] += correlation * z[lag:]
        return product

    def solve(self, lam: float, far: float, z: Array) -> Array:
        """(lam + far C)^-1 z."""
        shifted = far * self._bands
        shifted[0] += lam
        return np.asarray(solveh_banded(shifted, z, lower=True, check_finite=False))


def _of_runs(dependence: object, setting: Setting, z: Array) -> tuple[Array, Array, Array]:
    """The same for repeated inputs: a row for each run."""
    assert isinstance(dependence, Repeated)
    n, ridge = len(z), setting.item.ridge
    starts = np.flatnonzero(np.concatenate([[True], z[1:, 0] != z[:-1, 0]]))
    lengths = np.diff(starts, append=n).astype(np.float64)
    rows = z[starts]
    gain = ridge / (setting.lam + setting.far * lengths) if ridge > 0.0 else np.ones_like(lengths)

    def weighted(weights: Array) -> Array:
        return np.asarray((rows * weights[:, None]).T @ rows / n)

    through = weighted((lengths * gain) ** 2)
    own = through if dependence.noise == "repeated" else weighted(lengths * gain**2)
    return weighted(lengths * gain), own, through


def risk_of(setting: Setting, moments: Array, own: Array, through: Array) -> float:
    """Excess risk from X'AX, X'A C_eps A X and X'ACAX, over n."""
    item = setting.item
    ridges = item.ridge / item.ell
    # In units in which the diagonal is of order one, so that the inverse is good on steep spectra.
    unit = 1.0 / np.sqrt(1.0 + ridges)
    system = moments.T.copy(order="F")  # LAPACK's order: nothing is transposed on the way
    system.T.flat[:: len(ridges) + 1] += ridges
    system *= unit[:, None]
    system *= unit
    half, info = lapack.dpotrf(system, lower=1, overwrite_a=1)
    inverse, info = lapack.dpotri(half, lower=1, overwrite_c=1) if info == 0 else (half, info)
    if info != 0:
        raise ValueError(
            f"lam={setting.lam:g} at n={item.n} with {len(item.ell)} directions: the system is singular in double precision; "
            "use a larger ridge or fewer directions"
        )
    # The triangle above is zero: that of H = U S^-1 U, and its mirror image. Of H^2 one triangle is made too.
    inverse *= unit[:, None]
    inverse *= unit
    inverse.T.flat[:: len(ridges) + 1] *= 0.5
    h = inverse + inverse.T
    squares = blas.dsyrk(1.0, h)
    diagonal = np.diagonal(squares)
    energy = item.f2 * ridges**2
    bias = float(energy @ diagonal) if item.ridge > 0.0 else 0.0

    def trace(weights: Array) -> float:
        """tr H^2 M of a symmetric M."""
        above = 2.0 * np.vdot(squares.T, weights) - diagonal @ np.diagonal(weights)
        return float(above) / item.n

    variance = trace(own)
    whole = np.array([bias, variance, variance if through is own else trace(through)])
    if not setting.uncentred:
        return setting.complete(np.zeros(3), whole)
    last = h[-1]
    return setting.complete(
        np.array([float(energy @ last**2), float(last @ own @ last) / item.n, float(last @ through @ last) / item.n]),
        whole,
    )

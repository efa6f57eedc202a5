r"""The deterministic equivalent of the excess risk of an estimator that stops a descent early.

*A filter as a sum of ridges.* :math:`e^{-u}` is :math:`\frac{1}{2\pi i}\int e^\zeta\,(\zeta + u)^{-1} d\zeta` over a contour around
the negative axis; the midpoint rule on the cotangent contour of Talbot with ``POLES`` nodes has an absolute error of
:math:`3.9^{-P}` at every :math:`u \ge 0` (Trefethen, Weideman and Schmelzer 2006; Dingfelder and Weideman 2015). With
:math:`g_\lambda(x) = A e^{-\psi(x)/\lambda}` (A = 1 without momentum) and x where :math:`\psi(x) = -\lambda\zeta_j` this becomes

.. math:: g_\lambda(x) = \sum_j w_j \frac{z_j}{x + z_j}, \qquad \phi_\lambda(x) = \sum_j \frac{w_j}{x + z_j}, \qquad \sum_j w_j = 1:

the estimator is a sum of ridge regressions with complex ridges :math:`z_j`.

*Its risk.* Resolvents of the empirical covariance have the equivalents
:math:`z(\hat\Sigma + z)^{-1} \to \kappa(\Sigma + \kappa)^{-1}`, :math:`z = \kappa(1 - d_1(\kappa)/n)`, and two of them
(Cheng and Montanari 2024; Atanasov, Zavatone-Veth and Pehlevan 2024 for two ridges) give for ridges :math:`z_j, z_k`

.. math:: B_{jk} = \sum_i f_i^2\frac{\kappa_j\kappa_k}{(l_i+\kappa_j)(l_i+\kappa_k)}, \quad
          d_{jk} = \sum_i \frac{l_i^2}{(l_i+\kappa_j)(l_i+\kappa_k)}, \quad
          E = \sum_{jk} w_j w_k \frac{B_{jk} + \sigma^2 d_{jk}/n}{1 - d_{jk}/n},

which for one real pole is ridge regression. The part :math:`B_{jk}`, and :math:`d_{jk}` in the numerator, are summed as squares,
:math:`\sum f_i^2G(l_i)^2` and :math:`\sum(1 - G(l_i))^2` with :math:`G(l) = \sum_j w_j\kappa_j/(l + \kappa_j)`, so that nothing
cancels where the bias falls faster than that of any ridge.

*The oracle.* kappa stands for the real effective ridge of :math:`\lambda`, as for ridge regression, and the best one is found from
the leading terms, :math:`\sum f_i^2 g_\kappa(l_i)^2 + \frac{\sigma^2}{n}\sum(1 - g_\kappa(l_i))^2`: it misses the minimum by a
share of the order N/n, which costs a share of the order of its square. Descents that fit nine tenths of the degrees of freedom
of a sample, and more, are left out: they interpolate it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Descent, Instance
from verifier.risk.engine import LOG_KAPPA_MIN, DiagonalSums, Equivalent, log_kappa_floor

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

POLES = 12
"""An even number of nodes: those with a positive imaginary part, and their conjugates."""

STEP = 1.0
"""Step in ln kappa of the grid on which the best ridge is looked for."""

SETTLED = 1e-11
"""1 - lambda/kappa = d1/n up to which what effective ridges add is nothing."""

FULLEST = 0.9
"""d1/n at the latest stop that the oracle considers."""

FOUND = 1e-7
"""Error in ln kappa of the best ridge, of which the risk shows the square."""

_NEWTON = 60
_CHUNK = 40_000  # complex entries worked on at a time


def contour(poles: int = POLES) -> tuple[Complex, Complex]:
    r"""Nodes :math:`\zeta` in the upper half plane and weights c, shape (poles/2,) each, with
    :math:`e^{-u} = 2\,\mathrm{Re}\sum_j c_j/(\zeta_j + u)` for :math:`u \ge 0`, to :math:`3.9^{-P}`.
    """
    theta = (2.0 * np.arange(poles // 2, poles) + 1.0) * math.pi / poles - math.pi
    angle = 0.6407 * theta
    zeta = poles * (0.5017 * theta / np.tan(angle) - 0.6122 + 0.2645j * theta)
    slope = poles * (0.5017 / np.tan(angle) - 0.5017 * angle / np.sin(angle) ** 2 + 0.2645j)
    return zeta, np.asarray(-1j / poles * np.exp(zeta) * slope)


def ridges(instance: Instance, lam: Array) -> tuple[Complex, Complex]:
    """The complex ridges and weights of an instance's filter, as :func:`ridges_of` gives them."""
    assert isinstance(instance.filter, Descent)
    return ridges_of(instance.filter, lam, largest_eigenvalue(instance))


def ridges_of(descent: Descent, lam: Array, largest: float) -> tuple[Complex, Complex]:
    """The complex ridges z and weights w of a filter at each lambda, shape (k, poles/2) each: half of them, the others are their
    conjugates. ``largest`` is l_1.
    """
    zeta, weight = contour()
    scaled = lam[:, None] * zeta
    where, slope = descent.at_decay(-scaled, largest)
    z = -where
    amplitude = 1.0 + descent.excess(-scaled, largest)
    return z, np.asarray(weight * lam[:, None] * slope * amplitude / z)


def largest_eigenvalue(instance: Instance) -> float:
    """l_1."""
    return float(np.exp(instance.spectrum.log_eigenvalues(np.zeros(1))[0]))


class FilterEquivalent(Equivalent):
    """The sums of one instance whose estimator is an iterative filter, label noise included."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(self._sums, DiagonalSums)
        assert isinstance(instance.filter, Descent)
        self._descent = instance.filter
        self._modes = self._sums.modes
        self._largest = largest_eigenvalue(instance)
        self._earliest = self._descent.earliest(self._largest)

    def _ridges(self, lam: Array) -> tuple[Complex, Complex]:
        """Complex ridges and weights of the filter at each lambda, as :func:`ridges` gives them."""
        return ridges_of(self._descent, lam, self._largest)

    def _left(self, ell: Array, lam: Array) -> Array:
        """g at eigenvalues (columns) and lambdas (rows, shape (k, 1))."""
        decay, excess = self._decay(ell)
        return np.asarray((1.0 + excess) * np.exp(-decay / lam))

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """kappa(n, lambda), shape (k,), at the lambda of the earliest stop for any that is larger."""
        return super().effective_ridge(n, np.minimum(lam, self._earliest))

    def solved(self, n: Array, lam: Array, kappa: Array) -> tuple[Complex, Complex, Complex]:
        """Complex ridges, weights, and effective ridges at each (n, lambda), shape (k, poles/2) each; ``kappa`` (k,) is that of
        lambda itself.
        """
        z, weight = self._ridges(lam)
        found = z * (kappa / lam)[:, None]
        ell, count, size = self._modes.eigenvalues, self._modes.multiplicity, n[:, None]
        active = np.arange(len(n))
        for _ in range(_NEWTON):
            root = found[active]
            share = ell / (ell + root[..., None])
            df1 = share @ count
            share *= share
            step = (root * (1.0 - df1 / size[active]) - z[active]) / (1.0 - (share @ count) / size[active])
            found[active] = root - step
            active = active[np.any(np.abs(step) > 1e-12 * np.abs(root), axis=1)]
            if active.size == 0:
                break
        found[active] = np.nan
        return z, weight, found

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, kappa)."""
        lam = self.ridge(n, kappa)
        few = self._few(lam, kappa)
        bias, noise = np.empty_like(n), np.empty_like(n)
        if few.any():
            bias[few], noise[few] = self._leading(np.log(kappa[few]))
            noise[few] *= self._passed_alone(n[few], kappa[few]) / n[few]
        size, many = max(1, _CHUNK // (POLES * self._sums.nodes)), np.flatnonzero(~few)
        # Beyond interpolation, lambda far below kappa, there are no complex ridges to be found: NaN there.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for start in range(0, len(many), size):
                part = many[start : start + size]
                bias[part], noise[part] = self._corrected(n[part], lam[part], kappa[part])
        return bias, self.variance * noise

    def _few(self, lam: Array, kappa: Array) -> NDArray[np.bool_]:
        """Where N/n is so small that the leading terms are all."""
        return np.asarray(kappa - lam <= SETTLED * kappa)

    def _passed_alone(self, n: Array, kappa: Array) -> Array | float:
        """What the noise of the leading terms is multiplied by: one on independent samples."""
        return 1.0

    def _passed_on(self, n: Array, kappa: Array, z: Complex, found: Complex, df1: Complex) -> tuple[Any, Any, Any]:
        """What risk and noise of the samples are multiplied by, for every pair of poles, and the latter at the real effective
        ridge: ones on independent samples; z, effective ridges and degrees of freedom of shape (k, P).
        """
        return 1.0, 1.0, 1.0

    def _corrected(self, n: Array, lam: Array, kappa: Array) -> tuple[Array, Array]:
        z, weight, found = self.solved(n, lam, kappa)
        modes = self._modes
        near = np.minimum(kappa, self._earliest)
        plain, plain_weight = self._ridges(near)
        share = modes.eigenvalues / (modes.eigenvalues + found[..., None])
        part = 1.0 / (modes.target_eigenvalues + found[..., None])
        # 1 - G and G are those of the filter at about kappa, known exactly, and what the effective ridges of the poles differ by.
        beside = modes.eigenvalues / (modes.eigenvalues + plain[..., None])
        kept = np.einsum("kp,kpi->ki", weight, share) - np.einsum("kp,kpi->ki", plain_weight, beside)
        kept = 2.0 * np.real(kept) + self._learnt(modes.eigenvalues, 1.0 / near[:, None])
        beside = 1.0 / (modes.target_eigenvalues + plain[..., None])
        lost = np.einsum("kp,kpi->ki", weight * found, part) - np.einsum("kp,kpi->ki", plain_weight * plain, beside)
        lost = 2.0 * np.real(lost) + self._left(modes.target_eigenvalues, near[:, None])
        # Both kinds of sums over two poles by partial fractions: 1/((l+a)(l+b)) = (1/(l+a) - 1/(l+b))/(b-a).
        both = [found, weight, part @ modes.target_energy, part**2 @ modes.target_energy]
        both += [share @ modes.multiplicity, share**2 @ modes.multiplicity, z]
        kappas, w, energy, energy2, df1, df2, z = (np.concatenate([a, a.conj()], axis=1) for a in both)
        inputs, noise, level = self._passed_on(n, kappa, z, kappas, df1)
        place = np.arange(POLES)
        apart = kappas[:, :, None] - kappas[:, None, :]
        apart[:, place, place] = 1.0
        product = kappas[:, :, None] * kappas[:, None, :]
        bias = product * (energy[:, None, :] - energy[:, :, None]) / apart
        bias[:, place, place] = kappas**2 * energy2
        taken = kappas * df1
        taken = (taken[:, :, None] - taken[:, None, :]) / apart
        taken[:, place, place] = df2
        taken /= n[:, None, None]
        weights = w[:, :, None] * w[:, None, :]
        pair = weights * (inputs * taken) / (1.0 - inputs * taken)
        target = lost**2 @ modes.target_energy + np.real(np.sum(pair * bias, axis=(1, 2)))
        heard = level * (kept**2 @ modes.multiplicity) / n + np.real(np.sum(pair * (noise * taken), axis=(1, 2)))
        # Poles do not hear what one real ridge does.
        heard = heard + np.real(np.sum(weights * (noise - np.reshape(level, (-1, 1, 1))) * taken, axis=(1, 2)))
        return target, heard

    def optimum(self, n: Array) -> Array:
        """kappa at which the leading terms of the risk are smallest, shape of n; not below the one with d1 = .9 n."""
        floor = max(float(log_kappa_floor(self.instance, n, np.zeros_like(n)).min()), LOG_KAPPA_MIN)
        grid, bias, noise = self._table_down_to(floor, float(n.max()))
        values = np.where(np.exp(grid) <= self._earliest, bias + self.variance * noise / n[:, None], np.inf)
        best = np.argmin(values, axis=1)
        u, low, high = grid[best], grid[best] - STEP, grid[best] + STEP
        active = np.arange(len(n))
        for k in range(60):
            at = u[active]
            b1, b2, v1, v2 = self._slopes(at)
            noise = self.variance / n[active]
            slope, curvature = b1 + noise * v1, b2 + noise * v2
            lower, upper = np.where(slope < 0.0, at, low[active]), np.where(slope > 0.0, at, high[active])
            with np.errstate(divide="ignore", invalid="ignore"):
                following = at - slope / curvature
            # Where the bias is exponential in 1/kappa Newton's steps are short: every second one is a bisection then.
            good = (curvature > 0.0) & (following > lower) & (following < upper) & (k < 10 or k % 2 == 0)
            following = np.where(good, following, 0.5 * (lower + upper))
            low[active], high[active], u[active] = lower, upper, following
            active = active[np.abs(following - at) > FOUND]
            if active.size == 0:
                break
        kappa = np.minimum(np.exp(u), self._earliest)
        late = self.ridge(n, kappa) < (1.0 - FULLEST) * kappa
        if late.any():
            kappa[late] = self.effective_ridge(FULLEST * n[late], np.zeros(int(late.sum())))
        return np.asarray(kappa)

    def _table_down_to(self, floor: float, most: float) -> tuple[Array, Array, Array]:
        """ln kappa, bias and variance on a grid from above the trace down to where the noise of ``most`` samples alone exceeds the
        best risk, or to ``floor``; kept.
        """
        kept: tuple[Array, Array, Array] | None = getattr(self, "_leads", None)
        if kept is None:
            kept = self._rows_of(math.log(self.trace) + 12.0 - STEP * np.arange(32.0))
        while kept[0][-1] > floor:
            noise = self.variance * kept[2] / most
            if noise[-1] > np.min(kept[1] + noise):
                break
            more = self._rows_of(kept[0][-1] - STEP * np.arange(1.0, 33.0))
            kept = (np.append(kept[0], more[0]), np.append(kept[1], more[1]), np.append(kept[2], more[2]))
        self._leads = kept
        return kept

    def _rows_of(self, u: Array) -> tuple[Array, Array, Array]:
        return u, *self._leading(u)

    def size_at_optimum(self, kappa: float) -> float:
        """The n at which the leading terms are smallest at this kappa; infinite where the bias no longer falls."""
        b1, _, v1, _ = (float(value[0]) for value in self._slopes(np.array([math.log(kappa)])))
        return max(-self.variance * v1 / b1, 1.0) if b1 > 0.0 else math.inf

    def _decay(self, ell: Array) -> tuple[Array, Array]:
        """psi and A - 1 at real eigenvalues."""
        decay = self._descent.log_decay(ell, self._largest)
        return decay, np.asarray(self._descent.excess(decay, self._largest))

    def _learnt(self, ell: Array, time: Array) -> Array:
        """1 - g at eigenvalues (columns) and times 1/lambda (rows)."""
        decay, excess = self._decay(ell)
        return np.asarray(-excess - (1.0 + excess) * np.expm1(-decay * time))

    def _leading(self, u: Array) -> tuple[Array, Array]:
        """Bias and variance n/sigma^2 to leading order at each ln kappa."""
        modes = self._modes
        bias, noise = [np.zeros(0)], [np.zeros(0)]
        size = max(1, _CHUNK // self._sums.nodes)
        target_decay, target_excess = self._decay(modes.target_eigenvalues)
        energy = (1.0 + target_excess) ** 2 * modes.target_energy
        for start in range(0, len(u), size):
            scale = np.exp(-u[start : start + size, None])
            bias.append(np.exp(-2.0 * target_decay * scale) @ energy)
            kept = self._learnt(modes.eigenvalues, scale)
            kept *= kept
            noise.append(kept @ modes.multiplicity)
        return np.concatenate(bias), np.concatenate(noise)

    def _slopes(self, u: Array) -> tuple[Array, ...]:
        r"""First and second derivatives of :meth:`_leading` in ln kappa, bias first: with :math:`g = e^{-q}, q = \psi/\kappa`,
        :math:`g' = gq` and :math:`q' = -q`.
        """
        modes, pieces = self._modes, []
        size = max(1, _CHUNK // self._sums.nodes)
        decay, excess = self._decay(modes.eigenvalues)
        target_decay, target_excess = self._decay(modes.target_eigenvalues)
        energy = (1.0 + target_excess) ** 2 * modes.target_energy
        for start in range(0, len(u), size):
            scale = np.exp(-u[start : start + size, None])
            q = target_decay * scale
            g2 = np.exp(-2.0 * q)
            bias = (2.0 * g2 * q, g2 * q * (4.0 * q - 2.0))
            p = decay * scale
            g = (1.0 + excess) * np.exp(-p)
            rest = -excess - (1.0 + excess) * np.expm1(-p)
            noise = (-2.0 * rest * g * p, 2.0 * g * p * (g * p - rest * (p - 1.0)))
            columns = [term @ energy for term in bias] + [term @ modes.multiplicity for term in noise]
            pieces.append(columns)
        return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))

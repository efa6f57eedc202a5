r"""Nystrom features: the deterministic equivalent of ridge regression on the span of m landmarks.

The estimator is the ridge estimator with ridge :math:`\lambda` among the functions :math:`\sum_j a_j K(z_j, \cdot)`, for m landmarks
:math:`z_j` that are drawn from the law of the inputs, independent of the sample (Williams and Seeger 2001; in the form of Rudi,
Camoriano and Rosasco 2015): regression on the features :math:`K_{mm}^{-1/2} k_m(x)`. The risk is an expectation over inputs, noise
and landmarks.

**Derivation.** With P the projector on the landmarks' span, the regression sees inputs of covariance :math:`P\Sigma P`; what the
span does not hold of the target is noise that is independent of them. So, given P, the equivalent of
:mod:`verifier.risk.equivalents` holds with :math:`d_1 = \mathrm{tr}\,\Sigma Q`, :math:`Q = P(P\Sigma P + \kappa)^{-1}P`,
:math:`d_2 = d_1 + \kappa\, \partial_\kappa d_1`, and the bias
:math:`\|\Sigma^{1/2}(1 - Q\Sigma)\theta\|^2`, in which :math:`Q\Sigma Q = Q + \kappa\,\partial_\kappa Q`. For landmarks
:math:`Z = G\Sigma^{1/2}`, G an m x p matrix of standard normals, and :math:`C = \Sigma(\Sigma + \kappa)`,

.. math:: Q = Z'(Z\Sigma Z' + \kappa ZZ')^{-1}Z
            = \Sigma^{1/2}C^{-1/2}\,\big[C^{1/2}G'(GCG')^{-1}GC^{1/2}\big]\,C^{-1/2}\Sigma^{1/2}
            \simeq \Sigma(C + \nu)^{-1}, \qquad m = \sum_i \frac{c_i}{c_i + \nu}, \quad c_i = l_i(l_i + \kappa),

the bracket being the projector on a random subspace. With the shares

.. math:: a_i = \frac{l_i^2}{c_i + \nu}, \quad g_i = \frac{\kappa l_i}{c_i + \nu}, \quad e_i = \frac{\nu}{c_i + \nu}, \qquad
          a_i + g_i + e_i = 1,

everything above is a sum of positive terms:

.. math:: d_1 = \sum_i a_i, \qquad \rho = \frac{\sum_i a_i e_i}{\sum_i (a_i + g_i) e_i}, \qquad
          d_2 = \sum_i a_i^2 + \rho \sum_i a_i e_i, \qquad B = \sum_i f_i^2 \big[(1 - a_i)^2 + \rho\, a_i e_i\big],

.. math:: \lambda = \kappa (1 - d_1/n), \qquad E = \frac{B + \sigma^2 d_2/n}{1 - d_2/n}

(:math:`\kappa\nu'/\nu = \sum g_i e_i / \sum (a_i + g_i)e_i = 1 - \rho`, from the derivative of m in :math:`\kappa`). As m grows
:math:`e_i \to 0` for all i that matter, and the usual equivalent is left.

**Exponents.** Let :math:`N = \kappa^{-1/\beta}`. For m of the order N or larger :math:`\nu \sim \kappa\, l_m`; every sum is of the
order of that of the kernel. For m < N :math:`\nu \sim l_m^2`: :math:`d_2 \sim m` and :math:`B \sim m^{-t'}`, with
:math:`\sum_{j>k} f_j^2 \sim k^{-t}`, :math:`t' = \min(t, 2\beta)`: the error of the best approximation in the span, which
saturates where ridge does. So with noise and :math:`m = c\,n^q` the tuned risk has the exponent
:math:`\min\big(t'/(t'+1),\; t' q\big)`: for a critical target the kernel's :math:`\alpha` from the critical degree
:math:`q^* = 1/(2\beta\min(s, 1) + 1)` on, at which m is of the order of :math:`N(\lambda_n)` (Rudi, Camoriano and Rosasco 2015, Theorem
1 and the leverage scores of Theorem 2), and :math:`2\beta\min(s, 1)\,q` below it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances import Instance, log_index_at
from verifier.risk.equivalents import LOG_KAPPA_MIN, Tuning, equivalent_for, log_kappa_floor, ridge
from verifier.risk.quadrature import modes

Array = NDArray[np.float64]

LOG_LEAST = -640.0
"""ln of the smallest eigenvalue at the index m for which landmarks are told from the whole kernel."""

STEP = 1.0  # in ln kappa, of the grid on which the optimum is looked for
WORTH = math.log(2.5)  # ln of how much worse than its best a rough risk may be for a grid point to be looked at
BELOW = 8.0  # ln of l_m over kappa from which on a smaller ridge changes nothing but the last digits
ROOM = 1e-9  # of 1 - d1/n: closer to interpolation no ridge is looked for


@dataclass(frozen=True, eq=False)
class LandmarkSums:
    """The sums at each (kappa, m), shape (k,), and their derivatives in ln kappa at fixed m."""

    df1: Array
    df2: Array
    bias: Array
    df2_slope: Array
    bias_slope: Array


class NystromEquivalent:
    """Sums of one instance over its spectrum, and the effective and optimal ridge with m landmarks that follow from them.

    ``log_reach``: the nodes serve effective ridges, and landmarks, down to the eigenvalue at this log-index. The instance's
    covariance must be diagonal in the basis of its target, which must be a single one (ValueError).
    """

    chunk = 10_000  # matrix entries worked on at a time: they stay in the cache; does not change the result

    def __init__(self, instance: Instance, log_reach: float) -> None:
        if not instance.diagonal or getattr(instance.target, "supremum", False):
            raise ValueError(
                f"instance={instance.describe()}: landmarks need a single target in the eigenbasis of the covariance; use no "
                "transform, components in one eigenbasis, and a target such as CriticalTarget"
            )
        self.instance = instance
        self.size = instance.spectrum.size
        self.variance = instance.sigma**2
        self.modes = modes(instance, log_reach)
        self.trace = float(self.modes.multiplicity @ self.modes.eigenvalues)
        self._nodes = len(self.modes.eigenvalues) + len(self.modes.target_eigenvalues)

    def level(self, m: Array) -> Array:
        """The eigenvalue at the real index m, zero where landmarks are as good as the whole kernel."""
        log_m = np.log(np.minimum(m, np.minimum(self.size, 1e300)))
        log_level = self.instance.spectrum.log_eigenvalues(log_m)
        return np.where((m >= self.size) | ~np.isfinite(m) | (log_level < LOG_LEAST), 0.0, np.exp(log_level))

    def landmark_ridge(self, kappa: Array, m: Array, start: Array | None = None, steps: int = 60) -> Array:
        r""":math:`\mu = \nu/\kappa` at each kappa > 0 and m, shape (k,), zero for the whole kernel: Newton's method on
        :math:`\ln m` as a function of :math:`\ln\mu`, nearly a straight line; relative error 1e-13 when left to settle.
        """
        level = self.level(m)
        mu = np.where(level > 0.0, level * (level / kappa + 1.0) if start is None else start, 0.0)
        finite = np.flatnonzero(level > 0.0)
        for rows in self._pieces(finite):
            mu[rows] = self._solved(kappa[rows], m[rows], mu[rows], steps)
        return mu

    def _pieces(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        size = max(1, self.chunk // self._nodes)
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _solved(self, kappa: Array, m: Array, mu: Array, steps: int) -> Array:
        ell, weight = self.modes.eigenvalues, self.modes.multiplicity
        joint = ell / kappa[:, None]
        joint += 1.0
        joint *= ell  # c / kappa
        log_mu, log_m = np.log(mu), np.log(m)
        for _ in range(steps):
            here = np.exp(log_mu)[:, None]
            share = joint + here
            np.divide(joint, share, out=share)
            count = share @ weight
            np.subtract(1.0, share, out=here_free := np.empty_like(share))
            here_free *= share
            step = (np.log(count) - log_m) * count / (here_free @ weight)
            log_mu += np.clip(step, -20.0, 20.0)
            if np.all(np.abs(step) <= 1e-9):  # the next step would be of the order of its square
                break
        return np.asarray(np.exp(log_mu))

    def sums(self, kappa: Array, m: Array, mu: Array) -> LandmarkSums:
        """The sums at kappa > 0 (k,), with the landmarks' ridge ``mu`` of :meth:`landmark_ridge`."""
        rows = [self._rows(kappa[k], mu[k]) for k in self._pieces(np.arange(len(kappa)))]
        return LandmarkSums(*(np.concatenate(columns) for columns in zip(*rows, strict=True)))

    def _rows(self, kappa: Array, mu: Array) -> tuple[Array, ...]:
        # In ln kappa: (c+nu)' = (g + e v)(c+nu) with v = 1 - rho, so a' = -a tau, e' = e (v - tau), tau = g + e v.
        a, g, e = _shares(self.modes.eigenvalues, kappa, mu)
        weight = self.modes.multiplicity
        df1 = a @ weight
        ae, ge = a * e, g * e
        s, t = ae @ weight, ge @ weight
        whole = mu == 0.0
        with np.errstate(invalid="ignore"):
            rho = np.where(whole, 0.0, s / (s + t))
        v = 1.0 - rho
        square = a * a
        df2 = square @ weight + rho * s
        square *= g
        slope = -2.0 * (square @ weight)  # of sum a^2, the part with g; sum a^2 e v is a ae
        ae_g, ae_e, ge_e = (ae * g) @ weight, (ae * e) @ weight, (ge * e) @ weight
        ge_g = (ge * g) @ weight
        slope -= 2.0 * v * ((ae * a) @ weight)
        # s' = sum ae (v - 2 tau), (s + t)' = 2 sum (g e (1) ...): from (a+g)' = g - (a+g) tau.
        s_slope = v * s - 2.0 * (ae_g + v * ae_e)
        total = s + t
        total_slope = t + v * total - 2.0 * (ae_g + ge_g + v * (ae_e + ge_e))
        with np.errstate(divide="ignore", invalid="ignore"):
            rho_slope = np.where(whole, 0.0, (s_slope - rho * total_slope) / total)
        df2_slope = slope + rho_slope * s + rho * s_slope
        at, gt, et = _shares(self.modes.target_eigenvalues, kappa, mu)
        energy = self.modes.target_energy
        missed = gt + et
        aet = at * et
        leak = aet @ energy
        bias = (missed * missed) @ energy + rho * leak
        # tau = g + e v; ((1-a)^2)' = 2 (1-a) a tau.
        tau = gt + et * v[:, None]
        bias_slope = 2.0 * ((missed * at * tau) @ energy)
        bias_slope += rho_slope * leak + rho * ((aet * (v[:, None] - 2.0 * tau)) @ energy)
        return df1, df2, bias, df2_slope, bias_slope

    def effective_ridge(self, n: Array, m: Array, lam: Array) -> Array:
        r""":math:`\kappa(n, m, \lambda)`, shape (k,), by Newton's method from the kernel's, which is larger (:math:`d_1` is smaller
        with landmarks), on a convex function; relative error 1e-12. Where a sample that outnumbers the landmarks is fitted
        without a ridge kappa is zero, and a stand-in that changes no digit is returned.
        """
        plain = equivalent_for(self.instance, n, lam).effective_ridge(n, lam)
        level = self.level(m)
        least = np.maximum(lam, np.where(m <= n, math.exp(-2.0 * BELOW) * 1e-6 * level, 0.0))
        kappa = np.maximum(plain, np.maximum(least, math.exp(LOG_KAPPA_MIN)))
        mu = self.landmark_ridge(kappa, m)
        for _ in range(60):
            sums = self.sums(kappa, m, mu)
            step = (kappa * (1.0 - sums.df1 / n) - lam) / np.maximum(1.0 - sums.df2 / n, 1e-3)
            following = np.maximum(kappa - step, np.maximum(least, 0.1 * kappa))
            moved = np.abs(following - kappa)
            kappa, last = following, kappa
            mu = self.landmark_ridge(kappa, m, mu * np.where(self._wide(kappa, level), 1.0, last / kappa))
            if np.all(moved <= 1e-12 * kappa):
                break
        return np.where(np.isnan(plain), np.nan, kappa)

    @staticmethod
    def _wide(kappa: Array, level: Array) -> NDArray[np.bool_]:
        """Where mu is of the order of l_m, whatever kappa; elsewhere it is of the order of l_m^2/kappa."""
        return np.asarray(kappa > level)

    def risk(self, n: Array, sums: LandmarkSums) -> Array:
        """Excess risk, infinite where the sample is interpolated at its threshold."""
        return np.asarray(np.add(*self.terms(n, sums)))

    def terms(self, n: Array, sums: LandmarkSums) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise."""
        room = 1.0 - sums.df2 / n
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = self.variance * sums.df2 / n
            open_room = room > 1e-15
            return (
                np.where(open_room | (sums.bias == 0.0), sums.bias / np.where(open_room, room, 1.0), np.inf),
                np.where(open_room | (noise == 0.0), noise / np.where(open_room, room, 1.0), np.inf),
            )

    def optimum(self, n: Array, m: Array) -> Array:
        r"""kappa of the ridge :math:`\lambda \ge 0` that minimises the risk at each (n, m), shape (k,).

        A rough risk, that of the kernel at :math:`\kappa + l_m`, says which points of a grid in :math:`\ln\kappa` are worth the
        equation in m; where the best of them is at an end the grid is continued. The derivative of the risk is then solved for
        between the neighbours of the best, by the secant and, where it leaves its bracket, by halving. The ridge zero competes.
        """
        level = self.level(m)
        rough = self._rough(n, level)
        u, value, start = self._on_grid(n, m, level, rough)
        return self._refined(n, m, u, value, start)

r"""The deterministic equivalent of a descent that is stopped early, on samples that depend on one another.

The model is that of :mod:`verifier.risk.dependent`, :math:`X = C^{1/2} Z \Sigma^{1/2}` with noise of correlations
:math:`C_\varepsilon`; the estimator is the sum of ridge regressions with complex ridges :math:`z_j` and weights :math:`w_j` of
:mod:`verifier.risk.filters`. With f an eigenvalue of C, :math:`f_\varepsilon` the diagonal entry of :math:`C_\varepsilon` beside
it, their joint law :math:`\mu` (:mod:`verifier.risk.responses`), and for each j

.. math:: \tau_j = E_\mu \frac{f}{1 + \delta_j f}, \qquad \delta_j\tau_j = x_j = \frac{d_1(\kappa_j)}{n}, \qquad
          z_j = \kappa_j\tau_j, \qquad r_j = \frac{\delta_j f}{1 + \delta_j f},

the risk is, with :math:`B_{jk}` and :math:`d_{jk}` of :mod:`verifier.risk.filters`,

.. math:: E = \sum_{jk} w_jw_k \frac{B_{jk} + \sigma^2 J^\varepsilon_{jk}\,d_{jk}/n}{1 - J^x_{jk}\,d_{jk}/n}, \qquad
          J^x_{jk} = \frac{E_\mu\, r_jr_k}{x_jx_k}, \qquad J^\varepsilon_{jk} = \frac{E_\mu[r_jr_kf_\varepsilon/f]}{x_jx_k}.

*Derivation.* In the eigenbasis of C the rows of the sample are independent, row t of the weight :math:`f_t`. Let
:math:`Q_j = (\hat\Sigma + z_j)^{-1}` and :math:`\bar Q_j = (\tau_j\Sigma + z_j)^{-1}` its equivalent (Couillet, Debbah and
Silverstein 2011, theorem 1, where :math:`\delta_j = \frac1n\mathrm{tr}\,\Sigma\bar Q_j`; continued to complex :math:`z_j` off the
negative axis). Taking row t out of both resolvents leaves the factors :math:`1/(1 + \delta_jf_t)` and :math:`1/(1 + \delta_kf_t)`,
so that for any A

.. math:: Q_jAQ_k \to \bar Q_jA\bar Q_k + m_{jk}\,\tfrac1n\mathrm{tr}(\Sigma Q_jAQ_k)\;\bar Q_j\Sigma\bar Q_k, \qquad
          m_{jk} = E_\mu\frac{f^2}{(1 + \delta_jf)(1 + \delta_kf)} = \tau_j\tau_kJ^x_{jk}.

With A = Sigma, :math:`D_{jk} = \frac1n\mathrm{tr}\,\Sigma Q_j\Sigma Q_k` solves :math:`\tau_j\tau_kD_{jk} =
\frac{d_{jk}}n(1 + m_{jk}D_{jk})`, whence :math:`1 + m_{jk}D_{jk} = 1/(1 - J^x_{jk}d_{jk}/n)`. The loss of the target,
:math:`z_jz_k\theta'Q_j\Sigma Q_k\theta`, is :math:`B_{jk}(1 + m_{jk}D_{jk})`. The noise passes as
:math:`\frac1{n^2}\sum_{st}(C_\varepsilon)_{st}x_s'Q_k\Sigma Q_jx_t`; the sign of a row changes nothing else, so that s = t alone
counts, and taking row t out gives :math:`E_\mu[f f_\varepsilon/((1 + \delta_jf)(1 + \delta_kf))]\,D_{jk} =
\tau_j\tau_kJ^\varepsilon_{jk}D_{jk}`. One real pole is :mod:`verifier.risk.dependent`; :math:`f = f_\varepsilon = 1` is
:mod:`verifier.risk.filters`.

*Its law.* :math:`E_\mu` is taken over few nodes: eigenvalues are gathered in cells of :math:`\ln(f + 10^{-5})` of length one, each
replaced by Gauss's rule of ``GAUSS`` nodes for the law within it, with respect to f itself (Golub and Welsch 1969). The pole
:math:`-1/\delta` of the integrands stays away from the cells by an angle.

*The oracle* minimises the leading terms, as in :mod:`verifier.risk.filters`, the noise times :math:`J_\varepsilon` at the real
effective ridge of lambda; where the sample is small for its dependence, ``CLOSE``, the risk itself in their neighbourhood.
Descents that fit nine tenths of the degrees of freedom that a sample has, and more, are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from verifier.instances import Dependence, Dependent, Independent, Repeated
from verifier.instances.processes import SHORT_MEMORY
from verifier.risk.dependent import DependentEquivalent
from verifier.risk.engine import LOG_KAPPA_MIN, log_kappa_floor
from verifier.risk.filters import FULLEST, FilterEquivalent
from verifier.risk.responses import FractionalResponses, Law, Response, responses, run_law, spectral_law
from verifier.risk.sums import Sums

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

GAUSS = 6
"""Nodes that stand for the eigenvalues of a cell."""

CELL = 1.0
"""Length of a cell, in ln(f + FLOOR)."""

FLOOR = 1e-5
"""Eigenvalue of C below which cells are wide: what it does to the integrands is linear there."""

CLOSE = 0.001
"""(J_x - 1) d2/n, what dependence adds to what the leading terms leave out, from which on the oracle looks at the risk itself."""

AROUND = np.arange(-2.0, 7.0) * 0.25
"""ln kappa of the points at which it does, from the optimum of the leading terms."""

_NEWTON = 60


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes of the law mu at each of k sample sizes, or at all of them (k = 1): eigenvalues f, their masses, and their masses times
    f_eps; shape (k, nodes) each.
    """

    inputs: Array
    mass: Array
    heard: Array

    @property
    def size(self) -> int:
        return int(self.inputs.shape[1])

    def tau(self, delta: Complex) -> Complex:
        """E f / (1 + delta f) at (k, P) deltas."""
        return np.asarray(_left(self, delta) @ (self.mass * self.inputs)[..., None])[..., 0]

    def tau_and_slope(self, delta: Complex) -> tuple[Complex, Complex]:
        """tau and its derivative in delta."""
        left, passed = _left(self, delta), self.mass * self.inputs
        tau = left @ passed[..., None]
        left *= left
        return tau[..., 0], -(left @ (passed * self.inputs)[..., None])[..., 0]

    def rows(self, places: NDArray[np.intp]) -> Nodes:
        """The nodes at some of the sample sizes, shape (len(places), nodes)."""
        chosen = places if len(self.inputs) > 1 else np.zeros_like(places)
        return Nodes(self.inputs[chosen], self.mass[chosen], self.heard[chosen])


def law_at(dependence: Dependence, n: Array) -> Nodes:
    """The nodes of a dependence at sample sizes n, shape (k,)."""
    known = responses(dependence)
    if not isinstance(known, FractionalResponses):
        key: Any = dependence
        return _few_nodes(key)
    laws = [known.law(float(m)) for m in n]
    parts = np.zeros((3, len(laws), max(len(law.weights) for law in laws)))
    for k, law in enumerate(laws):
        parts[:, k, : len(law.weights)] = law.inputs, law.weights, law.weights * law.noise
    return Nodes(*parts)


@lru_cache(maxsize=256)
def _few_nodes(dependence: Dependence) -> Nodes:
    if isinstance(dependence, Repeated):
        law = run_law(dependence)
    else:
        assert isinstance(dependence, Dependent | Independent)
        law = spectral_law(dependence.inputs, dependence.noise)
    return gathered(law)


def gathered(law: Law) -> Nodes:
    """Gauss's rules for the masses and for what they hear, cell by cell."""
    cells = np.floor(np.log(law.inputs + FLOOR) / CELL)
    inputs: list[Array] = []
    mass: list[Array] = []
    heard: list[Array] = []
    for cell in np.unique(cells):
        inside = cells == cell
        for part, weights in ((mass, law.weights[inside]), (heard, (law.weights * law.noise)[inside])):
            points, own = gauss_rule(law.inputs[inside], weights, GAUSS)
            inputs.append(points)
            part.append(own)
            (heard if part is mass else mass).append(np.zeros_like(own))
    return Nodes(*(np.concatenate(parts)[None, :] for parts in (inputs, mass, heard)))


def gauss_rule(points: Array, weights: Array, count: int) -> tuple[Array, Array]:
    """At most ``count`` nodes and weights with the moments up to 2 ``count`` - 1 of a discrete law, arrays of shape (k,): the
    eigenvalues of the Jacobi matrix that Lanczos' recursion gives (Golub and Welsch 1969).
    """
    total = float(weights.sum())
    if len(points) <= count or total <= 0.0:
        return points, weights
    middle, half = 0.5 * float(points.max() + points.min()), 0.5 * float(np.ptp(points))
    if half <= 1e-12 * middle:
        return np.array([middle]), np.array([total])
    x = (points - middle) / half
    basis = np.sqrt(weights / total)[None, :]
    diagonal, beside = [], []
    for k in range(count):
        following = x * basis[k]
        diagonal.append(float(following @ basis[k]))
        for _ in range(2):
            following = following - basis.T @ (basis @ following)
        norm = float(np.linalg.norm(following))
        if norm < 1e-10 or k == count - 1:
            break
        beside.append(norm)
        basis = np.concatenate([basis, following[None, :] / norm])
    values, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside))
    return np.asarray(middle + half * values), np.asarray(total * vectors[0] ** 2)


def _left(law: Nodes, delta: Complex) -> Complex:
    """1 / (1 + delta f), shape (k, P, nodes)."""
    return np.asarray(1.0 / (1.0 + delta[..., None] * law.inputs[:, None, :]))


def pair_factors(law: Nodes, delta: Complex) -> tuple[Complex, Complex]:
    """J_x and J_eps of every pair of a row of ``delta``, shape (k, P, P) of (k, P)."""
    left, passed = _left(law, delta), law.inputs * law.mass
    tau = (left @ passed[..., None])[..., 0]
    over = tau[:, :, None] * tau[:, None, :]
    turned = np.swapaxes(left, 1, 2)
    inputs = (left * (law.inputs * passed)[:, None, :]) @ turned
    noise = (left * (law.inputs * law.heard)[:, None, :]) @ turned
    return inputs / over, noise / over


def steady(dependence: Dependence) -> bool:
    """Whether J tends to its limit at few degrees of freedom like a power of them that is one at least."""
    if isinstance(dependence, Repeated):
        runs: Any = dependence.runs
        return getattr(runs, "tail", None) is None or runs.longest is not None
    parts = (getattr(dependence, name) for name in ("inputs", "noise"))
    return all(part.hurst <= SHORT_MEMORY for part in parts)


class DependentFilterEquivalent(FilterEquivalent, DependentEquivalent):
    """The sums of one instance whose estimator is an iterative filter on dependent samples, with label noise."""

    size_at_optimum = DependentEquivalent.size_at_optimum

    def solved(self, n: Array, lam: Array, kappa: Array) -> tuple[Complex, Complex, Complex]:
        """Complex ridges, weights, and effective ridges at each (n, lambda), shape (k, poles/2) each; ``kappa`` (k,) is that of
        lambda itself. Newton's method for delta, with kappa = z / tau(delta).
        """
        z, weight = self._ridges(lam)
        room = (lam / kappa)[:, None]
        law = law_at(self.instance.dependence, n)
        # As if tau were that of lambda itself; where Newton's method goes astray, from far above in steps.
        start = self.freedom(z / room) / n[:, None] / room
        delta = self._newton(n, z, law, start)
        lost = np.flatnonzero(np.isnan(delta).any(axis=1))
        if lost.size:
            part, rows = n[lost], law.rows(lost)
            scale = -np.log(room[lost]) + 2.0
            at = self.freedom(z[lost] * np.exp(scale)) / part[:, None]
            for step in np.linspace(1.0, 0.0, 1 + 2 * math.ceil(float(scale.max()))):
                at = self._newton(part, z[lost] * np.exp(step * scale), rows, at)
            delta[lost] = at
        return z, weight, z / law.tau(delta)

    def freedom(self, kappa: Complex) -> Complex:
        """d1 at complex kappa, shape of kappa (k, P)."""
        ell = self._modes.eigenvalues
        return np.asarray((ell / (ell + kappa[..., None])) @ self._modes.multiplicity)

    def _newton(self, n: Array, z: Complex, law: Nodes, start: Complex) -> Complex:
        """The root delta of delta tau(delta) = d1(z / tau(delta)) / n from a start, shape of z (k, P); NaN where there is none."""
        ell, count, size = self._modes.eigenvalues, self._modes.multiplicity, n[:, None]
        delta, active = start.copy(), np.arange(len(n))
        for _ in range(_NEWTON):
            at, m = delta[active], size[active]
            tau, slope = law.rows(active).tau_and_slope(at)
            share = ell / (ell + (z[active] / tau)[..., None])
            df1 = share @ count
            share *= share
            step = (at * tau - df1 / m) / (tau + at * slope - (df1 - share @ count) * slope / (m * tau))
            delta[active] = at - step
            active = active[~np.all(np.abs(step) <= 1e-12 * np.abs(at), axis=1)]
            if active.size == 0:
                break
        delta[active] = np.nan
        return delta

    def _passed_on(self, n: Array, kappa: Array, z: Complex, found: Complex, df1: Complex) -> tuple[Any, Any, Any]:
        """J_x and J_eps of every pair of poles, shape (k, P, P), and J_eps at the real effective ridge, shape (k,)."""
        inputs, noise = pair_factors(law_at(self.instance.dependence, n), df1 * found / (n[:, None] * z))
        return inputs, noise, self._at(n, kappa)[0].noise

    def _at(self, n: Array, kappa: Array) -> tuple[Response, Sums]:
        """The responses and the sums of ridge regression at each (n, kappa)."""
        sums = self.sums(kappa)
        return self._responses.at(np.minimum(sums.df1 / n, self._responses.capacity), n), sums

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, kappa)."""
        bias, noise = super().terms(n, kappa)
        # What pairs of poles add to the bias is then below rounding, and their own rounding above the bias of a smooth target.
        few = super()._few(self.ridge(n, kappa), kappa)
        if few.any():
            bias[few] = self._leading(np.log(kappa[few]))[0]
        return bias, noise

    def inputs_factor(self, n: Array, kappa: Array) -> Array:
        """J_x at the real effective ridge, shape of n."""
        return self._at(n, kappa)[0].inputs

    def _few(self, lam: Array, kappa: Array) -> NDArray[np.bool_]:
        """Where the leading terms are all; nowhere where J is a power of the degrees of freedom."""
        return super()._few(lam, kappa) if steady(self.instance.dependence) else np.zeros(len(lam), dtype=np.bool_)

    def _passed_alone(self, n: Array, kappa: Array) -> Array:
        """J_eps at the real effective ridge."""
        return self._at(n, kappa)[0].noise

    def optimum(self, n: Array) -> Array:
        """kappa at which the leading terms of the risk are smallest, shape of n; not below the one with nine tenths of the degrees
        of freedom that a sample has.
        """
        floor = max(float(log_kappa_floor(self.instance, n, np.zeros_like(n)).min()), LOG_KAPPA_MIN)
        most, least, depth = FULLEST * self.capacity(n)[:, None], self._least_noise(n), -math.inf
        while True:
            grid, bias, noise = (
                self._table_down_to(depth, math.inf) if depth > -math.inf else self._table_down_to(math.inf, 1.0)
            )
            table = self._sums_on(grid)
            sizes = n[:, None]
            heard = self._responses.rough(np.minimum(table.df1 / sizes, self._responses.capacity), sizes)[2]
            permitted = (np.exp(grid) <= self._earliest) & (table.df1 <= most)
            values = np.where(permitted, bias + self.variance * heard * noise / sizes, np.inf)
            if grid[-1] <= floor or np.all(least * noise[-1] / n > values.min(axis=1)):
                break
            depth = max(float(grid[-1]) - 32.0, floor)
        kappa = np.minimum(self._refined(n, grid, values, np.full_like(n, -np.inf)), self._earliest)
        latest = most[:, 0]
        late = self.sums(kappa).df1 > latest
        if late.any():
            kappa[late] = self.effective_ridge(FULLEST * n[late], np.zeros(int(late.sum())))
        response, sums = self._at(n, kappa)
        close = (response.inputs - 1.0) * sums.df2 / n > CLOSE
        if close.any():
            kappa[close] = self._best_near(n[close], kappa[close], latest[close])
        return np.asarray(kappa)

    def _best_near(self, n: Array, kappa: Array, latest: Array) -> Array:
        """kappa of the smallest risk in the neighbourhood of another one: the vertex of the parabola through the best of a few
        points and those beside it.
        """
        points = np.log(kappa)[:, None] + AROUND
        points = np.minimum(points, math.log(self._earliest)) if math.isfinite(self._earliest) else points
        around, sizes = np.exp(points).ravel(), np.repeat(n, len(AROUND))
        found = self.sums(around).df1 <= np.repeat(latest, len(AROUND)) * (1.0 + 1e-9)
        risk = np.full(len(around), np.inf)
        risk[found] = np.add(*self.terms(sizes[found], around[found]))
        log_risk = np.log(np.where(risk > 0.0, risk, np.inf)).reshape(points.shape)
        rows, best = np.arange(len(n)), np.argmin(log_risk, axis=1)
        left, middle, right = (log_risk[rows, np.clip(best + k, 0, len(AROUND) - 1)] for k in (-1, 0, 1))
        bend = left - 2.0 * middle + right
        inner = np.isfinite(bend) & (bend > 0.0)
        shift = np.where(inner, 0.5 * (left - right) / np.where(inner, bend, 1.0), 0.0)
        step = AROUND[1] - AROUND[0]
        return np.asarray(np.minimum(np.exp(points[rows, best] + step * np.clip(shift, -0.5, 0.5)), self._earliest))

    def _sums_on(self, grid: Array) -> Sums:
        """The sums on the grid of the leading terms; kept."""
        kept: tuple[int, Sums] | None = getattr(self, "_summed", None)
        if kept is None or kept[0] != len(grid):
            kept = self._summed = (len(grid), self.sums(np.exp(grid)))
        return kept[1]

    def _leading_with_slopes(self, u: Array) -> tuple[Array, Array, Array, Array]:
        """Bias and variance n/sigma^2 to leading order at each ln kappa, each followed by its derivative."""
        modes, scale = self._modes, np.exp(-u[:, None])
        decay, excess = self._decay(modes.target_eigenvalues)
        q = decay * scale
        left = np.exp(-2.0 * q)
        energy = (1.0 + excess) ** 2 * modes.target_energy
        bias = left @ energy
        left *= q
        decay, excess = self._decay(modes.eigenvalues)
        p = decay * scale
        g = (1.0 + excess) * np.exp(-p)
        rest = -excess - (1.0 + excess) * np.expm1(-p)
        g *= p
        g *= rest
        rest *= rest
        return bias, 2.0 * (left @ energy), rest @ modes.multiplicity, -2.0 * (g @ modes.multiplicity)

    def _slope(self, n: Array, u: Array) -> Array:
        """d ln E / d ln kappa of what the oracle minimises."""
        bias, b1, noise, v1 = self._leading_with_slopes(u)
        response, sums = self._at(n, np.exp(u))
        scale = self.variance * response.noise / n
        falls = sums.df2 / sums.df1 - 1.0  # d ln x / d ln kappa
        rises = b1 + scale * (v1 + noise * response.noise_slope * falls)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(rises / (bias + scale * noise))

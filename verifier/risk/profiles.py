r"""Samples whose coordinates have autocorrelations of their own: their deterministic equivalent.

Column i of the sample is :math:`\sqrt{l_i}\, C_i^{1/2} z_i`, with :math:`C_i` the Toeplitz matrix of a process of spectral density
:math:`f_i(w)`, mean one over :math:`[0, \pi]`; the noise has the density :math:`f_\varepsilon`. In the frequency domain rows are
independent and the entry at (w, i) has the variance :math:`l_i f_i(w)`: a variance profile (Hachem, Loubaton and Najim 2007,
theorem 2.4). Let coordinates fall into K classes of densities :math:`f_k`, means be over w, and sums
:math:`d_{1k}(\kappa) = \sum_{i \in k} l_i/(l_i + \kappa)`, :math:`d_{2k} = \sum_{i\in k} (l_i/(l_i+\kappa))^2`,
:math:`b_k = \sum_{i\in k} f_i^2 (\kappa/(l_i+\kappa))^2`. One effective ridge a class takes the place of the one of independent
samples:

.. math:: \frac1{\kappa_k} = \Big\langle \frac{f_k}{V} \Big\rangle, \qquad
          V(w) = \lambda + \frac1n \sum_j f_j(w)\, \kappa_j\, d_{1j}(\kappa_j),

and with :math:`P_{kj} = \kappa_k \kappa_j \langle f_k f_j / V^2 \rangle`, :math:`a_j = d_{2j}(\kappa_j)/n`,
:math:`z = \kappa + P\,\mathrm{diag}(a)\, z`,

.. math:: E = \sum_k b_k(\kappa_k) \frac{z_k}{\kappa_k}
            + \sigma^2 \sum_j a_j z_j \kappa_j \Big\langle \frac{f_\varepsilon f_j}{V^2} \Big\rangle .

(In the notation of resolvents, :math:`\kappa_k = \lambda/\tau_k`, :math:`\tau_k = \langle f_k/(1 + \Delta)\rangle`,
:math:`V = \lambda (1 + \Delta)`; written so, nothing is singular as :math:`\lambda \to 0`.) With one class this is the
equivalent of separable dependence, with f = 1 that of :mod:`verifier.risk.equivalents`. As :math:`d_1/n \to 0`, V tends to a
constant and the noise term to :math:`\sigma^2 \sum_k \langle f_\varepsilon f_k\rangle d_{2k}/n`: the mean of
:math:`\sum_h \rho_k(h)\rho_\varepsilon(h)` over the classes, weighted by their share of :math:`d_2`, takes the place of one.

*The equations.* The map :math:`\kappa \mapsto 1/\langle f_k/V \rangle` is increasing and concave (a harmonic mean of concave
functions), so that Newton's method decreases to the solution from any point that the map does not increase (Ortega and Rheinboldt
1970, 13.3), such as the effective ridge of :math:`n/\max_{k,w} f_k` independent samples. Its Jacobian is the matrix of the linear
system above. Means over w are sums over midpoints, geometrically accurate for rational densities. The spectral sums come from a
table in :math:`\ln\kappa` of step 1/2 with slopes, by Hermite's interpolation at ten of its rows: the sums are analytic in a
strip of half width :math:`\pi` (poles at :math:`\kappa = -l_i`), and the error is below 1e-9 (tests/test_profiles.py).

*Sums over a class.* Head terms belong to the class of their index; the smooth tail has the share 1/K of every class, with an end
correction of its own (Euler and Maclaurin on the lattice of every K-th index, its derivatives from the last eight head terms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray
from scipy.special import bernoulli

from verifier.instances import FadingRhos, Instance, PerCoordinate, SpreadRhos
from verifier.instances.coordinates import CHEBYSHEV, GOLDEN
from verifier.risk.quadrature import DEEPEST_LOG, GREGORY, HEAD, Modes, decay_of, index_nodes, modes

Array = NDArray[np.float64]

ACCURACY = 1e-12  # of the means over frequencies
STEP = 0.5  # of the table, in ln kappa
POINTS = 10
LOWEST, MARGIN = -330.0, 2.0  # ln kappa where tables end, and what they hold beyond what is asked for
CHUNK = 512  # points worked on at a time: they stay in the cache; does not change the result
DIFFERENCE = 1e-3  # in ln lambda, of the slope and the curvature of ln E
SETTLED = 3e-7  # in ln lambda, of the oracle's ridge
NEWTON = 1e-7  # last relative step: the error left is of the order of its square
SMALL = 0.03  # of d2/n: above it the leading order does not say where the optimum is, and it is looked for
SCAN = np.arange(-9.0, 3.5)  # ln of ridges that are tried, relative to the ridge of the leading order
EXACT_LOG = 34.0  # ln of indices that are exact as doubles


def per_coordinate(instance: Instance) -> PerCoordinate:
    """The dependence of an instance; ValueError where it is of another kind."""
    if not isinstance(instance.dependence, PerCoordinate):
        raise ValueError(f"dependence={instance.dependence!r} must be a PerCoordinate")
    return instance.dependence


# ------------------------------------------------------------------------------------------------ frequencies


@dataclass(frozen=True, eq=False)
class Densities:
    """Spectral densities at W midpoints of [0, pi]: ``inputs`` (K, W), ``pairs`` (W, K^2) products of two of them, and
    ``heard`` (W, K) products with that of the noise, each over W, so that a product with them is a mean over w.
    """

    inputs: Array
    means: Array
    pairs: Array
    heard: Array

    @property
    def loudest(self) -> float:
        """The largest density at any frequency."""
        return float(self.inputs.max())


@lru_cache(maxsize=256)
def densities(dependence: PerCoordinate) -> Densities:
    r"""Midpoints enough for an aliasing error :math:`r^{2W} < 10^{-12}`, r the largest correlation at lag one; the products of
    up to three densities have poles of that order only.
    """
    strongest = max(
        abs(rho) for rho in (*(each.rho for each in dependence.classes), getattr(dependence.noise, "rho", 0.0))
    )
    order = getattr(dependence.noise, "order", 0)
    count = 16 + order + (math.ceil(0.5 * math.log(ACCURACY) / math.log(strongest)) if strongest > 0.0 else 0)
    w = (np.arange(count) + 0.5) * math.pi / count
    inputs = np.stack([process.spectral_density(w) for process in dependence.classes])
    noise = np.asarray(dependence.noise.spectral_density(w))
    pairs = (inputs[:, None] * inputs[None, :]).reshape(-1, count)
    return Densities(inputs, inputs.T / count, pairs.T / count, (inputs * noise).T / count)


def one_density(density: Array) -> Densities:
    """One class of the given density at midpoints, beside white noise."""
    column = density[:, None] / len(density)
    return Densities(density[None], column, density[:, None] * column, column)


# ------------------------------------------------------------------------------------------------ sums over classes


@lru_cache(maxsize=32)
def end_weights(classes: int, offset: int) -> Array:
    r"""Weights g of the last eight terms h(I), h(I-1), ... in
    :math:`\sum_{m \ge 0} h(I + o + mK) = \frac1K\int_I^\infty h + \sum_j g_j h(I - j)`, exact to the eighth difference.

    On :math:`h = e^{-s(i - I)}` the left side less the integral is :math:`\sum_{q\ge0} B_{q+1}(1 - o/K) (sK)^q/(q+1)!`.
    """
    size, x, numbers = len(GREGORY), 1.0 - offset / classes, bernoulli(len(GREGORY))
    numbers[1] = -0.5
    wanted = [
        classes**q * sum(math.comb(q + 1, k) * numbers[k] * x ** (q + 1 - k) for k in range(q + 2)) / (q + 1.0)
        for q in range(size)
    ]
    powers = np.array([[float(m) ** q for m in range(size)] for q in range(size)])
    return np.asarray(np.linalg.solve(powers, wanted))


@lru_cache(maxsize=32)
def wave_weights(turns: float) -> NDArray[np.complex128]:
    r"""Weights g of the last eight terms h(I), h(I-1), ... in :math:`\sum_{m \ge 1} h(I + m) e^{2\pi i m\,turns} =
    \sum_j g_j h(I - j)`, exact to the eighth difference, for a smooth h that tends to zero and turns that are not whole.

    On :math:`h = e^{-s(i - I)}` the left side is :math:`1/(e^{s - 2\pi i\,turns} - 1)`, whose series is that of a reciprocal.
    """
    size, back = len(GREGORY), np.exp(-2j * math.pi * turns)
    factorials = np.array([math.factorial(q) for q in range(size)], dtype=np.float64)
    series = back / factorials
    series[0] -= 1.0
    found = np.zeros(size, dtype=np.complex128)
    for q in range(size):
        found[q] = ((1.0 if q == 0 else 0.0) - found[:q] @ series[q:0:-1]) / series[0]
    powers = np.array([[float(m) ** q for m in range(size)] for q in range(size)])
    return np.asarray(np.linalg.solve(powers, found * factorials))


def law_shares(instance: Instance, law: SpreadRhos | FadingRhos, log_reach: float) -> tuple[Modes, Array, Array]:
    """The same where a law gives every coordinate a correlation: at the head Lagrange's polynomials at its own; on the smooth tail
    those at the correlation there, or their mean and what the waves of a spread law sum to beyond the head.
    """
    spectrum, target = instance.spectrum, instance.target
    if math.isfinite(spectrum.size):
        found = enumerated(instance)
        shares = law.shares(np.log(np.arange(1.0, spectrum.size + 1.0)))
        return found, shares, shares
    found = modes(instance, log_reach)
    reach = 4.0 * math.ceil(max(log_reach, 1.0) / 4.0)
    log_index, weights, far = index_nodes(spectrum, target, reach, 0)
    ends = [] if far is None else [far]
    shares = law.shares(np.concatenate([log_index, ends]))
    if isinstance(law, SpreadRhos):
        smooth_from = max(spectrum.head, target.head)
        last = max(HEAD, smooth_from + len(GREGORY) + 1 if smooth_from > 1 else 1)
        own, count = shares[:, :last].copy(), CHEBYSHEV
        # The constant wave is what the panels and Gregory's correction integrate.
        own[:, -len(GREGORY) :] += (weights[last - len(GREGORY) : last] - 1.0) / count
        angles = (np.arange(count) + 0.5) * math.pi / count
        for k in range(1, count):
            start = np.exp(2j * math.pi * math.fmod(k * GOLDEN * last, 1.0))
            beyond = (start * wave_weights(math.fmod(k * GOLDEN, 1.0))).real[::-1]
            own[:, -len(GREGORY) :] += 2.0 / count * np.cos(k * angles)[:, None] * beyond
        shares[:, :last] = own / weights[:last]
        shares[:, last:] = 1.0 / count
    support = target.support(DEEPEST_LOG / max(decay_of(spectrum), 1.0))
    if support is None:
        return found, shares[:, : len(found.eigenvalues)], shares[:, : len(found.target_eigenvalues)]
    theirs = law.shares(support)
    if isinstance(law, SpreadRhos):
        theirs[:, support >= EXACT_LOG] = 1.0 / CHEBYSHEV
    return found, shares[:, : len(found.eigenvalues)], theirs


def class_shares(instance: Instance, classes: int, log_reach: float) -> tuple[Modes, Array, Array]:
    """Nodes of the spectrum, and the share of each class in each of them, shape (K, N), and in those of the target, (K, M)."""
    rhos = getattr(instance.dependence, "rhos", ())
    if isinstance(rhos, SpreadRhos | FadingRhos):
        return law_shares(instance, rhos, log_reach)
    spectrum, target = instance.spectrum, instance.target
    if math.isfinite(spectrum.size):
        found = enumerated(instance)
        last, total = int(spectrum.size), len(found.eigenvalues)
    else:
        found = modes(instance, log_reach)
        smooth_from = max(spectrum.head, target.head)
        last, total = max(HEAD, smooth_from + len(GREGORY) + 1 if smooth_from > 1 else 1), len(found.eigenvalues)
    shares = np.full((classes, total), 1.0 / classes)
    own = (np.arange(last) % classes == np.arange(classes)[:, None]).astype(np.float64)
    if total > last:
        ends = np.stack([end_weights(classes, (k - last) % classes + 1) for k in range(classes)])[:, ::-1]
        own[:, -len(GREGORY) :] += ends
        shares[:, :last] = own / found.multiplicity[:last]
    else:
        shares[:, :last] = own
    if math.isfinite(spectrum.size):
        return found, shares, shares
    theirs = np.full((classes, len(found.target_eigenvalues)), 1.0 / classes)
    support = target.support(DEEPEST_LOG / max(decay_of(spectrum), 1.0))
    if support is None:
        theirs[:, :last] = shares[:, :last]
    else:
        # An index that is no exact integer as a double has no class: it is shared by all.
        exact = support < EXACT_LOG
        index = np.rint(np.exp(support[exact]))
        theirs[:, exact] = (index - 1.0) % classes == np.arange(classes)[:, None]
    return found, shares, theirs


def enumerated(instance: Instance) -> Modes:
    """All eigenvalues of a finite spectrum, and all energies."""
    size = int(instance.spectrum.size)
    log_l = np.asarray(instance.spectrum.log_eigenvalues(np.log(np.arange(1.0, size + 1.0))))
    values = np.exp(log_l)
    return Modes(values, np.ones(size), values, energies(instance, size), False, 0.0)


def energies(instance: Instance, size: int) -> Array:
    """Squared L2 coefficients of the target at the first ``size`` indices."""
    spectrum, target = instance.spectrum, instance.target
    support = target.support(math.log(size + 0.5))
    where = np.log(np.arange(1.0, size + 1.0)) if support is None else support[support < math.log(size + 0.5)]
    log_l = spectrum.log_eigenvalues(where)
    energy = np.exp(target.log_energy(where, log_l) + 2.0 * target.l2_index * log_l)
    if support is None:
        return np.asarray(energy)
    result = np.zeros(size)
    result[np.rint(np.exp(where)).astype(np.int64) - 1] = energy
    return result


CENTRE = 0.5 * (POINTS - 1)  # of the points that an interpolation sees, in table steps
DEGREES = 2 * POINTS  # coefficients of a polynomial with given values and slopes at all of them


@lru_cache(maxsize=1)
def _hermite() -> Array:
    """Coefficients, in powers of (position - CENTRE)/CENTRE, of the polynomial with given values and slopes a step at the
    positions 0, ..., POINTS - 1: shape (DEGREES, DEGREES), values first, then slopes.
    """
    at = (np.arange(POINTS) - CENTRE) / CENTRE
    columns: list[Array] = []
    for own in at:
        others = at[at != own]
        lagrange = polynomial.polyfromroots(others) / np.prod(own - others)
        square, turn = polynomial.polymul(lagrange, lagrange), float(np.sum(1.0 / (own - others)))
        columns.append(polynomial.polymul([1.0 + 2.0 * own * turn, -2.0 * turn], square))
        columns.append(CENTRE * polynomial.polymul([-own, 1.0], square))
    return np.stack(columns[::2] + columns[1::2], axis=1)


class ClassTable:
    """d1, d2 and the bias of each class, interpolated in ln kappa."""

    def __init__(self, instance: Instance, classes: int, log_reach: float) -> None:
        self.classes = classes
        found, shares, target_shares = class_shares(instance, classes, log_reach)
        self._eigenvalues, self._weights = found.eigenvalues, (shares * found.multiplicity).T
        self._target_eigenvalues, self._energies = found.target_eigenvalues, (target_shares * found.target_energy).T
        self.traces = np.asarray(self._eigenvalues @ self._weights)
        self.least = float(self._eigenvalues.min())
        self._first = 0
        self.log_kappa = np.zeros(0)
        self.values = np.zeros((0, 3, classes))
        self._slopes = np.zeros((0, 3, classes))
        self._pieces = np.zeros((0, classes, 3, DEGREES))

    def exact(self, log_kappa: Array) -> tuple[Array, Array]:
        """Sums and their slopes in ln kappa, each of shape (rows, 3, K): d1, d2, bias."""
        values, slopes = [], []
        size = max(1, 10_000 // len(self._eigenvalues))
        for start in range(0, len(log_kappa), size):
            kappa = np.exp(log_kappa[start : start + size, None])
            r = self._eigenvalues / (self._eigenvalues + kappa)
            r2 = r * r
            d1, d2, d3 = r @ self._weights, r2 @ self._weights, (r2 * r) @ self._weights
            q = kappa / (self._target_eigenvalues + kappa)
            q2 = q * q
            b, b3 = q2 @ self._energies, (q2 * q) @ self._energies
            values.append(np.stack([d1, d2, b], axis=1))
            slopes.append(np.stack([d2 - d1, 2.0 * (d3 - d2), 2.0 * (b - b3)], axis=1))
        return np.concatenate(values), np.concatenate(slopes)

    def cover(self, low: float, high: float) -> None:
        """Extend the table to the interval of ln kappa."""
        first, last = math.floor(low / STEP) - POINTS // 2, math.ceil(high / STEP) + POINTS // 2
        count = len(self.log_kappa)
        if count and first >= self._first and last < self._first + count:
            return
        if count:
            first, last = min(first, self._first), max(last, self._first + count - 1)
        grid = STEP * np.arange(first, last + 1.0)
        before = self._first - first if count else len(grid)
        below, above = grid[:before], grid[before + count :]
        values, slopes = self.exact(np.concatenate([below, above]))
        self.values = np.concatenate([values[:before], self.values, values[before:]])
        self._slopes = np.concatenate([slopes[:before], self._slopes, slopes[before:]])
        self._first, self.log_kappa = first, grid
        rows = len(grid) - POINTS + 1
        window = np.arange(rows)[:, None] + np.arange(POINTS)
        flat = (len(grid), 3 * self.classes)
        known = np.concatenate([self.values.reshape(flat)[window], STEP * self._slopes.reshape(flat)[window]], axis=1)
        pieces = np.einsum("pq,rqk->rkp", _hermite(), known).reshape(rows, 3, self.classes, DEGREES)
        self._pieces = np.ascontiguousarray(pieces.transpose(0, 2, 1, 3))

    def sums(self, log_kappa: Array, *, bias: bool) -> Array:
        """(d1, d2) or (d1, d2, bias) at the ln kappa of each class, shape (m, K) to (m, 2 or 3, K)."""
        position = log_kappa / STEP - self._first
        piece = np.clip(np.floor(position).astype(np.intp) - (POINTS // 2 - 1), 0, len(self._pieces) - 1)
        t = (position - piece - CENTRE) / CENTRE
        chosen = self._pieces[piece, np.arange(self.classes), : 3 if bias else 2]
        powers = _powers(t.ravel()).reshape(*t.shape, DEGREES)
        return np.asarray(np.einsum("mkqp,mkp->mqk", chosen, powers))


def _powers(t: Array) -> Array:
    """Powers 0, 1, ... of t, shape (m, DEGREES)."""
    result = np.empty((len(t), DEGREES))
    result[:, 0], result[:, 1] = 1.0, t
    known = 2
    while known < DEGREES:
        count = min(known - 1, DEGREES - known)
        result[:, known : known + count] = result[:, 1 : count + 1] * result[:, known - 1 : known]
        known += count
    return result


# ------------------------------------------------------------------------------------------------ the equivalent


class ProfileEquivalent:
    """The equivalent of one instance: effective ridges, terms of the risk, and the oracle's ridge."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        dependence = per_coordinate(instance)
        self.variance = instance.sigma**2
        self.size = instance.spectrum.size
        self._w = densities(dependence)
        self.loudest = self._w.loudest
        self.table = ClassTable(instance, len(dependence.classes), log_reach)
        self._dependence = dependence
        self._products = self._w.heard.sum(axis=0)  # <f_eps f_k>
        self._squares = float(self._w.pairs.sum(axis=0).mean())

    def effective_ridges(self, n: Array, lam: Array, near: Array | None = None) -> Array:
        r"""The scalars :math:`\kappa_k`, shape (m, K), at sample sizes and ridges of shape (m,), NaN below exp(-330); ``near``
        (m, K) are those of ridges nearby, where they are known.
        """
        lam = self._regular(n, lam)
        start = self._start(n, lam) if near is None else near
        pieces = [slice(at, at + CHUNK) for at in range(0, len(n), CHUNK)]
        kappa = np.concatenate([self._newton(n[piece], lam[piece], start[piece]) for piece in pieces])
        return np.where(self._smallest(kappa)[:, None] > math.exp(LOWEST), kappa, np.nan)

    def _start(self, n: Array, lam: Array) -> Array:
        """Where Newton's method starts, shape (m, K)."""
        return np.repeat(self._above(n, lam)[:, None], self.table.classes, axis=1)

    def _smallest(self, kappa: Array) -> Array:
        return np.asarray(kappa.min(axis=1))

    def _regular(self, n: Array, lam: Array) -> Array:
        """A sample that outnumbers the directions has no effective ridge without a ridge: the limit of a small one."""
        if not math.isfinite(self.size):
            return lam
        least = 1e-12 * float(self.table.least)
        return np.where((lam < least) & (n >= self.size / self.loudest), least, lam)

    def _above(self, n: Array, lam: Array) -> Array:
        """An effective ridge that is too large for every class: that of n / max f independent samples."""
        share = self.loudest / n
        ceiling = np.log(lam + share * self.table.traces.sum())
        low = float(np.log(np.maximum(lam, 1e-300)).min())
        depth = 40.0
        self.table.cover(max(low, float(ceiling.min()) - depth, LOWEST) - MARGIN, float(ceiling.max()) + MARGIN)
        while True:
            grid = self.table.log_kappa
            kappa = np.exp(grid)
            excess = kappa * (1.0 - self.table.values[:, 0].sum(axis=1) * share[:, None]) - lam[:, None]
            # The excess is negative below the root, so the first point above it ends a run of negative ones.
            if np.all(excess[:, POINTS] <= 0.0) or grid[0] <= min(low, LOWEST):
                break
            depth *= 2.0
            self.table.cover(max(float(ceiling.min()) - depth, LOWEST) - MARGIN, float(grid[-1]))
        return np.asarray(np.exp(np.minimum(grid[np.argmax(excess > 0.0, axis=1)], ceiling)))

    def _newton(self, n: Array, lam: Array, start: Array) -> Array:
        kappa = start.copy()
        active = np.arange(len(n))
        for _ in range(100):
            own = kappa[active]
            mapped, jacobian = self._map(n[active], lam[active], own)
            step = _solve(jacobian, own - mapped)
            following = np.maximum(own - step, np.maximum(lam[active, None] * 1e-3, 0.05 * own))
            kappa[active] = following
            active = active[np.max(np.abs(following - own) / own, axis=1) > NEWTON]
            if active.size == 0:
                break
        return kappa

    def _map(self, n: Array, lam: Array, kappa: Array) -> tuple[Array, Array]:
        """The map of which the effective ridges are the fixed point, shape (m, K), and one less its derivative, (m, K, K)."""
        found = self.table.sums(np.log(kappa), bias=False)
        scale = kappa[:, :1]
        inverse = scale / (lam[:, None] + (kappa * found[:, 0] / n[:, None]) @ self._w.inputs)
        mapped = scale / (inverse @ self._w.means)
        pairs = ((inverse * inverse) @ self._w.pairs).reshape(len(n), *2 * kappa.shape[1:])
        relative = mapped / scale
        slopes = (relative**2)[:, :, None] * pairs * (found[:, 1] / n[:, None])[:, None, :]
        return mapped, np.eye(kappa.shape[1]) - slopes

    def terms(self, n: Array, lam: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at sample sizes and ridges of shape (m,)."""
        return self._terms_at(n, lam, self.effective_ridges(n, lam))

    def _terms_at(self, n: Array, lam: Array, kappa: Array) -> tuple[Array, Array]:
        lam = self._regular(n, lam)
        target, noise = np.full(len(n), np.nan), np.full(len(n), np.nan)
        known = np.flatnonzero(np.isfinite(kappa[:, 0]))
        for at in range(0, len(known), CHUNK):
            part = known[at : at + CHUNK]
            target[part], noise[part] = self._terms(n[part], lam[part], kappa[part])
        return target, self.variance * noise

    def _terms(self, n: Array, lam: Array, kappa: Array) -> tuple[Array, Array]:
        found = self.table.sums(np.log(kappa), bias=True)
        share = found[:, 1] / n[:, None]
        scale = kappa[:, :1]
        inverse = scale / (lam[:, None] + (kappa * found[:, 0] / n[:, None]) @ self._w.inputs)
        squares = inverse * inverse
        relative = kappa / scale
        pairs = (squares @ self._w.pairs).reshape(len(n), *2 * kappa.shape[1:])
        matrix = np.eye(kappa.shape[1]) - pairs * relative[:, :, None] * (relative * share)[:, None, :]
        z = _solve(matrix, relative)
        heard = squares @ self._w.heard
        return np.sum(found[:, 2] * z / relative, axis=1), np.sum(share * z * relative * heard, axis=1)

    def at(self, n: float, lam: float) -> tuple[Array, Array, Array]:
        r"""At one sample size and ridge: :math:`\kappa_k` (K,), :math:`\kappa_k^2\langle f_kf_j/V^2\rangle` (K, K), and that with
        the density of the noise (K,): what a class hears of the risk of class j, and of the noise, for each unit of its
        :math:`d_2/n`.
        """
        sizes, ridges = np.array([n]), self._regular(np.array([n]), np.array([lam]))
        kappa = self.effective_ridges(sizes, ridges)[0]
        df1 = self.table.sums(np.log(kappa)[None], bias=False)[0, 0]
        inverse = kappa[0] / (ridges[0] + (kappa * df1 / n) @ self._w.inputs)
        squares, relative = inverse * inverse, (kappa / kappa[0]) ** 2
        pairs = (squares @ self._w.pairs).reshape(len(kappa), -1)
        return kappa, relative[:, None] * pairs, relative * (squares @ self._w.heard)

    def remainder(self, n: float, lam: float, ell: Array, f2: Array) -> tuple[Array, Array, Array]:
        r"""What the coordinates beyond the first p, of eigenvalues and energies (p,), contribute at one sample size and ridge: the
        ridge :math:`t_k` (K,), the bias (K,), and (K, K + 1) what they hear of the risks of the classes and of the noise.
        """
        kappa, pairs, heard = self.at(n, lam)
        classes = self.table.classes
        own = self._dependence.shares(len(ell))
        shrunk = kappa[:, None] / (ell + kappa[:, None])
        found, _ = self.table.exact(np.log(kappa))
        whole = found[np.arange(classes), :, np.arange(classes)]  # (K, 3), each at the effective ridge of its class
        drawn = np.stack([1.0 - shrunk, (1.0 - shrunk) ** 2, shrunk**2 * f2], axis=-1) * own[:, :, None]
        rest = whole - drawn.sum(axis=1)
        # Zero is what rounding leaves of a spectrum that was drawn as a whole; the shares of a law have either sign.
        rest = np.where(np.abs(rest) > 1e-9 * np.abs(whole).sum(axis=0), rest, 0.0)
        # kappa d1 is the sum of l kappa/(l + kappa).
        return kappa * rest[:, 0], rest[:, 2], (rest[:, 1] / n)[:, None] * np.column_stack([pairs, heard])

    def risk(self, n: Array, lam: Array) -> Array:
        """Excess risk: the sum of its two terms."""
        return np.asarray(np.add(*self.terms(n, lam)))

    def optimum(self, n: Array) -> Array:
        """The ridge that minimises the risk at each n, to 1e-6 in its logarithm; shape (m,), NaN where out of reach."""
        start, small = self._leading_order(n)
        log_lam, low, high = start.copy(), start - 3.0, start + 3.0
        none = np.zeros(len(n), dtype=bool)
        seek = np.flatnonzero(~small & np.isfinite(start))
        if seek.size:
            tried = start[seek, None] + SCAN
            ridges = np.concatenate([np.zeros((seek.size, 1)), np.exp(tried)], axis=1)
            risks = self.risk(np.repeat(n[seek], ridges.shape[1]), ridges.ravel()).reshape(ridges.shape)
            best = np.argmin(risks[:, 1:], axis=1)
            # Without an interior minimum the risk falls all the way to no ridge.
            none[seek] = risks[:, 0] <= risks[np.arange(seek.size), best + 1]
            log_lam[seek] = tried[np.arange(seek.size), best] + _vertex(np.log(risks[:, 1:]), best)
            low[seek], high[seek] = tried[:, 0] - 12.0, tried[:, -1] + 12.0
            inside = (best > 0) & (best < len(SCAN) - 1)
            rows = np.arange(seek.size)
            low[seek[inside]] = tried[rows[inside], best[inside] - 1]
            high[seek[inside]] = tried[rows[inside], best[inside] + 1]
        active = np.flatnonzero(np.isfinite(log_lam) & ~none)
        kappa: Array | None = None
        for _ in range(40):
            if active.size == 0:
                break
            slope, curvature, kappa = self._slope(n[active], log_lam[active], kappa)
            at = log_lam[active]
            low[active] = np.where(slope < 0.0, at, low[active])
            high[active] = np.where(slope > 0.0, at, high[active])
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = at - slope / curvature
            fits = (curvature > 0.0) & (newton > low[active]) & (newton < high[active])
            step = np.where(fits, newton, 0.5 * (low[active] + high[active])) - at
            log_lam[active] = at + step
            going = np.abs(step) > SETTLED
            active, kappa = active[going], kappa[going]
        return np.where(none, 0.0, np.exp(log_lam))

    def _slope(self, n: Array, log_lam: Array, near: Array | None) -> tuple[Array, Array, Array]:
        """First and second derivative of ln E in ln lambda, by central differences, and the effective ridges there (m, 3, K)."""
        sizes, ridges = np.repeat(n, 3), np.exp(log_lam[:, None] + DIFFERENCE * np.array([-1.0, 0.0, 1.0])).ravel()
        kappa = self.effective_ridges(sizes, ridges, None if near is None else near.reshape(len(sizes), -1))
        left, middle, right = np.log(np.add(*self._terms_at(sizes, ridges, kappa))).reshape(-1, 3).T
        curvature = (right - 2.0 * middle + left) / DIFFERENCE**2
        return (right - left) / (2.0 * DIFFERENCE), curvature, kappa.reshape(len(n), 3, -1)

    def _leading_order(self, n: Array) -> tuple[Array, NDArray[np.bool_]]:
        r"""ln of the ridge that minimises :math:`(b + \sigma^2 \sum_k \langle f_\varepsilon f_k\rangle d_{2k}/n)/(1 - \langle f^2
        \rangle d_2/n)`, and whether :math:`d_2/n` is small there.
        """
        top, depth = math.log(self.table.traces.sum()) + 4.0, 40.0
        while True:
            self.table.cover(max(top - depth, LOWEST), top)
            grid, values = self.table.log_kappa, self.table.values
            room = 1.0 - self._squares * values[:, 1].sum(axis=1) / n[:, None]
            noise = self.variance * (values[:, 1] @ self._products) / n[:, None]
            with np.errstate(divide="ignore"):
                risk = np.where(room > 0.02, (values[:, 2].sum(axis=1) + noise) / room, np.inf)
            best = np.argmin(risk, axis=1)
            if np.all(best > 2 * POINTS) or top - depth <= LOWEST:
                break
            depth *= 2.0
        rows = np.arange(len(n))
        log_kappa = grid[best] + STEP * _vertex(np.log(risk), best)
        share = np.minimum(values[best, 0].sum(axis=1) / n, 0.9)
        small = (self._squares * values[best, 1].sum(axis=1) / n < SMALL) & (share < 2.0 * SMALL)
        small &= np.isfinite(risk[rows, np.maximum(best - 1, 0)])
        found = log_kappa + np.log1p(-share)
        return np.where(log_kappa > LOWEST + 2.0, found, np.nan), small


def _vertex(log_values: Array, best: NDArray[np.intp]) -> Array:
    """Where, in steps from the best, the parabola through it and its neighbours is smallest; zero at an edge."""
    rows, last = np.arange(len(best)), log_values.shape[1] - 1
    left, middle, right = (log_values[rows, np.clip(best + k, 0, last)] for k in (-1, 0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (left - right) / (left - 2.0 * middle + right)
    return np.clip(np.where(np.isfinite(shift) & (best > 0) & (best < last), shift, 0.0), -0.5, 0.5)


def _solve(matrix: Array, right: Array) -> Array:
    """Solutions of small systems, shapes (m, K, K) and (m, K), by elimination without pivots: the matrices are M-matrices."""
    matrix, right = matrix.copy(), right.copy()
    size = right.shape[1]
    for j in range(size):
        for i in range(j + 1, size):
            factor = matrix[:, i, j] / matrix[:, j, j]
            matrix[:, i, j:] -= factor[:, None] * matrix[:, j, j:]
            right[:, i] -= factor * right[:, j]
    for i in range(size - 1, -1, -1):
        for j in range(i + 1, size):
            right[:, i] -= matrix[:, i, j] * right[:, j]
        right[:, i] /= matrix[:, i, i]
    return right

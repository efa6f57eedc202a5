r"""How samples that depend on one another respond to a ridge: three functions of the share of the sample that the degrees of
freedom take up, all that the deterministic equivalent needs to know of a dependence.

Let :math:`\mu` be the limit of the joint law of f, an eigenvalue of the correlation matrix C of the inputs, and of
:math:`f_\varepsilon`, the diagonal entry of that of the noise in the eigenbasis of C. For stationary processes they are the two
spectral densities at a uniform frequency (Grenander and Szego 1958). For inputs repeated in runs of length L there is one
eigenvalue L a run and the others are 0, so that :math:`E_\mu g(f) = E g(L) / E L` where g(0) = 0; :math:`f_\varepsilon` is 1 for
fresh noise, L for noise that is repeated with the input. With :math:`r = \delta f / (1 + \delta f)`

.. math:: x = E_\mu r, \quad \tau = x/\delta, \quad J_x = E_\mu r^2 / x^2, \quad J_\varepsilon = E_\mu[r^2 f_\varepsilon/f] / x^2,

each a function of x alone, as x determines :math:`\delta`. For independent samples :math:`\tau = 1 - x` and both factors are 1. As
x tends to 0, :math:`\tau \to 1`, :math:`J_x \to \sum_h \rho_x(h)^2` and
:math:`J_\varepsilon \to \sum_h \rho_x(h) \rho_\varepsilon(h)` (Parseval). What they are for:
:mod:`verifier.risk.dependent`. The derivation is that of the equivalent for separable covariances
(Couillet, Debbah and Silverstein 2011, theorem 1; Paul and Silverstein 2009).

*Long memory.* Where f diverges at frequency 0, like :math:`w^{1-2H}`, n samples do not resolve frequencies below 1/n and the law
depends on n. Its lowest modes are those of the correlation matrix at one reference size: :math:`\mu_j(n)/f(w_j)`,
:math:`w_j = \pi(j - \frac12 + \varsigma)/n + O(n^{-2})`, is taken to be the same at every n (fractional noise is self-similar: the
matrix is a Galerkin discretisation of the operator of kernel :math:`|s-t|^{2H-2}`). The continuum takes over from the frequency at
which as many modes are left as there should be; the shift :math:`\varsigma` that preserves :math:`E_\mu f = 1` comes out as
-(2H - 1)/4, as in the operator's spectrum (Chigansky and Kleptsyn 2018).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.linalg import eigh, matmul_toeplitz, toeplitz

from verifier.instances.dependence import Dependence, Dependent, Independent, Repeated
from verifier.instances.processes import SHORT_MEMORY, FractionalNoise, Process, White

Array = NDArray[np.float64]

POINTS = 16  # of Gauss and Legendre on a panel
GRADING = 3.0  # ratio of neighbouring panels
FINEST = 1e-8  # half-width of the panel at an extremum of a density
SCAN = 4096  # frequencies among which extrema are looked for
STEP = 0.1  # in ln delta, of a table
DEEPEST = 36.0  # ln: beyond it a correction of relative order exp(-36) is none
LOWEST = -75.0  # ln of the least delta in a table: runs of up to 1e40 saturate at it, and below it powers go on

MODES = 12  # of long memory that are taken from the matrix
REFERENCE = 512  # its size
TOP, PANEL = 1.1, 3.0  # of the continuum: the frequency below which panels are equally long in ln w, and their length
PANEL_POINTS, ROUGH_PANEL_POINTS = 8, 3
FARTHEST = 640.0  # ln n up to which there are panels
ROUGH_POINTS = 80
KEPT, FEW = 4096, 8  # laws of single n, and of whole grids, kept at a time
NEAR_ZERO = 1e-6
LEAST_FREQUENCY = -660.0  # ln; the mass of a density below it is none


@dataclass(frozen=True, eq=False)
class Response:
    r"""tau, J_x and J_eps at each x, with the slopes :math:`d\ln J/d\ln x`; arrays of the shape of x."""

    tau: Array
    inputs: Array
    noise: Array
    inputs_slope: Array
    noise_slope: Array


class Responses(Protocol):
    """The three functions of one dependence."""

    @property
    def capacity(self) -> float:
        """Supremum of x, at a ridge of zero: what share of the samples is not a repetition of another."""

    def at(self, x: Array, n: Array) -> Response:
        """The functions at each share x of n samples, two arrays of one shape; x from 0 to the capacity."""

    def rough(self, x: Array, n: Array) -> tuple[Array, Array, Array]:
        """tau, J_x and J_eps to a hundredth, for a search; x (k, m), n (k, 1)."""

    def least_noise(self, n: Array) -> Array:
        """A lower bound of J_eps over all x, shape of n."""

    def largest(self, n: Array) -> Array:
        """Upper bound of the eigenvalues f, shape of n."""


@dataclass(frozen=True, eq=False)
class Law:
    """A discrete law that stands for mu on f > 0: eigenvalues, noise in their directions, weights; arrays of shape (k,)."""

    inputs: Array
    noise: Array
    weights: Array


def spectral_law(inputs: Process, noise: Process) -> Law:
    """Nodes in frequency for two stationary processes of short memory, good for every delta."""
    if isinstance(inputs, White):  # C is the identity: any basis is an eigenbasis, in which the noise has unit variance
        return Law(np.ones(1), np.ones(1), np.ones(1))
    w, weights = frequency_nodes((inputs, noise))
    return Law(inputs.spectral_density(w), noise.spectral_density(w), weights / math.pi)


def frequency_nodes(processes: tuple[Process, ...]) -> tuple[Array, Array]:
    """Gauss-Legendre nodes on panels of [0, pi] that shrink geometrically towards every extremum of the densities: near a zero
    of f the integrands change over a distance of the order of 1 / sqrt(delta), near a pole of an AR(1) over 1 - rho.
    """
    points = sorted({0.0, math.pi, *(w for process in processes for w in _extrema(process))})
    nodes, weights = _gauss(POINTS)
    edges = np.unique(np.concatenate([_graded(a, b) for a, b in itertools.pairwise(points)]))
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    w, weights = (middle + half * nodes).ravel(), (half * weights).ravel()
    if any(process.hurst > SHORT_MEMORY for process in processes):  # an integrable pole at zero
        top = math.log(float(edges[1]))
        count = math.ceil((top - LEAST_FREQUENCY) / PANEL)
        log_w, steps = _panels(np.linspace(LEAST_FREQUENCY, top, count + 1), PANEL_POINTS)
        w, weights = (
            np.concatenate([np.exp(log_w), w[POINTS:]]),
            np.concatenate([np.exp(log_w) * steps, weights[POINTS:]]),
        )
    return w, weights


def _graded(start: float, stop: float) -> Array:
    half = 0.5 * (stop - start)
    offsets = half * GRADING ** -np.arange(0.0, max(1.0, math.ceil(math.log(half / FINEST) / math.log(GRADING))))
    return np.concatenate([[start], start + offsets[::-1], stop - offsets[1:], [stop]])


def _extrema(process: Process) -> list[float]:
    """Interior extrema of the density on a grid, each refined by golden section."""
    w = np.linspace(0.0, math.pi, SCAN + 1)[1:]
    f = np.log(process.spectral_density(w) + 1e-300)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(f))) != 0) + 1
    return [_golden(process, float(w[k - 1]), float(w[k + 1]), float(f[k]) < float(f[k - 1])) for k in turns]


def _golden(process: Process, low: float, high: float, least: bool) -> float:
    sign, ratio = (1.0 if least else -1.0), 0.5 * (math.sqrt(5.0) - 1.0)
    for _ in range(40):
        inner = np.array([high - ratio * (high - low), low + ratio * (high - low)])
        left, right = sign * process.spectral_density(inner)
        if left < right:
            high = float(inner[1])
        else:
            low = float(inner[0])
    return 0.5 * (low + high)


def run_law(dependence: Repeated) -> Law:
    """Runs: f = L with the weight P(L) / E L."""
    lengths, probabilities = dependence.runs.run_law()
    noise = lengths if dependence.noise == "repeated" else np.ones_like(lengths)
    return Law(lengths, noise, probabilities / float(probabilities @ lengths))


def moments(law: Law, log_delta: Array) -> tuple[Array, Array, Array, Array]:
    """tau, capacity - x, J_x tau^2 and J_eps tau^2 at each delta, shape (k,): sums of positive terms, none of which is small
    because delta is.
    """
    rest = 1.0 / (1.0 + np.exp(log_delta)[:, None] * law.inputs)
    passed = law.inputs * rest
    squares = rest * rest
    mass = law.weights * law.inputs
    return rest @ mass, rest @ law.weights, (passed * rest) @ mass, squares @ (mass * law.noise)


class TabledResponses:
    """Short memory: one table in the logit of x for all n, interpolated by quintic splines."""

    def __init__(self, law: Law) -> None:
        capacity = float(law.weights.sum())
        self.capacity = 1.0 if abs(capacity - 1.0) < 1e-9 else capacity
        self._largest = float(law.inputs.max())
        least = max(float(law.inputs.min()), 1e-12)
        start, stop = max(-DEEPEST - math.log(self._largest), LOWEST), DEEPEST - math.log(least)
        log_delta = np.linspace(start, stop, math.ceil((stop - start) / STEP))
        tau, rest, squares, noise = moments(law, log_delta)
        logit = np.log(tau) + log_delta - np.log(rest)
        factors = np.stack([np.log(tau), np.log(squares / tau**2), np.log(noise / tau**2)], axis=1)
        keep = np.concatenate([[True], np.diff(logit) > 1e-3])
        self._logit, self._factors = logit[keep], factors[keep]
        self._spline = make_interp_spline(self._logit, self._factors, k=5)
        self._slope = self._spline.derivative()
        # Where lengths have no mean square the factors are powers of x below the table; elsewhere the powers are zero.
        self._powers = self._slope(self._logit[0]) * (np.abs(self._slope(self._logit[0])) > 1e-7)
        self._powers[0] = 0.0
        self._least_noise = float(np.exp(factors[:, 2].min()))

    def _place(self, x: Array) -> tuple[Array, Array]:
        """Logit of x inside the table, and how far it lies below (not above zero)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logit = np.log(x / np.maximum(self.capacity - x, 0.0))
        place = np.clip(logit, self._logit[0], self._logit[-1])
        return place, np.minimum(np.maximum(logit, -1e4) - self._logit[0], 0.0)

    def at(self, x: Array, n: Array) -> Response:
        place, below = self._place(x)
        values = self._spline(place) + below[..., None] * self._powers
        tau, inputs, noise = np.moveaxis(np.exp(values), -1, 0)
        inside = place < self._logit[-1]
        stretch = np.where(inside, self.capacity / np.maximum(self.capacity - x, 1e-16), 0.0)
        slopes = self._slope(place) * stretch[..., None]
        tau = np.where(x >= self.capacity, 0.0, tau)
        return Response(tau, inputs, noise, slopes[..., 1], slopes[..., 2])

    def rough(self, x: Array, n: Array) -> tuple[Array, Array, Array]:
        place, below = self._place(x)
        tau, inputs, noise = (
            np.exp(np.interp(place, self._logit, self._factors[:, k]) + below * self._powers[k]) for k in range(3)
        )
        return tau, inputs, noise

    def least_noise(self, n: Array) -> Array:
        return np.full_like(n, self._least_noise)

    def largest(self, n: Array) -> Array:
        return np.full_like(n, self._largest)


class FractionalResponses:
    """Fractional noise as inputs: a law for every n, the equation for delta solved anew at each point."""

    capacity = 1.0

    def __init__(self, inputs: FractionalNoise, noise: Process) -> None:
        self._inputs, self._noise = inputs, noise
        pair: tuple[Any, Any] = (inputs, noise)
        levels, own = _lowest_modes(*pair)
        # The modes hold the mass of the density, c w^-h, below the frequency at which the continuum starts.
        power = 2.0 * inputs.hurst - 1.0
        scale = math.sin(math.pi * inputs.hurst) * math.gamma(2.0 * inputs.hurst + 1.0) * math.pi**-power
        total = float(levels.sum()) * REFERENCE**-power * (1.0 - power) / scale
        self._shift = total ** (1.0 / (1.0 - power)) - MODES
        w = self._frequencies(REFERENCE)
        self._levels = levels / inputs.spectral_density(w)
        self._noise_levels = own / noise.spectral_density(w) if noise.hurst > SHORT_MEMORY else np.ones(MODES)
        self._continuum = {points: self._nodes(points) for points in (PANEL_POINTS, ROUGH_PANEL_POINTS)}
        self._laws: dict[float, Law] = {}
        self._stacks: dict[bytes, Law] = {}
        self._rough_tables: dict[float, Array] = {}

    def law(self, n: float) -> Law:
        """The law at n samples, at least 3 ``MODES``: below, that of 3 ``MODES``."""
        found = self._laws.get(n)
        if found is None:
            if len(self._laws) > KEPT:
                self._laws.clear()
            found = self._laws[n] = self._law(n, PANEL_POINTS)
        return found

    def _frequencies(self, n: float) -> Array:
        """Where the lowest modes stand: w_j with (w_j / pi - shift / n) / (1 - shift / n) = (j - 1/2) / n."""
        return np.asarray(math.pi / n * ((np.arange(MODES) + 0.5) * (1.0 - self._shift / n) + self._shift))

    def _law(self, n: float, points: int) -> Law:
        size = max(n, 3.0 * MODES)
        stretch = 1.0 - self._shift / size
        start = math.log(math.pi * (MODES * stretch + self._shift) / size)
        panels = int((math.log(TOP) - start) / PANEL)
        count = 4 * points + panels * points
        log_w, steps = _panels(np.array([start, math.log(TOP) - panels * PANEL]), points)
        w, lowest = np.exp(log_w), self._frequencies(size)
        inputs, noise, weights = self._continuum[points]
        return Law(
            np.concatenate([self._levels * _density(self._inputs, lowest), _density(self._inputs, w), inputs[:count]]),
            np.concatenate(
                [self._noise_levels * _density(self._noise, lowest), _density(self._noise, w), noise[:count]]
            ),
            np.concatenate([np.full(MODES, 1.0 / size), w * steps / (math.pi * stretch), weights[:count] / stretch]),
        )

    def _nodes(self, points: int) -> tuple[Array, Array, Array]:
        """Densities and weights on [TOP, pi], then on panels downwards from TOP to frequencies that no n resolves."""
        linear, linear_weights = _panels(np.linspace(TOP, math.pi, 3), 2 * points)
        edges = math.log(TOP) - PANEL * np.arange(math.ceil(FARTHEST / PANEL) + 1.0)
        log_w, steps = _panels(edges, points)
        w = np.concatenate([linear, np.exp(log_w)])
        weights = np.concatenate([linear_weights, -np.exp(log_w) * steps])
        return _density(self._inputs, w), _density(self._noise, w), weights / math.pi

    def _stacked(self, n: Array) -> Law:
        """Laws of all n, padded to one length, arrays of shape (k, nodes)."""
        key = n.tobytes()
        found = self._stacks.get(key)
        if found is None:
            if len(self._stacks) > FEW:
                self._stacks.clear()
            found = self._stacks[key] = self._stack(n)
        return found

    def _stack(self, n: Array) -> Law:
        laws = [self.law(float(m)) for m in n]
        width = max(len(law.weights) for law in laws)
        shape = (len(laws), width)
        inputs, noise, weights = np.ones(shape), np.zeros(shape), np.zeros(shape)
        for j, law in enumerate(laws):
            size = len(law.weights)
            inputs[j, :size], noise[j, :size], weights[j, :size] = law.inputs, law.noise * law.weights, law.weights
        return Law(inputs, noise, weights)

    def at(self, x: Array, n: Array) -> Response:
        law = self._stacked(n)
        full = x >= self.capacity
        x = np.where(full, 0.5, x)
        wanted = np.log(x / (1.0 - x))
        u = wanted.copy()
        # Everything over its power of delta, E r = delta E f / (1 + delta f), and weights first: at the largest n a square of
        # delta is no normal double, nor is one of f.
        mass = law.weights * law.inputs
        for _ in range(60):
            rest = 1.0 / (1.0 + np.exp(u)[:, None] * law.inputs)
            gained = mass * rest
            mean, left = gained.sum(axis=1), np.sum(rest * law.weights, axis=1)
            # d logit x / d ln delta = E r(1 - r) / (x (1 - x)), one without dependence.
            step = (u + np.log(mean / left) - wanted) * mean * left / np.sum(gained * rest, axis=1)
            u -= np.clip(step, -4.0, 4.0)
            if np.all(np.abs(step) < 1e-6):  # the error is squared by the step that has been taken
                break
        rest = 1.0 / (1.0 + np.exp(u)[:, None] * law.inputs)
        gained = mass * rest
        squares, shares = gained * law.inputs * rest, law.noise * law.inputs * rest * rest
        mean, square, noise = gained.sum(axis=1), squares.sum(axis=1), shares.sum(axis=1)
        # d ln x / d ln delta = E r(1 - r) / x, and d E r^2 = 2 E r^2 (1 - r).
        pace = np.sum(gained * rest, axis=1) / mean
        inputs_slope = 2.0 * (np.sum(squares * rest, axis=1) / square / pace - 1.0)
        noise_slope = 2.0 * (np.sum(shares * rest, axis=1) / noise / pace - 1.0)
        tau, inputs, noise = mean, square / mean**2, noise / mean**2
        if full.any():
            limit = np.sum(law.noise / law.inputs, axis=1)
            tau, inputs, noise = np.where(full, 0.0, tau), np.where(full, 1.0, inputs), np.where(full, limit, noise)
            inputs_slope, noise_slope = np.where(full, 0.0, inputs_slope), np.where(full, 0.0, noise_slope)
        return Response(tau, inputs, noise, inputs_slope, noise_slope)

    def rough(self, x: Array, n: Array) -> tuple[Array, Array, Array]:
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.log(x / np.maximum(1.0 - x, 0.0))
        tables = [self._rough_table(float(m)) for m in np.ravel(n)]
        tau, inputs, noise = (
            np.exp(np.stack([np.interp(row, table[0], table[k]) for row, table in zip(place, tables, strict=True)]))
            for k in (1, 2, 3)
        )
        return tau, inputs, noise

    def _rough_table(self, n: float) -> Array:
        """Logit of x, ln tau, ln J_x and ln J_eps, shape (4, k)."""
        found = self._rough_tables.get(n)
        if found is None:
            if len(self._rough_tables) > KEPT:
                self._rough_tables.clear()
            law = self._law(n, ROUGH_PANEL_POINTS)
            log_delta = np.linspace(-8.0 - math.log(n), 16.0, ROUGH_POINTS)
            tau, rest, squares, noise = moments(law, log_delta)
            factors = (np.log(tau), np.log(squares / tau**2), np.log(noise / tau**2))
            found = np.stack([np.log(tau / rest) + log_delta, *factors])
            self._rough_tables[n] = found
        return found

    def least_noise(self, n: Array) -> Array:
        """1 / E[f / f_eps]: Cauchy and Schwarz for E r = E sqrt(f_eps/f) r sqrt(f/f_eps)."""
        law = self._stacked(n)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(law.weights > 0.0, law.inputs * law.weights**2 / law.noise, 0.0)
        return np.asarray(1.0 / terms.sum(axis=1))

    def largest(self, n: Array) -> Array:
        return np.array([float(self.law(float(m)).inputs.max()) for m in n])


def _density(process: Process, w: Array) -> Array:
    """The spectral density, a power of w to twelve digits below a frequency of 1e-6."""
    far = w >= NEAR_ZERO
    found = np.empty_like(w)
    found[far] = process.spectral_density(w[far])
    if not far.all():
        lowest = float(process.spectral_density(np.array([NEAR_ZERO]))[0])
        found[~far] = lowest * (w[~far] / NEAR_ZERO) ** (1.0 - 2.0 * process.hurst)
    return found


@lru_cache(maxsize=16)
def _gauss(points: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(points)


def _panels(edges: Array, points: int) -> tuple[Array, Array]:
    nodes, weights = _gauss(points)
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * nodes).ravel(), (half * weights).ravel()


@lru_cache(maxsize=256)
def _lowest_modes(inputs: Any, noise: Any) -> tuple[Array, Array]:
    """Largest eigenvalues of the inputs' correlation matrix at the reference size, and the noise in their eigenvectors."""
    levels, vectors = _eigenvectors(inputs)
    spread = matmul_toeplitz(noise.autocorrelations(REFERENCE - 1), vectors)
    own = np.sum(vectors * spread, axis=0)
    return levels, own


@lru_cache(maxsize=64)
def _eigenvectors(process: Any) -> tuple[Array, Array]:
    matrix = toeplitz(process.autocorrelations(REFERENCE - 1))
    levels, vectors = eigh(matrix, subset_by_index=(REFERENCE - MODES, REFERENCE - 1))
    return levels[::-1], vectors[:, ::-1]


def responses(dependence: Dependence) -> Responses:
    """The three functions of a dependence, cached; ValueError for one of another package."""
    key: Any = dependence
    return _responses(key)


@lru_cache(maxsize=256)
def _responses(dependence: Dependence) -> Responses:
    if isinstance(dependence, Repeated):
        return TabledResponses(run_law(dependence))
    if isinstance(dependence, Dependent | Independent):
        inputs, noise = dependence.inputs, dependence.noise
        if isinstance(inputs, FractionalNoise):
            return FractionalResponses(inputs, noise)
        if inputs.hurst > SHORT_MEMORY:
            raise ValueError(f"inputs={inputs!r} of long memory have an equivalent as FractionalNoise only")
        return TabledResponses(spectral_law(inputs, noise))
    raise ValueError(f"dependence={dependence!r} has no equivalent here; use Independent, Dependent or Repeated")

r"""How samples that depend on one another respond to a ridge: three functions of the share of the sample that the degrees of
freedom take up, all that the deterministic equivalent needs to know of a dependence.

Let :math:`\mu` be the limit of the joint law of f, an eigenvalue of the correlation matrix C of the inputs, and of
:math:`f_\varepsilon`, the diagonal entry of that of the noise in the eigenbasis of C. For stationary processes they are the two
spectral densities at a uniform frequency (Grenander and Szego 1958). For inputs repeated in runs of length L there is one
eigenvalue L a run and the others are 0, so that :math:`E_\mu g(f) = E g(L) / E L` where g(0) = 0; :math:`f_\varepsilon` is 1 for fresh
noise, L for noise that is repeated with the input. With :math:`r = \delta f / (1 + \delta f)`

.. math:: x = E_\mu r, \quad \tau = x/\delta, \quad J_x = E_\mu r^2 / x^2, \quad J_\varepsilon = E_\mu[r^2 f_\varepsilon/f] / x^2,

each a function of x alone, as x determines :math:`\delta`. For independent samples :math:`\tau = 1 - x` and both factors are 1. As
x tends to 0, :math:`\tau \to 1`, :math:`J_x \to \sum_h \rho_x(h)^2` and :math:`J_\varepsilon \to \sum_h \rho_x(h) \rho_\varepsilon(h)`
(Parseval). What they are for: :mod:`verifier.risk.dependent`. The derivation is that of the equivalent for separable covariances
(Couillet, Debbah and Silverstein 2011, theorem 1; Paul and Silverstein 2009).

*Long memory.* Where f diverges at frequency 0, like :math:`w^{1-2H}`, n samples do not resolve frequencies below 1/n and the law
depends on n. Its lowest modes are those of the correlation matrix at one reference size, :math:`\mu_j(n) = \mu_j(n_0)
(n/n_0)^{2H-1}` (fractional noise is self-similar: the matrix is a Galerkin discretisation of the operator of kernel
:math:`|s-t|^{2H-2}`), and the continuum takes over from the frequency at which as many modes are left as there should be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from verifier.instances.dependence import Dependence, Dependent, Repeated
from verifier.instances.processes import SHORT_MEMORY, Process, White

Array = NDArray[np.float64]

POINTS = 16  # of Gauss and Legendre on a panel
GRADING = 3.0  # ratio of neighbouring panels
FINEST = 1e-8  # half-width of the panel at an extremum of a density
SCAN = 4096  # frequencies among which extrema are looked for
STEP = 0.1  # in ln delta, of a table
DEEPEST = 36.0  # ln: beyond it a correction of relative order exp(-36) is none


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

    def rough(self, x: Array, n: Array) -> tuple[Array, Array]:
        """J_x and J_eps to a hundredth, for a search; x (k, m), n (k, 1)."""

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
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    edges = np.unique(np.concatenate([_graded(a, b) for a, b in zip(points[:-1], points[1:], strict=True)]))
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * nodes).ravel(), (half * weights).ravel()


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
    """x, capacity - x, E r^2 and E r^2 f_eps / f at each delta, shape (k,): positive terms throughout."""
    odds = np.exp(log_delta)[:, None] * law.inputs
    rest = 1.0 / (1.0 + odds)
    r = odds * rest
    r2 = r * r
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.exp(log_delta)[:, None] ** 2 * law.inputs * rest * rest  # r^2 / f, also where f = 0
    return r @ law.weights, rest @ law.weights, r2 @ law.weights, share @ (law.weights * law.noise)


class TabledResponses:
    """Short memory: one table in the logit of x for all n, interpolated by quintic splines."""

    def __init__(self, law: Law) -> None:
        self.capacity = float(law.weights.sum())
        self._largest = float(law.inputs.max())
        least = max(float(law.inputs.min()), 1e-12)
        start, stop = -DEEPEST - math.log(self._largest), DEEPEST - math.log(least)
        log_delta = np.linspace(start, stop, math.ceil((stop - start) / STEP))
        x, rest, squares, noise = moments(law, log_delta)
        logit = np.log(x) - np.log(rest)
        factors = np.stack([np.log(x) - log_delta, np.log(squares / x**2), np.log(noise / x**2)], axis=1)
        keep = np.concatenate([[True], np.diff(logit) > 1e-3])
        self._logit, self._factors = logit[keep], factors[keep]
        self._spline = make_interp_spline(self._logit, self._factors, k=5)
        self._slope = self._spline.derivative()
        self._least_noise = float(np.exp(factors[:, 2].min()))

    def _place(self, x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            logit = np.log(x / np.maximum(self.capacity - x, 0.0))
        return np.clip(logit, self._logit[0], self._logit[-1])

    def at(self, x: Array, n: Array) -> Response:
        place = self._place(x)
        log_tau, log_inputs, log_noise = self._spline(place).T
        inside = (place > self._logit[0]) & (place < self._logit[-1])
        stretch = np.where(inside, self.capacity / np.maximum(self.capacity - x, 1e-16), 0.0)
        slopes = self._slope(place) * stretch[..., None]
        tau, inputs, noise = np.exp(log_tau), np.exp(log_inputs), np.exp(log_noise)
        tau = np.where(x >= self.capacity, 0.0, tau)
        return Response(tau, inputs, noise, slopes[..., 1], slopes[..., 2])

    def rough(self, x: Array, n: Array) -> tuple[Array, Array]:
        place = self._place(x)
        first, second = (np.exp(np.interp(place, self._logit, self._factors[:, k])) for k in (1, 2))
        return first, second

    def least_noise(self, n: Array) -> Array:
        return np.full_like(n, self._least_noise)

    def largest(self, n: Array) -> Array:
        return np.full_like(n, self._largest)


def has_long_memory(dependence: Dependence) -> bool:
    """Whether the law of the eigenvalues depends on n, because that of the inputs has no end."""
    if isinstance(dependence, Repeated):
        return dependence.runs.hurst > SHORT_MEMORY
    return isinstance(dependence, Dependent) and dependence.inputs.hurst > SHORT_MEMORY


def responses(dependence: Dependence) -> Responses:
    """The three functions of a dependence, cached; ValueError for one of another package."""
    key: Any = dependence
    return _responses(key)


@lru_cache(maxsize=256)
def _responses(dependence: Dependence) -> Responses:
    if isinstance(dependence, Repeated):
        return TabledResponses(run_law(dependence))
    if isinstance(dependence, Dependent):
        return TabledResponses(spectral_law(dependence.inputs, dependence.noise))
    raise ValueError(f"dependence={dependence!r} has no equivalent here; use Dependent or Repeated")

r"""The eigenbasis of a transformed covariance, by dense linear algebra: what simulation stands on.

Ridge regression on x' = Tx, in the coordinates of L2, is ridge regression on Gaussian inputs of covariance
:math:`W = B'B`, :math:`B = T\Sigma^{1/2}`, with the coefficients f that the target had before
(:mod:`verifier.risk.operators`). In the eigenbasis of W the inputs are Gaussian with independent coordinates again, so that
everything :mod:`verifier.risk.simulate` does for a diagonal covariance applies: it is given the eigenvalues of W and the
squares of f in its eigenbasis. (Only Gaussian inputs are free to be turned like this.)

B is built from its definition, factor by factor in O(p^2 r), and decomposed by its singular vectors: squares would lose the small
end of a steep spectrum. The decomposition knows nothing of target and noise. It is made once for a spectrum, a transform and a
p, in O(p^3), and kept under the digest of the two (``MOST_KEPT`` bytes in all), so that another target costs O(p^2). Nothing is
shared with the low-rank formulas of :mod:`verifier.risk.operators`, which simulation is there to certify.

*Infinitely many coordinates.* The first p are kept one by one. The others, smooth functions of the log-index, stand on the
nodes of Gauss-Legendre panels from p + 1/2 on (the midpoint rule): a node of weight w is one coordinate along which the w
coordinates of its cell act together on directions and target, scaled by the root of w, and w - 1 more with the same eigenvalue
that meet neither. Beyond the panels, where no input is left, what directions hold of their length stands on a few coordinates
more, with the Gram matrix of the directions' tails. A transform whose directions have finitely many entries leaves all but
its first coordinates alone.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.instances import CarriedCoefficients, FullRotation, Instance, RotatedMixture
from verifier.risk.lattice import Lattice, panels, parity_of
from verifier.risk.operators import log_multiplier

Array = NDArray[np.float64]

COORDINATES = 512
"""At least so many coordinates of an infinite spectrum are kept one by one."""

MOST_KEPT = 2**28
"""Bytes of decompositions that a process keeps: those of p = 4096 and 2048 take 168 MB together."""

CELL_POINTS = 6
FLOW_POINTS = (
    16  # where exp(-t l) is summed; with 6, up to 2e-3 of the risk was missed where the cells are being learnt
)
CELL_DEPTH = 36.0  # panels reach to where the eigenvalues are exp(-36) of the p-th


@dataclass(frozen=True, eq=False)
class Eigenbasis:
    """Spectrum of W, leading part first.

    ``eigenvalues`` (q,) in decreasing order, with the ``energies`` (q,), squares of the target's coefficients there;
    ``others`` and ``multiplicity`` (r,) further eigenvalues that the target does not meet; ``far_trace`` the trace of what
    lies beyond all of these; ``far_levels`` and ``far_energies`` (t,) the target's energies beyond the coordinates that were
    kept, at isolated indices or all in one, and the eigenvalues there, to be counted for the bias only.
    """

    eigenvalues: Array
    energies: Array
    others: Array
    multiplicity: Array
    far_trace: float
    far_levels: Array
    far_energies: Array

    def rest(self, leading: int, kappa: float) -> tuple[float, float, float]:
        """d1, d2 and bias, at the effective ridge kappa, of everything but the first ``leading`` eigenvalues."""
        values, energies = self.eigenvalues[leading:], self.energies[leading:]
        share, other = values / (values + kappa), self.others / (self.others + kappa)
        df1 = float(share.sum() + self.multiplicity @ other) + self.far_trace / kappa if kappa > 0.0 else 0.0
        df2 = float(share @ share + self.multiplicity @ other**2)
        far = kappa / (self.far_levels + kappa)
        return df1, df2, float(energies @ (1.0 - share) ** 2 + self.far_energies @ far**2)


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Eigenvalues of W (p,) in decreasing order and its eigenvectors as rows (p, p): what turns the target's coefficients."""

    eigenvalues: Array
    vectors: Array

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.eigenvalues.nbytes + self.vectors.nbytes


class Decompositions:
    """Decompositions by key, those used last, ``nbytes`` of memory in all and at most ``most``; one larger alone is not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.nbytes = 0
        self._kept: OrderedDict[Hashable, Decomposition] = OrderedDict()

    def find(self, key: Hashable) -> Decomposition | None:
        """What is kept under the key, from now on the one used last."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, found: Decomposition) -> None:
        """Keep one under a key that is not known, and drop those that have not been used for longest until all fit."""
        self._kept[key] = found
        self.nbytes += found.nbytes
        while self.nbytes > self._most:
            self.nbytes -= self._kept.popitem(last=False)[1].nbytes


_DECOMPOSITIONS = Decompositions(MOST_KEPT)


def eigenbasis(instance: Instance, coordinates: int) -> Eigenbasis:
    """The eigenbasis on the first ``coordinates`` of an infinite spectrum (at least 512), or on all of a finite one; cached."""
    size = instance.spectrum.size
    if isinstance(instance.spectrum, RotatedMixture):
        target: Any = instance.target
        return _rotated(instance.spectrum, target, max(coordinates, COORDINATES))
    key: tuple[Any, Any, Any] = (instance.spectrum, instance.target, instance.transform)
    return _eigenbasis(*key, int(size) if math.isfinite(size) else max(coordinates, COORDINATES))


@lru_cache(maxsize=64)
def _eigenbasis(spectrum: Any, target: Any, transform: Any, p: int) -> Eigenbasis:
    local = all(d.entries is not None for factor in transform.factors for d in factor.directions)
    local = local and not isinstance(transform, FullRotation)
    x, weight, odd, lattice, end = _coordinates(spectrum, (transform,), p)
    log_l = spectrum.log_eigenvalues(x)
    f, far = _coefficients(spectrum, target, x, weight, p)
    far_levels = np.exp(spectrum.log_eigenvalues(far)) * _gains(transform, far, parity_of(far))
    far_energies = np.exp(_log_energy(spectrum, target, far))
    if local:
        # The first coordinates turn among themselves, the others are only rescaled.
        q = min(transform.head, p)
        turned = _singular(_root(transform, spectrum.size, x[:q], log_l[:q], weight[:q], odd[:q], None))
        level = np.exp(log_l[q:]) * _gains(transform, x[q:], odd[q:])
        values, f = np.concatenate([turned.eigenvalues, level]), np.concatenate([turned.vectors @ f[:q], f[q:]])
    else:
        turned = _kept_decomposition(
            spectrum, transform, p, lambda: _root(transform, spectrum.size, x, log_l, weight, odd, end)
        )
        values, f = turned.eigenvalues, turned.vectors @ f
    order = np.argsort(-values, kind="stable")
    others = np.exp(log_l[p:]) * _gains(transform, x[p:], odd[p:])
    far_trace = 0.0
    if lattice is not None and end is not None:
        far_trace = lattice.tail(lambda y, o: spectrum.log_eigenvalues(y) + np.log(_gains(transform, y, o)), end)
        if target.support(math.log(2.0)) is None:
            # kappa is far above every eigenvalue there.
            far_levels, far_energies = (
                np.zeros(1),
                np.array([lattice.tail(lambda y, o: _log_energy(spectrum, target, y), end)]),
            )
    multiplicity = np.maximum(weight[p:] - 1.0, 0.0)
    return Eigenbasis(values[order], f[order] ** 2, others, multiplicity, far_trace, far_levels, far_energies)


def _coordinates(
    spectrum: Any, transforms: Sequence[Any], p: int, points: int = CELL_POINTS
) -> tuple[Array, Array, NDArray[np.bool_], Lattice | None, float | None]:
    """Log-indices, weights and parities of the coordinates, good for all the transforms, and the log-index of their end: none where
    the spectrum is finite.
    """
    index = np.arange(1.0, p + 1.0)
    x, weight, odd = np.log(index), np.ones(p), index % 2 == 1
    if math.isfinite(spectrum.size):
        return x, weight, odd, None, None
    factors = [factor for transform in transforms for factor in transform.factors]
    periods = {float(part.period) for part in (spectrum, *factors) if part.period is not None}
    alternates = any(factor.alternates for factor in factors)
    lattice = Lattice(math.inf, p, float(spectrum.tail_index), tuple(sorted(periods)), alternates)
    start = math.log(p + 0.5)
    end = start + CELL_DEPTH / lattice.decay
    cells, widths = panels(start, end, lattice.width, points)
    widths *= np.exp(cells)
    for parity in (True, False) if alternates else (False,):
        x = np.append(x, cells)
        weight = np.append(weight, 0.5 * widths if alternates else widths)
        odd = np.append(odd, np.full(cells.shape, parity))
    return x, weight, odd, lattice, end


@dataclass(frozen=True, eq=False)
class Moved:
    """Coordinates on which several transforms of one infinite spectrum are matrices: the ``weight`` (q,) of each, the target's
    coefficients ``f`` (q,) and its energy ``beyond`` them; for each transform the eigenvalues and eigenvectors of W, and the
    ``rates`` (q,), the diagonal part of W.
    """

    weight: Array
    f: Array
    beyond: float
    kernels: tuple[Decomposition, ...]
    rates: tuple[Array, ...]


def moved(spectrum: Any, target: Any, transforms: Sequence[Any], p: int) -> Moved:
    """The transforms on p coordinates one by one and on cells beyond them."""
    x, weight, odd, lattice, end = _coordinates(spectrum, transforms, p, FLOW_POINTS)
    assert lattice is not None
    assert end is not None
    log_l = spectrum.log_eigenvalues(x)
    f, _ = _coefficients(spectrum, target, x, weight, p)
    beyond = lattice.tail(lambda y, o: _log_energy(spectrum, target, y), end)
    kernels = [_singular(_root(t, spectrum.size, x, log_l, weight, odd, end)) for t in transforms]
    rates = [np.exp(log_l) * _gains(t, x, odd) for t in transforms]
    return Moved(weight, f, beyond, tuple(kernels), tuple(rates))


def _log_energy(spectrum: Any, target: Any, x: Array) -> Array:
    log_l = spectrum.log_eigenvalues(x)
    return np.asarray(target.log_energy(x, log_l) + 2.0 * target.l2_index * log_l)


def _coefficients(spectrum: Any, target: Any, x: Array, weight: Array, p: int) -> tuple[Array, Array]:
    """f on the coordinates, times the root of their weights, and the log-indices of isolated coefficients beyond the p-th."""
    support = target.support(math.log(spectrum.size) if math.isfinite(spectrum.size) else 690.0 / spectrum.tail_index)
    if support is None:
        return np.exp(0.5 * _log_energy(spectrum, target, x) + 0.5 * np.log(weight)), np.zeros(0)
    near = support < math.log(p + 0.5)
    f = np.zeros_like(x)
    f[np.rint(np.exp(support[near])).astype(np.int64) - 1] = np.exp(0.5 * _log_energy(spectrum, target, support[near]))
    return f, support[~near]


def _gains(transform: Any, x: Array, odd: NDArray[np.bool_]) -> Array:
    """Squares of the diagonal part of T."""
    return np.asarray(np.exp(2.0 * log_multiplier(transform.factors, x, odd)))


def _kept_decomposition(spectrum: Any, transform: Any, p: int, root: Callable[[], Array]) -> Decomposition:
    """The decomposition of W = B'B, of which B follows from spectrum, transform and p."""
    try:
        key = (Instance(spectrum, transform=transform).digest, p)
    except ValueError:  # an ingredient of another package that cannot be recorded has no digest
        return _singular(root())
    found = _DECOMPOSITIONS.find(key)
    if found is None:
        found = _singular(root())
        _DECOMPOSITIONS.keep(key, found)
    return found


def _singular(root: Array) -> Decomposition:
    _, singular, vectors = np.linalg.svd(root)
    return Decomposition(singular**2, vectors)


def _root(
    transform: Any, size: float, x: Array, log_l: Array, weight: Array, odd: NDArray[np.bool_], end: float | None
) -> Array:
    """B, of as many columns as there are coordinates; directions go on in further rows beyond the log-index ``end``."""
    if isinstance(transform, FullRotation):
        return transform.dense(len(x)) * np.exp(0.5 * log_l)
    smooth = list(dict.fromkeys(d for factor in transform.factors for d in factor.directions if d.entries is None))
    tails = _tails(smooth, end) if end is not None else np.zeros((0, len(smooth)))
    product = np.concatenate([np.diag(np.exp(0.5 * log_l)), np.zeros((len(tails), len(x)))])
    for factor in reversed(transform.factors):
        columns = np.zeros((len(product), len(factor.directions)))
        for j, direction in enumerate(factor.directions):
            if direction.entries is None:
                columns[: len(x), j] = np.exp(direction.log_values(x)) * np.sqrt(weight)
                columns[len(x) :, j] = tails[:, smooth.index(direction)]
            else:
                for i, entry in direction.entries:
                    columns[i - 1, j] = entry
        update = columns @ (factor.matrix(size) @ (columns.T @ product))
        product[: len(x)] *= factor.multiplier(x, odd)[:, None]
        product[len(x) :] *= _typical(factor)
        product += update
    return product


def _tails(directions: list[Any], end: float) -> Array:
    """Coordinates, as columns, of the parts of powers of the index beyond a log-index: their Gram matrix is the true one."""
    gamma = np.array([d.gamma for d in directions])
    values = np.array([float(d.log_values(np.array([end]))[0]) for d in directions])
    decay = gamma[:, None] + gamma - 1.0
    gram = np.exp(values[:, None] + values + end) / decay
    eigenvalues, vectors = np.linalg.eigh(gram)
    return np.asarray(np.sqrt(np.maximum(eigenvalues, 0.0))[:, None] * vectors.T)


def _typical(factor: Any) -> float:
    """Root mean square of a multiplier over a period and both parities."""
    x = np.linspace(0.0, factor.period or 1.0, 32, endpoint=False)
    both = [factor.multiplier(x, np.full(x.shape, parity)) ** 2 for parity in (True, False)]
    return math.sqrt(float(np.mean(both)))


@lru_cache(maxsize=16)
def _rotated(mixture: RotatedMixture, target: Any, p: int) -> Eigenbasis:
    r"""The eigenbasis of :math:`\pi_1\Lambda_1 + \pi_2 R\Lambda_2R` itself, on p coordinates, cells, and one more along what the
    direction holds beyond; a function by theta, of which :math:`f_i^2 = w_i \langle u_i, \theta\rangle^2`.
    """
    index = np.arange(1.0, p + 1.0)
    lattice = Lattice(math.inf, p, mixture.tail_index)
    start = math.log(p + 0.5)
    end = start + CELL_DEPTH / mixture.tail_index
    cells, widths = panels(start, end, Lattice(math.inf, p, mixture.steepest).width, CELL_POINTS)
    x = np.concatenate([np.log(index), cells])
    log_weight = np.concatenate([np.zeros(p), np.log(widths) + cells])

    coefficients = isinstance(target, CarriedCoefficients)

    def log_given(y: Array) -> Array:
        log_l = mixture.log_eigenvalues(y)
        power = target.l2_index if coefficients else target.l2_index - 0.5
        return np.asarray(0.5 * target.log_energy(y, log_l) + power * log_l)

    def beyond(log_summand: Any, rate: float) -> float:
        y, w = panels(end, end + 40.0 / rate, 1.0)
        return float(w @ np.exp(log_summand(y) + y))

    log_v = mixture.direction.log_values
    tail = beyond(lambda y: 2.0 * log_v(y), 2.0 * mixture.direction.gamma - 1.0)
    along = beyond(lambda y: log_v(y) + log_given(y), mixture.direction.gamma - 0.5) / math.sqrt(tail)
    first, second = np.exp(np.pad(mixture.log_parts(x), ((0, 0), (0, 1)), constant_values=-np.inf))
    v = np.append(np.exp(log_v(x) + 0.5 * log_weight), math.sqrt(tail))
    given = np.append(np.exp(log_given(x) + 0.5 * log_weight), along)
    passed = second * v
    covariance = np.diag(first + second) - 2.0 * (np.outer(v, passed) + np.outer(passed, v))
    covariance += 4.0 * float(v @ passed) * np.outer(v, v)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    others = np.exp(mixture.log_eigenvalues(cells))
    far_trace = lattice.tail(lambda y, odd: mixture.log_eigenvalues(y), end)
    far_energy = lattice.tail(
        lambda y, odd: 2.0 * log_given(y) + (0.0 if coefficients else mixture.log_eigenvalues(y)), end
    )
    if coefficients:
        far_energy -= along**2  # which stands on the last coordinate already
    return Eigenbasis(
        values,
        (vectors.T @ given) ** 2 * (1.0 if coefficients else values),
        others,
        np.maximum(np.exp(log_weight[p:]) - 1.0, 0.0),
        far_trace,
        np.zeros(1),
        np.array([far_energy]),
    )

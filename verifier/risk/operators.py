r"""Spectral sums of a transformed covariance, in infinite dimension and without forming a matrix.

**What is computed.** Kernel ridge regression sees :math:`x' = Tx`, x of covariance :math:`\Sigma = \mathrm{diag}(l)`, and the
regression function stays :math:`f(x) = \langle\theta, x\rangle = \langle\theta', x'\rangle`, :math:`\theta' = T^{-*}\theta`. Its
deterministic equivalent is that of covariance :math:`\Sigma' = T\Sigma T^*` and coefficients :math:`\theta'`. With
:math:`A = T\Sigma^{1/2}` the bias is

.. math:: \|A^*\kappa(AA^*+\kappa)^{-1}\theta'\|^2 = \|\kappa(A^*A+\kappa)^{-1}A^*\theta'\|^2 = \|\kappa(W+\kappa)^{-1}f\|^2,
          \quad W = \Sigma^{1/2} M \Sigma^{1/2}, \quad M = T^*T,

since :math:`A^*\theta' = \Sigma^{1/2}\theta = f`, the coefficients in L2, which no transform changes; and W has the nonzero
eigenvalues of :math:`\Sigma'`. So everything is a sum over the spectral measure of W, seen from f or from the trace.

**Low rank.** A product of factors "multiplier plus finite rank" has :math:`M = D + \Phi K\Phi^*` (:func:`metric`), columns of
:math:`\Phi` unit vectors or smooth functions of the log-index. Hence :math:`W = \Lambda + VKV^*` with
:math:`\Lambda_i = l_i D_i`, :math:`V = \Sigma^{1/2}\Phi`, and with the m x m matrices :math:`G(\kappa) =
V^*(\Lambda+\kappa)^{-1}V`, :math:`X = (1+KG)^{-1}K` (Woodbury 1950; no inverse of K is needed)

.. math:: h = \kappa(W+\kappa)^{-1}f = q\,(f - V X\, V^*(\Lambda+\kappa)^{-1} f), \quad q = \frac{\kappa}{\Lambda+\kappa},

evaluated entry by entry: q is small to all its digits, and the bracket tends to the entries of :math:`M^{-1}\theta`, so that
the bias :math:`\|h\|^2` is a sum of squares in which nothing cancels however small kappa is. (Entries of
:math:`M^{-1}\theta` keep a relative accuracy of rounding times the condition number of M.)

**Degrees of freedom.** By the matrix determinant lemma :math:`\ln\det(W+\kappa) = \ln\det(\Lambda+\kappa) + L`,
:math:`L = \ln\det(1+KG)`, so that with dots for derivatives in :math:`\ln\kappa`

.. math:: d_1 = \sum_i \frac{\Lambda_i}{\Lambda_i+\kappa} - \dot L, \qquad d_2 = d_1 + \dot d_1
          = \sum_i \Big(\frac{\Lambda_i}{\Lambda_i+\kappa}\Big)^2 - \dot L - \ddot L .

The derivatives are analytic: :math:`G^{(j)} = V^*(\Lambda+\kappa)^{-1}p_j(q)V` with :math:`p_0 = 1, p_{j+1} = -q p_j +
q(1-q)p_j'`, and, with :math:`A_j = XG^{(j)}`, :math:`\dot L = \mathrm{tr} A_1`, :math:`\ddot L = \mathrm{tr}(A_2 - A_1^2)`,
:math:`L^{(3)} = \mathrm{tr}(A_3 - 3A_1A_2 + 2A_1^3)`, :math:`L^{(4)} = \mathrm{tr}(A_4 - 4A_1A_3 - 3A_2^2 + 12A_1^2A_2 -
6A_1^4)`. The two polynomials that meet in a sum are added before they are summed, as :math:`p_1 + p_2 = -2q(1-q)`.

**Infinitely many indices.** Sums over them are those of :mod:`verifier.risk.quadrature`: a head term by term, Gauss-Legendre
panels in the log-index with Gregory's end correction, a far node for the trace and one for the energy of the target. Panels
reach to where :math:`\Lambda` is 1e-16 of kappa, beyond which cross terms of f and V are negligible. A multiplier that
alternates with the parity of the index is summed over the odd and the even indices separately.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.instances.transforms import Direction, Factor, Transform, inner_product
from verifier.risk.lattice import Lattice, Odd, parity_of
from verifier.risk.quadrature import DEEPEST_LOG, HEAD, decay_of

Array = NDArray[np.float64]

REACH = math.log(1e16)  # panels go on until the eigenvalue is this far below kappa
TINY = 1e-13  # an entry of K below this is the rounding error of products that cancel


# ------------------------------------------------------------------------------------------------ T as D + Phi A Phi*


@dataclass(frozen=True)
class Column:
    """A column of Phi: the unit vector of ``axis``, or a power of the index times multipliers."""

    axis: int | None = None
    direction: Direction | None = None
    multipliers: tuple[Factor, ...] = ()

    def log_values(self, log_index: Array, odd: Odd) -> Array:
        """Logarithms of the entries of a smooth column."""
        assert self.direction is not None
        return self.direction.log_values(log_index) + log_multiplier(self.multipliers, log_index, odd)

    @property
    def gamma(self) -> float:
        """Exponent of the decay, infinite for a unit vector."""
        return math.inf if self.direction is None else self.direction.gamma


@dataclass(frozen=True, eq=False)
class LowRank:
    """The operator D + Phi A Phi*: D the product of ``multipliers``, Phi of ``columns``, A of shape (m, m)."""

    multipliers: tuple[Factor, ...] = ()
    columns: tuple[Column, ...] = ()
    matrix: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def transposed(self) -> LowRank:
        """The adjoint."""
        return LowRank(self.multipliers, self.columns, self.matrix.T)


def log_multiplier(multipliers: Sequence[Factor], log_index: Array, odd: Odd) -> Array:
    """ln of the product of the multipliers."""
    result = np.zeros_like(log_index)
    for factor in multipliers:
        result = result + np.log(factor.multiplier(log_index, odd))
    return result


def metric(transform: Transform, size: float = math.inf) -> LowRank:
    r"""M = T*T of a transform on the first ``size`` coordinates as :math:`D + \Phi K \Phi^*`, without columns that do nothing."""
    whole = LowRank()
    for factor in transform.factors:
        whole = _product(whole, _lowered(factor, size), size)
    squared = _product(whole.transposed, whole, size)
    matrix = 0.5 * (squared.matrix + squared.matrix.T)
    matrix = np.where(np.abs(matrix) <= TINY, 0.0, matrix)
    used = np.flatnonzero(np.any(matrix != 0.0, axis=0))
    columns = tuple(squared.columns[j] for j in used)
    return LowRank(squared.multipliers, columns, matrix[np.ix_(used, used)])


def _lowered(factor: Factor, size: float) -> LowRank:
    """One factor, its directions with finitely many entries written out in unit vectors."""
    columns: dict[Column, int] = {}
    weights: list[tuple[int, int, float]] = []
    for j, direction in enumerate(factor.directions):
        entries = direction.entries
        parts = [(Column(direction=direction), 1.0)] if entries is None else [(Column(i), e) for i, e in entries]
        weights += [(columns.setdefault(column, len(columns)), j, entry) for column, entry in parts]
    spread = np.zeros((len(columns), len(factor.directions)))
    for row, j, entry in weights:
        spread[row, j] += entry
    sample = np.linspace(0.0, 64.0, 33)  # a factor without a multiplier says one everywhere
    plain = all(bool(np.all(factor.multiplier(sample, np.full(33, odd)) == 1.0)) for odd in (True, False))
    return LowRank(() if plain else (factor,), tuple(columns), spread @ factor.matrix(size) @ spread.T)


def _product(second: LowRank, first: LowRank, size: float) -> LowRank:
    """The product of two operators, ``first`` acting first."""
    columns: dict[Column, int] = {}

    def placed(parts: Sequence[Column], by: tuple[Factor, ...]) -> list[tuple[int, float]]:
        found = []
        for column in parts:
            moved, scale = _multiplied(column, by)
            found.append((columns.setdefault(moved, len(columns)), scale))
        return found

    moved = placed(first.columns, second.multipliers), placed(second.columns, first.multipliers)
    still = placed(first.columns, ()), placed(second.columns, ())

    def embedded(places: list[tuple[int, float]]) -> Array:
        result = np.zeros((len(columns), len(places)))
        for j, (row, scale) in enumerate(places):
            result[row, j] = scale
        return result

    left, right = embedded(moved[0]), embedded(still[0])
    own, far = embedded(still[1]), embedded(moved[1])
    crossed = np.array([[_overlap(a, b, size) for b in first.columns] for a in second.columns]).reshape(
        len(second.columns), len(first.columns)
    )
    matrix = left @ first.matrix @ right.T + own @ second.matrix @ far.T
    matrix += own @ second.matrix @ crossed @ first.matrix @ right.T
    multipliers = tuple(sorted(second.multipliers + first.multipliers, key=repr))
    return LowRank(multipliers, tuple(columns), matrix)


def _multiplied(column: Column, by: tuple[Factor, ...]) -> tuple[Column, float]:
    if column.axis is not None:
        return column, math.exp(float(_at(column.axis, by)))
    return Column(None, column.direction, tuple(sorted(column.multipliers + by, key=repr))), 1.0


def _at(index: int, multipliers: Sequence[Factor]) -> float:
    return float(log_multiplier(multipliers, np.log(np.array([float(index)])), np.array([index % 2 == 1]))[0])


@lru_cache(maxsize=4096)
def _overlap(one: Column, other: Column, size: float) -> float:
    """Inner product of two columns on the first ``size`` coordinates."""
    if one.axis is None and other.axis is not None:
        one, other = other, one
    if one.axis is not None:
        if other.axis is not None:
            return float(one.axis == other.axis)
        where = np.log(np.array([float(one.axis)]))
        return float(np.exp(other.log_values(where, np.array([one.axis % 2 == 1])))[0])
    multipliers = one.multipliers + other.multipliers
    assert one.direction is not None
    assert other.direction is not None
    if not multipliers:
        return inner_product(one.direction, other.direction, size)
    lattice = Lattice(size, 1, one.gamma + other.gamma, _periods(multipliers), _alternate(multipliers))
    nodes = lattice.nodes(math.log(4.0 * HEAD))

    def log_summand(x: Array, odd: Odd) -> Array:
        return one.log_values(x, odd) + other.log_values(x, odd)

    total = float(nodes.weight @ np.exp(log_summand(nodes.log_index, nodes.odd)))
    return total if nodes.far is None else total + lattice.tail(log_summand, nodes.far)


def _periods(parts: Sequence[Any]) -> tuple[float, ...]:
    return tuple(sorted({float(p) for part in parts if (p := getattr(part, "period", None)) is not None}))


def _alternate(multipliers: Sequence[Factor]) -> bool:
    return any(factor.alternates for factor in multipliers)


# ------------------------------------------------------------------------------------------------ W on the nodes


@dataclass(frozen=True, eq=False)
class TransformedModes:
    r"""The operator :math:`W = \Lambda + VKV^*` and the vector f on N nodes.

    ``eigenvalues`` (N,) :math:`\Lambda`; ``multiplicity`` (N,) how many there are at each node; ``vectors`` (N, m) and
    ``target`` (N,) V and f times the root of the node's weight; ``sign`` (N,) the sign of that weight; ``core`` (m, m) K.
    Isolated coefficients of f beyond the head enter as two nodes, one with f + V a and one, of sign -1, with V a alone,
    which the smooth nodes hold already.
    """

    eigenvalues: Array
    multiplicity: Array
    vectors: Array
    target: Array
    sign: Array
    core: Array
    columns: tuple[Column, ...]


def transformed_modes(instance: Instance, log_reach: float) -> TransformedModes:
    """W and f of an instance on nodes good for any kappa down to the eigenvalue at the log-index ``log_reach``."""
    spectrum, target, transform = instance.spectrum, instance.target, instance.transform
    size = spectrum.size
    form = metric(transform, size)
    finite = math.isfinite(size)
    lattice = Lattice(
        size,
        max(spectrum.head, target.head if target.support(math.log(2.0)) is None else 1, transform.head),
        1.0 if finite else decay_of(spectrum),
        _periods([spectrum, *form.multipliers]),
        _alternate(form.multipliers),
    )
    end = max(log_reach, 1.0) + (REACH + 2.0 * math.log(transform.frame_bounds(size)[1] + 1.0)) / lattice.decay
    nodes = lattice.nodes(min(end, DEEPEST_LOG / max(lattice.decay, 1.0)))

    def log_level(x: Array, odd: Odd) -> Array:
        return spectrum.log_eigenvalues(x) + log_multiplier(form.multipliers, x, odd)

    def log_coefficient(x: Array) -> Array:
        log_l = spectrum.log_eigenvalues(x)
        return 0.5 * target.log_energy(x, log_l) + target.l2_index * log_l

    x, odd = nodes.log_index, nodes.odd
    log_weight = np.log(nodes.weight)
    support = target.support(math.log(size) if finite else DEEPEST_LOG / max(lattice.decay, 1.0))
    coefficients = np.zeros_like(x)
    log_extra = np.zeros(0)
    if support is None:
        coefficients = np.exp(log_coefficient(x) + 0.5 * log_weight)
    else:
        support = support[support < math.log(size + 0.5)]
        near = support < math.log(nodes.pure + 0.5)
        where = np.rint(np.exp(support[near])).astype(np.int64) - 1
        coefficients[where] = np.exp(log_coefficient(support[near]))
        log_extra = support[~near]
    vectors = _vectors(form.columns, instance, x, odd, log_weight)
    parts = [(np.exp(log_level(x, odd)), nodes.weight, vectors, coefficients, np.ones_like(x))]
    if log_extra.size:
        extra_odd = parity_of(log_extra)
        level = np.exp(log_level(log_extra, extra_odd))
        beside = _vectors(form.columns, instance, log_extra, extra_odd, np.zeros_like(log_extra))
        none = np.zeros_like(level)
        parts.append((level, none, beside, np.exp(log_coefficient(log_extra)), np.ones_like(level)))
        if beside.any():
            parts.append((level, none, beside, none, -np.ones_like(level)))
    if nodes.far is not None:
        alone = np.zeros((1, len(form.columns)))
        first, second = (
            lattice.tail(lambda x, odd, p=p: p * log_level(x, odd), nodes.far)  # type: ignore[misc]
            for p in (1.0, 2.0)
        )
        if second > 0.0:
            parts.append((np.array([second / first]), np.array([first**2 / second]), alone, np.zeros(1), np.ones(1)))
        if support is None:
            zeroth, level_of_rest = (
                lattice.tail(lambda x, odd, p=p: 2.0 * log_coefficient(x) + p * log_level(x, odd), nodes.far)  # type: ignore[misc]
                for p in (0.0, 1.0)
            )
            if zeroth > 0.0:
                rest = np.array([level_of_rest / zeroth])
                parts.append((rest, np.zeros(1), alone, np.array([math.sqrt(zeroth)]), np.ones(1)))
    eigenvalues, multiplicity, vectors, coefficients, sign = (np.concatenate(p) for p in zip(*parts, strict=True))
    return TransformedModes(eigenvalues, multiplicity, vectors, coefficients, sign, form.matrix, form.columns)


def _vectors(columns: tuple[Column, ...], instance: Instance, x: Array, odd: Odd, log_weight: Array) -> Array:
    """Columns of V times the root of the weights, shape (N, m); unit vectors sit on the node of their index."""
    half = 0.5 * (instance.spectrum.log_eigenvalues(x) + log_weight)
    result = np.zeros((len(x), len(columns)))
    for j, column in enumerate(columns):
        if column.axis is None:
            result[:, j] = np.exp(half + column.log_values(x, odd))
        elif len(x) >= column.axis and abs(x[column.axis - 1] - math.log(column.axis)) < 1e-9:
            result[column.axis - 1, j] = math.exp(half[column.axis - 1])
    return result


# ------------------------------------------------------------------------------------------------ sums


class TransformedSums:
    """The sums of the deterministic equivalent for W, each at all kappas of an array of shape (k,)."""

    chunk = (
        40_000  # matrix entries worked on at a time: more than of a diagonal covariance, since a step takes more calls
    )

    def __init__(self, instance: Instance, log_reach: float) -> None:
        self.modes = transformed_modes(instance, log_reach)
        modes = self.modes
        m = len(modes.core)
        rows, columns = np.triu_indices(m)
        products = modes.sign[:, None] * modes.vectors[:, rows] * modes.vectors[:, columns]
        met = np.any(products != 0.0, axis=0)  # two unit vectors do not
        self._pairs = rows[met], columns[met]
        self._products = np.ascontiguousarray(products[:, met])
        self._weighted = modes.sign[:, None] * modes.vectors
        # tr W and tr W^2, from their definitions.
        level = modes.eigenvalues
        gram = self._unpacked(self._products.sum(axis=0)[None])[0]
        passed = self._unpacked((level @ self._products)[None])[0]
        first = modes.core @ gram
        self.trace = float(modes.multiplicity @ level + np.trace(first))
        self.trace_of_square = float(
            modes.multiplicity @ level**2 + 2.0 * np.trace(modes.core @ passed) + np.trace(first @ first)
        )

    @property
    def nodes(self) -> int:
        """How many nodes a row of the sums takes."""
        return int(len(self.modes.eigenvalues) * (1 + self._products.shape[1] // 8))

    def degrees(self, kappa: Array) -> tuple[Array, Array]:
        """d1 and d2."""
        inverse, q = self._resolvent(kappa)
        return self._degrees(inverse, q, self._solved(inverse))

    def rows(self, kappa: Array) -> tuple[Array, ...]:
        """d1, d2 and bias."""
        inverse, q = self._resolvent(kappa)
        solved = self._solved(inverse)
        df1, df2 = self._degrees(inverse, q, solved)
        error = self._applied(inverse, q, solved, self.modes.target)
        return df1, df2, np.asarray((error * error) @ self.modes.sign)

    def curved_rows(self, kappa: Array) -> tuple[Array, ...]:
        """d1, d2, bias, and the first and second derivatives of d2 and of the bias in ln kappa."""
        inverse, q = self._resolvent(kappa)
        solved = self._solved(inverse)
        df1, df2 = self._degrees(inverse, q, solved)
        slope, curvature = self._curved_degrees(inverse, q, solved)
        # The bias is <f, Q^2 f>, Q = kappa/(W + kappa), and Q' = Q(1 - Q).
        sign = self.modes.sign
        error = self._applied(inverse, q, solved, self.modes.target)
        again = self._applied(inverse, q, solved, error)
        b, b3, b4 = (error * error) @ sign, (error * again) @ sign, (again * again) @ sign
        return df1, df2, b, slope, curvature, 2.0 * (b - b3), 2.0 * (2.0 * b - 5.0 * b3 + 3.0 * b4)

    def loads(self, kappa: Array) -> Array:
        r"""Coefficients a, shape (k, m), with :math:`h = q (f - V a)`: what the columns of Phi add to the error."""
        inverse, _ = self._resolvent(kappa)
        seen = (inverse * self.modes.target) @ self._weighted
        return np.asarray(np.einsum("kij,kj->ki", self._solved(inverse), seen))

    def moved(self, kappa: Array) -> Array:
        """Squared norm of q V a at each kappa, shape (k,): what the columns of Phi alone leave of the target."""
        _, q = self._resolvent(kappa)
        left = q * (self.loads(kappa) @ self.modes.vectors.T)
        return np.asarray((left * left) @ self.modes.sign)

    def _resolvent(self, kappa: Array) -> tuple[Array, Array]:
        inverse = 1.0 / (self.modes.eigenvalues + kappa[:, None])
        return inverse, kappa[:, None] * inverse

    def _unpacked(self, packed: Array) -> Array:
        """Symmetric matrices (k, m, m) from their upper triangles."""
        m = len(self.modes.core)
        result = np.zeros((len(packed), m, m))
        rows, columns = self._pairs
        result[:, rows, columns] = packed
        result[:, columns, rows] = packed
        return result

    def _gram(self, weights: Array) -> Array:
        """V* diag(weights) V at each kappa, shape (k, m, m)."""
        return self._unpacked(weights @ self._products)

    def _solved(self, inverse: Array) -> Array:
        """X = (1 + K G)^-1 K, shape (k, m, m)."""
        core = self.modes.core
        system = np.eye(len(core)) + core @ self._gram(inverse)
        return np.asarray(np.linalg.solve(system, np.broadcast_to(core, system.shape)))

    def _applied(self, inverse: Array, q: Array, solved: Array, vector: Array) -> Array:
        """kappa (W + kappa)^-1 applied to a vector (N,), or to one for each kappa (k, N)."""
        seen = (inverse * vector) @ self._weighted
        loads = np.einsum("kij,kj->ki", solved, seen)
        return np.asarray(q * (vector - loads @ self.modes.vectors.T))

    def _degrees(self, inverse: Array, q: Array, solved: Array) -> tuple[Array, Array]:
        r = self.modes.eigenvalues * inverse
        df1 = r @ self.modes.multiplicity
        df2 = (r * r) @ self.modes.multiplicity
        inverse = inverse * q
        first = solved @ self._gram(inverse)  # -A_1
        mixed = 2.0 * _trace(solved @ self._gram(inverse * r))
        return df1 + _trace(first), df2 + mixed + _trace(first @ first)

    def _curved_degrees(self, inverse: Array, q: Array, solved: Array) -> tuple[Array, Array]:
        r = self.modes.eigenvalues * inverse
        r2 = r * r
        weight = self.modes.multiplicity
        diagonal_slope = -2.0 * ((r2 * q) @ weight)
        diagonal_curvature = 2.0 * ((r2 * q * (3.0 * q - 1.0)) @ weight)

        def applied(polynomial: Array) -> Array:
            return np.asarray(solved @ self._gram(inverse * polynomial))

        one, two = applied(-q), applied(-q + 2.0 * q**2)
        two_three = applied(-2.0 * q * r * (1.0 - 3.0 * q))
        three_four = applied(-2.0 * q * r * (1.0 - 9.0 * q + 12.0 * q**2))
        three = two_three - two
        square = one @ one
        cube = square @ one
        slope = _trace(two_three - square - 3.0 * one @ two + 2.0 * cube)
        curvature = _trace(
            three_four
            - 3.0 * one @ two
            + 2.0 * cube
            - 4.0 * one @ three
            - 3.0 * two @ two
            + 12.0 * square @ two
            - 6.0 * cube @ one
        )
        return diagonal_slope - slope, diagonal_curvature - curvature


def _trace(matrices: Array) -> Array:
    return np.asarray(np.einsum("kii->k", matrices))

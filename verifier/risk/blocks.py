r"""Samples whose coordinates are coupled in pairs (:class:`~verifier.instances.VectorAutoregression`): their equivalent.

Block b holds two coordinates, of eigenvalues :math:`L = \mathrm{diag}(l_{2b-1}, l_{2b})`. Over time they are
:math:`L^{1/2} z_t`, with :math:`z_t` of covariance I and of the spectral density S(w), one Hermitian 2 x 2 matrix for all blocks:
rows of the transformed sample are independent, with covariances that differ from frequency to frequency and are no multiples of
one another. As the sample is real, S(w) and its conjugate S(-w) come together, and every sum below is one with a real symmetric
matrix: **only the real part of S is seen**, written S from here on. (What two coordinates of a pair have in common with a sign
that changes with that of the lag, as in a rotation, costs and wins nothing at leading order.) Let means be over w, and

.. math:: P_b(K) = (K^{-1} + L_b^{-1})^{-1}, \qquad V(w) = \lambda + \frac1n \mathrm{tr}\, S(w) \sum_b P_b, \qquad
          K^{-1} = \Big\langle \frac{S}{V} \Big\rangle .

The symmetric matrix K takes the place of the effective ridge: the resolvent has the equivalent :math:`(\lambda + \lambda
L^{1/2}K^{-1}L^{1/2})^{-1}`, that of independent rows of different covariances (Couillet, Debbah and Silverstein 2011, theorem 1;
Hachem, Loubaton and Najim 2007). One more derivative, in the direction of :math:`\Sigma`, gives with one symmetric matrix Z

.. math:: Z = I + \Big\langle \frac{S}{n V^2}\, \mathrm{tr}\Big[S \sum_b P_b Z P_b\Big] \Big\rangle, \qquad
          E = \sum_b \mathrm{tr}\Big[\mathrm{diag}\Big(\frac{f_i^2}{l_i^2}\Big) P_b Z P_b\Big]
              + \sigma^2 \Big\langle \frac{f_\varepsilon}{n V^2}\, \mathrm{tr}\Big[S \sum_b P_b Z P_b\Big] \Big\rangle .

Where S is diagonal these are the equations of :mod:`verifier.risk.profiles`, with :math:`P = \kappa l/(l+\kappa)`. As
:math:`d_1/n \to 0`, V is a constant, K a multiple of I, and the factor in n the trace of
:math:`\frac12\langle f_\varepsilon S\rangle = \frac12 \sum_h \Gamma(h) \rho_\varepsilon(h)`.

*The equation for K.* The parallel sum P is increasing and concave in K, and so is the map :math:`K \mapsto \langle S/V\rangle^{-1}`
(Anderson and Duffin 1969): from above Newton's method decreases to the solution, as for the profile, and after a step it is above.
It starts from the scalar for the mean of the two coordinates. Its derivative is the operator of the equation for Z.

*Sums over blocks.* Nodes are laid over the index of the block as they are over that of an eigenvalue
(:mod:`verifier.risk.quadrature`), with both eigenvalues of the block at each: pairs of unequal eigenvalues, to 1e-9. Symmetric
matrices are held as their entries (1, 1), (1, 2), (2, 2). Everything is scaled by the mean of the diagonal of K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance, VectorAutoregression
from verifier.risk.profiles import ACCURACY, EXACT_LOG, NEWTON, ClassTable, ProfileEquivalent, enumerated, one_density
from verifier.risk.quadrature import DEEPEST_LOG, block_modes, decay_of

Array = NDArray[np.float64]

IDENTITY = np.array([1.0, 0.0, 1.0])
HALVED = np.array([1.0, 0.5, 1.0])  # entries of S from the components, which hold (1, 2) twice


@dataclass(frozen=True, eq=False)
class BlockDensities:
    """At W midpoints of [0, pi]: ``inputs`` (3, W), whose product with the entries of a symmetric matrix is the trace of its
    product with S; ``means`` (W, 3) the entries of S, ``pairs`` (W, 9) products of entry and component, and ``heard`` (W, 3)
    those of the entries with the density of the noise, each over W, so that a product with them is a mean over w.
    """

    inputs: Array
    means: Array
    pairs: Array
    heard: Array

    @property
    def loudest(self) -> float:
        """The largest eigenvalue of S at any frequency."""
        one, twice, other = self.inputs
        return float(np.max(0.5 * (one + other) + np.sqrt(0.25 * (one - other) ** 2 + 0.25 * twice**2)))


@lru_cache(maxsize=256)
def block_densities(dependence: VectorAutoregression) -> BlockDensities:
    r"""Midpoints enough for an aliasing error of 1e-12: autocovariances at lag h are at most :math:`\|M\|^h`."""
    strongest = max(dependence.norm, abs(getattr(dependence.noise, "rho", 0.0)))
    order = getattr(dependence.noise, "order", 0)
    count = 16 + order + (math.ceil(0.5 * math.log(ACCURACY) / math.log(strongest)) if strongest > 0.0 else 0)
    w = (np.arange(count) + 0.5) * math.pi / count
    inputs = dependence.component_densities(w)
    entries = HALVED[:, None] * inputs
    noise = np.asarray(dependence.noise.spectral_density(w))
    pairs = (entries[:, None] * inputs[None, :]).reshape(9, count)
    return BlockDensities(inputs, entries.T / count, pairs.T / count, (entries * noise).T / count)


class BlockEquivalent(ProfileEquivalent):
    """The equivalent of an instance whose coordinates are coupled in pairs. An effective ridge is a matrix K, by its entries."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        dependence = instance.dependence
        if not isinstance(dependence, VectorAutoregression):
            raise ValueError(f"dependence={dependence!r} must be a VectorAutoregression")
        self.variance = instance.sigma**2
        self.size = instance.spectrum.size
        self._densities = block_densities(dependence)
        self.loudest = self._densities.loudest
        self.table = ClassTable(instance, 1, log_reach)  # of where to look first
        mean = 0.5 * (self._densities.inputs[0] + self._densities.inputs[2])
        self._products = np.array([dependence.product_sum()])
        self._squares = float(np.mean(mean * mean))
        self._w = one_density(mean)
        self._blocks = blocks(instance, log_reach)

    def _start(self, n: Array, lam: Array) -> Array:
        """The effective ridge of the mean over the two coordinates."""
        return np.asarray(super()._newton(n, lam, super()._start(n, lam)) * IDENTITY)

    def _smallest(self, kappa: Array) -> Array:
        return _least_eigenvalue(kappa)

    def _newton(self, n: Array, lam: Array, start: Array) -> Array:
        kappa = start.copy()
        active = np.arange(len(n))
        for _ in range(100):
            own = kappa[active]
            following = self._step(n[active], lam[active], own)
            kappa[active] = following
            size = own[:, 0] + own[:, 2]
            active = active[np.max(np.abs(following - own), axis=1) > NEWTON * size]
            if active.size == 0:
                break
        return kappa

    def _step(self, n: Array, lam: Array, kappa: Array) -> Array:
        """One step of Newton's for K; one of the map's own where that would leave the positive matrices."""
        at = self._at(n, lam, kappa)
        k, m = _full(kappa / at.scale[:, None]), _full(at.inverse @ self._densities.means)
        mapped = _entries(np.linalg.inv(m))
        passed = m @ k
        # dK = K Y K:  M K Y K M - C[Y] = M - M K M.
        right = _entries(m - passed @ m)
        step = k @ _full(_solved(_sandwich(passed) - self._passed(at, n), right)) @ k
        following = _entries(k + step)
        kept = _least_eigenvalue(following) > 0.02 * _least_eigenvalue(_entries(k))
        return np.asarray(at.scale[:, None] * np.where(kept[:, None], following, mapped))

    def _at(self, n: Array, lam: Array, kappa: Array) -> _Point:
        scale = 0.5 * (kappa[:, 0] + kappa[:, 2])
        sums = self._blocks.sums(kappa, scale)
        share = sums[:, [0, 1, 2]] / n[:, None]
        inverse = 1.0 / ((lam / scale)[:, None] + share @ self._densities.inputs)
        return _Point(scale, inverse, sums[:, 3:])

    def _passed(self, at: _Point, n: Array) -> Array:
        """The operator C of the equation for Z on entries, shape (m, 3, 3)."""
        pairs = (at.inverse**2 @ self._densities.pairs).reshape(-1, 3, 3)
        return np.asarray(pairs @ _products_of(at.squares) / n[:, None, None])

    def _terms(self, n: Array, lam: Array, kappa: Array) -> tuple[Array, Array]:
        at = self._at(n, lam, kappa)
        z = _solved(np.eye(3) - self._passed(at, n), np.broadcast_to(IDENTITY, (len(n), 3)))
        heard = np.einsum("mij,mj->mi", _products_of(at.squares), z) / n[:, None]
        # The trace of S times a symmetric matrix holds (1, 2) twice.
        noise = np.sum((at.inverse**2 @ self._densities.heard) / HALVED * heard, axis=1)
        return np.sum(self._blocks.bias(kappa, at.scale) * (z / HALVED), axis=1), noise

    def at(self, n: float, lam: float) -> tuple[Array, Array, Array]:
        """At one sample size and ridge: the entries of K (3,), and the entries of H, in the sum of P H P over n, for each unit of
        the components of the risk matrix of all blocks, (3, 3), and of the noise, (3,), all in units of K.
        """
        sizes, ridges = np.array([n]), self._regular(np.array([n]), np.array([lam]))
        kappa = self.effective_ridges(sizes, ridges)
        inverse = self._at(sizes, ridges, kappa).inverse[0]
        squares = inverse**2
        return kappa[0], (squares @ self._densities.pairs).reshape(3, 3), squares @ self._densities.heard

    def remainder(self, n: float, lam: float, ell: Array, f2: Array) -> tuple[Array, Array, Array]:
        r"""What the blocks beyond the first p/2 contribute: the ridge :math:`\sum_b P_b` (3,), the bias (3,), and (3, 4) what they
        hear of the components of the risk matrix of all blocks and of the noise.
        """
        kappa, pairs, heard = self.at(n, lam)
        scale = np.array([0.5 * (kappa[0] + kappa[2])])
        drawn = _Blocks(ell[::2], ell[1::2], np.ones(len(ell) // 2), ell[::2], ell[1::2], f2[::2], f2[1::2])
        whole, own = (each.sums(kappa[None], scale)[0] for each in (self._blocks, drawn))
        bias, own_bias = (each.bias(kappa[None], scale)[0] for each in (self._blocks, drawn))
        if whole[0] + whole[2] - own[0] - own[2] <= 1e-9 * (whole[0] + whole[2]):
            return np.zeros(3), np.zeros(3), np.zeros((3, 4))  # a spectrum that was drawn as a whole, up to rounding
        operator = _products_of((whole - own)[None, 3:])[0]
        return scale * (whole - own)[:3], bias - own_bias, operator @ np.column_stack([pairs, heard]) / n


@dataclass(frozen=True, eq=False)
class _Point:
    """Of m sample sizes and ridges: the scale, scale/V (m, W), and sums of products of two entries of P, (m, 6)."""

    scale: Array
    inverse: Array
    squares: Array


# ------------------------------------------------------------------------------------------------ sums over blocks


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Weighted nodes: both eigenvalues of a block, and at nodes of the target both energies with their weights."""

    one: Array
    other: Array
    weights: Array
    target_one: Array
    target_other: Array
    energy_one: Array
    energy_other: Array

    def sums(self, kappa: Array, scale: Array) -> Array:
        """Of P over the scale: sums of the entries, and of their products 11-11, 11-12, 12-12, 12-22, 22-22, 11-22, (m, 9)."""
        k11, k12, k22 = (kappa / scale[:, None]).T
        det = k11 * k22 - k12 * k12
        u11, u12, u22 = k22 / det, -k12 / det, k11 / det
        # P is the inverse of K^-1 + L^-1, ((x, u), (u, y)): ((y, -u), (-u, x)) r with r = 1/(xy - u^2).
        x, y = (u[:, None] + scale[:, None] / ell for u, ell in ((u11, self.one), (u22, self.other)))
        with np.errstate(over="ignore"):  # next to an eigenvalue that is no double when squared P is zero
            r = 1.0 / (x * y - (u12 * u12)[:, None])
        x *= r
        y *= r
        xw, yw, rw = (self.weights * each for each in (x, y, r))
        sr, sx, sy = r @ self.weights, x @ self.weights, y @ self.weights
        rr, rx, ry, xx, yy = (
            np.einsum("mi,mi->m", left, right) for left, right in ((rw, r), (rw, x), (rw, y), (xw, x), (yw, y))
        )
        crossed = u12 * u12 * rr
        return np.stack([sy, -u12 * sr, sx, yy, -u12 * ry, crossed, -u12 * rx, xx, sr + crossed], axis=1)

    def bias(self, kappa: Array, scale: Array) -> Array:
        """Entries of the sum of P diag(f^2/l^2) P, shape (m, 3)."""
        k11, k12, k22 = (kappa / scale[:, None]).T[:, :, None]
        det = k11 * k22 - k12 * k12
        a1, a2 = self.target_one / scale[:, None], self.target_other / scale[:, None]
        inner, outer = det + k11 * a2, det + k22 * a1
        divisor = 1.0 / (inner + a1 * (k22 + a2))
        r11, r21, r12, r22 = inner * divisor, a2 * k12 * divisor, a1 * k12 * divisor, outer * divisor
        one, other = self.energy_one, self.energy_other
        return np.stack(
            [
                (r11 * r11) @ one + (r12 * r12) @ other,
                (r11 * r21) @ one + (r12 * r22) @ other,
                (r21 * r21) @ one + (r22 * r22) @ other,
            ],
            axis=1,
        )


def blocks(instance: Instance, log_reach: float) -> _Blocks:
    """The nodes of an instance, good for as many samples as exp(``log_reach``)."""
    spectrum, target = instance.spectrum, instance.target
    if math.isfinite(spectrum.size):
        found = enumerated(instance)
        ell, energy = found.eigenvalues, found.target_energy
        ones = np.ones(len(ell) // 2)
        return _Blocks(ell[::2], ell[1::2], ones, ell[::2], ell[1::2], energy[::2], energy[1::2])
    one, other = (block_modes(instance, log_reach, offset) for offset in (1, 0))
    weights = one.multiplicity
    support = target.support(DEEPEST_LOG / max(decay_of(spectrum), 1.0))
    if support is None:
        energies = one.target_energy, other.target_energy
        return _Blocks(
            one.eigenvalues, other.eigenvalues, weights, one.target_eigenvalues, other.target_eigenvalues, *energies
        )
    # An index that is no exact integer as a double has no side in its block: both have a half.
    log_l = spectrum.log_eigenvalues(support)
    energy = np.exp(target.log_energy(support, log_l) + 2.0 * target.l2_index * log_l)
    exact = support < EXACT_LOG
    index = np.rint(np.exp(np.where(exact, support, 0.0)))
    odd = np.where(exact, index % 2.0, 0.5)
    first = np.where(exact, index - 1.0 + index % 2.0, 1.0)
    of_one, of_other = (np.exp(np.where(exact, spectrum.log_eigenvalues(np.log(first + k)), log_l)) for k in (0.0, 1.0))
    return _Blocks(one.eigenvalues, other.eigenvalues, weights, of_one, of_other, odd * energy, (1.0 - odd) * energy)


# ------------------------------------------------------------------------------------------------ symmetric matrices


def _full(entries: Array) -> Array:
    return np.asarray(entries[..., [0, 1, 1, 2]].reshape(*entries.shape[:-1], 2, 2))


def _entries(matrices: NDArray[np.floating]) -> Array:
    """Entries of matrices that are symmetric up to rounding."""
    return np.stack(
        [matrices[..., 0, 0], 0.5 * (matrices[..., 0, 1] + matrices[..., 1, 0]), matrices[..., 1, 1]], axis=-1
    )


def _least_eigenvalue(entries: Array) -> Array:
    one, cross, other = entries.T
    larger = 0.5 * (one + other) + np.sqrt(0.25 * (one - other) ** 2 + cross * cross)
    scale = np.where(larger > 0.0, larger, 1.0)
    return np.asarray(np.where(larger > 0.0, one * (other / scale) - cross * (cross / scale), larger))


def _sandwich(b: Array) -> Array:
    """The operator Y -> B Y B' on entries, for B of shape (m, 2, 2): shape (m, 3, 3)."""
    (p, q), (r, s) = np.moveaxis(b, 0, -1)
    rows = [[p * p, 2.0 * p * q, q * q], [p * r, p * s + q * r, q * s], [r * r, 2.0 * r * s, s * s]]
    return np.moveaxis(np.array(rows), -1, 0)


def _products_of(squares: Array) -> Array:
    """The operator Y -> sum of P Y P on entries, from the six sums of products of two entries of P: shape (m, 3, 3)."""
    aa, ab, bb, bc, cc, ac = squares.T
    return np.moveaxis(np.array([[aa, 2.0 * ab, bb], [ab, ac + bb, bc], [bb, 2.0 * bc, cc]]), -1, 0)


def _solved(matrices: Array, right: Array) -> Array:
    return np.asarray(np.linalg.solve(matrices, right[..., None])[..., 0])

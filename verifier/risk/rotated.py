r"""Spectral sums of a mixture whose components share no eigenbasis, in infinite dimension and without forming a matrix.

The operator is :math:`W = \pi_1\Lambda_1 + \pi_2R\Lambda_2R`, :math:`R = 1 - 2vv^*` (:class:`~verifier.instances.RotatedMixture`).
With :math:`D = \pi_1\Lambda_1 + \pi_2\Lambda_2`, :math:`a = \Lambda_2v`, :math:`g = \langle v, a\rangle`,

.. math:: W = D - 2\pi_2(va^* + av^*) + 4\pi_2 g\,vv^*,

of rank two beside the diagonal. Let :math:`A = \langle v, (D+\kappa)^{-1}v\rangle`, :math:`B = \langle v, (D+\kappa)^{-1}a\rangle`,
:math:`b = 1 - 2\pi_2B` and :math:`g' = \langle v, \Lambda_2(\pi_1\Lambda_1 + \kappa)(D + \kappa)^{-1}v\rangle`. By the matrix
determinant lemma and Woodbury's formula (1950), after the terms that cancel are taken out,

.. math:: \frac{\det(W+\kappa)}{\det(D+\kappa)} = F = b^2 + 4\pi_2Ag', \qquad
          (W+\kappa)^{-1}y = (D+\kappa)^{-1}(y - c_v v - c_a a),

.. math:: c_v = \frac{4\pi_2g'y_v - 2\pi_2b\,y_a}{F}, \quad c_a = -\frac{2\pi_2b\,y_v + 4\pi_2^2A\,y_a}{F}, \quad
          y_v = \langle v, (D+\kappa)^{-1}y\rangle,\ y_a = \langle a, (D+\kappa)^{-1}y\rangle:

F is a sum of positive terms at every kappa. In the same way
:math:`\langle v, (W+\kappa)^{-1}y\rangle = (b\,y_v + 2\pi_2A\,y_a)/F`, which the sum over entries would lose to cancellation.

As in :mod:`verifier.risk.operators`, :math:`d_1 = \sum D/(D+\kappa) - \dot L` and
:math:`d_2 = \sum (D/(D+\kappa))^2 - \dot L - \ddot L` with :math:`L = \ln F`, dots for derivatives in :math:`\ln\kappa`; the bias
is :math:`\langle h, Wh\rangle = \pi_1\langle h, \Lambda_1h\rangle + \pi_2\langle Rh, \Lambda_2Rh\rangle` with
:math:`h = \kappa(W+\kappa)^{-1}\theta`, a sum of squares; of a target given by :math:`f = W^{1/2}\theta` it is
:math:`\|\kappa(W+\kappa)^{-1}f\|^2`.

*What becomes of f.* With f critical of index s for :math:`\Lambda_1`, :math:`v_i \sim i^{-\gamma}` and
:math:`\gamma > 1/2 + \beta(1 - s)`, :math:`y_v` tends to a constant, so that :math:`c_v \sim 1/A \sim \kappa^{1 - \delta}`,
:math:`\delta = (2\gamma - 1)/\beta`, and the bias is of the order :math:`c_v^2\sum_{l_i < \kappa} v_i^2 \sim \kappa^{2-\delta}`:
the index is :math:`1 - (2\gamma - 1)/(2\beta) < s` (for :math:`\delta < 1` and s > 1/2, as Loewner and Heinz say).

*Nodes.* v is not scaled by the root of an eigenvalue here, so that sums over it converge slowly: the panels of
:mod:`verifier.risk.lattice` are followed by panels whose lengths double, until nothing is left.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verifier.instances import CarriedCoefficients, Instance, RotatedMixture
from verifier.risk.lattice import Lattice, panels

Array = NDArray[np.float64]

REACH = 37.0  # panels of the lattice go on until the eigenvalue is exp(-37) of kappa
LEFT = 40.0  # and the doubling ones until every summand is exp(-40) of what it was


class RotatedSums:
    """The sums of the deterministic equivalent for W, each at all kappas of an array of shape (k,)."""

    chunk = 40_000

    def __init__(self, instance: Instance, log_reach: float) -> None:
        mixture = instance.spectrum
        assert isinstance(mixture, RotatedMixture)
        target = instance.target
        lattice = Lattice(math.inf, max(mixture.head, target.head), mixture.steepest)
        near = lattice.nodes(max(log_reach, 1.0) + REACH / mixture.tail_index)
        assert near.far is not None
        x, w = [near.log_index], [near.weight * np.exp(-near.log_index)]
        slowest = min(2.0 * mixture.direction.gamma - 1.0, mixture.tail_index - 1.0)
        start, length = near.far, lattice.width
        while start < near.far + LEFT / slowest:
            nodes, weights = panels(start, start + length, length)
            x.append(nodes)
            w.append(weights)
            start, length = start + length, 2.0 * length
        log_index, log_weight = np.concatenate(x), np.log(np.concatenate(w))
        half = 0.5 * (log_weight + log_index)  # ln of the root of the number of indices at a node
        log_parts = mixture.log_parts(log_index)
        log_l = np.logaddexp(*log_parts)
        self._first, self._second = np.exp(log_parts)
        self._share = mixture.weights[1]
        self._diagonal = np.exp(log_l)
        self._trace_terms = np.exp(log_l + 2.0 * half)
        self._v = np.exp(mixture.direction.log_values(log_index) + half)
        self._a = self._second / self._share * self._v
        # Coefficients are f and their bias is |kappa (W + kappa)^-1 f|^2; a function is theta, and its bias a norm in W.
        self._coefficients = isinstance(target, CarriedCoefficients)
        power = target.l2_index if self._coefficients else target.l2_index - 0.5
        self._given = np.exp(0.5 * target.log_energy(log_index, log_l) + power * log_l + half)
        self.nodes = 3 * len(log_index)
        # tr W = tr D, since the trace of the rest is -4 g + 4 g; tr W^2 = pi_1^2 tr L1^2 + pi_2^2 tr L2^2 + 2 tr cross.
        self.trace = float(self._trace_terms.sum())
        squares = self._trace_terms @ self._diagonal
        overlap, passed = float(self._v @ self._a), self._first * self._v
        cross = -4.0 * float(passed @ self._a) + 4.0 * overlap * float(passed @ self._v)
        self.trace_of_square = float(squares + 2.0 * self._share * cross)

    def degrees(self, kappa: Array) -> tuple[Array, Array]:
        """d1 and d2."""
        df1, df2 = self._degrees(kappa, curved=False)
        return df1, df2

    def rows(self, kappa: Array) -> tuple[Array, ...]:
        """d1, d2 and bias."""
        error = self._applied(kappa, self._given)
        return (*self.degrees(kappa), self._energy(error, error))

    def curved_rows(self, kappa: Array) -> tuple[Array, ...]:
        """d1, d2, bias, and the first and second derivatives of d2 and of the bias in ln kappa."""
        df1, df2, slope, curvature = self._degrees(kappa, curved=True)
        error = self._applied(kappa, self._given)
        again = self._applied(kappa, error[0])
        b, b3, b4 = self._energy(error, error), self._energy(error, again), self._energy(again, again)
        return df1, df2, b, slope, curvature, 2.0 * (b - b3), 2.0 * (2.0 * b - 5.0 * b3 + 3.0 * b4)

    def _scalars(self, inverse: Array) -> tuple[Array, Array, Array, Array]:
        """A, b, g' and F at each kappa, from 1/(D + kappa) of shape (k, N)."""
        a = inverse @ self._v**2
        b = 1.0 - 2.0 * self._share * (inverse @ (self._v * self._a))
        kept = 1.0 - self._second * inverse  # (pi_1 L1 + kappa) / (D + kappa)
        g = kept @ (self._v * self._a)
        return a, b, g, b * b + 4.0 * self._share * a * g

    def _applied(self, kappa: Array, vector: Array) -> tuple[Array, Array]:
        """kappa (W + kappa)^-1 applied to a vector (N,), or to one for each kappa (k, N), and what comes of it reflected by R."""
        inverse = 1.0 / (self._diagonal + kappa[:, None])
        a, b, g, f = self._scalars(inverse)
        solved = inverse * vector
        seen_v, seen_a = solved @ self._v, solved @ self._a
        share = self._share
        load_v = (4.0 * share * g * seen_v - 2.0 * share * b * seen_a) / f
        load_a = -(2.0 * share * b * seen_v + 4.0 * share**2 * a * seen_a) / f
        rest = vector - load_v[:, None] * self._v - load_a[:, None] * self._a
        found = kappa[:, None] * inverse * rest
        along = kappa * (b * seen_v + 2.0 * share * a * seen_a) / f  # <v, found>
        return found, found - 2.0 * along[:, None] * self._v

    def _energy(self, one: tuple[Array, Array], other: tuple[Array, Array]) -> Array:
        """<one, W other>, row by row, from pairs of a vector and its reflection; <one, other> of coefficients."""
        if self._coefficients:
            return np.asarray(np.sum(one[0] * other[0], axis=1))
        return np.asarray((one[0] * other[0]) @ self._first + (one[1] * other[1]) @ self._second)

    def _degrees(self, kappa: Array, *, curved: bool) -> tuple[Array, ...]:
        inverse = 1.0 / (self._diagonal + kappa[:, None])
        q = kappa[:, None] * inverse
        r = self._diagonal * inverse
        share, v2, va, a2 = self._share, self._v**2, self._v * self._a, self._a**2
        polynomials = [-q, q * (2.0 * q - 1.0)]
        if curved:
            polynomials += [q * (-1.0 + q * (6.0 - 6.0 * q)), q * (-1.0 + q * (14.0 + q * (-36.0 + 24.0 * q)))]
        a, b, g = ([value] for value in self._scalars(inverse)[:3])
        for polynomial in polynomials:
            weighted = inverse * polynomial
            a.append(weighted @ v2)
            b.append(-2.0 * share * (weighted @ va))
            g.append(-share * (weighted @ a2))
        f = [
            sum(math.comb(j, i) * (b[i] * b[j - i] + 4.0 * share * a[i] * g[j - i]) for i in range(j + 1))
            for j in range(len(a))
        ]
        one, two = f[1] / f[0], f[2] / f[0]
        log1, log2 = one, two - one**2
        df1 = (inverse @ self._trace_terms) - log1
        df2 = ((inverse * r) @ self._trace_terms) - log1 - log2
        if not curved:
            return np.asarray(df1), np.asarray(df2)
        three, four = f[3] / f[0], f[4] / f[0]
        log3 = three - 3.0 * two * one + 2.0 * one**3
        log4 = four - 4.0 * three * one - 3.0 * two**2 + 12.0 * two * one**2 - 6.0 * one**4
        slope = -2.0 * ((inverse * r * q) @ self._trace_terms) - log2 - log3
        curvature = 2.0 * ((inverse * r * q * (3.0 * q - 1.0)) @ self._trace_terms) - log3 - log4
        return np.asarray(df1), np.asarray(df2), np.asarray(slope), np.asarray(curvature)

r"""Random Fourier features of a Laplace or Matern kernel on an interval: the exponent of the risk by degree q of m = c n^q.

    python benchmarks/interval_features.py [--kernel laplace] [--draws 8] [--widest 16384] [--out tables.md]

On an interval the eigenfunctions of a stationary kernel are no Fourier modes, and the frequencies of the features have a continuous
law: m draws of Student's t with 2 nu degrees of freedom over the length l (Cauchy's law for the Laplace kernel, nu = 1/2). Inputs
are uniform on [-1/2, 1/2]; features are :math:`\cos wt, \sin wt`, of norm one together, so the regression is one on the kernel
:math:`K_W = \frac1m\sum_j\cos w_j(t - t')` (Rahimi and Recht 2007), whose even and odd parts are apart. Targets are critical in the
eigenbasis of the kernel itself: :math:`f_i^2 = l_i^{2s}/i`, with random signs.

With the frequencies given, :math:`K_W` has eigenvalues :math:`L_a` and eigenfunctions :math:`u_a` by the features' Gram matrix,
:math:`\frac1{2m}(\operatorname{sinc}\frac{w_j-w_k}2 \pm \operatorname{sinc}\frac{w_j+w_k}2)`; with
:math:`t_a = \sum_i f_i^2\langle e_i, u_a\rangle^2` and e the energy outside their span, the equivalent is that of any kernel,

.. math:: \lambda = \kappa(1 - d_1/n), \quad
          E = \frac{b + e + \sigma^2 d_2/n}{1 - d_2/n}, \quad b = \sum_a t_a\frac{\kappa^2}{(L_a + \kappa)^2},

averaged over draws of the frequencies; for many of them by the matrix of :math:`K_W` in the leading eigenfunctions of the kernel.
Simulated regressions stand beside it. Four minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh

from verifier.instances import CriticalTarget, FourierFeatures, Instance, Noise, PowerLaw
from verifier.records import write_text
from verifier.risk.equivalents import equivalent_for
from verifier.risk.streams import stream

Array = NDArray[np.float64]

SMOOTHNESS = (0.3, 0.5, 0.75, 1.0)
OFFSETS = (-0.2, -0.1, 0.0, 0.1)
"""q - p of the paths that are followed."""

NARROWEST = 64
SIGMA = 0.5
LEAST = 1e-10
"""Least kappa: eigenvalues below 1e-13 are rounding, and what the span holds in their directions counts as missing."""

SEEN = 1e-13

MANY = 1024
"""Frequencies beyond which the matrix of their kernel in the eigenfunctions takes the place of their Gram matrix."""

REACH, FAR = 64, 16
"""Eigenfunctions i <= REACH m^(1/beta), or FAR m^(1/beta) beyond ``MANY``, are looked at, about m^(1/beta) of which are learnt; the
energy beyond counts as missing.
"""

CHUNK = 4096  # frequencies worked on at a time
SLICE = 4096  # eigenfunctions in a simulated regression
PARITIES = (0, 1)
"""Even, odd."""

SIZES = ((100, 50), (200, 100), (400, 100), (400, 400))
"""(n, m) that are simulated."""

NARROW = (8, 16, 32)
"""Widths that are looked at in as many digits as it takes."""

RIDGES = (2, 4, 8, 16, 32, 64, 96)
"""-log10 of kappa in that part."""

SHORT = 0.6
"""q in that part: at s = .3 between the degree of landmarks, .4545, and that of frequencies, .9091."""


def sinc(x: Array) -> Array:
    """sin x over x."""
    return np.sinc(x / np.pi)


class Kernel(Protocol):
    """A stationary kernel with k(t, t) = 1 on [-1/2, 1/2]. The eigenfunction i = 0, 1, ... has the parity i % 2."""

    name: str
    beta: float

    def eigenvalues(self) -> Array:
        """Leading ones, falling."""

    def frequencies(self, m: int, generator: np.random.Generator) -> Array:
        """m draws from the spectral law, positive."""

    def products(self, w: Array, parity: int, count: int) -> Array:
        """Inner products of cos wt or sin wt with those of a parity among the first ``count`` eigenfunctions, shape (m, i)."""

    def values(self, t: Array, count: int) -> Array:
        """The first ``count`` eigenfunctions at points, shape (points, i)."""


@dataclass(frozen=True)
class Laplace:
    r""":math:`e^{-|t-t'|/l}`. Even eigenfunctions are :math:`\cos vt`, :math:`v\tan(v/2) = 1/l`, odd ones :math:`\sin vt`,
    :math:`\tan(v/2) = -lv`; eigenvalues :math:`2l/(1 + l^2v^2)` (Van Trees 1968, section 3.4.1). There is one v between each two
    neighbouring multiples of pi.
    """

    length: float = 1.0
    count: int = 2**15

    name = "Laplace"
    beta = 2.0

    @cached_property
    def roots(self) -> Array:
        """v, rising, by bisection of the equations free of poles."""
        index = np.arange(self.count)
        low, high = np.pi * index, np.pi * (index + 1.0)
        even = index % 2 == 0

        def signed(v: Array) -> Array:
            sine, cosine, lv = np.sin(v / 2.0), np.cos(v / 2.0), self.length * v
            return np.where(even, lv * sine - cosine, sine + lv * cosine)

        at_low = np.where(even, -np.cos(low / 2.0), np.sin(low / 2.0))
        for _ in range(80):
            middle = 0.5 * (low + high)
            same = np.sign(signed(middle)) == np.sign(at_low)
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return np.asarray(0.5 * (low + high))

    @cached_property
    def norms(self) -> Array:
        """Of cos vt and sin vt."""
        signs = np.where(np.arange(self.count) % 2 == 0, 1.0, -1.0)
        return np.sqrt(0.5 * (1.0 + signs * sinc(self.roots)))

    def eigenvalues(self) -> Array:
        return 2.0 * self.length / (1.0 + (self.length * self.roots) ** 2)

    def frequencies(self, m: int, generator: np.random.Generator) -> Array:
        return np.asarray(np.abs(generator.standard_cauchy(m))) / self.length

    def products(self, w: Array, parity: int, count: int) -> Array:
        v, sign = self.roots[parity:count:2], 1.0 - 2.0 * parity
        both = sinc((w[:, None] - v) / 2.0) + sign * sinc((w[:, None] + v) / 2.0)
        return np.asarray(0.5 * both / self.norms[parity:count:2])

    def values(self, t: Array, count: int) -> Array:
        angle = t[:, None] * self.roots[:count]
        return np.asarray(np.where(np.arange(count) % 2 == 0, np.cos(angle), np.sin(angle)) / self.norms[:count])


@dataclass(frozen=True)
class Matern:
    r"""nu = 3/2: :math:`(1 + r)e^{-r}`, :math:`r = \sqrt3|t - t'|/l`. Eigenfunctions by Gauss and Legendre's nodes on half of the
    interval (Nystrom), for each parity.
    """

    length: float = 1.0
    nodes: int = 600
    count: int = 200

    name = "Matern 3/2"
    beta = 4.0

    def _at(self, apart: Array) -> Array:
        r = math.sqrt(3.0) * np.abs(apart) / self.length
        return np.asarray((1.0 + r) * np.exp(-r))

    @cached_property
    def _system(self) -> tuple[Array, Array, list[tuple[Array, Array]]]:
        """Nodes, weights, and the eigenvalues and the values at the nodes of the eigenfunctions of each parity."""
        x, weights = np.polynomial.legendre.leggauss(self.nodes)
        t, weights = 0.25 * (x + 1.0), 0.25 * weights
        root, parts = np.sqrt(weights), []
        for sign in (1.0, -1.0):
            folded = self._at(t[:, None] - t) + sign * self._at(t[:, None] + t)
            ell, vectors = eigh(
                root[:, None] * folded * root, subset_by_index=[self.nodes - self.count // 2, self.nodes - 1]
            )
            parts.append((ell[::-1], vectors[:, ::-1] / root[:, None] / math.sqrt(2.0)))
        return t, weights, parts

    def eigenvalues(self) -> Array:
        return np.stack([ell for ell, _ in self._system[2]], axis=1).ravel()

    def frequencies(self, m: int, generator: np.random.Generator) -> Array:
        return np.asarray(np.abs(generator.standard_t(3.0, m))) / self.length

    def products(self, w: Array, parity: int, count: int) -> Array:
        t, weights, parts = self._system
        wave = np.sin if parity else np.cos
        return np.asarray(2.0 * (wave(w[:, None] * t) * weights) @ parts[parity][1][:, : (count + 1 - parity) // 2])

    def values(self, t: Array, count: int) -> Array:
        nodes, weights, parts = self._system
        result = np.empty((len(t), self.count))
        for parity, (ell, vectors) in enumerate(parts):
            sign = 1.0 - 2.0 * parity
            folded = self._at(t[:, None] - nodes) + sign * self._at(t[:, None] + nodes)
            result[:, parity::2] = (folded * weights) @ vectors / ell
        return result[:, :count]


KERNELS: dict[str, Callable[[], Kernel]] = {"laplace": Laplace, "matern": Matern}


def gram(w: Array, parity: int) -> Array:
    """Of the even or odd features :math:`m^{-1/2}cos wt`, :math:`m^{-1/2}sin wt` under the uniform law."""
    sign = 1.0 - 2.0 * parity
    return np.asarray(sinc((w[:, None] - w) / 2.0) + sign * sinc((w[:, None] + w) / 2.0)) / (2.0 * len(w))


def energies(kernel: Kernel, smoothness: Sequence[float]) -> Array:
    """Of critical targets of unit energy, shape (i, targets)."""
    ell = kernel.eigenvalues()
    result = ell[:, None] ** (2.0 * np.asarray(smoothness)) / np.arange(1.0, len(ell) + 1.0)[:, None]
    return np.asarray(result / result.sum(axis=0))


@dataclass(frozen=True)
class Drawn:
    """A kernel, or that of drawn features: eigenvalues (a,), energies t_a of the targets (a, targets), and what is missing."""

    ell: Array
    kept: Array
    missing: Array

    def sums(self, kappa: Array) -> tuple[Array, Array, Array]:
        """d1 (k,), d2 (k,) and b + e (targets, k)."""
        share = self.ell / (self.ell + kappa[:, None])
        left = (kappa[:, None] / (self.ell + kappa[:, None])) ** 2
        return share.sum(axis=1), (share**2).sum(axis=1), (left @ self.kept).T + self.missing[:, None]


def drawn(kernel: Kernel, m: int, of: Array, generator: np.random.Generator, many: bool | None = None) -> Drawn:
    """The kernel of m drawn frequencies and what it makes of targets with energies ``of``; ``many``: by which matrix."""
    w = kernel.frequencies(m, generator)
    many = m > MANY if many is None else many
    count = min(len(of), int((FAR if many else REACH) * m ** (1.0 / kernel.beta)))
    ells, kept = [], []
    for parity in PARITIES:
        if many:
            blocks = (kernel.products(w[at : at + CHUNK], parity, count) for at in range(0, m, CHUNK))
            own = np.sum([block.T @ block for block in blocks], axis=0)
            ell, along = eigh(own / m)
            along = along.T
        else:
            ell, vectors = eigh(gram(w, parity))
            along = vectors.T @ kernel.products(w, parity, count) / np.sqrt(m * np.maximum(ell, SEEN))[:, None]
        seen = ell > SEEN
        ells.append(ell[seen])
        kept.append(along[seen] ** 2 @ of[parity:count:2])
    together = np.concatenate(kept)
    return Drawn(np.concatenate(ells), together, of.sum(axis=0) - together.sum(axis=0))


def risks(item: Drawn, j: int, n: float, power: float) -> tuple[float, float]:
    """Equivalents of target j at the ridge n^-power and at the best one with kappa >= ``LEAST``."""
    kappa = np.geomspace(LEAST, 10.0, 1500)
    df1, df2, bias = item.sums(kappa)
    fine = (df1 < n) & (df2 < 0.999 * n)
    kappa, df1, df2, lost = kappa[fine], df1[fine], df2[fine], bias[j, fine]
    every = np.log((lost + SIGMA**2 * df2 / n) / (1.0 - df2 / n))
    ridge = np.log(kappa * (1.0 - df1 / n))
    return float(np.exp(np.interp(-power * math.log(n), ridge, every))), float(np.exp(every.min()))


# ----------------------------------------------------------------------------------------------------
# The exponent by degree


@dataclass(frozen=True)
class Followed:
    """Slopes of one (s, q): over widths from ``NARROWEST`` up, n = m^(1/q), and over the upper half of them."""

    s: float
    q: float
    critical: float
    alpha: float
    sizes: tuple[float, float]
    scheduled: tuple[float, float]
    upper: tuple[float, float]
    best: tuple[float, float]
    kernel: float
    torus: float
    torus_upper: float

    @property
    def predicted(self) -> float:
        """min(alpha, 2 s q)."""
        return min(self.alpha, 2.0 * self.s * self.q)


def slope(log_n: Array, risk: Array) -> tuple[float, float]:
    """Exponent of the mean over draws, risk (widths, draws), by least squares, with its standard error."""
    centred = log_n - log_n.mean()
    weights = -centred / (centred @ centred)
    mean = risk.mean(axis=1)
    relative = risk.std(axis=1, ddof=1) / mean / math.sqrt(risk.shape[1]) if risk.shape[1] > 1 else np.zeros(len(mean))
    return float(weights @ np.log(mean)), float(np.sqrt((weights**2) @ relative**2))


def torus_risk(beta: float, s: float, n: Array, m: Array, power: float) -> Array:
    """The equivalent on the torus at the ridge n^-power."""
    result = []
    for size, width in zip(n, m, strict=True):
        of = Instance(PowerLaw(beta), CriticalTarget(s=s), Noise(SIGMA), features=FourierFeatures(float(width), 0.0))
        sizes, lam = np.array([size]), np.array([size**-power])
        engine = equivalent_for(of, sizes, lam)
        result.append(float(engine.risk(sizes, engine.effective_ridge(sizes, lam))[0]))
    return np.array(result)


def paths(kernel: Kernel, widths: Array, draws: int) -> Iterator[Followed]:
    """The exponent on every path."""
    of = energies(kernel, SMOOTHNESS)
    whole = Drawn(kernel.eigenvalues(), of, np.zeros(len(SMOOTHNESS)))
    systems: list[list[Drawn]] = []
    for m in widths:
        print(f"{kernel.name}: {m:g} frequencies", file=sys.stderr, flush=True)
        key = ("interval", kernel.name, int(m))
        systems.append([drawn(kernel, int(m), of, stream(0, *key, r)) for r in range(draws)])
    for j, s in enumerate(SMOOTHNESS):
        p = 1.0 / (2.0 * s + 1.0 / kernel.beta)
        for offset in OFFSETS:
            q = p + offset
            n = widths ** (1.0 / q)
            both = np.array([[risks(each, j, size, p) for each in row] for size, row in zip(n, systems, strict=True)])
            plain = np.array([[risks(whole, j, size, p)[0]] for size in n])
            log_n, half = np.log(n), len(n) // 2
            torus = torus_risk(kernel.beta, s, n, widths, p)[:, None]
            yield Followed(
                s,
                q,
                p,
                2.0 * s * p,
                (float(n[0]), float(n[-1])),
                slope(log_n, both[..., 0]),
                slope(log_n[half:], both[half:, :, 0]),
                slope(log_n, both[..., 1]),
                slope(log_n, plain)[0],
                slope(log_n, torus)[0],
                slope(log_n[half:], torus[half:])[0],
            )


# ----------------------------------------------------------------------------------------------------
# Simulated regressions


def simulated(kernel: Kernel, s: float, n: int, m: int, replicate: int) -> tuple[float, float, float]:
    """The risk of one regression at the ridge n^-p, signs and label noise averaged exactly, the equivalent with the same
    frequencies, and d1/n.
    """
    p = 1.0 / (2.0 * s + 1.0 / kernel.beta)
    lam = n**-p
    of = energies(kernel, (s,))
    key = ("interval", "simulated", kernel.name, n, m, replicate)
    item = drawn(kernel, m, of, stream(0, *key, "frequencies"))
    w = kernel.frequencies(m, stream(0, *key, "frequencies"))
    t = stream(0, *key, "inputs").uniform(-0.5, 0.5, n)
    phi = np.concatenate([np.cos(t[:, None] * w), np.sin(t[:, None] * w)], axis=1) / math.sqrt(m)
    values = kernel.values(t, min(len(of), SLICE))
    of = of[: values.shape[1]]
    cross = np.zeros((2 * m, values.shape[1]))  # of features and eigenfunctions
    inner = np.zeros((2 * m, 2 * m))
    for parity in PARITIES:
        rows = slice(parity * m, (parity + 1) * m)
        cross[rows, parity::2] = kernel.products(w, parity, values.shape[1]) / math.sqrt(m)
        inner[rows, rows] = gram(w, parity)
    # By the kernel matrix, which is well conditioned however nearly dependent the features are.
    fit = phi.T @ cho_solve(cho_factor(phi @ phi.T + n * lam * np.eye(n)), np.eye(n))
    along = np.einsum("ni,i,ki->nk", values, of[:, 0], cross, optimize=True)
    labels = (values * of[:, 0]) @ values.T + SIGMA**2 * np.eye(n)
    risk = 1.0 - 2.0 * float(np.sum(fit * along.T)) + float(np.sum((inner @ fit) * (fit @ labels)))
    kappa = np.geomspace(LEAST, 10.0, 1500)
    df1 = item.sums(kappa)[0]
    used = float(np.interp(math.log(lam), np.log(kappa * np.maximum(1.0 - df1 / n, 1e-12)), df1)) / n
    return risk, risks(item, 0, n, p)[0], used


# ----------------------------------------------------------------------------------------------------
# Ridges below any power of n, in as many digits as they take


def precise(kernel: Laplace, m: int, smoothness: Sequence[float], replicate: int) -> tuple[Array, Array]:
    """d1 (r,) and b + e (targets, r) with m frequencies of the Laplace kernel at kappa = 10^-r, r in ``RIDGES``."""
    ctx.prec = 600 + 12 * m  # bits; 96 digits of the ridge are 320
    of = energies(kernel, smoothness)
    w = [arb(float(x)) for x in kernel.frequencies(m, stream(0, "interval", "precise", m, replicate))]
    last, half = 24 * m + 200, arb(1) / 2
    df1, lost = np.zeros(len(RIDGES)), np.tile(1.0 - of[:last].sum(axis=0)[:, None], len(RIDGES))

    def product(x: arb, y: arb, sign: int) -> arb:
        return (((x - y) * half).sinc() + sign * ((x + y) * half).sinc()) * half

    for parity in PARITIES:
        sign = 1 - 2 * parity
        own = arb_mat([[product(x, y, sign) / m for y in w] for x in w])
        v = [arb(float(x)) for x in kernel.roots[parity:last:2]]
        norms = [(half * (1 + sign * y.sinc()) * m).sqrt() for y in v]
        cross = arb_mat([[product(x, y, sign) / norm for y, norm in zip(v, norms, strict=True)] for x in w])
        unit = arb_mat([[arb(int(i == k)) for k in range(m)] for i in range(m)])
        for at, r in enumerate(RIDGES):
            # The energy of f - Phi A h, A = (G + kappa)^-1, is 1 - h' A h - kappa |A h|^2.
            kappa = arb(10) ** (-r)
            inverse = (own + kappa * unit).inv()
            taken = own * inverse
            coefficients = inverse * cross
            df1[at] += float(sum((taken[i, i] for i in range(m)), arb(0)).mid())
            for i, energy in enumerate(of[parity:last:2]):
                left = arb(1)
                for k in range(m):
                    left -= coefficients[k, i] * (cross[k, i] + kappa * coefficients[k, i])
                lost[:, at] += float(left.mid()) * energy
    return df1, lost


# ----------------------------------------------------------------------------------------------------
# The page


def exponents_page(kernel: Kernel, widths: Array, draws: int) -> Iterator[str]:
    """The table of exponents of one kernel."""
    yield f"## {kernel.name}: the exponent by degree"
    yield ""
    yield (
        f"beta = {kernel.beta:g}, l = 1, sigma = {SIGMA:g}; m = {widths[0]:g} to {widths[-1]:g} frequencies, n = m^(1/q), {draws} "
        "draws of the frequencies at each m. Slopes over all m, and over the upper half. The torus beside it: the same n, m "
        "and ridge, eigenvalues k^-beta. Ridge n^-p but in the last column."
    )
    yield ""
    yield (
        "| s | p | q - p | n | min(alpha, 2 s q) | interval | upper half | torus | upper half | kernel, all features "
        "| interval, best kappa >= 1e-10 |"
    )
    yield "| ---: " * 11 + "|"
    for row in paths(kernel, widths, draws):
        yield (
            f"| {row.s:g} | {row.critical:.4f} | {row.q - row.critical:+.1f} | {row.sizes[0]:.3g} to {row.sizes[1]:.3g} "
            f"| {row.predicted:.3f} | {row.scheduled[0]:.3f} +- {row.scheduled[1]:.3f} | {row.upper[0]:.3f} +- {row.upper[1]:.3f} "
            f"| {row.torus:.3f} | {row.torus_upper:.3f} | {row.kernel:.3f} | {row.best[0]:.3f} +- {row.best[1]:.3f} |"
        )
    yield ""


def dimensions_page(kernel: Kernel, widths: Array) -> Iterator[str]:
    """How many eigenvalues of drawn kernels there are above powers of m, over m^(1/beta)."""
    powers, of = (1.0, 1.5, 2.0), energies(kernel, (1.0,))
    yield f"## {kernel.name}: dimensions above a power of m"
    yield ""
    yield f"D, the number of eigenvalues of K_W above m^-r, over m^(1/beta) = m^(1/{kernel.beta:g}); mean of four draws."
    yield ""
    yield "| m | " + " | ".join(f"r = {power:g}" for power in powers) + " |"
    yield "| ---: " * (1 + len(powers)) + "|"
    for m in widths:
        key = ("interval", "dimensions", kernel.name, int(m))
        systems = [drawn(kernel, int(m), of, stream(0, *key, r)).ell for r in range(4)]
        counts = (np.mean([(ell > m**-power).sum() for ell in systems]) for power in powers)
        yield f"| {m:g} | " + " | ".join(f"{count / m ** (1.0 / kernel.beta):.2f}" for count in counts) + " |"
    yield ""


def simulations_page(kernels: Sequence[Kernel], replicates: int) -> Iterator[str]:
    """Simulated regressions beside the equivalent."""
    yield "## Simulated regressions"
    yield ""
    yield (
        f"Regressions on real features of n uniform inputs at the ridge n^-p, {replicates} for each row, over the equivalent with "
        "the same frequencies, in the mean and with its standard error; d1/n is how much of the sample is used up."
    )
    yield ""
    yield "| kernel | s | n | m | equivalent | d1/n | (d1/n)^2 | simulated/equivalent |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kernel in kernels:
        for s in (0.3, 0.75):
            for n, m in SIZES:
                print(f"{kernel.name}: {n} samples, {m} frequencies, s = {s:g}", file=sys.stderr, flush=True)
                rows = np.array([simulated(kernel, s, n, m, r) for r in range(replicates)])
                ratios, used = rows[:, 0] / rows[:, 1], rows[:, 2].mean()
                yield (
                    f"| {kernel.name} | {s:g} | {n} | {m} | {rows[:, 1].mean():.5f} | {used:.3f} | {used**2:.4f} "
                    f"| {ratios.mean():.4f} +- {ratios.std(ddof=1) / math.sqrt(replicates):.4f} |"
                )
    yield ""


def precise_page(kernel: Laplace) -> Iterator[str]:
    """The part about ridges below any power of n."""
    smoothness = (0.3, 0.75)
    yield "## Ridges below any power of n"
    yield ""
    yield (
        "The kernel of one draw of m frequencies, in 700 to 1000 bits: degrees of freedom d1 and the bias b + e at falling kappa. "
        f"The last column bounds the risk at s = .3, n = m^(1/{SHORT:g}), by (b + e + sigma^2 d1/n)/(1 - d1/n)."
    )
    yield ""
    yield "| m | kappa | d1 | b + e, s = .3 | d1^1.2 (b + e) | b + e, s = .75 | d1^3 (b + e) | risk at this kappa, s = .3 |"
    yield "| ---: " * 8 + "|"
    for m in NARROW:
        print(f"{kernel.name}: {m} frequencies in long arithmetic", file=sys.stderr, flush=True)
        df1, lost = precise(kernel, m, smoothness, 0)
        n = m ** (1.0 / SHORT)
        for at, r in enumerate(RIDGES):
            d = df1[at]
            risk = f"{(lost[0, at] + SIGMA**2 * d / n) / (1.0 - d / n):.4f}" if d < n else ""
            yield (
                f"| {m} | 1e-{r} | {d:.2f} | {lost[0, at]:.5f} | {d**1.2 * lost[0, at]:.3f} | {lost[1, at]:.3g} "
                f"| {d**3 * lost[1, at]:.3f} | {risk} |"
            )
    yield ""


def main() -> None:
    """Write the tables to standard output or a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kernel", choices=[*KERNELS, "both"], default="both")
    parser.add_argument("--draws", type=int, default=8, help="draws of the frequencies at each m")
    parser.add_argument("--widest", type=int, default=16384, help=f"largest m, at least {4 * NARROWEST}")
    parser.add_argument("--replicates", type=int, default=40, help="simulated regressions for each row")
    parser.add_argument("--out", type=Path, help="file for the tables, instead of standard output")
    options = parser.parse_args()
    if options.draws < 2 or options.replicates < 2:
        parser.error("--draws and --replicates must be at least 2: standard errors are given")
    if options.widest < 4 * NARROWEST:
        parser.error(f"--widest {options.widest} must be at least {4 * NARROWEST}")
    names = list(KERNELS) if options.kernel == "both" else [options.kernel]
    kernels = [KERNELS[name]() for name in names]
    widths = NARROWEST * 2.0 ** np.arange(int(math.log2(options.widest / NARROWEST)) + 1, dtype=np.float64)
    lines: list[str] = []
    for kernel in kernels:
        lines += exponents_page(kernel, widths, options.draws)
    for kernel in kernels:
        lines += dimensions_page(kernel, widths[::2])
    lines += simulations_page(kernels, options.replicates)
    lines += precise_page(Laplace())
    text = "\n".join(lines)
    if options.out is None:
        print(text)
    else:
        write_text(options.out, text)


if __name__ == "__main__":
    main()

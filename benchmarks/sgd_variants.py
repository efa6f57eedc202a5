r"""SGD as people run it, beside Theorem 6: passes in cycles and in random orders, and steps that decay within one pass.

    OPENBLAS_NUM_THREADS=1 python benchmarks/sgd_variants.py [--only orders,steps] [--samples 64] [--out FILE.csv]

Eigenvalues :math:`l_i = i^{-\beta}`, targets :math:`f_i^2 = i^{-2\beta s-1}` with random signs, Gaussian inputs, label noise.

*Orders.* K passes, T = K n steps of the size :math:`\eta = 1/(\lambda T)`, :math:`\lambda = n^{-g}`. Every step is made.
Measured is D, the squared distance, in the norm of the risk, between SGD and full-batch descent on the same samples, which is the
mean of SGD with replacement over its draws. To first order a step adds :math:`\eta x_ir_i` less its mean over the sample, of which
the direction l keeps the share :math:`r^u`, r = 1 - eta l, after u steps. With :math:`A = \sum_{u<n} r^{2u}`,
:math:`G = A - \frac1n(\sum_{u<n} r^u)^2` and v the mean square of residuals the last iterate has

.. math:: D_l = \eta^2 l^2 v \cdot \begin{cases} A\sum_{j<K} r^{2jn} & \text{with replacement} \\
          G\sum_{j<K} r^{2jn} & \text{a new order in each pass} \\ G(\sum_{j<K} r^{jn})^2 & \text{one order for all,} \end{cases}

since what a pass adds sums up to zero where its weights do not differ. The mean of the iterates has :math:`(\lambda/l)^2` times
that, but with replacement, :math:`v/T^2\sum_{u<T}(1-r^u)^2`. To second order residuals move within a pass, with the noise of the
pass and with what is learnt of the target; of that nothing sums up to zero, and it is added as noise is with replacement (in one
order for all: the same in each pass). In a new order each time the mean over the orders has steps longer by the share
:math:`\eta(\operatorname{tr}\Sigma + l)/2`.

*Steps.* One pass over fresh samples with steps eta_k. The mean risk follows, exactly, from the recursion of second moments in
:mod:`verifier.risk.single_pass`, whose A depends on k here. Nothing is drawn; modes beyond the 32nd are grouped.

Orders of all this in n: docs/early-stopping.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from verifier.risk.streams import stream

Array = NDArray[np.float64]

BETA, S, SIGMA = 2.0, 0.5, 1.0
"""Of the simulated passes: p = alpha = 2/3."""

DIRECTIONS = 128
CHAINS = 4
"""Descents on each sample in each of the orders."""

TOGETHER = 16
"""Samples worked on at a time."""

ORDERS = ("replacement", "reshuffled", "cycles")
ITERATES = ("last", "mean")
FAR, FAR_DIRECTIONS = 10**10, 100_000
"""Samples at which the formula of first order is evaluated, and modes there."""

INSIDE = 16
"""Places within a pass at which its noise is evaluated."""

SCHEDULE = 1.0 / (2.0 * S + 1.0 / BETA)


# --------------------------------------------------------------------------------------------------------------------- orders


@dataclass(frozen=True)
class Passes:
    """K = ``first`` n^(a - 1) passes, whole numbers at the ``sizes``, stopped at the time n^g."""

    name: str
    a: float
    g: float
    sizes: tuple[int, ...]
    first: int = 1

    def count(self, n: int) -> int:
        """K."""
        return self.first * round(float(n ** (self.a - 1.0)))

    def step(self, n: int) -> float:
        """eta = n^g/T."""
        return float(n**self.g / (self.count(n) * n))

    def predicted(self, order: str, iterate: str) -> float:
        """Exponent of D at g < 1, a - g < 2: the least of those of weights that differ and of residuals that move."""
        a, g, level = self.a, self.g, self.a - self.g  # eta = n^-level
        wide = g > a - 1.0  # eta n grows
        if iterate == "last":
            if order == "replacement" or wide:
                return level
            return 3.0 * level - 2.0 if order == "reshuffled" else 2.0 * level - 1.0
        drawn = a - g / BETA
        if order == "replacement":
            return drawn
        from_noise = level if wide else 2.0 * level - 1.0
        if order == "cycles":
            return drawn + min(a - 1.0, from_noise - (a - 1.0))
        from_target = min(g, a - 1.0 + 2.0 * S * (g - a + 1.0)) if wide else 2.0 * (a - 1.0) - g
        cancelled = (a - 1.0) * (1.0 + 1.0 / BETA) if wide else 2.0 * (a - 1.0) - g * (1.0 - 1.0 / BETA)
        return drawn + min(cancelled, from_noise, from_target)


SQUARES = (100, 196, 400, 784, 1600, 3136)
PASSES = (
    Passes("4 passes, g = p", 1.0, SCHEDULE, (100, 200, 400, 800, 1600, 3200), 4),
    Passes("n^(1/4) passes, g = p", 1.25, SCHEDULE, (81, 256, 625, 1296, 2401, 4096)),
    Passes("n^(1/2) passes, g = p", 1.5, SCHEDULE, SQUARES),
    Passes("n^(1/2) passes, g = .2", 1.5, 0.2, SQUARES),
)


def linear(ell: Array, eta: float, n: int, count: int) -> dict[tuple[str, str], float]:
    """D per unit of mean square residual, to first order in the noise, by order and iterate."""
    total, rate = n * count, np.log1p(-eta * ell)
    lost = eta * ell

    def geometric(terms: int, power: float) -> Array:
        """Sum of the powers 0, power, 2 power, ... of r."""
        return np.asarray(np.expm1(terms * power * rate) / np.expm1(power * rate))

    each = geometric(n, 2.0)
    # Weights that hardly differ within a pass cancel to nothing: (eta l)^2 (n^3 - n)/12.
    uneven = np.where(n * lost < 1e-3, lost**2 * (n**3 - n) / 12.0, each - geometric(n, 1.0) ** 2 / n)
    passes, passes_squared = geometric(count, n), geometric(count, 2.0 * n)
    last = {"replacement": each * passes_squared, "reshuffled": uneven * passes_squared, "cycles": uneven * passes**2}
    found = {(order, "last"): float(np.sum(lost**2 * weights)) for order, weights in last.items()}
    found |= {(order, "mean"): float(np.sum(last[order])) / total**2 for order in ORDERS[1:]}
    # sum_u (1 - r^u)^2, of u^2 (eta l)^2 where the three terms would cancel.
    flat = lost**2 * total**3 / 3.0
    learnt = total - 2.0 * geometric(total, 1.0) + geometric(total, 2.0)
    found["replacement", "mean"] = float(np.sum(np.where(total * lost < 1e-3, flat, learnt))) / total**2
    return found


def second(ell: Array, energy: Array, eta: float, n: int, count: int) -> dict[tuple[str, str], tuple[float, float]]:
    """D to second order, per unit of mean square residual and from the target, of the orders without replacement."""
    total, time = n * count, n * np.arange(count)
    keep = (1.0 - eta * ell)[:, None]
    whole = keep ** (n - 1.0 - np.arange(n))  # weights of a pass at its end
    whole -= whole.mean(axis=1, keepdims=True)
    uneven, squares = np.sum(whole**2, axis=1), np.sum(keep ** (2.0 * np.arange(n)), axis=1)
    before, before_squared = (np.cumsum(keep ** (k * time), axis=1) - keep ** (k * time) for k in (1, 2))
    # Noise of residuals within a pass: weights of the u steps since it began, and of the passes before.
    inside = {order: np.zeros_like(ell) for order in ORDERS[1:]}
    for u in ((np.arange(INSIDE) + 0.5) * n / INSIDE).astype(int):
        begun = np.zeros_like(whole)
        begun[:, :u] = keep ** (u - 1.0 - np.arange(u))
        begun -= begun.mean(axis=1, keepdims=True)
        own, earlier = np.sum(begun**2, axis=1), keep[:, 0] ** (2 * u) * uneven
        both = np.sum(begun * whole, axis=1) * keep[:, 0] ** u
        inside["reshuffled"] += own + earlier * before_squared.mean(axis=1)
        inside["cycles"] += own + 2.0 * both * before.mean(axis=1) + earlier * (before**2).mean(axis=1)
    moved = {order: float(np.sum((eta * ell) ** 2 * each)) / INSIDE for order, each in inside.items()}
    along = {"reshuffled": np.sum(keep ** (2 * time), axis=1), "cycles": np.sum(keep**time, axis=1) ** 2}
    # What is learnt of the target within a pass is added while there is time left to follow it.
    later = (1.0 - keep ** (total - time - 0.5 * n)).T
    learnt = {
        "reshuffled": float(np.sum((energy * uneven) @ keep ** (2 * time) * np.sum(later**2, axis=1))),
        "cycles": float(np.sum((energy * uneven)[:, None] * (keep**time @ later) ** 2)),
    }
    x = eta * total * ell
    left = -np.expm1(-x) / x
    longer = 0.5 * eta * (ell.sum() + ell)
    drift_last, drift_mean = (
        float(np.sum(energy * (each * longer) ** 2)) for each in (x * np.exp(-x), np.exp(-x) - left)
    )
    # Samples of long inputs have longer steps.
    unequal = float(np.sum((1.0 - left) ** 2)) * eta**2 * float(np.sum(ell**2)) / (2.0 * n)
    drawn = linear(ell, eta, n, count)
    drawn_mean = drawn["replacement", "mean"]
    repeated = float(np.sum((eta * ell) ** 2 * squares * along["cycles"]))
    repeated_mean = n * float(np.sum(later.sum(axis=0) ** 2)) / total**2
    added = {
        ("reshuffled", "last"): (moved["reshuffled"] * drawn["replacement", "last"], drift_last),
        ("reshuffled", "mean"): (
            moved["reshuffled"] * drawn_mean + unequal,
            learnt["reshuffled"] / total**2 + drift_mean,
        ),
        ("cycles", "last"): (moved["cycles"] * repeated, drift_last),
        ("cycles", "mean"): (
            moved["cycles"] * repeated_mean + unequal,
            learnt["cycles"] / total**2 + drift_mean,
        ),
    }
    found = {key: (drawn[key] + noise, target) for key, (noise, target) in added.items()}
    return found | {("replacement", iterate): (drawn["replacement", iterate], 0.0) for iterate in ITERATES}


def descent(x: Array, labels: Array, eta: float, total: int) -> dict[str, tuple[Array, float]]:
    """Full-batch descent after ``total`` steps, and the mean of its iterates 0, ..., total - 1; mean square residuals, at the end
    and over all steps.
    """
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    values = np.maximum(values, 1e-14)
    rate = np.log1p(-eta * values)
    learnt = -np.expm1(total * rate)
    towards = vectors.T @ (x.T @ labels) / len(x)
    kept = np.exp(2.0 * total * rate), np.expm1(2.0 * total * rate) / (total * np.expm1(2.0 * rate))
    last, mean = (float(np.mean(labels**2) - np.sum(towards**2 / values * (1.0 - each))) for each in kept)
    averaged = (1.0 - learnt / (eta * values * total)) / values
    return {"last": (vectors @ (learnt / values * towards), last), "mean": (vectors @ (averaged * towards), mean)}


def orders_of_a_pass(generator: np.random.Generator, fixed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Samples in the order in which the chains of one sample meet them, shape (n, 3 CHAINS)."""
    n = len(fixed)
    drawn = generator.integers(n, size=(n, CHAINS))
    shuffled = generator.permuted(np.tile(np.arange(n)[:, None], CHAINS), axis=0)
    return np.concatenate([drawn, shuffled, fixed], axis=1)


def run(
    passes: Passes, n: int, first: int, samples: int, seed: int, directions: int = DIRECTIONS
) -> list[dict[str, float]]:
    """SGD on samples ``first``, ..., a row each: D and risk by order and iterate, D to first order, risk of descent."""
    keys = [("sgd variants", passes.name, n, index) for index in range(first, first + samples)]
    ell = np.arange(1.0, directions + 1.0) ** -BETA
    count, eta = passes.count(n), passes.step(n)
    x = np.stack([stream(seed, *key, "inputs").standard_normal((n, directions)) for key in keys]) * np.sqrt(ell)
    size = np.sqrt(np.arange(1.0, directions + 1.0) ** (-2.0 * BETA * S - 1.0) / ell)
    target = np.stack([stream(seed, *key, "signs").choice([-1.0, 1.0], directions) for key in keys]) * size
    labels = np.einsum("snp,sp->sn", x, target)
    labels += SIGMA * np.stack([stream(seed, *key, "noise").standard_normal(n) for key in keys])
    generators = [stream(seed, *key, "orders") for key in keys]
    fixed = [one.permuted(np.tile(np.arange(n)[:, None], CHAINS), axis=0) for one in generators]
    chains = len(ORDERS) * CHAINS
    theta, added = np.zeros((samples * chains, directions)), np.zeros((samples * chains, directions))
    rows, all_rows, all_labels = np.empty_like(theta), x.reshape(-1, directions), labels.ravel()
    starts = n * np.arange(samples)[:, None]
    for _ in range(count):
        met = np.stack([orders_of_a_pass(*each) for each in zip(generators, fixed, strict=True)], axis=1) + starts
        for i in met.reshape(n, samples * chains):
            added += theta
            np.take(all_rows, i, axis=0, out=rows, mode="clip")
            residual = all_labels[i] - np.einsum("cp,cp->c", rows, theta)
            rows *= eta * residual[:, None]
            theta += rows
    first_order, found = linear(ell, eta, n, count), []
    energy = ell * size**2
    second_order = second(ell, energy, eta, n, count)
    for k in range(samples):
        row: dict[str, float] = {}
        full_batch = descent(x[k], labels[k], eta, count * n)
        for iterate, ours in (("last", theta), ("mean", added / (count * n))):
            full, square = full_batch[iterate]
            row[f"descent {iterate}"] = float(ell @ (full - target[k]) ** 2)
            for order, part in zip(ORDERS, np.split(ours.reshape(samples, chains, -1)[k], len(ORDERS)), strict=True):
                row[f"{order} {iterate}"] = float(np.mean((part - full) ** 2 @ ell))
                row[f"{order} {iterate} risk"] = float(np.mean((part - target[k]) ** 2 @ ell))
                row[f"{order} {iterate} first"] = square * first_order[order, iterate]
                noise, signal = second_order[order, iterate]
                row[f"{order} {iterate} second"] = square * noise + signal
        found.append(row)
    return found


def simulated(passes: Passes, sizes: Sequence[int], samples: int, seed: int) -> pd.DataFrame:
    """A row for each n, order and iterate: means over samples and standard errors."""
    rows = []
    for n in sizes:
        tell(f"{passes.name}: n = {n}, {passes.count(n)} passes")
        tops = range(0, samples, TOGETHER)
        frame = pd.DataFrame([row for top in tops for row in run(passes, n, top, min(TOGETHER, samples - top), seed)])
        mean, error = frame.mean(), frame.std(ddof=1) / math.sqrt(samples)
        for order in ORDERS:
            for iterate in ITERATES:
                name = f"{order} {iterate}"
                rows.append(
                    {
                        "part": "orders",
                        "setting": passes.name,
                        "beta": BETA,
                        "s": S,
                        "order": order,
                        "iterate": iterate,
                        "n": n,
                        "passes": passes.count(n),
                        "eta_n": passes.step(n) * n,
                        "deviation": mean[name],
                        "deviation_stderr": error[name],
                        "first_order": mean[f"{name} first"],
                        "second_order": mean[f"{name} second"],
                        "risk": mean[f"{name} risk"],
                        "risk_stderr": error[f"{name} risk"],
                        "risk_of_descent": mean[f"descent {iterate}"],
                    }
                )
    return pd.DataFrame(rows)


def far_slope(passes: Passes, order: str, iterate: str) -> float:
    """Exponent of D to first order, residuals constant, from ``FAR`` samples to twice as many."""
    ell = np.arange(1.0, FAR_DIRECTIONS + 1.0) ** -BETA
    once, twice = (linear(ell, passes.step(n), n, passes.count(n))[order, iterate] for n in (FAR, 2 * FAR))
    # Passes are whole numbers: what rounding them does to the step is smaller than the last digit.
    return math.log(once / twice) / math.log(2.0)


def slope(n: Array, value: Array, stderr: Array) -> tuple[float, float]:
    """Exponent of a power of 1/n and its standard error, weighted; values at different n are independent."""
    weight, along, height = (value / stderr) ** 2, np.log(n), -np.log(value)
    along = along - np.average(along, weights=weight)
    information = float(np.sum(weight * along**2))
    return float(np.sum(weight * along * height)) / information, information**-0.5


def orders_page(frame: pd.DataFrame) -> Iterator[str]:
    """The table of exponents of D: in the limit, by formula, as measured; D beside the formulas and beside the risk of descent."""
    titles = ("passes", "iterate", "order", "n -> infinity", "1st order, far", "1st order", "2nd order", "measured")
    yield f"| {' | '.join((*titles, 'D/1st order', 'D/2nd order', 'D/risk'))} |"
    yield "|---" * 11 + "|"
    for passes in PASSES:
        for iterate in ITERATES:
            for order in ORDERS:
                part = frame.query("setting == @passes.name and iterate == @iterate and order == @order")
                if len(part) < 2:
                    continue
                n, value, stderr, first, both, risk = (
                    part[name].to_numpy(float)
                    for name in ("n", "deviation", "deviation_stderr", "first_order", "second_order", "risk_of_descent")
                )
                relative = stderr / value
                measured, error = slope(n, value, stderr)
                slopes = [slope(n, each, relative * each)[0] for each in (first, both)]
                ratios = (
                    f"{each[0]:.2f} to {each[-1]:.2f} +- {each[-1] * relative[-1]:.2f}"
                    for each in (value / first, value / both)
                )
                limits = passes.predicted(order, iterate), far_slope(passes, order, iterate)
                exponents = " | ".join(f"{each:.3f}" for each in (*limits, *slopes, measured))
                beside = " | ".join((*ratios, f"{value[0] / risk[0]:.2g} to {value[-1] / risk[-1]:.2g}"))
                yield f"| {passes.name} | {iterate} | {order} | {exponents} +- {error:.3f} | {beside} |"


# ---------------------------------------------------------------------------------------------------------------------- steps

PLACES = ((2.0, 0.5), (4.0, 0.5), (2.0, 1.0))
"""(beta, s) of the decaying steps."""

LARGEST = 0.5
"""Largest step times the trace."""

ALONE, RATIO, FARTHEST = 32, 1.08, 1e6


@dataclass(frozen=True)
class Modes:
    """Groups of modes: eigenvalue, sum of squared eigenvalues, energy of the target, each of the shape (groups,)."""

    ell: Array
    square: Array
    energy: Array
    trace: float


def grouped(beta: float, s: float, ratio: float = RATIO, farthest: float = FARTHEST) -> Modes:
    """The leading ``ALONE`` modes, and groups of indices up to ``ratio`` apart, beyond, whose trace is kept."""
    edges = [float(i) for i in range(1, ALONE + 1)]
    while edges[-1] < farthest:
        edges.append(max(edges[-1] + 1.0, math.floor(edges[-1] * ratio)))
    start = np.array(edges[:-1])
    index = np.arange(1.0, edges[-1])

    def total(values: Array) -> Array:
        return np.add.reduceat(values, start.astype(int) - 1)

    trace, square = total(index**-beta), total(index ** (-2.0 * beta))
    return Modes(square / trace, square, total(index ** (-2.0 * beta * s - 1.0)), float(trace.sum()))


def single_pass(modes: Sequence[Modes], steps: Array, sigma: Array, energy: Array) -> tuple[Array, Array]:
    """Mean risk of the last iterate and of the mean of the iterates 0, ..., n - 1, a row for each of ``steps``, shape (rows, n).

    ``sigma`` and ``energy`` multiply the noise and the target of a row. All ``modes`` have as many groups.
    """
    ell, square = (np.stack([getattr(one, name) for one in modes]) for name in ("ell", "square"))
    error = np.stack([one.energy for one in modes]) * np.square(energy)[:, None]
    variance, n = np.square(sigma), steps.shape[1]
    total, along = error.copy(), error.copy()  # l E[S^2], l E[S delta], S the sum of errors so far
    kept, buffer = np.empty_like(error), np.empty_like(error)
    for k in range(n):
        eta = steps[:, k]
        forced = np.square(eta) * (error.sum(axis=1) + variance)
        np.multiply(ell, -eta[:, None], out=kept)
        np.square(kept, out=buffer)
        kept += 1.0  # 1 - eta l
        buffer += kept * kept
        error *= buffer
        np.multiply(square, forced[:, None], out=buffer)
        error += buffer
        if k < n - 1:
            along *= kept
            total += along
            along += error
            total += along
    return error.sum(axis=1), total.sum(axis=1) / n**2


@dataclass(frozen=True)
class Steps:
    """A rule for the steps of a pass, in units of the largest: its exponents are those of the last iterate and of the mean."""

    name: str
    rule: Callable[[int, float, float], Array]
    last: Callable[[float, float], float]
    mean: Callable[[float, float], float] | None = None


def alpha(beta: float, s: float) -> float:
    """2s/(2s + 1/beta)."""
    return 2.0 * s / (2.0 * s + 1.0 / beta)


def without_tail(beta: float, s: float) -> float:
    """2s/(2s + 1)."""
    return 2.0 * s / (2.0 * s + 1.0)


def of_a_power(c: float, beta: float, s: float) -> tuple[float, float]:
    """Exponents of eta_k = k^-c, last iterate and mean: bias, floor (not of the mean), noise that slow directions keep."""
    late = 1.0 - (1.0 - c) / beta if c <= 0.5 else (1.0 - c) * (2.0 - 1.0 / beta)
    bias = 2.0 * s * (1.0 - c)
    return min(bias, c, late), min(bias, late, 2.0)


def turned(c: float) -> Steps:
    """eta_0 (1 + k/k_0)^-c, c >= 1, with the powers of n that balance bias, floor and N/k_0."""

    def powers(beta: float, s: float) -> tuple[float, float]:
        more = (1.0 - 1.0 / beta) / c
        g = 1.0 / (2.0 * s + 1.0 / beta + more)
        return g, 1.0 - g * more

    def rule(n: int, beta: float, s: float) -> Array:
        g, b = powers(beta, s)
        return np.asarray(n ** (g - b) * (1.0 + np.arange(n) / n**b) ** -c)

    name = "eta_0/(1 + k/k_0)" + ("" if c == 1.0 else f"^{c:g}")
    return Steps(name, rule, lambda beta, s: 2.0 * s * powers(beta, s)[0])


def power_steps(name: str, c: Callable[[float, float], float]) -> Steps:
    """eta_k = (k + 1)^-c, which does not know n."""
    return Steps(
        name,
        lambda n, beta, s: np.arange(1.0, n + 1.0) ** -c(beta, s),
        lambda beta, s: of_a_power(c(beta, s), beta, s)[0],
        lambda beta, s: of_a_power(c(beta, s), beta, s)[1],
    )


def halved(n: int, beta: float, s: float) -> Array:
    """log2 n stages of one length, the step halved from each to the next."""
    stages = math.log2(n)
    return np.asarray((n / stages) ** (alpha(beta, s) / (2.0 * s) - 1.0) * 0.5 ** np.floor(np.arange(n) * stages / n))


def constant(power: Callable[[float, float], float]) -> Callable[[int, float, float], Array]:
    """n^(power - 1) all along."""
    return lambda n, beta, s: np.full(n, n ** (power(beta, s) - 1.0))


HALVED = "halved log2 n times"
STEPS = (
    Steps("constant, best for the last", constant(lambda beta, s: 1.0 / (2.0 * s + 1.0)), without_tail),
    Steps(
        "constant, eta n = n^p",
        constant(lambda beta, s: alpha(beta, s) / (2.0 * s)),
        lambda beta, s: min(alpha(beta, s), 1.0 - alpha(beta, s) / (2.0 * s)),
        lambda beta, s: min(alpha(beta, s), 2.0 * alpha(beta, s) / (2.0 * s)),
    ),
    power_steps("k^-c, c = 2s/(2s + 1)", without_tail),
    power_steps("k^-c, c = 1 - p", lambda beta, s: 1.0 - alpha(beta, s) / (2.0 * s)),
    turned(1.0),
    turned(2.0),
    turned(4.0),
    Steps(HALVED, halved, alpha),
)


def recursions(
    sizes: Sequence[int], ratio: float = RATIO, places: Sequence[tuple[float, float]] = PLACES
) -> pd.DataFrame:
    """A row for each place, rule of steps, iterate and n: risk, and its terms of the target and of the noise."""
    cases = [(place, steps) for place in places for steps in STEPS]
    modes = {place: grouped(*place, ratio) for place in places}
    rows = []
    for n in sizes:
        tell(f"recursion of {n} steps")
        each = np.stack([LARGEST / modes[place].trace * steps.rule(n, *place) for place, steps in cases])
        noisy = np.repeat([0.0, 1.0], len(cases))
        found = single_pass([modes[place] for place, _ in cases] * 2, np.tile(each, (2, 1)), SIGMA * noisy, 1.0 - noisy)
        for iterate, risks in zip(ITERATES, found, strict=True):
            for (place, steps), target, noise in zip(cases, *np.split(risks, 2), strict=True):
                rows.append(
                    {
                        "part": "steps",
                        "setting": steps.name,
                        "beta": place[0],
                        "s": place[1],
                        "iterate": iterate,
                        "n": n,
                        "risk": target + noise,
                        "risk_from_target": target,
                        "risk_from_noise": noise,
                    }
                )
    return pd.DataFrame(rows)


def steps_page(frame: pd.DataFrame) -> Iterator[str]:
    """The table of exponents of one pass."""
    yield "| beta, s | steps | iterate | exponent, n -> infinity | all n | last two octaves | term of the target | of the noise |"
    yield "|---|---|---|---|---|---|---|---|"
    for beta, s in PLACES:
        for steps in STEPS:
            for iterate, predict in zip(ITERATES, (steps.last, steps.mean), strict=True):
                part = frame.query("beta == @beta and s == @s and setting == @steps.name and iterate == @iterate")
                if predict is None or len(part) < 3:
                    continue
                n = part["n"].to_numpy(float)
                along = np.log(n / np.log2(n)) if steps.name == HALVED else np.log(n)
                logs = {name: -np.log(part[name].to_numpy(float)) for name in map(str, part) if name.startswith("risk")}
                late = {name: (log[-1] - log[-3]) / (along[-1] - along[-3]) for name, log in logs.items()}
                exponents = (predict(beta, s), np.polyfit(along, logs["risk"], 1)[0], *late.values())
                shown = " | ".join(f"{each:.3f}" for each in exponents)
                yield f"| {beta:g}, {s:g} | {steps.name} | {iterate} | {shown} |"


def tell(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> pd.DataFrame:
    """Run, print the tables and write the figures behind them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="orders,steps", help="parts, separated by commas")
    parser.add_argument("--samples", type=int, default=64, help="samples at each n, at least 2")
    parser.add_argument("--largest", type=int, default=4096, help="largest n of the simulated passes")
    parser.add_argument("--longest", type=int, default=2**18, help="longest recursion, at least 4096")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sgd_variants.csv"))
    options = parser.parse_args(argv)
    parts = options.only.split(",")
    if unknown := set(parts) - {"orders", "steps"}:
        parser.error(f"--only {options.only}: no part {', '.join(sorted(unknown))}; there are orders and steps")
    if options.samples < 2:
        parser.error(f"--samples {options.samples} must be at least 2: standard errors are given")
    if options.longest < 4096:
        parser.error(f"--longest {options.longest} must be at least 4096")
    frames = []
    if "orders" in parts:
        for passes in PASSES:
            sizes = [n for n in passes.sizes if n <= options.largest]
            frames.append(simulated(passes, sizes, options.samples, options.seed))
        print("\n".join(orders_page(pd.concat(frames))), end="\n\n", flush=True)
    if "steps" in parts:
        frames.append(recursions([2**k for k in range(10, int(math.log2(options.longest)) + 1)]))
        print("\n".join(steps_page(frames[-1])))
        coarse, fine = (
            recursions([4096], ratio)["risk"].to_numpy(float) for ratio in (RATIO, 1.0 + (RATIO - 1.0) / 4.0)
        )
        print(
            f"\nGroups a quarter as wide change a risk at n = 4096 by at most {np.max(np.abs(coarse / fine - 1.0)):.1e}."
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.concat(frames)
    frame.to_csv(options.out, index=False, float_format="%.6g")
    return frame


if __name__ == "__main__":
    main()

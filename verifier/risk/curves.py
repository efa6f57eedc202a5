r"""Simulated learning curves: excess risk against the number of samples, with the covariance between its
points.

Replicate r of every point is drawn from the streams (seed, \*key, "replicate", r), never from the instance,
so that neighbouring instances meet the same noise. Within a replicate all points use the same normals
(:mod:`verifier.risk.simulate`): they are positively correlated, which a slope, a difference of logarithms,
profits from and which :func:`verifier.verdicts.slopes.fit_slope` takes into account.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.instances.ingredient import whole
from verifier.risk.dependent_filter_samples import simulate_dependent_filter
from verifier.risk.dependent_samples import MOST_SAMPLES, simulate_dependent
from verifier.risk.dependent_streams import can_be_streamed, simulate_dependent_stream
from verifier.risk.drift_samples import simulate_drift
from verifier.risk.equivalents import checked_ridge, optimal_ridge, ruled, scheduled_ridge
from verifier.risk.feature_samples import simulate_features
from verifier.risk.filter_samples import simulate_filter
from verifier.risk.fourier_samples import simulate_fourier
from verifier.risk.kinds import Kind, kind
from verifier.risk.mixtures import simulate_mixture
from verifier.risk.multi_pass_samples import simulate_multi_pass
from verifier.risk.multihead_samples import multihead_problems
from verifier.risk.nystrom_samples import simulate_nystrom
from verifier.risk.profile_samples import simulate_profile
from verifier.risk.sampled import simulate_samples
from verifier.risk.simulate import Problem, Replicates, head_problems, problem, simulate
from verifier.risk.simulators import Simulator, simulated_by, simulator_of
from verifier.risk.single_pass_samples import simulate_single_pass
from verifier.risk.transformed_drift_samples import simulate_transformed_drift

Array = NDArray[np.float64]

LONGEST_DEPENDENT = 2000
"""Longest sequence of dependent samples that is drawn whole; longer ones are streamed in law."""

Ridges = float | Sequence[float] | Array
Tuning = str | Sequence[float] | Array | Callable[[Instance, int], Ridges]


@dataclass(frozen=True, eq=False)
class Curve:
    """A simulated learning curve of ``instance``: R replicates at K sample sizes.

    ``n`` (K,) increasing sample sizes; ``lam`` (K,) ridges used; ``samples`` (R, K) excess risk of each
    replicate (rows independent, entries of a row correlated); ``tuning`` "optimal", "schedule", "grid" or the
    name of the function that chose the ridges; ``replicates`` R; ``seed`` and ``key`` name the random streams.
    """

    instance: Instance
    n: NDArray[np.int64]
    lam: Array
    samples: Array
    tuning: str
    replicates: int
    seed: int
    key: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        n, lam = np.asarray(self.n), np.asarray(self.lam, dtype=np.float64)
        samples = np.asarray(self.samples, dtype=np.float64)
        if n.ndim != 1 or lam.shape != n.shape or samples.shape != (self.replicates, len(n)):
            raise ValueError(
                f"shapes n={n.shape}, lam={lam.shape}, samples={samples.shape} do not fit: expected (K,), "
                f"(K,) and ({self.replicates}, K)"
            )
        if not np.all(np.isfinite(samples)):
            raise ValueError("samples contains values that are not finite; the risk of a replicate is a finite number")
        for name, value in (("n", n), ("lam", lam), ("samples", samples)):
            frozen = value.copy()
            frozen.flags.writeable = False
            object.__setattr__(self, name, frozen)

    @property
    def risk(self) -> Array:
        """Mean excess risk at each n, shape (K,)."""
        return np.asarray(self.samples.mean(axis=0))

    @property
    def stderr(self) -> Array:
        """Standard error of :attr:`risk`, shape (K,)."""
        return np.asarray(self.samples.std(axis=0, ddof=1) / math.sqrt(self.replicates))

    @property
    def covariance(self) -> Array:
        """Estimated covariance matrix of :attr:`risk`, shape (K, K)."""
        return np.asarray(np.cov(self.samples, rowvar=False).reshape(len(self.n), len(self.n)) / self.replicates)


def learning_curve(
    inst: Instance,
    *,
    n: Sequence[int] | NDArray[np.int64],
    replicates: int = 32,
    seed: int = 0,
    tuning: Tuning = "optimal",
    key: tuple[str | int, ...] = (),
    controls: bool = False,
    antithetic: bool = False,
    directions: int | str | None = None,
    simulator: Simulator | None = None,
) -> Curve:
    r"""Simulate the excess risk of ``inst`` at the sample sizes ``n``, at a cost free of n once n exceeds the
    directions; under a design that is not Gaussian on real samples (:mod:`verifier.risk.sampled`), at a cost of n p^2.

    ``n``: strictly increasing whole numbers, at least 1. ``replicates``: independent samples a point, at
    least 2. ``seed`` and ``key`` name the random streams; the same pair gives the same numbers in any process
    and order.

    ``tuning``: "optimal", the ridge that minimises the deterministic equivalent at each n (it misses the
    minimum of the expected risk by O(1/n) relative, which costs O(1/n^2), and is never chosen on a
    replicate); "schedule", :math:`\lambda_n = n^{-1/(2s + 1/\beta)}`; a function (instance, n) -> ridge; or
    a sequence of ridges, or a function that returns one: all are simulated on the same samples, and at each n
    the one with the smallest mean risk is kept. A minimum of R means is biased down, but only by what tells
    neighbouring ridges apart on the same samples, which shrinks like 1/R.

    ``controls``: subtract control variates of known mean zero (:mod:`verifier.risk.controls`); none are known for a
    design that is not Gaussian.
    ``antithetic``: a replicate is the mean of two mirrored samples, at twice the cost
    (:class:`verifier.risk.simulate.Replicates`); it also helps where the controls are off, without noise.
    ``directions``: leading directions to simulate, by default
    :func:`verifier.risk.simulate.default_directions` of each n, as many as a test of the equivalent needs;
    "head" is the fast estimator, which leans on the equivalent for all but a few
    (:func:`verifier.risk.simulate.head_problems`), where an instance has no simulation of its kind.

    ``simulator``: draws the risks instead, as does one that an ingredient of ``inst`` carries
    (:mod:`verifier.risk.simulators`); ``controls``, ``antithetic`` and ``directions`` are then of no effect.

    For the worst target of a ball the worst eigenfunction is looked up at each point, under the deterministic
    equivalent at that n and ridge.
    """
    return learning_curves(
        [inst],
        n=n,
        replicates=replicates,
        seed=seed,
        tuning=tuning,
        key=key,
        controls=controls,
        antithetic=antithetic,
        directions=directions,
        simulator=simulator,
    )[0]


def learning_curves(
    instances: Sequence[Instance],
    *,
    n: Sequence[int] | NDArray[np.int64],
    replicates: int = 32,
    seed: int = 0,
    tuning: Tuning = "optimal",
    key: tuple[str | int, ...] = (),
    controls: bool = False,
    antithetic: bool = False,
    directions: int | str | None = None,
    simulator: Simulator | None = None,
) -> list[Curve]:
    """The :func:`learning_curve` of every instance, on common random numbers that are drawn once for all.

    Each curve equals, to rounding, what ``learning_curve`` gives for its instance alone; sampling and the matrices that
    instances of the same (n, directions) share are paid once. See there for the arguments.
    """
    sizes = _sample_sizes(n)
    replicates = whole("replicates", replicates, 2)  # errors come from their spread
    draws = Replicates(replicates, seed, tuple(key), controls=controls, antithetic=antithetic)
    grids = [_candidates(inst, sizes, tuning) for inst in instances]
    curves = []
    for inst, grid, samples in zip(
        instances, grids, _samples(instances, grids, draws, directions, simulator), strict=True
    ):
        columns, lam, start = [], [], 0
        for _, ridges in grid:
            best = int(np.argmin(samples[:, start : start + len(ridges)].mean(axis=0))) if len(ridges) > 1 else 0
            columns.append(start + best)
            lam.append(float(ridges[best]))
            start += len(ridges)
        curves.append(
            Curve(
                instance=inst,
                n=sizes,
                lam=np.array(lam),
                samples=samples[:, columns],
                tuning=_name(tuning),
                replicates=replicates,
                seed=int(seed),
                key=tuple(key),
            )
        )
    return curves


Grid = list[tuple[int, Array]]
Pairs = list[tuple[int, float]]


def _samples(
    instances: Sequence[Instance],
    grids: Sequence[Grid],
    draws: Replicates,
    directions: int | str | None,
    simulator: Simulator | None,
) -> list[Array]:
    """Risks on the grid of each instance: from a pack's simulator, in the way of its kind, or on Bartlett's factors, which all
    plain instances share.
    """
    found: dict[int, Array] = {}
    shared: dict[int, list[Problem]] = {}
    drawn = None if isinstance(directions, str) else directions
    for j, (inst, grid) in enumerate(zip(instances, grids, strict=True)):
        chosen = simulator_of(inst) if simulator is None else simulator
        if chosen is not None:
            found[j] = _by_pack(chosen, inst, grid, draws)
        elif kind(inst) in SIMULATORS:
            found[j] = SIMULATORS[kind(inst)](inst, _pairs(grid), draws, drawn)
        elif kind(inst) == Kind.HEADS:
            shared[j] = multihead_problems(inst, _pairs(grid), drawn)
        elif kind(inst) == Kind.PLAIN:
            shared[j] = _problems(inst, grid, directions)
        else:
            found[j] = simulate_samples(inst.design, _problems(inst, grid, directions), draws)
    if shared:
        common = simulate([item for own in shared.values() for item in own], draws)
        ends = np.cumsum([len(own) for own in shared.values()])
        found |= dict(zip(shared, np.split(common, ends[:-1], axis=1), strict=True))
    return [found[j] for j in range(len(instances))]


def _pairs(grid: Grid) -> Pairs:
    """Every (n, ridge) of a grid, in its order."""
    return [(m, float(lam)) for m, ridges in grid for lam in ridges]


def _dependent(inst: Instance, pairs: Pairs, draws: Replicates, directions: int | None) -> Array:
    """Risks on dependent samples: the sequences themselves while they are short, streams in law beyond."""
    result = np.empty((draws.count, len(pairs)))
    streamed = can_be_streamed(inst)
    longest = max(m for m, _ in pairs)
    if not streamed and longest > MOST_SAMPLES:
        raise ValueError(
            f"n={longest}: with a mean, or with noise of long memory beside correlated inputs of another process, the sequence "
            f"itself is simulated, up to n={MOST_SAMPLES}; a stream in law would leave something out. Give smaller n"
        )
    short = np.array([m <= LONGEST_DEPENDENT or not streamed for m, _ in pairs])
    for simulated, chosen in ((simulate_dependent, short), (simulate_dependent_stream, ~short)):
        if chosen.any():
            own = [pair for pair, taken in zip(pairs, chosen, strict=True) if taken]
            result[:, chosen] = simulated(inst, own, draws, directions)
    return result


SIMULATORS: dict[Kind, Callable[[Instance, Pairs, Replicates, int | None], Array]] = {
    Kind.LANDMARKS: simulate_nystrom,
    Kind.FOURIER: simulate_fourier,
    Kind.FEATURES: simulate_features,
    Kind.PROFILED: simulate_profile,
    Kind.DEPENDENT: _dependent,
    Kind.UNCENTRED: _dependent,
    Kind.DRIFTING: simulate_drift,
    Kind.TURNING: simulate_drift,
    Kind.MOVED: lambda inst, pairs, draws, directions: simulate_transformed_drift(inst, pairs, draws),
    Kind.DESCENT: simulate_filter,
    Kind.DEPENDENT_DESCENT: simulate_dependent_filter,
    # exact in the mean whatever its directions
    Kind.SINGLE_PASS: lambda inst, pairs, draws, directions: simulate_single_pass(inst, pairs, draws),
    # more directions than the leading ones of other samples cost next to nothing
    Kind.MULTI_PASS: lambda inst, pairs, draws, directions: simulate_multi_pass(inst, pairs, draws),
    Kind.MIXTURE_SAMPLES: lambda inst, pairs, draws, directions: simulate_mixture(inst, pairs, draws),
}
"""How the risks of an instance are simulated at each (n, ridge), by its kind; plain ones share their draws, other designs are
sampled as they are.
"""


def _by_pack(simulator: Simulator, inst: Instance, grid: Grid, draws: Replicates) -> Array:
    if any(len(ridges) > 1 for _, ridges in grid):
        raise ValueError("tuning gives several ridges at one n; a simulator of a pack is asked for one")
    n = np.array([m for m, _ in grid], dtype=np.int64)
    lam = np.array([float(ridges[0]) for _, ridges in grid])
    return simulated_by(simulator, inst, n, lam, replicates=draws.count, seed=draws.seed, key=draws.key)


def _problems(inst: Instance, grid: Grid, directions: int | str | None) -> list[Problem]:
    """A problem for every (n, ridge) of a grid, in its order."""
    pairs = _pairs(grid)
    if isinstance(directions, str):
        if directions != "head":
            raise ValueError(f"directions={directions!r} must be a whole number, 'head' or None")
        return head_problems(inst, [m for m, _ in pairs], [lam for _, lam in pairs])
    return [problem(inst, n=m, lam=lam, directions=directions) for m, lam in pairs]


def _sample_sizes(n: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    try:
        values = list(n)
    except TypeError:
        raise ValueError(f"n={n!r} must be a sequence of sample sizes, for example (100, 200, 400)") from None
    if not values:
        raise ValueError("n=() is empty; give at least one sample size")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"n contains {value!r}; sample sizes are whole numbers of at least 1")
    sizes = np.array(values, dtype=np.int64)
    if np.any(np.diff(sizes) <= 0):
        raise ValueError(f"n={tuple(int(v) for v in sizes)} must increase strictly")
    return sizes


def _candidates(inst: Instance, n: NDArray[np.int64], tuning: Tuning) -> Grid:
    """The ridges among which each sample size chooses."""
    if isinstance(tuning, str):
        if tuning not in ("optimal", "schedule"):
            raise ValueError(
                f"tuning={tuning!r} must be 'optimal', 'schedule', a function (instance, n) -> ridge, or ridges"
            )
        rule = optimal_ridge if tuning == "optimal" else scheduled_ridge
        found = [np.atleast_1d(lam) for lam in np.asarray(rule(inst, n), dtype=np.float64)]
    elif callable(tuning):
        found = [_ruled(tuning, inst, int(m)) for m in n]
    else:
        found = [np.atleast_1d(np.asarray(tuning, dtype=np.float64))] * len(n)
    for m, lam in zip(n, found, strict=True):
        if lam.ndim != 1 or lam.size == 0:
            raise ValueError(f"tuning gave ridges of shape {lam.shape} at n={m}; it must give one ridge or a sequence")
        bad = ~np.isfinite(lam) | (lam < 0.0)
        if bad.any():
            raise ValueError(
                f"tuning gave the ridge {float(lam[np.argmax(bad)])!r} at n={m}; it must be finite and >= 0"
            )
    return [(int(m), lam) for m, lam in zip(n, found, strict=True)]


def _ruled(rule: Callable[[Instance, int], Ridges], inst: Instance, n: int) -> Array:
    """The ridge or ridges that a function gives."""
    given = ruled(rule, inst, n)
    several = given if isinstance(given, (list, tuple, np.ndarray)) else [given]
    return np.array([checked_ridge(value, rule, inst, n) for value in np.ravel(np.asarray(several, dtype=object))])


def _name(tuning: Tuning) -> str:
    if isinstance(tuning, str):
        return tuning
    return getattr(tuning, "__name__", type(tuning).__name__) if callable(tuning) else "grid"

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
from verifier.risk.equivalents import optimal_ridge, ruled_ridge, scheduled_ridge
from verifier.risk.simulate import Replicates, problem, simulate
from verifier.risk.simulators import Simulator, simulated_by, simulator_of

Array = NDArray[np.float64]
Tuning = str | Callable[[Instance, int], float]


@dataclass(frozen=True, eq=False)
class Curve:
    """A simulated learning curve of ``instance``: R replicates at K sample sizes.

    ``n`` (K,) increasing sample sizes; ``lam`` (K,) ridges used; ``samples`` (R, K) excess risk of each
    replicate (rows independent, entries of a row correlated); ``tuning`` "optimal", "schedule" or the name of
    the function that chose the ridges; ``replicates`` R; ``seed`` and ``key`` name the random streams.
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
    directions: int | None = None,
    simulator: Simulator | None = None,
) -> Curve:
    r"""Simulate the excess risk of ``inst`` at the sample sizes ``n``, at a cost free of n once n exceeds the
    directions.

    ``n``: strictly increasing whole numbers, at least 1. ``replicates``: independent samples a point, at
    least 2. ``seed`` and ``key`` name the random streams; the same pair gives the same numbers in any process
    and order. ``tuning``: "optimal", the ridge that minimises the deterministic equivalent at each n (it
    misses the minimum of the expected risk by O(1/n) relative, which costs O(1/n^2), and is never chosen on a
    replicate); "schedule", :math:`\lambda_n = n^{-1/(2s + 1/\beta)}`; or a function (instance, n) -> ridge.
    ``controls``: subtract control variates of known mean zero (see :mod:`verifier.risk.simulate`).
    ``directions``: leading directions to simulate, by default
    :func:`verifier.risk.simulate.default_directions` of each n. ``simulator``: draws the risks instead, as
    does one that an ingredient of ``inst`` carries (see :mod:`verifier.risk.simulators`); ``controls`` and
    ``directions`` are then of no effect.

    For the worst target of a ball the worst eigenfunction is looked up at each point, under the deterministic
    equivalent at that n and ridge.
    """
    sizes = _sample_sizes(n)
    replicates = whole("replicates", replicates, 2)  # errors come from their spread
    lam = _ridges(inst, sizes, tuning)
    chosen = simulator_of(inst) if simulator is None else simulator
    if chosen is not None:
        samples = simulated_by(chosen, inst, sizes, lam, replicates=replicates, seed=seed, key=tuple(key))
    else:
        problems = [
            problem(inst, n=int(m), lam=float(ridge), directions=directions)
            for m, ridge in zip(sizes, lam, strict=True)
        ]
        samples = simulate(problems, Replicates(count=replicates, seed=seed, key=tuple(key), controls=controls))
    return Curve(
        instance=inst,
        n=sizes,
        lam=lam,
        samples=samples,
        tuning=tuning if isinstance(tuning, str) else getattr(tuning, "__name__", type(tuning).__name__),
        replicates=replicates,
        seed=int(seed),
        key=tuple(key),
    )


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


def _ridges(inst: Instance, n: NDArray[np.int64], tuning: Tuning) -> Array:
    if callable(tuning):
        lam = np.array([ruled_ridge(tuning, inst, int(m)) for m in n])
    elif tuning == "optimal":
        lam = np.asarray(optimal_ridge(inst, n), dtype=np.float64)
    elif tuning == "schedule":
        lam = np.asarray(scheduled_ridge(inst, n), dtype=np.float64)
    else:
        raise ValueError(f"tuning={tuning!r} must be 'optimal', 'schedule' or a function (instance, n) -> ridge")
    bad = ~np.isfinite(lam) | (lam < 0.0)
    if bad.any():
        where = int(np.argmax(bad))
        raise ValueError(f"tuning gave the ridge {float(lam[where])!r} at n={n[where]}; it must be finite and >= 0")
    return lam

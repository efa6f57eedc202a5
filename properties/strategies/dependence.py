"""Hypothesis strategies of processes, of runs, and of instances whose samples depend on one another; plain ones first.

Correlations are short decimals of either sign, from zero to strong; Hurst exponents come from a lattice, so that what is
computed once for a process serves many instances. What is white shrinks to ``White()``, and what depends on nothing to
``Independent()``: there is one way to write each. No strategy knows which claim it serves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import (
    AR1,
    Blocks,
    Dependence,
    Dependent,
    Design,
    FractionalNoise,
    GaussianDesign,
    Independent,
    Instance,
    MovingAverage,
    Process,
    RegimeSwitching,
    Repeated,
    Runs,
    Sticky,
    UncentredDesign,
    White,
)

HURSTS = (0.7, 0.6, 0.8, 0.9, 0.55, 0.65, 0.75, 0.85, 0.95)
"""Hurst exponents of long memory, steps of .05, fewest digits first."""

STRONG = 0.9
"""Largest autocorrelation at lag one that is drawn: at .9 for inputs and noise the factor in n is 9.5."""

TAILS = (3.0, 4.0, 2.5, 2.2, 1.5, 1.8, 1.2)
"""Exponents of the tails of run lengths, those with a mean square first."""


def correlations(low: float = -STRONG, high: float = STRONG) -> SearchStrategy[float]:
    """Autocorrelations at lag one: tenths, a third of them zero or an end of the interval; and hundredths. Zero first."""
    coarse, fine = _correlations(low, high)
    return coarse | fine


def _correlations(low: float, high: float) -> tuple[SearchStrategy[float], SearchStrategy[float]]:
    tenths, hundredths = (_nearest_zero_first(low, high, parts) for parts in (10, 100))
    landmarks = sorted({0.0, low, high}, key=abs)
    often = landmarks * (1 + len(tenths) // (2 * len(landmarks)))
    return st.sampled_from(tenths + often), st.sampled_from(hundredths)


def _nearest_zero_first(low: float, high: float, parts: int) -> list[float]:
    values = [k / parts for k in range(math.ceil(low * parts - 1e-9), math.floor(high * parts + 1e-9) + 1)]
    return sorted(values, key=lambda value: (abs(value), value < 0.0))


def autoregressions() -> SearchStrategy[Process]:
    """White noise and AR(1) of either sign."""
    # One choice for the grid and one for the number, as few as any other process takes: this is what they shrink to.
    return st.one_of(*(grid.map(_autoregression) for grid in _correlations(-STRONG, STRONG)))


def _autoregression(rho: float) -> Process:
    return White() if rho == 0.0 else AR1(rho=rho)


def moving_averages() -> SearchStrategy[MovingAverage]:
    """MA(1) of either sign, means of up to twenty innovations, and up to five weights of any kind, the first one 1."""
    weight = st.sampled_from([1.0, 0.5, 2.0, -0.5, -1.0, 0.2, -0.2])
    first_order = weight.map(lambda w: (1.0, w))
    means = st.sampled_from([2, 3, 5, 10, 20]).map(lambda length: (1.0,) * length)
    several = st.lists(weight, min_size=2, max_size=4).map(lambda rest: (1.0, *rest))
    return st.one_of(first_order, means, several).map(MovingAverage)


def white() -> SearchStrategy[Process]:
    """White noise."""
    return st.just(White())


def short_memory() -> SearchStrategy[Process]:
    """White noise, autoregressions and moving averages."""
    return st.one_of(autoregressions(), moving_averages())


def fractional(hursts: Sequence[float] = HURSTS) -> SearchStrategy[FractionalNoise]:
    """Fractional noise with Hurst exponents of a lattice."""
    return st.sampled_from(hursts).map(FractionalNoise)


def processes(hursts: Sequence[float] = HURSTS) -> SearchStrategy[Process]:
    """Short memory and long."""
    return st.one_of(short_memory(), fractional(hursts))


def short_runs() -> SearchStrategy[Runs]:
    """Runs whose length has a mean square: geometric, of one length, and with a light power tail or a longest run."""
    sticky = correlations(low=0.0).map(Sticky)
    blocks = st.sampled_from([2, 3, 5, 10, 1]).map(Blocks)
    light = st.sampled_from([tail for tail in TAILS if tail > 2.0]).map(RegimeSwitching)
    cut = st.builds(RegimeSwitching, tail=st.sampled_from(TAILS), longest=st.sampled_from([10, 3, 30, 100]))
    return st.one_of(sticky, blocks, light, cut)


def runs() -> SearchStrategy[Runs]:
    """Runs of every kind, those included whose lengths have no mean square."""
    return st.one_of(short_runs(), heavy_runs())


def power_runs() -> SearchStrategy[Runs]:
    """Runs whose lengths have a power tail, with a mean square or without."""
    return st.sampled_from(TAILS).map(RegimeSwitching)


def heavy_runs() -> SearchStrategy[Runs]:
    """Runs whose lengths have no mean square."""
    return st.sampled_from([tail for tail in TAILS if tail <= 2.0]).map(RegimeSwitching)


def separable(
    inputs: SearchStrategy[Process] | None = None, noise: SearchStrategy[Process] | None = None
) -> SearchStrategy[Dependence]:
    """Inputs of one process and noise of another (default: of short memory each)."""
    drawn = st.tuples(short_memory() if inputs is None else inputs, short_memory() if noise is None else noise)

    def joined(both: tuple[Process, Process]) -> Dependence:
        return Independent() if both == (White(), White()) else Dependent(inputs=both[0], noise=both[1])

    return drawn.map(joined)


def repeated(
    lengths: SearchStrategy[Runs] | None = None, noise: Sequence[str] = ("fresh", "repeated")
) -> SearchStrategy[Dependence]:
    """Inputs in runs (default: of every kind), with fresh noise or with repeated noise."""
    drawn = st.tuples(runs() if lengths is None else lengths, st.sampled_from(noise))

    def joined(both: tuple[Runs, str]) -> Dependence:
        return Independent() if both[0].mean_length == 1.0 else Repeated(runs=both[0], noise=both[1])

    return drawn.map(joined)


def uncentred(plain: SearchStrategy[Instance]) -> SearchStrategy[Instance]:
    """Instances of ``plain`` with inputs that are not centred; a fifth of them are left as they are."""
    designs: list[Design] = [
        GaussianDesign(),
        UncentredDesign(),
        UncentredDesign(intercept=1.0),
        UncentredDesign(mean=0.5),
        UncentredDesign(mean=2.0, intercept=0.5),
    ]
    drawn = st.tuples(st.sampled_from(designs), plain)
    return drawn.map(lambda both: dataclasses.replace(both[1], design=both[0]))


def short_dependences() -> SearchStrategy[Dependence]:
    """Every dependence whose curve is, at leading order, that of a fixed share of independent samples."""
    return st.one_of(separable(), repeated(short_runs()))


def dependent_instances(
    plain: SearchStrategy[Instance], dependences: SearchStrategy[Dependence] | None = None
) -> SearchStrategy[Instance]:
    """Instances of ``plain`` whose samples depend on one another (default: with short memory)."""
    drawn = st.tuples(short_dependences() if dependences is None else dependences, plain)
    return drawn.map(lambda both: dataclasses.replace(both[1], dependence=both[0]))


def autoregressive(
    *, inputs: bool, noise: bool, low: float = -STRONG, high: float = STRONG
) -> SearchStrategy[Dependence]:
    """AR(1) of one rho for the inputs, for the noise, or for both."""
    return correlations(low, high).map(lambda rho: _of_one_rho(rho, inputs, noise))


def moving_average() -> SearchStrategy[Dependence]:
    """Moving averages as inputs, with white noise or with noise of the same process."""
    drawn = st.tuples(moving_averages(), st.booleans())
    return drawn.map(lambda both: Dependent(inputs=both[0], noise=both[0] if both[1] else White()))


def autoregressive_of(rhos: Sequence[float], *, inputs: bool, noise: bool) -> SearchStrategy[Dependence]:
    """The same with one of the given rho."""
    return st.sampled_from(rhos).map(lambda rho: _of_one_rho(rho, inputs, noise))


def _of_one_rho(rho: float, inputs: bool, noise: bool) -> Dependence:
    if rho == 0.0:
        return Independent()
    return Dependent(inputs=AR1(rho) if inputs else White(), noise=AR1(rho) if noise else White())


def sticky(noise: str) -> SearchStrategy[Dependence]:
    """Sticky chains: the last sample once more with probability rho."""
    return repeated(correlations(low=0.0).map(Sticky), (noise,))

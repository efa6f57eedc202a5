"""Hypothesis strategies of instances, in human numbers.

Numbers come from short decimals: a coarse grid first, then a finer one, sorted so that what a reader would call simplest
comes first and is what a counterexample shrinks to. Families are ordered from plain to elaborate for the same reason. No
strategy knows which claim it serves: each contains the instances for which a claim is true together with those for which
it is false.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
    CriticalTarget,
    Exponential,
    ExponentialTarget,
    Finite,
    Instance,
    LacunaryTarget,
    LogCorrected,
    LogPeriodic,
    Noise,
    PowerLaw,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Spectrum,
    Spiked,
    Target,
    Truncated,
)

BETAS = (1.05, 6.0)
SMOOTHNESS = (0.05, 3.0)


def decimals(low: float, high: float, near: float, places: int = 2) -> SearchStrategy[float]:
    """Decimals of [low, high] with at most ``places`` digits after the point, simplest (fewest digits, then closest to
    ``near``) first. A quarter of the draws are the simplest value or an end of the interval, where claims break most often;
    another quarter has one digit after the point.
    """
    often, fine = _choices(low, high, near, places)
    return st.one_of(st.sampled_from(often), st.sampled_from(fine))


@lru_cache(maxsize=4096)  # strategies that depend on a draw ask for the same lists again and again
def _choices(low: float, high: float, near: float, places: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The coarse decimals with what is drawn often, and all of them."""
    fine = _simplest_first(low, high, near, places)
    landmarks = sorted({fine[0], low, high}, key=fine.index)
    coarse = [value for value in fine if round(value, 1) == value] or landmarks
    # Repeated at the end of the list: drawn often, without standing in the way of shrinking to a smaller index.
    often = landmarks * (1 + len(coarse) // len(landmarks))
    return tuple(coarse + often), tuple(fine)


def _simplest_first(low: float, high: float, near: float, places: int) -> list[float]:
    scale = 10**places
    fine = [k / scale for k in range(round(low * scale), round(high * scale) + 1)]

    def simplicity(value: float) -> tuple[int, float, float]:
        digits = next(d for d in range(places + 1) if abs(round(value, d) - value) < 1e-12)
        return digits, abs(value - near), value

    return sorted(fine, key=simplicity)


def betas(low: float = BETAS[0], high: float = BETAS[1]) -> SearchStrategy[float]:
    """Tail indices, a third of them with a third digit."""
    plain = decimals(low, high, near=2.0)
    # The last digit is drawn by itself, so that shrinking can drop it and keep the others.
    return plain | st.builds(lambda beta, k: min(round(beta + k / 1000.0, 3), high), plain, st.integers(0, 9))


def smoothness(low: float = SMOOTHNESS[0], high: float = SMOOTHNESS[1]) -> SearchStrategy[float]:
    """Source indices."""
    return decimals(low, high, near=1.0)


def smooth_enough(target: Target, spectrum: Spectrum) -> bool:
    """Whether a target that was made for another covariance has an index of at least .05 here, as targets have that are drawn
    for it: closer to the edge of L2 a learning curve is too flat to be followed to where it falls.
    """
    index_under = getattr(target, "index_under", None)
    return index_under is None or bool(index_under(spectrum.tail_index) >= SMOOTHNESS[0])


def noises(*, silent: bool = True, noisy: bool = True) -> SearchStrategy[Noise]:
    """Label noise from 0.01 to 10, and none."""
    some = st.sampled_from([1.0, 2.0, 0.5, 5.0, 0.2, 10.0, 0.1, 0.05, 0.02, 0.01])
    none = st.sampled_from([0.0, 0.0])  # as many choices as a level takes: silence is not what noise shrinks to
    levels = some | none if silent and noisy else some if noisy else none
    return levels.map(lambda sigma: Noise(sigma=sigma))


def power_laws() -> SearchStrategy[PowerLaw]:
    """Pure power laws, mostly of scale one."""
    return st.builds(PowerLaw, beta=betas(), scale=st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.5, 10.0, 0.1]))


def power_tails() -> SearchStrategy[Spectrum]:
    """Spectra whose tail is a pure power of the index, whatever their head."""
    broken = st.builds(
        BrokenPowerLaw,
        beta=betas(),
        head_beta=decimals(0.3, 5.0, near=1.0, places=1),
        knee=st.sampled_from([2, 5, 10, 30, 100, 300]),
    )
    spiked = st.builds(
        Spiked,
        beta=betas(),
        spikes=st.sampled_from([1, 2, 3, 10, 30, 100]),
        height=st.sampled_from([2.0, 5.0, 10.0, 100.0, 1000.0]),
    )
    return st.one_of(power_laws(), broken, spiked)


@st.composite
def log_periodic(draw: st.DrawFn) -> LogPeriodic:
    """Log-periodic spectra, the amplitude a share of the largest one that keeps the sequence decreasing."""
    beta = draw(betas())
    frequency = draw(st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0]))
    share = draw(st.sampled_from([0.5, 1.0, 0.8, 0.2, 0.1]))
    return LogPeriodic(
        beta=beta, amplitude=math.floor(1000 * share * min(1.0, beta / frequency)) / 1000, frequency=frequency
    )


def assumption_r_spectra() -> SearchStrategy[Spectrum]:
    """Spectra that satisfy Assumption R, c1 i^-beta <= l_i <= c2 i^-beta."""
    return st.one_of(power_tails(), log_periodic())


def log_corrected() -> SearchStrategy[LogCorrected]:
    """Regularly varying spectra outside Assumption R."""
    return st.builds(LogCorrected, beta=betas(), power=st.sampled_from([1.0, -1.0, 0.5, -0.5, 2.0, -2.0]))


def finite_spectra() -> SearchStrategy[Finite]:
    """Up to eight eigenvalues, written out; one eigenvalue equal to 1 is the simplest and takes the fewest choices."""
    values = st.lists(decimals(0.01, 10.0, near=1.0), min_size=1, max_size=8)
    return st.just(Finite(eigenvalues=(1.0,))) | values.map(
        lambda v: Finite(eigenvalues=tuple(sorted(v, reverse=True)))
    )


def truncated_power_laws() -> SearchStrategy[Truncated]:
    """Power laws cut at p."""
    size = st.sampled_from([1, 2, 3, 5, 10, 30, 100, 1000, 10_000])
    return st.builds(Truncated, spectrum=st.builds(PowerLaw, beta=betas()), size=size)


def cut_power_laws(sizes: Sequence[int]) -> SearchStrategy[Truncated]:
    """Power laws cut at one of the given sizes, tail indices up to 3: steeper ones leave nothing at the far end."""
    return st.builds(Truncated, spectrum=st.builds(PowerLaw, beta=betas(high=3.0)), size=st.sampled_from(sizes))


def inverse_power_laws() -> SearchStrategy[Truncated]:
    """Eigenvalues i^(-1/beta) of reading R-alt; the claim is about all truncations, of which p = 64 is the first."""
    return betas().map(lambda beta: Truncated(spectrum=PowerLaw(beta=beta), size=64, inverse_index=True))


def trace_class_spectra() -> SearchStrategy[Spectrum]:
    """Trace-class spectra of every kind: finite, power laws and their perturbations, exponential."""
    exponential = st.builds(Exponential, rate=decimals(0.2, 5.0, near=1.0, places=1))
    return st.one_of(finite_spectra(), assumption_r_spectra(), exponential)


def single_targets(
    s: SearchStrategy[float], classes: Sequence[str] = ("S-L2", "S-tail", "S-H")
) -> SearchStrategy[Target]:
    """Individual targets of the given source classes, plain ones first."""
    norms = (["L2"] if {"S-L2", "S-tail"} & set(classes) else []) + (["RKHS"] if "S-H" in classes else [])
    reading = st.sampled_from(norms)
    excess = decimals(0.1, 1.0, near=0.5, places=1)
    ball = [
        st.builds(SingleEigenfunction, s=s, source_norm=reading, index=st.sampled_from([1, 2, 3, 5, 10, 30])),
        st.builds(SmootherTarget, s=s, source_norm=reading, excess=excess),
        st.builds(ExponentialTarget, s=s, source_norm=reading, rate=st.sampled_from([1.0, 2.0, 0.5])),
        st.builds(RandomTarget, s=s, source_norm=reading, seed=st.sampled_from(range(100)), excess=excess),
    ]
    edge = [
        st.builds(CriticalTarget, s=s),
        st.builds(LacunaryTarget, s=s, ratio=st.sampled_from([2.0, 3.0, 10.0, 30.0])),
    ]
    return st.one_of(*(edge + ball if "S-tail" in classes else ball))


def hardest_targets(s: SearchStrategy[float], classes: Sequence[str]) -> SearchStrategy[Target]:
    """The hardest target of each class: critical for S-tail, the worst of the ball for S-L2, both in the RKHS norm for S-H."""
    options: list[SearchStrategy[Target]] = []
    if "S-tail" in classes:
        options.append(st.builds(CriticalTarget, s=s))
    if "S-L2" in classes:
        options.append(st.builds(BallTarget, s=s))
    if "S-H" in classes:
        options.append(st.builds(CriticalTarget, s=s, source_norm=st.just("RKHS")))
        options.append(st.builds(BallTarget, s=s, source_norm=st.just("RKHS")))
    return st.one_of(*options)


def plain_instances(spectra: SearchStrategy[Spectrum]) -> SearchStrategy[Instance]:
    """Instances for claims about the spectrum alone: critical target, s = 1/2, unit noise."""
    return spectra.map(lambda spectrum: Instance(spectrum=spectrum))


def instances(
    spectra: SearchStrategy[Spectrum],
    targets: SearchStrategy[Target] | None = None,
    noise: SearchStrategy[Noise] | None = None,
) -> SearchStrategy[Instance]:
    """Instances of the given spectra, targets (default: critical, any s) and noise (default: any level, and none)."""

    def fits(parts: tuple[Noise, Target, Spectrum]) -> bool:
        target = parts[1]
        return not isinstance(target, SingleEigenfunction) or target.index <= parts[2].size

    # The spectrum is drawn last: a simpler one takes fewer choices, and what shrinking drops must be at the end.
    drawn = st.tuples(
        noises() if noise is None else noise,
        st.builds(CriticalTarget, s=smoothness()) if targets is None else targets,
        spectra,
    )
    return drawn.filter(fits).map(lambda parts: Instance(noise=parts[0], target=parts[1], spectrum=parts[2]))

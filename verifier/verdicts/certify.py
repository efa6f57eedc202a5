r"""Certification: simulation against the deterministic equivalent, on sample sizes that simulation can reach.

The equivalent is a theorem about large n and a program; both can be wrong. Its relative error at n samples is c/n, with a
measured c. Simulated points must agree with it within z standard errors plus c/n, and so must the simulated slope.

What certification adds to a tolerance is the error of the exponent that it could have missed. An equivalent that leaves the
truth at some n up to the smallest sample size :math:`n_1`, as :math:`n^\delta`, is off by :math:`(n_K/n_1)^\delta` at least
at the largest, where a deviation of :math:`\varepsilon = z\,\mathrm{se}_K/E_K + c/n_K` would have been seen:
:math:`|\delta| \le \ln(1 + \varepsilon) / \ln(n_K/n_1)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from verifier.instances import (
    Dependence,
    Dependent,
    Descent,
    FourierFeatures,
    Independent,
    Instance,
    MixtureSamples,
    MultiPass,
    NoDrift,
    NystromFeatures,
    Repeated,
    White,
)
from verifier.instances.processes import SHORT_MEMORY
from verifier.risk.curves import Curve, learning_curve
from verifier.risk.dependent_filters import DependentFilterEquivalent
from verifier.risk.equivalents import equivalent_for, equivalent_risk
from verifier.risk.mixtures import mixture_risk
from verifier.risk.multi_pass import MultiPassEquivalent
from verifier.risk.multihead import at_whole_heads
from verifier.risk.nystrom_samples import counted
from verifier.risk.observables import Experiment
from verifier.risk.simulate import EXHAUSTIVE_N
from verifier.risk.simulators import Simulator
from verifier.verdicts.slopes import fit_slope

Array = NDArray[np.float64]

CERTIFICATION_SIZES = (50, 100, 1600)
CERTIFICATION_REPLICATES = 16
CERTIFICATION_Z = 3.5
LEADING_DIRECTIONS = 128
"""Directions simulated above n = 800. Measured against 512 of them the risk differs by less than a tenth of c/n
(tests/test_certify.py).
"""

LAGS = 200  # over which correlations are summed

RESERVED = 0.005
"""Part of the tolerance kept for the certification of the equivalent; a simulation that is less precise widens it."""


@dataclass(frozen=True)
class Certification:
    """Simulation against the equivalent at each sample size, and slope against slope.

    ``z`` is what a difference exceeds c/n by, in standard errors: zero where the equivalent's own error explains it.

    ``precision`` is the error of the equivalent's exponent that the simulation could have missed (see the module).
    """

    agrees: bool
    n: tuple[int, ...]
    simulated: tuple[float, ...]
    stderr: tuple[float, ...]
    equivalent: tuple[float, ...]
    z: tuple[float, ...]
    slope: float
    slope_stderr: float
    equivalent_slope: float
    replicates: int
    precision: float
    text: str


def student_quantile(z: float, replicates: int) -> float:
    """Student's quantile at the tail probability of z normal standard errors: those are estimated from replicates."""
    return -float(stdtrit(replicates - 1, ndtr(-z)))


def agreement_constant(instance: Instance) -> float:
    """c in the relative error c/n of the deterministic equivalent for n >= 50, rounded up from what was measured: up to 3
    with noise (scheduled ridge, smooth targets), up to 8 without (steep spectra); benchmarks/equivalent_error.py. On samples
    of a mixture it is no larger, whatever the weights: up to 3, beyond 2.5 standard errors, with components of weight .01 to .5
    at n = 50 to 200 (tests/test_mixture_samples.py). On samples that depend on one another, beyond 2.5 standard errors, up to 3 at
    n = 50 to 400 (1600 on every sixth) on 20 instances of short memory and of fractional noise; more on runs whose lengths
    have no mean square, which are mostly left undecided here. Strong short memory: the correlations of n samples have other
    eigenvalues than those of a sequence without ends, by a share of the order of the correlation time over n. Moving means of 20
    innovations (a correlation time of 20), at next to no noise, show c = 5 to 8.5.

    Stopped early, a direction of eigenvalue l keeps the share exp(-2 T l') of its energy, T = 1/lambda, and the eigenvalue l' of
    a sample has the variance 2 l^2/n: the mean of the share is larger by 4 (T l)^2/n to first order, and weighted with the
    energies of a critical target that is 2s (2s + 1)/n of the bias. Half as much again is allowed; measured, it is what was found
    within the errors (tests/test_filters.py).

    In the sequence model, in which a kernel drifts, the risk is exact; what is allowed is for the steps of the simulated flow.
    """
    if instance.drift != NoDrift():
        return 0.5
    if isinstance(instance.filter, Descent | MultiPass):
        least = 4.0 if instance.dependence == Independent() else max(4.0, 0.5 * correlation_time(instance.dependence))
        return max(least, 3.0 * instance.s * (2.0 * instance.s + 1.0))
    return max(4.0 if instance.sigma > 0.0 else 12.0, 0.5 * correlation_time(instance.dependence))


def correlation_time(dependence: Dependence) -> float:
    r""":math:`\sum_h |\rho(h)|` of the inputs over time, one for white inputs; also one where the memory is long, for which the
    equivalent takes the correlations of n samples as they are.
    """
    if isinstance(dependence, Repeated):
        return dependence.square_sum() if math.isfinite(dependence.square_sum()) else 1.0
    inputs = dependence.inputs if isinstance(dependence, Dependent) else White()
    if inputs.hurst > SHORT_MEMORY:
        return 1.0
    return float(2.0 * np.sum(np.abs(inputs.autocorrelations(LAGS))) - 1.0)


def relative_error(instance: Instance, n: Array, lam: Array) -> Array:
    """What the equivalent may be off by at each (n, lambda), relative to the risk: c/n, and c (1/n + 1/m) with m features.

    On the torus (d1/n)^2 in addition, d1 the degrees of freedom: cosines of uniform inputs are no Gaussian coordinates, and
    where the sample is nearly interpolated the gaps between the inputs count, at any n. Measured at the oracle's ridge, n = 50 to
    200: .02 to .9 of (d1/n)^2, nothing once d1 is a tenth of n (tests/test_fourier.py). Against noise d1/n tends to zero.

    Where steps draw from the samples, half of min(1, N/n) of what the draws add in addition, N the effective dimension:
    measured, it is what was found within the errors at n = 50 and 150 (docs/early-stopping.md).

    On dependent samples the eigenvalue that a direction has in a sample varies by 2 l^2 J_x/n
    (:mod:`verifier.risk.dependent_filters`), and the bias of a descent is larger by J_x times what :func:`agreement_constant`
    allows for: that is added for the bias's share of the risk.
    """
    error = agreement_constant(instance) * (1.0 / n + 1.0 / np.maximum(instance.features.width(n), 1.0))
    if isinstance(instance.features, FourierFeatures):
        engine = equivalent_for(instance, n, lam)
        error = error + (engine.seen(n, engine.effective_ridge(n, lam)).df1 / n) ** 2
    if isinstance(instance.filter, MultiPass):
        drawn = equivalent_for(instance, n, lam)
        assert isinstance(drawn, MultiPassEquivalent)
        error = error + drawn.missed(n, drawn.effective_ridge(n, lam))
    if isinstance(instance.filter, Descent) and instance.dependence != Independent():
        error = error + _of_fluctuating_directions(instance, n, lam)
    return error


def _of_fluctuating_directions(instance: Instance, n: Array, lam: Array) -> Array:
    """3 s (2s + 1) (J_x - 1)/n of the bias, relative to the risk."""
    descent = equivalent_for(instance, n, lam)
    assert isinstance(descent, DependentFilterEquivalent)
    kappa = descent.effective_ridge(n, lam)
    bias, noise = descent.terms(n, kappa)
    grown = np.maximum(descent.inputs_factor(n, kappa) - 1.0, 0.0)
    return np.asarray(3.0 * instance.s * (2.0 * instance.s + 1.0) * grown / n * bias / (bias + noise))


def certify(
    experiment: Experiment,
    seed: int,
    *,
    replicates: int,
    z: float,
    key: tuple[str | int, ...] = (),
    simulator: Simulator | None = None,
) -> Certification:
    """Simulate an experiment and compare it with the deterministic equivalent, point by point and slope by slope."""
    instance, n = experiment.instance, experiment.n
    curve = _simulated(experiment, seed, replicates, ("certify", *key), simulator)
    lam = np.asarray(curve.lam, dtype=np.float64)
    sizes = np.asarray(n, dtype=np.float64)
    expected = _expected(instance, sizes, lam)
    relative = relative_error(instance, sizes, lam)
    systematic = relative * expected
    quantile = student_quantile(z, replicates)
    difference = curve.risk - expected
    beyond = np.maximum(np.abs(difference) - systematic - 1e-9 * expected, 0.0)
    scores = np.sign(difference) * beyond / (curve.stderr + 1e-12 * expected + 1e-300)
    off = beyond > quantile * curve.stderr
    if not np.all(curve.risk > 0.0):  # what remains of terms that are many orders larger
        lost = n[int(np.argmax(~(curve.risk > 0.0)))]
        return Certification(
            agrees=False,
            n=tuple(int(m) for m in n),
            simulated=tuple(map(float, curve.risk)),
            stderr=tuple(map(float, curve.stderr)),
            equivalent=tuple(map(float, expected)),
            z=tuple(map(float, scores)),
            slope=math.nan,
            slope_stderr=math.inf,
            equivalent_slope=math.nan,
            replicates=replicates,
            precision=math.inf,
            text=f"the simulated risk at n = {lost} is lost in its errors, which leave no positive number",
        )
    fit = fit_slope(curve)
    equivalent_slope = fit.project(expected)
    # Only what changes along the curve moves a slope, or an exponent: at a fixed width its part of the error does not. With
    # landmarks, or drawn frequencies, it does: it is that of what their span misses, which small samples hardly see. What each
    # point may be off by counts with the weight that the fit gives to it: on strongly correlated points that of neighbours is
    # large.
    constant = not instance.features.grows and not isinstance(instance.features, NystromFeatures | FourierFeatures)
    constant = constant and not isinstance(instance.filter, MultiPass)
    of_descent = isinstance(instance.filter, Descent) and instance.dependence != Independent()
    constant = constant and not of_descent
    moving = agreement_constant(instance) / sizes if constant else relative
    allowed = quantile * fit.stderr + float(np.abs(fit.weights) @ moving)
    slope_off = abs(fit.exponent - equivalent_slope) > allowed
    agrees = not bool(off.any()) and not slope_off
    where = f"at n = {n[int(np.argmax(off))]}" if off.any() else "in the slope"
    law = "c (1/n + 1/m)" if instance.features.finite else "c/n"
    law += " + N/(2n) of what draws add" if isinstance(instance.filter, MultiPass) else ""
    law += " + 3 s (2s + 1) (J_x - 1)/n of the bias" if of_descent else ""
    law += " + (d1/n)^2" if isinstance(instance.features, FourierFeatures) else ""
    within = f"{quantile:.1f} standard errors + {law}, c = {agreement_constant(instance):g}"
    text = (
        f"simulated and equivalent risk agree at n = {', '.join(map(str, n))} within {within}"
        if agrees
        else f"simulated and equivalent risk disagree {where} by more than {within}"
    )
    return Certification(
        agrees=agrees,
        n=tuple(int(m) for m in n),
        simulated=tuple(map(float, curve.risk)),
        stderr=tuple(map(float, curve.stderr)),
        equivalent=tuple(map(float, expected)),
        z=tuple(map(float, scores)),
        slope=fit.exponent,
        slope_stderr=fit.stderr,
        equivalent_slope=equivalent_slope,
        replicates=replicates,
        precision=_missed(sizes, float(quantile * curve.stderr[-1] / expected[-1] + moving[-1])),
        text=text,
    )


def _expected(instance: Instance, n: Array, lam: Array) -> Array:
    """The equivalent of the design: samples of a mixture have one of their own (:mod:`verifier.risk.mixtures`)."""
    if isinstance(instance.design, MixtureSamples):
        return mixture_risk(instance, n=n, lam=lam)
    if isinstance(instance.features, NystromFeatures | FourierFeatures):  # as simulated, with whole numbers
        pairs = zip(n, lam, strict=True)
        return np.array([equivalent_risk(counted(instance, size), n=size, lam=ridge) for size, ridge in pairs])
    if instance.context.several:  # as simulated, with whole heads
        pairs = zip(n, lam, strict=True)
        return np.array([equivalent_risk(at_whole_heads(instance, size), n=size, lam=ridge) for size, ridge in pairs])
    return np.asarray(equivalent_risk(instance, n=n, lam=lam))


def _simulated(
    experiment: Experiment, seed: int, replicates: int, key: tuple[str | int, ...], simulator: Simulator | None
) -> Curve:
    """The curve of an experiment: every direction that n samples can resolve at the smaller sizes, the leading ones at the
    larger, where the others are the deterministic ridge that they tend to. All points share their normals.
    """
    pieces = [
        learning_curve(
            experiment.instance,
            n=sizes,
            replicates=replicates,
            seed=seed,
            tuning=experiment.tuning,
            key=key,
            controls=True,
            directions=directions,
            simulator=simulator,
        )
        for sizes, directions in (
            (tuple(n for n in experiment.n if n <= EXHAUSTIVE_N), None),
            (tuple(n for n in experiment.n if n > EXHAUSTIVE_N), LEADING_DIRECTIONS),
        )
        if sizes
    ]
    return replace(
        pieces[0],
        n=np.concatenate([piece.n for piece in pieces]),
        lam=np.concatenate([piece.lam for piece in pieces]),
        samples=np.concatenate([piece.samples for piece in pieces], axis=1),
    )


def _missed(sizes: Array, deviation: float) -> float:
    """Largest error of the exponent that keeps within a relative ``deviation`` at the last sample size."""
    return math.log1p(deviation) / math.log(sizes[-1] / sizes[0])

"""Mixtures of components that share no eigenvectors: sums against dense algebra, indices far out, and simulation."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import verifier as vf
from properties.theorem_3 import READINGS
from verifier.risk.eigenbasis import eigenbasis
from verifier.risk.equivalents import equivalent
from verifier.risk.observables import CountingFunction
from verifier.risk.rotated import RotatedSums
from verifier.risk.smoothness import source_indices
from verifier.verdicts.judge import assess, judge
from verifier.verdicts.judgement import CONSISTENT, VIOLATED

CLAIMS = {reading.reading: reading for reading in READINGS}


def rotated(
    first: float, second: float, gamma: float = 1.0, s: float = 0.8, weight: float = 0.5, sigma: float = 1.0
) -> vf.Instance:
    mixture = vf.RotatedMixture(
        (1.0 - weight, weight), (vf.PowerLaw(first), vf.PowerLaw(second)), vf.PowerDirection(gamma)
    )
    return vf.Instance(mixture, vf.CarriedFunction(s=s, origin=vf.PowerLaw(first)), vf.Noise(sigma))


INSTANCES = [rotated(3.0, 2.0), rotated(2.0, 3.0, 0.7, 0.6, 0.3), rotated(3.0, 1.5, 0.55, 0.9, 0.9)]


COEFFICIENTS = [
    dataclasses.replace(instance, target=vf.CarriedCoefficients(s=s, origin=instance.spectrum.components[0]))
    for instance, s in [(INSTANCES[1], 0.05), (INSTANCES[1], 0.7), (INSTANCES[2], 0.1)]
]
"""Slow ones among them: a good part of their energy lies beyond every coordinate that is kept, some of it along the direction."""


@pytest.mark.parametrize("instance", [*INSTANCES, *COEFFICIENTS])
@pytest.mark.parametrize("kappa", [1e-1, 1e-3, 1e-4])
def test_sums_are_those_of_a_dense_eigenbasis(instance: vf.Instance, kappa: float) -> None:
    basis = eigenbasis(instance, 512)
    sums = RotatedSums(instance, 20.0)
    found = [float(part[0]) for part in sums.rows(np.array([kappa]))]
    np.testing.assert_allclose(found, basis.rest(0, kappa), rtol=1e-6)
    trace = basis.eigenvalues.sum() + basis.others @ basis.multiplicity + basis.far_trace
    assert sums.trace == pytest.approx(trace, rel=1e-6)
    assert sums.trace_of_square == pytest.approx(np.sum(basis.eigenvalues**2), rel=1e-5)


@pytest.mark.parametrize("instance", INSTANCES, ids=["heavy", "light", "rough"])
@pytest.mark.parametrize("log_kappa", [-3.0, -60.0])
def test_derivatives_are_those_of_the_sums(instance: vf.Instance, log_kappa: float) -> None:
    sums, step = equivalent(instance, log_kappa - 1.0), 1e-3
    at = sums.curved_sums(np.array([math.exp(log_kappa)]))
    below, above = (sums.sums(np.array([math.exp(log_kappa + sign * step)])) for sign in (-1.0, 1.0))
    assert at.df2[0] == pytest.approx(at.df1[0] + (above.df1 - below.df1)[0] / (2 * step), rel=1e-5)
    assert at.df2_slope[0] == pytest.approx((above.df2 - below.df2)[0] / (2 * step), rel=1e-5)
    assert at.bias_slope[0] == pytest.approx((above.bias - below.bias)[0] / (2 * step), rel=1e-5)
    assert at.df2_curvature[0] == pytest.approx((above.df2 - 2 * at.df2 + below.df2)[0] / step**2, rel=1e-4)
    assert at.bias_curvature[0] == pytest.approx((above.bias - 2 * at.bias + below.bias)[0] / step**2, rel=1e-4)


@pytest.mark.parametrize(
    ("first", "second", "gamma", "s"),
    [(3.0, 2.0, 1.0, 0.8), (3.0, 2.0, 0.55, 0.8), (3.0, 1.5, 0.55, 0.7), (2.0, 3.0, 0.55, 0.9), (2.0, 2.0, 0.7, 0.7)],
)
def test_the_index_is_that_of_components_in_one_eigenbasis(first: float, second: float, gamma: float, s: float) -> None:
    expected = min(1.0, 0.5 + (s - 0.5) * first / min(first, second))
    measured = source_indices(rotated(first, second, gamma, s)).before
    assert measured == pytest.approx(expected, abs=3e-3)
    assert measured > s - 3e-3


@pytest.mark.parametrize("instance", INSTANCES, ids=["heavy", "light", "rough"])
def test_spectrum_and_upper_bound_survive_and_simulation_agrees(instance: vf.Instance) -> None:
    assert assess(CLAIMS["spectrum"], instance).verdict == CONSISTENT
    found = judge(CLAIMS["rotated-components"], instance)
    assert found.verdict == CONSISTENT, found.reason
    assert found.certification is not None
    assert found.certification.agrees, found.certification.text


def with_coefficients(first: float, second: float, gamma: float, s: float) -> vf.Instance:
    mixture = vf.RotatedMixture((0.5, 0.5), (vf.PowerLaw(first), vf.PowerLaw(second)), vf.PowerDirection(gamma))
    return vf.Instance(mixture, vf.CarriedCoefficients(s=s, origin=vf.PowerLaw(first)))


@pytest.mark.parametrize(
    ("first", "second", "gamma", "s"),
    [(2.0, 2.0, 1.0, 0.9), (2.0, 2.0, 1.0, 0.7), (2.0, 3.0, 1.2, 0.9), (3.0, 2.0, 1.0, 0.9), (3.0, 2.0, 1.2, 0.4)],
)
def test_the_index_of_coefficients_is_the_derived_one(first: float, second: float, gamma: float, s: float) -> None:
    instance, beta = with_coefficients(first, second, gamma, s), min(first, second)
    expected = min(s * first / beta, 1.0 - (2.0 * gamma - 1.0) / (2.0 * beta), 1.0)
    assert source_indices(instance).before == pytest.approx(expected, abs=2e-3)
    basis = eigenbasis(instance, 512)
    found = RotatedSums(instance, 20.0).rows(np.array([1e-3]))
    np.testing.assert_allclose([float(part[0]) for part in found], basis.rest(0, 1e-3), rtol=1e-6)


def test_coefficients_lose_smoothness_beyond_a_half_only() -> None:
    broken = judge(CLAIMS["rotated-coefficients"], with_coefficients(2.0, 2.0, 1.0, 0.9))
    assert broken.verdict == VIOLATED
    assert broken.exponent == pytest.approx(1.5 / (1.5 + 0.5), abs=2e-3)  # s' = 3/4
    assert broken.certification is not None
    assert broken.certification.agrees
    for s in (0.2, 0.5):
        found = assess(CLAIMS["rotated-coefficients-s-up-to-half"], with_coefficients(2.0, 2.0, 1.2, s))
        assert found.verdict == CONSISTENT, found.reason


def test_rotated_mixtures_are_recorded_and_refused_where_they_do_not_apply() -> None:
    instance = INSTANCES[0]
    assert vf.Instance.from_json(json.loads(json.dumps(instance.to_json()))) == instance
    assert "reflected along" in instance.describe()
    assert not instance.diagonal
    with pytest.raises(ValueError, match="no eigenbasis in common"):
        vf.Instance(instance.spectrum)
    with pytest.raises(ValueError, match="no eigenbasis in common"):
        rotated(3.0, 2.0, s=0.4)
    with pytest.raises(ValueError, match="no transform"):
        vf.Instance(instance.spectrum, instance.target, transform=vf.RankOneTransform())
    with pytest.raises(ValueError, match="must be two"):
        vf.RotatedMixture((0.2, 0.3, 0.5), (vf.PowerLaw(2.0),) * 3)
    with pytest.raises(ValueError, match="PowerDirection"):
        vf.RotatedMixture(direction=vf.Axis(1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="changes eigenvalues"):
        CountingFunction().log_values(instance, np.array([2.0]), "optimal")

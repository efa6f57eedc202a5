"""Descents that are stopped early on dependent samples: the equivalent against its limits, against descents on drawn sequences, and
against the simulation that certifies it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from verifier.instances import (
    AR1,
    Blocks,
    CriticalTarget,
    Dependent,
    FractionalNoise,
    GradientDescent,
    GradientFlow,
    Instance,
    MovingAverage,
    Noise,
    PowerLaw,
    RegimeSwitching,
    Repeated,
    SinglePass,
    Sticky,
    Truncated,
    eigenvalues,
)
from verifier.risk.dependent_filter_samples import simulate_dependent_filter
from verifier.risk.dependent_filters import Nodes, law_at, pair_factors
from verifier.risk.equivalents import equivalent_risk, optimal_ridge
from verifier.risk.responses import responses, run_law, spectral_law
from verifier.risk.simulate import Replicates, target_energies
from verifier.risk.streams import stream

BOTH = Dependent(AR1(0.6), AR1(0.6))
SHORT = (
    BOTH,
    Dependent(AR1(-0.8), AR1(0.5)),
    Dependent(MovingAverage((1.0,) * 10), MovingAverage((1.0,) * 10)),
    Repeated(Sticky(0.5), "repeated"),
    Repeated(Blocks(3), "fresh"),
)


def flow(spectrum, dependence, s=0.8):
    return Instance(
        spectrum=spectrum,
        target=CriticalTarget(s=s),
        noise=Noise(sigma=0.5),
        filter=GradientFlow(),
        dependence=dependence,
    )


def test_white_samples_are_independent_ones():
    dependent = flow(PowerLaw(1.5), Dependent())
    plain = Instance(dependent.spectrum, dependent.target, dependent.noise, filter=GradientFlow())
    n = np.array([50.0, 400.0, 1e6, 1e12])
    found, expected = (equivalent_risk(each, n=n, lam=n**-0.6) for each in (dependent, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(equivalent_risk(dependent, n=n), equivalent_risk(plain, n=n), rtol=1e-7)


@pytest.mark.parametrize("dependence", SHORT, ids=lambda each: each.describe()[:60])
def test_factors_of_one_real_ridge_are_those_of_ridge_regression(dependence):
    law = run_law(dependence) if isinstance(dependence, Repeated) else spectral_law(dependence.inputs, dependence.noise)
    delta = np.geomspace(1e-8, 50.0, 30)
    x = np.array([np.sum(law.weights * d * law.inputs / (1.0 + d * law.inputs)) for d in delta])
    expected = responses(dependence).at(x, np.full_like(x, 1e3))
    inputs, noise = pair_factors(law_at(dependence, np.ones(1)), delta[:, None].astype(complex))
    np.testing.assert_allclose(inputs[:, 0, 0], expected.inputs, rtol=1e-6)
    np.testing.assert_allclose(noise[:, 0, 0], expected.noise, rtol=1e-6)


def test_few_nodes_stand_for_the_law():
    dependence = Dependent(AR1(0.9), AR1(0.9))
    law = spectral_law(dependence.inputs, dependence.noise)
    full = Nodes(law.inputs[None], law.weights[None], (law.weights * law.noise)[None])
    delta = np.geomspace(1e-8, 100.0, 20)[:, None] * np.exp(1j * np.array([0.0, 1.0, -1.0, 2.0]))
    for few, all_of_them in zip(
        pair_factors(law_at(dependence, np.ones(1)), delta), pair_factors(full, delta), strict=True
    ):
        np.testing.assert_allclose(few, all_of_them, rtol=2e-5)


@pytest.mark.parametrize(
    "dependence",
    [SHORT[0], *SHORT[2:4], Dependent(FractionalNoise(0.9), FractionalNoise(0.8))],
    ids=lambda d: d.describe()[:60],
)
def test_equivalent_against_descents_on_drawn_sequences(dependence):
    instance, n, count, p = flow(Truncated(PowerLaw(1.5), 60), dependence), 100, 400, 60
    lam = float(optimal_ridge(instance, float(n)))
    ell = eigenvalues(instance.spectrum, p)
    theta = np.sqrt(target_energies(instance, ell, None) / ell)
    generator, risks = stream(0, "drawn descents", dependence.describe()), np.empty(count)
    for r in range(count):
        z, noise = dependence.draw(generator, n, p)
        x, signed = z * np.sqrt(ell), theta * generator.choice([-1.0, 1.0], p)
        values, vectors = np.linalg.eigh(x.T @ x / n)
        values = np.maximum(values, 1e-14)
        learnt = -np.expm1(-values / lam) / values
        fitted = vectors @ (learnt * (vectors.T @ (x.T @ (x @ signed + instance.sigma * noise) / n)))
        risks[r] = float(ell @ (fitted - signed) ** 2)
    expected = float(equivalent_risk(instance, n=n, lam=lam))
    assert abs(risks.mean() - expected) < 4.0 * risks.std() / np.sqrt(count) + 6.0 / n * expected
    independent = dataclasses.replace(instance, dependence=Dependent())
    assert float(equivalent_risk(independent, n=n, lam=lam)) < 0.9 * risks.mean()  # it would be seen


@pytest.mark.parametrize("spectrum", [Truncated(PowerLaw(1.5), 60), PowerLaw(1.3)], ids=["exact", "with a far tail"])
@pytest.mark.parametrize("dependence", [BOTH, SHORT[4]], ids=["AR(1)", "blocks"])
def test_equivalent_against_the_simulation(spectrum, dependence):
    instance, n = flow(spectrum, dependence), np.array([100.0, 400.0])
    lam = optimal_ridge(instance, n)
    expected = np.asarray(equivalent_risk(instance, n=n, lam=lam))
    risks = simulate_dependent_filter(instance, [(100, float(lam[0])), (400, float(lam[1]))], Replicates(24))
    error = 4.0 * risks.std(axis=0, ddof=1) / np.sqrt(24)
    assert np.all(np.abs(risks.mean(axis=0) - expected) < error + 5.0 / n * expected)


def test_the_bias_of_a_smooth_target_stays_above_rounding():
    instance = flow(PowerLaw(3.4), Repeated(RegimeSwitching(3.0), "fresh"), s=2.0)
    log_n = np.linspace(40.0, 300.0, 9)
    slopes = np.diff(np.log(np.asarray(equivalent_risk(instance, n=np.exp(log_n))))) / np.diff(log_n)
    np.testing.assert_allclose(slopes, -4.0 / (4.0 + 1.0 / 3.4), atol=0.01)


def test_what_has_no_equivalent_is_refused():
    with pytest.raises(ValueError, match="stochastic descent"):
        dataclasses.replace(flow(PowerLaw(1.5), BOTH), filter=SinglePass())
    with pytest.raises(ValueError, match="step of at most"):
        dataclasses.replace(flow(PowerLaw(1.5), BOTH), filter=GradientDescent(0.5))

"""A correlation for every coordinate by a law: nodes that stand for it against each coordinate's own, and against simulation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import verifier as vf
from properties import theorem_4
from tests.test_profiles import by_resolvents, naive_risk, sequence
from verifier.risk import profile_samples
from verifier.risk.collapse import SlowestFactor, measured_factor
from verifier.risk.coordinates import profile_for, profile_terms
from verifier.risk.profiles import wave_weights
from verifier.verdicts.judge import look
from verifier.verdicts.shown import dependence_record

LAWS = [vf.SpreadRhos(-0.5, 0.8), vf.FadingRhos(0.8, 0.0), vf.FadingRhos(0.5, 0.8, 1.5), vf.SpreadRhos(-0.8, 0.8)]


def of_a_law(law: object, noise: vf.Process | None = None, **parts: object) -> vf.Instance:
    instance = sequence((0.0,), **parts)  # type: ignore[arg-type]
    return dataclasses.replace(instance, dependence=vf.PerCoordinate(law, noise or vf.White()))  # type: ignore[arg-type]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.describe())
@pytest.mark.parametrize("noise", [vf.White(), vf.AR1(0.7), vf.AR1(-0.9)], ids=lambda noise: noise.describe())
def test_nodes_stand_for_every_coordinates_own_correlation(law: vf.SpreadRhos, noise: vf.Process) -> None:
    """The stated error: 5e-6 on intervals of length 1.3, 3e-4 on the longest one."""
    instance = of_a_law(law, noise, beta=1.6, size=90)
    low, high = law.bounds
    for n, lam in ((40.0, 0.02), (60.0, 0.01)):
        risk = sum(float(part) for part in profile_terms(instance, n, lam))
        assert risk == pytest.approx(sum(by_resolvents(instance, n, lam)), rel=5e-6 if high - low <= 1.3 else 3e-4)


@pytest.mark.parametrize("beta", [1.7, 5.0])
@pytest.mark.parametrize("law", LAWS[:3], ids=lambda law: law.describe())
@pytest.mark.thorough
def test_sums_over_all_coordinates(law: vf.SpreadRhos, beta: float) -> None:
    instance = of_a_law(law, beta=beta, s=0.4)
    log_kappa = np.array([-0.3, -2.1, -5.7])
    found, _ = profile_for(instance, 1e30).table.exact(log_kappa)
    index = np.arange(1.0, 1_000_001.0)
    ell, shares = index**-beta, law.shares(np.log(index))
    for j, kappa in enumerate(np.exp(log_kappa)):
        r = ell / (ell + kappa)
        beyond = 1_000_000.5 ** (1.0 - beta) / (beta - 1.0) / kappa
        mean = np.full(10, 0.1) if isinstance(law, vf.SpreadRhos) else law.shares(np.array([math.log(3e6)]))[:, 0]
        scale = r.sum()
        assert found[j, 0] == pytest.approx(shares @ r + beyond * mean, abs=3e-8 * scale)
        assert found[j, 1] == pytest.approx(shares @ r**2, abs=3e-8 * scale)


def test_waves_are_summed_beyond_the_head() -> None:
    for turns in (0.618, 0.236, 0.09):
        wave = np.exp(2j * math.pi * turns)
        wanted = wave * math.exp(-0.01) / (1.0 - wave * math.exp(-0.01))
        assert wave_weights(turns) @ np.exp(0.01 * np.arange(8.0)) == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("law", LAWS[:3], ids=lambda law: law.describe())
def test_the_sampler_gives_each_coordinate_its_own(law: vf.SpreadRhos) -> None:
    """Correlations at lag one of 40 coordinates over 40,000 times: 40 of them within five standard errors."""
    z, _ = vf.PerCoordinate(law).draw(np.random.default_rng(0), 40_000, 40)
    rhos = law.at(np.log(np.arange(1.0, 41.0)))
    found = np.mean(z[1:] * z[:-1], axis=0)
    stderr = np.sqrt((1.0 + 4.0 * rhos**2 / (1.0 - rhos**2) + rhos**2) / len(z))
    assert np.all(np.abs(found - rhos) < 5.0 * stderr)
    assert np.any(np.abs(found - rhos[::-1]) > 10.0 * stderr)  # another order would show


def test_a_spread_law_is_the_arcsine_and_a_fading_one_its_limit() -> None:
    spread, noise = vf.SpreadRhos(-0.5, 0.8), vf.AR1(0.6)
    rhos = spread.at(np.log(np.arange(1.0, 10_001.0)))
    assert np.mean(rhos < 0.15) == pytest.approx(0.5, abs=1e-3)
    expected = float(np.mean((1.0 + 0.6 * rhos) / (1.0 - 0.6 * rhos)))
    assert vf.PerCoordinate(spread, noise).product_sum() == pytest.approx(expected, rel=1e-3)
    closed = -1.0 + 2.0 / math.sqrt((1.0 - 0.6 * 0.15) ** 2 - (0.6 * 0.65) ** 2)
    assert vf.PerCoordinate(spread, noise).product_sum() == pytest.approx(closed, rel=1e-12)
    for law in (spread, vf.FadingRhos(0.8, 0.2)):
        instance = of_a_law(law, noise)
        # With i^-1 what is missing falls like ln N/N, N the effective dimension.
        missing = [abs(measured_factor(instance, n) / instance.dependence.product_sum() - 1.0) for n in (1e8, 1e12)]
        assert missing[1] < 1.5e-3
        assert missing[1] < 0.1 * missing[0]


@pytest.mark.parametrize("route", ["_short", "_long"])
def test_the_simulation_does_what_the_estimator_does(route: str) -> None:
    instance = of_a_law(LAWS[0], vf.AR1(0.5) if route == "_short" else vf.White(), beta=1.5, size=60)
    z, _ = instance.dependence.draw(np.random.default_rng(1), 40, 60)
    setting = profile_samples._Setting.at(instance, 40, 0.05, 60)
    assert getattr(profile_samples, route)(setting)(z) == pytest.approx(naive_risk(instance, z, 0.05), rel=1e-9)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.describe())
@pytest.mark.thorough
def test_simulation_agrees_with_the_equivalent(law: vf.SpreadRhos) -> None:
    """Also where next to all of the risk is that of coordinates beyond those that are drawn (s = .05)."""
    for parts in ({"beta": 1.4}, {"beta": 4.0, "s": 0.05, "sigma": 0.02}):
        instance = of_a_law(law, vf.AR1(0.6), **parts)
        curve = vf.learning_curve(instance, n=(50, 100), replicates=24, seed=1)
        expected = vf.equivalent_risk(instance, n=curve.n, lam=curve.lam)
        assert np.all(np.abs(curve.risk - expected) < 4.0 * curve.stderr + 3.0 / curve.n * expected)


def test_the_reading_judges_as_it_should() -> None:
    claim = next(each for each in theorem_4.READINGS if each.id == "T4/collapse-score-law")
    wrong = dataclasses.replace(claim, observable=dataclasses.replace(claim.observable, factor=SlowestFactor()))
    for law in LAWS[:3]:
        instance = of_a_law(law, vf.AR1(0.7))
        assert look(claim, instance, 0).verdict == "consistent"
    assert look(wrong, of_a_law(LAWS[0], vf.AR1(0.7)), 0).verdict == "violated"


def test_what_is_shown_and_recorded() -> None:
    instance = of_a_law(LAWS[0], vf.AR1(0.5))
    assert vf.Instance.from_json(instance.to_json()) == instance
    record = dependence_record(instance)
    assert record is not None
    assert record["rows"][0]["name"] == "correlation of the coordinates of lowest rho"
    assert record["rows"][1]["values"][0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: vf.SpreadRhos(0.5, 0.5), "low"),
        (lambda: vf.SpreadRhos(-0.9, 0.5), "low"),
        (lambda: vf.FadingRhos(0.5, 0.95), "limit"),
        (lambda: vf.FadingRhos(0.5, 0.0, 0.1), "power"),
    ],
)
def test_bad_arguments_are_named(build: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        build()  # type: ignore[operator]

"""Random Fourier features on the torus: the equivalent of benchmarks/fourier_features.py against draws, limits and regressions."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

fourier = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "fourier_features.py"))
Torus, sums, equivalent, simulate = (fourier[name] for name in ("Torus", "sums", "equivalent", "simulate"))


def test_the_means_are_those_of_multinomial_draws() -> None:
    of, m, kappa = Torus(2.0, 0.4, 0.5, 300), 200, 0.003
    ell = of.eigenvalues
    drawn = np.random.default_rng(1).multinomial(m, ell / ell.sum(), size=4000) * ell.sum() / m
    shrink = drawn / (drawn + kappa)
    draws = (2.0 * shrink.sum(1), 2.0 * (shrink**2).sum(1), (1.0 - shrink) ** 2 @ of.energy)
    for expected, found in zip(sums(of, m, kappa), draws, strict=True):
        # The counts of a multinomial are not quite Poisson: an error of the order of 1/m.
        assert abs(found.mean() - expected) < 4.0 * found.std() / np.sqrt(len(found)) + expected / m


def test_means_summed_and_expanded_agree_where_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    of = Torus(2.0, 0.4, 0.5, 3)
    expanded = sums(of, 5000.0, 0.05)
    monkeypatch.setitem(sums.__globals__, "COUNTED_BELOW", 1e5)
    assert sums(of, 5000.0, 0.05) == pytest.approx(expanded, rel=1e-4)


def test_with_many_features_the_sums_are_those_of_the_kernel() -> None:
    of, kappa = Torus(2.0, 0.4, 0.5, 100), 0.003
    r = of.eigenvalues / (of.eigenvalues + kappa)
    kernel = (2.0 * r.sum(), 2.0 * (r**2).sum(), of.energy @ (1.0 - r) ** 2)
    assert sums(of, 1e9, kappa) == pytest.approx(kernel, rel=1e-4)
    assert sums(of, 100.0, kappa) != pytest.approx(kernel, rel=1e-2)


def test_without_ridge_the_energy_of_frequencies_never_drawn_is_lost() -> None:
    of, m = Torus(2.0, 0.4, 0.5, 300), 50.0
    lost = of.energy @ np.exp(-m * of.eigenvalues / of.eigenvalues.sum())
    assert sums(of, m, 1e-12)[2] == pytest.approx(lost, rel=1e-9)


def test_the_equivalent_is_the_mean_of_regressions_and_not_that_of_the_kernel() -> None:
    of, n, m, kappa = Torus(2.0, 0.3, 0.5, 200), 100, 50, 0.0016
    lam, risk = equivalent(of, n, m, kappa)
    risks = simulate(of, n, m, lam, np.random.default_rng(2), 200)
    error = risks.std(ddof=1) / np.sqrt(len(risks))
    assert abs(risks.mean() - risk) < 4.0 * error + risk / m
    other = simulate(of, n, 100_000, lam, np.random.default_rng(2), 200)
    assert abs(other.mean() - risk) > 4.0 * error + risk / m


def test_a_kappa_below_the_least_is_refused() -> None:
    with pytest.raises(ValueError, match="take a larger kappa"):
        equivalent(Torus(2.0, 0.4, 0.5, 300), 10, 1000, 1e-9)

r"""Dependent samples: the responses of a dependence against dense matrices and drawn runs, the equivalent against a second
computation and against simulation, simulation against textbook ridge regression, and exponents against extrapolated curves.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.linalg import toeplitz

import verifier as vf
from properties.remark_3 import off_all_borders
from verifier.instances import (
    AR1,
    Blocks,
    CriticalTarget,
    Dependence,
    Dependent,
    FractionalNoise,
    Independent,
    Instance,
    MovingAverage,
    Noise,
    PowerLaw,
    RegimeSwitching,
    Repeated,
    Sticky,
    Truncated,
    White,
)
from verifier.risk import dependent_samples
from verifier.risk.asymptotics import has_exact_order, theorem_exponent
from verifier.risk.dependent_samples import simulate_dependent
from verifier.risk.equivalents import effective_ridge, equivalent_for, equivalent_risk, ridge, risk_terms
from verifier.risk.memory import averages_out, balanced_power, variance_exponent
from verifier.risk.responses import Law, moments, responses, run_law
from verifier.risk.sampled import sampled_risk
from verifier.risk.simulate import Replicates, simulated_risk
from verifier.risk.simulators import has_equivalent
from verifier.risk.streams import stream
from verifier.verdicts.judge import assess, judge

SHORT: tuple[Dependence, ...] = (
    Dependent(AR1(0.8), AR1(0.8)),
    Dependent(AR1(-0.6), AR1(0.5)),
    Dependent(MovingAverage((1.0, 1.0, 0.5)), AR1(-0.4)),
    Dependent(MovingAverage((1.0, 1.0)), MovingAverage((1.0, -0.5))),  # a density with a zero
    Dependent(AR1(0.5), FractionalNoise(0.9)),
)
RUNS = (Repeated(Sticky(0.6), "repeated"), Repeated(Sticky(0.6)), Repeated(Blocks(3), "repeated"), Repeated(Blocks(4)))
LONG = (
    Dependent(FractionalNoise(0.8), FractionalNoise(0.9)),
    Dependent(FractionalNoise(0.6), FractionalNoise(0.6)),
    Dependent(FractionalNoise(0.95), AR1(0.8)),
    Dependent(FractionalNoise(0.9), White()),
)
LOG_DELTA = np.log(np.array([1e-3, 1e-2, 0.1, 1.0, 10.0]))


def instance(dependence: Dependence, beta: float = 1.5, s: float = 0.4, sigma: float = 1.0) -> Instance:
    return Instance(PowerLaw(beta=beta), CriticalTarget(s=s), Noise(sigma), dependence=dependence)


def dense(dependence: Dependence, n: int) -> Law:
    levels, vectors = np.linalg.eigh(dependence.input_correlation(n))
    own = np.sum(vectors * (dependence.noise_correlation(n) @ vectors), axis=0)
    return Law(levels, own, np.full(n, 1.0 / n))


def compared(dependence: Dependence, law: Law, n: int) -> np.ndarray:
    """Largest relative error of tau, J_x and J_eps against those of a law."""
    tau, _, squares, noise = moments(law, LOG_DELTA)
    found = responses(dependence).at(tau * np.exp(LOG_DELTA), np.full(len(tau), float(n)))
    ratios = (found.tau / tau, found.inputs / (squares / tau**2), found.noise / (noise / tau**2))
    return np.array([float(np.abs(ratio - 1.0).max()) for ratio in ratios])


class TestResponses:
    """tau, J_x and J_eps as functions of x."""

    @pytest.mark.parametrize("dependence", [*SHORT[:4], *LONG], ids=lambda d: d.describe())
    def test_they_are_those_of_a_correlation_matrix_to_the_order_of_one_over_n(self, dependence: Dependence) -> None:
        errors = [compared(dependence, dense(dependence, n), n) for n in (64, 768)]
        assert np.all(errors[0] < 6.0 / 64)
        assert np.all(errors[1] < 6.0 / 768)

    def test_an_autoregression_against_its_integral_in_closed_form(self) -> None:
        # E f/(1 + d f) with f = (1 - r^2)/(1 + r^2 - 2 r cos w) is (1 - r^2) / sqrt((1 + r^2 + d (1 - r^2))^2 - 4 r^2).
        rho, delta = 0.8, np.array([1e-6, 1e-2, 1.0, 1e3, 1e9])
        one = 1.0 - rho**2
        tau = one / np.sqrt((1.0 + rho**2 + delta * one) ** 2 - 4.0 * rho**2)
        found = responses(Dependent(AR1(rho), White())).at(delta * tau, np.ones(5))
        assert found.tau == pytest.approx(tau, rel=1e-9)
        # J_x = -d tau / d delta / tau^2.
        assert found.inputs == pytest.approx((1.0 + rho**2 + delta * one) / one * tau, rel=1e-8)

    @pytest.mark.parametrize("dependence", [*SHORT, *RUNS], ids=lambda d: d.describe())
    def test_limits_are_the_sums_of_products_of_correlations(self, dependence: Dependence) -> None:
        found = responses(dependence).at(np.array([1e-14]), np.array([1e20]))
        assert found.tau[0] == pytest.approx(1.0, abs=1e-9)
        assert found.inputs[0] == pytest.approx(dependence.square_sum(), rel=1e-9)
        assert found.noise[0] == pytest.approx(dependence.product_sum(), rel=1e-9)

    def test_the_figures_factors(self) -> None:
        expected = {
            Dependent(AR1(0.8), AR1(0.8)): 1.64 / 0.36,
            Dependent(AR1(0.8), White()): 1.0,
            Dependent(White(), AR1(0.8)): 1.0,
            Repeated(Sticky(0.6), "repeated"): 4.0,
            Repeated(Sticky(0.6)): 1.0,
        }
        for dependence, factor in expected.items():
            assert responses(dependence).at(np.array([1e-12]), np.array([1e20])).noise[0] == pytest.approx(factor)

    @pytest.mark.parametrize("dependence", RUNS, ids=lambda d: d.describe())
    def test_runs_against_drawn_runs(self, dependence: Repeated) -> None:
        # Means over runs are ratio estimates, with the standard error of one: each within 5 of them, 4 x 5 x 4 comparisons in all
        # at a level of 6e-7 each; they are of the order of .5%.
        n = 200_000
        lengths = dependence.runs.run_lengths(np.random.default_rng(1), n)[1:-1].astype(float)
        noise = lengths if dependence.noise == "repeated" else np.ones_like(lengths)
        delta = np.exp(LOG_DELTA)[:, None]
        rest = 1.0 / (1.0 + delta * lengths)
        drawn = (lengths * rest, rest, (lengths * rest) ** 2, lengths * noise * rest**2)
        for terms, expected in zip(drawn, moments(run_law(dependence), LOG_DELTA), strict=True):
            deviation = terms - expected[:, None] * lengths
            stderr = deviation.std(axis=1) * math.sqrt(len(lengths)) / lengths.sum()
            assert np.all(np.abs(deviation.sum(axis=1) / lengths.sum()) <= 5.0 * stderr + 1e-12)

    @pytest.mark.parametrize("dependence", [SHORT[0], SHORT[3], RUNS[0], LONG[0]], ids=lambda d: d.describe())
    def test_slopes_are_the_derivatives(self, dependence: Dependence) -> None:
        found, x, step = responses(dependence), np.array([1e-3, 0.05, 0.2, 0.3]), 1e-4
        n = np.full(4, 300.0)
        up, down, here = (found.at(x * math.exp(k * step), n) for k in (1, -1, 0))
        assert here.inputs_slope == pytest.approx(np.log(up.inputs / down.inputs) / (2 * step), abs=1e-5)
        assert here.noise_slope == pytest.approx(np.log(up.noise / down.noise) / (2 * step), abs=1e-5)
        # d ln tau / d ln x = -x J_x / (1 - x J_x)
        passed = x * here.inputs
        assert -passed / (1 - passed) == pytest.approx(np.log(up.tau / down.tau) / (2 * step), abs=1e-5)

    def test_rough_values_are_rough_only(self) -> None:
        x, n = np.geomspace(1e-4, 0.39, 30), np.full((1, 1), 1e5)
        for dependence in (SHORT[0], RUNS[0], LONG[0], LONG[3]):
            found = responses(dependence)
            exact, rough = found.at(x, np.full(30, 1e5)), found.rough(x[None, :], n)
            assert rough[0][0] == pytest.approx(exact.tau, rel=0.05)
            assert rough[1][0] == pytest.approx(exact.inputs, rel=0.05)
            assert rough[2][0] == pytest.approx(exact.noise, rel=0.05)

    def test_what_is_not_known_is_refused(self) -> None:
        with pytest.raises(ValueError, match="dependence=PerCoordinate"):
            responses(vf.PerCoordinate((0.5,)))

    def test_independent_samples_are_white(self) -> None:
        x = np.array([0.1, 0.5])
        found = responses(Independent()).at(x, np.full(2, 100.0))
        assert found.tau == pytest.approx(1.0 - x)
        assert np.all(found.inputs == 1.0)
        assert np.all(found.noise == 1.0)


class TestEquivalent:
    """Ridges and risks."""

    def test_white_processes_are_independent_samples(self) -> None:
        n = np.array([30.0, 100.0, 1e4, 1e9])
        plain, white = instance(Independent()), instance(Dependent(White(), AR1(0.7)))
        assert equivalent_risk(white, n=n) == pytest.approx(equivalent_risk(plain, n=n), rel=1e-9)
        assert equivalent_risk(white, n=n, lam="schedule") == pytest.approx(
            equivalent_risk(plain, n=n, lam="schedule"), rel=1e-9
        )
        assert ridge(white, n) == pytest.approx(ridge(plain, n), rel=1e-5)

    @pytest.mark.parametrize("dependence", [*SHORT, *RUNS, *LONG], ids=lambda d: d.describe())
    def test_the_optimum_is_one_and_ridges_and_kappas_are_inverse(self, dependence: Dependence) -> None:
        inst, n = instance(dependence), np.array([100.0, 3e3, 1e8, 1e20])
        best, lam = np.asarray(equivalent_risk(inst, n=n)), ridge(inst, n)
        assert equivalent_risk(inst, n=n, lam=lam) == pytest.approx(best, rel=1e-9)
        for factor in (0.3, 0.99, 1.01, 3.0):
            assert np.all(np.asarray(equivalent_risk(inst, n=n, lam=factor * lam)) > best)
        engine = equivalent_for(inst, n, lam)
        assert engine.ridge(n, effective_ridge(inst, n, lam)) == pytest.approx(lam, rel=1e-9)

    def test_against_a_second_computation(self) -> None:
        # The fixed point in delta, iterated on 4,000 frequencies and 20,000 eigenvalues.
        inst = Instance(
            Truncated(PowerLaw(beta=1.5), 2000),
            CriticalTarget(s=0.4),
            Noise(0.7),
            dependence=Dependent(AR1(0.7), AR1(0.4)),
        )
        n, lam = 300.0, 0.01
        w = math.pi * (np.arange(4000) + 0.5) / 4000
        f, own = AR1(0.7).spectral_density(w), AR1(0.4).spectral_density(w)
        ell = np.arange(1.0, 2001.0) ** -1.5
        energy = np.arange(1.0, 2001.0) ** -(2 * 1.5 * 0.4 + 1.0)
        delta = 1.0
        for _ in range(500):
            tau = np.mean(f / (1.0 + delta * f))
            delta = np.sum(ell / (tau * ell + lam)) / n
        kappa, r = lam / tau, delta * f / (1.0 + delta * f)
        df2, bias = np.sum((ell / (ell + kappa)) ** 2), np.sum(energy * (kappa / (ell + kappa)) ** 2)
        x = np.mean(r)
        expected = (bias + 0.49 * np.mean(r**2 * own / f) / x**2 * df2 / n) / (1.0 - np.mean(r**2) / x**2 * df2 / n)
        assert equivalent_risk(inst, n=n, lam=lam) == pytest.approx(expected, rel=1e-8)
        assert effective_ridge(inst, n, lam) == pytest.approx(kappa, rel=1e-9)

    def test_samples_are_worth_less_by_the_product_sum(self) -> None:
        n = np.array([1e6, 1e9])
        factor = 1.64 / 0.36
        tuned = equivalent_risk(instance(SHORT[0]), n=n)
        assert tuned == pytest.approx(equivalent_risk(instance(Independent()), n=n / factor), rel=2e-3)

    def test_without_noise_the_oracle_interpolates_and_runs_count_once(self) -> None:
        n = np.array([200.0, 1e4])
        plain = instance(Independent(), sigma=0.0)
        assert equivalent_risk(instance(SHORT[0], sigma=0.0), n=n) == pytest.approx(
            equivalent_risk(plain, n=n), rel=1e-6
        )
        blocks = equivalent_risk(instance(RUNS[2], sigma=0.0), n=3 * n)
        assert blocks == pytest.approx(equivalent_risk(plain, n=n), rel=1e-6)

    def test_terms_add_up_and_are_finite_at_the_largest_n(self) -> None:
        for dependence in (*SHORT, *RUNS, *LONG):
            target, noise = risk_terms(instance(dependence), n=np.exp([5.0, 60.0, 300.0, 450.0]), lam="schedule")
            assert np.all(np.isfinite(target + noise))
            assert np.all(noise > 0.0)


class TestSimulation:
    """Samples that are drawn."""

    @pytest.mark.parametrize("dependence", [SHORT[0], SHORT[2], RUNS[0], RUNS[1], LONG[0]], ids=lambda d: d.describe())
    def test_a_replicate_is_ridge_regression_averaged_over_noise_and_signs(self, dependence: Dependence) -> None:
        p, n, lam, sigma = 12, 30, 0.05, 0.8
        inst = Instance(Truncated(PowerLaw(beta=1.3), p), CriticalTarget(s=0.4), Noise(sigma), dependence=dependence)
        found = simulate_dependent(inst, [(n, lam)], Replicates(3, 5))
        ell = np.arange(1.0, p + 1.0) ** -1.3
        theta = np.sqrt(np.arange(1.0, p + 1.0) ** -(2 * 1.3 * 0.4 + 1.0) / ell)
        for r in range(3):
            z, _ = dependence.draw(stream(5, "replicate", r, "dependent"), n, p)
            x = z * np.sqrt(ell)
            if isinstance(dependence, Repeated):
                same = np.concatenate([[0], np.cumsum(np.any(z[1:] != z[:-1], axis=1))])
                own = (same[:, None] == same) * 1.0 if dependence.noise == "repeated" else np.eye(n)
            else:
                own = dependence.noise_correlation(n)
            inverse = np.linalg.inv(x.T @ x / n + lam * np.eye(p))
            shrunk = lam * inverse
            bias = float(np.sum(ell @ (shrunk**2 * theta**2)))
            passed = inverse @ x.T / n
            variance = sigma**2 * float(np.sum(ell * np.diagonal(passed @ own @ passed.T)))
            assert found[r, 0] == pytest.approx(bias + variance, rel=1e-9)

    @pytest.mark.parametrize("dependence", [SHORT[0], RUNS[0], RUNS[1], LONG[0]], ids=lambda d: d.describe())
    def test_coordinates_beyond_the_simulated_ones_are_well_replaced(self, dependence: Dependence) -> None:
        inst, draws = instance(dependence, beta=1.3), Replicates(8, 2)
        few, many = (simulate_dependent(inst, [(60, 0.05)], draws, p) for p in (60, 500))
        deviation = few / many - 1.0
        assert abs(float(deviation.mean())) < 0.02 + 3.0 * float(deviation.std()) / math.sqrt(8)

    @pytest.mark.parametrize(
        "dependence",
        [SHORT[0], SHORT[2], *RUNS[:3], *LONG[:2], Dependent(White(), AR1(0.8))],
        ids=lambda d: d.describe(),
    )
    def test_equivalent_and_simulation_agree(self, dependence: Dependence) -> None:
        inst, n = instance(dependence), (50, 120)
        curve = vf.learning_curve(inst, n=n, replicates=16, seed=1, directions=150)
        expected = np.asarray(equivalent_risk(inst, n=np.array(n, dtype=float), lam=curve.lam))
        allowed = 4.0 / np.array(n) * expected + 4.5 * curve.stderr  # c/n, and a t quantile at 2e-4 a side
        assert np.all(np.abs(curve.risk - expected) < allowed)

    def test_the_wrong_factor_is_caught(self) -> None:
        # The figure's (1 + rho)/(1 - rho) = 9 in place of 4.5556 is twice the noise.
        curve = vf.learning_curve(instance(SHORT[0]), n=(150,), replicates=16, directions=150)
        wrong = equivalent_risk(instance(Independent()), n=150 / 9.0)
        assert abs(curve.risk[0] - float(np.asarray(wrong))) > 6.0 * curve.stderr[0]

    def test_bad_requests_are_named(self) -> None:
        inst = instance(SHORT[0])
        with pytest.raises(ValueError, match="n=5000"):
            simulate_dependent(inst, [(5000, 0.1)], Replicates(2))
        with pytest.raises(ValueError, match="both are averaged"):
            simulate_dependent(inst, [(50, 0.1)], Replicates(2, noise="sampled"))
        with pytest.raises(ValueError, match="dependence=Dependent"):
            simulated_risk(inst, n=50, lam=0.1)
        with pytest.raises(ValueError, match="dependence=Dependent"):
            sampled_risk(inst, n=50, lam=0.1)


def claim(tuning: str = "optimal") -> vf.Claim:
    def predicted(inst: Instance) -> vf.Exponent:
        exponent = theorem_exponent(inst, tuning)
        assert exponent is not None
        return vf.Exponent(exponent)

    return vf.Claim(id="X", title="x", statement="x", source="x", domain=st.nothing(), predict=predicted, tuning=tuning)


class TestExponents:
    """What theorems say, and what curves tend to."""

    def test_values(self) -> None:
        both = Dependent(FractionalNoise(0.8), FractionalNoise(0.9))
        assert theorem_exponent(instance(SHORT[0])) == pytest.approx(1.2 / 2.2)
        assert theorem_exponent(instance(Dependent(FractionalNoise(0.9), White()))) == pytest.approx(1.2 / 2.2)
        assert theorem_exponent(instance(both)) == pytest.approx(0.6 * 1.2 / 2.2)
        saturated = Dependent(FractionalNoise(0.95), FractionalNoise(0.75))  # a = .4, N = n^.27 > n^.1
        rest = 0.5 / 0.9
        assert theorem_exponent(instance(saturated)) == pytest.approx(1.2 * rest / (1.2 + rest))
        runs = Repeated(RegimeSwitching(1.5), "repeated")
        assert theorem_exponent(instance(runs)) == pytest.approx(1.2 * 0.5 / 1.7)

    def test_the_two_regimes_meet_at_their_border(self) -> None:
        for h in (0.7, 0.8, 0.9):
            dependence = Dependent(FractionalNoise(h), FractionalNoise(0.9))
            q = 2.0 - 2.0 * h
            assert variance_exponent(dependence, q - 1e-9) == pytest.approx(
                variance_exponent(dependence, q + 1e-9), abs=1e-7
            )
            q = balanced_power(dependence, 1.7)
            assert variance_exponent(dependence, q) == pytest.approx(1.7 * q)

    def test_a_logarithm_at_the_border(self) -> None:
        assert not has_exact_order(instance(Dependent(FractionalNoise(0.75), FractionalNoise(0.75))))
        assert has_exact_order(instance(Dependent(FractionalNoise(0.8), FractionalNoise(0.8))))

    @pytest.mark.parametrize("tuning", ["optimal", "schedule"])
    def test_no_exponent_is_rejected(self, tuning: str) -> None:
        rng, asserted = np.random.default_rng(7), claim(tuning)
        heavy = (Repeated(RegimeSwitching(1.5), "repeated"), Repeated(RegimeSwitching(3.0)))
        for dependence in (*SHORT, *RUNS, *LONG, *heavy):
            inst = instance(dependence, round(rng.uniform(1.2, 3.0), 2), round(rng.uniform(0.1, 0.9), 2))
            if isinstance(dependence, Dependent) and not off_all_borders(inst):
                continue
            assert assess(asserted, inst).verdict == "consistent", inst.describe()

    def test_the_exponent_of_independent_samples_is_rejected_under_long_memory(self) -> None:
        alpha = vf.Claim(
            id="X",
            title="x",
            statement="x",
            source="x",
            domain=st.nothing(),
            predict=lambda inst: vf.Exponent(1.2 / 2.2),
        )
        assert assess(alpha, instance(LONG[0])).verdict == "violated"
        assert assess(alpha, instance(SHORT[0])).verdict == "consistent"

    def test_rare_long_runs_have_no_equivalent(self) -> None:
        for inst in (
            instance(Repeated(RegimeSwitching(1.8))),
            instance(Repeated(RegimeSwitching(3.0)), sigma=0.0),
        ):
            assert not averages_out(inst)
            assert not has_equivalent(inst)
            assert theorem_exponent(inst) is None
        assert averages_out(instance(Repeated(RegimeSwitching(1.8), "repeated")))
        assert averages_out(instance(Repeated(RegimeSwitching(1.8, 50))))

    def test_a_judgement_is_certified_by_simulation(self) -> None:
        found = judge(claim(), instance(RUNS[0]), 0, sizes=(50, 100, 400))
        assert found.verdict == "consistent"
        assert found.certification is not None
        assert found.certification.agrees

    def test_simulation_alone_says_that_it_cannot_decide(self) -> None:
        found = judge(claim(), instance(SHORT[0]), 0, route="B")
        assert found.verdict == "inconclusive"
        assert "depend on one another" in found.reason


@pytest.mark.parametrize(
    "process", [vf.AR1(0.9), vf.AR1(-0.4), vf.MovingAverage((1.0, 0.5, -2.0)), vf.FractionalNoise(0.8)]
)
@pytest.mark.parametrize("n", [1, 3, 50])
def test_correlations_over_time_are_multiplied_and_inverted(process: vf.Process, n: int) -> None:
    found = dependent_samples._correlations(process, n)
    dense = toeplitz(process.autocorrelations(n - 1))
    z = np.random.default_rng(n).standard_normal((n, 4))
    np.testing.assert_allclose(found.times(z), dense @ z, rtol=1e-11, atol=1e-11)
    expected = np.linalg.solve(0.03 * np.eye(n) + 0.7 * dense, z)
    np.testing.assert_allclose(found.solve(0.03, 0.7, z), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dependence", [*SHORT, *LONG], ids=repr)
@pytest.mark.parametrize("lam", [1e-6, 1e-3, 0.3])
def test_few_samples_have_the_risk_that_the_matrices_of_the_directions_give(dependence: Dependent, lam: float) -> None:
    """Matrices of n x n against those of p x p: the same number, to rounding, whatever is fitted and whatever is shrunk."""
    instance = Instance(PowerLaw(1.6), CriticalTarget(s=0.4), Noise(0.5), dependence=dependence)
    setting = dependent_samples.setting_of(instance, 24, lam, 96)
    assert setting.few
    passes = dependent_samples._InTime(dependence, setting)
    z, _ = dependence.draw(np.random.default_rng(3), 24, len(setting.item.ell))
    directly = dependent_samples.risk_of(setting, *passes.moments(z))
    assert passes.risk_of_few(z) == pytest.approx(directly, rel=1e-10)

r"""Uncentred inputs: the equivalent against textbook ridge regression with a constant column, simulated samples against the same,
and what the mean does to exponents.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.linalg import toeplitz

import verifier as vf
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
    Process,
    RegimeSwitching,
    Repeated,
    Sticky,
    Truncated,
    UncentredDesign,
    White,
)
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.curves import learning_curve
from verifier.risk.dependent_samples import simulate_dependent
from verifier.risk.equivalents import effective_ridge, equivalent_for, equivalent_risk, ridge, risk_terms
from verifier.risk.means import mean_inflation, mean_response
from verifier.risk.responses import responses
from verifier.risk.sampled import sampled_risk
from verifier.risk.simulate import Replicates, simulated_risk
from verifier.risk.streams import stream
from verifier.verdicts.judge import assess
from verifier.verdicts.shown import dependence_record, shown_lines

PAIRS = (
    Independent(),
    Dependent(White(), FractionalNoise(0.9)),
    Dependent(AR1(0.7), AR1(0.7)),
    Dependent(AR1(-0.6), FractionalNoise(0.8)),
    Dependent(FractionalNoise(0.8), FractionalNoise(0.9)),
    Dependent(FractionalNoise(0.9), White()),
)


def instance(
    dependence: Dependence,
    mean: float = 1.0,
    intercept: float = 0.0,
    beta: float = 1.5,
    s: float = 0.4,
    sigma: float = 1.0,
) -> Instance:
    return Instance(
        PowerLaw(beta=beta), CriticalTarget(s=s), Noise(sigma), UncentredDesign(mean, intercept), dependence=dependence
    )


def textbook(inst: Instance, n: int, lam: float, z: np.ndarray) -> float:
    """Risk of ridge regression on (mean, x) given the whitened inputs z (n, p), averaged over noise and signs."""
    design = inst.design
    assert isinstance(design, UncentredDesign)
    p = z.shape[1]
    ell = np.append(np.arange(1.0, p + 1.0) ** -inst.beta, design.mean**2)
    energy = np.append(np.arange(1.0, p + 1.0) ** -(2 * inst.beta * inst.s + 1.0), design.intercept**2)
    x = np.column_stack([z, np.ones(n)]) * np.sqrt(ell)
    inverse = np.linalg.inv(x.T @ x / n + lam * np.eye(p + 1))
    passed = inverse @ x.T / n
    own = inst.dependence.noise_correlation(n)
    if isinstance(inst.dependence, Repeated):  # given the runs
        same = np.concatenate([[0], np.cumsum(np.any(z[1:] != z[:-1], axis=1))])
        own = (same[:, None] == same) * 1.0 if inst.dependence.noise == "repeated" else np.eye(n)
    bias = ell @ ((lam * inverse) ** 2 @ (energy / ell))
    return float(bias + inst.sigma**2 * ell @ np.einsum("ij,jk,ik->i", passed, own, passed))


@pytest.mark.parametrize("dependence", [*PAIRS, Repeated(Sticky(0.5), "repeated"), Repeated(Blocks(3))], ids=str)
def test_a_replicate_is_ridge_regression_with_a_constant_column(dependence: Dependence) -> None:
    p, n, lam = 12, 30, 0.05
    whole = instance(dependence, mean=0.7, intercept=0.5, sigma=0.8)
    inst = Instance(Truncated(whole.spectrum, p), whole.target, whole.noise, whole.design, dependence=dependence)
    found = simulate_dependent(inst, [(n, lam)], Replicates(3, 5))
    for r in range(3):
        z, _ = dependence.draw(stream(5, "replicate", r, "dependent"), n, p)
        assert found[r, 0] == pytest.approx(textbook(inst, n, lam, z), rel=1e-9)


@pytest.mark.parametrize("dependence", PAIRS, ids=str)
@pytest.mark.parametrize(("mean", "intercept"), [(1.0, 0.0), (0.3, 2.0)])
@pytest.mark.thorough
def test_the_equivalent_against_textbook_regression(dependence: Dependence, mean: float, intercept: float) -> None:
    # A second route: nothing of the equivalent, nor of the simulator, is used for it.
    n, lam, p, count = 60, 0.03, 240, 48
    whole = instance(dependence, mean, intercept)
    inst = Instance(Truncated(whole.spectrum, p), whole.target, whole.noise, whole.design, dependence=dependence)
    generator = np.random.default_rng(7)
    risks = np.array([textbook(inst, n, lam, dependence.draw(generator, n, p)[0]) for _ in range(count)])
    deviation = float(equivalent_risk(inst, n=n, lam=lam)) / risks.mean() - 1.0
    allowed = 2.0 / n + 4.0 * risks.std(ddof=1) / math.sqrt(count) / risks.mean()
    assert abs(deviation) < allowed


def test_the_risk_is_not_the_centred_one_and_the_variance_of_the_mean() -> None:
    # Of what the mean fits the other coordinates are spared: the sum of both is too large, more than c/n explains.
    inst, n, lam = instance(PAIRS[1]), 200, 0.01
    centred = Instance(inst.spectrum, inst.target, inst.noise, dependence=inst.dependence)
    risks = simulate_dependent(inst, [(n, lam)], Replicates(16, 3), 200)[:, 0]
    naive = float(equivalent_risk(centred, n=n, lam=lam)) + n**-0.2
    assert abs(float(equivalent_risk(inst, n=n, lam=lam)) / risks.mean() - 1.0) < 1.0 / n
    assert naive / risks.mean() > 1.05


def dense_mean(inputs: Process, noise: Process, n: int, delta: float) -> np.ndarray:
    """kappa_0/kappa, J_0eps, J_0x, J_1 and A with matrices."""
    c, own, ones = toeplitz(inputs.autocorrelations(n - 1)), toeplitz(noise.autocorrelations(n - 1)), np.ones(n)
    d = np.linalg.inv(np.eye(n) + delta * c)
    tau, w = np.trace(c @ d) / n, ones @ d @ ones / n
    passed = ones @ d @ c @ d @ ones / n
    crossed = ones @ d @ c @ d @ own @ d @ ones / (n**2 * w * tau**2)
    return np.array([tau / w, ones @ d @ own @ d @ ones / n / w**2, passed / w**2, passed / tau**2, crossed])


@pytest.mark.parametrize(
    ("inputs", "noise", "close"),
    [
        (White(), FractionalNoise(0.9), 1e-9),
        (AR1(0.6), FractionalNoise(0.8), 0.02),
        (MovingAverage((1.0, 1.0, 0.5)), AR1(0.5), 0.02),
        (FractionalNoise(0.7), FractionalNoise(0.9), 0.003),
        (FractionalNoise(0.9), FractionalNoise(0.6), 0.003),
        (FractionalNoise(0.95), White(), 0.01),
    ],
    ids=str,
)
def test_responses_of_the_mean_against_matrices(inputs: Process, noise: Process, close: float) -> None:
    n, dependence = 400, Dependent(inputs, noise)
    for delta in (0.01, 0.1, 0.5):
        c = toeplitz(inputs.autocorrelations(n - 1))
        levels = np.linalg.eigvalsh(c)
        x = np.array([np.mean(delta * levels / (1.0 + delta * levels))])
        sizes = np.array([float(n)])
        known = responses(dependence).at(x, sizes)
        mean = mean_response(dependence, x, sizes, known.tau, known.inputs, known.noise)
        found = np.array([mean.ridge, mean.noise, mean.inputs, mean.passed, mean.removed]).ravel()
        assert found == pytest.approx(dense_mean(inputs, noise, n, delta), rel=close)


class TestVarianceOfTheMean:
    """n Var of the mean."""

    @pytest.mark.parametrize(
        "process", [AR1(0.9), AR1(-0.5), MovingAverage((1.0, -1.0)), FractionalNoise(0.8), White()]
    )
    def test_against_the_sum_of_all_correlations(self, process: Process) -> None:
        for n in (1, 2, 7, 100, 3000):
            expected = toeplitz(process.autocorrelations(n - 1)).mean() * n
            assert mean_inflation(process, np.array([float(n)])) == pytest.approx(expected, rel=1e-9, abs=1e-12)

    def test_tends_to_the_density_at_zero(self) -> None:
        assert mean_inflation(AR1(0.9), np.array([1e12])) == pytest.approx(19.0, rel=1e-9)
        assert mean_inflation(FractionalNoise(0.75), np.array([1e12])) == pytest.approx(1e6)


class TestEquivalent:
    """Ridges and risks."""

    @pytest.mark.parametrize(
        "dependence", [*PAIRS, Repeated(Sticky(0.6)), Repeated(RegimeSwitching(1.8), "repeated")], ids=str
    )
    def test_the_optimum_is_one_and_ridges_and_kappas_are_inverse(self, dependence: Dependence) -> None:
        inst, n = instance(dependence, intercept=0.5), np.array([100.0, 3e3, 1e8])
        best, lam = np.asarray(equivalent_risk(inst, n=n)), ridge(inst, n)
        assert equivalent_risk(inst, n=n, lam=lam) == pytest.approx(best, rel=1e-9)
        for factor in (0.3, 0.9, 1.1, 3.0):
            assert np.all(np.asarray(equivalent_risk(inst, n=n, lam=factor * lam)) >= best * (1.0 - 1e-13))
        engine = equivalent_for(inst, n, lam)
        assert engine.ridge(n, effective_ridge(inst, n, lam)) == pytest.approx(lam, rel=1e-9)

    def test_an_independent_sample_counts_the_constant_as_one_direction_more(self) -> None:
        # l_0 = 1 beside i^-1.5: a finite spectrum with one eigenvalue 1 more is the same to order 1/n of a small term.
        ell = np.arange(1.0, 201.0) ** -1.5
        n, lam = np.array([400.0, 4000.0]), 0.01
        constant = Instance(
            Truncated(PowerLaw(beta=1.5), 200), CriticalTarget(s=0.4), Noise(1.0), UncentredDesign(mean=1.0)
        )
        found = np.asarray(equivalent_risk(constant, n=n, lam=lam))
        energy = np.arange(1.0, 201.0) ** -(2 * 1.5 * 0.4 + 1.0)
        for m, risk in zip(n, found, strict=True):
            kappa = lam
            more = np.append(ell, 1.0)
            for _ in range(200):
                kappa = lam / (1.0 - np.sum(more / (more + kappa)) / m)
            df2 = np.sum((more / (more + kappa)) ** 2) / m
            expected = (np.sum(energy * (kappa / (ell + kappa)) ** 2) + df2) / (1.0 - df2)
            assert risk == pytest.approx(expected, rel=2.0 / m)

    def test_the_mean_costs_what_its_estimate_does(self) -> None:
        n = np.array([1e8, 1e12])
        for dependence, cost in ((PAIRS[1], n**-0.2), (PAIRS[2], (1.7 / 0.3) / n), (Independent(), 1.0 / n)):
            inst = instance(dependence)
            centred = Instance(inst.spectrum, inst.target, inst.noise, dependence=dependence)
            more = np.asarray(equivalent_risk(inst, n=n)) - np.asarray(equivalent_risk(centred, n=n))
            assert more == pytest.approx(cost, rel=0.02)

    def test_a_target_of_its_own_mean_is_shrunk_by_the_ridge(self) -> None:
        n, lam = 1e10, 1e-3
        without, beside = (
            risk_terms(instance(Independent(), 0.5, intercept), n=n, lam=lam)[0] for intercept in (0.0, 2.0)
        )
        assert beside - without == pytest.approx((lam / (0.25 + lam)) ** 2 * 4.0, rel=1e-4)

    def test_terms_are_finite_at_the_largest_n(self) -> None:
        for dependence in PAIRS:
            terms = risk_terms(instance(dependence), n=np.exp([5.0, 60.0, 300.0, 450.0]), lam="schedule")
            assert np.all(np.isfinite(terms))
            assert np.all(np.isfinite(equivalent_risk(instance(dependence, s=0.9), n=np.exp([5.0, 60.0, 200.0]))))


class TestSimulation:
    """Samples that are drawn."""

    @pytest.mark.parametrize("dependence", [*PAIRS[:3], PAIRS[4], Repeated(Sticky(0.5), "repeated")], ids=str)
    def test_equivalent_and_simulation_agree(self, dependence: Dependence) -> None:
        inst, n = instance(dependence, intercept=0.5), (50, 120)
        curve = learning_curve(inst, n=n, replicates=16, seed=1, directions=200)
        expected = np.asarray(equivalent_risk(inst, n=np.array(n, dtype=float), lam=curve.lam))
        assert np.all(np.abs(curve.risk - expected) < 3.0 / np.array(n) * expected + 4.5 * curve.stderr)

    def test_coordinates_beyond_the_simulated_ones_are_well_replaced(self) -> None:
        draws = Replicates(8, 2)
        for dependence in (PAIRS[1], PAIRS[2]):
            inst = instance(dependence, intercept=1.0, beta=1.3)
            few, many = (simulate_dependent(inst, [(60, 0.05)], draws, p) for p in (40, 400))
            deviation = few / many - 1.0
            assert abs(float(deviation.mean())) < 0.02 + 3.0 * float(deviation.std()) / math.sqrt(8)

    def test_what_is_not_simulated_is_named(self) -> None:
        inst = instance(PAIRS[2])
        with pytest.raises(ValueError, match="with a mean"):
            learning_curve(inst, n=(5000,), replicates=2)
        for other in (simulated_risk, sampled_risk):
            with pytest.raises(ValueError, match="UncentredDesign"):
                other(instance(Independent()), n=50, lam=0.1)


class TestInstance:
    """What an instance says and refuses."""

    def test_the_form_survives_and_centred_instances_keep_theirs(self) -> None:
        inst = instance(PAIRS[1], 2.0, 0.5)
        assert Instance.from_json(inst.to_json()) == inst
        assert "uncentred inputs of mean 2, target of mean 0.5" in inst.describe()
        assert "design" not in Instance(PowerLaw(beta=2.0)).to_json()

    @pytest.mark.parametrize(
        ("parts", "named"),
        [
            ({"dependence": vf.PerCoordinate((0.5,))}, "autocorrelations of their own"),
            ({"noise": Noise(0.0)}, "needs label noise"),
            ({"transform": vf.Rescaling(2.0) if hasattr(vf, "Rescaling") else vf.DiagonalTransform()}, "orthogonal"),
            ({"features": vf.GaussianFeatures()}, "features="),
        ],
    )
    def test_what_is_not_known_is_refused(self, parts: dict[str, object], named: str) -> None:
        with pytest.raises(ValueError, match=named):
            Instance(**({"spectrum": PowerLaw(beta=2.0), "design": UncentredDesign()} | parts))  # type: ignore[arg-type]

    def test_a_mean_of_zero_is_the_centred_design(self) -> None:
        with pytest.raises(ValueError, match="mean=0.0"):
            UncentredDesign(mean=0.0)

    def test_the_mean_is_shown(self) -> None:
        record = dependence_record(instance(Dependent(White(), FractionalNoise(0.8))))
        assert record is not None
        assert record["mean"]["cost"] == pytest.approx([1e3**-0.4, 1e6**-0.4, 1e9**-0.4])
        assert (
            "mean",
            "variance of the mean of n noises 0.0631 at n = 1e3, 0.00398 at n = 1e6, 0.000251 at n = 1e9",
        ) in (shown_lines({"dependence": record}))
        short = dependence_record(instance(Repeated(Blocks(4), "repeated")))
        assert short is not None
        assert short["mean"]["cost"] == pytest.approx([4e-3, 4e-6, 4e-9])


class TestExponents:
    """What theorems say, and what curves tend to."""

    @pytest.mark.parametrize(
        ("dependence", "s", "expected"),
        [
            (Independent(), 0.4, 1.2 / 2.2),
            (Dependent(AR1(0.8), AR1(0.8)), 0.4, 1.2 / 2.2),
            (Dependent(White(), FractionalNoise(0.9)), 0.4, 0.2),
            (Dependent(White(), FractionalNoise(0.6)), 0.4, 1.2 / 2.2),
            (Dependent(White(), FractionalNoise(0.95)), 0.9, 0.1),
            (Dependent(AR1(0.5), FractionalNoise(0.85)), 0.8, 0.3),
            (Dependent(FractionalNoise(0.6), FractionalNoise(0.85)), 0.8, 0.3),
            (Repeated(Sticky(0.5), "repeated"), 0.4, 1.2 / 2.2),
        ],
        ids=str,
    )
    def test_theorem_and_extrapolated_curve_agree(self, dependence: Dependence, s: float, expected: float) -> None:
        inst = instance(dependence, intercept=0.5, s=s)
        assert theorem_exponent(inst) == pytest.approx(expected)
        right, wrong = (
            vf.Claim(
                id="X",
                title="x",
                statement="x",
                source="x",
                domain=st.nothing(),
                predict=lambda inst, exponent=exponent: vf.Exponent(exponent),  # type: ignore[misc]
            )
            for exponent in (expected, expected + 0.05)
        )
        assert assess(right, inst).verdict == "consistent"
        assert assess(wrong, inst).verdict == "violated"

    def test_centred_inputs_do_not_hear_the_mean(self) -> None:
        dependence = Dependent(White(), FractionalNoise(0.9))
        centred = Instance(PowerLaw(beta=1.5), CriticalTarget(s=0.4), Noise(1.0), dependence=dependence)
        assert theorem_exponent(centred) == pytest.approx(1.2 / 2.2)
        assert theorem_exponent(centred, "schedule") == pytest.approx(1.2 / 2.2)
        assert theorem_exponent(instance(dependence), "schedule") == pytest.approx(0.2)

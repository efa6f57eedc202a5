"""Early stopping: the sum of complex ridges against the filter, the equivalent and the simulation against descents that are run for
real, limits, exponents, and what instances refuse.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

import verifier as vf
from verifier.instances import Filter
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.equivalents import equivalent_for, ridge, risk_terms, scheduled_ridge
from verifier.risk.filter_samples import simulate_filter
from verifier.risk.filters import FilterEquivalent, contour, largest_eigenvalue, ridges
from verifier.risk.multi_pass_samples import simulate_multi_pass
from verifier.risk.observables import ExcessRisk
from verifier.risk.simulate import Replicates
from verifier.risk.single_pass_samples import simulate_single_pass
from verifier.verdicts import certify as certification
from verifier.verdicts.certify import agreement_constant, certify
from verifier.verdicts.judge import assess

Array = NDArray[np.float64]


def an_instance(
    beta: float, s: float, sigma: float, chosen: Filter, size: int | None = None, scale: float = 1.0
) -> vf.Instance:
    spectrum = vf.PowerLaw(beta, scale)
    return vf.Instance(
        spectrum if size is None else vf.Truncated(spectrum, size), vf.CriticalTarget(s), vf.Noise(sigma), filter=chosen
    )


SETTINGS = [  # beta, s, sigma, scale, filter, n, number of steps where it has any
    (2.0, 0.5, 1.0, 1.0, vf.GradientFlow(), 60, 0),
    (1.5, 0.3, 0.3, 1.0, vf.GradientDescent(0.5), 80, 40),
    (2.0, 1.5, 0.5, 1.0, vf.GradientDescent(0.1), 100, 60),
    (1.2, 0.8, 0.5, 5.0, vf.GradientFlow(), 50, 0),
    (3.0, 2.0, 0.5, 0.2, vf.GradientDescent(0.5), 60, 15),
    (2.0, 0.5, 0.3, 0.1, vf.GradientDescent(0.5), 50, 3),
    (2.0, 0.7, 0.5, 2.0, vf.HeavyBall(0.05, 0.4), 60, 30),
]


def at_lambda(
    setting: tuple[float, float, float, float, Filter, int, int], size: int | None
) -> tuple[vf.Instance, float]:
    beta, s, sigma, scale, chosen, n, steps = setting
    instance = an_instance(beta, s, sigma, chosen, size, scale)
    if isinstance(chosen, vf.GradientDescent | vf.HeavyBall):  # lambda = 1 / (eta t), or (1 - mu)/(eta t)
        return instance, (1.0 - getattr(chosen, "momentum", 0.0)) * scale / (chosen.step * steps)
    return instance, float(scheduled_ridge(instance, float(n)))


def real_descents(
    setting: tuple[float, float, float, float, Filter, int, int], p: int, count: int
) -> tuple[float, float]:
    """Mean risk, and its standard error, of descents on explicit samples: loops over steps, or the exponential of a matrix."""
    beta, s, sigma, scale, chosen, n, steps = setting
    _, lam = at_lambda(setting, p)
    generator = np.random.default_rng(7)
    i = np.arange(1.0, p + 1.0)
    ell = scale * i**-beta
    # Critical: sum_{j > k} g_j^2 l_j^(2s) = l_k^(2s) to leading order is what CriticalTarget states; taken from the instance.
    log_l = np.log(ell)
    target = an_instance(beta, s, sigma, chosen, p, scale).target
    f2 = np.exp(target.log_energy(np.log(i), log_l) + 2.0 * target.l2_index * log_l)
    risks = []
    for _ in range(count):
        x = generator.standard_normal((n, p)) * np.sqrt(ell)
        theta = np.sqrt(f2 / ell) * generator.choice([-1.0, 1.0], p)
        labels = x @ theta + sigma * generator.standard_normal(n)
        if isinstance(chosen, vf.GradientDescent | vf.HeavyBall):
            eta, found, last, mu = chosen.step / scale, np.zeros(p), np.zeros(p), getattr(chosen, "momentum", 0.0)
            for _ in range(steps):
                last, found = found, found + eta * x.T @ (labels - x @ found) / n + mu * (found - last)
        else:
            values, vectors = np.linalg.eigh(x.T @ x / n)
            values = np.maximum(values, 1e-300)
            found = vectors @ (-np.expm1(-values / lam) / values * (vectors.T @ (x.T @ labels / n)))
        risks.append(float(ell @ (found - theta) ** 2))
    return float(np.mean(risks)), float(np.std(risks, ddof=1) / math.sqrt(count))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[4].describe())
@pytest.mark.thorough
def test_equivalent_and_simulation_agree_with_real_descents(
    setting: tuple[float, float, float, float, Filter, int, int],
) -> None:
    n, (instance, lam) = setting[5], at_lambda(setting, 200)
    mean, stderr = real_descents(setting, 200, 400)
    expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
    assert abs(mean - expected) <= 3.5 * stderr + agreement_constant(instance) / n * expected
    for directions in (40, 200):  # most of them replaced by their means, and none
        samples = simulate_filter(instance, [(n, lam)], Replicates(200, 1), directions)[:, 0]
        spread = math.hypot(stderr, float(samples.std(ddof=1)) / math.sqrt(200))
        assert abs(mean - samples.mean()) <= 3.5 * spread + 0.5 / n * mean * (directions == 40)


@pytest.mark.parametrize("step", [0.5, 0.01])
def test_descent_makes_three_steps_at_least(step: float) -> None:
    instance = an_instance(2.0, 0.5, 0.3, vf.GradientDescent(step), 60)
    n, earliest = 40, vf.GradientDescent(step).earliest(1.0)
    ridges_asked = earliest * np.array([1.0, 1.3, 20.0, 1e6])
    risks = np.asarray(vf.equivalent_risk(instance, n=n, lam=ridges_asked))
    np.testing.assert_allclose(risks, risks[0], rtol=1e-12)
    simulated = simulate_filter(instance, [(n, float(lam)) for lam in ridges_asked], Replicates(3, 0))
    np.testing.assert_allclose(simulated, simulated[:, :1] * np.ones(4), rtol=1e-12)
    assert float(vf.optimal_ridge(instance, n)) <= earliest
    loud = an_instance(2.0, 0.5, 30.0, vf.GradientDescent(0.5))  # noise that is best not listened to
    assert 0.5 < float(vf.optimal_ridge(loud, 50)) / vf.GradientDescent(0.5).earliest(1.0) <= 1.0


def test_twice_as_many_steps_are_noticed() -> None:
    setting = SETTINGS[1]
    instance, lam = at_lambda(setting, 200)
    mean, stderr = real_descents((*setting[:6], 80), 200, 400)
    expected = float(vf.equivalent_risk(instance, n=setting[5], lam=lam))
    assert abs(mean - expected) > 3.5 * stderr + agreement_constant(instance) / setting[5] * expected


# ------------------------------------------------------------------------------------------- a filter as a sum of ridges


def test_the_contour_is_the_exponential() -> None:
    u = np.concatenate([[0.0], np.logspace(-8, 8, 500)])
    for poles, error in ((12, 3e-7), (16, 2e-9), (24, 1e-13)):
        zeta, weight = contour(poles)
        found = 2.0 * np.real(np.sum(weight / (zeta + u[:, None]), axis=1))
        assert np.max(np.abs(found - np.exp(-u))) < error


@pytest.mark.parametrize(
    "chosen", [vf.GradientFlow(), vf.GradientDescent(0.5), vf.GradientDescent(0.02), vf.HeavyBall(0.02, 0.6)]
)
def test_complex_ridges_make_the_filter(chosen: Filter) -> None:
    instance = an_instance(2.0, 0.5, 1.0, chosen, scale=3.0)
    lam = np.array([0.3, 1e-3, 1e-9])
    z, weight = ridges(instance, lam)
    x = np.concatenate([np.logspace(-12, math.log10(3.3), 300)])  # up to a tenth above l_1
    residual = 2.0 * np.real(np.sum((weight * z)[:, None, :] / (x[:, None] + z[:, None, :]), axis=2))
    exact = np.stack([1.0 - chosen.learnt(x, float(each), largest_eigenvalue(instance)) for each in lam])
    forgotten = 1e-6 if not isinstance(chosen, vf.HeavyBall) else 1e-4  # the other mode, at the earliest stop
    assert np.max(np.abs(residual[0] - exact[0])) < forgotten
    assert np.max(np.abs(residual[1:] - exact[1:])) < 1e-6
    if isinstance(chosen, vf.GradientDescent):
        steps = chosen.steps(1e-3, 3.0)
        np.testing.assert_allclose(exact[1], (1.0 - chosen.step / 3.0 * x) ** steps, rtol=1e-9, atol=1e-15)


def test_momentum_is_its_recursion() -> None:
    chosen, scale = vf.HeavyBall(0.05, 0.4), 3.0
    x = np.concatenate(
        [[1e-300, 1e-12], np.logspace(-6, math.log10(2.5 * scale), 40)]
    )  # beyond 2 l_1 directions oscillate
    eta, steps = chosen.step / scale, 40
    last, found = np.zeros_like(x), np.zeros_like(x)  # what is learnt of a coefficient of one
    for _ in range(steps):
        last, found = found, found + eta * x * (1.0 - found) + chosen.momentum * (found - last)
    np.testing.assert_allclose(chosen.learnt(x, (1.0 - chosen.momentum) / (eta * steps), scale), found, rtol=1e-9)


def test_small_steps_are_a_flow() -> None:
    n = np.array([100.0, 1e4, 1e8])
    flow, small = (
        np.asarray(vf.equivalent_risk(an_instance(2.0, 0.7, 0.5, chosen), n=n, lam="schedule"))
        for chosen in (vf.GradientFlow(), vf.GradientDescent(0.001))
    )
    np.testing.assert_allclose(small, flow, rtol=2e-3)


def test_at_large_n_the_risk_is_that_of_the_population() -> None:
    instance = an_instance(1.7, 1.4, 0.5, vf.GradientFlow(), size=3000)
    n = 1e9
    lam = float(scheduled_ridge(instance, n))
    i = np.arange(1.0, 3001.0)
    log_l = -1.7 * np.log(i)
    f2 = np.exp(instance.target.log_energy(np.log(i), log_l) + 2.0 * instance.target.l2_index * log_l)
    decay = np.exp(-np.exp(log_l) / lam)
    bias, noise = (float(term[0]) for term in risk_terms(instance, n=np.array([n]), lam=lam))
    assert bias == pytest.approx(float(f2 @ decay**2), rel=1e-4)
    assert noise == pytest.approx(0.25 / n * float(np.sum((1.0 - decay) ** 2)), rel=1e-4)


def test_the_corrected_risk_meets_the_leading_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where N/n is small enough for the leading terms alone, the sum over pairs of poles says the same."""
    import verifier.risk.filters as module

    instance = an_instance(2.0, 1.5, 0.5, vf.GradientFlow())
    n = np.exp(np.array([40.0, 60.0, 90.0]))
    short = np.asarray(vf.equivalent_risk(instance, n=n, lam="schedule"))
    monkeypatch.setattr(module, "SETTLED", 0.0)
    np.testing.assert_allclose(vf.equivalent_risk(instance, n=n, lam="schedule"), short, rtol=1e-7)


def test_the_oracle_stops_at_the_best_time() -> None:
    for beta, s, sigma in ((2.0, 0.5, 1.0), (1.3, 1.7, 0.2), (3.0, 0.9, 0.05)):
        instance = an_instance(beta, s, sigma, vf.GradientFlow())
        for n in (200.0, 1e5, 1e10):
            best = float(vf.optimal_ridge(instance, n))
            risk = float(vf.equivalent_risk(instance, n=n, lam=best))
            around = np.asarray(vf.equivalent_risk(instance, n=n, lam=best * np.exp(np.linspace(-3.0, 3.0, 61))))
            share = float(vf.effective_dimension(instance, best)) / n
            assert risk <= float(around.min()) * (1.0 + 2.0 * share**2 + 1e-9)


# ------------------------------------------------------------------------------------------------------------- exponents


@pytest.mark.parametrize("tuning", ["schedule", "optimal"])
@pytest.mark.parametrize(
    ("s", "chosen"), [(0.3, vf.GradientFlow()), (1.0, vf.GradientDescent(0.2)), (2.5, vf.GradientFlow())]
)
def test_exponents_have_no_saturation(s: float, chosen: Filter, tuning: str) -> None:
    instance = an_instance(1.6, s, 0.5, chosen)
    exponent = theorem_exponent(instance, tuning)
    assert exponent == pytest.approx(2.0 * s / (2.0 * s + 1.0 / 1.6))
    low, high = ExcessRisk().log_range(instance, tuning)
    log_n = np.linspace(0.5 * high, high, 3)
    values = ExcessRisk().log_values(instance, log_n, tuning)
    np.testing.assert_allclose(-np.diff(values) / np.diff(log_n), exponent, atol=2e-4)
    claim = vf.Claim(
        id="X1/flow",
        title="t",
        statement="s",
        source="x",
        domain=st.just(instance),
        predict=lambda inst: vf.Exponent(exponent + 0.02),
        tuning=tuning,
    )
    assert assess(claim, instance).verdict == "violated"
    assert low < high


@pytest.mark.parametrize("s", [0.3, 1.0, 2.0])
def test_certification_accepts_the_equivalent_and_refuses_another(s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = an_instance(2.0, s, 0.3, vf.GradientFlow())
    experiment = ExcessRisk().experiment(instance, "schedule", (64, 128, 3200))
    assert experiment is not None
    assert certify(experiment, seed=3, replicates=16, z=4.7).agrees
    right = certification.equivalent_risk

    def of_a_ridge(inst: vf.Instance, **arguments: object) -> object:
        return right(dataclasses.replace(inst, filter=vf.Ridge()), **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(certification, "equivalent_risk", of_a_ridge)
    assert not certify(experiment, seed=3, replicates=16, z=4.7).agrees


@pytest.mark.thorough
def test_the_error_of_the_equivalent_is_what_is_allowed() -> None:
    """2s (2s + 1)/n of the bias, from the scatter of a sample's eigenvalues, where the bias is most of the risk."""
    n = 100
    for s in (1.0, 2.0):
        instance = an_instance(3.0, s, 0.05, vf.GradientFlow())
        lam = 0.2
        expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
        samples = simulate_filter(instance, [(n, lam)], Replicates(1500, 5, antithetic=True), 64)[:, 0]
        off = (samples.mean() / expected - 1.0) * n
        noise = samples.std(ddof=1) / math.sqrt(1500) / expected * n
        assert off <= agreement_constant(instance) + 3.0 * noise
        assert off >= 3.0 * noise  # it is there


# --------------------------------------------------------------------------------------------------------------- refusals


def test_instances_are_recorded_and_described() -> None:
    instance = an_instance(2.0, 0.5, 1.0, vf.GradientDescent(0.1))
    assert vf.Instance.from_json(instance.to_json()) == instance
    assert "gradient descent of step 0.1/l_1" in instance.describe()
    plain = dataclasses.replace(instance, filter=vf.Ridge())
    assert "filter" not in plain.to_json()
    assert isinstance(equivalent_for(instance, np.array([100.0]), np.array([0.1])), FilterEquivalent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": vf.GaussianFeatures(10.0, 0.0)}, "finitely many features"),
        ({"dependence": vf.PerCoordinate((0.5, 0.2))}, "correlations over time differ"),
        ({"noise": vf.Noise(0.0)}, "label noise"),
        ({"target": vf.BallTarget(0.5)}, "single target"),
        ({"design": vf.RademacherDesign()}, "Gaussian inputs"),
        ({"transform": vf.RankOneTransform()}, "diagonal in the basis"),
        ({"filter": vf.GradientFlow}, "is not a filter"),
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(an_instance(2.0, 0.5, 1.0, vf.GradientFlow()), **change)


@pytest.mark.parametrize("step", [0.0, 0.6, math.nan, 1e-4])
def test_a_step_that_may_diverge_is_refused(step: float) -> None:
    with pytest.raises(ValueError, match="step"):
        vf.GradientDescent(step)


def test_sampled_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="both are averaged"):
        simulate_filter(an_instance(2.0, 0.5, 1.0, vf.GradientFlow()), [(50, 0.1)], Replicates(2, noise="sampled"))


# ------------------------------------------------------------------------------------------------------------ single pass


def recursion(instance: vf.Instance, p: int, n: int, eta: float, averaged: bool) -> float:
    """Expected risk of a single pass, step by step (Isserlis' theorem), in the p directions that there are."""
    i = np.arange(1.0, p + 1.0)
    log_l = instance.spectrum.log_eigenvalues(np.log(i))
    ell = np.exp(log_l)
    f2 = np.exp(instance.target.log_energy(np.log(i), log_l) + 2.0 * instance.target.l2_index * log_l)
    m, total, b = f2 / ell, np.zeros(p), 1.0 - eta * ell
    for t in range(n):
        total += m * ((1.0 + b) / (1.0 - b) - 2.0 * b ** (n - t) / (1.0 - b))
        m = (1.0 - 2.0 * eta * ell + 2.0 * (eta * ell) ** 2) * m + eta**2 * ell * (ell @ m + instance.sigma**2)
    return float(ell @ total) / n**2 if averaged else float(ell @ m)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize(
    ("beta", "s", "sigma", "n"), [(2.0, 0.5, 1.0, 100), (1.3, 0.2, 0.5, 300), (1.5, 2.0, 0.3, 2000)]
)
def test_the_risk_of_a_single_pass_is_that_of_its_recursion(
    beta: float, s: float, sigma: float, n: int, averaged: bool
) -> None:
    instance = an_instance(beta, s, sigma, vf.SinglePass(averaged), size=60)
    lam = float(scheduled_ridge(instance, float(n)))
    trace = float(np.sum(np.arange(1.0, 61.0) ** -beta))
    eta = min(1.0 / (lam * n), 0.5 / trace)
    found = float(vf.equivalent_risk(instance, n=n, lam=lam))
    assert found == pytest.approx(recursion(instance, 60, n, eta, averaged), rel=1e-6)
    assert found != pytest.approx(recursion(instance, 60, n, 1.05 * eta, averaged), rel=1e-3)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.thorough
def test_passes_that_are_made_have_that_mean(averaged: bool) -> None:
    """Explicit stochastic descents with drawn labels, and the simulation with few and many directions."""
    p, n, lam, sigma = 60, 150, 0.08, 0.3
    instance = an_instance(1.5, 0.6, sigma, vf.SinglePass(averaged), size=p)
    expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
    generator = np.random.default_rng(1)
    ell = np.arange(1.0, p + 1.0) ** -1.5
    f2 = np.exp(instance.target.log_energy(np.log(np.arange(1.0, p + 1.0)), np.log(ell)) + 1.2 * np.log(ell))
    eta = min(1.0 / (lam * n), 0.5 / float(ell.sum()))
    risks = []
    for _ in range(400):
        theta = np.sqrt(f2 / ell) * generator.choice([-1.0, 1.0], p)
        found, mean = np.zeros(p), np.zeros(p)
        for _ in range(n):
            mean += found / n
            x = np.sqrt(ell) * generator.standard_normal(p)
            found = found + eta * (x @ (theta - found) + sigma * generator.standard_normal()) * x
        risks.append(float(ell @ ((mean if averaged else found) - theta) ** 2))
    assert abs(np.mean(risks) - expected) <= 3.5 * np.std(risks, ddof=1) / math.sqrt(400)
    assert np.std(risks, ddof=1) / math.sqrt(400) < 0.06 * expected
    for directions in (4, 16, p):
        samples = simulate_single_pass(instance, [(n, lam)], Replicates(300, 2), directions)[:, 0]
        assert abs(samples.mean() - expected) <= 3.5 * samples.std(ddof=1) / math.sqrt(300)


def test_the_largest_step_bounds_every_rule() -> None:
    instance = an_instance(2.0, 0.5, 1.0, vf.SinglePass(True))
    n = np.array([100.0, 1e4])
    capped = np.asarray(vf.equivalent_risk(instance, n=n, lam=0.0))
    np.testing.assert_array_equal(vf.equivalent_risk(instance, n=n, lam=1e-9), capped)
    with pytest.raises(ValueError, match="averaged"):
        vf.SinglePass(averaged=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("beta", "s", "averaged", "exponent"),
    [
        (2.0, 0.5, True, 2 / 3),
        (2.0, 0.5, False, 1 / 3),
        (2.0, 0.1, True, 0.2),
        (4.0, 0.3, True, 0.6),
        (1.5, 0.9, True, 1.8 / (1.8 + 1 / 1.5)),
    ],
)
def test_exponents_of_a_single_pass(beta: float, s: float, averaged: bool, exponent: float) -> None:
    instance = an_instance(beta, s, 0.5, vf.SinglePass(averaged))
    assert theorem_exponent(instance, "schedule") == pytest.approx(exponent)
    log_n = np.array([100.0, 120.0])
    values = ExcessRisk().log_values(instance, log_n, "schedule")
    assert -float(np.diff(values)[0]) / 20.0 == pytest.approx(exponent, abs=2e-3)


STEPPED = [vf.SinglePass(False), vf.SinglePass(True), vf.MultiPass(1.5, False), vf.MultiPass(1.25, True)]


@pytest.mark.parametrize("chosen", STEPPED, ids=lambda chosen: chosen.describe())
@pytest.mark.parametrize(("beta", "s", "sigma"), [(1.5, 0.3, 1.0), (2.0, 0.5, 0.1), (3.0, 0.9, 1.0), (1.2, 0.1, 10.0)])
def test_no_step_is_better_than_the_best_one(beta: float, s: float, sigma: float, chosen: Filter) -> None:
    """Beside steps up to e^4 times as large and small: within a twentieth from n = 1e3 on, exactly far out."""
    instance = an_instance(beta, s, sigma, chosen)
    for n, close in ((1e3, 0.05), (1e5, 0.03), (1e20, 1e-4)):
        best = float(ridge(instance, n, "optimal"))
        others = vf.equivalent_risk(instance, n=np.full(81, n), lam=best * np.exp(np.linspace(-4.0, 4.0, 81)))
        found = float(vf.equivalent_risk(instance, n=n, lam="optimal"))
        assert found <= (1.0 + close) * np.min(others)
        assert np.max(others) > 1.2 * found  # steps that are wrong are seen to be


@pytest.mark.parametrize(
    ("beta", "s", "chosen", "exponent"),
    [
        (2.0, 0.5, vf.SinglePass(False), 1 / 2),
        (1.5, 0.3, vf.SinglePass(False), 0.6 / 1.6),
        (2.0, 0.5, vf.SinglePass(True), 2 / 3),
        (4.0, 0.1, vf.SinglePass(True), 0.2),
        (2.0, 0.2, vf.MultiPass(1.25, False), 1.25 * 0.4 / 1.4),
        (2.0, 0.5, vf.MultiPass(1.75, False), 2 / 3),
        (4.0, 0.1, vf.MultiPass(1.25, True), 0.25),
        (2.0, 0.3, vf.MultiPass(1.25, True), 0.6 / 1.1),
    ],
)
def test_exponents_of_the_best_step(beta: float, s: float, chosen: Filter, exponent: float) -> None:
    instance = an_instance(beta, s, 0.5, chosen)
    assert theorem_exponent(instance, "optimal") == pytest.approx(exponent)
    values = ExcessRisk().log_values(instance, np.array([100.0, 120.0]), "optimal")
    assert -float(np.diff(values)[0]) / 20.0 == pytest.approx(exponent, abs=2e-3)


@pytest.mark.parametrize(("averaged", "exponent"), [(True, 0.5), (False, 0.25)])
def test_the_risk_of_draws_is_that_of_draws_that_are_made(averaged: bool, exponent: float) -> None:
    """Between the variance of the draws and none of it, and with the exponent of the formula far out."""
    instance = an_instance(2.0, 0.25, 0.5, vf.MultiPass(1.25, averaged))
    n, lam = 60, 60.0**-1.0
    samples = simulate_multi_pass(instance, [(n, lam)], Replicates(48, 5))[:, 0]
    expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
    stderr = samples.std(ddof=1) / math.sqrt(48)
    assert abs(samples.mean() - expected) <= 3.5 * stderr + 0.07 * expected  # 4/n
    assert theorem_exponent(instance, "schedule") == pytest.approx(exponent)
    values = ExcessRisk().log_values(instance, np.array([100.0, 120.0]), "schedule")
    assert -float(np.diff(values)[0]) / 20.0 == pytest.approx(exponent, abs=2e-3)


def test_far_directions_of_an_averaged_pass_do_not_cancel() -> None:
    """Where beta is close to one half of the risk is in directions of eta l = 1e-20: simulated as in the equivalent."""
    instance = an_instance(1.2, 0.05, 1.0, vf.SinglePass(True))
    n, lam = 200, float(scheduled_ridge(instance, 200.0))
    samples = simulate_single_pass(instance, [(n, lam)], Replicates(32, 1))[:, 0]
    expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
    assert abs(samples.mean() - expected) <= 3.5 * samples.std(ddof=1) / math.sqrt(32) + 0.01 * expected


@pytest.mark.parametrize(("beta", "s"), [(3.0, 0.3), (2.5, 0.2)])
def test_a_best_step_that_stays_at_its_bound_is_followed_from_the_start(beta: float, s: float) -> None:
    """One pass is not enough, p > 1: the bound is never left, and where steps are no longer resolved it is not left either."""
    instance = an_instance(beta, s, 5.0, vf.SinglePass(True))
    start, end = ExcessRisk().log_range(instance, "optimal")
    assert start < 20.0 < 200.0 < end
    values = ExcessRisk().log_values(instance, np.array([100.0, 120.0]), "optimal")
    assert -float(np.diff(values)[0]) / 20.0 == pytest.approx(2.0 * s, abs=2e-3)

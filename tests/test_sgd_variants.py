"""benchmarks/sgd_variants.py: its formulas against sums that are written out, its recursion against SGD that is run and against the
exact risk of constant steps, its simulation against the formulas, and a run from one end to the other at small sizes.
"""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import verifier as vf
from verifier.risk.equivalents import equivalent_for

SCRIPT = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "sgd_variants.py"))


@pytest.mark.parametrize("eta", [0.3, 1e-3, 1e-7])
def test_first_order_is_the_sum_over_weights(eta: float) -> None:
    n, count, ell = 7, 3, np.array([1.0, 0.3, 0.01])
    found = SCRIPT["linear"](ell, eta, n, count)
    left = np.arange(n * count - 1, -1, -1)  # steps that follow
    keep = (1.0 - eta * ell)[:, None]
    # What is added to an iterate is in it and in those that follow: a sum of powers.
    after = np.concatenate([np.zeros((len(ell), 1)), np.cumsum(keep ** np.arange(n * count - 1), axis=1)], axis=1)
    for iterate, weights in {"last": keep**left, "mean": after[:, left] / (n * count)}.items():
        passes = (eta * ell)[:, None, None] * weights.reshape(len(ell), count, n)
        uneven = passes - passes.mean(axis=2, keepdims=True)
        assert found["replacement", iterate] == pytest.approx(np.sum(passes**2), rel=1e-3)
        assert found["reshuffled", iterate] == pytest.approx(np.sum(uneven**2), rel=1e-3)
        assert found["cycles", iterate] == pytest.approx(np.sum(uneven.sum(axis=1) ** 2), rel=1e-3)


def test_orders_leave_the_same_floor_where_a_pass_forgets_its_beginning() -> None:
    found = {n: SCRIPT["linear"](np.ones(1), 0.1, n, 5) for n in (1_000, 10_000)}
    for order in ("reshuffled", "cycles"):
        off = [1.0 - found[n][order, "last"] / found[n]["replacement", "last"] for n in found]
        assert off == pytest.approx([0.019, 0.0019], rel=1e-3)  # (1 + r)/(n (1 - r))
    few = SCRIPT["linear"](np.ones(1), 1e-5, 1_000, 10**6)
    ratios = [few[order, "last"] / few["replacement", "last"] for order in ("reshuffled", "cycles")]
    assert ratios == pytest.approx([0.01**2 / 12.0, 0.01 / 6.0], rel=0.02)


def test_predicted_exponents_are_those_of_the_formula_far_out() -> None:
    for passes in SCRIPT["PASSES"]:
        for order in SCRIPT["ORDERS"]:
            # At n = 1e10 eta n = n^(1/6) is no more than 46.
            within = 0.03 if passes.name == "n^(1/2) passes, g = p" else 0.005
            found = SCRIPT["far_slope"](passes, order, "last")
            assert passes.predicted(order, "last") == pytest.approx(found, abs=within)


def test_simulated_passes_deviate_as_the_formulas_say() -> None:
    passes, samples = SCRIPT["Passes"]("test", 1.5, 0.4, (64,)), 48
    frame = pd.DataFrame(SCRIPT["run"](passes, 64, 0, samples, 0, directions=12))
    error = frame.std(ddof=1) / math.sqrt(samples)
    for order in SCRIPT["ORDERS"]:
        name = f"{order} last"
        assert abs(frame[name].mean() - frame[f"{name} second"].mean()) < 4.0 * error[name]
    # The mean over draws with replacement is descent.
    crossed = frame["replacement last risk"] - frame["descent last"] - frame["replacement last"]
    assert abs(crossed.mean()) < 4.0 * crossed.std(ddof=1) / math.sqrt(samples)
    assert frame["replacement last"].mean() > 4.0 * frame["cycles last"].mean() > 4.0 * frame["reshuffled last"].mean()
    assert frame["replacement mean"].mean() > 4.0 * frame["cycles mean"].mean() > 4.0 * frame["reshuffled mean"].mean()


def test_descent_is_that_of_steps_that_are_made() -> None:
    generator = np.random.default_rng(0)
    x, labels, theta = generator.standard_normal((6, 9)), generator.standard_normal(6), np.zeros(9)
    total, squares = np.zeros(9), []
    for _ in range(50):
        total += theta
        squares.append(np.mean((labels - x @ theta) ** 2))
        theta = theta + 0.05 * x.T @ (labels - x @ theta) / 6
    found = SCRIPT["descent"](x, labels, 0.05, 50)
    np.testing.assert_allclose(found["last"][0], theta, rtol=1e-9)
    np.testing.assert_allclose(found["mean"][0], total / 50, rtol=1e-9)
    assert found["last"][1] == pytest.approx(np.mean((labels - x @ theta) ** 2))
    assert found["mean"][1] == pytest.approx(np.mean(squares))


def test_recursion_is_the_mean_risk_of_sgd() -> None:
    ell, energy, sigma = np.arange(1.0, 7.0) ** -1.5, np.arange(1.0, 7.0) ** -2.0, 0.7
    modes = SCRIPT["Modes"](ell, ell**2, energy, float(ell.sum()))
    steps = 0.5 / ell.sum() * (1.0 + np.arange(40) / 5.0) ** -0.8
    expected = [float(each[0]) for each in SCRIPT["single_pass"]([modes], steps[None], np.array([sigma]), np.ones(1))]
    generator, chains = np.random.default_rng(1), 40_000
    error = np.tile(np.sqrt(energy / ell), (chains, 1))
    total = np.zeros_like(error)
    for eta in steps:
        total += error
        x = generator.standard_normal(error.shape) * np.sqrt(ell)
        error = error - eta * (np.sum(x * error, axis=1) + sigma * generator.standard_normal(chains))[:, None] * x
    for want, ours in zip(expected, (error, total / len(steps)), strict=True):
        risks = ours**2 @ ell
        assert abs(risks.mean() - want) < 4.0 * risks.std(ddof=1) / math.sqrt(chains)


@pytest.mark.parametrize("averaged", [False, True])
def test_recursion_of_constant_steps_is_the_exact_risk(averaged: bool) -> None:
    modes, n = SCRIPT["grouped"](2.0, 0.5), 512
    eta = 0.4 / modes.trace
    instance = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(0.5), vf.Noise(1.0), filter=vf.SinglePass(averaged))
    lam = np.array([1.0 / (eta * n)])
    exact = equivalent_for(instance, np.array([float(n)]), lam).terms(np.array([float(n)]), lam)
    apart = np.array([0.0, 1.0])
    found = SCRIPT["single_pass"]([modes, modes], np.full((2, n), eta), apart, 1.0 - apart)[averaged]
    np.testing.assert_allclose(found, np.concatenate(exact), rtol=1e-4)


def test_slope_of_a_power() -> None:
    n = np.array([100.0, 300.0, 1000.0])
    found, error = SCRIPT["slope"](n, 3.0 * n**-0.7, 0.3 * n**-0.7)
    assert found == pytest.approx(0.7)
    assert error == pytest.approx(0.1 / np.linalg.norm(np.log(n) - np.log(n).mean()))


def test_exponents_of_decaying_steps() -> None:
    by_name = {steps.name: steps for steps in SCRIPT["STEPS"]}
    assert by_name["k^-c, c = 2s/(2s + 1)"].last(2.0, 0.5) == pytest.approx(0.5)
    assert by_name["k^-c, c = 1 - p"].mean(2.0, 0.5) == pytest.approx(2.0 / 3.0)
    for beta, s in SCRIPT["PLACES"]:
        exponents = [SCRIPT["turned"](c).last(beta, s) for c in (1.0, 2.0, 4.0, 1e9)]
        assert exponents == sorted(exponents)
        assert exponents[0] == pytest.approx(2.0 * s / (2.0 * s + 1.0))
        assert exponents[-1] == pytest.approx(2.0 * s / (2.0 * s + 1.0 / beta))


@pytest.mark.thorough
def test_from_one_end_to_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results" / "variants.csv"
    found = SCRIPT["main"](["--samples", "2", "--largest", "100", "--longest", "4096", "--out", str(out)])
    written = pd.read_csv(out)
    assert len(written) == len(found)
    assert set(written["part"]) == {"orders", "steps"}
    assert (written["deviation"].dropna() > 0.0).all()
    told = capsys.readouterr()
    assert "| 2, 0.5 | halved log2 n times | last | 0.667 |" in told.out
    assert "4 passes, g = p: n = 100, 4 passes" in told.err
    with pytest.raises(SystemExit):
        SCRIPT["main"](["--only", "passes"])

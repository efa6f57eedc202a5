"""Contexts of several heads: records, the equivalent against that of one mixture and of real regressions, exponents, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

import verifier as vf
from verifier.risk.asymptotics import has_exact_order, theorem_exponent
from verifier.risk.equivalents import equivalent_risk, optimal_ridge, watched_parts
from verifier.risk.multihead import at_whole_heads
from verifier.risk.observables import ExcessRisk
from verifier.verdicts.certify import certify

KINDS = (vf.DisjointHeads, vf.CodiagonalHeads)


def an_instance(context: vf.Context, beta: float = 2.0, s: float = 0.5, sigma: float = 1.0) -> vf.Instance:
    return vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s), vf.Noise(sigma), context=context)


@pytest.mark.parametrize("kind", KINDS)
def test_a_context_can_be_recorded_and_one_head_is_left_out(kind: type) -> None:
    instance = an_instance(kind(vf.PowerLaw(2.5), factor=2.0, degree=0.3, logarithms=1.0, weighting=0.5))
    assert vf.Instance.from_json(instance.to_json()) == instance
    assert "2 n^0.3 ln n heads" in instance.describe()
    assert "context" not in an_instance(vf.OneHead()).to_json()


def test_the_number_of_heads_follows_its_law() -> None:
    context = vf.DisjointHeads(factor=0.1, degree=0.5)
    assert context.heads([1.0, 1e4]) == pytest.approx([1.0, 10.0])
    assert context.log_onset == pytest.approx(math.log(100.0), abs=0.3)
    assert vf.DisjointHeads(logarithms=1.0).heads(math.e**5) == pytest.approx(5.0)
    assert vf.DisjointHeads(factor=4.0, weighting=0.5).log_weight(10.0) == pytest.approx(-math.log(2.0))
    assert at_whole_heads(an_instance(vf.DisjointHeads(degree=0.5)), 1600.0).context.heads(7.0) == 40.0


@pytest.mark.parametrize(
    ("heads", "beta", "added", "scale", "s"),
    [(3, 2.0, 2.5, 1.0, 0.4), (10, 1.5, 1.2, 0.1, 0.3), (5, 2.0, 2.0, 10.0, 0.7)],
)
def test_a_fixed_number_of_averaged_heads_in_one_eigenbasis_is_a_mixture(
    heads: int, beta: float, added: float, scale: float, s: float
) -> None:
    first, other = vf.PowerLaw(beta), vf.PowerLaw(added, scale)
    several = an_instance(vf.CodiagonalHeads(other, factor=heads), beta, s, 0.7)
    mixture = vf.Instance(
        vf.Mixture((1.0 / heads, 1.0 - 1.0 / heads), (first, other)),
        vf.CarriedCoefficients(s=s, origin=first),
        vf.Noise(0.7),
    )
    n = np.array([1.0, 10.0, 100.0, 1e4, 1e8, 1e20, 1e50])
    for lam in ("optimal", n**-0.6, n**-1.4, 0.0 * n):
        assert equivalent_risk(several, n=n, lam=lam) == pytest.approx(equivalent_risk(mixture, n=n, lam=lam), rel=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_factor_of_one_is_one_head(kind: type) -> None:
    n = np.array([10.0, 1e3, 1e9])
    assert equivalent_risk(an_instance(kind(factor=1.0)), n=n) == pytest.approx(
        equivalent_risk(an_instance(vf.OneHead()), n=n), rel=1e-8
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_is_the_minimum_and_weights_do_not_matter_to_it(kind: type) -> None:
    n = np.exp(np.linspace(5.0, 100.0, 12))
    risks = []
    for weighting in (0.0, 0.5, 1.0):
        instance = an_instance(kind(vf.PowerLaw(2.3), degree=0.4, weighting=weighting))
        lam = optimal_ridge(instance, n)
        best = np.asarray(equivalent_risk(instance, n=n))
        assert np.asarray(equivalent_risk(instance, n=n, lam=lam)) == pytest.approx(best, rel=1e-8)
        for factor in (0.7, 1.4):
            assert np.all(np.asarray(equivalent_risk(instance, n=n, lam=factor * lam)) > best)
        risks.append(best)
        assert all(np.all(part <= best * (1.0 + 1e-9)) for part in watched_parts(instance, n=n))
    assert risks[0] == pytest.approx(risks[1], rel=1e-8)
    assert risks[0] == pytest.approx(risks[2], rel=1e-8)


EXPONENTS = [  # beta, beta_a, s, g, a
    (2.0, 2.0, 0.5, 0.3, 1.0),
    (2.0, 3.0, 0.3, 0.3, 0.0),
    (1.5, 1.2, 0.7, 0.2, 1.0),
    (3.0, 6.0, 0.4, 0.1, 0.5),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("beta", "added", "s", "g", "a"), EXPONENTS)
def test_exponents_are_those_of_the_equivalent(
    kind: type, beta: float, added: float, s: float, g: float, a: float
) -> None:
    instance = an_instance(kind(vf.PowerLaw(added), degree=g, weighting=a), beta, s)
    n = np.exp(np.array([150.0, 180.0]))
    for tuning in ("optimal", "schedule"):
        risk = np.log(np.asarray(equivalent_risk(instance, n=n, lam=tuning)))
        assert theorem_exponent(instance, tuning) == pytest.approx((risk[0] - risk[1]) / 30.0, abs=2e-3)
    assert has_exact_order(instance)
    assert not has_exact_order(an_instance(kind(logarithms=1.0)))


def real_regressions(instance: vf.Instance, n: int, lam: float, p: int, count: int) -> tuple[float, float]:
    """Mean risk and standard error of ridge regressions on the features of all heads, each side by side, sample by sample."""
    context, generator = instance.context, np.random.default_rng(5)
    assert isinstance(context, vf.DisjointHeads)
    i = np.arange(1.0, p + 1.0)
    heads, weight = round(float(context.heads(n))), float(np.exp(context.log_weight(n)))
    ell = weight * np.concatenate([i**-instance.beta, np.tile(i**-context.added.beta, heads - 1)])
    log_l = instance.spectrum.log_eigenvalues(np.log(i))
    f2 = np.exp(instance.target.log_energy(np.log(i), log_l) + 2.0 * instance.target.l2_index * log_l)
    coefficients = np.concatenate([np.sqrt(f2), np.zeros(len(ell) - p)])
    risks = []
    for _ in range(count):
        z = generator.standard_normal((n, len(ell)))
        labels = z @ coefficients + instance.sigma * generator.standard_normal(n)
        x = z * np.sqrt(ell)
        fitted = np.sqrt(ell) * (x.T @ np.linalg.solve(x @ x.T / n + lam * np.eye(n), labels)) / n
        risks.append(float(np.sum((fitted - coefficients) ** 2)))
    return float(np.mean(risks)), float(np.std(risks, ddof=1) / math.sqrt(count))


@pytest.mark.parametrize("weighting", [0.0, 1.0])
def test_the_equivalent_of_disjoint_heads_is_the_risk_of_real_regressions(weighting: float) -> None:
    instance = an_instance(vf.DisjointHeads(vf.PowerLaw(2.5), factor=4.0, weighting=weighting), sigma=0.5)
    n, lam = 100, 0.02
    mean, stderr = real_regressions(instance, n, lam, 150, 200)
    expected = float(equivalent_risk(instance, n=n, lam=lam))
    assert abs(mean - expected) < 4.0 * stderr + 0.04 * expected


@pytest.mark.parametrize("kind", KINDS)
def test_simulation_agrees_with_the_equivalent(kind: type) -> None:
    instance = an_instance(kind(vf.PowerLaw(2.4), factor=2.0, degree=0.4))
    experiment = ExcessRisk().experiment(instance, "schedule", (50, 200, 1600))
    assert certify(experiment, 1, replicates=16, z=3.5).agrees


def test_what_is_not_known_is_refused() -> None:
    context = vf.DisjointHeads()
    law, target = vf.PowerLaw(2.0), vf.CriticalTarget(0.5)
    with pytest.raises(ValueError, match="context"):
        vf.Instance(law, target, vf.Noise(0.0), context=context)
    with pytest.raises(ValueError, match="context"):
        vf.Instance(law, target, vf.Noise(1.0), context=context, filter=vf.GradientFlow())
    with pytest.raises(ValueError, match="power of the index"):
        vf.Instance(vf.Exponential(1.0), target, vf.Noise(1.0), context=context)
    with pytest.raises(ValueError, match="degree"):
        vf.DisjointHeads(degree=1.0)
    with pytest.raises(ValueError, match="factor"):
        vf.CodiagonalHeads(factor=0.5)
    with pytest.raises(ValueError, match="added"):
        vf.DisjointHeads(added=vf.Exponential(1.0))  # type: ignore[arg-type]

import copy
import json
import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent, Theta
from verifier.instances import (
    BallTarget,
    CriticalTarget,
    Exponential,
    Finite,
    Instance,
    LacunaryTarget,
    Noise,
    PowerLaw,
    SingleEigenfunction,
    SmootherTarget,
    Truncated,
    eigenvalues,
)
from verifier.risk.observables import (
    BiasRatio,
    ConvexityDeficit,
    CountingFunction,
    DimensionAtLastEigenvalue,
    EffectiveDimension,
    ExcessRisk,
    RiskRatio,
    VarianceRatio,
)
from verifier.verdicts.certificates import (
    Certificate,
    _below,
    _counted,
    _dimension,
    _enclosure,
    _first,
    _truncated_mean,
    certificate_for,
    check,
    variance_lower_bound,
)
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, VIOLATED, Judgement

ONE = Finite((1.0,))
SMALL_RIDGE = {"lam": 0.1}


def claim(observable, prediction, **more):
    return Claim(
        id="X1",
        title="a claim",
        statement="as the observable says",
        source="nowhere",
        domain=st.nothing(),
        predict=prediction if callable(prediction) else lambda instance: prediction,
        observable=observable,
        **more,
    )


def instance(spectrum=ONE, target=None, sigma=1.0):
    target = target or SingleEigenfunction(s=1.5)
    return Instance(spectrum=spectrum, target=target, noise=Noise(sigma=sigma))


def violated(prediction, witness=None):
    return Judgement(VIOLATED, prediction, None, None, 1.0, "", witness=witness or {})


def certified(a_claim, an_instance, witness=None):
    return certificate_for(a_claim, an_instance, violated(a_claim.predict(an_instance), witness))


BIAS = claim(BiasRatio(), Bound(1.0))
CONVEX = claim(ConvexityDeficit(), Bound(1.0))
DIMENSION = claim(EffectiveDimension(), Theta(-0.5))
COUNTING = claim(CountingFunction(), Theta(-0.5))
LAST = claim(DimensionAtLastEigenvalue(), Bound(math.inf))
VARIANCE = claim(VarianceRatio(small_samples=True), Bound(math.inf))
RISK = claim(RiskRatio(small_samples=True), Bound(math.inf))
R_ALT = Truncated(PowerLaw(2.0), 64, inverse_index=True)
NOT_CONVEX = instance(PowerLaw(2.0), SingleEigenfunction(s=0.25), sigma=0.01)

CASES = {
    "bias": (BIAS, instance(), SMALL_RIDGE),
    "convexity": (CONVEX, NOT_CONVEX, {"lam": 1.0}),
    "dimension": (DIMENSION, instance(Finite((1.0, 0.25))), None),
    "counting": (COUNTING, instance(Finite((1.0, 0.25))), None),
    "last eigenvalue": (LAST, instance(R_ALT), None),
    "variance": (VARIANCE, instance(), None),
    "variance, p = 3": (VARIANCE, instance(Finite((1.0, 0.5, 0.25))), None),
    "risk": (RISK, instance(), None),
    "risk, p = 2": (RISK, instance(Finite((1.0, 0.5))), None),
    "risk, no noise": (RISK, instance(sigma=0.0), None),
    "risk, no noise, infinite": (RISK, instance(PowerLaw(2.0), CriticalTarget(s=0.5), 0.0), None),
}


@pytest.fixture(params=CASES, ids=str)
def case(request):
    a_claim, an_instance, witness = CASES[request.param]
    found = certified(a_claim, an_instance, witness)
    assert found is not None
    return a_claim, an_instance, found


def test_a_violation_is_certified_and_the_certificate_checks(case):
    a_claim, an_instance, found = case
    assert check(found, a_claim, an_instance)
    assert found.kind == "interval arithmetic"
    assert found.text.endswith(".")
    assert "nan" not in json.dumps(found.data, allow_nan=False)
    assert found.data["digest"] == an_instance.digest


def test_json_round_trip(case):
    a_claim, an_instance, found = case
    again = Certificate.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again == found
    assert check(again, a_claim, an_instance)
    found.to_json()["data"].clear()
    assert found.data


def leaves(value, path=()):
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def test_tampering_with_any_entry_is_detected(case):
    a_claim, an_instance, found = case
    tried = 0
    for path, value in leaves(found.data):
        if isinstance(value, int):
            forgeries = [value + 1, str(value)]
        else:
            forgeries = ["", value + "?", 7, "nan", "inf"]
            try:
                changed = Decimal(value) * Decimal("1.000001") + Decimal("1e-300")
                forgeries += [str(changed), f"-{value}"]
            except ArithmeticError:
                forgeries.append(value[1:])
        for forgery in forgeries:
            data = copy.deepcopy(found.data)
            holder = data
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = forgery
            if forgery == f"-{value}" and Decimal(value) == 0:
                continue
            assert not check(replace(found, data=data), a_claim, an_instance), (path, forgery)
            tried += 1
    assert tried > 20


def test_entries_that_are_missing_or_added_are_detected(case):
    a_claim, an_instance, found = case
    for key in found.data:
        data = {k: v for k, v in found.data.items() if k != key}
        assert not check(replace(found, data=data), a_claim, an_instance)
    assert not check(replace(found, data={**found.data, "more": "1"}), a_claim, an_instance)
    assert not check(replace(found, data={**found.data, "witness": "0.1"}), a_claim, an_instance)
    assert not check(replace(found, data={**found.data, "witness": {"lam": ["0.1"]}}), a_claim, an_instance)


def test_a_certificate_does_not_serve_another_instance_or_claim(case):
    a_claim, an_instance, found = case
    other = replace(an_instance, target=replace(an_instance.target, norm=1.25))
    assert not check(found, a_claim, other)
    assert not check(found, claim(ExcessRisk(), Exponent(0.5)), an_instance)
    assert not check(found, replace(a_claim, hypotheses=(lambda _: False,)), an_instance)


def test_what_is_not_a_violation_gets_no_certificate(case):
    a_claim, an_instance, _ = case
    judged = Judgement(CONSISTENT, a_claim.predict(an_instance), None, None, -1.0, "", witness={"lam": 0.1})
    assert certificate_for(a_claim, an_instance, judged) is None
    out_of_scope = replace(a_claim, hypotheses=(lambda _: False,))
    assert certified(out_of_scope, an_instance, {"lam": 0.1}) is None


def test_the_search_and_the_certificate_agree():
    for a_claim, an_instance in ((BIAS, instance()), (CONVEX, NOT_CONVEX), (LAST, instance(R_ALT))):
        judged = assess(a_claim, an_instance)
        assert judged.verdict == VIOLATED
        found = certificate_for(a_claim, an_instance, judged)
        assert found is not None
        assert check(found, a_claim, an_instance)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"kind": "interval arithmetic", "text": "So."},
        {"kind": "interval arithmetic", "text": "So.", "data": {}, "more": 1},
        {"kind": "a feeling", "text": "So.", "data": {}},
        {"kind": "interval arithmetic", "text": "", "data": {}},
        {"kind": "interval arithmetic", "text": 3, "data": {}},
        {"kind": "interval arithmetic", "text": "So.", "data": []},
        {"kind": "interval arithmetic", "text": "So.", "data": {"x": 0.5}},
        {"kind": "interval arithmetic", "text": "So.", "data": {"x": None}},
        {"kind": "interval arithmetic", "text": "So.", "data": {"x": [{"y": 1j}]}},
        {"kind": "interval arithmetic", "text": "So.", "data": {1: "x"}},
    ],
)
def test_records_that_are_not_certificates_are_refused(record):
    with pytest.raises(ValueError, match=r"must|is a JSON object|keys"):
        Certificate.from_json(record)


# Each certifier against the claim where it is true, and its numbers against a second route.


@pytest.mark.parametrize(
    ("target", "lam"),
    [
        (SingleEigenfunction(s=1.0), 0.1),
        (SingleEigenfunction(s=0.5), 1e-3),
        (SingleEigenfunction(s=1.5), 10.0),  # above the eigenvalue saturation does not bite
        (BallTarget(s=1.0), 0.1),
        (CriticalTarget(s=0.7), 0.1),
    ],
)
def test_the_bias_bound_is_not_refuted_where_it_is_true(target, lam):
    an_instance = instance(Finite((1.0, 0.5)), target)
    assert certified(BIAS, an_instance, {"lam": lam}) is None
    stolen = certified(BIAS, instance(), SMALL_RIDGE)
    assert not check(stolen, BIAS, an_instance)


@pytest.mark.parametrize("witness", [{}, {"lam": 0.0}, {"lam": -1.0}, {"lam": math.inf}, {"lam": math.nan}])
def test_a_bias_certificate_needs_a_ridge(witness):
    assert certified(BIAS, instance(), witness) is None


@pytest.mark.parametrize(
    "target",
    [
        SingleEigenfunction(s=1.5, index=2),
        SingleEigenfunction(s=1.2, source_norm="RKHS"),
        SmootherTarget(s=1.5, norm=3.0),
        LacunaryTarget(s=2.0),
        CriticalTarget(s=1.5),
    ],
)
def test_both_sides_of_the_bias_bound_are_those_of_a_direct_sum(target):
    spectrum = Finite((1.0, 0.5, 0.3, 0.2))
    lam = 1e-3
    an_instance = instance(spectrum, target)
    found = certified(BIAS, an_instance, {"lam": lam})
    index = np.array([2.0]) if isinstance(target, SingleEigenfunction) and target.index == 2 else None
    if index is None:
        where = target.support(math.log(4.0))
        index = np.arange(1.0, 5.0) if where is None else np.round(np.exp(where))
    level = np.array(spectrum.eigenvalues)[index.astype(int) - 1]
    energy = np.exp(target.log_energy(np.log(index), np.log(level)))
    left = np.sum(level ** (2 * target.l2_index) * energy * (lam / (level + lam)) ** 2)
    right = energy.sum() * lam ** (2 * target.s)
    assert (left > right) == (found is not None)
    if found is not None:
        for name, value in (("left", left), ("right", right)):
            low, high = map(float, found.data["enclosures"][name])
            assert low == pytest.approx(value, rel=1e-12)
            assert high == pytest.approx(value, rel=1e-12)


def test_one_eigenfunction_of_an_infinite_spectrum_and_the_ball_are_certified():
    for spectrum in (PowerLaw(2.0), Exponential(1.0), Truncated(PowerLaw(1.5), 10**8)):
        for target in (SingleEigenfunction(s=1.5, index=3), BallTarget(s=1.5)):
            an_instance = instance(spectrum, target)
            found = certified(BIAS, an_instance, {"lam": 1e-6})
            assert found is not None
            assert check(found, BIAS, an_instance)
    # A target that lives everywhere needs a finite spectrum: R^2 is an infinite sum.
    assert certified(BIAS, instance(PowerLaw(2.0), SmootherTarget(s=1.5)), {"lam": 1e-6}) is None
    assert certified(BIAS, instance(PowerLaw(2.0), LacunaryTarget(s=1.5)), {"lam": 1e-6}) is None


def test_convexity_fails_where_the_numbers_say_so_and_never_from_one_half_on():
    found = certified(CONVEX, NOT_CONVEX, {"lam": 1.0})

    def bound(lam):
        return lam**0.5 + 1e-4 * lam**-0.5

    numeric = (bound(1.0 + 1e-3) - 2 * bound(1.0) + bound(1.0 - 1e-3)) / 1e-6
    low, high = map(float, found.data["enclosures"]["second_derivative"])
    assert low <= high < 0.0
    assert low == pytest.approx(numeric, rel=1e-4)
    for s in (0.5, 0.75, 2.0):
        smooth = instance(PowerLaw(2.0), SingleEigenfunction(s=s), sigma=0.0)
        assert certified(CONVEX, smooth, {"lam": 1.0}) is None
        assert not check(found, CONVEX, smooth)
    noisy = instance(PowerLaw(2.0), SingleEigenfunction(s=0.25), sigma=10.0)
    assert certified(CONVEX, noisy, {"lam": 1e-3}) is None
    assert not check(found, CONVEX, instance())  # one eigenvalue has no beta


@pytest.mark.parametrize("a_claim", [DIMENSION, COUNTING])
@pytest.mark.parametrize("size", [1, 3, 40])
def test_the_dimension_of_finite_spectra_is_bounded(a_claim, size):
    spectrum = Finite(tuple(float(i) ** -2.0 for i in range(1, size + 1)))
    found = certified(a_claim, instance(spectrum), None)
    assert [entry["c"] for entry in found.data["family"]] == ["0.1", "0.001", "1e-6"]
    for entry in found.data["family"]:
        lam = float(entry["lam"])
        levels = np.array(spectrum.eigenvalues)
        direct = float(np.sum(levels >= lam) if a_claim is COUNTING else np.sum(levels / (levels + lam)))
        low, high = map(float, entry["dimension"])
        assert low * (1 - 1e-15) <= direct <= high * (1 + 1e-15)
        assert high <= size
        assert float(entry["ratio"][1]) < float(entry["c"])
        assert float(entry["ratio"][1]) == pytest.approx(direct * lam**0.5, rel=1e-12)


def test_the_dimension_is_not_refuted_under_assumption_r_or_where_nothing_grows():
    assert certified(DIMENSION, instance(PowerLaw(2.0)), None) is None
    assert certified(DIMENSION, instance(Exponential(1.0)), None) is None
    assert certified(claim(EffectiveDimension(), Theta(0.0)), instance(), None) is None
    assert certified(claim(EffectiveDimension(), Bound(math.inf)), instance(), None) is None
    stolen = certified(DIMENSION, instance(), None)
    assert not check(stolen, DIMENSION, instance(PowerLaw(2.0)))


def test_large_truncations_are_bounded_without_summing_them():
    for a_claim in (DIMENSION, COUNTING, claim(EffectiveDimension(), AtMost(-1.0 / 3.7))):
        an_instance = instance(Truncated(PowerLaw(2.0), 10**9))
        found = certified(a_claim, an_instance, None)
        assert check(found, a_claim, an_instance)
        assert float(found.data["family"][-1]["dimension"][1]) <= 10**9
    spectrum = Truncated(PowerLaw(2.0), 1000)
    levels = [arb(i) ** -2 for i in range(1, 1001)]
    for lam in (arb("1e-7"), arb("1e-2")):
        assert _dimension([levels[0], levels[-1]], 1000, lam).contains(_dimension(levels, 1000, lam))
        assert _counted([levels[0], levels[-1]], 1000, lam).contains(_counted(levels, 1000, lam))
    assert certified(DIMENSION, instance(spectrum), None) is not None


def test_extreme_indices_are_reached():
    for beta in (1.001, 37.0, 400.0):
        a_claim = claim(EffectiveDimension(), Theta(-1.0 / beta))
        an_instance = instance(Finite((1.0, 0.5, 0.5)))
        found = certified(a_claim, an_instance, None)
        assert check(found, a_claim, an_instance)


@pytest.mark.parametrize("beta", [1.01, 1.5, 2.0, 6.0])
def test_under_r_alt_the_product_exceeds_every_constant(beta):
    an_instance = instance(Truncated(PowerLaw(beta), 64, inverse_index=True))
    found = certified(LAST, an_instance, None)
    assert [entry["C"] for entry in found.data["family"]] == ["10", "1000", "1e6"]
    for entry in found.data["direct"]:
        size = int(entry["p"].removeprefix("2^"))
        level = np.arange(1.0, 2.0**size + 1.0) ** (-1.0 / beta)
        direct = np.sum(level / (level + level[-1])) * level[-1] ** (1.0 / beta)
        assert float(entry["ratio"][0]) == pytest.approx(direct, rel=1e-12)
        assert direct >= 0.5 * 2.0 ** (size * (1.0 - beta**-2.0))
    for entry in found.data["family"]:
        doublings = int(entry["p"].removeprefix("2^"))
        assert doublings * (1.0 - beta**-2.0) - 1.0 > math.log2(float(entry["C"]))


def test_r_alt_needs_a_truncation_by_the_inverse_index():
    assert certified(LAST, instance(Truncated(PowerLaw(2.0), 64)), None) is None
    assert certified(LAST, instance(PowerLaw(2.0)), None) is None
    for value, refuted in ((0.0, True), (0.5, True), (-0.9, False)):
        for kind in (Theta, Exponent, AtLeast):
            growing = claim(DimensionAtLastEigenvalue(), kind(value))
            assert (certified(growing, instance(R_ALT), None) is not None) == refuted
    assert certified(claim(DimensionAtLastEigenvalue(), AtMost(0.0)), instance(R_ALT), None) is None
    scaled = instance(Truncated(PowerLaw(2.0, scale=0.1), 64, inverse_index=True))
    assert check(certified(LAST, scaled, None), LAST, scaled)


@pytest.mark.parametrize("u", [1e-4, 0.01, 0.3, 2.0])
def test_the_truncated_mean_is_the_integral_and_below_the_full_one(u):
    def integrand(z):
        return z**2 / (z**2 + u) ** 2

    part = 2.0 * stats.norm.pdf(1.0) * integrate.quad(integrand, 0.0, 1.0, points=[math.sqrt(u) / 2])[0]
    full = 2.0 * sum(
        integrate.quad(lambda z: stats.norm.pdf(z) * integrand(z), a, b, limit=200)[0]
        for a, b in ((0.0, math.sqrt(u)), (math.sqrt(u), 1.0 + math.sqrt(u)), (1.0 + math.sqrt(u), 40.0))
    )
    assert float(_truncated_mean(arb(u))) == pytest.approx(part, rel=1e-8)
    assert part < full


def test_the_variance_of_one_coordinate_is_that_of_simulated_ridge():
    generator = np.random.default_rng(0)
    level, lam = 0.7, 0.05
    x = math.sqrt(level) * generator.standard_normal(400_000)
    noise = generator.standard_normal(x.size)
    risk = level * (x * noise / (x**2 + lam)) ** 2  # theta = 0, n = 1
    u = lam / level
    exact = 2.0 * sum(
        integrate.quad(lambda z: stats.norm.pdf(z) * z**2 / (z**2 + u) ** 2, a, b)[0]
        for a, b in ((0.0, 1.0), (1.0, 40.0))
    )
    assert abs(risk.mean() - exact) < 4.0 * risk.std() / math.sqrt(risk.size)
    assert float(variance_lower_bound([arb(level)], arb(lam))) < exact


@pytest.mark.parametrize("levels", [(1.0, 0.5), (1.0, 0.5, 0.25), (1.0, 0.1, 0.1, 0.1, 0.01)])
@pytest.mark.parametrize("lam", [1e-2, 1e-5, 1e-8])
def test_the_bound_at_the_interpolation_threshold_is_below_the_simulated_variance(levels, lam):
    generator = np.random.default_rng(1)
    n = len(levels)
    root = np.sqrt(np.array(levels))
    x = generator.standard_normal((20_000, n, n)) * root
    _, singular, vt = np.linalg.svd(x)
    mu = singular**2 / n
    weights = np.einsum("rij,j,rij->ri", vt, np.array(levels), vt)
    variance = np.sum(weights * mu / (mu + lam) ** 2, axis=1) / n
    bound = float(variance_lower_bound([arb(level) for level in levels], arb(lam)))
    assert bound < variance.mean() + 4.0 * variance.std() / math.sqrt(variance.size)


def test_the_steps_behind_the_bound_at_the_threshold():
    """In every draw M_pp is at least a z^2/(lam + a z^2 + a T)^2, by the Schur complement, and E T <= m."""
    generator = np.random.default_rng(2)
    levels, lam = np.array([1.0, 0.4, 0.2]), 1e-3
    n = 3
    mean_t = []
    for _ in range(400):
        x = generator.standard_normal((n, n)) * np.sqrt(levels)
        s = x.T @ x / n
        resolvent = np.linalg.inv(s + lam * np.eye(n))
        m_pp = (s @ resolvent @ resolvent)[-1, -1]
        g, basis = np.linalg.eigh(x[:, :-1] @ x[:, :-1].T / n)
        z = basis.T @ x[:, -1] / math.sqrt(levels[-1])
        t = float(np.sum(lam / (g[1:] + lam) * z[1:] ** 2))
        a = levels[-1] / n
        assert m_pp >= a * z[0] ** 2 / (lam + a * z[0] ** 2 + a * t) ** 2 * (1 - 1e-6)
        mean_t.append(t)
    m = 0.5 * math.sqrt(math.pi * n * lam / 2.0) * np.sum(levels[:-1] ** -0.5)
    assert np.mean(mean_t) < m


def test_the_family_of_the_variance_covers_every_constant_by_its_formula():
    """F(u) > C where sqrt(u) < 0.19/(C + 0.25), the rule that the certificate states."""
    for constant in np.geomspace(1e-3, 1e6, 40):
        u = (0.19 / (constant + 0.25)) ** 2
        assert float(_truncated_mean(arb(u))) > constant


def test_the_variance_is_certified_only_where_the_claim_speaks_of_the_threshold():
    far = claim(VarianceRatio(small_samples=False), Bound(math.inf))
    assert certified(far, instance(), None) is None
    assert certified(VARIANCE, instance(sigma=0.0), None) is None  # zero on both sides
    assert certified(VARIANCE, instance(PowerLaw(2.0)), None) is None
    assert certified(VARIANCE, instance(Exponential(1.0)), None) is None
    stolen = certified(VARIANCE, instance(), None)
    for other in (instance(PowerLaw(2.0)), instance(sigma=0.0)):
        assert not check(stolen, VARIANCE, other)
    assert not check(stolen, far, instance())
    given_constant = claim(VarianceRatio(small_samples=True), Bound(20.0))
    assert [e["C"] for e in certified(given_constant, instance(), None).data["family"]] == ["20"]


@pytest.mark.parametrize(
    "target", [SingleEigenfunction(s=0.3), SingleEigenfunction(s=0.3, index=2), CriticalTarget(s=0.3)]
)
def test_the_noiseless_risk_of_one_sample_is_at_least_the_bound(target):
    spectrum = Finite((1.0, 0.5, 0.2))
    an_instance = instance(spectrum, target, sigma=0.0)
    found = certified(RISK, an_instance, None)
    generator = np.random.default_rng(3)
    level = eigenvalues(spectrum, 3)
    index = np.arange(1.0, 4.0)
    energy = np.exp(target.log_energy(np.log(index), np.log(level)))
    if isinstance(target, SingleEigenfunction):
        energy = np.where(index == target.index, energy, 0.0)
    theta = np.sqrt(energy * level ** (2 * target.l2_index) / level)
    for entry in found.data["family"][:1]:
        lam = float(entry["lam"])
        x = generator.standard_normal((100_000, 3)) * np.sqrt(level)
        signed = theta * np.where(generator.random((100_000, 3)) < 0.5, 1.0, -1.0)
        estimate = x * (np.sum(x * signed, axis=1) / (np.sum(x**2, axis=1) + lam))[:, None]
        risk = np.sum(level * (estimate - signed) ** 2, axis=1)
        ratio = risk / lam ** (2 * target.s)
        low = float(entry["ratio_at_least"][0])
        assert float(entry["C"]) < low
        assert low < ratio.mean() + 4.0 * ratio.std() / math.sqrt(ratio.size)


def test_the_noiseless_risk_of_one_eigenvalue_by_quadrature():
    lam, level, s = 1e-3, 0.7, 0.8
    an_instance = instance(Finite((level,)), SingleEigenfunction(s=s), sigma=0.0)
    found = certified(claim(RiskRatio(small_samples=True), Bound(2.0)), an_instance, None)
    lam = float(found.data["family"][0]["lam"])
    u = lam / level
    mean = 2.0 * sum(
        integrate.quad(lambda z: stats.norm.pdf(z) * (u / (z**2 + u)) ** 2, a, b)[0]
        for a, b in ((0.0, math.sqrt(u)), (math.sqrt(u), 1.0), (1.0, 40.0))
    )
    exact = level ** (2 * s) * mean / lam ** (2 * s)
    assert 2.0 < float(found.data["family"][0]["ratio_at_least"][0]) < exact


def test_the_risk_is_not_refuted_where_it_is_bounded_or_nothing_is_known():
    assert certified(RISK, instance(target=SingleEigenfunction(s=0.2), sigma=0.0), None) is None
    assert certified(RISK, instance(PowerLaw(2.0)), None) is None
    far = claim(RiskRatio(small_samples=False), Bound(math.inf))
    for sigma in (0.0, 1.0):
        assert certified(far, instance(sigma=sigma), None) is None


def test_observables_without_a_certifier_get_none():
    assert certified(claim(ExcessRisk(), Exponent(0.5)), instance(), {"lam": 0.1}) is None


# The arithmetic.


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e300, 1e300), st.integers(2, 50))
def test_enclosures_are_outward_and_tight(value, divisor):
    with ctx.workprec(192):
        ball = arb(value) / divisor
        low, high = _enclosure(ball)
        assert arb(low) <= ball
        assert ball <= arb(high)
        width = abs(Decimal(high) - Decimal(low))
        assert width <= Decimal("1e-14") * max(abs(Decimal(high)), abs(Decimal(low)))


def test_a_bound_known_by_other_means_cuts_an_enclosure():
    with ctx.workprec(192):
        ball = arb(3).union(arb(3) + arb("1e-40"))
        assert _enclosure(ball, at_most=3)[1] == "3"
        assert Decimal(_enclosure(ball)[1]) > 3
        assert _below(arb(0)) == "0"


@given(st.integers(0, 5000))
def test_the_first_number_of_a_monotone_predicate_is_found(threshold):
    assert _first(lambda k: k >= threshold) == threshold


def test_no_number_is_found_where_there_is_none():
    assert _first(lambda k: False) is None


def test_the_precision_of_others_is_left_alone():
    before = ctx.prec
    certified(BIAS, instance(), SMALL_RIDGE)
    assert ctx.prec == before

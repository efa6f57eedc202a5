"""Instances: what is refused and how it is said, what never changes, and what each ingredient promises about itself."""

import dataclasses
import json
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import verifier as vf
from properties.strategies import (
    assumption_r_spectra,
    hardest_targets,
    inverse_power_laws,
    log_corrected,
    noises,
    single_targets,
    smoothness,
    trace_class_spectra,
    truncated_power_laws,
)
from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
    CriticalTarget,
    Design,
    Exponential,
    ExponentialTarget,
    Finite,
    GaussianDesign,
    Ingredient,
    Instance,
    LacunaryTarget,
    LogCorrected,
    LogPeriodic,
    Noise,
    PowerLaw,
    RademacherDesign,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Spectrum,
    Spiked,
    StudentDesign,
    Target,
    Truncated,
    UniformDesign,
    eigenvalues,
    log_index_at,
    tail_index,
)
from verifier.risk.quadrature import source_norm_squared

CLASSES = ("S-L2", "S-tail", "S-H")
any_spectrum = st.one_of(trace_class_spectra(), log_corrected(), truncated_power_laws(), inverse_power_laws())
any_target = single_targets(smoothness(), CLASSES) | hardest_targets(smoothness(), CLASSES)

SPECTRA: list[Spectrum] = [
    PowerLaw(beta=2.0),
    PowerLaw(beta=1.3, scale=10.0),
    BrokenPowerLaw(beta=2.0, head_beta=0.5, knee=30),
    LogCorrected(beta=2.0, power=1.0),
    LogPeriodic(beta=2.0, amplitude=0.5, frequency=3.0),
    Exponential(rate=1.0),
    Spiked(beta=2.0, spikes=3, height=10.0),
    Finite(eigenvalues=(3.0, 1.0)),
    Truncated(PowerLaw(beta=2.0), 100),
    Truncated(PowerLaw(beta=2.0), 100, inverse_index=True),
]
TARGETS: list[Target] = [
    CriticalTarget(s=0.5),
    CriticalTarget(s=0.5, source_norm="RKHS"),
    SmootherTarget(s=0.5, excess=0.3),
    SingleEigenfunction(s=0.5),
    SingleEigenfunction(s=0.5, index=2),
    ExponentialTarget(s=0.5, rate=2.0),
    RandomTarget(s=0.5, seed=7, excess=0.2),
    RandomTarget(s=0.5, seed=8, excess=0.2),
    LacunaryTarget(s=0.5, ratio=3.0),
    BallTarget(s=0.5),
    BallTarget(s=0.5, norm=2.0),
]
NOISES = [Noise(), Noise(sigma=0.0), Noise(sigma=0.1)]
DESIGNS: list[Design] = [RademacherDesign(), UniformDesign(), StudentDesign(), StudentDesign(dof=4.5)]
EVERY = [Instance(x, y, z) for x in SPECTRA for y in TARGETS for z in NOISES]


# ---------------------------------------------------------------------------------------------------- refusals

# constructor, arguments, and what the message must name: the argument, the value given, what would be accepted
REFUSED: list[Any] = [
    (PowerLaw, {"beta": 1.0}, ("beta", "1.0", "greater than 1", "summable")),
    (PowerLaw, {"beta": 0.5}, ("beta", "0.5", "greater than 1")),
    (PowerLaw, {"beta": -2.0}, ("beta", "-2.0", "greater than 1")),
    (PowerLaw, {"beta": math.nan}, ("beta", "nan", "finite")),
    (PowerLaw, {"beta": math.inf}, ("beta", "inf", "finite")),
    (PowerLaw, {"beta": "2"}, ("beta", "'2'", "real number")),
    (PowerLaw, {"beta": b"2"}, ("beta", "b'2'", "real number")),
    (PowerLaw, {"beta": None}, ("beta", "None", "real number")),
    (PowerLaw, {"beta": True}, ("beta", "True", "real number")),
    (PowerLaw, {"beta": 2 + 0j}, ("beta", "(2+0j)", "real number")),
    (PowerLaw, {"beta": [2.0]}, ("beta", "[2.0]", "real number")),
    (PowerLaw, {"beta": 2.0, "scale": 0.0}, ("scale", "0.0", "greater than 0")),
    (PowerLaw, {"beta": 2.0, "scale": True}, ("scale", "True", "real number")),
    (BrokenPowerLaw, {"beta": 1.0, "head_beta": 1.0, "knee": 3}, ("beta", "1.0", "greater than 1")),
    (BrokenPowerLaw, {"beta": 2.0, "head_beta": 0.0, "knee": 3}, ("head_beta", "0.0", "greater than 0")),
    (BrokenPowerLaw, {"beta": 2.0, "head_beta": 1.0, "knee": 0}, ("knee", "0", "at least 1")),
    (BrokenPowerLaw, {"beta": 2.0, "head_beta": 1.0, "knee": 2.5}, ("knee", "2.5", "whole number")),
    (BrokenPowerLaw, {"beta": 2.0, "head_beta": 1.0, "knee": 10**6}, ("knee", "1000000", "at most 4096")),
    (LogCorrected, {"beta": 0.9, "power": 1.0}, ("beta", "0.9", "greater than 1")),
    (LogCorrected, {"beta": 2.0, "power": 8.5}, ("power", "8.5", "[-8, 8]", "decrease")),
    (LogCorrected, {"beta": 2.0, "power": math.nan}, ("power", "nan", "finite")),
    (LogPeriodic, {"beta": 1.0, "amplitude": 0.1, "frequency": 1.0}, ("beta", "1.0", "greater than 1")),
    (LogPeriodic, {"beta": 2.0, "amplitude": -0.1, "frequency": 1.0}, ("amplitude", "-0.1", "[0, 2]")),
    (LogPeriodic, {"beta": 2.0, "amplitude": 1.1, "frequency": 2.0}, ("amplitude", "1.1", "[0, 1]", "beta")),
    (LogPeriodic, {"beta": 2.0, "amplitude": 0.1, "frequency": 0.0}, ("frequency", "0.0", "[0.001, 20]")),
    (Exponential, {"rate": 0.0}, ("rate", "0.0", "[0.2, 50]")),
    (Exponential, {"rate": math.inf}, ("rate", "inf", "finite")),
    (Spiked, {"beta": 1.0, "spikes": 1, "height": 2.0}, ("beta", "1.0", "greater than 1")),
    (Spiked, {"beta": 2.0, "spikes": 0, "height": 2.0}, ("spikes", "0", "at least 1")),
    (Spiked, {"beta": 2.0, "spikes": True, "height": 2.0}, ("spikes", "True", "number")),
    (Spiked, {"beta": 2.0, "spikes": 1, "height": 0.5}, ("height", "0.5", "[1, 1e+06]")),
    (Finite, {"eigenvalues": ()}, ("eigenvalues", "()", "empty", "at least one")),
    (Finite, {"eigenvalues": (1.0, 2.0)}, ("eigenvalues[1]", "2.0", "sort", "decreasing")),
    (Finite, {"eigenvalues": (1.0, 0.0)}, ("eigenvalues[1]", "0.0", "greater than 0")),
    (Finite, {"eigenvalues": (1.0, -1.0)}, ("eigenvalues[1]", "-1.0", "greater than 0")),
    (Finite, {"eigenvalues": (math.inf, 1.0)}, ("eigenvalues[0]", "inf", "finite")),
    (Finite, {"eigenvalues": (1.0, math.nan)}, ("eigenvalues[1]", "nan", "finite")),
    (Finite, {"eigenvalues": (True,)}, ("eigenvalues[0]", "True", "real number")),
    (Finite, {"eigenvalues": ("3", "2")}, ("eigenvalues[0]", "'3'", "real number")),
    (Finite, {"eigenvalues": "321"}, ("eigenvalues", "3", "number")),
    (Finite, {"eigenvalues": 3.0}, ("eigenvalues", "3.0", "sequence of positive numbers")),
    (Finite, {"eigenvalues": (1.0,) * 5000}, ("eigenvalues", "5000", "Truncated")),
    (Truncated, {"spectrum": PowerLaw(2.0), "size": 0}, ("size", "0", "at least 1")),
    (Truncated, {"spectrum": PowerLaw(2.0), "size": 1.5}, ("size", "1.5", "whole number")),
    (Truncated, {"spectrum": Exponential(1.0), "size": 5}, ("spectrum", "Exponential", "PowerLaw")),
    (Truncated, {"spectrum": PowerLaw(2.0), "size": 5, "inverse_index": 1}, ("inverse_index", "1", "true or false")),
    (CriticalTarget, {"s": 0.0}, ("s=", "0.0", "greater than 0")),
    (CriticalTarget, {"s": -0.5}, ("s=", "-0.5", "greater than 0")),
    (CriticalTarget, {"s": math.nan}, ("s=", "nan", "finite")),
    (CriticalTarget, {"s": "half"}, ("s=", "'half'", "real number")),
    (CriticalTarget, {"s": True}, ("s=", "True", "real number")),
    (CriticalTarget, {"s": 0.5, "norm": 0.0}, ("norm", "0.0", "greater than 0")),
    (CriticalTarget, {"s": 0.5, "source_norm": "l2"}, ("source_norm", "'l2'", "'L2' or 'RKHS'")),
    (SmootherTarget, {"s": 0.5, "excess": 0.0}, ("excess", "0.0", "CriticalTarget")),
    (SingleEigenfunction, {"s": 0.5, "index": 0}, ("index", "0", "at least 1")),
    (SingleEigenfunction, {"s": 0.5, "index": 5000}, ("index", "5000", "at most 4096")),
    (ExponentialTarget, {"s": 0.5, "rate": 0.1}, ("rate", "0.1", "[0.2, 50]")),
    (RandomTarget, {"s": 0.5, "seed": -1}, ("seed", "-1", "at least 0")),
    (RandomTarget, {"s": 0.5, "seed": 2**32}, ("seed", str(2**32), "at most")),
    (RandomTarget, {"s": 0.5, "excess": 0.0}, ("excess", "0.0", "ball")),
    (LacunaryTarget, {"s": 0.5, "ratio": 1.5}, ("ratio", "1.5", "[2, 100]")),
    (BallTarget, {"s": 0.0}, ("s=", "0.0", "greater than 0")),
    (Noise, {"sigma": -1.0}, ("sigma", "-1.0", "[0, 1e+06]")),
    (Noise, {"sigma": math.inf}, ("sigma", "inf", "finite")),
    (Noise, {"sigma": "1"}, ("sigma", "'1'", "real number")),
    (Noise, {"sigma": True}, ("sigma", "True", "real number")),
    (Noise, {"sigma": 10**400}, ("sigma", "finite")),
    (Instance, {"spectrum": 2.0}, ("spectrum", "2.0", "vf.Spectrum")),
    (Instance, {"spectrum": PowerLaw(2.0), "target": 0.5}, ("target", "0.5", "vf.Target")),
    (Instance, {"spectrum": PowerLaw(2.0), "noise": 1.0}, ("noise", "1.0", "Noise(sigma=1.0)")),
    (Instance, {"spectrum": CriticalTarget(0.5)}, ("spectrum", "CriticalTarget", "not a spectrum")),
    (StudentDesign, {"dof": 4.0}, ("dof", "4.0", "greater than 4", "fourth moment")),
    (StudentDesign, {"dof": 2}, ("dof", "2.0", "greater than 4")),
    (StudentDesign, {"dof": math.inf}, ("dof", "inf", "finite")),
    (StudentDesign, {"dof": "five"}, ("dof", "'five'", "real number")),
    (StudentDesign, {"dof": True}, ("dof", "True", "real number")),
    (Instance, {"spectrum": PowerLaw(2.0), "design": "gaussian"}, ("design", "'gaussian'", "vf.Design")),
    (Instance, {"spectrum": PowerLaw(2.0), "design": None}, ("design", "None", "vf.Design")),
    (Instance, {"spectrum": PowerLaw(2.0), "design": Noise()}, ("design", "Noise", "not a design")),
    (Instance, {"spectrum": PowerLaw(2.0), "design": RademacherDesign}, ("design", "RademacherDesign", "not a design")),
    (
        Instance,
        {"spectrum": Finite((1.0,)), "target": SingleEigenfunction(0.5, index=2)},
        ("index", "2", "exceeds", "1 eigenvalue"),
    ),
]


@pytest.mark.parametrize(
    ("make", "arguments", "named"),
    REFUSED,
    ids=[f"{make.__name__}-{next(reversed(arguments))}-{k}" for k, (make, arguments, _) in enumerate(REFUSED)],
)
def test_refusals_name_the_argument_its_value_and_the_remedy(
    make: Any, arguments: dict[str, Any], named: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the message is looked at below, part by part)
        make(**arguments)
    for word in named:
        assert word in str(error.value)


@pytest.mark.parametrize("value", [2, np.float64(2.0), np.int64(2), np.float32(2.0), Fraction(2)])
def test_numbers_of_other_types_become_plain_floats(value: Any) -> None:
    spectrum = PowerLaw(beta=value)
    assert type(spectrum.beta) is float
    assert spectrum == PowerLaw(beta=2.0)
    assert Instance(spectrum).digest == Instance(PowerLaw(beta=2.0)).digest


def test_eigenvalues_from_an_array_become_a_tuple_of_floats() -> None:
    made = Finite(eigenvalues=np.array([2.0, 1.0]))  # type: ignore[arg-type]
    assert made == Finite(eigenvalues=(2.0, 1.0))
    assert all(type(value) is float for value in made.eigenvalues)


def test_equal_eigenvalues_are_sorted() -> None:
    assert Finite(eigenvalues=(1.0, 1.0)).eigenvalues == (1.0, 1.0)


# ---------------------------------------------------------------------------------------------------- immutability


@pytest.mark.parametrize(
    "part", [*SPECTRA, *TARGETS, *DESIGNS, Noise(), EVERY[0]], ids=lambda part: type(part).__name__
)
def test_nothing_can_be_assigned(part: Any) -> None:
    for field in dataclasses.fields(part):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, field.name, getattr(part, field.name))


def test_ingredients_keep_their_own_copy_of_what_they_were_made_of() -> None:
    given_values = [2.0, 1.0]
    spectrum = Finite(eigenvalues=given_values)  # type: ignore[arg-type]
    given_values[0] = 9.0
    assert spectrum.eigenvalues == (2.0, 1.0)


def test_the_json_form_shares_nothing_with_the_instance() -> None:
    instance = Instance(Finite(eigenvalues=(2.0, 1.0)))
    before = instance.digest
    record = instance.to_json()
    record["spectrum"]["eigenvalues"][0] = 9.0
    assert instance.to_json()["spectrum"]["eigenvalues"] == [2.0, 1.0]
    assert Instance.from_json(instance.to_json()).digest == before


# ---------------------------------------------------------------------------------------------------- round trip


@settings(max_examples=60)
@given(st.tuples(any_spectrum, any_target, noises()))
def test_json_round_trip_is_exact_for_everything_the_strategies_draw(parts: tuple[Spectrum, Target, Noise]) -> None:
    spectrum, target, noise = parts
    if isinstance(target, SingleEigenfunction) and target.index > spectrum.size:
        target = dataclasses.replace(target, index=1)
    instance = Instance(spectrum, target, noise)
    text = json.dumps(instance.to_json(), allow_nan=False)
    again = Instance.from_json(json.loads(text))
    assert again == instance
    assert again.digest == instance.digest
    assert json.dumps(again.to_json(), allow_nan=False) == text


odd = {
    "beta": st.floats(1.0, 50.0, exclude_min=True),
    "s": st.floats(0.0, 10.0, exclude_min=True),
    "norm": st.floats(1e-30, 1e30),
    "sigma": st.just(0.0) | st.floats(1e-150, 1e6),
    "scale": st.floats(1e-30, 1e30),
}


@settings(max_examples=60)
@given(st.fixed_dictionaries(odd), st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=6))
def test_json_round_trip_keeps_every_bit_of_odd_floats(values: dict[str, float], levels: list[float]) -> None:
    for spectrum in (
        PowerLaw(values["beta"], values["scale"]),
        Finite(tuple(sorted(levels, reverse=True))),
        Truncated(PowerLaw(values["beta"]), 7),
    ):
        instance = Instance(spectrum, CriticalTarget(values["s"], values["norm"]), Noise(values["sigma"]))
        again = Instance.from_json(json.loads(json.dumps(instance.to_json())))
        assert again == instance
        assert again.digest == instance.digest
        assert again.target.s.hex() == values["s"].hex()


@pytest.mark.parametrize("value", [1.1, 0.1 + 0.2, 1.0000000000000002, 1.2345678901234567e-60, 9.876543210987654e59])
def test_doubles_without_a_short_decimal_survive(value: float) -> None:
    spectrum = Finite(eigenvalues=(value,))
    again = Finite.from_json(json.loads(json.dumps(spectrum.to_json())))
    assert again.eigenvalues[0].hex() == value.hex()


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: PowerLaw(2.0, scale=1e200), "scale"),
        (lambda: PowerLaw(2.0, scale=1e-200), "scale"),
        (lambda: PowerLaw(200.0), "beta"),
        (lambda: BrokenPowerLaw(2.0, head_beta=200.0, knee=4096), "head_beta"),
        (lambda: Finite((1e200,)), r"eigenvalues\[0\]"),
        (lambda: CriticalTarget(0.5, norm=1e200), "norm"),
        (lambda: CriticalTarget(200.0), "s"),
        (lambda: Noise(1e-200), "sigma"),
    ],
)
def test_numbers_whose_squares_are_no_doubles_are_refused(build: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}=.*(double|lie in)"):
        build()


def test_integers_that_mean_the_same_number_give_the_same_instance() -> None:
    record = {"spectrum": {"kind": "PowerLaw", "beta": 2, "scale": 1}, "target": TARGETS[0].to_json()}  # type: ignore[attr-defined]
    assert Instance.from_json(record | {"noise": {"kind": "Noise", "sigma": 1}}) == Instance(PowerLaw(2.0))


def test_equal_instances_have_equal_digests_also_for_the_two_zeros() -> None:
    plus, minus = (Instance(PowerLaw(2.0), noise=Noise(sigma=zero)) for zero in (0.0, -0.0))
    assert plus == minus
    assert plus.digest == minus.digest


def test_digests_are_distinct_and_stable() -> None:
    assert len({instance.digest for instance in EVERY}) == len(EVERY)
    assert all(re.fullmatch("[0-9a-f]{64}", instance.digest) for instance in EVERY)
    # The digest names random streams and files: it may never change for an instance that is written down.
    plain = Instance(PowerLaw(beta=2.0), CriticalTarget(s=0.5), Noise(sigma=1.0))
    text = (
        '{"noise":{"kind":"Noise","sigma":1.0},"spectrum":{"beta":2.0,"kind":"PowerLaw","scale":1.0},'
        '"target":{"kind":"CriticalTarget","norm":1.0,"s":0.5,"source_norm":"L2"}}'
    )
    assert json.dumps(plain.to_json(), sort_keys=True, separators=(",", ":")) == text
    assert plain.digest == "dfaf6ba38a3713b9ddb98622d8f7922a2e7a2a7aec0af6c29dc74c0f0f890811"


def test_one_changed_field_changes_the_digest() -> None:
    base = Instance(PowerLaw(2.0), SmootherTarget(0.5, excess=0.3), Noise(1.0))
    changed = [
        dataclasses.replace(base, spectrum=PowerLaw(math.nextafter(2.0, 3.0))),
        dataclasses.replace(base, target=SmootherTarget(0.5, excess=math.nextafter(0.3, 1.0))),
        dataclasses.replace(base, target=SmootherTarget(0.5, excess=0.3, source_norm="RKHS")),
        dataclasses.replace(base, noise=Noise(0.0)),
    ]
    assert len({base.digest, *(instance.digest for instance in changed)}) == 5


def test_the_plain_design_is_left_out_of_json_and_digest() -> None:
    """Instances that were written down before there were designs keep their bytes and their digests."""
    for instance in EVERY:
        assert set(instance.to_json()) == {"spectrum", "target", "noise"}
    plain = Instance(PowerLaw(beta=2.0), CriticalTarget(s=0.5), Noise(sigma=1.0), GaussianDesign())
    assert plain == Instance(PowerLaw(beta=2.0))
    assert plain.digest == "dfaf6ba38a3713b9ddb98622d8f7922a2e7a2a7aec0af6c29dc74c0f0f890811"
    spelt_out = plain.to_json() | {"design": {"kind": "GaussianDesign"}}
    assert Instance.from_json(spelt_out) == plain
    assert Instance.from_json(spelt_out).to_json() == plain.to_json()


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.describe())
def test_other_designs_survive_the_round_trip_and_change_the_digest(design: Design) -> None:
    instance = Instance(PowerLaw(2.0), noise=Noise(0.3), design=design)
    text = json.dumps(instance.to_json(), allow_nan=False)
    again = Instance.from_json(json.loads(text))
    assert again == instance
    assert again.design == design
    assert json.dumps(again.to_json(), allow_nan=False) == text
    others = [Instance(PowerLaw(2.0), noise=Noise(0.3), design=d) for d in (GaussianDesign(), *DESIGNS) if d != design]
    assert instance.digest not in {other.digest for other in others}
    assert instance.describe() == f"l_i = i^-2; critical target, s = 0.5; noise sigma = 0.3; {design.describe()}"
    assert instance.describe() not in {other.describe() for other in others}


def test_a_foreign_design_serves_but_is_not_recorded() -> None:
    class Coin:
        """Everything a design must answer, without any base class."""

        equivalent = False
        plain = GaussianDesign()

        def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
            return np.sign(generator.random(shape) - 0.5)

        def describe(self) -> str:
            return "coins"

    instance = Instance(PowerLaw(2.0), design=Coin())
    assert vf.equivalent_risk(instance, n=100) == vf.equivalent_risk(Instance(PowerLaw(2.0)), n=100)
    with pytest.raises(ValueError, match=r"design=.*Coin.* is of a kind that nobody registered"):
        instance.to_json()
    del Coin.draw
    with pytest.raises(ValueError, match=r"design=.*Coin.* is not a design"):
        Instance(PowerLaw(2.0), design=Coin())


# ---------------------------------------------------------------------------------------------------- bad records

GOOD = EVERY[0].to_json()


@pytest.mark.parametrize(
    ("record", "named"),
    [
        (None, ("spectrum, target and noise", "None")),
        ([], ("spectrum, target and noise",)),
        ({}, ("spectrum, target and noise",)),
        (GOOD | {"speed": 1}, ("speed", "spectrum, target and noise")),
        ({k: v for k, v in GOOD.items() if k != "noise"}, ("spectrum, target and noise",)),
        (GOOD | {"spectrum": None}, ("kind", "None")),
        (GOOD | {"spectrum": {"beta": 2.0}}, ("kind=None", "PowerLaw")),
        (GOOD | {"spectrum": {"kind": "Power", "beta": 2.0}}, ("kind='Power'", "PowerLaw", "Spiked")),
        (GOOD | {"spectrum": {"kind": ["PowerLaw"], "beta": 2.0}}, ("kind=['PowerLaw']",)),
        (GOOD | {"spectrum": {"kind": "PowerLaw", "beta": 2.0, "gamma": 1}}, ("PowerLaw", "'gamma'", "beta, scale")),
        (GOOD | {"spectrum": {"kind": "PowerLaw"}}, ("PowerLaw", "beta")),
        (GOOD | {"spectrum": {"kind": "PowerLaw", "beta": 1.0}}, ("beta=1.0", "greater than 1")),
        (GOOD | {"spectrum": {"kind": "PowerLaw", "beta": "2"}}, ("beta='2'", "real number")),
        (GOOD | {"spectrum": {"kind": "PowerLaw", "beta": None}}, ("beta=None",)),
        (GOOD | {"spectrum": {"kind": "Finite", "eigenvalues": []}}, ("eigenvalues", "empty")),
        (GOOD | {"spectrum": {"kind": "CriticalTarget", "s": 0.5}}, ("spectrum",)),
        (GOOD | {"target": {"kind": "PowerLaw", "beta": 2.0}}, ("target",)),
        (GOOD | {"noise": {"kind": "PowerLaw", "beta": 2.0}}, ("kind='PowerLaw'", "noise")),
        (GOOD | {"noise": {"kind": "Noise", "sigma": -1}}, ("sigma=-1.0",)),
        (GOOD | {"design": None}, ("kind", "None")),
        (GOOD | {"design": {"kind": "Bernoulli"}}, ("kind='Bernoulli'",)),
        (GOOD | {"design": {"kind": "Noise", "sigma": 1.0}}, ("design", "Noise", "not a design")),
        (GOOD | {"design": {"kind": "StudentDesign", "dof": 3}}, ("dof=3.0", "greater than 4")),
        (GOOD | {"design": {"kind": "StudentDesign", "scale": 3}}, ("StudentDesign", "'scale'", "dof")),
    ],
    ids=repr,
)
def test_bad_records_are_refused_by_name(record: Any, named: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Instance.from_json(record)
    for word in named:
        assert word in str(error.value)


def test_a_record_of_another_class_is_refused() -> None:
    with pytest.raises(ValueError, match="kind='PowerLaw' is not a known noise"):
        Noise.from_json(PowerLaw(2.0).to_json())
    assert Ingredient.from_json(PowerLaw(2.0).to_json()) == PowerLaw(2.0)
    assert Finite.from_json(Finite().to_json()) == Finite()


def test_a_foreign_ingredient_serves_but_is_not_recorded() -> None:
    class Borrowed:
        """Everything a spectrum must answer, without any base class."""

        size, head, tail_index, period, assumption_r = math.inf, 1, 2.0, None, (1.0, 1.0)

        def log_eigenvalues(self, log_index: Any) -> Any:
            return -2.0 * log_index

        def describe(self) -> str:
            return "borrowed"

    instance = Instance(Borrowed(), CriticalTarget(0.5))
    assert vf.equivalent_risk(instance, n=100) == pytest.approx(
        vf.equivalent_risk(Instance(PowerLaw(2.0), CriticalTarget(0.5)), n=100), rel=1e-12
    )
    with pytest.raises(ValueError, match=r"spectrum=.*Borrowed.* nobody registered.*@vf.register_ingredient"):
        instance.to_json()


# ---------------------------------------------------------------------------------------------------- for people


@pytest.mark.parametrize(
    ("instance", "line"),
    [
        (Instance(PowerLaw(2.0)), "l_i = i^-2; critical target, s = 0.5; noise sigma = 1"),
        (
            Instance(PowerLaw(1.25, scale=2.0), BallTarget(1.0, norm=3.0), Noise(0.0)),
            "l_i = 2 i^-1.25; worst target of the l2 ball, s = 1, R = 3; no noise",
        ),
        (
            Instance(Finite((1.0,)), SingleEigenfunction(1.5, source_norm="RKHS"), Noise(0.01)),
            "one eigenvalue 1; single eigenfunction i = 1, s = 1.5 in the RKHS norm; noise sigma = 0.01",
        ),
        (
            Instance(Truncated(PowerLaw(2.0), 9, inverse_index=True), LacunaryTarget(0.5)),
            "l_i = i^(-1/2), i <= 9; lacunary target, indices in ratio 2, s = 0.5; noise sigma = 1",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value.spectrum).__name__,
)
def test_describe_is_one_line_for_people(instance: Instance, line: str) -> None:
    assert instance.describe() == line


def test_descriptions_tell_different_instances_apart() -> None:
    assert len({instance.describe() for instance in EVERY}) == len(EVERY)
    assert not any("\n" in instance.describe() for instance in EVERY)


def test_long_spectra_are_described_in_short() -> None:
    text = Finite(tuple(float(v) for v in range(100, 0, -1))).describe()
    assert "100 in all" in text
    assert len(text) < 80


# ---------------------------------------------------------------------------------------------------- promises

WHOLE = np.unique(np.concatenate([np.arange(1.0, 5001.0), np.rint(np.geomspace(5001.0, 1e15, 400))]))
FAR = np.linspace(math.log(1e15), 600.0, 400)  # indices that no double counts one by one


def indices(spectrum: Spectrum) -> np.ndarray:
    """Log-indices where the sequence is looked at: every small index, and far ones up to exp(600)."""
    if math.isfinite(spectrum.size):
        return np.log(np.unique(np.rint(np.geomspace(1.0, spectrum.size, 5000))))
    return np.concatenate([np.log(WHOLE), FAR])


@settings(max_examples=60)
@given(any_spectrum)
def test_eigenvalues_are_positive_and_decrease(spectrum: Spectrum) -> None:
    levels = spectrum.log_eigenvalues(indices(spectrum))
    assert np.all(np.isfinite(levels))
    assert np.all(np.diff(levels) <= 1e-9)


@settings(max_examples=60)
@given(assumption_r_spectra() | log_corrected())
def test_constants_of_assumption_r_bound_every_eigenvalue(spectrum: Spectrum) -> None:
    if spectrum.assumption_r is None:
        return
    low, high = spectrum.assumption_r
    assert 0.0 < low <= high < math.inf
    x = indices(spectrum)
    ratio = spectrum.log_eigenvalues(x) + tail_index(spectrum) * x
    slack = 1e-15 * tail_index(spectrum) * x + 1e-12  # of the subtraction itself
    assert np.all(ratio >= math.log(low) - slack)
    assert np.all(ratio <= math.log(high) + slack)


def test_constants_of_assumption_r_are_attained() -> None:
    x = np.concatenate([np.log(WHOLE), np.linspace(0.0, 60.0, 20001)])
    for spectrum in (
        PowerLaw(2.0, scale=3.0),
        BrokenPowerLaw(2.0, 0.5, 30),
        BrokenPowerLaw(1.5, 4.0, 30),
        LogPeriodic(2.0, 0.5, 3.0),
    ):
        ratio = spectrum.log_eigenvalues(x) + spectrum.beta * x
        assert np.exp([ratio.min(), ratio.max()]) == pytest.approx(spectrum.assumption_r, rel=1e-6)


@settings(max_examples=40)
@given(log_corrected().filter(lambda spectrum: spectrum.power != 0.0))
def test_log_corrected_spectra_leave_every_pair_of_constants(spectrum: LogCorrected) -> None:
    assert spectrum.assumption_r is None
    x = np.exp(np.linspace(0.0, math.log(600.0), 50))
    ratio = np.sign(spectrum.power) * (spectrum.log_eigenvalues(x) + spectrum.beta * x)
    assert np.all(np.diff(ratio) > 0.0)
    # (1 + ln(i)/4)^p: over the whole range of doubles the factor has grown by ln 1 + 150 = 5 times p.
    assert ratio[-1] == pytest.approx(abs(spectrum.power) * math.log1p(150.0), rel=1e-9)


@pytest.mark.parametrize("spectrum", SPECTRA[5:], ids=lambda spectrum: spectrum.describe())
def test_finite_and_fast_spectra_do_not_claim_assumption_r(spectrum: Spectrum) -> None:
    expected = isinstance(spectrum, Spiked)
    assert (spectrum.assumption_r is not None) == expected


def test_eigenvalues_are_the_formulas() -> None:
    i = np.arange(1.0, 51.0)
    knee = 30.0
    for spectrum, values in [
        (PowerLaw(1.3, 10.0), 10.0 * i**-1.3),
        (BrokenPowerLaw(2.0, 0.5, 30), np.where(i <= knee, i**-0.5, knee**1.5 * i**-2.0)),
        (LogCorrected(2.0, -1.0), i**-2.0 / (1.0 + np.log(i) / 4.0)),
        (LogPeriodic(2.0, 0.5, 3.0), i**-2.0 * np.exp(0.5 * np.cos(3.0 * np.log(i)))),
        (Exponential(0.7), np.exp(-0.7 * (i - 1.0))),
        (Spiked(2.0, 3, 10.0), np.where(i <= 3, 10.0, 1.0) * i**-2.0),
        (Truncated(PowerLaw(2.0, 3.0), 80), 3.0 * i**-2.0),
        (Truncated(PowerLaw(2.0), 80, inverse_index=True), i**-0.5),
    ]:
        np.testing.assert_allclose(eigenvalues(spectrum, 50), values, rtol=1e-12)
    np.testing.assert_allclose(eigenvalues(Finite((3.0, 2.0)), 50), [3.0, 2.0], rtol=1e-15)


def test_log_index_at_inverts_the_spectrum() -> None:
    level = np.array([0.0, -3.0, -50.0, -800.0])
    np.testing.assert_allclose(log_index_at(PowerLaw(2.0), level), -level / 2.0, atol=1e-10)
    assert log_index_at(PowerLaw(2.0), np.array([5.0]))[0] == 0.0


def test_tail_index() -> None:
    assert Instance(Truncated(PowerLaw(3.0), 10, inverse_index=True)).beta == 3.0
    assert Instance(LogPeriodic(1.5, 0.1, 1.0)).beta == 1.5
    with pytest.raises(ValueError, match="no polynomial tail"):
        _ = Instance(Exponential(1.0)).beta


def energies(instance: Instance, count: int) -> np.ndarray:
    """g_i^2 of the first ``count`` coordinates, placed at whole indices."""
    target, log_i = instance.target, np.log(np.arange(1.0, count + 1.0))
    support = target.support(math.log(count))
    if support is None:
        return np.exp(target.log_energy(log_i, instance.spectrum.log_eigenvalues(log_i)))
    support = support[support <= math.log(count + 0.5)]
    place = np.rint(np.exp(support)).astype(int) - 1
    g2 = np.zeros(count)
    g2[place] = np.exp(target.log_energy(support, instance.spectrum.log_eigenvalues(support)))
    return g2


IN_BALL = [target for target in TARGETS if not isinstance(target, (CriticalTarget, LacunaryTarget, BallTarget))]


@pytest.mark.parametrize("source_norm", ["L2", "RKHS"])
@pytest.mark.parametrize("beta", [1.05, 2.0, 6.0])
@pytest.mark.parametrize("target", IN_BALL, ids=lambda target: target.describe())
def test_targets_of_the_ball_have_the_norm_that_is_reported(target: Target, beta: float, source_norm: str) -> None:
    instance = Instance(PowerLaw(beta), dataclasses.replace(target, source_norm=source_norm))  # type: ignore[type-var]
    assert instance.target.source == ("S-L2" if source_norm == "L2" else "S-H")
    count = 20_000
    partial = math.fsum(energies(instance, count))
    reported = source_norm_squared(instance)
    assert math.isfinite(reported)
    # What lies beyond the partial sum is i^-(1 + 2 beta excess): its integral, to first order.
    excess = getattr(target, "excess", None)
    rest = 0.0 if excess is None else (count + 0.5) ** (-2.0 * beta * excess) / (2.0 * beta * excess)
    assert reported == pytest.approx(partial + rest, rel=1e-7)


@pytest.mark.parametrize("beta", [1.05, 2.0, 6.0])
@pytest.mark.parametrize("excess", [0.1, 0.5, 1.0])
def test_norm_of_a_smoother_target_is_a_zeta_value(beta: float, excess: float) -> None:
    instance = Instance(PowerLaw(beta), SmootherTarget(0.5, excess=excess, norm=3.0))
    assert source_norm_squared(instance) == pytest.approx(9.0 * float(mpmath.zeta(1 + 2 * beta * excess)), rel=1e-9)


@pytest.mark.parametrize("rate", [0.2, 1.0, 50.0])
@pytest.mark.parametrize("norm", [0.1, 1.0, 7.0])
def test_norm_of_an_exponential_target_is_exactly_its_radius(rate: float, norm: float) -> None:
    instance = Instance(PowerLaw(2.0), ExponentialTarget(0.5, rate=rate, norm=norm))
    assert source_norm_squared(instance) == pytest.approx(norm**2, rel=1e-12)
    assert math.fsum(energies(instance, 4000)) == pytest.approx(norm**2, rel=1e-12)


@pytest.mark.parametrize("target", [CriticalTarget(0.5), LacunaryTarget(0.5)], ids=lambda target: target.describe())
def test_targets_at_the_edge_of_the_ball_say_so(target: Target) -> None:
    instance = Instance(PowerLaw(2.0), target)
    assert target.source == "S-tail"
    # sum g_i^2 grows as ln i: by the same amount over each decade, without limit.
    g2 = energies(instance, 100_000)
    growth = [g2[10**k : 10 ** (k + 1)].sum() for k in (2, 3, 4)]
    assert min(growth) > 0.5 * max(growth) > 0.5
    assert source_norm_squared(instance) == math.inf


@settings(max_examples=40)
@given(assumption_r_spectra(), single_targets(smoothness(), CLASSES))
def test_tail_sums_of_every_target_obey_the_declared_index(spectrum: Spectrum, target: Target) -> None:
    instance = Instance(spectrum, target)
    assert spectrum.assumption_r is not None
    count, index = 4096, 2.0 * target.l2_index
    f2 = eigenvalues(spectrum, count) ** index * energies(instance, count)
    tails = np.cumsum(f2[::-1])[::-1]  # over j >= k
    # sum_{j >= k} f_j^2 <= c2^(2s') k^-(2 beta s') sum over the target's shape: for g_j^2 = 1/j at most
    # 1/k + 1/(2 beta s'), on a geometric support at most 1/(1 - 2^-(2 beta s')), in the ball its squared norm.
    power = instance.beta * index
    ball = source_norm_squared(instance)
    shape = ball if math.isfinite(ball) else 1.0 + 1.0 / power + 1.0 / -math.expm1(-power * math.log(2.0))
    k = np.arange(1.0, count + 1.0)
    # A lacunary support is rounded to whole indices, r^m - 1/2 at the least.
    rounding = (2.0 / 1.5) ** power if isinstance(target, LacunaryTarget) else 1.0
    bound = spectrum.assumption_r[1] ** index * k**-power * shape * rounding * (1.0 + 1e-9)
    assert np.all(tails <= bound)


def test_critical_tails_attain_their_rate() -> None:
    instance = Instance(PowerLaw(2.0), CriticalTarget(0.5))
    count = 100_000
    f2 = eigenvalues(instance.spectrum, count) * energies(instance, count)
    tails = np.cumsum(f2[::-1])[::-1]
    for k in (1, 10, 1000):
        # sum_{j >= k} j^-3 is a Hurwitz zeta value, k^-2/2 (1 + O(1/k)): the class is attained.
        exact = float(mpmath.zeta(3, k) - mpmath.zeta(3, count + 1))
        assert tails[k - 1] == pytest.approx(exact, rel=1e-10)
        assert tails[k - 1] * k**2 == pytest.approx(0.5, rel=1.5 / k)


def test_lacunary_support_is_the_rounded_geometric_sequence() -> None:
    np.testing.assert_allclose(
        np.exp(LacunaryTarget(0.5, ratio=2.5).support(math.log(250.0))), [1, 2, 6, 16, 39, 98, 244], rtol=1e-12
    )


def test_random_targets_depend_on_their_seed_alone() -> None:
    instance = Instance(PowerLaw(2.0), RandomTarget(0.5, seed=3))
    first, other = (energies(replaced, 256) for replaced in (instance, Instance(PowerLaw(2.0), RandomTarget(0.5, 1.0))))
    np.testing.assert_array_equal(first, energies(Instance(PowerLaw(2.0), RandomTarget(0.5, seed=3)), 256))
    assert not np.any(first == other)
    # z_i^2 has mean 1 and variance 2: the mean of 256 lies within five standard errors.
    k = np.arange(1.0, 257.0)
    assert abs(np.mean(first * k ** (1.0 + 2.0 * 2.0 * 0.1)) - 1.0) < 5.0 * math.sqrt(2.0 / 256.0)


def test_indices_in_the_two_norms() -> None:
    assert CriticalTarget(0.5).l2_index == 0.5
    assert CriticalTarget(0.5, source_norm="RKHS").l2_index == 1.0
    assert SmootherTarget(0.5, source_norm="RKHS").source == "S-H"

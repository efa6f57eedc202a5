"""Ingredients and simulators that a pack brings: recorded exactly, replayed with --pack, refused with the remedy."""

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import strategies as st
from typer.testing import CliRunner

import verifier as vf
from tests.packs import gap_2024
from tests.packs.gap_2024 import Driven, Exact, Gapped, Notched, Slowed
from verifier import cli, records
from verifier.instances.ingredient import Ingredient, recorded, register_ingredient
from verifier.risk.simulators import has_equivalent, simulated_by, simulator_of
from verifier.verdicts.judge import judge, look

PACK = "tests.packs.gap_2024:CLAIMS"
CLAIMS = {claim.id.removeprefix("Gap/"): claim for claim in gap_2024.CLAIMS}
FEW = vf.Budget(examples=12)
PLAIN = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.5), vf.Noise(1.0))
NUMBERS = np.array([10, 20]), np.array([0.1, 0.05])


# ---------------------------------------------------------------------------------------------------- ingredients


@pytest.mark.parametrize("spectrum", [Gapped(2.5), Gapped(1.1, height=0.1 + 0.2), Notched(1.75)])
def test_a_foreign_spectrum_survives_json(spectrum: Any) -> None:
    instance = vf.Instance(spectrum, vf.CriticalTarget(s=0.5))
    text = json.dumps(instance.to_json(), allow_nan=False)
    again = vf.Instance.from_json(json.loads(text))
    assert again == instance
    assert again.digest == instance.digest
    assert json.dumps(again.to_json()) == text


def test_ingredients_nest_in_fields_and_tuples() -> None:
    @dataclass(frozen=True)
    class Blend(Ingredient):
        parts: tuple[Any, ...]
        weights: tuple[tuple[float, ...], ...] = ((1.0, 2.0), (3.0,))

    blend = Blend((vf.PowerLaw(2.0), Notched(3.0)))
    assert Ingredient.from_json(json.loads(json.dumps(blend.to_json()))) == blend


class Bare:
    """A spectrum that nobody registered."""

    size, head, tail_index, period, assumption_r = math.inf, 1, 2.0, None, None

    def log_eigenvalues(self, log_index: Any) -> Any:
        return -2.0 * log_index

    def describe(self) -> str:
        return "bare"


@register_ingredient
class ByIdentity(Bare):
    def to_json(self) -> dict[str, Any]:
        return {"kind": "ByIdentity"}

    @classmethod
    def from_json(cls, record: Any) -> Any:
        return cls()


@register_ingredient
@dataclass(frozen=True)
class Forgets(Bare):
    beta: float = 2.0

    def to_json(self) -> dict[str, Any]:
        return {"kind": "Forgets"}

    @classmethod
    def from_json(cls, record: Any) -> Any:
        return cls()


@register_ingredient
@dataclass(frozen=True)
class NotFinite(Bare):
    beta: float = math.nan


@register_ingredient
@dataclass(frozen=True)
class HasNoJson(Bare):
    table: Any = dataclasses.field(default_factory=lambda: object())


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (
            Bare(),
            "nobody registered, .* make Bare a subclass of vf.Ingredient, or decorate it with @vf.register_ingredient",
        ),
        (ByIdentity(), "equal to another ByIdentity .* make it a @dataclass"),
        (Forgets(3.0), "comes back from its JSON form as Forgets.*: to_json and from_json disagree"),
        (NotFinite(), "cannot be written as JSON and read back: .*JSON compliant"),
        (HasNoJson(), "cannot be written as JSON and read back: .*not JSON serializable"),
    ],
)
def test_what_could_not_be_replayed_is_refused_with_the_remedy(part: Any, says: str) -> None:
    with pytest.raises(ValueError, match="(?s)spectrum=.*" + says):
        vf.Instance(part, vf.CriticalTarget(s=0.5)).to_json()


def test_an_unregistered_ingredient_is_an_error_of_the_claim() -> None:
    found = vf.falsify(gap_2024.claim("bare", st.builds(Bare)), budget=FEW)
    assert found.verdict == "ERROR"
    assert found.message.startswith("claim Gap/bare: spectrum=")
    assert "@vf.register_ingredient" in found.message


def test_a_kind_that_another_class_has_is_refused() -> None:
    with pytest.raises(
        ValueError, match="the kind 'PowerLaw' of .* is already that of verifier.instances.spectra: rename"
    ):
        type("PowerLaw", (Ingredient,), {"__module__": __name__})
    assert Ingredient.from_json(vf.PowerLaw(2.0).to_json()) == vf.PowerLaw(2.0)
    register_ingredient(Notched)  # the same lines once more, as a reload has them


def test_bases_are_no_kinds_and_an_unknown_kind_asks_for_the_pack() -> None:
    for kind in ("SpectrumDefaults", "_RhoLaw", "NoSuchSpectrum"):
        with pytest.raises(ValueError, match=rf"kind='{kind}' is not a known .*--pack MODULE:ATTRIBUTE"):
            Ingredient.from_json({"kind": kind})


def test_from_json_has_to_return_one_of_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notched, "from_json", classmethod(lambda cls, record: vf.PowerLaw(2.0)))
    with pytest.raises(ValueError, match="from_json of Notched returned PowerLaw"):
        Ingredient.from_json({"kind": "Notched", "beta": 2.0})


def test_bundled_ingredients_are_recorded_as_before() -> None:
    assert recorded("spectrum", vf.Finite((2.0, 1.0))) == {"kind": "Finite", "eigenvalues": [2.0, 1.0]}


@pytest.mark.thorough
def test_a_counterexample_with_foreign_parts_replays_with_its_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [])

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, arguments, prog_name="verifier")

    out = str(tmp_path / "run")
    for name, evidence in (("notched-wrong", ["equivalent", "simulation"]), ("slowed", ["simulation"])):
        assert run("falsify", f"Gap/{name}", "--pack", PACK, "--examples", "12", "--out", out).exit_code == 1
        assert records.load_findings(out)[0]["evidence"] == evidence
        file = f"{out}/counterexamples/Gap-{name}.minimal.json"
        alone = run("replay", file)
        assert alone.exit_code == cli.USAGE
        assert f"add --pack {PACK}" in " ".join(alone.stderr.split())
        again = run("replay", file, "--pack", PACK)
        assert again.exit_code == 0, again.output
        assert "largest relative difference from the stored ones 0" in again.stdout


# ---------------------------------------------------------------------------------------------------- simulators


@pytest.mark.thorough
def test_a_claims_simulator_is_judged_against_the_plain_reference() -> None:
    found = judge(CLAIMS["slowed"], PLAIN)
    assert (found.route, found.verdict) == ("B", "violated")
    assert found.exponent == pytest.approx(2 / 3 - 0.3, abs=0.03)
    assert judge(CLAIMS["slowed-right"], PLAIN).verdict == "consistent"


@pytest.mark.thorough
def test_the_search_looks_through_the_simulator_on_common_random_numbers() -> None:
    seen: list[list[float]] = []

    def watched(instance: Any, n: Any, lam: Any, generators: Any) -> Any:
        seen.append([float(generator.standard_normal()) for generator in generators])
        return np.ones((len(generators), len(n)))

    claim = gap_2024.claim("watched", gap_2024.one, simulator=watched)
    for s in (0.5, 0.4):
        assert look(claim, vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=s)), seed=0).route == "B"
    pilot, counted, *again = seen
    assert again == [pilot, counted]  # each instance has a pilot, and then as many replicates as it asks for
    assert len(set(counted)) == len(counted)
    assert pilot[0] not in counted
    look(claim, PLAIN, seed=1)
    assert seen[4] != pilot


def test_a_simulator_with_an_equivalent_has_to_agree_with_it() -> None:
    good, bad = judge(CLAIMS["exact"], PLAIN), judge(CLAIMS["exact-not"], PLAIN)
    assert (good.route, good.verdict) == ("A", "consistent")
    assert (bad.route, bad.verdict) == ("A", "inconclusive")
    assert "simulation disagrees with the deterministic equivalent" in bad.reason


def test_an_ingredient_brings_its_simulator_and_its_plain_self() -> None:
    driven = vf.Instance(Driven(2.0), vf.CriticalTarget(s=0.5), vf.Noise(1.0))
    assert simulator_of(driven) == Slowed(0.3)
    assert not has_equivalent(driven)
    found = judge(CLAIMS["slowed"], driven)
    assert (found.route, found.verdict) == ("B", "violated")
    curve = vf.learning_curve(driven, n=(100, 1600), replicates=4)
    assert curve.risk == pytest.approx(
        np.asarray(vf.equivalent_risk(driven, n=curve.n, lam=curve.lam)) * curve.n**0.3, rel=0.03
    )


def test_an_ingredient_without_a_plain_self_decides_nothing() -> None:
    """Its own reference would be simulated like itself and agree with any claim."""

    @dataclass(frozen=True)
    class Endless(Gapped):
        simulator: ClassVar[Any] = Slowed(0.3)

    found = judge(CLAIMS["slowed"], vf.Instance(Endless(2.0), vf.CriticalTarget(s=0.5), vf.Noise(1.0)))
    assert (found.route, found.verdict) == ("B", "inconclusive")
    assert "needs an attribute 'plain'" in found.reason


@pytest.mark.parametrize(("part", "covered"), [(Slowed(0.1), False), (Exact(0.0), True), (None, True)])
def test_who_has_an_equivalent(part: Any, covered: bool) -> None:
    assert has_equivalent(PLAIN, part) is covered


def test_curves_of_a_simulator_are_keyed_and_rows_do_not_depend_on_how_many_follow() -> None:
    few = vf.learning_curve(PLAIN, n=(100, 400), replicates=3, seed=5, simulator=Slowed(0.1))
    many = vf.learning_curve(PLAIN, n=(100, 400), replicates=6, seed=5, simulator=Slowed(0.1))
    assert np.array_equal(many.samples[:3], few.samples)
    assert not np.array_equal(few.samples, vf.learning_curve(PLAIN, n=(100, 400), replicates=3, seed=6).samples)


def wrong(value: Any) -> Any:
    def planted(instance: Any, n: Any, lam: Any, generators: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return planted


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (RuntimeError("no\ngrant"), "the simulator planted raised RuntimeError: no grant, for l_i = i^-2"),
        (SystemExit(0), "the simulator planted raised SystemExit: 0"),
        ([[1.0, 2.0]], "returned an array of shape (1, 2); expected (2, 2), a row for each generator"),
        ([[1.0, math.nan], [1.0, 1.0]], "returned nan at n=20 in replicate 0"),
        ([[1.0, 1.0], [-1.0, 1.0]], "returned -1.0 at n=10 in replicate 1"),
        ("risk", "returned str, which is no array of numbers"),
        (None, "returned an array of shape ()"),
    ],
)
def test_what_a_simulator_returns_is_checked(value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        simulated_by(wrong(value), PLAIN, *NUMBERS, replicates=2, seed=0, key=())


def test_a_broken_simulator_is_an_error_of_its_claim() -> None:
    broken = gap_2024.claim("broken", gap_2024.one, simulator=wrong(RuntimeError("no grant")))
    found = vf.falsify(broken, budget=FEW)
    assert found.verdict == "ERROR"
    assert found.message.startswith("claim Gap/broken: the simulator planted raised RuntimeError: no grant")


def test_a_simulator_is_a_function_or_has_simulate() -> None:
    with pytest.raises(ValueError, match="simulator of claim Gap/none must be a function or have a method simulate"):
        gap_2024.claim("none", gap_2024.one, simulator=7)

    @dataclass(frozen=True)
    class Odd(Gapped):
        simulator: ClassVar[Any] = 7

    with pytest.raises(ValueError, match="simulator=7 of .*Odd.* must be a function or have a method simulate"):
        simulator_of(vf.Instance(Odd(2.0)))

    @dataclass(frozen=True)
    class Smooth(vf.CriticalTarget):
        simulator: ClassVar[Any] = Slowed(0.1)

    with pytest.raises(ValueError, match="each bring a simulator"):
        simulator_of(vf.Instance(Driven(2.0), Smooth(s=0.5)))

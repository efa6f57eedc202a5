"""Claims, predictions and packs: what is refused and how it is said, and that T1's readings tile its matrix."""

import importlib.metadata
import math
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import properties
import verifier as vf
from properties import theorem_1
from verifier.claims import (
    ENTRY_POINT_GROUP,
    VERDICTS,
    AtLeast,
    AtMost,
    Bound,
    Claim,
    Exponent,
    Prediction,
    Reading,
    StraightLine,
    Theta,
    load_pack,
    registered_claims,
    unique,
)
from verifier.instances import Instance, PowerLaw

ROOT = Path(__file__).parents[1]
PLAIN = Instance(PowerLaw(2.0))


def claim(id: str = "X1", make: type[Claim] = Claim, **changes: Any) -> Claim:
    parts: dict[str, Any] = {
        "title": "a title",
        "statement": "a statement",
        "source": "nowhere",
        "domain": st.just(PLAIN),
        "predict": lambda instance: Exponent(0.5),
    }
    return make(id=id, **(parts | changes))


# ------------------------------------------------------------------------------------------------ claims


@pytest.mark.parametrize("id", ["T1", "T1/s-above-1", "R1.b", "a_b/c_d", "9/9", "T1/s-2.5"])
def test_good_ids(id: str) -> None:
    made = claim(id)
    assert (made.statement_id, made.reading) == (id.partition("/")[0], id.partition("/")[2])


@pytest.mark.parametrize(
    "id",
    [
        "",
        "/",
        "T1/",
        "/x",
        "a/b/c",
        "a b",
        "T1/s>1",
        "-x",
        "T1/-x",
        "..",
        "T1/..",
        "x;rm",
        "x$y",
        "`x`",
        "T1\n",
        "é",
        7,
        None,
    ],
)
def test_bad_ids_are_refused(id: Any) -> None:
    with pytest.raises(ValueError, match="must look like 'T1' or 'T1/s-above-1'") as error:
        claim(id)
    assert repr(id) in str(error.value)


def test_a_reading_has_two_parts() -> None:
    assert claim("T1/all", Reading).reading == "all"
    with pytest.raises(ValueError, match="id='T1' of a reading must have the form STATEMENT/reading-in-words"):
        claim("T1", Reading)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expected": "TRUE"}, "expected='TRUE' of claim X1 must be None or one of SURVIVED, FALSIFIED"),
        ({"domain": [PLAIN]}, "domain of claim X1 must be a Hypothesis strategy"),
        ({"predict": Exponent(0.5)}, "predict of claim X1 must be a function"),
        ({"tuning": "best"}, "tuning='best' of claim X1 must be 'optimal', 'schedule' or a function"),
    ],
)
def test_claims_are_validated(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        claim(**changes)


def test_claims_are_immutable_and_keyword_only() -> None:
    with pytest.raises(AttributeError):
        claim().expected = "SURVIVED"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Claim("X1", "t", "s", "n", st.just(PLAIN), lambda i: Exponent(0.5))  # type: ignore[misc]


def test_every_verdict_may_be_expected() -> None:
    for verdict in (*VERDICTS, None):
        assert claim(expected=verdict).expected == verdict


def test_unmet_names_the_first_hypothesis_that_fails() -> None:
    def large_noise(instance: Instance) -> bool:
        return instance.sigma > 5.0

    def light_tail(instance: Instance) -> bool:
        return instance.beta > 1.5

    assert claim(hypotheses=(light_tail, large_noise)).unmet(PLAIN) == "large noise"
    assert claim(hypotheses=(light_tail,)).unmet(PLAIN) is None
    assert claim().unmet(PLAIN) is None


# ------------------------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize(
    ("prediction", "words"),
    [
        (Exponent(0.5), "exponent = 0.5"),
        (AtLeast(0.5), "exponent >= 0.5"),
        (AtMost(0.5), "exponent <= 0.5"),
        (Theta(0.5), "y x^0.5 bounded above and below"),
        (StraightLine(0.5), "local exponent -> 0.5"),
        (Bound(2.0), "at most 2"),
        (Bound(math.inf), "bounded by some constant"),
        (Bound(), "bounded by some constant"),
    ],
)
def test_predictions_in_words(prediction: Prediction, words: str) -> None:
    assert prediction.describe() == words
    assert prediction.kind == type(prediction).__name__


@pytest.mark.parametrize("make", [Exponent, AtLeast, AtMost, Theta, StraightLine])
@pytest.mark.parametrize("value", [math.nan, math.inf, "0.5", None, True])
def test_predictions_are_finite_numbers(make: type[Prediction], value: Any) -> None:
    with pytest.raises(ValueError, match=make.__name__):
        make(value)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_bounds_are_positive(value: float) -> None:
    with pytest.raises(ValueError, match=r"Bound=.* must be a positive constant, or math.inf"):
        Bound(value)


@pytest.mark.parametrize("value", ["2", None])
def test_bounds_are_numbers(value: Any) -> None:
    with pytest.raises(ValueError, match="Bound"):
        Bound(value)


def test_a_prediction_that_raises_names_the_claim_and_the_cause() -> None:
    def wrong(instance: Instance) -> Prediction:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ValueError, match="predict of claim X1 raised ZeroDivisionError: by nothing"):
        claim(predict=wrong).predicted(PLAIN)


@pytest.mark.parametrize("garbage", [0.5, None, "0.5", Exponent, (Exponent(0.5),)])
def test_a_prediction_of_another_type_names_the_claim(garbage: Any) -> None:
    with pytest.raises(ValueError, match="predict of claim X1 returned .*, which is not a prediction"):
        claim(predict=lambda instance: garbage).predicted(PLAIN)


# ------------------------------------------------------------------------------------------------ packs


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Make an importable module with the given attributes and return its name."""

    def make(**attributes: Any) -> str:
        module = types.ModuleType("planted_pack")
        for name, value in attributes.items():
            setattr(module, name, value)
        monkeypatch.setitem(sys.modules, "planted_pack", module)
        return "planted_pack"

    return make


def test_packs_load(pack: Callable[..., str]) -> None:
    one, two = claim("A"), claim("B")
    name = pack(ONE=one, MANY=(one, two), NESTED=types.SimpleNamespace(INNER=[two]), EMPTY=())
    assert load_pack(f"{name}:ONE") == [one]
    assert load_pack(f"{name}:MANY") == [one, two]
    assert load_pack(f"{name}:NESTED.INNER") == [two]
    assert load_pack("properties:CLAIMS") == list(properties.CLAIMS)


@pytest.mark.parametrize("spec", ["", ":", "properties", "properties:", ":CLAIMS"])
def test_a_pack_without_module_or_attribute(spec: str) -> None:
    with pytest.raises(ValueError, match="must have the form module:attribute") as error:
        load_pack(spec)
    assert repr(spec) in str(error.value)


def test_a_pack_that_cannot_be_imported() -> None:
    with pytest.raises(ValueError, match="pack 'no_such_pack:X' cannot be imported: ModuleNotFoundError"):
        load_pack("no_such_pack:X")


def test_a_pack_that_fails_on_import(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_pack.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="pack 'broken_pack:X' cannot be imported: RuntimeError: not today"):
        load_pack("broken_pack:X")


def test_a_pack_without_the_attribute() -> None:
    with pytest.raises(ValueError, match="pack 'properties:NOTHING': module 'properties' has no attribute 'NOTHING'"):
        load_pack("properties:NOTHING")


@pytest.mark.parametrize("value", [7, None, "claims", Exponent(0.5)])
def test_a_pack_that_is_neither_claim_nor_claims(value: Any, pack: Callable[..., str]) -> None:
    name = pack(X=value)
    with pytest.raises(ValueError, match=f"pack '{name}:X' must be a Claim or an iterable of Claims"):
        load_pack(f"{name}:X")


def test_a_pack_that_holds_something_else(pack: Callable[..., str]) -> None:
    name = pack(X=(claim(), "T1"))
    with pytest.raises(ValueError, match=f"pack '{name}:X' holds 'T1', which is not a Claim"):
        load_pack(f"{name}:X")


def test_a_pack_with_an_id_twice(pack: Callable[..., str]) -> None:
    name = pack(X=(claim("A"), claim("B"), claim("A")))
    with pytest.raises(ValueError, match=f"pack '{name}:X' registers the id 'A' twice"):
        load_pack(f"{name}:X")


def install(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    """Pretend that packs with these entry points are installed, and nothing else."""
    entries = [importlib.metadata.EntryPoint(f"pack-{k}", value, ENTRY_POINT_GROUP) for k, value in enumerate(values)]

    def entry_points(*, group: str) -> list[importlib.metadata.EntryPoint]:
        return entries if group == ENTRY_POINT_GROUP else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_registered_claims_are_those_of_the_installed_packs(
    monkeypatch: pytest.MonkeyPatch, pack: Callable[..., str]
) -> None:
    own = claim("Z9/of-my-own")
    install(monkeypatch, "properties:CLAIMS", f"{pack(MINE=own)}:MINE")
    found = registered_claims()
    assert list(found) == [*(reading.id for reading in properties.CLAIMS), "Z9/of-my-own"]
    assert all(found[reading.id] is reading for reading in properties.CLAIMS)
    assert vf.registered_claims is registered_claims


def test_two_packs_may_not_share_an_id(monkeypatch: pytest.MonkeyPatch, pack: Callable[..., str]) -> None:
    install(monkeypatch, "properties:CLAIMS", f"{pack(MINE=claim('L2/all-s'))}:MINE")
    with pytest.raises(ValueError, match="registers the id 'L2/all-s' twice"):
        registered_claims()


def test_nothing_is_registered_without_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert registered_claims() == {}


def test_the_installed_distribution_registers_the_papers_claims() -> None:
    if not importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        pytest.skip("the distribution is not installed here, so that it has no entry points")
    assert {reading.id for reading in properties.CLAIMS} <= set(registered_claims())


def test_unique_keeps_the_order() -> None:
    claims = [claim("B"), claim("A")]
    assert list(unique(claims, "here")) == ["B", "A"]


# ------------------------------------------------------------------------------------------------ the paper's claims


def test_the_papers_claims_are_complete() -> None:
    unique(properties.CLAIMS, "properties")
    assert {reading.statement_id for reading in properties.CLAIMS} == {
        *(
            "L1",
            "L2",
            "L3",
            "E3",
            "T1",
            "T2",
            "T3",
            "P1",
            "L5",
            "T5",
            "L6",
            "R4",
            "A4",
            "C1",
            "R1",
            "F2",
            "F4",
            "F5",
            "F6",
            "F7",
        ),
        *("L4", "T4", "R3", "F3"),
        *("T6", "T7", "C2"),
        *("T1a", "T1b", "T1c", "T4s"),
    }
    for reading in properties.CLAIMS:
        known = reading.expected in ("SURVIVED", "FALSIFIED", "VACUOUS")
        assert known or (reading.expected is None and reading.statement_id in ("T1a", "T1b", "T1c"))
        for text in (reading.title, reading.statement, reading.source, reading.latex, reading.prediction):
            assert text.strip() == text != ""


def test_t1_readings_settle_each_cell_of_the_matrix_exactly_once() -> None:
    matrix = {
        " · ".join(cell)
        for cell in product(
            ("schedule", "tuned"),
            ("upper bound", "two-sided per target", "worst case over the class"),
            ("sigma > 0", "sigma = 0"),
            ("S-L2", "S-H", "S-tail"),
            ("s <= 1", "s > 1"),
        )
    }
    assert len(matrix) == 72
    judged = Counter(cell for reading in theorem_1.READINGS for cell in reading.cells)
    assert set(judged) == matrix
    assert set(judged.values()) == {1}
    assert not any(reading.cells for reading in properties.CLAIMS if reading.statement_id != "T1")


def test_a_cell_is_judged_by_a_reading_of_its_own_tuning() -> None:
    for reading in theorem_1.READINGS:
        for cell in reading.cells:
            assert cell.split(" · ")[0] == ("schedule" if reading.tuning == "schedule" else "tuned")


@pytest.mark.thorough
def test_properties_import_without_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None; import properties; print(len(properties.CLAIMS))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(out.stdout) == len(properties.CLAIMS)

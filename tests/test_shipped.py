"""The shipped calibration: what is quoted of it, that it goes stale visibly, and its page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from properties import CLAIMS
from verifier import records
from verifier.verdicts import shipped
from verifier.verdicts.calibration import _RATES, Counts, rate, table
from verifier.verdicts.shipped import calibration_of, in_brief, in_words, is_stale, markdown, publish_table

DIGEST = "0123456789abcdef" * 4


def measured() -> dict[str, Any]:
    """A table of two readings, made as a calibration makes it."""
    counts: dict[str, dict[str, float]] = {
        "judgements": {
            "null": 200,
            "exact": 200,
            "rejected": 1,
            "undecided": 2,
            "noticed 0.02": 180.5,
            "noticed 0.05": 199,
            "noticed 0.1": 200,
            "reading": 100,
            "reading rejected": 0,
            "mutant a two dropped": 50,
            "mutant a two dropped noticed": 49,
        },
        "confirmations": {"null": 40, "exact": 40, "not certified": 0, "noticed 0.1": 40},
        "searches": {"searches": 11, "alarms": 0, "judged": 900, "violations before confirmation": 3},
        "simulation alone": {"null": 60, "permitted 0.05": 60, "noticed 0.05": 57},
        "corners": {"corner 0.1": 3, "corner 0.1 found": 3},
        "audits": {"audits": 200, "alarms": 0, "readings": 4000, "confirmations": 8000},
    }
    results = [
        {"measurement": name, "reading": "", "number": 0, "outcomes": {name: found}, "alarms": [], "seconds": 1800.0}
        | ({} if name == "audits" else {"reading": "T1/tuned-worst-case"})
        for name, found in counts.items()
    ]
    results[0]["alarms"] = [{"instance": {}, "reason": "off by .02"}]
    silent = {"measurement": "searches", "reading": "F5/spectra", "number": 0, "alarms": [], "seconds": 0.0}
    results.append(silent | {"outcomes": {"0": {"searches": 1.0}}})
    return table(results, claims=CLAIMS, digest=DIGEST, seed=4, complete=True)


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Put a table, or any text, where the shipped one belongs; without it there is none."""
    place = tmp_path / "data" / "calibration.json"
    monkeypatch.setattr(shipped, "SHIPPED", place)
    monkeypatch.setattr(shipped, "_PAGE", tmp_path / "docs" / "calibration.md")
    monkeypatch.setattr(shipped, "code_digest", lambda: DIGEST)
    shipped.shipped.cache_clear()

    def put(content: Any) -> None:
        place.parent.mkdir(exist_ok=True)
        place.write_text(content if isinstance(content, str) else json.dumps(content))
        shipped.shipped.cache_clear()

    return put


@pytest.fixture(autouse=True)
def forget() -> Any:
    """Nothing that a test shipped is remembered after it."""
    yield
    shipped.shipped.cache_clear()


@pytest.mark.usefixtures("ship")
def test_where_no_table_ships_nothing_is_said() -> None:
    assert shipped.shipped() is None
    assert is_stale() is None
    assert calibration_of("T1/tuned-worst-case") is None
    assert in_brief("T1/tuned-worst-case") == ""


@pytest.mark.parametrize(
    "other",
    [
        {"schema": records.SCHEMA + 1, "kind": "calibration"},
        {"schema": records.SCHEMA, "kind": "run"},
        {"kind": "calibration"},
        [],
    ],
    ids=str,
)
def test_a_table_of_another_schema_is_as_good_as_none(other: Any, ship: Callable[[Any], None]) -> None:
    ship(measured() | other if isinstance(other, dict) and "schema" in other else other)
    assert shipped.shipped() is None
    assert is_stale() is None
    assert in_brief("T1/tuned-worst-case") == ""


def test_a_damaged_table_is_named_and_stops_nothing(ship: Callable[[Any], None]) -> None:
    ship("{")
    with pytest.warns(UserWarning, match=r"calibration\.json: is not JSON.*calibrate --publish"):
        assert is_stale() is None
    assert calibration_of("T1/tuned-worst-case") is None


def test_it_is_stale_where_the_code_is_another(ship: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    ship(measured())
    assert is_stale() is False
    assert in_brief("T1/tuned-worst-case") == "1/200, 0.902 at 0.02"
    found = calibration_of("T1/tuned-worst-case")
    assert found is not None
    assert found["stale"] is False
    monkeypatch.setattr(shipped, "code_digest", lambda: "another" + DIGEST)
    assert is_stale() is True
    assert in_brief("T1/tuned-worst-case") == "STALE 1/200, 0.902 at 0.02"
    stale = calibration_of("T1/tuned-worst-case")
    assert stale == found | {"stale": True}


def test_what_is_said_of_a_reading(ship: Callable[[Any], None]) -> None:
    ship(measured())
    found = calibration_of("T1/tuned-worst-case")
    assert found is not None
    assert found["text"] == (
        "Size and power on claims whose truth a theorem gives, drawn from this reading's domain. "
        "Measured on code 0123456789ab."
    )
    low, high = rate(1, 200)["low"], rate(1, 200)["high"]
    assert found["size"] == f"1 of 200 = 0.005 [{low:.4f}, {high:.4f}]"
    assert found["power 0.02"].startswith("180.5 of 200 = 0.9025 [")
    assert found["power, a two dropped"].startswith("49 of 50 = 0.98 [")
    assert found["confirmations: not certified"].startswith("0 of 40 = 0 [0.0000, ")
    assert found["searches: judged"] == "900"
    assert found["simulation alone: power 0.1, where permitted"] == "not measured"
    assert found["simulation alone: power 0.05, where permitted"].startswith("57 of 60 = 0.95 [")
    assert found["whole audits with a false alarm"].startswith("0 of 200 = 0 [0.0000, 0.01")
    names = list(found)
    assert names.index("size") < names.index("confirmations: size")  # judgements first


def test_a_reading_about_no_exponent_is_told_so(ship: Callable[[Any], None]) -> None:
    ship(measured())
    found = calibration_of("L2/all-s")
    assert found is not None
    assert found["text"].startswith("This reading is not among those")
    assert set(found) == {"stale", "text", "whole audits with a false alarm"}
    assert in_brief("L2/all-s") == ""
    assert in_brief("F5/spectra") == ""  # searched, and not judged


def test_words_for_a_rate_and_for_a_count() -> None:
    assert in_words(rate(0.0, 0.0)) == "not measured"
    assert in_words(12.0) == "12"
    assert in_words(rate(199.0, 200.0)).startswith("199 of 200 = 0.995 [0.97")


# ------------------------------------------------------------------------------------------------ the page


def test_every_rate_of_the_table_is_on_the_page() -> None:
    found = measured()
    page = markdown(found)
    for measurement, rates in found["all"].items():
        for name, value in rates.items():
            rows = [line for line in page.splitlines() if line.startswith(f"| {measurement} | {name} | ")]
            assert len(rows) == 1, (measurement, name)
            if isinstance(value, dict) and value["trials"]:
                assert f"{value['hits']:g}/{value['trials']:g} = {value['rate']:.4f}" in rows[0]
                assert f"[{value['low']:.4f}, {value['high']:.4f}]" in rows[0]
    for reading, measurements in found["readings"].items():
        assert sum(line.startswith(f"| {reading} | ") for line in page.splitlines()) == len(measurements)
    for heading in ("Judgements", "Confirmations", "Searches", "Corners", "Simulation alone"):
        assert f"\n## {heading}, by reading\n" in page
    assert "code `0123456789ab`, seed 4, 3.0 processor hours; " in page
    assert "off by .02" in page
    assert "NOT COMPLETE" not in page


def test_tables_are_rectangular() -> None:
    lines = markdown(measured()).splitlines()
    width = 0
    for line in lines:
        if line.startswith("|"):
            width = width or line.count("|")
            assert line.count("|") == width, line
        else:
            width = 0


def test_an_incomplete_table_and_one_without_alarms_say_so() -> None:
    page = markdown(measured() | {"complete": False, "alarms": []})
    assert "(NOT COMPLETE)" in page
    assert "## False alarms\n\nNone.\n" in page


def test_every_measurement_has_rates_that_the_page_can_show() -> None:
    empty: Counts = Counts(float)
    for rates in _RATES.values():
        for value in rates(empty).values():
            assert in_words(value) in ("not measured", "0")
    assert markdown(table([], claims=[], digest=DIGEST, seed=0, complete=False)).count("## ") == 4


def test_publishing_writes_both_and_takes_effect_at_once(ship: Callable[[Any], None], tmp_path: Path) -> None:
    ship(measured() | {"digest": "of older code"})
    assert is_stale() is True
    written = publish_table(measured())
    assert written == [tmp_path / "data" / "calibration.json", tmp_path / "docs" / "calibration.md"]
    assert is_stale() is False
    assert records.read_json(written[0]) == measured() | {"seconds": 10800.0}
    assert written[1].read_text() == markdown(records.read_json(written[0]))

"""JUnit XML: what is a failure, an error or skipped, and that it is XML whatever a record holds."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.junit import junit_xml, save_junit
from verifier.records import RecordError

RUN: dict[str, Any] = {
    "version": "0.1.0",
    "commit": None,
    "seed": 7,
    "started": "2026-03-04T09:15:00+00:00",
    "command": "verifier audit --seed 7",
    "controls": [],
}


def reading(name: str, verdict: str, expected: str | None) -> dict[str, Any]:
    agrees = None if expected is None else verdict == expected
    return {"id": name, "verdict": verdict, "expected": expected, "agrees": agrees, "seconds": 1.25, "message": "why"}


def case_of(readings: list[dict[str, Any]], run: dict[str, Any] = RUN) -> ET.Element:
    root = ET.fromstring(junit_xml(readings, run))
    cases = list(root.iter("testcase"))
    assert len(cases) == 1
    return cases[0]


@pytest.mark.parametrize(
    ("verdict", "expected", "result"),
    [
        ("SURVIVED", "SURVIVED", None),
        ("FALSIFIED", "FALSIFIED", None),
        ("FALSIFIED", "SURVIVED", "failure"),
        ("SURVIVED", "FALSIFIED", "failure"),
        ("FALSIFIED", None, None),
        ("UNDERPOWERED", "SURVIVED", "skipped"),
        ("VACUOUS", None, "skipped"),
        ("UNDERPOWERED", "UNDERPOWERED", "skipped"),
        ("ERROR", "SURVIVED", "error"),
        ("ERROR", None, "error"),
    ],
)
def test_a_reading_is_one_case(verdict: str, expected: str | None, result: str | None) -> None:
    case = case_of([reading("T1/s-above-1", verdict, expected)])
    assert case.attrib == {"classname": "T1", "name": "s-above-1", "time": "1.25"}
    results = [child for child in case if child.tag != "system-out"]
    assert [child.tag for child in results] == ([] if result is None else [result])
    for child in results:
        assert child.attrib == {
            "type": verdict,
            "message": f"{verdict}, expected {expected or 'nothing: an open question'}",
        }
        assert child.text == "why"


def test_a_wrong_control_is_an_error() -> None:
    control = {"id": "control/false-1", "truth": "false", "verdict": "SURVIVED", "right": False, "text": "plus 0.1"}
    case = case_of([], RUN | {"controls": [control]})
    assert case.attrib["classname"] == "controls"
    assert case[0].tag == "error"
    assert case[0].attrib["message"] == "known to be false, came out SURVIVED"
    assert not list(case_of([], RUN | {"controls": [control | {"right": True}]}))


def test_the_counts_and_the_form_are_what_jenkins_reads() -> None:
    verdicts = [
        ("a", "SURVIVED", "SURVIVED"),
        ("b", "SURVIVED", "FALSIFIED"),
        ("c", "ERROR", None),
        ("d", "VACUOUS", None),
    ]
    root = ET.fromstring(junit_xml([reading(*each) for each in verdicts], RUN))
    assert root.tag == "testsuites"
    assert root.attrib == {"name": "verifier", "tests": "4", "failures": "1", "errors": "1", "time": "5.0"}
    (suite,) = root
    assert suite.attrib == root.attrib | {"skipped": "1", "timestamp": "2026-03-04T09:15:00"}
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 4]
    properties = {item.attrib["name"]: item.attrib["value"] for item in suite[0]}
    assert properties == {"version": "0.1.0", "seed": "7", "command": "verifier audit --seed 7"}


@given(text=st.text(st.characters(), max_size=40))
def test_whatever_a_record_holds_it_is_xml(text: str) -> None:
    hostile = reading(text, "FALSIFIED", "SURVIVED") | {
        "message": text,
        "statement": f"]]>{text}</failure><testcase name='x'/>",
        "minimal": {"describe": text, "reason": text, "replay": text},
    }
    case = case_of([hostile], RUN | {"command": text})
    assert [child.tag for child in case] == ["failure", "system-out"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"cannot be written"):
        save_junit(tmp_path, [], RUN)

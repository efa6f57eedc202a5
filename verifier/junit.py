"""JUnit XML of a run, for the tools that read nothing else: one test case a reading, one a control.

A failure is a verdict that differs from the expected one; an error is a reading that could not be judged, or a control that
came out wrong; skipped is what is undecided. An open reading passes, whatever its verdict: that is news, no failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from junitparser import Attr, Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from verifier.records import PathLike, write_text

_UNDECIDED = ("UNDERPOWERED", "VACUOUS")
# What XML 1.0 has no form for, not even escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PROPERTIES = ("version", "commit", "code", "seed", "profile", "platform", "command", "exit_code")


class _Suite(TestSuite):
    """A suite with the time of day at which it began, which the schema allows and the library does not name."""

    timestamp = Attr()


def junit_xml(readings: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> str:
    """The XML of a run: ``readings`` are findings, or the readings of a night (id, verdict, expected, agrees, seconds, and the
    optional message, statement and minimal); ``run`` is its record, with the controls where it has any.
    """
    suite = _Suite("verifier")
    for name in _PROPERTIES:
        if run.get(name) is not None:
            suite.add_property(name, _xml(run[name]))
    if run.get("started"):
        suite.timestamp = _xml(str(run["started"])[:19])  # the schema's date and time have no zone; ours is UTC
    cases = [_reading(reading) for reading in readings]
    cases += [_control(control) for control in run.get("controls") or []]
    suite.add_testcases(cases)
    document = JUnitXml("verifier")
    document.add_testsuite(suite)
    suite.update_statistics()  # type: ignore[no-untyped-call]
    for name in ("tests", "failures", "errors", "time"):  # Jenkins allows the root no count of what was skipped
        setattr(document, name, getattr(suite, name))
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode("utf-8") + "\n"


def save_junit(path: PathLike, readings: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> None:
    """Write the JUnit XML of a run, whole or not at all; RecordError names the file where that fails."""
    write_text(path, junit_xml(readings, run))


def _reading(reading: Mapping[str, Any]) -> TestCase:
    name = _xml(reading["id"])
    statement, _, words = name.partition("/")
    case = TestCase(words or statement, classname=statement, time=round(float(reading["seconds"]), 3))
    verdict, expected = _xml(reading["verdict"]), reading["expected"]
    sentence = f"{verdict}, expected {_xml(expected) if expected is not None else 'nothing: an open question'}"
    details = _xml(_details(reading))
    if verdict == "ERROR":
        case.result = [_result(Error, sentence, "ERROR", details)]
    elif verdict in _UNDECIDED:
        case.result = [_result(Skipped, sentence, verdict, details)]
    elif reading["agrees"] is False:
        case.result = [_result(Failure, sentence, verdict, details)]
    case.system_out = "\n".join(filter(None, (sentence, details)))
    return case


def _details(reading: Mapping[str, Any]) -> str:
    """What a person needs to look at it: the message, the statement, the minimal counterexample and how to replay it."""
    minimal = reading.get("minimal")
    lines = [reading.get("message"), reading.get("statement")]
    if isinstance(minimal, Mapping):
        lines += [f"minimal: {minimal['describe']}", minimal["reason"], minimal["replay"]]
    return "\n".join(str(line) for line in lines if line)


def _control(control: Mapping[str, Any]) -> TestCase:
    case = TestCase(_xml(control["id"]), classname="controls")
    if not control["right"]:
        sentence = f"known to be {_xml(control['truth'])}, came out {_xml(control['verdict'])}"
        case.result = [_result(Error, sentence, "CONTROL", _xml(control["text"]))]
    return case


def _result(kind: type[Any], message: str, name: str, text: str) -> Any:
    result = kind(message, name)
    result.text = text
    return result


def _xml(value: object) -> str:
    """Text that XML can hold."""
    return _NO_XML.sub("\ufffd", str(value))

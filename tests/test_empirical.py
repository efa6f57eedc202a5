"""Measured spectra: what is read, what is refused and how, and what they say."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.instances.empirical import MOST
from verifier.tables import TableError, read_table

VALUES = tuple(float(i) ** -1.5 for i in range(1, 201))


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "eigenvalue\n3\n2\n2\n0.5\n",
        "3\n2\n2\n0.5\n",
        "# a comment\n\nindex,eigenvalue\r\n1,3\r\n2,2\r\n3,2\r\n4,5e-1\r\n",
        "\ufeffindex;eigenvalue\n1;3.0\n2;2\n3;2\n4;0.5\n",
        "1\t3\n2\t2\n3\t2\n4\t.5",
        '"i" "l"\n1 3\n2 2\n  3   2\n4 0.5\n',
    ],
)
def test_eigenvalues_are_read(text: str, tmp_path: Path) -> None:
    found = vf.EmpiricalSpectrum.from_csv(write(tmp_path / "s.csv", text))
    assert found.eigenvalues == (3.0, 2.0, 2.0, 0.5)
    assert (found.origin, found.size, found.head, found.tail_index) == ("s.csv", 4.0, 4, None)


def test_reading_sorts_drops_and_cuts_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "a,b\n1,9\n5,9\n-1e-17,9\n3,9\n0,9\n")
    found = vf.EmpiricalSpectrum.from_csv(path, "A", drop_below=1e-12, first=2)
    assert found.eigenvalues == (5.0, 3.0)
    assert found.origin == "s.csv; sorted on reading; 2 of at most 1e-12 left out; the first 2 of 3"
    assert vf.EmpiricalSpectrum.from_csv(path, "2").eigenvalues == (9.0,) * 5


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("l\n1\nx\n", {}, "s.csv: line 3, column 'l': 'x' is not a number: give a number"),
        ("l\n1\n1_0\n", {}, "line 3, column 'l': '1_0' is not a number"),
        ("i;l\n1;0,5\n", {}, "line 2, column 'l': '0,5' is not a number: write decimals with a point"),
        ("i,l\n1,\n", {}, "line 2, column 'l': '' is not a number: fill the cell or remove the line"),
        ("l\n1\nnan\n", {}, "line 3, column 'l': 'nan' is not finite"),
        ("l\n1\n1e999\n", {}, "'1e999' is not finite"),
        ("l\n1\n0\n", {}, "line 3, column 'l': '0' is not positive: leave out .* drop_below=1e-12"),
        ("l\n1\n-2\n", {}, "'-2' is not positive"),
        ("l\n1\n", {"drop_below": 2.0}, "no value exceeds drop_below=2"),
        ("l\n1\n", {"column": "m"}, "has no column 'm'; its columns are 'l'"),
        ("a,b\n1,2\n3\n", {}, "line 3 has 1 cells where the first line has 2"),
        ("a,A\n1,2\n", {}, "line 1 names the column 'a' twice"),
        ("l\n", {}, "names of columns and no values"),
        ("", {}, "holds no values"),
        ("# only\n\n", {}, "holds no values"),
        (b"\xff\xfe1\n", {}, "is not UTF-8 text"),
        ('"a,b\n1,2\n', {}, "line 1: is not CSV"),
        (
            "l\n" + "1\n" * (MOST + 1),
            {},
            f"holds {MOST + 1} eigenvalues, at most {MOST} are allowed: give first={MOST}",
        ),
        ("l\n1\n", {"drop_below": -1.0}, "drop_below=-1.0 must be at least 0"),
        ("l\n1\n", {"first": 0}, "first=0 must be a whole number"),
    ],
)
def test_a_bad_file_is_refused_with_place_and_remedy(
    text: Any, more: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        vf.EmpiricalSpectrum.from_csv(write(tmp_path / "s.csv", text), **more)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="absent.csv: cannot be read: No such file"):
        vf.EmpiricalSpectrum.from_csv(tmp_path / "absent.csv")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("values", "more", "says"),
    [
        ((), {}, "is empty"),
        (7, {}, "must be a sequence"),
        ((1.0, 2.0), {}, r"eigenvalues\[1\]=2.0 exceeds eigenvalues\[0\]=1.0; sort them"),
        ((1.0, 0.0), {}, r"eigenvalues\[1\]=0.0 must be greater than 0"),
        ((1.0, math.nan), {}, r"eigenvalues\[1\]=nan must be finite"),
        ((1.0,) * (MOST + 1), {}, "at most"),
        ((1.0,), {"origin": "two\nlines"}, "origin=.* must be one line"),
    ],
)
def test_the_constructor_validates(values: Any, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        vf.EmpiricalSpectrum(values, **more)


def test_it_is_immutable_and_survives_json() -> None:
    instance = vf.Instance(vf.EmpiricalSpectrum((0.1 + 0.2, 1 / 3 - 0.1, 1e-300), "lab"), vf.CriticalTarget(s=0.5))
    again = vf.Instance.from_json(json.loads(json.dumps(instance.to_json(), allow_nan=False)))
    assert again == instance
    assert again.digest == instance.digest
    assert hash(again.spectrum) == hash(instance.spectrum)
    with pytest.raises(dataclasses.FrozenInstanceError):
        instance.spectrum.origin = "elsewhere"  # type: ignore[misc]


def test_risks_are_those_of_the_same_finite_spectrum() -> None:
    measured = vf.Instance(vf.EmpiricalSpectrum(VALUES), vf.CriticalTarget(s=0.5), vf.Noise(0.5))
    written = vf.Instance(vf.Finite(VALUES), vf.CriticalTarget(s=0.5), vf.Noise(0.5))
    for lam in (0.01, 0.1):
        one, other = (vf.equivalent_risk(inst, n=[50, 500], lam=lam) for inst in (measured, written))
        assert one == pytest.approx(other, rel=1e-14)
    curves = [
        vf.learning_curve(inst, n=(50, 500), replicates=2, tuning=lambda i, n: 0.01).samples
        for inst in (measured, written)
    ]
    assert np.array_equal(*curves)


def test_many_eigenvalues_are_as_good_as_the_law_they_were_cut_from() -> None:
    size = MOST
    measured = vf.Instance(vf.EmpiricalSpectrum(tuple(float(i) ** -2.0 for i in range(1, size + 1))))
    cut = vf.Instance(vf.Truncated(vf.PowerLaw(2.0), size))
    assert vf.equivalent_risk(measured, n=1000, lam=1e-4) == pytest.approx(
        vf.equivalent_risk(cut, n=1000, lam=1e-4), rel=1e-9
    )


def test_it_has_no_tail_index() -> None:
    instance = vf.Instance(vf.EmpiricalSpectrum(VALUES))
    with pytest.raises(ValueError, match="200 measured eigenvalues .* has no polynomial tail"):
        _ = instance.beta
    assert instance.spectrum.assumption_r is None


def test_a_fitted_tail_is_that_of_its_range() -> None:
    straight = vf.EmpiricalSpectrum(VALUES).fitted_tail()
    assert straight.index == pytest.approx(1.5)
    assert straight.spread == pytest.approx(0.0, abs=1e-9)
    bent = vf.EmpiricalSpectrum(tuple(i**-1.0 if i <= 20 else 20.0 * i**-2.0 for i in range(1, 401)))
    assert bent.fitted_tail(1, 20).index == pytest.approx(1.0)
    assert bent.fitted_tail(21, 400).index == pytest.approx(2.0)
    whole = bent.fitted_tail()
    assert 1.1 < whole.index < 1.9
    assert whole.spread == pytest.approx(0.5, abs=0.1)
    assert "i^-" in whole.describe()


@pytest.mark.parametrize(("low", "high"), [(1, 7), (100, 200), (0, 50), (1, 201), (50, 1)])
def test_a_range_that_shows_no_decay_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="low=|high="):
        vf.EmpiricalSpectrum(VALUES).fitted_tail(low, high)

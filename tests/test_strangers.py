"""Data from a stranger is data: records, instances and database entries that lie, climb, nest or never end are refused."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase, InMemoryExampleDatabase
from test_cli import COUNTEREXAMPLE
from test_runs import judgements
from typer.testing import CliRunner

import properties
from verifier import cli, records
from verifier.instances import Instance
from verifier.records import RecordError, RunDirectory
from verifier.verdicts.falsify import falsify
from verifier.verdicts.search import Budget

CLAIM = next(claim for claim in properties.CLAIMS if claim.id == "T1/tuned-worst-case")
PICKLE = b"cos\nsystem\n(S'touch owned'\ntR."


def write(path: Path, record: Any) -> Path:
    path.write_text(json.dumps(record))
    return path


# Instances: whatever a file says, it is an instance or one sentence


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([10**400, -(10**400), "PowerLaw", "Mixture", "Instance", "object", "os.system"])
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "beta", "s", "components", "weights", "__class__"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
_PLACES = st.sampled_from(["spectrum", "target", "noise", "design", "transform", "dependence", "features"])


@given(claim=st.sampled_from(properties.CLAIMS), data=st.data(), place=_PLACES, value=_JSON)
def test_a_changed_instance_is_an_instance_or_a_value_error(claim: Any, data: Any, place: str, value: Any) -> None:
    record = copy.deepcopy(data.draw(claim.domain).to_json())
    part = record.get(place)
    if isinstance(part, dict) and data.draw(st.booleans()):
        part[data.draw(st.sampled_from(sorted(part)))] = value
    else:
        record[place] = value
    try:
        again = Instance.from_json(record)
    except ValueError:
        return
    assert Instance.from_json(again.to_json()) == again


@pytest.mark.parametrize("levels", [63, 300, 900, 100_000])
def test_nesting_ends_in_a_sentence(tmp_path: Path, levels: int) -> None:
    node = '{"kind": "Mixture", "components": ['
    text = node * levels + '{"kind": "PowerLaw", "beta": 2.0}' + '], "weights": [1.0]}' * levels
    path = tmp_path / "deep.json"
    path.write_text(json.dumps(COUNTEREXAMPLE).replace(json.dumps(COUNTEREXAMPLE["instance"]["spectrum"]), text))
    done = CliRunner().invoke(cli.app, ["replay", str(path)], prog_name="verifier")
    assert done.exit_code == cli.USAGE
    assert "nested too deeply" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_nested_as_records_are_is_read(tmp_path: Path) -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    assert records.read_json(write(tmp_path / "x.json", value)) == value
    with pytest.raises(RecordError, match="nested too deeply"):
        records.read_json(write(tmp_path / "x.json", [value]))


# Parquet


def test_torn_parquet_ends_in_a_sentence(tmp_path: Path) -> None:
    judgements(tmp_path, *({"digest": f"{row:064x}"} for row in range(200)))
    path = RunDirectory(tmp_path).judgements
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    said = []
    for _ in range(300):
        torn = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.2 else whole)
        for place in rng.integers(len(torn), size=rng.integers(1, 12)) if torn else ():
            torn[place] = rng.integers(256)
        path.write_bytes(torn)
        try:
            records.load_judgements(tmp_path)
        except RecordError as error:
            said.append(str(error))
    assert len(said) > 150
    assert all(str(path) in sentence for sentence in said)


def test_parquet_that_claims_to_be_endless_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judgements(tmp_path, {}, {"digest": "b"})
    monkeypatch.setattr(records, "_MOST_ROWS", 1)
    with pytest.raises(RecordError, match="says that it has 2 rows, more than the 1"):
        records.load_judgements(tmp_path)


def test_a_schema_number_of_a_thousand_digits_is_none(tmp_path: Path) -> None:
    judgements(tmp_path, {})
    path = RunDirectory(tmp_path).judgements
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"verifier.schema": b"9" * 5000}), path)
    with pytest.raises(RecordError, match="carries no schema number"):
        records.load_judgements(tmp_path)


# Names and paths


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", "T1/../..", "a\x00b", "\\\\host\\share", "-rf", ""]
)
def test_the_file_of_a_counterexample_stays_where_it_belongs(tmp_path: Path, name: str) -> None:
    directory = RunDirectory(tmp_path)
    path = directory.counterexample(name, "minimal")
    assert path.parent == directory.counterexamples
    assert path.resolve().parent == directory.counterexamples.resolve()
    assert not path.name.startswith(("-", "."))


@pytest.mark.parametrize("name", ["counterexamples", "statements"])
def test_what_lies_behind_a_link_is_neither_removed_nor_written(tmp_path: Path, name: str) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for file in ("index.html", "data.json"):
        (site / file).write_text("precious")
    run = tmp_path / "run"
    records.save_findings(run, [])
    (run / name).symlink_to(site)
    with pytest.raises(RecordError, match=f"{name} is a link: remove it"):
        RunDirectory.create(run)
    assert {file.read_text() for file in site.iterdir()} == {"precious"}


def test_a_record_that_is_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.json", {"precious": True})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "findings.json").symlink_to(outside)
    records.save_findings(tmp_path / "run", [])
    assert json.loads(outside.read_text()) == {"precious": True}
    assert not (tmp_path / "run" / "findings.json").is_symlink()


# The example database


class _Keys(InMemoryExampleDatabase):
    """Remembers where a search looks."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[bytes] = set()

    def fetch(self, key: bytes) -> Any:
        self.asked.add(key)
        return super().fetch(key)


@pytest.mark.thorough
def test_corrupt_and_hostile_entries_of_the_database_change_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = _Keys()
    clean = falsify(CLAIM, budget=Budget(examples=12), seed=4, database=keys)
    assert keys.asked
    database = DirectoryBasedExampleDatabase(tmp_path / "examples")
    for key in keys.asked:
        for entry in (b"", b"\xff" * 40, bytes(range(256)), PICKLE, b"\x00" * 100_000):
            database.save(key, entry)
    entries = [path for path in (tmp_path / "examples").rglob("*") if path.is_file()]
    assert len(entries) >= 5
    entries[0].unlink()
    entries[0].symlink_to(tmp_path / "absent")
    entries[1].unlink()
    entries[1].mkdir()
    # Some bytes happen to be choices: then they are an example of the domain like any other.
    found = falsify(CLAIM, budget=Budget(examples=12), seed=4, database=database)
    assert (found.verdict, found.message) == (clean.verdict, clean.message) == ("SURVIVED", "")
    assert not (tmp_path / "owned").exists()


def test_no_pickle_is_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_bytes(PICKLE)
    for command in (["replay", "x.json"], ["diff", ".", "."], ["history", "."], ["fit", "x.json"]):
        assert CliRunner().invoke(cli.app, command, prog_name="verifier").exit_code == cli.USAGE
    assert sorted(os.listdir(tmp_path)) == ["x.json"]

"""``verifier new-pack``: what it writes runs as it is, and it overwrites nothing."""

import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from verifier import cli, records


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [])
    monkeypatch.delitem(sys.modules, "fresh_pack", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, prog_name="verifier")


@pytest.mark.thorough
def test_what_it_writes_runs_as_it_is() -> None:
    result = run("new-pack", "fresh_pack")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "wrote fresh_pack.py and test_fresh_pack.py",
        "verifier falsify --pack fresh_pack:CLAIMS",
    ]
    assert sorted(os.listdir()) == ["fresh_pack.py", "test_fresh_pack.py"]
    verdict = run("falsify", "--pack", "fresh_pack:CLAIMS", "--examples", "12")
    assert verdict.exit_code == 0, verdict.output
    assert "FreshPack/tuned-rate  SURVIVED" in verdict.stdout
    namespace: dict[str, object] = {}
    exec(compile(Path("test_fresh_pack.py").read_text(), "test_fresh_pack.py", "exec"), namespace)
    assert [claim.id for claim in namespace["READINGS"]] == ["FreshPack/tuned-rate"]  # type: ignore[attr-defined]
    for file in ("fresh_pack.py", "test_fresh_pack.py"):
        assert not {"NAME", "{name}"} & set(Path(file).read_text().split())


def test_it_writes_elsewhere() -> None:
    result = run("new-pack", "fresh_pack", "--out", "deep/er")
    assert result.exit_code == 0
    assert sorted(os.listdir("deep/er")) == ["fresh_pack.py", "test_fresh_pack.py"]
    assert "cd deep/er && verifier falsify --pack fresh_pack:CLAIMS" in result.stdout


@pytest.mark.parametrize("taken", ["fresh_pack.py", "test_fresh_pack.py"])
def test_it_overwrites_nothing(taken: str) -> None:
    Path(taken).write_text("mine")
    result = run("new-pack", "fresh_pack")
    assert result.exit_code == cli.USAGE
    assert f"{taken} exists already" in result.stderr
    assert Path(taken).read_text() == "mine"
    assert os.listdir() == [taken]


@pytest.mark.parametrize("name", ["2x", "class", "a b", "a-b", "é", "", "../x", "a.b", "json", "numpy", "verifier"])
def test_a_name_has_to_be_a_new_module(name: str) -> None:
    result = run("new-pack", name)
    assert result.exit_code == cli.USAGE
    assert f"NAME is {name!r}" in " ".join(result.stderr.split())
    assert os.listdir() == []


def test_half_a_pack_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier import skeleton

    def full(path: Path, text: str) -> Path:
        if path.name.startswith("test_"):
            raise records.RecordError(f"{path}: cannot be written: No space left on device")
        return records.write_new(path, text)

    monkeypatch.setattr(skeleton, "write_new", full)
    result = run("new-pack", "fresh_pack")
    assert result.exit_code == cli.USAGE
    assert "No space left on device" in result.stderr
    assert os.listdir() == []


def test_a_new_file_is_written_whole_and_never_over_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = records.write_new(tmp_path / "a" / "b.txt", "é\n")
    assert path.read_bytes() == "é\n".encode()
    for link in (os.link, None):
        if link is None:

            def refused(*arguments: object) -> None:
                raise PermissionError(1, "no links here")

            monkeypatch.setattr(os, "link", refused)
            assert records.write_new(tmp_path / "c.txt", "c").read_text() == "c"
        with pytest.raises(records.RecordError, match="cannot be written: File exists"):
            records.write_new(path, "other")
    assert path.read_text() == "é\n"
    assert os.listdir(tmp_path / "a") == ["b.txt"]
    with pytest.raises(records.RecordError, match="cannot be written"):
        records.write_new(path / "below-a-file", "x")

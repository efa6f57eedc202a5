"""A counterexample as a patch: git applies it, the test that it adds holds, and nothing of the record becomes code."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import properties
from verifier import cli, records
from verifier.instances import CriticalTarget, Instance, Noise, PowerLaw
from verifier.patch import NotViolated, Unpatchable, counterexample_of, patch_for
from verifier.records import RecordError, RunDirectory
from verifier.testing import check_counterexample
from verifier.verdicts.falsify import falsify
from verifier.verdicts.findings import counterexample_record
from verifier.verdicts.search import Budget

ROOT = Path(properties.__file__).parents[1]
CLAIM = next(claim for claim in properties.CLAIMS if claim.id == "T1/s-above-1")
SEED = 3


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    found = falsify(CLAIM, budget=Budget(examples=20), seed=SEED)
    made = counterexample_record(found, "minimal")
    assert made is not None
    return made


@pytest.fixture
def run(tmp_path: Path, record: dict[str, Any]) -> Path:
    return write(tmp_path / "run", record)


def write(path: Path, record: dict[str, Any]) -> Path:
    records.save_counterexample(RunDirectory(path).counterexample(CLAIM.id, "minimal"), record)
    return path


@pytest.mark.thorough
def test_git_applies_it_and_the_test_that_it_adds_holds(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("verifier", "properties", "reports"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    patch = patch_for(CLAIM, *counterexample_of(run, CLAIM))
    assert patch.file == "properties/theorem_1.py"
    for arguments in (["--check"], []):
        subprocess.run(["git", "apply", *arguments, "-"], input=patch.text, text=True, cwd=copy, check=True)
    environment = os.environ | {"PYTHONPATH": str(copy)}

    def tests() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "counterexample", patch.file]
        return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)

    done = tests()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    changed = copy / patch.file
    style = [sys.executable, "-m", "ruff"]
    if subprocess.run([*style, "--version"], capture_output=True, check=False).returncode == 0:
        for check in (["check", patch.file], ["format", "--check", patch.file]):
            subprocess.run([*style, *check], cwd=copy, check=True, capture_output=True)
    # The same test fails where the reading is no longer violated: here, where its prediction was mended.
    changed.write_text(changed.read_text().replace("return AtLeast(alpha(instance))", "return AtLeast(0.0)"))
    failed = tests()
    assert failed.returncode == 1
    assert "is consistent on a known counterexample" in failed.stdout


def test_the_command_prints_the_patch_or_writes_it(run: Path, tmp_path: Path) -> None:
    def command(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, ["patch", *arguments], prog_name="verifier")

    printed = command(str(run), CLAIM.id)
    assert printed.exit_code == 0
    assert printed.stdout.startswith("--- a/properties/theorem_1.py\n+++ b/properties/theorem_1.py\n@@ ")
    written = command(str(run), CLAIM.id, "--out", str(tmp_path / "x.patch"))
    assert written.exit_code == 0
    assert (tmp_path / "x.patch").read_text() == printed.stdout
    for arguments, says in (
        ([str(run), "T1"], "name one, such as"),
        ([str(run), "T1/tuned-worst-case"], "holds no counterexample to T1/tuned-worst-case"),
        ([str(tmp_path / "absent"), CLAIM.id], "is no directory of a run"),
        ([str(run), CLAIM.id, "--out", str(run)], "is a directory: name a file"),
    ):
        refused = command(*arguments)
        assert refused.exit_code == cli.USAGE
        assert says in " ".join(refused.stderr.split())


def test_an_instance_that_is_not_violated_gives_no_patch(record: dict[str, Any], tmp_path: Path) -> None:
    held = Instance(spectrum=PowerLaw(beta=2.0), target=CriticalTarget(s=0.5), noise=Noise(sigma=1.0))
    with pytest.raises(NotViolated, match=r"T1/s-above-1 is .* on this instance here, not violated"):
        patch_for(CLAIM, held, SEED)
    run = write(tmp_path / "run", record | {"instance": held.to_json()})
    done = CliRunner().invoke(cli.app, ["patch", str(run), CLAIM.id], prog_name="verifier")
    assert (done.exit_code, done.stdout) == (1, "")


HOSTILE = "'''\"\"\"\n__import__('os').system('touch owned')\n+++ b/../../owned\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"claim": HOSTILE}, "no violation of T1/s-above-1"),
        ({"verdict": "consistent"}, "no violation of T1/s-above-1"),
        ({"instance": {"spectrum": HOSTILE}}, "an instance is a JSON object"),
        ({"instance": {"spectrum": {"kind": HOSTILE}, "target": {}, "noise": {}}}, "is not a known"),
        ({"schema": 2}, "was written with schema 2"),
        ({"seed": "0); import os"}, "expected a whole number"),
    ],
)
def test_a_hostile_record_is_refused(record: dict[str, Any], tmp_path: Path, change: dict[str, Any], says: str) -> None:
    run = tmp_path / "run"
    path = RunDirectory(run).counterexample(CLAIM.id, "minimal")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record | change))
    with pytest.raises((Unpatchable, RecordError), match=says):
        counterexample_of(run, CLAIM)


def test_free_text_of_a_record_does_not_reach_the_source(run: Path, record: dict[str, Any]) -> None:
    clean = patch_for(CLAIM, *counterexample_of(run, CLAIM)).text
    write(run, record | {"pack": HOSTILE, "numpy": HOSTILE, "version": HOSTILE, "witness": {HOSTILE: 1.0}})
    assert patch_for(CLAIM, *counterexample_of(run, CLAIM)).text == clean
    added = "".join(line[1:] for line in clean.splitlines(keepends=True) if line.startswith("+") and line[1:4] != "++ ")
    calls = {node.func.id for node in ast.walk(ast.parse(added)) if isinstance(node, ast.Call)}  # type: ignore[attr-defined]
    assert calls == {"check_counterexample"}


def test_links_are_not_followed(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "counterexamples").symlink_to(run / "counterexamples")
    with pytest.raises(RecordError, match="is a link"):
        counterexample_of(other, CLAIM)
    path = RunDirectory(run).counterexample(CLAIM.id, "minimal")
    path.rename(tmp_path / "kept.json")
    path.symlink_to(tmp_path / "kept.json")
    with pytest.raises(RecordError, match="is a link"):
        counterexample_of(run, CLAIM)


PACK = """
from hypothesis import strategies as st
import verifier as vf

{name} = {open}vf.Claim(
    id="Q1", title="A title", statement="E(n) ~ n^-2", source="nowhere",
    domain=st.just(vf.Instance(spectrum=vf.PowerLaw(beta=2.0))), predict=lambda inst: vf.Exponent(0.9),
){close}"""


@pytest.mark.parametrize(
    ("name", "open_", "close", "held"), [("CLAIMS", "(", ",)", "CLAIMS"), ("ONE", "", "", "(ONE,)")]
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.thorough
def test_a_pack_of_ones_own_is_patched_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, open_: str, close: str, held: str, end: str
) -> None:
    source = PACK.format(name=name, open=open_, close=close) + end
    source = source.replace("\r\n", "\n").replace("\n", "\r\n") if end == "\r\n" else source
    (tmp_path / "a_pack.py").write_bytes(source.encode())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "a_pack", raising=False)
    value = getattr(__import__("a_pack"), name)
    claim = value if name == "ONE" else value[0]
    patch = patch_for(claim, Instance(spectrum=PowerLaw(beta=2.0)), 0)
    subprocess.run(["git", "apply", "-"], input=patch.text.encode(), cwd=tmp_path, check=True)
    added = (tmp_path / "a_pack.py").read_text()
    assert f'\n        {held},\n        "Q1",\n' in added
    space: dict[str, Any] = {}
    exec(compile(added, "a_pack.py", "exec"), space)  # our own pack, as pytest would run it
    space[patch.test]()
    with pytest.raises(Unpatchable, match=f"has the test {patch.test} already"):
        patch_for(claim, Instance(spectrum=PowerLaw(beta=2.0)), 0)
    monkeypatch.delitem(sys.modules, "a_pack", raising=False)


def test_the_helper_says_what_is_wrong() -> None:
    held = json.dumps(Instance(spectrum=PowerLaw(beta=2.0), target=CriticalTarget(s=0.5)).to_json())
    with pytest.raises(ValueError, match="none of the claims given"):
        check_counterexample([CLAIM], "T1/s-above-2", held)
    with pytest.raises(ValueError, match="is a JSON object"):
        check_counterexample([CLAIM], CLAIM.id, "{}")
    with pytest.raises(AssertionError, match="out-of-scope|consistent"):
        check_counterexample([CLAIM], CLAIM.id, held)

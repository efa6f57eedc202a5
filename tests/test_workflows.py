"""The nightly workflow: its scripts parse, every statement is in one shard, and many summaries make one exit code."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_runs import NIGHTLY, night

import properties
from verifier import cli
from verifier.verdicts.audit import refuse_too_many

TEXT = (Path(__file__).parents[1] / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
JQ = pytest.mark.skipif(shutil.which("jq") is None, reason="the workflow's machine has jq, this one has not")


def step(name: str) -> str:
    """The script of the step with that name."""
    block = TEXT.split(f"- name: {name}\n", 1)[1]
    found = re.search(r"^( +)run: \|\n((?:\1  .*\n|\n)+)", block, re.MULTILINE)
    assert found is not None
    return textwrap.dedent(found.group(2))


def shell(script: str, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    files = {name: str(where / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=where, env=os.environ | files | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", re.findall(r"- name: (.*)\n(?:(?! +- ).*\n)*? +run: \|\n", TEXT))
def test_scripts_parse(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=step(name), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_given_from_outside_reaches_no_script_as_text() -> None:
    for script in re.findall(r"run: (?:\|\n(?:          .*\n|\n)+|.*\n)", TEXT):
        assert "${{" not in script


@pytest.mark.thorough
def test_every_statement_is_in_one_shard(tmp_path: Path) -> None:
    script = step("Split the statements").replace(".venv/bin/python", sys.executable)
    done = shell(script, tmp_path, PYTHONPATH=str(Path(cli.__file__).parents[1]))
    assert done.returncode == 0, done.stderr
    matrix = json.loads((tmp_path / "github_output").read_text().removeprefix("matrix="))
    assert [shard["name"] for shard in matrix] == ["shard-1", "shard-2", "shard-3", "shard-4"]
    listed = Counter(statement for shard in matrix for statement in shard["only"].split(","))
    assert set(listed) >= {claim.statement_id for claim in properties.CLAIMS}
    assert set(listed.values()) == {1}
    assert '--shards "$SHARDS"' in TEXT
    for shard in matrix:  # each within its part of the one budget for false alarms
        readings = [claim for claim in properties.CLAIMS if claim.statement_id in shard["only"].split(",")]
        refuse_too_many(len(readings), len(matrix))


SHARDS = json.dumps([{"name": "shard-1", "only": "T1"}, {"name": "shard-2", "only": "L1"}])


@JQ
@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((0, 0), "0"),
        ((0, 2), "2"),
        ((2, 1), "1"),
        ((1, 3), "3"),
        ((0,), "3"),
        ((), "3"),
        ((64, 0), "64"),
        ((130, 1), "1"),
    ],
)
@pytest.mark.thorough
def test_many_summaries_make_one_exit_code(tmp_path: Path, codes: tuple[int, ...], code: str) -> None:
    for number, each in enumerate(codes, start=1):
        wrong: dict[str, Any] = {"agrees": False, "expected": "SURVIVED"} if each == 1 else {}
        night(tmp_path / "downloaded" / f"night-shard-{number}", NIGHTLY | wrong, exit_code=each)
    (tmp_path / "nights").mkdir()
    for old in range(70):
        (tmp_path / "nights" / f"{old:06}").mkdir()
    for name in ("Put this night beside them", "One exit code"):
        done = shell(step(name), tmp_path, NIGHT="123", SHARDS=SHARDS)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "github_output").read_text() == f"code={code}\n"
    kept = sorted(path.name for path in (tmp_path / "nights").iterdir())
    assert len(kept) == 60
    assert (kept[-1] == "000123") is bool(codes)
    summary = (tmp_path / "github_step_summary").read_text()
    assert f"exit code {code}" in summary
    assert ("| `T1/s-above-1` | FALSIFIED | SURVIVED | 4000 |" in summary) is (1 in codes)
    if codes:
        assert f"| all {len(codes)} readings | | | {4000 * len(codes)} |" in summary


@pytest.mark.thorough
def test_two_nights_are_compared(tmp_path: Path) -> None:
    script = step("What changed since the night before")
    script = script.replace(".venv/bin/verifier", f"{sys.executable} -m verifier")
    place = str(Path(cli.__file__).parents[1])
    night(tmp_path / "nights" / "000122" / "night-shard-1")
    assert shell(script, tmp_path, PYTHONPATH=place).returncode == 0
    assert not (tmp_path / "history").exists()
    night(tmp_path / "nights" / "000123" / "night-shard-1", NIGHTLY | {"verdict": "SURVIVED"})
    night(tmp_path / "nights" / "000123" / "night-shard-2", NIGHTLY | {"id": "L1"})
    done = shell(script, tmp_path, PYTHONPATH=place)
    assert done.returncode == 1  # one shard of two is not a night
    assert "holds neither run.json nor night.json" in done.stderr
    night(tmp_path / "nights" / "000122" / "night-shard-2", NIGHTLY | {"id": "L1"})
    assert shell(script, tmp_path, PYTHONPATH=place).returncode == 0
    assert "1 of 2 verdicts changed" in (tmp_path / "github_step_summary").read_text()
    assert json.loads((tmp_path / "history" / "diff.json").read_text())["exit_code"] == 1


def test_the_commands_of_the_workflow_exist() -> None:
    commands = {command.name for command in cli.app.registered_commands}
    assert set(re.findall(r"\.venv/bin/verifier ([a-z-]+)", TEXT)) - {"nightly"} <= commands

"""docs/other-tools.md, as far as it can be repeated: coverage, Hypothesis's command line, and a test under @given."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from properties import CLAIMS
from verifier.claims import Claim
from verifier.testing import Violated, examine

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "other-tools.md").read_text()


def run(*arguments: str, cwd: Path) -> str:
    """The standard output of a program of Python that is run; its last lines when it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def claim(name: str) -> Claim:
    return next(claim for claim in CLAIMS if claim.id == name)


@pytest.mark.thorough
def test_coverage_and_the_command_line_of_hypothesis(tmp_path: Path) -> None:
    """A property, a ghostwritten test and the file of the guide, in one run under coverage."""
    pytest.importorskip("coverage", reason="coverage, of the extra dev, is not installed")
    pytest.importorskip("black", reason="hypothesis[cli], of the extra dev, is not installed")
    hypothesis = ("-c", "from hypothesis.extra.cli import main; main()")  # what its console script does
    written = run(*hypothesis, "write", "--except", "ValueError", "verifier.Exponent", cwd=tmp_path)
    (tmp_path / "test_written.py").write_text(written)
    block = re.search(r"```python\n(# test_instances.py\n.*?)```", TEXT, re.DOTALL)
    assert block is not None
    (tmp_path / "test_instances.py").write_text(block[1])
    said = run(
        *(
            "-m",
            "coverage",
            "run",
            "--data-file=data",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
        ),
        *("-c", str(ROOT / "pyproject.toml"), str(ROOT / "properties" / "lemma_2.py")),
        *("test_written.py", "test_instances.py::test_instance[F5/spectra]"),
        cwd=tmp_path,
    )
    assert re.search(r"3 passed, 1 xfailed", said)
    run("-m", "coverage", "json", "--data-file=data", "-o", "report.json", "-q", cwd=tmp_path)
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    judged = next(found for name, found in files.items() if name.endswith("verdicts/falsify.py"))
    assert judged["summary"]["percent_covered"] > 50


def searched(name: str) -> None:
    @settings(max_examples=60, database=None, deadline=None, derandomize=True, phases=(Phase.generate,))
    @given(data=st.data())
    def body(data: st.DataObject) -> None:
        examine(claim(name), data.draw(claim(name).domain))

    body()


def test_a_search_of_somebody_else_finds_what_is_false() -> None:
    with pytest.raises(Violated, match=r"T1/tuned-each-target is violated at first look by .*`verifier falsify T1"):
        searched("T1/tuned-each-target")


def test_a_search_of_somebody_else_passes_what_is_true() -> None:
    searched("F5/spectra")


def test_a_claim_that_an_argument_decides_has_no_instances() -> None:
    proved = next(claim for claim in CLAIMS if claim.proof is not None)
    with pytest.raises(ValueError, match="is decided by an exact argument, not by instances: use check"):
        examine(proved, None)  # type: ignore[arg-type]

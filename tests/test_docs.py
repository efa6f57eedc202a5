"""README and docs/: links lead somewhere, commands exist, quoted figures are those of the committed results."""

import json
import math
import re
from pathlib import Path

import pytest

from verifier import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GENERATED = {"calibration.md"}  # written by `verifier calibrate --publish`


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text(encoding="utf-8")):
        assert Path(target).name in GENERATED or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_programs_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = {command.name for command in cli.app.registered_commands}
    assert set(re.findall(r"`verifier ([a-z][a-z-]+)", text)) <= commands
    for program in re.findall(r"benchmarks/\w+\.py", text):
        assert (ROOT / program).exists(), program


def test_readme_lists_every_command() -> None:
    listed = set(re.findall(r"^\| `verifier ([a-z-]+)", README, re.MULTILINE))
    assert listed == {command.name for command in cli.app.registered_commands}


def test_the_two_commands_are_one_line_each() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    assert all(block.count("\n") == 1 for block in blocks)


def _near(said: str, found: float) -> bool:
    return math.isclose(float(said.replace(",", "")), found, rel_tol=0.05)


def test_the_speed_that_readme_quotes_was_measured() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "speed.json").read_text())
    cold = {
        row["case"]: row for row in results["curves"] if row["method"] == "engine, cold" and row["n"] == "100 to 102400"
    }
    for column, case in enumerate(("schedule", "tuned"), start=2):
        better, faster = (
            next(line.split("|")[column] for line in README.splitlines() if line.startswith(f"| {start}"))
            for start in ("at equal standard error", "as run")
        )
        assert _near(re.findall(r"[\d,]+", better)[0] + "000000", cold[case]["times_better"])
        assert _near(re.findall(r"[\d,]+", faster)[0], cold[case]["times_faster_as_run"])
        assert cold[case]["stderr"] < 1e-4
    shares = {(row["p"], row["what"]): row["share"] for row in results["kernel"]}
    said = re.findall(r"(\d+)%", README)
    found = [shares[p, what] for what in ("with sampling", "linear algebra") for p in (1024, 2048)]
    assert [int(share) for share in said] == [round(100 * share) for share in found]

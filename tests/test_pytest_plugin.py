"""The pytest plugin, in repositories of other people: runs of pytest in directories of their own."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

import verifier as vf
from verifier import pytest_plugin, testing
from verifier.threads import VARIABLES

ROOT = Path(vf.__path__[0]).parent
PACK = """
from hypothesis import strategies as st

import verifier as vf

DOMAIN = st.builds(
    lambda beta, s: vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s=s)),
    st.sampled_from([2.0, 1.5, 2.5, 3.0]),
    st.sampled_from([0.5, 0.2, 0.3, 0.4]),
)
COUNTED = []


def claim(name, offset=0.0, expected=None, domain=DOMAIN):
    def predict(inst):
        COUNTED.append(inst)
        return vf.Exponent(2 * inst.s / (2 * inst.s + 1 / inst.beta) + offset)

    return vf.Claim(
        id=f"Q/{name}", title=name, statement="s", source="n", domain=domain, predict=predict, expected=expected
    )


RIGHT = claim("right", expected="SURVIVED")
CLAIMS = [
    RIGHT,
    claim("open-and-vacuous", domain=st.nothing()),
    claim("false-and-known", 0.1, "FALSIFIED"),
    claim("vacuous-and-known", 0.0, "VACUOUS", st.nothing()),
]
BROKEN = vf.Claim(
    id="Q/broken", title="", statement="", source="", domain=DOMAIN, predict=lambda inst: vf.Exponent(float("nan"))
)
WRONG = [
    BROKEN,claim("false-and-not-known", 0.1, "SURVIVED"), claim("true-and-not-known", 0.0, "FALSIFIED")]
"""
TEST = """
from my_pack import CLAIMS as READINGS
from verifier.testing import check


def test_reading(reading):
    check(reading)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "my_pack.py").write_text(PACK)
    (tmp_path / "conftest.py").write_text(
        "import os\nfrom hypothesis import settings\n\n"
        "if 'HYPOTHESIS_PROFILE' not in os.environ and 'DEFAULT' not in os.environ:\n"
        "    settings.register_profile('ours', max_examples=12, database=None)\n"
        "    settings.load_profile('ours')\n"
    )
    return tmp_path


def run(where: Path, *arguments: str, **environment: str) -> SimpleNamespace:
    """Run pytest in another directory, with the plugin as the entry point loads it."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI", "HYPOTHESIS"))
    }
    # jaxtyping, which the extra [transformers] installs, has a plugin that loads numpy by itself.
    foreign = ["-p", "no:jaxtyping", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-p", "verifier.pytest_plugin", *foreign, "-rA", "-q"]
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        cwd=where,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
        check=False,
    )
    return SimpleNamespace(code=done.returncode, out=done.stdout + done.stderr)


def test_the_plugin_costs_nothing_until_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import os, sys\n\n"
        "READINGS = [1, 2]\n\n\n"
        "import pytest\n\n\n"
        "@pytest.fixture\ndef reading():\n    return 7\n\n\n"
        "def test_plain(reading):\n"
        "    assert reading == 7\n"
        "    assert 'verifier.pytest_plugin' in sys.modules\n"
        "    heavy = {'numpy', 'scipy', 'pandas', 'verifier.claims', 'verifier.testing'}\n"
        "    assert not heavy & set(sys.modules)\n"
        "    assert 'OPENBLAS_NUM_THREADS' not in os.environ\n"
    )
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    done = run(tmp_path)
    assert done.code == 0, done.out


def test_a_few_lines_test_a_pack(repository: Path) -> None:
    (repository / "test_my_pack.py").write_text(TEST)
    counting(repository, 12)  # the profile that the repository's own conftest loads
    done = run(repository)
    assert done.code == 0, done.out
    assert "2 passed, 3 xfailed" in done.out
    assert "PASSED test_my_pack.py::test_reading[Q/right]" in done.out
    assert "open: open-and-vacuous" in done.out


@pytest.mark.thorough
def test_unexpected_verdicts_are_red_with_the_finding_and_a_replay(repository: Path) -> None:
    done = run(repository, "--verifier-pack", "my_pack:WRONG")
    assert done.code == 1, done.out
    assert "3 failed" in done.out
    assert "predict of claim Q/broken raised ValueError: Exponent=nan must be finite" in done.out
    assert "FAILED my_pack:WRONG::Q/false-and-not-known" in done.out
    assert "verifier replay runs/pytest/Q-false-and-not-known.minimal.json --pack my_pack:WRONG" in done.out
    assert "[XPASS(strict)]" in done.out
    assert "Traceback" not in done.out
    assert (repository / "runs/pytest/Q-false-and-not-known.minimal.json").exists()


@pytest.mark.thorough
def test_a_pack_is_collected_without_a_file_and_a_broken_one_fails_alone(repository: Path) -> None:
    (repository / "pytest.ini").write_text("[pytest]\nverifier_packs =\n    my_pack:RIGHT\n    my_pack:NOTHING\n")
    counting(repository, testing.EXAMPLES["ci"])  # the profile that the command names
    packs = ("--verifier-pack", "absent:CLAIMS", "--verifier-pack", "my_pack:CLAIMS")
    done = run(repository, *packs, "--hypothesis-profile", "verifier-ci", DEFAULT="1", CI="true")
    assert done.code == 1, done.out
    assert "PASSED my_pack:RIGHT::Q/right" in done.out
    assert "pack 'my_pack:NOTHING': module 'my_pack' has no attribute 'NOTHING'" in done.out
    assert "pack 'absent:CLAIMS' cannot be imported: ModuleNotFoundError" in done.out
    assert "pack 'my_pack:CLAIMS' registers the id 'Q/right', which another pack has" in done.out
    assert "3 failed, 2 passed" in done.out


@pytest.mark.thorough
def test_items_of_a_pack_can_be_chosen_and_distributed(repository: Path) -> None:
    counting(repository, 40)  # where nobody names a profile, in a worker as well
    words = ("-k", "vacuous-and-known or test_count", "-n", "1")
    chosen = run(repository, "--verifier-pack", "my_pack:CLAIMS", *words, DEFAULT="1")
    assert chosen.code == 0, chosen.out
    assert "1 passed, 1 xfailed" in chosen.out
    assert "right" not in chosen.out


def counting(repository: Path, examples: int) -> None:
    """Add a test that passes where the active profile has so many examples: it rides along with another run of pytest."""
    (repository / "test_count.py").write_text(
        "from verifier import testing\n\n\n"
        f"def test_count():\n    assert testing._active().max_examples == {examples}\n"
    )


@pytest.mark.thorough
def test_the_profile_of_the_environment_says_how_many_examples(repository: Path) -> None:
    counting(repository, testing.EXAMPLES["ci"])
    done = run(repository, HYPOTHESIS_PROFILE="verifier-ci")
    assert done.code == 0, done.out
    assert "1 passed" in done.out


@pytest.mark.thorough
def test_a_profile_that_nobody_has_is_bad_usage(repository: Path) -> None:
    done = run(repository, HYPOTHESIS_PROFILE="verifier-slow")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "HYPOTHESIS_PROFILE='slow' must be one of quick, ci, nightly" in done.out


# ---------------------------------------------------------------------------------------------------- in this process


def test_hypothesis_own_profiles_are_left_alone() -> None:
    before = settings.get_profile("ci")
    testing.register_profiles()
    assert settings.get_profile("ci") is before
    assert {settings.get_profile(f"verifier-{name}").max_examples for name in testing.EXAMPLES} == {40, 50, 2000}


def test_other_peoples_readings_are_left_alone() -> None:
    asked: list[Any] = []
    for readings in (None, [1, 2], []):
        function = SimpleNamespace(
            module=SimpleNamespace(READINGS=readings), fixturenames=["reading"], parametrize=lambda *a: asked.append(a)
        )
        pytest_plugin.pytest_generate_tests(function)  # type: ignore[arg-type]
    assert not asked


def test_the_lazy_names_are_the_ones_that_tools_see() -> None:
    """``import verifier`` defers its imports; each name is the object that the import written at the top would give."""
    tree = ast.parse(Path(str(vf.__file__)).read_text())
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("verifier"):
            imported |= {alias.name: str(node.module) for alias in node.names}
    assert set(imported) == set(vf.__all__)
    for name, home in imported.items():
        module = __import__(home, fromlist=[name])
        assert getattr(vf, name) is getattr(module, name), name
    assert set(vf.__all__) <= set(dir(vf))
    assert vf.__version__
    with pytest.raises(AttributeError, match="module 'verifier' has no attribute 'NoSuchThing'"):
        _ = vf.NoSuchThing  # type: ignore[attr-defined]


def test_the_pack_of_a_counterexample_is_found_by_its_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = vf.Claim(
        id="Q/here",
        title="",
        statement="",
        source="",
        domain=st.nothing(),
        predict=lambda inst: vf.Exponent(0.5),
    )
    assert testing._pack_of(claim) is None
    monkeypatch.setattr(sys.modules[__name__], "HERE", [claim], raising=False)
    assert testing._pack_of(claim) == f"{__name__}:HERE"

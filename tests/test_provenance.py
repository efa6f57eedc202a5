import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verifier import provenance


def git(directory: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A committed checkout with the package at its top level."""
    package = tmp_path / "clone" / "verifier"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")
    return package


def test_checkout_names_the_commit(package: Path) -> None:
    state = provenance.checkout(package)
    assert state == provenance.Checkout(commit=git(package, "rev-parse", "HEAD"), dirty=False)
    assert re.fullmatch(r"[0-9a-f]{40}", state.commit or "")


@pytest.mark.parametrize(("name", "dirty"), [("__init__.py", True), ("new.py", True), ("../notes.txt", False)])
def test_only_sources_make_a_checkout_dirty(package: Path, name: str, dirty: bool) -> None:
    (package / name).write_text("changed = True\n")
    assert provenance.checkout(package).dirty is dirty


def test_a_package_installed_inside_a_checkout_has_no_commit(package: Path) -> None:
    installed = package.parent / ".venv" / "lib" / "verifier"
    installed.mkdir(parents=True)
    assert provenance.checkout(installed) == provenance.Checkout(commit=None, dirty=False)


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    (tmp_path / "verifier").mkdir()
    git(tmp_path, "init", "-q")
    assert provenance.checkout(tmp_path / "verifier").commit is None


def test_without_a_repository_or_without_git_there_is_no_commit(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provenance.checkout(tmp_path).commit is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.checkout(package).commit is None


def test_a_git_that_hangs_is_given_up(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(provenance, "_GIT_SECONDS", 0.1)
    assert provenance.checkout(package).commit is None


def test_a_hook_s_variables_do_not_redirect_git(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert provenance.checkout(package).commit is not None


def test_provenance_is_complete_and_gives_nothing_away() -> None:
    np.linalg.norm(np.eye(2))
    record = provenance.provenance()
    assert set(record) == {"version", "commit", "dirty", "code", "versions", "platform"}
    assert set(record["versions"]) == {"python", "numpy", "scipy", "hypothesis", "blas"}
    assert record["versions"]["numpy"] == np.__version__
    assert "thread" in record["versions"]["blas"]
    text = json.dumps(record)
    for secret in (socket.gethostname(), str(Path.home()), str(Path(np.__file__).parent)):
        # A host called "linux" is not given away by the name of its system.
        assert len(secret) < 6 or secret not in text


def test_blas_is_described_without_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {
        "user_api": "blas",
        "internal_api": "openblas",
        "version": "0.3.30",
        "architecture": "Haswell",
        "num_threads": 1,
        "filepath": "/somewhere/libopenblas.so",
    }
    monkeypatch.setattr(provenance.threadpoolctl, "threadpool_info", lambda: [pool, pool, {"user_api": "openmp"}])
    assert provenance.blas() == "openblas 0.3.30 (Haswell), 1 thread"
    monkeypatch.setattr(provenance.threadpoolctl, "threadpool_info", list)
    assert provenance.blas() == "none loaded"


def test_an_uninstalled_distribution_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_DISTRIBUTION", "no-such-distribution")
    assert provenance.version() == "unknown"


# What a calibration was measured on

SOURCE = '''"""What the module is for."""

import math  # the library


def area(radius: float) -> float:
    """pi r^2.

    Units: those of the radius, squared.
    """
    # Archimedes
    name = "# not a comment"

    return math.pi * radius**2 if name else 0.0


class Circle:
    """A circle."""

    text = """kept
    as it stands  # this too"""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # the library", ""),
        ("# Archimedes", "# Euclid"),
        ("    # Archimedes\n", ""),
        ('"""pi r^2.', '"""The area.'),
        ('    """A circle."""\n', ""),
        ('"""What the module is for."""\n\n', ""),
        ("\n\n\nclass", "\n\n\n\n\nclass"),
        ("import math  # the library\n", "import math   \n"),
    ],
)
def test_words_and_blank_lines_are_not_of_the_essence(old: str, new: str) -> None:
    assert old in SOURCE
    assert provenance.essence(SOURCE.replace(old, new)) == provenance.essence(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("radius**2", "radius**3"),
        ("# not a comment", "# not one"),
        ("# this too", "# that too"),
        ("kept", "changed"),
        ("    return math", "    return 2 * math"),
        ("import math", "import cmath"),
        ("class Circle", "class Square"),
    ],
)
def test_code_and_string_constants_are_of_the_essence(old: str, new: str) -> None:
    assert old in SOURCE
    assert provenance.essence(SOURCE.replace(old, new)) != provenance.essence(SOURCE)


def test_the_essence_is_the_source_without_the_rest() -> None:
    assert provenance.essence(SOURCE).splitlines() == [
        "import math",
        "def area(radius: float) -> float:",
        '    name = "# not a comment"',
        "    return math.pi * radius**2 if name else 0.0",
        "class Circle:",
        '    text = """kept',
        '    as it stands  # this too"""',
    ]


def test_what_shares_a_line_with_a_docstring_is_of_the_essence() -> None:
    one = 'def f(x):\n    "doc"; return x\n'
    assert provenance.essence(one) != provenance.essence(one.replace("return x", "return -x"))
    two = 'class A: "doc"; x = 1\n'
    assert provenance.essence(two) != provenance.essence(two.replace("x = 1", "x = 2"))


def test_lines_are_counted_as_python_counts_them() -> None:
    """Form feeds and the separators of other alphabets end no line of code."""
    for char in ("\x0c", "\u2028", "\x1c"):
        source = f'a = "{char}"\nb = 1  # one\nc = 2\n'
        assert provenance.essence(source) == f'a = "{char}"\nb = 1\nc = 2'


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tree of the shape that the digest looks at."""
    for name in (
        "claims.py",
        "verdicts/judge.py",
        "verdicts/audit.py",
        "risk/curves.py",
        "cli.py",
        "provenance.py",
    ):
        path = tmp_path / "verifier" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SOURCE)
    (tmp_path / "properties").mkdir()
    (tmp_path / "properties" / "lemma_9.py").write_text(SOURCE)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "verifier" / "provenance.py"))
    provenance.code_digest.cache_clear()
    yield tmp_path
    provenance.code_digest.cache_clear()


@pytest.mark.parametrize(
    ("name", "text", "matters"),
    [
        ("verifier/verdicts/judge.py", SOURCE.replace("**2", "**3"), True),
        ("verifier/claims.py", SOURCE.replace("**2", "**3"), True),
        ("properties/lemma_9.py", SOURCE.replace("**2", "**3"), True),
        ("verifier/risk/new.py", SOURCE, True),
        ("verifier/risk/curves.py", None, True),
        ("verifier/verdicts/judge.py", SOURCE.replace("# Archimedes", ""), False),
        ("verifier/verdicts/audit.py", SOURCE.replace("**2", "**3"), False),
        ("verifier/cli.py", SOURCE.replace("**2", "**3"), False),
        ("verifier/risk/notes.txt", "notes", False),
    ],
)
def test_the_digest_is_that_of_the_code_that_decides(
    name: str, text: str | None, matters: bool, measured: Path
) -> None:
    before = provenance.code_digest()
    assert re.fullmatch(r"[0-9a-f]{64}", before)
    assert provenance.code_digest() == before
    path = measured / name
    path.unlink() if text is None else path.write_text(text)
    provenance.code_digest.cache_clear()
    assert (provenance.code_digest() != before) is matters


def test_a_file_that_moves_changes_the_digest(measured: Path) -> None:
    before = provenance.code_digest()
    (measured / "verifier/risk/curves.py").rename(measured / "verifier/risk/kurven.py")
    provenance.code_digest.cache_clear()
    assert provenance.code_digest() != before


def test_what_is_left_out_of_the_digest_exists() -> None:
    """A name that is misspelt, or whose file has moved, would leave nothing out."""
    verdicts = Path(provenance.__file__).parent / "verdicts"
    assert {path.name for path in verdicts.iterdir()} > provenance._UNMEASURED


@pytest.mark.parametrize("name", ["risk/controls.py", "risk/simulate.py", "verdicts/judge.py", "claims.py"])
def test_what_decides_a_verdict_is_in_the_digest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Path(provenance.__file__).parent / name
    read = Path.read_text

    def read_changed(path: Path, *arguments: Any, **more: Any) -> str:
        return read(path, *arguments, **more) + ("\nx = 1\n" if path == changed else "")

    provenance.code_digest.cache_clear()
    before = provenance.code_digest()
    provenance.code_digest.cache_clear()
    monkeypatch.setattr(Path, "read_text", read_changed)
    try:
        assert provenance.code_digest() != before
    finally:
        provenance.code_digest.cache_clear()

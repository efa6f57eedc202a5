import json
import os
import re
import socket
import subprocess
from pathlib import Path

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


@pytest.mark.parametrize(
    ("name", "dirty"), [("__init__.py", True), ("new.py", True), ("../notes.txt", False)]
)
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
    assert set(record) == {"version", "commit", "dirty", "versions", "platform"}
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
    monkeypatch.setattr(
        provenance.threadpoolctl, "threadpool_info", lambda: [pool, pool, {"user_api": "openmp"}]
    )
    assert provenance.blas() == "openblas 0.3.30 (Haswell), 1 thread"
    monkeypatch.setattr(provenance.threadpoolctl, "threadpool_info", list)
    assert provenance.blas() == "none loaded"


def test_an_uninstalled_distribution_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_DISTRIBUTION", "no-such-distribution")
    assert provenance.version() == "unknown"

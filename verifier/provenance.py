"""Where a number comes from: which code, which libraries, which kind of machine.

A verdict can only be checked by somebody who knows what computed it. This module says so in a form that may
be published: versions and the commit, never a path, a host or a user.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import io
import os
import platform
import subprocess
import tokenize
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import threadpoolctl

_DISTRIBUTION = "verifier"
_LIBRARIES = ("numpy", "scipy", "hypothesis")
# What decides a verdict; a changed note or README does not make a run irreproducible.
_SOURCES = ("verifier", "properties", "reports", "pyproject.toml")
_GIT_SECONDS = 10.0


@dataclass(frozen=True)
class Checkout:
    """The state of the source: ``commit`` is None when the code does not run from a git checkout of its own.

    ``dirty`` says that a source file differs from that commit.
    """

    commit: str | None
    dirty: bool


def version() -> str:
    """Return the version of the installed distribution, ``unknown`` when it was never installed."""
    return _installed(_DISTRIBUTION)


def versions() -> dict[str, str]:
    """Return the versions that a number can depend on: python, numpy, scipy, hypothesis, blas."""
    libraries = {name: _installed(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), **libraries, "blas": blas()}


def blas() -> str:
    """Describe every BLAS that is loaded, as ``openblas 0.3.30 (Haswell), 1 thread``; ``none loaded``
    before numpy is.

    The kernel in brackets matters: the same library rounds differently on another one.
    """
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool.get("user_api") == "blas"]
    # numpy and scipy each bring a copy of the same library: said once.
    return "; ".join(sorted({_describe_pool(pool) for pool in pools})) or "none loaded"


def machine() -> str:
    """Return the operating system, the processor family and the C library: ``Linux x86_64, glibc 2.36``."""
    library = " ".join(part for part in platform.libc_ver() if part)
    system = f"{platform.system()} {platform.machine()}".strip()
    return f"{system}, {library}" if library else system


def checkout(package: Path | None = None) -> Checkout:
    """Return the commit of the checkout that holds ``package`` (default: this one) at its top level.

    A package that was copied elsewhere, even into an environment that lies inside some checkout, has none:
    the commit of the directory around it says nothing about the code that runs.
    """
    package = Path(__file__).resolve().parent if package is None else package.resolve()
    top = _git(package, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != package.parent:
        return Checkout(commit=None, dirty=False)
    commit = _git(package, "rev-parse", "HEAD")
    if commit is None:  # a repository without a commit
        return Checkout(commit=None, dirty=False)
    present = [name for name in _SOURCES if (package.parent / name).exists()]
    changes = _git(package.parent, "status", "--porcelain", "--", *present)
    # Where git cannot say that nothing changed, the run must not claim it.
    return Checkout(commit=commit, dirty=changes is None or changes != "")


def provenance() -> dict[str, Any]:
    """Return what run.json says of its origin: version, commit, dirty, digest of the code, versions, platform."""
    state = checkout()
    return {
        "version": version(),
        "commit": state.commit,
        "dirty": state.dirty,
        "code": code_digest(),
        "versions": versions(),
        "platform": machine(),
    }


# What a calibration measures: everything between an instance and its verdict, and the strategies that draw instances.
_MEASURED = (
    "verifier/claims.py",
    "verifier/instances",
    "verifier/risk",
    "verifier/verdicts",
    "properties",
)
_UNMEASURED = {  # modules of verifier/verdicts
    "audit.py",
    "controls.py",
    "findings.py",
    "replay.py",
    "workers.py",
    "database.py",
    "calibration.py",
    "shipped.py",
    "shown.py",
    "planner.py",
    "points.py",
    "mapping.py",
    "repair.py",
    "repair_records.py",
    "formulas.py",
    "conditions.py",
    "conjunctions.py",
    "reproduction.py",
    "nightly.py",
    "bouts.py",
    "choices.py",
    "corpus.py",
    "conclude.py",
    "allocation.py",
}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """SHA-256 of the code that decides a verdict: its tokens, without comments, docstrings and blank lines.

    The same on every version of Python: the text between the tokens is dropped, not re-formatted.
    """
    root = Path(__file__).resolve().parent.parent
    files = [
        path
        for place in _MEASURED
        for path in ([root / place] if place.endswith(".py") else sorted((root / place).rglob("*.py")))
        if path.parent.name != "verdicts" or path.name not in _UNMEASURED
    ]
    words = hashlib.sha256()
    for path in files:
        words.update(f"{path.relative_to(root).as_posix()}\n{essence(path.read_text(encoding='utf-8'))}\n".encode())
    return words.hexdigest()


def digest_of(*paths: Path, extra: str = "") -> str:
    """SHA-256 of what the files say to Python, and of a text."""
    words = hashlib.sha256(extra.encode())
    for path in paths:
        words.update(essence(path.read_text(encoding="utf-8")).encode())
    return words.hexdigest()


@lru_cache(maxsize=512)  # a second digest in one process reads again what has changed, and nothing else
def essence(source: str) -> str:
    """Source code without comments, docstrings, blank lines and trailing space."""
    lines = source.split("\n")  # as Python counts them: a form feed or a separator in a string ends none
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            _blank(lines, first)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _blank(lines: list[str], node: ast.stmt) -> None:
    """Empty the lines of a statement, except for what shares the first or the last of them."""
    assert node.end_lineno is not None
    top, bottom = node.lineno - 1, node.end_lineno - 1
    before = lines[top].encode()[: node.col_offset].decode()  # columns are counted in bytes
    after = lines[bottom].encode()[node.end_col_offset :].decode()
    lines[top : bottom + 1] = [before + after, *[""] * (bottom - top)]


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _describe_pool(pool: dict[str, Any]) -> str:
    """Name one BLAS without its file: ``threadpool_info`` also gives the path, which stays on the machine."""
    name = " ".join(str(pool[key]) for key in ("internal_api", "version") if pool.get(key))
    kernel = f" ({pool['architecture']})" if pool.get("architecture") else ""
    threads = int(pool.get("num_threads", 1))
    return f"{name}{kernel}, {threads} thread{'' if threads == 1 else 's'}"


def _git(directory: Path, *arguments: str) -> str | None:
    """Return what git prints in ``directory``, stripped; None when it is absent, slow or unwilling."""
    # Variables such as GIT_DIR, set inside a hook, would answer for another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

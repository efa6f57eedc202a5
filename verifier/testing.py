"""Claims as tests: what a property module calls, under whichever Hypothesis profile is in force.

Importing this module needs no pytest; :mod:`verifier.pytest_plugin` is what pytest needs beside it. The number of examples is
that of the active Hypothesis profile. The profiles verifier-quick and verifier-ci keep no example database, so that they
are repeatable, verifier-nightly keeps one.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import unittest
from collections.abc import Iterable
from pathlib import Path

import threadpoolctl
from hypothesis import HealthCheck, assume, settings, target
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import InvalidArgument

from verifier.claims import Claim, installed_packs, load_pack
from verifier.instances import Instance
from verifier.records import counterexample_name, save_counterexample
from verifier.verdicts.falsify import ERROR, FALSIFIED, SURVIVED, Counterexample, Finding, Undecided, falsify
from verifier.verdicts.findings import counterexample_record, explain
from verifier.verdicts.judge import look
from verifier.verdicts.judgement import CONSISTENT, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.measurement import missing
from verifier.verdicts.search import Budget, confirm

EXAMPLES = {"quick": 40, "ci": 50, "nightly": 2000}
PREFIX = "verifier-"  # the plain words belong to whoever's tests these are, and "ci" to Hypothesis
DATABASE = ".hypothesis/examples"
KEPT = "runs/pytest"


def register_profiles() -> None:
    """Register the Hypothesis profiles verifier-quick, verifier-ci and verifier-nightly, alike under CI=true and not."""
    # The parent is named because Hypothesis gives profiles registered under CI=true other defaults.
    plain = settings.get_profile("default")
    for name, examples in EXAMPLES.items():
        settings.register_profile(
            PREFIX + name,
            parent=plain,
            max_examples=examples,
            database=DirectoryBasedExampleDatabase(DATABASE) if name == "nightly" else None,
            deadline=None,
            derandomize=name != "nightly",
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
        )


def load_profile(default: str = "quick") -> None:
    """Load the profile named by HYPOTHESIS_PROFILE (quick, ci or nightly, with or without the prefix), or ``default``."""
    name = os.environ.get("HYPOTHESIS_PROFILE", default).removeprefix(PREFIX)
    if name not in EXAMPLES:
        raise ValueError(f"HYPOTHESIS_PROFILE={name!r} must be one of {', '.join(EXAMPLES)}")
    settings.load_profile(PREFIX + name)


def default_profile() -> str:
    """The profile of a test run in which nobody chose one: verifier-ci where CI is set, else verifier-quick."""
    return PREFIX + ("ci" if os.environ.get("CI") else "quick")


class ClaimError(AssertionError):
    """A claim could not be judged: it, or the machinery, failed. No expected verdict excuses that."""


def check(claim: Claim, *, seed: int = 0, pack: str | None = None) -> Finding:
    """Falsify a claim with the examples of the active Hypothesis profile, or of :func:`default_profile` where none was chosen.

    Raises Counterexample when the claim is falsified, Undecided when the search was too weak to say, ClaimError when the claim
    could not be judged, and returns the finding when the claim survived; unittest.SkipTest, which pytest shows as skipped, where
    an optional package is missing. ``pack`` (module:attribute) is named in the command that replays a counterexample; without it
    the claim is looked for in the module of its ``predict``.
    """
    absent = missing(claim)
    if absent:
        raise unittest.SkipTest(absent)
    active = _active()
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        finding = falsify(claim, budget=Budget(examples=active.max_examples), seed=seed, database=active.database)
    if finding.verdict == FALSIFIED:
        raise Counterexample(finding, f"{explain(finding)}\n  {'replay':<10} {_replay_command(finding, pack)}")
    if finding.verdict == ERROR:
        raise ClaimError(explain(finding))
    if finding.verdict != SURVIVED:
        raise Undecided(explain(finding))
    return finding


class Violated(AssertionError):
    """One instance contradicts a claim at the first look; nothing was confirmed on fresh randomness."""


def examine(claim: Claim, instance: Instance, *, seed: int = 0) -> Judgement:
    """Look at one instance inside a test under ``@given``, for search engines other than :func:`falsify`.

    Raises Violated when the claim contradicts the instance, rejects the draw (``assume``) when the instance is out of the
    claim's scope, and else tells Hypothesis how far from a violation it is (``target``). A ValueError for a claim that an
    exact argument decides: it has no instances to look at.
    """
    if claim.proof is not None:
        raise ValueError(f"claim {claim.id} is decided by an exact argument, not by instances: use check(claim)")
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        found = look(claim, instance, seed)
    assume(found.verdict != OUT_OF_SCOPE)
    if found.verdict == VIOLATED:
        raise Violated(
            f"claim {claim.id} is violated at first look by {instance.describe()}: {found.reason}; "
            f"`verifier falsify {claim.id}` searches again and confirms"
        )
    if found.verdict == CONSISTENT:
        target(float(min(max(found.score, -50.0), 50.0)), label="distance to a violation")
    return found


def check_counterexample(claims: Iterable[Claim], claim_id: str, instance: str, *, seed: int = 0) -> None:
    """Judge a known counterexample again as its confirmation did: the regression test that ``verifier patch`` writes.

    ``claims`` holds the claim ``claim_id``, ``instance`` is the JSON form of the instance, ``seed`` that of the run that found it.
    Raises AssertionError when the claim is no longer violated there, ValueError for an unknown claim or a malformed instance.
    """
    claim = next((claim for claim in claims if claim.id == claim_id), None)
    if claim is None:
        raise ValueError(f"claim_id={claim_id!r} is none of the claims given: was the reading renamed?")
    known = Instance.from_json(json.loads(instance))
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        found = confirm(claim, known, seed).judgement
    if found.verdict != VIOLATED:
        raise AssertionError(
            f"{claim_id} is {found.verdict} on a known counterexample, {known.describe()}: {found.reason}. Where the claim was "
            "mended, take this test out; else the verdict is wrong"
        )


def _active() -> settings:
    """The active settings; those that Hypothesis starts with, of its own under CI, count as nobody's choice."""
    plain = settings.get_profile("default")
    active = settings.default
    if active is None or active is plain or (_is_ci(active) and active.max_examples == plain.max_examples):
        register_profiles()
        return settings.get_profile(default_profile())
    return active


def _is_ci(active: settings) -> bool:
    try:
        return active is settings.get_profile("ci")
    except InvalidArgument:  # an older Hypothesis has no such profile
        return False


def _replay_command(finding: Finding, pack: str | None) -> str:
    """Keep the minimal counterexample in a file, where that can be done, and say how to judge it again."""
    pack = pack or _pack_of(finding.claim)
    words = ["--pack", pack] if pack else []
    record = counterexample_record(finding, "minimal", pack)
    if record is None:
        return shlex.join(["verifier", "falsify", finding.claim.id, "--seed", str(finding.seed), *words])
    path = Path(KEPT) / counterexample_name(finding.claim.id, "minimal")
    try:
        save_counterexample(path, record)
    except OSError as error:
        return f"not kept: {path}: {error.strerror or error}"
    return shlex.join(["verifier", "replay", str(path), *words])


def _pack_of(claim: Claim) -> str | None:
    """``module:attribute`` under which the module of ``predict`` holds a claim; None for an installed one, or if not found."""
    for spec in installed_packs():
        try:
            if any(installed is claim for installed in load_pack(spec)):
                return None
        except ValueError:
            continue
    module = sys.modules.get(getattr(claim.predict, "__module__", None) or "")
    for name, value in list(vars(module).items()) if module is not None else []:
        if value is claim or (isinstance(value, (tuple, list)) and any(item is claim for item in value)):
            return f"{claim.predict.__module__}:{name}"
    return None

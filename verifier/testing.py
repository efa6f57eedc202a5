"""Claims as tests: what a property module calls, under whichever Hypothesis profile is in force.

Importing this module needs no pytest. The number of examples is that of the active Hypothesis profile; the profiles quick
and ci keep no example database, so that they are repeatable, nightly keeps one.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from verifier.claims import Claim
from verifier.records import counterexample_name, save_counterexample
from verifier.verdicts.falsify import FALSIFIED, SURVIVED, Budget, Counterexample, Finding, Undecided, falsify
from verifier.verdicts.findings import counterexample_record, explain

EXAMPLES = {"quick": 40, "ci": 50, "nightly": 2000}
DATABASE = ".hypothesis/examples"
KEPT = "runs/pytest"


def register_profiles() -> None:
    """Register the Hypothesis profiles quick, ci and nightly, alike under CI=true and not."""
    # The parent is named because Hypothesis gives profiles registered under CI=true other defaults.
    plain = settings.get_profile("default")
    for name, examples in EXAMPLES.items():
        settings.register_profile(
            name,
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
    """Load the profile named by HYPOTHESIS_PROFILE, or ``default``."""
    name = os.environ.get("HYPOTHESIS_PROFILE", default)
    if name not in EXAMPLES:
        raise ValueError(f"HYPOTHESIS_PROFILE={name!r} must be one of {', '.join(EXAMPLES)}")
    settings.load_profile(name)


def _replay_command(finding: Finding) -> str:
    """Keep the minimal counterexample in a file, where that can be done, and say how to judge it again."""
    record = counterexample_record(finding, "minimal")
    if record is None:
        return f"verifier falsify {finding.claim.id} --seed {finding.seed}"
    path = Path(KEPT) / counterexample_name(finding.claim.id, "minimal")
    try:
        save_counterexample(path, record)
    except OSError as error:
        return f"not kept: {path}: {error.strerror or error}"
    return f"verifier replay {path}"


def check(claim: Claim, *, seed: int = 0) -> Finding:
    """Falsify a claim with the examples of the active profile.

    Raises Counterexample when the claim is falsified, Undecided when the search was too weak to say, and returns the
    finding when the claim survived.
    """
    active = settings()
    finding = falsify(claim, budget=Budget(examples=active.max_examples), seed=seed, database=active.database)
    if finding.verdict == FALSIFIED:
        raise Counterexample(finding, f"{explain(finding)}\n  {'replay':<10} {_replay_command(finding)}")
    if finding.verdict != SURVIVED:
        raise Undecided(explain(finding))
    return finding

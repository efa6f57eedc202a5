"""Replay: judge a recorded instance again from its file alone and compare with what was stored.

Nothing in the file is executed: the claim comes from an installed pack or one named on the command line, the instance is
rebuilt through its validating constructors, and a certificate is recomputed, never believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.claims import Claim, Prediction
from verifier.instances import Instance
from verifier.provenance import versions
from verifier.verdicts.certificates import Certificate, check
from verifier.verdicts.findings import numbers
from verifier.verdicts.search import confirm

SAME = 1e-9
OTHER_PROCESSOR = 1e-6  # what rounding on another processor may amount to; more means other numbers


@dataclass(frozen=True)
class ReplayResult:
    """Whether the stored verdict came out again, and what to tell."""

    same: bool
    text: str

    @property
    def exit_code(self) -> int:
        """0 when the stored verdict came out again, 1 when not."""
        return 0 if self.same else 1


def replay(record: Mapping[str, Any], claim: Claim) -> ReplayResult:
    """Judge the instance of a counterexample file under ``claim`` as its confirmation did."""
    instance = Instance.from_json(record["instance"])
    case = confirm(claim, instance, record["seed"])
    found = case.judgement
    same = found.verdict == record["verdict"]
    lines = [
        f"{claim.id}: {claim.statement}",
        f"  instance   {instance.describe()}",
        f"  stored     {record['verdict']}",
        f"  replayed   {found.verdict}: {found.reason}",
    ]
    if found.predicted is not None:
        lines.append(f"  predicted  {found.predicted.describe()}")
    interval = found.interval
    if interval is not None:
        lines.append(f"  measured   {found.exponent:.6f}, interval [{interval[0]:.6f}, {interval[1]:.6f}]")
    if found.certification is not None:
        lines.append(f"  simulation {found.certification.text}")
    if not same_prediction(record["predicted"], found.predicted):
        lines.append("  predicted  something else when this was written: the claim has changed")
        same = False
    worst = largest_difference(record["numbers"], numbers(found))
    if worst is None:
        lines.append("  numbers    of another shape than the stored ones")
        same = same and record["numpy"] != versions()["numpy"]
    else:
        lines.append(f"  numbers    largest relative difference from the stored ones {worst:.2g}")
        if worst > SAME and record["numpy"] == versions()["numpy"]:
            lines.append(f"             more than {SAME:g}, with the numpy that was recorded ({record['numpy']})")
            same = same and worst <= OTHER_PROCESSOR
    stored = record["certificate"]
    if stored is not None:
        valid = check(Certificate.from_json(stored), claim, instance)
        lines.append(f"  certified  {'the certificate holds' if valid else 'THE CERTIFICATE DOES NOT HOLD'}")
        same = same and valid
    lines.append("  the stored verdict came out again" if same else "  THE STORED VERDICT DID NOT COME OUT AGAIN")
    return ReplayResult(same, "\n".join(lines))


def same_prediction(stored: Mapping[str, Any] | None, found: Prediction | None) -> bool:
    """Whether the claim still predicts what it predicted when the file was written."""
    if stored is None or found is None:
        return stored is None and found is None
    value = None if math.isinf(found.value) else found.value
    if stored["kind"] != found.kind or (stored["value"] is None) != (value is None):
        return False
    return value is None or math.isclose(stored["value"], value, rel_tol=SAME, abs_tol=SAME)


def largest_difference(stored: Mapping[str, Any], found: Mapping[str, Any]) -> float | None:
    """Largest difference relative to the size of the numbers, None where names or shapes differ."""
    if set(stored) != set(found):
        return None
    worst = 0.0
    for name, value in stored.items():
        old, new = np.atleast_1d(np.asarray(value, float)), np.atleast_1d(np.asarray(found[name], float))
        if old.shape != new.shape:
            return None
        if old.size:
            worst = max(worst, float(np.max(np.abs(old - new) / np.maximum(np.abs(old), 1e-300))))
    return worst

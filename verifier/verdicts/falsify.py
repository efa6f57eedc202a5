"""The verdict on a claim: search for a violation, shrink it, confirm it on fresh randomness; or say how hard it was sought.

Search is free: it looks at the deterministic evidence only (:func:`verifier.verdicts.judge.assess`), guided by
``hypothesis.target`` towards the smallest margin, and Hypothesis shrinks what it finds. Confirmation is counted: the
minimal and the worst violation are simulated on randomness that no search has seen (keyed by the instance's digest), on
larger sample sizes, at a level that is the run's false-alarm budget divided by the number of confirmations a run may
spend. A claim that survives has its evidence certified in the same way, on the instance that came closest to a
violation and on instances taken as they were drawn.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Unsatisfiable

from verifier.claims import Bound, Claim, Proof
from verifier.instances import Instance
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.measurement import missing
from verifier.verdicts.search import CONFIRMATIONS, FALSE_ALARMS, Budget, Case, Counts, Search

SURVIVED, FALSIFIED, UNDERPOWERED, VACUOUS, ERROR = (
    "SURVIVED",
    "FALSIFIED",
    "UNDERPOWERED",
    "VACUOUS",
    "ERROR",
)
EXIT_CODES = {SURVIVED: 0, FALSIFIED: 1, UNDERPOWERED: 2, VACUOUS: 2, ERROR: 3}

CERTIFIED_SURVIVORS = 1
WRONG_BY = (0.02, 0.05, 0.1)
MOSTLY_UNDECIDED = 0.2
LEAST_POWER = 0.9
FEWEST = 10


@dataclass(frozen=True)
class Power:
    """What the search would have noticed.

    kind "exponent": ``at`` maps the error of a wrong exponent to the mean over the instances judged of noticing it in one
    judgement. kind "bound": ``tightest`` is the largest ratio found. kind "proof": nothing is left to chance.
    ``corner`` is the smallest share of the domain on which a wrong claim would be met with probability .95.
    """

    kind: str
    at: dict[str, float]
    tightest: float | None
    corner: float
    text: str


@dataclass(frozen=True)
class Finding:
    """Verdict on one reading of a claim, with what it rests on."""

    claim: Claim
    verdict: str
    seed: int
    counts: Counts
    power: Power | None
    confirmations: int
    seconds: float
    minimal: Case | None = None
    worst: Case | None = None
    typical: Case | None = None
    proof: Proof | None = None
    message: str = ""
    judged: tuple[tuple[Instance, Judgement], ...] = field(default=(), repr=False)

    @property
    def exit_code(self) -> int:
        """Exit code of ``verifier falsify``."""
        return EXIT_CODES[self.verdict]

    @property
    def size(self) -> float:
        """Level of one confirmation: the run's false-alarm budget over the number of confirmations it may spend."""
        return FALSE_ALARMS / CONFIRMATIONS

    @property
    def agrees(self) -> bool | None:
        """Whether the verdict is the expected one; None where nobody knows."""
        return None if self.claim.expected is None else self.verdict == self.claim.expected


class Counterexample(AssertionError):
    """A claim was falsified; carries the finding and prints the minimal instance."""

    def __init__(self, finding: Finding, text: str) -> None:
        super().__init__(text)
        self.finding = finding


class Undecided(AssertionError):
    """A claim was neither falsified nor survived with enough power."""


def falsify(
    claim: Claim,
    *,
    budget: Budget | None = None,
    seed: int = 0,
    database: ExampleDatabase | None = None,
) -> Finding:
    """Search for a counterexample to a claim, confirm what is found, and conclude.

    The same claim, budget in examples and seed give the same finding in any process. ``database`` keeps examples between
    searches (None: none is kept, which repeatable runs need).
    """
    budget = budget or Budget(examples=100)
    started = time.perf_counter()
    search = Search(claim, budget, seed, database)
    try:
        if claim.proof is not None:
            return by_proof(claim, seed, started)
        absent = missing(claim)
        if absent:
            return finding_of(search, VACUOUS, started, message=f"claim {claim.id} was not judged: {absent}")
        if claim.domain.is_empty:
            return finding_of(
                search, VACUOUS, started, message=f"the domain of claim {claim.id} is empty: it draws no instance"
            )
        try:
            search.run()
        except Unsatisfiable:
            search.minimal = None  # no instance met the hypotheses: the counts say so
        return conclude_search(search, started)
    except (
        Exception,
        SystemExit,
    ) as error:  # a claim is someone's code: what it raises is a finding about it, no crash
        return finding_of(search, ERROR, started, message=failure(search, error))


def failure(search: Search, error: BaseException) -> str:
    """One sentence about an exception that names the claim."""
    said = " ".join(str(error).split())
    if isinstance(error, ValueError) and f"claim {search.claim.id}" in said:
        return said
    return f"claim {search.claim.id}: {said if isinstance(error, ValueError) else f'{type(error).__name__}: {said}'}"


def finding_of(search: Search, verdict: str, started: float, **more: Any) -> Finding:
    """The finding of a search that came to a verdict; ``started`` is when, by :func:`time.perf_counter`."""
    return Finding(
        claim=search.claim,
        verdict=verdict,
        seed=search.seed,
        counts=search.counts(),
        power=_power(search.claim, search.in_scope()),
        confirmations=search.confirmations,
        seconds=time.perf_counter() - started,
        judged=tuple(search.seen.values()),
        **more,
    )


def by_proof(claim: Claim, seed: int, started: float) -> Finding:
    """The finding of a claim that has a proof, or a disproof, in the place of a search."""
    assert claim.proof is not None
    proof = claim.proof()
    if not isinstance(proof, Proof):
        raise ValueError(f"proof of claim {claim.id} returned {proof!r}, which is not a Proof")
    power = Power("proof", {}, None, 0.0, "an exact argument: it covers the whole domain")
    return Finding(
        claim=claim,
        verdict=SURVIVED if proof.holds else FALSIFIED,
        seed=seed,
        counts=Counts(),
        power=power,
        confirmations=0,
        seconds=time.perf_counter() - started,
        proof=proof,
    )


def conclude_search(search: Search, started: float) -> Finding:
    """Confirm what a search found, or certify what it did not contradict, and say the verdict."""
    if search.minimal is not None:
        return conclude_violation(search, started)
    in_scope = search.in_scope()
    counts = search.counts()
    if counts.judged < FEWEST and not counts.out_of_scope:
        given = f"gave only {counts.judged} different instances" if counts.judged else "gave no instance at all"
        text = f"the domain of claim {search.claim.id} {given}; at least {FEWEST} are needed"
        return finding_of(search, VACUOUS, started, message=text)
    if counts.judged < FEWEST:
        unmet = Counter(found.reason for _, found in search.seen.values() if found.verdict == OUT_OF_SCOPE)
        text = (
            f"only {counts.judged} of {len(search.seen)} instances met the claim's hypotheses; at least {FEWEST} are needed "
            f"for claim {search.claim.id}. Most often {unmet.most_common(1)[0][0]}: draw instances that meet it, or give "
            "more examples"
        )
        return finding_of(search, VACUOUS, started, message=text)
    closest = max(in_scope, key=lambda pair: pair[1].score if pair[1].verdict == CONSISTENT else -math.inf)
    drawn = [pair for pair in in_scope if pair[1].verdict == CONSISTENT and pair is not closest]
    sample = [closest, *drawn[:: max(1, len(drawn) // CERTIFIED_SURVIVORS)][:CERTIFIED_SURVIVORS]]
    cases = [search.confirm(pair[0]) for pair in sample if pair[1].verdict == CONSISTENT]
    for case in cases:
        certification = case.judgement.certification
        if certification is not None and not certification.agrees:
            text = f"the evidence is not certified on {case.instance.describe()}: {certification.text}"
            return finding_of(search, ERROR, started, message=text, typical=case)
    shortfall = shortfall_of(search.claim, in_scope, counts)
    verdict = UNDERPOWERED if shortfall else SURVIVED
    return finding_of(search, verdict, started, message=shortfall, typical=cases[0] if cases else None)


def conclude_violation(search: Search, started: float) -> Finding:
    """Confirm the minimal and the worst violation of a search; FALSIFIED where either stands."""
    assert search.minimal is not None
    minimal = search.confirm(search.minimal[0])
    extreme = search.worst() or search.minimal
    worst = minimal if extreme[0] == minimal.instance else search.confirm(extreme[0])
    confirmed = [case for case in (minimal, worst) if case.judgement.verdict == VIOLATED]
    if not confirmed:
        text = f"a violation was found but not confirmed on fresh randomness: {minimal.judgement.reason}"
        return finding_of(search, UNDERPOWERED, started, message=text, typical=minimal)
    message = ""
    if minimal.judgement.verdict != VIOLATED:
        message = "the minimal violation was not confirmed; the worst one was"
        minimal = worst
    elif worst.judgement.verdict != VIOLATED:
        message = "the worst violation was not confirmed; the minimal one was"
        worst = minimal
    return finding_of(search, FALSIFIED, started, minimal=minimal, worst=worst, message=message)


def _noticed(found: Judgement, error: float) -> float:
    """Probability that this judgement would notice a claim wrong by ``error``.

    A two-sided prediction is wrong by +error or -error with equal weight. A one-sided one is wrong when it claims that much
    more than the instance's own exponent; how much less the reading claims of it does not matter. Where the claim was
    violated, what counts is the resolution.
    """
    if found.verdict == INCONCLUSIVE or found.exponent is None or found.tolerance is None or found.predicted is None:
        return 0.0
    offset = found.exponent - found.predicted.value
    kind = found.predicted.kind
    if kind in ("AtLeast", "AtMost") or found.verdict == VIOLATED:
        return float(error > found.tolerance)
    return 0.5 * float(abs(offset - error) > found.tolerance) + 0.5 * float(abs(offset + error) > found.tolerance)


def _power(claim: Claim, in_scope: Sequence[tuple[Instance, Judgement]]) -> Power | None:
    if not in_scope:
        return None
    count = max(1, sum(found.verdict != INCONCLUSIVE for _, found in in_scope))
    corner = 1.0 - 0.05 ** (1.0 / count)
    covered = (
        f"{count} instances drawn independently would meet a violation on {100 * corner:.2g}% of the domain with probability "
        ".95; a guided search returns to what it has seen and meets rare regions less often (see the corners of the calibration)"
    )
    if any(isinstance(found.predicted, Bound) for _, found in in_scope):
        evidences = [found.evidence for _, found in in_scope if found.evidence is not None]
        tightest = max((float(np.max(e.log_y, initial=-math.inf)) for e in evidences), default=-math.inf)
        ratio = math.exp(min(tightest, 700.0))
        text = (
            f"the search reached a ratio of {ratio:.4g}: a bound smaller than that would have been refuted; {covered}"
        )
        return Power("bound", {}, ratio, corner, text)
    at = {f"{error:g}": float(np.mean([_noticed(found, error) for _, found in in_scope])) for error in WRONG_BY}
    shares = ", ".join(f"{value:.3g} at {error}" for error, value in at.items())
    return Power(
        "exponent",
        at,
        None,
        corner,
        f"one judgement notices a wrong exponent with probability {shares}; {covered}",
    )


def shortfall_of(claim: Claim, in_scope: Sequence[tuple[Instance, Judgement]], counts: Counts) -> str:
    """What keeps a claim without violation from having survived, empty when nothing does."""
    if counts.inconclusive > MOSTLY_UNDECIDED * counts.judged:
        reasons = [found.reason for _, found in in_scope if found.verdict == INCONCLUSIVE]
        common = max(set(reasons), key=reasons.count)
        return f"{counts.inconclusive} of {counts.judged} instances could not be decided, most often because {common}"
    power = _power(claim, in_scope)
    assert power is not None
    if power.kind == "exponent":
        one = power.at[f"{WRONG_BY[-1]:g}"]
        whole = 1.0 - (1.0 - one) ** len(in_scope)
        if whole < LEAST_POWER:
            return f"an exponent wrong by {WRONG_BY[-1]} would be noticed with probability {whole:.2f} only"
    return ""

"""The verdict on a claim: search for a violation, shrink it, confirm it on fresh randomness; or say how hard it was sought.

Search is free: it looks at the deterministic evidence only (:func:`verifier.verdicts.judge.assess`), guided by
``hypothesis.target`` towards the smallest margin, and Hypothesis shrinks what it finds. Confirmation is counted: the
minimal and the worst violation are simulated on randomness that no search has seen (keyed by the instance's digest), on
larger sample sizes, at a level that is the run's false-alarm budget divided by the number of confirmations a run may
spend. A claim that survives has its evidence certified in the same way, on the instance that came closest to a
violation and on instances taken as they were drawn.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, assume, given, settings
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase
from hypothesis.errors import HypothesisException, InvalidArgument, Unsatisfiable
from scipy.special import ndtri

from verifier.claims import Bound, Claim, Proof
from verifier.instances import Instance
from verifier.risk.simulators import has_equivalent
from verifier.verdicts.certificates import Certificate, certificate_for
from verifier.verdicts.drawing import repeatable_draws
from verifier.verdicts.judge import judge, look
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.measurement import missing
from verifier.verdicts.reference import REFERENCE_CONFIRMATION_SIZES

SURVIVED, FALSIFIED, UNDERPOWERED, VACUOUS, ERROR = (
    "SURVIVED",
    "FALSIFIED",
    "UNDERPOWERED",
    "VACUOUS",
    "ERROR",
)
EXIT_CODES = {SURVIVED: 0, FALSIFIED: 1, UNDERPOWERED: 2, VACUOUS: 2, ERROR: 3}

FALSE_ALARMS = 1e-3
"""Probability, over the sampling of a whole run, that any confirmation is wrong."""

CONFIRMATIONS = 400
"""Simulated comparisons that a run may make; each is made at level FALSE_ALARMS / CONFIRMATIONS."""

CONFIRMATION_SIZES = (64, 128, 3200)
CONFIRMATION_REPLICATES = 16
CERTIFIED_SURVIVORS = 1

WRONG_BY = (0.02, 0.05, 0.1)
MOSTLY_UNDECIDED = 0.2
LEAST_POWER = 0.9
FEWEST = 10

EVALUATIONS = 1.25
"""Most instances judged in a search, over the examples that a claim allows at most."""


def confirmation_z() -> float:
    """Normal quantile of one two-sided confirmation."""
    return -float(ndtri(FALSE_ALARMS / CONFIRMATIONS / 2.0))


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a search may take: a number of examples (repeatable) or of seconds (as many examples as fit).

    Confirming what was found comes on top: some seconds an instance.
    """

    seconds: float | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.examples is None):
            raise ValueError("give a budget either as seconds=... or as examples=..., exactly one of them")
        timed = isinstance(self.seconds, (int, float)) and not isinstance(self.seconds, bool)
        if self.seconds is not None and not (timed and math.isfinite(self.seconds) and self.seconds > 0.0):
            raise ValueError(f"seconds={self.seconds!r} must be a positive number of seconds")
        counted = isinstance(self.examples, int) and not isinstance(self.examples, bool)
        if self.examples is not None and not (counted and self.examples >= 1):
            raise ValueError(f"examples={self.examples!r} must be a whole number of at least 1")


@dataclass(frozen=True)
class Case:
    """One instance with its judgement, confirmed by simulation where the claim is about something random."""

    instance: Instance
    judgement: Judgement
    certificate: Certificate | None = None


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
class Counts:
    """Instances judged, by verdict; each instance counts once."""

    consistent: int = 0
    violated: int = 0
    inconclusive: int = 0
    out_of_scope: int = 0

    @property
    def judged(self) -> int:
        """Instances inside the claim's scope."""
        return self.consistent + self.violated + self.inconclusive


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


class _Violation(Exception):
    """Raised inside the search so that Hypothesis shrinks."""


class _OutOfTime(BaseException):
    """Ends a search whose seconds are over; not an Exception, so that Hypothesis does not take it for a failure."""


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
    search = _Search(claim, budget, seed, database)
    try:
        if claim.proof is not None:
            return _by_proof(claim, seed, started)
        absent = missing(claim)
        if absent:
            return _finding(search, VACUOUS, started, message=f"claim {claim.id} was not judged: {absent}")
        if claim.domain.is_empty:
            return _finding(
                search, VACUOUS, started, message=f"the domain of claim {claim.id} is empty: it draws no instance"
            )
        try:
            search.run()
        except Unsatisfiable:
            search.minimal = None  # no instance met the hypotheses: the counts say so
        return _conclude(search, started)
    except (
        Exception,
        SystemExit,
    ) as error:  # a claim is someone's code: what it raises is a finding about it, no crash
        return _finding(search, ERROR, started, message=_failure(search, error))


def _failure(search: _Search, error: BaseException) -> str:
    """One sentence about an exception that names the claim."""
    said = " ".join(str(error).split())
    if isinstance(error, ValueError) and f"claim {search.claim.id}" in said:
        return said
    return f"claim {search.claim.id}: {said if isinstance(error, ValueError) else f'{type(error).__name__}: {said}'}"


def _finding(search: _Search, verdict: str, started: float, **more: Any) -> Finding:
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


def _by_proof(claim: Claim, seed: int, started: float) -> Finding:
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


class _OfClaim(ExampleDatabase):
    """The part of an example database that belongs to one claim: all searches share one test function, and Hypothesis
    would keep their examples under one key.
    """

    def __init__(self, database: ExampleDatabase, claim_id: str) -> None:
        super().__init__()
        self._database, self._prefix = database, claim_id.encode() + b"\0"

    def fetch(self, key: bytes) -> Iterable[bytes]:
        return self._database.fetch(self._prefix + key)

    def save(self, key: bytes, value: bytes) -> None:
        self._database.save(self._prefix + key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        self._database.delete(self._prefix + key, value)


@st.composite
def _drawn(draw: st.DrawFn, claim: Claim) -> Instance:
    """An instance of the claim's domain; whatever the domain raises is said to come from there."""
    try:
        instance = draw(claim.domain)
    except (Exception, SystemExit) as error:
        if isinstance(error, HypothesisException) and not isinstance(error, InvalidArgument):
            raise  # how Hypothesis rejects a draw
        said = " ".join(str(error).split())
        raise ValueError(f"the domain of claim {claim.id} raised {type(error).__name__}: {said}") from error
    if not isinstance(instance, Instance):
        raise ValueError(f"the domain of claim {claim.id} draws {instance!r}, which is not an instance")
    return instance


class _Search:
    """One search: Hypothesis draws, the equivalent judges, every instance is judged once."""

    def __init__(self, claim: Claim, budget: Budget, seed: int, database: ExampleDatabase | None) -> None:
        self.claim, self.budget, self.seed = claim, budget, seed
        self.database = None if database is None else _OfClaim(database, claim.id)
        self.seen: dict[str, tuple[Instance, Judgement]] = {}
        self.minimal: tuple[Instance, Judgement] | None = None
        self.confirmations = 0
        # A costly claim: what shrinking and the worst violation may add to the examples is limited as well.
        self.most = math.inf if claim.examples is None else EVALUATIONS * claim.examples
        self.deadline = math.inf if budget.seconds is None else time.monotonic() + budget.seconds

    def run(self) -> None:
        """Draw and shrink until a violation is minimal; then look for the worst one."""
        examples = self.budget.examples or 1_000_000
        if self.claim.examples is not None:
            examples = min(examples, self.claim.examples)
        try:
            self._pass(self._violate, examples, (Phase.reuse, Phase.generate, Phase.target, Phase.shrink), "search")
        except _Violation:
            self._pass(self._look, max(examples // 2, 20), (Phase.generate, Phase.target), "worst")
        except _OutOfTime:
            pass  # the budget is spent: what was seen is what the verdict rests on

    def _pass(self, body: Callable[[Instance], None], examples: int, phases: Sequence[Phase], purpose: str) -> None:
        words = hashlib.sha256(f"{self.seed} {self.claim.id} {purpose}".encode()).digest()
        configured = settings(
            max_examples=examples,
            phases=tuple(phases),
            database=self.database if Phase.reuse in phases else None,
            deadline=None,
            derandomize=False,
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )

        @configured  # outermost: seed switches the database off
        @hypothesis.seed(int.from_bytes(words[:8], "little"))
        @given(_drawn(self.claim))
        def examine(instance: Instance) -> None:
            if time.monotonic() > self.deadline or len(self.seen) >= self.most:
                raise _OutOfTime
            body(instance)

        try:
            with repeatable_draws():
                examine()
        except _OutOfTime:
            if self.minimal is None:
                raise
            if purpose == "search":
                raise _Violation from None

    def _judged(self, instance: Instance) -> Judgement:
        known = self.seen.get(instance.digest)
        if known is None:
            known = self.seen[instance.digest] = (instance, look(self.claim, instance, self.seed))
        return known[1]

    def _look(self, instance: Instance) -> None:
        found = self._judged(instance)
        assume(found.verdict != OUT_OF_SCOPE)
        hypothesis.target(_gap(found), label="gap")

    def _violate(self, instance: Instance) -> None:
        found = self._judged(instance)
        assume(found.verdict != OUT_OF_SCOPE)
        # An undecided instance is no progress towards a violation: it counts like one that is one tolerance away.
        score = -1.0 if found.verdict == INCONCLUSIVE else found.score
        hypothesis.target(float(np.clip(score, -50.0, 50.0)), label="distance to a violation")
        if found.verdict == VIOLATED:
            self.minimal = (instance, found)
            raise _Violation

    def in_scope(self) -> list[tuple[Instance, Judgement]]:
        """Instances that met the hypotheses, in the order in which they were drawn."""
        return [pair for pair in self.seen.values() if pair[1].verdict != OUT_OF_SCOPE]

    def counts(self) -> Counts:
        """How many instances got which verdict."""
        verdicts = [judgement.verdict for _, judgement in self.seen.values()]
        return Counts(*(verdicts.count(v) for v in (CONSISTENT, VIOLATED, INCONCLUSIVE, OUT_OF_SCOPE)))

    def worst(self) -> tuple[Instance, Judgement] | None:
        """The violation with the largest gap between claim and measurement."""
        violated = [pair for pair in self.seen.values() if pair[1].verdict == VIOLATED]
        return max(violated, key=lambda pair: _gap(pair[1])) if violated else None

    def confirm(self, instance: Instance) -> Case:
        """Confirm an instance and count it."""
        self.confirmations += 1
        return confirm(self.claim, instance, self.seed)


def confirm(claim: Claim, instance: Instance, seed: int) -> Case:
    """Judge an instance on fresh randomness, larger samples and a longer curve, at the level of one confirmation, with a
    certificate where a violation can have one.
    """
    simulated = not has_equivalent(instance, claim.simulator)
    found = judge(
        claim,
        instance,
        seed,
        sizes=REFERENCE_CONFIRMATION_SIZES if simulated else CONFIRMATION_SIZES,
        replicates=None if simulated else CONFIRMATION_REPLICATES,
        z=confirmation_z(),
        key=("confirm", instance.digest),
        farther=True,
    )
    return Case(instance, found, certificate_for(claim, instance, found) if found.verdict == VIOLATED else None)


def _gap(found: Judgement) -> float:
    """How far measurement and claim are apart: in the exponent, or in the logarithm of a ratio."""
    if found.verdict == OUT_OF_SCOPE:
        return -50.0
    if found.predicted is not None and found.exponent is not None and found.score > 0.0:
        distance = abs(found.exponent - found.predicted.value)
        return float(distance if distance > (found.tolerance or 0.0) else 0.01 * min(found.score, 5.0))
    return float(np.clip(found.score, -50.0, 50.0))


def _conclude(search: _Search, started: float) -> Finding:
    if search.minimal is not None:
        return _conclude_violation(search, started)
    in_scope = search.in_scope()
    counts = search.counts()
    if counts.judged < FEWEST and not counts.out_of_scope:
        given = f"gave only {counts.judged} different instances" if counts.judged else "gave no instance at all"
        text = f"the domain of claim {search.claim.id} {given}; at least {FEWEST} are needed"
        return _finding(search, VACUOUS, started, message=text)
    if counts.judged < FEWEST:
        unmet = Counter(found.reason for _, found in search.seen.values() if found.verdict == OUT_OF_SCOPE)
        text = (
            f"only {counts.judged} of {len(search.seen)} instances met the claim's hypotheses; at least {FEWEST} are needed "
            f"for claim {search.claim.id}. Most often {unmet.most_common(1)[0][0]}: draw instances that meet it, or give "
            "more examples"
        )
        return _finding(search, VACUOUS, started, message=text)
    closest = max(in_scope, key=lambda pair: pair[1].score if pair[1].verdict == CONSISTENT else -math.inf)
    drawn = [pair for pair in in_scope if pair[1].verdict == CONSISTENT and pair is not closest]
    sample = [closest, *drawn[:: max(1, len(drawn) // CERTIFIED_SURVIVORS)][:CERTIFIED_SURVIVORS]]
    cases = [search.confirm(pair[0]) for pair in sample if pair[1].verdict == CONSISTENT]
    for case in cases:
        certification = case.judgement.certification
        if certification is not None and not certification.agrees:
            text = f"the evidence is not certified on {case.instance.describe()}: {certification.text}"
            return _finding(search, ERROR, started, message=text, typical=case)
    shortfall = _shortfall(search.claim, in_scope, counts)
    verdict = UNDERPOWERED if shortfall else SURVIVED
    return _finding(search, verdict, started, message=shortfall, typical=cases[0] if cases else None)


def _conclude_violation(search: _Search, started: float) -> Finding:
    assert search.minimal is not None
    minimal = search.confirm(search.minimal[0])
    extreme = search.worst() or search.minimal
    worst = minimal if extreme[0] == minimal.instance else search.confirm(extreme[0])
    confirmed = [case for case in (minimal, worst) if case.judgement.verdict == VIOLATED]
    if not confirmed:
        text = f"a violation was found but not confirmed on fresh randomness: {minimal.judgement.reason}"
        return _finding(search, UNDERPOWERED, started, message=text, typical=minimal)
    message = ""
    if minimal.judgement.verdict != VIOLATED:
        message = "the minimal violation was not confirmed; the worst one was"
        minimal = worst
    elif worst.judgement.verdict != VIOLATED:
        message = "the worst violation was not confirmed; the minimal one was"
        worst = minimal
    return _finding(search, FALSIFIED, started, minimal=minimal, worst=worst, message=message)


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


def _shortfall(claim: Claim, in_scope: Sequence[tuple[Instance, Judgement]], counts: Counts) -> str:
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

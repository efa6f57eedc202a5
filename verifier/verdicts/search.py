"""The search for a violation of a claim, and the confirmation of what it finds.

Search is free: it looks at the deterministic evidence only (:func:`verifier.verdicts.judge.assess`), guided by
``hypothesis.target`` towards the smallest margin, and Hypothesis shrinks what it finds. Confirmation is counted: an instance is
simulated on randomness that no search has seen (keyed by its digest), on larger sample sizes, at a level that is the run's
false-alarm budget divided by the number of confirmations a run may spend.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, assume, given, settings
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase
from hypothesis.errors import HypothesisException, InvalidArgument
from scipy.special import ndtri

from verifier.claims import Claim
from verifier.instances import Instance
from verifier.risk.simulators import has_equivalent
from verifier.verdicts.certificates import Certificate, certificate_for
from verifier.verdicts.drawing import repeatable_draws
from verifier.verdicts.judge import judge, look
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.reference import REFERENCE_CONFIRMATION_SIZES

FALSE_ALARMS = 1e-3
"""Probability, over the sampling of a whole run, that any confirmation is wrong."""

CONFIRMATIONS = 500
"""Simulated comparisons that a run may make; each is made at level FALSE_ALARMS / CONFIRMATIONS."""

CONFIRMATION_SIZES = (64, 128, 3200)
CONFIRMATION_REPLICATES = 16

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


class Violation(Exception):
    """Raised inside the search so that Hypothesis shrinks."""


class OutOfTime(BaseException):
    """Ends a search whose seconds are over; not an Exception, so that Hypothesis does not take it for a failure."""


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
def drawn(draw: st.DrawFn, claim: Claim) -> Instance:
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


class Search:
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
        except Violation:
            self._pass(self._look, max(examples // 2, 20), (Phase.generate, Phase.target), "worst")
        except OutOfTime:
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
        @given(drawn(self.claim))
        def examine(instance: Instance) -> None:
            if time.monotonic() > self.deadline or len(self.seen) >= self.most:
                raise OutOfTime
            body(instance)

        try:
            with repeatable_draws():
                examine()
        except OutOfTime:
            if self.minimal is None:
                raise
            if purpose == "search":
                raise Violation from None

    def _judged(self, instance: Instance) -> Judgement:
        known = self.seen.get(instance.digest)
        if known is None:
            known = self.seen[instance.digest] = (instance, look(self.claim, instance, self.seed))
        return known[1]

    def _look(self, instance: Instance) -> None:
        found = self._judged(instance)
        assume(found.verdict != OUT_OF_SCOPE)
        hypothesis.target(gap(found), label="gap")

    def _violate(self, instance: Instance) -> None:
        found = self._judged(instance)
        assume(found.verdict != OUT_OF_SCOPE)
        # An undecided instance is no progress towards a violation: it counts like one that is one tolerance away.
        score = -1.0 if found.verdict == INCONCLUSIVE else found.score
        hypothesis.target(float(np.clip(score, -50.0, 50.0)), label="distance to a violation")
        if found.verdict == VIOLATED:
            self.minimal = (instance, found)
            raise Violation

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
        return max(violated, key=lambda pair: gap(pair[1])) if violated else None

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


def gap(found: Judgement) -> float:
    """How far measurement and claim are apart: in the exponent, or in the logarithm of a ratio."""
    if found.verdict == OUT_OF_SCOPE:
        return -50.0
    if found.predicted is not None and found.exponent is not None and found.score > 0.0:
        distance = abs(found.exponent - found.predicted.value)
        return float(distance if distance > (found.tolerance or 0.0) else 0.01 * min(found.score, 5.0))
    return float(np.clip(found.score, -50.0, 50.0))

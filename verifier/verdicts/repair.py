r"""Repair: from a falsified reading to the weakest added hypotheses under which no counterexample is found any more.

A counterexample-guided search, after the abduction of weakest preconditions (Dillig and Dillig 2013) and inductive synthesis
(Solar-Lezama 2008). Instances are drawn from the claim's domain and judged; among the conjunctions of a small vocabulary
(:mod:`verifier.verdicts.conditions`) that exclude every violation known so far, the one that keeps the largest share of the draws
is attacked by a falsification of its own. What that finds joins the pool, and the candidates are ranked anew, until one
survives; it is then attacked once more from a fresh seed. That each condition is needed is shown by a counterexample that
appears when it is dropped.

Two things keep a tolerance from passing for a theorem. A draw whose exponent leans towards a violation by a good part of its
tolerance counts as a violation when candidates are chosen, and a repair under which most instances lean is refused: the error is
still there and only too small to be noticed. And the constant of a threshold is sharpened by moving counterexamples towards it: the
range reported runs from the value at which the error vanishes to the smallest one at which a violation was confirmed, and the
simplest decimal in it is what is printed.

Where every instance of the domain violates the claim no restriction can repair it. Then (or where little is kept) it is tried
beside its domain, with a condition imposed on the drawn instances that none of them meets. That is another statement, and is
said to be.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.claims import Claim
from verifier.instances import Instance
from verifier.verdicts.calibration import clopper_pearson
from verifier.verdicts.conditions import CONDITIONS, AnyCondition, Applied, Condition, Threshold, evaluate
from verifier.verdicts.conjunctions import (
    LARGEST,
    LEANING,
    LEAST_KEPT,
    TIE,
    Bools,
    Candidate,
    Pool,
    candidates,
    deviation,
    is_indirect,
    leaning,
)
from verifier.verdicts.drawing import draw
from verifier.verdicts.falsify import ERROR, FALSIFIED, SURVIVED, VACUOUS, Finding, falsify
from verifier.verdicts.judge import look
from verifier.verdicts.judgement import OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.search import Budget, Case, confirm

Tell = Callable[[str], None]

REPAIRED, BESIDE, UNREPAIRED, UNDECIDED, NOTHING = "REPAIRED", "BESIDE", "UNREPAIRED", "UNDECIDED", "NOTHING TO REPAIR"
EXIT_CODES = {REPAIRED: 0, BESIDE: 0, NOTHING: 0, UNREPAIRED: 2, UNDECIDED: 2, ERROR: 3}

EXAMPLES = 100
ROUNDS = 30
"""Attacks on candidates before the search for a first repair ends."""

ALTERNATIVES, ALTERNATIVE_ROUNDS = 3, 8
BESIDES = 3
LITTLE = 0.25
"""A repair that keeps less of the domain than this is not the last word: the claim is tried beside its domain too."""

MOST_LEANING, MOST_LEANING_OF_A_SEARCH = 0.25, 0.5
"""A conjunction is refused when more of the draws that it keeps lean; a search goes to where they lean, and may see more."""

RESOLUTION = 0.01
CLOSEST = 3
PRESSING = 24  # counterexamples that are moved towards a constant


@dataclass(frozen=True)
class Share:
    """A share of the domain's draws with its Clopper-Pearson interval, as if the draws were independent."""

    kept: int
    drawn: int

    @property
    def value(self) -> float:
        """The share."""
        return self.kept / self.drawn if self.drawn else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval."""
        return clopper_pearson(self.kept, self.drawn) if self.drawn else (0.0, 1.0)

    @property
    def text(self) -> str:
        """The share for people."""
        low, high = self.interval
        interval = f"95%: {100 * low:.0f} to {100 * high:.0f}%"
        return f"{100 * self.value:.0f}% of the domain ({self.kept} of {self.drawn} draws; {interval})"


@dataclass(frozen=True)
class Edge:
    """What is known of a threshold's constant: the claim holds up to ``safe``, a violation was confirmed at ``broken``.

    ``vanishes`` says that ``safe`` is where the error extrapolates to zero: closer to ``broken`` it is too small to be noticed.
    ``broken`` is None where no violation on the far side was confirmed. ``only`` is the single value that the bound leaves of
    the domain, where it leaves one.
    """

    safe: float
    broken: float | None
    vanishes: bool = False
    only: float | None = None


@dataclass(frozen=True)
class Added:
    """One condition of a repair, and the counterexample that shows that it is needed: found when it alone is dropped."""

    condition: Applied
    edge: Edge | None = None
    needed: Case | None = None
    judged_without: int = 0

    @property
    def text(self) -> str:
        """The condition with its constant."""
        return self.condition.text


@dataclass(frozen=True)
class Conjunction:
    """A set of conditions under which the claim was attacked, with what came of it."""

    added: tuple[Added, ...]
    imposed: tuple[str, ...]
    share: Share
    attack: Finding
    confirmation: Finding
    same: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The conditions joined by "and"."""
        return " and ".join([*self.imposed, *(item.text for item in self.added)])

    @property
    def power(self) -> str:
        """What the confirmation would have noticed, in one cell."""
        power = self.confirmation.power
        if power is None:
            return ""
        return f"{power.at['0.05']:.3f} at 0.05" if "0.05" in power.at else power.kind

    @property
    def judged(self) -> int:
        """Instances judged under the conditions, in attack and confirmation."""
        return len(
            {i.digest for f in (self.attack, self.confirmation) for i, j in f.judged if j.verdict != OUT_OF_SCOPE}
        )


@dataclass(frozen=True)
class Repair:
    """What became of a claim: the weakest conjunction found, alternatives to it, and one beside the domain."""

    claim: Claim
    status: str
    seed: int
    finding: Finding
    best: Conjunction | None = None
    alternatives: tuple[Conjunction, ...] = ()
    beside: tuple[Conjunction, ...] = ()
    rounds: int = 0
    message: str = ""
    refused: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    interrupted: bool = False
    seconds: float = field(default=0.0, compare=False)

    @property
    def exit_code(self) -> int:
        """Exit code of ``verifier repair``."""
        return EXIT_CODES[self.status]

    @property
    def conditions(self) -> tuple[Applied, ...]:
        """The conditions that were added to the hypotheses."""
        found = self.best or (self.beside[0] if self.beside else None)
        return () if found is None else tuple(item.condition for item in found.added)

    @property
    def text(self) -> str:
        """The outcome as one sentence."""
        statement = self.claim.statement.rstrip(". ")
        undecided = " (not confirmed: see below)" if self.status == UNDECIDED else ""
        if self.best is not None:
            return f"Repaired{undecided}: {statement}, provided that {self.best.text}."
        if self.beside:
            return (
                f"Not repaired within its domain, where no condition leaves enough of it. Beside it: {statement}, with "
                f"the domain changed so that {self.beside[0].text}."
            )
        if self.status == NOTHING:
            return f"Nothing to repair: {self.claim.id} came out {self.finding.verdict}."
        if self.status == UNREPAIRED:
            return (
                f"Not repaired: {self.message}."
                if self.message
                else f"Not repaired: no conjunction of at most {LARGEST} of the {len(self.vocabulary)} conditions that leaves "
                f"{100 * LEAST_KEPT:g}% of its domain keeps {self.claim.id} from being falsified, and none beside it does."
            )
        return f"{'Failed' if self.status == ERROR else 'Undecided'}: {self.message}"


def repair(
    claim: Claim,
    *,
    examples: int = EXAMPLES,
    seed: int = 0,
    conditions: Iterable[AnyCondition] = CONDITIONS,
    progress: Tell | None = None,
) -> Repair:
    """Find the weakest conjunction of conditions under which a falsified claim survives.

    ``examples``: instances drawn to rank candidates, and tried in every attack; the confirmation tries twice as many. The
    same claim, examples and seed give the same repair. Interrupted, it returns what was found until then.
    """
    vocabulary = _vocabulary(conditions)
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 20:
        raise ValueError(f"examples={examples!r} must be a whole number of at least 20")
    started = time.perf_counter()
    tell = progress or (lambda text: None)
    tell("attacking the claim as it stands")
    finding = falsify(claim, budget=Budget(examples=examples), seed=seed)
    base = Repair(claim, NOTHING, seed, finding, vocabulary=tuple(condition.name for condition in vocabulary))
    if finding.verdict != FALSIFIED:
        status = {SURVIVED: NOTHING, ERROR: ERROR}.get(finding.verdict, UNDECIDED)
        return replace(base, status=status, message=finding.message, seconds=time.perf_counter() - started)
    # An exact argument against the claim as it stands says nothing of the repaired one: that is for the search.
    open_claim = replace(claim, proof=None)
    search = _Search(open_claim, finding, vocabulary, examples, seed, tell)
    result = base
    try:
        search.run(needs=True)
        if search.best is not None and not search.best.added and finding.proof is not None:
            return replace(_beyond_instances(base, search), seconds=time.perf_counter() - started)
        result = _summary(base, search, ())
        kept = search.best.share.value if result.status == REPAIRED and search.best is not None else 0.0
        if kept < LITTLE:
            # A changed domain reaches corners in which kappa cannot be followed; that is NaN there, and undecided.
            with np.errstate(invalid="ignore", divide="ignore"):
                result = _summary(base, search, _beside(search, kept))
    except KeyboardInterrupt:
        result = _summary(base, search, ())
        result = replace(
            result,
            status=UNDECIDED if result.best is None else result.status,
            interrupted=True,
            message="interrupted: the search was not finished",
        )
    except (Exception, SystemExit) as error:  # claim and conditions are someone's code: a finding about them, no crash
        said = " ".join(str(error).split())
        named = said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}"
        result = replace(base, status=ERROR, message=f"claim {claim.id}: {named}")
    return replace(result, seconds=time.perf_counter() - started)


def _vocabulary(conditions: Iterable[AnyCondition]) -> tuple[AnyCondition, ...]:
    found = tuple(conditions)
    names: set[str] = set()
    for condition in found:
        if not isinstance(condition, (Condition, Threshold)):
            raise ValueError(f"conditions holds {condition!r}, which is neither a Condition nor a Threshold")
        if condition.name in names:
            raise ValueError(f"conditions holds the name {condition.name!r} twice")
        names.add(condition.name)
    if not found:
        raise ValueError("conditions is empty: give at least one")
    return found


def _beyond_instances(base: Repair, search: _Search) -> Repair:
    """What is said where nothing had to be added: no instance of the domain refutes the claim, an exact argument does, so that no
    condition on instances excludes what it is refuted by. Constants of the statement itself are for whoever reads the argument.
    """
    assert search.best is not None
    assert base.finding.proof is not None
    message = (
        f"no condition of the vocabulary applies: {base.claim.id} is refuted by an exact argument, not by an instance of its "
        f"domain ({search.best.judged} were judged as they are, and none was violated). The argument: "
        f"{base.finding.proof.text.rstrip('. ')}"
    )
    return replace(base, status=UNREPAIRED, rounds=search.rounds, message=message)


def _summary(base: Repair, search: _Search, beside: tuple[Conjunction, ...]) -> Repair:
    best, message = search.best, search.message
    if best is not None:
        status = REPAIRED if best.confirmation.verdict == SURVIVED else UNDECIDED
        message = best.confirmation.message if status == UNDECIDED else message
    elif beside:
        status = BESIDE
    else:
        status = UNREPAIRED
    return replace(
        base,
        status=status,
        best=best,
        alternatives=tuple(search.alternatives),
        beside=beside,
        rounds=search.rounds,
        message=message,
        refused=tuple(search.refused),
    )


# ----------------------------------------------------------------------------------------------------
# The search


class _Search:
    """The loop of ranking, attacking and learning, for one domain."""

    def __init__(
        self,
        claim: Claim,
        finding: Finding | None,
        vocabulary: Sequence[AnyCondition],
        examples: int,
        seed: int,
        tell: Tell,
        imposed: tuple[str, ...] = (),
    ) -> None:
        self.claim, self.finding, self.vocabulary = claim, finding, vocabulary
        self.examples, self.seed, self.tell, self.imposed = examples, seed, tell, imposed
        self.pool = Pool(vocabulary)
        self.rounds = 0
        self.best: Conjunction | None = None
        self.alternatives: list[Conjunction] = []
        self.refused: list[str] = []
        self.message = ""
        self._direct_only = False
        self._set_aside: set[tuple[str, ...]] = set()
        self._pressed: set[tuple[object, ...]] = set()

    def run(self, *, needs: bool, rounds: int = ROUNDS) -> None:
        """Find the weakest conjunction that survives, show that each condition is needed, and look for alternatives."""
        self._draw()
        self.best = self._first(rounds, lambda kept: True)
        if self.best is None or not needs:
            return
        self.best = self._with_needs(self._widened(self.best))
        if self.best.confirmation.verdict != SURVIVED:
            return
        self._look_for_alternatives()

    def _draw(self) -> None:
        self.tell("drawing and judging instances")
        drawn = draw(self.claim.domain, self.examples, self.seed, self.claim.id, "repair", *self.imposed)
        for number, instance in enumerate(drawn):
            self.tell(f"judging instances, {number} of {len(drawn)}")
            self.pool.add([(instance, look(self.claim, instance, self.seed))])
        self.pool.drawn = len(self.pool.instances)
        if self.finding is not None:
            self.pool.add(self.finding.judged)

    def _first(self, rounds: int, wanted: Callable[[Bools], bool]) -> Conjunction | None:
        """The first candidate that survives attack and confirmation; one that is undecided where none does."""
        undecided: Conjunction | None = None
        last = self.rounds + rounds
        while self.rounds < last:
            conjunction = self._next(wanted)
            if conjunction is None:
                return undecided
            texts = tuple(item.text for item in conjunction)
            self.rounds += 1
            self.tell(f"round {self.rounds}: {' and '.join(texts) or 'nothing added'}")
            tried = self._tried(conjunction, texts)
            if tried is None:
                continue
            if tried.attack.verdict == SURVIVED and tried.confirmation.verdict == SURVIVED:
                return tried
            self._set_aside.add(texts)
            undecided = undecided or (tried if tried.attack.verdict != VACUOUS else None)
        self.message = f"after {self.rounds} attacks no conjunction had survived, and the search ended"
        return undecided

    def _widened(self, best: Conjunction) -> Conjunction:
        """A bound that keeps the same draws as a predicate, where its sharp constant admits instances beside them that the
        predicate does not, and survives: T need not be unitary if a condition number up to some constant does no harm.
        """
        if best.confirmation.verdict != SURVIVED or any(item.edge is not None for item in best.added):
            return best
        last = self.rounds + ALTERNATIVE_ROUNDS
        while self.rounds < last and (sharp := self._wider(best)) is not None:
            self.rounds += 1
            texts = tuple(item.text for item in sharp)
            self.tell(f"round {self.rounds}: {' and '.join(texts)}")
            tried = self._tried(sharp, texts)
            if tried is not None and tried.attack.verdict == tried.confirmation.verdict == SURVIVED:
                return tried
        return best

    def _wider(self, best: Conjunction) -> tuple[Added, ...] | None:
        """A bound with the draws of ``best``, whose constant, sharpened, lets instances in that those conditions exclude."""
        known = [item.condition for item in best.added]
        size = -1
        while size < len(self.pool.instances):  # sharpening judges more instances: rank again
            size = len(self.pool.instances)
            for candidate in candidates(self.pool):
                kept = self.pool.meets(known)[: self.pool.drawn]
                bounds = [k for k, _ in candidate.parts if isinstance(self.vocabulary[k], Threshold)]
                if len(candidate.parts) != 1 or not bounds or np.any(candidate.kept != kept):
                    continue
                sharp = self._admitted(candidate, lambda kept: True)
                if sharp is None:
                    continue
                narrow, wide = self.pool.meets(known), self.pool.meets([item.condition for item in sharp])
                if np.any(wide & ~narrow) and not np.any(narrow & ~wide):
                    return sharp
        return None

    def _next(self, wanted: Callable[[Bools], bool]) -> tuple[Added, ...] | None:
        """The weakest conjunction that is neither refuted nor set aside, its constants sharpened."""
        while True:
            known = len(self.pool.instances)
            for candidate in candidates(self.pool):
                if self._direct_only and any(is_indirect(self.vocabulary[index]) for index, _ in candidate.parts):
                    continue
                if wanted(candidate.kept) and (sharp := self._admitted(candidate, wanted)) is not None:
                    return sharp
                if len(self.pool.instances) > known:
                    break  # sharpening judged more instances: rank again
            else:
                return None

    def _admitted(self, candidate: Candidate, wanted: Callable[[Bools], bool]) -> tuple[Added, ...] | None:
        """The candidate with sharp constants; None, and set aside, where it is no repair."""
        plain = tuple(
            Added(Applied(self.vocabulary[index], value), None if value is None else Edge(value, None))
            for index, value in candidate.parts
        )
        texts = tuple(item.text for item in plain)
        if texts in self._set_aside:
            return None
        if self._mostly_leans(candidate.kept):
            self._refuse(texts, "the error is still there, only below the tolerance")
            return None
        sharp = self._without_idle(self._sharpened(plain))
        kept = self.pool.meets([item.condition for item in sharp])
        if np.any(kept & self.pool.excluded()) or tuple(item.text for item in sharp) in self._set_aside:
            self._set_aside.add(texts)
            return None
        if kept[: self.pool.drawn].sum() < self._least_kept():
            self._refuse(texts, "the error vanishes only outside of the domain")
            return None
        if not wanted(kept[: self.pool.drawn]):
            self._set_aside.add(texts)
            return None
        return sharp

    def _least_kept(self) -> int:
        return max(2, math.ceil(LEAST_KEPT * self.pool.drawn))

    def _mostly_leans(self, kept: Bools) -> bool:
        """Whether too many of the draws kept lean towards a violation, which an attack would come to see as well."""
        inside = [self.pool.judgements[index] for index in np.flatnonzero(kept)]
        return sum(leaning(judgement) > LEANING for judgement in inside) > MOST_LEANING * len(inside)

    def _refuse(self, texts: tuple[str, ...], why: str) -> None:
        self._set_aside.add(texts)
        self.refused.append(f"{' and '.join(texts) or 'nothing added'}: {why}")

    def _tried(self, conjunction: tuple[Added, ...], texts: tuple[str, ...]) -> Conjunction | None:
        """Attack and, where it survives, confirm from a fresh seed; None where a counterexample or a leaning refutes it."""
        attack = self._attack(conjunction, "attack", self.examples)
        self.pool.add(attack.judged)
        if attack.verdict == FALSIFIED:
            return None
        if attack.verdict == ERROR:
            self._refuse(texts, attack.message)
            return None
        if attack.verdict == VACUOUS:
            self._refuse(texts, "too few instances")
            return None
        lean = _share_leaning(attack)
        if lean > MOST_LEANING_OF_A_SEARCH:
            self._refuse(
                texts, f"the error is still there, only below the tolerance, on {100 * lean:.0f}% of the instances"
            )
            return None
        if attack.verdict == SURVIVED and not self._holds_at_its_edges(conjunction):
            return None
        confirmation = attack
        if attack.verdict == SURVIVED:
            self.tell(f"confirming {' and '.join(texts) or 'nothing added'}")
            confirmation = self._attack(conjunction, "confirm", 2 * self.examples)
            self.pool.add(confirmation.judged)
            if confirmation.verdict in (FALSIFIED, ERROR, VACUOUS):
                if confirmation.verdict != FALSIFIED:
                    self._refuse(texts, confirmation.message)
                return None
        return self._conjunction(conjunction, attack, confirmation)

    def _conjunction(self, added: tuple[Added, ...], attack: Finding, confirmation: Finding) -> Conjunction:
        drawn = self.pool.drawn
        kept = self.pool.meets([item.condition for item in added])[:drawn]
        values = self.pool.values[:drawn]
        named = {item.condition.condition.name for item in added}
        same = tuple(
            condition.text
            for index, condition in enumerate(self.vocabulary)
            if isinstance(condition, Condition)
            and condition.name not in named
            and len(added) == 1
            and not kept.all()
            and np.array_equal(values[:, index] == 1.0, kept)
        )
        added = tuple(
            item if item.edge is None else replace(item, edge=replace(item.edge, only=_single(item, kept, self.pool)))
            for item in added
        )
        return Conjunction(added, self.imposed, Share(int(kept.sum()), drawn), attack, confirmation, same)

    def _attack(self, conjunction: Sequence[Added], purpose: str, examples: int) -> Finding:
        conditions = tuple(item.condition for item in conjunction)
        narrowed = _narrowed(self.claim, conditions)
        texts = [condition.text for condition in conditions]
        return falsify(
            narrowed, budget=Budget(examples=examples), seed=seed_of(self.seed, purpose, *self.imposed, *texts)
        )

    def _holds_at_its_edges(self, conjunction: Sequence[Added]) -> bool:
        """Whether the claim survives where each constant is attained, the place at which a constant too weak shows first: the
        domain, every instance moved there. What is moved stays within the ranges that the domain has drawn.
        """
        conditions = tuple(item.condition for item in conjunction)
        for item in conjunction:
            threshold, value = item.condition.condition, item.condition.value
            if not isinstance(threshold, Threshold) or threshold.move is None or value is None:
                continue
            if item.condition.strict:
                value -= RESOLUTION if threshold.upper else -RESOLUTION
            self.tell(f"attacking {threshold.quantity} = {value:g}")
            edge = replace(
                self.claim,
                domain=_moved_to(self.claim.domain, threshold, value, conditions, self._ranges()),
                hypotheses=(*self.claim.hypotheses, *conditions),
            )
            texts = [condition.text for condition in conditions]
            found = falsify(
                edge, budget=Budget(examples=self.examples), seed=seed_of(self.seed, "edge", *self.imposed, *texts)
            )
            self.pool.add(found.judged)
            if found.verdict == FALSIFIED:
                return False
        return True

    def _ranges(self) -> list[tuple[Threshold, float, float]]:
        """The range of every number of the vocabulary over the draws of the domain."""
        result = []
        for index, condition in enumerate(self.vocabulary):
            if isinstance(condition, Threshold):
                values = self.pool.values[: self.pool.drawn, index]
                finite = values[np.isfinite(values)]
                if finite.size:
                    result.append((condition, float(finite.min()), float(finite.max())))
        return result

    # -- constants

    def _sharpened(self, added: tuple[Added, ...]) -> tuple[Added, ...]:
        """The conjunction with each constant sharpened in turn, the others as they stand."""
        result = list(added)
        for place, item in enumerate(result):
            if item.edge is not None:
                rest = [other.condition for other in result[:place] + result[place + 1 :]]
                result[place] = self._sharpened_one(item, rest)
        return tuple(result)

    def _without_idle(self, added: tuple[Added, ...]) -> tuple[Added, ...]:
        """The conjunction without what excludes nothing any more, now that the other constants are sharp."""
        for place in range(len(added)):
            rest = added[:place] + added[place + 1 :]
            if not np.any(self.pool.meets([item.condition for item in rest]) & self.pool.excluded()):
                return self._without_idle(rest)
        return added

    def _sharpened_one(self, item: Added, rest: Sequence[Applied]) -> Added:
        threshold = item.condition.condition
        assert isinstance(threshold, Threshold)
        assert item.condition.value is not None
        sign = 1.0 if threshold.upper else -1.0
        safe = item.condition.value
        others = self.pool.meets(rest)
        beyond: list[tuple[float, Instance]] = []
        for index in np.flatnonzero(others & self.pool.excluded()):
            value = evaluate(threshold, self.pool.instances[index])
            if math.isfinite(value) and sign * (value - safe) > 0.0:
                beyond.append((value, self.pool.instances[index]))
        if not beyond:
            return item
        beyond.sort(key=lambda pair: (sign * pair[0], pair[1].digest))
        broken, vanishing = beyond[0][0], math.nan
        if threshold.move is not None:
            self._press(threshold, [instance for _, instance in beyond], safe, broken, rest)
            for _, instance in beyond[:CLOSEST]:
                nearer, root = self._followed(threshold, instance, safe, broken, rest)
                broken = min(broken, nearer, key=lambda value: sign * value)
                if math.isfinite(root):
                    vanishing = root if math.isnan(vanishing) else sign * min(sign * vanishing, sign * root)
        inner = safe
        if math.isfinite(vanishing):
            inner = min(max(sign * vanishing, sign * safe - 50.0), sign * (broken - sign * 1e-9)) * sign
        elif threshold.move is not None:
            inner = sign * max(sign * safe, sign * broken - RESOLUTION)
        value = simplest(inner, broken)
        strict = value == broken
        vanishes = math.isfinite(vanishing)
        # What is attacked is the constant itself: where it survives, that is as far as the claim is known to hold.
        edge = Edge(round(inner, 6) if vanishes or strict else value, broken, vanishes)
        return Added(Applied(threshold, value, strict), edge)

    def _press(
        self, threshold: Threshold, broken_by: Sequence[Instance], safe: float, broken: float, rest: Sequence[Applied]
    ) -> None:
        """Move the known counterexamples, not the nearest alone, beyond the constant and add what they show to the pool.

        What violates far from the constant may be what violates nearest to it, once it is moved there: a counterexample in its
        other parameters. Bisection between the constant and the far end of what is kept; each constant is pressed once.
        """
        key = (threshold.name, broken, *(condition.text for condition in rest))
        kept = self.pool.meets([*rest, Applied(threshold, safe)])
        values = [evaluate(threshold, self.pool.instances[index]) for index in np.flatnonzero(kept)]
        if key in self._pressed or not values:
            return
        self._pressed.add(key)
        sign = 1.0 if threshold.upper else -1.0
        inner, outer = sign * min(sign * value for value in values), broken
        step = max(len(broken_by) // PRESSING, 1)
        champions = list(broken_by[::step])[:PRESSING]
        while abs(outer - inner) > RESOLUTION * 1.5:
            middle = round(0.5 * (inner + outer), 2)
            if middle in (inner, outer):
                return
            judged = [self._moved(threshold, instance, middle, rest) for instance in champions]
            if any(found is not None and found.verdict == VIOLATED for found in judged):
                outer = middle
            else:
                inner = middle

    def _followed(
        self, threshold: Threshold, instance: Instance, safe: float, broken: float, rest: Sequence[Applied]
    ) -> tuple[float, float]:
        """Move a counterexample towards the constant: where it stops violating, and where its error extrapolates to zero.

        The first by bisection to RESOLUTION; the second, NaN where there is no error to follow, by the secant through the
        two violations nearest to the constant.
        """
        sign = 1.0 if threshold.upper else -1.0
        inner, outer = safe, broken
        while abs(outer - inner) > RESOLUTION * 1.5:
            middle = round(0.5 * (inner + outer), 2)
            if middle in (inner, outer):
                break
            judged = self._moved(threshold, instance, middle, rest)
            if judged is None:
                break
            if judged.verdict == VIOLATED:
                outer = middle
            else:
                inner = middle
        # Judged at the edge and a little and a little more beyond it, where the error is large beside that of the measurement.
        near = [(v, self._moved(threshold, instance, v, rest)) for v in (inner, outer, outer + 2 * sign * RESOLUTION)]
        points = [(v, deviation(j)) for v, j in near if j is not None and leaning(j) > LEANING]
        if len(points) < 2 or near[0][1] is None or leaning(near[0][1]) <= LEANING:
            return outer, math.nan
        (v1, e1), (v2, e2) = points[0], points[-1]
        if e2 <= e1:
            return outer, math.nan
        root = v1 - e1 * (v2 - v1) / (e2 - e1)
        nearest = round(root, 2)
        return outer, nearest if abs(root - nearest) < 0.5 * RESOLUTION else root

    def _moved(
        self, threshold: Threshold, instance: Instance, value: float, rest: Sequence[Applied]
    ) -> Judgement | None:
        """The judgement of the instance with the number at ``value``; None where there is no such instance in scope."""
        assert threshold.move is not None
        try:
            moved = threshold.move(instance, value)
            if abs(evaluate(threshold, moved) - value) > 1e-9 or not all(condition(moved) for condition in rest):
                return None
            judged = look(self.claim, moved, self.seed)
        except ValueError:
            return None  # no ingredient takes this value
        if judged.verdict == OUT_OF_SCOPE:
            return None
        self.pool.add([(moved, judged)])
        return judged

    # -- what else is said of a repair

    def _with_needs(self, found: Conjunction) -> Conjunction:
        """The conjunction with a confirmed counterexample for each condition that is dropped, and confirmed edges; without what
        was only suspected to be needed: a bound beyond which draws lean, but nothing is violated.
        """
        added: list[Added] = []
        for place, item in enumerate(found.added):
            rest = found.added[:place] + found.added[place + 1 :]
            self.tell(f"dropping {item.text}")
            without = (
                self.finding
                if not rest and self.finding is not None
                else self._attack(rest, f"without {item.text}", self.examples)
            )
            self.pool.add(without.judged)
            confirmed = self._confirmed_edge(item, [other.condition for other in rest])
            if (
                confirmed is not None
                and confirmed.broken is None
                and (weaker := self._weaker(rest, without)) is not None
            ):
                return self._with_needs(weaker)
            added.append(replace(item, needed=without.minimal, edge=confirmed, judged_without=without.counts.judged))
        return replace(found, added=tuple(added))

    def _weaker(self, rest: tuple[Added, ...], attack: Finding) -> Conjunction | None:
        """The conjunction of the rest where that survives as well: an attack that found nothing, and a fresh one twice as long."""
        if attack.verdict != SURVIVED or _share_leaning(attack) > MOST_LEANING_OF_A_SEARCH:
            return None
        confirmation = self._attack(rest, "confirm", 2 * self.examples)
        self.pool.add(confirmation.judged)
        return self._conjunction(rest, attack, confirmation) if confirmation.verdict == SURVIVED else None

    def _confirmed_edge(self, item: Added, rest: Sequence[Applied]) -> Edge | None:
        """The edge with the nearest violation that fresh randomness confirms."""
        if item.edge is None:
            return None
        threshold = item.condition.condition
        assert isinstance(threshold, Threshold)
        sign = 1.0 if threshold.upper else -1.0
        others = self.pool.meets(rest)
        beyond = [
            (sign * evaluate(threshold, self.pool.instances[index]), self.pool.instances[index])
            for index in np.flatnonzero(others)
            if self.pool.judgements[index].verdict == VIOLATED
        ]
        beyond.sort(key=lambda pair: (pair[0], pair[1].digest))
        for value, instance in beyond[:CLOSEST]:
            if confirm(self.claim, instance, self.seed).judgement.verdict == VIOLATED:
                return replace(item.edge, broken=sign * value)
        return replace(item.edge, broken=None)

    def _look_for_alternatives(self) -> None:
        """Other conjunctions that survive and keep something that those before them exclude; beside an indirect condition, which
        may do no more than restate what is needed, those that say it directly, whatever they keep.
        """
        assert self.best is not None
        self._direct_only = any(is_indirect(item.condition.condition) for item in self.best.added)
        last = self.rounds + ALTERNATIVE_ROUNDS
        while len(self.alternatives) < ALTERNATIVES and self.rounds < last:
            drawn = self.pool.drawn
            before = [
                self.pool.meets([item.condition for item in found.added])[:drawn]
                for found in (*(() if self._direct_only else (self.best,)), *self.alternatives)
            ]
            least = self._least_kept()

            def new(kept: Bools, before: Sequence[Bools] = tuple(before), least: int = least) -> bool:
                return all(np.count_nonzero(kept & ~other) >= least for other in before)

            found = self._first(1, new)
            if found is not None and found.confirmation.verdict == SURVIVED:
                self.alternatives.append(self._with_needs(found))
            elif found is None and self._next(new) is None:
                break
        self.message = ""


def _single(item: Added, kept: Bools, pool: Pool) -> float | None:
    """The one value of the threshold's number among the draws kept, None where there are several."""
    found = {evaluate(item.condition.condition, pool.instances[index]) for index in np.flatnonzero(kept)}
    return found.pop() if len(found) == 1 else None


def _share_leaning(finding: Finding) -> float:
    inside = [judgement for _, judgement in finding.judged if judgement.verdict != OUT_OF_SCOPE]
    return sum(leaning(judgement) > LEANING for judgement in inside) / len(inside) if inside else 0.0


def _narrowed(claim: Claim, conditions: tuple[Applied, ...]) -> Claim:
    """The claim with conditions among its hypotheses, its domain drawing what meets them."""
    if not conditions:
        return claim
    domain = _meeting(claim.domain, conditions)
    return replace(claim, domain=domain, hypotheses=(*claim.hypotheses, *conditions))


def _meeting(domain: SearchStrategy[Instance], conditions: tuple[Applied, ...]) -> SearchStrategy[Instance]:
    """Instances of the domain that meet the conditions. One try a draw: the three of ``filter`` make a choice sequence that
    the optimiser of Hypothesis takes ten times as long to walk through.
    """

    @st.composite
    def meeting(draw: st.DrawFn) -> Instance:  # without arguments: Hypothesis would print them at length
        instance = draw(domain)
        if not all(condition(instance) for condition in conditions):
            reject()
        return instance

    return meeting()


def _moved_to(
    domain: SearchStrategy[Instance],
    threshold: Threshold,
    value: float,
    conditions: tuple[Applied, ...],
    ranges: Sequence[tuple[Threshold, float, float]],
) -> SearchStrategy[Instance]:
    """Instances of the domain with the number of a threshold moved to ``value``, where that leaves no range of the domain."""

    @st.composite
    def moved(draw: st.DrawFn) -> Instance:
        assert threshold.move is not None
        try:
            instance = threshold.move(draw(domain), value)
        except ValueError:
            reject()  # no ingredient takes this value
        inside = all(
            not low - 1e-9 > number and not number > high + 1e-9
            for bound, low, high in ranges
            if not math.isnan(number := evaluate(bound, instance))
        )
        if not inside or abs(evaluate(threshold, instance) - value) > 1e-9:
            reject()
        if not all(condition(instance) for condition in conditions):
            reject()
        return instance

    return moved()


def seed_of(seed: int, *key: str) -> int:
    """A seed of its own for each purpose: what was fitted to one run is confirmed on another."""
    return int.from_bytes(hashlib.sha256(repr((seed, *key)).encode()).digest()[:4], "little")


def simplest(inner: float, outer: float) -> float:
    """The decimal with the fewest digits between ``inner`` and ``outer``, of several the closest to ``inner``."""
    low, high = min(inner, outer), max(inner, outer)
    for digits in range(7):
        scale = 10.0**digits
        first, last = math.ceil(low * scale - 1e-6), math.floor(high * scale + 1e-6)
        if first <= last:
            return (first if inner <= outer else last) / scale
    return inner


# ----------------------------------------------------------------------------------------------------
# Beside the domain


def _beside(search: _Search, kept: float) -> tuple[Conjunction, ...]:
    """Repairs of the claim with one or two conditions imposed that no draw of its domain meets, the weakest first."""
    drawn, values = search.pool.drawn, search.pool.values
    options: list[tuple[str, str, Callable[[Instance], Instance] | None, AnyCondition]] = []
    changed: list[list[Instance]] = []
    domain = [instance for instance in search.pool.instances[:drawn]]
    for index, condition in enumerate(search.vocabulary):
        column = values[:drawn, index]
        if isinstance(condition, Condition):
            if condition.impose is None or column.any():
                continue
            impose = _where_it_can(condition.impose)
            imposed = [impose(instance) for instance in domain]
            if imposed not in changed:  # two names of one change are one attempt
                changed.append(imposed)
                options.append((condition.name, condition.text, impose, condition))
        elif condition.beside and condition.move is not None and search.best is None and len(set(column)) > 1:
            options.append((condition.name, "", _shrunk(condition, domain), condition))
    for size in (1, 2):
        found: list[Conjunction] = []
        for chosen in combinations(options, size):
            strategy = _imposed(search.claim.domain, chosen)
            names = tuple(text for _, text, _, _ in chosen if text)
            label = " and ".join(text or f"smaller {name}" for name, text, _, _ in chosen)
            search.tell(f"beside the domain: {label}")
            other = _Search(
                replace(search.claim, domain=strategy),
                None,
                search.vocabulary,
                search.examples,
                search.seed,
                lambda text, label=label: search.tell(f"beside the domain, {label}: {text}"),  # type: ignore[misc]
                names or (label,),
            )
            other.imposed = names
            other.run(needs=False, rounds=ROUNDS // 3)
            search.rounds += other.rounds
            if other.best is not None and other.best.confirmation.verdict == SURVIVED and _is_new(other.best, kept):
                found.append(other._with_needs(other.best))
        if found:
            found.sort(key=lambda c: (-c.share.value, len(c.imposed) + len(c.added)))
            return tuple(found[:BESIDES])
    return ()


def _where_it_can(impose: Callable[[Instance], Instance]) -> Callable[[Instance], Instance]:
    """The change, and the instance itself where its other ingredients refuse it (a descent without noise)."""

    def changed(instance: Instance) -> Instance:
        try:
            return impose(instance)
        except ValueError:
            return instance

    return changed


def _is_new(found: Conjunction, kept: float) -> bool:
    """Whether it keeps more of its domain than the repair within the claim's own."""
    return found.share.value > max(kept + TIE, LEAST_KEPT)


def _imposed(
    domain: SearchStrategy[Instance],
    chosen: Sequence[tuple[str, str, Callable[[Instance], Instance] | None, AnyCondition]],
) -> SearchStrategy[Instance]:
    """The domain with its instances changed; a threshold keeps them as they were as well, so that its edge is in sight."""
    result = domain
    for _, _, impose, condition in chosen:
        assert impose is not None
        if isinstance(condition, Condition):
            result = result.map(impose).filter(condition.holds)
        else:
            result = st.one_of(result.map(impose), result)
    return result


def _shrunk(threshold: Threshold, drawn: Sequence[Instance]) -> Callable[[Instance], Instance]:
    """A map that takes the range of the number to a range from zero to its lower end, in short decimals."""
    numbers = [value for value in (evaluate(threshold, instance) for instance in drawn) if math.isfinite(value)]
    low, high = min(numbers), max(numbers)
    move = threshold.move
    assert move is not None

    def shrink(instance: Instance) -> Instance:
        value = evaluate(threshold, instance)
        return move(instance, max(0.01, round(low * value / high, 2))) if math.isfinite(value) else instance

    return shrink

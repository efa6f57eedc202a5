"""A bout: a short search for a violation of one reading, from plain arguments to a plain record.

Bouts are what a night consists of. Each is repeatable: its reading, its number and the night's seed decide what it draws, so
that it does not matter which worker runs it, or when. A bout searches only: it looks at deterministic evidence
(:func:`verifier.verdicts.judge.look`), and confirms nothing.

purpose     what it draws
search      as an audit does: Hypothesis, guided towards a violation, which it shrinks
spread      every number of the domain's choices uniform over its range
corner      numbers at or near the ends of their ranges, rare branches as often as common ones
near        small steps away from the near-violations of the corpus, from the nearest that was reached so far
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import Phase
from hypothesis.control import current_build_context
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Unsatisfiable

from verifier import claims as _claims
from verifier.claims import Bound, Claim, Prediction
from verifier.instances import Instance
from verifier.records import SCHEMA, finite_or_none
from verifier.verdicts import choices
from verifier.verdicts.audit import find_claim
from verifier.verdicts.choices import Choice, Drawn
from verifier.verdicts.database import example_database
from verifier.verdicts.drawing import repeatable_draws
from verifier.verdicts.judge import look
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Evidence, Judgement
from verifier.verdicts.measurement import missing
from verifier.verdicts.parameters import numbers_of

# The search of falsify, whose parts a night puts together in another order: what counts as a violation stays written down once.
from verifier.verdicts.search import Budget, Search, Violation, drawn, gap

LETTERS = {CONSISTENT: "c", VIOLATED: "v", INCONCLUSIVE: "i", OUT_OF_SCOPE: "o"}
KEPT_NEAR, KEPT_VIOLATED, KEPT_DRAWN = 4, 2, 2  # instances that a record holds whole
EXTREME = 0.05  # share of the draws of a reading's first bout beyond which a parameter is in a corner
MOST_PARAMETERS = 12
SHRINKING, POLISHING = 80, 20  # judgements that making a violation, or a near-violation, simple may take
FARTHEST = 1e9  # a score beyond that is none that JSON should hold as infinity
_LONGEST = 200  # of a reason that is kept


def run_bout(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run the bout that ``order`` describes; what the claim's code raises is the record's ``error``.

    ``order``: id, pack, round, number, purpose, examples, seed, violated (whether a violation is known), nearest, thresholds
    (name -> [low, high] of each parameter), corpus (lists of choices), directory and database (of examples; None: none).
    """
    started = time.perf_counter()
    damage: list[dict[str, str]] = []
    identity = {name: order[name] for name in ("id", "pack", "round", "number", "purpose", "examples", "seed")}
    record: dict[str, Any] = {"schema": SCHEMA, "kind": "bout", **identity, "order": order_digest(order), "error": ""}
    try:
        claim = find_claim(order["id"], order["pack"])
        recording = _Recording(claim, order, _database(order, damage))
        recording.go()
        record |= recording.record()
    except (Exception, SystemExit) as error:  # a claim is someone's code: what it raises is a finding about it
        said = " ".join(str(error).split())
        named = isinstance(error, ValueError) and order["id"] in said
        record |= _nothing()
        record["error"] = said if named else f"claim {order['id']}: {type(error).__name__}: {said}"
    return record | {"damage": damage, "seconds": time.perf_counter() - started}


def order_digest(order: Mapping[str, Any]) -> str:
    """Digest of what decides a bout; where examples of earlier nights are kept is no part of it."""
    decisive = {name: value for name, value in order.items() if name not in ("directory", "database")}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _nothing() -> dict[str, Any]:
    return {"rows": [], "kept": {}, "minimal": None, "behaviours": {}, "corners": {}, "thresholds": {}, "examples": 0}


def _database(order: Mapping[str, Any], damage: list[dict[str, str]]) -> ExampleDatabase | None:
    """The examples of earlier nights, for the first bout of a reading only: two bouts at once would see each other's."""
    if order["number"] != 0 or order["directory"] is None:
        return None
    return example_database(
        order["database"],
        Path(order["directory"]),
        on_damage=lambda where, what: damage.append({"where": where, "what": what}),
    )


class _Recording(Search):
    """A search that keeps the choices of what it judged, and can draw in other ways."""

    def __init__(self, claim: Claim, order: Mapping[str, Any], database: ExampleDatabase | None) -> None:
        examples = min(order["examples"], claim.examples or order["examples"])
        super().__init__(claim, Budget(examples=examples), order["seed"], database)
        self.order = {**order, "examples": examples}
        self.nodes: dict[str, Drawn] = {}
        words = hashlib.sha256(repr((order["seed"], order["id"], order["number"])).encode()).digest()
        self.rng = random.Random(int.from_bytes(words[:8], "little"))
        self.domain = drawn(claim)

    def go(self) -> None:
        """Draw and judge as the order says."""
        if missing(self.claim) or self.claim.domain.is_empty:
            return
        if self.order["purpose"] == "search" or not choices.available():
            self._by_hypothesis()
        else:
            with repeatable_draws():
                self._by_choices(self.order["purpose"])
                self._make_simple()

    def _by_hypothesis(self) -> None:
        count, number = self.order["examples"], self.order["number"]
        try:
            if not self.order["violated"]:
                phases = (Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
                self._pass(self._violate, count, phases, f"search {number}" if number else "search")
                return
        except Violation:
            count = max(count // 2, 20)
        except Unsatisfiable:
            self.minimal = None  # no instance met the hypotheses: the rows say so
            return
        try:
            self._pass(self._look, count, (Phase.generate, Phase.target), f"worst {number}" if number else "worst")
        except Unsatisfiable:
            return

    def _judged(self, instance: Instance) -> Judgement:
        if instance.digest not in self.nodes and choices.available():
            self.nodes[instance.digest] = Drawn(instance, tuple(current_build_context().data.nodes))
        return super()._judged(instance)

    def _by_choices(self, purpose: str) -> None:
        """Draw until as many instances are judged as ordered; a domain that rejects most draws gets ten times as many."""
        near = [drawn for each in self.order["corpus"] if (drawn := self._replayed(each)) is not None]
        near = near if purpose == "near" else []
        for drawn in near:
            self._look_at(drawn)
        for _ in range(10 * self.order["examples"]):
            if len(self.seen) >= self.order["examples"]:
                return
            if purpose == "near" and near and self.rng.random() < 0.9:
                start = max(self.rng.sample(near, min(2, len(near))), key=self._nearness)
                drawn_now = choices.draw(self.domain, self.rng, prefix=choices.stepped(start, self.rng))
            else:
                drawn_now = choices.draw(self.domain, self.rng, way="spread" if purpose == "near" else purpose)
            if drawn_now is None or drawn_now.instance.digest in self.seen:
                continue
            self._look_at(drawn_now)
            if purpose == "near" and len(self.seen) > 1:
                near = sorted([*near, drawn_now], key=self._nearness, reverse=True)[:8]

    def _replayed(self, corpus: Sequence[Choice]) -> Drawn | None:
        return choices.draw(self.domain, self.rng, prefix=corpus)

    def _nearness(self, drawn: Drawn) -> float:
        return nearness(self.seen[drawn.instance.digest][1]) if drawn.instance.digest in self.seen else -math.inf

    def _look_at(self, drawn: Drawn) -> Judgement:
        self.nodes.setdefault(drawn.instance.digest, drawn)
        known = self.seen.get(drawn.instance.digest)
        if known is None:
            found = look(self.claim, drawn.instance, self.seed)
            known = self.seen[drawn.instance.digest] = (drawn.instance, found)
        return known[1]

    def _make_simple(self) -> None:
        """Shrink the first violation; else bring the nearest near-violation towards defaults while it stays as near."""
        violated = [instance for instance, found in self.seen.values() if found.verdict == VIOLATED]
        if violated:
            first = self.nodes[violated[0].digest]
            if not self.order["violated"]:
                first = self._simplified(first, lambda found: found.verdict == VIOLATED, SHRINKING)
            self.minimal = self.seen[first.instance.digest]
            return
        near = [i for i, found in self.in_scope() if found.verdict == CONSISTENT]
        if not near:
            return
        best = self.nodes[max(near, key=lambda i: nearness(self.seen[i.digest][1])).digest]
        score = self._nearness(best)
        known = self.order["nearest"]
        if known is None or score > known:
            least = score - 0.02 * (1.0 + abs(score))
            self._simplified(best, lambda found: nearness(found) >= least, POLISHING)

    def _simplified(self, drawn: Drawn, keeps: Any, tries: int) -> Drawn:
        def keep(instance: Instance) -> bool:
            return bool(keeps(self._look_at(Drawn(instance, ()))))

        found = choices.simplified(self.domain, drawn, keep, self.rng, tries)
        self.nodes[found.instance.digest] = found
        return found

    def record(self) -> dict[str, Any]:
        """What the night keeps of this bout."""
        scope = self.in_scope()
        keep = self._kept(scope)
        values = {instance.digest: _values(instance) for instance, _ in scope}
        first = self.order["number"] == 0
        thresholds = _thresholds(list(values.values())) if first else self.order["thresholds"]
        corners = Counter(name for each in values.values() for name in corners_of(each, thresholds))
        return {
            "rows": [_row(short(digest), found) for digest, (_, found) in self.seen.items()],
            "kept": {
                short(digest): {"instance": self.seen[digest][0].to_json(), "choices": self._choices(digest)}
                for digest in keep
            },
            "minimal": None if self.minimal is None else short(self.minimal[0].digest),
            "behaviours": dict(Counter(behaviour(instance, found) for instance, found in scope)),
            "corners": dict(corners),
            "thresholds": thresholds if first else {},
            "examples": len(scope),
        }

    def _kept(self, scope: Sequence[tuple[Instance, Judgement]]) -> list[str]:
        """Digests of the instances that are kept whole: violations, near-violations, and two as they were drawn."""
        violated = [pair for pair in scope if pair[1].verdict == VIOLATED]
        consistent = [pair for pair in scope if pair[1].verdict == CONSISTENT]
        chosen = sorted(violated, key=lambda pair: gap(pair[1]), reverse=True)[:KEPT_VIOLATED]
        chosen += sorted(consistent, key=lambda pair: nearness(pair[1]), reverse=True)[:KEPT_NEAR]
        chosen += consistent[:KEPT_DRAWN]
        chosen += [] if self.minimal is None else [self.minimal]
        return list(dict.fromkeys(instance.digest for instance, _ in chosen))

    def _choices(self, digest: str) -> list[Choice] | None:
        """The choices, None where JSON cannot hold them or they are not known."""
        drawn = self.nodes.get(digest)
        found = [] if drawn is None else drawn.choices
        plain = all(isinstance(v, (bool, int, str)) or (isinstance(v, float) and math.isfinite(v)) for v in found)
        return found if found and plain else None


def short(digest: str) -> str:
    """Digest of an instance as bouts record it: 64 bits tell the instances of a night apart."""
    return digest[:16]


def nearness(found: Judgement) -> float:
    """Distance to a violation in tolerances, from below; an undecided instance counts like one that is one tolerance away."""
    if found.verdict == OUT_OF_SCOPE:
        return -FARTHEST
    return -1.0 if found.verdict == INCONCLUSIVE else _finite(found.score)


def _finite(value: float) -> float:
    return float(min(max(value, -FARTHEST), FARTHEST)) if not math.isnan(value) else -FARTHEST


def _row(digest: str, found: Judgement) -> list[Any]:
    """One judgement in short; see :func:`judgement_of`."""
    peak = None
    if isinstance(found.predicted, Bound) and found.evidence is not None:
        peak = finite_or_none(float(np.max(found.evidence.log_y, initial=-math.inf)))
    kind = value = None
    if found.predicted is not None:
        kind, value = found.predicted.kind, finite_or_none(found.predicted.value)
    said = "" if found.verdict == CONSISTENT else found.reason[:_LONGEST]
    numbers = (finite_or_none(found.exponent), finite_or_none(found.tolerance), _finite(found.score), peak)
    return [digest, LETTERS[found.verdict], kind, value, *numbers, said]


def judgement_of(row: Sequence[Any]) -> Judgement:
    """The judgement that a row stands for, as far as counting and power need it."""
    _, letter, kind, value, exponent, tolerance, score, peak, said = row
    verdict = next(name for name, short in LETTERS.items() if short == letter)
    predicted: Prediction | None = None
    if kind is not None:
        made = getattr(_claims, kind, None)
        if not (isinstance(made, type) and issubclass(made, Prediction)):
            raise ValueError(f"prediction {kind!r} is none that this verifier knows")
        predicted = made(math.inf if value is None else value)
    evidence = None if peak is None else Evidence(np.zeros(1), np.array([peak]))
    return replace(Judgement(verdict, predicted, exponent, tolerance, score, said), evidence=evidence)


def behaviour(instance: Instance, found: Judgement) -> str:
    """What is alike in two judgements that no search needs both of: the verdict and its kind of evidence, which ingredients, the
    regime that the reason names, and the pattern of the local exponents at four places, to a quarter.
    """
    kinds = "+".join(type(part).__name__ for part in vars(instance).values() if type(part).__module__ != "builtins")
    regime = re.sub(r"[-+\d.e]*\d[-+\d.e]*", "#", found.reason)[:80]
    pattern = ""
    if found.evidence is not None and len(found.evidence.log_x) > 8:
        x, y = found.evidence.log_x, found.evidence.log_y
        places = np.linspace(0, len(x) - 1, 5).astype(int)
        with np.errstate(all="ignore"):
            slopes = -np.diff(y[places]) / np.diff(x[places])
        pattern = " ".join("-" if not math.isfinite(s) else f"{round(4.0 * s) / 4.0 + 0.0:g}" for s in slopes)
    words = "|".join((found.verdict, found.route, kinds, regime, pattern))
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def _values(instance: Instance) -> dict[str, float]:
    return {".".join(path): float(value) for path, value in numbers_of(instance.to_json()).items()}


def _thresholds(values: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """For each parameter that varies, the values below and above which it is in a corner."""
    names = Counter(name for each in values for name in each)
    found: dict[str, list[float]] = {}
    for name, _ in names.most_common():
        taken = np.array([each[name] for each in values if name in each and math.isfinite(each[name])])
        if len(taken) > 1 and taken.min() < taken.max() and len(found) < MOST_PARAMETERS:
            found[name] = [float(np.quantile(taken, EXTREME)), float(np.quantile(taken, 1.0 - EXTREME))]
    return found


def corners_of(values: Mapping[str, float], thresholds: Mapping[str, Sequence[float]]) -> list[str]:
    """The corners that an instance lies in: a parameter at or below its low threshold, or at or above its high one."""
    low = [f"{name} low" for name, ends in thresholds.items() if name in values and values[name] <= ends[0]]
    return low + [f"{name} high" for name, ends in thresholds.items() if name in values and values[name] >= ends[1]]

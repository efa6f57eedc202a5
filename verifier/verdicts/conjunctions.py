"""Conjunctions of conditions, ranked by what they keep of a domain while they exclude every violation that is known.

The part of a repair (:mod:`verifier.verdicts.repair`) that is arithmetic on what was judged: no instance is drawn or judged here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.verdicts.conditions import AnyCondition, Applied, Condition, Threshold, evaluate
from verifier.verdicts.judgement import OUT_OF_SCOPE, VIOLATED, Judgement

Bools = NDArray[np.bool_]

LARGEST = 3
"""Conditions of a conjunction, at most; two of them may be thresholds."""

TIE = 0.02
"""Shares of the domain that differ by less are taken as equal: the one with fewer conditions is preferred."""

LEAST_KEPT = 0.05
"""A conjunction that keeps less of the domain's draws is no repair."""

SUSPECT, LEANING = 0.3, 0.05
"""Shares of a tolerance. Where theorems give the exponent and no logarithm slows it, 97% of judgements err by less than .02, and
none of 400 draws by more than .2. A draw beyond SUSPECT is excluded like a violation; an instance beyond LEANING leans.
"""

CUTS = 40


# ----------------------------------------------------------------------------------------------------
# The pool: what was judged, and the value of each condition on it


class Pool:
    """Instances in the claim's scope with their judgements; the first ``drawn`` of them are the domain's own draws."""

    def __init__(self, vocabulary: Sequence[AnyCondition]) -> None:
        self.vocabulary = vocabulary
        self.instances: list[Instance] = []
        self.judgements: list[Judgement] = []
        self._values: list[list[float]] = []
        self._known: set[str] = set()
        self.drawn = 0

    def add(self, judged: Iterable[tuple[Instance, Judgement]]) -> None:
        for instance, judgement in judged:
            if judgement.verdict == OUT_OF_SCOPE or instance.digest in self._known:
                continue
            self._known.add(instance.digest)
            self.instances.append(instance)
            self.judgements.append(judgement)
            self._values.append([evaluate(condition, instance) for condition in self.vocabulary])

    @property
    def values(self) -> NDArray[np.float64]:
        """Shape (instances, conditions)."""
        return np.array(self._values, dtype=np.float64).reshape(len(self._values), len(self.vocabulary))

    def excluded(self) -> Bools:
        """What a candidate may not keep: violations, and draws that lean towards one."""
        found = [
            judgement.verdict == VIOLATED or (index < self.drawn and leaning(judgement) > SUSPECT)
            for index, judgement in enumerate(self.judgements)
        ]
        return np.array(found, dtype=np.bool_)

    def meets(self, conjunction: Sequence[Applied]) -> Bools:
        """Which instances meet all conditions."""
        kept = [all(condition(instance) for condition in conjunction) for instance in self.instances]
        return np.array(kept, dtype=np.bool_)


def leaning(judgement: Judgement) -> float:
    """How much of its tolerance an exponent lies off the claim, on the side that would violate it; 0 where that says nothing.

    On route B the deviation is sampling noise: there it says nothing.
    """
    predicted, exponent, tolerance = judgement.predicted, judgement.exponent, judgement.tolerance
    if predicted is None or exponent is None or not tolerance or judgement.route != "A" or not math.isfinite(exponent):
        return 0.0
    return deviation(judgement) / tolerance


def deviation(judgement: Judgement) -> float:
    """Deviation of the exponent from the claim, on the side that would violate it."""
    assert judgement.predicted is not None
    assert judgement.exponent is not None
    off = judgement.exponent - judgement.predicted.value
    match judgement.predicted.kind:
        case "AtLeast":
            return max(0.0, -off)
        case "AtMost":
            return max(0.0, off)
        case "Bound":
            return 0.0
        case _:
            return abs(off)


# ----------------------------------------------------------------------------------------------------
# Candidates


@dataclass(frozen=True)
class Candidate:
    """Indices into the vocabulary with their constants, and what is kept of the draws."""

    parts: tuple[tuple[int, float | None], ...]
    kept: Bools

    @property
    def share(self) -> float:
        return float(np.mean(self.kept)) if len(self.kept) else 0.0


def candidates(pool: Pool) -> list[Candidate]:
    """Conjunctions that exclude all that has to be excluded, each with its weakest constants, from the weakest on."""
    values, excluded, drawn = pool.values, pool.excluded(), pool.drawn
    if not drawn:
        return []
    plain, bounds = _useful(pool, values)
    found: list[Candidate] = []
    for size in range(LARGEST + 1):
        for chosen in combinations([*plain, *bounds], size):
            limits = [index for index in chosen if index in bounds]
            if len(limits) > 2:
                continue
            mask = np.ones(len(values), dtype=np.bool_)
            for index in chosen:
                if index in plain:
                    mask &= values[:, index] == 1.0
            for constants, kept in _constants(pool.vocabulary, limits, mask, values, excluded, drawn):
                table = dict(zip(limits, constants, strict=True))
                parts = tuple((index, table.get(index)) for index in chosen)
                found.append(Candidate(parts, kept[:drawn]))
    enough = [c for c in found if c.kept.sum() >= max(2, math.ceil(LEAST_KEPT * drawn))]
    indirect = [k for k, condition in enumerate(pool.vocabulary) if is_indirect(condition)]
    return list(_weakest_first(enough, bounds, indirect))


def is_indirect(condition: AnyCondition) -> bool:
    """Whether a condition compares what ingredients say of each other; see :class:`Condition`."""
    return isinstance(condition, Condition) and condition.indirect


def _useful(pool: Pool, values: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Predicates and thresholds that tell some draws from others: the rest would add words and no content."""
    plain: list[int] = []
    bounds: list[int] = []
    seen: set[bytes] = set()
    for index, condition in enumerate(pool.vocabulary):
        column = values[: pool.drawn, index]
        if isinstance(condition, Threshold):
            if len(set(column[np.isfinite(column)])) > 1:
                bounds.append(index)
        elif 0.0 < column.mean() < 1.0:
            # The same set of instances under another name is mentioned beside the repair, not searched twice.
            key = values[:, index].tobytes()
            if key not in seen:
                plain.append(index)
            seen.add(key)
    return plain, bounds


def _constants(
    vocabulary: Sequence[AnyCondition],
    limits: Sequence[int],
    mask: Bools,
    values: NDArray[np.float64],
    excluded: Bools,
    drawn: int,
) -> Iterator[tuple[tuple[float, ...], Bools]]:
    """Weakest constants of the thresholds ``limits`` that exclude everything in ``mask`` that has to be excluded."""
    if not limits:
        if not np.any(mask & excluded):
            yield (), mask
        return
    first, *others = limits
    if not others:
        limit = _weakest_constant(vocabulary[first], values[:, first], mask, excluded)
        if limit is not None:
            yield (limit,), mask & _within(vocabulary[first], values[:, first], limit)
        return
    column = values[:, first]
    inside = np.unique(column[mask & np.isfinite(column)])
    if len(inside) > CUTS:
        inside = np.unique(inside[np.linspace(0, len(inside) - 1, CUTS).astype(int)])
    best: tuple[tuple[float, ...], Bools] | None = None
    for cut in inside:
        narrowed = mask & _within(vocabulary[first], column, float(cut))
        for rest, kept in _constants(vocabulary, others, narrowed, values, excluded, drawn):
            if best is None or kept[:drawn].sum() > best[1][:drawn].sum():
                best = (float(cut), *rest), kept
    if best is not None:
        yield best


def _within(condition: AnyCondition, column: NDArray[np.float64], limit: float) -> Bools:
    assert isinstance(condition, Threshold)
    with np.errstate(invalid="ignore"):
        return column <= limit if condition.upper else column >= limit


def _weakest_constant(
    condition: AnyCondition, column: NDArray[np.float64], mask: Bools, excluded: Bools
) -> float | None:
    """The last value met before the first one that has to be excluded; None where nothing has to be, or nothing is left."""
    assert isinstance(condition, Threshold)
    usable = mask & np.isfinite(column)
    bad = column[usable & excluded]
    if not len(bad):
        return None
    good = column[usable & ~excluded]
    good = good[good < bad.min()] if condition.upper else good[good > bad.max()]
    if not len(good):
        return None
    return float(good.max() if condition.upper else good.min())


def _weakest_first(found: Sequence[Candidate], bounds: Sequence[int], indirect: Sequence[int]) -> Iterator[Candidate]:
    """From the largest share on; of those within TIE of the largest, the one with the fewest conditions, direct ones first."""
    left = sorted(found, key=lambda c: -c.share)
    while left:
        near = [c for c in left if c.share >= left[0].share - TIE]
        choice = min(
            near,
            key=lambda c: (
                len(c.parts),
                sum(i in indirect for i, _ in c.parts),
                sum(i in bounds for i, _ in c.parts),
                -c.share,
                tuple(i for i, _ in c.parts),
            ),
        )
        left = [c for c in left if c is not choice]
        yield choice

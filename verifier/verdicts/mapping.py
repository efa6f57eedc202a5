r"""Maps: along one or two parameters, where a reading holds, where it fails, and where the boundary runs.

**A point.** At fixed values of the swept parameters the reading fails if some instance of its domain with these values
violates it. Instances are drawn as a search draws them before it is guided, and the swept (and fixed) parameters are replaced
by the wanted values: the domain is taken as a product as far as these parameters go. The instances that came closest to a
violation at neighbouring points, moved to the new values, are tried first. Points take turns with the draws, so that together
they see all of them. A point

* fails if an instance is violated, by the criterion of the search (:func:`verifier.verdicts.judge.look`). The violation next
  to a boundary is confirmed on fresh randomness (:func:`verifier.verdicts.falsify.confirm`), whose level is the false-alarm
  budget of a run over the number of confirmations that it may spend; what is not confirmed is undecided;
* holds if K draws were decided and none was violated. If a share q of the draws violated, K independent draws would miss it
  with probability (1 - q)^K: with probability .95, q < 1 - .05^(1/K), which is .14 for K = 20. The moved instances are no
  independent draws: they make the point harder to pass and do not enter K;
* is undecided if more than a fifth of the draws were inconclusive, or too few of them could be judged.

**The boundary.** Bisection leaves a bracket between a point that holds and a confirmed one that fails. An exponent that is wrong
by less than the tolerance t is not noticed, so the bracket shows where a violation becomes visible, on the failing side of
where it begins. Let d(x) be measured minus claimed exponent of the violating instance, moved along x. If d shrinks towards the
bracket, it is followed over the failing side and continued by the line and by the parabola through it. The boundary is where
the continuation vanishes. A measured gap is known to +-t, so that the interval reaches from the failing point to as far beyond
the boundary as it takes a gap that goes on at the same mean slope to come to t on the other side: with d = c (x - x0) violations
are visible from x0 + t/c on, and the interval is x0 +- t/c. (With d = c (x - x0)^2 the line alone would still reach to x0.) If d
jumps at the bracket instead, or cannot be followed, the boundary is the middle of the bracket, and the interval reaches on to
where d was measured to have vanished (a tenth of t), which after a jump is the bracket itself. If d does not tend to zero within
the distance over which it was followed, the boundary is not resolved: the interval takes in the whole stretch that seems to hold.
Where the verdict rests on an oscillation, that is followed in the place of d. Where it rests on a given constant, the comparison
is exact and the interval the bracket. Where it rests on a growing ratio, a transient may look like lasting growth: the interval
reaches on, over the failing side, to the nearest point where the growth does not diminish, from one doubling of ln x to the next.

**What is not claimed.** That a stretch between points of one kind holds no crossing narrower than the distance between them;
that a gap below the tolerance is none; that a gap which changes its law within the tolerance of zero (a power above two, a second
family of instances that begins to fail earlier and more slowly) begins where the continuation says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from verifier import provenance, records
from verifier.claims import AtLeast, AtMost, Bound, Claim, StraightLine
from verifier.instances import Instance
from verifier.verdicts.compare import DECISIVE_GROWTH, WAVY
from verifier.verdicts.drawing import draw
from verifier.verdicts.extrapolate import growth
from verifier.verdicts.falsify import MOSTLY_UNDECIDED
from verifier.verdicts.judge import look
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.parameters import Path, moved, number_at, numbers_of, paths_of
from verifier.verdicts.search import CONFIRMATIONS, FALSE_ALARMS, confirm

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"

DRAWS = 20
"""K: draws that must be decided, and none violated, before a point is said to hold."""

MISSED = 1.0 - 0.05 ** (1.0 / DRAWS)
"""With probability .95 fewer of the draws than this violate the reading at a point that holds."""

JUDGEMENTS = {1: 300, 2: 900}
"""Default budget of a map with one and with two parameters."""

CHAMPIONS = 3  # instances of neighbouring points that are tried first
POOL = 4 * DRAWS  # draws to choose from: some are out of scope, or inconclusive
MOST_DRAWN = 16 * DRAWS  # where only some instances have the swept parameters
FEWEST_JUDGEMENTS = 2 * (DRAWS + CHAMPIONS)
SETTLING = 8  # judgements kept for each boundary: confirming it, and following its gap
ATTEMPTS = 8  # confirmations that a line may spend before it is left unconfirmed
A_LINE, FEWEST_LINES, MOST_LINES = 120, 3, 9  # judgements that pay for one value of y
FOLLOWED = (0.125, 0.25, 0.5, 1.0)  # where the gap is measured, in parts of the distance over which it is followed
UNDIMINISHED = 0.995  # of its growth over the doubling of ln x before: a ratio that keeps so much grows for ever
VANISHED = 0.1  # of the tolerance: a measured gap below that has vanished
FARTHEST = 0.25  # that distance, in parts of the range
LOGARITHMIC = 50.0  # a positive range at least so wide is walked in the logarithm


class Unmappable(ValueError):
    """What was asked for cannot be mapped; the message names the argument, its value and the remedy."""


@dataclass(frozen=True)
class Point:
    """What was found at one value of x (and y). Counts are of draws; ``gap`` is measured minus claimed exponent of the
    instance that came closest to a violation, or violated, None where no exponent decides; ``confirmed`` is None where nobody
    asked.
    """

    x: float
    y: float | None
    status: str
    consistent: int
    inconclusive: int
    out_of_scope: int
    missing: int
    score: float | None = None
    gap: float | None = None
    tolerance: float | None = None
    confirmed: bool | None = None
    reason: str = ""
    instance: Instance | None = None


@dataclass(frozen=True)
class Boundary:
    """Between ``holds`` and ``fails``, the bracket. ``method`` is "gap" (the gap was continued to zero), "bracket" (its
    middle) or "unresolved" (the gap does not tend to zero, so that only the resolution may change there).
    """

    at: float
    interval: tuple[float, float]
    holds: float
    fails: float
    confirmed: bool
    method: str
    text: str
    y: float | None = None
    instance: Instance | None = None


@dataclass(frozen=True)
class Axis:
    """A swept parameter with its range. ``drawn`` is the range over which the claim's domain draws it."""

    name: str
    low: float
    high: float
    drawn: tuple[float, float]
    whole: bool = False

    @property
    def logarithmic(self) -> bool:
        """Whether the axis is walked in the logarithm."""
        return self.low > 0.0 and self.high / self.low >= LOGARITHMIC

    def place(self, value: float) -> float:
        """Position between 0 (low) and 1 (high); beyond both it goes on."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, place: float) -> float:
        """The value at a position, exact: what :meth:`place` undoes."""
        if self.logarithmic:
            return self.low * math.exp(place * math.log(self.high / self.low))
        return self.low + place * (self.high - self.low)

    def short(self, place: float) -> float:
        """A value near a position in as few digits as tell a ten-thousandth of the range; inside the range."""
        value = self.value(place)
        if self.whole:
            value = float(round(value))
        elif self.logarithmic:
            value = float(f"{value:.5g}")
        else:
            value = round(value, 4 - math.floor(math.log10(self.high - self.low)))
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Progress:
    """Judgements spent, and how many may be."""

    done: int
    total: int


@dataclass(frozen=True)
class ReadingMap:
    """A map: points, boundaries in the order of y and x, and remarks."""

    claim: Claim
    x: Axis
    y: Axis | None
    fixed: Mapping[str, float]
    seed: int
    points: tuple[Point, ...]
    boundaries: tuple[Boundary, ...]
    notes: tuple[str, ...]
    judgements: int
    confirmations: int
    seconds: float
    interrupted: bool = False

    @property
    def decided(self) -> bool:
        """Whether any point holds or fails."""
        return any(point.status != UNDECIDED for point in self.points)


def map_reading(
    claim: Claim,
    *,
    x: str,
    y: str | None = None,
    fixed: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    judgements: int | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> ReadingMap:
    """Find where a reading holds and where it fails, along ``x`` or over ``x`` and ``y``.

    Parameters are named as in the JSON form of an instance: s, beta, sigma, or any number of an ingredient; a dotted name
    (``target.norm``) where two ingredients have one of that name. ``fixed`` sets further parameters; ``ranges`` (by name, or
    "x" and "y") default to what the domain draws. ``judgements`` (300, with y 900) is the budget. An interrupt ends the map with
    what was found. Raises Unmappable where that cannot be done as asked.
    """
    if claim.proof is not None:
        raise Unmappable(f"claim {claim.id} is decided by an exact argument, which covers its domain: there is no map")
    budget = JUDGEMENTS[1 if y is None else 2] if judgements is None else judgements
    if budget < FEWEST_JUDGEMENTS:
        raise Unmappable(f"judgements={budget} cannot decide two points: give at least {FEWEST_JUDGEMENTS}")
    started = time.perf_counter()
    drawn = _Drawn.of(claim, [name for name in (x, y, *(fixed or {})) if name is not None], seed)
    axes = [drawn.axis(name, letter, ranges or {}) for name, letter in ((x, "x"), (y, "y")) if name is not None]
    unknown = sorted(set(ranges or {}) - {"x", "y", x, y})
    if unknown or (y is None and "y" in (ranges or {}) and x != "y"):
        raise Unmappable(f"a range is given for {(unknown or ['y'])[0]!r}, which is not swept: name it with --x or --y")
    drawn.check_values(axes, fixed or {})
    run = _Run(claim, drawn, axes[0], axes[1] if y is not None else None, fixed or {}, budget, seed, progress)
    interrupted = False
    try:
        run.walk()
    except KeyboardInterrupt:
        interrupted = True
    return ReadingMap(
        claim=claim,
        x=run.x,
        y=run.y,
        fixed=dict(fixed or {}),
        seed=seed,
        points=tuple(point for line in run.lines() for point in run.on(line)),
        boundaries=tuple(run.boundaries()),
        notes=tuple(run.notes()),
        judgements=run.spent,
        confirmations=run.confirmations,
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
    )


# ----------------------------------------------------------------------------------------------------
# The draws of the domain, and their parameters


@dataclass(frozen=True)
class _Draw:
    """The JSON form of one drawn instance and the paths of the parameters in it."""

    record: Mapping[str, Any]
    paths: Mapping[str, Path]

    def moved(self, values: Mapping[str, float]) -> Instance:
        """The instance with these values; ValueError where an ingredient does not take them."""
        return moved(self.record, {self.paths[name]: value for name, value in values.items()})


@dataclass(frozen=True)
class _Drawn:
    """The draws that have all the parameters, in the order in which they were drawn."""

    claim: Claim
    draws: tuple[_Draw, ...]
    total: int

    @classmethod
    def of(cls, claim: Claim, names: Sequence[str], seed: int) -> _Drawn:
        """Draw until enough instances have the parameters, or the domain gives no more."""
        for name in names:
            if names.count(name) > 1:
                raise Unmappable(f"the parameter {name!r} is named twice: sweep it or set it, once")
        forms = _forms(claim, POOL, seed)
        found = _with_paths(claim, forms, names)
        if len(found) < POOL // 2 and len(forms) >= DRAWS:
            forms = _forms(claim, MOST_DRAWN, seed)
            found = _with_paths(claim, forms, names)
        return cls(claim, tuple(found[:POOL]), len(forms))

    @property
    def whole_domain(self) -> bool:
        """Whether the domain holds fewer instances than a point takes, so that all of them are looked at."""
        return self.total < DRAWS

    def values(self, name: str) -> list[float]:
        """The values of a parameter as they were drawn."""
        return [number_at(one.record, one.paths[name]) for one in self.draws]

    def axis(self, name: str, letter: str, ranges: Mapping[str, tuple[float, float]]) -> Axis:
        """The axis of a parameter, its range as given or as drawn."""
        values = self.values(name)
        drawn = (float(min(values)), float(max(values)))
        low, high = ranges.get(name, ranges.get(letter, drawn))
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise Unmappable(f"the range {low:g}:{high:g} of {name} must run from a smaller number to a larger one")
        if low == high:
            given = "its range is" if name in ranges or letter in ranges else "every instance that was drawn has"
            raise Unmappable(f"{name} does not vary ({given} {low:g}): give --range {name}=LOW:HIGH")
        whole = all(isinstance(value, int) for value in values)
        if whole and not (low == int(low) and high == int(high)):
            raise Unmappable(f"the range {low:g}:{high:g} of {name} must be of whole numbers: it counts something")
        return Axis(name, float(low), float(high), drawn, whole)

    def check_values(self, axes: Sequence[Axis], fixed: Mapping[str, float]) -> None:
        """Refuse a value that no instance takes, with what the ingredient says of it."""
        for name, value in [*fixed.items(), *((axis.name, end) for axis in axes for end in (axis.low, axis.high))]:
            error: ValueError | None = None
            for one in self.draws:
                try:
                    one.moved({name: value})
                    break
                except ValueError as refused:
                    error = refused
            else:
                raise Unmappable(f"{name}={value:g} is refused by every instance that was drawn: {error}") from error


def _forms(claim: Claim, count: int, seed: int) -> list[dict[str, Any]]:
    """JSON forms of instances of the claim's domain; whatever the domain raises is said to come from there."""
    try:
        forms = [instance.to_json() for instance in draw(claim.domain, count, seed, claim.id, "map")]
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"the domain of claim {claim.id} raised {type(error).__name__}: {said}") from error
    if not forms:
        raise Unmappable(f"the domain of claim {claim.id} gave no instance: there is nothing to map")
    return forms


def _with_paths(claim: Claim, forms: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[_Draw]:
    """The instances that have every parameter; Unmappable where a name means none, or more than one."""
    known = dict.fromkeys(".".join(path) for form in forms for path in numbers_of(form))
    meant = {name: [paths_of(name, form) for form in forms] for name in names}
    for name, each in meant.items():
        matching = dict.fromkeys(path for paths in each for path in paths)
        dotted = [".".join(path) for path in matching]
        if not matching:
            raise Unmappable(
                f"no instance of claim {claim.id} has a number called {name!r}: its numbers are {', '.join(known)}"
            )
        if any(len(paths) > 1 for paths in each) or len({path[0] for path in matching}) > 1:
            raise Unmappable(f"{name!r} could be {' or '.join(dotted)}: name one of them in full")
    found = []
    for k, form in enumerate(forms):
        paths = {name: each[k][0] for name, each in meant.items() if each[k]}
        if len(paths) == len(names):
            found.append(_Draw(form, paths))
    if not found:
        raise Unmappable(f"no instance of claim {claim.id} that was drawn has all of {', '.join(names)}: sweep fewer")
    return found


# ----------------------------------------------------------------------------------------------------
# The walk


@dataclass
class _Tally:
    """Judgements at one point."""

    consistent: int = 0
    inconclusive: int = 0
    out_of_scope: int = 0
    missing: int = 0
    refused: str = ""
    reasons: list[str] = field(default_factory=list)
    closest: tuple[Instance, Judgement] | None = None

    @property
    def in_scope(self) -> int:
        return self.consistent + self.inconclusive

    def take(self, instance: Instance, found: Judgement, *, counted: bool) -> None:
        """Count a draw; remember what came closest to a violation."""
        if found.verdict in (CONSISTENT, VIOLATED) and (self.closest is None or found.score > self.closest[1].score):
            self.closest = (instance, found)
        if not counted:
            return
        self.consistent += found.verdict == CONSISTENT
        self.inconclusive += found.verdict == INCONCLUSIVE
        self.out_of_scope += found.verdict == OUT_OF_SCOPE
        if found.verdict in (INCONCLUSIVE, OUT_OF_SCOPE):
            self.reasons.append(found.reason)


Line = float | None  # a value of y, or None for a map of one parameter
Gap = tuple[Point, Point]


class _Run:
    """One map in the making."""

    def __init__(
        self,
        claim: Claim,
        drawn: _Drawn,
        x: Axis,
        y: Axis | None,
        fixed: Mapping[str, float],
        budget: int,
        seed: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.claim, self.drawn, self.x, self.y, self.fixed = claim, drawn, x, y, fixed
        self.budget, self.seed, self.tell = budget, seed, progress or (lambda event: None)
        self.spent = self.confirmations = 0
        self._points: dict[Line, list[Point]] = {}
        self._judged: dict[str, Judgement] = {}
        self._bounds: dict[tuple[Line, float, float], Boundary] = {}
        self.resolution = 1.0 / 512.0 if y is None else 1.0 / 128.0
        self.widest = 1.0 / 32.0 if y is None else 1.0 / 16.0  # between points that agree, if the budget allows it
        self.coarse = 9 if y is None else 5

    # -- what there is

    def lines(self) -> list[Line]:
        """Values of y, in order."""
        return sorted(self._points, key=lambda line: 0.0 if line is None else line)

    def on(self, line: Line) -> list[Point]:
        """The points of one line, in order of x."""
        return sorted(self._points.get(line, []), key=lambda point: point.x)

    def changes(self, line: Line) -> list[Gap]:
        """Pairs of a point that holds and one that fails with nothing decided between them."""
        decided = [point for point in self.on(line) if point.status != UNDECIDED]
        return [(a, b) if a.status == HOLDS else (b, a) for a, b in pairwise(decided) if a.status != b.status]

    def boundaries(self) -> list[Boundary]:
        """One for each change, as far as it was settled."""
        return [
            self._bounds.get((line, holds.x, fails.x)) or _bracket(holds, fails)
            for line in self.lines()
            for holds, fails in self.changes(line)
        ]

    # -- the order of things

    def walk(self) -> None:
        """Coarse points on every line, bisection, confirmation; then what is left of the budget on the widest stretches."""
        lines = self._lines_of_y()
        for place, line in enumerate(lines):
            self._points[line] = []
            share = self.spent + (self.budget - self.spent) // (len(lines) - place)
            self._sow(line, share)
            self._refine(line, share)
            self._settle(line)
        while True:
            before = self.spent
            for line in lines:
                self._deepen(line)
                self._explore(line)
                self._refine(line, self.budget)
                self._settle(line)
            if self.spent == before:
                break

    def _lines_of_y(self) -> list[Line]:
        """Values of y from the middle outwards, so that each has a neighbour to start from."""
        if self.y is None:
            return [None]
        count = min(max(self.budget // A_LINE, FEWEST_LINES), MOST_LINES)
        places = sorted(np.linspace(0.0, 1.0, count).tolist(), key=lambda place: (round(abs(place - 0.5), 9), place))
        return list(dict.fromkeys(self.y.short(place) for place in places))

    def _affords(self, line: Line, until: int) -> bool:
        """Whether a point can be paid for, with what settling the boundaries takes kept back."""
        kept = SETTLING * max(1, len(self.changes(line)))
        return self.spent + DRAWS + CHAMPIONS + kept <= until

    def _sow(self, line: Line, until: int) -> None:
        """Equally spaced points, the ends first."""
        places = np.linspace(0.0, 1.0, self.coarse).tolist()
        order = [0, self.coarse - 1, *_halving(0, self.coarse - 1)]
        for place in (places[k] for k in order):
            if self._affords(line, until):
                self._examine(self.x.short(place), line)

    def _refine(self, line: Line, until: int) -> None:
        """Bisect the widest bracket until all are narrow; a boundary of a neighbouring line is tried before the middle."""
        guesses = self._guesses(line)
        while self._affords(line, until):
            gaps = [gap for gap in self._open_gaps(line) if self._width(gap) > self.resolution]
            inside = [value for gap in gaps if (value := self._between(gap, guesses)) is not None]
            if inside:
                self._examine(inside[0], line)
            elif not self._refuted(line):
                return

    def _refuted(self, line: Line) -> bool:
        """Whether a point that holds next to a boundary fails by the violation on the other side, moved to it: it may have been
        looked at before that was known. It then counts as failing.
        """
        for holds, fails in self.changes(line):
            instance = self._moved(fails.instance, self._values(holds.x, line))
            if instance is not None and (found := self._look(instance)).verdict == VIOLATED:
                tally = _Tally(holds.consistent, holds.inconclusive, holds.out_of_scope, holds.missing)
                tally.take(instance, found, counted=False)
                self._points[line].remove(holds)
                self._keep(holds.x, line, FAILS, tally, found.reason)
                return True
        return False

    def _open_gaps(self, line: Line) -> list[Gap]:
        """Neighbouring points between which something changes, widest first."""
        points = self.on(line)
        spans = [sorted((a.x, b.x)) for a, b in self.changes(line)]
        found = []
        for a, b in pairwise(points):
            within = any(low <= a.x and b.x <= high for low, high in spans)
            if (a.status != b.status and within) or self._crosses(a, b):
                found.append((a, b))
        return sorted(found, key=self._width, reverse=True)

    def _crosses(self, a: Point, b: Point) -> bool:
        """Whether an exponent is too large at one failing point and too small at the next: between them it may be right."""
        two_sided = not any(self._one_sided(point) for point in (a, b))
        signs = [point.gap for point in (a, b) if point.status == FAILS and point.gap is not None]
        return two_sided and len(signs) == 2 and signs[0] * signs[1] < 0.0

    def _one_sided(self, point: Point) -> bool:
        return point.instance is not None and isinstance(self.claim.predicted(point.instance), (AtLeast, AtMost))

    def _width(self, gap: Gap) -> float:
        return abs(self.x.place(gap[1].x) - self.x.place(gap[0].x))

    def _between(self, gap: Gap, guesses: list[float]) -> float | None:
        """A new value inside a gap; None where there is none (whole numbers, the last digit)."""
        (low, a), (high, b) = sorted((self.x.place(point.x), point.x) for point in gap)
        margin = 0.5 * self.resolution
        place = next((guess for guess in guesses if low + margin < guess < high - margin), None)
        if place is not None:
            guesses.remove(place)
        elif self._crosses(*gap):
            first, second = (abs(point.gap or 0.0) for point in gap)
            place = low + (high - low) * min(max(first / (first + second), 0.1), 0.9)
        else:
            place = 0.5 * (low + high)
        value = self.x.short(place)
        return value if a < value < b else None

    def _guesses(self, line: Line) -> list[float]:
        """Places on both sides of where the boundaries of the neighbouring lines lead one to expect one here."""
        if line is None:
            return []
        near = sorted((other for other in self._points if other not in (None, line)), key=lambda o: abs(o - line))
        found: list[float] = []
        for holds, fails in self.changes(near[0]) if near else []:
            here = 0.5 * (self.x.place(holds.x) + self.x.place(fails.x))
            spread = max(self._width((holds, fails)), 2.0 * self.resolution)
            beyond = [other for other in near[1:] if (other - near[0]) * (near[0] - line) > 0.0]
            for h, f in self.changes(beyond[0]) if beyond else []:
                if (h.x < f.x) == (holds.x < fails.x):
                    step = here - 0.5 * (self.x.place(h.x) + self.x.place(f.x))
                    ratio = (line - near[0]) / (near[0] - beyond[0])
                    here, spread = here + step * ratio, max(spread, 0.25 * abs(step * ratio))
                    break
            found += [here - spread, here + spread]
        return found

    def _explore(self, line: Line) -> None:
        """One point in the widest stretch between two that agree: a second crossing may hide there."""
        alike = [gap for gap in pairwise(self.on(line)) if gap[0].status == gap[1].status]
        alike = [gap for gap in alike if self._width(gap) > self.widest]
        if not alike or not self._affords(line, self.budget):
            return
        value = self._between(max(alike, key=self._width), [])
        if value is not None:
            self._examine(value, line)

    def _deepen(self, line: Line) -> None:
        """Look at the other draws as well where a point holds next to a boundary, which moves if one of them is violated; where
        there is no boundary, at the point that came closest to one.
        """
        held = [point for point in self.on(line) if point.status == HOLDS and point.consistent <= DRAWS]
        beside = [holds for holds, _ in self.changes(line)]
        closest = max(held, key=lambda point: -math.inf if point.score is None else point.score, default=None)
        for holds in beside or ([closest] if closest is not None else []):
            if holds in held and self.spent + len(self.drawn.draws) + SETTLING <= self.budget:
                self._points[line].remove(holds)
                self._examine(holds.x, line, len(self.drawn.draws))

    # -- one point

    def _values(self, x: float, line: Line) -> dict[str, float]:
        return {self.x.name: x, **self.fixed} | ({} if self.y is None or line is None else {self.y.name: line})

    def _examine(self, x: float, line: Line, draws: int = DRAWS) -> None:
        """Judge a point: what came closest nearby, then the draws."""
        values, tally = self._values(x, line), _Tally()
        for instance in self._champions(x, line, values):
            found = self._look(instance)
            tally.take(instance, found, counted=False)
            if found.verdict == VIOLATED:
                return self._keep(x, line, FAILS, tally, found.reason)
        pool = self.drawn.draws
        first = DRAWS * sum(map(len, self._points.values())) % len(pool)
        for one in (*pool[first:], *pool[:first]):
            try:
                instance = one.moved(values)
            except ValueError as error:  # the others of its parameters do not go with these values
                tally.missing += 1
                tally.refused = str(error)
                continue
            found = self._look(instance)
            tally.take(instance, found, counted=True)
            if found.verdict == VIOLATED:
                return self._keep(x, line, FAILS, tally, found.reason)
            if tally.consistent >= draws or tally.in_scope >= 2 * draws:
                break
        enough = tally.consistent >= (1 if self.drawn.whole_domain else DRAWS)
        if enough and tally.inconclusive <= MOSTLY_UNDECIDED * tally.in_scope:
            return self._keep(x, line, HOLDS, tally, f"none of {tally.consistent} decided draws was violated")
        return self._keep(x, line, UNDECIDED, tally, _why_undecided(tally))

    def _keep(self, x: float, line: Line, status: str, tally: _Tally, reason: str) -> None:
        instance, found = tally.closest or (None, None)
        self._points[line].append(
            Point(
                x=x,
                y=line,
                status=status,
                consistent=tally.consistent,
                inconclusive=tally.inconclusive,
                out_of_scope=tally.out_of_scope,
                missing=tally.missing,
                score=None if found is None else found.score,
                gap=None if found is None else _signed_gap(found),
                tolerance=None if found is None else found.tolerance,
                reason=reason,
                instance=instance,
            )
        )

    def _look(self, instance: Instance) -> Judgement:
        """The search's view of an instance; each is paid for once."""
        found = self._judged.get(instance.digest)
        if found is None:
            found = self._judged[instance.digest] = look(self.claim, instance, self.seed)
            self.spent += 1
            self.tell(Progress(min(self.spent, self.budget), self.budget))
        return found

    def _champions(self, x: float, line: Line, values: Mapping[str, float]) -> Iterable[Instance]:
        """The instances of the nearest points that came closest to a violation there, moved here."""

        def distance(point: Point) -> float:
            across = 0.0 if self.y is None or line is None else self.y.place(point.y or 0.0) - self.y.place(line)
            return math.hypot(self.x.place(point.x) - self.x.place(x), across)

        near = sorted((p for points in self._points.values() for p in points if p.instance is not None), key=distance)
        near.sort(key=lambda point: point.status != FAILS and distance(point) > 0.25)  # a close call far away is none
        seen: set[str] = set()
        for point in near[: 4 * CHAMPIONS]:
            moved = self._moved(point.instance, values)
            if moved is not None and moved.digest not in seen:
                seen.add(moved.digest)
                yield moved
            if len(seen) == CHAMPIONS:
                return

    def _moved(self, instance: Instance | None, values: Mapping[str, float]) -> Instance | None:
        if instance is None:
            return None
        record = instance.to_json()
        try:
            return moved(record, {path: value for name, value in values.items() for path in paths_of(name, record)})
        except ValueError:
            return None

    # -- the boundary

    def _settle(self, line: Line) -> None:
        """Confirm the violations next to the boundaries (where there is none, the clearest one), and place the boundaries."""
        for _ in range(ATTEMPTS):
            open_ones = [fails for _, fails in self.changes(line) if fails.confirmed is None]
            failing = [point for point in self.on(line) if point.status == FAILS]
            if not self.changes(line) and failing and not any(point.confirmed for point in failing):
                open_ones = [max(failing, key=lambda point: point.score or 0.0)]
            if not open_ones or self.confirmations >= CONFIRMATIONS:
                break
            self._confirm(line, open_ones[0])
        for holds, fails in self.changes(line):
            key = (line, holds.x, fails.x)
            if fails.confirmed and key not in self._bounds:
                self._bounds[key] = self._placed(line, holds, fails)

    def _confirm(self, line: Line, point: Point) -> None:
        assert point.instance is not None
        self.confirmations += 1
        self.spent += 1
        found = confirm(self.claim, point.instance, self.seed).judgement
        if found.verdict == VIOLATED:
            checked = replace(point, confirmed=True)
        else:
            reason = f"a violation was found but not confirmed on fresh randomness: {found.reason}"
            checked = replace(point, confirmed=False, status=UNDECIDED, reason=reason)
        self._points[line] = [checked if other is point else other for other in self._points[line]]

    def _placed(self, line: Line, holds: Point, fails: Point) -> Boundary:
        """The boundary between two points, by the gap of the violation on the failing side."""
        plain = _bracket(holds, fails)
        if self.x.whole:
            return replace(plain, text="the middle of the bracket: between whole numbers")
        assert fails.instance is not None
        violation = self._look(fails.instance)
        measure = _measure_of(violation)
        if measure is None:
            return self._without_gap(line, plain, fails, violation)
        start, side = self.x.place(fails.x), math.copysign(1.0, self.x.place(fails.x) - self.x.place(holds.x))
        reach = min(FARTHEST, self._failing_stretch(line, fails, side))
        followed = self._measured(measure, fails, fails.x, 0.0)
        for part in FOLLOWED if reach > self.resolution else ():
            x = self.x.value(start + side * part * reach)
            followed += self._measured(measure, fails, x, abs(x - fails.x))
        before = self._measured(measure, fails, holds.x, -abs(holds.x - fails.x))
        # In x itself also where the axis is logarithmic: an effect may vanish with x, where the logarithm has no place.
        continued = continue_gap(followed, before, abs(self.x.value(start + side * reach) - fails.x))
        if continued is None:
            return self._vanishing(line, plain, holds, fails, measure, before)
        if continued.zero is None:
            return self._unresolved(line, plain, holds, side, "the gap does not tend to zero there")
        at, end = (fails.x - side * distance for distance in (continued.zero, continued.end))
        ends = sorted((at, end, holds.x, fails.x))
        text = (
            f"{measure.words}, {abs(followed[0][1]):.2g} at {self.x.name} = {fails.x:g}, was continued to zero; it cannot be "
            f"told from none within +-{continued.tolerance:.2g}"
        )
        return replace(plain, at=at, interval=(ends[0], ends[-1]), method="gap", text=text)

    def _without_gap(self, line: Line, plain: Boundary, fails: Point, violation: Judgement) -> Boundary:
        """A boundary where a ratio decides: against a given constant exactly, else by its growth, which takes a while to show."""
        if isinstance(violation.predicted, Bound) and math.isfinite(violation.predicted.value):
            return replace(plain, text="the middle of the bracket: the ratio is compared with a constant")
        side = math.copysign(1.0, fails.x - plain.holds)
        sure = fails.x
        for point in sorted(self.on(line), key=lambda p: side * p.x):
            if side * (point.x - fails.x) < 0.0:
                continue
            if point.status == HOLDS:
                break
            sure = point.x
            if point.status == FAILS and point.instance is not None and _grows_for_ever(self._look(point.instance)):
                break
        ends = sorted((plain.holds, sure))
        text = "the middle of the bracket: a ratio grows, visibly there; whether for ever is sure at the end of the interval only"
        return replace(plain, interval=(ends[0], ends[1]), text=text)

    def _vanishing(
        self,
        line: Line,
        plain: Boundary,
        holds: Point,
        fails: Point,
        measure: _Measure,
        before: Sequence[tuple[float, float, float]],
    ) -> Boundary:
        """A boundary whose gap jumps, or was not followed: the interval reaches to where the measured gap has vanished."""
        here, side = self.x.place(holds.x), math.copysign(1.0, self.x.place(fails.x) - self.x.place(holds.x))
        seen, x = before, holds.x
        for step in (*(0.5**k for k in range(5, 1, -1)), None):
            if seen and abs(seen[0][1]) <= VANISHED * seen[0][2]:
                ends = sorted((x, fails.x))
                text = "the middle of the bracket: the gap jumps there, or was not followed farther"
                return replace(plain, interval=(ends[0], ends[1]), text=text)
            if step is None:
                break
            x = min(max(self.x.value(here - side * step), self.x.low), self.x.high)
            seen = self._measured(measure, fails, x, -1.0)
        return self._unresolved(line, plain, holds, side, "the gap was not seen to vanish")

    def _unresolved(self, line: Line, plain: Boundary, holds: Point, side: float, why: str) -> Boundary:
        """A boundary that may lie anywhere in the stretch that seems to hold."""
        ends = sorted((self._holding_stretch(line, holds, side), plain.fails))
        text = f"not resolved: {why}, so that only the resolution may change"
        return replace(plain, interval=(ends[0], ends[1]), method="unresolved", text=text)

    def _measured(self, measure: _Measure, point: Point, x: float, distance: float) -> list[tuple[float, float, float]]:
        """Distance, gap and tolerance of a point's instance moved to x; empty where it has none."""
        instance = self._moved(point.instance, {self.x.name: x})
        if instance is None:
            return []
        found = self._look(instance)
        pair = measure.of(found) if found.verdict in (CONSISTENT, VIOLATED) else None
        return [] if pair is None else [(distance, *pair)]

    def _failing_stretch(self, line: Line, fails: Point, side: float) -> float:
        """How far from a failing point, away from its boundary, the points go on failing, in parts of the range."""
        last = self.x.place(fails.x)
        for point in sorted(self.on(line), key=lambda p: side * p.x):
            if side * (point.x - fails.x) <= 0.0:
                continue
            if point.status != FAILS:
                break
            last = self.x.place(point.x)
        return abs(last - self.x.place(fails.x))

    def _holding_stretch(self, line: Line, holds: Point, side: float) -> float:
        """The far end of the points that hold, beyond the one next to a boundary."""
        last = holds.x
        for point in sorted(self.on(line), key=lambda p: -side * p.x):
            if side * (point.x - holds.x) < 0.0:
                if point.status == FAILS:
                    break
                last = point.x
        return last

    # -- remarks

    def notes(self) -> list[str]:
        """What a reader has to know beside the numbers."""
        notes = []
        for axis in [self.x] if self.y is None else [self.x, self.y]:
            low, high = axis.drawn
            if axis.low < low or axis.high > high:
                notes.append(
                    f"the domain draws {axis.name} from {low:g} to {high:g}: outside, the map is of the formula, not of the reading"
                )
        for name, value in self.fixed.items():
            drawn = self.drawn.values(name)
            if not min(drawn) <= value <= max(drawn):
                notes.append(
                    f"the domain draws {name} from {min(drawn):g} to {max(drawn):g}: at {value:g} the map is of the formula, "
                    "not of the reading"
                )
        if self.drawn.whole_domain:
            notes.append(f"the domain gave only {self.drawn.total} instances: all of them were judged at every point")
        for line in self.lines():
            where = "" if line is None or self.y is None else f" at {self.y.name} = {line:g}"
            crossings = self.changes(line)
            if len(crossings) > 1:
                notes.append(f"{len(crossings)} boundaries{where}: the reading does not change once")
            notes += [
                f"the reading holds near {self.x.name} = {0.5 * (a.at + b.at):.4g}{where} perhaps only because the claimed and the "
                "true exponent cross there"
                for a, b in pairwise(b for b in self.boundaries() if b.y == line)
                if a.holds >= a.fails and b.holds <= b.fails and a.method == b.method == "gap"
                and a.interval[1] >= b.interval[0] and a.at >= a.fails and b.at <= b.fails
                and a.interval[1] >= b.at and b.interval[0] <= a.at
            ]  # fmt: skip
        outside = [b for b in self.boundaries() if not self.x.low <= b.at <= self.x.high]
        if outside:
            which = ", ".join(f"{b.y:g}" for b in outside if b.y is not None)
            where = f" at {self.y.name} = {which}" if self.y is not None else ""
            notes.append(f"the boundary{where} lies outside the range of {self.x.name}: the gap was continued to there")
        alike = [gap for line in self.lines() for gap in pairwise(self.on(line)) if gap[0].status == gap[1].status]
        if alike:
            a, b = max(alike, key=self._width)
            notes.append(
                f"between neighbouring points of one kind {self.x.name} was not looked at over up to {abs(b.x - a.x):.3g}: a "
                "crossing narrower than that may hide there"
            )
        return notes


def _halving(low: int, high: int) -> list[int]:
    """The whole numbers between two, middles first."""
    queue, found = [(low, high)], []
    while queue:
        a, b = queue.pop(0)
        middle = (a + b) // 2
        if a < middle < b:
            found.append(middle)
            queue += [(a, middle), (middle, b)]
    return found


def _why_undecided(tally: _Tally) -> str:
    common = f", most often because {max(sorted(set(tally.reasons)), key=tally.reasons.count)}" if tally.reasons else ""
    if tally.inconclusive > MOSTLY_UNDECIDED * tally.in_scope:
        return f"{tally.inconclusive} of {tally.in_scope} draws could not be decided{common}"
    if tally.missing and not tally.in_scope and not tally.out_of_scope:
        return f"no draw takes these values: {tally.refused}"
    return f"only {tally.consistent} draws were decided, of {DRAWS} that a point takes{common}"


def _exponent_gap(found: Judgement) -> float | None:
    """Measured minus claimed exponent; None for what is judged by another number."""
    if found.exponent is None or found.predicted is None or isinstance(found.predicted, Bound):
        return None
    return found.exponent - found.predicted.value


def _signed_gap(found: Judgement) -> float | None:
    """The gap, where it is what the verdict rests on: an order or a straight line can be violated at the right exponent."""
    gap = _exponent_gap(found)
    by_growth = found.verdict == VIOLATED and gap is not None and abs(gap) <= (found.tolerance or 0.0)
    return None if by_growth else gap


def _grows_for_ever(found: Judgement) -> bool:
    """Whether a ratio grows, or falls, over the last doubling of ln x as much as over the one before: (ln x)^c does."""
    evidence, predicted = found.evidence, found.predicted
    if evidence is None or predicted is None:
        return False
    shift = 0.0 if isinstance(predicted, Bound) else predicted.value * evidence.log_x
    # A sum grows when a term does; beside a larger bounded term its growth only begins, and looks as if it lasted.
    above = [term + shift for term, _ in evidence.terms] or [evidence.log_y + shift]
    rises = []
    for sign, curves in ((1.0, above), (-1.0, [evidence.log_y + shift])):
        for log_ratio in curves:
            usable = np.isfinite(log_ratio)
            last, earlier = growth(evidence.log_x[usable], log_ratio[usable], sign > 0.0)
            rises.append((sign * last, sign * earlier))
    return any(last > DECISIVE_GROWTH and last >= UNDIMINISHED * earlier for last, earlier in rises)


@dataclass(frozen=True)
class _Measure:
    """What is followed along x: a gap and what it must exceed to be noticed; None where a judgement has none."""

    words: str
    of: Callable[[Judgement], tuple[float, float] | None]


def _exponent_and_tolerance(found: Judgement) -> tuple[float, float] | None:
    gap = _exponent_gap(found)
    return None if gap is None or found.tolerance is None else (gap, found.tolerance)


def _oscillation(found: Judgement) -> tuple[float, float] | None:
    limit = None if found.evidence is None else found.evidence.asymptote
    return None if limit is None else (limit.oscillation, WAVY)


def _measure_of(violation: Judgement) -> _Measure | None:
    """What to follow of a violation: the number on which it rests, where that is measured against a tolerance."""
    if _signed_gap(violation) is not None:
        return _Measure("the gap between measured and claimed exponent", _exponent_and_tolerance)
    if isinstance(violation.predicted, StraightLine):
        return _Measure("the oscillation of the local exponent", _oscillation)
    return None


def _bracket(holds: Point, fails: Point) -> Boundary:
    """The middle of a bracket, with the bracket as its interval."""
    low, high = sorted((holds.x, fails.x))
    return Boundary(
        at=0.5 * (low + high),
        interval=(low, high),
        holds=holds.x,
        fails=fails.x,
        confirmed=bool(fails.confirmed),
        method="bracket",
        text="the middle of the bracket",
        y=fails.y,
        instance=fails.instance,
    )


@dataclass(frozen=True)
class Continued:
    """A gap continued towards the holding side: distances at which it vanishes (None: it does not) and at which, at the same
    mean slope, it would have come to the tolerance on the other side.
    """

    zero: float | None
    end: float
    tolerance: float


def continue_gap(
    followed: Sequence[tuple[float, float, float]], before: Sequence[tuple[float, float, float]], reach: float
) -> Continued | None:
    """Continue the gap of a violation past the point where it stops being visible.

    ``followed``: (distance into the failing side, gap, tolerance), the failing point first, at distance 0; ``before``: the
    same instance at the holding point, at a negative distance, if it has a gap there; ``reach``: how far the gap was followed,
    and therefore may be continued. None where the gap jumps, or too little of it is known.

    The line goes through the failing point and the first at which the gap has doubled, the parabola through the first at which
    it has grown fourfold as well (the last ones where it does not grow so much).
    """
    points = [(v, g, t) for v, g, t in followed if g * followed[0][1] > 0.0]
    if len(points) < 2:
        return None
    first = points[0]
    tolerance = max(t for _, _, t in [first, *before])
    sizes = [abs(g) for _, g, _ in points]
    second = next((k for k in range(1, len(points)) if sizes[k] >= 2.0 * sizes[0]), len(points) - 1)
    third = next((k for k in range(second + 1, len(points)) if sizes[k] >= 4.0 * sizes[0]), len(points) - 1)
    curves = [np.polyfit(*_pairs(points, (0, second)), 1)]
    if third > second:
        curves.append(np.polyfit(*_pairs(points, (0, second, third)), 2))
    if before and _jumps(curves, before[0], sizes[0]):
        return None
    distances = np.linspace(0.0, 2.0 * reach, 4001)
    zeros = []
    for curve in curves:
        left = np.abs(np.polyval(curve, -distances))
        inside = np.flatnonzero(left <= tolerance)
        if inside.size == 0:
            continue
        again = np.flatnonzero(left[inside[0] :] > tolerance)
        last = int(inside[0] + again[0]) if again.size else distances.size
        zeros.append(float(distances[inside[0] + np.argmin(left[inside[0] : last])]))
    if not zeros or min(zeros) > reach or sizes[second] <= sizes[0]:
        return Continued(None, math.inf, tolerance)
    best = zeros[-1] if zeros[-1] <= reach else zeros[0]
    return Continued(best, max(zeros) * (1.0 + tolerance / sizes[0]), tolerance)


def _pairs(points: Sequence[tuple[float, float, float]], chosen: Iterable[int]) -> tuple[list[float], list[float]]:
    """Distances and sizes of the gaps of the chosen points."""
    which = list(chosen)
    return [points[k][0] for k in which], [abs(points[k][1]) for k in which]


def _jumps(curves: Sequence[Any], before: tuple[float, float, float], size: float) -> bool:
    """Whether the gap at the holding point is far from where every continuation has it."""
    distance, gap, _ = before
    return all(abs(abs(float(np.polyval(curve, distance))) - abs(gap)) > 0.5 * size for curve in curves)


# ----------------------------------------------------------------------------------------------------
# The record


def map_record(found: ReadingMap, pack: str | None = None) -> dict[str, Any]:
    """The record of a map, as :func:`verifier.records.save_map` checks it.

    ``boundary`` and ``interval`` are those of the only boundary along x, or of the first of ``boundaries``; null without one,
    and with two parameters, where ``curve`` has them for every y.
    """
    boundaries = [_boundary_record(boundary) for boundary in found.boundaries]
    first = next((b for b in boundaries if b["confirmed"]), boundaries[0] if boundaries else None)
    single = first if found.y is None and first is not None else {"boundary": None, "interval": None}
    lines = dict.fromkeys(point.y for point in found.points)
    record: dict[str, Any] = {
        "schema": records.SCHEMA,
        "kind": "map",
        "version": provenance.version(),
        "claim": found.claim.statement_id,
        "reading": found.claim.reading,
        "id": found.claim.id,
        "title": found.claim.title,
        "pack": pack,
        "seed": found.seed,
        "x": found.x.name,
        "range": [found.x.low, found.x.high],
        "logarithmic": found.x.logarithmic,
        "fixed": dict(found.fixed),
        "boundary": single["boundary"],
        "interval": single["interval"],
        "boundaries": boundaries,
        "points": [_point_record(point) for point in found.points],
        "notes": list(found.notes),
        "draws": DRAWS,
        "missed": MISSED,
        "level": FALSE_ALARMS / CONFIRMATIONS,
        "judgements": found.judgements,
        "confirmations": found.confirmations,
        "interrupted": found.interrupted,
        "seconds": found.seconds,
    }
    if found.y is not None:
        record |= {"y": found.y.name, "y_range": [found.y.low, found.y.high], "y_logarithmic": found.y.logarithmic}
        record["curve"] = [
            {"y": y, "boundaries": [b for b in boundaries if b["y"] == y]} for y in lines if y is not None
        ]
    return record


def _boundary_record(boundary: Boundary) -> dict[str, Any]:
    return {
        "y": boundary.y,
        "boundary": boundary.at,
        "interval": list(boundary.interval),
        "holds": boundary.holds,
        "fails": boundary.fails,
        "confirmed": boundary.confirmed,
        "method": boundary.method,
        "text": boundary.text,
        "instance": None if boundary.instance is None else boundary.instance.to_json(),
        "describe": None if boundary.instance is None else boundary.instance.describe(),
    }


def _point_record(point: Point) -> dict[str, Any]:
    return {
        "x": point.x,
        "y": point.y,
        "status": point.status,
        "consistent": point.consistent,
        "inconclusive": point.inconclusive,
        "out_of_scope": point.out_of_scope,
        "missing": point.missing,
        "score": point.score,
        "gap": point.gap,
        "tolerance": point.tolerance,
        "confirmed": point.confirmed,
        "reason": point.reason,
        "instance": None if point.instance is None else point.instance.to_json(),
        "describe": None if point.instance is None else point.instance.describe(),
    }

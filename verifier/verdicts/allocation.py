r"""Who gets the next bouts of a night.

A round gives every reading that can still be searched one bout, and as many more to where progress is likely, so that half of each
round is spread evenly and none is left out. The other half goes in proportion to a weight, by largest remainders:

.. math:: w = \frac{f_1 + 1}{n + 2} + \frac{u}{4 n} + \frac{c}{1 + d}

:math:`(f_1 + 1)/(n + 2)` is the estimate of Good (1953) and Turing of the chance that the next example behaves as none before:
:math:`f_1` behaviours were met once in n examples (the 1 and the 2 keep a reading that was hardly looked at in play). :math:`u` of
the n examples were undecided: next to them a verdict may hide. :math:`d \ge 0` is the distance of the nearest near-violation in
tolerances; c is ``CLOSE`` while that distance still shrinks and a quarter of it after. A reading that is violated already, or had
an error, gets no more than its share of the even half.

Decisions rest on finished rounds only, so that neither the number of workers nor the clock changes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FIRST, LARGEST, SMALLEST = 40, 400, 10  # examples in a bout
FEWEST_BOUTS = 16  # of a round: then two workers wait for each other a small part of the time
CLOSE = 0.05
TURNS = ("corner", "near", "search", "spread", "near")  # what the later bouts of a reading do, in turns


@dataclass
class Standing:
    """What finished rounds know of one reading."""

    examples: int = 0
    undecided: int = 0
    behaviours: dict[str, int] = field(default_factory=dict)
    nearest: float | None = None
    improved: bool = False
    violated: bool = False
    failed: bool = False
    bouts: int = 0

    @property
    def weight(self) -> float:
        """See the module."""
        if self.violated or self.failed:
            return 0.0
        once = sum(count == 1 for count in self.behaviours.values())
        new = (once + 1.0) / (self.examples + 2.0)
        undecided = self.undecided / (4.0 * max(self.examples, 1))
        near = 0.0
        if self.nearest is not None:
            near = CLOSE * (1.0 if self.improved else 0.25) / (1.0 + max(-self.nearest, 0.0))
        return new + undecided + near


@dataclass(frozen=True)
class Share:
    """One bout to come: of which reading, the number among its bouts, what it does and with how many examples."""

    id: str
    number: int
    purpose: str
    examples: int


def plan_round(number: int, standings: Mapping[str, Standing], left: int | None) -> list[Share]:
    """The bouts of a round, the largest share first; none when nothing can be searched or the examples are used up.

    ``left`` is the number of examples that may still be judged, None without limit.
    """
    alive = [name for name, standing in standings.items() if not standing.failed]
    if not alive:
        return []
    counts = dict.fromkeys(alive, 1)
    if number > 0:
        weights = {name: standings[name].weight for name in alive}
        more = max(len(alive), FEWEST_BOUTS - len(alive))
        if left is not None:  # rather fewer bouts than bouts that are too short
            more = min(more, max(0, left // SMALLEST - len(alive)))
        extra = _in_proportion(weights, more)
        counts = {name: 1 + extra[name] for name in alive}
    bouts = sum(counts.values())
    size = min(FIRST * 2 ** max(0, number - 2), LARGEST)
    if left is not None:
        size = min(size, left // bouts)
        if size < (1 if number == 0 else SMALLEST):
            return []
    shares = [
        Share(name, standings[name].bouts + k, purpose(standings[name].bouts + k), size)
        for name in alive
        for k in range(counts[name])
    ]
    return sorted(shares, key=lambda share: -counts[share.id])


def purpose(number: int) -> str:
    """What the bout with this number does: the first of a reading searches as an audit does, then all ways take turns."""
    return "search" if number == 0 else TURNS[(number - 1) % len(TURNS)]


def _in_proportion(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """``total`` split in proportion to the weights by largest remainders; evenly where all are zero."""
    names: Sequence[str] = list(weights)
    whole = sum(weights.values())
    quota = {name: total * (weights[name] / whole if whole > 0.0 else 1.0 / len(names)) for name in names}
    counts = {name: int(quota[name]) for name in names}
    rest = sorted(names, key=lambda name: (counts[name] - quota[name], name))
    for name in rest[: total - sum(counts.values())]:
        counts[name] += 1
    return counts

"""A statement's readings cell by cell.

A reading may say which cells of its statement's matrix it judges; a cell is written as its five coordinates,
``tuning · quantifier · noise · source class · smoothness``. Readings that coincide are merged, so one reading
judges many cells; the matrix unfolds them again, so that a referee finds the cell that was meant and who
judged it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEPARATOR = " · "
_AXES = 5
# The usual order of the coordinates; anything else keeps the order in which it is met.
_ORDER = (
    "schedule", "tuned", "optimal", "upper", "two-sided", "worst", "sigma>0", "sigma=0", "s-l2", "s-h",
    "s-tail", "s<=1", "s>1",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the matrix; ``heads`` are (text, rowspan) of those of its three coordinates that start
    here.
    """

    heads: tuple[tuple[str, int], ...]
    cells: tuple[tuple[Any, ...], ...]  # per column: the entries of those who judged the cell


@dataclass(frozen=True)
class Matrix:
    """Three coordinates down, two across. ``groups``: (source class, number of its columns)."""

    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    others: tuple[tuple[str, Any], ...]  # cells that are not written in five coordinates
    judged: int
    possible: int


def build_matrix(entries: Iterable[tuple[Any, Sequence[str]]]) -> Matrix | None:
    """The matrix of ``entries`` = (whatever stands in the cell, its cells); None when no cell has five
    coordinates.
    """
    judged: dict[tuple[str, ...], list[Any]] = {}
    others: list[tuple[str, Any]] = []
    for entry, cells in entries:
        for cell in cells:
            parts = tuple(part.strip() for part in str(cell).split(SEPARATOR))
            if len(parts) == _AXES:
                judged.setdefault(parts, []).append(entry)
            else:
                others.append((str(cell), entry))
    if not judged:
        return None
    downs = _ordered({key[:3]: None for key in judged})
    acrosses = _ordered({key[3:]: None for key in judged})
    rows = tuple(
        Row(
            heads=_heads(downs, index),
            cells=tuple(tuple(judged.get(down + across, ())) for across in acrosses),
        )
        for index, down in enumerate(downs)
    )
    sources = list(dict.fromkeys(across[0] for across in acrosses))
    return Matrix(
        groups=tuple((source, sum(across[0] == source for across in acrosses)) for source in sources),
        columns=tuple(across[1] for across in acrosses),
        rows=rows,
        others=tuple(others),
        judged=len(judged),
        possible=len(downs) * len(acrosses),
    )


def _heads(downs: list[tuple[str, ...]], index: int) -> tuple[tuple[str, int], ...]:
    heads = []
    for depth in range(len(downs[index])):
        prefix = downs[index][: depth + 1]
        if index == 0 or downs[index - 1][: depth + 1] != prefix:
            heads.append((prefix[-1], sum(down[: depth + 1] == prefix for down in downs)))
    return tuple(heads)


def _ordered(keys: Mapping[tuple[str, ...], None]) -> list[tuple[str, ...]]:
    """Sort so that equal leading coordinates stand together."""
    ranks = [_rank(dict.fromkeys(key[depth] for key in keys)) for depth in range(len(next(iter(keys))))]
    return sorted(keys, key=lambda key: tuple(rank(part) for rank, part in zip(ranks, key, strict=True)))


def _rank(values: Iterable[str]) -> Callable[[str], tuple[int, int]]:
    met = {value: position for position, value in enumerate(values)}

    def rank(value: str) -> tuple[int, int]:
        plain = value.replace(" ", "").lower()
        known = next((place for place, word in enumerate(_ORDER) if plain.startswith(word)), len(_ORDER))
        return known, met[value]

    return rank

"""The numbers of an instance, by name: what a map sweeps or holds fixed.

A parameter is a number in the JSON form of an instance. It is named by its last word (``s``, ``power``), or dotted where several
are called so (``target.norm``); one of several like parts, such as the components of a mixture, only with its place, from 1 on
(``components.2.beta``). The word ``beta`` alone is, for a mixture, that of its heaviest component, which is the tail index of the
covariance; ``q`` is the ``degree`` of a width m = c n^q, ``g`` that
of a number of heads H = c n^g.

A part of the target that is a part of the spectrum too (the component for which the target is critical, the covariance before it
was purified) is one thing written down twice: it has one set of parameters, and both change together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from verifier.instances import Instance

Path = tuple[str, ...]

SHORT = {"q": "degree", "g": "degree"}
"""Names that people write for a field: m = c n^q features have the degree q, H = c n^g heads the degree g."""


def numbers_of(record: Mapping[str, Any], prefix: Path = ()) -> dict[Path, float]:
    """The numbers in a JSON form, by path; a list of parts counts them from 1, a list of numbers holds no parameters."""
    found: dict[Path, float] = {}
    for name, value in record.items():
        if isinstance(value, list):
            value = {str(k): part for k, part in enumerate(value, 1) if isinstance(part, Mapping)}
        if isinstance(value, Mapping):
            found |= numbers_of(value, (*prefix, name))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[(*prefix, name)] = value
    return found


def paths_of(name: str, record: Mapping[str, Any]) -> list[Path]:
    """What a name may mean in the JSON form of an instance: no path, one, or several."""
    name = SHORT.get(name, name)
    numbers, shared = numbers_of(record), _shared(record)
    # What is written down twice is named by its place in the spectrum, unless the target's is asked for.
    found = [path for path in numbers if _names(name, path)]
    once = [path for path in found if not any(path[: len(copied)] == copied for copied, _ in shared)]
    return once or (_heaviest(record) if name == "beta" else []) or found


def number_at(record: Mapping[str, Any], path: Path) -> float:
    """The number at a path; an int where it counts something."""
    return numbers_of(record)[path]


def moved(record: Mapping[str, Any], values: Mapping[Path, float]) -> Instance:
    """The instance with other numbers at some paths; ValueError where an ingredient, or the meaning of a name, refuses them."""
    changed = copy.deepcopy(dict(record))
    shared = _shared(record)
    for path, value in values.items():
        for other in _copies(path, shared):
            part = _part(changed, other[:-1])
            # What counts stays a whole number; the ingredient's constructor checks the range.
            part[path[-1]] = int(value) if isinstance(part[path[-1]], int) and value == int(value) else float(value)
    for path in _heaviest(record):
        if path in values and path not in _heaviest(changed):
            raise ValueError(
                f"beta={values[path]:g} is no longer the heaviest tail of the mixture: {'.'.join(path)} is not below the others"
            )
    return Instance.from_json(changed)


def _names(name: str, path: Path) -> bool:
    """Whether ``name`` (s, target.s, components.1.beta) means this path: its last word is the field, the others lead there in
    order, and the places in lists are all among them.
    """
    *leading, last = name.split(".")
    rest = iter(path[:-1])
    places = [word for word in path if word.isdigit()]
    return last == path[-1] and all(word in rest for word in leading) and [w for w in leading if w.isdigit()] == places


def _part(record: Any, path: Sequence[str]) -> Any:
    """What a JSON form holds at a path."""
    for word in path:
        record = record[int(word) - 1] if isinstance(record, list) else record[word]
    return record


def _parts(record: Any, prefix: Path = ()) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    """The parts of a JSON form with their paths, itself first."""
    if isinstance(record, Mapping):
        yield prefix, record
        for name, value in record.items():
            yield from _parts(value, (*prefix, name))
    elif isinstance(record, list):
        for k, value in enumerate(record, 1):
            yield from _parts(value, (*prefix, str(k)))


def _shared(record: Mapping[str, Any]) -> list[tuple[Path, Path]]:
    """Parts of the target that are in the spectrum as well: path in the target, path in the spectrum."""
    inside = list(_parts(record["spectrum"], ("spectrum",)))
    found: list[tuple[Path, Path]] = []
    for path, part in _parts(record["target"], ("target",)):
        twin = next((other for other, value in inside if value == part), None)
        if twin is not None and not any(path[: len(above)] == above for above, _ in found):
            found.append((path, twin))
    return found


def _copies(path: Path, shared: Sequence[tuple[Path, Path]]) -> set[Path]:
    """A path and those at which the same number is written down as well."""
    found = {path}
    for copied, original in shared:
        for one, other in ((copied, original), (original, copied)):
            found |= {(*other, *known[len(one) :]) for known in tuple(found) if known[: len(one)] == one}
    return found


def _heaviest(record: Mapping[str, Any]) -> list[Path]:
    """The beta of the component of a mixture with the heaviest tail; of several, the first."""
    components = record["spectrum"].get("components")
    if not isinstance(components, list) or not all(isinstance(part, Mapping) and "beta" in part for part in components):
        return []
    lightest = min(range(len(components)), key=lambda k: components[k]["beta"])
    return [("spectrum", "components", str(lightest + 1), "beta")]

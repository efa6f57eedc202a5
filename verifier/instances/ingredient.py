"""What every ingredient of an instance shares: validation that names the argument, and an exact JSON round trip.

An ingredient is a frozen dataclass whose fields are numbers, strings, tuples of numbers or other ingredients. Its JSON
form is ``{"kind": <class name>, <field>: <value>, ...}``; floats survive because JSON prints the shortest decimal that
reads back as the same double. Reading looks the kind up in a table of classes and calls the constructor: nothing in a
file is ever executed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Self

_KINDS: dict[str, type[Ingredient]] = {}


class Ingredient:
    """Base of the bundled ingredients: registers the class by name and gives it ``to_json`` and ``from_json``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS[cls.__name__] = cls

    def to_json(self) -> dict[str, Any]:
        """Return ``{"kind": ..., field: value}`` with plain JSON values only."""
        assert dataclasses.is_dataclass(self)
        record: dict[str, Any] = {"kind": type(self).__name__}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Ingredient):
                value = value.to_json()
            elif isinstance(value, tuple):
                value = list(value)
            record[field.name] = value
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Rebuild an ingredient of this class (or of a subclass) from its JSON form, validating every field."""
        if not isinstance(record, Mapping):
            raise ValueError(f"an ingredient must be a JSON object with a 'kind', got {record!r}")
        kind = record.get("kind")
        found = _KINDS.get(kind) if isinstance(kind, str) else None
        if found is None or not issubclass(found, cls):
            known = ", ".join(sorted(name for name, c in _KINDS.items() if issubclass(c, cls) and c is not cls))
            raise ValueError(f"kind={kind!r} is not a known {cls.__name__.lower()}; known kinds: {known}")
        names = {field.name for field in dataclasses.fields(found)}  # type: ignore[arg-type]
        unknown = sorted(set(record) - names - {"kind"})
        if unknown:
            raise ValueError(f"{kind} has no field {unknown[0]!r}; its fields are {', '.join(sorted(names))}")
        values: dict[str, Any] = {}
        for name in names & set(record):
            value = record[name]
            if isinstance(value, Mapping):
                value = Ingredient.from_json(value)
            elif isinstance(value, list):
                value = tuple(value)
            values[name] = value
        try:
            return found(**values)
        except TypeError as error:
            raise ValueError(f"{kind} cannot be built from {dict(record)!r}: {error}") from None


def real(name: str, value: object) -> float:
    """Return ``value`` as a finite float, or say which argument is not one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name}={value!r} must be a real number")
    try:
        result = float(value) + 0.0  # the two zeros are one number
    except OverflowError:
        raise ValueError(f"{name} must be finite; a whole number of that size is not a double") from None
    if not math.isfinite(result):
        raise ValueError(f"{name}={value!r} must be finite")
    return result


def above(name: str, value: object, bound: float, why: str = "") -> float:
    """Return ``value`` as a float that is strictly greater than ``bound``."""
    result = real(name, value)
    if result <= bound:
        raise ValueError(f"{name}={result!r} must be greater than {bound:g}{'; ' + why if why else ''}")
    return result


def within(name: str, value: object, low: float, high: float, why: str = "") -> float:
    """Return ``value`` as a float of the closed interval ``[low, high]``."""
    result = real(name, value)
    if not low <= result <= high:
        raise ValueError(f"{name}={result!r} must lie in [{low:g}, {high:g}]{'; ' + why if why else ''}")
    return result


LARGEST = 1e60  # squares and products of two such numbers are normal doubles
STEEPEST = 50.0  # of an exponent: 4096^50 is a double


def positive(name: str, value: object, least: float = 1.0 / LARGEST) -> float:
    """Return ``value`` as a float between ``least`` and 1e60: beyond, squares leave the range of doubles."""
    return within(name, above(name, value, 0.0), least, LARGEST, "its square must be a normal double")


def exponent(name: str, value: object, bound: float, why: str = "") -> float:
    """Return ``value`` as a float strictly above ``bound`` and at most 50."""
    return within(
        name, above(name, value, bound, why), bound, STEEPEST, "powers of this size leave the range of doubles"
    )


def whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return ``value`` as an int of ``[low, high]``."""
    result = real(name, value)
    if result != int(result) or result < low or (high is not None and result > high):
        upper = "" if high is None else f" and at most {high}"
        raise ValueError(f"{name}={value!r} must be a whole number, at least {low}{upper}")
    return int(result)

"""What every ingredient of an instance shares: validation that names the argument, and an exact JSON round trip.

An ingredient is a frozen dataclass whose fields are numbers, strings, other ingredients, or tuples of these. Its JSON
form is ``{"kind": <class name>, <field>: <value>, ...}``; floats survive because JSON prints the shortest decimal that
reads back as the same double. Reading looks the kind up in a table of classes and calls the constructor: nothing in a
file is ever executed.

A pack's own ingredient joins that table in one of two ways: a subclass of :class:`Ingredient` does so by being defined, any
other class through the decorator :func:`register_ingredient`. A kind that nobody registered could be recorded and never
read back, so it is refused where it would be recorded, with the remedy.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from numbers import Real
from typing import Any, Self, TypeVar

_KINDS: dict[str, type] = {}
_Class = TypeVar("_Class", bound=type)


class Ingredient:
    """Base of the bundled ingredients: registers the class by name and gives it ``to_json`` and ``from_json``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            register_ingredient(cls)

    def to_json(self) -> dict[str, Any]:
        """Return ``{"kind": ..., field: value}`` with plain JSON values only."""
        return _fields(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Rebuild an ingredient of this class (or of a subclass) from its JSON form, validating every field."""
        if not isinstance(record, Mapping):
            raise ValueError(f"an ingredient must be a JSON object with a 'kind', got {record!r}")
        kind = record.get("kind")
        found = _KINDS.get(kind) if isinstance(kind, str) else None
        if found is None or not (cls is Ingredient or issubclass(found, cls)):
            known = ", ".join(sorted(name for name, c in _KINDS.items() if issubclass(c, cls) and c is not cls))
            raise ValueError(
                f"kind={kind!r} is not a known {cls.__name__.lower()}; known kinds: {known}. The kind of a pack is known "
                "once the pack is loaded (--pack MODULE:ATTRIBUTE)"
            )
        kept: Any = found  # a registered class need not be an Ingredient
        own: Any = getattr(kept, "from_json", None)
        if own is not None and getattr(own, "__func__", None) is not Ingredient.from_json.__func__:  # type: ignore[attr-defined]
            built: Any = own(record)
        else:
            built = _built(kept, record)
        if not isinstance(built, kept):
            raise ValueError(f"from_json of {kept.__qualname__} returned {built!r}, which is not one")
        return built  # type: ignore[no-any-return]


def register_ingredient(cls: _Class) -> _Class:
    """Make a class known by its name, so that its objects can be recorded and read back: a decorator for packs.

    The class is a frozen dataclass of plain fields, or it has ``to_json`` (an object with the key "kind", its class name)
    and a class method ``from_json`` that reads it back. A name that another class has is refused.
    """
    known = _KINDS.get(cls.__name__)
    if known is not None and not _same_definition(known, cls):
        raise ValueError(
            f"the kind {cls.__name__!r} of {cls.__module__} is already that of {known.__module__}: rename the class"
        )
    _KINDS[cls.__name__] = cls
    return cls


def _same_definition(one: type, other: type) -> bool:
    """Whether two classes come from the same lines: a module may be loaded again, or under two names."""

    def place(cls: type) -> tuple[str | None, str]:
        return getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__, cls.__qualname__

    return place(one) == place(other)


def recorded(name: str, part: Any) -> dict[str, Any]:
    """JSON form of an ingredient; ValueError with the remedy where it could not be read back."""
    cls = type(part)
    if cls.__module__.startswith("verifier."):
        return dict(part.to_json())
    known = _KINDS.get(cls.__name__)
    if known is None or not _same_definition(known, cls):
        raise ValueError(
            f"{name}={part!r} is of a kind that nobody registered, so that this instance cannot be recorded or replayed: "
            f"make {cls.__name__} a subclass of vf.Ingredient, or decorate it with @vf.register_ingredient"
        )
    hashing, comparing = getattr(cls, "__hash__", None), getattr(cls, "__eq__", None)
    if hashing is None or comparing is object.__eq__:
        raise ValueError(
            f"{name}={part!r} has to be equal to another {cls.__name__} with the same parameters, and hashable: make it a "
            "@dataclass(frozen=True)"
        )
    try:
        record = recorded_fields(part)
        text = json.dumps(record, sort_keys=True, allow_nan=False)
        again: Any = Ingredient.from_json(json.loads(text))
        same = again == part and json.dumps(recorded_fields(again), sort_keys=True) == text
    except Exception as error:
        raise ValueError(f"{name}={part!r} cannot be written as JSON and read back: {error}") from error
    if not same:
        raise ValueError(f"{name}={part!r} comes back from its JSON form as {again!r}: to_json and from_json disagree")
    return record


def recorded_fields(part: Any) -> dict[str, Any]:
    """The JSON form by the object's own method, or by its fields."""
    return dict(part.to_json()) if hasattr(part, "to_json") else _fields(part)


def _fields(part: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(part):
        raise ValueError(f"{type(part).__name__} must be a frozen dataclass, or have to_json and from_json of its own")
    record: dict[str, Any] = {"kind": type(part).__name__}
    for field in dataclasses.fields(part):
        record[field.name] = _plain(getattr(part, field.name))
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Ingredient) or type(value).__name__ in _KINDS:
        return recorded_fields(value)
    return value


def _built(found: type, record: Mapping[str, Any]) -> Any:
    """The object of a dataclass, by its constructor, which validates."""
    kind = found.__name__
    if not dataclasses.is_dataclass(found):
        raise ValueError(f"{kind} must be a frozen dataclass, or have to_json and from_json of its own")
    names = {field.name for field in dataclasses.fields(found)}
    unknown = sorted(set(record) - names - {"kind"})
    if unknown:
        raise ValueError(f"{kind} has no field {unknown[0]!r}; its fields are {', '.join(sorted(names))}")
    try:
        return found(**{name: _rebuilt(record[name]) for name in names & set(record)})
    except TypeError as error:
        raise ValueError(f"{kind} cannot be built from {dict(record)!r}: {error}") from None


def _rebuilt(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Ingredient.from_json(value)
    if isinstance(value, list):
        return tuple(_rebuilt(item) for item in value)
    return value


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
        digits = "g" if low == float(f"{low:g}") and high == float(f"{high:g}") else ".12g"
        raise ValueError(f"{name}={result!r} must lie in [{low:{digits}}, {high:{digits}}]{'; ' + why if why else ''}")
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

"""Claims: what is asserted, over which domain, with which prediction; and the registry that packs join.

A claim is data. Its verdict is found by :mod:`verifier.verdicts`; nothing here, and nothing there, looks at the claim's
name. The verdict that mathematics expects (``expected``) stands beside the claim and is compared with what the run found.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from hypothesis.strategies import SearchStrategy

from verifier.exhibits import Exhibit
from verifier.instances import Instance
from verifier.instances.ingredient import real
from verifier.risk.equivalents import Tuning
from verifier.risk.observables import ExcessRisk, Observable
from verifier.risk.simulators import Simulator, is_simulator

VERDICTS = ("SURVIVED", "FALSIFIED", "UNDERPOWERED", "VACUOUS", "ERROR")
ENTRY_POINT_GROUP = "verifier.claims"
CLAIM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")


@dataclass(frozen=True)
class Prediction:
    """What a claim says of the curve y(x) of one instance, in terms of the exponent a = lim -ln y / ln x."""

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", real(type(self).__name__, self.value))

    @property
    def kind(self) -> str:
        """Name of the prediction, as it is recorded."""
        return type(self).__name__

    def describe(self) -> str:
        """The prediction in words."""
        raise NotImplementedError


@dataclass(frozen=True)
class Exponent(Prediction):
    """The exponent exists and equals ``value``."""

    def describe(self) -> str:
        return f"exponent = {self.value:.6g}"


@dataclass(frozen=True)
class AtLeast(Prediction):
    """The lower limit of the exponent is at least ``value``: an upper bound on the risk."""

    def describe(self) -> str:
        return f"exponent >= {self.value:.6g}"


@dataclass(frozen=True)
class AtMost(Prediction):
    """The upper limit of the exponent is at most ``value``: a lower bound on the risk."""

    def describe(self) -> str:
        return f"exponent <= {self.value:.6g}"


@dataclass(frozen=True)
class Theta(Prediction):
    """y x^value stays between two positive constants as x grows, which is more than the exponent."""

    def describe(self) -> str:
        return f"y x^{self.value:.6g} bounded above and below"


@dataclass(frozen=True)
class StraightLine(Prediction):
    """The local exponent itself converges to ``value``: the curve is asymptotically straight on log-log axes."""

    def describe(self) -> str:
        return f"local exponent -> {self.value:.6g}"


@dataclass(frozen=True)
class Bound(Prediction):
    """The observable, a ratio of the two sides of an inequality, never exceeds a constant C.

    ``Bound(c)``: C = c is given, and one point above it refutes the claim. ``Bound(math.inf)``: for this instance there is
    some C, and only a family of points along which the ratio grows without limit refutes the claim.
    """

    value: float = math.inf

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, Real) or not self.value > 0.0:
            raise ValueError(f"Bound={self.value!r} must be a positive constant, or math.inf for 'some constant'")

    def describe(self) -> str:
        return "bounded by some constant" if math.isinf(self.value) else f"at most {self.value:.6g}"


@dataclass(frozen=True)
class Proof:
    """The outcome of an exact argument: whether the statement holds, and the steps for a reader to check."""

    holds: bool
    text: str
    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim about scaling exponents, as an executable property.

    id: STATEMENT or STATEMENT/reading-in-words. domain: a Hypothesis strategy of instances. predict: instance -> Prediction.
    tuning: "optimal" (the oracle), "schedule" (lambda_n = n^(-1/(2s + 1/beta))) or f(instance, n) -> lambda. hypotheses: named
    predicates of an instance; where one fails the instance is out of scope. expected: the verdict that mathematics leads one to
    expect, None when nobody knows. latex: the statement as mathematics. note: how the statement was read, and why readings that
    coincide were merged. cells: the cells of a statement's matrix of readings that this one settles. proof: an exact argument
    that decides the claim instead of a search. simulator: draws the risks instead of kernel ridge regression on Gaussian inputs
    (see :mod:`verifier.risk.simulators`). exhibit: the figure that the paper offers for the claim, to be drawn again and farther
    (:mod:`verifier.exhibits`); it has no part in the verdict. examples: the most that a search draws, whatever its budget, for a
    claim of which one instance costs a large part of a second.
    """

    id: str
    title: str
    statement: str
    source: str
    domain: SearchStrategy[Instance]
    predict: Callable[[Instance], Prediction]
    tuning: Tuning = "optimal"
    hypotheses: tuple[Callable[[Instance], bool], ...] = ()
    expected: str | None = None
    latex: str = ""
    note: str = ""
    cells: tuple[str, ...] = ()
    prediction: str = ""
    observable: Observable = field(default_factory=ExcessRisk)
    proof: Callable[[], Proof] | None = None
    simulator: Simulator | None = None
    exhibit: Exhibit | None = None
    examples: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not CLAIM_ID.fullmatch(self.id):
            raise ValueError(
                f"id={self.id!r} must look like 'T1' or 'T1/s-above-1': letters, digits, '.', '_', '-' and at most one '/'"
            )
        if self.expected is not None and self.expected not in VERDICTS:
            raise ValueError(
                f"expected={self.expected!r} of claim {self.id} must be None or one of {', '.join(VERDICTS)}"
            )
        if not isinstance(self.domain, SearchStrategy):
            raise ValueError(
                f"domain of claim {self.id} must be a Hypothesis strategy of instances, got {self.domain!r}"
            )
        for name in ("title", "statement", "source", "latex", "note", "prediction"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} of claim {self.id} must be a text, got {getattr(self, name)!r}")
        if not isinstance(self.hypotheses, tuple) or not all(map(callable, self.hypotheses)):
            raise ValueError(f"hypotheses of claim {self.id} must be a tuple of functions, got {self.hypotheses!r}")
        if not isinstance(self.observable, Observable):
            raise ValueError(f"observable of claim {self.id} must be an Observable, got {self.observable!r}")
        if self.proof is not None and not callable(self.proof):
            raise ValueError(f"proof of claim {self.id} must be a function without arguments, got {self.proof!r}")
        if self.simulator is not None and not is_simulator(self.simulator):
            raise ValueError(
                f"simulator of claim {self.id} must be a function or have a method simulate, got {self.simulator!r}"
            )
        if self.exhibit is not None and not isinstance(self.exhibit, Exhibit):
            raise ValueError(f"exhibit of claim {self.id} must be an Exhibit, got {self.exhibit!r}")
        counted = isinstance(self.examples, int) and not isinstance(self.examples, bool)
        if self.examples is not None and not (counted and self.examples >= 1):
            raise ValueError(f"examples={self.examples!r} of claim {self.id} must be a whole number of at least 1")
        if not callable(self.predict):
            raise ValueError(f"predict of claim {self.id} must be a function of an instance, got {self.predict!r}")
        if not (callable(self.tuning) or self.tuning in ("optimal", "schedule")):
            raise ValueError(f"tuning={self.tuning!r} of claim {self.id} must be 'optimal', 'schedule' or a function")

    @property
    def statement_id(self) -> str:
        """The statement's id, the part before the slash."""
        return self.id.partition("/")[0]

    @property
    def reading(self) -> str:
        """The reading in words, the part after the slash; empty for a claim with one reading."""
        return self.id.partition("/")[2]

    def unmet(self, instance: Instance) -> str | None:
        """Name of the first hypothesis that the instance does not meet, None when it meets all."""
        for hypothesis in self.hypotheses:
            name = getattr(hypothesis, "__name__", repr(hypothesis)).replace("_", " ")
            try:
                met = bool(hypothesis(instance))
            except (Exception, SystemExit) as error:
                what = f"the hypothesis '{name}' of claim {self.id}"
                raise ValueError(f"{what} raised {_said(error)}, for {instance.describe()}") from error
            if not met:
                return name
        return None

    def predicted(self, instance: Instance) -> Prediction:
        """The prediction for an instance; ValueError naming the claim and the instance when ``predict`` misbehaves."""
        try:
            prediction = self.predict(instance)
        except (Exception, SystemExit) as error:
            raise ValueError(f"predict of claim {self.id} raised {_said(error)}, for {instance.describe()}") from error
        if not isinstance(prediction, Prediction):
            raise ValueError(
                f"predict of claim {self.id} returned {prediction!r}, which is not a prediction such as vf.Exponent(0.5), "
                f"for {instance.describe()}"
            )
        return prediction


@dataclass(frozen=True, kw_only=True)
class Reading(Claim):
    """A claim that is one reading of a statement: its id has the form STATEMENT/reading-in-words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if "/" not in self.id:
            raise ValueError(f"id={self.id!r} of a reading must have the form STATEMENT/reading-in-words")


def _said(error: BaseException) -> str:
    """An exception of somebody else's code on one line: its type and what it said."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def load_pack(spec: str) -> list[Claim]:
    """Import the claims named by ``module:attribute`` (a claim or an iterable of claims).

    Raises ValueError with one sentence that names the pack and what is wrong with it.
    """
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"pack {spec!r} must have the form module:attribute, for example my_pack:CLAIMS")
    try:
        found: Any = importlib.import_module(module_name)
        for name in attribute.split("."):
            if not hasattr(found, name):
                raise AttributeError(attribute)
            found = getattr(found, name)
    except AttributeError as error:
        if error.args != (attribute,):
            raise ValueError(f"pack {spec!r} cannot be imported: {_said(error)}") from error
        raise ValueError(f"pack {spec!r}: module {module_name!r} has no attribute {attribute!r}") from None
    except (Exception, SystemExit) as error:  # a module that calls sys.exit may not end the run of the others
        raise ValueError(f"pack {spec!r} cannot be imported: {_said(error)}") from error
    claims = [found] if isinstance(found, Claim) else found
    if not isinstance(claims, Iterable) or isinstance(claims, (str, bytes)):
        raise ValueError(f"pack {spec!r} must be a Claim or an iterable of Claims, got {found!r}")
    if isinstance(claims, Iterator):
        raise ValueError(
            f"pack {spec!r} is {found!r}, which can be read only once: make it a tuple or a list of Claims"
        )
    try:
        result = list(claims)
    except (Exception, SystemExit) as error:
        raise ValueError(f"pack {spec!r} cannot be listed: {_said(error)}") from error
    for item in result:
        if not isinstance(item, Claim):
            raise ValueError(f"pack {spec!r} holds {item!r}, which is not a Claim")
    unique(result, spec)
    return result


def unique(claims: Sequence[Claim], where: str) -> dict[str, Claim]:
    """The claims by id; ValueError naming the first id that occurs twice."""
    table: dict[str, Claim] = {}
    for claim in claims:
        if claim.id in table:
            raise ValueError(f"pack {where!r} registers the id {claim.id!r} twice; ids must be unique")
        table[claim.id] = claim
    return table


def registered_claims() -> dict[str, Claim]:
    """All claims of installed packs, by id, in order of registration (entry point group ``verifier.claims``)."""
    claims: list[Claim] = []
    for spec in installed_packs():
        claims += load_pack(spec)
    return unique(claims, ENTRY_POINT_GROUP)


def installed_packs() -> tuple[str, ...]:
    """``module:attribute`` of each installed pack, in order of registration."""
    entries = sorted(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    return tuple(dict.fromkeys(entry.value for entry in entries))

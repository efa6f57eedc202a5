r"""The vocabulary of repairs: conditions on an instance that a repaired statement may add to its hypotheses.

A condition sees the instance and nothing else: not the claim, not the verdict, and no theorem. It is either a predicate
(:class:`Condition`) or a bound on a number of the instance (:class:`Threshold`), whose constant the search finds. Adding one is
one entry of :data:`CONDITIONS`, or one object handed to ``vf.repair(claim, conditions=(*vf.CONDITIONS, mine))``.

Where a whole domain lies outside a condition (no noise in it, say), no restriction of the domain can meet it. ``impose`` then
says which instance meets the condition and is the same otherwise, so that the statement can be tried beside its domain.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.instances import (
    AllFeatures,
    CodiagonalHeads,
    CriticalTarget,
    Dependence,
    Dependent,
    DisjointHeads,
    DisjointMixture,
    Drift,
    Exponential,
    FourierFeatures,
    FrontDrift,
    FullRotation,
    GaussianDesign,
    GaussianFeatures,
    Identity,
    Independent,
    Instance,
    Mixture,
    MixtureSamples,
    MultiPass,
    NoDrift,
    Noise,
    NystromFeatures,
    OneHead,
    PerCoordinate,
    PowerLaw,
    Process,
    Repeated,
    Ridge,
    RotatedMixture,
    SinglePass,
    Spectrum,
    TransformedDrift,
    Truncated,
    TurningDrift,
    UncentredDesign,
    White,
    tail_index,
)
from verifier.instances.context import MOST_DEGREE as MOST_HEADS_DEGREE
from verifier.instances.features import MOST_DEGREE
from verifier.verdicts.parameters import moved, numbers_of

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

# Log-indices far beyond any head, at which the asymptotic order of a target and of a spectrum is read off.
_FAR, _FARTHER = 40.0, 600.0
_BLOCK = math.log(100.0) + 0.1  # the sparsest lacunary target (ratio 100) has a member in every block of this length
_SAME_ORDER = 0.5
_STRAIGHT = 1e-6
_LAGS = 32  # over which correlations are looked at
_MOST_STEPS = 3.0  # largest degree a of the T = n^a steps of a descent that draws its samples


@dataclass(frozen=True)
class Condition:
    """A named predicate of an instance.

    name: words joined by hyphens, for ``--conditions``. text: how it reads after "provided that". holds: the predicate.
    impose: the nearest instance that meets it, where there is one (see the module's docstring). indirect: whether it compares
    what ingredients say of each other; a condition on a number, or on one ingredient, says more where it keeps as much.
    """

    name: str
    text: str
    holds: Callable[[Instance], bool]
    impose: Callable[[Instance], Instance] | None = None
    indirect: bool = False

    def __post_init__(self) -> None:
        _check_words(self.name, self.text)
        _check_callable(self.name, "holds", self.holds)
        if self.impose is not None:
            _check_callable(self.name, "impose", self.impose)


@dataclass(frozen=True)
class Threshold:
    """A bound on a number of an instance; the search finds the constant.

    name: words joined by hyphens. quantity: what is bounded, as it is printed before "<=" or ">=". measure: the number, None
    where the instance has none, and then the bound fails. upper: whether it is bounded from above. move: the same instance
    with another value of the number, to sharpen the constant between two draws. beside: whether, where all of the domain
    violates the claim, smaller values than the domain's are tried too.
    """

    name: str
    quantity: str
    measure: Callable[[Instance], float | None]
    upper: bool
    move: Callable[[Instance, float], Instance] | None = None
    beside: bool = False

    def __post_init__(self) -> None:
        _check_words(self.name, self.quantity)
        _check_callable(self.name, "measure", self.measure)
        if self.move is not None:
            _check_callable(self.name, "move", self.move)

    @property
    def text(self) -> str:
        """The bound with its constant left open."""
        return f"{self.quantity} {'<=' if self.upper else '>='} c"


AnyCondition = Condition | Threshold


def _check_words(name: object, text: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"name={name!r} of a condition must be lower-case words joined by hyphens, such as 's-at-most'"
        )
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise ValueError(f"the text of condition {name!r} must be one line, got {text!r}")


def _check_callable(name: str, part: str, value: object) -> None:
    if not callable(value):
        raise ValueError(f"{part} of condition {name!r} must be a function of an instance, got {value!r}")


def evaluate(condition: AnyCondition, instance: Instance) -> float:
    """1 or 0 for a predicate, the number of a threshold (NaN where there is none); ValueError naming a broken condition."""
    try:
        if isinstance(condition, Condition):
            return float(bool(condition.holds(instance)))
        value = condition.measure(instance)
        return math.nan if value is None else float(value)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"condition {condition.name!r} raised {said}, for {instance.describe()}") from error


@dataclass(frozen=True)
class Applied:
    """A condition as it stands in a repaired statement: a threshold with its constant, ``strict`` for < and >.

    It is a predicate of an instance, with the name by which a claim quotes its hypotheses.
    """

    condition: AnyCondition
    value: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "__name__", self.text)

    def __call__(self, instance: Instance) -> bool:
        """Whether the instance meets the condition."""
        found = evaluate(self.condition, instance)
        if self.value is None or isinstance(self.condition, Condition):
            return found == 1.0
        if self.strict:
            return found < self.value if self.condition.upper else found > self.value
        return found <= self.value if self.condition.upper else found >= self.value

    @property
    def text(self) -> str:
        """The condition with its constant: ``s <= 1``."""
        if self.value is None or isinstance(self.condition, Condition):
            return self.condition.text
        sign = ("<" if self.condition.upper else ">") + ("" if self.strict else "=")
        return f"{self.condition.quantity} {sign} {self.value:g}"


# ----------------------------------------------------------------------------------------------------
# The bundled vocabulary


def _own(instance: Instance) -> int:
    """A number that is fixed by the instance: what is imposed varies over a domain, and is repeatable."""
    return int(instance.digest[:8], 16)


def _with_noise(instance: Instance) -> Instance:
    if instance.sigma > 0.0:
        return instance
    return dataclasses.replace(instance, noise=Noise(sigma=(1.0, 0.1, 10.0)[_own(instance) % 3]))


def _without_noise(instance: Instance) -> Instance:
    return dataclasses.replace(_gaussian(instance), noise=Noise(sigma=0.0))


def _gaussian(instance: Instance) -> Instance:
    """Samples of a mixture need a mixture, and noise: without either, Gaussian inputs of the same covariance."""
    mixed = isinstance(instance.design, MixtureSamples)
    return dataclasses.replace(instance, design=GaussianDesign()) if mixed else instance


def _target(instance: Instance, **changes: Any) -> Instance:
    """The instance with other fields of its target; itself where a pack's target has no such fields."""
    target: Any = instance.target
    if not dataclasses.is_dataclass(target) or not all(hasattr(target, name) for name in changes):
        return instance
    return dataclasses.replace(instance, target=dataclasses.replace(target, **changes))  # type: ignore[type-var,arg-type]


def _with_s(instance: Instance, s: float) -> Instance:
    return _target(instance, s=s)


def _with_l2_index(instance: Instance, index: float) -> Instance:
    return _target(instance, s=index - (instance.target.l2_index - instance.s))


def _with_beta(instance: Instance, beta: float) -> Instance:
    spectrum: Any = instance.spectrum
    if not dataclasses.is_dataclass(spectrum) or not hasattr(spectrum, "beta"):
        return instance
    return dataclasses.replace(instance, spectrum=dataclasses.replace(spectrum, beta=beta))  # type: ignore[type-var,arg-type]


def _condition_number(instance: Instance) -> float:
    """b/a of the frame bounds a |x| <= |T x| <= b |x|; 1 for a multiple of a unitary transform."""
    low, high = instance.transform.frame_bounds(instance.spectrum.size)
    return high / low


def _with_condition_number(instance: Instance, ratio: float) -> Instance:
    """A rotation or multiplier whose diagonal runs from low to high, with the powers of both that have this ratio."""
    transform: Any = instance.transform
    now = _condition_number(instance)
    if now == 1.0 or not ratio >= 1.0 or not all(hasattr(transform, name) for name in ("low", "high")):
        return instance
    power = math.log(ratio) / math.log(now)
    changed = dataclasses.replace(transform, low=transform.low**power, high=transform.high**power)
    return dataclasses.replace(instance, transform=changed)


def _tails(instance: Instance) -> list[float]:
    """Tail indices of the components of a mixture; of any other spectrum its own, if it has one."""
    spectrum = instance.spectrum
    if isinstance(spectrum, (Mixture, DisjointMixture)):
        return [tail_index(part) for part in spectrum.components]
    return [] if spectrum.tail_index is None else [spectrum.tail_index]


def _heaviest_weight(instance: Instance) -> float:
    """Total weight of the components with the smallest tail index; 1 where there is one component only."""
    spectrum = instance.spectrum
    if not isinstance(spectrum, (Mixture, DisjointMixture)):
        return 1.0
    tails = _tails(instance)
    return math.fsum(w for w, tail in zip(spectrum.weights, tails, strict=True) if tail == min(tails))


def _with_heaviest_weight(instance: Instance, weight: float) -> Instance:
    """The weights of the heaviest components, and those of the others, in their proportions."""
    spectrum, now, tails = instance.spectrum, _heaviest_weight(instance), _tails(instance)
    if not isinstance(spectrum, (Mixture, DisjointMixture)) or not 0.0 < weight < 1.0 or now == 1.0:
        return instance
    parts = zip(spectrum.weights, tails, strict=True)
    weights = tuple(w * (weight / now if tail == min(tails) else (1.0 - weight) / (1.0 - now)) for w, tail in parts)
    mixed = dataclasses.replace(spectrum, weights=weights)
    target: Any = instance.target
    if hasattr(target, "mixture"):
        target = dataclasses.replace(target, mixture=mixed)
    return dataclasses.replace(instance, spectrum=mixed, target=target)


def _degree(instance: Instance) -> float:
    """q of the width m = c n^q; that of the fastest growth there is where the width is infinite."""
    return float(getattr(instance.features, "degree", MOST_DEGREE))


def _with_degree(instance: Instance, degree: float) -> Instance:
    features = instance.features
    if (
        not isinstance(features, FourierFeatures | GaussianFeatures | NystromFeatures)
        or not 0.0 < degree <= MOST_DEGREE
    ):
        return instance
    return dataclasses.replace(instance, features=dataclasses.replace(features, degree=degree))


def _tails_apart(instance: Instance) -> float | None:
    tails = _tails(instance)
    return max(tails) - min(tails) if tails else None


def _with_tails_apart(instance: Instance, distance: float) -> Instance:
    """The tail indices of the components, moved towards the smallest or away from it; the target's component moves along."""
    now, tails = _tails_apart(instance), _tails(instance)
    record = instance.to_json()
    paths = [("spectrum", "components", str(k), "beta") for k in range(1, len(tails) + 1)]
    if not now or not distance >= 0.0 or not all(path in numbers_of(record) for path in paths):
        return instance
    low = min(tails)
    return moved(record, {path: low + (tail - low) * distance / now for path, tail in zip(paths, tails, strict=True)})


def _has_no_crossover(instance: Instance) -> bool:
    """Whether the tail that a mixture has in the end shows from the first eigenvalue on."""
    return bool(getattr(instance.spectrum, "log_crossover", 0.0) == 0.0)


def _has_the_tail_of_sigma(instance: Instance) -> bool:
    """Whether the covariance for which the target is critical, where that is another one, has the tail index of Sigma."""
    target: Any = instance.target
    if hasattr(target, "origin"):
        return bool(target.origin.tail_index == instance.spectrum.tail_index)
    if hasattr(target, "mixture") and hasattr(target, "component"):
        return bool(target.mixture.components[target.component - 1].tail_index == instance.spectrum.tail_index)
    return True


def _is_relative_to_sigma(instance: Instance) -> bool:
    """Whether a target that is carried over from another covariance obeys the declared condition relative to Sigma too. Between
    components that are turned against each other that is not read off the tail indices, and not granted.
    """
    index_under = getattr(instance.target, "index_under", None)
    if index_under is None:
        return True
    if isinstance(instance.spectrum, RotatedMixture) or instance.spectrum.tail_index is None:
        return False
    return bool(index_under(instance.spectrum.tail_index) >= instance.target.l2_index - 1e-12)


def _has_infinitely_many_eigenvalues(instance: Instance) -> bool:
    # An exponential spectrum is infinite; its size is where double precision ends.
    return math.isinf(instance.spectrum.size) or isinstance(instance.spectrum, Exponential)


def _with_infinitely_many(instance: Instance) -> Instance:
    """A cut power law without its cut; i^(-1/beta) has no infinite form, since its sum diverges, nor has a rotation of all
    coordinates.
    """
    spectrum = instance.spectrum
    turned = isinstance(instance.transform, FullRotation)
    if isinstance(spectrum, Truncated) and not spectrum.inverse_index and not turned:
        return dataclasses.replace(instance, spectrum=spectrum.spectrum)
    return instance


def _is_assumption_r(instance: Instance) -> bool:
    return instance.spectrum.assumption_r is not None


def _is_straight(instance: Instance) -> bool:
    """l_i i^beta is constant far beyond the head."""
    spectrum = instance.spectrum
    if not math.isinf(spectrum.size) or spectrum.tail_index is None:
        return False
    log_index = math.log(max(spectrum.head, 1)) + np.linspace(1.0, _FAR, 61)
    factor = spectrum.log_eigenvalues(log_index) + spectrum.tail_index * log_index
    return bool(np.ptp(factor) < _STRAIGHT)


def _straightened(instance: Instance) -> Instance:
    # A finite spectrum has no tail, and a target on one component belongs to its mixture.
    if instance.spectrum.tail_index is None or hasattr(instance.target, "mixture"):
        return instance
    return dataclasses.replace(_gaussian(instance), spectrum=PowerLaw(beta=instance.spectrum.tail_index))


def _is_critical(instance: Instance) -> bool:
    r"""The energy :math:`\sum g_i^2` of a block [k, 100 k] keeps its order as k grows: the tails of the target are of the exact
    order :math:`k^{-2 \beta s'}` that the source condition bounds. The supremum of a ball attains its bound.
    """
    target, spectrum = instance.target, instance.spectrum
    if getattr(target, "supremum", False):
        return True
    # A finite spectrum has no tail; whether the target is critical is then asked as if the spectrum had one.
    tail: Spectrum = spectrum if math.isinf(spectrum.size) else PowerLaw(beta=2.0)
    support = target.support(_FARTHER + _BLOCK)

    def log_energy(start: float) -> float:
        if support is None:
            log_index = np.linspace(start, start + _BLOCK, 33)
            weight = log_index + math.log(log_index[1] - log_index[0])  # sum over i as an integral over ln i
        else:
            log_index = support[(support >= start) & (support < start + _BLOCK)]
            weight = np.zeros_like(log_index)
        if not len(log_index):
            return -math.inf
        values = target.log_energy(log_index, tail.log_eigenvalues(log_index)) + weight
        return float(np.logaddexp.reduce(values))

    first, second = log_energy(_FAR), log_energy(_FARTHER)
    # A lacunary target has one member more in some blocks than in others.
    return math.isfinite(first) and math.isfinite(second) and abs(first - second) < _SAME_ORDER + math.log(2.0)


def _made_critical(instance: Instance) -> Instance:
    if isinstance(instance.spectrum, RotatedMixture):
        return instance  # it has no eigenbasis in which a critical target could be given
    target: Any = instance.target
    critical = CriticalTarget(s=instance.s, norm=target.norm, source_norm="RKHS" if target.source == "S-H" else "L2")
    return dataclasses.replace(instance, target=critical)


def _in_time(dependence: Dependence) -> tuple[list[Process], Process] | None:
    """The processes of the inputs, one of every class of coordinates, and that of the noise; None for runs, coupled coordinates,
    and a dependence of a pack.
    """
    if isinstance(dependence, PerCoordinate):
        return list(dependence.means), dependence.noise
    return ([dependence.inputs], dependence.noise) if isinstance(dependence, Dependent) else None


def _products_are_white(instance: Instance) -> bool:
    """Whether inputs are white, or the noise is: products of the two are then uncorrelated over time."""
    dependence: Any = instance.dependence
    known = _in_time(dependence)
    if known is None:
        return _silent(getattr(dependence, "noise", None)) or bool(dependence.product_sum() == 1.0)
    return _silent(known[1]) or all(map(_silent, known[0]))


def _silent(process: object) -> bool:
    """Whether a process has no correlation over time."""
    found = getattr(process, "autocorrelations", None)
    return found is not None and bool(np.all(found(_LAGS)[1:] == 0.0))


def _never_negative(instance: Instance) -> bool:
    """Whether no correlation over time, of inputs or noise, is negative; runs have none, and of others nothing is known."""
    known = _in_time(instance.dependence)
    if known is None:
        return isinstance(instance.dependence, Independent | Repeated)
    return all(bool(np.all(process.autocorrelations(_LAGS) >= 0.0)) for process in (*known[0], known[1]))


def _with_white_noise(instance: Instance) -> Instance:
    dependence: Any = instance.dependence
    if isinstance(dependence, Independent):
        return instance
    white = "fresh" if isinstance(dependence, Repeated) else White()
    return dataclasses.replace(instance, dependence=dataclasses.replace(dependence, noise=white))


def _heads_degree(instance: Instance) -> float:
    """g of the number of heads H = c n^g; 0 where it does not grow, or as a power of ln n."""
    return float(getattr(instance.context, "degree", 0.0))


def _with_heads_degree(instance: Instance, degree: float) -> Instance:
    context: Any = instance.context
    least = 1.0 if degree == 0.0 and not getattr(context, "logarithms", 0.0) else 0.0  # fixed: a number of heads
    if isinstance(context, OneHead) or not 0.0 <= degree <= MOST_HEADS_DEGREE or context.factor < least:
        return instance
    return dataclasses.replace(instance, context=dataclasses.replace(context, degree=degree))


def _share_eigenvectors(instance: Instance) -> Instance:
    heads: Any = instance.context
    if not isinstance(heads, DisjointHeads):
        return instance
    parts = {part.name: getattr(heads, part.name) for part in dataclasses.fields(heads)}
    return dataclasses.replace(instance, context=CodiagonalHeads(**parts))


def _adds_no_heavier_head(instance: Instance) -> bool:
    added, own = getattr(instance.context, "added", None), instance.spectrum.tail_index
    return added is None or (own is not None and bool(added.beta >= own))


def _without_heavier_heads(instance: Instance) -> Instance:
    context: Any = instance.context
    if _adds_no_heavier_head(instance) or instance.spectrum.tail_index is None:
        return instance
    added = dataclasses.replace(context.added, beta=instance.spectrum.tail_index)
    return dataclasses.replace(instance, context=dataclasses.replace(context, added=added))


def _ratios(instance: Instance) -> tuple[float, ...]:
    """Tail indices of a drifting kernel relative to that of Sigma, the first one first."""
    ratios: tuple[float, ...] = getattr(instance.drift, "ratios", (1.0,))
    return ratios


def _comes_to_rest(instance: Instance) -> bool:
    """Whether eigenvectors are moved by transforms of bounded variation, and eigenvalues for a bounded time."""
    drift = instance.drift
    if isinstance(drift, TurningDrift):
        return drift.growth() == 0.0
    if isinstance(drift, TransformedDrift):
        return drift.factor == 0.0
    return not isinstance(drift, FrontDrift) or len(set(zip(drift.ratios, drift.gains, strict=True))) == 1


def _turns_nothing(drift: Drift) -> bool:
    if isinstance(drift, TransformedDrift):
        return all(transform.commutes for transform in drift.transforms)
    return not isinstance(drift, TurningDrift)


def _stopped(instance: Instance) -> Instance:
    drift = instance.drift
    if isinstance(drift, TransformedDrift):
        return dataclasses.replace(instance, drift=dataclasses.replace(drift, factor=0.0))
    if not isinstance(drift, TurningDrift) or drift.moves:
        return instance
    return dataclasses.replace(instance, drift=dataclasses.replace(drift, moves=3))


def _steps_degree(instance: Instance) -> float:
    """a of the T = n^a steps of a descent that draws its samples; the largest there is for other estimators."""
    return float(instance.filter.degree) if isinstance(instance.filter, MultiPass) else _MOST_STEPS


def _with_steps_degree(instance: Instance, degree: float) -> Instance:
    if not isinstance(instance.filter, MultiPass) or not 1.0 <= degree <= _MOST_STEPS:
        return instance
    return dataclasses.replace(instance, filter=dataclasses.replace(instance.filter, degree=degree))


def _is_a_last_iterate(instance: Instance) -> bool:
    return isinstance(instance.filter, SinglePass | MultiPass) and not instance.filter.averaged


def _averaged(instance: Instance) -> Instance:
    if not isinstance(instance.filter, SinglePass | MultiPass):
        return instance
    return dataclasses.replace(instance, filter=dataclasses.replace(instance.filter, averaged=True))


def _tail_index(instance: Instance) -> float | None:
    return instance.spectrum.tail_index


CONDITIONS: tuple[AnyCondition, ...] = (
    Threshold("s-at-most", "s", lambda instance: instance.s, upper=True, move=_with_s, beside=True),
    Threshold("s-at-least", "s", lambda instance: instance.s, upper=False, move=_with_s),
    Condition("noisy", "sigma > 0", lambda instance: instance.sigma > 0.0, _with_noise),
    Condition("noiseless", "sigma = 0", lambda instance: instance.sigma == 0.0, _without_noise),
    Condition(
        "same-tail",
        "the covariance for which the target is critical has the tail index of Sigma, so of a mixture the heaviest",
        _has_the_tail_of_sigma,
    ),
    Condition(
        "relative-to-sigma",
        "the source condition holds relative to Sigma, the covariance of the inputs",
        _is_relative_to_sigma,
        _made_critical,
        indirect=True,
    ),
    Condition(
        "critical",
        "the target is exactly as smooth as declared (its tail sums have the order of their bound)",
        _is_critical,
        _made_critical,
    ),
    Condition(
        "in-l2",
        "smoothness is measured in L2, not in the RKHS norm",
        lambda instance: instance.target.source != "S-H",
        lambda instance: _target(instance, source_norm="L2"),
    ),
    Condition(
        "in-ball",
        "the target lies in the ball of its source condition (sum g_i^2 is finite)",
        lambda instance: instance.target.source != "S-tail" and getattr(instance.target, "in_ball", True),
    ),
    Condition("assumption-r", "Assumption R holds", _is_assumption_r, _straightened),
    Condition("straight", "the spectrum is a pure power law beyond its head", _is_straight, _straightened),
    Condition(
        "infinite", "there are infinitely many eigenvalues", _has_infinitely_many_eigenvalues, _with_infinitely_many
    ),
    Condition(
        "commuting",
        "T commutes with Sigma",
        lambda instance: instance.transform.commutes,
        lambda instance: dataclasses.replace(instance, transform=Identity()),
    ),
    Condition("unitary", "T is unitary", lambda instance: instance.transform.unitary),
    Threshold(
        "condition-at-most", "the condition number b/a of T", _condition_number, upper=True, move=_with_condition_number
    ),
    Condition(
        "infinitely-wide",
        "there are infinitely many features",
        lambda instance: not instance.features.finite,
        lambda instance: dataclasses.replace(instance, features=AllFeatures()),
    ),
    Condition(
        "independent",
        "samples do not depend on one another",
        lambda instance: instance.dependence == Independent(),
        lambda instance: dataclasses.replace(instance, dependence=Independent()),
    ),
    Condition(
        "white-products",
        "inputs are independent of one another, or the noises are",
        _products_are_white,
        _with_white_noise,
    ),
    Condition(
        "summable-products",
        "the products of inputs and noise have summable autocorrelations",
        lambda instance: math.isfinite(instance.dependence.product_sum()),
    ),
    Condition("no-negative-correlation", "no correlation over time is negative", _never_negative),
    Condition(
        "centred",
        "the inputs are centred",
        lambda instance: not isinstance(instance.design, UncentredDesign),
        lambda instance: dataclasses.replace(instance, design=GaussianDesign()),
    ),
    Condition(
        "ridge",
        "the estimator is ridge regression",
        lambda instance: instance.filter == Ridge(),
        lambda instance: dataclasses.replace(instance, filter=Ridge()),
    ),
    Condition(
        "no-drift",
        "the kernel stays what it is",
        lambda instance: instance.drift == NoDrift(),
        lambda instance: dataclasses.replace(instance, drift=NoDrift()),
    ),
    Condition(
        "drift-at-rest",
        "the kernel comes to rest (its drift stops, or its eigenvectors are turned with a bounded variation)",
        _comes_to_rest,
        _stopped,
    ),
    Condition(
        "eigenvectors-stay",
        "the kernel has the same eigenvectors at all times",
        lambda instance: _turns_nothing(instance.drift),
    ),
    Condition(
        "never-steeper",
        "no kernel has a steeper tail than the first one",
        lambda instance: max(_ratios(instance)) == _ratios(instance)[0],
    ),
    Condition(
        "tail-stays",
        "the tail index of the kernel stays what it is (b- = b+)",
        lambda instance: len(set(_ratios(instance))) == 1,
    ),
    Condition(
        "not-the-last-iterate",
        "what stochastic gradients give is the mean of the iterates",
        lambda instance: not _is_a_last_iterate(instance),
        _averaged,
    ),
    Threshold(
        "steps-degree-at-least",
        "the degree a of the T = n^a steps",
        _steps_degree,
        upper=False,
        move=_with_steps_degree,
    ),
    Threshold(
        "heads-degree-at-most",
        "the degree g of the number of heads H = c n^g",
        _heads_degree,
        upper=True,
        move=_with_heads_degree,
        beside=True,
    ),
    Condition(
        "one-eigenbasis",
        "all heads have one eigenbasis",
        lambda instance: not isinstance(instance.context, DisjointHeads),
        _share_eigenvectors,
    ),
    Condition(
        "no-heavier-head", "no head has a heavier tail than the first", _adds_no_heavier_head, _without_heavier_heads
    ),
    Threshold("degree-at-least", "the degree q of the width m = c n^q", _degree, upper=False, move=_with_degree),
    Threshold(
        "heaviest-weight-at-least",
        "the weight of the heaviest tail",
        _heaviest_weight,
        upper=False,
        move=_with_heaviest_weight,
    ),
    Threshold(
        "tails-apart-at-most",
        "the distance between the tail indices of the components",
        _tails_apart,
        upper=True,
        move=_with_tails_apart,
    ),
    Condition(
        "no-crossover",
        "the heaviest tail leads from the first eigenvalue on (e^2 times all others together)",
        _has_no_crossover,
    ),
    Threshold(
        "l2-index-at-most", "the L2 index", lambda instance: instance.target.l2_index, upper=True, move=_with_l2_index
    ),
    Threshold(
        "l2-index-at-least", "the L2 index", lambda instance: instance.target.l2_index, upper=False, move=_with_l2_index
    ),
    Threshold("beta-at-most", "beta", _tail_index, upper=True, move=_with_beta),
    Threshold("beta-at-least", "beta", _tail_index, upper=False, move=_with_beta),
)
"""The bundled conditions. The order breaks ties between conjunctions that keep the same share: what is named first wins."""


def chosen(
    names: tuple[str, ...] | list[str], known: tuple[AnyCondition, ...] = CONDITIONS
) -> tuple[AnyCondition, ...]:
    """The conditions of these names, in the order of ``known``; ValueError naming one that is not there."""
    table = {condition.name: condition for condition in known}
    for name in names:
        if name not in table:
            raise ValueError(f"no condition is called {name!r}; known are {', '.join(table)}")
    return tuple(condition for condition in known if condition.name in names)

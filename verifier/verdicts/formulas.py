r"""Another formula: what a claimed factor has to be for the readings of a statement to hold on all of their domains.

"Curves collapse on :math:`n/\Phi`" is false because of :math:`\Phi`, and no condition on instances mends it well: it keeps what the
wrong formula happens to get right. So formulas are searched here as :mod:`verifier.verdicts.repair` searches conditions, by
enumeration and counterexamples (Solar-Lezama 2008). The vocabulary is forms of a sequence of correlations (its ratio at lag one,
its sum over lags, of absolute values or of squares) times sequences (inputs, noise, their product, the score), and sums of mixing
coefficients; it knows no claim.

A formula must hold wherever the statement was read: instances come from the domains of all readings that hold the same observable
against a factor, for one that fits a single process fits nothing. What the pool does not refute is attacked on the union of those
domains, and what survives once more from a fresh seed, with twice as many examples. A formula that the pool refutes is refuted by
the deterministic equivalent, looked at twice; what an attack finds is confirmed by simulation as well.

Sums over lags are closed forms where there is one (Parseval; E L^2/E L for runs, by renewal theory) and 4096 lags with the rest of
a power tail otherwise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from verifier.claims import Claim
from verifier.instances import (
    Dependent,
    Independent,
    Instance,
    PerCoordinate,
    Process,
    Repeated,
    Runs,
    VectorAutoregression,
    White,
)
from verifier.instances.dependence import REPEATED
from verifier.instances.processes import SHORT_MEMORY
from verifier.risk.collapse import Factor, NoFactor, SlowestFactor
from verifier.verdicts.drawing import draw
from verifier.verdicts.falsify import ERROR, FALSIFIED, SURVIVED, Finding, falsify
from verifier.verdicts.judge import look
from verifier.verdicts.judgement import INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.repair import EXIT_CODES, NOTHING, REPAIRED, UNDECIDED, UNREPAIRED, Tell, seed_of
from verifier.verdicts.search import Budget, Case

Array = NDArray[np.float64]

REFUTED = "REFUTED"
"""Outcome of a formula that an instance refutes which is known already, before any search of its own."""

OPEN = "NOT ATTACKED"
"""Outcome of a formula that the pool does not refute and that was left at that."""

MOST_ATTACKED = 6
"""Formulas that are attacked, the smallest first: where a bound is claimed, larger ones say less."""

LAGS = 4096
FEWER_LAGS = 256
"""Lags of a dependence of another package, whose correlations come as a matrix."""

LEAST = 1e-9
"""What stands for a factor that is not positive: a sample cannot be worth infinitely many."""

NEGLIGIBLE = 1e-14
FEWEST_EACH = 6
SAME = 0.01  # in the mean of ln Phi

Sequenced = Process | Runs | VectorAutoregression

INPUTS, NOISE, PRODUCT, SCORE = "x", "eps", "x eps", "score"
"""Sequences whose correlations a formula is made of: one coordinate of the inputs, the noise, the product of these two correlations
lag by lag, and the products x_t eps_t of inputs and noise. The last two differ where inputs and noise depend on each other.
"""

_TEXTS = {INPUTS: "rho_x({})", NOISE: "rho_eps({})", PRODUCT: "rho_x({}) rho_eps({})", SCORE: "rho_score({})"}
_OF_THE_SCORE = (
    "rho_score(h): correlations of the score x_t eps_t, which are rho_x(h) rho_eps(h) where inputs and noise are independent of "
    "each other, and P(same run) where samples are repeated with their noise"
)


# ----------------------------------------------------------------------------------------------------
# Sequences of correlations, and sums over lags


def correlations(dependence: Any, sequence: str, lags: int = LAGS) -> Array:
    """Correlations at lags 0, 1, ... of one of the four sequences; as the mean over coordinates where each has its own."""
    if sequence == PRODUCT:
        return correlations(dependence, INPUTS, lags) * correlations(dependence, NOISE, lags)
    if isinstance(dependence, Repeated):
        together = dependence.noise == REPEATED
        white = sequence != INPUTS and not together
        return (White() if white else dependence.runs).autocorrelations(lags)
    if sequence == SCORE:
        return correlations(dependence, PRODUCT, lags)
    if isinstance(dependence, PerCoordinate | VectorAutoregression):
        noise = sequence == NOISE
        return dependence.noise.autocorrelations(lags) if noise else dependence.mean_autocorrelations(lags)
    if isinstance(dependence, (Dependent, Independent)):
        return (dependence.inputs if sequence == INPUTS else dependence.noise).autocorrelations(lags)
    matrix = dependence.input_correlation if sequence == INPUTS else dependence.noise_correlation
    return np.asarray(matrix(min(lags, FEWER_LAGS) + 1)[0], dtype=np.float64)


def lag_sum(terms: Array) -> float:
    """The sum over all lags of a symmetric sequence given at lags 0, 1, ...: the rest of a power tail is added by the exponent of
    its last octave; infinite where that is no more than one.
    """
    found = float(2.0 * math.fsum(terms) - terms[0])
    last, before = float(terms[-1]), float(terms[(len(terms) - 1) // 2])
    if abs(last) < NEGLIGIBLE:
        return found
    fall = before / last
    exponent = math.log2(fall) if fall > 0.0 else 0.0
    if exponent < 1.001:
        return math.copysign(math.inf, last)
    return found + 2.0 * last * ((len(terms) - 1) / (exponent - 1.0) - 0.5)


def total(dependence: Any, sequence: str) -> float:
    """The sum of the correlations over all lags, in closed form where there is one."""
    if sequence == SCORE:
        return float(dependence.product_sum())
    if isinstance(dependence, Repeated):
        if sequence == INPUTS or (sequence == NOISE and dependence.noise == REPEATED):
            return dependence.square_sum()  # P(same run), once: E L^2 / E L
    elif isinstance(dependence, PerCoordinate):
        if sequence == INPUTS:
            found = [_at_zero(process) for process in dependence.means]
            return math.fsum(found) / len(found)
        if sequence == NOISE:
            return _at_zero(dependence.noise)
    elif sequence in (INPUTS, NOISE) and isinstance(dependence, (Dependent, Independent)):
        return _at_zero(dependence.noise if sequence == NOISE else dependence.inputs)
    return lag_sum(correlations(dependence, sequence))


def _at_zero(process: Process) -> float:
    """The spectral density at frequency zero."""
    return math.inf if process.hurst > SHORT_MEMORY else float(process.spectral_density(np.zeros(1))[0])


def _sequences(dependence: Any) -> tuple[tuple[Sequenced, ...], tuple[Sequenced, ...]]:
    """The processes of the inputs and of the noise."""
    if isinstance(dependence, VectorAutoregression):
        return (dependence,), (dependence.noise,)
    if isinstance(dependence, Repeated):
        return (dependence.runs,), (dependence.runs if dependence.noise == REPEATED else White(),)
    if isinstance(dependence, PerCoordinate):
        return dependence.classes, (dependence.noise,)
    return (dependence.inputs,), (dependence.noise,)


def _positive(value: float) -> float:
    return max(value, LEAST)


# ----------------------------------------------------------------------------------------------------
# The vocabulary


@dataclass(frozen=True)
class _OfASequence:
    """Shared by formulas in the correlations of one sequence."""

    sequence: str

    @property
    def meaning(self) -> str:
        """What the letters of the formula stand for, where its name does not say it."""
        return _OF_THE_SCORE if self.sequence == SCORE else ""


@dataclass(frozen=True)
class LagOneRatio(_OfASequence):
    r""":math:`(1 + r)/(1 - r)`, r the correlation of neighbours: the sum over lags of the AR(1) with that r."""

    @property
    def text(self) -> str:
        return f"(1 + r)/(1 - r), r = {_named(self.sequence, '1')}"

    def value(self, instance: Instance) -> float:
        r = float(correlations(instance.dependence, self.sequence, 1)[1])
        return _positive((1.0 + r) / (1.0 - r)) if r < 1.0 else math.inf


@dataclass(frozen=True)
class LagSum(_OfASequence):
    r""":math:`\sum_h \rho(h)` over all lags of either sign."""

    @property
    def text(self) -> str:
        return f"sum_h {_named(self.sequence, 'h')}"

    def value(self, instance: Instance) -> float:
        return _positive(total(instance.dependence, self.sequence))


@dataclass(frozen=True)
class LagSumOfSizes(_OfASequence):
    r""":math:`\sum_h |\rho(h)|`."""

    @property
    def text(self) -> str:
        return f"sum_h |{_named(self.sequence, 'h')}|"

    def value(self, instance: Instance) -> float:
        return _positive(lag_sum(np.abs(correlations(instance.dependence, self.sequence))))


@dataclass(frozen=True)
class LagSumOfSquares(_OfASequence):
    r""":math:`\sum_h \rho(h)^2`."""

    @property
    def text(self) -> str:
        name = _named(self.sequence, "h")
        return f"sum_h ({name})^2" if self.sequence == PRODUCT else f"sum_h {name}^2"

    def value(self, instance: Instance) -> float:
        return _positive(lag_sum(correlations(instance.dependence, self.sequence) ** 2))


BOTH = "larger"


@dataclass(frozen=True)
class MixingSum:
    r""":math:`1 + 2\sum_{k \ge 1} b(k)^p` with the mixing coefficients of inputs or noise, or at each lag the larger of them."""

    sequence: str
    power: float = 1.0

    @property
    def text(self) -> str:
        name = "max(b_x(k), b_eps(k))" if self.sequence == BOTH else f"b_{self.sequence}(k)"
        return f"1 + 2 sum_k {name}" + ("" if self.power == 1.0 else f"^{self.power:g}")

    @property
    def meaning(self) -> str:
        return "b(k): what is known of the beta-mixing coefficients of one coordinate"

    def value(self, instance: Instance) -> float:
        inputs, noise = _sequences(instance.dependence)
        chosen = {INPUTS: inputs, NOISE: noise, BOTH: (*inputs, *noise)}[self.sequence]
        terms = np.max([process.mixing(LAGS) for process in chosen], axis=0) ** self.power
        terms[0] = 1.0
        return _positive(lag_sum(terms))


def _named(sequence: str, lag: str) -> str:
    return _TEXTS[sequence].replace("{}", lag)


FORMULAS: tuple[Factor, ...] = (
    NoFactor(),
    *(
        form(sequence)
        for form in (LagOneRatio, LagSum, LagSumOfSizes, LagSumOfSquares)
        for sequence in (INPUTS, NOISE, PRODUCT, SCORE)
    ),
    SlowestFactor(),
    *(MixingSum(sequence, power) for sequence in (INPUTS, NOISE, BOTH) for power in (1.0, 0.5)),
)
"""The formulas that are tried."""


# ----------------------------------------------------------------------------------------------------
# What is found


@dataclass(frozen=True)
class Trial:
    """One formula with what came of it.

    ``judged``, ``refuted`` and ``undecided`` count instances of the pool; ``counterexample`` is the simplest instance known to
    refute it; ``size`` is the mean of ln Phi over the pool.
    """

    formula: Factor
    outcome: str
    judged: int
    refuted: int
    undecided: int
    size: float
    claimed: bool = False
    counterexample: Case | None = None
    attack: Finding | None = None
    confirmation: Finding | None = None

    @property
    def text(self) -> str:
        """The formula."""
        return self.formula.text

    @property
    def meaning(self) -> str:
        """What its letters stand for, where that is not said elsewhere."""
        return str(getattr(self.formula, "meaning", ""))

    @property
    def attacked(self) -> int:
        """Instances judged in its attack and confirmation."""
        runs = [run for run in (self.attack, self.confirmation) if run is not None]
        return len({i.digest for run in runs for i, j in run.judged if j.verdict != OUT_OF_SCOPE})


@dataclass(frozen=True)
class FormulaRepair:
    """What became of a claimed formula: every formula of the vocabulary with its outcome, survivors first, fewest words first."""

    claim: Claim
    readings: tuple[str, ...]
    status: str
    seed: int
    pool: int = 0
    trials: tuple[Trial, ...] = ()
    message: str = ""
    interrupted: bool = False
    seconds: float = field(default=0.0, compare=False)

    @property
    def exit_code(self) -> int:
        """Exit code, as of a repair."""
        return EXIT_CODES[self.status]

    @property
    def survivors(self) -> tuple[Trial, ...]:
        """The formulas that survived, without the claimed one."""
        return tuple(trial for trial in self.trials if trial.outcome == SURVIVED and not trial.claimed)

    @property
    def smallest(self) -> Trial | None:
        """Of several survivors the one that claims least on average over the pool, where they differ: the sharper bound."""
        if len(self.survivors) < 2:
            return None
        sizes = [trial.size for trial in self.survivors]
        least = min(sizes)
        return None if max(sizes) < least + SAME else self.survivors[sizes.index(least)]

    @property
    def statement(self) -> str:
        """The id of the statement."""
        return self.claim.statement_id

    @property
    def claimed(self) -> str:
        """What is claimed, with the formula that is claimed in it."""
        return self.claim.prediction or self.claim.statement.rstrip(". ")

    @property
    def text(self) -> str:
        """The outcome as one sentence, or a few."""
        where = f"on the domains of all {len(self.readings)} readings together" if len(self.readings) > 1 else "there"
        if self.status == NOTHING:
            return f"Nothing to repair: the claimed formula survived {where}."
        if self.status in (UNDECIDED, ERROR):
            return f"{'Failed' if self.status == ERROR else 'Undecided'}: {self.message}."
        others = sum(trial.outcome in (REFUTED, FALSIFIED) and not trial.claimed for trial in self.trials)
        tried = sum(not trial.claimed for trial in self.trials)
        if self.status == UNREPAIRED:
            return f"Not repaired: of {tried} formulas none survived {where}; {others} are refuted."
        first, *rest = self.survivors
        judged = f"{first.attacked} instances judged beyond the pool of {self.pool}"
        said = f"Repaired: {with_formula(self.claim, first)}, {where} ({judged})"
        if first.meaning:
            said += f"; {first.meaning}"
        said += f". Of {tried} formulas {others} are refuted"
        if rest:
            said += f", and {len(rest) + 1} survive, of which this has the fewest words; also {'; '.join(t.text for t in rest)}"
            if self.smallest is not None:
                said += f". The smallest on average is {self.smallest.text}"
        left = sum(trial.outcome == OPEN for trial in self.trials)
        if left:
            said += f". {left} larger ones that the pool does not refute were not attacked"
        return said + "."


def has_formula(claim: Claim) -> bool:
    """Whether what the claim observes is held against a factor, a formula that can be replaced by another."""
    return isinstance(getattr(claim.observable, "factor", None), Factor)


def relatives(claim: Claim, siblings: Iterable[Claim]) -> tuple[Claim, ...]:
    """The readings of the same statement, the claim first, that hold the same observable against a factor."""
    others = [
        other
        for other in siblings
        if other.id != claim.id
        and other.statement_id == claim.statement_id
        and type(other.observable) is type(claim.observable)
        and other.simulator == claim.simulator
    ]
    return (claim, *others)


def with_formula(claim: Claim, trial: Trial) -> str:
    """What the claim predicts, with the formula of a trial in place of its own."""
    claimed = _factor(claim).text
    if claim.prediction and claimed in claim.prediction:
        return claim.prediction.replace(claimed, trial.text)
    return f"{claim.prediction or claim.statement.rstrip('. ')}, with the factor {trial.text}"


def _factor(claim: Claim) -> Factor:
    observable: Any = claim.observable
    factor: Factor = observable.factor
    return factor


def _with_factor(claim: Claim, factor: Factor) -> Claim:
    observable: Any = claim.observable
    return replace(claim, observable=replace(observable, factor=factor), proof=None, expected=None)


# ----------------------------------------------------------------------------------------------------
# The search


def repair_formula(
    claim: Claim,
    siblings: Iterable[Claim] = (),
    *,
    examples: int = 100,
    seed: int = 0,
    formulas: Iterable[Factor] = FORMULAS,
    progress: Tell | None = None,
) -> FormulaRepair:
    """Find the formulas with which a claim holds on the domains of all readings of its statement that have its observable.

    ``siblings``: the claims to look for those readings in. ``examples``: instances of an attack; the confirmation tries twice as
    many, and the pool has about ``examples``, in equal parts from each domain. The same arguments give the same result.
    Interrupted, it returns what was found until then.
    """
    if not has_formula(claim):
        raise ValueError(f"claim {claim.id} observes {claim.observable!r}, which has no factor to replace")
    vocabulary = _vocabulary(formulas)
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 20:
        raise ValueError(f"examples={examples!r} must be a whole number of at least 20")
    started = time.perf_counter()
    family = relatives(claim, siblings)
    search = _Search(claim, family, vocabulary, examples, seed, progress or (lambda text: None))
    base = FormulaRepair(claim, tuple(member.id for member in family), UNDECIDED, seed)
    try:
        search.run()
        result = replace(base, status=_status(search.trials), pool=len(search.pool), trials=_ordered(search.trials))
        if result.status in (UNDECIDED, ERROR):
            result = replace(result, message=_why(result))
    except KeyboardInterrupt:
        trials = _ordered(search.trials)
        message = "interrupted: the search was not finished"
        result = replace(base, pool=len(search.pool), trials=trials, interrupted=True, message=message)
    except (Exception, SystemExit) as error:  # claim and formulas are someone's code: a finding about them, no crash
        said = f"claim {claim.id}: {type(error).__name__}: {' '.join(str(error).split())}"
        result = replace(base, status=ERROR, message=said)
    return replace(result, seconds=time.perf_counter() - started)


def _vocabulary(formulas: Iterable[Factor]) -> tuple[Factor, ...]:
    found = tuple(formulas)
    texts: set[str] = set()
    for formula in found:
        if isinstance(formula, type) or not isinstance(formula, Factor):
            raise ValueError(f"formulas holds {formula!r}, which is not a factor with a text and a value(instance)")
        if formula.text in texts:
            raise ValueError(f"formulas holds {formula.text!r} twice")
        texts.add(formula.text)
    if not found:
        raise ValueError("formulas is empty: give at least one")
    return found


class _Search:
    """The pool, the judgements on it, and the attacks on what it does not refute."""

    def __init__(
        self,
        claim: Claim,
        family: Sequence[Claim],
        vocabulary: Sequence[Factor],
        examples: int,
        seed: int,
        tell: Tell,
    ) -> None:
        self.family, self.examples, self.seed, self.tell = family, examples, seed, tell
        self.claim = replace(claim, domain=st.one_of(*(member.domain for member in family)))
        own = _factor(claim)
        # A formula that is in the vocabulary too, word by word, is tried once, as the claimed one.
        self.formulas = ((own, True), *((each, False) for each in vocabulary if each.text != own.text))
        self.pool: list[Instance] = []
        self.trials: list[Trial] = []
        self._known: dict[tuple[str, str], Judgement | None] = {}

    def run(self) -> None:
        """Judge every formula on the pool, then attack the smallest of what is left."""
        self._draw()
        left: list[Trial] = []
        for number, (formula, claimed) in enumerate(self.formulas):
            self.tell(f"judging formulas, {number} of {len(self.formulas)}")
            trial = self._on_the_pool(formula, claimed)
            (self.trials if trial.outcome == REFUTED else left).append(trial)
        found: list[Instance] = []
        left.sort(key=lambda trial: (not trial.claimed, round(trial.size, 2), _words(trial.formula)))
        self.trials += [replace(trial, outcome=OPEN) for trial in left[MOST_ATTACKED:]]
        for trial in left[:MOST_ATTACKED]:
            self.tell(f"attacking {trial.text}")
            trial = self._attacked(trial, found)
            self.trials.append(trial)
            if trial.outcome == FALSIFIED and trial.counterexample is not None:
                found.append(trial.counterexample.instance)

    def _draw(self) -> None:
        self.tell("drawing instances")
        each = max(FEWEST_EACH, math.ceil(self.examples / len(self.family)))
        drawn: dict[str, Instance] = {}
        for member in self.family:
            for instance in draw(member.domain, each, self.seed, member.id, "formula"):
                if self.claim.unmet(instance) is None:
                    drawn.setdefault(instance.digest, instance)
        # The simplest first: it is then the first that is found to refute a formula.
        self.pool = sorted(drawn.values(), key=lambda instance: (len(instance.describe()), instance.describe()))

    def _judged(self, claim: Claim, factor: Factor, instance: Instance) -> Judgement | None:
        """The judgement on an instance, None where the formula has no value; formulas of one value there share it."""
        try:
            key = (instance.digest, f"{factor.value(instance):.12g}")
            if key not in self._known:
                self._known[key] = look(claim, instance, self.seed)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None
        return self._known[key]

    def _on_the_pool(self, formula: Factor, claimed: bool) -> Trial:
        claim = _with_factor(self.claim, formula)
        judgements = [self._judged(claim, formula, instance) for instance in self.pool]
        undecided = sum(found is None or found.verdict == INCONCLUSIVE for found in judgements)
        refuting = [
            (instance, found)
            for instance, found in zip(self.pool, judgements, strict=True)
            if found is not None and found.verdict == VIOLATED
        ]
        counted = Trial(
            formula, UNDECIDED, len(judgements), len(refuting), undecided, _size(formula, self.pool), claimed
        )
        if not refuting:
            return counted
        return replace(counted, outcome=REFUTED, counterexample=Case(*refuting[0]))

    def _attacked(self, trial: Trial, known: Sequence[Instance]) -> Trial:
        claim = _with_factor(self.claim, trial.formula)
        for instance in known:  # what refuted another formula
            found = self._judged(claim, trial.formula, instance)
            if found is not None and found.verdict == VIOLATED:
                return replace(trial, outcome=REFUTED, counterexample=Case(instance, found))
        words = ("formula", trial.text)
        attack = falsify(claim, budget=Budget(examples=self.examples), seed=seed_of(self.seed, *words, "attack"))
        tried = replace(trial, outcome=attack.verdict, attack=attack, counterexample=attack.minimal)
        if attack.verdict != SURVIVED:
            return tried
        self.tell(f"confirming {trial.text}")
        again = falsify(claim, budget=Budget(examples=2 * self.examples), seed=seed_of(self.seed, *words, "confirm"))
        return replace(tried, outcome=again.verdict, confirmation=again, counterexample=again.minimal)


def _words(formula: Factor) -> tuple[int, int, str]:
    return len(formula.text.split()), len(formula.text), formula.text


def _size(formula: Factor, pool: Sequence[Instance]) -> float:
    """The mean of ln Phi where it is finite and positive."""
    logs: list[float] = []
    for instance in pool:
        try:
            value = formula.value(instance)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue
        if 0.0 < value < math.inf:
            logs.append(math.log(value))
    return math.fsum(logs) / len(logs) if logs else 0.0


def _ordered(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """What survived first, fewest words first; then what took longest to refute."""
    return tuple(
        sorted(
            trials,
            key=lambda t: (
                t.outcome != SURVIVED,
                t.outcome != OPEN,
                t.outcome == REFUTED,
                t.refuted,
                _words(t.formula),
            ),
        )
    )


def _status(trials: Sequence[Trial]) -> str:
    if any(trial.claimed and trial.outcome == SURVIVED for trial in trials):
        return NOTHING
    outcomes = {trial.outcome for trial in trials if not trial.claimed}
    if SURVIVED in outcomes:
        return REPAIRED
    if outcomes <= {REFUTED, FALSIFIED}:
        return UNREPAIRED
    return ERROR if ERROR in outcomes else UNDECIDED


def _why(found: FormulaRepair) -> str:
    open_ones = [trial for trial in found.trials if trial.outcome not in (REFUTED, FALSIFIED)]
    attacks = [run for trial in open_ones for run in (trial.confirmation, trial.attack) if run is not None]
    reason = next((run.message for run in attacks if run.message), "")
    return f"no formula survived, and {len(open_ones)} were not refuted" + (
        f" ({reason.rstrip('. ')})" if reason else ""
    )

r"""Calibration: size and power of the machinery, measured on claims whose truth mathematics knows.

Measurements, each made of independent parts that can be computed in any order, on any number of workers, and resumed:

* **judgements**: instances drawn from a reading's own domain; the machinery is asked about the exponent that a theorem gives
  (:mod:`verifier.risk.asymptotics`), in the reading's own kind (equality, bound, order, straight line). Null: that claim is
  true. A violation is a false alarm of the search; power is the share of instances on which the same claim, wrong by a
  given amount or in a given way, is a violation. For one-sided claims the theorem is the least favourable null.
* **confirmations**: the same, simulation included, as a confirmation judges.
* **searches**: whole targeted searches, the adversary of an audit, against those true claims; and against claims that are
  wrong by a tenth only in a corner of the domain.
* **simulation alone**: judgements by route B, on designs that have no deterministic equivalent.
* **audits**: every reading that is expected to survive, searched as ``verifier audit`` does, from one seed after another.

Rates come with Clopper-Pearson intervals (Clopper and Pearson 1934) at level .95. The table carries the digest of the code
and strategies it was measured on (:func:`verifier.provenance.code_digest`).
"""

from __future__ import annotations

import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from scipy.special import betaincinv

from verifier import records
from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent, Prediction, StraightLine, Theta, registered_claims
from verifier.instances import Instance, RademacherDesign, StudentDesign, UniformDesign
from verifier.provenance import code_digest, digest_of, versions
from verifier.risk.asymptotics import Formula, has_exact_order, is_straight, least_exponent, theorem_exponent
from verifier.verdicts.audit import EXAMPLES
from verifier.verdicts.drawing import draw, draw_until
from verifier.verdicts.falsify import FALSIFIED, SURVIVED, falsify
from verifier.verdicts.judge import assess, judge, look
from verifier.verdicts.judgement import INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Judgement
from verifier.verdicts.reference import REFERENCE_SIZES, finite_size_allowance, finite_size_constant
from verifier.verdicts.search import Budget, confirm
from verifier.verdicts.workers import Lost, Task, run_tasks

ERRORS = (0.02, 0.05, 0.1)
CHUNK = 250  # instances in one part
CONFIRMATIONS_A_PART = 20
SEARCH_EXAMPLES = 100
AUDIT_EXAMPLES = EXAMPLES["quick"]
CORNERS = (0.1, 0.01)
CORNER_SEEDS = 3

MUTANTS = {
    "a two dropped": Formula(tail=1.0),
    "saturation ignored": Formula(saturation=math.inf),
    "saturation at s = 1/2": Formula(saturation=0.5),
}
"""Ways in which the theorem's formula could be wrong. Exchanging s and beta is none: 2s beta/(2s beta + 1) is symmetric."""

TREATED = (
    "T1/tuned-worst-case",
    "T1/schedule-each-target-s-tail",
    "T1/tuned-worst-case-noiseless",
    "T1/schedule-each-target-noiseless",
)
"""Readings whose instances are also judged by simulation alone: the oracle's ridge and the scheduled one, with and without
noise.
"""

MOST_CHUNKS, STERILE = 60, 5
"""Parts of judgements that a reading may get, and the new instances in one of them below which its domain counts as used up."""

KINDS = (Exponent, AtLeast, AtMost, Theta, StraightLine)


@dataclass(frozen=True)
class Effort:
    """How much is measured: null judgements, confirmations, searches and treated instances a reading, audits in all."""

    judgements: int = 2000
    confirmations: int = 20
    searches: int = 11
    treated: int = 30
    audits: int = 200


@dataclass(frozen=True)
class Part:
    """One part of the work: what is measured, on which reading (empty for audits), and its number."""

    measurement: str
    reading: str
    number: int

    @property
    def name(self) -> str:
        """File name of the part's result, without extension."""
        return records.slug(f"{self.measurement}-{self.reading}-{self.number}")


# ----------------------------------------------------------------------------------------------------
# Claims whose truth is known


def exponent_readings(claims: Sequence[Claim]) -> list[Claim]:
    """The readings about exponents: those whose domain draws instances for which an exponent is predicted."""
    return [claim for claim in claims if claim.proof is None and _kind(claim) in KINDS]


def _kind(claim: Claim) -> type[Prediction]:
    """Kind of the predictions of a claim, looked up on the first instance in scope."""
    for instance in draw_until(lambda one: claim.unmet(one) is None, claim.domain, 20, 0, claim.id, "kind"):
        if claim.unmet(instance) is None:
            return type(claim.predicted(instance))
    return Bound


def theorem(claim: Claim, instance: Instance) -> float | None:
    """Exponent that a theorem gives for what a claim observes."""
    return theorem_exponent(instance, claim.tuning, claim.observable)


def known(claim: Claim, instance: Instance, kind: type[Prediction]) -> bool:
    """Whether a theorem proves the claim "kind(theorem's exponent)" on the instance."""
    if theorem(claim, instance) is None:
        return kind is AtLeast and least_exponent(instance, claim.tuning, claim.observable) is not None
    if kind is Theta:
        return has_exact_order(instance, claim.tuning, claim.observable)
    return kind is not StraightLine or is_straight(instance)


def proves(claim: Claim, instance: Instance) -> bool | None:
    """Whether a theorem proves (True) or refutes (False) what a claim predicts for an instance; None where it is silent."""
    predicted, exponent = claim.predicted(instance), theorem(claim, instance)
    if isinstance(predicted, Bound):
        return None
    if exponent is None:
        least = least_exponent(instance, claim.tuning, claim.observable)
        return (
            True if isinstance(predicted, AtLeast) and least is not None and least >= predicted.value - 1e-9 else None
        )
    if isinstance(predicted, AtLeast):
        return exponent >= predicted.value - 1e-9
    if isinstance(predicted, AtMost):
        return exponent <= predicted.value + 1e-9
    if abs(exponent - predicted.value) > 1e-9:
        return False
    return True if known(claim, instance, type(predicted)) else None


def about_theorem(
    claim: Claim,
    kind: type[Prediction],
    error: Callable[[Instance], float] | float = 0.0,
    formula: Formula | None = None,
) -> Claim:
    """The claim "kind(theorem's exponent + error)" on the domain of another claim; a ``formula`` replaces the theorem's."""

    def predict(instance: Instance) -> Prediction:
        value = theorem_exponent(instance, claim.tuning, claim.observable, formula)
        if value is None:  # a bound is proved: the null is true, if not the least favourable one
            value = least_exponent(instance, claim.tuning, claim.observable)
        assert value is not None
        return kind(value + (error(instance) if callable(error) else error))

    def a_theorem_knows_the_exponent(instance: Instance) -> bool:
        return known(claim, instance, kind)

    return Claim(
        id=claim.id,
        title=f"theorem on the domain of {claim.id}",
        statement="the exponent is that of the theorem",
        source="verifier.risk.asymptotics",
        domain=claim.domain,
        predict=predict,
        tuning=claim.tuning,
        observable=claim.observable,
        hypotheses=(*claim.hypotheses, a_theorem_knows_the_exponent),
    )


# ----------------------------------------------------------------------------------------------------
# The measurements


def measure(part: Part, seed: int) -> dict[str, Any]:
    """Result of one part: counts by name for each instance (or search), and the instances behind every false alarm."""
    started = time.perf_counter()
    outcomes, alarms = _MEASUREMENTS[part.measurement](part, seed)
    return {
        "measurement": part.measurement,
        "reading": part.reading,
        "number": part.number,
        "outcomes": {key: {name: float(value) for name, value in c.items()} for key, c in outcomes.items()},
        "alarms": alarms,
        "seconds": time.perf_counter() - started,
    }


Counts = defaultdict[str, float]
Result = tuple[dict[str, Counts], list[Any]]


def _none() -> Counts:
    return defaultdict(float)


def _judgements(part: Part, seed: int) -> Result:
    """Keyed by the instance: judged twice, in two parts, it is still one trial."""
    claim = registered_claims()[part.reading]
    kind = _kind(claim)
    null = about_theorem(claim, kind)
    outcomes: dict[str, Counts] = {}
    alarms: list[Any] = []
    for instance in draw(claim.domain, CHUNK, seed, part.reading, "calibration", part.number):
        if claim.unmet(instance) is not None:
            continue
        counts = outcomes[instance.digest[:16]] = _none()
        if proves(claim, instance):
            counts["reading"] = 1
            counts["reading rejected"] = assess(claim, instance).verdict == VIOLATED
        found = assess(null, instance)
        if found.verdict == OUT_OF_SCOPE:
            counts["no theorem"] = 1
            continue
        alarms += _count_null(counts, claim, instance, found)
        counts["rejected twice"] = counts["rejected"] and look(null, instance, seed).verdict == VIOLATED
        exponent = theorem(claim, instance)
        for name, formula in MUTANTS.items():
            wrong = theorem_exponent(instance, claim.tuning, claim.observable, formula)
            if wrong is None or exponent is None or not _is_wrong(kind, wrong - exponent):
                continue
            mutant = about_theorem(claim, kind, formula=formula)
            counts[f"mutant {name}"] = 1
            counts[f"mutant {name} noticed"] = assess(mutant, instance).verdict == VIOLATED
    return outcomes, alarms


def _count_null(counts: Counts, claim: Claim, instance: Instance, found: Judgement) -> list[Any]:
    """Count what one judgement of a true claim says of size and power, and return its false alarm, if it is one."""
    counts["null"] = 1
    counts["undecided"] = found.verdict == INCONCLUSIVE
    counts["rejected"] = found.verdict == VIOLATED
    counts["exact"] = theorem(claim, instance) is not None  # beside a bound alone, nothing is known to be wrong
    for error in ERRORS:
        counts[f"noticed {error:g}"] = _share_noticed(found, error) if counts["exact"] else 0.0
    return [{"instance": instance.to_json(), "reason": found.reason}] if found.verdict == VIOLATED else []


def _is_wrong(kind: type[Prediction], difference: float) -> bool:
    """Whether a prediction that differs from the truth by so much is wrong by at least the smallest error in the table."""
    if kind is AtLeast:
        return difference >= ERRORS[0]
    if kind is AtMost:
        return difference <= -ERRORS[0]
    return abs(difference) >= ERRORS[0]


def _share_noticed(found: Judgement, error: float) -> float:
    """Share of the claims wrong by ``error`` (above and below, one-sided ones to the wrong side) that are violations.

    The tolerance does not depend on the prediction, so that one judgement answers for all of them.
    """
    if found.verdict == INCONCLUSIVE or found.exponent is None or found.tolerance is None or found.predicted is None:
        return 0.0
    offset = found.exponent - found.predicted.value  # against the theorem
    if isinstance(found.predicted, AtLeast):
        return float(error - offset > found.tolerance)
    if isinstance(found.predicted, AtMost):
        return float(offset + error > found.tolerance)
    return 0.5 * float(abs(offset - error) > found.tolerance) + 0.5 * float(abs(offset + error) > found.tolerance)


def _confirmations(part: Part, seed: int) -> Result:
    """Whole judgements, simulation included, on instances that no other part has drawn."""
    claim = registered_claims()[part.reading]
    null = about_theorem(claim, _kind(claim))
    outcomes: dict[str, Counts] = {}
    alarms: list[Any] = []
    drawn = draw(claim.domain, 4 * CONFIRMATIONS_A_PART, seed, part.reading, "confirmation", part.number)
    inside = [instance for instance in drawn if null.unmet(instance) is None]
    for instance in inside[:CONFIRMATIONS_A_PART]:
        counts = outcomes[instance.digest[:16]] = _none()
        found = confirm(null, instance, seed).judgement
        alarms += _count_null(counts, claim, instance, found)
        counts["not certified"] = found.certification is not None and not found.certification.agrees
    return outcomes, alarms


def _searches(part: Part, seed: int) -> Result:
    claim = registered_claims()[part.reading]
    null = about_theorem(claim, _kind(claim))
    found = falsify(null, budget=Budget(examples=SEARCH_EXAMPLES), seed=seed + part.number)
    counts = _none()
    counts["searches"], counts["alarms"] = 1, found.verdict == FALSIFIED
    counts["undecided"] = found.verdict not in (SURVIVED, FALSIFIED)
    counts["judged"], counts["violations before confirmation"] = found.counts.judged, found.counts.violated
    # Only a FALSIFIED finding has a minimal case.
    alarms = [] if found.minimal is None else [{"instance": found.minimal.instance.to_json(), "seed": found.seed}]
    return {str(part.number): counts}, alarms


DESIGNS = (RademacherDesign(), UniformDesign(), StudentDesign())
TREATED_A_PART = 5


def _simulation_alone(part: Part, seed: int) -> Result:
    """Route B: instances of a reading under a design that has no deterministic equivalent, one design a part."""
    claim = registered_claims()[part.reading]
    design = DESIGNS[part.number % len(DESIGNS)]
    null = about_theorem(claim, Exponent)
    outcomes: dict[str, Counts] = {}
    alarms: list[Any] = []
    drawn = draw(claim.domain, 8 * TREATED_A_PART, seed, part.reading, "simulation alone", part.number)
    inside = [instance for instance in drawn if null.unmet(instance) is None]
    for instance in inside[:TREATED_A_PART]:
        treated = replace(instance, design=design)
        counts = outcomes[treated.digest[:16]] = _none()
        found = judge(null, treated, seed, key=("calibration", treated.digest))
        alarms += _count_null(counts, claim, treated, found)
        allowance = finite_size_allowance(finite_size_constant(treated, claim.simulator), REFERENCE_SIZES)
        for error in ERRORS:
            counts[f"permitted {error:g}"] = allowance <= 0.5 * error
            counts[f"noticed {error:g}"] *= counts[f"permitted {error:g}"]
    return outcomes, alarms


def _corners(part: Part, seed: int) -> Result:
    """Searches against claims that are right except in a corner of the domain, where they are wrong by a tenth.

    The corner is a window of beta, and of s among equal betas, inside the domain: its ends are drawn more often than the rest.
    """
    claim = registered_claims()[part.reading]
    kind = _kind(claim)
    counts = _none()
    sample = _corner_scores(part.reading, seed)
    sign = -1.0 if kind is AtMost else 1.0
    for share in CORNERS if sample else ():
        first = int((0.25 + 0.1 * part.number) * len(sample))
        low, high = sample[first], sample[min(first + int(share * len(sample)), len(sample) - 1)]

        def inside(instance: Instance, low: float = low, high: float = high) -> bool:
            return low <= _corner_score(instance) <= high

        wrong = about_theorem(claim, kind, lambda i, inside=inside: sign * 0.1 * inside(i))  # type: ignore[misc]
        found = falsify(wrong, budget=Budget(examples=SEARCH_EXAMPLES), seed=seed + part.number)
        actual = sum(low <= score <= high for score in sample) / len(sample)
        counts[f"corner {share:g}"] = 1
        counts[f"corner {share:g} found"] = found.verdict == FALSIFIED
        counts[f"corner {share:g} share"] = actual
        counts[f"corner {share:g} expected"] = 1.0 - (1.0 - actual) ** SEARCH_EXAMPLES
    return {str(part.number): counts}, []


@lru_cache(maxsize=128)
def _corner_scores(reading: str, seed: int) -> list[float]:
    """Scores of draws from a reading's domain in increasing order, the same for all its corners."""
    claim = registered_claims()[reading]
    kind = _kind(claim)
    drawn = [i for k in range(2) for i in draw(claim.domain, 1000, seed, reading, "corner", k)]
    return sorted(_corner_score(i) for i in drawn if claim.unmet(i) is None and known(claim, i, kind))


def _corner_score(instance: Instance) -> float:
    """Orders instances by beta, and by s among equal betas."""
    beta = getattr(instance.spectrum, "tail_index", None) or getattr(instance.spectrum, "decay", 1.0)
    return float(beta or 1.0) + 1e-3 * instance.s


def _audits(part: Part, seed: int) -> Result:
    """One audit of the readings that are expected to survive."""
    counts = _none()
    counts["audits"] = 1
    alarms = []
    for claim in registered_claims().values():
        if claim.expected != SURVIVED or claim.proof is not None:
            continue
        found = falsify(claim, budget=Budget(examples=AUDIT_EXAMPLES), seed=seed + part.number)
        counts["readings"] += 1
        counts["confirmations"] += found.confirmations
        counts["undecided"] += found.verdict not in (SURVIVED, FALSIFIED)
        if found.verdict == FALSIFIED:
            alarms.append({"reading": claim.id, "seed": found.seed})
    counts["alarms"] = bool(alarms)
    return {str(part.number): counts}, alarms


_MEASUREMENTS: dict[str, Callable[[Part, int], Result]] = {
    "judgements": _judgements,
    "confirmations": _confirmations,
    "searches": _searches,
    "simulation alone": _simulation_alone,
    "corners": _corners,
    "audits": _audits,
}


# ----------------------------------------------------------------------------------------------------
# All of them


def parts(claims: Sequence[Claim], effort: Effort) -> list[Part]:
    """The parts of a calibration, in the order in which they are worth having: every reading a little before any a lot."""
    readings = [claim.id for claim in exponent_readings(claims)]
    chunks = math.ceil(1.1 * effort.judgements / CHUNK)  # some draws coincide, some are outside every theorem
    queues = [
        [Part("judgements", name, k) for k in range(chunks) for name in readings],
        [Part("searches", name, k) for k in range(effort.searches) for name in readings],
        # One after another, so that a worker may still know the draws of the reading.
        [Part("corners", name, k) for name in readings for k in range(min(effort.searches, CORNER_SEEDS))],
        [
            Part("confirmations", name, k)
            for k in range(math.ceil(effort.confirmations / CONFIRMATIONS_A_PART))
            for name in readings
        ],
        [
            Part("simulation alone", name, k)
            for k in range(math.ceil(effort.treated / TREATED_A_PART))
            for name in TREATED
            if name in readings
        ],
        [Part("audits", "", k) for k in range(effort.audits)],
    ]
    return [part for queue in queues for part in queue]


@dataclass(frozen=True)
class Progress:
    """Parts done and in all, and the part that was finished last."""

    done: int
    total: int
    last: str


def calibrate(
    claims: Sequence[Claim],
    *,
    out: Path,
    effort: Effort,
    seed: int = 0,
    jobs: int = 1,
    seconds: float = math.inf,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Measure what is not measured yet in ``out``, for at most about ``seconds``, and return the table.

    Every part is written as it is finished; one that was measured on other code, libraries or with another seed is
    measured again.
    """
    deadline = time.monotonic() + seconds
    wanted = parts(claims, effort)
    digest = code_digest()
    key = digest_of(Path(__file__), extra=f"{digest} {seed} {versions()}")
    results: dict[Part, dict[str, Any]] = {}
    tell = progress or (lambda event: None)
    while missing := [part for part in wanted if part not in results]:
        results |= {part: kept for part in missing if (kept := _load(out, part, key)) is not None}
        tell(Progress(len(results), len(wanted), ""))
        missing = [part for part in missing if part not in results]
        in_time = itertools.takewhile(lambda part: time.monotonic() < deadline, missing)
        for measured in run_tasks((Task(_measured, (part, seed)) for part in in_time), jobs):
            if isinstance(measured, Lost):
                raise RuntimeError(f"{measured}; what was measured is kept")
            part, result = measured
            results[part] = result
            records.write_json(out / "parts" / f"{part.name}.json", {"key": key, **result})
            tell(Progress(len(results), len(wanted), f"{part.measurement} {part.reading}".strip()))
        if len(results) < len(wanted):
            break  # the time is up
        wanted += further_parts(results, effort)
    found = [results[part] for part in wanted if part in results]  # not in the order in which they were ready
    return table(found, claims=claims, digest=digest, seed=seed, complete=len(found) == len(wanted))


def further_parts(results: Mapping[Part, Mapping[str, Any]], effort: Effort) -> list[Part]:
    """More judgements for the readings that have too few different ones, unless the last part found hardly a new one."""
    chunks: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for part in sorted((part for part in results if part.measurement == "judgements"), key=lambda part: part.number):
        chunks[part.reading].append(results[part]["outcomes"])
    more = []
    for reading, outcomes in chunks.items():
        judged = [{key for key, counts in chunk.items() if counts.get("null")} for chunk in outcomes]
        seen = set().union(*judged)
        new = len(seen) - len(set().union(*judged[:-1]))
        if len(seen) < effort.judgements and new >= STERILE and len(outcomes) < MOST_CHUNKS:
            count = min(math.ceil((effort.judgements - len(seen)) / new), MOST_CHUNKS - len(outcomes))
            more += [Part("judgements", reading, len(outcomes) + k) for k in range(count)]
    return more


def _measured(part: Part, seed: int) -> tuple[Part, dict[str, Any]]:
    return part, measure(part, seed)


def _load(out: Path, part: Part, key: str) -> dict[str, Any] | None:
    path = out / "parts" / f"{part.name}.json"
    if not path.exists():
        return None
    try:
        record = records.read_json(path)
    except records.RecordError:
        return None  # damaged: measured again
    wanted = {"key": key, "measurement": part.measurement, "reading": part.reading, "number": part.number}
    fresh = isinstance(record, dict) and all(record.get(name) == value for name, value in wanted.items())
    return {name: value for name, value in record.items() if name != "key"} if fresh else None


# ----------------------------------------------------------------------------------------------------
# The table


def clopper_pearson(hits: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of a binomial rate (Clopper and Pearson 1934); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    least, most = math.floor(hits + 1e-9), math.ceil(hits - 1e-9)  # half a hit: an error noticed on one side only
    tail = 0.5 * (1.0 - level)
    low = 0.0 if least == 0 else float(betaincinv(least, trials - least + 1, tail))
    high = 1.0 if most == trials else float(betaincinv(most + 1, trials - most, 1.0 - tail))
    return low, high


def rate(hits: float, trials: float) -> dict[str, Any]:
    """A rate with its interval, as it is recorded."""
    low, high = clopper_pearson(hits, trials)
    return {"hits": hits, "trials": trials, "rate": hits / trials if trials else None, "low": low, "high": high}


def table(
    results: Sequence[Mapping[str, Any]], *, claims: Sequence[Claim], digest: str, seed: int, complete: bool
) -> dict[str, Any]:
    """Rates with intervals, by reading and over all readings."""
    sums: dict[tuple[str, str], Counts] = defaultdict(_none)
    total: dict[str, Counts] = defaultdict(_none)
    seen: set[tuple[str, str, str]] = set()
    for result in results:
        measurement, reading = result["measurement"], result["reading"]
        for key, counts in result["outcomes"].items():
            if (measurement, reading, key) in seen:
                continue  # the same instance, drawn again: no trial of its own
            seen.add((measurement, reading, key))
            for name, value in counts.items():
                sums[measurement, reading][name] += value
                total[measurement][name] += value
    alarms = [
        {"measurement": r["measurement"], "reading": r["reading"], "number": r["number"], **alarm}
        for r in results
        for alarm in r["alarms"]
    ]
    readings = {
        claim.id: {
            measurement: _RATES[measurement](sums[measurement, claim.id])
            for measurement in _RATES
            if (measurement, claim.id) in sums
        }
        for claim in claims
        if any((measurement, claim.id) in sums for measurement in _RATES)
    }
    whole = {measurement: _RATES[measurement](total[measurement]) for measurement in _RATES if measurement in total}
    return {
        "schema": records.SCHEMA,
        "kind": "calibration",
        "digest": digest,
        "seed": seed,
        "complete": complete,
        "versions": versions(),
        "seconds": sum(r["seconds"] for r in results),
        "readings": readings,
        "all": whole,
        "alarms": alarms,
    }


def _judgement_rates(c: Counts) -> dict[str, Any]:
    found = {
        "size": rate(c["rejected"], c["null"]),
        "undecided": rate(c["undecided"], c["null"]),
        **{f"power {error:g}": rate(c[f"noticed {error:g}"], c["exact"]) for error in ERRORS},
    }
    if "rejected twice" in c:
        found["size, after the second look"] = rate(c["rejected twice"], c["null"])
    if "reading" in c:
        found["size of the reading itself"] = rate(c["reading rejected"], c["reading"])
    for name in MUTANTS:
        if c[f"mutant {name}"]:
            found[f"power, {name}"] = rate(c[f"mutant {name} noticed"], c[f"mutant {name}"])
    if "not certified" in c:
        found["not certified"] = rate(c["not certified"], c["null"])
    return found


def _treated_rates(c: Counts) -> dict[str, Any]:
    found = {"size": rate(c["rejected"], c["null"]), "undecided": rate(c["undecided"], c["null"])}
    for error in ERRORS:
        found[f"permitted {error:g}"] = rate(c[f"permitted {error:g}"], c["null"])
        found[f"power {error:g}, where permitted"] = rate(c[f"noticed {error:g}"], c[f"permitted {error:g}"])
    return found


def _search_rates(c: Counts) -> dict[str, Any]:
    return {
        "false alarms": rate(c["alarms"], c["searches"]),
        "undecided": rate(c["undecided"], c["searches"]),
        "judged": c["judged"],
        "violations before confirmation": c["violations before confirmation"],
    }


def _corner_rates(c: Counts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for share in CORNERS:
        trials = c[f"corner {share:g}"]
        if trials:
            found[f"found, wrong by .1 on about {100 * share:g}%"] = rate(c[f"corner {share:g} found"], trials)
            found[f"share of the draws in it, about {100 * share:g}%"] = round(c[f"corner {share:g} share"] / trials, 4)
            found[f"expected of independent draws, {100 * share:g}%"] = round(
                c[f"corner {share:g} expected"] / trials, 4
            )
    return found


def _audit_rates(c: Counts) -> dict[str, Any]:
    return {
        "false alarms": rate(c["alarms"], c["audits"]),
        "undecided readings": rate(c["undecided"], c["readings"]),
        "confirmations": c["confirmations"],
    }


_RATES: dict[str, Callable[[Counts], dict[str, Any]]] = {
    "judgements": _judgement_rates,
    "confirmations": _judgement_rates,
    "searches": _search_rates,
    "simulation alone": _treated_rates,
    "corners": _corner_rates,
    "audits": _audit_rates,
}

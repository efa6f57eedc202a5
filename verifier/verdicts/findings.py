"""A finding as records: the JSON of ``findings.json``, replayable counterexample files, rows of evidence, and plain text."""

from __future__ import annotations

import inspect
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from verifier.claims import Claim
from verifier.instances import CarriedCoefficients, CarriedFunction, CriticalTarget, Instance
from verifier.provenance import version, versions
from verifier.records import ROLES, SCHEMA, Role, counterexample_name, finite_or_none
from verifier.risk.engine import LOG_FARTHEST
from verifier.risk.equivalents import Tuning
from verifier.risk.observables import ExcessRisk, crossover
from verifier.risk.smoothness import source_indices
from verifier.verdicts.extrapolate import local_exponents
from verifier.verdicts.falsify import ERROR, VACUOUS, Finding
from verifier.verdicts.judgement import Judgement
from verifier.verdicts.search import CONFIRMATIONS, FALSE_ALARMS, Case
from verifier.verdicts.shipped import calibration_of
from verifier.verdicts.shown import dependence_record, shown_lines, width_record

VISIBLE = 0.01  # change of a measured source index that is not an oscillation or a logarithm


def from_pack(finding: Finding, pack: str | None) -> Finding:
    """The finding with its pack named in the message, where the verdict is about what the pack brought."""
    if pack is None or finding.verdict not in (ERROR, VACUOUS):
        return finding
    return replace(finding, message=f"pack {pack!r}: {finding.message}")


def finding_record(finding: Finding, *, calibrated: bool = True) -> dict[str, Any]:
    """The finding as one entry of ``findings.json``; what the calibration says of its reading is left out on request."""
    claim = finding.claim
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "claim": claim.statement_id,
        "reading": claim.reading,
        "id": claim.id,
        "title": claim.title,
        "statement": claim.statement,
        "latex": claim.latex,
        "source": claim.source,
        "hypotheses": [_in_words(hypothesis) for hypothesis in claim.hypotheses],
        "note": claim.note,
        "cells": list(claim.cells),
        "prediction": claim.prediction,
        "tuning": tuning_name(claim),
        "observable": {
            "name": claim.observable.name,
            "variable": claim.observable.variable,
            "ylabel": claim.observable.name,
        },
        "verdict": finding.verdict,
        "expected": claim.expected,
        "agrees": finding.agrees,
        "evidence": _evidence(finding),
        "instances": {
            "judged": finding.counts.judged,
            "consistent": finding.counts.consistent,
            "violated": finding.counts.violated,
            "inconclusive": finding.counts.inconclusive,
            "out_of_scope": finding.counts.out_of_scope,
        },
        "size": {
            "level": finding.size,
            "confirmations": finding.confirmations,
            "cap": CONFIRMATIONS,
            "text": f"each confirmation is made at level {finding.size:.2g}: {FALSE_ALARMS:g} for the run over at most "
            f"{CONFIRMATIONS} confirmations; this reading spent {finding.confirmations}",
        },
        "power": None
        if finding.power is None
        else {
            "kind": finding.power.kind,
            "at": finding.power.at,
            "tightest": finite_or_none(finding.power.tightest),
            "corner": finding.power.corner,
            "text": finding.power.text,
        },
        "calibration": calibration_of(claim.id) if calibrated else None,
        "certificate": None,
        "proof": None if finding.proof is None else {"text": finding.proof.text, "steps": list(finding.proof.steps)},
        "explanation": explanation(claim),
        "message": finding.message,
        "seconds": finding.seconds,
    }
    for role in ROLES:
        case: Case | None = getattr(finding, role)
        record[role] = None if case is None else case_record(claim, case, role)
    if finding.minimal is not None and finding.minimal.certificate is not None:
        record["certificate"] = finding.minimal.certificate.to_json()
    return record


def _in_words(hypothesis: Callable[..., bool]) -> str:
    """A hypothesis by name, with the first line of its docstring."""
    name = getattr(hypothesis, "__name__", repr(hypothesis)).replace("_", " ")
    document = (getattr(hypothesis, "__doc__", None) or "").strip().splitlines()
    return f"{name}: {document[0]}" if document else name


def _evidence(finding: Finding) -> list[str]:
    """What the verdict rests on."""
    if finding.proof is not None:
        return ["proof"]
    cases = [case for case in (finding.minimal, finding.worst, finding.typical) if case is not None]
    if any(judgement.route == "B" for judgement in (case.judgement for case in cases)):
        return ["simulation"]
    kinds = ["equivalent"]
    if any(case.judgement.certification is not None for case in cases):
        kinds.append("simulation")
    if any(case.certificate is not None for case in cases):
        kinds.append("certificate")
    return kinds


def case_record(claim: Claim, case: Case, role: Role) -> dict[str, Any]:
    """One instance with its judgement as JSON."""
    judged = case.judgement
    interval = judged.interval
    certification = judged.certification
    return {
        "instance": case.instance.to_json(),
        "describe": case.instance.describe(),
        "digest": case.instance.digest,
        "verdict": judged.verdict,
        "predicted": None
        if judged.predicted is None
        else {
            "kind": judged.predicted.kind,
            "value": finite_or_none(judged.predicted.value),
        },
        "exponent": finite_or_none(judged.exponent),
        "tolerance": finite_or_none(judged.tolerance),
        "interval": None if interval is None or not all(map(math.isfinite, interval)) else list(interval),
        "reason": judged.reason,
        "why": why(claim, case),
        "crossover": crossover_record(case.instance, claim.tuning),
        "dependence": dependence_record(case.instance),
        "width": width_record(case.instance),
        "witness": {name: value for name, value in judged.witness.items() if math.isfinite(value)},
        "replay": f"verifier replay counterexamples/{counterexample_name(claim.id, role)}",
        "certification": None
        if certification is None
        else {
            "agrees": certification.agrees,
            "points": [
                {"n": n, "simulated": mean, "stderr": stderr, "equivalent": expected, "z": finite_or_none(z)}
                for n, mean, stderr, expected, z in zip(
                    certification.n,
                    certification.simulated,
                    certification.stderr,
                    certification.equivalent,
                    certification.z,
                    strict=True,
                )
            ],
            "replicates": certification.replicates,
            "slope": certification.slope,
            "slope_stderr": certification.slope_stderr,
            "text": certification.text,
        },
    }


def why(claim: Claim, case: Case) -> str:
    """What became of the source condition, as measured: under the transform of an instance, or of a target carried over from
    another covariance; and the crossover of a mixture. Empty where there is nothing to say.
    """
    hidden = crossover(case.instance, claim.tuning)
    return "; ".join(filter(None, (_source_condition(claim, case), "" if hidden is None else hidden.describe())))


def tuning_name(claim: Claim) -> str:
    """The tuning rule of a claim as records have it: its word, or the name of its function."""
    return claim.tuning if isinstance(claim.tuning, str) else getattr(claim.tuning, "__name__", repr(claim.tuning))


def crossover_record(instance: Instance, tuning: Tuning) -> dict[str, Any] | None:
    """Where the heaviest tail of a mixture takes over: log10 of the index i* and of the sample size that resolves it (both None
    beyond reach), and a sentence; None for an instance without a crossover.
    """
    found = crossover(instance, tuning)
    if found is None:
        return None
    index, n = (value / math.log(10.0) if found.log_n < LOG_FARTHEST else None for value in found)
    return {"log10_index": index, "log10_n": n, "text": found.describe()}


def explanation(claim: Claim) -> str:
    """What the module that declares a claim says of it: its docstring. A claim is data and knows no module: looked through are the
    loaded ones of the packages that its functions come from. Of several that hold the claim, the one that holds the fewest; empty
    where none has a docstring.
    """
    functions = (claim.predict, *claim.hypotheses)
    packages = {str(getattr(function, "__module__", "")).partition(".")[0] for function in functions}
    found: list[tuple[int, str]] = []
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in packages or not module.__doc__:
            continue
        for value in list(vars(module).values()):
            held = value if isinstance(value, (tuple, list)) else (value,)
            if any(each is claim for each in held):
                found.append((len(held), module.__doc__))
    return inspect.cleandoc(min(found)[1]) if found else ""


def _source_condition(claim: Claim, case: Case) -> str:
    instance = case.instance
    if isinstance(claim.observable, ExcessRisk) and isinstance(instance.target, (CarriedCoefficients, CarriedFunction)):
        return _carried(instance, instance.target)
    observed = isinstance(claim.observable, ExcessRisk) and not instance.transform.unitary
    if not observed or instance.spectrum.tail_index is None or math.isfinite(instance.spectrum.size):
        return ""
    before, after = source_indices(instance)
    measured = (
        f"measured source index of the target: {before:.3f} relative to Sigma, {after:.3f} relative to T Sigma T*"
    )
    if after > before - VISIBLE:
        return f"T leaves the source condition as it is ({measured})"
    return (
        f"T breaks the source condition ({measured}): the transform mixes into the target a direction that is rougher than the "
        "target was, and the bias falls as slowly as the rougher one. Tail index and noise term are what they were"
    )


def _carried(instance: Instance, target: CarriedCoefficients | CarriedFunction) -> str:
    origin = Instance(spectrum=target.origin, target=CriticalTarget(s=target.s, source_norm=target.source_norm))
    before, after = source_indices(origin).before, source_indices(instance).before
    if abs(after - before) <= VISIBLE:
        return f"the target is as smooth as it was (measured source index {before:.3f} before and {after:.3f} after)"
    word = "smoother" if after > before else "rougher"
    return (
        f"relative to the covariance that it meets the target is {word} than it was: the measured source index is {before:.3f} "
        f"relative to {target.origin.describe()}, and {after:.3f} relative to {instance.spectrum.describe()}"
    )


def numbers(judged: Judgement) -> dict[str, list[float] | float]:
    """The numbers that a replay must reproduce: the curve's logarithm, the exponent, the simulated risks."""
    result: dict[str, list[float] | float] = {}
    if judged.evidence is not None:
        keep = np.isfinite(judged.evidence.log_y)
        result["log_y"] = [float(v) for v in judged.evidence.log_y[keep]]
    if judged.exponent is not None and math.isfinite(judged.exponent):
        result["exponent"] = float(judged.exponent)
    if judged.certification is not None:
        result["simulated"] = list(judged.certification.simulated)
    return result


def counterexample_record(finding: Finding, role: Role, pack: str | None = None) -> dict[str, Any] | None:
    """A file that ``verifier replay`` understands, None where the finding has no such instance."""
    case: Case | None = getattr(finding, role)
    if case is None:
        return None
    judged = case.judgement
    return {
        "schema": SCHEMA,
        "kind": "counterexample",
        "claim": finding.claim.id,
        "pack": pack,
        "instance": case.instance.to_json(),
        "seed": finding.seed,
        "role": role,
        "predicted": None
        if judged.predicted is None
        else {
            "kind": judged.predicted.kind,
            "value": finite_or_none(judged.predicted.value),
        },
        "verdict": judged.verdict,
        "exponent": finite_or_none(judged.exponent),
        "tolerance": finite_or_none(judged.tolerance),
        "witness": {name: value for name, value in judged.witness.items() if math.isfinite(value)},
        "numbers": numbers(judged),
        "numpy": versions()["numpy"],
        "version": version(),
        "certificate": None if case.certificate is None else case.certificate.to_json(),
    }


def evidence_rows(finding: Finding) -> list[dict[str, Any]]:
    """Rows of ``evidence.parquet``: the curve, its simulation and its local exponents, for each recorded instance."""
    rows: list[dict[str, Any]] = []

    def add(role: str, series: str, x: float, y: float, low: float | None = None, high: float | None = None) -> None:
        if math.isfinite(x) and math.isfinite(y):
            rows.append(
                {
                    "id": finding.claim.id,
                    "role": role,
                    "series": series,
                    "x": x,
                    "y": y,
                    "lo": low,
                    "hi": high,
                }
            )

    for role in ROLES:
        case: Case | None = getattr(finding, role)
        if case is None:
            continue
        judged = case.judgement
        if judged.evidence is not None:
            shown = judged.evidence.log_x < 138.0  # 1e60: farther out the axis shows nothing new
            log_x, log_y = judged.evidence.log_x[shown], judged.evidence.log_y[shown]
            for x, y in zip(log_x, log_y, strict=True):
                if abs(y) < 690.0:
                    add(role, "equivalent", math.exp(x), math.exp(y))
            if judged.exponent is not None and len(log_x) > 2:
                for x, y in zip(*local_exponents(log_x, log_y), strict=True):
                    add(role, "local_slope", math.exp(x), float(y))
        if judged.certification is not None and judged.evidence is not None and judged.exponent is not None:
            c = judged.certification
            for n, mean, stderr in zip(c.n, c.simulated, c.stderr, strict=True):
                add(
                    role,
                    "simulation",
                    float(n),
                    mean,
                    max(mean - 1.96 * stderr, 1e-300),
                    mean + 1.96 * stderr,
                )
    return rows


def judgement_rows(finding: Finding) -> list[dict[str, Any]]:
    """Rows of ``judgements.parquet``: every instance that the search judged."""
    return [
        {
            "id": finding.claim.id,
            "digest": instance.digest,
            "instance": json.dumps(instance.to_json(), sort_keys=True),
            "verdict": judged.verdict,
            "predicted_kind": None if judged.predicted is None else judged.predicted.kind,
            "predicted": None if judged.predicted is None else finite_or_none(judged.predicted.value),
            "exponent": finite_or_none(judged.exponent),
            "tolerance": finite_or_none(judged.tolerance),
            "score": finite_or_none(judged.score),
        }
        for instance, judged in finding.judged
    ]


def explain(finding: Finding) -> str:
    """A finding in plain text: statement, verdict, minimal and worst instance, and how to replay them."""
    claim = finding.claim
    lines = [f"{claim.id}: {finding.verdict}", f"  claim      {claim.statement}"]
    for role in ROLES:
        case: Case | None = getattr(finding, role)
        if case is None or (
            role == "worst" and finding.minimal is not None and case.instance == finding.minimal.instance
        ):
            continue
        lines += [f"  {role:<10} {case.instance.describe()}", f"  {'':<10} {case.judgement.reason}"]
        if case.judgement.predicted is not None:
            lines.append(f"  {'predicted':<10} {case.judgement.predicted.describe()}")
        interval = case.judgement.interval
        if interval is not None:
            lines.append(
                f"  {'measured':<10} {case.judgement.exponent:.5f}, interval [{interval[0]:.5f}, {interval[1]:.5f}]"
            )
        if reason := why(claim, case):
            lines.append(f"  {'why':<10} {reason}")
        beside = {"dependence": dependence_record(case.instance), "width": width_record(case.instance)}
        lines += [f"  {name:<10} {text}" for name, text in shown_lines(beside)]
        if case.judgement.witness:
            shown = ", ".join(f"{name} = {value:.6g}" for name, value in case.judgement.witness.items())
            lines.append(f"  {'witness':<10} {shown}")
        if case.judgement.certification is not None:
            lines.append(f"  {'simulation':<10} {case.judgement.certification.text}")
        if case.certificate is not None:
            lines.append(f"  {'certified':<10} {case.certificate.text}")
    if finding.proof is not None:
        lines.append(f"  {'proof':<10} {finding.proof.text}")
    if finding.power is not None:
        lines.append(f"  {'power':<10} {finding.power.text}")
    if finding.message:
        lines.append(f"  {'note':<10} {finding.message}")
    lines.append(f"  {'reproduce':<10} verifier falsify {claim.id} --seed {finding.seed}")
    return "\n".join(lines)

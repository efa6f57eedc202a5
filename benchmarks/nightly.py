"""The night beside plain Hypothesis at equal time, on planted falsehoods of graded difficulty; and one worker beside two.

    python benchmarks/nightly.py [--seconds 5] [--seeds 2] [--out benchmarks/results/nightly.csv]
    python benchmarks/nightly.py workers [--examples 60] [--pairs 2] [--only T6,L2] [--out benchmarks/results/workers.csv]

A planted claim predicts the exponent that a theorem gives, but for a window of beta that holds 10%, 1% or 0.1% of the
domain's, where it is wrong by .1, .05 or .02. The window lies beside an end of the range, without the end itself, or inside.
Each engine attacks each claim alone, in this process, until it meets the first violation or has used up its seconds: `falsify`,
which is plain Hypothesis with its guidance, and `run_night` with one job. The seconds are those of the processor, so that
other work on the machine is no part of the comparison. Ten minutes on one core at most.

`workers` runs whole nights, each in a process of its own, with one worker and with two in turns (1 2 2 1 ...), and prints how
many times the work of one two do: the ratio of the two times on the wall, which mean something on an idle machine only. Beside them
stand the processor's seconds, which say how much more there was to compute, and how long a worker had nothing to do, by its tasks'
beginnings and ends: while it started, between the first task of a round of tasks and the last, and while the night's own process
read, planned and wrote. All verdicts are compared. Fifteen minutes for a pair.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

import verifier as vf
from verifier.risk.asymptotics import theorem_exponent
from verifier.verdicts import bouts, falsify, nightly
from verifier.verdicts.judge import look
from verifier.verdicts.judgement import VIOLATED, Judgement

SHARES, ERRORS, PLACES = (0.1, 0.01, 0.001), (0.1, 0.05, 0.02), ("beside an end", "inside")
LOW, HIGH = 1.2, 3.0
PATIENCE = 3600.0  # seconds on the wall; the seconds of the processor end an attack long before
INSIDE = 0.37  # where the middle of a window inside lies, in parts of the range: no round number
DOMAIN = st.builds(
    lambda beta, s: vf.Instance(vf.PowerLaw(beta=beta), vf.CriticalTarget(s=s), vf.Noise(1.0)),
    st.floats(LOW, HIGH),
    st.floats(0.3, 0.8),
)


def planted(share: float, error: float, place: str) -> vf.Claim:
    """A claim that is wrong by ``error`` on ``share`` of the betas."""
    width = share * (HIGH - LOW)
    left = HIGH - 1.01 * width if place == "beside an end" else LOW + INSIDE * (HIGH - LOW) - width / 2.0

    def predict(instance: vf.Instance) -> vf.Exponent:
        exponent = theorem_exponent(instance, "optimal")
        assert exponent is not None
        return vf.Exponent(exponent + error * (left < instance.beta < left + width))

    return vf.Claim(
        id=f"planted/{place.split()[0]}-{share:g}-{error:g}",
        title="planted",
        statement="the exponent of the theorem, but for a window",
        source="Caponnetto and De Vito 2007",
        domain=DOMAIN,
        predict=predict,
        expected="FALSIFIED",
    )


GRID = [(share, error, place) for place in PLACES for share in SHARES for error in ERRORS]
CLAIMS = [planted(*each) for each in GRID]


class _Ended(BaseException):
    """The search met a violation, or its time is over."""


def attack(run: Callable[[], object], seconds: float) -> tuple[float | None, int]:
    """Seconds until the first violation, None where none was met in time; and how many instances were judged."""
    started, judged = time.process_time(), 0
    found: list[float] = []

    def watched(claim: vf.Claim, instance: vf.Instance, seed: int) -> Judgement:
        nonlocal judged
        judgement = look(claim, instance, seed)
        judged += 1
        spent = time.process_time() - started
        if judgement.verdict == VIOLATED:
            found.append(spent)
        if found or spent > seconds:
            raise _Ended
        return judgement

    modules: Any = (falsify, bouts)
    for module in modules:
        module.look = watched
    try:
        run()
    except _Ended:
        pass
    finally:
        for module in modules:
            module.look = look
    return (found[0] if found else None), judged


def plain(claim: vf.Claim, seed: int) -> Callable[[], object]:
    """The attack by falsify."""
    return lambda: falsify.falsify(claim, budget=vf.Budget(seconds=PATIENCE), seed=seed)


def night(claim: vf.Claim, seed: int, out: Path) -> Callable[[], object]:
    """The attack by a night of one reading and one job."""
    packs = {claim.id: "nightly:CLAIMS"}
    return lambda: nightly.run_night([claim], out=out, hours=PATIENCE / 3600.0, seed=seed, packs=packs)


def rows(seconds: float, seeds: int) -> list[dict[str, object]]:
    """One row a planted claim and engine."""
    table = []
    none: Any = nightly
    none.controls = lambda seed: ()  # judged as in the audit; here they would cost the night its time
    attack(plain(CLAIMS[-1], seeds), seconds)  # what is loaded and cached by the first attack is paid for by none
    for (share, error, place), claim in zip(GRID, CLAIMS, strict=True):
        taken: dict[str, list[tuple[float | None, int]]] = {"plain": [], "night": []}
        for seed in range(seeds):
            for engine in ("plain", "night") if seed % 2 == 0 else ("night", "plain"):
                with tempfile.TemporaryDirectory() as out:
                    run = plain(claim, seed) if engine == "plain" else night(claim, seed, Path(out))
                    taken[engine].append(attack(run, seconds))
        for engine, tries in taken.items():
            times = [when for when, _ in tries if when is not None]
            table.append(
                {
                    "window": place,
                    "share of the domain": share,
                    "wrong by": error,
                    "engine": engine,
                    "found": len(times),
                    "of": len(tries),
                    "median CPU seconds to a counterexample": round(statistics.median(times), 2) if times else None,
                    "instances judged": sum(judged for _, judged in tries),
                    "CPU seconds allowed": seconds,
                }
            )
            print(*table[-1].values(), flush=True)
    return table


# ----------------------------------------------------------------------------------------------------
# One worker beside two


def traced(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
    """The result of a task, and where and when it was computed; ``cpu`` is the processor's time of its process so far."""
    begun, spent = time.time(), time.process_time()
    result = function(*arguments)
    order = arguments[0]
    name = f"{order['id']} {order['number']}" if isinstance(order, dict) else str(order)
    where = {"process": os.getpid(), "task": function.__name__, "name": name}
    when = {"begun": begun, "ended": time.time(), "took": time.process_time() - spent, "cpu": time.process_time()}
    return result, where | when


def one_night(jobs: int, examples: int, only: Sequence[str], trace_file: Path | None) -> dict[str, Any]:
    """A whole night, its times and what its workers did when. For a process of its own: it replaces the night's ``run_tasks``."""
    from verifier.claims import registered_claims
    from verifier.verdicts import workers

    started = time.time()
    trace: list[dict[str, Any]] = []
    module: Any = nightly
    calls = 0

    def watched(tasks: Any, *more: Any, **others: Any) -> Iterator[Any]:
        nonlocal calls
        calls += 1
        this = calls
        for result, seen in workers.run_tasks(
            (workers.Task(traced, (task.function, task.arguments)) for task in tasks), *more, **others
        ):
            trace.append(seen | {"call": this})
            yield result

    module.run_tasks = watched
    claims = [claim for claim in registered_claims().values() if not only or {claim.id, claim.statement_id} & set(only)]
    with tempfile.TemporaryDirectory() as out:
        result = nightly.run_night(claims, out=Path(out), examples=examples, jobs=jobs)
    ended = time.time()
    if trace_file is not None:
        trace_file.write_text(json.dumps({"started": started, "ended": ended, "trace": trace}))
    processes = {each["process"] for each in trace}
    cpu = sum(max(each["cpu"] for each in trace if each["process"] == process) for process in processes)
    own = 0.0 if os.getpid() in processes else time.process_time()
    busy = sum(each["ended"] - each["begun"] for each in trace)
    spans = [
        (
            min(each["begun"] for each in trace if each["call"] == k),
            max(each["ended"] for each in trace if each["call"] == k),
        )
        for k in sorted({each["call"] for each in trace})
    ]
    starting, tasks = spans[0][0] - started, sum(end - begin for begin, end in spans)
    return {
        "workers": jobs,
        "seconds": ended - started,
        "CPU seconds": cpu + own if jobs > 1 else time.process_time(),
        "CPU seconds of tasks": sum(each["took"] for each in trace),
        "of the night's own process": own,
        "idle while starting": jobs * starting,
        "idle during tasks": jobs * tasks - busy,
        "idle between": jobs * (ended - started - starting - tasks),
        "verdicts": {finding["id"]: finding["verdict"] for finding in result.findings},
    }


def compared_workers(pairs: int, examples: int, only: Sequence[str], trace: Path | None) -> pd.DataFrame:
    """Nights with one worker and with two in turns, as a table; an exception where a verdict differs."""
    table, verdicts = [], {}
    for jobs in [jobs for k in range(pairs) for jobs in ((1, 2) if k % 2 == 0 else (2, 1))]:
        command = [
            sys.executable,
            __file__,
            "night",
            "--jobs",
            str(jobs),
            "--examples",
            str(examples),
            "--only",
            ",".join(only),
        ]
        command += [] if trace is None else ["--trace", str(trace.with_suffix(f".{jobs}.json"))]
        run = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        verdicts[jobs] = run.pop("verdicts")
        table.append(run)
        print(", ".join(f"{name} {value:.4g}" for name, value in run.items()), flush=True)
    if verdicts[1] != verdicts[2]:
        raise AssertionError("one worker and two came to other verdicts")
    return pd.DataFrame(table).round(1)


def workers_main(words: Sequence[str]) -> None:
    """Measure and write the table of workers."""
    parser = argparse.ArgumentParser(prog="nightly.py workers")
    parser.add_argument("--examples", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--only", default="", help="statements or readings, comma-separated; all without")
    parser.add_argument(
        "--trace", type=Path, help="where to write what every worker did when, a file for each number of workers"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "workers.csv")
    given = parser.parse_args(words)
    table = compared_workers(given.pairs, given.examples, given.only.split(",") if given.only else (), given.trace)
    table.to_csv(given.out, index=False, lineterminator="\n")
    mean = table.groupby("workers")[["seconds", "CPU seconds"]].mean()
    print(f"two workers do {mean.seconds[1] / mean.seconds[2]:.2f} times the work of one, with ", end="")
    print(f"{mean['CPU seconds'][2] / mean['CPU seconds'][1] - 1.0:+.1%} of the processor's time")


def night_main(words: Sequence[str]) -> None:
    """One night, as a line of JSON."""
    parser = argparse.ArgumentParser(prog="nightly.py night")
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--trace", type=Path)
    given = parser.parse_args(words)
    print(json.dumps(one_night(given.jobs, given.examples, given.only.split(",") if given.only else (), given.trace)))


def main() -> None:
    """Measure and write the table."""
    others = {"workers": workers_main, "night": night_main}
    if len(sys.argv) > 1 and sys.argv[1] in others:
        others[sys.argv[1]](sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "nightly.csv")
    given = parser.parse_args()
    table = pd.DataFrame(rows(given.seconds, given.seeds))
    table.to_csv(given.out, index=False, lineterminator="\n")
    print(table.groupby(["engine", "share of the domain"])[["found", "of"]].sum())


if __name__ == "__main__":
    main()

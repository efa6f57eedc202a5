"""The night beside plain Hypothesis at equal time, on planted falsehoods of graded difficulty.

    python benchmarks/nightly.py [--seconds 5] [--seeds 2] [--out benchmarks/results/nightly.csv]

A planted claim predicts the exponent that a theorem gives, but for a window of beta that holds 10%, 1% or 0.1% of the
domain's, where it is wrong by .1, .05 or .02. The window lies beside an end of the range, without the end itself, or inside.
Each engine attacks each claim alone, in this process, until it meets the first violation or has used up its seconds: `falsify`,
which is plain Hypothesis with its guidance, and `run_night` with one job. The seconds are those of the processor, so that
other work on the machine is no part of the comparison. Ten minutes on one core at most.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
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


def main() -> None:
    """Measure and write the table."""
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

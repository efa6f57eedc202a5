"""How fast the search is: equivalents and judgements per second, and the time to a minimal counterexample.

    python benchmarks/search.py [--seeds 3] [--examples 40] [--out benchmarks/results/search.csv]

One process, one BLAS thread. "Tuned risks" are minima over the ridge of the deterministic equivalent, batched over the sample
sizes of one instance (50 sizes from 1e2 to 1e12) and over 200 instances as a search draws them, nothing cached. Judgements
are those of the search (verifier.verdicts.judge.assess), caches emptied before each. The time to a minimal counterexample
is that of a whole falsification, shrinking, worst case and confirmations included, of every reading expected to be false.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd

import verifier as vf
from verifier.risk import equivalents, quadrature
from verifier.verdicts import judge as judging
from verifier.verdicts.calibration import draw

SIZES = np.geomspace(1e2, 1e12, 50)


def cold() -> None:
    """Empty every cache between instances."""
    equivalents._equivalent.cache_clear()
    quadrature._modes.cache_clear()
    judging._followed_cached.cache_clear()


def rates(claims: dict[str, vf.Claim], count: int) -> list[dict[str, object]]:
    """Rows of tuned risks and of judgements per second."""
    tuned, scheduled = claims["T1/tuned-upper-bound"], claims["T1/schedule-upper-bound"]
    instances = draw(tuned.domain, count, 0, "benchmark")
    noisy = [instance for instance in instances if instance.sigma > 0.0]
    started = time.perf_counter()
    for instance in noisy:
        cold()
        vf.equivalent_risk(instance, n=SIZES)
    risks = len(noisy) * len(SIZES) / (time.perf_counter() - started)
    rows: list[dict[str, object]] = [{"what": "tuned risks per second", "value": round(risks), "instances": len(noisy)}]
    for claim in (scheduled, tuned):
        drawn = draw(claim.domain, count, 0, "benchmark")
        spent = []
        for instance in drawn:
            cold()
            started = time.perf_counter()
            judging.assess(claim, instance)
            spent.append(time.perf_counter() - started)
        rows.append(
            {
                "what": f"judgements per second, {claim.id}",
                "value": round(len(spent) / sum(spent), 1),
                "instances": len(spent),
            }
        )
        rows.append(
            {
                "what": f"median judgement, {claim.id}, seconds",
                "value": round(statistics.median(spent), 4),
                "instances": len(spent),
            }
        )
    return rows


def counterexamples(claims: dict[str, vf.Claim], seeds: int, examples: int) -> list[dict[str, object]]:
    """A row for each reading expected to be false: median and largest time to its confirmed minimal counterexample."""
    rows: list[dict[str, object]] = []
    for claim in claims.values():
        if claim.expected != "FALSIFIED":
            continue
        spent, minimal = [], set()
        for seed in range(seeds):
            cold()
            started = time.perf_counter()
            found = vf.falsify(claim, budget=vf.Budget(examples=examples), seed=seed)
            spent.append(time.perf_counter() - started)
            if found.verdict != "FALSIFIED":
                raise SystemExit(f"{claim.id} came out {found.verdict} with seed {seed}: {found.message}")
            assert found.minimal is not None
            minimal.add(found.minimal.instance.describe())
        rows.append(
            {
                "what": f"seconds to the minimal counterexample, {claim.id}",
                "value": round(statistics.median(spent), 2),
                "largest": round(max(spent), 2),
                "instances": seeds,
                "minimal": " | ".join(sorted(minimal)),
            }
        )
        print(rows[-1]["what"], rows[-1]["value"], rows[-1]["largest"], rows[-1]["minimal"], flush=True)
    return rows


def main() -> None:
    """Measure, print, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/search.csv"))
    options = parser.parse_args()
    claims = vf.registered_claims()
    rows = rates(claims, options.instances)
    for row in rows:
        print(row["what"], row["value"], flush=True)
    rows += counterexamples(claims, options.seeds, options.examples)
    times = [float(str(row["value"])) for row in rows if str(row["what"]).startswith("seconds")]
    rows.append(
        {
            "what": "seconds to the minimal counterexample, median over readings",
            "value": round(statistics.median(times), 2),
        }
    )
    print(rows[-1]["what"], rows[-1]["value"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()

"""Whole searches against claims that mathematics proves: how many get through?

    python benchmarks/targeted_searches.py [--seeds 3] [--examples 150] [--out benchmarks/results/targeted_searches.csv]

Each search is the adversary of an audit, guided towards a violation, over every spectrum of Assumption R, every target
and both kinds of noise; the claim is the exponent that a theorem gives (verifier.risk.asymptotics), as an equality and as
an upper bound on the risk. A FALSIFIED would be a false alarm.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

import verifier as vf
from properties.strategies import (
    assumption_r_spectra,
    hardest_targets,
    instances,
    noises,
    single_targets,
    smoothness,
)
from verifier.risk.asymptotics import theorem_exponent

TARGETS = single_targets(smoothness()) | hardest_targets(smoothness(), ("S-L2", "S-H", "S-tail"))
NOISES = {"noisy": noises(silent=False), "noiseless": noises(noisy=False)}


def proved(tuning: str, noise: str, kind: type[vf.Prediction]) -> vf.Claim:
    """The claim that the exponent is what the theorem says."""

    def predict(instance: vf.Instance) -> vf.Prediction:
        exponent = theorem_exponent(instance, tuning)
        assert exponent is not None
        return kind(exponent)

    return vf.Claim(
        id=f"proved/{tuning}-{noise}-{kind.__name__}",
        title="a theorem",
        statement="the exponent is that of the theorem",
        source="verifier.risk.asymptotics",
        domain=instances(assumption_r_spectra(), TARGETS, NOISES[noise]),
        predict=predict,
        tuning=tuning,
    )


def main() -> None:
    """Search, print a line a search, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=150)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/targeted_searches.csv"))
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        for tuning in ("optimal", "schedule"):
            for noise in NOISES:
                for kind in (vf.Exponent, vf.AtLeast):
                    claim = proved(tuning, noise, kind)
                    started = time.perf_counter()
                    found = vf.falsify(claim, budget=vf.Budget(examples=options.examples), seed=seed)
                    power = found.power.at if found.power is not None else {}
                    rows.append(
                        {
                            "seed": seed,
                            "claim": claim.id,
                            "verdict": found.verdict,
                            "consistent": found.counts.consistent,
                            "violated": found.counts.violated,
                            "inconclusive": found.counts.inconclusive,
                            **{f"power_at_{error}": round(value, 4) for error, value in power.items()},
                            "seconds": round(time.perf_counter() - started, 1),
                        }
                    )
                    print(*rows[-1].values(), flush=True)
    table = pd.DataFrame(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False)
    wrong = int((table["verdict"] == "FALSIFIED").sum())
    judged = int(table[["consistent", "violated", "inconclusive"]].to_numpy().sum())
    print(
        f"{wrong} false alarms in {len(table)} searches, {judged} judgements; {table['inconclusive'].sum()} undecided"
    )


if __name__ == "__main__":
    main()

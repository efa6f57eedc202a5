"""How far the deterministic equivalent is from the simulated expected risk: c = n (simulated / equivalent - 1).

    python benchmarks/equivalent_error.py [--instances 120] [--out benchmarks/results/equivalent_error.csv]

Instances are drawn over the whole domain of Theorem 1's readings, at the sample sizes of a certification. The table says
how large |c| gets, less three standard errors, with noise and without; verifier.verdicts.judge.agreement_constant rounds
it up.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from verifier.instances import CriticalTarget, Instance, Noise, PowerLaw, SingleEigenfunction, SmootherTarget
from verifier.risk.curves import learning_curve
from verifier.risk.equivalents import equivalent_risk
from verifier.risk.streams import stream

SIZES = (100, 400, 1600)
REPLICATES = 24


def draw(generator: np.random.Generator) -> tuple[Instance, str]:
    """One instance and its tuning."""
    beta = float(generator.choice([1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0]))
    s = float(generator.choice([0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 3.0]))
    sigma = float(generator.choice([0.0, 0.0, 0.01, 0.1, 1.0, 10.0]))
    target = [CriticalTarget(s=s), SmootherTarget(s=s, excess=0.5), SingleEigenfunction(s=s)][generator.integers(3)]
    return Instance(PowerLaw(beta=beta), target, Noise(sigma)), str(generator.choice(["optimal", "schedule"]))


def main() -> None:
    """Measure, print the extremes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=120)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/equivalent_error.csv"))
    options = parser.parse_args()
    generator = stream(0, "benchmark", "equivalent error")
    rows = []
    for number in range(options.instances):
        instance, tuning = draw(generator)
        curve = learning_curve(
            instance,
            n=SIZES,
            replicates=REPLICATES,
            seed=0,
            tuning=tuning,
            key=("equivalent error", number),
            controls=True,
        )
        expected = np.asarray(equivalent_risk(instance, n=np.asarray(SIZES, float), lam=np.asarray(curve.lam)))
        for n, mean, stderr, value in zip(SIZES, curve.risk, curve.stderr, expected, strict=True):
            c, error = n * (mean / value - 1.0), n * stderr / value
            rows.append(
                {
                    "instance": instance.describe(),
                    "beta": instance.beta,
                    "s": instance.s,
                    "sigma": instance.sigma,
                    "tuning": tuning,
                    "n": n,
                    "c": c,
                    "stderr": error,
                    "at_least": max(0.0, abs(c) - 3.0 * error),
                }
            )
    table = pd.DataFrame(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False, float_format="%.4g")
    for noisy, part in table.groupby(table["sigma"] > 0.0):
        worst = part.sort_values("at_least", ascending=False).head(6)
        print(
            f"{'with noise' if noisy else 'without noise'}: |c| - 3 standard errors at most {part['at_least'].max():.2f}"
        )
        print(worst[["instance", "tuning", "n", "c", "stderr"]].to_string(index=False))


if __name__ == "__main__":
    main()

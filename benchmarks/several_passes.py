r"""SGD that returns to its samples, run draw by draw, beside its equivalent.

The equivalent is that of :mod:`verifier.risk.multi_pass`, the descents those of :mod:`verifier.risk.multi_pass_samples`: n^a draws
with replacement from n samples, the schedule's eta n^a = n^p. Prints the table of docs/early-stopping.md.

    python benchmarks/several_passes.py
"""

from __future__ import annotations

from itertools import product

import numpy as np

from verifier.instances import CriticalTarget, Instance, MultiPass, Noise, PowerLaw
from verifier.risk.equivalents import equivalent_for, scheduled_ridge
from verifier.risk.multi_pass import MultiPassEquivalent
from verifier.risk.multi_pass_samples import CHAINS, simulate_multi_pass
from verifier.risk.simulate import Replicates

PLACES = ((1.5, 0.2), (4.0, 0.2))
"""(beta, s)."""

DEGREES = (1.0, 1.5)
"""a of n^a draws."""

SIZES = (50, 150)


def row(beta: float, s: float, averaged: bool, degree: float, n: int, samples: int) -> tuple[float, float, float, float]:
    """The mean simulated risk with its standard error, the equivalent's risk, and the share of it that draws add."""
    of = Instance(PowerLaw(beta), CriticalTarget(s), Noise(0.5), filter=MultiPass(degree, averaged))
    sizes = np.array([float(n)])
    lam = np.atleast_1d(scheduled_ridge(of, sizes))
    engine = equivalent_for(of, sizes, lam)
    assert isinstance(engine, MultiPassEquivalent)
    kappa = engine.effective_ridge(sizes, lam)
    risk = float(engine.risk(sizes, kappa)[0])
    found = simulate_multi_pass(of, [(n, float(lam[0]))], Replicates(samples, 3))[:, 0]
    added = float(engine.from_draws(sizes, kappa)[0])
    return float(found.mean()), float(found.std(ddof=1) / np.sqrt(samples)), risk, added / risk


def main(samples: int = 64) -> None:
    """Print the table, a line as soon as it is known."""
    print(f"{samples} samples of {CHAINS} descents each, sigma = .5.\n")
    print("| beta, s | iterate | a | n | simulated | equivalent | off by, in standard errors | V / risk |")
    print("|---|---|---|---|---|---|---|---|")
    for (beta, s), averaged, degree, n in product(PLACES, (False, True), DEGREES, SIZES):
        mean, error, risk, added = row(beta, s, averaged, degree, n, samples)
        print(
            f"| {beta:g}, {s:g} | {'mean' if averaged else 'last'} | {degree:g} | {n} | {mean:.4f} +- {error:.4f} | {risk:.4f} "
            f"| {(mean - risk) / error:+.1f} | {added:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

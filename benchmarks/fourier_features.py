r"""Random Fourier features on the torus: the equivalent beside regressions on real cosines and sines of uniform inputs.

The equivalent is that of :mod:`verifier.risk.fourier`, the regressions those of :mod:`verifier.risk.fourier_samples`, with control
variates. Where d1/n, the degrees of freedom over the sample size, is not small, the torus is not Gaussian in effect: the excess
beside (d1/n)^2 is what certification allows (:func:`verifier.verdicts.certify.relative_error`).

    python benchmarks/fourier_features.py
"""

from __future__ import annotations

import numpy as np

from verifier.instances import CriticalTarget, FourierFeatures, Instance, Noise, PowerLaw
from verifier.risk.equivalents import equivalent_for, optimal_ridge
from verifier.risk.fourier_samples import simulate_fourier
from verifier.risk.simulate import Replicates

PLACES = ((1.5, 0.3, 0.5), (2.0, 0.5, 0.5), (4.0, 0.7, 0.5), (1.71, 0.3, 0.02), (1.22, 0.63, 0.02))
"""(beta, s, sigma)."""

SETTINGS = ((50, 25), (100, 50), (200, 100), (100, 400), (200, 10_000))
"""(n, m)."""


def row(beta: float, s: float, sigma: float, n: int, m: int, replicates: int) -> tuple[float, float, float, float]:
    """The equivalent's risk at the oracle's ridge, d1/n, and the mean simulated risk over it with its standard error."""
    of = Instance(PowerLaw(beta), CriticalTarget(s=s), Noise(sigma), features=FourierFeatures(float(m), 0.0))
    sizes, lam = np.array([float(n)]), np.atleast_1d(optimal_ridge(of, n))
    engine = equivalent_for(of, sizes, lam)
    kappa = engine.effective_ridge(sizes, lam)
    risk = float(engine.risk(sizes, kappa)[0])
    draws = Replicates(replicates, 5, ("benchmark", "fourier"), controls=True)
    ratios = simulate_fourier(of, [(n, float(lam[0]))], draws)[:, 0] / risk
    used = float(engine.seen(sizes, kappa).df1[0]) / n
    return risk, used, float(ratios.mean()), float(ratios.std(ddof=1) / np.sqrt(len(ratios)))


def main(replicates: int = 150) -> None:
    """Print the equivalent beside the simulation, and the ratio with its standard error."""
    print("beta  s     sigma  n    m      equivalent  d1/n   (d1/n)^2  simulated/equivalent")
    for beta, s, sigma in PLACES:
        for n, m in SETTINGS:
            risk, used, ratio, error = row(beta, s, sigma, n, m, replicates)
            print(
                f"{beta:<5g} {s:<5g} {sigma:<6g} {n:<4} {m:<6} {risk:.6f}    {used:.3f}  {used**2:.3f}     "
                f"{ratio:.4f} +- {error:.4f}"
            )


if __name__ == "__main__":
    main()

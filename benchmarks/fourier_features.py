r"""Random Fourier features on the torus: their deterministic equivalent, against regressions on real cosines and sines.

Inputs are uniform on the torus; the kernel has the eigenvalue :math:`l_k = k^{-\beta}` on both :math:`\sqrt2\cos kx` and
:math:`\sqrt2\sin kx`, k = 1..K, and trace :math:`T = 2\sum_k l_k`. m frequencies drawn from :math:`p_k = 2l_k/T` give
:math:`(T/m)\sum_j\cos w_j(x - x')` (Rahimi and Recht 2007), ridge regression with the spectrum :math:`L_k = TM_k/(2m)`, M
multinomial. The equivalent here takes M as independent Poisson of means :math:`\mu_k = mp_k`, and means of the kernel's sums:

.. math:: d_j = 2\sum_k E\Big(\frac{L_k}{L_k + \kappa}\Big)^j, \qquad b = \sum_k f_k^2 E\frac{\kappa^2}{(L_k + \kappa)^2}, \qquad
          E = \frac{b + \sigma^2 d_2/n}{1 - d_2/n}, \qquad \lambda = \kappa(1 - d_1/n),

:math:`f_k^2 = k^{-1-2s\beta}` the energy of a pair. M = 0 leaves the energy :math:`\sum_k f_k^2e^{-\mu_k} \sim m^{-2s}`.

    python benchmarks/fourier_features.py
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

Array = NDArray[np.float64]

COUNTED_BELOW = 400.0
"""Means beyond are expanded to the second order in 1/mu; below, every count that matters is summed."""


@dataclass(frozen=True)
class Torus:
    """The regression: decay, source, noise and the number K of frequencies."""

    beta: float
    s: float
    sigma: float
    frequencies: int

    @property
    def eigenvalues(self) -> Array:
        """One for each pair, shape (K,)."""
        return np.arange(1.0, self.frequencies + 1.0) ** -self.beta

    @property
    def energy(self) -> Array:
        """Of each pair, shape (K,)."""
        return np.arange(1.0, self.frequencies + 1.0) ** (-1.0 - 2.0 * self.s * self.beta)


def sums(of: Torus, m: float, kappa: float) -> tuple[float, float, float]:
    """d_1, d_2 and b at one kappa > 0 for m features."""
    ell = of.eigenvalues
    mu, ratio = m * ell / ell.sum(), kappa * m / ell.sum()  # L/(L + kappa) = M/(M + ratio)
    first, second, lost = np.empty_like(mu), np.empty_like(mu), np.empty_like(mu)
    few = mu <= COUNTED_BELOW
    highest = float(mu[few].max(initial=0.0))
    counts = np.arange(np.ceil(highest + 12.0 * np.sqrt(highest) + 30.0))
    shrink = counts / (counts + ratio)
    chance = poisson.pmf(counts, mu[few, None])
    first[few], second[few], lost[few] = chance @ shrink, chance @ shrink**2, chance @ (1.0 - shrink) ** 2
    large = mu[~few]
    total = large + ratio
    first[~few] = large / total - large * ratio / total**3
    lost[~few] = (ratio / total) ** 2 + 3.0 * large * ratio**2 / total**4
    second[~few] = 2.0 * first[~few] - 1.0 + lost[~few]
    return 2.0 * float(first.sum()), 2.0 * float(second.sum()), float(of.energy @ lost)


def equivalent(of: Torus, n: int, m: float, kappa: float) -> tuple[float, float]:
    """Ridge lambda and excess risk; ValueError where kappa is below that of the ridge zero."""
    d1, d2, b = sums(of, m, kappa)
    if d1 >= n:
        raise ValueError(f"kappa={kappa!r} has d_1={d1:.6g}, not below n={n}; take a larger kappa")
    return kappa * (1.0 - d1 / n), (b + of.sigma**2 * d2 / n) / (1.0 - d2 / n)


def simulate(of: Torus, n: int, m: int, lam: float, generator: np.random.Generator, replicates: int) -> Array:
    """Excess risks of regressions on n uniform inputs and m drawn frequencies, shape (replicates,): sums of squared errors of
    the coefficients, target of random phases, the penalty n lambda.
    """
    ell, k = of.eigenvalues, np.arange(1, of.frequencies + 1)
    risks = np.empty(replicates)
    for replicate in range(replicates):
        drawn = generator.multinomial(m, ell / ell.sum())
        sampled = np.tile(drawn * ell.sum() / m, 2)
        phase = generator.uniform(0.0, 2.0 * np.pi, of.frequencies)
        target = np.sqrt(np.tile(of.energy, 2)) * np.concatenate([np.cos(phase), np.sin(phase)])
        angle = np.outer(generator.uniform(0.0, 2.0 * np.pi, n), k)
        basis = np.sqrt(2.0) * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        y = basis @ target + of.sigma * generator.standard_normal(n)
        gram = (basis * sampled) @ basis.T
        fitted = sampled * (basis.T @ np.linalg.solve(gram + n * lam * np.eye(n), y))
        risks[replicate] = np.sum((fitted - target) ** 2)
    return risks


def main() -> None:
    """Print the equivalent beside the simulation, and the ratio with its standard error."""
    generator = np.random.default_rng(5)
    print("beta  s     n    m    kappa   equivalent  simulated/equivalent")
    for beta, s in ((1.5, 0.3), (2.0, 0.5), (4.0, 0.7)):
        of = Torus(beta, s, 0.5, 400)
        for n, m in ((50, 25), (100, 50), (200, 100), (100, 400)):
            kappa = (n / 4.0) ** -beta
            lam, risk = equivalent(of, n, m, kappa)
            ratios = simulate(of, n, m, lam, generator, 150) / risk
            error = ratios.std(ddof=1) / np.sqrt(len(ratios))
            print(f"{beta:<5g} {s:<5g} {n:<4} {m:<4} {kappa:.5f} {risk:.6f}    {ratios.mean():.4f} +- {error:.4f}")


if __name__ == "__main__":
    main()

"""How many dependent samples are worth one independent sample: n/n_eff as measured, beside every formula that is claimed for it.

    python benchmarks/effective_sample_size.py [--samples 400] [--replicates 64] [--out docs/effective-sample-size.md]

The measured factor phi(n) is defined by E_dep(n) = E_iid(n/phi), both at their best ridge (verifier.risk.collapse). It is
found from the deterministic equivalents at four n, and from a simulated risk at one n. The page that is written says how
many of the laws each formula is right for. A minute on one core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verifier.instances import (
    AR1,
    Blocks,
    CriticalTarget,
    Dependence,
    Dependent,
    FractionalNoise,
    Independent,
    Instance,
    MovingAverage,
    Noise,
    PerCoordinate,
    PowerLaw,
    Process,
    RegimeSwitching,
    Repeated,
    Runs,
    Sticky,
    VectorAutoregression,
)
from verifier.risk.collapse import dependent_sequence, measured_factor, measured_factors
from verifier.risk.curves import learning_curve

Array = NDArray[np.float64]
Sequenced = Process | Runs

SIZES = (1e3, 1e6, 1e12)
MAIN, OTHER = (2.0, 0.5), (1.5, 0.2)
"""(beta, s) of the large table, and of the one that shows where they matter."""

Z = 2.0
"""Standard errors of the simulated risk on either side of it: 95% of such intervals hold the expected risk."""

RIGHT = 0.01
"""How far from the factor measured at n = 1e12 a formula may be and still be called right."""

LAGS = 1 << 16
"""Lags that are summed one by one; a power law goes on beyond them."""

SHOWN_LAGS = (1, 2, 5, 10)


def laws() -> dict[str, Dependence]:
    """The laws of the tables, in their order, by what they are called there."""
    found: dict[str, Dependence] = {}
    for rho in (0.5, 0.8, -0.5):
        process = AR1(rho)
        found[f"AR(1), rho = {rho:g}: inputs alone"] = Dependent(inputs=process)
        found[f"AR(1), rho = {rho:g}: noise alone"] = Dependent(noise=process)
        found[f"AR(1), rho = {rho:g}: both"] = Dependent(inputs=process, noise=process)
    average, memory = MovingAverage((1.0, 1.0)), FractionalNoise(0.9)
    found["MA(1), equal weights: both"] = Dependent(inputs=average, noise=average)
    for name, runs in (("sticky, .6", Sticky(0.6)), ("blocks of 5", Blocks(5)), ("regimes", RegimeSwitching(2.5))):
        for noise in ("fresh", "repeated"):
            found[f"{name}: {noise} noise"] = Repeated(runs, noise)
    found["coordinates AR(1) of .8 and -.3: white noise"] = PerCoordinate((0.8, -0.3))
    found["coordinates AR(1) of .8 and -.3: AR(1) noise, .5"] = PerCoordinate((0.8, -0.3), AR1(0.5))
    found["pairs turned by 60 degrees, .8: AR(1) noise, .5"] = VectorAutoregression.rotation(
        0.8, math.pi / 3.0, AR1(0.5)
    )
    turned = VectorAutoregression.symmetric(0.8, -0.3, math.pi / 4.0, AR1(0.5))
    found["pairs of .8 and -.3 along axes at 45 degrees: AR(1) noise, .5"] = turned
    found["pairs sheared, (.3, .6; 0, .3): AR(1) noise, .5"] = VectorAutoregression(((0.3, 0.6), (0.0, 0.3)), AR1(0.5))
    found["fractional noise, H = .9: inputs alone"] = Dependent(inputs=memory)
    found["fractional noise, H = .9: both"] = Dependent(inputs=memory, noise=memory)
    return found


SEQUENCES: tuple[tuple[str, Sequenced, str], ...] = (
    ("AR(1), rho = .5", AR1(0.5), "at most"),
    ("AR(1), rho = .8", AR1(0.8), "at most"),
    ("AR(1), rho = -.5", AR1(-0.5), "at most"),
    ("AR(1), rho = -.3", AR1(-0.3), "at most"),
    ("MA(1), equal weights", MovingAverage((1.0, 1.0)), "at most; exactly 0 from lag 2 on"),
    ("sticky, .6", Sticky(0.6), "exactly"),
    ("blocks of 5", Blocks(5), "exactly"),
    ("regimes, P(L >= k) = k^-2.5", RegimeSwitching(2.5), "at least, and of this order"),
    ("fractional noise, H = .9", FractionalNoise(0.9), "exactly"),
)
"""A sequence, and in which sense its mixing coefficients are known (verifier.instances.processes)."""


def the_sequence(dependence: Dependence, instance: Instance) -> Sequenced:
    """The sequence that a formula in one correlation speaks of; of several coordinates the slowest, of pairs that of the norm."""
    if isinstance(dependence, VectorAutoregression):
        return AR1(dependence.norm)
    if isinstance(dependence, PerCoordinate):
        return max(dependence.classes, key=lambda process: abs(process.rho))
    return dependent_sequence(instance)


def power_sum(coefficients: Array, power: float = 1.0) -> float:
    r""":math:`1 + 2\sum_{k \ge 1} |c_k|^p` of c_0, c_1, ..., whose last half says as what power they go on; infinite where it
    diverges.
    """
    size = np.abs(coefficients[1:]) ** power
    half, last = float(size[len(size) // 2 - 1]), float(size[-1])
    if last == 0.0:
        return 1.0 + 2.0 * float(size.sum())
    falls = math.log2(half / last)
    if falls <= 1.0 + 1e-3:
        return math.inf
    # Euler and Maclaurin: beyond K the sum is the integral less half of the last term.
    return 1.0 + 2.0 * (float(size.sum()) + last * (len(size) / (falls - 1.0) - 0.5))


@dataclass(frozen=True)
class Formula:
    """A formula for n/n_eff: its text, and its value from the dependence and the one sequence that is dependent."""

    text: str
    value: Callable[[Dependence, Sequenced], float]


def _lag_one(dependence: Dependence, sequence: Sequenced) -> float:
    rho = float(sequence.autocorrelations(1)[1])
    return (1.0 + rho) / (1.0 - rho)


FORMULAS = (
    Formula("(1+rho)/(1-rho)", _lag_one),
    Formula("1+2 sum \\|rho_k\\|", lambda _, sequence: power_sum(sequence.autocorrelations(LAGS))),
    Formula("1+2 sum \\|rho_k\\|^(1/2)", lambda _, sequence: power_sum(sequence.autocorrelations(LAGS), 0.5)),
    Formula("sum_h rho_x rho_eps", lambda dependence, _: dependence.product_sum()),
)


@dataclass(frozen=True)
class Row:
    """One law: the factor by the equivalents at the size that was simulated and at ``SIZES``, the simulated factor with its
    interval (None where nothing was simulated), and the formulas.
    """

    name: str
    near: float
    factors: tuple[float, ...]
    simulated: tuple[float, float, float] | None
    claimed: tuple[float, ...]

    @property
    def covered(self) -> bool:
        """Whether the interval holds what the equivalents give."""
        return self.simulated is not None and self.simulated[1] <= self.near <= self.simulated[2]

    def right(self, formula: int) -> bool:
        """Whether a formula gives the factor at the largest n."""
        return abs(self.claimed[formula] / self.factors[-1] - 1.0) <= RIGHT


def measure(name: str, dependence: Dependence, beta: float, s: float, samples: int, replicates: int) -> Row:
    """The row of one law; nothing is simulated with fewer than two replicates."""
    instance = Instance(PowerLaw(beta=beta), CriticalTarget(s=s), Noise(1.0), dependence=dependence)
    sequence = the_sequence(dependence, instance)
    simulated = None
    if replicates >= 2:
        curve = learning_curve(
            instance, n=(samples,), replicates=replicates, seed=0, key=("effective sample size", name)
        )
        middle, low, high = (float(x[0]) for x in measured_factors(instance, curve.n, curve.risk, curve.stderr, Z))
        simulated = middle, low, high
    return Row(
        name,
        measured_factor(instance, samples),
        tuple(measured_factor(instance, n) for n in SIZES),
        simulated,
        tuple(formula.value(dependence, sequence) for formula in FORMULAS),
    )


# ----------------------------------------------------------------------------------------------------
# The page


def number(value: float) -> str:
    """Four digits, or the word for none."""
    if not math.isfinite(value):
        return "infinite"
    return f"{value:.4g}" if value >= 1e4 else f"{value:.3f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its first column to the left."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measured_table(rows: Sequence[Row], samples: int) -> str:
    """Measured factors beside the formulas."""
    simulating = any(row.simulated for row in rows)
    header = ["law", *(f"n = {n:.0e}".replace("e+0", "e").replace("e+", "e") for n in SIZES)]
    header[1:1] = [f"n = {samples}, simulated", f"n = {samples}"] if simulating else [f"n = {samples}"]
    header += [formula.text for formula in FORMULAS] if simulating else [FORMULAS[-1].text]
    lines = []
    for row in rows:
        middle, low, high = row.simulated or (math.nan,) * 3
        shown = [f"{middle:.2f} ({low:.2f} to {high:.2f})"] if simulating else []
        claimed = row.claimed if simulating else row.claimed[-1:]
        lines.append([row.name, *shown, *(number(x) for x in (row.near, *row.factors, *claimed))])
    return table(header, lines)


def sequence_table() -> str:
    """Autocorrelations and mixing coefficients."""
    header = [
        "sequence",
        *(f"rho({k})" for k in SHOWN_LAGS),
        *(f"b({k})" for k in SHOWN_LAGS),
        "b is known",
        "1+2 sum b",
    ]
    lines = []
    for name, sequence, known in SEQUENCES:
        rho, mixing = (function(max(SHOWN_LAGS)) for function in (sequence.autocorrelations, sequence.mixing))
        total = number(power_sum(sequence.mixing(LAGS)))
        shown = [f"{float(values[k]):.4f}" for values in (rho, mixing) for k in SHOWN_LAGS]
        lines.append([name, *shown, known, total])
    return table(header, lines)


def right_laws(rows: Sequence[Row], formula: int) -> str:
    """How many laws with a limit a formula is right for, and which of those with a factor other than one."""
    limited = [row for row in rows if math.isfinite(row.claimed[-1])]
    right = [row for row in limited if row.right(formula)]
    said = f"`{FORMULAS[formula].text}`: right for {len(right)} of {len(limited)} laws".replace("\\", "")
    if formula == len(FORMULAS) - 1 or not right:
        return said + "."
    too_small = [row for row in limited if row.claimed[formula] < (1.0 - RIGHT) * row.factors[-1]]
    below = f"; too small, so not even safe, for {'; '.join(row.name for row in too_small)}" if too_small else ""
    return f"{said} ({'; '.join(row.name for row in right)}){below}."


def growth(row: Row) -> float:
    """The power of n as which a factor grows between the last two sizes."""
    return math.log(row.factors[-1] / row.factors[-2]) / math.log(SIZES[-1] / SIZES[-2])


def covering(rows: Sequence[Row]) -> str:
    """How many simulated intervals hold what the equivalents give, and which do not."""
    simulated = [(row, row.simulated) for row in rows if row.simulated is not None]
    outside = [
        f"{row.name} ({row.near:.3f}, not in {low:.3f} to {high:.3f})"
        for row, (_, low, high) in simulated
        if not row.covered
    ]
    inside = f"{len(simulated) - len(outside)} of {len(simulated)} simulated intervals"
    said = f"{inside} hold the factor of the equivalents at the same n; about 95% should."
    return f"{said} Not: {'; '.join(outside)}." if outside else said


def control_in_words(control: Row) -> str:
    """What the same procedure makes of independent samples, whose factor is one."""
    if control.simulated is None:
        return ""
    middle, low, high = control.simulated
    return (
        f"The intervals leave out the error of the equivalents, of the order 1/n (`benchmarks/equivalent_error.py`): independent "
        f"samples, whose factor is 1, show {middle:.3f} ({low:.3f} to {high:.3f}) in the same way."
    )


def endless(rows: Sequence[Row]) -> list[Row]:
    """Those whose factor has no limit."""
    return [row for row in rows if not math.isfinite(row.claimed[-1])]


def excess(rows: Sequence[Row]) -> str:
    """By how much the factor exceeds its limit at the size that was simulated, at most, and for which law."""
    worst = max((row for row in rows if row not in endless(rows)), key=lambda row: row.near / row.claimed[-1])
    return f"{worst.near / worst.claimed[-1] - 1.0:.0%} ({worst.name})"


def apart(rows: Sequence[Row], others: Sequence[Row], samples: int) -> str:
    """How far the factors of two pairs (beta, s) are from one another, at most, at each n, short and long memory apart."""
    said = []
    for words, memories in (("short memory", True), ("inputs of long memory beside white noise", False)):
        pairs = [
            (row, other)
            for row, other in zip(rows, others, strict=True)
            if row not in endless(rows) and memories != row.name.startswith("fractional")
        ]
        parts = [f"{max(abs(row.near / other.near - 1.0) for row, other in pairs):.1%} at n = {samples}"]
        for k, n in enumerate(SIZES):
            most = max(abs(row.factors[k] / other.factors[k] - 1.0) for row, other in pairs)
            parts.append(f"{most:.2%} at {n:.0e}".replace("e+0", "e").replace("e+", "e"))
        said.append(f"{words}: {', '.join(parts)}")
    return "\n".join(f"- {part}" for part in said)


def page(
    command: str, found: Mapping[tuple[float, float], Sequence[Row]], control: Row, samples: int, replicates: int
) -> str:
    """The whole page."""
    rows, others = found[MAIN], found[OTHER]
    powers = " and like ".join(
        f"n^{growth(row):.2f} at beta = {beta:g}, s = {s:g}" for (beta, s), own in found.items() for row in endless(own)
    )
    return f"""# n/n_eff, measured

Written by `{command}`.

How many dependent samples are worth one independent sample? The factor phi(n) is not assumed but measured: it is the number with
E_dep(n) = E_iid(n/phi), both at the ridge that is best for them. Curves collapse on n/Phi if phi(n) tends to Phi. Spectrum
i^-beta, critical target of index s, noise sigma = 1.

- *n = {samples}, simulated*: the mean risk of {replicates} samples of the law, turned into a factor; the interval takes
  {Z:g} standard errors of the risk either way.
- *n = ...*: both risks by their deterministic equivalents (`verifier/risk/dependent.py`, `verifier/risk/profiles.py`,
  `verifier/risk/blocks.py`).
- rho_k is the autocorrelation at lag k, and rho that at lag 1, of the inputs, of the noise where the inputs are independent, of the
  slowest coordinate where they differ; of pairs that are coupled, |rho_k| is taken for the k-th power of the norm of their matrix,
  which bounds all correlations at lag k. rho_x and rho_eps are those of inputs and noise; for samples that are repeated with their
  noise sum_h rho_x rho_eps stands for sum_h P(same run), and for several coordinates for its mean over them: of pairs half of the
  trace of sum_h M^|h| rho_eps(h).
- Sticky: the last sample once more with probability .6. Regimes: runs of length L, P(L >= k) = k^-2.5. AR(1) has
  \\|rho_k\\| = \\|rho\\|^k.

## beta = {MAIN[0]:g}, s = {MAIN[1]:g}

{measured_table(rows, samples)}

Formulas beside the factor at n = 1e12, to {RIGHT:.0%}:

{chr(10).join("- " + right_laws(rows, k) for k in range(len(FORMULAS)))}

{covering(rows)} {control_in_words(control)}

The limit is no bound at finite n: at n = {samples} the factor exceeds it by up to {excess(rows)}.

No limit: {"; ".join(row.name for row in endless(rows))}. The sum diverges, and the factor grows from n = 1e6 to 1e12 like
{powers}: there is no effective sample size that only the dependence decides.

## beta = {OTHER[0]:g}, s = {OTHER[1]:g}

{measured_table(others, samples)}

Spectrum and target do not matter where n is large and matter where it is small. The factors of the two pairs (beta, s) differ by
up to

{apart(rows, others, samples)}

What is missing to the limit falls with d1/n, the degrees of freedom over the samples, or as a small power of it where memory is
long. Nothing is missing for blocks of one length that are repeated with their noise, nor for noise that is dependent alone.

## Autocorrelations and mixing coefficients

Of one coordinate. b(k) are the coefficients of absolute regularity (beta-mixing), as far as they are known
(`verifier/instances/processes.py` has the sources); the last column is what they would make of n/n_eff with infinitely many
moments, 1 + 2 sum_k b(k). Infinitely many independent coordinates of one Gaussian sequence have b(k) = 1 at every lag beyond which
they are not independent altogether: for an autoregression at every lag, so that its sum is infinite. What one coordinate gives is
the most that the claim can mean for it; for a moving average of order q the true sum is 1 + 2q, which bounds the variance
(`L4/true-mixing-coefficients`).

{sequence_table()}

Over random instances the readings are judged in `properties/theorem_4.py` and `properties/lemma_4.py`.
"""


def main(arguments: Sequence[str] | None = None) -> dict[tuple[float, float], list[Row]]:
    """Measure, write the page, return the rows by (beta, s)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--replicates", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("docs/effective-sample-size.md"))
    options = parser.parse_args(arguments)
    found = {
        pair: [
            measure(name, dependence, *pair, options.samples, options.replicates if pair == MAIN else 0)
            for name, dependence in laws().items()
        ]
        for pair in (MAIN, OTHER)
    }
    control = measure("independent samples", Independent(), *MAIN, options.samples, options.replicates)
    command = (
        f"python benchmarks/effective_sample_size.py --samples {options.samples} --replicates {options.replicates}"
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(command, found, control, options.samples, options.replicates), encoding="utf-8")
    return found


if __name__ == "__main__":
    main()

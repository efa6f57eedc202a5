"""The degree q from which on m = c n^q features keep the exponent: the boundary that a map finds, beside what theory says.

    python benchmarks/critical_degree.py [--judgements 220] [--out docs/critical-degree.md]

For five pairs (beta, s) the readings T5/every-degree (Gaussian features), T5/nystrom-every-degree (landmarks) and
T5/fourier-every-degree (Fourier features on the torus) are mapped over q, as `verifier map` does, which knows nothing of the
critical degree. Then the floor that m Gaussian features leave with infinitely many samples, against m, beside a simulation of it.
Three to five minutes on one core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

from properties import theorem_5, theorem_5_fourier, theorem_5_nystrom
from properties.hypotheses import critical_degree
from properties.strategies.fourier import critical_degree_of_frequencies
from properties.strategies.nystrom import critical_degree_of_landmarks
from properties.theorem_5 import degree_of_rudi_and_rosasco
from verifier.claims import Claim
from verifier.instances import CriticalTarget, Instance, Noise, PowerLaw
from verifier.risk.streams import stream
from verifier.risk.widths import FloorOfWidth
from verifier.verdicts.mapping import DRAWS, FAILS, HOLDS, Boundary, ReadingMap, map_reading

Array = NDArray[np.float64]

PAIRS = ((1.5, 0.3), (4.0, 0.4), (1.3, 0.9), (2.0, 0.75), (2.0, 0.5))
"""(beta, s)."""

RANGE = (0.1, 0.7)
"""Of q: every critical degree of Gaussian features and landmarks lies in it, and nothing else about them was used."""

WIDE = (0.1, 1.2)
"""The same for Fourier features."""

WIDTHS = (10.0, 1e2, 1e3, 1e4, 1e5)
DECADE = math.log(10.0)
SIMULATED = (10, 100)
"""Widths at which the floor is simulated."""

HEAD = 4000
"""Coordinates that a simulated floor draws one by one."""


def claim_of(readings: Iterable[Claim], name: str) -> Claim:
    """The reading with this id."""
    return next(claim for claim in readings if claim.id == name)


def plain(beta: float, s: float) -> Instance:
    """The instance of a pair, whatever its features."""
    return Instance(PowerLaw(beta=beta), CriticalTarget(s=s), Noise(1.0))


@dataclass(frozen=True)
class Family:
    """A kind of features with its map and its critical degree."""

    name: str
    claim: Claim
    critical: Callable[[Instance], float]
    range: tuple[float, float] = RANGE


FAMILIES = (
    Family("Gaussian features", claim_of(theorem_5.READINGS, "T5/every-degree"), critical_degree),
    Family("Landmarks", claim_of(theorem_5_nystrom.READINGS, "T5/nystrom-every-degree"), critical_degree_of_landmarks),
    Family(
        "Fourier features",
        claim_of(theorem_5_fourier.READINGS, "T5/fourier-every-degree"),
        critical_degree_of_frequencies,
        WIDE,
    ),
)


@dataclass(frozen=True)
class Mapped:
    """The map of one family at one pair, and q* there."""

    family: Family
    beta: float
    s: float
    critical: float
    found: ReadingMap

    @property
    def boundary(self) -> Boundary | None:
        """The boundary, where there is exactly one."""
        return self.found.boundaries[0] if len(self.found.boundaries) == 1 else None

    @property
    def summary(self) -> str:
        """One line."""
        found = ", ".join(f"{b.at:.4f} ({b.interval[0]:.4f} to {b.interval[1]:.4f})" for b in self.found.boundaries)
        return f"{self.family.name}, beta = {self.beta:g}, s = {self.s:g}: q* = {self.critical:.4f}, found {found or 'none'}"

    @property
    def agrees(self) -> bool:
        """Whether q* lies in the interval of the only boundary."""
        one = self.boundary
        return one is not None and one.interval[0] <= self.critical <= one.interval[1]


def mapped(family: Family, beta: float, s: float, judgements: int) -> Mapped:
    """Map a family over q at one pair."""
    found = map_reading(
        family.claim, x="q", fixed={"beta": beta, "s": s}, ranges={"q": family.range}, judgements=judgements, seed=0
    )
    return Mapped(family, beta, s, family.critical(plain(beta, s)), found)


# ----------------------------------------------------------------------------------------------------
# The floor


@dataclass(frozen=True)
class Floor:
    """The floor of one pair at ``WIDTHS``, its slope from 1e4 to 1e5 and over the last decade that can be followed, and simulated
    floors with their standard errors.
    """

    beta: float
    s: float
    values: tuple[float, ...]
    slope: float
    far_slope: float
    farthest: float
    simulated: tuple[tuple[float, float], ...]

    @property
    def claimed(self) -> float:
        """beta min(2s, 1)."""
        return self.beta * min(2.0 * self.s, 1.0)


def simulated_floor(instance: Instance, m: int, draws: int) -> tuple[float, float]:
    r"""Mean and standard error of the risk that m Gaussian features leave at infinitely many samples, without ridge:
    :math:`|f|^2 - u^T (G\Sigma G^T)^{-1} u`, :math:`u = G\Sigma^{1/2} f`.

    The coordinates beyond ``HEAD`` >> m are summed in law: their part of :math:`G\Sigma G^T` is its mean, a multiple of the
    identity, up to a relative error :math:`(m/HEAD)^{1/2}` of a small part; their part of u is Gaussian.
    """
    beta, power = instance.beta, 2.0 * instance.beta * instance.s + 1.0
    log_index = np.log(np.arange(1.0, HEAD + 1.0))
    log_ell = instance.spectrum.log_eigenvalues(log_index)
    log_square = 2.0 * instance.target.l2_index * log_ell + instance.target.log_energy(log_index, log_ell)
    ell, square = np.exp(log_ell), np.exp(log_square)
    trace_beyond = ell[-1] * HEAD**beta * zeta(beta, HEAD + 1.0)
    target_beyond = square[-1] * HEAD**power * zeta(power, HEAD + 1.0)
    mixed_beyond = ell[-1] * square[-1] * HEAD ** (beta + power) * zeta(beta + power, HEAD + 1.0)
    risks = []
    for r in range(draws):
        generator = stream(0, "benchmark", "floor of width", m, r)
        rows = generator.standard_normal((m, HEAD)) * np.sqrt(ell)
        u = rows @ np.sqrt(square) + math.sqrt(mixed_beyond) * generator.standard_normal(m)
        kernel = rows @ rows.T + trace_beyond * np.eye(m)
        risks.append(square.sum() + target_beyond - u @ np.linalg.solve(kernel, u))
    return float(np.mean(risks)), float(np.std(risks, ddof=1) / math.sqrt(draws))


def floor(beta: float, s: float, draws: int) -> Floor:
    """The floor at one pair."""
    instance, observable = plain(beta, s), FloorOfWidth()
    values = observable.log_values(instance, np.log(WIDTHS), "optimal")
    last = observable.log_range(instance, "optimal")[1]
    far = observable.log_values(instance, np.array([last - DECADE, last]), "optimal")
    return Floor(
        beta,
        s,
        tuple(float(x) for x in np.exp(values)),
        float(values[-2] - values[-1]) / DECADE,
        float(far[0] - far[1]) / DECADE,
        last / DECADE,
        tuple(simulated_floor(instance, m, draws) for m in SIMULATED),
    )


# ----------------------------------------------------------------------------------------------------
# The page


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its first column to the left."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def map_table(maps: Sequence[Mapped], landmarks: bool) -> str:
    """Boundaries beside q*."""
    header = ["beta, s", "q*", "boundary", "interval", "holds at", "fails at", "confirmed", "from", "q* inside"]
    if not landmarks:
        header[2:2] = ["p/beta", "1 - p", "Rudi and Rosasco"]
    lines = []
    for one in maps:
        line = [f"{one.beta:g}, {one.s:g}", f"{one.critical:.4f}"]
        if not landmarks:
            instance = plain(one.beta, one.s)
            power = instance.schedule_power
            sufficient = f"{degree_of_rudi_and_rosasco(instance):.4f}" if one.s >= 0.5 else "s < 1/2"
            line += [f"{power / one.beta:.4f}", f"{1.0 - power:.4f}", sufficient]
        found = one.boundary
        if found is None:
            count = len(one.found.boundaries)
            line += [f"{count} boundaries", *["-"] * 5, "no"]
        else:
            low, high = found.interval
            line += [
                f"{found.at:.4f}",
                f"{low:.4f} to {high:.4f}",
                f"{found.holds:.4f}",
                f"{found.fails:.4f}",
                "yes" if found.confirmed else "no",
                found.method,
                "yes" if one.agrees else "no",
            ]
        lines.append(line)
    return table(header, lines)


def agreement(maps: Sequence[Mapped]) -> str:
    """What agrees and what does not, in words."""
    apart = [one for one in maps if not one.agrees]
    away = [abs(one.boundary.at - one.critical) for one in maps if one.boundary is not None]
    widths = [one.boundary.interval[1] - one.boundary.interval[0] for one in maps if one.boundary is not None]
    said = f"q* lies in {len(maps) - len(apart)} of {len(maps)} intervals"
    if away:
        said += f"; the boundary is less than {math.ceil(1e3 * max(away) + 1e-9) / 1e3:.3f} from it"
        said += f", and the intervals are {min(widths):.3f} to {max(widths):.3f} wide"
    said += "."
    for one in apart:
        found = one.boundary
        what = f"{len(one.found.boundaries)} boundaries were found" if found is None else (
            f"the interval is {found.interval[0]:.4f} to {found.interval[1]:.4f}, q* = {one.critical:.4f}"
        )  # fmt: skip
        said += f" Not at beta = {one.beta:g}, s = {one.s:g}: {what}."
    decided = [(one, point) for one in maps for point in one.found.points if point.status in (HOLDS, FAILS)]
    astray = [(one, point) for one, point in decided if (point.status == HOLDS) != (point.x >= one.critical)]
    unnoticed = [
        point
        for one, point in astray
        if one.boundary is not None and one.boundary.interval[0] <= point.x < one.critical and point.status == HOLDS
    ]
    said += f" {len(decided)} of {sum(len(one.found.points) for one in maps)} points were decided"
    said += f", {len(decided) - len(astray)} of them as theory has it"
    if unnoticed:
        said += f"; {len(unnoticed)} hold just below q*, inside the interval"
        said += ", where what is missing to alpha is too little to be noticed"
    if len(astray) > len(unnoticed):
        said += f"; {len(astray) - len(unnoticed)} contradict it"
    said += "."
    return said


def remarks(maps: Sequence[Mapped]) -> str:
    """The remarks of the maps, each once."""
    notes: dict[str, list[str]] = {}
    for one in maps:
        for note in one.found.notes:
            notes.setdefault(note, []).append(f"{one.family.name.lower()}, beta = {one.beta:g}, s = {one.s:g}")
    return "\n".join(f"- {note} ({'; '.join(where)})" for note, where in notes.items())


def floor_table(floors: Sequence[Floor]) -> str:
    """Floors, slopes and simulated floors."""
    header = [
        "beta, s",
        *(f"m = {m:g}" for m in WIDTHS),
        "slope, 1e4 to 1e5",
        "slope, far out",
        "at m =",
        "beta min(2s, 1)",
    ]
    lines = []
    for one in floors:
        values = [f"{value:.4g}" for value in one.values]
        for place, (mean, error) in enumerate(one.simulated):
            values[place] += f" ({mean:.4g} +- {error:.1g})"
        slopes = [f"{one.slope:.4f}", f"{one.far_slope:.4f}", f"1e{one.farthest:.0f}", f"{one.claimed:.4g}"]
        lines.append([f"{one.beta:g}, {one.s:g}", *values, *slopes])
    return table(header, lines)


def floors_in_words(floors: Sequence[Floor], draws: int) -> str:
    """What agrees about the floors."""
    said = [
        f"In brackets the mean and the standard error of {draws} simulated floors, on the same draws for every pair:"
    ]
    for place, m in enumerate(SIMULATED):
        pairs = [(one.values[place], *one.simulated[place]) for one in floors]
        off = max(abs(mean - value) / error for value, mean, error in pairs)
        away = [mean / value - 1.0 for value, mean, _ in pairs]
        said.append(
            f"at m = {m} they are {min(away):+.1%} to {max(away):+.1%} from the equivalent, at most {off:.1f} standard errors"
            f"{';' if m != SIMULATED[-1] else '.'}"
        )
    for one in floors:
        near = max(abs(one.slope - one.claimed), abs(one.far_slope - one.claimed)) <= 0.02
        if not near:
            said.append(
                f"At beta = {one.beta:g}, s = {one.s:g} the slope is {one.slope:.3f} from 1e4 to 1e5 and "
                f"{one.far_slope:.3f} far out, where {one.claimed:g} is claimed."
            )
    said.append(
        "The other slopes are within .02 of the claimed ones. At s = 1/2 a logarithm multiplies m^-beta, "
        "which takes about 1/ln m off the slope."
    )
    return " ".join(said)


def page(command: str, maps: Sequence[Mapped], floors: Sequence[Floor], judgements: int, draws: int) -> str:
    """The whole page."""
    gaussian, landmarks, fourier = ([one for one in maps if one.family is family] for family in FAMILIES)
    example = " ".join(f"--set {name}={value:g}" for name, value in zip(("beta", "s"), PAIRS[0], strict=True))
    return f"""# The critical degree, measured

Written by `{command}`.

Theorem 5 lets the number of features grow, m = c n^q, and names no q. From which q on is the exponent of the risk still that of the
kernel, alpha = 2s/(2s + 1/beta)? Each row is a map, `verifier map T5/every-degree --x q {example}
--range q={RANGE[0]:g}:{RANGE[1]:g} --judgements {judgements}`: the constant c and the noise are drawn, a point q holds if {DRAWS}
draws were judged and none was violated, and the violation next to the boundary is confirmed on fresh randomness. The map knows
no theory.
*From* says how the boundary was found: *gap*, the missing exponent was followed and continued to zero; *bracket*, the middle
between the points.

## Gaussian features

Theory: q* = max(p/beta, 1 - p), p = 1/(2s + 1/beta) (Defilippis, Loureiro and Misiakiewicz 2024; derived in
`properties/theorem_5.py`). Beside it the degree that Rudi and Rosasco (2017, Theorem 3) prove sufficient for bounded features and
s >= 1/2, (1 + (2s - 1)/beta) p.

{map_table(gaussian, landmarks=False)}

{agreement(gaussian)}

## Landmarks

Theory: q* = 1/(2 beta min(s, 1) + 1), the degree of the effective dimension (`properties/theorem_5_nystrom.py`).

{map_table(landmarks, landmarks=True)}

{agreement(landmarks)}

## Fourier features on the torus

Theory: q* = p = 1/(2s + 1/beta) (`properties/theorem_5_fourier.py`): frequencies drawn by their eigenvalues, of which m draws give
about m^(1/beta) different ones. `verifier map T5/fourier-every-degree --x q {example} --range
q={WIDE[0]:g}:{WIDE[1]:g} --judgements {judgements}`.

{map_table(fourier, landmarks=True)}

{agreement(fourier)}

## Remarks of the maps

{remarks(maps)}

## The floor of a fixed width

With m Gaussian features and infinitely many samples the risk does not fall below a floor. Theory: it is of the order
m^-(beta min(2s, 1)). The numbers are those of the equivalent (`FloorOfWidth` in `verifier/risk/widths.py`).

{floor_table(floors)}

{floors_in_words(floors, draws)}
"""


def main(arguments: Sequence[str] | None = None) -> tuple[list[Mapped], list[Floor]]:
    """Map, write the page, return the maps and the floors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judgements", type=int, default=220)
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="How many of the pairs (beta, s).")
    parser.add_argument("--draws", type=int, default=32, help="Of a simulated floor.")
    parser.add_argument("--out", type=Path, default=Path("docs/critical-degree.md"))
    options = parser.parse_args(arguments)
    pairs = PAIRS[: options.pairs]
    floors = [floor(*pair, options.draws) for pair in pairs]
    maps = []
    for family in FAMILIES:
        for pair in pairs:
            maps.append(mapped(family, *pair, options.judgements))
            print(maps[-1].summary, flush=True)
    command = f"python benchmarks/critical_degree.py --judgements {options.judgements} --draws {options.draws}"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(command, maps, floors, options.judgements, options.draws), encoding="utf-8")
    return maps, floors


if __name__ == "__main__":
    main()

r"""A figure of the paper drawn again: curves, slopes, and in words what they show (:mod:`verifier.exhibits`).

A curve is the deterministic equivalent of the excess risk at the claim's ridge, where the instance has one, with simulated risks
beside it at the sample sizes that the panel names. Samples of different sizes are drawn independently, as an experiment would
draw them, and shared between the curves of a panel, so that differences between curves are sharper than either.

*Slopes.* Over a window, the equivalent's slope is that of least squares in ln n over a uniform grid. Where at least three
simulated sizes lie in the window, theirs comes from generalised least squares with its interval (:mod:`verifier.verdicts.slopes`);
those weights prefer the sizes at which the risk is known best, so that on a curve that bends it is another mean of the local slope,
and the slope that the same weights give to the equivalent stands beside it: the two agree where simulation and equivalent do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.claims import Claim
from verifier.exhibits import Exhibit, Panel, Series, Window
from verifier.instances import GaussianDesign, Independent, Instance, MixtureSamples
from verifier.risk.curves import Curve, learning_curves
from verifier.risk.equivalents import equivalent_risk
from verifier.risk.mixtures import mixture_risk
from verifier.risk.observables import ExcessRisk
from verifier.risk.simulators import has_equivalent
from verifier.verdicts.extrapolate import local_exponents
from verifier.verdicts.findings import crossover_record, tuning_name
from verifier.verdicts.slopes import fit_slope

Array = NDArray[np.float64]

REPLICATES = 16
DIRECTIONS = 256
"""Leading directions that are simulated; the others are the ridge that they tend to. All of 512 change a risk by less than 1e-4."""
POINTS_A_DECADE = 16
FEWEST_SIZES = 3
LEVEL = 0.95
CLOSE = 0.05
"""Distance of a slope from the claimed one that is said to be none, as in the readings of Figure 4."""


def reproduce(claim: Claim, seed: int = 0) -> dict[str, Any]:
    """The exhibit of a claim as a record: panels with their curves, simulated points, slopes and crossovers, and sentences.

    ValueError where the claim has no exhibit.
    """
    exhibit = claim.exhibit
    if exhibit is None:
        raise ValueError(f"claim {claim.id} has no exhibit; give it one: Claim(exhibit=Exhibit(...))")
    clock = time.perf_counter()
    panels = []
    drawn: dict[tuple[Any, ...], Sequence[Curve | None]] = {}  # the same curves on another axis are the same samples
    for place, panel in enumerate(exhibit.panels):
        shown = (tuple(each.instance for each in panel.series), panel.simulated)
        if shown not in drawn:
            drawn[shown] = _simulated(claim, panel, seed, ("exhibit", place))
        panels.append(_panel(claim, exhibit, place, drawn[shown]))
    return {
        "id": claim.id,
        "claim": claim.statement_id,
        "text": exhibit.text,
        "seed": seed,
        "replicates": REPLICATES,
        "tuning": tuning_name(claim),
        "panels": panels,
        "message": "",
        "seconds": time.perf_counter() - clock,
    }


def failed(claim: Claim, seed: int, message: str) -> dict[str, Any]:
    """The record of an exhibit that could not be drawn, with the reason."""
    return {
        "id": claim.id,
        "claim": claim.statement_id,
        "text": "" if claim.exhibit is None else claim.exhibit.text,
        "seed": seed,
        "replicates": 0,
        "tuning": "",
        "panels": [],
        "message": message,
        "seconds": 0.0,
    }


def _panel(claim: Claim, exhibit: Exhibit, place: int, simulated: Sequence[Curve | None]) -> dict[str, Any]:
    panel = exhibit.panels[place]
    grid = _grid(panel.n)
    series: list[dict[str, Any]] = []
    for each, curve in zip(panel.series, simulated, strict=True):
        drawn = has_equivalent(each.instance, claim.simulator)
        series.append(
            {
                "label": each.label,
                "describe": each.instance.describe(),
                "instance": each.instance.to_json(),
                "claimed": each.claimed,
                **_drawn(claim, each, grid, drawn),
                "simulated": None if curve is None else _simulation(curve, each.worth),
                "slopes": [_slope(claim, each, window, curve, drawn) for window in panel.windows],
                "crossover": crossover_record(each.instance, claim.tuning),
                "apart": None,
            }
        )
    if exhibit.apart is not None:
        for other in series[1:]:
            other["apart"] = _apart(series[0], other, exhibit.apart)
    record: dict[str, Any] = {
        "title": panel.title,
        "text": panel.text,
        "variable": panel.variable,
        "n": list(panel.n),
        "apart": exhibit.apart,
        "series": series,
    }
    return {**record, "findings": _sentences(record)}


def _grid(window: Window) -> Array:
    low, high = (math.log10(end) for end in window)
    return np.logspace(low, high, max(2 * POINTS_A_DECADE, math.ceil((high - low) * POINTS_A_DECADE)) + 1)


def _equivalent(claim: Claim, instance: Instance, n: Array) -> Array:
    return np.exp(ExcessRisk().log_values(instance, np.log(n), claim.tuning))


def _drawn(claim: Claim, series: Series, grid: Array, drawn: bool) -> dict[str, Any]:
    """The points of the equivalent and its local slopes; None where the instance has no equivalent."""
    if not drawn:
        return {"equivalent": None, "local_slope": None}
    risk = _equivalent(claim, series.instance, grid / series.worth)
    kept = np.isfinite(risk) & (risk > 0.0)
    log_n, slope = local_exponents(np.log(grid[kept]), np.log(risk[kept]))
    return {
        "equivalent": {"n": grid[kept].tolist(), "risk": risk[kept].tolist()},
        "local_slope": {"n": np.exp(log_n).tolist(), "slope": slope.tolist()},
    }


def _simulated(claim: Claim, panel: Panel, seed: int, key: tuple[str | int, ...]) -> Sequence[Curve | None]:
    """A curve for each series: samples independent between sizes, shared between series."""
    if not panel.simulated:
        return [None] * len(panel.series)
    instances = [each.instance for each in panel.series]
    plain = claim.simulator is None and all(
        isinstance(each.design, GaussianDesign) and each.dependence == Independent() and not each.features.finite
        for each in instances
    )
    pieces = [
        learning_curves(
            instances,
            n=(n,),
            replicates=REPLICATES,
            seed=seed,
            tuning=claim.tuning,
            key=(claim.id, *key, n),
            directions=DIRECTIONS if plain else None,
            simulator=claim.simulator,
        )
        for n in panel.simulated
    ]
    return [_joined([piece[place] for piece in pieces]) for place in range(len(instances))]


def _joined(pieces: Sequence[Curve]) -> Curve:
    first = pieces[0]
    return Curve(
        instance=first.instance,
        n=np.concatenate([piece.n for piece in pieces]),
        lam=np.concatenate([piece.lam for piece in pieces]),
        samples=np.concatenate([piece.samples for piece in pieces], axis=1),
        tuning=first.tuning,
        replicates=first.replicates,
        seed=first.seed,
        key=first.key,
    )


def _simulation(curve: Curve, worth: float) -> dict[str, list[float]]:
    return {
        "n": [int(n) if worth == 1.0 else worth * float(n) for n in curve.n],
        "lam": curve.lam.tolist(),
        "risk": curve.risk.tolist(),
        "stderr": curve.stderr.tolist(),
    }


def _slope(claim: Claim, series: Series, window: Window, curve: Curve | None, drawn: bool) -> dict[str, Any]:
    """Slopes over one window: of the equivalent, of the simulation, and of the equivalent with the simulation's weights."""
    found: dict[str, Any] = {
        "n": list(window),
        "equivalent": None,
        "simulated": None,
        "interval": None,
        "same_weights": None,
    }
    if drawn:
        n = _grid(window)
        risk = _equivalent(claim, series.instance, n / series.worth)
        if np.all(np.isfinite(risk) & (risk > 0.0)):
            found["equivalent"] = -float(np.polyfit(np.log(n), np.log(risk), 1)[0])
    if curve is None:
        return found
    inside = (series.worth * curve.n >= window[0]) & (series.worth * curve.n <= window[1])
    if inside.sum() < FEWEST_SIZES:
        return found
    part = Curve(
        curve.instance,
        curve.n[inside],
        curve.lam[inside],
        curve.samples[:, inside],
        curve.tuning,
        curve.replicates,
        curve.seed,
    )
    fit = fit_slope(part)
    found["simulated"], found["interval"] = fit.exponent, list(fit.interval(LEVEL))
    if drawn:
        found["same_weights"] = fit.project(_expected(part))
    return found


def _expected(curve: Curve) -> Array:
    """The equivalent of the design at the sizes and ridges of a curve."""
    n = curve.n.astype(np.float64)
    if isinstance(curve.instance.design, MixtureSamples):
        return mixture_risk(curve.instance, n=n, lam=curve.lam)
    return np.asarray(equivalent_risk(curve.instance, n=n, lam=curve.lam))


def _apart(first: Mapping[str, Any], other: Mapping[str, Any], factor: float) -> float | None:
    """The smallest n from which on the risk is more than ``factor`` away from that of the first curve, above or below it; None
    where it ends nearer.
    """
    if first["equivalent"] is None or other["equivalent"] is None:
        return None
    n, over = _over(first, other)
    beyond = (over if over[-1] > 0.0 else -over) - math.log(factor)
    near = np.flatnonzero(beyond <= 0.0)
    if near.size == 0:
        return float(n[0])
    last = int(near[-1])
    if last == len(n) - 1:
        return None
    return float(np.exp(np.interp(0.0, beyond[last : last + 2], np.log(n[last : last + 2]))))


def _over(first: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Array, Array]:
    """The n of a curve, and ln of its risk over that of the first curve there."""
    n, risk = (np.asarray(other["equivalent"][name]) for name in ("n", "risk"))
    base = np.interp(np.log(n), np.log(first["equivalent"]["n"]), np.log(first["equivalent"]["risk"]))
    return n, np.log(risk) - base


def _sentences(panel: Mapping[str, Any]) -> list[str]:
    """What a panel shows, from its numbers alone."""
    series, variable = panel["series"], panel["variable"]
    found = [_window_sentence(series, place, variable) for place in range(len(series[0]["slopes"]))]
    factor = panel["apart"]
    if factor is not None and len(series) > 1:
        parted = [each for each in series if each["apart"] is not None]
        first = series[0]["label"]
        for each in parted:
            above = _over(series[0], each)[1][-1] > 0.0
            where = f"more than {factor:g} times that of" if above else f"less than 1/{factor:g} of that of"
            found.append(
                f"From {variable} = {_size(each['apart'])} on the risk of '{each['label']}' is {where} '{first}'"
            )
        if not parted:
            last = _size(panel["n"][1])
            found.append(f"At {variable} = {last} no curve is a factor of {factor:g} away from '{first}'")
    found += [f"'{each['label']}': {each['crossover']['text']}" for each in series if each["crossover"] is not None]
    return [sentence for sentence in found if sentence]


def _window_sentence(series: Sequence[Mapping[str, Any]], place: int, variable: str) -> str:
    """How far the slopes of the curves over one window are from those claimed for them."""
    slopes = [(each, _best(each["slopes"][place])) for each in series if each["claimed"] is not None]
    known = [(each["label"], slope, slope - each["claimed"]) for each, slope in slopes if slope is not None]
    if not known:
        return ""
    low, high = (_size(end) for end in series[0]["slopes"][place]["n"])
    window = f"Between {variable} = {low} and {high}"
    off = [(label, slope, gap) for label, slope, gap in known if abs(gap) > CLOSE]
    near = [abs(gap) for _, _, gap in known if abs(gap) <= CLOSE]
    if not off:
        curves = "the slope is" if len(known) == 1 else "all slopes are"
        return f"{window} {curves} within {_up(max(near))} of the claimed exponent"
    said = ", that of ".join(
        f"'{label}' is {slope:.3f}, {abs(gap):.3f} {'below' if gap < 0 else 'above'} the claimed exponent"
        for label, slope, gap in off
    )
    return f"{window} the slope of {said}" + (f"; the others are within {_up(max(near))} of theirs" if near else "")


def _best(slope: Mapping[str, Any]) -> float | None:
    """The slope to speak of: the equivalent's, whose window counts evenly, or else the simulated one."""
    found: float | None = slope["equivalent"] if slope["equivalent"] is not None else slope["simulated"]
    return found


def _up(value: float) -> str:
    """A distance rounded up to three decimals: "within" must stay true."""
    return f"{math.ceil(value * 1000.0) / 1000.0:.3f}"


def _size(n: float) -> str:
    """A sample size in words: 3200, 2.6e5, 1e16."""
    if n < 1e4:
        return f"{n:.0f}"
    mantissa, exponent = f"{n:.1e}".split("e")
    mantissa = mantissa.removesuffix(".0")
    return f"10^{int(exponent)}" if mantissa == "1" else f"{mantissa} × 10^{int(exponent)}"

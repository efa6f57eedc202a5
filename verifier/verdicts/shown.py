r"""What is shown beside an instance whose samples depend on one another, or whose features are finitely many.

Of a dependence: the autocorrelations of inputs and noise at a few lags; what is known there of the mixing coefficients b(k) of the
inputs, with the word whether it is exact or a bound (the sources stand at ``mixing`` in :mod:`verifier.instances.processes`); and
the long-run variance of the products of inputs and noise, :math:`\sum_h \rho_x(h) \rho_\varepsilon(h)`, which decides the curve at
leading order (:mod:`verifier.risk.collapse`); of uncentred inputs also the variance of the mean of the noise
(:mod:`verifier.risk.means`). Of features: their number m at three sample sizes. Nothing here decides a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from verifier.instances import (
    Blocks,
    Dependence,
    Dependent,
    FractionalNoise,
    Independent,
    Instance,
    PerCoordinate,
    Process,
    RegimeSwitching,
    Repeated,
    Runs,
    Sticky,
    UncentredDesign,
    VectorAutoregression,
    White,
)
from verifier.instances.dependence import REPEATED
from verifier.instances.processes import reach
from verifier.records import finite_or_none
from verifier.risk.means import mean_inflation

LAGS = (1, 2, 3, 5, 10, 100)
SIZES = (1e3, 1e6, 1e9)

EXACT, UPPER, LOWER, DECLARED = "exact", "upper bound", "lower bound", "as declared"


def dependence_record(instance: Instance) -> dict[str, Any] | None:
    """Autocorrelations, mixing coefficients and sums of products as JSON; None for independent samples.

    ``rows`` hold a value at each of ``lags``, with a word in ``known`` for mixing coefficients and none for correlations; of the
    ``sums``, None is one that diverges.
    """
    dependence = instance.dependence
    if dependence == Independent():
        return None
    record = {
        "lags": list(LAGS),
        "rows": [*_correlations(dependence), *_mixing(dependence, endless=math.isinf(instance.spectrum.size))],
        "sums": _sums(dependence),
    }
    return record | ({"mean": _mean(dependence)} if isinstance(instance.design, UncentredDesign) else {})


def width_record(instance: Instance) -> dict[str, Any] | None:
    """The number m of features at each of three n as JSON, None where it is too large for a double; None for infinitely many
    features at every n.
    """
    if not instance.features.finite:
        return None
    return {"n": list(SIZES), "m": [finite_or_none(m) for m in instance.features.width(np.array(SIZES))]}


def shown_lines(case: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the record of a case says of dependence and width, in lines of a name and a text; none where it says nothing."""
    lines: list[tuple[str, str]] = []
    if dependence := case.get("dependence"):
        at = f"at lags {', '.join(map(str, dependence['lags']))}: "
        for name, known in (("over time", False), ("mixing", True)):
            rows = [_row_text(row) for row in dependence["rows"] if bool(row["known"]) is known]
            if rows:
                lines.append((name, at + "; ".join(rows)))
        for each in dependence["sums"]:
            value = "diverges" if each["value"] is None else f"= {each['value']:.4g}"
            lines.append(("products", f"{each['of']} {value}"))
        if mean := dependence.get("mean"):
            parts = [
                f"{cost:.3g} at n = 1e{round(math.log10(n))}" for n, cost in zip(mean["n"], mean["cost"], strict=True)
            ]
            lines.append(("mean", f"{mean['of']} {', '.join(parts)}"))
    if width := case.get("width"):
        pairs = zip(width["n"], width["m"], strict=True)
        parts = [
            f"{'beyond any double' if m is None else f'{m:.4g}'} at n = 1e{round(math.log10(n))}" for n, m in pairs
        ]
        lines.append(("width m", "; ".join(parts)))
    return lines


def _row_text(row: Mapping[str, Any]) -> str:
    values = ", ".join("-" if value is None else f"{value:.3g}" for value in row["values"])
    known = f" ({row['known']})" if row["known"] else ""
    return f"{row['name']}{known} {values}"


def _correlations(dependence: Dependence) -> list[dict[str, Any]]:
    last = max(LAGS)
    if isinstance(dependence, PerCoordinate):
        rows = [
            _row(_in_turn("correlation", k, dependence), each.autocorrelations(last))
            for k, each in _classes(dependence)
        ]
        return [*rows, _row("correlation of noise", dependence.noise.autocorrelations(last))]
    if isinstance(dependence, VectorAutoregression):
        gamma = dependence.autocovariances(last)
        sides = ("odd", 0), ("even", 1)
        rows = [
            _row(f"correlation of the {one} coordinate of a pair with the {other} one so much earlier", gamma[:, a, b])
            for one, a in sides
            for other, b in sides
        ]
        return [*rows, _row("correlation of noise", dependence.noise.autocorrelations(last))]
    if isinstance(dependence, Dependent):
        inputs, noise = dependence.inputs.autocorrelations(last), dependence.noise.autocorrelations(last)
    elif isinstance(dependence, Repeated):
        inputs = dependence.runs.autocorrelations(last)
        noise = inputs if dependence.noise == REPEATED else White().autocorrelations(last)
    else:  # of a pack
        inputs, noise = dependence.input_correlation(last + 1)[0], dependence.noise_correlation(last + 1)[0]
    return [_row("correlation of inputs", inputs), _row("correlation of noise", noise)]


def _mixing(dependence: Dependence, *, endless: bool) -> list[dict[str, Any]]:
    """What is known of b(k) of the inputs; nothing for a dependence of a pack."""
    last = max(LAGS)
    if isinstance(dependence, Repeated):
        return [_row("b(k), any number of coordinates", dependence.runs.mixing(last), _known_of_runs(dependence.runs))]
    processes: list[Process | VectorAutoregression]
    if isinstance(dependence, PerCoordinate):
        processes = [each for _, each in _classes(dependence)]
        names = [_in_turn("b(k), one", k, dependence) for k, _ in _classes(dependence)]
    elif isinstance(dependence, Dependent):
        processes, names = [dependence.inputs], ["b(k), one coordinate"]
    elif isinstance(dependence, VectorAutoregression):
        processes, names = [dependence], ["b(k), one pair of coordinates"]
    else:
        return []
    rows = [_row(name, each.mixing(last), _known(each)) for name, each in zip(names, processes, strict=True)]
    reaches = [reach(each) for each in processes]
    if endless and any(reaches) and None not in reaches:
        # Infinitely many independent coordinates: joint law and product law are singular (Kakutani 1948).
        farthest = max(each for each in reaches if each is not None)
        rows.append(
            _row("b(k), all coordinates together", [1.0 if k <= farthest else 0.0 for k in range(last + 1)], EXACT)
        )
    return rows


def _known(process: Process | VectorAutoregression) -> str:
    """Whether ``mixing`` of a process is exact: the protocol asks for upper bounds."""
    if isinstance(process, (White, FractionalNoise)) or reach(process) == 0.0:
        return EXACT
    return UPPER


def _known_of_runs(runs: Runs) -> str:
    if isinstance(runs, (Sticky, Blocks)):
        return EXACT
    return LOWER if isinstance(runs, RegimeSwitching) else DECLARED


def _sums(dependence: Dependence) -> list[dict[str, Any]]:
    """The long-run variances of the products of inputs and noise. Where both are repeated in the same runs, the sum is of P(same
    run), not of its square.
    """
    products = "sum over h of rho_x(h) rho_eps(h)"
    if isinstance(dependence, PerCoordinate) and len(dependence.extremes) > 1:
        named = [
            (_in_turn(products, k, dependence), value) for k, value in enumerate(dependence.product_sums(), start=1)
        ]
        return [
            *({"of": of, "value": finite_or_none(value)} for of, value in named),
            {"of": "mean over coordinates", "value": finite_or_none(dependence.product_sum())},
        ]
    if isinstance(dependence, VectorAutoregression):
        low, high = dependence.product_sums()
        found = [("smallest", low), ("largest", high), ("mean", dependence.product_sum())]
        return [
            {"of": f"{products}, {of} over directions in a pair", "value": finite_or_none(value)} for of, value in found
        ]
    if isinstance(dependence, Repeated) and dependence.noise == REPEATED:
        products = "sum over h of P(same run at lag h)"
    elif not isinstance(dependence, (Dependent, PerCoordinate, Repeated)):
        products = "long-run variance of the products of inputs and noise"
    return [{"of": products, "value": finite_or_none(dependence.product_sum())}]


def _mean(dependence: Dependence) -> dict[str, Any]:
    """What the noise costs the mean of uncentred inputs at three n, per unit of its variance and before any ridge."""
    n = np.array(SIZES)
    if isinstance(dependence, Repeated):
        cost = dependence.product_sum() / n
    else:
        assert isinstance(dependence, Dependent)
        cost = mean_inflation(dependence.noise, n) / n
    return {
        "of": "variance of the mean of n noises",
        "n": list(SIZES),
        "cost": [finite_or_none(value) for value in cost],
    }


def _classes(dependence: PerCoordinate) -> list[tuple[int, Process]]:
    return list(enumerate(dependence.extremes, start=1))


def _in_turn(name: str, k: int, dependence: PerCoordinate) -> str:
    if not isinstance(dependence.rhos, tuple):
        return f"{name} of the coordinates of {'lowest' if k == 1 else 'highest'} rho"
    count = len(dependence.rhos)
    return f"{name} of coordinates {k}, {k + count}, ..." if count > 1 else f"{name} of all coordinates"


def _row(name: str, values: Sequence[float] | np.ndarray[Any, Any], known: str = "") -> dict[str, Any]:
    return {"name": name, "values": [finite_or_none(values[lag]) for lag in LAGS], "known": known}

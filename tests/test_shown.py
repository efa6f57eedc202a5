"""What is shown of dependence and width: the numbers, and the word that says whether a mixing coefficient is exact or a bound."""

import json
from typing import Any

import pytest

import verifier as vf
from verifier.verdicts.shown import LAGS, dependence_record, shown_lines, width_record


def shown(dependence: Any, spectrum: Any = None) -> dict[str, Any]:
    record = dependence_record(vf.Instance(spectrum or vf.PowerLaw(2.0), dependence=dependence))
    assert record is not None
    assert record == json.loads(json.dumps(record, allow_nan=False))
    assert all(len(row["values"]) == len(LAGS) for row in record["rows"])
    return record


def row(record: dict[str, Any], start: str) -> dict[str, Any]:
    return next(each for each in record["rows"] if each["name"].startswith(start))


def test_independent_samples_and_infinite_width_have_nothing_to_show() -> None:
    plain = vf.Instance(vf.PowerLaw(2.0))
    assert dependence_record(plain) is None
    assert width_record(plain) is None
    assert shown_lines({}) == shown_lines({"dependence": None, "width": None}) == []


def test_an_autoregression_mixes_in_one_coordinate_and_not_in_infinitely_many() -> None:
    record = shown(vf.Dependent(inputs=vf.AR1(0.5), noise=vf.AR1(-0.8)))
    assert row(record, "correlation of inputs")["values"] == [0.5**lag for lag in LAGS]
    assert row(record, "correlation of noise")["values"][:2] == pytest.approx([-0.8, 0.64])
    assert row(record, "b(k), one")["known"] == "upper bound"
    assert row(record, "b(k), all") == {"name": "b(k), all coordinates together", "values": [1.0] * 6, "known": "exact"}
    assert record["sums"] == [{"of": "sum over h of rho_x(h) rho_eps(h)", "value": pytest.approx(0.6 / 1.4)}]
    finite = shown(vf.Dependent(inputs=vf.AR1(0.5)), vf.Finite((1.0, 0.5)))
    assert not [each for each in finite["rows"] if each["name"].startswith("b(k), all")]


@pytest.mark.parametrize(
    ("dependence", "known", "first"),
    [
        (vf.Dependent(noise=vf.AR1(0.5)), "exact", 0.0),
        (vf.Dependent(inputs=vf.AR1(0.0)), "exact", 0.0),
        (vf.Dependent(inputs=vf.MovingAverage((1.0, 1.0))), "upper bound", 1.0),
        (vf.Dependent(inputs=vf.FractionalNoise(0.8)), "exact", 1.0),
        (vf.Repeated(vf.Sticky(0.5)), "exact", 0.5),
        (vf.Repeated(vf.Blocks(2)), "exact", 0.75),
        (vf.Repeated(vf.RegimeSwitching(2.5)), "lower bound", None),
        (vf.PerCoordinate((0.5, 0.2)), "upper bound", 0.5),
    ],
    ids=lambda value: value.describe() if hasattr(value, "describe") else str(value),
)
def test_what_is_known_of_mixing_is_said(dependence: Any, known: str, first: float | None) -> None:
    found = row(shown(dependence), "b(k)")
    assert found["known"] == known
    assert first is None or found["values"][0] == pytest.approx(first)


def test_a_moving_average_forgets_after_its_last_weight_in_all_coordinates() -> None:
    record = shown(vf.Dependent(inputs=vf.MovingAverage((0.0, 1.0, 1.0, 2.0, 0.0))))
    assert row(record, "b(k), all")["values"] == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_a_sum_that_diverges_is_said_to() -> None:
    long = vf.Dependent(inputs=vf.FractionalNoise(0.8), noise=vf.FractionalNoise(0.8))
    (total,) = shown(long)["sums"]
    assert total["value"] is None
    assert ("products", "sum over h of rho_x(h) rho_eps(h) diverges") in shown_lines({"dependence": shown(long)})


def test_samples_that_are_repeated_with_their_noise_sum_the_same_run() -> None:
    (total,) = shown(vf.Repeated(vf.Blocks(3), noise="repeated"))["sums"]
    assert total == {"of": "sum over h of P(same run at lag h)", "value": pytest.approx(3.0)}


def test_coordinates_of_their_own_have_rows_and_sums_of_their_own() -> None:
    record = shown(vf.PerCoordinate((0.5, -0.3), noise=vf.AR1(0.2)))
    assert row(record, "correlation of coordinates 2, 4, ...")["values"][0] == pytest.approx(-0.3)
    values = [each["value"] for each in record["sums"]]
    assert values == pytest.approx([1.1 / 0.9, 0.94 / 1.06, (1.1 / 0.9 + 0.94 / 1.06) / 2.0])


@pytest.mark.parametrize("kind", [vf.GaussianFeatures, vf.NystromFeatures])
def test_the_width_at_three_sample_sizes(kind: Any) -> None:
    record = width_record(vf.Instance(vf.PowerLaw(2.0), features=kind(factor=2.0, degree=0.5)))
    assert record is not None
    assert record["m"] == pytest.approx([2.0 * n**0.5 for n in record["n"]])
    endless = width_record(vf.Instance(vf.PowerLaw(2.0), features=kind(factor=1.0, degree=50.0)))
    assert endless is not None
    assert endless["m"][-1] is None
    assert "beyond any double at n = 1e9" in shown_lines({"width": endless})[0][1]

"""The benchmarks run from one end to the other at small sizes; their figures are read from the full runs, not from here."""

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.special import zeta

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCRIPT = BENCHMARKS / "speed.py"


@pytest.mark.thorough
def test_speed_at_small_sizes(tmp_path, capsys):
    out = tmp_path / "speed.json"
    results = runpy.run_path(str(SCRIPT))["main"](["--quick", "--out", str(out)])
    written = json.loads(out.read_text())
    assert set(written) == set(results) == {"machine", "quick", "curves", "bias", "kernel", "growth", "memory"}
    assert written["quick"] is True
    table = capsys.readouterr().out
    for title in ("curves", "bias", "kernel", "growth", "memory"):
        assert f"\n{title}\n" in table
    engine = [row for row in written["curves"] if row["method"].startswith("engine")]
    assert len(engine) == 12
    # At these sizes scikit-learn is at its best; the engine is far ahead all the same.
    assert min(row["times_better"] for row in engine) > 100.0
    assert all(0.0 < row["share"] < 1.5 for row in written["kernel"])
    assert all(row["peak_megabytes"] < 500.0 for row in written["memory"])


def test_speed_measures_a_part_and_keeps_the_rest(tmp_path):
    out = tmp_path / "speed.json"
    out.write_text('{"curves": [1]}')
    main = runpy.run_path(str(SCRIPT))["main"]
    main(["--quick", "--only", "kernel", "--out", str(out)])
    assert json.loads(out.read_text())["curves"] == [1]
    with pytest.raises(SystemExit):
        main(["--only", "speed"])


@pytest.mark.thorough
def test_effective_sample_size_at_small_sizes(tmp_path):
    out = tmp_path / "page.md"
    script = runpy.run_path(str(BENCHMARKS / "effective_sample_size.py"))
    found = script["main"](["--samples", "40", "--replicates", "4", "--out", str(out)])
    rows = {row.name: row for row in found[script["MAIN"]]}
    assert list(rows) == list(script["laws"]()) == [row.name for row in found[script["OTHER"]]]
    assert all(row.simulated[1] < row.simulated[0] < row.simulated[2] for row in rows.values())
    both = rows["AR(1), rho = 0.8: both"]
    assert both.factors[-1] == pytest.approx(1.64 / 0.36, rel=1e-3)
    assert both.claimed == pytest.approx((9.0, 9.0, 17.944, 1.64 / 0.36), rel=1e-4)
    assert rows["coordinates AR(1) of .8 and -.3: white noise"].claimed[:2] == pytest.approx((9.0, 9.0))
    assert rows["fractional noise, H = .9: both"].claimed[1:] == (math.inf,) * 3
    text = out.read_text(encoding="utf-8")
    assert "--samples 40 --replicates 4`" in text
    assert "`sum_h rho_x rho_eps`: right for 22 of 22 laws." in text
    assert text.count("| AR(1), rho = 0.8: both |") == 2


@pytest.mark.parametrize(("power", "total"), [(1.0, zeta(1.5)), (2.0, zeta(3.0)), (0.5, math.inf)])
def test_a_power_law_is_summed_beyond_its_last_lag(power, total):
    power_sum = runpy.run_path(str(BENCHMARKS / "effective_sample_size.py"))["power_sum"]
    coefficients = np.arange(0.0, 4097.0)
    coefficients[1:] **= -1.5
    assert power_sum(coefficients, power) == pytest.approx(1.0 + 2.0 * total, rel=1e-6)


@pytest.mark.thorough
def test_critical_degree_at_small_sizes(tmp_path, capsys):
    out = tmp_path / "page.md"
    script = runpy.run_path(str(BENCHMARKS / "critical_degree.py"))
    arguments = ["--judgements", "50", "--pairs", "1", "--draws", "2", "--out", str(out)]
    maps, floors = script["main"](arguments)
    assert [one.critical for one in maps] == pytest.approx([1.0 / 1.9, 1.0 / 1.9, 1.0 / (0.6 + 1.0 / 1.5)])
    assert all(one.found.boundaries for one in maps)
    assert floors[0].far_slope == pytest.approx(floors[0].claimed, abs=1e-3)
    text = out.read_text(encoding="utf-8")
    titles = ("Gaussian features", "Landmarks", "Fourier features on the torus", "Remarks of the maps")
    for title in (*titles, "The floor of a fixed width"):
        assert f"\n## {title}\n" in text
    assert capsys.readouterr().out.count("q* = 0.5263") == 2


def test_a_floor_is_simulated_as_the_equivalent_has_it():
    script = runpy.run_path(str(BENCHMARKS / "critical_degree.py"))
    found = script["floor"](2.0, 0.75, 24)
    for value, (mean, error) in zip(found.values, found.simulated, strict=False):
        assert abs(mean - value) < 4.0 * error

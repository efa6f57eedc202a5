"""The speed benchmark runs from one end to the other; its figures are read from the full run, not from here."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "speed.py"


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

"""``verifier fit``: what is read from a curve, what its interval rests on, and that it covers."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from verifier import cli, records
from verifier.measured import BASES, fit_curve, read_curve
from verifier.tables import TableError
from verifier.verdicts.points import fit_points
from verifier.verdicts.slopes import fit_slope

N = 100.0 * 2.0 ** np.arange(8)
TRUE = N**-0.6


def write(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(map(str, lines)) + "\n")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], prog_name="verifier")


def one_line(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------------------------------------------- layouts

PAIRED = np.array([[4.0, 2.0, 1.0], [5.0, 2.5, 1.3], [4.4, 2.1, 1.1]])
SIZES = (100, 200, 400)
LAYOUTS = {
    "replicate column": ["n,risk,seed", *(f"{n},{PAIRED[r, k]},s{r}" for k, n in enumerate(SIZES) for r in range(3))],
    "columns are replicates": ["n,a,b,c", *(f"{n},{','.join(map(str, PAIRED[:, k]))}" for k, n in enumerate(SIZES))],
    "columns are replicates, unsorted": [
        "N;a;b;c",
        *(f"{n};{';'.join(map(str, PAIRED[:, k]))}" for k, n in reversed(list(enumerate(SIZES)))),
    ],
    "columns are replicates with numbers": [
        "n,1,2,3",
        *(f"{n},{','.join(map(str, PAIRED[:, k]))}" for k, n in enumerate(SIZES)),
    ],
    "columns are sizes": ["100,200,400", *(",".join(map(str, row)) for row in PAIRED)],
    "columns are sizes, lines are named": [
        "run,100,200,400",
        *(f"r{r}," + ",".join(map(str, PAIRED[r])) for r in range(3)),
    ],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_paired_replicates(name: str, tmp_path: Path) -> None:
    curve = read_curve(write(tmp_path / "c.csv", *LAYOUTS[name]))
    assert curve.basis == "paired"
    assert curve.n.tolist() == list(SIZES)
    assert curve.samples is not None
    assert sorted(map(tuple, curve.samples)) == sorted(map(tuple, PAIRED))
    assert curve.risk == pytest.approx(PAIRED.mean(axis=0))
    assert curve.replicates.tolist() == [3, 3, 3]
    assert bool(curve.notes) == name.startswith("columns are replicates")


def test_sample_sizes_may_be_beyond_whole_numbers_of_64_bits(tmp_path: Path) -> None:
    record = fit_curve(
        read_curve(write(tmp_path / "c.csv", "n,a,b,c", "1e19,4,4.1,4.2", "1e21,2,2.2,2.1", "1e23,1,1.1,1.05"))
    )
    assert record["exponent"] == pytest.approx(math.log(2.0) / math.log(100.0), rel=0.1)


def test_lines_with_the_same_n_are_independent_replicates(tmp_path: Path) -> None:
    curve = read_curve(
        write(tmp_path / "c.csv", "# measured", "n,note,risk", "200,x,2", "100,y,4", "100,z,5", "200,w,3", "200,v,1")
    )
    assert (curve.basis, curve.n.tolist(), curve.risk.tolist(), curve.replicates.tolist()) == (
        "independent",
        [100.0, 200.0],
        [4.5, 2.0],
        [2, 3],
    )
    assert curve.stderr == pytest.approx([0.5, 1.0 / math.sqrt(3.0)])
    assert curve.notes == ("Not used: the column 'note'.",)


def test_standard_errors_and_single_values(tmp_path: Path) -> None:
    known = read_curve(write(tmp_path / "c.csv", "n,risk,se", "200,2,0.1", "100,4,0.2"))
    assert (known.basis, known.risk.tolist()) == ("known", [4.0, 2.0])
    assert known.stderr == pytest.approx([0.2, 0.1])
    for lines in (["n,test_loss", "200,2", "100,4"], ["200 2", "100 4"], ["n,whatever", "100,4", "200,2"]):
        single = read_curve(write(tmp_path / "c.csv", *lines))
        assert (single.basis, single.n.tolist(), single.risk.tolist()) == ("residuals", [100.0, 200.0], [4.0, 2.0])


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "tokens,val,err,who", "100,4,1,a", "100,5,2,b", "200,2,1,a", "200,3,2,b")
    assert read_curve(path, n="tokens", risk="val").basis == "independent"
    assert read_curve(path, n="1", risk="2", replicate="who").basis == "paired"
    with pytest.raises(TableError, match="has both standard errors and replicates"):
        read_curve(path, n="tokens", risk="val", stderr="err", replicate="who")


@pytest.mark.parametrize(
    ("lines", "more", "says"),
    [
        (["x,risk", "1,2"], {}, "c.csv: no column is called n: say which one holds the sample sizes with --n COLUMN"),
        (["n,risk", "1,2", "2,x"], {}, "line 3, column 'risk': 'x' is not a number"),
        (["n,risk", "1,2", "2,"], {}, "line 3, column 'risk': '' is not a number: fill the cell"),
        (["n,risk", "1,2", "2,0"], {}, "line 3, column 'risk': '0' is not positive, so it has no logarithm: remove"),
        (["n,risk", "1,2", "2,-1e-3"], {}, "'-1e-3' is not positive"),
        (["n,risk", "1,2", "2.5,1"], {}, "line 3, column 'n': '2.5' is no sample size: give a whole number"),
        (["n,risk", "0,2", "2,1"], {}, "line 2, column 'n': '0' is no sample size"),
        (["n,risk", "nan,2", "2,1"], {}, "'nan' is not finite"),
        (["n,risk", "1,inf", "2,1"], {}, "'inf' is not finite"),
        (["n,risk", "100,2", "100,1"], {}, "has one sample size: a slope needs at least 2"),
        (
            ["n,risk", "100,2", "100,1", "200,1"],
            {},
            "line 4, column 'n': n = 200 has one line where others have several",
        ),
        (["n,risk", "1,2", "1,2", "2,1", "2,1"], {}, "replicates of every n are equal, so they show no scatter"),
        (
            ["n,risk,stderr", "1,2,0", "2,1,1"],
            {},
            "line 2, column 'stderr': '0' is not positive: a point without error",
        ),
        (["n,risk,stderr", "1,2,1", "1,1,1"], {}, "line 3, column 'n': n = 1 is on line 2 already"),
        (["n,a,b", "1,2,3", "1,1,3"], {}, "line 3, column 'n': n = 1 is on line 2 already"),
        (["n,risk,seed", "1,2,a", "2,1,a", "1,2,b"], {}, "replicate 'b' has no line with n = 2: paired"),
        (["n,risk,seed", "1,2,a", "1,1,a"], {}, "line 3, column 'seed': replicate 'a' has n = 1 on line 2 already"),
        (["n,risk,seed", "1,2,", "1,1,a"], {}, "line 2, column 'seed': '' names no replicate"),
        (["n,a,b,se", "1,2,3,4", "2,3,4,5"], {}, "the risk may be any of 'a', 'b': say which one with --risk COLUMN"),
        (["n,risk,loss", "1,2,3", "2,3,4"], {}, "the columns 'risk' and 'loss' may both be meant"),
        (["n,seed", "1,2", "2,3"], {}, "no column holds risks"),
        (["1", "2"], {}, "has one column: give sample sizes and risks"),
        (
            ["1,2.5,0.1", "2,1.5,0.1"],
            {},
            "has 3 columns without names: name them in a first line, such as n,risk,stderr",
        ),
        (["n,risk", "1,2", "2,1"], {"risk": "n"}, "the column 'n' cannot be both n and risk"),
        (["n,risk", "1,2", "2,1"], {"risk": "loss"}, "has no column 'loss'; its columns are 'n', 'risk'"),
        (["n,a,b", "1,2,2", "2,1,1"], {}, ""),
        (["n,a,b", "100,2,2", "200,1,1"], {}, "the replicates are all equal, so they show no scatter"),
    ],
)
def test_a_curve_that_cannot_be_used_is_one_sentence_and_64(
    lines: list[str], more: dict[str, str], says: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.csv", *lines)
    result = run("fit", path, *(word for name, value in more.items() for word in (f"--{name}", value)))
    assert result.exit_code == cli.USAGE
    assert says in one_line(result.stderr)
    assert "Traceback" not in result.output
    assert result.stdout == ""


# ---------------------------------------------------------------------------------------------------- statistics


def coverage(kind: str, replicates: int, draws: int = 400, points: int = 8) -> tuple[float, float]:
    """Shares of draws in which the 95% interval holds the true exponent, and in which a straight line is doubted at 5%."""
    rng = np.random.default_rng(20240)
    n, true = N[:points], TRUE[:points]
    scatter = 0.1 * (n / n[0]) ** 0.2
    held = doubted = 0
    for _ in range(draws):
        samples = true * (1.0 + scatter * rng.standard_normal((replicates, points)))
        mean = samples.mean(axis=0)
        if kind == "independent":
            error = samples.std(axis=0, ddof=1) / math.sqrt(replicates)
            fit = fit_points(n, mean, stderr=error, replicates=np.full(points, replicates))
        elif kind == "known":
            fit = fit_points(n, mean, stderr=scatter * true / math.sqrt(replicates))
        else:
            fit = fit_points(n, true * np.exp(0.1 * rng.standard_normal(points)))
        interval = fit.interval()
        assert interval is not None
        held += interval[0] <= 0.6 <= interval[1]
        doubted += fit.lack_of_fit < 0.05
    return held / draws, doubted / draws


@pytest.mark.parametrize(
    ("kind", "replicates", "points"),
    [("independent", 3, 8), ("independent", 10, 8), ("independent", 5, 4), ("known", 4, 8), ("residuals", 1, 8)],
)
def test_intervals_cover_and_straight_lines_are_not_doubted(kind: str, replicates: int, points: int) -> None:
    held, doubted = coverage(kind, replicates, points=points)
    assert 0.915 <= held <= 0.985  # 400 draws: .95 +- three standard errors
    assert doubted <= 0.095


def test_paired_rows_that_move_together_are_not_taken_for_independent(tmp_path: Path) -> None:
    """Common scatter drops out of a slope: pairing makes the interval short, and taking the points apart makes it long."""
    rng = np.random.default_rng(3)
    common = rng.standard_normal(16)
    samples = TRUE * np.exp(0.2 * common[:, None] + 0.01 * rng.standard_normal((16, 8)))
    lines = [f"{int(n)},{float(samples[r, k])!r},{r}" for k, n in enumerate(N) for r in range(16)]
    paired = fit_curve(read_curve(write(tmp_path / "p.csv", "n,risk,replicate", *lines)))
    apart = fit_curve(read_curve(write(tmp_path / "q.csv", "n,risk", *(line.rpartition(",")[0] for line in lines))))
    assert (paired["basis"], apart["basis"]) == ("paired", "independent")
    assert apart["stderr"] > 5.0 * paired["stderr"]
    assert paired["interval"][0] <= 0.6 <= paired["interval"][1]
    assert any("column 'replicate'" in note for note in apart["notes"])
    assert not any("column 'replicate'" in note for note in paired["notes"])


def test_a_paired_curve_is_fitted_as_a_simulated_one(tmp_path: Path) -> None:
    curve = read_curve(write(tmp_path / "c.csv", *LAYOUTS["columns are sizes"]))
    record = fit_curve(curve)
    fit = fit_slope(curve)  # type: ignore[arg-type]
    assert record["exponent"] == fit.exponent
    assert record["interval"] == list(fit.interval(0.95))


def test_weights_follow_the_precision_of_the_points() -> None:
    risk = TRUE.copy()
    risk[-1] *= 2.0  # an outlier that says of itself that it knows nothing
    error = np.where(np.arange(8) == 7, 10.0, 0.01) * TRUE
    assert fit_points(N, risk, stderr=error).exponent == pytest.approx(0.6, abs=1e-3)
    assert abs(fit_points(N, risk).exponent - 0.6) > 0.03


def test_a_correction_to_scaling_is_found_where_there_is_one() -> None:
    n = 10.0 * 2.0 ** np.arange(12)
    bent = n**-0.5 * (1.0 + 3.0 * n**-0.5)
    fit = fit_points(n, bent, stderr=1e-4 * bent)
    assert fit.exponent > 0.55
    assert fit.lack_of_fit < 1e-6
    low, high = fit.corrected.interval()
    assert low <= 0.5 <= high
    assert high - low < 0.05
    assert fit.corrected.correction_exponent == pytest.approx(0.5, abs=0.05)
    bare = fit_points(n, bent * np.exp(1e-4 * np.random.default_rng(0).standard_normal(12)))
    assert bare.lack_of_fit < 1e-6
    low, high = bare.corrected.interval()
    assert low <= 0.5 <= high
    assert high - low < 0.2


def test_too_few_points_have_no_interval_and_say_so(tmp_path: Path) -> None:
    record = fit_curve(read_curve(write(tmp_path / "c.csv", "n,risk", "100,4", "200,2", "400,1")))
    assert record["exponent"] == pytest.approx(1.0)
    assert record["interval"] is None
    assert record["stderr"] is None
    assert record["lack_of_fit"] is None
    assert all(one["interval"] is None for one in record["local"])
    assert any(note.startswith("No interval") for note in record["notes"])
    assert any("a correction to scaling needs at least 7" in note for note in record["notes"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"n": np.array([1.0])}, "at least two increasing"),
        ({"n": np.array([2.0, 1.0])}, "at least two increasing"),
        ({"risk": np.array([1.0, 0.0])}, "risk=.*0.0.* at n=200 is not positive"),
        ({"stderr": np.array([0.1, 0.0])}, "stderr=0 at n=200"),
        ({"stderr": np.array([0.0, 0.0])}, "not zero everywhere"),
        ({"stderr": np.array([0.1, 0.1]), "replicates": np.array([2, 1])}, "at least 2 at each n"),
    ],
)
def test_points_are_validated(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit_points(**({"n": N[:2], "risk": TRUE[:2]} | more))


# ---------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    lines = [
        f"{int(n)},{float(e * math.exp(0.02 * rng.standard_normal()))!r}"
        for n, e in zip(N, TRUE, strict=True)
        for _ in "abc"
    ]
    return write(tmp_path / "cur<b>ve.csv", "n,risk", *lines)


def test_the_command_prints_and_writes_what_it_found(curve: Path) -> None:
    result = run("fit", curve.name, "--json", "fit.json", "--out", "fit.html")
    assert result.exit_code == 0, result.output
    record = records.load_fit("fit.json")
    assert (record["schema"], record["kind"], record["basis"], record["file"]) == (1, "fit", "independent", curve.name)
    assert record["interval"][0] < 0.6 < record["interval"][1]
    assert len(record["points"]) == 8
    assert len(record["local"]) == 7
    printed = one_line(result.stdout)
    for words in (
        "8 sample sizes from n = 100 to 12800, 3 replicates each",
        f"exponent {record['exponent']:.5g} +-",
        f"95% interval [{record['interval'][0]:.5g}, {record['interval'][1]:.5g}]",
        BASES["independent"],
        "A n^-a (1 + B n^-w): a = ",
        "wrote fit.json",
        "wrote fit.html",
    ):
        assert words in printed
    page = Path("fit.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "cur&lt;b&gt;ve.csv" in page
    assert "<b>" not in page
    assert not re.search(r"<script|<link|<iframe|(src|href)=[\"']?http", page)
    assert page.count("<svg") == 1


@pytest.mark.thorough
def test_a_figure_is_an_svg_as_well_and_drawn_from_the_record_alone(curve: Path) -> None:
    assert run("fit", curve.name, "--json", "fit.json", "--out", "fit.svg").exit_code == 0
    code = (
        "import json, sys; from pathlib import Path; from reports.fit import write_fit_figure; "
        "write_fit_figure(Path('again.svg'), json.load(open('fit.json'))); "
        "assert not {'verifier.risk', 'verifier.verdicts', 'hypothesis'} & set(sys.modules)"
    )
    root = str(Path(cli.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": root, "PATH": ""})
    assert Path("again.svg").read_text().startswith("<svg")
    numbered = re.compile(r"clip\d+|gradient_\d+")  # these count on from drawing to drawing
    assert numbered.sub("", Path("again.svg").read_text()) == numbered.sub("", Path("fit.svg").read_text())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--out", "fit.png"], "--out is fit.png: a figure is written as .html or .svg"),
        (["--json", "cur<b>ve.csv/fit.json"], "cannot be written"),
        (["--out", "cur<b>ve.csv/fit.svg"], "cannot be written"),
        (["--n", "m"], "has no column 'm'"),
    ],
)
def test_what_cannot_be_written_or_found_is_64(options: list[str], says: str, curve: Path) -> None:
    result = run("fit", curve.name, *options)
    assert result.exit_code == cli.USAGE
    assert says in one_line(result.stderr)
    assert "Traceback" not in result.output


@pytest.mark.thorough
def test_extreme_numbers_are_drawn_or_refused_but_never_crash(tmp_path: Path) -> None:
    for lines in (
        ["1,1e-300", "10,1e-301", "100,1e-302", "1000,1e-303"],
        ["1,1e300", "1000000000000,1e-300", "1000000000000000,1e-305"],
        ["1,1", "2,1", "4,1", "8,1", "16,1", "32,1", "64,1"],
        ["1,1", "2,2"],
    ):
        path = write(tmp_path / "c.csv", "n,risk", *lines)
        result = run("fit", path, "--out", tmp_path / "c.svg", "--json", tmp_path / "c.json")
        assert result.exit_code == 0, result.output
        json.loads((tmp_path / "c.json").read_text())


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "n,\x1b[31mrisk,x", "100,\x1b[31m,2", "200,1,2")
    result = run("fit", path)
    assert result.exit_code == cli.USAGE
    assert "\x1b" not in result.output


def test_a_fit_of_a_newer_schema_is_refused(curve: Path) -> None:
    assert run("fit", curve.name, "--json", "fit.json").exit_code == 0
    record = json.loads(Path("fit.json").read_text())
    Path("fit.json").write_text(json.dumps(record | {"schema": records.SCHEMA + 1}))
    with pytest.raises(records.RecordError, match="install a newer one"):
        records.load_fit("fit.json")
    Path("fit.json").write_text(json.dumps(record | {"basis": "guess"}))
    with pytest.raises(records.RecordError, match=r"\$.basis is 'guess', expected one of paired"):
        records.load_fit("fit.json")

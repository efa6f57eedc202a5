"""The worked example of a claim pack: the rates of Cui et al. 2021, by the same machinery as the audited paper's."""

import math
from pathlib import Path

import pytest
from hypothesis import strategies as st
from typer.testing import CliRunner

import verifier as vf
from tests.packs import cui_2021
from verifier import cli
from verifier.risk.asymptotics import theorem_exponent
from verifier.testing import check
from verifier.verdicts.judge import assess

ON_THE_COMMAND_LINE = ("Cui21/noisy-variance", "Cui21/noiseless-rate-with-noise")
READINGS = [one for one in cui_2021.CLAIMS + cui_2021.MISREADINGS if one.id not in ON_THE_COMMAND_LINE]


def test_reading(reading: vf.Reading) -> None:
    check(reading)


@pytest.mark.parametrize("alpha", [1.2, 2.0, 4.5])
@pytest.mark.parametrize("r", [0.2, 0.9, 1.0, 2.5])
def test_predictions_are_the_theorems_where_both_speak(alpha: float, r: float) -> None:
    target = vf.CriticalTarget(s=r)
    noisy = vf.Instance(vf.PowerLaw(alpha), target, vf.Noise(1.0))
    silent = vf.Instance(vf.PowerLaw(alpha), target, vf.Noise(0.0))
    assert cui_2021.best(noisy).value == pytest.approx(theorem_exponent(noisy))
    assert cui_2021.interpolated(silent).value == pytest.approx(theorem_exponent(silent))
    if r <= 1.0:
        # In this normalisation their crossover is the paper's schedule.
        assert cui_2021.BEST(noisy, 100.0) == pytest.approx(100.0 ** (-1.0 / (2.0 * r + 1.0 / alpha)))
        assert cui_2021.best(noisy).value == pytest.approx(theorem_exponent(noisy, "schedule"))


@pytest.mark.parametrize("sigma", [0.0, 1.0])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9, 1.0, 1.5, 3.0])
def test_the_whole_table_on_a_grid(share: float, sigma: float) -> None:
    rule = cui_2021.Decay(share)

    def table(inst: vf.Instance) -> vf.Exponent:
        signal = 2.0 * cui_2021.learnable(inst) * min(rule.power(inst), inst.beta)
        return vf.Exponent(min(signal, max(1.0 - share, 0.0)) if sigma else signal)

    for alpha in (1.2, 2.0, 5.0):
        for r in (0.3, 0.8, 2.0):
            inst = vf.Instance(vf.PowerLaw(alpha), vf.CriticalTarget(s=r), vf.Noise(sigma))
            claim = vf.Claim(
                id="table", title="", statement="", source="", domain=st.just(inst), predict=table, tuning=rule
            )
            found = assess(claim, inst)
            assert found.verdict == "consistent", (alpha, r, found.reason)
            assert found.exponent == pytest.approx(table(inst).value, abs=0.01)


def test_a_ridge_that_has_yet_to_overtake_interpolation_is_undecided() -> None:
    """lam = 1e-60 n^(-0.9 alpha) interpolates at every n that can be reached, but not for ever."""
    inst = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.5), vf.Noise(1.0))
    claim = vf.Claim(
        id="late",
        title="",
        statement="",
        source="",
        domain=st.just(inst),
        predict=lambda inst: vf.Exponent(0.0),
        tuning=lambda inst, n: math.exp(-138.0) * n ** (-0.9 * inst.beta),
    )
    found = assess(claim, inst)
    assert (found.verdict, "plateau" in found.reason) == ("inconclusive", True)


@pytest.mark.parametrize(
    ("name", "claims", "code", "says"),
    [("noisy-variance", "CLAIMS", 0, "SURVIVED"), ("noiseless-rate-with-noise", "MISREADINGS", 1, "FALSIFIED")],
)
def test_on_the_command_line(name: str, claims: str, code: int, says: str, tmp_path: Path) -> None:
    pack = ("--pack", f"tests.packs.cui_2021:{claims}", "--examples", "12", "--out", str(tmp_path / "run"))
    result = CliRunner().invoke(cli.app, ["falsify", f"Cui21/{name}", *pack], prog_name="verifier")
    assert result.exit_code == code, result.output
    assert result.stdout.splitlines()[0] == f"Cui21/{name}  {says}"

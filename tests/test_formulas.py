"""Another formula: sums over lags against closed forms, planted statements whose right factor is known, and Theorem 4."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from typer.testing import CliRunner

import verifier as vf
from properties import theorem_4
from properties.strategies.coordinates import per_coordinate
from properties.strategies.dependence import autoregressive, correlations, dependent_instances, short_dependences
from verifier import cli, records
from verifier.risk.collapse import Factor, LagOneFactor, NoFactor
from verifier.verdicts import formulas as module
from verifier.verdicts.formulas import (
    BOTH,
    FORMULAS,
    INPUTS,
    NOISE,
    NOTHING,
    PRODUCT,
    REFUTED,
    REPAIRED,
    SCORE,
    UNREPAIRED,
    FormulaRepair,
    LagOneRatio,
    LagSum,
    LagSumOfSizes,
    LagSumOfSquares,
    MixingSum,
    lag_sum,
    repair_formula,
)
from verifier.verdicts.repair import UNREPAIRED as UNREPAIRED_READING
from verifier.verdicts.repair import Repair
from verifier.verdicts.repair_records import formula_record, markdown, repairs_record

PLAIN = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.75), vf.Noise(1.0))


def dependent(dependence: Any) -> vf.Instance:
    return replace(PLAIN, dependence=dependence)


AVERAGES = dependent(vf.Dependent(vf.MovingAverage((1.0, 1.0)), vf.MovingAverage((1.0, -1.0))))
LINES = dependent(vf.Dependent(vf.AR1(0.8), vf.AR1(-0.5)))
STICKY = dependent(vf.Repeated(vf.Sticky(0.6), "repeated"))
FRESH = dependent(vf.Repeated(vf.Sticky(0.6), "fresh"))
CLASSES = dependent(vf.PerCoordinate((0.5, 0.0), vf.AR1(0.5)))


@pytest.mark.parametrize(
    ("formula", "instance", "value"),
    [
        (LagOneRatio(INPUTS), LINES, 9.0),
        (LagOneRatio(NOISE), LINES, 1 / 3),
        (LagOneRatio(PRODUCT), LINES, 0.6 / 1.4),
        (LagOneRatio(SCORE), STICKY, 4.0),
        (LagSum(INPUTS), LINES, 9.0),
        (LagSum(INPUTS), AVERAGES, 2.0),
        (LagSum(NOISE), AVERAGES, module.LEAST),  # zero: the difference of a white sequence
        (LagSum(PRODUCT), AVERAGES, 0.5),
        (LagSum(INPUTS), CLASSES, 2.0),
        (LagSum(PRODUCT), CLASSES, (1.25 / 0.75 + 1.0) / 2),
        (LagSum(SCORE), CLASSES, (1.25 / 0.75 + 1.0) / 2),
        (LagSum(PRODUCT), STICKY, 1.36 / 0.64),
        (LagSum(SCORE), STICKY, 4.0),
        (LagSum(NOISE), STICKY, 4.0),
        (LagSum(NOISE), FRESH, 1.0),
        (LagSum(SCORE), FRESH, 1.0),
        (LagSumOfSizes(NOISE), LINES, 3.0),
        (LagSumOfSquares(INPUTS), LINES, 1.64 / 0.36),
        (MixingSum(INPUTS), LINES, 9.0),
        (MixingSum(INPUTS, 0.5), LINES, (1 + 0.8**0.5) / (1 - 0.8**0.5)),
        (MixingSum(BOTH), LINES, 9.0),
        (MixingSum(NOISE), LINES, 3.0),
        (MixingSum(INPUTS), AVERAGES, 3.0),
        (MixingSum(INPUTS), dependent(vf.Repeated(vf.Blocks(3), "repeated")), math.inf),
        (LagSum(INPUTS), dependent(vf.Dependent(vf.FractionalNoise(0.8))), math.inf),
        (LagSumOfSizes(INPUTS), dependent(vf.Dependent(vf.FractionalNoise(0.8))), math.inf),
    ],
)
def test_a_formula_has_the_value_of_its_closed_form(formula: Factor, instance: vf.Instance, value: float) -> None:
    assert formula.value(instance) == pytest.approx(value, rel=1e-9)


def test_the_rest_of_a_power_tail_is_added() -> None:
    lags = np.arange(4097.0)
    for exponent in (1.2, 1.5, 3.0):
        exact = 2.0 * float(module_zeta(exponent)) - 1.0
        assert lag_sum((1.0 + lags) ** -exponent) == pytest.approx(exact, rel=2e-3)
    assert lag_sum(1.0 / (1.0 + lags)) == math.inf


def module_zeta(exponent: float) -> float:
    from scipy.special import zeta

    return float(zeta(exponent))


def test_every_formula_is_one_of_independent_samples_and_has_a_text_of_its_own() -> None:
    assert len({formula.text for formula in FORMULAS}) == len(FORMULAS)
    for formula in FORMULAS:
        assert formula.value(PLAIN) == pytest.approx(1.0, rel=1e-12)


@dataclass(frozen=True)
class Beside:
    """How far a formula is from another one, the same at every n: nothing in it is random."""

    truth: Factor
    factor: Factor
    name: str = "planted"
    variable: str = "n"

    def log_range(self, instance: vf.Instance, tuning: Any) -> tuple[float, float]:
        return math.log(100.0), 40.0

    def log_values(self, instance: vf.Instance, log_x: Any, tuning: Any) -> Any:
        off = abs(math.log(self.truth.value(instance) / self.factor.value(instance)))
        return np.full_like(log_x, off)

    def log_terms(self, instance: vf.Instance, log_x: Any, tuning: Any) -> Any:
        return (self.log_values(instance, log_x, tuning),)

    def witness(self, instance: vf.Instance, log_x: float, tuning: Any) -> dict[str, float]:
        return {"n": math.exp(log_x)}

    def experiment(self, instance: vf.Instance, tuning: Any, sizes: Any) -> None:
        return None


def planted(truth: Factor, name: str = "P1/lines", domain: Any = None) -> vf.Claim:
    return vf.Claim(
        id=name,
        title="planted",
        statement="Curves collapse.",
        source="here",
        domain=dependent_instances(
            st.just(PLAIN), autoregressive(inputs=True, noise=True) if domain is None else domain
        ),
        predict=lambda instance: vf.Bound(1.02),
        observable=Beside(truth, LagOneFactor()),
        prediction="n/n_eff -> (1 + rho)/(1 - rho)",
    )


def searched(truth: Factor, formulas: Any = FORMULAS, **more: Any) -> FormulaRepair:
    others = [
        planted(truth, "P1/any", short_dependences() | per_coordinate()),
        planted(truth, "P2/other-statement", short_dependences()),
        replace(
            planted(truth, "P1/other-observable"),
            observable=vf.Claim.__dataclass_fields__["observable"].default_factory(),
        ),
    ]
    return repair_formula(planted(truth), others, examples=40, formulas=formulas, **more)


@pytest.mark.parametrize("truth", [NoFactor(), LagSum(SCORE), MixingSum(INPUTS, 0.5)])
@pytest.mark.thorough
def test_the_planted_formula_is_found_and_no_other(truth: Factor) -> None:
    found = searched(truth)
    assert (found.status, found.exit_code) == (REPAIRED, 0)
    assert [trial.text for trial in found.survivors] == [truth.text]
    assert found.text.startswith(f"Repaired: n/n_eff -> {truth.text}, on the domains of all 2 readings together")
    assert found.readings == ("P1/lines", "P1/any")
    claimed = next(trial for trial in found.trials if trial.claimed)
    assert (claimed.text, claimed.outcome) == ("(1 + rho)/(1 - rho)", REFUTED)
    assert claimed.counterexample is not None
    assert claimed.refuted > 0


@pytest.mark.thorough
def test_a_formula_that_fits_one_process_only_is_refuted_by_the_other_readings() -> None:
    few = (NoFactor(), LagOneRatio(SCORE), LagSum(PRODUCT), LagSum(SCORE))
    alone = repair_formula(planted(LagSum(SCORE)), examples=40, formulas=few)
    assert LagOneRatio(SCORE).text in [trial.text for trial in alone.survivors]
    assert len(alone.survivors) > 1
    words = [len(trial.text.split()) for trial in alone.survivors]
    assert words == sorted(words)
    assert "survive, of which this has the fewest words" in alone.text
    assert alone.smallest is None  # on AR(1) they are all the same number
    assert [trial.text for trial in searched(LagSum(SCORE)).survivors] == [LagSum(SCORE).text]


@pytest.mark.thorough
def test_no_formula_is_said_where_the_vocabulary_lacks_it() -> None:
    found = searched(LagSum(SCORE), [formula for formula in FORMULAS if formula != LagSum(SCORE)])
    assert (found.status, found.exit_code) == (UNREPAIRED, 2)
    assert found.text == (
        f"Not repaired: of {len(FORMULAS) - 1} formulas none survived on the domains of all 2 readings together; "
        f"{len(FORMULAS) - 1} are refuted."
    )
    assert all(trial.counterexample is not None for trial in found.trials)


@pytest.mark.thorough
def test_a_formula_that_is_right_needs_no_repair() -> None:
    found = repair_formula(
        planted(LagOneFactor(), domain=correlations(low=0.0).map(lambda rho: vf.Dependent(vf.AR1(rho)))), examples=40
    )
    assert (found.status, found.exit_code) == (NOTHING, 0)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: repair_formula(planted(NoFactor()), examples=5), "at least 20"),
        (lambda: repair_formula(planted(NoFactor()), formulas=()), "empty"),
        (lambda: repair_formula(planted(NoFactor()), formulas=(NoFactor(), NoFactor())), "twice"),
        (lambda: repair_formula(planted(NoFactor()), formulas=(3,)), "not a factor"),
        (lambda: repair_formula(vf.registered_claims()["T4/exponent"]), "no factor to replace"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        call()


@dataclass(frozen=True)
class Broken:
    text: str = "broken"

    def value(self, instance: vf.Instance) -> float:
        raise ZeroDivisionError("no value")


def test_a_formula_that_raises_is_no_crash() -> None:
    found = searched(NoFactor(), (Broken(), NoFactor()))
    assert found.status == REPAIRED
    broken = next(trial for trial in found.trials if trial.text == "broken")
    assert broken.outcome == "ERROR"
    assert broken.undecided == broken.judged


@pytest.mark.thorough
def test_interrupted_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "falsify", interrupted)
    found = searched(NoFactor())
    assert found.interrupted
    assert found.text == "Undecided: interrupted: the search was not finished."


@pytest.mark.thorough
def test_the_score_is_found_on_theorem_4() -> None:
    readings = {reading.id.partition("/")[2]: reading for reading in theorem_4.READINGS}
    chosen = [readings[name] for name in ("collapse-both", "collapse-repeated", "collapse-score")]
    few = (NoFactor(), LagOneRatio(PRODUCT), LagSum(PRODUCT), LagSum(SCORE))
    found = repair_formula(readings["collapse-inputs"], chosen, examples=20, formulas=few)
    assert found.status == REPAIRED
    assert [trial.text for trial in found.survivors] == ["sum_h rho_score(h)"]
    assert found.text.startswith("Repaired: n/n_eff -> sum_h rho_score(h), on the domains of all 4 readings together")
    assert "rho_x(h) rho_eps(h) where inputs and noise are independent" in found.text


def test_the_vocabulary_sees_no_claim() -> None:
    text = Path(module.__file__ or "").read_text().partition("# The vocabulary")[2].partition("# What is found")[0]
    assert "class LagOneRatio" in text
    assert "laim" not in text


@pytest.mark.thorough
def test_records_survive_json_and_old_files_load(tmp_path: Path) -> None:
    found = searched(NoFactor())
    record = repairs_record([], "verifier repair P1", [formula_record(found)])
    read = records.load_repairs(records.save_repairs(tmp_path / "r.json", record))
    (one,) = read["formulas"]
    assert (one["statement"], one["status"], one["claim"]) == ("P1", REPAIRED, "P1/lines")
    assert [trial["text"] for trial in one["trials"]] == [trial.text for trial in found.trials]
    assert vf.Instance.from_json(one["trials"][-1]["counterexample"]["instance"]) is not None
    old = repairs_record([], "verifier repair P1")
    assert "formulas" not in old
    assert records.load_repairs(records.save_repairs(tmp_path / "old.json", old))["repairs"] == []
    del record["formulas"][0]["trials"][0]["outcome"]
    with pytest.raises(records.RecordError, match="outcome"):
        records.save_repairs(tmp_path / "bad.json", record)
    page = markdown([], "verifier repair P1", [found])
    assert "## P1: another formula in n/n_eff -> (1 + rho)/(1 - rho)" in page
    assert "| `(1 + rho)/(1 - rho) (as claimed)` | refuted |" in page


@pytest.mark.thorough
def test_the_command_says_the_formula_once_and_counts_it_as_a_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = ModuleType("planted_formulas")
    pack.CLAIMS = [planted(LagSum(SCORE)), planted(LagSum(SCORE), "P1/any", short_dependences())]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "planted_formulas", pack)
    entry = SimpleNamespace(name="a", value="planted_formulas:CLAIMS")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry])
    monkeypatch.setattr(
        cli,
        "repair",
        lambda claim, **_: Repair(claim, UNREPAIRED_READING, 0, vf.falsify(claim, budget=vf.Budget(examples=20))),
    )
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(
        cli.app, ["repair", "P1", "--examples", "20", "--json", "out.json", "--markdown", "page.md"]
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.count("Repaired: n/n_eff -> sum_h rho_score(h)") == 1
    assert len(records.load_repairs(tmp_path / "out.json")["formulas"]) == 1
    assert "another formula" in (tmp_path / "page.md").read_text()

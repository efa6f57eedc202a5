"""Figures drawn again: what may be declared, that the slopes agree with simulation, and what the sentences say."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import properties
import verifier as vf
from verifier import records
from verifier.claims import Claim
from verifier.exhibits import Exhibit, Panel, Series
from verifier.provenance import code_digest
from verifier.risk.curves import learning_curves
from verifier.verdicts import audit as audit_module
from verifier.verdicts import reproduction
from verifier.verdicts.audit import AuditEvent, run_audit
from verifier.verdicts.certify import agreement_constant
from verifier.verdicts.findings import crossover_record, explanation
from verifier.verdicts.reproduction import failed, reproduce

SHOWN = {claim.id: claim for claim in properties.CLAIMS if claim.exhibit is not None}
PLAIN = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.5), vf.Noise(1.0))
MIXED = vf.Instance(vf.Mixture((0.999, 0.001), (vf.PowerLaw(3.0), vf.PowerLaw(1.5))), vf.CriticalTarget(s=0.25))
ONE = Series("one", PLAIN, 2.0 / 3.0)
PANEL = Panel("As in the paper", (ONE,), (100.0, 1600.0), simulated=(100, 400, 1600))


def claim_with(exhibit: Exhibit | None, **changes: Any) -> Claim:
    """A claim about nothing else."""
    given = {
        "id": "X9/figure",
        "title": "t",
        "statement": "s",
        "source": "x",
        "domain": st.just(PLAIN),
        "tuning": "schedule",
    }
    return Claim(**{**given, **changes}, predict=lambda instance: vf.Exponent(0.5), exhibit=exhibit)


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[str, Any]]:
    """The exhibits of Figures 2 and 4."""
    return {name: reproduce(SHOWN[name]) for name in ("F2/slope", "F4/heaviest-tail")}


# ---------------------------------------------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Series("", PLAIN), "label='' of an exhibit must be a text"),
        (lambda: Series("a", 3), "instance=3 of the series 'a' must be an Instance"),  # type: ignore[arg-type]
        (lambda: Series("a", PLAIN, math.nan), "claimed=nan of the series 'a' must be a finite exponent, or None"),
        (lambda: Series("a", PLAIN, worth=0.0), "worth=0.0 of the series 'a' must be a positive number"),
        (lambda: dataclasses.replace(PANEL, variable=" "), "variable=' ' of an exhibit must be a text"),
        (lambda: dataclasses.replace(PANEL, series=()), "series=() of the panel"),
        (lambda: dataclasses.replace(PANEL, series=(ONE, ONE)), "give each its own"),
        (lambda: dataclasses.replace(PANEL, n=(100.0, 10.0)), "must be two sample sizes, the first below the last"),
        (lambda: dataclasses.replace(PANEL, windows=((10.0, 400.0),)), "draw it too"),
        (lambda: dataclasses.replace(PANEL, simulated=(400, 100)), "must be increasing whole sample sizes"),
        (lambda: Exhibit((), "text"), "must be a tuple of Panels"),
        (lambda: Exhibit((PANEL,), "text", apart=0.5), "apart=0.5 must be a factor above 1, or None"),
        (lambda: claim_with("a figure"), "exhibit of claim X9/figure must be an Exhibit"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_declaration_is_refused_by_name(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        build()


def test_a_panel_fits_slopes_over_all_of_it_unless_windows_are_given() -> None:
    assert PANEL.windows == ((100.0, 1600.0),)
    with pytest.raises(ValueError, match=r"X9/figure has no exhibit"):
        reproduce(claim_with(None))


def test_an_exhibit_has_no_part_in_the_measured_code() -> None:
    """What draws exhibits must not make a calibration stale."""
    root = Path(reproduction.__file__).resolve().parents[2]
    before = code_digest()
    code_digest.cache_clear()
    path = root / "verifier" / "verdicts" / "reproduction.py"
    assert path.is_file()
    from verifier.provenance import _UNMEASURED

    assert path.name in _UNMEASURED
    assert code_digest() == before


# ------------------------------------------------------------------------------------------- Figures 2 and 4 themselves


@pytest.mark.long
@pytest.mark.parametrize("name", ["F2/slope", "F4/heaviest-tail"])
@pytest.mark.thorough
def test_simulated_slopes_agree_with_the_equivalent(drawn: dict[str, dict[str, Any]], name: str) -> None:
    """Two routes to every slope: simulation by generalised least squares, and the equivalent with the same weights."""
    compared = 0
    for panel, declared in zip(drawn[name]["panels"], SHOWN[name].exhibit.panels, strict=True):  # type: ignore[union-attr]
        for series, each in zip(panel["series"], declared.series, strict=True):
            for slope in series["slopes"]:
                if slope["simulated"] is None:
                    continue
                compared += 1
                first = max(slope["n"][0], declared.simulated[0])
                decades = math.log(min(slope["n"][1], declared.simulated[-1]) / first)
                systematic = agreement_constant(each.instance) / first / decades
                half = 0.5 * (slope["interval"][1] - slope["interval"][0])
                assert abs(slope["simulated"] - slope["same_weights"]) <= 2.0 * half + systematic
                assert 0.0 < half < 0.02
            if series["simulated"] is not None:
                n, risk = (np.array(series["equivalent"][column]) for column in ("n", "risk"))
                at, found, stderr = (np.array(series["simulated"][column]) for column in ("n", "risk", "stderr"))
                expected = np.exp(np.interp(np.log(at), np.log(n), np.log(risk)))
                allowed = 5.0 * stderr + (agreement_constant(each.instance) / at + 0.002) * expected
                assert np.all(np.abs(found - expected) <= allowed)
    assert compared >= 6


@pytest.mark.long
@pytest.mark.thorough
def test_the_collapse_of_figure_2_ends_at_larger_n_and_later_at_2p(drawn: dict[str, dict[str, Any]]) -> None:
    paper, larger = drawn["F2/slope"]["panels"]
    slopes = [series["slopes"][0]["equivalent"] for series in paper["series"]]
    assert max(slopes) - min(slopes) < 0.02  # the curves do collapse
    assert all(series["apart"] is None for series in paper["series"])
    plain, doubled, turned, turned_doubled = larger["series"]
    assert abs(plain["slopes"][-1]["equivalent"] - doubled["slopes"][-1]["equivalent"]) < 0.005  # not p alone
    assert turned["slopes"][-1]["equivalent"] < plain["slopes"][-1]["equivalent"] - 0.2
    assert plain["apart"] is doubled["apart"] is None
    assert 1e5 < turned["apart"] < turned_doubled["apart"] < 1e8
    said = " ".join(larger["findings"])
    assert "From n = 9.1 × 10^5 on the risk of 'rotation times diagonal, p = 512' is more than 2 times that of" in said
    assert "At n = 3200 no curve is a factor of 2 away from 'identity'" in paper["findings"]


@pytest.mark.long
def test_a_small_weight_bends_figure_4_until_its_crossover_ends(drawn: dict[str, dict[str, Any]]) -> None:
    paper, larger = drawn["F4/heaviest-tail"]["panels"]
    claimed = paper["series"][0]["claimed"]
    assert claimed == pytest.approx(2 * 0.25 / (2 * 0.25 + 1 / 1.5))
    assert abs(paper["series"][0]["slopes"][0]["equivalent"] - claimed) < 0.02
    hidden = larger["series"][2]
    at_the_figure, before, after = (slope["equivalent"] - claimed for slope in hidden["slopes"])
    assert at_the_figure > 0.04
    assert before < -0.04
    assert abs(after) < 1e-3
    before_it, after_it = hidden["slopes"][1]["n"][1], hidden["slopes"][2]["n"][0]
    assert before_it < 10.0 ** hidden["crossover"]["log10_n"] < after_it
    assert (
        "'heavier tail with weight .0001': the heaviest tail of the mixture takes over at about i = 10^3, n = 10^12"
        in (larger["findings"])
    )


@pytest.mark.long
@pytest.mark.thorough
def test_exhibits_are_the_same_numbers_again_and_make_a_record(
    drawn: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    again = reproduce(SHOWN["F4/heaviest-tail"])
    told = drawn["F4/heaviest-tail"]
    assert {**again, "seconds": 0.0} == {**told, "seconds": 0.0}
    other = reproduce(SHOWN["F4/heaviest-tail"], seed=1)
    assert other["panels"][0]["series"][0]["simulated"] != told["panels"][0]["series"][0]["simulated"]
    assert other["panels"][0]["series"][0]["equivalent"] == told["panels"][0]["series"][0]["equivalent"]
    records.save_exhibits(tmp_path, list(drawn.values()))
    assert records.load_exhibits(tmp_path) == list(drawn.values())


def test_the_leading_directions_are_enough() -> None:
    """256 of 512 directions change a risk by less than its standard error has digits to show."""
    turned = dataclasses.replace(
        PLAIN, spectrum=vf.Truncated(vf.PowerLaw(2.0), 512), transform=vf.FullRotation(low=0.5, high=2.0)
    )
    few, all_of_them = (
        learning_curves([turned], n=(1600,), replicates=2, seed=0, tuning="schedule", directions=count)[0].risk
        for count in (reproduction.DIRECTIONS, 512)
    )
    np.testing.assert_allclose(few, all_of_them, rtol=1e-4)


# ----------------------------------------------------------------------------------------------------- the machinery


def test_slopes_of_a_power_law_are_its_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "_equivalent", lambda claim, instance, n: 3.0 * n**-0.7)
    panel = Panel("far", (ONE, Series("two", MIXED, 0.7)), (1e2, 1e8), windows=((1e2, 1e8), (1e3, 1e4)))
    record = reproduce(claim_with(Exhibit((panel,), "text")))["panels"][0]
    for series in record["series"]:
        assert [slope["equivalent"] for slope in series["slopes"]] == pytest.approx([0.7, 0.7])
        assert series["local_slope"]["slope"] == pytest.approx([0.7] * len(series["local_slope"]["n"]))
        assert series["simulated"] is None
    near = "Between n = 1000 and 10^4 all slopes are within 0.034 of the claimed exponent"
    assert near in record["findings"]


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (lambda n: 1.0 + 0.0 * n, None),
        (lambda n: n / 1e4, 2e4),
        (lambda n: 3.0 + 0.0 * n, 1e2),
        (lambda n: 1.0 / 3.0 + 0.0 * n, 1e2),
        (lambda n: 1e4 / n, 2e4),
        (lambda n: np.where(n < 1e4, 3.0, 1.0), None),  # what only lasts for a while ends below
    ],
)
def test_where_curves_part_for_good(ratio: Any, expected: float | None) -> None:
    n = np.logspace(2, 6, 65)
    first = {"equivalent": {"n": n.tolist(), "risk": (n**-0.5).tolist()}}
    other = {"equivalent": {"n": n.tolist(), "risk": (n**-0.5 * ratio(n)).tolist()}}
    found = reproduction._apart(first, other, 2.0)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-6))


def test_a_sample_counts_what_it_is_worth() -> None:
    panels = tuple(
        dataclasses.replace(PANEL, series=(dataclasses.replace(ONE, worth=worth),), variable=variable)
        for worth, variable in ((1.0, "n"), (0.25, "n_eff"))
    )
    shown, drawn = reproduce(claim_with(Exhibit(panels, "text")))["panels"]
    assert drawn["findings"][0].startswith("Between n_eff = 100 and 1600")
    (plain,), (counted,) = shown["series"], drawn["series"]
    assert counted["simulated"]["n"] == [0.25 * n for n in plain["simulated"]["n"]]
    assert counted["simulated"]["risk"] == plain["simulated"]["risk"]
    n, risk = (np.log(plain["equivalent"][name]) for name in ("n", "risk"))
    inside = np.log(counted["equivalent"]["n"]) + np.log(4.0) <= n[-1]
    moved = np.interp(np.log(counted["equivalent"]["n"]) + np.log(4.0), n, risk)
    np.testing.assert_allclose(np.log(counted["equivalent"]["risk"])[inside], moved[inside], atol=1e-3)


def test_an_instance_without_an_equivalent_is_simulated_only() -> None:
    def simulated(instance: vf.Instance, n: Any, lam: Any, generators: Any) -> Any:
        return np.array([n**-0.5 * (1.0 + 0.01 * generator.standard_normal(len(n))) for generator in generators])

    record = reproduce(claim_with(Exhibit((PANEL,), "text"), simulator=simulated))["panels"][0]
    (series,) = record["series"]
    assert series["equivalent"] is series["local_slope"] is None
    (slope,) = series["slopes"]
    assert slope["equivalent"] is slope["same_weights"] is None
    low, high = slope["interval"]
    assert low < slope["simulated"] < high
    assert slope["simulated"] == pytest.approx(0.5, abs=0.01)
    assert record["findings"] == [
        f"Between n = 100 and 1600 the slope of 'one' is {slope['simulated']:.3f}, "
        f"{2 / 3 - slope['simulated']:.3f} below the claimed exponent"
    ]


def test_a_crossover_has_an_index_and_a_sample_size_or_is_beyond_reach() -> None:
    found = crossover_record(MIXED, "schedule")
    assert found is not None
    assert found["log10_index"] == pytest.approx(MIXED.spectrum.log_crossover / math.log(10.0))  # type: ignore[attr-defined]
    assert f"i = 10^{round(found['log10_index'])}, n = 10^{round(found['log10_n'])}" in found["text"]
    assert crossover_record(PLAIN, "schedule") is None
    for gap, reached in ((0.1, True), (1e-3, False), (1e-9, False)):  # 1e-3: its eigenvalue is below every kappa
        close = vf.Mixture((1.0 - 1e-4, 1e-4), (vf.PowerLaw(1.5 + gap), vf.PowerLaw(1.5)))
        late = crossover_record(dataclasses.replace(MIXED, spectrum=close), "schedule")
        assert late is not None
        assert (late["log10_index"] is not None) == (late["log10_n"] is not None) == reached
        assert ("beyond reach" in late["text"]) != reached


@pytest.mark.thorough
def test_the_explanation_is_that_of_the_module_that_declares_the_claim() -> None:
    for claim in properties.CLAIMS:
        text = explanation(claim)
        module = next(m for m in properties.STATEMENTS if claim in m.READINGS)
        assert text.splitlines()[0] == (module.__doc__ or "").splitlines()[0]
    assert explanation(claim_with(None)) == ""


# ------------------------------------------------------------------------------------------------------- in an audit


@pytest.mark.thorough
def test_an_audit_draws_exhibits_and_survives_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = SHOWN["F4/heaviest-tail"]
    events: list[AuditEvent] = []

    def broken(claim: Claim, seed: int) -> dict[str, Any]:
        raise ZeroDivisionError("no such curve")

    monkeypatch.setattr(audit_module, "reproduce", broken)
    result = run_audit([claim], out=tmp_path / "run", packs={claim.id: "properties:CLAIMS"}, progress=events.append)
    assert result.exit_code == 0
    (record,) = records.load_exhibits(result.directory)
    assert record == failed(claim, 0, "the exhibit of claim F4/heaviest-tail: ZeroDivisionError: no such curve")
    assert "no such curve" in result.report.read_text(encoding="utf-8")
    assert [event.id for event in events if event.stage == "exhibit"] == [claim.id]
    assert [event.done for event in events[1:-1]] == list(range(1, events[0].total + 1))
    assert result.findings[0]["explanation"].startswith("Figure 4:")
    assert (result.directory / "statements" / "F4.html").is_file()

    monkeypatch.setattr(audit_module, "reproduce", reproduce)
    records.RunDirectory.create(tmp_path / "run")  # clears what the run before left
    assert not list((tmp_path / "run").rglob("*.html"))
    result = run_audit([claim], out=tmp_path / "run", packs={claim.id: "properties:CLAIMS"})
    (record,) = records.load_exhibits(result.directory)
    assert len(record["panels"]) == 2
    assert '<figure class="panel">' in result.report.read_text(encoding="utf-8")
    assert (result.directory / "exhibits.csv").is_file()

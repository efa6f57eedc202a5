"""Repairs of planted claims: wrong beyond a constant, without noise, for a conjunction, everywhere, or by less than is noticed."""

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from typer.testing import CliRunner

import verifier as vf
from properties.hypotheses import alpha
from verifier import cli, records
from verifier.verdicts import repair as module
from verifier.verdicts.conditions import CONDITIONS, Applied, chosen, evaluate
from verifier.verdicts.repair import BESIDE, ERROR, NOTHING, REPAIRED, UNDECIDED, UNREPAIRED, Repair, simplest
from verifier.verdicts.repair_records import markdown, repair_record, repairs_record

S = st.integers(5, 95).map(lambda k: k / 100)
SIGMA = st.sampled_from([0.0, 0.5, 1.0])
BETA = st.sampled_from([1.2, 1.5, 2.0, 3.0])


def _domain(
    s: SearchStrategy[float] = S, sigma: SearchStrategy[float] = SIGMA, norms: tuple[str, ...] = ("L2",)
) -> SearchStrategy[vf.Instance]:
    return st.builds(
        lambda s, sigma, beta, norm: vf.Instance(
            vf.PowerLaw(beta=beta), vf.CriticalTarget(s=s, source_norm=norm), vf.Noise(sigma=sigma)
        ),
        s,
        sigma,
        BETA,
        st.sampled_from(norms),
    )


def claim(
    error: Callable[[vf.Instance], float], domain: SearchStrategy[vf.Instance] | None = None, name: str = "X1"
) -> vf.Claim:
    """The scheduled ridge has exponent alpha on critical targets with s < 1, with noise and without; ``error`` is planted."""
    return vf.Claim(
        id=name,
        title="planted",
        statement="E(n) ~ n^-alpha.",
        source="here",
        domain=_domain() if domain is None else domain,
        tuning="schedule",
        predict=lambda instance: vf.Exponent(alpha(instance) + error(instance)),
    )


def fixed(error: Callable[[vf.Instance], float], domain: Any = None, **more: Any) -> Repair:
    return vf.repair(claim(error, domain), examples=24, **more)


@cache
def repaired() -> Repair:
    """The repair of what is wrong beyond s = 0.6, which several tests look at."""
    return fixed(wrong_beyond)


def texts(found: Repair) -> list[str]:
    return [condition.text for condition in found.conditions]


def wrong_beyond(instance: vf.Instance) -> float:
    return 0.1 * (instance.s > 0.6)


@pytest.mark.thorough
def test_a_constant_is_found_and_its_edge_is_confirmed() -> None:
    found = repaired()
    assert (found.status, found.exit_code, texts(found)) == (REPAIRED, 0, ["s <= 0.6"])
    assert found.text == "Repaired: E(n) ~ n^-alpha, provided that s <= 0.6."
    assert found.best is not None
    (added,) = found.best.added
    assert added.edge is not None
    assert (added.edge.safe, added.edge.broken) == (0.6, 0.61)
    assert added.needed is not None
    assert added.needed.instance.s > 0.6
    # Confirmed on a seed of its own, with its share, its counts and its power.
    assert found.best.confirmation.verdict == "SURVIVED"
    assert found.best.confirmation.seed not in (found.seed, found.best.attack.seed)
    low, high = found.best.share.interval
    assert low < 0.6 < high + 0.1
    assert found.best.judged > 24
    assert found.best.confirmation.power is not None
    assert found.best.confirmation.power.at["0.05"] > 0.9


@pytest.mark.thorough
def test_the_error_that_fades_is_followed_to_where_it_vanishes() -> None:
    # Below .65 or so the error is smaller than the tolerance: no violation is seen there, and none is needed.
    found = fixed(lambda i: 0.1 * max(0.0, i.s - 0.6))
    assert texts(found) == ["s <= 0.6"]
    assert found.best is not None
    edge = found.best.added[0].edge
    assert edge is not None
    assert edge.vanishes
    assert edge.safe == pytest.approx(0.6, abs=0.006)
    assert edge.broken is not None
    assert 0.62 < edge.broken < 0.8


def test_an_error_below_the_tolerance_is_no_repair() -> None:
    found = fixed(lambda i: 0.1 if i.s > 0.6 else 0.0015)
    assert (found.status, found.exit_code) == (UNREPAIRED, 2)
    assert any("below the tolerance" in why for why in found.refused)
    assert found.text.startswith("Not repaired")


@pytest.mark.thorough
def test_noise_is_needed() -> None:
    found = fixed(lambda i: 0.1 * (i.sigma == 0.0))
    assert (found.status, texts(found)) == (REPAIRED, ["sigma > 0"])
    assert found.best is not None
    assert found.best.added[0].needed is not None
    assert found.best.added[0].needed.instance.sigma == 0.0


@pytest.mark.thorough
def test_each_condition_of_a_conjunction_is_shown_to_be_needed() -> None:
    found = fixed(lambda i: 0.1 * (i.s > 0.6 or i.sigma == 0.0))
    assert found.status == REPAIRED
    assert sorted(texts(found)) == ["s <= 0.6", "sigma > 0"]
    assert found.best is not None
    for added in found.best.added:
        assert added.needed is not None
        assert not added.condition(added.needed.instance)
        others = [other.condition for other in found.best.added if other is not added]
        assert all(condition(added.needed.instance) for condition in others)


@pytest.mark.thorough
def test_what_is_wrong_only_for_a_conjunction_has_two_repairs() -> None:
    found = fixed(lambda i: 0.1 * (i.s > 0.6 and i.sigma == 0.0))
    every = {found.best.text if found.best else "", *(item.text for item in found.alternatives)}
    assert found.status == REPAIRED
    assert every == {"s <= 0.6", "sigma > 0"}


def test_nothing_repairs_what_is_wrong_everywhere() -> None:
    found = fixed(lambda i: 0.1)
    assert (found.status, found.exit_code, found.best, found.beside) == (UNREPAIRED, 2, None, ())
    assert "no conjunction" in found.text


@pytest.mark.thorough
def test_where_the_domain_leaves_nothing_it_is_tried_beside_it() -> None:
    found = fixed(lambda i: 0.1 * (i.sigma == 0.0), _domain(sigma=st.just(0.0)))
    assert (found.status, found.exit_code, found.best) == (BESIDE, 0, None)
    assert found.beside[0].text == "sigma > 0"
    assert found.text.startswith("Not repaired within its domain")
    below = fixed(wrong_beyond, _domain(s=st.integers(65, 95).map(lambda k: k / 100)))
    assert (below.status, below.beside[0].text) == (BESIDE, "s <= 0.6")


def test_what_is_not_falsified_has_nothing_to_repair() -> None:
    found = fixed(lambda i: 0.0)
    assert (found.status, found.exit_code, found.conditions) == (NOTHING, 0, ())
    single = fixed(lambda i: 0.0, st.just(vf.Instance(vf.PowerLaw(beta=2.0))))
    assert (single.status, single.exit_code) == (UNDECIDED, 2)


@pytest.mark.thorough
def test_a_condition_of_ones_own_is_one_line() -> None:
    steep = vf.Condition("steep", "beta is at least 2", lambda i: i.beta >= 2.0)
    error: Callable[[vf.Instance], float] = lambda i: 0.1 * (i.beta < 2.0)  # noqa: E731
    assert texts(fixed(error, conditions=(steep,))) == ["beta is at least 2"]
    both = fixed(error, conditions=(steep, *CONDITIONS))
    assert both.status == REPAIRED
    own = vf.Threshold("decay", "the decay", lambda i: i.beta, upper=False)
    found = fixed(error, conditions=(own,))
    assert found.best is not None
    edge = found.best.added[0].edge
    assert edge is not None
    assert texts(found) == ["the decay >= 2"]
    assert (edge.safe, edge.broken) == (2.0, 1.5)


def test_a_broken_condition_is_named() -> None:
    found = fixed(wrong_beyond, conditions=(vf.Condition("broken", "it works", lambda i: 1 / 0 > 0),))
    assert (found.status, found.exit_code) == (ERROR, 3)
    assert "condition 'broken' raised ZeroDivisionError" in found.message


@pytest.mark.parametrize(
    ("conditions", "why"),
    [((), "empty"), (("noisy",), "neither a Condition"), ((CONDITIONS[0], CONDITIONS[0]), "twice")],
)
def test_bad_vocabularies_are_refused(conditions: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        vf.repair(claim(wrong_beyond), conditions=conditions)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: vf.Condition("A b", "t", bool), "lower-case"),
        (lambda: vf.Condition("a", "", bool), "one line"),
        (lambda: vf.Condition("a", "t", 1), "must be a function"),  # type: ignore[arg-type]
        (lambda: vf.Threshold("a", "t", None, upper=True), "must be a function"),  # type: ignore[arg-type]
        (lambda: vf.repair(claim(wrong_beyond), examples=5), "at least 20"),
        (lambda: chosen(["nosuch"]), "no condition is called 'nosuch'"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()


def test_the_same_seed_gives_the_same_repair() -> None:
    first, second = repair_record(repaired()), repair_record(fixed(wrong_beyond))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


@pytest.mark.thorough
def test_an_interrupt_gives_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module._Search, "_look_for_alternatives", interrupted)
    found = fixed(wrong_beyond)
    assert (found.interrupted, texts(found), found.status) == (True, ["s <= 0.6"], REPAIRED)
    monkeypatch.setattr(module._Search, "_draw", interrupted)
    assert fixed(wrong_beyond).status == UNDECIDED


def _meets(name: str, instance: vf.Instance) -> bool:
    return Applied(chosen([name])[0])(instance)


def test_conditions_read_the_instance() -> None:
    power = vf.PowerLaw(beta=1.05)
    cases: list[tuple[vf.Target, bool]] = [
        (vf.CriticalTarget(s=0.5), True),
        (vf.CriticalTarget(s=0.5, source_norm="RKHS"), True),
        (vf.LacunaryTarget(s=0.5, ratio=30.0), True),
        (vf.BallTarget(s=0.5), True),
        (vf.SmootherTarget(s=0.5, excess=0.05), False),
        (vf.SingleEigenfunction(s=0.5, index=3), False),
        (vf.ExponentialTarget(s=0.5), False),
        (vf.RandomTarget(s=0.5), False),
    ]
    for target, critical in cases:
        assert _meets("critical", vf.Instance(power, target)) is critical, target
    assert _meets("critical", vf.Instance(vf.Finite((1.0,))))  # about the target alone
    spectra: list[tuple[vf.Spectrum, bool, bool, bool]] = [
        (power, True, True, True),
        (vf.LogPeriodic(2.0, 0.5, 1.0), True, False, True),
        (vf.Spiked(2.0, 3, 10.0), True, True, True),
        (vf.LogCorrected(2.0, 1.0), False, False, True),
        (vf.Exponential(1.0), False, False, True),
        (vf.Truncated(power, 10), False, False, False),
    ]
    for spectrum, *expected in spectra:
        instance = vf.Instance(spectrum)
        assert [_meets(name, instance) for name in ("assumption-r", "straight", "infinite")] == expected, spectrum


def test_what_is_imposed_meets_its_condition() -> None:
    instance = vf.Instance(
        vf.Truncated(vf.PowerLaw(beta=2.0), 10),
        vf.SingleEigenfunction(s=0.5, source_norm="RKHS"),
        vf.Noise(sigma=0.0),
    )
    for name in ("noisy", "critical", "in-l2", "infinite"):
        (condition,) = chosen([name])
        assert isinstance(condition, vf.Condition)
        assert condition.impose is not None
        assert condition.holds(condition.impose(instance)), name
    for name, value in (("s-at-most", 0.3), ("l2-index-at-most", 0.9), ("beta-at-most", 1.7)):
        (threshold,) = chosen([name])
        assert isinstance(threshold, vf.Threshold)
        assert threshold.move is not None
        moved = threshold.move(vf.Instance(vf.PowerLaw(beta=2.0), vf.CriticalTarget(s=0.5, source_norm="RKHS")), value)
        assert evaluate(threshold, moved) == pytest.approx(value)


@pytest.mark.parametrize(
    ("inner", "outer", "value"),
    [
        (0.98, 1.02, 1.0),
        (1.0, 1.01, 1.0),
        (0.99, 1.0, 1.0),
        (0.5, 0.49, 0.5),
        (1.2, 3.4, 2.0),
    ],
)
def test_the_simplest_decimal(inner: float, outer: float, value: float) -> None:
    found = simplest(inner, outer)
    assert min(inner, outer) - 1e-9 <= found <= max(inner, outer) + 1e-9
    assert found == value


PACK = """
from hypothesis import strategies as st

import verifier as vf


def claim(name, error):
    return vf.Claim(
        id=name,
        title="planted",
        statement="E(n) ~ n^-a",
        source="nowhere",
        tuning="schedule",
        domain=st.integers(5, 95).map(
            lambda k: vf.Instance(spectrum=vf.PowerLaw(beta=2.0), target=vf.CriticalTarget(s=k / 100))
        ),
        predict=lambda i: vf.Exponent(2 * i.s / (2 * i.s + 0.5) + error(i)),
    )


CLAIMS = [claim("P1/false", lambda i: 0.1 * (i.s > 0.6)), claim("P1/true", lambda i: 0.0)]
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "planted_pack.py").write_text(PACK)
    monkeypatch.delitem(sys.modules, "planted_pack", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = SimpleNamespace(name="a", value="planted_pack:CLAIMS")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry])
    return lambda *words: CliRunner().invoke(cli.app, list(words))


def test_the_command_writes_its_records(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run("repair", "--all", "--examples", "20", "--json", "out.json", "--markdown", "page.md")
    assert result.exit_code == 0, result.output
    assert "provided that s <= 0.6." in result.stdout
    assert "Nothing to repair: P1/true came out SURVIVED." in result.stdout
    record = records.load_repairs(tmp_path / "out.json")
    assert (record["schema"], record["kind"]) == (1, "repairs")
    assert [item["status"] for item in record["repairs"]] == ["REPAIRED", "NOTHING TO REPAIR"]
    assert record["repairs"][0]["repair"]["conditions"][0]["text"] == "s <= 0.6"
    assert record["command"] == "verifier repair --all --examples 20 --seed 0"
    page = (tmp_path / "page.md").read_text()
    assert "| P1/false | repaired | s <= 0.6 |" in page
    assert "P1/true" not in page


def test_the_vocabulary_can_be_narrowed(run: Callable[..., Any]) -> None:
    result = run("repair", "P1/false", "--examples", "20", "--conditions", "beta-at-most,noisy")
    assert result.exit_code == 2, result.output
    assert "no conjunction" in result.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "either a CLAIM or --all"),
        (("P1/false", "--all"), "either a CLAIM or --all"),
        (("P9",), "no claim is called 'P9'"),
        (("P1/false", "--conditions", "nosuch"), "no condition is called 'nosuch'; known are s-at-most"),
        (("P1/false", "--conditions", ","), "--conditions names none"),
        (("P1/false", "--examples", "3"), "--examples"),
        (("P1/false", "--seed", "-1"), "--seed"),
        (("P1/false", "--json", "."), "is a directory"),
        (("P1/false", "--markdown", "planted_pack.py/page.md"), "takes no files"),
        (("P1/false", "--pack", "nosuch:CLAIMS"), "nosuch"),
    ],
)
def test_bad_usage_exits_64(
    run: Callable[..., Any], words: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cli, "repair", lambda claim, **_: Repair(claim, NOTHING, 0, SimpleNamespace(verdict="SURVIVED"))
    )
    result = run("repair", *words)
    assert result.exit_code == 64, result.output
    assert why in result.output
    assert "Traceback" not in result.output


def test_no_condition_sees_more_than_the_instance() -> None:
    # The vocabulary may not use a theorem's answer: nothing of the kind is imported by it.
    source = Path(sys.modules["verifier.verdicts.conditions"].__file__ or "").read_text()
    assert "asymptotics" not in source
    assert "Claim" not in source


def test_records_survive_json(tmp_path: Path) -> None:
    found = Repair(claim(wrong_beyond), NOTHING, 0, vf.falsify(claim(lambda i: 0.0), budget=vf.Budget(examples=20)))
    path = records.save_repairs(tmp_path / "r.json", repairs_record([repair_record(found)], "verifier repair X1"))
    assert json.loads(path.read_text())["repairs"][0]["repair"] is None
    assert markdown([found], "verifier repair X1").startswith("# Repaired statements")


def test_an_error_is_said_once_and_not_at_length() -> None:
    finding = vf.falsify(claim(lambda i: 0.0), budget=vf.Budget(examples=20))
    found = Repair(claim(wrong_beyond), ERROR, 0, finding, message="n=[" + "1e3, " * 1000 + "] must be finite")
    page = markdown([found], "verifier repair X1")
    assert page.count("Failed: n=[1e3, ") == page.count("n=[") == 1
    assert len(page.splitlines()[-1]) <= 400


@pytest.mark.thorough
def test_what_breaks_only_in_a_corner_near_its_constant_is_attacked_there() -> None:
    """Between s = .6 and .68 the claim is wrong for one in ten tail indices only: the draws alone put the constant at .68."""
    tails = st.integers(11, 20).map(lambda k: k / 10)
    domain = st.builds(lambda s, beta: vf.Instance(vf.PowerLaw(beta=beta), vf.CriticalTarget(s=s)), S, tails)
    found = fixed(
        lambda i: 0.1 * (i.s > 0.68 or (i.s > 0.6 and i.beta == 1.8)), domain, conditions=chosen(("s-at-most",))
    )
    assert texts(found) == ["s <= 0.6"]

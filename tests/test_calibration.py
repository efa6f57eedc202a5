"""Calibration: claims whose truth is known, planted faults that its rates must show, and parts that survive a stop."""

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from scipy import stats

import properties
from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent, Prediction, StraightLine, Theta
from verifier.instances import (
    CriticalTarget,
    Finite,
    Instance,
    LogPeriodic,
    Noise,
    PowerLaw,
    SingleEigenfunction,
    SmootherTarget,
)
from verifier.risk.asymptotics import theorem_exponent
from verifier.verdicts import calibration
from verifier.verdicts import judge as judging
from verifier.verdicts.calibration import (
    ERRORS,
    KINDS,
    MUTANTS,
    TREATED,
    Effort,
    Part,
    Progress,
    about_theorem,
    calibrate,
    clopper_pearson,
    exponent_readings,
    known,
    measure,
    parts,
    proves,
    rate,
)
from verifier.verdicts.compare import compare
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, OUT_OF_SCOPE, VIOLATED

PLAIN = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0))  # exponent 2/3
LOGARITHM = Instance(PowerLaw(2.0), CriticalTarget(1.0), Noise(1.0))  # exponent 4/5, times a logarithm
WAVY = Instance(LogPeriodic(2.0, 0.5, 2.0), CriticalTarget(0.5), Noise(1.0))
SMOOTH = Instance(PowerLaw(2.0), SingleEigenfunction(0.5), Noise(1.0))  # exponent 4/5, declares s = 1/2
FOREIGN = Instance(Finite((1.0, 0.5)))  # no theorem
DOMAIN = st.builds(
    lambda beta, s: Instance(PowerLaw(beta), CriticalTarget(s), Noise(1.0)),
    st.floats(1.5, 3.0),
    st.sampled_from([0.3, 0.4, 0.5, 0.6]),
)


def claim(
    predict: Callable[[Instance], Prediction] | None = None, id: str = "X1", domain: Any = DOMAIN, **more: Any
) -> Claim:
    def theorem(instance: Instance) -> Prediction:
        value = theorem_exponent(instance)
        assert value is not None
        return Exponent(value)

    return Claim(id=id, title="t", statement="s", source="n", domain=domain, predict=predict or theorem, **more)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Claim], str]:
    """Register one claim in place of all others."""

    def register(one: Claim) -> str:
        monkeypatch.setattr(calibration, "registered_claims", lambda: {one.id: one})
        return one.id

    return register


# ------------------------------------------------------------------------------------------------ claims whose truth is known


def test_what_a_theorem_proves_of_each_kind() -> None:
    for kind in KINDS:
        assert known(claim(), PLAIN, kind)
        assert not known(claim(), FOREIGN, kind)
        assert known(claim(), LOGARITHM, kind) is (kind is not Theta)
        assert known(claim(), WAVY, kind) is (kind is not StraightLine)


@pytest.mark.parametrize(
    ("prediction", "instance", "truth"),
    [
        (Exponent(2 / 3), PLAIN, True),
        (Exponent(2 / 3 + 1e-6), PLAIN, False),
        (Exponent(2 / 3), SMOOTH, False),
        (AtLeast(2 / 3), PLAIN, True),
        (AtLeast(0.6), PLAIN, True),
        (AtLeast(0.7), PLAIN, False),
        (AtMost(2 / 3), PLAIN, True),
        (AtMost(0.6), PLAIN, False),
        (AtMost(0.7), PLAIN, True),
        (Theta(2 / 3), PLAIN, True),
        (Theta(0.8), LOGARITHM, None),  # the exponent is right, and of the order no theorem here speaks
        (Theta(0.7), LOGARITHM, False),
        (StraightLine(2 / 3), PLAIN, True),
        (StraightLine(2 / 3), WAVY, None),
        (Exponent(0.5), FOREIGN, None),
        (Bound(1.0), PLAIN, None),
    ],
    ids=str,
)
def test_what_a_theorem_says_of_a_reading(prediction: Prediction, instance: Instance, truth: bool | None) -> None:
    assert proves(claim(lambda drawn: prediction), instance) is truth


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_about_the_theorem_is_true_and_wrong_by_as_much_as_asked(kind: type[Prediction]) -> None:
    def rough(instance: Instance) -> bool:
        return instance.s < 0.6

    base = claim(lambda drawn: Exponent(9.0), tuning="schedule", hypotheses=(rough,))
    null = about_theorem(base, kind)
    assert (null.tuning, null.observable, null.domain) == (base.tuning, base.observable, base.domain)
    assert null.predicted(PLAIN) == kind(2 / 3)
    assert assess(null, PLAIN).verdict == CONSISTENT
    assert about_theorem(base, kind, 0.25).predicted(PLAIN) == kind(2 / 3 + 0.25)
    assert about_theorem(base, kind, lambda instance: instance.s).predicted(PLAIN) == kind(2 / 3 + 0.5)
    # Scope is that of the reading, less what the theorem does not cover.
    assert assess(null, Instance(PowerLaw(2.0), CriticalTarget(0.7))).verdict == OUT_OF_SCOPE
    assert assess(null, FOREIGN).verdict == OUT_OF_SCOPE


def test_mutants_are_wrong_where_they_say() -> None:
    saturated = Instance(PowerLaw(2.0), CriticalTarget(1.5), Noise(1.0))  # true 4/5
    smooth = Instance(PowerLaw(2.0), CriticalTarget(0.8), Noise(1.0))  # true 16/21
    found = {
        name: [theorem_exponent(instance, "optimal", None, formula) for instance in (PLAIN, smooth, saturated)]
        for name, formula in MUTANTS.items()
    }
    assert found["a two dropped"] == pytest.approx([1 / 2, 8 / 13, 2 / 3])
    assert found["saturation ignored"] == pytest.approx([2 / 3, 16 / 21, 6 / 7])
    assert found["saturation at s = 1/2"] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    # Exchanging s and beta is no mutant where 2 s beta/(2 s beta + 1) is the formula.
    exchanged = Instance(PowerLaw(0.5 * 4), CriticalTarget(2.0 / 4), Noise(1.0))
    assert theorem_exponent(exchanged) == theorem_exponent(PLAIN)


# ------------------------------------------------------------------------------------------------ power from one judgement


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("instance", [PLAIN, SMOOTH, Instance(PowerLaw(1.3), SmootherTarget(0.3, 0.2), Noise(0.1))])
def test_one_judgement_answers_for_all_errors(kind: type[Prediction], instance: Instance) -> None:
    """Share of claims wrong by an error that are violations: from the null's judgement, and judged one by one."""
    null = assess(about_theorem(claim(), kind), instance)
    assert null.tolerance is not None
    sides = {AtLeast: (1.0,), AtMost: (-1.0,)}.get(kind, (1.0, -1.0))
    shares = set()
    # At the tolerance itself exactly one side of a two-sided claim is noticed.
    for error in (0.5 * null.tolerance, null.tolerance, *ERRORS):
        wrong = [assess(about_theorem(claim(), kind, side * error), instance).verdict for side in sides]
        share = calibration._share_noticed(null, error)
        shares.add(share)
        exact = wrong.count(VIOLATED) / len(sides)
        # A ratio that grows tells an order wrong by less than the tolerance: the share is then an understatement.
        assert share <= exact if kind is Theta else share == exact, error
    assert {0.0, 1.0} <= shares
    if kind in (Exponent, StraightLine):
        assert 0.5 in shares


def test_nothing_is_noticed_where_nothing_is_decided() -> None:
    assert calibration._share_noticed(assess(about_theorem(claim(), Exponent), FOREIGN), 9.0) == 0.0


def test_wrong_means_wrong_on_the_side_of_the_claim() -> None:
    table = {kind: [calibration._is_wrong(kind, d) for d in (-0.1, -0.01, 0.0, 0.01, 0.1)] for kind in KINDS}
    assert table[AtLeast] == [False, False, False, False, True]
    assert table[AtMost] == [True, False, False, False, False]
    for kind in (Exponent, Theta, StraightLine):
        assert table[kind] == [True, False, False, False, True]


# ------------------------------------------------------------------------------------------------ planted faults


def with_tolerance(monkeypatch: pytest.MonkeyPatch, tolerance: float) -> None:
    def broken(predicted: Any, limit: Any, honest: float, evidence: Any) -> Any:
        return compare(predicted, limit, tolerance, evidence)

    monkeypatch.setattr(judging, "compare", broken)


def summed(result: dict[str, Any]) -> Counter[str]:
    """What a part counted, over its instances."""
    counts: Counter[str] = Counter()
    for outcome in result["outcomes"].values():
        counts.update(outcome)
    return counts


def judged(monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], list[Any]]:
    monkeypatch.setattr(calibration, "CHUNK", 20)
    result = measure(Part("judgements", "X1", 0), 0)
    return summed(result), result["alarms"]


def test_honest_judgements_raise_no_alarm_and_notice_a_fiftieth(
    monkeypatch: pytest.MonkeyPatch, registered: Callable[[Claim], str]
) -> None:
    registered(claim())
    counts, alarms = judged(monkeypatch)
    assert counts["null"] == counts["reading"] == 20
    assert counts["rejected"] == counts["reading rejected"] == counts["undecided"] == 0
    assert not alarms
    assert counts["noticed 0.02"] == counts["noticed 0.1"] == 20
    assert counts["mutant a two dropped"] == counts["mutant a two dropped noticed"] == 20
    # Right where s is at most 1/2, so not counted there.
    assert 0 < counts["mutant saturation at s = 1/2"] < 20
    assert counts["mutant saturation ignored"] == 0
    assert judged(monkeypatch) == (counts, alarms)


def test_a_tolerance_of_nothing_shows_as_false_alarms(
    monkeypatch: pytest.MonkeyPatch, registered: Callable[[Claim], str]
) -> None:
    registered(claim())
    with_tolerance(monkeypatch, 1e-12)
    counts, alarms = judged(monkeypatch)
    assert counts["null"] == 20
    assert counts["rejected"] == counts["reading rejected"] == len(alarms) > 10  # a few extrapolate to the last digit
    assert all(Instance.from_json(alarm["instance"]).beta >= 1.5 for alarm in alarms)
    assert "differs from the claimed" in alarms[0]["reason"]


@pytest.mark.parametrize(("tolerance", "left"), [(0.035, (0, 20, 20)), (0.07, (0, 0, 20)), (10.0, (0, 0, 0))])
def test_a_tolerance_too_wide_shows_as_lost_power(
    tolerance: float,
    left: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
    registered: Callable[[Claim], str],
) -> None:
    registered(claim())
    with_tolerance(monkeypatch, tolerance)
    counts, _ = judged(monkeypatch)
    assert tuple(counts[f"noticed {error:g}"] for error in ERRORS) == left
    assert counts["rejected"] == 0
    if tolerance == 10.0:
        assert counts["mutant a two dropped noticed"] == 0


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small searches and confirmations."""
    monkeypatch.setattr(calibration, "SEARCH_EXAMPLES", 12)
    monkeypatch.setattr(calibration, "CONFIRMATIONS_A_PART", 2)
    monkeypatch.setattr(calibration, "TREATED_A_PART", 1)


def wrong_theorem(*arguments: Any) -> float | None:
    value = theorem_exponent(*arguments)
    return None if value is None else value + 0.1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("wrong", [False, True])
def test_searches_and_confirmations_count_what_a_wrong_theorem_lets_through(
    wrong: bool, monkeypatch: pytest.MonkeyPatch, registered: Callable[[Claim], str]
) -> None:
    registered(claim())
    if wrong:
        monkeypatch.setattr(calibration, "theorem_exponent", wrong_theorem)
    search = measure(Part("searches", "X1", 0), 0)
    assert (summed(search)["searches"], summed(search)["alarms"]) == (1, wrong)
    assert summed(search)["undecided"] == 0
    assert (summed(search)["violations before confirmation"] > 0) is wrong
    assert len(search["alarms"]) == wrong
    confirmed = measure(Part("confirmations", "X1", 0), 0)
    counts = summed(confirmed)
    assert counts["null"] == 2
    assert counts["rejected"] == len(confirmed["alarms"]) == 2 * wrong
    assert counts["not certified"] == 0


@pytest.mark.usefixtures("small")
def test_corners_are_found_as_often_as_instances_fall_into_them(registered: Callable[[Claim], str]) -> None:
    registered(claim(domain=st.sampled_from([0.3, 0.5]).map(lambda s: Instance(PowerLaw(2.0), CriticalTarget(s)))))
    counts = summed(measure(Part("corners", "X1", 0), 0))
    for share in (0.1, 0.01):  # one of two instances: so that every search of both meets it
        assert counts[f"corner {share:g}"] == counts[f"corner {share:g} found"] == 1
        assert 0.4 < counts[f"corner {share:g} share"] < 0.6
        assert counts[f"corner {share:g} expected"] > 0.7


@pytest.mark.usefixtures("small")
@pytest.mark.thorough
def test_simulation_alone_asks_only_for_errors_that_its_grid_permits(
    monkeypatch: pytest.MonkeyPatch, registered: Callable[[Claim], str]
) -> None:
    registered(claim())
    whole, judgements = calibration.judge, []
    monkeypatch.setattr(calibration, "judge", lambda *a, **more: judgements.append(whole(*a, **more)) or judgements[0])
    counts = summed(measure(Part("simulation alone", "X1", 0), 0))
    assert counts["null"] == 1
    assert counts["rejected"] == counts["undecided"] == 0
    # c = 4 on n = 200 to 1600 leaves .0096.
    assert {e for e in ERRORS if counts[f"permitted {e:g}"]} == set(ERRORS)
    assert counts["noticed 0.1"] == 1
    assert judgements[0].route == "B"
    monkeypatch.setattr(calibration, "judge", lambda *arguments, **more: judgements[0])
    monkeypatch.setattr(calibration, "finite_size_constant", lambda instance, simulator: 20.0)  # .048
    again = summed(measure(Part("simulation alone", "X1", 0), 0))
    assert [e for e in ERRORS if again[f"permitted {e:g}"]] == [e for e in ERRORS if again[f"noticed {e:g}"]] == [0.1]


# ------------------------------------------------------------------------------------------------ a few whole audits


PARTS = 2


@pytest.mark.long
@pytest.mark.parametrize("number", range(PARTS))
@pytest.mark.thorough
def test_an_audit_of_what_should_survive_raises_no_alarm(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit of the published table, on seeds of its own and with fewer instances: of every fourth reading, which the published
    table audits all, and half of those at a time.
    """
    survive = [one for one in properties.CLAIMS if one.expected == "SURVIVED" and one.proof is None][::4]
    half = {one.id: one for one in survive[number::PARTS]}
    # Enough that a reading of which a seventh is undecided is not called so by chance.
    monkeypatch.setattr(calibration, "AUDIT_EXAMPLES", 24)
    monkeypatch.setattr(calibration, "registered_claims", lambda: half)
    result = measure(Part("audits", "", number), 7000)
    assert summed(result)["readings"] == len(half) > 10
    assert result["alarms"] == []
    assert summed(result)["alarms"] == 0
    assert summed(result)["undecided"] == 0


@pytest.mark.usefixtures("small")
def test_an_audit_counts_a_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading that is expected to survive and is false: the audit's alarm can sound."""
    false = claim(lambda instance: Exponent(0.9), id="X2", expected="SURVIVED")
    others = {"X1": claim(expected="SURVIVED"), "X3": claim(lambda instance: Exponent(0.9), id="X3")}
    monkeypatch.setattr(calibration, "registered_claims", lambda: others | {"X2": false})
    monkeypatch.setattr(calibration, "AUDIT_EXAMPLES", 6)
    result = measure(Part("audits", "", 2), 5)
    assert (summed(result)["readings"], summed(result)["alarms"]) == (2, 1)
    assert result["alarms"] == [{"reading": "X2", "seed": 7}]


# ------------------------------------------------------------------------------------------------ parts, and going on


class Stub:
    """Stands in for the measurements: counts what it is asked, and stops when told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Part, int]] = []
        self.stop_at: int | None = None

    def __call__(self, part: Part, seed: int) -> Any:
        if self.stop_at is not None and len(self.asked) == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append((part, seed))
        outcomes = {f"{part.number}.{k}": {"null": 1.0, "rejected": float(k == 0)} for k in range(10)}
        return outcomes, [{"at": part.number}]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(calibration, "_MEASUREMENTS", dict.fromkeys(calibration._MEASUREMENTS, stub))
    monkeypatch.setattr(calibration, "code_digest", lambda: "this code")
    monkeypatch.setattr(calibration, "STERILE", 1000)  # parts of ten outcomes would ask for more and more of them
    return stub


FEW = Effort(judgements=600, confirmations=0, searches=0, treated=0, audits=0)  # three parts
ONE = [claim()]


def test_what_is_measured_is_not_measured_again(stub: Stub, tmp_path: Path) -> None:
    told: list[Progress] = []
    first = calibrate(ONE, out=tmp_path, effort=FEW, seed=3, progress=told.append)
    assert [(part.number, seed) for part, seed in stub.asked] == [(0, 3), (1, 3), (2, 3)]
    assert [(event.done, event.total) for event in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert first["complete"] is True
    assert first["readings"]["X1"]["judgements"]["size"] == rate(3.0, 30.0)
    assert first["digest"] == "this code"
    stub.asked.clear()
    assert calibrate(ONE, out=tmp_path, effort=FEW, seed=3) == first
    assert not stub.asked


def test_judging_goes_on_until_enough_different_instances_are_judged(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "STERILE", 10)
    effort = replace(FEW, judgements=55)  # one part of 250 draws; the stub judges ten instances a part
    told: list[Progress] = []
    assert calibrate(ONE, out=tmp_path, effort=effort, progress=told.append)["complete"] is True
    assert [part.number for part, _ in stub.asked] == [0, 1, 2, 3, 4, 5]
    assert (told[-1].done, told[-1].total) == (6, 6)
    stub.asked.clear()
    calibrate(ONE, out=tmp_path, effort=effort)
    assert not stub.asked


def test_judging_ends_where_a_domain_is_used_up_and_at_the_most_parts() -> None:
    def results(*outcomes: str) -> dict[Part, Any]:
        return {
            Part("judgements", "X1", number): {"outcomes": {key: {"null": float(key != "z")} for key in keys}}
            for number, keys in enumerate(outcomes)
        }

    effort = Effort(judgements=12)
    assert calibration.further_parts(results("abcdef", "abcdghijk"), effort) == [Part("judgements", "X1", 2)]
    assert calibration.further_parts(results("abcdef", "abcdefghij"), effort) == []  # four new ones
    assert calibration.further_parts(results("abcdef", "abghijklmnop"), effort) == []  # enough
    assert calibration.further_parts(results("abcdefz", "abcdghijkz"), effort) == [Part("judgements", "X1", 2)]
    assert calibration.further_parts(results(*["abcdef"] * calibration.MOST_CHUNKS), effort) == []


@pytest.mark.parametrize("changed", ["code", "seed"])
def test_other_code_or_another_seed_is_measured_anew(
    changed: str, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrate(ONE, out=tmp_path, effort=FEW)
    stub.asked.clear()
    if changed == "code":
        monkeypatch.setattr(calibration, "code_digest", lambda: "other code")
    found = calibrate(ONE, out=tmp_path, effort=FEW, seed=int(changed == "seed"))
    assert len(stub.asked) == 3
    assert found["digest"] == ("other code" if changed == "code" else "this code")
    stub.asked.clear()
    calibrate(ONE, out=tmp_path, effort=FEW, seed=int(changed == "seed"))
    assert not stub.asked


@pytest.mark.parametrize("damage", ["", '{"digest": "this co', "[]", "cut", "of another part"])
def test_a_damaged_part_is_measured_again(damage: str, stub: Stub, tmp_path: Path) -> None:
    first = calibrate(ONE, out=tmp_path, effort=FEW)
    stub.asked.clear()
    path = tmp_path / "parts" / "judgements-X1-1.json"
    text = path.read_text()
    if damage == "of another part":
        path.write_text(json.dumps(json.loads(text) | {"reading": "X-1"}))
    else:
        path.write_text(text[: len(text) // 2] if damage == "cut" else damage)
    assert calibrate(ONE, out=tmp_path, effort=FEW) == first | {"seconds": pytest.approx(first["seconds"], abs=1.0)}
    assert [part.number for part, _ in stub.asked] == [1]


def test_an_interrupt_keeps_the_parts(stub: Stub, tmp_path: Path) -> None:
    stub.stop_at = 2
    with pytest.raises(KeyboardInterrupt):
        calibrate(ONE, out=tmp_path, effort=FEW)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [
        "judgements-X1-0.json",
        "judgements-X1-1.json",
    ]
    stub.asked.clear()
    stub.stop_at = None
    assert calibrate(ONE, out=tmp_path, effort=FEW)["complete"] is True
    assert [part.number for part, _ in stub.asked] == [2]


def test_out_of_time_is_not_complete(stub: Stub, tmp_path: Path) -> None:
    nothing = calibrate(ONE, out=tmp_path, effort=FEW, seconds=0.0)
    assert not stub.asked
    assert nothing["complete"] is False
    assert nothing["readings"] == {}
    many = Effort(judgements=1600, confirmations=0, searches=0, treated=0, audits=0)  # eight parts
    calibration_time = iter([0.0, 0.0, 0.0, 0.0, 2.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration.time, "monotonic", lambda: next(calibration_time))
        half = calibrate(ONE, out=tmp_path, effort=many, seconds=1.0)
    assert len(stub.asked) == 3
    assert half["complete"] is False
    assert half["readings"]["X1"]["judgements"]["size"]["trials"] == 30.0


def test_the_order_of_the_table_is_not_that_of_the_work(stub: Stub, tmp_path: Path, monkeypatch: Any) -> None:
    forwards = calibrate(ONE, out=tmp_path / "a", effort=FEW)
    in_turn = calibration.run_tasks
    monkeypatch.setattr(calibration, "run_tasks", lambda tasks, jobs: in_turn(list(tasks)[::-1], jobs))
    backwards = calibrate(ONE, out=tmp_path / "b", effort=FEW)
    assert [part.number for part, _ in stub.asked[3:]] == [2, 1, 0]
    assert [alarm["at"] for alarm in backwards["alarms"]] == [0, 1, 2]
    assert backwards | {"seconds": 0.0} == forwards | {"seconds": 0.0}


@pytest.mark.thorough
def test_two_workers_measure_the_same_as_one(tmp_path: Path) -> None:
    """Real parts, of a reading that costs little."""
    claims = [one for one in properties.CLAIMS if one.id == "F5/spectra"]
    effort = Effort(judgements=300, confirmations=0, searches=0, treated=0, audits=0)  # two parts
    tables = [calibrate(claims, out=tmp_path / str(jobs), effort=effort, jobs=jobs) for jobs in (1, 2)]
    assert tables[0]["all"]["judgements"]["size"]["trials"] > 300
    assert tables[0]["all"]["judgements"]["power 0.02"]["rate"] == 1.0
    assert tables[0]["all"]["judgements"]["size"]["hits"] == 0
    assert tables[0] | {"seconds": 0.0} == tables[1] | {"seconds": 0.0}


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Ids of the project's own readings about exponents."""
    return [one.id for one in exponent_readings(properties.CLAIMS)]


@pytest.mark.thorough
def test_parts_have_names_of_their_own_and_every_reading_comes_before_any_second_part(names: list[str]) -> None:
    wanted = parts(properties.CLAIMS, Effort())
    assert len({part.name for part in wanted}) == len(wanted)
    assert len(names) > 25
    assert [part.reading for part in wanted[: len(names)]] == names
    counted = Counter(part.measurement for part in wanted)
    assert counted["judgements"] == 9 * len(names)  # 2250 draws for 2000 judgements
    assert counted["searches"] == 11 * len(names)
    assert counted["corners"] == 3 * len(names)
    assert counted["confirmations"] == len(names)
    assert counted["simulation alone"] == 24
    assert counted["audits"] == 200
    assert {part.reading for part in wanted if part.measurement == "simulation alone"} == set(TREATED) <= set(names)


def test_what_is_asked_for_is_rounded_up_and_of_the_chosen_readings_only() -> None:
    little = parts(ONE, Effort(judgements=1, confirmations=1, searches=1, treated=1, audits=0))
    assert Counter(part.measurement for part in little) == {
        "judgements": 1,
        "searches": 1,
        "corners": 1,
        "confirmations": 1,
    }
    assert {part.reading for part in little} == {"X1"}
    assert not parts([claim(lambda instance: Bound(1.0))], Effort(audits=0))


@pytest.mark.thorough
def test_readings_about_exponents(names: list[str]) -> None:
    bound, never = claim(lambda instance: Bound(1.0), id="X2"), claim(id="X3", domain=st.nothing())
    assert exponent_readings([*ONE, bound, never]) == ONE
    ids = set(names)
    assert {"T1/tuned-worst-case", "L1/assumption-r", "F5/spectra"} <= ids
    assert not ids & {one.id for one in properties.CLAIMS if one.proof is not None}
    assert not any(name.startswith("L2") for name in ids)


# ------------------------------------------------------------------------------------------------ rates


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (0, 200), (1, 200), (7, 11), (11, 11), (1999, 2000)])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_intervals_are_those_of_clopper_and_pearson(hits: int, trials: int, level: float) -> None:
    theirs = stats.binomtest(hits, trials).proportion_ci(level, "exact")
    assert clopper_pearson(hits, trials, level) == pytest.approx((theirs.low, theirs.high), rel=1e-9, abs=1e-12)


def test_half_a_hit_widens_both_ends_and_no_trials_say_nothing() -> None:
    assert clopper_pearson(7.5, 11.0) == (clopper_pearson(7.0, 11.0)[0], clopper_pearson(8.0, 11.0)[1])
    assert clopper_pearson(3.0 - 1e-12, 11.0) == clopper_pearson(3.0, 11.0)
    assert rate(0.0, 0.0) == {"hits": 0.0, "trials": 0.0, "rate": None, "low": 0.0, "high": 1.0}
    assert rate(7.5, 11.0)["rate"] == 7.5 / 11.0


def test_an_instance_that_is_drawn_again_counts_once(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(part: Part, seed: int) -> Any:
        return {"one": {"null": 1.0, "rejected": 1.0}, f"own {part.number}": {"null": 1.0, "rejected": 0.0}}, []

    monkeypatch.setattr(calibration, "_MEASUREMENTS", dict.fromkeys(calibration._MEASUREMENTS, same))
    assert calibrate(ONE, out=tmp_path, effort=FEW)["readings"]["X1"]["judgements"]["size"] == rate(1.0, 4.0)


def test_intervals_cover_as_often_as_they_say() -> None:
    """Exactly, by summing the binomial: at least .95 for every rate, and not by covering everything."""
    intervals = [clopper_pearson(hits, 30) for hits in range(31)]
    for truth in (0.01, 0.1, 0.37, 0.5, 0.99):
        inside = [hits for hits, (low, high) in enumerate(intervals) if low <= truth <= high]
        assert 0.95 <= math.fsum(stats.binom.pmf(inside, 30, truth)) <= 1.0
    assert max(high - low for low, high in intervals) < 0.4

"""The night: any number of workers finds the same, nothing that was found is lost, nobody is left out, rare corners are reached."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_database import client as redis_client
from test_database import start as start_redis
from test_database import stop as stop_redis
from test_workers import Cluster

from verifier import records
from verifier.claims import Claim, load_pack
from verifier.cli import _stoppable
from verifier.here import import_from
from verifier.instances import Instance
from verifier.verdicts import choices
from verifier.verdicts import nightly as module
from verifier.verdicts.allocation import FEWEST_BOUTS, Standing, plan_round
from verifier.verdicts.bouts import run_bout
from verifier.verdicts.corpus import Entry, best, load_entries, save_entries
from verifier.verdicts.falsify import falsify
from verifier.verdicts.nightly import NightError, NightResult, NothingToResume, resume_night, run_night
from verifier.verdicts.search import Budget

ROOT = Path(__file__).resolve().parent.parent
PACK = """
import verifier as vf
from hypothesis import strategies as st
from verifier.risk.asymptotics import theorem_exponent

DOMAIN = st.builds(
    lambda beta, s: vf.Instance(vf.PowerLaw(beta=beta), vf.CriticalTarget(s=s), vf.Noise(1.0)),
    st.floats(1.2, 3.0),
    st.floats(0.3, 0.8),
)


def claim(name, wrong, expected):
    return vf.Claim(
        id=f"N/{name}",
        title="planted",
        statement="the exponent of the theorem, but for what is planted",
        source="a test",
        domain=DOMAIN,
        predict=lambda i: vf.Exponent(theorem_exponent(i, "optimal") + 0.1 * wrong(i)),
        expected=expected,
    )


def odd(i):
    raise ValueError("no prediction today")


CLAIMS = [
    claim("true", lambda i: False, "SURVIVED"),
    claim("false", lambda i: i.beta > 2.0, "FALSIFIED"),
    claim("corner", lambda i: 2.998 < i.beta < 2.9999, "FALSIFIED"),
    claim("broken", odd, None),
    *(claim(f"broken-{k}", odd, None) for k in range(4)),
]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the pack that workers and other processes import."""
    where = tmp_path_factory.mktemp("pack")
    (where / "night_pack.py").write_text(textwrap.dedent(PACK))
    import_from(str(where))
    return where


@pytest.fixture(scope="module")
def claims(place: Path) -> dict[str, Claim]:
    return {claim.id.partition("/")[2]: claim for claim in load_pack("night_pack:CLAIMS")}


@pytest.fixture
def no_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Controls are judged as in the audit, and tested there."""
    monkeypatch.setattr(module, "controls", lambda seed: ())


@pytest.fixture
def stoppable() -> Iterator[None]:
    """Ctrl-C is heard as by the command, also where a shell started the tests in the background."""
    with _stoppable():
        yield


def night(claims: list[Claim], out: Path, **more: Any) -> NightResult:
    packs = {claim.id: "night_pack:CLAIMS" for claim in claims}
    return run_night(claims, out=out, packs=packs, **{"examples": 60, **more})


def resumed(claims: list[Claim], out: Path, **more: Any) -> NightResult:
    return resume_night(out, {claim.id: claim for claim in claims}, **more)


def bouts(out: Path) -> dict[str, Any]:
    """The bouts of a night, without the time that they took."""
    found = {path.name: json.loads(path.read_text()) for path in sorted((out / "bouts").glob("*.json"))}
    return {name: {**bout, "seconds": 0} for name, bout in found.items()}


def verdicts(result: NightResult) -> dict[str, str]:
    return {finding["id"]: finding["verdict"] for finding in result.findings}


# ------------------------------------------------------------------------------------------------ the same for any workers


def test_any_number_of_workers_finds_the_same(
    claims: dict[str, Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [claims[name] for name in ("true", "false", "broken")]
    one = night(chosen, tmp_path / "one")
    monkeypatch.setattr(module, "controls", lambda seed: ())  # once is enough
    two = night(chosen, tmp_path / "two", jobs=2)
    assert bouts(tmp_path / "one") == bouts(tmp_path / "two")
    assert verdicts(one) == verdicts(two) == {"N/true": "SURVIVED", "N/false": "FALSIFIED", "N/broken": "ERROR"}
    assert one.exit_code == two.exit_code == 3
    record = records.load_night(tmp_path / "two")
    assert record["jobs"] == 2
    assert record["engine"] == "loky"
    assert record["rounds"] >= 2
    assert record["damage"] == []
    true = record["readings"][0]
    assert true["examples"] >= 60
    assert true["distinct"] >= 1
    assert 0.0 < true["nearest"] < 10.0
    assert {"spectrum.beta low", "target.s high"} <= {c["name"] for c in true["corners"] if c["examples"]}
    assert len(one.run["controls"]) == 4
    assert all(control["right"] for control in one.run["controls"])
    assert all(finding["size"]["confirmations"] <= 2 for finding in one.findings)
    # What readers of runs need is there.
    assert records.load_findings(tmp_path / "one") == one.findings
    assert set(records.load_judgements(tmp_path / "one")["id"]) == {"N/true", "N/false"}
    replayed = records.load_counterexample(tmp_path / "one" / "counterexamples" / "N-false.minimal.json")
    assert Instance.from_json(replayed["instance"]).beta > 2.0
    assert "Report of a night" in (tmp_path / "one" / "report.html").read_text()


# ------------------------------------------------------------------------------------------------ nothing is lost


EXAMPLES = 60


def start(place: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """A night in a process of its own, without controls: they are judged as in the audit, and tested there."""
    program = "from verifier.verdicts import nightly; nightly.controls = lambda seed: (); from verifier.cli import main; main()"
    command = [sys.executable, "-c", program, "nightly", "--pack", "night_pack:CLAIMS", "--only", "N/true,N/false"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = ["--examples", str(EXAMPLES), "--out", str(out), *more]
    return subprocess.Popen(
        [*command, *options],
        cwd=place,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_bouts(process: subprocess.Popen[str], out: Path, count: int) -> None:
    until = time.monotonic() + 60.0
    while len(list((out / "bouts").glob("*.json"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "no bout was finished in a minute"
        time.sleep(0.02)


def test_a_killed_night_goes_on_and_ends_as_if_it_had_not_been(
    place: Path, claims: dict[str, Claim], tmp_path: Path, no_controls: None
) -> None:
    chosen = [claims["true"], claims["false"]]
    process = start(place, tmp_path / "killed", "--jobs", "1")
    wait_for_bouts(process, tmp_path / "killed", 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "bouts").glob("[0-9]*.json")}
    result = resumed(chosen, tmp_path / "killed")
    assert all(path.stat().st_mtime_ns == when for path, when in before.items()), "a finished bout was run again"
    whole = night(chosen, tmp_path / "whole", examples=EXAMPLES)
    assert bouts(tmp_path / "killed") == bouts(tmp_path / "whole")
    assert len(before) < len(bouts(tmp_path / "whole"))
    assert verdicts(result) == verdicts(whole) == {"N/true": "SURVIVED", "N/false": "FALSIFIED"}
    assert result.night["resumed"] == 1


@pytest.mark.thorough
def test_ctrl_c_writes_the_report_first_and_the_night_goes_on(
    place: Path, claims: dict[str, Claim], tmp_path: Path, no_controls: None
) -> None:
    out = tmp_path / "stopped"
    process = start(place, out, "--jobs", "2")
    wait_for_bouts(process, out, 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: the workers hear it too
    said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said[1]
    assert (out / "report.html").exists()
    assert records.load_night(out)["exit_code"] == 130
    stopped = {finding["id"]: finding for finding in records.load_findings(out)}
    assert stopped["N/true"]["verdict"] == "UNDERPOWERED"
    assert "stopped" in stopped["N/true"]["message"]
    assert stopped["N/true"]["size"]["confirmations"] == 0, "an interruption may not spend what the end needs"
    result = resumed([claims["true"], claims["false"]], out)
    assert verdicts(result) == {"N/true": "SURVIVED", "N/false": "FALSIFIED"}
    assert result.night["exit_code"] in (0, 3)


@pytest.mark.parametrize(
    ("stage", "true"),
    [("confirming", "UNDERPOWERED"), pytest.param("report", "SURVIVED", marks=pytest.mark.thorough)],
)
def test_ctrl_c_at_the_end_of_a_night_still_writes_the_report(
    stage: str,
    true: str,
    claims: dict[str, Claim],
    tmp_path: Path,
    no_controls: None,
    stoppable: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = [claims["true"], claims["false"]]
    monkeypatch.setattr(module._Night, "_cost", lambda self, name: name == "N/false")  # which is confirmed first
    heard: list[str] = []

    def stop(event: Any) -> None:
        if event.stage == stage and "interrupted" not in heard:
            signal.raise_signal(signal.SIGINT)
        heard.append(event.stage)

    def stop_again(event: Any) -> None:
        if event.stage in (stage, "interrupted"):
            signal.raise_signal(signal.SIGINT)

    result = night(chosen, tmp_path / "stopped", progress=stop, examples=20)
    assert verdicts(result) == {"N/true": true, "N/false": "FALSIFIED"}
    assert result.exit_code == records.load_night(tmp_path / "stopped")["exit_code"] == 130
    assert (tmp_path / "stopped" / "report.html").exists()
    assert verdicts(resumed(chosen, tmp_path / "stopped")) == {"N/true": "SURVIVED", "N/false": "FALSIFIED"}
    with pytest.raises(KeyboardInterrupt):
        resumed(chosen, tmp_path / "stopped", progress=stop_again)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_job_is_stopped_as_by_ctrl_c(how: signal.Signals) -> None:
    before = signal.signal(how, signal.SIG_IGN)  # as a shell starts what it puts into the background
    try:
        with pytest.raises(KeyboardInterrupt), _stoppable():
            signal.raise_signal(how)
        assert signal.getsignal(how) is signal.SIG_IGN
    finally:
        signal.signal(how, before)


@pytest.mark.thorough
def test_a_damaged_bout_is_named_and_run_again(claims: dict[str, Claim], tmp_path: Path, no_controls: None) -> None:
    chosen = [claims["true"], claims["false"]]
    night(chosen, tmp_path)
    before = bouts(tmp_path)
    torn, foreign, outside = sorted((tmp_path / "bouts").glob("*.json"))[:3]
    torn.write_text(torn.read_text()[:200])
    foreign.write_text(json.dumps({**json.loads(foreign.read_text()), "order": "0" * 64}))
    moved = json.loads(outside.read_text())
    next(iter(moved["kept"].values()))["instance"]["spectrum"]["beta"] = 50.0  # no longer what the domain draws
    outside.write_text(json.dumps(moved))
    result = resumed(chosen, tmp_path)
    assert bouts(tmp_path) == before
    named = [entry["where"] for entry in records.load_night(tmp_path)["damage"]]
    assert named == [f"bouts/{path.name}" for path in (torn, foreign, outside)]
    assert verdicts(result) == {"N/true": "SURVIVED", "N/false": "FALSIFIED"}


def limited(out: Path) -> Iterator[None]:
    """From the second step to the third no file grows beyond 64 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_for_ever(file: Any) -> None:
    while True:
        file.write(b"x" * 4096)


def filled(out: Path) -> Iterator[None]:
    """A disk of 8 MB at ``out``, from the second step to the third without a free byte."""
    out.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(out)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"a small disk cannot be mounted here ({tried.stderr.strip()})")
    try:
        yield
        with (out / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            write_for_ever(filler)
        yield
        (out / "filler").unlink()
        yield
    finally:
        subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize(("disk", "why"), [(limited, "File too large"), (filled, "No space left on device")])
def test_a_full_disk_ends_the_night_with_a_sentence_and_loses_nothing(
    disk: Any, why: str, claims: dict[str, Claim], tmp_path: Path, no_controls: None
) -> None:
    chosen, out = [claims["true"], claims["false"]], tmp_path / "disk"

    def fill(event: Any) -> None:
        if event.stage == "bout" and event.round == 2 and event.done == 3:
            next(steps)

    with closing(disk(out)) as steps:
        next(steps)
        try:
            with pytest.raises(NightError, match=f"cannot be written: {why}; what was found before is kept"):
                night(chosen, out, progress=fill)
        finally:
            next(steps)
        kept = bouts(out)
        assert len(kept) == 2 + 3
        assert verdicts(resumed(chosen, out)) == {"N/true": "SURVIVED", "N/false": "FALSIFIED"}
        assert kept.items() <= bouts(out).items()


@pytest.mark.parametrize(("disk", "why"), [(limited, "File too large"), (filled, "No space left on device")])
def test_a_disk_that_is_full_from_the_start_is_one_sentence(
    disk: Any, why: str, claims: dict[str, Claim], tmp_path: Path
) -> None:
    with closing(disk(tmp_path / "disk")) as steps:
        next(steps)
        next(steps)
        try:
            with pytest.raises(NightError, match=f"orders.json: cannot be written: {why}; nothing was searched: make"):
                night([claims["true"]], tmp_path / "disk" / "night")
        finally:
            next(steps)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.mark.thorough
def test_a_night_outlives_its_redis_a_worker_and_the_scheduler(
    place: Path, claims: dict[str, Claim], tmp_path: Path, no_controls: None, capfd: pytest.CaptureFixture[str]
) -> None:
    """Killed one after the other while a cluster of two workers searches; each is named, and the same is found as without them."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    chosen = [claims[name] for name in ("true", "false", *(f"broken-{k}" for k in range(4)))]
    (log := tmp_path / "log").mkdir()
    redis_port = free_port()
    address = f"redis://127.0.0.1:{redis_port}/0"
    redis = start_redis(redis_port)
    cluster = Cluster(free_port(), log, workers=2, path=place)
    shared: list[bytes] = []
    said: list[str] = []

    def kill(event: Any) -> None:
        if event.stage == "damage":
            said.append(event.text)
        elif event.stage == "bout" and redis.poll() is None and event.done == 2:
            with closing(redis_client(address)) as kept:
                shared.extend(kept.keys())
            stop_redis(redis)
        elif event.stage == "bout" and event.round == 2:
            if cluster.workers[0].poll() is None:
                cluster.workers[0].kill()
                cluster.workers[0].wait()
            elif any("runs its tasks again" in text for text in said):
                cluster.scheduler.kill()

    try:
        cluster.wait()
        capfd.readouterr()
        more = {
            "scheduler": cluster.address,
            "directory": tmp_path / "db",
            "database": address,
            "jobs": 2,
            "examples": 20,
        }
        result = night(chosen, tmp_path / "night", progress=kill, **more)
    finally:
        cluster.stop()
        stop_redis(redis)
    assert capfd.readouterr().err == ""
    assert shared, "the workers shared nothing through Redis"
    assert cluster.scheduler.returncode == cluster.workers[0].returncode == -signal.SIGKILL
    named = {
        entry["where"].split("127.0.0.1")[0]: entry["what"]
        for entry in records.load_night(tmp_path / "night")["damage"]
    }
    assert set(named) == {"database redis://", "worker tcp://", "scheduler tcp://", "scheduler"}
    assert "the run goes on without it" in named["database redis://"]
    assert "runs its tasks again" in named["worker tcp://"]
    assert "on this machine (2 processes)" in named["scheduler tcp://"]
    assert "the night goes on without it, on this machine" in named["scheduler"]
    night(
        chosen, tmp_path / "alone", directory=tmp_path / "other", examples=20
    )  # examples are kept: that is part of a search
    found = [
        {name: {**bout, "damage": []} for name, bout in bouts(tmp_path / where).items()} for where in ("night", "alone")
    ]
    assert found[0] == found[1]
    assert verdicts(result) == {"N/true": "SURVIVED", "N/false": "FALSIFIED"} | {
        f"N/broken-{k}": "ERROR" for k in range(4)
    }
    assert result.night["engine"] == "dask"


def test_other_code_and_no_night_are_refused(claims: dict[str, Claim], tmp_path: Path, no_controls: None) -> None:
    with pytest.raises(NothingToResume, match="holds no night to resume"):
        resumed([claims["false"]], tmp_path)
    night([claims["false"]], tmp_path, examples=20)
    orders = json.loads((tmp_path / "orders.json").read_text())
    (tmp_path / "orders.json").write_text(json.dumps({**orders, "code": "0" * 64}))
    with pytest.raises(NothingToResume, match="searched by other code"):
        resumed([claims["false"]], tmp_path)
    (tmp_path / "orders.json").write_text(json.dumps({**orders, "schema": records.SCHEMA + 1}))
    with pytest.raises(NothingToResume, match="install a newer one"):
        resumed([claims["false"]], tmp_path)


def test_a_confirmed_violation_is_not_confirmed_again(
    claims: dict[str, Claim], tmp_path: Path, no_controls: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = night([claims["false"]], tmp_path, examples=20, shards=4)

    def never(*arguments: Any) -> Any:
        raise AssertionError("confirmed again")

    monkeypatch.setattr(module, "conclude", never)
    again = resumed([claims["false"]], tmp_path)
    assert again.findings[0]["minimal"] == first.findings[0]["minimal"]
    # One of four nights that share a budget has a quarter of its confirmations, each at the same level.
    assert again.run["confirmations"] == first.run["confirmations"] == {"spent": 2, "cap": 125, "level": 1e-3 / 500}
    assert again.night["shards"] == 4
    with pytest.raises(ValueError, match="at most 1 claims"):
        night([claims["false"], claims["true"]], tmp_path / "one of many", shards=50)
    # Nor is one believed that no bout found.
    for path in (tmp_path / "bouts").glob("*.json"):
        path.unlink()
    monkeypatch.setattr(module, "run_bout", lambda order: {**run_bout(order), "minimal": None})
    with pytest.raises(AssertionError, match="confirmed again"):
        resumed([claims["false"]], tmp_path)


# ------------------------------------------------------------------------------------------------ who gets time


@st.composite
def standings(draw: st.DrawFn) -> dict[str, Standing]:
    one = st.builds(
        Standing,
        examples=st.integers(0, 5000),
        undecided=st.integers(0, 50),
        behaviours=st.dictionaries(st.text(max_size=3), st.integers(1, 9), max_size=9),
        nearest=st.none() | st.floats(-100.0, 0.0),
        improved=st.booleans(),
        violated=st.booleans(),
        bouts=st.integers(1, 40),
    )
    return draw(st.dictionaries(st.text(max_size=4), one, min_size=1, max_size=30))


@settings(max_examples=40, deadline=None)
@given(standings(), st.integers(1, 12))
def test_half_of_a_round_is_even_and_the_rest_goes_by_weight(known: dict[str, Standing], number: int) -> None:
    shares = plan_round(number, known, None)
    counts = {name: sum(share.id == name for share in shares) for name in known}
    assert min(counts.values()) >= 1
    assert len(shares) == max(2 * len(known), FEWEST_BOUTS)
    open_ = [name for name in known if not known[name].violated]
    if open_:
        assert all(counts[name] == 1 for name in known if known[name].violated)
    for a in open_:
        for b in open_:
            assert not (known[a].weight > known[b].weight and counts[a] < counts[b])
    numbers = {(share.id, share.number) for share in shares}
    assert len(numbers) == len(shares), "two bouts would draw the same"
    assert shares == plan_round(number, known, None)


def test_new_behaviours_near_violations_and_undecided_instances_attract_bouts() -> None:
    dull = Standing(examples=400, behaviours={"a": 400}, nearest=-50.0, bouts=1)
    for change in (
        {"behaviours": {"a": 360, **{str(k): 1 for k in range(40)}}},
        {"undecided": 100},
        {"nearest": -0.01, "improved": True},
    ):
        lively = Standing(**{**vars(dull), **change})
        shares = plan_round(3, {"dull": dull, "lively": lively}, None)
        assert sum(share.id == "lively" for share in shares) > 2 * sum(share.id == "dull" for share in shares), change


def test_examples_end_a_night() -> None:
    known = {"a": Standing(bouts=1), "b": Standing(bouts=1)}
    assert sum(share.examples for share in plan_round(1, known, 400)) <= 400
    assert sum(share.examples for share in plan_round(1, known, 40)) <= 40
    assert plan_round(1, known, 19) == []
    assert plan_round(0, {"a": Standing()}, 1)[0].examples == 1
    assert plan_round(1, {"a": Standing(failed=True)}, None) == []


# ------------------------------------------------------------------------------------------------ where it looks


@pytest.mark.thorough
def test_a_falsehood_in_a_rare_corner_is_found(claims: dict[str, Claim], tmp_path: Path, no_controls: None) -> None:
    rare = claims["corner"]  # a thousandth of the domain's betas, beside an end of their range but not at it
    plain = falsify(rare, budget=Budget(examples=200), seed=2)
    assert plain.verdict == "SURVIVED", "the corner is not rare for a plain search: choose another"
    result = night([rare], tmp_path, examples=200, seed=2)
    assert verdicts(result) == {"N/corner": "FALSIFIED"}
    found = Instance.from_json(result.findings[0]["minimal"]["instance"])
    assert 2.998 < found.beta < 2.9999


def test_what_is_mutated_stays_in_the_domain() -> None:
    pairs = st.tuples(st.floats(0.0, 1.0), st.integers(0, 9)).filter(lambda p: p[0] * 10 > p[1])
    domain: Any = pairs.flatmap(lambda p: st.tuples(st.just(p), st.floats(0.0, max(p[0], 0.01)), st.booleans()))
    rng = random.Random(0)

    def inside(value: Any) -> bool:
        (x, k), y, _ = value
        return bool(0.0 <= x <= 1.0 and 0 <= k <= 9 and 10 * x > k and 0.0 <= y <= max(x, 0.01))

    for way in ("plain", "spread", "corner"):
        drawn = [each for _ in range(60) if (each := choices.draw(domain, rng, way=way)) is not None]
        assert len(drawn) > 10
        assert all(inside(each.instance) for each in drawn)
        for each in drawn:
            again = choices.draw(domain, rng, prefix=each.choices)
            assert again is not None
            assert again.instance == each.instance
            near = choices.draw(domain, rng, prefix=choices.stepped(each, rng))
            assert near is None or inside(near.instance)
        first: Any = drawn[0].instance
        simple = choices.simplified(domain, drawn[0], lambda value, most=first[1]: value[1] <= most, rng, 50)  # type: ignore
        assert inside(simple.instance)
        assert simple.instance[1] <= drawn[0].instance[1]


def test_corners_are_drawn_more_often_than_by_a_plain_search() -> None:
    domain: Any = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
    rng = random.Random(1)

    def share(way: str) -> float:
        drawn = [choices.draw(domain, rng, way=way) for _ in range(400)]
        return sum(d is not None and d.instance[0] > 0.98 and d.instance[1] < 0.02 for d in drawn) / 400  # type: ignore

    assert share("corner") > 10.0 * 0.02 * 0.02


# ------------------------------------------------------------------------------------------------ the corpus


def order(claim: Claim, **more: Any) -> dict[str, Any]:
    plain = {"id": claim.id, "pack": "night_pack:CLAIMS", "round": 1, "number": 2, "purpose": "near", "examples": 15}
    rest = {"seed": 0, "violated": False, "nearest": None, "thresholds": {}, "corpus": []}
    return {**plain, **rest, "directory": None, "database": None, **more}


@pytest.mark.thorough
def test_near_violations_are_kept_fed_back_and_carried_over(
    claims: dict[str, Claim], tmp_path: Path, no_controls: None
) -> None:
    true = claims["true"]
    result = night([true], tmp_path / "first", corpus=tmp_path / "corpus")
    damage: list[tuple[str, str]] = []
    kept = load_entries(tmp_path / "corpus", true.id, lambda where, what: damage.append((where, what)))
    assert kept
    assert not damage
    assert kept == best(kept)
    assert -kept[0].score == pytest.approx(result.night["readings"][0]["nearest"])
    # A bout that starts from them judges the very instance first.
    fed = run_bout(order(true, corpus=[list(kept[0].choices)]))
    assert fed["error"] == ""
    assert fed["rows"][0][6] == kept[0].score
    night([true], tmp_path / "second", corpus=tmp_path / "corpus", examples=20)
    orders = records.load_part(tmp_path / "second" / "orders.json", "night-orders")
    assert orders["readings"][0]["corpus"] == [list(entry.choices) for entry in kept]


def test_a_corpus_of_a_stranger_is_data(claims: dict[str, Claim], tmp_path: Path) -> None:
    true = claims["true"]
    damage: list[str] = []

    def load(text: str) -> list[Entry]:
        (tmp_path / "N-true.json").write_text(text)
        return load_entries(tmp_path, true.id, lambda where, what: damage.append(what))

    good = Instance.from_json(
        {
            "spectrum": {"kind": "PowerLaw", "beta": 2.0, "scale": 1.0},
            "target": {"kind": "CriticalTarget", "s": 0.5, "norm": 1.0, "source_norm": "L2"},
            "noise": {"kind": "Noise", "sigma": 1.0},
        }
    ).to_json()
    path = save_entries(tmp_path, true.id, [Entry(-0.5, (2.0, 0.5), good)])
    text = path.read_text()
    assert len(load(text)) == 1
    assert not damage
    evil = json.loads(text)
    evil["entries"].append({**evil["entries"][0], "instance": {"kind": "os.system", "command": "true"}})
    assert len(load(json.dumps(evil))) == 1
    assert "entry 1 is left out" in damage.pop()
    for bad in ("{", text.replace("2.0", "[2.0]", 1), text.replace('"schema": 1', '"schema": 99'), "x" * 2_000_000):
        assert load(bad) == [], bad[:50]
        assert "the search starts without it" in damage.pop(), bad[:50]
    # Choices that mean nothing to the domain draw something else of it, or nothing.
    strange = run_bout(order(true, corpus=[["a", True, 1e300, -5], [], [float(2**60)]]))
    assert strange["error"] == ""
    assert all(1.2 <= kept["instance"]["spectrum"]["beta"] <= 3.0 for kept in strange["kept"].values())


# ------------------------------------------------------------------------------------------------ the command


@pytest.fixture
def in_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(place)
    return


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "needs --hours H, --examples N or --resume DIR"),
        (["--hours", "0"], "expected a number above 0"),
        (["--hours", "nan"], "expected a number above 0"),
        (["--hours", "-1"], "expected a number above 0"),
        (["--examples", "0"], "Invalid value for '--examples'"),
        (["--examples", "5", "--only", "no-such"], "no claim is called"),
        (["--examples", "5", "--shards", "50"], "could spend more than the 10 confirmations of a shard, one of 50"),
        (["--resume", "nowhere", "--shards", "2"], "--shards belongs to a new night"),
        (["--examples", "5", "--scheduler", "http://127.0.0.1:1"], "must be tcp://HOST:PORT"),
        (["--examples", "5", "--database", "http://127.0.0.1:1"], "must be redis://HOST:PORT/NUMBER"),
        (["--resume", "nowhere"], "holds no night to resume"),
        (["--resume", "night_pack.py"], "--resume is night_pack.py, which is a file: name a directory"),
        (["--examples", "5", "--corpus", "night_pack.py"], "--corpus is night_pack.py, which is a file: name a"),
        (["--examples", "5", "--only", "L2", "--out", "night_pack.py"], "--out: night_pack.py is a file: name a"),
        (["--examples", "5", "--only", "L2", "--out", "night_pack.py/x"], "Not a directory; name a directory that can"),
        (["--resume", "nowhere", "--hours", "1"], "--hours belongs to a new night"),
    ],
)
def test_bad_usage_exits_64(words: list[str], said: str, in_place: None, capsys: pytest.CaptureFixture[str]) -> None:
    from verifier.cli import app

    with pytest.raises(SystemExit) as stopped:
        app(["nightly", *words])
    assert stopped.value.code == 64
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())

"""Packs that misbehave: one sentence names pack and claim, the exit code says what happened, the other claims still run."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from verifier import cli, records
from verifier.verdicts import audit

PACK = """
import math
import sys

from hypothesis import strategies as st

import verifier as vf

PLAIN = st.builds(
    lambda beta, s: vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s=s)),
    st.sampled_from([2.0, 1.5, 2.5, 3.0]),
    st.sampled_from([0.5, 0.2, 0.3, 0.4]),
)


def alpha(inst):
    return vf.Exponent(2 * inst.s / (2 * inst.s + 1 / inst.beta))


def boom(*anything):
    raise RuntimeError("out of\\ncheese \\x1b[31m")


def leave(*anything):
    sys.exit(0)


def never(inst):
    return False


def claim(name, domain=PLAIN, predict=alpha, **more):
    return vf.Claim(id=f"B/{name}", title="t", statement="s", source="n", domain=domain, predict=predict, **more)


CLAIMS = [
    claim("predict-raises", predict=boom),
    claim("predict-exits", predict=leave),
    claim("predict-nan", predict=lambda inst: vf.Exponent(math.nan)),
    claim("predict-number", predict=lambda inst: 0.5),
    claim("domain-nothing", domain=st.nothing()),
    claim("domain-never", domain=PLAIN.filter(lambda inst: False)),
    claim("domain-raises", domain=st.builds(boom)),
    claim("domain-exits", domain=st.builds(leave)),
    claim("domain-invalid", domain=st.builds(vf.Instance, st.builds(vf.PowerLaw, st.floats(0.5, 0.9)))),
    claim("domain-integers", domain=st.integers()),
    claim("hypothesis-never", hypotheses=(never,)),
    claim("hypothesis-raises", hypotheses=(boom,)),
    claim("tuning-raises", tuning=boom),
    claim("tuning-exits", tuning=leave),
    claim("tuning-nan", tuning=lambda inst, n: math.nan),
    claim("tuning-negative", tuning=lambda inst, n: -1.0),
    claim("tuning-none", tuning=lambda inst, n: None),
    claim("proof-raises", proof=boom),
    claim("fine"),
]
FEW = [one for one in CLAIMS if one.id in ("B/predict-raises", "B/domain-nothing", "B/fine")]
"""

SAYS = {
    "predict-raises": ("ERROR", "predict of claim B/predict-raises raised RuntimeError: out of cheese"),
    "predict-exits": ("ERROR", "predict of claim B/predict-exits raised SystemExit: 0"),
    "predict-nan": (
        "ERROR",
        "predict of claim B/predict-nan raised ValueError: Exponent=nan must be finite, for l_i = ",
    ),
    "predict-number": (
        "ERROR",
        "predict of claim B/predict-number returned 0.5, which is not a prediction such as vf.",
    ),
    "domain-nothing": ("VACUOUS", "the domain of claim B/domain-nothing is empty"),
    "domain-never": ("VACUOUS", "the domain of claim B/domain-never gave no instance at all"),
    "domain-raises": ("ERROR", "the domain of claim B/domain-raises raised RuntimeError: out of cheese"),
    "domain-exits": ("ERROR", "the domain of claim B/domain-exits raised SystemExit: 0"),
    "domain-invalid": ("ERROR", "the domain of claim B/domain-invalid raised ValueError: beta="),
    "domain-integers": ("ERROR", "the domain of claim B/domain-integers draws 0, which is not an instance"),
    "hypothesis-never": ("VACUOUS", "Most often the hypothesis 'never' is not met"),
    "hypothesis-raises": ("ERROR", "the hypothesis 'boom' of claim B/hypothesis-raises raised RuntimeError: out of"),
    "tuning-raises": ("ERROR", "claim B/tuning-raises: the tuning function boom raised RuntimeError: out of"),
    "tuning-exits": ("ERROR", "claim B/tuning-exits: the tuning function leave raised SystemExit: 0"),
    "tuning-nan": ("ERROR", "claim B/tuning-nan: the tuning function <lambda> returned nan at n=100"),
    "tuning-negative": ("ERROR", "claim B/tuning-negative: the tuning function <lambda> returned -1.0 at n=100"),
    "tuning-none": ("ERROR", "claim B/tuning-none: the tuning function <lambda> returned None at n=100"),
    "proof-raises": ("ERROR", "claim B/proof-raises: RuntimeError: out of"),
    "fine": ("SURVIVED", ""),
}


@pytest.fixture(autouse=True)
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where the bad pack is, with nothing installed and no controls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [])
    monkeypatch.setattr(audit, "controls", lambda seed: [])
    sources = {
        "bad_pack": PACK,
        "leaving_pack": "import sys\nsys.exit(0)\n",
        "absent_pack": "import no_such_module_anywhere\n",
        "spent_pack": "import bad_pack\nCLAIMS = (one for one in bad_pack.CLAIMS)\n",
        "raising_pack": "def __getattr__(name):\n    raise RuntimeError('not today')\n",
        "misnamed_pack": "import bad_pack\nCLAIMS = [bad_pack.claim('two words')]\n",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.app, arguments, prog_name="verifier")
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output
    return result


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_falsify_judges_every_claim_of_a_bad_pack() -> None:
    result = run("falsify", "--pack", "bad_pack:CLAIMS", "--examples", "12", "--out", "run")
    assert result.exit_code == cli.ERROR
    found = {record["reading"]: record for record in records.load_findings("run")}
    assert list(found) == list(SAYS)
    for name, (verdict, says) in SAYS.items():
        assert found[name]["verdict"] == verdict, name
        assert says in found[name]["message"], found[name]["message"]
        if verdict != "SURVIVED":
            assert found[name]["message"].startswith("pack 'bad_pack:CLAIMS': "), name
            assert f"claim B/{name}" in found[name]["message"], name
            assert one_line(found[name]["message"]) in one_line(result.stdout).replace("�", "\x1b")


@pytest.mark.parametrize(
    ("name", "code"),
    [("predict-nan", 3), ("domain-nothing", 2), ("hypothesis-never", 2), ("tuning-nan", 3), ("fine", 0)],
)
def test_falsify_exits_with_the_verdict(name: str, code: int) -> None:
    assert run("falsify", f"B/{name}", "--pack", "bad_pack:CLAIMS", "--examples", "12").exit_code == code


def test_an_audit_judges_every_claim_of_a_bad_pack() -> None:
    names = [name for name in SAYS if name != "fine"]
    only = ",".join(f"B/{name}" for name in names)
    result = run("audit", "--only", only, "--pack", "bad_pack:CLAIMS", "--jobs", "1", "--out", "run")
    assert result.exit_code == cli.ERROR
    found = {record["reading"]: record for record in records.load_findings("run")}
    assert {name: found[name]["verdict"] for name in names} == {name: SAYS[name][0] for name in names}
    for name in names:
        assert found[name]["message"].startswith("pack 'bad_pack:CLAIMS': "), name
        assert SAYS[name][1] in found[name]["message"]
        if SAYS[name][0] != "SURVIVED":
            assert f"B/{name}: pack 'bad_pack:CLAIMS': " in one_line(result.stdout)


def test_a_broken_installed_pack_does_not_hide_the_claims_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [SimpleNamespace(name=name, value=f"{name}:CLAIMS") for name in ("absent_pack", "bad_pack")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    result = run("audit", "--only", "B/domain-nothing", "--jobs", "1", "--out", "run")
    assert "absent_pack" in result.stderr
    assert [record["verdict"] for record in records.load_findings("run")] == ["VACUOUS"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("leaving_pack:CLAIMS", "pack 'leaving_pack:CLAIMS' cannot be imported: SystemExit: 0"),
        ("absent_pack:CLAIMS", "pack 'absent_pack:CLAIMS' cannot be imported: ModuleNotFoundError: No module named"),
        ("no_pack:CLAIMS", "pack 'no_pack:CLAIMS' cannot be imported: ModuleNotFoundError: No module named 'no_pack'"),
        ("spent_pack:CLAIMS", "which can be read only once: make it a tuple or a list of Claims"),
        ("raising_pack:CLAIMS", "pack 'raising_pack:CLAIMS' cannot be imported: RuntimeError: not today"),
        ("misnamed_pack:CLAIMS", "cannot be imported: ValueError: id='B/two words' must look like"),
        ("bad_pack:FEW", "pack 'bad_pack:FEW' registers the id 'B/predict-raises', which another pack has"),
    ],
)
def test_a_pack_that_cannot_be_loaded_is_named_and_the_others_are_judged(spec: str, says: str) -> None:
    result = run("falsify", "--pack", "bad_pack:CLAIMS", "--pack", spec, "B/domain-nothing")
    assert result.exit_code == cli.USAGE
    assert says in one_line(result.stderr)
    assert "B/domain-nothing  VACUOUS" in result.stdout


def test_a_pack_that_does_not_load_twice_is_an_error_of_its_claims_only(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []

    def find_claim(claim_id: str, pack: str | None) -> Any:
        loaded.append(claim_id)
        if claim_id == "B/predict-raises":
            raise SystemExit(1)
        return original(claim_id, pack)

    original = audit.find_claim
    monkeypatch.setattr(audit, "find_claim", find_claim)
    result = run("audit", "--pack", "bad_pack:FEW", "--jobs", "1", "--out", "run")
    assert result.exit_code == cli.ERROR
    found = {record["id"]: record for record in records.load_findings("run")}
    assert found["B/predict-raises"]["message"] == (
        "pack 'bad_pack:FEW': claim B/predict-raises could not be loaded again: 1"
    )
    assert found["B/fine"]["verdict"] == "SURVIVED"

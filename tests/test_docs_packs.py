"""docs/packs.md: what it shows runs, and what it names exists."""

import re
from pathlib import Path

import verifier as vf
from verifier import cli
from verifier.testing import EXAMPLES, PREFIX

TEXT = (Path(__file__).parents[1] / "docs" / "packs.md").read_text()


def test_the_first_claim_of_the_guide_can_be_judged() -> None:
    block = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    namespace: dict[str, object] = {}
    exec(block[1], namespace)
    claim = namespace["claim"]
    assert isinstance(claim, vf.Claim)
    found = vf.judge(claim, vf.Instance(vf.PowerLaw(beta=2.0), vf.CriticalTarget(s=0.5), vf.Noise(sigma=1.0)))
    assert found.verdict == "consistent"
    assert vf.falsify(claim, budget=vf.Budget(examples=40), seed=0).verdict == "SURVIVED"


def test_the_names_of_the_guide_exist() -> None:
    for name in set(re.findall(r"`@?vf\.([A-Za-z_]+)", TEXT)):
        assert hasattr(vf, name), name
    commands = {command.name for command in cli.app.registered_commands}
    for name in set(re.findall(r"^verifier ([a-z-]+)|`verifier ([a-z-]+)", TEXT, re.MULTILINE)):
        assert "".join(name) in commands
    for name in EXAMPLES:
        assert f"`{PREFIX}{name}` ({EXAMPLES[name]}" in TEXT
    for argument in re.findall(r"^\| `(\w+)`", TEXT.partition("### Predictions")[0], re.MULTILINE):
        assert argument in vf.Claim.__dataclass_fields__


def test_links_of_the_guide_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (Path(__file__).parents[1] / "docs" / target).exists(), target

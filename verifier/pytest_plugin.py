"""The pytest plugin: a claim becomes a test, expected verdict included.

A test module that has ``READINGS`` (claims) and a test with an argument ``reading`` gets one test for each of them:

    from my_pack import CLAIMS as READINGS
    from verifier.testing import check

    def test_reading(reading):
        check(reading)

``--verifier-pack MODULE:ATTRIBUTE`` (repeatable), or the setting ``verifier_packs`` (one a line), collects a test for each
claim of a pack without any file.

A claim expected to be FALSIFIED has to raise ``Counterexample``, one expected undecided ``Undecided``: strictly, so that the
run goes red when that stops. A claim without an expected verdict is open, and its verdict never fails a run. What cannot
be judged (ERROR) always does.

pytest imports this module in every run of whoever has the project installed. So nothing is imported here but pytest, and
nothing is done, before a pack, a profile or ``READINGS`` asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from verifier.here import import_from
from verifier.threads import one_blas_thread

if TYPE_CHECKING:
    from verifier.claims import Claim

PREFIX = "verifier-"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --verifier-pack and its setting."""
    group = parser.getgroup("verifier", "claims about scaling laws")
    group.addoption(
        "--verifier-pack",
        action="append",
        default=[],
        metavar="MODULE:ATTRIBUTE",
        help="Collect a test for each claim of this pack; repeatable.",
    )
    parser.addini("verifier_packs", "Packs (MODULE:ATTRIBUTE) whose claims are tests, one a line.", "linelist", [])


@pytest.hookimpl(tryfirst=True)  # before Hypothesis loads the profile that it was asked for
def pytest_configure(config: pytest.Config) -> None:
    """Prepare what was asked for on the command line or in the environment, and nothing else."""
    if _packs(config):
        one_blas_thread()
    from_environment = os.environ.get("HYPOTHESIS_PROFILE", "").startswith(PREFIX)
    on_command_line = str(config.getoption("--hypothesis-profile", "") or "").startswith(PREFIX)
    if from_environment or on_command_line:
        from verifier.testing import load_profile, register_profiles

        register_profiles()
        if from_environment and not on_command_line:
            try:
                load_profile()
            except ValueError as error:
                raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with an argument ``reading`` once for each claim in its module's ``READINGS``."""
    readings = getattr(metafunc.module, "READINGS", None)
    if "reading" not in metafunc.fixturenames or readings is None or "verifier.claims" not in sys.modules:
        return
    from verifier.claims import Claim

    claims = list(readings)
    if claims and all(isinstance(claim, Claim) for claim in claims):
        cases = [pytest.param(claim, id=claim.id, marks=_marks(claim)) for claim in claims]
        metafunc.parametrize("reading", cases)


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose among the items
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the claims of the packs that were named."""
    taken: set[str] = set()
    for spec in _packs(config):
        items += _Pack.from_parent(session, name=spec, nodeid=spec).tests(taken)


def _packs(config: pytest.Config) -> list[str]:
    return list(dict.fromkeys([*config.getini("verifier_packs"), *config.getoption("--verifier-pack")]))


def _marks(claim: Claim) -> list[pytest.MarkDecorator]:
    """How the expected verdict shows: a strict xfail, or one that lets an open question pass."""
    from verifier.verdicts.falsify import Counterexample, Undecided

    expected: dict[str | None, tuple[Any, bool]] = {
        "FALSIFIED": (Counterexample, True),
        "UNDERPOWERED": (Undecided, True),
        "VACUOUS": (Undecided, True),
        None: ((Counterexample, Undecided), False),
    }
    if claim.expected not in expected:
        return []
    raises, strict = expected[claim.expected]
    reason = (claim.note or claim.title) if strict else f"open: {claim.title}"
    return [pytest.mark.xfail(strict=strict, raises=raises, reason=reason)]


class _Pack(pytest.Collector):
    """The claims of one pack."""

    def collect(self) -> Iterator[pytest.Item]:
        """The tests, as pytest asks for them."""
        yield from self.tests(set())

    def tests(self, taken: set[str]) -> list[pytest.Item]:
        """A test for each claim; for a pack that cannot be loaded one test that fails and says why."""
        from verifier.claims import load_pack

        import_from(str(self.config.invocation_params.dir))
        try:
            claims = load_pack(self.name)
            twice = [claim.id for claim in claims if claim.id in taken]
            if twice:
                raise ValueError(f"pack {self.name!r} registers the id {twice[0]!r}, which another pack has: rename it")
        except ValueError as error:
            return [_Broken.from_parent(self, name="pack", sentence=str(error))]
        taken.update(claim.id for claim in claims)
        return [_Reading.from_parent(self, name=claim.id, claim=claim) for claim in claims]


class _Reading(pytest.Item):
    """One claim as a test."""

    def __init__(self, *, claim: Claim, **more: Any) -> None:
        super().__init__(**more)
        self.claim = claim
        for mark in _marks(claim):
            self.add_marker(mark)

    def runtest(self) -> None:
        """Falsify the claim."""
        from verifier.testing import check

        check(self.claim, pack=self.parent.name if self.parent else None)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The finding in words; a traceback only for what the machinery did not foresee."""
        from verifier.testing import ClaimError
        from verifier.verdicts.falsify import Counterexample, Undecided

        if isinstance(excinfo.value, (Counterexample, Undecided, ClaimError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str], None, str]:
        """Where the test is: a pack is no file."""
        return self.path, None, self.nodeid


class _Broken(pytest.Item):
    """A pack that cannot be loaded, as a test that fails."""

    def __init__(self, *, sentence: str, **more: Any) -> None:
        super().__init__(**more)
        self.sentence = sentence

    def runtest(self) -> None:
        """Fail with the sentence."""
        pytest.fail(self.sentence, pytrace=False)

    def reportinfo(self) -> tuple[os.PathLike[str], None, str]:
        """Where the test is: a pack is no file."""
        return self.path, None, self.nodeid

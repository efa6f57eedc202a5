"""Made-up records of a run, covering every verdict and every absence, and the browser that opens their
page.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

HOSTILE = "<script>alert(1)</script>"
REQUIRED = os.environ.get("VERIFIER_REQUIRE_CHROMIUM") == "1"
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

Records = tuple[list[dict[str, Any]], dict[str, Any], pd.DataFrame]
_TUNINGS, _QUANTIFIERS = (
    ("schedule", "tuned"),
    ("upper bound", "two-sided per target", "worst case over the class"),
)
_NOISES, _SOURCES, _SMOOTH = ("sigma>0", "sigma=0"), ("S-L2", "S-H", "S-tail"), ("s<=1", "s>1")


def case(claim: str, role: str, **changes: Any) -> dict[str, Any]:
    """A judged instance in which the claimed exponent 2/3 was measured as 0.8."""
    return {
        "instance": {"spectrum": {"kind": "PowerLaw", "beta": 2.0, "scale": 1.0}, "noise": {"sigma": 0.0}},
        "describe": "PowerLaw(beta=2), SingleEigenfunction(s=0.5, index=1), no noise",
        "digest": "9f" * 32,
        "verdict": "violated",
        "predicted": {"kind": "exponent", "value": 0.6667},
        "exponent": 0.8003,
        "tolerance": 0.0041,
        "interval": [0.7962, 0.8044],
        "reason": "The risk falls as n^-0.800, faster than the claimed n^-0.667: better than critical.",
        "witness": {},
        "replay": f"verifier replay counterexamples/{claim.replace('/', '-')}.{role}.json",
        "certification": {
            "agrees": True,
            "points": [
                {
                    "n": n,
                    "simulated": 0.31 * n**-0.8,
                    "stderr": 0.003 * n**-0.8,
                    "equivalent": 0.312 * n**-0.8,
                    "z": -0.7,
                }
                for n in (100, 1000, 10000)
            ],
            "replicates": 32,
            "slope": 0.799,
            "slope_stderr": 0.004,
            "text": "The simulated curve agrees with the equivalent at every n that simulation reaches.",
        },
        **changes,
    }


def finding(name: str, verdict: str = "SURVIVED", **changes: Any) -> dict[str, Any]:
    """One reading as the audit records it."""
    claim, _, reading = name.partition("/")
    return {
        "schema": 1,
        "claim": claim,
        "reading": reading,
        "id": name,
        "title": "The excess risk falls as n to the power minus alpha",
        "statement": "E(n) ~ n^-alpha with alpha = 2s/(2s + 1/beta)",
        "latex": r"\mathcal{E}(n) \asymp n^{-\alpha}, \qquad \alpha = \frac{2s}{2s + 1/\beta}",
        "source": "Theorem 1, Section 4",
        "hypotheses": ["Assumption R: c1 i^-beta <= l_i <= c2 i^-beta", "s <= 1"],
        "note": "Judged on the hardest target of the class: its coefficients sit at the edge.",
        "cells": [],
        "prediction": "exponent = 2s/(2s + 1/beta)",
        "tuning": "schedule",
        "observable": {"name": "excess risk", "variable": "n", "ylabel": "excess risk"},
        "verdict": verdict,
        "expected": verdict,
        "agrees": True,
        "evidence": ["equivalent", "simulation"],
        "instances": {"judged": 240, "consistent": 236, "violated": 0, "inconclusive": 4, "out_of_scope": 31},
        "size": {
            "level": 5e-6,
            "confirmations": 3,
            "cap": 200,
            "text": "At most 0.001 of the runs raise a false alarm.",
        },
        "power": {
            "kind": "exponent",
            "at": {"0.02": 0.71, "0.05": 0.936, "0.1": 0.9999},
            "tightest": None,
            "corner": 0.0124,
            "text": "A wrong exponent confined to 1.2 % of the domain would be met with probability 0.95.",
        },
        "calibration": None,
        "minimal": None,
        "worst": None,
        "typical": None,
        "certificate": None,
        "proof": None,
        "message": "",
        "seconds": 7.25,
        **changes,
    }


def points(name: str, role: str, exponent: float = 0.8, *, simulated: bool = True, size: int = 49) -> pd.DataFrame:
    """Evidence of one role: the equivalent, the simulation and the local slope."""
    n = np.logspace(1, 12, size)
    risk = 0.4 * n**-exponent * (1 + 0.8 * n**-0.3)
    slope = exponent + 0.24 * n**-0.3
    frames = [
        pd.DataFrame({"series": "equivalent", "x": n, "y": risk, "lo": np.nan, "hi": np.nan}),
        pd.DataFrame({"series": "local_slope", "x": n, "y": slope, "lo": slope - 0.02, "hi": slope + 0.02}),
    ]
    if simulated:
        m = n[(n >= 30) & (n <= 1e6)][::3]
        y = 0.4 * m**-exponent * (1 + 0.8 * m**-0.3) * (1 + 0.03 * np.cos(np.arange(len(m))))
        frames.append(pd.DataFrame({"series": "simulation", "x": m, "y": y, "lo": y * 0.8, "hi": y * 1.25}))
    return pd.concat(frames).assign(id=name, role=role)[["id", "role", "series", "x", "y", "lo", "hi"]]


def run_record(**changes: Any) -> dict[str, Any]:
    """What the audit says of itself."""
    return {
        "schema": 1,
        "version": "0.1.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "seed": 20,
        "profile": "quick",
        "jobs": 2,
        "started": "2026-03-04T09:15:00+00:00",
        "seconds": 214.6,
        "versions": {
            "python": "3.12.3",
            "numpy": "2.4.6",
            "scipy": "1.17",
            "hypothesis": "6.150",
            "blas": "openblas 0.3.30",
        },
        "platform": "Linux x86_64, glibc 2.36",
        "command": "verifier audit --profile quick --seed 20",
        "controls": [
            {
                "id": "control/true-1",
                "truth": "true",
                "verdict": "SURVIVED",
                "right": True,
                "text": "exponent 2s/(2s + 1/beta), critical targets",
            },
            {
                "id": "control/false-1",
                "truth": "false",
                "verdict": "FALSIFIED",
                "right": True,
                "text": "the same exponent plus 0.1",
            },
        ],
        "exit_code": 0,
        "confirmations": {"spent": 14, "cap": 200, "level": 5e-6},
        "stale": None,
        **changes,
    }


def all_cells() -> list[str]:
    """The 72 cells of Theorem 1."""
    return [" · ".join(c) for c in itertools.product(_TUNINGS, _QUANTIFIERS, _NOISES, _SOURCES, _SMOOTH)]


def every_kind() -> Records:
    """Every verdict, every kind of evidence, most absences, and a hostile pack."""
    cells = all_cells()
    false = {
        "verdict": "FALSIFIED",
        "expected": "FALSIFIED",
        "instances": {"judged": 97, "consistent": 60, "violated": 31, "inconclusive": 6, "out_of_scope": 4},
    }
    findings = [
        finding(
            "L1/assumption-r",
            source="Lemma 1, Section 3",
            title="Effective dimension grows as lam^(-1/beta)",
            latex=r"N(\lambda) \asymp \lambda^{-1/\beta}",
            prediction="exponent = -1/beta",
            observable={"name": "effective dimension", "variable": "1/lam", "ylabel": "effective dimension"},
            typical=case(
                "L1/assumption-r",
                "typical",
                verdict="consistent",
                exponent=-0.5,
                predicted={"kind": "exponent", "value": -0.5},
                interval=[-0.502, -0.498],
                reason="The closest call: the deviation is 0.4 of the tolerance.",
            ),
        ),
        finding(
            "L2/s-above-1",
            **false,
            source="Lemma 2, Section 3",
            title="The bias is at most R^2 lam^(2s)",
            latex=r"\lVert f_\lambda - f^* \rVert^2 \le R^2 \lambda^{2s}",
            prediction="bias <= R^2 lam^(2s)",
            evidence=["certificate"],
            cells=[],
            power={
                "kind": "bound",
                "at": {},
                "tightest": 1.0003,
                "corner": None,
                "text": "Every instance was checked at 400 values of lam.",
            },
            minimal=case(
                "L2/s-above-1",
                "minimal",
                describe="one eigenvalue equal to 1, s = 1.1",
                exponent=None,
                tolerance=None,
                interval=None,
                predicted={"kind": "bound", "value": None},
                witness={"lam": 0.01, "left": 9.803e-05, "right": 3.981e-05},
                certification=None,
                reason="At lam = 0.01 the bias is 9.80e-05, above the bound 3.98e-05.",
            ),
            certificate={
                "kind": "rational arithmetic",
                "text": "(lam/(1 + lam))^2 > lam^(11/5) at lam = 1/100.",
                "data": {"lam": "1/100", "left": "1/10201", "right_power": "11/5"},
            },
        ),
        finding(
            "T1/schedule-noisy",
            cells=cells[0:2] + cells[12:14],
            typical=case(
                "T1/schedule-noisy",
                "typical",
                verdict="consistent",
                exponent=0.6671,
                interval=[0.663, 0.671],
                reason="The closest call: measured 0.6671, claimed 0.6667.",
            ),
        ),
        finding(
            "T1/tuned-two-sided",
            **false,
            cells=cells[48:54],
            expected_note="",
            minimal=case("T1/tuned-two-sided", "minimal"),
            worst=case("T1/tuned-two-sided", "worst", exponent=1.61, digest="a1" * 32),
        ),
        finding(
            "T1/s-above-1",
            **false,
            cells=cells[1:12:2] + cells[37:48:2],
            calibration={
                "stale": True,
                "text": "Measured on claims whose truth a theorem gives.",
                "size": "2 of 2113 = 0.0009465 [0.0001, 0.0034]",
                "power 0.02": "2098.5 of 2113 = 0.9931 [0.9883, 0.9960]",
                "power, a two dropped": "not measured",
                "searches: false alarms": "0 of 11 = 0 [0.0000, 0.2849]",
                "searches: judged": "1043",
                "confirmations: not certified": "1 of 40 = 0.025 [0.0006, 0.1316]",
                "simulation alone: permitted 0.05": "50 of 60 = 0.8333 [0.7148, 0.9171]",
                "whole audits with a false alarm": "0 of 200 = 0 [0.0000, 0.0183]",
            },
            minimal=case("T1/s-above-1", "minimal"),
        ),
        finding(
            "T1/noiseless",
            "UNDERPOWERED",
            expected=None,
            agrees=None,
            cells=cells[6:11],
            message="The power was not reached within the budget: 41 of 200 instances were judged.",
        ),
        finding(
            "T1/odd-cells",
            "VACUOUS",
            expected="SURVIVED",
            agrees=False,
            cells=["a cell of another form"],
            instances={"judged": 0, "consistent": 0, "violated": 0, "inconclusive": 0, "out_of_scope": 500},
        ),
        finding(
            "C1/algebra",
            evidence=["proof"],
            source="Corollary 1",
            title="alpha strictly increases in beta",
            latex="",
            power={
                "kind": "proof",
                "at": {},
                "tightest": None,
                "corner": None,
                "text": "Proved; nothing was sampled.",
            },
            proof={
                "text": "The derivative is positive.",
                "steps": ["d alpha / d beta = 2s/(2 beta s + 1)^2", "s > 0, so it is positive"],
            },
        ),
        finding(
            "A4/all-s",
            "ERROR",
            expected="FALSIFIED",
            agrees=None,
            latex=r"\frac{1}{",
            source="Appendix A.4",
            evidence=[],
            message="ValueError: lam=0.0 must be positive\n  in properties/proof_step_a4.py",
        ),
        finding(
            f'{HOSTILE}/"><img src=x onerror=alert(1)>',
            title=HOSTILE,
            statement=HOSTILE,
            latex=rf"\text{{{HOSTILE}}}",
            source=HOSTILE,
            hypotheses=[HOSTILE],
            note=HOSTILE,
            cells=[HOSTILE],
            prediction=HOSTILE,
            tuning=HOSTILE,
            observable={"name": HOSTILE, "variable": HOSTILE, "ylabel": HOSTILE},
            evidence=[HOSTILE],
            message=HOSTILE,
            certificate={"kind": HOSTILE, "text": HOSTILE, "data": {HOSTILE: HOSTILE}},
            proof={"text": HOSTILE, "steps": [HOSTILE]},
            calibration={"text": HOSTILE, HOSTILE: HOSTILE},
            power={"kind": HOSTILE, "at": {HOSTILE: 0.5}, "tightest": None, "corner": None, "text": HOSTILE},
            typical=case(
                "x",
                "typical",
                describe=HOSTILE,
                reason=HOSTILE,
                witness={HOSTILE: 1.0},
                replay=HOSTILE,
                instance={HOSTILE: HOSTILE},
                digest=HOSTILE,
            ),
        ),
    ]
    evidence = pd.concat(
        [
            points("L1/assumption-r", "typical", -0.5).assign(y=lambda t: t.y.where(t.series != "local_slope", t.y)),
            points("T1/schedule-noisy", "typical", 2 / 3),
            points("T1/tuned-two-sided", "minimal"),
            points("T1/tuned-two-sided", "worst", 1.6, simulated=False),
            points("T1/s-above-1", "minimal", 0.73),
            points(findings[-1]["id"], "typical", 0.5),
        ],
        ignore_index=True,
    )
    return findings, run_record(), evidence


@pytest.fixture
def records() -> Records:
    """Records of every kind."""
    return every_kind()


@pytest.fixture
def make_finding() -> Callable[..., dict[str, Any]]:
    """The builder of one finding."""
    return finding


@pytest.fixture
def make_case() -> Callable[..., dict[str, Any]]:
    """The builder of one judged instance."""
    return case


@pytest.fixture
def make_points() -> Callable[..., pd.DataFrame]:
    """The builder of the evidence of one role."""
    return points


@pytest.fixture
def make_run() -> Callable[..., dict[str, Any]]:
    """The builder of the record of a run."""
    return run_record


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of records of every kind."""
    from reports import write_report

    return write_report(tmp_path_factory.mktemp("run"), *every_kind())


def _absent(what: str) -> None:
    reason = f"{what} is not installed: the page was not opened in a browser (.ci/run installs it)"
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium with a profile of its own; absent, the tests skip, unless
    VERIFIER_REQUIRE_CHROMIUM=1.
    """
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        _absent("selenium")
    browser, bridge = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None:
        _absent("chromium")
    if bridge is None:
        _absent("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(browser)
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(bridge)))
    driver.set_window_size(1280, 900)
    try:
        yield driver
    finally:
        driver.quit()

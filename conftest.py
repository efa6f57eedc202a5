"""Pytest configuration: one BLAS thread a worker, Hypothesis profiles, and one test for each reading of a statement."""

from __future__ import annotations

import os

# Before numpy is imported: a BLAS that starts two threads in each of two workers is slower than one in each.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import pytest  # noqa: E402

from verifier.testing import load_profile, register_profiles  # noqa: E402
from verifier.verdicts.falsify import Counterexample  # noqa: E402

register_profiles()
load_profile("ci" if os.environ.get("CI") else "quick")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run ``test_reading`` once for each reading of its module; one expected to be false must raise Counterexample."""
    if "reading" not in metafunc.fixturenames:
        return
    readings = metafunc.module.READINGS
    metafunc.parametrize(
        "reading",
        [
            pytest.param(
                reading,
                id=reading.id,
                marks=pytest.mark.xfail(strict=True, raises=Counterexample, reason=reading.note or reading.title)
                if reading.expected == "FALSIFIED"
                else (),
            )
            for reading in readings
        ],
    )

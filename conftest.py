"""Pytest configuration: one BLAS thread a worker, the Hypothesis profile of the machinery's own tests, and our own plugin."""

from __future__ import annotations

import os

import pytest

# Before numpy is imported: a BLAS that starts two threads in each of two workers is slower than one in each.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from verifier.testing import load_profile, register_profiles  # noqa: E402

# Loaded already where the distribution is installed; named here for those who run from a checkout.
pytest_plugins = ["verifier.pytest_plugin"]

register_profiles()
load_profile("ci" if os.environ.get("CI") else "quick")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Workers that are done take over what waits for others, where tests are distributed and nobody said how."""
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "worksteal"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, all in their order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)

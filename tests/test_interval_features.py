"""The closed forms of benchmarks/interval_features.py, by a second route."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from verifier.risk.streams import stream

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "interval_features.py"


@pytest.fixture(scope="module")
def interval() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interval_features", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_laplace_system_is_that_of_the_kernel(interval: ModuleType) -> None:
    """Sum of the eigenvalues 1; the kernel applied to an eigenfunction, by quadrature on both sides of the kink."""
    kernel = interval.Laplace(length=0.7, count=2**12)
    ell = kernel.eigenvalues()
    assert ell.sum() == pytest.approx(1.0, abs=1.1 * 2.0 / (0.7 * np.pi**2 * 2**12))
    x, weights = np.polynomial.legendre.leggauss(40)
    for t in (-0.5, -0.13, 0.4):
        total = np.zeros(6)
        for low, high in ((-0.5, t), (t, 0.5)):
            at, by = low + 0.5 * (high - low) * (x + 1.0), 0.5 * (high - low) * weights
            total += (np.exp(-np.abs(t - at) / 0.7) * by) @ kernel.values(at, 6)
        np.testing.assert_allclose(total, ell[:6] * kernel.values(np.array([t]), 6)[0], atol=1e-13)


@pytest.mark.parametrize("name", ["laplace", "matern"])
def test_both_matrices_give_one_system_of_the_drawn_features(interval: ModuleType, name: str) -> None:
    kernel = interval.KERNELS[name]()
    of = interval.energies(kernel, (0.3, 1.0))
    kappa = np.array([1e-2, 1e-4])
    gram, matrix = (
        interval.drawn(kernel, 128, of, stream(3, "interval", name), many).sums(kappa) for many in (False, True)
    )
    for one, other in zip(gram, matrix, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.01)


def test_long_arithmetic_agrees_with_doubles_at_a_large_ridge(interval: ModuleType) -> None:
    kernel = interval.Laplace(count=2**12)
    df1, lost = interval.precise(kernel, 4, (0.5,), 0)
    w_of = stream(0, "interval", "precise", 4, 0)
    one = interval.drawn(kernel, 4, interval.energies(kernel, (0.5,)), w_of, False).sums(np.array([1e-2]))
    assert df1[0] == pytest.approx(one[0][0], rel=1e-9)
    assert lost[0, 0] == pytest.approx(one[2][0, 0], rel=1e-3)

"""Where a sum of two or three exponentials is smallest: against the closed form, and against all values on a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from verifier.risk.balance import balanced

GRID = np.arange(-40.0, 10.0, 0.5)


@pytest.mark.parametrize(("falls", "rises"), [(1.0, 0.5), (0.2, 1.0), (3.0, 0.3)])
def test_two_powers_balance_where_their_slopes_do(falls: float, rises: float) -> None:
    """falls e^(falls u) = rises w e^(-rises u)."""
    curves = [CubicSpline(GRID, falls * GRID), CubicSpline(GRID, -rises * GRID)]
    log_n = np.array([2.0, 7.0, 15.0])
    found = balanced(GRID, curves, [np.zeros(3), -log_n])
    expected = (math.log(rises / falls) - log_n) / (falls + rises)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_deepest_of_two_minima_is_taken() -> None:
    curves = [CubicSpline(GRID, 0.4 * GRID + 2.0 * np.sin(GRID)), CubicSpline(GRID, -0.4 * GRID + np.cos(2.0 * GRID))]
    log_n = np.linspace(0.0, 12.0, 9)
    found = balanced(GRID, curves, [np.zeros(9), -log_n])
    fine = np.linspace(-39.0, 9.0, 48_001)
    values = np.exp(curves[0](fine)) + np.exp(curves[1](fine) - log_n[:, None])
    at_found = np.exp(curves[0](found)) + np.exp(curves[1](found) - log_n)
    np.testing.assert_allclose(at_found, values.min(axis=1), rtol=1e-5)
    assert np.all(at_found <= values.min(axis=1) * (1.0 + 1e-5))

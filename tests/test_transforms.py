"""Transforms: frame bounds that hold in infinite dimension, invertibility by construction, and the JSON round trip."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.instances.transforms import Array, Factor, inner_product
from verifier.risk.equivalents import effective_ridge

FACTORS: list[vf.Transform] = [
    vf.DiagonalTransform(low=0.5, high=5.0),
    vf.DiagonalTransform(low=1.0, high=3.0, pattern="log-periodic", frequency=2.0),
    vf.RankOneTransform(c=1.0),
    vf.RankOneTransform(c=-0.7, left=vf.PowerDirection(0.8), right=vf.PowerDirection(1.3)),
    vf.RankOneTransform(c=8.0, left=vf.PowerDirection(0.6), right=vf.Axis(3)),
    vf.RankOneTransform(c=2.0, left=vf.Axis(2), right=vf.SparseDirection((1, 7), (1.0, -2.0))),
    vf.RankOneTransform(c=-0.5, left=vf.Axis(2), right=vf.Axis(2)),
    vf.Reflection(vf.PowerDirection(0.9)),
    vf.BlockRotation(size=5, low=0.3, high=6.0, seed=3),
]
TRANSFORMS: list[vf.Transform] = [
    *FACTORS,
    vf.Composition((vf.RankOneTransform(c=1.5), vf.DiagonalTransform(low=1.0, high=4.0))),
    vf.Composition((vf.BlockRotation(size=3), vf.RankOneTransform(c=1.0), vf.Reflection(vf.Axis(1)))),
]


def dense(transform: vf.Transform, p: int) -> Array:
    """The matrix of a transform on the first p coordinates, from its definition."""
    index = np.arange(1.0, p + 1.0)
    result = np.eye(p)
    for factor in transform.factors:
        result = result @ _dense_factor(factor, index)
    return np.asarray(result)


def _dense_factor(factor: Factor, index: Array) -> Array:
    p = len(index)
    columns = np.zeros((p, len(factor.directions)))
    for j, direction in enumerate(factor.directions):
        if direction.entries is None:
            columns[:, j] = np.exp(direction.log_values(np.log(index)))
        else:
            for i, entry in direction.entries:
                columns[i - 1, j] = entry
    return np.asarray(
        np.diag(factor.multiplier(np.log(index), index % 2 == 1)) + columns @ factor.matrix(p) @ columns.T
    )


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: t.describe()[:40])
def test_frame_bounds_are_singular_values(transform: vf.Transform) -> None:
    p = 96
    values = np.linalg.svd(dense(transform, p), compute_uv=False)
    low, high = transform.frame_bounds(p)
    assert low <= values[-1] * (1.0 + 1e-9)
    assert values[0] <= high * (1.0 + 1e-9)
    if len(transform.factors) == 1 and transform.period is None:
        assert values[-1] == pytest.approx(low, rel=1e-9)
        assert values[0] == pytest.approx(high, rel=1e-9)
    limit = transform.frame_bounds()
    assert 0.0 < limit[0] <= limit[1] <= 100.0 * limit[0]


def test_frame_bounds_of_finite_sizes_tend_to_those_of_infinite_dimension() -> None:
    transform = vf.RankOneTransform(c=2.0, left=vf.PowerDirection(0.9), right=vf.PowerDirection(1.1))
    limit = np.array(transform.frame_bounds())
    gaps = [np.max(np.abs(np.array(transform.frame_bounds(p)) - limit)) for p in (100, 1000, 10**6)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-4


def test_unitary_and_commuting_transforms_say_so() -> None:
    for transform in TRANSFORMS:
        matrix = dense(transform, 64)
        assert transform.unitary == np.allclose(matrix.T @ matrix, np.eye(64))
        assert transform.commutes == np.allclose(matrix, np.diag(np.diagonal(matrix)))
    assert vf.Composition((vf.Reflection(), vf.Reflection(vf.Axis(3)))).unitary
    assert vf.Identity().unitary
    assert vf.Identity().commutes


def test_inner_products_of_power_laws() -> None:
    one, other = vf.PowerDirection(0.8), vf.PowerDirection(1.7)
    index = np.log(np.arange(1.0, 10_001.0))
    direct = float(np.exp(one.log_values(index) + other.log_values(index)).sum())
    assert inner_product(one, other, 10_000) == pytest.approx(direct, rel=1e-12)
    assert inner_product(one, one) == pytest.approx(1.0, rel=1e-13)
    sparse = vf.SparseDirection((2, 5), (1.0, 3.0))
    assert inner_product(sparse, one) == pytest.approx(
        (np.exp(one.log_values(np.log(np.array([2.0, 5.0])))) @ np.array([1.0, 3.0])) / math.sqrt(10.0), rel=1e-13
    )


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: t.describe()[:40])
def test_json_round_trip(transform: vf.Transform) -> None:
    instance = vf.Instance(spectrum=vf.PowerLaw(beta=2.0), transform=transform)
    again = vf.Instance.from_json(json.loads(json.dumps(instance.to_json())))
    assert again == instance
    assert again.digest == instance.digest
    assert hash(again) == hash(instance)
    assert transform.describe() in instance.describe()
    assert instance.digest != vf.Instance(spectrum=vf.PowerLaw(beta=2.0)).digest


def test_the_identity_is_left_out_of_the_json_form() -> None:
    plain = vf.Instance(spectrum=vf.PowerLaw(beta=2.0))
    named = vf.Instance(spectrum=vf.PowerLaw(beta=2.0), transform=vf.Identity())
    assert plain == named
    assert "transform" not in named.to_json()
    assert plain.digest == named.digest
    assert "transform" not in plain.describe()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: vf.RankOneTransform(c=0.0), "c=0.0 is no transform; use Identity"),
        (lambda: vf.RankOneTransform(c=-2.0, right=vf.Axis(1)), "c must exceed -1"),
        (lambda: vf.RankOneTransform(c=200.0), "bring c=200 closer to zero"),
        (lambda: vf.RankOneTransform(left=vf.Axis), "left=.* is not a direction"),  # type: ignore[arg-type]
        (lambda: vf.PowerDirection(0.5), r"gamma=0.5 must lie in \[0.51, 50\]"),
        (lambda: vf.Axis(0), "index=0 must be a whole number"),
        (lambda: vf.SparseDirection((1, 1), (1.0, 2.0)), "must be distinct"),
        (lambda: vf.SparseDirection((1, 2), (1.0,)), "must be of one length"),
        (lambda: vf.SparseDirection((1, 2), (1.0, 0.0)), "leave out an index"),
        (lambda: vf.DiagonalTransform(low=2.0, high=1.0), "low <= high"),
        (lambda: vf.DiagonalTransform(low=0.1, high=20.0), "condition number above 100"),
        (lambda: vf.DiagonalTransform(pattern="random"), "pattern='random' must be one of"),
        (lambda: vf.BlockRotation(size=1), "size=1 must be a whole number, at least 2"),
        (lambda: vf.BlockRotation(low=0.001, high=1.0), "condition number above 100"),
        (lambda: vf.Composition((vf.Reflection(),)), "two to four"),
        (lambda: vf.Composition((vf.Identity(), vf.Reflection())), "leave an Identity out"),
        (
            lambda: vf.Composition((vf.DiagonalTransform(high=30.0), vf.BlockRotation(high=30.0))),
            "leave a factor out",
        ),
    ],
)
def test_errors_name_argument_value_and_remedy(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"spectrum": vf.Finite((1.0, 0.5)), "transform": vf.RankOneTransform(left=vf.Axis(3))}, "coordinate 3"),
        ({"spectrum": vf.Truncated(vf.PowerLaw(2.0), 5000), "transform": vf.RankOneTransform()}, "at most 4096"),
        ({"target": vf.BallTarget(s=0.5), "transform": vf.DiagonalTransform()}, "use a single target"),
        ({"design": vf.RademacherDesign(), "transform": vf.RankOneTransform()}, r"use GaussianDesign\(\)"),
        ({"transform": vf.RankOneTransform}, "is not a transform"),
    ],
)
def test_instances_that_a_transform_cannot_serve(parts: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vf.Instance(**{"spectrum": vf.PowerLaw(beta=2.0), **parts})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ permutations, shears, rotations


def test_a_permutation_moves_eigenvectors_and_changes_nothing() -> None:
    order = (3, 1, 2)
    matrix = dense(vf.Permutation(order), 5)
    for k, place in enumerate(order):
        assert matrix[place - 1, k] == 1.0
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(5))
    plain = vf.Instance(spectrum=vf.PowerLaw(beta=2.0))
    moved = vf.Instance(spectrum=vf.PowerLaw(beta=2.0), transform=vf.Permutation(order))
    assert vf.equivalent_risk(moved, n=100) == vf.equivalent_risk(plain, n=100)


@pytest.mark.parametrize("shear", [vf.BandedShear(), vf.BandedShear(size=5, c=-0.5)])
def test_banded_shears_have_determinant_one_and_exact_bounds(shear: vf.BandedShear) -> None:
    matrix = dense(shear, 12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    values = np.linalg.svd(matrix, compute_uv=False)
    assert shear.frame_bounds() == pytest.approx((values[-1], values[0]))


def test_a_full_rotation_is_that_of_the_transformed_covariance() -> None:
    p, n, lam = 60, 40, 0.03
    transform = vf.FullRotation(low=0.5, high=3.0, seed=2)
    instance = vf.Instance(vf.Truncated(vf.PowerLaw(2.0), p), vf.CriticalTarget(s=0.7), transform=transform)
    matrix = transform.dense(p)
    values = np.linalg.svd(matrix, compute_uv=False)
    assert (values[-1], values[0]) == pytest.approx(transform.frame_bounds())
    ell = np.arange(1.0, p + 1.0) ** -2.0
    theta = np.linalg.solve(matrix.T, np.sqrt(ell**1.4 / np.arange(1.0, p + 1.0) / ell))
    covariance = matrix @ np.diag(ell) @ matrix.T
    kappa = float(effective_ridge(instance, n, lam))
    inverse = np.linalg.inv(covariance + kappa * np.eye(p))
    share = covariance @ inverse
    assert n == pytest.approx(np.trace(share) + n * lam / kappa, rel=1e-9)
    error = kappa * inverse @ theta
    df2 = np.trace(share @ share)
    risk = (error @ covariance @ error + df2 / n) / (1.0 - df2 / n)
    assert vf.equivalent_risk(instance, n=n, lam=lam) == pytest.approx(risk, rel=1e-9)
    assert vf.Instance.from_json(instance.to_json()) == instance


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: vf.Permutation((1, 3)), "each of 1 to 2"),
        (lambda: vf.BandedShear(size=16, c=50.0), "condition number"),
        (lambda: vf.BandedShear(c=0.0), "no transform"),
        (lambda: vf.FullRotation(low=2.0, high=1.0), "low < high"),
        (lambda: vf.FullRotation(low=0.1, high=20.0), "condition number"),
        (lambda: vf.Instance(vf.PowerLaw(2.0), transform=vf.FullRotation()), "turns all coordinates"),
        (lambda: vf.Composition((vf.FullRotation(), vf.Reflection())), "stands for itself"),
    ],
)
def test_what_further_transforms_refuse(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()

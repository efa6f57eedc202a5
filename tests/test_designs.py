"""Designs: each coordinate has the law that its class names, standardised, with its tails, in every shape.

The level 1e-3 of the statistical assertions is shared over them (Bonferroni); seeds are fixed.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from verifier.instances import (
    Design,
    GaussianDesign,
    Instance,
    Noise,
    PowerLaw,
    RademacherDesign,
    StudentDesign,
    UniformDesign,
)
from verifier.verdicts.judge import has_equivalent
from verifier.verdicts.reference import treatment_free

COUNT = 400_000
FAMILY = 1e-3 / 20


def student(dof: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: stats.t.cdf(x * np.sqrt(dof / (dof - 2.0)), dof)


CONTINUOUS = [
    pytest.param(GaussianDesign(), stats.norm.cdf, id="Gaussian"),
    pytest.param(UniformDesign(), stats.uniform(-np.sqrt(3.0), 2.0 * np.sqrt(3.0)).cdf, id="uniform"),
    pytest.param(StudentDesign(), student(5.0), id="t5"),
    pytest.param(StudentDesign(dof=4.1), student(4.1), id="t4.1"),
    pytest.param(StudentDesign(dof=1e12), stats.norm.cdf, id="t with a normal limit"),
]
EVERY: list[Design] = [GaussianDesign(), RademacherDesign(), UniformDesign(), StudentDesign(), StudentDesign(dof=30.0)]


def draw(design: Design, shape: tuple[int, int] = (COUNT // 100, 100), seed: int = 0) -> np.ndarray:
    return design.draw(np.random.default_rng(seed), shape)


@pytest.mark.parametrize(("design", "law"), CONTINUOUS)
@pytest.mark.thorough
def test_coordinates_have_the_law_that_is_named(design: Design, law: Callable[[np.ndarray], np.ndarray]) -> None:
    drawn = draw(design).ravel()
    assert stats.kstest(drawn, law).pvalue > FAMILY
    # The law is tested in its tails too, where Kolmogorov and Smirnov see little.
    for level in (1e-3, 1e-4):
        beyond = int(np.count_nonzero(law(-np.abs(drawn)) < level / 2.0))
        assert stats.binomtest(beyond, drawn.size, level).pvalue > FAMILY


def test_rademacher_coordinates_are_fair_signs() -> None:
    drawn = draw(RademacherDesign())
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    assert stats.binomtest(int(np.count_nonzero(drawn > 0.0)), COUNT, 0.5).pvalue > FAMILY
    # Bits come eight to a byte: neighbours, and bits a byte apart, must be as independent as any.
    flat = drawn.ravel()
    for lag in (1, 4, 8, 64):
        agree = int(np.count_nonzero(flat[lag:] == flat[:-lag]))
        assert stats.binomtest(agree, COUNT - lag, 0.5).pvalue > FAMILY


@pytest.mark.parametrize("design", EVERY, ids=lambda design: design.describe())
def test_coordinates_are_standardised_and_independent(design: Design) -> None:
    drawn = draw(design, seed=1)
    threshold = stats.norm.isf(FAMILY / 2)
    assert abs(drawn.mean()) < threshold * drawn.std() / np.sqrt(COUNT)
    squares = drawn**2
    spread = max(float(squares.std()), 1e-9)
    assert abs(squares.mean() - 1.0) <= threshold * spread / np.sqrt(COUNT)
    # Neither the values nor their squares of neighbouring coordinates go together: independent, not merely uncorrelated.
    for left, right in ((drawn[:, :-1], drawn[:, 1:]), (drawn[:-1], drawn[1:])):
        for a, b in ((left, right), (np.minimum(left**2, 9.0), np.minimum(right**2, 9.0))):
            products = (a - a.mean()) * (b - b.mean())
            assert abs(products.mean()) <= threshold * products.std() / np.sqrt(products.size)


def test_heavy_tails_are_not_cut_off() -> None:
    """The largest of 2e7 coordinates, against the exact law of that maximum: in the middle 99.9% of it."""
    design, count = StudentDesign(), 20_000_000
    largest = max(float(np.abs(draw(design, (1000, 1000), seed)).max()) for seed in range(count // 1_000_000))
    tail = 2.0 * stats.t.sf(largest * np.sqrt(5.0 / 3.0), 5.0)
    assert 5e-4 < np.exp(-count * tail) < 1.0 - 5e-4
    assert largest > 20.0  # 20 standard deviations; a normal would have stopped at six


@pytest.mark.parametrize("design", EVERY, ids=lambda design: design.describe())
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 64), (0, 4)])
def test_any_shape_is_answered_from_the_generator_alone(design: Design, shape: tuple[int, int]) -> None:
    first, again = draw(design, shape, seed=3), draw(design, shape, seed=3)
    assert first.shape == shape
    assert first.dtype == np.float64
    assert np.array_equal(first, again)
    assert first.size < 10 or not np.array_equal(first, draw(design, shape, seed=4))


def test_only_gaussian_inputs_have_the_equivalent() -> None:
    for design in EVERY:
        instance = Instance(PowerLaw(2.0), noise=Noise(0.5), design=design)
        assert has_equivalent(instance) == isinstance(design, GaussianDesign)
        assert treatment_free(instance) == Instance(PowerLaw(2.0), noise=Noise(0.5))

"""Random streams: named, reproducible in any process, distinct, and refused when the seed is no seed."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from verifier.risk.streams import normals, stream

KEYS: list[tuple[str | int, ...]] = [
    (),
    ("",),
    ("a",),
    ("a", "bc"),
    ("ab", "c"),
    ("abc",),
    ("a", "b", "c"),
    ("a, b",),
    ("a', 'b",),
    ("1",),
    (1,),
    (1, 0),
    (10,),
    ("replicate", 0),
    ("replicate", 1),
    (0, "replicate"),
]


def first(seed: int, *key: str | int) -> tuple[float, ...]:
    return tuple(stream(seed, *key).random(4))


def test_the_same_name_gives_the_same_numbers() -> None:
    for key in KEYS:
        assert first(3, *key) == first(3, *key)


def test_different_names_and_seeds_give_different_numbers() -> None:
    drawn = {(seed, key): first(seed, *key) for seed in (0, 1, 2**40) for key in KEYS}
    assert len(set(drawn.values())) == len(drawn)


def test_numpy_integers_are_integers() -> None:
    assert first(3, "a", 5) == first(np.int64(3), "a", np.int32(5))  # type: ignore[arg-type]


def test_drawing_from_one_stream_does_not_move_another() -> None:
    alone = first(0, "b")
    stream(0, "a").random(1000)
    np.random.seed(0)  # noqa: NPY002  (the global generator, which Hypothesis reseeds, must not matter)
    assert first(0, "b") == alone


def test_streams_are_uncorrelated() -> None:
    draws = [stream(0, "replicate", r).standard_normal(4000) for r in range(6)]
    # 15 correlations of standard deviation 1/sqrt(4000) = .016: 5 of them are exceeded with probability 1e-5.
    assert max(abs(np.corrcoef(a, b)[0, 1]) for a, b in combinations(draws, 2)) < 5.0 / np.sqrt(4000)


def test_numbers_are_the_same_in_another_process() -> None:
    code = "from verifier.risk.streams import stream; print(stream(7, 'confirm', 'x', 3).random(3).tolist())"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(PYTHONHASHSEED="99")
    )
    assert out.stdout.strip() == str(stream(7, "confirm", "x", 3).random(3).tolist())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **more}


@pytest.mark.parametrize("seed", [-1, 1.0, "0", None, True, np.float64(1.0)])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed=.* must be a non-negative integer"):
        stream(seed, "a")


@pytest.mark.parametrize("p", [1, 7, 64])
def test_normals_are_independent_and_normal(p: int) -> None:
    z = normals(stream(3, "normals", p), np.empty((2**19 // p, p)))
    assert kstest(z.ravel(), "norm").pvalue > 1e-4
    count = z.size
    # Moments of even order, and those of the two numbers that come from one radius.
    for order, moment, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (4, 3.0, 96.0), (6, 15.0, 10170.0)):
        assert abs(np.mean(z**order) - moment) < 4.0 * (variance / count) ** 0.5
    half = (p + 1) // 2
    left, right = z[:, : p - half], z[:, half:]
    if left.size:
        for x, y, variance in ((left, right, 1.0), (left**2 - 1.0, right**2 - 1.0, 4.0), (abs(left), right, 1.0)):
            assert abs(np.mean(x * y)) < 4.0 * (variance / left.size) ** 0.5
    # Far out: the share beyond 4 standard deviations is 6.3e-5.
    beyond = np.count_nonzero(np.abs(z) > 4.0)
    assert abs(beyond - 6.334e-5 * count) < 4.0 * (6.334e-5 * count) ** 0.5


def test_normals_scale_rows_and_repeat() -> None:
    scale = np.array([0.5, 2.0, 0.0])
    plain, scaled = (normals(stream(0, "x"), np.empty((3, 5)), each) for each in (None, scale))
    np.testing.assert_allclose(scaled, plain * scale[:, None], rtol=1e-14)
    np.testing.assert_array_equal(plain, normals(stream(0, "x"), np.empty((3, 5))))
    np.testing.assert_array_less(np.abs(normals(stream(1, "x"), np.empty((4096, 512)))), 7.5)

"""Random streams: named, reproducible in any process, distinct, and refused when the seed is no seed."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verifier.risk.streams import stream

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

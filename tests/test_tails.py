"""The tail index of a kernel matrix: its interval holds the known tail, and where nothing can be said it says nothing."""

import math

import numpy as np
import pytest

from verifier.risk.streams import stream
from verifier.risk.tails import LEVEL, SPLITS, TailIndex, compared, estimated, slope_weights, slopes, tail_index, window

COLUMNS = 600


def kernel(l: np.ndarray, samples: int, *key: object, width: int | None = None) -> np.ndarray:
    """Gram matrix of Gaussian features of the spectrum l, or of ``width`` random ones."""
    rng = stream(0, "tests", "tails", *map(str, key))
    features = rng.standard_normal((samples, len(l))) * np.sqrt(l)
    if width is not None:
        features = features @ rng.standard_normal((len(l), width)) / math.sqrt(width)
    return features @ features.T


def power(beta: float) -> np.ndarray:
    return np.arange(1.0, COLUMNS + 1.0) ** -beta


def covered(l: np.ndarray, beta: float, samples: int, draws: int, width: int | None = None) -> float:
    hits = 0
    for number in range(draws):
        found = tail_index(
            kernel(l, samples, beta, number, width), width=math.inf if width is None else width, seed=number
        )
        hits += found.interval[0] <= beta <= found.interval[1]
    return hits / draws


@pytest.mark.parametrize("beta", [1.3, 2.0, 4.0])
def test_the_interval_holds_a_known_tail_at_its_level(beta: float) -> None:
    # 12 draws of level .95 hold at least 10 times with probability .98.
    assert covered(power(beta), beta, 200, 12) >= 10 / 12


@pytest.mark.parametrize("width", [200, 800])
def test_the_interval_allows_for_a_finite_width(width: int) -> None:
    assert covered(power(2.5), 2.5, 200, 12, width) >= 10 / 12


def test_an_oscillation_is_allowed_for() -> None:
    i = np.arange(1.0, COLUMNS + 1.0)
    assert covered(power(2.0) * np.exp(0.3 * np.sin(3.0 * np.log(i))), 2.0, 200, 12) >= 10 / 12


def test_the_bias_of_finite_samples_is_taken_off() -> None:
    # At beta = 1.3 the empirical eigenvalues exceed those of the population by a share that grows with i.
    found = [slopes(kernel(power(1.3), 240, "bias", number), seed=number) for number in range(12)]
    raw = np.mean([each.rows[0, 0] for each in found])
    corrected = np.mean([estimated(each).value for each in found])
    first, last = window(240)
    own = float(slope_weights(first, last)[0] @ np.log(power(1.3)[:last]))
    assert abs(own - 1.3) < 1e-9
    assert abs(corrected - 1.3) < 0.5 * abs(raw - 1.3)


def test_an_exponential_decay_has_no_narrow_interval() -> None:
    found = tail_index(kernel(np.exp(-0.3 * np.arange(COLUMNS)), 240, "exponential"))
    assert found.half_width > 1.0


@pytest.mark.parametrize(
    ("matrix", "width", "said"),
    [
        (np.eye(100), math.inf, "too few"),
        (kernel(power(2.0), 240, "narrow"), 40.0, "parameters are too few"),
        (kernel(power(2.0)[:9], 240, "rank"), math.inf, "ends within the window: 9 eigenvalues of 30"),
    ],
)
def test_where_nothing_can_be_said_the_reason_is_given(matrix: np.ndarray, width: float, said: str) -> None:
    found = tail_index(matrix, width=width)
    assert math.isinf(found.half_width)
    assert said in found.reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kernel": np.ones((3, 4))}, "square"),
        ({"kernel": np.full((240, 240), np.nan)}, "not finite"),
        ({"kernel": np.eye(240), "width": 0.0}, "width=0.0"),
    ],
)
def test_errors_name_what_is_wrong(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        slopes(**arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one"):
        compared(slopes(np.eye(8)), [])
    with pytest.raises(ValueError, match="same samples"):
        estimated(
            slopes(kernel(power(2.0), 240, "a")),
            slopes(kernel(power(2.0), 320, "b")),
        )


def test_the_same_samples_compare_more_sharply_than_two_intervals() -> None:
    rng = stream(0, "tests", "tails", "paired")
    z = rng.standard_normal((240, COLUMNS))
    first, second = ((z * np.sqrt(l)) @ (z * np.sqrt(l)).T for l in (power(2.0), 3.0 * power(2.2)))
    found = estimated(slopes(second), slopes(first))
    assert found.interval[0] <= 0.2 <= found.interval[1]
    assert found.half_width < 0.7 * tail_index(first).half_width
    assert found.interval[0] > 0.0


def test_the_minimum_rule_on_kernels_of_known_tails() -> None:
    rng = stream(0, "tests", "tails", "minimum")
    parts = []
    # Of equal scale, the lighter tails would still steepen the sum over the window (benchmarks/tails.py, two tails).
    for beta, scale in ((1.8, 1.0), (3.0, 0.1), (2.5, 0.1)):
        features = rng.standard_normal((320, COLUMNS)) * np.sqrt(scale * power(beta))
        parts.append(features @ features.T)
    whole = slopes(sum(parts))
    found = compared(whole, [slopes(part) for part in parts])
    assert isinstance(found, TailIndex)
    assert found.interval[0] <= 0.0 <= found.interval[1]
    # Without the heaviest part the rule fails, and the interval says so.
    wrong = compared(whole, [slopes(part) for part in parts[1:]])
    assert wrong.interval[1] < 0.0


def test_a_higher_level_and_more_comparisons_widen_the_interval() -> None:
    found = slopes(kernel(power(2.0), 240, "levels"))
    plain, many, sure = (
        estimated(found),
        estimated(found, comparisons=4),
        estimated(found, level=1.0 - 1e-5),
    )
    assert plain.half_width < many.half_width < sure.half_width
    assert plain.half_width == pytest.approx(plain.sampling + plain.bias + plain.curvature)
    assert plain.of_window == pytest.approx(plain.sampling + plain.bias)
    assert 0.5 < LEVEL < 1.0
    assert len(found.rows) == 1 + 2 * SPLITS

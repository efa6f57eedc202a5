"""Extrapolation: known sequences recover their limit within the error bar, and what does not converge gets a wide one."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st

from verifier.claims import Claim, Exponent
from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
    CriticalTarget,
    ExponentialTarget,
    Instance,
    LacunaryTarget,
    LogCorrected,
    LogPeriodic,
    Noise,
    PowerLaw,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Spectrum,
    Spiked,
    Target,
)
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.streams import stream
from verifier.verdicts import extrapolate
from verifier.verdicts.extrapolate import FLOOR, Asymptote, asymptote, growth, leakage, local_exponents
from verifier.verdicts.judge import WIDEST, assess

Curve = Callable[[np.ndarray], np.ndarray]
EXPONENT = 0.7


def followed(curve: Curve, high: float = 64.0, points: int = 50) -> Asymptote:
    """The asymptote of a curve t -> ln y on the grid of a first look."""
    t = np.linspace(math.log(100.0), high, points)
    return asymptote(t, curve(t))


def two_powers(rate: float, amplitude: float) -> Curve:
    return lambda t: -EXPONENT * t + np.log1p(amplitude * np.exp(-rate * t))


def logarithmic(power: float) -> Curve:
    return lambda t: -EXPONENT * t + power * np.log(t)


def oscillating(frequency: float, amplitude: float) -> Curve:
    return lambda t: -EXPONENT * t + amplitude * np.cos(frequency * t)


def crossover(where: float) -> Curve:
    return lambda t: -(EXPONENT - 0.4) * t - 0.4 * np.logaddexp(0.0, t - where)


SETTLED = {
    "pure": lambda t: -EXPONENT * t,
    "pure with constant": lambda t: 300.0 - EXPONENT * t,
    "two powers": two_powers(0.2, 5.0),
    "two powers, cancelling": two_powers(0.2, -0.9),
    "two powers, far apart": two_powers(1.0, 1e3),
    "crossover": crossover(25.0),
}
SLOW = {
    "two powers, close": two_powers(0.05, 0.5),
    "two powers, close, cancelling": two_powers(0.05, -0.9),
    "1/t": logarithmic(1.0),
    "-1/t": logarithmic(-1.0),
    "2/t": logarithmic(2.0),
    "2/(t + 4)": lambda t: -EXPONENT * t + 2.0 * np.log1p(t / 4.0),
    "late crossover": crossover(40.0),
    "very late crossover": crossover(50.0),
}
WAVES = {f"{f}, {a}": oscillating(f, a) for f in (0.5, 1.0, 3.0) for a in (0.05, 0.5)}


@pytest.mark.parametrize("curve", SETTLED.values(), ids=SETTLED)
def test_settled_curves_recover_their_exponent_to_the_floor(curve: Curve) -> None:
    found = followed(curve)
    assert abs(found.exponent - EXPONENT) < 1e-4
    assert FLOOR <= found.half_width < 2.0 * FLOOR
    assert found.oscillation < 1e-3


@pytest.mark.parametrize("curve", SLOW.values(), ids=SLOW)
def test_slow_curves_recover_their_exponent_within_a_wider_bar(curve: Curve) -> None:
    found = followed(curve)
    assert abs(found.exponent - EXPONENT) <= found.half_width
    assert found.half_width > 2.0 * FLOOR
    assert found.interval == (found.exponent - found.half_width, found.exponent + found.half_width)


@pytest.mark.parametrize("curve", WAVES.values(), ids=WAVES)
def test_persistent_oscillations_are_averaged_out_and_measured(curve: Curve) -> None:
    found = followed(curve, high=300.0, points=240)
    assert abs(found.exponent - EXPONENT) <= found.half_width < 0.01
    t = np.linspace(math.log(100.0), 300.0, 240)
    _, local = local_exponents(t, curve(t))
    assert found.oscillation == pytest.approx(np.ptp(local) / 2.0, rel=0.1)
    assert found.oscillation == pytest.approx(found.earlier_oscillation, rel=0.1)


def test_a_fading_oscillation_is_seen_to_fade() -> None:
    found = followed(lambda t: -EXPONENT * t + 20.0 * np.exp(-t / 40.0) * np.cos(t), high=200.0, points=240)
    assert abs(found.exponent - EXPONENT) <= found.half_width
    assert found.oscillation < 0.5 * found.earlier_oscillation


def test_a_plateau_without_noise_has_exponent_zero() -> None:
    for curve in (lambda t: 0.0 * t, lambda t: np.logaddexp(-1.5 * t, -30.0)):
        found = followed(curve)
        assert abs(found.exponent) < 1e-6
        assert found.half_width < 2.0 * FLOOR


def test_the_bar_narrows_as_the_curve_is_followed_farther() -> None:
    widths = [followed(logarithmic(1.0), high=high, points=120).half_width for high in (40.0, 150.0, 600.0)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 4.0


def test_what_leaks_through_the_taper_is_what_is_said_of_it() -> None:
    """An oscillation of any phase, on a fine grid: the slope that a tapered window keeps of it."""
    t = np.linspace(0.0, 1.0, 2001)
    for cycles in (0.7, 1.5, 2.5, 3.5, 5.0):
        waves = [
            np.sin(2.0 * np.pi * cycles * t + phase) / (2.0 * np.pi * cycles) for phase in np.linspace(0.0, 3.0, 40)
        ]
        weights = extrapolate._slope_weights(extrapolate.taper(t.size), t)
        kept = max(abs(float(weights @ wave)) for wave in waves)
        assert kept <= leakage(cycles) * (1.0 + 1e-3) + 1e-9
        assert cycles > 4.0 or kept > 0.5 * leakage(cycles)
    assert leakage(4.0) < 1e-3
    assert 0.9 < leakage(0.0) <= 1.0


@pytest.mark.parametrize("periods", [(2.3, 7.1), (1.3, 3.4), (3.1, 3.5)])
def test_two_periods_that_beat_stay_within_the_bar(periods: tuple[float, float]) -> None:
    """A wave, a staircase, and the staircase's sampling of the wave, which is slow where the periods nearly fit."""
    for phase in np.linspace(0.0, 6.0, 7):

        def curve(t: np.ndarray, phase: float = float(phase)) -> np.ndarray:
            wave = 0.3 * np.cos(2.0 * np.pi * t / periods[0] + phase)
            place = t / periods[1]
            step = place - np.floor(place)
            sampled = 0.3 * np.cos(2.0 * np.pi * np.floor(place) * periods[1] / periods[0] + phase)
            return np.asarray(-EXPONENT * t + wave + step + sampled)

        t = np.linspace(5.0, 65.0, 240)
        found = asymptote(t, curve(t), None, periods)
        assert abs(found.exponent - EXPONENT) <= found.half_width
    if periods == (3.1, 3.5):
        assert found.half_width > WIDEST  # the beat is slower than the window: nothing is decided
    else:
        assert found.half_width < 0.2


WILD: dict[str, Curve] = {
    "t^2": lambda t: -(t**2),
    "exp(t)": lambda t: -np.exp(t / 10.0),
    "ln y of random numbers": lambda t: np.random.default_rng(0).normal(size=t.size),
    "a waxing wave": lambda t: -EXPONENT * t + 0.3 * t * np.cos(np.log(t)),
    "still turning at the end": crossover(60.0),
}


@pytest.mark.parametrize("curve", WILD.values(), ids=WILD)
def test_what_does_not_converge_gets_a_bar_too_wide_to_decide(curve: Curve) -> None:
    found = followed(curve)
    assert found.half_width > WIDEST * max(1.0, abs(found.exponent))


def test_a_curve_with_holes_is_not_extrapolated() -> None:
    for hole in (math.nan, math.inf, -math.inf):
        t = np.linspace(0.0, 10.0, 20)
        y = -t
        y[7] = hole
        found = asymptote(t, y)
        assert math.isnan(found.exponent)
        assert found.half_width == math.inf


def test_too_few_points_are_refused() -> None:
    t = np.linspace(0.0, 10.0, 15)
    with pytest.raises(ValueError, match="log_x has 15 points; an extrapolation needs at least 16"):
        asymptote(t, -t)


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.026, 0.03, 0.05, 0.1])
@pytest.mark.parametrize(("first", "last"), [(200.0, 300.0), (267.6, 300.0), (120.0, 160.0)])
def test_a_slow_power_on_a_late_stretch_is_not_taken_for_a_logarithm(rate: float, first: float, last: float) -> None:
    # The effective dimension of two tails, (1/lambda)^a + c (1/lambda)^(a - rate): from the crossover on, where the heavier one
    # counts e^2 times as many. Its exponent is a; the limit of a logarithm would lie beyond it.
    log_x = np.linspace(first, last, 28)
    log_y = 0.5 * log_x + np.log1p(np.exp(-2.0 - rate * (log_x - first)))
    found = asymptote(log_x, log_y)
    assert abs(found.exponent + 0.5) <= found.half_width


def test_the_answer_does_not_depend_on_the_units_of_x_and_y() -> None:
    t = np.linspace(5.0, 64.0, 50)
    y = two_powers(0.2, 5.0)(t)
    assert asymptote(t, y + 100.0).exponent == pytest.approx(asymptote(t, y).exponent, abs=1e-9)


def test_local_exponents() -> None:
    middle, local = local_exponents(np.array([0.0, 1.0, 3.0]), np.array([5.0, 4.0, 0.0]))
    np.testing.assert_array_equal(middle, [0.5, 2.0])
    np.testing.assert_array_equal(local, [1.0, 2.0])


# ------------------------------------------------------------------------------------------------ growth


GROWING = {
    "constant": (lambda t: 0.0 * t, 0.0),
    "settling": (lambda t: -np.exp(-t / 10.0), 0.0),
    "wave": (lambda t: np.cos(t), 0.0),
    "logarithm": (lambda t: np.log1p(t), math.log(2.0)),
    "logarithm to the 1/2": (lambda t: 0.5 * np.log1p(t), 0.5 * math.log(2.0)),
    "falling logarithm": (lambda t: -np.log1p(t), -math.log(2.0)),
    "power": (lambda t: 0.1 * t, 10.0),
    "falling power": (lambda t: -0.1 * t, -10.0),
}


@pytest.mark.parametrize(("curve", "last"), GROWING.values(), ids=GROWING)
def test_growth_over_the_last_doubling(curve: Curve, last: float) -> None:
    t = np.linspace(0.0, 200.0, 400)
    for upper in (True, False):
        now, earlier = growth(t, curve(t), upper)
        # A falling curve is largest where the stretch begins, so its supremum falls by the doubling before.
        expected = last / 2.0 if abs(last) > 1.0 and (last > 0.0) != upper else last
        assert now == pytest.approx(expected, rel=0.02, abs=0.05)
        if abs(last) > 1.0:  # a power grows twice as much over each doubling, a logarithm as much
            assert now == pytest.approx(2.0 * earlier, rel=0.02)
        elif last != 0.0:
            assert now == pytest.approx(earlier, abs=0.02)


def test_growth_needs_points_in_every_doubling() -> None:
    with pytest.raises(ValueError, match="use a finer grid"):
        growth(np.array([0.0, 200.0]), np.zeros(2))


# ------------------------------------------------------------------------------------------------ honesty


def random_instance(rng: np.random.Generator) -> Instance:
    """An instance with a theorem, from the whole ranges of the strategies, without their short decimals."""
    beta, s, r = float(rng.uniform(1.05, 6.0)), float(rng.uniform(0.05, 3.0)), float(rng.uniform(0.0, 1.0))
    spectra: list[Callable[[], Spectrum]] = [
        lambda: PowerLaw(beta, float(10.0 ** rng.uniform(-1, 1))),
        lambda: BrokenPowerLaw(beta, float(rng.uniform(0.3, 5.0)), int(rng.integers(2, 300))),
        lambda: Spiked(beta, int(rng.integers(1, 100)), float(10.0 ** rng.uniform(0, 3))),
        lambda: LogPeriodic(beta, r * min(1.0, beta / 3.0), float(rng.uniform(1.0, 3.0))),
        lambda: LogPeriodic(beta, r * min(1.0, beta / 5.0), float(rng.uniform(3.0, 5.0))),
        lambda: LogCorrected(beta, float(rng.uniform(-2.0, 2.0))),
    ]
    targets: list[Callable[[], Target]] = [
        lambda: CriticalTarget(s),
        lambda: BallTarget(s),
        lambda: SmootherTarget(s, excess=float(rng.uniform(0.1, 1.0))),
        lambda: RandomTarget(s, seed=int(rng.integers(100)), excess=float(rng.uniform(0.1, 1.0))),
        lambda: SingleEigenfunction(s, index=int(rng.integers(1, 30))),
        lambda: ExponentialTarget(s, rate=float(rng.uniform(0.5, 2.0))),
        lambda: LacunaryTarget(s, ratio=float(rng.uniform(2.0, 30.0))),
    ]
    noise = Noise(float(rng.choice([0.0, 10.0 ** rng.uniform(-2.0, 1.0)])))
    return Instance(spectra[rng.integers(len(spectra))](), targets[rng.integers(len(targets))](), noise)


def theorem_claim(tuning: str) -> Claim:
    """The claim that the exponent is the theorem's; the bar that is tested here does not depend on it."""

    def predict(instance: Instance) -> Exponent:
        value = theorem_exponent(instance, tuning)
        assert value is not None
        return Exponent(value)

    return Claim(id="T", title="", statement="", source="", domain=st.nothing(), predict=predict, tuning=tuning)


@pytest.mark.thorough
def test_error_bars_are_honest_on_random_instances() -> None:
    """An error bar that were too short on one instance in thirty would get through about once in twenty."""
    rng = stream(20, "honesty of the error bar")
    decided, escaped = 0, []
    for k in range(120):
        instance = random_instance(rng)
        tuning = ("optimal", "schedule")[k % 2]
        theorem = theorem_exponent(instance, tuning)
        assert theorem is not None
        judged = assess(theorem_claim(tuning), instance)
        if judged.evidence is None or judged.evidence.asymptote is None or judged.verdict == "inconclusive":
            continue
        decided += 1
        limit = judged.evidence.asymptote
        if abs(limit.exponent - theorem) > limit.half_width:
            escaped.append((instance.describe(), tuning, theorem, limit.exponent, limit.half_width))
    assert not escaped
    assert decided > 90

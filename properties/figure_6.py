r"""Figure 6: random features of fixed width under the scheduled ridge; humps that vanish with width.

The figure has random Fourier features; Gaussian ones stand for them here, whose risk has an equivalent
(:mod:`verifier.risk.features`): both are unbiased approximations of the kernel by m independent terms. Under the schedule,
lambda_n = n^-p with p = 1/(2s + 1/beta), three things happen to a curve of fixed width m:

* At n ~ m^(1/q*), q* = max(p/beta, 1 - p), it leaves the curve of the kernel, which is the deviation that the figure shows: what
  the features add to the bias, (N(lambda)/m) lambda^min(2s, 1), is then as large as the rest (properties/theorem_5.py).
* At n ~ m^(beta/p) the features are used up, and the risk stays at their floor, m^(-beta min(2s, 1)) (properties/remark_4.py).
  A curve of fixed width always ends there: a larger width moves the place, and does not remove it.
* Near n = m the risk may rise with n, a true hump (double descent): where the effective dimension N(lambda_n) = n^(p/beta) is not
  far below n, that is for 2 beta s not large, and noise. For any s > 0 it is n^(-2sp) of n, so that it vanishes as m grows,
  slowly for small s.

So the widths have to grow with n: above the degree q* the ratio of the two curves stays bounded.
"""

from __future__ import annotations

from hypothesis import strategies as st

from properties.hypotheses import alpha, assumption_r, noisy_labels, width_above_the_critical_degree
from properties.strategies import smoothness
from properties.strategies.features import critical_instances, featured, of_some_width
from properties.theorem_5 import exactly
from verifier.claims import Bound, Reading, Theta
from verifier.exhibits import Exhibit, Panel, Series
from verifier.instances import AllFeatures, CriticalTarget, GaussianFeatures, Instance, Noise, PowerLaw
from verifier.risk.widths import RiseOfTheRisk, RiskBesideTheKernel
from verifier.testing import check

SOURCE = "Figure 6, section 4"
SIZES_OF_THE_FIGURE = (100, 200, 400, 800, 1600, 3200)
APART = 1.25


def _drawn(width: float | None, *, degree: float = 0.0, beta: float = 2.0, s: float = 0.75) -> Instance:
    """One curve: m features, or the kernel."""
    features = AllFeatures() if width is None else GaussianFeatures(factor=width, degree=degree)
    return Instance(PowerLaw(beta=beta), CriticalTarget(s=s), Noise(1.0), features=features)


CLAIMED = alpha(_drawn(None))
"""alpha at beta = 2 and s = 3/4, those of the exhibit."""

as_noisy_as_the_signal = st.sampled_from([1.0, 2.0, 0.5]).map(Noise)

FIXED = (10.0, 50.0, 250.0)

EXHIBIT = Exhibit(
    text="Figure 6 of the paper: learning curves of random Fourier features of several widths. Gaussian features are drawn here. "
    "The text gives neither beta nor s; here beta = 2, s = 3/4, sigma = 1, for which the critical degree is 1/2.",
    apart=APART,
    panels=(
        Panel(
            title="As in the paper",
            series=(
                Series("the kernel", _drawn(None), CLAIMED),
                *(Series(f"m = {m:g}", _drawn(m), CLAIMED) for m in FIXED),
            ),
            n=(100.0, 3200.0),
            simulated=SIZES_OF_THE_FIGURE,
            text="Fixed widths, n from 100 to 3200.",
        ),
        Panel(
            title="The same at larger n",
            series=(
                Series("the kernel", _drawn(None), CLAIMED),
                *(Series(f"m = {m:g}", _drawn(m), CLAIMED) for m in FIXED),
            ),
            n=(100.0, 1e12),
            windows=((100.0, 3200.0), (1e6, 1e8), (1e10, 1e12)),
            text="A fixed width leaves the kernel's curve at about n = m^2 and ends on its floor, m^-2 up to a constant.",
        ),
        Panel(
            title="Widths that grow",
            series=(
                Series("the kernel", _drawn(None), CLAIMED),
                Series("m = n^0.25", _drawn(1.0, degree=0.25), CLAIMED),
                Series("m = n^0.5", _drawn(1.0, degree=0.5), CLAIMED),
                Series("m = n^0.75", _drawn(1.0, degree=0.75), CLAIMED),
            ),
            n=(100.0, 1e12),
            windows=((100.0, 3200.0), (1e6, 1e8), (1e10, 1e12)),
            text="Below the critical degree 1/2 the slope is another, at it the constant, above it neither.",
        ),
    ),
)

READINGS = (
    Reading(
        id="F6/fixed-width",
        title="with a fixed number of features and the scheduled ridge the slope is alpha",
        statement="For critical targets, s <= 1, with label noise and m Gaussian random features, m fixed, at the scheduled ridge "
        "E ~ n^-alpha.",
        latex=r"\mathcal{E}_m(n) \sim n^{-\alpha}",
        source=SOURCE,
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels),
        domain=of_some_width(critical_instances()),
        predict=exactly,
        prediction="exponent = 2s/(2s + 1/beta)",
        expected="FALSIFIED",
        note="What the widest curves of the figure seem to show; each of them ends on a floor. Gaussian features stand for "
        "Fourier ones.",
        exhibit=EXHIBIT,
    ),
    Reading(
        id="F6/no-rise",
        title="with a fixed number of features and the scheduled ridge more samples never raise the risk",
        statement="For critical targets, s <= 1, with noise of 1/2 <= sigma <= 2 and m Gaussian random features, m fixed, at the "
        "scheduled ridge E(1.1 n) <= E(n) for 20 <= n <= 1e6.",
        latex=r"\mathcal{E}_m(1.1\, n) \le \mathcal{E}_m(n)",
        source=SOURCE + ": humps, read as a rise of the curve",
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels),
        domain=of_some_width(
            critical_instances(noise=as_noisy_as_the_signal), (100.0, 10.0, 20.0, 50.0, 200.0, 500.0, 1000.0)
        ),
        observable=RiseOfTheRisk(),
        predict=lambda instance: Bound(1.0),
        prediction="E(1.1 n) / E(n) <= 1",
        expected="FALSIFIED",
        note="A true hump, near n = m, exists for small 2 beta s and noise: the ridge of the schedule is too small for it there. "
        "With infinitely many features and noise of the size of the signal there is none.",
    ),
    Reading(
        id="F6/growing-width-aligns",
        title="with the scheduled ridge the curve of c n^q features stays within constant factors of the kernel's, for q above q*",
        statement="For critical targets, s <= .9, with label noise and c n^q Gaussian random features, q >= q* + .05, at the "
        "scheduled ridge, E_m(n) / E(n) stays between two positive constants.",
        latex=r"c \le \mathcal{E}_m(n) / \mathcal{E}(n) \le C, \quad m = c\,n^q",
        source=SOURCE,
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels, width_above_the_critical_degree),
        domain=featured(critical_instances(smoothness(0.05, 0.9))).filter(width_above_the_critical_degree),
        observable=RiskBesideTheKernel(),
        predict=lambda instance: Theta(0.0),
        prediction="E_m / E bounded above and below",
        expected="SURVIVED",
        note="'The curves align with the kernel's as the width increases', along a width that increases with n.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

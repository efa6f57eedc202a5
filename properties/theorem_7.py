r"""Theorem 7: a kernel that drifts within :math:`c\,i^{-b_+} \le l_i(K_t) \le C\,i^{-b_-}` has an exponent between 2s/(2s + 1/b-)
and 2s/(2s + 1/b+).

The readings are about gradient flow :math:`\dot r = -K_t r` in the Gaussian sequence model, the limit of regression in which n
samples resolve all that is learnt (verifier/risk/drift.py). Sigma has the tail index beta, the target :math:`f_i^2 = i^{-(2\beta S
+ 1)}` the index S relative to it.

*Eigenvalues only*, :math:`l_i(t) = l_i^{\rho}`, b = rho beta. Relative to Sigma^rho the index is S/rho, so that "the source
condition" depends on the kernel that is meant:

* of **every** kernel: s = S/rho+. Every direction has :math:`L_i = \int l_i \ge t\,i^{-b_+}`, so the bias is of the order t^-2s,
  and :math:`L_i \le t\,i^{-b_-}`, so the variance is at most t^(1/b-)/n: the lower end. No choice of P_i in [0, 1] is better than
  :math:`\sum\min(f_i^2, \sigma^2/n)`, which has the exponent 2s/(2s + 1/b+): the upper end. Both are attained, the lower one by
  eigenvalues that are flat until a direction is half learnt and steep from then on.
* of the **first** kernel: s = S/rho_0. If the kernel steepens beyond it, the lower end is wrong: between t^(1/b+) and t^(1/b-) all
  is half learnt, the bias is of the order t^(-2 b_0 s/b+), and the exponent (2s b_0/b+)/(2s b_0/b+ + 1/b-). "Feature learning that
  steepens the tail helps" (Remark 6) has the sign wrong there: what it no longer learns it needs.

Stopped by the schedule, t = n^(1/(2s + 1/b)), the lower end needs the b of the flattest kernel: with that of the steepest the
variance is t^(1/b-)/n at a later time. A drift of constants, and one that stops at a fixed time, keep the exponent that the target
has with Sigma, :math:`2\beta S/(2\beta S + 1)`.

*Eigenvectors* (docs/kernel-drift.md). With :math:`K_t = \Sigma^{1/2}M_t\Sigma^{1/2}` and
:math:`a^2 \le M_t \le b^2`, b- = b+ = beta, the interval is the point alpha. A turn at every scale can hand on what is about to be
learnt to a slower direction, and cost a piece of the exponent; if the variation of ln M up to t grows more slowly than ln t, it
should not, for s <= 1/2. For s > 1/2 a drift that stops does: with :math:`T = 1 + c\,uv^*`, :math:`u_i` or :math:`v_i \sim
i^{-\gamma}`, what a flow under T*T has not learnt has a part of the first directions that decays along that column, of the index
1/2 + (2 gamma - 1)/(2 beta), and it stays when the features move back (the source condition relative to the last kernel, or to
every kernel, does not see it).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from properties.hypotheses import alpha, noisy_labels
from properties.strategies import betas, hardest_targets, instances, noises, power_laws, smoothness
from properties.strategies.drift import (
    drifting,
    front_drifts,
    gain_drifts,
    half_learning_drifts,
    lasting_schedules,
    moderate_noises,
    moved_and_back,
    schedules,
    stopping_drifts,
    turns,
    turns_that_fade,
    turns_that_stop,
)
from verifier.claims import AtLeast, AtMost, Exponent, Reading
from verifier.instances import Identity, Instance, NoDrift, PowerLaw, Ridge, Transform, TurningDrift
from verifier.risk.operators import metric
from verifier.risk.smoothness import index_after
from verifier.testing import check

SOURCE = "Theorem 7 and Assumption T3, section 3.2; proof in the appendix"
LATEX = r"\frac{2s}{2s + 1/b_-} \le \alpha \le \frac{2s}{2s + 1/b_+}"

flows = instances(power_laws(), hardest_targets(smoothness(0.05, 2.0), ("S-tail",)), noises(silent=False))
rough_flows = instances(
    st.builds(PowerLaw, beta=betas(1.2, 3.0)), hardest_targets(smoothness(0.2, 0.5), ("S-tail",)), moderate_noises()
)
by_the_front = drifting(flows, front_drifts)
moved = instances(
    st.builds(PowerLaw, beta=betas(1.2, 3.0)), hardest_targets(smoothness(0.2, 1.5), ("S-tail",)), moderate_noises()
)


def tails(instance: Instance) -> tuple[float, float]:
    """b- and b+: the smallest and the largest tail index that the kernel has."""
    ratios: tuple[float, ...] = getattr(instance.drift, "ratios", (1.0,))
    return min(ratios) * instance.beta, max(ratios) * instance.beta


def of_every_kernel(instance: Instance) -> float:
    """The index of the source condition that the target meets with every kernel, S beta/b+."""
    return instance.s * instance.beta / tails(instance)[1]


def of_the_first_kernel(instance: Instance) -> float:
    """The index relative to the kernel at the start."""
    first: float = getattr(instance.drift, "ratios", (1.0,))[0]
    return instance.s / first


def lower_end(s: float, instance: Instance) -> float:
    """2s/(2s + 1/b-)."""
    return 2.0 * s / (2.0 * s + 1.0 / tails(instance)[0])


def upper_end(s: float, instance: Instance) -> float:
    """2s/(2s + 1/b+)."""
    return 2.0 * s / (2.0 * s + 1.0 / tails(instance)[1])


@dataclass(frozen=True)
class Schedule:
    """The paper's lambda_n = n^(-1/(2s + 1/b)) with the index of every kernel, and the b of the flattest or steepest one."""

    steepest: bool

    def power(self, instance: Instance) -> float:
        """1/(2s + 1/b)."""
        return 1.0 / (2.0 * of_every_kernel(instance) + 1.0 / tails(instance)[self.steepest])

    def __call__(self, instance: Instance, n: float) -> float:
        return float(n ** -self.power(instance))


def unchanged(instance: Instance) -> Exponent:
    """The exponent of the target with Sigma, whatever the ratio of the last kernel: S/rho and rho beta have the same product."""
    return Exponent(alpha(instance))


def with_what_is_kept(instance: Instance) -> AtLeast:
    """The exponent of the index s max(1 - v, 0), v the growth of ln r'K^-1 r in ln t."""
    assert isinstance(instance.drift, TurningDrift)
    v = instance.drift.growth() / (instance.beta * math.log(instance.drift.ratio))
    kept = instance.s * max(0.0, 1.0 - v)
    return AtLeast(2.0 * kept / (2.0 * kept + 1.0 / instance.beta))


def transforms(instance: Instance) -> tuple[Transform, ...]:
    """T of each stage of a drift of features; none of any other kernel."""
    found: tuple[Transform, ...] = getattr(instance.drift, "transforms", (Identity(),))
    return found


def relative_to_the_last(instance: Instance) -> AtLeast:
    """alpha with the index relative to the last kernel in the place of s."""
    still = dataclasses.replace(instance, drift=NoDrift(), filter=Ridge(), transform=transforms(instance)[-1])
    index = index_after(still, instance.s)
    return AtLeast(2.0 * index / (2.0 * index + 1.0 / instance.beta))


def index_of_the_column(instance: Instance) -> float:
    """1/2 + (2 gamma - 1)/(2 beta), gamma the slowest decay of a direction along which T*T couples; infinite without one."""
    gammas = (column.gamma for transform in transforms(instance) for column in metric(transform).columns)
    return 0.5 + (2.0 * min(gammas, default=math.inf) - 1.0) / (2.0 * instance.beta)


def by_the_column(instance: Instance) -> Exponent:
    """alpha with the smaller one of s and the index of the column in the place of s."""
    index = min(instance.s, index_of_the_column(instance))
    return Exponent(2.0 * index / (2.0 * index + 1.0 / instance.beta))


def off_the_column(instance: Instance) -> bool:
    """s differs from the index of the column by .1 or more, so that one of the two parts of the bias leads."""
    return abs(instance.s - index_of_the_column(instance)) >= 0.1


def what_is_half_learnt_leads(instance: Instance) -> bool:
    """2S(1/rho- - 1/rho+) >= .1: the two powers of t that the bias has differ by enough for one of them to lead."""
    low, high = tails(instance)
    return 2.0 * instance.s * instance.beta * (1.0 / low - 1.0 / high) >= 0.1


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Theorem 7: gradient flow in the sequence model, stopped at the best time."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (noisy_labels,),
        "latex": LATEX,
        "statement": f"For gradient flow in the Gaussian sequence model, critical targets and label noise, {title}.",
        "domain": by_the_front,
        "expected": "SURVIVED",
    }
    return Reading(id=f"T7/{name}", title=title, **(defaults | parts))


def keeps_alpha(name: str, title: str, prediction: str = "exponent = 2s/(2s + 1/beta)", **parts: Any) -> Reading:
    """A reading that a drift leaves the exponent of the target with Sigma as it is."""
    return reading(
        name, title, predict=unchanged, prediction=prediction, latex=r"\mathcal{E}(n) \sim n^{-\alpha}", **parts
    )


READINGS = (
    reading(
        "lower-end",
        "drifting eigenvalues, the source condition holding with every kernel, leave an exponent of 2s/(2s + 1/b-) or more",
        predict=lambda instance: AtLeast(lower_end(of_every_kernel(instance), instance)),
        prediction="exponent >= 2s/(2s + 1/b-), s the index with every kernel",
        note="The uniform source condition that the proof asks for and the statement does not.",
    ),
    reading(
        "upper-end",
        "drifting eigenvalues, the source condition holding with every kernel, leave an exponent of 2s/(2s + 1/b+) or less",
        predict=lambda instance: AtMost(upper_end(of_every_kernel(instance), instance)),
        prediction="exponent <= 2s/(2s + 1/b+), s the index with every kernel",
        note="No filter in the eigenbasis is better, drifting or not.",
    ),
    reading(
        "lower-end-source-at-the-start",
        "drifting eigenvalues, the source condition holding at the start, leave an exponent of 2s/(2s + 1/b-) or more",
        predict=lambda instance: AtLeast(lower_end(of_the_first_kernel(instance), instance)),
        prediction="exponent >= 2s/(2s + 1/b-), s the index with the first kernel",
        expected="FALSIFIED",
        note="A kernel that steepens half way leaves unlearnt what its target needs. Repaired by lower-end: s = (index) b_0/b+.",
    ),
    reading(
        "upper-end-source-at-the-start",
        "drifting eigenvalues, the source condition holding at the start, leave an exponent of 2s/(2s + 1/b+) or less",
        predict=lambda instance: AtMost(upper_end(of_the_first_kernel(instance), instance)),
        prediction="exponent <= 2s/(2s + 1/b+), s the index with the first kernel",
        note="The index with the first kernel is no smaller than that with every kernel.",
    ),
    reading(
        "lower-end-attained",
        "eigenvalues that are flat until half learnt and steep from then on leave the exponent 2s/(2s + 1/b-) exactly",
        hypotheses=(noisy_labels, what_is_half_learnt_leads),
        domain=drifting(flows, half_learning_drifts),
        predict=lambda instance: Exponent(lower_end(of_every_kernel(instance), instance)),
        prediction="exponent = 2s/(2s + 1/b-), s the index with every kernel",
        note="The interval cannot be made smaller.",
    ),
    reading(
        "schedule-of-the-flattest",
        "stopped at n^(1/(2s + 1/b-)), drifting eigenvalues leave an exponent of 2s/(2s + 1/b-) or more",
        tuning=Schedule(steepest=False),
        predict=lambda instance: AtLeast(lower_end(of_every_kernel(instance), instance)),
        prediction="exponent >= 2s/(2s + 1/b-), s the index with every kernel",
        note="The schedule of Theorem 1 with the flattest kernel is safe.",
    ),
    reading(
        "schedule-of-the-steepest",
        "stopped at n^(1/(2s + 1/b+)), drifting eigenvalues leave an exponent of 2s/(2s + 1/b-) or more",
        tuning=Schedule(steepest=True),
        predict=lambda instance: AtLeast(lower_end(of_every_kernel(instance), instance)),
        prediction="exponent >= 2s/(2s + 1/b-), s the index with every kernel",
        expected="FALSIFIED",
        note="By then a flatter kernel has learnt the noise of t^(1/b-) directions.",
    ),
    keeps_alpha(
        "constants-drift",
        "a drift of the constants within a band, b- = b+, for ever, leaves the exponent alpha",
        domain=drifting(flows, gain_drifts),
        note="Constants may react to scale as they like.",
    ),
    keeps_alpha(
        "drift-that-stops",
        "a drift of the eigenvalues that stops at a fixed time leaves the exponent 2s/(2s + 1/b) of the last kernel",
        domain=drifting(flows, stopping_drifts),
        prediction="exponent = 2s/(2s + 1/b), s and b those of the last kernel",
        note="What was learnt before is a constant's worth.",
    ),
    keeps_alpha(
        "turning-for-ever",
        "eigenvectors that boundedly invertible transforms move for ever leave the exponent alpha, for .2 <= s <= 1/2",
        domain=drifting(rough_flows, turns),
        prediction="exponent = 2s/(2s + 1/beta), b- = b+ = beta",
        expected="FALSIFIED",
        note="What is about to be learnt is handed on to a slower direction, at every scale.",
    ),
    reading(
        "turning-keeps-at-least",
        "eigenvectors moved for ever keep the exponent of the index s(1 - v), v their variation in ln t, for .2 <= s <= 1/2",
        domain=drifting(rough_flows, turns),
        predict=with_what_is_kept,
        prediction="exponent >= 2s'/(2s' + 1/beta), s' = s max(1 - v, 0)",
        latex=r"\alpha \ge \frac{2s(1 - v)}{2s(1 - v) + 1/\beta}",
        note="v is the growth of ln r'K^-1 r by jumps of M, a unit of ln t; a bounded variation has v = 0.",
    ),
    keeps_alpha(
        "turning-that-stops",
        "eigenvectors moved a bounded number of times each leave the exponent alpha, for .2 <= s <= 1/2",
        domain=drifting(rough_flows, turns_that_stop),
        note="The variation of ln M is bounded.",
    ),
    keeps_alpha(
        "turning-that-fades",
        "eigenvectors moved for ever by transforms of summable ln(condition) leave the exponent alpha, for .2 <= s <= 1/2",
        domain=drifting(rough_flows, turns_that_fade),
        note="The variation of ln M is bounded.",
    ),
    reading(
        "moved-features",
        "features moved by boundedly invertible transforms until a fixed time leave an exponent of alpha or more",
        domain=drifting(moved, schedules),
        predict=lambda instance: AtLeast(alpha(instance)),
        prediction="exponent >= 2s/(2s + 1/beta), b- = b+ = beta",
        latex=r"\alpha \ge \frac{2s}{2s + 1/\beta}",
        expected="FALSIFIED",
        note="For s > 1/2 a transform that couples one direction with all others lowers the index, as in Theorem 2.",
    ),
    keeps_alpha(
        "moved-features-s-up-to-half",
        "features moved by boundedly invertible transforms, until a fixed time or for ever, leave alpha for .2 <= s <= 1/2",
        domain=drifting(rough_flows, lasting_schedules),
        note="Finitely many transforms of finite rank: what is not yet learnt meets them less and less.",
    ),
    reading(
        "moved-features-last-source",
        "features moved until a fixed time leave alpha or more, with the index of the source condition of the last kernel",
        domain=drifting(moved, schedules),
        predict=relative_to_the_last,
        prediction="exponent >= 2s/(2s + 1/beta), s the index with the last kernel",
        latex=r"\alpha \ge \frac{2s}{2s + 1/\beta}",
        expected="FALSIFIED",
        note="Features that move away and back leave what the flow under the moved ones did not learn.",
    ),
    reading(
        "moved-and-back",
        "after a transform of rank one and back, once or for ever, the exponent is that of min(s, index of its slowest column)",
        hypotheses=(noisy_labels, off_the_column),
        domain=drifting(moved, moved_and_back),
        predict=by_the_column,
        prediction="exponent = 2s'/(2s' + 1/beta), s' = min(s, 1/2 + (2 gamma - 1)/(2 beta))",
        latex=r"\alpha = \frac{2s'}{2s' + 1/\beta},\quad s' = \min\bigl(s, \tfrac12 + \tfrac{2\gamma - 1}{2\beta}\bigr)",
        note="What mathematics gives: a loss for s > 1/2 that no later kernel makes good.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)

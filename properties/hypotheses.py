"""Named hypotheses of claims: predicates of an instance, and the exponent that the paper claims."""

from __future__ import annotations

import math

from verifier.instances import Instance

NEAR_CRITICAL = 0.05
"""Distance from the critical degree below which nothing is claimed."""


def assumption_r(instance: Instance) -> bool:
    """c1 i^-beta <= l_i <= c2 i^-beta for all i, so infinitely many eigenvalues."""
    return instance.spectrum.assumption_r is not None


def source_condition_in_the_ball(instance: Instance) -> bool:
    """f_i = l_i^s g_i in L2 with sum g_i^2 <= R^2 (S-L2)."""
    return instance.target.source == "S-L2"


def noisy_labels(instance: Instance) -> bool:
    """sigma > 0."""
    return instance.sigma > 0.0


def s_at_most_half(instance: Instance) -> bool:
    """s <= 1/2: the target lies between L2 and the RKHS."""
    return instance.s <= 0.5


def commutes_with_the_covariance(instance: Instance) -> bool:
    """T Sigma = Sigma T: the transform is diagonal in the eigenbasis."""
    return instance.transform.commutes


def alpha(instance: Instance) -> float:
    """The paper's exponent 2s / (2s + 1/beta), with the declared s."""
    return 2.0 * instance.s * instance.schedule_power


def degree(instance: Instance) -> float:
    """q of a width m = c n^q; infinite for infinitely many features."""
    return float(getattr(instance.features, "degree", math.inf))


def critical_degree(instance: Instance) -> float:
    """Degree q* from which on m = c n^q random features keep the exponent, for s <= 1 (derived in properties/theorem_5.py):
    1/(2 beta s + 1) for s <= 1/2, 1 - 1/(2s + 1/beta) for s >= 1/2; the larger of the two is the one that counts.
    """
    power = instance.schedule_power
    return max(power / instance.beta, 1.0 - power)


def width_above_the_critical_degree(instance: Instance) -> bool:
    """q >= q* + .05."""
    return degree(instance) >= critical_degree(instance) + NEAR_CRITICAL


def width_away_from_the_critical_degree(instance: Instance) -> bool:
    """|q - q*| >= .05: closer, two powers of n differ by too little for either to lead."""
    return abs(degree(instance) - critical_degree(instance)) >= NEAR_CRITICAL


def s_away_from_half(instance: Instance) -> bool:
    """|s - 1/2| >= .05: at s = 1/2 a logarithm multiplies the bias that comes from the features."""
    return abs(instance.s - 0.5) >= 0.05 - 1e-9


def growth(instance: Instance) -> float:
    """g of H = c n^g heads; zero for a number that is fixed or grows as ln n."""
    return float(getattr(instance.context, "degree", 0.0))


def added_tail(instance: Instance) -> float:
    """Tail index of the heads that a context adds; that of the first one where there are none."""
    added = getattr(instance.context, "added", None)
    return instance.beta if added is None else float(added.beta)


def critical_growth(instance: Instance) -> float:
    """g*, up to which disjoint heads leave the exponent under the best ridge as it is, for s <= 1 (derived in
    properties/corollary_2.py): (1/beta - 1/beta_a)/(2s + 1/beta); negative for heavier tails.
    """
    return (1.0 / instance.beta - 1.0 / added_tail(instance)) * instance.schedule_power


def growth_below_the_critical_one(instance: Instance) -> bool:
    """g <= g* - .05."""
    return growth(instance) <= critical_growth(instance) - NEAR_CRITICAL + 1e-12


def growth_away_from_the_critical_one(instance: Instance) -> bool:
    """|g - g*| >= .05: closer, two powers of n differ by too little for either to lead."""
    return abs(growth(instance) - critical_growth(instance)) >= NEAR_CRITICAL - 1e-12

"""Named hypotheses of claims: predicates of an instance, and the exponent that the paper claims."""

from __future__ import annotations

from verifier.instances import Instance


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
    return 2.0 * instance.s / (2.0 * instance.s + 1.0 / instance.beta)

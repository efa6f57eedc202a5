"""Simulation of a kernel of several heads: at each n the Gaussian regression on the eigenvalues that it has there, with H(n)
rounded to
a whole number of heads.

The leading directions of all heads together are simulated by Bartlett's factors (:mod:`verifier.risk.simulate`); what lies beyond
them enters to first order, as there, through the sums of the equivalent less those of what is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from verifier.instances import CodiagonalHeads, DisjointHeads, Instance, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.multihead import at_whole_heads
from verifier.risk.simulate import Problem, default_directions, target_energies

Array = NDArray[np.float64]


def multihead_directions(instance: Instance, count: int) -> tuple[Array, Array]:
    """The ``count`` largest eigenvalues of all heads together over their weight w, and the target's energies there; ``instance``
    has the same whole number of heads at every n.
    """
    context = instance.context
    assert isinstance(context, DisjointHeads | CodiagonalHeads)
    others = int(context.factor) - 1
    first = eigenvalues(instance.spectrum, count)
    energies = target_energies(instance, first, None)
    if others == 0:
        return first, energies
    if isinstance(context, CodiagonalHeads):
        return first + others * eigenvalues(context.added, count), energies
    each = min(others, count)
    added = np.repeat(eigenvalues(context.added, math.ceil(count / each)), each)
    both = np.concatenate([first, added])
    order = np.argsort(-both, kind="stable")[:count]
    return both[order], np.concatenate([energies, np.zeros_like(added)])[order]


def multihead_problems(
    instance: Instance, pairs: Sequence[tuple[int, float]], directions: int | None = None
) -> list[Problem]:
    """The simulation of an instance of several heads at each (n, lambda); ``directions`` p, by default those of
    :func:`verifier.risk.simulate.default_directions`.
    """
    return [_problem(at_whole_heads(instance, n), n, lam, directions) for n, lam in pairs]


def _problem(instance: Instance, n: int, lam: float, directions: int | None) -> Problem:
    sizes, lams = np.array([float(n)]), np.array([float(lam)])
    engine = equivalent_for(instance, sizes, lams)
    level = engine.effective_ridge(sizes, lams)
    sums = engine.seen(sizes, level)
    kappa = float(level[0])
    ell, f2 = multihead_directions(instance, default_directions(instance, n) if directions is None else directions)
    share = ell / (ell + kappa)
    # In units of the weight of a head, which is all that lambda knows of it.
    ridge = lam / math.exp(float(instance.context.log_weight(n)))
    rest = (
        float(sums.df1[0] - share.sum()),
        float(sums.df2[0] - share @ share),
        float(sums.bias[0] - f2 @ (1.0 - share) ** 2),
    )
    df1, df2, bias = (max(part, 0.0) for part in rest)
    return Problem(
        n=n,
        ell=ell,
        f2=f2,
        sigma2=instance.sigma**2,
        ridge=ridge + kappa * df1 / n,
        kappa=kappa,
        tail_bias=bias,
        tail_df2=df2 / n,
    )

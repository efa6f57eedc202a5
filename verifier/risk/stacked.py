r"""Risks of many replicates at once for n >= p: one stack of p x p matrices, with no Python between the steps.

For small p a replicate costs a few microseconds of arithmetic; what a loop over replicates in Python adds is many
times that. Here sampling, Gram matrices, inverses, sums and controls run over a stack (r, p, p); only LAPACK's
``dlauum``, ``dpotrf`` and ``dpotri`` are called matrix by matrix, in place (p^3 / 3, p^3 / 3 and 2 p^3 / 3
operations). Many ridges on one instance share one eigendecomposition a replicate. Label noise and signs are averaged;
the formulas are those of :mod:`verifier.risk.simulate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from verifier.risk.controls import Control

if TYPE_CHECKING:
    from verifier.risk.simulate import Problem

Array = NDArray[np.float64]

EIGEN_FROM = 6  # ridges of one instance from which one eigendecomposition beats that many inverses
EIGEN_RANGE = 1e-8  # an eigendecomposition is accurate relative to l_1; smaller ridges keep to Cholesky


def stacked_risks(factors: Array, problems: Sequence[Problem], known: Sequence[Control | None]) -> Array:
    """Excess risks, shape (r, len(problems)), of problems that share n and p, n >= p.

    ``factors`` (r, p, p) are the lower triangular A of r replicates, ``known`` the control variates to
    subtract. Raises ValueError where a matrix is singular to double precision.
    """
    n, p = problems[0].n, factors.shape[1]
    diagonal = np.arange(p)
    # LAPACK multiplies an upper factor by its transpose at a third of a product's cost: indices are reversed.
    grams = np.ascontiguousarray(factors[:, ::-1, ::-1].transpose(0, 2, 1))
    for gram in grams:
        lapack.dlauum(gram.T, lower=0, overwrite_c=1)
    grams /= n
    results = np.empty((len(factors), len(problems)))
    for members in _families(problems):
        solve = _by_eigenvectors if len(members) >= EIGEN_FROM else _by_inverses
        results[:, members] = solve(grams, [problems[j] for j in members])
    if any(item is not None for item in known):
        squares = grams * grams
        squares -= 1.0 / n
        squares *= np.tri(p, k=-1)
        squares += squares.transpose(0, 2, 1)
        centred = grams[:, diagonal, diagonal] - 1.0
        for j, item in enumerate(known):
            if item is not None:
                results[:, j] -= item.reversed_values(centred, squares, n)
    return results


def _families(problems: Sequence[Problem]) -> list[list[int]]:
    """Problems that one eigendecomposition serves, together; the others one by one."""
    families: dict[bytes, list[int]] = {}
    for j, item in enumerate(problems):
        alone = item.ridge <= EIGEN_RANGE * float(item.ell[0])
        families.setdefault(b"%d" % j if alone else item.ell.tobytes(), []).append(j)
    return list(families.values())


def _by_inverses(grams: Array, problems: Sequence[Problem]) -> Array:
    """One inverse for each matrix and problem, in the lower triangle of ``grams`` (r, p, p)."""
    diagonal = np.arange(grams.shape[1])
    results = np.empty((len(grams), len(problems)))
    for j, item in enumerate(problems):
        ell, f2, lam = item.ell[::-1], item.f2[::-1], item.ridge
        work = grams.copy()
        work[:, diagonal, diagonal] += lam / ell
        for system in work:
            failed = lapack.dpotrf(system.T, lower=0, clean=0, overwrite_a=1)[1]
            failed = failed or lapack.dpotri(system.T, lower=0, overwrite_c=1)[1]
            if failed:
                raise singular(item)
        trace = work[:, diagonal, diagonal].sum(axis=1)
        np.multiply(work, work, out=work)
        sums = work.sum(axis=1) + work.sum(axis=2) - work[:, diagonal, diagonal]  # row sums from one triangle
        variance = (trace - lam * np.einsum("rp,p->r", sums, 1.0 / ell)) / item.n
        bias = np.einsum("rp,p->r", sums, f2 * (lam / ell) ** 2)
        results[:, j] = item.complete(bias + item.sigma2 * variance, variance)
    return results


def _by_eigenvectors(grams: Array, problems: Sequence[Problem]) -> Array:
    r"""All ridges of one instance from one eigendecomposition :math:`S = V \mathrm{diag}(e) V'` a replicate.

    :math:`\sum_{ij} \theta_i^2 l_j G_{ij}^2 = \sum_{kk'} (V'\mathrm{diag}(\theta^2) V \circ
    V'\mathrm{diag}(l) V)_{kk'} g_k g_{k'}` with :math:`g = 1/(e + \lambda)`. Ridges share the target, except
    where each has its own worst one of a ball.
    """
    ell = problems[0].ell[::-1]
    root = np.sqrt(ell)
    values, vectors = np.linalg.eigh(grams * root[:, None] * root, UPLO="L")
    turned = np.ascontiguousarray(vectors.transpose(0, 2, 1))
    spread = turned @ (ell[:, None] * vectors)
    weights = values * np.einsum("rkk->rk", spread)
    targets: dict[bytes, list[int]] = {}
    for j, item in enumerate(problems):
        targets.setdefault(item.f2.tobytes(), []).append(j)
    results = np.empty((len(grams), len(problems)))
    for members in targets.values():
        joint = (turned @ ((problems[members[0]].f2[::-1] / ell)[:, None] * vectors)) * spread
        ridges = np.array([problems[j].ridge for j in members])
        shrink = 1.0 / (values[:, None, :] + ridges[:, None])
        bias = ridges**2 * np.sum((shrink @ joint) * shrink, axis=2)
        variance = np.sum(weights[:, None, :] * shrink**2, axis=2) / problems[0].n
        for k, j in enumerate(members):
            item = problems[j]
            results[:, j] = item.complete(bias[:, k] + item.sigma2 * variance[:, k], variance[:, k])
    return results


def singular(item: Problem) -> ValueError:
    """The error of a system that doubles cannot resolve."""
    return ValueError(
        f"lam={item.ridge:g} at n={item.n} with {len(item.ell)} directions: the system is singular "
        "in double precision; use a larger ridge or fewer directions"
    )

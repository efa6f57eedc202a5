"""Rotations of all coordinates: decomposed once for a spectrum, kept within bounds, and right where the spectrum is steep."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

import verifier as vf
from verifier.risk import eigenbasis as module
from verifier.risk.eigenbasis import Decomposition, Decompositions, eigenbasis
from verifier.risk.equivalents import equivalent


def turned(p: int, beta: float = 2.0, s: float = 1.0, seed: int = 0, width: float = 10.0) -> vf.Instance:
    transform = vf.FullRotation(low=1.0 / width, high=width, seed=seed)
    return vf.Instance(vf.Truncated(vf.PowerLaw(beta), p), vf.CriticalTarget(s=s), transform=transform)


def decomposition(p: int) -> Decomposition:
    return Decomposition(np.ones(p), np.eye(p))


def by_solving(instance: vf.Instance, kappa: float) -> tuple[float, float]:
    """d1 and bias without a decomposition: the positive matrix M + kappa / l, scaled to a unit diagonal, is well conditioned."""
    p = int(instance.spectrum.size)
    matrix = instance.transform.dense(p)  # type: ignore[attr-defined]
    log_i = np.log(np.arange(1.0, p + 1.0))
    log_l = instance.spectrum.log_eigenvalues(log_i)
    l = np.exp(log_l)
    theta = np.exp(0.5 * instance.target.log_energy(log_i, log_l) + (instance.target.l2_index - 0.5) * log_l)
    whole = matrix.T @ matrix + np.diag(kappa / l)
    scale = 1.0 / np.sqrt(np.diag(whole))
    factor = cho_factor(whole * scale * scale[:, None])
    error = kappa * scale * cho_solve(factor, scale * theta)
    inverse = scale**2 * np.diag(cho_solve(factor, np.eye(p)))
    return p - kappa * float(np.sum(inverse / l)), float(np.sum(error**2 / l))


@pytest.mark.parametrize(("p", "beta"), [(256, 1.2), (512, 3.0), (512, 4.0)])
def test_sums_are_those_of_linear_systems_down_to_the_last_eigenvalue(p: int, beta: float) -> None:
    instance = turned(p, beta)
    last = p**-beta
    for kappa in (1e-1, math.sqrt(last), 0.1 * last, 1e-4 * last):
        sums = equivalent(instance, math.log(kappa)).sums(np.array([kappa]))
        np.testing.assert_allclose((sums.df1[0], sums.bias[0]), by_solving(instance, kappa), rtol=1e-9)


def test_a_spectrum_is_decomposed_once_whatever_target_and_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(module, "_DECOMPOSITIONS", Decompositions(10**7))
    monkeypatch.setattr(module, "_singular", lambda root, old=module._singular: made.append(root.shape[1]) or old(root))
    instance = turned(90, beta=1.777)
    vf.equivalent_risk(instance, n=300)
    vf.equivalent_risk(dataclasses.replace(instance, noise=vf.Noise(0.3)), n=300)
    vf.equivalent_risk(turned(90, beta=1.777, s=0.4), n=300)
    assert made == [90]
    vf.equivalent_risk(turned(90, beta=1.777, seed=1), n=300)
    vf.equivalent_risk(turned(91, beta=1.777), n=300)
    vf.equivalent_risk(turned(90, beta=1.778), n=300)
    assert made == [90, 90, 91, 90]
    # What was made for another target is what this one needs.
    bias = by_solving(turned(90, beta=1.777, s=0.4), 0.01)[1]
    assert eigenbasis(turned(90, beta=1.777, s=0.4), 90).rest(0, 0.01)[2] == pytest.approx(bias, rel=1e-9)


def test_an_ingredient_without_a_digest_is_decomposed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unregistered:
        """A spectrum that nobody could record: l_i = i^-2 on 40 coordinates."""

        size, tail_index, head, period, assumption_r = 40.0, None, 1, None, None

        def log_eigenvalues(self, log_index: np.ndarray) -> np.ndarray:
            return -2.0 * log_index

        def describe(self) -> str:
            return "unregistered"

    monkeypatch.setattr(module, "_DECOMPOSITIONS", Decompositions(10**7))
    known = turned(40)
    unknown = dataclasses.replace(known, spectrum=Unregistered())
    assert module._DECOMPOSITIONS.nbytes == 0
    np.testing.assert_array_equal(eigenbasis(unknown, 40).energies, eigenbasis(known, 40).energies)


def test_no_more_bytes_are_kept_than_allowed_and_the_last_used_stay() -> None:
    each = decomposition(10).nbytes
    assert each == 8 * (10 + 100)
    kept = Decompositions(3 * each)
    for key in "abc":
        kept.keep(key, decomposition(10))
    first = kept.find("a")
    kept.keep("d", decomposition(10))
    assert kept.find("a") is first
    assert kept.find("b") is None
    assert kept.nbytes == 3 * each
    kept.keep("large", decomposition(40))
    assert kept.find("large") is None
    assert kept.nbytes <= 3 * each
    kept.keep("e", decomposition(10))
    assert kept.find("e") is not None

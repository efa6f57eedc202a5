"""Lemma 5: the counterexample with its certificate, and Weyl's bounds on matrices that share no eigenvectors."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from properties.lemma_5 import READINGS, distance, within_epsilon
from verifier.testing import check as check_claim
from verifier.verdicts import proofs
from verifier.verdicts.certificates import certificate_for, check
from verifier.verdicts.falsify import ERROR, Counterexample, falsify
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, OUT_OF_SCOPE, VIOLATED
from verifier.verdicts.proofs import _bounded_by_weyl

CLAIMS = {reading.reading: reading for reading in READINGS}


@pytest.mark.parametrize("rank", [1, 10, 1000])
def test_any_finite_rank_is_a_certified_counterexample(rank: int) -> None:
    claim = CLAIMS["as-stated"]
    instance = vf.Instance(vf.Truncated(vf.PowerLaw(2.0), rank))
    assert distance(instance) == pytest.approx((rank + 1.0) ** -2.0)
    found = assess(claim, instance)
    assert found.verdict == VIOLATED
    certificate = certificate_for(claim, instance, found)
    assert certificate is not None
    assert check(certificate, claim, instance)


def test_perturbations_that_leave_the_tail_alone_are_in_the_domain() -> None:
    raised = vf.Instance(vf.Spiked(2.0, spikes=3, height=1.5))
    assert within_epsilon(raised)
    assert assess(CLAIMS["as-stated"], raised).verdict == CONSISTENT
    far = vf.Instance(vf.Spiked(2.0, spikes=3, height=2.0))
    assert assess(CLAIMS["as-stated"], far).verdict == OUT_OF_SCOPE


def test_the_proofs_conclude_what_is_expected() -> None:
    assert proofs.eigenvalues_above_a_perturbation().holds
    refuted = proofs.eigenvalues_up_to_the_perturbation()
    assert not refuted.holds
    assert any("m = 5: ε = 1/36" in step for step in refuted.steps)
    for proof in (proofs.eigenvalues_above_a_perturbation(), refuted):
        assert all("\n" not in step and "**" not in step for step in proof.steps)
    with pytest.raises(Counterexample):
        check_claim(CLAIMS["up-to-eps"])
    assert check_claim(CLAIMS["above-the-perturbation"]).proof is not None


def test_a_wrong_constant_is_not_proved() -> None:
    import sympy

    t, u = sympy.symbols("t", positive=True), sympy.symbols("u", nonnegative=True)
    assert not _bounded_by_weyl(u - t / 4, u).holds
    assert not _bounded_by_weyl(u, u - t).holds


@pytest.mark.parametrize("beta", [1.2, 2.0, 3.0])
def test_the_bounds_on_matrices(beta: float) -> None:
    generator = np.random.default_rng(0)
    p = 120
    c1, c2 = 0.7, 1.6
    index = np.arange(1.0, p + 1.0)
    for eps in (0.1, 0.01):
        ell = np.sort(generator.uniform(c1, c2, p) * index**-beta)[::-1]
        ell = np.clip(ell, c1 * index**-beta, c2 * index**-beta)
        noise = generator.standard_normal((p, p))
        noise = noise + noise.T
        noise *= eps / np.linalg.norm(noise, 2)
        values = np.linalg.eigvalsh(np.diag(ell) + noise)[::-1]
        reach = index <= (c1 / (2.0 * eps)) ** (1.0 / beta)
        assert np.all(values[reach] >= 0.5 * c1 * index[reach] ** -beta)
        assert np.all(values[reach] <= (c2 + 0.5 * c1) * index[reach] ** -beta)


def test_a_family_that_does_not_refute_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sympy

    # 1/eps is no square of m + 1 any more, so that the listed truncations miss the end of the range.
    monkeypatch.setattr(sympy, "sqrt", lambda value: value)
    with pytest.raises(ValueError, match="neither refute the statement nor prove it"):
        proofs.eigenvalues_up_to_the_perturbation()
    assert falsify(CLAIMS["up-to-eps"]).verdict == ERROR

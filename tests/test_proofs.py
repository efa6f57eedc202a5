import subprocess
import sys

import pytest
import sympy

from verifier.claims import Proof
from verifier.verdicts import proofs
from verifier.verdicts.proofs import _convex, _limit, _monotone, sign_of

s, beta, rho, lam, t = sympy.symbols("s beta rho lambda t", positive=True)
ALPHA = 2 * s / (2 * s + 1 / beta)

PROOFS = [
    proofs.corollary_1_increasing,
    proofs.corollary_1_limit_infinity,
    proofs.corollary_1_limit_one,
    proofs.corollary_1_limit_zero,
    proofs.convexity_for_s_at_least_half,
]


@pytest.mark.parametrize("prove", PROOFS, ids=lambda prove: prove.__name__)
def test_what_is_true_is_proved_with_steps_of_one_line(prove):
    proof = prove()
    assert isinstance(proof, Proof)
    assert proof.holds
    assert proof.text
    assert len(proof.steps) >= 4
    assert all(step and "\n" not in step and "**" not in step for step in proof.steps)


def test_the_increase_is_shown_in_beta_and_in_the_redundancy_index():
    steps = " ".join(proofs.corollary_1_increasing().steps)
    assert "∂α/∂β" in steps
    assert "∂α/∂ρ" in steps


@pytest.mark.parametrize(
    ("wrong", "sign"),
    [
        (1 / (2 * s + 1 / beta) - beta, 1),  # rises, then falls
        (2 * s / (2 * s + beta), 1),  # decreases
        (ALPHA, -1),
        (2 * s / (2 * s + 1), 1),  # constant
        (beta * (1 - s), 1),  # increases for s < 1 only
        (sympy.sin(beta), 1),
    ],
)
def test_a_formula_that_is_not_monotone_is_not_proved_to_be(wrong, sign):
    proof = _monotone(wrong, beta, sign)
    assert not proof.holds
    assert "not shown" in proof.steps[-1]


@pytest.mark.parametrize(
    ("expression", "at", "claimed"),
    [
        (1 / (2 * s + 1 / beta), sympy.oo, sympy.Integer(1)),  # tends to 1/(2s)
        (ALPHA, sympy.oo, sympy.Integer(0)),
        (ALPHA, sympy.Integer(1), 2 * s / (2 * s + 2)),
        (ALPHA, sympy.Integer(0), sympy.Integer(1)),
        (2 * s / (2 * s + beta), sympy.Integer(0), sympy.Integer(0)),
        (beta, sympy.oo, sympy.Integer(1)),
        (sympy.exp(-1 / beta), sympy.oo, sympy.Integer(1)),  # true, but outside what the helper decides
    ],
)
def test_a_wrong_limit_is_not_proved(expression, at, claimed):
    assert not _limit(expression, beta, at, claimed).holds


def test_a_limit_of_another_formula_is_found():
    assert _limit(1 / (2 * s + 1 / beta), beta, sympy.oo, 1 / (2 * s)).holds


@pytest.mark.parametrize(
    "bound",
    [
        rho * lam ** (1 - 2 * t) + lam**-rho,  # s = 1/2 - t
        -(lam ** (1 + 2 * t)) + lam**-rho,
        sympy.Symbol("A", nonnegative=True) * lam**2,  # convex, but not strictly where A = 0
        lam,
        sympy.exp(-lam) + lam**-rho,
        sympy.Symbol("A", real=True) * lam**2 + lam**-rho,
    ],
)
def test_convexity_is_not_shown_where_it_fails_or_has_no_structure(bound):
    proof = _convex(bound, lam)
    assert not proof.holds
    assert "do not show" in proof.steps[-1]


def test_the_second_derivative_is_the_one_that_numbers_give():
    a, b, source, index, at, step = 0.7, 1.3, 0.9, 2.5, 0.4, 1e-4

    def bound(x):
        return a * x ** (2 * source) + b * x ** (-1 / index)

    numeric = (bound(at + step) - 2 * bound(at) + bound(at - step)) / step**2
    big_a, big_b = sympy.symbols("A B", nonnegative=True)
    exact = sympy.diff(big_a * lam ** (1 + 2 * t) + big_b * lam**-rho, lam, 2)
    value = float(exact.subs({big_a: a, big_b: b, t: source - 0.5, rho: 1 / index, lam: at}))
    assert value == pytest.approx(numeric, rel=1e-5)
    # The coefficients that the proof prints are those of this derivative.
    steps = " ".join(proofs.convexity_for_s_at_least_half().steps)
    assert "2·A·t·(2·t + 1): nonnegative" in steps
    assert "B·ρ·(ρ + 1): positive" in steps


def test_signs_by_structure():
    free, weak = sympy.Symbol("x"), sympy.Symbol("y", nonnegative=True)
    assert sign_of(s + beta) == 1
    assert sign_of(weak + 1) == 1
    assert sign_of(weak * s) == 0
    assert sign_of(sympy.Integer(3)) == 1
    assert sign_of(sympy.Integer(0)) == 0
    assert sign_of(sympy.Integer(-1)) is None
    assert sign_of(s - beta) is None
    assert sign_of((s - beta) ** 2 + 1) is None  # positive, but not by its coefficients
    assert sign_of(free**2 + 1) is None
    assert sign_of(1 / s) is None


@pytest.mark.thorough
def test_sympy_is_imported_only_when_a_proof_is_asked_for():
    code = "import sys, verifier.verdicts.proofs; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

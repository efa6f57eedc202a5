r"""Exact arguments on Assumption T1: what is true of sums of kernels and of maps of the inputs, whatever the network.

Each checks in exact arithmetic what its conclusion rests on; where the check fails the proof does not hold, or, for a
counterexample, a ValueError says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.claims import Proof
from verifier.verdicts.proofs import shown, sign_of, sympy_module

if TYPE_CHECKING:
    import sympy

LISTED_WIDTHS = (1, 2, 3)
LISTED_DIMENSIONS = (2, 3, 4)
FUNCTIONS = 2


def the_spectrum_ends() -> Proof:
    """Whether l_i ~ i^-beta for all i holds of the NTK of some network with finitely many parameters; refuted by its rank."""
    sp = sympy_module()
    examples = []
    for parameters in LISTED_WIDTHS:
        # Gradients at P + 1 inputs as rows: a Vandermonde matrix, of the largest rank there is.
        rows = sp.Matrix(parameters + 1, parameters, lambda a, b: sp.Integer(a + 1) ** b)
        kernel = rows * rows.T
        leading = kernel[:parameters, :parameters]
        if kernel.det() != 0 or not leading.det() > 0:
            raise ValueError(f"the kernel of {parameters} parameters has the rank {kernel.rank()}, not {parameters}")
        examples.append(
            f"P = {parameters}: det K = 0 for {parameters + 1} inputs, {leading.det()} for {parameters} of them"
        )
    steps = (
        "K(x, x′) = ⟨∇f(x), ∇f(x′)⟩ with gradients in R^P, so the NTK operator is J*J with J of rank at most P.",
        "Courant, Fischer: λ_i = 0 for i > P, below c·i^(−β) for every c > 0.",
        "In exact arithmetic, with gradients in general position: " + "; ".join(examples) + ".",
    )
    return Proof(
        False,
        "The NTK of a network with P parameters has at most P eigenvalues that are not zero: no power law holds for all i.",
        steps,
    )


def minimum_over_all_parts() -> Proof:
    r"""If A_1, ..., A_m >= 0 have c_k i^-b_k <= l_i(A_k) <= C_k i^-b_k, their sum has tail index b = min b_k."""
    sp = sympy_module()
    parts, i = sp.symbols("m i", positive=True)
    rest = sp.Symbol("q", nonnegative=True)  # j = m (i - 1) + r with r = m - q, 1 <= r <= m
    margin = sp.expand(parts * i - (parts * (i - 1) + (parts - rest)))
    slower, first = sp.Symbol("d", nonnegative=True), sp.Symbol("t", nonnegative=True)
    # i^-b - i^-(b + d) >= 0 is ln(i^d) >= 0; i = e^t.
    decay = sp.expand(sp.expand_log(sp.log(sp.exp(first) ** slower), force=True))
    holds = sign_of(margin) is not None and sign_of(decay) is not None
    steps = (
        "Below: the sum is at least each A_k, so λ_j(ΣA) ≥ λ_j(A_k) ≥ c_k·j^(−b) for the k with b_k = b (Courant, Fischer).",
        "Above: λ_(m(i−1)+1)(ΣA) ≤ Σ_k λ_i(A_k) (Weyl, m − 1 times), for operators in any position to each other.",
        f"With b_k = b + d, d ≥ 0, and i = e^t: ln(i^(−b)/i^(−b_k)) = {shown(decay)} ≥ 0, so that Σ_k λ_i(A_k) ≤ (Σ C_k)·i^(−b).",
        f"j = m(i − 1) + m − q, 0 ≤ q < m, has m·i − j = {shown(margin)} ≥ 0: i ≥ j/m, so λ_j(ΣA) ≤ (Σ C_k)·m^b·j^(−b).",
        "Gradients of disjoint parts of the parameters add up: the NTK is such a sum over all parts.",
    )
    text = "The tail index of a sum of finitely many kernels is the smallest of theirs, whatever their eigenvectors."
    return Proof(holds, text, steps)


def layer_norm_is_bi_lipschitz() -> Proof:
    """Whether LayerNorm is bi-Lipschitz on R^d; refuted by a shift of all coordinates, which it takes away."""
    sp = sympy_module()
    eps, shift = sp.symbols("epsilon b", positive=True)
    for size in LISTED_DIMENSIONS:
        x = sp.Matrix(sp.symbols(f"x1:{size + 1}", real=True))

        def normed(vector: sympy.Matrix, size: int = size) -> sympy.Matrix:
            centred = vector - sp.ones(size, 1) * (sum(vector) / size)
            return centred / sp.sqrt(sum(entry**2 for entry in centred) / size + eps)

        if any(
            sp.simplify(entry) != 0 for entry in (normed(x + shift * sp.ones(size, 1)) - normed(x)).applyfunc(sp.expand)
        ):
            raise ValueError(f"a shift of all {size} coordinates changes LayerNorm: it refutes nothing")
    steps = (
        "LN(x) = (x − m)/√(v + ε), m the mean and v the variance of the coordinates of x.",
        "x + b·1 has the mean m + b and the same centred vector, so LN(x + b·1) = LN(x), although |b·1| = b·√d > 0.",
        f"Checked symbolically for d = {', '.join(map(str, LISTED_DIMENSIONS))}.",
        "So no c > 0 has |LN(x) − LN(x′)| ≥ c·|x − x′| on R^d. On a set that holds no two such points it may: that is what the "
        "assumption asks of the data.",
    )
    return Proof(False, "LayerNorm takes a shift of all coordinates away: it is not bi-Lipschitz on R^d.", steps)


def an_isometry_keeps_the_tail() -> Proof:
    """Whether a kernel composed with a bi-Lipschitz map of the inputs keeps its tail index; refuted by an exchange of two axes."""
    sp = sympy_module()
    t = sp.Symbol("t", real=True)
    functions = [sp.cos(j * sp.pi * t) for j in range(FUNCTIONS + 1)]
    for j, first in enumerate(functions):
        for k, second in enumerate(functions[: j + 1]):
            expected = 0 if j != k else 1 if j == 0 else sp.Rational(1, 2)
            if sp.integrate(first * second, (t, 0, 1)) != expected:
                raise ValueError(f"cos({j} pi t) and cos({k} pi t) do not have the inner product {expected}")
    s = sp.Symbol("s", real=True)
    here, there = sp.Matrix([t, 0]) - sp.Matrix([s, 0]), sp.Matrix([0, t]) - sp.Matrix([0, s])
    if sp.simplify(here.dot(here) - there.dot(there)) != 0:
        raise ValueError("the exchange of two axes changes a distance: it is no isometry")
    steps = (
        "Let k(u, v) = Σ_j j^(−2)·cos(jπu_1)cos(jπv_1) + Σ_j j^(−4)·cos(jπu_2)cos(jπv_2), a kernel on R², j = 1, 2, ...; the "
        "inputs are (t, 0), t uniform on [0, 1].",
        f"1 and √2·cos(jπt) are orthonormal (checked for j ≤ {FUNCTIONS}): the eigenvalues are j^(−2)/2 and, for the constant, "
        "Σ j^(−4). The tail index is 2.",
        "φ(u_1, u_2) = (u_2, u_1) keeps all distances (checked): bi-Lipschitz with both constants one.",
        "k(φ(u), φ(v)) has, on the same inputs, the eigenvalues j^(−4)/2 and Σ j^(−2) for the constant: the tail index is 4.",
        "Theorem 2 is about a linear map of the features, which turns the spectrum by bounded factors; a map of the inputs is "
        "another map of the features.",
    )
    return Proof(False, "An isometry of the inputs can change the tail index of a kernel, here from 2 to 4.", steps)


def maps_onto_the_same_set_keep_the_tail() -> Proof:
    """If the inputs after the map have a density between c > 0 and C with respect to those before, the tail index stays."""
    sp = sympy_module()
    lower = sp.Symbol("c", positive=True)
    weights = sp.symbols("w1:4", nonnegative=True)
    above, squares = sp.symbols("v1:4", nonnegative=True), sp.symbols("h1:4", nonnegative=True)
    margin = sp.expand(
        sum((lower + v) * w * h for v, w, h in zip(above, weights, squares, strict=True))
        - lower * sum(w * h for w, h in zip(weights, squares, strict=True))
    )
    holds = sign_of(margin) is not None
    steps = (
        "The operator of k(φ(·), φ(·)) under the law P of the inputs has the eigenvalues of k under the law φ(P): the change of "
        "variables f ↦ f∘φ keeps inner products.",
        "For any law μ the nonzero eigenvalues of k are those of S_μ = ∫ k_x ⊗ k_x dμ(x) on its RKHS, ⟨h, S_μ h⟩ = ∫ h² dμ.",
        f"With dφ(P)/dP = c + v, v ≥ 0, and weights w: ∫ h² dφ(P) − c·∫ h² dP = {shown(margin)} ≥ 0, and likewise with C from "
        "above: c·S_P ≤ S_φ(P) ≤ C·S_P.",
        "Courant, Fischer: c·λ_i ≤ λ_i(φ) ≤ C·λ_i for all i. The tail index is the same.",
        "A bi-Lipschitz φ of a set in R^d onto itself, |x − y|·a ≤ |φ(x) − φ(y)| ≤ b·|x − y|, has it if P has a density between p "
        "and q there: c = p/(q·b^d), C = q/(p·a^d).",
    )
    text = (
        "A map under which the law of the inputs keeps a density between two positive constants keeps the tail index."
    )
    return Proof(holds, text, steps)

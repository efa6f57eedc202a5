"""Exact proofs: Corollary 1 on alpha = 2s/(2s + 1/beta), and convexity of the bound in lambda for s >= 1/2.

Each proof derives what it concludes: a derivative or limit is taken symbolically, and its sign is decided by
structure, as a quotient of polynomials whose coefficients are all positive in symbols that are positive.
Where the structure does not show the sign the proof does not hold; nothing is sampled. The helpers take the
expression as an argument, so that a wrong formula can be seen to fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier.claims import Proof

if TYPE_CHECKING:
    import sympy


def corollary_1_increasing() -> Proof:
    """alpha increases strictly in beta and decreases strictly in 1/beta, for beta, s > 0."""
    sp = _sympy()
    s, beta, rho = sp.symbols("s beta rho", positive=True)
    in_beta = _monotone(2 * s / (2 * s + 1 / beta), beta, sign=1)
    in_redundancy = _monotone(2 * s / (2 * s + rho), rho, sign=-1)
    return Proof(
        holds=in_beta.holds and in_redundancy.holds,
        text="For all s > 0, alpha = 2s/(2s + 1/beta) increases strictly in beta and decreases in 1/beta.",
        steps=(*in_beta.steps, "Now in the redundancy index ρ = 1/β.", *in_redundancy.steps),
    )


def corollary_1_limit_infinity() -> Proof:
    """alpha -> 1 as beta -> infinity."""
    sp = _sympy()
    s, beta = sp.symbols("s beta", positive=True)
    return _limit(2 * s / (2 * s + 1 / beta), beta, sp.oo, sp.Integer(1))


def corollary_1_limit_one() -> Proof:
    """alpha -> 2s/(2s + 1) as beta decreases to 1."""
    sp = _sympy()
    s, beta = sp.symbols("s beta", positive=True)
    return _limit(2 * s / (2 * s + 1 / beta), beta, sp.Integer(1), 2 * s / (2 * s + 1))


def corollary_1_limit_zero() -> Proof:
    """alpha -> 0 as beta decreases to 0."""
    sp = _sympy()
    s, beta = sp.symbols("s beta", positive=True)
    return _limit(2 * s / (2 * s + 1 / beta), beta, sp.Integer(0), sp.Integer(0))


def convexity_for_s_at_least_half() -> Proof:
    """A lam^(2s) + B lam^(-1/beta) is strictly convex in lam > 0 for s >= 1/2, A >= 0, B > 0."""
    sp = _sympy()
    excess, bias = sp.symbols("t A", nonnegative=True)
    variance, rho, lam = sp.symbols("B rho lambda", positive=True)
    source = sp.Rational(1, 2) + excess
    return _convex(bias * lam ** (2 * source) + variance * lam ** (-rho), lam)


def _sympy() -> Any:
    """Sympy, imported when a proof is asked for: the import takes longer than the proof."""
    import sympy

    return sympy


def _monotone(expression: sympy.Expr, variable: sympy.Symbol, sign: int) -> Proof:
    """Whether sign * d expression / d variable > 0 for all positive values of the symbols."""
    sp = _sympy()
    derivative = sp.factor(sp.diff(expression, variable))
    numerator, denominator = sp.fraction(sp.together(sign * derivative))
    holds = _is_positive(numerator) and _is_positive(denominator)
    word = "increases" if sign > 0 else "decreases"
    quotient = f"{_bracketed(numerator)} / {_bracketed(denominator)}"
    minus = "" if sign > 0 else "−"
    where = _show(variable)
    steps = [
        f"α = {_show(expression)}, with {_symbols(expression)} > 0.",
        f"Differentiate: ∂α/∂{where} = {_show(derivative)}.",
        f"As a quotient of polynomials, {minus}∂α/∂{where} = {quotient}.",
        f"The denominator expands to {_show(sp.expand(denominator))}.",
        f"Every coefficient above and below is positive, so α {word} strictly in {where}."
        if holds
        else f"Not every coefficient is positive, so it is not shown that α {word} in {where}.",
    ]
    return Proof(holds=holds, text=f"alpha {word} strictly in {variable}.", steps=tuple(steps))


def _limit(expression: sympy.Expr, variable: sympy.Symbol, at: sympy.Expr, expected: sympy.Expr) -> Proof:
    """Whether ``expression`` tends to ``expected`` as the variable decreases to ``at`` or goes to infinity.

    Shown twice: by the limit itself, and by the difference, a quotient of polynomials (at infinity in
    1/variable) whose numerator vanishes in the limit while its denominator stays positive.
    """
    sp = _sympy()
    to_infinity = at == sp.oo
    limit = sp.limit(expression, variable, at, "-" if to_infinity else "+")
    difference = sp.factor(sp.together(expression - expected))
    small, large = sp.fraction(difference)
    if to_infinity:
        # With v = 1/variable the limit is taken at v -> 0+, where polynomials are continuous.
        small, large = sp.fraction(sp.together(difference.subs(variable, 1 / variable)))
    point = sp.Integer(0) if to_infinity else at
    small_there, large_there = (sp.simplify(part.subs(variable, point)) for part in (small, large))
    by_limit = sp.simplify(limit - expected) == 0
    continuous = small.is_polynomial(variable) and large.is_polynomial(variable)
    by_difference = continuous and small_there == 0 and _is_positive(large_there)
    where = f"{_show(variable)} → {'∞' if to_infinity else _show(at) + '⁺'}"
    written = f"written in 1/{_show(variable)}, " if to_infinity else ""
    steps = [
        f"α = {_show(expression)}, with {_symbols(expression)} > 0.",
        f"The limit as {where} is {_show(limit)}; claimed is {_show(expected)}.",
        f"The difference is α − {_bracketed(expected)} = {_show(difference)}.",
        f"As {where}, {written}its numerator tends to {_show(small_there)}, its denominator to {_show(large_there)}.",
        "So the difference vanishes in the limit."
        if by_difference
        else "So it is not shown that the difference vanishes.",
    ]
    value = str(expected).replace("*", "")
    text = f"alpha -> {value} as {variable} -> {'infinity' if to_infinity else at}."
    return Proof(holds=bool(by_limit and by_difference), text=text, steps=tuple(steps))


def _convex(expression: sympy.Expr, variable: sympy.Symbol) -> Proof:
    """Whether the second derivative is positive: a sum of powers of the variable with coefficients that are
    polynomials in nonnegative symbols, none with a negative coefficient, one of them strictly positive.
    """
    sp = _sympy()
    second = sp.expand(sp.powsimp(sp.expand(sp.diff(expression, variable, 2))))
    coefficients: dict[Any, Any] = {}
    powers_only = True
    for term in sp.Add.make_args(second):
        coefficient, power = term.as_independent(variable)
        power = sp.powsimp(power)
        base, exponent = power.as_base_exp()
        powers_only = powers_only and (base == variable or power == 1)
        exponent = sp.expand(exponent) if power != 1 else sp.Integer(0)
        coefficients[exponent] = coefficients.get(exponent, 0) + coefficient
    signs = {exponent: _sign(coefficient) for exponent, coefficient in coefficients.items()}
    holds = powers_only and all(sign is not None for sign in signs.values()) and 1 in signs.values()
    steps = [
        f"b(λ) = {_show(expression)}, with s = 1/2 + t, t ≥ 0, A ≥ 0, ρ = 1/β > 0, B > 0, λ > 0.",
        f"Differentiate twice: b''(λ) = {_show(second)}.",
    ]
    words = {1: "positive", 0: "nonnegative", None: "of no definite sign"}
    for exponent, coefficient in sorted(coefficients.items(), key=str):
        steps.append(
            f"The coefficient of {_show(variable**exponent)} is {_show(sp.factor(coefficient))}: "
            f"{words[signs[exponent]]}."
        )
    steps.append(
        "Powers of λ are positive, no coefficient is negative, one is positive: b'' > 0, strict convexity."
        if holds
        else "The signs of the coefficients do not show that b'' > 0."
    )
    text = "A lam^(2s) + B lam^(-1/beta) is strictly convex in lam > 0 if s >= 1/2, A >= 0 and B, beta > 0."
    return Proof(holds=holds, text=text, steps=tuple(steps))


def _is_positive(expression: sympy.Expr) -> bool:
    """Whether an expression is a polynomial that its coefficients show to be positive."""
    return _sign(expression) == 1


def _sign(expression: sympy.Expr) -> int | None:
    """1 for a polynomial shown to be positive, 0 for one shown to be nonnegative, None for any other.

    All symbols must be nonnegative, no coefficient negative; positive needs a monomial in positive symbols.
    """
    sp = _sympy()
    expression = sp.expand(expression)
    symbols = sorted(expression.free_symbols, key=str)
    if not all(symbol.is_nonnegative for symbol in symbols):
        return None
    if not symbols:
        return 1 if expression.is_positive else 0 if expression.is_zero else None
    if not expression.is_polynomial(*symbols):
        return None
    terms = sp.Poly(expression, *symbols).terms()
    if any(not coefficient.is_nonnegative for _, coefficient in terms):
        return None
    strict = any(
        coefficient.is_positive
        and all(symbol.is_positive for symbol, power in zip(symbols, powers, strict=True) if power)
        for powers, coefficient in terms
    )
    return 1 if strict else 0


_LETTERS = {"beta": "β", "rho": "ρ", "lambda": "λ"}


def _show(expression: Any) -> str:
    """An expression on one line of plain text."""
    text = str(expression).replace("**", "^").replace("*", "·")
    for name, letter in _LETTERS.items():
        text = text.replace(name, letter)
    return text.replace("-", "−")


def _bracketed(expression: Any) -> str:
    return _show(expression) if expression.is_Atom else f"({_show(expression)})"


def _symbols(expression: sympy.Expr) -> str:
    return ", ".join(_show(symbol) for symbol in sorted(expression.free_symbols, key=str))

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
    sp = sympy_module()
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
    sp = sympy_module()
    s, beta = sp.symbols("s beta", positive=True)
    return _limit(2 * s / (2 * s + 1 / beta), beta, sp.oo, sp.Integer(1))


def corollary_1_limit_one() -> Proof:
    """alpha -> 2s/(2s + 1) as beta decreases to 1."""
    sp = sympy_module()
    s, beta = sp.symbols("s beta", positive=True)
    return _limit(2 * s / (2 * s + 1 / beta), beta, sp.Integer(1), 2 * s / (2 * s + 1))


def corollary_1_limit_zero() -> Proof:
    """alpha -> 0 as beta decreases to 0."""
    sp = sympy_module()
    s, beta = sp.symbols("s beta", positive=True)
    return _limit(2 * s / (2 * s + 1 / beta), beta, sp.Integer(0), sp.Integer(0))


def convexity_for_s_at_least_half() -> Proof:
    """A lam^(2s) + B lam^(-1/beta) is strictly convex in lam > 0 for s >= 1/2, A >= 0, B > 0."""
    sp = sympy_module()
    excess, bias = sp.symbols("t A", nonnegative=True)
    variance, rho, lam = sp.symbols("B rho lambda", positive=True)
    source = sp.Rational(1, 2) + excess
    return _convex(bias * lam ** (2 * source) + variance * lam ** (-rho), lam)


def eigenvalues_above_a_perturbation() -> Proof:
    r"""If c1 i^-beta <= l_i(K) <= c2 i^-beta and |K_m - K| <= eps, then (c1/2) i^-beta <= l_i(K_m) <= (c2 + c1/2) i^-beta for all
    i <= (c1 / (2 eps))^(1/beta).
    """
    sp = sympy_module()
    c1, power = sp.symbols("c1 t", positive=True)  # t = i^-beta
    excess, slack, margin, spread = sp.symbols("a v u d", nonnegative=True)
    c2, eps = c1 + spread, c1 * power / 2 - margin
    lowest = c1 * power + excess - eps + slack  # l_i(K) = c1 t + a, moved by at least -eps
    highest = c2 * power - excess + eps - slack  # l_i(K) = c2 t - a, moved by at most eps
    return _bounded_by_weyl(lowest - c1 * power / 2, (c2 + c1 / 2) * power - highest)


def _bounded_by_weyl(below: sympy.Expr, above: sympy.Expr) -> Proof:
    """Whether both margins, polynomials in nonnegative symbols, are nonnegative."""
    sp = sympy_module()
    margins = sp.expand(below), sp.expand(above)
    holds = all(sign_of(margin) is not None for margin in margins)
    steps = (
        "Weyl: λ_i(K) = max over subspaces V of dimension i of min ⟨h, Kh⟩ over unit vectors h of V (Courant, Fischer).",
        "For every unit vector |⟨h, K_m h⟩ − ⟨h, Kh⟩| ≤ ‖K_m − K‖ ≤ ε, so max and min move by at most ε: "
        "|λ_i(K_m) − λ_i(K)| ≤ ε.",
        "Write t = i^(−β). i ≤ (c1/(2ε))^(1/β) says ε ≤ c1·t/2, since x^(−β) decreases: ε = c1·t/2 − u, u ≥ 0.",
        f"Below: λ_i(K) = c1·t + a moves by −ε + v with a, v ≥ 0, and λ_i(K_m) − c1·t/2 = {shown(margins[0])}.",
        f"Above, with c2 = c1 + d: λ_i(K) = c2·t − a moves by ε − v, and (c2 + c1/2)·t − λ_i(K_m) = {shown(margins[1])}.",
        "No coefficient is negative: both bounds hold."
        if holds
        else "A coefficient is negative, so it is not shown that both bounds hold.",
    )
    text = "For i <= (c1/(2 eps))^(1/beta), l_i(K_m) lies between (c1/2) i^-beta and (c2 + c1/2) i^-beta."
    return Proof(holds=holds, text=text, steps=steps)


LISTED_RANKS = (1, 2, 5, 100)


def eigenvalues_up_to_the_perturbation() -> Proof:
    """Whether some c > 0 has l_i(K_m) >= c i^-beta for all i <= eps^(-1/beta), whatever K_m with |K_m - K| <= eps; refuted by
    the truncations of K = diag(i^-beta), in exact arithmetic. ValueError where they do not refute it: that would prove nothing.
    """
    sp = sympy_module()
    m, beta = sp.symbols("m beta", positive=True)
    eps = (m + 1) ** (-beta)
    reach = sp.powdenest(eps ** (-1 / beta), force=True)
    at_the_end = sp.simplify(reach - (m + 1)) == 0
    examples = []
    for rank in LISTED_RANKS:
        kept = [sp.Rational(1, i**2) for i in range(1, rank + 1)]
        missing = sp.Rational(1, (rank + 1) ** 2)
        # l_(m+1)(K_m) = 0, the error is the first eigenvalue left out, and 1/eps = (m + 1)^2 exactly.
        fits = missing < min(kept) and sp.sqrt(1 / missing) == rank + 1
        at_the_end = at_the_end and bool(fits)
        examples.append(f"m = {rank}: ε = {missing}, λ_{rank + 1}(K_m) = 0, λ_{rank + 1}(K) = {missing}")
    if not at_the_end:
        raise ValueError(
            f"the truncations of K reach i = {reach}, not m + 1: they neither refute the statement nor prove it"
        )
    steps = (
        "Let K = diag(i^(−β)) and let K_m keep its first m eigenvalues: ‖K_m − K‖ = λ_(m+1)(K) = (m+1)^(−β) = ε.",
        f"Then ε^(−1/β) = {shown(reach)}, so that i = m + 1 satisfies i ≤ ε^(−1/β).",
        "But K_m has rank m: λ_(m+1)(K_m) = 0, below c·(m+1)^(−β) for every c > 0.",
        f"Exactly, for β = 2: {'; '.join(examples)}.",
        "So no c > 0 serves: the statement needs a factor below 1 before ε^(−1/β).",
    )
    text = "Truncations of K attain i = eps^(-1/beta) with the eigenvalue zero: no constant c > 0 serves."
    return Proof(holds=False, text=text, steps=steps)


def sympy_module() -> Any:
    """Sympy, imported when a proof is asked for: the import takes longer than the proof."""
    import sympy

    return sympy


def _monotone(expression: sympy.Expr, variable: sympy.Symbol, sign: int) -> Proof:
    """Whether sign * d expression / d variable > 0 for all positive values of the symbols."""
    sp = sympy_module()
    derivative = sp.factor(sp.diff(expression, variable))
    numerator, denominator = sp.fraction(sp.together(sign * derivative))
    holds = _is_positive(numerator) and _is_positive(denominator)
    word = "increases" if sign > 0 else "decreases"
    quotient = f"{_bracketed(numerator)} / {_bracketed(denominator)}"
    minus = "" if sign > 0 else "−"
    where = shown(variable)
    steps = [
        f"α = {shown(expression)}, with {_symbols(expression)} > 0.",
        f"Differentiate: ∂α/∂{where} = {shown(derivative)}.",
        f"As a quotient of polynomials, {minus}∂α/∂{where} = {quotient}.",
        f"The denominator expands to {shown(sp.expand(denominator))}.",
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
    sp = sympy_module()
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
    where = f"{shown(variable)} → {'∞' if to_infinity else shown(at) + '⁺'}"
    written = f"written in 1/{shown(variable)}, " if to_infinity else ""
    steps = [
        f"α = {shown(expression)}, with {_symbols(expression)} > 0.",
        f"The limit as {where} is {shown(limit)}; claimed is {shown(expected)}.",
        f"The difference is α − {_bracketed(expected)} = {shown(difference)}.",
        f"As {where}, {written}its numerator tends to {shown(small_there)}, its denominator to {shown(large_there)}.",
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
    sp = sympy_module()
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
    signs = {exponent: sign_of(coefficient) for exponent, coefficient in coefficients.items()}
    holds = powers_only and all(sign is not None for sign in signs.values()) and 1 in signs.values()
    steps = [
        f"b(λ) = {shown(expression)}, with s = 1/2 + t, t ≥ 0, A ≥ 0, ρ = 1/β > 0, B > 0, λ > 0.",
        f"Differentiate twice: b''(λ) = {shown(second)}.",
    ]
    words = {1: "positive", 0: "nonnegative", None: "of no definite sign"}
    for exponent, coefficient in sorted(coefficients.items(), key=str):
        steps.append(
            f"The coefficient of {shown(variable**exponent)} is {shown(sp.factor(coefficient))}: "
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
    return sign_of(expression) == 1


def sign_of(expression: sympy.Expr) -> int | None:
    """1 for a polynomial shown to be positive, 0 for one shown to be nonnegative, None for any other.

    All symbols must be nonnegative, no coefficient negative; positive needs a monomial in positive symbols.
    """
    sp = sympy_module()
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


def shown(expression: Any) -> str:
    """An expression on one line of plain text."""
    text = str(expression).replace("**", "^").replace("*", "·")
    for name, letter in _LETTERS.items():
        text = text.replace(name, letter)
    return text.replace("-", "−")


def _bracketed(expression: Any) -> str:
    return shown(expression) if expression.is_Atom else f"({shown(expression)})"


def _symbols(expression: sympy.Expr) -> str:
    return ", ".join(shown(symbol) for symbol in sorted(expression.free_symbols, key=str))

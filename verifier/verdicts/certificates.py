r"""Certificates: violations of bounds proved in interval arithmetic, so that no rounding stands between
claim and verdict.

A certificate belongs to one instance. Where the claim gives its constant, it encloses both sides of the
inequality at one point. Where the claim says "for some constant", it gives a family, a map from C to a point
beyond C, in two parts: the formula with its reason, and the points for a few C. All numbers are balls
(Johansson, Arb, IEEE Trans. Comput. 66, 2017) of :data:`BITS` bits; the doubles of an instance enter as the
binary numbers that they are. What certifies a claim depends on its observable, never on its name.

The lower bound on the variance at the interpolation threshold n = p, for Gaussian inputs: with :math:`M = S
(S + \lambda)^{-2}`, :math:`V = \sigma^2 E\,\mathrm{tr}(\Sigma M)/n \ge \sigma^2 l_p E M_{pp}/n`. Write
:math:`x_p = \sqrt{l_p}\, z` for the last column of X and :math:`g_j` for the p - 1 nonzero eigenvalues of
the Gram matrix of the other columns. As :math:`M = \partial_\lambda [\lambda (S + \lambda)^{-1}]`, the Schur
complement gives

.. math:: M_{pp} \ge \frac{a z_0^2}{(\lambda + a z_0^2 + a T)^2},\quad
          T = \sum_j \frac{\lambda}{g_j + \lambda} z_j^2,\quad a = l_p / n,

with z_0 independent of T. By :math:`\lambda/(g + \lambda) \le \tfrac12 \sqrt{\lambda/g}`, Jensen's
inequality and :math:`(G^{-1})_{jj} = n/(l_j \chi^2_2)`, :math:`E T \le m = \tfrac12 \sqrt{\pi n \lambda/2}
\sum_{j<p} l_j^{-1/2}`, so that :math:`T \le 2m` with probability at least 1/2 (Markov), and

.. math:: V \ge \tfrac12 \sigma^2 F(n\lambda/l_p + 2m), \quad
          F(u) = \varphi(1) \Bigl[\frac{\arctan(1/\sqrt u)}{\sqrt u} - \frac{1}{1 + u}\Bigr]
          = 2 \varphi(1) \int_0^1 \frac{z^2}{(z^2 + u)^2} dz \le E \frac{z^2}{(z^2 + u)^2}.

For p = 1 there is no T, and the factor 1/2 is not needed. F grows as :math:`u^{-1/2}` while
:math:`N(\lambda) \le p`.

The lower bound on the noiseless risk at n = 1: the estimate is a multiple of the one input, so the risk is
at least the squared distance of :math:`(f_i)` from the line through :math:`(l_i z_i)`, which is
:math:`\sum_j f_j^2 (1 - E\,l_j^2 z_j^2/\sum_i l_i^2 z_i^2) \ge f_j^2\, l_i/(l_i + l_j)` for any two indices,
whatever the ridge. With one eigenvalue it is :math:`f^2 E (u/(z^2 + u))^2 \ge \tfrac12 \varphi(1) \sqrt u
f^2`, :math:`u = \lambda/l \le 1`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation, localcontext
from typing import Any

import numpy as np
from flint import arb, ctx

from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent, Prediction, Theta
from verifier.instances import (
    Exponential,
    Finite,
    Instance,
    PowerLaw,
    SingleEigenfunction,
    Spectrum,
    Truncated,
)
from verifier.risk.observables import (
    BiasRatio,
    ConvexityDeficit,
    CountingFunction,
    DimensionAtLastEigenvalue,
    EffectiveDimension,
    RiskRatio,
    VarianceRatio,
)
from verifier.verdicts.judgement import VIOLATED, Judgement

KIND = "interval arithmetic"

BITS = 192
"""Precision of the balls."""

LARGEST = 4096
"""Largest number of eigenvalues that is summed term by term."""

LISTED = 16
"""Largest number of eigenvalues that a certificate writes out; its digest names the rest."""

DIGITS = 16
"""Significant digits of an enclosure, rounded outwards."""

AGREEMENT = Decimal("1e-9")
"""Relative difference between stored and recomputed enclosures that :func:`check` accepts."""

LARGE = ("10", "1000", "1e6")
"""Constants C for which a family that grows without limit is written out."""

SMALL = ("0.1", "0.001", "1e-6")
"""Constants c for which a family that vanishes is written out."""

FARTHEST = 2**24
"""Decades of lambda (or doublings of p) beyond which a family is not looked for."""

_DECIMAL = Context(prec=DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX)


@dataclass(frozen=True)
class Certificate:
    """A violation proved in interval arithmetic.

    kind: the arithmetic. text: two or three sentences for people. data: plain JSON, inputs and enclosures
    ``[lower, upper]`` as decimal strings; for a family, one entry a constant and the formula for all others.
    """

    kind: str
    text: str
    data: dict[str, Any]

    def __post_init__(self) -> None:
        if self.kind != KIND:
            raise ValueError(f"kind={self.kind!r} of a certificate must be {KIND!r}")
        _require_plain(self.data, "data")

    def to_json(self) -> dict[str, Any]:
        """Return ``{"kind": ..., "text": ..., "data": ...}``, sharing nothing with the certificate."""
        return {"kind": self.kind, "text": self.text, "data": copy.deepcopy(self.data)}

    @classmethod
    def from_json(cls, record: object) -> Certificate:
        """Rebuild a certificate from :meth:`to_json`; ValueError names what is missing or not plain JSON."""
        if not isinstance(record, Mapping) or set(record) != {"kind", "text", "data"}:
            raise ValueError(f"a certificate is a JSON object with kind, text and data, got {record!r}")
        text, data = record["text"], record["data"]
        if not isinstance(text, str) or not text:
            raise ValueError(f"text={text!r} of a certificate must be a sentence")
        if not isinstance(data, dict):
            raise ValueError(f"data={data!r} of a certificate must be a JSON object")
        return cls(kind=record["kind"], text=text, data=copy.deepcopy(data))


def _require_plain(value: object, where: str) -> None:
    """Refuse what JSON cannot hold exactly: floats are written as decimal strings."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where} has the key {key!r}; keys must be strings")
            _require_plain(item, f"{where}.{key}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _require_plain(item, f"{where}[{position}]")
    elif not isinstance(value, (str, int)):
        raise ValueError(f"{where}={value!r} must be a string, a whole number, a list or an object")


def certificate_for(claim: Claim, instance: Instance, judgement: Judgement) -> Certificate | None:
    """Prove the violation that a judgement reports; None where it reports none or balls cannot decide it."""
    if judgement.verdict != VIOLATED:
        return None
    return _build(claim, instance, judgement.witness)


def check(certificate: Certificate, claim: Claim, instance: Instance) -> bool:
    """Whether a certificate proves that the instance violates the claim.

    Everything is computed again from the instance, the claim and the witness; stored enclosures must come out
    again to 1e-9, all other entries exactly. The text is for people and is not looked at.
    """
    witness = _stored_witness(certificate.data)
    if witness is None:
        return False
    try:
        again = _build(claim, instance, witness)
    except ValueError:  # the claim predicts nothing for such an instance, so nothing is certified
        return False
    return again is not None and again.kind == certificate.kind and _same(certificate.data, again.data)


def _build(claim: Claim, instance: Instance, witness: Mapping[str, float]) -> Certificate | None:
    certify = _CERTIFIERS.get(type(claim.observable))
    if certify is None or claim.unmet(instance) is not None or not instance.diagonal:
        return None  # exact arithmetic knows diagonal covariances only
    with ctx.workprec(BITS):
        found = certify(claim, instance, claim.predicted(instance), witness)
    if found is None:
        return None
    text, data = found
    return Certificate(KIND, text, {"digest": instance.digest, "bits": BITS, **data})


def _stored_witness(data: Mapping[str, Any]) -> dict[str, float] | None:
    """The witness as doubles, None where an entry is not the shortest decimal of one."""
    stored = data.get("witness", {})
    if not isinstance(stored, dict):
        return None
    witness = {}
    for name, text in stored.items():
        try:
            witness[name] = float(text)
        except (TypeError, ValueError):
            return None
        if repr(witness[name]) != text:
            return None
    return witness


def _same(stored: object, found: object) -> bool:
    """Equality of JSON values; decimals in a list (enclosures, computed inputs) need agree to 1e-9 only."""
    if isinstance(found, dict):
        return (
            isinstance(stored, dict)
            and set(stored) == set(found)
            and all(_same(stored[key], value) for key, value in found.items())
        )
    if isinstance(found, list):
        return (
            isinstance(stored, list)
            and len(stored) == len(found)
            and all(_near(a, b) if isinstance(b, str) else _same(a, b) for a, b in zip(stored, found, strict=True))
        )
    return type(stored) is type(found) and stored == found


def _near(stored: object, found: str) -> bool:
    try:
        a, b = Decimal(stored), Decimal(found)  # type: ignore[arg-type]  # what is not a decimal raises
    except (InvalidOperation, TypeError, ValueError):
        return False
    if not a.is_finite():
        return False
    with localcontext(_DECIMAL):
        return abs(a - b) <= AGREEMENT * max(abs(a), abs(b))


# Balls and their decimals.


def _enclosure(ball: arb, at_most: int | None = None) -> list[str]:
    """Decimals [lower, upper] that enclose a finite ball, rounded outwards at 16 digits.

    ``at_most`` is a bound known by other means, for balls whose radius reaches across it.
    """
    lower, upper = _below(ball.lower()), _negated(_below((-ball).lower()))
    if at_most is not None and Decimal(upper) > at_most:
        upper = str(at_most)
    return [lower, upper]


def _below(point: arb) -> str:
    """Largest convenient decimal that is certainly at most an exact point."""
    candidate = Decimal(point.str(DIGITS, radius=False))
    while not arb(str(candidate)) <= point:
        candidate = candidate.next_minus(context=_DECIMAL)
    return _written(candidate)


def _written(number: Decimal) -> str:
    """A decimal as text, in plain notation where that is not longer than the digits warrant."""
    plain = number.normalize(_DECIMAL)
    return f"{plain:f}" if -5 <= plain.adjusted() < DIGITS else str(plain).lower()


def _negated(text: str) -> str:
    return str(-Decimal(text)) if Decimal(text) == 0 else text[1:] if text.startswith("-") else "-" + text


def _short(ball: arb) -> str:
    """A ball to six digits, for sentences."""
    return _written(Decimal(ball.mid().str(6, radius=False)))


def _power_of_ten(decades: int) -> str:
    return f"1e-{decades}" if decades else "1"


def _first(proven: Callable[[int], bool]) -> int | None:
    """Smallest k >= 0 with ``proven(k)``, for a predicate that stays true; None beyond FARTHEST."""
    high = 1
    while not proven(high):
        high *= 2
        if high > FARTHEST:
            return None
    low = -1 if high == 1 else high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proven(middle) else (middle, high)
    return high


def _ridge_family(exceeds: Callable[[arb], arb], constants: tuple[str, ...], n: int) -> list[dict[str, Any]] | None:
    """For each C the largest power of ten at which the lower bound ``exceeds(lambda)`` is proved above C."""
    family: list[dict[str, Any]] = []
    for constant in constants:
        decades = _first(lambda k, c=constant: bool(exceeds(arb(10) ** -k) > arb(c)))  # type: ignore[misc]
        if decades is None:
            return None
        ratio = exceeds(arb(10) ** -decades)
        family.append(
            {
                "C": constant,
                "lam": _power_of_ten(decades),
                "n": n,
                "ratio_at_least": [_below(ratio.lower())],
            }
        )
    return family


def _family_in_words(family: list[dict[str, Any]]) -> str:
    return ", ".join(f"C = {entry['C']} at lam = {entry['lam']}" for entry in family)


def _constants(prediction: Prediction) -> tuple[str, ...] | None:
    """The constants to exceed: the claimed one, or a few of the family that refutes "for some C"."""
    if not isinstance(prediction, Bound):
        return None
    return (_plain(prediction.value),) if math.isfinite(prediction.value) else LARGE


# Instances as balls.


def _exact(value: float) -> str:
    """The shortest decimal of a double."""
    return repr(float(value))


def _plain(value: float) -> str:
    """A constant as people write it, where that is the same double."""
    return f"{value:.0f}" if value == round(value) else _exact(value)


def _eigenvalue(spectrum: Spectrum, index: int) -> arb:
    """The eigenvalue l_i, from its formula for written-out spectra and power laws, else the double."""
    if isinstance(spectrum, Finite):
        return arb(spectrum.eigenvalues[index - 1])
    if isinstance(spectrum, PowerLaw):
        return arb(spectrum.scale) * arb(index) ** -arb(spectrum.beta)
    if isinstance(spectrum, Truncated):
        beta = arb(spectrum.spectrum.beta)
        return arb(spectrum.spectrum.scale) * arb(index) ** -(1 / beta if spectrum.inverse_index else beta)
    log_eigenvalue = spectrum.log_eigenvalues(np.array([math.log(index)]))
    return arb(float(np.exp(log_eigenvalue)[0]))


def _finite_size(spectrum: Spectrum) -> int | None:
    """Number of eigenvalues of a finite spectrum; that of an exponential one is a numerical cut."""
    if isinstance(spectrum, Exponential) or not math.isfinite(spectrum.size):
        return None
    return int(spectrum.size)


def _summable_size(spectrum: Spectrum) -> int | None:
    """Number of eigenvalues where they can be summed term by term."""
    size = _finite_size(spectrum)
    return size if size is not None and size <= LARGEST else None


def _energies(instance: Instance, indices: list[int]) -> list[float]:
    """The doubles g_i^2, which define the target."""
    log_index = np.log(np.array(indices, dtype=np.float64))
    log_eigenvalue = instance.spectrum.log_eigenvalues(log_index)
    return [float(g) for g in np.exp(instance.target.log_energy(log_index, log_eigenvalue))]


def _support(instance: Instance, reach: int) -> list[int]:
    """Indices up to ``reach`` where the target lives."""
    where = instance.target.support(math.log(reach))
    if where is None:
        return list(range(1, reach + 1))
    indices = {round(math.exp(x)) for x in where if x < math.log(reach + 0.5)}
    return sorted(indices)


def _is_class(instance: Instance) -> bool:
    """Whether the target stands for the worst of a ball, so that each of its eigenfunctions is a member."""
    return bool(getattr(instance.target, "supremum", False))


def _inputs(instance: Instance, indices: list[int]) -> dict[str, Any]:
    """s, sigma and, where they are few, the eigenvalues and g_i^2 at ``indices``."""
    inputs: dict[str, Any] = {"s": _exact(instance.s), "sigma": _exact(instance.sigma)}
    if len(indices) <= LISTED:
        inputs["index"] = list(indices)
        inputs["eigenvalues"] = [_enclosure(_eigenvalue(instance.spectrum, i)) for i in indices]
    return inputs


# Certifiers: (claim, instance, prediction, witness) -> (text, data), None where nothing is proved.

_Found = tuple[str, dict[str, Any]] | None


def _certify_bias(claim: Claim, instance: Instance, prediction: Prediction, witness: Mapping[str, float]) -> _Found:
    r""":math:`\sum_i l_i^{2s'} g_i^2 (\lambda/(l_i + \lambda))^2 > C R^2 \lambda^{2s}` with
    :math:`R^2 = \sum_i g_i^2`.

    Over a ball one member is enough. A target of one eigenfunction needs no finite spectrum.
    """
    at = witness.get("lam", math.nan)
    if not isinstance(prediction, Bound) or math.isinf(prediction.value) or not 0.0 < at < math.inf:
        return None
    spectrum, target = instance.spectrum, instance.target
    lam = arb(at)

    def bias(index: int) -> arb:
        eigenvalue = _eigenvalue(spectrum, index)
        return eigenvalue ** (2 * arb(target.l2_index)) * (lam / (eigenvalue + lam)) ** 2

    if _is_class(instance):
        reach = LARGEST if math.isinf(spectrum.size) else min(int(spectrum.size), LARGEST)
        indices = [max(range(1, reach + 1), key=lambda i: float(bias(i)))]
        energies = [target.norm**2]
    else:
        size = _summable_size(spectrum)
        if size is not None:
            indices = _support(instance, size)
        elif isinstance(target, SingleEigenfunction):
            indices = [target.index]
        else:
            return None
        energies = _energies(instance, indices)
    radius = sum((arb(g) for g in energies), arb(0))
    left = sum((arb(g) * bias(i) for i, g in zip(indices, energies, strict=True)), arb(0))
    right = arb(prediction.value) * radius * lam ** (2 * arb(instance.s))
    if not left > right:
        return None
    listed = {"energies": [_exact(g) for g in energies]} if len(indices) <= LISTED else {}
    constant = "" if prediction.value == 1.0 else f"{prediction.value:g} "
    member = f", of the eigenfunction {indices[0]} as a member of the ball," if _is_class(instance) else ""
    text = (
        f"At lam = {at!r} the bias{member} is {_short(left)}, above the claimed bound "
        f"{constant}R^2 lam^(2s) = {_short(right)}. "
        f"Both sides are enclosed in balls of {BITS} bits, so no rounding can reverse the inequality. "
        "A decimal stands for the binary double nearest to it."
    )
    return text, {
        "inequality": "sum_i l_i^(2s') g_i^2 (lam/(l_i+lam))^2 > C R^2 lam^(2s)",
        "inputs": {
            **_inputs(instance, indices),
            **listed,
            "s'": _exact(target.l2_index),
            "C": _exact(prediction.value),
        },
        "witness": {"lam": _exact(at)},
        "enclosures": {"left": _enclosure(left), "right": _enclosure(right), "R^2": _enclosure(radius)},
    }


def _certify_convexity(
    claim: Claim, instance: Instance, prediction: Prediction, witness: Mapping[str, float]
) -> _Found:
    r""":math:`B'' = 2s(2s-1) R^2 \lambda^{2s-2} + \beta^{-1}(\beta^{-1}+1) \sigma^2 \lambda^{-1/\beta-2}
    < 0`: calculus in one variable, so the number of eigenvalues does not matter.
    """
    at = witness.get("lam", math.nan)
    if not isinstance(prediction, Bound) or math.isinf(prediction.value) or not 0.0 < at < math.inf:
        return None
    lam, s, inverse = arb(at), arb(instance.s), 1 / arb(instance.beta)
    of_bias = 2 * s * (2 * s - 1) * arb(instance.target.norm) ** 2 * lam ** (2 * s - 2)
    of_variance = inverse * (inverse + 1) * arb(instance.sigma) ** 2 * lam ** (-inverse - 2)
    second = of_bias + of_variance
    if not (second < 0 and -of_bias > arb(prediction.value) * of_variance):
        return None
    text = (
        f"At lam = {at!r} the second derivative of R^2 lam^(2s) + sigma^2 lam^(-1/beta) is {_short(second)}: "
        f"the bias term gives {_short(of_bias)}, the variance term {_short(of_variance)}. "
        f"It is enclosed in a ball of {BITS} bits that lies below zero, so the bound is not convex there."
    )
    return text, {
        "inequality": "2s(2s-1) R^2 lam^(2s-2) + (1/beta)(1/beta+1) sigma^2 lam^(-1/beta-2) < 0",
        "inputs": {
            "s": _exact(instance.s),
            "beta": _exact(instance.beta),
            "R": _exact(instance.target.norm),
            "sigma": _exact(instance.sigma),
            "C": _exact(prediction.value),
        },
        "witness": {"lam": _exact(at)},
        "enclosures": {
            "second_derivative": _enclosure(second),
            "bias_term": _enclosure(of_bias),
            "variance_term": _enclosure(of_variance),
        },
    }


def _certify_dimension(
    claim: Claim, instance: Instance, prediction: Prediction, witness: Mapping[str, float]
) -> _Found:
    r"""On p eigenvalues neither N(lambda) nor the counting function exceeds p, so that
    :math:`N(\lambda)\lambda^{1/\beta} < c` from :math:`\lambda = (c/p)^\beta` down, for every c > 0.
    """
    size = _finite_size(instance.spectrum)
    growing = isinstance(prediction, (Theta, Exponent, AtMost)) and prediction.value < 0.0
    if size is None or not growing:
        return None
    power = arb(-prediction.value)
    counts = isinstance(claim.observable, CountingFunction)
    name = "the counting function" if counts else "N(lam)"
    listed = size <= LARGEST
    ends = (1, size) if size > 1 else (1,)
    levels = [_eigenvalue(instance.spectrum, i) for i in (range(1, size + 1) if listed else ends)]
    family: list[dict[str, Any]] = []
    for constant in SMALL:
        # The slack leaves room for the rounding of the enclosures below.
        limit = arb(constant) * (1 - arb(2) ** -20)
        decades = _first(lambda k, c=limit: bool(size * (arb(10) ** -k) ** power < c))  # type: ignore[misc]
        if decades is None:
            return None
        lam = arb(10) ** -decades
        dimension = (_counted if counts else _dimension)(levels, size, lam)
        ratio = dimension * lam**power
        if not ratio < arb(constant):
            return None
        family.append(
            {
                "c": constant,
                "lam": _power_of_ten(decades),
                "dimension": _enclosure(dimension, at_most=size),
                "ratio": _enclosure(ratio),
            }
        )
    beta = -1.0 / prediction.value
    reason = (
        "each of the p eigenvalues counts once at most, so the product is at most p lam^(1/beta)"
        if counts
        else "each of the p terms l_i/(l_i+lam) is below 1, so N(lam) lam^(1/beta) < p lam^(1/beta)"
    )
    points = ", ".join(f"below {entry['c']} at lam = {entry['lam']}" for entry in family)
    noun = "one eigenvalue" if size == 1 else f"{size} eigenvalues"
    text = (
        f"With {noun}, {name} never exceeds {size}: times lam^(1/beta), beta = {beta:.6g}, it is {points}, "
        f"each enclosed in balls of {BITS} bits. "
        "No constant c > 0 bounds the product from below: it is smaller for every lam < (c/p)^beta."
    )
    inputs: dict[str, Any] = {"p": size, "1/beta": _exact(-prediction.value)}
    if size <= LISTED:
        inputs["eigenvalues"] = [_enclosure(level) for level in levels]
    return text, {
        "inequality": f"{'#{i : l_i >= lam}' if counts else 'N(lam)'} lam^(1/beta) < c",
        "inputs": inputs,
        "family": family,
        "general": {"for every": "c > 0", "take": "lam < (c/p)^beta", "because": reason},
    }


def _dimension(levels: list[arb], size: int, lam: arb) -> arb:
    """N(lambda) as a sum, or as what lies between p times the last and p times the first term."""
    terms = [level / (level + lam) for level in levels]
    if len(levels) == size:
        return sum(terms, arb(0))
    return (size * terms[-1]).union(size * terms[0])


def _counted(levels: list[arb], size: int, lam: arb) -> arb:
    """Number of eigenvalues >= lambda, a ball with both counts where a comparison cannot be decided."""
    if len(levels) != size:
        return arb(size) if levels[-1] >= lam else arb(0).union(arb(size))
    surely = sum(bool(level >= lam) for level in levels)
    possibly = sum(not bool(level < lam) for level in levels)
    return arb(surely).union(arb(possibly)) if surely != possibly else arb(surely)


def _certify_last_eigenvalue(
    claim: Claim, instance: Instance, prediction: Prediction, witness: Mapping[str, float]
) -> _Found:
    r"""Under R-alt, :math:`l_i = c\,i^{-1/\beta}`: each of the p terms of :math:`N(l_p)` is at least 1/2, so
    :math:`N(l_p)\, l_p^{1/\beta} \ge \tfrac12 c^{1/\beta} p^{1 - 1/\beta^2}`, unbounded as beta > 1.
    """
    cut, constants = instance.spectrum, _constants(prediction)
    if isinstance(prediction, (Theta, Exponent, AtLeast)) and prediction.value >= 0.0:
        # Each keeps the product below every positive power of p, while it grows as p^(1 - 1/beta^2).
        constants = LARGE
    if not isinstance(cut, Truncated) or not cut.inverse_index or constants is None:
        return None
    inverse, scale = 1 / arb(cut.spectrum.beta), arb(cut.spectrum.scale)

    def closed(doublings: int) -> arb:
        return scale**inverse * arb(2) ** (doublings * (1 - inverse**2)) / 2

    family: list[dict[str, Any]] = []
    for constant in constants:
        doublings = _first(lambda k, c=constant: bool(closed(k) > arb(c)))  # type: ignore[misc]
        if doublings is None:
            return None
        family.append(
            {
                "C": constant,
                "p": f"2^{doublings}",
                "ratio_at_least": [_below(closed(doublings).lower())],
            }
        )
    direct: list[dict[str, Any]] = []
    for doublings in (6, 9, 12):
        size = 2**doublings
        last = scale * arb(size) ** -inverse
        dimension = sum((1 / (1 + (arb(i) / size) ** inverse) for i in range(1, size + 1)), arb(0))
        ratio = dimension * last**inverse
        if not ratio >= closed(doublings):
            return None
        direct.append({"p": f"2^{doublings}", "ratio": _enclosure(ratio)})
    points = ", ".join(f"{entry['C']} at p = {entry['p']}" for entry in family)
    factor = "" if cut.spectrum.scale == 1.0 else "c^(1/beta) "
    law = "i^(-1/beta)" if cut.spectrum.scale == 1.0 else f"c i^(-1/beta), c = {cut.spectrum.scale:g}"
    text = (
        f"With eigenvalues {law}, beta = {cut.spectrum.beta:g}, every term of N(l_p) is at least 1/2, "
        f"so N(l_p) l_p^(1/beta) is at least half of {factor}p^(1-1/beta^2). "
        f"It is proved, in balls of {BITS} bits, to exceed {points}; direct sums for p up to 2^12 agree."
    )
    return text, {
        "inequality": "N(l_p) l_p^(1/beta) >= (1/2) c^(1/beta) p^(1-1/beta^2) > C",
        "inputs": {"beta": _exact(cut.spectrum.beta), "c": _exact(cut.spectrum.scale)},
        "family": family,
        "direct": direct,
        "general": {
            "for every": "C > 0",
            "take": "p > (2 C c^(-1/beta))^(1/(1-1/beta^2))",
            "because": "l_i >= l_p gives l_i/(l_i+l_p) >= 1/2 for each i <= p, and 1 - 1/beta^2 > 0",
        },
    }


def variance_lower_bound(eigenvalues: list[arb], lam: arb) -> arb:
    r"""Lower bound on :math:`V/\sigma^2` at n = p = len(eigenvalues) Gaussian inputs (module docstring).

    :math:`F(\lambda/l)` for p = 1, else
    :math:`\tfrac12 F(n\lambda/l_p + \sqrt{\pi n\lambda/2} \sum_{j<p} l_j^{-1/2})`.
    """
    n = len(eigenvalues)
    u = n * lam / eigenvalues[-1]
    if n == 1:
        return _truncated_mean(u)
    spread = sum((level.rsqrt() for level in eigenvalues[:-1]), arb(0))
    return _truncated_mean(u + (arb.pi() * n * lam / 2).sqrt() * spread) / 2


def _normal_density_at_one() -> arb:
    return arb(-0.5).exp() / (2 * arb.pi()).sqrt()


def _truncated_mean(u: arb) -> arb:
    r""":math:`F(u) = 2\varphi(1) \int_0^1 z^2/(z^2+u)^2 dz`, at most :math:`E z^2/(z^2+u)^2`."""
    root = u.sqrt()
    return _normal_density_at_one() * ((1 / root).atan() / root - 1 / (1 + u))


def _certify_variance(claim: Claim, instance: Instance, prediction: Prediction, witness: Mapping[str, float]) -> _Found:
    r""":math:`V n/(\sigma^2 N(\lambda)) \ge V/\sigma^2` at n = p, as :math:`N(\lambda) \le p`: unbounded."""
    size, constants = _summable_size(instance.spectrum), _constants(prediction)
    # At n = p a small ridge leaves N(lambda) near n: outside readings that demand N(lambda) << n. And without
    # noise both sides of the inequality are zero.
    admits = isinstance(claim.observable, VarianceRatio) and claim.observable.small_samples
    if size is None or constants is None or not admits or instance.sigma == 0.0:
        return None
    levels = [_eigenvalue(instance.spectrum, i) for i in range(1, size + 1)]
    family = _ridge_family(lambda lam: variance_lower_bound(levels, lam), constants, size)
    if family is None:
        return None
    text = (
        f"At n = p = {size}, the interpolation threshold, V n / (sigma^2 N(lam)) is proved in balls of "
        f"{BITS} bits to exceed {_family_in_words(family)}. "
        "N(lam) stays at most p, while the variance grows without limit as lam -> 0."
    )
    return text, {
        "inequality": "V n / (sigma^2 N(lam)) > C at n = p",
        "inputs": _inputs(instance, list(range(1, size + 1))),
        "family": family,
        "general": _threshold_argument(size),
    }


def _threshold_argument(size: int, halved: bool = False) -> dict[str, str]:
    """The family for every C: arctan(u^(-1/2)) >= pi/4 for u <= 1, so F(u) > C if sqrt(u) < 0.19/(C + 0.25).

    ``halved`` where the claimed bound has a bias term, at most as large as the variance term.
    """
    density = "F(u) = phi(1) (arctan(u^(-1/2)) u^(-1/2) - 1/(1+u)) >= phi(1) (pi/4 u^(-1/2) - 1) for u <= 1"
    factor = (1 if size == 1 else 2) * (2 if halved else 1)
    small = f"u < (0.19/({'' if factor == 1 else factor}C + 0.25))^2"
    if size == 1:
        take = f"u = lam/l with {small}"
        because = f"V = sigma^2 E[z^2/(z^2+u)^2] >= sigma^2 F(u), z standard normal with density phi, {density}"
    else:
        take = f"u = n lam/l_p + (pi n lam/2)^(1/2) (sum over j < p of l_j^(-1/2)) with {small}"
        because = f"V >= (1/2) sigma^2 F(u), phi the normal density, {density}"
    if halved:
        take += ", and lam^(2s) <= sigma^2/R^2"
    return {"for every": "C > 0", "take": take, "because": because + "; N(lam)/n <= 1 at n = p"}


def _certify_risk(claim: Claim, instance: Instance, prediction: Prediction, witness: Mapping[str, float]) -> _Found:
    """With noise, on a finite spectrum, the variance at n = p refutes the bound; else the risk at n = 1."""
    constants = _constants(prediction)
    admits = isinstance(claim.observable, RiskRatio) and claim.observable.small_samples
    if constants is None or not admits:
        return None
    if instance.sigma > 0.0:
        return _certify_noisy_risk(instance, constants)
    return _certify_noiseless_risk(instance, constants)


def _certify_noisy_risk(instance: Instance, constants: tuple[str, ...]) -> _Found:
    size = _summable_size(instance.spectrum)
    if size is None:
        return None
    levels = [_eigenvalue(instance.spectrum, i) for i in range(1, size + 1)]
    variance, radius, s = arb(instance.sigma) ** 2, arb(instance.target.norm) ** 2, arb(instance.s)

    def ratio(lam: arb) -> arb:
        # N(lambda)/n <= 1 at n = p.
        return variance * variance_lower_bound(levels, lam) / (radius * lam ** (2 * s) + variance)

    family = _ridge_family(ratio, constants, size)
    if family is None:
        return None
    text = (
        f"At n = p = {size}, the interpolation threshold, risk over R^2 lam^(2s) + sigma^2 N(lam)/n is "
        f"proved in balls of {BITS} bits to exceed {_family_in_words(family)}. "
        "The variance alone grows without limit as lam -> 0, while the bound does not."
    )
    return text, {
        "inequality": "E(n, lam) / (R^2 lam^(2s) + sigma^2 N(lam)/n) > C at n = p",
        "inputs": {**_inputs(instance, list(range(1, size + 1))), "R": _exact(instance.target.norm)},
        "family": family,
        "general": _threshold_argument(size, halved=True),
    }


def _certify_noiseless_risk(instance: Instance, constants: tuple[str, ...]) -> _Found:
    spectrum, target = instance.spectrum, instance.target
    reach = LARGEST if math.isinf(spectrum.size) else min(int(spectrum.size), LARGEST)
    # Any index where the target lives will do; the first has the largest eigenvalue.
    j = 1 if _is_class(instance) else next(iter(_support(instance, reach)), None)
    if j is None or (spectrum.size < 2 and instance.s <= 0.25):
        return None
    energy = target.norm**2 if _is_class(instance) else _energies(instance, [j])[0]
    level, radius = _eigenvalue(spectrum, j), arb(target.norm) ** 2
    coefficient = arb(energy) * level ** (2 * arb(target.l2_index))
    if spectrum.size >= 2:
        indices = [j, 1 if j > 1 else 2]
        other = _eigenvalue(spectrum, indices[1])
        take = "lam^(2s) < f_j^2 l_i / ((l_i+l_j) C R^2)"
        because = (
            "the estimate is a multiple of the one input, so whatever the ridge "
            f"E >= f_j^2 l_i/(l_i+l_j), with j = {j} and i = {indices[1]}"
        )

        def risk(lam: arb) -> arb:
            return coefficient * other / (other + level)
    else:
        indices = [j]
        take = "lam <= l with lam^(2s-1/2) < f^2 phi(1) / (2 l^(1/2) C R^2)"
        because = (
            "E = f^2 E[(u/(z^2+u))^2] >= f^2 phi(1) u^(1/2)/2 for u = lam/l <= 1, "
            "z standard normal with density phi, and 2s > 1/2"
        )

        def risk(lam: arb) -> arb:
            u = lam / level
            return coefficient * _normal_density_at_one() * u.sqrt() / 2 if u <= 1 else arb(0)

    family = _ridge_family(lambda lam: risk(lam) / (radius * lam ** (2 * arb(instance.s))), constants, 1)
    if family is None:
        return None
    text = (
        f"Without noise and at n = 1, risk over R^2 lam^(2s) is proved in balls of {BITS} bits to exceed "
        f"{_family_in_words(family)}. "
        "One input does not determine the target however small the ridge, while the bound vanishes with lam."
    )
    return text, {
        "inequality": "E(1, lam) / (R^2 lam^(2s)) > C",
        "inputs": {
            **_inputs(instance, indices),
            "energies": [_exact(energy)],
            "s'": _exact(target.l2_index),
            "R": _exact(target.norm),
        },
        "family": family,
        "general": {"for every": "C > 0", "take": take, "because": because},
    }


_Certifier = Callable[[Claim, Instance, Prediction, Mapping[str, float]], _Found]

_CERTIFIERS: dict[type, _Certifier] = {
    BiasRatio: _certify_bias,
    ConvexityDeficit: _certify_convexity,
    EffectiveDimension: _certify_dimension,
    CountingFunction: _certify_dimension,
    DimensionAtLastEigenvalue: _certify_last_eigenvalue,
    VarianceRatio: _certify_variance,
    RiskRatio: _certify_risk,
}

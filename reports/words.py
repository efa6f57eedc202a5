"""Numbers, times and formulas as a reader expects them in print.

Records are written for machines: 1.2e-07, 214.6, ``R^2 lam^(2s)``. Here they become 1.2 × 10⁻⁷, 3 min 35 s
and R²λ²ˢ with real superscripts, without changing what they say.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "kappa": "κ", "lam": "λ",
    "eta": "η", "lambda": "λ", "pi": "π", "rho": "ρ", "sigma": "σ", "Sigma": "Σ", "theta": "θ", "inf": "∞",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIGNS = {"<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "sum": "∑"}
# A spelled-out letter, with an index of one character, min, max, eps or none, unless it is part of a name, of a path or of a call;
# a sum only with its index, since it is a word too.
_SYMBOLS = re.compile(
    r"(?<![\w.\\])(?:(?:" + "|".join(_GREEK) + r")(?:(?=_(?:\w|min|max|eps)(?!\w))|(?!\w|\(|\.\w))|sum(?=_\w(?!\w)))"
    r"|<=|>=|!=|(?<=\s)->(?=\s)"
)
# x^2, x^-0.8, x^(2s + 1), l_i: one level of brackets, which is what the records hold.
_RAISED = re.compile(
    r"\^(?:\((?P<up>[^()^]*(?:\([^()]*\)[^()^]*)*)\)|(?P<word>[-−]?\w+(?:\.\d+)?|\*))"
    r"|(?<=(?<!\w)[A-Za-zα-ωΑ-Ω∑])_(?P<down>[A-Za-z0-9α-ω]+)(?!\w)"
)


def number(value: Any) -> float | None:
    """``value`` as a finite float, None for anything else (null, NaN, infinite, a word)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):  # a whole number may be larger than every double
        return None
    return result if math.isfinite(result) else None


def show_number(value: Any, digits: int = 4) -> str:
    """A number for people: 12 345, 0.6667, 1.2 × 10⁻⁷; a dash for null and for what is no number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15:
        return f"{value:,}".replace(",", "\u202f").replace("-", "−")
    result = number(value)
    if result == 0.0:
        return "0"  # a negative zero has no sign worth showing
    if result is None:
        return "—" if not isinstance(value, float) else {True: "not a number"}.get(math.isnan(value), "∞")
    if result != 0 and not 1e-3 <= abs(result) < 1e6:
        mantissa, exponent = f"{result:.{max(digits - 2, 0)}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
        return (power if mantissa == "1" else f"{mantissa} × {power}").replace("-", "−")
    short = f"{result:.{digits}g}"
    # Four digits of 123456 would be 1.235e+05.
    return (f"{result:,.0f}".replace(",", "\u202f") if "e" in short else short).replace("-", "−")


def show_decade(log10: Any) -> str:
    """A number given by its log10, to the nearest power of ten: 10⁷. It may be too large for a float."""
    result = number(log10)
    return "—" if result is None else "10" + str(round(result)).translate(_SUPERSCRIPTS)


def show_index(log10: Any) -> str:
    """An index given by its log10: two digits of it, or a power of ten from a million on."""
    result = number(log10)
    return show_decade(result) if result is None or result >= 6.0 else show_number(10.0**result, 2)


def show_chance(value: Any) -> str:
    """A probability in per cent; never rounded to certainty."""
    chance = number(value)
    if chance is None:
        return "—"
    if 0.9995 <= chance < 1:
        return "> 99.9 %"
    if 0 < chance < 0.0005:
        return "< 0.1 %"
    return f"{100 * chance:.3g} %"


def show_seconds(value: Any) -> str:
    """A duration for people."""
    seconds = number(value)
    if seconds is None:
        return "—"
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def show_date(value: Any) -> str:
    """An ISO time as a date and a time of day; as it stands when it is none."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value or "")
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()


def plain_symbols(value: Any) -> str:
    """Spelled-out symbols as symbols (beta, lam, <= as β, λ, ≤), for text that is read and not typed."""
    return _SYMBOLS.sub(
        lambda match: _GREEK.get(match.group(0)) or _SIGNS[match.group(0)],
        str("" if value is None else value),
    )


def symbols(value: Any) -> Markup:
    """As :func:`plain_symbols`, with powers and indices raised and lowered: R^2 lam^(2s), l_i. Escaped."""
    return _set_in_place(plain_symbols(value))


def _set_in_place(text: str) -> Markup:
    """Powers raised and indices lowered, also within one another. Escaped."""
    pieces: list[Markup] = []
    position = 0
    for match in _RAISED.finditer(text):
        pieces.append(escape(text[position : match.start()]))
        lowered = match.group("down")
        template = Markup("<sup>{}</sup>") if lowered is None else Markup("<sub>{}</sub>")
        inside = _GREEK.get(lowered or "") or lowered or match.group("up") or match.group("word") or ""
        pieces.append(template.format(_set_in_place(re.sub("^-", "−", inside))))
        position = match.end()
    pieces.append(escape(text[position:]))
    return Markup("").join(pieces)

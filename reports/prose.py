"""Plain prose, as the docstring of a module has it, as markup: paragraphs, items, words to stress, formulas."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from reports.mathml import inline_formula
from reports.words import symbols

_BULLET = "* "
_LEAD = re.compile(r"\*([^*]+)\*")
_FORMULA = re.compile(r":math:`([^`]*)`")


def blocks(text: Any) -> list[list[Markup]]:
    """Plain prose, as the docstring of a module has it, in blocks: a paragraph is a list of one, several items are a list.

    Blocks are parted by blank lines; an item begins with an asterisk, a text may open with *a few words* to stress, and a formula
    stands in a role, :math:`x^2`.
    """
    found: list[list[Markup]] = []
    for block in re.split(r"\n\s*\n", str(text or "").strip()):
        items: list[str] = []
        for line in block.splitlines():
            if line.startswith(_BULLET) or not items:
                items.append(line.removeprefix(_BULLET).strip())
            else:
                items[-1] += " " + line.strip()
        if items:
            found.append([_stressed(item) for item in items])
    return found


def _stressed(text: str) -> Markup:
    """Symbols as symbols and formulas as formulas, with the words between asterisks at the start stressed."""
    lead = _LEAD.match(text)
    if lead is None:
        return _with_formulas(text)
    return Markup("<em>{}</em>{}").format(_with_formulas(lead.group(1)), _with_formulas(text[lead.end() :]))


def _with_formulas(text: str) -> Markup:
    words_and_formulas = enumerate(_FORMULA.split(text))  # every second piece stood in a role
    return Markup("").join(inline_formula(piece) if k % 2 else symbols(piece) for k, piece in words_and_formulas)

r"""Statements as mathematics: LaTeX to MathML that is safe to put into a page.

The converter (latex2mathml) is made for trusted input: it copies ``\text{<script>}`` through as markup and
turns ``\href`` into a live attribute. Claim packs are not trusted, so its tree is copied here element by
element: only MathML Core elements, only attributes that lay out, and every text escaped. What cannot be
converted is shown as text: a statement never breaks a page.
"""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape

from reports.words import symbols

_TAGS = frozenset(
    re.findall(
        r"\w+",
        """math menclose merror mfenced mfrac mi mlabeledtr mmultiscripts mn mo mover mpadded mphantom
        mprescripts none mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd
        mtext mtr munder munderover""",
    )
)
_ATTRIBUTES = frozenset(
    re.findall(
        r"\w+",
        """accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form
        height largeop linethickness lspace mathvariant maxsize minsize movablelimits notation rowlines
        rowspacing rspace scriptlevel separator stretchy symmetric voffset width""",
    )
)
_DOLLARS = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)


def statement_markup(latex: str, text: str) -> Markup:
    """The statement as markup: MathML where ``latex`` converts, else ``text``, else the LaTeX source itself.

    ``latex`` is either one display formula or prose with formulas between dollar signs.
    """
    if not latex.strip():
        return Markup('<p class="words">{}</p>').format(symbols(text))
    try:
        if "$" in latex:
            return Markup('<p class="words">{}</p>').format(_prose(latex))
        return Markup('<div class="formula" tabindex="0" role="group" aria-label="statement">{}</div>').format(
            _formula(latex, display="block")
        )
    except Exception:  # the converter fails in many ways, none of which may cost the page
        return Markup('<p class="words">{}</p>').format(symbols(text or latex))


def inline_formula(latex: str) -> Markup:
    """A formula within a sentence, as the LaTeX source with symbols where it does not convert."""
    try:
        return _formula(latex, display="inline")
    except Exception:  # as above
        return symbols(latex)


def _prose(latex: str) -> Markup:
    pieces: list[Markup] = []
    position = 0
    for match in _DOLLARS.finditer(latex):
        pieces.append(escape(latex[position : match.start()]))
        pieces.append(_formula(match.group(1) or match.group(2), display="block" if match.group(1) else "inline"))
        position = match.end()
    pieces.append(escape(latex[position:]))
    return Markup("").join(pieces)


def _formula(latex: str, *, display: str) -> Markup:
    tree = convert_to_element(latex, display=display)
    if any(child.text and child.text.startswith("\\") and len(child.text) > 2 for child in tree.iter()):
        # The converter passes a macro that it does not know through as its name: words read better.
        raise ValueError(f"latex={latex!r} holds a macro that cannot be converted; show the text instead")
    return _copy(tree)


def _copy(element: Element) -> Markup:
    """One element as escaped markup; an element or attribute outside the lists is dropped, its text kept."""
    # latex2mathml writes character references into its texts (&#x003B1;): read them before escaping.
    text = html.unescape(element.text or "").replace("\u2061", "")
    inner = escape(text) + Markup("").join(_copy(child) + escape(html.unescape(child.tail or "")) for child in element)
    if element.tag not in _TAGS:
        return inner
    attributes = Markup("").join(
        Markup(' {}="{}"').format(name, html.unescape(value))
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(element.tag), attributes, inner)

"""Formulas in LaTeX as MathML that is safe to put on a page.

The converter is trusted with nothing: its tree is copied element by element through a list of
what MathML needs, and written by the standard library, which escapes.  (The converter's own text
output is not well-formed where a formula contains ``<``.)
"""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree as ET

from latex2mathml import exceptions
from latex2mathml.converter import Converter

from verification.report.text import clean

MAX_FORMULA = 4_000

_ELEMENT = re.compile(
    "math|mrow|mi|mn|mo|mtext|ms|mspace|mfrac|msqrt|mroot|mstyle|merror|mpadded|mphantom|mfenced|"
    "menclose|msub|msup|msubsup|munder|mover|munderover|mmultiscripts|mprescripts|none|"
    "mtable|mtr|mtd"
)
_ATTRIBUTE = re.compile(
    "accent|accentunder|columnalign|columnspacing|depth|display|displaystyle|fence|form|height|"
    "largeop|linethickness|lspace|mathsize|mathvariant|maxsize|minsize|movablelimits|notation|"
    "rowspacing|rspace|scriptlevel|separator|stretchy|symmetric|voffset|width"
)
_VALUE = re.compile(r"[A-Za-z0-9 .%+-]{0,40}")
_DEFINITION = re.compile(
    r"\\(def|(re)?newcommand|(re)?newenvironment|DeclareMathOperator)(?![a-z])"
)
_BARS = frozenset("|‖")
_PRIMES = frozenset("′″‴")
_LIMITS = frozenset({"sup", "inf", "max", "min", "lim", "lim\u2006sup", "lim\u2006inf"})
_UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}

_FAULTS: tuple[type[Exception], ...] = (
    *(fault for fault in vars(exceptions).values() if isinstance(fault, type)),
    # What the converter raises where it meets unfinished commands: it documents no list.
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)


def to_mathml(latex: str, *, block: bool = False) -> str | None:
    """Return a ``<math>`` element, or None where the formula cannot be typeset.

    Parameters
    ----------
    latex : str
        A formula without dollar signs; definitions of macros are refused, since a few of them
        can describe an output of any size.
    block : bool
        On a line of its own, in display style.
    """
    if len(latex) > MAX_FORMULA or not latex.strip() or _DEFINITION.search(latex):
        return None
    try:
        tree = Converter(display="block" if block else "inline").convert_to_element(clean(latex))
    except _FAULTS:
        return None
    copied = _copy(tree, block=block)
    if copied is None:
        return None
    # The source travels along, for copying and for readers without MathML.
    semantics = ET.Element("semantics")
    semantics.extend(list(copied))
    note = ET.SubElement(semantics, "annotation", encoding="application/x-tex")
    note.text = clean(latex)
    result = ET.Element("math", copied.attrib)
    result.append(semantics)
    return ET.tostring(result, encoding="unicode")


def looks_like_latex(text: str) -> bool:
    """Tell a formula in LaTeX from words: it has a command."""
    return "\\" in text


def _copy(element: ET.Element, *, block: bool) -> ET.Element | None:
    """Return the element with known attributes only, or None where it is not MathML."""
    if not _ELEMENT.fullmatch(element.tag):
        return None
    known = {
        name: value
        for name, value in element.attrib.items()
        if _ATTRIBUTE.fullmatch(name) and _VALUE.fullmatch(value)
    }
    result = ET.Element(element.tag, known)
    # The converter writes some characters as references, to be resolved in its text output.
    result.text = clean(html.unescape(element.text)) if element.text else None
    for child in element:
        copied = _copy(child, block=block)
        if copied is None:
            return None
        result.append(copied)
    _mend(result, block=block)
    return result


def _mend(element: ET.Element, *, block: bool) -> None:
    """Set bars as delimiters, limits below their operator and primes, as LaTeX does."""
    if element.tag == "mo" and element.text in _BARS:
        element.attrib |= {"lspace": "0", "rspace": "0"}
    if block and element.tag in _UNDER and len(element) and element[0].text in _LIMITS:
        element.tag = _UNDER[element.tag]
    if element.tag in ("msup", "msubsup") and element[-1].text in _PRIMES:
        _set_prime(element)


def _set_prime(element: ET.Element) -> None:
    """Put a prime beside its letter: the sign is raised as it is, an exponent would be twice."""
    base, *index, prime = list(element)
    prime.tag, prime.attrib = "mo", {"lspace": "0", "rspace": "0"}
    primed = ET.Element("mrow")
    primed.extend([base, prime])
    element[:] = [primed, *index]
    element.tag = "msub" if index else "mrow"

"""Sentences with a little mathematics in them, such as ``|v_k - w_k| <= q^k |v_0 - w_0|``."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from verification.report.text import clean

_SCRIPT = re.compile(r"([_^])(?:\{((?:[^{}]|\{[^{}]*\})*)\}|([−-]?[^\W_]+))")
_LETTER = re.compile(r"(?<![^\W\d_])([^\W\d_][′'*]*|max|min|sup|inf|lim)$")
_RAISED = re.compile(r"[^\W_][′'*]*$|[)\]}|]$")
_MAX_BARE_INDEX = 3
_MAX_DEPTH = 3


def prose(text: str) -> Markup:
    """Return escaped text in which indices and exponents are set as such.

    An index follows a single letter or an operator such as ``max`` (and is in braces, or at most
    three characters long), an exponent follows a letter, a digit or a closing bracket;
    ``snake_case`` and everything else stays as it is.
    """
    return _set(clean(text), _MAX_DEPTH)


def _set(text: str, depth: int) -> Markup:
    parts: list[Markup] = []
    position = 0
    after_script = False
    for match in _SCRIPT.finditer(text):
        before = text[position : match.start()]
        kind, braced, bare = match.groups()
        attached = after_script and not before
        if kind == "_":
            fits = bool(_LETTER.search(before)) or attached
            fits = fits and (braced is not None or len(bare) <= _MAX_BARE_INDEX)
        else:
            fits = bool(_RAISED.search(before)) or attached
        if not fits or depth == 0:
            # The base of a later script may lie in here: it is looked for in what precedes it.
            parts.append(escape(before + match.group()))
            after_script = False
        else:
            tag = Markup("<sub>{}</sub>") if kind == "_" else Markup("<sup>{}</sup>")
            inner = _set(braced if braced is not None else bare, depth - 1)
            parts += [escape(before), tag.format(inner)]
            after_script = True
        position = match.end()
    parts.append(escape(text[position:]))
    return Markup("").join(parts)

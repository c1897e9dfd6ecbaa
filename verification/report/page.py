"""A page of HTML: no script, no network, nothing outside the file.

Every page has one style sheet, one content policy and one way to turn texts into markup; what it
says is in its template.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from verification.report.digits import end_points, ratio, short
from verification.report.mathml import looks_like_latex, to_mathml
from verification.report.plot import SHEET
from verification.report.prose import prose
from verification.report.text import brief, clean, plural
from verification.verdict import Verdict

_HOME = "verification.report"
_VERDICT_START = re.compile(rf"\b({'|'.join(Verdict)}):\s*")


def page(template: str, **context: object) -> str:
    """Return a page; the same context gives the same page.

    Parameters
    ----------
    template : str
        A file of this package, or ``package/file`` of another one.
    context
        What the template asks for.  ``claim_address`` and ``instance_address`` map a name to where
        it is explained, or None; ``elsewhere`` is said of a claim without an address.
    """
    css = _text(_HOME, "style.css")
    return (
        _environment()
        .get_template(template)
        .render(
            **context,
            by_verdict=_by_verdict,
            css=Markup(css),  # noqa: S704 - our own file
            policy=_policy(css),
            sheet=SHEET,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(
        brief=brief,
        end_points=end_points,
        formula=_formula,
        isolated=_isolated,
        maths=_maths,
        paragraphs=_paragraphs,
        plural=plural,
        prose=prose,
        ratio=ratio,
        short=short,
    )
    return environment


def _template(name: str) -> str:
    package, _, file = name.rpartition("/")
    return _text(package or _HOME, file)


@cache
def _text(package: str, file: str) -> str:
    return resources.files(package).joinpath(file).read_text(encoding="utf-8")


def _policy(css: str) -> str:
    """Return a content policy that allows the page's own style sheet and nothing else."""
    known_by = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{known_by}'; base-uri 'none'; form-action 'none'"


def _finalize(value: object) -> object:
    return clean(value) if type(value) is str else value


def _isolated(name: str) -> Markup | str:
    """Return a name that cannot reorder the text around it, whatever its letters."""
    shown = brief(name)
    return shown if shown.isascii() else Markup("<bdi>{}</bdi>").format(shown)


def _formula(latex: str) -> Markup:
    """Return a displayed formula; one that cannot be typeset is shown as it is written."""
    mathml = to_mathml(latex, block=True)
    # The only text that bypasses escaping: its elements and attributes are from a list.
    return Markup("<code>{}</code>").format(clean(latex)) if mathml is None else Markup(mathml)  # noqa: S704


def _maths(text: str) -> Markup:
    """Return a symbol or a short formula, typeset where it is LaTeX."""
    mathml = to_mathml(text) if looks_like_latex(text) else None
    if mathml is None:
        return Markup("<i>{}</i>").format(prose(text))
    return Markup(mathml)  # noqa: S704 - see `_formula`


def _paragraphs(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", clean(text).strip()) if part]


def _by_verdict(text: str) -> list[tuple[str | None, str]]:
    """Split ``CERTIFIED: this. REFUTED: that.`` by verdict; what stands before has none."""
    before, *rest = _VERDICT_START.split(clean(text))
    parts: list[tuple[str | None, str]] = [(None, before)] if before.strip() else []
    return parts + list(zip(rest[::2], rest[1::2], strict=True))


def in_words(created: str) -> str:
    """Return a moment in ISO 8601 as words; one without a time zone is taken as UTC."""
    moment = datetime.fromisoformat(created)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

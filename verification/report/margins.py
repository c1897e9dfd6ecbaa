"""How near each claim is to failing: left / right of its results on one log axis for all claims."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from math import log10

from verification.report.document import Document
from verification.report.summary import ClaimSummary
from verification.report.text import brief, counterexample_name
from verification.verdict import Verdict

WIDTH, HEIGHT = 176, 20
_LEFT, _RIGHT = 14, 170
_LEAST, _MOST = -6, 1
_LABELLED = {-6: "10⁻⁶", -4: "10⁻⁴", -2: "10⁻²", 0: "1"}


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The results of one claim as marks on the axis, as the data of SVG paths.

    Parameters
    ----------
    marks : str
        One stroke for all results that fall on one pixel.
    worst : str
        The largest ratio, as a diamond.
    text : str
        What is seen, in words.
    """

    marks: str
    worst: str
    text: str


GUIDES = "".join(
    f"M{_LEFT + (power - _LEAST) * (_RIGHT - _LEFT) / (_MOST - _LEAST):.4g} 0v{HEIGHT}"
    for power in _LABELLED
)
"""A line at each labelled power of ten."""

LABELS = tuple(
    (round(_LEFT + (power - _LEAST) * (_RIGHT - _LEFT) / (_MOST - _LEAST)), text)
    for power, text in _LABELLED.items()
)
"""The labels of the axis: where, and what."""


def strip(summary: ClaimSummary) -> Strip | None:
    """Return a claim's strip; None where no result tells a ratio."""
    ratios = [float(result["tightness"]) for result in summary.told]
    if not ratios:
        return None
    at = _place(max(ratios))
    return Strip(
        marks="".join(f"M{place} 5v10" for place in _places(ratios)),
        worst=f"M{at} 5l5 5-5 5-5-5z",
        text=f"left / right in {len(ratios)} results, {min(ratios):.2g} to {max(ratios):.5g}",
    )


def again(result: Document, document: Document) -> str:
    """Return the command that decides a result again.

    A refuted one is replayed from the file that the run has written beside the page, any other one
    is verified by the name of its instance, which the gallery knows.
    """
    digests = {instance["name"]: instance["digest"] for instance in document["instances"]}
    digest = digests.get(result["instance"])
    if result["verdict"] == Verdict.REFUTED and digest is not None:
        name = counterexample_name(result["claim"], None, result["instance"], digest)
        return f"theorems replay counterexamples/{name}"
    seed = document["environment"].get("seed")
    words = ["theorems", "verify", brief(result["instance"]), "--claim", brief(result["claim"])]
    words += ["--seed", str(seed)] if isinstance(seed, int) and seed else []
    return shlex.join(words)


def _places(ratios: Iterable[float]) -> list[int]:
    return sorted({_place(ratio) for ratio in ratios})


def _place(ratio: float) -> int:
    power = min(max(log10(ratio), _LEAST), _MOST) if ratio > 0 else _LEAST
    return round(_LEFT + (power - _LEAST) * (_RIGHT - _LEFT) / (_MOST - _LEAST))

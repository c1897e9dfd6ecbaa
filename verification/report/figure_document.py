"""Figures as the report records them, and read back strictly.

The document's ``figures`` is a list of::

    {"claim": "C4", "drawing": "error-against-width",
     "instances": ["sharp-far-box"],
     "missing": [{"instance": "slow-sum", "reason": "the time budget was spent"}],
     "seconds": 0.12,
     "figure": {"title": ..., "description": ...,
                "x": {"label": "width m", "scale": "log"}, "y": {...},
                "series": [{"name": ..., "kind": "bound", "guarantee": "certified lower bound",
                            "points": [["4", "0.1"], ["8", "0.01", "0.0101"]]}]}}

A point is x and a number, or x and the lower and upper end point of one; decimal texts, end points
rounded outward to 12 digits: a figure is for the eye, the results have the digits.  ``figure`` is
null where no instance gave one; ``missing`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from verification.claim import AnyClaim, Drawing
from verification.decision import Result
from verification.figure import (
    Axis,
    Drawn,
    Figure,
    Guarantee,
    Kind,
    Point,
    Scale,
    Series,
    joined,
)
from verification.report.reading import (
    read_decimal,
    read_double,
    read_list,
    read_text,
)
from verification.strict_json import Node
from verification.verdict import Enclosure

T = TypeVar("T")

MAX_FIGURES = 10_000

_DIGITS = 12
_SECONDS_DECIMALS = 6


def figure_documents(claims: Sequence[AnyClaim], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the entries of a run, in the order of claims, drawings and instances.

    A drawing that is joined becomes one entry, any other one an entry for each instance.
    """
    entries = []
    for claim in claims:
        drawn = [
            (result.instance, item)
            for result in results
            if result.claim == claim.id
            for item in result.drawn
        ]
        for drawing in claim.figures:
            own = [(instance, item) for instance, item in drawn if item.drawing == drawing.name]
            parts = [own] if drawing.joined else [[each] for each in own]
            entries += [_entry(claim.id, drawing, part) for part in parts if part]
    return entries


def _entry(claim: str, drawing: Drawing[Any], drawn: Sequence[tuple[str, Drawn]]) -> dict[str, Any]:
    there = [(name, item.figure) for name, item in drawn if item.figure is not None]
    missing = [(name, item.reason) for name, item in drawn if item.figure is None]
    figure = None
    try:
        if there:
            figure = joined(figure for _, figure in there)
    except ValueError as error:
        missing += [(name, f"cannot be joined: {error}") for name, _ in there]
        there = []
    return {
        "claim": claim,
        "drawing": drawing.name,
        "instances": [name for name, _ in there],
        "missing": [{"instance": name, "reason": reason} for name, reason in missing],
        "seconds": round(sum(item.seconds for _, item in drawn), _SECONDS_DECIMALS),
        "figure": None if figure is None else figure_document(figure),
    }


def figure_document(figure: Figure) -> dict[str, Any]:
    """Return what is recorded of a figure itself."""
    return {
        "title": figure.title,
        "description": figure.description,
        "x": {"label": figure.x.label, "scale": str(figure.x.scale)},
        "y": {"label": figure.y.label, "scale": str(figure.y.scale)},
        "series": [
            {
                "name": series.name,
                "kind": str(series.kind),
                "guarantee": str(series.guarantee),
                "points": [_point(point) for point in series.points],
            }
            for series in figure.series
        ],
    }


def _point(point: Point) -> list[str]:
    rounded = point.y.rounded(_DIGITS)
    ends = (rounded.lower, rounded.upper)
    return [str(end) for end in (point.x, *(ends[:1] if ends[0] == ends[1] else ends))]


def read_figure_entry(node: Node) -> dict[str, Any]:
    """Read one entry; a figure that could not have been drawn is refused."""
    members = node.fields(("claim", "drawing", "instances", "missing", "seconds", "figure"))
    figure = None
    if members["figure"].value is not None:
        figure = figure_document(read_figure(members["figure"]))
    return {
        "claim": read_text(members["claim"]),
        "drawing": read_text(members["drawing"]),
        "instances": read_list(members["instances"], read_text, MAX_FIGURES, "instances"),
        "missing": read_list(members["missing"], _read_missing, MAX_FIGURES, "instances"),
        "seconds": read_double(members["seconds"]),
        "figure": figure,
    }


def _read_missing(node: Node) -> dict[str, str]:
    members = node.fields(("instance", "reason"))
    return {key: read_text(members[key]) for key in ("instance", "reason")}


def read_figure(node: Node) -> Figure:
    """Read a figure from its document.

    Raises
    ------
    InvalidInstance
        With the path of the field, the value and what was expected.
    """
    members = node.fields(("title", "description", "x", "y", "series"))
    x, y = (_read_axis(members[key]) for key in ("x", "y"))
    series = tuple(read_list(members["series"], _read_series, 100, "series"))
    return _made(
        node,
        lambda: Figure(
            title=read_text(members["title"]),
            description=read_text(members["description"]),
            x=x,
            y=y,
            series=series,
        ),
    )


def _read_axis(node: Node) -> Axis:
    members = node.fields(("label", "scale"))
    scale = Scale(members["scale"].choice(tuple(map(str, Scale))))
    return _made(node, lambda: Axis(label=read_text(members["label"]), scale=scale))


def _read_series(node: Node) -> Series:
    members = node.fields(("name", "kind", "guarantee", "points"))
    points = tuple(read_list(members["points"], _read_point, 10_000, "points"))
    kind = Kind(members["kind"].choice(tuple(map(str, Kind))))
    guarantee = Guarantee(members["guarantee"].choice(tuple(map(str, Guarantee))))
    name = read_text(members["name"])
    return _made(node, lambda: Series(name=name, points=points, guarantee=guarantee, kind=kind))


def _read_point(node: Node) -> Point:
    x, *ends = (read_decimal(item) for item in node.elements(least=2, most=3, of="numbers"))
    return _made(node, lambda: Point(x, Enclosure(ends[0], ends[-1])))


def _made(node: Node, make: Callable[[], T]) -> T:
    try:
        return make()
    except ValueError as error:
        node.fail(str(error))

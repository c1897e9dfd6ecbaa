"""Figures laid out on a sheet: paths, ticks, a key and a table, all texts still unescaped.

What is guaranteed of a series is told by its stroke (solid: enclosed; dashed: a bound, with arrows
to where the number lies; dotted: an estimate) and in words; which it is, by colour and shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from math import dist
from typing import Any, TypeAlias

from verification.figure import Guarantee, Kind, Scale
from verification.report.axes import PlottedAxis, plotted_axis
from verification.report.digits import plain, short

WIDTH, HEIGHT = 600, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 586, 30, 292
KEY_WIDTH, KEY_HEIGHT = 36, 16

SHEET = {
    "WIDTH": WIDTH,
    "HEIGHT": HEIGHT,
    "LEFT": LEFT,
    "RIGHT": RIGHT,
    "BOTTOM": BOTTOM,
    "KEY_WIDTH": KEY_WIDTH,
    "KEY_HEIGHT": KEY_HEIGHT,
}
"""The measures of a figure, for the template."""

_LEAST_APART = 16
_LEAST_BAR = 1.5
_ARROW = 9
_STROKES = {
    Guarantee.ENCLOSURE: "enclosed",
    Guarantee.LOWER: "bounded",
    Guarantee.UPPER: "bounded",
    Guarantee.CONFIDENCE: "bounded",
    Guarantee.ESTIMATE: "estimated",
}
_SHAPES = (
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
    "m-3-3h6v6h-6z",
    "m0-4.5l4.5 4.5-4.5 4.5-4.5-4.5z",
    "m0-4l4 7h-8z",
    "m0 4l-4-7h8z",
    "m-4-1.5h2.5v-2.5h3v2.5h2.5v3h-2.5v2.5h-3v-2.5h-2.5z",
)
_COLOURS = "abcdef"

_Place: TypeAlias = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class PlottedSeries:
    """A series as the data of SVG paths; those that it does not have are empty.

    Parameters
    ----------
    name, guarantee : str
    classes : str
        Of its group: the colour and the stroke.
    band, line, bars, arrows, marks : str
        The filled area, the curve, the enclosures' extents, the arrows of a bound, the points.
    key_line, key_arrows, key_marks, key_band : str
        The same for the sample in the key.
    """

    name: str
    guarantee: str
    classes: str
    band: str
    line: str
    bars: str
    arrows: str
    marks: str
    key_band: str
    key_line: str
    key_arrows: str
    key_marks: str


@dataclass(frozen=True, kw_only=True)
class Label:
    """A text at a tick: its coordinate, along the axis, and what it says."""

    at: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure ready for the template.

    Parameters
    ----------
    title, caption : str
        What is seen, and what follows from it.
    summary : str
        The figure in words, for those who do not see it.
    x_label, y_label : str
    x_ticks, y_ticks : tuple of Label
    grid : str
        Path data.
    series : tuple of PlottedSeries
    columns : tuple of str
        Heads of the table, the first one that of x.
    rows : tuple of tuple of str
    """

    title: str
    caption: str
    summary: str
    x_label: str
    y_label: str
    x_ticks: tuple[Label, ...]
    y_ticks: tuple[Label, ...]
    grid: str
    series: tuple[PlottedSeries, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def by_layer(self) -> list[PlottedSeries]:
        """The series from the back to the front: bands, curves, dashed bounds over them."""
        return sorted(self.series, key=lambda series: (not series.band, bool(series.arrows)))


def plot(figure: Mapping[str, Any]) -> Plot:
    """Lay out a recorded figure; see `verification.report.figure_document`."""
    points = [
        [(Decimal(x), Decimal(ends[0]), Decimal(ends[-1])) for x, *ends in series["points"]]
        for series in figure["series"]
    ]
    x_axis = plotted_axis(
        figure["x"]["scale"], (point[0] for own in points for point in own), own_ticks=True
    )
    y_axis = plotted_axis(
        figure["y"]["scale"],
        (
            end
            for series, own in zip(figure["series"], points, strict=True)
            for point in own
            for end in _ends(series["guarantee"], point)
        ),
    )
    series = tuple(
        _series(number, series, own, x_axis, y_axis)
        for number, (series, own) in enumerate(zip(figure["series"], points, strict=True))
    )
    x_ticks = tuple(Label(at=_text(_x(tick.place)), text=tick.text) for tick in x_axis.ticks)
    y_ticks = tuple(Label(at=_text(_y(tick.place)), text=tick.text) for tick in y_axis.ticks)
    return Plot(
        title=figure["title"],
        caption=figure["description"],
        summary=_summary(figure, points),
        x_label=figure["x"]["label"],
        y_label=figure["y"]["label"],
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        grid="".join(f"M{LEFT} {tick.at}H{RIGHT}" for tick in y_ticks)
        + "".join(f"M{tick.at} {TOP}V{BOTTOM}" for tick in x_ticks),
        series=series,
        columns=(figure["x"]["label"], *(series["name"] for series in figure["series"])),
        rows=_rows(figure),
    )


def _ends(guarantee: str, point: tuple[Decimal, Decimal, Decimal]) -> tuple[Decimal, ...]:
    """Return the numbers that are drawn: of a bound, the one end that matters."""
    _, lower, upper = point
    if guarantee == Guarantee.LOWER:
        return (lower,)
    return (upper,) if guarantee == Guarantee.UPPER else (lower, upper)


def _series(
    number: int,
    series: Mapping[str, Any],
    points: Sequence[tuple[Decimal, Decimal, Decimal]],
    x_axis: PlottedAxis,
    y_axis: PlottedAxis,
) -> PlottedSeries:
    guarantee, kind = series["guarantee"], series["kind"]
    lows: list[_Place | None] = []
    highs: list[_Place | None] = []
    middles: list[_Place | None] = []
    for point in points:
        ends = _ends(guarantee, point)
        x = x_axis.place(point[0])
        low, high = y_axis.place(ends[0]), y_axis.place(ends[-1])
        # On a log axis what is certainly not positive has no place at all.
        if (
            x is None
            or low is None
            or high is None
            or (y_axis.scale == Scale.LOG and ends[-1] <= 0)
        ):
            lows, highs, middles = [*lows, None], [*highs, None], [*middles, None]
            continue
        lows.append((_x(x), _y(low)))
        highs.append((_x(x), _y(high)))
        # Of an enclosure that reaches beyond a log axis, no point is more likely than another.
        inside = y_axis.scale == Scale.LINEAR or ends[0] > 0
        middles.append((_x(x), _y((low + high) / 2)) if inside else None)
    seen = [place for place in middles if place is not None]
    shape = _SHAPES[number % len(_SHAPES)]
    middle = (KEY_WIDTH / 2, KEY_HEIGHT / 2)
    across = f"M1 {_text(middle[1])}H{KEY_WIDTH - 1}"
    is_band, is_bound = kind == Kind.BAND, kind == Kind.BOUND
    is_line = kind in (Kind.LINE, Kind.STEPS, Kind.BOUND)
    is_marked = not is_band and not is_bound
    # Enough marks to know a curve by its shape, and not so many that they hide it.
    marked = _spread(seen) if is_line else seen
    up = guarantee == Guarantee.LOWER
    bars = (
        ""
        if is_band
        else "".join(
            f"M{_text(low[0])} {_text(low[1])}V{_text(high[1])}"
            for low, high in zip(lows, highs, strict=True)
            if low is not None and high is not None and low[1] - high[1] > _LEAST_BAR
        )
    )
    return PlottedSeries(
        name=series["name"],
        guarantee=guarantee,
        classes=f"{_COLOURS[number % len(_COLOURS)]} {_STROKES[Guarantee(guarantee)]}",
        band=_area(lows, highs) if is_band else "",
        line=_line(middles, steps=kind == Kind.STEPS) if is_line else "",
        bars=bars,
        arrows="".join(_arrow(place, up=up) for place in marked) if is_bound else "",
        marks="".join(_mark(place, shape) for place in marked) if is_marked else "",
        key_band=f"M1 3H{KEY_WIDTH - 1}V{KEY_HEIGHT - 3}H1z" if is_band else "",
        key_line=across if is_line else "",
        key_arrows=_arrow((middle[0], middle[1] + (3 if up else -3)), up=up) if is_bound else "",
        key_marks=_mark(middle, shape) if is_marked else "",
    )


def _spread(places: Sequence[_Place]) -> list[_Place]:
    """Return places along a curve that are not too near each other, the last one among them."""
    kept: list[_Place] = []
    for place in reversed(places):
        if not kept or dist(kept[-1], place) >= _LEAST_APART:
            kept.append(place)
    return kept[::-1]


def _x(place: float) -> float:
    return LEFT + place * (RIGHT - LEFT)


def _y(place: float) -> float:
    return BOTTOM - place * (BOTTOM - TOP)


def _text(coordinate: float) -> str:
    return f"{coordinate:.1f}".removesuffix(".0")


def _line(places: Sequence[_Place | None], *, steps: bool = False) -> str:
    """Join the places, by steps at those of each next one; it is broken where there is none."""
    path = ""
    for there, run in groupby(places, key=lambda place: place is not None):
        if there:
            known = list(filter(None, run))
            if steps:
                path += f"M{_text(known[0][0])} {_text(known[0][1])}"
                path += "".join(f"H{_text(x)}V{_text(y)}" for x, y in known[1:])
            else:
                path += "M" + "L".join(f"{_text(x)} {_text(y)}" for x, y in known)
    return path


def _area(lows: Sequence[_Place | None], highs: Sequence[_Place | None]) -> str:
    path = ""
    both = zip(lows, highs, strict=True)
    for there, run in groupby(both, key=lambda pair: None not in pair):
        if there:
            low, high = zip(*run, strict=True)
            path += _line([*low, *reversed(high)]) + "z"
    return path


def _mark(place: _Place, shape: str) -> str:
    return f"M{_text(place[0])} {_text(place[1])}{shape}"


def _arrow(place: _Place, *, up: bool) -> str:
    head = "m-3 4l3-4 3 4" if up else "m-3-4l3 4 3-4"
    return f"M{_text(place[0])} {_text(place[1])}v{-_ARROW if up else _ARROW}{head}"


def _summary(
    figure: Mapping[str, Any], points: Sequence[Sequence[tuple[Decimal, Decimal, Decimal]]]
) -> str:
    sentences = [
        (
            f"{figure['y']['label']} ({figure['y']['scale']} axis) against "
            f"{figure['x']['label']} ({figure['x']['scale']} axis)."
        )
    ]
    for series, own in zip(figure["series"], points, strict=True):
        told = f"{series['name']}, {series['guarantee']}"
        if own:
            ends = (own[0],) if len(own) == 1 else (own[0], own[-1])
            told += ": " + " to ".join(f"{_number(p[1:])} at {plain(p[0])}" for p in ends)
        sentences.append(told + ".")
    return " ".join(sentences)


def _number(ends: Sequence[Decimal]) -> str:
    return short({"lower": str(ends[0]), "upper": str(ends[-1])})


def _rows(figure: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the table: a row for each x, a cell for each series, empty where it has no point."""
    columns = []
    for series in figure["series"]:
        cells: dict[Decimal, list[str]] = {}
        for x, *ends in series["points"]:
            cells.setdefault(Decimal(x), []).append(_number([Decimal(end) for end in ends]))
        columns.append(cells)
    xs = sorted({x for cells in columns for x in cells})
    return tuple((plain(x), *("; ".join(cells.get(x, ())) for cells in columns)) for x in xs)

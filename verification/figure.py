"""Figures as data: axes and series of points with enclosures, and what is guaranteed of them.

A claim says with `verification.claim.Drawing` how a figure is computed.  It is computed when the
claim is decided, recorded in ``report.json``, and drawn from there by the report; nothing here
knows of pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import isfinite
from typing import TypeAlias

from verification.enclosure.balls import Ball, Between, enclosure
from verification.verdict import Enclosure

DOES_NOT_APPLY = "the claim does not apply"
"""Why a figure is missing that no one need miss."""

MAX_SERIES = 10
MAX_POINTS = 400
MAX_LABEL = 120
MAX_DESCRIPTION = 2_000
MAX_EXPONENT = 10**6

Coordinate: TypeAlias = int | float | Fraction | Decimal
Value: TypeAlias = Coordinate | Ball | Between | Enclosure


class Scale(StrEnum):
    """How numbers are spread along an axis."""

    LINEAR = "linear"
    LOG = "log"


class Kind(StrEnum):
    """How a series is drawn.

    ``LINE`` joins the points, ``DOTS`` does not; ``BAND`` fills the space between lower and upper
    end points; ``BOUND`` joins them and points with arrows to where the number lies.  ``STEPS`` is
    for a number that stays as it is from one point to the next.
    """

    LINE = "line"
    STEPS = "steps"
    DOTS = "dots"
    BAND = "band"
    BOUND = "bound"


class Guarantee(StrEnum):
    """What is known of the numbers of a series; the report tells them apart by stroke and word.

    Of a lower bound the lower end point is drawn, of an upper bound the upper one.
    """

    ENCLOSURE = "certified enclosure"
    LOWER = "certified lower bound"
    UPPER = "certified upper bound"
    CONFIDENCE = "confidence limits"
    ESTIMATE = "estimate"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis: what it shows, in words and with its unit where there is one."""

    label: str
    scale: Scale = Scale.LINEAR

    def __post_init__(self) -> None:
        _check_text("label of an axis", self.label, MAX_LABEL)


@dataclass(frozen=True)
class Point:
    """A place on the x axis, and a number that lies between two end points."""

    x: Decimal
    y: Enclosure

    def __post_init__(self) -> None:
        ends = (self.x, self.y.lower, self.y.upper)
        if not self.x.is_finite():
            raise ValueError(f"a point at x = {self.x}, expected a finite number")
        if any(end.is_finite() and end and abs(end.adjusted()) > MAX_EXPONENT for end in ends):
            raise ValueError(f"a point beyond 10^±{MAX_EXPONENT}")


@dataclass(frozen=True, kw_only=True)
class Series:
    """A family of numbers along the x axis; see `Series.of`.

    Parameters
    ----------
    name : str
        For the legend, such as ``best witness``.
    points : tuple of Point
        At most `MAX_POINTS`, in the order of x.
    guarantee : Guarantee
    kind : Kind
    """

    name: str
    points: tuple[Point, ...]
    guarantee: Guarantee
    kind: Kind = Kind.LINE

    def __post_init__(self) -> None:
        _check_text("name of a series", self.name, MAX_LABEL)
        if len(self.points) > MAX_POINTS:
            raise ValueError(f"{len(self.points)} points in {self.name!r}, at most {MAX_POINTS}")
        if self.kind is Kind.BOUND and self.guarantee not in (Guarantee.LOWER, Guarantee.UPPER):
            raise ValueError(f"{self.name!r} is drawn as a bound, and is no bound")
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.x)))

    @staticmethod
    def of(
        name: str,
        points: Iterable[tuple[Coordinate, Value]],
        *,
        guarantee: Guarantee,
        kind: Kind = Kind.LINE,
    ) -> Series:
        """Make a series of whatever numbers there are.

        Parameters
        ----------
        name, guarantee, kind
            As of the class.
        points : iterable of (x, y)
            x is an integer, a double, a rational or a decimal; y may also be a ball, a `Between` or
            an `Enclosure`.  A double of an estimate is taken as its shortest decimal, any other one
            exactly.

        Raises
        ------
        ValueError
            For an x that is not finite, a y that is NaN, and too many points.
        """
        return Series(
            name=name,
            points=tuple(Point(_coordinate(x), _value(y, guarantee)) for x, y in points),
            guarantee=guarantee,
            kind=kind,
        )


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Series over common axes.

    Parameters
    ----------
    title : str
        Says what is seen, in a line.
    description : str
        What follows from it, what is certified and what is not, in a few sentences.
    x, y : Axis
    series : tuple of Series
        With distinct names, at least one point among them, at most `MAX_SERIES`.
    """

    title: str
    description: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        _check_text("title", self.title, MAX_LABEL)
        _check_text("description", self.description, MAX_DESCRIPTION)
        names = [series.name for series in self.series]
        if len(set(names)) < len(names):
            raise ValueError(f"two series of one name in {self.title!r}")
        if len(names) > MAX_SERIES:
            raise ValueError(f"{len(names)} series in {self.title!r}, at most {MAX_SERIES}")
        points = [point for series in self.series for point in series.points]
        if not points:
            raise ValueError(f"no point in {self.title!r}")
        if self.x.scale is Scale.LOG and any(point.x <= 0 for point in points):
            raise ValueError(f"x is not positive on the log axis of {self.title!r}")


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What became of one drawing on one instance.

    Parameters
    ----------
    drawing : str
        Its name within the claim.
    figure : Figure or None
    reason : str
        Why there is no figure.
    seconds : float
    """

    drawing: str
    figure: Figure | None
    reason: str = ""
    seconds: float = 0.0


def joined(figures: Iterable[Figure]) -> Figure:
    """Return one figure with the points of all: series of one name become one series.

    A point that several of them have is there once.  Title, description and axes are those of the
    first one.

    Raises
    ------
    ValueError
        Where the axes differ, or two series of one name differ in kind or guarantee.
    """
    first, *others = figures
    series = {each.name: each for each in first.series}
    for other in others:
        if (other.x, other.y) != (first.x, first.y):
            raise ValueError(f"the axes of {other.title!r} are not those of {first.title!r}")
        for each in other.series:
            known = series.setdefault(each.name, each)
            if (known.kind, known.guarantee) != (each.kind, each.guarantee):
                raise ValueError(f"two series {each.name!r} differ in kind or guarantee")
            if known is not each:
                series[each.name] = Series(
                    name=each.name,
                    points=tuple(dict.fromkeys(known.points + each.points)),
                    guarantee=each.guarantee,
                    kind=each.kind,
                )
    return Figure(
        title=first.title,
        description=first.description,
        x=first.x,
        y=first.y,
        series=tuple(series.values()),
    )


def _check_text(what: str, text: str, most: int) -> None:
    if not text.strip() or len(text) > most:
        raise ValueError(f"the {what} has {len(text)} characters, expected 1 to {most}")


def _coordinate(x: Coordinate) -> Decimal:
    if isinstance(x, Decimal):
        return x
    if isinstance(x, Fraction):
        # A place on paper: 30 digits are more than it needs.
        return Enclosure.of_fraction(x).lower
    return Decimal(repr(float(x)) if isinstance(x, float) else int(x))


def _value(y: Value, guarantee: Guarantee) -> Enclosure:
    if isinstance(y, Enclosure):
        return y
    if isinstance(y, (Ball, Between, Fraction)):
        return enclosure(y)
    if isinstance(y, float) and guarantee is Guarantee.ESTIMATE and isfinite(y):
        exact = Decimal(repr(float(y)))
    else:
        exact = y if isinstance(y, Decimal) else Decimal(y)
    return Enclosure(exact, exact)

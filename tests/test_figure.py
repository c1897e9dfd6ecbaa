"""Figures refuse what cannot be drawn, keep enclosures, and join series of one name."""

import math
import pickle
from decimal import Decimal
from fractions import Fraction

import pytest

from verification.enclosure.balls import Between, ball, precision
from verification.figure import (
    MAX_POINTS,
    MAX_SERIES,
    Axis,
    Figure,
    Guarantee,
    Kind,
    Point,
    Scale,
    Series,
    joined,
)
from verification.verdict import Enclosure

WIDTH = Axis(label="width", scale=Scale.LOG)
ERROR = Axis(label="error", scale=Scale.LOG)


def series(name="error", points=((1, 1), (2, 0.5)), **more):
    return Series.of(name, points, **({"guarantee": Guarantee.ENCLOSURE} | more))


def figure(*parts, **changes):
    fields = {"title": "Errors", "description": "They fall.", "x": WIDTH, "y": ERROR}
    return Figure(**(fields | {"series": parts} | changes))


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (3, Fraction(3)),
        (0.1, Fraction(0.1)),
        (Decimal("0.1"), Fraction(1, 10)),
        (Fraction(1, 3), Fraction(1, 3)),
    ],
)
def test_numbers_of_all_sorts_are_enclosed(value, truth):
    with precision(64):
        (point,) = series(points=[(1, value)]).points
    assert point.y.contains(truth)
    assert point.y.width_upper() <= Decimal("1e-20")


def test_balls_and_pairs_of_balls_keep_their_end_points():
    with precision(64):
        root = ball(2).sqrt()
        one, pair = series(points=[(1, root), (2, Between(ball(1), root))]).points
    assert one.y.lower < Decimal(2).sqrt() < one.y.upper
    assert one.y.width_upper() < Decimal("1e-15")
    assert pair.y.lower == 1
    assert pair.y.upper == one.y.upper


def test_an_estimate_is_the_decimal_that_the_double_shows():
    (point,) = series(points=[(0.3, 0.1)], guarantee=Guarantee.ESTIMATE).points
    assert (point.x, point.y.lower) == (Decimal("0.3"), Decimal("0.1"))


def test_points_stand_in_the_order_of_x():
    assert [point.x for point in series(points=[(3, 1), (1, 2), (2, 3)]).points] == [1, 2, 3]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: series(points=[(math.inf, 1)]), "x = Infinity"),
        (lambda: series(points=[(1, math.nan)]), "not an interval"),
        (lambda: series(points=[(1, Decimal("1e9999999"))]), "beyond"),
        (lambda: series(points=[(k, 1) for k in range(MAX_POINTS + 1)]), "at most"),
        (lambda: series(kind=Kind.BOUND), "no bound"),
        (lambda: series(name=" "), "name of a series"),
        (lambda: Axis(label=""), "label of an axis"),
        (lambda: figure(series(), series()), "two series of one name"),
        (lambda: figure(*(series(str(k)) for k in range(MAX_SERIES + 1))), "at most"),
        (figure, "no point"),
        (lambda: figure(series(points=())), "no point"),
        (lambda: figure(series(points=[(0, 1)])), "not positive"),
        (lambda: figure(series(), title="x" * 500), "title"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, problem):
    with pytest.raises(ValueError, match=problem):
        make()


def test_an_unbounded_enclosure_is_no_fault():
    unbounded = Enclosure(Decimal(0), Decimal("Infinity"))
    assert Point(Decimal(1), unbounded).y is unbounded


def test_series_of_one_name_are_joined():
    one = figure(series(points=[(4, 1)]), series("bound", [(4, 2)]))
    other = figure(series(points=[(2, 3)]), series("more", [(2, 5)]), title="Other")
    together = joined([one, other])
    assert together.title == "Errors"
    assert {s.name: [int(p.x) for p in s.points] for s in together.series} == {
        "error": [2, 4],
        "bound": [4],
        "more": [2],
    }
    assert joined([one]) == one
    assert joined([one, one]) == one


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (figure(series(), x=Axis(label="depth", scale=Scale.LOG)), "axes"),
        (figure(series(guarantee=Guarantee.LOWER)), "differ"),
        (figure(series(kind=Kind.DOTS)), "differ"),
    ],
)
def test_what_does_not_fit_is_not_joined(other, problem):
    with pytest.raises(ValueError, match=problem):
        joined([figure(series()), other])


def test_a_figure_travels_between_processes():
    whole = figure(series())
    assert pickle.loads(pickle.dumps(whole)) == whole

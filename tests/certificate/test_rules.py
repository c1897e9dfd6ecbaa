"""Rules for means over several independent weights, against closed forms."""

from __future__ import annotations

import json
from fractions import Fraction

import mpmath
import pytest
from certificates import instance_named

from verification import Instance
from verification.certificate import witnesses
from verification.certificate.check import reading
from verification.certificate.check.instances import Term, read_instance
from verification.certificate.check.numbers.balls import (
    around,
    ball,
    bounds,
    precision,
    total,
)
from verification.certificate.check.outcome import Budget, Refused, Unsupported
from verification.certificate.check.recurrent import rules
from verification.certificate.check.recurrent.activations import curve, strip_constant
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.rules import sum_rule, uniform_rule
from verification.errors import NotEnclosed

MEMORY = Fraction(3, 8)
TANH = (Term(Fraction(1), Fraction(1), Fraction(0), "tanh"),)


def uniform_in(lows, highs, points):
    """Return the document of an instance whose W is uniform in several directions."""
    document = instance_named("markov-onegin").to_json()
    document["activation"] = {"kind": "sin"}
    document["chain"]["inputs"] = points
    document["law"]["W"] = {"kind": "uniform", "low": lows, "high": highs}
    document["law"]["B"] = {"kind": "uniform", "low": "0", "high": "0.5"}
    return document


def read(document):
    return read_instance(reading.parse(json.dumps(document)), Budget())


def mean_of_sine(lows, highs, point, shift, order):
    """Return ``E sin(W.x + v)``, or a derivative in v, in closed form: by mpmath."""
    centre, factor = mpmath.mpf(shift) + order * mpmath.pi / 2, mpmath.mpf(1)
    for low, high, x in zip(lows, highs, point, strict=True):
        low, high, x = (mpmath.mpf(text) for text in (low, high, x))  # noqa: PLW2901
        centre += x * (low + high) / 2
        factor *= mpmath.sinc(x * (high - low) / 2)
    return mpmath.sin(centre) * factor


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(
    "point", [["1", "-0.5", "0.25"], ["0", "2", "-3"], ["0", "-1", "0"], ["4", "9", "200"]]
)
def test_the_mean_over_several_directions_is_that_of_a_sine(point, order):
    """Of which the last is so wide that its rule has two panels."""
    lows, highs = ["-1", "0.5", "-2"], ["0.5", "1.25", "-1.5"]
    with mpmath.workdps(30), precision(80):
        memory = Memory(read(uniform_in(lows, highs, [point, ["0", "0", "1"]])), Budget())
        found = bounds(memory.image(memory.instance.inputs[0], ball(MEMORY), order))
        truth = mean_of_sine(lows, highs, point, "0.375", order) / 4
        ends = [mpmath.mpf(end.numerator) / end.denominator for end in (found.lower, found.upper)]
        assert ends[0] - mpmath.mpf(10) ** -26 <= truth <= ends[1] + mpmath.mpf(10) ** -26
        assert found.upper - found.lower < Fraction(1, 2**64)


WIDE, NARROW = (Fraction(1, 8), Fraction(9, 8)), (Fraction(-3, 8), Fraction(-1, 8))


def mean_of_tanh(shift):
    """Return ``E tanh(U + U' + v)``, U and U' between the two pairs of ends above: by mpmath."""
    (a, b), (c, d) = (map(mpmath.mpf, map(float, part)) for part in (WIDE, NARROW))

    def twice(y):
        return mpmath.log(mpmath.cosh(b + y)) - mpmath.log(mpmath.cosh(a + y))

    return mpmath.quad(lambda y: twice(y + shift), [c, d]) / (b - a) / (d - c)


@pytest.mark.parametrize("parts", [(WIDE, NARROW), (NARROW, WIDE)], ids=["wide", "narrow"])
def test_rules_of_two_nodes_in_two_directions_say_how_wrong_they_are(parts, monkeypatch):
    """So wrong that the bound of the other rule's error alone would be too small."""
    monkeypatch.setattr(rules, "working_precision", lambda: -1_000)
    with mpmath.workdps(30), precision(80):
        rule = sum_rule(TANH, parts, Budget())
        value = total([weight * curve(TANH, 0)(node) for node, weight in rule.nodes])
        height = strip_constant(TANH, 0, rule.strip)
        found = bounds(around(value, rule.analytic * height))
        narrow = uniform_rule(TANH, *NARROW, Budget())
        truth = Fraction(str(mean_of_tanh(0)))
        off = abs(bounds(value).lower - truth)
        assert len(rule.nodes) == 4
        assert found.lower <= truth <= found.upper
        assert bounds(narrow.analytic * height).upper < off < found.upper - found.lower < 400 * off


def test_a_memory_map_by_rules_of_two_nodes_says_how_wrong_it_is(monkeypatch):
    """The wider direction is exact, the other one is not."""
    monkeypatch.setattr(rules, "working_precision", lambda: -1_000)
    ends = [list(map(str, map(float, end))) for end in zip(NARROW, WIDE, strict=True)]
    document = uniform_in(*ends, [["1", "1"], ["1", "0"]])
    document["activation"] = {"kind": "tanh"}
    with mpmath.workdps(30), precision(80):
        memory = Memory(read(document), Budget())
        found = bounds(memory.image(memory.instance.inputs[0], ball(Fraction(1, 4))))
        truth = Fraction(str(mean_of_tanh(mpmath.mpf(1) / 4) / 4))
        assert found.lower <= truth <= found.upper
        middle = (found.lower + found.upper) / 2
        assert abs(middle - truth) > (found.upper - found.lower) / 10**4 > 0


def test_a_law_without_a_rule_is_unsupported():
    lows, highs = ["-1"] * 4, ["1"] * 4
    document = uniform_in(lows, highs, [["1", "1", "0", "1"], ["1", "-1", "2", "1"]])
    with precision(64), pytest.raises(Unsupported, match="more than 3 directions"):
        Memory(read(document), Budget())
    assert (
        witnesses._memory(Instance.from_json(uniform_in(lows, highs, [["1"] * 3 + ["0"]] * 2)))
        == {}
    )
    with pytest.raises(NotEnclosed, match="uniform in 4 directions"):
        witnesses._memory(Instance.from_json(document))


def test_work_with_wide_rules_is_counted():
    with precision(1024), pytest.raises(Refused, match="operations"):
        uniform_rule(TANH, Fraction(0), Fraction(4_000), Budget(10**6))

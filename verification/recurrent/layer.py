"""The hidden layer as a function of the weight w: the map T_x and the norms of L2 and H1.

``T_x h = sigma(w.x + E[B h(W)])``.  The functions h on which claims are tried belong to one named
family, along the direction of the input x (`HiddenFunction`), so that every expectation is one
of the scalar projection W.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from verification.enclosure.balls import Ball, ball, square
from verification.instance import Instance
from verification.recurrent.activation import Activation, activation
from verification.recurrent.law import Projection, dot, mean_absolute_conditional_b, projection


@dataclass(frozen=True, kw_only=True)
class HiddenFunction:
    """``h(w) = constant + slope * sigma(w.x + shift) + conditional * E[B | W = w]``.

    For a law with atoms, E[B | W = w] is extended around each atom as a constant: its gradient
    there is zero.
    """

    constant: Fraction
    slope: Fraction
    shift: Fraction
    conditional: Fraction

    def __str__(self) -> str:
        parts = (self.constant, self.slope, self.shift, self.conditional)
        return "h(" + ", ".join(str(part) for part in parts) + ")"


@dataclass(frozen=True, kw_only=True)
class FunctionPair:
    """Two functions of the family along the input of one state."""

    state: int
    first: HiddenFunction
    second: HiddenFunction

    def __str__(self) -> str:
        return f"state {self.state}, {self.first} and {self.second}"


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What both norms need at one state: the law of W.x and bounds of sigma on the strip."""

    sigma: Activation
    law: Projection
    squared_input: Ball
    strip_bounds: tuple[Ball, Ball, Ball]
    real_bounds: tuple[Ball, Ball, Ball]
    conditional_bound: Ball


def _setting(instance: Instance, state: int) -> _Setting:
    sigma = activation(instance.activation)
    point = instance.chain.inputs[state]
    strip = sigma.strip_width()
    law = projection(instance.law, point, strip)
    bounds = [sigma.quadrature_bound(order) for order in (0, 1, 2)]
    return _Setting(
        sigma=sigma,
        law=law,
        squared_input=ball(dot(point, point)),
        strip_bounds=(bounds[0], bounds[1], bounds[2]),
        real_bounds=(ball(sigma.bound(0)), ball(sigma.bound(1)), ball(sigma.bound(2))),
        # Only a product law has quadrature errors, and there E[B | W] is this constant.
        conditional_bound=ball(mean_absolute_conditional_b(instance.law)),
    )


def squared_distance(instance: Instance, pair: FunctionPair, *, gradient: bool) -> Ball:
    """Enclose ``E[(h - h')^2]``, with `gradient` also ``+ E|grad h - grad h'|^2``."""
    setting = _setting(instance, pair.state)
    first, second = pair.first, pair.second
    constant = ball(first.constant - second.constant)
    conditional = ball(first.conditional - second.conditional)
    slopes = ball(first.slope), ball(second.slope)
    shifts = ball(first.shift), ball(second.shift)
    steepness = ball(abs(first.slope) + abs(second.slope))
    value, slope = setting.sigma.curve(0), setting.sigma.curve(1)

    def squared(node: Ball, mean: Ball) -> Ball:
        one, other = node + shifts[0], node + shifts[1]
        difference = slopes[0] * value(one) - slopes[1] * value(other)
        result = square(constant + difference + conditional * mean)
        if not gradient:
            return result
        difference = slopes[0] * slope(one) - slopes[1] * slope(other)
        return result + setting.squared_input * square(difference)

    def bound(bounds: tuple[Ball, Ball, Ball]) -> Ball:
        height = abs(constant) + steepness * bounds[0]
        height = height + abs(conditional) * setting.conditional_bound
        if not gradient:
            return square(height)
        return square(height) + setting.squared_input * square(steepness * bounds[1])

    return setting.law.mean_of_pairs(
        squared, bound(setting.strip_bounds), bound(setting.real_bounds)
    )


def squared_image_distance(instance: Instance, pair: FunctionPair, *, gradient: bool) -> Ball:
    """Enclose ``E[(T_x h - T_x h')^2]``, with `gradient` also the gradients' part."""
    setting = _setting(instance, pair.state)
    first = _memory_of(setting, pair.first)
    second = _memory_of(setting, pair.second)
    gap = abs(first - second)

    value, slope = setting.sigma.curve(0), setting.sigma.curve(1)

    def squared(node: Ball, _mean: Ball) -> Ball:
        one, other = node + first, node + second
        result = square(value(one) - value(other))
        if not gradient:
            return result
        return result + setting.squared_input * square(slope(one) - slope(other))

    def bound(bounds: tuple[Ball, Ball, Ball]) -> Ball:
        # Mean value along the real shift, which stays in the strip.
        if not gradient:
            return square(gap * bounds[1])
        return square(gap) * (square(bounds[1]) + setting.squared_input * square(bounds[2]))

    return setting.law.mean_of_pairs(
        squared, bound(setting.strip_bounds), bound(setting.real_bounds)
    )


def _memory_of(setting: _Setting, function: HiddenFunction) -> Ball:
    """Enclose ``E[B h(W)] = E[E[B | W] h(W)]``."""
    curve, constant, conditional = setting.sigma.curve(0), function.constant, function.conditional
    parts = ball(constant), ball(conditional), ball(function.slope), ball(function.shift)

    def product(node: Ball, mean: Ball) -> Ball:
        value = parts[0] + parts[1] * mean
        return mean * (value + parts[2] * curve(node + parts[3]))

    def bound(bounds: tuple[Ball, Ball, Ball]) -> Ball:
        height = ball(abs(function.constant)) + ball(abs(function.slope)) * bounds[0]
        height = height + ball(abs(function.conditional)) * setting.conditional_bound
        return setting.conditional_bound * height

    return setting.law.mean_of_pairs(
        product, bound(setting.strip_bounds), bound(setting.real_bounds)
    )

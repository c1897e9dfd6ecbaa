r"""The kernel of a network drawn at random, and its mean squared distance from the limit.

The kernel of N units is ``K^N(zeta, zeta') = N^-1 sum_i Y_i``,

    Y = sigma(W.x + v) sigma(W.x' + v') + C^2 sigma'(W.x + v) sigma'(W.x' + v') x.x',

one Y for each unit, and ``K = E Y``.  `mean_squared_distance` is ``E[(K^N - K)^2]`` as it is
written: the mean, over all draws of N units, of the square.

* *atoms*: the sum over the multinomial counts of the distinct values of Y.
* *product law*: N is 1 or 2.  Given W the square is a polynomial of degree two in the squares of
  the C's, whose mean their moments give; a rule for W.x is applied to each of the two units.

With several W.x to integrate over, x and x' must be parallel: W.x carries both then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, factorial, prod

from verification.enclosure.balls import Ball, ball, less, square, total
from verification.enclosure.quadrature import Rule
from verification.errors import NotEnclosed
from verification.instance import ActivationSpec, AtomicLaw, Constant, Law, ProductLaw, Vector
from verification.kernel.limiting import Point
from verification.recurrent.activation import activation
from verification.recurrent.law import dot, moment_of_c, projection
from verification.verdict import Truth

MAX_DRAWS = 5_000
MAX_NODES = 256

_TALLEST = Fraction(2**8)


def draws_one_value(law: Law, first: Vector, second: Vector) -> bool:
    """Tell whether all units agree in W.x, W.x' and C^2 x.x', so that ``K^N = K``, exactly."""
    if isinstance(law, AtomicLaw):
        return len(_masses(law, first, second)) == 1
    fixed = isinstance(law.w, Constant) or not (any(first) or any(second))
    return fixed and (isinstance(law.c, Constant) or not dot(first, second))


def adds_to_a_cosine(spec: ActivationSpec, law: Law, first: Vector, second: Vector) -> bool:
    """Tell whether Y is a cosine at one argument for all units, so that ``K^N = K``, exactly.

    For sigma = sin, ``sin u sin t + cos u cos t = cos(u - t)`` and ``sin u sin t - cos u cos t =
    -cos(u + t)``: where the factor ``C^2 x.x'`` of the second product is 1 and W.x - W.x' takes
    one value, or where it is -1 and W.x + W.x' does.  A term ``a sin(b u + c)`` has the factor
    ``b^2 C^2 x.x'``.
    """
    if len(spec.terms) != 1 or spec.terms[0].of != "sin":
        return False
    if isinstance(law, AtomicLaw):
        units = [(u, t, factor) for u, t, factor in _masses(law, first, second)]
    elif isinstance(law.c, Constant):
        # Where x' is neither x nor -x, W.x - W.x' and W.x + W.x' are as random as W is.
        if isinstance(law.w, Constant) or first not in (second, tuple(-x for x in second)):
            return False
        half, square_c = dot(first, first), law.c.value[0] ** 2
        sign = 1 if first == second else -1
        units = [(Fraction(0), Fraction(0), sign * half * square_c)]
    else:
        return False
    factors = {factor * spec.terms[0].scale ** 2 for _, _, factor in units}
    if factors == {Fraction(1)}:
        return len({u - t for u, t, _ in units}) == 1
    return factors == {Fraction(-1)} and len({u + t for u, t, _ in units}) == 1


def most_units(spec: ActivationSpec, law: Law, first: Vector, second: Vector) -> int:
    """Return the largest N, at most 3, for which a mean over all draws of N units is cheap.

    0 where no N is: for too many atoms, or inputs that are not parallel.
    """
    if isinstance(law, AtomicLaw):
        kinds = len(_masses(law, first, second))
        return max((n for n in (1, 2, 3) if comb(kinds + n - 1, n) <= MAX_DRAWS), default=0)
    try:
        rule, _, _ = _rule(spec, law, first, second)
    except NotEnclosed:
        return 0
    return 2 if len(rule.nodes) <= MAX_NODES else 1


def mean_squared_distance(
    spec: ActivationSpec, law: Law, first: Point, second: Point, units: int
) -> Ball:
    """Enclose ``E[(K^N - K)^2]`` for N units.

    Raises
    ------
    NotEnclosed
        Where x and x' are not parallel and W is continuous, or a rule needs too many nodes.
    ValueError
        Where the law is continuous and N is neither 1 nor 2.
    """
    if isinstance(law, AtomicLaw):
        return _over_counts(_values(spec, law, first, second), units)
    return _over_pairs(spec, law, first, second, units)


# Atoms


def _masses(
    law: AtomicLaw, first: Vector, second: Vector
) -> dict[tuple[Fraction, Fraction, Fraction], Fraction]:
    """Return the law of (W.x, W.x', C^2 x.x')."""
    inner = dot(first, second)
    masses: dict[tuple[Fraction, Fraction, Fraction], Fraction] = {}
    for atom in law.atoms:
        key = dot(atom.w, first), dot(atom.w, second), atom.c * atom.c * inner
        masses[key] = masses.get(key, Fraction(0)) + atom.p
    return masses


def _values(
    spec: ActivationSpec, law: AtomicLaw, first: Point, second: Point
) -> list[tuple[Fraction, Ball]]:
    """Return the distinct values of Y with their probabilities."""
    sigma = activation(spec)
    v, w = ball(first.memory), ball(second.memory)
    values = []
    for (one, other, factor), mass in _masses(law, first.input, second.input).items():
        u, t = ball(one) + v, ball(other) + w
        forward, backward = (sigma.derivative(k, u) * sigma.derivative(k, t) for k in (0, 1))
        values.append((mass, forward + ball(factor) * backward))
    return values


def _over_counts(values: Sequence[tuple[Fraction, Ball]], units: int) -> Ball:
    mean = total(ball(mass) * value for mass, value in values)
    result = ball(0)
    for probability, drawn in _draws(values, units):
        result = result + ball(probability) * square(total(drawn) / units - mean)
    return result


def _draws(
    values: Sequence[tuple[Fraction, Ball]], units: int
) -> Iterator[tuple[Fraction, list[Ball]]]:
    """Iterate over the draws of N units in no order, with their multinomial probabilities."""
    for drawn in combinations_with_replacement(range(len(values)), units):
        orders = factorial(units)
        for kind in set(drawn):
            orders //= factorial(drawn.count(kind))
        probability = orders * prod((values[kind][0] for kind in drawn), start=Fraction(1))
        yield probability, [values[kind][1] for kind in drawn]


# Product laws


def _rule(
    spec: ActivationSpec, law: ProductLaw, first: Vector, second: Vector
) -> tuple[Rule, Fraction, Fraction]:
    """Return a rule for U = W.x or W.x', and the shares of W.x and of W.x' in it."""
    size, mixed, other = dot(first, first), dot(first, second), dot(second, second)
    if mixed * mixed != size * other and not isinstance(law.w, Constant):
        raise NotEnclosed("two inputs that are not parallel need two variables")
    strip = _moderate_strip(spec)
    if isinstance(law.w, Constant):
        # A point, at which both arguments are added as constants.
        return projection(law, (Fraction(0),) * len(first), strip).rule, Fraction(0), Fraction(0)
    if size >= other:
        share = mixed / size if size else Fraction(0)
        return projection(law, first, strip).rule, Fraction(1), share
    return projection(law, second, strip).rule, mixed / other, Fraction(1)


def _moderate_strip(spec: ActivationSpec) -> Fraction:
    """Return a strip on which squares of squares of sigma and sigma' are still moderate."""
    sigma = activation(spec)
    strip = sigma.strip_width()
    for _ in range(4):
        bounds = [sigma.strip_bound(order, ball(strip)) for order in (0, 1)]
        if all(less(bound, ball(_TALLEST)) is Truth.TRUE for bound in bounds):
            break
        strip /= 2
    return strip


def _over_pairs(
    spec: ActivationSpec, law: ProductLaw, first: Point, second: Point, units: int
) -> Ball:
    if units not in (1, 2):
        raise ValueError(f"units is {units}, expected 1 or 2 for a continuous law")
    sigma = activation(spec)
    rule, one, other = _rule(spec, law, first.input, second.input)
    v, w = ball(first.memory), ball(second.memory)
    if isinstance(law.w, Constant):
        v = v + ball(dot(law.w.value, first.input))
        w = w + ball(dot(law.w.value, second.input))
    inner = ball(dot(first.input, second.input))
    forward, backward = [], []
    shares, (value, slope) = (ball(one), ball(other)), (sigma.curve(0), sigma.curve(1))
    for node in rule.nodes:
        u, t = shares[0] * node + v, shares[1] * node + w
        forward.append(value(u) * value(t))
        backward.append(inner * slope(u) * slope(t))
    strip = ball(rule.strip)
    on_strip = [square(sigma.strip_bound(k, strip)) for k in (0, 1)]
    on_line = [square(ball(sigma.bound(k))) for k in (0, 1)]
    on_strip[1], on_line[1] = (abs(inner) * bound[1] for bound in (on_strip, on_line))
    second_moment, fourth_moment = (ball(moment_of_c(law, order)) for order in (2, 4))

    mean = rule.error(
        on_strip[0] + second_moment * on_strip[1], on_line[0] + second_moment * on_line[1]
    )
    for weight, f, g in zip(rule.weights, forward, backward, strict=True):
        mean = mean + weight * (f + second_moment * g)

    twice, squared_moment = 2 * second_moment, square(second_moment)

    def mean_square(deviation: Ball, first_order: Ball, squares: Ball) -> Ball:
        """Return ``E[(a + sum_i C_i^2 g_i)^2] / N^2`` for independent C_i.

        It takes the sums of the g_i and of their squares.
        """
        mixed = square(first_order) - squares
        result = square(deviation) + twice * deviation * first_order
        result = result + fourth_moment * squares + squared_moment * mixed
        return result / units**2

    def largest(bounds: Sequence[Ball]) -> Ball:
        slopes = [bounds[1]] * units
        return mean_square(
            units * (bounds[0] + abs(mean)), total(slopes), total(map(square, slopes))
        )

    error = rule.error(largest(on_strip), largest(on_line))
    if units == 1:
        return error + total(
            weight * mean_square(f - mean, g, square(g))
            for weight, f, g in zip(rule.weights, forward, backward, strict=True)
        )
    # Of a product of two rules; see `verification.kernel.pair_rules`.
    result = error * (1 + total(abs(weight) for weight in rule.weights))
    doubled, twice_mean = [2 * weight for weight in rule.weights], 2 * mean
    squares = [square(g) for g in backward]
    for i, weight in enumerate(rule.weights):
        f, g, squared = forward[i], backward[i], squares[i]
        inside = weight * mean_square(2 * (f - mean), g + g, squared + squared)
        for j in range(i):
            deviation = f + forward[j] - twice_mean
            both = mean_square(deviation, g + backward[j], squared + squares[j])
            inside = inside + doubled[j] * both
        result = result + weight * inside
    return result

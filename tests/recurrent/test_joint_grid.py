"""Functions of the joint chain on a grid: against all paths, in balls and in mpmath."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from verification import gallery
from verification.campaign import strategies
from verification.enclosure.balls import Ball, ball, end_points, exact_ball, precision
from verification.enclosure.quadrature import MAX_NODES
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
)
from verification.oracle import memory as oracle
from verification.recurrent.activation import activation
from verification.recurrent.joint_grid import (
    Grid,
    GridFunction,
    affine,
    grid,
    plus,
    pushed_back,
    scaled,
    second_moments,
    shifted,
    summed_memory,
    supremum_bounds,
    times,
)
from verification.recurrent.law import projection
from verification.recurrent.memory import memory_bound, memory_map, memory_map_derivative

F = Fraction
NAMES = ["rain-tel-aviv", "mutant-signed-b", "sharp-fixed-point", "dependent-b-on-w", "negative-b"]
"""Two states or three, and a law of few atoms or a rule of few nodes."""


def paths(instance: Instance, start: int, steps: int) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
    waiting = [(F(1), (start,))]
    while waiting:
        probability, path = waiting.pop()
        if len(path) == steps:
            yield probability, path
        else:
            waiting += [(probability * p, (*path, j)) for j, p in instance.chain.rows[path[-1]]]


def moments_over_paths(
    instance: Instance, start: int, memory: Ball, steps: int, levels, slope: Fraction
) -> tuple[Ball, Ball, Ball]:
    """Return the means of S_n, of its square, and of F(zeta_{n-1}), from every path's memories."""
    mean, square, last = ball(0), ball(0), ball(0)
    waiting = [(F(1), start, memory, ball(0), 1)]
    while waiting:
        probability, state, v, total, length = waiting.pop()
        value = ball(levels[state]) + ball(slope) * v
        total = total + value
        if length == steps:
            weight = ball(probability)
            mean, square = mean + weight * total, square + weight * total * total
            last = last + weight * value
            continue
        image = memory_map(instance, state, v)
        for following, p in instance.chain.rows[state]:
            waiting.append((probability * p, following, image, total, length + 1))
    return mean, square, last


def at(known: Grid, function: GridFunction, state: int, memory: float) -> tuple[float, float]:
    """Return a function's value between the grid's memories, and its error bound there."""
    value = float(np.interp(memory, known.memories, function.values[state]))
    between = known.spacing**2 / 8 * function.curvature
    # np.interp rounds a few times.
    return value, function.error + between + 2.0**-48 * (function.size() + abs(value))


def assert_contains(value: float, error: float, truth: Ball) -> None:
    low, high = end_points(truth - exact_ball(value))
    assert high - low < F(1, 10**9)
    assert low <= F(error)
    assert -high <= F(error)


def some_memories(known: Grid) -> list[float]:
    """Two memories of the grid, and two between its memories."""
    n = len(known.memories)
    reach, h = float(known.memories[-1]), known.spacing
    inner = [float(known.memories[n // 3]), float(known.memories[-n // 8])]
    return [*inner, inner[0] + h / 2, 0.37 * reach]


@pytest.mark.parametrize(
    ("name", "steps"),
    [*((name, steps) for name in NAMES for steps in (1, 2, 4)), ("rain-tel-aviv", 8)],
)
def test_sums_and_squares_are_means_over_all_paths(name, steps):
    instance = gallery.load(name)
    levels = [F(3 * i - 1, 2) for i in range(instance.chain.n_states)]
    slope = F(-5, 4)
    with precision(128):
        known = grid(instance)
        function = affine(known, levels, slope)
        total, last = function, function
        for _ in range(steps - 1):
            last = pushed_back(known, last)
            total = plus(total, last)
        squares = second_moments(known, function, steps)
        for start in range(instance.chain.n_states):
            for memory in some_memories(known):
                truths = moments_over_paths(
                    instance, start, exact_ball(memory), steps, levels, slope
                )
                for found, truth in zip((total, squares, last), truths, strict=True):
                    value, error = at(known, found, start, memory)
                    assert_contains(value, error, truth)
                    assert error <= 2e-4 * steps * max(found.size(), 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_finer_grid_is_more_accurate_by_the_square_of_its_spacing(name):
    instance = gallery.load(name)
    errors, spacings = [], []
    for bits in (64, 128, 256, 512):
        with precision(bits):
            known = grid(instance)
            found = second_moments(known, affine(known, instance.chain.targets, F(1)), 6)
        spacings.append(known.spacing)
        errors.append(found.error)
    assert [spacings[0] / h for h in spacings] == [1, 4, 16, 64]
    for before, after in pairwise(errors):
        assert after < before / 10


@pytest.mark.parametrize("name", ["rain-tel-aviv", "erf-uniform", "two-dimensional"])
def test_one_and_two_steps_against_mpmath(name):
    instance = gallery.load(name)
    chain = instance.chain
    with precision(64):
        known = grid(instance)
        memory = affine(known, [F(0)] * chain.n_states, F(1))
        once = pushed_back(known, memory)
        twice = pushed_back(known, once)
    for index in (3, len(known.memories) // 2 + 5):
        v = F(float(known.memories[index]))
        for state in (0, chain.n_states - 1):
            image = oracle.memory_map(instance, chain.inputs[state], v, digits=25)
            assert abs(image.value - F(float(once.values[state, index]))) <= F(once.error)
            second = sum(
                p * oracle.memory_map(instance, chain.inputs[j], image.value, digits=25).value
                for j, p in chain.rows[state]
            )
            assert abs(second - F(float(twice.values[state, index]))) <= F(twice.error)
    # f is affine, so that its image has no error but roundings.
    assert once.error < 1e-12
    assert twice.error < 1e-3 * known.memories[-1]


@pytest.mark.parametrize("name", NAMES)
def test_slopes_and_curvatures_bound_the_derivatives(name):
    """Of the mean of v after three steps: chain rule along every path, in balls."""
    instance = gallery.load(name)
    with precision(128):
        known = grid(instance)
        function = affine(known, [F(0)] * instance.chain.n_states, F(1))
        for _ in range(3):
            function = pushed_back(known, function)
        steepest = ball(0)
        for start in range(instance.chain.n_states):
            for memory in (-0.9, -0.4, 0.0, 0.3, 0.95):
                v0 = exact_ball(memory * float(known.memories[-1]))
                first, second = ball(0), ball(0)
                for probability, path in paths(instance, start, 3):
                    v, d1, d2 = v0, ball(1), ball(0)
                    for state in path:
                        slope = memory_map_derivative(instance, state, v)
                        bend = memory_map_derivative(instance, state, v, order=2)
                        d2 = bend * d1 * d1 + slope * d2
                        d1 = slope * d1
                        v = memory_map(instance, state, v)
                    first = first + ball(probability) * d1
                    second = second + ball(probability) * d2
                steepest = steepest.max(abs(first))
                assert end_points(abs(first))[0] <= F(function.slope)
                assert end_points(abs(second))[0] <= F(function.curvature)
    # The slope is measured: no more than what a few points show, and the grid's doubt.
    assert function.slope <= known.q**3 * (1 + 1e-9)
    assert function.slope <= 1.5 * float(end_points(steepest)[1]) + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_products_are_bounded_with_their_derivatives(name):
    instance = gallery.load(name)
    n = instance.chain.n_states
    with precision(64):
        known = grid(instance)
        f = affine(known, [F(i) for i in range(n)], F(3, 2))
        g = affine(known, [F(1 - i, 3) for i in range(n)], F(-2))
        product = times(known, f, g)
    reach = float(known.memories[-1])
    for i in range(n):
        for v in (-reach, 0.31 * reach, reach):
            a, b = F(i) + F(3, 2) * F(v), F(1 - i, 3) - 2 * F(v)
            value, error = at(known, product, i, v)
            assert abs(a * b - F(value)) <= F(error)
            # (f g)' = f' g + f g', (f g)'' = 2 f' g'
            assert abs(F(3, 2) * b - 2 * a) <= F(product.slope)
    assert 6 <= product.curvature <= 6.000001
    # Largest where both factors are; at a corner of the range the bound is nearly attained.
    largest = max(
        1.5 * abs((1 - i) / 3 - 2 * v) + 2 * abs(i + 1.5 * v)
        for i in range(n)
        for v in (-reach, reach)
    )
    assert product.slope <= 2.5 * largest
    assert product.error < 1e-12 * max(1.0, product.size())


@pytest.mark.parametrize("name", ["hidden-state", "rain-tel-aviv", "zero-memory"])
def test_a_constant_stays_what_it_is(name):
    instance = gallery.load(name)
    with precision(64):
        known = grid(instance)
        one = affine(known, [F(1)] * instance.chain.n_states, F(0))
        pushed = pushed_back(known, one)
        nine = second_moments(known, one, 3)
    assert np.abs(pushed.values - 1).max() <= pushed.error < 1e-13
    assert np.abs(nine.values - 9).max() <= nine.error < 1e-11
    assert pushed.slope < 1e-9


def test_functions_of_the_state_alone_follow_the_chain_exactly():
    instance = gallery.load("rain-tel-aviv")
    rows = [[F(3, 4), F(1, 4)], [F("0.338"), F("0.662")]]
    levels = [F(2), F(-1, 3)]
    with precision(64):
        known = grid(instance)
        pushed = pushed_back(known, pushed_back(known, affine(known, levels, F(0))))
    once = [sum(p * x for p, x in zip(row, levels, strict=True)) for row in rows]
    for state, row in enumerate(rows):
        truth = sum(p * x for p, x in zip(row, once, strict=True))
        assert abs(F(float(pushed.values[state, 7])) - truth) <= F(pushed.error)
    assert pushed.error < 1e-13


def test_sums_shifts_and_multiples():
    instance = gallery.load("rain-tel-aviv")
    with precision(64):
        known = grid(instance)
        f = affine(known, [F(1, 3), F(2, 7)], F(5, 3))
        g = plus(scaled(f, F(-2, 3)), shifted(f, 0.1))
    for state, level in enumerate((F(1, 3), F(2, 7))):
        for index in (0, 100, 256):
            v = F(float(known.memories[index]))
            truth = (level + F(5, 3) * v) / 3 + F(0.1)
            assert abs(F(float(g.values[state, index])) - truth) <= F(g.error)
    assert g.error < 1e-14
    assert g.slope == pytest.approx(5 / 3 * 5 / 3)
    assert f.slope >= F(5, 3)
    assert scaled(f, F(-2)).slope >= F(10, 3)


def blurred(function: GridFunction, by: float) -> GridFunction:
    """A function whose values are all off by as much as its error says."""
    return dataclasses.replace(
        function, values=function.values + by, error=function.error + abs(by)
    )


def exact_function(known: Grid, levels, slope: float) -> GridFunction:
    """Levels and slope few bits long: the values are exact."""
    values = np.array(levels)[:, np.newaxis] + slope * known.memories
    return GridFunction(values=values, error=0.0, slope=abs(slope), curvature=0.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_errors_are_carried_through_every_operation(sign):
    with precision(64):
        known = grid(gallery.load("rain-tel-aviv"))
        f, g = exact_function(known, [1.0, 2.0], 0.5), exact_function(known, [3.0, 1.5], 0.25)
        off_f, off_g = blurred(f, sign * 0.01), blurred(g, sign * 0.002)
        pairs = [
            (plus(off_f, off_g), plus(f, g)),
            (times(known, off_f, off_g), times(known, f, g)),
            (shifted(off_f, 0.3), shifted(f, 0.3)),
            (scaled(off_f, F(-7)), scaled(f, F(-7))),
            (pushed_back(known, off_f), pushed_back(known, f)),
            (second_moments(known, off_f, 3), second_moments(known, f, 3)),
        ]
    for off, true in pairs:
        gap = np.abs(off.values - true.values).max()
        assert 0.01 <= gap <= off.error + true.error + 1e-14
        assert off.error <= 1.6 * gap + true.error


def test_images_may_be_off_by_their_error():
    with precision(64):
        known = grid(gallery.load("rain-tel-aviv"))
        f = exact_function(known, [1.0, 2.0], 0.5)
        room = (known.shares > 0.25) & (known.shares < 0.75)
        shifted_grid = dataclasses.replace(
            known,
            shares=np.where(room, known.shares + 0.2, known.shares),
            image_error=known.image_error + 0.2 * known.spacing,
        )
        true, off = pushed_back(known, f), pushed_back(shifted_grid, f)
    assert room.any()
    gap = np.abs(off.values - true.values).max()
    assert gap > 0.09 * known.spacing
    assert gap <= off.error + true.error
    assert off.error < 1.001 * gap


@pytest.mark.parametrize("name", ["hidden-state", "random-dense-50", "snakes-and-ladders"])
def test_roundings_of_a_step_stay_below_their_bound(name):
    """Functions of the state alone, exact in doubles: the truth is a rational."""
    instance = gallery.load(name)
    rng = np.random.default_rng(3)
    levels = rng.uniform(-1, 1, instance.chain.n_states)
    with precision(64):
        known = grid(instance)
        found = pushed_back(known, exact_function(known, levels, 0.0))
    errors = [
        abs(F(float(found.values[i, 10])) - sum((p * F(float(levels[j])) for j, p in row), F(0)))
        for i, row in enumerate(instance.chain.rows)
    ]
    assert 0 < max(errors) <= F(found.error)
    assert found.error < 1e-13


def test_roundings_of_an_affine_function_stay_below_their_bound():
    levels, slope = [F(1, 3), F(-2, 7)], F(5, 3)
    with precision(64):
        known = grid(gallery.load("rain-tel-aviv"))
        f = affine(known, levels, slope)
        square = times(known, f, f)
    gaps = [
        abs(F(float(f.values[i, k])) - level - slope * F(float(v)))
        for i, level in enumerate(levels)
        for k, v in enumerate(known.memories)
    ]
    assert 0 < max(gaps) <= F(f.error) < F(1, 10**14)
    squares = [
        abs(F(float(square.values[i, k])) - (level + slope * F(float(v))) ** 2)
        for i, level in enumerate(levels)
        for k, v in enumerate(known.memories)
    ]
    assert 0 < max(squares) <= F(square.error) < F(1, 10**14)


def test_a_linear_memory_has_means_in_closed_form():
    """With a small B, ``Phi(x, v) = c_x + r_x v`` up to ``s2 |B| v^2 / 2``."""
    b = F(1, 500)
    w = F(3, 4)
    instance = gallery.load("rain-tel-aviv")
    instance = dataclasses.replace(
        instance,
        activation=ActivationSpec.named("tanh"),
        law=ProductLaw(c=Constant(value=(F(0),)), w=Constant(value=(w,)), b=Constant(value=(b,))),
    )
    chain, steps = instance.chain, 40
    zero = [F(0)] * 2
    with precision(128):
        known = grid(instance)
        f = affine(known, zero, F(1))
        total, last = f, f
        for _ in range(steps - 1):
            last = pushed_back(known, last)
            total = plus(total, last)
        images = [memory_map(instance, i, ball(0)) for i in (0, 1)]
        slopes = [memory_map_derivative(instance, i, ball(0)) for i in (0, 1)]
        # sum_{k<n} E v_k = alpha_i + beta_i v
        alpha, beta = [ball(0)] * 2, [ball(1)] * 2
        for _ in range(steps - 1):
            mixed = [
                [sum((ball(p) * values[j] for j, p in row), ball(0)) for row in chain.rows]
                for values in (alpha, beta)
            ]
            alpha = [mixed[0][i] + mixed[1][i] * images[i] for i in (0, 1)]
            beta = [1 + mixed[1][i] * slopes[i] for i in (0, 1)]
        # The later memories are off by s2 |B| |B|^2 / 2 / (1 - q) at most, s2 < 1.
        doubt = float(steps * b**3)
        for i in (0, 1):
            for v in (-float(b), float(b) / 3):
                value, error = at(known, total, i, v)
                assert_contains(value, error + doubt, alpha[i] + beta[i] * exact_ball(v))
                assert error < 1e-9


@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-arctan", "sharp-erf", "zero-memory"])
@pytest.mark.parametrize("bits", [64, 256])
def test_the_grid_covers_the_memories_and_its_inside_lies_within(name, bits):
    instance = gallery.load(name)
    with precision(bits):
        known = grid(instance)
        low, high = end_points(ball(memory_bound(instance)))
    inside, around = known.memories[known.inside], known.memories[known.around]
    assert F(float(around[0])) <= -high
    assert F(float(around[-1])) >= high
    assert -low <= F(float(inside[0]))
    assert F(float(inside[-1])) <= low
    assert len(around) - 2 <= len(inside) <= len(around)
    assert F(float(known.memories[-1])) <= high * (1 + F(1, 1000))
    exact = [
        F(known.spacing) * k - F(float(known.memories[-1])) for k in range(len(known.memories))
    ]
    assert exact == [F(float(v)) for v in known.memories]


@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-dimensional", "erf-uniform", "sharp-sine"])
def test_images_lie_where_cells_and_shares_say(name):
    instance = gallery.load(name)
    with precision(64):
        known = grid(instance)
    n = len(known.memories)
    for state in range(instance.chain.n_states):
        for index in (0, n // 3, n - 1):
            cell = int(known.cells[state, index]) - state * n
            assert 0 <= cell <= n - 2
            place = F(float(known.memories[cell])) + F(float(known.shares[state, index])) * F(
                known.spacing
            )
            with precision(128):
                truth = memory_map(instance, state, exact_ball(float(known.memories[index])))
                low, high = end_points(truth)
            assert low - F(known.image_error) <= place <= high + F(known.image_error)
    assert known.image_error < 1e-11 * float(known.memories[-1])


def test_the_supremum_lies_between_its_bounds_and_they_are_near():
    instance = gallery.load("sharp-fixed-point")
    with precision(256):
        known = grid(instance)
        v = affine(known, [F(0), F(-1)], F(1))
        # 6 - (v - 1)^2 has its maximum 6 between the grid's memories.
        bump = scaled(times(known, shifted(v, -1.0), shifted(v, -1.0)), F(-1))
        low, high = supremum_bounds(known, shifted(bump, 6.0))
    assert low <= 6 <= high
    assert high - low < 1e-5
    # |v| <= vbar = 3
    low, high = supremum_bounds(known, v)
    assert low <= 3 <= high < 3.01


def with_law(instance: Instance, b: Fraction) -> Instance:
    law = ProductLaw(
        c=Constant(value=(F(0),)),
        w=Normal(mean=(F(1, 2),), std=F(1)),
        b=Constant(value=(b,)),
    )
    return dataclasses.replace(instance, law=law)


@pytest.mark.parametrize("size", [F(1, 10**40), F(1, 10**8), F(0)])
def test_small_memories_are_known_as_well_as_large_ones(size):
    instance = with_law(gallery.load("rain-tel-aviv"), size)
    with precision(64):
        known = grid(instance)
        f = affine(known, [F(0), F(0)], F(1))
        squares = second_moments(known, f, 4)
        v = float(known.memories[known.inside][-1])
        truths = [
            moments_over_paths(instance, i, exact_ball(v), 4, [F(0), F(0)], F(1)) for i in (0, 1)
        ]
        scale = float(size) ** 2 or 1.0
        for i, (_, square, _) in enumerate(truths):
            value, error = at(known, squares, i, v)
            assert_contains(value, error, square)
            assert error <= 1e-3 * scale


def with_wide_tanh(size: int) -> Instance:
    """sigma = a tanh(u / a): vbar = a/2, and the memory halves in every step."""
    term = Term(weight=F(size), scale=F(1, size), shift=F(0), of="tanh")
    instance = with_law(gallery.load("rain-tel-aviv"), F(1, 2))
    return dataclasses.replace(instance, activation=ActivationSpec(terms=(term,)))


def test_large_memories():
    instance = with_wide_tanh(10**8)
    with precision(64):
        known = grid(instance)
        squares = second_moments(known, affine(known, [F(1), F(-1)], F(1)), 3)
    for v in (float(known.memories[200]), float(known.memories[128])):
        with precision(128):
            _, square, _ = moments_over_paths(instance, 0, exact_ball(v), 3, [F(1), F(-1)], F(1))
            value, error = at(known, squares, 0, v)
            low, high = end_points(square - exact_ball(value))
        assert -F(error) <= low <= high <= F(error)
        assert error < 1e-3 * squares.size()
    with precision(64), pytest.raises(NotEnclosed, match="double precision is bounded up to"):
        grid(with_wide_tanh(10**10))


def test_numbers_beyond_doubles_are_not_enclosed():
    instance = gallery.load("rain-tel-aviv")
    with precision(64):
        known = grid(instance)
        huge = affine(known, [F(10) ** 200, F(0)], F(1))
        with pytest.raises(NotEnclosed):
            supremum_bounds(known, second_moments(known, huge, 3))
        with pytest.raises(NotEnclosed):
            affine(known, [F(10) ** 400, F(0)], F(1))
        with pytest.raises(NotEnclosed):
            grid(with_law(instance, F(1, 10**100)))


def test_many_states_get_fewer_memories():
    instance = gallery.load("snakes-and-ladders")
    with precision(1024):
        many = grid(instance)
    with precision(64):
        few = grid(instance)
    assert len(few.memories) == 257
    assert 257 < len(many.memories) <= 2**18 // instance.chain.n_states + 1
    assert many.spacing < few.spacing


def test_one_state_follows_one_orbit():
    instance = gallery.load("one-state")
    with precision(128):
        known = grid(instance)
        total = plus(affine(known, [F(0)], F(1)), affine(known, [F(1)], F(0)))
        pushed = pushed_back(known, pushed_back(known, total))
        v = float(known.memories[50])
        truth = memory_map(instance, 0, memory_map(instance, 0, exact_ball(v))) + 1
        assert_contains(*at(known, pushed, 0, v), truth)


def test_relabelling_the_states_relabels_the_function():
    instance = gallery.load("hidden-state")
    chain, order = instance.chain, [2, 0, 1]
    place = {state: k for k, state in enumerate(order)}
    relabelled = dataclasses.replace(
        instance,
        chain=dataclasses.replace(
            chain,
            rows=tuple(tuple(sorted((place[j], p) for j, p in chain.rows[i])) for i in order),
            inputs=tuple(chain.inputs[i] for i in order),
            targets=tuple(chain.targets[i] for i in order),
        ),
    )
    with precision(64):
        first, second = (
            second_moments(grid(each), affine(grid(each), each.chain.targets, F(1)), 5)
            for each in (instance, relabelled)
        )
    for k, i in enumerate(order):
        gap = np.abs(second.values[k] - first.values[i]).max()
        assert gap <= first.error + second.error


def test_the_sum_of_all_memories_stops_where_more_terms_no_longer_help():
    instance = gallery.load("rain-tel-aviv")
    with precision(128):
        known = grid(instance)
        remaining = 1 / (1 - known.q)
        found = summed_memory(known, lambda last: remaining * last.slope, 1.0)
        total, last, terms = found.sum, affine(known, [F(0)] * 2, F(1)), 0
        whole = shifted(scaled(last, F(0)), 0.0)
        while terms < 60:
            whole, last, terms = plus(whole, last), pushed_back(known, last), terms + 1
    # Slopes of what both have, for neighbours, and of what the first lacks.
    step = np.diff(whole.values - total.values) / known.spacing
    doubt = 2 * (whole.error + total.error) / known.spacing
    assert np.abs(step).max() <= found.rest + doubt
    assert found.rest <= total.error
    assert found.rest == remaining * found.last.slope


def test_no_term_is_taken_where_nothing_is_left_from_the_start():
    instance = gallery.load("sharp-ergodic")
    with precision(64):
        found = summed_memory(grid(instance), lambda _last: 0.0, 1.0)
    assert not found.sum.values.any()
    assert found.sum.error == 0
    assert found.last.slope == 1


def is_light(instance: Instance) -> bool:
    """Whether its expectations need few nodes."""
    strip = activation(instance.activation).strip_width()
    try:
        rules = [projection(instance.law, x, strip).rule for x in set(instance.chain.inputs)]
    except NotEnclosed:
        return False
    return sum(len(rule.nodes) for rule in rules) * len(instance.activation.terms) <= MAX_NODES // 8


@settings(deadline=None)
@given(
    instance=strategies.instances(contracting=True, moderate=True, max_states=3, dimension=1),
    start=st.integers(0, 2),
    share=st.integers(-8, 8),
    steps=st.integers(1, 4),
)
def test_random_instances_against_all_paths(instance, start, share, steps):
    start %= instance.chain.n_states
    with precision(64):
        assume(is_light(instance))
        known = grid(instance)
        squares = second_moments(known, affine(known, instance.chain.targets, F(1)), steps)
        v = float(known.memories[known.around][-1]) * share / 8
        truth = moments_over_paths(
            instance, start, exact_ball(v), steps, instance.chain.targets, F(1)
        )[1]
        value, error = at(known, squares, start, v)
        low, high = end_points(truth - exact_ball(value))
    assert -F(error) <= low
    assert high <= F(error)

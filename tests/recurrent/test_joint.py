"""Laws of the joint chain against the enumeration of words in 40 digits, and D on a fine grid."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from verification import gallery
from verification.enclosure.balls import ball, enclosure, end_points, precision
from verification.errors import NotEnclosed
from verification.instance import (
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
)
from verification.markov.finite import stationary_law
from verification.recurrent import joint, sensitivity
from verification.recurrent.joint import (
    JointLaw,
    history_law,
    input_rounding,
    invariant_law,
    law_after,
    law_with_memory,
    point_law,
    pushed,
)
from verification.recurrent.joint_distance import (
    joint_distance,
    mean_absolute_memory,
    memory_distance,
)
from verification.recurrent.memory import fixed_point, memory_bound, memory_map
from verification.recurrent.memory_doubles import memory_map_doubles
from verification.recurrent.sensitivity import input_sensitivity

F = Fraction
SIGMA = {"tanh": mpmath.tanh, "logistic": lambda t: 1 / (1 + mpmath.exp(-t))}
DISCRETE = ["sharp-l2", "rain-tel-aviv", "dependent-b-on-w", "sharp-forgetting", "mutant-m-step"]


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(40), precision(64):
        yield


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def rational(value: mpmath.mpf) -> Fraction:
    return F(*map(int, mpmath.libmp.to_rational(value._mpf_)))


def ends(found) -> tuple[Fraction, Fraction]:
    return end_points(found.lower)[0], end_points(found.upper)[1]


def contains(found, value: mpmath.mpf, width: float) -> None:
    low, high = ends(found)
    slack = F(1, 10**30)
    assert low - slack <= rational(value) <= high + slack
    assert high - low <= width


def phi(instance: Instance, state: int, v: mpmath.mpf) -> mpmath.mpf:
    law, sigma = instance.law, SIGMA[instance.activation.label]
    x = [mp(c) for c in instance.chain.inputs[state]]
    if isinstance(law, AtomicLaw):
        atoms = [(a.p, a.w, a.b) for a in law.atoms]
    else:
        assert isinstance(law.w, Constant)
        assert isinstance(law.b, Constant)
        atoms = [(F(1), law.w.value, law.b.value[0])]
    return mpmath.fsum(
        mp(p * b) * sigma(mpmath.fdot([mp(c) for c in w], x) + v) for p, w, b in atoms
    )


def enumerated(instance: Instance, start: dict[int, Fraction], memory, steps: int):
    """The law of (state, memory) as a list of (state, memory, probability), word by word."""
    points = [(i, mpmath.mpf(memory), mp(p)) for i, p in start.items() if p]
    for _ in range(steps):
        points = [
            (j, image, mass * mp(p))
            for i, v, mass in points
            for image in [phi(instance, i, v)]
            for j, p in instance.chain.rows[i]
        ]
    return points


def stationary(instance: Instance) -> dict[int, Fraction]:
    return dict(enumerate(stationary_law(instance.chain)))


def is_near(law: JointLaw, points, width: float, mass: float) -> None:
    """Match every enumerated point with an atom that holds it, and compare the masses."""
    assert law.radii.max() <= width
    assert law.mass_error <= mass
    found = np.zeros_like(law.masses)
    for state, memory, probability in points:
        apart = [abs(mpmath.mpf(float(c)) - memory) for c in law.memories]
        atom = min(range(len(apart)), key=apart.__getitem__)
        assert apart[atom] <= law.radii[atom]
        found[state, atom] += float(probability)
    assert np.abs(found - law.masses).sum() <= float(law.mass_error) + 1e-14


def distance_on_the_line(first, second, n_states: int) -> mpmath.mpf:
    total = mpmath.mpf(0)
    for state in range(n_states):
        jumps = sorted(
            [(v, p) for i, v, p in first if i == state]
            + [(v, -p) for i, v, p in second if i == state]
        )
        height = mpmath.mpf(0)
        for (left, jump), (right, _) in itertools.pairwise(jumps):
            height += jump
            total += abs(height) * (right - left)
    return total


# --- pushing forward ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_the_law_after_some_steps_is_that_of_all_words(name, steps):
    instance = gallery.load(name)
    start = instance.chain.n_states - 1
    law = pushed(instance, point_law(instance, start, F(1, 7)), steps)
    is_near(law, enumerated(instance, {start: F(1)}, mp(F(1, 7)), steps), 1e-13, 1e-13)


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("known", [1, 2, 4])
def test_the_history_law_starts_stationary_and_from_zero(name, known):
    instance = gallery.load(name)
    law = history_law(instance, known)
    is_near(law, enumerated(instance, stationary(instance), 0, known), 1e-13, 1e-13)


@pytest.mark.parametrize("order", [(1, 3, 2, 5), (5, 5, 0)])
def test_the_order_in_which_numbers_of_steps_are_asked_for_does_not_matter(order):
    instance = gallery.load("markov-onegin")
    stationary = law_with_memory(instance, stationary_law(instance.chain), F(0))
    for steps in order:
        for found, start in (
            (law_after(instance, 1, F(1, 7), steps), point_law(instance, 1, F(1, 7))),
            (history_law(instance, steps), stationary),
        ):
            expected = pushed(instance, start, steps)
            assert np.array_equal(found.memories, expected.memories)
            assert np.array_equal(found.radii, expected.radii)
            assert np.array_equal(found.masses, expected.masses)
            assert found.mass_error == expected.mass_error


def test_equal_inputs_do_not_branch():
    instance = gallery.load("sharp-ergodic")
    law = pushed(instance, point_law(instance, 0, F(1, 3)), 12)
    assert len(law) == 1
    v = mp(F(1, 3))
    for _ in range(12):
        v = phi(instance, 0, v)
    assert abs(mpmath.mpf(float(law.memories[0])) - v) <= law.radii[0] <= 1e-13


def test_inputs_that_are_no_doubles_are_accounted_for():
    """x = 1/10, W = 10^6: the rounded input moves W.x by some 10^-12."""
    instance = gallery.load("sharp-ergodic")
    thin = dataclasses.replace(
        instance,
        chain=dataclasses.replace(instance.chain, inputs=((F(1, 10),), (F(1, 10),))),
        law=dataclasses.replace(instance.law, w=Constant(value=(F(10**6),))),
    )
    moved = abs(F(0.1) - F(1, 10)) * 10**6 / 2
    assert moved <= input_rounding(thin) <= moved * F(11, 10)
    law = pushed(thin, point_law(thin, 0, F(-(10**5))), 1)
    _, error = memory_map_doubles(thin, np.array([[0.1]]), np.array([-(10.0**5)]))
    assert law.radii[0] >= error + input_rounding(thin)
    value = phi(thin, 0, mpmath.mpf(-(10**5)))
    assert abs(mpmath.mpf(float(law.memories[0])) - value) <= law.radii[0] <= 1e-10
    assert input_rounding(instance) == 0


def test_errors_of_masses_add_up():
    instance = gallery.load("rain-tel-aviv")
    start = joint.law_with_memory(instance, [F(1, 3), F(2, 3)], F(0))
    assert start.mass_error == abs(F(1 / 3) - F(1, 3)) + abs(F(2 / 3) - F(2, 3)) > 0
    worse = dataclasses.replace(start, mass_error=F(1, 64))
    assert F(1, 64) < pushed(instance, worse, 1).mass_error < F(1, 64) + F(1, 10**14)
    first, third = (pushed(instance, start, steps).mass_error for steps in (1, 3))
    assert start.mass_error < first < third < F(1, 10**14)


def test_every_memory_is_bounded():
    instance = gallery.load("rain-tel-aviv")  # vbar = 0.4
    assert point_law(instance, 0, F(3)).bound == 3
    assert joint.law_with_memory(instance, [F(1), F(0)], F(1), 0.5).bound == F(3, 2)
    bound = pushed(instance, point_law(instance, 0, F(0)), 2).bound
    assert F(2, 5) <= bound <= F(2, 5) + F(1, 10**15)


def incomplete(at: float) -> JointLaw:
    """A law of two states, a hundredth of which is missing; the rest is at state 0, memory `at`."""
    return JointLaw(
        memories=np.array([at]),
        radii=np.zeros(1),
        masses=np.array([[0.99], [0.0]]),
        mass_error=F(1, 100),
        bound=F(1, 2),
    )


def test_missing_mass_may_be_anywhere():
    instance = gallery.load("rain-tel-aviv")
    here = point_law(instance, 0, F(0))
    # at most at the memory 1/2, or -1/2, in either state
    low, high = ends(mean_absolute_memory(incomplete(0.0)))
    assert low == 0
    assert F(1, 200) <= high <= F(1, 50)
    low, high = ends(mean_absolute_memory(incomplete(0.5)))
    assert low <= F(99, 200)
    assert F(1, 2) <= high
    low, high = ends(memory_distance(incomplete(0.0), here))
    assert low == 0
    assert F(1, 200) <= high <= F(1, 20)
    low, high = ends(joint_distance(incomplete(0.0), here, F(7)))
    assert low == 0
    assert F(7, 100) + F(1, 200) <= high <= F(1, 5)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_merged_atoms_still_hold_every_memory(monkeypatch, limit):
    monkeypatch.setattr(joint, "MAX_ATOMS", limit)
    instance = gallery.load("mutant-m-step")
    law = pushed(instance, point_law(instance, 0, F(1, 7)), 6)
    assert len(law) <= limit + 1
    points = enumerated(instance, {0: F(1)}, mp(F(1, 7)), 6)
    for _, memory, _ in points:
        apart = [abs(mpmath.mpf(float(c)) - memory) for c in law.memories]
        assert any(a <= r for a, r in zip(apart, law.radii, strict=True))
    by_state = [sum(float(p) for i, _, p in points if i == state) for state in range(4)]
    assert np.abs(law.masses.sum(axis=1) - by_state).max() <= float(law.mass_error) + 1e-14
    exact = mpmath.fsum(p * abs(v) for _, v, p in points)
    contains(mean_absolute_memory(law), exact, 2.1 * float(law.spread()) + 1e-12)


@pytest.mark.parametrize("radius", [0.02, 0.3, 0.9])
def test_an_interval_is_pushed_to_an_interval_that_holds_its_image_and_is_narrow(radius):
    instance = gallery.load("two-state-sticky")
    law = joint.law_with_memory(instance, [F(1), F(0)], F(0), radius)
    found = pushed(instance, law, 1)
    with precision(128):
        images = [memory_map(instance, 0, ball(F(k, 50) * F(radius))).mid() for k in range(-50, 51)]
        low, high = (end_points(value)[0] for value in (images[0], images[-1]))
    assert all(end_points(a)[0] <= end_points(b)[0] for a, b in itertools.pairwise(images))
    assert F(float(found.memories[0])) - F(float(found.radii[0])) <= low
    assert high <= F(float(found.memories[0])) + F(float(found.radii[0]))
    # A sixteenth of the interval at most is lost at either end, times the curvature.
    assert 2 * float(found.radii[0]) <= float(high - low) * 1.1


@pytest.mark.parametrize("memory", [F(k, 3) for k in range(-11, 12) if k % 3])
def test_the_bound_of_a_point_holds_it_though_its_double_is_nearer(memory):
    instance = gallery.load("rain-tel-aviv")
    bound = point_law(instance, 0, memory).bound
    assert max(abs(memory), F(2, 5)) <= bound
    assert bound <= max(abs(memory) * (1 + F(1, 2**51)), F(2, 5) + F(1, 2**50))


def test_the_second_term_of_taylor_is_halved():
    """A narrow atom: the radius is |Phi'(c)| r + s2 E|B| r^2 / 2, not s2 E|B| r^2."""
    instance = gallery.load("sharp-ergodic")
    (b,) = instance.law.b.value
    (x,), (w,) = instance.chain.inputs[0], instance.law.w.value
    centre, radius = 0.25, 2.0**-9
    law = joint.law_with_memory(instance, [F(1), F(0)], F(centre), radius)
    found = pushed(instance, law, 1)
    slope = mp(abs(b)) * mpmath.sech(mp(w * x + F(centre))) ** 2
    curvature = mp(abs(b)) * 4 / (3 * mpmath.sqrt(3))
    exact = slope * radius + curvature * mpmath.mpf(radius) ** 2 / 2
    # The error of the doubles, some 10^-14, and 2^-40 of the radius.
    assert exact <= float(found.radii[0]) <= exact + 1e-12
    with precision(128):
        ends_of_image = [
            end_points(memory_map(instance, 0, ball(F(centre) + sign * F(radius))))[0]
            for sign in (-1, 1)
        ]
    middle = F(float(found.memories[0]))
    assert max(abs(end - middle) for end in ends_of_image) <= F(float(found.radii[0]))


def mixed(weight: Fraction, scale: Fraction, b: Fraction) -> Instance:
    instance = gallery.load("sharp-ergodic")
    return dataclasses.replace(
        instance,
        activation=ActivationSpec(terms=(Term(weight=weight, scale=scale, shift=F(0), of="tanh"),)),
        law=dataclasses.replace(instance.law, b=Constant(value=(b,))),
    )


def test_a_bound_beyond_the_range_of_doubles_is_not_enclosed():
    """10^200 tanh(10^-401 t) with B = 10^200: q = 1/10, and vbar = 10^400."""
    huge = mixed(F(10) ** 200, F(1, 10**401), F(10) ** 200)
    for law in (
        lambda: invariant_law(huge),
        lambda: point_law(huge, 0, F(0)),
        lambda: input_rounding(huge),
    ):
        with pytest.raises(NotEnclosed, match="range of double precision"):
            law()


@pytest.mark.parametrize(("order", "what"), [(0, "memory map in"), (1, "memory map's derivative")])
@pytest.mark.parametrize("name", ["rain-tel-aviv", "two-state-sticky", "random-dense-50"])
def test_a_wrong_memory_map_in_double_precision_is_seen(monkeypatch, name, order, what):
    instance = gallery.load(name)

    def wrong(*args, **options):
        values, error = memory_map_doubles(*args, **options)
        return (values * (1 + 1e-9) if options.get("order", 0) == order else values), error

    joint._map.cache_clear()
    monkeypatch.setattr(joint, "memory_map_doubles", wrong)
    with pytest.raises(NotEnclosed, match=what):
        point_law(instance, 0, F(0))
    monkeypatch.undo()
    # What failed is not remembered.
    assert len(point_law(instance, 0, F(0))) == 1


# --- the invariant law --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "steps", "width"), [("rain-tel-aviv", 10, 1e-8), ("sharp-l2", 12, 1e-9)]
)
def test_the_mean_memory_is_that_of_long_words(name, steps, width):
    instance = gallery.load(name)
    points = enumerated(instance, stationary(instance), 0, steps)
    q = {"rain-tel-aviv": F(1, 10), "sharp-l2": F(1, 10)}[name]
    forgotten = float(q**steps)
    mean = mpmath.fsum(p * abs(v) for _, v, p in points)
    low, high = ends(mean_absolute_memory(invariant_law(instance)))
    assert low - F(forgotten) <= rational(mean) <= high + F(forgotten)
    assert high - low <= width


def test_one_input_gives_the_fixed_point_in_every_state():
    instance = gallery.load("sharp-ergodic")
    law = invariant_law(instance)
    assert len(law) == 1
    low, high = end_points(fixed_point(instance, (0,)))
    centre, radius = F(float(law.memories[0])), F(float(law.radii[0]))
    assert centre - radius <= low <= high <= centre + radius
    assert radius <= F(1, 10**12)
    assert law.masses[:, 0] == pytest.approx([0.01, 0.99], abs=1e-15)


def test_a_cycle_has_one_memory_for_each_state():
    instance = gallery.load("sharp-forgetting")
    law = invariant_law(instance)
    cycle = (0, 1, 2, 3)
    for state in cycle:
        word = cycle[state:] + cycle[:state]
        low, high = end_points(fixed_point(instance, word))
        (atom,) = np.flatnonzero(law.masses[state] > 1e-3)
        centre, radius = F(float(law.memories[atom])), F(float(law.radii[atom]))
        assert centre - radius <= low <= high <= centre + radius
        assert radius <= F(1, 10**12)
        assert law.masses[state].sum() == pytest.approx(0.25, abs=1e-14)


@pytest.mark.parametrize("name", ["random-dense-50", "snakes-and-ladders", "de-bruijn-history"])
def test_a_step_keeps_the_invariant_law(name):
    instance = gallery.load(name)
    law = invariant_law(instance)
    following = pushed(instance, law, 1)
    distance = memory_distance(following, law)
    assert ends(distance)[0] == 0
    assert law.spread() <= F(1, 500) * F(float(end_points(ball(memory_bound(instance)))[1]))
    marginal = np.array([float(end_points(ball(p))[0]) for p in stationary_law(instance.chain)])
    assert np.abs(law.masses.sum(axis=1) - marginal).sum() <= float(law.mass_error) + 1e-12


def test_more_bits_allow_more_atoms():
    instance = gallery.load("de-bruijn-history")
    spreads = []
    for bits in (64, 128, 256):
        with precision(bits):
            spreads.append(invariant_law(instance).spread())
    assert spreads[1] < spreads[0] * F(2, 3)
    assert spreads[2] < spreads[1] * F(2, 3)


def test_a_slow_memory_is_found_though_its_contraction_factor_is_nearly_one():
    """E|B| = 1 - 1e-9 under tanh, x = 5/4, W = 1: the map's slope at its fixed point is small."""
    instance = gallery.load("sharp-ergodic")
    slow = dataclasses.replace(
        instance,
        chain=dataclasses.replace(instance.chain, inputs=((F(5, 4),),) * 2),
        law=dataclasses.replace(instance.law, b=Constant(value=(1 - F(1, 10**9),))),
    )
    assert invariant_law(slow).spread() <= F(1, 10**12)


def test_no_weight_gives_the_memory_zero():
    instance = gallery.load("sharp-ergodic")
    none = dataclasses.replace(
        instance, law=dataclasses.replace(instance.law, b=Constant(value=(F(0),)))
    )
    law = invariant_law(none)
    assert ends(mean_absolute_memory(law))[1] <= F(1, 10**12)


# --- distances ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("known", [1, 3])
def test_histories_are_compared_state_by_state_on_the_line(name, known):
    instance = gallery.load(name)
    first, second = history_law(instance, known), history_law(instance, 4)
    points = [enumerated(instance, stationary(instance), 0, steps) for steps in (known, 4)]
    exact = distance_on_the_line(*points, instance.chain.n_states)
    assert exact > 0
    contains(memory_distance(first, second), exact, 1e-11)


@pytest.mark.parametrize("name", DISCRETE)
def test_one_step_from_two_points_moves_the_states_and_the_memories(name):
    instance = gallery.load(name)
    i, j, v, w, weight = 0, 1, F(1, 3), F(-1, 5), F(7, 3)
    rows = [dict(instance.chain.rows[state]) for state in (i, j)]
    variation = sum(
        (abs(rows[0].get(k, F(0)) - rows[1].get(k, F(0))) for k in range(instance.chain.n_states)),
        F(0),
    )
    exact = mp(weight * variation / 2) + abs(phi(instance, i, mp(v)) - phi(instance, j, mp(w)))
    laws = [pushed(instance, point_law(instance, *at), 1) for at in ((i, v), (j, w))]
    contains(joint_distance(*laws, weight), exact, 1e-12)


@pytest.mark.parametrize("name", ["rain-tel-aviv", "mutant-m-step", "dependent-b-on-w"])
def test_with_a_large_weight_the_two_distances_agree_where_the_states_do(name):
    instance = gallery.load(name)
    first, second = history_law(instance, 1), history_law(instance, 3)
    low, high = ends(memory_distance(first, second))
    lower, upper = ends(joint_distance(first, second, F(4)))
    assert lower <= high
    assert low <= upper
    assert upper - lower <= F(1, 10**11)
    small = ends(joint_distance(first, second, F(1, 1000)))
    assert small[1] <= high


def test_a_point_and_a_law_are_at_the_mean_distance():
    instance = gallery.load("rain-tel-aviv")
    points = enumerated(instance, stationary(instance), 0, 3)
    exact = mpmath.fsum(p * ((5 if i != 1 else 0) + abs(v - mp(F(1, 4)))) for i, v, p in points)
    found = joint_distance(point_law(instance, 1, F(1, 4)), history_law(instance, 3), F(5))
    contains(found, exact, 1e-12)


def test_more_points_than_a_transport_can_hold_are_merged_at_a_cost_that_is_counted():
    instance = gallery.load("rain-tel-aviv")
    points = enumerated(instance, stationary(instance), 0, 10)
    exact = mpmath.fsum(p * ((5 if i != 1 else 0) + abs(v - mp(F(1, 4)))) for i, v, p in points)
    law = history_law(instance, 10)
    assert (law.masses > 0).sum() > 200
    found = joint_distance(point_law(instance, 1, F(1, 4)), law, F(5))
    contains(found, exact, 1e-2)
    assert ends(found)[1] - ends(found)[0] > F(1, 10**9)


# --- D ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISCRETE)
def test_sensitivity_is_the_largest_on_a_fine_grid(name):
    instance = gallery.load(name)
    vbar = mp(end_points(ball(memory_bound(instance)))[0])
    grid = [vbar * k / 400 for k in range(-400, 401)]
    table = [[phi(instance, i, v) for v in grid] for i in range(instance.chain.n_states)]
    values = {
        (i, j): max(abs(a - b) for a, b in zip(table[i], table[j], strict=True))
        for i, j in itertools.combinations(range(len(table)), 2)
    }
    best = max(values.values())
    found = input_sensitivity(instance)
    low, high = ends(found.value)
    assert rational(best) <= high
    assert low <= rational(best * (1 + mpmath.mpf(10) ** -4))
    assert high - low <= F(1, 10**12)
    i, j = found.states
    there = abs(phi(instance, i, mp(found.memory)) - phi(instance, j, mp(found.memory)))
    assert abs(mp(found.memory)) <= vbar
    assert there >= best * (1 - mpmath.mpf(10) ** -3)


def test_sensitivity_in_closed_form():
    """tanh, W = 1, B = 0.9, x = g and -g: the difference is largest at v = 0."""
    found = input_sensitivity(gallery.load("mutant-m-step"))
    value = 2 * mp(F(9, 10)) * mpmath.tanh(mp(F(1, 100)))
    contains(found.value, value, 1e-14)
    assert found.states in {(0, 2), (2, 0)}
    assert found.memory == 0


def test_equal_inputs_have_no_sensitivity():
    assert ends(input_sensitivity(gallery.load("sharp-ergodic")).value) == (0, 0)


def test_a_normal_law_is_integrated():
    instance = gallery.load("two-state-sticky")
    assert isinstance(instance.law.w, Normal)
    found = input_sensitivity(instance)
    with precision(128):
        values = []
        for k in range(-200, 201):
            v = F(k, 200) * end_points(ball(memory_bound(instance)))[0]
            first, second = (memory_map(instance, i, ball(v)) for i in (0, 1))
            values.append(end_points(abs(first - second))[0])
    low, high = ends(found.value)
    assert max(values) <= high
    assert low <= max(values) * (1 + F(1, 10**4))
    assert high - low <= F(1, 10**12)


@pytest.mark.parametrize("name", ["sharp-l2", "mutant-m-step", "dependent-b-on-w"])
def test_the_difference_is_bounded_on_the_strip(monkeypatch, name):
    instance = gallery.load(name)
    seen = []
    supremum = sensitivity.analytic_supremum
    monkeypatch.setattr(
        sensitivity,
        "analytic_supremum",
        lambda *args, **options: seen.append(options) or supremum(*args, **options),
    )
    sensitivity._input_sensitivity.cache_clear()
    i, j = input_sensitivity(instance).states
    sensitivity._input_sensitivity.cache_clear()
    strip, bound = mp(seen[0]["strip"]), end_points(seen[0]["strip_bound"])[1]
    grid = [mpmath.mpc(k / mpmath.mpf(8), strip) for k in range(-80, 81)]
    largest = max(abs(phi(instance, i, z) - phi(instance, j, z)) for z in grid)
    assert 0 < largest <= mp(bound)


def test_few_pairs_of_many_inputs_are_enclosed_by_polynomials(monkeypatch):
    instance = gallery.load("random-dense-50")
    calls = []
    supremum = sensitivity._supremum
    monkeypatch.setattr(
        sensitivity, "_supremum", lambda *args: calls.append(args[1:3]) or supremum(*args)
    )
    sensitivity._input_sensitivity.cache_clear()
    whole = input_sensitivity(instance)
    assert 1 <= len(calls) <= 4
    # the truth, from the two extreme inputs
    points = [x for (x,) in instance.chain.inputs]
    extremes = {points.index(min(points)), points.index(max(points))}
    assert set(whole.states) == extremes
    monkeypatch.setattr(sensitivity, "MAX_PAIRS", 0)
    sensitivity._input_sensitivity.cache_clear()
    coarse = input_sensitivity(instance)
    sensitivity._input_sensitivity.cache_clear()
    assert ends(coarse.value)[1] >= ends(whole.value)[0]
    assert ends(coarse.value)[1] <= ends(whole.value)[1] * F(1001, 1000)


def two_inputs(x: Fraction, b: Fraction) -> Instance:
    """Two states with the inputs 0 and x, a logistic activation, W = 1 and B = b."""
    instance = gallery.load("rain-tel-aviv")
    return dataclasses.replace(
        instance,
        chain=dataclasses.replace(instance.chain, inputs=((F(0),), (x,))),
        activation=ActivationSpec.named("logistic"),
        law=ProductLaw(
            c=Constant(value=(F(0),)), w=Constant(value=(F(1),)), b=Constant(value=(b,))
        ),
    )


def test_an_input_beyond_the_range_of_doubles_is_not_enclosed():
    with pytest.raises(NotEnclosed, match="range of double precision"):
        input_sensitivity(two_inputs(F(10**400), F(1, 2)))


@pytest.mark.parametrize("exponent", [100, 310, 400])
def test_a_tiny_weight_has_a_tiny_sensitivity(exponent):
    found = input_sensitivity(two_inputs(F(1), F(1, 10**exponent)))
    bounds = enclosure(found.value)
    truth = (SIGMA["logistic"](1) - mpmath.mpf(1) / 2) * mpmath.mpf(10) ** -exponent
    slack = 1 + mpmath.mpf(2) ** -50
    assert mpmath.mpf(str(bounds.lower)) <= truth * slack
    assert truth <= mpmath.mpf(str(bounds.upper)) * slack
    # The supremum's own absolute tolerance.
    assert bounds.width_upper() <= F(1, 2**59)

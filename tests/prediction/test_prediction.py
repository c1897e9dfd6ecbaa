"""What a network becomes, against an ODE solver that shares nothing with the flow."""

from __future__ import annotations

import dataclasses
import itertools
from decimal import Decimal
from fractions import Fraction
from math import exp, log, sqrt

import numpy as np
import pytest
from predicted import changed, coarse_instance, predicted
from scipy.integrate import solve_ivp

from verification import gallery
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow import limit_flow as flow_module
from verification.flow.history import history_law
from verification.prediction import prediction as module
from verification.prediction.prediction import predict
from verification.verdict import Enclosure

F = Fraction
WORD = 12
"""Symbols of a word; the memory forgets by q = 0.1 a symbol."""


def middle(bounds) -> float:
    return float((bounds.lower + bounds.upper) / 2)


def logistic(u):
    return 1 / (1 + np.exp(-u))


class Rain:
    """The limit of the rain instance by brute force: words, the kernel as a sum over atoms."""

    def __init__(self, instance) -> None:
        atoms = instance.law.atoms
        self.p, self.c, self.b = (
            np.array([float(getattr(atom, name)) for atom in atoms]) for name in "pcb"
        )
        self.w = np.array([float(atom.w[0]) for atom in atoms])
        chain = instance.chain
        matrix = np.array([[float(dict(row).get(j, 0)) for j in (0, 1)] for row in chain.rows])
        self.pi = np.array([matrix[1, 0], matrix[0, 1]]) / (matrix[1, 0] + matrix[0, 1])
        self.x = np.array([float(x) for (x,) in chain.inputs])
        self.y = np.array([float(y) for y in chain.targets])
        self.alpha = float(instance.training.alpha)
        states, memories, weights = [], [], []
        for word in itertools.product((0, 1), repeat=WORD + 1):
            weight, memory = self.pi[word[0]], 0.0
            for i, j in itertools.pairwise(word):
                weight *= matrix[i, j]
                memory = float(self.p @ (self.b * logistic(self.w * self.x[i] + memory)))
            states.append(word[-1])
            memories.append(memory)
            weights.append(weight)
        self.states, self.memories = np.array(states), np.array(memories)
        self.weights = np.array(weights)
        features = self.features(self.states, self.memories)
        self.matrix = (features * self.weights[:, np.newaxis]).T @ features
        self.vector = features.T @ (self.weights * self.y[self.states])

    def features(self, states, memories):
        s = logistic(np.outer(self.x[states], self.w) + np.asarray(memories)[:, np.newaxis])
        slopes = s * (1 - s) * self.c * self.x[states][:, np.newaxis]
        return np.hstack([s, slopes]) * np.sqrt(np.tile(self.p, 2))

    def parameters(self, times):
        """Return theta at the times, by an ODE solver."""
        solved = solve_ivp(
            lambda _t, theta: -self.alpha * (self.matrix @ theta - self.vector),
            (0, times[-1]),
            np.zeros(len(self.vector)),
            "DOP853",
            t_eval=times,
            rtol=1e-12,
            atol=1e-13,
        )
        return solved.y.T

    def loss(self, theta):
        off = self.features(self.states, self.memories) @ theta - self.y[self.states]
        return float(self.weights @ off**2)


SOLVER = 1e-10
"""What the solver errs here, two digits more than it promises a step, and what words forget."""


@pytest.fixture(scope="module")
def oracle(rain):
    return Rain(rain.instance)


def near(bounds, value, error=SOLVER) -> bool:
    """Tell whether an enclosure is narrow and contains a number that is known up to an error."""
    widened = Decimal(value - error) <= bounds.upper and bounds.lower <= Decimal(value + error)
    return widened and bounds.upper - bounds.lower < Decimal("1e-9")


def test_output_and_loss_agree_with_an_ode_solver(rain, oracle):
    times = [float(time) for time in rain.times]
    thetas = oracle.parameters(times)
    at_points = oracle.features(
        np.array([point.state for point in rain.points]),
        np.array([float(point.memory) for point in rain.points]),
    )
    for theta, outputs, loss in zip(thetas, rain.limit.outputs, rain.limit.losses, strict=True):
        assert near(loss, oracle.loss(theta))
        for row, bounds in zip(at_points, outputs, strict=True):
            assert near(bounds, float(row @ theta))


def test_a_coarse_law_widens_the_enclosures_that_hold_the_truth(rain, oracle):
    """With words of two symbols all is off by far more than the oracle."""
    points = [(point.state, point.memory) for point in rain.points]
    flow = flow_module.limit_flow(rain.instance, history_law(rain.instance, length=1), points)
    assert flow.law.spread > 1e-4
    limit = module._curve(flow, rain.times)
    for fine, coarse in zip(rain.limit.outputs, limit.outputs, strict=True):
        for one, other in zip(fine, coarse, strict=True):
            assert other.lower <= one.lower <= one.upper <= other.upper
    for one, other in zip(rain.limit.losses, limit.losses, strict=True):
        assert other.lower <= one.upper
        assert one.lower <= other.upper
    exact = np.linalg.eigvalsh(oracle.matrix)[::-1]
    *directions, rest = module._spectrum(flow, rain.training, limit.losses[0])
    assert directions
    assert all(
        abs(middle(x.eigenvalue) - y) > 1e-7 for x, y in zip(directions, exact, strict=False)
    )
    for direction, value in zip(directions, exact, strict=False):
        assert direction.eigenvalue.lower <= Decimal(value) <= direction.eigenvalue.upper
        assert direction.eigenvalue.lower > 0
        assert direction.half_time.lower <= Decimal(log(2) / (2 * value))
        assert Decimal(log(2) / (2 * value)) <= direction.half_time.upper
    assert Decimal(exact[len(directions)]) <= rest.eigenvalue.upper


def test_what_is_learned_is_what_the_loss_has_lost(rain, oracle):
    theta = oracle.parameters([0.0, float(rain.times[-1])])[-1]
    whole = oracle.loss(np.zeros_like(theta))
    assert near(rain.learned, 1 - oracle.loss(theta) / whole)


def test_points_are_the_mean_memories_of_the_states(rain, oracle):
    assert [point.state for point in rain.points] == [0, 1]
    for point in rain.points:
        own = oracle.states == point.state
        mean = oracle.weights[own] @ oracle.memories[own] / oracle.weights[own].sum()
        # Rounded to four decimals.
        assert abs(float(point.memory) - mean) <= 0.5e-4 + 1e-9
        assert 10**4 % point.memory.denominator == 0
        assert point.probability_estimate == pytest.approx(oracle.pi[point.state], rel=1e-12)
        assert point.target == rain.instance.chain.targets[point.state]


def test_eigenvalues_are_those_of_the_operator(rain, oracle):
    exact = np.linalg.eigvalsh(oracle.matrix)[::-1]
    assert len(rain.directions) >= 4
    for direction, value in zip(rain.directions, exact, strict=False):
        assert near(direction.eigenvalue, value)
        rate = float(rain.training.alpha) * value
        if value > 1e-6:
            assert middle(direction.half_time) == pytest.approx(log(2) / (2 * rate), rel=1e-4)
        gone = 1 - exp(-2 * rate * float(rain.training.horizon))
        assert near(direction.learned, gone, 1e-9)
    assert rain.rest.eigenvalue.lower == 0
    assert Decimal(float(exact[len(rain.directions)])) <= rain.rest.eigenvalue.upper < 1e-9


def test_parts_of_the_directions_make_up_the_loss(rain):
    """The spectral formula, with the estimated parts, gives the loss at every time."""
    alpha = float(rain.training.alpha)
    for time, loss in zip(rain.times, rain.limit.losses, strict=True):
        summed = rain.rest.part_estimate + sum(
            direction.part_estimate * exp(-2 * alpha * float(time) * middle(direction.eigenvalue))
            for direction in rain.directions
        )
        assert middle(loss) == pytest.approx(summed, abs=1e-8)
    shares = [direction.share_estimate for direction in (*rain.directions, rain.rest)]
    assert sum(shares) == pytest.approx(1, abs=1e-9)


def test_at_its_half_time_half_is_learned():
    """With one state there is one direction: the loss itself halves."""
    instance = gallery.load("one-state")
    first = predicted(instance)
    (direction,) = first.directions
    until = Fraction(direction.half_time.lower)
    training = dataclasses.replace(instance.training, horizon=until)
    second = predict(dataclasses.replace(instance, training=training))
    assert abs(middle(second.learned) - 0.5) < 1e-9
    assert abs(middle(second.directions[0].learned) - 0.5) < 1e-9


def test_times_are_even_from_zero_to_the_horizon(rain):
    assert rain.times == tuple(F(3 * k, 32) for k in range(33))


@pytest.mark.parametrize("clock", [F(33), F(1000), F(10**6), F(2**30)])
def test_long_times_are_spread_over_the_scales(clock):
    training = changed(training={"horizon": str(clock)}).training
    times = module._times(training, 1.0)
    assert times[0] == 0
    assert times[-1] == clock
    assert list(times) == sorted(set(times))
    assert 20 <= len(times) <= 40
    # Each direction is met early enough: no step is longer than what came before it.
    assert all(later <= 2 * earlier for earlier, later in itertools.pairwise(times[1:]))
    assert times[1] <= max(F(1, 3), clock / 2**30)


def test_a_third_is_reached_exactly():
    assert predicted(changed(training={"horizon": "1/3"})).times[-1] == F(1, 3)


def test_bounds_of_a_falling_curve_use_each_other():
    curve = flow_module.Curve(
        values=np.array([1.0, 0.7, 0.9, 0.2, 0.1]), errors=np.array([0, 0.25, 0.5, 0.3, 0.05])
    )
    bounds = module._decreasing(curve)
    assert [round(float(x.upper), 6) for x in bounds] == [1.0, 0.95, 0.95, 0.5, 0.15]
    assert [round(float(x.lower), 6) for x in bounds] == [1.0, 0.45, 0.4, 0.05, 0.05]


def test_a_share_is_bounded_by_both_losses():
    losses = [Enclosure(Decimal("0.8"), Decimal(1)), Enclosure(Decimal("0.2"), Decimal("0.4"))]
    learned = module._learned(changed(), losses)
    assert (learned.lower, learned.upper) == (Decimal("0.5"), Decimal("0.8"))
    (first,) = losses[:1]
    assert module._learned(changed(), [first, first]).lower == 0


# Unusual instances


def test_the_likeliest_eight_states_are_shown():
    found = predicted(gallery.load("snakes-and-ladders"))
    shares = [point.probability_estimate for point in found.points]
    assert len(shares) == 8
    states = [point.state for point in found.points]
    assert states == sorted(states)
    assert min(shares) >= (1 - sum(shares)) / (101 - 8)
    assert found.rest.share_estimate > 0.5


def test_a_transient_state_is_not_shown():
    found = predicted(gallery.load("absorbing"))
    assert [point.state for point in found.points] == [0]


def test_targets_that_are_zero_leave_nothing_to_learn():
    found = predicted(changed(chain={"targets": ["0", "0"]}))
    assert found.learned is None
    assert {(x.lower, x.upper) for x in found.limit.losses} == {(0, 0)}
    assert {(x.lower, x.upper) for xs in found.limit.outputs for x in xs} == {(0, 0)}
    assert {direction.share_estimate for direction in found.directions} == {None}
    assert found.notes == ("Every target that recurs is 0: there is nothing to learn.",)


def test_a_target_that_never_recurs_is_not_learned():
    instance = gallery.load("absorbing")
    targets = tuple(F(int(state != 0)) for state in range(instance.chain.n_states))
    chain = dataclasses.replace(instance.chain, targets=targets)
    assert predict(dataclasses.replace(instance, chain=chain)).learned is None


def test_equal_targets_are_learned_in_part():
    found = predicted(changed(chain={"targets": ["1", "1"]}))
    assert abs(middle(found.limit.losses[0]) - 1) < 1e-9
    assert 0 < middle(found.learned) < 1


def test_a_hidden_state_leaves_its_variance():
    """Two states that show one input and differ in their targets: half of the loss, or more."""
    found = predicted(gallery.load("zero-memory"))
    assert found.rest.share_estimate == pytest.approx(0.5, abs=1e-6)


def test_a_coarse_law_is_told():
    found = predicted(coarse_instance())
    (note,) = found.notes
    assert "the memory forgets slowly" in note
    assert found.directions == ()
    for bounds in found.limit.losses:
        assert 0 <= bounds.lower <= bounds.upper <= Decimal("1.000001")


def test_a_long_time_is_told():
    (note,) = predicted(changed(training={"horizon": "1e7"})).notes
    assert "a shorter horizon" in note


def test_the_horizon_that_is_possible_is_told():
    instance = coarse_instance()
    training = dataclasses.replace(instance.training, horizon=F(100))
    with pytest.raises(NotEnclosed, match=r"expected a training\.horizon up to about (\S+)") as too:
        predict(dataclasses.replace(instance, training=training))
    told = Fraction(str(too.value).rsplit("about ", 1)[1].split(",")[0])
    training = dataclasses.replace(training, horizon=told)
    assert predict(dataclasses.replace(instance, training=training)).times[-1] == told


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        (changed(training=None), 'training: is missing, expected constants such as {"alpha"'),
        (changed(training={"horizon": "1e10"}), r"training.horizon: is 10000000000, expected at"),
        (changed(training={"horizon": "1e60"}), r"training.horizon: is 1000.*1e-50 to 1e50"),
        (changed(training={"alpha": "1e-60"}), r"training.alpha: is 0.000.*1e-50 to 1e50"),
        (changed(chain={"targets": ["0", "1e101"]}), r"chain.targets\[1\]: is too large"),
        (gallery.load("reducible"), "chain.transition: has no unique stationary law"),
        (gallery.load("expanding"), "law: has q = s1 E|B| = 1.5, expected q < 1.*make B smaller"),
        (gallery.load("critical"), "law: has q = s1 E|B| = 1, expected q < 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_what_cannot_be_predicted_is_told(instance, said):
    if instance.training is None and instance.name in {"reducible", "expanding", "critical"}:
        training = changed().training
        instance = dataclasses.replace(instance, training=training)
    with pytest.raises(InvalidInstance, match=said.replace("|", r"\|").replace("{", r"\{")):
        predict(instance)


def test_stages_are_told():
    told = []
    predict(changed(), on_stage=told.append)
    assert told == ["the law of state and memory", "the limit equation", "the output at 33 times"]


def test_square_roots_of_the_atoms_are_exact(oracle):
    """The oracle's own check: its features give the kernel's diagonal."""
    row = oracle.features(np.array([1]), np.array([0.3]))[0]
    s = logistic(oracle.w + 0.3)
    assert float(row @ row) == pytest.approx(
        float(oracle.p @ (s**2 + oracle.c**2 * (s * (1 - s)) ** 2)), rel=1e-14
    )
    assert sqrt(float(oracle.p.sum())) == pytest.approx(1, rel=1e-14)

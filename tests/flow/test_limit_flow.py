"""The limit equation in double precision against three other solutions."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from verification import gallery
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow.history import history_law, joint_law
from verification.flow.limit_flow import limit_flow
from verification.flow.node_law import NodeLaw, invariant_law
from verification.instance import ActivationSpec, Instance, Term, Training
from verification.kernel.gram import kernel_matrix
from verification.markov.finite import stationary_law

F = Fraction
TRAINING = Training(alpha=F(2), beta=F(3, 4), gamma=F(1, 10), horizon=F(1))
TIMES = [F(0), F(1, 8), F(1), F(5), F(40)]


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance if instance.training else dataclasses.replace(instance, training=TRAINING)


def as_exact(law: NodeLaw) -> NodeLaw:
    """Return the words as a law of its own, not as an approximation of another."""
    return dataclasses.replace(law, spread=0.0, mass_error=0.0)


def points_of(instance: Instance) -> list[tuple[int, Fraction]]:
    return [(0, F(1, 4)), (instance.chain.n_states - 1, F(-1, 8))]


def arrays(instance: Instance, law: NodeLaw):
    """Return inputs and memories of the nodes and then of the points, and the nodes' targets."""
    inputs = np.array([[float(x) for x in point] for point in instance.chain.inputs])
    targets = np.array([float(y) for y in instance.chain.targets])
    points = points_of(instance)
    states = np.concatenate([law.states, [state for state, _ in points]]).astype(int)
    memories = np.concatenate([law.memories, [float(v) for _, v in points]])
    return inputs[states], memories, targets[law.states]


@pytest.mark.parametrize(
    "name",
    [
        "markov-onegin",
        "hidden-state",
        "two-dimensional",
        "two-dimensional-uniform",
        "mixture-activation",
        "sunspots",
        "seattle-weather",
    ],
)
def test_solution_agrees_with_an_ode_solver(name):
    instance = load(name)
    assert instance.training is not None
    law = as_exact(history_law(instance, length=1 if instance.chain.n_states > 9 else 2))
    flow = limit_flow(instance, law, points_of(instance))
    inputs, memories, targets = arrays(instance, law)
    matrix, _ = kernel_matrix(instance, inputs, memories)
    n, alpha = len(law), float(instance.training.alpha)

    def speed(_t, g):
        return -alpha * matrix[:, :n] @ (law.weights * (g[:n] - targets))

    for time in TIMES[1:4]:
        solved = solve_ivp(
            speed, (0, float(time)), np.zeros(len(memories)), "DOP853", rtol=1e-12, atol=1e-13
        )
        g = solved.y[:, -1]
        output, loss = flow.output([time]), flow.loss([time])
        np.testing.assert_allclose(output.values[0], g[n:], atol=1e-10)
        assert float(law.weights @ (g[:n] - targets) ** 2) == pytest.approx(
            loss.values[0], abs=1e-10
        )
        assert output.errors[0] < 1e-10
        assert loss.errors[0] < 1e-9


def sine_kernel(x, v, y, w):
    """Return K for sigma = sin, W normal with mean 1/2 and deviation 1, E[C^2] = 1/3, in mpmath."""
    v, w = v + x / 2, w + y / 2
    near, far = (
        mpmath.exp(-((x - y) ** 2) / 2) * mpmath.cos(v - w),
        mpmath.exp(-((x + y) ** 2) / 2) * mpmath.cos(v + w),
    )
    return (near - far) / 2 + x * y * (near + far) / 6


def test_solution_agrees_with_a_matrix_exponential_at_fifty_digits():
    template = load("sharp-sine")
    law = template.law
    assert (law.w.mean, law.w.std) == ((F(1, 2),), 1)
    assert (law.c.low, law.c.high) == ((F(-1),), (F(1),))
    words = as_exact(history_law(template, length=1))
    flow = limit_flow(template, words, points_of(template))
    assert template.training is not None
    with mpmath.workdps(50):
        number = mpmath.mpf
        inputs = [number(x.numerator) / x.denominator for (x,) in template.chain.inputs]
        nodes = [(inputs[i], number(v)) for i, v in zip(words.states, words.memories, strict=True)]
        points = [(inputs[i], number(v.numerator) / v.denominator) for i, v in points_of(template)]
        weights = [number(w) for w in words.weights]
        targets = [
            number(template.chain.targets[i].numerator) / template.chain.targets[i].denominator
            for i in words.states
        ]
        n = len(nodes)
        alpha = number(template.training.alpha.numerator) / template.training.alpha.denominator
        operator = mpmath.matrix(n, n)
        for a in range(n):
            for b in range(n):
                operator[a, b] = sine_kernel(*nodes[a], *nodes[b]) * weights[b]
        for time in TIMES:
            t = number(time.numerator) / time.denominator
            # c = int_0^t (y - g) ds through the exponential of a larger matrix.
            larger = mpmath.matrix(2 * n, 2 * n)
            for a in range(n):
                larger[a, n + a] = 1
                for b in range(n):
                    larger[a, b] = -alpha * operator[a, b]
            grown = mpmath.expm(larger * t, method="taylor") if t else mpmath.eye(2 * n)
            missed = [sum(grown[a, n + b] * targets[b] for b in range(n)) for a in range(n)]
            output = flow.output([time])
            for k, point in enumerate(points):
                exact = alpha * sum(
                    sine_kernel(*point, *node) * w * c
                    for node, w, c in zip(nodes, weights, missed, strict=True)
                )
                gap = abs(exact - number(float(output.values[0, k])))
                assert gap <= number(float(output.errors[0]))
            # What is lost grows with alpha t, and not like an exponential.
            assert output.errors[0] < 1e-12 * (1 + alpha * t) ** 2


@pytest.mark.parametrize(
    "name", ["markov-onegin", "rain-tel-aviv", "near-periodic", "two-dimensional-uniform"]
)
def test_both_laws_give_one_solution(name):
    instance = load(name)
    points = points_of(instance)
    one = limit_flow(instance, invariant_law(instance), points)
    other = limit_flow(instance, history_law(instance, width=1e-8, max_words=2**15), points)
    for curves in ((one.output(TIMES), other.output(TIMES)), (one.loss(TIMES), other.loss(TIMES))):
        gap = np.abs(curves[0].values - curves[1].values)
        allowed = curves[0].errors + curves[1].errors
        assert (gap <= (allowed[:, np.newaxis] if gap.ndim == 2 else allowed)).all()
    k = min(len(one.eigenvalues), len(other.eigenvalues))
    apart = np.abs(one.eigenvalues[::-1][:k] - other.eigenvalues[::-1][:k]).max()
    assert apart <= one.eigenvalue_error + other.eigenvalue_error


@pytest.mark.parametrize("name", ["markov-onegin", "hidden-state", "sunspots", "seattle-weather"])
def test_output_is_known_to_ten_digits(name):
    instance = load(name)
    flow = limit_flow(instance, invariant_law(instance), points_of(instance))
    assert flow.output([F(1)]).errors[0] < 1e-11
    assert flow.loss([F(1)]).errors[0] < 1e-10


def test_loss_starts_at_the_mean_square_and_falls():
    instance = load("markov-onegin")
    flow = limit_flow(instance, invariant_law(instance), [])
    times = [F(k, 4) for k in range(20)]
    curve = flow.loss(times)
    # pi = (663, 872)/1535, y = (1/2, -1/4).
    assert abs(curve.values[0] - (663 * 0.25 + 872 * 0.0625) / 1535) <= curve.errors[0] < 1e-12
    assert (np.diff(curve.values) < 0).all()


def test_hidden_targets_leave_their_variance():
    """States 0 and 1 of the instance share an input; what remains is at least what is hidden."""
    instance = load("sharp-ergodic")
    flow = limit_flow(instance, invariant_law(instance), [])
    assert len({tuple(x) for x in instance.chain.inputs}) == 1
    pi0 = 0.01
    spread = float(instance.chain.targets[0] - instance.chain.targets[1])
    curve = flow.loss([F(400)])
    assert abs(curve.values[0] - pi0 * (1 - pi0) * spread**2) <= curve.errors[0] + 1e-12


def test_kernel_too_large_for_features_goes_through_its_gram_matrix():
    instance = load("two-dimensional")
    law = invariant_law(instance)
    flow = limit_flow(instance, law, points_of(instance))
    assert len(flow.eigenvalues) <= len(law) + 2
    assert flow.output([F(1)]).errors[0] < 1e-10


def test_training_constants_and_states_are_asked_for():
    instance = load("markov-onegin")
    law = invariant_law(instance)
    with pytest.raises(InvalidInstance, match="training"):
        limit_flow(dataclasses.replace(instance, training=None), law, [])
    with pytest.raises(InvalidInstance, match="state"):
        limit_flow(instance, law, [(2, F(0))])
    flow = limit_flow(instance, law, [])
    with pytest.raises(InvalidInstance, match="time"):
        flow.loss([F(-1)])


def test_a_target_whose_square_is_no_double_is_refused():
    instance = load("markov-onegin")
    for y in (F(10) ** 101, F(-(10**999))):
        chain = dataclasses.replace(instance.chain, targets=(F(0), y))
        with pytest.raises(InvalidInstance, match=r"chain\.targets\[1\]: is too large"):
            limit_flow(dataclasses.replace(instance, chain=chain), invariant_law(instance), [])


def test_a_coarse_law_is_refused_at_long_times():
    instance = load("two-state-sticky")
    flow = limit_flow(instance, history_law(instance, length=1), [])
    with pytest.raises(NotEnclosed, match="too coarsely"):
        flow.loss([F(100)])


def test_a_kernel_that_is_zero_leaves_the_network_at_zero():
    term = Term(weight=F(1, 3), scale=F(1), shift=F(0), of="tanh")
    activation = ActivationSpec(terms=(term, dataclasses.replace(term, weight=F(-1, 3))))
    # Many features that are all zero, and a Gram matrix of rank 0.
    for name in ("markov-onegin", "two-dimensional"):
        instance = dataclasses.replace(load(name), activation=activation)
        law = joint_law(instance)
        flow = limit_flow(instance, law, points_of(instance))
        output, loss = flow.output(TIMES), flow.loss(TIMES)
        assert (np.abs(output.values) <= output.errors[:, np.newaxis]).all()
        assert output.errors.max() < 1e-9
        pi = [float(p) for p in stationary_law(instance.chain)]
        still = sum(p * float(y) ** 2 for p, y in zip(pi, instance.chain.targets, strict=True))
        assert (np.abs(loss.values - still) <= loss.errors + 1e-15).all()
        assert loss.errors.max() < 1e-9


def test_a_memory_that_is_no_double_is_refused():
    instance = load("markov-onegin")
    law = invariant_law(instance)
    for memory in (F(10) ** 400, -(F(10) ** 400)):
        with pytest.raises(NotEnclosed, match="beyond the range of double precision"):
            limit_flow(instance, law, [(0, memory)])

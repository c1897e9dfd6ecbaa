"""T1 to T4, T7, T7Z: both sides against mpmath, sharp, refutable, true of random trainings."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction

import mpmath
import pytest
from hypothesis import event, given, settings
from mpmath import mpf

from tests.support.trained import curve, exact, frozen_memories, kernel, output, trained
from theorems.training_convergence import (
    CLAIMS,
    T1,
    T2,
    T3,
    T4,
    T7,
    T7Z,
    Network,
    Weight,
    covers_targets,
    linearisation_bound,
    linearisation_error,
    linearised_networks,
    moved_bound,
    moved_memories,
    moved_weights,
    placed_steps,
    trained_networks,
    weighted_errors,
)
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import end_points, precision
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    ProductLaw,
    Term,
    Training,
)
from verification.recurrent.law import bound_b, bound_c
from verification.verdict import Truth, Verdict

F = Fraction
PATHWISE = (T1, T2, T3, T7, T7Z)
FEWER = settings(max_examples=max(10, settings.default.max_examples // 2))
ORACLE_INSTANCES = [
    *("markov-onegin", "two-dimensional", "rain-tel-aviv", "sharp-moving-weights", "sharp-drift"),
]


def load(name: str) -> Instance:
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    return instance


def shorter(case, steps=8):
    """The same case of a training of few steps: mpmath is slow."""
    return dataclasses.replace(case, path=case.path[:steps], step=min(case.step, steps - 1))


def some_cases(cases_of, instance):
    """The cases of the smaller width, shortened."""
    with precision(64):
        cases = cases_of(instance, random.Random(3))
    return [shorter(case) for case in cases if case.width == 2]


def agrees(value, truth: mpf) -> None:
    low, high = end_points(value)
    # mpmath works with 50 digits, of which differences lose some; the balls with 128 bits.
    assert exact(low) - mpf(10) ** -42 <= truth <= exact(high) + mpf(10) ** -42
    assert float(high - low) <= 2**-70


def bounds(instance: Instance) -> tuple[mpf, mpf, mpf]:
    """s0, s1, s2 of the activations that the oracle instances have."""
    tanh = (mpf(1), mpf(1), 4 / (3 * mpmath.sqrt(3)))
    logistic = (mpf(1), mpf(1) / 4, 1 / (6 * mpmath.sqrt(3)))
    families = {"tanh": tanh, "logistic": logistic}
    return tuple(
        mpmath.fsum(
            abs(exact(t.weight * t.scale**k)) * families[t.of][k] for t in instance.activation.terms
        )
        for k in range(3)
    )


class Written:
    """The constants of one case, as the theorem's text has them."""

    def __init__(self, instance: Instance, case) -> None:
        training = instance.training
        assert training is not None
        self.done = trained(instance, case.units, case.path)
        n, self.k = len(case.units.atoms), case.step
        self.alpha, self.beta = exact(training.alpha), exact(training.beta)
        self.n, self.r, self.h = mpf(n), self.alpha * mpf(n) ** (self.beta - 2), self.alpha / n
        self.s0, self.s1, self.s2 = bounds(instance)
        self.cbar, self.bbar = exact(bound_c(instance.law)), exact(bound_b(instance.law))
        inputs = instance.chain.inputs
        self.radius = mpmath.sqrt(exact(max(sum(q * q for q in x) for x in inputs)))

    def ebar(self, k: int) -> mpf:
        return mpmath.fsum(map(abs, self.done.e[:k]))

    def m(self, k: int) -> mpf:
        """M_k in its closed form."""
        squares = mpmath.fsum(e * e for e in self.done.e[:k])
        moved = self.r * self.s0 * self.ebar(k)
        return self.ebar(k) * (self.cbar + moved / 2) - self.r * self.s0 * squares / 2

    def d_w(self, k: int) -> mpf:
        return self.r * self.s1 * self.radius * self.m(k)

    def d_b(self, k: int) -> mpf:
        return self.r * self.s0 * self.s1 * self.m(k)


@pytest.mark.parametrize("name", ORACLE_INSTANCES)
def test_both_sides_of_t1(name):
    instance = load(name)
    cases = some_cases(moved_weights, instance)
    assert {case.weight for case in cases} == set(Weight)
    for case in cases:
        with mpmath.workdps(50), precision(128):
            text = Written(instance, case)
            k, done = case.step, text.done
            left = {
                Weight.OUTPUT: max(abs(a - b) for a, b in zip(done.c[k], done.c[0], strict=True)),
                Weight.INPUT: max(
                    mpmath.sqrt(mpmath.fsum((a - b) ** 2 for a, b in zip(*rows, strict=True)))
                    for rows in zip(done.w[k], done.w[0], strict=True)
                ),
                Weight.FEEDBACK: max(abs(a - b) for a, b in zip(done.b[k], done.b[0], strict=True)),
            }
            right = {
                Weight.OUTPUT: text.r * text.s0 * text.ebar(k),
                Weight.INPUT: text.d_w(k),
                Weight.FEEDBACK: text.d_b(k),
            }
            agrees(T1.left(instance, case), left[case.weight])
            agrees(T1.right(instance, case), right[case.weight])


@pytest.mark.parametrize("name", ORACLE_INSTANCES)
def test_both_sides_of_t2(name):
    instance = load(name)
    for case in some_cases(moved_memories, instance):
        with mpmath.workdps(50), precision(128):
            text, k = Written(instance, case), case.step
            frozen = frozen_memories(instance, case.units, case.path)
            q = text.s1 * text.bbar
            each = text.s0 * text.d_b(k) + q * text.radius * text.d_w(k - 1)
            agrees(T2.left(instance, case), abs(text.done.v[k] - frozen[k]))
            agrees(T2.right(instance, case), each * (1 - q**k) / (1 - q))
            sizes = mpmath.fsum(map(abs, (*text.done.b[k], *text.done.b[0])))
            agrees(T2.trivial(instance, case), text.s0 * sizes / text.n)


@pytest.mark.parametrize("name", ORACLE_INSTANCES)
def test_both_sides_of_t3(name):
    instance = load(name)
    for case in some_cases(placed_steps, instance):
        with mpmath.workdps(50), precision(128):
            text, k = Written(instance, case), case.step
            x, v = case.place.input, exact(case.place.memory)
            here = instance.chain.inputs[case.path[k]], text.done.v[k]
            change = output(instance, text.done, k + 1, x, v) - output(instance, text.done, k, x, v)
            step = text.h * text.done.e[k] * kernel(instance, text.done, k, here, (x, v))
            agrees(T3.left(instance, case), abs(change + step))
            agrees(T3.trivial(instance, case), abs(change) + abs(step))
            chat = text.cbar + text.r * text.s0 * text.ebar(k)
            kappa = text.s1**2 * text.radius**2
            each = text.s0 * kappa + chat**2 * text.s1**2 * text.s2 * text.radius**4 / 2
            rate = text.alpha**2 * text.n ** (text.beta - 3) * text.done.e[k] ** 2
            agrees(T3.right(instance, case), rate * chat * each)


def initial_part(instance: Instance, text: Written, case, k: int) -> mpf:
    """z_k."""
    sigma, slope = curve(instance.activation, 0), curve(instance.activation, 1)
    done, x = text.done, [exact(q) for q in instance.chain.inputs[case.path[k]]]
    terms = []
    for i in range(case.width):
        u = mpmath.fdot(done.w[k][i], x) + done.v[k]
        moved = mpmath.fdot(x, [a - b for a, b in zip(done.w[k][i], done.w[0][i], strict=True)])
        terms.append((done.c[k][i] - done.c[0][i]) * sigma(u) + done.c[k][i] * slope(u) * moved)
    return done.p[k] - text.n**-text.beta * mpmath.fsum(terms)


@pytest.mark.parametrize("name", ORACLE_INSTANCES)
def test_both_sides_of_t7z(name):
    instance = load(name)
    for case in some_cases(linearised_networks, instance):
        with mpmath.workdps(50), precision(128):
            text, k = Written(instance, case), case.step
            x = instance.chain.inputs[case.path[k]]
            before = output(instance, text.done, 0, x, text.done.v[k])
            left = abs(initial_part(instance, text, case, k) - before)
            agrees(T7Z.left(instance, case), left)
            both = abs(initial_part(instance, text, case, k)) + abs(before)
            agrees(T7Z.trivial(instance, case), both)
            xi = text.h * text.ebar(k)
            ctil = text.m(k) / text.ebar(k)
            kappa = text.s1**2 * text.radius**2
            bend = text.cbar * ctil * text.s2 * text.radius**2 / 2
            c_e = ctil * kappa * (text.s0 + bend)
            agrees(T7Z.right(instance, case), text.n ** (text.beta - 1) * c_e * xi**2)


@pytest.mark.parametrize("name", ["markov-onegin", "two-dimensional", "rain-tel-aviv"])
def test_both_sides_of_t7_and_what_lies_between_them(name):
    instance = load(name)
    for case in some_cases(trained_networks, instance):
        with mpmath.workdps(50), precision(128):
            text, n = Written(instance, case), case.step
            done, steps = text.done, range(n)
            here = [(instance.chain.inputs[case.path[j]], done.v[j]) for j in steps]
            kappa = [text.h * kernel(instance, done, j, here[j], here[j]) for j in steps]
            left = text.h * mpmath.fsum(
                done.psi[j] ** 2 + (1 - kappa[j]) * done.e[j] ** 2 for j in steps
            )
            targets = text.h * mpmath.fsum(
                exact(instance.chain.targets[case.path[j]]) ** 2 for j in steps
            )
            z = [initial_part(instance, text, case, j) for j in steps]
            agrees(T7.left(instance, case), left)
            agrees(
                T7.right(instance, case),
                targets + 2 * text.h * mpmath.fsum(abs(done.e[j] * z[j]) for j in steps),
            )
            bound = text.n ** exact(instance.training.gamma)
            error = 2 * bound + exact(max(map(abs, instance.chain.targets)))
            agrees(T7.trivial(instance, case), text.h * n * (4 * bound**2 + error**2))
            # Expanded without inequalities, what is between the two is the energy and the clip.
            energy_n = text.n ** (1 - 2 * text.beta) * mpmath.fsum(
                (done.c[n][i] - done.c[0][i]) ** 2
                + mpmath.fsum((a - b) ** 2 for a, b in zip(done.w[n][i], done.w[0][i], strict=True))
                for i in range(case.width)
            )
            crossed = 2 * text.h * mpmath.fsum(done.e[j] * z[j] for j in steps)
            cut = 2 * text.h * mpmath.fsum(done.e[j] * (done.p[j] - done.psi[j]) for j in steps)
            assert abs(targets + crossed - energy_n - cut - left) < mpf(10) ** -45


def test_the_weighted_errors_have_a_closed_form():
    instance = load("sharp-moving-weights")
    for case in some_cases(moved_weights, instance):
        with mpmath.workdps(50), precision(128):
            text = Written(instance, case)
            for k in range(case.step + 1):
                agrees(weighted_errors(instance, case, k), text.m(k))


# Sharp instances, mutants


@pytest.mark.parametrize("weight", Weight)
@pytest.mark.parametrize("width", [2, 32])
def test_t1_is_sharp_for_each_weight(weight, width):
    instance = load("sharp-moving-weights")
    with precision(64):
        cases = moved_weights(instance, random.Random(0))
        (case,) = [c for c in cases if (c.weight, c.width, c.step) == (weight, width, 32)]
        low, _ = end_points(T1.left(instance, case) / T1.right(instance, case))
        # The first step does not move B, one of 32.
        assert low > F(94, 100)
        if width == 2:
            # The output weight has more than tripled: what it has moved counts.
            _, high = end_points(moved_bound(instance, case))
            assert high > 2 or weight is not Weight.OUTPUT


@pytest.mark.parametrize(
    ("claim", "name", "least"),
    [
        (T1, "sharp-moving-weights", 0.99),
        (T2, "sharp-drift", 0.98),
        (T3, "sharp-drift", 0.988),
        (T4, "rain-tel-aviv", 0.999999),
        (T7, "sharp-energy", 0.99),
        (T7, "mutant-initial-output", 0.999),
        (T7Z, "sharp-moving-weights", 0.96),
    ],
)
def test_it_is_certified_and_nearly_an_equality(claim, name, least):
    result = decide(claim, load(name))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert least < result.tightness <= 1


def test_t7z_is_sharp_even_after_the_output_weights_have_tripled():
    instance = load("sharp-moving-weights")
    with precision(64):
        for case in linearised_networks(instance, random.Random(0)):
            left, right = linearisation_error(instance, case), linearisation_bound(instance, case)
            assert end_points(left / right)[0] > F(94, 100)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_mutants_are_refuted(claim):
    for mutant in claim.mutants:
        for name in mutant.refuted_on:
            verdict = decide(claim, load(name), mutant=mutant).verdict
            assert verdict is Verdict.REFUTED, (mutant.name, name)


def test_steps_whose_error_is_too_small_for_any_precision_are_left_out():
    """Every second memory is -3000, where the logistic function is exp(-3000), and so is p."""
    base = load("markov-onegin")
    law = ProductLaw(
        c=Constant(value=(F(1),)), w=Constant(value=(F(0),)), b=Constant(value=(F(-6000),))
    )
    chain = dataclasses.replace(base.chain, targets=(F(0), F(0)))
    instance = dataclasses.replace(base, law=law, chain=chain)
    result = decide(T3, instance)
    assert result.verdict in {Verdict.CERTIFIED, Verdict.VACUOUS}
    with precision(64):
        assert {case.step for case in placed_steps(instance, random.Random(0))} == {0}


# Assumptions


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_an_instance_without_training_is_inapplicable(claim):
    result = decide(claim, dataclasses.replace(load("markov-onegin"), training=None))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "needs training constants, but the instance gives none" in result.reason


def test_units_that_need_not_contract_are_inapplicable_for_the_memory():
    result = decide(T2, load("expanding"))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "qbar = 3" in result.reason
    assert decide(T1, load("expanding")).verdict is Verdict.CERTIFIED


def test_targets_beyond_the_clip_are_inapplicable_for_the_energy():
    result = decide(T7, load("sharp-moving-weights"))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "N^gamma = ~1.4142" in result.reason
    assert "ybar = 10" in result.reason


def test_without_the_clip_beyond_the_targets_the_energy_inequality_fails():
    """Two inputs whose features are at an angle of 45 degrees, targets of a hundred times the clip.

    The outputs are led to 8 times the clip and back along another way: the clipped outputs count
    the ways back in full, though the energy that was put in is not got back.
    """
    base = load("sharp-energy")
    inputs = {1: (F(1), F(0)), 2: (F(1), F(1))}
    parts = [(1, 1, 80), (2, -1, 40), (1, -1, 40), (2, 1, 20)]
    seen = [(inputs[which], F(100 * sign)) for which, sign, count in parts for _ in range(count)]
    chain = Chain(
        rows=tuple(((min(k + 1, len(seen) - 1), F(1)),) for k in range(len(seen))),
        inputs=tuple(x for x, _ in seen),
        targets=tuple(y for _, y in seen),
        initial=0,
    )
    law = ProductLaw(
        c=Constant(value=(F(1000),)),
        w=Constant(value=(F(0), F(0))),
        b=Constant(value=(F(0),)),
    )
    # A step moves the output by a tenth of the clip; with so large a C, tanh stays linear.
    training = Training(alpha=F(2, 10**9), beta=F(3, 4), gamma=F(1, 10), horizon=F(90))
    instance = dataclasses.replace(base, chain=chain, law=law, training=training)
    assert decide(T7, instance).verdict is Verdict.INAPPLICABLE
    units = AtomicLaw(atoms=(Atom(p=F(1, 2), c=F(1000), w=(F(0), F(0)), b=F(0)),) * 2)
    case = Network(units=units, path=tuple(range(180)), step=180)
    with precision(64):
        left, right = T7.left(instance, case), T7.right(instance, case)
        assert end_points(left - right)[0] > 0


@pytest.mark.parametrize(
    ("gamma", "target", "expected"),
    [
        (F(1, 5), F(2), (False, True)),  # 32^(1/5) = 2 exactly
        (F(1, 5), F(2) + F(1, 10**30), (False, False)),
        (F(1, 10), F(1), (True, True)),
        (F(1001, 10**4), F(-7, 5), (False, True)),  # 32^0.1001 = 1.4147, in balls
        (F(1001, 10**4), F(3, 2), (False, False)),
    ],
)
def test_the_clip_is_compared_with_the_targets(gamma, target, expected):
    base = load("markov-onegin")
    chain = dataclasses.replace(base.chain, targets=(F(0), target))
    training = Training(alpha=F(1), beta=F(3, 4), gamma=gamma, horizon=F(1))
    instance = dataclasses.replace(base, chain=chain, training=training)
    with precision(64):
        found = tuple(covers_targets(instance, width) is Truth.TRUE for width in (2, 32))
    assert found == expected


def test_only_the_widths_whose_clip_covers_the_targets_are_trained():
    base = load("markov-onegin")
    chain = dataclasses.replace(base.chain, targets=(F(6, 5), F(-6, 5)))
    with precision(64):
        cases = trained_networks(dataclasses.replace(base, chain=chain), random.Random(0))
    assert [case.width for case in cases] == [32]


def with_c(instance: Instance, values: dict[Fraction, str]) -> Instance:
    """C and W dependent: C takes one value for each W."""
    atoms = tuple(Atom(p=F(1, len(values)), c=F(c), w=(w,), b=F(1, 2)) for w, c in values.items())
    return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))


def test_an_output_that_is_centred_but_not_given_w_is_inapplicable_for_t4():
    instance = with_c(load("rain-tel-aviv"), {F(1): "1/3", F(-1): "-1/3"})
    result = decide(T4, instance)
    assert result.verdict is Verdict.INAPPLICABLE
    assert "needs E[C | W] = 0, but E[C | W = (1)] = ~0.3333" in result.reason
    # The assumption is what makes it true: E[Y]^2 counts for pairs of units.
    case = T4.cases(instance, random.Random(0))[-1]
    with precision(64):
        assert case.width == 5
        low, _ = end_points(T4.left(instance, case) - T4.right(instance, case))
        assert low > 0


def test_a_product_law_with_a_mean_is_inapplicable_for_t4():
    result = decide(T4, load("sharp-energy"))
    assert result.verdict is Verdict.INAPPLICABLE
    assert "E[C] = 1" in result.reason


def test_an_output_weight_whose_square_depends_on_w_is_certified():
    atoms = tuple(
        Atom(p=F(1, 4), c=F(sign) * c, w=(w,), b=F(1, 2))
        for w, c in ((F(1), F(1)), (F(-1, 2), F(3)))
        for sign in (1, -1)
    )
    instance = dataclasses.replace(load("rain-tel-aviv"), law=AtomicLaw(atoms=atoms))
    assert decide(T4, instance).verdict is Verdict.CERTIFIED


# Vacuities


def test_without_output_and_targets_no_error_is_made():
    base = load("constant-weights")
    assert bound_c(base.law) == 0
    chain = dataclasses.replace(base.chain, targets=(F(0),) * base.chain.n_states)
    for claim in PATHWISE:
        result = decide(claim, dataclasses.replace(base, chain=chain))
        assert result.verdict is Verdict.VACUOUS
        assert "no error is ever made" in result.reason
    assert decide(T1, base).verdict is Verdict.CERTIFIED
    assert "there is no output" in decide(T4, base).reason


def test_where_the_terms_of_sigma_cancel_nothing_moves():
    terms = tuple(Term(weight=F(1, 4), scale=F(sign), shift=F(0), of="tanh") for sign in (1, -1))
    instance = dataclasses.replace(load("rain-tel-aviv"), activation=ActivationSpec(terms=terms))
    for claim in CLAIMS:
        result = decide(claim, instance)
        assert result.verdict is Verdict.VACUOUS
        assert "cancel" in result.reason


@pytest.mark.parametrize("claim", [T2, T3, T7Z], ids=lambda claim: claim.id)
def test_where_sigma_is_constant_there_is_nothing_to_bound(claim):
    """The logistic function of u and of -u add up to 1."""
    terms = tuple(
        Term(weight=F(1, 4), scale=F(sign), shift=F(0), of="logistic") for sign in (1, -1)
    )
    instance = dataclasses.replace(load("rain-tel-aviv"), activation=ActivationSpec(terms=terms))
    result = decide(claim, instance)
    assert result.verdict is Verdict.VACUOUS
    assert "constant" in result.reason


@pytest.mark.parametrize("claim", [T3, T7Z], ids=lambda claim: claim.id)
def test_without_inputs_a_step_is_linear(claim):
    base = load("rain-tel-aviv")
    chain = dataclasses.replace(base.chain, inputs=((F(0),),) * base.chain.n_states)
    result = decide(claim, dataclasses.replace(base, chain=chain))
    assert result.verdict is Verdict.VACUOUS
    assert "every input is 0" in result.reason


def test_without_inputs_t1_is_about_the_other_weights():
    base = load("rain-tel-aviv")
    chain = dataclasses.replace(base.chain, inputs=((F(0),),) * base.chain.n_states)
    instance = dataclasses.replace(base, chain=chain)
    assert decide(T1, instance).verdict is Verdict.CERTIFIED
    with precision(64):
        found = {case.weight for case in moved_weights(instance, random.Random(0))}
    assert found == {Weight.OUTPUT, Weight.FEEDBACK}


def test_bounds_that_training_at_a_huge_rate_makes_trivial_are_vacuous():
    base = load("markov-onegin")
    training = Training(alpha=F(10**6), beta=F(3, 4), gamma=F(1, 10), horizon=F(1))
    instance = dataclasses.replace(base, training=training)
    for claim in (T2, T3, T7Z):
        assert decide(claim, instance).verdict is Verdict.VACUOUS


# Random instances


def gentle(instance: Instance) -> Instance:
    """Targets within the clip, so that T7 applies; rates at which bounds are not all trivial."""
    largest = max(1, *map(abs, instance.chain.targets))
    targets = tuple(y / largest for y in instance.chain.targets)
    chain = dataclasses.replace(instance.chain, targets=targets)
    training = dataclasses.replace(instance.training, alpha=instance.training.alpha / 20)
    return dataclasses.replace(instance, chain=chain, training=training)


WILD = strategies.instances(training=True, max_states=4)
GENTLE = strategies.instances(
    contracting=True, every_unit=True, training=True, max_states=4, moderate=True
).map(gentle)


@pytest.mark.parametrize("instances", [WILD, GENTLE], ids=["wild", "gentle"])
@pytest.mark.parametrize("claim", PATHWISE, ids=lambda claim: claim.id)
def test_no_random_training_refutes_it(claim, instances):
    @FEWER
    @given(instances)
    def no_instance_does(instance):
        result = decide(claim, instance)
        event(str(result.verdict))
        assert result.verdict in {Verdict.CERTIFIED, Verdict.VACUOUS, Verdict.INAPPLICABLE}

    no_instance_does()


@FEWER
@given(strategies.instances(centred=True, training=True, max_states=4, moderate=True))
def test_no_random_law_refutes_t4(instance):
    result = decide(T4, instance)
    event(str(result.verdict))
    assert result.verdict in {Verdict.CERTIFIED, Verdict.VACUOUS}

"""M1 to M5: constants and both sides against formulas written a second time, in mpmath."""

from __future__ import annotations

import dataclasses
import random
from decimal import Decimal
from fractions import Fraction

import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from theorems import memory_contraction as theorem
from theorems.memory_contraction import (
    CLAIMS,
    M1,
    M2,
    M3,
    M4,
    M5,
    forgetting_figure,
    precision_figure,
)
from verification import gallery
from verification.campaign import strategies
from verification.decision import decide
from verification.enclosure.balls import Between, enclosure, precision
from verification.errors import NotEnclosed
from verification.figure import Guarantee
from verification.instance import (
    ActivationSpec,
    Atom,
    AtomicLaw,
    Constant,
    Instance,
    ProductLaw,
    Term,
    Uniform,
)
from verification.recurrent.activation import Activation, activation
from verification.recurrent.law import projection
from verification.recurrent.layer import FunctionPair, HiddenFunction
from verification.verdict import Verdict

DIGITS = 40
SIGMA = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "logistic": (
        lambda t: 1 / (1 + mpmath.exp(-t)),
        lambda t: mpmath.exp(-t) / (1 + mpmath.exp(-t)) ** 2,
    ),
}
SECOND = {
    "tanh": lambda t: -2 * mpmath.tanh(t) * mpmath.sech(t) ** 2,
    "logistic": lambda t: mpmath.diff(SIGMA["logistic"][1], t),
}


def mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def atoms_of(instance: Instance) -> list[tuple[mpmath.mpf, list[mpmath.mpf], mpmath.mpf]]:
    """The law as weighted (p, w, b), for instances whose law is discrete."""
    law = instance.law
    if isinstance(law, AtomicLaw):
        return [(mp(a.p), [mp(x) for x in a.w], mp(a.b)) for a in law.atoms]
    assert isinstance(law, ProductLaw)
    assert isinstance(law.w, Constant)
    assert isinstance(law.b, Constant)
    return [(mpmath.mpf(1), [mp(x) for x in law.w.value], mp(law.b.value[0]))]


def oracle_phi(instance: Instance, state: int, v: mpmath.mpf, order: int = 0) -> mpmath.mpf:
    function = SIGMA[instance.activation.label][order]
    x = [mp(c) for c in instance.chain.inputs[state]]
    return mpmath.fsum(p * b * function(mpmath.fdot(w, x) + v) for p, w, b in atoms_of(instance))


def contains(side: object, value: mpmath.mpf, width: float = 1e-15) -> None:
    """Two-sided: the enclosure holds the oracle's value and is narrow."""
    bounds = enclosure(side)
    low, high = (mpmath.mpf(str(end)) for end in (bounds.lower, bounds.upper))
    slack = abs(value) * mpmath.mpf(10) ** (8 - DIGITS) + mpmath.mpf(10) ** (5 - DIGITS)
    assert low - slack <= value <= high + slack
    assert high - low <= width * max(1, abs(value))


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(DIGITS), precision(128):
        yield


DISCRETE = ["sharp-l2", "mutant-signed-b", "rain-tel-aviv", "sharp-fixed-point", "dependent-b-on-w"]


@pytest.mark.parametrize("name", DISCRETE)
def test_constants_are_the_moments_that_the_statement_names(name):
    instance = gallery.load(name)
    s0, s1 = (1, 1) if instance.activation.label == "tanh" else (1, mpmath.mpf(1) / 4)
    atoms = atoms_of(instance)
    mean_absolute = mpmath.fsum(p * abs(b) for p, _, b in atoms)
    conditional: dict[tuple, list] = {}
    for p, w, b in atoms:
        entry = conditional.setdefault(tuple(w), [mpmath.mpf(0), mpmath.mpf(0)])
        entry[0] += p
        entry[1] += p * b
    second = mpmath.fsum(moment**2 / p for p, moment in conditional.values())
    absolute = mpmath.fsum(abs(moment) for _, moment in conditional.values())
    contains(theorem.contraction_factor(instance), s1 * mean_absolute)
    contains(theorem.memory_bound(instance), s0 * mean_absolute)
    contains(theorem.l2_factor(instance), s1 * mpmath.sqrt(second))
    contains(theorem.factor_of_absolute_conditional_mean(instance, None), s1 * absolute)
    signed = abs(mpmath.fsum(p * b for p, _, b in atoms))
    contains(theorem.factor_of_signed_mean(instance, None), s1 * signed)


@pytest.mark.parametrize("name", ["sharp-sobolev", "sharp-fixed-point", "sharp-l2"])
def test_sobolev_factor_is_the_largest_speed_on_a_fine_grid(name):
    instance = gallery.load(name)
    label = instance.activation.label
    radius = max(mpmath.norm([mp(c) for c in x]) for x in instance.chain.inputs)
    first, second = SIGMA[label][1], SECOND[label]

    def speed(u):
        return first(u) ** 2 + radius**2 * second(u) ** 2

    grid = [mpmath.mpf(k) / 200 for k in range(-1600, 1601)]
    top = max(grid, key=speed)
    best = max(speed(top + mpmath.mpf(k) / 20000) for k in range(-100, 101))
    l2 = mpmath.mpf(str(enclosure(theorem.l2_factor(instance)).lower))
    s1 = 1 if label == "tanh" else mpmath.mpf(1) / 4
    bounds = enclosure(theorem.sobolev_factor(instance))
    value = mpmath.sqrt(best) * l2 / s1
    assert value * (1 - mpmath.mpf(10) ** -12) <= mpmath.mpf(str(bounds.upper))
    assert mpmath.mpf(str(bounds.lower)) <= value * (1 + mpmath.mpf(10) ** -7)
    assert bounds.width_upper() < Fraction(1, 10**11)


@pytest.mark.parametrize("name", DISCRETE)
def test_steepest_slope_is_the_largest_on_a_fine_grid(name):
    instance = gallery.load(name)
    vbar = mpmath.mpf(str(enclosure(theorem.memory_bound(instance)).upper))
    values = [
        abs(oracle_phi(instance, state, vbar * k / 500, order=1))
        for state in range(instance.chain.n_states)
        for k in range(-500, 501)
    ]
    bounds = enclosure(theorem.steepest_slope(instance, theorem.EveryInput()))
    best = max(values)
    assert best <= mpmath.mpf(str(bounds.upper))
    assert mpmath.mpf(str(bounds.lower)) <= best * (1 + mpmath.mpf(10) ** -5)
    assert bounds.width_upper() < Fraction(1, 10**12)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("name", DISCRETE)
def test_distance_ratio_is_the_quotient_of_the_two_norms(name, gradient):
    instance = gallery.load(name)
    sigma, slope = SIGMA[instance.activation.label]
    rng = random.Random(5)

    def function() -> HiddenFunction:
        parts = [Fraction(rng.randint(-9, 9), 4) for _ in range(4)]
        return HiddenFunction(
            constant=parts[0], slope=parts[1], shift=parts[2], conditional=parts[3]
        )

    pair = FunctionPair(state=instance.chain.n_states - 1, first=function(), second=function())
    x = [mp(c) for c in instance.chain.inputs[pair.state]]
    square = mpmath.fdot(x, x)
    groups: dict[tuple, list] = {}
    for p, w, b in atoms_of(instance):
        entry = groups.setdefault(tuple(w), [mpmath.mpf(0), mpmath.mpf(0)])
        entry[0] += p
        entry[1] += p * b

    def value(h, w, mean):
        inner = mpmath.fdot(w, x) + mp(h.shift)
        return mp(h.constant) + mp(h.slope) * sigma(inner) + mp(h.conditional) * mean

    def grade(h, w):
        return mp(h.slope) * slope(mpmath.fdot(w, x) + mp(h.shift))

    memories = [
        mpmath.fsum(moment * value(h, w, moment / p) for w, (p, moment) in groups.items())
        for h in (pair.first, pair.second)
    ]
    below = above = mpmath.mpf(0)
    for w, (p, moment) in groups.items():
        u, mean = mpmath.fdot(w, x), moment / p
        below += p * (value(pair.first, w, mean) - value(pair.second, w, mean)) ** 2
        above += p * (sigma(u + memories[0]) - sigma(u + memories[1])) ** 2
        if gradient:
            below += p * square * (grade(pair.first, w) - grade(pair.second, w)) ** 2
            above += p * square * (slope(u + memories[0]) - slope(u + memories[1])) ** 2
    ratio = theorem.distance_ratio(instance, pair, gradient=gradient)
    contains(ratio, mpmath.sqrt(above / below))


def test_right_sides_of_the_layer_claims_are_their_constants():
    instance = gallery.load("sharp-sobolev")
    # one atom: E[E[B|W]^2]^(1/2) = 1/2, s1 = 1, R = 10
    contains(theorem.factor_q2(instance, None), mpmath.mpf(1) / 2)
    assert isinstance(theorem.factor_q_h1(instance, None), Between)
    assert enclosure(theorem.factor_q_h1(instance, None)) == enclosure(
        theorem.sobolev_factor(instance)
    )
    assert theorem.squared_radius(instance) == 100


def test_input_radius_is_euclidean():
    instance = gallery.load("two-dimensional")
    norms = [sum(c * c for c in x) for x in instance.chain.inputs]
    assert theorem.squared_radius(instance) == max(norms)


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("iterates", [0, 1, 3])
def test_distance_bound_is_banachs(name, iterates):
    instance = gallery.load(name)
    word = (0, 1, 1)
    case = theorem.WordCase(word=word, start=Fraction(1, 3), iterates=iterates)
    v = mpmath.mpf(1) / 3
    for state in word:
        v = oracle_phi(instance, state, v)
    q = mpmath.mpf(str(enclosure(theorem.contraction_factor(instance)).upper))
    step = abs(v - mpmath.mpf(1) / 3)
    wanted = q ** (3 * iterates) * step / (1 - q**3)
    contains(theorem.distance_bound(instance, case), wanted)
    contains(theorem.distance_bound(instance, case, divided=False), wanted * (1 - q**3))
    contains(theorem.distance_bound(instance, case, extra=1), wanted * q**3)


@pytest.mark.parametrize("name", DISCRETE)
def test_distance_to_fixed_point_agrees_with_long_iteration(name):
    instance = gallery.load(name)
    case = theorem.WordCase(word=(1, 0), start=Fraction(1, 5), iterates=2)
    point = mpmath.mpf(0)
    for _ in range(400):
        point = oracle_phi(instance, 0, oracle_phi(instance, 1, point))
    reached = mpmath.mpf(1) / 5
    for _ in range(2):
        reached = oracle_phi(instance, 0, oracle_phi(instance, 1, reached))
    contains(theorem.distance_to_fixed_point(instance, case), abs(reached - point))


@pytest.mark.parametrize("name", DISCRETE)
def test_forgetting_bound_and_gap(name):
    instance = gallery.load(name)
    q = mpmath.mpf(str(enclosure(theorem.contraction_factor(instance)).upper))
    vbar = mpmath.mpf(str(enclosure(theorem.memory_bound(instance)).upper))
    pair = theorem.MemoryPair(word=(0, 1, 0), first=Fraction(1, 4), second=Fraction(-1, 8))
    contains(theorem.forgetting_bound(instance, pair), q**3 * mpmath.mpf(3) / 8)
    contains(theorem.forgetting_bound(instance, pair, extra=1), q**4 * mpmath.mpf(3) / 8)
    first, second = mpmath.mpf(1) / 4, -mpmath.mpf(1) / 8
    for state in pair.word:
        first, second = (oracle_phi(instance, state, v) for v in (first, second))
    contains(theorem.memory_gap(instance, pair), abs(first - second))
    past = theorem.History(past=(1, 1, 0) * 150 + (1, 0), known=2)
    contains(theorem.forgetting_bound(instance, past), q**2 * vbar)
    contains(theorem.forgetting_bound(instance, past, extra=1), q**3 * vbar)
    full = truncated = mpmath.mpf(0)
    for state in past.past:
        full = oracle_phi(instance, state, full)
    for state in past.past[-2:]:
        truncated = oracle_phi(instance, state, truncated)
    contains(theorem.memory_gap(instance, past), abs(full - truncated), width=1e-12)


@pytest.mark.parametrize("name", DISCRETE)
def test_trivial_bounds_are_what_holds_without_the_theorem(name):
    instance = gallery.load(name)
    vbar = mpmath.mpf(str(enclosure(theorem.memory_bound(instance)).upper))
    start = theorem.WordCase(word=(0,), start=Fraction(-1, 3), iterates=0)
    later = dataclasses.replace(start, iterates=1)
    contains(theorem.largest_distance(instance, start), vbar + mpmath.mpf(1) / 3)
    contains(theorem.largest_distance(instance, later), 2 * vbar)
    past = theorem.History(past=(0, 1), known=1)
    contains(theorem.widest_gap(instance, past), 2 * vbar)


@pytest.mark.parametrize(
    ("claim", "name", "least"),
    [
        (M1, "sharp-slope", 0.999999999),
        (M2, "sharp-l2", 0.999999),
        (M3, "sharp-sobolev", 0.9999),
        (M4, "sharp-fixed-point", 0.9999),
        (M5, "sharp-fixed-point", 0.9999),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_each_claim_is_nearly_an_equality_where_it_says_so(claim, name, least):
    assert name in claim.sharp
    result = decide(claim, gallery.load(name))
    assert result.verdict is Verdict.CERTIFIED
    assert result.tightness is not None
    assert least < result.tightness <= 1 + 2.0**-40


def test_a_truncated_past_errs_by_nearly_the_bound():
    instance = gallery.load("sharp-forgetting")
    case = theorem.History(past=(1, 2, 3, 0) * 20 + (1, 2, 3), known=3)
    with precision(64):
        left = enclosure(theorem.memory_gap(instance, case))
        right = enclosure(theorem.forgetting_bound(instance, case))
    assert float(left.lower / right.upper) > 0.99
    assert left.upper <= right.lower


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_expanding_and_critical_instances_are_inapplicable_with_the_value_of_q(claim):
    for name, value in (("expanding", "q = 1.5"), ("critical", "q = 1")):
        result = decide(claim, gallery.load(name))
        assert result.verdict is Verdict.INAPPLICABLE
        assert result.reason == f"needs q < 1, but {value}"


@pytest.mark.parametrize("name", ["zero-memory", "zero-memory-atoms"])
def test_forgetting_is_vacuous_where_the_memory_is_zero(name):
    result = decide(M5, gallery.load(name))
    assert result.verdict is Verdict.VACUOUS
    assert "identically zero" in result.reason


def _with_b(value: str) -> Instance:
    instance = gallery.load("constant-weights")
    law = dataclasses.replace(instance.law, b=Constant(value=(Fraction(value),)))
    return dataclasses.replace(instance, law=law, activation=ActivationSpec.named("tanh"))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_without_memory_weights_every_claim_is_vacuous(claim):
    assert decide(claim, _with_b("0")).verdict is Verdict.VACUOUS


def _changed(**changes) -> Instance:
    return dataclasses.replace(gallery.load("markov-onegin"), **changes)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_memory_weight_of_mean_zero_makes_every_claim_vacuous(claim):
    law = dataclasses.replace(
        gallery.load("markov-onegin").law, b=Uniform(low=(Fraction(-1),), high=(Fraction(1),))
    )
    assert decide(claim, _changed(law=law)).verdict is Verdict.VACUOUS


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_an_activation_whose_terms_cancel_makes_every_claim_vacuous(claim):
    spec = ActivationSpec(
        terms=tuple(
            Term(weight=Fraction(sign, 8), scale=Fraction(2), shift=Fraction(1), of="tanh")
            for sign in (1, -1)
        )
    )
    assert decide(claim, _changed(activation=spec)).verdict is Verdict.VACUOUS


def test_a_memory_is_zero_where_only_an_input_of_zero_is_ever_reached():
    instance = gallery.load("markov-onegin")
    one = Fraction(1)
    chain = dataclasses.replace(
        instance.chain, rows=(((0, one),), ((0, one),)), inputs=((Fraction(0),), (one,))
    )
    absorbed = _changed(chain=chain, activation=ActivationSpec.named("tanh"))
    assert decide(M5, absorbed).verdict is Verdict.VACUOUS
    moved = dataclasses.replace(chain, initial=1)
    assert decide(M5, dataclasses.replace(absorbed, chain=moved)).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("size", ["0.0005", "1e-12"])
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_small_memories_are_decided_as_well_as_large_ones(claim, size):
    law = dataclasses.replace(
        gallery.load("markov-onegin").law, b=Constant(value=(Fraction(size),))
    )
    result = decide(claim, _changed(law=law))
    assert result.verdict is Verdict.CERTIFIED, result


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_unit_that_is_all_but_switched_off_is_no_fault(claim):
    law = ProductLaw(
        c=Constant(value=(Fraction(0),)),
        w=Constant(value=(Fraction(-(10**7)),)),
        b=Constant(value=(Fraction(1, 2),)),
    )
    result = decide(claim, _changed(law=law, activation=ActivationSpec.named("logistic")))
    assert result.verdict is not Verdict.REFUTED


def test_the_layer_map_is_constant_where_the_conditional_mean_vanishes():
    atoms = gallery.load("mutant-signed-b").law.atoms
    weights = [dataclasses.replace(atom, w=(Fraction(1),)) for atom in atoms]
    law = AtomicLaw(atoms=tuple(weights))
    instance = dataclasses.replace(gallery.load("mutant-signed-b"), law=law)
    for claim in (M2, M3):
        assert decide(claim, instance).verdict is Verdict.VACUOUS


def test_the_assumption_is_decided_exactly_at_the_border():
    just_below, just_above = _with_b("0.99999999999999999999999999"), _with_b("1")
    assert decide(M1, just_below).verdict is Verdict.CERTIFIED
    assert decide(M1, just_above).verdict is Verdict.INAPPLICABLE
    beyond = decide(M1, _with_b("1.00000000000000000001"))
    assert beyond.reason == "needs q < 1, but q - 1 = 0.00000000000000000001"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_same_seed_gives_the_same_result(claim):
    instance = gallery.load("markov-onegin")
    first, second = (
        dataclasses.replace(decide(claim, instance, seed=7), seconds=0.0) for _ in range(2)
    )
    assert first == second


def is_light(instance: Instance) -> bool:
    """Whether its expectations need few nodes, so that a test is a matter of a second."""
    strip = activation(instance.activation).strip_width()
    try:
        rules = [projection(instance.law, x, strip).rule for x in set(instance.chain.inputs)]
    except NotEnclosed:
        return False
    return sum(len(rule.nodes) for rule in rules) * len(instance.activation.terms) <= 200


@settings(max_examples=25, deadline=None)
@given(instance=strategies.instances(contracting=True), seed=st.integers(0, 2**32))
def test_no_random_instance_refutes_a_claim(instance, seed):
    with precision(64):
        assume(is_light(instance))
    for claim in CLAIMS:
        result = decide(claim, instance, seed=seed, precisions=(64, 128))
        assert result.verdict is not Verdict.REFUTED, result
        assert result.verdict is not Verdict.INAPPLICABLE, result


# Found by changing one factor after another in the theorem and seeing no test fail.


def test_the_steepest_slope_is_sought_at_negative_memories_too():
    sharp = gallery.load("sharp-fixed-point")
    law = dataclasses.replace(sharp.law, w=Constant(value=(Fraction(3, 2),)))
    mirrored = dataclasses.replace(sharp, law=law)
    bounds = enclosure(theorem.steepest_slope(mirrored, theorem.EveryInput()))
    # sigma'(1.5 + v) is largest at v = -1.5
    assert bounds.contains(Fraction(3, 4))
    assert bounds.width_upper() < Fraction(1, 10**12)


@pytest.mark.parametrize("name", DISCRETE)
def test_an_unknown_past_is_every_memory_within_the_bound(name):
    instance = gallery.load(name)
    vbar = mpmath.mpf(str(enclosure(theorem.memory_bound(instance)).lower))
    bounds = enclosure(theorem.memory_gap(instance, theorem.History(past=(1, 0), known=1)))
    truncated = oracle_phi(instance, 0, mpmath.mpf(0))
    for start in (-vbar, mpmath.mpf(0), vbar):
        full = oracle_phi(instance, 0, oracle_phi(instance, 1, start))
        assert mpmath.mpf(str(bounds.lower)) <= abs(full - truncated) + mpmath.mpf(10) ** -30
        assert abs(full - truncated) <= mpmath.mpf(str(bounds.upper)) + mpmath.mpf(10) ** -30


def test_the_sobolev_factor_covers_the_tails(monkeypatch):
    instance = gallery.load("sharp-sobolev")
    whole = enclosure(theorem.sobolev_factor(instance))
    monkeypatch.setattr(Activation, "compact_range", lambda _self: Fraction(1, 100))
    theorem._squared_speed.cache_clear()
    try:
        clipped = enclosure(theorem.sobolev_factor(instance))
    finally:
        theorem._squared_speed.cache_clear()
    assert clipped.upper >= whole.lower
    # s1^2 + (R 2)^2 bounds the tail of tanh: 0.5 (1 + 400)^(1/2)
    assert float(clipped.upper) == pytest.approx(0.5 * 401**0.5, rel=1e-3)


def test_an_irrational_contraction_factor_is_compared_with_one():
    # q = 2/sqrt(pi) |B| = 1.07 and 0.99
    for b, verdict in (("0.95", Verdict.INAPPLICABLE), ("0.88", Verdict.CERTIFIED)):
        instance = dataclasses.replace(_with_b(b), activation=ActivationSpec.named("erf"))
        assert decide(M1, instance).verdict is verdict


def test_the_conditional_mean_is_taken_before_the_absolute_value():
    # E[B | W] = 0.3 for the one W, E|B| = 0.6
    atoms = tuple(
        Atom(p=Fraction(1, 2), c=Fraction(0), w=(Fraction(1),), b=b)
        for b in (Fraction(9, 10), Fraction(-3, 10))
    )
    instance = _changed(law=AtomicLaw(atoms=atoms), activation=ActivationSpec.named("tanh"))
    contains(theorem.factor_of_absolute_conditional_mean(instance, None), mpmath.mpf(3) / 10)
    contains(theorem.l2_factor(instance), mpmath.mpf(3) / 10)
    contains(theorem.contraction_factor(instance), mpmath.mpf(6) / 10)


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        (M1, {"q": "0.75", "vbar": "3"}),
        (M2, {"q2": "0.75"}),
        (M4, {"q": "0.75", "vbar": "3"}),
        (M5, {"q": "0.75", "vbar": "3"}),
    ],
    ids=lambda value: getattr(value, "id", ""),
)
def test_the_report_shows_each_constant_under_its_own_name(claim, values):
    constants = decide(claim, gallery.load("sharp-fixed-point")).constants
    assert set(constants) == set(values)
    for symbol, value in values.items():
        assert constants[symbol].contains(Fraction(value))
        assert constants[symbol].width_upper() < Fraction(1, 10**15)


def test_the_height_on_the_strip_is_the_mean_absolute_weight_times_the_bound():
    # rain-tel-aviv: E|B| = 0.4, logistic: 1/(4 cos^2(a/2)); mutant-signed-b: E|B| = 0.9, tanh
    logistic = theorem.height_on_strip(gallery.load("rain-tel-aviv"), Fraction(2))
    contains(logistic, mpmath.mpf("0.4") / (4 * mpmath.cos(1) ** 2))
    tanh = theorem.height_on_strip(gallery.load("mutant-signed-b"), Fraction(1))
    contains(tanh, mpmath.mpf("0.9") / mpmath.cos(1) ** 2)


# The figure


def test_the_figure_shows_the_memories_of_the_oracle_below_the_bound():
    instance = gallery.load("sharp-fixed-point")  # all inputs are one
    theorem, far, near = forgetting_figure(instance).series
    assert [len(series.points) for series in (theorem, far, near)] == [25, 25, 25]
    one, other = mpmath.mpf(-3), mpmath.mpf(3)
    for k, (bound, point) in enumerate(zip(theorem.points, far.points, strict=True)):
        assert bound.x == point.x == k
        contains_enclosed(bound.y, mpmath.mpf(3) ** k / 4**k)
        contains_enclosed(point.y, (other - one) / 6)
        assert point.y.upper <= bound.y.lower or k == 0
        one, other = (oracle_phi(instance, 0, v) for v in (one, other))
    for bound, point in zip(theorem.points, near.points, strict=True):
        ratio = point.y.lower / bound.y.upper
        assert Decimal("0.99") < ratio <= 1
    assert theorem.guarantee is Guarantee.UPPER
    assert far.guarantee is near.guarantee is Guarantee.ENCLOSURE


def contains_enclosed(bounds, value: mpmath.mpf) -> None:
    assert mpmath.mpf(str(bounds.lower)) <= value <= mpmath.mpf(str(bounds.upper))
    assert bounds.width_upper() <= Decimal("1e-25")


def test_each_bit_of_precision_halves_the_enclosure_of_the_fixed_point():
    reference, widths = precision_figure(gallery.load("sharp-fixed-point")).series
    ratios = [
        float(wide.y.upper / bit.y.lower)
        for wide, bit in zip(widths.points, reference.points, strict=True)
    ]
    assert [int(point.x) for point in widths.points] == [32, 64, 128, 256]
    assert reference.points[0].y.contains(Fraction(1, 2**32))
    # v* = 1.5, and a few roundings: no enclosure is narrower than a bit, none much wider.
    assert all(1 < ratio < 2**8 for ratio in ratios)

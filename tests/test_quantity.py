"""Single numbers against closed forms and mpmath at 50 digits: contained, narrow, as asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import mpmath
import pytest
import toy_claims as toys
from activation_functions import FUNCTIONS
from hypothesis import given
from hypothesis import strategies as st

from verification import gallery, quantity
from verification.enclosure.balls import ball, working_precision
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import AtomicLaw, Chain, Constant, Instance, Normal, Uniform
from verification.linear_functional import Exponential
from verification.quantity import MAX_STEPS, MAX_WORD, QUANTITIES, Options, Quantity, evaluate
from verification.verdict import EvidenceKind

DIGITS = 50
MEMORIES = (Fraction(0), Fraction(1, 3), Fraction(-7, 8))

# The largest |sigma'|, in closed form.
STEEPEST = {
    "tanh": lambda: mpmath.mpf(1),
    "logistic": lambda: mpmath.mpf(1) / 4,
    "erf": lambda: 2 / mpmath.sqrt(mpmath.pi),
    "arctan": lambda: mpmath.mpf(1),
    "sin": lambda: mpmath.mpf(1),
}


@pytest.fixture(autouse=True)
def precise():
    with mpmath.workdps(DIGITS + 15):
        yield


def mp(value: Fraction | Decimal) -> mpmath.mpf:
    exact = Fraction(value)
    return mpmath.mpf(exact.numerator) / exact.denominator


def dot(u, v) -> Fraction:
    return sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0))


def sigma(instance: Instance, t):
    return mpmath.fsum(
        mp(term.weight) * FUNCTIONS[term.of](mp(term.scale) * t + mp(term.shift))
        for term in instance.activation.terms
    )


def mean_b(law) -> Fraction:
    return law.b.value[0] if isinstance(law.b, Constant) else (law.b.low[0] + law.b.high[0]) / 2


def phi(instance: Instance, state: int, memory) -> mpmath.mpf:
    """E[B sigma(W.x + v)]: a sum over atoms, or an integral over the normal density."""
    law, point = instance.law, instance.chain.inputs[state]
    if isinstance(law, AtomicLaw):
        return mpmath.fsum(
            mp(atom.p * atom.b) * sigma(instance, mp(dot(atom.w, point)) + memory)
            for atom in law.atoms
        )
    if isinstance(law.w, Constant):
        return mp(mean_b(law)) * sigma(instance, mp(dot(law.w.value, point)) + memory)
    assert isinstance(law.w, Normal)
    centre = mp(dot(law.w.mean, point)) + memory
    spread = mp(law.w.std) * mpmath.sqrt(mp(dot(point, point)))
    # The trapezoidal rule: for the Gaussian times a function analytic in a strip its error falls
    # like exp(-2 pi d / h), and the tail beyond 16 standard deviations is below 10**-55.
    step = mpmath.mpf(1) / 40
    nodes = [step * k for k in range(-16 * 40, 16 * 40 + 1)]
    mean = mpmath.fsum(mpmath.npdf(z) * sigma(instance, centre + spread * z) for z in nodes) * step
    return mp(mean_b(law)) * mean


def smooth_phi(instance: Instance, state: int, memory) -> mpmath.mpf:
    """The same in closed form, for erf or sin and normal weights."""
    law, point = instance.law, instance.chain.inputs[state]
    centre = mp(dot(law.w.mean, point)) + memory
    square = mp(law.w.std**2 * dot(point, point))
    mean = {
        "erf": lambda: mpmath.erf(centre / mpmath.sqrt(1 + 2 * square)),
        "sin": lambda: mpmath.sin(centre) * mpmath.exp(-square / 2),
    }[instance.activation.label]()
    return mp(mean_b(law)) * mean


def assert_encloses(found, truth: mpmath.mpf, digits: int = DIGITS) -> None:
    """The enclosure holds the truth, known to more digits, and is as narrow as was asked for."""
    low, high = mp(found.bounds.lower), mp(found.bounds.upper)
    doubt = abs(truth) * mpmath.mpf(10) ** -(DIGITS + 5)
    assert low <= truth + doubt
    assert truth - doubt <= high
    scale = min(abs(low), abs(high)) if low * high > 0 else 1
    assert high - low <= scale * mpmath.mpf(10) ** -digits


def moved(instance: Instance, **law) -> Instance:
    return replace(instance, law=replace(instance.law, **law))


SINE = replace(gallery.load("sharp-sine"), law=gallery.load("sharp-erf").law)


# phi


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        *("one-state", "markov-onegin", "negative-b", "sharp-erf", "two-dimensional"),
        *("zero-memory-atoms", "dependent-b-on-w", "constant-weights"),
    ],
)
def test_phi_against_mpmath(name, memory):
    assert_phi_agrees(gallery.load(name), memory)


def test_phi_of_a_mixture():
    assert_phi_agrees(gallery.load("mixture-activation"), Fraction(1, 3))


def assert_phi_agrees(instance, memory):
    for state in range(instance.chain.n_states):
        found = evaluate(instance, "phi", Options(state=state, memory=memory), digits=DIGITS)
        assert found.evidence is EvidenceKind.BALLS
        assert_encloses(found, phi(instance, state, mp(memory)))


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
@pytest.mark.parametrize("instance", [gallery.load("sharp-erf"), SINE], ids=["erf", "sin"])
def test_phi_against_a_closed_form(instance, memory):
    for state in range(instance.chain.n_states):
        truth = smooth_phi(instance, state, mp(memory))
        assert abs(truth - phi(instance, state, mp(memory))) < mpmath.mpf(10) ** -DIGITS
        found = evaluate(instance, "phi", Options(state=state, memory=memory), digits=DIGITS)
        assert_encloses(found, truth)


def test_phi_of_uniform_weights():
    # E sin(W x + v) for W uniform on [a, b] is (cos(a x + v) - cos(b x + v)) / ((b - a) x).
    a, b, v = Fraction(-1, 4), Fraction(3, 2), Fraction(1, 3)
    instance = moved(SINE, w=Uniform(low=(a,), high=(b,)))
    for state, (x,) in enumerate(instance.chain.inputs):
        mean = (mpmath.cos(mp(a * x + v)) - mpmath.cos(mp(b * x + v))) / mp((b - a) * x)
        found = evaluate(instance, "phi", Options(state=state, memory=v), digits=DIGITS)
        assert_encloses(found, mp(mean_b(instance.law)) * mean)


def test_phi_at_a_memory_far_away_is_saturated():
    instance = gallery.load("one-state")
    found = evaluate(instance, "phi", Options(state=0, memory=Fraction(10**6)), digits=DIGITS)
    assert_encloses(found, mpmath.mpf("0.95"))


def test_phi_that_is_0_has_an_absolute_width():
    instance = gallery.load("zero-memory")
    options = Options(state=0, memory=Fraction(0))
    found = evaluate(instance, "phi", options, digits=DIGITS)
    assert found.bounds.contains(Fraction(0))
    assert found.bounds.width_upper() <= Decimal(10) ** -DIGITS


# contraction-factor


@pytest.mark.parametrize("family", sorted(STEEPEST))
@pytest.mark.parametrize(
    ("b", "mean"),
    [
        (Constant(value=(Fraction(-3, 4),)), Fraction(3, 4)),
        (Uniform(low=(Fraction(1, 5),), high=(Fraction(4, 5),)), Fraction(1, 2)),
        (Uniform(low=(Fraction(-4, 5),), high=(Fraction(-1, 5),)), Fraction(1, 2)),
        # E|B| = (a**2 + b**2) / (2 (a + b)) on [-a, b]
        (Uniform(low=(Fraction(-1, 5),), high=(Fraction(4, 5),)), Fraction(17, 50)),
    ],
    ids=["constant", "positive", "negative", "of both signs"],
)
def test_contraction_factor_of_each_family(family, b, mean):
    base = moved(gallery.load("one-state"), b=b)
    instance = replace(base, activation=replace(base.activation, terms=_term(family)))
    found = evaluate(instance, "contraction-factor", Options(), digits=DIGITS)
    assert_encloses(found, STEEPEST[family]() * mp(mean))
    if family != "erf":
        assert found.evidence is EvidenceKind.RATIONALS
        assert found.precision_bits is None
        assert found.bounds.lower == found.bounds.upper


def _term(family):
    return (replace(gallery.load("one-state").activation.terms[0], of=family),)


def test_contraction_factor_of_dependent_weights():
    instance = gallery.load("dependent-b-on-w")
    mean = sum(atom.p * abs(atom.b) for atom in instance.law.atoms)
    found = evaluate(instance, "contraction-factor", Options(), digits=DIGITS)
    assert_encloses(found, STEEPEST[instance.activation.label]() * mp(mean))


def test_contraction_factor_of_a_mixture():
    # Its s1 is the sum of the terms' own, by definition; that bounds the slope everywhere.
    instance = gallery.load("mixture-activation")
    s1 = mpmath.fsum(
        mp(abs(term.weight * term.scale)) * STEEPEST[term.of]()
        for term in instance.activation.terms
    )
    found = evaluate(instance, "contraction-factor", Options(), digits=DIGITS)
    assert_encloses(found, s1 * mp(mean_b(instance.law)))
    with mpmath.workdps(15):
        slopes = [
            mpmath.diff(lambda t: sigma(instance, t), mpmath.mpf(k) / 4) for k in range(-40, 41)
        ]
    assert s1 / 2 < max(map(abs, slopes)) < s1


# memory-fixed-point


@pytest.mark.parametrize("word", [(0,), (1,), (0, 1), (0, 1, 1), (1, 0, 0, 0, 1)], ids=str)
@pytest.mark.parametrize("instance", [gallery.load("sharp-erf"), SINE], ids=["erf", "sin"])
def test_fixed_point_against_iteration_of_a_closed_form(instance, word):
    memory, last = mpmath.mpf(0), mpmath.mpf(1)
    while abs(memory - last) > mpmath.mpf(10) ** -(DIGITS + 8):
        last = memory
        for state in word:
            memory = smooth_phi(instance, state, memory)
    found = evaluate(instance, "memory-fixed-point", Options(word=word), digits=DIGITS)
    assert found.evidence is EvidenceKind.BALLS
    # The iteration converges like 0.4**n or faster: what is left is less than the last step.
    assert_encloses(found, memory)


@pytest.mark.parametrize("name", ["one-state", "negative-b", "zero-memory-atoms"])
def test_fixed_point_against_a_root_of_mpmath(name):
    instance = gallery.load(name)
    word = (0,) if instance.chain.n_states == 1 else (1, 0)

    def equation(v):
        image = v
        for state in word:
            image = phi(instance, state, image)
        return image - v

    found = evaluate(instance, "memory-fixed-point", Options(word=word), digits=DIGITS)
    guess = mp(found.bounds.lower)
    # A root of its own: the secant method starts beside the enclosure, not in it.
    truth = mpmath.findroot(
        equation, (guess + mpmath.mpf("0.01"), guess - mpmath.mpf("0.02")), tol=1e-100
    )
    assert_encloses(found, truth, digits=DIGITS - 5)


def test_fixed_points_of_the_shifts_of_a_word_follow_each_other():
    instance = gallery.load("two-dimensional")
    word = (0, 2, 1, 1)
    shifts = [word[i:] + word[:i] for i in range(len(word))]
    memories = [
        evaluate(instance, "memory-fixed-point", Options(word=shift), digits=DIGITS)
        for shift in shifts
    ]
    # One more symbol, the first of the shift, leads from its memory to the next one's, and makes
    # no error larger: the memory map contracts.
    doubt = mpmath.mpf(10) ** -DIGITS
    for before, after, shift in zip(memories, memories[1:] + memories[:1], shifts, strict=True):
        image = phi(instance, shift[0], mp(before.bounds.lower))
        assert abs(image - mp(after.bounds.lower)) < doubt
    assert len({memory.bounds for memory in memories}) == len(word)


def test_a_word_and_its_repetition_have_one_fixed_point():
    instance = gallery.load("two-dimensional")
    once, twice = (
        evaluate(instance, "memory-fixed-point", Options(word=word), digits=DIGITS)
        for word in ((0, 2), (0, 2, 0, 2))
    )
    assert once.bounds.overlaps(twice.bounds)


# Digits


ASKED = {
    "phi": ("markov-onegin", "phi", Options(state=0, memory=Fraction(1, 3))),
    "balls": ("sharp-erf", "contraction-factor", Options()),
    "rational": ("one-state", "contraction-factor", Options()),
    "fixed point": ("negative-b", "memory-fixed-point", Options(word=(0, 1, 2))),
}


@pytest.mark.parametrize(
    ("asked", "digits"),
    [
        (name, digits)
        for name in ASKED
        for digits in (1, 2, 10, 18, 19, 20, 30, 100, 250)
        if digits < 100 or name != "fixed point"  # that would take long
    ],
)
def test_as_many_digits_as_asked_for(asked, digits):
    name, which, options = ASKED[asked]
    found = evaluate(gallery.load(name), which, options, digits=digits)
    bounds = found.bounds
    size = min(abs(bounds.lower), abs(bounds.upper))
    assert Fraction(bounds.width_upper()) <= Fraction(size) / 10**digits
    for end in (bounds.lower, bounds.upper):
        assert len(end.as_tuple().digits) <= digits + 3
    # No more precision than is needed: fewer digits never take more bits.
    fewer = evaluate(gallery.load(name), which, options, digits=max(digits // 2, 1))
    assert (fewer.precision_bits or 0) <= (found.precision_bits or 0)
    assert fewer.bounds.overlaps(bounds)


def toy_quantity(monkeypatch, value) -> Instance:
    toy = Quantity(meaning="a toy", needs=(), kind="instance/1", value=value)
    monkeypatch.setattr(quantity, "QUANTITIES", {"toy": toy})
    return toys.instance()


@given(st.integers(1, 20), st.fractions(0, 2, max_denominator=1000), st.integers(-(10**6), 10**6))
def test_the_width_counts_after_rounding(digits, share, centre):
    # Of a ball about as wide as is allowed: rounded outward it is wider, and may be too wide.
    radius = share / 2 / 10**digits * max(abs(centre), 1)

    def value(_instance, _options):
        return ball(centre) + ball(radius if working_precision() == 64 else 0) * one_sided()

    with pytest.MonkeyPatch.context() as patch:
        found = evaluate(toy_quantity(patch, value), "toy", Options(), digits=digits)
    assert found.bounds.contains(Fraction(centre))
    scale = max(abs(centre), 1)
    assert Fraction(found.bounds.upper) - Fraction(found.bounds.lower) <= Fraction(
        scale, 10**digits
    )


def one_sided():
    """Return a ball that is [-1, 1]."""
    return ball(-1).union(ball(1))


def test_a_rational_is_shown_exactly_or_to_the_digits(monkeypatch):
    instance = toy_quantity(monkeypatch, lambda *_: Fraction(1, 3))
    found = evaluate(instance, "toy", Options(), digits=5)
    assert found.bounds.to_json() == {"lower": "0.33333333", "upper": "0.33333334"}
    instance = toy_quantity(monkeypatch, lambda *_: Fraction(-3, 8))
    assert evaluate(instance, "toy", Options(), digits=5).to_json() == {
        "quantity": "toy",
        "lower": "-0.375",
        "upper": "-0.375",
        "evidence": "rationals",
        "precision_bits": None,
    }


def test_digits_that_no_precision_gives_are_not_claimed(monkeypatch):
    wide = ball(1).union(ball(2))
    found = evaluate(toy_quantity(monkeypatch, lambda *_: wide), "toy", Options(), digits=3)
    assert found.bounds.contains(Fraction(1))
    assert found.bounds.contains(Fraction(2))
    assert found.precision_bits == 1024


def test_what_is_enclosed_at_some_precision_only_is_enclosed(monkeypatch):
    def value(_instance, _options):
        if working_precision() < 256:
            raise NotEnclosed("not yet")
        return ball(2).sqrt()

    found = evaluate(toy_quantity(monkeypatch, value), "toy", Options(), digits=10)
    assert found.precision_bits == 256
    assert_encloses(found, mpmath.sqrt(2), digits=10)


def test_what_is_never_enclosed_raises(monkeypatch):
    def value(_instance, _options):
        raise NotEnclosed(f"not at {working_precision()} bits")

    with pytest.raises(NotEnclosed, match="not at 1024 bits"):
        evaluate(toy_quantity(monkeypatch, value), "toy", Options())


def test_the_precision_outside_is_left_as_it_was():
    before = working_precision()
    evaluate(gallery.load("one-state"), "memory-fixed-point", Options(word=(0,)), digits=200)
    assert working_precision() == before


# Options

GIVEN = {
    "state": 0,
    "memory": Fraction(0),
    "other_state": 0,
    "other_memory": Fraction(1),
    "time": Fraction(1),
    "word": (0,),
    "steps": 3,
    "width": 10**6,
    "delay": Fraction(2),
    "error": Fraction(1, 10),
    "index": 1,
}
HAVING = {
    "instance/1": replace(
        gallery.load("one-state"), training=gallery.load("markov-onegin").training
    ),
    "linear-functional/1": gallery.load("plateau-trapped"),
}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        (name, tuple(sorted(set(QUANTITIES[name].needs).symmetric_difference(changed))))
        for name in QUANTITIES
        for size in range(3)
        for changed in itertools.combinations(GIVEN, size)
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else value,
)
def test_all_options_that_are_needed_and_no_other(name, given):
    options = Options(**{key: GIVEN[key] for key in given})
    instance = HAVING[QUANTITIES[name].kind]
    needs, accepts = set(QUANTITIES[name].needs), set(QUANTITIES[name].accepts)
    if needs <= set(given) <= needs | accepts:
        assert evaluate(instance, name, options, digits=5).quantity == name
        return
    with pytest.raises(InvalidInstance) as refused:
        evaluate(instance, name, options)
    field = refused.value.path.removeprefix("--").replace("-", "_")
    assert field in needs.symmetric_difference(given)
    said = "is required by" if field in needs else "is not used by"
    assert refused.value.problem == f"{said} {name}"


@pytest.mark.parametrize(
    ("name", "options", "path", "problem"),
    [
        ("phi", Options(state=1, memory=Fraction(0)), "--state", "is 1, expected 0 to 0"),
        ("phi", Options(state=-1, memory=Fraction(0)), "--state", "is -1, expected 0 to 0"),
        ("memory-fixed-point", Options(word=()), "--word", "has 0 symbols, expected 1 to 1000"),
        (
            "memory-fixed-point",
            Options(word=(0,) * (MAX_WORD + 1)),
            "--word",
            "has 1001 symbols, expected 1 to 1000",
        ),
        ("memory-fixed-point", Options(word=(0, 1)), "--word", "contains 1, expected 0 to 0"),
        (
            "second-moment",
            Options(steps=MAX_STEPS + 1),
            "--steps",
            "is 1000000001, expected at most 1000000000",
        ),
        ("memory-fixed-point", Options(word=(-1,)), "--word", "contains -1, expected 0 to 0"),
    ],
)
def test_options_out_of_range(name, options, path, problem):
    with pytest.raises(InvalidInstance) as refused:
        evaluate(gallery.load("one-state"), name, options)
    assert (refused.value.path, refused.value.problem) == (path, problem)


@dataclass(frozen=True)
class Other:
    """An instance of another kind."""

    schema: str = "other/1"
    name: str = "other"
    origin: str | None = None

    def to_json(self):
        return {"schema": self.schema, "name": self.name}


def test_an_instance_of_another_kind():
    with pytest.raises(InvalidInstance, match="schema: is other/1, expected instance/1"):
        evaluate(Other(), "contraction-factor", Options())


def test_every_quantity_says_what_it_is():
    for each in QUANTITIES.values():
        assert each.meaning
        assert set(each.needs) <= set(GIVEN)


@pytest.mark.parametrize("name", ["expanding", "critical"])
def test_a_fixed_point_that_may_be_one_of_several_is_refused(name):
    with pytest.raises(InvalidInstance, match="expected q < 1"):
        evaluate(gallery.load(name), "memory-fixed-point", Options(word=(0,)))


# Chains


def ring(size: int) -> Instance:
    """Return a walk on a ring, more states than are solved in balls, with targets 0, 1/3, 2/3."""
    rows = tuple(
        tuple(
            sorted(
                {(i - 1) % size: Fraction(1, 4), i: Fraction(1, 2)}.items()
                | {(i + 1) % size: Fraction(1, 4)}.items()
            )
        )
        for i in range(size)
    )
    targets = tuple(Fraction(i % 3, 3) for i in range(size))
    chain = Chain(rows=rows, inputs=((Fraction(0),),) * size, targets=targets, initial=0)
    return replace(gallery.load("fair-coin"), chain=chain)


def test_the_quantities_of_a_two_state_chain():
    # P = (1 - a, a; b, 1 - b): pi = (b, a)/(a + b), u_1 - u_0 = (y_1 - y_0)/(a + b).
    instance = gallery.load("rain-tel-aviv")
    a, b = Fraction("0.25"), Fraction("0.338")
    law = evaluate(instance, "stationary-law", Options(), digits=20)
    for bounds, exact in zip(law.bounds, (b / (a + b), a / (a + b)), strict=True):
        assert bounds.contains(exact)
        assert bounds.width_upper() < Decimal("1e-20")
    u = evaluate(instance, "poisson-solution", Options(), digits=20).bounds
    gap = Fraction("1.5") / (a + b)
    assert abs(Fraction(u[1].lower) - Fraction(u[0].lower) - gap) < Fraction(1, 10**20)
    for steps, exact in ((None, 1 - a - b), (1, 1 - a - b), (5, (1 - a - b) ** 5), (0, 1)):
        found = evaluate(instance, "dobrushin", Options(steps=steps), digits=30)
        assert found.bounds.contains(Fraction(exact))
        assert found.evidence is EvidenceKind.RATIONALS


def test_the_second_moment_is_that_of_the_coin():
    for steps in (0, 1, 7, 10**6, 10**9):
        found = evaluate(gallery.load("fair-coin"), "second-moment", Options(steps=steps))
        assert found.bounds.contains(Fraction(steps))


@pytest.mark.parametrize("name", ["stationary-law", "poisson-solution", "second-moment"])
def test_several_recurrent_classes_are_refused(name):
    options = Options(steps=2 if name == "second-moment" else None)
    with pytest.raises(InvalidInstance, match="2 recurrent classes") as refused:
        evaluate(gallery.load("reducible"), name, options)
    assert refused.value.path == "chain.transition"


def test_a_large_chain_is_solved_in_doubles():
    size = 402
    law = evaluate(ring(size), "stationary-law", Options(), digits=20)
    assert law.evidence is EvidenceKind.DOUBLES
    assert len(law.bounds) == size
    for bounds in law.bounds:
        assert bounds.contains(Fraction(1, size))
        assert bounds.width_upper() < Decimal("1e-9")
    u = evaluate(ring(size), "poisson-solution", Options(), digits=20).bounds
    # The targets repeat every three states, and so does u: on three states, by hand, the
    # centred targets -1/3, 0, 1/3 are eigenvectors of P with the eigenvalue 1/4.
    for state, bounds in enumerate(u):
        assert bounds.contains(Fraction(state % 3 - 1, 3) / (1 - Fraction(1, 4)))
        assert bounds.width_upper() < Decimal("1e-6")
    document = law.to_json()
    assert (len(document["lower"]), document["precision_bits"]) == (size, None)


def test_a_large_chains_other_quantities():
    with pytest.raises(NotEnclosed, match="402 states, more than 400"):
        evaluate(ring(402), "second-moment", Options(steps=3))
    # Opposite states are 201 steps apart: until then no two of their rows meet.
    for steps in (None, 2, 100):
        found = evaluate(ring(402), "dobrushin", Options(steps=steps))
        assert found.bounds.contains(Fraction(1))
        assert found.bounds.width_upper() == 0
    with pytest.raises(NotEnclosed, match="402 states, more than 400"):
        evaluate(ring(402), "dobrushin", Options(steps=300))


def options_of_a_pair(state, memory, other_state, other_memory) -> Options:
    return Options(state=state, memory=memory, other_state=other_state, other_memory=other_memory)


def test_kernel_is_the_mean_over_the_atoms():
    instance = gallery.load("rain-tel-aviv")
    v, w = Fraction(1, 5), Fraction(-1, 3)
    found = evaluate(instance, "kernel", options_of_a_pair(0, v, 1, w), digits=DIGITS)
    x, y = instance.chain.inputs[0][0], instance.chain.inputs[1][0]

    def slope(t):
        return FUNCTIONS["logistic"](t) * FUNCTIONS["logistic"](-t)

    truth = mpmath.fsum(
        mp(atom.p)
        * (
            FUNCTIONS["logistic"](mp(atom.w[0] * x + v))
            * FUNCTIONS["logistic"](mp(atom.w[0] * y + w))
            + mp(atom.c**2 * x * y) * slope(mp(atom.w[0] * x + v)) * slope(mp(atom.w[0] * y + w))
        )
        for atom in instance.law.atoms
    )
    assert mp(found.bounds.lower) <= truth <= mp(found.bounds.upper)
    assert found.bounds.width_upper() < Decimal("1e-49")


def test_limit_of_one_state_with_one_memory_is_an_exponential():
    """With one state and B = 0 the law is one point: g = K(zeta, 0) y (1 - exp(-a K t)) / K."""
    template = gallery.load("one-state")
    law = replace(template.law, b=Constant(value=(Fraction(0),)))
    training = gallery.load("markov-onegin").training
    instance = replace(template, law=law, training=training)
    values = {}
    for memory in (Fraction(0), Fraction(1, 2)):
        pair = evaluate(instance, "kernel", options_of_a_pair(0, memory, 0, Fraction(0)), digits=30)
        values[memory] = mp((pair.bounds.lower + pair.bounds.upper) / 2)
    for time in (Fraction(0), Fraction(1, 4), Fraction(3)):
        gain = (1 - mpmath.exp(-mp(training.alpha * time) * values[0])) / values[0]
        for memory, here in values.items():
            options = Options(state=0, memory=memory, time=time)
            found = evaluate(instance, "limit", options)
            truth = mp(instance.chain.targets[0]) * here * gain
            assert mp(found.bounds.lower) <= truth <= mp(found.bounds.upper)
            assert found.bounds.width_upper() < Decimal("1e-10")
            assert found.evidence is EvidenceKind.DOUBLES
            assert isinstance(found.to_json()["lower"], str)


def test_limit_of_a_slow_memory_is_enclosed_through_words():
    options = Options(state=0, memory=Fraction(0), time=Fraction(1, 64))
    template = gallery.load("two-state-sticky")
    w = replace(template.law.w, std=Fraction(1, 100))
    law = replace(template.law, w=w, b=Constant(value=(Fraction(19, 20),)))
    training = gallery.load("markov-onegin").training
    instance = replace(template, law=law, training=training)
    found = evaluate(instance, "limit", options)
    assert Decimal("1e-8") < found.bounds.width_upper() < Decimal("0.1")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("limit", Options(state=0, memory=Fraction(0)), "--time: is required by limit"),
        (
            "limit",
            Options(state=0, memory=Fraction(0), time=Fraction(-1)),
            "--time: is -1, expected 0 or more",
        ),
        ("kernel", Options(state=0, memory=Fraction(0)), "--other-state: is required by kernel"),
        (
            "kernel",
            options_of_a_pair(0, Fraction(0), 2, Fraction(0)),
            "--other-state: is 2, expected 0 to 1",
        ),
    ],
)
def test_pairs_and_times_are_checked(name, options, message):
    with pytest.raises(InvalidInstance) as caught:
        evaluate(gallery.load("markov-onegin"), name, options)
    assert message in str(caught.value)


def test_limit_needs_training_constants_and_one_stationary_law():
    options = Options(state=0, memory=Fraction(0), time=Fraction(1))
    with pytest.raises(InvalidInstance, match="training"):
        evaluate(replace(gallery.load("fair-coin"), training=None), "limit", options)
    with pytest.raises(InvalidInstance, match="no unique stationary law"):
        evaluate(gallery.load("reducible"), "limit", options)


# l1-norm, hankel-singular-value


def test_the_norm_of_a_target_adds_its_channels():
    found = evaluate(gallery.load("sharp-two-channels"), "l1-norm", Options(), digits=25)
    assert found.bounds.lower <= Decimal(17) / Decimal(12) <= found.bounds.upper
    assert 0 < found.bounds.width_upper() < Decimal("1e-25")
    with mpmath.workdps(40):
        truth = Decimal(str(mpmath.e * mpmath.e1(1)))
    found = evaluate(gallery.load("damped-reciprocal"), "l1-norm", Options())
    assert abs(found.bounds.lower - truth) < Decimal("1e-29")
    assert found.bounds.width_upper() < Decimal("1e-29")


def test_hankel_singular_values_of_sums_of_exponentials_have_all_digits():
    # Those of t exp(-t) are (sqrt 2 + 1)/4 and (sqrt 2 - 1)/4, in any unit of time.
    ramp = Exponential(coefficient=Fraction(10**6), rate=Fraction(1000), power=1)
    fast = replace(gallery.load("fast-erlang"), target=((ramp,),))
    root = Decimal(2).sqrt()
    for index, truth in ((1, (root + 1) / 4), (2, (root - 1) / 4), (3, Decimal(0))):
        found = evaluate(fast, "hankel-singular-value", Options(index=index), digits=25)
        assert abs(found.bounds.lower - truth) < Decimal("1e-24")
        assert found.bounds.width_upper() < Decimal("1e-24")


def test_hankel_singular_values_come_one_entry_a_channel():
    found = evaluate(gallery.load("sharp-two-channels"), "hankel-singular-value", Options(index=1))
    assert len(found.bounds) == 2
    airy = evaluate(gallery.load("airy"), "hankel-singular-value", Options(index=2), digits=5)
    assert Decimal("0.39") < airy.bounds.lower < airy.bounds.upper < Decimal("0.81")


@pytest.mark.parametrize(
    ("name", "quantity", "options", "message"),
    [
        ("airy", "hankel-singular-value", {}, "--index: is required by hankel-singular-value"),
        ("airy", "hankel-singular-value", {"index": 65}, "--index: is 65, expected 1 to 64"),
        ("airy", "l1-norm", {"index": 1}, "--index: is not used by l1-norm"),
        ("fair-coin", "l1-norm", {}, "schema: is instance/1, expected linear-functional/1"),
    ],
)
def test_a_norm_or_a_singular_value_that_makes_no_sense(name, quantity, options, message):
    with pytest.raises(InvalidInstance, match=message):
        evaluate(gallery.load(name), quantity, Options(**options))


# plateau-time


def test_the_time_of_escape_one_entry_a_delay():
    found = evaluate(gallery.load("plateau-spare-unit"), "plateau-time", Options(), digits=6)
    assert found.evidence is EvidenceKind.BALLS
    assert found.precision_bits == 128
    times = [0.799, 3.44, 36.7, 423, 3.6e4]
    for bounds, time in zip(found.bounds, times, strict=True):
        assert float(bounds.lower) == pytest.approx(time, rel=5e-3)
        assert 0 < bounds.width_upper() < bounds.lower * Decimal("1e-6")


def test_the_time_of_escape_is_infinite_where_the_flow_is_trapped():
    trapped = gallery.load("plateau-trapped")
    found = evaluate(trapped, "plateau-time", Options(delay=Fraction(9)))
    assert found.to_json()["lower"] == found.to_json()["upper"] == "Infinity"
    free = evaluate(trapped, "plateau-time", Options(delay=Fraction(4)))
    assert float(free.bounds.lower) == pytest.approx(4.065, abs=1e-3)
    both = evaluate(trapped, "plateau-time", Options())
    assert [bounds.upper.is_finite() for bounds in both.bounds] == [True, True] + [False] * 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("plateau-trapped", {"delay": Fraction(0)}, "--delay: is 0, expected more than 0"),
        ("plateau-trapped", {"steps": 3}, "--steps: is not used by plateau-time"),
        ("plateau-wide-ball", {}, "training.radius: is 0.25, expected less than every rate"),
        ("plateau-no-bump", {}, "training.bump.height: is 0, expected something to learn"),
        ("erlang-four", {}, "lacks the key 'training', expected it for plateau-time"),
        ("fair-coin", {}, "schema: is instance/1, expected linear-functional/1"),
    ],
)
def test_a_time_of_escape_that_makes_no_sense(name, options, message):
    with pytest.raises(InvalidInstance, match=message.replace("(", "[(]")):
        evaluate(gallery.load(name), "plateau-time", Options(**options))


def test_a_time_of_escape_of_a_target_that_is_no_network():
    training = gallery.load("plateau-trapped").training
    wrong = replace(gallery.load("power-law-one"), training=training)
    with pytest.raises(InvalidInstance, match="target: has a part that is no plain exponential"):
        evaluate(wrong, "plateau-time", Options())


# best-known-width


@pytest.mark.parametrize(
    ("name", "error", "bounds"),
    [
        # The table of C5L.
        ("power-law-one", "0.01", (4, 5)),
        ("power-law-fifth", "0.1", (3, 8)),
        # The norm is 1.
        ("power-law-one", "1", (0, 0)),
        # Erlang's density of four stages is a network of width 4.
        ("erlang-four", "0.000001", (4, 4)),
        ("erlang-four", "2", (0, 0)),
    ],
)
def test_the_least_width_within_an_error(name, error, bounds):
    found = evaluate(gallery.load(name), "best-known-width", Options(error=Fraction(error)))
    assert (found.bounds.lower, found.bounds.upper) == bounds


def test_errors_are_absolute():
    law = gallery.load("power-law-one")
    (part,) = law.target[0]
    larger = replace(law, target=((replace(part, coefficient=Fraction(-7)),),))
    found = evaluate(larger, "best-known-width", Options(error=Fraction(7, 100)))
    assert (found.bounds.lower, found.bounds.upper) == (4, 5)


def test_no_width_may_be_known():
    found = evaluate(gallery.load("near-box"), "best-known-width", Options(error=Fraction(1, 100)))
    assert found.bounds.lower >= 7
    assert found.bounds.upper == Decimal("Infinity")


def test_an_absurdly_small_error_is_refused():
    with pytest.raises(InvalidInstance, match="--error: is 0, expected 1e-6 or more"):
        evaluate(gallery.load("near-box"), "best-known-width", Options(error=Fraction(0)))

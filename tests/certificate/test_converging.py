"""The explicit bound as the checker derives it: what it is of, forged numbers, what is assumed."""

from __future__ import annotations

import dataclasses
import itertools
import json
from fractions import Fraction

import mpmath
import pytest
from certificates import CLAIM, LOPSIDED, instance_named, made, replaced, sealed

from verification import Instance, gallery
from verification.certificate import convergence_witnesses
from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.claims.convergence_claims import read_converging
from verification.certificate.check.instances import read_instance
from verification.certificate.check.numbers.balls import ball, bounds, precision
from verification.certificate.check.numbers.search import by_mean_value, is_at_most
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent import unit_suprema
from verification.certificate.check.recurrent.explicit_bound import largest_pair
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.unit_kernels import masses_of_atoms
from verification.certificate.check.recurrent.unit_means import UnitMeans
from verification.certificate.check.recurrent.unit_suprema import require_suprema
from verification.certificate.decimals import vector
from verification.certificate.witnesses import WITNESSES
from verification.certificate.writing import NotCertified, certificate
from verification.decision import decide
from verification.enclosure.balls import end_points
from verification.enclosure.balls import precision as enclosure_precision
from verification.flow.explicit_bound import explicit_bound, is_admissible
from verification.verdict import Verdict

T5 = CLAIM["T5"]
SKEW = "skew"
"""rain-tel-aviv with an output weight that has a third moment."""
MIXED = "mixed"
"""The lopsided one, of which no constant is 1."""
QUIET = "quiet"
"""Hardly mixing, briefly trained, small targets: other bounds of the errors are the least."""
NAMES = (MIXED, QUIET, "rain-tel-aviv", "near-reducible", "sharp-trapezoid", LOPSIDED, SKEW)
"""No constant 1, atoms, four states, inputs in the plane, no symmetry, odd moments of C."""
WIDTHS = (4, 5, 10, 32, 64, 100, 200, 400, 1_000, 10_000, 10**6, 10**12)
BOUNDS = ("kernel", "output", "spread", "sensitivity", "deviation")
BITS = 64
SLIGHTLY = Fraction(1, 10**6)


def named(name):
    if name == MIXED:
        document = instance_named(LOPSIDED).to_json()
        term = {"weight": "0.7", "of": "tanh", "scale": "0.9"}
        document["activation"] = {"kind": "mixture", "terms": [term]}
        document["law"]["C"] = {"kind": "uniform", "low": "-0.6", "high": "0.6"}
        document["chain"] |= {"inputs": [["0.8"], ["-0.5"]], "targets": ["0.7", "-0.1"]}
        return Instance.from_json(document | {"name": name})
    if name == QUIET:
        document = gallery.load("near-reducible").to_json()
        targets = document["chain"]["targets"]
        document["chain"]["targets"] = [str(Fraction(y) / 20) for y in targets]
        document["training"]["horizon"] = "0.25"
        parts = (("-0.5", "49/100"), ("0", "2/100"), ("0.5", "49/100"))
        document["law"] = {
            "kind": "atoms",
            "atoms": [{"p": p, "C": c, "W": ["0.5"], "B": "0.4"} for c, p in parts],
        }
        return Instance.from_json(document | {"name": name})
    if name != SKEW:
        return instance_named(name)
    document = gallery.load("rain-tel-aviv").to_json()
    for atom in document["law"]["atoms"]:
        atom["p"], atom["C"] = {
            "-1": (str(Fraction(atom["p"]) * 2), "-1"),
            "0": (str(Fraction(atom["p"]) * 3 / 4), "0"),
            "1": (atom["p"], "2"),
        }[atom["C"]]
    return Instance.from_json(document | {"name": name})


def read(name):
    return read_instance(reading.parse(json.dumps(named(name).to_json())), Budget())


def witness(name):
    """Return the witness as the checker reads it."""
    return Node(WITNESSES["T5"].shared(named(name)), "witness")


def scaled(document, name, factor):
    """Multiply the numbers that bound a supremum."""
    found = document["witness"]["bounds"][name]
    numbers = [Fraction(int(n), int(found["denominator"])) * factor for n in found["numerators"]]
    return sealed(replaced(document, ("witness", "bounds", name), vector(numbers)))


def test_the_skew_law_is_centred_and_has_a_third_moment():
    atoms = named(SKEW).law.atoms
    moments = [sum(a.p * a.c**k for a in atoms) for k in (0, 1, 3)]
    assert moments[:2] == [1, 0]
    assert moments[2] > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_bound_is_that_of_the_claim_at_every_width(name):
    """Two programs that share no formula: the smaller the width, the more terms are seen."""
    instance = named(name)
    known = read_converging(read(name), witness(name), Budget())
    tried = 0
    for width in WIDTHS:
        with enclosure_precision(BITS):
            if not is_admissible(instance, width):
                continue
            claimed = explicit_bound(instance, width, instance.chain.initial, Fraction(0))
            low, high = end_points(claimed.total)
        with precision(2 * BITS):
            found = bounds(known.bound(width).total())
        assert low <= found.lower <= found.upper <= high
        # So narrow that another factor anywhere would show.
        assert high - low < found.lower / 2**40
        tried += 1
    assert tried >= 3


def test_one_denominator_may_be_positive_alone():
    """The bound of the errors then comes from the mean over the units; compared above."""
    known = read_converging(read("near-reducible"), witness("near-reducible"), Budget())
    with precision(BITS):
        first, second = map(bounds, known.bound(WIDTHS[0]).thetas)
    assert first.upper < 0 < second.lower


def learning(scale):
    """Return an instance that learns much in few steps, with targets that large."""
    document = gallery.load("constant-weights").to_json()
    term = {"weight": "1", "of": "logistic", "shift": "3"}
    document["activation"] = {"kind": "mixture", "terms": [term]}
    targets = [str(scale), str(-scale / 3)]
    document["chain"] |= {"inputs": [["0.01"], ["0.02"]], "targets": targets}
    document["training"] |= {"alpha": "4", "horizon": "1"}
    return Instance.from_json(document)


def refusal(instance, width):
    """Return what the checker finds the bound to lack, if anything."""
    found = WITNESSES["T5"].shared(instance)
    known = read_instance(reading.parse(json.dumps(instance.to_json())), Budget())
    with precision(BITS):
        try:
            read_converging(known, Node(found, "witness"), Budget()).bound(width)
        except Invalid as error:
            return str(error)
    return ""


def test_targets_may_be_as_large_as_the_claim_lets_them_be():
    """What is learnt is within the clip, to a part in thousands."""
    low, high = Fraction(1, 16), Fraction(4)
    while high - low > low / 2**12:
        middle = (low + high) / 2
        low, high = (middle, high) if is_admissible(learning(middle), 16) else (low, middle)
    assert refusal(learning(low), 16) == ""
    assert "ybar (tau Kbar/(2 - h Kbar))^(1/2) at N = 16 is not shown" in refusal(
        learning(high), 16
    )


def test_steps_may_be_as_large_as_the_claim_lets_them_be():
    instance = learning(Fraction(1, 64))
    assert [width for width in range(1, 9) if not is_admissible(instance, width)] == [1, 2, 3]
    assert "h Kbar <= 1 at N = 3 is not shown" in refusal(instance, 3)
    assert refusal(instance, 4) == ""


# The suprema


def value_and_slope(means, kind):
    return getattr(means, kind), getattr(means, f"{kind}_slope")


@pytest.mark.parametrize("kind", ["kernel", "output", "variance"])
@pytest.mark.parametrize("name", ["rain-tel-aviv", "sharp-trapezoid", LOPSIDED])
def test_means_over_a_unit_have_these_derivatives(name, kind):
    with precision(256):
        means = UnitMeans(Memory(read(name), Budget()), 1)
        value, slope = value_and_slope(means, kind)
        step, at = Fraction(1, 2**60), Fraction(1, 5)
        change = (value(ball(at + step)) - value(ball(at - step))) / ball(2 * step)
        apart = bounds(abs(change - slope(ball(at))))
    assert apart.upper < Fraction(1, 2**100)


def test_means_over_a_unit_are_sums_over_atoms():
    instance = read("rain-tel-aviv")
    with precision(128):
        means = UnitMeans(Memory(instance, Budget()), 1)
        found = [bounds(value(ball(Fraction(1, 4)))) for value in (
            means.kernel, means.output, means.variance
        )]  # fmt: skip
    with mpmath.workdps(40):
        exact = lambda x: mpmath.mpf(x.numerator) / x.denominator  # noqa: E731
        (x,) = map(exact, instance.inputs[1])
        kernel = output = square = mean = mpmath.mpf(0)
        for atom in instance.law.atoms:
            u = exact(atom.w[0]) * x + mpmath.mpf(1) / 4
            height = 1 / (1 + mpmath.exp(-u))
            p, c, b = (exact(t) for t in (atom.p, atom.c, atom.b))
            kernel += p * (height**2 + (c * height * (1 - height) * x) ** 2)
            output += p * (c * height) ** 2
            square += p * (b * height) ** 2
            mean += p * b * height
        for each, truth in zip(found, (kernel, output, square - mean**2), strict=True):
            near = Fraction(int(mpmath.nint(truth * mpmath.mpf(10) ** 36)), 10**36)
            assert abs(each.lower - near) < Fraction(1, 10**34)
            assert each.upper - each.lower < Fraction(1, 10**34)


def test_a_bound_of_a_function_is_shown_or_found_out():
    look = by_mean_value(lambda v: 1 - v * v, lambda v: -2 * v)
    with precision(BITS):
        assert is_at_most(look, Fraction(3), 1 + Fraction(1, 10**9), 1_000)
        assert not is_at_most(look, Fraction(3), 1 - Fraction(1, 10**9), 1_000)
        assert not is_at_most(look, Fraction(3), 1 + Fraction(1, 10**9), 3)


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("name", ["rain-tel-aviv", LOPSIDED])
def test_a_number_that_bounds_nothing_is_named(name, bound):
    document = made("T5", name)
    # The deviation is not bounded narrowly.
    less = Fraction(1, 2) if bound == "deviation" else 1 - SLIGHTLY
    with pytest.raises(Invalid, match=rf"bounds\.{bound}: is not shown to bound"):
        check_text(json.dumps(scaled(document, bound, less)))


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_larger_number_gives_another_bound(bound):
    document = scaled(made("T5", LOPSIDED), bound, 1 + SLIGHTLY)
    with pytest.raises(Invalid, match=r"side is .* as stated"):
        check_text(json.dumps(document))


@pytest.mark.parametrize("bound", BOUNDS[1:])
def test_a_number_below_0_is_refused(bound):
    with pytest.raises(Refused, match="a number >= 0"):
        check_text(json.dumps(scaled(made("T5", LOPSIDED), bound, Fraction(-1))))


def test_the_largest_possible_deviation_is_enough_where_none_is_searched():
    """Of inputs that are not parallel, for units with a density, none is."""
    document = made("T5", "sharp-trapezoid")
    inputs = [["1", "0"], ["1", "1"]]
    document = replaced(document, ("instance", "chain", "inputs"), inputs)
    for bound in BOUNDS:
        document = scaled(document, bound, Fraction(100))
    # Well formed and shown; only the sides are others.
    with pytest.raises(Invalid, match=r"side is .* as stated"):
        check_text(json.dumps(document))


# What is assumed, and what is refused


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("instance", "law", "C"), {"kind": "constant", "value": "1"}, r"E\[C \| W\] = 0"),
        (("instance", "law", "B"), {"kind": "constant", "value": "9"}, "qbar = s1 bbar < 1"),
        (("instance", "chain", "targets", 0), "9999", r"N\^gamma >= ybar at N = 1000000"),
        (("instance", "training", "alpha"), "900000", "at N = 1000000"),
        (("cases", 0, "case", "width"), 2, "at N = 2"),
    ],
)
def test_what_the_bound_asks_for_is_verified(path, value, problem):
    document = replaced(made("T5", LOPSIDED), path, value)
    with pytest.raises(Invalid, match=f"assumption: .*{problem}"):
        check_text(json.dumps(sealed(document)))


def test_training_constants_are_needed():
    document = made("T5", LOPSIDED)
    del document["instance"]["training"]
    with pytest.raises(Invalid, match="training constants"):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize(("key", "value"), [("width", 10**16), ("width", 0), ("times", 1)])
def test_a_width_beyond_reason_is_refused(key, value):
    document = replaced(made("T5", LOPSIDED), ("cases", 0, "case", key), value)
    with pytest.raises(Refused, match="expected an integer"):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize("name", ["rain-tel-aviv", "hidden-state"])
def test_searches_are_charged(name):
    with pytest.raises(Refused, match="asks for more than"):
        read_converging(read(name), witness(name), Budget(left=10**5))


def test_bounds_at_many_widths_are_charged():
    """A file may list thousands of cases, for a chain of hundreds of states."""
    budget = Budget()
    known = read_converging(read("hidden-state"), witness("hidden-state"), budget)
    with precision(BITS):
        known.bound(10**6)
        before = budget.left
        known.bound(10**6 + 1)
    assert before - budget.left >= 1_000


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_largest_sum_of_two_is_that_of_all_pairs(count):
    values = [ball(Fraction(k * k % 7, 3)) for k in range(2, 2 + count)]
    pairs = [bounds(x + y) for x, y in itertools.combinations(values, 2)]
    most = max((pair.upper for pair in pairs), default=Fraction(0))
    found = bounds(largest_pair(values))
    assert abs(found.upper - most) < Fraction(1, 2**40)


def with_inputs(count, digits):
    """A witness that asks for a search over all pairs of inputs, of units with long C."""
    document = made("T5", "rain-tel-aviv")
    chain = document["instance"]["chain"]
    chain["transition"] = {
        "rows": count,
        "entries": [[i, 0, "1/2"] for i in range(count)] + [[i, 1, "1/2"] for i in range(count)],
    }
    chain["inputs"] = [[f"{i}/1000"] for i in range(count)]
    chain["targets"], chain["initial"] = ["1/2"] * count, 0
    long = f"1{'0' * digits}1/1{'0' * (digits + 1)}"
    law = document["instance"]["law"]
    law["atoms"] = [
        {"p": "1/8", "C": c + long, "W": [w], "B": b}
        for c in ("", "-")
        for w in ("1", "2")
        for b in ("1/2", "-1/2")
    ]
    numbers = {"kernel": [Fraction(9)] * count, "deviation": [Fraction(1, 1000)]}
    witness = document["witness"]
    witness["stationary_law"] = vector([Fraction(1, 2)] * 2 + [Fraction(0)] * (count - 2))
    witness["bounds"] = {key: vector(numbers.get(key, [Fraction(9)])) for key in BOUNDS}
    return sealed(document)


def test_a_deviation_between_too_many_inputs_is_not_searched(monkeypatch):
    def searched(*_arguments):
        raise AssertionError

    monkeypatch.setattr(unit_suprema, "variance_at", searched)
    with pytest.raises(Invalid, match=r"bounds\.deviation: is not shown"):
        check_text(json.dumps(with_inputs(90, 0)))


def test_squares_of_long_weights_are_charged():
    work = []
    for digits in (0, 1_900):
        document, budget = with_inputs(2, digits), Budget()
        instance = read_instance(reading.parse(json.dumps(document["instance"])), Budget())
        masses_of_atoms(instance, instance.inputs, budget)
        work.append(Budget().left - budget.left)
    assert work[1] > 10 * work[0]


def test_an_activation_whose_terms_cancel_says_nothing():
    document = made("T5", LOPSIDED)
    terms = [{"weight": weight, "of": "tanh"} for weight in ("1/4", "-1/4")]
    activation = {"kind": "mixture", "terms": terms}
    document = replaced(document, ("instance", "activation"), activation)
    for bound in BOUNDS:
        document = scaled(document, bound, Fraction(100))
    with pytest.raises(Invalid, match="K > 0 somewhere"):
        check_text(json.dumps(document))


def test_atoms_of_many_digits_are_charged():
    """Means over atoms whose numbers have no common denominators are taken in balls."""
    document = made("T5", "rain-tel-aviv")
    for k, atom in enumerate(document["instance"]["law"]["atoms"]):
        atom["B"] = f"1/{10**3_900 + 2 * k + 1}"
    with pytest.raises((Refused, Invalid)):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize("name", ["sharp-small-steps", "rain-tel-aviv"])
def test_the_rate_of_independent_draws_is_not_certified(name):
    (mutant,) = T5.mutants
    claim = dataclasses.replace(T5, right=mutant.right)
    assert decide(claim, gallery.load(name)).verdict is Verdict.REFUTED
    with pytest.raises(NotCertified, match="REFUTED"):
        certificate(claim, gallery.load(name))
    # Nor does a forger get it, who states what the mutant claims.
    document = made("T5", name)
    right = document["cases"][0]["right"]
    document["cases"][0]["right"] = {end: str(Fraction(right[end])) for end in right}
    with pytest.raises((Refused, Invalid)):
        check_text(json.dumps(sealed(document)))


def test_numbers_that_bound_suprema_are_the_claims_own():
    """Doubles, or ends of balls: no digits are made up."""
    found = convergence_witnesses.suprema(named("rain-tel-aviv"))["bounds"]
    assert found.keys() == set(BOUNDS)
    known = read_converging(read("rain-tel-aviv"), witness("rain-tel-aviv"), Budget())
    require_suprema(known.memory, known.suprema)
    coarse = dataclasses.replace(known.suprema, spread=Fraction(0))
    with pytest.raises(Invalid, match="spread"):
        require_suprema(known.memory, coarse)

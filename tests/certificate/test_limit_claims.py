"""Certificates of the claims on the limit equation, and the tools that check them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from fractions import Fraction

import mpmath
import pytest
from certificates import CLAIM, alterations, at, instance_named, made, outcome, paths, sealed

from verification import gallery
from verification.certificate.check import reading
from verification.certificate.check.checking import check_text
from verification.certificate.check.instances import Term, read_instance
from verification.certificate.check.linear.semigroups import (
    doubled_flow,
    inverse_form,
    rotated,
    series_of_flow,
)
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import ball, bounds, lower, precision, upper
from verification.certificate.check.numbers.special import growth_constant
from verification.certificate.check.outcome import Budget, Invalid, Refused
from verification.certificate.check.recurrent.kernel_bounds import kernel_bound
from verification.certificate.check.recurrent.limit_equation import Spot, Subject
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.speed import largest_squares
from verification.certificate.check.recurrent.units import moment_of_c as moment_of_spread
from verification.certificate.check.recurrent.word_laws import Memories, Place, is_odd, read_law
from verification.certificate.writing import NotCertified, certificate
from verification.enclosure.balls import end_points
from verification.flow.finite_law import AllWords, InvariantLaw, finite_law
from verification.kernel.limiting import Point, kernel
from verification.kernel.limiting import kernel_bound as solver_bound
from verification.markov.finite import stationary_law
from verification.oracle import activation as oracle
from verification.oracle import expectation
from verification.oracle.answer import real
from verification.recurrent.activation import activation
from verification.recurrent.law import moment_of_c
from verification.recurrent.memory import fixed_point

UNIT = {"p": "1", "C": "0.5", "W": ["1"], "B": "0.5"}
BITS = 192
ONE = Fraction(1)
ZERO = Fraction(0)
# Normal, uniform and constant W, atoms; a mixture; every family.
NAMES = (
    "markov-onegin",
    "sharp-arctan",
    "erf-uniform",
    "constant-weights",
    "dependent-b-on-w",
    "mixture-activation",
    "sharp-sine",
)


def read(name):
    return read_instance(reading.parse(json.dumps(instance_named(name).to_json())), Budget())


def subject_of(name):
    instance = read(name)
    with precision(BITS):
        return Subject(instance, Memory(instance, Budget()), Budget())


def chain_of(name):
    law = stationary_law(gallery.load(name).chain)
    return Chain(read(name), tuple(law), Budget())


def is_narrow(found, value, bits):
    """Tell whether an enclosure contains a number of mpmath's, and is that narrow."""
    low, high = real(found.lower), real(found.upper)
    room = mpmath.mpf(2) ** -bits
    return low - room <= value <= high + room and high - low <= room


# Flows of matrices


def positive(size, rank, seed):
    """Return a positive semidefinite matrix of a rank, and a vector."""
    rng = random.Random(seed)
    factor = [[Fraction(rng.randint(-99, 99), 64) for _ in range(rank)] for _ in range(size)]
    rows = [
        [sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in factor]
        for x in factor
    ]
    return rows, [Fraction(rng.randint(-99, 99), 64) for _ in range(size)]


def in_balls(rows, vector):
    return [[ball(x) for x in row] for row in rows], [ball(x) for x in vector]


@pytest.mark.parametrize(("size", "rank"), [(1, 1), (4, 4), (5, 2)])
@pytest.mark.parametrize("time", [Fraction(1, 3), Fraction(4), Fraction(1000)])
def test_three_ways_to_follow_a_flow_agree_with_mpmath(size, rank, time):
    exact = positive(size, rank, size)
    with mpmath.workdps(80):
        matrix = mpmath.matrix([[real(x) for x in row] for row in exact[0]])
        z = mpmath.matrix([real(x) for x in exact[1]])
        values, vectors = mpmath.eigsy(matrix)
        s, turned = real(time), vectors.T * z
        loss = mpmath.fsum(
            mpmath.exp(-2 * s * x) * c * c for x, c in zip(values, turned, strict=True)
        )
        small = mpmath.mpf(2) ** -200
        norm = mpmath.fsum(
            (1 - mpmath.exp(-s * x)) ** 2 / x * c * c
            for x, c in zip(values, turned, strict=True)
            if x > small
        )
        with precision(BITS):
            rows, start = in_balls(*exact)
            flow = doubled_flow(rows, start, time, Budget())
            assert is_narrow(bounds(flow.squared_residual()), loss, 120)
            assert is_narrow(bounds(flow.squared_norm()), norm, 120)
            decay = rotated(rows, start, Budget()).squared_decay(2 * time)
            assert is_narrow(bounds(decay), loss, 120)
            if time == Fraction(1, 3):
                series = series_of_flow(rows, start, time, Budget())
                for one, other in zip(series, flow.gained, strict=True):
                    assert one.overlaps(other)
                    assert upper(one) - lower(one) < Fraction(1, 2**120)


def test_what_is_too_long_is_refused():
    with precision(64):
        rows, start = in_balls(*positive(2, 2, 1))
        with pytest.raises(Refused, match="a time is too long"):
            doubled_flow(rows, start, Fraction(2**140), Budget())
        with pytest.raises(Refused, match="too many terms"):
            series_of_flow(rows, start, Fraction(1000), Budget())
        with pytest.raises(Refused, match="operations"):
            doubled_flow(rows, start, Fraction(1), Budget(left=100))


def test_the_form_of_an_inverse():
    exact = positive(4, 4, 7)
    with mpmath.workdps(60), precision(BITS):
        matrix = mpmath.matrix([[real(x) for x in row] for row in exact[0]])
        z = mpmath.matrix([real(x) for x in exact[1]])
        value = (z.T * mpmath.lu_solve(matrix, z))[0]
        assert is_narrow(bounds(inverse_form(*in_balls(*exact), Budget())), value, 120)
        assert inverse_form(*in_balls(*positive(4, 3, 7)), Budget()) is None


def test_the_constant_of_growth():
    with mpmath.workdps(60), precision(BITS):
        where = mpmath.findroot(lambda s: 2 * s + 1 - mpmath.exp(s), 1.25)
        value = (1 - mpmath.exp(-where)) ** 2 / where
        assert is_narrow(bounds(growth_constant()), value, 180)
        assert all((1 - mpmath.exp(-s)) ** 2 / s < value for s in (1, 1.2, 1.3, 2, 30))


# Laws of words, memories, kernels


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_those_of_the_solver_which_has_other_rules(name):
    subject, instance = subject_of(name), gallery.load(name)
    spots = [Spot(x, v) for x in instance.chain.inputs[:2] for v in (Fraction(0), Fraction(-3, 8))]
    with precision(128):
        gram = subject.gram(spots)
        for first, row in zip(spots, gram, strict=True):
            for second, common in zip(spots, row, strict=True):
                mine = subject.kernel(first, second)
                points = [Point(input=spot.input, memory=spot.memory) for spot in (first, second)]
                theirs = kernel(instance.activation, instance.law, *points)
                for found in (mine, common):
                    assert found.overlaps(theirs)
                    assert upper(found) - lower(found) < Fraction(1, 2**90)


def test_a_kernel_is_the_integral():
    subject, instance = subject_of("markov-onegin"), gallery.load("markov-onegin")
    spots = Spot((Fraction(1),), Fraction(1, 4)), Spot((Fraction(-1),), Fraction(1, 2))
    assert moment_of_spread(subject.instance.law.c, 2) == moment_of_c(instance.law, 2)
    with mpmath.workdps(30), precision(128):
        square = real(moment_of_c(instance.law, 2))

        def product(w):
            one, other = w + real(spots[0].memory), -w + real(spots[1].memory)
            values, slopes = (
                oracle.value(instance.activation, k, one)
                * oracle.value(instance.activation, k, other)
                for k in (0, 1)
            )
            return values - square * slopes

        truth = expectation.mean(
            instance.law, (Fraction(1),), product, length=Fraction(1), weighted=False
        )
        assert is_narrow(bounds(subject.kernel(*spots)), truth, 80)


@pytest.mark.parametrize("name", ["two-dimensional", "two-dimensional-uniform"])
def test_kernels_in_two_dimensions(name):
    instance, subject = gallery.load(name), Subject(read(name), None, Budget())
    longer, shorter = (Fraction(3, 4), Fraction(-1, 2)), (Fraction(0), Fraction(1, 4))
    parallel, as_long = tuple(-x / 2 for x in longer), longer[::-1]
    places = [(longer, Fraction(1, 8)), (shorter, Fraction(-1, 4)), (parallel, Fraction(1))]
    places += [(as_long, Fraction(1, 8)), (longer, Fraction(-1, 4)), (shorter, Fraction(1))]
    with precision(80):
        for (x, v), (z, w) in itertools.product(places, repeat=2):
            found = subject.kernel(Spot(x, v), Spot(z, w))
            points = Point(input=x, memory=v), Point(input=z, memory=w)
            assert found.overlaps(kernel(instance.activation, instance.law, *points))
            assert upper(found) - lower(found) < Fraction(1, 2**60)


def test_a_kernel_in_two_dimensions_is_what_is_known_in_closed_form():
    """``E[sin(W.x) sin(W.x')]`` for W normal with mean 0, and the same with cosines."""
    document = gallery.load("two-dimensional").to_json()
    document["activation"] = {"kind": "sin"}
    document["law"]["W"] = {"kind": "normal", "mean": ["0", "0"], "std": "1"}
    document["law"]["C"] = {"kind": "constant", "value": "2"}
    instance = read_instance(reading.parse(json.dumps(document)), Budget())
    one, other = (Fraction(1), Fraction(1, 2)), (Fraction(-1, 2), Fraction(3, 4))
    with mpmath.workdps(40), precision(100):
        found = Subject(instance, None, Budget()).kernel(Spot(one, ZERO), Spot(other, ZERO))
        near, far = (
            mpmath.exp(-real(sum((a + s * b) ** 2 for a, b in zip(one, other, strict=True))) / 2)
            for s in (-1, 1)
        )
        product = real(sum(a * b for a, b in zip(one, other, strict=True)))
        truth = (near - far) / 2 + 4 * product * (near + far) / 2
        assert is_narrow(bounds(found), truth, 80)


@pytest.mark.parametrize("name", ["one-state", "periodic-three", "sharp-forgetting"])
def test_fixed_points_are_those_of_the_solver_which_shows_a_change_of_sign(name):
    subject = subject_of(name)
    word = tuple(range(min(3, subject.instance.size)))
    past = tuple(subject.instance.inputs[i] for i in word)
    with precision(128):
        found = Memories(subject.memory).at(Place(past[0], past, is_fixed=True))
        assert found.overlaps(fixed_point(gallery.load(name), word))
        assert upper(found) - lower(found) < Fraction(1, 2**90)


@pytest.mark.parametrize(
    "name", ["markov-onegin", "sharp-sine", "sharp-erf", "dependent-b-on-w", "sharp-arctan"]
)
def test_the_bound_of_the_kernel(name):
    instance, subject = read(name), gallery.load(name)
    with precision(80):
        found = kernel_bound(instance, Budget())
    theirs = solver_bound(subject)
    assert found.lower <= end_points(theirs.upper)[1]
    assert end_points(theirs.lower)[0] <= found.upper
    assert found.upper <= found.lower * (
        1 + Fraction(1, 2**20 if name == "sharp-arctan" else 2**38)
    )


@pytest.mark.parametrize(("factor", "truth"), [(Fraction(1, 2), 1), (Fraction(4), 4)])
def test_the_largest_height_of_tanh_is_at_zero_or_at_infinity(factor, truth):
    """``tanh^2 + f (1 - tanh^2)^2`` is convex in tanh^2."""
    with precision(80):
        found = largest_squares((Term(ONE, ONE, ZERO, "tanh"),), 0, factor, Budget())
    assert found.lower <= truth <= found.upper
    assert found.upper - found.lower < Fraction(1, 2**37)


def test_the_largest_height_of_a_sine_is_a_closed_form():
    terms = (Term(Fraction(3), Fraction(2), ONE, "sin"),)
    assert largest_squares(terms, 0, Fraction(1), Budget()).upper == 36


@pytest.mark.parametrize(
    ("name", "data", "document"),
    [
        ("hidden-state", AllWords(known=1), {"of": "all words", "known": 1}),
        ("rain-tel-aviv", AllWords(known=2), {"of": "all words", "known": 2}),
        ("sharp-arctan", AllWords(known=1), {"of": "all words", "known": 1}),
        ("one-state", InvariantLaw(), {"of": "invariant law"}),
        ("periodic-three", InvariantLaw(), {"of": "invariant law"}),
        ("zero-memory", InvariantLaw(), {"of": "invariant law"}),
        ("zero-memory-atoms", InvariantLaw(), {"of": "invariant law"}),
    ],
)
def test_laws_of_words_are_those_of_the_solver(name, data, document):
    instance, chain = gallery.load(name), chain_of(name)
    law = read_law(reading.Node(document, "law"), chain, chain.instance, Budget())
    theirs = finite_law(instance, data)
    folded = theirs.folded() if activation(instance.activation).is_odd() else theirs
    for odd, other in ((False, theirs), (is_odd(chain.instance), folded)):
        assert sorted(law.means(odd=odd).values()) == sorted(
            zip(other.masses, other.mean_targets, strict=True)
        )
    assert law.squared_target == theirs.squared_target


def test_an_invariant_law_that_is_not_finite_is_refused():
    chain = chain_of("markov-onegin")
    with pytest.raises(Refused, match="not known to have finitely many atoms"):
        read_law(reading.Node({"of": "invariant law"}, ""), chain, chain.instance, Budget())
    with pytest.raises(Refused, match="more than 64 words"):
        read_law(reading.Node({"of": "all words", "known": 7}, ""), chain, chain.instance, Budget())


# Certificates


@pytest.mark.parametrize(
    ("name", "kind"),
    [("two-dimensional", "units"), ("random-dense-50", "words"), ("one-state", "invariant law")],
)
def test_every_kind_of_law_is_guarded(name, kind):
    """Drawn units, words of a path, the invariant law: no number of a case can be changed."""
    document = made("O5", name)
    document = sealed(document | {"cases": document["cases"][-1:]})
    (case,) = (item["case"] for item in document["cases"])
    assert kind in {*case, case["law"]["of"]}
    assert outcome(document) == "VALID"
    tried = 0
    for number, path in enumerate(paths(document)):
        if path[:3] == ("cases", 0, "case") and (number % 9 == 0 or kind == "invariant law"):
            for how, altered in alterations(document, path):
                assert outcome(sealed(altered)) != "VALID", (path, how)
                tried += 1
    assert tried > 8


def _mutant(claim_id, name):
    (found,) = (mutant for mutant in CLAIM[claim_id].mutants if mutant.name == name)
    return found


@pytest.mark.parametrize(
    ("claim_id", "name", "instance"),
    [
        ("O1", "wrong-sign", "one-state"),
        ("O1", "squared-output-weight-missing", "fair-coin"),
        ("O1", "independent-memory", "two-state-sticky"),
        ("O2", "projection-dropped", "hidden-state"),
        ("O2", "rate-halved", "fair-coin"),
    ],
)
def test_a_false_identity_that_its_solver_believes_is_found_out(claim_id, name, instance):
    """Both sides are those of a mutant: to its solver they are equal."""
    claim, mutant = CLAIM[claim_id], _mutant(claim_id, name)
    wrong = mutant.left or mutant.right
    believed = dataclasses.replace(claim, left=wrong, right=wrong)
    with pytest.raises(Invalid, match="side is"):
        check_text(json.dumps(certificate(believed, gallery.load(instance))))


def test_a_bound_that_is_false_is_invalid():
    """The constant 2/5 in the place of c, of a weight that is a little smaller than it is."""
    claim, mutant = CLAIM["O5"], _mutant("O5", "constant-too-small")

    def smaller(instance, case):
        return claim.left(instance, case) * ball(Fraction(9, 10))

    believed = dataclasses.replace(claim, left=smaller, right=mutant.right)
    with pytest.raises(Invalid, match="left side is"):
        check_text(json.dumps(certificate(believed, gallery.load("one-state"))))


@pytest.mark.parametrize(
    ("name", "error"), [("long-step", "right side is"), ("large-factor", "left side is")]
)
def test_a_recursion_of_a_mutant_is_found_out(name, error):
    claim, mutant = CLAIM["T6D"], _mutant("T6D", name)

    def smaller(instance, case):
        return mutant.left(instance, case) / 100

    wrong = {"right": mutant.right} if mutant.right else {"left": smaller}
    believed = dataclasses.replace(claim, **wrong)
    with pytest.raises(Invalid, match=error):
        check_text(json.dumps(certificate(believed, gallery.load("fair-coin"))))


def test_a_recursion_with_large_factors_is_refused():
    document = made("T6D", "markov-onegin")
    for factors, error in ((["2"], "at most 1"), (["0"], "above 0")):
        changed = json.loads(json.dumps(document))
        changed["cases"] = [item for item in changed["cases"] if len(item["case"]["points"]) == 1]
        changed["cases"][0]["case"]["factors"] = factors
        with pytest.raises(Refused, match=error):
            check_text(json.dumps(sealed(changed)))


def test_a_singular_kernel_is_found_out():
    """With one value of W the kernel has rank two at most: at four places it is singular."""
    document = made("O3", "constant-weights")
    document["cases"] = document["cases"][:1]
    document["cases"][0]["case"]["law"] = {"of": "all words", "known": 2}
    with pytest.raises(Invalid, match=r"not shown to be positive definite|side is"):
        check_text(json.dumps(sealed(document)))


def test_a_law_is_compared_with_one_that_remembers_less():
    document = made("O4", "markov-onegin")
    document["cases"] = document["cases"][:1]
    document["cases"][0]["case"]["known"] = 2
    with pytest.raises(Refused, match="fewer inputs than the law of words has"):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize("name", ["one-step-too-many", "slope-without-gradient"])
def test_a_smaller_bound_on_the_history_is_found_out(name):
    """Where the mutant is not refuted, for the left side is far below."""
    claim, mutant = CLAIM["O4"], _mutant("O4", name)
    believed = dataclasses.replace(claim, right=mutant.right)
    with pytest.raises(NotCertified, match="disagree on a side"):
        certificate(believed, gallery.load("markov-onegin"))


def test_a_forged_bound_on_the_history_is_invalid():
    document = made("O4", "markov-onegin")
    right = document["cases"][0]["right"]
    right["lower"], right["upper"] = ("9" + right[end][1:] for end in ("lower", "upper"))
    with pytest.raises(Invalid, match="right side"):
        check_text(json.dumps(sealed(document)))


def test_of_a_mixture_the_checker_knows_the_bound_of_the_kernel_better():
    """What certifies O4 bounds Kbar term by term there, to no digit."""
    (right,) = {json.dumps(x["right"]) for x in made("O4", "mixture-activation")["cases"][:1]}
    assert len(json.loads(right)["lower"].replace(".", "").lstrip("0")) >= 8
    check_text(json.dumps(made("O4", "mixture-activation")))


def test_units_and_words_are_written_in_one_order_only():
    document = made("O5", "two-dimensional")
    units = document["cases"][0]["case"]["units"]
    units[0], units[1] = units[1], units[0]
    with pytest.raises(Refused, match="units in order"):
        check_text(json.dumps(sealed(document)))
    document = made("O5", "random-dense-50")
    words = document["cases"][0]["case"]["law"]["words"]
    words[0], words[1] = words[1], words[0]
    with pytest.raises(Refused, match="in order"):
        check_text(json.dumps(sealed(document)))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("instance", "training"), None, "training constants"),
        (("instance", "chain", "targets"), ["0", "0"], "nothing is learnt"),
        (("cases", 0, "case", "units"), [UNIT | {"C": "7"}], "does not occur in the initial law"),
        (("cases", 0, "case", "units"), [UNIT | {"B": "7"}], "does not occur in the initial law"),
        (("cases", 0, "case", "law"), {"of": "words", "words": [[0, 0]]}, "probability 0"),
    ],
)
def test_what_is_not_of_the_instance_or_says_nothing_is_invalid(path, value, problem):
    document = json.loads(json.dumps(made("O5", "markov-onegin")))
    document["cases"] = document["cases"][:1]
    if path[-1] == "law":
        document["instance"]["chain"]["transition"] = [["0", "1"], ["0.5", "0.5"]]
        document["witness"]["stationary_law"] = {"denominator": "3", "numerators": ["1", "2"]}
    at(document, path[:-1])[path[-1]] = value
    if value is None:
        del document["instance"]["training"]
    with pytest.raises(Invalid, match=problem):
        check_text(json.dumps(sealed(document)))


def test_a_memory_that_is_always_0_forgets_nothing():
    document = json.loads(json.dumps(made("O4", "markov-onegin")))
    document["instance"]["law"]["B"] = {"kind": "uniform", "low": "-0.5", "high": "0.5"}
    with pytest.raises(Invalid, match="the memory is always 0"):
        check_text(json.dumps(sealed(document)))

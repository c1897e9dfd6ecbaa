"""Do the strategies reach the hard cases, keep their promises, and shrink?

What an instance is, is decided here from its numbers, never from the name that its strategy gave
it.  The samples are the same in every run.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from verification.campaign.linear_strategies import (
    linear_functionals,
    single_functionals,
    trained_functionals,
)
from verification.campaign.regimes import all_cells, cells
from verification.campaign.slow_training import slow_trainings
from verification.campaign.strategies import (
    CHAIN_KINDS,
    LAW_KINDS,
    activations,
    chains,
    instances,
    laws,
    trainings,
    words,
)
from verification.enclosure.balls import ball, less
from verification.instance import (
    FAMILIES,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Uniform,
)
from verification.linear_functional import PARTS, Exponential, kind_of
from verification.markov.chain import (
    communicating_classes,
    dobrushin_coefficient,
    is_reversible,
    period,
)
from verification.recurrent.law import moment_of_c
from verification.recurrent.memory import contraction_factor, has_zero_memory
from verification.verdict import Truth

SIZE = 600
# sup |f'|, exact but for erf's to 1e-16; products of them differ from 1 by 1e-9 or not at all.
SLOPES = {
    "tanh": Fraction(1),
    "logistic": Fraction(1, 4),
    "erf": Fraction(2 / math.pi**0.5),
    "arctan": Fraction(1),
    "sin": Fraction(1),
}


def drawn(strategy, size=SIZE):
    """Return a sample of a strategy, the same in every run."""
    sample = []

    @settings(max_examples=size, derandomize=True, database=None)
    @given(strategy)
    def collect(value):
        sample.append(value)

    collect()
    return sample


def assert_reached(features, sample, expected, share=0.005):
    """Assert that each of the expected features occurs in the given share of a sample."""
    found = Counter(feature for value in sample for feature in features(value))
    rare = {name: found[name] for name in expected if found[name] < share * len(sample)}
    assert rare == {}, found


def mean_absolute_b(law) -> Fraction:
    if isinstance(law, AtomicLaw):
        return sum(atom.p * abs(atom.b) for atom in law.atoms)
    if isinstance(law.b, Constant):
        return abs(law.b.value[0])
    low, high = law.b.low[0], law.b.high[0]
    # The integral of |b| is b |b| / 2.
    return (high * abs(high) - low * abs(low)) / 2 / (high - low)


def largest_b(law) -> Fraction:
    if isinstance(law, AtomicLaw):
        return max(abs(atom.b) for atom in law.atoms)
    return max(map(abs, law.b.value if isinstance(law.b, Constant) else law.b.low + law.b.high))


def slope(activation) -> Fraction:
    return sum(abs(term.weight * term.scale) * SLOPES[term.of] for term in activation.terms)


# Chains.


def features_of_chain(chain: Chain):
    n = chain.n_states
    classes = communicating_classes(chain)
    recurrent = [c for c in classes if c.recurrent]
    periods = [period(chain, c) for c in recurrent]
    matrix = np.zeros((n, n))
    for i, row in enumerate(chain.rows):
        for j, p in row:
            matrix[i, j] = p
    sizes = sorted(abs(np.linalg.eigvals(matrix)))
    delta = dobrushin_coefficient(chain)
    entries = sum(map(len, chain.rows))
    yield f"{n} states"
    yield f"dimension {chain.dimension}"
    if n > 1 and entries == n * n:
        yield "dense"
    if 2 * entries <= n * n:
        yield "sparse"
    if max(periods) > 1:
        yield "periodic"
    if max(periods) > 2:
        yield "period 3 or more"
    if len(recurrent) > 1:
        yield "several recurrent classes"
    if len(recurrent) < len(classes):
        yield "transient states"
    if len(classes) > 1 and any(len(c.states) == 1 for c in recurrent):
        yield "absorbing"
    if len(classes) == 1:
        yield "reversible" if is_reversible(chain) else "not reversible"
        if periods == [1]:
            yield "ergodic"
            if 1 - Fraction(1, 10**5) < delta < 1:
                yield "contracts, but barely"
            if delta == 1:
                yield "contracts, but not in one step"
            if n > 1 and sizes[-2] > 1 - 1e-5:
                nearly_one = min(abs(1 - np.sort_complex(np.linalg.eigvals(matrix))[:-1])) < 1e-5
                yield "nearly reducible" if nearly_one else "nearly periodic"
    if delta == 0:
        yield "independent"
    if n > 1 and entries == n:
        yield "without choice"
    if len(set(chain.inputs)) < n:
        yield "hidden state"
        seen = {}
        for i in range(n):
            seen.setdefault(chain.inputs[i], set()).add(chain.rows[i])
        if any(len(rows) > 1 for rows in seen.values()):
            yield "hidden state that matters"
        targets = {}
        for i in range(n):
            targets.setdefault(chain.inputs[i], set()).add(chain.targets[i])
        if any(len(values) > 1 for values in targets.values()):
            yield "one input with two targets"
    if is_history(chain):
        yield "history"
    yield "starts at 0" if chain.initial == 0 else "starts elsewhere"
    if max(abs(x) for point in chain.inputs for x in point) >= 10:
        yield "large inputs"
    if not any(map(any, chain.inputs)):
        yield "inputs zero"


def is_history(chain: Chain) -> bool:
    """Tell whether states that share a successor share all, as words of symbols do."""
    successors = {tuple(j for j, _ in row) for row in chain.rows}
    covered = sorted(j for js in successors for j in js)
    alphabet = len(chain.rows[0])
    return (
        covered == list(range(chain.n_states))
        and {len(js) for js in successors} == {alphabet}
        and 1 < alphabet < chain.n_states
    )


def test_chains_of_every_kind_occur():
    expected = [
        *[f"{n} states" for n in range(1, 9)],
        *[f"dimension {d}" for d in (1, 2, 3)],
        *["dense", "sparse", "periodic", "period 3 or more", "several recurrent classes"],
        *["transient states", "absorbing", "reversible", "not reversible", "ergodic"],
        *["contracts, but barely", "contracts, but not in one step", "nearly reducible"],
        *["nearly periodic", "independent", "hidden state", "hidden state that matters"],
        *[
            "one input with two targets",
            "history",
            "without choice",
            "starts at 0",
            "starts elsewhere",
        ],
        *["large inputs"],
    ]
    assert_reached(features_of_chain, drawn(chains()), expected)


PROMISES = {
    "one-state": {"1 states"},
    "dense": {"dense", "ergodic"},
    "reversible": {"reversible"},
    "rotating": {"not reversible", "ergodic"},
    "periodic": {"periodic"},
    "nearly-periodic": {"ergodic"},
    "nearly-reducible": {"ergodic"},
    "absorbing": {"absorbing", "transient states"},
    "history": {"history", "hidden state", "ergodic"},
    "deterministic": {"absorbing", "transient states", "without choice"},
    "regimes": {"ergodic"},
}


@pytest.mark.parametrize("kind", PROMISES)
def test_a_kind_of_chain_is_what_it_is_called(kind):
    for chain in drawn(chains(kinds=[kind]), 50):
        assert PROMISES[kind] <= set(features_of_chain(chain)), chain


def test_a_reducible_chain_has_several_classes():
    counts = Counter()
    for chain in drawn(chains(kinds=["reducible"]), 100):
        classes = communicating_classes(chain)
        assert len(classes) == 2
        counts[sum(c.recurrent for c in classes)] += 1
    assert min(counts[1], counts[2]) > 20


def test_in_chains_of_regimes_it_takes_several_steps_to_change_the_input():
    slow = 0
    for chain in drawn(chains(kinds=["regimes"]), 50):
        changes = {
            (i, j)
            for i, row in enumerate(chain.rows)
            for j, _ in row
            if chain.inputs[i] != chain.inputs[j]
        }
        assert len(changes) <= 2
        slow += dobrushin_coefficient(chain) == 1
    assert slow > 10


def test_a_chain_without_choice_has_long_paths():
    lengths = Counter()
    for chain in drawn(chains(kinds=["deterministic"]), 100):
        length, state = 0, chain.initial
        while chain.rows[state] != ((state, 1),):
            ((state, _),) = chain.rows[state]
            length += 1
        lengths[length] += 1
    assert lengths[0] > 0
    assert sum(lengths[k] for k in range(4, 8)) > 10


@pytest.mark.parametrize("kind", ["nearly-periodic", "nearly-reducible"])
def test_a_nearly_degenerate_chain_has_gaps_of_every_size(kind):
    smallest = [
        min(p for row in chain.rows for _, p in row) for chain in drawn(chains(kinds=[kind]), 200)
    ]
    assert min(smallest) < Fraction(1, 10**12)
    assert sum(p > Fraction(1, 10**5) for p in smallest) > 20


def test_chains_are_as_large_as_allowed_and_no_larger():
    for most in (1, 2, 3, 20):
        sizes = {chain.n_states for chain in drawn(chains(max_states=most), 200)}
        assert max(sizes) == most
    assert {chain.dimension for chain in drawn(chains(dimension=2), 20)} == {2}


# Activations, laws, training.


def features_of_activation(activation):
    yield activation.label
    if activation.label == "mixture":
        yield f"{len(activation.terms)} terms"
        if any(term.shift for term in activation.terms):
            yield "shifted"
        if any(term.weight * term.scale < 0 for term in activation.terms):
            yield "falling term"
        yield from {f"mixes {term.of}" for term in activation.terms}


def test_activations_of_every_family_occur():
    expected = [
        *FAMILIES,
        *[f"mixes {family}" for family in FAMILIES],
        *["mixture", "1 terms", "2 terms", "3 terms", "shifted", "falling term"],
    ]
    assert_reached(features_of_activation, drawn(activations()), expected, share=0.02)


def features_of_law(law):
    if isinstance(law, AtomicLaw):
        yield f"{len(law.atoms)} atoms"
        given_w, given_c = {}, {}
        for atom in law.atoms:
            given_w.setdefault(atom.w, set()).add(atom.b)
            given_c.setdefault((atom.w, atom.b), set()).add(atom.c)
        if len({frozenset(bs) for bs in given_w.values()}) > 1:
            yield "B depends on W"
        mass = Counter()
        for atom in law.atoms:
            mass[(atom.w, atom.b)] += atom.p
            mass[(tuple(-x for x in atom.w), atom.b)] -= atom.p
        yield "atoms with W symmetric" if not any(mass.values()) else "atoms with W lopsided"
        mean_c = sum(atom.p * atom.c for atom in law.atoms)
        yield "E C = 0" if mean_c == 0 else "E C other than 0"
        dependent = len({frozenset(cs) for cs in given_c.values()}) > 1
        yield "C depends on the rest" if dependent else "C independent"
        numbers = [atom.b for atom in law.atoms]
    else:
        yield f"W {type(law.w).__name__}"
        yield f"B {type(law.b).__name__}"
        yield f"C {type(law.c).__name__}"
        if isinstance(law.w, Normal):
            yield "W normal with a mean" if any(law.w.mean) else "W normal without a mean"
        if isinstance(law.w, Uniform):
            centred = all(a == -b for a, b in zip(law.w.low, law.w.high, strict=True))
            yield "W uniform around 0" if centred else "W uniform elsewhere"
        ends = law.c.value if isinstance(law.c, Constant) else law.c.low + law.c.high
        yield "E C = 0" if sum(ends) == 0 else "E C other than 0"
        numbers = law.b.value if isinstance(law.b, Constant) else law.b.low + law.b.high
    if max(numbers) < 0:
        yield "B negative"
    if min(numbers) < 0 < max(numbers):
        yield "B of both signs"
    if min(numbers) > 0:
        yield "B positive"


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_laws_of_every_kind_occur(dimension):
    expected = [
        *[f"{n} atoms" for n in (1, 2, 3, 4)],
        *["B depends on W", "atoms with W symmetric", "atoms with W lopsided"],
        *["E C = 0", "E C other than 0", "C depends on the rest", "C independent"],
        *["W Uniform", "W Normal", "W Constant", "B Uniform", "B Constant"],
        *["C Uniform", "C Constant", "W normal with a mean", "W normal without a mean"],
        *["W uniform around 0", "W uniform elsewhere"],
        *["B negative", "B of both signs", "B positive"],
    ]
    assert_reached(features_of_law, drawn(laws(dimension)), expected)


@pytest.mark.parametrize("kind", LAW_KINDS)
def test_a_centred_law_has_an_independent_c_without_mean(kind):
    for law in drawn(laws(2, kinds=[kind], centred=True), 50):
        features = set(features_of_law(law))
        assert "E C = 0" in features
        assert "C depends on the rest" not in features
        assert isinstance(law, AtomicLaw | ProductLaw)


def test_training_constants_are_valid_and_vary():
    sample = drawn(trainings(), 200)
    for constants in sample:
        assert Fraction(1, 2) < constants.beta < 1
        assert 0 < constants.gamma < 1 - constants.beta
        assert constants.alpha > 0
        assert constants.horizon > 0
    assert len({constants.beta for constants in sample}) > 4
    assert len({constants.alpha for constants in sample}) > 3


# Whole instances.


def features_of_strength(q: Fraction):
    if q == 0:
        yield "B = 0"
    elif q < Fraction(1, 2):
        yield "weak"
    if Fraction(999, 1000) < q < 1:
        yield "nearly critical from below"
    if q == 1:
        yield "critical"
    if 1 < q < Fraction(1001, 1000):
        yield "nearly critical from above"
    if q >= 2:
        yield "strong"


def features_of_instance(instance: Instance):
    yield from features_of_strength(slope(instance.activation) * mean_absolute_b(instance.law))
    yield "memory zero" if has_zero_memory(instance) else "memory"
    yield "trained" if instance.training else "untrained"
    if has_zero_memory(instance) and mean_absolute_b(instance.law):
        yield "memory zero by symmetry"


def test_instances_of_every_strength_occur():
    expected = [
        *["B = 0", "weak", "nearly critical from below", "critical"],
        *["nearly critical from above", "strong", "memory", "memory zero"],
        *["memory zero by symmetry", "trained", "untrained"],
    ]
    assert_reached(features_of_instance, drawn(instances()), expected)


def test_whole_instances_have_parts_of_every_kind():
    sample = drawn(instances(), 1000)
    kinds = {tuple(item.name.split(", ")) for item in sample}
    chain_kinds, labels, law_kinds = (set(column) for column in zip(*kinds, strict=True))
    assert chain_kinds == set(CHAIN_KINDS)
    assert labels == {*FAMILIES, "mixture"}
    assert law_kinds == set(LAW_KINDS)
    # The parts are independent: of the 396 combinations no few are drawn again and again.
    assert len(kinds) > 300


@given(instances(contracting=True))
def test_contracting_instances_contract(instance):
    assert slope(instance.activation) * mean_absolute_b(instance.law) < 1
    assert less(ball(contraction_factor(instance)), ball(1)) is Truth.TRUE


@given(instances(contracting=True, every_unit=True))
def test_contracting_units_contract(instance):
    assert slope(instance.activation) * largest_b(instance.law) < 1
    assert less(ball(contraction_factor(instance)), ball(1)) is Truth.TRUE


@given(instances(contracting=False))
def test_expanding_instances_expand(instance):
    # At 0 the terms are steepest together, so that no better bound of the slope contracts.
    assert all(term.shift == 0 for term in instance.activation.terms)
    terms = instance.activation.terms
    at_zero = sum(term.weight * term.scale * SLOPES[term.of] for term in terms)
    assert abs(at_zero) * mean_absolute_b(instance.law) > 1
    assert less(ball(1), ball(contraction_factor(instance))) is Truth.TRUE


def test_contracting_instances_have_every_strength_below_one():
    expected = ["B = 0", "weak", "nearly critical from below", "memory", "memory zero by symmetry"]
    assert_reached(features_of_instance, drawn(instances(contracting=True)), expected, share=0.02)


def test_what_is_asked_for_is_drawn():
    options = {
        "chain_kinds": ["history", "one-state"],
        "law_kinds": ["normal"],
        "dimension": 3,
        "training": True,
        "max_states": 4,
        "centred": True,
    }
    for item in drawn(instances(**options), 50):
        assert item.chain.n_states in {1, 4}
        assert item.chain.dimension == len(item.law.w.mean) == 3
        assert item.training is not None
        assert "E C = 0" in set(features_of_law(item.law))
    assert {item.training for item in drawn(instances(training=False), 20)} == {None}


def test_moderate_instances_have_no_large_numbers():
    most = {False: set(), True: set()}
    for moderate, found in most.items():
        for item in drawn(instances(moderate=moderate, contracting=True), 300):
            found |= {abs(x) for point in item.chain.inputs for x in point}
            found |= {abs(term.scale) for term in item.activation.terms}
            found |= {abs(y) for y in item.chain.targets}
            if isinstance(item.law, ProductLaw) and isinstance(item.law.w, Uniform):
                found |= {abs(x) for x in item.law.w.low + item.law.w.high}
    assert max(most[False]) > 15
    assert max(most[True]) <= 3
    assert min(most[True] - {0}) >= Fraction(1, 10)
    assert {spec.label for spec in drawn(activations(moderate=True), 100)} == {*FAMILIES, "mixture"}
    assert max(x for chain in drawn(chains(moderate=True), 50) for x in chain.targets) <= 2
    assert (
        max(
            atom.c
            for law in drawn(laws(1, kinds=["atoms"], moderate=True), 50)
            for atom in law.atoms
        )
        <= 2
    )


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: chains(kinds=["peridoic"]), "kinds are"),
        (lambda: chains(kinds=[]), "kinds are"),
        (lambda: chains(kinds=["history"], max_states=3), "kinds are"),
        (lambda: chains(max_states=0), "max_states is 0, expected 1 to 256"),
        (lambda: chains(dimension=4), "dimension is 4, expected 1 to 3"),
        (lambda: laws(0), "dimension is 0, expected 1 to 3"),
        (lambda: laws(1, kinds=["gaussian"]), "kinds are"),
        (lambda: instances(dimension=0), "dimension is 0, expected 1 to 3"),
        (lambda: instances(law_kinds=["gaussian"]), "kinds are"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, problem):
    with pytest.raises(ValueError, match=problem):
        call()


# Words.


@given(st.data())
def test_words_are_of_states_and_followed_where_told(data):
    chain = data.draw(chains())
    followed = data.draw(st.booleans())
    word = data.draw(words(chain, max_length=5, followed=followed))
    assert 1 <= len(word) <= 5
    assert set(word) <= set(range(chain.n_states))
    if followed:
        assert all(j in dict(chain.rows[i]) for i, j in pairwise(word))


def test_words_have_every_length_and_state():
    chain = find(chains(), lambda chain: chain.n_states == 8)
    sample = drawn(words(chain, max_length=4), 400)
    assert {len(word) for word in sample} == {1, 2, 3, 4}
    assert {state for word in sample for state in word} == set(range(8))


def test_words_of_a_large_chain_reach_its_states():
    n = 1000
    row = tuple((j, Fraction(1, n)) for j in range(n))
    zero = Fraction(0)
    chain = Chain(rows=(row,) * n, inputs=((zero,),) * n, targets=(zero,) * n, initial=0)
    for followed in (False, True):
        states = {state for word in drawn(words(chain, followed=followed), 200) for state in word}
        assert max(states) > 900
        assert any(state % 256 > 232 for state in states)


# Shrinking and cost.


def test_the_simplest_instance_is_as_simple_as_can_be():
    simplest = find(instances(), lambda _: True)
    assert simplest.name == "one-state, tanh, constant"
    assert simplest.chain.inputs == ((0,),)
    assert simplest.chain.targets == (0,)
    assert simplest.training is None


def test_a_counterexample_shrinks_to_small_numbers():
    # A made-up claim: no instance has three states, a mixture and an atom with b > 1/3.
    def refutes(instance):
        return (
            instance.chain.n_states >= 3
            and instance.activation.label == "mixture"
            and isinstance(instance.law, AtomicLaw)
            and any(atom.b > Fraction(1, 3) for atom in instance.law.atoms)
        )

    always_alike = settings(max_examples=10_000, derandomize=True, database=None)
    smallest = find(instances(), refutes, settings=always_alike)
    assert smallest.chain.n_states == 3
    assert smallest.chain.initial == 0
    assert not any(map(any, smallest.chain.inputs))
    assert not any(smallest.chain.targets)
    assert len(smallest.activation.terms) == 1
    assert len(smallest.law.atoms) <= 2
    assert smallest.training is None


def test_drawing_needs_no_numerical_library():
    code = (
        "import sys, verification.campaign.strategies;"
        "print([name for name in ('numpy', 'scipy', 'flint', 'mpmath') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


# Networks in training


def trained_sample():
    found = []

    @given(trained_functionals())
    @settings(max_examples=300, database=None, derandomize=True)
    def draw(subject):
        found.append(subject)

    draw()
    return found


def test_trainings_reach_the_hard_cases_and_rarely_one_that_says_nothing():
    found = trained_sample()
    units = [[unit for channel in subject.target for unit in channel] for subject in found]
    assert all(isinstance(unit, Exponential) for each in units for unit in each)
    least = [min(unit.rate for unit in each) for each in units]
    trainings = [subject.training for subject in found]
    counts = Counter(len(each) for each in units)
    assert min(counts[1], counts[2], counts[3]) > 15
    spare = [any(not unit.coefficient for unit in each) for each in units]
    equal = [len({unit.rate for unit in each}) < len(each) for each in units]
    assert 60 < sum(spare) < 240
    assert sum(equal) > 5
    late = [t.delays[-1] * w for t, w in zip(trainings, least, strict=True)]
    assert min(sum(x >= 6 for x in late), sum(x < 1 for x in late)) > 15
    assert sum(len(t.delays) > 1 for t in trainings) > 15
    assert sum(t.height < 0 for t in trainings) > 15
    silent = sum(t.height == 0 for t in trainings)
    wide = sum(
        t.radius is not None and t.radius >= w for t, w in zip(trainings, least, strict=True)
    )
    assert 0 < silent < 90
    assert 0 < wide < 90


# Targets


def test_targets_reach_every_kind_of_part_alone_and_in_sums():
    found = []

    @given(linear_functionals())
    @settings(max_examples=400, database=None, derandomize=True)
    def draw(subject):
        found.append(subject)

    draw()
    parts = [part for subject in found for channel in subject.target for part in channel]
    assert min(Counter(map(kind_of, parts))[kind] for kind in PARTS) > 15
    alone = {cell for subject in found for cell in cells(subject) if cell.startswith("target: ")}
    assert alone == {cell for cell in all_cells("linear-functional/1") if cell[:6] == "target"}
    switches = [len(part.times) for part in parts if kind_of(part) == "switching"]
    assert min(switches) == 0
    assert max(switches) > 2
    airy = [part.scale * part.shift for part in parts if kind_of(part) == "airy"]
    # Such that swing, and such that only fade.
    assert min(airy) < 0 < 2 < max(airy)
    bumps = [part.centre / part.width for part in parts if kind_of(part) == "gaussian"]
    assert min(bumps) < 1
    assert max(bumps) > 5


def test_targets_of_one_part_have_much_to_follow():
    sample = drawn(single_functionals(), 400)
    parts = [part for subject in sample for channel in subject.target for part in channel]
    assert len(parts) == len(sample)
    assert {kind_of(part) for part in parts} == set(PARTS)
    switches = [len(part.times) for part in parts if kind_of(part) == "switching"]
    assert sum(count >= 5 for count in switches) > 30
    assert max(switches) >= 20
    waves = [part for part in parts if isinstance(part, Exponential) and part.frequency]
    assert sum(part.frequency >= 10 * part.rate for part in waves) > 30
    # Large enough for the rate of approximation to say something, and small for lower bounds.
    assert sum(max(subject.widths) >= 5 for subject in sample) > 100
    assert sum(max(subject.widths) < 5 for subject in sample) > 50
    widths = Counter(subject.network and subject.network.width for subject in sample)
    assert min(widths[width] for width in (None, 1, 2, 3, 4)) > 15
    shares = [
        subject.beta / part.rate
        for subject, part in zip(sample, parts, strict=True)
        if subject.beta is not None and hasattr(part, "rate")
    ]
    assert sum(share == 1 for share in shares) > 10
    assert 0 < min(shares) < Fraction(1, 2)
    assert max(shares) == 1


# Slow training


def test_slow_trainings_keep_their_promises():
    sample = drawn(slow_trainings(), 200)
    for instance in sample:
        training, law = instance.training, instance.law
        second = moment_of_c(law, 2) * max(x**2 for (x,) in instance.chain.inputs)
        assert not second or training.alpha * training.horizon * second < Fraction(1, 4)
        assert max(map(abs, instance.chain.targets)) <= 1
        assert Fraction(1, 2) < training.beta < 1
        assert 0 < training.gamma < 1 - training.beta
        assert slope(instance.activation) * largest_b(law) < 1
        assert instance.activation.label in {"tanh", "sin", "arctan", "erf"}
        features = set(features_of_law(law))
        assert "E C = 0" in features
        assert "C depends on the rest" not in features
        assert {"ergodic"} <= set(features_of_chain(instance.chain))
    assert len({instance.training for instance in sample}) > 30
    assert len({instance.chain.n_states for instance in sample}) > 1
    assert len({type(instance.law) for instance in sample}) == 2
    independent = [dobrushin_coefficient(instance.chain) == 0 for instance in sample]
    assert 60 < sum(independent) < 140
    same = [len(set(instance.chain.targets)) == 1 for instance in sample]
    assert 30 < sum(same) < 140

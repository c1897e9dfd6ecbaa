"""The gallery loads, is written as a person would write it, and keeps what its names promise."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import resources

import numpy as np
import pytest
from scipy import special

from verification import gallery
from verification.errors import InvalidInstance
from verification.instance import (
    FAMILIES,
    SCHEMA,
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Term,
    Uniform,
)
from verification.strict_json import format_number, loads, parse_number
from verification.subject import KINDS, read_subject

NAMES = gallery.names()
NAMED_FOR_A_CLAIM = ("sharp-", "mutant-")
MAX_BYTES = 32_768

# 2/sqrt(pi) = 1.12837...
ERF_SLOPE_UPPER = Fraction("1.1284")
SLOPE = {
    "tanh": Fraction(1),
    "logistic": Fraction(1, 4),
    "erf": ERF_SLOPE_UPPER,
    "arctan": Fraction(1),
    "sin": Fraction(1),
}

# name: q = s1 E|B|, with the upper bound for erf
CONTRACTION = {
    "absorbing": "0.7",
    "constant-weights": "0.8",
    "critical": "1",
    "cyclic-with-noise": "0.39",
    "de-bruijn-history": "0.8463",
    "dependent-b-on-w": "0.5875",
    "erf-uniform": "0.70525",
    "expanding": "1.5",
    "fair-coin": "0.4",
    "hidden-state": "0.5",
    "markov-onegin": "0.125",
    "mixture-activation": "0.63784",
    "near-periodic": "0.5",
    "near-reducible": "0.5642",
    "negative-b": "0.75",
    "one-state": "0.95",
    "periodic-three": "0.2",
    "rain-tel-aviv": "0.1",
    "random-dense-50": "0.6",
    "reducible": "0.45",
    "seattle-weather": "0.25",
    "snakes-and-ladders": "0.3125",
    "sunspots": "0.25",
    "two-dimensional": "0.25",
    "two-dimensional-uniform": "0.05",
    "two-state-sticky": "0.9",
    "zero-memory": "0.5",
    "zero-memory-atoms": "27/70",
}

# name: delta(P), where it is what the instance is for
DOBRUSHIN = {
    "cyclic-with-noise": "0.75",
    "de-bruijn-history": "0.9",
    "erf-uniform": "1",
    "fair-coin": "0",
    "near-periodic": "0.99",
    "near-reducible": "0.999998",
    "one-state": "0",
    "periodic-three": "1",
    "rain-tel-aviv": "0.412",
    "two-state-sticky": "0.97",
}


def named(name: str) -> Instance:
    subject = gallery.load(name)
    assert isinstance(subject, Instance)
    return subject


INSTANCES = {name: named(name) for name in CONTRACTION}


def text_of(name: str) -> str:
    return resources.files(gallery).joinpath(f"{name}.json").read_text(encoding="utf-8")


def matrix(instance: Instance) -> list[list[Fraction]]:
    n = instance.chain.n_states
    return [[dict(row).get(j, Fraction(0)) for j in range(n)] for row in instance.chain.rows]


def states_after(instance: Instance, steps: int) -> list[set[int]]:
    """The states that each state can be in after some steps."""
    successors = [{j for j, _ in row} for row in instance.chain.rows]
    reached = [{i} for i in range(len(successors))]
    for _ in range(steps):
        reached = [set().union(*(successors[j] for j in states)) for states in reached]
    return reached


def dobrushin(rows: list[list[Fraction]]) -> Fraction:
    distances = [
        sum((abs(p - q) for p, q in zip(*pair, strict=True)), Fraction(0)) / 2
        for pair in itertools.combinations(rows, 2)
    ]
    return max(distances, default=Fraction(0))


def mean_absolute(component: Uniform | Constant) -> Fraction:
    """E|B|: the area under |b| between low and high, over their distance."""
    if isinstance(component, Constant):
        return abs(component.value[0])
    (low,), (high,) = component.low, component.high
    return (high * abs(high) - low * abs(low)) / (2 * (high - low))


def slope(activation: ActivationSpec) -> Fraction:
    return sum((abs(t.weight * t.scale) * SLOPE[t.of] for t in activation.terms), Fraction(0))


def contraction_factor(instance: Instance) -> Fraction:
    law = instance.law
    if isinstance(law, AtomicLaw):
        moment = sum((atom.p * abs(atom.b) for atom in law.atoms), Fraction(0))
    else:
        moment = mean_absolute(law.b)
    return slope(instance.activation) * moment


def largest_b(instance: Instance) -> Fraction:
    law = instance.law
    if isinstance(law, AtomicLaw):
        return max(abs(atom.b) for atom in law.atoms)
    values = law.b.value if isinstance(law.b, Constant) else (law.b.low[0], law.b.high[0])
    return max(map(abs, values))


# --- loading -------------------------------------------------------------------------------


def test_names_are_sorted_and_every_file_loads():
    assert sorted(set(NAMES)) == list(NAMES)
    assert tuple(subject.name for subject in gallery.load_all()) == NAMES


def test_every_instance_keeps_a_promise_or_serves_a_claim():
    of_kind = gallery.names_of(SCHEMA)
    general = {name for name in of_kind if not name.startswith(NAMED_FOR_A_CLAIM)}
    assert general == set(CONTRACTION)


def test_every_kind_has_instances_and_every_instance_one_kind():
    assert all(gallery.names_of(schema) for schema in KINDS)
    assert sorted(name for schema in KINDS for name in gallery.names_of(schema)) == list(NAMES)


def test_an_unknown_name_meets_the_nearest_one():
    with pytest.raises(InvalidInstance, match="'rain-tel', nearest known name: 'rain-tel-aviv'"):
        gallery.load("rain-tel")


@pytest.mark.parametrize("name", ["", "../gallery/expanding", "expanding.json", "EXPANDING"])
def test_only_exact_names_are_opened(name):
    with pytest.raises(InvalidInstance, match="nearest known name"):
        gallery.load(name)


def test_a_file_called_after_another_instance_is_refused(monkeypatch, tmp_path):
    text = text_of("expanding")
    (tmp_path / "contracting.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    assert gallery.names() == ("contracting",)
    with pytest.raises(InvalidInstance, match=r"^name: is 'expanding', expected 'contracting'"):
        gallery.load("contracting")


@pytest.mark.parametrize("name", NAMES)
def test_origin_and_round_trip(name):
    subject = gallery.load(name)
    assert subject.name == name
    assert subject.origin is not None
    assert len(subject.origin) > 30
    assert read_subject(loads(json.dumps(subject.to_json()))) == subject


# --- legibility ----------------------------------------------------------------------------


def number_texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key not in ("schema", "name", "origin", "kind", "of"):
                yield from number_texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from number_texts(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", CONTRACTION)
def test_a_person_can_read_the_file(name):
    text = text_of(name)
    assert len(text.encode()) <= MAX_BYTES
    assert text.endswith("}\n")
    document = json.loads(text)
    assert list(document) == [
        *("schema", "name", "origin", "chain", "activation", "law", "training"),
    ]
    for number in number_texts(document):
        value = parse_number(number)
        assert value is not None
        assert format_number(value) == number
    transition = document["chain"]["transition"]
    if isinstance(transition, list):
        lines = [line.strip().rstrip(",") for line in text.splitlines()]
        for row in transition:
            assert json.dumps(row) in lines, "a row on one line"


# --- the memory ----------------------------------------------------------------------------


def test_the_bound_for_erf_is_above_and_near():
    assert ERF_SLOPE_UPPER**2 * Fraction("3.1415926") > 4
    assert (ERF_SLOPE_UPPER - Fraction("0.0001")) ** 2 * Fraction("3.1415927") < 4


@pytest.mark.parametrize(("name", "promised"), CONTRACTION.items())
def test_contraction_factor_is_as_promised(name, promised):
    q = contraction_factor(INSTANCES[name])
    assert q == Fraction(promised)
    assert (q < 1) == (name not in ("critical", "expanding"))


def test_contraction_factors_are_varied():
    below = sorted(q for q in map(Fraction, CONTRACTION.values()) if q < 1)
    assert below[0] <= Fraction("0.05")
    assert below[-1] >= Fraction("0.95")
    assert max(b - a for a, b in itertools.pairwise(below)) <= Fraction("0.1")


def test_the_bound_of_b_matters_somewhere():
    """At least one instance has q < 1 <= qbar, so that the two assumptions differ."""
    qbar = {name: slope(i.activation) * largest_b(i) for name, i in INSTANCES.items()}
    between = {name for name, value in qbar.items() if value >= 1 > Fraction(CONTRACTION[name])}
    assert between == {"erf-uniform"}


def pairs_of_w_and_b(law: AtomicLaw) -> dict[tuple[Fraction, ...], dict[Fraction, Fraction]]:
    """p(c, w, b) as {(w..., b): {c: p}}."""
    result: dict[tuple[Fraction, ...], dict[Fraction, Fraction]] = defaultdict(dict)
    for atom in law.atoms:
        key = (*atom.w, atom.b)
        result[key][atom.c] = result[key].get(atom.c, Fraction(0)) + atom.p
    return result


@pytest.mark.parametrize("name", CONTRACTION)
def test_output_weights_are_centred_and_independent_of_the_rest(name):
    law = INSTANCES[name].law
    if isinstance(law, AtomicLaw):
        conditionals = [
            {c: p / sum(masses.values()) for c, p in masses.items()}
            for masses in pairs_of_w_and_b(law).values()
        ]
        assert all(conditional == conditionals[0] for conditional in conditionals)
        mean = sum(c * p for c, p in conditionals[0].items())
    elif isinstance(law.c, Constant):
        mean = law.c.value[0]
    else:
        mean = law.c.low[0] + law.c.high[0]
    assert mean == 0


def sigma(terms: tuple[Term, ...], t: np.ndarray) -> np.ndarray:
    families: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "tanh": np.tanh,
        "logistic": special.expit,
        "erf": special.erf,
        "arctan": np.arctan,
        "sin": np.sin,
    }
    result = np.zeros_like(t)
    for s in terms:
        result += float(s.weight) * families[s.of](float(s.scale) * t + float(s.shift))
    return result


def first_memory_estimate(instance: Instance, x: tuple[Fraction, ...]) -> float:
    """Phi(x, 0) = E[B sigma(W.x)], by quadrature."""
    law, point = instance.law, np.array(x, dtype=float)
    terms = instance.activation.terms
    if isinstance(law, AtomicLaw):
        w = np.array([atom.w for atom in law.atoms], dtype=float)
        weights = np.array([atom.p * atom.b for atom in law.atoms], dtype=float)
        return float(weights @ sigma(terms, w @ point))
    b = law.b.value[0] if isinstance(law.b, Constant) else (law.b.low[0] + law.b.high[0]) / 2
    if isinstance(law.w, Constant):
        nodes, weights = np.array([law.w.value], dtype=float), np.ones(1)
    elif isinstance(law.w, Normal):
        # W.x is one normal variable: put it on the line through x (or at 0)
        z, weights = np.polynomial.hermite_e.hermegauss(80)
        weights /= weights.sum()
        mean, norm = np.array(law.w.mean, dtype=float), np.linalg.norm(point)
        nodes = mean + float(law.w.std) * np.outer(z, point / norm if norm else 0 * point)
    else:
        z, g = np.polynomial.legendre.leggauss(60)
        d = len(law.w.low)
        cube = np.array(list(itertools.product((z + 1) / 2, repeat=d)))
        weights = np.prod(np.array(list(itertools.product(g / 2, repeat=d))), axis=1)
        low, high = (np.array(v, dtype=float) for v in (law.w.low, law.w.high))
        nodes = low + cube * (high - low)
    return float(b) * float(weights @ sigma(terms, nodes @ point))


@pytest.mark.parametrize("name", CONTRACTION)
def test_memory_is_zero_only_where_the_name_says_so(name):
    instance = INSTANCES[name]
    largest = max(abs(first_memory_estimate(instance, x)) for x in set(instance.chain.inputs))
    if name.startswith("zero-memory"):
        assert largest < 1e-12
    else:
        assert largest > 0.02


def test_zero_memory_by_symmetry():
    instance = INSTANCES["zero-memory"]
    assert instance.activation.label == "tanh"
    assert isinstance(instance.law, ProductLaw)
    assert isinstance(instance.law.w, Normal)
    assert not any(instance.law.w.mean)


def test_zero_memory_by_cancellation_of_atoms():
    instance = INSTANCES["zero-memory-atoms"]
    assert instance.activation.label == "arctan"
    assert isinstance(instance.law, AtomicLaw)
    signed: dict[Fraction, Fraction] = defaultdict(Fraction)
    masses: dict[Fraction, Fraction] = defaultdict(Fraction)
    for atom in instance.law.atoms:
        (w,) = atom.w
        signed[abs(w)] += atom.p * atom.b * (1 if w > 0 else -1)
        masses[w] += atom.p
    assert len(signed) == 2
    assert not any(signed.values())
    assert any(masses[w] != masses[-w] for w in list(masses)), "W is not symmetric"


# --- the features --------------------------------------------------------------------------


def test_all_activations_occur():
    labels = {instance.activation.label for instance in INSTANCES.values()}
    assert labels == {*FAMILIES, "mixture"}
    mixture = INSTANCES["mixture-activation"].activation
    assert {term.of for term in mixture.terms} == set(FAMILIES)


def test_all_kinds_of_law_occur():
    kinds = set()
    for instance in INSTANCES.values():
        if isinstance(instance.law, AtomicLaw):
            kinds.add("atoms")
        else:
            law = instance.law
            kinds |= {f"{key} {type(getattr(law, key)).__name__}" for key in ("c", "w", "b")}
    assert kinds == {
        *("atoms", "c Uniform", "c Constant", "b Uniform", "b Constant"),
        *("w Uniform", "w Normal", "w Constant"),
    }


def test_two_dimensions_occur_with_either_law():
    kinds = set()
    for instance in INSTANCES.values():
        if instance.chain.dimension == 2:
            assert isinstance(instance.law, ProductLaw)
            kinds.add(type(instance.law.w))
    assert kinds == {Normal, Uniform}


def test_dependent_b_on_w():
    law = INSTANCES["dependent-b-on-w"].law
    assert isinstance(law, AtomicLaw)
    b_given_w: dict[Fraction, set[Fraction]] = defaultdict(set)
    mass: dict[Fraction, Fraction] = defaultdict(Fraction)
    for atom in law.atoms:
        b_given_w[atom.w[0]].add(atom.b)
        mass[atom.w[0]] += atom.p
    assert all(len(values) == 1 for values in b_given_w.values())
    assert len({b for values in b_given_w.values() for b in values}) == len(b_given_w)
    assert all(mass[w] == mass[-w] for w in list(mass)), "W alone is symmetric"


def test_rain_is_the_product_of_its_marginals():
    law = INSTANCES["rain-tel-aviv"].law
    assert isinstance(law, AtomicLaw)
    marginals: list[dict[Fraction, Fraction]] = [defaultdict(Fraction) for _ in range(3)]
    for atom in law.atoms:
        for marginal, value in zip(marginals, (atom.c, atom.w[0], atom.b), strict=True):
            marginal[value] += atom.p
    c, w, b = marginals
    assert c == {-1: Fraction(1, 6), 0: Fraction(2, 3), 1: Fraction(1, 6)}
    assert w == {-1: Fraction(1, 4), Fraction(1, 2): Fraction(1, 2), Fraction(3, 2): Fraction(1, 4)}
    assert b == {Fraction("0.2"): Fraction(1, 2), Fraction("0.6"): Fraction(1, 2)}
    assert len(law.atoms) == 18
    assert all(a.p == c[a.c] * w[a.w[0]] * b[a.b] for a in law.atoms)


def test_critical_is_exactly_one_where_doubles_need_not_be():
    law = INSTANCES["critical"].law
    assert isinstance(law, AtomicLaw)
    moduli: dict[Fraction, Fraction] = defaultdict(Fraction)
    for atom in law.atoms:
        moduli[abs(atom.b)] += atom.p
    assert sorted(moduli.values()) == [Fraction(1, 3)] * 3


# --- the chains ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "promised"), DOBRUSHIN.items())
def test_dobrushin_coefficient_is_as_promised(name, promised):
    assert dobrushin(matrix(INSTANCES[name])) == Fraction(promised)


@pytest.mark.parametrize(
    ("name", "steps"), [("absorbing", 4), ("erf-uniform", 2), ("snakes-and-ladders", 7)]
)
def test_dobrushin_coefficient_of_a_power_is_the_first_below_one(name, steps):
    """delta(P^m) < 1 exactly where any two states can be in the same state m steps later."""

    def met(m: int) -> bool:
        pairs = itertools.combinations(states_after(INSTANCES[name], m), 2)
        return all(not first.isdisjoint(second) for first, second in pairs)

    assert [met(m) for m in range(1, steps + 1)] == [False] * (steps - 1) + [True]


def test_markov_and_rain_have_the_published_probabilities():
    onegin = matrix(INSTANCES["markov-onegin"])
    assert (onegin[0][0], onegin[1][0]) == (Fraction("0.128"), Fraction("0.663"))
    # 8638 vowels, 11362 consonants, 1104 pairs of vowels among 20000 letters
    assert round(Fraction(1104, 8638), 3) == onegin[0][0]
    assert round(Fraction(8638 - 1104 + 1, 11362), 3) == onegin[1][0]
    rain = matrix(INSTANCES["rain-tel-aviv"])
    assert (rain[0][1], rain[1][0]) == (Fraction("0.250"), Fraction("0.338"))


def test_periodic_three_is_a_cycle():
    rows = INSTANCES["periodic-three"].chain.rows
    assert rows == tuple((((i + 1) % 3, Fraction(1)),) for i in range(3))


def test_near_periodic_slips_once_in_a_hundred():
    rows = matrix(INSTANCES["near-periodic"])
    assert all(rows[i][(i + 1) % 3] == 1 - Fraction(1, 100) for i in range(3))


def test_near_reducible_blocks_exchange_a_millionth():
    rows = matrix(INSTANCES["near-reducible"])
    assert [sum(rows[i][j] for j in (2, 3)) for i in (0, 1)] == [Fraction(1, 10**6)] * 2
    assert [sum(rows[i][j] for j in (0, 1)) for i in (2, 3)] == [Fraction(1, 10**6)] * 2


def test_reducible_has_two_closed_classes_and_a_transient_start():
    chain = INSTANCES["reducible"].chain
    assert all({j for j, _ in chain.rows[i]} == {0, 1} for i in (0, 1))
    assert all({j for j, _ in chain.rows[i]} == {2, 3} for i in (2, 3))
    assert {j for j, _ in chain.rows[chain.initial]} == {0, 1, 2, 3, 4}


def test_absorbing_leaves_zero_no_more():
    chain = INSTANCES["absorbing"].chain
    assert chain.rows[0] == ((0, Fraction(1)),)
    assert all(min(j for j, _ in chain.rows[i]) < i for i in range(1, 4))


def test_hidden_states_share_an_input_and_differ_in_target():
    chain = INSTANCES["hidden-state"].chain
    assert chain.inputs[0] == chain.inputs[1]
    assert chain.targets[0] != chain.targets[1]


def test_de_bruijn_states_are_histories():
    chain = INSTANCES["de-bruijn-history"].chain
    rows = matrix(INSTANCES["de-bruijn-history"])
    for a, b, c in itertools.product((0, 1), repeat=3):
        state = 4 * a + 2 * b + c
        one = Fraction(3, 5) if a != c else Fraction(2, 5)
        expected = [Fraction(1, 80)] * 8
        expected[4 * b + 2 * c + 1] += Fraction(9, 10) * one
        expected[4 * b + 2 * c] += Fraction(9, 10) * (1 - one)
        assert rows[state] == expected
        assert chain.inputs[state] == (Fraction(2 * c - 1),)
        assert chain.targets[state] == 2 * a - 1


def minimal_standard() -> Iterator[int]:
    """The generator of Park and Miller (1988), from 1; its 10000th draw is 1043618065."""
    z = 1
    while True:
        z = 16807 * z % 2147483647
        yield z


def test_random_dense_is_drawn_as_it_says():
    assert next(itertools.islice(minimal_standard(), 9999, None)) == 1043618065
    draws = minimal_standard()
    rows = []
    for _ in range(50):
        cuts = sorted(next(draws) % 1001 for _ in range(49))
        rows.append([Fraction(b - a, 1000) for a, b in itertools.pairwise((0, *cuts, 1000))])
    instance = INSTANCES["random-dense-50"]
    assert matrix(instance) == rows
    values = [Fraction(next(draws) % 2001 - 1000, 1000) for _ in range(100)]
    assert [x for (x,) in instance.chain.inputs] == values[:50]
    assert list(instance.chain.targets) == values[50:]


def test_snakes_and_ladders_last_as_long_as_published():
    """Mean number of throws from the start to 100, an exact rational of Althoen et al. (1993)."""
    chain = INSTANCES["snakes-and-ladders"].chain
    rides = [s for s in range(100) if len(chain.rows[s]) == 1]
    assert len([s for s in rides if chain.rows[s][0][0] > s]) == 9
    assert len([s for s in rides if chain.rows[s][0][0] < s]) == 10
    assert chain.rows[100] == ((0, Fraction(1)),)
    # m = 1 + P m at squares of throws, m = P m at rides, m(100) = 0
    n = 100
    system = [
        [Fraction(i == j) - dict(row).get(j, Fraction(0)) for j in range(n)]
        + [Fraction(i not in rides)]
        for i, row in enumerate(chain.rows[:n])
    ]
    for k in range(n):
        system[k] = [value / system[k][k] for value in system[k]]
        for i in range(n):
            if i != k and system[i][k]:
                factor = system[i][k]
                system[i] = [a - factor * b for a, b in zip(system[i], system[k], strict=True)]
    assert system[0][n] == Fraction(
        225837582538403273407117496273279920181931269186581786048583,
        5757472998140039232950575874628786131130999406013041613400,
    )


def test_snakes_and_ladders_shows_the_square_and_pays_the_ride():
    chain = INSTANCES["snakes-and-ladders"].chain
    assert [x for (x,) in chain.inputs] == [Fraction(s, 50) - 1 for s in range(101)]
    for s, row in enumerate(chain.rows[:100]):
        ride = row[0][0] - s if len(row) == 1 else 0
        assert chain.targets[s] == Fraction(ride, 100)
    assert chain.targets[100] == 1


def test_training_constants_are_plausible():
    for instance in INSTANCES.values():
        training = instance.training
        assert training is not None
        assert Fraction(1, 2) <= training.alpha <= 2
        assert Fraction("0.6") <= training.beta <= Fraction("0.9")
        assert training.horizon == 1

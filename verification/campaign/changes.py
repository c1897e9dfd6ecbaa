"""Changes of an instance in the domain's own terms: one probability, one weight, one constant.

A campaign looks for tighter instances beside the tightest it has.  Each change here is one that a
mathematician would try by hand; which one, where and by how much is drawn.  What comes out is a
valid instance of the same kind with numbers of bounded length: numbers that grow with every change
would soon cost all the time there is.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from verification import instance as first_kind
from verification import linear_functional as second_kind
from verification import strict_json
from verification.campaign.regimes import described, slope_upper
from verification.campaign.strategies import exact
from verification.errors import InvalidInstance
from verification.instance import (
    FAMILIES,
    ActivationSpec,
    Atom,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Row,
    Term,
    Training,
    Uniform,
    Vector,
)
from verification.linear_functional import (
    MAX_SWITCHES,
    MAX_WIDTH,
    Airy,
    Box,
    BumpTraining,
    DampedReciprocal,
    Exponential,
    Gaussian,
    LinearFunctional,
    Part,
    PowerLaw,
    Switching,
)
from verification.recurrent.law import bound_b, mean_absolute_b
from verification.subject import Subject, read_subject

T = TypeVar("T")

MAX_STATES = 12
MAX_ATOMS = 8
MAX_TERMS = 4
MAX_UNITS = 5
MAX_PARTS = 4
MAX_DELAYS = 2
MAX_CHANNELS = 4
LARGEST = Fraction(10**6)
LARGEST_DENOMINATOR = 10**9
LARGEST_WEIGHT = 10**15

_FACTORS = exact("2 1/2 11/10 9/10 10 1/10 -1 101/100 99/100")
_STEPS = exact("1 -1 0.1 -0.1 0.01 -0.01")
_PLAIN = exact("0 1 -1 1/2 2 0.1 10 0.01 100")
_WEIGHTS = exact("2 1/2 10 1/10 1000 1/1000 11/10")
_STRENGTHS = exact("1/2 0.9 0.99 0.999 0.999999 0.1 0.01 1/3 0.001 1")
_SHARES = exact("1/2 2 0.9 0.1 0.01 3/2 10")
_BETAS = exact("1 0.9 1/2 0.99 3/4 0.1")
_TRIES = 8


def changed(subject: Subject, rng: random.Random) -> Subject:
    """Return another instance that differs from one in one to three changes.

    Where no change that was drawn leads to a valid instance, it is returned as it is.
    """
    found = subject
    for _ in range(rng.choice((1, 1, 2, 3))):
        found = _changed_once(found, rng)
    return found


def _changed_once(subject: Subject, rng: random.Random) -> Subject:
    for _ in range(_TRIES):
        moved = rng.choice(_CHANGES[subject.schema])(subject, rng)
        if moved is not None and moved != subject:
            valid = validated(moved)
            if valid is not None:
                return valid
    return subject


def with_parts(item: T, **parts: object) -> T:
    """Return a dataclass with other parts, named at run time."""
    return dataclasses.replace(item, **parts)  # type: ignore[type-var]


def validated(subject: Subject) -> Subject | None:
    """Return an instance as its document is read again, named for what it is; None if invalid."""
    try:
        document = {**subject.to_json(), "name": "changed"}
        read: Any = read_subject(strict_json.loads(json.dumps(document)))
    except InvalidInstance:
        return None
    return dataclasses.replace(read, name=described(read))  # type: ignore[no-any-return]


def nudged(value: Fraction, rng: random.Random) -> Fraction:
    """Return another number: a multiple, a step away, or a plain one."""
    how = rng.randrange(5)
    if how <= 2:
        moved = value * rng.choice(_FACTORS)
    elif how == 3:
        moved = value + rng.choice(_STEPS)
    else:
        moved = rng.choice(_PLAIN)
    return max(-LARGEST, min(LARGEST, moved)).limit_denominator(LARGEST_DENOMINATOR)


def weighted(weights: dict[int, Fraction]) -> Row:
    """Return probabilities in proportion to positive weights, as fractions of bounded length."""
    largest = max(weights.values())
    whole = {j: max(1, round(w * LARGEST_WEIGHT / largest)) for j, w in sorted(weights.items())}
    exact = sum(weights.values())
    if exact.denominator * max(w.denominator for w in weights.values()) <= LARGEST_WEIGHT:
        return tuple((j, weights[j] / exact) for j in whole)
    total = sum(whole.values())
    return tuple((j, Fraction(w, total)) for j, w in whole.items())


def _with(items: Sequence[T], place: int, item: T) -> tuple[T, ...]:
    return (*items[:place], item, *items[place + 1 :])


def _nudged_vector(values: Vector, rng: random.Random) -> Vector:
    place = rng.randrange(len(values))
    return _with(values, place, nudged(values[place], rng))


# Chains


def _with_chain(instance: Instance, **parts: object) -> Instance:
    return dataclasses.replace(instance, chain=with_parts(instance.chain, **parts))


def _one_probability(instance: Instance, rng: random.Random) -> Instance | None:
    rows, n = instance.chain.rows, instance.chain.n_states
    if n == 1:
        return None
    i, j = rng.randrange(n), rng.randrange(n)
    row = dict(rows[i])
    if j not in row:
        row[j] = rng.choice((Fraction(1), Fraction(1, 10), Fraction(1, 10**6)))
    elif len(row) > 1 and rng.randrange(3) == 0:
        del row[j]
    else:
        row[j] *= rng.choice(_WEIGHTS)
    return _with_chain(instance, rows=_with(rows, i, weighted(row)))


def _one_row(instance: Instance, rng: random.Random) -> Instance | None:
    rows, n = instance.chain.rows, instance.chain.n_states
    if n == 1:
        return None
    i, j = rng.randrange(n), rng.randrange(n)
    new = rng.choice((rows[j], ((j, Fraction(1)),), tuple((k, Fraction(1, n)) for k in range(n))))
    return _with_chain(instance, rows=_with(rows, i, new))


def _stickier(instance: Instance, rng: random.Random) -> Instance | None:
    """Mix the chain with staying where it is, or with a turn to the next state."""
    rows, n = instance.chain.rows, instance.chain.n_states
    if n == 1:
        return None
    share, step = rng.choice((Fraction(1, 2), Fraction(9, 10), Fraction(99, 100))), rng.randrange(2)
    mixed = []
    for i, row in enumerate(rows):
        weights = {j: p * (1 - share) for j, p in row}
        towards = (i + step) % n
        weights[towards] = weights.get(towards, Fraction(0)) + share
        mixed.append(weighted(weights))
    return _with_chain(instance, rows=tuple(mixed))


def _one_input(instance: Instance, rng: random.Random) -> Instance:
    """Change the input of one state, or of all states that share it."""
    chain = instance.chain
    i = rng.randrange(chain.n_states)
    new = _nudged_vector(chain.inputs[i], rng)
    alone = rng.randrange(2)
    inputs = tuple(
        new if k == i or (not alone and x == chain.inputs[i]) else x
        for k, x in enumerate(chain.inputs)
    )
    return _with_chain(instance, inputs=inputs)


def _inputs(instance: Instance, rng: random.Random) -> Instance:
    """Scale all inputs, or let one state see what another sees."""
    chain = instance.chain
    if rng.randrange(2):
        i, j = (rng.randrange(chain.n_states) for _ in range(2))
        return _with_chain(instance, inputs=_with(chain.inputs, i, chain.inputs[j]))
    factor = rng.choice((*_FACTORS, Fraction(0)))
    return _with_chain(
        instance,
        inputs=tuple(
            tuple((factor * x).limit_denominator(LARGEST_DENOMINATOR) for x in point)
            for point in chain.inputs
        ),
    )


def _one_target(instance: Instance, rng: random.Random) -> Instance:
    return _with_chain(instance, targets=_nudged_vector(instance.chain.targets, rng))


def _initial(instance: Instance, rng: random.Random) -> Instance:
    return _with_chain(instance, initial=rng.randrange(instance.chain.n_states))


def _earlier_start(instance: Instance, rng: random.Random) -> Instance | None:
    """Begin a step earlier, in a new state that leads to the initial one and is never seen again.

    It looks like the initial state, or has a target of its own.
    """
    chain = instance.chain
    n, i = chain.n_states, chain.initial
    if n >= MAX_STATES:
        return None
    target = chain.targets[i] if rng.randrange(2) else nudged(chain.targets[i], rng)
    return _with_chain(
        instance,
        rows=(*chain.rows, ((i, Fraction(1)),)),
        inputs=(*chain.inputs, chain.inputs[i]),
        targets=(*chain.targets, target),
        initial=n,
    )


def without_state(chain: Chain, state: int) -> Chain | None:
    """Return a chain without one state; what went there goes where else it might have gone."""
    if chain.n_states == 1:
        return None
    number = {j: j - (j > state) for j in range(chain.n_states) if j != state}
    rows = []
    for i, row in enumerate(chain.rows):
        if i != state:
            left = {number[j]: p for j, p in row if j != state}
            rows.append(weighted(left or {number[i]: Fraction(1)}))
    return Chain(
        rows=tuple(rows),
        inputs=chain.inputs[:state] + chain.inputs[state + 1 :],
        targets=chain.targets[:state] + chain.targets[state + 1 :],
        initial=number.get(chain.initial, 0),
    )


def _number_of_states(instance: Instance, rng: random.Random) -> Instance | None:
    """Leave a state out, or divide one in two that it alternates between."""
    chain = instance.chain
    i, n = rng.randrange(chain.n_states), chain.n_states
    if rng.randrange(2):
        fewer = without_state(chain, i)
        return None if fewer is None else dataclasses.replace(instance, chain=fewer)
    if n >= MAX_STATES:
        return None
    rows = [
        tuple((j, p) for j, p in row if j != i) + tuple((n, p) for j, p in row if j == i)
        if k == i
        else row
        for k, row in enumerate(chain.rows)
    ]
    return _with_chain(
        instance,
        rows=(*rows, chain.rows[i]),
        inputs=(*chain.inputs, chain.inputs[i]),
        targets=(*chain.targets, nudged(chain.targets[i], rng)),
    )


# Activations


def _family(instance: Instance, rng: random.Random) -> Instance:
    named = ActivationSpec.named(rng.choice(FAMILIES))
    return dataclasses.replace(instance, activation=named)


def _term(instance: Instance, rng: random.Random) -> Instance:
    """Change, add or leave out one term of the activation."""
    terms = instance.activation.terms
    i, how = rng.randrange(len(terms)), rng.randrange(4)
    if how == 0 and len(terms) > 1:
        new = terms[:i] + terms[i + 1 :]
    elif how == 1 and len(terms) < MAX_TERMS:
        one = Term(
            weight=rng.choice(_FACTORS),
            scale=rng.choice(_FACTORS),
            shift=Fraction(0),
            of=rng.choice(FAMILIES),
        )
        new = (*terms, one)
    else:
        part = rng.choice(("weight", "scale", "shift"))
        value = nudged(getattr(terms[i], part), rng)
        new = _with(terms, i, with_parts(terms[i], **{part: value}))
    return dataclasses.replace(instance, activation=ActivationSpec(terms=new))


# Laws


def _nudged_component(
    component: Uniform | Normal | Constant, rng: random.Random
) -> Uniform | Normal | Constant:
    """Change one number, or make a number an interval around it, or the other way round."""
    if isinstance(component, Constant):
        if rng.randrange(4):
            return Constant(value=_nudged_vector(component.value, rng))
        width = rng.choice((Fraction(1), Fraction(1, 10), Fraction(1, 1000)))
        low = tuple(x - width for x in component.value)
        return Uniform(low=low, high=tuple(x + width for x in component.value))
    if isinstance(component, Normal):
        part = rng.choice(("mean", "std"))
    else:
        part = rng.choice(("low", "high", "centre", "symmetric"))
    if part == "std":
        return with_parts(component, std=nudged(component.std, rng))  # type: ignore[union-attr]
    if part == "centre":
        return Constant(value=middle(component))
    if part == "symmetric":
        high: Vector = component.high  # type: ignore[union-attr]
        return Uniform(low=tuple(-b for b in high), high=high)
    return with_parts(component, **{part: _nudged_vector(getattr(component, part), rng)})


def middle(component: Uniform | Normal | Constant) -> Vector:
    """Return the mean of a component."""
    if isinstance(component, Constant):
        return component.value
    if isinstance(component, Normal):
        return component.mean
    return tuple((a + b) / 2 for a, b in zip(component.low, component.high, strict=True))


def _one_of_the_law(instance: Instance, rng: random.Random) -> Instance:
    law = instance.law
    if isinstance(law, ProductLaw):
        part = rng.choice("cwb")
        new = _nudged_component(getattr(law, part), rng)
        return dataclasses.replace(instance, law=with_parts(law, **{part: new}))
    i = rng.randrange(len(law.atoms))
    atom = law.atoms[i]
    part = rng.choice("pcwb")
    if part == "p":
        return _with_masses(instance, law, {i: atom.p * rng.choice(_WEIGHTS)})
    value = _nudged_vector(atom.w, rng) if part == "w" else nudged(getattr(atom, part), rng)
    atoms = _with(law.atoms, i, with_parts(atom, **{part: value}))
    return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))


def _with_masses(instance: Instance, law: AtomicLaw, new: dict[int, Fraction]) -> Instance:
    masses = {k: new.get(k, atom.p) for k, atom in enumerate(law.atoms)}
    atoms = tuple(
        dataclasses.replace(law.atoms[k], p=p)
        for k, p in weighted({k: p for k, p in masses.items() if p})
    )
    return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))


def _number_of_atoms(instance: Instance, rng: random.Random) -> Instance | None:
    """Leave an atom out, divide one, or put the centre of a product law on one atom."""
    law = instance.law
    if isinstance(law, ProductLaw):
        point = _centre(law)
        return dataclasses.replace(instance, law=AtomicLaw(atoms=(point,)))
    i = rng.randrange(len(law.atoms))
    if rng.randrange(2):
        if len(law.atoms) == 1:
            return None
        return _with_masses(instance, law, {i: Fraction(0)})
    if len(law.atoms) >= MAX_ATOMS:
        return None
    atom = law.atoms[i]
    share = rng.choice((Fraction(1, 2), Fraction(9, 10), Fraction(1, 10)))
    twin = dataclasses.replace(
        atom,
        p=atom.p * (1 - share),
        c=rng.choice((atom.c, -atom.c)),
        w=rng.choice((atom.w, _nudged_vector(atom.w, rng))),
        b=rng.choice((atom.b, -atom.b, Fraction(0), nudged(atom.b, rng))),
    )
    atoms = (*_with(law.atoms, i, dataclasses.replace(atom, p=atom.p * share)), twin)
    return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))


def _centre(law: ProductLaw) -> Atom:
    return Atom(p=Fraction(1), c=middle(law.c)[0], w=middle(law.w), b=middle(law.b)[0])


def _size_of_b(instance: Instance, rng: random.Random) -> Instance | None:
    """Scale B so that q, or s1 max|B|, is a chosen number up to 1."""
    law, slope = instance.law, slope_upper(instance.activation)
    actual = slope * rng.choice((mean_absolute_b, bound_b))(law)
    if not actual:
        return None
    # A chosen size that is rounded would miss it; a number this long is accepted.
    return dataclasses.replace(instance, law=_with_b_times(law, rng.choice(_STRENGTHS) / actual))


def _with_b_times(law: ProductLaw | AtomicLaw, factor: Fraction) -> ProductLaw | AtomicLaw:
    if isinstance(law, AtomicLaw):
        return AtomicLaw(atoms=tuple(dataclasses.replace(a, b=factor * a.b) for a in law.atoms))
    if isinstance(law.b, Constant):
        return dataclasses.replace(law, b=Constant(value=(factor * law.b.value[0],)))
    low, high = factor * law.b.low[0], factor * law.b.high[0]
    return dataclasses.replace(law, b=Uniform(low=(low,), high=(high,)))


# Training


def _training(instance: Instance, rng: random.Random) -> Instance:
    training = instance.training
    if training is None:
        beta = Fraction(3, 4)
        new = Training(alpha=Fraction(1), beta=beta, gamma=(1 - beta) / 2, horizon=Fraction(1))
        return dataclasses.replace(instance, training=new)
    part = rng.choice(("alpha", "beta", "gamma", "horizon", "none"))
    if part == "none":
        return dataclasses.replace(instance, training=None)
    if part == "beta":
        beta = rng.choice(exact("0.501 0.6 2/3 3/4 0.9 0.99"))
        share = training.gamma / (1 - training.beta)
        new = dataclasses.replace(training, beta=beta, gamma=share * (1 - beta))
    else:
        new = with_parts(training, **{part: nudged(getattr(training, part), rng)})
    return dataclasses.replace(instance, training=new)


# Linear functionals


def _one_part(subject: LinearFunctional, rng: random.Random) -> LinearFunctional:
    """Change a number of one part of the target, add a part or leave one out."""
    k = rng.randrange(subject.channels)
    parts, how = subject.target[k], rng.randrange(4)
    new: tuple[Part, ...]
    if not parts or (how == 0 and len(parts) < MAX_PARTS):
        # What is trained is a network of plain exponentials.
        new = (*parts, _plain_part(rng) if subject.training else _new_part(rng))
    else:
        i = rng.randrange(len(parts))
        if how == 1:
            new = parts[:i] + parts[i + 1 :]
        else:
            new = _with(parts, i, _changed_part(parts[i], rng))
    return dataclasses.replace(subject, target=_with(subject.target, k, new))


def _plain_part(rng: random.Random) -> Part:
    rate = rng.choice((Fraction(1), Fraction(1, 2), Fraction(3)))
    return Exponential(coefficient=rng.choice(_FACTORS), rate=rate)


def _new_part(rng: random.Random) -> Part:
    """Return a part of any kind."""
    factor, rate = rng.choice(_FACTORS), rng.choice((Fraction(1), Fraction(1, 2), Fraction(3)))
    place = rng.choice((Fraction(0), Fraction(1), Fraction(2), Fraction(5)))
    return rng.choice(
        (
            Exponential(coefficient=factor, rate=rate),
            Exponential(coefficient=factor, rate=rate, frequency=1 + place),
            DampedReciprocal(coefficient=factor, rate=rate),
            Gaussian(coefficient=factor, centre=place, width=1 / rate),
            Airy(coefficient=factor, scale=rate, shift=place),
            Switching(coefficient=factor, rate=rate, times=(1 + place,)),
            PowerLaw(coefficient=factor, exponent=rate),
            Box(height=factor, start=place, length=rate),
        )
    )


def _changed_part(part: Part, rng: random.Random) -> Part:
    """Change one number of a part, or one of its times."""
    name = rng.choice([name for name, value in vars(part).items() if not isinstance(value, int)])
    value = getattr(part, name)
    if isinstance(value, Fraction):
        return with_parts(part, **{name: nudged(value, rng)})
    times, how = list(value), rng.randrange(3)
    if times and how == 0:
        del times[rng.randrange(len(times))]
    elif times and how == 1:
        i = rng.randrange(len(times))
        times[i] = nudged(times[i], rng)
    elif len(times) < MAX_SWITCHES:
        times.append((times[-1] if times else Fraction(0)) + rng.choice(_FACTORS))
    return with_parts(part, **{name: tuple(sorted(times))})


def _one_weight(subject: LinearFunctional, rng: random.Random) -> LinearFunctional | None:
    network = subject.network
    if network is None:
        return None
    part, i = rng.choice("wuc"), rng.randrange(network.width)
    if part == "c":
        new: Any = _with(network.c, i, nudged(network.c[i], rng))
    else:
        rows = getattr(network, part)
        new = _with(rows, i, _nudged_vector(rows[i], rng))
    return dataclasses.replace(subject, network=with_parts(network, **{part: new}))


def without_unit(subject: LinearFunctional, unit: int) -> LinearFunctional | None:
    """Return an instance whose network lacks one unit."""
    network = subject.network
    if network is None or network.width == 1:
        return None
    return dataclasses.replace(
        subject,
        network=dataclasses.replace(
            network,
            w=tuple(_without(row, unit) for row in _without(network.w, unit)),
            u=_without(network.u, unit),
            c=_without(network.c, unit),
        ),
    )


def _without(items: Sequence[T], place: int) -> tuple[T, ...]:
    return (*items[:place], *items[place + 1 :])


def _number_of_units(subject: LinearFunctional, rng: random.Random) -> LinearFunctional | None:
    network = subject.network
    if network is None:
        return None
    i = rng.randrange(network.width)
    if rng.randrange(2) or network.width >= MAX_UNITS:
        return without_unit(subject, i)
    # A twin of the unit that is coupled to nothing.
    zero = Fraction(0)
    decay = network.w[i][i]
    return dataclasses.replace(
        subject,
        network=dataclasses.replace(
            network,
            w=(*((*row, zero) for row in network.w), (*(zero for _ in network.c), decay)),
            u=(*network.u, network.u[i]),
            c=(*network.c, nudged(network.c[i], rng)),
        ),
    )


def _widths(subject: LinearFunctional, rng: random.Random) -> LinearFunctional:
    """Move one of the widths, or leave all others out."""
    widths = list(subject.widths)
    i = rng.randrange(len(widths))
    if len(widths) > 1 and rng.randrange(3) == 0:
        return dataclasses.replace(subject, widths=(widths[i],))
    moved = rng.choice((widths[i] + 1, widths[i] - 1, 2 * widths[i], widths[i] // 2))
    widths[i] = max(0, min(moved, MAX_WIDTH))
    return dataclasses.replace(subject, widths=tuple(sorted(set(widths))))


def _rate_of_decay(subject: LinearFunctional, rng: random.Random) -> LinearFunctional:
    """Give a beta relative to the rate of one of the parts, or none."""
    rates = [part.rate for parts in subject.target for part in parts if hasattr(part, "rate")]
    share = rng.choice((None, *_BETAS))
    given = None if share is None else share * rng.choice(rates or [Fraction(1)])
    return dataclasses.replace(subject, beta=given)


def _number_of_channels(subject: LinearFunctional, rng: random.Random) -> LinearFunctional | None:
    """Leave a channel out, or have one twice, in the target and in the network."""
    k, network = rng.randrange(subject.channels), subject.network

    def moved(items: Sequence[T]) -> tuple[T, ...]:
        return _without(items, k) if fewer else (*items, items[k])

    fewer = rng.randrange(2) == 0
    if (subject.channels == 1) if fewer else (subject.channels >= MAX_CHANNELS):
        return None
    return dataclasses.replace(
        subject,
        target=moved(subject.target),
        network=network and dataclasses.replace(network, u=tuple(map(moved, network.u))),
    )


def _bump_training(subject: LinearFunctional, rng: random.Random) -> LinearFunctional | None:
    """Change the bump, a delay or the radius of a training, or begin one, or end it."""
    training = subject.training
    if training is None:
        # Begun more often than ended, it would be what nearly all instances have.
        if rng.randrange(4):
            return None
        one = Fraction(1)
        new = BumpTraining(height=one, length=one, delays=(2 * one,))
        return dataclasses.replace(subject, training=new)
    part = rng.choice(("height", "length", "delay", "delay", "delays", "radius", "none"))
    if part == "none":
        return dataclasses.replace(subject, training=None)
    delays = training.delays
    if part in ("delay", "delays"):
        i = rng.randrange(len(delays))
        moved = nudged(delays[i], rng)
        if part == "delay":
            left = {*delays[:i], *delays[i + 1 :], moved}
        else:
            left = {*delays, moved} if len(delays) < MAX_DELAYS else {delays[i]}
        return dataclasses.replace(
            subject, training=dataclasses.replace(training, delays=tuple(sorted(left)))
        )
    if part == "radius":
        rates = [p.rate for ps in subject.target for p in ps if isinstance(p, Exponential)]
        given = training.radius or min(rates, default=Fraction(1)) / 2
        moved = given * rng.choice(_SHARES)
        return dataclasses.replace(subject, training=dataclasses.replace(training, radius=moved))
    value = nudged(getattr(training, part), rng)
    return dataclasses.replace(subject, training=with_parts(training, **{part: value}))


_CHANGES: dict[str, tuple[Callable[[Any, random.Random], Any], ...]] = {
    first_kind.SCHEMA: (
        _one_probability,
        _one_row,
        _stickier,
        _one_input,
        _one_input,
        _inputs,
        _one_target,
        _initial,
        _earlier_start,
        _number_of_states,
        _family,
        _term,
        _one_of_the_law,
        _one_of_the_law,
        _one_of_the_law,
        _number_of_atoms,
        _size_of_b,
        _training,
        _training,
    ),
    second_kind.SCHEMA: (
        _one_part,
        _one_weight,
        _one_weight,
        _number_of_units,
        _number_of_channels,
        _widths,
        _rate_of_decay,
        _bump_training,
        _bump_training,
    ),
}

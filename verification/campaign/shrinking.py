"""Simpler instances that still refute a claim, found in the domain's own terms.

Fewer states, units, atoms and terms first, then plainer activations and laws, a shorter training,
and last shorter numbers.  An instance counts as simpler where `complexity` says so; it falls with
every step that is kept, so that shrinking ends.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from verification import instance as first_kind
from verification import linear_functional as second_kind
from verification.campaign.changes import (
    middle,
    validated,
    weighted,
    with_parts,
    without_state,
    without_unit,
)
from verification.instance import (
    FAMILIES,
    ActivationSpec,
    AtomicLaw,
    Constant,
    Instance,
    Normal,
    ProductLaw,
    Uniform,
    Vector,
)
from verification.linear_functional import LinearFunctional
from verification.strict_json import format_number
from verification.subject import Subject

T = TypeVar("T")

_DENOMINATORS = (1, 2, 10, 100, 10_000)


def complexity(subject: Subject) -> tuple[int, ...]:
    """Return what shrinking makes smaller, in the order in which it matters."""
    return _COMPLEXITY[subject.schema](subject)


def simpler(subject: Subject) -> Iterator[Subject]:
    """Yield valid instances simpler than one, the boldest simplifications first."""
    bound = complexity(subject)
    seen = {repr(subject)}
    for candidate in _CANDIDATES[subject.schema](subject):
        valid = validated(candidate)
        if valid is not None and repr(valid) not in seen and complexity(valid) < bound:
            seen.add(repr(valid))
            yield valid


def shrunk(
    subject: Subject, refutes: Callable[[Subject], bool], is_late: Callable[[], bool]
) -> tuple[Subject, bool]:
    """Return a simplest instance that refutes, by steps each of which still does.

    Parameters
    ----------
    subject : Subject
        Refutes.
    refutes : callable
    is_late : callable
        Asked before every try.

    Returns
    -------
    Subject
    bool
        Whether no simplification of it refutes; False where time ran out first.
    """
    found = subject
    while True:
        for candidate in simpler(found):
            if is_late():
                return found, False
            if refutes(candidate):
                found = candidate
                break
        else:
            return found, True


def _length(value: Fraction) -> int:
    """Return how long a number is to read: least for 0, next for 1; a sign costs one."""
    return int(value) if value in {0, 1} else 1 + len(format_number(value))


def _lengths(values: Sequence[Fraction]) -> int:
    return sum(map(_length, values))


def _of_instance(instance: Instance) -> tuple[int, ...]:
    chain, law, training = instance.chain, instance.law, instance.training
    terms = instance.activation.terms
    if isinstance(law, AtomicLaw):
        parts = 10 + len(law.atoms)
        numbers = [x for a in law.atoms for x in (a.p, a.c, *a.w, a.b)]
    else:
        components: tuple[Uniform | Normal | Constant, ...] = (law.c, law.w, law.b)
        parts = sum(not isinstance(component, Constant) for component in components)
        numbers = [x for component in components for x in _numbers(component)]
    numbers += [x for point in chain.inputs for x in point]
    numbers += [*chain.targets, *(p for row in chain.rows for _, p in row)]
    numbers += [x for term in terms for x in (term.weight - 1, term.scale - 1, term.shift)]
    size = 0
    if training is not None:
        numbers += [training.alpha, training.beta, training.gamma, training.horizon]
        size = 1 + int(training.horizon)
    return (
        chain.n_states,
        chain.dimension,
        len(terms) + parts,
        size,
        _lengths(numbers)
        + chain.initial
        + len(set(chain.inputs))
        + sum(FAMILIES.index(term.of) for term in terms),
    )


def _numbers(component: Uniform | Normal | Constant) -> Vector:
    if isinstance(component, Constant):
        return component.value
    if isinstance(component, Normal):
        return (*component.mean, component.std)
    return (*component.low, *component.high)


def _of_functional(subject: LinearFunctional) -> tuple[int, ...]:
    parts = [part for channel in subject.target for part in channel]
    network = subject.network
    numbers = [
        value for part in parts for value in vars(part).values() if isinstance(value, Fraction)
    ]
    if network is not None:
        numbers += [*network.c, *(x for row in (*network.w, *network.u) for x in row)]
    training = subject.training
    if training is not None:
        numbers += [training.height, training.length, *training.delays]
        numbers += [] if training.radius is None else [training.radius]
    times = [time for part in parts for time in getattr(part, "times", ())]
    numbers += times
    numbers += [] if subject.beta is None else [subject.beta]
    powers = sum(getattr(part, "power", 0) for part in parts)
    return (
        0 if network is None else network.width,
        0 if training is None else 1 + len(training.delays),
        subject.channels,
        len(parts) + powers + len(times),
        len(subject.widths) + sum(subject.widths),
        _lengths(numbers),
    )


_COMPLEXITY: dict[str, Callable[[Any], tuple[int, ...]]] = {
    first_kind.SCHEMA: _of_instance,
    second_kind.SCHEMA: _of_functional,
}


def _shorter(value: Fraction) -> Iterator[Fraction]:
    """Yield shorter numbers near one, the shortest first."""
    nearest = (value.limit_denominator(most) for most in _DENOMINATORS)
    sign = 1 if value > 0 else -1
    candidates = (
        Fraction(0),
        Fraction(1),
        Fraction(sign),
        *nearest,
        sign * Fraction(10),
        abs(value),
    )
    for candidate in dict.fromkeys(candidates):
        if _length(candidate) < _length(value):
            yield candidate


def _shorter_vectors(values: Vector) -> Iterator[Vector]:
    for place, value in enumerate(values):
        for other in _shorter(value):
            yield (*values[:place], other, *values[place + 1 :])


def _replaced(items: Sequence[T], place: int, item: T) -> tuple[T, ...]:
    return (*items[:place], item, *items[place + 1 :])


def _simpler_instances(instance: Instance) -> Iterator[Instance]:
    yield from _fewer_states(instance)
    yield from _lower_dimension(instance)
    yield from _plainer_activation(instance)
    yield from _plainer_law(instance)
    yield from _shorter_training(instance)
    yield from _plainer_chain(instance)


def _fewer_states(instance: Instance) -> Iterator[Instance]:
    for state in range(instance.chain.n_states):
        fewer = without_state(instance.chain, state)
        if fewer is not None:
            yield dataclasses.replace(instance, chain=fewer)


def _lower_dimension(instance: Instance) -> Iterator[Instance]:
    for k in range(instance.chain.dimension if instance.chain.dimension > 1 else 0):

        def left(values: Vector, k: int = k) -> Vector:
            return (*values[:k], *values[k + 1 :])

        chain = dataclasses.replace(instance.chain, inputs=tuple(map(left, instance.chain.inputs)))
        law = instance.law
        if isinstance(law, AtomicLaw):
            atoms = tuple(dataclasses.replace(atom, w=left(atom.w)) for atom in law.atoms)
            yield dataclasses.replace(instance, chain=chain, law=AtomicLaw(atoms=atoms))
            continue
        w: Uniform | Normal | Constant = law.w
        if isinstance(w, Constant):
            w = Constant(value=left(w.value))
        elif isinstance(w, Normal):
            w = dataclasses.replace(w, mean=left(w.mean))
        else:
            w = Uniform(low=left(w.low), high=left(w.high))
        yield dataclasses.replace(instance, chain=chain, law=dataclasses.replace(law, w=w))


def _plainer_activation(instance: Instance) -> Iterator[Instance]:
    terms = instance.activation.terms
    for family in dict.fromkeys((FAMILIES[0], *(term.of for term in terms))):
        yield dataclasses.replace(instance, activation=ActivationSpec.named(family))
    for i, term in enumerate(terms):
        if len(terms) > 1:
            fewer = ActivationSpec(terms=terms[:i] + terms[i + 1 :])
            yield dataclasses.replace(instance, activation=fewer)
        for part, plain in (("weight", 1), ("scale", 1), ("shift", 0)):
            value = getattr(term, part)
            for other in dict.fromkeys((Fraction(plain), *_shorter(value))):
                new = with_parts(term, **{part: other})
                spec = ActivationSpec(terms=_replaced(terms, i, new))
                yield dataclasses.replace(instance, activation=spec)


def _plainer_law(instance: Instance) -> Iterator[Instance]:
    law = instance.law
    if isinstance(law, AtomicLaw):
        if len(law.atoms) == 1:
            atom = law.atoms[0]
            yield dataclasses.replace(
                instance,
                law=ProductLaw(
                    c=Constant(value=(atom.c,)),
                    w=Constant(value=atom.w),
                    b=Constant(value=(atom.b,)),
                ),
            )
        for i, atom in enumerate(law.atoms):
            others = {k: other.p for k, other in enumerate(law.atoms) if k != i}
            if others:
                atoms = tuple(dataclasses.replace(law.atoms[k], p=p) for k, p in weighted(others))
                yield dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))
            for c in _shorter(atom.c):
                yield _with_atom(instance, law, i, c=c)
            for w in _shorter_vectors(atom.w):
                yield _with_atom(instance, law, i, w=w)
            for b in _shorter(atom.b):
                yield _with_atom(instance, law, i, b=b)
        n = len(law.atoms)
        even = tuple(dataclasses.replace(atom, p=Fraction(1, n)) for atom in law.atoms)
        yield dataclasses.replace(instance, law=AtomicLaw(atoms=even))
        return
    for part in "cwb":
        for component in _plainer_components(getattr(law, part)):
            new = with_parts(law, **{part: component})
            yield dataclasses.replace(instance, law=new)


def _with_atom(instance: Instance, law: AtomicLaw, i: int, **parts: object) -> Instance:
    atoms = _replaced(law.atoms, i, with_parts(law.atoms[i], **parts))
    return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))


def _plainer_components(
    component: Uniform | Normal | Constant,
) -> Iterator[Uniform | Normal | Constant]:
    if isinstance(component, Constant):
        for value in _shorter_vectors(component.value):
            yield Constant(value=value)
    elif isinstance(component, Normal):
        yield Constant(value=component.mean)
        for mean in _shorter_vectors(component.mean):
            yield dataclasses.replace(component, mean=mean)
        for std in _shorter(component.std):
            yield dataclasses.replace(component, std=std)
    else:
        low, high = component.low, component.high
        yield Constant(value=middle(component))
        yield Constant(value=high)
        for lower in _shorter_vectors(low):
            yield Uniform(low=lower, high=high)
        for higher in _shorter_vectors(high):
            yield Uniform(low=low, high=higher)


def _shorter_training(instance: Instance) -> Iterator[Instance]:
    training = instance.training
    if training is None:
        return
    yield dataclasses.replace(instance, training=None)
    for part in ("horizon", "alpha", "beta", "gamma"):
        value = getattr(training, part)
        for other in (*_shorter(value), value / 2):
            new = with_parts(training, **{part: other})
            yield dataclasses.replace(instance, training=new)
    plain = dataclasses.replace(training, beta=Fraction(3, 4), gamma=Fraction(1, 10))
    yield dataclasses.replace(instance, training=plain)


def _plainer_chain(instance: Instance) -> Iterator[Instance]:
    chain = instance.chain

    def with_chain(**parts: object) -> Instance:
        return dataclasses.replace(instance, chain=with_parts(chain, **parts))

    if chain.initial:
        yield with_chain(initial=0)
    for i, row in enumerate(chain.rows):
        if len(row) > 1:
            for j, _ in row:
                yield with_chain(rows=_replaced(chain.rows, i, ((j, Fraction(1)),)))
            even = tuple((j, Fraction(1, len(row))) for j, _ in row)
            yield with_chain(rows=_replaced(chain.rows, i, even))
            for scale in (10, 100, 10**4, 10**6):
                rounded = {j: Fraction(max(1, round(p * scale))) for j, p in row}
                new = tuple((j, p / sum(rounded.values())) for j, p in rounded.items())
                yield with_chain(rows=_replaced(chain.rows, i, new))
    for i, point in enumerate(chain.inputs):
        for other in (chain.inputs[0], *_shorter_vectors(point)):
            yield with_chain(inputs=_replaced(chain.inputs, i, other))
    for targets in _shorter_vectors(chain.targets):
        yield with_chain(targets=targets)


def _plainer_targets(subject: LinearFunctional) -> Iterator[LinearFunctional]:
    for k, parts in enumerate(subject.target):
        for i, part in enumerate(parts):
            fewer_parts = parts[:i] + parts[i + 1 :]
            yield dataclasses.replace(subject, target=_replaced(subject.target, k, fewer_parts))
            for name, value in vars(part).items():
                for other in _plainer_members(name, value):
                    new = with_parts(part, **{name: other})
                    target = _replaced(subject.target, k, _replaced(parts, i, new))
                    yield dataclasses.replace(subject, target=target)


def _plainer_members(name: str, value: object) -> Iterator[object]:
    """Yield plainer values of a number of a part, of its power or of its times."""
    if isinstance(value, Fraction):
        yield from _shorter(value)
    elif isinstance(value, tuple):
        yield from (value[:i] + value[i + 1 :] for i in range(len(value)))
        yield from _shorter_vectors(value)
    elif name == "power" and value:
        yield 0


def _plainer_trainings(subject: LinearFunctional) -> Iterator[LinearFunctional]:
    training = subject.training
    if training is None:
        return
    yield dataclasses.replace(subject, training=None)

    def replaced(**parts: object) -> LinearFunctional:
        return dataclasses.replace(subject, training=with_parts(training, **parts))

    if len(training.delays) > 1:
        for delay in training.delays:
            yield replaced(delays=(delay,))
    if training.radius is not None:
        yield replaced(radius=None)
        for radius in _shorter(training.radius):
            yield replaced(radius=radius)
    for height in _shorter(training.height):
        yield replaced(height=height)
    for length in _shorter(training.length):
        yield replaced(length=length)
    for delays in _shorter_vectors(training.delays):
        yield replaced(delays=delays)


def _plainer_questions(subject: LinearFunctional) -> Iterator[LinearFunctional]:
    """Yield instances of one width, and of a plainer rate of decay or none."""
    if len(subject.widths) > 1:
        for width in subject.widths:
            yield dataclasses.replace(subject, widths=(width,))
    if subject.beta is not None:
        for beta in (None, *_shorter(subject.beta)):
            yield dataclasses.replace(subject, beta=beta)


def _simpler_functionals(subject: LinearFunctional) -> Iterator[LinearFunctional]:
    network = subject.network
    if network is not None:
        yield dataclasses.replace(subject, network=None)
        for unit in range(network.width):
            fewer = without_unit(subject, unit)
            if fewer is not None:
                yield fewer
    yield from _plainer_trainings(subject)
    for k in range(subject.channels if subject.channels > 1 else 0):
        left = subject.target[:k] + subject.target[k + 1 :]
        less = network and dataclasses.replace(
            network, u=tuple(row[:k] + row[k + 1 :] for row in network.u)
        )
        yield dataclasses.replace(subject, target=left, network=less)
    yield from _plainer_questions(subject)
    yield from _plainer_targets(subject)
    if network is None:
        return
    for name in ("w", "u"):
        rows = getattr(network, name)
        for i, row in enumerate(rows):
            for other_row in _shorter_vectors(row):
                changed = with_parts(network, **{name: _replaced(rows, i, other_row)})
                yield dataclasses.replace(subject, network=changed)
    for c in _shorter_vectors(network.c):
        yield dataclasses.replace(subject, network=dataclasses.replace(network, c=c))


_CANDIDATES: dict[str, Callable[[Any], Iterator[Any]]] = {
    first_kind.SCHEMA: _simpler_instances,
    second_kind.SCHEMA: _simpler_functionals,
}

"""The claims on the limit equation, for laws with finitely many atoms.

Notation: s = alpha t; mu a law of (input, memory, target); ``T_K f = E_mu[K(., zeta') f(zeta')]``.
The left sides are computed from kernels with a rule for each pair of inputs, and by doubling the
time; the right ones from features at the nodes of one rule, or from constants.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from verification.certificate.check.claims.chain_claims import read_chain
from verification.certificate.check.instances import Instance, Law, read_atoms, read_state_of_input
from verification.certificate.check.linear.semigroups import inverse_form, rotated
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import (
    Ball,
    at_precision,
    ball,
    between,
    integer_power,
    precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.numbers.special import growth_constant
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import constant
from verification.certificate.check.recurrent.kernel_bounds import (
    kernel_bound,
    mean_square,
)
from verification.certificate.check.recurrent.limit_equation import (
    Spot,
    Subject,
    solution,
    variance_about,
)
from verification.certificate.check.recurrent.memory import Memory, require_contraction
from verification.certificate.check.recurrent.units import occurs
from verification.certificate.check.recurrent.word_laws import (
    MAX_KNOWN,
    WordLaw,
    all_words,
    given_words,
    has_no_memory,
    is_odd,
    read_law,
)

MAX_UNITS = 64
_SPARE_BITS, _SEARCH_BITS = 96, 80
_MORE_BITS = (256, 512)
_BITS = 192


class Limit:
    """The chain, and the instance with each law of units that a case has."""

    def __init__(self, instance: Instance, chain: Chain, budget: Budget) -> None:
        self.instance = instance
        self.chain = chain
        self.budget = budget
        self._subjects: dict[str, Subject] = {}
        self._laws: dict[str, WordLaw] = {}
        self._bounds: dict[int, Bounds] = {}

    def subject(self, units: Node | None) -> Subject:
        """Return the instance, with units in the place of their law where there are any."""
        key = "" if units is None else json.dumps(units.value)
        if key not in self._subjects:
            instance = self.instance
            if units is not None:
                instance = replace(instance, law=_read_units(units, instance, self.budget))
            with precision(_BITS):
                memory = Memory(instance, self.budget)
            self._subjects[key] = Subject(instance, memory, self.budget)
        return self._subjects[key]

    def kernel_bound(self, subject: Subject) -> Ball:
        """Enclose Kbar; it is searched once."""
        key = id(subject)
        if key not in self._bounds:
            with precision(_SEARCH_BITS):
                self._bounds[key] = kernel_bound(subject.instance, self.budget)
        return between(self._bounds[key].lower, self._bounds[key].upper)

    def shorter(self, law: WordLaw, subject: Subject, steps: int, case: Node) -> WordLaw:
        """Return the law in which only so many inputs are remembered, fewer than in another."""
        if steps >= law.known:
            case.refuse("fewer inputs than the law of words has")
        if law.words:
            words = sorted(word[-1 - steps :] for word in law.words)
            return given_words(subject.instance, words)
        return all_words(self.chain, steps, self.budget)

    def law(self, node: Node, subject: Subject) -> WordLaw:
        """Read a law of words; equal texts give one law."""
        key = json.dumps(node.value, sort_keys=True) + str(id(subject))
        if key not in self._laws:
            self._laws[key] = read_law(node, self.chain, subject.instance, self.budget)
        return self._laws[key]


def _read_units(node: Node, instance: Instance, budget: Budget) -> Law:
    """Read the law of drawn units, in order, each with C >= 0: only C^2 matters."""
    law = read_atoms(node, MAX_UNITS, len(instance.inputs[0]), budget)
    keys = [(atom.w, atom.b, atom.c, atom.p) for atom in law.atoms]
    if sorted(keys) != keys or any(atom.c < 0 for atom in law.atoms):
        node.refuse("units in order, C >= 0")
    budget.spend(len(law.atoms) * len(instance.law.atoms))
    for atom in law.atoms:
        if not any(occurs(instance.law, sign * atom.c, atom.w, atom.b) for sign in (1, -1)):
            node.invalid("has a unit that does not occur in the initial law, with either sign of C")
    return law


def read_limit(instance: Instance, witness: Node, budget: Budget) -> Limit:
    """Verify that there is a training, one recurrent class, and ``q < 1``."""
    if instance.training is None:
        raise Invalid("assumption: the instance gives training constants")
    chain = read_chain(instance, witness, budget)
    with precision(_BITS):
        require_contraction(instance)
    return Limit(instance, chain, budget)


@dataclass(frozen=True)
class _Case:
    """What cases have in common: a law of words, a time s, units in the place of their law."""

    members: dict[str, Node]
    subject: Subject
    law: WordLaw
    time: Fraction
    what: str


def _read_case(known: Limit, case: Node, *more: str) -> _Case:
    members = case.fields(("law", "time", *more), ("units",))
    units = members.get("units")
    subject = known.subject(units)
    time = members["time"].number()
    if time <= 0:
        members["time"].refuse("a number > 0")
    law = known.law(members["law"], subject)
    if not any(mean for _, mean in law.means(odd=is_odd(subject.instance)).values()):
        members["law"].invalid("no mean target is other than 0: nothing is learnt")
    count = len(subject.instance.law.atoms)
    drawn = f", {count} units" if units is not None else ""
    return _Case(members, subject, law, time, f"s = {brief(time)}, {law.what}{drawn}")


def require_order(node: Node, spots: Sequence[Spot]) -> None:
    """Refuse points that K takes in any order but in one: else one case would be several."""
    keys = [(spot.input, spot.memory) for spot in spots]
    if sorted(keys) != keys:
        node.refuse("points in the order of their inputs and memories")


def read_spot(node: Node, instance: Instance) -> Spot:
    """Read a state, the first with its input, and a memory."""
    members = node.fields(("state", "memory"))
    state = read_state_of_input(members["state"], instance)
    return Spot(instance.inputs[state], members["memory"].number())


def sharply(value: Callable[[], Ball]) -> Callable[[int], Bounds]:
    """Return the size of a small difference, with as many bits to spare as it takes."""

    def at(bits: int) -> Bounds:
        found = at_precision(value, _SPARE_BITS)(bits)
        for spare in _MORE_BITS:
            if (found.upper - found.lower) * 2**bits <= found.lower:
                break
            found = at_precision(value, spare)(bits)
        return Bounds(max(found.lower, Fraction(0)), found.upper)

    return at


def read_kernel(instance: Instance, witness: Node, budget: Budget) -> Subject:
    """Return the kernel, for claims that assume nothing."""
    witness.fields(())
    return Subject(instance, None, budget)


# O1


def two_forms(known: Limit, case: Node, _claimed: Bounds) -> Shown:
    """Compare the loss, the norm or a value in the data and in the features."""
    quantity = case.member("quantity").choice("loss", "norm", "value")
    more = ("quantity", "place") if quantity == "value" else ("quantity",)
    read = _read_case(known, case, *more)
    subject, law, time = read.subject, read.law, read.time
    if quantity == "value":
        spot = read_spot(read.members["place"], subject.instance)
        what = f"|g| at v = {brief(spot.memory)}, {read.what}"
        return Shown(
            what,
            at_precision(lambda: abs(subject.value(law, time, spot)), _SPARE_BITS),
            at_precision(lambda: abs(solution(subject, law, time, spot).last_value()), _SPARE_BITS),
        )
    if quantity == "loss":
        return Shown(
            f"|g - y|^2, {read.what}",
            at_precision(lambda: subject.flow(law, time).squared_residual(), _SPARE_BITS),
            at_precision(lambda: solution(subject, law, time, None).loss(), _SPARE_BITS),
        )
    return Shown(
        f"|theta|^2, {read.what}",
        at_precision(lambda: subject.flow(law, time).squared_norm(), _SPARE_BITS),
        at_precision(lambda: solution(subject, law, time, None).squared_norm(), _SPARE_BITS),
    )


# O2


def spectral_loss(known: Limit, case: Node, _claimed: Bounds) -> Shown:
    """``|g - y|^2 = sum_j exp(-2 s lambda_j) <y, e_j>^2 + |y - proj y|^2``.

    What of y lies in the kernel of T_K at distinct places is in the sum.
    """
    read = _read_case(known, case)
    subject, law, time = read.subject, read.law, read.time
    means = law.means(odd=is_odd(subject.instance))

    def spectral() -> Ball:
        shares = [ball(mass).sqrt() for mass, _ in means.values()]
        kernels = subject.gram([*means]) if means else []
        rows = [
            [a * x * b for x, b in zip(row, shares, strict=True)]
            for a, row in zip(shares, kernels, strict=True)
        ]
        start = [a * ball(mean) for a, (_, mean) in zip(shares, means.values(), strict=True)]
        turned = rotated(rows, start, known.budget)
        return turned.squared_decay(2 * time) + ball(variance_about(law, means))

    return Shown(
        read.what,
        at_precision(lambda: subject.flow(law, time).squared_residual(), _SPARE_BITS),
        at_precision(spectral, _SPARE_BITS),
    )


# O3


def excess_loss(known: Limit, case: Node, _claimed: Bounds) -> Shown:
    """``|g - y|^2 - |y - proj y|^2 <= |theta*|^2 / (2 e s)``.

    Where the kernel's matrix at distinct places is positive definite, the projection of y is the
    mean target, and ``|theta*|^2`` the form of the matrix's inverse there.
    """
    read = _read_case(known, case)
    subject, law, time = read.subject, read.law, read.time
    means = law.means(odd=is_odd(subject.instance))
    if not means:
        raise Invalid(f"{case.path}: there is no place at which anything is learnt")
    floor = variance_about(law, means)

    def excess() -> Ball:
        return subject.flow(law, time).squared_residual() - ball(floor)

    def bound() -> Ball:
        targets = [ball(mean) for _, mean in means.values()]
        shortest = inverse_form(subject.gram([*means]), targets, known.budget)
        if shortest is None:
            raise Invalid(f"{case.path}: the kernel's matrix is not shown to be positive definite")
        return shortest / (2 * ball(1).exp() * ball(time))

    return Shown(read.what, at_precision(excess, _SPARE_BITS), at_precision(bound, _SPARE_BITS))


# O4


def dependence_on_history(known: Limit, case: Node, _claimed: Bounds) -> Shown:
    """``|g^mu - g^{mu_m}| <= s |y| L_K (1 + min(tau, (2 tau/3)^(1/2))) q^m vbar``, at a point.

    mu itself, or mu_M for an M > m, ``tau = s Kbar``.
    """
    read = _read_case(known, case, "known", "place")
    subject, law, time = read.subject, read.law, read.time
    steps = read.members["known"].integer(0, MAX_KNOWN)
    spot = read_spot(read.members["place"], subject.instance)
    short = known.shorter(law, subject, steps, case)
    if has_no_memory(known.chain, subject.instance):
        raise Invalid(f"{case.path}: the memory is always 0, which forgets nothing")
    memory = subject.memory_map

    def gap() -> Ball:
        return abs(subject.value(law, time, spot) - subject.value(short, time, spot))

    def bound() -> Ball:
        s, tau = ball(time), ball(time) * known.kernel_bound(subject)
        growth = 1 + tau.min((2 * tau / 3).sqrt())
        s0, s1, s2 = (constant(subject.instance.activation, order) for order in range(3))
        factor = mean_square(subject.instance) * subject.instance.squared_radius
        slope = s0 * s1 + ball(factor) * s1 * s2
        forgotten = integer_power(memory.contraction_factor(), steps) * memory.bound()
        return s * ball(law.squared_target).sqrt() * slope * growth * forgotten

    what = f"m = {steps}, {read.what}, v = {brief(spot.memory)}"
    return Shown(what, sharply(gap), at_precision(bound, _SPARE_BITS))


# O5


def growth_of_weight(known: Limit, case: Node, _claimed: Bounds) -> Shown:
    """``|theta|^2 <= c s |y|^2``, ``c = max_x (1 - exp(-x))^2 / x``."""
    read = _read_case(known, case)
    subject, law, time = read.subject, read.law, read.time
    return Shown(
        read.what,
        at_precision(lambda: subject.flow(law, time).squared_norm(), _SPARE_BITS),
        at_precision(lambda: growth_constant() * ball(time * law.squared_target), _SPARE_BITS),
    )

"""The claims on a linear network that an instance gives: kernel, norm, and what outlasts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from verification.certificate.check.linear.kernels import Function, function_of, integral, weight
from verification.certificate.check.linear.networks import (
    MAX_INTERVALS,
    Signal,
    StableNetwork,
    convolution,
    norm_of,
    read_signal,
    response,
)
from verification.certificate.check.linear.norms import (
    DISTANCE_BITS,
    NORM_BITS,
    norms,
    read_changes,
)
from verification.certificate.check.numbers.balls import ball, bounds, magnitude, precision, total
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, Invalid
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Target, positive

_SPARE_BITS = 96


def read_network(target: Target, witness: Node, budget: Budget) -> StableNetwork:
    """Verify by a basis that the instance's network is stable."""
    return _stable(target, witness.fields(("basis",))["basis"], budget)


def _stable(target: Target, basis: Node, budget: Budget) -> StableNetwork:
    if target.network is None:
        raise Invalid("assumption: the instance gives a network")
    size = len(target.network.c)
    rows = basis.elements(size, size)
    return StableNetwork(target.network, tuple(row.numbers(size) for row in rows), budget)


# C1


def representation(stable: StableNetwork, case: Node, _claimed: Bounds) -> Shown:
    """``y(t) = int_0^inf x(t - s) . rho_hat(s) ds``."""
    signal = read_signal(case.fields(("input",))["input"], len(stable.network.u[0]))

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return bounds(response(stable.network, signal, stable.budget))

    def right(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return bounds(convolution(stable.kernel(), signal))

    return Shown(_named(signal), left, right)


def _named(signal: Signal) -> str:
    return f"an input on [0, {brief(signal.knots[-1])}], {len(signal.starts)} intervals"


# C1S


@dataclass(frozen=True)
class Kernel:
    """A stable network with the norm of its kernel, by the precision."""

    stable: StableNetwork
    norm: Callable[[int], Bounds]


def read_kernel(target: Target, witness: Node, budget: Budget) -> Kernel:
    """Verify by a basis that the network is stable, and where its kernel changes its sign."""
    members = witness.fields(("basis", "changes"))
    stable = _stable(target, members["basis"], budget)
    kernel = stable.kernel()
    changes = read_changes(members["changes"], kernel, budget)

    @cache
    def norm(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return norms(kernel, changes, NORM_BITS, budget)

    return Kernel(stable, norm)


def norm_of_network(known: Kernel, case: Node, _claimed: Bounds) -> Shown:
    """``|y(t)| <= int sum_i |rho_hat_i|`` for an input of size 1 at most."""
    stable = known.stable
    signal = read_signal(case.fields(("input",))["input"], len(stable.network.u[0]))
    if any(abs(x) > 1 for values in (*signal.starts, *signal.ends) for x in values):
        case.invalid("the input exceeds 1")

    def left(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return bounds(magnitude(response(stable.network, signal, stable.budget)))

    return Shown(_named(signal), left, known.norm)


# C6


def memory_barrier(known: Barrier, case: Node, _claimed: Bounds) -> Shown:
    """``sum_I (|int_I rho| - int_I H exp(-b t) dt)_+ <= ||rho - rho_hat||``, H >= |U| |c| K."""
    stable = known.stable
    members = case.fields(("rate", "height", "ends", "changes"))
    rate, height = positive(members["rate"]), positive(members["height"])
    if rate > stable.rate:
        members["rate"].invalid("the network is not shown to forget so fast")
    if height < stable.height():
        members["height"].invalid("is not shown to bound |U| |c| K")
    ends = tuple(item.number() for item in members["ends"].elements(1, MAX_INTERVALS))
    if ends[0] < 0 or any(a >= b for a, b in pairwise(ends)):
        members["ends"].refuse("times that increase, not negative")
    rests = tuple(
        (*function, *rest)
        for function, rest in zip(known.functions, stable.kernel(sign=-1), strict=True)
    )
    changes = read_changes(members["changes"], rests, stable.budget)

    def left(bits: int) -> Bounds:
        work = sum(map(weight, known.functions)) + len(known.functions)
        stable.budget.spend(100 * len(ends) * work, bits)
        with precision(bits + _SPARE_BITS):
            parts = []
            for a, b in zip(ends, (*ends[1:], None), strict=True):
                own = norm_of([integral(function, a, b) for function in known.functions])
                late = (-ball(rate * b)).exp() if b is not None else ball(0)
                most = ball(height / rate) * ((-ball(rate * a)).exp() - late)
                parts.append((own - most).max(ball(0)))
            return bounds(total(parts))

    def right(bits: int) -> Bounds:
        with precision(bits + _SPARE_BITS):
            return norms(rests, changes, DISTANCE_BITS, stable.budget)

    return Shown("the network given", left, right)


@dataclass(frozen=True)
class Barrier:
    """A target, and a network that forgets."""

    functions: tuple[Function, ...]
    stable: StableNetwork


def read_barrier(target: Target, witness: Node, budget: Budget) -> Barrier:
    """Verify by a basis that the network forgets."""
    functions = tuple(function_of(parts) for parts in target.channels)
    return Barrier(functions, read_network(target, witness, budget))

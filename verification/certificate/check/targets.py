"""The second kind of instance in a certificate, read by code of its own: a target with memory.

A target ``rho: [0, inf) -> R^d`` is a sum of parts in each channel; beside it widths of networks,
perhaps one linear network ``h' = W h + U x``, ``y = c . h``, and a training.  What no formula of
the checker uses is read all the same: a certificate whose instance is not well formed is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node

SCHEMA = "linear-functional/1"
MAX_CHANNELS = 16
MAX_PARTS = 64
MAX_POWER = 32
MAX_WIDTHS = 16
MAX_WIDTH = 32
MAX_UNITS = 16
MAX_DELAYS = 16
MAX_SWITCHES = 64
MAX_AIRY_ARGUMENT = 100

Vector: TypeAlias = tuple[Fraction, ...]


@dataclass(frozen=True)
class Exponential:
    """``t^power exp(-rate t) (cosine cos(frequency t) + sine sin(frequency t))``, rate > 0."""

    rate: Fraction
    frequency: Fraction
    power: int
    cosine: Fraction
    sine: Fraction


@dataclass(frozen=True)
class PowerLaw:
    """``factor w (1 + t)^-(1 + w)``, w > 0."""

    factor: Fraction
    w: Fraction


@dataclass(frozen=True)
class Box:
    """`height` between `start` >= 0 and `end`."""

    height: Fraction
    start: Fraction
    end: Fraction


@dataclass(frozen=True)
class DampedReciprocal:
    """``factor exp(-rate t)/(1 + t)``, rate > 0."""

    factor: Fraction
    rate: Fraction


@dataclass(frozen=True)
class Gaussian:
    """``factor exp(-(t - centre)^2 / (2 width^2))``, width > 0."""

    factor: Fraction
    centre: Fraction
    width: Fraction


@dataclass(frozen=True)
class Airy:
    """``factor Ai(scale (t - shift))``, scale > 0."""

    factor: Fraction
    scale: Fraction
    shift: Fraction


@dataclass(frozen=True)
class Switching:
    """Zero at infinity, with the derivative ``+- factor exp(-rate t)``: + first, then in turns."""

    factor: Fraction
    rate: Fraction
    times: Vector


Part: TypeAlias = Exponential | PowerLaw | Box | DampedReciprocal | Gaussian | Airy | Switching


@dataclass(frozen=True)
class Network:
    """The linear network ``h' = W h + U x``, ``y = c . h``."""

    w: tuple[Vector, ...]
    u: tuple[Vector, ...]
    c: Vector


@dataclass(frozen=True)
class Training:
    """A bump of a height and a length that comes after a delay, and the radius of a ball."""

    height: Fraction
    length: Fraction
    delays: Vector
    radius: Fraction | None


@dataclass(frozen=True)
class Target:
    """What a certificate of the second kind is about."""

    name: str
    channels: tuple[tuple[Part, ...], ...]
    widths: tuple[int, ...]
    network: Network | None
    training: Training | None = None
    beta: Fraction | None = None


def read_target(node: Node, budget: Budget) -> Target:
    """Read an instance of kind ``linear-functional/1``.

    Raises
    ------
    Refused
        Where it is malformed or too large.
    """
    top = node.fields(
        ("schema", "name", "target", "widths"), ("origin", "network", "beta", "training")
    )
    top["schema"].choice(SCHEMA)
    if "origin" in top:
        top["origin"].text(2_000)
    channels = tuple(
        tuple(_read_part(part) for part in channel.elements(0, MAX_PARTS))
        for channel in top["target"].elements(1, MAX_CHANNELS)
    )
    budget.spend(100 * sum(map(len, channels)))
    widths = tuple(item.integer(0, MAX_WIDTH) for item in top["widths"].elements(1, MAX_WIDTHS))
    if any(a >= b for a, b in pairwise(widths)):
        top["widths"].refuse("increasing widths")
    return Target(
        name=top["name"].text(120),
        channels=channels,
        widths=widths,
        network=_read_network(top["network"], len(channels)) if "network" in top else None,
        training=_read_training(top["training"]) if "training" in top else None,
        beta=positive(top["beta"]) if "beta" in top else None,
    )


def combined(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return parts with the same sum: equal exponentials are added, what is zero left out."""
    waves: dict[tuple[Fraction, Fraction, int], Exponential] = {}
    others: list[Part] = []
    for part in parts:
        if isinstance(part, Exponential):
            key = part.rate, part.frequency, part.power
            known = waves.get(key, replace(part, cosine=Fraction(0), sine=Fraction(0)))
            cosine, sine = known.cosine + part.cosine, known.sine + part.sine
            waves[key] = replace(known, cosine=cosine, sine=sine)
        elif part.height if isinstance(part, Box) else part.factor:
            others.append(part)
    return (*(wave for wave in waves.values() if wave.cosine or wave.sine), *others)


def exact_width(channels: tuple[tuple[Part, ...], ...]) -> int | None:
    """Return the width of a network whose kernel a target is: 0 of zero, None where none is."""
    needed: dict[tuple[Fraction, Fraction], int] = {}
    for part in (part for parts in channels for part in combined(parts)):
        if not isinstance(part, Exponential):
            return None
        key, order = (part.rate, part.frequency), part.power + 1
        needed[key] = max(needed.get(key, 0), 2 * order if part.frequency else order)
    return sum(needed.values())


def positive(node: Node) -> Fraction:
    """Read a number > 0."""
    value = node.number()
    if value <= 0:
        node.refuse("a positive number")
    return value


def not_negative(node: Node) -> Fraction:
    """Read a number >= 0."""
    value = node.number()
    if value < 0:
        node.refuse("a number that is not negative")
    return value


def increasing(node: Node, most: int, *, above: Fraction | None = None) -> Vector:
    """Read a list of increasing numbers, all above a number."""
    values = tuple(item.number() for item in node.elements(0, most))
    known = values if above is None else (above, *values)
    if any(a >= b for a, b in pairwise(known)):
        node.refuse("numbers that increase" if above is None else f"increasing above {above}")
    return values


def _read_part(node: Node) -> Part:
    return _READERS[node.member("kind").choice(*_READERS)](node)


def _read_exponential(node: Node) -> Exponential:
    members = node.fields(("kind", "coefficient", "rate"), ("power", "frequency", "sine"))
    if "sine" in members and "frequency" not in members:
        node.refuse("a frequency beside the sine")
    zero = Fraction(0)
    return Exponential(
        rate=positive(members["rate"]),
        frequency=positive(members["frequency"]) if "frequency" in members else zero,
        power=members["power"].integer(0, MAX_POWER) if "power" in members else 0,
        cosine=members["coefficient"].number(),
        sine=members["sine"].number() if "sine" in members else zero,
    )


def _read_power_law(node: Node) -> PowerLaw:
    members = node.fields(("kind", "coefficient", "exponent"))
    return PowerLaw(members["coefficient"].number(), positive(members["exponent"]))


def _read_box(node: Node) -> Box:
    members = node.fields(("kind", "height", "start", "length"))
    start = not_negative(members["start"])
    return Box(members["height"].number(), start, start + positive(members["length"]))


def _read_damped_reciprocal(node: Node) -> DampedReciprocal:
    members = node.fields(("kind", "coefficient", "rate"))
    return DampedReciprocal(members["coefficient"].number(), positive(members["rate"]))


def _read_gaussian(node: Node) -> Gaussian:
    members = node.fields(("kind", "coefficient", "centre", "width"))
    centre, width = not_negative(members["centre"]), positive(members["width"])
    return Gaussian(members["coefficient"].number(), centre, width)


def _read_airy(node: Node) -> Airy:
    members = node.fields(("kind", "coefficient", "scale", "shift"))
    scale, shift = positive(members["scale"]), members["shift"].number()
    if abs(scale * shift) > MAX_AIRY_ARGUMENT:
        members["shift"].refuse(f"at most {MAX_AIRY_ARGUMENT} over the scale")
    return Airy(members["coefficient"].number(), scale, shift)


def _read_switching(node: Node) -> Switching:
    members = node.fields(("kind", "coefficient", "rate", "times"))
    times = increasing(members["times"], MAX_SWITCHES, above=Fraction(0))
    return Switching(members["coefficient"].number(), positive(members["rate"]), times)


_READERS: dict[str, Callable[[Node], Part]] = {
    "exponential": _read_exponential,
    "power-law": _read_power_law,
    "box": _read_box,
    "damped-reciprocal": _read_damped_reciprocal,
    "gaussian": _read_gaussian,
    "airy": _read_airy,
    "switching": _read_switching,
}


def _read_network(node: Node, channels: int) -> Network:
    members = node.fields(("W", "U", "c"))
    rows = members["W"].elements(1, MAX_UNITS)
    width = len(rows)
    return Network(
        w=tuple(row.numbers(width) for row in rows),
        u=tuple(row.numbers(channels) for row in members["U"].elements(width, width)),
        c=members["c"].numbers(width),
    )


def _read_training(node: Node) -> Training:
    members = node.fields(("bump", "delays"), ("radius",))
    bump = members["bump"].fields(("height", "length"))
    delays = increasing(members["delays"], MAX_DELAYS, above=Fraction(0))
    if not delays:
        members["delays"].refuse("a delay")
    return Training(
        height=bump["height"].number(),
        length=positive(bump["length"]),
        delays=delays,
        radius=positive(members["radius"]) if "radius" in members else None,
    )

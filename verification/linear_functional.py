"""The second kind of instance: a linear functional with memory, and widths of linear networks.

An instance of kind ``linear-functional/1`` is a target ``rho: [0, inf) -> R^d``, by which inputs x
are turned into ``H_t(x) = int_0^inf x(t - s) . rho(s) ds``; the widths m of the linear networks
``h' = W h + U x``, ``y = c . h``, that are asked to do the same; optionally one such network; and
optionally a training, of a network that starts as the target itself while the target gains a bump.
All numbers are exact rationals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from verification.instance import MAX_NAME, MAX_ORIGIN, Json, Vector
from verification.strict_json import Node, format_number

SCHEMA = "linear-functional/1"
PARTS = (
    "exponential",
    "power-law",
    "box",
    "damped-reciprocal",
    "gaussian",
    "airy",
    "switching",
)

MAX_CHANNELS = 16
MAX_PARTS = 64
MAX_POWER = 32
MAX_WIDTHS = 16
MAX_WIDTH = 32
MAX_UNITS = 16
MAX_DELAYS = 16
MAX_SWITCHES = 64
MAX_AIRY_ARGUMENT = 100


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """``t^power exp(-rate t) (coefficient cos(frequency t) + sine sin(frequency t))``, rate > 0."""

    coefficient: Fraction
    rate: Fraction
    power: int = 0
    frequency: Fraction = Fraction(0)
    sine: Fraction = Fraction(0)


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """``coefficient w (1 + t)^-(1 + w)``, ``w = exponent > 0``: a long memory as w tends to 0."""

    coefficient: Fraction
    exponent: Fraction


@dataclass(frozen=True, kw_only=True)
class Box:
    """`height` on ``[start, start + length]`` and 0 elsewhere."""

    height: Fraction
    start: Fraction
    length: Fraction


@dataclass(frozen=True, kw_only=True)
class DampedReciprocal:
    """``coefficient exp(-rate t) / (1 + t)``, rate > 0."""

    coefficient: Fraction
    rate: Fraction


@dataclass(frozen=True, kw_only=True)
class Gaussian:
    """``coefficient exp(-(t - centre)^2 / (2 width^2))``, a smooth bump: centre >= 0, width > 0."""

    coefficient: Fraction
    centre: Fraction
    width: Fraction


@dataclass(frozen=True, kw_only=True)
class Airy:
    """``coefficient Ai(scale (t - shift))``, scale > 0: it swings before `shift`, then fades."""

    coefficient: Fraction
    scale: Fraction
    shift: Fraction


@dataclass(frozen=True, kw_only=True)
class Switching:
    """Vanishes at infinity, and has the derivative ``+- coefficient exp(-rate t)``, rate > 0.

    The sign is + up to the first of the `times`, which increase from above 0, and changes at each.
    """

    coefficient: Fraction
    rate: Fraction
    times: tuple[Fraction, ...]


Part: TypeAlias = Exponential | PowerLaw | Box | DampedReciprocal | Gaussian | Airy | Switching


@dataclass(frozen=True, kw_only=True)
class Network:
    """The linear network ``h' = W h + U x``, ``y = c . h``.

    Parameters
    ----------
    w : tuple of tuple of Fraction, shape (width, width)
    u : tuple of tuple of Fraction, shape (width, channels)
    c : tuple of Fraction, shape (width,)
    """

    w: tuple[Vector, ...]
    u: tuple[Vector, ...]
    c: Vector

    @property
    def width(self) -> int:
        """Number of hidden units."""
        return len(self.c)


@dataclass(frozen=True, kw_only=True)
class BumpTraining:
    """Gradient flow of a network that starts as the target, to which a late bump is added.

    The network is ``sum_i a_i exp(-w_i t)``, one unit for each part of the target, which must all
    be plain exponentials; one with coefficient 0 is a spare unit.

    Parameters
    ----------
    height, length : Fraction
        Of the bump, ``length > 0``.
    delays : tuple of Fraction
        Its starts, > 0, increasing; each is a training of its own.
    radius : Fraction or None
        Of the ball around the start that the flow is to leave, > 0; by default half of the least
        rate.
    """

    height: Fraction
    length: Fraction
    delays: Vector
    radius: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class LinearFunctional:
    """A target, the widths of the networks that approximate it, and optionally more.

    Parameters
    ----------
    name : str
    target : tuple of tuple of Part
        For each channel of the input the parts whose sum is that component of rho.
    widths : tuple of int
        Increasing.
    network : Network or None
        With as many channels as the target.
    beta : Fraction or None
        Rate at which the target and its derivatives are said to decay, > 0.
    training : BumpTraining or None
    origin : str or None
    """

    name: str
    target: tuple[tuple[Part, ...], ...]
    widths: tuple[int, ...]
    network: Network | None = None
    beta: Fraction | None = None
    training: BumpTraining | None = None
    origin: str | None = None
    schema: str = field(default=SCHEMA, init=False)

    @property
    def channels(self) -> int:
        """Dimension d of the input."""
        return len(self.target)

    def to_json(self) -> dict[str, Json]:
        """Return the document that `read_linear_functional` reads; numbers are exact texts."""
        document: dict[str, Json] = {"schema": SCHEMA, "name": self.name}
        if self.origin is not None:
            document["origin"] = self.origin
        document["target"] = [[_part_document(part) for part in parts] for parts in self.target]
        document["widths"] = list(self.widths)
        if self.beta is not None:
            document["beta"] = format_number(self.beta)
        if self.network is not None:
            document["network"] = {
                "W": [_texts(row) for row in self.network.w],
                "U": [_texts(row) for row in self.network.u],
                "c": _texts(self.network.c),
            }
        if self.training is not None:
            document["training"] = _training_document(self.training)
        return document


def read_linear_functional(node: Node) -> LinearFunctional:
    """Read an instance of kind ``linear-functional/1``."""
    top = node.fields(
        ("schema", "name", "target", "widths"), ("origin", "network", "beta", "training")
    )
    top["schema"].choice((SCHEMA,))
    target = tuple(
        tuple(_read_part(part) for part in channel.elements(least=0, most=MAX_PARTS, of="parts"))
        for channel in top["target"].elements(
            least=1, most=MAX_CHANNELS, of="channels, each a list of parts"
        )
    )
    return LinearFunctional(
        name=top["name"].string(MAX_NAME),
        origin=top["origin"].string(MAX_ORIGIN) if "origin" in top else None,
        target=target,
        widths=_read_widths(top["widths"]),
        network=_read_network(top["network"], len(target)) if "network" in top else None,
        beta=(top["beta"].number(_is_positive, "a positive number") if "beta" in top else None),
        training=_read_training(top["training"]) if "training" in top else None,
    )


def _read_widths(node: Node) -> tuple[int, ...]:
    widths: list[int] = []
    for item in node.elements(least=1, most=MAX_WIDTHS, of="widths"):
        width = item.integer(0, MAX_WIDTH)
        if widths and width <= widths[-1]:
            item.expected(f"more than the width before it, {widths[-1]}")
        widths.append(width)
    return tuple(widths)


def _read_part(node: Node) -> Part:
    return _READERS[node.member("kind").choice(PARTS)](node)


def _read_power_law(node: Node) -> PowerLaw:
    members = node.fields(("kind", "coefficient", "exponent"))
    return PowerLaw(
        coefficient=members["coefficient"].number(),
        exponent=_positive(members["exponent"]),
    )


def _read_box(node: Node) -> Box:
    members = node.fields(("kind", "height", "start", "length"))
    return Box(
        height=members["height"].number(),
        start=_not_negative(members["start"]),
        length=_positive(members["length"]),
    )


def _read_damped_reciprocal(node: Node) -> DampedReciprocal:
    members = node.fields(("kind", "coefficient", "rate"))
    return DampedReciprocal(
        coefficient=members["coefficient"].number(), rate=_positive(members["rate"])
    )


def _read_gaussian(node: Node) -> Gaussian:
    members = node.fields(("kind", "coefficient", "centre", "width"))
    return Gaussian(
        coefficient=members["coefficient"].number(),
        centre=_not_negative(members["centre"]),
        width=_positive(members["width"]),
    )


def _read_airy(node: Node) -> Airy:
    members = node.fields(("kind", "coefficient", "scale", "shift"))
    part = Airy(
        coefficient=members["coefficient"].number(),
        scale=_positive(members["scale"]),
        shift=members["shift"].number(),
    )
    if abs(part.scale * part.shift) > MAX_AIRY_ARGUMENT:
        limit = Fraction(MAX_AIRY_ARGUMENT) / part.scale
        members["shift"].expected(f"at most {limit} in size: 100 over the scale, {part.scale}")
    return part


def _read_switching(node: Node) -> Switching:
    members = node.fields(("kind", "coefficient", "rate", "times"))
    times = [Fraction(0)]
    for item in members["times"].elements(least=0, most=MAX_SWITCHES, of="times"):
        time = item.number()
        if time <= times[-1]:
            item.expected(f"more than the time before it, {times[-1]}" if times[1:] else "above 0")
        times.append(time)
    return Switching(
        coefficient=members["coefficient"].number(),
        rate=_positive(members["rate"]),
        times=tuple(times[1:]),
    )


def _read_exponential(node: Node) -> Exponential:
    members = node.fields(("kind", "coefficient", "rate"), ("power", "frequency", "sine"))
    zero = Fraction(0)
    if "sine" in members and "frequency" not in members:
        node.fail("lacks the key 'frequency', expected it beside 'sine'")
    return Exponential(
        coefficient=members["coefficient"].number(),
        rate=members["rate"].number(_is_positive, "a positive number"),
        power=members["power"].integer(0, MAX_POWER) if "power" in members else 0,
        frequency=(
            members["frequency"].number(_is_positive, "a positive number (or no frequency)")
            if "frequency" in members
            else zero
        ),
        sine=members["sine"].number() if "sine" in members else zero,
    )


_KINDS: dict[type[Part], str] = {
    Exponential: "exponential",
    PowerLaw: "power-law",
    Box: "box",
    DampedReciprocal: "damped-reciprocal",
    Gaussian: "gaussian",
    Airy: "airy",
    Switching: "switching",
}
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
    rows = members["W"].elements(least=1, most=MAX_UNITS, of="rows, one a unit")
    width = len(rows)
    return Network(
        w=tuple(row.numbers(least=width, most=width) for row in rows),
        u=tuple(
            row.numbers(least=channels, most=channels)
            for row in members["U"].elements(least=width, most=width, of="rows, one a unit")
        ),
        c=members["c"].numbers(least=width, most=width),
    )


def _read_training(node: Node) -> BumpTraining:
    members = node.fields(("bump", "delays"), ("radius",))
    bump = members["bump"].fields(("height", "length"))
    delays: list[Fraction] = []
    for item in members["delays"].elements(least=1, most=MAX_DELAYS, of="delays"):
        delay = item.number(_is_positive, "a positive number")
        if delays and delay <= delays[-1]:
            item.expected(f"more than the delay before it, {format_number(delays[-1])}")
        delays.append(delay)
    positive = "a positive number"
    return BumpTraining(
        height=bump["height"].number(),
        length=bump["length"].number(_is_positive, positive),
        delays=tuple(delays),
        radius=members["radius"].number(_is_positive, positive) if "radius" in members else None,
    )


def _positive(node: Node) -> Fraction:
    return node.number(_is_positive, "a positive number")


def _not_negative(node: Node) -> Fraction:
    return node.number(lambda x: x >= 0, "a number that is not negative")


def _is_positive(value: Fraction) -> bool:
    return value > 0


def _training_document(training: BumpTraining) -> dict[str, Json]:
    document: dict[str, Json] = {
        "bump": {
            "height": format_number(training.height),
            "length": format_number(training.length),
        },
        "delays": _texts(training.delays),
    }
    if training.radius is not None:
        document["radius"] = format_number(training.radius)
    return document


def kind_of(part: Part) -> str:
    """Return the kind of a part, as an instance file names it."""
    return _KINDS[type(part)]


def _part_document(part: Part) -> dict[str, Json]:
    if not isinstance(part, Exponential):
        document: dict[str, Json] = {"kind": kind_of(part)}
        for name, value in vars(part).items():
            document[name] = _texts(value) if isinstance(value, tuple) else format_number(value)
        return document
    document = {
        "kind": "exponential",
        "coefficient": format_number(part.coefficient),
        "rate": format_number(part.rate),
    }
    if part.power:
        document["power"] = part.power
    if part.frequency:
        document["frequency"] = format_number(part.frequency)
    if part.sine:
        document["sine"] = format_number(part.sine)
    return document


def _texts(values: Vector) -> list[Json]:
    return [format_number(value) for value in values]

"""Single numbers that a user can ask for: what `theorems evaluate` computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from verification.claim import Number
from verification.enclosure.balls import PRECISIONS, ball, enclosure, less, precision, shown
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import SCHEMA, Instance, Subject
from verification.recurrent.memory import contraction_factor, fixed_point, iterate, memory_map
from verification.verdict import Enclosure, EvidenceKind, Truth

MAX_DIGITS = 250
MAX_WORD = 1_000


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a quantity may depend on; None where the user did not say."""

    state: int | None = None
    memory: Fraction | None = None
    word: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that an instance determines.

    Parameters
    ----------
    meaning : str
    needs : tuple of str
        Names of the `Options` that it requires.
    kind : str
        Schema of the instances that have it.
    value : callable
        ``(instance, options) -> number`` at the current precision.
    """

    meaning: str
    needs: tuple[str, ...]
    kind: str
    value: Callable[[Instance, Options], Number]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """An enclosure of one number and how it was reached."""

    quantity: str
    bounds: Enclosure
    evidence: EvidenceKind
    precision_bits: int | None

    def to_json(self) -> dict[str, object]:
        """Return the contract's document, with the precision that was needed."""
        return {
            "quantity": self.quantity,
            **self.bounds.to_json(),
            "evidence": str(self.evidence),
            "precision_bits": self.precision_bits,
        }


def _phi(instance: Instance, options: Options) -> Number:
    if options.state is None or options.memory is None:
        raise AssertionError("phi was asked for without its options")
    return memory_map(instance, options.state, ball(options.memory))


def _contraction_factor(instance: Instance, _options: Options) -> Number:
    return contraction_factor(instance)


def _memory_fixed_point(instance: Instance, options: Options) -> Number:
    if options.word is None:
        raise AssertionError("memory-fixed-point was asked for without its options")
    q = contraction_factor(instance)
    if less(ball(q), ball(1)) is not Truth.TRUE:
        raise InvalidInstance(
            "law",
            f"has q = s1 E|B| = {shown(q, 6)}, expected q < 1: there may be several fixed points",
        )
    # The fixed point of one cyclic shift fixes those of all; F maps it to itself.
    located = fixed_point(instance, options.word)
    return iterate(instance, options.word, located)


QUANTITIES: Mapping[str, Quantity] = {
    "phi": Quantity(
        meaning="the memory map Phi(x_i, v) = E[B sigma(W.x_i + v)]",
        needs=("state", "memory"),
        kind=SCHEMA,
        value=_phi,
    ),
    "contraction-factor": Quantity(
        meaning="q = s1 E|B|", needs=(), kind=SCHEMA, value=_contraction_factor
    ),
    "memory-fixed-point": Quantity(
        meaning="the memory after the last symbol of a word that is repeated for ever",
        needs=("word",),
        kind=SCHEMA,
        value=_memory_fixed_point,
    ),
}


def evaluate(instance: Subject, name: str, options: Options, *, digits: int = 30) -> Evaluation:
    """Enclose a quantity to `digits` significant digits.

    Parameters
    ----------
    instance : Subject
    name : str
        A key of `QUANTITIES`.
    options : Options
    digits : int
        Wanted: a width of at most ``10**-digits`` relative to the number's size, absolute where
        the number may be 0.

    Returns
    -------
    Evaluation
        At the lowest precision that gives the digits; at the highest one (1024 bits) whatever it
        gives.

    Raises
    ------
    InvalidInstance
        Where an option is missing, or names a state that the instance lacks.
    NotEnclosed
        Where no precision gives an enclosure.
    """
    quantity = QUANTITIES[name]
    if not isinstance(instance, Instance) or instance.schema != quantity.kind:
        raise InvalidInstance("schema", f"is {instance.schema}, expected {quantity.kind}")
    _check(name, quantity, options, instance.chain.n_states)
    failure: NotEnclosed | None = None
    evaluation: Evaluation | None = None
    for bits in PRECISIONS:
        try:
            with precision(bits):
                number = quantity.value(instance, options)
                exact = isinstance(number, Fraction)
                bounds = (
                    Enclosure.of_fraction(number, digits + 3)
                    if isinstance(number, Fraction)
                    else enclosure(number).rounded(digits + 3)
                )
        except NotEnclosed as error:
            failure = error
            continue
        evaluation = Evaluation(
            quantity=name,
            bounds=bounds,
            evidence=EvidenceKind.RATIONALS if exact else EvidenceKind.BALLS,
            precision_bits=None if exact else bits,
        )
        if exact or _is_sharp(bounds, digits):
            break
    if evaluation is None:
        raise failure or NotEnclosed("no precision was tried")
    return evaluation


def _check(name: str, quantity: Quantity, options: Options, n_states: int) -> None:
    for field in dataclasses.fields(options):
        given = getattr(options, field.name) is not None
        if given != (field.name in quantity.needs):
            problem = "is not used by" if given else "is required by"
            raise InvalidInstance(f"--{field.name}", f"{problem} {name}")
    last = n_states - 1
    if options.state is not None and not 0 <= options.state <= last:
        raise InvalidInstance("--state", f"is {options.state}, expected 0 to {last}")
    if options.word is not None:
        if not 1 <= len(options.word) <= MAX_WORD:
            raise InvalidInstance(
                "--word", f"has {len(options.word)} symbols, expected 1 to {MAX_WORD}"
            )
        for symbol in options.word:
            if not 0 <= symbol <= last:
                raise InvalidInstance("--word", f"contains {symbol}, expected 0 to {last}")


def _is_sharp(bounds: Enclosure, digits: int) -> bool:
    width = bounds.width_upper()
    if not width.is_finite():
        return False
    size = min(abs(bounds.lower), abs(bounds.upper))
    scale = size if bounds.lower > 0 or bounds.upper < 0 else Decimal(1)
    return width <= scale * Decimal(1).scaleb(-digits)

"""Single numbers that a user can ask for: what `theorems evaluate` computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import inf, nextafter
from typing import Any, TypeAlias

from verification.enclosure.balls import (
    PRECISIONS,
    Ball,
    Number,
    ball,
    enclosure,
    less,
    precision,
    shown,
    total_between,
    working_precision,
)
from verification.enclosure.doubles import nearest, upward
from verification.enclosure.matrix import Matrix, largest
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import SCHEMA, Instance
from verification.linear_functional import SCHEMA as LINEAR_FUNCTIONAL
from verification.linear_functional import LinearFunctional
from verification.markov import finite
from verification.markov.fluctuation import second_moments
from verification.recurrent.memory import contraction_factor, fixed_point, iterate, memory_map
from verification.subject import Subject
from verification.verdict import Enclosure, EvidenceKind, Truth

MAX_DIGITS = 250
MAX_WORD = 1_000
MAX_STEPS = 10**9
MAX_WIDTH = 10**18
LEAST_ERROR = Fraction(1, 10**6)
MAX_INDEX = 64

_SPARE_NORM_BITS = 20


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a quantity may depend on; None where the user did not say."""

    state: int | None = None
    memory: Fraction | None = None
    other_state: int | None = None
    other_memory: Fraction | None = None
    time: Fraction | None = None
    word: tuple[int, ...] | None = None
    steps: int | None = None
    width: int | None = None
    delay: Fraction | None = None
    error: Fraction | None = None
    index: int | None = None


@dataclass(frozen=True, kw_only=True)
class Doubles:
    """Many numbers, each within `error` of the double given, and none below `least`.

    A `single` one is no vector.
    """

    values: Sequence[float]
    error: float
    least: float = -inf
    single: bool = False

    def bounds(self, digits: int) -> tuple[Enclosure, ...]:
        """Return decimal end points."""
        # The exact decimals of doubles: the difference and the sum are rounded outward.
        return tuple(
            Enclosure(
                Decimal(max(nextafter(value - self.error, -inf), self.least)),
                Decimal(nextafter(value + self.error, inf)),
            ).rounded(digits)
            for value in self.values
        )


Value: TypeAlias = Number | Enclosure | Sequence[Number | Enclosure] | Doubles


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that an instance determines.

    Parameters
    ----------
    meaning : str
    needs, accepts : tuple of str
        Names of the `Options` that it requires, and of those that it may be given.
    kind : str
        Schema of the instances that have it.
    value : callable
        ``(instance, options) -> number`` at the current precision, or several numbers.
    precisions : tuple of int
        Working precisions, tried in order; one where the value does not depend on it.
    """

    meaning: str
    needs: tuple[str, ...]
    kind: str
    value: Callable[[Any, Options], Value]
    accepts: tuple[str, ...] = ()
    precisions: tuple[int, ...] = PRECISIONS


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Enclosures of one number, or of a vector's, and how they were reached."""

    quantity: str
    bounds: Enclosure | tuple[Enclosure, ...]
    evidence: EvidenceKind
    precision_bits: int | None

    def to_json(self) -> dict[str, object]:
        """Return the contract's document, with the precision that was needed.

        ``lower`` and ``upper`` are lists where the quantity is a vector.
        """
        ends: dict[str, object]
        if isinstance(self.bounds, Enclosure):
            ends = {**self.bounds.to_json()}
        else:
            documents = [bounds.to_json() for bounds in self.bounds]
            ends = {key: [document[key] for document in documents] for key in ("lower", "upper")}
        return {
            "quantity": self.quantity,
            **ends,
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


def _dobrushin(instance: Instance, options: Options) -> Number:
    return finite.dobrushin_of_power(instance.chain, 1 if options.steps is None else options.steps)


def _stationary_law(instance: Instance, _options: Options) -> Value:
    finite.require_one_law(instance.chain)
    if instance.chain.n_states <= finite.BALL_STATES:
        return finite.stationary_law(instance.chain)
    from verification.markov import large  # noqa: PLC0415 - loads numpy, scipy for sparse chains

    found = large.stationary_law_enclosure(large.rounded_chain(instance.chain))
    return Doubles(values=found.law.tolist(), error=found.l1_error, least=0.0)


def _poisson_solution(instance: Instance, _options: Options) -> Value:
    finite.require_one_law(instance.chain)
    chain = instance.chain
    if chain.n_states <= finite.BALL_STATES:
        return finite.poisson_solution(chain, chain.targets)
    import numpy as np  # noqa: PLC0415 - for large chains only

    from verification.markov import large  # noqa: PLC0415 - loads scipy for sparse chains

    rounded = [nearest(y) for y in chain.targets]
    found = large.poisson_enclosure(
        large.rounded_chain(chain),
        np.array([y for y, _ in rounded]),
        observable_error=upward(max(bounds.error for _, bounds in rounded)),
    )
    return Doubles(values=found.values.tolist(), error=found.sup_error)


def _second_moment(instance: Instance, options: Options) -> Number:
    if options.steps is None:
        raise AssertionError("second-moment was asked for without its options")
    finite.require_one_law(instance.chain)
    chain = instance.chain
    mean = (finite.stationary_row(chain) @ Matrix.column(chain.targets)).numbers()[0]
    return largest(second_moments(chain, chain.targets, options.steps, centre=mean))


def _kernel(instance: Instance, options: Options) -> Number:
    state, memory = options.state, options.memory
    other, other_memory = options.other_state, options.other_memory
    if state is None or memory is None or other is None or other_memory is None:
        raise AssertionError("kernel was asked for without its options")
    from verification.kernel import limiting  # noqa: PLC0415 - loaded where used

    first = limiting.point(instance, state, memory)
    second = limiting.point(instance, other, other_memory)
    return limiting.kernel(instance.activation, instance.law, first, second)


def _limit(instance: Instance, options: Options) -> Doubles:
    if options.state is None or options.memory is None or options.time is None:
        raise AssertionError("limit was asked for without its options")
    finite.require_one_law(instance.chain)
    from verification.flow.history import joint_law  # noqa: PLC0415 - loads numpy and scipy
    from verification.flow.limit_flow import limit_flow  # noqa: PLC0415

    flow = limit_flow(instance, joint_law(instance), [(options.state, options.memory)])
    curve = flow.output([options.time])
    return Doubles(values=curve.values[0].tolist(), error=float(curve.errors[0]), single=True)


def _explicit_bound(instance: Instance, options: Options) -> Number:
    if options.state is None or options.memory is None or options.width is None:
        raise AssertionError("explicit-bound was asked for without its options")
    from verification.flow.explicit_bound import explicit_bound  # noqa: PLC0415 - loads numpy

    found = explicit_bound(instance, options.width, options.state, options.memory, options.time)
    return found.total


def _l1_norm(instance: LinearFunctional, _options: Options) -> Enclosure:
    from verification.linear_rnn.norm import l1_norm  # noqa: PLC0415 - loaded where used
    from verification.linear_rnn.pieces import of_parts  # noqa: PLC0415

    bits = working_precision() - _SPARE_NORM_BITS
    norms = [l1_norm(of_parts(parts), bits=bits) for parts in instance.target]
    return enclosure(total_between(norms))


def _hankel_singular_value(instance: LinearFunctional, options: Options) -> Value:
    if options.index is None:
        raise AssertionError("hankel-singular-value was asked for without its options")
    from verification.linear_rnn.hankel import singular_value  # noqa: PLC0415 - loaded where used

    found = [enclosure(singular_value(parts, options.index)) for parts in instance.target]
    return found[0] if len(found) == 1 else found


def _plateau_time(instance: LinearFunctional, options: Options) -> Value:
    from verification.linear_rnn import plateau  # noqa: PLC0415 - loaded where used
    from verification.linear_rnn.escape import escape  # noqa: PLC0415 - loads numpy

    if instance.training is None:
        raise InvalidInstance("", "lacks the key 'training', expected it for plateau-time")
    problem = plateau.obstacle(instance)
    if problem:
        raise InvalidInstance(
            "target", f"has {problem}, expected one channel of 1 to 8 plain exponentials"
        )
    radius, least = plateau.radius_of(instance), min(plateau.rates_of(instance))
    if radius >= least:
        raise InvalidInstance(
            "training.radius", f"is {shown(radius)}, expected less than every rate ({shown(least)})"
        )
    if not instance.training.height:
        raise InvalidInstance("training.bump.height", "is 0, expected something to learn")
    delays = instance.training.delays if options.delay is None else (options.delay,)
    times = []
    for delay in delays:
        found = escape(plateau.plateau_at(instance, delay), radius)
        never = Decimal("Infinity")
        lower = never if found.stays else enclosure(found.inside_until).lower
        upper = never if found.outside_at is None else enclosure(found.outside_at).upper
        times.append(Enclosure(lower, upper))
    return times if options.delay is None else times[0]


def _best_known_width(instance: LinearFunctional, options: Options) -> Enclosure:
    if options.error is None:
        raise AssertionError("best-known-width was asked for without its options")
    from verification.linear_rnn.best_width import best_width  # noqa: PLC0415 - loads numpy

    necessary, sufficient = best_width(instance, options.error)
    return Enclosure(
        Decimal(necessary), Decimal("Infinity") if sufficient is None else Decimal(sufficient)
    )


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
    "stationary-law": Quantity(
        meaning="the stationary law pi of the chain, one entry a state",
        needs=(),
        kind=SCHEMA,
        value=_stationary_law,
    ),
    "dobrushin": Quantity(
        meaning="the Dobrushin coefficient of the chain, or of a number of steps",
        needs=(),
        accepts=("steps",),
        kind=SCHEMA,
        value=_dobrushin,
    ),
    "poisson-solution": Quantity(
        meaning="u with u - P u = y - pi(y), pi(u) = 0, for the targets y, one entry a state",
        needs=(),
        kind=SCHEMA,
        value=_poisson_solution,
    ),
    "second-moment": Quantity(
        meaning="max_i E_i[S_n^2], S_n the centred sum of the targets over n steps",
        needs=("steps",),
        kind=SCHEMA,
        value=_second_moment,
    ),
    "kernel": Quantity(
        meaning="the limiting kernel K((x_i, v), (x_j, w))",
        needs=("state", "memory", "other_state", "other_memory"),
        kind=SCHEMA,
        value=_kernel,
    ),
    "limit": Quantity(
        meaning="the output g_t(x_i, v) of the infinitely wide network after training for time t",
        needs=("state", "memory", "time"),
        kind=SCHEMA,
        value=_limit,
        precisions=PRECISIONS[:1],
    ),
    "explicit-bound": Quantity(
        meaning=(
            "an upper bound of E max_k |G_k(x_i, v) - g_{k/N}(x_i, v)| over k <= N T, the network "
            "of width N against its limit; T is the horizon unless a time is given"
        ),
        needs=("state", "memory", "width"),
        accepts=("time",),
        kind=SCHEMA,
        value=_explicit_bound,
        # Its suprema are no narrower at more bits.
        precisions=PRECISIONS[:1],
    ),
    "best-known-width": Quantity(
        meaning=(
            "the least width of a linear network within an error of the target: that of the best "
            "network known, and the largest one below which there certainly is none"
        ),
        needs=("error",),
        kind=LINEAR_FUNCTIONAL,
        value=_best_known_width,
        # The network does not depend on it.
        precisions=PRECISIONS[:1],
    ),
    "l1-norm": Quantity(
        meaning="the norm of the target, sum_i int |rho_i|",
        needs=(),
        kind=LINEAR_FUNCTIONAL,
        value=_l1_norm,
        # Norms are resolved to some 100 bits at any precision.
        precisions=PRECISIONS[:2],
    ),
    "hankel-singular-value": Quantity(
        meaning=(
            "the singular value of an index, from 1 on, of f -> int_0^inf rho_i(t + s) f(s) ds, "
            "one entry a channel; of a target that is no sum of exponentials two bounds"
        ),
        needs=("index",),
        kind=LINEAR_FUNCTIONAL,
        value=_hankel_singular_value,
    ),
    "plateau-time": Quantity(
        meaning=(
            "the time at which gradient flow leaves the ball around its start, one entry a delay "
            "of the bump, or at one delay; Infinity where it never does"
        ),
        needs=(),
        accepts=("delay",),
        kind=LINEAR_FUNCTIONAL,
        value=_plateau_time,
        # The flow is followed at one precision.
        precisions=PRECISIONS[1:2],
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
    if instance.schema != quantity.kind:
        raise InvalidInstance("schema", f"is {instance.schema}, expected {quantity.kind}")
    _check_given(name, quantity, options)
    if isinstance(instance, Instance):
        _check_states(options, instance.chain.n_states)
    failure: NotEnclosed | None = None
    evaluation: Evaluation | None = None
    for bits in quantity.precisions:
        try:
            with precision(bits):
                value = quantity.value(instance, options)
                if isinstance(value, Doubles):
                    found = value.bounds(digits + 3)
                    return Evaluation(
                        quantity=name,
                        bounds=found[0] if value.single else found,
                        evidence=EvidenceKind.DOUBLES,
                        precision_bits=None,
                    )
                single = isinstance(value, Fraction | Ball | Enclosure)
                numbers: Sequence[Number | Enclosure]
                numbers = [value] if isinstance(value, Fraction | Ball | Enclosure) else value
                bounds = tuple(_enclosed(number, digits) for number in numbers)
        except NotEnclosed as error:
            failure = error
            continue
        exact = all(isinstance(number, Fraction) for number in numbers)
        evaluation = Evaluation(
            quantity=name,
            bounds=bounds[0] if single else bounds,
            evidence=EvidenceKind.RATIONALS if exact else EvidenceKind.BALLS,
            precision_bits=None if exact else bits,
        )
        if exact or all(_is_sharp(item, digits) for item in bounds):
            break
    if evaluation is None:
        raise failure or NotEnclosed("no precision was tried")
    return evaluation


def _enclosed(number: Number | Enclosure, digits: int) -> Enclosure:
    if isinstance(number, Enclosure):
        return number.rounded(digits + 3)
    if isinstance(number, Fraction):
        return Enclosure.of_fraction(number, digits + 3)
    return enclosure(number).rounded(digits + 3)


def _check_given(name: str, quantity: Quantity, options: Options) -> None:
    for field in dataclasses.fields(options):
        given = getattr(options, field.name) is not None
        if field.name in quantity.accepts:
            continue
        if given != (field.name in quantity.needs):
            problem = "is not used by" if given else "is required by"
            option = field.name.replace("_", "-")
            raise InvalidInstance(f"--{option}", f"{problem} {name}")
    if options.index is not None and not 1 <= options.index <= MAX_INDEX:
        raise InvalidInstance("--index", f"is {options.index}, expected 1 to {MAX_INDEX}")
    if options.delay is not None and options.delay <= 0:
        raise InvalidInstance("--delay", f"is {options.delay}, expected more than 0")
    if options.error is not None and options.error < LEAST_ERROR:
        raise InvalidInstance("--error", f"is {shown(options.error)}, expected 1e-6 or more")


def _check_states(options: Options, n_states: int) -> None:
    last = n_states - 1
    for option, state in (("state", options.state), ("other-state", options.other_state)):
        if state is not None and not 0 <= state <= last:
            raise InvalidInstance(f"--{option}", f"is {state}, expected 0 to {last}")
    if options.time is not None and options.time < 0:
        raise InvalidInstance("--time", f"is {options.time}, expected 0 or more")
    if options.steps is not None and options.steps > MAX_STEPS:
        raise InvalidInstance("--steps", f"is {options.steps}, expected at most {MAX_STEPS}")
    if options.width is not None and not 1 <= options.width <= MAX_WIDTH:
        raise InvalidInstance("--width", f"is {options.width}, expected 1 to {MAX_WIDTH}")
    if options.word is not None:
        if not 1 <= len(options.word) <= MAX_WORD:
            raise InvalidInstance(
                "--word", f"has {len(options.word)} symbols, expected 1 to {MAX_WORD}"
            )
        for symbol in options.word:
            if not 0 <= symbol <= last:
                raise InvalidInstance("--word", f"contains {symbol}, expected 0 to {last}")


def _is_sharp(bounds: Enclosure, digits: int) -> bool:
    if bounds.lower == bounds.upper:
        # Two infinities have no difference.
        return True
    width = bounds.width_upper()
    if not width.is_finite():
        return False
    size = min(abs(bounds.lower), abs(bounds.upper))
    scale = size if bounds.lower > 0 or bounds.upper < 0 else Decimal(1)
    return width <= scale * Decimal(1).scaleb(-digits)

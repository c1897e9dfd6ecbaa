"""Hypothesis strategies that generate valid exact instances, the hard ones on purpose.

Each strategy draws one block of bytes and decodes it half a byte at a time, so that an instance
costs one draw and not a hundred.  Every block decodes to a valid instance, the zero block to the
simplest one: a counterexample shrinks, byte by byte, to a small chain with small numbers.  The
tables below are in that order, simplest first; one of 16, 8 or 4 entries costs half a byte.

A chain is drawn as integer weights, ``P_ij = w_ij / sum_k w_ik``: one that is *nearly* reducible
or periodic has weights of very different sizes.  A law is drawn first and its B is scaled
afterwards, so that the contraction factor ``q = s1 E|B|`` takes a drawn value, far below one, near
it or above, by construction and not by rejection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias, TypeVar

from hypothesis import strategies as st

from verification.instance import (
    FAMILIES,
    ActivationSpec,
    Atom,
    AtomicLaw,
    Chain,
    Constant,
    Instance,
    Law,
    Normal,
    ProductLaw,
    Row,
    Term,
    Training,
    Uniform,
    Vector,
)

T = TypeVar("T")

Take: TypeAlias = Callable[[], int]
"""Returns the next half byte, from 0 to 15, of a block, and 0 for ever after its last."""

Weights: TypeAlias = list[dict[int, int]]
"""For each state, the positive integer weights of its successors."""

Pair: TypeAlias = tuple[Fraction, Vector, Fraction]
"""One atom of (W, B): its probability and its value."""

MAX_STATES = 8
MAX_DIMENSION = 3
_MAX_ATOMS = 4
_MAX_TERMS = 3

# What the largest activation, law, ... uses, rounded up.
_ACTIVATION_BYTES = 1 + (5 * _MAX_TERMS + 1) // 2
_LAW_BYTES = 2 + (3 + MAX_DIMENSION) * _MAX_ATOMS // 2
_TRAINING_BYTES = 4
_CHOICE_BYTES = 2


def exact(numbers: str) -> Vector:
    """Return the exact values of numbers divided by spaces."""
    return tuple(Fraction(number) for number in numbers.split())


_ZERO = Fraction(0)


class Numbers(NamedTuple):
    """The numbers that instances are made of."""

    coordinates: Vector
    nonzero: Vector
    positive: Vector
    centres: Vector
    shifts: Vector


_ALL = Numbers(
    coordinates=exact("0 1 -1 1/2 -1/2 2 -2 0.1 -0.3 1/3 -5/4 3 0.01 10 -15 -0.7"),
    nonzero=exact("1 -1 1/2 -1/2 2 -2 0.1 -0.3 1/3 -5/4 3 0.01 10 -15 -0.7 0.9"),
    positive=exact("1 1/2 2 1/10 4 1/3 10 1/1000"),
    centres=exact("0 1 -1 1/2 0.6 -2 5 20"),
    shifts=exact("0 1/2 -1 3"),
)
_MODERATE = Numbers(
    coordinates=_ALL.coordinates[:8],
    nonzero=_ALL.nonzero[:8],
    positive=_ALL.positive[:4],
    centres=_ALL.centres[:4],
    shifts=_ALL.shifts[:2],
)
_SCALES = (10**3, 10**6, 10**2, 10**4, 10**9, 10**12, 10**15, 10**18)

_CONTRACTING = exact("1/2 0.9 1/10 0.99 3/4 0.999 0.999999 1/4 0.999999999 0")
_EXPANDING = exact("2 1.1 1.001 1.000001 5 20 3/2")
_STRENGTHS = {
    True: _CONTRACTING,
    False: _EXPANDING,
    None: (*_CONTRACTING, *_EXPANDING, Fraction(1)),
}

# sup |f'| of each family, from below and from above.  Only that of erf, 2/sqrt(pi), is irrational.
_SLOPES = {
    "tanh": exact("1 1"),
    "logistic": exact("1/4 1/4"),
    "erf": exact("1.128379167 1.128379168"),
    "arctan": exact("1 1"),
    "sin": exact("1 1"),
}
_SYMMETRIC_SIGNS = (
    ((Fraction(1, 2), -1), (Fraction(1, 2), 1)),
    ((Fraction(1, 6), -1), (Fraction(2, 3), 0), (Fraction(1, 6), 1)),
    ((Fraction(1), 0),),
)
_NAMED = tuple(ActivationSpec.named(family) for family in FAMILIES)

_ALPHAS = exact("1 1/10 2 10 200")
_BETAS = exact("3/4 0.6 0.9 0.51 0.99 2/3")
_SHARES = exact("1/2 1/10 0.9 0.01")
_HORIZONS = exact("1 1/2 2 1/10 1/3")


class Size(NamedTuple):
    """The wanted E|B|, or max|B| where it is the size of every unit that counts."""

    value: Fraction
    of_every_unit: bool


def chains(
    *,
    kinds: Sequence[str] | None = None,
    dimension: int | None = None,
    max_states: int = MAX_STATES,
    moderate: bool = False,
) -> st.SearchStrategy[Chain]:
    """Generate Markov chains.

    Parameters
    ----------
    kinds : sequence of str, optional
        Some of `CHAIN_KINDS`, the simplest first; by default all of them.  A kind that needs more
        than `max_states` states is left out.
    dimension : int, optional
        Dimension of the inputs; by default 1, 2 or 3.
    max_states : int
    moderate : bool
        Draw only inputs and targets of sizes 0 and from 0.1 to 2, in place of 0.01 to 15.

    Returns
    -------
    SearchStrategy
        Of chains in which every kind occurs about equally often, with states in no particular
        order; in about a third of them several states see one input.
    """
    _check_dimension(dimension)
    decode = partial(
        _chain,
        numbers=_MODERATE if moderate else _ALL,
        kinds=_chain_kinds(kinds, max_states),
        dimension=dimension,
        max_states=max_states,
    )
    return _blocks(_chain_bytes(max_states)).map(lambda block: decode(_reader(block))[0])


def activations(*, moderate: bool = False) -> st.SearchStrategy[ActivationSpec]:
    """Generate the named activations and mixtures of up to three terms, about equally often.

    Parameters
    ----------
    moderate : bool
        Draw only weights and scales of sizes from 0.1 to 2, in place of 0.01 to 15.
    """
    numbers = _MODERATE if moderate else _ALL
    return _blocks(_ACTIVATION_BYTES).map(lambda block: _activation(_reader(block), numbers))


def laws(
    dimension: int,
    *,
    kinds: Sequence[str] | None = None,
    centred: bool = False,
    moderate: bool = False,
) -> st.SearchStrategy[Law]:
    """Generate laws of one hidden unit.

    Parameters
    ----------
    dimension : int
        Dimension of W, at most `MAX_DIMENSION`.
    kinds : sequence of str, optional
        Some of `LAW_KINDS`, by default all of them.
    centred : bool
        Generate only laws in which C has mean zero and is independent of (W, B); by default about
        half of the laws are such.
    moderate : bool
        Draw only laws with numbers of sizes 0 and from 0.1 to 2, in place of 0.001 to 20.

    Returns
    -------
    SearchStrategy
        Of laws with B almost surely bounded and not almost surely zero.
    """
    _check_dimension(dimension)
    decode = partial(
        _law,
        numbers=_MODERATE if moderate else _ALL,
        kinds=_known(kinds, LAW_KINDS),
        dimension=dimension,
        centred=centred,
    )
    return _blocks(_LAW_BYTES).map(lambda block: decode(_reader(block))[0])


def trainings() -> st.SearchStrategy[Training]:
    """Generate training constants with ``1/2 < beta < 1`` and ``0 < gamma < 1 - beta``."""
    return _blocks(_TRAINING_BYTES).map(lambda block: _training(_reader(block)))


def instances(
    *,
    contracting: bool | None = None,
    every_unit: bool = False,
    centred: bool = False,
    training: bool | None = None,
    chain_kinds: Sequence[str] | None = None,
    law_kinds: Sequence[str] | None = None,
    dimension: int | None = None,
    max_states: int = MAX_STATES,
    moderate: bool = False,
) -> st.SearchStrategy[Instance]:
    """Generate whole instances with a chosen contraction factor ``q = s1 E|B|``.

    Parameters
    ----------
    contracting : bool, optional
        True: q < 1, up to ``1 - 1e-9``, and B = 0 at times.  False: q > 1, from ``1 + 1e-6`` on.
        By default either, and q = 1.  The slope s1 of a mixture is the triangle inequality's.
    every_unit : bool
        Choose ``s1 max|B|`` in place of q.  It is no smaller than q, so that ``contracting=True``
        then gives both below one.
    training : bool, optional
        Whether there are training constants; by default in half of the instances.
    chain_kinds, dimension, max_states
        See `chains`.
    law_kinds, centred
        See `laws`.
    moderate : bool
        Draw no small and no large numbers, the transition matrix and the size of B apart: the
        instances on which integrals are cheap to enclose.

    Returns
    -------
    SearchStrategy
        Of instances whose names say the kinds of their parts.
    """
    _check_dimension(dimension)
    decode = partial(
        _instance,
        contracting=contracting,
        every_unit=every_unit,
        centred=centred,
        training=training,
        chain_kinds=_chain_kinds(chain_kinds, max_states),
        law_kinds=_known(law_kinds, LAW_KINDS),
        dimension=dimension,
        max_states=max_states,
        numbers=_MODERATE if moderate else _ALL,
    )
    of_chain = _chain_bytes(max_states)
    of_the_rest = _CHOICE_BYTES + _TRAINING_BYTES + _ACTIVATION_BYTES + _LAW_BYTES
    return _blocks(of_the_rest + of_chain).map(decode)


def words(
    chain: Chain, *, max_length: int = 8, followed: bool = False
) -> st.SearchStrategy[tuple[int, ...]]:
    """Generate non-empty words of states.

    Parameters
    ----------
    chain : Chain
    max_length : int
    followed : bool
        Generate only words whose every step the chain takes with positive probability.
    """
    symbol_bytes = max(1, ((chain.n_states - 1).bit_length() + 7) // 8)

    def decode(block: bytes) -> tuple[int, ...]:
        numbers = [
            int.from_bytes(block[k : k + symbol_bytes], "big")
            for k in range(0, len(block), symbol_bytes)
        ]
        word = [numbers[0] % chain.n_states]
        for number in numbers[1:]:
            row = chain.rows[word[-1]]
            word.append(row[number % len(row)][0] if followed else number % chain.n_states)
        return tuple(word)

    return st.binary(min_size=1, max_size=symbol_bytes * max_length).map(decode)


def _blocks(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def _reader(block: bytes) -> Take:
    return partial(next, _half_bytes(block), 0)


def _half_bytes(block: bytes) -> Iterator[int]:
    for byte in block:
        yield byte >> 4
        yield byte & 15


def _below(bound: int, take: Take) -> int:
    """Decode a number from 0 to `bound` - 1, all of them about equally often."""
    value, outcomes = take(), 16
    while outcomes % bound and outcomes < 4 * bound:
        value, outcomes = 16 * value + take(), 16 * outcomes
    return value % bound


def _pick(table: Sequence[T], take: Take) -> T:
    return table[_below(len(table), take)]


def _vector(table: Vector, take: Take, dimension: int) -> Vector:
    return tuple(_pick(table, take) for _ in range(dimension))


def _weight(take: Take) -> int:
    return 1 + take()


def _check_dimension(dimension: int | None) -> None:
    if dimension is not None and not 1 <= dimension <= MAX_DIMENSION:
        raise ValueError(f"dimension is {dimension}, expected 1 to {MAX_DIMENSION}")


def _known(kinds: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    if kinds is None:
        return tuple(known)
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise ValueError(f"kinds are {list(kinds)}, expected some of {', '.join(known)}")
    return tuple(kinds)


@lru_cache(maxsize=2**14)
def _ratio(numerator: int, denominator: int) -> Fraction:
    return Fraction(numerator, denominator)


# Chains: a builder returns the weights of at most `n` states and the number m of inputs that they
# see; state i sees input i mod m.


def _one_state(_n: int, _take: Take) -> tuple[Weights, int]:
    return [{0: 1}], 1


def _dense(n: int, take: Take) -> tuple[Weights, int]:
    return [{j: _weight(take) for j in range(n)} for _ in range(n)], n


def _sparse(n: int, take: Take) -> tuple[Weights, int]:
    return [{_below(n, take): _weight(take) for _ in range(2)} for _ in range(n)], n


def _reversible(n: int, take: Take) -> tuple[Weights, int]:
    # Symmetric weights are in detailed balance with the law proportional to their row sums; the
    # path 0, 1, ..., n-1 connects all states.
    rows: Weights = [{} for _ in range(n)]
    for i in range(n):
        for j in range(i, n):
            weight = take() % 8 + (j == i + 1)
            if weight:
                rows[i][j] = rows[j][i] = weight
    return rows, n


def _rotating(n: int, take: Take) -> tuple[Weights, int]:
    # Around the ring the product of forward weights exceeds that of backward weights, so that
    # Kolmogorov's criterion fails.
    backward = take()
    forward, hold = backward + _weight(take), _weight(take)
    rows = [{i: hold, (i + 1) % n: forward} for i in range(n)]
    if backward:
        for i in range(n):
            rows[i][(i - 1) % n] = backward
    return rows, n


def _periodic(n: int, take: Take) -> tuple[Weights, int]:
    period = 2 + _below(n - 1, take)
    classes = [range(c, n, period) for c in range(period)]
    return [{j: _weight(take) for j in classes[(i + 1) % period]} for i in range(n)], n


def _nearly_periodic(n: int, take: Take) -> tuple[Weights, int]:
    scale, everywhere = _pick(_SCALES, take), take() % 2
    rows, _ = _periodic(n, take)
    return [
        {j: scale * row.get(j, 0) + 1 for j in (range(n) if everywhere else {i, *row})}
        for i, row in enumerate(rows)
    ], n


def _blocks_of_states(n: int, take: Take) -> tuple[range, range]:
    cut = 1 + _below(n - 1, take)
    return range(cut), range(cut, n)


def _reducible(n: int, take: Take) -> tuple[Weights, int]:
    first, second = _blocks_of_states(n, take)
    leaks = take() % 2
    rows = [{j: _weight(take) for j in block} for block in (first, second) for _ in block]
    if leaks:
        rows[0][n - 1] = _weight(take)
    return rows, n


def _nearly_reducible(n: int, take: Take) -> tuple[Weights, int]:
    scale, everywhere = _pick(_SCALES, take), take() % 2
    first, second = _blocks_of_states(n, take)
    rows = []
    for block, other in ((first, second), (second, first)):
        for i in block:
            leaks = everywhere or i in {0, n - 1}
            links = dict.fromkeys(other, 1) if leaks else {}
            rows.append({j: scale * _weight(take) for j in block} | links)
    return rows, n


def _absorbing(n: int, take: Take) -> tuple[Weights, int]:
    rows = [{_below(n, take): _weight(take), i + 1: _weight(take)} for i in range(n - 1)]
    return [*rows, {n - 1: 1}], n


def _history(n: int, take: Take) -> tuple[Weights, int]:
    # A state is the word of the last symbols in base `alphabet`; the input is the latest symbol.
    sizes = [(a, a**length) for a in (2, 3) for length in (2, 3) if a**length <= n]
    alphabet, n_words = _pick(sizes, take)
    return [
        {(i * alphabet) % n_words + symbol: _weight(take) for symbol in range(alphabet)}
        for i in range(n_words)
    ], alphabet


def _deterministic(n: int, take: Take) -> tuple[Weights, int]:
    # From every state a path without choice leads to the last one, which is never left: most of
    # them long, so that little is random and much is transient.
    rows: Weights = []
    for i in range(n - 1):
        further = take() % 4 == 3
        rows.append({i + 1 + (_below(n - 1 - i, take) if further else 0): 1})
    return [*rows, {n - 1: 1}], n


def _regimes(n: int, take: Take) -> tuple[Weights, int]:
    # Two regimes, of which the input tells, and stages of each: state i is stage i // 2 of regime
    # i % 2.  Only the last stage may end in the other regime: it takes several steps to change it.
    last = n // 2 - 1
    rows: Weights = []
    for i in range(2 * last + 2):
        stage, regime = divmod(i, 2)
        back = regime if take() % 4 else i
        onward = 1 - regime if stage == last else i + 2
        rows.append({back: _weight(take), onward: _weight(take)})
    return rows, 2


_BUILDERS: dict[str, tuple[int, Callable[[int, Take], tuple[Weights, int]]]] = {
    "one-state": (1, _one_state),
    "dense": (2, _dense),
    "sparse": (2, _sparse),
    "reversible": (2, _reversible),
    "rotating": (3, _rotating),
    "periodic": (2, _periodic),
    "nearly-periodic": (2, _nearly_periodic),
    "reducible": (2, _reducible),
    "nearly-reducible": (2, _nearly_reducible),
    "absorbing": (2, _absorbing),
    "history": (4, _history),
    "deterministic": (3, _deterministic),
    "regimes": (4, _regimes),
}

CHAIN_KINDS = tuple(_BUILDERS)
"""Kinds of chains: what each is, `sparse` apart, it is for certain."""

ERGODIC_CHAIN_KINDS = (
    "one-state",
    "dense",
    "rotating",
    "nearly-periodic",
    "nearly-reducible",
    "history",
    "regimes",
)
"""Kinds of chains that are irreducible and aperiodic for certain."""


def _chain_kinds(kinds: Sequence[str] | None, max_states: int) -> tuple[str, ...]:
    if not 1 <= max_states <= 2**8:
        raise ValueError(f"max_states is {max_states}, expected 1 to 256")
    possible = [kind for kind in _known(kinds, CHAIN_KINDS) if _BUILDERS[kind][0] <= max_states]
    return _known(possible, CHAIN_KINDS)


def _chain_bytes(max_states: int) -> int:
    return 10 + max_states * (max_states + MAX_DIMENSION + 1) // 2


def _chain(
    take: Take, numbers: Numbers, kinds: Sequence[str], dimension: int | None, max_states: int
) -> tuple[Chain, str]:
    kind = _pick(kinds, take)
    least, build = _BUILDERS[kind]
    weights, n_inputs = build(least + _below(max_states - least + 1, take), take)
    n_states = len(weights)
    drawn = (1, 1, 2, 3)[take() % 4]
    if take() % 4 == 3:
        n_inputs = 1 + _below(n_inputs, take)
    points = [_vector(numbers.coordinates, take, dimension or drawn) for _ in range(n_inputs)]
    # Turned and perhaps reflected, so that no property hangs on the order of the states.
    shift, step = _below(n_states, take), 1 - 2 * (take() % 2)
    order = [step * (k - shift) % n_states for k in range(n_states)]
    chain = Chain(
        rows=tuple(_row(weights[i], order) for i in order),
        inputs=tuple(points[i % n_inputs] for i in order),
        targets=_vector(numbers.coordinates, take, n_states),
        initial=_below(n_states, take),
    )
    return chain, kind


def _row(weights: dict[int, int], order: Sequence[int]) -> Row:
    total = sum(weights.values())
    return tuple((k, _ratio(weights[j], total)) for k, j in enumerate(order) if j in weights)


# Activations.


def _activation(take: Take, numbers: Numbers, *, plain: bool = False) -> ActivationSpec:
    """Decode an activation; the slope of a plain one is steepest at 0, for all terms together."""
    n_terms = _below(2 * _MAX_TERMS, take) - _MAX_TERMS + 1
    if n_terms <= 0:
        return _pick(_NAMED, take)
    terms = []
    for _ in range(n_terms):
        weight, scale = _pick(numbers.nonzero, take), _pick(numbers.nonzero, take)
        shift, family = _pick(numbers.shifts, take), _pick(FAMILIES, take)
        if plain:
            weight, shift = (weight if weight * scale > 0 else -weight), _ZERO
        terms.append(Term(weight=weight, scale=scale, shift=shift, of=family))
    return ActivationSpec(terms=tuple(terms))


def _slope(spec: ActivationSpec, bound: int) -> Fraction:
    """Sum the terms' steepest slopes, each bounded from below (0) or from above (1)."""
    return sum(
        (abs(term.weight * term.scale) * _SLOPES[term.of][bound] for term in spec.terms), _ZERO
    )


# Laws.


def _law(
    take: Take,
    numbers: Numbers,
    kinds: Sequence[str],
    dimension: int,
    *,
    centred: bool,
    size: Size | None = None,
) -> tuple[Law, str]:
    kind = _pick(kinds, take)
    centred = take() % 2 == 0 or centred
    if kind in _ATOM_BUILDERS:
        pairs = _ATOM_BUILDERS[kind](take, numbers, dimension)
        if size is not None:
            pairs = _resized_pairs(pairs, size)
        return AtomicLaw(atoms=_with_c(pairs, take, numbers, centred=centred)), kind
    c, b = _bounded(take, numbers, centred=centred), _bounded(take, numbers, centred=False)
    if size is not None:
        b = _resized(b, size)
    return ProductLaw(c=c, w=_COMPONENT_BUILDERS[kind](take, numbers, dimension), b=b), kind


def _around(centres: Vector, widths: Vector) -> Uniform:
    pairs = tuple(zip(centres, widths, strict=True))
    return Uniform(low=tuple(c - w for c, w in pairs), high=tuple(c + w for c, w in pairs))


def _bounded(take: Take, numbers: Numbers, *, centred: bool) -> Uniform | Constant:
    """Decode C or B: not the constant 0, unless it is to have mean zero."""
    shape = take() % 8
    if centred and shape == 7:
        return Constant(value=(_ZERO,))
    if not centred and shape % 2:
        return Constant(value=(_pick(numbers.nonzero, take),))
    centre = _ZERO if centred else _pick(numbers.centres, take)
    return _around((centre,), (_pick(numbers.positive, take),))


def _uniform(take: Take, numbers: Numbers, dimension: int) -> Uniform:
    return _around(
        _vector(numbers.centres, take, dimension), _vector(numbers.positive, take, dimension)
    )


def _normal(take: Take, numbers: Numbers, dimension: int) -> Normal:
    return Normal(mean=_vector(numbers.centres, take, dimension), std=_pick(numbers.positive, take))


def _constant(take: Take, numbers: Numbers, dimension: int) -> Constant:
    return Constant(value=_vector(numbers.coordinates, take, dimension))


def _symmetric(take: Take, numbers: Numbers, dimension: int) -> Uniform | Normal:
    zero = (_ZERO,) * dimension
    if take() % 2:
        return Normal(mean=zero, std=_pick(numbers.positive, take))
    return _around(zero, _vector(numbers.positive, take, dimension))


def _atoms(take: Take, numbers: Numbers, dimension: int) -> list[Pair]:
    shares = [_weight(take) for _ in range(1 + _below(_MAX_ATOMS, take))]
    total = sum(shares)
    return [
        (
            _ratio(share, total),
            _vector(numbers.coordinates, take, dimension),
            _pick(numbers.nonzero, take),
        )
        for share in shares
    ]


def _symmetric_atoms(take: Take, numbers: Numbers, dimension: int) -> list[Pair]:
    return [
        (p / 2, tuple(sign * x for x in w), b)
        for p, w, b in _atoms(take, numbers, dimension)
        for sign in (1, -1)
    ]


def _with_c(
    pairs: Iterable[Pair], take: Take, numbers: Numbers, *, centred: bool
) -> tuple[Atom, ...]:
    if not centred:
        return tuple(Atom(p=p, c=_pick(numbers.coordinates, take), w=w, b=b) for p, w, b in pairs)
    size, law = _pick(numbers.nonzero, take), _pick(_SYMMETRIC_SIGNS, take)
    return tuple(
        Atom(p=p * share, c=sign * size, w=w, b=b) for p, w, b in pairs for share, sign in law
    )


_COMPONENT_BUILDERS: dict[str, Callable[[Take, Numbers, int], Uniform | Normal | Constant]] = {
    "constant": _constant,
    "uniform": _uniform,
    "normal": _normal,
    "symmetric": _symmetric,
}
_ATOM_BUILDERS: dict[str, Callable[[Take, Numbers, int], list[Pair]]] = {
    "atoms": _atoms,
    "symmetric-atoms": _symmetric_atoms,
}

LAW_KINDS = (*_COMPONENT_BUILDERS, *_ATOM_BUILDERS)
"""Kinds of laws: of W where it is independent of B, else of their joint atoms."""


def _resized(b: Uniform | Constant, size: Size) -> Uniform | Constant:
    """Multiply a component other than 0 by the factor that gives it the wanted size."""
    low, high = (b.low[0], b.high[0]) if isinstance(b, Uniform) else (b.value[0],) * 2
    if size.of_every_unit:
        actual = max(-low, high)
    elif low < 0 < high:
        actual = (low**2 + high**2) / (2 * (high - low))
    else:
        actual = abs(low + high) / 2
    low, high = low * size.value / actual, high * size.value / actual
    return Uniform(low=(low,), high=(high,)) if low < high else Constant(value=(low,))


def _resized_pairs(pairs: Sequence[Pair], size: Size) -> list[Pair]:
    """Multiply every b, none of them 0, by the factor that gives B the wanted size."""
    if size.of_every_unit:
        factor = size.value / max(abs(b) for _, _, b in pairs)
    else:
        factor = size.value / sum((p * abs(b) for p, _, b in pairs), _ZERO)
    return [(p, w, factor * b) for p, w, b in pairs]


# Whole instances.


def _training(take: Take) -> Training:
    beta = _pick(_BETAS, take)
    return Training(
        alpha=_pick(_ALPHAS, take),
        beta=beta,
        gamma=_pick(_SHARES, take) * (1 - beta),
        horizon=_pick(_HORIZONS, take),
    )


def _instance(
    block: bytes,
    *,
    contracting: bool | None,
    every_unit: bool,
    centred: bool,
    training: bool | None,
    chain_kinds: Sequence[str],
    law_kinds: Sequence[str],
    dimension: int | None,
    max_states: int,
    numbers: Numbers,
) -> Instance:
    # Each part has bytes of its own, so that one can shrink while the others stay what they are.
    parts, at = [], 0
    lengths = (_CHOICE_BYTES, _TRAINING_BYTES, _ACTIVATION_BYTES, _LAW_BYTES, len(block))
    for length in lengths:
        parts.append(_reader(block[at : at + length]))
        at += length
    take, of_training, of_activation, of_law, of_chain = parts
    chain, chain_kind = _chain(of_chain, numbers, chain_kinds, dimension, max_states)
    spec = _activation(of_activation, numbers, plain=contracting is False)
    strength = _pick(_STRENGTHS[contracting], take)
    size = Size(strength / _slope(spec, contracting is not False), every_unit)
    law, law_kind = _law(of_law, numbers, law_kinds, chain.dimension, centred=centred, size=size)
    trained = take() % 2 == 1 if training is None else training
    return Instance(
        name=f"{chain_kind}, {spec.label}, {law_kind}",
        chain=chain,
        activation=spec,
        law=law,
        training=_training(of_training) if trained else None,
    )

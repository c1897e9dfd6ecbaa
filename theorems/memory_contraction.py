r"""Memory of the limit network: contraction, fixed points, and the loss of the initial state.

**Setting.**  A unit is a draw of (C, W, B); ``Phi(x, v) = E[B sigma(W.x + v)]``; the memory of the
infinitely wide network on inputs ``x_{i_1}, x_{i_2}, ...`` is ``v_k = Phi(x_{i_k}, v_{k-1})``, v_0
given, and lies in ``[-vbar, vbar]`` from step 1 on, ``vbar = s0 E|B|``.  As a function of the
unit's weight w the hidden layer is ``T_x h = sigma(w.x + E[B h(W)])``.  R is the largest |x_i|.

**Assumption.**  ``q = s1 E|B| < 1``.

**Statements.**
M1.  ``|Phi(x_i, v) - Phi(x_i, w)| <= q |v - w|``, that is,
``sup_{|v| <= vbar} |E[B sigma'(W.x_i + v)]| <= q``.
M2.  On L2(law of W): ``|T_x h - T_x h'| <= q2 |h - h'|``, ``q2 = s1 (E[E[B|W]^2])^(1/2)``.
M3.  On H1, ``|h|^2 = E[h^2 + |grad h|^2]``: ``|T_x h - T_x h'| <= q_H1 |h - h'|``,
``q_H1 = sup_u (sigma'(u)^2 + R^2 sigma''(u)^2)^(1/2) (E[E[B|W]^2])^(1/2)``.
M4.  For a word (i_1..i_p), ``F = Phi_{i_p} o ... o Phi_{i_1}`` has exactly one fixed point v*,
and ``|F^n(c) - v*| <= q^(pn) |F(c) - c| / (1 - q^p)`` for every c and n >= 0.
M5.  ``|v_k - v'_k| <= q^k |v_0 - v'_0|`` for memories fed the same inputs; the limit over longer
and longer pasts exists, is the only solution of ``V_{k+1} = Phi(x_{xi_k}, V_k)``, and a past of
m symbols gives it up to ``q^m vbar``.

**Proof.**  M1: the derivative in v is ``E[B sigma'(W.x_i + v)]``.  M2: the difference of the
arguments is the constant ``E[B (h - h')] = E[E[B|W] (h - h')]``; Cauchy-Schwarz.  M3: also
``grad T_x h = x sigma'(w.x + E[B h])``, and ``sigma(.), sigma'(.)`` moves along its derivative
``(sigma', sigma'')``.  M4: F is a q^p-contraction by M1; Banach (n = 0 is the
estimate a posteriori, n > 0 the rate).  M5: iterate M1; two
pasts that agree in their last m symbols differ by at most ``q^m vbar`` from the orbit of 0.

**What the verdicts establish.**  CERTIFIED: the inequality in every case listed (M1: for all v
and all states; M2, M3: for the pairs of functions drawn from the family of
`verification.recurrent.layer`; M4, M5: for the words and starts drawn), not a proof for all.  With
``Phi(x_i, 0) = 0`` for every reachable state the memory is identically zero and M5 is VACUOUS.

The left sides take A1 and A2 for granted: the error of a quadrature rule is bounded by the
suprema of sigma and its derivatives on the line and on a strip.  M4 and M5 evaluate the same map
Phi on both sides; that it is the right map is tested against a second implementation, not here.

Source: M1 to M5 make quantitative Lam, Sirignano and Spiliopoulos, arXiv 2308.14555, sections 3
and 4 (fixed point of the random algebraic equation); the constants are this project's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

from verification.claim import (
    AnyClaim,
    Assumption,
    Claim,
    Constant,
    Drawing,
    Mutant,
    Number,
    Vacuity,
)
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    end_points,
    interval,
    less,
    lower_double,
    maximum_between,
    power,
    precision,
    shown,
    square,
    upper_double,
    working_precision,
)
from verification.enclosure.chebyshev import analytic_supremum
from verification.enclosure.supremum import absolute_supremum
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.instance import SCHEMA, ActivationSpec, Instance
from verification.markov.chain import sample_path
from verification.recurrent.activation import activation
from verification.recurrent.law import (
    dot,
    mean_absolute_b,
    mean_absolute_conditional_b,
    mean_b,
    mean_square_of_conditional_b,
)
from verification.recurrent.layer import (
    FunctionPair,
    HiddenFunction,
    squared_distance,
    squared_image_distance,
)
from verification.recurrent.memory import (
    contraction_factor,
    fixed_point,
    has_zero_memory,
    iterate,
    memory_bound,
    memory_map_derivative,
)
from verification.verdict import Truth

_STATES_TRIED = 3
_PAIRS_PER_STATE = 4
_WORD_LENGTHS = (1, 2, 3, 5)
_STEPS = (1, 2, 4, 8, 16)
_KNOWN = (1, 2, 3, 5)
_PASTS = 2
_LONGEST_PAST = 200
_SMALL = Fraction(1, 1024)
_DRAWN_STEPS = 24
_DRAWN_BITS = 128
_DRAWN_GAP = 1e-12
_DRAWN_PRECISIONS = (32, 64, 128, 256)


# Assumptions, vacuities


def contracts(instance: Instance) -> Truth:
    """Decide ``q < 1``, exactly where s1 is rational."""
    q = contraction_factor(instance)
    if isinstance(q, Fraction):
        return Truth.TRUE if q < 1 else Truth.FALSE
    return less(q, ball(1))


def shown_contraction_factor(instance: Instance) -> str:
    """Return the value of q for a sentence; its distance from 1 where that is what matters."""
    q = contraction_factor(instance)
    beyond = q - 1
    near = abs(ball(beyond))
    if less(ball(0), near) is Truth.TRUE and less(near, ball(Fraction(1, 1000))) is Truth.TRUE:
        return f"q - 1 = {shown(beyond, 6)}"
    return f"q = {shown(q, 6)}"


def has_constant_activation(instance: Instance) -> bool:
    """Tell whether sigma is a constant: then Phi does not depend on the memory."""
    return activation(instance.activation).is_constant()


def has_zero_conditional_b(instance: Instance) -> bool:
    """Tell whether E[B | W] = 0 almost surely: then Phi = 0, and T_x is constant."""
    return mean_square_of_conditional_b(instance.law) == 0


# Constants


def l2_factor(instance: Instance) -> Ball:
    """Return ``q2 = s1 (E[E[B|W]^2])^(1/2)``."""
    root = ball(mean_square_of_conditional_b(instance.law)).sqrt()
    return ball(activation(instance.activation).bound(1)) * root


def squared_radius(instance: Instance) -> Fraction:
    """Return ``R^2``, the largest squared Euclidean norm of an input."""
    return max(dot(point, point) for point in instance.chain.inputs)


def sobolev_factor(instance: Instance) -> Between:
    """Return ``q_H1 = sup_u (sigma'^2 + R^2 sigma''^2)^(1/2) (E[E[B|W]^2])^(1/2)``."""
    speed = _squared_speed(instance.activation, squared_radius(instance), working_precision())
    root = ball(mean_square_of_conditional_b(instance.law)).sqrt()
    return speed.map(lambda value: value.sqrt() * root)


@lru_cache(maxsize=256)
def _squared_speed(spec: ActivationSpec, squared_input: Fraction, _bits: int) -> Between:
    """Enclose ``sup_u sigma'(u)^2 + R^2 sigma''(u)^2``."""
    sigma = activation(spec)
    stretch = ball(squared_input)

    def speed(u: Ball) -> Ball:
        return square(sigma.derivative(1, u)) + stretch * square(sigma.derivative(2, u))

    def slope(u: Ball) -> Ball:
        first, second, third = (sigma.derivative(order, u) for order in (1, 2, 3))
        return 2 * second * (first + stretch * third)

    reach = sigma.compact_range()
    tails = square(sigma.tail(1).upper) + stretch * square(sigma.tail(2).upper)
    compact = absolute_supremum(speed, slope, -reach, reach)
    return maximum_between((compact, Between(ball(0), tails)))


# Cases


@dataclass(frozen=True, kw_only=True)
class EveryInput:
    """All states and all ``|v| <= vbar`` at once."""

    def __str__(self) -> str:
        return "every state, every |v| <= vbar"


@dataclass(frozen=True, kw_only=True)
class WordCase:
    """A periodic input and a start c; `iterates` > 0 asks for the rate, 0 for the distance."""

    word: tuple[int, ...]
    start: Fraction
    iterates: int

    def __str__(self) -> str:
        word = ",".join(map(str, self.word))
        what = f"after {self.iterates} rounds" if self.iterates else "a posteriori"
        return f"word ({word}), c = {shown(self.start, 6)}, {what}"


@dataclass(frozen=True, kw_only=True)
class MemoryPair:
    """Two memories fed the same inputs."""

    word: tuple[int, ...]
    first: Fraction
    second: Fraction

    def __str__(self) -> str:
        start = f"{shown(self.first, 6)} and {shown(self.second, 6)}"
        return f"two memories after {len(self.word)} steps from {start}"


@dataclass(frozen=True, kw_only=True)
class History:
    """A long past, of which the last `known` symbols are used."""

    past: tuple[int, ...]
    known: int

    def __str__(self) -> str:
        return f"the last {self.known} of {len(self.past)} past symbols"


def every_input(_instance: Instance, _rng: random.Random) -> Sequence[EveryInput]:
    """Return the one case of M1."""
    return [EveryInput()]


def function_pairs(instance: Instance, rng: random.Random) -> Sequence[FunctionPair]:
    """Return, for up to three states, the pair along E[B|W] and four random pairs."""

    def number() -> Fraction:
        return Fraction(rng.randint(-128, 128), 64)

    def function() -> HiddenFunction:
        return HiddenFunction(
            constant=number(), slope=number(), shift=number(), conditional=number()
        )

    zero = Fraction(0)
    pairs = []
    for state in _some_states(instance, rng):
        along, against = (
            HiddenFunction(constant=zero, slope=zero, shift=zero, conditional=sign * _SMALL)
            for sign in (1, -1)
        )
        pairs.append(FunctionPair(state=state, first=along, second=against))
        pairs += [
            FunctionPair(state=state, first=function(), second=function())
            for _ in range(_PAIRS_PER_STATE)
        ]
    return pairs


def word_cases(instance: Instance, rng: random.Random) -> Sequence[WordCase]:
    """Return words along the chain, each with three starts and one case of the rate."""
    cases = []
    grid = _grid(instance)
    bound = _rational_below(memory_bound(instance), grid)
    for length in _WORD_LENGTHS:
        start = rng.randrange(instance.chain.n_states)
        word = sample_path(instance.chain, start, length, rng)
        # Off the grid: at c = v* both sides of M4 are 0, which balls never decide.
        near = _rational_below(fixed_point(instance, word), grid) + Fraction(3, 2) * grid
        starts = (near, bound * Fraction(3, 7), bound * Fraction(-2, 5))
        cases += [WordCase(word=word, start=c, iterates=0) for c in starts]
        cases.append(WordCase(word=word, start=near, iterates=1 + rng.randrange(3)))
    return cases


def memory_cases(instance: Instance, rng: random.Random) -> Sequence[MemoryPair | History]:
    """Return pairs of memories and truncated pasts along paths of the chain."""
    grid = _grid(instance)
    bound = _rational_below(memory_bound(instance), grid)
    chain = instance.chain
    cases: list[MemoryPair | History] = []
    for steps in _STEPS:
        word = sample_path(chain, chain.initial, steps, rng)
        typical = _rational_below(iterate(instance, word, ball(0)), grid)
        cases.append(MemoryPair(word=word, first=bound, second=-bound))
        cases.append(MemoryPair(word=word, first=typical, second=typical + grid))
    for _ in range(_PASTS):
        start, length = rng.randrange(chain.n_states), _KNOWN[-1] + _forgetting_steps(instance)
        past = sample_path(chain, start, length, rng)
        cases += [History(past=past, known=known) for known in _KNOWN]
    return cases


def _some_states(instance: Instance, rng: random.Random) -> list[int]:
    """Return a state of largest input and up to two more, with distinct inputs."""
    inputs = instance.chain.inputs
    first = {point: state for state, point in reversed(list(enumerate(inputs)))}
    states = sorted(first.values(), key=lambda state: -dot(inputs[state], inputs[state]))
    others = rng.sample(states[1:], min(_STATES_TRIED, len(states)) - 1)
    return [states[0], *others]


def _grid(instance: Instance) -> Fraction:
    """Return a power of two, between vbar/2048 and vbar/1024, as the unit of starts."""
    bound = memory_bound(instance)
    exact = bound if isinstance(bound, Fraction) else end_points(bound)[0]
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length() - 1
    return Fraction(2) ** (exponent - 10)


def _rational_below(value: Number, grid: Fraction) -> Fraction:
    """Return the multiple of `grid` next below a number."""
    exact = value if isinstance(value, Fraction) else end_points(value)[0]
    return exact // grid * grid


def _forgetting_steps(instance: Instance) -> int:
    """Return how many steps shrink the memory interval to 2**-20 of itself, at most 200.

    The interval's width relative to the right side of M5 is then at most 2**-19.
    """
    q = upper_double(ball(contraction_factor(instance)))
    steps, width = 0, 1.0
    while width > 2.0**-20 and steps < _LONGEST_PAST:
        steps, width = steps + 1, width * q
    return steps


# Left sides


def steepest_slope(instance: Instance, _case: EveryInput) -> Between:
    """Enclose ``max_i sup_{|v| <= vbar} |E[B sigma'(W.x_i + v)]|``."""
    bound = memory_bound(instance)
    reach = bound if isinstance(bound, Fraction) else end_points(bound)[1]
    first = {point: state for state, point in enumerate(instance.chain.inputs)}
    sigma = activation(instance.activation)
    strip = sigma.strip_width()
    height = height_on_strip(instance, strip)
    slopes: list[Between] = []
    for state in first.values():
        slopes.append(
            analytic_supremum(
                partial(memory_map_derivative, instance, state),
                -reach,
                reach,
                strip=strip,
                strip_bound=height,
                at_least=max((lower_double(slope.lower) for slope in slopes), default=0.0),
            )
        )
    return maximum_between(slopes)


def height_on_strip(instance: Instance, strip: Fraction) -> Ball:
    """Bound ``|E[B sigma'(W.x + v)]|`` for complex v, ``|Im v| <= strip``: ``E|B| m1(strip)``."""
    bound = activation(instance.activation).strip_bound(1, ball(strip))
    return ball(mean_absolute_b(instance.law)) * bound


def distance_ratio(instance: Instance, pair: FunctionPair, *, gradient: bool = False) -> Ball:
    """Enclose ``|T_x h - T_x h'| / |h - h'|`` in L2, or with `gradient` in H1."""
    image = squared_image_distance(instance, pair, gradient=gradient).nonnegative_part()
    return (image / squared_distance(instance, pair, gradient=gradient)).sqrt()


def distance_to_fixed_point(instance: Instance, case: WordCase) -> Ball:
    """Enclose ``|F^n(c) - v*|``, v* located by a change of sign."""
    reached = iterate(instance, case.word * case.iterates, ball(case.start))
    return abs(reached - fixed_point(instance, case.word))


def memory_gap(instance: Instance, case: MemoryPair | History) -> Ball:
    """Enclose the distance of two memories, or of a past's memory from its truncation."""
    if isinstance(case, MemoryPair):
        first = iterate(instance, case.word, ball(case.first))
        return abs(first - iterate(instance, case.word, ball(case.second)))
    bound = ball(memory_bound(instance))
    full = iterate(instance, case.past, interval(-bound, bound))
    return abs(full - iterate(instance, case.past[-case.known :], ball(0)))


# Right sides, and those of the mutants


def factor_q(instance: Instance, _case: EveryInput) -> Number:
    """Return q."""
    return contraction_factor(instance)


def factor_q_slightly_smaller(instance: Instance, _case: EveryInput) -> Ball:
    """Return 0.999 q."""
    return ball(contraction_factor(instance)) * ball(Fraction(999, 1000))


def factor_of_signed_mean(instance: Instance, _case: EveryInput) -> Ball:
    """Return ``s1 |E B|`` in place of ``s1 E|B|``."""
    return ball(activation(instance.activation).bound(1)) * ball(abs(mean_b(instance.law)))


def factor_q2(instance: Instance, _pair: FunctionPair) -> Ball:
    """Return q2."""
    return l2_factor(instance)


def factor_of_absolute_conditional_mean(instance: Instance, _pair: FunctionPair) -> Ball:
    """Return ``s1 E|E[B|W]|``: the L1 norm in place of the L2 norm."""
    mean = ball(mean_absolute_conditional_b(instance.law))
    return ball(activation(instance.activation).bound(1)) * mean


def factor_q_h1(instance: Instance, _pair: FunctionPair) -> Between:
    """Return q_H1."""
    return sobolev_factor(instance)


def distance_bound(
    instance: Instance, case: WordCase, *, divided: bool = True, extra: int = 0
) -> Ball:
    """Return ``q^(pn) |F(c) - c| / (1 - q^p)``; mutants drop the divisor or add to n."""
    q = ball(contraction_factor(instance))
    start, period = ball(case.start), len(case.word)
    step = abs(iterate(instance, case.word, start) - start)
    distance = power(q, period * (case.iterates + extra)) * step
    return distance / (1 - power(q, period)) if divided else distance


def forgetting_bound(instance: Instance, case: MemoryPair | History, *, extra: int = 0) -> Ball:
    """Return ``q^k |v_0 - v'_0|``, or ``q^m vbar``; a mutant adds `extra` to the exponent."""
    q = ball(contraction_factor(instance))
    if isinstance(case, MemoryPair):
        return power(q, len(case.word) + extra) * abs(ball(case.first) - ball(case.second))
    return power(q, case.known + extra) * ball(memory_bound(instance))


# What holds without the theorem


def largest_distance(instance: Instance, case: WordCase) -> Ball:
    """Return ``|c| + vbar`` (n = 0) or ``2 vbar``, which bounds the distance in any case."""
    bound = ball(memory_bound(instance))
    return 2 * bound if case.iterates else abs(ball(case.start)) + bound


def widest_gap(instance: Instance, _case: MemoryPair | History) -> Ball:
    """Return ``2 vbar``: both memories lie in ``[-vbar, vbar]``."""
    return 2 * ball(memory_bound(instance))


# Figures


def forgetting_figure(instance: Instance) -> Figure:
    """Draw how two memories that are fed the same inputs approach each other, and q^k."""
    rng = random.Random(instance.name)
    chain = instance.chain
    word = sample_path(chain, chain.initial, _DRAWN_STEPS, rng)
    bound = _rational_below(memory_bound(instance), _grid(instance))
    near = _rational_below(fixed_point(instance, word[:1]), _grid(instance))
    starts = {
        "from −v̄ and v̄": (-bound, bound),
        "from 0.1 % of v̄ apart, near the fixed point": (near, near + _grid(instance)),
    }
    series = []
    # The gaps are differences of nearly equal numbers.
    with precision(_DRAWN_BITS):
        q = contraction_factor(instance)
        steps = [k for k in range(len(word) + 1) if upper_double(power(ball(q), k)) > _DRAWN_GAP]
        for name, (first, second) in starts.items():
            one, other, gaps = ball(first), ball(second), []
            for k in steps:
                gaps.append((k, abs(one - other) / ball(second - first)))
                if k < len(word):
                    one, other = (iterate(instance, word[k : k + 1], v) for v in (one, other))
            series.append(Series.of(name, gaps, guarantee=Guarantee.ENCLOSURE))
        bounds = [(k, power(ball(q), k)) for k in steps]
    theorem = Series.of("the claim: qᵏ", bounds, guarantee=Guarantee.UPPER, kind=Kind.BOUND)
    return Figure(
        title="Two memories forget where they started",
        description=(
            "The gap |v_k − v′_k| of two memories along one path of the chain, relative to the gap "
            "at the start, and the factor q^k by which it must have shrunk."
        ),
        x=Axis(label="number k of inputs read"),
        y=Axis(label="gap / first gap", scale=Scale.LOG),
        series=(theorem, *series),
    )


def precision_figure(instance: Instance) -> Figure:
    """Draw how narrowly the fixed point of the first state's word is enclosed, by precision."""
    widths = []
    for bits in _DRAWN_PRECISIONS:
        with precision(bits):
            low, high = end_points(fixed_point(instance, (instance.chain.initial,)))
            widths.append((bits, high - low))
    return Figure(
        title="A bit of precision is a bit of the fixed point",
        description=(
            "Width of the enclosure of v*, for the word of the initial state alone, against the "
            "precision of the arithmetic; the error of quadrature is part of it."
        ),
        x=Axis(label="precision in bits"),
        y=Axis(label="upper − lower end point", scale=Scale.LOG),
        series=(
            Series.of(
                "2^{−bits}",
                [(bits, Fraction(1, 2**bits)) for bits in _DRAWN_PRECISIONS],
                guarantee=Guarantee.ESTIMATE,
            ),
            Series.of(instance.name, widths, guarantee=Guarantee.ENCLOSURE),
        ),
    )


# The claims

CONTRACTION = Assumption(text="q < 1", holds=contracts, offending=shown_contraction_factor)
NO_MEMORY_WEIGHT = Vacuity(
    reason="E[B | W] = 0 almost surely, so that Phi = 0 and T_x does not depend on h",
    holds=has_zero_conditional_b,
)
NO_ACTIVATION = Vacuity(
    reason="the activation's terms cancel: sigma is constant, and so is Phi",
    holds=has_constant_activation,
)
Q = Constant(
    symbol="q",
    meaning="contraction factor of the memory",
    formula=r"q = s_1\, \mathbb{E}|B|",
    value=contraction_factor,
)
VBAR = Constant(
    symbol="vbar",
    meaning="bound of the memory",
    formula=r"\bar v = s_0\, \mathbb{E}|B|",
    value=memory_bound,
)
SOURCE = "Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), {}; constants of this project"

M1: Claim[Instance, EveryInput] = Claim(
    id="M1",
    theorem="memory_contraction",
    title="The memory map contracts",
    statement="|Φ(xᵢ, v) − Φ(xᵢ, w)| ≤ q |v − w| for all states i and |v|, |w| ≤ v̄.",
    formula=r"\max_i \sup_{|v| \le \bar v} |\mathbb{E}[B \sigma'(W \cdot x_i + v)]| \le q",
    kind=SCHEMA,
    assumptions=(CONTRACTION,),
    constants=(Q, VBAR),
    vacuities=(NO_MEMORY_WEIGHT, NO_ACTIVATION),
    cases=every_input,
    left=steepest_slope,
    right=factor_q,
    proof="The derivative of Φ(xᵢ, ·) is E[B σ′(W·xᵢ + v)], and |σ′| ≤ s₁.",
    establishes="CERTIFIED: the inequality for every state and every pair v, w of this instance.",
    source=SOURCE.format("section 3"),
    uses=("A1", "A2"),
    sharp=("sharp-slope",),
    mutants=(
        Mutant(
            name="q-times-0.999",
            error="q replaced by 0.999 q",
            refuted_on=("sharp-slope",),
            right=factor_q_slightly_smaller,
        ),
        Mutant(
            name="signed-mean",
            error="E|B| replaced by |E B|",
            refuted_on=("mutant-signed-b",),
            right=factor_of_signed_mean,
        ),
    ),
)

M2: Claim[Instance, FunctionPair] = Claim(
    id="M2",
    theorem="memory_contraction",
    title="The layer map contracts in L2",
    statement="T_x h = σ(w·x + E[B h]) has Lipschitz constant at most q₂ in L²(λ).",
    formula=(
        r"\frac{\|T_x h - T_x h'\|_{L^2}}{\|h - h'\|_{L^2}} \le "
        r"q_2 = s_1 \left(\mathbb{E}\,\mathbb{E}[B \mid W]^2\right)^{1/2}"
    ),
    kind=SCHEMA,
    assumptions=(CONTRACTION,),
    constants=(
        Constant(
            symbol="q2",
            meaning="Lipschitz constant of the layer map in L2",
            formula=r"q_2 = s_1 (\mathbb{E}\,\mathbb{E}[B \mid W]^2)^{1/2}",
            value=l2_factor,
        ),
    ),
    vacuities=(NO_MEMORY_WEIGHT, NO_ACTIVATION),
    cases=function_pairs,
    left=distance_ratio,
    right=factor_q2,
    proof=(
        "T_x h and T_x h′ are σ at arguments that differ by the constant E[E[B|W](h − h′)], at "
        "most (E E[B|W]²)^½ |h − h′| by Cauchy and Schwarz."
    ),
    establishes=(
        "CERTIFIED: the inequality for the pairs that were drawn from the named family, not for "
        "all h and h′."
    ),
    source=SOURCE.format("section 3"),
    uses=("A1", "A2"),
    sharp=("sharp-l2", "sharp-slope"),
    mutants=(
        Mutant(
            name="l1-norm-of-conditional-mean",
            error="(E E[B|W]²)^½ replaced by E|E[B|W]|",
            refuted_on=("sharp-l2",),
            right=factor_of_absolute_conditional_mean,
        ),
    ),
)

M3: Claim[Instance, FunctionPair] = Claim(
    id="M3",
    theorem="memory_contraction",
    title="The layer map is Lipschitz in H1",
    statement="In H¹(λ), |h|² = E[h² + |∇h|²], T_x has Lipschitz constant at most q_H1.",
    formula=(
        r"\frac{\|T_x h - T_x h'\|_{H^1}}{\|h - h'\|_{H^1}} \le q_{H^1} = "
        r"\sup_u \left(\sigma'(u)^2 + R^2 \sigma''(u)^2\right)^{1/2} "
        r"\left(\mathbb{E}\,\mathbb{E}[B \mid W]^2\right)^{1/2}"
    ),
    kind=SCHEMA,
    assumptions=(CONTRACTION,),
    constants=(
        Constant(
            symbol="q_H1",
            meaning="Lipschitz constant of the layer map in H1",
            formula=(
                r"q_{H^1} = \sup_u (\sigma'(u)^2 + R^2 \sigma''(u)^2)^{1/2} "
                r"(\mathbb{E}\,\mathbb{E}[B \mid W]^2)^{1/2}"
            ),
            value=sobolev_factor,
        ),
    ),
    vacuities=M2.vacuities,
    cases=function_pairs,
    left=partial(distance_ratio, gradient=True),
    right=factor_q_h1,
    proof=(
        "∇T_x h = x σ′(w·x + E[B h]); along a shift of the argument (σ, Rσ′) moves with speed "
        "(σ′² + R²σ″²)^½; then as for M2, with |h − h′| in L² at most that in H¹."
    ),
    establishes=M2.establishes,
    source=SOURCE.format("section 3"),
    uses=("A1", "A2", "M2"),
    sharp=("sharp-sobolev",),
    mutants=(
        Mutant(
            name="gradient-dropped",
            error="the term R² σ″² dropped: q_H1 replaced by q2",
            refuted_on=("sharp-sobolev",),
            right=factor_q2,
        ),
    ),
)

M4: Claim[Instance, WordCase] = Claim(
    id="M4",
    theorem="memory_contraction",
    title="Periodic input has one fixed point, found at a known distance",
    statement=(
        "For a word (i₁..i_p), F = Φ_{i_p} ∘ … ∘ Φ_{i₁} has exactly one fixed point v*, and "
        "|Fⁿ(c) − v*| ≤ q^{pn} |F(c) − c| / (1 − q^p) for every c and n ≥ 0."
    ),
    formula=r"|F^n(c) - v^*| \le \frac{q^{pn}}{1 - q^p}\, |F(c) - c|",
    kind=SCHEMA,
    assumptions=(CONTRACTION,),
    constants=(Q, VBAR),
    vacuities=(NO_MEMORY_WEIGHT, NO_ACTIVATION),
    cases=word_cases,
    left=distance_to_fixed_point,
    right=distance_bound,
    trivial=largest_distance,
    proof="F is a contraction with factor q^p by M1; Banach's theorem, a posteriori.",
    establishes=(
        "CERTIFIED: the inequality for the words and starts drawn; v* is located by a change of "
        "sign of F(v) − v, without the contraction. Uniqueness is proved, not computed."
    ),
    source=SOURCE.format("section 3"),
    uses=("M1",),
    sharp=("sharp-fixed-point",),
    figures=(
        Drawing(
            name="precision",
            draw=precision_figure,
            on=("markov-onegin", "mixture-activation", "sharp-fixed-point"),
            joined=True,
        ),
    ),
    mutants=(
        Mutant(
            name="divisor-dropped",
            error="the factor 1/(1 − q^p) dropped",
            refuted_on=("sharp-fixed-point",),
            right=partial(distance_bound, divided=False),
        ),
        Mutant(
            name="one-round-too-many",
            error="q^{pn} replaced by q^{p(n+1)}",
            refuted_on=("sharp-fixed-point",),
            right=partial(distance_bound, extra=1),
        ),
    ),
)

M5: Claim[Instance, MemoryPair | History] = Claim(
    id="M5",
    theorem="memory_contraction",
    title="The memory forgets its start: the random fixed point",
    statement=(
        "Fed the same inputs, |v_k − v′_k| ≤ q^k |v₀ − v′₀|; the memory V of an infinite past "
        "exists, is the only solution of V_{k+1} = Φ(x_{ξ_k}, V_k), and the last m inputs give it "
        "up to q^m v̄."
    ),
    formula=(
        r"|v_k - v'_k| \le q^k |v_0 - v'_0|, \qquad "
        r"|V_k - \Phi_{k-1} \circ \dots \circ \Phi_{k-m}(0)| \le q^m \bar v"
    ),
    kind=SCHEMA,
    assumptions=(CONTRACTION,),
    constants=(Q, VBAR),
    vacuities=(
        NO_MEMORY_WEIGHT,
        NO_ACTIVATION,
        Vacuity(
            reason="Phi(x, 0) = 0 for every reachable state: the memory is identically zero",
            holds=has_zero_memory,
        ),
    ),
    cases=memory_cases,
    left=memory_gap,
    right=forgetting_bound,
    trivial=widest_gap,
    proof="Iterate M1; two pasts that agree in their last m symbols differ by at most q^m v̄.",
    establishes=(
        "CERTIFIED: the inequality along the paths drawn from the chain. The infinite past's "
        "memory is enclosed by pushing the whole interval [−v̄, v̄] through a longer past."
    ),
    source=SOURCE.format("section 4"),
    uses=("M1",),
    sharp=("sharp-fixed-point", "sharp-forgetting"),
    figures=(
        Drawing(
            name="forgetting",
            draw=forgetting_figure,
            on=("sharp-fixed-point", "markov-onegin"),
        ),
    ),
    mutants=(
        Mutant(
            name="one-step-too-many",
            error="q^k replaced by q^(k+1)",
            refuted_on=("sharp-fixed-point", "sharp-forgetting"),
            right=partial(forgetting_bound, extra=1),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (M1, M2, M3, M4, M5)

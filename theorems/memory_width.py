r"""How wide a linear network must be to remember as long as a power law does.

**Setting.**  That of `theorems.linear_networks`.  ``rho_w(t) = w (1 + t)^-(1 + w)``, whose norm is
1, has a longer memory the smaller w is: half of it is older than ``2^(1/w) - 1``.  The target is a
multiple of it, and errors are relative: ``||rho - rho_hat|| / ||rho||``.

**Statements.**
C5.  The trapezoidal rule of step h in ``rho_w(t) = (w/Gamma(1 + w)) int_R exp((1 + w) z - e^z -
e^z t) dz``, a network with one unit a node, has a relative error of at most ``delta(h)`` and the
masses dropped below z and above z',

    delta(h) = 2 sum_{k >= 1} |Gamma(1 + w + 2 pi i k/h)| / Gamma(1 + w),
    (w h/Gamma(1 + w)) e^(w z) / (1 - e^(-w h)),
    (w h/Gamma(1 + w)) exp(w z' - e^z') / (1 - exp(w h - e^z' (e^h - 1))).

C5W.  For w <= 1 so few nodes as ``0.76 (1/w) log(1/eps)^2`` make an error of at most eps.
C5L.  The least width with an error of at most eps lies between the necessary and the sufficient one
of the table in the README.
C4T.  For every network of width m, whatever the target is,
``||rho - rho_hat|| >= sum_i (s_{m+1} + s_{m+2} + ..)(A_i) / max_t |M(t)|_1``, with
``A_i = int rho_i(t) M(t) dt``, ``M_jk = e_j * e_k`` and weighted indicators e_j.

**Proof.**  C5 and C4T: see `verification.linear_rnn.trapezoidal_rule` and
`verification.linear_rnn.trace_bound`.  C5W is counted for the w and eps tried; as eps tends to 0
the count is about ``log(1/eps)^2 / (pi^2 w)``.

**How it is checked.**  C5: left, the error of the rule's network, its changes of sign isolated.
C5W: left, the number of nodes of a rule whose bound is certainly at most eps.  C5L: left, one more
than the largest width at which the lower bound (C4T, or C4B where it is larger) exceeds eps;
right, the width of a sum of exponentials whose error is enclosed by finding all its changes of
sign.  Both were found in doubles, and are certified each time.

**What the verdicts establish.**  That the width needed grows like ``log(1/eps)^2 / w``, and not
exponentially in 1/w: the ``w eps^(-1/w)`` units of the theorem on long memories are those of one
construction, an upper bound that is far from the least width.  Not that training finds such
weights: the rates span ``exp(log(1/eps)/w)``, and every rate must be near its place.

Source: this project.  The question, and the construction with ``w eps^(-1/w)`` units, are those of
Li, Han, E and Li (arXiv 2009.07799).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from theorems.linear_functionals import EXACT, OfWidth, informative_widths, witness_error
from verification.claim import AnyClaim, Assumption, Claim, Constant, Drawing, Mutant
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    less_equal,
    square,
    total,
    total_between,
)
from verification.errors import NotEnclosed
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.linear_functional import SCHEMA, LinearFunctional
from verification.linear_rnn.norm import l1_norm
from verification.linear_rnn.pieces import PowerLawPiece, of_parts
from verification.linear_rnn.power_law_width import (
    ERRORS,
    EXPONENTS,
    necessary_width,
    sufficient_width,
    unit_law,
)
from verification.linear_rnn.trace_bound import largest_trace_norm, trace_bound
from verification.linear_rnn.trapezoidal_rule import (
    RulePiece,
    TrapezoidalRule,
    discretisation_error,
    dropped_above,
    dropped_below,
    error_bound,
    mass,
)
from verification.verdict import Truth

CONSTANT = Fraction(76, 100)
DRAWN_ERROR = Fraction(1, 100)

_HALF = Fraction(1, 2)
# Just below what three nodes reach for w = 1: the constant is nearly attained.
_HARD = Fraction(99, 1000)
_MOST_NODES = 45
_LARGEST_EXPONENT = 10**6
_EARLIEST = -60
_NORM_BITS = 8
_FEW_NODES = 24


# Assumptions


def is_power_law(instance: LinearFunctional) -> Truth:
    """Tell whether the target is one power law in one channel, exactly."""
    functions = [of_parts(parts) for parts in instance.target]
    single = len(functions) == 1 and len(functions[0]) == 1
    return Truth.TRUE if single and isinstance(functions[0][0], PowerLawPiece) else Truth.FALSE


def shown_other(_instance: LinearFunctional) -> str:
    """Return what else it is, for a sentence."""
    return "another target"


def has_long_memory(instance: LinearFunctional) -> Truth:
    """Decide ``w <= 1``, exactly."""
    return Truth.TRUE if exponent_of(instance) <= 1 else Truth.FALSE


def shown_exponent(instance: LinearFunctional) -> str:
    """Return w, for a sentence."""
    return f"w = {exponent_of(instance)}"


def exponent_of(instance: LinearFunctional) -> Fraction:
    """Return w; the claims that ask for it assume that the target is a power law."""
    (piece,) = of_parts(instance.target[0])
    if not isinstance(piece, PowerLawPiece):
        raise TypeError(f"the target of {instance.name} is no power law")
    return piece.law.exponent


# Cases


@dataclass(frozen=True, kw_only=True)
class WithinError:
    """A relative error that is allowed."""

    error: Fraction

    def __str__(self) -> str:
        return f"eps = {self.error}"


def rules(instance: LinearFunctional, _rng: random.Random) -> Sequence[TrapezoidalRule]:
    """Return rules whose error comes from all sides, from the step, from the low and the high end.

    Rules with more than `_MOST_NODES` nodes are left out.
    """
    from verification.linear_rnn.power_law_search import rule_of_error  # noqa: PLC0415 - scipy

    w = exponent_of(instance)
    if w > _LARGEST_EXPONENT:
        raise NotEnclosed(f"the exponent is above {_LARGEST_EXPONENT}: doubles find no rule for it")
    found = [rule_of_error(w, ERRORS[0])]
    if found[0].count <= _FEW_NODES / 2:
        found.append(rule_of_error(w, ERRORS[1]))
    make = partial(TrapezoidalRule, exponent=w)
    top = math.ceil(math.log(float(w) + 1)) + 3
    low = max(-math.ceil(4 / w), _EARLIEST)
    found += [
        make(step=Fraction(2), first=Fraction(low), count=(top - low) // 2 + 1),
        make(step=Fraction(1), first=Fraction(-3), count=top + 4),
        # The nodes above 0, where the masses are largest, are missing.
        make(step=Fraction(1), first=Fraction(-5), count=top + 2),
    ]
    return [rule for rule in found if rule.count <= _MOST_NODES]


def allowed_errors(_instance: LinearFunctional, _rng: random.Random) -> Sequence[WithinError]:
    """Return the errors of the table, and one that is just too small for a node fewer."""
    return [WithinError(error=error) for error in sorted((*ERRORS, _HARD), reverse=True)]


def tabulated_errors(instance: LinearFunctional, _rng: random.Random) -> Sequence[WithinError]:
    """Return one half and the errors of the table, the largest only for an exponent not there."""
    known = ERRORS if exponent_of(instance) in EXPONENTS else ERRORS[:1]
    return [WithinError(error=error) for error in (_HALF, *known)]


def least_and_widest(instance: LinearFunctional, rng: random.Random) -> Sequence[OfWidth]:
    """Return the smallest and the largest width at which the target is not a kernel itself."""
    cases = informative_widths(instance, rng)
    return list(dict.fromkeys((*cases[:1], *cases[-1:])))


# The trapezoidal rule


def rule_error(_instance: LinearFunctional, rule: TrapezoidalRule) -> Between:
    """Enclose ``||rho_w - rho_hat||`` for the network of a rule."""
    return l1_norm((*unit_law(rule.exponent), RulePiece(rule)), bits=_NORM_BITS)


def rule_bound(
    _instance: LinearFunctional,
    rule: TrapezoidalRule,
    *,
    sides: int = 2,
    below: bool = True,
    above: bool = True,
) -> Ball:
    """Return ``delta(h)`` and the masses dropped; mutants leave out one of them."""
    w, h = rule.exponent, rule.step
    parts = [discretisation_error(w, h, sides=sides)]
    if below:
        parts.append(dropped_below(w, h, rule.first - h))
    if above:
        parts.append(dropped_above(w, h, rule.first + rule.count * h))
    return total(parts)


def rule_bound_with_other_gamma(instance: LinearFunctional, rule: TrapezoidalRule) -> Ball:
    """Divide the masses by ``Gamma(w) = Gamma(1 + w)/w``, as if without the factor w."""
    delta = discretisation_error(rule.exponent, rule.step)
    return delta + (rule_bound(instance, rule) - delta) * ball(rule.exponent)


def total_size(_instance: LinearFunctional, rule: TrapezoidalRule) -> Ball:
    """Return ``||rho_w|| + ||rho_hat||``, which bounds the error without the theorem."""
    return 1 + total(mass(rule.exponent, rule.step, z) for z in rule.nodes)


# Widths


def nodes_needed(instance: LinearFunctional, case: WithinError) -> Fraction:
    """Return the number of nodes of a rule whose bound is certainly at most eps."""
    from verification.linear_rnn.power_law_search import rule_of_error  # noqa: PLC0415 - scipy

    rule = rule_of_error(exponent_of(instance), case.error)
    if less_equal(error_bound(rule), ball(case.error)) is not Truth.TRUE:
        raise NotEnclosed("the bound of a rule is not below what is asked for")
    return Fraction(rule.count)


def squared_logarithm(
    instance: LinearFunctional,
    case: WithinError,
    *,
    constant: Fraction = CONSTANT,
    squared: bool = True,
    memory: bool = True,
) -> Ball:
    """Return ``0.76 (1/w) log(1/eps)^2``; mutants change the constant or leave something out."""
    logarithm = ball(1 / case.error).log()
    size = square(logarithm) if squared else logarithm
    return ball(constant / exponent_of(instance) if memory else constant) * size


def width_needed(instance: LinearFunctional, case: WithinError, *, early: int = 0) -> Fraction:
    """Return a width below which every network's error exceeds eps."""
    return Fraction(necessary_width(exponent_of(instance), case.error, early=early))


def width_found(instance: LinearFunctional, case: WithinError) -> Fraction:
    """Return the width of a network whose error is at most eps."""
    return Fraction(sufficient_width(exponent_of(instance), case.error))


# The trace norm


def trace_side(
    instance: LinearFunctional, case: OfWidth, *, early: int = 0, divided: bool = True
) -> Between:
    """Enclose the sum over channels of the trace bounds; mutants shift it, or do not divide."""
    from verification.linear_rnn.trace_search import (  # noqa: PLC0415 - loads scipy
        trace_place_of_width,
    )

    bounds = []
    for parts in instance.target:
        function = of_parts(parts)
        if function:
            place = trace_place_of_width(function, case.width)
            found = trace_bound(function, place, max(0, case.width - early))
            if not divided:
                most = largest_trace_norm(place)
                found = Between(found.lower * most, found.upper * most)
            bounds.append(found)
    return total_between(bounds)


# Figures


def width_figure(instance: LinearFunctional, *, construction: bool = True) -> Figure:
    """Draw the widths that a relative error of 1 % needs against the length of the memory.

    The width of the theorem's construction, which dwarfs the others, may be left out.
    """
    w = exponent_of(instance)
    case = WithinError(error=DRAWN_ERROR)
    x = 1 / w
    constructed = Series.of(
        "the theorem's construction: w ε^{−1/w}",
        [(x, ball(w) * (ball(1 / DRAWN_ERROR).log() / ball(w)).exp())],
        guarantee=Guarantee.ENCLOSURE,
    )
    series = (
        *([constructed] if construction else []),
        Series.of(
            "claim C5W: 0.76 log(1/ε)²/w",
            [(x, squared_logarithm(instance, case))],
            guarantee=Guarantee.UPPER,
            kind=Kind.BOUND,
        ),
        Series.of(
            "trapezoidal rule", [(x, nodes_needed(instance, case))], guarantee=Guarantee.UPPER
        ),
        Series.of(
            "best network found", [(x, width_found(instance, case))], guarantee=Guarantee.UPPER
        ),
        Series.of(
            "no network is narrower",
            [(x, width_needed(instance, case))],
            guarantee=Guarantee.LOWER,
            kind=Kind.BOUND,
        ),
    )
    return Figure(
        title="The width that a long memory needs, for an error of 1 %"
        + ("" if construction else ", without the theorem's construction"),
        description=(
            "Each point is a power law w(1 + t)^{−(1+w)}. The width needed lies between the lowest "
            "series and the one above it, both certified: it grows like 1/w, while the number of "
            "units in the theorem's construction grows exponentially. That training finds such "
            "weights is not claimed."
        ),
        x=Axis(label="length of the memory, 1/w", scale=Scale.LOG),
        y=Axis(label="width", scale=Scale.LOG),
        series=series,
    )


def is_tabulated(instance: LinearFunctional) -> bool:
    """Tell whether the target is a power law whose exponent is in the table."""
    return is_power_law(instance) is Truth.TRUE and exponent_of(instance) in EXPONENTS


# The claims

POWER_LAW = Assumption(
    text="the target is one power law, in one channel", holds=is_power_law, offending=shown_other
)
LONG = Assumption(text="w is at most 1", holds=has_long_memory, offending=shown_exponent)
W = Constant(symbol="w", meaning="exponent of the power law", formula=r"w", value=exponent_of)
ON_ALL = tuple(f"power-law-{name}" for name in ("one", "half", "fifth", "tenth", "twentieth"))

C5: Claim[LinearFunctional, TrapezoidalRule] = Claim(
    id="C5",
    theorem="memory_width",
    title="A power law is a sum of exponentials, by the trapezoidal rule",
    statement=(
        "The trapezoidal rule of step h for ρ_w(t) = (w/Γ(1+w)) ∫ exp((1+w)z − e^z(1+t)) dz, cut "
        "at both ends, has ∥ρ_w − ρ̂∥ ≤ δ(h) + the masses dropped, "
        "δ(h) = 2 Σ_{k≥1} |Γ(1+w+2πik/h)|/Γ(1+w)."
    ),
    formula=(
        r"\|\rho_w - \hat\rho\|_{L^1} \le \delta(h) + \frac{w h}{\Gamma(1+w)} \left("
        r"\frac{e^{w z}}{1 - e^{-w h}} + \frac{e^{w z' - e^{z'}}}"
        r"{1 - e^{w h - e^{z'}(e^h - 1)}}\right)"
    ),
    kind=SCHEMA,
    assumptions=(POWER_LAW,),
    constants=(W,),
    cases=rules,
    left=rule_error,
    right=rule_bound,
    trivial=total_size,
    proof=(
        "Poisson's formula: of all nodes together the k-th term is ρ_w(t) (1+t)^{2πik/h} "
        "Γ(1+w−2πik/h)/Γ(1+w). All terms are positive, so that dropping nodes costs their masses."
    ),
    establishes="CERTIFIED: the bound for the rules listed. The proof covers all of them.",
    source="this project",
    searched=("left", "right"),
    sharp=("power-law-twentieth",),
    mutants=(
        Mutant(
            name="one-sided-sum",
            error="the factor 2 in δ(h) dropped: the terms −k left out",
            refuted_on=("power-law-one",),
            right=partial(rule_bound, sides=1),
        ),
        Mutant(
            name="low-end-free",
            error="the masses dropped at the low end left out",
            refuted_on=("power-law-fifth",),
            right=partial(rule_bound, below=False),
        ),
        Mutant(
            name="high-end-free",
            error="the masses dropped at the high end left out",
            refuted_on=("power-law-one",),
            right=partial(rule_bound, above=False),
        ),
        Mutant(
            name="gamma-of-w",
            error="Γ(w) in place of Γ(1+w), without the factor w, in the masses",
            refuted_on=("power-law-fifth",),
            right=rule_bound_with_other_gamma,
        ),
    ),
)

C5W: Claim[LinearFunctional, WithinError] = Claim(
    id="C5W",
    theorem="memory_width",
    title="The width that a long memory needs grows like 1/w, not exponentially",
    statement=("For w ≤ 1 some network of width m ≤ 0.76 (1/w) log(1/eps)² has ∥ρ_w − ρ̂∥ ≤ eps."),
    formula=r"m \le 0.76 \, \frac{1}{w} \log\left(\frac{1}{\varepsilon}\right)^2",
    kind=SCHEMA,
    assumptions=(POWER_LAW, LONG),
    constants=(W,),
    cases=allowed_errors,
    left=nodes_needed,
    right=squared_logarithm,
    proof=(
        "C5 with a step of about π²/log(1/eps) and nodes between −log(1/eps)/w and log log(1/eps); "
        "counted for the eps listed."
    ),
    establishes=(
        "CERTIFIED: a network of that width reaches each eps listed. REFUTED would say only that "
        "the rule that was found is wider."
    ),
    source="this project, against the construction of Li, Han, E and Li (arXiv 2009.07799)",
    uses=("C5",),
    searched=("left",),
    sharp=("power-law-one",),
    mutants=(
        Mutant(
            name="constant-too-small",
            error="0.74 in place of 0.76",
            refuted_on=("power-law-one",),
            right=partial(squared_logarithm, constant=Fraction(74, 100)),
        ),
        Mutant(
            name="logarithm-not-squared",
            error="log(1/eps) in place of its square",
            refuted_on=("power-law-fifth",),
            right=partial(squared_logarithm, squared=False),
        ),
        Mutant(
            name="without-memory",
            error="the factor 1/w dropped",
            refuted_on=("power-law-fifth",),
            right=partial(squared_logarithm, memory=False),
        ),
    ),
)

C5L: Claim[LinearFunctional, WithinError] = Claim(
    id="C5L",
    theorem="memory_width",
    title="The least width that a long memory needs, from both sides",
    statement=(
        "Every network with ∥ρ_w − ρ̂∥ ≤ eps has at least the necessary width, and some network of "
        "the sufficient width has such an error."
    ),
    formula=(
        r"m_{\text{necessary}} \le \min \{ m : \|\rho_w - \hat\rho\|_{L^1} \le \varepsilon \} \le "
        r"m_{\text{sufficient}}"
    ),
    kind=SCHEMA,
    assumptions=(POWER_LAW,),
    constants=(W,),
    cases=tabulated_errors,
    left=width_needed,
    right=width_found,
    proof=(
        "Left: the lower bounds of C4T and C4B exceed eps at one width less, and least errors do "
        "not grow with the width. Right: the error of a sum of m exponentials, all of its at most "
        "2m changes of sign found."
    ),
    establishes=(
        "CERTIFIED: both widths are proved, each on its own; their comparison tests the proofs."
    ),
    source="this project",
    uses=("C4B", "C4T"),
    sharp=("power-law-one",),
    mutants=(
        Mutant(
            name="bound-of-a-smaller-width",
            error="the bound for m units taken for m + 1",
            refuted_on=("power-law-one",),
            left=partial(width_needed, early=1),
        ),
    ),
    figures=(
        Drawing(name="width", draw=width_figure, on=ON_ALL, joined=True),
        Drawing(
            name="width-needed",
            draw=partial(width_figure, construction=False),
            on=ON_ALL,
            joined=True,
        ),
    ),
)

C4T: Claim[LinearFunctional, OfWidth] = Claim(
    id="C4T",
    theorem="memory_width",
    title="No network of width m is nearer than the sum of all next singular values",
    statement=(
        "∥ρ − ρ̂∥ ≥ Σᵢ (s_{m+1} + s_{m+2} + …)(Aᵢ) / max_t |M(t)|₁ for every linear network of "
        "width m, where Aᵢ = ∫ ρᵢ(t) M(t) dt and M holds the convolutions of weighted indicators."
    ),
    formula=(
        r"\sum_i \frac{s_{m+1}(A_i) + s_{m+2}(A_i) + \dots}{\max_t |M(t)|_1} \le "
        r"\|\rho - \hat\rho\|_{L^1}, \qquad A_i = \int_0^\infty \rho_i(t) M(t) \, dt"
    ),
    kind=SCHEMA,
    vacuities=(EXACT,),
    cases=least_and_widest,
    left=trace_side,
    right=witness_error,
    proof=(
        "Â has rank at most m, so that |A − Â|₁ is at least the sum (Mirsky), and at most "
        "∥ρ − ρ̂∥ max |M(t)|₁; for end points that double M(t) has a trace norm in closed form."
    ),
    establishes=(
        "CERTIFIED: the bound is not above the error of one near-best network of the width. That "
        "it is not above any other's is proved, not computed."
    ),
    source="this project",
    searched=("left", "right"),
    sharp=("sharp-far-box",),
    mutants=(
        Mutant(
            name="one-singular-value-early",
            error="the sum begins with s_m",
            refuted_on=("exponential-pair",),
            left=partial(trace_side, early=1),
        ),
        Mutant(
            name="not-divided",
            error="max |M(t)|₁ left out",
            refuted_on=("sharp-far-box",),
            left=partial(trace_side, divided=False),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (C4T, C5, C5W, C5L)

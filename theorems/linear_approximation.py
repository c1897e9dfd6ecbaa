r"""How fast linear networks approximate a smooth target as their width grows.

**Setting.**  That of `theorems.linear_networks`.  ``y_i(t) = int_0^t rho_i`` is the response to a
unit step in channel i.

**Statement.**
C2.  If ``|y_i^(k)(t)| <= g beta^k exp(-beta t)`` for k = 1, .., a + 1 and all t >= 0, then for
every m >= a some network of total width m, with ``W = -theta diag(1..m)`` and
``theta = beta/(a + 1)``, has

    ||rho - rho_hat|| <= d g C(a) (m - a)!/m!,    C(a) = (pi/4)^a (2a + 1)!/a!.

C2P (disputed).  The same, for every m >= 1, with ``C(a) g d/(beta m^a)`` on the right, as the bound
is quoted.  This cannot hold with any constant: ``rho_c(t) = c rho(c t)`` has the same g and the
same errors as rho, and c beta in place of beta, so that for c to infinity every network's error
would be 0.  It is refuted on a target that is fast enough by the lower bound of C4, which is below
the error of *every* network of width m.  For whatever constant C, ``t exp(-t)`` will do, with
beta = 1/2, g = 4 and 16 for a = 1 and 2, and the second singular value ``(sqrt 2 - 1)/4``: it
refutes the statement in units of time such that ``c > 77.3 C``, and for a = 2 ``c > 309.1 C``.

The two bounds differ by the factor beta for a = 1, and for larger a also by ``m^a (m - a)!/m!``,
which is at most ``a^a/a!``, at m = a (2 for a = 2), and tends to 1.

**Proof.**  With ``u = exp(-theta t)``, ``q(u) = rho_i/u`` and a polynomial p without constant term,
``||rho_i - p(u)|| = (1/theta) int_0^1 |q - p(u)/u| du``.  Let ``D = u d/du``, which is
``-(1/theta) d/dt``.  Then ``|D^j rho_i| <= g beta (a + 1)^j u^(a+1)`` for j <= a, and
``u^(k+1) q^(k) = (D - 1)(D - 2)..(D - k) rho_i``, since ``u D (rho/u) = (D - 1) rho``, so that
``|q^(k)| <= g beta ((a + 1 + k)!/(a + 1)!) u^(a-k)``; for k = a this is bounded.  Jackson's theorem
in Cheney's form, ``E_n(f) <= pi/(2 (n + 1)) |f'|`` on [-1, 1], applied a times, each time to f less
a primitive of the best approximation of f', gives ``E_{m-1}(q) <= (pi/4)^a |q^(a)| (m - a)!/m!``
on an interval of length 1.  Multiply by ``1/theta = (a + 1)/beta`` and add the channels, which
share W.

**How it is checked.**  Left: the least error of networks with this W, between a lower bound by
duality and that of the network whose U is found by interpolating q where the best approximation in
L1 mostly does (`verification.linear_rnn.smooth`).  Right:
g is the supremum itself, enclosed by branch and bound and a bound of the tail
(`verification.linear_rnn.decay`).  Beta is the instance's, or half of the slowest rate.  The last
derivative may jump, so that a target with kinks is decided for a = 1.  Widths at which the right
side is no smaller than ``d g``, which bounds ``||rho||`` anyway, are left out: below 5, 7, 9, 11
for a = 1, .., 4.

**What the verdicts establish.**  CERTIFIED: there is such a network for these a and m.  REFUTED
of C2 would say that no network of this W is good enough; of C2P it says that no network is.  Most
targets are analytic, and the theorem only uses a derivatives of q, so that the left side is far
below the right one.

Source: C2P: Li, Han, E and Li, *On the Curse of Memory in Recurrent Neural Networks*, arXiv
2009.07799, theorem on the rate of approximation, as quoted in secondary sources.  C2: after the
same theorem; its form and its constants are this project's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from theorems.linear_functionals import (
    EXACT,
    OfWidth,
    hankel_bound,
    informative_widths,
    quadratic_side,
    witness_error,
)
from verification.claim import (
    AnyClaim,
    Assumption,
    Claim,
    Constant,
    Dispute,
    Drawing,
    Mutant,
    Restated,
    Vacuity,
)
from verification.enclosure.balls import (
    PRECISIONS,
    Ball,
    Between,
    ball,
    pi,
    power,
    precision,
    upper_double,
    working_precision,
)
from verification.enclosure.rationals import pi_bounds
from verification.errors import InvalidInstance
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.instance import MAX_ORIGIN
from verification.linear_functional import SCHEMA, Exponential, LinearFunctional, kind_of
from verification.linear_rnn import decay
from verification.linear_rnn.decay import decay_constant, derivatives, slowest_rate
from verification.linear_rnn.distance import distance
from verification.linear_rnn.pieces import Function, of_parts
from verification.linear_rnn.smooth import least_polynomial_error, polynomial_network
from verification.strict_json import format_number
from verification.verdict import Truth

ORDERS = (1, 2, 3, 4)
DISPUTED_ORDERS = (1, 2)
DRAWN = (
    *("damped-wave", "erlang-four", "exponential-pair", "exponential-sum-eight"),
    "damped-reciprocal",
)
ENOUGH = 400
"""More than the 309.1 by which t exp(-t) is to be sped up for the constant 1."""
MOST_SPEED = 10**499
# The error is far below the bound.
_ERROR_BITS = 6
_BITS_A_UNIT = 3


# Assumptions, vacuities


def functions_of(instance: LinearFunctional) -> tuple[Function, ...]:
    """Return the target, one function a channel."""
    return tuple(of_parts(parts) for parts in instance.target)


def is_smooth(instance: LinearFunctional) -> Truth:
    """Tell whether the target, and one derivative at least, decay exponentially."""
    return Truth.TRUE if derivatives(functions_of(instance)) >= 1 else Truth.FALSE


def shown_roughness(instance: LinearFunctional) -> str:
    """Return the kinds of parts that are not smooth, for a sentence."""
    kinds = {kind_of(part) for channel in instance.target for part in channel}
    return " and ".join(sorted(kinds & {"power-law", "box"}))


def decays_faster(instance: LinearFunctional) -> Truth:
    """Decide whether g is finite, exactly."""
    fast = decay.decays_faster(functions_of(instance), beta_of(instance))
    return Truth.TRUE if fast else Truth.FALSE


def shown_rates(instance: LinearFunctional) -> str:
    """Return beta and the slowest rate, for a sentence."""
    rate = slowest_rate(functions_of(instance))
    return f"beta = {beta_of(instance)}" + ("" if rate is None else f", slowest rate {rate}")


def is_zero(instance: LinearFunctional) -> bool:
    """Tell whether the target is zero, exactly."""
    return not any(functions_of(instance))


def beta_of(instance: LinearFunctional) -> Fraction:
    """Return the instance's beta, by default half of the slowest rate."""
    if instance.beta is not None:
        return instance.beta
    rate = slowest_rate(functions_of(instance))
    return Fraction(1) if rate is None else rate / 2


# Cases


@dataclass(frozen=True, kw_only=True)
class RateCase:
    """A number a of derivatives and a width m."""

    order: int
    width: int

    def __str__(self) -> str:
        return f"a = {self.order}, m = {self.width}"


def orders_and_widths(instance: LinearFunctional, _rng: random.Random) -> Sequence[RateCase]:
    """Return those for which the bound is below ``d g``: ``C(a) (m - a)!/m! < 1``."""
    return [
        RateCase(order=a, width=m)
        for m in instance.widths
        for a in orders_of(instance)
        if m >= a and _rational_factor(a, m) * pi_bounds(64)[0] ** a < 1
    ]


def orders_of(instance: LinearFunctional) -> Sequence[int]:
    """Return the numbers of derivatives that the target has, up to 4."""
    return [a for a in ORDERS if a <= derivatives(functions_of(instance))]


def _rational_factor(a: int, m: int) -> Fraction:
    """Return ``C(a) (m - a)!/m!`` without ``pi^a``."""
    quotient = Fraction(math.factorial(2 * a + 1), math.factorial(a) * 4**a)
    return quotient / math.perm(m, a)


# Left side


def polynomial_error(instance: LinearFunctional, case: RateCase) -> Between:
    """Enclose the least error of networks with the rates ``theta, 2 theta, .., m theta``."""
    beta, functions = beta_of(instance), functions_of(instance)
    theta = beta / (case.order + 1)
    network = polynomial_network(functions, theta, case.width)
    size = decay_constant(functions, beta, 0, working_precision()).upper * ball(beta)
    # Its coefficients are some 6^m times as large as the difference.
    more = _BITS_A_UNIT * case.width
    with precision(working_precision() + more):
        bits = working_precision()
        least = least_polynomial_error(functions, theta, case.width, upper_double(size), bits)
        error = distance(instance.target, network, bits, _ERROR_BITS, PRECISIONS[0] + more)
    return Between(least, error.upper)


# Right side, and those of the mutants


def largest_constant(instance: LinearFunctional) -> Between:
    """Enclose g for the largest a, at most 4, that the target allows."""
    return smoothness(instance, max(orders_of(instance)))


def smoothness(instance: LinearFunctional, order: int) -> Between:
    """Enclose g for a = `order`."""
    return decay_constant(functions_of(instance), beta_of(instance), order, working_precision())


def rate_bound(
    instance: LinearFunctional,
    case: RateCase,
    *,
    known: int | None = None,
    powers: int = 0,
) -> Between:
    """Return ``d g C(a) (m - a)!/m!``.

    Mutants take g from fewer derivatives, or divide by further powers of m.
    """
    g = smoothness(instance, case.order if known is None else known)
    factor = instance.channels * _factor(case.order, case.width) / case.width**powers
    return g.map(lambda x: x * factor)


def _factor(a: int, m: int) -> Ball:
    return power(pi(), a) * ball(_rational_factor(a, m))


# The statement that is disputed


def informative_orders_and_widths(
    instance: LinearFunctional, rng: random.Random
) -> Sequence[RateCase]:
    """Return a = 1, 2 with the widths, at least 1, at which C4 has something to say."""
    return [
        RateCase(order=a, width=case.width)
        for case in informative_widths(instance, rng)
        for a in DISPUTED_ORDERS
        if case.width and a in orders_of(instance)
    ]


def least_error_lower(instance: LinearFunctional, case: RateCase) -> Between:
    """Enclose what the error of every network of this width exceeds; see C4."""
    return hankel_bound(instance, OfWidth(width=case.width))


def quoted_bound(
    instance: LinearFunctional, case: RateCase, *, constant: Fraction | None = None
) -> Between:
    """Return ``C(a) g d/(beta m^a)``, C(a) being that of C2 or one that is given."""
    if constant is None:
        # At m = a the factor of C2 is C(a)/a!.
        factor = math.factorial(case.order) * _factor(case.order, case.order)
    else:
        factor = ball(constant)
    scale = instance.channels / (beta_of(instance) * case.width**case.order)
    return smoothness(instance, case.order).map(lambda g: g * factor * ball(scale))


def with_constant(constant: Fraction) -> Restated:
    """Return C2P with this constant for C(1) and C(2), and a target that refutes it.

    Raises
    ------
    InvalidInstance
        Where the target would have numbers that no file may hold.
    """
    speed = Fraction(1)
    while speed < ENOUGH * constant:
        speed *= 10
    if speed > MOST_SPEED:
        raise InvalidInstance(
            "constant",
            "is too large, expected at most 1e496, for which the numbers of the target that "
            "refutes it have 1000 digits",
        )
    shown = format_number(constant)
    target = LinearFunctional(
        name="ramp-in-small-units",
        origin=(
            f"made to refute C2P with the constant {shown}: t exp(-t) in units of time such that "
            "its rate, and with it beta, is large, while g and all errors are what they were"
        )[:MAX_ORIGIN],
        target=((Exponential(coefficient=speed**2, rate=speed, power=1),),),
        widths=(1,),
    )
    dispute = replace(
        QUOTED,
        refuted_on=(target.name,),
        reading=f"Here the constant is the one given, {shown}, for a = 1 and a = 2. {READING}",
        constant=constant,
    )
    claim = replace(
        C2P,
        title="The rate as it is quoted, with a given constant: divided by β",
        statement=(
            "If |yᵢ⁽ᵏ⁾(t)| ≤ g βᵏ e^{−βt} for k = 1..a+1, then for m ≥ 1 some network of width m "
            f"has ∥ρ − ρ̂∥ ≤ C g d/(β m^a), with C = {shown}."
        ),
        formula=r"\|\rho - \hat\rho\|_{L^1} \le \frac{C \, g \, d}{\beta m^a}",
        right=partial(quoted_bound, constant=constant),
        disputed=dispute,
    )
    return Restated(claim=claim, instances=(target,))


# Figures


def width_figure(instance: LinearFunctional) -> Figure:
    """Draw what C2 says of a = 1 against the width, what its networks do, and what any can do."""
    cases = [RateCase(order=1, width=m) for m in instance.widths if m]
    others = [case for case in informative_widths(instance, random.Random(0)) if case.width]
    series = (
        Series.of(
            "the claim, a = 1",
            [(case.width, rate_bound(instance, case)) for case in cases],
            guarantee=Guarantee.UPPER,
            kind=Kind.BOUND,
        ),
        Series.of(
            "network with rates θ, 2θ, …, mθ",
            [(case.width, polynomial_error(instance, case)) for case in cases],
            guarantee=Guarantee.UPPER,
        ),
        Series.of(
            "near-best network",
            [(case.width, witness_error(instance, case)) for case in others],
            guarantee=Guarantee.UPPER,
        ),
        Series.of(
            "every network (C4Q)",
            [(case.width, quadratic_side(instance, case)) for case in others],
            guarantee=Guarantee.LOWER,
            kind=Kind.BOUND,
        ),
    )
    return Figure(
        title="Error of linear networks against their width",
        description=(
            "The distance ∥ρ − ρ̂∥: what C2 says of it for a = 1, where the network is that of its "
            "proof; that network; the best network that was found, and a lower bound for all "
            "networks, both up to width 8 and below the width at which a network is exact. All "
            "are certified; a power of the width is a straight line."
        ),
        x=Axis(label="width m", scale=Scale.LOG),
        y=Axis(label="distance in L¹", scale=Scale.LOG),
        series=tuple(each for each in series if each.points),
    )


def tightness_figure(instance: LinearFunctional) -> Figure:
    """Draw the error of the networks of C2 over its bound, for each a and width."""
    cases = orders_and_widths(instance, random.Random(0))
    ratios: dict[int, list[tuple[int, Between]]] = {}
    for case in cases:
        error, bound = polynomial_error(instance, case), rate_bound(instance, case)
        ratio = Between(error.lower / bound.upper, error.upper / bound.lower)
        ratios.setdefault(case.order, []).append((case.width, ratio))
    return Figure(
        title="Error of the networks of C2, relative to its bound",
        description=(
            "Left over right side for each number a of derivatives and each width of the instance "
            "at which the bound is below d g. The targets are much smoother than the theorem asks."
        ),
        x=Axis(label="width m"),
        y=Axis(label="error / bound", scale=Scale.LOG),
        series=tuple(
            Series.of(f"a = {order}", points, guarantee=Guarantee.ENCLOSURE)
            for order, points in ratios.items()
        ),
    )


# The claims

SMOOTH = Assumption(
    text="the target and its derivative decay exponentially",
    holds=is_smooth,
    offending=shown_roughness,
)
DECAYING = Assumption(
    text="the target decays faster than exp(−βt)", holds=decays_faster, offending=shown_rates
)
ZERO = Vacuity(reason="the target is zero", holds=is_zero)
G = Constant(
    symbol="g",
    meaning="size of the derivatives of the step response, up to order 5 at most, relative to beta",
    formula=r"g = \max_{1 \le k \le a + 1} \beta^{-k} \sup_t e^{\beta t} |y^{(k)}(t)|",
    value=largest_constant,
)
BETA = Constant(
    symbol="beta",
    meaning="rate of decay",
    formula=r"\beta",
    value=beta_of,
)

C2: Claim[LinearFunctional, RateCase] = Claim(
    id="C2",
    theorem="linear_approximation",
    title="Smooth targets are approximated at a rate in the width",
    statement=(
        "If |yᵢ⁽ᵏ⁾(t)| ≤ g βᵏ e^{−βt} for k = 1..a+1, then for m ≥ a some network of width m has "
        "∥ρ − ρ̂∥ ≤ d g C(a) (m−a)!/m!, C(a) = (π/4)^a (2a+1)!/a!."
    ),
    formula=(
        r"\|\rho - \hat\rho\|_{L^1} \le d \, g \left(\frac{\pi}{4}\right)^a "
        r"\frac{(2a+1)!}{a!} \frac{(m-a)!}{m!}"
    ),
    kind=SCHEMA,
    assumptions=(SMOOTH, DECAYING),
    constants=(BETA, G),
    vacuities=(ZERO,),
    cases=orders_and_widths,
    left=polynomial_error,
    right=rate_bound,
    proof=(
        "In u = e^{−θt}, θ = β/(a+1), the error is an integral of |q − p(u)/u|, q = ρ/u; the "
        "hypothesis bounds q⁽ᵃ⁾, and Jackson's theorem the distance to polynomials."
    ),
    establishes=(
        "CERTIFIED: a network with rates θ, 2θ, …, mθ has an error of at most the bound, for the "
        "a and m listed. The theorem covers all of them."
    ),
    source="after Li, Han, E and Li (arXiv 2009.07799); this form and its constants: this project",
    sharp=("sharp-switching",),
    figures=(
        Drawing(name="width", draw=width_figure, on=DRAWN),
        Drawing(name="tightness", draw=tightness_figure, on=DRAWN),
    ),
    mutants=(
        Mutant(
            name="first-derivative-only",
            error="g taken from k = 1 alone: only the size of ρ, none of its derivatives",
            refuted_on=("mutant-fast-wave",),
            right=partial(rate_bound, known=0),
        ),
        Mutant(
            name="one-power-too-many",
            error="m^−(a+1) in place of m^−a",
            refuted_on=("sharp-switching",),
            right=partial(rate_bound, powers=1),
        ),
    ),
)

READING = (
    "The bound is stated as secondary sources quote it. Both sides must stay as they are when time "
    "is measured in another unit, ρ(t) becoming c ρ(ct): errors do, so does g, but β becomes cβ. "
    "So whatever the constant is, a target that is fast enough has a larger error, in all networks "
    "of the width. Without the division the statement holds for m ≥ a, with a constant that is "
    "explicit (C2). For β = 1 and a = 1 the two bounds are the same; for a ≥ 2 that of C2 has "
    "m!/(m−a)! in the place of m^a, which is less by a factor of at most a^a/a! that tends to 1. "
    "The hypothesis, the order m^−a of the rate and the idea of the proof are the authors'; what "
    "is disputed is a factor that a convention on the unit of time, β = 1, would remove."
)
QUOTED = Dispute(
    refuted_on=("fast-erlang", "fast-ramp"),
    corrected_by="C2",
    reading=f"Here the constant is the C(a) of C2. {READING}",
    with_constant=with_constant,
)
C2P: Claim[LinearFunctional, RateCase] = Claim(
    id="C2P",
    theorem="linear_approximation",
    title="The rate as it is quoted: divided by β",
    statement=(
        "If |yᵢ⁽ᵏ⁾(t)| ≤ g βᵏ e^{−βt} for k = 1..a+1, then for m ≥ 1 some network of width m has "
        "∥ρ − ρ̂∥ ≤ C(a) g d/(β m^a)."
    ),
    formula=r"\|\rho - \hat\rho\|_{L^1} \le \frac{C(a) \, g \, d}{\beta m^a}",
    kind=SCHEMA,
    assumptions=(SMOOTH, DECAYING),
    constants=(BETA, G),
    vacuities=(ZERO, EXACT),
    cases=informative_orders_and_widths,
    left=least_error_lower,
    right=quoted_bound,
    disputed=QUOTED,
    proof="None: the left side is a lower bound of the error of every network of width m (C4).",
    establishes=(
        "REFUTED: no network of width m has an error as small as the right side, for this constant "
        "C(a); for any other constant a faster target does it. CERTIFIED: on this target the lower "
        "bound does not contradict it."
    ),
    source="Li, Han, E and Li (arXiv 2009.07799), as quoted in secondary sources",
    uses=("C4",),
    searched=("left",),
    sharp=(),
    mutants=(),
)

CLAIMS: tuple[AnyClaim, ...] = (C2, C2P)

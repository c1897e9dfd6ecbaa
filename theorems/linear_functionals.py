r"""Linear functionals that no linear network of a given width comes near.

**Setting.**  That of `theorems.linear_networks`: networks ``h' = W h + U x``, ``y = c . h`` of
width m with kernel rho_hat, targets with kernel rho, ``||rho|| = int sum_i |rho_i|``.

**Statements.**  For every network of width m, whatever W, U and c are,
C4.  ``||rho - rho_hat|| >= sum_i s_{m+1}(G_i)``, where
``G_i f(t) = int_0^inf rho_i(t + s) f(s) ds`` on L2(0, inf) and s_k is the k-th singular value;
C4B.  ``||rho - rho_hat|| >= sum_i 1 / |A_i^-1|_{inf -> inf}``, where
``(A_i)_{jk} = int_{I_k} rho_i(t_j + s) ds`` with disjoint intervals I_0..I_m and points t_0..t_m;
C4K.  ``||rho - rho_hat|| >= sum_i (s_{m+1} + .. + s_{m+K})(A_i) / max_t |M(t)|_(K)``, where
``A_i = int rho_i(t) M(t) dt``, ``M_jk(t) = (e_j * e_k)(t)`` with normalised indicators e_j of
disjoint intervals, and ``|.|_(K)`` sums the K largest singular values;
C4Q.  ``||rho - rho_hat|| >= lambda_min(A) / max_{i, t} |M_i(t)|``, where
``A = sum_i int rho_i(t) M_i(t) dt``, ``M_i(t)_jk`` is the symmetric part of
``(phi_ij * psi_k)(t)``, j, k = 0..m, with any functions phi_ij and any measures psi_k.

**Proof.**  A network's operator, or matrix, has rank at most m: ``rho_hat(t + s)`` is a sum of m
products of a function of t and one of s.  For C4Q, one combination of the m + 1 measures is
annihilated by every shift of the network's kernel, so that its quadratic form has a zero.
`verification.linear_rnn.lower_bounds` and `verification.linear_rnn.quadratic_forms` say the rest.

**How it is checked.**  Left: the bound, at a place that was found in doubles.  Right: the error of
a network of that width, also found in doubles, a sum of exponentials that is locally the best one;
the norm is enclosed by isolating changes of sign.  C4Q is nearly always the largest of the bounds.

**What the verdicts establish.**  That the bound is not above the error of one good network; for
all other networks it is the proof.  The left side itself is certified, and says that no network of
width m does better; tightness says how much is left between the two.  Widths at which the target is
the kernel of a network itself are left out.

Source: this project.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from verification.claim import AnyClaim, Claim, Drawing, Mutant, Vacuity
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    total,
    total_between,
    working_precision,
)
from verification.errors import NotEnclosed
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.linear_functional import SCHEMA, LinearFunctional
from verification.linear_rnn.distance import distance
from verification.linear_rnn.lower_bounds import (
    IndicatorPlace,
    LaguerrePlace,
    bang_bang_bound,
    compression,
    ky_fan_bound,
    largest_ky_fan_norm,
)
from verification.linear_rnn.norm import MAX_CELLS
from verification.linear_rnn.pieces import Function, least_exact_width, of_parts

MAX_WIDTH = 8
MOST_SIGN_CHANGES = MAX_CELLS // 6
"""An isolated change of sign takes three cells, and a few more to be found."""


# Cases, vacuities


@dataclass(frozen=True, kw_only=True)
class OfWidth:
    """All networks of one width."""

    width: int

    def __str__(self) -> str:
        return f"every network of width {self.width}"


def informative_widths(instance: LinearFunctional, _rng: random.Random) -> Sequence[OfWidth]:
    """Return the widths at which the target is not the kernel of a network itself.

    Beyond `MAX_WIDTH` doubles find no good places: the bounds are too small.
    """
    least = least_exact_width(instance.target)
    small = [m for m in instance.widths if m <= MAX_WIDTH]
    return [OfWidth(width=m) for m in small if least is None or m < least]


def witnessed_widths(instance: LinearFunctional, rng: random.Random) -> Sequence[OfWidth]:
    """Return the informative widths of a target whose distance from a network can be enclosed.

    Raises
    ------
    NotEnclosed
        Where it changes its sign too often for that: at once, for no precision would help.
    """
    from verification.linear_rnn.search import sign_changes_estimate  # noqa: PLC0415 - loads scipy

    for parts in instance.target:
        function = of_parts(parts)
        changes = sign_changes_estimate(function) if function else 0
        if changes > MOST_SIGN_CHANGES:
            raise NotEnclosed(
                f"the target changes its sign some {changes} times, and at most "
                f"{MOST_SIGN_CHANGES} changes are followed"
            )
    return informative_widths(instance, rng)


def is_represented(instance: LinearFunctional) -> bool:
    """Tell whether the target is the kernel of a network of each of the widths, exactly."""
    least = least_exact_width(instance.target)
    return least is not None and least <= instance.widths[0]


# Left sides, and those of the mutants


def hankel_bound(instance: LinearFunctional, case: OfWidth, *, early: int = 0) -> Between:
    """Enclose ``sum_i s_{m+1}`` of compressions; a mutant takes singular values too early."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy

    bounds: list[Between] = []
    for parts in instance.target:
        function = of_parts(parts)
        if function:
            place = search.hankel_place(function, case.width)
            values = _compressed_values(function, place, working_precision())
            bounds += values[max(0, case.width - early) :][:1]
    return total_between(bounds)


@lru_cache(maxsize=64)
def _compressed_values(
    function: Function, place: LaguerrePlace | IndicatorPlace, _bits: int
) -> list[Between]:
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy

    return singular_values(compression(function, place))


def bang_bang_side(
    instance: LinearFunctional, case: OfWidth, *, early: int = 0, factor: int = 1
) -> Ball:
    """Enclose ``sum_i 1 / |A_i^-1|``; mutants take a row too few, or twice the bound."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy

    bounds = []
    for parts in instance.target:
        function = of_parts(parts)
        place = search.bang_bang_place(function, max(0, case.width - early)) if function else None
        if place is not None:
            bounds.append(bang_bang_bound(function, place))
    return factor * total(bounds)


def widest(instance: LinearFunctional, rng: random.Random) -> Sequence[OfWidth]:
    """Return the largest width at which the target is not a kernel itself."""
    return witnessed_widths(instance, rng)[-1:]


def ky_fan_side(
    instance: LinearFunctional, case: OfWidth, *, early: int = 0, divided: bool = True
) -> Between:
    """Enclose the sum over channels of the Ky Fan bounds; mutants shift it, or do not divide."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy

    bounds = []
    for parts in instance.target:
        function = of_parts(parts)
        if function:
            place = search.ky_fan_place(function, case.width)
            found = ky_fan_bound(function, place, max(0, case.width - early))
            most = largest_ky_fan_norm(place.ends, place.count, working_precision())
            if not divided:
                found = Between(found.lower * most.lower, found.upper * most.upper)
            bounds.append(found)
    return total_between(bounds)


def quadratic_side(
    instance: LinearFunctional,
    case: OfWidth,
    *,
    early: int = 0,
    factor: int = 1,
    of_entries: bool = False,
) -> Between:
    """Enclose the bound by a quadratic form.

    Mutants take a function too few, a multiple of the bound, or the largest entry of M for its
    norm.
    """
    from verification.linear_rnn import quadratic_forms, quadratic_search  # noqa: PLC0415 - loads scipy

    functions = tuple(of_parts(parts) for parts in instance.target)
    place = quadratic_search.quadratic_place(functions, max(0, case.width - early))
    if place is None:
        return Between(ball(0), ball(0))
    found = quadratic_forms.quadratic_bound(functions, place, of_entries=of_entries)
    return found.map(lambda x: factor * x)


# Right side


def witness_error(instance: LinearFunctional, case: OfWidth) -> Between:
    """Enclose ``||rho - rho_hat||`` for a near-best network of this width."""
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415 - loads scipy

    functions = tuple(of_parts(parts) for parts in instance.target)
    network = near_best_network(functions, case.width)
    return distance(instance.target, network, working_precision())


# Figure

DRAWN = ("damped-reciprocal", "airy", "gaussian-bump")


def width_figure(instance: LinearFunctional) -> Figure:
    """Draw the bounds of all networks' errors, and the error of a good one, against the width."""
    cases = informative_widths(instance, random.Random(0))
    bounds: dict[str, Callable[[LinearFunctional, OfWidth], Ball | Between]] = {
        "every network (C4Q)": quadratic_side,
        "every network (C4B)": bang_bang_side,
        "every network (C4)": hankel_bound,
    }
    witness = Series.of(
        "near-best network",
        [(case.width, witness_error(instance, case)) for case in cases],
        guarantee=Guarantee.UPPER,
    )
    return Figure(
        title="What no network of a width does better, and what one does",
        description=(
            "The distance ∥ρ − ρ̂∥ in L¹: three lower bounds for all linear networks of width m, by "
            "a quadratic form (C4Q), by switched inputs (C4B) and by singular values (C4), and "
            "above them the error of the best network that was found. All are certified."
        ),
        x=Axis(label="width m"),
        y=Axis(label="distance in L¹", scale=Scale.LOG),
        series=(
            witness,
            *(
                Series.of(
                    name,
                    [(case.width, bound(instance, case)) for case in cases],
                    guarantee=Guarantee.LOWER,
                    kind=Kind.BOUND,
                )
                for name, bound in bounds.items()
            ),
        ),
    )


# The claims

EXACT = Vacuity(
    reason="the target is the kernel of a network of each of the widths: there is no error",
    holds=is_represented,
)
WITNESSED = (
    "CERTIFIED: the bound is not above the error of one near-best network of the width. That it is "
    "not above any other's is proved, not computed."
)

C4: Claim[LinearFunctional, OfWidth] = Claim(
    id="C4",
    theorem="linear_functionals",
    title="No network of width m is nearer than the next singular value",
    statement="∥ρ − ρ̂∥ ≥ Σᵢ s_{m+1}(Gᵢ) for every linear network of width m.",
    formula=r"\sum_i s_{m+1}(G_i) \le \|\rho - \hat\rho\|_{L^1}",
    kind=SCHEMA,
    vacuities=(EXACT,),
    cases=witnessed_widths,
    left=hankel_bound,
    right=witness_error,
    proof=(
        "Gᵢ is a Hankel operator with |Gᵢ| ≤ ∥ρᵢ∥; a network's has rank at most m; s_{m+1} is the "
        "distance from the operators of rank m, and a compression has a smaller one."
    ),
    establishes=WITNESSED,
    source="this project",
    searched=("left", "right"),
    sharp=("sharp-far-box",),
    mutants=(
        Mutant(
            name="one-singular-value-early",
            error="s_{m+1} replaced by s_m",
            refuted_on=("erlang-four",),
            left=partial(hankel_bound, early=1),
        ),
    ),
)

C4B: Claim[LinearFunctional, OfWidth] = Claim(
    id="C4B",
    theorem="linear_functionals",
    title="No network of width m follows m + 1 switched inputs",
    statement=(
        "∥ρ − ρ̂∥ ≥ Σᵢ 1/|Aᵢ⁻¹|_{∞→∞} for every linear network of width m, where A holds the "
        "integrals of ρᵢ(t_j + ·) over m + 1 disjoint intervals, at m + 1 points t_j."
    ),
    formula=(
        r"\sum_i \frac{1}{\|A_i^{-1}\|_{\infty \to \infty}} \le \|\rho - \hat\rho\|_{L^1}, \qquad "
        r"(A_i)_{jk} = \int_{I_k} \rho_i(t_j + s) \, ds"
    ),
    kind=SCHEMA,
    vacuities=(EXACT,),
    cases=witnessed_widths,
    left=bang_bang_side,
    right=witness_error,
    proof=(
        "The network's matrix is singular: it kills some x with |x|_∞ = 1, an input that is "
        "constant on each interval, for which the two responses differ by |Aᵢx|_∞."
    ),
    establishes=WITNESSED,
    source="this project",
    uses=("C1S",),
    searched=("left", "right"),
    sharp=("sharp-far-box",),
    mutants=(
        Mutant(
            name="twice-the-bound",
            error="a factor 2",
            refuted_on=("sharp-far-box",),
            left=partial(bang_bang_side, factor=2),
        ),
        Mutant(
            name="one-row-too-few",
            error="m intervals and points in place of m + 1",
            refuted_on=("erlang-four",),
            left=partial(bang_bang_side, early=1),
        ),
    ),
)

C4K: Claim[LinearFunctional, OfWidth] = Claim(
    id="C4K",
    theorem="linear_functionals",
    title="No network of width m is nearer than a mean of the next singular values",
    statement=(
        "∥ρ − ρ̂∥ ≥ Σᵢ (s_{m+1} + … + s_{m+K})(Aᵢ) / max_t |M(t)|_{(K)} for every linear network of "
        "width m, where Aᵢ = ∫ ρᵢ(t) M(t) dt and M holds the convolutions of normalised indicators."
    ),
    formula=(
        r"\sum_i \frac{s_{m+1}(A_i) + \dots + s_{m+K}(A_i)}{\max_t |M(t)|_{(K)}} \le "
        r"\|\rho - \hat\rho\|_{L^1}, \qquad A_i = \int_0^\infty \rho_i(t) M(t) \, dt"
    ),
    kind=SCHEMA,
    vacuities=(EXACT,),
    cases=widest,
    left=ky_fan_side,
    right=witness_error,
    proof=(
        "A − Â = ∫ (ρ − ρ̂) M has a Ky Fan norm of at most ∥ρ − ρ̂∥ max |M(t)|_{(K)} and, as Â has "
        "rank at most m, of at least the sum. M is linear between the sums of two end points."
    ),
    establishes=WITNESSED,
    source="this project",
    searched=("left", "right"),
    sharp=("sharp-far-box",),
    mutants=(
        Mutant(
            name="one-singular-value-early",
            error="s_{m+1}, …, s_{m+K} replaced by s_m, …, s_{m+K−1}",
            refuted_on=("erlang-four",),
            left=partial(ky_fan_side, early=1),
        ),
        Mutant(
            name="not-divided",
            error="max |M(t)|_{(K)} left out",
            refuted_on=("sharp-far-box",),
            left=partial(ky_fan_side, divided=False),
        ),
    ),
)

C4Q: Claim[LinearFunctional, OfWidth] = Claim(
    id="C4Q",
    theorem="linear_functionals",
    title="No network of width m escapes a quadratic form in m + 1 variables",
    statement=(
        "∥ρ − ρ̂∥ ≥ λ_min(A)/max_{i,t} |Mᵢ(t)| for every linear network of width m, where "
        "A = Σᵢ ∫ ρᵢ(t) Mᵢ(t) dt and Mᵢ(t) is the symmetric part of ((φᵢⱼ ∗ ψₖ)(t)), "
        "j, k = 0..m."
    ),
    formula=(
        r"\frac{\lambda_{\min}(A)}{\max_{i, t} |M_i(t)|} \le \|\rho - \hat\rho\|_{L^1}, "
        r"\qquad A = \sum_i \int_0^\infty \rho_i(t) M_i(t) \, dt, \qquad "
        r"M_i(t)_{jk} = \tfrac12 (\varphi_{ij} * \psi_k + \varphi_{ik} * \psi_j)(t)"
    ),
    kind=SCHEMA,
    vacuities=(EXACT,),
    cases=witnessed_widths,
    left=quadratic_side,
    right=witness_error,
    proof=(
        "A network's kernel is annihilated, with all its shifts, by one ψ = Σₖ xₖ ψₖ, hence by "
        "φ ∗ ψ with φ = Σⱼ xⱼ φⱼ: its form Â has xᵀÂx = 0. So xᵀAx = Σᵢ ∫ (ρᵢ − ρ̂ᵢ) xᵀMᵢx."
    ),
    establishes=WITNESSED,
    source="this project",
    searched=("left", "right"),
    sharp=("sharp-far-box", "exponential-pair"),
    figures=(Drawing(name="width", draw=width_figure, on=DRAWN),),
    mutants=(
        Mutant(
            name="twice-the-bound",
            error="a factor 2",
            refuted_on=("exponential-pair",),
            left=partial(quadratic_side, factor=2),
        ),
        Mutant(
            name="one-function-too-few",
            error="m functions and measures in place of m + 1",
            refuted_on=("erlang-four",),
            left=partial(quadratic_side, early=1),
        ),
        Mutant(
            name="entry-for-norm",
            error="|Mᵢ(t)| replaced by the largest entry of Mᵢ(t)",
            refuted_on=("exponential-pair",),
            left=partial(quadratic_side, of_entries=True),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (C4, C4B, C4K, C4Q)

r"""What no linear network of width m can do better, beside what one of them does.

For each width a certificate brings a *place*, at which a lower bound of ``||rho - rho_hat||`` for
every network of that width is computed, and one network, whose distance is enclosed.  The bounds
rest on this: ``rho_hat_i(t + s)`` is a sum of m products of a function of t and one of s.

C4.  ``A_jk = int int rho_i(t + s) e_j(t) e_k(s)`` with orthonormal e_j is a compression of an
operator of norm at most ``||rho_i||``, and a network's has rank m at most: ``sum_i s_{m+1}(A_i)``.
For exponentials e_j may be Laguerre functions ``(2p)^(1/2) exp(-p t) L_j(2 p t)``, for which
``A_jk = g_{j+k} - g_{j+k+1}``, ``g_n = int rho_i(t) exp(-p t) L_n(2 p t) dt``; as
``int exp(-l t) exp(-p t) L_n(2 p t) dt = (l - p)^n / (l + p)^(n+1)``, powers of t are derivatives
in l.  Else they are normalised indicators.

C4B.  ``A_jk = int_{I_k} rho_i(t_j + s) ds`` with m + 1 disjoint intervals: the network's matrix
kills some x, ``|x|_inf = 1``, which is an input: ``sum_i 1 / |A_i^-1|_{inf -> inf}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import comb, perm

from verification.certificate.check.linear.kernels import (
    Function,
    Wave,
    function_of,
    integral,
    primitive,
    weight,
)
from verification.certificate.check.linear.networks import read_modes
from verification.certificate.check.linear.norms import DISTANCE_BITS, norms, read_changes
from verification.certificate.check.linear.spectra import (
    Form,
    Rows,
    read_brackets,
    require_singular_value,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    largest,
    matrix,
    precision,
    total,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side
from verification.certificate.check.numbers.complex_balls import (
    ComplexBall,
    ball_matrix,
    complex_ball,
    entries,
    real_part,
    solved,
)
from verification.certificate.check.outcome import Budget, Invalid, longest
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import (
    MAX_WIDTH,
    Part,
    Target,
    Vector,
    exact_width,
    positive,
)

MAX_FUNCTIONS = 64
SPARE_BITS = 96
MATRIX_BITS = 256
_LAGUERRE_BITS = 4
_EXACT = 20


@dataclass(frozen=True)
class Approximated:
    """A target, the width of a network whose kernel it is, if any, and the work that is left."""

    functions: tuple[Function, ...]
    exact: int | None
    budget: Budget

    @staticmethod
    def of(channels: tuple[tuple[Part, ...], ...], budget: Budget) -> Approximated:
        """Return a target by the parts of its channels."""
        return Approximated(tuple(map(function_of, channels)), exact_width(channels), budget)


def read_approximated(target: Target, witness: Node, budget: Budget) -> Approximated:
    """Return the target's functions; there is nothing that all cases share."""
    witness.fields(())
    return Approximated.of(target.channels, budget)


def width_of(known: Approximated, node: Node) -> int:
    """Read a width at which no network is seen at once to have the target as its kernel.

    Raises
    ------
    Invalid
        Where one has: of errors from 0 on nothing is said.
    """
    width = node.integer(0, MAX_WIDTH)
    if known.exact is not None and width >= known.exact:
        node.invalid("the target is the kernel of a network so wide: nothing bounds an error of 0")
    return width


def distance_of(known: Approximated, members: dict[str, Node], width: int) -> Side:
    """Return the distance of the network that a case brings, of at most this width."""
    modes = read_modes(members["network"], len(known.functions), width)
    rests = tuple((*f, *waves) for f, waves in zip(known.functions, modes, strict=True))
    changes = read_changes(members["changes"], rests, known.budget)

    def distance(bits: int) -> Bounds:
        with precision(bits + SPARE_BITS):
            return norms(rests, changes, DISTANCE_BITS, known.budget)

    return distance


def places_of(known: Approximated, node: Node) -> list[tuple[Function, Node]]:
    """Return the channels at which a bound is computed, with their places; others give 0."""
    count = len(known.functions)
    pairs = zip(known.functions, node.elements(count, count), strict=True)
    return [(function, item) for function, item in pairs if item.value != "none"]


def named(width: int) -> str:
    """Return what a case is about."""
    return f"every network of width {width}, and one of them"


# C4


def singular_values(known: Approximated, case: Node, _claimed: Bounds) -> Shown:
    """``sum_i s_{m+1}(A_i) <= ||rho - rho_hat||``."""
    members = case.fields(("width", "places", "network", "changes"))
    width = width_of(known, members["width"])
    left = hankel_bound(known, members["places"], width)
    return Shown(named(width), left, distance_of(known, members, width))


def hankel_bound(known: Approximated, places: Node, width: int) -> Bounds:
    """Enclose ``sum_i s_{m+1}(A_i)``."""
    found = Bounds.exactly(Fraction(0))
    for function, place in places_of(known, places):
        with precision(MATRIX_BITS):
            compressed, values = _compression(function, place, known.budget)
            if width >= len(compressed.rows):
                place.refuse(f"more than {width} functions")
            (value,) = read_brackets(values, 1)
            require_singular_value(place.path, compressed, width + 1, value, known.budget)
        found = found.plus(value)
    return found


def _compression(function: Function, place: Node, budget: Budget) -> tuple[Form, Node]:
    """Return A, and the node of its singular values."""
    if place.has("scale"):
        members = place.fields(("scale", "size", "values"))
        size = members["size"].integer(1, MAX_FUNCTIONS)
        budget.spend(10 * size * weight(function), MATRIX_BITS + _LAGUERRE_BITS * 2 * size)
        moments = laguerre_moments(function, positive(members["scale"]), 2 * size, members["scale"])
        rows = [[moments[i + j] - moments[i + j + 1] for j in range(size)] for i in range(size)]
        return Form(rows, (Fraction(1),) * size), members["values"]
    members = place.fields(("ends", "values"))
    ends = read_ends(members["ends"])
    charge_matrix(function, ends, budget)
    lengths = tuple(b - a for a, b in pairwise(ends))
    return Form(indicator_matrix(function, ends), lengths), members["values"]


def read_ends(node: Node, most: int = MAX_FUNCTIONS) -> Vector:
    """Read end points of neighbouring intervals, which increase from a number >= 0 on."""
    ends = tuple(item.number() for item in node.elements(2, most + 1))
    if ends[0] < 0 or any(a >= b for a, b in pairwise(ends)):
        node.refuse("numbers that increase, not negative")
    return ends


def charge_matrix(
    function: Function, ends: Vector, budget: Budget, bits: int = MATRIX_BITS
) -> None:
    """Charge for `indicator_matrix`: the sums of end points are exact, however long they are."""
    pairs = len(ends) ** 2
    budget.spend(20 * pairs * weight(function), bits)
    if longest(ends) > bits:
        budget.spend(_EXACT * pairs * len(function), longest(ends))


def indicator_matrix(function: Function, ends: Vector) -> Rows:
    """Enclose ``int int rho(t + s)`` over pairs of intervals, by a second primitive."""
    known: dict[Fraction, Ball] = {}
    corners: Rows = []
    for i, a in enumerate(ends):
        sums = [a + b for b in ends[: i + 1]]
        known |= {t: primitive(function, t, 2) for t in sums if t not in known}
        corners.append([known[t] for t in sums])

    def area(i: int, j: int) -> Ball:
        # The matrix of corners is symmetric.
        across = corners[i][j + 1] if j < i else corners[j + 1][i]
        return corners[i + 1][j + 1] - corners[i + 1][j] - across + corners[i][j]

    below = [[area(i, j) for j in range(i + 1)] for i in range(len(ends) - 1)]
    return [[below[max(i, j)][min(i, j)] for j in range(len(below))] for i in range(len(below))]


def laguerre_moments(function: Function, p: Fraction, count: int, node: Node) -> list[Ball]:
    """Enclose ``g_n = int rho(t) exp(-p t) L_n(2 p t) dt`` for n < count."""
    with precision(MATRIX_BITS + _LAGUERRE_BITS * count):
        found = [ball(0)] * count
        for wave in function:
            if not isinstance(wave, Wave):
                node.refuse("ends of intervals: Laguerre functions are for exponentials")
            below = complex_ball(wave.rate - p, -wave.frequency)
            above = 1 / complex_ball(wave.rate + p, -wave.frequency)
            under, over = _powers(below, count), _powers(above, count + wave.power + 1)
            k = wave.power
            for n in range(count):
                # The k-th derivative of a product, times (-1)^k.
                terms = [
                    (-1) ** j
                    * comb(k, j)
                    * perm(n, j)
                    * _rising(n + 1, k - j)
                    * under[n - j]
                    * over[n + 1 + k - j]
                    for j in range(min(n, k) + 1)
                ]
                value = terms[0]
                for term in terms[1:]:
                    value = value + term
                found[n] = found[n] + real_part(wave.factor * value)
    return found


def _powers(z: ComplexBall, count: int) -> list[ComplexBall]:
    found = [complex_ball(Fraction(1), Fraction(0))]
    for _ in range(count):
        found.append(found[-1] * z)
    return found


def _rising(start: int, count: int) -> int:
    """Return ``start (start + 1) .. (start + count - 1)``."""
    return perm(start + count - 1, count)


# C4B


def switched_inputs(known: Approximated, case: Node, _claimed: Bounds) -> Shown:
    """``sum_i 1 / |A_i^-1|_{inf -> inf} <= ||rho - rho_hat||``."""
    members = case.fields(("width", "places", "network", "changes"))
    width = width_of(known, members["width"])
    read = [
        (function, *read_intervals(place, width + 1))
        for function, place in places_of(known, members["places"])
    ]

    def left(bits: int) -> Bounds:
        found = Bounds.exactly(Fraction(0))
        with precision(bits + SPARE_BITS):
            for function, ends, points in read:
                known.budget.spend(20 * weight(function) * len(points) ** 2, bits)
                found = found.plus(bounds(bang_bang(function, ends, points)))
        return found

    return Shown(named(width), left, distance_of(known, members, width))


def read_intervals(place: Node, count: int) -> tuple[Vector, Vector]:
    """Read the starts of intervals, the last of which has no end, and as many points."""
    members = place.fields(("ends", "points"))
    ends, points = (members[key].numbers(count) for key in ("ends", "points"))
    if ends[0] < 0 or any(a > b for a, b in pairwise(ends)) or min(points) < 0:
        place.refuse("ends that do not decrease, and no number below 0")
    return ends, points


def bang_bang(function: Function, ends: Vector, points: Vector) -> Ball:
    """Enclose ``1 / |A^-1|_{inf -> inf}``."""
    rows = [
        [
            integral(function, t + a, t + b if b is not None else None)
            for a, b in zip(ends, (*ends[1:], None), strict=True)
        ]
        for t in points
    ]
    unit = matrix([[Fraction(i == j) for j in range(len(rows))] for i in range(len(rows))])
    inverse = solved(ball_matrix(rows), unit)
    if inverse is None:
        raise Invalid("a matrix is not shown to be regular")
    return 1 / largest([total([abs(x) for x in row]) for row in entries(inverse)])

r"""Lower bounds for every network of width m by sums of singular values.

With ``M_jk(t) = (e_j * e_k)(t)`` and ``A_i = int rho_i(t) M(t) dt`` a network's matrix has rank m
at most, and ``A_i - A_hat_i = int (rho_i - rho_hat_i) M`` is at most ``||rho_i - rho_hat_i||
max_t |M(t)|`` in any norm.  By Mirsky's theorem it is at least:

C4K.  ``(s_{m+1} + .. + s_{m+K})(A_i)`` in the norm that sums the K largest singular values, for
normalised indicators e_j.  M is linear between sums of two end points: the maximum is at one.

C4T.  ``(s_{m+1} + s_{m+2} + ..)(A_i)`` in the trace norm, for ``e_j = d_j l_j^(-1/2)`` on intervals
of lengths l_j from 0 on, end points ``x_{j+1} >= 2 x_j``.  At ``t = x_i + x_j``, j <= i, M(t) falls
into two blocks.  The interval ``[x_i, x_{i+1})`` meets reflections of those below x_j only, each as
a whole: beside zeros a row of entries ``d_i d_k (l_k/l_i)^(1/2)``, k < j, with the trace norm
``2 d_i (sum_{k<j} d_k^2 l_k / l_i)^(1/2)``.  And the intervals of ``[x_j, x_i)`` meet reflections
of the last of them, ``h = i - 1``, only: entries ``d_h d_k (l_k/l_h)^(1/2)``, j <= k < h, beside
``a = d_h^2 (1 - (x_h - x_j)/l_h)``, with ``(a^2 + 4 d_h^2 sum_{j<=k<h} d_k^2 l_k / l_h)^(1/2)``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate, pairwise

from verification.certificate.check.claims.width_claims import (
    MATRIX_BITS,
    Approximated,
    charge_matrix,
    distance_of,
    indicator_matrix,
    named,
    places_of,
    read_ends,
    width_of,
)
from verification.certificate.check.linear.kernels import Function
from verification.certificate.check.linear.spectra import (
    Form,
    read_brackets,
    require_singular_value,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    ball,
    bounds,
    precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown, brief
from verification.certificate.check.outcome import Budget, longest
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Vector, positive

MAX_INTERVALS = 200
_EXACT = 200
_ZERO = Fraction(0)
_Bound = Callable[[Approximated, Function, Node, int], Bounds]


def _by_channels(known: Approximated, case: Node, bound: _Bound) -> Shown:
    """Return the sum over channels of a bound, and the distance of the network brought."""
    members = case.fields(("width", "places", "network", "changes"))
    width = width_of(known, members["width"])
    left = Bounds.exactly(_ZERO)
    for function, place in places_of(known, members["places"]):
        left = left.plus(bound(known, function, place, width))
    return Shown(named(width), left, distance_of(known, members, width))


def _summed(form: Form, node: Node, first: int, count: int, budget: Budget) -> Bounds:
    """Verify bounds of singular values ``first + 1`` to ``first + count``; return their sum."""
    found = Bounds.exactly(_ZERO)
    for k, claimed in enumerate(read_brackets(node, count), start=first + 1):
        require_singular_value(node.path, form, k, claimed, budget)
        found = found.plus(claimed)
    return found


# C4K


def ky_fan(known: Approximated, case: Node, _claimed: Bounds) -> Shown:
    """``sum_i (s_{m+1} + .. + s_{m+K})(A_i) / max_t |M(t)|_(K) <= ||rho - rho_hat||``."""
    return _by_channels(known, case, _ky_fan_bound)


def _ky_fan_bound(known: Approximated, function: Function, place: Node, width: int) -> Bounds:
    members = place.fields(("ends", "values", "largest"))
    ends = read_ends(members["ends"])
    lengths = tuple(b - a for a, b in pairwise(ends))
    count = len(members["values"].elements(1, len(lengths)))
    if width + count > len(lengths):
        place.refuse(f"{width + count} intervals at the least")
    charge_matrix(function, ends, known.budget)
    with precision(MATRIX_BITS):
        form = Form(indicator_matrix(function, ends), lengths)
        values = _summed(form, members["values"], width, count, known.budget)
        most = _largest_ky_fan_norm(ends, count, members["largest"], known.budget)
    return Bounds(values.lower / most.upper, values.upper / most.lower)


def _largest_ky_fan_norm(ends: Vector, count: int, node: Node, budget: Budget) -> Bounds:
    """Enclose ``max_t |M(t)|_(K)``: a certificate brings values at the knots that matter."""
    cells = tuple(pairwise(ends))
    lengths = tuple(b - a for a, b in cells)
    knots = {a + b for a in ends for b in ends}
    # Sums of exact squares have the denominators of all cells.
    budget.spend(20 * len(knots) * len(cells) ** 2, 2 * len(cells) * longest(ends))
    listed: dict[Fraction, Bounds] = {}
    for item in node.elements(1, len(knots)):
        members = item.fields(("at", "values"))
        at = members["at"].number()
        if at not in knots or at in listed:
            members["at"].refuse("a sum of two end points, each once")
        rows = [[ball(_common(at, one, other)) for other in cells] for one in cells]
        listed[at] = _summed(Form(rows, lengths), members["values"], 0, count, budget)
    least = max(x.lower for x in listed.values())
    if least <= 0:
        node.invalid("no norm is shown to differ from 0")
    for at in knots - listed.keys():
        # |M|_(K) <= K^(1/2) |M|, the Frobenius norm.
        squares = sum(
            (
                _common(at, one, other) ** 2 / (p * q)
                for one, p in zip(cells, lengths, strict=True)
                for other, q in zip(cells, lengths, strict=True)
            ),
            _ZERO,
        )
        if count * squares > least * least:
            node.invalid(f"nothing is said of the norm at {brief(at)}")
    return Bounds(least, max(x.upper for x in listed.values()))


def _common(
    t: Fraction, first: tuple[Fraction, Fraction], second: tuple[Fraction, Fraction]
) -> Fraction:
    """Return the length that ``[a, b]`` and ``t - [c, d]`` have in common."""
    (a, b), (c, d) = first, second
    return max(min(b, t - c) - max(a, t - d), _ZERO)


# C4T


def trace_norm(known: Approximated, case: Node, _claimed: Bounds) -> Shown:
    """``sum_i (s_{m+1} + s_{m+2} + ..)(A_i) / max_t |M(t)|_1 <= ||rho - rho_hat||``."""
    return _by_channels(known, case, _trace_bound)


def _trace_bound(known: Approximated, function: Function, place: Node, width: int) -> Bounds:
    members = place.fields(("ends", "weights", "values"))
    form, most = read_trace_form(function, members["ends"], members["weights"], known.budget)
    count = len(form.rows)
    if width >= count:
        place.refuse(f"more than {width} intervals")
    with precision(MATRIX_BITS):
        values = _summed(form, members["values"], width, count - width, known.budget)
    return Bounds(values.lower / most.upper, values.upper / most.lower)


def read_trace_form(
    function: Function, of_ends: Node, of_weights: Node, budget: Budget
) -> tuple[Form, Bounds]:
    """Read intervals and weights; return A and the largest trace norm of M(t)."""
    ends = read_ends(of_ends, MAX_INTERVALS)
    if ends[0] or any(b < 2 * a for a, b in pairwise(ends)):
        of_ends.refuse("end points from 0 on, each twice the one before at the least")
    count = len(ends) - 1
    weights = tuple(positive(x) for x in of_weights.elements(count, count))
    ratio = ends[-1] / ends[1]
    spread = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    charge_matrix(function, ends, budget, MATRIX_BITS + 2 * spread)
    # The norm; and lengths over squares of weights, each of them once.
    budget.spend(20 * len(ends) ** 2, MATRIX_BITS)
    budget.spend(_EXACT * len(ends), longest(ends) + 2 * longest(weights))
    lengths = tuple(b - a for a, b in pairwise(ends))
    scales = tuple(x / d**2 for x, d in zip(lengths, weights, strict=True))
    # Between intervals far apart nearly equal numbers are subtracted.
    with precision(MATRIX_BITS + 2 * spread):
        form = Form(indicator_matrix(function, ends), scales)
    with precision(MATRIX_BITS):
        return form, bounds(largest_trace_norm(ends, weights))


def largest_trace_norm(ends: Vector, weights: Vector) -> Ball:
    """Enclose ``max_t |M(t)|_1`` for end points that double."""
    points, factors = [ball(x) for x in ends], [ball(x) for x in weights]
    lengths = [ball(b - a) for a, b in pairwise(ends)]
    parts = [d * d * x for d, x in zip(factors, lengths, strict=True)]
    # Of what is below each end point.
    masses = [*accumulate(parts, initial=ball(0))]
    found = ball(0)
    for i in range(len(points)):
        for j in range(i + 1):
            norm = ball(0)
            if i < len(lengths):
                norm = 2 * factors[i] * (masses[j] / lengths[i]).sqrt()
            if j < i:
                h, square = i - 1, factors[i - 1] * factors[i - 1]
                own = square * (1 - (points[h] - points[j]) / lengths[h])
                beside = 4 * square * (masses[h] - masses[j]).nonnegative_part() / lengths[h]
                norm = norm + (own * own + beside).sqrt()
            found = found.max(norm)
    return found

r"""Lower bounds for every network of width m by quadratic forms: C4Q.

With functions phi_a, step functions, and psi_b, sums of point masses at shifts s_j, a, b =
0..m, some combination of the psi_b is orthogonal to all shifts of a network's kernel, so that its
quadratic form ``A = sum_i int rho_i M_i``, M_i(t) the symmetric part of ``(phi_ia * psi_b)(t)``,
has a zero: ``||rho - rho_hat|| >= lambda_min(A) / max_{i,t} |M_i(t)|``.  M_i is constant between
sums of a knot and a shift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter

from verification.certificate.check.claims.width_claims import (
    MAX_FUNCTIONS,
    Approximated,
    distance_of,
    named,
    width_of,
)
from verification.certificate.check.linear.kernels import Function, primitive, weight
from verification.certificate.check.linear.spectra import (
    Form,
    count_above,
    read_brackets,
    require_least_eigenvalue,
)
from verification.certificate.check.numbers.balls import (
    Ball,
    BallMatrix,
    ball,
    lower,
    matrix,
    precision,
    total,
    upper,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown
from verification.certificate.check.numbers.complex_balls import ball_matrix, entries
from verification.certificate.check.outcome import Budget, longest
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import Vector

MAX_KNOTS = 256
_FORM_BITS = 128
_SUM = 40
_ZERO = Fraction(0)


def quadratic_form(known: Approximated, case: Node, _claimed: Bounds) -> Shown:
    """``lambda_min(A) / max |M| <= ||rho - rho_hat||``."""
    members = case.fields(("width", "form", "network", "changes"))
    width = width_of(known, members["width"])
    if members["form"].value == "none":
        left = Bounds.exactly(_ZERO)
    else:
        left = _quadratic_bound(known, members["form"], width + 1)
    return Shown(named(width), left, distance_of(known, members, width))


def _quadratic_bound(known: Approximated, node: Node, size: int) -> Bounds:
    members = node.fields(("shifts", "masses", "knots", "heights", "least", "largest"))
    shifts = tuple(item.number() for item in members["shifts"].elements(1, MAX_FUNCTIONS))
    knots = tuple(item.number() for item in members["knots"].elements(1, MAX_KNOTS))
    if shifts[0] < 0 or knots[0] or any(a >= b for x in (shifts, knots) for a, b in pairwise(x)):
        node.refuse("shifts that are not negative and knots from 0 on, increasing")
    channels = len(known.functions)
    masses = [row.numbers(size) for row in members["masses"].elements(len(shifts), len(shifts))]
    heights = [
        [row.numbers(len(knots)) for row in channel.elements(size, size)]
        for channel in members["heights"].elements(channels, channels)
    ]
    pairs = len(knots) * len(shifts)
    work = sum(map(weight, known.functions)) + channels * size
    known.budget.spend(20 * pairs * work, _FORM_BITS)
    # Sums of a knot and a shift are exact, and put in order.
    known.budget.spend(_SUM * pairs * (channels + 1), longest(knots + shifts))
    with precision(_FORM_BITS):
        measures = matrix(masses)
        form = ball_matrix([[ball(0)] * size for _ in range(size)])
        for function, rows in zip(known.functions, heights, strict=True):
            if function:
                form = form + matrix(rows) * _areas(function, knots, shifts) * measures
        (least,) = read_brackets(members["least"], 1)
        unit = (Fraction(1),) * size
        require_least_eigenvalue(
            Form(_symmetric(form), unit), least, members["least"], known.budget
        )
        (most,) = read_brackets(members["largest"], 1)
        passed = _passed(knots, shifts)
        stack = (
            _symmetric(ball_matrix(shifted) * measures)
            for rows in heights
            for shifted in _shifted(rows, passed, known.budget)
        )
        _require_largest_norm(members["largest"], stack, most, known.budget)
    if most.lower <= 0:
        members["largest"].invalid("no norm is shown to differ from 0")
    return Bounds(least.lower / most.upper, least.upper / most.lower)


def _areas(function: Function, knots: Vector, shifts: Vector) -> BallMatrix:
    """Enclose ``int rho(t + s_j) dt`` between neighbouring knots, and from the last one on."""
    known = {t: primitive(function, t) for t in {e + s for e in knots for s in shifts}}
    return ball_matrix(
        [
            [(known[b + s] if b is not None else ball(0)) - known[a + s] for s in shifts]
            for a, b in zip(knots, (*knots[1:], None), strict=True)
        ]
    )


def _symmetric(square: BallMatrix) -> list[list[Ball]]:
    rows = entries(square)
    size = len(rows)
    return [[(rows[i][j] + rows[j][i]) / 2 for j in range(size)] for i in range(size)]


def _passed(knots: Vector, shifts: Vector) -> list[list[int]]:
    """Return how many knots each shift has brought behind, from sum to sum of a knot and a shift.

    Before its shift a function is 0.
    """
    steps = sorted((e + s, j, k) for k, e in enumerate(knots, 1) for j, s in enumerate(shifts))
    behind, found = [0] * len(shifts), []
    for _, together in groupby(steps, key=itemgetter(0)):
        for _, j, k in together:
            behind[j] = k
        found.append([*behind])
    return found


def _shifted(
    rows: list[Vector], passed: list[list[int]], budget: Budget
) -> Iterator[list[list[Ball]]]:
    """Return ``phi_a(t - s_j)``, rows a and columns j, between all sums of a knot and a shift."""
    steps = [[ball(0), *(ball(x) for x in row)] for row in rows]
    for at in passed:
        budget.spend(10 * len(rows) * (len(rows) + len(at)))
        yield [[step[k] for k in at] for step in steps]


def _require_largest_norm(
    node: Node, stack: Iterable[list[list[Ball]]], claimed: Bounds, budget: Budget
) -> None:
    """Show that the largest of the norms of symmetric matrices is within bounds."""
    reached = False
    for rows in stack:
        form = Form(rows, (Fraction(1),) * len(rows))
        budget.spend(len(rows) ** 2)
        squares = total([x * x for row in rows for x in row])
        if upper(squares) <= claimed.lower**2 or upper(squares) <= 0:
            continue
        if not reached and lower(squares) > claimed.lower**2:
            reached = bool(count_above(form, claimed.lower, budget))
        if upper(squares) > claimed.upper**2 and count_above(form, claimed.upper, budget) != 0:
            node.invalid("not shown that no norm is larger")
    if not reached:
        node.invalid("not shown that a norm is as large")

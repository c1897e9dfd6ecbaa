r"""Optimal transport between two finite laws, enclosed between a plan and a potential.

For laws p and q on finitely many points and costs c, the *transport cost* is
``W = min sum_ij x_ij c_ij`` over the *plans* x: ``x >= 0`` with row sums p and column sums q.  By
duality ``W = max sum_i f_i p_i + sum_j g_j q_j`` over the *potentials*: ``f_i + g_j <= c_ij``.

A linear program in double precision proposes both, and nothing is believed of it.

* *Below.*  Of the proposal only f is kept: ``g_j = min_i (c_ij - f_i)`` makes it a potential.
* *Above.*  Of the proposal only the pairs (i, j) that it uses, and their masses where these pairs
  hold a cycle, are kept: the plan is built from them in rationals with exactly the right row and
  column sums, and what the pairs leave over is matched in order.

Where p is known as balls only, the plan belongs to rational laws beside them.  W changes by at
most ``(max c - min c) TV(p, p')`` when p is replaced by p': the best potentials are
``f_i = min_j (c_ij - g_j)``, which vary by no more than the costs do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from verification.enclosure.balls import (
    Ball,
    Between,
    Number,
    ball,
    end_points,
    exact_ball,
    lower_double,
    total,
    upper_double,
)
from verification.errors import NotEnclosed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

MAX_PAIRS = 20_000
"""Largest number of pairs of points; the linear program then takes about a second."""

Masses: TypeAlias = dict[tuple[int, int], Fraction]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What the linear program found, in double precision; nothing is proved of it.

    Parameters
    ----------
    plan : dict of (int, int) to Fraction
        The pairs with positive mass.
    potential : tuple of float, shape (n_first,)
        The values f.
    """

    plan: Masses
    potential: tuple[float, ...]


def transport_enclosure(
    first: Sequence[Number], second: Sequence[Number], cost: Sequence[Sequence[Number]]
) -> Between:
    """Enclose the transport cost between two finite laws.

    Parameters
    ----------
    first : sequence of Number, shape (n_first,)
        The probabilities p: rationals, or balls that enclose them.
    second : sequence of Number, shape (n_second,)
        The probabilities q.
    cost : sequence of sequence of Number, shape (n_first, n_second)
        The costs c, of any sign.

    Returns
    -------
    Between
        Wider than the enclosures of the arguments make it by a few units of double precision,
        relative to the largest cost.

    Raises
    ------
    ValueError
        Where the shapes do not fit, or rational probabilities do not sum to 1 or are negative.
    NotEnclosed
        Where there are more than `MAX_PAIRS` pairs, or the linear program finds nothing.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    n, m = len(first), len(second)
    if len(cost) != n or any(len(row) != m for row in cost):
        raise ValueError(f"costs are needed for {n} times {m} pairs of points")
    values = [[ball(c) for c in row] for row in cost]
    low = np.array([[lower_double(c) for c in row] for row in values])
    high = np.array([[upper_double(c) for c in row] for row in values])
    return transport_between(first, second, low.reshape(n, m), high.reshape(n, m))


def transport_between(
    first: Sequence[Number], second: Sequence[Number], low: Array, high: Array
) -> Between:
    """Enclose the transport cost for costs that lie between doubles.

    Parameters
    ----------
    first, second : sequence of Number
        As for `transport_enclosure`, which this is the fast form of.
    low, high : Array, shape (n_first, n_second)
        Doubles no larger, and no smaller, than the costs.
    """
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    _check(first, second, low.shape)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise NotEnclosed("a cost of transport is not enclosed")
    here, there = rational_law(first), rational_law(second)
    # Points without mass would leave their potentials arbitrary: the program never sees them.
    rows, columns = ([k for k, p in enumerate(law) if p > 0] for law in (here, there))
    proposal = propose(
        [float(here[i]) for i in rows],
        [float(there[j]) for j in columns],
        (low[rows][:, columns] + high[rows][:, columns]) / 2,
    )
    plan = exact_plan(
        {(rows[i], columns[j]): mass for (i, j), mass in proposal.plan.items()}, here, there
    )
    above = total(ball(mass) * exact_ball(float(high[pair])) for pair, mass in plan.items())
    spread = exact_ball(float(high.max())) - exact_ball(float(low.min()))
    moved = _variation(first, here) + _variation(second, there)
    potential = _everywhere(proposal.potential, rows, low, columns)
    partner = _partner(potential, low)
    below = total(exact_ball(f) * ball(p) for f, p in zip(potential, first, strict=True))
    below = below + total(exact_ball(g) * ball(q) for g, q in zip(partner, second, strict=True))
    return Between(below, above + spread * moved)


def rational_law(law: Sequence[Number]) -> tuple[Fraction, ...]:
    """Return a rational law beside one that is enclosed: itself where it is exact."""
    rationals = [p for p in law if isinstance(p, Fraction)]
    if len(rationals) == len(law):
        return tuple(rationals)
    middle = [max(sum(end_points(ball(p)), Fraction(0)) / 2, Fraction(0)) for p in law]
    mass = sum(middle, Fraction(0))
    if not mass:
        raise NotEnclosed("the probabilities of a law are enclosed too widely")
    return tuple(p / mass for p in middle)


def propose(first: Sequence[float], second: Sequence[float], cost: Array) -> Proposal:
    """Solve the linear program in double precision: a candidate, never a bound."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without
    from scipy.optimize import linprog  # noqa: PLC0415 - heavy, and needed here only

    n, m = cost.shape
    if n == 1:
        # There is one plan, and any potential of one point is best.
        return _proposal(np.array([second]), (0.0,))
    totals = np.concatenate((first, second))
    # One of the equations follows from the others in exact numbers, and contradicts them in
    # doubles: that of the largest mass is left out.
    kept = np.delete(np.arange(n + m), n + int(np.argmax(second)))
    # The solver's tolerances are absolute: it is given costs between 0 and 1.
    lowest, scale = float(cost.min()), float(np.ptp(cost)) or 1.0
    found = linprog(
        ((cost - lowest) / scale).ravel(),
        A_eq=_sums(n, m)[kept],
        b_eq=totals[kept],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        raise NotEnclosed(f"no transport plan was proposed: {found.message}")
    potential = tuple(float(f) * scale for f in found.eqlin.marginals[:n])
    return _proposal(found.x.reshape(n, m), potential)


def _proposal(masses: Array, potential: tuple[float, ...]) -> Proposal:
    """Return the pairs with more than a negligible mass, and a potential."""
    rows, columns = (masses > 1e-14 * float(masses.max())).nonzero()
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    plan = dict(zip(pairs, map(Fraction, masses[rows, columns].tolist()), strict=True))
    return Proposal(plan=plan, potential=potential)


def _sums(n: int, m: int) -> Any:  # noqa: ANN401 - a sparse array
    """Return the matrix that takes a plan, row by row, to its row sums and its column sums."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without
    from scipy.sparse import csr_array  # noqa: PLC0415 - heavy, as above

    pairs = np.arange(n * m)
    columns = np.concatenate((pairs, pairs.reshape(n, m).T.ravel()))
    starts = np.concatenate((m * np.arange(n), n * m + n * np.arange(m + 1)))
    return csr_array((np.ones(2 * n * m), columns, starts), shape=(n + m, n * m))


def exact_plan(proposed: Masses, first: Sequence[Fraction], second: Sequence[Fraction]) -> Masses:
    """Return a plan with exactly the given row and column sums, along the proposed pairs.

    Parameters
    ----------
    proposed : dict of (int, int) to Fraction
        Pairs and masses, of any quality.
    first, second : sequence of Fraction
        Two laws with the same total mass.

    Notes
    -----
    A row or column with one pair left must send all that it has through it, which settles the
    plan where the pairs hold no cycle, as those of a vertex of the polytope do.  In a cycle the
    proposed mass is taken.
    """
    rest: tuple[list[Fraction], list[Fraction]] = list(first), list(second)
    pairs: tuple[dict[int, set[int]], dict[int, set[int]]] = ({}, {})
    for i, j in proposed:
        pairs[0].setdefault(i, set()).add(j)
        pairs[1].setdefault(j, set()).add(i)
    plan: Masses = {}

    def send(i: int, j: int, mass: Fraction) -> None:
        if mass > 0:
            plan[i, j] = plan.get((i, j), Fraction(0)) + mass
            rest[0][i] -= mass
            rest[1][j] -= mass

    waiting = [(side, k) for side in (0, 1) for k, others in pairs[side].items()]
    in_cycles = dict(proposed)
    while waiting or in_cycles:
        if waiting:
            side, k = waiting.pop()
            if len(pairs[side].get(k, ())) != 1:
                continue
            (other,) = pairs[side][k]
            i, j = (k, other) if side == 0 else (other, k)
            mass = min(rest[0][i], rest[1][j])
        else:
            (i, j), mass = in_cycles.popitem()
            if j not in pairs[0].get(i, ()):
                continue
            mass = min(mass, rest[0][i], rest[1][j])
        send(i, j, mass)
        pairs[0][i].discard(j)
        pairs[1][j].discard(i)
        waiting += [(0, i), (1, j)]
    _match_in_order(rest, send)
    return plan


def _match_in_order(
    rest: tuple[list[Fraction], list[Fraction]], send: Callable[[int, int, Fraction], None]
) -> None:
    """Match what is left over, first come first served."""
    i = j = 0
    while i < len(rest[0]) and j < len(rest[1]):
        if not rest[0][i]:
            i += 1
        elif not rest[1][j]:
            j += 1
        else:
            send(i, j, min(rest[0][i], rest[1][j]))


def _check(first: Sequence[Number], second: Sequence[Number], shape: tuple[int, ...]) -> None:
    n, m = len(first), len(second)
    if shape != (n, m) or not n or not m:
        raise ValueError(f"costs have shape {shape}, expected ({n}, {m}), at least one of each")
    if n * m > MAX_PAIRS:
        raise NotEnclosed(f"a transport between {n} and {m} points has more than {MAX_PAIRS} pairs")
    for law in (first, second):
        exact = [p for p in law if isinstance(p, Fraction)]
        if any(p < 0 for p in exact):
            raise ValueError("a probability is negative")
        if len(exact) == len(law) and sum(exact) != 1:
            raise ValueError(f"probabilities sum to {sum(exact)}, expected 1")


def _everywhere(
    potential: Sequence[float], rows: Sequence[int], low: Array, columns: Sequence[int]
) -> list[float]:
    """Extend f from the points that have mass to all of them: ``f_i = min_j (c_ij - g_j)``."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    known = np.array(potential)
    partner = (low[rows] - known[:, np.newaxis]).min(axis=0)
    everywhere = (low[:, columns] - partner[columns]).min(axis=1)
    everywhere[list(rows)] = known
    # Constants may be moved between f and g; a potential around 0 loses least to wide balls.
    middle = (float(known.max()) + float(known.min())) / 2
    return [float(f) for f in everywhere - middle]


def _partner(potential: Sequence[float], low: Array) -> list[float]:
    """Return doubles g with ``f_i + g_j <= c_ij`` for all i and j."""
    import numpy as np  # noqa: PLC0415 - `theorems list` does without

    # One rounding each, undone by one step down; the minimum of doubles is exact.
    differences = low - np.array(potential)[:, np.newaxis]
    return [float(g) for g in np.nextafter(differences.min(axis=0), -np.inf)]


def _variation(law: Sequence[Number], rational: Sequence[Fraction]) -> Ball:
    """Bound the total variation between an enclosed law and the rational one beside it."""
    terms = [
        exact_ball(upper_double(abs(ball(p) - ball(r))))
        for p, r in zip(law, rational, strict=True)
        if not isinstance(p, Fraction)
    ]
    return total(terms) / 2

r"""How far the stationary law moves when the transition matrix is not quite known.

**Setting.**  P is the transition matrix of a chain with one recurrent class, of any period, and pi
its stationary law; P' is another stochastic matrix on the same states, such as one estimated from a
sequence, and pi' a stationary law of P'.  ``|P' - P| = max_i sum_j |P'_ij - P_ij|``.  G is any
matrix with ``(I - P) G = I - 1 w`` for some row w, and
``tau = max_{i,k} sum_j |G_ij - G_kj| / 2``, half the largest distance of two of its rows.

**Statement.**
E6.  ``|pi' - pi|_1 <= tau |P' - P|``.

**Proof.**  The law pi applied to both sides of the equation of G gives ``w = pi``; two such G
differ by a matrix all of whose rows are equal, since ``(I - P) g = 0`` for constant g only: tau is
a constant of P.  For ``x = pi' - pi``, of sum 0, ``x (I - P) = pi' - pi' P = pi' (P' - P)``, e for
short, and ``x = x (I - P) G = e G``.  Now e has sum 0, so that ``e = |e|_1 (a - b) / 2`` with two
laws a and b, and ``|a G - b G|_1`` is convex in a and in b, hence at most ``2 tau``:
``|x|_1 <= tau |e|_1``.  At last ``|e|_1 <= sum_i pi'_i sum_j |P'_ij - P_ij| <= |P' - P|``.

**Equality.**  Let rows i and k of G be most distant, and P' the matrix P with the same mass moved
from k to i in every row: then ``e`` is that mass times ``1_i - 1_k``, and both sides are equal.
With two states ``tau = 1 / (P_01 + P_10)``.

**Which G.**  ``G = (I - P + 1 1_0)^(-1)``, 1_0 the row that is 1 at state 0 (`resolvent`).  The
fundamental matrix ``Z = (I - P + 1 pi)^(-1)`` would do as well, but has pi in it, which the left
side is about.

**What the verdicts establish.**  CERTIFIED: the inequality for the matrices P' listed, all of which
keep every transition of P, so that pi' is their only stationary law.  Exact rationals on small
chains.  With ``P' = P`` the claim says nothing; such P' are left out.

Source: this project; Seneta (Adv. Appl. Prob. 20, 1988, 228-230) has the bound with the ergodicity
coefficient of Z.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from itertools import pairwise

from theorems.geometric_ergodicity import ONE_LAW, ONE_STATE
from verification.claim import AnyClaim, Claim, Constant, Mutant, Number
from verification.enclosure.balls import ball, end_points, upper_double, working_precision
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import absolute, minus, times, total
from verification.instance import SCHEMA, Chain, Instance
from verification.markov import finite
from verification.markov.chain import sample_path
from verification.verdict import EvidenceKind

PATH = 1_000
"""Length of the sequence from which one of the changed matrices is estimated."""

_LARGEST_SHARE = Fraction(1, 2**10)
_SMALL = Fraction(1, 2**6)


# Constants


def resolvent(chain: Chain) -> Matrix:
    """Return ``G = (I - P + 1 1_0)^(-1)``, shape (n_states, n_states).

    Notes
    -----
    From ``x (I - P + 1 1_0) = 0`` follows ``sum x = 0``, the product with 1, hence ``x = x P``:
    x is a multiple of pi, and 0.  The matrix maps 1 to 1, so that ``(I - P) G = I - 1 1_0 G``.
    """
    return _resolvent(chain, working_precision())


@lru_cache(maxsize=64)
def _resolvent(chain: Chain, _bits: int) -> Matrix:
    size = chain.n_states
    identity = Matrix.identity(size)
    first = Matrix.exact([[Fraction(j == 0) for j in range(size)]])
    anchored = identity - finite.transition_matrix(chain) + Matrix.constant(size, 1, 1) @ first
    return anchored.solve(identity)


def sensitivity_of_law(instance: Instance) -> Number:
    """Return tau, half the largest distance of two rows of G; 0 of one state."""
    if instance.chain.n_states == 1:
        return Fraction(0)
    finite.require_one_law(instance.chain)
    return _widest(instance.chain, working_precision())[0]


@lru_cache(maxsize=64)
def _widest(chain: Chain, _bits: int) -> tuple[Number, tuple[int, int]]:
    return finite.most_distant_rows(resolvent(chain))


# Cases


@dataclass(frozen=True, kw_only=True)
class ChangedChain:
    """A chain on the same states with another transition matrix, P'."""

    name: str
    chain: Chain

    def __str__(self) -> str:
        return self.name


def changed_chains(instance: Instance, rng: random.Random) -> Sequence[ChangedChain]:
    """Return chains near the instance's, with all of its transitions.

    The same mass moved from one state to another in all rows, the two those of the most distant
    rows of G, for which both sides are equal where it can be moved; restarts; one row changed; and
    a matrix estimated from a drawn sequence.  But for the last the changes are so small that the
    bound is below 1; chains that are as they were are left out.
    """
    chain, n = instance.chain, instance.chain.n_states
    share = _share(instance)
    law = [upper_double(ball(p)) for p in finite.stationary_law(chain)]
    often, seldom = max(range(n), key=law.__getitem__), min(range(n), key=law.__getitem__)
    if often == seldom:
        seldom = (often + 1) % n
    one, other = _widest(chain, working_precision())[1]
    drawn = rng.randrange(n)
    rows = {
        f"mass moved from {other} to {one}": _moved(chain, other, one, share),
        f"mass moved from {one} to {other}": _moved(chain, one, other, share),
        f"restarts at {seldom}": [_mixed(row, seldom, share) for row in _rows(chain)],
        f"restarts at {often}": [_mixed(row, often, share) for row in _rows(chain)],
        f"row {often} drawn to {drawn}": [
            _mixed(row, drawn, share) if i == often else row for i, row in enumerate(_rows(chain))
        ],
        f"estimated from {PATH} steps": _estimated(chain, rng),
    }
    cases = [ChangedChain(name=name, chain=_with_rows(chain, new)) for name, new in rows.items()]
    return [case for case in cases if case.chain.rows != chain.rows]


def _share(instance: Instance) -> Fraction:
    """Return a power of two so small that changes of this share move pi by a part of its mass."""
    tau = end_points(ball(sensitivity_of_law(instance)))[1]
    share = _LARGEST_SHARE
    while share * tau > _SMALL:
        share /= 2
    return share


def _rows(chain: Chain) -> list[dict[int, Fraction]]:
    return [dict(row) for row in chain.rows]


def _with_rows(chain: Chain, rows: Sequence[Mapping[int, Fraction]]) -> Chain:
    return dataclasses.replace(
        chain, rows=tuple(tuple(sorted((j, p) for j, p in row.items() if p)) for row in rows)
    )


def _moved(chain: Chain, source: int, goal: int, share: Fraction) -> list[dict[int, Fraction]]:
    """Return the rows with the same mass moved from `source` to `goal`, where there is any."""
    rows = _rows(chain)
    least = min((row[source] for row in rows if source in row), default=Fraction(0))
    mass = min(share, least / 2)
    for row in rows:
        if source in row:
            row[source] -= mass
            row[goal] = row.get(goal, Fraction(0)) + mass
    return rows


def _mixed(row: Mapping[int, Fraction], goal: int, share: Fraction) -> dict[int, Fraction]:
    """Return the row with that share of it sent to one state."""
    mixed = {j: (1 - share) * p for j, p in row.items()}
    mixed[goal] = mixed.get(goal, Fraction(0)) + share
    return mixed


def _estimated(chain: Chain, rng: random.Random) -> list[dict[int, Fraction]]:
    """Return the rows as a drawn sequence shows them, each row of P counted as one step more."""
    path = sample_path(chain, chain.initial, PATH, rng)
    counts = Counter(pairwise(path))
    visits = Counter(path[:-1])
    return [
        {j: (counts[i, j] + p) / (visits[i] + 1) for j, p in row.items()}
        for i, row in enumerate(_rows(chain))
    ]


# Left side


def distance_of_laws(instance: Instance, case: ChangedChain) -> Number:
    """Return ``|pi' - pi|_1``."""
    laws = zip(
        finite.stationary_law(case.chain), finite.stationary_law(instance.chain), strict=True
    )
    return total([absolute(minus(p, q)) for p, q in laws])


# Right sides, and those of the mutants


def row_changes(instance: Instance, case: ChangedChain) -> list[Fraction]:
    """Return ``sum_j |P'_ij - P_ij|`` for every row i."""
    zero = Fraction(0)
    return [
        sum((abs(new.get(j, zero) - old.get(j, zero)) for j in new.keys() | old.keys()), zero)
        for new, old in zip(_rows(case.chain), _rows(instance.chain), strict=True)
    ]


def perturbation_bound(
    instance: Instance, case: ChangedChain, *, factor: Fraction = Fraction(1)
) -> Number:
    """Return ``tau |P' - P|``; a mutant multiplies it by a factor."""
    return times(factor * max(row_changes(instance, case)), sensitivity_of_law(instance))


def bound_by_mean_change(instance: Instance, case: ChangedChain) -> Number:
    """Return the right side with the mean over the rows for their maximum."""
    changes = row_changes(instance, case)
    return times(sum(changes, Fraction(0)) / len(changes), sensitivity_of_law(instance))


def bound_without_first_term(instance: Instance, case: ChangedChain) -> Number:
    """Return the right side with ``G - I``, the sum of the powers of P without the first."""
    matrix = resolvent(instance.chain) - Matrix.identity(instance.chain.n_states)
    return times(max(row_changes(instance, case)), finite.most_distant_rows(matrix)[0])


# What holds without the theorem


def two(_instance: Instance, _case: ChangedChain) -> Fraction:
    """Return 2, the largest distance of two laws."""
    return Fraction(2)


# The claim

TAU = Constant(
    symbol="tau",
    meaning="how far the stationary law moves per change of the transition matrix",
    formula=r"\tau = \max_{i,k} \frac{1}{2} \sum_j |G_{ij} - G_{kj}|, \quad (I - P) G = I - 1 \pi",
    value=sensitivity_of_law,
)

E6: Claim[Instance, ChangedChain] = Claim(
    id="E6",
    theorem="stationary_perturbation",
    title="The stationary law depends on the transition matrix Lipschitz continuously",
    statement=(
        "For a stationary law π′ of any stochastic matrix P′, |π′ − π|₁ ≤ τ |P′ − P|, where "
        "|P′ − P| is the largest Σ_j |P′ᵢⱼ − Pᵢⱼ| of a row and 2τ the largest distance "
        "Σ_j |Gᵢⱼ − Gₖⱼ| of two rows of G, (I − P)G = I − 1π."
    ),
    formula=r"|\pi' - \pi|_1 \le \tau \max_i \sum_j |P'_{ij} - P_{ij}|",
    kind=SCHEMA,
    assumptions=(ONE_LAW,),
    constants=(TAU,),
    vacuities=(ONE_STATE,),
    cases=changed_chains,
    left=distance_of_laws,
    right=perturbation_bound,
    trivial=two,
    evidence=EvidenceKind.RATIONALS,
    proof=(
        "x = π′ − π has sum 0 and x(I − P) = π′(P′ − P) = e, hence x = eG; e has sum 0, and is "
        "|e|₁/2 times a difference of two laws, each a mean of rows: |eG|₁ ≤ τ|e|₁."
    ),
    establishes=(
        "CERTIFIED: the inequality for the matrices P′ listed, among them one estimated from a "
        "drawn sequence and, where rows allow it, one for which both sides are equal; on chains of "
        "any period, in exact rationals on small ones. G is found without π."
    ),
    source="this project; with the ergodicity coefficient of Z: Seneta (1988)",
    sharp=("two-state-sticky", "rain-tel-aviv"),
    mutants=(
        Mutant(
            name="total-variation-of-rows",
            error="rows compared in total variation, half their distance",
            refuted_on=("two-state-sticky", "rain-tel-aviv"),
            right=partial(perturbation_bound, factor=Fraction(1, 2)),
        ),
        Mutant(
            name="mean-change",
            error="the largest change of a row replaced by the rows' mean",
            refuted_on=("two-state-sticky",),
            right=bound_by_mean_change,
        ),
        Mutant(
            name="first-term-dropped",
            error="G replaced by G − I: the sum of P^n from n = 1",
            refuted_on=("two-state-sticky", "rain-tel-aviv"),
            right=bound_without_first_term,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (E6,)

"""Markov chains in rationals: verified laws and Poisson solutions, contraction of powers.

Nothing is solved here.  A stationary law, a solution of the Poisson equation or hitting times come
as witnesses; what is verified is the equation that they satisfy, and on the graph of the chain that
the equation has one solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from verification.certificate.check.instances import Instance
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.numbers.lattices import work_of_gcd
from verification.certificate.check.outcome import Budget, Invalid

_BITS = 128
_DOUBLINGS = 4

Vector = tuple[Fraction, ...]


class Chain:
    """The chain of an instance, with its witnessed stationary law.

    Raises
    ------
    Invalid
        Where the law is not stationary, or not the only one.
    """

    def __init__(self, instance: Instance, law: Vector, budget: Budget) -> None:
        self.instance = instance
        self.size = instance.size
        self.budget = budget
        self.law = law
        self._rows = []
        for row in instance.rows:
            denominator = lcm(*(p.denominator for _, p in row))
            entries = [(j, p.numerator * (denominator // p.denominator)) for j, p in row]
            self._rows.append((denominator, entries))
        if min(law) < 0 or sum(law) != 1 or self.carried(law) != law:
            raise Invalid("witness.stationary_law: is not a stationary law of the chain")
        state = max(range(self.size), key=law.__getitem__)
        if not self._all_reach(state):
            raise Invalid("assumption: the chain has more than one recurrent class")
        self._solutions: set[tuple[Vector, Vector]] = set()
        self._steps: int | None = None
        self._powers: dict[int, list[list[int]]] = {}
        self._contractions: dict[int, Bounds] = {}

    def dense(self) -> list[list[Fraction]]:
        """Return P with all its zeros."""
        rows = [[Fraction(0)] * self.size for _ in range(self.size)]
        for row, (denominator, entries) in zip(rows, self._rows, strict=True):
            for j, a in entries:
                row[j] = Fraction(a, denominator)
        return rows

    # Products

    def averaged(self, values: Sequence[Fraction]) -> Vector:
        """Return ``P g``."""
        numerators, common = self._over_common(values)
        self._spend(common)
        return tuple(
            Fraction(sum(a * numerators[j] for j, a in row), denominator * common)
            for denominator, row in self._rows
        )

    def carried(self, values: Sequence[Fraction]) -> Vector:
        """Return ``p P``."""
        shares = [value / row[0] for value, row in zip(values, self._rows, strict=True)]
        numerators, common = self._over_common(shares)
        self._spend(common)
        self.budget.spend(self.size * work_of_gcd(common, common))
        found = [0] * self.size
        for numerator, (_, row) in zip(numerators, self._rows, strict=True):
            if numerator:
                for j, a in row:
                    found[j] += numerator * a
        return tuple(Fraction(value, common) for value in found)

    def mean(self, values: Sequence[Fraction]) -> Fraction:
        """Return ``pi(g)``."""
        first, one = self._over_common(self.law)
        second, other = self._over_common(values)
        self._spend(max(one, other))
        return Fraction(sum(p * g for p, g in zip(first, second, strict=True)), one * other)

    def centred(self, values: Sequence[Fraction]) -> Vector:
        """Return ``f - pi(f)``."""
        mean = self.mean(values)
        return tuple(value - mean for value in values)

    def _over_common(self, values: Sequence[Fraction]) -> tuple[list[int], int]:
        common = 1
        for denominator in dict.fromkeys(value.denominator for value in values):
            self.budget.spend(work_of_gcd(common, denominator))
            common = lcm(common, denominator)
        self.budget.spend(sum(work_of_gcd(common, value.denominator) for value in values))
        return [value.numerator * (common // value.denominator) for value in values], common

    def _spend(self, common: int) -> None:
        self.budget.spend(sum(len(row) for _, row in self._rows), common.bit_length())

    # Witnesses

    def require_solution(self, observable: Vector, solution: Vector) -> None:
        """Show that ``u - P u = f - pi(f)`` and ``pi(u) = 0``: u is the Poisson solution.

        Raises
        ------
        Invalid
            Where it is not.
        """
        if (observable, solution) in self._solutions:
            return
        following, centred = self.averaged(solution), self.centred(observable)
        if any(
            u - v != f for u, v, f in zip(solution, following, centred, strict=True)
        ) or self.mean(solution):
            raise Invalid("the Poisson equation u - P u = f - pi(f), pi(u) = 0, does not hold")
        self._solutions.add((observable, solution))

    def require_hitting_times(self, target: int, times: Vector) -> None:
        """Show that ``h = 1 + P h`` but at the recurrent state r, where ``h = 0``.

        From every state r is reached, so that the equations have one solution.

        Raises
        ------
        Invalid
            Where it is not.
        """
        if not self.law[target]:
            raise Invalid(f"state {target} is not recurrent")
        following = self.averaged(times)
        if times[target] or any(
            h != 1 + v for i, (h, v) in enumerate(zip(times, following, strict=True)) if i != target
        ):
            raise Invalid("the equations h = 1 + P h of the hitting times do not hold")

    # The graph

    def _all_reach(self, target: int) -> bool:
        sources: list[list[int]] = [[] for _ in range(self.size)]
        for i, (_, row) in enumerate(self._rows):
            for j, _ in row:
                sources[j].append(i)
        found, frontier = {target}, [target]
        while frontier:
            following = [i for i in sources[frontier.pop()] if i not in found]
            found.update(following)
            frontier += following
        return len(found) == self.size

    def _is_aperiodic(self) -> bool:
        first = max(range(self.size), key=self.law.__getitem__)
        level, frontier, period = {first: 0}, [first], 0
        while frontier:
            i = frontier.pop()
            for j, _ in self._rows[i][1]:
                if j in level:
                    period = gcd(period, level[i] + 1 - level[j])
                else:
                    level[j] = level[i] + 1
                    frontier.append(j)
        return period == 1

    def coupling_steps(self) -> int:
        """Return the least m at which every two rows of P^m share a positive entry.

        Raises
        ------
        Invalid
            Where there is none: the chain is periodic.
        """
        if self._steps is None:
            if not self._is_aperiodic():
                raise Invalid("assumption: delta(P^m) = 1 for every m, the chain is periodic")
            self._steps = self._least_steps()
        return self._steps

    def _least_steps(self) -> int:
        powers = [[sum(1 << j for j, _ in row) for _, row in self._rows]]
        while not _share(powers[-1]):
            powers.append(self._joined(powers[-1], powers[-1]))
        steps, reached = 0, [1 << i for i in range(self.size)]
        for exponent in range(len(powers) - 2, -1, -1):
            further = self._joined(reached, powers[exponent])
            if not _share(further):
                steps, reached = steps + 2**exponent, further
        return steps + 1

    def _joined(self, first: list[int], second: list[int]) -> list[int]:
        self.budget.spend(2 * self.size**2)
        product = []
        for reached in first:
            row, left = 0, reached
            while left:
                row |= second[(left & -left).bit_length() - 1]
                left &= left - 1
            product.append(row)
        return product

    # Contraction

    def contraction(self, steps: int) -> Bounds:
        """Return ``delta(P^n) = 1 - min_{i,j} sum_k min(P^n_ik, P^n_jk)``, for n >= 1."""
        if steps not in self._contractions:
            self._contractions[steps] = self._found_contraction(steps)
        return self._contractions[steps]

    def _found_contraction(self, steps: int) -> Bounds:
        if self.size == 1:
            return Bounds.exactly(Fraction(0))
        if steps == 1:
            return Bounds.exactly(self._exact_contraction(self.dense()))
        power = self._power(steps)
        self.budget.spend(self.size**3 // 2)
        least = min(sum(map(min, power[i], power[j])) for i in range(self.size) for j in range(i))
        # Entries are rounded down, so that a row lacks what its sum lacks, and two rows share at
        # most what both lack more than is seen.
        lacking = max((1 << _BITS) - sum(row) for row in power)
        upper = Fraction((1 << _BITS) - least, 1 << _BITS)
        return Bounds(max(upper - Fraction(2 * lacking, 1 << _BITS), Fraction(0)), upper)

    def _exact_contraction(self, rows: list[list[Fraction]]) -> Fraction:
        common = lcm(*(denominator for denominator, _ in self._rows))
        whole = [[int(p * common) for p in row] for row in rows]
        self.budget.spend(self.size**3 // 2, common.bit_length())
        least = min(sum(map(min, whole[i], whole[j])) for i in range(self.size) for j in range(i))
        return 1 - Fraction(least, common)

    def _power(self, steps: int) -> list[list[int]]:
        """Return ``2^bits P^n``, every entry rounded down, by squares."""
        if steps not in self._powers:
            if steps == 1:
                power = [[0] * self.size for _ in range(self.size)]
                for row, (denominator, entries) in zip(power, self._rows, strict=True):
                    for j, a in entries:
                        row[j] = (a << _BITS) // denominator
            else:
                half = self._power(steps // 2)
                power = self._rounded_product(half, half)
                if steps % 2:
                    power = self._rounded_product(power, self._power(1))
            self._powers[steps] = power
        return self._powers[steps]

    def _rounded_product(self, first: list[list[int]], second: list[list[int]]) -> list[list[int]]:
        """Multiply two matrices of numbers >= 0, rounding down.

        A row of the second is one long integer with a slot for each entry, wide enough for the
        sums: Python multiplies that in one go.
        """
        slot = 2 * _BITS + self.size.bit_length() + 1
        slot += -slot % 8
        width = slot // 8
        packed = [
            int.from_bytes(b"".join(x.to_bytes(width, "little") for x in row), "little")
            for row in second
        ]
        self.budget.spend(self.size**3 // 4, 2 * _BITS)
        product = []
        for row in first:
            total = sum(map(int.__mul__, row, packed)).to_bytes(width * self.size, "little")
            product.append(
                [
                    int.from_bytes(total[k : k + width], "little") >> _BITS
                    for k in range(0, width * self.size, width)
                ]
            )
        return product

    def summed_contraction(self) -> Bounds:
        """Return ``Delta = m prod_{i<k} (1 + delta_i) / (1 - delta_k)``, which bounds the sum.

        ``delta_i = delta(P^(m 2^i))``, m the number of coupling steps and k <= 4 the least with
        ``delta_k <= 1/4``; of one state 0.
        """
        if self.size == 1:
            return Bounds.exactly(Fraction(0))
        steps = self.coupling_steps()
        lower = upper = Fraction(steps)
        for _ in range(_DOUBLINGS):
            coefficient = self.contraction(steps)
            if coefficient.upper <= Fraction(1, 4):
                break
            lower, upper = lower * (1 + coefficient.lower), upper * (1 + coefficient.upper)
            steps *= 2
        coefficient = self.contraction(steps)
        return _divided(Bounds(lower, upper), coefficient)

    def branching(self) -> Fraction:
        """Return ``max_i (1 - sum_j P_ij^2)``: two independent steps from i differ so often."""
        rows = self.instance.rows
        return max(1 - sum((p * p for _, p in row), Fraction(0)) for row in rows)

    def conditioning(self) -> Bounds:
        """Return ``sum_{j<m} delta(P^j) / (1 - delta(P^m)) = m / (1 - delta(P^m))``."""
        steps = self.coupling_steps()
        return _divided(Bounds.exactly(Fraction(steps)), self.contraction(steps))


def _divided(dividend: Bounds, coefficient: Bounds) -> Bounds:
    if coefficient.upper >= 1:
        raise Invalid("not shown that delta(P^m) < 1")
    return Bounds(
        dividend.lower / (1 - coefficient.lower), dividend.upper / (1 - coefficient.upper)
    )


def _share(rows: list[int]) -> bool:
    return all(first & second for i, first in enumerate(rows) for second in rows[:i])


def oscillation(values: Sequence[Fraction]) -> Fraction:
    """Return ``max g - min g``."""
    return max(values) - min(values)

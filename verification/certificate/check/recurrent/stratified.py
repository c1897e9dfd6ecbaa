r"""The stratified network, a weighted unit an atom, and the linear recursion, in balls.

With ``<f> = sum_a p_a f_a``, ``eps = N^(beta-1)`` and ``h = alpha / N`` the network is trained by

    v_k = <B_k S_k>,    S_{k+1} = sigma(W_k.x + v_k),    e_k = psi(<C_k S_{k+1}> / eps) - y,
    C_{k+1} = C_k - h eps e_k S_{k+1},    W_{k+1} = W_k - h eps e_k C_k sigma' x,
    B_{k+1} = B_k - h eps e_k S_k <C_k sigma'>,    G_k(x, v) = <C_k sigma(W_k.x + v)> / eps.

The linear recursion, ``L_{k+1} = L_k - h l_k K(zeta_k, .)``, ``l_k = L_k(zeta_k) - y``, K the
kernel and v_k the memory of the units as they were, is followed by its sums: ``L_k = -h sum_{j<k}
l_j K(zeta_j, .)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verification.certificate.check.instances import Atom, Instance, Law, Vector
from verification.certificate.check.numbers.balls import Ball, ball, total, working_precision
from verification.certificate.check.outcome import Budget
from verification.certificate.check.recurrent.activations import curve
from verification.certificate.check.recurrent.memory import projections
from verification.certificate.check.recurrent.training import Rates, clip, inner


@dataclass(frozen=True)
class Units:
    """Kinds of units with their shares."""

    p: Vector
    c: Vector
    w: tuple[Vector, ...]
    b: Vector

    @property
    def law(self) -> Law:
        """Their law."""
        rows = zip(self.p, self.c, self.w, self.b, strict=True)
        return Law(None, None, None, tuple(Atom(*row) for row in rows))

    def moment(self, order: int, *, with_b: bool = False) -> Fraction:
        """Return ``<|C|^j>``, or ``<|B| |C|^j>``."""
        rows = zip(self.p, self.c, self.b, strict=True)
        return sum(
            (p * abs(c) ** order * (abs(b) if with_b else 1) for p, c, b in rows), Fraction(0)
        )


@dataclass(frozen=True)
class _Seen:
    """An input by its number, and what each unit makes of it with the weights it had at first."""

    number: int
    values: list[Ball]
    slopes: list[Ball]


class Both:
    """The network and the linear recursion along one path, at the working precision."""

    def __init__(
        self, instance: Instance, units: Units, rates: Rates, path: Sequence[int], budget: Budget
    ) -> None:
        self.units, self.rates = units, rates
        self.eps = rates.power(rates.training.beta - 1)
        self._value, self._slope = (curve(instance.activation, order) for order in (0, 1))
        self._p, self._c = [ball(x) for x in units.p], [ball(x) for x in units.c]
        self._budget, self._cost = budget, 40 * len(units.p) * len(instance.activation)
        self._numbers: dict[Vector, int] = {}
        self._projections: list[list[Ball]] = []
        self._products: dict[tuple[int, int], Ball] = {}
        self.weights: list[tuple[list[Ball], list[list[Ball]]]] = []
        self._train(instance, path)
        self._seen: list[_Seen] = []
        self._errors: list[Ball] = []
        self._follow(instance, path)

    def largest_difference(self, point: Vector, memory: Fraction) -> Ball:
        """Enclose ``sup_k |G_k - L_k|`` at a point."""
        place, linear = self._at(point, ball(memory)), ball(0)
        x, shift, largest = [ball(t) for t in point], ball(memory), ball(0)
        still = self._projections[place.number]
        for k, (c, moved) in enumerate(self.weights):
            self._budget.spend(2 * self._cost, working_precision())
            arguments = [
                u + inner(turned, x) + shift for u, turned in zip(still, moved, strict=True)
            ]
            through = [p * t for p, t in zip(self._p, c, strict=True)]
            output = inner(through, [self._value(u) for u in arguments]) / self.eps
            largest = largest.max(abs(output - linear))
            if k < len(self._errors):
                kernel = self._kernel(self._seen[k], place)
                linear = linear - self.rates.step * self._errors[k] * kernel
        return largest

    def squared_feature(self, point: Vector, memory: Fraction) -> Ball:
        """Enclose ``K(zeta, zeta)``."""
        place = self._at(point, ball(memory))
        return self._kernel(place, place)

    def _number(self, point: Vector) -> int:
        """Return the number of an input, whose products with the weights at first are known."""
        if point not in self._numbers:
            places = projections(self.units.w, point, self._budget)
            self._projections.append([ball(place) for place in places])
            for other, k in [*self._numbers.items(), (point, len(self._numbers))]:
                (product,) = projections([other], point, self._budget)
                self._products[k, len(self._numbers)] = ball(product)
                self._products[len(self._numbers), k] = ball(product)
            self._numbers[point] = len(self._numbers)
        return self._numbers[point]

    def _at(self, point: Vector, memory: Ball) -> _Seen:
        number = self._number(point)
        arguments = [place + memory for place in self._projections[number]]
        return _Seen(
            number, [self._value(u) for u in arguments], [self._slope(u) for u in arguments]
        )

    def _kernel(self, first: _Seen, second: _Seen) -> Ball:
        self._budget.spend(10 * len(self._p), working_precision())
        product, found = self._products[first.number, second.number], ball(0)
        units = zip(
            self._p, self._c, first.values, second.values, first.slopes, second.slopes, strict=True
        )
        for p, c, one, other, steep, steeper in units:
            found = found + p * (one * other + c * c * steep * steeper * product)
        return found

    def _train(self, instance: Instance, path: Sequence[int]) -> None:
        nothing = [ball(0)] * len(self._p)
        c, b = self._c, [ball(x) for x in self.units.b]
        moved: list[list[Ball]] = [[ball(0)] * len(w) for w in self.units.w]
        hidden, memory = nothing, ball(0)
        self.weights.append((c, moved))
        for state in path:
            self._budget.spend(2 * self._cost, working_precision())
            point = instance.inputs[state]
            x = [ball(t) for t in point]
            arguments = [
                place + inner(turned, x) + memory
                for place, turned in zip(self._projections[self._number(point)], moved, strict=True)
            ]
            after = [self._value(u) for u in arguments]
            back = [t * self._slope(u) for t, u in zip(c, arguments, strict=True)]
            output = self._mean(c, after) / self.eps
            error = clip(output, self.rates.clip) - ball(instance.targets[state])
            pull = self.rates.step * self.eps * error
            shared = pull * inner(self._p, back)
            c = [t - pull * s for t, s in zip(c, after, strict=True)]
            moved = [
                [d - pull * t * entry for d, entry in zip(row, x, strict=True)]
                for row, t in zip(moved, back, strict=True)
            ]
            b = [t - shared * s for t, s in zip(b, hidden, strict=True)]
            hidden, memory = after, self._mean(b, after)
            self.weights.append((c, moved))

    def _follow(self, instance: Instance, path: Sequence[int]) -> None:
        memory, b = ball(0), [ball(x) for x in self.units.b]
        for state in path:
            here = self._at(instance.inputs[state], memory)
            terms = [
                error * self._kernel(seen, here)
                for error, seen in zip(self._errors, self._seen, strict=True)
            ]
            linear = -self.rates.step * total(terms)
            self._errors.append(linear - ball(instance.targets[state]))
            self._seen.append(here)
            memory = self._mean(b, here.values)

    def _mean(self, factors: Sequence[Ball], values: Sequence[Ball]) -> Ball:
        weighted = [p * f for p, f in zip(self._p, factors, strict=True)]
        return inner(weighted, values)

"""What is found of functions of the joint chain: sums of their images, and moments of sums.

Of ``V = sum_k Q^k f``, ``f(i, v) = v``, K terms are summed.  What is left, ``g = Q^K f``, is near a
number c_i for each state: ``sum_k P^k c`` is found by doubling.

What the sum of ``Q^k (g - c)`` adds is little.  Let O_k be by how much the image under ``Q^k`` of a
function of slope l differs between any two (i, x), |x| <= 1.  As ``(Q^m g)(i, x)`` is a mean over
the states j, by ``P^m_ij``, of values of ``g(j, .)``, which are within l of ``g(j, 0)``, ``O_{k+m}
<= delta(P^m) O_k + 2 l q^k``.  And no O_k is above O_0, so that their sum is at most ``(m O_0 + 2 l
/ (1 - q)) / (1 - delta(P^m))``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from verification.certificate.check.claims.ergodicity_claims import JointChain
from verification.certificate.check.claims.moment_claims import second_moments
from verification.certificate.check.markov.chains import Vector, oscillation
from verification.certificate.check.numbers.balls import (
    BallMatrix,
    bounds,
    column,
    matrix,
    precision,
)
from verification.certificate.check.numbers.bounds import Bounds
from verification.certificate.check.outcome import Refused, longest
from verification.certificate.check.recurrent.joint_functions import (
    JointFunctions,
    MemorySum,
    Moments,
    memory_sum,
    moments,
)
from verification.certificate.check.recurrent.memory_polynomials import ONE

MAX_TERMS = 3_000
_BITS, _COLUMN_BITS = 64, 192
_SMALL = Fraction(1, 2**72)
_ROOM = 16
_DOUBLINGS = 40
_PER_NUMBER = 100
"""What is charged for an exact number, by its length: it is compared and turned into balls."""


@dataclass(frozen=True)
class Accuracy:
    """How well functions are followed.

    Parameters
    ----------
    bits : int
        The precision of the memory map.
    aim : int
        What a step leaves out of a function is about ``2^-aim`` of it.
    rest : int
        K is such that ``q^K / (1 - q)`` is below ``2^-rest``; suprema are found to some times that.
    """

    bits: int
    aim: int
    rest: int


COARSE, FINE = Accuracy(64, 40, 34), Accuracy(128, 64, 60)


class Followed:
    """Functions of the joint chain, followed with an accuracy.

    Parameters
    ----------
    joint : JointChain
    accuracy : Accuracy
    centred_targets : callable
        Returns ``y - pi(y)``.
    """

    def __init__(
        self, joint: JointChain, accuracy: Accuracy, centred_targets: Callable[[], Vector]
    ) -> None:
        self._chain, self._centred_targets = joint.chain, centred_targets
        with precision(accuracy.bits):
            self.functions = JointFunctions(joint.chain, joint.memory, accuracy.aim)
        self.tolerance = Fraction(_ROOM, 1 << accuracy.rest)
        self.terms = _terms(self.functions.q, self.tolerance / _ROOM)
        self._sum: MemorySum | None = None
        self._moments: dict[int, Moments] = {}

    def summed(self) -> MemorySum:
        """Return the sum of enough terms."""
        if self._sum is None:
            self._sum = memory_sum(self.functions, self.terms)
        return self._sum

    def centre(self) -> tuple[int, Fraction]:
        """Return a multiple of ``1 / ONE``, times that, near ``mu(v) / R``, and how near it is."""
        found = self.summed()
        mean = floor(self._chain.mean(found.left) * ONE)
        return mean, found.left_error + found.fading + Fraction(1, ONE)

    def moments(self, steps: int) -> Moments:
        """Return the moments of sums of so many terms."""
        if steps not in self._moments:
            centre, levels = self.centre()[0], self._centred_targets()
            self._moments[steps] = moments(self.functions, centre, levels, steps)
        return self._moments[steps]


def _terms(q: Fraction, rest: Fraction) -> int:
    """Return a number K with ``q^K / (1 - q)`` below the rest."""
    terms, left = 1, 1 / (1 - q)
    while left > rest:
        left, terms = Fraction(floor(left * q * 2**96) + 1, 2**96), terms + 1
        if terms > MAX_TERMS:
            raise Refused(f"the memory fades so slowly that {MAX_TERMS} terms are too few")
    return terms


class JointEquation:
    """A joint chain with what is found of its functions.

    Parameters
    ----------
    joint : JointChain
    """

    def __init__(self, joint: JointChain) -> None:
        self.joint = joint
        self._followed: dict[Accuracy, Followed] = {}
        self._moments: dict[int, list[Bounds]] = {}
        self._powers: list[BallMatrix] = []
        self._conditioning: Fraction | None = None
        self._centred: Vector | None = None

    def followed(self, accuracy: Accuracy) -> Followed:
        """Return what is found with an accuracy."""
        if accuracy not in self._followed:
            self._followed[accuracy] = Followed(self.joint, accuracy, self.centred_targets)
        return self._followed[accuracy]

    def centred_targets(self) -> Vector:
        """Return ``y - pi(y)``."""
        if self._centred is None:
            chain = self.joint.chain
            self._centred = chain.centred(chain.instance.targets)
            chain.budget.spend(_PER_NUMBER * chain.size, longest(self._centred))
        return self._centred

    def moments_of_targets(self, steps: int) -> list[Bounds]:
        """Return ``E_i[(sum_{k<n} y(xi_k) - pi(y))^2]``."""
        if steps not in self._moments:
            chain, levels = self.joint.chain, self.centred_targets()
            chain.budget.spend(chain.size * (_PER_NUMBER + chain.size), longest(levels))
            with precision(_BITS * 2):
                found = second_moments(chain, levels, steps)
                self._moments[steps] = [bounds(x) for x in found]
        return self._moments[steps]

    def conditioning(self) -> Fraction:
        """Return ``m / (1 - delta(P^m))``, or a little more; of one state 0."""
        if self._conditioning is None:
            chain = self.joint.chain
            self._conditioning = chain.conditioning().upper if chain.size > 1 else Fraction(0)
        return self._conditioning

    def summed_column(self, values: Sequence[Fraction]) -> tuple[list[Fraction], Fraction]:
        """Return ``sum_k P^k (z - pi(z))`` up to a constant, and what differences are off by, half.

        Of what is left after n terms, ``O_{k+m} <= delta(P^m) O_k`` too.
        """
        chain = self.joint.chain
        centred = chain.centred(values)
        chain.budget.spend(_PER_NUMBER * chain.size, longest(centred))
        aim = _SMALL * oscillation(values)
        with precision(_COLUMN_BITS):
            first = summed = column(centred)
            for doublings in range(_DOUBLINGS):
                chain.budget.spend(chain.size**2)
                summed = summed + self._power(doublings) * summed
                following = [bounds(x) for x in (self._power(doublings + 1) * first).entries()]
                rest = max(x.upper for x in following) - min(x.lower for x in following)
                if rest * self.conditioning() <= aim:
                    break
            found = [bounds(x) for x in summed.entries()]
        off = max(x.upper - x.lower for x in found) + rest * self.conditioning()
        return [x.lower for x in found], off

    def _power(self, doublings: int) -> BallMatrix:
        """Return ``P^(2^k)``."""
        chain = self.joint.chain
        while len(self._powers) <= doublings:
            if self._powers:
                chain.budget.spend(chain.size**3 // 4)
                self._powers.append(self._powers[-1] * self._powers[-1])
            else:
                self._powers.append(matrix(chain.dense()))
        return self._powers[doublings]

"""Confidence limits of a mean that hold at every sample size at once.

**What is promised.**  X_1, X_2, ... are independent, in [0, 1], with mean mu.  The intervals
``[lower_n, upper_n]``, n = 1, 2, ..., of a `MeanSequence` of level a satisfy

    P(mu lies in [lower_n, upper_n] for every n) >= 1 - a,

so that one may look after every draw and stop when one likes.

**How.**  If a gambler's capital ``M_n(mu)`` is non-negative, begins at 1 and is no better than fair
where the mean is mu, it ever reaches 1/a with probability at most a (Ville).  So the means m with
``M_n(m) >= 1/a`` are excluded.  With ``S = sum X_i``, ``Q = sum X_i^2``, ``V = sum (X_i - m)^2 =
Q - 2 m S + n m^2`` the capital is the mixture ``M = C/2 + E_+/4 + E_-/4`` of three:

* *Coins.*  A bet that the mean is q multiplies the capital by ``1 + t (x - m)`` with ``t = (q - m)/
  (m (1 - m))``.  Its logarithm is concave in x, so that for x in [0, 1] the factor is no less than
  ``(q/m)^x ((1 - q)/(1 - m))^(1 - x)``.  Mixed over q by Beta(1/2, 1/2) this is ``C = B(S + 1/2,
  n - S + 1/2)/(pi m^S (1 - m)^(n - S))``, for Bernoulli variables the mixture likelihood ratio.
  With ``log Gamma(x) = (x - 1/2) log x - x + log(2 pi)/2 + r``, 0 < r < 1/(12 x) (Binet),

      log C >= S log((S + 1/2)/m) + (n - S) log((n - S + 1/2)/(1 - m)) - (n + 1/2) log(n + 1)
               + log(2/pi)/2 - 1/(12 (n + 1)).

* *Spread.*  ``log(1 + y) - y = -y^2 int_0^1 (1 - s)/(1 + s y)^2 ds``: divided by y^2 it increases.
  Hence ``log(1 + t x) >= t x - psi(t) x^2`` for x >= -1, 0 <= t < 1, where ``psi(t) = -log(1 - t) -
  t`` (Fan, Grama and Liu).  With x = X_i - m, ``exp(t (S - n m) - psi(t) V)`` is at most a fair
  capital.  E_+ is its mean over t = 1/2, 1/4, ..., 2^-`BETS`; E_- is E_+ of 1 - X_i and 1 - m.

Below the average S/n both C and E_+ decrease in m: log C is convex in m with its minimum there, and
the exponent of E_+ has the derivative ``-n t + 2 psi(t) n (S/n - m) <= 0``, because ``2 psi(t) <=
t`` for t <= 1/2.  So the means below the average at which already ``C/2 + E_+/4 >= 1/a`` are an
interval that begins at 0; bisection finds its end.  The coins are near the best possible for coins,
of tiny means too: n draws of 0 give an upper limit of about log(1/a)/n.  The spread is what counts
where it is small.

**Rounding.**  S and Q are bounded from both sides: numpy adds blocks of 256 non-negative doubles,
in whatever order, with a relative error below 2**-44; what follows is exact.  The capital is
enclosed by balls, and a mean is excluded only where it certainly reaches 1/a.

Howard, Ramdas, McAuliffe and Sekhon, *Time-uniform, nonparametric, nonasymptotic confidence
sequences*, Annals of Statistics 49 (2021); Waudby-Smith and Ramdas, *Estimating means of bounded
random variables by betting*, JRSS B 86 (2023); Robbins (1970) for the mixture.  The library
confseq (0.0.11) is not used: it needs a C++ compiler and Boost to install, and bounds no rounding.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import sqrt
from typing import TYPE_CHECKING

from verification.enclosure.balls import (
    Ball,
    ball,
    interval,
    less_equal,
    precision,
    square,
    total,
    working_precision,
)
from verification.enclosure.balls import pi as ball_pi
from verification.enclosure.doubles import sum_lower, sum_upper
from verification.verdict import Truth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BETS = 20
"""Number of bets in E_+; the smallest is still the best of them after 2**45 draws of a coin."""

_BITS = 128
_BLOCK = 256
_SUM_ERROR = Fraction(1, 2**44)
_LEAST_SQUARE = Fraction(1, 2**1074)
_RESOLUTION = Fraction(1, 2**20)


@dataclass(frozen=True, kw_only=True)
class MeanSequence:
    """Confidence limits of a mean in [0, 1] after some draws; see the module's docstring.

    Parameters
    ----------
    level : Fraction
        Probability with which the limits may ever fail, in (0, 1).
    samples : int
        Number of draws so far.
    total_lower, total_upper : Fraction
        Bounds of their sum.
    squares_upper : Fraction
        Upper bound of the sum of their squares.
    """

    level: Fraction
    samples: int = 0
    total_lower: Fraction = Fraction(0)
    total_upper: Fraction = Fraction(0)
    squares_upper: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"the error level is {self.level}, expected 0 < level < 1")

    def update(self, values: NDArray[np.float64]) -> MeanSequence:
        """Return the sequence after further independent draws.

        Parameters
        ----------
        values : array of shape (count,)
            Doubles in [0, 1].

        Raises
        ------
        ValueError
            Where a value lies outside [0, 1], or is none.
        """
        if values.ndim != 1 or not bool(((values >= 0) & (values <= 1)).all()):
            raise ValueError("expected an array of one dimension with values in [0, 1]")
        sum_low, sum_high = _sum_bounds(values)
        # A square is rounded once, and may underflow.
        squares_high = _sum_bounds(values * values)[1] * (1 + _SUM_ERROR)
        return dataclasses.replace(
            self,
            samples=self.samples + len(values),
            total_lower=self.total_lower + sum_low,
            total_upper=self.total_upper + sum_high,
            squares_upper=self.squares_upper + squares_high + len(values) * _LEAST_SQUARE,
        )

    @cached_property
    def lower(self) -> Fraction:
        """Lower confidence limit: every smaller mean is excluded."""
        if self.samples == 0:
            return Fraction(0)
        # Beyond the least possible average nothing is excluded from below.
        low, high = Fraction(0), min(self.total_lower / self.samples, Fraction(1))
        average = high
        while high - low > _RESOLUTION * (average - low):
            middle = (low + high) / 2
            if self.excludes_up_to(middle):
                low = middle
            else:
                high = middle
        return low

    @cached_property
    def upper(self) -> Fraction:
        """Upper confidence limit: every larger mean is excluded."""
        return 1 - self.mirrored().lower

    def mirrored(self) -> MeanSequence:
        """Return the sequence of the draws 1 - X_i."""
        return dataclasses.replace(
            self,
            total_lower=max(self.samples - self.total_upper, Fraction(0)),
            total_upper=self.samples - self.total_lower,
            squares_upper=self.samples - 2 * self.total_lower + self.squares_upper,
        )

    def excludes_up_to(self, mean: Fraction) -> bool:
        """Tell whether the draws exclude every mean from 0 to `mean`, below their average."""
        if not 0 < mean * self.samples < self.total_lower:
            # For a sum of 0, or a mean of 0, the logarithms do not exist.
            return mean < 0 or (mean == 0 < self.total_lower)
        with precision(_BITS):
            capital = self._coins(ball(mean)).exp() / 2 + self._spread(ball(mean)) / 4
            return less_equal(1 / ball(self.level), capital) is Truth.TRUE

    def _coins(self, mean: Ball) -> Ball:
        """Bound log C from below."""
        count, half = ball(self.samples), ball(Fraction(1, 2))
        ones = interval(ball(self.total_lower), ball(self.total_upper))
        zeros = count - ones
        return (
            ones * ((ones + half) / mean).log()
            + zeros * ((zeros + half) / (1 - mean)).log()
            - (count + half) * (count + 1).log()
            + (2 / ball_pi()).log() / 2
            - 1 / (12 * (count + 1))
        )

    def _spread(self, mean: Ball) -> Ball:
        """Bound E_+ from below."""
        count = ball(self.samples)
        sums = interval(ball(self.total_lower), ball(self.total_upper))
        gain = sums - count * mean
        spread = ball(self.squares_upper) - 2 * mean * sums + count * square(mean)
        bets = _bets(working_precision())
        return total((bet * gain + less * spread).exp() for bet, less in bets) / BETS

    def detectable_estimate(self, mean: Fraction) -> Fraction | None:
        """Return the smallest true mean for which as many draws would likely exclude `mean`.

        It is the smallest m at which `mean`, and with it all below, is excluded by n draws whose
        sum is ``n m - sqrt(n v)`` and whose squared deviations from their average sum to ``n v``.
        Here ``v = c m (1 - m)`` is the variance, where c in [0, 1] is the ratio of the present
        draws' variance to the largest possible at their average (c = 1 where their average is 0 or
        1).  A sum of n variables of variance v is at least that large with probability 1/2 or more
        (Cantelli); that the squares are as expected is an assumption.

        Returns
        -------
        Fraction or None
            None where not even draws that are all 1 would exclude it.
        """
        if self.samples == 0 or not self._as_if(Fraction(1), 0.0).excludes_up_to(mean):
            return None
        ratio = self._dispersion()
        low, high = mean, Fraction(1)
        while high - low > _RESOLUTION * (high - mean):
            middle = (low + high) / 2
            if self._as_if(middle, ratio).excludes_up_to(mean):
                high = middle
            else:
                low = middle
        return high

    def _dispersion(self) -> float:
        average = float(self.total_upper / self.samples)
        largest = average * (1 - average)
        if largest <= 0:
            return 1.0
        return min(max(float(self.squares_upper) / self.samples - average**2, 0.0) / largest, 1.0)

    def _as_if(self, mean: Fraction, dispersion: float) -> MeanSequence:
        """Return what draws of another mean, a little unlucky, would have led to."""
        variance = Fraction(dispersion) * mean * (1 - mean)
        average = max(mean - Fraction(sqrt(variance / self.samples)), Fraction(0))
        return dataclasses.replace(
            self,
            total_lower=self.samples * average,
            total_upper=self.samples * average,
            squares_upper=self.samples * (variance + average**2),
        )


@lru_cache(maxsize=4)
def _bets(_bits: int) -> tuple[tuple[Ball, Ball], ...]:
    """Return the bets t, each with ``-psi(t)``."""
    bets = (ball(Fraction(1, 2**k)) for k in range(1, BETS + 1))
    return tuple((bet, (1 - bet).log() + bet) for bet in bets)


def _sum_bounds(values: NDArray[np.float64]) -> tuple[Fraction, Fraction]:
    """Enclose the sum of non-negative doubles."""
    whole = len(values) // _BLOCK * _BLOCK
    parts = values[:whole].reshape(-1, _BLOCK).sum(axis=1).tolist() + values[whole:].tolist()
    low = max(sum_lower(parts), Fraction(0))
    return low * (1 - _SUM_ERROR), sum_upper(parts) * (1 + _SUM_ERROR)

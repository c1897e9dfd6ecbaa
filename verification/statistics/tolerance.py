"""What the largest of some independent draws says of those that were not drawn.

**Statement.**  X_1, .., X_n are independent draws of a law with distribution function F, whatever
it is.  For 0 < p < 1,

    P(F(max X_i) >= p) >= 1 - p^n:

with confidence ``1 - p^n`` at least the share p of all draws is no larger than the largest of n.

**Proof.**  Let x be the p-quantile, the least number with ``F(x) >= p``.  ``F(max X_i) < p`` means
that every X_i is smaller than x, which one of them is with probability ``F(x-) <= p``.

The bound is attained where F is continuous.  S. S. Wilks, *Determination of sample sizes for
setting tolerance limits*, Annals of Mathematical Statistics 12 (1941).
"""

from __future__ import annotations

from fractions import Fraction

_RESOLUTION = 1000


def content_lower(draws: int, level: Fraction) -> Fraction:
    """Return the largest p, in thousandths, with ``p^n <= level``.

    Parameters
    ----------
    draws : int
        n >= 1.
    level : Fraction
        Probability with which the statement may be wrong, in (0, 1).

    Returns
    -------
    Fraction
        With confidence ``1 - level``, at least this share of all draws is no larger than the
        largest of n.
    """
    low, high = 0, _RESOLUTION
    while high - low > 1:
        middle = (low + high) // 2
        if middle**draws * level.denominator <= level.numerator * _RESOLUTION**draws:
            low = middle
        else:
            high = middle
    return Fraction(low, _RESOLUTION)

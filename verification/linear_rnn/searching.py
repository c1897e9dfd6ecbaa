"""Searches in doubles for targets whose numbers doubles may not hold.

A target's numbers may have a thousand digits before or after the point.  A search in doubles that
leaves their range ends in one of the exceptions below, or in numbers that are not finite, and finds
nothing.  That is no fault of the target, and no bound: it is said in words.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from verification.errors import NotEnclosed

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")
Number = TypeVar("Number", bound=np.generic)


def searching(wanted: str) -> Callable[[Callable[Arguments, Found]], Callable[Arguments, Found]]:
    """Have a function that looks for something in doubles say so where it leaves their range.

    Parameters
    ----------
    wanted : str
        What it looks for, to begin a sentence with.

    Returns
    -------
    callable
        A decorator.  The function then raises NotEnclosed in place of OverflowError,
        ZeroDivisionError, FloatingPointError and LinAlgError, and warns of nothing.
    """

    def decorated(search: Callable[Arguments, Found]) -> Callable[Arguments, Found]:
        @wraps(search)
        def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Found:
            try:
                with np.errstate(all="ignore"):
                    return search(*args, **kwargs)
            except (ArithmeticError, np.linalg.LinAlgError) as error:
                raise NotEnclosed(
                    f"{wanted} is looked for in doubles, and the numbers of this instance lead "
                    "beyond their range"
                ) from error

        return guarded

    return decorated


def finite(values: NDArray[Number]) -> NDArray[Number]:
    """Return an array of finite numbers.

    Raises
    ------
    OverflowError
        Where one is infinite or no number: linear algebra would print, or not end.
    """
    if not np.isfinite(values).all():
        raise OverflowError("a number beyond the range of doubles")
    return values


def exactly(value: float) -> Fraction:
    """Return a double as an exact number.

    Raises
    ------
    OverflowError
        Where it is infinite or no number.
    """
    if not np.isfinite(value):
        raise OverflowError("a number beyond the range of doubles")
    return Fraction(float(value))

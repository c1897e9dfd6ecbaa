"""Batches of points (x, v) in double precision: what is refused, and how large they are."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.doubles import ELEMENTARY_RANGE
from verification.errors import InvalidInstance, NotEnclosed

Array: TypeAlias = npt.NDArray[np.float64]

_COARSE = 8


def check_points(inputs: object, memory: object, dimension: int) -> None:
    """Refuse what is not n points of finite numbers.

    Parameters
    ----------
    inputs : Array, shape (n_points, dimension)
    memory : Array, shape (n_points,)
    dimension : int

    Raises
    ------
    InvalidInstance
        With the array's name, its kind, its shape or the entry, and what was expected.
    """
    n_points = _checked("inputs", inputs, (None, dimension)).shape[0]
    _checked("memory", memory, (n_points,))


def _checked(name: str, array: object, shape: tuple[int | None, ...]) -> Array:
    expected = f"a float64 array of shape {shape}".replace("None", "n_points")
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        raise InvalidInstance(
            name, f"is {getattr(array, 'dtype', type(array))}, expected {expected}"
        )
    if len(array.shape) != len(shape) or any(
        want not in (None, have) for have, want in zip(array.shape, shape, strict=True)
    ):
        raise InvalidInstance(name, f"has shape {array.shape}, expected {expected}")
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(index) for index in np.argwhere(~finite)[0])
        at = "".join(f"[{index}]" for index in where)
        raise InvalidInstance(f"{name}{at}", f"is {array[where]}, expected a finite number")
    return array


def coarse_size(array: Array) -> Fraction:
    """Bound an array's entries, with four significant bits: batches of like size share a plan.

    Raises
    ------
    NotEnclosed
        Where one is beyond the range on which the elementary functions are bounded.
    """
    size = float(np.abs(array).max(initial=0))
    if not size <= ELEMENTARY_RANGE:
        raise NotEnclosed(
            f"an input or a memory is about {size:.3g} in size; double precision is bounded up "
            f"to {ELEMENTARY_RANGE}"
        )
    return coarse_bound(array)


def coarse_bound(array: Array) -> Fraction:
    """Bound the entries of an array of finite numbers, with four significant bits."""
    mantissa, exponent = math.frexp(float(np.abs(array).max(initial=0)))
    return Fraction(math.ceil(mantissa * 2 * _COARSE), 2 * _COARSE) * Fraction(2) ** exponent

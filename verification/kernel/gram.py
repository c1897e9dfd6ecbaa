"""The kernel's matrix of many points by whichever way is the shorter."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.instance import Instance, Normal, ProductLaw
from verification.kernel.features import gram_doubles
from verification.kernel.mehler import mehler_gram

Array: TypeAlias = npt.NDArray[np.float64]


def has_long_features(instance: Instance) -> bool:
    """Tell whether W is normal in two dimensions or more: a product rule is long, or too long."""
    law = instance.law
    return (
        isinstance(law, ProductLaw) and isinstance(law.w, Normal) and instance.chain.dimension > 1
    )


def kernel_matrix(instance: Instance, inputs: Array, memory: Array) -> tuple[Array, float]:
    """Return the matrix ``K(zeta_i, zeta_j)``, and a proved bound of every entry's error.

    By Mehler's series for normal W in two dimensions or more, else as a product of features.

    Parameters
    ----------
    instance : Instance
        Its activation and its law; the inputs of its chain play no part.
    inputs : Array, shape (n_points, dimension)
    memory : Array, shape (n_points,)

    Returns
    -------
    matrix : Array, shape (n_points, n_points)
    error : float

    Raises
    ------
    InvalidInstance, NotEnclosed
        As `gram_doubles` and `mehler_gram` do.
    """
    if has_long_features(instance):
        return mehler_gram(instance, inputs, memory)
    return gram_doubles(instance, inputs, memory)

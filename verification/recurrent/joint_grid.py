r"""Functions of the joint chain zeta = (xi, v) on a grid of memories, with a proved error.

The joint chain's kernel is ``(Q g)(i, v) = sum_j P_ij g(j, Phi(x_i, v))``.  The sums and squares
``A_k = E_{(i,v)}[S_k]``, ``B_k = E_{(i,v)}[S_k^2]`` of ``S_k = sum_{r<k} G(zeta_r)`` obey

    ``A_k = G + Q A_{k-1}``,    ``B_k = G^2 + 2 G (Q A_{k-1}) + Q B_{k-1}``.

**Error.**  A function g(j, .) is known at ``n_points + 1`` equidistant memories, h apart, up to e,
and elsewhere by linear interpolation, which errs by at most ``h^2/8 sup|g''|`` more.  A step
evaluates it at ``Phi(x_i, v_m)``, known up to phi: ``sup|g'|`` times phi is added, and the
roundings.  The suprema are over the whole grid, which contains ``[-vbar, vbar]``, and obey

    ``sup|(Q g)'| <= q sup|g'|``,    ``sup|(Q g)''| <= q^2 sup|g''| + kappa sup|g'|``,

``q = s1 E|B|`` and ``kappa = s2 E|B|``.  A derivative differs from the slope of g between two
neighbours by at most ``h/2 sup|g''|``, and that slope is known up to ``2 e/h``: where this bounds
``sup|g'|`` better, it is taken.

What is left of the memory after many steps, and what this means for the sum of all of them, is for
the theorem that uses it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, lower_double, upper_double, working_precision
from verification.enclosure.doubles import nearest
from verification.errors import NotEnclosed
from verification.instance import Instance
from verification.markov.transitions import RoundedTransitions, rounded_transitions
from verification.recurrent.activation import activation
from verification.recurrent.joint import input_rounding
from verification.recurrent.law import mean_absolute_b
from verification.recurrent.memory import memory_bound
from verification.recurrent.memory_doubles import memory_map_doubles

Array: TypeAlias = npt.NDArray[np.float64]

MAX_VALUES = 2**18
"""Values that one function may have: states times points."""

MAX_TERMS = 4_000

_UNIT = 2.0**-53
_LARGEST_REACH = 2.0**400
_SMALLEST_REACH = 2.0**-300
_PATIENCE = 32
_REACH_BITS = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Equidistant memories from -reach to reach, and where the memory map sends them.

    Parameters
    ----------
    memories : Array, shape (n_points + 1,)
        Exact doubles; `n_points` is a power of two, 32 or more.
    spacing : float
        The number h, exact.
    cells : ndarray of int, shape (n_states, n_points + 1)
        The memory to the left of the image ``Phi(x_i, v_m)``, counted along the rows of all
        states.
    cells_after : ndarray of int, shape (n_states, n_points + 1)
        The memory to the right of it.
    shares : Array, shape (n_states, n_points + 1)
        How far into the interval to its right the image lies, in [0, 1].
    image_error : float
        Bound of the images' errors.
    q, kappa : float
        Upper bounds of ``s1 E|B|`` and ``s2 E|B|``.
    inside, around : slice
        The memories that lie in ``[-vbar, vbar]``, and those whose intervals cover it.
    transitions : RoundedTransitions
        The transition matrix.
    """

    memories: Array
    spacing: float
    cells: npt.NDArray[np.intp]
    cells_after: npt.NDArray[np.intp]
    shares: Array
    image_error: float
    q: float
    kappa: float
    inside: slice
    around: slice
    transitions: RoundedTransitions


@dataclass(frozen=True, kw_only=True, eq=False)
class GridFunction:
    """A function of (i, v), known on a grid.

    Parameters
    ----------
    values : Array, shape (n_states, n_points + 1)
    error : float
        Bound of their errors.
    slope, curvature : float
        Bounds of its first and second derivative in v, between the grid's memories too.
    """

    values: Array
    error: float
    slope: float
    curvature: float

    def size(self) -> float:
        """Return the largest absolute value on the grid."""
        return self._size

    @cached_property
    def _size(self) -> float:
        return float(np.abs(self.values).max())


@dataclass(frozen=True, kw_only=True, eq=False)
class MemorySum:
    """The first K terms of the sum of all ``Q^k f``, ``f(i, v) = v``.

    Parameters
    ----------
    sum, last : GridFunction
        ``sum_{k<K} Q^k f`` and ``Q^K f``.
    rest : float
        Bound of what the other terms add.
    """

    sum: GridFunction
    last: GridFunction
    rest: float


def grid(instance: Instance) -> Grid:
    """Return the grid of an instance: 256 intervals at 64 bits, four times that at twice the bits.

    Raises
    ------
    NotEnclosed
        Where the memories are too large, or the states too many, for double precision.
    """
    return _grid(instance, working_precision())


@lru_cache(maxsize=4)
def _grid(instance: Instance, bits: int) -> Grid:
    chain = instance.chain
    room = MAX_VALUES // chain.n_states
    n_points = 2 ** (max(min((bits // 4) ** 2, room), 32).bit_length() - 1)
    bound = ball(memory_bound(instance))
    upper, lower = upper_double(bound), lower_double(bound)
    if upper and not _SMALLEST_REACH <= upper <= _LARGEST_REACH:
        raise NotEnclosed("the memories are beyond the range of double precision")
    # Of so few bits, rounded up, that the grid's memories are doubles; never 0, even if B is.
    mantissa, exponent = np.frexp(upper or 1.0)
    reach = float(np.ldexp(np.ceil(np.ldexp(mantissa, _REACH_BITS)), exponent - _REACH_BITS))
    spacing = 2 * reach / n_points
    memories = -reach + spacing * np.arange(n_points + 1)
    first = int(np.searchsorted(memories, -lower))
    before = int(np.searchsorted(memories, -upper, side="right")) - 1

    states = list(chain.input_numbers)
    images = []
    error = 0.0
    for state in chain.first_states:
        rounded = np.array([nearest(x)[0] for x in chain.inputs[state]])
        inputs = np.ascontiguousarray(np.broadcast_to(rounded, (len(memories), len(rounded))))
        image, image_error = memory_map_doubles(instance, inputs, memories)
        # The true images lie in [-vbar, vbar].
        images.append(np.clip(image, -reach, reach))
        error = max(error, image_error)
    positions = (np.array(images) + reach) / spacing
    cells = np.minimum(positions.astype(np.intp), n_points - 1)
    cells = cells[states]
    shares = positions[states] - cells
    cells += (n_points + 1) * np.arange(chain.n_states)[:, np.newaxis]
    sigma, mean = activation(instance.activation), ball(mean_absolute_b(instance.law))
    return Grid(
        memories=memories,
        spacing=spacing,
        cells=cells,
        cells_after=cells + 1,
        shares=shares,
        # The position is rounded twice, each time by 2 reach u in terms of the memory at most.
        image_error=_above(error + input_rounding(instance) + 4 * _UNIT * reach),
        q=upper_double(ball(sigma.bound(1)) * mean),
        kappa=upper_double(ball(sigma.bound(2)) * mean),
        inside=slice(first, n_points + 1 - first),
        around=slice(before, n_points + 1 - before),
        transitions=rounded_transitions(chain),
    )


def pushed_back(known: Grid, function: GridFunction) -> GridFunction:
    """Return ``Q g``."""
    # sum_j P_ij g(j, .) first: then one interpolation a state.
    mixed = np.asarray(known.transitions.matrix @ function.values)
    low, values = np.take(mixed, known.cells), np.take(mixed, known.cells_after)
    values -= low
    values *= known.shares
    values += low
    # P's roundings and those of its product, d + 1; interpolation, 6; in units of the largest.
    roundings = _UNIT * (known.transitions.successors + 7) * function.size()
    error = _above(
        function.error
        + known.spacing * known.spacing / 8 * function.curvature
        + known.image_error * function.slope
        + roundings
    )
    slope = known.q * function.slope
    curvature = _above(known.q * known.q * function.curvature + known.kappa * function.slope)
    steepest = float(np.abs(np.diff(values)).max())
    seen = (steepest + 2 * error) / known.spacing + curvature * known.spacing / 2
    return GridFunction(
        values=values, error=error, slope=_above(min(slope, seen)), curvature=curvature
    )


def affine(known: Grid, levels: Sequence[Fraction], slope: Fraction) -> GridFunction:
    """Return ``F(i, v) = a_i + l v``.

    Parameters
    ----------
    known : Grid
    levels : sequence of Fraction, shape (n_states,)
        The numbers a_i.
    slope : Fraction
        The number l.
    """
    heights = np.array([nearest(a)[0] for a in levels])
    steepness = nearest(slope)[0]
    with np.errstate(over="ignore"):
        values = heights[:, np.newaxis] + steepness * known.memories
    # a and l are rounded, and so are the product and the sum.
    sizes = float(np.abs(heights).max()) + abs(steepness) * float(known.memories[-1])
    return GridFunction(
        values=values,
        error=_above(4 * _UNIT * sizes),
        slope=_above(abs(steepness)),
        curvature=0.0,
    )


def shifted(function: GridFunction, by: float) -> GridFunction:
    """Return a function plus a number."""
    values = function.values + by
    error = _above(function.error + _UNIT * float(np.abs(values).max()))
    return dataclasses.replace(function, values=values, error=error)


def plus(first: GridFunction, second: GridFunction) -> GridFunction:
    """Return the sum of two functions."""
    values = first.values + second.values
    return GridFunction(
        values=values,
        error=_above(first.error + second.error + _UNIT * float(np.abs(values).max())),
        slope=_above(first.slope + second.slope),
        curvature=_above(first.curvature + second.curvature),
    )


def times(known: Grid, first: GridFunction, second: GridFunction) -> GridFunction:
    """Return the product of two functions."""
    f, g = first.size() + first.error, second.size() + second.error
    # Between the grid's memories, where the derivatives are bounded too, a function may be larger.
    half = known.spacing / 2
    f_all, g_all = f + first.slope * half, g + second.slope * half
    return GridFunction(
        values=first.values * second.values,
        error=_above(first.error * g + second.error * f + _UNIT * f * g),
        slope=_above(first.slope * g_all + f_all * second.slope),
        curvature=_above(
            first.curvature * g_all + 2 * first.slope * second.slope + f_all * second.curvature
        ),
    )


def scaled(function: GridFunction, factor: Fraction) -> GridFunction:
    """Return a function times a number."""
    double, _ = nearest(factor)
    size = abs(double)
    return GridFunction(
        values=double * function.values,
        # The factor is rounded, and so is the product.
        error=_above(size * (function.error + 2 * _UNIT * function.size())),
        slope=_above(size * function.slope),
        curvature=_above(size * function.curvature),
    )


def summed_memory(known: Grid, rest: Callable[[GridFunction], float], weight: float) -> MemorySum:
    """Return ``sum_{k<K} Q^k f``, ``f(i, v) = v``, with a K >= 0 that leaves little.

    Parameters
    ----------
    known : Grid
    rest : callable
        Bounds what all terms from ``Q^K f`` on add, in some sense.
    weight : float
        So many times the sum's error counts in that sense: K is where ``weight e + rest`` is
        least, as far as it is sought.
    """
    shape = known.cells.shape
    total = GridFunction(values=np.zeros(shape), error=0.0, slope=0.0, curvature=0.0)
    last = GridFunction(
        values=np.broadcast_to(known.memories, shape), error=0.0, slope=1.0, curvature=0.0
    )
    best = MemorySum(sum=total, last=last, rest=rest(last))
    since = 0
    for _ in range(MAX_TERMS):
        error = weight * best.sum.error
        if best.rest <= error / 8 or since > _PATIENCE:
            break
        total, last = plus(total, last), pushed_back(known, last)
        left, since = rest(last), since + 1
        if weight * total.error + left < error + best.rest:
            best, since = MemorySum(sum=total, last=last, rest=left), 0
    return best


def second_moments(known: Grid, function: GridFunction, steps: int) -> GridFunction:
    """Return ``E_{(i,v)}[(sum_{k<steps} G(zeta_k))^2]``, steps >= 1.

    It is found from that of fewer steps, where that was the last one asked for.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        latest = _latest_moments(known, function)
        if steps < latest.steps:
            _latest_moments.cache_clear()
            latest = _latest_moments(known, function)
        while latest.steps < steps:
            carried = pushed_back(known, latest.first)
            cross = times(known, function, carried)
            within = plus(latest.square, plus(cross, cross))
            second = plus(within, pushed_back(known, latest.second))
            # All three at once: whoever is stopped on the way leaves moments of so many steps.
            latest.first, latest.second, latest.steps = (
                plus(function, carried),
                second,
                latest.steps + 1,
            )
    return latest.second


@dataclass
class _Moments:
    """The first and second moment of the sum of so many terms; the function's square."""

    square: GridFunction
    first: GridFunction
    second: GridFunction
    steps: int = 1


@lru_cache(maxsize=1)
def _latest_moments(known: Grid, function: GridFunction) -> _Moments:
    square = times(known, function, function)
    return _Moments(square=square, first=function, second=square)


def supremum_bounds(known: Grid, function: GridFunction) -> tuple[float, float]:
    """Return two numbers between which a function's supremum lies, over all (i, v), |v| <= vbar.

    Raises
    ------
    NotEnclosed
        Where an intermediate result was too large for double precision.
    """
    inside = float(function.values[:, known.inside].max())
    around = float(function.values[:, known.around].max())
    between = known.spacing * known.spacing / 8 * function.curvature
    if not np.isfinite([inside, around, function.error + between]).all():
        raise NotEnclosed("a function of the memory is beyond the range of double precision")
    return _outward(inside - function.error, -1), _outward(around + function.error + between, 1)


def _above(bound: float) -> float:
    """Return a little more, for the roundings and the underflows in its own computation."""
    return bound * (1 + 2.0**-40) + 2.0**-900


def _outward(value: float, direction: int) -> float:
    return value + direction * _above(abs(value) * 2.0**-50)

r"""The training recursion compiled by numba: every activation, many replicas in one call.

The same recursion as in `verification.recurrent.network`, one pass over the units a step.  As
``B_{k+1} = B_k - r S_k`` with a number r, the memory after step k is known before B_{k+1} is:

    N v_{k+1} = sum_j B_{k+1}^j S_{k+1}^j = sum_j B_k^j S_{k+1}^j - r sum_j S_k^j S_{k+1}^j.

So the pass of a step first gives C, W and B what the step before owes them, then evaluates the
activation, and sums all that its own step needs.  After the last step the debt is paid, by the same
operations on each unit: stopping and going on changes no bit.  Only the sums over units may be
reassociated, never what is done to one unit.

**Replicas.**  Every unit of every replica goes through the same operations in the same order,
whatever the other replicas are.  Step k of all of them comes before step k + 1 of any: while one
waits for its sums the next can start.

Importing this module imports numba (about 0.2 s).  What it compiles is kept beside the module, or
in the user's cache where that is read-only; where neither can be written it is compiled each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from verification.instance import ActivationSpec
from verification.recurrent import compiled_activations
from verification.recurrent.compiled_activations import (
    ANYWHERE,
    ARCTAN,
    ERF,
    EVALUATED,
    LOGISTIC,
    MIXTURE,
    NAMES,
    REACH,
    SIN,
    TANH,
    less,
)
from verification.recurrent.network import clipped

# isort: split
# Only now: numba reads the processor's features once, and they are set there.
import numba
from numba.core import cgutils
from numba.core.compiler import Compiler
from numba.extending import intrinsic, overload

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_BLOCK = 1024
"""So many units of all rows stay in a core's caches while several rows of W are summed."""

_MADE_OF = Path(compiled_activations.__file__).stat().st_mtime_ns
"""numba notices that a function's own file has changed, and no other."""


def _kept(function: Callable[..., None]) -> Callable[..., None]:
    """Compile, and keep the result where there is a place for it."""
    options: Any = {"error_model": "numpy", "nogil": True}
    try:
        compiled: Callable[..., None] = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder that it may write to
        compiled = numba.njit(**options)(function)
    return compiled


@intrinsic
def _row(_context: Any, tables: Any, table: Any, row: Any, unit: Any) -> Any:
    """Where a unit's entry stands in a row of a table.

    A bare pointer: counting the uses of an array would cost a small network more than its step.
    """
    pointer = numba.types.CPointer(numba.types.float64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        whole = context.make_array(tables)(context, builder, arguments[0])
        _, rows, length = cgutils.unpack_tuple(builder, whole.shape, 3)
        before = builder.add(builder.mul(arguments[1], rows), arguments[2])
        return builder.gep(whole.data, [builder.add(builder.mul(before, length), arguments[3])])

    index = numba.types.intp
    return pointer(tables, index, index, index), generate


class _Distinct(Compiler):
    """Compile for rows that do not overlap: else vectors wait for a check at every call."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


_OVER_UNITS: Any = {
    "fastmath": {"reassoc", "contract", "nnan", "ninf", "nsz", "arcp"},
    "error_model": "numpy",
    "pipeline_class": _Distinct,
}
_over_units = numba.njit(**_OVER_UNITS)


def _forward(
    family: int,
    more: int,
    n: int,
    rows: tuple[Any, ...],
    rates: tuple[float, ...],
    x: float,
    v: float,
    terms: Array,
) -> tuple[float, ...]:
    """Pay what the step before owes C, B and the last row of W; evaluate the activation.

    Parameters
    ----------
    family, more : int
        Which activation; whether the last of the rows holds the other entries' part of the
        argument and v.  Compiled functions know both.
    n : int
        Number of units.
    rows : tuple of pointers
        W, C, B, S, the hidden state before, ``C sigma'``, and arguments.
    rates : tuple of float
        By which W, C and B fall.
    x, v : float
        Last entry of the input, and memory.
    terms : Array
        Of a mixture.

    Returns
    -------
    tuple of float
        The sums over the units of C S', C sigma', B S' and S S', for S' the new hidden state, which
        replaces the one before S; and the number of arguments out of reach, where S' is wrong.
    """
    raise NotImplementedError


@overload(_forward, strict=False, prefer_literal=True, jit_options=_OVER_UNITS)
def _forward_compiled(family, more, n, rows, rates, x, v, terms):
    is_rest = more.literal_value == 1

    def mixed(family, more, n, rows, rates, x, v, terms):
        weight, output, feedback, hidden, former, through, argument = rows
        rate_w, rate_c, rate_b = rates
        _forward_row(not is_rest, n, weight, through, argument, rate_w, x, v)
        _pay(n, output, rate_c, hidden)
        _pay(n, feedback, rate_b, former)
        _mix(n, terms, argument, former, through)
        return _sums(n, output, feedback, hidden, former, through)

    if family.literal_value == MIXTURE:
        return mixed
    evaluated = EVALUATED[NAMES[family.literal_value]]

    def loop(family, more, n, rows, rates, x, v, terms):
        weight, output, feedback, hidden, former, through, argument = rows
        rate_w, rate_c, rate_b = rates
        total, bend, fed, overlap, far = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            before = hidden[i]
            w = less(weight[i], rate_w, through[i])
            c = less(output[i], rate_c, before)
            b = less(feedback[i], rate_b, former[i])
            weight[i] = w
            output[i] = c
            feedback[i] = b
            s, cs, gradient, out = evaluated(w * x + (argument[i] if is_rest else v), c)
            former[i] = s
            through[i] = gradient
            total += cs
            bend += gradient
            fed += b * s
            overlap += before * s
            far += out
        return total, bend, fed, overlap, far

    return loop


@_over_units
def _forward_row(
    first: bool, n: int, row: Any, through: Any, argument: Any, rate: float, x: float, v: float
) -> None:
    """Pay what the step before owes a row of W; add the row's part to the arguments."""
    for i in range(n):
        w = less(row[i], rate, through[i])
        row[i] = w
        argument[i] = w * x + (v if first else argument[i])


@_over_units
def _pay(n: int, row: Any, rate: float, by: Any) -> None:
    for i in range(n):
        row[i] = less(row[i], rate, by[i])


@_over_units
def _sums(
    n: int, output: Any, feedback: Any, hidden: Any, value: Any, slope: Any
) -> tuple[float, ...]:
    """Return what `_forward` does; multiply the derivatives by C."""
    total, bend, fed, overlap = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        s = value[i]
        gradient = output[i] * slope[i]
        slope[i] = gradient
        total += output[i] * s
        bend += gradient
        fed += feedback[i] * s
        overlap += hidden[i] * s
    return total, bend, fed, overlap, 0.0


def _add(
    family: int, n: int, argument: Any, term: tuple[float, ...], value: Any, slope: Any
) -> None:
    """Add one term of a mixture to values and derivatives."""
    raise NotImplementedError


@overload(_add, strict=False, prefer_literal=True, jit_options=_OVER_UNITS)
def _add_compiled(family, n, argument, term, value, slope):
    evaluated = EVALUATED[NAMES[family.literal_value]]

    def loop(family, n, argument, term, value, slope):
        scale, shift, weight = term
        for i in range(n):
            s, _, d, _ = evaluated(argument[i] * scale + shift, scale)
            value[i] += weight * s
            slope[i] += weight * d

    return loop


@_over_units
def _is_far(n: int, argument: Any, term: tuple[float, ...]) -> bool:
    scale, shift, _ = term
    far = 0.0
    for i in range(n):
        far = max(far, abs(argument[i] * scale + shift))
    return far > REACH


@numba.njit(error_model="numpy")
def _mix(n: int, terms: Array, argument: Any, value: Any, slope: Any) -> None:
    """Put a mixture's values and derivatives into rows."""
    for i in range(n):
        value[i] = slope[i] = 0.0
    for k in range(len(terms)):
        term = terms[k, 1], terms[k, 2], terms[k, 3]
        if terms[k, 0] == TANH:
            _add(TANH, n, argument, term, value, slope)
        elif terms[k, 0] == LOGISTIC:
            _add(LOGISTIC, n, argument, term, value, slope)
        elif terms[k, 0] == ERF:
            _add(ERF, n, argument, term, value, slope)
        elif terms[k, 0] == ARCTAN:
            _add(ARCTAN, n, argument, term, value, slope)
        elif _is_far(n, argument, term):
            _add(ANYWHERE, n, argument, term, value, slope)
        else:
            _add(SIN, n, argument, term, value, slope)


def _output(
    family: int, more: int, n: int, rows: tuple[Any, ...], x: float, v: float, terms: Array
) -> tuple[float, float]:
    """Return the sum of ``C sigma`` at a point, and the number of arguments out of reach.

    Parameters
    ----------
    family, more, n, x, v, terms
        Those of `_forward`.
    rows : tuple of pointers
        W, C, arguments, and room for two rows.
    """
    raise NotImplementedError


@overload(_output, strict=False, prefer_literal=True, jit_options=_OVER_UNITS)
def _output_compiled(family, more, n, rows, x, v, terms):
    is_rest = more.literal_value == 1

    def mixed(family, more, n, rows, x, v, terms):
        weight, output, argument, value, slope = rows
        _output_row(not is_rest, n, weight, argument, x, v)
        _mix(n, terms, argument, value, slope)
        return _dot(n, output, value), 0.0

    if family.literal_value == MIXTURE:
        return mixed
    evaluated = EVALUATED[NAMES[family.literal_value]]

    def loop(family, more, n, rows, x, v, terms):
        weight, output, argument, _, _ = rows
        total, far = 0.0, 0.0
        for i in range(n):
            _, cs, _, out = evaluated(weight[i] * x + (argument[i] if is_rest else v), output[i])
            total += cs
            far += out
        return total, far

    return loop


@_over_units
def _output_row(first: bool, n: int, row: Any, argument: Any, x: float, v: float) -> None:
    for i in range(n):
        argument[i] = row[i] * x + (v if first else argument[i])


@_over_units
def _dot(n: int, one: Any, other: Any) -> float:
    total = 0.0
    for i in range(n):
        total += one[i] * other[i]
    return total


_clipped = numba.njit(error_model="numpy")(clipped)


@_kept
def walk(
    initial: int,
    starts: Indices,
    successors: Indices,
    bounds: Array,
    uniforms: Array,
    path: Indices,
) -> None:
    """Put a path into an array, as `verification.recurrent.network.draw_path` does."""
    state = initial
    path[:1] = state
    for k in range(uniforms.size):
        low, high = starts[state], starts[state + 1] - 1
        while low < high:
            middle = (low + high) // 2
            if uniforms[k] < bounds[middle]:
                high = middle
            else:
                low = middle + 1
        state = successors[low]
        path[k + 1] = state


@cache
def _compiled(family: int, more: int, made_of: int) -> Callable[..., None]:
    @_kept
    def run(
        width,
        frozen,
        terms,
        tables,
        numbers,
        paths,
        inputs,
        targets,
        rates,
        points,
        memories,
        reference,
        largest,
    ):
        _ = made_of  # A part of the name under which numba keeps this.
        scale, weight_rate, feedback_rate, clip = rates
        replicas, steps = paths.shape
        last, n = inputs.shape[1] - 1, tables.shape[2]
        owed, room = np.zeros((replicas, 2)), np.empty((1, 2, n))
        for step in range(steps + 1):
            for r in range(replicas):
                rate_c, rate_b = owed[r, 0], owed[r, 1]
                then = paths[r, step - 1] if step else 0
                rate_w = rate_c * inputs[then, last]
                hidden, former = last + 3 + step % 2, last + 4 - step % 2
                if step == steps:
                    through = _row(tables, r, last + 5, 0)
                    for k in range(last + 1):
                        _pay(n, _row(tables, r, k, 0), rate_c * inputs[then, k], through)
                    _pay(n, _row(tables, r, last + 1, 0), rate_c, _row(tables, r, hidden, 0))
                    _pay(n, _row(tables, r, last + 2, 0), rate_b, _row(tables, r, former, 0))
                else:
                    state, v = paths[r, step], numbers[r, 0]
                    x = inputs[state, last]
                    total, bend, fed, overlap = 0.0, 0.0, 0.0, 0.0
                    block = _BLOCK if more else n
                    for start in range(0, n, block):
                        size = min(block, n - start)
                        through = _row(tables, r, last + 5, start)
                        argument = _row(tables, r, last + 6, start)
                        for k in range(last):
                            _forward_row(
                                k == 0,
                                size,
                                _row(tables, r, k, start),
                                through,
                                argument,
                                rate_c * inputs[then, k],
                                inputs[state, k],
                                v,
                            )
                        rows = (
                            _row(tables, r, last, start),
                            _row(tables, r, last + 1, start),
                            _row(tables, r, last + 2, start),
                            _row(tables, r, hidden, start),
                            _row(tables, r, former, start),
                            through,
                            argument,
                        )
                        rates_now = rate_w, rate_c, rate_b
                        sums = _forward(family, more, size, rows, rates_now, x, v, terms)
                        if family == SIN and sums[4] > 0.0:
                            # All is paid: only the activation is evaluated again.
                            rates_now = 0.0, 0.0, 0.0
                            sums = _forward(ANYWHERE, more, size, rows, rates_now, x, v, terms)
                        total += sums[0]
                        bend += sums[1]
                        fed += sums[2]
                        overlap += sums[3]
                    new = _row(tables, r, former, 0)
                    for i in range(width, n):
                        new[i] = 0.0
                    error = _clipped(total * scale, clip) - targets[state]
                    moving = 0.0 if frozen else error
                    owed[r, 0] = weight_rate * moving
                    owed[r, 1] = feedback_rate * moving * bend
                    numbers[r, 0] = (fed - owed[r, 1] * overlap) / width
                    numbers[r, 1] += abs(error)
                    numbers[r, 2] += error * error
                for j in range(memories.size):
                    x, v = points[j, last], memories[j]
                    argument = _row(tables, r, last + 6, 0)
                    for k in range(last):
                        _output_row(k == 0, n, _row(tables, r, k, 0), argument, points[j, k], v)
                    places = (
                        _row(tables, r, last, 0),
                        _row(tables, r, last + 1, 0),
                        argument,
                        _row(room, 0, 0, 0),
                        _row(room, 0, 1, 0),
                    )
                    found = _output(family, more, n, places, x, v, terms)
                    if family == SIN and found[1] > 0.0:
                        found = _output(ANYWHERE, more, n, places, x, v, terms)
                    gap = abs(found[0] * scale - reference[step, j])
                    largest[r, j] = max(largest[r, j], gap)
        if steps % 2:
            # The caller finds S in its own row again.
            for r in range(replicas):
                one, other = _row(tables, r, last + 3, 0), _row(tables, r, last + 4, 0)
                for i in range(n):
                    one[i], other[i] = other[i], one[i]

    return run


def runner(spec: ActivationSpec, dimension: int) -> Callable[..., None]:
    """Return the compiled recursion for an activation and a dimension of the inputs.

    It takes one step in every replica for each state of its path.

    Parameters
    ----------
    width : int
        N.
    frozen : bool
    terms : Array, shape (n_terms, 4)
        `terms_of` the activation.
    tables : Array, shape (n_replicas, dimension + 6, n_units or more)
        Rows W, C, B, S, two that belong to the recursion, and room: `network.tables`.
    numbers : Array, shape (n_replicas, 3)
        Memory, and sums to which ``|e|`` and ``e^2`` are added.
    paths : array of intp, shape (n_replicas, n_steps)
    inputs, targets : Array, shapes (n_states, dimension), (n_states,)
    rates : tuple of float
        ``N^-beta``, ``alpha N^(beta-2)``, ``alpha N^(beta-3)``, ``N^gamma``.
    points, memories : Array, shapes (n_points, dimension), (n_points,)
    reference : Array, shape (n_steps + 1, n_points)
    largest : Array, shape (n_replicas, n_points)
        Raised to the distance of the output from the reference before the first step and after
        each.
    """
    return _compiled(NAMES.index(spec.label), int(dimension > 1), _MADE_OF)


def terms_of(spec: ActivationSpec) -> Array:
    """Return a mixture's terms, one a row: family, scale, shift, weight."""
    rows = [
        (NAMES.index(term.of), *map(float, (term.scale, term.shift, term.weight)))
        for term in spec.terms
    ]
    return np.array(rows, dtype=float)

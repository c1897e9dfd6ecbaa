r"""The training recursion compiled by numba: every activation, many replicas in one call.

The same recursion as in `verification.recurrent.network`, one pass over the units a step.  As
``B_{k+1} = B_k - r S_k`` with a number r, the memory after step k is known before B_{k+1} is:

    N v_{k+1} = sum_j B_{k+1}^j S_{k+1}^j = sum_j B_k^j S_{k+1}^j - r sum_j S_k^j S_{k+1}^j.

So the pass of a step first gives C, W and B what the step before owes them, then evaluates the
activation, and sums all that its own step needs.  After the last step the debt is paid, by the same
operations on each unit: stopping and going on changes no bit.

**Activations** are arithmetic that a compiler turns into vectors, since numba's own are calls for
one number at a time.  With ``x = n (ln 2)/2 + r``, ``|r| <= (ln 2)/4``, and ``R = r coth r``, a
polynomial in r^2,

    exp(2x) = 2^n (R + r)/(R - r),
    tanh x = ((2^n - 1) R + (2^n + 1) r) / ((2^n + 1) R + (2^n - 1) r),

which costs one division.  Their errors are a few units in the last place, for small x too.  Only
the sums over units may be reassociated, never what is done to one unit.

**Replicas.**  Every unit of every replica goes through the same operations in the same order,
whatever the other replicas are.  Step k of all of them comes before step k + 1 of any: while one
waits for its sums the next can start.

Importing this module imports numba (about 0.2 s).  What it compiles is kept beside the module, or
in the user's cache where that is read-only.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt


def _prefer_wide_vectors() -> None:
    """Ask the compiler for 512-bit vectors where the processor has them: a fifth faster here."""
    if "numba" in sys.modules or {"NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"} & os.environ.keys():
        return
    from llvmlite import binding  # noqa: PLC0415 - before numba, which reads the environment once

    features = binding.get_host_cpu_features().flatten()
    if "+avx512f" in features.split(","):
        os.environ["NUMBA_CPU_NAME"] = binding.get_host_cpu_name()
        os.environ["NUMBA_CPU_FEATURES"] = f"{features},-prefer-256-bit"


_prefer_wide_vectors()

import numba  # noqa: E402 - after the environment is set
from numba.core.compiler import Compiler  # noqa: E402
from numba.extending import intrinsic, overload  # noqa: E402

from verification.instance import ActivationSpec  # noqa: E402
from verification.recurrent.network import clipped  # noqa: E402

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_MAGIC = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer in the low bits
_ONE_BITS = 0x3FF0000000000000
_HALF_LN2 = math.log(2) / 2
_PER_HALF_LN2 = 2 / math.log(2)
_FAR = 22.0  # tanh(22) rounds to 1
_STEEP = 354.0  # exp(708) and exp(-708) are doubles of full precision
# r coth r - 1 in powers of r^2, |r| <= (ln 2)/4, within 2^-59.
_R1, _R2, _R3, _R4, _R5 = (
    0.33333333333333204,
    -0.02222222222161266,
    0.0021164020229016765,
    -0.00021163395042218884,
    2.1187295617904737e-05,
)


@intrinsic
def _to_bits(_context: Any, _value: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(numba.types.int64))

    return numba.types.int64(numba.types.float64), generate


@intrinsic
def _from_bits(_context: Any, _value: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(numba.types.float64))

    return numba.types.float64(numba.types.int64), generate


# Python's division checks for zero, which keeps a loop from becoming vectors.  LLVM inlines these
# functions with their own flags; numba's `inline` would give them those of the sums, and the
# rounding by the magic number would be simplified away.
_of_one_unit = numba.njit(fastmath={"contract"}, error_model="numpy", cache=True)


@_of_one_unit
def _less(a: float, rate: float, b: float) -> float:
    return a - rate * b


@_of_one_unit
def _reduced(x: float) -> tuple[float, float, float]:
    """Return ``2^n``, r and ``R - 1`` for ``x = n (ln 2)/2 + r``."""
    shifted = x * _PER_HALF_LN2 + _MAGIC
    n = shifted - _MAGIC
    # n times the error of (ln 2)/2, a fifth of an ulp, is lost: where n grows, tanh is flat.
    r = x - n * _HALF_LN2
    q = r * r
    above_one = q * (_R1 + q * (_R2 + q * (_R3 + q * (_R4 + q * _R5))))
    power: float = _from_bits((_to_bits(shifted) << 52) + _ONE_BITS)  # type: ignore[call-arg]
    return power, r, above_one


@_of_one_unit
def _tanh(x: float, c: float) -> tuple[float, float, float]:
    power, r, p = _reduced(min(max(x, -_FAR), _FAR))
    less, more = power - 1.0, power + 1.0
    # Small terms first: one rounding at full size above the line and one below.
    s = (less + (more * r + less * p)) / (more + (less * r + more * p))
    cs = c * s
    return s, cs, c - cs * s


@_of_one_unit
def _logistic(x: float, c: float) -> tuple[float, float, float]:
    power, r, p = _reduced(min(max(0.5 * x, -_STEEP), _STEEP))
    up, down = power + power * (p + r), 1.0 + (p - r)
    inverse = 1.0 / (up + down)
    s = up * inverse
    cs = c * s
    return s, cs, cs * (down * inverse)


_EVALUATED = {"tanh": _tanh, "logistic": _logistic}
_FAMILIES = tuple(_EVALUATED)
"""Families by their numbers: compiled functions know them as constants."""


class _Distinct(Compiler):
    """Compile for arrays that do not overlap: else vectors wait for a check at every call."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()  # type: ignore[no-untyped-call]


_OVER_UNITS: Any = {
    "fastmath": {"reassoc", "contract", "nnan", "ninf", "nsz", "arcp"},
    "error_model": "numpy",
    "pipeline_class": _Distinct,
}
_over_units = numba.njit(cache=True, **_OVER_UNITS)


def _forward(
    family: int, more: bool, rows: tuple[Array, ...], rates: tuple[float, ...], x: float, v: float
) -> tuple[float, float, float, float]:
    """Pay what the step before owes C, B and the last row of W; evaluate the activation.

    Parameters
    ----------
    family : int
    more : bool
        Whether the last of the rows holds the rest of the argument, and not only v.
    rows : tuple of Array
        W, C, B, S, the hidden state before, the derivatives and the arguments.
    rates : tuple of float
        By which W, C and B fall.
    x, v : float
        Last entry of the input, and memory.

    Returns
    -------
    tuple of float
        The sums over the units of C S', C sigma', B S' and S S', for S' the new hidden state, which
        replaces the one before S.  ``C sigma'`` replaces the derivatives.
    """
    raise NotImplementedError


@overload(_forward, strict=False, prefer_literal=True, jit_options=_OVER_UNITS)
def _forward_compiled(
    family: Any, more: Any, rows: Any, rates: Any, x: Any, v: Any
) -> Callable[..., Any]:
    evaluated = _EVALUATED[_FAMILIES[family.literal_value]]

    def loop(family, more, rows, rates, x, v):  # type: ignore[no-untyped-def]
        weight, output, feedback, hidden, former, through, argument = rows
        rate_w, rate_c, rate_b = rates
        total, bend, fed, overlap = 0.0, 0.0, 0.0, 0.0
        for i in range(output.size):
            before = hidden[i]
            w = _less(weight[i], rate_w, through[i])
            c = _less(output[i], rate_c, before)
            b = _less(feedback[i], rate_b, former[i])
            weight[i] = w
            output[i] = c
            feedback[i] = b
            s, cs, gradient = evaluated(w * x + (argument[i] if more else v), c)
            former[i] = s
            through[i] = gradient
            total += cs
            bend += gradient
            fed += b * s
            overlap += before * s
        return total, bend, fed, overlap

    return loop


@_over_units
def _forward_row(
    first: bool, row: Array, through: Array, argument: Array, rate: float, x: float, v: float
) -> None:
    """Pay what the step before owes a row of W; add the row's part to the arguments."""
    for i in range(row.size):
        w = _less(row[i], rate, through[i])
        row[i] = w
        argument[i] = w * x + (v if first else argument[i])


@_over_units
def _pay(row: Array, rate: float, by: Array) -> None:
    for i in range(row.size):
        row[i] = _less(row[i], rate, by[i])


def _output(family: int, more: bool, rows: tuple[Array, ...], x: float, v: float) -> float:
    """Return the sum of ``C sigma`` at a point, of the rows W, C, arguments."""
    raise NotImplementedError


@overload(_output, strict=False, prefer_literal=True, jit_options=_OVER_UNITS)
def _output_compiled(family: Any, more: Any, rows: Any, x: Any, v: Any) -> Callable[..., Any]:
    evaluated = _EVALUATED[_FAMILIES[family.literal_value]]

    def loop(family, more, rows, x, v):  # type: ignore[no-untyped-def]
        weight, output, argument = rows
        total = 0.0
        for i in range(output.size):
            _, cs, _ = evaluated(weight[i] * x + (argument[i] if more else v), output[i])
            total += cs
        return total

    return loop


@_over_units
def _output_row(first: bool, row: Array, argument: Array, x: float, v: float) -> None:
    for i in range(row.size):
        argument[i] = row[i] * x + (v if first else argument[i])


_clipped = numba.njit(error_model="numpy", cache=True)(clipped)


@numba.njit(error_model="numpy", cache=True)
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
def _compiled(family: int) -> Callable[..., None]:
    @numba.njit(error_model="numpy", cache=True, nogil=True)
    def run(  # type: ignore[no-untyped-def]
        width,
        frozen,
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
        scale, weight_rate, feedback_rate, clip = rates
        replicas, steps = paths.shape
        dimension = inputs.shape[1]
        last = dimension - 1
        owed = np.zeros((replicas, 3))
        filled = -(-width // 16) * 16
        for step in range(steps + 1):
            for r in range(replicas):
                table = tables[r]
                odd = step % 2
                through = table[dimension + 4, :filled]
                argument = table[dimension + 5, :filled]
                weight = table[last, :filled]
                output = table[dimension, :filled]
                feedback = table[dimension + 1, :filled]
                hidden = table[dimension + 2 + odd, :filled]
                former = table[dimension + 3 - odd, :filled]
                rate, rate_b = owed[r, 0], owed[r, 1]
                then = paths[r, step - 1] if step else 0
                if step == steps:
                    for k in range(dimension):
                        _pay(table[k, :filled], rate * inputs[then, k], through)
                    _pay(output, rate, hidden)
                    _pay(feedback, rate_b, former)
                else:
                    state = paths[r, step]
                    v = numbers[r, 0]
                    for k in range(last):
                        _forward_row(
                            k == 0,
                            table[k, :filled],
                            through,
                            argument,
                            rate * inputs[then, k],
                            inputs[state, k],
                            v,
                        )
                    total, bend, fed, overlap = _forward(
                        family,
                        last > 0,
                        (weight, output, feedback, hidden, former, through, argument),
                        (rate * inputs[then, last], rate, rate_b),
                        inputs[state, last],
                        v,
                    )
                    for i in range(width, filled):
                        former[i] = 0.0
                    error = _clipped(total * scale, clip) - targets[state]
                    moving = 0.0 if frozen else error
                    owed[r, 0] = weight_rate * moving
                    owed[r, 1] = feedback_rate * moving * bend
                    numbers[r, 0] = (fed - owed[r, 1] * overlap) / width
                    numbers[r, 1] += abs(error)
                    numbers[r, 2] += error * error
                for j in range(memories.size):
                    for k in range(last):
                        _output_row(k == 0, table[k, :filled], argument, points[j, k], memories[j])
                    found = scale * _output(
                        family,
                        last > 0,
                        (weight, output, argument),
                        points[j, last],
                        memories[j],
                    )
                    gap = abs(found - reference[step, j])
                    largest[r, j] = max(largest[r, j], gap)
        if steps % 2:
            # The caller finds S in its own row again.
            for r in range(replicas):
                for i in range(filled):
                    one, other = tables[r, dimension + 2, i], tables[r, dimension + 3, i]
                    tables[r, dimension + 2, i], tables[r, dimension + 3, i] = other, one

    return run


def runner(spec: ActivationSpec) -> Callable[..., None]:
    """Return the compiled recursion for an activation.

    It takes one step in every replica for each state of its path.

    Parameters
    ----------
    width : int
        N.
    frozen : bool
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
    return _compiled(_FAMILIES.index(spec.label))


@_of_one_unit
def _value(x: float) -> float:
    return _tanh(x, 1.0)[0]


@numba.njit(error_model="numpy", cache=True)
def tanh_values(x: Array, out: Array) -> None:
    """Put ``tanh x`` into `out`, as the recursion evaluates it."""
    for i in range(x.size):
        out[i] = _value(x[i])

r"""The training recursion compiled by numba, for the activations tanh and logistic.

The same recursion as in `verification.recurrent.network`, two passes over the units a step: one
evaluates the activation and sums the output, one updates C, W and B and sums the next memory.

numba's own tanh is a scalar call.  Here it is arithmetic that a compiler turns into vectors: with
``z = 2x = n ln 2 + r``, ``|r| <= (ln 2)/2``, ``exp(z) - 1 = (2^n - 1) + 2^n (exp(r) - 1)``, a
polynomial for the last term, and ``tanh x = (exp(z) - 1)/(exp(z) + 1)``, one division.  Its error
is a few units in the last place, for small x too.  Only the sums may be reassociated, never the
activation.

Importing this module imports numba (about 0.2 s); compiling is cached beside the module.
"""

from __future__ import annotations

import math
import os
import sys
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]


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
from numba.extending import intrinsic  # noqa: E402

from verification.recurrent.network import clipped  # noqa: E402

_SUMS = {"reassoc", "contract", "nnan", "ninf", "nsz", "arcp"}
_MAGIC = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer in the low bits
_LOG2_E = 1 / math.log(2)
_LN2_HIGH = float.fromhex("0x1.62e42fefa3800p-1")
_LN2_LOW = float.fromhex("0x1.ef35793c76730p-45")
_FAR = 44.0  # tanh(22) rounds to 1
_ONE_BITS = 0x3FF0000000000000
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (
    1 / math.factorial(k) for k in range(2, 14)
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


# Python's division checks for zero, which keeps a loop from becoming vectors.  LLVM inlines this
# function with its own flags; numba's `inline` would give it those of the sums, and the rounding by
# the magic number would be simplified away.
@numba.njit(fastmath={"contract"}, error_model="numpy", cache=True)
def _tanh(x: float) -> float:
    z = min(max(2.0 * x, -_FAR), _FAR)
    shifted = z * _LOG2_E + _MAGIC
    n = shifted - _MAGIC
    r = (z - n * _LN2_HIGH) - n * _LN2_LOW
    p = _C13
    p = p * r + _C12
    p = p * r + _C11
    p = p * r + _C10
    p = p * r + _C9
    p = p * r + _C8
    p = p * r + _C7
    p = p * r + _C6
    p = p * r + _C5
    p = p * r + _C4
    p = p * r + _C3
    p = p * r + _C2
    small = r + r * r * p
    bits = (_to_bits(shifted) << 52) + _ONE_BITS  # type: ignore[call-arg]
    power: float = _from_bits(bits)
    less_one = (power - 1.0) + power * small
    return less_one / (less_one + 2.0)


@numba.njit(error_model="numpy", cache=True)
def tanh_values(x: Array, out: Array) -> None:
    """Put ``tanh x`` into `out`, as the recursion evaluates it."""
    for i in range(x.size):
        out[i] = _tanh(x[i])


@numba.njit(fastmath=_SUMS, error_model="numpy", cache=True)
def _forward_tanh(
    memory: float, more: bool, w: Array, x: float, c: Array, value: Array, slope: Array
) -> tuple[float, float]:
    output, through = 0.0, 0.0
    for i in range(c.size):
        s = _tanh(w[i] * x + (slope[i] if more else memory))
        d = 1.0 - s * s
        value[i] = s
        slope[i] = d
        output += c[i] * s
        through += c[i] * d
    return output, through


@numba.njit(fastmath=_SUMS, error_model="numpy", cache=True)
def _forward_logistic(
    memory: float, more: bool, w: Array, x: float, c: Array, value: Array, slope: Array
) -> tuple[float, float]:
    output, through = 0.0, 0.0
    for i in range(c.size):
        t = _tanh(0.5 * (w[i] * x + (slope[i] if more else memory)))
        s = 0.5 + 0.5 * t
        d = 0.25 - 0.25 * (t * t)
        value[i] = s
        slope[i] = d
        output += c[i] * s
        through += c[i] * d
    return output, through


@numba.njit(fastmath=_SUMS, error_model="numpy", cache=True)
def _update(
    w: Array,
    b: Array,
    c: Array,
    hidden: Array,
    value: Array,
    slope: Array,
    rate_w: float,
    rate_c: float,
    rate_b: float,
) -> float:
    memory = 0.0
    for i in range(c.size):
        s = value[i]
        w[i] -= rate_w * (c[i] * slope[i])
        c[i] -= rate_c * s
        b[i] -= rate_b * hidden[i]
        memory += b[i] * s
    return memory


@numba.njit(fastmath=_SUMS, error_model="numpy", cache=True)
def _memory(b: Array, value: Array) -> float:
    memory = 0.0
    for i in range(b.size):
        memory += b[i] * value[i]
    return memory


_clipped = numba.njit(error_model="numpy", cache=True)(clipped)


@numba.njit(error_model="numpy", cache=True, nogil=True)
def run(
    logistic: bool,
    frozen: bool,
    states: npt.NDArray[np.intp],
    inputs: Array,
    targets: Array,
    output: Array,
    weights: Array,
    feedback: Array,
    hidden: Array,
    value: Array,
    slope: Array,
    memory: float,
    scale: float,
    weight_rate: float,
    feedback_rate: float,
    clip: float,
    errors: Array,
) -> float:
    """Take one step for each state; return the memory after them.

    Parameters
    ----------
    logistic, frozen : bool
    states : array of intp, shape (n_steps,)
    inputs, targets : Array, shapes (n_states, dimension), (n_states,)
    output, feedback, hidden, value, slope : Array, shape (n_units,)
        C, B, S, and room for two arrays; C, B and S are changed in place.
    weights : Array, shape (dimension, n_units)
        W, changed in place.
    memory : float
    scale, weight_rate, feedback_rate, clip : float
        ``N^-beta``, ``alpha N^(beta-2)``, ``alpha N^(beta-3)``, ``N^gamma``.
    errors : Array, shape (2,)
        To which the sums of ``|e|`` and ``e^2`` are added.
    """
    n_units = output.size
    last = inputs.shape[1] - 1
    for step in range(states.size):
        state = states[step]
        for k in range(last):
            x = inputs[state, k]
            row = weights[k]
            for i in range(n_units):
                slope[i] = (memory if k == 0 else slope[i]) + row[i] * x
        x = inputs[state, last]
        if logistic:
            total, through = _forward_logistic(
                memory, last > 0, weights[last], x, output, value, slope
            )
        else:
            total, through = _forward_tanh(memory, last > 0, weights[last], x, output, value, slope)
        error = _clipped(total * scale, clip) - targets[state]
        if frozen:
            memory = _memory(feedback, value) / n_units
        else:
            rate = weight_rate * error
            for k in range(last):
                row = weights[k]
                rate_k = rate * inputs[state, k]
                for i in range(n_units):
                    row[i] -= rate_k * (output[i] * slope[i])
            memory = (
                _update(
                    weights[last],
                    feedback,
                    output,
                    hidden,
                    value,
                    slope,
                    rate * x,
                    rate,
                    feedback_rate * error * through,
                )
                / n_units
            )
        hidden, value = value, hidden
        errors[0] += abs(error)
        errors[1] += error * error
    if states.size % 2:
        # The caller's array holds S again.
        for i in range(n_units):
            value[i] = hidden[i]
    return memory

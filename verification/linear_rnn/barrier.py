"""Where the part of a target that outlasts a network's memory is integrated."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from verification.linear_rnn.pieces import Function

_OCTAVES = (-4, 9)
_POINTS = 16


def barrier_ends(functions: Sequence[Function], rate: Fraction) -> list[Fraction]:
    """Return 0, the jumps, and 16 points an octave around the network's memory time."""
    exponent = rate.denominator.bit_length() - rate.numerator.bit_length()
    points = {
        Fraction(2) ** (exponent + octave) * Fraction(_POINTS + k, _POINTS)
        for octave in range(*_OCTAVES)
        for k in range(_POINTS)
    }
    jumps = {jump for function in functions for piece in function for jump in piece.jumps}
    return sorted({Fraction(0)} | points | jumps)

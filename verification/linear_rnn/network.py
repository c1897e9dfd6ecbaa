r"""Linear networks ``h' = W h + U x``, ``y = c . h``: stability, decay, kernel, response.

With W Hurwitz and the zero state at minus infinity, ``y(t) = int_0^inf x(t - s) . rho(s) ds``,
``rho(s) = U^T exp(W^T s) c``.

**Stability** is decided exactly: the coefficients of ``det(z - W)`` are rational (Faddeev and
LeVerrier), and all roots have negative real parts if and only if the first column of Routh's array
is positive.

**Decay.**  For any invertible V put ``D = V^-1 W V`` and let -b bound the largest eigenvalue of
``(D + D^T)/2``.  Then ``|exp(D t)| <= exp(-b t)``, since ``(|z|^2)' = 2 z . D z <= -2 b |z|^2``
along ``z' = D z``, and so ``|exp(W t)| <= |V| |V^-1| exp(-b t)`` (Euclidean norms).  V is made of
approximate eigenvectors, real and imaginary parts of complex ones: then b is close to the distance
of the spectrum from the imaginary axis.  Nothing rests on how close they are to eigenvectors.
Norms of matrices are bounded by ``|A|^2 <= |A|_1 |A|_inf``, or by the Frobenius norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isfinite

from verification.enclosure.balls import (
    Ball,
    ball,
    maximum,
    power,
    square,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import total as exact_total
from verification.errors import NotEnclosed
from verification.instance import Vector
from verification.linear_functional import Exponential, Network, Part
from verification.linear_rnn.pieces import Expansion, Function, of_parts


def is_stable(network: Network) -> bool:
    """Tell whether every eigenvalue of W has a negative real part, exactly."""
    # Routh's array of det(z - W), whose leading coefficient is 1.
    coefficients = characteristic_polynomial(network.w)
    above, row = list(coefficients[::2]), list(coefficients[1::2])
    while row:
        if row[0] <= 0:
            return False
        ratio = above[0] / row[0]
        padded = row + [Fraction(0)] * (len(above) - len(row))
        below = [p - ratio * q for p, q in zip(above[1:], padded[1:], strict=True)]
        above, row = row, below
    return True


def characteristic_polynomial(rows: Sequence[Vector]) -> list[Fraction]:
    """Return the coefficients of ``det(z - W)``, the leading one first."""
    size = len(rows)
    w, found = Matrix.exact(rows), [Fraction(1)]
    product = Matrix.constant(size, size, 0)
    for k in range(1, size + 1):
        product = w @ (product + Matrix.identity(size).scale(found[-1]))
        trace = exact_total([product.row(i)[i] for i in range(size)])
        if not isinstance(trace, Fraction):
            raise TypeError("a product of exact matrices is not exact")
        found.append(-trace / k)
    return found


@dataclass(frozen=True)
class Decay:
    """``|exp(W t)| <= conditioning exp(-rate t)`` for t >= 0, in the Euclidean norm.

    Both are rationals, rounded so that the bound holds.
    """

    conditioning: Fraction
    rate: Fraction


def decay(network: Network) -> Decay:
    """Bound how fast the hidden state of a stable network forgets.

    Raises
    ------
    NotEnclosed
        Where no rate of decay could be proved, as for some W that are nearly not diagonalisable.
    """
    return _decay(network.w, working_precision())


@lru_cache(maxsize=256)
def _decay(rows: tuple[Vector, ...], _bits: int) -> Decay:
    basis = _basis(rows)
    size = len(rows)
    try:
        inverse = basis.solve(Matrix.identity(size)) if size else basis
    except ZeroDivisionError:
        raise NotEnclosed("no basis of the network's modes was found in double precision") from None
    moved = (inverse @ Matrix.exact(rows) @ basis).in_balls().entries()
    # Gershgorin's discs of the symmetric part.
    growth = maximum(
        ball(moved[i][i])
        + total(abs(ball(moved[i][j]) + ball(moved[j][i])) for j in range(size) if j != i) / 2
        for i in range(size)
    )
    # A bound that doubles do not hold is infinite.
    rate = -upper_double(growth)
    if not rate > 0:
        raise NotEnclosed("no rate at which the network forgets could be proved")
    conditioning = upper_double(norm_upper(basis) * norm_upper(inverse))
    if not isfinite(conditioning):
        raise NotEnclosed("how far the network amplifies is beyond the range of doubles")
    return Decay(Fraction(conditioning), Fraction(rate))


def _basis(rows: tuple[Vector, ...]) -> Matrix:
    """Return a basis in which W is nearly diagonal, or triangular with little above."""
    if all(not x for i, row in enumerate(rows) for j, x in enumerate(row) if i != j):
        return Matrix.identity(len(rows))
    from verification.linear_rnn.estimates import forgetting_basis  # noqa: PLC0415 - loads scipy

    return Matrix.exact(forgetting_basis(rows))


def norm_upper(matrix: Matrix) -> Ball:
    """Bound the Euclidean operator norm of a matrix from above."""
    rows = [[abs(ball(x)) for x in row] for row in matrix.entries()]
    of_rows = maximum(total(row) for row in rows)
    of_columns = maximum(total(column) for column in zip(*rows, strict=True))
    frobenius = total(square(x) for row in rows for x in row).sqrt()
    return (of_rows * of_columns).sqrt().min(frobenius)


def norm(values: Sequence[Ball]) -> Ball:
    """Enclose the Euclidean norm of a vector."""
    return total(square(x) for x in values).nonnegative_part().sqrt()


@dataclass(frozen=True)
class KernelPiece:
    """One component of the kernel, ``rho_i(s) = u . exp(W^T s) c`` with u the i-th column of U.

    Parameters
    ----------
    w : tuple of tuple of Fraction, shape (width, width)
    u, c : tuple of Fraction, shape (width,)
    """

    w: tuple[Vector, ...]
    u: Vector
    c: Vector

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """See `verification.linear_rnn.pieces.Piece`."""
        return ()

    def _state(self, t: Fraction, applied: int) -> Matrix:
        return _moved(self.w, t, working_precision()) @ _applied(self.w, self.c, applied)

    def _output(self, state: Matrix) -> Ball:
        return ball((Matrix.exact([self.u]) @ state).numbers()[0])

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `verification.linear_rnn.pieces.Piece`."""
        return self._output(self._state(t, -times))

    def expansion(self, centre: Fraction, radius: Fraction, order: int) -> Expansion:
        """See `verification.linear_rnn.pieces.Piece`."""
        moves = Matrix.exact(self.w).transpose()
        state, coefficients = self._state(centre, 0), []
        for k in range(order):
            coefficients.append(self._output(state))
            state = (moves @ state).scale(Fraction(1, k + 1))
        reach = ball(radius)
        stretch = (norm_upper(moves) * reach).exp()
        u = norm([ball(x) for x in self.u])
        left = norm([ball(x) for x in state.numbers()])
        return Expansion(coefficients, u * left * power(reach, order) * stretch)

    def tail(self, start: Fraction) -> Ball:
        """See `verification.linear_rnn.pieces.Piece`."""
        known = _decay(self.w, working_precision())
        state = norm([ball(x) for x in self._state(start, 0).numbers()])
        u = norm([ball(x) for x in self.u])
        return u * state * ball(known.conditioning / known.rate)


@lru_cache(maxsize=4096)
def _moved(rows: tuple[Vector, ...], t: Fraction, _bits: int) -> Matrix:
    """Enclose ``exp(W^T t)``."""
    return Matrix.exact(rows).transpose().scale(t).exponential()


@lru_cache(maxsize=256)
def _applied(rows: tuple[Vector, ...], c: Vector, times: int) -> Matrix:
    """Return ``(W^T)^times c``, times <= 0, exactly."""
    result, moves = Matrix.column(c), Matrix.exact(rows).transpose()
    for _ in range(-times):
        result = moves.solve(result)
    return result


def kernel(network: Network) -> tuple[Function, ...]:
    """Return the kernel of a stable network, one function a channel.

    Where W consists of blocks (-a) and ((-a, w), (-w, -a)) it is written as exponentials and waves.
    """
    return tuple(kernel_channel(network, i) for i in range(len(network.u[0])))


def kernel_channel(network: Network, channel: int) -> Function:
    """Return one component of the kernel; see `kernel`."""
    u = tuple(row[channel] for row in network.u)
    parts = exponential_parts(network.w, u, network.c)
    if parts is not None:
        return of_parts(parts)
    return (KernelPiece(network.w, u, network.c),) if any(u) and any(network.c) else ()


def exponential_parts(w: tuple[Vector, ...], u: Vector, c: Vector) -> list[Part] | None:
    """Return the kernel as exponentials where W has the blocks of `kernel`, else None."""
    parts: list[Part] = []
    i, size = 0, len(c)
    while i < size:
        n = 2 if i + 1 < size and w[i][i + 1] else 1
        if any(
            w[j][k] or w[k][j] for j in range(i, i + n) for k in range(size) if not i <= k < i + n
        ):
            return None
        rate, frequency = -w[i][i], w[i][i + 1] if n > 1 else Fraction(0)
        if n > 1 and (w[i + 1][i], w[i + 1][i + 1]) != (-frequency, -rate):
            return None
        if frequency < 0:
            return None
        cosine = sum((u[i + j] * c[i + j] for j in range(n)), Fraction(0))
        sine = u[i + 1] * c[i] - u[i] * c[i + 1] if n > 1 else Fraction(0)
        parts.append(Exponential(coefficient=cosine, rate=rate, frequency=frequency, sine=sine))
        i += n
    return parts


@dataclass(frozen=True)
class Input:
    """A continuous or jumping input, linear between knots, 0 before the first.

    Parameters
    ----------
    knots : tuple of Fraction
        Increasing; the first is 0 and the last the time at which the output is asked for.
    starts, ends : tuple of tuple of Fraction, shape (len(knots) - 1, channels)
        The values at both ends of each interval.
    """

    knots: tuple[Fraction, ...]
    starts: tuple[Vector, ...]
    ends: tuple[Vector, ...]


def response(network: Network, signal: Input) -> Ball:
    """Enclose the output y at the last knot by stepping the hidden state from knot to knot.

    On an interval on which the input is ``p + q s`` the vector (h, 1, s) obeys a linear system with
    constant coefficients, and moves by the exponential of its matrix.
    """
    width = network.width
    state = Matrix.constant(width, 1, 0)
    for k, (first, last) in enumerate(zip(signal.starts, signal.ends, strict=True)):
        length = signal.knots[k + 1] - signal.knots[k]
        at = _times(network.u, first)
        slope = _times(network.u, tuple((q - p) / length for p, q in zip(first, last, strict=True)))
        rows = [[*row, at[i], slope[i]] for i, row in enumerate(network.w)]
        # The state (h, 1, s): h' = W h + at + slope s, 1' = 0, s' = 1.
        zero = Fraction(0)
        rows += [[zero] * (width + 2), [zero] * width + [Fraction(1), zero]]
        moved = Matrix.exact(rows).scale(length).exponential().entries()
        old = [*(ball(x) for x in state.numbers()), ball(1), ball(0)]
        state = Matrix.of_balls(
            [[total(ball(x) * y for x, y in zip(row, old, strict=True))] for row in moved[:width]]
        )
    return total(ball(c) * ball(h) for c, h in zip(network.c, state.numbers(), strict=True))


def convolution(functions: Sequence[Function], signal: Input) -> Ball:
    """Enclose ``int x(T - s) . rho(s) ds``, T the last knot, by parts.

    With F and G the first two primitives of rho, ``int_a^b rho(s) (p + q (s - a)) ds`` is
    ``[F (p + q (. - a)) - q G]`` between a and b.
    """
    result, end = ball(0), signal.knots[-1]
    for k in range(len(signal.starts)):
        near, far = end - signal.knots[k + 1], end - signal.knots[k]
        for i, function in enumerate(functions):
            first, last = signal.ends[k][i], signal.starts[k][i]
            slope = (last - first) / (far - near)
            for piece in function:
                result = result + ball(last) * piece.primitive(far)
                result = result - ball(first) * piece.primitive(near)
                result = result - ball(slope) * (piece.primitive(far, 2) - piece.primitive(near, 2))
    return result


def _times(u: Sequence[Vector], x: Vector) -> list[Fraction]:
    return [sum((p * q for p, q in zip(row, x, strict=True)), Fraction(0)) for row in u]


def is_silent(network: Network) -> bool:
    """Tell whether ``c . W^k U = 0`` for every k, exactly: then the kernel is zero."""
    w, state = Matrix.exact(network.w).transpose(), Matrix.column(network.c)
    u = Matrix.exact(network.u).transpose()
    for _ in range(network.width):
        if any((u @ state).numbers()):
            return False
        state = w @ state
    return True


def transposed(network: Network) -> Network:
    """Return the network with ``W^T`` in place of W."""
    return Network(w=tuple(zip(*network.w, strict=True)), u=network.u, c=network.c)

r"""Linear networks ``h' = W h + U x``, ``y = c . h`` in balls: forgetting, kernels, responses.

**Forgetting.**  A certificate brings an invertible V.  With ``D = V^-1 W V``, and -b no less than
the largest eigenvalue of ``(D + D^T)/2`` by Gershgorin's discs, ``|exp(W t)| <= K exp(-b t)`` for
``K >= |V| |V^-1|``: along ``z' = D z`` the square of ``|z|`` has the derivative
``2 z . D z <= -2 b |z|^2``.  So b > 0 shows that all eigenvalues of W have negative real parts.

**Kernel.**  ``rho_hat_i(t) = u_i . exp(W^T t) c``, u_i the i-th column of U; its k-th derivative is
``u_i . (W^T)^k exp(W^T t) c``, k < 0 included, and ``|exp(W^T z)| <= exp(|W| |z|)``.

**Sums of exponentials.**  A certificate's own networks are given by their kernels
``sum_j exp(-a_j t) (p_ij cos w_j t + q_ij sin w_j t)``: blocks (-a) and ((-a, w), (-w, -a)) make a
network of them, whose width is one or two for each j.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import factorial

from verification.certificate.check.linear.kernels import Function, Wave, primitive
from verification.certificate.check.numbers.balls import (
    Ball,
    BallMatrix,
    ball,
    balls_column,
    largest,
    matrix,
    precision,
    root,
    total,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.complex_balls import entries, matrix_exponential, solved
from verification.certificate.check.numbers.series import by_cauchy, reach_of
from verification.certificate.check.outcome import Budget, Invalid, require
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import MAX_WIDTH, Network, Vector, positive

MAX_INTERVALS = 4_000
_BITS = 256


def norm_of(values: Sequence[Ball]) -> Ball:
    """Enclose the Euclidean norm of a vector."""
    return root(total([x * x for x in values]))


def norm_above(rows: Sequence[Sequence[Ball]]) -> Ball:
    """Bound the Euclidean norm of a matrix: ``|A|^2 <= |A|_1 |A|_inf``, and by Frobenius."""
    sizes = [[abs(x) for x in row] for row in rows]
    along = largest([total(row) for row in sizes])
    across = largest([total(column) for column in zip(*sizes, strict=True)])
    return (along * across).sqrt().min(norm_of([x for row in sizes for x in row]))


class StableNetwork:
    """A network, and what a basis shows of how it forgets.

    Parameters
    ----------
    network : Network
    basis : tuple of tuple of Fraction, shape (width, width)
    budget : Budget

    Raises
    ------
    Invalid
        Where the basis does not show that the network is stable.
    """

    def __init__(self, network: Network, basis: tuple[Vector, ...], budget: Budget) -> None:
        self.network, self.budget = network, budget
        self._states: dict[tuple[Fraction, int, int], list[Ball]] = {}
        size = len(network.c)
        with precision(_BITS):
            v = matrix(basis)
            inverse = solved(
                v, matrix([[Fraction(i == j) for j in range(size)] for i in range(size)])
            )
            if inverse is None:
                raise Invalid("witness.basis: is not shown to be one")
            moved = entries(inverse * matrix(network.w) * v)
            growth = largest(
                [
                    moved[i][i]
                    + total([abs(moved[i][j] + moved[j][i]) for j in range(size) if j != i]) / 2
                    for i in range(size)
                ]
            )
            self.rate = -upper(growth)
            """b"""
            self.conditioning = upper(norm_above(entries(v)) * norm_above(entries(inverse)))
            """K"""
            self.speed = upper(norm_above([[ball(x) for x in row] for row in network.w]))
            """A bound of ``|W|``."""
        require(self.rate > 0, "every eigenvalue of W has a negative real part")

    def state(self, t: Fraction, order: int) -> list[Ball]:
        """Enclose ``(W^T)^k exp(W^T t) c``, k <= 0."""
        key = t, order, working_precision()
        if key not in self._states:
            size = len(self.network.c)
            self.budget.spend(100 * size**3, working_precision())
            transposed = tuple(zip(*self.network.w, strict=True))
            column: BallMatrix | None = balls_column([ball(x) for x in self.network.c])
            for _ in range(-order):
                column = None if column is None else solved(matrix(transposed), column)
            if column is None:
                raise Invalid("the network's W is not shown to be regular")
            moved = matrix_exponential([[x * t for x in row] for row in transposed]) * column
            self._states[key] = [row[0] for row in entries(moved)]
        return self._states[key]

    def height(self) -> Fraction:
        """Return a bound of ``|U| |c| K``: the kernel is at most ``H exp(-b t)``."""
        with precision(_BITS):
            of_inputs = norm_above([[ball(x) for x in row] for row in self.network.u])
            reads = norm_of([ball(x) for x in self.network.c])
            return upper(of_inputs * reads * ball(self.conditioning))

    def kernel(self, *, sign: int = 1) -> tuple[Function, ...]:
        """Return the kernel, one function a channel, as exponentials where W has their blocks."""
        columns = [tuple(sign * x for x in u) for u in zip(*self.network.u, strict=True)]
        blocks = _blocks(self.network.w)
        if blocks is None:
            return tuple((KernelPiece(self, u),) for u in columns)
        return tuple(_waves(self.network, blocks, u) for u in columns)


def _blocks(w: tuple[Vector, ...]) -> list[tuple[int, int]] | None:
    """Return first rows and sizes of the blocks (-a) and ((-a, w), (-w, -a)) that W consists of."""
    blocks: list[tuple[int, int]] = []
    i = 0
    while i < len(w):
        size = 2 if i + 1 < len(w) and w[i][i + 1] else 1
        for row in range(i, i + size):
            if any(x for j, x in enumerate(w[row]) if not i <= j < i + size):
                return None
        if size == 2 and (w[i + 1][i], w[i + 1][i + 1]) != (-w[i][i + 1], w[i][i]):
            return None
        blocks.append((i, size))
        i += size
    return blocks


def _waves(network: Network, blocks: list[tuple[int, int]], u: Vector) -> Function:
    """Return ``u . exp(W^T t) c``, block by block."""
    found: list[Wave] = []
    for i, size in blocks:
        c = network.c
        cosine = sum((u[j] * c[j] for j in range(i, i + size)), Fraction(0))
        turning = network.w[i][i + 1] if size == 2 else Fraction(0)
        sine = u[i + 1] * c[i] - u[i] * c[i + 1] if size == 2 else Fraction(0)
        if turning < 0:
            turning, sine = -turning, -sine
        if cosine or sine:
            found.append(Wave(-network.w[i][i], turning, 0, cosine, sine))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class KernelPiece:
    """``u . exp(W^T t) c``."""

    network: StableNetwork
    u: Vector

    @property
    def kinks(self) -> tuple[Fraction, ...]:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        return ()

    def _output(self, state: Sequence[Ball]) -> Ball:
        return total([ball(u) * x for u, x in zip(self.u, state, strict=True) if u])

    def taylor(self, middle: Fraction, count: int) -> list[Ball]:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        columns = [
            [ball(x) for x in column] for column in zip(*self.network.network.w, strict=True)
        ]
        state, found = self.network.state(middle, 0), []
        for k in range(count):
            found.append(self._output(state) / factorial(k))
            state = [
                total([x * y for x, y in zip(column, state, strict=True)]) for column in columns
            ]
        return found

    def rest(self, middle: Fraction, reach: Fraction) -> Ball | None:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        speed = self.network.speed
        disc = max(2 * reach, reach_of(speed) if speed else 2 * reach)
        disc = min(disc, 2**12 * reach)
        height = norm_of([ball(x) for x in self.u]) * norm_of(self.network.state(middle, 0))
        return by_cauchy(height * ball(speed * disc).exp(), reach / disc)

    def primitive(self, t: Fraction, times: int = 1) -> Ball:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        return self._output(self.network.state(t, -times))

    def tail(self, t: Fraction) -> Ball:
        """See `verification.certificate.check.linear.kernels.Piece`."""
        height = norm_of([ball(x) for x in self.u]) * norm_of(self.network.state(t, 0))
        return height * ball(self.network.conditioning / self.network.rate)


@dataclass(frozen=True)
class Signal:
    """An input, linear between knots, which begin with 0; 0 before."""

    knots: Vector
    starts: tuple[Vector, ...]
    ends: tuple[Vector, ...]


def read_signal(node: Node, channels: int) -> Signal:
    """Read an input."""
    members = node.fields(("knots", "starts", "ends"))
    knots = tuple(item.number() for item in members["knots"].elements(2, MAX_INTERVALS + 1))
    if knots[0] or any(a >= b for a, b in pairwise(knots)):
        members["knots"].refuse("times that increase from 0 on")
    values = [
        tuple(
            item.numbers(channels) for item in members[key].elements(len(knots) - 1, len(knots) - 1)
        )
        for key in ("starts", "ends")
    ]
    return Signal(knots, values[0], values[1])


def response(network: Network, signal: Signal, budget: Budget) -> Ball:
    """Enclose the output at the last knot, by following the hidden state from knot to knot.

    While the input is ``p + q s`` the vector (h, 1, s) moves by the exponential of a matrix.
    """
    size = len(network.c)
    state = [ball(0)] * size
    for k, (a, b) in enumerate(pairwise(signal.knots)):
        budget.spend(100 * (size + 2) ** 3, working_precision())
        slopes = [(q - p) / (b - a) for p, q in zip(signal.starts[k], signal.ends[k], strict=True)]
        rows = [
            [*w, _dot(u, signal.starts[k]), _dot(u, slopes)]
            for w, u in zip(network.w, network.u, strict=True)
        ]
        rows += [[Fraction(0)] * (size + 2), [*[Fraction(0)] * size, Fraction(1), Fraction(0)]]
        moved = matrix_exponential([[x * (b - a) for x in row] for row in rows])
        found = entries(moved * balls_column([*state, ball(1), ball(0)]))
        state = [row[0] for row in found[:size]]
    return total([ball(c) * x for c, x in zip(network.c, state, strict=True)])


def convolution(kernel: tuple[Function, ...], signal: Signal) -> Ball:
    """Enclose ``int x(T - s) . rho_hat(s) ds``, T the last knot, by parts.

    With primitives F, G of the kernel and the input ``p + q (s - a)`` on ``[a, b]`` it is
    ``[(p + q (s - a)) F(s) - q G(s)]`` between a and b.
    """
    end, parts = signal.knots[-1], []
    for (a, b), starts, ends in zip(
        pairwise(signal.knots), signal.starts, signal.ends, strict=True
    ):
        near, far = end - b, end - a
        for function, first, last in zip(kernel, starts, ends, strict=True):
            slope = (first - last) / (b - a)
            parts.append(ball(first) * primitive(function, far))
            parts.append(-(ball(last) * primitive(function, near)))
            if slope:
                rise = primitive(function, far, 2) - primitive(function, near, 2)
                parts.append(-(ball(slope) * rise))
    return total(parts)


def _dot(first: Sequence[Fraction], second: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(first, second, strict=True)), Fraction(0))


def read_modes(node: Node, channels: int, width: int) -> tuple[tuple[Wave, ...], ...]:
    """Read the kernel of a network of at most this width; return minus it, channel by channel."""
    found: list[list[Wave]] = [[] for _ in range(channels)]
    used, zero = 0, Fraction(0)
    for item in node.elements(0, MAX_WIDTH):
        turning = item.has("frequency")
        more = ("frequency", "sine") if turning else ()
        members = item.fields(("rate", "cosine", *more))
        rate = positive(members["rate"])
        frequency = positive(members["frequency"]) if turning else zero
        cosine = members["cosine"].numbers(channels)
        sine = members["sine"].numbers(channels) if turning else (zero,) * channels
        used += 2 if turning else 1
        for i in range(channels):
            if cosine[i] or sine[i]:
                found[i].append(Wave(rate, frequency, 0, -cosine[i], -sine[i]))
    if used > width:
        node.invalid(f"has width {used}, more than {width}")
    return tuple(map(tuple, found))

r"""The limiting kernel for normal W in any dimension, in double precision, by Mehler's series.

With W normal, mean m and standard deviation s of every entry, ``W.x + v = m.x + v + s |x| g`` for a
standard normal g, and two inputs' g and g' have the correlation ``rho = x.x' / (|x| |x'|)``.  For
jointly normal g, g' (Mehler)

    E[phi(g) chi(g')] = sum_k a_k b_k rho^k,     a_k = E[phi(g) h_k(g)],  b_k = E[chi(g) h_k(g)],

``h_k = He_k / sqrt(k!)``: a point's coefficients depend on ``(s |x|, m.x + v)`` only, whatever the
dimension.  The kernel is the series of sigma and E[C^2] x.x' times that of sigma'.

Write |.| for the Euclidean norm of the coefficients of degrees k <= K; let the computed ones, not
yet rounded to doubles a^, be within delta of a; ``F = |a^|``, F_1 the norm from degree 1 on,
``D^2 = sum_k k a^_k^2``, and u the unit roundoff.  For two points the error is at most the sum of

* *coefficients*: ``delta (F + F' + delta)``, because ``|sum_k c_k d_k rho^k| <= |c| |d|``;
* *tail*: ``|rho|^(K+1) r r'``, with ``r^2 >= sum_{k>K} a_k^2``;
* *correlation*: the polynomial's slope is at most ``sum_k k |a^_k b^_k| <= D D'``, so that an error
  e of rho costs ``e D D'``;
* *rounding*: term k passes through one rounding of each coefficient and at most 2k + 2 of Horner's
  rule, ``gamma(2k + 4) |a^_k b^_k| |rho|^k``: all terms together at most ``u / (1 - (2K + 4) u)``
  times ``4 |a^_0 b^_0| + |rho| (2 D D' + 4 F_1 F_1')``.

**delta.**  The coefficients are sums over nodes, ``q = T phi`` (`hermite_rule`).  Arguments are
kept in two doubles, and sigma is evaluated by `activation_cells`, which trusts no elementary
function.  By Bessel's inequality the errors e_j of the values at the nodes move q by at most
``((1 + excess) sum_j w_j e_j^2)^(1/2)`` in norm, without a factor for the number of coefficients.
The sums themselves are carried in two doubles (`split_products`), and so are the correlations.

**r.**  ``sum_{k>K} a_k^2 = E[phi^2] - sum_{k<=K} a_k^2`` is at most ``Q(phi) + slack``, Q(phi) =
``sum_j w_j phi_j^2 - |T phi|^2``, the slack being what the rules for E[phi^2] and for the
coefficients leave.  Q + excess ``sum_j w_j phi_j^2`` is the square of a seminorm (Bessel), so that
the values' errors e, once more, add at most their norm to its root.  At the doubles that stand for
phi, Q is a difference of two sums that are carried in two doubles each: it is known to about
1e-18 of phi's supremum, and so is the product r r' in the tail.

The degree K is doubled until the tails are negligible, then cut to what is needed.  For large
``s |x|`` the coefficients of an activation with poles decrease slowly (like ``exp(-c sqrt(k))``, c
the distance of the poles over ``s |x|``); beyond `MAX_DEGREE` the bound includes what is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from verification.enclosure.balls import ball, precision, root
from verification.enclosure.doubles import (
    ELEMENTARY_RANGE,
    UNDERFLOW,
    UNIT_ROUNDOFF,
    above,
    gamma,
    nearest,
    sum_upper,
    upward,
)
from verification.enclosure.split_products import (
    Split,
    halves,
    inner_products,
    matrix_product,
    product_error,
    split,
    split_bits,
    squares,
    squares_error,
    two_product,
    two_sum,
)
from verification.errors import InvalidInstance, NotEnclosed
from verification.instance import ActivationSpec, Instance, Law, Normal, ProductLaw
from verification.kernel.hermite_rule import LARGEST_WIDTH, HermiteRule, hermite_rule
from verification.recurrent.activation import activation
from verification.recurrent.activation_cells import Cells, activation_cells
from verification.recurrent.batches import check_points, coarse_bound
from verification.recurrent.law import moment_of_c

Array: TypeAlias = npt.NDArray[np.float64]

MAX_DEGREE = 1024

_FIRST_DEGREE = 32
_WORKING_BITS = 128
_TAIL = Fraction(1, 2**57)
_HALF_BITS = 24
_BLOCK_ENTRIES = 2**15
_BLOCK_POINTS = 128
_BLOCK_PAIRS = 2**14

# Sums of fewer than 2**12 terms, none negative, and a few operations more err by less.
_SLACK = 1 + Fraction(1, 2**40)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Points:
    """Points (x, v): each input a power of two times a row whose largest entry is about 1.

    Parameters
    ----------
    rows, units : Split, shape (n_points, dimension)
        The rows, and the rows over their lengths; of a zero input, zero.
    powers : Array, shape (n_points,)
    deviations : tuple of Array, each of shape (n_points,)
        ``s |x|`` in two parts, of which the first has 26 bits.
    offsets : tuple of Array, each of shape (n_points,)
        ``m.x + v`` in two doubles.
    deviation, offset : Fraction
        Bounds of their sizes.
    deviation_error, offset_error : Fraction
        Bounds of the errors, relative and absolute.
    longest : Fraction
        Bound of ``|x|``.
    row_error, unit_error : Fraction
        Bounds of the errors of inner products of rows and of units, before they are rounded.
    """

    rows: Split
    units: Split
    powers: Array
    deviations: tuple[Array, Array]
    offsets: tuple[Array, Array]
    deviation: Fraction
    offset: Fraction
    deviation_error: Fraction
    offset_error: Fraction
    longest: Fraction
    row_error: Fraction
    unit_error: Fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class _Series:
    """Coefficients of every point, and bounds of them; see the module's docstring.

    Parameters
    ----------
    coefficients : Array, shape (degree + 1, n_points)
    first, norms, higher, slopes, rests : Array, shape (n_points,)
        ``|a_0|``, F, F_1, D and r.
    error : Fraction
        delta, of every point.
    """

    coefficients: Array
    first: Array
    norms: Array
    higher: Array
    slopes: Array
    rests: Array
    error: Fraction

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kernel:
    """The series of sigma and of sigma', which is None where E[C^2] = 0."""

    points: _Points
    forward: _Series
    backward: _Series | None
    mean_square: Fraction


def mehler_enclosures(
    instance: Instance,
    first_inputs: Array,
    first_memory: Array,
    second_inputs: Array,
    second_memory: Array,
) -> tuple[Array, Array]:
    """Return ``K(zeta_i, zeta'_i)`` for many pairs of points, and a bound of each one's error.

    Parameters
    ----------
    instance : Instance
        Its activation and its law, a product law with normal W; the inputs of its chain play no
        part.
    first_inputs, second_inputs : Array, shape (n_pairs, dimension)
        The inputs x and x', taken as the exact doubles they are.
    first_memory, second_memory : Array, shape (n_pairs,)
        The memories v and v', likewise.

    Returns
    -------
    values, errors : Array, shape (n_pairs,)
        Proved: no value is farther than its error from the kernel.

    Raises
    ------
    InvalidInstance
        Where the arrays do not have these shapes, or hold a number that is not finite.
    NotEnclosed
        Where W is not normal; where ``s |x|`` is so large that the coefficients need too many
        nodes, or a number is beyond the supported range.

    Notes
    -----
    The cost is one evaluation of sigma and of sigma' for each point and node (100 to 2,000), and
    one step of Horner's rule for each pair and degree.
    """
    check_points(first_inputs, first_memory, instance.chain.dimension)
    check_points(second_inputs, second_memory, instance.chain.dimension)
    n_pairs = len(first_memory)
    if len(second_memory) != n_pairs:
        raise InvalidInstance(
            "second_memory", f"has length {len(second_memory)}, expected {n_pairs}"
        )
    kernel = _kernel(
        instance,
        np.concatenate((first_inputs, second_inputs)),
        np.concatenate((first_memory, second_memory)),
    )
    values, errors = np.empty(n_pairs), np.empty(n_pairs)
    for start in range(0, n_pairs, _BLOCK_PAIRS):
        here = slice(start, min(start + _BLOCK_PAIRS, n_pairs))
        there = slice(n_pairs + here.start, n_pairs + here.stop)
        values[here], errors[here] = _values(kernel, here, there, outer=False)
    return values, errors


def mehler_pairs(
    instance: Instance,
    first_inputs: Array,
    first_memory: Array,
    second_inputs: Array,
    second_memory: Array,
) -> tuple[Array, float]:
    """Return ``K(zeta_i, zeta'_i)`` for many pairs of points, and one bound of the error.

    As `mehler_enclosures`, but for the largest of the errors in place of all.
    """
    values, errors = mehler_enclosures(
        instance, first_inputs, first_memory, second_inputs, second_memory
    )
    return values, float(errors.max(initial=0))


def mehler_gram(instance: Instance, inputs: Array, memory: Array) -> tuple[Array, float]:
    """Return the matrix ``K(zeta_i, zeta_j)`` of many points, and a proved bound of its error.

    Parameters
    ----------
    instance : Instance
        As for `mehler_enclosures`.
    inputs : Array, shape (n_points, dimension)
    memory : Array, shape (n_points,)

    Returns
    -------
    matrix : Array, shape (n_points, n_points)
        Symmetric.
    error : float
        Proved: no entry is farther than this from the kernel.

    Raises
    ------
    InvalidInstance, NotEnclosed
        As `mehler_enclosures` does.
    """
    check_points(inputs, memory, instance.chain.dimension)
    kernel = _kernel(instance, inputs, memory)
    n_points = len(memory)
    matrix, error = np.empty((n_points, n_points)), 0.0
    for start in range(0, n_points, _BLOCK_POINTS):
        one = slice(start, start + _BLOCK_POINTS)
        for begin in range(start, n_points, _BLOCK_POINTS):
            other = slice(begin, begin + _BLOCK_POINTS)
            block, errors = _values(kernel, one, other, outer=True)
            matrix[one, other] = block
            matrix[other, one] = block.T
            error = max(error, float(errors.max()))
    return matrix, error


def _normal(law: Law) -> Normal:
    if not isinstance(law, ProductLaw) or not isinstance(law.w, Normal):
        raise NotEnclosed("Mehler's series is for a product law with normal W")
    return law.w


def _largest(values: Array) -> Fraction:
    return Fraction(float(values.max(initial=0)))


def _root(value: Fraction) -> Fraction:
    """Return a number no smaller than the square root."""
    return above(root(ball(value)))


def _kernel(instance: Instance, inputs: Array, memory: Array) -> _Kernel:
    spec, law = instance.activation, instance.law
    mean_square = moment_of_c(law, 2)
    with precision(_WORKING_BITS):
        points = _points(_normal(law), inputs, memory)
        return _Kernel(
            points=points,
            forward=_series(spec, 0, points),
            backward=_series(spec, 1, points) if mean_square else None,
            mean_square=mean_square,
        )


# The points.


def _below(width: Fraction) -> Fraction:
    """Round a positive number down to seven significant bits: like batches share a rule."""
    exponent = width.numerator.bit_length() - width.denominator.bit_length()
    unit = Fraction(2) ** (exponent - 7)
    return math.floor(width / unit) * unit


def _refuse_beyond(name: str, size: Fraction) -> None:
    if size > ELEMENTARY_RANGE:
        raise NotEnclosed(
            f"{name} may be {upward(size):.3g} in size; double precision is bounded up to "
            f"{ELEMENTARY_RANGE}"
        )


def _points(w: Normal, inputs: Array, memory: Array) -> _Points:
    _refuse_beyond("an input", coarse_bound(inputs))
    _refuse_beyond("a memory", coarse_bound(memory))
    dimension = inputs.shape[1]
    bits = split_bits(dimension)
    _, exponents = np.frexp(np.abs(inputs).max(axis=1, initial=0))
    # Entries that underflow here are below 2**-1000 of their row's largest.
    rows = split(np.ldexp(inputs, -exponents[:, np.newaxis]), bits)
    powers = np.ldexp(1.0, exponents)
    row_error = product_error(dimension, bits) + dimension * UNDERFLOW

    lengths, rests, relative = _lengths(rows, row_error, dimension, bits)
    units, unit_error = _units(rows, lengths, rests, relative, bits)
    longest = coarse_bound(lengths * powers) * (1 + gamma(2))
    deviations, deviation, deviation_error = _deviations(
        w.std, lengths * powers, rests * powers, longest, relative
    )
    if any(w.mean):
        shifts, shift, shift_error = _shifts(w, rows, powers, longest, bits)
    else:
        shifts, shift, shift_error = np.zeros((2, len(memory))), Fraction(0), Fraction(0)
    total, rest = two_sum(shifts[0], memory)
    offset = coarse_bound(total) + coarse_bound(memory) + shift
    return _Points(
        rows=rows,
        units=units,
        powers=powers,
        deviations=deviations,
        offsets=(total, rest + shifts[1]),
        deviation=deviation,
        offset=offset,
        deviation_error=deviation_error,
        offset_error=shift_error + 4 * UNIT_ROUNDOFF**2 * offset,
        longest=longest,
        row_error=row_error,
        unit_error=unit_error,
    )


def _lengths(
    rows: Split, row_error: Fraction, dimension: int, bits: int
) -> tuple[Array, Array, Fraction]:
    """Return the rows' lengths in two doubles, and a bound of the relative error.

    One step of Newton's method: ``L = l + (L^2 - l^2) / (2 l)`` up to ``(l/L - 1)^2 <= 4 u^2``
    relatively.  A row that is not zero has an entry of at least 1/2: ``L^2 >= 1/4``.  The
    difference is one of numbers that agree up to ``dimension 2**-bits`` and three roundings.
    """
    square = inner_products(rows, rows)
    lengths = np.sqrt(square.high + square.low)
    product, beside = two_product(lengths, lengths)
    difference = ((square.high - product) - beside) + square.low
    rests = np.divide(difference, 2 * lengths, out=np.zeros_like(lengths), where=lengths > 0)
    apart = Fraction(3 * dimension, 2**bits)
    return lengths, rests, 2 * (row_error + gamma(4) * apart) + 16 * UNIT_ROUNDOFF**2


def _units(
    rows: Split, lengths: Array, rests: Array, relative: Fraction, bits: int
) -> tuple[Split, Fraction]:
    """Return the rows over their lengths, and a bound of the error of their inner products."""
    scaled, dimension = rows.total(), rows.high.shape[1]
    long = lengths[:, np.newaxis]
    positive = long > 0
    quotient = np.divide(scaled, long, out=np.zeros_like(scaled), where=positive)
    product, beside = two_product(quotient, np.broadcast_to(long, quotient.shape))
    # The remainder is a few roundings in size, and rounded as often.
    remainder = ((scaled - product) - beside) - quotient * rests[:, np.newaxis]
    rest = np.divide(remainder, long, out=np.zeros_like(scaled), where=positive)
    high = np.rint(quotient * 2.0**bits) * 2.0**-bits
    low = (quotient - high) + rest
    # A unit is off by the length's relative error along itself, and by this in every entry.
    entry = 64 * UNIT_ROUNDOFF**2 + UNIT_ROUNDOFF / 2**bits + UNDERFLOW
    # The low parts may exceed half a unit of the high ones by a few roundings.
    rounding = product_error(dimension, bits, low=2)
    return Split(high, low), rounding + 3 * (relative + dimension * entry)


def _deviations(
    std: Fraction, norms: Array, rests: Array, longest: Fraction, relative: Fraction
) -> tuple[tuple[Array, Array], Fraction, Fraction]:
    """Return ``s |x|`` in two parts, its bound and its relative error."""
    _refuse_beyond("a standard deviation of W.x", longest * std)
    factor, _ = nearest(std)
    beside, _ = nearest(std - Fraction(factor))
    product, rest = two_product(norms, np.full_like(norms, factor))
    rest = rest + (rests * factor + norms * beside)
    high, low = halves(product)
    # The rest is a few roundings in size; the lower half is 2**-26 of the whole.
    error = relative + 32 * UNIT_ROUNDOFF**2 + UNIT_ROUNDOFF / 2**25
    size = coarse_bound(product) * (1 + gamma(4))
    return (high, low + rest), size, error


def _shifts(
    w: Normal, rows: Split, powers: Array, longest: Fraction, bits: int
) -> tuple[Array, Fraction, Fraction]:
    """Return ``m.x`` in two doubles, shape (2, n_points), its bound and its error."""
    dimension = len(w.mean)
    largest = sum((abs(value) for value in w.mean), Fraction(0))
    _refuse_beyond("a mean of W.x", 2 * longest * largest)
    exponent = largest.numerator.bit_length() - largest.denominator.bit_length() + 1
    unit = Fraction(2) ** exponent
    tops = [Fraction(round(value / unit * 2**bits), 2**bits) for value in w.mean]
    centre = Split(
        np.array([float(top) for top in tops]),
        np.array([float(value / unit - top) for value, top in zip(w.mean, tops, strict=True)]),
    )
    product = matrix_product(rows, centre)
    scales = np.ldexp(powers, exponent)
    shifts = np.array(two_sum(product.high * scales, product.low * scales))
    # Of a row that is not zero the power is at most twice the length.
    entry = product_error(dimension, bits) + dimension * (Fraction(1, 2 ** (bits + 53)) + UNDERFLOW)
    return shifts, coarse_bound(shifts), 2 * longest * unit * entry + UNDERFLOW


# The coefficients.


def _series(spec: ActivationSpec, order: int, points: _Points) -> _Series:
    """Return the coefficients of the derivative of an order, 0 or 1, at every point."""
    sigma = activation(spec)
    strip = sigma.strip_width()
    strip_bound = above(sigma.strip_bound(order, ball(strip)))
    deviation = points.deviation * (1 + points.deviation_error)
    width = _below(strip / deviation) if deviation * LARGEST_WIDTH > strip else LARGEST_WIDTH
    growth_bits = math.ceil(math.log2(strip_bound / above(sigma.bound(order))))
    # With poles at this distance a degree of about (20 / width)^2 makes the tail 2**-57.
    degree = _FIRST_DEGREE
    while degree < MAX_DEGREE and degree * 4 * float(width) ** 2 < 20**2:
        degree *= 2
    rule = hermite_rule(width, degree, growth_bits)
    while True:
        found, tail = _coefficients(spec, order, points, rule, strip_bound)
        if tail <= _TAIL or degree == MAX_DEGREE:
            return found
        degree *= 2
        try:
            rule = hermite_rule(width, degree, growth_bits)
        except NotEnclosed:
            return found


def _coefficients(
    spec: ActivationSpec, order: int, points: _Points, rule: HermiteRule, strip_bound: Fraction
) -> tuple[_Series, Fraction]:
    """Return the series of a rule's degree, cut where the tails allow it, and the largest tail.

    Everything is divided by a power of two that makes the function at most 1, until the end.
    """
    farthest = Fraction(float(rule.nodes[-1]))
    reach = points.offset + farthest * points.deviation * (1 + points.deviation_error)
    cells = activation_cells(spec, order, coarse_bound(np.array([upward(reach)])))
    unit = Fraction(2) ** cells.exponent
    strip_bound = strip_bound / unit
    real_bound, slope_bound = (above(activation(spec).bound(k)) / unit for k in (order, order + 1))

    weights = rule.table[:, 0].total() * 2.0**-rule.scale
    beside = rule.table_error / 2**rule.scale
    mass = sum_upper(weights.tolist()) * (1 + gamma(2)) + beside
    spread = sum_upper((weights * rule.nodes * rule.nodes).tolist()) * (1 + gamma(4))
    mass_root, spread_root = _root(mass), _root(spread + farthest**2 * beside)
    # What `_arguments` rounds is at most u 2**-23 of the sizes of the sum's two terms.
    rounding = UNIT_ROUNDOFF / 2**23
    argument_error = mass_root * (points.offset_error + rounding * points.offset + UNDERFLOW) + (
        spread_root * points.deviation * (points.deviation_error + rounding)
    )
    bessel = _root(1 + rule.excess)
    value_error = bessel * (mass_root * (cells.error + UNDERFLOW) + slope_bound * argument_error)
    rule_error = strip_bound * rule.analytic_error + real_bound * rule.real_error
    n_nodes, n_terms = rule.table.high.shape
    sum_error = (product_error(n_nodes, rule.bits) + rule.table_error) / 2**rule.scale + UNDERFLOW
    n_root = _root(Fraction(n_terms))
    sums = _sums(cells, points, rule)

    # The energy that the coefficients leave: Q at the doubles that stand for the function.
    beyond = n_root * sums.largest_part
    length = _root(_largest(sums.main) * _SLACK) + beyond
    part_error = sum_error + UNIT_ROUNDOFF * sums.largest_part
    energy_error = (
        (product_error(n_nodes, rule.bits, low=4) + rule.table_error) / 2**rule.scale
        + squares_error(rule.bits) * mass
        + 2 * length * n_root * part_error
        + n_terms * part_error**2
        + gamma(n_terms + 4) * (2 * length * beyond + beyond**2)
        + gamma(6) * sums.largest_term
        + rule.excess * mass
        + UNDERFLOW
    )
    slack = (
        strip_bound**2 * rule.square_analytic_error
        + real_bound**2 * rule.square_real_error
        + 2 * n_root * rule_error * bessel * mass_root * real_bound
    )
    energy = np.maximum(sums.energy + upward(energy_error), 0)
    rests = np.sqrt((np.sqrt(energy) + upward(value_error)) ** 2 + upward(slack))
    rests *= upward(_SLACK)

    tail = _largest(rests) ** 2
    error = value_error + n_root * (rule_error + sum_error + UNDERFLOW)
    degree, rests = _cut(sums.coefficients, rests, upward(error))
    coefficients = np.ascontiguousarray(sums.coefficients[:, : degree + 1].T) * float(unit)
    degrees = np.arange(degree + 1.0)
    return (
        _Series(
            coefficients=coefficients,
            first=np.abs(coefficients[0]),
            norms=_norms(coefficients, np.ones(degree + 1)),
            higher=_norms(coefficients, np.minimum(degrees, 1)),
            slopes=_norms(coefficients, degrees),
            rests=rests * float(unit),
            error=error * unit,
        ),
        tail,
    )


def _norms(coefficients: Array, factors: Array) -> Array:
    """Bound ``(sum_k f_k a_k^2)^(1/2)`` for every point; shape (degree + 1, n_points)."""
    sums = np.einsum("ki,ki,k->i", coefficients, coefficients, factors)
    result: Array = np.sqrt(sums + upward(UNDERFLOW)) * upward(_SLACK)
    return result


def _cut(coefficients: Array, rests: Array, error: float) -> tuple[int, Array]:
    """Return the least degree whose tails are small, or the largest, and the tails' roots."""
    n_points, n_terms = coefficients.shape
    squares = coefficients * coefficients
    beyond = np.zeros(n_points)
    roots = rests
    for degree in range(n_terms - 2, -1, -1):
        beyond += squares[:, degree + 1]
        shorter = np.sqrt(rests * rests + (np.sqrt(beyond) + error) ** 2) * upward(_SLACK)
        if float(shorter.max(initial=0)) ** 2 > _TAIL:
            return degree + 1, roots
        roots = shorter
    return 0, roots


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sums:
    """Coefficients, and what bounds the energy that they leave.

    Parameters
    ----------
    coefficients : Array, shape (n_points, degree + 1)
    energy, main : Array, shape (n_points,)
        The energy left, and the sums of the squares of the coefficients' leading parts.
    largest_part : Fraction
        Bound of the coefficients' other parts.
    largest_term : Fraction
        Bound of what the energy is a difference of, but for the leading parts.
    """

    coefficients: Array
    energy: Array
    main: Array
    largest_part: Fraction
    largest_term: Fraction


def _sums(cells: Cells, points: _Points, rule: HermiteRule) -> _Sums:
    """Evaluate the function at the nodes, and sum."""
    n_points = len(points.powers)
    n_nodes, n_terms = rule.table.high.shape
    unscale = 2.0**-rule.scale
    coefficients = np.empty((n_points, n_terms))
    energy, main = np.empty(n_points), np.empty(n_points)
    largest_part = largest_term = 0.0
    block = max(1, _BLOCK_ENTRIES // n_nodes)
    for start in range(0, n_points, block):
        here = slice(start, start + block)
        values = cells.evaluate(*_arguments(points, here, rule.nodes), rule.bits)
        product = matrix_product(values, rule.table)
        high, low = product.high * unscale, product.low * unscale
        np.add(high, low, out=coefficients[here])

        # Squares of the leading parts are multiples of 2**-48: their sums are exact.
        leading = np.rint(high * 2.0**_HALF_BITS) * 2.0**-_HALF_BITS
        part = (high - leading) + low
        main[here] = np.einsum("ij,ij->i", leading, leading)
        other = np.einsum("ij,ij->i", 2 * leading + part, part)
        whole = matrix_product(squares(values, rule.bits), rule.table[:, 0])
        energy_high, energy_low = whole.high * unscale, whole.low * unscale
        difference = energy_high - main[here]
        energy[here] = difference + (energy_low - other)
        largest_part = max(largest_part, float(np.abs(part).max()))
        for term in (difference, energy_low, other):
            largest_term = max(largest_term, float(np.abs(term).max()))
    return _Sums(
        coefficients=coefficients,
        energy=energy,
        main=main,
        largest_part=Fraction(largest_part) * (1 + gamma(2)),
        largest_term=3 * Fraction(largest_term) * (1 + gamma(2)),
    )


def _arguments(points: _Points, here: slice, nodes: Array) -> tuple[Array, Array]:
    """Return ``m.x + v + s |x| z`` in two doubles for every node z.

    Nodes have at most 23 bits, so that the product of the leading part is exact.
    """
    leading, rest = (part[here, np.newaxis] for part in points.deviations)
    high, low = (part[here, np.newaxis] for part in points.offsets)
    total, beside = two_sum(leading * nodes, high)
    beside += rest * nodes + low
    return total, beside


# The series.


def _power(values: Array, exponent: int) -> Array:
    """Return powers of numbers from 0 to 1, by at most ``2 exponent`` products."""
    result = np.ones_like(values)
    while exponent:
        if exponent & 1:
            result *= values
        values, exponent = values * values, exponent >> 1
    return result


def _values(kernel: _Kernel, first: slice, second: slice, *, outer: bool) -> tuple[Array, Array]:
    """Return the kernel at pairs of points, and bounds of its errors.

    Parameters
    ----------
    kernel : _Kernel
    first, second : slice
        The points of the pairs.
    outer : bool
        Take all pairs, a matrix; otherwise one to one.
    """
    points = kernel.points

    def sides(values: Array) -> tuple[Array, Array]:
        one, other = values[..., first], values[..., second]
        return (one[..., np.newaxis], other[..., np.newaxis, :]) if outer else (one, other)

    def products(values: Split) -> Array:
        one, other = values[first], values[second]
        product = matrix_product(one, other.transposed()) if outer else inner_products(one, other)
        return product.total()

    def series(part: _Series) -> tuple[Array, Array]:
        return _horner(*sides(part.coefficients), correlation), _series_errors(
            part, points, sides, size
        )

    correlation = np.clip(products(points.units), -1, 1)
    size = np.minimum(np.abs(correlation) * upward(_SLACK) + upward(points.unit_error), 1)
    result, errors = series(kernel.forward)
    if kernel.backward is not None:
        part, part_errors = series(kernel.backward)
        mean_square, bounds = nearest(kernel.mean_square)
        factor = products(points.rows)
        factor *= np.multiply(*sides(points.powers)) * mean_square
        part *= factor
        # Three roundings make the product: that of x.x', and two of products.
        absolute = upward(_factor_error(kernel, bounds.error))
        np.abs(factor, out=factor)
        errors += (factor * upward(_SLACK) + absolute) * part_errors
        errors += np.abs(part) * upward(gamma(3) * _SLACK) + absolute * _largest_value(
            kernel.backward
        )
        result += part
        errors += np.abs(result) * upward(UNIT_ROUNDOFF)
    errors *= upward(_SLACK)
    errors += upward(UNDERFLOW)
    return result, errors


def _factor_error(kernel: _Kernel, mean_square_error: Fraction) -> Fraction:
    """Bound the absolute error of ``E[C^2] x.x'``, besides its relative roundings."""
    # Of a row that is not zero the power is at most twice the length.
    points = kernel.points
    relative = 4 * points.row_error * kernel.mean_square + 2 * mean_square_error
    return 2 * points.longest**2 * relative + UNDERFLOW


def _largest_value(series: _Series) -> float:
    """Bound the values of a series, with room for its rounding."""
    return 2 * upward(_largest(series.norms) ** 2)


def _horner(first: Array, second: Array, x: Array) -> Array:
    """Return ``sum_k a_k b_k x^k`` for coefficients of shape (degree + 1, ...)."""
    degree = len(first) - 1
    result: Array = first[degree] * second[degree]
    term = np.empty_like(result)
    for k in range(degree - 1, -1, -1):
        np.multiply(result, x, out=result)
        np.multiply(first[k], second[k], out=term)
        np.add(result, term, out=result)
    return result


def _series_errors(
    series: _Series,
    points: _Points,
    sides: Callable[[Array], tuple[Array, Array]],
    size: Array,
) -> Array:
    """Bound the errors of a series at pairs with correlations up to `size`: the four parts."""
    delta = upward(series.error)
    one, other = sides(series.norms)
    errors: Array = delta * (one + other + delta)
    errors = errors + _power(size, series.degree + 1) * np.multiply(*sides(series.rests))
    slopes = np.multiply(*sides(series.slopes))
    errors += (upward(UNIT_ROUNDOFF) * size + upward(points.unit_error)) * slopes
    rounding = size * (2 * slopes + 4 * np.multiply(*sides(series.higher)))
    rounding += 4 * np.multiply(*sides(series.first))
    roundings = (2 * series.degree + 4) * UNIT_ROUNDOFF
    errors += upward(UNIT_ROUNDOFF / (1 - roundings)) * rounding
    return errors

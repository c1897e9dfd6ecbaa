"""The kernel of drawn units as the checker encloses it, against sums and integrals in mpmath."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import mpmath
import pytest
from certificates import made, outcome, sealed

from verification.certificate.check.claims.drawn_claims import Drawn, _Atoms, _left
from verification.certificate.check.instances import Atom, Law, Spread, Term
from verification.certificate.check.numbers.balls import bounds, precision
from verification.certificate.check.outcome import Budget, Unsupported
from verification.certificate.check.recurrent.limit_equation import Spot
from verification.certificate.check.recurrent.unit_kernels import unit_of_density, variance_of_unit

F = Fraction
TANH = (Term(F(1), F(1), F(0), "tanh"),)
FIRST, SECOND = Spot((F(1), F(1, 2)), F(1, 3)), Spot((F(-1, 2), F(-1, 4)), F(1, 5))


def exact(x):
    return mpmath.mpf(x.numerator) / x.denominator


def contains(found, truth, digits):
    found = bounds(found)
    near = mpmath.mpf(10) ** -digits
    assert exact(found.lower) - near <= truth <= exact(found.upper) + near
    assert found.upper - found.lower < F(1, 10**digits)


def value(w_x, w_y, square):
    """Return Y for one unit."""
    inner = exact(sum(a * b for a, b in zip(FIRST.input, SECOND.input, strict=True)))
    u, t = w_x + exact(FIRST.memory), w_y + exact(SECOND.memory)
    return mpmath.tanh(u) * mpmath.tanh(t) + square * inner * mpmath.sech(u) ** 2 * (
        mpmath.sech(t) ** 2
    )


def instance(law):
    return Drawn(
        SimpleNamespace(law=law, activation=TANH, inputs=(FIRST.input, SECOND.input)), Budget()
    )


@pytest.mark.parametrize("units", [1, 2, 3])
def test_the_distance_of_drawn_atoms_is_that_over_all_draws(units):
    atoms = (
        Atom(F(1, 4), F(1), (F(1, 2), F(0)), F(1)),
        Atom(F(1, 4), F(-1), (F(1, 2), F(0)), F(5)),
        Atom(F(1, 2), F(2), (F(1), F(-1)), F(1)),
    )
    sides = _Atoms(instance(Law(None, None, None, atoms)), FIRST, SECOND, units)
    with mpmath.workdps(30), precision(128):
        values = [
            value(
                exact(sum(a * b for a, b in zip(atom.w, FIRST.input, strict=True))),
                exact(sum(a * b for a, b in zip(atom.w, SECOND.input, strict=True))),
                exact(atom.c) ** 2,
            )
            for atom in atoms
        ]
        mean = sum(exact(a.p) * y for a, y in zip(atoms, values, strict=True))
        truth = mpmath.mpf(0)
        for drawn in product(range(3), repeat=units):
            chance = mpmath.fprod(exact(atoms[i].p) for i in drawn)
            truth += chance * (sum(values[i] for i in drawn) / units - mean) ** 2
        contains(sides.left(), truth, 25)
        contains(sides.right(), truth, 25)


@pytest.mark.parametrize("units", [1, 2])
def test_the_distance_of_drawn_normal_units_is_an_integral(units):
    law = Law(
        Spread("uniform", (F(-1),), (F(2),)),
        Spread("normal", (F(1, 2), F(-1, 4)), (F(3, 4),)),
        Spread("constant", (F(1),), ()),
        (),
    )
    known = instance(law)
    with mpmath.workdps(20), precision(96):
        mean = exact(F(1, 2) - F(1, 8))
        deviation = exact(F(3, 4)) * mpmath.sqrt(exact(F(5, 4)))

        def over_units(power):
            """Return the mean of Y or of its square: a sum over nodes so fine that none is off."""
            step, total = mpmath.mpf(1) / 16, mpmath.mpf(0)
            for k in range(-160, 161):
                z = k * step
                u = mean + deviation * z
                flat, whole = value(u, -u / 2, 0), value(u, -u / 2, 1)
                slope = whole - flat
                # E[C^2] = 1, E[C^4] = 11/5.
                here = (
                    flat + slope
                    if power == 1
                    else flat**2 + 2 * flat * slope + slope**2 * exact(F(11, 5))
                )
                total += step * mpmath.npdf(z) * here
            return total

        truth = (over_units(2) - over_units(1) ** 2) / units
        unit = unit_of_density(known.instance, FIRST, SECOND, known.budget)
        contains(_left(unit, units, known), truth, 12)
        contains(variance_of_unit(unit) / units, truth, 12)


def test_inputs_that_are_not_parallel_are_unsupported():
    law = Law(
        Spread("constant", (F(1),), ()),
        Spread("normal", (F(0), F(0)), (F(1),)),
        Spread("constant", (F(1),), ()),
        (),
    )
    with precision(96), pytest.raises(Unsupported, match="parallel"):
        unit_of_density(instance(law).instance, FIRST, Spot((F(1), F(0)), F(0)), Budget())


def test_another_number_of_units_is_invalid():
    document = made("K4", "markov-onegin")
    document["cases"][0]["case"]["units"] = 3 - document["cases"][0]["case"]["units"]
    assert outcome(sealed(document)) == "INVALID"

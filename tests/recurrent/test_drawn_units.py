"""Drawn units: an empirical law on the grid, of the support and, many, of the moments."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from verification.instance import Atom, AtomicLaw, Constant, Normal, ProductLaw, Uniform
from verification.recurrent.drawn_units import drawn_units
from verification.recurrent.law import dot, mean_b, moment_of_c

PRODUCT = ProductLaw(
    c=Uniform(low=(Fraction(-1),), high=(Fraction(2),)),
    w=Normal(mean=(Fraction(1), Fraction(-3)), std=Fraction(1, 2)),
    b=Constant(value=(Fraction(1, 3),)),
)


def test_weights_are_equal_and_values_in_the_support():
    law = drawn_units(PRODUCT, 50, random.Random(1))
    assert {atom.p for atom in law.atoms} == {Fraction(1, 50)}
    assert {atom.b for atom in law.atoms} == {Fraction(1, 3)}
    assert all(-1 <= atom.c <= 2 for atom in law.atoms)
    assert len({atom.w for atom in law.atoms}) == 50


def test_the_same_seed_draws_the_same_units():
    first, second = (drawn_units(PRODUCT, 5, random.Random(2)) for _ in range(2))
    assert first == second != drawn_units(PRODUCT, 5, random.Random(3))


@pytest.mark.parametrize(
    ("law", "mean_w", "square_w", "square_c"),
    [
        (PRODUCT, (1, -3), 1 + 9 + Fraction(1, 2), 1),
        (
            ProductLaw(
                c=Constant(value=(Fraction(2),)),
                w=Uniform(low=(Fraction(0), Fraction(1)), high=(Fraction(1), Fraction(3))),
                b=Uniform(low=(Fraction(0),), high=(Fraction(2, 3),)),
            ),
            (Fraction(1, 2), 2),
            Fraction(1, 3) + 4 + Fraction(1, 3),
            4,
        ),
        (
            AtomicLaw(
                atoms=(
                    Atom(
                        p=Fraction(1, 4), c=Fraction(2), w=(Fraction(0), Fraction(1)), b=Fraction(0)
                    ),
                    Atom(
                        p=Fraction(3, 4),
                        c=Fraction(1),
                        w=(Fraction(4), Fraction(2)),
                        b=Fraction(4, 9),
                    ),
                )
            ),
            (3, Fraction(7, 4)),
            Fraction(1, 4) + 15,
            Fraction(7, 4),
        ),
    ],
    ids=["normal", "uniform", "atoms"],
)
def test_many_units_have_about_the_moments_of_the_law(law, mean_w, square_w, square_c):
    """Every margin is more than six standard errors of its mean."""
    found = drawn_units(law, 10_000, random.Random(0))
    margin = Fraction(1, 2)
    for k, mean in enumerate(mean_w):
        assert abs(sum(atom.p * atom.w[k] for atom in found.atoms) - mean) < margin
    assert abs(sum(atom.p * dot(atom.w, atom.w) for atom in found.atoms) - square_w) < 2 * margin
    assert abs(moment_of_c(found, 2) - square_c) < margin
    assert abs(mean_b(found) - Fraction(1, 3)) < margin / 10

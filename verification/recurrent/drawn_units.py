"""Units drawn from an initial law: a frozen network of finite width, as a law with atoms."""

from __future__ import annotations

import random
from fractions import Fraction

from verification.instance import Atom, AtomicLaw, Constant, Law, Normal, Uniform, Vector

_GRID = 2**12


def drawn_units(law: Law, count: int, rng: random.Random) -> AtomicLaw:
    """Return the empirical law of so many units, rounded to a grid.

    A claim about every initial law holds for it, and its expectations are short sums.

    Parameters
    ----------
    law : ProductLaw or AtomicLaw
    count : int
    rng : random.Random
    """
    share = Fraction(1, count)
    if isinstance(law, AtomicLaw):
        chosen = rng.choices(law.atoms, [float(atom.p) for atom in law.atoms], k=count)
        return AtomicLaw(atoms=tuple(Atom(p=share, c=a.c, w=a.w, b=a.b) for a in chosen))
    return AtomicLaw(
        atoms=tuple(
            Atom(p=share, c=_drawn(law.c, rng)[0], w=_drawn(law.w, rng), b=_drawn(law.b, rng)[0])
            for _ in range(count)
        )
    )


def _drawn(law: Uniform | Normal | Constant, rng: random.Random) -> Vector:
    if isinstance(law, Constant):
        return law.value
    if isinstance(law, Normal):
        return tuple(
            mean + law.std * Fraction(round(rng.gauss(0, 1) * _GRID), _GRID) for mean in law.mean
        )
    return tuple(
        low + (high - low) * Fraction(rng.randrange(_GRID + 1), _GRID)
        for low, high in zip(law.low, law.high, strict=True)
    )

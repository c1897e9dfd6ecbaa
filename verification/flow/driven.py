"""What may drive a limit: the kernel and the invariant law, or something plausible but wrong."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from fractions import Fraction

from verification.instance import AtomicLaw, Constant, Instance


class Driven(StrEnum):
    """What drives the curve: the kernel and the invariant law, or something plausible but wrong."""

    LIMIT = "the limit"
    WITHOUT_GRADIENT = "the limit without the gradient of W"
    EQUAL_STATES = "the limit for states that are equally frequent"


def without_gradient(instance: Instance) -> Instance:
    """Return an instance with C = 0: its kernel is ``E[sigma sigma']``, its memory the same."""
    law = instance.law
    if isinstance(law, AtomicLaw):
        atoms = tuple(dataclasses.replace(atom, c=Fraction(0)) for atom in law.atoms)
        return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))
    zero = Constant(value=(Fraction(0),))
    return dataclasses.replace(instance, law=dataclasses.replace(law, c=zero))

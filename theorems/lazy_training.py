r"""Lazy training: without odd moments of C, a network is eps^2 from the linear recursion.

**Setting.**  `verification.flow.stratified` describes the *stratified* network of a finite law
of units, one weighted unit an atom: no sampling noise, output 0 at the start if ``E[C | W] = 0``.
What is left between its output G_k and the linear recursion L_k, driven by the limiting kernel, is
that its units move: *laziness*, ``eps = N^(beta-1)``.  The steps are ``h = alpha / N``.

**Assumptions.**  The instance gives training constants; ``q < 1``;
``E[C | W, B] = E[C^3 | W, B] = 0``.

**Statement.**
T8.  At every point zeta with an input no larger than the chain's, along every path and for every
number n of steps, ``sup_{k <= n} |G_k - L_k|(zeta) <= eps^2 Gamma(zeta)``, with the constant Gamma
of `verification.flow.second_order`, which stays bounded as N grows while ``tau = n h`` stays.

So the error of laziness decays as ``N^(2 beta - 2)``.  Where ``E[C^3]`` is not 0 it decays as
``N^(beta - 1)`` only: a mutant shows it.

**Proof.**  Why: the recursion makes sense for every real eps, and changing the signs of eps and of
all C changes no output; where C is symmetric given (W, B), the outputs are even functions of eps,
and a term of first order is missing.  That only the first and the third moment matter is seen from
the expansion itself: the weights C, W, B enter a kernel through sigma sigma' and C^2 sigma' sigma';
to first order C changes by an even function of its initial value and W by an odd one, so that all
that is of first order in eps is an odd polynomial in C_0 of degree at most 3.
`verification.flow.second_order` bounds what is of second order and follows it, by an energy that
does not grow exponentially, to the outputs.

**What the verdicts establish.**  CERTIFIED: the inequality at the point, path and width shown, for
the instance's units where they are few; else for a few units that were drawn from its law, each
with both signs of C.  The left side is the trajectory of the network and of the linear recursion in
balls; the right side knows neither.

Source: this project.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial

from theorems.memory_contraction import CONTRACTION, Q
from theorems.ode_limit import TRAINING
from theorems.training_convergence import FLAT, NO_SIGMA
from verification.claim import AnyClaim, Assumption, Claim, Constant, Mutant, Vacuity
from verification.enclosure.balls import (
    Ball,
    maximum,
    power,
    shown,
    square,
    working_precision,
)
from verification.flow.second_order import SecondOrder, is_admissible, second_order
from verification.flow.stratified import (
    Course,
    few_mirrored_units,
    linear_outputs,
    squared_feature,
    stratified_outputs,
)
from verification.instance import SCHEMA, Atom, AtomicLaw, Instance
from verification.kernel.limiting import Point, point
from verification.markov.chain import sample_path
from verification.recurrent.law import has_no_odd_moments_of_c, moment_of_c
from verification.verdict import Truth

_WIDTHS = (2**6, 2**10, 2**16, 2**24)
_TRIED = 2
_LONGEST = 64
_SHORTEST = 4
_MOST_UNITS = 24
_DRAWN_UNITS = 3
_DRAWS = 4
_MEMORIES = (Fraction(-3, 4), Fraction(0), Fraction(3, 4))


# Assumptions, vacuities


def odd_moments_vanish(instance: Instance) -> Truth:
    """Decide ``E[C | W, B] = E[C^3 | W, B] = 0``, exactly."""
    return Truth.TRUE if has_no_odd_moments_of_c(instance.law) else Truth.FALSE


def shown_odd_moments(instance: Instance) -> str:
    """Return the odd moments for a sentence."""
    first, third = (moment_of_c(instance.law, order) for order in (1, 3))
    if not first and not third:
        return "E[C] = E[C³] = 0 only in the mean over (W, B)"
    return f"E[C] = {shown(first, 6)}, E[C³] = {shown(third, 6)}"


def has_no_targets(instance: Instance) -> bool:
    """Tell whether every target is 0."""
    return not any(instance.chain.targets)


# Cases


@dataclass(frozen=True, kw_only=True)
class LazyCase:
    """A stratified network in training; outputs are compared at one of its course's points."""

    course: Course
    chosen: int

    @property
    def place(self) -> Point:
        """The point where outputs are compared."""
        return self.course.points[self.chosen]

    def __str__(self) -> str:
        course = self.course
        return (
            f"{len(course.law.atoms)} kinds of units, N = {course.width}, "
            f"{len(course.word)} steps, at {self.place}"
        )


def lazy_cases(instance: Instance, rng: random.Random) -> Sequence[LazyCase]:
    """Return the two smallest widths of a ladder at which the bound holds, with drawn paths."""
    training, chain = instance.training, instance.chain
    if training is None:
        return []
    cases: list[LazyCase] = []
    for width in _WIDTHS:
        steps = min(int(training.horizon * width), _LONGEST)
        if steps < _SHORTEST or len(cases) == _TRIED * (len(_MEMORIES) + 1):
            continue
        law = _units(instance, width, steps, rng)
        word = sample_path(chain, chain.initial, steps, rng)
        state = rng.randrange(chain.n_states)
        memories = (*_MEMORIES, Fraction(rng.randint(-64, 64), 64))
        places = tuple(point(instance, state, memory) for memory in memories)
        if law is not None:
            course = Course(law=law, width=width, word=word, points=places)
            cases += [LazyCase(course=course, chosen=k) for k in range(len(places))]
    return cases


def _units(instance: Instance, width: int, steps: int, rng: random.Random) -> AtomicLaw | None:
    """Return units for which the bound holds, None where none were found."""
    law = instance.law
    few = isinstance(law, AtomicLaw) and len(law.atoms) <= _MOST_UNITS
    for _ in range(1 if few else _DRAWS):
        units = (
            law
            if isinstance(law, AtomicLaw) and few
            else few_mirrored_units(instance, _DRAWN_UNITS, rng)
        )
        if is_admissible(instance, units, width, steps):
            return units
    return None


# Left side


def lazy_error(instance: Instance, case: LazyCase, *, skewed: bool = False) -> Ball:
    """Enclose ``sup_k |G_k - L_k|``; a mutant's C has a third moment (`skewed`)."""
    course = case.course
    if skewed:
        course = dataclasses.replace(course, law=skewed_units(course.law))
    return maximum(row[case.chosen] for row in _errors(instance, course, working_precision()))


# One course is looked at in several places.
@lru_cache(maxsize=2)
def _errors(instance: Instance, course: Course, _bits: int) -> tuple[tuple[Ball, ...], ...]:
    """Enclose ``|G_k - L_k|``, shape (n_steps + 1, n_points)."""
    network, linear = stratified_outputs(instance, course), linear_outputs(instance, course)
    return tuple(
        tuple(abs(one - limit) for one, limit in zip(ours, limits, strict=True))
        for ours, limits in zip(network.outputs, linear.outputs, strict=True)
    )


def skewed_units(law: AtomicLaw) -> AtomicLaw:
    """Return units with the same C^2 in the mean, ``E[C] = 0`` and a third moment.

    Each atom's C becomes -c with probability 2/3 and 2 c with 1/3, over 2^(1/2) up to rounding.
    """
    scale = Fraction(12, 17)
    return AtomicLaw(
        atoms=tuple(
            Atom(p=atom.p * share, c=scale * factor * abs(atom.c), w=atom.w, b=atom.b)
            for atom in law.atoms
            for share, factor in ((Fraction(2, 3), -1), (Fraction(1, 3), 2))
        )
    )


# Right side


def lazy_bound(instance: Instance, case: LazyCase, *, order: int = 2) -> Ball:
    """Return ``eps^2 Gamma``; a mutant has another power of eps."""
    bound = _constants(instance, case)
    return power(bound.laziness, order) * _gamma(instance, case)


def lazy_bound_of_one_step(instance: Instance, case: LazyCase) -> Ball:
    """Return ``h^2 Gamma``: the error of discrete steps taken for that of laziness."""
    step = _constants(instance, case).time / len(case.course.word)
    return square(step) * _gamma(instance, case)


def size_of_both(instance: Instance, case: LazyCase) -> Ball:
    """Return what ``|G_k| + |L_k|`` is at most anyway."""
    return _constants(instance, case).trivial()


def _gamma(instance: Instance, case: LazyCase) -> Ball:
    squared = squared_feature(instance, case.course.law, case.place)
    return _constants(instance, case).coefficient(squared)


def _constants(instance: Instance, case: LazyCase) -> SecondOrder:
    course = case.course
    return second_order(instance, course.law, course.width, len(course.word))


# The claim

NO_ODD_MOMENTS = Assumption(
    text="E[C | W, B] = E[C³ | W, B] = 0",
    holds=odd_moments_vanish,
    offending=shown_odd_moments,
)


def mean_square_of_c(instance: Instance) -> Fraction:
    """Return ``E[C^2]``."""
    return moment_of_c(instance.law, 2)


T8: Claim[Instance, LazyCase] = Claim(
    id="T8",
    theorem="lazy_training",
    title="Without odd moments of C, laziness costs ε²",
    statement=(
        "A stratified network with E[C | W, B] = E[C³ | W, B] = 0 follows the recursion L that the "
        "limiting kernel drives: |G_k − L_k|(ζ) ≤ ε² Γ(ζ) for all k ≤ n, where ε = Nᵝ⁻¹ and Γ "
        "stays bounded as N grows."
    ),
    formula=(
        r"\sup_{k \le n} |G_k(\zeta) - L_k(\zeta)| \le \varepsilon^2\, \Gamma(\zeta), \qquad "
        r"\varepsilon = N^{\beta - 1}"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING, CONTRACTION, NO_ODD_MOMENTS),
    constants=(
        Q,
        Constant(
            symbol="c_2",
            meaning="mean square of C",
            formula=r"c_2 = \mathbb{E}[C^2]",
            value=mean_square_of_c,
        ),
    ),
    vacuities=(
        NO_SIGMA,
        FLAT,
        Vacuity(reason="every target is 0, so that nothing is learnt", holds=has_no_targets),
    ),
    cases=lazy_cases,
    left=lazy_error,
    right=lazy_bound,
    trivial=size_of_both,
    proof=(
        "ε and C with both signs changed give the same outputs; to first order in ε all changes "
        "are odd in C, of degree 1 or 3. The second order is bounded term by term, and an energy "
        "carries it to the outputs without exponential growth."
    ),
    establishes=(
        "CERTIFIED: the inequality at the points, paths and widths shown, for the instance's units "
        "or a few that were drawn, each with both signs of C."
    ),
    source="this project",
    uses=("A1", "M1"),
    sharp=("sharp-lazy",),
    mutants=(
        Mutant(
            name="third-order",
            error="ε² replaced by ε³",
            refuted_on=("sharp-lazy",),
            right=partial(lazy_bound, order=3),
        ),
        Mutant(
            name="skewed",
            error="the assumption E[C³] = 0 dropped",
            refuted_on=("mutant-lazy",),
            left=partial(lazy_error, skewed=True),
        ),
        Mutant(
            name="one-step",
            error="ε replaced by h, the size of one step",
            refuted_on=("sharp-lazy",),
            right=lazy_bound_of_one_step,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (T8,)

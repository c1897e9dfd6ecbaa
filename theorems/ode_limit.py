r"""The limit equation: its two forms, its spectrum, where it tends, what it forgets.

**Setting.**  mu is a law of points ``zeta = (x, v)`` (an input and a memory) with targets y; K is
the limiting kernel, ``K(zeta, zeta') = E[phi(zeta) . phi(zeta')]`` with
``phi(zeta) = (sigma(W.x + v), C sigma'(W.x + v) x)``, and alpha the learning rate.  The limit
equation is

    d/dt g_t(zeta) = -alpha E_mu[(g_t(zeta') - y) K(zeta, zeta')],    g_0 = 0.

``T_K f(zeta) = E_mu[K(zeta, zeta') f(zeta')]`` on L2(mu), ``|.|`` is the norm there, lambda_j and
e_j are eigenvalues and eigenfunctions of T_K, and "proj" is the projection to the closure of its
range.  (One point may have several targets: L2(mu) is that of point and target, on which K does not
depend.)  ``theta_t`` is the weight of the features, ``g_t = theta_t . phi``.  Kbar and L_K bound K
and its slope in the memory at the chain's inputs; ``tau = alpha t Kbar``.  q and vbar are the
memory's contraction factor and bound, and mu_m is the law of a state with the memory that starts
from 0 and has seen the m inputs before it.

**Assumptions.**  The instance gives training constants; ``q < 1``; one recurrent class.

**Statements.**
O1.  In L2(mu) ``g_t = (I - exp(-alpha t T_K)) y``; everywhere ``g_t = theta_t . phi`` with
``theta' = -alpha (A theta - b)``, ``A = E_mu[phi phi^T]``, ``b = E_mu[phi y]``.
O2.  ``|g_t - y|^2 = sum_j exp(-2 alpha t lambda_j) <y, e_j>^2 + |y - proj y|^2``.
O3.  ``|g_t - y|^2 - |y - proj y|^2 <= |theta*|^2 / (2 e alpha t)``, theta* the shortest weight
that gives proj y, ``|theta*|^2 = sum_j <y, e_j>^2 / lambda_j``: the loss tends to its infimum,
which is 0 exactly where y is in the closure of the range.
O4.  At every point with an input of the chain
``|g_t^mu - g_t^{mu_m}| <= alpha t |y| L_K (1 + min(tau, (2 tau / 3)^(1/2))) q^m vbar``.
O5.  ``|theta_t|^2 <= c alpha t |y|^2`` with ``c = max_s (1 - exp(-s))^2 / s = 0.4073``.

**Proof.**  O1: both are linear equations with bounded operators, and
``d/dt (theta . phi(zeta)) = -alpha E_mu[K(zeta, .) (g - y)]``.  O2: the residual ``r_t = y - g_t``
is ``exp(-alpha t T_K) y``; where T_K vanishes it stays.  O3: by O2, and ``lambda exp(-2 alpha t
lambda) <= 1 / (2 e alpha t)``; where theta* does not exist the right side is infinite, and the sum
in O2 tends to 0 all the same.  O5: ``|theta_t|^2 = sum_j (1 - exp(-alpha t lambda_j))^2 / lambda_j
<y, e_j>^2``.

O4: couple mu and mu_m so that the states agree; the memories then differ by at most
``d = q^m vbar`` (M5).  On the space of the coupling let r, r' be the two residuals and e = r - r'.
As K' >= 0, ``e' = -alpha K' e - alpha S`` with ``S = E[(K - K') r]``, where K changes by at most
L_K d for either argument and ``|r| <= |y|``, so that ``|S| <= 2 L_K d |y|`` and ``|e_t| <=
2 alpha t L_K d |y|``.  At a point,

    g_t - g'_t = alpha int E[(K(zeta, zeta_1) - K(zeta, zeta_2)) r]
                 + alpha int E[K(zeta, zeta_2) e].

The first part is at most ``alpha t L_K d |y|``, the second at most ``alpha Kbar int |e| =
tau alpha t L_K d |y|``.  It is also ``phi(zeta) . psi_t`` with ``psi' = alpha E[phi e]`` and
``e = -phi . psi - R``, ``|R_t| <= 2 alpha t L_K d |y|``, so that ``d|psi|^2/dt =
2 alpha E[(-e - R) e] <= alpha |R|^2 / 2`` and ``|psi_t|^2 <= (2/3) alpha^3 t^3 (L_K d |y|)^2``.
Nothing grows exponentially in t.  The same holds between mu_M and mu_m, M > m, and for any law of
words; and, as only norms in L2 were used, with the root of the mean of d^2 in place of d.

**What the verdicts establish.**  CERTIFIED: the claim for the laws and times listed.  The law is mu
itself where it has finitely many points for an exact reason; else mu_m, as long as the words are
few; of a large chain, the empirical law of a path that was drawn: the statements hold for every law
of words.  Where W has a density in more than one dimension, or one whose rule needs many nodes, the
claims are decided for the units of a drawn network, frozen, in place of their law.  In O1, O2 and
O3 the left side comes from kernels by quadrature for each pair of points and a matrix exponential,
the right one from the features at the nodes of one rule for W: they share the points only.  The
floor in O3 is exact: where the kernel's matrix at distinct points is certainly positive definite,
it is the mean variance of the targets at a point (points that are reflections of each other count
once where the activation is odd).  That wide networks are trained by this kernel is not established
here.

Source: O1 to O3 make explicit the limit equation of Lam, Sirignano and Spiliopoulos, arXiv
2308.14555; the constants, O4 and O5 are this project's.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache, partial

from theorems.geometric_ergodicity import ONE_LAW
from theorems.memory_contraction import (
    CONTRACTION,
    NO_ACTIVATION,
    NO_MEMORY_WEIGHT,
    VBAR,
    Q,
    contracts,
)
from verification.claim import AnyClaim, Assumption, Claim, Constant, Mutant, Number, Vacuity
from verification.enclosure.balls import (
    Ball,
    ball,
    interval,
    less,
    lower_double,
    midpoint,
    power,
    root,
    shown,
    sign,
    square,
    total,
    upper_double,
    working_precision,
)
from verification.enclosure.doubles import above
from verification.enclosure.matrix import Matrix
from verification.enclosure.numbers import minus, times
from verification.enclosure.numbers import total as sum_of
from verification.enclosure.spectrum import Spectrum, symmetric_spectrum
from verification.errors import NotEnclosed
from verification.flow.dual_form import DualSolution, dual_solution
from verification.flow.feature_form import Features, FeatureSolution, feature_solution, features
from verification.flow.finite_law import (
    AllWords,
    Data,
    FiniteLaw,
    GivenWords,
    InvariantLaw,
    count_of_words,
    finite_law,
    has_finite_invariant_law,
)
from verification.instance import SCHEMA, AtomicLaw, Chain, Instance, Law, Vector
from verification.instance import Constant as PointMass
from verification.kernel.limiting import (
    Point,
    gram_matrix,
    kernel,
    kernel_bound,
    kernel_slope_bound,
)
from verification.markov import finite
from verification.markov.chain import sample_path
from verification.recurrent.activation import activation
from verification.recurrent.drawn_units import drawn_units
from verification.recurrent.law import centre_of_w, dot, projection
from verification.recurrent.memory import (
    contraction_factor,
    has_zero_recurrent_memory,
    memory_bound,
)
from verification.verdict import Relation, Truth

_MAX_WORDS = 12
_DRAWN_WORDS = 8
_LONGEST_PAST = 3
_UNITS = 8
_DRAWS = 20
_MAX_NODES = 1_000
_SOON = 8
_LONGEST_TIME = 32
_SINGULAR = Fraction(1, 2**20)
_SATURATED = Fraction(20)


# Assumptions, vacuities


def has_training(instance: Instance) -> Truth:
    """Tell whether the instance gives training constants."""
    return Truth.FALSE if instance.training is None else Truth.TRUE


def no_training(_instance: Instance) -> str:
    """Say what is missing."""
    return "the instance gives none"


def has_no_activation(instance: Instance) -> bool:
    """Tell whether sigma is certainly 0, and with it the kernel."""
    sigma = activation(instance.activation)
    return sigma.is_odd() and sigma.is_constant()


def has_zero_targets(instance: Instance) -> bool:
    """Tell whether every target is 0 that is seen again and again."""
    states = finite.recurrent_classes(instance.chain)[0].states
    return not any(instance.chain.targets[i] for i in states)


def learns_nothing(instance: Instance) -> bool:
    """Tell whether g_t = 0 for ever, for an exact reason: no mean target is there to be learnt."""
    known = known_data(instance)
    return bool(known) and not any(teaches(instance, data) for data in known)


def learns_nothing_from_any_past(instance: Instance) -> bool:
    """Tell whether g_t = 0 for ever under mu, and under each mu_m of `history_cases` as well."""
    return (
        has_finite_invariant_law(instance)
        and learns_nothing(instance)
        and not any(
            teaches(instance, AllWords(known=known))
            for known in _lengths(instance.chain, 2 * _MAX_WORDS)
        )
    )


def teaches(instance: Instance, data: Data) -> bool:
    """Tell whether a mean target is not exactly 0, where the kernel is not."""
    means = _distinct(instance, data).mean_targets
    return any(not isinstance(mean, Fraction) or mean for mean in means)


# Constants


def rescaled_horizon(instance: Instance) -> Fraction:
    """Return ``alpha T``."""
    if instance.training is None:
        raise ValueError(f"instance {instance.name} gives no training constants")
    return instance.training.alpha * instance.training.horizon


def largest_kernel(instance: Instance) -> Ball:
    """Return an upper bound of Kbar."""
    return kernel_bound(instance).upper


def rescaled_kernel_time(instance: Instance) -> Ball:
    """Return tau at the horizon, from an upper bound of Kbar."""
    return ball(rescaled_horizon(instance)) * largest_kernel(instance)


def shown_floor(instance: Instance) -> Number:
    """Return the limit of the loss, for the first law of `known_data` whose kernel is regular.

    Raises
    ------
    NotEnclosed
        Where there is none.
    """
    for data in known_data(instance):
        if is_regular(instance, data):
            return loss_floor(instance, data)
    raise NotEnclosed("no law is known whose kernel is certainly regular")


def growth_constant(_instance: Instance) -> Ball:
    """Return ``c = max_s (1 - exp(-s))^2 / s``.

    The derivative has the sign of ``2 s + 1 - exp(s)``, which changes once, at s*; there
    ``exp(-s*) = 1 / (1 + 2 s*)``, so that ``c = 4 s* / (1 + 2 s*)^2``.
    """
    where = steepest_growth()
    return 4 * where / square(1 + 2 * where)


def steepest_growth() -> Ball:
    """Enclose s*, the only zero of ``2 s + 1 - exp(s)`` above 0, by a change of sign.

    Raises
    ------
    NotEnclosed
        Where the signs are not certain.
    """
    candidate = ball(Fraction(5, 4))
    for _ in range(12):
        step = (2 * candidate + 1 - candidate.exp()) / (candidate.exp() - 2)
        candidate = midpoint(candidate + step)
    beside = ball(Fraction(1, 2 ** (working_precision() - 6)))
    low, high = midpoint(candidate - beside), midpoint(candidate + beside)
    signs = [sign(2 * end + 1 - end.exp()) for end in (low, high)]
    if signs != [1, -1]:
        raise NotEnclosed("no change of sign of 2 s + 1 - exp(s) was found")
    return interval(low, high)


# Cases


class Quantity(StrEnum):
    """What the two forms of O1 are compared in."""

    LOSS = "|g_t - y|^2"
    NORM = "|theta_t|^2"
    VALUE = "|g_t|"


@dataclass(frozen=True, kw_only=True)
class EnergyCase:
    """A law of the data, the time ``alpha t``, and units that stand for their law, if any."""

    data: Data
    time: Fraction
    units: AtomicLaw | None = None

    def __str__(self) -> str:
        units = f", {len(self.units.atoms)} drawn units" if self.units else ""
        return f"alpha t = {shown(self.time, 6)}, {self.data}{units}"


@dataclass(frozen=True, kw_only=True)
class SolutionCase(EnergyCase):
    """A quantity that both forms have; `place` is where the value is taken."""

    quantity: Quantity
    place: Point | None = None

    def __str__(self) -> str:
        where = f" at {self.place}" if self.place else ""
        return f"{self.quantity}{where}: {super().__str__()}"


@dataclass(frozen=True, kw_only=True)
class HistoryCase(EnergyCase):
    """Also the same law with only the last `known` inputs remembered, and a point."""

    known: int
    place: Point

    def __str__(self) -> str:
        return f"m = {self.known}, {super().__str__()}, at {self.place}"


def known_data(instance: Instance) -> list[Data]:
    """Return mu where it is finite and small, else the mu_m of few words; none of large chains."""
    chain = instance.chain
    if has_finite_invariant_law(instance):
        few = len(finite.recurrent_classes(chain)[0].states) <= _MAX_WORDS
        return [InvariantLaw()] if few else []
    lengths = _lengths(chain, _MAX_WORDS)
    return (
        [AllWords(known=known) for known in sorted({max(lengths), 0}, reverse=True)]
        if lengths
        else []
    )


def _lengths(chain: Chain, limit: int) -> list[int]:
    """Return the m for which there are at most `limit` words of length m + 1."""
    pasts = range(_LONGEST_PAST + 1)
    return [known for known in pasts if count_of_words(chain, known, limit) is not None]


def drawn_data(instance: Instance, known: int, count: int, rng: random.Random) -> GivenWords:
    """Return the words that a window of ``known + 1`` steps sees along a path."""
    start = rng.choice(finite.recurrent_classes(instance.chain)[0].states)
    path = sample_path(instance.chain, start, count + known, rng)
    words = tuple(path[k : k + known + 1] for k in range(count))
    return GivenWords(words=words, known=known)


def _settings(
    instance: Instance, rng: random.Random
) -> tuple[AtomicLaw | None, Instance, list[Data]]:
    """Return units that stand for their law, if any, the instance with them, and laws of data."""
    units, subject = _units(instance, rng)
    found = known_data(subject) or [drawn_data(subject, 2, _DRAWN_WORDS, rng)]
    return units, subject, [data for data in found if teaches(subject, data)]


def _units(instance: Instance, rng: random.Random) -> tuple[AtomicLaw | None, Instance]:
    """Draw units that contract, where features are not known, or too many.

    Raises
    ------
    NotEnclosed
        Where none are found: q is next to 1.
    """
    if not _has_many_features(instance):
        return None, instance
    for _ in range(_DRAWS):
        units = drawn_units(instance.law, _UNITS, rng)
        subject = with_units(instance, units)
        if contracts(subject) is Truth.TRUE:
            return units, subject
    raise NotEnclosed(f"none of {_DRAWS} drawn networks has q < 1")


def _has_many_features(instance: Instance) -> bool:
    law, chain = instance.law, instance.chain
    if isinstance(law, AtomicLaw) or isinstance(law.w, PointMass):
        return False
    if chain.dimension > 1:
        return True
    widest = max(chain.inputs, key=lambda x: abs(x[0]))
    try:
        rule = projection(law, widest, activation(instance.activation).strip_width()).rule
    except NotEnclosed:
        return True
    return len(rule.nodes) * len(instance.activation.terms) > _MAX_NODES


def with_units(instance: Instance, units: AtomicLaw | None) -> Instance:
    """Return an instance with other units."""
    return instance if units is None else dataclasses.replace(instance, law=units)


def latest_time(instance: Instance) -> Fraction:
    """Return ``alpha T``, or ``32 / Kbar`` where that is less."""
    bound = above(largest_kernel(instance))
    time = rescaled_horizon(instance)
    return min(time, _LONGEST_TIME / bound) if bound else time


def solution_cases(instance: Instance, rng: random.Random) -> Sequence[SolutionCase]:
    """Return loss, norm and value for each law at the horizon, and for one of them sooner."""
    units, subject, laws = _settings(instance, rng)
    time = latest_time(subject)
    cases = []
    for data in laws:
        for moment in (time, time / _SOON) if data == laws[0] else (time,):
            place = _telling_point(subject, data, moment)
            cases += [
                SolutionCase(
                    data=data,
                    time=moment,
                    units=units,
                    quantity=quantity,
                    place=place if quantity is Quantity.VALUE else None,
                )
                for quantity in Quantity
            ]
    return cases


def _telling_point(instance: Instance, data: Data, time: Fraction) -> Point:
    """Return the one of two points at which the solution is larger: near 0 it tells little."""
    points, reach = finite_law(instance, data).points, _reach(instance)
    solution = _dual(instance, data, time, working_precision())
    candidates = [
        Point(input=points[0].input, memory=reach / 2),
        Point(input=points[-1].input, memory=-reach / 3),
    ]
    return max(
        candidates,
        key=lambda place: upper_double(
            abs(solution.value(_row(instance, data, place, working_precision())))
        ),
    )


def _reach(instance: Instance) -> Fraction:
    """Return a memory next below vbar."""
    return max(-above(-ball(memory_bound(instance))), Fraction(0))


def energy_cases(instance: Instance, rng: random.Random) -> Sequence[EnergyCase]:
    """Return each law at the horizon, and sooner."""
    units, subject, laws = _settings(instance, rng)
    time = latest_time(subject)
    return [
        EnergyCase(data=data, time=moment, units=units)
        for data in laws
        for moment in (time, time / _SOON)
    ]


def excess_cases(instance: Instance, rng: random.Random) -> Sequence[EnergyCase]:
    """Return the horizon, the time of the leading eigenvalue, and one at which much is learnt.

    For laws whose kernel is certainly regular, and not nearly singular.

    Raises
    ------
    NotEnclosed
        Where there is none.
    """
    units, subject, laws = _settings(instance, rng)
    # Where the kernel is nearly singular at many points, it is not at few.
    fewer: list[Data] = [AllWords(known=0)] if known_data(subject) else []
    fewer += [drawn_data(subject, 0, count, rng) for count in (3, 2, 1)]
    regular = [data for data in laws if is_regular(subject, data)] or [
        data for data in fewer if teaches(subject, data) and is_regular(subject, data)
    ][:1]
    if laws and not regular:
        raise NotEnclosed("the kernel is nearly singular at the points of every law that was tried")
    cases = []
    for data in regular:
        spectrum, targets = _spectrum(subject, data, working_precision())
        weights = [
            lower_double(square(c) / value) if sign(value) == 1 else 0.0
            for c, value in zip(spectrum.coefficients(targets), spectrum.centres, strict=True)
        ]
        leading = spectrum.centres[max(range(len(weights)), key=weights.__getitem__)]
        learnt = total(square(y) for y in targets)
        shortest = shortest_weight(subject, data)
        times = [
            latest_time(subject),
            above(1 / (2 * leading)),
            above(2 * shortest / (ball(1).exp() * learnt)),
        ]
        cases += [EnergyCase(data=data, time=moment, units=units) for moment in times]
    return cases


def growth_cases(instance: Instance, rng: random.Random) -> Sequence[EnergyCase]:
    """Return each law at the horizon, and where its leading eigenvalue attains c."""
    units, subject, laws = _settings(instance, rng)
    cases = []
    for data in laws:
        spectrum, targets = _spectrum(subject, data, working_precision())
        weights = [lower_double(square(c)) for c in spectrum.coefficients(targets)]
        leading = spectrum.centres[max(range(len(weights)), key=weights.__getitem__)]
        times = [latest_time(subject)]
        if sign(leading) == 1:
            times.append(above(steepest_growth() / leading))
        cases += [EnergyCase(data=data, time=moment, units=units) for moment in times]
    return cases


def history_cases(instance: Instance, rng: random.Random) -> Sequence[HistoryCase]:
    """Return pairs of a long and a short memory, at the horizon and soon, where it tells most."""
    units, subject = _units(instance, rng)
    chain = subject.chain
    known: list[int]
    data: Data
    if has_finite_invariant_law(subject) and _lengths(chain, 2 * _MAX_WORDS):
        data, known = InvariantLaw(), _lengths(chain, 2 * _MAX_WORDS)
    elif len(_lengths(chain, _MAX_WORDS)) > 1:
        *known, longest = _lengths(chain, _MAX_WORDS)
        data = AllWords(known=longest)
    else:
        data, known = drawn_data(subject, 4, _DRAWN_WORDS, rng), [0, 1, 2]
    time = latest_time(subject)
    cases = []
    for moment in (time, time / _LONGEST_TIME):
        place = max(
            _places(subject),
            key=lambda place: upper_double(_gap(subject, data, 0, moment, place)),
        )
        cases += [
            HistoryCase(data=data, time=moment, units=units, known=steps, place=place)
            for steps in known
        ]
    return cases


def _places(instance: Instance) -> list[Point]:
    """Return points from which a memory may look large: far off, and in the middle of W.x."""
    states = finite.recurrent_classes(instance.chain)[0].states
    x = instance.chain.inputs[states[0]]
    memories = [Fraction(0), _SATURATED, -_SATURATED, -_mean_projection(instance.law, x)]
    return [Point(input=x, memory=memory) for memory in dict.fromkeys(memories)]


def _mean_projection(law: Law, x: Vector) -> Fraction:
    """Return ``E[W].x``."""
    if isinstance(law, AtomicLaw):
        return sum((atom.p * dot(atom.w, x) for atom in law.atoms), Fraction(0))
    return dot(centre_of_w(law), x)


# Left sides: kernels between pairs of points, and a matrix exponential


@lru_cache(maxsize=64)
def _law(instance: Instance, data: Data, product: bool, _bits: int) -> FiniteLaw:
    law = finite_law(instance, data)
    return law.product_of_marginals() if product else law


@lru_cache(maxsize=64)
def _gram(instance: Instance, data: Data, product: bool, bits: int) -> Matrix:
    return gram_matrix(instance, _law(instance, data, product, bits).points)


@lru_cache(maxsize=64)
def _dual(
    instance: Instance, data: Data, time: Fraction, bits: int, product: bool = False
) -> DualSolution:
    law = _law(instance, data, product, bits)
    return dual_solution(law, _gram(instance, data, product, bits), time)


@lru_cache(maxsize=256)
def _row(
    instance: Instance, data: Data, place: Point, bits: int, product: bool = False
) -> list[Ball]:
    law = _law(instance, data, product, bits)
    return [kernel(instance.activation, instance.law, place, point) for point in law.points]


def solution_in_data(
    instance: Instance,
    case: SolutionCase,
    *,
    direction: int = 1,
    output_weight: int | None = None,
    product: bool = False,
) -> Ball:
    """Enclose a quantity of the solution from the exponential of the kernel's matrix.

    Mutants reverse the direction of time, give C one value, or make state and memory independent.
    """
    subject = with_units(instance, case.units)
    if output_weight is not None:
        subject = with_output_weight(subject, output_weight)
    solution = _dual(subject, case.data, direction * case.time, working_precision(), product)
    if case.quantity is Quantity.LOSS:
        return solution.loss()
    if case.quantity is Quantity.NORM:
        return solution.squared_norm()
    if case.place is None:
        raise ValueError("a value is taken at a point")
    return abs(solution.value(_row(subject, case.data, case.place, working_precision(), product)))


def with_output_weight(instance: Instance, value: int) -> Instance:
    """Return an instance of which C has one value; the memory is the same."""
    law, c = instance.law, Fraction(value)
    if isinstance(law, AtomicLaw):
        atoms = tuple(dataclasses.replace(atom, c=c) for atom in law.atoms)
        return dataclasses.replace(instance, law=AtomicLaw(atoms=atoms))
    return dataclasses.replace(instance, law=dataclasses.replace(law, c=PointMass(value=(c,))))


def loss_of_solution(instance: Instance, case: EnergyCase) -> Ball:
    """Enclose ``|g_t - y|^2``."""
    subject = with_units(instance, case.units)
    return _dual(subject, case.data, case.time, working_precision()).loss()


def excess_loss(instance: Instance, case: EnergyCase, *, floor: bool = True) -> Ball:
    """Enclose ``|g_t - y|^2 - |y - proj y|^2``; a mutant drops the second term."""
    loss = loss_of_solution(instance, case)
    if not floor:
        return loss
    return loss - ball(loss_floor(with_units(instance, case.units), case.data))


def loss_floor(instance: Instance, data: Data) -> Number:
    """Return ``|y - proj y|^2``, a rational where the weights are.

    Raises
    ------
    NotEnclosed
        Where the kernel's matrix at the distinct points is not certainly positive definite.
    """
    distinct = _distinct(instance, data)
    if distinct.points:
        spectrum = symmetric_spectrum(_distinct_gram(instance, data, working_precision()))
        if sign(spectrum.eigenvalues()[0]) != 1:
            raise NotEnclosed("the kernel's matrix is not certainly positive definite")
    learnt = [
        times(mass, times(mean, mean))
        for mass, mean in zip(distinct.masses, distinct.mean_targets, strict=True)
    ]
    return minus(finite_law(instance, data).squared_target, sum_of(learnt))


def _distinct(instance: Instance, data: Data) -> FiniteLaw:
    """Return the law, its points up to reflection where that changes nothing but signs."""
    law = finite_law(instance, data)
    return law.folded() if activation(instance.activation).is_odd() else law


@lru_cache(maxsize=64)
def _distinct_gram(instance: Instance, data: Data, _bits: int) -> Matrix:
    return gram_matrix(instance, _distinct(instance, data).points)


def squared_norm_of_solution(instance: Instance, case: EnergyCase) -> Ball:
    """Enclose ``|theta_t|^2``, the squared norm of g_t in the Hilbert space of K."""
    subject = with_units(instance, case.units)
    return _dual(subject, case.data, case.time, working_precision()).squared_norm()


def difference_of_solutions(instance: Instance, case: HistoryCase, *, fewer: int = 0) -> Ball:
    """Enclose ``|g_t^mu - g_t^{mu_m}|`` at a point; a mutant remembers `fewer` inputs."""
    known = max(case.known - fewer, 0)
    return _gap(with_units(instance, case.units), case.data, known, case.time, case.place)


def _gap(instance: Instance, data: Data, known: int, time: Fraction, place: Point) -> Ball:
    short = (
        dataclasses.replace(data, known=known)
        if isinstance(data, GivenWords)
        else AllWords(known=known)
    )
    values = [
        _dual(instance, each, time, working_precision()).value(
            _row(instance, each, place, working_precision())
        )
        for each in (data, short)
    ]
    return abs(values[0] - values[1])


# Right sides, and those of the mutants: features, and constants


@lru_cache(maxsize=64)
def _features(instance: Instance, data: Data, place: Point | None, _bits: int) -> Features:
    points = finite_law(instance, data).points
    return features(instance, points if place is None else [*points, place])


@lru_cache(maxsize=64)
def _feature_solution(
    instance: Instance, data: Data, place: Point | None, time: Fraction, bits: int
) -> FeatureSolution:
    known = _features(instance, data, place, bits)
    return feature_solution(finite_law(instance, data), known, time)


def solution_in_features(instance: Instance, case: SolutionCase) -> Ball:
    """Enclose a quantity of the solution from the series for theta."""
    subject = with_units(instance, case.units)
    solution = _feature_solution(subject, case.data, case.place, case.time, working_precision())
    if case.quantity is Quantity.LOSS:
        return solution.loss()
    if case.quantity is Quantity.NORM:
        return solution.squared_norm()
    return abs(solution.value(len(solution.law.points)))


@lru_cache(maxsize=64)
def _spectrum(instance: Instance, data: Data, _bits: int) -> tuple[Spectrum, tuple[Ball, ...]]:
    """Decompose T_K on the distinct points; return also the mean targets in the same basis."""
    law = _distinct(instance, data)
    weights = [root(ball(mass)) for mass in law.masses]
    rows = features(instance, law.points).gram().entries()
    matrix = [
        [a * ball(x) * b for x, b in zip(row, weights, strict=True)]
        for row, a in zip(rows, weights, strict=True)
    ]
    targets = tuple(a * ball(y) for a, y in zip(weights, law.mean_targets, strict=True))
    return symmetric_spectrum(Matrix.of_balls(matrix)), targets


def spectral_loss(
    instance: Instance, case: EnergyCase, *, projection: bool = True, factor: int = 2
) -> Ball:
    """Return ``sum_j exp(-2 alpha t lambda_j) <y, e_j>^2 + |y - proj y|^2``.

    Mutants drop the second term, or the factor 2.  What of y lies in the kernel of T_K at the
    distinct points is in the sum, with an eigenvalue near 0.
    """
    subject = with_units(instance, case.units)
    spectrum, targets = _spectrum(subject, case.data, working_precision())
    rate = factor * ball(case.time)
    below = (-spectrum.eigenvalues()[0]).nonnegative_part()
    value = spectrum.form(lambda x: (-rate * x).exp(), rate * (rate * below).exp(), targets)
    if not projection:
        return value
    reached = total(square(y) for y in targets)
    return value + ball(finite_law(subject, case.data).squared_target) - reached


def is_regular(instance: Instance, data: Data) -> bool:
    """Tell whether T_K is certainly invertible at the distinct points, and not nearly singular."""
    if not _distinct(instance, data).points:
        return False
    spectrum, _ = _spectrum(instance, data, working_precision())
    least = spectrum.eigenvalues()[0]
    return less(ball(_SINGULAR) * total(map(abs, spectrum.centres)), least) is Truth.TRUE


def shortest_weight(instance: Instance, data: Data) -> Ball:
    """Return ``|theta*|^2``: with the mean targets y at the distinct points, ``y^T K^-1 y``."""
    law = _distinct(instance, data)
    targets = Matrix.column(law.mean_targets)
    solved = features(instance, law.points).gram().solve(targets)
    return ball((targets.transpose() @ solved).numbers()[0])


def excess_bound(instance: Instance, case: EnergyCase, *, factor: int = 2) -> Ball:
    """Return ``|theta*|^2 / (2 e alpha t)``; a mutant doubles the factor."""
    subject = with_units(instance, case.units)
    shortest = shortest_weight(subject, case.data)
    return shortest / (factor * ball(1).exp() * ball(case.time))


def squared_target(instance: Instance, data: Data) -> Number:
    """Return ``|y|^2``."""
    targets = instance.chain.targets
    if isinstance(data, GivenWords):
        squares = [targets[word[-1]] ** 2 for word in data.words]
        return sum(squares, Fraction(0)) / len(squares)
    law = finite.stationary_law(instance.chain)
    return sum_of([times(p, y * y) for p, y in zip(law, targets, strict=True)])


def growth_bound(instance: Instance, case: EnergyCase, *, constant: Fraction | None = None) -> Ball:
    """Return ``c alpha t |y|^2``; a mutant has another constant."""
    c = growth_constant(instance) if constant is None else ball(constant)
    return c * ball(case.time) * ball(squared_target(instance, case.data))


def stability_bound(
    instance: Instance, case: HistoryCase, *, extra: int = 0, slope: Callable[[Instance], Number]
) -> Ball:
    """Return ``alpha t |y| L_K (1 + min(tau, (2 tau / 3)^(1/2))) q^m vbar``.

    Mutants add `extra` to the exponent, or have another slope of the kernel.
    """
    subject = with_units(instance, case.units)
    tau = ball(case.time) * largest_kernel(subject)
    growth = 1 + tau.min(root(2 * tau / 3))
    forgotten = power(ball(contraction_factor(subject)), case.known + extra)
    size = root(ball(squared_target(subject, case.data)))
    steep = ball(slope(subject))
    return ball(case.time) * size * steep * growth * forgotten * ball(memory_bound(subject))


def slope_without_gradient(instance: Instance) -> Number:
    """Return ``s0 s1``: the part of L_K that the training of W makes dropped."""
    return kernel_slope_bound(with_output_weight(instance, 0))


# What holds without the theorems


def learnable(instance: Instance, case: EnergyCase) -> Ball:
    """Return ``|proj y|^2``: the loss falls from ``|y|^2``."""
    subject = with_units(instance, case.units)
    law = _distinct(subject, case.data)
    return total(
        ball(mass) * square(ball(mean))
        for mass, mean in zip(law.masses, law.mean_targets, strict=True)
    )


def both_solutions(instance: Instance, case: HistoryCase) -> Ball:
    """Return ``2 (c tau)^(1/2) |y|``, which bounds the sum of both by O5."""
    tau = ball(case.time) * largest_kernel(with_units(instance, case.units))
    return 2 * root(growth_constant(instance) * tau * ball(squared_target(instance, case.data)))


# The claims

TRAINING = Assumption(text="training constants", holds=has_training, offending=no_training)
NO_KERNEL = Vacuity(
    reason="the activation's terms cancel: sigma is 0, and so are the kernel and g_t",
    holds=has_no_activation,
)
NOTHING_LEARNT = Vacuity(
    reason="the mean target is 0 at every point (up to reflection, where the activation is odd), "
    "so that g_t = 0 for ever",
    holds=learns_nothing,
)
TAU = Constant(
    symbol="tau",
    meaning="training time in units of the kernel, at the horizon",
    formula=r"\tau = \alpha T \bar K",
    value=rescaled_kernel_time,
)
FLOOR = Constant(
    symbol="floor",
    meaning="the limit of the loss, under the first law of the cases",
    formula=r"\|y - \mathrm{proj}\, y\|^2",
    value=shown_floor,
)
KBAR = Constant(
    symbol="Kbar",
    meaning="bound of the kernel",
    formula=r"\bar K = \sup_u (\sigma(u)^2 + \mathbb{E}[C^2] R^2 \sigma'(u)^2)",
    value=kernel_bound,
)
L_K = Constant(
    symbol="L_K",
    meaning="Lipschitz constant of the kernel in the memory",
    formula=r"L_K = s_0 s_1 + \mathbb{E}[C^2] s_1 s_2 R^2",
    value=kernel_slope_bound,
)
GROWTH = Constant(
    symbol="c",
    meaning="how fast the weight of the features can grow",
    formula=r"c = \max_s (1 - e^{-s})^2 / s",
    value=growth_constant,
)
ASSUMPTIONS = (TRAINING, CONTRACTION, ONE_LAW)
SOURCE = (
    "Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), the limit equation; made explicit here"
)
OWN = "this project"

O1: Claim[Instance, SolutionCase] = Claim(
    id="O1",
    theorem="ode_limit",
    title="The limit equation has two forms: in the data, and in the features",
    statement=(
        "On L²(μ), g_t = (I − exp(−αt T_K)) y; everywhere g_t = θ_t · φ with "
        "θ′ = −α(Aθ − b), A = E_μ[φφᵀ], b = E_μ[φy]."
    ),
    formula=(
        r"g_t = (I - e^{-\alpha t T_K})\, y = \theta_t \cdot \phi, \qquad "
        r"\theta' = -\alpha (A \theta - b)"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    constants=(TAU,),
    vacuities=(NO_KERNEL, NOTHING_LEARNT),
    cases=solution_cases,
    left=solution_in_data,
    right=solution_in_features,
    relation=Relation.EQUAL,
    proof=(
        "Both are linear equations with bounded operators, and θ_t · φ solves the first: its "
        "derivative is −α E_μ[K(ζ, ·)(g − y)]."
    ),
    establishes=(
        "CERTIFIED: the identity for the loss, the norm and a value, for the laws and times "
        "listed; left a matrix exponential with kernels by quadrature for each pair of points, "
        "right the Taylor series of θ over the nodes of one rule for W (over drawn units, where "
        "the nodes would be too many). They share the points only."
    ),
    source=SOURCE,
    sharp=("rain-tel-aviv",),
    mutants=(
        Mutant(
            name="wrong-sign",
            error="exp(−αt T_K) replaced by exp(αt T_K)",
            refuted_on=("rain-tel-aviv", "one-state"),
            left=partial(solution_in_data, direction=-1),
        ),
        Mutant(
            name="squared-output-weight-missing",
            error="E[C²] missing in the kernel",
            refuted_on=("rain-tel-aviv", "fair-coin"),
            left=partial(solution_in_data, output_weight=1),
        ),
        Mutant(
            name="gradient-dropped",
            error="the part of the kernel that the training of W makes dropped",
            refuted_on=("rain-tel-aviv", "fair-coin"),
            left=partial(solution_in_data, output_weight=0),
        ),
        Mutant(
            name="independent-memory",
            error="μ replaced by the product of the laws of state and memory",
            refuted_on=("two-state-sticky", "rain-tel-aviv"),
            left=partial(solution_in_data, product=True),
        ),
    ),
)

O2: Claim[Instance, EnergyCase] = Claim(
    id="O2",
    theorem="ode_limit",
    title="The loss, by the kernel's spectrum",
    statement="‖g_t − y‖² = Σ_j exp(−2αtλ_j)⟨y, e_j⟩² + ‖y − proj y‖².",
    formula=(
        r"\|g_t - y\|^2 = \sum_j e^{-2 \alpha t \lambda_j} \langle y, e_j \rangle^2 "
        r"+ \|y - \mathrm{proj}\, y\|^2"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    constants=(TAU, FLOOR),
    vacuities=(NO_KERNEL, NOTHING_LEARNT),
    cases=energy_cases,
    left=loss_of_solution,
    right=spectral_loss,
    relation=Relation.EQUAL,
    proof="The residual is exp(−αt T_K) y; where T_K vanishes it stays what it is.",
    establishes=(
        "CERTIFIED: the identity for the laws and times listed; left a matrix exponential on all "
        "atoms, right a decomposition, with proved residuals, of the operator on distinct points, "
        "whose kernel comes from features."
    ),
    source=SOURCE,
    uses=("O1",),
    sharp=("hidden-state",),
    mutants=(
        Mutant(
            name="projection-dropped",
            error="the term ‖y − proj y‖² dropped",
            refuted_on=("hidden-state", "sharp-ergodic"),
            right=partial(spectral_loss, projection=False),
        ),
        Mutant(
            name="rate-halved",
            error="exp(−2αtλ) replaced by exp(−αtλ)",
            refuted_on=("hidden-state", "fair-coin"),
            right=partial(spectral_loss, factor=1),
        ),
    ),
)

O3: Claim[Instance, EnergyCase] = Claim(
    id="O3",
    theorem="ode_limit",
    title="The loss tends to its infimum, like 1/t",
    statement=(
        "‖g_t − y‖² − ‖y − proj y‖² ≤ |θ*|² / (2eαt), θ* the shortest weight that gives proj y; "
        "the infimum is 0 exactly where y is in the closure of the range of T_K."
    ),
    formula=(
        r"\|g_t - y\|^2 - \|y - \mathrm{proj}\, y\|^2 \le \frac{|\theta^*|^2}{2 e\, \alpha t}, "
        r"\qquad |\theta^*|^2 = \sum_j \frac{\langle y, e_j \rangle^2}{\lambda_j}"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    constants=(TAU, FLOOR),
    vacuities=(NO_KERNEL, NOTHING_LEARNT),
    cases=excess_cases,
    left=excess_loss,
    right=excess_bound,
    trivial=learnable,
    proof="By O2 the left side is Σ exp(−2αtλ_j)⟨y, e_j⟩², and λ exp(−2αtλ) ≤ 1/(2eαt).",
    establishes=(
        "CERTIFIED: the inequality for the laws and times listed, of which the kernel's matrix at "
        "distinct points is certainly positive definite: there the infimum is the mean variance "
        "of the targets at a point, exactly. That the rate is attained by no fixed y is not said."
    ),
    source=SOURCE,
    uses=("O2",),
    sharp=("one-state", "sharp-ergodic"),
    mutants=(
        Mutant(
            name="floor-dropped",
            error="the loss itself bounded: ‖y − proj y‖² dropped",
            refuted_on=("hidden-state", "sharp-ergodic"),
            left=partial(excess_loss, floor=False),
        ),
        Mutant(
            name="bound-halved",
            error="2e replaced by 4e",
            refuted_on=("one-state", "sharp-ergodic"),
            right=partial(excess_bound, factor=4),
        ),
    ),
)

O4: Claim[Instance, HistoryCase] = Claim(
    id="O4",
    theorem="ode_limit",
    title="The solution depends little on what the memory has forgotten",
    statement=(
        "Replacing μ by μ_m changes g_t, at every point with an input of the chain, by at most "
        "αt ‖y‖ L_K (1 + min(τ, (2τ/3)^½)) q^m v̄."
    ),
    formula=(
        r"|g_t^{\mu} - g_t^{\mu_m}| \le \alpha t\, \|y\|\, L_K "
        r"\left(1 + \min\left(\tau, \sqrt{2 \tau / 3}\right)\right) q^m \bar v"
    ),
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    constants=(Q, VBAR, KBAR, L_K, TAU),
    vacuities=(
        NO_KERNEL,
        NO_MEMORY_WEIGHT,
        NO_ACTIVATION,
        Vacuity(
            reason="Phi(x, 0) = 0 for every recurrent state: the memory is identically zero",
            holds=has_zero_recurrent_memory,
        ),
        Vacuity(reason="the target of every recurrent state is 0", holds=has_zero_targets),
        Vacuity(
            reason="the mean target is 0 at every point, whatever is remembered of the past, so "
            "that g_t = 0 for ever under either law",
            holds=learns_nothing_from_any_past,
        ),
    ),
    cases=history_cases,
    left=difference_of_solutions,
    right=partial(stability_bound, slope=kernel_slope_bound),
    trivial=both_solutions,
    proof=(
        "Couple with equal states: memories differ by at most q^m v̄, kernels by L_K times that "
        "for either argument, residuals by the integral of it (K is positive), and the solution "
        "at a point by the integral of both, or by the energy of the difference."
    ),
    establishes=(
        "CERTIFIED: the inequality at the points, times and m listed, between μ_m and the μ_M of "
        "a longer past (M > m, to which the proof applies as well), or μ itself where it has "
        "finitely many points."
    ),
    source=OWN,
    uses=("M5", "E2", "O5"),
    sharp=("sharp-stability",),
    mutants=(
        Mutant(
            name="one-step-too-many",
            error="q^m replaced by q^(m+1)",
            refuted_on=("sharp-stability",),
            right=partial(stability_bound, slope=kernel_slope_bound, extra=1),
        ),
        Mutant(
            name="history-too-short",
            error="the bound for m claimed of μ_{m−1}",
            refuted_on=("sharp-stability",),
            left=partial(difference_of_solutions, fewer=1),
        ),
        Mutant(
            name="slope-without-gradient",
            error="L_K replaced by s₀s₁",
            refuted_on=("mutant-kernel-slope",),
            right=partial(stability_bound, slope=slope_without_gradient),
        ),
    ),
)

O5: Claim[Instance, EnergyCase] = Claim(
    id="O5",
    theorem="ode_limit",
    title="The weight of the features grows like the root of the time at most",
    statement="|θ_t|² ≤ c αt ‖y‖² with c = max_s (1 − e^{−s})²/s = 0.4073.",
    formula=r"|\theta_t|^2 \le c\, \alpha t\, \|y\|^2, \qquad c = \max_s \frac{(1 - e^{-s})^2}{s}",
    kind=SCHEMA,
    assumptions=ASSUMPTIONS,
    constants=(TAU, GROWTH),
    vacuities=(NO_KERNEL, NOTHING_LEARNT),
    cases=growth_cases,
    left=squared_norm_of_solution,
    right=growth_bound,
    proof="By the spectrum |θ_t|² = Σ (1 − exp(−αtλ_j))²/λ_j ⟨y, e_j⟩², each term at most c αt.",
    establishes=(
        "CERTIFIED: the inequality for the laws and times listed, among them the time at which "
        "the leading eigenvalue attains the constant."
    ),
    source=OWN,
    uses=("O1",),
    sharp=("one-state",),
    mutants=(
        Mutant(
            name="constant-too-small",
            error="c replaced by 2/5",
            refuted_on=("one-state",),
            right=partial(growth_bound, constant=Fraction(2, 5)),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (O1, O2, O3, O4, O5)

r"""How fast a trained network converges to the limit equation: an explicit bound.

**Setting.**  N units are drawn independently from the initial law and trained for ``n <= N T``
steps along the chain, by the recursion of `verification.recurrent.network`, output exponent
``1/2 < beta < 1``, clip ``A = N^gamma``, ``0 < gamma < 1 - beta``.  ``h = alpha / N``,
``tau = alpha T``, ``eps = N^(beta-1)``; G_k is the output, v_k^N the network's memory,
``zeta_k^N = (x_k, v_k^N)``, ``p_k = G_k(zeta_k^N)``, ``e_k = psi(p_k) - y_k``; v_k is the memory of
the infinitely wide network along the same path, ``zeta_k = (x_k, v_k)``, mu the invariant law of
the joint chain, g_t the solution of the limit equation

    d/dt g_t = -alpha mu[(g_t - y) K(., zeta')],    g_0 = 0.

phi are the features of the limiting kernel, ``K(zeta, zeta') = phi(zeta) . phi(zeta')``,
``X_k = h sum_{j<k} |e_j|`` and ``x^2 = h sum_{j<n} e_j^2``, so that ``X_k^2 <= h k x^2``.  The
other constants are those of `verification.flow.explicit_bound`.

**Assumptions.**  The instance gives training constants; ``E[C | W] = 0``; ``qbar = s1 bbar < 1``;
``delta(P^m) < 1`` for some m; those of the bound at the width in question, of which the one that
fails is named.

**Statements.**  For every point zeta with an input of the chain:
T6.  ``E max_{k <= n} |G_k(zeta) - g_{k/N}(zeta)| <= B1 + B2``.
T6D.  For ``0 <= c_k <= 1``, any numbers m_k and points zeta_k with ``h K(zeta_k, zeta_k) <= 1``,
the recursion ``d_{k+1} = d_k - h c_k phi_k (d_k . phi_k - m_k)``, ``d_0 = 0``, has ``|d_n|^2 <= h
sum_{k<n} m_k^2``.
T5.  From any width N at which it is finite, and x less than its a-priori bound, the bound decays
at least like ``N^-r``, ``r = min(beta - 1/2, 1 - beta)``.  With T6 the network converges to the
limit.

**Proof of T6.**  *Errors.*  With ``E_k = N^(1 - 2 beta) sum_i (|C_k - C_0|^2 + |W_k - W_0|^2)`` a
step is ``E_{k+1} - E_k = -2 h e_k (p_k - z_k) + h kappa_k e_k^2`` (T7), where
``|z_k - G_0(zeta_k^N)| <= eps a X_k^2`` with a the mean over the units of ``c_e(|C_0|)`` (T7Z, unit
by unit), and ``kappa_k <= kbar`` by T1.  As ``A >= ybar``, ``e_k p_k >= e_k psi(p_k) = e_k^2 +
e_k y_k``; so ``0 <= E_n`` gives ``(2 - kbar) x^2 <= 2 x [(h sum y_k^2)^(1/2) + Gamma] +
2 eps a sum_k h |e_k| X_k^2``, ``Gamma^2 = h sum G_0(zeta_k^N)^2``, and the last sum is at most
``X_n^3 / 3 <= tau^2 E8 x^2 / 3``.  Divide by 2 x: on every path

    (1 - kbar/2 - w a) x <= (h sum y_k^2)^(1/2) + Gamma.

``a <= c_e(cbar)`` gives x'; for x'' put ``a = E a + (a - E a)`` and ``x <= tau^(1/2) E8``.  The
first term on the right is at most Y in L2, because ``sum_k E[f(x_k)] <= n pi(f) + Delta osc(f)``.
To bound Gamma let F be G_0 at one input: where v is in [-b, b], ``F(v) = [F(-b) + F(b)]/2 +
(1/2) int +-F'``, an integral over [-b, b], so that ``sup |F|`` is at most
``N^(1/2 - beta) c_2^(1/2) (s0 + b s1)`` in L2; or ``|F(v_k^N)| <= |F(v_k)| + sup |F'|
|v_k^N - v_k|``, where v_k depends on the path only, ``|v_k^N - v_k| <= eps c_v X_k + Z_k`` by T2
and M6, and the product of ``sup |F'|`` and Z_k is taken in L4: sums of N centred independent
variables with second and fourth moments m2 and m4 have ``E[sum^4] <= 3 N^2 m2^2 + N m4``.

*Network against recursion.*  T3: ``G_{k+1} - G_k = -h e_k K_k^N(zeta_k^N, .) + r_k``, with K_k^N
the network's own kernel.  So ``G_{k+1} - G_k = -h e_k K(zeta_k, .) + s_k``, where ``|s_k|`` is at
most ``h |e_k|`` times

* what the movement of the units changes: ``eps X_k (l(|C_0|) + Lbar c_v(|C_0|))``, a mean over the
  units, by T1 and T2.  As ``sum_k h |e_k| X_k <= X_n^2 / 2`` this adds up to
  ``eps a X_n^2 / 2 <= eps tau a x^2 / 2``, of expectation S; and J splits ``a = E a + (a - E a)``
  with ``|x^2|_2 <= tau^(1/2) E8 |x|_2``;
* ``Lbar |v_k^{N,0} - v_k|``, v^{N,0} the memory of the frozen units: ``Lbar shat / N^(1/2)`` in L2
  given the path (M6), and ``|K_0^N - K|(zeta_k, zeta)``: ``sd_K / N^(1/2)`` (K4).  Cauchy-Schwarz:
  ``sum_k h |e_k| Q_k <= x (h sum Q_k^2)^(1/2)``;

and T3's remainder, at most ``h eps c_r h e_k^2``.  Let L be the linear recursion.  By
``|L_k(zeta_k)| <= ybar (tau Kbar / (2 - h Kbar))^(1/2) <= A`` (each step adds at most ``h y^2 / (2
- h Kbar)`` to ``|theta|^2``), ``psi(L_k) = L_k`` there, and ``psi(p_k) - L_k(zeta_k) = c_k (p_k -
L_k(zeta_k))`` with c_k in [0, 1].  So ``G_k - L_k = R_k + d_k . phi``, ``R_k = G_0 + sum_{j<k}
s_j``, d_k as in T6D with ``-m_k = [G_k(zeta_k^N) - G_k(zeta_k)] + R_k(zeta_k)``.  There is no
Gronwall: by T6D ``|G_k - L_k|(zeta) <= |R_k(zeta)| + K(zeta, zeta)^(1/2) (h sum m_j^2)^(1/2)``.  In
the mean square over k, ``m_k`` is the sum of G_0(zeta_k^N), in the mean ``tau^(1/2) g``; of
``sum_{j<k} s_j(zeta_k)``, for which ``h sum_k (h k)^2 <= tau^3 / 3`` and ``h^2 sum_{j<k} Q_jk^2 <=
tau^2 max / 2`` (`verification.flow.lazy_terms` for laziness to second order); and of ``[G_k -
G_0](zeta_k^N) - [G_k - G_0](zeta_k)``, at most ``Lhat X_k |v_k^N - v_k|``.

*Recursion against limit.*  With weights, ``L_k = theta_k . phi`` and ``g = theta*_t . phi``,
``|theta*_t| <= Theta`` (O5).  ``D_k = theta_k - theta*_{k/N}`` has ``D_{k+1} = D_k - h phi_k (phi_k
. D_k) - h [F_k(zeta_k) - mu(F_k)] - rho_k``, ``F_k = (g_{k/N} - y) phi``, and the rho_k, from the
steps of the limit, add up to at most ``h tau Kbar^(3/2) ymu / 2``: ``|g'| <= alpha Kbar ymu`` in
L2(mu).  Let ``M_k = -h sum_{j<k} [F_j(zeta_j) - mu(F_j)]``: again ``D_k = M_k + d_k + rho``, and by
T6D ``|d_k|^2 <= Kbar h sum_j |M_j|^2``; the rho_k pass through contractions.  M is a sum along the
joint chain of observables that move slowly, with values in a Hilbert space; P6M holds for these
word for word, with the constants of P7: F_k differs between states i, j at equal memory by at most
``k_i^(1/2) rho_i + k_j^(1/2) rho_j``, has the Lipschitz constant l, and ``F_k - F_{k-1}`` has
``2 Kbar^(1/2) d`` and ``2 L_phi d``; so ``|max M|_2 <= h (O + n O') + 2 h (n p / 2)^(1/2) Omega``.
Of a single M_k the same is true with k in place of n and without Doob's factor 2, so that over the
steps ``(h sum_k E|M_k|^2)^(1/2)`` is at most ``tau^(1/2)`` times ``h O + tau O' / 3^(1/2) +
(h tau p)^(1/2) Omega / 2``.
The variance of a random vector is half the mean square distance of two independent copies: at most
``p Omega^2 / 2`` where these agree with probability ``1 - p`` and are never farther apart than
Omega.

**Proof of T6D.**  With ``s = d_k . phi_k``, ``h K <= 1`` and ``c_k <= 1``: ``|d_{k+1}|^2 - |d_k|^2
= -2 h c s (s - m) + h^2 c^2 K (s - m)^2 <= h c [(s - m)^2 - 2 s (s - m)] = h c (m^2 - s^2) <= h
m^2``.

**Proof of T5.**  A grows, but in D, b, w and J always with a power of N that outweighs it (``gamma
< 1 - beta < 1/2``): D, b, w, kbar, J, and with them all coefficients, decrease as N grows, as do x'
and x'', as long as one of them is the smallest of the three bounds of x.  Every term of the bound
has one of the factors ``N^(1/2 - beta)``, ``eps`` and ``N^(-1/2)`` besides, or smaller ones, and
``r <= 1/4``.

**What the verdicts establish.**  T6, SUPPORTED: independent networks were drawn and trained for the
whole horizon, at the width, point and error level shown; the distance is taken after every step.
Its range, which the limits need, is proved; nothing is cut off.  The limit is enclosed.  Taken for
granted: that roundings move no output of a network by more than 2^-30, that numpy's random numbers
are independent, and its normal ones normal.  T6D, T5, CERTIFIED: for the paths and widths shown.

Source: convergence without a rate is the theorem of Lam, Sirignano and Spiliopoulos, arXiv
2308.14555; the bound and its proof are this project's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from theorems.finite_width_memory import EVERY_UNIT_CONTRACTS
from theorems.geometric_ergodicity import MIXING
from theorems.ode_limit import NO_KERNEL, TRAINING
from theorems.training_convergence import output_is_centred, shown_output_mean
from verification.claim import AnyClaim, Assumption, Claim, Constant, Drawing, Mutant, Vacuity
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    exact_ball,
    less,
    less_equal,
    maximum,
    shown,
    sign,
    total,
)
from verification.enclosure.doubles import above
from verification.errors import InvalidInstance, NotEnclosed
from verification.figure import Axis, Figure, Guarantee, Kind, Scale, Series
from verification.flow.driven import Driven
from verification.flow.explicit_bound import (
    ExplicitBound,
    energy_left,
    explicit_bound,
    require_admissible,
)
from verification.instance import SCHEMA, AtomicLaw, Instance, Training
from verification.kernel.limiting import Point, gram_matrix, kernel, point
from verification.recurrent.activation import activation
from verification.recurrent.law import bound_c, dot
from verification.recurrent.network_balls import width_power
from verification.statistics.simulation import Simulation
from verification.verdict import EvidenceKind, Truth

_WIDTH = 64
_LARGE_WIDTHS = (10**6, 10**12)
_LARGER = 100
_LEAST_WIDTH = 2
_MOST_STEPS = 512
_MOST_STATES = 5
_DRAWS = 2**13
_CHUNK = 2**8
_LENGTHS = (1, 4)
_DRAWN_WIDTHS = (16, 64, 256)
_DRAWN = 64
_DRAWN_BANDS = (32, 256)
_DRAWN_PATHS = 16
_DRAWN_STEPS = 4_096
_DRAWN_TIMES = 32


# Assumptions, vacuities


def training_of(instance: Instance) -> Training:
    """Return the training constants."""
    if instance.training is None:
        raise ValueError(f"instance {instance.name} gives no training constants")
    return instance.training


def is_finite_at(instance: Instance, width: int) -> Truth:
    """Decide whether the assumptions of the bound hold at a width."""
    try:
        require_admissible(instance, width)
    except InvalidInstance:
        return Truth.FALSE
    except NotEnclosed:
        return Truth.UNKNOWN
    return Truth.TRUE


def shown_failure(instance: Instance, width: int) -> str:
    """Return what the bound needs that a width does not give."""
    try:
        require_admissible(instance, width)
    except (InvalidInstance, NotEnclosed) as error:
        return str(error)
    return "nothing"


def is_finite(instance: Instance) -> Truth:
    """Decide whether the bound is finite at the width that is simulated."""
    return is_finite_at(instance, simulated_width(instance))


def shown_infinity(instance: Instance) -> str:
    """Return why it is not."""
    return shown_failure(instance, simulated_width(instance))


def moves_far(instance: Instance) -> bool:
    """Tell whether weights may move so far at that width that half of the energy is lost."""
    left = energy_left(instance, simulated_width(instance))
    return less(left, ball(Fraction(1, 2))) is Truth.TRUE


def says_nothing(instance: Instance) -> bool:
    """Tell whether the bound certainly exceeds what holds anyway at that width; of small chains."""
    if instance.chain.n_states > _MOST_STATES:
        return False
    found = bound_at(instance, simulated_width(instance))
    return less_equal(found.trivial, found.total) is Truth.TRUE


# Constants


def bound_at(instance: Instance, width: int) -> ExplicitBound:
    """Return the bound at the initial state's input and memory 0."""
    return explicit_bound(instance, width, instance.chain.initial, Fraction(0))


def simulated_width(instance: Instance) -> int:
    """Return 64, or less where the horizon makes training long."""
    horizon = training_of(instance).horizon
    width = _WIDTH
    while width > _LEAST_WIDTH and width * horizon > _MOST_STEPS:
        width //= 2
    return width


def rate(instance: Instance) -> Fraction:
    """Return ``r = min(beta - 1/2, 1 - beta)``."""
    beta = training_of(instance).beta
    return min(beta - Fraction(1, 2), 1 - beta)


# Cases


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks of a width, yet to be drawn, and a point where their output is looked at."""

    width: int
    state: int
    memory: Fraction

    def __str__(self) -> str:
        return f"N = {self.width}, state {self.state}, v = {shown(self.memory, 6)}"


@dataclass(frozen=True, kw_only=True)
class Recursion:
    """Points zeta_k, factors c_k and numbers m_k of the recursion in T6D.

    Parameters
    ----------
    places : tuple of Point
    factors, forces : tuple of Fraction
        c_k and m_k.
    """

    places: tuple[Point, ...]
    factors: tuple[Fraction, ...]
    forces: tuple[Fraction, ...]

    def __str__(self) -> str:
        return f"{len(self.places)} steps, the first at {self.places[0]}"


@dataclass(frozen=True, kw_only=True)
class Wider:
    """A width, and how many times as wide the network becomes."""

    width: int
    times: int

    def __str__(self) -> str:
        return f"from N = {self.width} to {self.width * self.times}"


def networks(instance: Instance, _rng: random.Random) -> Sequence[Networks]:
    """Return the width that is simulated, at the initial state and memory 0; no large chains."""
    if instance.chain.n_states > _MOST_STATES:
        return []
    width = simulated_width(instance)
    return [Networks(width=width, state=instance.chain.initial, memory=Fraction(0))]


def recursions(instance: Instance, rng: random.Random) -> Sequence[Recursion]:
    """Return one step with factor 1, and several with factors and numbers drawn."""
    chain = instance.chain
    cases = []
    for length in _LENGTHS:
        places = tuple(
            point(instance, rng.randrange(chain.n_states), Fraction(rng.randint(-16, 16), 16))
            for _ in range(length)
        )
        factors = tuple(Fraction(rng.randint(0, 4), 4) for _ in places[1:])
        forces = tuple(Fraction(rng.randint(1, 8) * rng.choice((-1, 1)), 8) for _ in places)
        cases.append(Recursion(places=places, factors=(Fraction(1), *factors), forces=forces))
    return cases


def wider_networks(instance: Instance, _rng: random.Random) -> Sequence[Wider]:
    """Return large widths and a hundred times as large ones; no large chains."""
    if instance.chain.n_states > _MOST_STATES:
        return []
    return [
        Wider(width=width, times=_LARGER)
        for width in _LARGE_WIDTHS
        if has_energy_bound(instance, width)
    ]


def has_energy_bound(instance: Instance, width: int) -> bool:
    """Tell whether x is certainly less than what bounds the errors a priori."""
    if is_finite_at(instance, width) is not Truth.TRUE:
        return False
    found = bound_at(instance, width)
    return less(found.error, found.time.sqrt() * found.largest_error) is Truth.TRUE


# Left sides


def largest_error(
    instance: Instance, case: Networks, *, driven: Driven = Driven.LIMIT
) -> Simulation:
    """Simulate ``E max_k |G_k - g_{k/N}|``; mutants compare with a wrong curve."""
    # numpy is loaded where the claim is decided, not where claims are listed.
    from verification.flow.network_draws import network_draws  # noqa: PLC0415

    draws = network_draws(instance, case.width, case.state, case.memory, driven)
    found = explicit_bound(instance, case.width, case.state, case.memory)
    furthest = max(map(abs, draws.curve))
    most = above(largest_initial_output(instance, case) + found.largest_movement)
    return Simulation(
        draw=draws,
        lower=Fraction(0),
        upper=most + Fraction(furthest) + draws.error,
        error=draws.error,
        most=_DRAWS,
        chunk=_CHUNK,
    )


def largest_initial_output(instance: Instance, case: Networks) -> Ball:
    """Bound ``|G_0|`` at the point, over all draws."""
    scale = width_power(case.width, 1 - training_of(instance).beta)
    sigma, law = activation(instance.activation), instance.law
    if not isinstance(law, AtomicLaw):
        return scale * ball(bound_c(law)) * ball(sigma.bound(0))
    x = instance.chain.inputs[case.state]
    return scale * maximum(
        abs(ball(atom.c) * sigma.derivative(0, ball(dot(atom.w, x) + case.memory)))
        for atom in law.atoms
    )


def largest_step(instance: Instance, case: Recursion) -> Ball:
    """Return ``h = 1 / max K(zeta_k, zeta_k)``, or 1 where that may be infinite."""
    spec, law = instance.activation, instance.law
    largest = maximum(kernel(spec, law, place, place) for place in case.places)
    return 1 / largest if sign(largest) == 1 else ball(1)


def end_of_recursion(
    instance: Instance, case: Recursion, *, longer: int = 1, factor: int = 1
) -> Ball:
    """Enclose ``|d_n|^2``; mutants take longer steps, or larger factors.

    ``d_k = sum_{j<k} a_j phi_j``, so that the kernel's matrix is all that it takes.
    """
    gram = [[ball(x) for x in row] for row in gram_matrix(instance, case.places).entries()]
    h = longer * largest_step(instance, case)
    weights: list[Ball] = []
    for k, (c, m) in enumerate(zip(case.factors, case.forces, strict=True)):
        value = total(a * gram[j][k] for j, a in enumerate(weights))
        weights.append(-h * factor * ball(c) * (value - ball(m)))
    return total(a * b * gram[j][k] for j, a in enumerate(weights) for k, b in enumerate(weights))


def wider_bound(instance: Instance, case: Wider) -> Ball:
    """Return the bound at the larger width."""
    return bound_at(instance, case.width * case.times).total


# Right sides


def bound_of_error(instance: Instance, case: Networks) -> Ball:
    """Return ``B1 + B2``."""
    return explicit_bound(instance, case.width, case.state, case.memory).total


def trivial_bound(instance: Instance, case: Networks) -> Ball:
    """Return what bounds the left side of T6 anyway."""
    return explicit_bound(instance, case.width, case.state, case.memory).trivial


def summed_forces(instance: Instance, case: Recursion, *, longer: int = 1) -> Ball:
    """Return ``h sum m_k^2``."""
    squares = sum((m * m for m in case.forces), Fraction(0))
    return longer * largest_step(instance, case) * ball(squares)


def decayed_bound(instance: Instance, case: Wider, *, exponent: Fraction | None = None) -> Ball:
    """Return the bound at the smaller width times ``(N'/N)^-r``; a mutant has another exponent."""
    power = rate(instance) if exponent is None else exponent
    return bound_at(instance, case.width).total * width_power(case.times, -power)


# Figure


def width_figure(instance: Instance) -> Figure:
    """Draw the bound of T6 and its parts against the width, and networks that were trained."""
    import numpy as np  # noqa: PLC0415 - loaded where figures are drawn

    widths = [10**k for k in range(1, 13) if is_finite_at(instance, 10**k) is Truth.TRUE]
    bounds = {width: bound_at(instance, width) for width in widths}
    parts: dict[str, Callable[[ExplicitBound], Ball]] = {
        "the claim: B₁ + B₂": lambda bound: bound.total,
        "what holds anyway": lambda bound: bound.trivial,
        "of B₁, the output before training": lambda bound: bound.initial_part,
        "of B₁, the network against the recursion": lambda bound: bound.network_part,
        "B₂, the recursion against the equation": lambda bound: bound.recursion_part,
    }
    series = [
        Series.of(
            name,
            [(width, part(bound)) for width, bound in bounds.items()],
            guarantee=Guarantee.UPPER,
            kind=Kind.LINE if number else Kind.BOUND,
        )
        for number, (name, part) in enumerate(parts.items())
    ]
    means = []
    for width in _DRAWN_WIDTHS:
        if width * training_of(instance).horizon <= _MOST_STEPS:
            case = Networks(width=width, state=instance.chain.initial, memory=Fraction(0))
            drawn = largest_error(instance, case).draw(np.random.default_rng(width), _DRAWN)
            mean, deviation = float(drawn.mean()), float(drawn.std() / (_DRAWN - 1) ** 0.5)
            ends = (Fraction(repr(mean + side * 2 * deviation)) for side in (-1, 1))
            means.append((width, Between(*(ball(end) for end in ends))))
    networks_drawn = Series.of(
        f"mean of {_DRAWN} networks, ± 2 standard errors",
        means,
        guarantee=Guarantee.ESTIMATE,
        kind=Kind.DOTS,
    )
    return Figure(
        title="Distance of a network from the limit equation, against its width",
        description=(
            "Expected largest distance of output and limit during training, at the initial state "
            "and memory 0: its bound B₁ + B₂, the parts of which the bound is the sum, a bound "
            "that holds without the theorem, and networks that were drawn and trained."
        ),
        x=Axis(label="width N", scale=Scale.LOG),
        y=Axis(label="distance", scale=Scale.LOG),
        series=(*series, networks_drawn),
    )


def training_figure(instance: Instance) -> Figure:
    """Draw the limit's output during training, and the range of networks that were trained."""
    # numpy is loaded where the figure is drawn, not where claims are listed.
    from verification.flow.network_draws import limit_curve  # noqa: PLC0415
    from verification.recurrent.network_replicas import train_replicas  # noqa: PLC0415

    horizon, state = training_of(instance).horizon, instance.chain.initial
    bands = []
    for width in (width for width in _DRAWN_BANDS if width * horizon <= _DRAWN_STEPS):
        ends = sorted({int(width * horizon * k / _DRAWN_TIMES) for k in range(_DRAWN_TIMES + 1)})
        paths = train_replicas(
            instance,
            width=width,
            seed=0,
            replicas=range(_DRAWN_PATHS),
            checkpoints=ends,
            points=[(state, Fraction(0))],
        )
        outputs = [[float(path.outputs[i, 0]) for path in paths] for i in range(len(ends))]
        band = [
            (Fraction(end, width), Between(exact_ball(min(seen)), exact_ball(max(seen))))
            for end, seen in zip(ends, outputs, strict=True)
        ]
        name = f"range of {_DRAWN_PATHS} networks of {width} units"
        bands.append(Series.of(name, band, guarantee=Guarantee.ESTIMATE, kind=Kind.BAND))
    values, error = limit_curve(instance, _DRAWN_TIMES, state, Fraction(0))
    limit = [
        (Fraction(k, _DRAWN_TIMES), Between(*(ball(Fraction(value) + e) for e in (-error, error))))
        for k, value in enumerate(values)
    ]
    return Figure(
        title="What training does to wide networks, and what the limit equation says",
        description=(
            "Output during training at the initial state and memory 0: the solution of the limit "
            "equation, enclosed, and the least and the greatest output of networks that were drawn."
        ),
        x=Axis(label="time t = k / N"),
        y=Axis(label="output"),
        series=(Series.of("the limit", limit, guarantee=Guarantee.ENCLOSURE), *bands),
    )


# The claims

CENTRED_OUTPUT = Assumption(
    text="E[C | W] = 0", holds=output_is_centred, offending=shown_output_mean
)
FINITE = Assumption(
    text="a finite bound at the width that is simulated",
    holds=is_finite,
    offending=shown_infinity,
)
MOVES_FAR = Vacuity(
    reason="at the width that is simulated weights may move so far that the bound is of no use",
    holds=moves_far,
)
RATE = Constant(
    symbol="r",
    meaning="rate",
    formula=r"r = \min(\beta - \tfrac12, 1 - \beta)",
    value=rate,
)
SOURCE = "this project; the limit is that of Lam, Sirignano and Spiliopoulos, arXiv 2308.14555"

T6D: Claim[Instance, Recursion] = Claim(
    id="T6D",
    theorem="convergence_rate",
    title="Deviations driven by a force stay below its energy",
    statement=(
        "For 0 ≤ c_k ≤ 1 and h K(ζ_k, ζ_k) ≤ 1 the recursion d_{k+1} = d_k − h c_k φ_k "
        "(d_k·φ_k − m_k), d_0 = 0, has |d_n|² ≤ h Σ m_k²."
    ),
    formula=r"|d_n|^2 \le h \sum_{k < n} m_k^2",
    kind=SCHEMA,
    vacuities=(NO_KERNEL,),
    cases=recursions,
    left=end_of_recursion,
    right=summed_forces,
    proof=(
        "With s = d_k·φ_k: |d_{k+1}|² − |d_k|² ≤ h c_k [(s − m_k)² − 2 s (s − m_k)] = "
        "h c_k (m_k² − s²). Nothing grows exponentially."
    ),
    establishes="CERTIFIED: the inequality for the points, factors and numbers drawn.",
    source=SOURCE,
    sharp=("rain-tel-aviv",),
    mutants=(
        Mutant(
            name="long-step",
            error="h K ≤ 3 in place of h K ≤ 1",
            refuted_on=("rain-tel-aviv", "fair-coin"),
            left=partial(end_of_recursion, longer=3),
            right=partial(summed_forces, longer=3),
        ),
        Mutant(
            name="large-factor",
            error="c_k up to 2 in place of 1",
            refuted_on=("rain-tel-aviv", "fair-coin"),
            left=partial(end_of_recursion, factor=2),
        ),
    ),
)

T6: Claim[Instance, Networks] = Claim(
    id="T6",
    theorem="convergence_rate",
    title="A trained network is within an explicit bound of the limit equation",
    statement=(
        "E max_{k ≤ NT} |G_k(ζ) − g_{k/N}(ζ)| ≤ B₁ + B₂, with every constant explicit and nothing "
        "exponential in T."
    ),
    formula=(
        r"\mathbb{E} \max_{k \le NT} |G_k(\zeta) - g_{k/N}(\zeta)| \le B_1 + B_2 = "
        r"O(N^{1/2-\beta} + N^{\beta-1} + N^{-1/2})"
    ),
    kind=SCHEMA,
    assumptions=(TRAINING, CENTRED_OUTPUT, EVERY_UNIT_CONTRACTS, MIXING, FINITE),
    vacuities=(
        NO_KERNEL,
        MOVES_FAR,
        Vacuity(
            reason="at the width that is simulated the bound is no smaller than what holds anyway",
            holds=says_nothing,
        ),
    ),
    cases=networks,
    left=largest_error,
    right=bound_of_error,
    trivial=trivial_bound,
    proof=(
        "Against the linear recursion with the limiting kernel: T1 to T3, M6, K4 and T7 bound what "
        "drives the difference, T6D the difference. The recursion against the equation: P6M and P7 "
        "for observables that move slowly, and T6D again."
    ),
    establishes=(
        "SUPPORTED: independent networks were trained, and compared with the enclosed limit after "
        "every step, at the width and error level shown; roundings of training are taken to move "
        "no output by more than 2^-30."
    ),
    source=SOURCE,
    uses=("T1", "T2", "T3", "T4", "T7", "T7Z", "T6D", "M6", "K4", "P6M", "P7", "O5"),
    evidence=EvidenceKind.SIMULATION,
    sharp=("sharp-small-steps",),
    figures=(
        Drawing(name="width", draw=width_figure, on=("markov-onegin", "sharp-small-steps")),
        Drawing(name="training", draw=training_figure, on=("markov-onegin", "sharp-convergence")),
    ),
    mutants=(
        Mutant(
            name="without-gradient",
            error="the limit is driven by E[σ σ'] alone: the gradient of W is left out",
            refuted_on=("sharp-convergence",),
            left=partial(largest_error, driven=Driven.WITHOUT_GRADIENT),
        ),
        Mutant(
            name="equal-states",
            error="the limit is driven by states that are equally frequent",
            refuted_on=("sharp-convergence",),
            left=partial(largest_error, driven=Driven.EQUAL_STATES),
        ),
    ),
)

T5: Claim[Instance, Wider] = Claim(
    id="T5",
    theorem="convergence_rate",
    title="Wide networks converge to the limit equation",
    statement=(
        "From any width N on, the bound of T6 decays at least like N^−r, r = min(β − 1/2, 1 − β): "
        "with T6, E max_{k ≤ NT} |G_k(ζ) − g_{k/N}(ζ)| → 0."
    ),
    formula=r"(B_1 + B_2)(N') \le (B_1 + B_2)(N) \left(N' / N\right)^{-r},\quad N' \ge N",
    kind=SCHEMA,
    assumptions=(TRAINING, CENTRED_OUTPUT, EVERY_UNIT_CONTRACTS, MIXING, FINITE),
    constants=(RATE,),
    vacuities=(NO_KERNEL, MOVES_FAR),
    cases=wider_networks,
    left=wider_bound,
    right=decayed_bound,
    proof=(
        "Every term has one of the factors N^(1/2 − β), N^(β − 1), N^(−1/2), and otherwise "
        "decreases as N grows, because γ < 1 − β; r ≤ 1/4."
    ),
    establishes=(
        "CERTIFIED: the decay between the widths listed. That networks obey the bound is T6."
    ),
    source="Lam, Sirignano and Spiliopoulos, arXiv 2308.14555; the rate is this project's",
    uses=("T6",),
    sharp=("sharp-small-steps",),
    mutants=(
        Mutant(
            name="one-half",
            error="the rate N^−1/2 of independent draws",
            refuted_on=("sharp-small-steps", "rain-tel-aviv"),
            right=partial(decayed_bound, exponent=Fraction(1, 2)),
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (T6D, T6, T5)

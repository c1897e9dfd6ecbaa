r"""The explicit bound of the distance between a trained network and the limit equation.

**Setting.**  N units are drawn independently from a law with ``E[C | W] = 0``, ``|C| <= cbar``,
``|B| <= bbar``, and trained by the recursion of `verification.recurrent.network` along the chain
for ``n <= N T`` steps.  G_k is the output, g_t the solution of the limit equation
(`verification.flow.limit_flow`), zeta a point with an input of the chain.  The bound is

    E max_{k <= n} |G_k(zeta) - g_{k/N}(zeta)| <= B1 + B2,

B1 for the distance of G_k from the linear recursion ``L_{k+1} = L_k - h (L_k(zeta_k) - y_k)
K(zeta_k, .)``, ``L_0 = 0``, on the limit's joint chain ``zeta_k = (x_k, v_k)``, B2 for that of L_k
from g.  `theorems.convergence_rate` has the proof.

**Constants.**  ``h = alpha / N``, ``tau = alpha T``, ``eps = N^(beta-1)``, ``A = N^gamma``,
``R = max |x|``, ``ybar = max |y|``, ``kappa1 = s1^2 R^2``, ``c_j = E|C|^j``, s_k the suprema of
sigma and its derivatives, ``qbar = s1 bbar``, ``q = s1 E|B|``, ``vbar = s0 E|B|``,
``shat = s_Phi / (1 - qbar)``, sd_K the largest deviation of one unit's kernel; k_i the supremum of
``K((x_i, v), (x_i, v))`` over ``|v| <= vbar``, Kbar the largest k_i.

*A priori.*  ``E8 = 2 A + ybar`` bounds the errors, ``D = eps s0 tau E8`` what C moves,
``b = s0 (bbar + eps s0 s1 tau E8 (cbar + D/2))`` the memory.  A unit with ``|C_0| = c`` enters
through three polynomials, and ``a_N`` is the mean over the N units of a polynomial a:

    c_e(c) = kappa1 (c + D/2) [s0 + c (c + D/2) s2 R^2 / 2],
    c_v(c) = s1 (c + D/2) (s0^2 + bbar s1 R^2) / (1 - qbar),
    l(c)   = 2 s0 kappa1 (c + D/2) + s0 kappa1 (2 c + D) + 2 c^2 (c + D/2) s1^2 s2 R^4.

``|a_N - E a|`` has L2 norm at most ``dev(a) / N^(1/2)``, ``dev(a)^2 = (a(cbar) - E a)(E a - a(0))``
(Bhatia and Davis).

*Initial output.*  ``a0 = max_i sup_{|v| <= vbar} E[C^2 sigma^2]^(1/2)``; with
``m4 = (3 c_2^2 + c_4 / N)^(1/4)`` and ``z4 = (3 s_Phi^4 + 4 s0^2 bbar^2 s_Phi^2 / N)^(1/4) /
(N^(1/2) (1 - qbar))``, the mean square over the steps of G_0 at the network's own points has a root
of L2 norm at most g(Z) where ``h sum |e_j| <= Z`` for certain, and of mean at most g(Z) where Z
bounds the L2 norm of ``h sum |e_j|``:

    g(Z) = N^(1/2 - beta) min{c_2^(1/2) (s0 + b s1),
                              a0 + (s1 + b s2) [c_2^(1/2) eps c_v(cbar) Z + m4 z4]}.

*Errors.*  ``Y^2 = min(tau ybar^2, tau pi(y^2) + h Delta osc(y^2))``, Delta a bound of
``sum_k delta(P^k)``; ``kbar = h (s0^2 + kappa1 (cbar + D)^2)``, ``w = eps tau^2 E8 / 3``.  Then
``x = min(x', x'', tau^(1/2) E8)`` bounds ``(h sum e_j^2)^(1/2)`` in L2,

    x'  = [Y + tau^(1/2) g(tau E8)] / (1 - kbar/2 - w c_e(cbar)),
    x'' = [Y + tau^(1/2) g(tau E8) + w dev(c_e) tau^(1/2) E8 / N^(1/2)] / (1 - kbar/2 - w E c_e);

for a polynomial a, ``J(a) = min{a(cbar) x^2, E a x^2 + dev(a) tau^(1/2) E8 x / N^(1/2)}`` bounds
``E[a_N h sum e_j^2]``.

*Network against recursion.*  With ``Lbar = s0 s1 + cbar^2 s1 s2 R^2``, ``Lhat = s0 s1 + cbar
(cbar + D/2) s1 s2 R^2``, ``c_r = (cbar + D)(s0 kappa1 + (cbar + D)^2 s1^2 s2 R^4 / 2)``,
``f = (K(zeta, zeta) tau)^(1/2)``, ``nu = x (tau/N)^(1/2)``, and the terms of laziness below,

    B1 = N^(1/2 - beta) E[C^2 sigma(W.x + v)^2]^(1/2) + f g(tau^(1/2) x)
         + S + nu (Lbar shat + sd_K) + h eps c_r x^2
         + f [S' + nu (Lbar shat + sd_K) / 2^(1/2) + h eps c_r x^2]
         + f Lhat [M + nu shat / 2^(1/2)].

*Laziness.*  ``S = eps tau J(l + Lbar c_v) / 2``, ``S' = S / 3^(1/2)``,
``M = eps tau J(c_v) / 3^(1/2)``; where C has no odd moments given W and B, and the denominator of
x' is positive, `verification.flow.lazy_terms` bounds S and M to second order, and the smaller
bounds count.  There ``eta = D``, and as the energy bounds ``(h sum e_j^2)^(1/2)`` on every path,
the mean square of the targets being at most ``ybar^2`` and the initial output at most
``N^(1/2 - beta) m4 (s0 + b s1)`` in L4,

    x4 = tau^(1/2) [ybar + N^(1/2 - beta) m4 (s0 + b s1)] / (1 - kbar/2 - w c_e(cbar)).

*Recursion against limit.*  ``ymu = pi(y^2)^(1/2)``, ``Theta = (0.4073 tau)^(1/2) ymu``,
``rho_i = |y_i| + k_i^(1/2) Theta`` bounds ``|g - y|`` in state i, L_phi the slope of the
features, ``l = L_phi (max rho_i + Kbar^(1/2) Theta)``, ``Omega = (o_F + l D_Phi / (1 - q)) Delta``
with ``o_F = max_{i != j} (k_i^(1/2) rho_i + k_j^(1/2) rho_j)`` and the memory's sensitivity D_Phi
to its input, ``O = Omega + 2 vbar l / (1 - q)``,
``d = h ymu Kbar``, ``O' = d {[2 Kbar^(1/2) + 2 L_phi D_Phi / (1 - q)] Delta +
4 vbar L_phi / (1 - q)}``, ``p = max_i (1 - sum_j P_ij^2)``:

    B2 = K(zeta, zeta)^(1/2) {h O + tau O' + (2 h tau p)^(1/2) Omega + h tau Kbar^(3/2) ymu / 2
             + (tau Kbar)^(1/2) [h O + tau O' / 3^(1/2) + (h tau p)^(1/2) Omega / 2]}:

the largest of the sums along the chain, and their mean square over the steps.

**Assumptions.**  ``E[C | W] = 0``, ``qbar < 1``, the chain mixes, ``A >= ybar``,
``A >= ybar (tau Kbar / (2 - h Kbar))^(1/2)``, ``h Kbar <= 1``, and a positive denominator in x'
or x''.

Source: this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from verification.enclosure.balls import (
    Ball,
    ball,
    end_points,
    exact_ball,
    less,
    less_equal,
    maximum,
    power,
    root,
    square,
    total,
    upper_double,
    working_precision,
)
from verification.errors import InvalidInstance, NotEnclosed
from verification.flow.expansion import suprema
from verification.flow.lazy_terms import Training, second_order_terms
from verification.instance import Instance
from verification.kernel.deviation import kernel_deviation
from verification.kernel.diagonal import largest_diagonal
from verification.kernel.limiting import (
    feature_slope_bound,
    kernel,
    point,
    squared_input_bound,
)
from verification.markov import finite
from verification.markov.columns import stationary_mean, summed_contraction
from verification.recurrent.law import (
    bound_b,
    bound_c,
    has_centred_c,
    has_no_odd_moments_of_c,
    mean_absolute_c,
    moment_of_c,
)
from verification.recurrent.memory import contraction_factor, memory_bound
from verification.recurrent.network_balls import width_power
from verification.recurrent.unit_spread import (
    largest_output_spread,
    mean_square_output,
    spread_of_units,
)
from verification.verdict import Truth

# At least max_s (1 - exp(-s))^2 / s.
_GROWTH = Fraction("0.4073")


@dataclass(frozen=True, kw_only=True)
class Laziness:
    """What the movement of the units adds to the differences of kernels and memories.

    Parameters
    ----------
    kernel : Ball
        S, at one point.
    memory : Ball
        M.
    """

    kernel: Ball
    memory: Ball

    @property
    def along(self) -> Ball:
        """S', in the mean square over the points of the path."""
        return self.kernel / ball(3).sqrt()

    def min(self, other: Laziness) -> Laziness:
        """Return the smaller of two bounds, each for itself."""
        return Laziness(kernel=self.kernel.min(other.kernel), memory=self.memory.min(other.memory))


@dataclass(frozen=True, kw_only=True)
class ExplicitBound:
    """The bound and its constants, all of them upper bounds; names as in the module's docstring.

    Parameters
    ----------
    step, time, laziness : Ball
        h, tau, eps.
    largest_error : Ball
        E8.
    output_shift : Ball
        D.
    memory_reach : Ball
        b.
    initial_output : Ball
        g(tau E8).
    target : Ball
        Y.
    error : Ball
        x.
    lazy : Laziness
        S, S', M.
    unit_spread, kernel_spread : Ball
        ``s_Phi / (1 - qbar)`` and sd_K.
    kernel : Ball
        ``K(zeta, zeta)``.
    largest_kernel : Ball
        Kbar.
    oscillation, drift : Ball
        O and O'.
    initial_part, network_part, recursion_part : Ball
        ``E[G_0(zeta)^2]^(1/2)``, the rest of B1, and B2.
    largest_movement, largest_limit : Ball
        Bounds of ``|G_k - G_0|`` and of ``|g_t|`` at zeta that hold for every width and path:
        ``tau E8 [s0^2 + kappa1 cbar (cbar + D/2)]`` and ``K(zeta, zeta)^(1/2) Theta``.
    """

    step: Ball
    time: Ball
    laziness: Ball
    largest_error: Ball
    output_shift: Ball
    memory_reach: Ball
    initial_output: Ball
    target: Ball
    error: Ball
    lazy: Laziness
    unit_spread: Ball
    kernel_spread: Ball
    kernel: Ball
    largest_kernel: Ball
    oscillation: Ball
    drift: Ball
    initial_part: Ball
    network_part: Ball
    recursion_part: Ball
    largest_movement: Ball
    largest_limit: Ball

    @property
    def total(self) -> Ball:
        """``B1 + B2``."""
        return self.initial_part + self.network_part + self.recursion_part

    @property
    def trivial(self) -> Ball:
        """What the left side cannot exceed anyway."""
        return self.initial_part + self.largest_movement + self.largest_limit


def is_admissible(instance: Instance, width: int) -> bool:
    """Tell whether the bound is finite: its assumptions certainly hold."""
    try:
        require_admissible(instance, width)
    except (InvalidInstance, NotEnclosed):
        return False
    return True


def require_admissible(instance: Instance, width: int) -> None:
    """Refuse an instance for which the bound is infinite at a width, as `explicit_bound` does."""
    if instance.training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
    _Constants(instance, width, instance.training.horizon)


def energy_left(instance: Instance, width: int) -> Ball:
    """Return the denominator of x'': what the movement of the weights leaves of the energy.

    It is at most 1; the other constants of the bound, which take longer, are not needed for it.
    """
    if instance.training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
    return _Constants(instance, width, instance.training.horizon).thetas[1]


def explicit_bound(
    instance: Instance, width: int, state: int, memory: Fraction, time: Fraction | None = None
) -> ExplicitBound:
    """Bound ``E max_{k <= N T} |G_k(zeta) - g_{k/N}(zeta)|``.

    Parameters
    ----------
    instance : Instance
        With training constants.
    width : int
        N.
    state : int
        Whose input zeta has.
    memory : Fraction
        That of zeta.
    time : Fraction, optional
        T; the instance's horizon where none is given.

    Raises
    ------
    InvalidInstance
        Where the instance has no training constants, or an assumption fails: it is named.
    NotEnclosed
        Where it is not certain at this precision that an assumption holds.
    """
    if instance.training is None:
        raise InvalidInstance("training", "is missing, expected alpha, beta, gamma and horizon")
    horizon = instance.training.horizon if time is None else time
    return _explicit_bound(instance, width, state, memory, horizon, working_precision())


@lru_cache(maxsize=256)
def _explicit_bound(
    instance: Instance, width: int, state: int, memory: Fraction, time: Fraction, _bits: int
) -> ExplicitBound:
    return _Constants(instance, width, time).bound(state, memory)


def _require(truth: Truth, path: str, text: str) -> None:
    """Refuse an instance that certainly fails an assumption, or may fail it."""
    if truth is Truth.FALSE:
        raise InvalidInstance(path, f"the explicit bound needs {text}")
    if truth is Truth.UNKNOWN:
        raise NotEnclosed(f"it is not certain at this precision that {text}")


class _Constants:
    """The constants of one instance, width and horizon; names as in the module's docstring."""

    def __init__(self, instance: Instance, width: int, time: Fraction) -> None:
        training = instance.training
        if training is None:
            raise ValueError(f"instance {instance.name} gives no training constants")
        law, chain = instance.law, instance.chain
        _require(_known(has_centred_c(law)), "law", "E[C | W] = 0")
        _require(_known(finite.is_ergodic(chain)), "chain", "a chain that forgets its start")
        self.instance, self.width = instance, width
        self.s0, self.s1, self.s2, _ = suprema(instance)
        self.cbar, self.bbar = ball(bound_c(law)), ball(bound_b(law))
        self.c2, self.c4 = (ball(moment_of_c(law, order)) for order in (2, 4))
        self.radius2 = ball(squared_input_bound(instance))
        self.kappa1 = square(self.s1) * self.radius2
        self.rest = 1 - self.s1 * self.bbar
        _require(less(ball(0), self.rest), "law", "qbar = s1 max|B| < 1")
        self.n, self.root_n = ball(width), ball(width).sqrt()
        self.h, self.tau = ball(training.alpha / width), ball(training.alpha * time)
        self.eps = width_power(width, training.beta - 1)
        self.initial_scale = width_power(width, Fraction(1, 2) - training.beta)
        clip = width_power(width, training.gamma)
        self.ybar = ball(max(abs(y) for y in chain.targets))
        self.e8 = 2 * clip + self.ybar
        self.shift = self.eps * self.s0 * self.tau * self.e8
        at = f"at width {width}"
        _require(less_equal(self.ybar, clip), "training", f"N^gamma >= ybar {at}")
        # Before the suprema, which take time.
        self.thetas = self.denominators()
        _require(
            less(ball(0), maximum(self.thetas)),
            "training",
            f"theta > 0: {at} the weights may move too far",
        )
        self.diagonal = largest_diagonal(instance)
        self.kbar = maximum(self.diagonal)
        own = self.h * self.kbar
        _require(less_equal(own, ball(1)), "training", f"alpha Kbar <= N {at}")
        learnt = self.ybar * (self.tau * self.kbar / (2 - own)).sqrt()
        _require(
            less_equal(learnt, clip),
            "training",
            f"N^gamma >= ybar (tau Kbar / (2 - h Kbar))^(1/2) {at}",
        )
        moved = self.eps * self.s0 * self.s1 * self.tau * self.e8 * (self.cbar + self.shift / 2)
        self.b = self.s0 * (self.bbar + moved)

    @cached_property
    def spread(self) -> Ball:
        """s_Phi."""
        return spread_of_units(self.instance).upper

    @property
    def shat(self) -> Ball:
        """``s_Phi / (1 - qbar)``."""
        return self.spread / self.rest

    @cached_property
    def contraction(self) -> Ball:
        """Delta."""
        return ball(summed_contraction(self.instance.chain))

    # Polynomials of |C|

    def energy_slope(self) -> list[Ball]:
        """Return c_e."""
        half, bent = self.shift / 2, self.kappa1 * self.s2 * self.radius2 / 2
        flat = self.kappa1 * self.s0
        return [flat * half, flat + bent * square(half), 2 * bent * half, bent]

    def memory_slope(self) -> list[Ball]:
        """Return c_v."""
        factor = self.s1 * (square(self.s0) + self.bbar * self.s1 * self.radius2) / self.rest
        return [factor * self.shift / 2, factor, ball(0), ball(0)]

    def kernel_change(self) -> list[Ball]:
        """Return l."""
        flat, bent = self.s0 * self.kappa1, 2 * self.kappa1 * self.s2 * self.radius2
        return [2 * flat * self.shift, 4 * flat, bent * self.shift / 2, bent]

    def largest(self, polynomial: list[Ball]) -> Ball:
        """Return ``a(cbar)``."""
        return total(a * power(self.cbar, order) for order, a in enumerate(polynomial))

    def mean(self, polynomial: list[Ball]) -> Ball:
        """Return ``E a``."""
        law = self.instance.law
        return total(a * ball(mean_absolute_c(law, order)) for order, a in enumerate(polynomial))

    def deviation(self, polynomial: list[Ball]) -> Ball:
        """Return ``dev(a) / N^(1/2)``."""
        mean = self.mean(polynomial)
        product = (self.largest(polynomial) - mean) * (mean - polynomial[0])
        return root(product) / self.root_n

    def weighted(self, polynomial: list[Ball], x: Ball) -> Ball:
        """Return ``J(a)``."""
        apart = self.deviation(polynomial) * self.tau.sqrt() * self.e8 * x
        mean = self.mean(polynomial) * square(x) + apart
        return (self.largest(polynomial) * square(x)).min(mean)

    # Initial output, errors

    def initial_output(self, reach: Ball) -> Ball:
        """Return g(Z)."""
        scale, slope = self.c2.sqrt(), self.s1 + self.b * self.s2
        spread = exact_ball(upper_double(largest_output_spread(self.instance).upper))
        m4 = _fourth_root(3 * square(self.c2) + self.c4 / self.n)
        z4 = 3 * power(self.spread, 4)
        z4 = z4 + 4 * square(self.s0 * self.bbar * self.spread) / self.n
        z4 = _fourth_root(z4) / (self.root_n * self.rest)
        moved = scale * self.eps * self.largest(self.memory_slope()) * reach + m4 * z4
        near = spread + slope * moved
        return self.initial_scale * (scale * (self.s0 + self.b * self.s1)).min(near)

    def targets(self) -> tuple[Ball, Ball]:
        """Return Y and ymu."""
        squares = [y * y for y in self.instance.chain.targets]
        mean = ball(stationary_mean(self.instance.chain, squares))
        moving = self.h * self.contraction * ball(max(squares) - min(squares))
        y2 = (self.tau * square(self.ybar)).min(self.tau * mean + moving)
        return root(y2), root(mean).min(self.ybar)

    def denominators(self) -> tuple[Ball, Ball]:
        """Return the denominators of x' and of x''; the second is the larger one."""
        own = self.h * (square(self.s0) + self.kappa1 * square(self.cbar + self.shift))
        slope = self.energy_slope()
        largest, mean = (self.weight * value for value in (self.largest(slope), self.mean(slope)))
        return 1 - own / 2 - largest, 1 - own / 2 - mean

    @property
    def weight(self) -> Ball:
        """W."""
        return self.eps * square(self.tau) * self.e8 / 3

    def error(self, y: Ball, initial: Ball) -> Ball:
        """Return x."""
        start = y + self.tau.sqrt() * initial
        sampled = self.weight * self.deviation(self.energy_slope()) * self.tau.sqrt() * self.e8
        found = [
            over / theta
            for over, theta in zip((start, start + sampled), self.thetas, strict=True)
            if less(ball(0), theta) is Truth.TRUE
        ]
        return min_of([*found, self.tau.sqrt() * self.e8])

    def fourth_norm_of_error(self) -> Ball | None:
        """Return a bound of ``(h sum e_j^2)^(1/2)`` in L4, if there is one."""
        theta = self.thetas[0]
        if less(ball(0), theta) is not Truth.TRUE:
            return None
        m4 = _fourth_root(3 * square(self.c2) + self.c4 / self.n)
        initial = self.initial_scale * m4 * (self.s0 + self.b * self.s1)
        return self.tau.sqrt() * (self.ybar + initial) / theta

    # Laziness

    def lazy(self, x: Ball) -> Laziness:
        """Return the smaller of both bounds."""
        first = self.first_order(x)
        second = self.second_order()
        return first if second is None else first.min(second)

    def first_order(self, x: Ball) -> Laziness:
        """Return what holds for every law."""
        slope = self.frozen_slope()
        through = self.memory_slope()
        change = [a + slope * v for a, v in zip(self.kernel_change(), through, strict=True)]
        kernel = self.eps * self.tau * self.weighted(change, x) / 2
        memory = self.eps * self.tau * self.weighted(through, x)
        return Laziness(kernel=kernel, memory=memory / ball(3).sqrt())

    def second_order(self) -> Laziness | None:
        """Return what holds where C has no odd moments given W and B."""
        energy = self.fourth_norm_of_error()
        if energy is None or not has_no_odd_moments_of_c(self.instance.law):
            return None
        found = second_order_terms(
            self.instance,
            Training(
                width=self.width,
                step=self.h,
                time=self.tau,
                laziness=self.eps,
                shift=self.shift,
                energy=energy,
                spread=self.spread,
            ),
        )
        return Laziness(kernel=found.kernel, memory=found.memory)

    def frozen_slope(self) -> Ball:
        """Return Lbar."""
        return self.s0 * self.s1 + square(self.cbar) * self.s1 * self.s2 * self.radius2

    # The two comparisons

    def bound(self, state: int, memory: Fraction) -> ExplicitBound:
        """Return the bound at a point."""
        instance = self.instance
        place = point(instance, state, memory)
        own = kernel(instance.activation, instance.law, place, place)
        initial = self.initial_output(self.tau * self.e8)
        y, y_mean = self.targets()
        x = self.error(y, initial)
        lazy = self.lazy(x)
        reach = max(end_points(ball(memory_bound(instance)))[1], abs(memory))
        deviation = kernel_deviation(instance, reach)
        start = self.initial_scale * root(mean_square_output(instance, state, ball(memory)))
        oscillation, drift, recursion = self.recursion(y_mean, own)
        return ExplicitBound(
            step=self.h,
            time=self.tau,
            laziness=self.eps,
            largest_error=self.e8,
            output_shift=self.shift,
            memory_reach=self.b,
            initial_output=initial,
            target=y,
            error=x,
            lazy=lazy,
            unit_spread=self.shat,
            kernel_spread=deviation,
            kernel=own,
            largest_kernel=self.kbar,
            oscillation=oscillation,
            drift=drift,
            initial_part=start,
            network_part=self.network(x, lazy, deviation, own),
            recursion_part=recursion,
            largest_movement=self.tau
            * self.e8
            * (square(self.s0) + self.kappa1 * self.cbar * (self.cbar + self.shift / 2)),
            largest_limit=(own * ball(_GROWTH) * self.tau).sqrt() * y_mean,
        )

    def network(self, x: Ball, lazy: Laziness, deviation: Ball, own: Ball) -> Ball:
        """Return B1 but for its first term."""
        chat = self.cbar + self.shift
        bent = square(chat) * self.kappa1 * self.s2 * self.radius2 / 2
        remainder = self.h * self.eps * chat * (self.s0 * self.kappa1 + bent) * square(x)
        through = self.cbar * (self.cbar + self.shift / 2) * self.s1 * self.s2 * self.radius2
        slope = self.s0 * self.s1 + through
        f, half = (own * self.tau).sqrt(), ball(2).sqrt()
        sampled = x * (self.tau / self.n).sqrt()
        noise = sampled * (self.frozen_slope() * self.shat + deviation)
        at_point = lazy.kernel + noise + remainder
        along = lazy.along + noise / half + remainder
        moved = slope * (lazy.memory + sampled * self.shat / half)
        return at_point + f * (self.initial_output(self.tau.sqrt() * x) + along + moved)

    def recursion(self, y_mean: Ball, own: Ball) -> tuple[Ball, Ball, Ball]:
        """Return O, O' and B2."""
        # numpy is loaded where a bound is wanted, not where claims are listed.
        from verification.recurrent.sensitivity import input_sensitivity  # noqa: PLC0415

        instance, kbar, tau, h = self.instance, self.kbar, self.tau, self.h
        high, gap = kbar.sqrt(), 1 - ball(contraction_factor(instance))
        sensitivity, vbar = input_sensitivity(instance).value.upper, ball(memory_bound(instance))
        steep = feature_slope_bound(instance)
        theta = (ball(_GROWTH) * tau).sqrt() * y_mean
        # At each state bounds of |g - y| and of |(g - y) phi|.
        residuals = [
            ball(abs(y)) + k.sqrt() * theta
            for y, k in zip(instance.chain.targets, self.diagonal, strict=True)
        ]
        heights = [k.sqrt() * r for k, r in zip(self.diagonal, residuals, strict=True)]
        slope = steep * (maximum(residuals) + high * theta)
        apart = largest_pair(heights) + slope * sensitivity / gap
        omega = apart * self.contraction
        oscillation = omega + 2 * vbar * slope / gap
        between = (2 * high + 2 * steep * sensitivity / gap) * self.contraction
        drift = h * y_mean * kbar * (between + 4 * vbar * steep / gap)
        chance = ball(max(1 - sum(p * p for _, p in row) for row in instance.chain.rows))
        boundary, noise = h * oscillation, (h * tau * chance).sqrt() * omega
        largest = boundary + tau * drift + ball(2).sqrt() * noise
        mean_square = boundary + tau * drift / ball(3).sqrt() + noise / 2
        steps = h * tau * kbar * high * y_mean / 2
        together = largest + (tau * kbar).sqrt() * mean_square + steps
        return oscillation, drift, own.sqrt() * together


def _known(holds: bool) -> Truth:
    return Truth.TRUE if holds else Truth.FALSE


def largest_pair(values: list[Ball]) -> Ball:
    """Bound the sum of two of the numbers, 0 where there is one only."""
    if len(values) == 1:
        return ball(0)
    upper = sorted((end_points(value)[1] for value in values), reverse=True)
    return ball(upper[0]) + ball(upper[1])


def min_of(values: list[Ball]) -> Ball:
    """Enclose the minimum of numbers, at least one."""
    result = values[0]
    for value in values[1:]:
        result = result.min(value)
    return result


def _fourth_root(x: Ball) -> Ball:
    return root(root(x))

r"""Linear networks: their kernels, their norms, and what outlasts their memory.

**Setting.**  A linear network of width m, ``h' = W h + U x``, ``y = c . h`` (W m x m with all
eigenvalues in the left half plane, U m x d, c in R^m), starts from zero at minus infinity and is
driven by a bounded measurable input ``x: R -> R^d``, ``|x|_inf = sup_{t, i} |x_i(t)|``.  A target
is ``H_t(x) = int_0^inf x(t - s) . rho(s) ds``, rho integrable, ``||rho|| = int sum_i |rho_i|``.

**Statements.**
C1.  ``y(t) = int_0^inf x(t - s) . rho_hat(s) ds`` with ``rho_hat(s) = U^T exp(W^T s) c``.
C1S.  ``sup_{|x|_inf <= 1} |y(t)| = ||rho_hat||``: the right side bounds every response, and the
input that follows the signs of rho_hat backwards in time attains it in the limit.
C6.  If ``|exp(W t)| <= K exp(-b t)``, then
``||rho - rho_hat|| >= int (|rho(t)| - |U| |c| K exp(-b t))_+ dt`` (Euclidean norms).

**Proof.**  C1: variation of constants, ``h(t) = int_0^inf exp(W s) U x(t - s) ds``, which converges
since ``|exp(W s)| <= K exp(-b s)``; transpose the number ``c . exp(W s) U x``.  C1S:
``|x_i| <= 1`` in C1; with ``x_i(t - s) = sign rho_hat_i(s)`` up to ``s = T`` and 0 before, the
response is ``int_0^T sum_i |rho_hat_i|``.  C6: ``|rho_hat(t)| <= |U| |exp(W t)| |c|``,
``sum_i |r_i| >= |r|``, and ``|rho - rho_hat| >= (|rho| - |rho_hat|)_+``.

K and b are those of a basis V: ``K = |V| |V^-1|``, and -b bounds the symmetric part of
``V^-1 W V``; for a basis of eigenvectors K is its condition number and b the distance of the
spectrum from the imaginary axis.  From the eigenvalues, |U| and |c| alone nothing follows:
``W = ((-1, 10), (0, -1.2))`` has a kernel that exceeds ``exp(-t)`` more than three times.

**How it is checked.**  The network is the one that the instance gives.  Responses are stepped
forward in time from knot to knot of an input that is linear between them (exponentials of the
augmented matrix).  The convolution is integrated by parts from the kernel, whose primitives are
``U^T exp(W^T s) W^-T c`` and so on.  Norms are enclosed by isolating changes of sign.  The left
side of C6 is ``sum (|int_I rho| - int_I |U| |c| K exp(-b t) dt)_+`` over intervals I, which is at
most the integral, by convexity.

**What the verdicts establish.**  C1: equality for the inputs drawn.  C1S: the bound for the inputs
tried, which come close to the supremum; that none exceeds it is the proof above.  C6: the barrier
for the network given.

Source: Li, Han, E and Li, *On the Curse of Memory in Recurrent Neural Networks*, arXiv 2009.07799,
section 3 (C1), theorem 11 of the longer version, JMLR 23(42) (C6, of which this is the quantitative
half); C1S is this project's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from verification.claim import AnyClaim, Assumption, Claim, Constant, Mutant, Vacuity
from verification.deadline import heed_deadline
from verification.enclosure.balls import (
    Ball,
    Between,
    ball,
    maximum_between,
    shown,
    total,
    total_between,
    working_precision,
)
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.linear_functional import SCHEMA, LinearFunctional, Network
from verification.linear_rnn.barrier import barrier_ends
from verification.linear_rnn.distance import difference, distance
from verification.linear_rnn.network import (
    Input,
    convolution,
    decay,
    is_silent,
    is_stable,
    kernel,
    norm,
    norm_upper,
    response,
    transposed,
)
from verification.linear_rnn.norm import integral, l1_norm
from verification.linear_rnn.pieces import of_parts
from verification.verdict import Relation, Truth

_INPUTS = 3
_KNOTS = 5
_GRID = 64
_HORIZONS = (1, 4, 12, 40)
_SAMPLES = 600
_POINT_GRID = 2**40


# Assumptions, vacuities


def names_a_network(instance: LinearFunctional) -> Truth:
    """Tell whether the instance gives a network."""
    return Truth.FALSE if instance.network is None else Truth.TRUE


def shown_absence(_instance: LinearFunctional) -> str:
    """Return what stands in the place of the network."""
    return "no network"


def has_stable_network(instance: LinearFunctional) -> Truth:
    """Decide whether all eigenvalues of W have negative real parts, exactly."""
    return Truth.TRUE if is_stable(network_of(instance)) else Truth.FALSE


def shown_abscissa(instance: LinearFunctional) -> str:
    """Return about the largest real part of an eigenvalue, for a sentence."""
    from verification.linear_rnn.estimates import (  # noqa: PLC0415 - loads scipy
        spectral_abscissa_estimate,
    )

    try:
        abscissa = spectral_abscissa_estimate(network_of(instance))
    except NotEnclosed:
        return "one with a real part that is not negative"
    return f"largest real part about {abscissa:.4g}"


def has_silent_network(instance: LinearFunctional) -> bool:
    """Tell whether the output is zero whatever the input, exactly."""
    return is_silent(network_of(instance))


def network_of(instance: LinearFunctional) -> Network:
    """Return the instance's network; the claims that ask for it assume that there is one."""
    if instance.network is None:
        raise ValueError(f"{instance.name} gives no network")
    return instance.network


# Cases


@dataclass(frozen=True, kw_only=True)
class Driven:
    """An input, and the output at its last knot."""

    signal: Input
    kind: str

    def __str__(self) -> str:
        span = shown(self.signal.knots[-1], 6)
        return f"{self.kind} on [0, {span}], {len(self.signal.starts)} intervals"


def drawn_inputs(instance: LinearFunctional, rng: random.Random) -> Sequence[Driven]:
    """Return inputs that jump, and are linear between the jumps, over some memory times."""
    unit = _time_unit(network_of(instance))

    def values() -> tuple[Fraction, ...]:
        return tuple(Fraction(rng.randint(-_GRID, _GRID), _GRID) for _ in range(instance.channels))

    cases = []
    for _ in range(_INPUTS):
        knots = [Fraction(0)]
        for _ in range(_KNOTS):
            knots.append(knots[-1] + unit * Fraction(1 + rng.randrange(_GRID), _GRID))
        cases.append(
            Driven(
                signal=Input(
                    knots=tuple(knots),
                    starts=tuple(values() for _ in range(_KNOTS)),
                    ends=tuple(values() for _ in range(_KNOTS)),
                ),
                kind="a drawn input",
            )
        )
    return cases


def following_inputs(instance: LinearFunctional, _rng: random.Random) -> Sequence[Driven]:
    """Return inputs of size 1 that follow the kernel's signs backwards, over longer pasts."""
    network = network_of(instance)
    unit = _time_unit(network)
    cases = []
    for horizon in _HORIZONS:
        end = unit * horizon
        points, signs = _signs_estimate(network, end)
        knots = tuple(end - point for point in reversed(points))
        values = tuple(reversed(signs))
        cases.append(
            Driven(
                signal=Input(knots=knots, starts=values, ends=values),
                kind="the kernel's signs backwards",
            )
        )
    return cases


def _time_unit(network: Network) -> Fraction:
    """Return a power of two near the time in which the network forgets."""
    from verification.linear_rnn.estimates import (  # noqa: PLC0415 - loads scipy
        spectral_abscissa_estimate,
    )

    abscissa = spectral_abscissa_estimate(network)
    rate = Fraction(max(-abscissa, 2.0**-40))
    exponent = rate.denominator.bit_length() - rate.numerator.bit_length()
    return Fraction(2) ** exponent


def _signs_estimate(
    network: Network, end: Fraction
) -> tuple[list[Fraction], list[tuple[Fraction, ...]]]:
    """Return points 0 = s_0 < .. < s_n = end and the kernel's signs between them, about."""
    from verification.linear_rnn.estimates import kernel_estimate  # noqa: PLC0415 - loads scipy

    step = float(end) / _SAMPLES
    times = [k * step for k in range(_SAMPLES + 1)]
    # Products of Python's floats overflow to infinity, with the right sign.
    heights = kernel_estimate(network, times).tolist()
    crossings = {0.0, float(end)}
    for channel in range(len(heights[0])):
        for k in range(_SAMPLES):
            below, above = times[k], times[k + 1]
            first, last = heights[k][channel], heights[k + 1][channel]
            if first * last >= 0:
                continue
            for _ in range(50):
                middle = (below + above) / 2
                at = float(kernel_estimate(network, [middle])[0, channel])
                below, above = (middle, above) if first * at > 0 else (below, middle)
            crossings.add(below)
    points = sorted({Fraction(round(x * _POINT_GRID), _POINT_GRID) for x in crossings} | {end})
    middles = [float(a + b) / 2 for a, b in pairwise(points)]
    signs = [
        tuple(Fraction(-1 if x < 0 else 1) for x in row)
        for row in kernel_estimate(network, middles)
    ]
    return points, signs


# Left sides


def driven_output(instance: LinearFunctional, case: Driven) -> Ball:
    """Enclose the output by stepping the hidden state."""
    return response(network_of(instance), case.signal)


def size_of_output(instance: LinearFunctional, case: Driven) -> Ball:
    """Enclose the absolute value of the output."""
    return abs(response(network_of(instance), case.signal))


# Right sides, and those of the mutants


def convolved_output(instance: LinearFunctional, case: Driven) -> Ball:
    """Enclose ``int x(t - s) . rho_hat(s) ds``."""
    return convolution(kernel(network_of(instance)), case.signal)


def convolved_with_wrong_kernel(instance: LinearFunctional, case: Driven) -> Ball:
    """Use ``U^T exp(W s) c``: W in place of its transpose."""
    return convolution(kernel(transposed(network_of(instance))), case.signal)


def kernel_norm(instance: LinearFunctional, _case: Driven) -> Between:
    """Enclose ``||rho_hat||``."""
    norms = _channel_norms(network_of(instance), working_precision())
    return total_between(norms)


@lru_cache(maxsize=64)
def _channel_norms(network: Network, _bits: int) -> tuple[Between, ...]:
    return tuple(l1_norm(function) for function in kernel(network))


def largest_channel_norm(instance: LinearFunctional, _case: Driven) -> Between:
    """Enclose ``max_i int |rho_hat_i|``: the largest channel in place of their sum."""
    return maximum_between(_channel_norms(network_of(instance), working_precision()))


def step_response(instance: LinearFunctional, _case: Driven) -> Ball:
    """Enclose ``sum_i |int rho_hat_i|``: the response to steps in place of the norm."""
    functions = kernel(network_of(instance))
    return total(abs(integral(function, Fraction(0), None)) for function in functions)


# The memory barrier


@dataclass(frozen=True, kw_only=True)
class Barrier:
    """The network that the instance gives."""

    def __str__(self) -> str:
        return "the network given"


def given_network(_instance: LinearFunctional, _rng: random.Random) -> Sequence[Barrier]:
    """Return the one case of C6."""
    return [Barrier()]


def has_exact_network(instance: LinearFunctional) -> bool:
    """Tell whether the kernel of the network given is the target, exactly."""
    return not any(difference(instance.target, network_of(instance)))


def forgetting(instance: LinearFunctional) -> Between:
    """Return the network's b."""
    rate = ball(decay(network_of(instance)).rate)
    return Between(rate, rate)


def amplification(instance: LinearFunctional) -> Ball:
    """Enclose ``|U| |c| K``."""
    return _weights(network_of(instance)) * ball(decay(network_of(instance)).conditioning)


def _weights(network: Network) -> Ball:
    """Bound ``|U| |c|`` from above."""
    return norm_upper(Matrix.exact(network.u)) * norm([ball(x) for x in network.c])


def barrier(instance: LinearFunctional, _case: Barrier) -> Ball:
    """Enclose the part of the target that outlasts the network's memory."""
    return _outlasting(instance, amplification(instance), norm)


def barrier_without_conditioning(instance: LinearFunctional, _case: Barrier) -> Ball:
    """Leave out K."""
    return _outlasting(instance, _weights(network_of(instance)), norm)


def barrier_of_sums(instance: LinearFunctional, _case: Barrier) -> Ball:
    """Use ``sum_i |rho_i|`` in place of the Euclidean norm."""
    return _outlasting(instance, amplification(instance), _sum_of_sizes)


def _sum_of_sizes(values: Sequence[Ball]) -> Ball:
    return total(abs(x) for x in values)


def _outlasting(
    instance: LinearFunctional, height: Ball, size: Callable[[Sequence[Ball]], Ball]
) -> Ball:
    """Enclose ``sum_I (size(int_I rho) - int_I height exp(-b t))_+``."""
    functions = [of_parts(parts) for parts in instance.target]
    rate = decay(network_of(instance)).rate
    ends = barrier_ends(functions, rate)
    result = ball(0)
    for a, b in pairwise([*ends, None]):
        heed_deadline()
        if a is not None:
            own = size([integral(function, a, b) for function in functions])
            most = (-ball(rate * a)).exp() - ((-ball(rate * b)).exp() if b is not None else 0)
            result = result + (own - height * most / ball(rate)).max(ball(0))
    return result


def given_error(instance: LinearFunctional, _case: Barrier) -> Between:
    """Enclose ``||rho - rho_hat||`` for the network given."""
    return distance(instance.target, network_of(instance), working_precision())


# The claims

GIVEN = Assumption(
    text="the instance gives a network",
    holds=names_a_network,
    offending=shown_absence,
)
STABLE = Assumption(
    text="every eigenvalue of W has a negative real part",
    holds=has_stable_network,
    offending=shown_abscissa,
)
SILENT = Vacuity(
    reason="c . W^k U = 0 for every k: the output is zero whatever the input",
    holds=has_silent_network,
)
SOURCE = "Li, Han, E and Li (arXiv 2009.07799), {}"

C1: Claim[LinearFunctional, Driven] = Claim(
    id="C1",
    theorem="linear_networks",
    title="A linear network is the convolution with its kernel",
    statement="y(t) = ∫₀^∞ x(t − s)·ρ̂(s) ds with ρ̂(s) = Uᵀ exp(Wᵀs) c.",
    formula=r"y(t) = \int_0^\infty x(t-s) \cdot U^\top e^{W^\top s} c \, ds",
    kind=SCHEMA,
    relation=Relation.EQUAL,
    assumptions=(GIVEN, STABLE),
    vacuities=(SILENT,),
    cases=drawn_inputs,
    left=driven_output,
    right=convolved_output,
    proof="Variation of constants; the number c·exp(Ws) U x is transposed.",
    establishes="CERTIFIED: equality for the inputs drawn, linear between their knots.",
    source=SOURCE.format("section 3"),
    sharp=("sharp-oscillating-network",),
    mutants=(
        Mutant(
            name="w-not-transposed",
            error="exp(Wᵀs) replaced by exp(Ws)",
            refuted_on=("sharp-oscillating-network",),
            right=convolved_with_wrong_kernel,
        ),
    ),
)

C1S: Claim[LinearFunctional, Driven] = Claim(
    id="C1S",
    theorem="linear_networks",
    title="The norm of a linear network is the integral of its kernel's size",
    statement="sup over |x|_∞ ≤ 1 of |y(t)| is ∥ρ̂∥ = ∫ Σᵢ |ρ̂ᵢ|.",
    formula=r"\sup_{|x|_\infty \le 1} |y(t)| \le \int_0^\infty \sum_i |\hat\rho_i(s)| \, ds",
    kind=SCHEMA,
    assumptions=(GIVEN, STABLE),
    vacuities=(SILENT,),
    cases=following_inputs,
    left=size_of_output,
    right=kernel_norm,
    proof="|xᵢ| ≤ 1 in C1; the input that follows the signs of ρ̂ backwards attains it.",
    establishes=(
        "CERTIFIED: the bound for inputs that come close to the supremum. That no input exceeds it "
        "is proved, not computed."
    ),
    source="this project",
    uses=("C1",),
    sharp=("sharp-oscillating-network", "sharp-two-channels"),
    mutants=(
        Mutant(
            name="step-response",
            error="∫ |ρ̂ᵢ| replaced by |∫ ρ̂ᵢ|",
            refuted_on=("sharp-oscillating-network",),
            right=step_response,
        ),
        Mutant(
            name="largest-channel",
            error="the sum over channels replaced by the largest",
            refuted_on=("sharp-two-channels",),
            right=largest_channel_norm,
        ),
    ),
)

C6: Claim[LinearFunctional, Barrier] = Claim(
    id="C6",
    theorem="linear_networks",
    title="A network does not remember longer than its slowest mode",
    statement="If |exp(Wt)| ≤ K e^{−bt}, then ∥ρ − ρ̂∥ ≥ ∫ (|ρ(t)| − |U| |c| K e^{−bt})₊ dt.",
    formula=(
        r"\int_0^\infty \left(|\rho(t)| - |U| |c| K e^{-bt}\right)_+ dt \le "
        r"\|\rho - \hat\rho\|_{L^1}"
    ),
    kind=SCHEMA,
    assumptions=(GIVEN, STABLE),
    constants=(
        Constant(
            symbol="b",
            meaning="rate at which the network forgets",
            formula=r"b \le -\lambda_{\max}\left(\tfrac12 (D + D^\top)\right),\ D = V^{-1} W V",
            value=forgetting,
        ),
        Constant(
            symbol="|U||c|K",
            meaning="largest size of the kernel that the norms allow",
            formula=r"|U| |c| K,\ K = |V| |V^{-1}|",
            value=amplification,
        ),
    ),
    vacuities=(
        SILENT,
        Vacuity(
            reason="the kernel of the network is the target: there is no error",
            holds=has_exact_network,
        ),
    ),
    cases=given_network,
    left=barrier,
    right=given_error,
    proof="|ρ̂(t)| ≤ |U| |exp(Wt)| |c|, and Σᵢ |ρᵢ − ρ̂ᵢ| ≥ |ρ − ρ̂| ≥ (|ρ| − |ρ̂|)₊.",
    establishes=(
        "CERTIFIED: the barrier for the network given, with the integral replaced by a sum over "
        "intervals that is no larger."
    ),
    source=SOURCE.format("theorem 11 of the longer version, JMLR 23(42), made quantitative"),
    sharp=("sharp-barrier",),
    mutants=(
        Mutant(
            name="without-conditioning",
            error="K dropped: only the eigenvalues, |U| and |c| are used",
            refuted_on=("mutant-shear",),
            left=barrier_without_conditioning,
        ),
        Mutant(
            name="sum-of-channels",
            error="the Euclidean norm of ρ replaced by the sum over channels",
            refuted_on=("mutant-four-channels",),
            left=barrier_of_sums,
        ),
    ),
)

CLAIMS: tuple[AnyClaim, ...] = (C1, C1S, C6)

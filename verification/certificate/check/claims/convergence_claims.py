r"""T5: the explicit bound of a network's distance from the limit equation decays with its width.

``B(N) = B1 + B2`` of `recurrent.explicit_bound`, at the initial state's input and memory 0, bounds
``E max_k |G_k - g_{k/N}|`` (T6).  It is a function of the width and of numbers that bound suprema
over all memories: of K(zeta, zeta) in each state, of the mean square of an output, of the deviation
of what a unit adds to the memory and to the kernel, of the memory's sensitivity to its input.  Any
numbers do that bound them, the larger the worse, as long as they are the same at both widths.  So a
certificate brings them; that each bounds what it should is shown, not that it is the least that
does.  Both sides are then numbers, computed from the same ones: no direction of rounding matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from verification.certificate.check.claims.network_claims import training_of
from verification.certificate.check.instances import Instance, Training, first_states
from verification.certificate.check.markov.chains import Chain
from verification.certificate.check.numbers.balls import (
    Ball,
    at_precision,
    ball,
    lower,
    precision,
    upper,
    working_precision,
)
from verification.certificate.check.numbers.bounds import Bounds, Shown
from verification.certificate.check.outcome import Budget, Invalid, require
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.bound_sizes import Sizes, sizes
from verification.certificate.check.recurrent.explicit_bound import ExplicitBound
from verification.certificate.check.recurrent.limit_equation import Spot, Subject
from verification.certificate.check.recurrent.memory import Memory
from verification.certificate.check.recurrent.training import Rates
from verification.certificate.check.recurrent.unit_means import UnitMeans
from verification.certificate.check.recurrent.unit_suprema import Suprema, require_suprema
from verification.certificate.check.recurrent.units import (
    has_centred_output,
    require_unit_contraction,
)

MAX_WIDTH = 10**15
_BITS, _SPARE_BITS = 128, 160
_PER_BOUND, _PER_STATE = 1_000, 10


@dataclass(frozen=True)
class Converging:
    """An instance, its chain and memory map, and numbers that bound the suprema."""

    chain: Chain
    memory: Memory
    subject: Subject
    training: Training
    suprema: Suprema
    found: dict[int, Sizes] = field(default_factory=dict)

    def bound(self, width: int) -> ExplicitBound:
        """Return ``B(N)``, at the working precision."""
        bits = working_precision()
        self.chain.budget.spend(_PER_BOUND + _PER_STATE * self.chain.size, bits)
        if bits not in self.found:
            instance, zero = self.chain.instance, Fraction(0)
            spot = Spot(instance.inputs[instance.initial], zero)
            self.found[bits] = sizes(
                self.chain,
                self.suprema,
                own=self.subject.kernel(spot, spot),
                start=UnitMeans(self.memory, instance.initial).output(ball(zero)),
            )
        return ExplicitBound(self.found[bits], self.training, width)


def read_converging(instance: Instance, witness: Node, budget: Budget) -> Converging:
    """Verify the stationary law, the numbers that bound the suprema, and what is assumed."""
    training = training_of(instance)
    if not has_centred_output(instance.law):
        raise Invalid("assumption: E[C | W] = 0")
    members = witness.fields(("stationary_law", "bounds"))
    chain = Chain(instance, members["stationary_law"].vector(instance.size), budget)
    chain.coupling_steps()
    with precision(_BITS):
        require_unit_contraction(instance)
        memory = Memory(instance, budget)
    suprema = _read_suprema(members["bounds"], instance.size)
    require_suprema(memory, suprema)
    _require_kernel(memory)
    return Converging(chain, memory, Subject(instance, memory, budget), training, suprema)


def _require_kernel(memory: Memory) -> None:
    """Show that K is not 0: else the network and the limit are, and no bound says anything."""
    with precision(_BITS):
        reach = upper(memory.bound())
        for state in first_states(memory.instance):
            kernel = UnitMeans(memory, state).kernel
            if any(lower(kernel(ball(v))) > 0 for v in (Fraction(0), reach, -reach / 2)):
                return
    require(False, "K > 0 somewhere")


def _read_suprema(node: Node, size: int) -> Suprema:
    others = ("output", "spread", "sensitivity", "deviation")
    members = node.fields(("kernel", *others))
    numbers = {key: members[key].vector(1)[0] for key in others}
    for key, number in numbers.items():
        if number < 0:
            members[key].refuse("a number >= 0")
    return Suprema(kernels=members["kernel"].vector(size), **numbers)


def decaying_bound(known: Converging, case: Node, _claimed: Bounds) -> Shown:
    """``B(N') <= B(N) (N'/N)^-r``, ``r = min(beta - 1/2, 1 - beta)``, N' a multiple of N.

    At N the energy must give a smaller bound of the errors than their range does.
    """
    members = case.fields(("width", "times"))
    width = members["width"].integer(1, MAX_WIDTH)
    times = members["times"].integer(2, MAX_WIDTH)
    training = known.training
    rate = min(training.beta - Fraction(1, 2), 1 - training.beta)
    with precision(_BITS + _SPARE_BITS):
        first = known.bound(width)
        by_range = first.root_tau * first.most
        require(upper(first.by_energy) < lower(by_range), f"x < tau^(1/2) E at N = {width}")

    def right() -> Ball:
        return known.bound(width).total() * Rates(training, times).power(-rate)

    return Shown(
        f"from N = {width} to {width * times}",
        at_precision(lambda: known.bound(width * times).total(), _SPARE_BITS),
        at_precision(right, _SPARE_BITS),
    )

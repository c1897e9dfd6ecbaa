"""The constants of the activation: suprema on the real line, and on strips of the complex plane."""

from __future__ import annotations

from dataclasses import dataclass, field

from verification.certificate.check.instances import Instance
from verification.certificate.check.numbers.balls import at_precision
from verification.certificate.check.numbers.bounds import Bounds, Shown, Side, brief
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.recurrent.activations import constant, strip_constant
from verification.certificate.check.recurrent.suprema import largest_derivative, largest_on_strip


@dataclass(frozen=True)
class Activation:
    """The activation of an instance, the work that is left, and the suprema found."""

    instance: Instance
    budget: Budget
    suprema: dict[int, Bounds] = field(default_factory=dict)


def read_activation(instance: Instance, witness: Node, budget: Budget) -> Activation:
    """Return the activation; there is nothing that all cases share."""
    witness.fields(())
    return Activation(instance, budget)


def supremum_of_derivative(activation: Activation, case: Node, _claimed: Bounds) -> Shown:
    """``sup |sigma^(k)| <= s_k``, or that s_k is no larger than the supremum."""
    members = case.fields(("of", "order"))
    order = members["order"].integer(0, 3)
    terms = activation.instance.activation
    attained = members["of"].choice("bound", "attained") == "attained"
    if order not in activation.suprema:
        activation.suprema[order] = largest_derivative(terms, order, activation.budget)
    supremum = activation.suprema[order]
    named = at_precision(lambda: constant(terms, order))
    symbol = f"sup |sigma{chr(39) * order}|"
    sides: tuple[Side, Side] = (named, supremum) if attained else (supremum, named)
    what = f"s{order} <= {symbol}" if attained else f"{symbol} <= s{order}"
    return Shown(what, *sides)


def supremum_on_strip(activation: Activation, case: Node, _claimed: Bounds) -> Shown:
    """``|sigma| <= m(a)`` or ``|sigma'| <= m1(a)`` on ``|Im z| <= a``."""
    members = case.fields(("order", "width"))
    order, width = members["order"].integer(0, 1), members["width"].number()
    terms = activation.instance.activation
    named = at_precision(lambda: strip_constant(terms, order, width))
    supremum = largest_on_strip(terms, order, width, activation.budget)
    return Shown(f"|sigma{chr(39) * order}| on |Im z| <= {brief(width)}", supremum, named)

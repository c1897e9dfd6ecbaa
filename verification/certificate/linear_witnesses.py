"""What a certificate brings for claims of the second family: linear networks and targets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, log10
from typing import Any

from verification.certificate.check import kernels, networks, targets
from verification.certificate.check.norms import DISTANCE_BITS, NORM_BITS
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.sign_changes import sign_changes
from verification.enclosure.balls import Between, end_points, precision
from verification.errors import NotEnclosed
from verification.instance import Json
from verification.linear_functional import LinearFunctional, Network
from verification.linear_rnn.network import Input
from verification.linear_rnn.pieces import Function, of_parts
from verification.strict_json import format_number

_BITS = 192
_SPARE_DIGITS = 2


def _texts(values: Sequence[Fraction]) -> list[Json]:
    return [format_number(value) for value in values]


def _target(instance: LinearFunctional) -> targets.Target:
    """Return the instance as the checker reads it."""
    return targets.read_target(Node(instance.to_json(), "instance"), Budget())


# Claims on the network that the instance gives


def forgetting(instance: LinearFunctional) -> dict[str, Json]:
    """Bring a basis in which the network is seen to forget."""
    if instance.network is None:
        raise NotEnclosed("the instance gives no network")
    return {"basis": [_texts(row) for row in _basis(instance.network)]}


def forgetting_and_changes(instance: LinearFunctional) -> dict[str, Json]:
    """Bring also where the kernel changes its sign."""
    target = _target(instance)
    if target.network is None or instance.network is None:
        raise NotEnclosed("the instance gives no network")
    basis = tuple(tuple(row) for row in _basis(instance.network))
    kernel = networks.StableNetwork(target.network, basis, Budget()).kernel()
    changes: list[Json] = [sign_changes(function, NORM_BITS) for function in kernel]
    return {**forgetting(instance), "changes": changes}


def _basis(network: Network) -> list[list[Fraction]]:
    size = network.width
    if not any(x for i, row in enumerate(network.w) for j, x in enumerate(row) if i != j):
        return [[Fraction(i == j) for j in range(size)] for i in range(size)]
    from verification.linear_rnn.estimates import forgetting_basis  # noqa: PLC0415 - loads scipy

    return forgetting_basis(network.w)


def input_case(_instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write an input."""
    signal: Input = case.signal
    return {
        "input": {
            "knots": _texts(signal.knots),
            "starts": [_texts(values) for values in signal.starts],
            "ends": [_texts(values) for values in signal.ends],
        }
    }


# Claims on all networks of a width


def nothing(_instance: LinearFunctional) -> dict[str, Json]:
    """Bring nothing that all cases share."""
    return {}


def _approximation(instance: LinearFunctional, width: int) -> dict[str, Json]:
    """Write a near-best network and where its error changes its sign."""
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415 - loads scipy

    functions = tuple(of_parts(parts) for parts in instance.target)
    network = near_best_network(functions, width)
    modes = [] if network is None else _modes(network)
    target = _target(instance)
    waves = networks.read_modes(Node(modes, "network"), len(functions), width)
    rests = [
        (*kernels.function_of(parts), *minus)
        for parts, minus in zip(target.channels, waves, strict=True)
    ]
    return {
        "width": width,
        "network": modes,
        "changes": [sign_changes(rest, DISTANCE_BITS) for rest in rests],
    }


def _modes(network: Network) -> list[Json]:
    """Write the kernel of a network in blocks (-a) and ((-a, w), (-w, -a)), c = 1 or (1, 0)."""
    found: list[Json] = []
    k = 0
    while k < network.width:
        turning = k + 1 < network.width and network.w[k][k + 1] != 0
        mode: dict[str, Json] = {
            "rate": _rounded(-network.w[k][k]),
            "cosine": [_rounded(x) for x in network.u[k]],
        }
        if turning:
            mode["frequency"] = _rounded(network.w[k][k + 1])
            mode["sine"] = [_rounded(x) for x in network.u[k + 1]]
        found.append(mode)
        k += 2 if turning else 1
    return found


def _rounded(value: Fraction) -> str:
    """Write a number to 17 digits: what is shown is shown of this one."""
    return format_number(Fraction(f"{float(value):.16e}"))


def _bracket(value: Between) -> Json:
    """Write bounds of a number >= 0 in decimals, rounded outward by a little."""
    low, high = end_points(value.lower)[0], end_points(value.upper)[1]
    if high <= 0:
        raise NotEnclosed("a singular value that is zero")
    unit = (high - low) / 2 if high > low else high / 10**20
    places = _SPARE_DIGITS + ceil(-log10(unit))
    scale = Fraction(10) ** places
    return {
        "lower": format_number(Fraction(floor(max(low, Fraction(0)) * scale)) / scale),
        "upper": format_number(Fraction(ceil(high * scale)) / scale),
    }


def _places(
    instance: LinearFunctional,
    place: Any,  # noqa: ANN401
) -> list[Json]:
    found: list[Json] = []
    for parts in instance.target:
        function = of_parts(parts)
        written = place(function) if function else None
        found.append("none" if written is None else written)
    return found


def singular_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write at which functions the singular value of C4 is taken, and bounds of it."""
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy
    from verification.linear_rnn.lower_bounds import (  # noqa: PLC0415
        LaguerrePlace,
        compression,
    )

    def place(function: Function) -> Json:
        found = search.hankel_place(function, case.width)
        with precision(_BITS):
            values: Json = [_bracket(singular_values(compression(function, found))[case.width])]
        if isinstance(found, LaguerrePlace):
            return {"scale": format_number(found.scale), "size": found.size, "values": values}
        return {"ends": _texts(found.ends), "values": values}

    return {**_approximation(instance, case.width), "places": _places(instance, place)}


def switched_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write intervals and points of C4B."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy

    def place(function: Function) -> Json:
        found = search.bang_bang_place(function, case.width)
        if found is None:
            return None
        return {"ends": _texts(found.ends), "points": _texts(found.points)}

    return {**_approximation(instance, case.width), "places": _places(instance, place)}

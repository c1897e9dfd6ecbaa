"""What a certificate brings for claims of the second family: linear networks and targets."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, log10
from typing import Any

from verification.certificate.check import targets
from verification.certificate.check.linear import kernels, networks
from verification.certificate.check.linear.norms import DISTANCE_BITS, NORM_BITS
from verification.certificate.check.outcome import Budget
from verification.certificate.check.reading import Node
from verification.certificate.check.targets import MAX_WIDTH
from verification.certificate.decimals import texts
from verification.certificate.sign_changes import sign_changes
from verification.enclosure.balls import Between, ball, end_points, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Json
from verification.linear_functional import LinearFunctional, Network
from verification.linear_rnn.barrier import barrier_ends
from verification.linear_rnn.network import Input, decay, norm, norm_upper
from verification.linear_rnn.pieces import Function, of_parts
from verification.strict_json import format_number

BITS = 192
_SPARE_DIGITS = 2
_HEIGHT_DECIMALS = 40
ROUGHLY = 2.0**-45
"""More than the roundings of a singular value of a small matrix, relative to the largest one."""


def target_of(instance: LinearFunctional) -> targets.Target:
    """Return the instance as the checker reads it."""
    return targets.read_target(Node(instance.to_json(), "instance"), Budget())


# Claims on the network that the instance gives


def forgetting(instance: LinearFunctional) -> dict[str, Json]:
    """Bring a basis in which the network is seen to forget."""
    if instance.network is None:
        raise NotEnclosed("the instance gives no network")
    return {"basis": [texts(row) for row in _basis(instance.network)]}


def forgetting_and_changes(instance: LinearFunctional) -> dict[str, Json]:
    """Bring also where the kernel changes its sign."""
    kernel = _stable(instance).kernel()
    changes: list[Json] = [sign_changes(function, NORM_BITS) for function in kernel]
    return {**forgetting(instance), "changes": changes}


def _stable(instance: LinearFunctional) -> networks.StableNetwork:
    """Return the network as the checker sees it."""
    target = target_of(instance)
    if target.network is None or instance.network is None:
        raise NotEnclosed("the instance gives no network")
    basis = tuple(tuple(row) for row in _basis(instance.network))
    return networks.StableNetwork(target.network, basis, Budget())


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
            "knots": texts(signal.knots),
            "starts": [texts(values) for values in signal.starts],
            "ends": [texts(values) for values in signal.ends],
        }
    }


def barrier_case(instance: LinearFunctional, _case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write how the network forgets, where C6 integrates, and where its error changes its sign."""
    target, stable = target_of(instance), _stable(instance)
    if instance.network is None:
        raise NotEnclosed("the instance gives no network")
    with precision(BITS):
        known = decay(instance.network)
        reads = norm([ball(x) for x in instance.network.c])
        height = norm_upper(Matrix.exact(instance.network.u)) * reads * ball(known.conditioning)
        most = end_points(height)[1]
    rests = [
        (*kernels.function_of(parts), *rest)
        for parts, rest in zip(target.channels, stable.kernel(sign=-1), strict=True)
    ]
    functions = [of_parts(parts) for parts in instance.target]
    scale = Fraction(10) ** _HEIGHT_DECIMALS
    return {
        # The checker's balls show a little less than an exact rate.
        "rate": format_number(Fraction(floor(min(known.rate, stable.rate) * scale)) / scale),
        "height": format_number(Fraction(ceil(most * scale)) / scale),
        "ends": texts(barrier_ends(functions, known.rate)),
        "changes": [sign_changes(rest, DISTANCE_BITS) for rest in rests],
    }


# Claims on all networks of a width


def approximation(instance: LinearFunctional, width: int) -> dict[str, Json]:
    """Write a near-best network and where its error changes its sign."""
    from verification.linear_rnn.near_best import near_best_network  # noqa: PLC0415 - loads scipy

    functions = tuple(of_parts(parts) for parts in instance.target)
    network = near_best_network(functions, width)
    return {"width": width, **written_network(instance, network, DISTANCE_BITS)}


def written_network(
    instance: LinearFunctional, network: Network | None, bits: int
) -> dict[str, Json]:
    """Write a network, and where its error changes its sign."""
    modes = [] if network is None else _modes(network)
    target = target_of(instance)
    waves = networks.read_modes(Node(modes, "network"), len(target.channels), MAX_WIDTH)
    rests = [
        (*kernels.function_of(parts), *minus)
        for parts, minus in zip(target.channels, waves, strict=True)
    ]
    return {"network": modes, "changes": [sign_changes(rest, bits) for rest in rests]}


def _modes(network: Network) -> list[Json]:
    """Write the kernel of a network in blocks (-a) and ((-a, w), (-w, -a)), c = 1 or (1, 0)."""
    found: list[Json] = []
    k = 0
    while k < network.width:
        turning = k + 1 < network.width and network.w[k][k + 1] != 0
        mode: dict[str, Json] = {
            "rate": rounded_text(-network.w[k][k]),
            "cosine": [rounded_text(x) for x in network.u[k]],
        }
        if turning:
            mode["frequency"] = rounded_text(network.w[k][k + 1])
            mode["sine"] = [rounded_text(x) for x in network.u[k + 1]]
        found.append(mode)
        k += 2 if turning else 1
    return found


def rounded_text(value: Fraction) -> str:
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
    return {**approximation(instance, case.width), "places": hankel_places(instance, case.width)}


def hankel_places(instance: LinearFunctional, width: int) -> list[Json]:
    """Write at which functions the next singular value is taken, and bounds of it."""
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy
    from verification.linear_rnn.lower_bounds import (  # noqa: PLC0415
        LaguerrePlace,
        compression,
    )

    def place(function: Function) -> Json:
        found = search.hankel_place(function, width)
        with precision(BITS):
            values: Json = [_bracket(singular_values(compression(function, found))[width])]
        if isinstance(found, LaguerrePlace):
            return {"scale": format_number(found.scale), "size": found.size, "values": values}
        return {"ends": texts(found.ends), "values": values}

    return _places(instance, place)


def switched_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write intervals and points of C4B."""
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy

    def place(function: Function) -> Json:
        found = search.bang_bang_place(function, case.width)
        if found is None:
            return None
        return {"ends": texts(found.ends), "points": texts(found.points)}

    return {**approximation(instance, case.width), "places": _places(instance, place)}


def ky_fan_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write intervals of C4K, and bounds of singular values."""
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy
    from verification.linear_rnn import search  # noqa: PLC0415 - loads scipy
    from verification.linear_rnn.lower_bounds import indicator_matrix  # noqa: PLC0415

    def place(function: Function) -> Json:
        found = search.ky_fan_place(function, case.width)
        with precision(BITS):
            values = singular_values(indicator_matrix(function, found.ends))
        chosen = values[case.width : case.width + found.count]
        return {
            "ends": texts(found.ends),
            "values": [_bracket(value) for value in chosen],
            "largest": _largest_knots(found.ends, found.count),
        }

    return {**approximation(instance, case.width), "places": _places(instance, place)}


def _largest_knots(ends: tuple[Fraction, ...], count: int) -> list[Json]:
    """Write singular values of ``M(t)`` where their sum may be the largest, found in doubles."""
    import numpy as np  # noqa: PLC0415 - slow to load

    points = np.array([float(x) for x in ends])
    lengths = np.diff(points)
    knots = sorted({a + b for a in ends for b in ends})
    found = []
    for t in knots:
        common = np.minimum(points[1:, None], float(t) - points[:-1])
        common = common - np.maximum(points[:-1, None], float(t) - points[1:])
        scaled = np.maximum(common, 0) / np.sqrt(np.multiply.outer(lengths, lengths))
        values = np.linalg.svd(scaled, compute_uv=False)[:count]
        found.append((t, values, float(np.sqrt(count * (scaled**2).sum()))))
    largest = max(float(values.sum()) for _, values, _ in found) * (1 - ROUGHLY)
    return [
        {"at": format_number(t), "values": [_around(float(x), float(values[0])) for x in values]}
        for t, values, most in found
        if most >= largest
    ]


def _around(value: float, scale: float) -> Json:
    """Write bounds of a number that doubles know up to a few roundings of another."""
    unit = Fraction(scale * ROUGHLY)
    middle = Fraction(value)
    return _bracket(Between(ball(max(middle - unit, Fraction(0))), ball(middle + unit)))


def trace_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write intervals and weights of C4T, and bounds of singular values."""
    from verification.enclosure.singular import singular_values  # noqa: PLC0415 - loads numpy
    from verification.linear_rnn.trace_bound import weighted_matrix  # noqa: PLC0415
    from verification.linear_rnn.trace_search import (  # noqa: PLC0415 - loads scipy
        trace_place_of_width,
    )

    def place(function: Function) -> Json:
        found = trace_place_of_width(function, case.width)
        with precision(BITS):
            values = singular_values(weighted_matrix(function, found))
        return {
            "ends": texts(found.ends),
            "weights": texts(found.weights),
            "values": [_bracket(value) for value in values[case.width :]],
        }

    return {**approximation(instance, case.width), "places": _places(instance, place)}


def quadratic_case(instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write the functions and measures of C4Q, and bounds of an eigenvalue and of a norm."""
    import numpy as np  # noqa: PLC0415 - slow to load

    from verification.linear_rnn import quadratic_forms, quadratic_search  # noqa: PLC0415

    functions = tuple(of_parts(parts) for parts in instance.target)
    found = quadratic_search.quadratic_place(functions, case.width)
    document: dict[str, Json] = approximation(instance, case.width)
    if found is None:
        return {**document, "form": "none"}
    masses = np.array(found.masses)
    where = quadratic_forms.cells(found.knots, found.shifts)
    largest = 0.0
    for heights in found.heights:
        padded = np.concatenate([np.array(heights), np.zeros((len(heights), 1))], axis=1)
        products = padded[:, where].transpose(1, 0, 2) @ masses
        norms = np.linalg.norm(products + products.transpose(0, 2, 1), 2, axis=(1, 2)) / 2
        largest = max(largest, float(norms.max()))
    with precision(BITS):
        rows = quadratic_forms.form(functions, found).entries()
        values = np.array([[float(sum(end_points(ball(x))) / 2) for x in row] for row in rows])
    return {
        **document,
        "form": {
            "shifts": texts(found.shifts),
            "masses": [[rounded_text(Fraction(x)) for x in row] for row in found.masses],
            "knots": texts(found.knots),
            "heights": [
                [[rounded_text(Fraction(x)) for x in row] for row in channel]
                for channel in found.heights
            ],
            "least": [_around(float(np.linalg.eigvalsh(values)[0]), 1.0)],
            "largest": [_around(largest, largest)],
        },
    }


def point_case(_instance: LinearFunctional, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a delay and a point of the ball."""
    return {"delay": format_number(case.delay), "offset": texts(case.offset)}

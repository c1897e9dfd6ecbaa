"""What a certificate brings for each claim: its cases, and the witnesses that make checking easy.

One entry a claim; a claim that has none cannot be certified yet.  The keys are the same as those
of `verification.certificate.check.formulas.FORMULAS`; a test holds that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from verification.certificate import (
    approximation_witnesses,
    convergence_witnesses,
    kernel_witnesses,
    law_witnesses,
    limit_witnesses,
    linear_witnesses,
    plateau_witnesses,
    training_witnesses,
)
from verification.certificate.check.reading import LEAST_DECIMALS, MOST_DECIMALS
from verification.certificate.check.recurrent.rules import MOST_DIRECTIONS
from verification.certificate.decimals import few_digits, texts, vector
from verification.enclosure.balls import Ball, ball, end_points, precision
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Chain, Instance, Json, ProductLaw, Uniform
from verification.markov import finite
from verification.markov.columns import is_exact
from verification.recurrent.memory import fixed_point, iterate
from verification.strict_json import format_number

_FIXED_POINT_BITS = (128, 256, 512)
_MOST_BITS = 1024
_FEW_DIGITS = 4


@dataclass(frozen=True)
class Witnesses:
    """How the certificates of one claim are made.

    Parameters
    ----------
    shared : callable
        ``instance -> document`` of what all cases share; the instance is of the claim's kind.
    case : callable
        ``(instance, case) -> document`` of one case, its own witnesses included.
    rounded : callable, optional
        ``(instance, case) -> case`` of few digits, which is certified in its place: a certificate
        says nothing that both sides do not depend on.
    together : callable, optional
        ``(instance, cases, finer) -> document`` of what all cases share and that depends on them;
        what is too coarse to show a claim may be made so many times finer.
    share_of_right : callable, optional
        ``(instance, case) -> ball``: where the right side is computed from the upper bound of a
        supremum, of what it may be that part.
    """

    shared: Callable[[Any], dict[str, Json]]
    case: Callable[[Any, Any], dict[str, Json]]
    rounded: Callable[[Any, Any], Any] = lambda _instance, case: case
    together: Callable[[Any, Sequence[Any], int], dict[str, Json]] = (
        lambda _instance, _cases, _finer: {}
    )
    share_of_right: Callable[[Any, Any], Ball] | None = None


def _stationary_law(instance: Instance) -> dict[str, Json]:
    if not is_exact(instance.chain):
        raise NotEnclosed(
            "the chain is not solved in rationals: such certificates are not made yet"
        )
    return {"stationary_law": vector(finite.stationary_law(instance.chain))}


def _equation(chain: Chain, observable: Sequence[Fraction]) -> dict[str, Json]:
    return {
        "observable": texts(observable),
        "solution": vector(finite.poisson_solution(chain, observable)),
    }


def _poisson_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    is_equation = hasattr(case, "observable")
    observable = case.observable.values if is_equation else case.values
    return {
        "of": "equation" if is_equation else "oscillation",
        **_equation(instance.chain, observable),
    }


def _sum_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {**_equation(instance.chain, case.observable.values), "steps": case.steps}


def _variance_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    chain, observable = instance.chain, case.observable.values
    document = _equation(chain, observable)
    if hasattr(case, "steps"):
        solution = Matrix.column(finite.poisson_solution(chain, observable))
        following = finite.transition_matrix(chain) @ solution
        potential = finite.fundamental_matrix(chain) @ following
        document |= {"steps": case.steps, "potential": vector(potential.numbers())}
    return document


def _tail_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    values = case.observable.values
    document: dict[str, Json] = {
        "about": "the mean" if case.about_mean else "0",
        "observable": texts(values),
        "start": case.start,
        "steps": case.steps,
        "distance": format_number(case.distance),
    }
    if not case.about_mean:
        document["solution"] = vector(finite.poisson_solution(instance.chain, values))
    return document


def _moving_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    if hasattr(case, "moving"):
        kind: dict[str, Json] = {"of": "drift", "moving": texts(case.moving)}
        solution = finite.poisson_solution(instance.chain, case.moving)
        kind["moving_solution"] = vector(solution)
    else:
        kind = {"of": "visit", "state": case.state} if hasattr(case, "state") else {"of": "sign"}
    observable = case.fixed if hasattr(case, "fixed") else case.values
    return {**kind, **_equation(instance.chain, observable), "steps": case.steps}


def _maximum_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    equation = _equation(instance.chain, case.observable.values)
    return {**equation, "start": case.start, "steps": case.steps}


def _moving_maximum_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    if hasattr(case, "moving"):
        is_jump = set(case.times) == {0, 1}
        return {
            "of": "path",
            **_equation(instance.chain, case.fixed),
            "moving": texts(case.moving),
            "moving_solution": vector(finite.poisson_solution(instance.chain, case.moving)),
            "times": case.times.index(1) if is_jump else "even",
            "start": case.start,
            "steps": case.steps,
        }
    kind: dict[str, Json] = {"of": "return"}
    if hasattr(case, "state"):
        kind = {"of": "visit", "state": case.state}
    equation = _equation(instance.chain, case.values)
    return {**kind, **equation, "start": case.start, "steps": case.steps}


def _vector_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"vector": vector(case.values)}


def _hitting_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    chain, size = instance.chain, instance.chain.n_states
    others = [i for i in range(size) if i != case.target]
    times = [Fraction(0)] * size
    if others:
        matrix = finite.transition_matrix(chain).entries()
        among = Matrix.of_numbers([[matrix[i][j] for j in others] for i in others])
        ones = Matrix.constant(len(others), 1, 1)
        found = (Matrix.identity(len(others)) - among).solve(ones).numbers()
        for i, time in zip(others, found, strict=True):
            times[i] = time if isinstance(time, Fraction) else times[i]
    return {
        # p and -p are one case, of which one is written.
        "vector": vector([-x for x in case.values] if sum(case.values) < 0 else case.values),
        "target": case.target,
        "hitting_times": vector(times),
    }


def _deviation_matrix(instance: Instance) -> dict[str, Json]:
    chain, n = instance.chain, instance.chain.n_states
    shared = _stationary_law(instance)
    states = [[Fraction(i == j) for i in range(n)] for j in range(n)]
    return {**shared, "solutions": [vector(finite.poisson_solution(chain, f)) for f in states]}


def _changed_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    matrix = finite.transition_matrix(case.chain).entries()
    return {
        "transition": [vector(row) for row in matrix],
        "stationary_law": vector(finite.stationary_law(case.chain)),
    }


def _memory(instance: Instance) -> dict[str, Json]:
    weights = instance.law.w if isinstance(instance.law, ProductLaw) else None
    directions = max(sum(map(bool, point)) for point in instance.chain.inputs)
    if isinstance(weights, Uniform) and directions > MOST_DIRECTIONS:
        raise NotEnclosed(
            f"W is uniform in {directions} directions, for which the checker has no rule"
        )
    return {}


def _nothing(_instance: object) -> dict[str, Json]:
    return {}


def _order_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"of": "attained" if case.attained else "bound", "order": case.order}


def _strip_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"order": case.order, "width": format_number(case.width)}


def _slope_case(_instance: Instance, _case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"of": "every state and memory"}


def _function_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    functions = sorted(
        (
            # Nothing depends on the shift of what has no slope.
            (h.constant, h.slope, h.shift if h.slope else Fraction(0), h.conditional)
            for h in (case.first, case.second)
        ),
        reverse=True,
    )
    return {"state": case.state, "first": texts(functions[0]), "second": texts(functions[1])}


def _word_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {
        "word": list(case.word),
        "start": vector([case.start]),
        "iterates": case.iterates,
        "fixed_point": _fixed_point(instance, case),
    }


def _fixed_point(instance: Instance, case: Any) -> str:  # noqa: ANN401
    """Write a fixed point to as many decimals as give twenty digits of the distance from it.

    Where that is so small that no decimals do, they are as many as there may be.
    """
    for bits in _FIXED_POINT_BITS:
        with precision(bits):
            found = fixed_point(instance, case.word)
            reached = iterate(instance, case.word * case.iterates, ball(case.start))
            apart, (low, high) = end_points(abs(reached - found))[0], end_points(found)
        for decimals in range(LEAST_DECIMALS, MOST_DECIMALS + 1, 10):
            if apart * 10**decimals >= 10**LEAST_DECIMALS and _is_known(low, high, decimals):
                return _decimal((low + high) / 2, decimals)
    with precision(_MOST_BITS):
        low, high = end_points(fixed_point(instance, case.word))
    if not _is_known(low, high, MOST_DECIMALS):
        raise NotEnclosed("a fixed point is not known to enough decimals")
    return _decimal((low + high) / 2, MOST_DECIMALS)


def _is_known(low: Fraction, high: Fraction, decimals: int) -> bool:
    unit = Fraction(1, 10**decimals)
    return 4 * (high - low) <= unit


def _decimal(value: Fraction, decimals: int) -> str:
    scaled = round(value * 10**decimals)
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    return f"{'-' if scaled < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def _memory_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    if hasattr(case, "known"):
        return {"past": list(case.past), "known": case.known}
    return {
        "word": list(case.word),
        "starts": vector(sorted((case.first, case.second), reverse=True)),
    }


def _frozen_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"width": case.width, "word": list(case.word)}


def _joint(instance: Instance) -> dict[str, Json]:
    return {**_memory(instance), **_stationary_law(instance)}


def _rounded_pair(_instance: Instance, case: Any) -> Any:  # noqa: ANN401
    points = sorted(
        zip(case.states, map(few_digits, case.memories), strict=True),
        key=lambda point: (point[0], -point[1]),
    )
    return replace(
        case,
        states=tuple(state for state, _ in points),
        memories=tuple(memory for _, memory in points),
        weight=few_digits(case.weight, upward=True),
    )


def _pair_grid(instance: Instance, cases: Sequence[Any], finer: int) -> dict[str, Json]:
    steps = finite.scrambling_index(instance.chain)
    if steps == 1:
        return {}
    from verification.certificate import joint_witness  # noqa: PLC0415 - loads numpy

    starts = [memory for case in cases for memory in case.memories]
    memories = joint_witness.grid(instance, starts, finer, rounds=steps)
    return {"grid": vector(joint_witness.points(memories))}


def _law_on_grid(instance: Instance, starts: Sequence[Fraction], finer: int) -> dict[str, Json]:
    from verification.certificate import joint_witness  # noqa: PLC0415 - loads numpy

    points = joint_witness.points(joint_witness.grid(instance, starts, finer))
    weights = joint_witness.weights(instance, points)
    return {"grid": vector(points), "weights": [list(row) for row in weights]}


def _history_law(instance: Instance, _cases: Sequence[Any], finer: int) -> dict[str, Json]:
    return _law_on_grid(instance, [Fraction(0)], finer)


def _start_laws(instance: Instance, cases: Sequence[Any], finer: int) -> dict[str, Json]:
    return _law_on_grid(instance, [case.memory for case in cases], finer)


def _history_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"known": case.known}


def _rounded_start(_instance: Instance, case: Any) -> Any:  # noqa: ANN401
    return replace(
        case,
        memory=few_digits(case.memory, digits=_FEW_DIGITS),
        weight=few_digits(case.weight, digits=_FEW_DIGITS, upward=True),
    )


def _start_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {
        "state": case.state,
        "memory": format_number(case.memory),
        "weight": format_number(case.weight),
        "rounds": case.rounds,
    }


def _pair_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {
        "states": list(case.states),
        "memories": vector(case.memories),
        "weight": format_number(case.weight),
    }


def _trained(case: Callable[[Any, Any], dict[str, Json]]) -> Witnesses:
    return Witnesses(
        _nothing,
        case,
        training_witnesses.rounded_units,
        training_witnesses.networks,
    )


def _joint_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    document: dict[str, Json] = {"of": case.asked, "slope": format_number(case.slope)}
    if case.asked == "memory":
        from verification.recurrent import joint_grid  # noqa: PLC0415 - loads numpy

        # As far apart as the claim takes them: a 32nd of the solver's grid.
        reach = Fraction(float(joint_grid.grid(instance).memories[-1]))
        return document | {"distance": vector([reach / 16])}
    document["observable"] = texts(case.levels)
    return document | ({"steps": case.steps} if case.asked == "sum" else {})


def _bounded_suprema(instance: Instance) -> dict[str, Json]:
    return {**_joint(instance), **convergence_witnesses.suprema(instance)}


WITNESSES: dict[str, Witnesses] = {
    "A1": Witnesses(_nothing, _order_case),
    "A2": Witnesses(_nothing, _strip_case),
    "M1": Witnesses(_memory, _slope_case),
    "M2": Witnesses(_memory, _function_case),
    "M3": Witnesses(_memory, _function_case),
    "M4": Witnesses(_memory, _word_case),
    "M5": Witnesses(_memory, _memory_case),
    "M6": Witnesses(_nothing, _frozen_case),
    "E1": Witnesses(_joint, _pair_case, _rounded_pair, _pair_grid),
    "E2": Witnesses(_joint, _history_case, together=_history_law),
    "E3": Witnesses(_joint, _start_case, _rounded_start, _start_laws),
    "P7": Witnesses(_joint, _joint_case),
    "E4": Witnesses(_stationary_law, _vector_case),
    "E5": Witnesses(_stationary_law, _hitting_case),
    "E6": Witnesses(_deviation_matrix, _changed_case),
    "P1": Witnesses(_stationary_law, _poisson_case),
    "P2": Witnesses(_stationary_law, _sum_case),
    "P3": Witnesses(_stationary_law, _maximum_case),
    "P4": Witnesses(_stationary_law, _tail_case),
    "P5": Witnesses(_stationary_law, _variance_case),
    "P6": Witnesses(_stationary_law, _moving_case),
    "P6M": Witnesses(_stationary_law, _moving_maximum_case),
    "K1": Witnesses(_nothing, kernel_witnesses.pair_case, kernel_witnesses.rounded_pair),
    "K2": Witnesses(_nothing, kernel_witnesses.gram_case),
    "K3": Witnesses(_nothing, kernel_witnesses.entry_case),
    "K4": Witnesses(_nothing, kernel_witnesses.drawing_case, kernel_witnesses.rounded_drawing),
    "K5": Witnesses(_nothing, kernel_witnesses.move_case, kernel_witnesses.rounded_move),
    "O1": Witnesses(_stationary_law, limit_witnesses.solution_case, limit_witnesses.rounded_case),
    "O2": Witnesses(_stationary_law, limit_witnesses.energy_case, limit_witnesses.rounded_case),
    "O3": Witnesses(_stationary_law, limit_witnesses.energy_case, limit_witnesses.rounded_case),
    "O4": Witnesses(
        _stationary_law,
        limit_witnesses.history_case,
        limit_witnesses.rounded_case,
        share_of_right=limit_witnesses.share_of_bound,
    ),
    "O5": Witnesses(_stationary_law, limit_witnesses.energy_case, limit_witnesses.rounded_case),
    "T6D": Witnesses(_nothing, limit_witnesses.recursion_case, limit_witnesses.normalised),
    "T1": _trained(training_witnesses.weight_case),
    "T2": _trained(training_witnesses.path_case),
    "T3": _trained(training_witnesses.placed_case),
    "T4": Witnesses(_memory, training_witnesses.drawing_case),
    "T7": _trained(training_witnesses.path_case),
    "T7Z": _trained(training_witnesses.step_case),
    "T8": Witnesses(
        _nothing,
        training_witnesses.lazy_case,
        training_witnesses.rounded_course,
        training_witnesses.weighted_units,
    ),
    "T5": Witnesses(_bounded_suprema, convergence_witnesses.wider_case),
    "C1": Witnesses(linear_witnesses.forgetting, linear_witnesses.input_case),
    "C1S": Witnesses(linear_witnesses.forgetting_and_changes, linear_witnesses.input_case),
    "C6": Witnesses(linear_witnesses.forgetting, linear_witnesses.barrier_case),
    "C4": Witnesses(_nothing, linear_witnesses.singular_case),
    "C4B": Witnesses(_nothing, linear_witnesses.switched_case),
    "C4K": Witnesses(_nothing, linear_witnesses.ky_fan_case),
    "C4Q": Witnesses(_nothing, linear_witnesses.quadratic_case),
    "C4T": Witnesses(_nothing, linear_witnesses.trace_case),
    "C2": Witnesses(_nothing, approximation_witnesses.polynomial_case),
    "C2P": Witnesses(_nothing, approximation_witnesses.quoted_case),
    "C3": Witnesses(_nothing, approximation_witnesses.network_case),
    "C5": Witnesses(
        _nothing,
        law_witnesses.rule_error_case,
        law_witnesses.rounded_rule,
    ),
    "C5W": Witnesses(_nothing, law_witnesses.rule_case),
    "C5L": Witnesses(_nothing, law_witnesses.least_width_case),
    "C7G": Witnesses(_nothing, linear_witnesses.point_case),
    "C7": Witnesses(_nothing, plateau_witnesses.pull_case),
    "C7E": Witnesses(_nothing, plateau_witnesses.energy_case),
    "C7L": Witnesses(_nothing, plateau_witnesses.loss_case),
    "C7T": Witnesses(_nothing, plateau_witnesses.trap_case),
}
"""How certificates are made, by claim."""

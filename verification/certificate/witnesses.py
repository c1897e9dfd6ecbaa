"""What a certificate brings for each claim: its cases, and the witnesses that make checking easy.

One entry a claim; a claim that has none cannot be certified yet.  The keys are the same as those
of `verification.certificate.check.formulas.FORMULAS`; a test holds that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

from verification.certificate.check.reading import MAX_DIGITS
from verification.enclosure.matrix import Matrix
from verification.errors import NotEnclosed
from verification.instance import Chain, Instance, Json
from verification.markov import finite
from verification.markov.columns import is_exact
from verification.strict_json import format_number


@dataclass(frozen=True)
class Witnesses:
    """How the certificates of one claim are made.

    Parameters
    ----------
    shared : callable
        ``instance -> document`` of what all cases share.
    case : callable
        ``(instance, case) -> document`` of one case, its own witnesses included.
    """

    shared: Callable[[Instance], dict[str, Json]]
    case: Callable[[Instance, Any], dict[str, Json]]


def _vector(values: Sequence[Fraction | object]) -> Json:
    """Write a vector over its least common denominator.

    Raises
    ------
    NotEnclosed
        Where it is not exact, or too long.
    """
    exact = [value for value in values if isinstance(value, Fraction)]
    if len(exact) < len(values):
        raise NotEnclosed(
            "the chain is not solved in rationals: such certificates are not made yet"
        )
    common = lcm(*(value.denominator for value in exact))
    numerators = [value.numerator * (common // value.denominator) for value in exact]
    if max(common, *map(abs, numerators)).bit_length() > MAX_DIGITS * 3:
        raise NotEnclosed(f"a witness has numbers of more than {MAX_DIGITS} digits")
    return {"denominator": str(common), "numerators": [str(value) for value in numerators]}


def _texts(values: Sequence[Fraction]) -> list[Json]:
    return [format_number(value) for value in values]


def _stationary_law(instance: Instance) -> dict[str, Json]:
    if not is_exact(instance.chain):
        raise NotEnclosed(
            "the chain is not solved in rationals: such certificates are not made yet"
        )
    return {"stationary_law": _vector(finite.stationary_law(instance.chain))}


def _equation(chain: Chain, observable: Sequence[Fraction]) -> dict[str, Json]:
    return {
        "observable": _texts(observable),
        "solution": _vector(finite.poisson_solution(chain, observable)),
    }


def _poisson_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    is_equation = hasattr(case, "observable")
    observable = case.observable.values if is_equation else case.values
    return {
        "of": "equation" if is_equation else "oscillation",
        **_equation(instance.chain, observable),
    }


def _variance_case(instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    chain, observable = instance.chain, case.observable.values
    document = _equation(chain, observable)
    if hasattr(case, "steps"):
        solution = Matrix.column(finite.poisson_solution(chain, observable))
        following = finite.transition_matrix(chain) @ solution
        potential = finite.fundamental_matrix(chain) @ following
        document |= {"steps": case.steps, "potential": _vector(potential.numbers())}
    return document


def _vector_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    return {"vector": _vector(case.values)}


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
        "vector": _vector(case.values),
        "target": case.target,
        "hitting_times": _vector(times),
    }


WITNESSES: dict[str, Witnesses] = {
    "E4": Witnesses(_stationary_law, _vector_case),
    "E5": Witnesses(_stationary_law, _hitting_case),
    "P1": Witnesses(_stationary_law, _poisson_case),
    "P5": Witnesses(_stationary_law, _variance_case),
}
"""How certificates are made, by claim."""

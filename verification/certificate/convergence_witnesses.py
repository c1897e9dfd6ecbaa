"""What certificates of the explicit bound's decay bring: the numbers that bound suprema in it.

They are those with which the claim is decided at the first precision, so that both sides are the
same numbers to the claim and to the checker.
"""

from __future__ import annotations

from typing import Any

from verification.certificate.decimals import vector
from verification.enclosure.balls import (
    PRECISIONS,
    Ball,
    ball,
    end_points,
    exact_ball,
    precision,
    upper_double,
)
from verification.instance import Instance, Json
from verification.kernel.deviation import kernel_deviation
from verification.kernel.diagonal import largest_diagonal
from verification.recurrent.memory import memory_bound
from verification.recurrent.unit_spread import largest_output_spread, spread_of_units


def suprema(instance: Instance) -> dict[str, Json]:
    """Write upper bounds of the suprema, each exactly as the explicit bound takes it."""
    # numpy is loaded where a witness is made.
    from verification.recurrent.sensitivity import input_sensitivity  # noqa: PLC0415

    with precision(PRECISIONS[0]):
        reach = end_points(ball(memory_bound(instance)))[1]
        bounds: dict[str, tuple[Ball, ...]] = {
            "kernel": largest_diagonal(instance),
            "output": (exact_ball(upper_double(largest_output_spread(instance).upper)),),
            "spread": (spread_of_units(instance).upper,),
            "sensitivity": (input_sensitivity(instance).value.upper,),
            "deviation": (kernel_deviation(instance, reach),),
        }
        return {
            "bounds": {
                key: vector([end_points(x)[1] for x in values]) for key, values in bounds.items()
            }
        }


def wider_case(_instance: Instance, case: Any) -> dict[str, Json]:  # noqa: ANN401
    """Write a width, and how many times as wide the network becomes."""
    return {"width": case.width, "times": case.times}

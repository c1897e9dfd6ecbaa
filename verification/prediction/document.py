"""A prediction as one JSON document, "prediction/1", and as rows of two tables.

The document is the record; tables and pictures show the same numbers.  End points are decimal
texts, rounded outward.  `prediction.schema.json`, beside this module, is the JSON Schema.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from verification.instance import Json
from verification.prediction.prediction import Direction, Prediction
from verification.strict_json import format_number
from verification.subject import digest
from verification.verdict import Enclosure, EvidenceKind

SCHEMA = "prediction/1"

Document: TypeAlias = dict[str, Any]


def to_document(prediction: Prediction, environment: Mapping[str, Json]) -> Document:
    """Return the document of a prediction; equal predictions give equal documents."""
    limit, training = prediction.limit, prediction.training
    return {
        "schema": SCHEMA,
        "name": prediction.instance.name,
        "digest": digest(prediction.instance),
        "environment": dict(environment),
        "evidence": str(EvidenceKind.DOUBLES),
        "training": {
            "alpha": format_number(training.alpha),
            "horizon": format_number(training.horizon),
        },
        "times": [format_number(time) for time in prediction.times],
        "points": [
            {
                "state": point.state,
                "probability_estimate": point.probability_estimate,
                "input": [format_number(x) for x in point.input],
                "memory": format_number(point.memory),
                "target": format_number(point.target),
            }
            for point in prediction.points
        ],
        "outputs": [[value.to_json() for value in values] for values in limit.outputs],
        "losses": [value.to_json() for value in limit.losses],
        "learned": None if prediction.learned is None else prediction.learned.to_json(),
        "spectrum": {
            "directions": [_direction(direction) for direction in prediction.directions],
            "rest": _direction(prediction.rest),
        },
        "notes": list(prediction.notes),
    }


def _direction(direction: Direction) -> Document:
    return {
        "eigenvalue": direction.eigenvalue.to_json(),
        "half_time": direction.half_time.to_json(),
        "learned": direction.learned.to_json(),
        "part_estimate": direction.part_estimate,
        "share_estimate": direction.share_estimate,
    }


def curve_table(prediction: Prediction) -> str:
    """Return CSV, a row a time: t, the loss, and g at each point, all but t as two end points.

    A time that no decimal shows exactly is the double nearest to it; `to_document` has it exactly.
    """
    columns = ["loss", *(f"g_state_{point.state}" for point in prediction.points)]
    limit = prediction.limit
    return _csv(
        ["t", *_ends(columns)],
        (
            [_decimal(time), *_cells([loss, *outputs])]
            for time, loss, outputs in zip(
                prediction.times, limit.losses, limit.outputs, strict=True
            )
        ),
    )


def spectrum_table(prediction: Prediction) -> str:
    """Return CSV, a row a direction, the largest eigenvalue first, and last the rest."""
    names = [*(str(k + 1) for k in range(len(prediction.directions))), "rest"]
    return _csv(
        [
            "direction",
            *_ends(["eigenvalue", "half_time", "learned"]),
            "part_estimate",
            "share_estimate",
        ],
        (
            [
                name,
                *_cells([direction.eigenvalue, direction.half_time, direction.learned]),
                repr(direction.part_estimate),
                "" if direction.share_estimate is None else repr(direction.share_estimate),
            ]
            for name, direction in zip(
                names, [*prediction.directions, prediction.rest], strict=True
            )
        ),
    )


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _ends(names: Iterable[str]) -> list[str]:
    return [f"{name}_{end}" for name in names for end in ("lower", "upper")]


def _cells(values: Iterable[Enclosure]) -> list[str]:
    return [cell for value in values for cell in value.to_json().values()]


def _decimal(time: Fraction) -> str:
    exact = format_number(time)
    return repr(float(time)) if "/" in exact else exact

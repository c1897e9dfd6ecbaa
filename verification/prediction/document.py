"""A prediction as one JSON document, "prediction/1", and as rows of tables.

The document is the record; tables and pictures show the same numbers.  End points are decimal
texts, rounded outward.  `prediction.schema.json`, beside this module, is the JSON Schema.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import isfinite
from typing import Any, TypeAlias

from verification.instance import Json
from verification.prediction.networks import LEVEL, Band, Networks
from verification.prediction.prediction import Direction, Prediction
from verification.strict_json import format_number
from verification.subject import digest
from verification.verdict import Enclosure, EvidenceKind

SCHEMA = "prediction/1"

Document: TypeAlias = dict[str, Any]


def to_document(
    prediction: Prediction, environment: Mapping[str, Json], networks: Networks | None = None
) -> Document:
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
        "networks": None if networks is None else _networks(networks),
        "notes": [*prediction.notes, *(() if networks is None else networks.notes)],
    }


def _networks(networks: Networks) -> Document:
    slope = networks.slope
    return {
        "seed": networks.plan.seed,
        "replicas": networks.plan.replicas,
        "confidence": format_number(1 - LEVEL),
        "interrupted": networks.interrupted,
        "widths": [
            {
                "width": ensemble.width,
                "steps": list(ensemble.steps),
                "outputs": [[_band(band) for band in bands] for bands in ensemble.outputs],
                "losses": [None if band is None else _band(band) for band in ensemble.losses],
                "inside_estimate": ensemble.inside,
                "errors": [_finite(error) for error in ensemble.errors],
                "mean_error_estimate": _finite(ensemble.mean_error),
                "within": {
                    "error": _finite(ensemble.largest_error),
                    "share": format_number(ensemble.content),
                },
            }
            for ensemble in networks.ensembles
        ],
        "rate": format_number(networks.rate),
        "slope_estimate": None
        if slope is None
        else {"value": slope.slope, "lower": slope.lower, "upper": slope.upper},
    }


def _band(band: Band) -> Document:
    return {
        "least": _finite(band.least),
        "mean": _finite(band.mean),
        "greatest": _finite(band.greatest),
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


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


def networks_table(prediction: Prediction, networks: Networks) -> str:
    """Return CSV, a row a width and time: outputs at each point, the loss since the time before.

    A cell is empty where no step lies between two times; a number that is none is nan or inf.
    """
    names = ["loss", *(f"g_state_{point.state}" for point in prediction.points)]
    return _csv(
        [
            *("width", "t", "steps"),
            *(f"{name}_{part}" for name in names for part in ("least", "mean", "greatest")),
        ],
        (
            [
                *(str(ensemble.width), _decimal(time), str(steps)),
                *(cell for band in (loss, *outputs) for cell in _band_cells(band)),
            ]
            for ensemble in networks.ensembles
            for time, steps, loss, outputs in zip(
                prediction.times,
                ensemble.steps,
                (None, *ensemble.losses),
                ensemble.outputs,
                strict=True,
            )
        ),
    )


def _band_cells(band: Band | None) -> list[str]:
    return [""] * 3 if band is None else [repr(x) for x in (band.least, band.mean, band.greatest)]


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

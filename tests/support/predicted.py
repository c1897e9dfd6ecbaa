"""Instances that the tests of predictions share, predicted once."""

from __future__ import annotations

import dataclasses
from functools import cache
from math import inf, nan

from verification import Instance
from verification.prediction.networks import Band, Networks
from verification.prediction.prediction import predict

ATOMS = [
    {"p": p, "C": c, "W": [w], "B": b}
    for w, b, c, p in (
        (w, b, c, str(pw * pb * pc) + "/96")
        for w, pw in (("-1", 1), ("0.5", 2), ("1.5", 1))
        for b, pb in (("0.2", 2), ("0.6", 2))
        for c, pc in (("-1", 1), ("0", 4), ("1", 1))
    )
]
RAIN = {
    "schema": "instance/1",
    "name": "rain-atoms",
    "chain": {
        "transition": [["0.75", "0.25"], ["0.338", "0.662"]],
        "inputs": [["-1"], ["1"]],
        "targets": ["-0.5", "1"],
        "initial": 0,
    },
    "activation": {"kind": "logistic"},
    "law": {"kind": "atoms", "atoms": ATOMS},
    "training": {"alpha": "1", "beta": "0.75", "gamma": "0.1", "horizon": "3"},
}


def changed(name: str = "rain-atoms", **changes) -> Instance:
    """Return the rain with changes, such as ``chain={"targets": [...]}`` or ``training=None``."""
    document = RAIN | {"name": name}
    for key, value in changes.items():
        if value is None:
            del document[key]
        else:
            document[key] = document[key] | value if key in {"chain", "training"} else value
    return Instance.from_json(document)


@cache
def predicted(instance: Instance):
    return predict(instance)


def coarse_instance() -> Instance:
    """Return one whose memory forgets so slowly that its law is known from words only."""
    law = {
        "C": {"kind": "uniform", "low": "-1", "high": "1"},
        "W": {"kind": "constant", "value": ["0.01"]},
        "B": {"kind": "constant", "value": "0.99"},
    }
    return changed("coarse", activation={"kind": "tanh"}, law=law, training={"horizon": "0.25"})


def diverged(networks: Networks) -> Networks:
    """Return networks the widest of which have become no numbers."""
    *others, widest = networks.ensembles
    band = Band(least=nan, mean=nan, greatest=nan)
    lost = dataclasses.replace(
        widest,
        outputs=tuple((band,) * len(row) for row in widest.outputs),
        losses=(None, *(band,) * (len(widest.losses) - 1)),
        errors=(inf,) * len(widest.errors),
        inside=0.0,
    )
    return dataclasses.replace(networks, ensembles=(*others, lost), slope=None)

"""The files of a prediction: each is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from verification.errors import InvalidInstance
from verification.prediction.document import (
    Document,
    curve_table,
    networks_table,
    spectrum_table,
)
from verification.prediction.networks import Networks
from verification.prediction.plot import render_plot
from verification.prediction.prediction import Prediction
from verification.report.files import json_bytes, write_atomically


def write_prediction(
    prediction: Prediction, document: Document, out: Path, networks: Networks | None = None
) -> None:
    """Write ``prediction.json``, ``limit.csv``, ``spectrum.csv`` and ``limit.svg`` into a folder.

    With networks also ``networks.csv``; without, one of a former prediction is removed.  All are
    made before the first one is written.

    Raises
    ------
    InvalidInstance
        Where the folder cannot be made or written; former files stay whole.
    """
    files = {
        "prediction.json": json_bytes(document),
        "limit.csv": curve_table(prediction).encode(),
        "spectrum.csv": spectrum_table(prediction).encode(),
        "limit.svg": render_plot(prediction, networks),
    }
    if networks is not None and networks.ensembles:
        files["networks.csv"] = networks_table(prediction, networks).encode()
    try:
        if "networks.csv" not in files:
            (out / "networks.csv").unlink(missing_ok=True)
        for name, data in files.items():
            write_atomically(out / name, data)
    except OSError as error:
        raise InvalidInstance("--out", f"{out} cannot be written: {error.strerror}") from error

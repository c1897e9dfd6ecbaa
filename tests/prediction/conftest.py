"""Predictions that several tests look at."""

from __future__ import annotations

import pytest
from predicted import changed, predicted

from verification import gallery


@pytest.fixture(scope="session")
def rain():
    return predicted(changed())


@pytest.fixture(scope="session")
def onegin():
    return predicted(gallery.load("markov-onegin"))

"""Predictions that several tests look at."""

from __future__ import annotations

import pytest
from predicted import changed, predicted
from toy_claims import Inline

from verification import gallery
from verification.prediction.networks import train_networks
from verification.prediction.replicas import Plan


@pytest.fixture(scope="session")
def rain():
    return predicted(changed())


@pytest.fixture(scope="session")
def onegin():
    return predicted(gallery.load("markov-onegin"))


@pytest.fixture(scope="session")
def plan():
    return Plan(widths=(16, 64, 256), replicas=12, seed=11)


@pytest.fixture(scope="session")
def networks(rain, plan):
    return train_networks(rain, plan, make_executor=Inline, jobs=1)

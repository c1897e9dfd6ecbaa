"""Grids of few points, so that certificates with one are soon made."""

from __future__ import annotations

import pytest

from verification.certificate import joint_witness


@pytest.fixture(autouse=True)
def _few_points(monkeypatch):
    monkeypatch.setattr(joint_witness, "MOST_POINTS", 160)

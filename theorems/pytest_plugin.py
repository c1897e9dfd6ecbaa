"""The plugin for pytest, on this project's claims; see `verification.pytest_plugin`."""

from __future__ import annotations

import pytest

from theorems import CLAIMS
from verification import pytest_plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--theorems`` and what belongs to it."""
    pytest_plugin.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Add the hooks and the fixture."""
    config.pluginmanager.register(pytest_plugin.Plugin(CLAIMS, config), "theorems-claims")

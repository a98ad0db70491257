"""The plugin for pytest: the fixture `crewdeck_run`. pytest finds it once Crewdeck is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def crewdeck_run() -> Callable[..., Any]:
    """`crewdeck.testing.run_crew`; imported only by tests that use it."""
    from crewdeck.testing import run_crew

    return run_crew

"""One server with the demo crew and the crews of the scenarios, for everybody at a terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.server import Server

CREWS = Path(__file__).parents[1] / "crews"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server.started({"CREWDECK_CONFIG_DIR": str(CREWS)}) as started:
        yield started

"""One server with the demo crew, for everybody at a terminal."""

from collections.abc import Iterator

import pytest

from tests.scenario.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server.started() as started:
        yield started

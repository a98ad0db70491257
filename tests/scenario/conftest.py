"""Real servers, as long-lived as their tests allow."""

from collections.abc import Iterator

import pytest

from tests.scenario.server import Server


@pytest.fixture(scope="session")
def bare_server() -> Iterator[Server]:
    """A server without Slack and without workers, for all tests of a session. Leave it as you find it."""
    with Server.started(env={"CREWDECK_WORKERS": "0"}) as server:
        yield server

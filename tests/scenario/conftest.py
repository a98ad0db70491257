"""Real servers, as long-lived as their tests allow."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.scenario.outbox import CREW, Outbox, delivering
from tests.scenario.server import Server
from tests.scenario.stage import Scene, Stage, staged


@pytest.fixture(scope="session")
def bare_server() -> Iterator[Server]:
    """A server without Slack and without workers, for all tests of a session. Leave it as you find it."""
    with Server.started(env={"CREWDECK_WORKERS": "0"}) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["http"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A server that is connected to a loopback Slack; for tests that are `over_both`, over each transport."""
    async with staged(request.param) as connected:
        await connected.warm_up()
        yield connected


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    """A channel of its own on that stage, and everything in order again afterwards."""
    yield stage.scene()
    stage.slack.heal()


@pytest.fixture
async def on(redis_url: str) -> AsyncIterator[Outbox]:
    """A real store and a loopback Slack, for real web processes between them; tests play the worker."""
    async with delivering(redis_url) as made:
        await made.store.catalogue.announce("here", [CREW])
        yield made


@pytest.fixture
def web(redis_url: str) -> dict[str, str]:
    """The settings of a web process without workers."""
    return {"CREWDECK_REDIS_URL": redis_url, "CREWDECK_WORKERS": "0"}

"""Real servers, as long-lived as their tests allow."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.fork_server.client import ForkServer
from tests.scenario.outbox import CREW, Outbox, delivering
from tests.scenario.server import Server
from tests.scenario.slack_deployment import ChannelDeployment, SlackDeployment, slack_deployed
from tests.scenario.teams_deployment import TeamsChannel, TeamsDeployment, teams_deployed


@pytest.fixture(scope="session", autouse=True)
def servers_are_forked(fork_server: ForkServer) -> Iterator[None]:
    """Servers, and what they start, save their imports; an `ExecutedServer` does not."""
    Server.fork_server = fork_server
    yield
    Server.fork_server = None


@pytest.fixture(scope="session")
def bare_server() -> Iterator[Server]:
    """A server without Slack and without workers, for all tests of a session. Leave it as you find it."""
    with Server.started(env={"CREWDECK_WORKERS": "0"}) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["http"])
async def slack_deployment(request: pytest.FixtureRequest) -> AsyncIterator[SlackDeployment]:
    """A server that is connected to a loopback Slack; for tests that are `over_both`, over each transport."""
    async with slack_deployed(request.param) as connected:
        await connected.warm_up()
        yield connected


@pytest.fixture
def deployment(slack_deployment: SlackDeployment) -> Iterator[ChannelDeployment]:
    """A channel of its own on that server, and everything in order again afterwards."""
    yield slack_deployment.in_a_channel()
    slack_deployment.slack.heal()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def teams_deployment() -> AsyncIterator[TeamsDeployment]:
    """A server that is connected to a loopback Teams."""
    async with teams_deployed() as connected:
        await connected.warm_up()
        yield connected


@pytest.fixture
def in_teams(teams_deployment: TeamsDeployment) -> Iterator[TeamsChannel]:
    """A channel of its own on that server, and everything in order again afterwards."""
    yield teams_deployment.in_a_channel()
    teams_deployment.teams.heal()


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

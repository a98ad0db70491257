"""What every kind of test may use: a folder for data, and one real store that is empty for each test."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import structlog
from xdist.workermanage import WorkerController

from bot.processes import garbage_collector
from bot.store.embedded import Embedded
from tests import compiled_once
from tests.compiled_once import pytest_collection
from tests.examples import FAST, SEED
from tests.folders import own_folder
from tests.fork_server.client import ForkServer, of_session, share
from tests.together import EndedInTime, pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = [
    "FAST",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_xdist_make_scheduler",
]

pytest_plugins = ["crewdeck.testing.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--everywhere", action="store_true", help="all tests of the store also on a Redis Cluster"
    )
    parser.addoption(
        "--every-boundary", action="store_true", help="kill at every boundary, not at a sample of them"
    )
    parser.addoption("--boundary-seed", type=int, default=SEED, help="which sample of boundaries that is")


def pytest_configure(config: pytest.Config) -> None:
    """Processes inherit an ignored SIGINT (a script's `make test &`); those of tests must hear Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(EndedInTime())
    garbage_collector.tune()
    # Formatted tracebacks print variables: those of a crew take seconds.
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """In the process that starts the others, for each one."""
    compiled_once.appoint(node)
    share(node)


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: no collection of garbage visits them again."""
    if "crewai" in sys.modules:
        raise pytest.UsageError("A module of tests imports crewai outside of its functions: CONTRIBUTING.md.")
    garbage_collector.freeze()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder of this test alone, with a path short enough for sockets in it."""
    with own_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def fork_server(pytestconfig: pytest.Config) -> Iterator[ForkServer]:
    """Where workers come from that needn't be started as people do it: importing crewai is done once."""
    with of_session(pytestconfig) as opened:
        yield opened


@pytest.fixture(scope="session")
def python(fork_server: ForkServer) -> str:
    """An interpreter for commands that needn't be executed as people do it."""
    return fork_server.python


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The address of a real Valkey that runs for the whole session."""
    with own_folder() as folder:
        server = Embedded.attach(folder)
        yield server.url
        server.detach()


@pytest.fixture(scope="session")
def embedded_client(embedded: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(embedded) as client:
        yield client


@pytest.fixture
def redis_url(embedded: str, embedded_client: redis.Redis) -> str:
    """The address of a real, empty Valkey."""
    embedded_client.flushall()
    return embedded

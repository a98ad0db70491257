"""The store on each server that is at hand, empty for each test."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, open_store
from tests.contract import servers
from tests.contract.examples import RETRY_AFTER
from tests.folders import own_folder
from tests.waiting import WITHIN


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The address of a `redis-server` from PATH that runs for the whole session."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on PATH")
    with own_folder() as folder:
        socket = folder / "redis.sock"
        command = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--dir",
            str(folder),
            "--appendonly",
            "yes",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with redis.Redis(unix_socket_path=str(socket)) as client:
            deadline = time.monotonic() + WITHIN
            while time.monotonic() < deadline:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
                time.sleep(0.02)
        yield f"unix://{socket}"
        process.terminate()
        process.wait(WITHIN)


@pytest.fixture(scope="session")
def tls_binary() -> str:
    """A server with TLS. The embedded Valkey has none."""
    found = shutil.which("redis-server")
    if (
        found is None
        or b"libssl" not in subprocess.run(["ldd", found], capture_output=True, check=False).stdout
    ):
        pytest.skip("no redis-server with TLS on PATH")
    return found


@pytest.fixture(scope="session")
def cluster() -> Iterator[servers.Cluster]:
    """A Redis Cluster that runs for the whole session."""
    with servers.cluster() as nodes:
        yield nodes


@pytest.fixture(scope="session")
def redis_cluster(cluster: servers.Cluster) -> str:
    return cluster.url


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On which servers a test of the store runs. One that disturbs its `server` needs a single one."""
    if "store_url" not in metafunc.fixturenames:
        return
    everywhere = metafunc.config.getoption("--everywhere") or any(
        mark.name == "everywhere" for mark in metafunc.definition.iter_markers()
    )
    # What is built on the store needs it once; that each server keeps the store's contract is tested here.
    its_own = metafunc.definition.path.parent == Path(__file__).parent
    kinds = ["embedded", "redis_server"] if its_own or everywhere else ["embedded"]
    if everywhere and "server" not in metafunc.fixturenames:
        kinds.append("redis_cluster")
    metafunc.parametrize("store_url", kinds, indirect=True)


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty store."""
    url: str = request.getfixturevalue(request.param)
    servers.empty(url)
    return url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[RedisStore]:
    async with open_store(store_url, ClockSettings(retry_after=RETRY_AFTER)) as opened:
        yield opened


@pytest.fixture
def server(store_url: str) -> Iterator[redis.Redis]:
    """The same server, to look behind the store and to disturb it."""
    with redis.Redis.from_url(store_url, decode_responses=True) as client:
        yield client

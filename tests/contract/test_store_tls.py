"""Redis over TLS, with certificates that the URL names: a server, a sentinel, a cluster."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from bot.core.errors import SettingsError, StoreUnavailable
from bot.core.runs.run import RunStatus
from bot.store.redis import open_store
from tests.contract import certificates
from tests.contract.certificates import Certificates
from tests.contract.examples import started
from tests.contract.servers import SERVICE, SLOTS, Server, until
from tests.folders import own_folder
from tests.ports import HOST, reserved


class TlsServer(Server):
    """A server that speaks TLS and nothing else, with clients that show a certificate."""

    def __init__(self, folder: Path, port: int, files: Certificates, *options: str, binary: str) -> None:
        self._files = files
        secured = ("--tls-port", str(port), "--tls-ca-cert-file", str(files.authority))
        own = ("--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key))
        super().__init__(folder, port, *secured, *own, *options, binary=binary)

    def _arguments(self) -> tuple[str, ...]:
        return ("--port", "0", "--bind", HOST, "--save", "", "--appendonly", "yes", *self._options)

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(f"rediss://{HOST}:{self.port}?{self._files.query}", decode_responses=True)


class TlsSentinel(TlsServer):
    def _arguments(self) -> tuple[str, ...]:
        file = self._folder / "sentinel.conf"
        file.write_text("")
        return (str(file), "--sentinel", "--port", "0", "--bind", HOST, *self._options)


@pytest.fixture(scope="module")
def files() -> Iterator[Certificates]:
    with own_folder() as folder:
        yield certificates.make(folder)


@pytest.fixture(scope="module")
def ports(tls_binary: str, files: Certificates) -> Iterator[tuple[int, int, int]]:
    """Of a server, of a sentinel that watches it, and of a cluster of one."""
    with own_folder() as folder, reserved(4) as free, ExitStack() as stack:
        alone, watching, together, bus = free
        stack.enter_context(TlsServer(folder, alone, files, binary=tls_binary))
        over_tls = ("--tls-replication", "yes")
        sentinel = stack.enter_context(TlsSentinel(folder, watching, files, *over_tls, binary=tls_binary))
        sentinel.tell("SENTINEL", "MONITOR", SERVICE, HOST, alone, 1)
        clustered = ("--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", str(bus))
        node = stack.enter_context(TlsServer(folder, together, files, *clustered, binary=tls_binary))
        node.tell("CLUSTER ADDSLOTSRANGE", 0, SLOTS - 1)
        until(lambda: node.tell("CLUSTER INFO")["cluster_state"] == "ok", "a cluster")
        yield alone, watching, together


async def starts_a_run(url: str) -> None:
    async with open_store(url) as store:
        assert (await started(store)).status is RunStatus.QUEUED


async def test_the_url_names_the_certificates(ports: tuple[int, int, int], files: Certificates) -> None:
    alone, watching, together = ports
    await starts_a_run(f"rediss://{HOST}:{alone}/0?{files.query}")
    await starts_a_run(f"rediss+sentinel://{HOST}:{watching}/{SERVICE}?{files.query}")
    await starts_a_run(f"rediss+cluster://{HOST}:{together}?{files.query}")
    # Recognised as a node of a cluster, which is then spoken to in the same way.
    await starts_a_run(f"rediss://{HOST}:{together}?{files.query}")


async def test_a_server_that_somebody_else_vouches_for_is_not_trusted(
    ports: tuple[int, int, int], files: Certificates, data_dir: Path
) -> None:
    others = certificates.make(data_dir / "others")
    query = files.query.replace(str(files.authority), str(others.authority))
    with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
        await starts_a_run(f"rediss://{HOST}:{ports[0]}?{query}")


@pytest.mark.parametrize("kind", ["rediss", "rediss+sentinel", "rediss+cluster"])
async def test_a_certificate_that_is_not_there_is_one_readable_line(kind: str) -> None:
    with pytest.raises(SettingsError, match=r"CREWDECK_REDIS_URL: a certificate or key .* can't be used"):
        await starts_a_run(f"{kind}://{HOST}:1/0?ssl_ca_certs=/nowhere/ca.pem")

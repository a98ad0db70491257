"""What a server refuses until somebody corrects a setting is told from a server that may come back."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.core.errors import SettingsError, StoreUnavailable
from bot.settings import Settings
from bot.store.durability import inspect
from bot.store.open import open_configured
from tests.contract import certificates
from tests.contract.certificates import Certificates
from tests.contract.servers import SERVICE, SentinelServer, Server
from tests.contract.test_store_tls import TlsServer
from tests.folders import own_folder
from tests.ports import HOST, reserved

SECRET = "tide-mill-7"
OURS = ("~crewdeck:*", "&crewdeck:wake", "+@all", "-@dangerous", "+info")
USERS = {
    "as_documented": (*OURS, "+config|get"),
    "no_scripts": (*OURS, "-@scripting"),
    "no_channel": ("~crewdeck:*", "resetchannels", "+@all", "-@dangerous", "+info"),
    "no_subscriptions": (*OURS, "-subscribe"),
    "no_keys": ("~other:*", "&crewdeck:wake", "+@all", "-@dangerous", "+info"),
    "no_info": ("~crewdeck:*", "&crewdeck:wake", "+@all", "-@dangerous"),
    "no_streams": (*OURS, "-xadd"),
    "no_publishing": (*OURS, "-publish"),
    "reads_only": ("~crewdeck:*", "&crewdeck:wake", "+@read", "+@connection", "+set", "+info", "+evalsha"),
}
COMMAND = re.compile(r"redis\.p?call\('(\w+)'")
SCRIPTS = Path(__file__).parents[2] / "bot" / "store" / "scripts"


async def opened(url: str) -> None:
    async with open_configured(Settings.model_validate({"REDIS_URL": url})):
        pass


async def refused(url: str) -> str:
    """The one line that says what to correct, without the password."""
    with pytest.raises(SettingsError) as error:
        await opened(url)
    [line] = str(error.value).splitlines()
    assert line.startswith("REDIS_URL: ")
    assert SECRET not in line
    assert "CREWDECK_REDIS_URL" not in line
    return line


@pytest.fixture(scope="module", params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """With a user for each lack of permissions, who all have the same password."""
    binary = shutil.which("redis-server") if request.param == "redis" else None
    if request.param == "redis" and binary is None:
        pytest.skip("no redis-server on PATH")
    with own_folder() as folder, reserved(1) as [port], Server(folder, port, binary=binary) as alone:
        for name, rules in USERS.items():
            alone.tell("ACL", "SETUSER", name, "on", f">{SECRET}", *rules)
        yield alone


async def test_a_user_with_the_documented_permissions_is_enough(server: Server) -> None:
    await opened(f"redis://as_documented:{SECRET}@{HOST}:{server.port}")


@pytest.mark.parametrize("user", [each for each in USERS if each != "as_documented"])
async def test_a_user_who_may_not_do_all_is_told_at_the_start(server: Server, user: str) -> None:
    """Otherwise a transition would stop halfway, or wake-ups would never come."""
    said = await refused(f"redis://{user}:{SECRET}@{HOST}:{server.port}")
    assert "does not let the user of REDIS_URL do this" in said


@pytest.mark.parametrize("who", ["as_documented:wrong", "nobody:wrong"])
async def test_a_wrong_user_or_password(server: Server, who: str) -> None:
    assert "refuses the user or the password of REDIS_URL" in await refused(
        f"redis://{who}@{HOST}:{server.port}"
    )


async def test_a_database_that_is_not_there(server: Server) -> None:
    assert "no database of that number" in await refused(f"{server.url}/99")


async def test_tls_where_the_server_has_none(server: Server) -> None:
    said = await refused(f"rediss://{HOST}:{server.port}?socket_timeout=0.3")
    assert "doesn't speak TLS" in said


async def test_a_password_that_is_missing(server: Server) -> None:
    with server.asked() as known:
        known.config_set("requirepass", SECRET)
        try:
            assert "wants a password: put it into REDIS_URL" in await refused(server.url)
        finally:
            known.config_set("requirepass", "")


def test_all_commands_of_transitions_are_tried_at_the_start() -> None:
    check = SCRIPTS / "unsharded" / "check_permissions.lua"
    # What `upgrade` needs besides is for stores of an earlier schema only.
    others = [each for each in SCRIPTS.rglob("*.lua") if each != check and each.stem != "upgrade"]
    used = {name for each in others for name in COMMAND.findall(each.read_text())}
    assert len(used) > 20
    assert used == set(COMMAND.findall(check.read_text()))


# ── sentinels ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[Server, SentinelServer]]:
    with own_folder() as folder, reserved(2) as [port, watching], ExitStack() as stack:
        primary = stack.enter_context(Server(folder, port))
        yield primary, stack.enter_context(SentinelServer(folder, watching, primary))


async def test_a_service_that_no_sentinel_knows(watched: tuple[Server, SentinelServer]) -> None:
    said = await refused(f"redis+sentinel://{HOST}:{watched[1].port}/others")
    assert f"the sentinels know no service others (but {SERVICE})" in said


async def test_a_service_whose_primary_is_away_is_waited_for(watched: tuple[Server, SentinelServer]) -> None:
    primary, sentinel = watched
    primary.kill()
    try:
        with pytest.raises(StoreUnavailable):
            await opened(f"redis+sentinel://{HOST}:{sentinel.port}/{SERVICE}")
    finally:
        primary.start()


async def test_a_database_that_the_primary_does_not_have(watched: tuple[Server, SentinelServer]) -> None:
    primary, sentinel = watched
    with primary:
        said = await refused(f"redis+sentinel://{HOST}:{sentinel.port}/{SERVICE}/99")
        assert "no database of the number in REDIS_URL" in said


async def test_a_server_in_place_of_a_sentinel(server: Server) -> None:
    assert "lacks a command" in await refused(f"redis+sentinel://{HOST}:{server.port}/{SERVICE}")


async def test_a_sentinel_in_place_of_a_server(watched: tuple[Server, SentinelServer]) -> None:
    assert "lacks a command" in await refused(watched[1].url)


async def test_a_password_that_sentinels_refuse(watched: tuple[Server, SentinelServer]) -> None:
    sentinel = watched[1]
    url = (
        f"redis+sentinel://{HOST}:{sentinel.port}/{SERVICE}?sentinel_username=ada&sentinel_password={SECRET}"
    )
    assert "of a sentinel: Redis refuses the user or the password" in await refused(url)


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────


class Secured(NamedTuple):
    """A server that speaks TLS and wants a certificate, and what it takes."""

    port: int
    files: Certificates
    #: Which it doesn't trust.
    others: Certificates


@pytest.fixture(scope="module")
def secured(tls_binary: str) -> Iterator[Secured]:
    with own_folder() as folder, reserved(1) as [port]:
        files, others = (certificates.make(folder / name) for name in ("files", "others"))
        with TlsServer(folder, port, files, binary=tls_binary):
            yield Secured(port, files, others)


@pytest.mark.parametrize("scheme", ["redis", "redis+sentinel", "redis+cluster"])
async def test_no_tls_where_the_server_expects_it(secured: Secured, scheme: str) -> None:
    service = "/crews" if scheme == "redis+sentinel" else ""
    assert "the server expects TLS" in await refused(f"{scheme}://{HOST}:{secured.port}{service}")


async def test_a_server_that_is_not_trusted(secured: Secured) -> None:
    query = secured.files.query.replace(str(secured.files.authority), str(secured.others.authority))
    assert "CERTIFICATE_VERIFY_FAILED" in await refused(f"rediss://{HOST}:{secured.port}?{query}")


@pytest.mark.parametrize("shown", ["none", "another"])
async def test_a_client_that_is_not_trusted(secured: Secured, shown: str) -> None:
    files, others = secured.files, secured.others
    own = f"&ssl_certfile={others.certificate}&ssl_keyfile={others.key}" if shown == "another" else ""
    said = await refused(f"rediss://{HOST}:{secured.port}?ssl_ca_certs={files.authority}{own}")
    assert "don't accept each other's TLS certificates" in said


async def test_the_doctor_says_so_too(secured: Secured) -> None:
    [finding] = await inspect(f"redis://{HOST}:{secured.port}", setting="REDIS_URL (in .env)")
    assert finding.state == "broken"
    assert "the server expects TLS" in finding.words
    assert "correct REDIS_URL (in .env)" in finding.remedy


# ── servers that may come back, and others ──────────────────────────────────────────────────────────────


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that has one answer to everything."""

    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            handlers.add(task)
        while await reader.read(1 << 16):
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, HOST, 0) as listening:
        yield f"redis://:{SECRET}@{HOST}:{listening.sockets[0].getsockname()[1]}"
        await asyncio.gather(*handlers, return_exceptions=True)


async def test_what_is_no_redis() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        assert "is no Redis" in await refused(url)


@pytest.mark.parametrize(
    "word", ["LOADING", "MASTERDOWN", "READONLY", "OOM", "BUSY", "MISCONF", "CLUSTERDOWN"]
)
async def test_a_server_that_can_not_now_is_waited_for(word: str) -> None:
    async with answering(f"-{word} not now\r\n".encode()) as url:
        with pytest.raises(StoreUnavailable):
            await opened(url)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_a_server_that_does_not_answer_is_waited_for(scheme: str) -> None:
    with socket.create_server((HOST, 0)) as silent:
        url = f"{scheme}://{HOST}:{silent.getsockname()[1]}?socket_timeout=0.1"
        with pytest.raises(StoreUnavailable):
            await opened(url)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_an_address_where_nothing_listens_is_waited_for(scheme: str) -> None:
    with pytest.raises(StoreUnavailable):
        await opened(f"{scheme}://{HOST}:1")

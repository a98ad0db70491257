"""Trouble with Redis, in words for an operator, and never with the password in them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis

from bot.core.errors import SettingsError, StoreUnavailable
from bot.core.runs.nonce import Nonce
from bot.settings import Settings
from bot.store import redis_keys
from bot.store.open import open_configured
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import new_run, started

SECRET = "tide-mill-7"


@asynccontextmanager
async def always(answer: bytes) -> AsyncIterator[str]:
    """A server that has one answer to everything, or ends each connection; its URL, with a password."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(1 << 16):
            if not answer:
                break
            writer.write(answer * request.count(b"*"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"redis://:{SECRET}@127.0.0.1:{port}"
    finally:
        server.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"-LOADING Redis is loading the dataset in memory", "still loading"),
        (b"-WRONGPASS invalid username-password pair", "the user or the password"),
        (
            b"-ERR unknown command `HELLO`, with args beginning with: `AUTH` `tide-mill-7`",
            "lacks a command",
        ),
        (b"-NOAUTH HELLO must be called with the client already authenticated", "wants a password"),
    ],
)
async def test_a_server_that_refuses_is_quoted_without_the_password(answer: bytes, words: str) -> None:
    async with always(answer + b"\r\n") as url:
        with pytest.raises(StoreUnavailable) as trouble:
            async with open_store(url):
                pass
    assert words in str(trouble.value)
    assert SECRET not in str(trouble.value)
    assert trouble.value.__cause__ is None or SECRET not in str(trouble.value.__cause__)


async def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://:{SECRET}@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(StoreUnavailable, match="can't be reached") as trouble:
            async with open_store(url):
                pass
    assert SECRET not in str(trouble.value)


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@host",
        f"redis://:{SECRET}/x@host:6379",
        f"redis://:{SECRET}@host?sll_ca_certs=x",
        f"redis+sentinel://:{SECRET}@host/crews?sll_ca_certs=x",
        f"redis+cluster://:{SECRET}@host?sll_ca_certs=x",
        f"rediss://:{SECRET}@host?ssl_cert_reqs=maybe",
        f"rediss+sentinel://:{SECRET}@host/crews?ssl_cert_reqs=maybe",
        f"rediss+cluster://:{SECRET}@host?ssl_cert_reqs=maybe",
        "nonsense",
    ],
)
async def test_a_url_that_can_not_be_read_names_the_setting_alone(url: str) -> None:
    with pytest.raises(SettingsError, match="CREWDECK_REDIS_URL") as wrong:
        async with open_store(url):
            pass
    assert SECRET not in str(wrong.value)
    assert "mill" not in str(wrong.value)


@pytest.mark.parametrize(
    ("scheme", "hint"),
    [("redis", "With TLS it is rediss://."), ("rediss", "rediss:// is for servers with TLS.")],
)
async def test_a_server_that_ends_every_connection_may_differ_in_tls(scheme: str, hint: str) -> None:
    async with always(b"") as url:
        settings = Settings.model_validate({"REDIS_URL": url.replace("redis", scheme, 1)})
        with pytest.raises(StoreUnavailable) as trouble:
            async with open_configured(settings):
                pass
    assert str(trouble.value).startswith("REDIS_URL: Redis ")
    assert str(trouble.value).endswith(hint)


async def test_a_full_server_takes_no_new_run_and_keeps_the_others(
    store: RedisStore, server: redis.Redis
) -> None:
    run = await started(store)
    server.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match="full"):
            await store.runs.start(new_run("another"), Nonce("request", 60))
        assert await store.runs.get(run.id) == run
        assert await store.runs.use_nonce(run.id, Nonce("another request", 60))
    finally:
        server.config_set("maxmemory", "0")
    assert (await store.runs.start(new_run("another"), Nonce("request", 60)))[1]


async def test_a_replica_is_recognised(store: RedisStore, server: redis.Redis) -> None:
    server.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable, match=r"replica"):
            await store.runs.start(new_run())
    finally:
        server.replicaof("NO", "ONE")


async def test_what_a_newer_release_wrote_is_left_alone(store_url: str, server: redis.Redis) -> None:
    server.set(redis_keys.SCHEMA_KEY, redis_keys.SCHEMA + 1)
    with pytest.raises(SettingsError, match="newer Crewdeck"):
        async with open_store(store_url):
            pass

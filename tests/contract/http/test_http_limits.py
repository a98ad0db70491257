"""Clients that are slow, stuck or talk nonsense: bounded, and nobody else notices."""

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import psutil
import pytest
from structlog.testing import capture_logs

from bot.core import ids
from bot.core.events.event import TaskCompleted
from bot.core.files import stored_file
from bot.core.runs.run import Claim
from bot.store.redis import RedisStore
from bot.surfaces.http.streams.streams import StreamTimings
from tests.contract.examples import DEMO
from tests.contract.http.following import all_of, over_sse
from tests.contract.http.served import Served, serve
from tests.waiting import WITHIN, eventually

PATIENCE = 2.0
"""Seconds that the server waits here for a client that takes nothing."""
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
START = b"POST /crew/start HTTP/1.1\r\n" + HOST + JSON
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
STUCK = {
    "sse": b"GET /events/human-input/%b HTTP/1.1\r\n" + HOST + b"\r\n",
    "websocket": b"GET /ws/human-input/%b HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n",
}


@pytest.fixture
async def hasty(store: RedisStore) -> AsyncIterator[Served]:
    """A server that loses patience soon."""
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, {}, StreamTimings(send_within=PATIENCE), idle_for=1.0) as served:
        yield served


async def stuck(served: Served, request: bytes) -> socket.socket:
    """A client that asks, and then takes nothing."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)  # noqa: FBT003
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, ("127.0.0.1", served.port))
    await loop.sock_sendall(line, request)
    return line


async def talk(served: Served, claim: Claim, count: int) -> None:
    """The crew says much: more than any buffer on the way holds."""
    for number in range(1, count + 1):
        task, crew = ids.part_id(claim.run.id, "task", number), ids.part_id(claim.run.id, "crew")
        words = f"{number} " + "many words " * 9000
        event = TaskCompleted(crew_id=crew, task_id=task, task=words, number=number, total=count)
        await served.store.events.append(claim, event)


@pytest.mark.parametrize("request_", STUCK.values(), ids=STUCK)
async def test_a_client_that_takes_nothing_is_cut_off_and_costs_nobody_anything(
    request_: bytes, hasty: Served
) -> None:
    claim = await hasty.started()
    lines = [await stuck(hasty, request_ % claim.run.id.encode()) for _ in range(2)]
    healthy = asyncio.create_task(all_of(over_sse(hasty, f"/{claim.run.id}")))
    await asyncio.sleep(0.1)
    await talk(hasty, claim, 40)
    await hasty.store.queue.finish(claim, result="Done.")
    assert [json.loads(data)["seq"] for data, _ in await healthy] == list(range(1, 43))
    for line in lines:
        assert b"Done." not in await asyncio.wait_for(_rest(line), WITHIN)


async def _rest(line: socket.socket) -> bytes:
    """What still arrives, once it reads again, until the connection ends."""
    await asyncio.sleep(PATIENCE * 1.2)  # it is over by now
    return await _until_closed(line)


async def _until_closed(line: socket.socket) -> bytes:
    got, loop = b"", asyncio.get_running_loop()
    with line:
        try:
            while chunk := await loop.sock_recv(line, 1 << 20):
                got += chunk
        except ConnectionError:
            return got
    return got


LAST = {
    "a refused WebSocket": b"GET /ws/human-input/none HTTP/1.1\r\n" + HOST + UPGRADE,
    "HTTP/2 without TLS": b"GET /openapi.json HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "an upgrade of nothing": b"GET /nothing HTTP/1.1\r\n" + HOST + UPGRADE,
}
"""Requests for another protocol, after whose answers the connection can't be used again."""


@pytest.mark.parametrize("request_", LAST.values(), ids=LAST)
async def test_an_answer_after_which_the_connection_is_closed_says_so(request_: bytes, hasty: Served) -> None:
    """A client that isn't told would send its next request into what is closed."""
    line = await stuck(hasty, request_ + b"\r\n")
    head, _, _ = (await asyncio.wait_for(_until_closed(line), WITHIN)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 ")
    assert b"\r\nconnection: close" in head.lower()


@pytest.mark.parametrize("what", ["answers", "download"])
async def test_who_takes_nothing_of_an_answer_is_disconnected(
    what: str, hasty: Served, caplog: pytest.LogCaptureFixture
) -> None:
    path, times = "/openapi.json", 200
    if what == "download":
        claim, content = await hasty.started(), b"x" * (16 << 20)
        file = stored_file("big.bin", content)
        await hasty.store.files.attach(claim, file, content)
        path, times = f"/runs/{claim.run.id}/files/{file.id}", 1
    caplog.set_level(logging.INFO)
    with capture_logs() as said:
        line = await stuck(hasty, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * times)
        await eventually(lambda: _connected(hasty))
        await eventually(lambda: _disconnected(hasty))
    assert _loud(said, caplog) == []
    line.close()


async def test_who_takes_an_answer_slowly_gets_all_of_it(store: RedisStore) -> None:
    async with serve(store, {}, idle_for=3.0) as served:
        await store.catalogue.announce("here", [DEMO])
        claim, content = await served.started(), b"x" * (8 << 20)
        file = stored_file("big.bin", content)
        await store.files.attach(claim, file, content)
        path = f"/runs/{claim.run.id}/files/{file.id}"
        line = await stuck(
            served, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        got, loop = 0, asyncio.get_running_loop()
        began = loop.time()
        with line:
            while some := await loop.sock_recv(line, 1 << 16):
                got += len(some)
                in_time = began + 8.0 * got / len(content)
                await asyncio.sleep(max(0.0, in_time - loop.time()))
        assert got > len(content)


async def _connected(served: Served) -> bool:
    """Whether the server has a connection, in this process."""
    found = psutil.Process().net_connections("tcp")
    return any(each.laddr[1] == served.port and each.status == psutil.CONN_ESTABLISHED for each in found)


async def _disconnected(served: Served) -> bool:
    return not await _connected(served)


async def test_a_stuck_websocket_does_not_hold_up_the_end_of_the_server(store: RedisStore) -> None:
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, {}, finish_within=2.0) as served:
        claim = await served.started()
        line = await stuck(served, STUCK["websocket"] % claim.run.id.encode())
        await talk(served, claim, 60)
        await asyncio.sleep(0.3)
        began = time.monotonic()
    assert time.monotonic() - began < StreamTimings().send_within
    line.close()


async def _until_cut(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server hangs up; a byte that is sent just then turns its goodbye into a reset."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while some := await reader.read(4096):
            heard += some
    return heard


@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"], ids=["new", "kept"])
async def test_headers_that_come_byte_by_byte_are_not_waited_for(before: bytes, hasty: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    writer.write(before)
    reading = asyncio.create_task(_until_cut(reader))
    began = time.monotonic()
    for letter in (
        b"GET /runs HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000
    ):  # this would take a minute
        writer.write(bytes([letter]))
        if (await asyncio.wait([reading], timeout=0.05))[0]:
            break
    assert time.monotonic() - began < 30
    with_answer = await asyncio.wait_for(reading, WITHIN)
    assert with_answer.count(b"HTTP/1.1 ") == (1 if before else 0)
    writer.close()


NONSENSE = {
    "tls": b"\x16\x03\x01\x00\xff\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "header": b"GET /runs HTTP/1.1\r\n" + HOST + b"Bad Header : x\r\n\r\n",
    "long line": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n",
    "address": b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n",
    "negative length": START + b"Content-Length: -5\r\n\r\n",
    "two lengths": START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    "chunks": START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "compressed": START + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
    "unknown encoding": START + b"Content-Encoding: xx\r\nContent-Length: 2\r\n\r\n{}",
    "no websocket": b"GET /ws/human-input HTTP/1.1\r\n" + HOST + b"\r\n",
    "old websocket": b"GET /ws/human-input HTTP/1.1\r\n" + HOST + UPGRADE.replace(b"13", b"1") + b"\r\n",
    "origin": b"GET /runs HTTP/1.1\r\n" + HOST + b"Origin: http://[\r\n\r\n",
    "cookies": b"GET /runs HTTP/1.1\r\n" + HOST + b"Origin: http://x\r\nCookie: a=\xff; ;;=\r\n\r\n",
    "type": START.replace(b"application/json", b";/\xff") + b"Content-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_the_clients_mistake_and_fills_no_log(
    nonsense: bytes, hasty: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with capture_logs() as said:
        reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
        writer.write(nonsense)
        answer = await asyncio.wait_for(reader.read(), WITHIN)
        writer.close()
    status = int(answer.split(b" ", 2)[1])
    assert 400 <= status < 500, answer
    for word in (b"aiohttp", b"ython", b"Traceback"):
        assert word not in answer
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (problem["status"], f"/docs#{problem['code']}") == (status, problem["type"])
    assert b"\r\nContent-Type: application/problem+json\r\n" in answer
    assert _loud(said, caplog) == []


async def test_who_hangs_up_in_the_midst_of_a_request_fills_no_log(
    hasty: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    claim = await hasty.started()
    with capture_logs() as said:
        for unfinished in (
            START + b"Content-Length: 50\r\n\r\nabcde",
            START + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            *(request % claim.run.id.encode() for request in STUCK.values()),
            b"GET /poll/human-input/%b?wait=9 HTTP/1.1\r\n" % claim.run.id.encode() + HOST + b"\r\n",
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
            writer.write(unfinished)
            await asyncio.sleep(0.05)
            writer.transport.abort()
        await asyncio.sleep(0.2)
        await hasty.store.queue.finish(claim, result="x")
        assert (await hasty.get("/runs")).status_code == 200
    assert _loud(said, caplog) == []


def _loud(said: Sequence[Mapping[str, object]], caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an operator would read, by default."""
    ours = [str(line["event"]) for line in said if line["log_level"] != "debug"]
    return ours + [record.getMessage() for record in caplog.records if record.name.startswith("aiohttp")]

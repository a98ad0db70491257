"""While Redis hangs, is gone, full or read-only, every operation says so soon, and works again afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from bot.core.files import stored_file
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import DEMO
from tests.contract.http.served import KEYS, Served, bearer, serve
from tests.contract.servers import Server, until
from tests.folders import own_folder
from tests.ports import HOST, reserved

SOON_S = 10.0
"""Seconds: twice what a hanging Redis is given, which is a third of what its commands' retries took once."""
KNOWN = {("get", "/health"), ("get", "/me"), ("get", "/crews"), ("post", "/questions/{question_id}/opened")}
"""What needs no store, is answered from memory, or is refused to keys."""
DIGEST = "sha256:" + 64 * "0"
BODIES: dict[str, object] = {
    "/crew/start": {"crew": "demo"},
    "/questions/{question_id}/answer": {"action": "approve"},
    "/questions/{question_id}/opened": {"digest": DIGEST},
    "/{run_id}/input": {"response": "yes"},
    "/me/identities": {"code": "ABCDE-FGHIJ"},
    "/me/identities/bearer": {"code": "ABCDE-FGHIJ"},
}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
QUERIES = {("delete", "/me/identities"): {"identity": "slack:T1:U1"}, ("post", "/files"): {"name": "a.txt"}}
Operation = tuple[str, str]
"""Method and path."""
Trouble = Callable[[Server], AbstractContextManager[None]]


@pytest.fixture
def own_server() -> Iterator[Server]:
    with (
        own_folder() as folder,
        reserved(1) as [port],
        Server(folder, port) as server,
    ):
        yield server


@pytest.fixture
async def store(own_server: Server) -> AsyncIterator[RedisStore]:
    async with open_store(own_server.url) as opened:
        yield opened


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def gone(server: Server) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()
        until(lambda: server.info("server", "redis_version"), "a server that answers")


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    server.tell("REPLICAOF", HOST, 1)
    try:
        yield
    finally:
        server.tell("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize("trouble", [hanging, gone, read_only])
async def test_every_operation_says_soon_that_redis_is_away_and_then_goes_on(
    trouble: Trouble, own_server: Server, store: RedisStore
) -> None:
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, KEYS | {"CREWDECK_RATE_LIMIT": "10000"}) as served:
        claim = await served.started(headers=bearer("ops"))
        question = await served.ask(claim)
        file = stored_file("a.txt", b"x")
        await store.files.attach(claim, file, b"x")
        ids = {"question_id": question.id, "file_id": file.id}
        ids |= {"run_id": claim.run.id, "execution_id": claim.run.id}
        operations = await documented(served)
        with trouble(own_server):
            answers = await asyncio.gather(*(asked(served, each, ids) for each in operations))
        for operation, (status, seconds) in zip(operations, answers, strict=True):
            assert seconds < SOON_S, operation
            if trouble is not read_only:
                assert status == 503 or operation in KNOWN, operation
            elif operation[0] == "get":
                assert status in {101, 200}, operation
            else:
                assert status in {403, 404, 409, 503}, operation
        assert (await store.questions.get(claim.run.id, question.id)).open
        answer = {"action": "approve"}
        settled = await served.post(f"/questions/{question.id}/answer", answer, headers=bearer("ops"))
        assert settled.json()["status"] == "settled", settled.text
        await served.store.queue.finish(claim, result="x")
        await served.start(headers=bearer("ops"))


async def documented(served: Served) -> list[Operation]:
    paths = (await served.get("/openapi.json")).json()["paths"]
    return [
        (method, path)
        for path, item in paths.items()
        for method in item
        if method in {"get", "post", "delete"}
    ]


async def asked(served: Served, operation: Operation, ids: Mapping[str, str]) -> tuple[int, float]:
    """The status, and after how many seconds it was there. What a stream would send isn't awaited."""
    method, path = operation
    request = served.client.build_request(
        method,
        path.format(**ids),
        json=BODIES.get(path) if method == "post" else None,
        params=QUERIES.get(operation),
        headers=bearer("ops") | (UPGRADE if path.startswith("/ws/") else {}),
    )
    began = time.monotonic()
    answer = await served.client.send(request, stream=True)
    seconds = time.monotonic() - began
    if answer.status_code == 503:
        await answer.aread()
        assert answer.json()["code"] == "store_unavailable", answer.text
        assert int(answer.headers["Retry-After"]) > 0
    await answer.aclose()
    return answer.status_code, seconds

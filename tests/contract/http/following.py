"""Clients that people use, following a stream: each yields the objects it is sent, as bytes, and cursors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import websockets
from httpx_sse import aconnect_sse

from tests.contract.http.served import Served, http_client
from tests.waiting import WITHIN

Sent = tuple[bytes, str]
"""An object, and where a client goes on that has seen it."""
Follow = Callable[[Served, str, str], AsyncIterator[Sent]]

RUN_OVER = {"run_completed", "run_failed", "run_cancelled"}


async def over_sse(served: Served, path: str, cursor: str = "") -> AsyncIterator[Sent]:
    headers = {"Last-Event-ID": cursor} if cursor else {}
    url = f"{served.url}/events/human-input{path}"
    async with (
        http_client(served.url, WITHIN, served.headers) as client,
        aconnect_sse(client, "GET", url, headers=headers) as source,
    ):
        async for event in source.aiter_sse():
            body = json.loads(event.data)
            if body["type"] != "heartbeat":
                assert event.event == body["type"]
                yield event.data.encode(), event.id


async def over_websocket(served: Served, path: str, cursor: str = "") -> AsyncIterator[Sent]:
    query = f"?last_event_id={cursor}" if cursor else ""
    url = f"{served.ws_url}/ws/human-input{path}{query}"
    async with websockets.connect(url, proxy=None, additional_headers=served.headers) as socket:
        async for message in socket:
            assert isinstance(message, str)
            yield message.encode(), _cursor(json.loads(message))


async def over_poll(served: Served, path: str, cursor: str = "") -> AsyncIterator[Sent]:
    async with http_client(served.url, WITHIN, served.headers) as client:
        while True:
            query = {"wait": "20"} | ({"last_event_id": cursor} if cursor else {})
            answer = await client.get(f"/poll/human-input{path}", params=query)
            assert answer.status_code == 200, answer.text
            objects = _objects(answer.content)
            for each in objects:
                cursor = _cursor(json.loads(each)) or cursor
                yield each, cursor
            if not objects or json.loads(objects[-1])["type"] in RUN_OVER:
                return


TRANSPORTS: dict[str, Follow] = {"sse": over_sse, "websocket": over_websocket, "poll": over_poll}


def _cursor(body: dict[str, Any]) -> str:
    return str(body.get("cursor") or body.get("event_id") or "")


def _objects(content: bytes) -> list[bytes]:
    """The very bytes of each event in a poll's answer."""
    prefix, suffix = b'{"events":[', b"]}"
    assert content.startswith(prefix)
    assert content.endswith(suffix)
    text, found, decoder, at = content[len(prefix) : -len(suffix)].decode(), [], json.JSONDecoder(), 0
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = end + 1
    return found


async def all_of(follow: AsyncIterator[Sent]) -> list[Sent]:
    """Everything until the stream ends."""
    return [each async for each in follow]


async def some_of(follow: AsyncIterator[Sent], count: int) -> list[Sent]:
    """The first objects; then the connection is cut."""
    found: list[Sent] = []
    if count == 0:
        return found
    async with aclosing(follow) as stream:  # type: ignore[type-var]
        async for each in stream:
            found.append(each)
            if len(found) >= count:
                break
    return found

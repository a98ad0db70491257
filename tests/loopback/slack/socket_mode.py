"""Socket Mode: tickets, hello, envelopes and their acknowledgements, refreshes."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from typing import Any

from aiohttp import WSMsgType, web

from tests.loopback.slack.calls import Changes
from tests.loopback.slack.transport import Parcel, Receipt, within
from tests.loopback.slack.wire import Body


class Sockets:
    """The app's open WebSockets. Each parcel goes to one of them, in turn, as Slack spreads them."""

    def __init__(self, changes: Changes, ack_seconds: float) -> None:
        self.base_url = ""
        self.ack_seconds = ack_seconds
        self.app_id = "A0CREW"
        self.open: list[web.WebSocketResponse] = []
        #: Every acknowledgement that came, late ones and repeated ones too.
        self.acknowledged: list[Body] = []
        self._tickets: set[str] = set()
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._turn = itertools.count()
        self._changes = changes

    def new_url(self) -> str:
        """What apps.connections.open hands out."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return f"{self.base_url}/link/?ticket={ticket}&app_id={self.app_id}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ticket") not in self._tickets:
            return web.Response(status=401, text="invalid ticket")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open.append(socket)
        try:
            await socket.send_json(self._hello())
            self._changes.notify()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(json.loads(message.data))
        finally:
            self._forget(socket)
        return socket

    def _hello(self) -> Body:
        return {
            "type": "hello",
            "num_connections": len(self.open),
            "debug_info": {
                "host": "applink-loopback",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
            "connection_info": {"app_id": self.app_id},
        }

    def _receive(self, message: Body) -> None:
        self.acknowledged.append(message)
        pending = self._pending.get(message.get("envelope_id", ""))
        if pending is not None and not pending.done():
            pending.set_result(message.get("payload"))
        self._changes.notify()

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if socket in self.open:
            self.open.remove(socket)
        self._changes.notify()

    async def send(self, parcel: Parcel) -> Receipt:
        if not self.open:
            return Receipt(None, None, 0.0, "no socket is connected")
        socket = self.open[next(self._turn) % len(self.open)]
        acknowledged = asyncio.get_running_loop().create_future()
        self._pending[parcel.envelope_id] = acknowledged
        try:
            await socket.send_json(envelope(parcel))
            return await within(self.ack_seconds, acknowledged)
        except ConnectionError as failure:
            return Receipt(None, None, 0.0, type(failure).__name__)
        finally:
            self._pending.pop(parcel.envelope_id, None)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Asks each client to open a new connection, as Slack does now and then."""
        notice = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-loopback"}}
        for socket in tuple(self.open):
            await socket.send_json(notice)

    async def drop(self) -> None:
        """Closes every connection."""
        for socket in tuple(self.open):
            self._forget(socket)
            await socket.close()


def envelope(parcel: Parcel) -> Body:
    body: Body = {
        "envelope_id": parcel.envelope_id,
        "payload": parcel.payload,
        "type": parcel.kind,
        "accepts_response_payload": parcel.kind != "events_api",
    }
    if parcel.kind == "events_api":
        body |= {"retry_attempt": parcel.attempt, "retry_reason": parcel.reason}
    return body

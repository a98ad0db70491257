"""Socket Mode: the same deliveries over a WebSocket that we open, for machines that Slack can't reach."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.surfaces.chat.presence import Presence
from bot.surfaces.slack.inbound.bolt import ENVELOPES, Dispatcher, kind_of

log = structlog.get_logger(__name__)

PING = 5.0
"""Seconds between pings, and before a failed connection is tried again."""
FAREWELL = 1.0
"""Seconds that Slack gets to confirm that the connection ends; aiohttp alone would wait for 10."""
DRAIN = 2.5
"""Seconds that deliveries under way get to be acknowledged when we leave."""


class SocketMode:
    """One connection, kept up. Envelopes arrive in no order and all at once."""

    def __init__(
        self, app_token: str, web: AsyncWebClient, dispatcher: Dispatcher, presence: Presence
    ) -> None:
        self._token = app_token
        self._web = web
        self._dispatcher = dispatcher
        self._presence = presence
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._leaving = False
        self._replaced = False
        self._client: SocketModeClient | None = None

    @property
    def up(self) -> bool:
        session = self._client.current_session if self._client else None
        return session is not None and not session.closed

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connect, again and again where need be, while the block runs; then drain and close."""
        logger = logging.getLogger("crewdeck.socket_mode")
        logger.setLevel(logging.CRITICAL)  # each failed try would be a traceback; `_watch` says it in a line
        client = SocketModeClient(
            app_token=self._token,
            web_client=self._web,
            logger=logger,
            ping_interval=PING,
            proxy=self._web.proxy,
        )
        # Given no proxy, the client takes the environment's; but the Web API's rule holds here too.
        client.proxy = self._web.proxy
        client.message_listeners.append(self._greeted)
        client.socket_mode_request_listeners.append(self._receive)
        self._client = client
        try:
            async with asyncio.TaskGroup() as group:
                connecting = client.connect()  # type: ignore[no-untyped-call]
                tasks = [group.create_task(connecting), group.create_task(self._watch(client))]
                try:
                    yield
                finally:
                    await self._drain()
                    for task in tasks:
                        task.cancel()
        finally:
            await _leave(client)

    async def _drain(self) -> None:
        """Nothing new is taken (Slack delivers it again, elsewhere); what is under way is acknowledged."""
        self._leaving = True
        try:
            async with asyncio.timeout(DRAIN):
                await self._idle.wait()
        except TimeoutError:
            log.warning("deliveries were left without acknowledgement", count=self._under_way)

    async def _receive(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        if self._leaving:
            return
        started = time.time()
        self._under_way += 1
        self._idle.clear()
        try:
            response = await self._dispatcher.dispatch(_opened(request))
            await send_async_response(client, request, response, started)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _greeted(
        self, _client: AsyncBaseSocketModeClient, message: dict[str, Any], _raw: str | None
    ) -> None:
        if message.get("type") != "hello":
            return
        connections = int(message.get("num_connections", 1))
        log.info("Socket Mode is connected", connections=connections)
        # Slack asks for a new connection now and then, and may still count the one that it replaces.
        expected = self._presence.count + self._replaced
        self._replaced = True
        if connections > expected:
            log.warning(
                "Slack counts more connections of this app than there are web processes: what is pressed may "
                "go to the others. Is another copy running? Ghost connections end after minutes.",
                connections=connections,
                web_processes=self._presence.count,
            )

    async def _watch(self, client: SocketModeClient) -> None:
        """A ticket is good for one connection, at once: with a stale one the client would knock for ever."""
        was_up = True
        while True:
            await asyncio.sleep(PING)
            if self.up != was_up:
                was_up = self.up
                log.info("Socket Mode is connected again") if was_up else log.warning(
                    "Socket Mode is not connected"
                )
            if not was_up:
                client.wss_uri = None


def _opened(request: SocketModeRequest) -> dict[str, Any]:
    """What is in an envelope; nothing, if its kind holds no such thing: that is only acknowledged."""
    payload = request.payload
    if kind_of(payload) in ENVELOPES.get(request.type, frozenset()):
        return payload
    return {}


async def _leave(client: SocketModeClient) -> None:
    """Close the connection, whether or not anybody is at its other end."""
    client.closed = True  # or it would connect again
    try:
        async with asyncio.timeout(FAREWELL):
            await client.disconnect()  # type: ignore[no-untyped-call]
    except TimeoutError:
        log.info("Slack did not confirm the end of the connection")
    finally:
        await client.close()  # type: ignore[no-untyped-call]

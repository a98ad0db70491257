"""Socket Mode: the same requests over a WebSocket that we open, for machines that Slack can't reach."""

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
from bot.tasks import run_alongside

log = structlog.get_logger(__name__)

PING_INTERVAL_S = 5.0
"""Also the delay before a failed connection is retried."""
CLOSE_TIMEOUT_S = 1.0
"""How long Slack may take to confirm that the connection ends; aiohttp alone would wait for 10 s."""
DRAIN_TIMEOUT_S = 2.5
"""How long requests under way may take to be acknowledged at the end."""


class SocketMode:
    """One connection, kept open. Envelopes arrive concurrently and in any order."""

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
        """Stay connected while the block runs; then drain and close."""
        logger = logging.getLogger("crewdeck.socket_mode")
        logger.setLevel(logging.CRITICAL)  # each failed try would be a traceback; `_watch` says it in a line
        client = SocketModeClient(
            app_token=self._token,
            web_client=self._web,
            logger=logger,
            ping_interval=PING_INTERVAL_S,
            proxy=self._web.proxy,
        )
        # Given no proxy, the client takes the environment's; but the Web API's rule holds here too.
        client.proxy = self._web.proxy
        client.message_listeners.append(self._log_connections)
        client.socket_mode_request_listeners.append(self._receive)
        self._client = client
        try:
            connecting = client.connect()  # type: ignore[no-untyped-call]
            async with run_alongside(connecting, self._watch(client)):
                try:
                    yield
                finally:
                    await self._drain()
        finally:
            await _leave(client)

    async def _drain(self) -> None:
        """Take nothing new (Slack delivers it again, elsewhere), and acknowledge what is under way."""
        self._leaving = True
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("requests were left without acknowledgement", count=self._under_way)

    async def _receive(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        if self._leaving:
            return
        started = time.time()
        self._under_way += 1
        self._idle.clear()
        try:
            response = await self._dispatcher.dispatch(_payload_of(request))
            await send_async_response(client, request, response, started)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _log_connections(
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
        """Log whether it is connected. A URL is good for one connection, at once: a stale one is dropped."""
        was_up = True
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            if self.up != was_up:
                was_up = self.up
                log.info("Socket Mode is connected again") if was_up else log.warning(
                    "Socket Mode is not connected"
                )
            if not was_up:
                client.wss_uri = None


def _payload_of(request: SocketModeRequest) -> dict[str, Any]:
    """The payload of an envelope; empty if its kind isn't handled, so that it is only acknowledged."""
    payload = request.payload
    if kind_of(payload) in ENVELOPES.get(request.type, frozenset()):
        return payload
    return {}


async def _leave(client: SocketModeClient) -> None:
    """Close the connection, whether or not anybody is at its other end."""
    client.closed = True  # or it would connect again
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.disconnect()  # type: ignore[no-untyped-call]
    except TimeoutError:
        log.info("Slack did not confirm the end of the connection")
    finally:
        await client.close()  # type: ignore[no-untyped-call]

"""The request URL: commands, events and interactions over HTTP."""

from __future__ import annotations

import asyncio
import time

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response

from bot.core.errors import StoreUnavailable
from bot.core.ports import KeyValueStore
from bot.surfaces.slack.inbound import guard
from bot.surfaces.slack.inbound.bolt import Dispatcher

log = structlog.get_logger(__name__)

PATH = "/slack/events"
SIGNATURE_TTL_S = 2.0 * guard.TIMESTAMP_TOLERANCE_S
"""A signature is valid for this long: its timestamp may be in the future by as much as in the past."""
STORE_TIMEOUT_S = 0.5
"""How long the store may take to say whether a request is a replay."""


class RequestUrl:
    """Accepts what Slack signed, once, and nothing else."""

    def __init__(self, signing_secret: str, dispatcher: Dispatcher, key_values: KeyValueStore) -> None:
        self._secret = signing_secret
        self._dispatcher = dispatcher
        self._key_values = key_values

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Slack's answer, or 400, 401, 413. A replay is acknowledged, and nothing is done."""
        try:
            checked = guard.check(self._secret, request.headers, await request.read(), time.time())
        except guard.Unacceptable as wrong:
            log.info("a request was refused", status=wrong.status, why=str(wrong))
            return web.Response(status=wrong.status, text=str(wrong))
        match checked.payload:
            case {"type": "url_verification", **rest}:
                return web.json_response({"challenge": str(rest.get("challenge", ""))})
            case {"ssl_check": _}:
                return web.Response()
            case _:
                return await self._once(checked)

    async def _once(self, checked: guard.Checked) -> web.Response:
        name = f"slack:signature:{checked.signature}"
        if not await self._first(name):
            log.warning("a request of Slack's was sent again with the same signature: nothing is done")
            return web.Response()
        response = await self._dispatcher.dispatch(checked.payload)
        if response.status >= web.HTTPInternalServerError.status_code:
            await self._forget(name)
        return await to_aiohttp_response(response)

    async def _first(self, name: str) -> bool:
        """True while the store is away: then the request fails, and the person is told so."""
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                return await self._key_values.once(name, SIGNATURE_TTL_S)
        except (StoreUnavailable, TimeoutError):
            return True

    async def _forget(self, name: str) -> None:
        """It was not handled: it may be sent again with the same signature."""
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._key_values.delete(name)
        except (StoreUnavailable, TimeoutError):
            log.info("the store is away: a request is not taken with the same signature again")

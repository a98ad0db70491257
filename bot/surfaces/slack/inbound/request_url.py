"""The request URL: commands, events and interactions over HTTP."""

from __future__ import annotations

import time

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response

from bot.surfaces.slack.inbound import guard
from bot.surfaces.slack.inbound.bolt import Dispatcher

log = structlog.get_logger(__name__)

PATH = "/slack/events"


class RequestUrl:
    """Takes what Slack signed, and nothing else."""

    def __init__(self, signing_secret: str, dispatcher: Dispatcher) -> None:
        self._secret = signing_secret
        self._dispatcher = dispatcher

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Slack's answer, or 400, 401, 413."""
        try:
            checked = guard.check(self._secret, request.headers, await request.read(), time.time())
        except guard.Unacceptable as wrong:
            log.info("a request was turned away", status=wrong.status, why=str(wrong))
            return web.Response(status=wrong.status, text=str(wrong))
        match checked.kind:
            case "url_verification":
                return web.json_response({"challenge": str(checked.payload.get("challenge", ""))})
            case "ssl_check":
                return web.Response()
            case _:
                return await to_aiohttp_response(await self._dispatcher.dispatch(checked.payload))

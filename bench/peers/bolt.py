"""A bare Bolt application on aiohttp that only acknowledges, as its documentation writes it."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bench.peers import json_lines


async def main(token: str, secret: str, api_url: str) -> None:
    app = AsyncApp(signing_secret=secret, client=AsyncWebClient(token, base_url=api_url))

    @app.command("/crew")
    async def acknowledge(ack: AsyncAck) -> None:
        await ack()

    runner = web.AppRunner(app.web_app("/slack/events"), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    json_lines.say(url=f"http://{host}:{port}/slack/events")
    async for _ in json_lines.requests():
        pass
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""The honest floor of whatever is accepted: an aiohttp endpoint that writes one entry to the same Valkey.

It reads the JSON, appends it to a stream, and answers once the server has it on disk (append-only, fsync
always).
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from redis.asyncio import Redis

from bench.peers import json_lines

STREAM = "bench:entries"


async def main(url: str) -> None:
    async with Redis.from_url(url) as redis:

        async def accept(request: web.Request) -> web.Response:
            await request.json()
            await redis.xadd(STREAM, {"body": await request.read()})
            return web.json_response({"status": "queued"}, status=202)

        app = web.Application()
        app.add_routes([web.post("/entries", accept)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        host, port = runner.addresses[0][:2]
        json_lines.say(url=f"http://{host}:{port}/entries")
        async for _ in json_lines.requests():
            pass
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""A bare aiohttp server: streams that fan out from memory, and a start that only says 202."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiohttp import web

from bench.peers import json_lines


class Topic:
    """What happened, encoded once, for all who follow."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._changed = asyncio.Event()

    def publish(self, message: bytes) -> None:
        self._messages.append(message)
        self._changed.set()
        self._changed.clear()

    async def after(self, seen: int) -> Sequence[bytes]:
        """What follows the first `seen` messages, as soon as there is something."""
        if len(self._messages) <= seen:
            await self._changed.wait()
        return self._messages[seen:]


class Streams:
    """The same event over three transports."""

    def __init__(self) -> None:
        self.topic = Topic()

    async def sse(self, request: web.Request) -> web.StreamResponse:
        topic, seen = self.topic, 0
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            for message in await topic.after(seen):
                seen += 1
                await response.write(b"data: " + message + b"\n\n")

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse(compress=False)
        await response.prepare(request)
        sending = asyncio.create_task(self._send(response))
        async for _ in response:
            pass
        sending.cancel()
        return response

    async def _send(self, response: web.WebSocketResponse) -> None:
        topic, seen = self.topic, 0
        while True:
            for message in await topic.after(seen):
                seen += 1
                await response.send_str(message.decode())

    async def poll(self, request: web.Request) -> web.Response:
        # An event's id ends with its number.
        messages = await self.topic.after(int(request.query["last_event_id"][-8:] or "0", 16))
        body = b'{"events":[' + b",".join(messages) + b"]}"
        return web.Response(body=body, content_type="application/json")


async def start(request: web.Request) -> web.Response:
    await request.json()
    return web.json_response({"status": "queued"}, status=202)


async def main() -> None:
    streams = Streams()
    app = web.Application()
    app.add_routes(
        [
            web.get("/events/human-input/{run_id}", streams.sse),
            web.get("/ws/human-input/{run_id}", streams.websocket),
            web.get("/poll/human-input/{run_id}", streams.poll),
            web.post("/crew/start", start),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    json_lines.say(url=f"http://{host}:{port}")
    async for asked in json_lines.requests():
        match asked:
            case {"begin": message}:
                streams.topic = Topic()
                streams.topic.publish(message.encode())
                json_lines.say(begun=True)
            case {"publish": message}:
                published = time.time()
                streams.topic.publish(message.encode())
                json_lines.say(at=published)


if __name__ == "__main__":
    asyncio.run(main())

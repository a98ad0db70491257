"""An agent elsewhere, which speaks A2A."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Peer:
    """An agent on 127.0.0.1 that speaks A2A 0.3 by JSON-RPC. `async with Peer() as peer:`"""

    #: The methods that were called, and how often its card was read.
    called: Counter[str] = field(default_factory=Counter)
    #: What it was told.
    heard: list[str] = field(default_factory=list)
    #: Its answers wait for this.
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether it fails to say what it is.
    down: bool = False
    #: The extension of A2A that it insists on.
    requires: str = ""
    url: str = ""

    async def __aenter__(self) -> Self:
        self.answers.set()
        application = web.Application()
        application.router.add_get("/.well-known/agent-card.json", self._card)
        application.router.add_post("/", self._call)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.answers.set()
        await self._runner.cleanup()

    async def _card(self, _request: web.Request) -> web.Response:
        self.called["card"] += 1
        if self.down:
            raise web.HTTPServiceUnavailable
        extensions = [{"uri": self.requires, "required": True}] if self.requires else []
        skill = {"id": "tides", "name": "Tides", "description": "Knows tides.", "tags": ["sea"]}
        return web.json_response(
            {
                "protocolVersion": "0.3.0",
                "name": "Harbour",
                "description": f"Knows the sea, as it said {self.called['card']} times.",
                "url": self.url,
                "version": "1",
                "capabilities": {"streaming": True, "extensions": extensions},
                "defaultInputModes": ["text/plain"],
                "defaultOutputModes": ["application/json", "text/plain"],
                "skills": [skill],
            }
        )

    async def _call(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.called[asked["method"]] += 1
        match asked["method"]:
            case "message/stream":
                self._hear(asked)
                await self.answers.wait()
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await response.prepare(request)
                done = self._task("completed")
                changed = {"kind": "status-update", "taskId": done["id"], "contextId": done["contextId"]}
                for result in (self._task("working"), changed | {"status": done["status"], "final": True}):
                    event = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
                    await response.write(f"data: {json.dumps(event)}\n\n".encode())
                return response
            case "message/send":
                self._hear(asked)
                return web.json_response(
                    {"jsonrpc": "2.0", "id": asked["id"], "result": self._task("working")}
                )
            case _:
                await self.answers.wait()
                state = "working" if self.called["tasks/get"] == 1 else "completed"
                return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": self._task(state)})

    def _hear(self, asked: dict[str, Any]) -> None:
        self.heard.append(asked["params"]["message"]["parts"][0]["text"])

    def _task(self, state: str) -> dict[str, Any]:
        task: dict[str, Any] = {
            "kind": "task",
            "id": "task-1",
            "contextId": "talk-1",
            "status": {"state": state},
        }
        if state == "completed":
            said = {
                "kind": "message",
                "role": "agent",
                "messageId": f"answer-{len(self.heard)}",
                "taskId": "task-1",
                "contextId": "talk-1",
                "parts": [{"kind": "text", "text": f"High water at {len(self.heard)}"}],
            }
            task |= {"history": [said], "status": {"state": state, "message": said}}
        return task

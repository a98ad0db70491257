"""A model provider that lives on 127.0.0.1 and speaks OpenAI's chat completions, following a script.

In a test:

    async with LoopbackModel() as model:                 # OPENAI_BASE_URL / OPENAI_API_BASE = model.base_url
        model.script("tides", [call("ask_human", question="Which tone?"), say("Done: plain.")])
        ...                                              # a prompt with [[tides]] follows that script
        model.requests, model.count("tides")
        model.fail(429, times=2)                         # and model.delay(0.5)

As a process: `python -m tests.loopback.models PORT SCRIPT.json`, where SCRIPT.json is
`{"tides": [{"calls": [["ask_human", {"question": "..."}]]}, {"say": "Done."}], ...}`. Port 0 picks a free
one; the first line of output is the base URL.

A turn is chosen by how many assistant messages the conversation has, so that one that is replayed, or
continued by another process, gets the same turns. After the last turn the last one is repeated.
`{last}` in what a turn says becomes the last tool result (or, in ReAct, the last observation).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Middleware

Body = dict[str, Any]
MARKER = re.compile(r"\[\[([\w-]+)\]\]")
DEFAULT = "default"


@dataclass(frozen=True)
class Turn:
    """What the model answers once: words, or calls of tools (name, arguments)."""

    text: str | None = None
    calls: tuple[tuple[str, Any], ...] = ()

    def __and__(self, other: Turn) -> Turn:
        """Both in one turn: `call("a") & call("b")`."""
        return Turn(self.text or other.text, self.calls + other.calls)


@dataclass(frozen=True)
class Failure:
    status: int
    retry_after: float | None = None


@dataclass(frozen=True)
class Conversation:
    """One request as a script function sees it."""

    marker: str
    messages: list[Body]
    body: Body

    @property
    def answered(self) -> int:
        """How many turns of this conversation the model has taken."""
        return sum(1 for message in self.messages if message["role"] == "assistant")

    @property
    def results(self) -> list[str]:
        """What tools answered, oldest first; in ReAct, the observations."""
        native = [text_of(message) for message in self.messages if message["role"] == "tool"]
        spoken = "\n".join(text_of(m) for m in self.messages if m["role"] in ("assistant", "user"))
        return native or [found.strip() for found in re.findall(r"^Observation: (.+)$", spoken, re.MULTILINE)]


Script = Sequence[Turn] | Callable[[Conversation], Turn]


def say(text: str) -> Turn:
    return Turn(text)


def call(tool: str, **arguments: Any) -> Turn:
    """A native tool call."""
    return Turn(calls=((tool, arguments),))


def react(thought: str, tool: str, **arguments: Any) -> Turn:
    """The same for a model without function calling, in ReAct's words."""
    return Turn(f"Thought: {thought}\nAction: {tool}\nAction Input: {json.dumps(arguments)}")


def final(text: str) -> Turn:
    """A final answer in ReAct's words."""
    return Turn(f"Thought: I now know the final answer\nFinal Answer: {text}")


def text_of(message: Body) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


@dataclass
class Asked:
    """One request to chat/completions: its marker, when it came, what it was answered."""

    marker: str
    body: Body
    authorization: str
    time: float
    turn: Turn | None = None
    status: int | None = None


@dataclass
class LoopbackModel:
    """`async with LoopbackModel() as model:` - see the module's docstring."""

    port: int = 0
    #: aiohttp's: what stands between the caller and the provider.
    middlewares: Sequence[Middleware] = ()
    requests: list[Asked] = field(default_factory=list)
    _scripts: dict[str, Script] = field(default_factory=dict)
    _failures: list[Failure] = field(default_factory=list)
    _seconds: float = 0.0
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 1024 * 1024, middlewares=self.middlewares)
        application.router.add_post("/v1/chat/completions", self._complete)
        application.router.add_get("/v1/models", self._models)
        # When a caller dies, its request ends: failures that are scripted afterwards are for others.
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """What goes into OPENAI_BASE_URL and OPENAI_API_BASE."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, marker: str, turns: Script) -> None:
        """What conversations with `[[marker]]` in a prompt are answered; "default" is for all others."""
        self._scripts[marker] = turns

    def fail(self, status: int, *, times: int = 1, retry_after: float | None = None) -> None:
        """The next requests fail with this HTTP status."""
        self._failures.extend([Failure(status, retry_after)] * times)

    def delay(self, seconds: float) -> None:
        """Every answer takes this long."""
        self._seconds = seconds

    def count(self, marker: str | None = None) -> int:
        """How many requests came (for a marker), failed ones included."""
        return sum(1 for asked in self.requests if marker in (None, asked.marker))

    async def _models(self, _request: web.Request) -> web.Response:
        model = {"id": "loopback", "object": "model", "created": 0, "owned_by": "loopback"}
        return web.json_response({"object": "list", "data": [model]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        marker = marker_of(body["messages"], set(self._scripts))
        asked = Asked(marker, body, request.headers.get("Authorization", ""), time.monotonic())
        self.requests.append(asked)
        await asyncio.sleep(self._seconds)
        if self._failures:
            failure = self._failures.pop(0)
            asked.status = failure.status
            return _failed(failure)
        asked.turn = self._turn(Conversation(marker, body["messages"], body))
        asked.status = 200
        if body.get("stream"):
            return await _streamed(request, asked.turn, body)
        return web.json_response(completion(asked.turn, body))

    def _turn(self, conversation: Conversation) -> Turn:
        script = self._scripts.get(conversation.marker, (say("Final Answer: nothing was scripted."),))
        if callable(script):
            return script(conversation)
        turn = script[min(conversation.answered, len(script) - 1)]
        if turn.text is None or not conversation.results:
            return turn
        return Turn(turn.text.replace("{last}", conversation.results[-1]), turn.calls)


def marker_of(messages: list[Body], known: set[str]) -> str:
    """The marker of a conversation: the last scripted one that its prompts name."""
    prompts = "\n".join(text_of(message) for message in messages if message["role"] in ("system", "user"))
    named = [name for name in MARKER.findall(prompts) if name in known]
    return named[-1] if named else DEFAULT


def completion(turn: Turn, body: Body) -> Body:
    message: Body = {"role": "assistant", "content": turn.text, "refusal": None}
    if turn.calls:
        message["tool_calls"] = tool_calls(turn)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(turn)}
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": usage(turn, body)}


def tool_calls(turn: Turn) -> list[Body]:
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:24]}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for name, arguments in turn.calls
    ]


def finish_reason(turn: Turn) -> str:
    return "tool_calls" if turn.calls else "stop"


def usage(turn: Turn, body: Body) -> Body:
    """About four characters a token, so that longer conversations cost more."""
    prompt = sum(len(text_of(message)) for message in body["messages"]) // 4
    answer = len(turn.text or json.dumps(turn.calls)) // 4
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _head(body: Body, kind: str) -> Body:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": body.get("model", "loopback"),
    }


def _failed(failure: Failure) -> web.Response:
    kinds = {429: "rate_limit_exceeded", 401: "invalid_api_key"}
    code = kinds.get(failure.status, "server_error")
    headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    error = {"message": f"Scripted failure: {code}", "type": code, "param": None, "code": code}
    return web.json_response({"error": error}, status=failure.status, headers=headers)


async def _streamed(request: web.Request, turn: Turn, body: Body) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    head = _head(body, "chat.completion.chunk")
    for delta, finish in deltas(turn):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        await response.write(_line({**head, "choices": [choice]}))
    if (body.get("stream_options") or {}).get("include_usage"):
        await response.write(_line({**head, "choices": [], "usage": usage(turn, body)}))
    await response.write(b"data: [DONE]\n\n")
    return response


def deltas(turn: Turn) -> list[tuple[Body, str | None]]:
    """A turn in pieces: word by word, a tool call at a time."""
    pieces: list[tuple[Body, str | None]] = [({"role": "assistant", "content": ""}, None)]
    pieces += [({"content": word}, None) for word in re.findall(r"\s*\S+", turn.text or "")]
    for number, each in enumerate(tool_calls(turn)):
        pieces.append(({"tool_calls": [{"index": number, **each}]}, None))
    return [*pieces, ({}, finish_reason(turn))]


def _line(chunk: Body) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def scripts_from(path: Path) -> dict[str, list[Turn]]:
    """The scripts of a file, as the process reads them."""
    written = json.loads(path.read_text())
    return {
        marker: [
            Turn(turn.get("say"), tuple((name, given) for name, given in turn.get("calls", [])))
            for turn in turns
        ]
        for marker, turns in written.items()
    }


async def serve(port: int, scripts: dict[str, list[Turn]]) -> None:
    """Runs until cancelled; says where it listens on standard output."""
    async with LoopbackModel(port) as model:
        for marker, turns in scripts.items():
            model.script(marker, turns)
        sys.stdout.write(f"{model.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), scripts_from(Path(sys.argv[2]))))

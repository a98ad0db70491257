"""A proxy between one process and Redis on which each transition can be stopped, before it and after it.

It knows a transition by its fingerprint (`EVALSHA`, or `EVAL` where the server doesn't know the script yet).
Commands of one connection are answered in their order, however many are on their way.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import hiredis

from bot.store import lua
from tests.faults.chaos.boundary import WAKE_UP, WRITTEN
from tests.faults.chaos.connections import Connections, Ends, until_one_ends

SHARED = {"prelude", "rules", "forget", "changes", "nonce"}
"""Parts of several of them."""
TRANSITIONS = (
    frozenset(
        file.name.removesuffix(".lua")
        for file in (resources.files("bot.store") / "scripts").iterdir()
        if file.name.endswith(".lua")
    )
    - SHARED
)
"""All of them: each file is one."""
_BY_SHA = {lua.script(name).sha: name for name in TRANSITIONS}
CHANGES = {"write_journal": 2, "finish": 6}
"""Transitions with changes of a run among their arguments, and where these begin."""
SMALL = "small"
"""Not a transition: it is about one key outside of the shards, and may be lost or come twice."""
_SENT = re.compile(rb"\*\d+\r\n\$(4|7)\r\nEVAL(SHA)?\r\n")
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Passing:
    """A transition on its way."""

    name: str
    #: The base of its shard.
    base: str
    args: tuple[str, ...]

    @property
    def steps(self) -> set[str]:
        """What this is: its name, and what it writes."""
        if self.name not in CHANGES:
            return {self.name}
        changes = _changes(self.args[CHANGES[self.name] :])
        return {self.name} | {
            step for step, form in WRITTEN.items() if any(re.fullmatch(form, each) for each in changes)
        }


def _changes(words: tuple[str, ...]) -> list[str]:
    """The kind and the name of each change, as `changes.lua` reads them."""
    found, at = [], 0
    while at < len(words):
        found.append(f"{words[at]} {words[at + 1]}")
        at += 2 + int(words[at + 1]) if words[at] == "remove" else 3
    return found


class Watcher(Protocol):
    """Whoever decides whether a transition goes on. False: the proxy hangs up."""

    async def before(self, process: str, passing: Passing) -> bool:
        """The process wants this; Redis hasn't got it."""

    async def after(self, process: str, passing: Passing, answer: Any) -> bool:  # noqa: ANN401 - as Redis says it
        """Redis has done it; the process doesn't know."""


class TransitionProxy:
    """The proxy through which one process reaches Redis: it connects to `url`."""

    def __init__(self, process: str, socket: Path, upstream: Path, watcher: Watcher) -> None:
        self.url = f"unix://{socket}"
        self._process = process
        self._socket = socket
        self._upstream = upstream
        self._watcher = watcher
        self._server: asyncio.Server | None = None
        self._connections = Connections(self._talk)

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._connections.accept, self._socket)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._connections.close()

    async def _talk(self, client: Ends) -> None:
        server = await asyncio.open_unix_connection(self._upstream)
        await _Call(self._process, self._watcher, client, server).run()


class _Call:
    """One connection."""

    def __init__(self, process: str, watcher: Watcher, client: Ends, server: Ends) -> None:
        self._process = process
        self._watcher = watcher
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        #: What was sent and isn't answered yet; None: no transition.
        self._asked: deque[Passing | None] = deque()

    async def run(self) -> None:
        """Until one of both hangs up, or the watcher does."""
        try:
            await until_one_ends(self._forth(), self._back())
        finally:
            self._to_server.close()

    async def _forth(self) -> None:
        async for frame in frames(self._from_client):
            passing = _passing(_read(frame)) if _SENT.match(frame) else None
            if passing is not None and not await self._watcher.before(self._process, passing):
                return
            self._asked.append(passing)
            self._to_server.write(frame)
            await self._to_server.drain()

    async def _back(self) -> None:
        async for frame in frames(self._from_server):
            passes = self._wakes if _is_wake_up(frame) else self._answers
            if not await passes(frame):
                return

    async def _wakes(self, frame: bytes) -> bool:
        waking = Passing(WAKE_UP, "", tuple(frame.decode(errors="replace").split()))
        if not await self._watcher.before(self._process, waking):
            return False
        await self._hand_on(frame)
        return await self._watcher.after(self._process, waking, None)

    async def _answers(self, frame: bytes) -> bool:
        asked = self._asked.popleft() if self._asked else None
        if asked is not None:
            answer = _read(frame)
            # An error (the script isn't known here yet) has done nothing.
            done = not isinstance(answer, Exception)
            if done and not await self._watcher.after(self._process, asked, answer):
                return False
        await self._hand_on(frame)
        return True

    async def _hand_on(self, frame: bytes) -> None:
        self._to_client.write(frame)
        await self._to_client.drain()


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The commands or the replies that come, one by one."""
    come = b""
    while chunk := await reader.read(_CHUNK):
        come, at = come + chunk, 0
        while (end := _end_of_frame(come, at)) is not None:
            yield come[at:end]
            at = end
        come = come[at:]


def _end_of_frame(come: bytes, at: int) -> int | None:
    """Where what begins at `at` ends, as Redis' protocol has it; None if it isn't all there."""
    line = come.find(b"\r\n", at)
    if line < 0:
        return None
    kind, begun = come[at : at + 1], line + 2
    if kind in b"$!=":
        size = int(come[at + 1 : line])
        end = begun if size < 0 else begun + size + 2
        return end if end <= len(come) else None
    inner: int | None = begun
    if kind in b"*~>%":
        for _ in range(int(come[at + 1 : line]) * (2 if kind == b"%" else 1)):
            inner = None if inner is None else _end_of_frame(come, inner)
    return inner


def _read(frame: bytes) -> Any:  # noqa: ANN401 - as Redis says it
    resp = hiredis.Reader(encoding="utf-8", errors="replace")
    resp.feed(frame)
    return resp.gets()


def _passing(command: list[str]) -> Passing:
    _, script, _, base, *args = command
    sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() if " " in script else script
    return Passing(_BY_SHA.get(sha, SMALL), base, tuple(args))


def _is_wake_up(frame: bytes) -> bool:
    """Whether it is no answer, but what was published."""
    return b"crewdeck:wake" in frame and b"message" in frame

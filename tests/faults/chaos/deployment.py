"""A deployment of Crewdeck whose processes and Redis can be killed, between a Slack and a model provider.

The processes are forked from a fork server; each has a slot (a name, a port, a folder), and whoever is killed
is replaced there. People and programs reach the web processes through a balancer, as they would in real life.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiohttp.typedefs import Middleware

from bot.store.redis import RedisStore, open_store
from bot.tasks import run_alongside
from tests.faults.chaos.balancer import Balancer
from tests.faults.chaos.effects import Effects
from tests.faults.chaos.servers import RedisServer
from tests.fork_server.client import REPOSITORY, SERVE, Child, Command, ForkServer
from tests.loopback.models import LoopbackModel
from tests.loopback.slack import LoopbackSlack
from tests.ports import reserved
from tests.waiting import WITHIN

DEFINITIONS = Path(__file__).parent / "definitions"
SECRET = "a-signing-secret"
KEY = "the-key-of-the-programs"
"""Slack reaches the web processes from outside, so programs need one."""
SECOND_KEY = "the-key-of-another-program"
"""For what takes two."""
LEASE = 2.0
"""Seconds: a worker that lives keeps it, also where many others use the processors."""
REDIS = "redis"


@dataclass
class Slot:
    """Where a process lives, again and again."""

    name: str
    command: Command
    folder: Path
    env: Mapping[str, str]
    child: Child | None = None

    @property
    def web(self) -> bool:
        return self.command is SERVE

    @property
    def pid(self) -> int:
        return self.child.pid if self.child is not None else 0

    @property
    def log(self) -> Path:
        return self.folder / "log"


@dataclass
class ChaosDeployment:
    """All of it. `async with ChaosDeployment.running(...)`."""

    folder: Path
    fork_server: ForkServer
    server: RedisServer
    slack: LoopbackSlack
    model: LoopbackModel
    store: RedisStore
    effects: Effects
    #: Where people and programs reach the web processes.
    url: str = ""
    slots: dict[str, Slot] = field(default_factory=dict)
    #: Called when a process or Redis has been killed, before anything is started again.
    on_death: list[Callable[[str], Awaitable[None]]] = field(default_factory=list)
    _dying: set[str] = field(default_factory=set)
    _ports: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        folder: Path,
        fork_server: ForkServer,
        make_server: Callable[[Path], RedisServer],
        **peers: Middleware,
    ) -> AsyncIterator[Self]:
        """Everything but the processes; `slack` and `model` may have a middleware each."""
        server = await asyncio.to_thread(make_server, folder / "redis")
        async with AsyncExitStack() as stack:
            stack.callback(server.stop)
            slack = LoopbackSlack(middlewares=_given(peers, "slack"))
            await stack.enter_async_context(slack)
            model = LoopbackModel(middlewares=_given(peers, "model"))
            await stack.enter_async_context(model)
            store = await stack.enter_async_context(open_store(f"unix://{server.socket}"))
            made = cls(folder, fork_server, server, slack, model, store, Effects(folder / "effects.jsonl"))
            stack.enter_context(made._ports)
            balancer = await stack.enter_async_context(Balancer.open(made.ports))
            slack.connect_http(f"{balancer.url}/slack/events", SECRET)
            made.url = balancer.url
            stack.push_async_callback(made.stop)
            await stack.enter_async_context(run_alongside(made.care()))
            yield made

    # ── processes ───────────────────────────────────────────────────────────────────────────────────────

    def add(self, name: str, command: Command, redis_url: str | None = None, **env: str) -> Slot:
        """A slot, with a process in it."""
        folder = self.folder / name
        folder.mkdir()
        given = self._environment(folder) | {"CREWDECK_REDIS_URL": redis_url or self.redis_url} | env
        self.slots[name] = slot = Slot(name, command, folder, given)
        self.start(name)
        return slot

    def start(self, name: str) -> None:
        slot = self.slots[name]
        slot.child = self.fork_server.born(slot.command, slot.env, slot.folder, slot.log)

    @property
    def redis_url(self) -> str:
        return f"unix://{self.server.socket}"

    def ports(self) -> list[int]:
        """Of the web processes."""
        return [int(slot.env["PORT"]) for slot in self.slots.values() if slot.web]

    def named(self, kind: Command) -> list[str]:
        return [slot.name for slot in self.slots.values() if slot.command is kind]

    async def kill(self, name: str) -> None:
        """SIGKILL for a process, or for Redis. Dead, and replaced, when this returns."""
        if name in self._dying:
            return
        self._dying.add(name)
        try:
            if name == REDIS:
                await asyncio.to_thread(self.server.kill)
                await asyncio.to_thread(self.server.start)
            else:
                child = self.slots[name].child
                assert child is not None
                child.kill()
                await asyncio.to_thread(child.wait, WITHIN)
            for tell in self.on_death:
                await tell(name)
            if name != REDIS:
                await asyncio.to_thread(self.start, name)
        finally:
            self._dying.discard(name)

    async def care(self) -> None:
        """Replace whoever ends by itself, for ever."""
        while True:
            for slot in tuple(self.slots.values()):
                ended = slot.child is not None and slot.child.poll() is not None
                if ended and slot.name not in self._dying:
                    await self.kill(slot.name)
            await asyncio.sleep(0.02)

    def signal(self, name: str, number: signal.Signals) -> None:
        child = self.slots[name].child
        assert child is not None
        child.send_signal(number)

    async def stop(self) -> None:
        """The end of all processes."""
        children = [slot.child for slot in self.slots.values() if slot.child is not None]
        for child in children:
            child.kill()
        for child in children:
            await asyncio.to_thread(child.wait, WITHIN)

    def story(self) -> str:
        """All that the processes said."""
        return "\n".join(
            f"--- {slot.name}\n{slot.log.read_text()}" for slot in self.slots.values() if slot.log.exists()
        )

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY),
            "PORT": str(self._ports.enter_context(reserved(1))[0]),
            "CREWDECK_DATA_DIR": str(folder / "data"),
            "CREWDECK_LOG_FORMAT": "json",
            "CREWDECK_CONFIG_DIR": str(DEFINITIONS),
            "CREWDECK_WORKERS": "0",
            "CREWDECK_LEASE": str(LEASE),
            "CREWDECK_MODEL": "openai/gpt-5.4-mini",
            "OPENAI_API_KEY": "sk-test-1234567890",
            "OPENAI_BASE_URL": self.model.base_url,
            "OPENAI_API_BASE": self.model.base_url,
            "EFFECTS": str(self.effects.file),
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_SIGNING_SECRET": SECRET,
            "CREWDECK_API_KEYS": f"programs:{KEY}:admin,second:{SECOND_KEY}:read+answer",
            "CREWDECK_RATE_LIMIT": "10000",
            "SLACK_API_URL": self.slack.api_url,
            "CREWDECK_SLACK_EDITS_PER_MINUTE": "6000",
            # A process that is killed takes its deliveries with it.
            "CREWDECK_DELIVERY": "inside",
        }


def _given(peers: Mapping[str, Middleware], name: str) -> Sequence[Middleware]:
    return (peers[name],) if name in peers else ()

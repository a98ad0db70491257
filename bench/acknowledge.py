"""How long `/crew start` takes to be acknowledged while crews are busy, beside a bare Bolt that only acks.

Open loop: requests arrive when they arrive, whatever became of those before; what is sent late has waited.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp

from bench.deployment import Deployment, deployed
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import AtMostTimes, Figure
from bot.core.ports.lists import RunFilter
from bot.surfaces.chat.places import group
from bot.surfaces.slack import SURFACE
from tests.loopback.slack import LoopbackSlack, sign
from tests.loopback.slack.payloads import slash_command
from tests.scenario.server import Server

A_SECOND = 50
SECRET = "a-signing-secret"
CHANNELS = 100
"""Slack takes about one message a second in each channel."""
BUSY = 4
"""Crews that always work: more than one worker has processor for."""
WARM_UP = 20


class SameSessionServer(Server):
    """A server in the session of the bare Bolt.

    Where Linux groups processes by session, niceness counts within one only: from elsewhere, the bare Bolt
    would have more to bear from the busy worker than the server has.
    """

    leads_session = False


@dataclass
class Commands:
    """`/crew start`, as Slack sends it."""

    url: str
    words: str = "start bench_brief"
    sent: int = 0
    #: Never entered: it makes the payloads.
    _slack: LoopbackSlack = field(default_factory=LoopbackSlack)

    @property
    def team(self) -> str:
        return self._slack.workspace.team_id

    def bodies(self, many: int) -> Iterator[bytes]:
        """Commands of many people, each in a channel of their own."""
        for number in itertools.islice(itertools.count(self.sent), many):
            self.sent += 1
            user = self._slack.person(f"U0BENCH{number % CHANNELS}").user
            channel = self._slack.add_channel(_channel(number % CHANNELS))
            workspace = self._slack.workspace
            line = f"{self.url}/response/{number}"
            yield urlencode(slash_command(workspace, user, channel, ("/crew", self.words), line)).encode()


@dataclass(frozen=True)
class Load:
    """Requests that arrive at random, a certain number a second."""

    session: aiohttp.ClientSession
    seconds: float

    async def on(self, app: str, commands: Commands) -> list[float]:
        """Milliseconds from when each request was due to its acknowledgement."""
        loop = asyncio.get_running_loop()
        # Both apps see the same arrivals.
        gaps = random.Random(A_SECOND)
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            calls = []
            for body in commands.bodies(int(A_SECOND * self.seconds)):
                due += gaps.expovariate(A_SECOND)
                await asyncio.sleep(due - loop.time())
                calls.append(group.create_task(self._acknowledged(app, body, due)))
        return [call.result() for call in calls]

    async def warm_up(self, app: str, commands: Commands) -> None:
        """What only the first requests pay: connections, and questions to Slack about people."""
        loop = asyncio.get_running_loop()
        for body in commands.bodies(WARM_UP):
            await self._acknowledged(app, body, loop.time())

    async def _acknowledged(self, app: str, body: bytes, due: float) -> float:
        headers = {**sign(SECRET, body), "Content-Type": "application/x-www-form-urlencoded"}
        async with self.session.post(app, data=body, headers=headers) as answer:
            said = await answer.text()
            assert answer.status == 200, said
        return (asyncio.get_running_loop().time() - due) * 1000


async def measure(effort: Effort) -> list[Figure]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Peer.started("slack", str(CHANNELS)))
        where = await slack.heard()
        token, api_url = str(where["token"]), str(where["api_url"])
        bolt = await stack.enter_async_context(Peer.started("bolt", token, SECRET, api_url))
        running = await stack.enter_async_context(
            deployed(slack_settings(token, api_url), kind=SameSessionServer)
        )
        bare = str((await bolt.heard())["url"])
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        load, commands = Load(session, effort.load_seconds), Commands(api_url.removesuffix("/api/"))
        acks = Commands(commands.url)
        ours = f"{running.server.url}/slack/events"
        await load.warm_up(ours, commands)
        await load.warm_up(bare, acks)
        await stack.enter_async_context(_busy(running))
        spreads = await taking_turns(effort, lambda: load.on(ours, commands), lambda: load.on(bare, acks))
        await _check_started(running, commands)
    return [Figure("/crew start -> acknowledged", *spreads, aims=(AtMostTimes(1), AtMostTimes(1, "p99")))]


def _channel(number: int) -> str:
    return f"C0BENCH{number}"


def slack_settings(token: str, api_url: str) -> dict[str, str]:
    return {"SLACK_BOT_TOKEN": token, "SLACK_SIGNING_SECRET": SECRET, "SLACK_API_URL": api_url}


@asynccontextmanager
async def _busy(running: Deployment) -> AsyncIterator[None]:
    """The worker has more to do than it can while the block runs."""
    working = [asyncio.create_task(_work(running)) for _ in range(BUSY)]
    try:
        yield
    finally:
        for task in working:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _work(running: Deployment) -> None:
    while True:
        await running.completed(await running.start("bench_busy"))


async def _check_started(running: Deployment, commands: Commands) -> None:
    """An acknowledgement that started no run would be worth nothing."""
    started = 0
    for number in range(CHANNELS):
        where = group(SURFACE, commands.team, _channel(number))
        started += len(await running.store.runs.list(RunFilter(group=where, limit=1000)))
    assert started == commands.sent, f"{commands.sent} commands were acknowledged, {started} runs started"

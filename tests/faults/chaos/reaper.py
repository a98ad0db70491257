"""Kills at boundaries: it watches what passes between the processes and Redis, the model and Slack."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import psutil
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.store import redis_keys
from tests.faults.chaos.boundary import MODEL, WAKE_UP, Boundary, Moment
from tests.faults.chaos.deployment import REDIS, ChaosDeployment
from tests.faults.chaos.transition_proxy import Passing
from tests.loopback.models import marker_of
from tests.loopback.slack.web_api import read

_MARK = re.compile(r"\[\[(\w+)\]\]")
SHARD_WIDE = {"claim", "due", "apply_due", "lease_shard", "pending"}
"""Transitions that concern no run: those on the shard of the run count."""


@dataclass
class Order:
    """Kill at this boundary, the `times`-th time that this walk's run comes to it."""

    boundary: Boundary
    mark: str
    channel: str
    times: int = 1
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Reaper:
    """Watches one deployment. It is its lines' watcher, and has a middleware for each peer."""

    def __init__(self) -> None:
        self.deployment: ChaosDeployment | None = None
        self.orders: list[Order] = []
        #: Run ids by mark, and which process has which run, as seen on the lines.
        self.runs: dict[str, str] = {}
        self.holders: dict[str, str] = {}
        #: What has passed, by kind of process.
        self.seen: set[tuple[str, str]] = set()
        self._kills: set[asyncio.Task[None]] = set()

    # ── Redis ───────────────────────────────────────────────────────────────────────────────────────────

    async def before(self, process: str, passing: Passing) -> bool:
        self.seen.add((_kind(process), passing.name))
        if passing.name == "start" and (found := _MARK.search(passing.args[2])):
            self.runs[found[1]] = passing.args[0]
        return await self._unless_killed(
            process, passing.steps, "before", self._concerned(process, passing, None)
        )

    async def after(self, process: str, passing: Passing, answer: Any) -> bool:  # noqa: ANN401
        if passing.name == "claim":
            self.holders |= dict.fromkeys(answer[1], process)
        concerned = self._concerned(process, passing, answer)
        return await self._unless_killed(process, passing.steps, "after", concerned)

    def _concerned(self, process: str, passing: Passing, answer: Any) -> Callable[[Order], bool]:  # noqa: ANN401
        def concerns(order: Order) -> bool:
            run_id = self.runs.get(order.mark)
            if run_id is None:
                return False
            if passing.name == WAKE_UP:
                about = any(topic.startswith("question:") for topic in passing.args)
                return about and f"run:{run_id}" in passing.args and self.holders.get(run_id) == process
            if passing.name == "claim" and answer is not None:
                return run_id in answer[1]
            if passing.name in SHARD_WIDE:
                return passing.base == redis_keys.base(redis_keys.shard_of(run_id))
            return run_id in passing.args

        return concerns

    # ── the model and Slack ─────────────────────────────────────────────────────────────────────────────

    @web.middleware
    async def model(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        messages = (await request.json())["messages"]

        def concerns(order: Order) -> bool:
            return marker_of(messages, {order.mark}) == order.mark

        return await self._between(request, handler, MODEL, concerns)

    @web.middleware
    async def slack(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        method = request.match_info.get("method", "")
        if not method:
            return await handler(request)
        arguments, _ = await read(request)

        def concerns(order: Order) -> bool:
            return bool(arguments.get("channel") == order.channel)

        return await self._between(request, handler, method, concerns)

    async def _between(
        self, request: web.Request, handler: Handler, step: str, concerns: Callable[[Order], bool]
    ) -> web.StreamResponse:
        if not any(order.boundary.step == step and concerns(order) for order in self.orders):
            return await handler(request)
        process = self._process(_sender(request))
        if not await self._unless_killed(process, {step}, "before", concerns):
            return web.Response(status=503)
        response = await handler(request)
        if (
            step == MODEL
        ):  # It is answered before its worker dies; Slack's answers are lost with who waits for them.
            await response.prepare(request)
            await response.write_eof()
        await self._unless_killed(process, {step}, "after", concerns)
        return response

    def _process(self, port: int) -> str:
        """Whose connection this is."""
        assert self.deployment is not None
        for slot in self.deployment.slots.values():
            if port in _ports(slot.pid):
                return slot.name
        return "gone"

    # ── killing ─────────────────────────────────────────────────────────────────────────────────────────

    async def _unless_killed(
        self, process: str, steps: set[str], moment: Moment, concerns: Callable[[Order], bool]
    ) -> bool:
        """False once somebody was killed for it."""
        for order in tuple(self.orders):
            boundary = order.boundary
            matches = (
                boundary.step in steps
                and boundary.moment == moment
                and boundary.victim in {REDIS, "any", _kind(process)}
            )
            if not matches or not concerns(order):
                continue
            order.times -= 1
            if order.times > 0:
                continue
            self.orders.remove(order)
            # A task of its own: the connection on which this was seen ends with its process.
            victim = REDIS if boundary.victim == REDIS else process
            await asyncio.shield(self._own(self._execute(order, victim)))
            return False
        return True

    async def _execute(self, order: Order, victim: str) -> None:
        assert self.deployment is not None
        await self.deployment.kill(victim)
        order.done.set()

    def _own(self, killing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(killing)
        self._kills.add(task)
        task.add_done_callback(self._kills.discard)
        return task


def _kind(process: str) -> str:
    return process.partition("-")[0]


def _sender(request: web.Request) -> int:
    assert request.transport is not None
    port: int = request.transport.get_extra_info("peername")[1]
    return port


def _ports(pid: int) -> set[int]:
    try:
        return {connection.laddr.port for connection in psutil.Process(pid).net_connections("tcp")}
    except psutil.NoSuchProcess:
        return set()

"""Slack, people, and several web processes; the test decides which of them Slack's requests reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from tests.faults.process_deployment import ProcessDeployment, Web
from tests.loopback.slack import LoopbackSlack
from tests.scenario.outbox import CREW, Outbox, delivering
from tests.scenario.slack_deployment import SECRET, slack_settings

T = TypeVar("T")


class MultiWebDeployment:
    """In `on` the test plays the worker. The first web process gets what people do, until told otherwise."""

    def __init__(self, processes: ProcessDeployment, on: Outbox, webs: list[Web]) -> None:
        self.processes = processes
        self.on = on
        self.webs = webs

    @classmethod
    @asynccontextmanager
    async def built(
        cls, processes: ProcessDeployment, webs: int, **settings: str
    ) -> AsyncIterator[MultiWebDeployment]:
        async with delivering(processes.redis_url) as on:
            await on.store.catalogue.announce("here", [CREW])
            multi_web = cls(processes, on, [])
            for _ in range(webs):
                multi_web.webs.append(multi_web.web(**settings))
            for web in multi_web.webs:
                await web.up()
            multi_web.reach(multi_web.webs[0])
            yield multi_web

    def web(self, **settings: str) -> Web:
        """One more web process."""
        # A machine of its own: what kills it kills its deliveries too.
        slack = slack_settings(self.on.slack, "http") | {"CREWDECK_DELIVERY": "inside"}
        del slack["CREWDECK_CONFIG_DIR"]
        return self.processes.web(**slack | settings)

    @property
    def slack(self) -> LoopbackSlack:
        return self.on.slack

    def reach(self, web: Web) -> None:
        """What people do in Slack from now on arrives at this web process."""
        self.slack.connect_http(f"{web.url}/slack/events", SECRET)

    async def at(self, web: Web, act: Awaitable[T]) -> asyncio.Task[T]:
        """Something that a person does in Slack, under way to this web process."""
        self.reach(web)

        async def acted() -> T:
            return await act

        task = asyncio.create_task(acted())
        await asyncio.sleep(0)  # It takes its way before the next one's is chosen.
        return task

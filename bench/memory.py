"""What `serve` takes with Slack on and nothing to do: the web process, and the delivery process beside it.

The web process stands beside one that has imported the packages which it can't do without.

Resident is all that a process has in memory. Code of libraries is in memory once, however many processes use
it: a second line has what a process has for itself, and its share of what others have too (PSS; Linux only).
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import NamedTuple

import psutil

from bench.acknowledge import slack_settings
from bench.deployment import until
from bench.effort import Effort
from bench.peer import Peer
from bench.table import Figure, LessThan, Quantiles
from tests.scenario.server import Server

SETTLED_S = 1.5
WITHIN = 30.0


async def measure(_: Effort) -> list[Figure]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Peer.started("slack", "1"))
        where = await slack.heard()
        settings = slack_settings(str(where["token"]), str(where["api_url"])) | {"CREWDECK_WORKERS": "0"}
        server = await stack.enter_async_context(Server.start(settings))

        async def delivers() -> bool:
            return bool((await asyncio.to_thread(server.get, "/ready"))[1].get("delivery"))

        packages = await stack.enter_async_context(Peer.started("packages"))
        await packages.heard()
        await until(delivers, WITHIN)
        await asyncio.sleep(SETTLED_S)
        web, [delivery] = _taken(server.process), map(_taken, server.process.children())
        least = _taken(psutil.Process(packages.process.pid))
    both = _Megabytes(web.resident + delivery.resident, web.share + delivery.share)
    return [
        *_figures("the web process, with Slack", web, least, aims=(LessThan(60),)),
        *_figures("the delivery process", delivery),
        *_figures("both", both),
    ]


class _Megabytes(NamedTuple):
    """The memory of a process: what is resident, and its share of it where pages are shared."""

    resident: float
    share: float


def _taken(process: psutil.Process) -> _Megabytes:
    found = process.memory_full_info()
    return _Megabytes(found.rss / 2**20, getattr(found, "pss", found.rss) / 2**20)


def _figures(
    whose: str, taken: _Megabytes, beside: _Megabytes | None = None, aims: tuple[LessThan, ...] = ()
) -> list[Figure]:
    resident, share = (Quantiles(beside.resident), Quantiles(beside.share)) if beside else (None, None)
    return [
        Figure(f"memory of {whose}", Quantiles(taken.resident), resident, "MB", aims),
        Figure("  its share", Quantiles(taken.share), share, "MB"),
    ]

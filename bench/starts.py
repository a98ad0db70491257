"""`POST /crew/start` -> 202, at a modest rate, beside a bare aiohttp endpoint that only says 202."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from bench.deployment import deployed
from bench.effort import Effort, taking_turns
from bench.peer import Peer
from bench.table import Figure

A_SECOND = 10
"""One worker keeps up with that."""
SHARE = 8
"""An eighth of the samples will do, as they are taken so seldom."""
BODY = {"crew": "bench_busy", "inputs": {"turns": 0}}


async def measure(effort: Effort) -> list[Figure]:
    many = max(1, effort.samples // SHARE)
    async with Peer.started("memory") as bare, deployed() as running, aiohttp.ClientSession() as session:
        urls = running.server.url, str((await bare.heard())["url"])
        for url in urls:
            await _round(session, url, 3)
        spreads = await taking_turns(
            effort, lambda: _round(session, urls[0], many), lambda: _round(session, urls[1], many)
        )
    return [Figure("POST /crew/start -> 202", *spreads)]


async def _round(session: aiohttp.ClientSession, url: str, many: int) -> list[float]:
    """Milliseconds for each start."""
    took = []
    for _ in range(many):
        await asyncio.sleep(1 / A_SECOND)
        sent = time.perf_counter()
        async with session.post(f"{url}/crew/start", json=BODY) as answer:
            said = await answer.text()
            took.append((time.perf_counter() - sent) * 1000)
        assert answer.status == 202, said
    return took

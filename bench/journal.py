"""A crew whose model takes no time, with its journal, beside the same crew under Crewdeck without one."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.effort import Effort, Round, taking_turns
from bench.peer import Peer
from bench.peers.worker import WITHOUT
from bench.table import Aim, AtMostTimes, Figure
from bot.store.embedded import Embedded

SHARE = 10
"""A crew takes long; a tenth of the samples will do."""
# Of the second, each call of the tool is announced before it is made: it may not be repeated.
CREWS: dict[str, tuple[str, tuple[Aim, ...]]] = {
    "brief": ("two tasks, one call of a tool", (AtMostTimes(1.05),)),
    "busy": ("one task, 20 calls of a tool", ()),
}


async def measure(effort: Effort) -> list[Figure]:
    many = max(2, effort.samples // SHARE)
    figures = []
    async with (
        _store() as url,
        Peer.started("worker", url, "with") as ours,
        Peer.started("worker", url, WITHOUT) as bare,
    ):
        for peer in (ours, bare):
            await peer.heard()
        for crew, (what, aims) in CREWS.items():
            for peer in (ours, bare):
                await peer.ask(crew=crew, many=2)
            spreads = await taking_turns(effort.brief(), _round(ours, crew, many), _round(bare, crew, many))
            figures.append(Figure(f"crew with its journal, {what}", *spreads, aims=aims))
    return figures


def _round(peer: Peer, crew: str, many: int) -> Round:
    async def took() -> list[float]:
        answer = await peer.ask(crew=crew, many=many)
        return [float(each) for each in answer["milliseconds"]]

    return took


@asynccontextmanager
async def _store() -> AsyncIterator[str]:
    """The embedded Valkey, as an operator has it: what is recorded is on disk."""
    with tempfile.TemporaryDirectory(prefix="crewdeck-bench-") as folder:
        server = Embedded.attach(Path(folder))
        try:
            yield server.url
        finally:
            server.detach()

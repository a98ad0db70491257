"""Lists of runs, merged from the indexes of all shards."""

from __future__ import annotations

import asyncio
import re

from bot.core.lists import RunFilter, RunPage
from bot.core.place import Place
from bot.core.run import Run, RunStatus
from bot.store import redis_keys
from bot.store.connection import Connection
from bot.store.merged import Position, merged
from bot.store.run_reader import RunReader

MAX_SCANNED_RUNS = 2000
"""Runs that are looked at, at most, for a page whose filter no index covers."""
SCANNED_AT_ONCE = 500
MAX_FOUND = 5
_PREFIX = re.compile(r"[0-9a-f][0-9a-f-]{3,35}")


class RunLists:
    """Reads the indexes of runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reader = RunReader(connection)

    async def page(self, which: RunFilter) -> RunPage:
        found: list[Run] = []
        before = _position(which.before) if which.before else None
        scanned, size = 0, which.limit + 1
        while scanned < MAX_SCANNED_RUNS:
            window = await self._window(which, before, size)
            fitting = await self._fitting(which, [name for _, name in window])
            runs = await self._reader.read(fitting)
            found += [run for run in runs if _fits(run, which)]
            if len(found) > which.limit:
                return RunPage(found[: which.limit], found[which.limit - 1].cursor)
            if len(window) < size:
                return RunPage(found, None)
            before = window[-1]
            scanned, size = scanned + size, SCANNED_AT_ONCE
        return RunPage(found, f"{before[0]}:{before[1]}" if before else None)

    async def at(self, place: Place) -> list[Run]:
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(redis_keys.at_place(shard, place.key), 0, -1)
        found = await self._reader.read([run_id for ids_ in batch.results for run_id in ids_])
        return sorted(found, key=lambda run: (run.created_at, run.id))

    async def find(self, prefix: str) -> list[Run]:
        prefix = prefix.lower()
        if not _PREFIX.fullmatch(prefix):
            return []
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(
                    redis_keys.ids(shard),
                    f"[{prefix}",
                    f"({prefix}g",
                    bylex=True,
                    offset=0,
                    num=MAX_FOUND,
                )
        matching = [run_id for ids_ in batch.results for run_id in ids_]
        return await self._reader.read(matching[:MAX_FOUND])

    async def _window(self, which: RunFilter, before: Position | None, size: int) -> list[Position]:
        """The `size` newest of an index before a position, newest first."""
        indexes = [_index(shard, which) for shard in range(redis_keys.SHARDS)]
        return await merged(self._connection, indexes, size, before, newest_first=True)

    async def _fitting(self, which: RunFilter, run_ids: list[str]) -> list[str]:
        """Those of these runs whose records are worth reading: no index is by crew, or by status."""
        if which.crew is None and which.status is None and which.active is not False:
            return run_ids
        statuses = [each for each in RunStatus if _may_be(each, which)]
        by_shard: dict[int, list[str]] = {}
        for run_id in run_ids:
            by_shard.setdefault(redis_keys.shard_of(run_id), []).append(run_id)
        matching = await asyncio.gather(
            *(
                self._connection.run("match_runs", shard, which.crew or "", " ".join(statuses), *listed)
                for shard, listed in by_shard.items()
            )
        )
        kept = {run_id for each in matching for run_id in each}
        return [run_id for run_id in run_ids if run_id in kept]


def _index(shard: int, which: RunFilter) -> str:
    kind = "active" if which.active else "runs"
    if which.requester is not None:
        return f"{redis_keys.base(shard)}:{kind}:by:{which.requester}"
    if which.group is not None:
        return f"{redis_keys.base(shard)}:{kind}:in:{which.group}"
    return f"{redis_keys.base(shard)}:{kind}"


def _position(cursor: str) -> Position:
    at, _, run_id = cursor.partition(":")
    return (int(at) if at.isascii() and at.isdigit() else 0), run_id


def _fits(run: Run, which: RunFilter) -> bool:
    return (
        (which.requester is None or run.requester.principal == which.requester)
        and (which.group is None or (run.place is not None and run.place.group == which.group))
        and (which.crew is None or run.crew.name == which.crew)
        and _may_be(run.status, which)
    )


def _may_be(status: RunStatus, which: RunFilter) -> bool:
    return (which.active is None or status.over is not which.active) and which.status in {None, status}

"""Lists of runs, merged from the indexes of all shards."""

from __future__ import annotations

import re

from bot.core.lists import RunFilter, RunPage
from bot.core.place import Place
from bot.core.run import Run
from bot.store import redis_keys
from bot.store.connection import Connection
from bot.store.run_reader import RunReader

MAX_SCANNED_RUNS = 2000
"""Runs that are read at most for a page whose filter no index covers."""
MAX_FOUND = 5
MAX_RUNS_PER_MS = 64
"""More runs than a shard creates in a millisecond, since a cursor may point into one."""
_PREFIX = re.compile(r"[0-9a-f][0-9a-f-]{3,35}")

Position = tuple[int, str]
"""The position of a run in a list: its creation time and id."""


class RunLists:
    """Reads the indexes of runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reader = RunReader(connection)

    async def page(self, which: RunFilter) -> RunPage:
        found: list[Run] = []
        before = _position(which.before) if which.before else None
        size = max(100, which.limit + 1)
        for _ in range(MAX_SCANNED_RUNS // size):
            window = await self._window(which, before, size)
            runs = await self._reader.read([name for _, name in window])
            found += [run for run in runs if _fits(run, which)]
            if len(found) > which.limit:
                return RunPage(found[: which.limit], found[which.limit - 1].cursor)
            if len(window) < size:
                return RunPage(found, None)
            before = window[-1]
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
        newest = "+inf" if before is None else before[0]
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                index = _index(shard, which)
                batch.zrange(
                    index,
                    newest,
                    "-inf",
                    desc=True,
                    byscore=True,
                    offset=0,
                    num=size + MAX_RUNS_PER_MS,
                    withscores=True,
                )
        merged = [(int(at), name) for found in batch.results for name, at in found]
        return sorted((each for each in merged if before is None or each < before), reverse=True)[:size]


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
        and (which.active is None or run.status.over is not which.active)
        and (which.status is None or run.status is which.status)
    )

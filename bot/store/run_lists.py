"""Lists of runs, merged from the indexes of all shards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from bot.core.ports.lists import RunFilter, RunPage
from bot.core.runs.place import Place
from bot.core.runs.run import Run, RunStatus
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
        before = _position(which.before) if which.before else None
        if which.crew is not None or which.status is not None or which.active is False:
            return await self._scanned(which, before)
        indexes = [f"{redis_keys.base(shard)}{_list(which)}" for shard in range(redis_keys.SHARDS)]
        found: list[Run] = []
        scanned, size = 0, which.limit + 1
        while scanned < MAX_SCANNED_RUNS:
            window = await merged(self._connection, indexes, size, before, newest_first=True)
            runs = await self._reader.read([name for _, name in window])
            found += [run for run in runs if _fits(run, which)]
            if len(found) > which.limit:
                return RunPage(found[: which.limit], found[which.limit - 1].cursor)
            if len(window) < size:
                return RunPage(found, None)
            before = window[-1]
            scanned, size = scanned + size, SCANNED_AT_ONCE
        return RunPage(found, before and _cursor(before))

    async def _scanned(self, which: RunFilter, before: Position | None) -> RunPage:
        """A page that no index covers: each shard looks for what fits, at so many runs at most."""
        since = ("+inf", "") if before is None else (str(before[0]), before[1])
        statuses = " ".join(each for each in RunStatus if _may_be(each, which))
        replies = await asyncio.gather(
            *(
                self._connection.run(
                    "find_runs",
                    shard,
                    _list(which),
                    *since,
                    which.limit + 1,
                    MAX_SCANNED_RUNS // redis_keys.SHARDS,
                    which.crew or "",
                    statuses,
                )
                for shard in range(redis_keys.SHARDS)
            )
        )
        # Behind the first place where a shard has stopped, another run of it may fit.
        stopped = max(((int(at), name) for at, name, *_ in replies if name), default=None)
        found = sorted((each for reply in replies for each in _positions(reply[2:])), reverse=True)
        certain = [each for each in found if stopped is None or each >= stopped]
        page = certain[: which.limit]
        runs = await self._reader.read([name for _, name in page])
        last = page[-1] if len(certain) > which.limit else stopped
        return RunPage([run for run in runs if _fits(run, which)], last and _cursor(last))

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


def _list(which: RunFilter) -> str:
    """The list, as a part of its keys, that has fewest runs beside those that fit."""
    live = which.active or (which.status is not None and not which.status.over)
    kind = "active" if live else "runs"
    if which.requester is not None:
        return f":{kind}:by:{which.requester}"
    return f":{kind}" if which.group is None else f":{kind}:in:{which.group}"


def _positions(words: Sequence[str]) -> list[Position]:
    return [(int(at), name) for at, name in zip(words[::2], words[1::2], strict=True)]


def _cursor(position: Position) -> str:
    return f"{position[0]}:{position[1]}"


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

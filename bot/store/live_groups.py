"""Live groups: their members, read by the process that can, and kept in Redis for the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Never

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.ports.directory import GroupReader, GroupUnreadable
from bot.core.value import Strict
from bot.store import redis_keys
from bot.store.connection import Connection

log = structlog.get_logger(__name__)

MAX_AGE_FOR_DECISION_MS = 5_000
"""The age of what was read for a decision, in a process that could read it anew."""
MAX_AGE_MS = 5 * 60 * 1000
"""The age of what was read, in a process that can't."""
READ_TIMEOUT_S = 2.5
"""How long a surface may take to tell the members of a group. People wait for it."""
WAIT_S = 3.0
"""How long a process without a reader waits for a group that nobody has read."""
WAIT_INTERVAL_S = 0.1
KEEP_INTERVAL_S = 1.0
"""Seconds between two looks at which groups have to be read."""
REFRESH_MS = 2 * 60 * 1000
"""The age at which a group that somebody needed is read again."""
UNUSED_GROUP_TTL_MS = 7 * 24 * 3600 * 1000
"""For how long a group is kept that nobody needs."""


class Members(Strict):
    """The members of a live group when it was read."""

    at: int
    #: Principals.
    members: tuple[str, ...] = ()
    #: Why they can't be read; empty if they could.
    reason: str = ""


class LiveGroups:
    """Reads the members of live groups."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._readers: dict[str, GroupReader] = {}
        #: Reads for decisions that are in progress, which other decisions join.
        self._reads: dict[str, asyncio.Task[Members]] = {}

    def serve(self, surface: str, reader: GroupReader) -> None:
        self._readers[surface] = reader

    async def at_decision(
        self, groups: Sequence[str], stored: Sequence[str | None], now: int
    ) -> dict[str, Members]:
        """The members of these groups, or why they can't be read. `stored` is what Redis has of them."""
        if not groups:
            return {}
        await self._want(groups, now)
        known = dict(zip(groups, (_parse(each) for each in stored), strict=True))
        found = await asyncio.gather(*(self._current(group, known[group], now) for group in groups))
        return dict(zip(groups, found, strict=True))

    async def refresh(self, groups: Sequence[str]) -> None:
        """Read these groups, or have them read by a process that can."""
        if groups:
            now = await self._connection.now()
            await self._want(groups, now)
            await asyncio.gather(*(self._read(group, now) for group in groups if self._reader(group)))

    async def wanted(self) -> list[str]:
        """All groups that somebody needed lately."""
        found: list[str] = await self._connection.do(
            self._connection.redis.zrange(redis_keys.wanted_groups(), 0, -1)
        )
        return found

    async def stored(self, groups: Iterable[str]) -> Mapping[str, Members | None]:
        """What Redis has of these groups."""
        listed = list(groups)
        async with self._connection.pipeline() as batch:
            for group in listed:
                batch.get(redis_keys.live_group(group))
        return dict(zip(listed, (_parse(each) for each in batch.results), strict=True))

    async def keep_fresh(self) -> Never:
        """Read the groups that somebody needs, again and again, as far as this process can."""
        while True:
            try:
                if self._readers:
                    await self._read_old()
            except StoreUnavailable as error:
                log.debug("The store is away: live groups are read later", reason=str(error))
            await asyncio.sleep(KEEP_INTERVAL_S)

    async def _read_old(self) -> None:
        mine = [group for group in await self.wanted() if self._reader(group)]
        if not mine:
            return
        known, now = await self.stored(mine), await self._connection.now()
        old = [group for group, each in known.items() if each is None or now - each.at > REFRESH_MS]
        await asyncio.gather(*(self._read(group, now) for group in old))

    async def _want(self, groups: Sequence[str], now: int) -> None:
        await self._connection.do(
            self._connection.redis.zadd(redis_keys.wanted_groups(), dict.fromkeys(groups, now))
        )
        await self._connection.do(
            self._connection.redis.zremrangebyscore(
                redis_keys.wanted_groups(), "-inf", now - UNUSED_GROUP_TTL_MS
            )
        )

    async def _current(self, group: str, known: Members | None, now: int) -> Members:
        if self._reader(group):
            return known if known is not None and _is_fresh(known, now) else await self._joined(group, now)
        if known is not None and now - known.at <= MAX_AGE_MS:
            return known
        return await self._awaited(group, now)

    async def _awaited(self, group: str, now: int) -> Members:
        """What another process reads now, since the group is wanted."""
        for _ in range(round(WAIT_S / WAIT_INTERVAL_S)):
            await asyncio.sleep(WAIT_INTERVAL_S)
            read = (await self.stored([group]))[group]
            if read is not None and now - read.at <= MAX_AGE_MS:
                return read
        return Members(
            at=now,
            reason=f"Nobody can say who is in {_shown(group)}: no process that is connected to "
            f"{group.partition(':')[0].capitalize()} has told its members.",
        )

    async def _joined(self, group: str, now: int) -> Members:
        """Read a group for a decision, or join the read that is in progress."""
        if group not in self._reads:
            task = asyncio.create_task(self._read_unless_fresh(group, now))
            self._reads[group] = task
            task.add_done_callback(lambda _: self._reads.pop(group, None))
        return await asyncio.shield(self._reads[group])

    async def _read_unless_fresh(self, group: str, now: int) -> Members:
        # Another decision may have read it after this one looked.
        known = (await self.stored([group]))[group]
        return known if known is not None and _is_fresh(known, now) else await self._read(group, now)

    async def _read(self, group: str, now: int) -> Members:
        members = await self._members(group, now)
        await self._connection.do(
            self._connection.redis.set(
                redis_keys.live_group(group), members.model_dump_json(), px=UNUSED_GROUP_TTL_MS
            )
        )
        return members

    async def _members(self, group: str, now: int) -> Members:
        reader = self._readers[group.partition(":")[0]]
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return Members(at=now, members=tuple(sorted(await reader.members(group))))
        except GroupUnreadable as error:
            reason = str(error)
        except TimeoutError:
            reason = f"The members of {_shown(group)} could not be read in time."
        except Exception:
            # A decision that depends on it is refused; all others go on.
            log.exception("The members of a group can't be read", group=group)
            reason = f"The members of {_shown(group)} can't be read."
        return Members(at=now, reason=reason)

    def _reader(self, group: str) -> GroupReader | None:
        return self._readers.get(group.partition(":")[0])


def _is_fresh(members: Members, now: int) -> bool:
    return now - members.at <= MAX_AGE_FOR_DECISION_MS


def _shown(group: str) -> str:
    return group.partition("::")[2] or group


def _parse(stored: str | None) -> Members | None:
    """Records that are damaged or of another release are read anew."""
    try:
        return Members.model_validate(json.loads(stored)) if stored else None
    except ValueError:
        return None

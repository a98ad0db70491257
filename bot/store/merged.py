"""Sorted sets that are spread over the shards, read as one list, a page at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.store import redis_keys
from bot.store.connection import Connection

Position = tuple[int, str]
"""The position of an entry in such a list: its time (the score), and its name."""
OVERREAD_FACTOR = 4
"""By how much more is read of a set of which more than its share is needed."""


async def merged(
    connection: Connection,
    keys: Sequence[str],
    count: int,
    after: Position | None = None,
    *,
    newest_first: bool = False,
) -> list[Position]:
    """The first `count` entries after a position; one that is in several sets comes once.

    Of each set little more than its share of a page is read, and more where that was not enough, so that a
    page costs the same however long the list is.
    """
    found: dict[str, list[Position]] = {}
    size, unread, page = _share(count), list(keys), list[Position]()
    while unread:
        found |= await _read(connection, unread, size, after, newest_first=newest_first)
        entries = {each for listed in found.values() for each in listed}
        page = sorted(_following(entries, after, newest_first=newest_first), reverse=newest_first)[:count]
        # What was not read of a set comes after its last entry that was.
        last = page[-1] if len(page) == count else None
        unread = [
            key for key in unread if len(found[key]) == size and _reaches(last, found[key][-1], newest_first)
        ]
        size *= OVERREAD_FACTOR
    return page


async def _read(
    connection: Connection, keys: Sequence[str], size: int, after: Position | None, *, newest_first: bool
) -> dict[str, list[Position]]:
    """The first entries of these sets, those of the position's own time included."""
    since = ("+inf" if newest_first else "-inf") if after is None else after[0]
    until = "-inf" if newest_first else "+inf"
    async with connection.pipeline() as batch:
        for key in keys:
            batch.zrange(
                key, since, until, desc=newest_first, byscore=True, offset=0, num=size, withscores=True
            )
    return {
        key: [(int(at), name) for name, at in listed] for key, listed in zip(keys, batch.results, strict=True)
    }


def _following(entries: set[Position], after: Position | None, *, newest_first: bool) -> list[Position]:
    if after is None:
        return list(entries)
    return [each for each in entries if (each < after if newest_first else each > after)]


def _reaches(last: Position | None, read: Position, newest_first: bool) -> bool:  # noqa: FBT001
    """Whether a page that ends with `last` may have entries behind `read`."""
    return last is None or (last < read if newest_first else last > read)


def _share(count: int) -> int:
    """How many of these entries to read from a shard: its share and some more, as hashes aren't even."""
    share = count / redis_keys.SHARDS
    return math.ceil(share + 3 * math.sqrt(share)) + 1

"""Whether a cluster's node is still the primary that it takes itself for, by the word of the others.

A node that was paused or cut off while its replica took over goes on taking writes until it hears of that.
What it takes then is lost, so it is not believed alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, RedisError

from bot.store.servers import execute

ANSWER_TIMEOUT_S = 1.0
"""Seconds for a node to say who has what. A person waits meanwhile."""

Nodes = Mapping[str, Mapping[str, Any]]
"""What `CLUSTER NODES` says, as redis-py reads it."""


class View(NamedTuple):
    """Who has a slot, as one node sees it."""

    #: The node's own id.
    by: str
    #: Whether it has a say: it is a primary itself.
    primary: bool
    owner: str | None = None
    #: The owner's; who took over from it has a higher one.
    epoch: int = 0
    #: Whether the node that says this has, or had, a replica that could take over from it.
    heirs: bool = False


def read_view(nodes: Nodes, slot: int) -> View:
    """What a node says of a slot."""
    [own] = [each for each in nodes.values() if "myself" in each["flags"]]
    by, primary = str(own["node_id"]), "master" in own["flags"]
    heirs = any(each["master_id"] == by for each in nodes.values())
    owner = next((each for each in nodes.values() if _has(each["slots"], slot)), None)
    if owner is None:
        return View(by, primary, heirs=heirs)
    return View(by, primary, str(owner["node_id"]), int(owner["epoch"]), heirs)


def _has(ranges: Iterable[Sequence[str]], slot: int) -> bool:
    return any(int(each[0]) <= slot <= int(each[-1]) for each in ranges)


def confirmations_needed(others: int) -> int:
    """How many of the other primaries have to confirm one.

    A replica takes over by the votes of more than half of all primaries. Among so many others there is one of
    the voters at least, who knows. A cluster in which fewer can be reached takes no writes anyhow.
    """
    return min(others, max(1, others // 2))


def contradicts(view: View, own: View) -> bool:
    """Whether `view` shows that the node with the view `own` was replaced. It may also be older than that."""
    return view.owner not in (None, own.by) and view.epoch > own.epoch


def confirms(view: View, own: View) -> bool:
    """Whether it is the word of another primary for the node with the view `own`."""
    return view.primary and view.owner == own.by


async def check_owner(owner: Redis, others: Sequence[Redis], slot: int) -> None:
    """Return when enough of the other primaries have said that a node has a slot still.

    Nobody is asked where no replica could have taken over. Raises ClusterDownError if one knows better, or if
    too few of them answer: then it can't be known.
    """
    own = await _view(owner, slot)
    if own.owner != own.by:
        raise ClusterDownError("a node that took this is no longer the primary")
    missing = confirmations_needed(len(others)) if own.heirs else 0
    if not missing:
        return
    async with _asked(others, slot) as answers:
        for answer in asyncio.as_completed(answers):
            view = await answer
            if view is not None and contradicts(view, own):
                raise ClusterDownError("a node that took this was replaced as the primary")
            missing -= view is not None and confirms(view, own)
            if not missing:
                return
    raise ClusterDownError("too few nodes answer whether the one that took this is still the primary")


@asynccontextmanager
async def _asked(others: Sequence[Redis], slot: int) -> AsyncIterator[list[asyncio.Task[View | None]]]:
    """All of them at once; who hasn't answered when the block ends isn't waited for."""
    asking = [asyncio.create_task(_view_or_none(each, slot)) for each in others]
    try:
        yield asking
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def _view_or_none(node: Redis, slot: int) -> View | None:
    try:
        return await _view(node, slot)
    except (RedisError, OSError, TimeoutError):
        return None


async def _view(node: Redis, slot: int) -> View:
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        return read_view(await execute(node, "CLUSTER NODES"), slot)

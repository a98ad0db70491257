"""Asks the other primaries of a cluster whether a node still owns a slot.

A node that was paused or partitioned while its replica was promoted accepts writes until it learns of the
promotion. These writes are lost, so the node's own view is not enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, RedisError

from bot.store.redis_client.servers import execute

ANSWER_TIMEOUT_S = 1.0
"""Seconds for a node to answer. A person waits meanwhile."""

Nodes = Mapping[str, Mapping[str, Any]]
"""What `CLUSTER NODES` says, as redis-py reads it."""


class View(NamedTuple):
    """Which node owns a slot, as one node sees it."""

    #: The node's own id.
    by: str
    #: Whether it is a primary: only they vote.
    primary: bool
    owner: str | None = None
    #: The owner's; a replica that was promoted in its place has a higher one.
    epoch: int = 0
    #: Whether this node has, or had, a replica that could be promoted in its place.
    replicated: bool = False


def read_view(nodes: Nodes, slot: int) -> View:
    """A node's view of a slot."""
    [own] = [each for each in nodes.values() if "myself" in each["flags"]]
    by, primary = str(own["node_id"]), "master" in own["flags"]
    replicated = any(each["master_id"] == by for each in nodes.values())
    owner = next((each for each in nodes.values() if _has(each["slots"], slot)), None)
    if owner is None:
        return View(by, primary, replicated=replicated)
    return View(by, primary, str(owner["node_id"]), int(owner["epoch"]), replicated)


def _has(ranges: Iterable[Sequence[str]], slot: int) -> bool:
    return any(int(each[0]) <= slot <= int(each[-1]) for each in ranges)


def confirmations_needed(others: int) -> int:
    """How many of the other primaries have to confirm that a node is still one.

    A replica is promoted by the votes of more than half of all primaries. So at least one of this many knows
    of the promotion. A cluster in which fewer can be reached accepts no writes anyhow.
    """
    return min(others, max(1, others // 2))


def contradicts(view: View, own: View) -> bool:
    """Whether `view` shows that the node with the view `own` was replaced. It may also be older than that."""
    return view.owner not in (None, own.by) and view.epoch > own.epoch


def confirms(view: View, own: View) -> bool:
    """Whether `view` is another primary's, by which the node with the view `own` still owns the slot."""
    return view.primary and view.owner == own.by


async def check_owner(owner: Redis, others: Sequence[Redis], slot: int) -> None:
    """Return when enough of the other primaries have confirmed that a node still owns a slot.

    None is asked where no replica could have been promoted. Raises ClusterDownError if one of them knows of a
    promotion, or if too few of them answer.
    """
    own = await _view(owner, slot)
    if own.owner != own.by:
        raise ClusterDownError("a node that took this is no longer the primary")
    missing = confirmations_needed(len(others)) if own.replicated else 0
    if not missing:
        return
    async with _views(others, slot) as answers:
        for answer in asyncio.as_completed(answers):
            view = await answer
            if view is not None and contradicts(view, own):
                raise ClusterDownError("a node that took this was replaced as the primary")
            missing -= view is not None and confirms(view, own)
            if not missing:
                return
    raise ClusterDownError("too few nodes answer whether the one that took this is still the primary")


@asynccontextmanager
async def _views(others: Sequence[Redis], slot: int) -> AsyncIterator[list[asyncio.Task[View | None]]]:
    """Ask all of them at once. Requests that are unanswered when the block ends are cancelled."""
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

"""The nodes of a Redis Cluster, and which of them owns which key.

redis-py's own cluster client is not used (docs/decisions/0005-cluster-routing.md): it refuses scripts in
pipelines, so that a transition and its WAIT can't share a connection; it raises instead of waiting when all
connections are in use; and when one node is lost it cuts the connections to all others. Here each node is an
ordinary client, with the same pool as a single server.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisError,
)
from redis.exceptions import (
    ConnectionError as Disconnected,
)
from redis.exceptions import (
    TimeoutError as TookTooLong,
)

from bot.store.redis_client.addresses import Address, Node
from bot.store.redis_client.peers import check_owner
from bot.store.redis_client.pools import close_pool, server_pool
from bot.store.redis_client.servers import Check, Result, execute, key_of
from bot.store.redis_client.shared_client import Call, SharedClient
from bot.store.redis_client.shared_connection import Reply

log = structlog.get_logger(__name__)

MAX_REDIRECTS = 4
"""How often a command is redirected, at most."""
LAYOUT_TIMEOUT_S = 2.0
"""Seconds for a node to tell the layout; then the next one is asked."""
_LOST = (Disconnected, TookTooLong, ClusterDownError, OSError)


class Layout:
    """Which node owns which slots, as one node told it."""

    def __init__(self, ranges: Iterable[tuple[int, int, Node]] = ()) -> None:
        self._ranges = sorted(ranges)
        self._starts = [low for low, _, _ in self._ranges]

    @property
    def primaries(self) -> list[Node]:
        return sorted({node for _, _, node in self._ranges})

    def owner(self, key: str) -> Node | None:
        """The node that owns a key; None if it is not known."""
        slot = key_slot(key.encode())
        at = bisect_right(self._starts, slot) - 1
        if at < 0 or slot > self._ranges[at][1]:
            return None
        return self._ranges[at][2]


class Cluster:
    """The port `bot.store.redis_client.servers.Servers` on a Redis Cluster."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._clients: dict[Node, SharedClient] = {}
        self._layout = Layout()
        self._refreshing = asyncio.Lock()

    async def with_owner(self, key: str, ask: Callable[[SharedClient], Awaitable[Result]]) -> Result:
        for _ in range(MAX_REDIRECTS):
            owner, layout = await self._owner(key)
            try:
                return await ask(self._client(owner))
            except AskError as error:
                await self._follow(error, layout)
            except _LOST:
                # A replica may have been promoted by now. If not, the caller tries again later.
                await self._refresh(layout, last=owner)
                if self._layout.owner(key) == owner:
                    raise
        raise ClusterDownError("the nodes disagree about who has what")

    async def send(self, calls: Sequence[Call]) -> list[Reply]:
        replies: list[Reply] = [None] * len(calls)
        left = list(range(len(calls)))
        for _ in range(MAX_REDIRECTS):
            layout = self._layout
            found = await self._send_once([calls[n] for n in left])
            for n, reply in zip(left, found, strict=True):
                replies[n] = reply
            left = [n for n in left if isinstance(replies[n], MovedError)]
            if not left:
                break
            await self._refresh(layout)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def any_server(self) -> SharedClient:
        primaries = await self.primaries()
        return random.choice(primaries)  # noqa: S311 - spreads load, keeps no secret

    async def primaries(self) -> Sequence[SharedClient]:
        if not self._layout.primaries:
            await self._refresh(self._layout)
        return [self._client(node) for node in self._layout.primaries]

    async def on_every_primary(self, ask: Callable[[SharedClient], Awaitable[Result]]) -> list[Result]:
        # No command of ours tells that a primary which owns none of our keys was replaced.
        await self._refresh(self._layout)
        for _ in range(MAX_REDIRECTS):
            layout = self._layout
            try:
                return [await ask(self._client(node)) for node in layout.primaries]
            except _LOST:
                await self._refresh(layout)
                if self._layout.primaries == layout.primaries:
                    raise
        raise ClusterDownError("its primaries change all the time")

    def ownership_check(self, redis: Redis, key: str) -> Check:
        async def check() -> None:
            others = [each for each in await self.primaries() if each is not redis]
            await check_owner(redis, others, key_slot(key.encode()))

        return check

    async def close(self) -> None:
        for client in self._clients.values():
            await close_pool(client)

    async def _send_once(self, calls: Sequence[Call]) -> list[Reply]:
        """Send each node its part at the same time. The reply for a key that has moved is its MovedError."""
        parts: defaultdict[Node, list[int]] = defaultdict(list)
        for n, call in enumerate(calls):
            owner, _ = await self._owner(key_of(call.words))
            parts[owner].append(n)
        replies: list[Reply] = [None] * len(calls)

        async def send(part: list[int]) -> None:
            first = key_of(calls[part[0]].words)
            found = await self.with_owner(first, lambda redis: redis.send([calls[n] for n in part]))
            for n, reply in zip(part, found, strict=True):
                replies[n] = reply

        results = await asyncio.gather(*map(send, parts.values()), return_exceptions=True)
        for error in results:
            if error is not None:
                raise error
        return replies

    async def _owner(self, key: str) -> tuple[Node, Layout]:
        """The owner of a key, and the layout that says so."""
        if (owner := self._layout.owner(key)) is None:
            await self._refresh(self._layout)
            owner = self._layout.owner(key)
        if owner is None:
            raise ClusterDownError("no node has a part of the keys")
        return owner, self._layout

    async def _follow(self, error: AskError, seen: Layout) -> None:
        """Read the layout anew after a MOVED. A slot that is being migrated (ASK) is not available."""
        if not isinstance(error, MovedError):
            raise error
        await self._refresh(seen)

    async def _refresh(self, seen: Layout, last: Node | None = None) -> None:
        """Read the layout from a node, `last` after all others, unless another task did so since `seen`."""
        async with self._refreshing:
            if self._layout is not seen:
                return
            known = list({*self._clients, *self._address.nodes} - {last})
            random.shuffle(known)
            failure: Exception = ClusterDownError("none of its nodes answers")
            for node in [*known, *([last] if last else [])]:
                try:
                    async with asyncio.timeout(LAYOUT_TIMEOUT_S):
                        self._layout = await self._layout_of(node)
                except (RedisError, OSError, TimeoutError) as error:
                    failure = error
                else:
                    await self._forget()
                    return
            raise failure

    async def _layout_of(self, node: Node) -> Layout:
        found = await execute(self._client(node), "CLUSTER SLOTS")
        layout = Layout((low, high, (host or node[0], port)) for low, high, (host, port, *_), *_ in found)
        if not layout.primaries:
            raise ClusterDownError("this node knows of none that has anything")
        return layout

    async def _forget(self) -> None:
        """Close connections to nodes that have left, or have become replicas."""
        gone = set(self._clients) - set(self._layout.primaries) - set(self._address.nodes)
        for node in gone:
            log.info("A node of the Redis Cluster is no longer a primary", host=node[0], port=node[1])
            await close_pool(self._clients.pop(node))

    def _client(self, node: Node) -> SharedClient:
        if node not in self._clients:
            self._clients[node] = SharedClient.of(server_pool(self._address, node))
        return self._clients[node]

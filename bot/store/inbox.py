"""Question events of all runs: a stream of references in each shard (`append_event` in prelude.lua)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.core.ports.inbox import Entry, Position, Positions, Ref, Snapshot
from bot.store import redis_keys
from bot.store.connection import Connection
from bot.store.events import read_events


class RedisInbox:
    """The port `bot.core.ports.inbox.Inbox`."""

    shards = redis_keys.SHARDS

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def snapshot(self) -> Snapshot:
        shards = await self._connection.each_shard("inbox_snapshot")
        waiting = (
            (f"{run_id}/{seq}", f"{shard} {run_id} {seq} {at}")
            for shard, (_, listed) in enumerate(shards)
            for run_id, seq, at in listed
        )
        found = [ref for _, ref in self._connection.unreadable.readable("open question", waiting, _ref)]
        return Snapshot(tuple(_position(newest) for newest, _ in shards), tuple(sorted(found)))

    async def newest(self) -> Positions:
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.xrevrange(redis_keys.inbox(shard), count=1)
                batch.get(redis_keys.inbox_trimmed(shard))
        pairs = zip(batch.results[0::2], batch.results[1::2], strict=True)
        return tuple(_position(last[0][0] if last else trimmed or "0-0") for last, trimmed in pairs)

    async def issued(self, positions: Positions) -> bool:
        pairs = zip(positions, await self.newest(), strict=True)
        beyond = [shard for shard, (own, newest) in enumerate(pairs) if own > newest]
        # Entries of deleted runs are gone; their positions were issued all the same.
        last = [_position(await self._connection.run("inbox_last", shard)) for shard in beyond]
        return all(positions[shard] <= issued for shard, issued in zip(beyond, last, strict=True))

    async def trimmed(self) -> Positions:
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.get(redis_keys.inbox_trimmed(shard))
        return tuple(_position(each or "0-0") for each in batch.results)

    async def after(self, positions: Mapping[int, Position], limit: int = 200) -> list[Ref]:
        async with self._connection.pipeline() as batch:
            for shard, (ms, n) in positions.items():
                batch.xrange(redis_keys.inbox(shard), min=f"({ms}-{n}", count=limit)
        return sorted(
            _entry(shard, at, fields)
            for shard, stored in zip(positions, batch.results, strict=True)
            for at, fields in stored
        )

    async def read(self, refs: Iterable[Ref]) -> list[Entry]:
        wanted = list(refs)
        async with self._connection.pipeline() as batch:
            for ref in wanted:
                batch.xrange(redis_keys.events(ref.run_id), min=f"{ref.seq}-0", max=f"{ref.seq}-0")
        return [
            Entry(ref, event)
            for ref, stored in zip(wanted, batch.results, strict=True)
            for event in read_events(ref.run_id, stored, self._connection.unreadable)
        ]


def _ref(words: str) -> Ref:
    shard, run_id, seq, at = words.split(" ")
    return Ref(_position(at), int(shard), run_id, int(seq))


def _entry(shard: int, at: str, fields: Mapping[str, str]) -> Ref:
    """The reference of an entry. A damaged one refers to no run, like one of a deleted run; it is skipped."""
    seq = fields.get("seq", "")
    leads = seq.isascii() and seq.isdigit()
    return Ref(_position(at), shard, fields.get("run", "") if leads else "", int(seq) if leads else 0)


def _position(text: str) -> Position:
    ms, _, n = text.partition("-")
    return int(ms), int(n)

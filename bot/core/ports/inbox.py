"""The inbox: one stream of the question events of all runs. Its port and its cursors.

Each shard of the store has a stream of its own, so a position in the inbox is one position per shard.
Events are ordered within a run, which is stored in one shard.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from bot.core.events.event import Event

Position = tuple[int, int]
"""A position in one shard's stream: milliseconds, and a counter within the millisecond."""
Positions = tuple[Position, ...]
"""One position per shard."""

_VERSION = 1
_PLACE = struct.Struct(">QI")


def inbox_topic(shard: int) -> str:
    """The topic of questions that are asked or settled in runs of this shard."""
    return f"inbox:{shard}"


class Ref(NamedTuple):
    """An event's position in its shard's stream and in its run."""

    at: Position
    shard: int
    run_id: str
    seq: int


class Entry(NamedTuple):
    """A question event and its position."""

    ref: Ref
    event: Event


class Snapshot(NamedTuple):
    """The open questions, oldest first, as of `positions`."""

    positions: Positions
    open: tuple[Ref, ...]


class Cursor(NamedTuple):
    """How far a client has read: all up to `positions`, and of the snapshot there only up to `mark`."""

    positions: Positions
    mark: tuple[Position, int] | None = None

    def encode(self) -> str:
        """Encode as text that is opaque to clients and safe in URLs."""
        places = [*self.positions, *(() if self.mark is None else (self.mark[0], (self.mark[1], 0)))]
        raw = bytes((_VERSION, self.mark is not None)) + b"".join(_PLACE.pack(*place) for place in places)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str, shards: int) -> Cursor | None:
        """Decode a cursor; None if it is not valid."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        marked = raw[1:2] == b"\x01"
        if raw[:1] != bytes((_VERSION,)) or len(raw) != 2 + _PLACE.size * (shards + 2 * marked):
            return None
        places = [(ms, n) for ms, n in _PLACE.iter_unpack(raw[2:])]
        cursor = cls(tuple(places[:shards]), (places[shards], places[shards + 1][0]) if marked else None)
        return cursor if cursor._mark_is_before() else None

    def _mark_is_before(self) -> bool:
        """Whether the mark is in the snapshot."""
        if self.mark is None:
            return True
        at, shard = self.mark
        return shard < len(self.positions) and at <= self.positions[shard]


class Inbox(Protocol):
    """The question events of all runs. All methods raise StoreUnavailable."""

    @property
    def shards(self) -> int: ...

    async def snapshot(self) -> Snapshot:
        """The open questions and the position of each shard's stream at that moment; consistent per shard."""

    async def newest(self) -> Positions:
        """The position of each shard's stream."""

    async def trimmed(self) -> Positions:
        """The newest trimmed position of each shard. A cursor before it has missed events."""

    async def issued(self, positions: Positions) -> bool:
        """Whether the streams have come to all these positions. A cursor beyond them is of another store."""

    async def after(self, positions: Mapping[int, Position], limit: int = 200) -> list[Ref]:
        """The entries after these positions (of some shards), oldest first; at most `limit` per shard."""

    async def read(self, refs: Iterable[Ref]) -> list[Entry]:
        """Read the referenced events; those of deleted runs are left out."""


def was_trimmed(positions: Sequence[Position], start: Sequence[Position]) -> bool:
    """Whether events between `positions` and the oldest stored one were trimmed."""
    return any(own < first for own, first in zip(positions, start, strict=True))

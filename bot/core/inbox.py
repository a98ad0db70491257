"""What all runs ask people, in one stream: the port, and the cursor that says how far somebody has read.

Each shard of the store keeps its own stream, so a position in all of them is one position a shard. Order
holds within a run, which lives in one shard.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from bot.core.event import Event

Position = tuple[int, int]
"""A place in one shard's stream: milliseconds, and a counter within them."""
Positions = tuple[Position, ...]
"""One for each shard."""

_VERSION = 1
_PLACE = struct.Struct(">QI")


def inbox_topic(shard: int) -> str:
    """A run of this shard asked something, or was answered."""
    return f"inbox:{shard}"


class Ref(NamedTuple):
    """Where an event stands in its shard's stream, and in its run."""

    at: Position
    shard: int
    run_id: str
    seq: int


class Entry(NamedTuple):
    """A question's event, and where it stands."""

    ref: Ref
    event: Event


class Snapshot(NamedTuple):
    """What is open, oldest first, as of `positions`."""

    positions: Positions
    open: tuple[Ref, ...]


class Cursor(NamedTuple):
    """How far somebody has read: all up to `positions`; and of what was open there, up to `mark` only."""

    positions: Positions
    mark: tuple[Position, int] | None = None

    def encode(self) -> str:
        """Opaque to clients, safe in a URL."""
        places = [*self.positions, *(() if self.mark is None else (self.mark[0], (self.mark[1], 0)))]
        raw = bytes((_VERSION, self.mark is not None)) + b"".join(_PLACE.pack(*place) for place in places)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str, shards: int) -> Cursor | None:
        """The cursor that `text` stands for; None if it is none of ours."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        marked = raw[1:2] == b"\x01"
        if raw[:1] != bytes((_VERSION,)) or len(raw) != 2 + _PLACE.size * (shards + 2 * marked):
            return None
        places = [(ms, n) for ms, n in _PLACE.iter_unpack(raw[2:])]
        mark = (places[shards], places[shards + 1][0]) if marked else None
        return cls(tuple(places[:shards]), mark)


class Inbox(Protocol):
    """Question events of all runs; all raise StoreUnavailable."""

    @property
    def shards(self) -> int: ...

    async def snapshot(self) -> Snapshot:
        """The open questions, and the position of each stream at that moment: exact for each shard."""

    async def trimmed(self) -> Positions:
        """The newest position of each shard that is no longer kept: an older cursor has a gap."""

    async def after(self, positions: Mapping[int, Position], limit: int = 200) -> list[Ref]:
        """The entries after these positions (of some shards), oldest first; at most `limit` of each shard."""

    async def read(self, refs: Iterable[Ref]) -> list[Entry]:
        """The events that these refer to; those of forgotten runs are left out."""


def behind(positions: Sequence[Position], start: Sequence[Position]) -> bool:
    """Whether something between `positions` and what is kept is gone."""
    return any(own < first for own, first in zip(positions, start, strict=True))

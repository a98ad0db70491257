"""Whose run is shown next: channels take turns, so that a busy one holds up no other. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

REMEMBERED = 1000
"""Channels of which it is known when they had their last turn."""


class Turns:
    """The runs that are shown right now, and which ones are begun next."""

    def __init__(self, at_once: int, each: int) -> None:
        """`at_once` runs of all channels together, `each` of one channel."""
        self._at_once = at_once
        self._each = each
        #: The channel of each run that is shown right now.
        self._shown: dict[str, str] = {}
        #: When each channel had its last turn, the longest ago first.
        self._last: dict[str, int] = {}
        self._turn = 0

    @property
    def full(self) -> bool:
        return len(self._shown) >= self._at_once

    def next(self, waiting: Mapping[str, str]) -> list[str]:
        """The ids of the runs that begin now, of those that wait: run to channel, the oldest first.

        One of each channel, then another of each; the channel comes first whose last turn is longest ago.
        """
        lines: dict[str, deque[str]] = {}
        for run_id, channel in waiting.items():
            if run_id not in self._shown:
                lines.setdefault(channel, deque()).append(run_id)
        room = self._rooms(lines)
        order = deque(sorted(lines, key=lambda channel: self._last.get(channel, -1)))
        begun: list[str] = []
        while order and not self.full:
            channel = order.popleft()
            if not lines[channel] or not room[channel]:
                continue
            room[channel] -= 1
            begun.append(self._begin(lines[channel].popleft(), channel))
            order.append(channel)
        return begun

    def ended(self, run_id: str) -> None:
        """A run that was begun is shown."""
        del self._shown[run_id]

    def _begin(self, run_id: str, channel: str) -> str:
        self._shown[run_id] = channel
        self._turn += 1
        self._last.pop(channel, None)
        self._last[channel] = self._turn
        if len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]
        return run_id

    def _rooms(self, channels: Iterable[str]) -> dict[str, int]:
        shown = Counter(self._shown.values())
        return {channel: max(0, self._each - shown[channel]) for channel in channels}

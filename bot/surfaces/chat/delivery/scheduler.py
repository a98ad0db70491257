"""Which runs are delivered next: channels take turns, so that a busy one delays no other. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

MAX_REMEMBERED_CHANNELS = 1000
"""Channels of which it is known when they had their last turn."""


class FairScheduler:
    """The runs that are being delivered, and the choice of the next ones."""

    def __init__(self, limit: int, limit_per_channel: int) -> None:
        self._limit = limit
        self._limit_per_channel = limit_per_channel
        #: The channel of each run that is being delivered.
        self._active: dict[str, str] = {}
        #: When each channel had its last turn, the longest ago first.
        self._last: dict[str, int] = {}
        self._turn = 0

    @property
    def full(self) -> bool:
        return len(self._active) >= self._limit

    def next(self, waiting: Mapping[str, str]) -> list[str]:
        """The ids of the runs that begin now. `waiting` maps runs to channels, the oldest first.

        One of each channel, then another of each; the channel whose last turn is longest ago comes first.
        """
        queues: dict[str, deque[str]] = {}
        for run_id, channel in waiting.items():
            if run_id not in self._active:
                queues.setdefault(channel, deque()).append(run_id)
        room = self._room(queues)
        order = deque(sorted(queues, key=lambda channel: self._last.get(channel, -1)))
        begun: list[str] = []
        while order and not self.full:
            channel = order.popleft()
            if not queues[channel] or not room[channel]:
                continue
            room[channel] -= 1
            begun.append(self._begin(queues[channel].popleft(), channel))
            order.append(channel)
        return begun

    def ended(self, run_id: str) -> None:
        del self._active[run_id]

    def _begin(self, run_id: str, channel: str) -> str:
        self._active[run_id] = channel
        self._turn += 1
        self._last.pop(channel, None)
        self._last[channel] = self._turn
        if len(self._last) > MAX_REMEMBERED_CHANNELS:
            del self._last[next(iter(self._last))]
        return run_id

    def _room(self, channels: Iterable[str]) -> dict[str, int]:
        active = Counter(self._active.values())
        return {channel: max(0, self._limit_per_channel - active[channel]) for channel in channels}

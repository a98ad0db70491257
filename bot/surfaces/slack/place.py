"""Slack's places: a channel of a workspace, and the thread in it where a run lives."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.place import Place

SURFACE = "slack"


@dataclass(frozen=True)
class SlackPlace:
    """Where a run lives. `thread_ts` is None while the thread is still to be opened."""

    team: str
    channel: str
    thread_ts: str | None = None

    def encode(self) -> Place:
        """The core's place; `decode` is its inverse."""
        return Place(
            surface=SURFACE,
            tenant=self.team,
            ref=f"{self.channel}/{self.thread_ts or ''}",
            group=group(self.team, self.channel),
        )

    @classmethod
    def decode(cls, place: Place) -> SlackPlace:
        """Raises ValueError if this is no place of Slack's."""
        channel, slash, thread_ts = place.ref.partition("/")
        if place.surface != SURFACE or not slash:
            raise ValueError(f"not a place in Slack: {place.key}")
        return cls(place.tenant, channel, thread_ts or None)


def group(team: str, channel: str) -> str:
    """What lists of a channel's runs are filtered by."""
    return f"{SURFACE}:{team}:{channel}"


def placeless(run_id: str) -> str:
    """The name under which whoever tells a requester that the run found no place remembers that."""
    return f"slack:placeless:{run_id}"

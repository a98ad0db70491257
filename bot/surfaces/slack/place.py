"""Slack's places: a channel of a workspace, and the thread in it where a run lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.model import Place

SURFACE = "slack"
TWIN = "twin"
_UNTOLD = "untold:"
MOVED = "moved"
"""The name under which the direct message is recorded in which a run goes on."""


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


@dataclass(frozen=True)
class Posted:
    """A message of ours, as copies of cards are recorded: `C1/1700.1`."""

    channel: str
    ts: str

    def encode(self) -> str:
        return f"{self.channel}/{self.ts}"

    @classmethod
    def decode(cls, ref: str) -> Posted:
        """Raises ValueError."""
        channel, slash, ts = ref.partition("/")
        if not slash or not channel or not ts:
            raise ValueError(f"not a message: {ref!r}")
        return cls(channel, ts)


def twin(posted: Posted) -> str:
    """The name under which a first message of a run is recorded that turned up."""
    return f"{TWIN}:{posted.encode()}"


def late_copy(question_id: str, posted: Posted) -> str:
    """The name under which a copy of a question is recorded that turned up."""
    return f"{question_copy(question_id)}:{posted.encode()}"


def question_of(name: str) -> str:
    """The id of the question whose copy is recorded under this name."""
    return name.split(":")[1]


def asked_in_words(question_id: str) -> str:
    """The name under which it is noted that a question has no buttons, since Slack refused its blocks."""
    return f"words:{question_id}"


def shown_digest(question_id: str) -> str:
    """The name under which it is noted which digest a question had when its card was posted."""
    return f"digest:{question_id}"


def question_copy(question_id: str, number: int = 0) -> str:
    """The name under which a copy of a question is recorded; the first is the one in the thread."""
    return f"question:{question_id}" + (f":{number}" if number else "")


def direct_copy(question_id: str, user: str) -> str:
    """The name under which the copy of a question is recorded that somebody got in a direct message."""
    return f"{question_copy(question_id)}:@{user}"


def is_direct(name: str, question_id: str = "") -> bool:
    """Whether it is the name of such a copy, of this question if one is named."""
    return name.startswith(question_copy(question_id) if question_id else "question:") and ":@" in name


def untold(question_id: str) -> str:
    """The name under which it is noted why nobody who may answer a question was told; empty: somebody was."""
    return f"{_UNTOLD}{question_id}"


def untold_in(copies: Mapping[str, str]) -> dict[str, str]:
    """The questions of a run of which nobody was told who may answer, and why, by what is recorded."""
    return {
        name.removeprefix(_UNTOLD): why for name, why in copies.items() if name.startswith(_UNTOLD) and why
    }


def placeless(run_id: str) -> str:
    """The name under which whoever tells a requester that the run found no place remembers that."""
    return f"slack:placeless:{run_id}"

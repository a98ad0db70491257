"""The outbox: what surfaces have still to show of runs, and what they have shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from bot.core.runs.place import Place
from bot.core.value import Value

_REDRAWN = "redrawn:"


def redrawn(question_id: str, word: str) -> str:
    """The name under which it is recorded that a question was shown anew."""
    return f"{_REDRAWN}{question_id}:{word}"


def redrawn_message(ref: str) -> str:
    """The name under which it is recorded that all questions of a message were shown anew."""
    return redrawn("", ref)


def is_redrawn(name: str) -> bool:
    """Whether it is a name of these two."""
    return name.startswith(_REDRAWN)


def message_to_redraw(name: str) -> str:
    """The reference of the message that `redrawn_message` names; empty if a question is named."""
    question_id, _, word = name.removeprefix(_REDRAWN).partition(":")
    return "" if question_id else word


class DeliveryState(Value):
    """How far a run has been shown on a surface."""

    #: `seq` of the newest event that was shown.
    cursor: int = 0
    #: Where each message was posted: name -> the surface's reference.
    messages: dict[str, str] = Field(default_factory=dict)
    #: What is to be brought up to date: names of adopted messages, and of questions that are to be redrawn.
    outdated: frozenset[str] = frozenset()


class Outbox(Protocol):
    """What surfaces have still to show. A shard is leased to one process, which keeps each run's order."""

    @property
    def shards(self) -> int: ...

    def shard_of(self, run_id: str) -> int:
        """The shard that a run lives in, for ever."""

    async def lease_shard(
        self, surface: str, shard: int, owner: str, lease: float, *, relay: bool = False
    ) -> bool:
        """Take or renew a shard; False while another process holds it.

        `relay`: for the next week, runs that live on other surfaces are pending here after each question
        event, too.
        """

    async def release_shard(self, surface: str, shard: int, owner: str) -> None: ...

    async def pending(self, surface: str, shard: int, limit: int = 100) -> list[str]:
        """The ids of runs with events to show now, the longest waiting first."""

    async def state(self, surface: str, run_id: str) -> DeliveryState: ...

    async def mark_delivered(
        self,
        surface: str,
        owner: str,
        run_id: str,
        cursor: int,
        messages: Mapping[str, str] | None = None,
        *,
        place: Place | None = None,
    ) -> bool:
        """Record what was shown; False if another process holds the shard by now (then stop).

        `place`: where the run's thread was opened. A run that awaits it has this place, and is queued.
        """

    async def postpone(self, surface: str, owner: str, run_id: str, seconds: float) -> bool:
        """Keep this run out of `pending` for a while. No wake-up follows when that ends.

        False as in `mark_delivered`: whoever holds the shard decides when the run is delivered.
        """

    async def adopt(self, surface: str, run_id: str, name: str, ref: str) -> None:
        """Record an orphaned message, unless one of that name is recorded.

        The run is pending then until `mark_delivered` records that name.
        """

    async def redraw(self, surface: str, run_id: str, question_id: str, word: str) -> None:
        """Have a question shown anew, though nothing happened to it.

        It is in `outdated` as `redrawn(question_id, word)`, once for each word, and the run is pending as
        with `adopt`.
        """

    async def redraw_message(self, surface: str, run_id: str, ref: str) -> None:
        """The same for all that a message shows, once: also if it is not recorded yet what that is."""

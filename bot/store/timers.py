"""Deadlines and reminders of questions. The policy of a question decides the outcome of its deadline."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from bot.core.errors import UnreadableRecord
from bot.core.events.question_events import completed_event, reminded_event
from bot.core.questions import decision
from bot.core.questions.question import Question
from bot.store import redis_keys
from bot.store.codec import QUESTION_FIELDS, dump, read_question, read_response
from bot.store.connection import Connection

UNREADABLE_DELAY_MS = 60_000
"""Delay before a timer that could not be read is tried again."""
PAGE_SIZE = 100
"""Timers that are read at once from each shard, besides the unreadable ones."""
_TIMER = re.compile(r"(deadline|remind)/([^/]+)/(.+)", re.DOTALL)


class Timer(NamedTuple):
    """A timer that is due."""

    name: str
    kind: str
    run_id: str
    question_id: str


class Timers:
    """Applies the timers of questions. Timers of a newer release are skipped and delay no others."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        #: By unreadable timer: when it is tried again, by the clock of the store.
        self._unreadable_until: dict[str, int] = {}

    async def due(self, within: int) -> int:
        """Milliseconds until the next one is due, from 0 to `within`."""
        now = await self._connection.now()
        waits = [
            max(0, int(at) - now)
            for name, at in await self._first_due(now + within)
            if self._may_be_tried(name, now)
        ]
        return min(within, *waits) if waits else within

    async def fire(self) -> int:
        """Apply the due timers, in order; returns how many had an effect."""
        now = await self._connection.now()
        self._unreadable_until = {
            name: until for name, until in self._unreadable_until.items() if until > now
        }
        fired = 0
        for name, _ in await self._first_due(now):
            if self._may_be_tried(name, now):
                fired += await self._fire(name, now)
        return fired

    async def expire(self, question: Question) -> None:
        """Apply the deadline of a question, which has passed by the clock of the store."""
        name = f"deadline/{question.run_id}/{question.id}"
        await self._apply(Timer(name, "deadline", question.run_id, question.id))

    async def _first_due(self, until: int) -> list[tuple[str, float]]:
        """The first timers of each shard that are due by `until`."""
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.zrange(
                    redis_keys.timers(shard),
                    "-inf",
                    until,
                    byscore=True,
                    withscores=True,
                    offset=0,
                    num=len(self._unreadable_until) + PAGE_SIZE,
                )
        return sorted((each for found in batch.results for each in found), key=lambda each: each[1])

    def _may_be_tried(self, name: str, now: int) -> bool:
        return self._unreadable_until.get(name, 0) <= now

    async def _fire(self, name: str, now: int) -> int:
        try:
            with self._connection.unreadable.reported():
                return await self._apply(_timer(name))
        except UnreadableRecord:
            self._unreadable_until[name] = now + UNREADABLE_DELAY_MS
            return 0

    async def _apply(self, timer: Timer) -> int:
        revision, question, said = await self._read(timer)
        outcome = body = ""
        if question is not None and timer.kind == "remind":
            body = dump(reminded_event(question))
        elif question is not None and question.open:
            for each in said:  # Raises if one is unreadable: it might have settled the question.
                read_response(question.id, each)
            decided = decision.expired_outcome(question)
            outcome, body = dump(decided), dump(completed_event(question, decided))
        return int(
            await self._connection.run(
                "fire_timer",
                redis_keys.shard_of(timer.run_id),
                timer.name,
                timer.run_id,
                timer.question_id,
                revision or "0",
                outcome,
                body,
            )
        )

    async def _read(self, timer: Timer) -> tuple[str | None, Question | None, Iterable[str]]:
        key = redis_keys.question(timer.run_id, timer.question_id)
        async with self._connection.pipeline() as batch:
            batch.hget(key, "revision")
            batch.hmget(key, list(QUESTION_FIELDS))
            batch.lrange(redis_keys.responses(timer.run_id, timer.question_id), 0, -1)
        revision, fields, said = batch.results
        return revision, read_question(timer.question_id, fields), said


def _timer(name: str) -> Timer:
    """Raises UnreadableRecord if it is of another release."""
    found = _TIMER.fullmatch(name)
    if found is None:
        raise UnreadableRecord("timer", name, "this release does not know such a timer")
    return Timer(name, found[1], found[2], found[3])

"""Questions: asked, read and answered."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress

from bot.core.errors import NotFound, UnreadableRecord
from bot.core.events.question_events import completed_event, required_event
from bot.core.people.actor import Actor
from bot.core.ports.lists import QuestionPage
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Prefetched
from bot.core.questions import decision
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Question
from bot.core.questions.record import Executed, ReadReceipt, Record
from bot.core.questions.response import Response
from bot.core.runs.run import Claim
from bot.store import redis_keys
from bot.store.codec import (
    QUESTION_FIELDS,
    QUESTION_OWN,
    dump,
    ms,
    read_dated,
    read_question,
    read_response,
    read_version,
)
from bot.store.connection import Connection
from bot.store.directory import RedisDirectory
from bot.store.merged import Position, merged
from bot.store.responses import Responses

MAX_OPENED = 1000
"""Entries that are kept of who had a question before them."""


class RedisQuestions:
    """The port `bot.core.ports.store.Questions`."""

    def __init__(self, connection: Connection, directory: RedisDirectory) -> None:
        self._connection = connection
        self._responses = Responses(connection, directory)

    async def ask(self, claim: Claim, question: Question) -> Question:
        question = decision.prepare(question)
        answer = await self._connection.run(
            "ask",
            redis_keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            question.id,
            dump(question, exclude=QUESTION_OWN),
            # The scripts read no more than this. Rules of an older release find nothing here to decide by.
            json.dumps({"policy": {"deciders": question.policy.deciders}}),
            dump(required_event(question)),
            dump(decision.WITHDRAWN),
            dump(completed_event(question, decision.WITHDRAWN)),
            _optional_ms(question.deadline.after),
            _optional_ms(question.deadline.remind_after),
            dump(question.progress),
        )
        if answer == -1:
            raise Fenced
        return await self.get(claim.run.id, question.id)

    async def get(self, run_id: str, question_id: str) -> Question:
        stored = await self._connection.do(
            self._connection.redis.hmget(redis_keys.question(run_id, question_id), list(QUESTION_FIELDS))
        )
        if (found := self._one(question_id, stored)) is None:
            raise NotFound("question", question_id)
        return found

    async def run_of(self, question_id: str) -> str:
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                batch.hget(redis_keys.question_runs(shard), question_id)
        for run_id in batch.results:
            if run_id is not None:
                return str(run_id)
        raise NotFound("question", question_id)

    async def list(self, run_id: str, *, strict: bool = False) -> builtins.list[Question]:
        asked = await self._connection.do(self._connection.redis.lrange(redis_keys.asked(run_id), 0, -1))
        return await self._read([(run_id, question_id) for question_id in asked], strict=strict)

    async def open(self, limit: int = 200, deciders: Sequence[str] = ()) -> builtins.list[Question]:
        return (await self.open_page(limit, deciders)).questions

    async def open_page(
        self, limit: int = 200, deciders: Sequence[str] = (), after: str | None = None
    ) -> QuestionPage:
        lists = [f":for:{decider}" for decider in deciders] or [""]
        indexes = [
            f"{redis_keys.open_questions(shard)}{each}"
            for shard in range(redis_keys.SHARDS)
            for each in lists
        ]
        start = _position(after) if after else None
        waiting = await merged(self._connection, indexes, limit + 1, start)
        page = waiting[:limit]
        more = f"{page[-1][0]}:{page[-1][1]}" if len(waiting) > limit else None
        return QuestionPage(await self._read(_names(name for _, name in page)), more)

    async def prefetch(self, question_id: str, actor: Actor) -> Prefetched:
        if (prefetched := await self._responses.prefetch(question_id, actor)) is None:
            raise NotFound("question", question_id)
        return prefetched

    async def respond(
        self, run_id: str, question_id: str, response: Response, prefetched: Prefetched | None = None
    ) -> Ruling:
        """Returns a ruling even if the run is deleted meanwhile."""
        return await self._responses.respond(run_id, question_id, response, prefetched)

    async def responses(self, run_id: str, question_id: str) -> builtins.list[Response]:
        return await self._responses.of(run_id, question_id)

    async def record_opened(self, run_id: str, question_id: str, actor: Actor, digest: str) -> None:
        await self._connection.run(
            "open_question",
            redis_keys.shard_of(run_id),
            run_id,
            question_id,
            f"{actor.principal}/{digest}",
            json.dumps({"by": actor.verified.model_dump(mode="json"), "digest": digest}),
            MAX_OPENED,
        )

    async def record_executed(
        self, claim: Claim, question_id: str, call_digest: str, result_digest: str
    ) -> None:
        digests = {"call_digest": call_digest, "result_digest": result_digest}
        shard = redis_keys.shard_of(claim.run.id)
        if (
            await self._connection.run(
                "record_call", shard, claim.run.id, claim.epoch, question_id, json.dumps(digests)
            )
            == -1
        ):
            raise Fenced

    async def record(self, run_id: str, question_id: str) -> Record:
        key = redis_keys.question(run_id, question_id)
        async with self._connection.pipeline() as batch:
            batch.hmget(key, list(QUESTION_FIELDS))
            batch.lrange(redis_keys.versions(run_id, question_id), 0, -1)
            batch.lrange(redis_keys.responses(run_id, question_id), 0, -1)
            batch.hvals(redis_keys.opened(run_id, question_id))
            batch.hget(key, "executed")
        fields, versions, responses, opened, executed = batch.results
        if (question := self._one(question_id, fields)) is None:
            raise NotFound("question", question_id)
        with self._connection.unreadable.reported():
            return Record(
                question=question,
                versions=tuple(read_version(question, each) for each in versions),
                responses=tuple(read_response(question_id, each) for each in responses),
                opened=tuple(
                    sorted(
                        (
                            read_dated("reading", f"of question {question_id}", each, ReadReceipt)
                            for each in opened
                        ),
                        key=lambda each: each.at,
                    )
                ),
                executed=read_dated("call", f"of question {question_id}", executed, Executed)
                if executed
                else None,
            )

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────

    async def _read(
        self, names: builtins.list[tuple[str, str]], *, strict: bool = False
    ) -> builtins.list[Question]:
        """These questions; deleted ones are left out, and unreadable ones unless `strict`."""
        if not names:
            return []
        async with self._connection.pipeline() as batch:
            for run_id, question_id in names:
                batch.hmget(redis_keys.question(run_id, question_id), list(QUESTION_FIELDS))
        found: builtins.list[Question] = []
        for (_, question_id), stored in zip(names, batch.results, strict=True):
            with nullcontext() if strict else suppress(UnreadableRecord):
                question = self._one(question_id, stored)
                found += [question] if question is not None else []
        return found

    def _one(self, question_id: str, stored: Sequence[str | None]) -> Question | None:
        with self._connection.unreadable.reported():
            return read_question(question_id, stored)


async def check_questions(connection: Connection, run_id: str) -> None:
    """Raises UnreadableRecord if the run has a question that this release can't read."""
    asked = await connection.do(connection.redis.lrange(redis_keys.asked(run_id), 0, -1))
    if not asked:
        return
    async with connection.pipeline() as batch:
        for question_id in asked:
            batch.hmget(redis_keys.question(run_id, question_id), list(QUESTION_FIELDS))
    for question_id, stored in zip(asked, batch.results, strict=True):
        with connection.unreadable.reported():
            read_question(question_id, stored)


def _position(cursor: str) -> Position:
    at, _, name = cursor.partition(":")
    return (int(at) if at.isascii() and at.isdigit() else 0), name


def _names(listed: Iterable[str]) -> list[tuple[str, str]]:
    return [(run_id, question_id) for run_id, _, question_id in (name.partition("/") for name in listed)]


def _optional_ms(seconds: float | None) -> str:
    return "" if seconds is None else str(ms(seconds))

"""Questions: asked, read and answered."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from bot.core import decision
from bot.core.claim import Claim
from bot.core.decision import Ruling, Verdict
from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.event import completed_event, required_event
from bot.core.lists import QuestionPage
from bot.core.ports import Fenced
from bot.core.question import Question, digest_of
from bot.core.response import Response
from bot.store import redis_keys
from bot.store.codec import QUESTION_FIELDS, QUESTION_OWN, dump, ms, read_question, read_response
from bot.store.connection import Connection

MAX_QUESTIONS_PER_MS = 64
"""More questions than a shard gets in a millisecond, since a cursor may point into one."""
MAX_ATTEMPTS = 16
"""How often a response is evaluated again because others were recorded meanwhile."""


class RedisQuestions:
    """The port `bot.core.ports.Questions`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, claim: Claim, question: Question) -> Question:
        question = question.model_copy(update={"digest": digest_of(question)})
        answer = await self._connection.run(
            "ask",
            redis_keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            question.id,
            dump(question, exclude=QUESTION_OWN),
            # The scripts read this much and no more. An older release's rules find nothing here to decide by.
            json.dumps({"policy": {"deciders": question.policy.deciders}}),
            dump(required_event(question)),
            dump(decision.WITHDRAWN),
            dump(completed_event(question, decision.WITHDRAWN)),
            _optional_ms(question.deadline.after),
            _optional_ms(question.deadline.remind_after),
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
        if strict:
            await check_questions(self._connection, run_id)
        asked = await self._connection.do(self._connection.redis.lrange(redis_keys.asked(run_id), 0, -1))
        return await self._read([(run_id, question_id) for question_id in asked])

    async def open(self, limit: int = 200, deciders: Sequence[str] = ()) -> builtins.list[Question]:
        return (await self.open_page(limit, deciders)).questions

    async def open_page(
        self, limit: int = 200, deciders: Sequence[str] = (), after: str | None = None
    ) -> QuestionPage:
        start = _position(after) if after else (0, "")
        waiting = await self._asked(limit + 1 + MAX_QUESTIONS_PER_MS, deciders, start[0])
        following = [each for each in waiting if each > start]
        page = following[:limit]
        more = f"{page[-1][0]}:{page[-1][1]}" if len(following) > limit else None
        return QuestionPage(await self._read(_names(name for _, name in page)), more)

    async def _asked(self, count: int, deciders: Sequence[str], since: int) -> builtins.list[tuple[int, str]]:
        """Times and names of open questions, asked at `since` or later: `count` of each list."""
        lists = [f":for:{decider}" for decider in deciders] or [""]
        async with self._connection.pipeline() as batch:
            for shard in range(redis_keys.SHARDS):
                for each in lists:
                    index = f"{redis_keys.open_questions(shard)}{each}"
                    batch.zrange(index, since, "+inf", byscore=True, offset=0, num=count, withscores=True)
        return sorted({(int(at), name) for found in batch.results for name, at in found})

    async def respond(self, run_id: str, question_id: str, response: Response) -> Ruling:
        """Returns a ruling even if the run is deleted meanwhile."""
        for _ in range(MAX_ATTEMPTS):
            seen = await self._look(run_id, question_id, response)
            if seen is None:
                return Ruling(verdict=Verdict.REFUSED, code="unknown_question")
            ruling = await self._known(seen, response) or await self._append(seen, response)
            if ruling is not None:
                return ruling
        raise StoreUnavailable("Many people answer this at the same time, so this answer was not recorded.")

    async def responses(self, run_id: str, question_id: str) -> builtins.list[Response]:
        stored = await self._connection.do(
            self._connection.redis.lrange(redis_keys.responses(run_id, question_id), 0, -1)
        )
        return self._readable(question_id, stored)

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────

    async def _look(self, run_id: str, question_id: str, response: Response) -> _Seen | None:
        """Read at once what the evaluation of a response needs; None if there is no such question."""
        key = redis_keys.question(run_id, question_id)
        async with self._connection.pipeline() as batch:
            # The revision first: what is read after it can only be newer, and then the transition conflicts.
            batch.hget(key, "revision")
            batch.hmget(key, list(QUESTION_FIELDS))
            batch.lrange(redis_keys.responses(run_id, question_id), 0, -1)
            batch.hget(redis_keys.answered(run_id), _response_key(response))
        revision, fields, said, answered = batch.results
        question = self._one(question_id, fields)
        if question is None:
            return None
        if question.open:  # The outcome rests on all of them.
            earlier = [read_response(question_id, each) for each in said]
        else:
            earlier = self._readable(question_id, said)
        return _Seen(question, revision or "0", tuple(earlier), answered)

    async def _known(self, seen: _Seen, response: Response) -> Ruling | None:
        """The ruling on a response that doesn't count; None if it counts."""
        question = seen.question
        code = decision.refusal(question, response)
        if code == "not_allowed":
            return Ruling(verdict=Verdict.REFUSED, code=code)
        if seen.answered is not None or _repeats(seen, response):
            # What people are told of an earlier answer must not be taken back by a failover either.
            await self._connection.wait_durable(redis_keys.shard_of(question.run_id))
            return Ruling(verdict=Verdict.REPEATED, question=await self._answered(seen))
        if not code:
            return None
        if code == "settled":
            await self._connection.wait_durable(redis_keys.shard_of(question.run_id))
        return Ruling(verdict=Verdict.REFUSED, code=code, question=question)

    async def _answered(self, seen: _Seen) -> Question | None:
        """The question that this response key has answered."""
        if seen.answered in {None, seen.question.id}:
            return seen.question
        found = await self._read([(seen.question.run_id, str(seen.answered))])
        return found[0] if found else None

    async def _append(self, seen: _Seen, response: Response) -> Ruling | None:
        """Append the response and its outcome; None on a conflict: then it is evaluated again."""
        question = seen.question
        decided = decision.evaluate(question, (*seen.responses, response))
        outcome = decided.outcome if isinstance(decided, decision.Settled) else None
        done, value = await self._connection.run_durably(
            "respond",
            redis_keys.shard_of(question.run_id),
            question.run_id,
            question.id,
            seen.revision,
            _response_key(response),
            dump(response),
            dump(outcome) if outcome else "",
            dump(completed_event(question, outcome)) if outcome else "",
            response.action,
        )
        if done == "repeated":
            question = await self._answered(seen._replace(answered=value)) or question
            now = await self._read([(question.run_id, question.id)])
            return Ruling(verdict=Verdict.REPEATED, question=now[0] if now else None)
        if done != "done":
            return None
        if outcome is None:
            return Ruling(verdict=Verdict.RECORDED, question=question)
        settled = question.model_copy(update={"outcome": outcome, "settled_at": int(value)})
        return Ruling(verdict=Verdict.SETTLED, question=settled)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self, names: builtins.list[tuple[str, str]]) -> builtins.list[Question]:
        """These questions; deleted and unreadable ones are left out."""
        if not names:
            return []
        async with self._connection.pipeline() as batch:
            for run_id, question_id in names:
                batch.hmget(redis_keys.question(run_id, question_id), list(QUESTION_FIELDS))
        found: builtins.list[Question] = []
        for (_, question_id), stored in zip(names, batch.results, strict=True):
            with suppress(UnreadableRecord):
                question = self._one(question_id, stored)
                found += [question] if question is not None else []
        return found

    def _one(self, question_id: str, stored: Sequence[str | None]) -> Question | None:
        with self._connection.unreadable.noted():
            return read_question(question_id, stored)

    def _readable(self, question_id: str, stored: Iterable[str]) -> builtins.list[Response]:
        found: builtins.list[Response] = []
        for each in stored:
            with suppress(UnreadableRecord), self._connection.unreadable.noted():
                found.append(read_response(question_id, each))
        return found


async def check_questions(connection: Connection, run_id: str) -> None:
    """Raises UnreadableRecord if the run has a question that this release can't read."""
    asked = await connection.do(connection.redis.lrange(redis_keys.asked(run_id), 0, -1))
    if not asked:
        return
    async with connection.pipeline() as batch:
        for question_id in asked:
            batch.hmget(redis_keys.question(run_id, question_id), list(QUESTION_FIELDS))
    for question_id, stored in zip(asked, batch.results, strict=True):
        with connection.unreadable.noted():
            read_question(question_id, stored)


class _Seen(NamedTuple):
    """A question as it was when a response to it was evaluated."""

    question: Question
    revision: str
    responses: tuple[Response, ...]
    #: The question of its run that this delivery has answered already.
    answered: str | None


def _response_key(response: Response) -> str:
    """The response key with its principal: two people may use the same key."""
    return f"{response.actor.principal}/{response.key}"


def _repeats(seen: _Seen, response: Response) -> bool:
    """Whether this person has given the same response before, as after a confirmation that timed out."""
    if seen.question.outcome == decision.outcome_of(response):
        return True
    return any(response.repeats(each) for each in seen.responses)


def _position(cursor: str) -> tuple[int, str]:
    at, _, name = cursor.partition(":")
    return (int(at) if at.isascii() and at.isdigit() else 0), name


def _names(listed: Iterable[str]) -> list[tuple[str, str]]:
    return [(run_id, question_id) for run_id, _, question_id in (name.partition("/") for name in listed)]


def _optional_ms(seconds: float | None) -> str:
    return "" if seconds is None else str(ms(seconds))

"""Questions: read and answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from bot.core import events
from bot.core.errors import NotFound
from bot.core.lists import QuestionPage
from bot.core.model import Outcome, Question, Response, Ruling, Verdict
from bot.store import keys
from bot.store.codec import QUESTION_FIELDS, dump, read_question, response_view
from bot.store.connection import Connection

TIES = 64
"""More questions than one shard can be asked in one millisecond; a cursor stands in the midst of one."""


class QuestionVerbs:
    """The port `bot.core.ports.Questions`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def question(self, run_id: str, question_id: str) -> Question:
        found = await self._read([(run_id, question_id)])
        if not found:
            raise NotFound("question", question_id)
        return found[0]

    async def questions(self, run_id: str) -> list[Question]:
        asked = await self._connection.do(self._connection.redis.lrange(keys.asked(run_id), 0, -1))
        return await self._read([(run_id, question_id) for question_id in asked])

    async def open_questions(self, limit: int = 200, deciders: Sequence[str] = ()) -> list[Question]:
        return (await self.page_of_open_questions(limit, deciders)).questions

    async def page_of_open_questions(
        self, limit: int = 200, deciders: Sequence[str] = (), after: str | None = None
    ) -> QuestionPage:
        start = _position(after) if after else (0, "")
        waiting = await self._asked(limit + 1 + TIES, deciders, start[0])
        following = [each for each in waiting if each > start]
        page = following[:limit]
        more = f"{page[-1][0]}:{page[-1][1]}" if len(following) > limit else None
        return QuestionPage(await self._read(_names(name for _, name in page)), more)

    async def _asked(self, count: int, deciders: Sequence[str], since: int) -> list[tuple[int, str]]:
        """When open questions were asked (not before `since`), and their names: `count` of each list."""
        lists = [f":for:{decider}" for decider in deciders] or [""]
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                for each in lists:
                    index = f"{keys.open_questions(shard)}{each}"
                    batch.zrange(index, since, "+inf", byscore=True, offset=0, num=count, withscores=True)
        return sorted({(int(at), name) for found in batch.results for name, at in found})

    async def respond(self, run_id: str, question_id: str, response: Response) -> Ruling:
        """The ruling, even if the run is forgotten while it is made."""
        try:
            question = await self.question(run_id, question_id)
        except NotFound:
            return Ruling(verdict=Verdict.REFUSED, code="unknown_question")
        outcome = Outcome(
            action=response.action, value=response.value, comment=response.comment, by=response.actor
        )
        verdict, code = await self._connection.confirm(
            "respond",
            keys.shard_of(run_id),
            run_id,
            question_id,
            json.dumps(response_view(response)),
            dump(response),
            # Two people may use the same key: each has their own.
            f"{response.actor.principal}/{response.key}",
            dump(outcome),
            dump(events.completed(question, outcome)),
            response.action,
        )
        now = await self._read([(run_id, question_id)])
        return Ruling(verdict=verdict, code=code, question=now[0] if now else None)

    async def responses(self, run_id: str, question_id: str) -> list[Response]:
        stored = await self._connection.do(
            self._connection.redis.lrange(keys.responses(run_id, question_id), 0, -1)
        )
        return [Response.model_validate_json(each) for each in stored]

    async def _read(self, names: list[tuple[str, str]]) -> list[Question]:
        if not names:
            return []
        async with self._connection.pipeline() as batch:
            for run_id, question_id in names:
                batch.hmget(keys.question(run_id, question_id), list(QUESTION_FIELDS))
        return [question for stored in batch.results if (question := read_question(stored)) is not None]


def _position(cursor: str) -> tuple[int, str]:
    at, _, name = cursor.partition(":")
    return (int(at) if at.isascii() and at.isdigit() else 0), name


def _names(listed: Iterable[str]) -> list[tuple[str, str]]:
    return [(run_id, question_id) for run_id, _, question_id in (name.partition("/") for name in listed)]

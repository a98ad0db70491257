"""Questions: read and answer."""

from __future__ import annotations

import json

from bot.core import events
from bot.core.errors import NotFound
from bot.core.model import Outcome, Question, Response, Ruling, Verdict
from bot.store import keys
from bot.store.connection import Connection
from bot.store.runs import dump, rule_view

_FIELDS = ("spec", "outcome", "created_at", "deadline_at", "settled_at")


class QuestionVerbs:
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

    async def open_questions(self, limit: int = 200) -> list[Question]:
        async with self._connection.pipeline() as batch:
            for shard in range(keys.SHARDS):
                batch.zrange(f"{keys.base(shard)}:open", 0, limit - 1)
        names = [name.split("/", 1) for found in batch.results for name in found]
        questions = await self._read([(run_id, question_id) for run_id, question_id in names])
        return sorted(questions, key=lambda q: (q.created_at, q.id))[:limit]

    async def respond(self, run_id: str, question_id: str, response: Response) -> Ruling:
        try:
            question = await self.question(run_id, question_id)
        except NotFound:
            return Ruling(verdict=Verdict.REFUSED, code="unknown_question")
        outcome = Outcome(
            action=response.action, value=response.value, comment=response.comment, by=response.actor
        )
        verdict, code = await self._connection.run(
            "respond",
            keys.shard_of(run_id),
            run_id,
            question_id,
            _rule_view(response),
            dump(response),
            response.key,
            dump(outcome),
            dump(events.completed(question, outcome)),
            response.action,
        )
        return Ruling(verdict=verdict, code=code, question=await self.question(run_id, question_id))

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
                batch.hmget(keys.question(run_id, question_id), list(_FIELDS))
        return [question for stored in batch.results if (question := _question(stored)) is not None]


def _rule_view(response: Response) -> str:
    """A response as the script's rules read it."""
    value = response.value if isinstance(response.value, str) else ""
    return json.dumps(
        {
            "action": response.action,
            "value": value,
            "comment": response.comment,
            "actor": rule_view(response.actor),
        }
    )


def _question(stored: list[str | None]) -> Question | None:
    fields = dict(zip(_FIELDS, stored, strict=True))
    spec, outcome = fields.pop("spec"), fields.pop("outcome")
    if spec is None:
        return None
    document = json.loads(spec) | {name: value for name, value in fields.items() if value is not None}
    if outcome is not None:
        document["outcome"] = json.loads(outcome)
    return Question.model_validate(document)

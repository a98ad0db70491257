"""What workers do with runs: claim, record, ask, finish. Fenced by the claim's epoch."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bot.core import events, rules
from bot.core.events import Body, Event
from bot.core.model import Claim, Outcome, Question, RunError, RunStatus
from bot.core.ports import Fenced
from bot.store import keys
from bot.store.connection import Connection
from bot.store.questions import QuestionVerbs
from bot.store.runs import RunVerbs, dump


class WorkVerbs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._runs = RunVerbs(connection)
        self._questions = QuestionVerbs(connection)

    async def claim(self, worker: str, crews: Sequence[str], limit: int, lease: float) -> list[Claim]:
        claimed: list[str] = []
        for shard in range(keys.SHARDS):
            if len(claimed) >= limit:
                break
            room = limit - len(claimed)
            claimed += await self._connection.run("claim", shard, worker, ms(lease), room, *crews)
        return [Claim(run=run, worker=worker, epoch=run.epoch) for run in await self._runs.read(claimed)]

    async def beat(self, worker: str, claims: Iterable[Claim], lease: float) -> set[str]:
        by_shard: defaultdict[int, list[str | int]] = defaultdict(list)
        for claim in claims:
            by_shard[keys.shard_of(claim.run.id)] += [claim.run.id, claim.epoch]
        lost: set[str] = set()
        for shard, held in by_shard.items():
            lost.update(await self._connection.run("beat", shard, ms(lease), *held))
        now = await self._connection.do(self._connection.redis.time())
        await self._connection.do(self._connection.redis.zadd(keys.WORKERS, {worker: now[0] * 1000}))
        return lost

    async def record(self, claim: Claim, event: Body) -> Event:
        body = dump(event)
        name = f"{event.type}:{hashlib.sha256(body.encode()).hexdigest()[:16]}"
        recorded = await self._connection.run(
            "record", keys.shard_of(claim.run.id), claim.run.id, claim.epoch, name, body
        )
        if recorded is None:
            raise Fenced
        return Event(run_id=claim.run.id, seq=recorded[0], at=recorded[1], body=event)

    async def ask(self, claim: Claim, question: Question) -> Question:
        silence = rules.silence(question.deadline, question)
        answer = await self._connection.run(
            "ask",
            keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            question.id,
            dump(question, exclude={"created_at", "deadline_at", "settled_at", "outcome"}),
            dump(events.required(question)),
            *_settling(question, silence),
            *_settling(question, rules.WITHDRAWN),
            _optional_ms(question.deadline.after),
            _optional_ms(question.deadline.remind_after),
        )
        if answer == -1:
            raise Fenced
        return await self._questions.question(claim.run.id, question.id)

    async def finish(self, claim: Claim, *, result: str | None = None, error: RunError | None = None) -> None:
        body: Body = (
            events.RunFailed(error=error) if error else events.RunCompleted(result=result or "")
        )
        ended = await self._connection.run(
            "finish",
            keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            RunStatus.FAILED if error else RunStatus.COMPLETED,
            "error" if error else "result",
            dump(error) if error else result or "",
            dump(body),
        )
        if not ended:
            raise Fenced

    async def abandon(self, worker: str, error: RunError) -> list[str]:
        failed = await self._connection.each_shard(
            "abandon", worker, dump(error), dump(events.RunFailed(error=error))
        )
        await self._connection.do(self._connection.redis.zrem(keys.WORKERS, worker))
        return [run_id for each in failed for run_id in each]


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def _optional_ms(seconds: int | None) -> str:
    return "" if seconds is None else str(ms(seconds))


def _settling(question: Question, outcome: Outcome) -> tuple[str, str]:
    """An outcome and the event that tells of it, made while Python is at hand: the script only picks one."""
    return dump(outcome), dump(events.completed(question, outcome))

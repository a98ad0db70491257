"""What workers do with runs: claim, record, ask, finish. Fenced by the claim's epoch."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bot.core import decision
from bot.core.claim import Claim
from bot.core.event import Body, Event, RunCompleted, RunFailed, completed_event, required_event
from bot.core.ports import Fenced
from bot.core.question import Question, digest_of
from bot.core.run import RunError, RunStatus
from bot.core.text import valid
from bot.core.turns import USUAL, LineKind
from bot.core.waiting import Offer
from bot.store import redis_keys
from bot.store.claiming import Claiming, Places
from bot.store.codec import QUESTION_OWN, dump, ms, new_call
from bot.store.connection import Connection
from bot.store.listing import Listing
from bot.store.questions import QuestionVerbs
from bot.store.queue import Queue

GONE = 24 * 3600
"""Seconds after which a worker that was not seen is no longer listed."""
RETRY_AFTER = 5.0
"""Seconds after which a run of which two workers died is tried once more."""
UNREADABLE_AGAIN = 60.0
"""Seconds after which a run that can't be read is queued again, for a worker of another release."""
SUSPECTS = 8
"""How many of those are told of at once."""


class WorkVerbs:
    """The port `bot.core.ports.Work`."""

    def __init__(self, connection: Connection, retry_after: float = RETRY_AFTER) -> None:
        self._connection = connection
        self._retry_after = retry_after
        self._runs = Listing(connection)
        self._questions = QuestionVerbs(connection)
        #: By worker: the claim whose answer never arrived. What it took is asked for again under its name.
        self._unanswered: dict[str, str] = {}

    async def claim(
        self,
        worker: str,
        crews: Sequence[str],
        limit: int,
        lease: float,
        *,
        most: Mapping[str, int] | None = None,
        alone: bool = False,
    ) -> list[Claim]:
        unanswered = self._unanswered.pop(worker, None)
        call = unanswered or new_call()
        claiming = Claiming(self._connection, (worker, call, lease), most or {})
        try:
            if unanswered:
                await claiming.recover()
            run_ids = await claiming.take(crews, limit, (LineKind.ALONE,) if alone else USUAL)
            runs = await self._runs.read(run_ids)
            await self._set_aside_unreadable(set(run_ids) - {run.id for run in runs})
        except BaseException:
            self._unanswered[worker] = call
            raise
        return [Claim(run=run, worker=worker, epoch=run.epoch) for run in runs]

    async def _set_aside_unreadable(self, run_ids: Iterable[str]) -> None:
        """What this release can't read waits for one that can, and looks no worse for having been claimed."""
        for run_id in run_ids:
            shard, key = redis_keys.shard_of(run_id), redis_keys.run(run_id)
            if epoch := await self._connection.do(self._connection.redis.hget(key, "epoch")):
                await self._connection.run("set_aside", shard, run_id, epoch, ms(UNREADABLE_AGAIN))

    async def suspects(self, crews: Sequence[str]) -> list[str]:
        return await Queue(self._connection).suspects(crews, SUSPECTS)

    async def occupy(
        self, worker: str, crew: str, run_ids: Sequence[str], most: int | None, lease: float
    ) -> set[str]:
        return await Places(self._connection, worker, lease).occupy(crew, run_ids, most)

    async def vacate(self, worker: str, crew: str, run_ids: Sequence[str]) -> None:
        await Places(self._connection, worker).vacate(crew, run_ids)

    async def offer(self, worker: str, crews: Mapping[str, int | None], lease: float) -> None:
        offer = Offer(crews=dict(crews), lease=lease)
        await self._connection.run_small("offer", redis_keys.OFFERS, worker, dump(offer), ms(GONE))

    async def beat(
        self, worker: str, claims: Iterable[Claim], lease: float, worked: Mapping[str, int] | None = None
    ) -> set[str]:
        by_shard: defaultdict[int, list[str | int]] = defaultdict(list)
        for claim in claims:
            by_shard[redis_keys.shard_of(claim.run.id)] += [
                claim.run.id,
                claim.epoch,
                (worked or {}).get(claim.run.id, 0),
            ]
        lost: set[str] = set()
        for shard, held in by_shard.items():
            lost.update(await self._connection.run("beat", shard, ms(lease), *held))
        await self._seen(worker)
        return lost

    async def record(self, claim: Claim, event: Body, key: str | None = None) -> Event:
        body = dump(event)
        name = f"{event.type}:{key or hashlib.sha256(body.encode()).hexdigest()[:32]}"
        recorded = await self._connection.run(
            "record", redis_keys.shard_of(claim.run.id), claim.run.id, claim.epoch, name, body
        )
        if recorded is None:
            raise Fenced
        return Event(run_id=claim.run.id, seq=recorded[0], at=recorded[1], body=event)

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
        return await self._questions.question(claim.run.id, question.id)

    async def finish(self, claim: Claim, *, result: str | None = None, error: RunError | None = None) -> None:
        result = valid(result or "")
        body: Body = RunFailed(error=error) if error else RunCompleted(result=result)
        ended = await self._connection.run(
            "finish",
            redis_keys.shard_of(claim.run.id),
            claim.run.id,
            claim.epoch,
            RunStatus.FAILED if error else RunStatus.COMPLETED,
            "error" if error else "result",
            dump(error) if error else result,
            dump(body),
        )
        if not ended:
            raise Fenced

    async def park(self, claim: Claim, questions: Sequence[str], worked: int = 0) -> bool:
        parked = await self._connection.run(
            "park", redis_keys.shard_of(claim.run.id), claim.run.id, claim.epoch, worked, *questions
        )
        if parked == -1:
            raise Fenced
        return bool(parked)

    async def release(self, claim: Claim, worked: int = 0) -> None:
        shard = redis_keys.shard_of(claim.run.id)
        if await self._connection.run("release", shard, claim.run.id, claim.epoch, worked) == -1:
            raise Fenced

    async def set_aside(self, claim: Claim, seconds: float) -> None:
        shard = redis_keys.shard_of(claim.run.id)
        if await self._connection.run("set_aside", shard, claim.run.id, claim.epoch, ms(seconds)) == -1:
            raise Fenced

    async def abandon(self, worker: str, given_up: RunError) -> list[str]:
        lost = await self._connection.each_shard(
            "abandon", worker, dump(given_up), dump(RunFailed(error=given_up)), ms(self._retry_after)
        )
        await self._connection.do(self._connection.redis.zrem(redis_keys.WORKERS, worker))
        await self._connection.do(self._connection.redis.hdel(redis_keys.OFFERS, worker))
        return [run_id for each in lost for run_id in each]

    async def _seen(self, worker: str) -> None:
        await self._connection.run_small("seen", redis_keys.WORKERS, worker, ms(GONE))


def _optional_ms(seconds: float | None) -> str:
    return "" if seconds is None else str(ms(seconds))

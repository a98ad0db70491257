"""Responses to questions: read with what the rules need, evaluated, and appended unless something changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from bot.core.errors import StoreUnavailable, UnreadableRecord
from bot.core.events.question_events import completed_event, recorded_event
from bot.core.people.actor import Actor
from bot.core.people.identities import People
from bot.core.people.policy import OnReject
from bot.core.ports.store import Prefetched
from bot.core.questions import decision
from bot.core.questions.decision import Refusal, Ruling, Verdict
from bot.core.questions.question import Question
from bot.core.questions.response import Response
from bot.store import redis_keys
from bot.store.codec import (
    QUESTION_FIELDS,
    QUESTION_OWN,
    check_run_version,
    dump,
    read_question,
    read_response,
)
from bot.store.connection import Connection
from bot.store.directory import RedisDirectory, at_ms
from bot.store.identities import Identities, Linked, people_among, relied_on
from bot.store.timers import Timers

MAX_ATTEMPTS = 16
"""How often a response is evaluated again because others were recorded meanwhile."""

FIND_QUESTION = f"""
for _, base in ipairs(KEYS) do
  local run = redis.call('HGET', base .. ':question_runs', ARGV[1])
  if run then
    local key = base .. ':run:' .. run
    local question = key .. ':question:' .. ARGV[1]
    return {{
      run, redis.call('HGET', key, 'version'), redis.call('HGET', question, 'revision'),
      redis.call('HMGET', question, {", ".join(map(repr, QUESTION_FIELDS))}),
      redis.call('LRANGE', question .. ':responses', 0, -1)
    }}
  end
end
return false"""
"""Reads the question with this id if its run lives in one of these shards. Not among the transitions, whose
prelude would take longer than this does: where shards can't be asked together, most have nothing."""


class Responses:
    """Answers questions. The rules are in `bot/core/questions/decision.py`; scripts only compare and set."""

    def __init__(self, connection: Connection, directory: RedisDirectory) -> None:
        self._connection = connection
        self._directory = directory
        self._identities = Identities(connection)
        self._timers = Timers(connection)

    async def prefetch(self, question_id: str, actor: Actor) -> Prefetched | None:
        """Find a question, and what a response of this actor rests on; None if there is no such question."""
        names = list(actor.verified.authenticated)
        async with self._connection.pipeline() as batch:
            for bases in self._connection.grouped_by_slot(redis_keys.BASES):
                batch.eval(FIND_QUESTION, len(bases), *bases, question_id)
            batch.hmget(redis_keys.identities(), names)
            batch.time()
        *shards, identities, time = batch.results
        if (there := next(filter(None, shards), None)) is None:
            return None
        run_id, version, revision, fields, said = there
        with self._connection.unreadable.reported():
            check_run_version(run_id, version)
            question = read_question(question_id, fields)
        if question is None:
            return None
        raw = _RawSnapshot(question, revision or "0", said, None, names, identities, at_ms(time))
        return Prefetched(question, raw)

    async def respond(
        self, run_id: str, question_id: str, response: Response, prefetched: Prefetched | None = None
    ) -> Ruling:
        if prefetched is not None and prefetched.is_of(run_id, question_id):
            ruling = await self._ruling_from_prefetched(response, prefetched.snapshot)
            if ruling is not None:
                return ruling
        for _ in range(MAX_ATTEMPTS):
            snapshot = await self._read_snapshot(run_id, question_id, response)
            if snapshot is None:
                return Ruling(verdict=Verdict.REFUSED, code="unknown_question")
            if snapshot.is_overdue:
                await self._timers.expire(snapshot.question)
                continue
            dated = _dated(response, snapshot.at)
            people = await self._people(snapshot, dated)
            ruling = await self._if_uncounted(snapshot, dated, people)
            ruling = ruling or await self._append(snapshot, dated, people)
            if ruling is not None:
                return ruling
        raise StoreUnavailable("Many people answer this at the same time, so this answer was not recorded.")

    async def of(self, run_id: str, question_id: str) -> list[Response]:
        """All responses, oldest first. Unreadable ones are left out."""
        stored = await self._connection.do(
            self._connection.redis.lrange(redis_keys.responses(run_id, question_id), 0, -1)
        )
        return self._readable(question_id, stored)

    async def _ruling_from_prefetched(self, response: Response, raw: object) -> Ruling | None:
        """The ruling on a response that counts by what was prefetched; None: it is to be read again.

        A refusal, and a repetition, are only told of by what is read for the response itself.
        """
        if not isinstance(raw, _RawSnapshot) or raw.names != list(response.actor.authenticated):
            return None
        snapshot = self._parse(raw)
        if snapshot.is_overdue:
            return None
        dated = _dated(response, snapshot.at)
        people = await self._people(snapshot, dated)
        if decision.refusal(snapshot.question, dated, people, snapshot.responses) is not None:
            return None
        if decision.repeats(snapshot.question, dated, people, snapshot.responses):
            return None
        return await self._append(snapshot, dated, people)

    async def _read_snapshot(self, run_id: str, question_id: str, response: Response) -> _Snapshot | None:
        """Read at once what the evaluation of a response needs; None if there is no such question."""
        names = list(response.actor.authenticated)
        key = redis_keys.question(run_id, question_id)
        async with self._connection.pipeline() as batch:
            # The revision first: what is read after it can only be newer, and then the transition conflicts.
            batch.hget(key, "revision")
            batch.hmget(key, list(QUESTION_FIELDS))
            batch.lrange(redis_keys.responses(run_id, question_id), 0, -1)
            batch.hmget(redis_keys.identities(), names)
            batch.time()
            batch.hget(redis_keys.answered(run_id), response_key(response))
        revision, fields, said, identities, time, answered = batch.results
        with self._connection.unreadable.reported():
            question = read_question(question_id, fields)
        if question is None:
            return None
        raw = _RawSnapshot(question, revision or "0", said, answered, names, identities, at_ms(time))
        return self._parse(raw)

    def _parse(self, raw: _RawSnapshot) -> _Snapshot:
        question = raw.question
        if question.open:  # All have to be readable: the outcome rests on them.
            earlier = [read_response(question.id, each) for each in raw.said]
        else:
            earlier = self._readable(question.id, raw.said)
        linked = self._identities.parse(raw.names, raw.identities)
        at = max([raw.at, *(each.at for each in earlier)])
        return _Snapshot(question, raw.revision, tuple(earlier), raw.answered, linked, at)

    async def _people(self, snapshot: _Snapshot, response: Response) -> People:
        """Who is who for this decision; another round trip only if more matters than who the responder is."""
        policy = snapshot.question.policy
        about_others = snapshot.question.open and (snapshot.responses or policy.on_reject is OnReject.COUNTS)
        about_accounts = relied_on(policy, [response.actor], snapshot.linked)
        if not policy.live_groups and not about_others and not about_accounts:
            return people_among(snapshot.linked, [response.actor], snapshot.at)
        earlier = [each.actor for each in snapshot.responses]
        return await self._directory.people(policy, [response.actor, *earlier], earlier=earlier)

    async def _if_uncounted(self, snapshot: _Snapshot, response: Response, people: People) -> Ruling | None:
        """The ruling on a response that doesn't count; None if it counts."""
        question = snapshot.question
        refused = decision.refusal(question, response, people, snapshot.responses)
        if refused is not None and refused.code == "not_allowed":
            return _refused(refused)
        if snapshot.answered is not None or decision.repeats(question, response, people, snapshot.responses):
            # What people are told of an earlier answer must not be taken back by a failover either.
            await self._connection.wait_durable(redis_keys.shard_of(question.run_id))
            return Ruling(verdict=Verdict.REPEATED, question=await self._answered(snapshot))
        if refused is None:
            return None
        if refused.code == "settled":
            await self._connection.wait_durable(redis_keys.shard_of(question.run_id))
        return _refused(refused, question)

    async def _answered(self, snapshot: _Snapshot) -> Question | None:
        """The question that this response key has answered."""
        if snapshot.answered in {None, snapshot.question.id}:
            return snapshot.question
        return await self._read(snapshot.question.run_id, str(snapshot.answered))

    async def _append(self, snapshot: _Snapshot, response: Response, people: People) -> Ruling | None:
        """Append the response with its effect; None on a conflict: then it is evaluated again."""
        question, response = decision.amend(snapshot.question, response)
        decided = decision.evaluate(question, (response,), people, earlier=snapshot.responses)
        outcome = decided.outcome if isinstance(decided, decision.Settled) else None
        question = question.model_copy(update={"progress": decided.progress})
        event = completed_event(question, outcome) if outcome else recorded_event(question, response)
        done, value = await self._connection.run_durably(
            "respond",
            redis_keys.shard_of(question.run_id),
            question.run_id,
            question.id,
            snapshot.revision,
            response_key(response),
            dump(response),
            response.action,
            dump(outcome) if outcome else "",
            dump(event),
            dump(question.progress),
            dump(question, exclude=QUESTION_OWN) if question.digest != snapshot.question.digest else "",
        )
        if done == "repeated":
            return await self._repeated(snapshot, value)
        if done != "done":
            return None
        if outcome is None:
            return Ruling(verdict=Verdict.RECORDED, question=question)
        settled = question.model_copy(update={"outcome": outcome, "settled_at": int(value)})
        return Ruling(verdict=Verdict.SETTLED, question=settled)

    async def _repeated(self, snapshot: _Snapshot, answered: str) -> Ruling:
        """The ruling on a delivery that was recorded since it was looked for, as when a reply was lost."""
        question = await self._answered(snapshot._replace(answered=answered)) or snapshot.question
        now = await self._read(question.run_id, question.id)
        return Ruling(verdict=Verdict.REPEATED, question=now)

    async def _read(self, run_id: str, question_id: str) -> Question | None:
        stored = await self._connection.do(
            self._connection.redis.hmget(redis_keys.question(run_id, question_id), list(QUESTION_FIELDS))
        )
        with suppress(UnreadableRecord), self._connection.unreadable.reported():
            return read_question(question_id, stored)
        return None

    def _readable(self, question_id: str, stored: Iterable[str]) -> list[Response]:
        found: list[Response] = []
        for each in stored:
            with suppress(UnreadableRecord), self._connection.unreadable.reported():
                found.append(read_response(question_id, each))
        return found


class _RawSnapshot(NamedTuple):
    """A question and all that a response to it rests on, as they were stored at one moment."""

    question: Question
    revision: str
    said: Sequence[str]
    answered: str | None
    #: Whose linked identities these are.
    names: list[str]
    identities: Sequence[str | None]
    #: The time by the store's clock.
    at: int


class _Snapshot(NamedTuple):
    """A `_RawSnapshot` that is parsed: what a response is evaluated with."""

    question: Question
    revision: str
    responses: Sequence[Response]
    #: The question of its run that this delivery has answered already.
    answered: str | None
    #: The linked identities of the responder.
    linked: Linked
    #: The time by the store's clock.
    at: int

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed and was not applied yet, as when no process ran."""
        deadline_at = self.question.deadline_at
        return self.question.open and deadline_at is not None and self.at >= deadline_at


def response_key(response: Response) -> str:
    """The response key with its principal: two people may use the same key."""
    return f"{response.actor.principal}/{response.key}"


def _dated(response: Response, at: int) -> Response:
    """The response as it is recorded, at this time."""
    return response.model_copy(update={"actor": response.actor.verified, "at": at})


def _refused(refused: Refusal, question: Question | None = None) -> Ruling:
    return Ruling(
        verdict=Verdict.REFUSED,
        code=refused.code,
        objection=refused.objection,
        reason=refused.reason,
        errors=refused.errors,
        question=question,
    )

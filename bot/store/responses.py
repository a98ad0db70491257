"""Responses to questions: read with what the rules need, evaluated, and appended unless something changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from bot.core import decision
from bot.core.actor import Actor
from bot.core.decision import Refusal, Ruling, Verdict
from bot.core.errors import StoreUnavailable, UnreadableRecord
from bot.core.people import People
from bot.core.policy import OnReject
from bot.core.ports import Prefetched
from bot.core.question import Question
from bot.core.question_events import completed_event, recorded_event
from bot.core.response import Response
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
    """Answers questions. The rules are those of `bot.core.decision`; scripts only compare and set."""

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
        snapshot = _Snapshot(question, revision or "0", said, None, names, identities, at_ms(time))
        return Prefetched(question, snapshot)

    async def respond(
        self, run_id: str, question_id: str, response: Response, prefetched: Prefetched | None = None
    ) -> Ruling:
        if prefetched is not None and prefetched.is_of(run_id, question_id):
            ruling = await self._ruling_from_prefetched(response, prefetched.snapshot)
            if ruling is not None:
                return ruling
        for _ in range(MAX_ATTEMPTS):
            seen = await self._look(run_id, question_id, response)
            if seen is None:
                return Ruling(verdict=Verdict.REFUSED, code="unknown_question")
            if seen.is_overdue:
                await self._timers.expire(seen.question)
                continue
            dated = _dated(response, seen.at)
            people = await self._people(seen, dated)
            ruling = await self._known(seen, dated, people) or await self._append(seen, dated, people)
            if ruling is not None:
                return ruling
        raise StoreUnavailable("Many people answer this at the same time, so this answer was not recorded.")

    async def of(self, run_id: str, question_id: str) -> list[Response]:
        """All responses, oldest first. Unreadable ones are left out."""
        stored = await self._connection.do(
            self._connection.redis.lrange(redis_keys.responses(run_id, question_id), 0, -1)
        )
        return self._readable(question_id, stored)

    async def _ruling_from_prefetched(self, response: Response, snapshot: object) -> Ruling | None:
        """The ruling on a response that counts by what was prefetched; None: it is to be read again.

        A refusal, and a repetition, are only told of by what is read for the response itself.
        """
        if not isinstance(snapshot, _Snapshot) or snapshot.names != list(response.actor.authenticated):
            return None
        seen = self._seen(snapshot)
        if seen.is_overdue:
            return None
        dated = _dated(response, seen.at)
        people = await self._people(seen, dated)
        if decision.refusal(seen.question, dated, people, seen.responses) is not None:
            return None
        if decision.repeats(seen.question, dated, people, seen.responses):
            return None
        return await self._append(seen, dated, people)

    async def _look(self, run_id: str, question_id: str, response: Response) -> _Seen | None:
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
        snapshot = _Snapshot(question, revision or "0", said, answered, names, identities, at_ms(time))
        return self._seen(snapshot)

    def _seen(self, snapshot: _Snapshot) -> _Seen:
        question = snapshot.question
        if question.open:  # The outcome rests on all of them.
            earlier = [read_response(question.id, each) for each in snapshot.said]
        else:
            earlier = self._readable(question.id, snapshot.said)
        linked = self._identities.parse(snapshot.names, snapshot.identities)
        at = max([snapshot.at, *(each.at for each in earlier)])
        return _Seen(question, snapshot.revision, tuple(earlier), snapshot.answered, linked, at)

    async def _people(self, seen: _Seen, response: Response) -> People:
        """Who is who for this decision; another round trip only if more matters than who the responder is."""
        policy = seen.question.policy
        about_others = seen.question.open and (seen.responses or policy.on_reject is OnReject.COUNTS)
        about_accounts = relied_on(policy, [response.actor], seen.linked)
        if not policy.live_groups and not about_others and not about_accounts:
            return people_among(seen.linked, [response.actor], seen.at)
        earlier = [each.actor for each in seen.responses]
        return await self._directory.people(policy, [response.actor, *earlier], earlier=earlier)

    async def _known(self, seen: _Seen, response: Response, people: People) -> Ruling | None:
        """The ruling on a response that doesn't count; None if it counts."""
        question = seen.question
        refused = decision.refusal(question, response, people, seen.responses)
        if refused is not None and refused.code == "not_allowed":
            return _refused(refused)
        if seen.answered is not None or decision.repeats(question, response, people, seen.responses):
            # What people are told of an earlier answer must not be taken back by a failover either.
            await self._connection.wait_durable(redis_keys.shard_of(question.run_id))
            return Ruling(verdict=Verdict.REPEATED, question=await self._answered(seen))
        if refused is None:
            return None
        if refused.code == "settled":
            await self._connection.wait_durable(redis_keys.shard_of(question.run_id))
        return _refused(refused, question)

    async def _answered(self, seen: _Seen) -> Question | None:
        """The question that this response key has answered."""
        if seen.answered in {None, seen.question.id}:
            return seen.question
        return await self._read(seen.question.run_id, str(seen.answered))

    async def _append(self, seen: _Seen, response: Response, people: People) -> Ruling | None:
        """Append the response with its effect; None on a conflict: then it is evaluated again."""
        question, response = decision.amend(seen.question, response)
        decided = decision.evaluate(question, (response,), people, earlier=seen.responses)
        outcome = decided.outcome if isinstance(decided, decision.Settled) else None
        question = question.model_copy(update={"progress": decided.progress})
        event = completed_event(question, outcome) if outcome else recorded_event(question, response)
        done, value = await self._connection.run_durably(
            "respond",
            redis_keys.shard_of(question.run_id),
            question.run_id,
            question.id,
            seen.revision,
            response_key(response),
            dump(response),
            response.action,
            dump(outcome) if outcome else "",
            dump(event),
            dump(question.progress),
            dump(question, exclude=QUESTION_OWN) if question.digest != seen.question.digest else "",
        )
        if done == "repeated":
            return await self._repeated(seen, value)
        if done != "done":
            return None
        if outcome is None:
            return Ruling(verdict=Verdict.RECORDED, question=question)
        settled = question.model_copy(update={"outcome": outcome, "settled_at": int(value)})
        return Ruling(verdict=Verdict.SETTLED, question=settled)

    async def _repeated(self, seen: _Seen, answered: str) -> Ruling:
        """The ruling on a delivery that was recorded since it was looked for, as when a reply was lost."""
        question = await self._answered(seen._replace(answered=answered)) or seen.question
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


class _Snapshot(NamedTuple):
    """A question, and all that a response rests on, as the store had it when it was read."""

    question: Question
    revision: str
    said: Sequence[str]
    answered: str | None
    #: Whose linked identities these are.
    names: list[str]
    identities: Sequence[str | None]
    #: The time by the store's clock.
    at: int


class _Seen(NamedTuple):
    """A question as it was when a response to it was evaluated."""

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

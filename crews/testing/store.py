"""The store of one run, in memory: the part of the ports that an executed run uses, with the same rules.

`bot.core.questions.decision` decides a question, as in Redis; nothing is durable, and nothing else is here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from bot.core import ids
from bot.core.errors import NotFound, Refused
from bot.core.events.event import Body, Event, RunCancelled, RunCompleted, RunFailed, RunStarted
from bot.core.events.question_events import completed_event, recorded_event, required_event
from bot.core.people.actor import Actor
from bot.core.people.identities import People
from bot.core.people.policy import Policy, can_decide, is_live_group, member
from bot.core.ports.journal import STARTED_SUFFIX, Change, NewEvent, Removal
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Prefetched, Store
from bot.core.questions import decision
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import Outcome, Question
from bot.core.questions.response import Response
from bot.core.runs.run import Claim, NewRun, Run, RunError, RunStatus
from bot.core.text import valid
from bot.core.wakeups import Wakeups, question_topic
from crews.testing.files import MemoryFiles
from crews.testing.people import actor_of

WORKER = "crewdeck.testing"


class MemoryStore:
    """One run and its questions, events and journal. Used on one event loop."""

    def __init__(self, wakeups: Wakeups, groups: Mapping[str, Sequence[str]]) -> None:
        """`groups`: the members of live groups (`@finance`), as scripted people are named."""
        self.wakeups = wakeups
        self.log: list[Event] = []
        self.asked: dict[str, Question] = {}
        self.responses: dict[str, list[Response]] = {}
        self.executed: dict[str, tuple[str, str]] = {}
        #: The question that a response of this key has answered.
        self.answered: dict[tuple[str, str], str] = {}
        self.journal: dict[str, str] = {}
        self.files = MemoryFiles(self.check)
        #: Set when a question was asked or settled.
        self.asked_anew = asyncio.Event()
        self._groups = {
            member(group): frozenset(actor_of(each).principal for each in members)
            for group, members in groups.items()
        }
        self._recorded: dict[str, Event] = {}
        self._run: Run | None = None

    @property
    def run(self) -> Run:
        if self._run is None:
            raise NotFound("run", "none was started")
        return self._run

    @property
    def ports(self) -> Store:
        """The components that a run uses; using another one raises NotImplementedError."""
        known: dict[str, Any] = {
            "runs": _Runs(self),
            "questions": MemoryQuestions(self),
            "events": _Events(self),
            "queue": _Queue(self),
            "journal": _Journal(self),
            "files": self.files,
            "directory": _Directory(self),
        }
        return Store(**{each.name: known.get(each.name) or _Missing(each.name) for each in fields(Store)})

    def start(self, new: NewRun) -> Claim:
        """Start the run, and claim it."""
        given = new.model_dump(by_alias=True, exclude={"awaiting_thread", "place", "followers"})
        self._run = Run.model_validate(
            {**given, "status": RunStatus.RUNNING, "created_at": now(), "epoch": 1}
        )
        started = RunStarted(
            crew_id=ids.part_id(new.id, "crew"),
            crew=new.crew.name,
            title=new.crew.title,
            inputs=new.inputs,
            requester=new.requester.label,
        )
        self.append(started)
        return Claim(run=self.run, worker=WORKER, epoch=1)

    def people(self, policy: Policy) -> People:
        named = {
            *policy.deciders,
            *policy.excluded,
            *(each for group in policy.groups for each in group.members),
        }
        missing = {each for each in named if is_live_group(each)} - self._groups.keys()
        why = "the test doesn't say who is in it: run_crew(..., groups={...})"
        return People(groups=self._groups, unreadable=dict.fromkeys(missing, why))

    def append(self, body: Body) -> Event:
        event = Event(run_id=self.run.id, seq=len(self.log) + 1, at=now(), body=body)
        self.log.append(event)
        return event

    def append_once(self, body: Body, key: str | None) -> Event:
        name = f"{body.type}:{key or body.model_dump_json()}"
        if name not in self._recorded:
            self._recorded[name] = self.append(body)
        return self._recorded[name]

    def change(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case Removal(prefixes):
                    for name in [each for each in self.journal if each.startswith(prefixes)]:
                        del self.journal[name]
                case NewEvent(body, key):
                    self.append_once(body, key)
                case name, value:
                    self._write(name, value)

    def _write(self, name: str, value: str) -> None:
        if name.endswith(STARTED_SUFFIX):
            self.journal[name] = value
        elif name not in self.journal:
            self.journal[name] = value
            self.journal.pop(f"{name}?", None)

    def end(self, status: RunStatus, last: Body, **how: object) -> None:
        for question in [each for each in self.asked.values() if each.open]:
            self.settle(question, decision.WITHDRAWN)
        self._run = self.run.model_copy(update={"status": status, "finished_at": now(), **how})
        self.append(last)

    def settle(self, question: Question, outcome: Outcome) -> Question:
        settled = question.model_copy(update={"outcome": outcome, "settled_at": now()})
        self.asked[question.id] = settled
        self.append(completed_event(question, outcome))
        self.wakeups.wake((question_topic(question.id),))
        return settled

    def check(self, claim: Claim) -> None:
        """Raises Fenced if the run is over."""
        if self.run.status.over or claim.epoch != self.run.epoch:
            raise Fenced


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class _Part:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store


class MemoryQuestions(_Part):
    """What a run uses of the port `bot.core.ports.store.Questions`: asking and answering."""

    async def ask(self, claim: Claim, question: Question) -> Question:
        store = self._store
        store.check(claim)
        if question.id not in store.asked:
            question = decision.prepare(question).model_copy(update={"created_at": now()})
            store.asked[question.id] = question
            store.append(required_event(question))
            store.asked_anew.set()
        return store.asked[question.id]

    async def get(self, run_id: str, question_id: str) -> Question:
        if question_id not in self._store.asked or run_id != self._store.run.id:
            raise NotFound("question", question_id)
        return self._store.asked[question_id]

    async def list(self, run_id: str, *, strict: bool = False) -> list[Question]:  # noqa: ARG002 - the port's
        return list(self._store.asked.values())

    async def record_executed(
        self, claim: Claim, question_id: str, call_digest: str, result_digest: str
    ) -> None:
        self._store.check(claim)
        self._store.executed.setdefault(question_id, (call_digest, result_digest))

    async def respond(
        self,
        run_id: str,
        question_id: str,
        response: Response,
        prefetched: Prefetched | None = None,  # noqa: ARG002 - the port's
    ) -> Ruling:
        store, question = self._store, await self.get(run_id, question_id)
        earlier = store.responses.setdefault(question_id, [])
        response = response.model_copy(update={"actor": response.actor.verified, "at": now()})
        people = store.people(question.policy)
        refused = decision.refusal(question, response, people, earlier)
        if refused is not None and refused.code == "not_allowed":
            return _refused(refused)
        key = (response.actor.principal, response.key)
        if key in store.answered or decision.repeats(question, response, people, earlier):
            answered = store.asked[store.answered.get(key, question.id)]
            return Ruling(verdict=Verdict.REPEATED, question=answered)
        if refused is not None:
            return _refused(refused, question)
        question, response = decision.amend(question, response)
        decided = decision.evaluate(question, (response,), people, earlier=earlier)
        earlier.append(response)
        store.answered[key] = question.id
        question = question.model_copy(update={"progress": decided.progress})
        if isinstance(decided, decision.Settled):
            return Ruling(verdict=Verdict.SETTLED, question=store.settle(question, decided.outcome))
        store.asked[question.id] = question
        store.append(recorded_event(question, response))
        return Ruling(verdict=Verdict.RECORDED, question=question)

    async def expire(self, question: Question) -> None:
        """The deadline passes."""
        self._store.settle(question, decision.expired_outcome(question))


def _refused(refused: decision.Refusal, question: Question | None = None) -> Ruling:
    return Ruling(verdict=Verdict.REFUSED, question=question, **refused.model_dump())


class _Runs(_Part):
    async def cancel(self, run_id: str, by: Actor) -> Run:  # noqa: ARG002 - there is one run
        run = self._store.run
        if not can_decide(by, run.cancellers, self._store.people(run.cancellers)):
            raise Refused("not_allowed", "This run is not yours to cancel.")
        if run.status.over:
            raise Refused("run_over", "This run is over already.")
        self._store.end(RunStatus.CANCELLED, RunCancelled(cancelled_by=by.label), cancelled_by=by.verified)
        return self._store.run


class _Events(_Part):
    async def append(self, claim: Claim, event: Body, key: str | None = None) -> Event:
        self._store.check(claim)
        return self._store.append_once(event, key)


class _Queue(_Part):
    async def finish(
        self,
        claim: Claim,
        *,
        result: str | None = None,
        error: RunError | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        self._store.check(claim)
        self._store.change(changes)
        result = valid(result or "")
        if error is not None:
            self._store.end(RunStatus.FAILED, RunFailed(error=error), error=error)
        else:
            self._store.end(RunStatus.COMPLETED, RunCompleted(result=result), result=result)


class _Journal(_Part):
    async def read(self, run_id: str) -> dict[str, str]:  # noqa: ARG002 - there is one run
        return dict(self._store.journal)

    async def put_if_absent(self, claim: Claim, name: str, value: str) -> str:
        self._store.check(claim)
        return self._store.journal.setdefault(name, value)

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        self._store.check(claim)
        self._store.change(changes)


class _Directory(_Part):
    async def people(self, policy: Policy, actors: Iterable[Actor] = ()) -> People:  # noqa: ARG002 - the port's
        return self._store.people(policy)


class _Missing:
    """A component that no run uses."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, verb: str) -> Any:  # noqa: ANN401 - whatever is looked for
        raise NotImplementedError(f"crewdeck.testing has no store.{self._name}.{verb}")

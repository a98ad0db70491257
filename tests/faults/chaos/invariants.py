"""What must hold whatever dies, and how often it was looked at.

What was recorded is read from the journals of all live runs whenever something has died: none of it may be
done again after that.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import redis

from bot.core import ids
from bot.core.events.event import Event
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import Action, Question, Source
from bot.core.runs.run import Run, RunStatus
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack import SURFACE
from tests.contract.places import misplaced
from tests.faults.chaos.deployment import REDIS, ChaosDeployment
from tests.faults.chaos.patience import patiently
from tests.faults.chaos.people import EFFECTS, GATED, People, Walk, asks, report, shown
from tests.loopback.models import Asked, text_of

ENDED = "every run ended once, as it should"
PLACED = "each run in the one place that its state names"
ONCE = "each recorded step executed once"
ANSWERED = "one answer of each person to each question"
APPROVED = "no call behind a gate without its approvals, and none twice"
GAPLESS = "events without gap or duplicate"
SHOWN = "no orphaned message"


NEED = 2
"""How many people approve a call behind the gate."""


@dataclass(frozen=True)
class Recorded:
    """What the journal of a run held when something died."""

    at: float
    #: Where the file of traces ended.
    end: int
    names: frozenset[str]

    def done(self, task: int) -> bool:
        return f"done/{task}" in self.names

    def turns(self, task: int) -> int:
        """Recorded answers of the model."""
        return sum(name.startswith(f"t{task}/model/") for name in self.names)

    def calls(self, run_id: str) -> set[str]:
        """Keys of recorded calls of tools."""
        found = (name for name in self.names if "/tool/" in name and not name.endswith("?"))
        return {ids.part_id(run_id, "call", name) for name in found}


@dataclass
class Invariants:
    """Of one deployment."""

    deployment: ChaosDeployment
    people: People
    deaths: Counter[str] = field(default_factory=Counter)
    #: Of each run.
    recorded: defaultdict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    #: Messages that were posted twice since nobody lived to record the first.
    copies: int = 0
    #: Calls that were made again: nobody had lived to record their results.
    again: int = 0
    #: What is excused: processes that were stopped, and went on when their runs were others'.
    stopped: set[int] = field(default_factory=set)
    checked: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deployment.on_death.append(self.died)

    async def died(self, name: str) -> None:
        """Remember what was recorded by now."""
        self.deaths["redis" if name == REDIS else name.partition("-")[0]] += 1
        for run in await patiently(lambda: self.runs(active=True)):
            names = frozenset(await patiently(partial(self.deployment.store.journal.read, run.id)))
            # Not before: what is done, and recorded, until the journal has been read is no repetition.
            self.recorded[run.id].append(Recorded(time.monotonic(), self.deployment.effects.end, names))

    async def runs(self, *, active: bool | None = None) -> list[Run]:
        found: list[Run] = []
        before = None
        while page := await self.deployment.store.runs.list(
            RunFilter(active=active, limit=100, before=before)
        ):
            found += page
            before = page[-1].cursor
        return found

    async def learn(self) -> None:
        """Which run belongs to which walk."""
        for run in await self.runs():
            mark = str(run.inputs["prompt"]).strip("[]")
            if mark in self.people.walks:
                self.people.walks[mark].run_id = run.id

    # ── looking at all of it ────────────────────────────────────────────────────────────────────────────

    async def audit(self) -> None:
        """Look at everything. What is wrong is in `violations` then."""
        runs = {run.id: run for run in await self.runs()}
        self.expect(ENDED, len(runs) == len(self.people.walks), f"{len(self.people.walks)} runs were started")
        for walk in self.people.walks.values():
            run = runs.get(walk.run_id)
            self.expect(ENDED, run is not None, f"{walk.mark} was never started")
            if run is not None:
                await self._look_at(walk, run)
        wrong = await asyncio.to_thread(self._misplaced)
        self.expect(PLACED, not wrong, "; ".join(wrong))
        somebody = self.deaths.total() + len(self.stopped)
        self.expect(SHOWN, somebody or not self.copies, f"{self.copies} messages came twice, and nobody died")
        self.expect(ONCE, somebody or not self.again, f"{self.again} calls were made again, and nobody died")

    def _misplaced(self) -> list[str]:
        path = str(self.deployment.server.socket)
        with redis.Redis(unix_socket_path=path, decode_responses=True) as client:
            return misplaced(client)

    async def _look_at(self, walk: Walk, run: Run) -> None:
        events = await self.deployment.store.events.read(run.id)
        questions = await self.deployment.store.questions.list(run.id)
        self._end(walk, run, questions, events)
        self._steps(walk, run, questions)
        await self._answers(walk, questions, events)
        self.gapless(walk.mark, events)
        if walk.channel:
            self._messages(walk, run, questions)

    def _end(self, walk: Walk, run: Run, questions: list[Question], events: list[Event]) -> None:
        wanted = RunStatus.CANCELLED if walk.cancelled else RunStatus.COMPLETED
        self.expect(ENDED, run.status is wanted, f"{walk.mark}: {run.status} {run.error}")
        self.expect(
            ENDED,
            walk.cancelled or run.result == report(approved=_approved(questions)),
            f"{walk.mark}: {run.result}",
        )
        last = [event.last for event in events]
        self.expect(ENDED, last.count(True) == 1 and last[-1], f"{walk.mark}: {last}")

    def _steps(self, walk: Walk, run: Run, questions: list[Question]) -> None:
        traces = self.deployment.effects.traces(walk.mark)
        for recorded in self.recorded[run.id]:
            known = recorded.calls(run.id)
            for trace in traces:
                late = trace.at >= recorded.end and trace.pid not in self.stopped
                repeated = late and (recorded.done(1) or trace.key in known)
                self.expect(ONCE, not repeated, f"{walk.mark}: {trace.what} was done again")
            self._model_calls(walk, recorded)
        done = Counter(trace.what for trace in traces)
        self._gate(walk, questions, done[GATED])
        for what in () if walk.cancelled else EFFECTS:
            if what == GATED:
                continue
            self.expect(ONCE, done[what] > 0, f"{walk.mark}: {what} was never done")
            careful = what == "two"
            self.expect(
                ONCE, not careful or done[what] == 1, f"{walk.mark}: {what} was done {done[what]} times"
            )
        self.again += sum(times - 1 for times in done.values())

    def _gate(self, walk: Walk, questions: list[Question], calls: int) -> None:
        """Each call was approved by two people; and whatever was approved was done, once."""
        gates = [each for each in questions if each.source is Source.GATE]
        approved = [each.outcome for each in gates if each.outcome and each.outcome.action is Action.APPROVE]
        for outcome in approved:
            people = {each.by.principal for each in outcome.responses if each.action is Action.APPROVE}
            self.expect(APPROVED, len(people) == NEED, f"{walk.mark}: approved by {people}")
        self.expect(APPROVED, calls <= min(1, len(approved)), f"{walk.mark}: {calls} calls, {len(approved)}")
        self.expect(
            APPROVED, walk.cancelled or calls == min(1, len(approved)), f"{walk.mark}: it was never done"
        )

    def _model_calls(self, walk: Walk, recorded: Recorded) -> None:
        later = [asked for asked in self._asked(walk.mark) if asked.time > recorded.at]
        for asked in later:
            task = 2 if _reports(asked) else 1
            turn = sum(message["role"] == "assistant" for message in asked.body["messages"])
            fresh = not recorded.done(task) and turn >= recorded.turns(task)
            self.expect(ONCE, fresh, f"{walk.mark}: turn {turn} of task {task} was asked for again")

    def _asked(self, mark: str) -> Iterable[Asked]:
        return (asked for asked in self.deployment.model.requests if asked.marker == mark)

    async def _answers(self, walk: Walk, questions: list[Question], events: list[Event]) -> None:
        completed = Counter(getattr(event.body, "question_id", None) for event in _completed(events))
        for question in questions:
            given = await self.deployment.store.questions.responses(question.run_id, question.id)
            by = question.outcome.by if question.outcome is not None else None
            people = {each.actor.principal for each in given}
            counted = [] if question.outcome is None else question.outcome.responses
            self.expect(ANSWERED, question.outcome is not None, f"{walk.mark}: {question.prompt!r} is open")
            once = len(people) == len(given) == len(counted) or by is None
            self.expect(
                ANSWERED,
                once and len(given) <= question.policy.seats,
                f"{walk.mark}: {given} to {question.prompt!r}",
            )
            times = completed[question.id]
            self.expect(ANSWERED, times == 1, f"{walk.mark}: {question.prompt!r} settled {times} times")

    def gapless(self, mark: str, events: Iterable[Event]) -> None:
        """These are a run's events, as somebody has them."""
        seqs = [event.seq for event in events]
        self.expect(GAPLESS, seqs == list(range(1, len(seqs) + 1)), f"{mark}: {seqs}")
        told = Counter(_told(event) for event in events)
        self.expect(GAPLESS, max(told.values(), default=0) == 1, f"{mark}: {told.most_common(3)}")

    def _messages(self, walk: Walk, run: Run, questions: list[Question]) -> None:
        place = ChatPlace.decode(run.place, SURFACE) if run.place is not None else None
        thread = place.thread if place is not None else None
        first, told = shown(self.deployment, walk)
        self.expect(SHOWN, any(message.ts == thread for message in first), f"{walk.mark}: has no thread")
        for message in told:
            self.expect(SHOWN, message.thread_ts == thread, f"{walk.mark}: is lost: {message.words!r}")
        for message in (*first, *told):
            still = asks(message) or "Cancel" in message.labels
            self.expect(SHOWN, not still, f"{walk.mark}: was not rewritten: {message.words!r}")
        for question in questions:
            words = question.call.summary if question.call is not None else question.prompt
            times = sum(words in message.words for message in told)
            seen = times > 0 or walk.cancelled
            self.expect(SHOWN, seen, f"{walk.mark}: {question.prompt!r} was not shown")
            self.copies += max(0, times - 1)
        self.copies += len(first) - 1

    def expect(self, invariant: str, holds: object, otherwise: str) -> None:
        """Count a check of an invariant, and note what is wrong."""
        self.checked[invariant] += 1
        if not holds:
            self.violations.append((invariant, otherwise))

    async def story(self) -> str:
        """Of the runs with which something is wrong: journals, events, and what was said and done."""
        told = [self.deployment.story()]
        for walk in self.people.walks.values():
            if any(walk.mark in why or (walk.run_id and walk.run_id in why) for _, why in self.violations):
                events = await self.deployment.store.events.read(walk.run_id)
                told += [
                    f"--- {walk}",
                    *map(str, events),
                    str(await self.deployment.store.journal.read(walk.run_id)),
                ]
                told += map(str, self.deployment.effects.traces(walk.mark))
                told += [
                    f"{each.ts} {each.labels} {each.words!r}"
                    for part in shown(self.deployment, walk)
                    for each in part
                ]
        return "\n".join(told)

    def report(self) -> str:
        """How often each invariant was looked at, and how often it didn't hold."""
        wrong = Counter(invariant for invariant, _ in self.violations)
        return "\n".join(
            f"  {'FAILED' if wrong[invariant] else 'ok':6} {invariant} ({wrong[invariant]} of {times})"
            for invariant, times in self.checked.items()
        )


def _approved(questions: Iterable[Question]) -> bool:
    asked = [each for each in questions if each.source is not Source.GATE]
    return any(each.outcome is not None and each.outcome.action is Action.APPROVE for each in asked)


def _reports(asked: Asked) -> bool:
    return "Report on this" in "\n".join(map(text_of, asked.body["messages"]))


def _completed(events: Iterable[Event]) -> Iterable[Event]:
    return (event for event in events if event.body.type == "human_input_completed")


def _told(event: Event) -> str:
    body = event.body
    part = getattr(body, "question_id", None) or getattr(body, "task_id", None) or ""
    return f"{body.type} {part}"

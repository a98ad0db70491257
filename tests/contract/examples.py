"""The people, crews and runs that the tests of the store and others take as examples."""

import asyncio
import itertools

from bot.core import ids
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy, policy_for
from bot.core.ports.store import Store
from bot.core.questions.question import APPROVAL_OPTIONS, Action, Deadline, Option, Question, QuestionKind
from bot.core.questions.response import Response, make_response
from bot.core.runs.crew import Crew
from bot.core.runs.place import Place
from bot.core.runs.run import Claim, NewRun, Run, RunError

ADA = Actor(surface="slack", tenant="T1", user_id="U1", name="Ada")
BOB = Actor(surface="slack", tenant="T1", user_id="U2", name="Bob")
DEMO = Crew(name="demo", title="Demo")
LOST = RunError(code="worker_lost", message="The worker stopped.")
CHANNEL = "slack:T1:C1"
PLACE = Place(surface="slack", tenant="T1", ref="C1/1700.1", group=CHANNEL)
UNPLACED = PLACE.model_copy(update={"ref": "C1/"})
LEASE = 30.0
RETRY_AFTER = 0.05
"""Seconds; the store of the tests tries a suspect again sooner than a real one."""

_numbers = itertools.count(1)


def new_run(
    key: str | None = None,
    *,
    crew: Crew = DEMO,
    by: Actor = ADA,
    place: Place | None = None,
    awaiting_thread: bool = False,
) -> NewRun:
    policy = policy_for(crew.approvers, by)
    return NewRun(
        id=ids.run_id(key or f"key {next(_numbers)}"),
        crew=crew,
        requester=by,
        approvers=policy,
        cancellers=policy,
        place=place,
        awaiting_thread=awaiting_thread,
    )


async def started(store: Store, crew: Crew = DEMO, by: Actor = ADA, place: Place | None = None) -> Run:
    run, _ = await store.runs.start(new_run(crew=crew, by=by, place=place))
    return run


async def claimed(store: Store, place: Place | None = None, worker: str = "w1") -> Claim:
    """A new run, held by a worker."""
    await started(store, place=place)
    [claim] = await store.queue.claim(worker, [DEMO.name], 1, LEASE)
    return claim


async def claimed_anyhow(store: Store, worker: str = "w") -> list[Claim]:
    """Whatever is queued or will be in a moment, suspects included."""
    await asyncio.sleep(RETRY_AFTER + 0.01)
    await store.clock.apply_due(LOST)
    taken = await store.queue.claim(worker, [DEMO.name], 9, LEASE)
    return taken + await store.queue.claim(worker, [DEMO.name], 9, LEASE, isolated=True)


def approval(claim: Claim, name: str = "ok", deadline: Deadline | None = None) -> Question:
    return Question(
        id=ids.part_id(claim.run.id, name),
        run_id=claim.run.id,
        kind=QuestionKind.APPROVAL,
        prompt="Publish it?",
        options=APPROVAL_OPTIONS,
        policy=claim.run.approvers,
        deadline=deadline or Deadline(),
    )


def choice(claim: Claim, policy: Policy | None = None) -> Question:
    return approval(claim, "which").model_copy(
        update={
            "kind": QuestionKind.CHOICE,
            "options": (Option(id="1", label="Tea"), Option(id="2", label="Coffee")),
            "policy": policy or claim.run.approvers,
        }
    )


def response(
    action: Action = Action.APPROVE, by: Actor = ADA, key: str = "press", comment: str = ""
) -> Response:
    return make_response(action, by, key=key, comment=comment)


async def event_types(store: Store, run_id: str) -> list[str]:
    """The types of a run's events, whose numbers are seen to have no gap."""
    events = await store.events.read(run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.body.type for event in events]

"""A delivery loop in this process, between a real store and a loopback Slack.

Tests play the worker and the people.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bot.core import starting
from bot.core.events.event import TaskCompleted, TaskStarted
from bot.core.forms.fields import Field
from bot.core.ids import part_id
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Approvers, policy_for
from bot.core.ports.store import Store
from bot.core.questions.question import Action, Deadline, Question, QuestionKind, options_for
from bot.core.questions.response import make_response
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim, Run, RunError
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import open_store
from bot.surfaces.chat.delivery.outbox import OutboxWorker
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.message_keys import question_message
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.recipients import Recipients
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.home import Home
from bot.surfaces.slack.webapi.api import open_api
from tests.loopback.slack import GENERAL, LoopbackSlack, Message
from tests.waiting import WITHIN, alongside, eventually

TEAM = "T0CREW"
ADA = Actor(surface="slack", tenant=TEAM, user_id="U0ADA", name="Ada")
CREW = Crew(
    name="demo",
    title="Demo",
    description="Shows how it works.",
    main_input="topic",
    inputs=(Field(name="topic"),),
)


@dataclass
class Web:
    """A running web process's Slack side, as far as it posts."""

    home: Home
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """As at SIGTERM."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def _member(user_id: str) -> Actor:
    return ADA.model_copy(update={"user_id": user_id})


@dataclass
class Outbox:
    """Everything a test needs."""

    slack: LoopbackSlack
    store: Store
    wakeups: Wakeups
    metrics: Metrics = field(default_factory=Metrics)
    _keys: count[int] = field(default_factory=count)
    _claims: dict[str, Claim] = field(default_factory=dict)

    #: People who are no members any more; None: they may not act at all.
    memberships: dict[str, Membership | None] = field(default_factory=dict)

    async def _current_membership(self, person: Actor) -> Membership | None:
        return self.memberships.get(person.user_id, Membership.MEMBER)

    @asynccontextmanager
    async def web(self, owner: str = "web-1", edits_per_minute: int = 6000) -> AsyncIterator[Web]:
        """A web process that delivers, until the block ends. It edits as fast as the tests look."""
        settings = Settings.model_validate(
            {
                "SLACK_BOT_TOKEN": self.slack.bot_token,
                "SLACK_API_URL": self.slack.api_url,
                "CREWDECK_SLACK_EDITS_PER_MINUTE": edits_per_minute,
            }
        )
        async with open_api(settings, self.metrics, AckPriority()) as api:
            home = Home(self.store, api, self._current_membership)
            worker = OutboxWorker(
                self.store,
                self.wakeups,
                api,
                self.metrics,
                owner,
                recipients=Recipients(_member, home.changed),
            )
            web = Web(home, asyncio.create_task(_together(worker.run(), home.run())))
            try:
                yield web
            finally:
                await web.stop()

    async def start(
        self,
        *,
        thread: str | None = None,
        channel: str = GENERAL,
        crew: Crew = CREW,
        by: str = ADA.user_id,
        **inputs: Any,
    ) -> Run:
        """What `/crew start` does."""
        requester = ADA.model_copy(update={"user_id": by})
        place = ChatPlace(SURFACE, TEAM, channel, thread).encode()
        key = f"start-{next(self._keys)}"
        run, _ = await self.store.runs.start(
            starting.plan(crew, inputs, requester, key=key, place=place, awaiting_thread=True)
        )
        return run

    async def claimed(self, run: Run) -> Claim:
        """The run in a worker's hands, as soon as it is queued."""
        while run.id not in self._claims:
            for claim in await self.store.queue.claim("worker", ["demo"], 10, 60):
                self._claims[claim.run.id] = claim
            await asyncio.sleep(0.02)
        return self._claims[run.id]

    def lose_post(self, search: str = "conversations.replies") -> None:
        """The next message is posted, and nobody hears that it was: not even by looking for it."""
        self.slack.lose_answer("chat.postMessage")
        self.slack.fail(search, error="missing_scope")

    async def until(self, there: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so in the store."""
        await eventually(there)

    async def begin_task(self, claim: Claim, number: int, total: int, agent: str = "Writer") -> None:
        await self.store.events.append(claim, TaskStarted(**_task(claim, number, total), agent=agent))

    async def end_task(self, claim: Claim, number: int, total: int) -> None:
        await self.store.events.append(claim, TaskCompleted(**_task(claim, number, total)))

    async def ask(
        self,
        claim: Claim,
        prompt: str = "May I go on?",
        *,
        kind: QuestionKind = QuestionKind.APPROVAL,
        options: tuple[str, ...] = (),
        approvers: Approvers | None = None,
        **more: Any,
    ) -> Question:
        """What a crew does when it asks."""
        run = claim.run
        policy = more.pop("policy", None) or (
            policy_for(approvers, run.requester) if approvers else run.approvers
        )
        question = Question(
            id=part_id(run.id, "question", next(self._keys)),
            run_id=run.id,
            kind=kind,
            prompt=prompt,
            options=options_for(kind, options),
            policy=policy,
            **{"asker": "Writer", "deadline": Deadline(after=3600), **more},
        )
        return await self.store.questions.ask(claim, question)

    async def show(self, question: Question) -> None:
        """Record that a message in the thread shows a question, as whoever delivers does."""
        posted = MessageRef(GENERAL, self.slack.workspace.next_ts()).encode()
        await self.store.outbox.adopt(SURFACE, question.run_id, question_message(question.id), posted)

    async def answer(self, question: Question, action: Action = Action.APPROVE, **more: Any) -> None:
        said = make_response(action, more.pop("by", ADA), key=f"answer-{next(self._keys)}", **more)
        await self.store.questions.respond(question.run_id, question.id, said)

    async def finish(self, claim: Claim, result: str = "All done.") -> None:
        await self.store.queue.finish(claim, result=result)

    async def fail(self, claim: Claim, message: str, code: str = "model_error") -> None:
        await self.store.queue.finish(claim, error=RunError(code=code, message=message))

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────

    async def sees(self, find: Callable[[], Message | None], within: float = WITHIN) -> Message:
        """The message, once people see it."""
        found = await self.slack.wait_for(find, within)
        assert found is not None
        return found

    def said(self, words: str, channel: str = GENERAL) -> Message | None:
        """The first message in the channel that shows these words."""
        return next((each for each in self.slack.messages(channel) if words in each.words), None)

    def times_said(self, words: str, channel: str = GENERAL) -> int:
        return sum(words in each.words for each in self.slack.messages(channel))


async def _together(*loops: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop)


def _task(claim: Claim, number: int, total: int) -> dict[str, Any]:
    run = claim.run.id
    ids = {"crew_id": part_id(run, "crew"), "task_id": part_id(run, "task", number)}
    return {**ids, "task": f"Draft {number}", "number": number, "total": total}


@asynccontextmanager
async def delivering(redis_url: str) -> AsyncIterator[Outbox]:
    """All of it, with Ada in #general, and the store's wake-ups followed."""
    async with LoopbackSlack() as slack, open_store(redis_url) as store:
        slack.person("U0ADA", name="Ada")
        wakeups = Wakeups()
        async with alongside(wakeups.follow(store.events)):
            yield Outbox(slack, store, wakeups)

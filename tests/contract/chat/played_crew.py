"""A crew that tests play by hand, on whichever chat platform its runs are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.crew import Crew
from bot.core.runs.place import Place
from bot.core.runs.run import Claim
from bot.surfaces.chat.message_keys import question_message
from bot.surfaces.chat.places import MessageRef
from tests.contract.examples import DEMO, approval, new_run

ADA, BOB = "ada", "bob"
AT_LENGTH = "All of this is to be read. " * 2000
"""More than a message shows on any platform."""
GREETER = Crew(
    name="greeter",
    title="Greeter",
    main_input="topic",
    inputs=(Field(name="topic", required=True), Field(name="count", type=FieldType.INTEGER)),
)


class PlayedCrew(ABC):
    """What a crew and its worker do in a test of what people do."""

    store: Store

    @property
    @abstractmethod
    def place(self) -> Place:
        """The thread in which runs live."""

    @abstractmethod
    def person(self, user: str) -> Actor:
        """One of the people."""

    @abstractmethod
    def message_in_thread(self, message_id: str) -> MessageRef:
        """Where a message of the thread is; empty: a new one."""

    async def asking(
        self,
        question: str = "ok",
        *deciders: str,
        crew: Crew = DEMO,
        posted: bool = True,
        **more: Any,
    ) -> Question:
        """An open question of a run in the thread, whose requester is Ada."""
        claim = await self.claimed(crew)
        policy = Policy(deciders=tuple(self.person(each).principal for each in deciders or (ADA,)))
        asked = approval(claim, question).model_copy(update={"policy": policy, **more})
        made = await self.store.questions.ask(claim, asked)
        if posted:
            await self.show(made)
        return made

    async def asking_at_length(self) -> Question:
        """A question of which the thread shows the beginning only."""
        return await self.asking(context=AT_LENGTH)

    async def show(self, question: Question, message_id: str = "") -> None:
        """Record the message that shows a question in the thread, as whoever delivers does."""
        shown = self.message_in_thread(message_id).encode()
        key = question_message(question.id)
        await self.store.outbox.adopt(self.place.surface, question.run_id, key, shown)

    async def claimed(self, crew: Crew = DEMO) -> Claim:
        await self.store.runs.start(new_run(crew=crew, by=self.person(ADA), place=self.place))
        [claim] = await self.store.queue.claim("worker", [crew.name], 1, 60)
        return claim

    async def outcome(self, question: Question) -> str:
        """The settled action; empty while it is open."""
        now = await self.store.questions.get(question.run_id, question.id)
        return now.outcome.action if now.outcome else ""

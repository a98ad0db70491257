"""The form for what a crew still needs: drafts of runs, and the modal that completes them."""

from __future__ import annotations

from pydantic import Field, JsonValue

from bot.core import ids
from bot.core.actor import Actor
from bot.core.crew import Crew
from bot.core.ports import Memory
from bot.core.value import Value
from bot.surfaces.chat.inbound.reply import Reply, ReplyTarget
from bot.surfaces.slack.cards import private, views
from bot.surfaces.slack.inbound.opening import Opening

KEPT = 24 * 3600.0
"""Seconds for which a draft can be completed."""
NOT_YOUR_FORM = "This form was opened for somebody else. Start the crew yourself with /crew start."


class Draft(Value):
    """A run that lacks inputs."""

    #: Names the delivery that wanted it: however often the form is sent, one run starts.
    key: str
    crew: str
    given: dict[str, JsonValue] = Field(default_factory=dict)
    channel: str
    thread: str = ""
    #: The principal of who wanted it.
    by: str = ""

    def is_of(self, actor: Actor) -> bool:
        """Whether this person wanted it: nobody completes another's."""
        return self.by == actor.principal

    @property
    def id(self) -> str:
        """The id that its run will have."""
        return ids.run_id(self.key)


class Forms:
    """Drafts, and their modals."""

    def __init__(self, memory: Memory, opening: Opening) -> None:
        self._memory = memory
        self._opening = opening

    async def ask(self, draft: Draft, crew: Crew, trigger_id: str, line: ReplyTarget) -> Reply:
        """Keep the draft, and ask for the rest: in a modal at once, or by a button to it."""
        await self._memory.remember(_name(draft.id), draft.model_dump_json(), KEPT)
        if not trigger_id:
            return Reply(say=private.fill_in(crew, draft.id))
        return self.open(draft, crew, trigger_id, line)

    def open(self, draft: Draft, crew: Crew, trigger_id: str, line: ReplyTarget) -> Reply:
        """The modal, with what is known already filled in."""
        view = views.start_form(crew, draft.id, draft.given)
        return Reply(then=lambda: self._opening.open(trigger_id, view, line))

    async def draft(self, draft_id: str) -> Draft | None:
        """A draft that was kept; None once it is too old."""
        stored = await self._memory.recall(_name(draft_id))
        return Draft.model_validate_json(stored) if stored else None


def _name(draft_id: str) -> str:
    return f"slack:draft:{draft_id}"

"""What the inbound engine needs of a chat platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from bot.core.actor import Actor
from bot.core.locales import Locale
from bot.core.question import Question
from bot.core.run import Run
from bot.surfaces.chat.inbound.interactions import ReplyTarget
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.chat.messages import Form, Message


class ActorResolver(Protocol):
    """Who acts."""

    def principal(self, user: str) -> str:
        """What names this user in policies, whoever they turn out to be; empty if that isn't known yet."""

    async def actor(self, user: str, installation: str = "") -> Actor:
        """Raises Unrecognised, StoreUnavailable, or another CrewdeckError: this person may do nothing."""

    async def locale(self, user: str, /) -> Locale:
        """How this user writes numbers and dates. Raises Unrecognised, StoreUnavailable."""

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """What these users are called; those whose name can't be found out now are left out."""


class PrivateMessenger(Protocol):
    """Tells one person something that nobody else sees."""

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        """Tell it in the best way that works; False if none does."""


class FormOpener(Protocol):
    """Shows forms to people who just acted. Raises nothing of the platform's."""

    async def open(self, handle: str, form: Form, to: ReplyTarget) -> None:
        """Open a form; if that fails, tell the person to press again."""

    async def replace(self, form_id: str, form: Form, to: ReplyTarget) -> None:
        """Show another form in place of an open one, unless it was closed meanwhile."""


class QuestionLayout(Protocol):
    """How the platform shows questions in threads."""

    def is_numbered(self, question: Question) -> bool:
        """Whether people see the options with numbers."""

    def is_complete(self, run: Run, question: Question) -> bool:
        """Whether the thread shows all of the question."""


class Orphans(Protocol):
    """Messages of ours whose place nobody recorded."""

    async def is_recorded(self, run_id: str, posted: Posted) -> bool:
        """Whether this message is recorded. False while the store is away."""

    async def adopt(self, run_id: str, question_id: str, posted: Posted) -> None:
        """Record a message unless it is. Raises StoreUnavailable."""

    async def adopt_unless_recorded_soon(self, run_id: str, question_id: str, posted: Posted) -> None:
        """Adopt this message unless it is recorded in a moment."""

    async def show_outcome(self, run_id: str, question_id: str, posted: Posted) -> None:
        """Show a settled question's outcome in this message. Best effort; the next press retries."""

"""App Home: what is mine to answer, which runs I started, and how to start one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog

from bot.core.errors import NotFound, StoreUnavailable, UnreadableRecord
from bot.core.people.actor import Actor, actor_named
from bot.core.ports.directory import MembershipLookup
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.delivery.thread import Links
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.listings import runs_of, waiting_for
from bot.surfaces.chat.message_keys import PROGRESS, direct_question, question_message
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import MessageRef
from bot.surfaces.chat.recipients import ProfileUnavailable
from bot.surfaces.chat.wording import home
from bot.surfaces.chat.wording.home import AskedQuestion, ListedRun
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.renderer import LIMITS
from bot.surfaces.slack.webapi.api import SlackApi

log = structlog.get_logger(__name__)

DEBOUNCE_S = 2.0
"""Seconds in which changes are gathered before a Home tab is published again."""
REFRESHED_FOR_S = 90 * 24 * 3600.0
"""Seconds for which a Home tab that was opened is kept fresh."""
PROFILE_RETRY_DELAY_S = 60.0
"""Seconds after which a tab is published whose reader Slack could not be asked about."""
MAX_QUESTIONS = 15
MAX_RUNS = 10


class Home:
    """Home tabs, of people who opened theirs once."""

    def __init__(self, store: Store, api: SlackApi, current_membership: MembershipLookup) -> None:
        self._store = store
        self._api = api
        self._current_membership = current_membership
        self._links = Links(store.key_values, api)
        #: When each principal's tab is due.
        self._due: dict[str, float] = {}
        self._marked = asyncio.Event()

    async def opened(self, actor: Actor) -> None:
        """Somebody looks at their tab. Raises nothing of Slack's: publishing is retried."""
        await self._store.key_values.set(_key(actor.principal), actor.membership, REFRESHED_FOR_S)
        self._mark(actor.principal, 0.0)

    async def changed(self, principals: Iterable[str]) -> None:
        """Publish these people's tabs again soon. Raises StoreUnavailable."""
        for principal in set(principals):
            if principal.startswith(f"{SURFACE}:") and await self._store.key_values.get(_key(principal)):
                self._mark(principal, DEBOUNCE_S)

    def _mark(self, principal: str, after: float) -> None:
        due = time.monotonic() + after
        self._due[principal] = min(due, self._due.get(principal, due))
        self._marked.set()

    async def run(self) -> None:
        """Publish what is due, for ever."""
        while True:
            if not self._due:
                self._marked.clear()
                await self._marked.wait()
            principal, due = min(self._due.items(), key=lambda each: each[1])
            if (seconds := due - time.monotonic()) > 0:
                await self._sleep(seconds)
                continue
            del self._due[principal]
            await self._publish(principal)

    async def _sleep(self, seconds: float) -> None:
        """Until the next is due, or something comes that may be due before."""
        self._marked.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._marked.wait()
        except TimeoutError:
            return

    async def _publish(self, principal: str) -> None:
        try:
            person = actor_named(principal)
            # They may have become a guest, or left, since they opened it.
            membership = await self._current_membership(person)
            if membership is not None:
                view = await self._view(person.model_copy(update={"membership": membership}))
                await self._api.publish_home(person.user_id, view)
        except ProfileUnavailable:
            self._mark(principal, PROFILE_RETRY_DELAY_S)
        except RetryLater as later:
            self._mark(principal, max(DEBOUNCE_S, later.seconds))
        except StoreUnavailable:
            self._mark(principal, DEBOUNCE_S)
        except Rejected as rejected:
            log.warning("a Home tab can't be published", principal=principal, code=rejected.code)
        except Exception:
            # The other people's tabs are published all the same.
            log.exception("a Home tab can't be drawn", principal=principal)

    async def _view(self, person: Actor) -> Message:
        person = await self._store.directory.known(person)
        questions = await waiting_for(self._store.questions, person, MAX_QUESTIONS + 1)
        runs = await runs_of(self._store.runs, person, MAX_RUNS)
        # Of crews that they may not start, guests are not told the names.
        crews = [
            crew
            for crew in (await self._store.catalogue.crews()).values()
            if person.membership in crew.allowed_memberships
        ]
        found = [await self._asked(each, person) for each in questions[:MAX_QUESTIONS]]
        asked = [each for each in found if each is not None]
        listed = [ListedRun(run=run, link=await self._link(run.id, PROGRESS)) for run in runs]
        return home.home(asked, listed, crews, LIMITS, more=len(questions) > MAX_QUESTIONS)

    async def _asked(self, question: Question, person: Actor) -> AskedQuestion | None:
        try:
            run = await self._store.runs.get(question.run_id)
        except (NotFound, UnreadableRecord):
            return None
        own = direct_question(question.id, person.user_id)
        link = await self._link(run.id, question_message(question.id)) or await self._link(run.id, own)
        return AskedQuestion(card=question_card(run, question), link=link)

    async def _link(self, run_id: str, name: str) -> str | None:
        messages = (await self._store.outbox.state(SURFACE, run_id)).messages
        try:
            return await self._links.address(MessageRef.decode(messages[name])) if name in messages else None
        except ValueError:
            self._store.health.report_unreadable("copy", f"{name} of run {run_id}", "it names no message")
            return None


def _key(principal: str) -> str:
    return f"slack:home:{principal}"

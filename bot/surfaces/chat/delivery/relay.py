"""Questions of runs that live on another surface, in direct messages to those who may decide them here.

Somebody may decide in each of their linked identities, and a policy may name people of several platforms.
They are asked wherever they are; every copy shows the progress and the outcome. Nobody else is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from bot.core.actor import Actor
from bot.core.errors import CrewdeckError, NotFound, StoreUnavailable
from bot.core.event import (
    Event,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputReminded,
    HumanInputRequired,
)
from bot.core.people import People
from bot.core.policy import Objection, Policy, is_live_group, objection
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Run
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.delivery.direct import MAX_ASKED
from bot.surfaces.chat.delivery.links import Links
from bot.surfaces.chat.delivery.question_copies import QuestionCopies
from bot.surfaces.chat.delivery.recipients import Recipients
from bot.surfaces.chat.delivery.thread import DeliveryRecorder, RunMessages
from bot.surfaces.chat.failures import Later, Rejected, ShutOut
from bot.surfaces.chat.inbound.ports import Unrecognised
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.platform import ChatPlatform
from bot.surfaces.chat.wording import question_messages, relayed

log = structlog.get_logger(__name__)

UNREACHED_RETRY_DELAY_S = 60.0
"""Seconds after which asking somebody is retried of whom the platform could not say who they are."""


@dataclass(frozen=True)
class Recipient:
    """Somebody of this surface who is to be asked, or was."""

    user: str
    #: None: that can't be found out now.
    may_decide: bool | None
    actor: Actor | None = None


class QuestionRelay:
    """Shows questions here whose runs live elsewhere. Raises Later, ShutOut, Superseded, StoreUnavailable."""

    def __init__(
        self,
        store: Store,
        platform: ChatPlatform,
        recorder: DeliveryRecorder,
        recipients: Recipients,
    ) -> None:
        self._store = store
        self._platform = platform
        self._surface = platform.capabilities.surface
        self._recorder = recorder
        self._recipients = recipients
        self._links = Links(store.memory, platform)
        self._copies = QuestionCopies(store, platform.capabilities.limits)

    async def catch_up(self, run: Run) -> None:
        """Show what is new in the questions of this run."""
        messages = RunMessages(self._platform, self._recorder, run, await self._recorder.recorded(run.id))
        news = await self._store.events.read(run.id, messages.cursor)
        for question_id, events in _by_question(news, keys.unreached_in(messages.messages)).items():
            await self._show(messages, question_id, events)
        await self._reconcile(messages)
        if not news:
            return
        if keys.unreached_in(messages.messages):
            # The cursor stays before the last event, so that the run is delivered again.
            await messages.reached(max(messages.cursor, news[-1].seq - 1))
            raise Later(UNREACHED_RETRY_DELAY_S, "it is not known who somebody is that may decide")
        await messages.reached(news[-1].seq)

    async def _show(self, messages: RunMessages, question_id: str, events: Sequence[Event]) -> None:
        try:
            question = await self._store.questions.get(messages.run.id, question_id)
        except NotFound:
            return
        shown = keys.relayed_event(question_id)
        events = [each for each in events if each.seq > int(messages.messages.get(shown, 0))]
        people = await self._store.directory.people(question.policy, [messages.run.requester])
        recipients = await self._concerned(messages, question, people)
        asked = _asked(messages, question_id)
        for recipient in recipients:
            if recipient.user in asked:
                await self._update(messages, question, recipient, asked[recipient.user], events)
            elif question.open:
                await self._ask(messages, question, recipient)
        if events:
            await messages.note(shown, str(events[-1].seq))
            await self._recipients.changed(people.expand(question.policy.deciders))
        unreached = question.open and any(each.may_decide is None for each in recipients)
        if unreached or question_id in keys.unreached_in(messages.messages):
            await messages.note(keys.unreached(question_id), "unrecognised" if unreached else "")

    # ── who ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _concerned(self, messages: RunMessages, question: Question, people: People) -> list[Recipient]:
        """Who may decide and is known here, and who was asked already."""
        named = _named(self._surface, question.policy, people)[:MAX_ASKED] if question.open else []
        users = dict.fromkeys([*named, *_asked(messages, question.id)])
        found = [await self._recipient(user) for user in users]
        actors = [each.actor for each in found if each.actor is not None]
        people = await self._store.directory.people(question.policy, actors) if actors else people
        return [_judged(each, question.policy, people) for each in found]

    async def _recipient(self, user: str) -> Recipient:
        try:
            return Recipient(user, None, await self._recipients.actor(user))
        except StoreUnavailable:
            raise
        except Unrecognised:
            return Recipient(user, None)
        except CrewdeckError as barred:
            log.info("somebody who was to be asked may do nothing here", user=user, code=barred.code)
            return Recipient(user, may_decide=False)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, messages: RunMessages, question: Question, recipient: Recipient) -> None:
        """Ask somebody who may decide, once. Who can't be written to is not asked again."""
        refused = keys.refused_directly(question.id, recipient.user)
        if not recipient.may_decide or refused in messages.messages:
            return
        card = await self._copies.shown.card(messages.run, question)
        name = keys.direct_question(question.id, recipient.user)
        change = partial(relayed.relayed, run=messages.run)
        try:
            to = await self._platform.open_direct(recipient.user)
            await self._copies.post(messages, card, name, to, change)
        except ShutOut:
            raise
        except Rejected as rejected:
            log.warning(
                "a decider can't be asked", run_id=card.run_id, user=recipient.user, code=rejected.code
            )
            await messages.note(refused, rejected.code)
        else:
            await self._add_place(messages, recipient, Posted.decode(messages.messages[name]))

    async def _add_place(self, messages: RunMessages, recipient: Recipient, posted: Posted) -> None:
        """Replies to this message are replies to the run."""
        if recipient.actor is not None:
            place = ChatPlace(self._surface, recipient.actor.tenant, posted.channel)
            moved = place.moved_to(self._platform.thread_of(posted))
            await self._store.runs.add_place(messages.run.id, moved.encode())

    async def _update(
        self,
        messages: RunMessages,
        question: Question,
        recipient: Recipient,
        asked: Posted,
        events: Sequence[Event],
    ) -> None:
        """Show how the question stands to somebody who was asked; nothing of it to who may not decide it."""
        copies = [each for each in messages.named(keys.question_message(question.id)) if _beside(each, asked)]
        if recipient.may_decide is False:
            for posted in copies if events else ():
                await messages.rewrite_one(posted, relayed.not_yours_any_more())
            return
        if any(isinstance(each.body, HumanInputRequired) for each in events):
            await self._add_place(messages, recipient, asked)  # A crash may have prevented it.
        if any(not isinstance(each.body, HumanInputRequired | HumanInputReminded) for each in events):
            for posted in copies:
                await self._rewrite(messages, question, posted)
        if question.open:
            await self._tell_news(messages, question, recipient, asked, events)

    async def _rewrite(self, messages: RunMessages, question: Question, posted: Posted) -> None:
        if question.open:
            card = await self._copies.shown.card(messages.run, question)
            await self._copies.upload_if_long(messages, card, self._platform.thread_of(posted))
        await self._copies.rewrite(messages, question, posted, partial(relayed.relayed, run=messages.run))

    async def _tell_news(
        self,
        messages: RunMessages,
        question: Question,
        recipient: Recipient,
        asked: Posted,
        events: Sequence[Event],
    ) -> None:
        """Tell of edits, which make approvals void, and remind."""
        card = await self._copies.shown.card(messages.run, question)
        link = await self._links.to(asked)
        for event in events:
            match event.body:
                case HumanInputRecorded(arguments=None, value=None):
                    continue
                case HumanInputRecorded():
                    name, news = keys.edit_message(event.seq), question_messages.edited(card, link)
                case HumanInputReminded():
                    name, news = keys.reminder(event.seq), question_messages.reminder(card, link)
                case _:
                    continue
            await self._tell(messages, asked, keys.to_one(name, recipient.user), news)

    async def _tell(self, messages: RunMessages, asked: Posted, name: str, news: Message) -> None:
        if name in messages.messages:
            return
        try:
            await messages.post_to(self._platform.thread_of(asked), news, name=name)
        except ShutOut:
            raise
        except Rejected as rejected:
            log.warning("a decider can't be told", run_id=messages.run.id, code=rejected.code)

    async def _reconcile(self, messages: RunMessages) -> None:
        """Rewrite messages that were posted twice, each once."""
        for name in sorted(messages.adopted):
            ref, question_id = messages.messages[name], keys.question_of(name)
            try:
                question = await self._store.questions.get(messages.run.id, question_id)
            except NotFound:
                continue
            if not question.open or question.progress.counted:
                await self._rewrite(messages, question, Posted.decode(ref))
            await messages.note(name, ref)


def _by_question(news: Iterable[Event], also: Iterable[str]) -> dict[str, list[Event]]:
    """The events of each question; of `also` perhaps none."""
    found: dict[str, list[Event]] = {question_id: [] for question_id in also}
    for event in news:
        match event.body:
            case (
                HumanInputRequired() | HumanInputRecorded() | HumanInputCompleted() | HumanInputReminded()
            ) as body:
                found.setdefault(body.question_id, []).append(event)
            case _:
                continue
    return found


def _named(surface: str, policy: Policy, people: People) -> list[str]:
    """Ids of this surface of those whom the policy names, in whichever of their identities."""
    names = people.expand(policy.deciders) - people.expand_with_unlinked(policy.excluded)
    here = (each for each in sorted(names) if each.startswith(f"{surface}:") and not is_live_group(each))
    return list(dict.fromkeys(each.split(":", 2)[2] for each in here))


def _judged(recipient: Recipient, policy: Policy, people: People) -> Recipient:
    """Whether they may decide, now that it is known who they are."""
    if recipient.actor is None:
        return recipient
    why = objection(recipient.actor, policy, people)
    return Recipient(
        recipient.user, None if why is Objection.UNREADABLE_GROUP else why is Objection.NONE, recipient.actor
    )


def _asked(messages: RunMessages, question_id: str) -> dict[str, Posted]:
    """The message of each person who was asked."""
    return {
        name.partition(":@")[2]: Posted.decode(ref)
        for name, ref in messages.messages.items()
        if keys.is_direct(name, question_id)
    }


def _beside(posted: Posted, asked: Posted) -> bool:
    """Whether it is in the same direct messages: this one, or one that was posted twice."""
    return posted.channel == asked.channel

"""Questions of runs that live on another surface, in direct messages to those who may decide them here.

Somebody may decide in each of their linked identities, and a policy may name people of several platforms.
They are asked wherever they are; every copy shows the progress and the outcome. Nobody else is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from bot.core.errors import NotFound
from bot.core.events.event import (
    Event,
    HumanInputCompleted,
    HumanInputRecorded,
    HumanInputReminded,
    HumanInputRequired,
)
from bot.core.people.identities import People
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.run import Run
from bot.surfaces.chat import message_keys as keys
from bot.surfaces.chat.delivery.deciders import Deciders, Recipient
from bot.surfaces.chat.delivery.question_sender import Change, QuestionSender
from bot.surfaces.chat.delivery.thread import DeliveryRecorder, Links, RunMessages
from bot.surfaces.chat.failures import CredentialsRefused, Rejected, RetryLater
from bot.surfaces.chat.formatted_text import Mention
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.places import ChatPlace, Conversation, MessageRef
from bot.surfaces.chat.platform import ChatPlatform
from bot.surfaces.chat.recipients import Recipients
from bot.surfaces.chat.wording import question_messages, relayed
from bot.surfaces.chat.wording.relayed import KnownHere

log = structlog.get_logger(__name__)

RECIPIENTS_RETRY_DELAY_S = 60.0
"""Seconds after which somebody is asked again whom the platform could not look up."""


@dataclass(frozen=True)
class RelayedQuestion:
    """A question, and what is to be shown of it."""

    question: Question
    #: What has happened to it since it was shown last.
    events: Sequence[Event]
    #: It is to be drawn anew whatever has happened: a message was posted twice, or somebody was unlinked.
    redrawn: bool
    known: KnownHere

    @property
    def asked_now(self) -> bool:
        return any(isinstance(each.body, HumanInputRequired) for each in self.events)

    @property
    def changed(self) -> bool:
        """Whether posted copies are outdated, or a reminder that leads to them is due."""
        return self.redrawn or any(not isinstance(each.body, HumanInputRequired) for each in self.events)


class QuestionRelay:
    """Shows questions of runs elsewhere.

    Raises RetryLater, CredentialsRefused, ShardLeaseLost, StoreUnavailable.
    """

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
        self._deciders = Deciders(store, self._surface, recipients)
        self._links = Links(store.key_values, platform)
        self._sender = QuestionSender(store, platform.capabilities.limits)

    async def catch_up(self, run: Run) -> None:
        """Show what is new in the questions of this run."""
        messages = RunMessages(self._platform, self._recorder, run, await self._recorder.recorded(run.id))
        news = await self._store.events.read(run.id, messages.cursor)
        redrawn = {each for name in messages.outdated for each in keys.to_redraw(messages.messages, name)}
        waiting = (*keys.with_unknown_recipients(messages.messages), *sorted(redrawn))
        for question_id, events in _by_question(news, waiting).items():
            await self._show(messages, question_id, events, redrawn=question_id in redrawn)
        for name in messages.outdated:
            await messages.record(name, messages.messages[name])
        if not news:
            return
        if keys.with_unknown_recipients(messages.messages):
            # The cursor stays before the last event, so that the run is delivered again.
            await messages.advance_cursor(max(messages.cursor, news[-1].seq - 1))
            raise RetryLater(RECIPIENTS_RETRY_DELAY_S, "it can't be found out now who may decide a question")
        await messages.advance_cursor(news[-1].seq)

    async def _show(
        self, messages: RunMessages, question_id: str, events: Sequence[Event], *, redrawn: bool
    ) -> None:
        try:
            question = await self._store.questions.get(messages.run.id, question_id)
        except NotFound:
            return
        shown = keys.relayed_event(question_id)
        asked = _asked(messages, question_id)
        recipients, people = await self._deciders.of(messages.run, question, asked)
        relayed_question = RelayedQuestion(
            question,
            [each for each in events if each.seq > int(messages.messages.get(shown, 0))],
            redrawn,
            _known(recipients, people),
        )
        for recipient in recipients:
            if recipient.user in asked:
                await self._update(messages, relayed_question, recipient, asked[recipient.user])
            elif question.open:
                await self._ask(messages, relayed_question, recipient)
        if relayed_question.changed and not question.open:
            await self._settle_orphans(messages, relayed_question, asked.values())
        if relayed_question.events:
            await messages.record(shown, str(relayed_question.events[-1].seq))
            await self._recipients.changed(people.expand(question.policy.deciders))
        unknown = any(each.may_decide is None for each in recipients)
        incomplete = question.open and (unknown or bool(people.unreadable))
        if incomplete or question_id in keys.with_unknown_recipients(messages.messages):
            await messages.record(keys.unknown_recipients(question_id), "unknown" if incomplete else "")

    async def _ask(self, messages: RunMessages, asking: RelayedQuestion, recipient: Recipient) -> None:
        """Ask somebody who may decide, once; if that fails, again when the question is redrawn."""
        refused = keys.refused_directly(asking.question.id, recipient.user)
        if not recipient.may_decide or (refused in messages.messages and not asking.redrawn):
            return
        name = keys.direct_question(asking.question.id, recipient.user)
        try:
            if not await self._join(messages, asking, recipient, name):
                card = await self._sender.builder.card(messages.run, asking.question)
                to = await self._platform.open_direct(recipient.user)
                await self._add_place(messages, recipient, to)
                await self._sender.post(messages, card, name, to, _relayed(messages, asking))
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            log.warning(
                "a decider can't be asked", run_id=messages.run.id, user=recipient.user, code=rejected.code
            )
            await messages.record(refused, rejected.code)
        else:
            posted = MessageRef.decode(messages.messages[name])
            await self._add_place(messages, recipient, self._platform.thread_of(posted))

    async def _join(
        self, messages: RunMessages, asking: RelayedQuestion, recipient: Recipient, name: str
    ) -> bool:
        """Ask beside other approvals of the turn that wait for this person; False if there are none."""
        question = asking.question
        beside = await self._sender.builder.joinable(
            messages.run, question, messages.messages, recipient.user
        )
        others = await self._theirs(messages, recipient, beside) if beside is not None else {}
        if beside is None or not any(each.open for each in others.values()):
            return False
        only = {*others, question.id}
        change = _relayed(messages, asking)
        return await self._sender.join(messages, question, name, beside, change, only)

    async def _theirs(
        self, messages: RunMessages, recipient: Recipient, posted: MessageRef
    ) -> dict[str, Question]:
        """The questions in a message that its recipient may decide, as far as that is known."""
        sharing = keys.questions_at(messages.messages, posted)
        asked = [each for each in await self._store.questions.list(messages.run.id) if each.id in sharing]
        return await self._deciders.theirs(messages.run, recipient, asked)

    async def _add_place(self, messages: RunMessages, recipient: Recipient, where: Conversation) -> None:
        """Replies there are replies to the run, if it is known by now in which thread they will be."""
        if recipient.actor is not None and where.thread is not None:
            place = ChatPlace(self._surface, recipient.actor.tenant, where.channel, where.thread)
            await self._store.runs.add_place(messages.run.id, place.encode())

    async def _update(
        self, messages: RunMessages, shown: RelayedQuestion, recipient: Recipient, asked: MessageRef
    ) -> None:
        """Show how the question stands to somebody who was asked; nothing of it to who may not decide it."""
        named = messages.named(keys.question_message(shown.question.id))
        copies = [each for each in named if each.channel == asked.channel]
        if recipient.may_decide is False:
            for posted in copies if shown.events or shown.redrawn else ():
                await self._take_away(messages, shown, recipient, posted)
            return
        if shown.asked_now:
            # A crash may have prevented it.
            await self._add_place(messages, recipient, self._platform.thread_of(asked))
        for posted in copies if shown.changed else ():
            if not await self._rewrite(messages, shown, recipient, posted) and shown.question.open:
                messages.forget(posted, shown.question.id)
        if shown.question.open:
            await self._ask_again(messages, shown, recipient)
            await self._tell_news(messages, shown, recipient)

    async def _ask_again(self, messages: RunMessages, shown: RelayedQuestion, recipient: Recipient) -> None:
        """Ask somebody whose message is gone, unless it can't be found out now whether they may decide."""
        if keys.direct_question(shown.question.id, recipient.user) not in messages.messages:
            await self._ask(messages, shown, recipient)

    async def _settle_orphans(
        self, messages: RunMessages, shown: RelayedQuestion, asked: Collection[MessageRef]
    ) -> None:
        """Show the outcome in copies whose posters died: nobody is asked again any more."""
        known = {each.channel for each in asked}
        for posted in messages.named(keys.question_message(shown.question.id)):
            if posted.channel not in known:
                await self._sender.rewrite(messages, shown.question, posted, _relayed(messages, shown))

    async def _take_away(
        self, messages: RunMessages, shown: RelayedQuestion, recipient: Recipient, posted: MessageRef
    ) -> None:
        """Remove a question from its message; other questions in it stay as far as they are still theirs."""
        # No policy is applied to somebody who was barred, and no run is theirs.
        left = await self._theirs(messages, recipient, posted) if recipient.actor is not None else {}
        if not left:
            await messages.rewrite_one(posted, relayed.not_yours_any_more(unlinked=recipient.unlinked))
            return
        change = _relayed(messages, shown)
        await self._sender.rewrite(messages, next(iter(left.values())), posted, change, left.keys())

    async def _rewrite(
        self, messages: RunMessages, shown: RelayedQuestion, recipient: Recipient, posted: MessageRef
    ) -> bool:
        """Returns False if somebody deleted the message."""
        if shown.question.open:
            card = await self._sender.builder.card(messages.run, shown.question)
            await self._sender.upload_if_long(messages, card, self._platform.thread_of(posted))
        only = None
        if len(keys.questions_at(messages.messages, posted)) > 1:
            only = {*(await self._theirs(messages, recipient, posted)), shown.question.id}
        change = _relayed(messages, shown)
        return await self._sender.rewrite(messages, shown.question, posted, change, only)

    async def _tell_news(self, messages: RunMessages, shown: RelayedQuestion, recipient: Recipient) -> None:
        """Tell of edits, which make approvals void, and remind."""
        asked = _asked(messages, shown.question.id).get(recipient.user)
        if asked is None:
            return
        card = await self._sender.builder.card(messages.run, shown.question)
        for event in shown.events:
            match event.body:
                case HumanInputRecorded(arguments=None, value=None):
                    continue
                case HumanInputRecorded():
                    name = keys.edit_message(event.seq)
                    link = await self._links.address(asked)
                    news = question_messages.edited(card, link, self._platform.capabilities.limits)
                case HumanInputReminded():
                    name = keys.reminder(event.seq)
                    news = question_messages.reminder(card, await self._links.address(asked))
                case _:
                    continue
            told = relayed.as_known(news, shown.known)
            await self._tell(messages, asked, keys.to_one(name, recipient.user), told)

    async def _tell(self, messages: RunMessages, asked: MessageRef, name: str, news: Message) -> None:
        if name in messages.messages:
            return
        try:
            await messages.post_to(self._platform.thread_of(asked), news, name=name)
        except CredentialsRefused:
            raise
        except Rejected as rejected:
            log.warning(
                "a direct message to a decider can't be posted", run_id=messages.run.id, code=rejected.code
            )


def _relayed(messages: RunMessages, asking: RelayedQuestion) -> Change:
    """What is different in a message about this question."""
    return partial(relayed.relayed, run=messages.run, known=asking.known)


def _by_question(news: Iterable[Event], also: Iterable[str]) -> dict[str, list[Event]]:
    """The events of each question; there may be none for those in `also`."""
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


def _asked(messages: RunMessages, question_id: str) -> dict[str, MessageRef]:
    """The message of each person who was asked."""
    return {
        keys.recipient_of(name): MessageRef.decode(ref)
        for name, ref in messages.messages.items()
        if keys.is_direct(name, question_id)
    }


def _known(recipients: Iterable[Recipient], people: People) -> KnownHere:
    """How people who are asked here are mentioned here, by each of their names."""
    return {
        name: Mention(each.actor.principal, each.actor.label)
        for each in recipients
        if each.actor is not None
        for name in people.same_person(each.actor.principal)
    }

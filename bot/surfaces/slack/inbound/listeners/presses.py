"""Buttons and selects."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from bot.core import starting
from bot.core.actor import Actor
from bot.core.errors import NotFound
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.question import Action, Question
from bot.core.run import Run
from bot.surfaces.chat.delivery.drawing import off_the_loop
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.commands import CommandHandlers, visible
from bot.surfaces.chat.inbound.copies import Copies
from bot.surfaces.chat.inbound.forms import NOT_YOUR_FORM, Forms
from bot.surfaces.chat.inbound.pending_requests import Delivery
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.inbound.reply import SILENT, Reply, ReplyTarget
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.slack.cards import elements, private, views
from bot.surfaces.slack.inbound.ack_handler import AckHandler, empty, shaped
from bot.surfaces.slack.inbound.opening import Opening
from bot.surfaces.slack.inbound.payloads import Press
from bot.surfaces.slack.inbound.people import People

Effect = Callable[[Press, Target, Actor], Awaitable[Reply]]

NOT_SHOWN = "This isn't for you to see: its run is neither yours nor in this channel."
UNKNOWN = "This button does nothing any more. `/crew status` shows how things are."


class Presses:
    """What each button does."""

    def __init__(
        self,
        store: Store,
        answers: Answers,
        copies: Copies,
        replies: Replies,
        orders: CommandHandlers,
        forms: Forms,
        opening: Opening,
    ) -> None:
        self._store = store
        self._copies = copies
        self._answers = answers
        self._replies = replies
        self._orders = orders
        self._forms = forms
        self._opening = opening

    async def decide(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Approve, reject, or choose an option."""
        action, value = decision(press.act.action_id, target)
        await self._adopt(press, target)
        reply = await self._answers.press(target, action, actor, key=press.key, value=value)
        if press.view is not None:
            return self._in_the_modal(press.view.id, reply)
        return self._refused(press, target, reply)

    async def reply(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Open the modal for an answer in words, for who may answer."""
        await self._adopt(press, target)
        found = await self._answers.answerable(target, actor)
        if isinstance(found, Reply):
            return self._refused(press, target, found)
        return self._open(press, views.reply_form(found))

    async def full(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Show all of what is to be decided, to who may decide it or sees its beginning already."""
        found = await self._read(target)
        if found is None:
            return Reply(say=private.words("This is no longer there: its run ended some time ago."))
        run, question = found
        if not can_decide(actor, question.policy) and not _sees(press, run, actor):
            return Reply(say=private.words(NOT_SHOWN))
        size = len(question.prompt) + len(question.context)
        return self._open(press, await off_the_loop(lambda: views.full_text(run, question), size))

    async def cancel(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Cancel the run whose message was pressed on, which then says so."""
        await self._adopt(press, target)
        return await self._orders.cancel(target.run_id, actor, silent=True)

    async def fill_in(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Open the form for what a crew still needs, for who wanted to start it."""
        draft = await self._forms.draft(target.run_id)
        crew = (await self._store.catalogue.crews()).get(draft.crew) if draft else None
        if draft is None or crew is None:
            return Reply(say=private.words("This has been there for too long. Please start the crew again."))
        if not draft.is_of(actor):
            return Reply(say=private.words(NOT_YOUR_FORM))
        starting.check_can_start(crew, actor)
        return self._forms.open(draft, crew, press.trigger_id, line_to(press))

    async def which(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Pass words on to the question that they were meant for."""
        return await self._replies.pass_on(target, actor, press.container.channel_id)

    async def pick_status(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Say how the run is that was chosen, to who may know of it."""
        try:
            run = await self._store.runs.get(target.run_id)
        except NotFound:
            return Reply(say=private.words("This run is no longer there."))
        if not visible(run, actor, press.container.channel_id):
            return Reply(say=private.words("This run is neither yours nor in this channel."))
        return await self._orders.state(run)

    async def pick_cancel(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Cancel the run that was chosen."""
        return await self._orders.cancel(target.run_id, actor)

    async def unknown(self, _press: Press, _target: Target, _actor: Actor) -> Reply:
        """A button of an older or newer release."""
        return Reply(say=private.words(UNKNOWN))

    def _in_the_modal(self, view_id: str, reply: Reply) -> Reply:
        """What was decided in "Show all" is answered there."""
        text = reply.say.text if reply.say else "Recorded. The message in the thread shows it."
        view = elements.modal("Thank you" if reply.say is None else "Not counted", [elements.section(text)])
        return Reply(then=lambda: self._opening.replace(view_id, view))

    def _open(self, press: Press, view: dict[str, Any]) -> Reply:
        return Reply(then=lambda: self._opening.open(press.trigger_id, view, line_to(press)))

    async def _read(self, target: Target) -> tuple[Run, Question] | None:
        try:
            run = await self._store.runs.get(target.run_id)
            return run, await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return None

    async def _adopt(self, press: Press, target: Target) -> None:
        if (posted := copy_of(press)) is not None:
            await self._copies.adopt(target, posted)

    def _refused(self, press: Press, target: Target, reply: Reply) -> Reply:
        """Who could press on a settled question had a copy before them that is still to be rewritten."""
        posted = copy_of(press)
        if reply.say is None or posted is None:
            return reply
        return replace(reply, then=lambda: self._copies.rewrite(target, posted))


def decision(action_id: str, target: Target) -> tuple[Action, str | None]:
    """What a button of a question says: the action, and the option that was chosen."""
    match action_id:
        case actions.ANSWER_APPROVE:
            return Action.APPROVE, None
        case actions.ANSWER_REJECT:
            return Action.REJECT, None
        case _:
            return Action.CHOOSE, target.option_id


def _sees(press: Press, run: Run, actor: Actor) -> bool:
    """Who may know of the run, of the people whom its crew admits."""
    return actor.membership in run.approvers.allowed_memberships and visible(
        run, actor, press.container.channel_id
    )


def copy_of(press: Press) -> Posted | None:
    """The message in a thread that was pressed on."""
    if press.message is None or press.container.is_ephemeral:
        return None
    return Posted(press.container.channel_id, press.message.ts)


def line_to(press: Press) -> ReplyTarget:
    """The private line to who pressed."""
    return ReplyTarget(
        press.team.id,
        press.user.id,
        press.container.channel_id,
        press.thread,
        press.response_url,
        replaces=press.container.is_ephemeral and bool(press.response_url),
    )


def listen(app: AsyncApp, desk: AckHandler, people: People, presses: Presses) -> None:
    """Take presses."""

    def on(action_id: str, effect: Effect) -> None:
        @app.action(re.compile(action_id))
        @shaped
        async def press(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
            pressed = Press.model_validate(body)
            delivery = Delivery(pressed.key, line_to(pressed), body)
            await desk.take(delivery, work(pressed, effect), ack, empty)
            return None

    async def work(pressed: Press, effect: Effect) -> Reply:
        if pressed.act.has_link:
            return SILENT
        try:
            target = Target.decode(pressed.act.target)
        except ValueError:
            return Reply(say=private.words(UNKNOWN))
        return await effect(pressed, target, await people.actor(pressed.user.id, pressed.installation))

    effects: dict[str, Effect] = {
        actions.ANSWERS.pattern: presses.decide,
        re.escape(actions.OPEN_REPLY): presses.reply,
        re.escape(actions.OPEN_FULL): presses.full,
        re.escape(actions.OPEN_START): presses.fill_in,
        re.escape(actions.RUN_CANCEL): presses.cancel,
        re.escape(actions.PICK_STATUS): presses.pick_status,
        re.escape(actions.PICK_CANCEL): presses.pick_cancel,
        rf"{actions.WHICH}\..+": presses.which,
        r".*": presses.unknown,
    }
    for action_id, effect in effects.items():
        on(f"^(?:{action_id})$", effect)

"""What each button does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from bot.core import starting
from bot.core.actor import Actor
from bot.core.errors import NotFound
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.question import Action, Question
from bot.core.run import Run
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.delivery.rendering import offload
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.commands import CommandHandlers, can_view
from bot.surfaces.chat.inbound.interactions import SILENT, Press, Reply
from bot.surfaces.chat.inbound.ports import Orphans, People
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.inbound.starting import RunStarter
from bot.surfaces.chat.messages import Limits
from bot.surfaces.chat.wording import forms, private_messages, sentences

Handler = Callable[[Press, Target, Actor], Awaitable[Reply]]


@dataclass(frozen=True)
class PressHandlers:
    """Handles presses. Who pressed is checked here and in the store, whatever the button carries."""

    store: Store
    people: People
    answers: Answers
    orphans: Orphans
    replies: Replies
    commands: CommandHandlers
    starter: RunStarter
    limits: Limits

    async def handle(self, press: Press) -> Reply:
        """Do what the button says."""
        if press.is_link or press.action == actions.TICK:
            return SILENT
        try:
            target = Target.decode(press.value)
        except ValueError:
            return Reply(say=private_messages.unknown_button())
        actor = await self.people.actor(press.reply_to.user, press.installation)
        return await self._handler(press.action)(press, target, actor)

    def _handler(self, action: str) -> Handler:
        if actions.ANSWERS.fullmatch(action):
            return self._decide
        if action.startswith(f"{actions.WHICH}."):
            return self._which
        handlers: Mapping[str, Handler] = {
            actions.OPEN_REPLY: self._open_reply,
            actions.OPEN_FULL: self._open_full,
            actions.OPEN_START: self._open_start,
            actions.RUN_CANCEL: self._cancel,
            actions.PICK_STATUS: self._pick_status,
            actions.PICK_CANCEL: self._pick_cancel,
        }
        return handlers.get(action, _unknown)

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    async def _decide(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Approve, reject, or choose an option."""
        action, value = decision(press.action, target)
        await self._adopt(press, target)
        reply = await self.answers.by_press(target, action, actor, key=press.key, value=value)
        if press.form_id:
            # What was decided in "Show all" is answered there.
            return Reply(form=forms.decided(reply.say))
        return self._refused(press, target, reply)

    async def _open_reply(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Open the form for an answer in words, for who may answer."""
        await self._adopt(press, target)
        found = await self.answers.answerable(target, actor)
        if isinstance(found, Reply):
            return self._refused(press, target, found)
        return Reply(form=forms.reply_form(found))

    async def _open_full(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Show all of a question, to who may decide it or sees its beginning already."""
        found = await self._read(target)
        if found is None:
            return Reply(say=private_messages.words(sentences.QUESTION_GONE))
        run, question = found
        if not can_decide(actor, question.policy) and not _sees(press, run, actor):
            return Reply(say=private_messages.words(sentences.QUESTION_HIDDEN))
        size = len(question.prompt) + len(question.context)
        return Reply(form=await offload(lambda: forms.full_text(run, question, self.limits), size))

    async def _which(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Pass words on to the question that they were meant for."""
        return await self.replies.pass_on(target, actor, press.reply_to.channel)

    async def _read(self, target: Target) -> tuple[Run, Question] | None:
        try:
            run = await self.store.runs.get(target.run_id)
            return run, await self.store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return None

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_start(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Open the form for what a crew still needs, for who wanted to start it."""
        found = await self.starter.draft(target.run_id)
        if found is None:
            return Reply(say=private_messages.words(sentences.START_EXPIRED))
        draft, crew = found
        if not draft.is_of(actor):
            return Reply(say=private_messages.words(sentences.FORM_OF_ANOTHER))
        starting.check_can_start(crew, actor)
        return Reply(form=self.starter.form(draft, crew))

    async def _cancel(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Cancel the run whose message was pressed on, which then says so."""
        await self._adopt(press, target)
        return await self.commands.cancel(target.run_id, actor, silent=True)

    async def _pick_status(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Say how the chosen run is, to who may know of it."""
        try:
            run = await self.store.runs.get(target.run_id)
        except NotFound:
            return Reply(say=private_messages.words(sentences.RUN_GONE))
        if not can_view(run, actor, press.reply_to.channel):
            return Reply(say=private_messages.words(sentences.RUN_HIDDEN))
        return await self.commands.describe(run)

    async def _pick_cancel(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Cancel the chosen run."""
        return await self.commands.cancel(target.run_id, actor)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def _adopt(self, press: Press, target: Target) -> None:
        if press.message is not None:
            await self.orphans.adopt(target.run_id, target.question_id, press.message)

    def _refused(self, press: Press, target: Target, reply: Reply) -> Reply:
        """A settled question that could be pressed on: its message still has to show the outcome."""
        posted = press.message
        if reply.say is None or posted is None:
            return reply
        show = self.orphans.show_outcome
        return replace(reply, then=lambda: show(target.run_id, target.question_id, posted))


def decision(action: str, target: Target) -> tuple[Action, str | None]:
    """What a button of a question says: the action, and the option that was chosen."""
    match action:
        case actions.ANSWER_APPROVE:
            return Action.APPROVE, None
        case actions.ANSWER_REJECT:
            return Action.REJECT, None
        case _:
            return Action.CHOOSE, target.option_id


def _sees(press: Press, run: Run, actor: Actor) -> bool:
    """Who may know of the run, of the people whom its crew admits."""
    return actor.membership in run.approvers.allowed_memberships and can_view(
        run, actor, press.reply_to.channel
    )


async def _unknown(_press: Press, _target: Target, _actor: Actor) -> Reply:
    """A button of an older or newer release."""
    return Reply(say=private_messages.unknown_button())

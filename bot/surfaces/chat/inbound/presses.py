"""What each button does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from bot.core import starting
from bot.core.errors import NotFound
from bot.core.people.actor import Actor
from bot.core.people.policy import can_decide
from bot.core.ports.store import Store
from bot.core.questions.question import Action, Question, QuestionKind
from bot.core.runs.run import Run
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.commands import CommandHandlers, can_view_from, can_view_questions_from
from bot.surfaces.chat.inbound.form_handlers import DecisionForms, FormHandlers
from bot.surfaces.chat.inbound.ports import SILENT, ActorResolver, Orphans, Press, Reply, text_reply
from bot.surfaces.chat.inbound.replies import Replies
from bot.surfaces.chat.inbound.starting import RunStarter, form_state
from bot.surfaces.chat.messages import Limits
from bot.surfaces.chat.rendering import offload
from bot.surfaces.chat.wording import private_messages, question_forms, sentences

Handler = Callable[[Press, Target, Actor], Awaitable[Reply]]


@dataclass(frozen=True)
class PressHandlers:
    """Handles presses. Who pressed is checked here and in the store, whatever the button carries."""

    store: Store
    people: ActorResolver
    answers: Answers
    decisions: DecisionForms
    orphans: Orphans
    replies: Replies
    commands: CommandHandlers
    starter: RunStarter
    forms: FormHandlers
    limits: Limits

    async def handle(self, press: Press) -> Reply:
        """Do what the button says."""
        if press.is_link or press.action == actions.TICK:
            return SILENT
        if press.action == actions.FIELD_CHANGED:
            return await self.forms.change(press.form) if press.form else SILENT
        try:
            target = Target.decode(press.value)
        except ValueError:
            return Reply(say=private_messages.unknown_button())
        actor = await self.people.actor(press.reply_to.user, press.installation)
        return await self._handler(press.action)(press, target, actor)

    def _handler(self, action: str) -> Handler:
        if actions.ANSWERS.fullmatch(action):
            return self._decide
        if action.startswith(f"{actions.CHOOSE_QUESTION}."):
            return self._pass_on_words
        if action.startswith(f"{actions.OPEN_FULL}."):
            return self._open_full
        handlers: Mapping[str, Handler] = {
            actions.OPEN_REPLY: self._open_reply,
            actions.OPEN_FULL: self._open_full,
            actions.OPEN_UNCOUNTED: self._open_uncounted,
            actions.OPEN_START: self._open_start,
            actions.OPEN_EDIT: self._open_decision,
            actions.OPEN_REJECT: self._open_decision,
            actions.WITHDRAW: self._withdraw,
            actions.APPROVE_TICKED: self._ticked,
            actions.REJECT_TICKED: self._ticked,
            actions.PREVIOUS_STEP: self._turn,
            actions.NEXT_STEP: self._turn,
            actions.RUN_CANCEL: self._cancel,
            actions.LINK_CONFIRM: self._link,
            actions.UNLINK: self._unlink,
            actions.SHOW_RUN: self._pick_status,
            actions.CHOOSE_RUN_TO_CANCEL: self._pick_cancel,
        }
        return handlers.get(action, _unknown)

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────

    async def _decide(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Approve, reject, or choose an option."""
        action, value = decision(press.action, target)
        await self._adopt(press, target)
        if press.form_id:
            await self._opened_before(target, actor)
        reply = await self.answers.by_press(target, action, actor, key=press.key, value=value)
        return self._in_form(press, target, reply)

    async def _open_reply(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Open the form for an answer in words, or the form that the question is, for who may answer."""
        await self._adopt(press, target)
        found = await self.answers.answerable(target, actor)
        if isinstance(found, Reply):
            kept = await self.forms.uncounted(target, actor)
            return self._refused(press, target, kept or found)
        if found.kind is QuestionKind.FORM:
            return await self.forms.open(target, actor, press.reply_to.user)
        return Reply(form=await self.forms.with_draft(question_forms.reply_form(found), actor))

    async def _open_uncounted(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Show all that this person had filled in when somebody else was first."""
        kept = await self.forms.uncounted(target, actor)
        return kept or text_reply(sentences.UNCOUNTED_GONE)

    async def _open_decision(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Open the form for a reason or an edit, for who may decide."""
        await self._adopt(press, target)
        callback = actions.EDIT if press.action == actions.OPEN_EDIT else actions.REJECT
        reply = await self.decisions.open(callback, target, actor)
        if reply.form is not None:
            reply = replace(reply, form=await self.forms.with_draft(reply.form, actor))
        return self._in_form(press, target, reply)

    async def _withdraw(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Take one's own response back."""
        await self._adopt(press, target)
        reply = await self.answers.withdraw(target, actor, key=press.key)
        if press.form_id and reply.say is not None:
            return Reply(form=question_forms.message_form("Your answer", reply.say))
        return self._refused(press, target, reply)

    async def _ticked(self, press: Press, _target: Target, actor: Actor) -> Reply:
        """Decide everything that is ticked."""
        action = Action.APPROVE if press.action == actions.APPROVE_TICKED else Action.REJECT
        return await self.answers.ticked(press, action, actor)

    async def _open_full(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Show all of a question, to who may decide it or sees its beginning already."""
        found = await self._read(target)
        if found is None:
            return text_reply(sentences.QUESTION_GONE)
        run, question = found
        sees = can_view_questions_from(run, actor, press.reply_to.channel)
        if not sees and not can_decide(actor, question.policy):
            return text_reply(sentences.QUESTION_HIDDEN)
        size = len(question.prompt) + len(question.context)
        form = await offload(lambda: question_forms.full_text(run, question, self.limits), size)
        return Reply(form=form, then=lambda: self._opened(run, question, actor))

    async def _opened(self, run: Run, question: Question, actor: Actor) -> None:
        """Record that this person opened all of it, unless the form was too small for that."""
        size = len(question.prompt) + len(question.context)
        if await offload(lambda: question_forms.is_complete(run, question, self.limits), size):
            await self.store.questions.record_opened(question.run_id, question.id, actor, question.digest)

    async def _opened_before(self, target: Target, actor: Actor) -> None:
        """Whoever decides in "Show all" has opened it: recorded before the answer, if it isn't yet.

        The platform may have shown the form without our hearing so, and the record of it may be under way.
        """
        found = await self._read(target)
        if found is not None and found[1].digest == target.digest and can_decide(actor, found[1].policy):
            await self._opened(*found, actor)

    async def _pass_on_words(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Pass words on to the question that they were meant for."""
        return await self.replies.pass_on(target, actor)

    async def _read(self, target: Target) -> tuple[Run, Question] | None:
        try:
            run = await self.store.runs.get(target.run_id)
            return run, await self.store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return None

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_start(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Open the form for what a crew still needs, for who wanted to start it."""
        found = await self.starter.draft(target.run_id)
        if found is None:
            return text_reply(sentences.START_EXPIRED)
        draft, crew = found
        if not draft.is_of(actor):
            return text_reply(sentences.FORM_OF_ANOTHER)
        starting.check_can_start(crew, actor)
        locale = await self.people.locale(press.reply_to.user)
        return Reply(form=self.starter.form(draft, crew, form_state(draft, crew, locale)))

    async def _turn(self, press: Press, _target: Target, _actor: Actor) -> Reply:
        """Show another step of the form that was pressed in."""
        steps = 1 if press.action == actions.NEXT_STEP else -1
        return await self.forms.change_step(press.form, steps) if press.form else SILENT

    async def _cancel(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Cancel the run whose message was pressed on, which then says so."""
        await self._adopt(press, target)
        return await self.commands.cancel(target.run_id, actor, silent=True)

    async def _pick_status(self, press: Press, target: Target, actor: Actor) -> Reply:
        """Say how the chosen run is, to who may know of it."""
        try:
            run = await self.store.runs.get(target.run_id)
        except NotFound:
            return text_reply(sentences.RUN_GONE)
        if not can_view_from(run, actor, press.reply_to.channel):
            return text_reply(sentences.RUN_HIDDEN)
        return await self.commands.describe(run)

    async def _pick_cancel(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Cancel the chosen run."""
        return await self.commands.cancel(target.run_id, actor)

    # ── identities ──────────────────────────────────────────────────────────────────────────────────────

    async def _link(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Link this person with whom the code is of."""
        return await self.commands.link(target.run_id, actor)

    async def _unlink(self, _press: Press, target: Target, actor: Actor) -> Reply:
        """Remove the chosen identity."""
        return await self.commands.unlink(target.run_id, actor)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def _adopt(self, press: Press, target: Target) -> None:
        if press.message is not None:
            to = press.reply_to
            await self.orphans.adopt(
                target.run_id, target.question_id, press.message, tenant=to.tenant, thread=to.thread
            )

    def _in_form(self, press: Press, target: Target, reply: Reply) -> Reply:
        """What was done in a form is answered there."""
        if not press.form_id or reply.form is not None:
            return self._refused(press, target, reply)
        return Reply(form=question_forms.decided(reply.say))

    def _refused(self, press: Press, target: Target, reply: Reply) -> Reply:
        """A settled question that could be pressed on: its message still has to show the outcome."""
        posted = press.message
        if (reply.say is None and reply.fallback is None) or posted is None:
            return reply
        show = self.orphans.show_outcome
        return replace(reply, then=lambda: show(target.run_id, target.question_id, posted))


def decision(action: str, target: Target) -> tuple[Action, str | None]:
    """The action of a question's button, and the option that was chosen."""
    match action:
        case actions.ANSWER_APPROVE:
            return Action.APPROVE, None
        case actions.ANSWER_REJECT:
            return Action.REJECT, None
        case _:
            return Action.CHOOSE, target.option_id


async def _unknown(_press: Press, _target: Target, _actor: Actor) -> Reply:
    """A button of an older or newer release."""
    return Reply(say=private_messages.unknown_button())

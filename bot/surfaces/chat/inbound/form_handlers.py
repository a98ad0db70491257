"""What submitting a form does. Decisions have two: a reason for a rejection, and what is to be edited."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from bot.core.errors import CrewdeckError, NotFound, StoreUnavailable
from bot.core.people.actor import Actor
from bot.core.ports.store import Store
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Question
from bot.core.questions.response import Response, make_response
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import InvalidTarget, Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.field_forms import CALLBACKS, FieldForms
from bot.surfaces.chat.inbound.form_values import FormDrafts
from bot.surfaces.chat.inbound.ports import SILENT, ActorResolver, FormSubmission, Reply, text_reply
from bot.surfaces.chat.messages import Form, Input, Message, text_message
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.rendering import offload
from bot.surfaces.chat.wording import (
    answer_messages,
    decision_forms,
    question_forms,
    sentences,
    uncounted_forms,
)

MAX_ERROR_LENGTH = 150


class FormHandlers:
    """Handles submitted forms. What is wrong is said in the form, where the words stay for another try."""

    def __init__(
        self,
        platform: Capabilities,
        store: Store,
        people: ActorResolver,
        answers: Answers,
        decisions: DecisionForms,
        fields: FieldForms,
    ) -> None:
        self._limits = platform.limits
        self._drafts = FormDrafts(platform.surface, store.key_values)
        self._store = store
        self._decisions = decisions
        self._people = people
        self._answers = answers
        self._fields = fields

    async def handle(self, sent: FormSubmission) -> Reply:
        """What a submission results in."""
        reply = await self._handled(sent)
        if not reply.errors or reply.fallback is not None:
            return reply
        return replace(reply, fallback=lambda: self._fallback(sent, reply.errors))

    async def _fallback(self, sent: FormSubmission, errors: Mapping[str, str]) -> Message:
        """The errors and the values of a form that its user has closed."""
        why = tuple(errors.values())
        try:
            if sent.callback in CALLBACKS:
                return await self._fields.wrong(sent, why)
            form = await self.filled(sent, {})
        except (CrewdeckError, ValueError):
            form = None
        text = uncounted_forms.typed_in(form) if form else "\n".join(filter(None, sent.values.values()))
        return uncounted_forms.wrong(why, text, self._limits)

    async def _handled(self, sent: FormSubmission) -> Reply:
        try:
            match sent.callback:
                case actions.REPLY:
                    return await self._reply(sent)
                case actions.EDIT | actions.REJECT:
                    actor = await self._people.actor(sent.reply_to.user, sent.installation)
                    return await self._decisions.submit(sent, actor)
                case callback:
                    return await self._fields.submit(sent) if callback in CALLBACKS else SILENT
        except StoreUnavailable:
            return _wrong(sentences.NOT_SAVED)
        except InvalidTarget:
            return _wrong(sentences.FORM_UNKNOWN)
        except CrewdeckError as refused:
            return _wrong(str(refused))

    async def filled(self, sent: FormSubmission, errors: Mapping[str, str]) -> Form | None:
        """The form with what was filled in and what is wrong, for platforms that don't keep it open.

        It stays about what it was about: sent again, it is as stale as before. None where it can no longer be
        made. Raises StoreUnavailable.
        """
        if sent.callback in CALLBACKS:
            return question_forms.filled(await self._fields.shown(sent), sent.values, errors)
        try:
            target = Target.decode(sent.metadata)
            question = await self._store.questions.get(target.run_id, target.question_id)
        except (InvalidTarget, NotFound):
            return None
        form: Form | None = question_forms.reply_form(question)
        if sent.callback in {actions.EDIT, actions.REJECT}:
            form = self._decisions.form(sent.callback, question)
        if form is None:
            return None
        return replace(question_forms.filled(form, sent.values, errors), metadata=sent.metadata)

    async def open(self, target: Target, actor: Actor, user: str) -> Reply:
        """The form of a question, for who may answer it."""
        return await self._fields.open(target, actor, user)

    async def uncounted(self, target: Target, actor: Actor) -> Reply | None:
        """What this person had filled in when somebody else was first; None if there is nothing."""
        return await self._fields.uncounted(target, actor)

    async def change(self, sent: FormSubmission) -> Reply:
        """A field of an open form was changed."""
        if sent.callback in CALLBACKS:
            await self._fields.change(sent)
        return SILENT

    async def close(self, sent: FormSubmission) -> Reply:
        """A form was closed without being sent: what was typed is kept for its writer."""
        if sent.callback in CALLBACKS:
            return await self._fields.close(sent)
        if sent.callback in actions.FORMS_WITH_DRAFTS:
            with suppress(InvalidTarget):
                name = _draft(sent.callback, sent.metadata)
                actor = await self._people.actor(sent.reply_to.user, sent.installation)
                await self._drafts.save(name, actor, sent.values)
        return SILENT

    async def with_draft(self, form: Form, actor: Actor) -> Form:
        """A form with what this person had typed when they closed it, unless it asks something else now."""
        values = await self._drafts.of(_draft(form.callback, form.metadata), actor)
        typed = {name: value for name, value in values.items() if isinstance(value, str)}
        offered = {each.name: each.value for each in form.blocks if isinstance(each, Input)}
        return question_forms.filled(form, offered | typed, {}) if any(typed.values()) else form

    async def change_step(self, sent: FormSubmission, steps: int) -> Reply:
        """Another step of an open form."""
        if sent.callback not in CALLBACKS:
            return SILENT
        reply = await self._fields.change_step(sent, steps)
        if not reply.errors:
            return reply
        return Reply(
            form=question_forms.message_form(
                sentences.NOT_COUNTED, text_message(" ".join(reply.errors.values()))
            )
        )

    async def _reply(self, sent: FormSubmission) -> Reply:
        """An answer in words. Whether this person may answer is checked again, by the store."""
        words = sent.values.get(actions.REPLY_FIELD, "").strip()
        if not words:
            return Reply(errors={actions.REPLY_FIELD: sentences.WORDS_MISSING})
        target = Target.decode(sent.metadata)
        actor = await self._people.actor(sent.reply_to.user, sent.installation)
        return await self._answers.by_form(target, words, actor, key=sent.key)


def _draft(callback: str, metadata: str) -> str:
    """The name of an answer's draft. Raises InvalidTarget.

    An edited question has another digest, and with it a draft of its own.
    """
    about = Target.decode(metadata)
    return f"{about.question_id}:{callback}:{about.digest}"


def _wrong(why: str) -> Reply:
    return Reply(errors={question_forms.WHOLE_FORM: why})


class DecisionForms:
    """Opens and handles these forms. What counts is decided by the store."""

    def __init__(self, platform: Capabilities, store: Store, answers: Answers) -> None:
        self._platform = platform
        self._store = store
        self._answers = answers

    async def open(self, callback: str, target: Target, actor: Actor) -> Reply:
        """The form of an edit or of a rejection, for who may decide what their message shows."""
        found = await self._answers.answerable(target, actor)
        if isinstance(found, Reply):
            return found
        if target.digest != found.digest:
            return text_reply(sentences.CHANGED_MEANWHILE)
        form = self.form(callback, found)
        if form is None:
            return Reply(say=decision_forms.too_long_to_edit(self._platform.title))
        return Reply(form=form)

    def form(self, callback: str, question: Question) -> Form | None:
        """The form of an edit or of a rejection; None if it could not hold what is to be edited."""
        if callback == actions.REJECT:
            return decision_forms.reject_form(question)
        return decision_forms.edit_form(question, self._platform.limits)

    async def submit(self, sent: FormSubmission, actor: Actor) -> Reply:
        """A rejection with its reason, or an approval of what was edited; errors are said in the form."""
        target = Target.decode(sent.metadata)
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return Reply(errors={decision_forms.WHOLE_FORM: sentences.QUESTION_GONE})
        read = _rejection if sent.callback == actions.REJECT else _approval
        size = sum(map(len, sent.values.values()))
        said = await offload(lambda: read(sent, question, target, actor), size)
        if not isinstance(said, Mapping):
            ruling = await self._store.questions.respond(question.run_id, question.id, said)
            said = _objections(ruling, question, sent)
        return Reply(errors={at: why[:MAX_ERROR_LENGTH] for at, why in said.items()}) if said else SILENT


Objections = Mapping[str, str]
"""What is wrong with a submitted form, by field."""


def _rejection(
    sent: FormSubmission, question: Question, target: Target, actor: Actor
) -> Response | Objections:
    del question
    reason = sent.values.get(actions.REPLY_FIELD, "").strip()
    return make_response(Action.REJECT, actor, key=sent.key, comment=reason, digest=target.digest)


def _approval(
    sent: FormSubmission, question: Question, target: Target, actor: Actor
) -> Response | Objections:
    edited = decision_forms.edited(question, sent.values)
    if edited.errors:
        return edited.errors
    return make_response(
        Action.APPROVE,
        actor,
        key=sent.key,
        digest=target.digest,
        value=edited.text,
        arguments=edited.arguments or None,
    )


def _objections(ruling: Ruling, question: Question, sent: FormSubmission) -> Objections:
    """Why a submission does not count: at the fields that it is about, or for all of the form."""
    if ruling.code == "invalid_answer":
        return decision_forms.at_fields(ruling.errors, list(sent.values))
    why = answer_messages.refusal_in_form(ruling, question.policy)
    return {decision_forms.WHOLE_FORM: why} if why else {}

"""Decisions that take more than a press: rejections with a reason, edits, and several approvals at once."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.actor import Actor
from bot.core.decision import Ruling
from bot.core.errors import NotFound, StoreUnavailable
from bot.core.ports import Store
from bot.core.question import Action, Question
from bot.core.response import Response, make_response
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.answers import Answers, refusal
from bot.surfaces.chat.inbound.interactions import SILENT, FormSubmission, Press, Reply
from bot.surfaces.chat.lines import Line
from bot.surfaces.chat.messages import Form
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.rendering import offload
from bot.surfaces.chat.wording import answer_messages, decision_forms, gates, private_messages, sentences

MAX_ERROR_LENGTH = 150


class Decisions:
    """Opens and handles the forms of decisions. What counts is decided by the store."""

    def __init__(self, platform: Capabilities, store: Store, answers: Answers) -> None:
        self._platform = platform
        self._store = store
        self._answers = answers

    # ── forms ───────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, callback: str, target: Target, actor: Actor) -> Reply:
        """The form of an edit or of a rejection, for who may decide what their message shows."""
        found = await self._answers.answerable(target, actor)
        if isinstance(found, Reply):
            return found
        if target.digest != found.digest:
            return Reply(say=private_messages.words(sentences.CHANGED_MEANWHILE))
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
            ruling = await self._answers.respond(question, said)
            said = _objections(ruling, question, sent)
        return Reply(errors={at: why[:MAX_ERROR_LENGTH] for at, why in said.items()}) if said else SILENT

    # ── several at once ─────────────────────────────────────────────────────────────────────────────────

    async def ticked(self, press: Press, action: Action, actor: Actor) -> Reply:
        """Decide everything that this person has ticked, each for itself."""
        if not press.ticked:
            return Reply(say=private_messages.words(answer_messages.NOTHING_TICKED))
        counted = 0
        refused: list[tuple[str, Line]] = []
        for value in dict.fromkeys(press.ticked):
            about, why = await self._one(value, action, actor, press.key)
            counted += not why
            refused += [(about, why)] if why else []
        return Reply(say=answer_messages.counted_of(action, counted, refused))

    async def _one(self, ticked: str, action: Action, actor: Actor, key: str) -> tuple[str, Line]:
        """What one decision is about, and why it did not count. What fails here leaves the others decided."""
        about = answer_messages.TICKED
        try:
            target = Target.decode(ticked)
            question = await self._store.questions.get(target.run_id, target.question_id)
            about = gates.what(question.call) if question.call is not None else question.prompt
            said = make_response(action, actor, key=f"{key}:{question.id}", digest=target.digest)
            return about, refusal(await self._answers.respond(question, said), question)
        except ValueError:
            return about, (sentences.TICK_UNKNOWN,)
        except NotFound:
            return about, (sentences.QUESTION_GONE,)
        except StoreUnavailable:
            return about, (sentences.NOT_SAVED,)


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

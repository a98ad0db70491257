"""Forms of decisions: rejections with a reason, and approvals of what was edited."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.actor import Actor
from bot.core.decision import Ruling
from bot.core.errors import NotFound
from bot.core.ports import Store
from bot.core.question import Action, Question
from bot.core.response import Response, make_response
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.ports import SILENT, FormSubmission, Reply, text_reply
from bot.surfaces.chat.messages import Form
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.rendering import offload
from bot.surfaces.chat.wording import answer_messages, decision_forms, sentences

MAX_ERROR_LENGTH = 150


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
            ruling = await self._answers.respond(question, said)
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

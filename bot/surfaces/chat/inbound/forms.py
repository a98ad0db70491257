"""What submitting a form does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from bot.core.crew import Crew
from bot.core.errors import CrewdeckError, InvalidInputs, NotFound, Refused, StoreUnavailable
from bot.core.ports import Store
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.decisions import Decisions
from bot.surfaces.chat.inbound.interactions import SILENT, FormSubmission, Reply
from bot.surfaces.chat.inbound.ports import People
from bot.surfaces.chat.inbound.starting import Draft, RunStarter
from bot.surfaces.chat.messages import Form
from bot.surfaces.chat.wording import forms, sentences

MAX_ERROR_LENGTH = 150


class FormHandlers:
    """Handles submitted forms. What is wrong is said in the form, where the words stay for another try."""

    def __init__(
        self, store: Store, people: People, answers: Answers, decisions: Decisions, starter: RunStarter
    ) -> None:
        self._store = store
        self._decisions = decisions
        self._people = people
        self._answers = answers
        self._starter = starter

    async def handle(self, sent: FormSubmission) -> Reply:
        try:
            match sent.callback:
                case actions.REPLY:
                    return await self._reply(sent)
                case actions.START:
                    return await self._start(sent)
                case actions.EDIT | actions.REJECT:
                    actor = await self._people.actor(sent.reply_to.user, sent.installation)
                    return await self._decisions.submit(sent, actor)
                case _:
                    return SILENT
        except StoreUnavailable:
            return _wrong(sentences.NOT_SAVED)
        except CrewdeckError as refused:
            return _wrong(str(refused))

    async def filled(self, sent: FormSubmission, errors: Mapping[str, str]) -> Form | None:
        """The form with what was filled in and what is wrong, for platforms that don't keep it open.

        None where it can no longer be made. Raises StoreUnavailable.
        """
        if sent.callback == actions.START:
            found = await self._starter.draft(sent.metadata)
            return forms.filled(self._starter.form(*found), sent.values, errors) if found else None
        target = Target.decode(sent.metadata)
        try:
            question = await self._store.questions.get(target.run_id, target.question_id)
        except NotFound:
            return None
        if sent.callback not in {actions.EDIT, actions.REJECT}:
            return forms.filled(forms.reply_form(question), sent.values, errors)
        form = self._decisions.form(sent.callback, question)
        return forms.filled(form, sent.values, errors) if form is not None else None

    async def _reply(self, sent: FormSubmission) -> Reply:
        """An answer in words. Whether this person may answer is checked again, by the store."""
        words = sent.values.get(actions.REPLY_FIELD, "").strip()
        if not words:
            return Reply(errors={actions.REPLY_FIELD: sentences.WORDS_MISSING})
        target = Target.decode(sent.metadata)
        actor = await self._people.actor(sent.reply_to.user, sent.installation)
        return await self._answers.by_form(target, words, actor, key=sent.key)

    async def _start(self, sent: FormSubmission) -> Reply:
        """Start a crew with what the form holds."""
        found = await self._starter.draft(sent.metadata)
        if found is None:
            return _wrong(sentences.FORM_EXPIRED)
        draft, crew = found
        actor = await self._people.actor(sent.reply_to.user, sent.installation)
        if not draft.is_of(actor):
            return _wrong(sentences.FORM_OF_ANOTHER)
        filled = draft.model_copy(update={"given": _inputs(crew, draft, sent)})
        try:
            run = await self._starter.start(filled, crew, actor)
        except InvalidInputs as invalid:
            at_fields = forms.start_errors(crew, invalid.problems)
            return Reply(errors=at_fields) if at_fields else _wrong(str(invalid)[:MAX_ERROR_LENGTH])
        except Refused as refused:
            return _wrong(str(refused))
        asked_in = replace(sent.reply_to, channel=draft.channel, thread=draft.thread)
        return Reply(then=lambda: self._starter.watch(run, asked_in))


def _inputs(crew: Crew, draft: Draft, sent: FormSubmission) -> dict[str, JsonValue]:
    """What the form says; of an input that it has no field for, what the draft says."""
    unasked = {
        name: value for name, value in draft.given.items() if actions.input_field(name) not in sent.values
    }
    return {**unasked, **forms.start_values(crew, sent.values)}


def _wrong(why: str) -> Reply:
    return Reply(errors={forms.WHOLE_FORM: why})

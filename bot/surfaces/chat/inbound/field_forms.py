"""Forms of typed fields while people fill them in: step by step, kept as a draft, sent at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import JsonValue

from bot.core.errors import InvalidValues, Refused
from bot.core.forms import validation
from bot.core.forms.fields import FieldType
from bot.core.forms.validation import fits
from bot.core.locales import Locale
from bot.core.people.actor import Actor
from bot.core.ports.store import Questions, Store
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Question, QuestionKind
from bot.core.questions.response import make_response
from bot.core.runs.crew import Crew
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.answers import Answers
from bot.surfaces.chat.inbound.form_values import FormDrafts, FormFiles
from bot.surfaces.chat.inbound.ports import SILENT, ActorResolver, FormSubmission, Reply
from bot.surfaces.chat.inbound.starting import Draft, RunStarter, form_state
from bot.surfaces.chat.messages import Button, Form, Limits, Message, Paragraph
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import (
    answer_messages,
    field_forms,
    private_messages,
    question_forms,
    sentences,
    uncounted_forms,
)
from bot.surfaces.chat.wording.field_forms import FormState, shown_step

MAX_ERROR_LENGTH = 150
CALLBACKS = frozenset({actions.START, actions.FORM})
"""The forms that are handled here."""

Values = Mapping[str, JsonValue]


class FormSession(Protocol):
    """One person's form."""

    @property
    def state(self) -> FormState: ...

    @property
    def actor(self) -> Actor:
        """Whose form it is."""

    def form(self, shown: FormState) -> Form:
        """A step of the form."""

    async def save(self, values: Values) -> None:
        """Keep what was filled in, for this person alone, until the form is sent."""

    async def finish(self, values: Values, key: str) -> Reply:
        """Send the form. Raises InvalidValues, Refused."""

    async def ended(self, values: Values, key: str) -> Reply | None:
        """Why the form can't be sent any more, with what was filled in; None while it can."""

    def reopening(self) -> Button | None:
        """Opens the form again with what was filled in."""


class FieldForms:
    """Handles forms of typed fields: what is wrong is said at each field, where the values stay."""

    def __init__(
        self,
        platform: Capabilities,
        store: Store,
        people: ActorResolver,
        answers: Answers,
        starter: RunStarter,
        files: FormFiles,
    ) -> None:
        self._limits = platform.limits
        self._questions = store.questions
        self._people = people
        self._answers = answers
        self._starter = starter
        self._files = files
        self._drafts = FormDrafts(platform.surface, store.key_values)

    async def open(self, target: Target, actor: Actor, user: str) -> Reply:
        """The form of a question, with what this person filled in before, for who may answer it."""
        found = await self._answers.answerable(target, actor)
        if isinstance(found, Reply):
            return found
        session = await self._question(found, target, actor, await self._people.locale(user))
        return Reply(form=session.form(session.state))

    async def submit(self, sent: FormSubmission) -> Reply:
        """A step was submitted: what is wrong in it, the next step, or the end."""
        received = await self._received(sent)
        if isinstance(received, Reply):
            return received
        session, values, unread = received
        shown = replace(session.state, values=values)
        try:
            _check_read(unread)
            if shown.is_last:
                return await session.finish(values, sent.key)
            _check(shown)
        except InvalidValues as wrong:
            return _wrong_at(session, shown, wrong.problems)
        except Refused as refused:
            return _whole(str(refused))
        return Reply(form=session.form(replace(shown, step=shown.step + 1)))

    async def change(self, sent: FormSubmission) -> None:
        """Somebody changed a field: the draft has it, should they close the form."""
        session = await self._session(sent)
        if not isinstance(session, Reply):
            await _keep(session, sent)

    async def close(self, sent: FormSubmission) -> Reply:
        """Somebody closed the form: the draft has it. Where somebody else was first, they get their text."""
        session = await self._session(sent)
        if isinstance(session, Reply):
            return SILENT
        values = await _keep(session, sent)
        ended = await session.ended(values, sent.key)
        has_text = bool(uncounted_forms.typed(session.state.fields, values))
        if ended is None or ended.fallback is None or not has_text:
            return SILENT
        return Reply(say=await ended.fallback())

    async def change_step(self, sent: FormSubmission, steps: int) -> Reply:
        """Show the step that is so many steps further, or back, with what was filled in there."""
        received = await self._received(sent)
        if isinstance(received, Reply):
            return received
        session, values, _ = received
        step = min(max(session.state.step + steps, 0), session.state.steps - 1)
        return Reply(form=session.form(replace(session.state, values=values, step=step)))

    async def shown(self, sent: FormSubmission) -> Form:
        """The step that was submitted; an empty form if it is not this person's, or not there any more."""
        session = await self._session(sent)
        if isinstance(session, Reply):
            return Form(sentences.NOT_COUNTED, (Paragraph((sentences.NOTHING_DONE,)),))
        return session.form(session.state)

    async def uncounted(self, target: Target, actor: Actor) -> Reply | None:
        """What this person had filled in when somebody else was first; None if there is nothing."""
        question = await self._answers.find(target)
        if question is None or question.open or question.kind is not QuestionKind.FORM:
            return None
        session = await self._question(question, target, actor, Locale())
        values = session.state.values
        return await session.ended(values, "") if uncounted_forms.typed(question.form, values) else None

    async def wrong(self, sent: FormSubmission, why: tuple[str, ...]) -> Message:
        """What is wrong with a form that is closed by now, and the way back to it."""
        session = await self._session(sent)
        again = None if isinstance(session, Reply) else session.reopening()
        return uncounted_forms.wrong(why, "", self._limits, again)

    async def _received(self, sent: FormSubmission) -> tuple[FormSession, Values, Mapping[str, str]] | Reply:
        """A form with what was filled in, which the draft has now, and why files of it can't be read."""
        session = await self._session(sent)
        if isinstance(session, Reply):
            return session
        read, unread = await self._files.received(session.state.group, sent, session.actor)
        values = await _keep(session, read)
        ended = await session.ended(values, read.key)
        return ended if ended is not None else (session, values, unread)

    async def _session(self, sent: FormSubmission) -> FormSession | Reply:
        try:
            target = Target.decode(sent.metadata)
        except ValueError:
            return _whole(sentences.FORM_EXPIRED)
        actor = await self._people.actor(sent.reply_to.user, sent.installation)
        locale = await self._people.locale(sent.reply_to.user)
        if sent.callback == actions.START:
            return await self._start(sent, target, actor, locale)
        question = await self._answers.find(target)
        if question is None:
            return _whole(sentences.QUESTION_GONE)
        return await self._question(question, target, actor, locale)

    async def _question(
        self, question: Question, target: Target, actor: Actor, locale: Locale
    ) -> QuestionForm:
        values = await self._drafts.of(question.id, actor)
        filled = FormState(question.form, values, locale, shown_step(target))
        return QuestionForm(self._questions, self._drafts, question, target, actor, self._limits, filled)

    async def _start(
        self, sent: FormSubmission, target: Target, actor: Actor, locale: Locale
    ) -> FormSession | Reply:
        found = await self._starter.draft(target.run_id)
        if found is None:
            return _whole(sentences.FORM_EXPIRED)
        draft, crew = found
        if not draft.is_of(actor):
            return _whole(sentences.FORM_OF_ANOTHER)
        return StartForm(
            self._starter, sent, draft, crew, actor, form_state(draft, crew, locale, shown_step(target))
        )


@dataclass(frozen=True)
class StartForm:
    """The form for a crew's inputs."""

    starter: RunStarter
    sent: FormSubmission
    draft: Draft
    crew: Crew
    actor: Actor
    state: FormState

    def form(self, shown: FormState) -> Form:
        return self.starter.form(self.draft, self.crew, shown)

    async def save(self, values: Values) -> None:
        await self.starter.save(self._with(values))

    async def finish(self, values: Values, key: str) -> Reply:  # noqa: ARG002 - the draft names the start
        run = await self.starter.start(self._with(values), self.crew, self.actor, self.state.locale)
        asked_in = replace(self.sent.reply_to, channel=self.draft.channel, thread=self.draft.thread)
        return Reply(watch=lambda: self.starter.watch(run, asked_in))

    async def ended(self, values: Values, key: str) -> Reply | None:  # noqa: ARG002 - a port
        return None

    def reopening(self) -> Button | None:
        return private_messages.open_start(self.crew, self.draft.id)

    def _with(self, values: Values) -> Draft:
        return self.draft.model_copy(update={"given": dict(values)})


@dataclass(frozen=True)
class QuestionForm:
    """The form of a question."""

    questions: Questions
    drafts: FormDrafts
    question: Question
    #: The question as it was when the form was opened.
    target: Target
    actor: Actor
    limits: Limits
    state: FormState

    def form(self, shown: FormState) -> Form:
        asked = self.question.model_copy(update={"digest": self.target.digest or self.question.digest})
        return field_forms.question_form(asked, shown, self.limits)

    async def save(self, values: Values) -> None:
        if not self._is_mine(self.question):
            await self.drafts.save(self.question.id, self.actor, values)

    async def finish(self, values: Values, key: str) -> Reply:
        """Send it. Whether this person may answer is checked by the store."""
        read = validation.validate(self.question.form, values, strict=False, locale=self.state.locale)
        # Null: it was left empty, so its default doesn't count.
        return await self._send({each.name: read.get(each.name) for each in self.question.form}, values, key)

    async def ended(self, values: Values, key: str) -> Reply | None:
        # Why it doesn't count any more is the store's to say.
        return None if self.question.open else await self._send({}, values, key)

    def reopening(self) -> Button | None:
        return answer_messages.fill_in(self.question) if self.question.open else None

    async def _send(self, sent: Values, typed: Values, key: str) -> Reply:
        """Give these values to the store. Raises InvalidValues for what it refuses of them."""
        said = make_response(Action.SUBMIT, self.actor, key=key, values=sent, digest=self.target.digest)
        ruling = await self.questions.respond(self.question.run_id, self.question.id, said)
        if ruling.code == "invalid_answer" and ruling.errors:
            raise InvalidValues(dict(ruling.errors))
        if why := self._refusal(ruling):
            still_open = ruling.question is not None and ruling.question.open
            return _whole(why) if still_open else self._not_counted(why, typed)
        await self.drafts.delete(self.question.id, self.actor)
        return SILENT

    def _not_counted(self, why: str, typed: Values) -> Reply:
        """This can't be sent any more: why, and all that this person filled in, in whatever step."""
        text = uncounted_forms.typed(self.question.form, typed)
        everything = uncounted_forms.everything(Target(self.question.run_id, self.question.id))

        async def fallback() -> Message:
            return uncounted_forms.message(why, text, self.limits, everything)

        return Reply(form=uncounted_forms.window(why, text, self.limits), fallback=fallback)

    def _refusal(self, ruling: Ruling) -> str:
        settled = ruling.question.outcome if ruling.question is not None else None
        if ruling.code == "settled" and settled is not None and settled.by is not None:
            mine = ruling.question is not None and self._is_mine(ruling.question)
            return sentences.FORM_SENT_BEFORE if mine else sentences.form_settled(settled.by.label)
        return answer_messages.refusal_in_form(ruling, self.question.policy)

    def _is_mine(self, question: Question) -> bool:
        """Whether this person's answer is the one that settled it."""
        by = question.outcome.by if question.outcome is not None else None
        return by is not None and by.principal == self.actor.principal


async def _keep(session: FormSession, sent: FormSubmission) -> Values:
    """What was filled in so far, which the draft has now, too."""
    values = _with(session.state, sent)
    await session.save(values)
    return values


def _with(before: FormState, sent: FormSubmission) -> dict[str, JsonValue]:
    """What was filled in before, and what the form holds now."""
    present = [field for field in before.group if actions.input_field(field.name) in sent.values]
    now = field_forms.submitted(present, sent.values, before.locale)
    # A field for a file is empty again whenever it is shown: what was uploaded stays.
    kept = {each.name for each in present if each.type is FieldType.FILE and not fits(each, now[each.name])}
    return {**before.values, **{name: value for name, value in now.items() if name not in kept}}


def _check_read(unread: Mapping[str, str]) -> None:
    """Raises InvalidValues for files that can't be read."""
    if unread:
        raise InvalidValues(dict(unread))


def _check(shown: FormState) -> None:
    """Raises InvalidValues for the fields of this step."""
    names = {field.name for field in shown.group}
    given = {name: value for name, value in shown.values.items() if name in names}
    validation.validate(shown.group, given, strict=False, locale=shown.locale)


def _wrong_at(session: FormSession, shown: FormState, problems: Mapping[str, str]) -> Reply:
    """What is wrong, at its fields; where those are in another step, that step."""
    if here := field_forms.errors(shown.group, problems):
        return Reply(errors=here)
    if field_forms.errors(shown.fields, problems):
        return Reply(form=session.form(shown.at_first_of(problems)))
    return _whole("; ".join(f"{name}: {why}" for name, why in problems.items()))


def _whole(why: str) -> Reply:
    return Reply(errors={question_forms.WHOLE_FORM: why[:MAX_ERROR_LENGTH]})

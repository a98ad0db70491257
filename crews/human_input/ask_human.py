"""The tool `ask_human`: its arguments, the question that it asks, and the answer as its model reads it."""

from __future__ import annotations

import json
from typing import Any, Literal, Self

from crewai.tools import BaseTool
from pydantic import BaseModel, Field, field_validator, model_validator

from bot.core.forms import fields
from bot.core.forms.fields import FieldType
from bot.core.forms.validation import check_form
from bot.core.labels import label_key, lookalikes, reserved
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, ReasonFlags, infer_kind
from bot.core.text import drop_invisible, visible
from crews.human_input.terminal_questions import ask_outside_of_runs
from crews.journal.serialization import in_valid_text
from crews.run.context import AGENT, CURRENT
from crews.run.questions import Asking

MAX_OPTIONS = 10
NAME = "ask_human"

DESCRIPTION = """\
Ask the people you work for, and wait for their answer. Use it
- before anything that can't be undone, is published, or costs money: kind "approval";
- when several ways are open and only they can know which one they want: kind "choice", with up to 10 options;
- when a fact that you need is missing or ambiguous and can't be looked up: kind "text", and say the reason;
- when you need several facts, or one of a certain type: kind "form", with a field for each in `fields`.
Ask one thing at a time, in one or two plain sentences that can be understood without having seen your work.
Put what they need for their decision (such as the complete text to be approved) into `context`. Don't ask
what you were told already, nor for permission to go on thinking. Only "approved" is an approval: if they
answer in words, do what they say, and ask again where you still need their approval."""


class FieldArgs(BaseModel):
    """One field of a form."""

    name: str = Field(description="What the value is called in the answer, such as due_date.")
    label: str | None = Field(default=None, description="What people read instead of the name.")
    type: FieldType | None = Field(
        default=None,
        description="text: several lines; datetime: ISO 8601 with an offset. Without it: string.",
    )
    required: bool | None = Field(default=None, description="Whether it must be filled in.")
    description: str | None = Field(default=None, description="What to fill in, in a sentence.")
    choices: list[str] | None = Field(default=None, description="For the types choice and multi_choice.")
    default: str | int | float | bool | list[str] | None = Field(
        default=None, description="What is filled in already."
    )
    min: fields.Bound = Field(default=None, description="Of numbers; of dates and times: ISO 8601.")
    max: fields.Bound = Field(default=None, description="Likewise.")
    min_length: fields.Length = Field(default=None, description="Characters of a text, or number of choices.")
    max_length: fields.Length = Field(default=None, description="Likewise.")

    def field(self) -> fields.Field:
        """The field of the form."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return fields.Field.model_validate(given)


class AskHumanArgs(BaseModel):
    """The arguments of ask_human. A model may give null for whatever it leaves out."""

    question: str = Field(description="What you want to know or have decided, in one or two plain sentences.")
    context: str | None = Field(
        default=None,
        description="What is needed to decide it: background, or the complete text to be approved.",
    )
    options: list[str] | None = Field(
        default=None, description="For kind 'choice': 2 to 10 short, different answers to choose from."
    )
    fields: list[FieldArgs] | None = Field(
        default=None,
        description="For kind 'form': what is to be filled in. Never a password or another secret.",
    )
    kind: Literal["approval", "choice", "text", "form"] | None = Field(
        default=None,
        description=(
            "approval: Approve or Reject. choice: one of `options`. text: an answer in words. form: `fields`."
        ),
    )
    reason: Literal["ambiguity", "missing_field"] | None = Field(
        default=None, description="Why you ask, if what you were given is ambiguous or lacks something."
    )

    @model_validator(mode="before")
    @classmethod
    def _valid(cls, given: object) -> object:
        if not isinstance(given, dict):
            raise ValueError(  # noqa: TRY004 - pydantic reports ValueErrors to the model
                "the arguments of ask_human are an object with a `question` and, if need be, more: "
                '{"question": "Which one?", "options": ["This", "That"]}'
            )
        return in_valid_text(given)

    @field_validator("question")
    @classmethod
    def _asks(cls, question: str) -> str:
        if not question.strip():
            raise ValueError("say in `question` what you want to know")
        return question.strip()

    @field_validator("options")
    @classmethod
    def _different(cls, options: list[str] | None) -> list[str] | None:
        labels = [label.strip() for label in options or []]
        if not labels:
            return None
        if not all(map(drop_invisible, labels)):
            raise ValueError("every option needs words of its own")
        if len(labels) > MAX_OPTIONS:
            raise ValueError(f"at most {MAX_OPTIONS} options; ask with fewer, or with kind 'text'")
        return labels

    @model_validator(mode="after")
    def _form_is_complete(self) -> Self:
        if self.kind == "form" or self.fields:
            if self.kind not in {None, "form"} or self.options:
                raise ValueError("`fields` belong to kind 'form', which has no `options`")
            check_form([each.field() for each in self.fields or ()])
        return self

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (pair := lookalikes(self.options or ())) and not self._is_known():
            one, other = map(visible, pair)
            raise ValueError(
                f"no two options may be the same, and to people {one!r} and {other!r} look alike: "
                "use words that can be told apart"
            )
        offered = {label_key(label) for label in self.options or ()}
        if self.kind == "choice" and len(offered) < 2:  # noqa: PLR2004 - one option is no choice
            raise ValueError("kind 'choice' needs at least 2 options")
        if self.kind == "approval" and offered - {"approve", "reject"}:
            raise ValueError(
                "kind 'approval' has the buttons Approve and Reject; for other options use kind 'choice'"
            )
        if self.kind == "text" and offered:
            raise ValueError("kind 'text' has no options; use kind 'choice' for them")
        if (ours := self._ours()) is not None and not self._is_known():
            raise ValueError(
                f"the option {visible(ours)!r} looks like a button or a note of the app itself. To have "
                "something approved, use kind 'approval' without options; people can answer in words in any "
                "case. Otherwise say in the option what it does, as in 'Publish the draft'"
            )
        return self

    def _is_known(self) -> bool:
        """Whether the run has asked this, in an earlier release that allowed more: its answer counts."""
        run = CURRENT.get()
        return run is not None and run.questions.is_known(run.asking_of(AGENT.get(), self.asking()))

    def _ours(self) -> str | None:
        """The first option of a choice that people could take for Crewdeck's own."""
        labels = tuple(self.options or ())
        if self._kind(labels) is not QuestionKind.CHOICE:
            return None
        return next((label for label in labels if reserved(label)), None)

    def _kind(self, labels: tuple[str, ...]) -> QuestionKind:
        declared = QuestionKind(self.kind) if self.kind else None
        return QuestionKind.FORM if self.fields else infer_kind(declared, labels)

    def asking(self) -> Asking:
        """The question, without the task and the agent that ask it."""
        labels = tuple(self.options or ())
        kind = self._kind(labels)
        return Asking(
            kind=kind,
            prompt=self.question,
            context=(self.context or "").strip(),
            labels=labels if kind is QuestionKind.CHOICE else (),
            form=tuple(each.field() for each in self.fields or ()),
            reason=ReasonFlags(
                ambiguity=self.reason == "ambiguity", missing_field=self.reason == "missing_field"
            ),
        )


def _never_cached(_args: object = None, _result: object = None) -> bool:
    """A person who is asked again may answer otherwise."""
    return False


class AskHuman(BaseTool):
    """The tool `ask_human`. It blocks its thread, which is one of the run's, until people have answered.

    Outside of runs, as under `crewai run`, the person at the terminal is asked.
    """

    name: str = NAME
    description: str = DESCRIPTION
    args_schema: type[BaseModel] = AskHumanArgs
    cache_function: Any = _never_cached

    def _run(self, **arguments: Any) -> str:
        args = AskHumanArgs.model_validate(arguments)
        run = CURRENT.get()
        if run is None:
            return outcome_text(ask_outside_of_runs(args.asking(), NAME))
        return outcome_text(
            run.questions.ask_in_thread(run.asking_of(AGENT.get(), args.asking()), for_model=True)
        )


def outcome_text(question: Question) -> str:
    """A settled question's outcome as text for the model: who answered, what they chose, their words."""
    outcome = question.outcome or Outcome(action=Action.EXPIRE)
    who = outcome.by.label if outcome.by else "Nobody"
    words = outcome.comment.strip()
    match outcome.action:
        case Action.RESPOND:
            return f"{who} {_IN_WORDS[question.kind]}: {words}"
        case Action.EXPIRE | Action.CANCEL:
            return "Nobody answered before the deadline."
        case Action.SUBMIT:
            return f"{who} filled in the form: {json.dumps(outcome.values, ensure_ascii=False)}"
        case Action.REJECT if question.kind is QuestionKind.FORM and outcome.by is not None:
            return f"{who} declined to fill in the form." + (f" Their words: {words}" if words else "")
        case _:
            return _decided(question, outcome, who, words)


_IN_WORDS = {
    QuestionKind.APPROVAL: "answered in words, this is not an approval",
    QuestionKind.CHOICE: "answered in words instead of choosing",
    QuestionKind.TEXT: "answered",
    QuestionKind.FORM: "answered in words instead of filling in the form",
    QuestionKind.REVIEW: "requested changes",
}


def _decided(question: Question, outcome: Outcome, who: str, words: str) -> str:
    bare = outcome.model_copy(update={"comment": ""}).text(question.options)
    if outcome.by is None:
        meaning = (
            "that counts as a rejection" if outcome.action is Action.REJECT else f"that chooses '{bare}'"
        )
        return f"Nobody answered before the deadline; {meaning}."
    verdict = {Action.APPROVE: "approved", Action.REJECT: "rejected"}.get(outcome.action, f"chose '{bare}'")
    return f"{who} {verdict}." + (f" Their words: {words}" if words else "")

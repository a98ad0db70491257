"""Forms that Python code asks for: a pydantic model goes to people, and an instance of it comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from bot.core.errors import InvalidValues
from bot.core.fields import Field
from bot.core.form_reading import fields_of_model, instance
from bot.core.question import Action, Question, QuestionKind
from crews.human_input.ask_human import told
from crews.run.context import AGENT, CURRENT
from crews.run.questions import Asking

M = TypeVar("M", bound=BaseModel)

MAX_ROUNDS = 5
"""How often a form is asked whose values only the model refuses."""


class NotFilledInError(Exception):
    """People declined the form, or nobody answered in time. The message says who, and their words."""


def ask_form(model: type[M], prompt: str, *, context: str = "") -> M:
    """Ask people to fill in a model; blocks its thread, which is one of a run's, until they have.

    What only the model can check is asked again, with what was filled in and what is wrong. Raises
    NotFilledInError, and ValueError for a model that is no form.
    """
    run = CURRENT.get()
    if run is None:
        raise RuntimeError("ask_form reaches people only in a run that Crewdeck started.")
    fields = fields_of_model(model)
    asking = Asking(kind=QuestionKind.FORM, prompt=prompt, context=context, form=fields)
    for _ in range(MAX_ROUNDS):
        answered = run.questions.ask_in_thread(run.asking_of(AGENT.get(), asking))
        values = _values(answered)
        try:
            return instance(model, values)
        except InvalidValues as wrong:
            about = "\n".join([*([context] if context else []), _what_is_wrong(fields, wrong.problems)])
            asking = replace(asking, context=about, form=_filled_in(fields, values))
    raise NotFilledInError(f"Asked {MAX_ROUNDS} times, and what was filled in was never right.")


def _values(answered: Question) -> dict[str, JsonValue]:
    outcome = answered.outcome
    if outcome is None or outcome.action is not Action.SUBMIT:
        raise NotFilledInError(told(answered))
    return dict(outcome.values or {})


def _what_is_wrong(fields: tuple[Field, ...], problems: dict[str, str]) -> str:
    titles = {field.name: field.title for field in fields}
    lines = [f"- {titles[name]}: {why}" if name in titles else f"- {why}" for name, why in problems.items()]
    return "\n".join(["This was not accepted:", *lines])


def _filled_in(fields: tuple[Field, ...], values: dict[str, JsonValue]) -> tuple[Field, ...]:
    """The fields with what was filled in as their defaults."""
    dumped = [field.model_dump() | {"default": values.get(field.name)} for field in fields]
    return tuple(Field.model_validate(each) for each in dumped)

"""Forms that Python code asks for: a pydantic model goes to people, and an instance of it comes back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from bot.core.errors import InvalidValues
from bot.core.forms.fields import Field
from bot.core.forms.models import fields_of_model, instance
from bot.core.questions.question import Action, Question, QuestionKind
from crews.definitions.exceptions import NotAnswered
from crews.human_input.ask_human import outcome_text
from crews.run.questions import Asking

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Dialogue = Generator[Asking, Question, T]
"""Yields each question that is to be asked, is sent it when it is settled, and returns what was answered."""

MAX_ROUNDS = 5
"""How often a form is asked whose values only the model refuses."""


def model_dialogue(model: type[M], question: str, context: str) -> Dialogue[M]:
    """The dialogue that has a model filled in.

    What only the model can check is asked again, with what was filled in and what is wrong. Raises
    NotAnswered, and ValueError for a model that is no form.
    """
    fields = fields_of_model(model)
    asking = Asking(kind=QuestionKind.FORM, prompt=question, context=context, form=fields)
    for _ in range(MAX_ROUNDS):
        values = values_of((yield asking))
        try:
            return instance(model, values)
        except InvalidValues as wrong:
            about = "\n".join([*([context] if context else []), _what_is_wrong(fields, wrong.problems)])
            asking = replace(asking, context=about, form=_filled_in(fields, values))
    raise NotAnswered(f"Asked {MAX_ROUNDS} times, and what was filled in was never right.")


def values_of(answered: Question) -> dict[str, JsonValue]:
    """The values of a form that was filled in. Raises NotAnswered."""
    outcome = answered.outcome
    if outcome is None or outcome.action is not Action.SUBMIT:
        raise NotAnswered(outcome_text(answered))
    return dict(outcome.values or {})


def _what_is_wrong(fields: tuple[Field, ...], problems: dict[str, str]) -> str:
    titles = {field.name: field.title for field in fields}
    lines = [f"- {titles[name]}: {why}" if name in titles else f"- {why}" for name, why in problems.items()]
    return "\n".join(["This was not accepted:", *lines])


def _filled_in(fields: tuple[Field, ...], values: dict[str, JsonValue]) -> tuple[Field, ...]:
    """The fields with what was filled in as their defaults."""
    dumped = [field.model_dump() | {"default": values.get(field.name)} for field in fields]
    return tuple(Field.model_validate(each) for each in dumped)

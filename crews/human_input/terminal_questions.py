"""Questions at the terminal, outside of runs: answers as in a run, from one person."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from functools import partial

from pydantic import JsonValue

from bot.core.forms.fields import Field, FieldType
from bot.core.forms.validation import blank, default_of, parse
from bot.core.people.actor import Actor
from bot.core.people.policy import ANYONE, Policy
from bot.core.questions.answering import interpret
from bot.core.questions.question import Action, Outcome, Question, QuestionKind
from crews import terminal
from crews.run.questions import Asking

DECLINE = "decline"
"""What is typed to fill in no form."""


def ask_outside_of_runs(asking: Asking, what: str) -> Question:
    """The question with the answer of the person at the terminal. Raises NoTerminal; `what` asks."""
    if not terminal.asking_allowed():
        raise terminal.NoTerminal(
            f"{what} needs a run that Crewdeck started: it works in tools and flow methods, and in threads "
            "and tasks that have their context (contextvars.copy_context())."
        )
    question = Question(
        id=what,
        run_id="terminal",
        kind=asking.kind,
        prompt=asking.prompt,
        context=asking.context,
        options=asking.options,
        form=asking.form,
        asker=asking.asker,
        policy=Policy(deciders=(ANYONE,)),
    )
    with terminal.asking(what):
        terminal.say("", *_shown(question))
        outcome = _filled_in(question) if question.kind is QuestionKind.FORM else _answered(question)
    return question.model_copy(update={"outcome": outcome})


def _shown(question: Question) -> Iterator[str]:
    if question.context:
        yield from (question.context, "")
    yield f"{question.asker or 'The crew'} asks: {question.prompt}"
    for number, option in enumerate(question.options, start=1):
        yield f"  {number}. {option.label}" if question.kind is QuestionKind.CHOICE else f"  {option.label}"


_PROMPTS = {
    QuestionKind.APPROVAL: "Type approve or reject, or answer in words:",
    QuestionKind.CHOICE: "A number, or words:",
}


def _answered(question: Question) -> Outcome:
    def read(typed: str) -> Outcome:
        if not typed:
            raise ValueError("An answer is needed.")
        action, value, comment = interpret(question, typed, numbered=True)
        return Outcome(action=action, value=value, comment=comment, by=_person())

    return terminal.ask_until(_PROMPTS.get(question.kind, "Your answer:"), read)


def _filled_in(question: Question) -> Outcome:
    terminal.say(f"(Type {DECLINE} to fill in nothing.)")
    values: dict[str, JsonValue] = {}
    for field in question.form:
        value = terminal.ask_until(f"{_label(field)}:", partial(_value, field))
        if value is _DECLINED:
            return Outcome(action=Action.REJECT, by=_person())
        if value is not None:
            values[field.name] = value
    return Outcome(action=Action.SUBMIT, values=values, by=_person())


_DECLINED: JsonValue = ["declined"]
"""Compared by identity: no field has this very list."""


def _value(field: Field, typed: str) -> JsonValue:
    if typed.casefold() == DECLINE:
        return _DECLINED
    if blank(typed):
        default = default_of(field)
        if default is None and field.required:
            raise ValueError("It is required.")
        return default
    return parse(field, typed)


def _label(field: Field) -> str:
    notes = [*_notes(field)]
    return f"{field.title} ({'; '.join(notes)})" if notes else field.title


def _notes(field: Field) -> Iterator[str]:
    if field.description:
        yield field.description
    if field.choices:
        separated = " separated by commas" if field.type is FieldType.MULTI_CHOICE else ""
        yield f"of{separated}: {', '.join(field.choices)}"
    if field.type is FieldType.BOOLEAN:
        yield "yes or no"
    elif field.type not in {FieldType.STRING, FieldType.TEXT, FieldType.CHOICE, FieldType.MULTI_CHOICE}:
        yield str(field.type)
    default = default_of(field)
    if default is not None:
        yield f"empty: {default}"
    elif not field.required:
        yield "may be empty"


def _person() -> Actor:
    """Whoever sits at the terminal, by the name of their account."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no account has this process' user id
        name = "the person at the terminal"
    return Actor(surface="terminal", user_id=name, name=name)

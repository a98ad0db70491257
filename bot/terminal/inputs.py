"""Parses the arguments of `crewdeck start CREW` into inputs. Pure: the shell has removed quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from pydantic import JsonValue

from bot.core import forms, inputs
from bot.core.fields import Field
from crewdeck.client import Crew, InputField

_PAIR = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def given(crew: Crew, words: Sequence[str]) -> dict[str, JsonValue]:
    """Parse arguments: each `name=value` is an input, free text is the crew's main input.

    As in Slack, every pair before the free text counts, so that a misspelt name is reported; within the free
    text only pairs with known names do. Raises InvalidInputs for free text without a main input, and for an
    input that is given twice.
    """
    return inputs.gather(_pieces(crew, words), crew.main_input)


def _pieces(crew: Crew, words: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """Yield (name, value) for each pair and (None, word) for each word of the free text."""
    names = {field.name for field in crew.inputs}
    in_free_text = False
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None or (in_free_text and pair[1] not in names):
            in_free_text = True
            yield None, word
        else:
            yield pair[1], pair[2]


def missing(crew: Crew, values: dict[str, JsonValue]) -> list[InputField]:
    """The required inputs that are missing."""
    return [
        field
        for field in crew.inputs
        if field.required and field.default is None and not str(values.get(field.name) or "").strip()
    ]


def check(field: InputField) -> Callable[[str], str]:
    """A validator for values of this field; it returns an error message or ""."""

    def checked(text: str) -> str:
        if not text.strip():
            return "A value is needed"
        try:
            forms.parse(Field.model_validate(field.model_dump()), text)
        except ValueError as error:
            return f"It {error}"
        return ""

    return checked

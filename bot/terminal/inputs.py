"""Parses the arguments of `crewdeck start CREW` into inputs; the shell has removed quotes.

A file as input: `doc=@plan.pdf` uploads the file, and its id becomes the input's value.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from bot.core.errors import InvalidInputs, Refused
from bot.core.files import check_size
from bot.core.forms import validation
from bot.core.forms.fields import Field
from bot.core.runs import inputs
from crewdeck.client import Client, Crew, InputField

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
            validation.parse(Field.model_validate(field.model_dump()), text)
        except ValueError as error:
            return f"It {error}"
        return ""

    return checked


FILE_PREFIX = "@"
"""Before the path of a file, as curl has it."""


async def with_uploads(client: Client, crew: Crew, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The values with the ids of uploaded files. Raises InvalidInputs, and what the client raises."""
    found = dict(values)
    for field in crew.inputs:
        value = values.get(field.name)
        if field.type == "file" and isinstance(value, str) and value.startswith(FILE_PREFIX):
            name, content = await asyncio.to_thread(_read, field.name, value)
            found[field.name] = (await client.upload(name, content)).file_id
    return found


def problem_of(path: str) -> str:
    """Why this file can't be uploaded, for whoever is typing its path; "" if it can."""
    try:
        _read("", path)
    except InvalidInputs as error:
        return f"It {error.problems['']}"
    return ""


def _read(name: str, written: str) -> tuple[str, bytes]:
    """The name and the content of the file. Raises InvalidInputs."""
    path = Path(written.removeprefix(FILE_PREFIX))
    try:
        path = path.expanduser()
        check_size(path.name, path.stat().st_size)
        return path.name, path.read_bytes()
    except RuntimeError as error:  # there is no such home folder
        raise InvalidInputs({name: f"can't be read: {error}"}) from None
    except OSError as error:
        raise InvalidInputs({name: f"can't be read: {error.strerror}"}) from None
    except Refused as refused:
        raise InvalidInputs({name: f"is too large: {refused}"}) from None

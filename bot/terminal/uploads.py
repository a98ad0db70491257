"""Files as inputs at the terminal: `doc=@plan.pdf` uploads the file, and its id becomes the input's value."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from bot.core.errors import InvalidInputs, Refused
from bot.core.files import check_size
from crewdeck.client import Client, Crew

MARK = "@"
"""Before the path of a file, as curl has it."""


async def with_uploads(client: Client, crew: Crew, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The values with the ids of uploaded files. Raises InvalidInputs, and what the client raises."""
    found = dict(values)
    for field in crew.inputs:
        value = values.get(field.name)
        if field.type == "file" and isinstance(value, str) and value.startswith(MARK):
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
    path = Path(written.removeprefix(MARK))
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

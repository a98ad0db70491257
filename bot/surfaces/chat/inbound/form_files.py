"""Files that people choose in forms: fetched from the platform, and kept until their run is started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from bot.core import input_files
from bot.core.actor import Actor
from bot.core.errors import Refused
from bot.core.fields import Field, FieldType
from bot.core.files import Files
from bot.surfaces.chat import actions
from bot.surfaces.chat.failures import Later, Rejected
from bot.surfaces.chat.inbound.interactions import FormSubmission

MISSING_SCOPE = "missing_scope"
"""The code of Rejected where the app may not read files."""


class FileSource(Protocol):
    """Where a platform keeps the files that people choose in its forms."""

    async def fetch(self, reference: str) -> tuple[str, bytes]:
        """The name and the content of a file; `reference` is the value of its field.

        Raises Refused (file_too_large), Rejected, Later.
        """


class FormFiles:
    """Puts uploads in place of the files that a submission names."""

    def __init__(self, files: Files, source: FileSource | None) -> None:
        self._files = files
        self._source = source

    async def received(
        self, fields: Iterable[Field], sent: FormSubmission, by: Actor
    ) -> tuple[FormSubmission, dict[str, str]]:
        """The submission with ids of uploads, and what is wrong with files, by field.

        Raises StoreUnavailable.
        """
        values, problems = dict(sent.values), dict[str, str]()
        for field in fields:
            name = actions.input_field(field.name)
            if field.type is not FieldType.FILE or not (reference := values.get(name, "")):
                continue
            try:
                values[name] = await self._uploaded(reference, by)
            except (Refused, Rejected, Later) as failure:
                problems[field.name] = f"can't be read: {_reason(failure)}"
                values[name] = ""
        return replace(sent, values=values), problems

    async def _uploaded(self, reference: str, by: Actor) -> str:
        if self._source is None:
            raise Rejected("no_files_here")
        name, content = await self._source.fetch(reference)
        upload_id, _ = await input_files.upload(self._files, name, content, by)
        return upload_id


def _reason(failure: Refused | Rejected | Later) -> str:
    match failure:
        case Refused():
            return str(failure)
        case Later():
            return "the platform gives no answer just now. Send the form again."
        case _ if failure.code == MISSING_SCOPE:
            return (
                "the app may not read files here: its operator adds the scope files:read, or use the console."
            )
        case _:
            return f"the platform refuses it ({failure.code}). Choose it again, or use the console."

"""What people fill in: drafts that they have not sent, and files that they choose.

A draft is kept for its writer alone, also when somebody else was first. A file is fetched from the platform,
and kept until its run is started.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from pydantic import JsonValue

from bot.core import input_files
from bot.core.errors import Refused
from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.ports.store import Files, KeyValueStore
from bot.surfaces.chat import actions
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.inbound.ports import FormSubmission

DRAFT_TTL_S = 7 * 24 * 3600.0


class FormDrafts:
    """The drafts of forms that a surface's people fill in."""

    def __init__(self, surface: str, key_values: KeyValueStore) -> None:
        self._surface = surface
        self._key_values = key_values

    async def of(self, question_id: str, person: Actor) -> dict[str, JsonValue]:
        """What this person filled in last, by field."""
        kept = await self._key_values.get(self._draft(question_id, person.principal))
        return dict(json.loads(kept)) if kept else {}

    async def save(self, question_id: str, person: Actor, values: Mapping[str, JsonValue]) -> None:
        """Keep what this person filled in, for a week from now."""
        draft = self._draft(question_id, person.principal)
        await self._key_values.set(draft, json.dumps(dict(values)), DRAFT_TTL_S)

    async def delete(self, question_id: str, person: Actor) -> None:
        """Delete this person's draft, once their answer counted. Drafts of others stay."""
        await self._key_values.delete(self._draft(question_id, person.principal))

    def _draft(self, question_id: str, principal: str) -> str:
        return f"{self._surface}:form:{question_id}:{principal}"


MISSING_SCOPE = "missing_scope"
"""The code of Rejected where the app may not read files."""


class FileSource(Protocol):
    """Where a platform keeps the files that people choose in its forms."""

    async def fetch(self, reference: str) -> tuple[str, bytes]:
        """The name and the content of a file; `reference` is the value of its field.

        Raises Refused (file_too_large), Rejected, RetryLater.
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
            except (Refused, Rejected, RetryLater) as failure:
                problems[field.name] = f"can't be read: {_reason(failure)}"
                values[name] = ""
        return replace(sent, values=values), problems

    async def _uploaded(self, reference: str, by: Actor) -> str:
        if self._source is None:
            raise Rejected("no_files_here")
        name, content = await self._source.fetch(reference)
        upload_id, _ = await input_files.upload(self._files, name, content, by)
        return upload_id


def _reason(failure: Refused | Rejected | RetryLater) -> str:
    match failure:
        case Refused():
            return str(failure)
        case RetryLater():
            return "the platform gives no answer just now. Send the form again."
        case _ if failure.code == MISSING_SCOPE:
            return (
                "the app may not read files here: its operator adds the scope files:read, or use the console."
            )
        case _:
            return f"the platform refuses it ({failure.code}). Choose it again, or use the console."

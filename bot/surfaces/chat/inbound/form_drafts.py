"""What people filled in and have not sent: kept for each of them alone, also when somebody else was first."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

from bot.core.actor import Actor
from bot.core.ports import KeyValueStore

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
        """This person's answer counted. What others filled in stays theirs."""
        await self._key_values.delete(self._draft(question_id, person.principal))

    def _draft(self, question_id: str, principal: str) -> str:
        return f"{self._surface}:form:{question_id}:{principal}"

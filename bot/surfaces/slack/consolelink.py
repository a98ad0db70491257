"""`/crew console`: a private link that opens the console as the person who asked for it."""

from __future__ import annotations

from bot.core import sessions
from bot.core.model import Actor
from bot.core.ports import Memory
from bot.surfaces.slack.inbound.reply import Reply, said

MINUTES = round(sessions.LINK_TTL / 60)


class ConsoleLinks:
    """Makes links into the console at `url`."""

    def __init__(self, memory: Memory, url: str) -> None:
        self._memory = memory
        self._url = url

    async def open(self, person: Actor) -> Reply:
        """A link for this person alone. Raises StoreUnavailable."""
        token = await sessions.offer_link(self._memory, person)
        link = f"{self._url}{sessions.LINK_PATH}{token}"
        return said(
            f"<{link}|Open the console> as yourself. The link works once, within {MINUTES} minutes; "
            "keep it to yourself."
        )

"""`/crew console`: a private link that opens the console as the person who asked for it."""

from __future__ import annotations

from bot.core import sessions
from bot.core.model import Actor
from bot.core.ports import Memory
from bot.surfaces.slack.inbound.reply import Reply, said

HERE = "It opens where Crewdeck runs. For other machines its operator sets `CREWDECK_PUBLIC_URL`."
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
        here = f"\n{HERE}" if self._url.startswith(("http://127.", "http://[::1]")) else ""
        return said(
            f"<{link}|Open the console> as yourself. The link works once, within {MINUTES} minutes; "
            f"keep it to yourself.{here}"
        )

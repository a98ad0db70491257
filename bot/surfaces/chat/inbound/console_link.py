"""`/crew console`: a private link that opens the console as the person who asked for it."""

from __future__ import annotations

import math

from bot.core import sessions
from bot.core.actor import Actor, Membership
from bot.core.ports import Memory
from bot.surfaces.chat.inbound.reply import Reply, said

MEMBERS_ONLY = "The console is for members of this workspace. What is yours to answer, you can answer here."
HERE = "It opens where Crewdeck runs. For other machines its operator sets `CREWDECK_PUBLIC_URL`."


class ConsoleLinks:
    """Makes links into the console at `url`."""

    def __init__(self, memory: Memory, url: str, secret: str) -> None:
        self._memory = memory
        self._url = url
        self._secret = secret

    async def open(self, person: Actor) -> Reply:
        """A link for this person alone: the same one until it was used. Raises StoreUnavailable."""
        if person.membership is not Membership.MEMBER:
            return said(MEMBERS_ONLY)
        token, seconds = await sessions.offer_link(self._memory, person, self._secret)
        link = f"{self._url}{sessions.LINK_PATH}{token}"
        minutes = math.ceil(seconds / 60)
        within = f"{minutes} minutes" if minutes > 1 else "a minute"
        here = f"\n{HERE}" if self._url.startswith(("http://127.", "http://[::1]")) else ""
        return said(
            f"<{link}|Open the console> as yourself. The link works once, within {within}; "
            f"keep it to yourself.{here}"
        )

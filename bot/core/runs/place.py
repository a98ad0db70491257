"""The place of a run on a surface."""

from __future__ import annotations

from bot.core.value import Value


class Place(Value):
    """The place of a run on a surface. `ref` is opaque to the core."""

    surface: str
    tenant: str = ""
    ref: str
    #: The key that lists are filtered by (in Slack the channel); opaque, too.
    group: str = ""

    @property
    def key(self) -> str:
        return f"{self.surface}:{self.tenant}:{self.ref}"

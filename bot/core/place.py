"""Where a run lives on a surface."""

from __future__ import annotations

from bot.core.value import Value


class Place(Value):
    """Where a run lives on a surface. `ref` is the surface's own code, opaque here."""

    surface: str
    tenant: str = ""
    ref: str
    #: What lists are filtered by (Slack: the channel); opaque as well.
    group: str = ""

    @property
    def key(self) -> str:
        return f"{self.surface}:{self.tenant}:{self.ref}"

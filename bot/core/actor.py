"""Who acts, and how they belong to the workspace they act in."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from bot.core.text import ValidText
from bot.core.value import Value


class Membership(StrEnum):
    """How somebody belongs to the workspace they act in."""

    MEMBER = "member"
    GUEST = "guest"
    EXTERNAL = "external"


class Actor(Value):
    """Who acts, as the surface has verified it."""

    surface: str
    #: The workspace, where the surface has such a thing.
    tenant: str = ""
    user_id: str
    name: ValidText = ""
    membership: Membership = Field(default=Membership.MEMBER, alias="standing")
    #: May do everything: an `admin` key, or the local person where there are no keys.
    admin: bool = False
    #: Further principals of the same person, on other surfaces.
    identities: tuple[str, ...] = ()
    #: On whose behalf a program acts, as it says itself. Recorded, never trusted.
    on_behalf_of: ValidText = ""

    @property
    def principal(self) -> str:
        return principal(self.surface, self.tenant, self.user_id)

    @property
    def principals(self) -> tuple[str, ...]:
        return (self.principal, *self.identities)

    @property
    def label(self) -> str:
        """What people call them."""
        return self.name or self.user_id


def principal(surface: str, tenant: str, user_id: str) -> str:
    """One name for a person of one surface, as policies hold it: `slack:T0:U0`, `http::key:ci`."""
    return f"{surface}:{tenant}:{user_id}"

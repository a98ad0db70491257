"""Actors: who acts, and their membership in the workspace."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from bot.core.text import ValidText
from bot.core.value import Value


class Membership(StrEnum):
    """How a person belongs to the workspace in which they act."""

    MEMBER = "member"
    GUEST = "guest"
    EXTERNAL = "external"


class Actor(Value):
    """Who acts, as verified by the surface."""

    surface: str
    #: The workspace, on surfaces that have workspaces.
    tenant: str = ""
    user_id: str
    name: ValidText = ""
    membership: Membership = Field(default=Membership.MEMBER, alias="standing")
    #: May do everything: an `admin` key, or the local user while no API keys exist.
    admin: bool = False
    #: Further principals of the same person on other surfaces.
    identities: tuple[str, ...] = ()
    #: The person for whom a program says that it acts. Recorded, never trusted.
    on_behalf_of: ValidText = ""

    @property
    def principal(self) -> str:
        return principal(self.surface, self.tenant, self.user_id)

    @property
    def principals(self) -> tuple[str, ...]:
        return (self.principal, *self.identities)

    @property
    def label(self) -> str:
        """The name to show to people."""
        return self.name or self.user_id


def principal(surface: str, tenant: str, user_id: str) -> str:
    """A person's identifier in policies, unique across surfaces: `slack:T0:U0`, `http::key:ci`."""
    return f"{surface}:{tenant}:{user_id}"

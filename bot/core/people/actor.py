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
    #: Further principals of the same person that the surface verified: how they signed in to the console.
    identities: tuple[str, ...] = ()
    #: Principals that the person has linked, and references of live groups that they are in, as far as known
    #: (`Directory.known`): for what surfaces show. Decisions read them anew.
    linked: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    #: How the surface made sure who acts: `slack`, `teams`, `api_key`, `session`, `local`.
    authentication: str = ""
    #: The person for whom a program says that it acts. Recorded, never trusted.
    on_behalf_of: ValidText = ""

    @property
    def principal(self) -> str:
        return principal(self.surface, self.tenant, self.user_id)

    @property
    def authenticated(self) -> tuple[str, ...]:
        """The principals that the surface verified."""
        return (self.principal, *self.identities)

    @property
    def principals(self) -> tuple[str, ...]:
        """All principals of the person that are known."""
        return (*self.authenticated, *self.linked)

    @property
    def verified(self) -> Actor:
        """The actor without what only the directory knows, as it is stored with a response."""
        known = self.linked or self.groups
        return self.model_copy(update={"linked": (), "groups": ()}) if known else self

    @property
    def at_home(self) -> bool:
        """Whether the person belongs to our own workspace, so that names without a tenant mean them."""
        return self.membership is not Membership.EXTERNAL

    @property
    def label(self) -> str:
        """The name to show to people."""
        return self.name or self.user_id


def principal(surface: str, tenant: str, user_id: str) -> str:
    """A person's identifier in policies, unique across surfaces: `slack:T0:U0`, `http::key:ci`."""
    return f"{surface}:{tenant}:{user_id}"


def actor_named(principal: str, name: str = "") -> Actor:
    """The actor with this principal; `name` is shown to people."""
    surface, tenant, user_id = principal.split(":", 2)
    return Actor(surface=surface, tenant=tenant, user_id=user_id, name=name)

"""Who acts: from object ids of Microsoft Entra to actors, with their membership of the bot's tenant.

Activities don't say who is a guest; the roster of their conversation does, which the Bot Connector is asked
for. What it doesn't say, or we don't understand, is no membership: then nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog

from bot.core.locales import Locale
from bot.core.people.actor import Actor, Membership, principal
from bot.core.ports.store import KeyValueStore
from bot.surfaces.chat.failures import Rejected
from bot.surfaces.chat.inbound.people import Profile, Profiles
from bot.surfaces.chat.inbound.ports import BeforeAsking
from bot.surfaces.chat.recipients import NotAdmitted
from bot.surfaces.teams import SURFACE, TITLE
from bot.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

LAST_CONVERSATION_TTL_S = 90 * 24 * 3600.0
"""How long it is remembered in which conversation somebody acted last, and with which locale."""
MEMBERS = frozenset({"user", "owner"})
GUEST = "guest"
_GUEST_ACCOUNT = "#ext#"
"""In the user principal name of everybody whom another organisation signs in."""


class Roster(Protocol):
    """Who is in conversations."""

    async def profile(self, channel: str, object_id: str) -> Mapping[str, Any] | None:
        """What the Bot Connector says of a member of a conversation; None: there is no such member.

        Raises RetryLater, Rejected.
        """


class TeamsActors:
    """The people of one tenant."""

    def __init__(
        self, tenant: str, roster: Roster, key_values: KeyValueStore, background: BackgroundTasks
    ) -> None:
        self._tenant = tenant
        self._roster = roster
        self._key_values = key_values
        self._profiles = Profiles(TITLE, self._key, self._fetch, key_values, background)
        #: Where this process has recorded that somebody acted last.
        self._met: dict[str, str] = {}

    def principal(self, user: str) -> str:
        """What names this person in policies."""
        return principal(SURFACE, self._tenant, user)

    async def actor(
        self, user: str, installation: str = "", before_asking: BeforeAsking | None = None
    ) -> Actor:
        """The actor that this person is. `installation`: the conversation in which they act.

        Raises ProfileUnavailable, NotAdmitted, StoreUnavailable.
        """
        if not user:
            raise NotAdmitted(TITLE)
        if installation and self._met.get(user) != installation:
            await self._key_values.set(self._known_person_key(user), installation, LAST_CONVERSATION_TTL_S)
            self._met[user] = installation
        profile = await self._profiles.of(user, before_asking)
        if profile.barred:
            raise NotAdmitted(TITLE)
        return Actor(
            surface=SURFACE,
            tenant=self._tenant,
            user_id=user,
            name=profile.name,
            membership=profile.membership,
            authentication=SURFACE,
        )

    async def locale(self, user: str) -> Locale:
        """As their client said it when they acted last: rosters don't say it. Raises StoreUnavailable."""
        kept = await self._key_values.get(self._locale_key(user))
        return Locale.model_validate_json(kept) if kept else Locale()

    async def record_locale(self, user: str, locale: Locale) -> None:
        """Remember what this person's client says; what it doesn't say stays. Raises StoreUnavailable."""
        before = await self.locale(user)
        now = Locale(tag=locale.tag or before.tag, timezone=locale.timezone or before.timezone)
        if now != before:
            await self._key_values.set(self._locale_key(user), now.model_dump_json(), LAST_CONVERSATION_TTL_S)

    async def names(self, users: Iterable[str]) -> dict[str, str]:
        return await self._profiles.names(users)

    async def current_membership(self, person: Actor) -> Membership | None:
        """`bot.core.ports.directory.MembershipLookup`: nothing new of who has not acted here for long.

        Raises ProfileUnavailable, StoreUnavailable.
        """
        if person.tenant != self._tenant:
            return None
        if await self._key_values.get(self._known_person_key(person.user_id)) is None:
            return person.membership
        profile = await self._profiles.soon(person.user_id)
        return None if profile.barred else profile.membership

    async def _fetch(self, user: str) -> Profile:
        channel = await self._key_values.get(self._known_person_key(user))
        member = await self._roster.profile(channel, user) if channel else None
        if member is None:
            raise Rejected("no_member")
        return profile_of(self._tenant, user, member)

    def _key(self, user: str) -> str:
        return f"{SURFACE}:profile:{self._tenant}:{user}"

    def _locale_key(self, user: str) -> str:
        return f"{SURFACE}:locale:{self._tenant}:{user}"

    def _known_person_key(self, user: str) -> str:
        return f"{SURFACE}:met:{self._tenant}:{user}"


def profile_of(tenant: str, user: str, member: Mapping[str, Any]) -> Profile:
    """A profile from a member of a conversation. Raises Rejected where it doesn't say who they are."""
    object_id = str(member.get("aadObjectId") or member.get("objectId") or "").lower()
    home, role = str(member.get("tenantId") or "").lower(), str(member.get("userRole") or "").lower()
    if object_id != user or not home or not role:
        raise Rejected("incomplete_member")
    name = str(member.get("name") or member.get("givenName") or "")
    account = str(member.get("userPrincipalName") or "").lower()
    if home != tenant:
        return Profile(name=name, membership=Membership.EXTERNAL)
    if role == GUEST or _GUEST_ACCOUNT in account:
        return Profile(name=name, membership=Membership.GUEST)
    if role not in MEMBERS:
        log.warning("a user has an unknown role, and may do nothing", user=user, role=role)
        return Profile(name=name, membership=Membership.EXTERNAL, barred=True)
    return Profile(name=name, membership=Membership.MEMBER)

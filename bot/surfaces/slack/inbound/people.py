"""Who acts: from Slack's user ids to actors, with their membership of the workspace that installed the app.

Slack's payloads don't say who is a guest or was deactivated, users.info does. What it said is kept in the
store for a few minutes, and dropped there as soon as Slack tells of a change (`user_change`). Without a fresh
profile Slack is asked before anything is decided; while it can't be asked, nothing is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog

from bot.core.errors import CrewdeckError
from bot.core.locales import Locale
from bot.core.people.actor import Actor, Membership, principal
from bot.core.ports.store import KeyValueStore
from bot.surfaces.chat.failures import Rejected
from bot.surfaces.chat.inbound.people import PROFILE_TIMEOUT_S, SHORT_TIMEOUT_S, Profile, Profiles
from bot.surfaces.chat.inbound.ports import BeforeAsking
from bot.surfaces.chat.recipients import NotAdmitted, ProfileUnavailable
from bot.surfaces.chat.wording import sentences
from bot.surfaces.slack import SURFACE
from bot.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

_INVISIBLE = frozenset({"user_not_found", "user_not_visible"})
TITLE = "Slack"


class OtherWorkspace(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """It came through an installation of the app in another workspace. Nothing was done."""

    code = "foreign"

    def __init__(self) -> None:
        super().__init__(sentences.OTHER_INSTALLATION)


class UserLookup(Protocol):
    """Where profiles come from."""

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """users.info's `user`. Raises RetryLater, Rejected."""


class HomeWorkspace(Protocol):
    """The workspace, or the organisation, that installed the app."""

    team: str
    enterprise: str
    org_wide: bool

    async def ready(self) -> None:
        """Return when Slack has said which it is."""


class SlackActors:
    """The people of one workspace."""

    def __init__(
        self, lookup: UserLookup, key_values: KeyValueStore, background: BackgroundTasks, home: HomeWorkspace
    ) -> None:
        self._lookup = lookup
        self._home = home
        self._profiles = Profiles(TITLE, self._key, self._fetch, key_values, background)

    def principal(self, user: str) -> str:
        """What names this user in policies; empty until Slack has said which workspace this is."""
        return principal(SURFACE, self._home.team, user) if self._home.team else ""

    async def actor(
        self, user: str, installation: str = "", before_asking: BeforeAsking | None = None
    ) -> Actor:
        """The actor that this user is. `installation`: for whom Slack says that it sent what they did.

        Raises ProfileUnavailable, NotAdmitted, OtherWorkspace, StoreUnavailable.
        """
        await self._at_home(before_asking)
        if not self._home.org_wide and installation not in {"", self._home.team}:
            log.warning("a request is for another installation of the app", installation=installation)
            raise OtherWorkspace
        profile = await self._profiles.of(user, before_asking)
        if profile.barred:
            raise NotAdmitted(TITLE)
        return Actor(
            surface=SURFACE,
            tenant=self._home.team,
            user_id=user,
            name=profile.name,
            membership=profile.membership,
            authentication=SURFACE,
        )

    async def profile(self, user: str) -> Profile:
        """What Slack said of this user in the last minutes. Raises ProfileUnavailable, StoreUnavailable."""
        await self._at_home()
        return await self._profiles.of(user)

    async def locale(self, user: str) -> Locale:
        """How this user writes numbers and dates, and their time zone. Raises as `profile`."""
        return (self._profiles.just_read(user) or await self.profile(user)).locale

    async def names(self, users: Iterable[str]) -> dict[str, str]:
        """What these users are called; those whose name can't be found out now are left out."""
        try:
            async with asyncio.timeout(SHORT_TIMEOUT_S):
                await self._at_home()
        except (ProfileUnavailable, TimeoutError):
            return {}
        return await self._profiles.names(users)

    async def current_membership(self, person: Actor) -> Membership | None:
        """`bot.core.ports.directory.MembershipLookup`. Raises ProfileUnavailable, StoreUnavailable."""
        try:
            async with asyncio.timeout(SHORT_TIMEOUT_S):
                await self._at_home()
        except TimeoutError as error:
            raise ProfileUnavailable(TITLE) from error
        if person.tenant != self._home.team:
            return None
        profile = await self._profiles.soon(person.user_id)
        return None if profile.barred else profile.membership

    async def changed(self, user: str) -> None:
        """Slack says that something about this user is different: what was known no longer holds."""
        await self._at_home()
        await self._profiles.forget(user)

    async def _at_home(self, before_asking: BeforeAsking | None = None) -> None:
        if self._home.team:
            return
        if before_asking is not None:
            await before_asking()
        try:
            async with asyncio.timeout(PROFILE_TIMEOUT_S):
                await self._home.ready()
        except TimeoutError as error:
            raise ProfileUnavailable(TITLE) from error

    async def _fetch(self, user: str) -> Profile:
        try:
            return profile_of(self._home, await self._lookup.user(user))
        except Rejected as rejected:
            if rejected.code not in _INVISIBLE:
                raise
            return Profile(name="", membership=Membership.EXTERNAL)

    def _key(self, user: str) -> str:
        return f"slack:profile:{self._home.team}:{user}"


def profile_of(home: HomeWorkspace, user: Mapping[str, Any]) -> Profile:
    """A profile from users.info's `user`, as seen from the workspace that installed the app."""
    about = user.get("profile") or {}
    name = (
        about.get("display_name") or about.get("real_name") or user.get("real_name") or user.get("name") or ""
    )
    locale = Locale(tag=str(user.get("locale") or ""), timezone=str(user.get("tz") or ""))
    return Profile(name=str(name), membership=_membership(home, user), locale=locale, barred=_is_barred(user))


def _is_barred(user: Mapping[str, Any]) -> bool:
    """Apps and workflows have users, too."""
    flags = ("deleted", "is_bot", "is_workflow_bot", "is_connector_bot")
    return any(user.get(flag) for flag in flags) or user.get("id") == "USLACKBOT"


def _membership(home: HomeWorkspace, user: Mapping[str, Any]) -> Membership:
    if user.get("is_stranger") or not _belongs(home, user):
        return Membership.EXTERNAL
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Membership.GUEST
    return Membership.MEMBER


def _belongs(home: HomeWorkspace, user: Mapping[str, Any]) -> bool:
    """In an Enterprise organisation one person belongs to several workspaces."""
    enterprise = user.get("enterprise_user") or {}
    if home.org_wide:
        return bool(home.enterprise) and enterprise.get("enterprise_id") == home.enterprise
    return home.team in {user.get("team_id"), *(enterprise.get("teams") or ())}

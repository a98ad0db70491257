"""Who acts: from Slack's user ids to actors, with their membership of the workspace that installed the app.

Slack's payloads don't say who is a guest or was deactivated, users.info does. What it said is kept in the
store for a few minutes, and dropped there as soon as Slack tells of a change (`user_change`). Without a fresh
profile Slack is asked before anything is decided; while it can't be asked, nothing is.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog
from pydantic import Field

from bot.core.actor import Actor, Membership
from bot.core.errors import CrewdeckError
from bot.core.ports import Memory
from bot.core.value import Value
from bot.surfaces.chat.background import BackgroundTasks
from bot.surfaces.chat.failures import Later, Rejected
from bot.surfaces.chat.inbound.ports import Unrecognised
from bot.surfaces.chat.wording import sentences

log = structlog.get_logger(__name__)

PROFILE_TTL_S = 300.0
"""Nothing is decided on an older profile."""
PROFILE_TIMEOUT_S = 120.0
"""How long Slack is asked about a person before what they did is refused."""
SHORT_TIMEOUT_S = 10.0
"""The same for somebody whose browser waits, and for names."""
_INVISIBLE = frozenset({"user_not_found", "user_not_visible"})


TITLE = "Slack"


class Barred(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """Whoever acts is no person with an account: deactivated, or an app. Nothing was done."""

    code = "barred"

    def __init__(self) -> None:
        super().__init__(sentences.account_inactive(TITLE))


class Foreign(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """It came through an installation of the app in another workspace. Nothing was done."""

    code = "foreign"

    def __init__(self) -> None:
        super().__init__(sentences.OTHER_INSTALLATION)


class Profiles(Protocol):
    """Where profiles come from."""

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """users.info's `user`. Raises Later, Rejected."""


class Home(Protocol):
    """The workspace, or the organisation, that installed the app."""

    team: str
    enterprise: str
    org_wide: bool

    async def ready(self) -> None:
        """Return when Slack has said which it is."""


class Profile(Value):
    """What is kept of a person."""

    name: str
    membership: Membership = Field(alias="standing")
    #: Deactivated, or no person: may nothing, whoever a crew admits.
    barred: bool = False


class People:
    """The people of one workspace."""

    def __init__(self, profiles: Profiles, memory: Memory, background: BackgroundTasks, home: Home) -> None:
        self._profiles = profiles
        self._memory = memory
        self._background = background
        self._home = home
        self._asked: dict[str, asyncio.Task[Profile]] = {}

    async def actor(self, user: str, installation: str = "") -> Actor:
        """The actor that this user is. `installation`: for whom Slack says that it sent what they did.

        Raises Unrecognised, Barred, Foreign, StoreUnavailable.
        """
        await self._at_home()
        if not self._home.org_wide and installation not in {"", self._home.team}:
            log.warning("something came for another installation", installation=installation)
            raise Foreign
        profile = await self.profile(user)
        if profile.barred:
            raise Barred
        return Actor(
            surface="slack",
            tenant=self._home.team,
            user_id=user,
            name=profile.name,
            membership=profile.membership,
        )

    async def profile(self, user: str) -> Profile:
        """What Slack said of this user in the last minutes. Raises Unrecognised, StoreUnavailable."""
        await self._at_home()
        kept = await self._memory.recall(self._name(user))
        return Profile.model_validate_json(kept) if kept else await asyncio.shield(self._ask(user))

    async def names(self, users: Iterable[str]) -> dict[str, str]:
        """What these users are called; those whose name can't be found out now are left out."""
        found: dict[str, str] = {}
        for user in users:
            try:
                async with asyncio.timeout(SHORT_TIMEOUT_S):
                    found[user] = (await self.profile(user)).name
            except (Unrecognised, TimeoutError):
                log.info("somebody who was named is known by id alone", user=user)
        return {user: name for user, name in found.items() if name}

    async def vouch(self, person: Actor) -> Membership | None:
        """`bot.core.sessions.Vouch`. Raises Unrecognised, StoreUnavailable."""
        if person.tenant != self._home.team:
            return None
        try:
            async with asyncio.timeout(SHORT_TIMEOUT_S):
                profile = await self.profile(person.user_id)
        except TimeoutError as error:
            raise Unrecognised(TITLE) from error
        return None if profile.barred else profile.membership

    async def changed(self, user: str) -> None:
        """Slack says that something about this user is different: what was known no longer holds."""
        await self._at_home()
        # In this order: an answer that is on its way finds either the mark, or that it is forgotten after it.
        await self._memory.remember(self._mark(user), secrets.token_hex(8), 2 * PROFILE_TTL_S)
        await self._memory.forget(self._name(user))

    async def _at_home(self) -> None:
        try:
            async with asyncio.timeout(PROFILE_TIMEOUT_S):
                await self._home.ready()
        except TimeoutError as error:
            raise Unrecognised(TITLE) from error

    def _ask(self, user: str) -> asyncio.Task[Profile]:
        """One question to Slack at a time for each person."""
        running = self._asked.get(user)
        if running is None:
            running = self._background.start(self._learn(user), f"profile of {user}")
            self._asked[user] = running
            running.add_done_callback(lambda _: self._asked.pop(user, None))
        return running

    async def _learn(self, user: str) -> Profile:
        while True:
            before = await self._memory.recall(self._mark(user))
            profile = await self._from_slack(user)
            await self._memory.remember(self._name(user), profile.model_dump_json(), PROFILE_TTL_S)
            if await self._memory.recall(self._mark(user)) == before:
                return profile
            await self._memory.forget(self._name(user))  # It changed while Slack was answering.

    async def _from_slack(self, user: str) -> Profile:
        deadline = time.monotonic() + PROFILE_TIMEOUT_S
        while True:
            try:
                return profile_of(self._home, await self._profiles.user(user))
            except Later as later:
                if time.monotonic() + later.seconds > deadline:
                    raise Unrecognised(TITLE) from later
                await asyncio.sleep(later.seconds)
            except Rejected as rejected:
                if rejected.code not in _INVISIBLE:
                    log.warning("Slack refuses to say who somebody is", user=user, code=rejected.code)
                    raise Unrecognised(TITLE) from rejected
                return Profile(name="", membership=Membership.EXTERNAL)

    def _name(self, user: str) -> str:
        return f"slack:profile:{self._home.team}:{user}"

    def _mark(self, user: str) -> str:
        return f"{self._name(user)}:changed"


def profile_of(home: Home, user: Mapping[str, Any]) -> Profile:
    """A profile from users.info's `user`, as seen from the workspace that installed the app."""
    about = user.get("profile") or {}
    name = (
        about.get("display_name") or about.get("real_name") or user.get("real_name") or user.get("name") or ""
    )
    return Profile(name=str(name), membership=_membership(home, user), barred=_is_barred(user))


def _is_barred(user: Mapping[str, Any]) -> bool:
    """Apps and workflows have users, too."""
    flags = ("deleted", "is_bot", "is_workflow_bot", "is_connector_bot")
    return any(user.get(flag) for flag in flags) or user.get("id") == "USLACKBOT"


def _membership(home: Home, user: Mapping[str, Any]) -> Membership:
    if user.get("is_stranger") or not _belongs(home, user):
        return Membership.EXTERNAL
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Membership.GUEST
    return Membership.MEMBER


def _belongs(home: Home, user: Mapping[str, Any]) -> bool:
    """In an Enterprise organisation one person belongs to several workspaces."""
    enterprise = user.get("enterprise_user") or {}
    if home.org_wide:
        return bool(home.enterprise) and enterprise.get("enterprise_id") == home.enterprise
    return home.team in {user.get("team_id"), *(enterprise.get("teams") or ())}

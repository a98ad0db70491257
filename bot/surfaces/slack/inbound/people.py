"""Who acts: from Slack's user ids to actors, with their standing in the workspace.

Slack's payloads don't say who is a guest, users.info does. It is asked once for each person; what it said is
kept in the store, so that no answer hangs on Slack's Web API; what is old is renewed behind the scenes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from bot.core.errors import CrewdeckError
from bot.core.model import Actor, Standing, Value
from bot.core.ports import Memory
from bot.surfaces.slack.inbound.errands import Errands
from bot.surfaces.slack.webapi.api import Later, Rejected

log = structlog.get_logger(__name__)

FRESH = 600.0
"""Seconds for which what Slack said of a person is taken as it is."""
KEPT = 30 * 24 * 3600.0
"""Seconds after which a person is forgotten."""
PATIENCE = 120.0
"""Seconds for which Slack is asked about a person whom nobody here knows yet."""
_INVISIBLE = frozenset({"user_not_found", "user_not_visible"})


class Unrecognised(CrewdeckError):  # noqa: N818 - named as its kin in core/errors.py
    """Slack could not be asked who somebody is. Nothing was done."""

    code = "unrecognised"

    def __init__(self) -> None:
        super().__init__("Slack can't tell me who you are right now. Please try again in a moment.")


class Profiles(Protocol):
    """Where profiles come from."""

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """users.info's `user`. Raises Later, Rejected."""


class Profile(Value):
    """What is kept of a person."""

    name: str
    standing: Standing
    #: Seconds since the epoch when Slack said so.
    at: float


class People:
    """The people of one workspace."""

    def __init__(self, profiles: Profiles, memory: Memory, errands: Errands) -> None:
        self._profiles = profiles
        self._memory = memory
        self._errands = errands
        self._known: dict[tuple[str, str], Profile] = {}
        self._asked: dict[tuple[str, str], asyncio.Task[Profile]] = {}

    async def actor(self, team: str, user: str) -> Actor:
        """The actor that this user of this workspace is. Raises Unrecognised, StoreUnavailable."""
        profile = await self._profile(team, user)
        return Actor(surface="slack", tenant=team, user_id=user, name=profile.name, standing=profile.standing)

    async def _profile(self, team: str, user: str) -> Profile:
        profile = self._known.get((team, user)) or await self._remembered(team, user)
        if profile is None:
            return await asyncio.shield(self._ask(team, user))
        self._known[team, user] = profile
        if time.time() - profile.at > FRESH:
            self._ask(team, user)
        return profile

    async def _remembered(self, team: str, user: str) -> Profile | None:
        stored = await self._memory.recall(_name(team, user))
        return Profile.model_validate_json(stored) if stored else None

    def _ask(self, team: str, user: str) -> asyncio.Task[Profile]:
        """One question to Slack at a time for each person."""
        running = self._asked.get((team, user))
        if running is None:
            running = self._errands.start(self._learn(team, user), f"profile of {user}")
            self._asked[team, user] = running
            running.add_done_callback(lambda _: self._asked.pop((team, user), None))
        return running

    async def _learn(self, team: str, user: str) -> Profile:
        profile = await self._from_slack(team, user)
        self._known[team, user] = profile
        await self._memory.remember(_name(team, user), profile.model_dump_json(), KEPT)
        return profile

    async def _from_slack(self, team: str, user: str) -> Profile:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return profile_of(team, await self._profiles.user(user))
            except Later as later:
                if time.monotonic() + later.seconds > deadline:
                    raise Unrecognised from later
                await asyncio.sleep(later.seconds)
            except Rejected as rejected:
                if rejected.code not in _INVISIBLE:
                    log.warning("Slack refuses to say who somebody is", user=user, code=rejected.code)
                    raise Unrecognised from rejected
                return Profile(name="", standing=Standing.EXTERNAL, at=time.time())


def profile_of(team: str, user: Mapping[str, Any]) -> Profile:
    """A profile from users.info's `user`, as seen from the workspace `team`."""
    about = user.get("profile") or {}
    name = (
        about.get("display_name") or about.get("real_name") or user.get("real_name") or user.get("name") or ""
    )
    return Profile(name=str(name), standing=_standing(team, user), at=time.time())


def _standing(team: str, user: Mapping[str, Any]) -> Standing:
    # In an Enterprise organisation one person belongs to several workspaces.
    teams = {user.get("team_id"), *((user.get("enterprise_user") or {}).get("teams") or ())}
    if user.get("is_stranger") or user.get("deleted") or team not in teams:
        return Standing.EXTERNAL
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Standing.GUEST
    return Standing.MEMBER


def _name(team: str, user: str) -> str:
    return f"slack:person:{team}:{user}"

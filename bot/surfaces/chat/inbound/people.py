"""Who acts: what a platform says of its people, and their linked identities.

A profile is cached in the store for minutes, and nothing is decided on an older one. So nothing is decided
while the platform can't be asked.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog
from pydantic import Field

from bot.core.locales import Locale
from bot.core.people.actor import Actor, Membership
from bot.core.ports.directory import Directory
from bot.core.ports.store import KeyValueStore
from bot.core.value import Value
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.inbound.ports import ActorResolver, BeforeAsking
from bot.surfaces.chat.recipients import ProfileUnavailable
from bot.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

PROFILE_TTL_S = 300.0
"""Nothing is decided on an older profile."""
PROFILE_TIMEOUT_S = 120.0
"""How long the platform is asked about a person before what they did is refused."""
JUST_READ_S = 10.0
"""For how long nothing of a person is read again that decides nothing, such as how they write numbers."""
MAX_JUST_READ = 1000
SHORT_TIMEOUT_S = 10.0
"""The same for somebody whose browser waits, and for names."""


class Profile(Value):
    """What is kept of a person."""

    name: str
    membership: Membership = Field(alias="standing")
    #: How they write numbers and dates, and their time zone.
    locale: Locale = Locale()
    #: Deactivated, or no person: may nothing, whoever a crew admits.
    barred: bool = False


class Profiles:
    """Profiles of a platform's people, by what names them there."""

    def __init__(
        self,
        title: str,
        key: Callable[[str], str],
        fetch: Callable[[str], Awaitable[Profile]],
        key_values: KeyValueStore,
        background: BackgroundTasks,
    ) -> None:
        """`title` names the platform for people, `key` a profile in the store.

        `fetch` asks the platform. Raises RetryLater, Rejected.
        """
        self._title = title
        self._key = key
        self._fetch = fetch
        self._key_values = key_values
        self._background = background
        self._asked: dict[str, asyncio.Task[Profile]] = {}
        #: The profiles that were read from the store last, and when.
        self._just_read: dict[str, tuple[float, Profile]] = {}

    async def of(self, user: str, before_asking: BeforeAsking | None = None) -> Profile:
        """What the platform said of this user in the last minutes.

        Raises ProfileUnavailable, StoreUnavailable, and what `before_asking` raises.
        """
        if kept := await self._key_values.get(self._key(user)):
            return self._read(user, kept)
        if before_asking is not None:
            await before_asking()
        return await asyncio.shield(self._ask(user))

    def just_read(self, user: str) -> Profile | None:
        """What `of` has returned a moment ago, for what decides nothing."""
        at, profile = self._just_read.get(user, (0.0, None))
        return profile if profile is not None and time.monotonic() - at < JUST_READ_S else None

    async def soon(self, user: str) -> Profile:
        """As `of`, but waits for SHORT_TIMEOUT_S at most, since somebody's browser waits."""
        try:
            async with asyncio.timeout(SHORT_TIMEOUT_S):
                return await self.of(user)
        except TimeoutError as error:
            raise ProfileUnavailable(self._title) from error

    async def names(self, users: Iterable[str]) -> dict[str, str]:
        """What these users are called; those whose name can't be found out now are left out."""
        found: dict[str, str] = {}
        for user in users:
            try:
                found[user] = (await self.soon(user)).name
            except ProfileUnavailable:
                log.info("the name of a user is unknown; the id is shown", user=user)
        return {user: name for user, name in found.items() if name}

    async def forget(self, user: str) -> None:
        """Something about this user is different: what was known no longer holds. Raises StoreUnavailable."""
        # In this order: an answer that is on its way finds either the mark, or that it is forgotten after it.
        self._just_read.pop(user, None)
        await self._key_values.set(self._mark(user), secrets.token_hex(8), 2 * PROFILE_TTL_S)
        await self._key_values.delete(self._key(user))

    def _read(self, user: str, kept: str) -> Profile:
        profile = Profile.model_validate_json(kept)
        if len(self._just_read) >= MAX_JUST_READ:
            self._just_read.clear()
        self._just_read[user] = time.monotonic(), profile
        return profile

    def _ask(self, user: str) -> asyncio.Task[Profile]:
        """The lookup of this user: one that is under way, or a new one."""
        running = self._asked.get(user)
        if running is None:
            running = self._background.start(self._learn(user), f"profile of {user}")
            self._asked[user] = running
            running.add_done_callback(lambda _: self._asked.pop(user, None))
        return running

    async def _learn(self, user: str) -> Profile:
        while True:
            before = await self._key_values.get(self._mark(user))
            profile = await self._with_retries(user)
            await self._key_values.set(self._key(user), profile.model_dump_json(), PROFILE_TTL_S)
            if await self._key_values.get(self._mark(user)) == before:
                return profile
            await self._key_values.delete(self._key(user))  # It changed while the platform was answering.

    async def _with_retries(self, user: str) -> Profile:
        deadline = time.monotonic() + PROFILE_TIMEOUT_S
        while True:
            try:
                return await self._fetch(user)
            except RetryLater as later:
                if time.monotonic() + later.seconds > deadline:
                    raise ProfileUnavailable(self._title) from later
                await asyncio.sleep(later.seconds)
            except Rejected as rejected:
                log.warning("the platform refuses to say who somebody is", user=user, code=rejected.code)
                raise ProfileUnavailable(self._title) from rejected

    def _mark(self, user: str) -> str:
        return f"{self._key(user)}:changed"


class KnownPeople:
    """A platform's people as the rest of the engine sees them. Implements the port `ActorResolver`."""

    def __init__(self, people: ActorResolver, directory: Directory) -> None:
        self._people = people
        self._directory = directory

    async def actor(
        self, user: str, installation: str = "", before_asking: BeforeAsking | None = None
    ) -> Actor:
        """Raises what the platform's people raise, and StoreUnavailable."""
        looking_up = self._people.actor(user, installation, before_asking)
        if not (principal := self._people.principal(user)):
            return await self._directory.known(await looking_up)
        return await self._directory.known_while_resolving(principal, looking_up)

    def principal(self, user: str) -> str:
        """What names this user in policies."""
        return self._people.principal(user)

    async def locale(self, user: str, /) -> Locale:
        """How this user writes numbers and dates."""
        return await self._people.locale(user)

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """What these users are called."""
        return await self._people.names(users)

"""The directory of people: who is who, and who is in which group, when something is decided."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import NamedTuple, Never

import structlog

from bot.core.errors import CrewdeckError, Refused, StoreUnavailable
from bot.core.people.actor import Actor, Membership
from bot.core.people.identities import People, groups_with, names_of
from bot.core.people.policy import ANYONE, Policy, is_live_group
from bot.core.ports.directory import GroupReader, MembershipLookup
from bot.core.sessions import account_of
from bot.store import redis_keys
from bot.store.connection import Connection, Reply
from bot.store.identities import Identities, linkable, people_among, relied_on
from bot.store.link_codes import LinkCodes
from bot.store.live_groups import MAX_AGE_MS, READ_TIMEOUT_S, LiveGroups, Members
from bot.tasks import running_meanwhile

log = structlog.get_logger(__name__)

MAX_KNOWN_AGE_S = 1.0
"""Maximum age of the stored identities, if looking up the person took longer."""


class RedisDirectory:
    """The port `bot.core.ports.directory.Directory`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._identities = Identities(connection)
        self._groups = LiveGroups(connection)
        self._codes = LinkCodes(connection)
        self._lookups: dict[str, MembershipLookup] = {}

    async def people(
        self, policy: Policy, actors: Sequence[Actor] = (), *, earlier: Sequence[Actor] = ()
    ) -> People:
        groups = sorted(policy.live_groups)
        names = _names_in(policy, actors)
        async with self._connection.pipeline() as batch:
            batch.time()
            for group in groups:
                batch.get(redis_keys.live_group(group))
            if names:
                batch.hmget(redis_keys.identities(), names)
        now = at_ms(batch.results[0])
        members, acted = await asyncio.gather(
            self._groups.at_decision(groups, batch.results[1 : 1 + len(groups)], now),
            self._current_memberships(earlier),
        )
        linked = self._identities.parse(names, batch.results[-1]) if names else {}
        everybody = {each for group in members.values() for each in group.members}
        linked |= await self._identities.read(everybody - linked.keys())
        accounts = await self._current_memberships(
            tuple(relied_on(policy, actors, linked, everybody).values())
        )
        found = people_among(linked, actors, now, _lost(policy, accounts))
        unverified = {name: each.why for name, each in (acted | accounts).items() if not each.known}
        memberships = {name: each.membership for name, each in acted.items()}
        return found.model_copy(
            update={**_as_groups(members), "memberships": memberships, "unverified": unverified}
        )

    async def _current_memberships(self, actors: Sequence[Actor]) -> dict[str, _Lookup]:
        """The memberships, by principal, of the actors whose surface this process can ask."""
        asked = {each.principal: (each, lookup) for each in actors if (lookup := self._lookup_of(each))}
        found = await asyncio.gather(*(_current(actor, lookup) for actor, lookup in asked.values()))
        return dict(zip(asked, found, strict=True))

    def _lookup_of(self, actor: Actor) -> MembershipLookup | None:
        """Who vouches for the account with which somebody acted: of people at the console, their own."""
        surface = account_of(actor).partition(":")[0]
        return self._lookups.get(surface)

    async def known(self, actor: Actor) -> Actor:
        if not actor.at_home:
            return actor.verified
        return await self._as_known(actor.verified, await self._read(actor.authenticated))

    async def known_while_resolving(self, principal: str, actor: Awaitable[Actor]) -> Actor:
        names, began = (principal,), time.monotonic()
        with running_meanwhile(self._read(names)) as reading:
            found = await actor
            if found.authenticated != names or time.monotonic() - began > MAX_KNOWN_AGE_S:
                return await self.known(found)
            if not found.at_home:
                return found.verified
            return await self._as_known(found.verified, await reading)

    async def _read(self, names: Sequence[str]) -> list[Reply]:
        """The time, the groups that are wanted, and what is stored of these principals."""
        async with self._connection.pipeline() as batch:
            batch.time()
            batch.zrange(redis_keys.wanted_groups(), 0, -1)
            batch.hmget(redis_keys.identities(), list(names))
        return batch.results

    async def _as_known(self, actor: Actor, replies: list[Reply]) -> Actor:
        clock, wanted, found = replies
        if not wanted and not any(found):
            return actor  # The common case: no linked identities, no live groups.
        now, linked = at_ms(clock), self._identities.parse(actor.authenticated, found)
        people = people_among(linked, [actor], now)
        stored = await self._groups.stored(wanted) if wanted else {}
        members = {
            group: frozenset(each.members)
            for group, each in stored.items()
            if each is not None and now - each.at <= MAX_AGE_MS
        }
        return actor.model_copy(
            update={
                "linked": tuple(
                    sorted(
                        {each.principal for person in linked.values() for each in person.identities}
                        - set(actor.authenticated)
                    )
                ),
                "groups": tuple(sorted(groups_with(names_of(actor, people), members))),
            }
        )

    def serve(self, surface: str, reader: GroupReader) -> None:
        self._groups.serve(surface, reader)

    def vouch(self, surface: str, lookup: MembershipLookup) -> None:
        self._lookups[surface] = lookup

    async def refresh(self, groups: Sequence[str]) -> None:
        await self._groups.refresh(groups)

    async def keep_groups_fresh(self) -> Never:
        """Keep the live groups of this process's surfaces in the store. Runs for ever."""
        await self._groups.keep_fresh()

    async def identities(self, actor: Actor) -> tuple[Actor, ...]:
        linked = await self._identities.read(actor.authenticated)
        found = {each.principal: each for each in linkable(actor)}
        found |= {each.principal: each for person in linked.values() for each in person.identities}
        return tuple(found[name] for name in sorted(found))

    async def new_code(self, actor: Actor) -> str:
        _check_linkable(actor)
        return await self._codes.issue(actor.verified)

    async def code_owner(self, code: str, actor: Actor) -> Actor:
        _check_linkable(actor)
        other, _ = await self._codes.owner(code, actor)
        await self._check_pair(other, actor)
        return other

    async def redeem(self, code: str, actor: Actor) -> tuple[Actor, ...]:
        _check_linkable(actor)
        other, used = await self._codes.owner(code, actor)
        if not used:  # Used: this call was made before, and its reply was lost.
            await self._check_pair(other, actor)
            await self._codes.redeem(code, actor)
        return await self._identities.link(linkable(other), linkable(actor))

    async def unlink(self, actor: Actor, principal: str) -> bool:
        now = await self._connection.now()
        own = [each.principal for each in linkable(actor)]
        return await self._identities.unlink(own, principal, now)

    async def _check_pair(self, other: Actor, actor: Actor) -> None:
        theirs, mine = linkable(other), linkable(actor)
        if {(each.surface, each.tenant) for each in theirs} & {(each.surface, each.tenant) for each in mine}:
            raise Refused(
                "same_surface", "This code is from here. Enter it where you are signed in as somebody else."
            )
        known = {each.principal for each in await self.identities(actor)}
        if known.issuperset(each.principal for each in theirs):
            raise Refused("already_linked", "These are linked already.")


class _Lookup(NamedTuple):
    """The result of looking up somebody's membership."""

    #: None: they may not act, as far as it is known.
    membership: Membership | None
    known: bool = True
    #: Why it is not known, for them; empty if there is no answer yet.
    why: str = ""


async def _current(actor: Actor, lookup: MembershipLookup) -> _Lookup:
    """Somebody's membership now."""
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            return _Lookup(await lookup(actor))
    except StoreUnavailable:
        raise
    except (CrewdeckError, TimeoutError) as error:
        log.warning("nobody can tell whether somebody may still decide", who=actor.principal, why=str(error))
        return _Lookup(None, known=False, why=str(error))


def _lost(policy: Policy, accounts: Mapping[str, _Lookup]) -> frozenset[str]:
    """The accounts among these that may not decide now, as far as this process knows."""
    admitted = {*policy.allowed_memberships} - {Membership.EXTERNAL}
    return frozenset(name for name, each in accounts.items() if each.membership not in admitted)


def at_ms(time: tuple[int, int]) -> int:
    """Redis' clock in milliseconds."""
    return int(time[0]) * 1000 + int(time[1]) // 1000


def _names_in(policy: Policy, actors: Sequence[Actor]) -> list[str]:
    """Everybody whom a policy names, and these actors."""
    named = [
        *policy.deciders,
        *policy.excluded,
        *(each for group in policy.groups for each in group.members),
        *(each for actor in actors for each in actor.authenticated),
    ]
    return [each for each in dict.fromkeys(named) if each != ANYONE and not is_live_group(each)]


def _as_groups(members: dict[str, Members]) -> dict[str, object]:
    return {
        "groups": {name: frozenset(each.members) for name, each in members.items() if not each.reason},
        "unreadable": {name: each.reason for name, each in members.items() if each.reason},
    }


def _check_linkable(actor: Actor) -> None:
    if not actor.at_home or not linkable(actor):
        raise Refused(
            "not_linkable", "Only members can link their identities, not guests and people from elsewhere."
        )

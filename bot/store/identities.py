"""Linked identities in Redis: one hash, with the identities of a person under each of their principals."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from pydantic import Field, ValidationError

from bot.core.errors import StoreUnavailable, UnreadableRecord
from bot.core.people.actor import Actor, actor_named
from bot.core.people.identities import People, same_people, without_tenant
from bot.core.people.policy import Policy
from bot.core.sessions import SURFACE as CONSOLE
from bot.core.value import Strict
from bot.store import redis_keys
from bot.store.connection import Connection

MAX_ATTEMPTS = 16
"""How often a change is tried again because another one was faster."""
UNLINKED_GRACE_MS = 30 * 24 * 3600 * 1000
"""For how long an unlinked identity still counts as the same person."""


class LinkedPerson(Strict):
    """What is stored under a principal that has been linked."""

    #: All identities of the person, this one included.
    identities: tuple[Actor, ...]
    #: Principals that were unlinked, by until when they count as the same person (ms).
    former: dict[str, int] = Field(default_factory=dict)


Linked = Mapping[str, LinkedPerson]
"""By principal, with or without tenant; who isn't in it has no further identity."""


class Identities:
    """Reads and changes which principals are one person."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def parse(self, names: Sequence[str], stored: Sequence[str | None]) -> dict[str, LinkedPerson]:
        """What was read for these names. Raises UnreadableRecord."""
        return {name: self._parse(name, each) for name, each in zip(names, stored, strict=True) if each}

    async def read(self, names: Iterable[str]) -> dict[str, LinkedPerson]:
        """Raises UnreadableRecord."""
        wanted = list(names)
        return self.parse(wanted, await self._stored(wanted))

    async def link(self, one: Iterable[Actor], other: Iterable[Actor]) -> tuple[Actor, ...]:
        """Make one person of both; returns all identities of that person."""
        both = (*one, *other)
        for _ in range(MAX_ATTEMPTS):
            before = await self._around(each.principal for each in both)
            merged = {each.principal: each for each in both}
            merged |= {each.principal: each for person in before.values() for each in person.identities}
            identities = tuple(sorted(merged.values(), key=lambda each: each.principal))
            after = {
                each.principal: LinkedPerson(
                    identities=identities, former=_former_of(before, each.principal, without=merged)
                )
                for each in identities
            }
            if await self._change(before, after):
                return identities
        raise StoreUnavailable("Others change these identities at the same time, so nothing was linked.")

    async def unlink(self, own: Iterable[str], principal: str, now: int) -> bool:
        """Remove an identity from the person with the principals `own`; False if it isn't theirs."""
        mine = list(own)
        for _ in range(MAX_ATTEMPTS):
            before = await self._around((*mine, principal))
            person = before.get(principal)
            theirs = {each.principal for each in person.identities} if person else set()
            if person is None or theirs.isdisjoint(mine):
                return False
            parted = _split_off(person, principal)
            after = {
                each: LinkedPerson(
                    identities=identities,
                    former=_former_of(before, each) | dict.fromkeys(gone, now + UNLINKED_GRACE_MS),
                )
                for each, (identities, gone) in parted.items()
            }
            if await self._change(before, after):
                return True
        raise StoreUnavailable("Others change these identities at the same time, so nothing was unlinked.")

    async def _around(self, principals: Iterable[str]) -> dict[str, LinkedPerson]:
        """What is stored for these principals and for all whom they are linked with."""
        found = await self.read(dict.fromkeys(principals))
        linked = {each.principal for person in found.values() for each in person.identities}
        return found | await self.read(linked - found.keys())

    async def _change(self, before: Linked, after: Linked) -> bool:
        words: list[str] = []
        for principal, person in after.items():
            was, now = before.get(principal), person.model_dump_json()
            words += [principal, was.model_dump_json() if was else "", now]
            if (short := without_tenant(principal)) != principal:
                words += [short, "*", now]
        done = await self._connection.run_unsharded_durably("change_fields", redis_keys.identities(), *words)
        return bool(done)

    async def _stored(self, names: list[str]) -> list[str | None]:
        if not names:
            return []
        found: list[str | None] = await self._connection.do(
            self._connection.redis.hmget(redis_keys.identities(), names)
        )
        return found

    def _parse(self, name: str, stored: str) -> LinkedPerson:
        try:
            return LinkedPerson.model_validate(json.loads(stored))
        except (ValidationError, ValueError) as error:
            unreadable = UnreadableRecord("identity", name, f"it is damaged ({type(error).__name__})")
            self._connection.unreadable.report(unreadable)
            raise unreadable from error


def linkable(actor: Actor) -> tuple[Actor, ...]:
    """The identities that an actor proves: how they signed in, not the session at the console."""
    proven = [each for each in actor.authenticated if not each.startswith(f"{CONSOLE}:")]
    return tuple(actor_named(each, actor.name) for each in proven)


def people_among(linked: Linked, actors: Iterable[Actor], now: int, lost: Collection[str] = ()) -> People:
    """Which principals are one person, from the records of these actors and others.

    `lost`: principals that grant nothing any more, as if they had just been unlinked.
    """
    proven = [each.authenticated for each in actors]
    persons = [tuple(each.principal for each in person.identities) for person in linked.values()]
    former = [
        (name, *(each for each, until in person.former.items() if until > now))
        for name, person in linked.items()
    ]
    left = [tuple(each for each in person if each not in lost) for person in persons]
    return People(
        identities=same_people([*proven, *left]),
        identities_with_unlinked=same_people([*proven, *persons, *former]),
    )


def relied_on(
    policy: Policy, actors: Iterable[Actor], linked: Linked, members: Collection[str] = ()
) -> dict[str, Actor]:
    """Accounts, by principal, that a policy names and that are linked with those which these actors act with.

    `members`: those of the policy's live groups.
    """
    named = {*policy.deciders, *(each for group in policy.groups for each in group.members), *members}
    return {
        each.principal: each
        for actor in actors
        for name in actor.authenticated
        if name in linked
        for each in linked[name].identities
        if each.principal not in actor.authenticated
        and not named.isdisjoint((each.principal, without_tenant(each.principal)))
    }


def _former_of(before: Linked, principal: str, without: Iterable[str] = ()) -> dict[str, int]:
    """Former identities of a principal, except those that it is linked with again."""
    person = before.get(principal)
    return {each: until for each, until in (person.former if person else {}).items() if each not in without}


def _split_off(person: LinkedPerson, principal: str) -> dict[str, tuple[tuple[Actor, ...], tuple[str, ...]]]:
    """By principal: the identities that are left, and the principals that are not theirs any more."""
    rest = tuple(each for each in person.identities if each.principal != principal)
    alone = tuple(each for each in person.identities if each.principal == principal)
    others = tuple(each.principal for each in rest)
    return {principal: (alone, others)} | dict.fromkeys(others, (rest, (principal,)))

"""Slack's user groups: who is in one right now, for policies that name them.

Needs the optional scope `usergroups:read`. A group that can't be read closes every decision that depends on
it, with the reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Never, Protocol

import structlog

from bot.core.errors import StoreUnavailable
from bot.core.people.actor import principal
from bot.core.people.policy import is_live_group, member
from bot.core.ports.directory import Directory, GroupUnreadable
from bot.core.ports.store import Catalogue
from bot.core.runs.crew import Crew
from bot.surfaces.chat.failures import PlatformFailure, Rejected, RetryLater
from bot.surfaces.chat.wording import sentences
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.webapi.installation import SlackInstallation

log = structlog.get_logger(__name__)

SCOPE = "usergroups:read"
LISTED_TTL_S = 1.0
"""How long one list of all groups serves decisions that are made at the same time."""
ANNOUNCE_INTERVAL_S = 60.0


class GroupLists(Protocol):
    """Where groups come from."""

    async def user_groups(self) -> Sequence[Mapping[str, Any]]:
        """usergroups.list's `usergroups`, with their members. Raises RetryLater, Rejected."""

    async def user_group_members(self, group: str) -> Sequence[str]:
        """usergroups.users.list's `users`. Raises RetryLater, Rejected."""


class UserGroups:
    """Implements `bot.core.ports.directory.GroupReader`."""

    def __init__(self, lists: GroupLists, installation: SlackInstallation) -> None:
        self._lists = lists
        self._installation = installation
        self._listing: asyncio.Task[Sequence[Mapping[str, Any]]] | None = None
        self._listed_at = 0.0

    async def members(self, group: str) -> frozenset[str]:
        """The members of `slack::@finance` or `slack::S0123ABCD`. Raises GroupUnreadable."""
        name = group.partition("::")[2]
        await self._installation.ready()
        try:
            found = _find(await self._listed(), name) or _find(await self._listed(anew=True), name)
            if found is None:
                raise GroupUnreadable(sentences.no_such_group(name))
            users = await self._users(found)
        except PlatformFailure as failure:
            raise GroupUnreadable(_why(name, failure)) from failure
        return frozenset(principal(SURFACE, self._installation.team, user) for user in users)

    async def _users(self, group: Mapping[str, Any]) -> Sequence[str]:
        """The members as listed; asked for where Slack listed some of them only."""
        users = group.get("users")
        if isinstance(users, list) and len(users) == group.get("user_count", len(users)):
            return users
        return await self._lists.user_group_members(str(group["id"]))

    async def _listed(self, *, anew: bool = False) -> Sequence[Mapping[str, Any]]:
        """All groups, asked for once by all who need them now; `anew`: a group may have come since."""
        old = time.monotonic() - self._listed_at > LISTED_TTL_S
        if self._listing is None or old or (anew and self._listing.done()):
            self._listed_at = time.monotonic()
            self._listing = asyncio.create_task(_listed(self._lists))
        task = self._listing
        try:
            return await asyncio.shield(task)
        except PlatformFailure:
            if self._listing is task:
                self._listing = None
            raise


async def _listed(lists: GroupLists) -> Sequence[Mapping[str, Any]]:
    return await lists.user_groups()


def _find(groups: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """The group of this id or handle. A disabled one has no members and decides nothing."""
    wanted = name.removeprefix("@").casefold()
    for each in groups:
        same = str(each.get("handle", "")).casefold() == wanted if name[:1] == "@" else each.get("id") == name
        if same and not each.get("date_delete"):
            return each
    return None


def _why(name: str, failure: PlatformFailure) -> str:
    match failure:
        case Rejected(code="missing_scope"):
            return sentences.group_needs_scope(name, SCOPE)
        case RetryLater():
            return sentences.group_not_now(name, "Slack")
        case _:
            return sentences.group_refused(name, "Slack", getattr(failure, "code", ""))


# ── which groups are needed ─────────────────────────────────────────────────────────────────────────────


async def keep_announced(catalogue: Catalogue, directory: Directory) -> Never:
    """Have the groups of all crews' policies read before anybody asks for them. Runs for ever."""
    while True:
        try:
            groups = groups_of((await catalogue.crews()).values())
            if groups:
                await directory.refresh(groups)
        except StoreUnavailable:
            log.debug("the store is away: groups are read when they are needed")
        await asyncio.sleep(ANNOUNCE_INTERVAL_S)


def groups_of(crews: Iterable[Crew]) -> list[str]:
    """The live groups that the policies of these crews name."""
    found: set[str] = set()
    for crew in crews:
        for policy in (*crew.policies, *([crew.approvers.policy] if crew.approvers.policy else [])):
            words = {*policy.who, *policy.not_} - {group.name for group in policy.groups}
            found |= {member(each) for each in words - {"requester", "anyone"}}
            found |= {each for group in policy.groups for each in group.members}
        found |= {member(each) for each in crew.approvers.listed}
    return sorted(filter(is_live_group, found))

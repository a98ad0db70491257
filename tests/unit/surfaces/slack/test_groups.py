"""Slack's user groups: members by id and by handle, and why they can't be read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.core.people.policy import Approvers, Group, PolicyDefinition
from bot.core.ports.directory import GroupUnreadable
from bot.core.runs.crew import Crew
from bot.surfaces.chat.failures import PlatformFailure, Rejected, RetryLater
from bot.surfaces.slack.groups import UserGroups, groups_of
from bot.surfaces.slack.webapi.installation import SlackInstallation

FINANCE = {"id": "S0FIN", "handle": "finance", "users": ["U1", "U2"], "user_count": 2, "date_delete": 0}


@dataclass
class Lists:
    """Groups as Slack lists them, or what it answers instead."""

    groups: list[Mapping[str, Any]] = field(default_factory=lambda: [FINANCE])
    failure: PlatformFailure | None = None
    calls: list[str] = field(default_factory=list)

    async def user_groups(self) -> Sequence[Mapping[str, Any]]:
        self.calls.append("list")
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return self.groups

    async def user_group_members(self, group: str) -> Sequence[str]:
        self.calls.append(group)
        return ["U1", "U2", "U3"]

    async def auth_test(self) -> Mapping[str, Any]:
        return {"team_id": "T0"}


async def reader(lists: Lists) -> UserGroups:
    installation = SlackInstallation(lists)
    await installation.learn()
    return UserGroups(lists, installation)


@pytest.mark.parametrize("name", ["slack::S0FIN", "slack::@finance", "slack::@Finance"])
async def test_a_group_is_found_by_id_and_by_handle(name: str) -> None:
    groups = await reader(Lists())
    assert await groups.members(name) == {"slack:T0:U1", "slack:T0:U2"}


async def test_members_whom_the_list_leaves_out_are_asked_for() -> None:
    lists = Lists([FINANCE | {"user_count": 3}])
    assert await (await reader(lists)).members("slack::S0FIN") == {
        "slack:T0:U1",
        "slack:T0:U2",
        "slack:T0:U3",
    }
    assert lists.calls == ["list", "S0FIN"]


async def test_decisions_at_the_same_time_ask_once() -> None:
    lists = Lists()
    groups = await reader(lists)
    await asyncio.gather(*(groups.members("slack::@finance") for _ in range(5)))
    assert lists.calls == ["list"]


async def test_a_group_that_has_just_come_is_found() -> None:
    lists = Lists([])
    groups = await reader(lists)
    with pytest.raises(GroupUnreadable):
        await groups.members("slack::S0FIN")
    lists.groups.append(FINANCE)
    assert await groups.members("slack::S0FIN")


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        (Lists(failure=Rejected("missing_scope")), "scope usergroups:read"),
        (Lists(failure=RetryLater(30.0, "ratelimited")), "try again"),
        (Lists(failure=Rejected("plan_upgrade_required")), "plan_upgrade_required"),
        (Lists([]), "no user group @finance"),
        (Lists([FINANCE | {"date_delete": 17}]), "disabled"),
        (Lists([FINANCE | {"handle": "finance-old"}]), "no user group @finance"),
    ],
)
async def test_a_group_that_cannot_be_read_says_why(lists: Lists, why: str) -> None:
    with pytest.raises(GroupUnreadable, match=why):
        await (await reader(lists)).members("slack::@finance")


async def test_a_failure_is_not_kept() -> None:
    lists = Lists(failure=RetryLater(1.0))
    groups = await reader(lists)
    with pytest.raises(GroupUnreadable):
        await groups.members("slack::S0FIN")
    lists.failure = None
    assert await groups.members("slack::S0FIN")


def test_the_groups_of_all_policies_are_announced() -> None:
    policy = PolicyDefinition(
        who=("finance", "@board", "requester", "U0123", "key:erp"),
        not_=("S0AUDIT",),
        groups=(Group(name="finance", members=("slack::@finance", "slack::U0CFO", "teams::9d41")),),
    )
    crews = [
        Crew(name="pay", title="Pay", policies=(policy,)),
        Crew(name="old", title="Old", approvers=Approvers(listed=("U0123", "@legal"))),
    ]
    assert groups_of(crews) == ["slack::@board", "slack::@finance", "slack::@legal", "slack::S0AUDIT"]

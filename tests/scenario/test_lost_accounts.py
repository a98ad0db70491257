"""Whoever lost their account after approving doesn't count, on either platform; everybody sees that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.loopback.teams import Person
from tests.scenario.both_platforms import Approval, approval_on_both
from tests.scenario.teams_deployment import TeamsChannel, TeamsDeployment

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def approval(teams_deployment: TeamsDeployment, in_teams: TeamsChannel) -> AsyncIterator[Approval]:
    async with approval_on_both(teams_deployment, in_teams) as made:
        yield made


async def test_who_was_deactivated_in_slack_after_approving_does_not_count(approval: Approval) -> None:
    in_slack, in_teams = approval.in_slack, approval.in_teams
    await in_slack.ada.press(approval.card, "Approve")
    assert in_slack.ada.id in (await approval.shows("1 of 2")).words
    await in_slack.slack.change(in_slack.ada, deleted=True)
    await in_teams.ada.press(approval.copy, "Approve")
    now = await approval.now()
    assert now.open
    assert [each.by.user_id for each in now.progress.ineligible] == [in_slack.ada.id]
    shown = await approval.shows("No longer counted")
    assert "1 of 2" in shown.words
    await in_slack.bob.press(shown, "Approve")
    outcome = (await approval.now()).outcome
    assert outcome is not None
    assert [each.by.user_id for each in outcome.responses] == [in_teams.ada.object_id, in_slack.bob.id]


async def test_who_was_removed_in_teams_after_approving_does_not_count(approval: Approval) -> None:
    in_slack, in_teams = approval.in_slack, approval.in_teams
    await in_teams.ada.press(approval.copy, "Approve")
    assert (await approval.now()).progress.approved == 1
    await _removed(approval, in_teams.ada)
    await in_slack.ada.press(approval.card, "Approve")
    now = await approval.now()
    assert now.open
    assert [each.by.user_id for each in now.progress.ineligible] == [in_teams.ada.object_id]


async def _removed(approval: Approval, person: Person) -> None:
    """An administrator removes somebody; what was known of them reaches its age."""
    for each in approval.in_teams.teams.tenant.conversations.values():
        each.members.pop(person.user.id, None)
    async with Redis.from_url(approval.in_teams.server.store_url, decode_responses=True) as redis:
        [known] = [key async for key in redis.scan_iter(match=f"*teams:profile:*:{person.object_id}")]
        await redis.delete(known)

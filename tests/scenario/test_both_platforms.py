"""Two platforms at once: what was shown on one, and is different by now on the other, decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.core.questions.question import Action, Deadline
from tests.loopback.slack import View
from tests.loopback.teams import Body
from tests.loopback.teams.state import words
from tests.scenario.both_platforms import Approval, approval_on_both
from tests.scenario.teams_deployment import TeamsChannel, TeamsDeployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
EDITED = "edit.argument.to"


@pytest_asyncio.fixture(loop_scope="session")
async def approval(teams_deployment: TeamsDeployment, in_teams: TeamsChannel) -> AsyncIterator[Approval]:
    async with approval_on_both(teams_deployment, in_teams) as made:
        yield made


async def opened_in_slack(approval: Approval, button: str = "Edit and approve...") -> View:
    """The form that Ada opens in Slack."""
    ada = approval.in_slack.ada
    await ada.press(approval.card, button)
    return await approval.in_slack.slack.wait_for(lambda: approval.in_slack.slack.view(ada.id))


async def opened_in_teams(approval: Approval) -> Body:
    """The form that Ada opens in Teams."""
    receipt = await approval.in_teams.ada.press(approval.copy, "Edit and approve...")
    card: Body = receipt.body["task"]["value"]["card"]["content"]
    return card


async def test_of_two_presses_at_once_one_settles_and_the_other_is_told(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    async with approval_on_both(teams_deployment, in_teams, need=1) as approval:
        ada, bob = approval.in_slack.ada, approval.in_slack.bob
        await asyncio.gather(
            ada.press(approval.card, "Approve"),
            bob.press(approval.card, "Approve"),
            in_teams.ada.press(approval.copy, "Approve"),
        )
        outcome = (await approval.now()).outcome
        assert outcome is not None
        assert len(outcome.responses) == 1
        for each in (ada, bob):
            if outcome.by is not None and outcome.by.user_id != each.id:
                await approval.in_slack.told(each, "already settled")
        await approval.shows("Approved")
        await in_teams.until(lambda: "Approved" in in_teams.now(approval.copy).words)
        assert in_teams.now(approval.copy).labels == []


async def test_an_edit_in_teams_makes_a_form_and_a_press_in_slack_stale(approval: Approval) -> None:
    view, dialog = await opened_in_slack(approval), await opened_in_teams(approval)
    in_teams = approval.in_teams
    await in_teams.ada.submit(in_teams.ada.chat, dialog, {"to": "Bolt"}, "Approve", of=approval.copy)
    edited = await approval.shows("Bolt")
    submitted = await approval.in_slack.ada.submit(view, {EDITED: "Eve"})
    assert "has changed" in str(submitted.field_errors)
    await approval.in_slack.bob.press(approval.card, "Approve")
    await approval.in_slack.told(approval.in_slack.bob, "has changed")
    now = await approval.now()
    assert now.open
    assert now.call is not None
    assert now.call.arguments == {"to": "Bolt"}
    assert [each.by.user_id for each in now.progress.counted] == [in_teams.ada.object_id]
    await approval.in_slack.bob.press(edited, "Approve")
    outcome = (await approval.now()).outcome
    assert outcome is not None
    assert outcome.arguments == {"to": "Bolt"}


async def test_an_edit_in_slack_makes_a_form_and_a_press_in_teams_stale(approval: Approval) -> None:
    view, dialog = await opened_in_slack(approval), await opened_in_teams(approval)
    in_teams, older = approval.in_teams, approval.copy
    assert not (await approval.in_slack.ada.submit(view, {EDITED: "Bolt"})).field_errors
    await in_teams.until(lambda: "Bolt" in in_teams.now(older).words)
    sent = await in_teams.ada.submit(in_teams.ada.chat, dialog, {"to": "Eve"}, "Approve", of=older)
    assert "has changed" in words([sent.body["task"]["value"]["card"]["content"]])
    pressed = await in_teams.ada.press(older, "Approve")
    assert "has changed" in str(pressed.body)
    now = await approval.now()
    assert (now.open, now.progress.approved) == (True, 1)
    await in_teams.ada.press(in_teams.now(older), "Approve")
    outcome = (await approval.now()).outcome
    assert outcome is not None
    assert outcome.arguments == {"to": "Bolt"}


@pytest.mark.parametrize("how", ["answered", "cancelled", "expired"])
async def test_a_form_that_is_open_when_it_is_over_decides_nothing(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel, how: str
) -> None:
    deadline = Deadline(after=8) if how == "expired" else None
    async with approval_on_both(teams_deployment, in_teams, need=1, deadline=deadline) as approval:
        view, dialog = await opened_in_slack(approval), await opened_in_teams(approval)
        if how == "answered":
            await approval.in_slack.bob.press(approval.card, "Approve")
        elif how == "cancelled":
            await approval.store.runs.cancel(approval.claim.run.id, approval.claim.run.requester)
        await approval.shows({"answered": "Approved", "cancelled": "Withdrawn", "expired": "Expired"}[how])
        submitted = await approval.in_slack.ada.submit(view, {EDITED: "Eve"})
        assert "not counted" in str(submitted.field_errors)
        sent = await in_teams.ada.submit(
            in_teams.ada.chat, dialog, {"to": "Eve"}, "Approve", of=approval.copy
        )
        assert "not counted" in words([sent.body["task"]["value"]["card"]["content"]])
        outcome = (await approval.now()).outcome
        assert outcome is not None
        assert outcome.action is {"answered": Action.APPROVE, "cancelled": Action.CANCEL}.get(
            how, Action.EXPIRE
        )
        assert outcome.arguments == ({"to": "Acme"} if how == "answered" else None)

"""Whoever lost their account after approving doesn't count, on either platform; everybody sees that."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from pydantic import JsonValue
from redis.asyncio import Redis

from bot.core import ids
from bot.core.actor import Actor
from bot.core.crew import Crew
from bot.core.place import Place
from bot.core.policy import Approvers, Policy
from bot.core.question import Question, QuestionKind, Source, options_for
from bot.core.run import Claim
from bot.core.starting import plan
from bot.core.tool_call import ToolCall
from bot.store.redis import RedisStore, open_store
from bot.surfaces.chat.places import ChatPlace
from tests.loopback.slack import Message as SlackMessage
from tests.loopback.teams import Message as TeamsMessage
from tests.loopback.teams import Person
from tests.scenario.slack_deployment import ChannelDeployment
from tests.scenario.teams_deployment import TeamsChannel, TeamsDeployment
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREW = Crew(name="safe", title="Safe", approvers=Approvers(anyone=True))
NUMBERS = itertools.count(1)
ARGUMENTS: dict[str, JsonValue] = {"to": "Acme"}


@dataclass
class Approval:
    """A tool call that two of Ada and Bob in Slack, where its run is, and Ada in Teams approve."""

    store: RedisStore
    question: Question
    in_slack: ChannelDeployment
    in_teams: TeamsChannel
    card: SlackMessage
    copy: TeamsMessage

    async def now(self) -> Question:
        return await self.store.questions.get(self.question.run_id, self.question.id)

    async def shows(self, words: str) -> SlackMessage:
        """The card in Slack, as soon as it shows these words."""

        def found() -> SlackMessage:
            now = self.in_slack.now(self.card)
            if words not in now.words:
                raise LookupError(words)
            return now

        return await self.in_slack.until(found)


async def _claimed(store: RedisStore, place: Place, requester: Actor) -> Claim:
    """A run of Slack in the test's hands. No worker of the server knows its crew."""
    await store.catalogue.announce("tests", [CREW])
    new = plan(CREW, {}, requester, key=f"safe {next(NUMBERS)}", place=place, awaiting_thread=True)
    await store.runs.start(new)
    claims: list[Claim] = []

    async def queued() -> bool:
        claims.extend(await store.queue.claim("tests", [CREW.name], 1, 300))
        return bool(claims)

    await eventually(queued)
    return claims[0]


@pytest_asyncio.fixture(loop_scope="session")
async def approval(teams_deployment: TeamsDeployment, in_teams: TeamsChannel) -> AsyncIterator[Approval]:
    in_slack, title = teams_deployment.in_slack(), f"Open safe {next(NUMBERS)}"
    team = in_slack.slack.workspace.team_id
    ada = Actor(surface="slack", tenant=team, user_id=in_slack.ada.id, name="Ada")
    named = (
        *(f"slack::{each.id}" for each in (in_slack.ada, in_slack.bob)),
        f"teams::{in_teams.ada.object_id}",
    )
    async with open_store(teams_deployment.server.store_url) as store:
        claim = await _claimed(store, ChatPlace("slack", team, in_slack.channel, None).encode(), ada)
        question = Question(
            id=ids.part_id(claim.run.id, "safe"),
            run_id=claim.run.id,
            kind=QuestionKind.APPROVAL,
            source=Source.GATE,
            prompt=title,
            options=options_for(QuestionKind.APPROVAL, ()),
            call=ToolCall(tool="open_safe", title=title, arguments=ARGUMENTS, proposed=ARGUMENTS),
            policy=Policy(deciders=named, need=2, name="pay", version="1", who=("them",), admins=False),
        )
        question = await store.questions.ask(claim, question)
        card = await in_slack.until(lambda: _asking(in_slack, title))
        yield Approval(store, question, in_slack, in_teams, card, await in_teams.told(in_teams.ada, title))
        await store.runs.cancel(claim.run.id, ada)


def _asking(in_slack: ChannelDeployment, title: str) -> SlackMessage:
    said = in_slack.slack.messages(in_slack.channel)
    return next(each for each in said if title in each.words and "Approve" in each.labels)


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

"""A tool call of a run in Slack that people approve there and in Teams, where one is asked directly."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from pydantic import JsonValue

from bot.core import ids
from bot.core.errors import Refused
from bot.core.people.actor import Actor
from bot.core.people.policy import Approvers, Policy
from bot.core.questions.question import Deadline, Question, QuestionKind, Source, options_for
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.core.runs.place import Place
from bot.core.runs.run import Claim
from bot.core.starting import plan
from bot.store.redis import RedisStore, open_store
from bot.surfaces.chat.places import ChatPlace
from tests.loopback.slack import Message as SlackMessage
from tests.loopback.teams import Message as TeamsMessage
from tests.scenario.slack_deployment import ChannelDeployment
from tests.scenario.teams_deployment import TeamsChannel, TeamsDeployment
from tests.waiting import eventually

CREW = Crew(name="safe", title="Safe", approvers=Approvers(anyone=True))
NUMBERS = itertools.count(1)
ARGUMENTS: dict[str, JsonValue] = {"to": "Acme"}


@dataclass
class Approval:
    """A tool call that two of Ada and Bob in Slack, where its run is, and Ada in Teams approve."""

    store: RedisStore
    claim: Claim
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


@asynccontextmanager
async def approval_on_both(
    deployment: TeamsDeployment, in_teams: TeamsChannel, need: int = 2, deadline: Deadline | None = None
) -> AsyncIterator[Approval]:
    """Ada and Bob in Slack, and Ada in Teams, may approve it; it takes `need` of them."""
    in_slack, title = deployment.in_slack(), f"Open safe {next(NUMBERS)}"
    team = in_slack.slack.workspace.team_id
    ada = Actor(surface="slack", tenant=team, user_id=in_slack.ada.id, name="Ada")
    in_slacks = (f"slack::{each.id}" for each in (in_slack.ada, in_slack.bob))
    named = (*in_slacks, f"teams::{in_teams.ada.object_id}")
    async with open_store(deployment.server.store_url) as store:
        claim = await _claimed(store, ChatPlace("slack", team, in_slack.channel, None).encode(), ada)
        question = Question(
            id=ids.part_id(claim.run.id, "safe"),
            run_id=claim.run.id,
            kind=QuestionKind.APPROVAL,
            source=Source.GATE,
            prompt=title,
            options=options_for(QuestionKind.APPROVAL, ()),
            call=ToolCall(
                tool="open_safe",
                title=title,
                arguments=ARGUMENTS,
                proposed=ARGUMENTS,
                editable=("to",),
                parameters={"properties": {"to": {"type": "string"}}},
            ),
            policy=Policy(deciders=named, need=need, name="pay", version="1", who=("them",), admins=False),
            deadline=deadline or Deadline(),
        )
        question = await store.questions.ask(claim, question)
        card = await in_slack.until(lambda: _asking(in_slack, title))
        copy = await in_teams.told(in_teams.ada, title)
        yield Approval(store, claim, question, in_slack, in_teams, card, copy)
        with suppress(Refused):
            await store.runs.cancel(claim.run.id, ada)


def _asking(in_slack: ChannelDeployment, title: str) -> SlackMessage:
    said = in_slack.slack.messages(in_slack.channel)
    return next(each for each in said if title in each.words and "Approve" in each.labels)

"""Teams' side of a scenario: a real server that is connected to a loopback Teams, and people who use it.

The server is connected to a loopback Slack as well: what one does must not disturb the other.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from tests.loopback.slack import LoopbackSlack
from tests.loopback.teams import Body, Conversation, LoopbackTeams, Message, Person, Receipt
from tests.scenario.server import Server
from tests.scenario.slack_deployment import PATIENCE_S, ChannelDeployment, connect, slack_settings
from tests.waiting import WITHIN

T = TypeVar("T")
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class TeamsDeployment:
    """A server, and the Teams and the Slack that it is connected to."""

    teams: LoopbackTeams
    slack: LoopbackSlack
    server: Server

    async def warm_up(self) -> None:
        """Return when crews run: a worker takes its time to load what they are made of."""
        deployment = self.in_a_channel()
        try:
            said = await deployment.say("start tell tides")
            await deployment.question(said)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.server.story()}") from None

    def in_a_channel(self) -> TeamsChannel:
        """A channel of its own, with Ada and Bob in it."""
        number = next(_NUMBERS)
        ada, bob = (self.teams.person(name) for name in ("Ada", "Bob"))
        return TeamsChannel(self.teams, self.server, self.teams.channel(f"channel{number}"), ada, bob)

    def in_slack(self) -> ChannelDeployment:
        """A channel of Slack on the same server, with another Ada and Bob in it."""
        number = next(_NUMBERS)
        ada, bob = (self.slack.person(f"U0{name}{number}", name=name.title()) for name in ("ADA", "BOB"))
        channel = self.slack.add_channel(f"C0CHANNEL{number}", members=(ada, bob))
        return ChannelDeployment(self.slack, self.server, channel.id, ada, bob)


def teams_settings(teams: LoopbackTeams) -> dict[str, str]:
    """The environment of a server that is to be connected."""
    return {
        "TEAMS_APP_ID": teams.app_id,
        "TEAMS_TENANT_ID": teams.tenant.id,
        "TEAMS_OUTBOUND_TOKEN": teams.outbound_token,
        "TEAMS_OPENID_METADATA_URL": teams.openid_metadata_url,
        "TEAMS_TOKEN_ISSUER": teams.token_issuer,
    }


@asynccontextmanager
async def teams_deployed(env: Mapping[str, str] | None = None) -> AsyncIterator[TeamsDeployment]:
    """A server that is connected to a Teams and a Slack of its own, with the test crews and one worker."""
    async with LoopbackTeams() as teams, LoopbackSlack(ack_seconds=PATIENCE_S) as slack:
        settings = slack_settings(slack, "http") | teams_settings(teams) | dict(env or {})
        async with Server.start(settings) as server:
            teams.connect(f"{server.url}/api/messages")
            connect(slack, server, "http")
            yield TeamsDeployment(teams, slack, server)


@dataclass(frozen=True)
class TeamsChannel:
    """A Teams deployment as two people see it in one channel."""

    teams: LoopbackTeams
    server: Server
    channel: Conversation
    ada: Person
    bob: Person

    async def say(
        self, words: str, who: Person | None = None, *, thread: str | None = None, mention: bool = True
    ) -> Receipt:
        """A message in the channel, which mentions the app unless said otherwise."""
        said = await (who or self.ada).say(self.channel, words, mention=mention, thread=thread)
        assert said.status == 200, (said.status, said.body)
        return said

    async def asked(self, words: str) -> tuple[Receipt, Message]:
        """The message that started a run, and the run's first question."""
        said = await self.say(f"start {words}")
        return said, await self.question(said)

    def thread(self, said: Receipt) -> list[Message]:
        """The messages of a reply chain, by its first one."""
        return self.teams.messages(self.channel, thread=str(said.activity["id"]))

    async def view(self, person: Person, message: Message) -> Body:
        """The card of a message as this person sees it, with a view of their own."""
        shown = await person.refreshed(message)
        assert shown.status == 200, (shown.status, shown.body)
        card: Body = shown.body["value"]
        return card

    async def press(self, person: Person, message: Message, label: str) -> Receipt:
        """Press a button of one's own view."""
        return await person.press_on([await self.view(person, message)], label, of=message)

    async def question(self, said: Receipt, seconds: float = WITHIN) -> Message:
        """The newest message of a reply chain that asks something."""
        return await self.until(lambda: [m for m in self.thread(said) if _asks(m)][-1], seconds)

    def now(self, message: Message) -> Message:
        """The message as it is by now."""
        return self.teams.message(self.teams.tenant.conversations[message.conversation], message.id)

    def words(self, said: Receipt) -> str:
        return "\n".join(each.words for each in self.thread(said))

    async def reads(self, text: str, said: Receipt, seconds: float = WITHIN) -> str:
        """Wait until the reply chain says something (a regular expression); all words of it."""
        await self.until(lambda: re.search(text, self.words(said)), seconds)
        return self.words(said)

    async def told(self, person: Person, text: str, seconds: float = WITHIN) -> Message:
        """Wait until a person is told something (a regular expression) in their own chat."""
        return await self.until(
            lambda: next(m for m in self.private(person) if re.search(text, m.words)), seconds
        )

    def private(self, person: Person) -> list[Message]:
        """What the app wrote to a person alone."""
        return [each for each in self.teams.messages(person.chat) if each.from_bot]

    async def until(self, there: Callable[[], T], seconds: float = WITHIN) -> T:
        """Wait until something is there to be seen."""
        return await self.teams.wait_for(there, seconds)


def _asks(message: Message) -> bool:
    """Whether something of it can be decided or answered, by those who have a view of their own."""
    return message.refresh is not None or any(_answers(action) for action in message.actions)


def _answers(action: Body) -> bool:
    data = action.get("data", {}).get("crewdeck", {})
    return str(data.get("action", "")).startswith(("answer.", "open.reply", "open.full"))

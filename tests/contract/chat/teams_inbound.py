"""The inbound engine behind Teams' endpoint: people of a loopback Teams act, over sockets and with tokens."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.core.actor import Actor
from bot.core.crew import Crew
from bot.core.feed import Feed
from bot.core.policy import Policy
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Claim
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import open_store
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.chat.presence import Presence
from bot.surfaces.teams import SURFACE, card_data
from bot.surfaces.teams.connector.platform import TeamsPlatform, open_platform
from bot.surfaces.teams.credentials import teams_app
from bot.surfaces.teams.inbound.request_url import RequestUrl
from bot.surfaces.teams.surface import TeamsInbound, open_verifier
from tests.contract.chat.memory_inbound import ADA, BOB, GREETER
from tests.contract.examples import DEMO, approval, new_run
from tests.loopback.teams import Body, Conversation, LoopbackTeams, Person, Receipt
from tests.loopback.teams.state import inputs, words

CONSOLE = "http://127.0.0.1:3000"
WRONG = "⚠"
_numbers = itertools.count(1)


@dataclass
class TeamsChat:
    """Everything a test needs, as `MemoryChat` has it. The tests play the crew's worker and the people."""

    store: Store
    teams: LoopbackTeams
    inbound: TeamsInbound
    channel: Conversation
    people: Mapping[str, Person]
    #: The first message of the reply chain in which runs live.
    thread: str
    platform: TeamsPlatform

    #: The thread says enough.
    answers_starts = False

    def person(self, user: str) -> Actor:
        who = self.people[user]
        return Actor(surface=SURFACE, tenant=self.teams.tenant.id, user_id=who.object_id, name=who.name)

    # ── what people do; each answers with all that the person is told ───────────────────────────────────

    async def command(self, user: str, words: str) -> str:
        return await self._told(user, self.people[user].say(self.channel, words, mention=True))

    async def starts(self, user: str, words: str, *, message_id: str) -> str:
        """A command in the personal chat."""
        chat = self.people[user].chat
        activity = self.people[user].activity("message", chat, "", id=message_id, text=words)
        return await self._told(user, self.teams.deliver(activity))

    async def press(
        self, user: str, action: str, target: Target, *, key: str = "", posted: Posted | None = None
    ) -> str:
        data = card_data.button(action, target.encode())
        value = {"action": {"type": "Action.Execute", "verb": "crewdeck", "data": data}, "trigger": "manual"}
        return await self._told(user, self._invoke(user, "adaptiveCard/action", value, key, posted))

    async def opens(self, user: str, action: str, target: Target) -> str:
        """The words of the dialog that a press opens."""
        card = await self._dialog(user, "task/fetch", card_data.button(action, target.encode()))
        return " ".join([words([card]), *(str(each["label"]) for each in inputs(card))])

    async def decides_in_form(self, user: str, action: str, target: Target) -> str:
        """What the dialog says after a press in it."""
        return words([await self._dialog(user, "task/submit", card_data.button(action, target.encode()))])

    async def submit(self, user: str, callback: str, metadata: str, **values: str) -> Mapping[str, str]:
        """What is wrong in the form, by field."""
        answered = await self._submitted(user, callback, metadata, values)
        if answered.body["task"]["type"] == "message":
            return {}
        return _problems(answered.body["task"]["value"]["card"]["content"])

    async def sends_late(self, user: str, callback: str, metadata: str, **values: str) -> str:
        """The words that the dialog shows in place of its fields."""
        answered = await self._submitted(user, callback, metadata, values)
        return words([answered.body["task"]["value"]["card"]["content"]])

    async def _submitted(self, user: str, callback: str, metadata: str, values: Mapping[str, str]) -> Receipt:
        data = card_data.form(callback, metadata) | dict(values)
        answered = await self._invoke(user, "task/submit", {"data": data})
        await self.inbound.background.drain(2)
        return answered

    async def says(
        self,
        user: str,
        words: str,
        *,
        message_id: str = "",
        elsewhere: bool = False,
        edited: bool = False,
        to: str = "",
        **more: Any,
    ) -> str:
        """A reply in the thread of the runs; `to` somebody who is mentioned first; `more` of the activity."""
        thread = self.thread if not elsewhere else self.teams.tenant.next_id()
        kind = "messageUpdate" if edited else "message"
        text: Body = {"text": words}
        if to:
            account = self.people[to].user.account()
            mention = {"type": "mention", "text": f"<at>{to}</at>", "mentioned": account}
            text = {"text": f"<at>{to}</at> {words}", "entities": [mention]}
        who = self.people[user]
        named = {"id": message_id} if message_id else {}
        return await self._told(
            user, self.teams.deliver(who.activity(kind, self.channel, thread, **named | text | more))
        )

    async def draft(self, user: str, words: str) -> str:
        """The id of the draft that a start without its inputs leaves."""
        await self.command(user, words)
        [fill_in] = self.teams.messages(self.people[user].chat)[-1].actions
        pressed = card_data.read(fill_in["data"])
        assert isinstance(pressed, card_data.Pressed)
        return Target.decode(pressed.value).run_id

    def make_unknown(self, user: str) -> None:
        """Teams can't say who this is."""
        self.channel.members.pop(self.people[user].user.id)

    async def _dialog(self, user: str, name: str, data: Body) -> Body:
        answered = await self._invoke(user, name, {"data": data})
        await self.inbound.background.drain(2)
        card: Body = answered.body["task"]["value"]["card"]["content"]
        return card

    async def _invoke(
        self, user: str, name: str, value: Body, key: str = "", posted: Posted | None = None
    ) -> Receipt:
        more: Body = {"id": key} if key else {}
        more |= {"replyToId": posted.message_id} if posted else {}
        who = self.people[user]
        return await self.teams.deliver(
            who.activity("invoke", self.channel, self.thread, name=name, value=value, **more)
        )

    async def _told(self, user: str, act: Any) -> str:  # noqa: ANN401 - a coroutine of the loopback
        chat = self.people[user].chat
        before = {each.id for each in self.teams.messages(chat)}
        answered: Receipt = await act
        assert answered.status == 200, (answered.status, answered.body)
        await self.inbound.background.drain(2)
        private = [m.words for m in self.teams.messages(chat) if m.from_bot and m.id not in before]
        return " ".join([*_said(answered.body), *private])

    # ── what the crew does ──────────────────────────────────────────────────────────────────────────────

    async def asking(self, question: str = "ok", *deciders: str, crew: Crew = DEMO, **more: Any) -> Question:
        """An open question of a run in the thread, whose requester is Ada."""
        claim = await self.claimed(crew)
        policy = Policy(deciders=tuple(self.person(each).principal for each in deciders or (ADA,)))
        asked = approval(claim, question).model_copy(update={"policy": policy, **more})
        return await self.store.questions.ask(claim, asked)

    async def asking_at_length(self) -> Question:
        """A question of which the thread shows the beginning only."""
        return await self.asking(context="All of this is to be read. " * 2000)

    async def claimed(self, crew: Crew = DEMO) -> Claim:
        place = ChatPlace(SURFACE, self.teams.tenant.id, self.channel.id, self.thread).encode()
        await self.store.runs.start(new_run(crew=crew, by=self.person(ADA), place=place))
        [claim] = await self.store.queue.claim("worker", [crew.name], 1, 60)
        return claim

    async def outcome(self, question: Question) -> str:
        """The settled action; empty while it is open."""
        now = await self.store.questions.get(question.run_id, question.id)
        return now.outcome.action if now.outcome else ""

    # ── messages of ours ────────────────────────────────────────────────────────────────────────────────

    async def orphan(self) -> Posted:
        """A message of ours that nobody recorded."""
        full_id = f"{self.channel.id};messageid={self.thread}"
        posted = self.teams.tenant.post(full_id, self.teams.tenant.bot, {"type": "message", "text": "?"})
        return Posted(self.channel.id, posted.id)

    async def is_adopted(self, question: Question, posted: Posted) -> bool:
        state = await self.store.outbox.state(SURFACE, question.run_id)
        return posted.encode() in state.messages.values()

    async def shows_outcome(self, posted: Posted) -> bool:
        return "Approved" in self.teams.message(self.channel, posted.message_id).words


def _said(body: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """What an answer says in words; a card is the question as it is, and says nothing."""
    value = body.get("value") if isinstance(body, dict) else None
    return [value] if isinstance(value, str) else []


def _problems(card: Body) -> dict[str, str]:
    """What is wrong, by the field below it; of a card without fields, nothing."""
    wrong: dict[str, str] = {}
    problem = ""
    for element in card["body"]:
        text = words([element])
        if text.startswith(WRONG):
            problem = text
        elif problem:
            wrong[str(element.get("id", ""))] = problem
            problem = ""
    return wrong


@asynccontextmanager
async def teams_chat(redis_url: str) -> AsyncIterator[TeamsChat]:
    async with open_store(redis_url) as store, LoopbackTeams() as teams:
        people = {user: teams.person(user.title()) for user in (ADA, BOB)}
        channel = teams.channel()
        thread = teams.tenant.post(channel.id, people[ADA].user.account(), {"type": "message", "text": "Hi"})
        settings = Settings.model_validate(
            {
                "TEAMS_APP_ID": teams.app_id,
                "TEAMS_TENANT_ID": teams.tenant.id,
                "TEAMS_OUTBOUND_TOKEN": teams.outbound_token,
                "TEAMS_OPENID_METADATA_URL": teams.openid_metadata_url,
            }
        )
        app, priority = teams_app(settings, CONSOLE), AckPriority()
        async with (
            open_platform(app, store.key_values, store.files, Metrics(), priority) as platform,
            open_verifier(settings) as verifier,
        ):
            presence = Presence(SURFACE, store.key_values, "web-1")
            inbound = TeamsInbound(platform, store, Feed(), presence, settings, CONSOLE)
            dispatch = inbound.activities(Metrics(), priority).dispatch
            url = RequestUrl(verifier, settings.teams_tenant_id, dispatch, local=True)
            await store.catalogue.announce("tests", [DEMO, GREETER])
            async with served(url.routes()) as address:
                teams.connect(f"{address}/api/messages")
                yield TeamsChat(store, teams, inbound, channel, people, thread.id, platform)
            await inbound.background.drain(1)


@asynccontextmanager
async def served(routes: list[web.RouteDef]) -> AsyncIterator[str]:
    """A server with these routes; its address."""
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()

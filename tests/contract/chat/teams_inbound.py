"""The inbound engine behind Teams' endpoint: people of a loopback Teams act, over sockets and with tokens."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.core.people.actor import Actor
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.place import Place
from bot.core.wakeups import Wakeups
from bot.metrics import Metrics
from bot.settings import Settings
from bot.store.redis import open_store
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.places import ChatPlace, MessageRef
from bot.surfaces.chat.presence import Presence
from bot.surfaces.teams import SURFACE, card_data
from bot.surfaces.teams.connector.platform import TeamsPlatform, open_platform
from bot.surfaces.teams.credentials import TeamsApp
from bot.surfaces.teams.inbound.payloads import FILE
from bot.surfaces.teams.inbound.request_url import RequestUrl
from bot.surfaces.teams.surface import TeamsInbound, open_verifier
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA, BOB, GREETER, PlayedCrew
from tests.contract.examples import DEMO
from tests.loopback.teams import Body, Conversation, LoopbackTeams, Person, Receipt
from tests.loopback.teams.state import inputs, words
from tests.waiting import next_millisecond

CONSOLE = "http://127.0.0.1:3000"
WRONG = "⚠"
_numbers = itertools.count(1)


@dataclass
class TeamsChat(PlayedCrew):
    """Everything a test needs, as `MemoryChat` has it. The tests play the crew's worker and the people."""

    store: Store
    teams: LoopbackTeams
    inbound: TeamsInbound
    channel: Conversation
    people: Mapping[str, Person]
    #: The first message of the reply chain in which runs live.
    thread: str
    platform: TeamsPlatform
    #: When messages were written that are delivered later, by their ids.
    written: dict[str, str] = field(default_factory=dict)

    #: The thread says enough.
    answers_starts = False

    @property
    def place(self) -> Place:
        return ChatPlace(SURFACE, self.teams.tenant.id, self.channel.id, self.thread).encode()

    def message_in_thread(self, message_id: str) -> MessageRef:
        return MessageRef(self.channel.id, message_id or self.teams.tenant.next_id())

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
        self,
        user: str,
        action: str,
        target: Target,
        *,
        key: str = "",
        posted: MessageRef | None = None,
        directly: bool = False,
    ) -> str:
        """`directly`: on a message in this person's chat with the app."""
        data = card_data.button(action, target.encode())
        value = {"action": {"type": "Action.Execute", "verb": "crewdeck", "data": data}, "trigger": "manual"}
        pressed = self._invoke(user, "adaptiveCard/action", value, key, posted, directly=directly)
        return await self._told(user, pressed)

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
        await finished(self.inbound.background)
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
        files: tuple[str, ...] = (),
        **more: Any,
    ) -> str:
        """A reply in the thread of the runs; `to` somebody who is mentioned first; `more` of the activity."""
        await next_millisecond()
        thread = self.thread if not elsewhere else self.teams.tenant.next_id()
        kind = "messageUpdate" if edited else "message"
        text: Body = {"text": words}
        if to:
            account = self.people[to].user.account()
            mention = {"type": "mention", "text": f"<at>{to}</at>", "mentioned": account}
            text = {"text": f"<at>{to}</at> {words}", "entities": [mention]}
        if files:
            text["attachments"] = [{"contentType": FILE, "name": each} for each in files]
        who = self.people[user]
        named = {"id": message_id} if message_id else {}
        if message_id in self.written:
            named["timestamp"] = self.written[message_id]
        return await self._told(
            user, self.teams.deliver(who.activity(kind, self.channel, thread, **named | text | more))
        )

    def written_now(self) -> str:
        """The id of a message that is delivered later."""
        message_id = self.teams.tenant.next_id()
        self.written[message_id] = datetime.now(UTC).isoformat(timespec="microseconds")
        return message_id

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

    def make_guest(self, user: str) -> None:
        """Somebody who has not acted before is a guest."""
        who = self.people[user].user
        self.channel.members[who.id] = replace(who, role="guest")

    async def _dialog(self, user: str, name: str, data: Body) -> Body:
        answered = await self._invoke(user, name, {"data": data})
        await finished(self.inbound.background)
        card: Body = answered.body["task"]["value"]["card"]["content"]
        return card

    async def _invoke(
        self,
        user: str,
        name: str,
        value: Body,
        key: str = "",
        posted: MessageRef | None = None,
        *,
        directly: bool = False,
    ) -> Receipt:
        more: Body = {"id": key} if key else {}
        more |= {"replyToId": posted.message_id} if posted else {}
        who = self.people[user]
        where, thread = (who.chat, "") if directly else (self.channel, self.thread)
        return await self.teams.deliver(who.activity("invoke", where, thread, name=name, value=value, **more))

    async def _told(self, user: str, act: Any) -> str:  # noqa: ANN401 - a coroutine of the loopback
        chat = self.people[user].chat
        before = {each.id for each in self.teams.messages(chat)}
        answered: Receipt = await act
        assert answered.status == 200, (answered.status, answered.body)
        await finished(self.inbound.background)
        private = [m.words for m in self.teams.messages(chat) if m.from_bot and m.id not in before]
        return " ".join([*_said(answered.body), *private])

    # ── messages of ours ────────────────────────────────────────────────────────────────────────────────

    async def orphan(self) -> MessageRef:
        """A message of ours that nobody recorded."""
        full_id = f"{self.channel.id};messageid={self.thread}"
        posted = self.teams.tenant.post(full_id, self.teams.tenant.bot, {"type": "message", "text": "?"})
        return MessageRef(self.channel.id, posted.id)

    async def is_adopted(self, question: Question, posted: MessageRef) -> bool:
        state = await self.store.outbox.state(SURFACE, question.run_id)
        return posted.encode() in state.messages.values()

    async def shows_outcome(self, posted: MessageRef) -> bool:
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
        app, priority = TeamsApp.of(settings, CONSOLE), AckPriority()
        async with (
            open_platform(app, store.key_values, store.files, Metrics(), priority) as platform,
            open_verifier(settings) as verifier,
        ):
            presence = Presence(SURFACE, store.key_values, store.clock, "web-1")
            inbound = TeamsInbound(platform, store, Wakeups(), presence, settings, CONSOLE)
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

"""The inbound engine behind Slack's request URL or Socket Mode: people of a loopback Slack act."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

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
from bot.surfaces.chat.messages import text_message
from bot.surfaces.chat.places import ChatPlace, Conversation, MessageRef
from bot.surfaces.chat.presence import Presence
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.inbound.bolt import Dispatcher
from bot.surfaces.slack.inbound.request_url import PATH, RequestUrl
from bot.surfaces.slack.inbound.socket_mode import SocketMode
from bot.surfaces.slack.surface import SlackInbound
from bot.surfaces.slack.webapi.api import SlackApi, open_api
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA, BOB, GREETER, PlayedCrew
from tests.contract.chat.teams_inbound import served
from tests.contract.examples import DEMO
from tests.loopback.slack import Delivery, LoopbackSlack, Message, Person, payloads, shown

CONSOLE = "http://127.0.0.1:3000"
SECRET = "a-signing-secret"
CHANNEL = "C0CHAT"


@dataclass
class SlackChat(PlayedCrew):
    """Everything a test needs, as `MemoryChat` has it. The tests play the crew's worker and the people."""

    store: Store
    slack: LoopbackSlack
    api: SlackApi
    inbound: SlackInbound
    people: Mapping[str, Person]
    #: The message in whose thread runs live.
    parent: Message
    #: Slack's ids of messages that tests name.
    stamps: dict[str, str] = field(default_factory=dict)
    #: What was pressed under a key.
    pressed: dict[str, Delivery] = field(default_factory=dict)

    answers_starts = True

    @property
    def place(self) -> Place:
        return ChatPlace(SURFACE, self.slack.workspace.team_id, CHANNEL, self.parent.ts).encode()

    def message_in_thread(self, message_id: str) -> MessageRef:
        return MessageRef(CHANNEL, self._stamp(message_id) if message_id else self.slack.workspace.next_ts())

    def person(self, user: str) -> Actor:
        who = self.people[user].user
        team = self.slack.workspace.team_id
        return Actor(surface=SURFACE, tenant=team, user_id=who.id, name=who.name)

    # ── what people do; each answers with all that the person is told ───────────────────────────────────

    async def command(self, user: str, words: str) -> str:
        return await self._told(user, self.people[user].command("/crew", words, CHANNEL))

    async def starts(self, user: str, words: str, *, message_id: str) -> str:
        """A command in direct messages."""
        who = self.people[user]
        return await self._told(user, who.say(who.im, words, ts=self._stamp(message_id)))

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
        """`directly`: on a message in this person's direct messages with the app."""
        who = self.people[user]
        if key in self.pressed:
            return await self._told(user, who.redeliver(self.pressed[key]))
        on = self._with_button(action, self._known(target), posted, who.im if directly else CHANNEL)
        before = len(self.slack.deliveries)
        told = await self._told(user, who.press(on, action))
        self.pressed |= {key: self.slack.deliveries[before]} if key else {}
        return told

    async def opens(self, user: str, action: str, target: Target) -> str:
        """The words of the modal that a press opens."""
        await self.press(user, action, target)
        return self.slack.view(self.people[user].id).words

    async def decides_in_form(self, user: str, action: str, target: Target) -> str:
        """What the modal says after a press in it."""
        view = self.slack.view(self.people[user].id)
        assert view.button(action)[1]["value"] == target.encode()
        await self._told(user, self.people[user].press(view, action))
        return self.slack.view(self.people[user].id).words

    async def submit(self, user: str, callback: str, metadata: str, **values: str) -> Mapping[str, str]:
        """What is wrong in the modal, by field."""
        return (await self._submitted(user, callback, metadata, values)).field_errors

    async def sends_late(self, user: str, callback: str, metadata: str, **values: str) -> str:
        """The words that the modal shows in place of its fields."""
        sent = await self._submitted(user, callback, metadata, values)
        assert sent.body["response_action"] == "update"
        return shown.view(self.people[user].id, sent.body["view"]).words

    async def _submitted(
        self, user: str, callback: str, metadata: str, values: Mapping[str, str]
    ) -> Delivery:
        fields = [{"type": "input", "block_id": name} for name in values]
        state = {name: {name: {"type": "plain_text_input", "value": value}} for name, value in values.items()}
        view = {
            "type": "modal",
            "id": self.slack.workspace.next_id("V"),
            "callback_id": callback,
            "private_metadata": metadata,
            "blocks": fields,
            "state": {"values": state},
        }
        who = self.people[user]
        payload = payloads.view_submission(self.slack.workspace, who.user, view)
        sent = await self.slack.act(payload, who)
        assert sent.ok, (sent.status, sent.body)
        await finished(self.inbound.background)
        return sent

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
    ) -> str:
        """A reply in the thread of the runs; `to` somebody who is mentioned first."""
        who = self.people[user]
        if edited:
            return await self._told(user, who.edit(self.parent, words))
        thread = self.parent.ts
        if elsewhere:
            other = await who.say(CHANNEL, "Something else")
            assert other.message is not None
            thread = other.message.ts
        if files:
            return await self._told(user, who.upload(CHANNEL, files, words, thread))
        text = f"<@{self.people[to].id}> {words}" if to else words
        extra: dict[str, Any] = {"ts": self._stamp(message_id)} if message_id else {}
        return await self._told(user, who.reply(CHANNEL, thread, text, **extra))

    def written_now(self) -> str:
        """What a message is called that is delivered later."""
        name = self.slack.workspace.next_id("m")
        self._stamp(name)
        return name

    async def draft(self, user: str, words: str) -> str:
        """The id of the draft that a start without its inputs leaves: Slack opens the form at once."""
        await self.command(user, words)
        return str(self.slack.view(self.people[user].id).body["private_metadata"])

    def make_unknown(self, user: str) -> None:
        """Slack can't say who this is."""
        del user
        self.slack.fail("users.info", error="team_access_not_granted", times=None)

    def make_guest(self, user: str) -> None:
        """Somebody who has not acted before is a guest."""
        who = self.people[user].user
        self.slack.workspace.users[who.id] = replace(who, is_restricted=True)

    async def _told(self, user: str, act: Awaitable[Delivery]) -> str:
        who = self.people[user]
        shown_before = len(self.slack.ephemerals(who.id))
        direct_before = {each.ts for each in self.slack.messages(who.im)}
        delivery = await act
        assert delivery.ok, (delivery.status, delivery.body, delivery.error)
        await finished(self.inbound.background)
        private = self.slack.ephemerals(who.id)[shown_before:]
        direct = [each for each in self.slack.messages(who.im) if each.user != who.id]
        return " ".join(
            [
                *(each.words for each in private),
                *(each.words for each in direct if each.ts not in direct_before),
                *self._instead(delivery),
            ]
        )

    def _instead(self, delivery: Delivery) -> list[str]:
        """What replaces the private message that was pressed on."""
        if "response_url" not in delivery.payload:
            return []
        posts = self.slack.response_posts(delivery)
        return [shown.message(CHANNEL, each).words for each in posts if each.get("replace_original")]

    def _stamp(self, message_id: str) -> str:
        return self.stamps.setdefault(message_id, self.slack.workspace.next_ts())

    def _known(self, target: Target) -> Target:
        return replace(target, option_id=self.stamps.get(target.option_id, target.option_id))

    def _with_button(self, action: str, target: Target, posted: MessageRef | None, channel: str) -> Message:
        """A message with this button: one in the channel, or one that only its reader sees."""
        button = {
            "type": "button",
            "action_id": action,
            "value": target.encode(),
            "text": {"type": "plain_text", "text": "Press"},
        }
        row = {"type": "actions", "block_id": "row", "elements": [button]}
        if posted is not None:
            body = self.slack.message(posted.channel, posted.message_id).body
            return shown.message(CHANNEL, {**body, "blocks": [row]})
        body = {
            "ts": self.slack.workspace.next_ts(),
            "thread_ts": self.parent.ts,
            "text": "?",
            "blocks": [row],
        }
        return shown.message(channel, body, ephemeral=channel == CHANNEL)

    # ── messages of ours ────────────────────────────────────────────────────────────────────────────────

    async def orphan(self) -> MessageRef:
        """A message of ours that nobody recorded."""
        return await self.api.post(Conversation(CHANNEL, self.parent.ts), text_message("?"))

    async def is_adopted(self, question: Question, posted: MessageRef) -> bool:
        state = await self.store.outbox.state(SURFACE, question.run_id)
        return posted.encode() in state.messages.values()

    async def shows_outcome(self, posted: MessageRef) -> bool:
        return "Approved" in self.slack.message(CHANNEL, posted.message_id).words


def slack_chat_over_http(redis_url: str) -> AbstractAsyncContextManager[SlackChat]:
    return _slack_chat(redis_url, socket=False)


def slack_chat_over_a_socket(redis_url: str) -> AbstractAsyncContextManager[SlackChat]:
    return _slack_chat(redis_url, socket=True)


@asynccontextmanager
async def _slack_chat(redis_url: str, *, socket: bool) -> AsyncIterator[SlackChat]:
    async with open_store(redis_url) as store, LoopbackSlack() as slack:
        people = {user: slack.person(f"U0{user.upper()}", name=user.title()) for user in (ADA, BOB)}
        slack.add_channel(CHANNEL, members=tuple(people.values()))
        settings = Settings.model_validate(
            {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        )
        priority = AckPriority()
        async with open_api(settings, Metrics(), priority) as api:
            presence = Presence(SURFACE, store.key_values, store.clock, "web-1")
            inbound = SlackInbound(api, store, Wakeups(), presence, settings, CONSOLE)
            await inbound.installation.learn()
            dispatcher = Dispatcher(inbound.application(slack.api_url), Metrics(), priority)
            await store.catalogue.announce("tests", [DEMO, GREETER])
            over = _over_a_socket if socket else _over_http
            async with over(slack, api, dispatcher, presence, store):
                parent = await people[ADA].say(CHANNEL, "Hi")
                assert parent.message is not None
                yield SlackChat(store, slack, api, inbound, people, parent.message)
            await inbound.background.drain(1)


@asynccontextmanager
async def _over_http(
    slack: LoopbackSlack, _api: SlackApi, dispatcher: Dispatcher, _presence: Presence, store: Store
) -> AsyncIterator[None]:
    async with served(RequestUrl(SECRET, dispatcher, store).routes()) as address:
        slack.connect_http(f"{address}{PATH}", SECRET)
        yield


@asynccontextmanager
async def _over_a_socket(
    slack: LoopbackSlack, api: SlackApi, dispatcher: Dispatcher, presence: Presence, _store: Store
) -> AsyncIterator[None]:
    slack.use_socket_mode()
    async with SocketMode(slack.app_token, api.web, dispatcher, presence).connected():
        await slack.wait_for(lambda: slack.sockets.open)
        yield

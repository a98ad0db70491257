"""The loopback Teams itself: one server, its switches, and what tests look at."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web

from tests.loopback.server import MAX_BODY_BYTES, LoopbackServer
from tests.loopback.slack.calls import Changes
from tests.loopback.slack.faults import Delay, Fault
from tests.loopback.slack.wire import Body, Json
from tests.loopback.teams.connector import BOT_TOKEN, REGION, Call, Connector
from tests.loopback.teams.keys import ISSUER, Keys
from tests.loopback.teams.people import Person, Receipt
from tests.loopback.teams.state import Conversation, Message, Tenant, User, shown
from tests.waiting import WITHIN

T = TypeVar("T")

APP_ID = "11111111-2222-4333-8444-555555555555"
APP_PASSWORD = "an-app-password"
TENANT = "99999999-8888-4777-a666-555555555555"
ANSWER_TIMEOUT_S = 15.0
"""Teams waits about so long for the answer to an activity."""


class LoopbackTeams(LoopbackServer):
    """`async with LoopbackTeams() as teams:` - see the package's docstring for what it can do."""

    def __init__(self, *, app_id: str = APP_ID, tenant: str = TENANT) -> None:
        super().__init__()
        self.app_id = app_id
        self.app_password = APP_PASSWORD
        self.outbound_token = BOT_TOKEN
        self.token_issuer = ISSUER
        self.keys = Keys(app_id)
        bot: Body = {"id": f"28:{app_id}", "name": "Crewdeck"}
        self.tenant = Tenant(tenant, bot)
        self._changes = Changes()
        self.connector = Connector(self.tenant, self.keys, APP_PASSWORD, self._changes)
        self._session: aiohttp.ClientSession | None = None
        self._bot_url = ""
        #: What was delivered to the bot, with its answers.
        self.receipts: list[Receipt] = []

    # ── being there ─────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self.come_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_down()
        if self._session is not None:
            await self._session.close()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.add_routes(self.connector.routes())
        return application

    @property
    def service_url(self) -> str:
        return f"{self.url}{REGION}/"

    @property
    def openid_metadata_url(self) -> str:
        """For TEAMS_OPENID_METADATA_URL."""
        return f"{self.url}/v1/.well-known/openidconfiguration"

    @property
    def login_url(self) -> str:
        """In place of https://login.microsoftonline.com."""
        return f"{self.url}/login"

    @property
    def graph_url(self) -> str:
        """In place of https://graph.microsoft.com/v1.0. It tells something if `connector.consent`."""
        return f"{self.url}/graph/v1.0"

    def upload_url(self, name: str) -> str:
        """Where an accepted file goes; its content is then in `uploads`."""
        return f"{self.url}/files/{name}"

    @property
    def uploads(self) -> dict[str, bytes]:
        return self.connector.uploads

    # ── who and what is there ───────────────────────────────────────────────────────────────────────────

    def person(self, name: str, *, guest: bool = False, tenant: str = "", object_id: str = "") -> Person:
        """A user in every channel. `tenant` makes them somebody of another organisation."""
        user = User(
            f"29:{uuid.uuid4().hex}",
            object_id or str(uuid.uuid4()),
            name,
            tenant or self.tenant.id,
            "guest" if guest else "user",
        )
        self.tenant.users[user.id] = user
        for each in self.tenant.conversations.values():
            if each.kind == "channel":
                each.members[user.id] = user
        return Person(user, self.tenant, self.service_url, self.deliver)

    def channel(self, name: str = "general") -> Conversation:
        """A channel with everybody in it, made when it is needed."""
        channel_id = f"19:{name}@thread.tacv2"
        if channel_id not in self.tenant.conversations:
            members = dict(self.tenant.users)
            self.tenant.add(Conversation(channel_id, "channel", self.tenant.id, members))
        return self.tenant.conversations[channel_id]

    def group_chat(self, *members: Person) -> Conversation:
        """A new group chat of these people with the bot."""
        users = {each.user.id: each.user for each in members}
        chat = Conversation(f"19:{uuid.uuid4().hex}@thread.v2", "groupChat", self.tenant.id, users)
        return self.tenant.add(chat)

    # ── how the bot is reached ──────────────────────────────────────────────────────────────────────────

    def connect(self, url: str) -> None:
        """From now on activities are posted to this address."""
        self._bot_url = url

    def token(self, **claims: Any) -> str:
        """A token for an activity; `claims` override what it says, None leaves a claim out."""
        said = self.keys.claims(self.service_url) | claims
        return self.keys.token({name: value for name, value in said.items() if value is not None})

    async def deliver(self, activity: Body) -> Receipt:
        """Post a signed activity to the bot, as Teams does."""
        receipt = await self.send_raw(
            json.dumps(activity).encode(), {"Authorization": f"Bearer {self.token()}"}, activity
        )
        self.receipts.append(receipt)
        self._changes.notify()
        return receipt

    async def redeliver(self, receipt: Receipt, **changes: Any) -> Receipt:
        """Post it again; `changes` override what it says, such as its id."""
        return await self.deliver(receipt.activity | changes)

    async def send_raw(self, body: bytes, headers: dict[str, str], activity: Body | None = None) -> Receipt:
        """Post exactly this to the bot."""
        if self._session is None or not self._bot_url:
            raise RuntimeError("enter the loopback Teams and call connect() first")
        began = time.monotonic()
        shown_headers = {"Content-Type": "application/json; charset=utf-8", **headers}
        try:
            async with (
                asyncio.timeout(ANSWER_TIMEOUT_S),
                self._session.post(self._bot_url, data=body, headers=shown_headers) as answer,
            ):
                text = await answer.text()
                status: int | None = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            text, status = str(error), None
        return Receipt(status, _parsed(text), time.monotonic() - began, activity or {})

    # ── bad days ────────────────────────────────────────────────────────────────────────────────────────

    def fail(
        self,
        operation: str,
        status: int = 500,
        *,
        error: str = "",
        times: int | None = 1,
        applied: bool = False,
    ) -> None:
        """The next calls fail so; `applied`: they take effect all the same. times None: until `heal`.

        Operations: create_conversation, post, reply, update, delete, member, members, issue_token, metadata,
        published_keys, team, history; `*` is all of them.
        """
        self.connector.faults.add(operation, Fault(times, status, error or None, applied=applied))

    def rate_limit(
        self, operation: str, *, retry_after: float = 1, times: int | None = 1, status: int = 429
    ) -> None:
        """The next calls are refused; status 412 is what Teams answers as well."""
        headers = {"Retry-After": f"{retry_after:g}"}
        self.connector.faults.add(operation, Fault(times, status, "TooManyRequests", headers=headers))

    def lose_answer(self, operation: str, *, times: int | None = 1) -> None:
        """The next calls take effect, but the connection breaks before they are answered."""
        self.connector.faults.add(operation, Fault(times, applied=True, dropped=True))

    def delay(self, operation: str, seconds: float, *, times: int | None = None) -> None:
        """Calls take so much longer before they take effect."""
        self.connector.faults.add_delay(operation, Delay(times, seconds))

    def heal(self, operation: str | None = None) -> None:
        """End scripted faults and delays."""
        self.connector.faults.heal(operation)

    def close(self, where: Conversation, code: str = "BotNotInConversationRoster") -> None:
        """The bot may do nothing in this conversation any more."""
        where.closed = code

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def calls(self) -> list[Call]:
        """Every request of the bot, in order of arrival."""
        return self.connector.calls

    def called(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]

    def messages(self, where: Conversation, *, thread: str = "") -> list[Message]:
        """Everything in a conversation (in one reply chain, its first message included), oldest first."""
        found = [shown(where, body) for body in where.messages.values()]
        return [each for each in found if thread in ("", each.id, each.thread)]

    def message(self, where: Conversation, message_id: str) -> Message:
        """The message as it is now; raises LookupError."""
        return shown(where, where.messages[message_id])

    async def wait_for(self, predicate: Callable[[], T], within: float = WITHIN) -> T:
        """The predicate's first truthy value; it is asked again when something happens.

        A LookupError or StopIteration in it means "not yet".
        """
        try:
            return await self._changes.until(predicate, within)
        except TimeoutError:
            last = "\n".join(
                f"  {c.operation} {c.body} -> {c.status} {c.response}"[:600] for c in self.calls[-8:]
            )
            raise AssertionError(f"not within {within} s; the last calls:\n{last}") from None


def _parsed(text: str) -> Json:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text

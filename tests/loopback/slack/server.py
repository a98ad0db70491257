"""The loopback Slack itself: one server, its switches, and what tests look at."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Middleware

from tests.loopback.server import MAX_BODY_BYTES, LoopbackServer
from tests.loopback.slack import faults, payloads, shown
from tests.loopback.slack.calls import Call, Changes, told
from tests.loopback.slack.delivery import SUBSCRIPTIONS, Delivery, Post
from tests.loopback.slack.faults import Budget
from tests.loopback.slack.methods.chat import message_event
from tests.loopback.slack.people import GENERAL, Person
from tests.loopback.slack.response_urls import ResponseUrls
from tests.loopback.slack.shown import Message, View
from tests.loopback.slack.socket_mode import Sockets
from tests.loopback.slack.state import Channel, Clock, Kind, User, UserGroup, Workspace
from tests.loopback.slack.transport import Http, Parcel, Receipt
from tests.loopback.slack.transport import Kind as ParcelKind
from tests.loopback.slack.web_api import WebApi
from tests.loopback.slack.wire import Body
from tests.waiting import WITHIN

T = TypeVar("T")

#: The bot scopes of the manifest.
SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "im:history",
        "im:write",
        "mpim:history",
        "reactions:write",
        "usergroups:read",
        "users:read",
    }
)
BOT_TOKEN = "xoxb-loopback"
APP_TOKEN = "xapp-loopback"


class LoopbackSlack(LoopbackServer):
    """`async with LoopbackSlack() as slack:` - see the package's docstring for what it can do."""

    def __init__(
        self,
        *,
        team_id: str = "T0CREW",
        bot_token: str = BOT_TOKEN,
        app_token: str = APP_TOKEN,
        scopes: Collection[str] = SCOPES,
        subscriptions: Collection[str] = SUBSCRIPTIONS,
        enforce_budget: bool = False,
        ack_seconds: float = 3.0,
        trigger_seconds: float = WITHIN,
        clock: Clock = time.time,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        """`trigger_seconds`: more than Slack's, as a busy machine may delay what a test waits for."""
        super().__init__()
        self._middlewares = middlewares
        self.bot_token = bot_token
        self.app_token = app_token
        self.ack_seconds = ack_seconds
        self._trigger_seconds = trigger_seconds
        self._clock = clock
        self._changes = Changes()
        self._post = Post(frozenset(subscriptions), self._changes)
        self.sockets = Sockets(self._changes, ack_seconds)
        self._response_urls = ResponseUrls(self._changes)
        self._api = WebApi(app_token, self._changes, self._post.tell_later, self.sockets.new_url)
        self._api.budgets = dict(faults.SLACK_BUDGETS) if enforce_budget else {}
        self.workspace = self.add_workspace(team_id, bot_token, scopes)
        self._http: Http | None = None
        self._session: aiohttp.ClientSession | None = None

    # --- Being there

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self.come_up()
        self.use_socket_mode()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._post.close()
        await self.go_down()
        if self._session is not None:
            await self._session.close()

    @property
    def api_url(self) -> str:
        """What goes into SLACK_API_URL and `AsyncWebClient(base_url=...)`."""
        return f"{self.url}/api/"

    async def come_up(self) -> None:
        await super().come_up()
        self._response_urls.base_url = self.url
        self.sockets.base_url = f"ws://127.0.0.1:{self._port}"

    async def go_down(self) -> None:
        await self.sockets.drop()
        await super().go_down()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=self._middlewares)
        application.router.add_route("*", "/api/{method}", self._api.handle)
        application.router.add_post("/upload/v1/{file}", self._receive_file)
        application.router.add_get("/files-pri/{file}/{name}", self._send_file)
        application.router.add_post("/response/{key}", self._response_urls.handle)
        application.router.add_get("/link/", self.sockets.handle)
        return application

    async def _receive_file(self, request: web.Request) -> web.Response:
        for workspace in self._api.workspaces.values():
            upload = workspace.uploads.get(request.match_info["file"])
            if upload is not None:
                upload.content = await request.read()
                self._changes.notify()
                return web.Response(text=f"OK - {len(upload.content)}")
        return web.Response(status=404, text="not found")

    async def _send_file(self, request: web.Request) -> web.Response:
        """A file's content, for a token that may read it; otherwise Slack's sign-in page."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        workspace = self._api.workspaces.get(token)
        if workspace is None or "files:read" not in workspace.scopes:
            return web.Response(text="<title>Sign in</title>", content_type="text/html")
        upload = workspace.uploads.get(request.match_info["file"])
        if upload is None:
            return web.Response(status=404)
        return web.Response(body=upload.content, content_type="application/octet-stream")

    # --- Who and what is there

    def add_workspace(self, team_id: str, bot_token: str, scopes: Collection[str] = SCOPES) -> Workspace:
        """Another team that the app is installed in, with #general."""
        workspace = Workspace(team_id, bot_token, set(scopes), self._trigger_seconds, self._clock)
        workspace.add_channel(Channel(GENERAL, "general", members={workspace.bot_user}))
        self._api.workspaces[bot_token] = workspace
        return workspace

    def person(
        self,
        user_id: str,
        name: str = "",
        *,
        guest: bool = False,
        single_channel_guest: bool = False,
        team: str | None = None,
        bot: bool = False,
        workspace: Workspace | None = None,
    ) -> Person:
        """A user, in every public channel there is. `team` makes them somebody of another workspace.

        Slack calls nobody a stranger who shares a channel with the app.
        """
        home = workspace or self.workspace
        stranger = team not in (None, home.team_id)
        user = User(
            user_id,
            name or user_id.removeprefix("U0").title(),
            team or home.team_id,
            is_bot=bot,
            is_restricted=guest or single_channel_guest,
            is_ultra_restricted=single_channel_guest,
        )
        home.users[user_id] = user
        for channel in home.channels.values():
            if channel.kind == "channel":
                channel.members.add(user_id)
                channel.shared = channel.shared or stranger
        return Person(user, home, self._post, self._response_urls)

    def user_group(self, group_id: str, handle: str, members: Collection[Person] = ()) -> UserGroup:
        """A user group of the workspace; tests change its `users` as administrators do."""
        group = UserGroup(group_id, handle, [each.id for each in members])
        self.workspace.user_groups[group_id] = group
        return group

    def add_channel(
        self,
        channel_id: str,
        name: str = "",
        *,
        kind: Kind = "channel",
        members: Collection[Person] = (),
        app: bool = True,
        shared: bool = False,
    ) -> Channel:
        """A channel with these members, and the app unless `app=False`; kind "group" is a private one."""
        ids = {member.id for member in members} | ({self.workspace.bot_user} if app else set())
        shown_name = name or channel_id.removeprefix("C0").lower()
        return self.workspace.add_channel(Channel(channel_id, shown_name, kind, ids, shared=shared))

    async def change(self, person: Person, *, heard: bool = True, **changes: Any) -> Delivery | None:
        """An administrator changes a user (`is_restricted`, `deleted`); the app is told if `heard`."""
        user = replace(person.user, **changes)
        person.user = self.workspace.users[user.id] = user
        event = {"type": "user_change", "user": user.to_api(), "event_ts": self.workspace.next_ts()}
        return await self._post.tell(self.workspace, event) if heard else None

    async def archive(self, channel: str, by: str = "U0ADMIN") -> Delivery:
        """Archives a channel; the app hears `channel_archive` if it is subscribed."""
        where = self.workspace.channel(channel)
        where.archived = True
        event = {
            "type": "channel_archive",
            "channel": channel,
            "user": by,
            "event_ts": self.workspace.next_ts(),
        }
        return await self._post.tell(self.workspace, event, where)

    def remove_app(self, channel: str) -> None:
        """The app is no longer a member."""
        self.workspace.channel(channel).members.discard(self.workspace.bot_user)

    def invite_app(self, channel: str) -> None:
        self.workspace.channel(channel).members.add(self.workspace.bot_user)

    @contextmanager
    def unheard(self, event: str) -> Iterator[None]:
        """The app hears nothing of it (`message.channels`, as the manifest names it) while the block runs."""
        self._post.subscriptions.discard(event)
        try:
            yield
        finally:
            self._post.subscriptions.add(event)

    async def tell_of(self, message: Message) -> Delivery:
        """The `message` event of a message that is there; for the first time, or once more."""
        channel = self.workspace.channel(message.channel)
        event = message_event(channel.messages[message.ts], channel)
        return await self._post.tell(self.workspace, event, channel)

    async def revoke_tokens(self) -> Delivery:
        """The bot token stops working, and the app is told."""
        self.workspace.revoked = True
        event = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self.workspace.bot_user]}}
        return await self._post.tell(self.workspace, event)

    async def uninstall(self) -> Delivery:
        self.workspace.revoked = True
        return await self._post.tell(self.workspace, {"type": "app_uninstalled"})

    # --- How the app is reached

    def connect_http(self, url: str, signing_secret: str) -> None:
        """From now on everything goes, signed, to this request URL."""
        if self._session is None:
            raise RuntimeError("enter the loopback Slack first: async with LoopbackSlack() as slack")
        self._http = Http(self._session, url, signing_secret, self.ack_seconds)
        self._post.transport = self._http

    def use_socket_mode(self) -> None:
        """From now on everything goes to the connected sockets (this is how it starts)."""
        self._post.transport = self.sockets

    def sign(self, body: bytes, at: float | None = None) -> dict[str, str]:
        """Headers that prove the body is from Slack, as of `at` (seconds; now)."""
        return self._request_url().signed(body, at)

    async def send_raw(self, body: bytes, headers: dict[str, str]) -> Receipt:
        """Posts to the request URL exactly this: for signatures and bodies that are wrong."""
        return await self._request_url().post(body, headers)

    async def act(self, payload: Body, by: Person) -> Delivery:
        """An interaction with exactly this payload, and what `by` is shown because of it."""
        return await self._post.send(self.workspace, "interactive", payload, by.id)

    async def deliver(self, kind: ParcelKind, payload: Body) -> Delivery:
        """A request with exactly this payload."""
        return await self._post.send(self.workspace, kind, payload)

    async def url_verification(
        self, challenge: str = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    ) -> Receipt:
        """What Slack sends when a request URL is entered; the app answers the challenge."""
        body = {"token": payloads.VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"}
        return await self._request_url().send(Parcel("events_api", body, str(uuid.uuid4())))

    def _request_url(self) -> Http:
        if self._http is None:
            raise RuntimeError("there is no request URL: call connect_http() first")
        return self._http

    # --- Bad days

    def fail(
        self, method: str, *, times: int | None = 1, status: int | None = None, error: str | None = None
    ) -> None:
        """The next calls fail with a Slack error or an HTTP status (500); times None: until `heal`."""
        plain = 200 if error else 500
        self._api.faults.add(method, faults.Fault(times, status or plain, error))

    def rate_limit(self, method: str, *, retry_after: int = 1, times: int | None = 1) -> None:
        headers = {"Retry-After": str(retry_after)}
        self._api.faults.add(method, faults.Fault(times, 429, "ratelimited", headers=headers))

    def lose_answer(self, method: str, *, times: int | None = 1) -> None:
        """The next calls take effect, but the connection breaks before they are answered."""
        self._api.faults.add(method, faults.Fault(times, applied=True, dropped=True))

    def delay(self, method: str, seconds: float, *, times: int | None = None) -> None:
        """Calls take this much longer, before they take effect."""
        self._api.faults.add_delay(method, faults.Delay(times, seconds))

    def heal(self, method: str | None = None) -> None:
        """Ends scripted faults and delays, of one method or all."""
        self._api.faults.heal(method)

    def enforce(self, budgets: dict[str, Budget]) -> None:
        """Rate limits to keep from now on ({}: none); `faults.SLACK_BUDGETS` is about what Slack has."""
        self._api.budgets = dict(budgets)

    # --- Looking

    @property
    def faults(self) -> faults.Faults:
        return self._api.faults

    @property
    def calls(self) -> list[Call]:
        """Every Web API request, in order of arrival."""
        return self._api.calls

    def called(self, method: str, **arguments: Any) -> list[Call]:
        """The calls of a method that had these arguments."""
        return [
            call
            for call in self.calls
            if call.method == method and all(call.arguments.get(k) == v for k, v in arguments.items())
        ]

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything Slack told the app, in order of its acknowledgement."""
        return self._post.deliveries

    async def wait_for(self, predicate: Callable[[], T], within: float = WITHIN) -> T:
        """The predicate's first truthy value; it is asked again when something happens, not in a loop.

        A LookupError or StopIteration in it means "not yet". Fails with the last Web API calls.
        """
        try:
            return await self._changes.until(predicate, within)
        except TimeoutError:
            raise AssertionError(f"not within {within} s; the last calls:\n{told(self.calls)}") from None

    def messages(self, channel: str = GENERAL) -> list[Message]:
        """Everything in a channel, threads included, oldest first."""
        return [shown.message(channel, body) for body in self.workspace.channel(channel).messages.values()]

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The parent and its replies; empty if there is no such thread."""
        return [shown.message(channel, body) for body in self.workspace.channel(channel).thread(ts)]

    def message(self, channel: str, ts: str) -> Message:
        """The message as it is now; raises LookupError."""
        return shown.message(channel, self.workspace.channels[channel].messages[ts])

    def ephemerals(self, user: str) -> list[Message]:
        """Everything that only this person was shown, oldest first."""
        said = [body for whose, body in self.workspace.ephemerals if whose == user]
        return [shown.message(body["channel"], body, ephemeral=True) for body in said]

    def view(self, user: str | None = None) -> View:
        """The modal on top (of this person's screen); raises LookupError where none is open."""
        open_views = [view for view in self.workspace.views if user in (None, view.user)]
        return shown.view(open_views[-1].user, open_views[-1].body)

    def home(self, user: str) -> View:
        """The published App Home of a person; raises LookupError where there is none."""
        return shown.view(user, self.workspace.homes[user])

    def files(self) -> dict[str, bytes]:
        """Uploaded files by name."""
        return {upload.name: upload.content for upload in self.workspace.uploads.values() if upload.channel}

    def response_posts(self, delivery: Delivery) -> list[Body]:
        """What the app posted to the response_url of a command or press."""
        return self._response_urls.find(delivery.payload["response_url"]).posts

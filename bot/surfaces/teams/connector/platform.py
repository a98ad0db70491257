"""Microsoft Teams as a ChatPlatform, over the Bot Connector."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog

from bot.core.ports.store import Files, KeyValueStore
from bot.metrics import Metrics
from bot.surfaces.chat.failures import OutcomeUnknown, Rejected, RetryLater, Unrenderable
from bot.surfaces.chat.flow_control import MAX_PROGRESS_WAIT_S, AckPriority, Rate, RateLimiter
from bot.surfaces.chat.formatted_text import ChannelName, FormattedText, Mention
from bot.surfaces.chat.messages import Actions, Block, Message, Notice, Paragraph, SmallPrint, size
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import Capabilities, Priority, SharedFile
from bot.surfaces.chat.rendering import offload
from bot.surfaces.teams import SURFACE, TITLE
from bot.surfaces.teams.connector.client import (
    CALL_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    ConnectorClient,
    RateLimited,
    address,
)
from bot.surfaces.teams.connector.directory import Directory
from bot.surfaces.teams.connector.files import FileConsents, in_console
from bot.surfaces.teams.connector.graph import GraphMessages, marked
from bot.surfaces.teams.conversations import CHAT, ServiceUrls, full_id, is_channel, is_personal
from bot.surfaces.teams.credentials import (
    TeamsApp,
    Tokens,
)
from bot.surfaces.teams.renderer import LIMITS, MESSAGE_CHARACTERS, Reader, render_message

log = structlog.get_logger(__name__)

Json = dict[str, Any]

EDIT_INTERVAL_S = 3.0
RATES = {
    # Of one app in a tenant, 50 a second.
    "all": Rate(per_second=40, burst=10, reserved=5),
    # Of a conversation, 7 in 1 s, 8 in 2 s and 60 in 30 s.
    "conversation": Rate(per_second=1.5, burst=5, by_channel=True),
    # Of a conversation, 1,800 in an hour.
    "conversation_hourly": Rate(per_second=0.47, burst=100, reserved=50, by_channel=True),
}
"""Each call keeps all of these. Edits count as messages do."""


class TeamsPlatform:
    """A ChatPlatform, and what only Teams has. Calls raise StoreUnavailable, too."""

    capabilities = Capabilities(SURFACE, TITLE, EDIT_INTERVAL_S, LIMITS, "Add the app {app} there")

    def __init__(
        self,
        app: TeamsApp,
        http: aiohttp.ClientSession,
        key_values: KeyValueStore,
        files: Files,
        metrics: Metrics,
        ack_priority: AckPriority,
    ) -> None:
        self._app = app
        self.tokens = Tokens(app.issuer(http))
        self.client = ConnectorClient(http, self.tokens, metrics, local_peer=app.local_peer)
        self.service_urls = ServiceUrls(key_values)
        self.directory = Directory(self.client, key_values, self.service_urls, SURFACE, app.tenant_id)
        self.files = FileConsents(http, key_values, files, local_peer=app.local_peer)
        graph_url = "" if app.outbound_token else app.graph_url
        self.history = GraphMessages(self.client, self.service_urls, app.app_id, graph_url)
        self._limiter = RateLimiter(RATES, ack_priority=ack_priority)
        self._direct: dict[str, Conversation] = {}

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def post(
        self, to: Conversation, message: Message, *, priority: Priority = Priority.NEWS
    ) -> MessageRef:
        """Post a message; where it is now. In a channel without a thread it begins a reply chain."""
        return await self.send(to, await self.rendered(message, to.channel), priority)

    async def send(self, to: Conversation, activity: Json, priority: Priority = Priority.NEWS) -> MessageRef:
        """Post an activity. One that may have arrived is looked for before the caller tries again."""
        url = address(await self._service_url(to.channel), "conversations", full_id(to), "activities")
        made, mark = marked(activity)
        try:
            answer = await self._call("post", "POST", url, made, to.channel, priority)
        except OutcomeUnknown:
            found = await self.history.find(to, mark)
            if found is None:
                raise
            return MessageRef(to.channel, found)
        # It arrived, by what the answer says; which message it is may be missing in it.
        if not (message_id := str(answer.get("id") or "") or await self.history.find(to, mark)):
            raise Rejected("no_message_id")
        return MessageRef(to.channel, message_id)

    async def update(
        self, at: MessageRef, message: Message, *, priority: Priority = Priority.DECISION
    ) -> None:
        """Replace one of our messages; what it held before is gone, buttons included."""
        activity = await self.rendered(message, at.channel) | {"id": at.message_id}
        service_url = await self._service_url(at.channel)
        url = address(service_url, "conversations", at.channel, "activities", at.message_id)
        await self._call("update", "PUT", url, activity, at.channel, priority)

    async def open_direct(self, user_id: str) -> Conversation:
        """The personal chat with a person, by their object id: one thread, whatever is posted there."""
        if user_id not in self._direct:
            tenant = self._app.tenant_id
            body = {
                "bot": {"id": f"28:{self._app.app_id}"},
                "members": [{"id": user_id}],
                "isGroup": False,
                "tenantId": tenant,
                "channelData": {"tenant": {"id": tenant}},
            }
            service_url = await self._service_url("")
            url = address(service_url, "conversations")
            answer = await self._call("create_conversation", "POST", url, body, user_id, Priority.DECISION)
            chat = str(answer.get("id") or "")
            if not chat:
                raise Rejected("no_conversation_id")
            await self.service_urls.record(chat, str(answer.get("serviceUrl") or service_url))
            self._direct[user_id] = Conversation(chat, CHAT)
        return self._direct[user_id]

    async def upload(self, to: Conversation, file: SharedFile, *, run_id: str) -> None:
        """Offer a file in a personal chat; elsewhere lead to the run's page of the console."""
        if is_personal(to.channel):
            await self.send(to, await self.files.offer(file, run_id))
        else:
            await self.post(to, in_console(file, self._app.console, run_id))

    async def link_to(self, at: MessageRef) -> str:
        """The address of a message; of one in a personal chat, the chat's."""
        if is_personal(at.channel):
            return f"https://teams.microsoft.com/l/chat/0/0?users=28:{self._app.app_id}"
        there = f"{quote(at.channel, safe='')}/{quote(at.message_id, safe='')}?tenantId={self._app.tenant_id}"
        chat = "" if is_channel(at.channel) else "&context=%7B%22contextType%22%3A%22chat%22%7D"
        return f"https://teams.microsoft.com/l/message/{there}{chat}"

    async def app_name(self) -> str:
        """What the app is called in its manifest."""
        return "Crewdeck"

    async def rendered(self, message: Message, channel: str, alone: str = "") -> Json:
        """The activity of a message in a conversation; `alone`: the one principal who sees it.

        Raises Unrenderable: what fails now would fail each time, and is shown in another way.
        """
        reader = await self.reader(message, channel, alone)
        try:
            activity = await offload(lambda: render_message(message, reader), size(message.blocks))
        except Exception as error:
            log.exception("a message can't be rendered")
            raise Unrenderable("not_rendered") from error
        if len(json.dumps(activity, ensure_ascii=False)) > MESSAGE_CHARACTERS:
            raise Unrenderable("too_long")
        return activity

    async def reader(self, message: Message, channel: str, alone: str = "") -> Reader:
        """Who reads a message, and who of them can be mentioned. Raises RetryLater, CredentialsRefused."""
        members = await self.directory.members(channel, set(_principals(message)))
        members = {**members, **await self.directory.channels(_channels(message))}
        return Reader(members, alone, personal=is_personal(channel))

    def thread_of(self, posted: MessageRef) -> Conversation:
        """Where replies to this message are read."""
        return posted.thread if is_channel(posted.channel) else Conversation(posted.channel, CHAT)

    # ── rate limits ─────────────────────────────────────────────────────────────────────────────────────

    def share_rate_limits(self, processes: int) -> None:
        """Set how many processes, this one included, share what Teams grants the app."""
        self._limiter.share = 1 / max(1, processes)

    def seconds_until_post(self, channel: str) -> float:
        """For how long a message to this conversation would have to wait, as far as is known."""
        return max(self._limiter.seconds_until_allowed(rate, channel, Priority.DECISION) for rate in RATES)

    async def wait_for_progress_capacity(self) -> None:
        """Return when a progress edit could be made at once."""
        await self._limiter.wait_for_capacity("all", Priority.PROGRESS)

    async def yield_to_acks(self) -> None:
        """Return when nobody waits for an acknowledgement."""
        await self._limiter.ack_priority.yield_to_acks()

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────

    async def _service_url(self, channel: str) -> str:
        url = await self.service_urls.of(channel)
        if url is None:
            raise Rejected("no_service_url")
        return url

    async def _call(
        self, operation: str, verb: str, url: str, body: Json, channel: str, priority: Priority
    ) -> Json:
        """One call within the rate limits."""
        if priority is Priority.PROGRESS:
            waits = max(self._limiter.seconds_until_allowed(rate, channel, priority) for rate in RATES)
            if waits > MAX_PROGRESS_WAIT_S:
                raise RetryLater(waits, "no room for progress")
        await self._limiter.acquire(RATES, channel, priority)
        try:
            return await self.client.call(operation, verb, url, body)
        except RateLimited as limited:
            self._limiter.pause("conversation", channel, limited.seconds)
            raise


def _principals(message: Message) -> Iterator[str]:
    """Whom a message mentions, and for whom its rows are."""
    yield from _mentions(message.summary)
    for block in message.blocks:
        if isinstance(block, Actions) and block.audience is not None:
            yield from block.audience.principals
        for line in _lines(block):
            yield from _mentions(line)


def _channels(message: Message) -> Iterator[str]:
    """The channels that a message names."""
    for line in (message.summary, *(line for block in message.blocks for line in _lines(block))):
        yield from (part.id for part in line if isinstance(part, ChannelName))


def _mentions(text: FormattedText) -> Iterator[str]:
    return (part.principal for part in text if isinstance(part, Mention))


def _lines(block: Block) -> Iterable[FormattedText]:
    match block:
        case Paragraph() | Notice():
            return (block.text,)
        case SmallPrint():
            return (*block.lines, block.literal)
        case _:
            return ()


@asynccontextmanager
async def open_platform(
    app: TeamsApp, key_values: KeyValueStore, files: Files, metrics: Metrics, ack_priority: AckPriority
) -> AsyncIterator[TeamsPlatform]:
    """Teams for one app. Connections are kept open, and closed when the block ends."""
    timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=not app.local_peer) as http:
        yield TeamsPlatform(app, http, key_values, files, metrics, ack_priority)

"""Slack's Web API as this surface uses it: typed verbs, failures translated, budgets kept, calls counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.slack.cards.runcard import Message
from bot.surfaces.slack.webapi.failures import Later, Rejected, SlackFailure, Unrenderable, translated
from bot.surfaces.slack.webapi.rate_limiter import Gate, between_edits, rates
from bot.surfaces.slack.webapi.token_bucket import Priority

TIMEOUT = 15
"""Seconds that one call may take."""
PAGE = 200
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Call = Callable[..., Awaitable[AsyncSlackResponse]]


class SlackApi:
    """The verbs. All raise Later (try again), Rejected (don't), Unrenderable (say it more simply)."""

    def __init__(self, web: AsyncWebClient, metrics: Metrics, gate: Gate, between_edits: float) -> None:
        #: For Socket Mode, which brings its own calls.
        self.web = web
        self._metrics = metrics
        self._gate = gate
        #: Seconds from one edit of a run's progress to the next, at least.
        self.between_edits = between_edits
        self._direct: dict[str, str] = {}
        self._identity: Mapping[str, Any] | None = None

    @property
    def proxy(self) -> str | None:
        """The HTTP proxy that leads to Slack."""
        return self.web.proxy

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def post(
        self,
        channel: str,
        message: Message,
        *,
        thread_ts: str | None = None,
        priority: Priority = Priority.NEWS,
    ) -> Posted:
        """Post a message; where it is now."""
        answer = await self._call(
            "chat.postMessage",
            self.web.chat_postMessage,
            channel=channel,
            priority=priority,
            thread_ts=thread_ts,
            unfurl_links=False,
            unfurl_media=False,
            **_content(message),
        )
        return Posted(str(answer["channel"]), str(answer["ts"]))

    async def update(self, at: Posted, message: Message, *, priority: Priority = Priority.DECISION) -> None:
        """Rewrite one of our messages; what it held before is gone, buttons included."""
        await self._call(
            "chat.update",
            self.web.chat_update,
            channel=at.channel,
            priority=priority,
            ts=at.ts,
            **_content(message),
        )

    def share_with(self, processes: int) -> None:
        """So many processes, this one included, spend what Slack grants the workspace."""
        self._gate.share = 1 / max(1, processes)

    async def yield_to_acks(self) -> None:
        """Return when nobody waits for an acknowledgement: what is shown comes second."""
        await self._gate.ack_priority.yield_to_acks()

    def seconds_until_post(self, channel: str) -> float:
        """For how long a message to this channel would have to wait, as far as is known."""
        return self._gate.seconds("chat.postMessage", channel, Priority.DECISION)

    def count_untold(self) -> None:
        """Nobody who may answer a question could be told of it."""
        self._metrics.untold.inc()

    async def room_for_progress(self) -> None:
        """Return when an edit that nobody waits for could be made at once."""
        await self._gate.room("chat.update", Priority.PROGRESS)

    async def ephemeral(
        self, channel: str, user: str, message: Message, *, thread_ts: str | None = None
    ) -> None:
        """Show something to one person in a channel, until they reload."""
        await self._call(
            "chat.postEphemeral",
            self.web.chat_postEphemeral,
            channel=channel,
            user=user,
            thread_ts=thread_ts,
            **_content(message),
        )

    async def dm(
        self, user: str, message: Message, *, thread_ts: str | None = None, priority: Priority = Priority.NEWS
    ) -> Posted:
        """Write to a person directly."""
        channel = await self.direct(user)
        return await self.post(channel, message, thread_ts=thread_ts, priority=priority)

    async def direct(self, user: str) -> str:
        """The channel of the direct messages with a person."""
        if user not in self._direct:
            answer = await self._call("conversations.open", self.web.conversations_open, users=user)
            self._direct[user] = str(answer["channel"]["id"])
        return self._direct[user]

    async def upload(
        self,
        channel: str,
        name: str,
        content: str,
        *,
        title: str,
        thread_ts: str | None = None,
        comment: str = "",
    ) -> None:
        """Share a text file. `comment` is mrkdwn. Slack shows the file a moment later."""
        await self._call(
            "files.upload",
            self.web.files_upload_v2,
            channel=channel,
            filename=name,
            title=title,
            content=content,
            thread_ts=thread_ts,
            initial_comment=comment or None,
        )

    async def permalink(self, at: Posted) -> str:
        """The address of a message."""
        answer = await self._call(
            "chat.getPermalink", self.web.chat_getPermalink, channel=at.channel, message_ts=at.ts
        )
        return str(answer["permalink"])

    async def replies(self, channel: str, thread_ts: str, oldest: str) -> list[Mapping[str, Any]]:
        """The messages of a thread that are later than `oldest`, and perhaps the parent."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        while cursor != "":
            answer = await self._call(
                "conversations.replies",
                self.web.conversations_replies,
                channel=channel,
                ts=thread_ts,
                oldest=oldest,
                limit=PAGE,
                cursor=cursor,
            )
            found.extend(answer["messages"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        return found

    # ── views ───────────────────────────────────────────────────────────────────────────────────────────

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        """Open a modal; a trigger is good for three seconds, once."""
        await self._call("views.open", self.web.views_open, trigger_id=trigger_id, view=view)

    async def update_view(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Put something else into a modal that is open."""
        await self._call("views.update", self.web.views_update, view_id=view_id, view=view)

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        """Show a person's Home tab."""
        await self._call(
            "views.publish", self.web.views_publish, user_id=user, view=view, priority=Priority.PROGRESS
        )

    # ── who ─────────────────────────────────────────────────────────────────────────────────────────────

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """users.info's `user`."""
        answer = await self._call("users.info", self.web.users_info, user=user_id)
        user: Mapping[str, Any] = answer["user"]
        return user

    async def auth_test(self) -> Mapping[str, Any]:
        """Who we are, asked anew."""
        answer = await self._call("auth.test", self.web.auth_test)
        self._identity = answer.data if isinstance(answer.data, dict) else {}
        return self._identity

    async def name(self) -> str:
        """What the app is called in its workspace, as in `/invite @name`."""
        identity = self._identity or await self.auth_test()
        return str(identity.get("user") or "crewdeck")

    # ── how ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _call(
        self, method: str, call: Call, *, priority: Priority = Priority.DECISION, **arguments: Any
    ) -> AsyncSlackResponse:
        channel = str(arguments.get("channel") or "")
        await self._gate.enter(method, channel, priority)
        try:
            answer = await call(**{name: value for name, value in arguments.items() if value is not None})
        except Exception as error:
            raise self._failed(method, channel, error) from error
        self._metrics.web_api_calls.labels(method, "ok").inc()
        return answer

    def _failed(self, method: str, channel: str, error: Exception) -> SlackFailure:
        """Count the failure. Raises the error again if it is none of Slack's or the network's."""
        failure = translated(error)
        match failure:
            case Later() as later:
                self._metrics.web_api_calls.labels(method, "later").inc()
                self._metrics.web_api_retries.labels(method).inc()
                if later.why in {"ratelimited", "rate_limited", "status 429"}:
                    self._gate.hold(method, channel, later.seconds)
            case _:
                self._metrics.web_api_calls.labels(method, failure.code).inc()
        return failure


def _content(message: Message) -> dict[str, Any]:
    """`link_names` and `parse` stay off: only what we wrote as a mention is one."""
    return {"text": message.text, "blocks": list(message.blocks), "link_names": False, "parse": "none"}


@asynccontextmanager
async def open_api(
    settings: Settings, metrics: Metrics, ack_priority: AckPriority
) -> AsyncIterator[SlackApi]:
    """The Web API with the settings' token. Connections are kept open, and closed when the block ends."""
    token = settings.slack_bot_token
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        web = AsyncWebClient(
            token=token.get_secret_value() if token else None,
            base_url=settings.slack_api_url,
            timeout=TIMEOUT,
            session=session,
            # The store keeps what is still to be said, so a retry here would only say it twice.
            retry_handlers=[],
        )
        # The SDK takes the environment's proxy and does not ask NO_PROXY.
        host = urlsplit(settings.slack_api_url).hostname or ""
        if host in LOOPBACK or await asyncio.to_thread(proxy_bypass, host):
            web.proxy = None
        granted = settings.slack_edits_per_minute
        gate = Gate(rates(granted), ack_priority=ack_priority)
        yield SlackApi(web, metrics, gate, between_edits(granted))


__all__ = ["Later", "Rejected", "SlackApi", "SlackFailure", "Unrenderable", "open_api"]

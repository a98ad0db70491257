"""Slack's Web API as a ChatPlatform: failures translated, rate limits kept, calls counted."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.core.addresses import is_loopback
from bot.core.text import valid_object
from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.failures import OutcomeUnknown, PlatformFailure, RetryLater, Unrenderable
from bot.surfaces.chat.flow_control import AckPriority, Rate, RateLimiter
from bot.surfaces.chat.messages import Block, Form, Message, size
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import Capabilities, Priority, SharedFile
from bot.surfaces.chat.rendering import offload
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.renderer import (
    LIMITS,
    names_unknown_groups,
    render_form,
    render_home,
    render_message,
    with_group_ids,
)
from bot.surfaces.slack.webapi.failures import RATE_LIMIT_CODES, check_answer, translated
from bot.surfaces.slack.webapi.files import SlackFiles
from bot.surfaces.slack.webapi.lost_posts import find_post, marked

log = structlog.get_logger(__name__)


POSTS = Rate(per_second=1.0, burst=4, by_channel=True)
"""Slack: about one message a second and channel, with short bursts."""
HOME_TABS = Rate(per_second=1.4, burst=15, reserved=5)
USER_GROUPS = Rate(per_second=20 / 60, burst=10)
"""Slack: 20 a minute and workspace, for each of the two methods."""
BURST_SHARE = 0.16
"""The part of a minute's edits that may be made at once."""
MIN_EDIT_INTERVAL_S = 0.1


def edit_interval_s(per_minute: int) -> float:
    """Seconds from one edit of a run's progress to the next: 1.5 with what Slack grants everybody."""
    return max(MIN_EDIT_INTERVAL_S, 75 / per_minute)


def edits(per_minute: int) -> Rate:
    """The rate of edits in a workspace: a full burst and a minute's refill together are `per_minute`."""
    burst = max(1, round(per_minute * BURST_SHARE))
    per_second = (per_minute - burst) / 60
    return Rate(per_second=per_second, burst=burst, reserved=burst // 2, deferring=True)


def rates(edits_per_minute: int) -> Mapping[str, Rate]:
    """What Slack grants, by method."""
    return {
        "chat.postMessage": POSTS,
        "chat.update": edits(edits_per_minute),
        "views.publish": HOME_TABS,
        "usergroups.list": USER_GROUPS,
        "usergroups.users.list": USER_GROUPS,
    }


CALL_TIMEOUT_S = 15
PAGE_SIZE = 200

Call = Callable[..., Awaitable[AsyncSlackResponse]]

GROUPS_INTERVAL_S = 60.0
"""How often the list of user groups is asked for because a message names an unknown one."""


class SlackApi:
    """A ChatPlatform, and what only Slack has. Calls raise RetryLater, Rejected, Unrenderable."""

    def __init__(
        self, web: AsyncWebClient, metrics: Metrics, limiter: RateLimiter, capabilities: Capabilities
    ) -> None:
        #: For Socket Mode, which brings its own calls.
        self.web = web
        #: What people chose in modals.
        self.files = SlackFiles(web)
        self._metrics = metrics
        self._limiter = limiter
        self.capabilities = capabilities
        self._direct: dict[str, Conversation] = {}
        self._identity: Mapping[str, Any] | None = None
        #: The ids of user groups by their handles, as far as they were read.
        self._group_ids: Mapping[str, str] = {}
        self._groups_asked_at = -math.inf

    @property
    def proxy(self) -> str | None:
        """The HTTP proxy that leads to Slack."""
        return self.web.proxy

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def post(
        self, to: Conversation, message: Message, *, priority: Priority = Priority.NEWS
    ) -> MessageRef:
        """Post a message; where it is now. One that may have arrived is looked for before that fails."""
        content, mark = marked(await self._content(message))
        began = time.time()
        try:
            answer = await self._call(
                "chat.postMessage",
                self.web.chat_postMessage,
                channel=to.channel,
                priority=priority,
                thread_ts=to.thread,
                unfurl_links=False,
                unfurl_media=False,
                **content,
            )
        except OutcomeUnknown:
            found = await find_post(self, to, mark, began)
            if found is None:
                raise
            return found
        return MessageRef(str(answer["channel"]), str(answer["ts"]))

    async def update(
        self, at: MessageRef, message: Message, *, priority: Priority = Priority.DECISION
    ) -> None:
        """Replace one of our messages; what it held before is gone, buttons included."""
        await self._call(
            "chat.update",
            self.web.chat_update,
            channel=at.channel,
            priority=priority,
            ts=at.message_id,
            **await self._content(message),
        )

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
            **await self._content(message),
        )

    def thread_of(self, posted: MessageRef) -> Conversation:
        """Where replies to this message are read."""
        return posted.thread

    async def open_direct(self, user_id: str) -> Conversation:
        """The direct messages with a person."""
        if user_id not in self._direct:
            answer = await self._call("conversations.open", self.web.conversations_open, users=user_id)
            self._direct[user_id] = Conversation(str(answer["channel"]["id"]))
        return self._direct[user_id]

    async def upload(self, to: Conversation, file: SharedFile, *, run_id: str) -> None:
        """Share a file; Slack shows it a moment later. If it may be there, it is looked for."""
        del run_id
        place = await self._call(
            "files.getUploadURLExternal",
            self.web.files_getUploadURLExternal,
            filename=file.name,
            length=len(file.content),
        )
        await self.files.send(place["upload_url"], file.content)
        began = time.time()
        try:
            await self._call(
                "files.completeUploadExternal",
                self.web.files_completeUploadExternal,
                files=[{"id": place["file_id"], "title": file.title}],
                channel_id=to.channel,
                thread_ts=to.thread,
            )
        except OutcomeUnknown:
            if await find_post(self, to, place["file_id"], began) is None:
                raise

    async def link_to(self, at: MessageRef) -> str:
        """The address of a message."""
        answer = await self._call(
            "chat.getPermalink", self.web.chat_getPermalink, channel=at.channel, message_ts=at.message_id
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
                limit=PAGE_SIZE,
                cursor=cursor,
            )
            found.extend(answer["messages"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        return found

    async def newest(self, channel: str, oldest: str) -> list[Mapping[str, Any]]:
        """The newest messages of a channel that are later than `oldest`, outside of threads."""
        answer = await self._call(
            "conversations.history",
            self.web.conversations_history,
            channel=channel,
            oldest=oldest,
            limit=PAGE_SIZE,
        )
        return list(answer["messages"])

    # ── views ───────────────────────────────────────────────────────────────────────────────────────────

    async def open_view(self, trigger_id: str, form: Form) -> None:
        """Open a modal; a trigger is good for three seconds, once."""
        view = await _rendered(lambda: render_form(form), form.blocks)
        await self._call("views.open", self.web.views_open, trigger_id=trigger_id, view=view)

    async def update_view(self, view_id: str, form: Form) -> None:
        """Put something else into a modal that is open."""
        view = await _rendered(lambda: render_form(form), form.blocks)
        await self._call("views.update", self.web.views_update, view_id=view_id, view=view)

    async def publish_home(self, user: str, page: Message) -> None:
        """Show a person's Home tab."""
        view = await _rendered(lambda: render_home(page), page.blocks)
        await self._call(
            "views.publish", self.web.views_publish, user_id=user, view=view, priority=Priority.PROGRESS
        )

    # ── who ─────────────────────────────────────────────────────────────────────────────────────────────

    async def user(self, user_id: str) -> Mapping[str, Any]:
        """users.info's `user`, with its locale."""
        answer = await self._call("users.info", self.web.users_info, user=user_id, include_locale=True)
        user: Mapping[str, Any] = answer["user"]
        return user

    async def user_groups(self) -> Sequence[Mapping[str, Any]]:
        """usergroups.list's `usergroups` that are enabled, with their members."""
        answer = await self._call("usergroups.list", self.web.usergroups_list, include_users=True)
        groups: Sequence[Mapping[str, Any]] = answer["usergroups"]
        enabled = [each for each in groups if not each.get("date_delete")]
        self._group_ids = {str(each.get("handle", "")).casefold(): str(each["id"]) for each in enabled}
        return groups

    async def user_group_members(self, group: str) -> Sequence[str]:
        """usergroups.users.list's `users`."""
        answer = await self._call("usergroups.users.list", self.web.usergroups_users_list, usergroup=group)
        users: Sequence[str] = answer["users"]
        return users

    async def auth_test(self) -> Mapping[str, Any]:
        """Who we are, asked anew."""
        answer = await self._call("auth.test", self.web.auth_test)
        self._identity = answer.data if isinstance(answer.data, dict) else {}
        return self._identity

    async def app_name(self) -> str:
        """What the app is called in its workspace, as in `/invite @name`."""
        identity = self._identity or await self.auth_test()
        return str(identity.get("user") or "crewdeck")

    # ── rate limits ─────────────────────────────────────────────────────────────────────────────────────

    def share_rate_limits(self, processes: int) -> None:
        """Set how many processes, this one included, share what Slack grants the workspace."""
        self._limiter.share = 1 / max(1, processes)

    def seconds_until_post(self, channel: str) -> float:
        """For how long a message to this channel would have to wait, as far as is known."""
        return self._limiter.seconds_until_allowed("chat.postMessage", channel, Priority.DECISION)

    async def wait_for_progress_capacity(self) -> None:
        """Return when a progress edit could be made at once."""
        await self._limiter.wait_for_capacity("chat.update", Priority.PROGRESS)

    async def yield_to_acks(self) -> None:
        """Return when nobody waits for an acknowledgement."""
        await self._limiter.ack_priority.yield_to_acks()

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _call(
        self, method: str, call: Call, *, priority: Priority = Priority.DECISION, **arguments: Any
    ) -> AsyncSlackResponse:
        channel = str(arguments.get("channel") or "")
        await self._limiter.acquire(method, channel, priority)
        try:
            answer = await call(**{name: value for name, value in arguments.items() if value is not None})
            check_answer(method, answer.data)
        except Exception as error:
            raise self._failed(method, channel, error) from error
        self._metrics.web_api_calls.inc(method, "ok")
        if isinstance(answer.data, dict):
            # People's names and messages enter here; Slack passes on halves of surrogate pairs.
            answer.data = valid_object(answer.data)
        return answer

    async def _content(self, message: Message) -> dict[str, Any]:
        """`link_names` and `parse` stay off: only what we wrote as a mention is one. Raises Unrenderable."""
        ids = await self._ids_of_groups(message)
        rendered = await _rendered(lambda: render_message(with_group_ids(message, ids)), message.blocks)
        return {**rendered, "link_names": False, "parse": "none"}

    async def _ids_of_groups(self, message: Message) -> Mapping[str, str]:
        """The ids of groups by handle. Without the scope, or while Slack limits us, groups are only named."""
        due = time.monotonic() - self._groups_asked_at > GROUPS_INTERVAL_S
        if due and names_unknown_groups(message, self._group_ids):
            self._groups_asked_at = time.monotonic()
            try:
                await self.user_groups()
            except PlatformFailure as failure:
                log.info(
                    "the handles of user groups could not be read: groups are not notified", why=str(failure)
                )
        return self._group_ids

    def _failed(self, method: str, channel: str, error: Exception) -> PlatformFailure:
        """Count the failure. Raises the error again if it is none of Slack's or the network's."""
        failure = translated(error, channel)
        match failure:
            case RetryLater() as later:
                self._metrics.web_api_calls.inc(method, "later")
                self._metrics.web_api_retries.inc(method)
                if later.why in RATE_LIMIT_CODES:
                    self._limiter.pause(method, channel, later.seconds)
            case _:
                self._metrics.web_api_calls.inc(method, failure.code)
        return failure


async def _rendered(render: Callable[[], dict[str, Any]], blocks: Sequence[Block]) -> dict[str, Any]:
    """Render a message. Raises Unrenderable on any failure: trying again would fail, too."""
    try:
        return await offload(render, size(blocks))
    except Exception as error:
        log.exception("a message can't be rendered")
        raise Unrenderable("not_rendered") from error


@asynccontextmanager
async def open_api(
    settings: Settings, metrics: Metrics, ack_priority: AckPriority
) -> AsyncIterator[SlackApi]:
    """The Web API with the settings' token. Connections are kept open, and closed when the block ends."""
    token = settings.slack_bot_token
    timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        web = AsyncWebClient(
            token=token.get_secret_value() if token else None,
            base_url=settings.slack_api_url,
            timeout=CALL_TIMEOUT_S,
            session=session,
            # The store keeps what is still to be said, so a retry here would only say it twice.
            retry_handlers=[],
        )
        # The SDK takes the environment's proxy and does not ask NO_PROXY.
        host = urlsplit(settings.slack_api_url).hostname or ""
        if is_loopback(host) or await asyncio.to_thread(proxy_bypass, host):
            web.proxy = None
        granted = settings.slack_edits_per_minute
        limiter = RateLimiter(rates(granted), ack_priority=ack_priority)
        capabilities = Capabilities(
            SURFACE, "Slack", edit_interval_s(granted), LIMITS, "Invite me with /invite @{app}"
        )
        yield SlackApi(web, metrics, limiter, capabilities)

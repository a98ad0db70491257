"""Sending parcels to the app, and what a test learns of each."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, replace

from tests.loopback.slack import payloads, shown
from tests.loopback.slack.calls import Changes
from tests.loopback.slack.shown import Message
from tests.loopback.slack.state import Channel, Workspace
from tests.loopback.slack.transport import Kind, Parcel, Receipt, Transport
from tests.loopback.slack.wire import Body, Json

#: What the manifest subscribes to.
SUBSCRIPTIONS = frozenset(
    {
        "app_home_opened",
        "app_mention",
        "app_uninstalled",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "tokens_revoked",
        "user_change",
    }
)
LATER = 0.05
"""Seconds after which Slack tells the app of what the app did; its answer is there before."""
MESSAGES = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}


@dataclass(frozen=True)
class Delivery:
    """Something Slack told the app, and how the app took it."""

    workspace: Workspace
    parcel: Parcel
    receipt: Receipt
    #: Whose act it was, and how many private messages the workspace held before it.
    user: str | None = None
    mark: int = 0
    #: What the act left in the channel, if it was a message.
    message: Message | None = None
    #: The `message` event that came with an `app_mention`.
    twin: Delivery | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status (200 for an acknowledgement over a socket); None: not acknowledged, see `error`."""
        return self.receipt.status

    @property
    def body(self) -> Json:
        return self.receipt.body

    @property
    def elapsed(self) -> float:
        return self.receipt.elapsed

    @property
    def error(self) -> str | None:
        return self.receipt.error

    @property
    def ok(self) -> bool:
        return self.status == 200

    @property
    def payload(self) -> Body:
        return self.parcel.payload

    @property
    def private(self) -> list[Message]:
        """What this person alone was shown since: the acknowledgement's text, response_url, ephemerals."""
        said = self.workspace.ephemerals[self.mark :]
        mine = [body for user, body in said if user == self.user]
        return [shown.message(body["channel"], body, ephemeral=True) for body in mine]

    @property
    def field_errors(self) -> Body:
        """A modal's errors by block_id, where the app refused a submission."""
        return dict(self.body.get("errors") or {}) if isinstance(self.body, dict) else {}


class Post:
    """Slack's outgoing side: knows the transport in use, keeps every delivery, owns its tasks."""

    def __init__(self, subscriptions: frozenset[str], changes: Changes) -> None:
        self.subscriptions = set(subscriptions)
        self.transport: Transport | None = None
        self.deliveries: list[Delivery] = []
        self._changes = changes
        self._tasks: set[asyncio.Task[Delivery]] = set()

    async def send(
        self, workspace: Workspace, kind: Kind, payload: Body, user: str | None = None
    ) -> Delivery:
        mark = len(workspace.ephemerals)
        parcel = Parcel(kind, payload, str(uuid.uuid4()))
        receipt = await self._transport().send(parcel)
        return self._kept(Delivery(workspace, parcel, receipt, user, mark))

    async def again(self, last: Delivery, attempt: int, reason: str) -> Delivery:
        """The same parcel once more: same event_id, same envelope, marked as a retry."""
        signed_at = max(time.time(), last.parcel.signed_at + 1)
        parcel = replace(last.parcel, attempt=attempt, reason=reason, signed_at=signed_at)
        mark = len(last.workspace.ephemerals)
        receipt = await self._transport().send(parcel)
        return self._kept(replace(last, parcel=parcel, receipt=receipt, mark=mark, twin=None))

    async def tell(
        self, workspace: Workspace, event: Body, channel: Channel | None = None, user: str | None = None
    ) -> Delivery:
        """Delivers an event if the app is subscribed to it and is where it happened."""
        payload = payloads.event_callback(workspace, event, channel)
        unheard = self._unheard(workspace, event, channel)
        if unheard:
            parcel = Parcel("events_api", payload, "")
            return Delivery(workspace, parcel, Receipt(None, None, 0.0, unheard), user)
        return await self.send(workspace, "events_api", payload, user)

    def tell_later(self, workspace: Workspace, event: Body, channel: Channel | None = None) -> None:
        """Like `tell`, for what the app itself caused: nobody waits for it, and it comes after the answer."""
        if self.transport is None or self._unheard(workspace, event, channel):
            return

        async def told() -> Delivery:
            await asyncio.sleep(LATER)
            return await self.tell(workspace, event, channel)

        task = asyncio.get_running_loop().create_task(told())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _transport(self) -> Transport:
        if self.transport is None:
            raise RuntimeError("no app is connected: call connect_http() or use_socket_mode() first")
        return self.transport

    def _unheard(self, workspace: Workspace, event: Body, channel: Channel | None) -> str | None:
        name = event["type"]
        if name == "message" and channel is not None:
            name = f"message.{MESSAGES[channel.kind]}"
        if name not in self.subscriptions:
            return f"not subscribed to {name}"
        if channel is not None and workspace.bot_user not in channel.members:
            return f"the app is not a member of {channel.id}"
        return None

    def _kept(self, delivery: Delivery) -> Delivery:
        self.deliveries.append(delivery)
        self._changes.notify()
        return delivery

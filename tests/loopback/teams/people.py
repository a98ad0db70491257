"""People who write, press and submit, as Teams tells the bot of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.loopback.slack.wire import Body
from tests.loopback.teams.state import Conversation, Message, Tenant, User, actions, inputs
from tests.waiting import next_millisecond


@dataclass(frozen=True)
class Receipt:
    """What the bot answered. `status` is None where the connection failed or it took too long."""

    status: int | None
    #: Parsed JSON, or text; None if it is empty.
    body: Any
    #: Seconds.
    elapsed: float
    #: What was delivered; `redeliver` sends it again.
    activity: Body


Deliver = Callable[[Body], Awaitable[Receipt]]


@dataclass
class Person:
    """A user, and what they do. Each act is delivered to the bot; the receipt is its answer."""

    user: User
    tenant: Tenant
    service_url: str
    deliver: Deliver
    #: What their client says of itself.
    locale: str = "en-GB"
    timezone: str = ""

    @property
    def object_id(self) -> str:
        return self.user.object_id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def chat(self) -> Conversation:
        """Their personal chat with the bot."""
        return self.tenant.personal(self.user)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────

    async def say(
        self,
        where: Conversation,
        text: str,
        *,
        mention: bool = False,
        thread: str | None = None,
        others: Sequence[Person] = (),
        **extra: Any,
    ) -> Receipt:
        """Write a message; `mention` puts a mention of the bot before it, `others` of these people.

        In a channel it begins a reply chain unless `thread` names the first message of one.
        """
        await next_millisecond()
        names = [self.tenant.bot] if mention else []
        mentioned = [*names, *(each.user.account() for each in others)]
        at = "".join(f"<at>{each['name']}</at> " for each in mentioned)
        full_id = f"{where.id};messageid={thread}" if thread else where.id
        message = self.tenant.post(full_id, self.user.account(), {"type": "message", "text": f"{at}{text}"})
        activity = self.activity(
            "message", where, message.thread or message.id, id=message.id, text=message.text
        )
        activity["entities"] = [*_mentions(mentioned), {"type": "clientInfo", "locale": self.locale}]
        return await self.deliver(activity | {"textFormat": "plain"} | extra)

    async def edit(self, where: Conversation, message_id: str, text: str) -> Receipt:
        """Change a message of theirs."""
        body = where.messages[message_id]
        body |= {"text": text, "lastEditedDateTime": datetime.now(UTC).isoformat()}
        activity = self.activity("messageUpdate", where, body["thread"] or message_id, id=message_id)
        kind = {"eventType": "editMessage"}
        return await self.deliver(activity | {"text": text, "channelData": activity["channelData"] | kind})

    async def remove(self, where: Conversation, message_id: str) -> Receipt:
        """Delete a message of theirs."""
        body = where.messages.pop(message_id)
        activity = self.activity("messageDelete", where, body["thread"] or message_id, id=message_id)
        kind = {"eventType": "softDeleteMessage"}
        return await self.deliver(activity | {"channelData": activity["channelData"] | kind})

    # ── cards ───────────────────────────────────────────────────────────────────────────────────────────

    async def press(
        self,
        message: Message,
        label: str,
        values: Mapping[str, str] | None = None,
        *,
        old_client: bool = False,
    ) -> Receipt:
        """Press a button by its label, or its `id`. An old client presses what a button falls back to."""
        return await self.press_on(message.cards, label, values, of=message, old_client=old_client)

    async def press_on(
        self,
        shown: Sequence[Body],
        label: str,
        values: Mapping[str, str] | None = None,
        *,
        of: Message,
        old_client: bool = False,
    ) -> Receipt:
        """The same on cards that only this person sees (`refreshed`)."""
        action, data = _pressed(shown, label, values or {}, old_client=old_client)
        where = self.tenant.conversations[of.conversation]
        if action["type"] == "Action.Execute":
            pressed = {**action, "data": data}
            pressed.pop("fallback", None)
            value: Body = {"action": pressed, "trigger": "manual"}
            return await self.invoke("adaptiveCard/action", value, where, of)
        if data.get("msteams", {}).get("type") == "task/fetch":
            return await self.invoke("task/fetch", _task(data), where, of)
        submitted = self.activity("message", where, of.thread or of.id, replyToId=of.id, value=data)
        return await self.deliver(submitted)

    async def refreshed(self, message: Message) -> Receipt:
        """The client asks for this person's own view of a card, as it does when the card is seen."""
        refresh = message.refresh
        if refresh is None:
            raise LookupError("this card is not refreshed")
        if self.user.id not in refresh.get("userIds", [self.user.id]):
            raise LookupError(f"this card is refreshed for {refresh['userIds']}, not for {self.user.id}")
        where = self.tenant.conversations[message.conversation]
        value = {"action": refresh["action"], "trigger": "automatic"}
        return await self.invoke("adaptiveCard/action", value, where, message)

    async def submit(
        self, where: Conversation, card: Body, values: Mapping[str, str], label: str = "", *, of: Message
    ) -> Receipt:
        """Submit a dialog: `values` by an input's id or label; `label` names one of several buttons."""
        data = data_of([card], label, values)
        return await self.invoke("task/submit", _task(data), where, of)

    async def answer_file_consent(self, message: Message, upload_url: str, *, accept: bool = True) -> Receipt:
        """Accept or decline the file that a message offers."""
        [offered] = message.body["attachments"]
        value: Body = {
            "type": "fileUpload",
            "action": "accept" if accept else "decline",
            "context": offered["content"]["acceptContext" if accept else "declineContext"],
        }
        if accept:
            value["uploadInfo"] = {
                "name": offered["name"],
                "uploadUrl": upload_url,
                "contentUrl": f"{upload_url}?shown",
                "uniqueId": "file-1",
                "fileType": offered["name"].rpartition(".")[2],
            }
        where = self.tenant.conversations[message.conversation]
        return await self.invoke("fileConsent/invoke", value, where, message)

    async def invoke(
        self, name: str, value: Body, where: Conversation, about: Message | None = None
    ) -> Receipt:
        """Any invoke, about a message of this conversation."""
        thread = (about.thread or about.id) if about else ""
        reply_to = {"replyToId": about.id} if about else {}
        activity = self.activity("invoke", where, thread, name=name, value=value, **reply_to)
        return await self.deliver(activity)

    # ── the app itself ──────────────────────────────────────────────────────────────────────────────────

    async def install(self, where: Conversation, *, added: bool = True) -> Receipt:
        """Add the app to a conversation, or remove it; Teams tells it of both."""
        where.closed = "" if added else "BotNotInConversationRoster"
        action = "add" if added else "remove"
        return await self.deliver(self.activity("installationUpdate", where, "", action=action))

    def activity(self, kind: str, where: Conversation, thread: str, **more: Any) -> Body:
        """An activity of this person in a conversation, as Teams frames it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        channel = where.kind == "channel"
        conversation: Body = {
            "conversationType": where.kind,
            "tenantId": where.tenant,
            "id": f"{where.id};messageid={thread}" if channel and thread else where.id,
        }
        if where.kind != "personal":
            conversation["isGroup"] = True
        data: Body = {"tenant": {"id": where.tenant}}
        if channel:
            team = where.team or where.id
            data |= {"teamsChannelId": where.id, "teamsTeamId": team}
            data |= {"channel": {"id": where.id}, "team": {"id": team}}
        return {
            "type": kind,
            "id": more.pop("id", None) or self.tenant.next_id(),
            "timestamp": now,
            "localTimestamp": now,
            "channelId": "msteams",
            "serviceUrl": self.service_url,
            "from": self.user.account(),
            "recipient": self.tenant.bot,
            "conversation": conversation,
            "channelData": data,
            "locale": self.locale,
            **({"localTimezone": self.timezone} if self.timezone else {}),
            **more,
        }


def data_of(
    shown: Sequence[Body], label: str, values: Mapping[str, str] | None = None, *, old_client: bool = False
) -> Body:
    """What a press brings with it."""
    return _pressed(shown, label, values or {}, old_client=old_client)[1]


def _pressed(
    shown: Sequence[Body], label: str, values: Mapping[str, str], *, old_client: bool
) -> tuple[Body, Body]:
    """The action and its data. The client refuses where something required is not filled in."""
    card, action = _action(shown, label)
    if old_client and action["type"] == "Action.Execute":
        action = action["fallback"]
    if action.get("associatedInputs") == "none":
        return action, _data(action)
    filled = _filled(card, values)
    missing = [
        each["label"] for each in inputs(card) if each.get("isRequired") and not filled.get(each["id"])
    ]
    if missing:
        raise LookupError(f"not filled in: {missing}")
    return action, {**_data(action), **filled}


def _mentions(accounts: Sequence[Body]) -> list[Body]:
    return [
        {
            "type": "mention",
            "mentioned": {"id": each["id"], "name": each["name"]},
            "text": f"<at>{each['name']}</at>",
        }
        for each in accounts
    ]


def _action(shown: Sequence[Body], label: str) -> tuple[Body, Body]:
    """The card and the action of this label or id; without a label the only one. Raises LookupError."""
    found = [(card, action) for card in shown for action in actions(card)]
    named = [(card, each) for card, each in found if label in ("", each.get("title"), each.get("id"))]
    if len(named) != 1:
        raise LookupError(f"{label!r} names {len(named)} of {[each.get('title') for _, each in found]}")
    return named[0]


def _data(action: Body) -> Body:
    data = action.get("data")
    return dict(data) if isinstance(data, dict) else {}


def _filled(card: Body, values: Mapping[str, str]) -> Body:
    """What the card's inputs hold: what is filled in now, by id or label, else what they start with."""
    filled: Body = {}
    for each in inputs(card):
        given = {label: value for label, value in values.items() if label in (each["id"], each.get("label"))}
        value = next(iter(given.values()), each.get("value", ""))
        if each["type"] == "Input.ChoiceSet":
            value = next((c["value"] for c in each["choices"] if value in (c["title"], c["value"])), value)
        if value != "":
            filled[each["id"]] = value
    if unknown := [
        name for name in values if not any(name in (e["id"], e.get("label")) for e in inputs(card))
    ]:
        raise LookupError(f"no input is called {unknown}; there are {[e.get('label') for e in inputs(card)]}")
    return filled


def _task(data: Body) -> Body:
    return {"data": data, "context": {"theme": "default"}}

"""People: what they do in Slack's client, and what Slack sends the app because of it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.loopback.slack import payloads, shown, values
from tests.loopback.slack.blocks import check_view
from tests.loopback.slack.delivery import Delivery, Post
from tests.loopback.slack.methods import views
from tests.loopback.slack.methods.chat import changed_event, in_thread, message_event, remove
from tests.loopback.slack.methods.files import file_body
from tests.loopback.slack.response_urls import ResponseUrls
from tests.loopback.slack.shown import Message, Shown, View
from tests.loopback.slack.state import Channel, OpenView, Upload, User, Workspace
from tests.loopback.slack.transport import Receipt
from tests.loopback.slack.wire import Body, Json, SlackError
from tests.waiting import next_millisecond

GENERAL = "C0GENERAL"


class Person:
    """One user of a workspace. Text is in Slack's wire form: `<@U0ADA>` mentions, `typed()` escapes."""

    def __init__(self, user: User, workspace: Workspace, post: Post, response_urls: ResponseUrls) -> None:
        self.user = user
        self.id = user.id
        self._workspace = workspace
        self._post = post
        self._response_urls = response_urls

    @property
    def im(self) -> str:
        """The id of this person's direct conversation with the app."""
        return self._workspace.open_im(self.id).id

    # --- Commands, presses, modals

    async def command(self, command: str, text: str = "", channel: str = GENERAL) -> Delivery:
        """A slash command, which works also where the app is not a member."""
        where = self._workspace.channel(channel)
        url = self._response_urls.issue(self._workspace, self.id, channel)
        payload = payloads.slash_command(self._workspace, self.user, where, (command, text), url)
        delivery = await self._post.send(self._workspace, "slash_commands", payload, self.id)
        self._hear(delivery, url)
        return delivery

    async def press(self, on: Shown, name: str, *, ticked: Sequence[str] = ()) -> Delivery:
        """Presses the button whose action_id or label is `name`, as the snapshot has it (stale ones too).

        `ticked`: labels of the checkboxes that this person has ticked before.
        """
        block, element = on.button(name)
        acts = payloads.acted(block, element, self._workspace.next_ts())
        return await self._act(on, block, acts, ticked)

    async def select(self, on: Shown, label: str) -> Delivery:
        """Chooses an option of a select, radio group, checkbox group or overflow menu."""
        block, element, option = on.choice(label)
        return await self._act(on, block, payloads.acted(block, element, self._workspace.next_ts(), option))

    def typed(self, view: View, given: dict[str, Any]) -> View:
        """The modal with these fields filled in, as its presses, changes and closing then report it."""
        body = copy.deepcopy(view.body)
        body["state"] = {"values": values.submitted(body["blocks"], given, checked=False)}
        return View(body, view.user)

    async def change(self, view: View, field: str) -> Delivery:
        """Leaves a field of a modal (by block_id) whose input reports changes (`dispatch_action`)."""
        block = next(each for each in view.blocks if each.get("block_id") == field)
        if not block.get("dispatch_action"):
            raise LookupError(f"{field} reports no changes")
        act = payloads.acted(block, block["element"], self._workspace.next_ts())
        return await self._act(view, block, act)

    async def submit(self, view: View, given: dict[str, Any] | None = None) -> Delivery:
        """Fills the modal in (fields by block_id, action_id or label) and submits it.

        Raises `NotSubmittedError` where Slack's client would not send it. The modal then does what the app
        answered: closes, shows `field_errors`, is updated, or gets another on top.
        """
        body = copy.deepcopy(view.body)
        body["state"] = {"values": values.submitted(body["blocks"], given or {})}
        payload = payloads.view_submission(self._workspace, self.user, body)
        delivery = await self._post.send(self._workspace, "interactive", payload, self.id)
        return self._after_submission(delivery, view)

    async def close(self, view: View) -> Delivery | None:
        """Closes the modal; the app is told if it asked for that (`notify_on_close`)."""
        self._workspace.views = [v for v in self._workspace.views if v.body["id"] != view.id]
        if not view.body.get("notify_on_close"):
            return None
        payload = payloads.view_closed(self._workspace, self.user, view.body, cleared=False)
        return await self._post.send(self._workspace, "interactive", payload, self.id)

    async def open_home(self) -> Delivery:
        """Opens the app's Home tab."""
        im = self._workspace.open_im(self.id)
        event: Body = {
            "type": "app_home_opened",
            "user": self.id,
            "channel": im.id,
            "tab": "home",
            "event_ts": self._workspace.next_ts(),
        }
        if self.id in self._workspace.homes:
            event["view"] = copy.deepcopy(self._workspace.homes[self.id])
        return await self._post.tell(self._workspace, event, None, self.id)

    # --- Messages

    async def say(self, channel: str, text: str, **extra: Any) -> Delivery:
        """Posts a message; `extra` fields go into it as they are."""
        await next_millisecond()
        return await self._said(self._workspace.channel(channel), text, None, extra)

    async def reply(
        self, channel: str, thread_ts: str, text: str, *, broadcast: bool = False, **extra: Any
    ) -> Delivery:
        """Replies in a thread, also to the channel with `broadcast`."""
        await next_millisecond()
        return await self._said(self._workspace.channel(channel), text, thread_ts, extra, broadcast=broadcast)

    async def mention(self, channel: str, text: str, thread_ts: str | None = None) -> Delivery:
        """Mentions the app, which hears an `app_mention` (the result) and the `message` (its `twin`).

        The mention is put before the text unless the text has it. In direct messages there is no app_mention.
        """
        name = f"<@{self._workspace.bot_user}>"
        words = text if name in text else f"{name} {text}"
        where = self._workspace.channel(channel)
        if where.kind == "im":
            return await self._said(where, words, thread_ts, {})
        body = self._stored(where, words, thread_ts, {})
        event = message_event(body, where)
        named = {k: v for k, v in event.items() if k != "channel_type"} | {"type": "app_mention"}
        first, second = await asyncio.gather(
            self._post.tell(self._workspace, named, where, self.id),
            self._post.tell(self._workspace, event, where, self.id),
        )
        return replace(first, message=shown.message(channel, body), twin=second)

    async def upload(
        self, channel: str, names: Sequence[str], text: str = "", thread_ts: str | None = None
    ) -> Delivery:
        """Posts files with a text (subtype `file_share`)."""
        workspace = self._workspace
        uploads = [Upload(workspace.next_id("F"), name, 1, content=b"x") for name in names]
        workspace.uploads.update({upload.id: upload for upload in uploads})
        files = [file_body(workspace, upload, self.id) for upload in uploads]
        extra = {"subtype": "file_share", "files": files, "upload": False}
        return await self._said(workspace.channel(channel), text, thread_ts, extra)

    def choose_file(self, name: str, content: bytes, at: str) -> list[Body]:
        """A file for a `file_input`, to be given to `submit`; its content is at the loopback address `at`."""
        upload = Upload(self._workspace.next_id("F"), name, len(content), content=content)
        self._workspace.uploads[upload.id] = upload
        body = file_body(self._workspace, upload, self.id)
        path = f"/files-pri/{upload.id}/{upload.name}"
        return [{**body, "url_private": f"{at}{path}", "url_private_download": f"{at}{path}"}]

    async def edit(self, message: Message, text: str) -> Delivery:
        """Edits a message (`message_changed`)."""
        where = self._workspace.channel(message.channel)
        body = where.messages[message.ts]
        before = copy.deepcopy(body)
        body |= {"text": text, "edited": {"user": self.id, "ts": self._workspace.next_ts()}}
        body.pop("blocks", None)
        event = changed_event(self._workspace, where, before, body)
        return await self._post.tell(self._workspace, event, where, self.id)

    async def delete(self, message: Message) -> Delivery:
        """Deletes a message (`message_deleted`)."""
        where = self._workspace.channel(message.channel)
        event = remove(self._workspace, where, where.messages[message.ts])
        return await self._post.tell(self._workspace, event, where, self.id)

    async def join(self, channel: str) -> Delivery:
        """Joins a channel (subtype `channel_join`)."""
        where = self._workspace.channel(channel)
        where.members.add(self.id)
        subtype = "channel_join" if where.kind == "channel" else "group_join"
        return await self._said(where, f"<@{self.id}> has joined the channel", None, {"subtype": subtype})

    async def redeliver(self, last: Delivery, retry_num: int = 1, reason: str = "http_timeout") -> Delivery:
        """The same event again, as Slack retries it: X-Slack-Retry-Num, or retry_attempt in the envelope."""
        return await self._post.again(last, retry_num, reason)

    # --- How it is done

    async def _said(
        self, where: Channel, text: str, thread_ts: str | None, extra: Body, *, broadcast: bool = False
    ) -> Delivery:
        body = self._stored(where, text, thread_ts, extra, broadcast=broadcast)
        delivery = await self._post.tell(self._workspace, message_event(body, where), where, self.id)
        return replace(delivery, message=shown.message(where.id, body))

    def _stored(
        self, where: Channel, text: str, thread_ts: str | None, extra: Body, *, broadcast: bool = False
    ) -> Body:
        if self.id not in where.members:
            raise SlackError("not_in_channel")
        workspace = self._workspace
        body = {**payloads.user_message(workspace, self.user, text, workspace.next_ts()), **extra}
        in_thread(where, body, thread_ts, broadcast)
        where.messages[body["ts"]] = body
        return body

    async def _act(self, on: Shown, block: Body, action: Body, ticked: Sequence[str] = ()) -> Delivery:
        url = None
        if isinstance(on, Message):
            url = self._response_urls.issue(self._workspace, self.id, on.channel, on)
        payload = payloads.block_actions(self._workspace, self.user, on, (block, action), url)
        for label in ticked:
            boxes, element, option = on.choice(label)
            state = payload["state"]["values"][boxes["block_id"]][element["action_id"]]
            state["selected_options"] = [*state["selected_options"], option]
        return await self._post.send(self._workspace, "interactive", payload, self.id)

    def _hear(self, delivery: Delivery, url: str) -> None:
        """The body of a command's acknowledgement is shown to the person."""
        body = {"text": delivery.body} if isinstance(delivery.body, str) else delivery.body
        if delivery.ok and body:
            self._response_urls.find(url).say(body)

    def _after_submission(self, delivery: Delivery, view: View) -> Delivery:
        stack = [opened for opened in self._workspace.views if opened.body["id"] == view.id]
        if not delivery.ok or not stack:
            # Slack leaves the modal open and says that it had trouble connecting.
            return delivery
        try:
            self._respond(delivery.body or {}, stack[0])
        except SlackError as refusal:
            wrong = f"{refusal.code}: {refusal.details}"
            return replace(delivery, receipt=Receipt(delivery.status, delivery.body, delivery.elapsed, wrong))
        return delivery

    def _respond(self, answer: Body, current: OpenView) -> None:
        workspace, action = self._workspace, answer.get("response_action")
        if action in ("update", "push"):
            check_view(answer.get("view"), "modal")
        if action == "errors":
            _check_errors(answer.get("errors"), current.body["blocks"])
        elif action == "update":
            views.replace(workspace, current, answer["view"])
        elif action == "push":
            views.shown(workspace, self.id, answer["view"])
        elif action == "clear":
            views.close_all(workspace, self.id)
        elif action is None:
            workspace.views.remove(current)


def _check_errors(errors: Json, blocks: list[Body]) -> None:
    """A modal shows errors at its input blocks only; for any other Slack says it had trouble connecting."""
    inputs = {block["block_id"] for block in blocks if block["type"] == "input"}
    astray = sorted(errors.keys() - inputs) if isinstance(errors, dict) else ["errors"]
    if astray or not errors:
        raise SlackError("invalid_errors", blocks=astray)

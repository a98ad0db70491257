"""chat.*: posting, editing, deleting, ephemerals, permalinks."""

from __future__ import annotations

import copy

from tests.loopback.slack.blocks import check_message_blocks, with_ids
from tests.loopback.slack.exchange import Entry, Exchange
from tests.loopback.slack.state import Channel, Workspace
from tests.loopback.slack.wire import Body, Json, SlackError

TEXT_CHARACTERS = 40_000
MARKDOWN_CHARACTERS = 12_000


def content(workspace: Workspace, arguments: Body) -> Body:
    """`text` and `blocks` of a message as Slack stores them; raises what Slack refuses."""
    text = arguments.get("text") or ""
    blocks: Json = arguments.get("blocks")
    markdown = arguments.get("markdown_text")
    if markdown is not None:
        if text or blocks:
            raise SlackError("markdown_text_conflict")
        if len(markdown) > MARKDOWN_CHARACTERS:
            raise SlackError("msg_too_long")
        text, blocks = markdown, [{"type": "markdown", "text": markdown}]
    if blocks not in (None, [], ""):
        check_message_blocks(blocks)
    elif not text and not arguments.get("attachments"):
        raise SlackError("no_text")
    if len(text) > TEXT_CHARACTERS:
        raise SlackError("msg_too_long")
    stored: Body = {"text": text}
    if blocks:
        stored["blocks"] = with_ids(blocks, workspace.next_id)
    if arguments.get("metadata"):
        stored["metadata"] = arguments["metadata"]
    return stored


def from_bot(workspace: Workspace, ts: str) -> Body:
    """What marks a message as the app's."""
    return {
        "type": "message",
        "user": workspace.bot_user,
        "ts": ts,
        "bot_id": workspace.bot_id,
        "app_id": workspace.app_id,
        "team": workspace.team_id,
        "bot_profile": {
            "id": workspace.bot_id,
            "app_id": workspace.app_id,
            "name": "crewdeck",
            "team_id": workspace.team_id,
            "deleted": False,
        },
    }


def message_event(message: Body, channel: Channel) -> Body:
    """A stored message as the `message` event that tells of it."""
    return {
        **copy.deepcopy(message),
        "channel": channel.id,
        "channel_type": channel.kind,
        "event_ts": message["ts"],
    }


def changed_event(workspace: Workspace, channel: Channel, before: Body, after: Body) -> Body:
    ts = workspace.next_ts()
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "message": copy.deepcopy(after),
        "previous_message": before,
        "channel": channel.id,
        "channel_type": channel.kind,
        "ts": ts,
        "event_ts": ts,
    }


def remove(workspace: Workspace, channel: Channel, message: Body) -> Body:
    """Takes a message away; returns the event that tells of it.

    A parent with replies leaves a tombstone, and Slack says that it was changed to that.
    """
    before = copy.deepcopy(message)
    if len(channel.thread(message["ts"])) > 1:
        tombstone = {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "hidden": True}
        kept = {"ts": message["ts"], "thread_ts": message["ts"], "text": "This message was deleted."}
        channel.messages[message["ts"]] = {**tombstone, **kept}
        return changed_event(workspace, channel, before, channel.messages[message["ts"]])
    del channel.messages[message["ts"]]
    ts = workspace.next_ts()
    return {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "deleted_ts": before["ts"],
        "previous_message": before,
        "channel": channel.id,
        "channel_type": channel.kind,
        "ts": ts,
        "event_ts": ts,
    }


def in_thread(channel: Channel, message: Body, thread_ts: Json, broadcast: Json = None) -> None:
    """Puts a new message into a thread; raises `thread_not_found`."""
    if not thread_ts:
        return
    parent = channel.messages.get(str(thread_ts))
    if parent is None:
        raise SlackError("thread_not_found")
    parent.setdefault("thread_ts", parent["ts"])
    message["thread_ts"] = str(thread_ts)
    if parent.get("user"):
        message["parent_user_id"] = parent["user"]
    if broadcast not in (None, "", "0", "false", 0, False):
        message["subtype"] = "thread_broadcast"
        message["root"] = copy.deepcopy(parent)


def post_message(exchange: Exchange) -> Body:
    workspace, channel = exchange.workspace, exchange.writable()
    stored = content(workspace, exchange.arguments)
    message = {**from_bot(workspace, workspace.next_ts()), **stored}
    in_thread(channel, message, exchange.get("thread_ts"), exchange.get("reply_broadcast"))
    channel.messages[message["ts"]] = message
    exchange.emit(workspace, message_event(message, channel), channel)
    return {"channel": channel.id, "ts": message["ts"], "message": copy.deepcopy(message)}


def update(exchange: Exchange) -> Body:
    workspace, channel = exchange.workspace, exchange.readable()
    message = channel.messages.get(str(exchange.required("ts")))
    if message is None:
        raise SlackError("message_not_found")
    if message.get("bot_id") != workspace.bot_id:
        raise SlackError("cant_update_message")
    if channel.archived:
        raise SlackError("is_inactive")
    before = copy.deepcopy(message)
    stored = content(workspace, exchange.arguments)
    # Text without blocks takes the blocks away; blocks without text keep the text.
    if exchange.get("text") or exchange.get("markdown_text"):
        message.pop("blocks", None)
    else:
        stored.pop("text")
    message.update(stored)
    if "blocks" not in message:
        message["edited"] = {"user": workspace.bot_user, "ts": workspace.next_ts()}
    exchange.emit(workspace, changed_event(workspace, channel, before, message), channel)
    answer = {"channel": channel.id, "ts": message["ts"], "text": message["text"]}
    return {**answer, "message": copy.deepcopy(message)}


def delete(exchange: Exchange) -> Body:
    workspace, channel = exchange.workspace, exchange.readable()
    message = channel.messages.get(str(exchange.required("ts")))
    if message is None:
        raise SlackError("message_not_found")
    if message.get("bot_id") != workspace.bot_id:
        raise SlackError("cant_delete_message")
    exchange.emit(workspace, remove(workspace, channel, message), channel)
    return {"channel": channel.id, "ts": message["ts"]}


def post_ephemeral(exchange: Exchange) -> Body:
    workspace, channel = exchange.workspace, exchange.writable()
    user = str(exchange.required("user"))
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    stored = content(workspace, exchange.arguments)
    message = {
        **from_bot(workspace, workspace.next_ts()),
        **stored,
        "channel": channel.id,
        "is_ephemeral": True,
    }
    in_thread(channel, message, exchange.get("thread_ts"))
    workspace.ephemerals.append((user, message))
    return {"message_ts": message["ts"]}


def get_permalink(exchange: Exchange) -> Body:
    channel = exchange.readable()
    ts = str(exchange.required("message_ts"))
    if ts not in channel.messages:
        raise SlackError("message_not_found")
    return {"channel": channel.id, "permalink": exchange.workspace.permalink(channel.id, ts)}


METHODS = {
    "chat.postMessage": Entry(post_message, "chat:write"),
    "chat.update": Entry(update, "chat:write"),
    "chat.delete": Entry(delete, "chat:write"),
    "chat.postEphemeral": Entry(post_ephemeral, "chat:write"),
    "chat.getPermalink": Entry(get_permalink),
}

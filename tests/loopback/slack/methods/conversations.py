"""conversations.*: what was said, where, and who is there."""

from __future__ import annotations

import base64
import copy
from typing import Any

from tests.loopback.slack.exchange import Entry, Exchange
from tests.loopback.slack.state import Channel
from tests.loopback.slack.wire import Body, Json, SlackError

HISTORY_SCOPES = {
    "channel": "channels:history",
    "group": "groups:history",
    "im": "im:history",
    "mpim": "mpim:history",
}


def open_conversation(exchange: Exchange) -> Body:
    users = [user for user in str(exchange.required("users")).split(",") if user]
    workspace = exchange.workspace
    if len(users) == 1:
        channel = workspace.open_im(users[0])
    else:
        members = {*users, workspace.bot_user}
        known = (c for c in workspace.channels.values() if c.kind == "mpim" and c.members == members)
        channel = next(known, None) or workspace.add_channel(
            Channel(workspace.next_id("G"), "mpdm", "mpim", members)
        )
    return {"channel": {"id": channel.id}}


def info(exchange: Exchange) -> Body:
    workspace = exchange.workspace
    channel = workspace.channel(str(exchange.required("channel")))
    member = workspace.bot_user in channel.members
    if channel.kind != "channel" and not member:
        raise SlackError("channel_not_found")
    return {"channel": {**channel.to_api(), "is_member": member}}


def members(exchange: Exchange) -> Body:
    channel = exchange.readable()
    page, cursor = _page(sorted(channel.members), exchange)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def replies(exchange: Exchange) -> Body:
    channel = _history_of(exchange)
    ts = str(exchange.required("ts"))
    if ts not in channel.messages:
        raise SlackError("thread_not_found")
    parent, *rest = channel.thread(ts)
    # Slack returns the parent whatever `oldest` says.
    wanted = [with_thread_figures(channel, parent), *(m for m in rest if _within(m, exchange))]
    page, cursor = _page(wanted, exchange)
    return {"messages": copy.deepcopy(page), **_more(cursor)}


def history(exchange: Exchange) -> Body:
    channel = _history_of(exchange)
    shown = [m for m in channel.messages.values() if _in_channel(m) and _within(m, exchange)]
    newest_first = [with_thread_figures(channel, message) for message in reversed(shown)]
    page, cursor = _page(newest_first, exchange)
    return {"messages": copy.deepcopy(page), "pin_count": 0, **_more(cursor)}


def with_thread_figures(channel: Channel, message: Body) -> Body:
    answers = channel.thread(message["ts"])[1:]
    if not answers:
        return message
    users = list(dict.fromkeys(answer["user"] for answer in answers if answer.get("user")))
    return {
        **message,
        "thread_ts": message["ts"],
        "reply_count": len(answers),
        "reply_users": users,
        "reply_users_count": len(users),
        "latest_reply": answers[-1]["ts"],
        "is_locked": False,
    }


def _history_of(exchange: Exchange) -> Channel:
    channel = exchange.readable()
    needed = HISTORY_SCOPES[channel.kind]
    if needed not in exchange.workspace.scopes:
        provided = ",".join(sorted(exchange.workspace.scopes))
        raise SlackError("missing_scope", needed=needed, provided=provided)
    return channel


def _in_channel(message: Body) -> bool:
    return message.get("thread_ts", message["ts"]) == message["ts"] or (
        message.get("subtype") == "thread_broadcast"
    )


def _within(message: Body, exchange: Exchange) -> bool:
    ts = _moment(message["ts"])
    oldest, latest = _moment(exchange.get("oldest") or "0"), exchange.get("latest")
    newest = _moment(latest) if latest else (2**62, 0)
    if exchange.get("inclusive") in (True, "true", "1"):
        return oldest <= ts <= newest
    return oldest < ts < newest


def _moment(ts: Json) -> tuple[int, int]:
    seconds, _, fraction = str(ts).partition(".")
    return int(seconds), int(fraction.ljust(6, "0") or 0)


def _page(wanted: list[Any], exchange: Exchange) -> tuple[list[Any], str]:
    limit = int(exchange.get("limit") or 100)
    if not 1 <= limit <= 1000:
        raise SlackError("invalid_limit")
    start = _decoded(exchange.get("cursor"))
    following = start + limit
    return wanted[start:following], _encoded(following) if following < len(wanted) else ""


def _encoded(offset: int) -> str:
    return base64.b64encode(f"next:{offset}".encode()).decode()


def _decoded(cursor: Json) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(str(cursor)).decode().removeprefix("next:"))
    except ValueError:
        raise SlackError("invalid_cursor") from None


def _more(cursor: str) -> Body:
    if not cursor:
        return {"has_more": False}
    return {"has_more": True, "response_metadata": {"next_cursor": cursor}}


METHODS = {
    "conversations.open": Entry(open_conversation, "im:write"),
    "conversations.info": Entry(info),
    "conversations.members": Entry(members),
    "conversations.replies": Entry(replies),
    "conversations.history": Entry(history),
}

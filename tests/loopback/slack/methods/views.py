"""views.*: modals on people's screens, and their App Home."""

from __future__ import annotations

import copy
from typing import Literal

from tests.loopback.slack.blocks import check_view, with_ids
from tests.loopback.slack.exchange import Entry, Exchange
from tests.loopback.slack.state import OpenView, Workspace
from tests.loopback.slack.wire import Body, SlackError

STACK = 3


def open_view(exchange: Exchange) -> Body:
    check_view(exchange.required("view"), "modal")
    user = exchange.workspace.use_trigger(str(exchange.required("trigger_id")))
    close_all(exchange.workspace, user)
    return {"view": shown(exchange.workspace, user, exchange.get("view"))}


def push_view(exchange: Exchange) -> Body:
    check_view(exchange.required("view"), "modal")
    user = exchange.workspace.use_trigger(str(exchange.required("trigger_id")))
    return {"view": shown(exchange.workspace, user, exchange.get("view"))}


def update_view(exchange: Exchange) -> Body:
    workspace = exchange.workspace
    current = _find(workspace, exchange.get("view_id"), exchange.get("external_id"))
    if exchange.get("hash") not in (None, current.body["hash"]):
        raise SlackError("hash_conflict")
    check_view(exchange.required("view"), "modal")
    return {"view": replace(workspace, current, exchange.get("view"))}


def publish_view(exchange: Exchange) -> Body:
    workspace, user = exchange.workspace, str(exchange.required("user_id"))
    if user not in workspace.users:
        raise SlackError("user_not_found")
    check_view(exchange.required("view"), "home")
    before = workspace.homes.get(user)
    if before and exchange.get("hash") not in (None, before["hash"]):
        raise SlackError("hash_conflict")
    body = stored(workspace, exchange.get("view"), "home")
    if before:
        body["id"] = body["root_view_id"] = before["id"]
    workspace.homes[user] = body
    return {"view": copy.deepcopy(body)}


def shown(workspace: Workspace, user: str, view: Body) -> Body:
    """Puts a modal on top of a person's stack; returns it as Slack stores it. Raises `push_limit_reached`."""
    stack = [opened for opened in workspace.views if opened.user == user]
    if len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    body = stored(workspace, view, "modal")
    if stack:
        body["previous_view_id"] = stack[-1].body["id"]
        body["root_view_id"] = stack[0].body["id"]
    workspace.views.append(OpenView(body, user))
    return copy.deepcopy(body)


def replace(workspace: Workspace, current: OpenView, view: Body) -> Body:
    """The same modal with new content; what was typed into it is the screen's, not ours, to keep."""
    kept = {key: current.body[key] for key in ("id", "root_view_id", "previous_view_id")}
    current.body = {**stored(workspace, view, "modal"), **kept}
    return copy.deepcopy(current.body)


def close_all(workspace: Workspace, user: str) -> None:
    workspace.views = [opened for opened in workspace.views if opened.user != user]


def stored(workspace: Workspace, view: Body, kind: Literal["modal", "home"]) -> Body:
    view_id = workspace.next_id("V")
    return {
        "id": view_id,
        "team_id": workspace.team_id,
        "private_metadata": "",
        "callback_id": "",
        "state": {"values": {}},
        "title": {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": False,
        "notify_on_close": False,
        "close": None,
        "submit": None,
        "previous_view_id": None,
        "app_id": workspace.app_id,
        "external_id": "",
        "app_installed_team_id": workspace.team_id,
        "bot_id": workspace.bot_id,
        **view,
        "type": kind,
        "blocks": with_ids(view["blocks"], workspace.next_id),
        "hash": f"{workspace.next_ts()}.{view_id}",
        "root_view_id": view_id,
    }


def _find(workspace: Workspace, view_id: str | None, external_id: str | None) -> OpenView:
    for opened in workspace.views:
        if view_id and opened.body["id"] == view_id:
            return opened
        if external_id and opened.body["external_id"] == external_id:
            return opened
    raise SlackError("not_found")


METHODS = {
    "views.open": Entry(open_view),
    "views.push": Entry(push_view),
    "views.update": Entry(update_view),
    "views.publish": Entry(publish_view),
}

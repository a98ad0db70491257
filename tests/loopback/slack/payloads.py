"""The payloads that Slack sends, field by field as its reference documents them."""

from __future__ import annotations

import uuid

from tests.loopback.slack.shown import Message, Shown, View
from tests.loopback.slack.state import Channel, User, Workspace
from tests.loopback.slack.values import state_values
from tests.loopback.slack.wire import Body

VERIFICATION_TOKEN = "loopback-verification-token"
CHANNEL_NAMES = {"im": "directmessage", "group": "privategroup"}


def slash_command(
    workspace: Workspace, user: User, channel: Channel, words: tuple[str, str], response_url: str
) -> Body:
    """The form fields of a slash command; `words` is the command and its text."""
    return {
        "token": VERIFICATION_TOKEN,
        # Of who typed it: in a channel of Slack Connect that may be another workspace.
        "team_id": user.team_id,
        "team_domain": user.team_id.lower(),
        "channel_id": channel.id,
        "channel_name": CHANNEL_NAMES.get(channel.kind, channel.name),
        "user_id": user.id,
        "user_name": user.name.lower(),
        "command": words[0],
        "text": words[1],
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": workspace.new_trigger(user.id),
    }


def block_actions(
    workspace: Workspace, user: User, shown: Shown, act: tuple[Body, Body], response_url: str | None
) -> Body:
    """A press or a choice; `act` is the block and what was done in it (`acted`)."""
    block, action = act
    body: Body = {
        "type": "block_actions",
        **_who(workspace, user),
        "trigger_id": workspace.new_trigger(user.id),
        "state": {"values": state_values(shown.blocks, {block["block_id"]: action})},
        "actions": [action],
    }
    if response_url is not None:
        body["response_url"] = response_url
    if isinstance(shown, Message):
        body |= _message_context(workspace, shown)
    elif isinstance(shown, View):
        body |= {"container": {"type": "view", "view_id": shown.id}, "view": shown.body}
    return body


def _message_context(workspace: Workspace, message: Message) -> Body:
    channel = workspace.channels[message.channel]
    container: Body = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.ephemeral,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    name = CHANNEL_NAMES.get(channel.kind, channel.name)
    context: Body = {"container": container, "channel": {"id": channel.id, "name": name}}
    if not message.ephemeral:
        # Slack doesn't keep ephemeral messages, so it can't send them back.
        context["message"] = message.body
    return context


def view_submission(workspace: Workspace, user: User, view: Body) -> Body:
    return {
        "type": "view_submission",
        **_who(workspace, user),
        "trigger_id": workspace.new_trigger(user.id),
        "view": view,
        "response_urls": [],
    }


def view_closed(workspace: Workspace, user: User, view: Body, *, cleared: bool) -> Body:
    return {"type": "view_closed", **_who(workspace, user), "view": view, "is_cleared": cleared}


def acted(block: Body, element: Body, ts: str, chosen: Body | None = None) -> Body:
    """One entry of `actions`: a button's value, or the chosen option."""
    action: Body = {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "type": element["type"],
        "action_ts": ts,
    }
    for key in ("text", "value", "style", "url"):
        if key in element and element["type"] == "button":
            action[key] = element[key]
    if chosen is not None:
        many = element["type"] == "checkboxes" or element["type"].startswith("multi_")
        action |= {"selected_options": [chosen]} if many else {"selected_option": chosen}
        if "placeholder" in element:
            action["placeholder"] = element["placeholder"]
    return action


def event_callback(workspace: Workspace, event: Body, channel: Channel | None) -> Body:
    """The envelope around every event of the Events API."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "context_team_id": workspace.team_id,
        "context_enterprise_id": None,
        "api_app_id": workspace.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{uuid.uuid4().hex[:10].upper()}",
        "event_time": int(workspace.clock()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": workspace.team_id,
                "user_id": workspace.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": bool(channel and channel.shared),
        "event_context": f"4-{uuid.uuid4().hex}",
    }


def user_message(workspace: Workspace, user: User, text: str, ts: str) -> Body:
    """What a person typed, as a message is stored."""
    words: list[Body] = [{"type": "text", "text": text}]
    message: Body = {
        "type": "message",
        "user": user.id,
        "ts": ts,
        "client_msg_id": str(uuid.uuid4()),
        "text": text,
        "team": user.team_id,
        "blocks": [
            {
                "type": "rich_text",
                "block_id": workspace.next_id("bl"),
                "elements": [{"type": "rich_text_section", "elements": words}],
            }
        ],
    }
    if user.is_bot:
        del message["client_msg_id"]
        message["bot_id"] = "B" + user.id.removeprefix("U")
    if user.team_id != workspace.team_id:
        message |= {"user_team": user.team_id, "source_team": user.team_id}
    return message


def _who(workspace: Workspace, user: User) -> Body:
    return {
        # Of who acted: in a channel of Slack Connect that may be another workspace.
        "team": {"id": user.team_id, "domain": user.team_id.lower()},
        "user": {
            "id": user.id,
            "username": user.name.lower(),
            "name": user.name.lower(),
            "team_id": user.team_id,
        },
        "api_app_id": workspace.app_id,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }

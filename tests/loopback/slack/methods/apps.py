"""auth.test, apps.connections.open, users.info, bots.info, reactions: who is who."""

from __future__ import annotations

from tests.loopback.slack.exchange import Entry, Exchange
from tests.loopback.slack.wire import Body, SlackError


def auth_test(exchange: Exchange) -> Body:
    workspace = exchange.workspace
    return {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.domain,
        "user": "crewdeck",
        "team_id": workspace.team_id,
        "user_id": workspace.bot_user,
        "bot_id": workspace.bot_id,
        "app_id": workspace.app_id,
        "is_enterprise_install": False,
    }


def connections_open(exchange: Exchange) -> Body:
    return {"url": exchange.new_socket_url()}


def users_info(exchange: Exchange) -> Body:
    user = exchange.workspace.users.get(str(exchange.required("user")))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user.to_api()}


def bots_info(exchange: Exchange) -> Body:
    workspace = exchange.workspace
    if exchange.get("bot", workspace.bot_id) != workspace.bot_id:
        raise SlackError("bot_not_found")
    return {
        "bot": {
            "id": workspace.bot_id,
            "deleted": False,
            "name": "crewdeck",
            "updated": 1_700_000_000,
            "app_id": workspace.app_id,
            "user_id": workspace.bot_user,
            "icons": {},
        }
    }


def reactions_add(exchange: Exchange) -> Body:
    name = exchange.required("name")
    message = exchange.readable().messages.get(str(exchange.required("timestamp")))
    if message is None:
        raise SlackError("message_not_found")
    reactions = message.setdefault("reactions", [])
    if any(reaction["name"] == name for reaction in reactions):
        raise SlackError("already_reacted")
    reactions.append({"name": name, "users": [exchange.workspace.bot_user], "count": 1})
    return {}


def reactions_remove(exchange: Exchange) -> Body:
    message = exchange.readable().messages.get(str(exchange.required("timestamp")))
    if message is None:
        raise SlackError("message_not_found")
    kept = [r for r in message.get("reactions", []) if r["name"] != exchange.required("name")]
    if len(kept) == len(message.get("reactions", [])):
        raise SlackError("no_reaction")
    message["reactions"] = kept
    return {}


METHODS = {
    "auth.test": Entry(auth_test),
    "apps.connections.open": Entry(connections_open, token="app"),
    "users.info": Entry(users_info, "users:read"),
    "bots.info": Entry(bots_info, "users:read"),
    "reactions.add": Entry(reactions_add, "reactions:write"),
    "reactions.remove": Entry(reactions_remove, "reactions:write"),
}

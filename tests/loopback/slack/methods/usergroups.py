"""usergroups.list and usergroups.users.list: groups that the tests put into `Workspace.user_groups`."""

from __future__ import annotations

from tests.loopback.slack.exchange import Entry, Exchange
from tests.loopback.slack.wire import Body, SlackError


def list_groups(exchange: Exchange) -> Body:
    groups = exchange.workspace.user_groups.values()
    with_users = bool(exchange.get("include_users")) and exchange.get("include_users") not in ("0", "false")
    listed = [each.to_api(with_users=with_users) for each in groups if not each.disabled]
    return {"usergroups": listed}


def list_users(exchange: Exchange) -> Body:
    group = exchange.workspace.user_groups.get(str(exchange.required("usergroup")))
    if group is None or group.disabled:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


METHODS = {
    "usergroups.list": Entry(list_groups, "usergroups:read"),
    "usergroups.users.list": Entry(list_users, "usergroups:read"),
}

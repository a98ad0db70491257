"""One Web API request as a method sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.loopback.slack.state import Channel, Workspace
from tests.loopback.slack.wire import Body, Json, SlackError

#: Tells the rest of Slack what happened: an event of the Events API, and the channel it happened in.
Emit = Callable[[Workspace, Body, Channel], None]


@dataclass(frozen=True)
class Exchange:
    """Who calls, with what, and where effects go."""

    workspace: Workspace
    arguments: Body
    #: http://127.0.0.1:PORT and ws://127.0.0.1:PORT
    http_url: str
    emit: Emit
    new_socket_url: Callable[[], str]

    def get(self, name: str, default: Json = None) -> Json:
        return self.arguments.get(name, default)

    def required(self, name: str) -> Json:
        """The argument; raises `invalid_arguments` where it is absent or empty."""
        value = self.arguments.get(name)
        if value in (None, ""):
            messages = [f"[ERROR] missing required field: {name}"]
            raise SlackError("invalid_arguments", response_metadata={"messages": messages})
        return value

    def readable(self, name: str = "channel") -> Channel:
        """The channel that the argument names, if the app may read it."""
        channel = self.workspace.channel(str(self.required(name)))
        if self.workspace.bot_user not in channel.members:
            raise SlackError("not_in_channel" if channel.kind == "channel" else "channel_not_found")
        return channel

    def writable(self, name: str = "channel") -> Channel:
        """The channel that the argument names, if the app may post to it; a user id is their im."""
        given = str(self.required(name))
        if given in self.workspace.users:
            return self.workspace.open_im(given)
        channel = self.readable(name)
        if channel.archived:
            raise SlackError("is_archived")
        return channel


Method = Callable[[Exchange], Body]


@dataclass(frozen=True)
class Entry:
    """A method of the Web API: what runs, the scope it needs, the kind of token it takes."""

    run: Method
    scope: str | None = None
    token: Literal["bot", "app"] = "bot"

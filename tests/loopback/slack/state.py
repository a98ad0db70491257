"""What a workspace holds: users, channels and their messages, views, files, triggers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.loopback.slack.wire import Body, SlackError

Clock = Callable[[], float]
Kind = Literal["channel", "group", "im", "mpim"]

TRIGGER_SECONDS = 3.0
"""How long Slack lets an app open a view for what a person did."""


@dataclass(frozen=True)
class User:
    """A person or a bot as users.info shows it."""

    id: str
    name: str
    team_id: str
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False

    def to_api(self) -> Body:
        return {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name.lower(),
            "real_name": self.name,
            "deleted": self.deleted,
            "tz": "Europe/London",
            "tz_label": "Greenwich Mean Time",
            "tz_offset": 0,
            "is_admin": False,
            "is_owner": False,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
            "profile": {"real_name": self.name, "display_name": self.name, "team": self.team_id},
        }


@dataclass
class Channel:
    """A conversation of any kind; its messages by ts, oldest first."""

    id: str
    name: str
    kind: Kind = "channel"
    members: set[str] = field(default_factory=set)
    archived: bool = False
    shared: bool = False
    messages: dict[str, Body] = field(default_factory=dict)

    def to_api(self) -> Body:
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": self.kind == "channel",
            "is_group": self.kind == "group",
            "is_im": self.kind == "im",
            "is_mpim": self.kind == "mpim",
            "is_private": self.kind != "channel",
            "is_archived": self.archived,
            "is_ext_shared": self.shared,
            "num_members": len(self.members),
        }

    def thread(self, ts: str) -> list[Body]:
        """The parent and its replies, oldest first."""
        return [m for m in self.messages.values() if m["ts"] == ts or m.get("thread_ts") == ts]


@dataclass
class Trigger:
    user: str
    expires: float
    used: bool = False


@dataclass
class OpenView:
    """A modal on a person's screen; the last one of its stack is what they see."""

    body: Body
    user: str


@dataclass
class Upload:
    id: str
    name: str
    length: int
    title: str = ""
    content: bytes = b""
    channel: str | None = None
    thread_ts: str | None = None


@dataclass
class UserGroup:
    """A user group as usergroups.list shows it."""

    id: str
    handle: str
    users: list[str]
    disabled: bool = False

    def to_api(self, *, with_users: bool) -> Body:
        shown: Body = {
            "id": self.id,
            "handle": self.handle,
            "name": self.handle,
            "user_count": len(self.users),
        }
        return shown | {"date_delete": 0} | ({"users": list(self.users)} if with_users else {})


class Workspace:
    """One team, the app installed in it, and everything that was said there."""

    def __init__(
        self, team_id: str, bot_token: str, scopes: set[str], trigger_seconds: float, clock: Clock = time.time
    ) -> None:
        self.team_id = team_id
        self.domain = team_id.lower()
        self.bot_token = bot_token
        self.scopes = scopes
        self.app_id = "A0CREW"
        self.bot_id = "B0CREWBOT"
        self.bot_user = "U0CREWBOT"
        self.revoked = False
        self.trigger_seconds = trigger_seconds
        self.clock = clock
        self.users: dict[str, User] = {self.bot_user: User(self.bot_user, "crewdeck", team_id, is_bot=True)}
        self.channels: dict[str, Channel] = {}
        #: (user, message) of everything shown to one person only, oldest first.
        self.ephemerals: list[tuple[str, Body]] = []
        self.views: list[OpenView] = []
        self.user_groups: dict[str, UserGroup] = {}
        self.homes: dict[str, Body] = {}
        self.uploads: dict[str, Upload] = {}
        self.triggers: dict[str, Trigger] = {}
        self._last_ts = 0
        self._numbers = itertools.count(1)

    def next_ts(self) -> str:
        """A message timestamp: unique in the workspace and later than all before it."""
        self._last_ts = max(self._last_ts + 1, int(self.clock() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def set_back(self, seconds: float) -> None:
        """From now on the workspace's clock is so far behind."""
        self.clock = lambda: time.time() - seconds
        self._last_ts = 0

    def next_id(self, prefix: str) -> str:
        return f"{prefix}0{next(self._numbers):08d}"

    def add_channel(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        return channel

    def channel(self, channel_id: str) -> Channel:
        """The channel of this id; raises `channel_not_found`."""
        if channel_id not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[channel_id]

    def open_im(self, user: str) -> Channel:
        """The direct conversation of the app with a person, made when it is first needed."""
        if user not in self.users:
            raise SlackError("user_not_found")
        members = {user, self.bot_user}
        known = (c for c in self.channels.values() if c.kind == "im" and c.members == members)
        return next(known, None) or self.add_channel(
            Channel("D" + user.removeprefix("U"), "directmessage", "im", members)
        )

    def new_trigger(self, user: str) -> str:
        trigger_id = f"{next(self._numbers)}.{self.team_id}.loopback"
        self.triggers[trigger_id] = Trigger(user, self.clock() + self.trigger_seconds)
        return trigger_id

    def use_trigger(self, trigger_id: str) -> str:
        """The person whose act made the trigger; it opens one view, while it lives."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if self.clock() > trigger.expires:
            raise SlackError("expired_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        trigger.used = True
        return trigger.user

    def permalink(self, channel: str, ts: str) -> str:
        return f"https://{self.domain}.slack.com/archives/{channel}/p{ts.replace('.', '')}"

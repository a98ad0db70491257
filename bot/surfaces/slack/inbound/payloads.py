"""What Slack delivers, as frozen values with only the fields that are used. Everything else is ignored.

A payload that lacks what is needed raises pydantic's ValidationError; the desk answers it with 400.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Payload(BaseModel):
    """What all payloads have in common: nothing that isn't used."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Command(Payload):
    """A slash command."""

    team_id: str
    channel_id: str
    user_id: str
    command: str
    text: str = ""
    trigger_id: str
    response_url: str = ""

    @property
    def key(self) -> str:
        """Names this delivery, however often it arrives."""
        return f"slack:{self.team_id}:command:{self.trigger_id}"


class Named(Payload):
    """Anything of which only the id is needed."""

    id: str


class Presser(Named):
    """Who pressed."""

    team_id: str = ""


class Container(Payload):
    """Where the thing is that was pressed on."""

    message_ts: str = ""
    channel_id: str = ""
    thread_ts: str = ""
    is_ephemeral: bool = False


class Chosen(Payload):
    """An option of a select."""

    value: str


class Act(Payload):
    """One thing that was pressed or chosen."""

    action_id: str
    action_ts: str = ""
    value: str = ""
    url: str = ""
    selected_option: Chosen | None = None

    @property
    def has_link(self) -> bool:
        """A button that only opens a link is delivered as well."""
        return bool(self.url)

    @property
    def target(self) -> str:
        """The value of what was pressed or chosen."""
        return self.selected_option.value if self.selected_option else self.value


class PressedMessage(Payload):
    """The message that was pressed on."""

    ts: str
    thread_ts: str = ""


class State(Payload):
    """What a submitted modal holds."""

    #: block_id, action_id, and what the element says.
    values: dict[str, dict[str, dict[str, Any]]] = {}


class View(Named):
    """A modal, or a Home tab."""

    callback_id: str = ""
    #: The workspace whose installation of the app opened it.
    app_installed_team_id: str | None = None
    private_metadata: str = ""
    state: State = State()
    blocks: list[dict[str, Any]] = []

    @property
    def installation(self) -> str:
        """The same, empty where Slack names none."""
        return self.app_installed_team_id or ""

    @property
    def first_input(self) -> str:
        """The block_id at which something about the whole modal can be said."""
        ids = (str(block.get("block_id", "")) for block in self.blocks if block.get("type") == "input")
        return next(ids, "")


class Press(Payload):
    """A press of a button, or a choice in a select."""

    team: Named
    user: Presser
    actions: list[Act] = Field(min_length=1)
    trigger_id: str = ""
    response_url: str = ""
    container: Container = Container()
    message: PressedMessage | None = None
    #: The modal or Home tab that was pressed in, if it was not a message.
    view: View | None = None

    @property
    def act(self) -> Act:
        return self.actions[0]

    @property
    def key(self) -> str:
        return f"slack:{self.team.id}:press:{self.user.id}:{self.act.action_ts or self.trigger_id}"

    @property
    def installation(self) -> str:
        """The workspace whose installation of the app showed what was pressed on, where Slack names it."""
        return self.view.installation if self.view else ""

    @property
    def thread(self) -> str:
        """Where a private answer belongs: the thread of the message, if it is in one."""
        return self.container.thread_ts or (self.message.thread_ts if self.message else "")


class Submission(Payload):
    """A modal that was submitted. A modal acts once, so its id names the delivery."""

    team: Named
    user: Presser
    view: View
    trigger_id: str = ""

    @property
    def key(self) -> str:
        return f"slack:{self.team.id}:view:{self.view.id}"


class Authorization(Payload):
    """Whom an event was delivered for."""

    team_id: str | None = None
    user_id: str = ""
    is_bot: bool = False


class Attached(Payload):
    """A file that came with a message."""

    name: str = ""
    title: str = ""


class Said(Payload):
    """A message, or a mention of the app: both are delivered of one message, with the same channel and ts."""

    type: str
    subtype: str | None = None
    channel: str = ""
    channel_type: str = ""
    ts: str = ""
    thread_ts: str | None = None
    user: str = ""
    user_team: str = ""
    bot_id: str | None = None
    app_id: str | None = None
    hidden: bool = False
    text: str = ""
    files: tuple[Attached, ...] = ()
    blocks: tuple[dict[str, Any], ...] | None = None

    @property
    def human(self) -> bool:
        """Did a person write this just now? Not so: edits, deletions, joins, bots, ourselves."""
        kinds = {None, "file_share", "thread_broadcast"}
        return self.subtype in kinds and not self.hidden and not self.bot_id and bool(self.user and self.ts)

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts


class Event(Payload):
    """The envelope of the Events API."""

    team_id: str
    event_id: str = ""
    authorizations: tuple[Authorization, ...] = ()
    event: dict[str, Any]

    @property
    def team(self) -> str:
        """The workspace that the app is installed in; in shared channels the other one may be `team_id`."""
        return next((each.team_id for each in self.authorizations if each.team_id), self.team_id)

    @property
    def app_user(self) -> str:
        """The app's own user, as the envelope names it; empty if it does not."""
        return next((each.user_id for each in self.authorizations if each.is_bot), "")

    @property
    def said(self) -> Said:
        return Said.model_validate(self.event)


class Opened(Payload):
    """Somebody opened one of the app's tabs."""

    user: str
    tab: str = "home"


class Changed(Payload):
    """Something about a person changed: their profile, what they may, whether they are there at all."""

    user: Named


class Tokens(Payload):
    """Tokens by whose they are."""

    bot: tuple[str, ...] = ()


class Revoked(Payload):
    """Tokens stopped working."""

    tokens: Tokens = Tokens()

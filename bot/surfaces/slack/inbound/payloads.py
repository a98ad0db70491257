"""Slack's payloads as frozen values with the fields that are used, and the neutral values made of them.

A payload that lacks what is needed raises pydantic's ValidationError, which is answered with 400.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field

from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.inbound.interactions import FormSubmission, IncomingMessage, Press, ReplyTarget
from bot.surfaces.chat.message_keys import Posted
from bot.surfaces.slack.inbound import emoji, words
from bot.surfaces.slack.webapi.files import SlackFile

log = structlog.get_logger(__name__)


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
        """Names this request, however often it arrives."""
        return f"slack:{self.team_id}:command:{self.trigger_id}"

    @property
    def reply_to(self) -> ReplyTarget:
        return ReplyTarget(self.team_id, self.user_id, self.channel_id, reply_url=self.response_url)


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
    """What a modal's or a message's elements hold."""

    #: block_id, action_id, and what the element says.
    values: dict[str, dict[str, dict[str, Any]]] = {}


def _ticked(state: State) -> Iterator[str]:
    """The values of all options of checkboxes that are ticked."""
    for answered in state.values.values():
        for element in answered.values():
            if element.get("type") == "checkboxes":
                yield from (str(each.get("value", "")) for each in element.get("selected_options") or ())


class View(Named):
    """A modal, or a Home tab."""

    type: str = ""
    callback_id: str = ""
    #: Names what it shows: another one for each step of a form.
    hash: str = ""
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


class BlockAction(Payload):
    """A press of a button, or a choice in a select."""

    team: Named
    user: Presser
    actions: list[Act] = Field(min_length=1)
    trigger_id: str = ""
    response_url: str = ""
    container: Container = Container()
    #: What this person has chosen and ticked in the message or modal.
    state: State = State()
    message: PressedMessage | None = None
    #: The modal or Home tab that was pressed in, if it was not a message.
    view: View | None = None

    @property
    def act(self) -> Act:
        return self.actions[0]

    def press(self) -> Press:
        return Press(
            key=f"slack:{self.team.id}:press:{self.user.id}:{self.act.action_ts or self.trigger_id}",
            action=self.act.action_id,
            value=self.act.target,
            reply_to=self._reply_to,
            installation=self.view.installation if self.view else "",
            message=self._message,
            form_id=self.view.id if self.view and self.view.type != "home" else "",
            form=_submission(self.view, self.team.id, self.user.id) if self.view else None,
            ticked=tuple(_ticked(self.state)),
            is_link=self.act.has_link,
        )

    @property
    def _reply_to(self) -> ReplyTarget:
        """In the thread of the message, if it is in one."""
        private = self.container.is_ephemeral
        thread = self.container.thread_ts or (self.message.thread_ts if self.message else "")
        return ReplyTarget(
            self.team.id,
            self.user.id,
            self.container.channel_id,
            thread,
            self.response_url,
            replaces=private and bool(self.response_url),
        )

    @property
    def _message(self) -> Posted | None:
        if self.message is None or self.container.is_ephemeral:
            return None
        return Posted(self.container.channel_id, self.message.ts)


class Submission(Payload):
    """A modal that was submitted. What a modal shows acts once, so its id and hash name the delivery."""

    team: Named
    user: Presser
    view: View
    trigger_id: str = ""

    def form_submission(self) -> FormSubmission:
        return _submission(self.view, self.team.id, self.user.id)


def _submission(view: View, team: str, user: str) -> FormSubmission:
    return FormSubmission(
        key=":".join(filter(None, ("slack", team, "view", view.id, view.hash))),
        callback=view.callback_id,
        metadata=view.private_metadata,
        values=_form_values(view.state),
        reply_to=ReplyTarget(team, user),
        installation=view.installation,
    )


def _form_values(state: State) -> dict[str, str]:
    """What each field of a modal holds."""
    return {name: _value(name, answered) for name, answered in state.values.items()}


def _value(name: str, answered: Mapping[str, Mapping[str, Any]]) -> str:
    """What a field holds: it has one element, whose value is typed, chosen or picked."""
    element = next(iter(answered.values()), {})
    chosen = [element.get("selected_option") or {}, *(element.get("selected_options") or ())]
    picked = (element.get(f"selected_{kind}") for kind in ("date", "time", "date_time"))
    options = ",".join(str(each["value"]) for each in chosen if "value" in each)
    if element.get("type") == "file_input":
        files = element.get("files") or ()
        return SlackFile.model_validate(files[0]).model_dump_json() if files else ""
    value = options or str(next(filter(None, picked), None) or element.get("value") or "")
    # A modal carries the names of emoji; words are read as their writer saw them.
    typed = name == actions.REPLY_FIELD or element.get("type") == "plain_text_input"
    return emoji.read(value) if typed else value


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
    def key(self) -> str:
        return f"slack:{self.team}:event:{self.event_id}"

    def incoming(self, team: str, app_user: str) -> IncomingMessage:
        """The message in it. `team` and `app_user`: of the installation, where it is known already."""
        said = Said.model_validate(self.event)
        return incoming(said, team or self.team, self.app_user or app_user, installation=self.team)


def incoming(said: Said, team: str, app_user: str, installation: str = "") -> IncomingMessage:
    """A message as the engine takes it. `installation` is empty where we read it ourselves."""
    addressed = words.addressed(said.text, app_user)
    command = said.text if addressed is None else addressed
    return IncomingMessage(
        # A message has one channel and ts, in whatever event and however often it arrives.
        key=f"slack:{team}:message:{said.channel}:{said.ts}",
        id=said.ts,
        sent_at=_seconds(said.ts),
        reply_to=ReplyTarget(
            team, said.user, said.channel, said.thread_ts if said.is_reply and said.thread_ts else ""
        ),
        from_person=said.human and said.user != app_user,
        direct=said.channel_type == "im",
        text=said.text,
        addressed=addressed,
        mentioned=words.mentions(command),
        app_user=app_user,
        names_others=words.names_people(said.text, app_user) and app_user not in words.mentions(said.text),
        speaks_to_others=words.speaks_to_people(said.text),
        command_text=lambda names: words.plain(command, names),
        answer_text=lambda names: _answer_text(said, app_user, names),
        installation=installation,
        own_target=_target_of(said) if said.user and said.user == app_user else None,
    )


def _answer_text(said: Said, app_user: str, names: Mapping[str, str]) -> str:
    """What was said, with the names of attached files."""
    spoken = words.plain(words.without_mention(said.text, app_user), names)
    text = emoji.read(spoken, said.blocks)
    files = [file.name or file.title for file in said.files if file.name or file.title]
    return "\n".join(part for part in (text, f"Attached: {', '.join(files)}" if files else "") if part)


def _target_of(said: Said) -> Target | None:
    """What the buttons of a message of ours are about: a question, or a run; None: neither."""
    if not said.channel or not said.ts:
        return None
    for element in _elements(said.blocks or ()):
        action_id, options = str(element.get("action_id", "")), element.get("options") or [{}]
        value = str(element.get("value") or options[0].get("value") or "")
        try:
            if actions.ABOUT_ONE.fullmatch(action_id):
                return Target.decode(value)
        except ValueError:
            log.info("a button of ours holds something else", action_id=action_id)
    return None


def _elements(blocks: tuple[Mapping[str, Any], ...]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if block.get("type") == "actions":
            yield from block.get("elements") or ()


def _seconds(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0


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

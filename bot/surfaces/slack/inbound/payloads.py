"""Slack's commands and interactions as frozen values, and the neutral values made of them.

A payload that lacks what is needed raises pydantic's ValidationError, which is answered with 400.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from bot.core.questions.tool_call import sha256_of
from bot.surfaces.chat import actions
from bot.surfaces.chat.inbound.ports import FormSubmission, Payload, Press, ReplyTarget
from bot.surfaces.chat.places import MessageRef
from bot.surfaces.slack.inbound import words
from bot.surfaces.slack.webapi.files import SlackFile

SlackId = Annotated[str, Field(max_length=64)]
"""Slack's ids have some ten characters. One that no request can hold would be asked about again and again."""


class Command(Payload):
    """A slash command."""

    team_id: SlackId
    channel_id: SlackId
    user_id: SlackId
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


class OnlyId(Payload):
    """Anything of which only the id is needed."""

    id: SlackId


class ActingUser(OnlyId):
    """Who pressed."""

    team_id: SlackId = ""


class Interaction(Payload):
    """What somebody did in the client."""

    #: Null where the app is installed for a whole organisation.
    team: OnlyId | None = None
    user: ActingUser

    @property
    def team_id(self) -> str:
        return self.team.id if self.team is not None else self.user.team_id


class Container(Payload):
    """Where the message, modal or tab is that was pressed in."""

    message_ts: str = ""
    channel_id: SlackId = ""
    thread_ts: str = ""
    is_ephemeral: bool = False


class SelectedOption(Payload):
    """An option of a select."""

    value: str


class PressedElement(Payload):
    """One thing that was pressed or chosen."""

    action_id: str
    action_ts: str = ""
    value: str = ""
    url: str = ""
    selected_option: SelectedOption | None = None

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


class Chosen(Payload):
    """What was chosen in an element, of one and of many: each an object."""

    selected_option: dict[str, Any] | None = None
    selected_options: tuple[dict[str, Any], ...] = ()
    files: tuple[dict[str, Any], ...] = ()


class State(Payload):
    """What a modal's or a message's elements hold."""

    #: block_id, action_id, and what the element says.
    values: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)

    @field_validator("values")
    @classmethod
    def _are_objects(
        cls, values: dict[str, dict[str, dict[str, Any]]]
    ) -> dict[str, dict[str, dict[str, Any]]]:
        for answered in values.values():
            for element in answered.values():
                Chosen.model_validate(element)
        return values


class Block(Payload):
    """A block of a modal, as far as it holds a field."""

    element: dict[str, Any] | None = None


def _ticked(state: State) -> Iterator[str]:
    """The values of all options of checkboxes that are ticked."""
    for answered in state.values.values():
        for element in answered.values():
            if element.get("type") == "checkboxes":
                yield from (str(each.get("value", "")) for each in element.get("selected_options") or ())


class View(OnlyId):
    """A modal, or a Home tab."""

    type: Literal["modal", "home", ""] = ""
    callback_id: str = ""
    #: Names what it shows: another one for each step of a form.
    hash: str = ""
    #: The workspace whose installation of the app opened it.
    app_installed_team_id: SlackId | None = None
    private_metadata: str = ""
    state: State = State()
    blocks: tuple[dict[str, Any], ...] = ()

    @field_validator("blocks")
    @classmethod
    def _hold_fields(cls, blocks: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for block in blocks:
            Block.model_validate(block)
        return blocks

    @property
    def installation(self) -> str:
        """The workspace in which the app is installed; empty where Slack names none."""
        return self.app_installed_team_id or ""

    @property
    def first_input(self) -> str:
        """The block_id at which something about the whole modal can be said."""
        return next((str(block.get("block_id", "")) for block in self._inputs), "")

    @property
    def values(self) -> dict[str, str]:
        """What each field holds."""
        offered = {
            str(block.get("block_id", "")): str((block.get("element") or {}).get("initial_value") or "")
            for block in self._inputs
        }
        return {
            name: _value(name, answered, offered.get(name, ""))
            for name, answered in self.state.values.items()
        }

    @property
    def digest(self) -> str:
        """A short digest of what is filled in; empty where nothing can be."""
        held = self.state.values
        return sha256_of(held).removeprefix("sha256:")[:16] if held else ""

    @property
    def _inputs(self) -> Iterator[Mapping[str, Any]]:
        return (block for block in self.blocks if block.get("type") == "input")


class BlockAction(Interaction):
    """A press of a button, or a choice in a select."""

    actions: list[PressedElement] = Field(min_length=1)
    trigger_id: str = ""
    response_url: str = ""
    container: Container = Container()
    #: What this person has chosen and ticked in the message or modal.
    state: State = State()
    message: PressedMessage | None = None
    #: The modal or Home tab that was pressed in, if it was not a message.
    view: View | None = None

    @property
    def element(self) -> PressedElement:
        return self.actions[0]

    def press(self) -> Press:
        return Press(
            key=f"slack:{self.team_id}:press:{self.user.id}:{self.element.action_ts or self.trigger_id}",
            action=self.element.action_id,
            value=self.element.target,
            reply_to=self._reply_to,
            installation=self.view.installation if self.view else "",
            message=self._message,
            form_id=self.view.id if self.view and self.view.type != "home" else "",
            form=_submission(self.view, self.team_id, self.user.id) if self.view else None,
            ticked=tuple(_ticked(self.state)),
            is_link=self.element.has_link,
        )

    @property
    def _reply_to(self) -> ReplyTarget:
        """In the thread of the message, if it is in one."""
        private = self.container.is_ephemeral
        thread = self.container.thread_ts or (self.message.thread_ts if self.message else "")
        return ReplyTarget(
            self.team_id,
            self.user.id,
            self.container.channel_id,
            thread,
            self.response_url,
            replaces=private and bool(self.response_url),
        )

    @property
    def _message(self) -> MessageRef | None:
        if self.message is None or self.container.is_ephemeral:
            return None
        return MessageRef(self.container.channel_id, self.message.ts)


class Submission(Interaction):
    """A modal that was submitted.

    What a modal shows acts once: its id, its hash and what is filled in name the delivery. Slack offers to
    send it again where our answer was lost, also with something else in it.
    """

    view: View
    trigger_id: str = ""

    def form_submission(self) -> FormSubmission:
        return _submission(self.view, self.team_id, self.user.id)


def _submission(view: View, team: str, user: str) -> FormSubmission:
    return FormSubmission(
        key=":".join(filter(None, ("slack", team, "view", view.id, view.hash, view.digest))),
        callback=view.callback_id,
        metadata=view.private_metadata,
        values=view.values,
        reply_to=ReplyTarget(team, user),
        installation=view.installation,
    )


def _value(name: str, answered: Mapping[str, Mapping[str, Any]], offered: str) -> str:
    """What a field holds: it has one element, whose value is typed, chosen or picked.

    `offered`: what was filled in when it was shown.
    """
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
    return words.read(value, offered=offered) if typed else value

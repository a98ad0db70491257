"""Messages and forms as Adaptive Cards 1.5. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bot.surfaces.chat import actions
from bot.surfaces.chat.formatted_text import FormattedText
from bot.surfaces.chat.messages import (
    Actions,
    Audience,
    Block,
    Button,
    Difference,
    Divider,
    Form,
    Frame,
    Heading,
    Input,
    Limits,
    Markdown,
    Message,
    Notice,
    Paragraph,
    PlainText,
    Quote,
    SmallPrint,
)
from bot.surfaces.chat.shortening import truncate
from bot.surfaces.teams import card_data
from bot.surfaces.teams.renderer import elements, markdown
from bot.surfaces.teams.renderer.text import (
    SMALL,
    Member,
    Members,
    entities,
    escape,
    literal,
    mentioned,
    paragraph,
    plain_text,
    rich_text,
    xml,
)

Json = dict[str, Any]

CARD = "application/vnd.microsoft.card.adaptive"
MESSAGE_CHARACTERS = 45_000
"""UTF-16 units of a message as JSON: Teams takes 100 KB in UTF-16, with what it adds."""
REFRESH_USERS = 60
"""How many people get a view of their own in Teams, at most."""
SUMMARY_UNITS = 500
REQUIRED = "(required)"
"""Follows the label of a field that only we check."""
LIMITS = Limits(
    message_units=12_000,
    form_bytes=40_000,
    result_units=12_000,
    text_units=8000,
    list_units=6000,
    label_units=elements.LABEL_UNITS,
    # Teams shows six buttons in a row, and one of them replies in words.
    buttons=5,
    options=elements.OPTIONS,
    fields=60,
    rows=20,
    typed_units=elements.TYPED_UNITS,
)
"""What fits into a message, a dialog and a label of Teams'."""
_CHANGES: dict[str, Json] = {
    "kept": {},
    "removed": {"strikethrough": True, "color": "Attention"},
    "added": {"weight": "Bolder", "color": "Good"},
}


@dataclass(frozen=True)
class Reader:
    """For whom a message is rendered, and who of its conversation can be mentioned."""

    members: Members
    #: The principal who sees this alone; empty: everybody in the conversation.
    alone: str = ""
    #: The conversation is a chat of one person with the app.
    personal: bool = False

    def sees(self, audience: Audience | None) -> bool:
        """Whether a row for this audience is shown."""
        return audience is None or self.alone in audience.principals or not self.refreshes(audience)

    def refreshes(self, audience: Audience) -> list[str]:
        """Who gets a view of their own with this row. Nobody if some can't: then all see the row."""
        if self.alone:
            return [self.alone]
        if self.personal:
            return []
        known = (self.members[each].id for each in audience.principals if each in self.members)
        found = [member_id for member_id in known if member_id]
        return found if len(found) <= REFRESH_USERS else []


EVERYBODY = Reader({})


def render_message(message: Message, reader: Reader = EVERYBODY) -> Json:
    """An activity of type `message`: a card, or text alone where the message has no blocks."""
    summary = plain_text(message.summary, reader.members)
    if message.blocks:
        attachment = {"contentType": CARD, "content": render_card(message, reader)}
        return {"type": "message", "summary": truncate(summary, SUMMARY_UNITS), "attachments": [attachment]}
    text = {"type": "message", "textFormat": "xml", "text": xml(message.summary, reader.members) or "-"}
    found = entities(mentioned(message.summary, reader.members))
    return {**text, "entities": found} if found else text


def render_card(message: Message, reader: Reader = EVERYBODY) -> Json:
    """The card of a message that has blocks."""
    shown = [made for block in message.blocks if (made := _for(block, reader)) is not None]
    summary = truncate(plain_text(message.summary, reader.members), SUMMARY_UNITS)
    card = _card(shown, reader.members, in_form=False) | {"fallbackText": summary or "-"}
    refresh = [_refresh(users, each) for each, users in _refreshed(message.blocks, reader)]
    return {**card, "refresh": refresh[0]} if refresh else card


def render_form(form: Form, members: Members | None = None) -> Json:
    """The card of a dialog; its title is the dialog's."""
    blocks = [_checked_by_us(each) for each in form.blocks] if _has_steps(form) else form.blocks
    card = _card(blocks, members or {}, in_form=True)
    if form.callback:
        card["body"] = [_within(form, each) for each in card["body"]]
    if not form.submit:
        return card
    data = card_data.form(form.callback, form.metadata)
    return {**card, "actions": [{"type": "Action.Submit", "title": form.submit, "data": data}]}


def _has_steps(form: Form) -> bool:
    elements = (each for block in form.blocks if isinstance(block, Actions) for each in block.elements)
    return any(isinstance(each, Button) and each.action in actions.STEPS for each in elements)


def _checked_by_us(block: Block) -> Block:
    """A field that the client lets through empty, so that a press of Back brings what was typed elsewhere."""
    if not isinstance(block, Input) or not block.required:
        return block
    return replace(block, label=f"{block.label} {REQUIRED}", required=False)


def _within(form: Form, element: Json) -> Json:
    """A row of buttons that say in which form they were pressed; everything else as it is."""
    if element["type"] != "ActionSet":
        return element
    return {**element, "actions": [_told_form(form, each) for each in element["actions"]]}


def _told_form(form: Form, action: Json) -> Json:
    if action["type"] != "Action.Submit":
        return action
    return {**action, "data": card_data.in_form(action["data"], form.callback, form.metadata)}


def _card(blocks: Iterable[Block], members: Members, *, in_form: bool) -> Json:
    blocks = tuple(blocks)
    card: Json = {"type": "AdaptiveCard", "version": "1.5", "body": _body(blocks, members, in_form=in_form)}
    teams: Json = {"width": "Full"}
    found: list[Member] = [each for line in _lines(blocks) for each in mentioned(line, members)]
    return {**card, "msteams": {**teams, "entities": entities(found)} if found else teams}


def _body(blocks: Iterable[Block], members: Members, *, in_form: bool) -> list[Json]:
    body: list[Json] = []
    separated = False
    for block in blocks:
        made = _block(block, members, in_form=in_form)
        if made and separated:
            made[0] = {**made[0], "separator": True, "spacing": "Large"}
        separated = isinstance(block, Divider)
        body += made
    return body


# ── views of one's own ──────────────────────────────────────────────────────────────────────────────────


def _for(block: Block, reader: Reader) -> Block | None:
    """A row for others: only what shows more, which decides nothing; None where the message has that too."""
    if not isinstance(block, Actions) or block.audience is None or reader.sees(block.audience):
        return block
    if not block.audience.others_open:
        return None
    show = Button("Show all", actions.OPEN_FULL, block.audience.about, "Show the whole question")
    return Actions((show,))


def _refreshed(blocks: Iterable[Block], reader: Reader) -> Iterator[tuple[Audience, list[str]]]:
    for block in blocks:
        audience = block.audience if isinstance(block, Actions) else None
        if audience is not None and not reader.alone and (users := reader.refreshes(audience)):
            yield audience, users


def _refresh(users: list[str], audience: Audience) -> Json:
    data = card_data.button(card_data.REFRESH, audience.about)
    action = {"type": "Action.Execute", "title": "Refresh", "verb": elements.VERB, "data": data}
    return {"action": action, "userIds": users}


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────


def _block(block: Block, members: Members, *, in_form: bool) -> list[Json]:  # noqa: C901, PLR0911 - one for each kind
    match block:
        case Heading():
            heading = {"text": escape(block.words), "wrap": True, "style": "heading"}
            return [{"type": "TextBlock", "size": "Medium", "weight": "Bolder", **heading}]
        case Paragraph() | Notice():
            return paragraph(block.text, members)
        case SmallPrint():
            lines = (*block.lines, *((block.literal,) if block.literal else ()))
            return [made for line in lines for made in paragraph(line, members, SMALL)]
        case Quote():
            return [_quote(literal(block.text))]
        case Difference():
            return [
                _quote([run for each in block.spans for run in literal(each.text, _CHANGES[each.change])])
            ]
        case Frame():
            return [markdown.framed(block.text)]
        case PlainText():
            return [rich_text(literal(truncate(block.text, LIMITS.text_units)))]
        case Markdown():
            return markdown.rendered(block.text) or paragraph((block.otherwise,), members)
        case Actions():
            return elements.row(block.elements, in_form=in_form)
        case Divider():
            return []  # A line across is a property of what follows.
        case Input():
            return elements.field(block)


def _quote(runs: list[Json]) -> Json:
    """Somebody's words, set off from ours."""
    return {"type": "Container", "style": "emphasis", "items": [rich_text(runs)]}


def _lines(blocks: Iterable[Block]) -> Iterator[FormattedText]:
    for block in blocks:
        match block:
            case Paragraph() | Notice():
                yield block.text
            case SmallPrint():
                yield from block.lines
                yield block.literal
            case _:
                continue

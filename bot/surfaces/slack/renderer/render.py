"""Messages and forms as Slack's Block Kit. Pure.

User groups that are mentioned by handle are mentioned by id: only that notifies their members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from bot.core.people.policy import is_live_group
from bot.surfaces.chat.formatted_text import FormattedText, Mention
from bot.surfaces.chat.messages import (
    Actions,
    Block,
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
from bot.surfaces.slack.renderer import elements, rich_text
from bot.surfaces.slack.renderer.elements import Json, mrkdwn_text, plain
from bot.surfaces.slack.renderer.mrkdwn import mrkdwn

LIMITS = Limits(
    # Slack refuses a message at about 13,200 units.
    message_units=8000,
    # 100 blocks of 3,000 units, of which a cut at a line's end may leave half empty; and 250 kB as JSON.
    form_bytes=120_000,
    result_units=11_000,
    # Slack advises 4,000.
    text_units=3800,
    list_units=2900,
    label_units=elements.LABEL_UNITS,
    buttons=5,
    options=elements.OPTIONS,
    # A modal takes 100 blocks, a message 50.
    fields=95,
    rows=20,
    ticks=elements.TICKS,
    typed_units=elements.TYPED_UNITS,
    files=True,
)
"""What fits into a message, a modal and a label of Slack's."""


def render_message(message: Message) -> Json:
    """`text` and `blocks` of chat.postMessage. Styles are in `text` only where it stands alone."""
    return {
        "text": mrkdwn(message.summary, styled=not message.blocks),
        "blocks": render_blocks(message.blocks),
    }


def render_form(form: Form) -> Json:
    """The view of a modal."""
    view: Json = {
        "type": "modal",
        "title": plain(form.title, elements.TITLE_UNITS),
        "close": plain("Close", elements.TITLE_UNITS),
        "blocks": render_blocks(form.blocks),
    }
    if form.callback:
        view |= {"callback_id": form.callback, "private_metadata": form.metadata}
    if any(isinstance(block, Input) for block in form.blocks):
        view["notify_on_close"] = True
    return view | ({"submit": plain(form.submit, elements.TITLE_UNITS)} if form.submit else {})


def render_home(page: Message) -> Json:
    """The view of a Home tab."""
    return {"type": "home", "blocks": render_blocks(page.blocks)}


def render_blocks(blocks: Iterable[Block]) -> list[Json]:
    """The blocks, each as one or several of Slack's."""
    return [rendered for block in blocks for rendered in _block(block)]


def _block(block: Block) -> list[Json]:
    match block:
        case Quote():
            return rich_text.quoted(block.text)
        case Frame():
            return rich_text.framed(block.text)
        case Difference():
            return rich_text.difference(block.spans)
        case Markdown():
            return rich_text.rendered(block.text) or [rich_text.paragraph((block.otherwise,))]
        case _:
            return [_one_block(block)]


def _one_block(  # noqa: PLR0911 - one for each kind
    block: Heading | Paragraph | Notice | SmallPrint | PlainText | Actions | Divider | Input,
) -> Json:
    match block:
        case Heading():
            return {"type": "header", "text": plain(block.words, elements.HEADER_UNITS)}
        case Paragraph():
            return rich_text.paragraph(block.text)
        case Notice():
            return {"type": "section", "text": mrkdwn_text(mrkdwn(block.text, styled=True))}
        case SmallPrint():
            return _context(block.lines, block.literal)
        case PlainText():
            return {"type": "section", "text": plain(block.text, elements.SECTION_UNITS)}
        case Actions():
            return {"type": "actions", "elements": [elements.element(each) for each in block.elements]}
        case Divider():
            return {"type": "divider"}
        case Input():
            return elements.field(block)


def _context(lines: Iterable[FormattedText], literal: FormattedText) -> Json:
    shown = [mrkdwn_text(mrkdwn(line, styled=True)) for line in lines]
    if literal:
        shown.append(plain(rich_text.plain_words(literal), elements.SECTION_UNITS))
    return {"type": "context", "elements": shown}


Part = TypeVar("Part")


def with_group_ids(message: Message, ids: Mapping[str, str]) -> Message:
    """The message with groups mentioned by id where it is known. `ids`: by handle, case-folded."""
    return _replaced(message, ids) if ids else message


def names_unknown_groups(message: Message, ids: Mapping[str, str]) -> bool:
    """Whether it mentions a group by a handle whose id is not known."""
    return any(_handle(each) not in {"", *ids} for each in _principals(message))


def _principals(part: object) -> Iterator[str]:
    match part:
        case Mention(principal=principal):
            yield principal
        case tuple():
            for each in part:
                yield from _principals(each)
        case _ if is_dataclass(part):
            for each in fields(part):
                yield from _principals(getattr(part, each.name))


def _replaced(part: Part, ids: Mapping[str, str]) -> Part:
    changed: Any = part
    match part:
        case Mention(principal=principal):
            group = _id(principal, ids)
            changed = replace(part, principal=f"slack::{group}") if group else part
        case tuple():
            changed = tuple(_replaced(each, ids) for each in part)
        case _ if is_dataclass(part) and not isinstance(part, type):
            parts = {
                each.name: _replaced(getattr(part, each.name), ids) for each in fields(part) if each.init
            }
            changed = replace(part, **parts)
        case _:
            return part
    return changed  # type: ignore[no-any-return]


def _id(principal: str, ids: Mapping[str, str]) -> str:
    return ids.get(_handle(principal), "")


def _handle(principal: str) -> str:
    """The handle by which this names a group of Slack; empty for everything else."""
    name = principal.rpartition(":")[2]
    return name[1:].casefold() if is_live_group(principal) and name[:1] == "@" else ""

"""Block Kit's parts as dicts, each within Slack's limits whatever the text. Pure.

Texts that go in as `mrkdwn` are made by `mrkdwn`; those of labels are plain and cut here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from bot.core.text import visible
from bot.surfaces.slack.cards.mrkdwn import truncate

Block = dict[str, Any]

LABEL = 75
_BLANKS = " \t\r\n\u00a0\u3000"
SECTION = 3000
TITLE = 24


def plain(text: str, limit: int) -> Block:
    """A plain text object, in which `:names:` of emoji stay; a dash for nothing, which Slack refuses."""
    return {
        "type": "plain_text",
        "text": truncate(visible(text.strip(_BLANKS)[: limit + 1]) or "-", limit),
        "emoji": False,
    }


def verbatim(text: str) -> Block:
    """A section with text just as it is: no markup, no `:emoji:`."""
    return {"type": "section", "text": plain(text, SECTION)}


def header(text: str) -> Block:
    """A headline."""
    return {"type": "header", "text": plain(text, 150)}


def section(mrkdwn: str, accessory: Block | None = None) -> Block:
    """A section of mrkdwn; `verbatim`, so that Slack looks for nothing more in it than we wrote."""
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}
    return block | ({"accessory": accessory} if accessory else {})


def context(*mrkdwn: str, plainly: str = "") -> Block:
    """Small print. `plainly` is what is not our own words only."""
    elements: list[Block] = [{"type": "mrkdwn", "text": text, "verbatim": True} for text in mrkdwn]
    if plainly:
        elements.append(plain(plainly, SECTION))
    return {"type": "context", "elements": elements}


def actions(elements: Iterable[Block]) -> Block:
    """A row of elements to press or choose from."""
    return {"type": "actions", "elements": list(elements)}


def button(
    label: str, action_id: str, value: str, spoken: str, style: Literal["primary", "danger"] | None = None
) -> Block:
    """A button. `spoken` is what a screen reader says: enough to press it unseen."""
    block: Block = {
        "type": "button",
        "text": plain(label, LABEL),
        "action_id": action_id,
        "value": value,
        "accessibility_label": truncate(visible(spoken[: LABEL + 1]), LABEL),
    }
    return block | ({"style": style} if style else {})


def link_button(label: str, action_id: str, url: str, spoken: str) -> Block:
    """A button that opens an address."""
    block = button(label, action_id, "", spoken)
    del block["value"]
    return block | {"url": url}


def option(label: str, value: str) -> Block:
    """One option of a select. `value` holds up to 150 characters."""
    return {"text": plain(label, LABEL), "value": value}


def select(placeholder: str, action_id: str, options: list[Block]) -> Block:
    """A select with up to 100 options."""
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, 150),
        "options": options,
    }


def input_block(
    block_id: str, label: str, element: Block, *, hint: str = "", optional: bool = False
) -> Block:
    """A labelled field of a form."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 2000),
        "element": element,
        "optional": optional,
    }
    return block | ({"hint": plain(hint, 2000)} if hint.strip() else {})


def modal(title: str, blocks: list[Block], **more: Any) -> Block:
    """A modal; `more` holds `callback_id`, `private_metadata` and `submit`."""
    return {
        "type": "modal",
        "title": plain(title, TITLE),
        "close": plain("Close", TITLE),
        "blocks": blocks,
        **more,
    }

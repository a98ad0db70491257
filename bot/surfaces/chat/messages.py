"""Messages and forms as trees that no platform owns. Pure; a platform's renderer makes its JSON of them.

Plain strings are Crewdeck's own words. Text of people and models is a part of its own (`Untrusted`, `Quote`,
`Frame`, `PlainText`, `Markdown`), so that a renderer shows it literally and it can't pass for Crewdeck's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from bot.core.text import visible
from bot.surfaces.chat.formatted_text import FormattedText, Part, plain_words
from bot.surfaces.chat.shortening import length

# ── what people press and fill in ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Confirm:
    """A dialog before a press counts. All of it is our own words."""

    title: str
    text: str
    confirm: str
    deny: str


@dataclass(frozen=True)
class Button:
    """Something to press. `value` holds ids and digests, never authority: that is checked at the press."""

    label: str
    action: str
    value: str = ""
    #: What a screen reader says: enough to press it unseen.
    spoken: str = ""
    style: Literal["primary", "danger"] | None = None
    confirm: Confirm | None = None
    #: An address that it opens.
    url: str = ""


@dataclass(frozen=True)
class Option:
    """One option of a select."""

    label: str
    value: str


@dataclass(frozen=True)
class Select:
    """One of several options to choose; the choice counts as a press."""

    placeholder: str
    action: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Checkboxes:
    """Options to tick, none at first. A tick is no press: `Press.ticked` has the values of what was ticked.

    At most `Limits.ticks` options. What each one means stands in the blocks above.
    """

    action: str
    options: tuple[Option, ...]


Element = Button | Select | Checkboxes


class FieldType(StrEnum):
    """How a value is typed or chosen."""

    LINE = "line"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    EMAIL = "email"
    URL = "url"
    #: The value is the platform's reference to a file (`bot.surfaces.chat.inbound.form_values`).
    FILE = "file"


@dataclass(frozen=True)
class Input:
    """A labelled field. A submission gives its value, a string, under `name`; empty fields are left out.

    Dates and times are in ISO 8601; a DATETIME may come back as seconds since the epoch. The value of a
    CHOICE is its option's, that of a MULTI_CHOICE those of several options with commas between them.
    """

    name: str
    label: str
    type: FieldType
    hint: str = ""
    required: bool = True
    #: What is filled in already.
    value: str = ""
    options: tuple[Option, ...] = ()
    #: What the value is called within the field, on platforms that name both; what a change of it is called.
    action: str = "value"
    #: Of a FILE: the suffixes that may be chosen; none: any.
    accept: tuple[str, ...] = ()
    #: Each change is a press with what the whole form holds, on platforms that can tell.
    live: bool = False


# ── messages and forms ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Limits:
    """How much a platform shows, and at which size a text moves from a message to a form or a file."""

    #: UTF-16 units of a question that a message shows in full.
    message_units: int
    #: UTF-8 bytes of a question that a form shows in full.
    form_bytes: int
    #: UTF-16 units of a result that a message shows in full.
    result_units: int
    #: UTF-16 units of a message without blocks.
    text_units: int
    #: UTF-16 units of a list in a message.
    list_units: int
    #: UTF-16 units of the label of a button or an option.
    label_units: int
    #: Choices that are shown as buttons; more become a select.
    buttons: int
    #: Options of a select.
    options: int
    #: Fields of a form.
    fields: int
    #: Rows of text and buttons in a message.
    rows: int
    #: Options of a group of checkboxes; 0 where messages can't have any.
    ticks: int = 10
    #: UTF-16 units of a text that a field of a form holds.
    typed_units: int = 3000
    #: Whether forms have fields for files.
    files: bool = False


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Heading:
    """A headline of our own."""

    words: str


@dataclass(frozen=True)
class Paragraph:
    """One or more lines of text; a line feed in our own words begins a new line."""

    text: FormattedText


@dataclass(frozen=True)
class Notice:
    """A remark in our own words only, with mentions, times and links."""

    text: FormattedText


@dataclass(frozen=True)
class SmallPrint:
    """Lines of lesser importance, in our own words only; `literal` is a last one, of any text."""

    lines: tuple[FormattedText, ...]
    literal: FormattedText = ()


@dataclass(frozen=True)
class Quote:
    """Somebody's words, completely and literally, with a bar beside them."""

    text: str


@dataclass(frozen=True)
class Frame:
    """A text in a frame, completely and literally, with its spaces and line ends."""

    text: str


@dataclass(frozen=True)
class Span:
    """A part of a text of others, and what an edit did to it."""

    text: str
    change: Literal["kept", "removed", "added"] = "kept"


@dataclass(frozen=True)
class Difference:
    """What an edit changed, completely and literally: removed text is struck, added text is bold.

    A quotation, since all of it is somebody's text. Where a platform can't strike or embolden text in a
    quotation, the parts need marks of our own in lines of their own.
    """

    spans: tuple[Span, ...]


@dataclass(frozen=True)
class PlainText:
    """A short text of others as a paragraph, literally; what doesn't fit is cut."""

    text: str


@dataclass(frozen=True)
class Markdown:
    """Markdown of a crew on which nothing is decided: no word is lost, and links show their target."""

    text: str
    #: Our own words, shown where there is nothing to be seen in it.
    otherwise: str


@dataclass(frozen=True)
class Audience:
    """Whom a row of elements is for. Where a platform can, it shows the row to nobody else."""

    principals: tuple[str, ...]
    #: What the message is about, for whoever renders it for one reader: a `Target`, encoded.
    about: str
    #: Others get a button that shows all of it. Not so where the message has one anyway.
    others_open: bool = True


@dataclass(frozen=True)
class Actions:
    """A row of elements."""

    elements: tuple[Element, ...]
    #: None: everybody.
    audience: Audience | None = None


@dataclass(frozen=True)
class Divider:
    """A line across."""


Block = (
    Heading
    | Paragraph
    | Notice
    | SmallPrint
    | Quote
    | Frame
    | Difference
    | PlainText
    | Markdown
    | Actions
    | Divider
    | Input
)


@dataclass(frozen=True)
class Message:
    """A message. `summary` is shown in notifications, and alone where there are no blocks."""

    summary: FormattedText
    blocks: tuple[Block, ...] = ()

    def without_blocks(self) -> Message:
        """The message as text alone, for a platform that refuses the blocks."""
        return Message(self.summary)

    def for_everybody(self) -> Message:
        """The same with all of its rows: its reader may press them, as whichever of their identities."""
        rows = (replace(each, audience=None) if isinstance(each, Actions) else each for each in self.blocks)
        return Message(self.summary, tuple(rows))


@dataclass(frozen=True)
class Form:
    """A window with text, fields and buttons. Without `submit` there is nothing to send."""

    title: str
    blocks: tuple[Block, ...]
    #: What a submission is called, and the ids that it carries.
    callback: str = ""
    metadata: str = ""
    submit: str = ""


def text_message(*parts: Part) -> Message:
    """A message of one paragraph."""
    return Message(summary=parts, blocks=(Paragraph(parts),))


def size(blocks: Sequence[Block]) -> int:
    """About how many characters there are to render."""
    long = [block.text for block in blocks if isinstance(block, Quote | Frame | Markdown)]
    long += [span.text for block in blocks if isinstance(block, Difference) for span in block.spans]
    return sum(map(len, long))


def units(blocks: Sequence[Block]) -> int:
    """How many UTF-16 units of text these blocks show, with everything in it visible."""
    texts = [block.text for block in blocks if isinstance(block, Quote | Frame | Markdown)]
    texts += [span.text for block in blocks if isinstance(block, Difference) for span in block.spans]
    texts += [plain_words(block.text) for block in blocks if isinstance(block, Paragraph | Notice)]
    return sum(length(visible(text)) for text in texts)

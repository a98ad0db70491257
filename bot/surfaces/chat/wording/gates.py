"""Tool calls that wait for an approval: what is done, as whom, with which arguments; what was edited. Pure.

Everything of the call is text of crews and models. Each value stands in a frame that belongs to its name
alone, so that none can look like another argument or like words of ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from bot.core.difference import word_difference
from bot.core.json_text import name_text, value_text
from bot.core.questions.tool_call import ToolCall, sha256_of
from bot.core.text import visible
from bot.surfaces.chat.cards import QuestionCard, is_edited
from bot.surfaces.chat.formatted_text import FormattedText, Time, Untrusted, joined
from bot.surfaces.chat.messages import Block, Difference, Frame, Paragraph, Span
from bot.surfaces.chat.shortening import beginning, length
from bot.surfaces.chat.wording import policies

TITLE_UNITS = 300
NAME_UNITS = 100
SHORT_UNITS = 200
"""A value of at most so many units, without line ends, stands in its name's line."""
SHORTENED_VALUE_UNITS = 300
SHORTENED_ARGUMENTS = 8
KEPT_UNITS = 200
"""How much of an unchanged part is shown at each of its ends, where only the difference matters."""
HIDDEN = "🔒 secret: it isn't shown, and the approval covers it"
AS_THE_APP = "as the app"


def headline(call: ToolCall) -> FormattedText:
    """`Send € 1,200 to Acme · with the tool send_money · as the app`, as the call stands now."""
    whom: FormattedText = (
        " · ",
        Untrusted(call.on_behalf, NAME_UNITS) if call.on_behalf.strip() else AS_THE_APP,
    )
    edited: FormattedText = (", as edited",) if is_edited(call) else ()
    if summary := call.summary.strip():
        what = Untrusted(summary, TITLE_UNITS, "strong")
        return (what, " · with the tool ", Untrusted(call.tool, NAME_UNITS), *whom, *edited)
    return ("Use the tool ", Untrusted(call.tool, NAME_UNITS, "strong"), *whom, *edited)


def summaries(call: ToolCall) -> frozenset[str]:
    """What the call does, and what it did before anybody edited it."""
    first = call.model_copy(update={"arguments": call.proposed})
    return frozenset((call.summary.strip(), first.summary.strip()))


def plain_summary(call: ToolCall) -> str:
    """What the call does, as plain text for a screen reader."""
    edited = ", as edited" if is_edited(call) else ""
    return f"{call.summary.strip() or call.tool}{edited}"


# ── arguments ───────────────────────────────────────────────────────────────────────────────────────────


def arguments(call: ToolCall) -> list[Block]:
    """All arguments by name, each with its whole value."""
    if not call.arguments and not call.secrets:
        return [Paragraph(("It has no arguments.",))]
    blocks: list[Block] = []
    lines: list[FormattedText] = []
    for name, value in call.arguments.items():
        if (short := _short(call, name, value)) is not None:
            lines.append((_name(name), " ", *short))
            continue
        blocks += [Paragraph(joined([*lines, (_name(name),)])), Frame(_text(call, name, value))]
        lines = []
    lines += [(_name(name), f" {HIDDEN}") for name in call.secrets]
    return [*blocks, Paragraph(joined(lines))] if lines else blocks


def beginning_of_arguments(call: ToolCall) -> list[Block]:
    """The first arguments, shortened, where a message can't show all of them."""
    lines: list[FormattedText] = [
        (
            _name(name),
            " ",
            Untrusted(beginning(_text(call, name, value), SHORTENED_VALUE_UNITS), SHORTENED_VALUE_UNITS),
        )
        for name, value in list(call.arguments.items())[:SHORTENED_ARGUMENTS]
    ]
    if (hidden := len(call.arguments) - SHORTENED_ARGUMENTS) > 0:
        lines.append((f"... and {hidden} more",))
    return [Paragraph(joined(lines))] if lines else []


def as_text(call: ToolCall) -> str:
    """The same as plain text: values are indented, so that none can look like an argument."""
    return "\n".join(_text_lines(call)) or "It has no arguments."


def _text_lines(call: ToolCall) -> Iterator[str]:
    for name, value in call.arguments.items():
        yield f"{name_text(name)}:"
        yield from (f"    | {line}" for line in _text(call, name, value).split("\n"))
    for name in call.secrets:
        yield f"{name_text(name)}: {HIDDEN}"


def _text(call: ToolCall, name: str, value: JsonValue) -> str:
    return value_text(value, text_only=call.is_text(name))


def _short(call: ToolCall, name: str, value: JsonValue) -> FormattedText | None:
    """A value that fits into its name's line; None: it doesn't."""
    if value is None:
        return ("none",)
    text = _text(call, name, value)
    if "\n" in text or len(text) > SHORT_UNITS or length(visible(text)) > SHORT_UNITS:
        return None
    return (Untrusted(text, None),)


def _name(name: str) -> Untrusted:
    return Untrusted(name_text(name), None, "bold", suffix=":")


# ── edits ───────────────────────────────────────────────────────────────────────────────────────────────


def edits(card: QuestionCard) -> list[Block]:
    """What differs from what was asked first, and by whom it was edited; empty if nothing does."""
    if not card.edited:
        return []
    blocks: list[Block] = [Paragraph(joined(edit_lines(card)))]
    if card.call is not None:
        return [*blocks, *changes(card.call)]
    return [*blocks, difference(card.proposed or "", card.context)]


def edit_lines(card: QuestionCard) -> list[FormattedText]:
    """The line that says who edited the call or the text, and when; empty if nobody did."""
    if not card.edited:
        return []
    by: FormattedText = (" by ", policies.person(card.edit.by), ", ", Time(card.edit.at)) if card.edit else ()
    void = " Earlier approvals don't count any more." if card.open else ""
    return [("✏️ Edited", *by, f".{void}")]


def changes(call: ToolCall) -> list[Block]:
    """Each changed argument with its former value and its present one."""
    before, after = call.proposed, call.arguments
    blocks: list[Block] = []
    lines: list[FormattedText] = []
    for name in (each for each in after if sha256_of(before.get(each)) != sha256_of(after[each])):
        old, new = _short(call, name, before.get(name)), _short(call, name, after[name])
        if old is not None and new is not None:
            lines.append((_name(name), " ", *old, " → ", *new))
            continue
        blocks += [
            Paragraph(joined([*lines, (_name(name),)])),
            difference(_text(call, name, before.get(name)), _text(call, name, after[name])),
        ]
        lines = []
    return [*blocks, Paragraph(joined(lines))] if lines else blocks


def difference(before: str, after: str, *, limit: int | None = None) -> Difference:
    """The difference of two texts; with a `limit`, unchanged parts are shortened to fit about that."""
    spans = tuple(Span(part.text, part.change) for part in word_difference(before, after))
    if limit is not None and sum(len(each.text) for each in spans) > limit:
        spans = tuple(_shortened(each) for each in spans)
    return Difference(spans)


def _shortened(span: Span) -> Span:
    if span.change != "kept" or len(span.text) <= 2 * KEPT_UNITS:
        return span
    return Span(f"{span.text[:KEPT_UNITS]} […] {span.text[-KEPT_UNITS:]}")

"""What somebody filled in that was not counted, given back to them to copy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.core.forms import validation
from bot.core.forms.fields import Field
from bot.core.text import visible
from bot.surfaces.chat import actions, messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.formatted_text import Untrusted
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Form,
    Frame,
    Limits,
    Message,
    Paragraph,
    PlainText,
    SmallPrint,
    text_message,
)
from bot.surfaces.chat.shortening import head
from bot.surfaces.chat.wording import field_forms, sentences

UNIT_BYTES = 3
"""Bytes of one UTF-16 unit in UTF-8, at most."""
WHY_UNITS = 1000
TO_COPY = "This is what you had filled in, to copy:"


def typed(fields: Sequence[Field], values: field_forms.Values) -> str:
    """What somebody filled in, a line or more for each field; empty where they filled in nothing."""
    filled = [each for each in fields if not validation.blank(values.get(each.name))]
    return "\n".join(f"{each.title}: {field_forms.in_words(each, values)}" for each in filled)


def typed_in(form: Form) -> str:
    """What was filled in, a line for each field, read from the form that shows it."""
    filled = [each for each in form.blocks if isinstance(each, messages.Input) and each.value.strip()]
    return "\n".join(f"{each.label}: {_value(each)}" for each in filled)


def _value(field: messages.Input) -> str:
    chosen = field.value.split(",")
    labels = [each.label for each in field.options if each.value in chosen]
    return ", ".join(labels) if field.options else field.value


def window(why: str, text: str, limits: Limits) -> Form:
    """Why a form was not counted, in its place, with all that was filled in."""
    blocks: list[Block] = [PlainText(why)]
    if text:
        blocks += _given_back(text, limits.form_bytes // UNIT_BYTES)
    return Form(sentences.NOT_COUNTED, tuple(blocks))


def message(why: str, text: str, limits: Limits, everything: Button | None = None) -> Message:
    """The same as a private message. `everything` opens the window; it is shown where not all of it fits."""
    line = (Untrusted(why, WHY_UNITS, "plain"),)
    if not text:
        return text_message(*line)
    whole = len(head(text, limits.text_units, visible)) == len(text)
    row = (Actions((everything,)),) if everything is not None and not whole else ()
    return Message(line, (Paragraph(line), *_given_back(text, limits.text_units), *row))


def wrong(problems: Iterable[str], text: str, limits: Limits, again: Button | None = None) -> Message:
    """What is wrong with a form that is closed by now. `again` opens it with what was filled in."""
    told = message(f"{sentences.NOT_COUNTED}: {' '.join(problems)}", "" if again else text, limits)
    return Message(told.summary, (*told.blocks, Actions((again,)))) if again else told


def everything(target: Target) -> Button:
    """Opens the window with all that this person had filled in."""
    return Button(
        "Show all of it", actions.OPEN_UNCOUNTED, target.encode(), "Show all that you had filled in"
    )


def _given_back(text: str, limit: int) -> list[Block]:
    shown = head(text, limit, visible)
    blocks: list[Block] = [SmallPrint(((TO_COPY,),)), Frame(shown)]
    if len(shown) < len(text):
        blocks.append(SmallPrint((("This is only the beginning of it.",),)))
    return blocks

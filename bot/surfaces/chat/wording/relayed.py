"""What people read of a question whose run lives on another surface. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.core.runs.run import Run
from bot.surfaces.chat.formatted_text import FormattedText, Mention, platform_title
from bot.surfaces.chat.messages import Block, Message, Notice, Paragraph, SmallPrint, text_message

KnownHere = Mapping[str, Mention]
"""Those who were asked here, by all of their principals, as they are mentioned on this surface."""


def relayed(message: Message, run: Run, known: KnownHere) -> Message:
    """A question's message for one of its deciders, who has a use for all that can be pressed in it."""
    shown, origin = as_known(message.for_everybody(), known), _origin(run)
    if not shown.blocks:
        return Message((*shown.summary, "\n", *origin))
    return replace(shown, blocks=(*shown.blocks, SmallPrint((origin,))))


def as_known(message: Message, known: KnownHere) -> Message:
    """The message with those mentioned as members of this platform whom it names as members of another.

    Who acted there stays so.
    """
    blocks = tuple(_named(each, known) for each in message.blocks)
    return Message(_text(message.summary, known), blocks)


def not_yours_any_more(*, unlinked: bool) -> Message:
    """In place of a question, for somebody who may not decide it any more."""
    why = ": the account that it is for is no longer linked with this one" if unlinked else ""
    return text_message(f"A question was here that is no longer yours to decide{why}.")


def _origin(run: Run) -> FormattedText:
    where = f"Asked in {platform_title(run.place.surface)}" if run.place is not None else "Asked elsewhere"
    by = Mention(run.requester.principal, run.requester.label)
    return (
        where,
        ", in a run of ",
        by,
        ". Whoever decides it, here or there, settles it for everybody.",
    )


def _named(block: Block, known: KnownHere) -> Block:
    match block:
        case Paragraph() | Notice():
            return replace(block, text=_text(block.text, known))
        case SmallPrint():
            lines = tuple(_text(each, known) for each in block.lines)
            return SmallPrint(lines, _text(block.literal, known))
        case _:
            return block


def _text(text: FormattedText, known: KnownHere) -> FormattedText:
    """A mention with a name is of somebody who acted."""
    return tuple(
        known.get(part.principal, part) if isinstance(part, Mention) and not part.name else part
        for part in text
    )

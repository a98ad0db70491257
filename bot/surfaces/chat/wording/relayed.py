"""What people read of a question whose run lives on another surface. Pure."""

from __future__ import annotations

from dataclasses import replace

from bot.core.run import Run
from bot.surfaces.chat.messages import Actions, Line, Mention, Message, SmallPrint, said
from bot.surfaces.chat.plain_text import platform_title


def relayed(message: Message, run: Run) -> Message:
    """A question's message for one of its deciders, who has a use for all that can be pressed in it."""
    origin = _origin(run)
    if not message.blocks:
        return Message((*message.summary, "\n", *origin))
    rows = (replace(each, audience=None) if isinstance(each, Actions) else each for each in message.blocks)
    return replace(message, blocks=(*rows, SmallPrint((origin,))))


def not_yours_any_more() -> Message:
    """In place of a question, for somebody who may not decide it any more."""
    return said("A question was here that is no longer yours to decide.")


def _origin(run: Run) -> Line:
    where = f"Asked in {platform_title(run.place.surface)}" if run.place is not None else "Asked elsewhere"
    by = Mention(run.requester.principal, run.requester.label)
    return (
        where,
        ", in a run of ",
        by,
        ". It is settled for everybody by whoever decides it, here or there.",
    )

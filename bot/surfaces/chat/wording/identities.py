"""Linking the identities of one person: codes, and what is linked. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.people.actor import Actor
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.formatted_text import Bold, Code, Command, FormattedText, Untrusted, joined
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Message,
    Option,
    Paragraph,
    Select,
    text_message,
)

SURFACES = {"slack": "Slack", "teams": "Teams", "http": "the API", "console": "the console"}
NAME_UNITS = 60


def code(value: str, mine: Sequence[Actor]) -> Message:
    """A new code, to be entered on another surface; and what is linked already."""
    lines: list[FormattedText] = [
        ("Your code: ", Code(value), ". It works once, within ten minutes. Keep it to yourself."),
        (
            "Where else you are signed in, enter ",
            Command(f"link {value}"),
            ", or enter the code in the console.",
        ),
        ("From then on you are one person for every policy, wherever you answer.",),
    ]
    return text_message(*joined([*lines, *_linked(mine)]))


def confirm(value: str, other: Actor) -> Message:
    """Whose code it is, before it is taken: somebody may have been given another person's code."""
    line: FormattedText = ("This code is of ", *_person(other), ". Are you the same person?")
    warning = "Whoever is linked with you answers as you. Never enter a code that somebody sent you."
    button = Button("Yes, link us", actions.LINK_CONFIRM, Target(value).encode(), "Link the two", "primary")
    blocks: tuple[Block, ...] = (Paragraph(joined([line, (Bold(warning),)])), Actions((button,)))
    return Message(line, blocks)


def linked(mine: Sequence[Actor]) -> Message:
    """Says that identities were linked, and lists them."""
    return text_message(*joined([("Linked.",), *_linked(mine)]))


def unlinking(mine: Sequence[Actor], acting: Actor) -> Message:
    """What is linked, to choose what to unlink."""
    others = [each for each in mine if each.principal != acting.principal]
    if not others:
        return text_message("Nothing is linked with you. ", Command("link"), " gives you a code for that.")
    options = tuple(Option(_plain(each), Target(each.principal).encode()) for each in others)
    line = joined(_linked(mine))
    return Message(line, (Paragraph(line), Actions((Select("Unlink...", actions.UNLINK, options),))))


def unlinked(found: bool) -> Message:  # noqa: FBT001 - what `Directory.unlink` returns
    """Says that an identity was unlinked, or that it isn't theirs."""
    if not found:
        return text_message("That isn't linked with you.")
    return text_message(
        "Unlinked: it isn't yours any more. For a month policies still count both as one person."
    )


def _linked(mine: Sequence[Actor]) -> list[FormattedText]:
    if len(mine) < 2:  # noqa: PLR2004 - one identity is linked with nothing
        return []
    return [("You are linked as:",), *(("• ", *_person(each)) for each in mine)]


def _person(actor: Actor) -> FormattedText:
    return (Untrusted(actor.label, NAME_UNITS), f" in {SURFACES.get(actor.surface, actor.surface)}")


def _plain(actor: Actor) -> str:
    return f"{actor.label[:NAME_UNITS]} in {SURFACES.get(actor.surface, actor.surface)}"

"""What is said to the app, and what to people, by what Teams lists as mentions."""

from __future__ import annotations

import pytest

from bot.surfaces.teams.inbound.mentions import Mentioned, MessageText

BOT = "28:app"
APP = Mentioned(BOT, "Crewdeck", "<at>Crewdeck</at>")
ADA = Mentioned("29:ada", "Ada", "<at>Ada</at>")
BOB = Mentioned("29:bob", "Bob", "<at>Bob</at>")
NAMESAKE = Mentioned("29:ada2", "Ada", "<at>Ada</at>")
GENERAL = Mentioned("19:general", "General", "<at>General</at>", group=True)


def said(text: str, *mentions: Mentioned) -> MessageText:
    return MessageText(text, mentions, BOT)


@pytest.mark.parametrize(
    ("text", "mentions", "addressed"),
    [
        ("<at>Crewdeck</at> start demo", (APP,), "start demo"),
        ("<at>Crewdeck</at>&nbsp;start demo", (APP,), "start demo"),
        ("  <at>Crewdeck</at>: start demo ", (APP,), "start demo"),
        ("<at>Crewdeck</at>", (APP,), ""),
        ("<at>Crewdeck</at> start demo for <at>Ada</at>", (APP, ADA), "start demo for @Ada"),
        ("<at>Crewdeck</at> ask <at>Crewdeck</at>", (APP, APP), "ask"),
        ("please <at>Crewdeck</at> start", (APP,), None),
        ("<at>Ada</at> <at>Crewdeck</at> start", (ADA, APP), None),
        ("start demo", (), None),
        # Typed, and no mention.
        ("<at>Crewdeck</at> start demo", (), None),
        ("<at>Crewdeck</at> start demo", (Mentioned("29:x", "Crewdeck", "<at>Crewdeck</at>"),), None),
        # A mention whose text isn't there.
        ("start demo", (APP,), None),
        ("start demo", (Mentioned(BOT, "Crewdeck", ""),), None),
    ],
)
def test_what_is_said_to_the_app(text: str, mentions: tuple[Mentioned, ...], addressed: str | None) -> None:
    assert said(text, *mentions).addressed == addressed


@pytest.mark.parametrize(
    ("text", "mentions", "words"),
    [
        ("<at>Crewdeck</at> ship it", (APP,), "ship it"),
        ("ship it, <at>Crewdeck</at>", (APP,), "ship it,"),
        ("<at>Ada</at> and <at>Bob</at> know", (ADA, BOB), "@Ada and @Bob know"),
        ("1 < 2 && <b>x</b> &lt;", (), "1 < 2 && <b>x</b> &lt;"),
        ("<at>typed</at>", (), "<at>typed</at>"),
        ("\u00a0yes\u00a0", (), "yes"),
    ],
)
def test_words_are_what_was_typed(text: str, mentions: tuple[Mentioned, ...], words: str) -> None:
    assert said(text, *mentions).words == words


@pytest.mark.parametrize(
    ("text", "mentions", "speaks"),
    [
        ("<at>Ada</at> can you look?", (ADA,), True),
        ("<at>Ada</at>?", (ADA,), True),
        ("<at>Ada</at>", (ADA,), False),
        ("<at>Ada</at> and <at>Bob</at>", (ADA, BOB), False),
        ("<at>Ada</at>, <at>Ada</at>", (ADA, NAMESAKE), False),
        ("I think <at>Ada</at>", (ADA,), False),
        ("I think <at>General</at>", (GENERAL,), True),
        ("<at>Crewdeck</at> ask <at>Ada</at>", (APP, ADA), False),
        ("yes", (), False),
    ],
)
def test_what_is_said_to_people(text: str, mentions: tuple[Mentioned, ...], speaks: bool) -> None:  # noqa: FBT001
    assert said(text, *mentions).speaks_to_others is speaks


def test_two_people_of_one_name_are_two() -> None:
    both = said("<at>Ada</at> or <at>Ada</at>", ADA, NAMESAKE)
    assert both.others == (ADA, NAMESAKE)
    assert both.words == "@Ada or @Ada"


def test_many_mentions_are_read_in_linear_time() -> None:
    text = "<at>Ada</at>" * 2000
    assert said(text, *[ADA] * 2000).words.count("@Ada") == 2000

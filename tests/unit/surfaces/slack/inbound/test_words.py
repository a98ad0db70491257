"""Slack's wire text, as people read it."""

import pytest

from bot.surfaces.slack.inbound import words


@pytest.mark.parametrize(
    ("wire", "read"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;", "&lt;"),
        ("see <https://example.org>", "see https://example.org"),
        ("see <https://example.org|example.org>", "see example.org"),
        ("see <https://example.org|our page>", "see our page (https://example.org)"),
        ("<mailto:ada@example.org|ada@example.org>", "ada@example.org"),
        ("call <tel:+15551234567|(555) 123-4567>", "call (555) 123-4567"),
        ("<tel:+4930123456|+49 30 / 123.456>", "+49 30 / 123.456"),
        ("<tel:110>", "110"),
        ("<tel:+4930123456|+49 30 999>", "+49 30 999 (+4930123456)"),
        ("<tel:+4930123456|Approve>", "Approve (+4930123456)"),
        ("in <#C0GENERAL|general>", "in #general"),
        ("<!here> listen", "@here listen"),
        ("at <!date^1392734382^{date}|February 18th>", "at February 18th"),
    ],
)
def test_links_channels_and_escapes_are_resolved(wire: str, read: str) -> None:
    assert words.plain(wire) == read


@pytest.mark.parametrize(
    "typed",
    [
        "<script>",
        "a <b> c",
        "<!-- note -->",
        "<#include>",
        "<@media print>",
        "<a|b>",
        "x <y and z> w",
        "<!x>",
        "<>",
    ],
)
def test_what_is_typed_between_angles_stays(typed: str) -> None:
    """Slack escapes it in messages and forms; in commands it may not."""
    assert words.plain(typed) == typed
    assert words.plain(typed.replace("<", "&lt;").replace(">", "&gt;")) == typed


def test_everybody_mentioned_is_found() -> None:
    assert words.mentions("<@U0ADA> and <@W0BOB|bob>, not <#C0GENERAL>") == {"U0ADA", "W0BOB"}
    assert words.mentions("nobody@example.org") == frozenset()


@pytest.mark.parametrize("text", ["<!subteam^S01|@ops> please", "<!here>", "<!channel> look", "<!everyone>"])
def test_groups_are_people_too(text: str) -> None:
    assert words.names_people(text, "U0BOT")
    assert not words.names_people("<!date^1392734382^{date}|today>", "U0BOT")
    assert not words.names_people("<@U0BOT> yes", "U0BOT")


@pytest.mark.parametrize(
    ("text", "talk"),
    [
        ("<@U0BOB>", False),
        (" <@U0BOB|bob>!", False),
        ("<@U0BOB> and <@U0EVE>", False),
        ("<@U0BOB>, <@U0EVE>", False),
        ("<@U0BOB> / <!subteam^S01|@ops>", False),
        ("Bob, that is <@U0BOB>, for legal", False),
        ("no names at all", False),
        ("<@U0BOB> can you look?", True),
        ("<@U0BOB>?", True),
        ("<@U0BOB> and <@U0EVE>: look at this", True),
        ("<!subteam^S01|@ops> anybody", True),
        ("<!here>", True),
        ("who is it, <!channel>", True),
    ],
)
def test_talk_begins_with_who_is_spoken_to(text: str, *, talk: bool) -> None:
    assert words.speaks_to_people(text) is talk


def test_people_are_read_by_their_names() -> None:
    names = {"U0BOB": "Bob"}
    assert words.plain("<@U0BOB> &amp; <@U0EVE>", names) == "@Bob (U0BOB) & @U0EVE"
    assert words.plain("<@U0EVE|eve>", names) == "@eve (U0EVE)"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<@U0BOT> status", "status"),
        ("  <@U0BOT>: status", "status"),
        ("<@U0BOT|crewdeck>, help", "help"),
        ("<@U0BOT>", ""),
        ("ask <@U0BOT> status", None),
        ("<@U0ADA> status", None),
        ("status", None),
    ],
)
def test_only_a_mention_at_the_beginning_speaks_to_the_app(text: str, spoken: str | None) -> None:
    assert words.addressed(text, "U0BOT") == spoken


ROCKET = {"type": "emoji", "name": "rocket", "unicode": "1f680"}
CUSTOM = {"type": "emoji", "name": "our_logo"}


@pytest.mark.parametrize(
    ("text", "blocks", "read"),
    [
        (":rocket: Launch", [{"type": "rich_text", "elements": [{"elements": [ROCKET]}]}], "🚀 Launch"),
        (":rocket: x", [{"type": "rich_text", "elements": [{"elements": [CUSTOM]}]}], ":rocket: x"),
        ("a:x:b", [{"type": "rich_text", "elements": []}], "a:x:b"),
        (":rocket:", [{"elements": [{"type": "emoji", "name": "rocket", "unicode": "no"}, 7]}], ":rocket:"),
        (":rocket: Launch", None, "🚀 Launch"),
        (":+1: and :white_check_mark:", None, "👍 and ✅"),
        (":party_popper:", None, "🎉"),
        (":our_logo: :latin_small_letter_a:", None, ":our_logo: :latin_small_letter_a:"),
        ("2001:db8:a:1 fe80::a:b 1:100:5 urn:key:7", None, "2001:db8:a:1 fe80::a:b 1:100:5 urn:key:7"),
        ("(:wave::skin-tone-2:) 完了:tada:", None, "(👋🏻) 完了🎉"),
    ],
)
def test_names_of_emoji_are_read_as_the_emoji(
    text: str, blocks: list[dict[str, object]] | None, read: str
) -> None:
    assert words.read(text, blocks) == read


def test_names_in_a_text_that_is_edited_stay_names() -> None:
    assert words.read("[:x:] :rocket: :tada:", offered="[:x:] :rocket:") == "[:x:] :rocket: 🎉"

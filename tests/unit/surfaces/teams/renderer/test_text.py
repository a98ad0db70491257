"""Texts in Adaptive Cards: what people decide on is shown literally, and nothing of others has an effect."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core.text import visible
from bot.surfaces.chat.formatted_text import Bold, ChannelName, Command, Mention, Time, Untrusted
from bot.surfaces.chat.messages import Frame, Message, Paragraph, Quote
from bot.surfaces.teams.renderer import Member, Reader, render_card, render_message
from bot.surfaces.teams.renderer.text import escape, literal, markdown, paragraph, xml
from tests.linear import LINEAR, growth
from tests.loopback.teams import cards

ADA = "teams:t:ada"
MIDNIGHT = "1970-01-01T00:00:00Z"
MEMBERS = {ADA: Member("29:ada", "Ada Lovelace"), "teams:t:eve": Member("29:eve", "[x](y)")}
TRICKS = st.sampled_from(
    [
        "{{DATE(2026-01-01T00:00:00Z)}}", "<at>", "</at>", "**", "_", "[a](b)", "`", "\\", "&lt;", "# ", "- ",
        "1. ", "\n",
    ]
)  # fmt: skip
TEXTS = st.lists(TRICKS | st.text(max_size=6), max_size=12).map("".join)


def read(runs: list[dict[str, Any]]) -> str:
    return "".join(run["text"] for run in runs)


@given(TEXTS)
def test_every_character_of_a_text_is_shown_in_order(text: str) -> None:
    shown = read(literal(text)).replace("\u00a0", " ")
    assert shown == visible(text).replace("\u00a0", " ").replace("\t", "    ")


@given(TEXTS)
def test_no_run_holds_what_clients_replace(text: str) -> None:
    assert not any(re.search(r"\{\{(DATE|TIME)\(|<at>", run["text"]) for run in literal(text))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t\u00a0"), max_size=30))
def test_an_escaped_text_has_no_markup(text: str) -> None:
    shown = MarkdownIt("commonmark").renderInline(escape(text))
    assert html.unescape(shown).split() == visible(text).split()


@pytest.mark.parametrize("begin", ["- x", "1. x", "# x", "> x", "+ x", "12) x", "=", "x - y", "3.5 x", "7"])
def test_a_line_begins_no_list(begin: str) -> None:
    for part in (begin, Untrusted(begin, style="plain")):
        shown = MarkdownIt("commonmark").render(markdown((part, " at ", Time(0)), {}))
        when = f"{{{{DATE({MIDNIGHT}, SHORT)}}}} {{{{TIME({MIDNIGHT})}}}}"
        assert html.unescape(shown) == f"<p>{begin} at {when}</p>\n"


@pytest.mark.parametrize("begin", ["- x", "1. x", "# x", "> x", "    x", "\tx", "=", "---"])
def test_no_later_line_of_others_begins_anything(begin: str) -> None:
    shown = MarkdownIt("commonmark").render(markdown((Untrusted(f"a\n{begin}", None, "plain"), Time(0)), {}))
    assert re.findall("<[a-z0-9]+", shown) == ["<p", "<p"]
    assert begin.strip() in html.unescape(shown)


def test_people_are_mentioned_and_names_with_markup_are_shown_literally() -> None:
    [block] = paragraph(
        (Mention(ADA), " and ", Mention("teams:t:eve"), " and ", Mention("http::key:ci")), MEMBERS
    )
    assert block["text"] == "<at>Ada Lovelace</at> and \\[x\\](y) and the API key ci"
    message = Message(("x",), (Paragraph((Mention(ADA),)),))
    card = render_card(message, Reader(MEMBERS))
    assert [each["mentioned"]["id"] for each in card["msteams"]["entities"]] == ["29:ada"]


def test_a_text_alone_is_escaped_and_mentions() -> None:
    line = (Bold("Hi "), Mention(ADA), ": ", Untrusted("<b>&\n{{", None))
    assert xml(line, MEMBERS) == "Hi <at>Ada Lovelace</at>: &lt;b&gt;&amp;<br/>{{"
    shown = render_message(Message(line), Reader(MEMBERS))
    assert shown["textFormat"] == "xml"
    assert shown["entities"][0]["text"] == "<at>Ada Lovelace</at>"


def test_commands_and_places_are_named_as_teams_does() -> None:
    line = (Command("list"), " in ", ChannelName("19:x@thread.tacv2"), " or ", ChannelName("a:x"))
    [block] = paragraph(line, {})
    assert read(block["inlines"]) == "@Crewdeck list in a channel or a chat"


def test_spaces_and_line_ends_stay_in_a_frame() -> None:
    card = render_card(Message(("x",), (Frame("a  b\n\n  c\td"),)))
    assert cards.problem(card) == ""
    assert read(card["body"][0]["items"][0]["inlines"]) == "a \u00a0b\n\n\u00a0\u00a0c \u00a0\u00a0\u00a0d"


@given(TEXTS)
def test_any_text_makes_a_valid_card(text: str) -> None:
    blocks = (Quote(text), Paragraph((Untrusted(text), Time(0), Untrusted(text, None, "plain"))))
    assert cards.problem(render_card(Message((Untrusted(text),), blocks))) == ""


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["{", "{{DATE(", "<", "<at>", " ", "\n ", "*", "[", "\\", "\u202e"])
def test_any_text_is_shown_in_linear_time(unit: str) -> None:
    def both(size: int) -> None:
        literal((unit * size)[:size])
        escape((unit * size)[:size])

    assert growth(both, 20_000) < LINEAR

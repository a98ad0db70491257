"""Text of people and models in Slack's markups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.chat import shortening
from bot.surfaces.chat.formatted_text import Mention, Part, Time
from bot.surfaces.slack.renderer import mrkdwn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("R&D <b>", "R&amp;D &lt;b&gt;"),
        ("a\x00b", "a[U+0000]b"),
        ("\ud800", "[U+D800]"),
        ("\u202eabc", "[U+202E]abc"),
    ],
)
def test_mrkdwn_is_escaped(text: str, shown: str) -> None:
    assert mrkdwn.escape(text) == shown


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_truncated_text_keeps_the_limit(text: str, limit: int) -> None:
    assert shortening.length(shortening.truncate(text, limit)) <= limit
    assert shortening.length(mrkdwn.truncate_escaped(text, limit)) <= limit
    assert shortening.length(shortening.beginning(text, limit)) <= limit


@given(st.text(alphabet=st.characters() | st.sampled_from("\n &<")), st.integers(min_value=10, max_value=60))
def test_pieces_lose_nothing_but_blank_ones(text: str, limit: int) -> None:
    found = list(shortening.pieces(text, limit, mrkdwn.escape))
    assert all(shortening.length(mrkdwn.escape(piece)) <= limit for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@pytest.mark.parametrize("unit", ["\U0010ffff", "\U0010ffff\u200b", "&", "\ud800", "é"])
@pytest.mark.parametrize("limit", [1, 9, 10, 11, 60])
def test_pieces_end_however_long_a_character_is_written(unit: str, limit: int) -> None:
    assert "".join(shortening.pieces(unit * 200, limit, mrkdwn.escape)) == unit * 200


def shown(part: Part) -> str:
    return mrkdwn.mrkdwn((part,), styled=True)


def test_people_are_mentioned_and_others_named() -> None:
    assert shown(Mention("slack:T0:U0ADA")) == "<@U0ADA>"
    assert shown(Mention("http::key:ci")) == "the API key ci"
    assert shown(Mention("slack:T0:U1> <!channel")) == "U1&gt; &lt;!channel"


@pytest.mark.parametrize("name", ["_ci_", "a_", "*ci*", "~ci~"])
def test_a_name_with_marks_in_it_is_shown_literally(name: str) -> None:
    assert shown(Mention(f"http::key:{name}")) == f"`the API key {name}`"


def test_a_backtick_does_not_end_the_code_that_it_stands_in() -> None:
    assert shown(Mention("http::key:`*ci*`")) == "`the API key '*ci*'`"


def test_times_have_a_fallback_in_utc() -> None:
    assert shown(Time(1_790_000_000_000)).endswith("|2026-09-21 14:13 UTC>")

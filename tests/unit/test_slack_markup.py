"""Text of people and models in Slack's markups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.slack.cards import mrkdwn


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("R&D <b>", "R&amp;D &lt;b&gt;"),
        ("a\x00b", "ab"),
        ("\ud800", "?"),
    ],
)
def test_mrkdwn_is_escaped(text: str, shown: str) -> None:
    assert mrkdwn.escape(text) == shown


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**bold** and `code`", "**bold** and `code`"),
        ("[docs](https://docs.com)", "docs (https://docs.com)"),
        ("[https://a.com](https://a.com)", "https://a.com"),
        ('[bank.com](https://evil.com "bank")', "bank.com (https://evil.com)"),
        ("- [ ] a task", "- [ ] a task"),
    ],
)
def test_markdown_stays_and_links_show_where_they_lead(markdown: str, shown: str) -> None:
    assert mrkdwn.neutral(markdown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "<!subteam^S1>",
        "<@U1>",
        "<https://evil.com|bank.com>",
        "&lt;!channel&gt;",
        "@here",
        "@channel",
    ],
)
def test_pings_in_markdown_are_taken_apart(text: str) -> None:
    assert text not in mrkdwn.neutral(text)


@pytest.mark.parametrize("text", ["[bank][1]\n\n[1]: https://evil.com", "[a [b]](https://evil.com)"])
def test_links_by_reference_or_nested_are_taken_apart(text: str) -> None:
    shown = mrkdwn.neutral(text)
    assert "](" not in shown
    assert "][" not in shown
    assert "]:" not in shown


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_truncated_text_keeps_the_limit(text: str, limit: int) -> None:
    assert mrkdwn.length(mrkdwn.truncate(text, limit)) <= limit
    assert mrkdwn.length(mrkdwn.truncate_escaped(text, limit)) <= limit
    assert mrkdwn.length(mrkdwn.quote(text, limit)) <= limit


@given(st.text(alphabet=st.characters() | st.sampled_from("\n &<")), st.integers(min_value=10, max_value=60))
def test_pieces_lose_nothing_but_blank_ones(text: str, limit: int) -> None:
    found = list(mrkdwn.pieces(text, limit, mrkdwn.escape))
    assert all(mrkdwn.length(mrkdwn.escape(piece)) <= limit for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_people_are_mentioned_and_others_named() -> None:
    assert mrkdwn.mention("slack:T0:U0ADA") == "<@U0ADA>"
    assert mrkdwn.mention("http::key:ci") == "the API key ci"
    assert mrkdwn.mention("slack:T0:U1> <!channel") == "U1&gt; &lt;!channel"


def test_times_have_a_fallback_in_utc() -> None:
    assert mrkdwn.date(1_790_000_000_000).endswith("|2026-09-21 14:13 UTC>")

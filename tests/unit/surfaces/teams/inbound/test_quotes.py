"""Which messages a message of Teams quotes, however Teams says it."""

import time

import pytest

from bot.surfaces.teams.inbound.quotes import UNKNOWN, quoted_in, without_quotes

REPLY = 'itemscope itemtype="http://schema.skype.com/Reply"'


@pytest.mark.parametrize(
    ("html", "ids"),
    [
        pytest.param("<p>Approve</p>", [], id="nothing"),
        pytest.param(f'<blockquote {REPLY} itemid="17"><p>Pay?</p></blockquote>Approve', ["17"], id="one"),
        pytest.param(f"<BLOCKQUOTE itemid='17'\n{REPLY}>", ["17"], id="another order, case and quotes"),
        pytest.param(
            f'<blockquote {REPLY} itemid="1">a</blockquote><blockquote {REPLY} itemid="2">',
            ["1", "2"],
            id="two",
        ),
        pytest.param(f"<blockquote {REPLY}>", [UNKNOWN], id="nobody knows which"),
        pytest.param('<blockquote itemid="17">as people quote themselves</blockquote>', [], id="no message"),
    ],
)
def test_quoted_messages_are_found_in_html(html: str, ids: list[str]) -> None:
    assert list(quoted_in(html)) == ids


@pytest.mark.parametrize(
    "unit", ["<blockquote ", f"<blockquote {REPLY} ", "<blockquote itemtype=", "itemid='"]
)
def test_html_is_read_in_linear_time(unit: str) -> None:
    def takes(times: int) -> float:
        started = time.process_time()
        list(quoted_in(unit * times))
        return time.process_time() - started

    assert min(takes(40_000) for _ in range(3)) < 16 * min(takes(10_000) for _ in range(3)) + 0.01


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<quoted messageId="17"/> Approve', "Approve"),
        ('<quoted messageId="17"></quoted>Approve', "Approve"),
        ("Approve", "Approve"),
    ],
)
def test_tags_that_stand_for_quotes_are_no_words(text: str, words: str) -> None:
    assert without_quotes(text) == words

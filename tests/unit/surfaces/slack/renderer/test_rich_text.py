"""Lines, differences and Markdown as rich text: what is whose is told by styles that no text can take on."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.text import visible
from bot.surfaces.chat.formatted_text import Mention, Untrusted
from bot.surfaces.chat.messages import Actions, Checkboxes, Difference, Message, Option, Span
from bot.surfaces.slack.renderer import render_message
from bot.surfaces.slack.renderer.rich_text import difference, paragraph, rendered
from tests.examples import examples
from tests.linear import LINEAR, growth
from tests.loopback.slack.blocks import check_message_blocks, texts

CHANGES = st.sampled_from(("kept", "removed", "added"))
SPANS = st.lists(st.builds(Span, text=st.text(min_size=1, max_size=40), change=CHANGES), max_size=8)


@given(SPANS)
def test_a_difference_shows_every_character_with_what_happened_to_it(spans: list[Span]) -> None:
    shown = [
        (element["text"], element.get("style", {}))
        for block in difference(spans)
        for quote in block["elements"]
        for element in quote["elements"]
    ]
    for change, style in (("kept", {}), ("removed", {"strike": True}), ("added", {"bold": True})):
        expected = "".join(visible(each.text) for each in spans if each.change == change)
        assert "".join(text for text, had in shown if had == style) == (
            expected or ("" if spans else "-" * (not style))
        )


def test_a_group_of_slack_is_mentioned_by_its_id_and_others_are_named() -> None:
    [section] = paragraph(
        (Mention("slack::S0FIN"), Mention("slack::@finance"), Mention("teams:t:u", "Ada\nB"))
    )["elements"]
    assert section["elements"] == [
        {"type": "usergroup", "usergroup_id": "S0FIN"},
        {"type": "text", "text": "@finance"},
        {"type": "text", "text": "Ada B, in Teams"},
    ]


def test_what_is_strong_is_framed_as_all_that_is_not_ours() -> None:
    [section] = paragraph((Untrusted("Pay 3 € to Acme", style="strong"),))["elements"]
    assert section["elements"][0]["style"] == {"bold": True, "code": True}


def test_checkboxes_and_differences_are_accepted_by_slack() -> None:
    boxes = Checkboxes("tick", tuple(Option(f"number {n}", f"v{n}") for n in range(12)))
    spans = tuple(Span("x" * 5000, change) for change in ("kept", "removed"))
    rendered = render_message(Message(("words",), (Difference(spans[:1]), Actions((boxes,)))))
    check_message_blocks(rendered["blocks"])
    [ticks] = rendered["blocks"][-1]["elements"]
    assert len(ticks["options"]) == 10


def shown(markdown: str) -> str:
    return "\n".join(texts(rendered(markdown)))


def parts(markdown: str) -> list[dict[str, Any]]:
    return [part for block in rendered(markdown) for each in block["elements"] for part in each["elements"]]


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("**bold** and *so*", "*bold* and so"),
        ("# Head\n\ntext", "*Head*\ntext"),
        ("[docs](https://docs.com)", "docs (https://docs.com)"),
        ("[https://a.com](https://a.com)", "https://a.com"),
        ('[bank.com](https://evil.com "The bank")', 'bank.com (https://evil.com "The bank")'),
        ("[Refund](10 EUR, and 9000 EUR more)", "[Refund](10 EUR, and 9000 EUR more)"),
        ("[Refund](<10 EUR, and 9000 EUR more>)", "Refund (10 EUR, and 9000 EUR more)"),
        ("![a chart](https://x.com/c.png)", "a chart (https://x.com/c.png)"),
        ("[](https://x.com)", "(https://x.com)"),
        ("<https://x.com>", "https://x.com"),
        ("[bank][1]\n\n[1]: https://evil.com", "[bank][1]\n[1]: https://evil.com"),
        ("if limits[user](amount and not blocked):", "if limits[user](amount and not blocked):"),
        ("```py title=x\nlimits[user](amount)\n&lt;\n```", "py title=x\nlimits[user](amount)\n&lt;"),
        ("`&amp; <@U1> \\*`", "&amp; <@U1> \\*"),
        ("&lt;!channel&gt; &copy; &", "&lt;!channel&gt; &copy; &"),
        ("[a](https://x.com/?a&amp;b)", "a (https://x.com/?a&amp;b)"),
        ("<b>not html</b>", "<b>not html</b>"),
        ("3. three\n4. four\n   - deep", "3. three\n4. four\n    • deep"),
        ("> quoted\n> twice", "> quoted\n> twice"),
        ("| a | b |\n|---|---|\n| 1 | [x](y) |", "| a | b |\n|---|---|\n| 1 | [x](y) |"),
        ("~~gone~~ ~still~", "gone ~still~"),
        ("1 \\* 2", "1 * 2"),
        ("a\u202eb", "a[U+202E]b"),
        ("", ""),
    ],
)  # fmt: skip
def test_markdown_is_shown_and_loses_no_words(markdown: str, read: str) -> None:
    assert shown(markdown).strip() == read


def test_only_plain_addresses_of_the_web_can_be_followed_and_show_all_of_themselves() -> None:
    written = (
        "[a](https://x.com/a) [b](javascript:alert) [c](/etc) [d](https://ex\u0430mple.com) [e](ftp://x)"
    )
    links = [part for part in parts(written) if part["type"] == "link"]
    assert links == [{"type": "link", "url": "https://x.com/a", "text": "https://x.com/a"}]
    for target in ("javascript:alert", "/etc", "https://ex\u0430mple.com", "ftp://x"):
        assert target in shown(written)


def test_nothing_in_it_pings() -> None:
    written = "<!channel> <@U1> <#C1> @here <!subteam^S1> <https://evil.com|bank.com>"
    assert {part["type"] for part in parts(written)} == {"text"}
    assert shown(written) == written.replace("<https", "https").removesuffix(">")


def test_code_has_no_character_more_or_less() -> None:
    code = "a  b\n\n\tif x[1](y): <@U1> &amp;\n  # *not* _marked_ @here\n"
    [frame] = rendered(f"```\n{code}```")[0]["elements"]
    assert frame["type"] == "rich_text_preformatted"
    assert "".join(part["text"] for part in frame["elements"]) == code.removesuffix("\n")


PIECES = st.sampled_from(
    [
        "[", "](", ")", "](<", ">", "`", "```\n", "*", "**", "_", "~~", "# ", "- ", "1. ", "> ", "|", "|-|\n",
        "\n",
        "\n\n", "    ", "\\", "&", "&amp;", "<", "https://a.b/c", '"t"', "!", ": ", "[1]: x", "word", "é",
        "\u202e", "<@U1>", "&#65;",
    ]
)  # fmt: skip
MARKDOWN = st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join)


@settings(max_examples=examples(300), deadline=None)
@given(MARKDOWN)
def test_every_letter_and_digit_of_any_markdown_can_be_read_in_order(markdown: str) -> None:
    blocks = rendered(markdown)
    if blocks:
        check_message_blocks(blocks)
    read = iter("".join(texts(blocks)))
    words = [
        each
        for each in visible(markdown)
        if unicodedata.category(each)[0] in "LNSM" and each not in "*_~`^<>|$+="
    ]
    lost = [each for each in words if each not in read]
    assert not lost


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "[", "![", "[](", "[](<", "`", "`` ", "*", "**a", "a**b ", "_a", "*a_ ", "<", "<a", "> ", ">\n", "- ",
        "- a\n", "1. ", "\\", "&", "[a](", "](", "~~", "\n", "|", "|a|\n|-|\n", "#", "# \n", "<http:", "[a][",
        "(", "    ",
        "\u202e", "[`", "x", "[](<" + " " * 50, "a\n=\n", "```\n", "~~~\n", "*a\n",
    ],
)  # fmt: skip
def test_any_markdown_is_rendered_in_linear_time(unit: str) -> None:
    assert growth(lambda size: rendered((unit * size)[:size]), 2700) < LINEAR

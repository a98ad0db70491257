"""Lines and differences as rich text: what is whose is told by styles that no text can take on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.text import visible
from bot.surfaces.chat.elements import Checkboxes, Option
from bot.surfaces.chat.lines import Mention, Untrusted
from bot.surfaces.chat.messages import Actions, Difference, Message, Span
from bot.surfaces.slack.renderer import render_message
from bot.surfaces.slack.renderer.rich_text import difference, paragraph
from tests.loopback.slack.blocks import check_message_blocks

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

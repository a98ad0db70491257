"""Groups that policies name by handle are mentioned by id where it is known, and nothing else changes."""

from __future__ import annotations

import json

import pytest

from bot.surfaces.chat.formatted_text import Mention, Untrusted
from bot.surfaces.chat.messages import Actions, Button, Message, Paragraph, Quote, SmallPrint
from bot.surfaces.slack.renderer import render_message, with_group_ids

IDS = {"finance": "S0123ABCD"}


def naming(principal: str) -> Message:
    line = ("ask ", Mention(principal), " of ", Untrusted("@finance"))
    button = Actions((Button("Approve", "answer.approve", "r q"),))
    return Message(line, (Paragraph(line), SmallPrint((line,)), Quote("@finance"), button))


@pytest.mark.parametrize("handle", ["@finance", "@Finance"])
def test_a_group_is_mentioned_by_its_id_wherever_it_is_named(handle: str) -> None:
    shown = render_message(with_group_ids(naming(f"slack::{handle}"), IDS))
    by_id = render_message(naming("slack::S0123ABCD"))
    assert shown == by_id
    assert "<!subteam^S0123ABCD>" in shown["text"]
    assert '"usergroup_id": "S0123ABCD"' in json.dumps(shown["blocks"])


@pytest.mark.parametrize(
    ("principal", "ids"),
    [
        ("slack::@finance", {}),
        ("slack::@legal", IDS),
        ("slack::S0999", IDS),
        ("slack:T0:U0ADA", IDS),
        ("teams::finance", IDS),
        ("http::@finance", IDS),
    ],
)
def test_everything_else_stays_as_it_is(principal: str, ids: dict[str, str]) -> None:
    assert with_group_ids(naming(principal), ids) == naming(principal)

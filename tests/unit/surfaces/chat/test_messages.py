"""A cached text is shown as its parts are."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.surfaces.chat.formatted_text import (
    Bold,
    CachedText,
    ChannelName,
    Code,
    Command,
    FormattedText,
    Link,
    Mention,
    Time,
    Untrusted,
    plain_words,
)
from bot.surfaces.chat.messages import Message, Notice, Paragraph
from bot.surfaces.slack.renderer import render_message as for_slack
from bot.surfaces.slack.renderer import with_group_ids
from bot.surfaces.teams.renderer import render_message as for_teams

PARTS: FormattedText = (
    Bold("Crews"),
    "\n",
    Untrusted("<!here> *demo*"),
    " and\n",
    Code("7f3a"),
    Command("list"),
    Mention("slack:T0:U0ADA", "Ada"),
    Time(1_700_000_000_000),
    ChannelName("C0"),
    Link("more", "https://example.com/a"),
)


def message(*parts: Any) -> Message:
    return Message(parts, (Paragraph(parts), Notice(parts)))


@pytest.mark.parametrize("render", [for_slack, for_teams])
def test_it_is_written_as_its_parts_are_each_time(render: Callable[[Message], dict[str, Any]]) -> None:
    cached = CachedText(PARTS)
    plain = render(message("First ", *PARTS, " last"))
    assert [render(message("First ", cached, " last")) for _ in range(2)] == [plain, plain]
    alone = Message(("First ", CachedText((cached,))))
    assert render(alone) == render(Message(("First ", *PARTS)))
    assert plain_words((cached,)) == plain_words(PARTS)


def test_what_is_kept_of_it_is_not_shown_once_its_parts_are_others() -> None:
    cached = CachedText((Mention("slack::@legal"),))
    assert "@legal" in for_slack(message(cached))["text"]
    assert for_slack(with_group_ids(message(cached), {"legal": "S0LEGAL"}))["text"] == "<!subteam^S0LEGAL>"

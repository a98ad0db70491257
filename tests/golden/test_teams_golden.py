"""Typical messages as the Adaptive Cards that Teams gets, held as files, and valid by Microsoft's schema.

`CREWDECK_GOLDEN=write` in the environment writes the files anew.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.surfaces.chat.messages import Form
from bot.surfaces.teams.renderer import (
    MESSAGE_CHARACTERS,
    Member,
    Reader,
    render_card,
    render_form,
    render_message,
)
from tests.golden import files
from tests.golden.test_slack_golden import CARDS
from tests.loopback.teams import cards

HERE = Path(__file__).parent / "teams"
TENANT = "99999999-8888-4777-a666-555555555555"
PEOPLE = {
    "slack:T0:U0ADA": f"teams:{TENANT}:0000000a-1111-4222-8333-444444444444",
    "slack:T0:U0BOB": f"teams:{TENANT}:0000000b-1111-4222-8333-444444444444",
}
ADA, BOB = PEOPLE.values()
EVERYBODY = Reader({ADA: Member("29:ada", "Ada"), BOB: Member("29:bob", "Bob")})


def on_teams(part: Any) -> Any:  # noqa: ANN401 - a tree of any kind
    """The same with people of Teams."""
    match part:
        case str():
            return PEOPLE.get(part, part)
        case tuple():
            return tuple(on_teams(each) for each in part)
        case _ if is_dataclass(part) and not isinstance(part, type):
            return replace(part, **{each.name: on_teams(getattr(part, each.name)) for each in fields(part)})
        case _:
            return part


def rendered(name: str, reader: Reader = EVERYBODY) -> dict[str, Any]:
    shown = on_teams(CARDS[name])
    return render_form(shown) if isinstance(shown, Form) else render_message(shown, reader)


def card_of(shown: dict[str, Any]) -> dict[str, Any]:
    card: dict[str, Any] = shown["attachments"][0]["content"] if "attachments" in shown else shown
    return card


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_what_it_was(name: str) -> None:
    shown = rendered(name)
    assert shown == files.held(HERE / f"{name}.json", shown)


def test_every_file_is_a_cards() -> None:
    assert {file.stem for file in HERE.glob("*.json")} == set(CARDS)


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("reader", [EVERYBODY, Reader({}), replace(EVERYBODY, alone=ADA)])
def test_a_card_is_valid_and_fits_into_a_message(name: str, reader: Reader) -> None:
    shown = rendered(name, reader)
    assert cards.problem(card_of(shown)) == ""
    assert len(json.dumps(shown, ensure_ascii=False)) <= MESSAGE_CHARACTERS


def test_only_who_decides_sees_the_buttons_and_everybody_can_read_all() -> None:
    approval = on_teams(CARDS["approval"])
    everybody = render_card(approval, EVERYBODY)
    assert cards.labels(everybody) == ["Show all"]
    assert everybody["refresh"]["userIds"] == ["29:ada", "29:bob"]
    ada = render_card(approval, replace(EVERYBODY, alone=ADA))
    assert cards.labels(ada) == ["Approve", "Reject", "Reply..."]
    other = render_card(approval, replace(EVERYBODY, alone=f"teams:{TENANT}:another"))
    assert cards.labels(other) == ["Show all"]
    assert "refresh" not in ada


def test_everybody_sees_the_buttons_where_the_views_would_not_suffice() -> None:
    approval = on_teams(CARDS["approval"])
    audience = tuple(f"teams:{TENANT}:{number}" for number in range(61))
    members = {each: Member(f"29:{each}", "Somebody") for each in audience}
    row = next(block for block in approval.blocks if getattr(block, "audience", None))
    many = replace(row, audience=replace(row.audience, principals=audience))
    message = replace(approval, blocks=tuple(many if block is row else block for block in approval.blocks))
    for reader in (Reader(members), Reader({})):
        shown = render_card(message, reader)
        assert cards.labels(shown) == ["Approve", "Reject", "Reply..."]
        assert "refresh" not in shown

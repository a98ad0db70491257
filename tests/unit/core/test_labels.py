"""Labels: which look alike, which are Crewdeck's own, and what people type for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.labels import confusable, label_key, lookalikes, reserved, skeletons
from tests.linear import LINEAR, growth


@pytest.mark.parametrize(
    ("label", "typed"),
    [
        ("Don’t ship", "don't ship"),
        ("Say “yes”", 'say "yes"'),
        ("Say «yes»", "Say „yes“"),
        ("Ship it", "ship\u00a0it"),
        ("Ship it", "  SHIP \t it. "),
        ("Caf\u00e9", "cafe\u0301"),
        ("A – B", "a - b"),
        ("Wait…", "wait..."),
        ("Stra\u00dfe", "STRASSE"),
        ("❤\ufe0f", "❤"),
        ("Ｆull", "full"),
        ("Keep", "Ke\u200bep"),
        ("完了。", "完了"),
    ],
)
def test_people_type_labels_as_their_keyboards_do(label: str, typed: str) -> None:
    assert label_key(label) == label_key(typed)
    assert confusable(label, typed)


def test_a_label_of_ascii_has_the_skeletons_that_the_whole_table_gives_it() -> None:
    """A label that isn't ASCII is looked up in the table, an ASCII one in its part of it."""
    for character in map(chr, range(0x20, 0x7F)):
        label = f"a{character}a"
        by_table = {shape.removeprefix("e\u0301") for shape in skeletons(f"\u00e9{label}")}
        assert skeletons(label) == by_table, character


@pytest.mark.parametrize(
    ("one", "other"), [("Ship", "Ship it"), ("é", "e"), ("A", "B"), ("Yes", "Yes!"), ("+1", "-1")]
)
def test_different_labels_stay_different(one: str, other: str) -> None:
    assert label_key(one) != label_key(other)
    assert not confusable(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Keep the data", "Keep the data\u200b"),
        ("Keep the data", "Keep the d\u0430ta"),  # Cyrillic
        ("Keep the data", "Keep\u2003the  data"),
        ("Keep the data", "\u202dKeep the data"),
        ("Keep", "\u039aeep"),  # Greek
        ("Keep", "𝐊eep"),
        ("list", "Iist"),
        ("corner", "comer"),
        ("Option 1", "Option l"),
        ("O", "0"),
        ("Yes", "YES."),
        ("a-b", "a\u2010b"),
        ("✅", "✅\ufe0f"),
    ],
)
def test_labels_that_look_alike_are_found(one: str, other: str) -> None:
    assert lookalikes(["Something else", one, other]) == (one, other)


@given(st.text(max_size=30))
def test_labels_with_the_same_key_look_alike(label: str) -> None:
    assert confusable(label, label_key(label))
    assert label_key(label_key(label)) == label_key(label) or confusable(label_key(label), label)


@pytest.mark.parametrize(
    "label",
    [
        "Reply...", "Reply…", "reply", "Show all", "SHOW\u00a0ALL", "Approve", "\u0410pprove", "Reject",
        "*Approve*",
        "Approved by Bo", "✅ Approved by Bo", "\u0391pproved by Bo", "Rejected: no", "Chosen: B", "Cancel",
        "Request changes...", "Choose...", "Ap\u200bprove",
        "Edit and approve...", "Approve with these changes", "Approve ticked", "Reject ticked", "Take back",
        "Take my answer back", "Override: approve", "OVERRIDE:\u00a0reject", "Answer in words only",
        "Edited and approved by Bo", "✅ Edited and approved by Bo", "Filled in by Bo", "Declined: no",
    ],
)  # fmt: skip
def test_our_own_labels_are_reserved(label: str) -> None:
    assert reserved(label)


@pytest.mark.parametrize(
    "label",
    [
        "Approve the draft",
        "Approved suppliers only",
        "Take back the offer",
        "Decline",
        "Send",
        "Cancel the order",
        "Ship it",
        "🚀",
        "Open",
        "Expired",
        "Reply to Bo",
    ],
)
def test_other_labels_are_free(label: str) -> None:
    assert not reserved(label)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["a", "\u0301", "\u0301\u0316", "é", "\u200b", "\u0430", "m", "ﷺ", " ", "."])
def test_comparing_takes_linear_time(unit: str) -> None:
    assert growth(lambda times: skeletons(unit * times), 5_000) < LINEAR

"""The difference of two texts: nothing is lost, and what is the same is not called changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.difference import MAX_WORDS, word_difference

TEXTS = st.lists(st.sampled_from(("pay", "Acme", " ", "\n", "1,200", "€", "é", "\u202e")), max_size=30).map(
    "".join
)


def texts_of(before: str, after: str) -> tuple[str, str]:
    parts = word_difference(before, after)
    return (
        "".join(text for change, text in parts if change != "added"),
        "".join(text for change, text in parts if change != "removed"),
    )


@given(TEXTS, TEXTS)
def test_the_parts_are_both_texts(before: str, after: str) -> None:
    assert texts_of(before, after) == (before, after)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_characters_are_kept(before: str, after: str) -> None:
    assert texts_of(before, after) == (before, after)


@given(TEXTS)
def test_what_is_the_same_has_no_change(text: str) -> None:
    assert {change for change, _ in word_difference(text, text)} <= {"kept"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Pay Acme", "Pay Bolt", [("kept", "Pay "), ("removed", "Acme"), ("added", "Bolt")]),
        ("a b c", "a c", [("kept", "a "), ("removed", "b "), ("kept", "c")]),
        ("", "new", [("added", "new")]),
        ("old", "", [("removed", "old")]),
        ("", "", []),
    ],
)
def test_words_are_told_apart(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert list(word_difference(before, after)) == expected


def test_what_differs_throughout_is_one_change() -> None:
    before, after = "a " * 1000, "b " * 1000
    assert texts_of(before, after) == (before, after)
    long = "x " * MAX_WORDS
    assert texts_of(long, f"y {long}") == (long, f"y {long}")

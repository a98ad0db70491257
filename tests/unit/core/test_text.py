"""Text is valid once it has entered, and nothing in it stays unseen where people read it."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.core.text import (
    ValidText,
    drop_invisible,
    says_nothing,
    terminal_safe,
    valid,
    valid_json,
    valid_object,
    visible,
)
from tests.linear import LINEAR, growth

ANY = st.text(st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("entered", "kept"),
    [
        ("half \ud83d", "half \ufffd"),
        ("\ude00 half", "\ufffd half"),
        ("\ud83d\ude00", "😀"),
        ("\ud83dA\ude00", "\ufffdA\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
        ("whole 😀", "whole 😀"),
        ("", ""),
    ],
)
def test_halves_of_surrogate_pairs_are_replaced_once(entered: str, kept: str) -> None:
    assert valid(entered) == kept
    assert valid(kept) == kept


@given(ANY)
def test_valid_text_can_be_encoded_and_stays_as_it_is(entered: str) -> None:
    once = valid(entered)
    assert once.encode().decode() == once == valid(once)


def test_every_text_in_a_json_value_is_made_valid() -> None:
    assert valid_json({"a\ud800": ["\udfff", 1, None, {"b": "c"}]}) == {
        "a\ufffd": ["\ufffd", 1, None, {"b": "c"}]
    }


@pytest.mark.parametrize(
    "text", [r'{"a\ud800": ["\udfff", 1, {"b\udfff": "c"}]}', r'{"a": "\ud83d\ude00", "b": [1.5, true]}']
)
def test_an_object_is_made_valid_as_each_of_its_values_is(text: str) -> None:
    given = json.loads(text)
    assert valid_object(given) == {valid(name): valid_json(value) for name, value in given.items()}


def test_an_object_is_made_valid_however_deeply_it_is_nested() -> None:
    depth = 5000
    nested: list[Any] = ["\ud800"]
    for _ in range(depth):
        nested = [nested]
    made: Any = valid_object({"a": nested})["a"]
    for _ in range(depth):
        [made] = made
    assert made == ["\ufffd"]


def test_a_valid_object_is_not_copied() -> None:
    given = {"a": {"b": ["c", 1, None]}}
    assert valid_object(given)["a"] is given["a"]


def test_a_field_of_a_model_takes_any_text() -> None:
    class Said(BaseModel):
        words: ValidText

    assert Said(words="half \ud83d").words == "half \ufffd"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        # direction
        ("pay \u202e001\u202c", "pay [U+202E]001[U+202C]"),
        ("\u2066a\u2069", "[U+2066]a[U+2069]"),
        ("a\u200fb\u061cc", "a[U+200F]b[U+061C]c"),
        # zero width
        ("a\u200bb", "a[U+200B]b"),
        ("a\u200db\u200cc", "a[U+200D]b[U+200C]c"),
        ("\ufeffx\u2060y\u00adz", "[U+FEFF]x[U+2060]y[U+00AD]z"),
        ("\u200b\u200b\u200b", "[U+200B ×3]"),
        # hidden messages
        ("ok\U000e0041\U000e0042", "ok[U+E0041][U+E0042]"),
        ("ok\ufe01\ufe02", "ok[U+FE01][U+FE02]"),
        ("👍\ufe0f\ufe0f", "👍\ufe0f[U+FE0F]"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴[U+E0067][U+E0062][U+E007F]"),
        # controls
        ("\x00\x07", "[U+0000][U+0007]"),
        ("\x1b[2J\x9b2J", "[U+001B][2J[U+009B]2J"),
        ("a\rb\x0b\x0c\x85", "a[U+000D]b[U+000B][U+000C][U+0085]"),
        ("a\u2028b\u2029", "a[U+2028]b[U+2029]"),
        # what has no look
        ("\u3164\uffa0\u115f\u2800", "[U+3164][U+FFA0][U+115F][U+2800]"),
        ("\ue000\U000f0000\u0378\uffff", "[U+E000][U+F0000][U+0378][U+FFFF]"),
        ("a\u034fb\u17b4", "a[U+034F]b[U+17B4]"),
        ("\ud83d", "[U+D83D]"),
        # marks without a letter, and too many of them
        ("\u0301x \u0336", "[U+0301]x [U+0336]"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 4 + "[U+0301 ×5]"),
    ],
)
def test_what_would_not_be_seen_is_written_as_its_number(stored: str, shown: str) -> None:
    assert visible(stored) == shown


@pytest.mark.parametrize(
    "ordinary",
    [
        "line\n\tnext line",
        "no\u00a0break, thin\u2009space, 全\u3000角",
        "👩\u200d💻 👨🏽\u200d🚀 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3 ✔\ufe0e 🇩🇪",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "می\u200cخواهم",
        "क्\u200dष क्\u200cष র\u200d্য ශ්\u200dරී",
        "e\u0301 ä Ạ\u0302 שָׁלוֹם กำลัง ខ្មែរ",
        "葛\U000e0100城",
        "🫩",  # of a newer Unicode than Python 3.11
        "\u0661\u0662 \u0600\u0661",
        "«quoted» “quoted” 行",
    ],
)
def test_ordinary_writing_stays_as_it_is(ordinary: str) -> None:
    assert visible(ordinary) == ordinary


def test_line_ends_of_other_systems_are_line_feeds() -> None:
    assert visible("a\r\nb\r\n") == "a\nb\n"


def looks(character: str) -> bool:
    return unicodedata.category(character)[0] != "M" and character == drop_invisible(character)


def test_a_character_is_shown_alike_alone_and_before_another_that_is_no_letter() -> None:
    special = [
        *"\r\u200c\u200d\u0301\u0489\u034f\u180b\ufe0e\ufe0f\U000e0100",
        *"\u202e\ue000\ud800\U0001f3f4\U000e0067",
    ]
    characters = [("x", each) for each in map(chr, range(0x3000))]
    characters += [(before, each) for before in ("", "3", "\u2600", "\u1820", "\u4e00") for each in special]
    for before, each in characters:
        assert visible(f"{before}{each}—") == visible(f"{before}{each}x")[:-1] + "—", ascii(each)


@given(ANY)
def test_no_visible_character_is_lost_or_moved(stored: str) -> None:
    shown = iter(visible(stored))
    assert all(character in shown for character in stored if looks(character))


@given(ANY)
def test_nothing_is_left_that_could_hide_or_act(stored: str) -> None:
    for character in visible(stored):
        assert unicodedata.category(character) not in {"Cs", "Co", "Zl", "Zp"}
        assert unicodedata.category(character) != "Cc" or character in "\n\t"
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }


def test_a_terminal_gets_no_sequence_that_it_would_obey() -> None:
    assert terminal_safe("\x1b]52;c;aGk=\x07\x9b2J\n\tx") == "[U+001B]]52;c;aGk=[U+0007][U+009B]2J\n\tx"
    assert terminal_safe("a\n\x1b[31mb", one_line=True) == "a[U+000A][U+001B][31mb"


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "\u200b",
        "\u200b\u200c",
        "e\u0301",
        "\u0301",
        "👩\u200d",
        "\U0001f3f4",
        "\r",
        "\r\n",
        "行",
        "\ud83d",
        "\ufe0f",
    ],
)
def test_all_of_it_takes_linear_time(unit: str) -> None:
    assert growth(lambda times: (visible(unit * times), valid(unit * times)), 20_000) < LINEAR


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("", True),
        (" \n\t", True),
        ("\u200b", True),
        ("\u2066 \u3164\u2069", True),
        ("?", False),
        ("👍", False),
    ],
)
def test_what_has_nothing_to_be_seen_says_nothing(text: str, nothing: bool) -> None:  # noqa: FBT001
    assert says_nothing(text) is nothing


@given(ANY)
def test_nothing_but_what_is_invisible_is_dropped(text: str) -> None:
    assert drop_invisible(text) == "".join(map(drop_invisible, text))


@pytest.mark.parametrize(
    "words", ["What shall we do next? ", "Was überlegen wir als Nächstes? ", "接下来做什么"]
)
def test_words_without_anything_special_are_not_taken_apart(words: str) -> None:
    words *= 50_000

    def taken(work: Callable[[str], object]) -> float:
        begun = time.thread_time()
        work(words)
        return time.thread_time() - begun

    assert 4 * taken(drop_invisible) < taken(lambda text: "".join(map(drop_invisible, text)))


class Watched(str):
    """A text that knows how much of it was looked at."""

    __slots__ = ("looked_at",)

    def __iter__(self) -> Iterator[str]:
        for at, character in enumerate(str(self)):
            self.looked_at = at
            yield character


@given(ANY)
def test_a_text_says_something_if_anything_is_left_of_it(text: str) -> None:
    assert says_nothing(text) is (not drop_invisible(text).strip())


def test_a_long_text_is_not_read_to_its_end_to_see_that_it_says_something() -> None:
    text = Watched("\u200b so" + "x" * 1_000_000)
    assert not says_nothing(text)
    assert text.looked_at == 2

"""Text of people, models and programs: valid where it enters, readable in full where it is shown. Pure.

`valid` is for every entry: a request, a payload of a platform, what a crew says. `visible` is for every place
where people read or decide: it removes nothing but a carriage return before a line feed, and writes each
character that would not be seen as its number, `[U+202E]`. `terminal_safe` is the same for terminals and
logs. All take linear time.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import BeforeValidator, JsonValue

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands for half of a surrogate pair, in every text and on every surface."""
MAX_COMBINING_MARKS = 4
"""Combining marks that one character carries in ordinary writing; more would cover the lines around it."""

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_VIRAMA = 9
"""The canonical combining class of the sign behind which Indic scripts use joiners."""
_NOT_ASCII_TEXT = re.compile(r"[^\x20-\x7e\n\t]+")
#: England, Scotland and Wales: the only flags that are spelt with tag characters.
_TAGGED_FLAG = re.compile(
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)"
    "\U000e007f"
)
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_KEYCAP = frozenset("0123456789#*")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]")
_CURSIVE = re.compile("[\u0620-\u07ff\u0840-\u08ff\u1820-\u18aa]")
"""Letters that are joined unless a zero width non-joiner is between them: Arabic, Syriac, Mongolian."""
_INDIC = re.compile("[\u0900-\u0dff]")
_MONGOLIAN = re.compile("[\u1820-\u18aa]")
#: Format characters that are drawn: the signs that Arabic, Syriac and Kaithi put around numbers.
_DRAWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\U000110bd\U000110cd")
#: Letters and symbols by their category, but blank: fillers of Hangul, and Braille without a dot.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
#: Marks that are never drawn.
_HIDDEN_MARKS = frozenset("\u034f\u17b4\u17b5")
_MONGOLIAN_VARIATIONS = frozenset("\u180b\u180c\u180d\u180f")
_EMOJI_VARIATIONS = frozenset("\ufe0e\ufe0f")
_VARIATION = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
#: Planes whose unassigned characters are Han of a newer Unicode than Python's.
_HAN_PLANES = range(0x20000, 0x3FFFE)


def valid(text: str) -> str:
    """The text with each half of a surrogate pair replaced by U+FFFD; halves that belong together are joined.

    What comes out can be encoded, stored and sent everywhere. Valid text is returned as it is.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def valid_json(value: JsonValue) -> JsonValue:
    """The same for all texts in a JSON value, the keys of objects included, however deep it is."""
    root = [value]
    lists: list[list[JsonValue]] = [root]
    objects: list[dict[str, JsonValue]] = []
    while lists or objects:
        # Without recursion: JSON may be nested as deep as the parser's stack allows.
        if lists:
            listed = lists.pop()
            listed[:] = [_valid_part(each, lists, objects) for each in listed]
        else:
            named_values = objects.pop()
            for key, each in named_values.items():
                named_values[key] = _valid_part(each, lists, objects)
    return root[0]


def _valid_part(
    value: JsonValue, lists: list[list[JsonValue]], objects: list[dict[str, JsonValue]]
) -> JsonValue:
    """A valid text, or a copy of a list or an object, whose parts are still to be made valid."""
    match value:
        case str():
            return valid(value)
        case list():
            lists.append(copied := list(value))
            return copied
        case dict():
            objects.append(renamed := {valid(key): each for key, each in value.items()})
            return renamed
        case _:
            return value


def _valid_if_text(value: object) -> object:
    return valid(value) if isinstance(value, str) else value


ValidText = Annotated[str, BeforeValidator(_valid_if_text)]
"""A field of a model that takes any text, and holds a valid one."""
ValidJson = Annotated[JsonValue, BeforeValidator(valid_json)]
"""The same for a JSON value."""


def named(character: str) -> str:
    """A character as its number: `[U+202E]`."""
    return f"[U+{ord(character):04X}]"


def visible(text: str) -> str:
    """The text with every character in it to be seen, in the order in which it is stored.

    Characters that are not drawn, or that change how others are drawn, are written as their number: controls,
    direction marks and overrides, zero width characters, tags, variation selectors, fillers, unassigned and
    private characters, and halves of surrogate pairs. Several of the same in a row are counted.
    What ordinary writing needs stays: line feeds, tabs and spaces, emoji with their joiners and variation
    selectors, joiners of Arabic and Indic scripts, and up to four combining marks on a character.
    """
    return _NOT_ASCII_TEXT.sub(lambda found: _visible(text, found.start(), found.end()), text)


def terminal_safe(text: str, *, one_line: bool = False) -> str:
    """`visible` for a terminal or a log: no escape sequence or control character is left that it would obey.

    `one_line`: line feeds and tabs are numbers as well, so that nobody's text begins a line of ours.
    """
    shown = visible(text)
    return shown.replace("\n", named("\n")).replace("\t", named("\t")) if one_line else shown


def drop_invisible(text: str) -> str:
    """The text without the characters that `visible` writes as numbers, for comparing texts by their look."""
    return "".join(c for c in text if _drawn(c) and not _VARIATION.match(c))


def _visible(text: str, start: int, end: int) -> str:
    shown: list[str] = []
    hidden, times, marks, at = "", 0, 0, start
    while at < end:
        flag = _TAGGED_FLAG.match(text, at) if text[at] == "\U0001f3f4" else None
        kept = flag[0] if flag else text[at]
        following = at + len(kept)
        marks = marks + 1 if unicodedata.category(kept[0])[0] == "M" else 0
        if flag is None and not _stays(text, at, marks):
            if kept != hidden:
                shown.append(_counted(hidden, times))
                hidden, times = kept, 0
            times += 1
        else:
            shown += [_counted(hidden, times), "" if text.startswith("\r\n", at) else kept]
            hidden, times = "", 0
        at = following
    return "".join([*shown, _counted(hidden, times)])


def _counted(hidden: str, times: int) -> str:
    if not hidden:
        return ""
    return named(hidden) if times == 1 else f"{named(hidden)[:-1]} \N{MULTIPLICATION SIGN}{times}]"


def _stays(text: str, at: int, marks: int) -> bool:
    """Whether the character at this place is seen, or is part of what is seen."""
    character = text[at]
    if text.startswith("\r\n", at):
        return True
    if character in {_ZWJ, _ZWNJ}:
        return _joins(text, at)
    if _VARIATION.match(character):
        return _varies(character, text[at - 1] if at else "")
    if not _drawn(character):
        return False
    return marks == 0 or (marks <= MAX_COMBINING_MARKS and _carries_marks(text, at))


def _drawn(character: str) -> bool:
    """Whether the character has a look of its own, whatever stands around it."""
    code = ord(character)
    match unicodedata.category(character):
        case "Cc":
            return character in "\n\t"
        case "Cs" | "Co" | "Zl" | "Zp":
            return False
        case "Cf":
            return character in _DRAWN_FORMATS
        case "Cn":
            newer = code in _HAN_PLANES and code & 0xFFFE != 0xFFFE  # noqa: PLR2004 - the last two of a plane
            return newer or _EMOJI.match(character) is not None
        case _:
            return character not in _BLANK and character not in _HIDDEN_MARKS


def _joins(text: str, at: int) -> bool:
    """Whether a joiner stands where it is needed: in an emoji, or in a word of a script that uses it."""
    before, after = text[at - 1] if at else "", text[at + 1 : at + 2]
    if not before or not after:
        return False
    if text[at] == _ZWJ and _EMOJI.match(after):
        varied = before == "\ufe0f" and at > 1
        return _EMOJI.match(text[at - 2] if varied else before) is not None
    if _INDIC.match(before) and (_INDIC.match(after) or not after.isalnum()):
        return _VIRAMA in {unicodedata.combining(before), unicodedata.combining(after)}
    return text[at] == _ZWNJ and bool(_CURSIVE.match(before) and _CURSIVE.match(after))


def _varies(selector: str, before: str) -> bool:
    """Whether a variation selector stands behind a character that has such a variation."""
    if not before:
        return False
    if selector in _EMOJI_VARIATIONS:
        return before in _KEYCAP or _EMOJI.match(before) is not None
    if selector in _MONGOLIAN_VARIATIONS:
        return _MONGOLIAN.match(before) is not None
    return _HAN.match(before) is not None


def _carries_marks(text: str, at: int) -> bool:
    """Whether there is something before this place that a mark can stand on."""
    before = text[at - 1] if at else ""
    return (
        bool(before)
        and not before.isspace()
        and (_drawn(before) or before in {_ZWJ, _ZWNJ} or bool(_VARIATION.match(before)))
    )

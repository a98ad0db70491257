"""Untrusted text: made valid on input, and made fully visible on output. Pure.

`valid` applies to all input: requests, payloads of platforms, output of crews. `visible` applies wherever
people read or decide: it removes only a carriage return before a line feed, and replaces each invisible
character by its code point, `[U+202E]`. `terminal_safe` does the same for terminals and logs. All take
linear time.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, JsonValue

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""The replacement for an unpaired surrogate, on every surface."""
MAX_COMBINING_MARKS = 4
"""Combining marks per character in ordinary writing; more of them would cover the adjacent lines."""

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_VIRAMA = 9
"""The canonical combining class of the virama, after which Indic scripts use joiners."""
#: All but ASCII, and letters and digits of any script: these are visible, except for the fillers of Hangul.
_NOT_PLAIN = re.compile(r"(?:[^\w\x20-\x7e\n\t]|[\u115f\u1160\u3164\uffa0])+")
#: England, Scotland and Wales: the only flags that are encoded with tag characters.
_TAGGED_FLAG = re.compile(
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)"
    "\U000e007f"
)
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_FLAG = "\U0001f3f4"
_DEPENDENT = frozenset({_ZWNJ, _ZWJ, _FLAG, "\r"})
"""Beside marks: characters that are visible, or not, by what is around them."""
_KEYCAP = frozenset("0123456789#*")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]")
_CURSIVE = re.compile("[\u0620-\u07ff\u0840-\u08ff\u1820-\u18aa]")
"""Letters that join unless a zero width non-joiner separates them: Arabic, Syriac, Mongolian."""
_INDIC = re.compile("[\u0900-\u0dff]")
_MONGOLIAN = re.compile("[\u1820-\u18aa]")
#: Visible format characters: the number signs of Arabic, Syriac and Kaithi.
_DRAWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\U000110bd\U000110cd")
#: Letters and symbols by category that are blank: the fillers of Hangul, and the empty Braille pattern.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
#: Combining marks that are never visible.
_HIDDEN_MARKS = frozenset("\u034f\u17b4\u17b5")
_MONGOLIAN_VARIATIONS = frozenset("\u180b\u180c\u180d\u180f")
_EMOJI_VARIATIONS = frozenset("\ufe0e\ufe0f")
_VARIATION = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_CHARACTERS = 4096
"""Of how many it is remembered whether they are visible."""
#: Planes whose unassigned code points are Han characters of newer Unicode versions.
_HAN_PLANES = range(0x20000, 0x3FFFE)


def valid(text: str) -> str:
    """Replace unpaired surrogates by U+FFFD; surrogate pairs become one character.

    The result can be encoded everywhere. Text that is valid already is returned unchanged.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def valid_json(value: JsonValue) -> JsonValue:
    """Apply `valid` to all texts in a JSON value, object keys included, at any depth."""
    # The common cases first: null, or one text.
    if value is None:
        return None
    if isinstance(value, str):
        return valid(value)
    root: list[JsonValue] = [value]
    lists: list[list[JsonValue]] = [root]
    objects: list[dict[str, JsonValue]] = []
    while lists or objects:
        # Iterative, because JSON may be nested as deeply as the parser allows.
        if lists:
            listed = lists.pop()
            listed[:] = [_valid_part(each, lists, objects) for each in listed]
        else:
            named_values = objects.pop()
            for key, each in named_values.items():
                named_values[key] = _valid_part(each, lists, objects)
    return root[0]


def valid_object(given: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with `valid` texts and names. What is valid already, as nearly all is, is not copied.

    Whether it is takes a fifth of the time of going through it.
    """
    try:
        _as_json(given).encode()
    except (UnicodeEncodeError, RecursionError):
        return {valid(name): valid_json(value) for name, value in given.items()}
    return dict(given)


_as_json = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def _valid_part(
    value: JsonValue, lists: list[list[JsonValue]], objects: list[dict[str, JsonValue]]
) -> JsonValue:
    """A valid text, or a copy of a list or an object that is queued for processing."""
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
"""A model field that accepts any text and stores a valid one."""
ValidJson = Annotated[JsonValue, BeforeValidator(valid_json)]
"""The same for a JSON value."""


def named(character: str) -> str:
    """A character as its code point: `[U+202E]`."""
    return f"[U+{ord(character):04X}]"


def visible(text: str) -> str:
    """Make every character of the text visible, in stored order.

    Characters that are invisible or change how others are shown are replaced by their code points: control
    characters, direction marks and overrides, zero width characters, tags, variation selectors, fillers,
    unassigned and private characters, and unpaired surrogates. Repetitions are counted.
    Kept is what ordinary writing needs: line feeds, tabs and spaces, emoji with their joiners and variation
    selectors, joiners in Arabic and Indic scripts, and up to four combining marks on a character.
    """
    if text.isascii() and text.isprintable():
        return text  # The fast path, which most texts take.
    return _NOT_PLAIN.sub(lambda found: _visible(text, found.start(), found.end()), text)


def terminal_safe(text: str, *, one_line: bool = False) -> str:
    """`visible` for terminals and logs: the result has no escape sequence and no control character.

    With `one_line`, line feeds and tabs are replaced, too, so that untrusted text can't start a new line.
    """
    shown = visible(text)
    return shown.replace("\n", named("\n")).replace("\t", named("\t")) if one_line else shown


def drop_invisible(text: str) -> str:
    """Remove the characters that `visible` replaces, to compare texts by their appearance."""
    return _NOT_PLAIN.sub(lambda found: "".join(filter(_seen, found[0])), text)


def says_nothing(text: str) -> bool:
    """Whether it has nothing but spaces and characters that nobody sees."""
    return not any(_seen(c) and not c.isspace() for c in text)


@lru_cache(_CHARACTERS)
def _seen(character: str) -> bool:
    return _drawn(character) and not _VARIATION.match(character)


def _visible(text: str, start: int, end: int) -> str:
    if end - start == 1:
        return _one_visible(text, start)
    shown: list[str] = []
    hidden, times, marks, at = "", 0, 0, start
    while at < end:
        kept = text[at]
        stays = _is_visible(kept)
        if stays is not None:
            marks = 0
        elif kept == _FLAG:
            flag = _TAGGED_FLAG.match(text, at)
            kept, stays, marks = flag[0] if flag else kept, True, 0
        else:
            marks = marks + 1 if _is_mark(kept) else 0
            # After marks there is nothing that a variation selector could vary.
            stays = marks <= MAX_COMBINING_MARKS and _stays(text, at, marks)
        if not stays:
            if kept != hidden:
                shown.append(_counted(hidden, times))
                hidden, times = kept, 0
            times += 1
        else:
            shown += [_counted(hidden, times), "" if text.startswith("\r\n", at) else kept]
            hidden, times = "", 0
        at += len(kept)
    return "".join([*shown, _counted(hidden, times)])


def _one_visible(text: str, at: int) -> str:
    """A run of one character, the most frequent one by far. It is no flag with tags."""
    character = text[at]
    stays = _is_visible(character)
    if stays is None:
        if text.startswith("\r\n", at):
            return ""
        stays = _stays(text, at, _is_mark(character))
    return character if stays else named(character)


@lru_cache(_CHARACTERS)
def _is_visible(character: str) -> bool | None:
    """Whether the character is visible; None where that depends on others around it."""
    if character in _DEPENDENT or _is_mark(character):  # Variation selectors are marks, too.
        return None
    return _drawn(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _counted(hidden: str, times: int) -> str:
    if not hidden:
        return ""
    return named(hidden) if times == 1 else f"{named(hidden)[:-1]} \N{MULTIPLICATION SIGN}{times}]"


def _stays(text: str, at: int, marks: int) -> bool:
    """Whether the character at this index is visible, or part of a visible sequence."""
    character = text[at]
    if text.startswith("\r\n", at):
        return True
    if character in {_ZWJ, _ZWNJ}:
        return _joins(text, at)
    if _VARIATION.match(character):
        return _varies(character, text[at - 1] if at else "")
    if not _drawn(character):
        return False
    return marks == 0 or (marks <= MAX_COMBINING_MARKS and _has_base_character(text, at))


def _drawn(character: str) -> bool:
    """Whether the character is visible regardless of its context."""
    code = ord(character)
    match unicodedata.category(character):
        case "Cc":
            return character in "\n\t"
        case "Cs" | "Co" | "Zl" | "Zp":
            return False
        case "Cf":
            return character in _DRAWN_FORMATS
        case "Cn":
            newer = code in _HAN_PLANES and code & 0xFFFE != 0xFFFE  # noqa: PLR2004 - noncharacters
            return newer or _EMOJI.match(character) is not None
        case _:
            return character not in _BLANK and character not in _HIDDEN_MARKS


def _joins(text: str, at: int) -> bool:
    """Whether a joiner is valid here: in an emoji, or in a word of a script that uses joiners."""
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
    """Whether a variation selector follows a character that has variations."""
    if not before:
        return False
    if selector in _EMOJI_VARIATIONS:
        return before in _KEYCAP or _EMOJI.match(before) is not None
    if selector in _MONGOLIAN_VARIATIONS:
        return _MONGOLIAN.match(before) is not None
    return _HAN.match(before) is not None


def _has_base_character(text: str, at: int) -> bool:
    """Whether a combining mark at this index has a base character."""
    before = text[at - 1] if at else ""
    return (
        bool(before)
        and not before.isspace()
        and (_drawn(before) or before in {_ZWJ, _ZWNJ} or bool(_VARIATION.match(before)))
    )

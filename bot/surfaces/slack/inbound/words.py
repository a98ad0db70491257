"""Reads what people write in Slack: mentions, links, escapes, and names of emoji. Pure.

A message's blocks carry the characters of its emoji; what is typed into a modal carries names alone. Names
that Slack shares with Unicode are looked up there, and the table holds others that people answer with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from bot.surfaces.chat.inbound.parser import says_something

_ANGLED = re.compile(r"<([^<>]+)>")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!(?:subteam\^|here|channel|everyone)")
_EVERYBODY = re.compile(r"<!(?:here|channel|everyone)")
_NAME = re.compile(r"<(?:@[UW][A-Z0-9]+|!subteam\^[A-Z0-9]+)(?:\|[^<>]*)?>")
_MARKUP = re.compile(
    r"@[UW][A-Z0-9]+|#[CDG][A-Z0-9]+|!(?:here|channel|everyone|\w+\^.*)|[A-Za-z][\w+.-]*:.*", re.DOTALL
)
"""What Slack puts between angles, before a label. Commands come as they were typed, with anything there."""
NO_NAMES: Mapping[str, str] = {}


def mentions(text: str) -> frozenset[str]:
    """The ids of everybody that the text mentions."""
    return frozenset(_MENTION.findall(text))


def addressed(text: str, user: str) -> str | None:
    """What is said to this user in a text that begins with their mention; None if it doesn't."""
    found = _MENTION.match(text.lstrip())
    return text.lstrip()[found.end() :].lstrip(": ,").strip() if found and found[1] == user else None


def without_mention(text: str, user: str) -> str:
    """The text without mentions of this user."""
    return re.sub(rf"<@{re.escape(user)}(?:\|[^<>]*)?>:?", " ", text).strip()


def names_people(text: str, app_user: str) -> bool:
    """Tell whether it names people other than the app: single ones, a user group, or everybody here."""
    return bool(mentions(text) - {app_user}) or _GROUP.search(text) is not None


def speaks_to_people(text: str) -> bool:
    """Tell whether it begins with names, which are then told something; or calls everybody who is here.

    `<@U1> can you look?` and `<@U1>?` do; `<@U1>`, `<@U1> and <@U2>` and `I think <@U1>` don't.
    """
    if _EVERYBODY.search(text):
        return True
    if _NAME.match(text.lstrip()) is None:
        return False
    return text.rstrip().endswith("?") or says_something(_NAME.sub("", text))


def plain(text: str, names: Mapping[str, str] = NO_NAMES) -> str:
    """The text as its writer sees it: links, channels and escapes resolved, and people by their `names`."""
    shown = _ANGLED.sub(lambda found: _resolved(found[1], names), text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _resolved(inner: str, names: Mapping[str, str]) -> str:
    target, _, label = inner.partition("|")
    if _MARKUP.fullmatch(target) is None:
        return f"<{inner}>"
    match target[:1]:
        case "#":
            return f"#{label or target[1:]}"
        case "@":
            name = names.get(target[1:]) or label
            return f"@{name} ({target[1:]})" if name else f"@{target[1:]}"
        case "!":
            return label or f"@{target[1:]}"
        case _:
            return _link(target.removeprefix("mailto:"), label)


def _link(target: str, label: str) -> str:
    """Slack's client links what merely looks like an address: the label is what was typed."""
    if target.startswith("tel:"):
        target = target.removeprefix("tel:")
        if _PHONE.fullmatch(label) and _digits(target).endswith(_digits(label) or "none"):
            return label
    if not label or label in target:
        return target if "://" in target and label != target.partition("://")[2] else (label or target)
    return f"{label} ({target})"


_PHONE = re.compile(r"[-+\d\s()./]+")
"""A phone number as people write it. What it links to has the same digits alone, perhaps with a country's."""


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


_SHORTCODE = re.compile(r":([a-z0-9_+'-]{1,100}):")
_TYPED_SHORTCODE = re.compile(rf"(?<![0-9A-Za-z]){_SHORTCODE.pattern}(?![0-9A-Za-z])")
"""Where nothing says what is an emoji: not within a word, as in `2001:db8:a:1` or `urn:key:7`."""

NAMES: Mapping[str, str] = {
    "+1": "👍", "thumbsup": "👍", "-1": "👎", "thumbsdown": "👎", "ok_hand": "👌", "ok": "🆗",
    "clap": "👏", "raised_hands": "🙌", "pray": "🙏", "wave": "👋", "muscle": "💪",
    "point_up": "☝️", "point_left": "👈", "point_right": "👉", "point_down": "👇", "v": "✌️",
    "white_check_mark": "✅", "heavy_check_mark": "✔️", "ballot_box_with_check": "☑️", "x": "❌",
    "heavy_multiplication_x": "✖️", "no_entry": "⛔", "no_entry_sign": "🚫", "warning": "⚠️",
    "question": "❓", "grey_question": "❔", "exclamation": "❗", "heavy_exclamation_mark": "❗",
    "bangbang": "‼️", "tada": "🎉", "star": "⭐", "sparkles": "✨", "zap": "⚡", "boom": "💥",
    "heart": "❤️", "broken_heart": "💔", "100": "💯", "eyes": "👀", "bulb": "💡", "email": "✉️",
    "envelope": "✉️", "phone": "☎️", "iphone": "📱", "computer": "💻", "lock": "🔒",
    "unlock": "🔓", "key": "🔑", "mag": "🔍", "moneybag": "💰", "credit_card": "💳",
    "package": "📦", "ship": "🚢", "airplane": "✈️", "car": "🚗", "red_car": "🚗", "truck": "🚚",
    "calendar": "📆", "date": "📅", "hourglass": "⌛", "clock1": "🕐", "arrow_up": "⬆️",
    "arrow_down": "⬇️", "arrow_left": "⬅️", "arrow_right": "➡️", "recycle": "♻️",
    "repeat": "🔁", "heavy_plus_sign": "\u2795", "heavy_minus_sign": "\u2796",
    "red_circle": "🔴", "large_green_circle": "🟢", "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠", "large_blue_circle": "🔵", "white_circle": "⚪",
    "black_circle": "⚫", "smile": "😄", "smiley": "😃", "grinning": "😀", "joy": "😂",
    "cry": "😢", "sob": "😭", "thinking_face": "🤔", "slightly_smiling_face": "🙂", "rocket": "🚀",
    "fire": "🔥", "bug": "🐛", "dog": "🐶", "cat": "🐱", "one": "1️⃣", "two": "2️⃣",
    "three": "3️⃣", "four": "4️⃣", "five": "5️⃣", "six": "6️⃣", "seven": "7️⃣",
    "eight": "8️⃣", "nine": "9️⃣", "zero": "0️⃣", "keycap_ten": "🔟", "a": "🅰️", "b": "🅱️",
    "skin-tone-2": "🏻", "skin-tone-3": "🏼", "skin-tone-4": "🏽", "skin-tone-5": "🏾",
    "skin-tone-6": "🏿",
}  # fmt: skip
"""Slack's own names."""


def read(text: str, blocks: Iterable[Mapping[str, Any]] | None = None, offered: str = "") -> str:
    """The text with the emoji that its writer saw, in the place of their names.

    A message's blocks say which they are. Without blocks the names that are known are replaced, except for
    those in the text that was `offered` to be edited: they stood there as names.
    """
    if blocks is not None:
        spelt = dict(_spelt(blocks))
        return _SHORTCODE.sub(lambda found: spelt.get(found[1]) or found[0], text)
    kept = frozenset(_SHORTCODE.findall(offered))
    return _TYPED_SHORTCODE.sub(
        lambda found: found[0] if found[1] in kept else _known(found[1]) or found[0], text
    )


def _spelt(blocks: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """(name, characters) of each emoji in a message's blocks."""
    todo: list[Any] = list(blocks)
    while todo:
        part = todo.pop()
        if not isinstance(part, Mapping):
            continue
        if isinstance(within := part.get("elements"), list):
            todo += within
        name, code = part.get("name"), part.get("unicode")
        if isinstance(name, str) and isinstance(code, str) and (characters := _characters(code)):
            yield name, characters


def _characters(code: str) -> str:
    """`1f469-200d-1f4bb` as characters; empty for anything else."""
    try:
        return "".join(chr(int(part, 16)) for part in code.split("-"))
    except (ValueError, OverflowError):
        return ""


def _known(name: str) -> str:
    if name in NAMES:
        return NAMES[name]
    try:
        found = unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return ""
    return found if unicodedata.category(found[0]) == "So" else ""

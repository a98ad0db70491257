"""Replaces Slack's names of emoji by the emoji. Pure.

A message's blocks carry the characters of its emoji; what is typed into a modal carries names alone. Names
that Slack shares with Unicode are looked up there, and the table holds others that people answer with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

_NAME = re.compile(r":([a-z0-9_+'-]{1,100}):")

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


def read(text: str, blocks: Iterable[Mapping[str, Any]] | None = None) -> str:
    """The text with the emoji that its writer saw, in the place of their names.

    A message's blocks say which they are; without blocks the names that are known are replaced.
    """
    spelt = None if blocks is None else dict(_spelt(blocks))
    return _NAME.sub(
        lambda found: (_known(found[1]) if spelt is None else spelt.get(found[1])) or found[0], text
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

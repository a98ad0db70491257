"""Comparison of labels: which ones look alike, and which one a typed text matches. Pure, in linear time.

`label_key` is for matching typed text with labels. `skeletons` is for refusing labels: two labels that share
a skeleton can't be distinguished visually. Labels with the same key share a skeleton.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

from bot.core.text import drop_invisible, valid

_QUOTES = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2032\u2035\u02bc\u00b4`"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb"), '"'),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"),
}
_OUTSIDE = re.compile(r"^[\W_]+|[\W_]+$")
_STOPS = ".\u3002"

MAX_COMBINING_MARKS = 30
"""Combining marks per character that are compared: Unicode's limit; sorting them takes quadratic time."""
RESERVED = frozenset(
    {
        "approve",
        "approved",
        "reject",
        "rejected",
        "request changes",
        "reply",
        "answer",
        "answer in words",
        "answer in words only",
        "approve ticked",
        "approve with these changes",
        "edit and approve",
        "override: approve",
        "override: reject",
        "reject ticked",
        "show all",
        "show the whole question",
        "choose",
        "decide",
        "cancel",
        "cancel the run",
        "let it run",
        "take back",
        "take my answer back",
    }
)
"""Labels of Crewdeck's own buttons on a question, normalised by `label_key`."""
OUTCOMES = frozenset(
    {
        "approved",
        "rejected",
        "chosen",
        "edited and approved",
        "answered",
        "answered in words",
        "filled in",
        "declined",
        "changes requested",
        "expired",
        "withdrawn",
        "recorded",
        "settled",
        "cancelled",
        "decided",
    }
)
"""The first words of Crewdeck's outcome lines: `approved by ...`, `chosen: ...`."""


APPROVING_LABELS = frozenset(
    {
        "accept",
        "accepted",
        "approve",
        "approved",
        "confirm",
        "confirmed",
        "ok",
        "okay",
        "yes",
    }
)
"""Labels that approve, normalised by `label_key`: what nobody's silence can mean."""
_APPROVING_FIRST_WORDS = frozenset({"approve", "approved", "ok", "okay", "yes"})
"""Those that approve whatever follows: `Yes, publish it`. `Confirm later` need not."""
_WORDS = re.compile(r"[^\W_]+")


def means_yes(label: str) -> bool:
    """Whether a label approves, whatever signs it is decorated with: `OK!`, `✅ Approved`, `Yes, publish`."""
    words = _WORDS.findall(label_key(label))
    return bool(words) and (
        words[0] in _APPROVING_FIRST_WORDS or (len(words) == 1 and words[0] in APPROVING_LABELS)
    )


def label_key(text: str) -> str:
    """Normalise a label, or text that is compared with labels.

    Ignores case, Unicode composition, kinds of quotes, dashes and spaces, invisible characters and a final
    full stop.
    """
    folded = " ".join(unicodedata.normalize("NFKC", _folded(text).casefold()).split())
    return folded.rstrip(_STOPS).rstrip() or folded


def skeletons(text: str) -> frozenset[str]:
    """The visual skeletons of a label. Two labels that share one look alike.

    There are two, because `I` looks like `l` and is also the capital of `i`.
    """
    key = label_key(text)
    as_written = " ".join(_folded(text).split()).rstrip(_STOPS)
    return frozenset({_shape(key), _shape(as_written).casefold()})


def confusable(one: str, other: str) -> bool:
    """Whether two labels look alike."""
    return not skeletons(one).isdisjoint(skeletons(other))


def lookalikes(labels: Iterable[str]) -> tuple[str, str] | None:
    """The first two labels that look alike; None if all can be distinguished."""
    seen: dict[str, str] = {}
    for label in labels:
        shapes = skeletons(label)
        for shape in shapes:
            if shape in seen:
                return seen[shape], label
        seen.update(dict.fromkeys(shapes, label))
    return None


def reserved(label: str) -> bool:
    """Whether a label looks like one of Crewdeck's own buttons or outcome lines."""
    shapes = {_OUTSIDE.sub("", shape) for shape in skeletons(label)}
    if not shapes.isdisjoint(_reserved_shapes()):
        return True
    return any(shape.startswith(_outcome_shapes()) for shape in shapes)


@cache
def _reserved_shapes() -> frozenset[str]:
    return frozenset(map(_shape, RESERVED))


@cache
def _outcome_shapes() -> tuple[str, ...]:
    return tuple(_shape(outcome + then) for outcome in sorted(OUTCOMES) for then in (" by ", ":", " (by "))


def _folded(text: str) -> str:
    """Apply compatibility normalisation and remove invisible characters."""
    ours = _bounded(valid(text).translate(_QUOTES))
    return drop_invisible(unicodedata.normalize("NFKC", ours)).translate(_QUOTES)


def _bounded(text: str) -> str:
    """Keep at most thirty combining marks on a character."""
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if marks <= MAX_COMBINING_MARKS:
            kept.append(character)
    return "".join(kept)


_ASCII_PROTOTYPES = str.maketrans(
    {"O": "0", "I": "1", "l": "1", "|": "1", "m": "rn", '"': "''", "`": "'", "%": "\u00ba/\u2080"}
)
"""The part of `_prototypes` that concerns ASCII."""


def _shape(text: str) -> str:
    """Replace each character by the prototype of its look-alikes."""
    if text.isascii():
        return text.translate(_ASCII_PROTOTYPES)
    decomposed = unicodedata.normalize("NFD", text).translate(_prototypes())
    return unicodedata.normalize("NFD", decomposed)


@cache
def _prototypes() -> Mapping[int, str]:
    """Map each confusable character to its prototype, by Unicode's table of confusables."""
    # Loaded with the first label that is not ASCII: the table takes memory and a tenth of a second.
    from confusable_homoglyphs.confusables import confusables_data

    pairs = [
        (drop_invisible(one), drop_invisible(entry["c"]))
        for one, entries in confusables_data.items()
        for entry in entries
    ]
    kinds = _LookalikeSets()
    for one, other in pairs:
        if len(one) == len(other) == 1:
            kinds.join(one, other)
    spelt: dict[str, str] = {}
    for one, other in pairs:
        if len(one) == 1 < len(other) and kinds.of(one) not in map(kinds.of, other):
            spelt[kinds.of(one)] = min(spelt.get(kinds.of(one), other), other)
    return {
        ord(one): _spelt(kinds, spelt, one)
        for one in kinds.members | {each for each in spelt if len(each) == 1}
    }


def _spelt(kinds: _LookalikeSets, spelt: Mapping[str, str], character: str, depth: int = 0) -> str:
    """A character's prototype; a character that looks like several (`m` and `rn`) becomes that sequence."""
    kind = kinds.of(character)
    if kind not in spelt or depth > 3:  # noqa: PLR2004 - Unicode's table is never deeper
        return kind
    return "".join(_spelt(kinds, spelt, each, depth + 1) for each in spelt[kind])


class _LookalikeSets:
    """Disjoint sets of characters that look alike; the prototype is the one with the lowest code point."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    @property
    def members(self) -> frozenset[str]:
        return frozenset(self._first)

    def of(self, character: str) -> str:
        while (first := self._first.get(character, character)) != character:
            character = first
        return character

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._first.setdefault(one, one)
        self._first.setdefault(other, other)
        self._first[second] = first

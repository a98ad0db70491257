"""What an edit changed in a text, word by word. Pure, in linear time.

Spaces and line ends are words of their own, so that the parts put together are the texts again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

MAX_EDITS = 400
"""Words that are told apart one by one; of texts with more changes the differing middle is one change."""
MAX_WORDS = 20_000

Change = Literal["kept", "removed", "added"]
_WORDS = re.compile(r"\w+|\s|[^\w\s]")


class Part(NamedTuple):
    """A part of a text, and what the edit did to it."""

    change: Change
    text: str


def word_difference(before: str, after: str) -> tuple[Part, ...]:
    """The parts of both texts in order: kept and removed ones are `before`, kept and added ones `after`."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    middle = _changes(old[start : len(old) - end], new[start : len(new) - end])
    steps = [
        *(Part("kept", each) for each in old[:start]),
        *middle,
        *(Part("kept", each) for each in old[len(old) - end :]),
    ]
    return tuple(_joined(steps))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _joined(steps: Sequence[Part]) -> Iterator[Part]:
    """Neighbours with the same change as one part; what was removed stands before what took its place."""
    for kept, run in groupby(steps, key=lambda each: each.change == "kept"):
        parts = list(run)
        changes: tuple[Change, ...] = ("kept",) if kept else ("removed", "added")
        for change in changes:
            if text := "".join(each.text for each in parts if each.change == change):
                yield Part(change, text)


def _changes(old: Sequence[str], new: Sequence[str]) -> list[Part]:
    """The shortest edit, by Myers' algorithm; everything replaced if that takes more than `MAX_EDITS`."""
    trace = _trace(old, new) if len(old) + len(new) <= MAX_WORDS else None
    if trace is None:
        return [*(Part("removed", each) for each in old), *(Part("added", each) for each in new)]
    return _backtracked(old, new, trace)


def _trace(old: Sequence[str], new: Sequence[str]) -> list[dict[int, int]] | None:
    """For each number of edits how far one gets on each diagonal (words of `old` minus words of `new`)."""
    reached, trace = {1: 0}, []
    for edits in range(min(MAX_EDITS, len(old) + len(new)) + 1):
        trace.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            at = _furthest_reaching(reached, diagonal, edits)
            while at < len(old) and at - diagonal < len(new) and old[at] == new[at - diagonal]:
                at += 1
            reached[diagonal] = at
            if at >= len(old) and at - diagonal >= len(new):
                return trace
    return None


def _furthest_reaching(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """Where the next edit leads on this diagonal: the addition of a word, or the removal of one."""
    if _adds(reached, diagonal, edits):
        return reached[diagonal + 1]
    return reached[diagonal - 1] + 1


def _adds(reached: dict[int, int], diagonal: int, edits: int) -> bool:
    return diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1])


def _backtracked(old: Sequence[str], new: Sequence[str], trace: list[dict[int, int]]) -> list[Part]:
    steps: list[Part] = []
    at, into = len(old), len(new)
    for edits in range(len(trace) - 1, -1, -1):
        reached, diagonal = trace[edits], at - into
        adds = _adds(reached, diagonal, edits)
        before = diagonal + 1 if adds else diagonal - 1
        start = reached[before] if edits else 0
        while (
            at > max(start, 0) + (0 if adds or not edits else 1) and into > 0 and old[at - 1] == new[into - 1]
        ):
            at, into = at - 1, into - 1
            steps.append(Part("kept", old[at]))
        if edits and adds:
            into -= 1
            steps.append(Part("added", new[into]))
        elif edits:
            at -= 1
            steps.append(Part("removed", old[at]))
    return steps[::-1]

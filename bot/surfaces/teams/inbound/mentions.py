"""The text of a message and the mentions in it, which Teams lists beside it. Pure.

A mention is an entity with the text that stands for it (`<at>Ada</at>`). Only what an entity says is one:
people can type `<at>`, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.surfaces.chat.inbound.parser import says_something

_SPACE = "&nbsp;"
"""What Teams writes for a space beside a mention."""


@dataclass(frozen=True)
class Mentioned:
    """Who or what a mention names, and the text that stands for it; the text may be empty."""

    id: str
    name: str
    text: str
    #: A whole channel, team or tag.
    group: bool = False


@dataclass(frozen=True)
class _Place:
    """A mention where it stands in the text."""

    start: int
    end: int
    mention: Mentioned


@dataclass(frozen=True)
class MessageText:
    """What somebody wrote, as seen by the app `app_id`."""

    text: str
    mentions: tuple[Mentioned, ...]
    app_id: str

    @property
    def mentions_app(self) -> bool:
        return any(each.id == self.app_id for each in self.mentions)

    @property
    def others(self) -> tuple[Mentioned, ...]:
        """Everybody else whom it mentions."""
        return tuple(each for each in self.mentions if each.id != self.app_id)

    @property
    def addressed(self) -> str | None:
        """What is said to the app in a text that begins with its mention; None if it doesn't."""
        first = next(iter(_places(self.text, self.mentions)), None)
        if first is None or first.mention.id != self.app_id or self.text[: first.start].strip():
            return None
        rest = self.text[first.end :]
        return self._shown(rest, self._after(first)).lstrip(": ,").strip()

    @property
    def words(self) -> str:
        """The text without mentions of the app, and with the names of others."""
        return self._shown(self.text, self.mentions)

    @property
    def speaks_to_others(self) -> bool:
        """Whether it begins with names, whose people are then told or asked something; or calls a group."""
        if any(each.group for each in self.others):
            return True
        places = _places(self.text, self.mentions)
        if not places or self.text[: places[0].start].strip() or places[0].mention.id == self.app_id:
            return False
        between = _replaced(self.text, places, lambda _: "")
        return self.text.rstrip().endswith("?") or says_something(between)

    def _shown(self, text: str, mentions: Sequence[Mentioned]) -> str:
        shown = _replaced(text, _places(text, mentions), self._name)
        return shown.replace(_SPACE, " ").replace("\u00a0", " ").strip()

    def _name(self, mention: Mentioned) -> str:
        return " " if mention.id == self.app_id else f"@{mention.name}"

    def _after(self, first: _Place) -> Sequence[Mentioned]:
        at = self.mentions.index(first.mention)
        return (*self.mentions[:at], *self.mentions[at + 1 :])


def _places(text: str, mentions: Iterable[Mentioned]) -> list[_Place]:
    """The mentions in the order of the text; several with the same text are listed in their order."""
    found: list[_Place] = []
    ends: dict[str, int] = {}
    for each in mentions:
        start = text.find(each.text, ends.get(each.text, 0)) if each.text else -1
        if start >= 0:
            ends[each.text] = start + len(each.text)
            found.append(_Place(start, ends[each.text], each))
    return sorted(found, key=lambda place: place.start)


def _replaced(text: str, places: Iterable[_Place], by: Callable[[Mentioned], str]) -> str:
    parts, at = [], 0
    for place in places:
        if place.start >= at:
            parts += [text[at : place.start], by(place.mention)]
            at = place.end
    return "".join([*parts, text[at:]])

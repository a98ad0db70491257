"""The crews that workers announced."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from bot.core.ports.store import Wakeup
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.wakeups import CREWS_TOPIC, RECHECK_INTERVAL_S
from bot.store import redis_keys
from bot.store.codec import dump, ms, new_call
from bot.store.connection import Connection

SOURCE_TIMEOUT_S = 5 * 60
"""After this time without an announcement a source is removed, if others announce all of its crews. Workers
announce every minute."""
ANNOUNCEMENT_TTL_S = 150
"""A source that has missed two announcements counts as gone."""
CREW_TTL_S = 7 * 24 * 3600
"""How long a crew stays known that nobody announces: its runs wait for its workers to come back."""


class _Version(NamedTuple):
    """The catalogue as it was at a version."""

    version: str | None
    crews: Mapping[str, Crew]
    problems: tuple[CrewProblem, ...] = ()


class RedisCatalogue:
    """The port `bot.core.ports.store.Catalogue`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._catalogue = _Version(None, {})
        #: Whether wake-ups come to this process; how often something was announced; and until when the
        #: version needs no other look.
        self._subscribed = False
        self._wakeups = 0
        self._current_until = 0.0

    def on_wakeup(self, wakeup: Wakeup | None) -> None:
        """Told of each wake-up of this process; None: it hears of none any more."""
        self._subscribed = wakeup is not None
        if wakeup is None or not wakeup.topics or CREWS_TOPIC in wakeup.topics:
            self._look_again()

    def _look_again(self) -> None:
        self._wakeups += 1
        self._current_until = 0.0

    async def announce(
        self,
        source: str,
        crews: Sequence[Crew],
        *,
        complete: bool = True,
        problems: Sequence[CrewProblem] = (),
    ) -> None:
        cards = [word for crew in crews for word in (crew.name, dump(crew))]
        await self._connection.run_unsharded(
            "announce",
            redis_keys.CREWS,
            source,
            new_call(),
            "1" if complete else "",
            ms(SOURCE_TIMEOUT_S),
            ms(CREW_TTL_S),
            json.dumps([each.model_dump(mode="json") for each in problems]) if problems else "",
            *cards,
        )
        # Who announces something need not wait until it is heard of.
        self._look_again()

    async def crews(self, *, newest: bool = False) -> Mapping[str, Crew]:
        return (await self._current(newest=newest)).crews

    async def problems(self, *, starting: bool = False) -> tuple[CrewProblem, ...]:
        known = (await self._current()).problems
        return known if starting else tuple(each for each in known if not each.starting)

    async def _current(self, *, newest: bool = False) -> _Version:
        # It is read often and changes seldom. So it is cached by version, and the version is looked at after
        # an announcement, and now and then: older releases announce without a word.
        if not newest and time.monotonic() < self._current_until:
            return self._catalogue
        wakeups = self._wakeups
        await self._read()
        if self._subscribed and wakeups == self._wakeups:
            self._current_until = time.monotonic() + RECHECK_INTERVAL_S
        return self._catalogue

    async def _read(self) -> None:
        version = await self._connection.do(self._connection.redis.hget(redis_keys.CREWS, "version"))
        if version != self._catalogue.version:
            stored = await self._connection.do(self._connection.redis.hgetall(redis_keys.CREWS))
            problems = (*self._known_problems(stored), *_ambiguous(stored))
            self._catalogue = _Version(stored.get("version"), self._known_crews(stored), problems)

    def _known_crews(self, stored: dict[str, str]) -> Mapping[str, Crew]:
        """The crews by name. If several sources announce a crew, the latest announcement counts."""
        readable = self._connection.unreadable.readable
        sources = [
            (field.removeprefix("source "), value)
            for field, value in stored.items()
            if field.startswith("source ")
        ]
        since = dict(readable("announcement", sources, lambda value: int(value.split(" ")[1])))
        cards = [
            (since.get(source, 0), source, name, value)
            for field, value in stored.items()
            if field.startswith("crew ")
            for source, _, name in (field.removeprefix("crew ").partition(" "),)
        ]
        named = ((f"{name} of {source}", value) for _, source, name, value in sorted(cards))
        crews = {crew.name: crew for _, crew in readable("crew", named, Crew.model_validate_json)}
        return MappingProxyType(dict(sorted(crews.items())))

    def _known_problems(self, stored: dict[str, str]) -> tuple[CrewProblem, ...]:
        """The problems of all sources, each once: several workers of a machine may have the same."""
        lists = [(field, value) for field, value in stored.items() if field.startswith("problems ")]
        read = self._connection.unreadable.readable("problems of crews", lists, _problems)
        found = dict.fromkeys(each for _, problems in read for each in problems)
        return tuple(sorted(found, key=lambda each: (each.name, each.problem)))


def _ambiguous(stored: Mapping[str, str]) -> Iterator[CrewProblem]:
    """A problem for each crew that live sources announce differently."""
    announced = {
        field.removeprefix("source "): int(value.partition(" ")[0])
        for field, value in stored.items()
        if field.startswith("source ") and value.partition(" ")[0].isdecimal()
    }
    newest = max(announced.values(), default=0)
    said: dict[str, dict[str, str]] = {}
    for field, card in stored.items():
        source, _, name = field.removeprefix("crew ").partition(" ")
        if field.startswith("crew ") and newest - announced.get(source, 0) <= ms(ANNOUNCEMENT_TTL_S):
            said.setdefault(name, {})[source] = card
    for name, cards in sorted(said.items()):
        if len(set(cards.values())) > 1:
            hosts = " and ".join(sorted({each.partition(":")[0] for each in cards}))
            yield CrewProblem(
                name=name,
                problem=f"workers of {hosts} announce different crews of this name, and any of them runs it",
                remedy="Give one of them another name. After a deploy this passes within minutes.",
            )


def _problems(stored: str) -> list[CrewProblem]:
    return [CrewProblem.model_validate(each) for each in json.loads(stored)]

"""The steps that a run has taken, by content, so that a resumed run finds each in any order.

A step's name is `<scope>/<kind>/<fingerprint of its content>/<occurrence>`; its scope is the task in whose
course it is taken, or the tool call. The store keeps the first result that is recorded under a name.

A run that tries another one again begins with what that one has recorded, under names of their own
(`bot/core/retry.py`): it finds those that it repeats, and expects none of them.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - JSON
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.core.ports.journal import (
    ANNOUNCER_PREFIX,
    ANSWER_PREFIX,
    DIVERGED_PREFIX,
    DONE_PREFIX,
    FAILED,
    FORMAT_ENTRY,
    MODEL,
    SEEDED_PREFIX,
    STARTED_SUFFIX,
)
from bot.core.questions.question import Outcome
from crews.journal.fingerprints import fingerprint
from crews.journal.occurrences import ATTEMPT, Occurrences

PROMPT, CACHED = "prompt", "cached"
"""Kinds of steps, beside those of models and tools."""
FORMAT = 2
"""How this release names steps and writes results; it is under `FORMAT_ENTRY` in each journal that it begins.

A release that changes either increments this, and says here which older formats it still reads. This one
reads none: journals of format 1, which lack the entry, name different calls of a tool alike.
"""
CALLS_ENTRY = "calls"
"""The entry that says that calls behind gates are named by what was given, like all others. Journals that
earlier releases began don't have it: there they are named by what the tool's schema made of it."""
CREW_PREFIX, CACHE_PREFIX = "crew/", "cache/"
"""Prefixes of what is recorded of the crew itself, and of CrewAI's caches."""
_REPEATED = "+"
"""Suffix of the fingerprint of a step that was taken again, once for each time."""


def repeated_step_name(name: str) -> str:
    """The name of the step that is taken again in place of this one, whose result can't be read any more."""
    base, _, occurrence = name.rpartition("/")
    return f"{base}{_REPEATED}/{occurrence}"


def original_step_name(name: str) -> str:
    """The name of the step that was taken first; `name` is its repetition, or a step within that."""
    return "/".join(part.rstrip(_REPEATED) for part in name.split("/"))


class Journal:
    """The journal of one run, as it was when this worker claimed the run. Thread-safe."""

    def __init__(
        self, stored: Mapping[str, str] | None = None, normalize: Callable[[str], str] | None = None
    ) -> None:
        """`normalize` makes of a text what it is compared by: without what differs between workers."""
        self._normalize = normalize
        self._stored = dict(stored or {})
        #: Recorded model calls that this execution has not come to yet.
        self._unrepeated = {
            name for name in self._stored if f"/{MODEL}/" in name and not name.startswith(SEEDED_PREFIX)
        }
        #: Those that need no repetition: a person decided that the run goes on without them.
        self._excused = {
            name
            for prefix in (CREW_PREFIX, DIVERGED_PREFIX)
            for _, written in self.records(prefix)
            if isinstance(written, dict)
            for name in written["left"]
        }
        #: How often the content of steps and questions came up.
        self.occurrences = Occurrences()
        self._lock = threading.Lock()
        self._finds = 0

    @property
    def begun(self) -> bool:
        """Whether anything is recorded."""
        return bool(self._stored)

    @property
    def unreadable(self) -> str | None:
        """Why a run can't go on from this journal, in words; None if it can."""
        written = self._stored.get(FORMAT_ENTRY, "1") if self._stored else str(FORMAT)
        if written != str(FORMAT):
            return f"its journal has the format {written}, and this worker reads {FORMAT}"
        for name, value in self._stored.items():
            if not _understood(name, value):
                return f"this worker doesn't understand what its journal says of {name}"
        return None

    def name(self, scope: str, kind: str, *content: object) -> str:
        """The name of the next step with this content."""
        return self._name(scope, kind, *content)[0]

    def names(self, scope: str, kind: str, *contents: tuple[object, ...]) -> list[str]:
        """The names by which the next step may be known, each with its content; the first is its own."""
        bases = dict.fromkeys(self._base(scope, kind, *content) for content in contents)
        return [f"{base}/{self.occurrences.assign(base)}" for base in bases]

    def model_call(self, scope: str, agent: object, *content: object) -> str:
        """The name of the next model call with this content, which `agent` makes."""
        name, base, number = self._name(scope, MODEL, *content)
        self.occurrences.asks(agent, base, number)
        return name

    def _name(self, scope: str, kind: str, *content: object) -> tuple[str, str, int]:
        base = self._base(scope, kind, *content)
        number = self.occurrences.assign(base)
        return f"{base}/{number}", base, number

    def _base(self, scope: str, kind: str, *content: object) -> str:
        return f"{scope}/{kind}/{self.fingerprint(*content)}"

    def fingerprint(self, *content: object) -> str:
        """The fingerprint of content, the same on every worker."""
        return fingerprint(*content, normalize=self._normalize)

    def found(self, name: str) -> Any:
        """The record with this name, or None."""
        attempt = ATTEMPT.get()
        if attempt is not None and name in attempt.recorded:
            return attempt.recorded[name]
        written = self._stored.get(name) or self._stored.get(SEEDED_PREFIX + name)
        if written is None:
            return None
        with self._lock:
            self._unrepeated.discard(name)
            self._finds += 1
        return json.loads(written)

    @staticmethod
    def recorded(name: str, value: Any) -> None:
        """Add a new record, so that another attempt in this execution finds it."""
        attempt = ATTEMPT.get()
        if attempt is not None:
            attempt.recorded[name] = value

    def is_seeded(self, name: str) -> bool:
        """Whether this step was taken by the earlier run that this one retries."""
        return name not in self._stored and SEEDED_PREFIX + name in self._stored

    def starts_without_result(self, name: str) -> int:
        """How often a step without a result was started."""
        own, kept = (
            self._stored.get(name + STARTED_SUFFIX),
            self._stored.get(f"{SEEDED_PREFIX}{name}{STARTED_SUFFIX}", ""),
        )
        return int(own or kept.partition(" ")[0] or 0)

    def seeded_start(self, name: str) -> str | None:
        """The earlier run that started this step without recording a result, or None."""
        return self._stored.get(f"{SEEDED_PREFIX}{name}{STARTED_SUFFIX}", "").partition(" ")[2] or None

    def answer(self, content_hash: str) -> Outcome | None:
        """The answer to this question in the earlier run."""
        written = self._stored.get(ANSWER_PREFIX + content_hash)
        return Outcome.model_validate_json(written) if written is not None else None

    def unrepeated_model_calls(self, scope: str = "") -> list[str]:
        """Recorded model calls (of this scope) that are expected and were not repeated yet."""
        start = f"{scope}/{MODEL}/" if scope else ""
        with self._lock:
            return sorted(name for name in self._unrepeated - self._excused if name.startswith(start))

    def tools(self, name: str) -> list[str]:
        """The tools that were offered in a recorded model call."""
        offered: list[str] = json.loads(self._stored[name]).get("tools", [])
        return offered

    def stop_expecting(self, names: Iterable[str]) -> None:
        """Don't expect these any more; they are still found if they are repeated."""
        with self._lock:
            self._excused.update(names)

    def forget(self, deleted: Sequence[str]) -> None:
        """Drop all records whose names start with one of these."""
        with self._lock:
            for name in [name for name in self._stored if name.startswith(tuple(deleted))]:
                del self._stored[name]
                self._unrepeated.discard(name)

    @property
    def finds(self) -> int:
        """How often a record was found."""
        with self._lock:
            return self._finds

    def own_records(self, prefix: str) -> list[tuple[str, Any]]:
        """What this run itself has recorded under names that start so; nothing of the run that it retries."""
        return [(name, json.loads(self._stored[name])) for name in self._stored if name.startswith(prefix)]

    def records(self, prefix: str, suffix: str = "") -> Iterator[tuple[str, Any]]:
        """The same, and what it has from an earlier run where it has nothing of its own yet.

        `suffix`: only those whose names end so.
        """
        for name, written in self._stored.items():
            own = name.removeprefix(SEEDED_PREFIX)
            if own.startswith(prefix) and own.endswith(suffix) and (own == name or own not in self._stored):
                yield own, json.loads(written)


def _understood(name: str, value: str) -> bool:
    """Whether this release can read the journal's format."""
    if (
        name.startswith((ANNOUNCER_PREFIX, ANSWER_PREFIX))
        or name.endswith(STARTED_SUFFIX)
        or name == FORMAT_ENTRY
    ):
        return True
    try:
        written = json.loads(value)
    except ValueError:
        return False
    if name.removeprefix(SEEDED_PREFIX).startswith(DONE_PREFIX):
        return isinstance(written, dict) and ("output" in written or "end" in written)
    match name.split("/")[-3:-2]:
        case ["model" | "tool" | "cached"]:
            return isinstance(written, dict) and (FAILED in written or "result" in written)
        case ["prompt"]:
            return isinstance(written, list)
    return True

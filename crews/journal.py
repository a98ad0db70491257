"""What a run has done, by content: so that whoever takes it up finds each step in whatever order it comes.

A step's name is `<scope>/<kind>/<fingerprint of its content>/<occurrence>`; its scope is the task in whose
course it is taken, or the tool call. The store keeps the first result that is noted under a name.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - JSON
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from crews.values import fingerprint

MODEL, TOOL, PROMPT = "model", "tool", "prompt"
INTENDED = "?"
"""What the name of a step ends with that was begun and whose result nobody recorded."""


class Journal:
    """One run's, as it was when this worker took the run up. From any thread."""

    def __init__(self, stored: Mapping[str, str] | None = None) -> None:
        self._stored = dict(stored or {})
        #: Recorded model calls that this execution has not come to yet.
        self._left = {name for name in self._stored if f"/{MODEL}/" in name}
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._found_at = time.monotonic()

    def name(self, scope: str, kind: str, *content: object) -> str:
        """The name of the next step with this content."""
        base = f"{scope}/{kind}/{fingerprint(*content)}"
        with self._lock:
            self._seen[base] += 1
            return f"{base}/{self._seen[base] - 1}"

    def found(self, name: str) -> Any:
        """What is recorded under this name; None if nothing is."""
        written = self._stored.get(name)
        if written is None:
            return None
        with self._lock:
            self._left.discard(name)
            self._found_at = time.monotonic()
        return json.loads(written)

    def intended(self, name: str) -> int:
        """How often a step was begun whose result nobody recorded."""
        return int(self._stored.get(name + INTENDED, 0))

    def left(self, scope: str) -> list[str]:
        """Recorded model calls of this scope that have not come up again."""
        with self._lock:
            return sorted(name for name in self._left if name.startswith(f"{scope}/{MODEL}/"))

    def tools(self, name: str) -> list[str]:
        """The tools that were offered in a recorded model call."""
        offered: list[str] = json.loads(self._stored[name]).get("tools", [])
        return offered

    def drop(self, names: list[str]) -> None:
        """These are not expected any more."""
        with self._lock:
            self._left.difference_update(names)

    @property
    def quiet(self) -> float:
        """Seconds since something recorded was found."""
        with self._lock:
            return time.monotonic() - self._found_at

    def under(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """What is recorded under names that start so."""
        for name, written in self._stored.items():
            if name.startswith(prefix):
                yield name, json.loads(written)

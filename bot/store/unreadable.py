"""Records that this process could not read: left unchanged, logged once, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import structlog

from bot.core.errors import UnreadableRecord

log = structlog.get_logger(__name__)
Read = TypeVar("Read")

MAX_RECORDS = 10_000
"""Records that are remembered, so that each is logged once."""


class Unreadable:
    """Records of newer releases, and damaged ones."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many, by kind."""
        return dict(self._counts)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Log an UnreadableRecord that the block raises, and raise it again."""
        try:
            yield
        except UnreadableRecord as error:
            self.report(error)
            raise

    def readable(
        self, kind: str, stored: Iterable[tuple[str, str]], read: Callable[[str], Read]
    ) -> Iterator[tuple[str, Read]]:
        """Names and values of the readable records; the others are logged and left out."""
        for name, text in stored:
            try:
                yield name, read(text)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                self.report(UnreadableRecord(kind, name, f"it is damaged ({type(error).__name__})"))

    def report(self, error: UnreadableRecord) -> None:
        """Log a record, once."""
        record = (error.kind, error.name)
        if record in self._known or len(self._known) >= MAX_RECORDS:
            return
        self._known.add(record)
        self._counts[error.kind] += 1
        log.error(
            "A stored record can't be read, and is left alone", kind=error.kind, id=error.name, why=error.why
        )

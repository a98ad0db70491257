"""A run's journal: its port, and the keys of `CREWDECK_JOURNAL_KEY`, which encrypt it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.core.events.event import Body
from bot.core.runs.run import Claim
from bot.core.value import Value

SEEDED_PREFIX = "kept/"
"""Prefix of the names of entries that a retry has taken over from an earlier run."""
ANSWER_PREFIX = "answer/"
"""Prefix of outcomes that were taken over, followed by `Question.content_hash`."""
DONE_PREFIX = "done/"
"""Prefix of finished tasks, and of finished methods of a flow."""
METHOD_PREFIX, BEGUN_SUFFIX = "m:", "/begun"
"""Prefix of a flow's methods, and suffix of the entry that records the start of one."""
ANNOUNCER_PREFIX = "heard/"
"""Prefix of the entry that says which worker announces an answer to CrewAI's listeners, followed by the
question's id."""
DIVERGED_PREFIX = "diverged/"
"""Prefix of changes of the crew that the run went on with."""
FORMAT_ENTRY = "format"
"""The entry that says how steps are named and results are written."""
MODEL, TOOL = "model", "tool"
"""Kinds of steps. The name of a step ends in its kind, the fingerprint of its content, and its occurrence."""
STARTED_SUFFIX = "?"
"""Suffix of a step that was started and has no result."""
FAILED = "failed"
"""The part of a step's record that has the words of an exception, in place of a result."""

KEY_BYTES = 32
"""The size of an AES-256 key."""


def parse_journal_keys(text: str) -> tuple[bytes, ...]:
    """Parse `CREWDECK_JOURNAL_KEY`. Raises ValueError, whose message never quotes a key."""
    keys = tuple(_parsed(part.strip()) for part in text.split(",") if part.strip())
    if text.strip() and not keys:
        # Commas around variables that are not set: journals would be written unencrypted.
        raise ValueError("it has commas and no key; leave it empty where nothing is to be encrypted")
    return keys


def _parsed(part: str) -> bytes:
    try:
        key = base64.b64decode(part.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("each key is 32 random bytes in base64, as `openssl rand -base64 32` prints them")
    return key


def key_id_of(key: bytes) -> str:
    """An identifier of a key that reveals nothing about it."""
    return hashlib.sha256(b"crewdeck journal key" + key).hexdigest()[:8]


class JournalExtent(Value):
    """How much a journal holds."""

    #: Steps and other entries.
    entries: int
    bytes: int
    #: It existed, and its retention is over.
    expired: bool


@dataclass(frozen=True)
class Removal:
    """All entries whose names start with one of these have become superfluous."""

    prefixes: tuple[str, ...]


@dataclass(frozen=True)
class NewEvent:
    """Something happened in the run. An event with this key and of this type is recorded once."""

    body: Body
    key: str | None = None


Change = tuple[str, str] | Removal | NewEvent
"""What a run does: an entry of its journal (name and value), or one of these."""


def announces(change: Change) -> bool:
    """Whether this says that a step is about to be taken."""
    return isinstance(change, tuple) and change[0].endswith(STARTED_SUFFIX)


class Journal(Protocol):
    """What a run has done, by step, so that no worker does it again."""

    async def read(self, run_id: str) -> dict[str, str]:
        """All entries. A step that was started and has no result stands under its name and a `?`.

        Raises JournalUndecryptable.
        """

    async def extent(self, run_id: str) -> JournalExtent:
        """How much it holds, whether it can be decrypted or not."""

    async def seed(self, run_id: str, entries: Mapping[str, str]) -> bool:
        """Give a run that is about to be started the entries of another one; False if it was started."""

    async def put_if_absent(self, claim: Claim, name: str, value: str) -> str:
        """Record one entry; returns the recorded value: the first write wins. Raises Fenced."""

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        """Record these changes in their order, all or none.

        The name of an entry that ends with `?` announces a step. Under any other the first value stays, and
        the announcement is removed. Raises Fenced.
        """

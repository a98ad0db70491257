"""The port to a run's journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.core.claim import Claim
from bot.core.value import Value


class JournalExtent(Value):
    """How much a journal holds."""

    #: Steps and other entries.
    entries: int
    bytes: int
    #: It existed, and its retention is over.
    expired: bool


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

    async def write(
        self, claim: Claim, entries: Sequence[tuple[str, str]], deleted: Sequence[str] = ()
    ) -> None:
        """Record these entries, all or none, then remove all whose names start with one of `deleted`.

        A name that ends with `?` announces a step. Under any other the first value stays, and the
        announcement is removed. Raises Fenced.
        """

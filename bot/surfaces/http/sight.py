"""What people see who are here as themselves: the runs that are theirs to know of. Keys see all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from bot.core import rules
from bot.core.errors import NotFound
from bot.core.inbox import Inbox
from bot.core.ports import Runs
from bot.surfaces.http.auth import Caller

Sees = Callable[[str], Awaitable[bool]]
"""Whether somebody sees the run of this id."""


class SightStore(Runs, Inbox, Protocol):
    """What is needed to look a run up."""


class Sight:
    """Hides what a caller does not see, as if it were not there."""

    def __init__(self, store: SightStore) -> None:
        self._store = store

    async def check(self, request: web.Request, caller: Caller) -> None:
        """Raises NotFound if the path names a run, or a question of a run, that the caller doesn't see."""
        if not caller.limited:
            return
        named = request.match_info
        run_id = named.get("run_id") or named.get("execution_id")
        if run_id and not await self._sees(caller, run_id.lower()):
            raise NotFound("run", run_id.lower())
        question_id = named.get("question_id", "").lower()
        if question_id and not await self._sees(caller, await self._store.run_of(question_id)):
            raise NotFound("question", question_id)

    def of(self, caller: Caller) -> Sees | None:
        """For streams of all runs; None: sees everything."""
        return (lambda run_id: self._sees(caller, run_id)) if caller.limited else None

    async def _sees(self, caller: Caller, run_id: str) -> bool:
        try:
            return rules.sees(caller.actor, await self._store.run(run_id))
        except NotFound:
            return False

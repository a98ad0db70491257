"""Which runs and questions a caller can view. Keys view all; people who signed in view their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.core.access import Scope
from bot.core.errors import NotFound
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Run, can_view
from bot.surfaces.http.auth import Caller

CanView = Callable[[str], Awaitable[bool]]
"""Whether somebody sees the run of this id."""


class Visibility:
    """Answers NotFound for what a caller can not view."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def check(self, request: web.Request, caller: Caller) -> None:
        """Raises NotFound if the path names a run, or a question of a run, that the caller doesn't see."""
        if not caller.is_person:
            return
        named = request.match_info
        run_id = named.get("run_id") or named.get("execution_id")
        if run_id and not await self._can_view(caller, run_id.lower()):
            raise NotFound("run", run_id.lower())
        question_id = named.get("question_id", "").lower()
        if question_id and not await self._can_view(caller, await self._store.questions.run_of(question_id)):
            raise NotFound("question", question_id)

    def of(self, caller: Caller) -> CanView | None:
        """For streams of all runs; None: sees everything."""
        return (lambda run_id: self._can_view(caller, run_id)) if caller.is_person else None

    def of_run(self, caller: Caller, run: Run) -> bool:
        """Whether this caller gets to know of the run. Who may read sees all, unless they are limited."""
        if not caller.is_person and caller.scopes & {Scope.READ, Scope.ADMIN}:
            return True
        return can_view(caller.actor, run)

    def of_question(self, caller: Caller, run: Run, question: Question) -> bool:
        """The same of one of its questions: who may answer it knows of it, too."""
        return self.of_run(caller, run) or can_decide(caller.actor, question.policy)

    async def _can_view(self, caller: Caller, run_id: str) -> bool:
        try:
            return self.of_run(caller, await self._store.runs.get(run_id))
        except NotFound:
            return False

"""Visibility of runs and questions: keys see all; people with a session see their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from bot.core.api_keys import Scope
from bot.core.errors import NotFound
from bot.core.event import Event
from bot.core.policy import can_decide
from bot.core.ports import Store
from bot.core.question import Question
from bot.core.run import Run, can_view
from bot.surfaces.http.auth import Caller

CanView = Callable[[Event], Awaitable[bool]]
"""Whether the caller may view what an event is about: its run, or its question."""


class Visibility:
    """Decides what a caller may view."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recognised(self, caller: Caller) -> Caller:
        """The caller with their linked identities and live groups. Raises StoreUnavailable."""
        if caller.known is not None:
            return caller
        return replace(caller, known=await self._store.directory.known(caller.actor))

    async def check(self, request: web.Request, caller: Caller) -> None:
        """Raises NotFound if the path names a run, or a question of one, that the caller may not view."""
        if not caller.is_person:
            return
        named = request.match_info
        run_id = named.get("run_id") or named.get("execution_id")
        if run_id and not await self._can_view(caller, run_id.lower()):
            raise NotFound("run", run_id.lower())
        question_id = named.get("question_id", "").lower()
        if question_id:
            run_id = await self._store.questions.run_of(question_id)
            if not await self._can_view_question(caller, run_id, question_id):
                raise NotFound("question", question_id)

    def of(self, caller: Caller) -> CanView | None:
        """A filter for streams of all runs; None if the caller sees all runs."""
        return (lambda event: self._can_view_event(caller, event)) if caller.is_person else None

    def of_run(self, caller: Caller, run: Run) -> bool:
        """Whether the caller may view the run. Keys with `read` may view all runs, people their own."""
        if not caller.is_person and caller.scopes & {Scope.READ, Scope.ADMIN}:
            return True
        return can_view(caller.viewer, run)

    def of_question(self, caller: Caller, run: Run, question: Question) -> bool:
        """Whether the caller may view the question: everybody who may view its run or answer it."""
        return self.of_run(caller, run) or can_decide(caller.viewer, question.policy)

    async def _can_view_event(self, caller: Caller, event: Event) -> bool:
        question_id = getattr(event.body, "question_id", None)
        if question_id is None:
            return await self._can_view(caller, event.run_id)
        return await self._can_view_question(caller, event.run_id, question_id)

    async def _can_view_question(self, caller: Caller, run_id: str, question_id: str) -> bool:
        """Whether the caller may view the run, or answer this question of it."""
        if await self._can_view(caller, run_id):
            return True
        try:
            question = await self._store.questions.get(run_id, question_id)
        except NotFound:
            return False
        return can_decide(caller.viewer, question.policy)

    async def _can_view(self, caller: Caller, run_id: str) -> bool:
        try:
            return self.of_run(caller, await self._store.runs.get(run_id))
        except NotFound:
            return False

"""Detects a resumed run that asks for something else than it has recorded."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bot.core.ports.journal import DIVERGED_PREFIX
from crews.journal.journal import Journal
from crews.journal.model_call import ModelCall
from crews.journal.writer import Writer
from crews.run import system_questions
from crews.run.questions import HumanQuestions

QUIET_S = 2.0
"""Seconds without a recorded step being repeated, after which the remaining ones are considered missing.

They are counted in pauses of the thread that waits: while a machine stands still, nobody repeats anything.
"""
PAUSE_S = 0.05


class NonDeterminism:
    """Finds what is different in one run. Called from any thread except the event loops' of the worker."""

    def __init__(self, questions: HumanQuestions, journal: Journal, writer: Writer) -> None:
        self._questions = questions
        self._run = questions.run
        self._journal = journal
        self._writer = writer
        self._lock = threading.Lock()
        #: How many agents are at work for another one.
        self._helpers = 0

    @contextmanager
    def delegation(self) -> Iterator[None]:
        """An agent works for another one while the block runs."""
        with self._lock:
            self._helpers += 1
        try:
            yield
        finally:
            with self._lock:
                self._helpers -= 1

    def check(self, scope: str, request: ModelCall) -> None:
        """Called before a new model call. If recorded calls are left over, the crew has changed.

        The requester then decides whether to continue. Blocks its thread. Raises RunExit if not.
        """
        left = self._missed(scope)
        if not left:
            return
        changed = _changed(self._journal.tools(left[0]), request.names)
        number = len(list(self._journal.records(f"{DIVERGED_PREFIX}{scope}/")))
        system_questions.confirm_nondeterminism(self._questions, changed, f"{scope}/{number}")
        self._writer.write(
            f"{DIVERGED_PREFIX}{scope}/{number}", json.dumps({"changed": changed, "left": left})
        )
        self._journal.stop_expecting(left)

    def _missed(self, scope: str) -> list[str]:
        """The recorded steps that were not repeated. Concurrent agents first get time to repeat theirs."""
        left, finds, quiet = self._journal.unrepeated_model_calls(scope), self._journal.finds, 0.0
        while left and not self._in_order(scope) and quiet < QUIET_S:
            self._run.check()
            time.sleep(PAUSE_S)
            before, finds = finds, self._journal.finds
            quiet = quiet + PAUSE_S if finds == before else 0.0
            left = self._journal.unrepeated_model_calls(scope)
        return left

    def _in_order(self, scope: str) -> bool:
        """Whether the model calls of this scope are sequential and in the same order each time.

        They are within a task, unless other agents work for its agent, or a memory is being organised.
        """
        identity = self._run.identity
        with self._lock:
            return identity.is_task(scope) and not identity.remembers and not self._helpers


def _changed(before: list[str], now: list[str]) -> str:
    tools = tools_changed(before, now)
    return f"its tools are others ({tools})." if tools else "it asks its model something else than before."


def tools_changed(before: Iterable[str], now: Iterable[str]) -> str:
    """Which are new and which are gone, in words; empty if none."""
    added, removed = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    parts = [f"new is {', '.join(added)}"] if added else []
    parts += [f"gone is {', '.join(removed)}"] if removed else []
    return "; ".join(parts)

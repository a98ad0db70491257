"""Whether a run that is taken up again takes the course that it took before."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from crews.journal.journal import DIVERGED, Journal
from crews.journal.model_call import ModelCall
from crews.journal.writer import Writer
from crews.run import system_questions
from crews.run.questions import HumanQuestions

SETTLED = 2.0
"""Seconds without anything recorded being found, after which what is left over won't be."""


class NonDeterminism:
    """One run's. From any thread but the control loop's."""

    def __init__(self, questions: HumanQuestions, journal: Journal, writer: Writer) -> None:
        self._questions = questions
        self._run = questions.run
        self._journal = journal
        self._writer = writer
        self._lock = threading.Lock()
        #: How many agents are at work for another one.
        self._helpers = 0

    @contextmanager
    def helped(self) -> Iterator[None]:
        """An agent works for another one while the block runs."""
        with self._lock:
            self._helpers += 1
        try:
            yield
        finally:
            with self._lock:
                self._helpers -= 1

    def check(self, scope: str, request: ModelCall, *, on_loop: bool) -> None:
        """Called where something new is asked. If recorded calls are left over, the crew isn't what it was.

        Its requester says whether to go on; raises Leave if not. A thread that runs an event loop must not
        wait for that, and ends the run.
        """
        left = self._missed(scope)
        if not left:
            return
        changed = _changed(self._journal.tools(left[0]), request.names)
        if on_loop:
            raise self._run.stop(system_questions.nondeterminism_error(changed))
        number = len(list(self._journal.under(f"{DIVERGED}{scope}/")))
        system_questions.confirm_nondeterminism(self._questions, changed, f"{scope}/{number}")
        self._writer.write(f"{DIVERGED}{scope}/{number}", json.dumps({"changed": changed, "left": left}))
        self._journal.excuse(left)

    def _missed(self, scope: str) -> list[str]:
        """What is left over. Where agents work side by side, each first comes to what it had recorded."""
        left = self._journal.left(scope)
        while left and not self._in_order(scope) and self._journal.quiet < SETTLED:
            self._run.check()
            time.sleep(0.05)
            left = self._journal.left(scope)
        return left

    def _in_order(self, scope: str) -> bool:
        """Whether the model calls of this scope come one after the other, the same each time.

        So it is within a task, unless others work for its agent, or what it remembers is sorted meanwhile.
        """
        parts = self._run.identity
        with self._lock:
            return parts.is_task(scope) and not parts.remembers and not self._helpers


def _changed(before: list[str], now: list[str]) -> str:
    tools = tools_changed(before, now)
    return f"its tools are others ({tools})." if tools else "it asks its model something else than before."


def tools_changed(before: Iterable[str], now: Iterable[str]) -> str:
    """Which are new and which are gone, in words; empty if none."""
    added, removed = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    parts = [f"new is {', '.join(added)}"] if added else []
    parts += [f"gone is {', '.join(removed)}"] if removed else []
    return "; ".join(parts)

"""A flow's memory, created on first use.

CrewAI creates one for every Flow. The first one in a process takes seconds, since it imports a database; few
flows use it.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - it stands for something of CrewAI's
import threading
from typing import Any

from crewai.memory.unified_memory import Memory
from crewai.memory.utils import sanitize_scope_name


class LazyMemory:
    """A placeholder for the `Memory` that CrewAI would have created."""

    #: CrewAI saves lists only in what is a `Memory`.
    __class__ = Memory  # type: ignore[assignment]
    #: Asked for by CrewAI before it waits for what is being saved: nothing is, as long as nobody used it.
    _memory = None

    def __init__(self, flow_name: str) -> None:
        self._scope = f"/flow/{sanitize_scope_name(flow_name)}"
        self._made: Memory | None = None
        self._making = threading.Lock()

    def drain_writes(self) -> None:
        if self._made is not None:
            self._made.drain_writes()

    def __getattr__(self, name: str) -> Any:
        with self._making:
            self._made = self._made or Memory(root_scope=self._scope)
        return getattr(self._made, name)

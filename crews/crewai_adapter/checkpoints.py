"""CrewAI's checkpoints, switched off: runs go on from Crewdeck's journal.

Once any crew of a process has `checkpoint`, CrewAI looks at every event of all others.
"""

from __future__ import annotations

from typing import Any

from crewai.state import checkpoint_listener


def install() -> None:
    """Let no crew register CrewAI's listener for checkpoints."""
    module: Any = checkpoint_listener
    if module._ensure_handlers_registered is not _register_nothing:  # noqa: SLF001 - AttributeError where it is gone
        module._ensure_handlers_registered = _register_nothing  # noqa: SLF001 - a seam


def _register_nothing() -> None:
    """What a crew with `checkpoint` registers."""

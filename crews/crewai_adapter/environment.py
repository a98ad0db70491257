"""The environment that a process needs before it imports crewai (docs/decisions/0003-crewai-seams.md)."""

from __future__ import annotations

import logging
import os

from bot.settings import Settings

VENDORS = ("crewai", "crewai_core", "httpx", "openai", "anthropic", "LiteLLM")
"""Their loggers speak up at WARNING: below it they tell of every request."""


def prepare(settings: Settings) -> None:
    """Disable what CrewAI does at import and at its first kickoff. Called once per process."""
    # Offline, each of these would take seconds; telemetry would also replace our signal handlers.
    os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
    os.environ["CREWAI_TRACING_ENABLED"] = "false"
    os.environ["CREWAI_DISABLE_VERSION_CHECK"] = "true"
    # Memories and knowledge of projects don't mix, as they don't under `crewai run`.
    own = f"crewai-{settings.project.name}" if settings.project is not None else "crewai"
    os.environ["CREWAI_STORAGE_DIR"] = str(settings.data_dir.expanduser().absolute() / own)
    # CrewAI would use distributed locks for a local file: ten times slower, and blocking the loop.
    os.environ.pop("REDIS_URL", None)
    for name in VENDORS:
        logging.getLogger(name).setLevel(max(logging.getLogger().level, logging.WARNING))

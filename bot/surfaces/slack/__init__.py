"""Slack: runs live in threads, and people answer there."""

from typing import Final

SURFACE: Final = "slack"
"""Slack's name in the store: of places, actors and keys."""

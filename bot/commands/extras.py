"""Which extras of the package a command needs. Imports nothing that comes with one of them."""

from __future__ import annotations

from importlib.util import find_spec

from bot.core.errors import SettingsError

MODULE_OF_EXTRA = {"server": "slack_bolt", "worker": "crewai"}
"""A module that is there when an extra is installed, and only then."""


def is_installed(extra: str) -> bool:
    """Whether the package was installed with this extra."""
    return find_spec(MODULE_OF_EXTRA[extra]) is not None


def require(extra: str, hint: str = "") -> None:
    """Raise SettingsError, which says what to install, unless the extra is there."""
    if not is_installed(extra):
        raise SettingsError(f'this needs the extra "{extra}": pip install "crewdeck[{extra}]"{hint}')

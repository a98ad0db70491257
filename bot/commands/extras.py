"""The package extras that commands need. Imports none of their modules."""

from __future__ import annotations

from importlib.util import find_spec

from bot.core.errors import SettingsError

MODULE_OF_EXTRA = {"server": "slack_bolt", "teams": "msal", "worker": "crewai"}
"""A module that is installed with an extra, and only with it."""


def is_installed(extra: str) -> bool:
    """Whether the package was installed with this extra."""
    return find_spec(MODULE_OF_EXTRA[extra]) is not None


def require(extra: str, hint: str = "") -> None:
    """Raise SettingsError, which says what to install, unless the extra is installed."""
    if not is_installed(extra):
        raise SettingsError(f'this needs the extra "{extra}": pip install "crewdeck[{extra}]"{hint}')

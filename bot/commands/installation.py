"""What is installed of the package: its version, and the extras that commands need."""

from __future__ import annotations

from importlib.util import find_spec

from bot.core.errors import SettingsError

MODULE_OF_EXTRA = {"server": "slack_bolt", "teams": "msal", "worker": "crewai"}
"""A module that is installed with an extra, and only with it."""


def version() -> str:
    """The version of the package, in words."""
    from importlib import metadata

    try:
        return metadata.version("crewdeck")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def is_installed(extra: str) -> bool:
    """Whether the package was installed with this extra."""
    return find_spec(MODULE_OF_EXTRA[extra]) is not None


def require(extra: str, hint: str = "") -> None:
    """Raise SettingsError, which says what to install, unless the extra is installed."""
    if not is_installed(extra):
        raise SettingsError(f'this needs the extra "{extra}": pip install "crewdeck[{extra}]"{hint}')

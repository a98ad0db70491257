"""How commands are registered: their docstrings become help texts, and they name the extra that they need."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import ParamSpec

import typer

from bot.core.errors import SettingsError

P = ParamSpec("P")


MODULE_OF_EXTRA = {"server": "slack_bolt", "teams": "msal", "worker": "crewai"}
"""A module that is installed with an extra, and only with it."""


def is_installed(extra: str) -> bool:
    """Whether the package was installed with this extra."""
    return find_spec(MODULE_OF_EXTRA[extra]) is not None


def require(extra: str, hint: str = "") -> None:
    """Raise SettingsError, which says what to install, unless the extra is installed."""
    if not is_installed(extra):
        raise SettingsError(f'this needs the extra "{extra}": pip install "crewdeck[{extra}]"{hint}')


def group(words: str, *, required: bool = False) -> typer.Typer:
    """A group of commands. Without a command it lists, unless a command is `required`."""
    return typer.Typer(
        help=words, add_completion=False, rich_markup_mode=None, invoke_without_command=not required
    )


def command(
    of: typer.Typer, name: str | None = None, *, extra: str = "server"
) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Register a command: its docstring is its help text, its result the exit status."""

    def add(function: Callable[P, int]) -> Callable[P, int]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> int:
            require(extra)
            return function(*args, **kwargs)

        return of.command(name)(run)

    return add

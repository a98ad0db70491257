"""How commands are registered: their docstrings become help texts, and they name the extra that they need."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from bot.commands.installation import require

P = ParamSpec("P")


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

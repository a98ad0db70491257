"""How commands are registered: their docstrings become help texts, they name the extra that they need.

Their arguments are read as UTF-8.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from bot.commands.installation import require
from bot.core.errors import SettingsError

P = ParamSpec("P")


def group(words: str, *, required: bool = False) -> typer.Typer:
    """A group of commands. Without a command it lists, unless a command is `required`."""
    return typer.Typer(
        help=words, add_completion=False, rich_markup_mode=None, invoke_without_command=not required
    )


def command(
    of: typer.Typer, name: str | None = None, *, extra: str = "server", paths: bool = False
) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Register a command: its docstring is its help text, its result the exit status.

    With `paths` its arguments name files, which may have any name. All others have to be UTF-8.
    """

    def add(function: Callable[P, int]) -> Callable[P, int]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> int:
            require(extra)
            if not paths:
                kwargs.update({each: _decoded(value) for each, value in kwargs.items()})
            return function(*args, **kwargs)

        return of.command(name)(run)

    return add


def _decoded(value: object) -> object:
    """An argument as UTF-8, which Python doesn't decode in a locale of another encoding.

    Bytes that are no UTF-8 stand for nothing: a request can't hold them. Other values than texts stay.
    """
    match value:
        case str():
            try:
                return os.fsencode(value).decode()
            except UnicodeError:
                from bot.core.text import terminal_safe  # pydantic

                raise SettingsError(f"{terminal_safe(value)}: this argument is no text in UTF-8.") from None
        case list():
            return [_decoded(each) for each in value]
        case _:
            return value

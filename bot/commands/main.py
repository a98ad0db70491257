"""The entry point of `crewdeck`. Without the extras of the package it says which one is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

MISTAKE = 2
"""Exit status for what the operator can put right; Typer's own as well."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    try:
        import typer
    except ModuleNotFoundError:
        sys.stderr.write('crewdeck: this needs the extra "server": pip install "crewdeck[server]"\n')
        return MISTAKE

    from bot.commands.command_line import app

    try:
        typer.main.get_command(app).main(arguments, "crewdeck")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except Exception as error:
        from bot.commands.table import tell
        from bot.core.errors import SettingsError, StoreUnavailable

        if not isinstance(error, SettingsError | StoreUnavailable):
            raise
        tell(f"crewdeck: {error}")
        return MISTAKE
    return 0

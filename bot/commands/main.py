"""The entry point of `crewdeck`. It reports missing extras of the package."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bot.processes import garbage_collector

MISTAKE = 2
"""The exit status of errors that the operator can correct; the same as Typer's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    garbage_collector.tune()
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
        from bot.commands.output import print_to_stderr
        from bot.core.errors import SettingsError, StoreUnavailable

        if not isinstance(error, SettingsError | StoreUnavailable):
            raise
        print_to_stderr(f"crewdeck: {error}")
        return MISTAKE
    return 0

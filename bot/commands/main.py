"""The entry point of `crewdeck`. It reports missing extras of the package, and errors of the operator."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from bot.commands import servers
from bot.processes import garbage_collector

MISTAKE = 2
"""The exit status of errors that the operator can correct; the same as Typer's."""
INTERRUPTED = 130
"""The exit status after Ctrl-C, as of a shell's commands; servers that are up end with 0."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    garbage_collector.tune()
    if isinstance(sys.stdout, io.TextIOWrapper):  # where it has another encoding than UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # while it starts, which takes a second or two
        return INTERRUPTED
    except Exception as error:
        from bot.core.errors import SettingsError, StoreUnavailable

        if not isinstance(error, SettingsError | StoreUnavailable):
            raise
        from bot.commands.output import print_to_stderr

        print_to_stderr(f"crewdeck: {error}")
        return MISTAKE


def _run(words: Sequence[str]) -> int:
    """Servers run for months, so they are started without the library of the command line (5 MB).

    It is there for their options: `--help`.
    """
    match words:
        case ["serve", *projects] if not any(each.startswith("-") for each in projects):
            return servers.serve(projects)
        case ["deliver"]:
            return servers.deliver()
        case _:
            return _run_with_typer(words)


def _run_with_typer(words: Sequence[str]) -> int:
    try:
        import typer
    except ModuleNotFoundError:
        sys.stderr.write('crewdeck: this needs the extra "server": pip install "crewdeck[server]"\n')
        return MISTAKE

    from bot.commands.command_line import app

    try:
        typer.main.get_command(app).main(words, "crewdeck")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0

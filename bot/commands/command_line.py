"""The commands, their arguments and help. Each imports its dependencies when it runs: `--help` stays fast."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.commands import servers
from bot.commands.client_commands import clients
from bot.commands.installation import version
from bot.commands.operator_commands import keys, runs, sessions, webhooks
from bot.commands.registration import command
from bot.core.errors import SettingsError


def _end(status: int, **_: object) -> None:
    raise typer.Exit(status)


app = typer.Typer(
    help="Run CrewAI crews from Slack and Microsoft Teams, and answer what they ask.",
    epilog="Settings come from the environment and from .env: see docs/settings.md.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    result_callback=_end,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - how Typer calls it
    if wanted:
        typer.echo(f"crewdeck {version()}")
        raise typer.Exit


@app.callback()
def crewdeck(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="show the version number and exit"
        ),
    ] = False,
) -> None:
    """Options before the command."""


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────


@command(app, paths=True)
def serve(
    projects: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=]PROJECT", help="folders of CrewAI projects, or module:Name"),
    ] = None,
) -> int:
    """Run Crewdeck: its surfaces and its workers. Each project has workers of its own."""
    return servers.serve(projects or ())


@command(app, extra="worker", paths=True)
def worker(
    project: Annotated[
        str | None,
        typer.Argument(metavar="[NAME=]PROJECT", help="a CrewAI project; without, the crews of Crewdeck"),
    ] = None,
) -> int:
    """Run one more worker. It may be on another machine; the store is the same."""
    import asyncio

    from bot.processes.project_problems import problem_of
    from bot.processes.projects import find
    from bot.processes.worker_process import exec_crews
    from bot.settings import load

    if project is None:
        settings = load()
        settings.require_crew_dirs()
        settings.require_data_dir()
        return exec_crews(settings)
    found = find(project)
    if problem := asyncio.run(problem_of(found)):
        raise SettingsError(problem.sentence)
    return exec_crews(load(), project=found)


@command(app)
def deliver() -> int:
    """Run one more process that sends messages and webhooks."""
    return servers.deliver()


@command(app, paths=True)
def add(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="the folder of a CrewAI project")],
    *,
    no_index: Annotated[bool, typer.Option("--no-index", help="use no package index")] = False,
    find_links: Annotated[
        list[str] | None, typer.Option("--find-links", metavar="DIR", help="find packages here; repeat it")
    ] = None,
) -> int:
    """Install Crewdeck into the environment of a project."""
    from bot.commands.add import add as install

    links = [part for each in find_links or () for part in ("--find-links", each)]
    return install(project, [*(["--no-index"] if no_index else []), *links])


@command(app)
def doctor() -> int:
    """Check settings, services and crews, and name the remedies."""
    from bot.commands.doctor import examine

    return examine()


@command(app, extra="worker")
def crews() -> int:
    """List the crews."""
    from bot.commands.catalogue import table
    from bot.commands.output import print_text
    from bot.settings import load

    print_text(table(load()))
    return 0


@command(app, extra="worker", paths=True)
def check(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FOLDER", help="a crew, a folder of crews, or a project; without: this folder, or all"
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON array, for editors")] = False,
) -> int:
    """Find the mistakes in crews. The status is 0 without errors, 1 with errors, 2 if nothing was checked."""
    from bot.commands import check as checking
    from bot.settings import load

    return checking.check(load(), folders or (), as_json=as_json)


@command(app, name="new", paths=True)
def new_crew(
    name: Annotated[str, typer.Argument(help="letters, digits, - and _")],
    into: Annotated[str, typer.Option("--dir", metavar="FOLDER", help="where its folder is made")] = ".",
) -> int:
    """Make a small crew that runs at once, without a key."""
    from bot.commands.new import new

    return new(name, into)


@command(app, name="schema")
def print_schema(
    name: Annotated[str, typer.Argument(help="crew, agents, tasks, policies, script or crewdeck")] = "crew",
) -> int:
    """Print the JSON Schema of a file of crews, for editors."""
    from bot.commands.new import schema

    return schema(name)


app.add_typer(clients)
app.add_typer(keys, name="keys")
app.add_typer(sessions, name="sessions")
app.add_typer(runs, name="runs")
app.add_typer(webhooks, name="webhooks")

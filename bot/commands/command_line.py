"""The commands, their arguments and help. Each imports its dependencies when it runs: `--help` stays fast."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.client_commands import clients
from bot.commands.extras import require
from bot.commands.registration import command, group


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
keys = group("Create, list and revoke API keys.", required=True)
sessions = group("List and end browser sessions of the console.")
runs = group("List, show, retry and delete runs, and save their files.")
webhooks = group("List failed deliveries, and redeliver events.")


def _version() -> str:
    try:
        return version("crewdeck")
    except PackageNotFoundError:
        return "(not installed)"


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - how Typer calls it
    if wanted:
        typer.echo(f"crewdeck {_version()}")
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


@command(app)
def serve(
    projects: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=]PROJECT", help="folders of CrewAI projects, or module:Name"),
    ] = None,
) -> int:
    """Run Crewdeck: its surfaces, and workers for the crews and for these projects."""
    from bot.commands.serve import serve_until_stopped
    from bot.processes.projects import find_all
    from bot.processes.worker_environment import hide_from_processes_of_this_user
    from bot.settings import load

    hide_from_processes_of_this_user()
    settings = load().with_projects(projects or ())
    find_all(settings.projects)
    if settings.workers:
        require("worker", ", or let it start none: CREWDECK_WORKERS=0")
    if settings.teams_on:
        require("teams")
    return serve_until_stopped(settings, _version())


@command(app, extra="worker")
def worker(
    project: Annotated[
        str | None,
        typer.Argument(metavar="[NAME=]PROJECT", help="a CrewAI project; without, the crews of Crewdeck"),
    ] = None,
) -> int:
    """Run one more worker for the same store, on this machine or another."""
    from bot.processes.worker_process import become
    from bot.settings import load

    if project is None:
        return become(load())
    from bot.commands.project_worker import become_worker_of

    return become_worker_of(load(), project)


@command(app)
def deliver() -> int:
    """Send to chat platforms and webhooks for the same store, on this machine or another."""
    from bot.commands.deliver import deliver_until_stopped
    from bot.processes.worker_environment import hide_from_processes_of_this_user
    from bot.settings import load

    hide_from_processes_of_this_user()
    settings = load()
    if settings.teams_on:
        require("teams")
    return deliver_until_stopped(settings, settings.public_url.rstrip("/"))


@command(app)
def add(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="the folder of a CrewAI project")],
    *,
    no_index: Annotated[bool, typer.Option("--no-index", help="use no package index")] = False,
    find_links: Annotated[
        list[str] | None, typer.Option("--find-links", metavar="DIR", help="find packages here; repeat it")
    ] = None,
) -> int:
    """Install what a project's worker needs into the project's own environment."""
    from bot.commands.add import add as install

    links = [part for each in find_links or () for part in ("--find-links", each)]
    return install(project, [*(["--no-index"] if no_index else []), *links])


@command(app)
def doctor() -> int:
    """Check settings, Redis, Slack, Teams and every crew, and name remedies."""
    from bot.commands.doctor import examine

    return examine()


@command(app, extra="worker")
def crews() -> int:
    """List the crews."""
    from bot.commands.catalogue import table
    from bot.commands.table import say
    from bot.settings import load

    say(table(load()))
    return 0


@command(app, extra="worker")
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
    """Find everything that is wrong with crews: 0 if nothing is, 1 for errors, 2 if it can't be checked."""
    from bot.commands import check as checking
    from bot.settings import load

    return checking.check(load(), folders or (), as_json=as_json)


@command(app, name="new")
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


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

app.add_typer(keys, name="keys")


@command(keys, name="add")
def add_key(
    name: Annotated[
        str, typer.Argument(help="letters, digits, - _ and .; a crew's approvers call it key:NAME")
    ],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, start, answer or admin; repeat it; without: all")
    ] = None,
) -> int:
    """Create a key and print it, once."""
    return _keys("add", name, scope or ())


@command(keys, name="list")
def list_keys() -> int:
    """List the keys, without their secrets."""
    return _keys("list")


@command(keys, name="revoke")
def revoke_key(name: Annotated[str, typer.Argument()]) -> int:
    """Revoke a key, at once and everywhere."""
    return _keys("revoke", name)


def _keys(action: str, name: str = "", scopes: Sequence[str] = ()) -> int:
    from bot.commands.api_keys import run
    from bot.settings import load

    return run(load(), action, name, scopes)


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────

app.add_typer(sessions, name="sessions")


@sessions.callback()
def sessions_without_command(context: typer.Context) -> int | None:
    """List, without a command."""
    return list_sessions() if context.invoked_subcommand is None else None


@command(sessions, name="list")
def list_sessions() -> int:
    """List open sessions, newest first."""
    return _sessions("list")


@command(sessions, name="end")
def end_sessions(
    named: Annotated[
        list[str] | None, typer.Argument(metavar="WHO", help="an id or a name of a person, or a session")
    ] = None,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="all sessions")] = False,
) -> int:
    """End sessions, at once and everywhere."""
    return _sessions("end", named or (), everybody=everybody)


def _sessions(action: str, named: Sequence[str] = (), *, everybody: bool = False) -> int:
    from bot.commands.sessions import run
    from bot.settings import load

    return run(load(), action, named, everybody=everybody)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────

app.add_typer(runs, name="runs")
RunNames = Annotated[list[str], typer.Argument(metavar="RUN", help="its id, or the first characters of it")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="its id, or the first characters of it")]


@runs.callback()
def runs_without_command(context: typer.Context) -> int | None:
    """List, without a command."""
    return list_runs() if context.invoked_subcommand is None else None


@command(runs, name="list")
def list_runs(
    crew: Annotated[str | None, typer.Option(help="only runs of this crew")] = None,
    status: Annotated[
        str | None, typer.Option(help="queued, running, input_required, completed, failed or cancelled")
    ] = None,
    *,
    active: Annotated[bool, typer.Option("--active", help="only runs that are not over")] = False,
    limit: Annotated[int, typer.Option(help="the maximum number of runs (50)", show_default=False)] = 50,
) -> int:
    """List runs, newest first."""
    return _runs("list", crew=crew, status=status, active=active, limit=limit)


@command(runs, name="show")
def show_run(named: RunName) -> int:
    """Show a run, its questions and what it waits for."""
    return _runs("show", named=(named,))


@command(runs, name="files")
def run_files(
    named: RunName,
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="write them into this folder", show_default=False)
    ] = None,
) -> int:
    """List or save the files of a run."""
    from bot.commands.run_files import run
    from bot.settings import load

    return run(load(), named, save)


@command(runs, name="retry")
def retry_run(named: RunName) -> int:
    """Retry a failed or cancelled run from where it ended."""
    return _runs("retry", named=(named,))


@command(runs, name="delete")
def delete_runs(
    named: RunNames,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="don't ask for confirmation")] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="also runs that are not over; they are cancelled first")
    ] = False,
) -> int:
    """Delete runs with all their data."""
    return _runs("delete", named=named, yes=yes, cancel=cancel)


def _runs(action: str, **options: object) -> int:
    from bot.commands.runs import RunsOptions, run
    from bot.settings import load

    return run(load(), RunsOptions.model_validate({**options, "action": action}))


# ── webhooks ────────────────────────────────────────────────────────────────────────────────────────────

app.add_typer(webhooks, name="webhooks")
EndpointName = Annotated[str, typer.Argument(help="the endpoint")]


@webhooks.callback()
def webhooks_without_command(context: typer.Context) -> int | None:
    """List, without a command."""
    return list_webhooks() if context.invoked_subcommand is None else None


@command(webhooks, name="list")
def list_webhooks() -> int:
    """List endpoints, failing deliveries and events that were given up."""
    return _webhooks("list")


@command(webhooks, name="redeliver")
def redeliver(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="WHAT", help="an event, or a run: all its events")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="all events that were given up")] = False,
    name: Annotated[
        str, typer.Option("--endpoint", metavar="NAME", help="only to this endpoint", show_default=False)
    ] = "",
) -> int:
    """Redeliver events, with their original ids."""
    return _webhooks("redeliver", what or (), failed=failed, name=name)


@command(webhooks, name="enable")
def enable_endpoint(name: EndpointName) -> int:
    """Enable an endpoint that was disabled because it answered 410."""
    return _webhooks("enable", name=name)


@command(webhooks, name="forget")
def forget_endpoint(name: EndpointName) -> int:
    """Remove an endpoint that the settings no longer name."""
    return _webhooks("forget", name=name)


@command(webhooks, name="secret")
def print_secret(
    name: Annotated[
        str, typer.Argument(help="the API key that starts the runs; omit it without keys", show_default=False)
    ] = "",
) -> int:
    """Print the secret that signs webhooks to addresses from the start of runs."""
    return _webhooks("secret", name=name)


def _webhooks(action: str, what: Sequence[str] = (), *, failed: bool = False, name: str = "") -> int:
    from bot.commands.webhooks import WebhooksOptions, run
    from bot.settings import load

    return run(load(), WebhooksOptions(action, what, failed=failed, name=name))

"""The groups of commands for operators, which work on the store: keys, sessions, runs and webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.registration import command, group

keys = group("Create, list and revoke API keys.", required=True)
sessions = group("List and end browser sessions of the console.")
runs = group("List, show, retry and delete runs, and save their files.")
webhooks = group("List failed deliveries, and redeliver events.")


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────


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

EndpointName = Annotated[str, typer.Argument(help="the endpoint")]


@webhooks.callback()
def webhooks_without_command(context: typer.Context) -> int | None:
    """List, without a command."""
    return list_webhooks() if context.invoked_subcommand is None else None


@command(webhooks, name="list")
def list_webhooks() -> int:
    """List endpoints and failed deliveries."""
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
    """Print the secret that signs webhooks to the addresses of runs."""
    return _webhooks("secret", name=name)


def _webhooks(action: str, what: Sequence[str] = (), *, failed: bool = False, name: str = "") -> int:
    from bot.commands.webhooks import WebhooksOptions, run
    from bot.settings import load

    return run(load(), WebhooksOptions(action, what, failed=failed, name=name))

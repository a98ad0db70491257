"""The commands, their arguments and help. Each imports its dependencies when it runs: `--help` stays fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, ParamSpec

import typer

from bot.commands.extras import require

P = ParamSpec("P")


def _group(words: str, *, required: bool = False) -> typer.Typer:
    """A group of commands. Without a command it lists, unless a command is `required`."""
    return typer.Typer(
        help=words, add_completion=False, rich_markup_mode=None, invoke_without_command=not required
    )


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
keys = _group("Create, list and revoke API keys.", required=True)
sessions = _group("List and end browser sessions of the console.")
runs = _group("List, show, retry and delete runs.")
webhooks = _group("List failed deliveries, and redeliver events.")


def _command(
    group: typer.Typer, name: str | None = None, *, extra: str = "server"
) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Register a command: its docstring is its help text, its result the exit status."""

    def add(function: Callable[P, int]) -> Callable[P, int]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> int:
            require(extra)
            return function(*args, **kwargs)

        return group.command(name)(run)

    return add


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


@_command(app)
def serve() -> int:
    """Run Crewdeck: its surfaces, and workers for the crews."""
    from bot.commands.serve import serve_until_stopped
    from bot.processes.worker_environment import hide_from_processes_of_this_user
    from bot.settings import load

    hide_from_processes_of_this_user()
    settings = load()
    if settings.workers:
        require("worker", ", or let it start none: CREWDECK_WORKERS=0")
    if settings.teams_on:
        require("teams")
    return serve_until_stopped(settings, _version())


@_command(app, extra="worker")
def worker() -> int:
    """Run one more worker for the same store, on this machine or another."""
    from bot.processes.worker_process import become
    from bot.settings import load

    return become(load())


@_command(app)
def doctor() -> int:
    """Check settings, Redis, Slack and every crew, and say what to do."""
    from bot.commands.doctor import examine

    return examine()


@_command(app, extra="worker")
def crews() -> int:
    """List the crews."""
    from bot.commands.catalogue import table
    from bot.commands.table import say
    from bot.settings import load

    say(table(load()))
    return 0


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────

app.add_typer(keys, name="keys")


@_command(keys, name="add")
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


@_command(keys, name="list")
def list_keys() -> int:
    """List the keys, without their secrets."""
    return _keys("list")


@_command(keys, name="revoke")
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


@_command(sessions, name="list")
def list_sessions() -> int:
    """List open sessions, newest first."""
    return _sessions("list")


@_command(sessions, name="end")
def end_sessions(
    named: Annotated[
        list[str] | None, typer.Argument(metavar="WHO", help="an id or a name of a person, or a session")
    ] = None,
    *,
    everybody: Annotated[bool, typer.Option("--all", help="everybody's")] = False,
) -> int:
    """End sessions, at once and everywhere."""
    return _sessions("end", named or (), everybody=everybody)


def _sessions(action: str, named: Sequence[str] = (), *, everybody: bool = False) -> int:
    from bot.commands.sessions import run
    from bot.settings import load

    return run(load(), action, named, everybody=everybody)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────

app.add_typer(runs, name="runs")
RunNames = Annotated[list[str], typer.Argument(metavar="RUN", help="its id, or how that starts")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="its id, or how that starts")]


@runs.callback()
def runs_without_command(context: typer.Context) -> int | None:
    """List, without a command."""
    return list_runs() if context.invoked_subcommand is None else None


@_command(runs, name="list")
def list_runs(
    crew: Annotated[str | None, typer.Option(help="of this crew only")] = None,
    status: Annotated[
        str | None, typer.Option(help="queued, running, input_required, completed, failed or cancelled")
    ] = None,
    *,
    active: Annotated[bool, typer.Option("--active", help="those that are not over")] = False,
    limit: Annotated[int, typer.Option(help="so many at most (50)", show_default=False)] = 50,
) -> int:
    """List runs, newest first."""
    return _runs("list", crew=crew, status=status, active=active, limit=limit)


@_command(runs, name="show")
def show_run(named: RunName) -> int:
    """Show a run, its questions and what it waits for."""
    return _runs("show", named=(named,))


@_command(runs, name="retry")
def retry_run(named: RunName) -> int:
    """Retry a failed or cancelled run from where it ended."""
    return _runs("retry", named=(named,))


@_command(runs, name="delete")
def delete_runs(
    named: RunNames,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="don't ask")] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="also runs that are not over: cancel them first")
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


@_command(webhooks, name="list")
def list_webhooks() -> int:
    """List endpoints, failing deliveries and events that were given up."""
    return _webhooks("list")


@_command(webhooks, name="redeliver")
def redeliver(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="WHAT", help="an event, or a run: all its events")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="all that was given up")] = False,
    name: Annotated[
        str, typer.Option("--endpoint", metavar="NAME", help="to this one only", show_default=False)
    ] = "",
) -> int:
    """Redeliver events, with their original ids."""
    return _webhooks("redeliver", what or (), failed=failed, name=name)


@_command(webhooks, name="enable")
def enable_endpoint(name: EndpointName) -> int:
    """Enable an endpoint that was disabled because it answered 410."""
    return _webhooks("enable", name=name)


@_command(webhooks, name="forget")
def forget_endpoint(name: EndpointName) -> int:
    """Remove an endpoint that the settings no longer name."""
    return _webhooks("forget", name=name)


@_command(webhooks, name="secret")
def print_secret(
    name: Annotated[
        str, typer.Argument(help="the API key that starts; without keys, nothing", show_default=False)
    ] = "",
) -> int:
    """Print the secret that signs webhooks to addresses from the start of runs."""
    return _webhooks("secret", name=name)


def _webhooks(action: str, what: Sequence[str] = (), *, failed: bool = False, name: str = "") -> int:
    from bot.commands.webhooks import WebhooksOptions, run
    from bot.settings import load

    return run(load(), WebhooksOptions(action, what, failed=failed, name=name))


# ── clients of a running server (docs/terminal.md) ──────────────────────────────────────────────────────

Answers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORDS", help="the answer to the next question: a label, an action or words; repeat it"
    ),
]
After = Annotated[
    str | None, typer.Option(metavar="EVENT", help="go on after this event: its id, or its cursor")
]


@_command(app)
def start(
    crew: Annotated[str, typer.Argument()],
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="name=value", help="inputs; free text: the main input"),
    ] = None,
    answer: Answers = None,
) -> int:
    """Start a run, follow it and answer its questions."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.start(load_remote(), crew, given or (), answer or ())


@_command(app)
def follow(
    run: Annotated[str, typer.Argument(help="its id")], answer: Answers = None, after: After = None
) -> int:
    """Follow a run and answer its questions."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.follow(load_remote(), run, answer or (), after)


@_command(app)
def inbox(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="into a pipe: don't stop after what is open now")
    ] = False,
    after: After = None,
) -> int:
    """List open questions, and answer them."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.inbox(load_remote(), live=live, after=after)


@_command(app)
def answer(
    question: Annotated[str, typer.Argument(help="its id")],
    words: Annotated[
        list[str] | None,
        typer.Argument(help="a label, an action (approve, reject, withdraw) or an answer in words"),
    ] = None,
    comment: Annotated[
        str, typer.Option(help="goes with a label or an action; to reject, the reason", show_default=False)
    ] = "",
    digest: Annotated[
        str,
        typer.Option(
            help="which call is approved: its digest as it was shown, or the start of it", show_default=False
        ),
    ] = "",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="name=value", help="approve with an edited argument; repeat it"),
    ] = None,
    *,
    override: Annotated[
        bool, typer.Option("--override", help="decide as an administrator, which is recorded")
    ] = False,
) -> int:
    """Answer a question, or take the answer back."""
    from bot.settings import load_remote
    from bot.terminal import commands
    from bot.terminal.answers import AnswerOptions

    options = AnswerOptions(comment, digest, changes or (), override)
    return commands.answer(load_remote(), question, words or (), options)


@_command(app)
def record(
    question: Annotated[str, typer.Argument(help="its id")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="as the API returns it")] = False,
) -> int:
    """Show the record of a decision: what was shown, to whom, who said what, and what ran."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.record(load_remote(), question, as_json=as_json)


@_command(app)
def link(
    code: Annotated[
        str, typer.Argument(help="the code that you got elsewhere; without it, get one here")
    ] = "",
) -> int:
    """Link your identities on several surfaces, which then count as one person."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.link(load_remote(), code)


@_command(app)
def identities(
    unlink: Annotated[
        str, typer.Option(metavar="IDENTITY", help="unlink this one first", show_default=False)
    ] = "",
) -> int:
    """List your identities, which count as one person."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.identities(load_remote(), unlink)

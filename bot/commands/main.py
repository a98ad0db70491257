"""The command line. Each command imports what it needs when it runs: `--help` answers at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

MISTAKE = 2
"""Exit status for what the operator can put right; argparse's own as well."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    chosen = _parser().parse_args(arguments)

    from bot.commands.extras import EXTRA_OF_COMMAND, require
    from bot.commands.table import tell
    from bot.core.errors import SettingsError, StoreUnavailable

    words = vars(chosen)
    command: Callable[..., int] = words.pop("command")
    try:
        require(EXTRA_OF_COMMAND.get(command.__name__, "server"))
        return command(**words)
    except (SettingsError, StoreUnavailable) as error:
        tell(f"crewdeck: {error}")
        return MISTAKE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crewdeck",
        description="Run CrewAI crews from Slack, and answer what they ask.",
        epilog="Settings come from the environment and from .env: see docs/settings.md.",
    )
    parser.add_argument("--version", action="version", version=f"crewdeck {_version()}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="<command>")
    for name, command, words in (
        ("serve", serve, "run Crewdeck: its surfaces, and workers for the crews"),
        ("worker", worker, "run one more worker for the same store, on this machine or another"),
        ("doctor", doctor, "check settings, Redis, Slack and every crew, and say what to do"),
        ("crews", crews, "list the crews"),
    ):
        commands.add_parser(name, help=words, description=words.capitalize() + ".").set_defaults(
            command=command
        )
    _add_keys(commands.add_parser("keys", help="make, list and revoke keys of the API"))
    _add_sessions(commands.add_parser("sessions", help="list who is signed in to the console, end sessions"))
    _add_runs(commands.add_parser("runs", help="list and show runs, try them again, delete them"))
    _add_webhooks(commands.add_parser("webhooks", help="list what endpoints did not get, and send it again"))
    _add_terminal(commands)
    return parser


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=keys)
    actions = parser.add_subparsers(title="commands", required=True, metavar="<command>", dest="action")
    add = actions.add_parser("add", help="make a key and print it, once")
    add.add_argument("name", help="letters, digits, - _ and .; a crew's approvers call it key:NAME")
    add.add_argument(
        "--scope", action="append", default=[], help="read, start, answer or admin; repeat it; without: all"
    )
    actions.add_parser("list", help="list the keys, without what is secret")
    actions.add_parser("revoke", help="end a key, at once and everywhere").add_argument("name")


def _add_sessions(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=sessions, action="list")
    actions = parser.add_subparsers(title="commands", metavar="<command>", dest="action")
    actions.add_parser("list", help="list the sessions that are open, newest first")
    end = actions.add_parser("end", help="end the sessions of people, at once and everywhere")
    end.add_argument("named", nargs="*", metavar="WHO", help="an id or a name of a person, or a session")
    end.add_argument("--all", action="store_true", dest="everybody", help="everybody's")


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=runs, action="list")
    actions = parser.add_subparsers(title="commands", metavar="<command>", dest="action")
    listing = actions.add_parser("list", help="list runs, newest first")
    listing.add_argument("--crew", help="of this crew only")
    listing.add_argument("--status", help="queued, running, input_required, completed, failed or cancelled")
    listing.add_argument("--active", action="store_true", help="those that are not over")
    listing.add_argument("--limit", type=int, default=50, help="so many at most (50)")
    show = actions.add_parser("show", help="what a run is, what it asked and what it waits for")
    retry = actions.add_parser("retry", help="try again what failed or was cancelled, from where it was")
    delete = actions.add_parser("delete", help="delete runs with everything that is stored of them")
    for each in (show, retry):
        each.add_argument("named", nargs=1, metavar="RUN", help="its id, or how that starts")
    delete.add_argument("named", nargs="+", metavar="RUN", help="its id, or how that starts")
    delete.add_argument("--yes", action="store_true", help="don't ask")
    delete.add_argument(
        "--cancel", action="store_true", help="also runs that are not over: cancel them first"
    )


def _add_webhooks(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=webhooks, action="list")
    actions = parser.add_subparsers(title="commands", metavar="<command>", dest="action")
    actions.add_parser("list", help="list the endpoints, what fails there, and what was given up")
    again = actions.add_parser("redeliver", help="send events again, under the ids that they had")
    again.add_argument("what", nargs="*", help="an event, or a run: all its events")
    again.add_argument("--failed", action="store_true", help="all that was given up")
    again.add_argument("--endpoint", dest="name", default="", help="to this one only")
    enable = actions.add_parser("enable", help="send again to an endpoint that wanted no more (410)")
    enable.add_argument("name", help="the endpoint")
    forget = actions.add_parser("forget", help="end an endpoint that no settings name any more")
    forget.add_argument("name", help="the endpoint")
    secret = actions.add_parser("secret", help="print what signs the webhooks that starts ask for")
    secret.add_argument("name", nargs="?", default="", help="the API key that starts; without keys, nothing")


def _add_terminal(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands that are clients of a running server (docs/terminal.md)."""
    starting = commands.add_parser("start", help="start a run, follow it and answer what it asks")
    starting.set_defaults(command=start)
    starting.add_argument("crew")
    starting.add_argument("given", nargs="*", metavar="name=value", help="inputs; free text: the main input")
    following = commands.add_parser("follow", help="follow a run and answer what it asks")
    following.set_defaults(command=follow)
    following.add_argument("run", help="its id")
    box = commands.add_parser("inbox", help="see what waits for an answer, and answer it")
    box.set_defaults(command=inbox)
    box.add_argument("--live", action="store_true", help="into a pipe: don't stop after what is open now")
    words = "the answer to the next question: a label, an action or words; repeat it"
    for parser in (starting, following):
        parser.add_argument("--answer", action="append", default=[], metavar="WORDS", help=words)
    for parser in (following, box):
        parser.add_argument("--after", metavar="EVENT", help="go on after this event: its id, or its cursor")
    answering = commands.add_parser("answer", help="answer a question")
    answering.set_defaults(command=answer)
    answering.add_argument("question", help="its id")
    answering.add_argument("words", nargs="*", help="a label, an action or an answer in words")
    answering.add_argument("--comment", default="", help="goes with a label or an action")


def _version() -> str:
    try:
        return version("crewdeck")
    except PackageNotFoundError:
        return "(not installed)"


def serve() -> int:
    """Run until a signal."""
    from bot.commands.extras import require
    from bot.commands.serve import serve_until_stopped
    from bot.processes.worker_environment import hide_from_processes_of_this_user
    from bot.settings import load

    hide_from_processes_of_this_user()
    settings = load()
    if settings.workers:
        require("worker", ", or let it start none: CREWDECK_WORKERS=0")
    return serve_until_stopped(settings, _version())


def worker() -> int:
    """Become a worker; this returns only if that fails."""
    from bot.processes.worker_process import become
    from bot.settings import load

    return become(load())


def doctor() -> int:
    """Say what is broken; 1 if anything is."""
    from bot.commands.doctor import examine

    return examine()


def crews() -> int:
    """List the catalogue."""
    from bot.commands.catalogue import table
    from bot.commands.table import say
    from bot.settings import load

    say(table(load()))
    return 0


def keys(action: str, name: str = "", scope: Sequence[str] = ()) -> int:
    """Make, list and revoke API keys."""
    from bot.commands.api_keys import run
    from bot.settings import load

    return run(load(), action, name, scope)


def sessions(action: str | None = None, named: Sequence[str] = (), *, everybody: bool = False) -> int:
    """List and end sessions of the console."""
    from bot.commands.sessions import run
    from bot.settings import load

    return run(load(), action or "list", named, everybody=everybody)


def runs(action: str | None = None, **options: object) -> int:
    """List, show, retry and delete runs."""
    from bot.commands.runs import RunsOptions, run
    from bot.settings import load

    return run(load(), RunsOptions.model_validate({**options, "action": action or "list"}))


def webhooks(
    action: str | None = None, what: Sequence[str] = (), *, failed: bool = False, name: str = ""
) -> int:
    """List what fails, and send it again."""
    from bot.commands.webhooks import WebhooksOptions, run
    from bot.settings import load

    return run(load(), WebhooksOptions(action or "list", what, failed=failed, name=name))


def start(crew: str, given: Sequence[str], answer: Sequence[str]) -> int:
    """Start a run on a running server, and follow it."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.start(load_remote(), crew, given, answer)


def follow(run: str, answer: Sequence[str], after: str | None) -> int:
    """Follow a run."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.follow(load_remote(), run, answer, after)


def inbox(*, live: bool, after: str | None) -> int:
    """Show what waits for an answer."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.inbox(load_remote(), live=live, after=after)


def answer(question: str, words: Sequence[str], comment: str) -> int:
    """Answer a question."""
    from bot.settings import load_remote
    from bot.terminal import commands

    return commands.answer(load_remote(), question, words, comment)

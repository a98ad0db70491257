"""The commands that are clients of a running server (docs/terminal.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.commands.registration import command

clients = typer.Typer()
"""They stand beside the other commands, without a group's name."""

Answers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORDS", help="the answer to the next question: a label, an action or words; repeat it"
    ),
]
After = Annotated[
    str | None, typer.Option(metavar="EVENT", help="go on after this event: its id, or its cursor")
]


@command(clients)
def start(
    crew: Annotated[str, typer.Argument()],
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="name=value", help="inputs; free text: the main input"),
    ] = None,
    answer: Answers = None,
) -> int:
    """Start a run, follow it and answer its questions."""
    from bot.settings import load_client_settings
    from bot.terminal import commands

    return commands.start(load_client_settings(), crew, given or (), answer or ())


@command(clients)
def follow(
    run: Annotated[str, typer.Argument(help="its id")], answer: Answers = None, after: After = None
) -> int:
    """Follow a run and answer its questions."""
    from bot.settings import load_client_settings
    from bot.terminal import commands

    return commands.follow(load_client_settings(), run, answer or (), after)


@command(clients)
def inbox(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="into a pipe: don't stop after what is open now")
    ] = False,
    after: After = None,
) -> int:
    """List open questions, and answer them."""
    from bot.settings import load_client_settings
    from bot.terminal import commands

    return commands.inbox(load_client_settings(), live=live, after=after)


@command(clients)
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
    from bot.settings import load_client_settings
    from bot.terminal import commands
    from bot.terminal.answers import AnswerOptions

    options = AnswerOptions(comment, digest, changes or (), override)
    return commands.answer(load_client_settings(), question, words or (), options)


@command(clients)
def record(
    question: Annotated[str, typer.Argument(help="its id")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="as the API returns it")] = False,
) -> int:
    """Show the record of a decision. It has what was shown, who answered what, and what ran."""
    from bot.settings import load_client_settings
    from bot.terminal import commands

    return commands.record(load_client_settings(), question, as_json=as_json)


@command(clients)
def link(
    code: Annotated[
        str, typer.Argument(help="the code that you got elsewhere; without it, get one here")
    ] = "",
) -> int:
    """Link your identities, which then count as one person."""
    from bot.settings import load_client_settings
    from bot.terminal import commands

    return commands.link(load_client_settings(), code)


@command(clients)
def identities(
    unlink: Annotated[
        str, typer.Option(metavar="IDENTITY", help="unlink this one first", show_default=False)
    ] = "",
) -> int:
    """List your identities, which count as one person."""
    from bot.settings import load_client_settings
    from bot.terminal import commands

    return commands.identities(load_client_settings(), unlink)

"""The commands. Each returns its exit status, and reports correctable errors in one line.

Modules that draw on a terminal are imported only when there is one, so that pipes start fast.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import JsonValue

from bot import local_token
from bot.core.addresses import is_loopback
from bot.core.errors import InvalidInputs, NoWorker
from bot.core.runs.crew import problem_of
from bot.core.text import terminal_safe
from bot.settings import ClientSettings
from bot.terminal import inputs, lines, pipe
from bot.terminal import record as record_lines
from bot.terminal.answers import AnswerOptions, action_of
from bot.terminal.exits import COMPLETED, FAILED, INTERRUPTED, MISTAKE, Interrupted
from crewdeck.client import (
    Answer,
    ApiError,
    Client,
    Crew,
    HumanInputCompleted,
    HumanInputRecorded,
    Identity,
    InputField,
    Question,
    Unreachable,
)

if TYPE_CHECKING:
    from bot.terminal.asking import Asking
    from bot.terminal.screen import Screen

Work = Callable[[Client, "Screen | None"], Awaitable[int]]
"""The body of a command. Without a screen, output goes into a pipe."""

RUN_STATE_CODES = frozenset({"settled", "not_allowed", "run_over"})
"""Codes that report a state of the run rather than a mistake in the arguments."""

UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

HINTS = {
    "unauthenticated": " CREWDECK_API_KEY holds the key; `crewdeck keys add NAME` makes one.",
}
"""What to do about an error, by its code, where the server can't say it."""
NO_ID = (
    "This is no id of a run or a question. An id has 36 characters: `crewdeck inbox` and `crewdeck runs` "
    "show them."
)
"""Of an address that the server doesn't have: what differs in it is the id that was typed."""
ADDRESS = "Is it another server, or a proxy? CREWDECK_URL says where."
NO_API = (
    "What answers there has no such part of the API: CREWDECK_URL is the address of the server alone, as in "
    "https://crews.example."
)
"""Of an address that the server doesn't have, where no id was typed."""


def start(settings: ClientSettings, crew: str, given: Sequence[str], answers: Sequence[str]) -> int:
    """Start a run and follow it."""

    async def work(client: Client, screen: Screen | None) -> int:
        chosen = await _crew(client, crew)
        values = inputs.given(chosen, given)
        if screen is not None and screen.asks:
            await _ask_missing(screen, chosen, values)
        started = await client.start(chosen.name, await inputs.with_uploads(client, chosen, values))
        return await _follow(client, screen, started.run_id, answers)

    return _run(settings, work)


def follow(settings: ClientSettings, run_id: str, answers: Sequence[str], after: str | None) -> int:
    """Follow a run, from its start or after an event."""
    return _run(settings, lambda client, screen: _follow(client, screen, run_id, answers, after), run_id)


def inbox(settings: ClientSettings, *, live: bool, after: str | None) -> int:
    """List the open questions, and answer them."""

    async def work(client: Client, screen: Screen | None) -> int:
        if screen is None or not screen.asks:
            return await pipe.inbox(client, live=live, after=after)
        from bot.terminal.inbox import Inbox

        return await Inbox(client, screen).run(after)

    status = _run(settings, work)
    return COMPLETED if status == INTERRUPTED else status


def answer(settings: ClientSettings, question_id: str, said: Sequence[str], options: AnswerOptions) -> int:
    """Answer a question: with these words, or interactively."""

    async def work(client: Client, screen: Screen | None) -> int:
        question = await client.question(question_id)
        if said:
            return await _send(client, screen, question, " ".join(said), options)
        if screen is None or not screen.asks:
            raise InvalidInputs({"answer": "say it after the question's id"})
        return await _ask(client, screen, question)

    return _run(settings, work, question_id)


def record(settings: ClientSettings, question_id: str, *, as_json: bool) -> int:
    """Print the record of a decision."""

    async def work(client: Client, _: Screen | None) -> int:
        found = await client.record(question_id)
        pipe.write(found.model_dump_json() if as_json else record_lines.text(found))
        return COMPLETED

    return _run(settings, work, question_id)


def link(settings: ClientSettings, code: str) -> int:
    """Link this identity with the one that got `code` elsewhere; without a code, print one."""

    async def work(client: Client, screen: Screen | None) -> int:
        if code:
            return await _link(client, screen, code)
        made = await client.link_code()
        minutes = made.expires_in // 60
        pipe.write(
            f"{terminal_safe(made.code)}\nEnter it once, within {minutes} minutes, where you are signed in "
            "as the other: /crew link CODE in Slack or Teams, the console's page of your identities, or "
            "crewdeck link CODE. Give it to nobody."
        )
        return COMPLETED

    return _run(settings, work)


async def _link(client: Client, screen: Screen | None, code: str) -> int:
    """Say whose code it is first: whoever gives somebody a code may want to pass for them."""
    bearer = await client.code_bearer(code)
    who = terminal_safe(f"{bearer.name} ({bearer.id})", one_line=True)
    if screen is not None and screen.asks:
        yes = f"Yes, {who} is me: link us"
        if await screen.choose((yes, "No"), f"This code is of {who}. Is that you?") != 0:
            return FAILED
    return _say_identities(await client.link(code))


def identities(settings: ClientSettings, unlink: str) -> int:
    """List the identities that count as one person; with `unlink`, remove one first."""

    async def work(client: Client, _: Screen | None) -> int:
        return _say_identities(await (client.unlink(unlink) if unlink else client.identities()))

    return _run(settings, work)


def _say_identities(found: Sequence[Identity]) -> int:
    for each in found:
        here = " (this one)" if each.current else ""
        pipe.write(terminal_safe(f"{each.id}  {each.name}{here}", one_line=True))
    return COMPLETED


def _run(settings: ClientSettings, work: Work, given_id: str = "") -> int:
    """Do the work of a command, about the run or question `given_id`, if any; returns the exit status."""
    try:
        return asyncio.run(_connected(settings, work))
    except (Unreachable, InvalidInputs) as error:
        hint = (
            " Is it running (crewdeck serve)? CREWDECK_URL says where."
            if isinstance(error, Unreachable)
            else ""
        )
        return _mistake(f"{error}{hint}")
    except NoWorker as error:
        return _mistake(str(error), FAILED)
    except ApiError as error:
        return _refused(error, given_id)
    except (KeyboardInterrupt, Interrupted):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Without this, Python would report an error when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


async def _connected(settings: ClientSettings, work: Work) -> int:
    key = settings.api_key.get_secret_value() if settings.api_key else _local_token(settings)
    screen = _screen() if sys.stdout.isatty() else None
    async with Client(settings.url, key) as client:
        return await work(client, screen)


def _local_token(settings: ClientSettings) -> str | None:
    """The local user's token, only for a server on this machine. Raises SettingsError."""
    if not is_loopback(urlsplit(settings.url).hostname or ""):
        return None
    return local_token.read(settings.data_dir) or None


def _screen() -> Screen:
    from bot.terminal.screen import Screen

    return Screen(asks=sys.stdin.isatty())


def _refused(error: ApiError, given_id: str) -> int:
    if error.outcome is not None:
        return _mistake("".join(text for _, text in lines.decided(error.outcome)[1:]), FAILED)
    detail = error.detail
    if error.code == "not_found":
        detail = NO_ID if given_id and not UUID.fullmatch(given_id) else NO_API
    elif error.code == f"http_{error.status}":  # not in Crewdeck's words
        detail = f"What answers there is no Crewdeck, but answered with status {error.status}. {ADDRESS}"
    return _mistake(
        f"{detail}{HINTS.get(error.code, '')}", FAILED if error.code in RUN_STATE_CODES else MISTAKE
    )


def _mistake(what: str, status: int = MISTAKE) -> int:
    sys.stderr.write(f"crewdeck: {lines.one_line(what, 500)}\n")
    return status


async def _crew(client: Client, name: str) -> Crew:
    crews = {crew.name: crew for crew in await client.crews()}
    if name not in crews and (problem := problem_of(name, await client.crew_problems())) is not None:
        told = f"{problem.name}: {problem.problem}. {problem.remedy}".strip()
        raise NoWorker(told) if problem.starting else InvalidInputs({"crew": told})
    if not crews:
        raise NoWorker
    if name not in crews:
        known = ", ".join(sorted(crews))
        raise InvalidInputs({"crew": f"there is no crew {name!r} (there are: {known})"})
    return crews[name]


async def _ask_missing(screen: Screen, crew: Crew, values: dict[str, JsonValue]) -> None:
    for field in inputs.missing(crew, values):
        about = f"  {field.description}" if field.description else ""
        screen.say([("bold", field.name), ("ansibrightblack", about)])
        values[field.name] = await _ask_for(screen, field)


async def _ask_for(screen: Screen, field: InputField) -> str:
    choices = ("yes", "no") if field.type == "boolean" else field.choices
    if choices:
        value = choices[await screen.choose(choices)]
    elif field.type == "file":
        path = await screen.words(f"{field.name}: path of a file", check=inputs.problem_of)
        value = f"{inputs.FILE_PREFIX}{path.removeprefix(inputs.FILE_PREFIX)}"
    else:
        value = await screen.words(field.name, several_lines=field.type == "text", check=inputs.check(field))
    screen.say([("ansigreen", "  ✓ "), ("", lines.one_line(value))])
    return value


async def _follow(
    client: Client, screen: Screen | None, run_id: str, answers: Sequence[str], after: str | None = None
) -> int:
    if screen is None:
        return await pipe.follow(client, run_id, answers, after)
    from bot.terminal.watch import Watch

    return await Watch(client, screen, run_id, answers).run(after)


async def _send(
    client: Client, screen: Screen | None, question: Question, said: str, options: AnswerOptions
) -> int:
    given = await _given(client, question, said, options)
    if screen is None:
        pipe.write(given.model_dump_json())
    else:
        screen.say(*lines.own_answer(given))
    return COMPLETED


async def _given(client: Client, question: Question, said: str, options: AnswerOptions) -> Answer:
    action = action_of(question, said, options)
    if action is None:
        return await client.respond(question.run_id, said, question_id=question.question_id)
    return await client.answer(
        question.question_id,
        action.action,
        action.value,
        options.comment,
        arguments=action.arguments,
        override=options.override,
        digest=question.digest or None,
    )


async def _ask(client: Client, screen: Screen, question: Question) -> int:
    """Ask the person, until the question is settled here or elsewhere."""
    from bot.terminal.asking import Asking

    screen.say(*lines.asked(question))
    if question.outcome is not None:
        screen.say(lines.decided(question.outcome))
        return FAILED
    asking = Asking(client, screen)
    watching = asyncio.create_task(_watch(client, screen, question, asking))
    try:
        return FAILED if await asking.ask(question) is None else COMPLETED
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(client: Client, screen: Screen, question: Question, asking: Asking) -> None:
    """Tell the dialog what others answer, until the question is settled."""
    async with aclosing(client.follow(question.run_id)) as events:
        async for event in events:
            if isinstance(event, HumanInputRecorded):
                asking.recorded(event)
            elif isinstance(event, HumanInputCompleted) and event.question_id == question.question_id:
                if not asking.is_mine(event.question_id):
                    screen.say(*lines.of(event))
                asking.settled(event)
                return

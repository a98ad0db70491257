"""`crewdeck runs`: list, show, retry and delete runs directly in the store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from pydantic import JsonValue, field_validator

from bot.commands.output import (
    format_count,
    format_time,
    print_field,
    print_rows,
    print_text,
    print_to_stderr,
)
from bot.core import ids
from bot.core.errors import JournalUndecryptable, NotFound, Refused, SettingsError, UnreadableRecord
from bot.core.files import file_of_input
from bot.core.people.actor import Actor
from bot.core.ports.journal import JournalExtent
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import Question
from bot.core.retry import retry
from bot.core.runs.run import Run, RunStatus
from bot.core.value import Value
from bot.settings import Settings
from bot.store.open import open_configured
from bot.store.redis import RedisStore

MAX_LIMIT = 1000
MIN_PREFIX_LENGTH = 4
"""The minimum length of an id prefix."""
OPERATOR = Actor(surface="terminal", user_id="operator", name="an operator", admin=True)


class RunsOptions(Value):
    """The arguments of the command."""

    action: str
    #: Ids of runs, or prefixes of them.
    named: tuple[str, ...] = ()
    crew: str | None = None
    status: str | None = None
    active: bool = False
    limit: int = 50
    #: Don't ask for confirmation.
    yes: bool = False
    #: Also runs that are not over.
    cancel: bool = False

    @field_validator("status")
    @classmethod
    def _check_status(cls, status: str | None) -> str | None:
        if status is not None and status not in set(RunStatus):
            raise SettingsError(f"--status: {status!r} is none; there are {', '.join(RunStatus)}.")
        return status

    @field_validator("limit")
    @classmethod
    def _check_limit(cls, limit: int) -> int:
        if not 1 <= limit <= MAX_LIMIT:
            raise SettingsError(f"--limit: it is 1 to {MAX_LIMIT}.")
        return limit


def run(settings: Settings, options: RunsOptions) -> int:
    """Execute `list`, `show`, `retry` or `delete`; returns the exit status.

    Raises SettingsError and StoreUnavailable.
    """
    return asyncio.run(_with_store(settings, options))


async def _with_store(settings: Settings, options: RunsOptions) -> int:
    command: Callable[[RedisStore, RunsOptions], Awaitable[None]] = {
        "list": _list,
        "show": _show,
        "retry": _retry,
        "delete": _delete,
    }[options.action]
    async with open_configured(settings) as store:
        try:
            await command(store, options)
        except (NotFound, Refused, JournalUndecryptable, UnreadableRecord) as error:
            raise SettingsError(str(error)) from error
    return 0


async def found(store: RedisStore, words: Sequence[str]) -> list[Run]:
    """Find runs by id or prefix, without duplicates. Raises NotFound and SettingsError."""
    runs: dict[str, Run] = {}
    for word in words:
        matching = await store.runs.find(word)
        if not matching:
            short = (
                f" Write at least {MIN_PREFIX_LENGTH} characters of its id."
                if len(word) < MIN_PREFIX_LENGTH
                else ""
            )
            raise SettingsError(f"There is no run {word}.{short}")
        if len(matching) > 1:
            raise SettingsError(f"Several runs start with {word}: write more of the id.")
        runs[matching[0].id] = matching[0]
    return list(runs.values())


async def _list(store: RedisStore, options: RunsOptions) -> None:
    status = RunStatus(options.status) if options.status else None
    active = True if options.active else None
    rows: list[tuple[str, ...]] = []
    before: str | None = None
    more = True
    while more and len(rows) < options.limit:
        which = RunFilter(
            crew=options.crew, status=status, active=active, limit=options.limit - len(rows), before=before
        )
        page = await store.runs.page(which)
        rows += [_row(run) for run in page.runs]
        before, more = page.next, page.next is not None
    if not rows:
        print_to_stderr("There are no such runs.")
        return
    print_rows([("RUN", "STATUS", "CREW", "REQUESTER", "STARTED"), *rows])
    if more:
        print_to_stderr(f"There are more: these are the newest {len(rows)}.")


def _row(run: Run) -> tuple[str, ...]:
    return run.id, _status(run), run.crew.name, run.requester.label, format_time(run.created_at)


def _status(run: Run) -> str:
    return f"{run.status} ({run.error.code})" if run.error else str(run.status)


# ── one run ─────────────────────────────────────────────────────────────────────────────────────────────


async def _show(store: RedisStore, options: RunsOptions) -> None:
    [run] = await found(store, options.named)
    questions = await store.questions.list(run.id)
    extent = await store.journal.extent(run.id)
    paused = await store.runs.pause_reason(run.place.tenant) if run.place else None
    lines = [
        ("Run", run.id),
        ("Crew", f"{run.crew.name} ({run.crew.title})"),
        ("Status", _status(run)),
        ("Why", run.error.message if run.error else ""),
        ("Waits for", _waits_for(run, questions, paused)),
        ("Requester", f"{run.requester.label} ({run.requester.principal})"),
        ("Place", run.place.key if run.place else ""),
        ("Retry of", run.retry_of or ""),
        ("Created", format_time(run.created_at)),
        ("Began", format_time(run.started_at) if run.started_at else ""),
        ("Ended", format_time(run.finished_at) if run.finished_at else ""),
        ("Inputs", "; ".join(f"{name}={_given(value)}" for name, value in run.inputs.items())),
        ("Events", str(run.seq)),
        ("Journal", _journal(extent)),
    ]
    for name, value in lines:
        if value:
            print_field(name, value)
    for question in questions:
        print_text("")
        for name, value in _asked(question):
            print_field(name, value)


def _given(value: JsonValue) -> object:
    """The value of an input as it is shown: of a file, its name."""
    file = file_of_input(value)
    return value if file is None else file.name


def _waits_for(run: Run, questions: Sequence[Question], paused: str | None) -> str:
    if run.status.over:
        return ""
    if paused is not None:
        return f"its workspace, which is paused: {paused}"
    waiting = sum(question.open for question in questions)
    if waiting:
        return format_count(waiting, "answer")
    if run.awaiting_thread:
        return "its thread to be opened"
    return "a worker that runs its crew" if run.status is RunStatus.QUEUED else ""


def _journal(extent: JournalExtent) -> str:
    if extent.expired:
        return "no longer kept"
    return f"{format_count(extent.entries, 'step')}, {format_count(extent.bytes, 'byte')}"


def _asked(question: Question) -> Sequence[tuple[str, str]]:
    """The lines that show a question and its outcome."""
    what = (question.call.summary or question.prompt) if question.call else question.prompt
    asked = ("Asked", f"{what} ({question.kind}, {format_time(question.created_at)})")
    name = ("Question", question.id)
    outcome = question.outcome
    if outcome is None:
        until = f" Until {format_time(question.deadline_at)}." if question.deadline_at else ""
        return asked, name, ("Answer", f"open.{until} Deciders: {', '.join(question.policy.deciders)}")
    by = f" ({outcome.by.label})" if outcome.by else ""
    return asked, name, ("Answer", f"{outcome.text(question.options)}{by}")


# ── retry and delete ─────────────────────────────────────────────────────────────────────────────────────


async def _retry(store: RedisStore, options: RunsOptions) -> None:
    [run] = await found(store, options.named)
    again = await retry(store, run, key=uuid4().hex)
    print_to_stderr(f"Run {ids.short(run.id)} is tried again, from where it was, as:")
    print_text(again.id)


async def _delete(store: RedisStore, options: RunsOptions) -> None:
    chosen = await found(store, options.named)
    live = [run for run in chosen if not run.status.over]
    if live and not options.cancel:
        raise SettingsError(f"Run {live[0].id} is not over: add --cancel to cancel it first.")
    if not options.yes and not _is_confirmed(chosen):
        print_to_stderr("Nothing was deleted.")
        return
    for run in chosen:
        if not run.status.over:
            await _cancel(store, run)
        await store.runs.delete(run.id)
        print_text(f"{run.id} is deleted.")


async def _cancel(store: RedisStore, run: Run) -> None:
    try:
        await store.runs.cancel(run.id, OPERATOR)
    except Refused as refused:
        if refused.code != "run_over":  # it ended in the meantime
            raise


def _is_confirmed(chosen: Sequence[Run]) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("delete: add --yes, for nobody can be asked here.")
    print_rows([("RUN", "STATUS", "CREW", "REQUESTER", "STARTED"), *map(_row, chosen)])
    sys.stderr.write("They are deleted with everything that is stored of them. Sure? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}

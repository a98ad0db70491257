"""`crewdeck sessions`: list and end browser sessions. Running servers apply changes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.commands.output import format_count, format_time, print_rows, print_to_stderr
from bot.core import sessions
from bot.core.errors import SettingsError
from bot.core.sessions import Session
from bot.settings import Settings
from bot.store.open import open_configured
from bot.store.redis import RedisStore

ID_LENGTH = 12
"""Characters of a session's id that lists show."""
MIN_ID_LENGTH = 4


def run(settings: Settings, action: str, named: Sequence[str], *, everybody: bool) -> int:
    """Execute `list` or `end`; returns the exit status. Raises SettingsError and StoreUnavailable."""
    return asyncio.run(_with_store(settings, action, named, everybody=everybody))


async def _with_store(settings: Settings, action: str, named: Sequence[str], *, everybody: bool) -> int:
    if action == "end" and bool(named) == everybody:
        raise SettingsError("sessions end: name people or sessions, or give --all.")
    async with open_configured(settings) as store:
        found = await sessions.open_sessions(store.key_values)
        if action == "list":
            _list(found)
            return 0
        return await _end(store, found, named, everybody=everybody)


def _list(found: Sequence[Session]) -> None:
    if not found:
        print_to_stderr("Nobody is signed in to the console.")
        return
    rows = [("SESSION", "WHO", "NAME", "BY", "OPENED", "ENDS")]
    print_rows([*rows, *(_row(each) for each in found)])


def _row(session: Session) -> tuple[str, ...]:
    by = "key" if session.key else "serve" if session.local else "link"
    opened, ends = format_time(round(session.opened_at * 1000)), format_time(round(session.ends_at * 1000))
    return session.id[:ID_LENGTH], session.actor.user_id, session.actor.name, by, opened, ends


async def _end(store: RedisStore, found: Sequence[Session], named: Sequence[str], *, everybody: bool) -> int:
    chosen = list(found) if everybody else []
    for word in named:
        matching = [each for each in found if _is_named(each, word)]
        whose = {each.actor.principals[-1] for each in matching}
        if len(whose) != 1:
            why = "several people are called so: name a session" if whose else "nobody is signed in so"
            print_to_stderr(f"crewdeck: {word}: {why}. Nothing was ended.")
            return 1
        chosen += matching
    ending = {each.id for each in chosen}
    for session_id in ending:
        await sessions.end_session(store.key_values, session_id)
    print_to_stderr(f"{format_count(len(ending), 'session')} ended.")
    return 0


def _is_named(session: Session, word: str) -> bool:
    """Whether `word` is the person's id or name, or a prefix of the session's id."""
    actor = session.actor
    names = {actor.user_id, *actor.principals, actor.name.casefold()}
    by_id = len(word) >= MIN_ID_LENGTH and session.id.startswith(word.lower())
    return by_id or word in names or word.casefold() in names

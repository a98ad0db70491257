"""`crewdeck keys`: create, list and revoke API keys. Running servers apply changes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from bot.commands.output import print_text, print_to_stderr
from bot.core.errors import SettingsError
from bot.core.people.api_keys import ApiKey, digest, new_secret, parse_scopes, valid_name
from bot.settings import Settings
from bot.store.open import open_configured
from bot.store.redis import RedisStore

Command = Callable[[RedisStore, Settings, str, Sequence[str]], Awaitable[int]]


def run(settings: Settings, action: str, name: str, scopes: Sequence[str]) -> int:
    """Execute `add`, `list` or `revoke`; returns the exit status.

    Raises SettingsError and StoreUnavailable.
    """
    command: Command = {"add": _add, "list": _list, "revoke": _revoke}[action]
    return asyncio.run(_with_store(command, settings, name, scopes))


async def _with_store(command: Command, settings: Settings, name: str, scopes: Sequence[str]) -> int:
    async with open_configured(settings) as store:
        return await command(store, settings, name, scopes)


async def _add(store: RedisStore, _: Settings, name: str, words: Sequence[str]) -> int:
    if not valid_name(name):
        raise SettingsError(f"{name!r} is no name for a key: use letters, digits, - _ and .")
    try:
        scopes = parse_scopes(words)
    except ValueError as error:
        raise SettingsError(f"--scope: {error}.") from error
    secret = new_secret()
    if not await store.api_keys.add(ApiKey(name=name, scopes=scopes, digest=digest(secret))):
        print_to_stderr(f"crewdeck: there is a key {name} already. Revoke it first, or choose another name.")
        return 1
    print_to_stderr(f"Key {name} ({'+'.join(scopes)}). It is shown this once; only its hash is kept:")
    print_text(secret)
    return 0


async def _list(store: RedisStore, settings: Settings, _: str, __: Sequence[str]) -> int:
    rows = [(key, "CREWDECK_API_KEYS") for key in settings.api_keys]
    rows += [(key, _state(key)) for key in await store.api_keys.list()]
    for key, state in rows:
        print_text(f"{key.name}\t{'+'.join(key.scopes)}\t{state}")
    if not rows:
        locked = await store.api_keys.locked()
        words = (
            "the API is locked until there is one, for there were some"
            if locked
            else "only this machine may call"
        )
        print_to_stderr(f"There are no keys: {words}.")
    return 0


async def _revoke(store: RedisStore, settings: Settings, name: str, _: Sequence[str]) -> int:
    if any(key.name == name for key in settings.api_keys):
        print_to_stderr(f"crewdeck: {name} is fixed by CREWDECK_API_KEYS: take it out there, and restart.")
        return 1
    if not await store.api_keys.revoke(name):
        print_to_stderr(f"crewdeck: there is no key {name}.")
        return 1
    print_to_stderr(f"Key {name} is revoked.")
    return 0


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    return f"made {_day(key.created_at)}"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()

"""Is this Redis one that answers can be trusted to? Its version, and whether it forgets."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.errors import StoreUnavailable
from bot.core.finding import Finding
from bot.store.connection import Connection, connect

OLDEST = (6, 2)
WANTED = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
SUBJECT = "Redis"


async def inspect(url: str) -> list[Finding]:
    """What there is to say about the server at `url`; raises SettingsError if the URL is none."""
    try:
        connection = await connect(url)
    except StoreUnavailable as error:
        return [
            Finding(
                subject=SUBJECT,
                state="broken",
                words=str(error),
                remedy="Start the server, or correct CREWDECK_REDIS_URL (or REDIS_URL).",
            )
        ]
    try:
        return await examine(connection)
    finally:
        await connection.close()


async def examine(connection: Connection) -> list[Finding]:
    """What there is to say about a server that answers: first what it is, then what is wrong with it."""
    server = await connection.do(connection.redis.info("server"))
    return [_version(server), *_forgets(await _settings(connection))]


async def _settings(connection: Connection) -> Mapping[str, str]:
    try:
        found: dict[str, str] = await connection.do(connection.redis.config_get(*WANTED))
    except StoreUnavailable:
        return {}  # Hosted servers often forbid CONFIG.
    return found


def _version(server: Mapping[str, object]) -> Finding:
    valkey = server.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"Redis {server['redis_version']}"
    parts = tuple(int(part) for part in str(server["redis_version"]).split(".")[:2])
    if parts < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Finding(
            subject=SUBJECT, state="broken", words=f"{name} is too old", remedy=f"Use {oldest} or newer."
        )
    return Finding(subject=SUBJECT, state="ok", words=f"{name} answers")


def _forgets(settings: Mapping[str, str]) -> list[Finding]:
    if not settings:
        return [
            Finding(
                subject=SUBJECT,
                state="warning",
                words="won't say how it keeps data (CONFIG is forbidden)",
                remedy="Make sure of appendonly yes, appendfsync always and maxmemory-policy noeviction.",
            )
        ]
    found = []
    if settings.get("appendonly") != "yes":
        found.append(_broken("appendonly", settings, "a restart of Redis loses runs and answers", "yes"))
    elif settings.get("appendfsync") != "always":
        words = (
            f"appendfsync is {settings.get('appendfsync')}: a power failure loses about a second of answers"
        )
        remedy = "Set appendfsync always, or accept that."
        found.append(Finding(subject=SUBJECT, state="warning", words=words, remedy=remedy))
    if settings.get("maxmemory", "0") != "0" and settings.get("maxmemory-policy") != "noeviction":
        found.append(
            _broken("maxmemory-policy", settings, "a full Redis throws waiting runs away", "noeviction")
        )
    if not found:
        found.append(
            Finding(
                subject=SUBJECT, state="ok", words="keeps what it acknowledged (append-only, fsync always)"
            )
        )
    return found


def _broken(name: str, settings: Mapping[str, str], words: str, wanted: str) -> Finding:
    return Finding(
        subject=SUBJECT,
        state="broken",
        words=f"{name} is {settings.get(name)}: {words}",
        remedy=f"Set {name} {wanted} in the server's configuration.",
    )

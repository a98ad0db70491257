"""Checks whether this Redis can be trusted with decisions: version, persistence, replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from redis.asyncio import Redis

from bot.core.errors import StoreRefused, StoreUnavailable
from bot.core.finding import Finding
from bot.store.connection import Connection, connect
from bot.store.redis_client.addresses import Kind, read_address
from bot.store.redis_client.refusals import refusal_of
from bot.store.redis_client.servers import execute
from bot.store.write_concern import DEFAULT_WRITE_CONCERN, REPLICATION, WriteConcern, online_replicas

OLDEST = (6, 2)
OLDEST_FSYNC = (7, 2)
"""The first version with WAITAOF."""
WANTED = ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
SUBJECT = "Redis"
State = Literal["ok", "warning", "broken"]


async def inspect(
    url: str,
    write_concern: WriteConcern = DEFAULT_WRITE_CONCERN,
    setting: str = "CREWDECK_REDIS_URL (or REDIS_URL)",
) -> list[Finding]:
    """Findings on the servers at `url`, which is from this setting. Raises SettingsError if it is invalid."""
    try:
        connection = await connect(url)
    except StoreUnavailable as error:
        remedy = f"Start the server, or correct {setting}."
        refusal = None if isinstance(error, StoreRefused) else await refusal_of(read_address(url))
        return [_finding("broken", f"{refusal}." if refusal else str(error), remedy)]
    try:
        await connection.check_permissions()
        return await examine(connection, write_concern)
    except StoreUnavailable as error:
        return [_finding("broken", str(error), "See docs/operations.md.")]
    finally:
        await connection.close()


async def examine(
    connection: Connection, write_concern: WriteConcern = DEFAULT_WRITE_CONCERN
) -> list[Finding]:
    """Findings on servers that answer: what they are, then what is wrong."""
    primaries = await connection.primaries()
    found = [_arranged(connection, len(primaries))] if connection.address.kind is not Kind.SERVER else []
    for redis in primaries:
        found += await _examine(connection, redis, write_concern)
    # The nodes of a cluster are mostly alike: what holds for all of them is said once.
    return list(dict.fromkeys(found))


async def _examine(connection: Connection, redis: Redis, write_concern: WriteConcern) -> list[Finding]:
    server = await connection.do(redis.info("server"))
    state = await connection.do(execute(redis, REPLICATION))
    version = tuple(int(part) for part in str(server["redis_version"]).split(".")[:2])
    settings = await _settings(connection, redis)
    return [
        _version(server, version),
        *_forgets(settings),
        *_copies(connection.address.kind, online_replicas(state), write_concern),
        *_fsync_findings(settings, version, write_concern),
    ]


def _arranged(connection: Connection, primaries: int) -> Finding:
    address = connection.address
    if address.kind is Kind.SENTINEL:
        sentinels = f"{len(address.nodes)} sentinel{'s' if len(address.nodes) > 1 else ''}"
        return _finding("ok", f"the primary of {address.service}, by {sentinels}")
    return _finding("ok", f"a cluster of {primaries} primaries")


async def _settings(connection: Connection, redis: Redis) -> Mapping[str, str]:
    try:
        found: dict[str, str] = await connection.do(redis.config_get(*WANTED))
    except StoreUnavailable:
        return {}  # Hosted servers often forbid CONFIG.
    return found


def _version(server: Mapping[str, object], version: tuple[int, ...]) -> Finding:
    valkey = server.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"Redis {server['redis_version']}"
    if version < OLDEST:
        return _finding("broken", f"{name} is too old", f"Use {'.'.join(map(str, OLDEST))} or newer.")
    return _finding("ok", f"{name} answers")


def _forgets(settings: Mapping[str, str]) -> list[Finding]:
    if not settings:
        words = "won't say how it keeps data (CONFIG is forbidden)"
        remedy = "Make sure of appendonly yes, appendfsync always and maxmemory-policy noeviction."
        return [_finding("warning", words, remedy)]
    found = []
    if settings.get("appendonly") != "yes":
        found.append(_wrong("appendonly", settings, "a restart of Redis loses runs and answers", "yes"))
    elif settings.get("appendfsync") != "always":
        words = (
            f"appendfsync is {settings.get('appendfsync')}: a power failure loses about a second of answers"
        )
        found.append(_finding("warning", words, "Set appendfsync always, or accept that."))
    if settings.get("maxmemory", "0") != "0" and settings.get("maxmemory-policy") != "noeviction":
        found.append(
            _wrong("maxmemory-policy", settings, "a full Redis throws waiting runs away", "noeviction")
        )
    return found or [_finding("ok", "keeps what it acknowledged (append-only, fsync always)")]


def _copies(kind: Kind, online: int, write_concern: WriteConcern) -> list[Finding]:
    """Findings on replicas: whether one of them has all confirmed decisions at a failover."""
    wanted = write_concern.replicas
    if wanted is not None and wanted > online:
        words = f"{online} replicas are connected, but answers wait for {wanted}: none can be confirmed"
        return [_finding("broken", words, "Connect the replicas, or lower CREWDECK_REDIS_REPLICAS.")]
    if wanted == 0 and online:
        words = f"answers don't wait for its {online} replicas: a failover loses those of the last moment"
        return [_finding("warning", words, "Leave CREWDECK_REDIS_REPLICAS at auto.")]
    if online:
        replicas = "its replica has" if online == 1 else f"{wanted or 1} of its {online} replicas has"
        return [_finding("ok", f"answers are confirmed when {replicas} them")]
    if kind is not Kind.SERVER:
        return [_finding("warning", "a primary has no replica that could take over", "Connect one.")]
    return []


def _fsync_findings(
    settings: Mapping[str, str], version: tuple[int, ...], write_concern: WriteConcern
) -> list[Finding]:
    if not write_concern.fsync:
        return []
    if version < OLDEST_FSYNC:
        words = "is too old to say when an answer is on disk: none can be confirmed"
        return [_finding("broken", words, "Use 7.2 or newer, or turn CREWDECK_REDIS_FSYNC off.")]
    if settings and settings.get("appendonly") != "yes":
        words = "writes no append-only file, so that no answer can be confirmed"
        return [_finding("broken", words, "Set appendonly yes, or turn CREWDECK_REDIS_FSYNC off.")]
    return [_finding("ok", "answers are confirmed when they are on disk")]


def _wrong(name: str, settings: Mapping[str, str], words: str, wanted: str) -> Finding:
    remedy = f"Set {name} {wanted} in the server's configuration."
    return _finding("broken", f"{name} is {settings.get(name)}: {words}", remedy)


def _finding(state: State, words: str, remedy: str = "") -> Finding:
    return Finding(subject=SUBJECT, state=state, words=words, remedy=remedy)

"""The store that the settings name, kept alive where it is ours to keep alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import structlog

from bot.core.errors import CrewdeckError, SettingsError, StoreRefused, StoreUnavailable
from bot.settings import Settings
from bot.store.clock import ClockSettings
from bot.store.connection import Connection
from bot.store.durability import examine
from bot.store.embedded import Embedded
from bot.store.redis import RedisStore, open_store
from bot.store.redis_client.addresses import read_address
from bot.store.redis_client.refusals import refusal_of
from bot.store.write_concern import WriteConcern

log = structlog.get_logger(__name__)

DAY_S = 24 * 3600
NO_HANDSHAKE = ("does not answer in time", "closed by server", "Error connecting to", "SSL")
"""What is said where one side speaks TLS and the other one doesn't."""
CHECK_INTERVAL_S = 0.5
"""Seconds between two looks at the embedded server (0.2 ms each)."""


@asynccontextmanager
async def open_configured(settings: Settings) -> AsyncIterator[RedisStore]:
    """The store at the configured URL; without one, the embedded Valkey of the data folder.

    The embedded server is started if it doesn't run, started again when it dies, and stopped by the last
    process that uses it. Raises StoreUnavailable if the store may come back by itself, and SettingsError if
    somebody has to correct something, with a sentence for the operator.
    """
    opening = partial(
        open_store,
        clock=ClockSettings(retention=settings.retention_days * DAY_S, journal=settings.journal_days * DAY_S),
        journal_keys=settings.journal_keys,
    )
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        write_concern = WriteConcern(settings.redis_replicas, fsync=settings.redis_fsync)
        async with AsyncExitStack() as stack:
            try:
                store = await stack.enter_async_context(opening(url, write_concern=write_concern))
                await store.connection.check_permissions()
                await _warn(store.connection, write_concern)
            except (StoreUnavailable, SettingsError) as error:
                raise await _with_setting(error, settings.redis_setting, url) from error
            yield store
    else:
        async with (
            _attached(settings) as embedded,
            opening(embedded.url) as store,
            _kept_alive(embedded),
        ):
            yield store


async def _with_setting(error: CrewdeckError, setting: str, url: str) -> CrewdeckError:
    """The error with the setting that the address is from: a SettingsError if that is what is wrong.

    It has a hint where TLS may be what is wrong.
    """
    words = str(error).removeprefix("CREWDECK_REDIS_URL: ")
    refused = isinstance(error, SettingsError | StoreRefused)
    if not refused and (refusal := await refusal_of(read_address(url))):
        words, refused = f"{refusal}.", True
    if refused:
        return SettingsError(
            f"{setting}: {words.replace('CREWDECK_REDIS_URL', setting.split(maxsplit=1)[0])}"
        )
    if any(each in words for each in NO_HANDSHAKE):
        over_tls = url.partition(":")[0].startswith("rediss")
        words += f" {'rediss:// is for servers with TLS' if over_tls else 'With TLS it is rediss://'}."
    return StoreUnavailable(f"{setting}: {words}")


async def _warn(connection: Connection, write_concern: WriteConcern) -> None:
    """Say loudly that this Redis may forget. The embedded one doesn't."""
    try:
        findings = await examine(connection, write_concern)
    except StoreUnavailable as error:
        log.error("The settings of Redis can't be read", why=str(error))  # noqa: TRY400 - an operator's line
        return
    for finding in findings:
        if finding.state != "ok":
            level = logging.ERROR if finding.state == "broken" else logging.WARNING
            log.log(level, "The settings of Redis are a risk", why=finding.words, remedy=finding.remedy)


@asynccontextmanager
async def _attached(settings: Settings) -> AsyncIterator[Embedded]:
    attaching = asyncio.ensure_future(
        asyncio.to_thread(Embedded.attach, settings.data_dir, memory=settings.store_memory)
    )
    try:
        embedded = await asyncio.shield(attaching)
    except asyncio.CancelledError:
        # The thread can't be interrupted; what it started would be left behind.
        with suppress(StoreUnavailable):
            await asyncio.to_thread((await attaching).detach)
        raise
    _report_cut(embedded)
    try:
        yield embedded
    finally:
        await asyncio.to_thread(embedded.detach)


def _report_cut(embedded: Embedded) -> None:
    if embedded.cut:
        log.error("The data of the embedded Valkey ended in an unfinished write", what=embedded.cut)


@asynccontextmanager
async def _kept_alive(embedded: Embedded) -> AsyncIterator[None]:
    keeping = asyncio.create_task(_keep_alive(embedded))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep_alive(embedded: Embedded) -> None:
    well = True
    while True:
        try:
            last_words = await asyncio.to_thread(embedded.ensure)
        except StoreUnavailable as error:
            if well:
                log.error("The embedded Valkey can't be started again", reason=str(error))  # noqa: TRY400
            well = False
        else:
            if last_words:
                log.error("The embedded Valkey had stopped and was started again", reason=last_words)
                _report_cut(embedded)
            if not well:
                log.info("The embedded Valkey is back")
            well = True
        await asyncio.sleep(CHECK_INTERVAL_S)

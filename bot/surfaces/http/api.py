"""The composition of the API: authentication, streams and routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from aiohttp import web

from bot.core.events.event import encode
from bot.core.ports.store import Store
from bot.core.sessions import SessionAuthenticator
from bot.core.wakeups import Wakeups
from bot.settings import Settings
from bot.surfaces.http import docs_page, openapi
from bot.surfaces.http.callers import KeyCache, KeyRateLimiter, Visibility
from bot.surfaces.http.files import FileRoutes
from bot.surfaces.http.identities import IdentityRoutes
from bot.surfaces.http.operation_table import Handlers, operations
from bot.surfaces.http.operations import AnyOperation
from bot.surfaces.http.questions.answers import Answers
from bot.surfaces.http.questions.questions import QuestionRoutes, QuestionViews
from bot.surfaces.http.request_authenticator import Origins, RequestAuthenticator
from bot.surfaces.http.runs import RunRoutes, Starts
from bot.surfaces.http.streams.inbox_feed import InboxFeed
from bot.surfaces.http.streams.poll import PollRoutes
from bot.surfaces.http.streams.run_feed import RunFeed
from bot.surfaces.http.streams.sse import SseRoutes
from bot.surfaces.http.streams.stream_table import StreamHandlers
from bot.surfaces.http.streams.streams import Streams, StreamTimings
from bot.surfaces.http.streams.websocket import WebSocketRoutes
from bot.surfaces.trust import FailedKeyAttempts, LocalTrust
from bot.tasks import run_alongside

HSTS_MAX_AGE_S = 365 * 24 * 3600
"""How long browsers use https only, if the public address does."""


@dataclass(frozen=True)
class Api:
    """The parts of the API that a site needs."""

    routes: Sequence[web.RouteDef]
    #: Authentication, which precedes every route of the site.
    authenticator: RequestAuthenticator
    origins: Origins
    streams: Streams
    #: Messages for the operator at start-up.
    notices: Sequence[str]
    #: Headers of every response of the site.
    headers: Mapping[str, str]

    async def close_streams(self, _: web.Application) -> None:
        """Close all streams, so that they don't delay the shutdown. For the site's `on_shutdown`."""
        self.streams.close()


@asynccontextmanager
async def open_api(
    settings: Settings,
    store: Store,
    wakeups: Wakeups,
    authenticator: SessionAuthenticator | None = None,
    *,
    timings: StreamTimings | None = None,
    trust: LocalTrust | None = None,
    wrong_keys: FailedKeyAttempts | None = None,
) -> AsyncIterator[Api]:
    """Open the API on this store; its readers run during the block. Raises StoreUnavailable.

    The caller runs `wakeups`. Sessions of the `authenticator` replace API keys. `trust` decides who needs no
    key while none exist: by default, callers that the settings treat as local.
    """
    trust = trust or LocalTrust(settings.exposed_by)
    keys = KeyCache(store.api_keys, wakeups, settings.api_keys)
    await keys.open()
    store.directory.vouch("http", keys.current_membership)
    runs, inbox = RunFeed(store, wakeups), InboxFeed(store.inbox, wakeups)
    rates = KeyRateLimiter(settings.rate_limit)
    visibility = Visibility(store)
    origins = Origins(frozenset(settings.cors_origins), settings.public_url)
    requests = RequestAuthenticator(
        keys,
        rates,
        visibility,
        authenticator,
        trust,
        wrong_keys or FailedKeyAttempts(),
        origins,
    )
    streams = Streams(
        store,
        runs,
        inbox,
        requests.still_valid,
        visibility,
        timings or StreamTimings(),
        most_per_key=settings.streams_per_key,
    )
    table = operations(_handlers(store, streams, rates, visibility, Starts(store, settings.start_urls)))
    notices = _notices(trust, keys)
    async with run_alongside(runs.run(), inbox.run()):
        yield Api(_routes(table), requests, origins, streams, notices, _headers(settings))


def _handlers(
    store: Store, streams: Streams, rates: KeyRateLimiter, visibility: Visibility, starts: Starts
) -> Handlers:
    answers, views = Answers(store, visibility), QuestionViews(store, visibility)
    poll = PollRoutes(streams)
    return Handlers(
        runs=RunRoutes(store, starts, visibility, views),
        questions=QuestionRoutes(store, answers, visibility, views),
        files=FileRoutes(store),
        identities=IdentityRoutes(store),
        poll=poll,
        streams=StreamHandlers(SseRoutes(streams), poll, WebSocketRoutes(streams, answers, rates)),
    )


def _routes(table: Sequence[AnyOperation]) -> list[web.RouteDef]:
    @cache  # built on the first request, because it would take most of the start-up time
    def document() -> Mapping[str, Any]:
        return openapi.document(table, _version())

    async def openapi_json(_: web.Request) -> web.Response:
        return web.Response(body=encode(document()), content_type="application/json")

    async def docs(_: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": docs_page.POLICY}
        return web.Response(text=docs_page.page(document()), content_type="text/html", headers=headers)

    return [
        *(operation.route() for operation in table),
        web.get("/openapi.json", openapi_json),
        web.get("/docs", docs),
    ]


def _headers(settings: Settings) -> Mapping[str, str]:
    # Browsers ignore the header on responses that came by plain http.
    https = settings.public_url.startswith("https://")
    return {"Strict-Transport-Security": f"max-age={HSTS_MAX_AGE_S}"} if https else {}


def _notices(trust: LocalTrust, keys: KeyCache) -> tuple[str, ...]:
    if not keys.locked:
        return (trust.keys_required,) if trust.trusts_nobody else ()
    if not keys.usable:
        return (
            "The API is locked: keys were in use here, and none is left. Make one: `crewdeck keys add NAME`.",
        )
    return ()


def _version() -> str:
    try:
        return version("crewdeck")
    except PackageNotFoundError:
        return "0"

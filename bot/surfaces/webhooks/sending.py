"""One try to hand an event to an endpoint, over HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractResolver

from bot.core.addresses import is_public
from bot.core.endpoints import Endpoint, check_url
from bot.core.event import Event
from bot.core.retry_after import seconds_of
from bot.surfaces.encoding import encode
from bot.surfaces.webhooks import signing

TIMEOUT = 15.0
"""Seconds that a receiver has to answer, connecting included."""
READ = 4096
"""Bytes that are read of an answer: nobody looks at them, but then the connection can serve again."""
REST_WITHIN = 1.0
"""Seconds that the rest of an answer may take."""
LONGEST_PAUSE = 4 * 3600.0
"""Seconds that a receiver can ask for."""
BACKING_OFF = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


@dataclass(frozen=True)
class Missed:
    """Why an event did not arrive, in words that quote neither its address nor a secret."""

    why: str
    #: Seconds that the receiver asks to be left alone.
    retry_after: float = 0.0
    #: The receiver wants no more events, ever (410).
    gone: bool = False


class NotPublicError(OSError):
    """An address that events are not sent to."""

    def __init__(self) -> None:
        super().__init__("its address is on a private network; CREWDECK_WEBHOOK_ALLOW_PRIVATE allows that")


class Sender:
    """Sends events; shares its connections among all endpoints."""

    def __init__(self, session: aiohttp.ClientSession, *, private: bool) -> None:
        self._session = session
        self._private = private

    async def send(self, endpoint: Endpoint, event: Event) -> Missed | None:
        """Why the event did not arrive; None: it did."""
        url = endpoint.url.get_secret_value()
        try:
            check_url(url, private=self._private)
        except ValueError as error:
            return Missed(str(error))
        body = encode(event.public())
        headers = signing.headers(endpoint.secrets, event.id, int(time.time()), body)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                missed = _judged(answer)
                if missed is None:
                    await _finish(answer)
                else:
                    answer.close()
                return missed
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Missed(_words(error))


async def _finish(answer: aiohttp.ClientResponse) -> None:
    """Take the rest of an answer whose status says that the event has arrived, whatever becomes of that."""
    try:
        async with asyncio.timeout(REST_WITHIN):
            await answer.content.read(READ)
    except (aiohttp.ClientError, TimeoutError, OSError):
        answer.close()


def _judged(answer: aiohttp.ClientResponse) -> Missed | None:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    # Not the phrase that the receiver sends: that is a stranger's text.
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    asked = answer.headers.get("Retry-After", "") if status in BACKING_OFF else ""
    return Missed(
        f"it answered {status} {phrase}".strip(),
        seconds_of(asked, most=LONGEST_PAUSE) or 0.0,
        gone=status == HTTPStatus.GONE,
    )


def _words(error: Exception) -> str:
    """Our own words: those of aiohttp name the address."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotPublicError):
        return str(error.os_error)
    for kind, words in _REASONS:
        if isinstance(error, kind):
            return words
    return f"the connection broke ({type(error).__name__})"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "it did not answer in time"),
    (aiohttp.ClientConnectorDNSError, "its name can't be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not valid"),
    (aiohttp.ClientConnectorSSLError, "it doesn't speak TLS as it should"),
    (aiohttp.ClientConnectorError, "nothing answers at its address"),
    (aiohttp.InvalidURL, "this is no address of an endpoint"),
)


@asynccontextmanager
async def open_sender(
    *, private: bool, version: str, within: float = TIMEOUT, resolver: AbstractResolver | None = None
) -> AsyncIterator[Sender]:
    """A sender that connects to public addresses only, unless `private` ones are allowed.

    It knows no proxy, cookie or password of this machine.
    """

    def open_socket(info: AddressInfo) -> socket.socket:
        # Here and not where names are looked up: this is the address that is really connected to.
        family, kind, protocol, _, address = info
        if not private and not is_public(str(address[0])):
            raise NotPublicError
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(limit=0, resolver=resolver, socket_factory=open_socket)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=within),
        headers={"Content-Type": "application/json", "User-Agent": f"Crewdeck/{version}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield Sender(session, private=private)

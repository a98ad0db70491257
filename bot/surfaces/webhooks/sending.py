"""A single HTTP request that delivers an event to an endpoint."""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractResolver
from pydantic import SecretStr

from bot.core.addresses import is_public
from bot.core.events.endpoints import Endpoint, check_url, key_of
from bot.core.events.event import Event, encode
from bot.core.retry_after import parse_retry_after

REQUEST_TIMEOUT_S = 15.0
"""The time limit for a response, connecting included."""
MAX_RESPONSE_BYTES = 4096
"""Bytes of a response that are read, so that the connection can be reused."""
BODY_TIMEOUT_S = 1.0
"""The time limit for the rest of a response."""
MAX_RETRY_AFTER_S = 4 * 3600.0
"""The limit for `Retry-After`."""
STATUSES_WITH_RETRY_AFTER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


@dataclass(frozen=True)
class DeliveryFailure:
    """Why an event was not delivered. The text contains neither the address nor a secret."""

    why: str
    #: Seconds, as the receiver asked by `Retry-After`.
    retry_after: float = 0.0
    #: The receiver wants no more events (410).
    gone: bool = False


class NotPublicError(OSError):
    """The address is not public."""

    def __init__(self) -> None:
        super().__init__("its address is on a private network; CREWDECK_WEBHOOK_ALLOW_PRIVATE allows that")


class Sender:
    """Sends events; all endpoints share its connections."""

    def __init__(self, session: aiohttp.ClientSession, *, private: bool) -> None:
        self._session = session
        self._private = private

    async def send(self, endpoint: Endpoint, event: Event) -> DeliveryFailure | None:
        """Send an event; returns the failure, or None on success."""
        url = endpoint.url.get_secret_value()
        try:
            check_url(url, private=self._private)
        except ValueError as error:
            return DeliveryFailure(str(error))
        body = encode(event.public())
        headers = signature_headers(endpoint.secrets, event.id, int(time.time()), body)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                failure = _judged(answer)
                if failure is None:
                    await _finish(answer)
                else:
                    answer.close()
                return failure
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return DeliveryFailure(_words(error))


async def _finish(answer: aiohttp.ClientResponse) -> None:
    """Read the rest of a successful response, ignoring errors."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await answer.content.read(MAX_RESPONSE_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError):
        answer.close()


def _judged(answer: aiohttp.ClientResponse) -> DeliveryFailure | None:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    # Not the receiver's own phrase, which is untrusted text.
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    asked = answer.headers.get("Retry-After", "") if status in STATUSES_WITH_RETRY_AFTER else ""
    return DeliveryFailure(
        f"it answered {status} {phrase}".strip(),
        parse_retry_after(asked, most=MAX_RETRY_AFTER_S) or 0.0,
        gone=status == HTTPStatus.GONE,
    )


def _words(error: Exception) -> str:
    """A description without the address, which aiohttp's messages contain."""
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
    *,
    private: bool,
    version: str,
    within: float = REQUEST_TIMEOUT_S,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[Sender]:
    """A sender that connects to public addresses only, or with `private` to all.

    It uses no proxy, cookies or credentials of this machine.
    """

    def open_socket(info: AddressInfo) -> socket.socket:
        # Checked here rather than after name resolution: this is the address of the actual connection.
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


def signature_headers(secrets: Sequence[SecretStr], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of an attempt at `at` (seconds since the epoch). All attempts have the same message id."""
    signed = b".".join((message_id.encode(), str(at).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: SecretStr, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()

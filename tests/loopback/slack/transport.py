"""How Slack reaches an app: signed HTTP requests to its request URL, or envelopes over Socket Mode."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import aiohttp

from tests.loopback.slack.wire import Body, Json

Kind = Literal["slash_commands", "interactive", "events_api"]


@dataclass(frozen=True)
class Parcel:
    """One thing Slack tells the app; a redelivery is the same parcel with a later attempt."""

    kind: Kind
    payload: Body
    envelope_id: str
    attempt: int = 0
    reason: str = ""
    #: Its signature's time, in seconds. Each try has one of its own: the same signature again is a replay.
    signed_at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Receipt:
    """What came of sending a parcel. `status` is None where nothing was acknowledged; `error` says why."""

    status: int | None
    #: The parsed JSON body, or text; None for an empty acknowledgement.
    body: Json
    #: Seconds until the acknowledgement.
    elapsed: float
    error: str | None = None


class Transport(Protocol):
    async def send(self, parcel: Parcel) -> Receipt:
        """Sends and waits for the acknowledgement, for as long as Slack would."""


@dataclass
class Http:
    """Signed requests to one request URL."""

    session: aiohttp.ClientSession
    url: str
    signing_secret: str
    ack_seconds: float

    async def send(self, parcel: Parcel) -> Receipt:
        body, content_type = encoded(parcel)
        headers = {**self.signed(body, parcel.signed_at), "Content-Type": content_type}
        if parcel.attempt:
            headers["X-Slack-Retry-Num"] = str(parcel.attempt)
            headers["X-Slack-Retry-Reason"] = parcel.reason
        return await self.post(body, headers)

    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        """The headers that prove a body is from Slack, as of `at` (now)."""
        return sign(self.signing_secret, body, at)

    async def post(self, body: bytes, headers: dict[str, str]) -> Receipt:
        """Sends the bytes as they are; a refused connection or a late answer is a receipt without status."""
        started = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self.ack_seconds)
        try:
            async with self.session.post(self.url, data=body, headers=headers, timeout=timeout) as response:
                raw = await response.read()
                answer = _parsed(raw, response.content_type)
                return Receipt(response.status, answer, time.monotonic() - started)
        except TimeoutError:
            return Receipt(None, None, time.monotonic() - started, "timeout")
        except aiohttp.ClientError as failure:
            return Receipt(None, None, time.monotonic() - started, type(failure).__name__)


def sign(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest.hexdigest()}",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
    }


def encoded(parcel: Parcel) -> tuple[bytes, str]:
    """The request body and its content type, as Slack encodes each kind."""
    form = "application/x-www-form-urlencoded"
    if parcel.kind == "slash_commands":
        return urlencode(parcel.payload).encode(), form
    if parcel.kind == "interactive":
        return urlencode({"payload": json.dumps(parcel.payload)}).encode(), form
    return json.dumps(parcel.payload).encode(), "application/json"


def _parsed(raw: bytes, content_type: str) -> Json:
    if not raw:
        return None
    if content_type == "application/json":
        return json.loads(raw)
    return raw.decode(errors="replace")


async def within(seconds: float, acknowledged: asyncio.Future[Any]) -> Receipt:
    """Waits for an acknowledgement over a socket; Slack gives it three seconds like over HTTP."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            body = await acknowledged
    except TimeoutError:
        return Receipt(None, None, time.monotonic() - started, "timeout")
    return Receipt(200, body or None, time.monotonic() - started)

"""The request URL: commands, events and interactions over HTTP, signed by Slack.

Nothing is parsed before its signature is verified. Whatever is wrong ends in a 4xx without an effect.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response

from bot.core.ports.store import Store
from bot.core.runs.nonce import Nonce
from bot.surfaces.chat.inbound.ports import Unacceptable
from bot.surfaces.slack.inbound.bolt import Dispatcher
from bot.surfaces.slack.inbound.replays import SignedRequest

log = structlog.get_logger(__name__)


MAX_BODY_BYTES = 1024 * 1024
MAX_FIELDS = 100
"""Slack's forms have some fifteen fields."""
TIMESTAMP_TOLERANCE_S = 300
"""How far a request's timestamp may differ from our clock, either way."""
_MAX_TIMESTAMP_DIGITS = 12

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
_EVENTS = frozenset({"event_callback", "url_verification", "app_rate_limited"})
"""The types that Slack sends as JSON. Commands and interactions come as forms."""
_FORM_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]*")
"""Printable ASCII without what forms always encode: space " < > \\ ^ ` { | }.

A signature does not cover the content type. An event is signed, too, and holds what people wrote: sent again
as a form, that would be fields. It never passes as one, since it is a JSON object and begins with a brace.
"""


@dataclass(frozen=True)
class VerifiedRequest:
    """A verified request: the JSON object or the fields in it."""

    payload: dict[str, Any]
    #: Names this very request: Slack signs each try anew, so the same signature again is a replay.
    signature: str

    @property
    def kind(self) -> str:
        """`command`, `ssl_check`, or Slack's `type`."""
        if "command" in self.payload:
            return "command"
        return "ssl_check" if "ssl_check" in self.payload else str(self.payload["type"])


def check(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> VerifiedRequest:
    """Verify and parse one request. Raises Unacceptable (400, 401, 413)."""
    if len(body) > MAX_BODY_BYTES:
        raise Unacceptable(413, "too long")
    signature = verify(secret, headers, body, now)
    return VerifiedRequest(_payload(headers.get("Content-Type", ""), _decoded(body)), signature)


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The signature. Raises Unacceptable (401) unless Slack signed the body just now."""
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    if not _is_timestamp(timestamp) or abs(now - int(timestamp)) > TIMESTAMP_TOLERANCE_S:
        raise Unacceptable(401, "missing, wrong or old timestamp")
    signed = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.digest(secret.encode(), signed, hashlib.sha256).hex()
    # As bytes, since compare_digest refuses text that is not ASCII.
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogateescape")):
        raise Unacceptable(401, "wrong signature")
    return expected


def _is_timestamp(timestamp: str) -> bool:
    # str.isdigit() alone takes digits of every script.
    return timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Unacceptable(400, "not UTF-8") from error


def _payload(content_type: str, text: str) -> dict[str, Any]:
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            return _event(text)
        case "application/x-www-form-urlencoded":
            return _form(text)
        case _:
            raise Unacceptable(400, f"send {JSON} or {FORM}")


def _event(text: str) -> dict[str, Any]:
    event = _object(text)
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _EVENTS or {"command", "ssl_check"} & event.keys():
        raise Unacceptable(400, "not an event of Slack's")
    return event


def _form(text: str) -> dict[str, Any]:
    """A command's fields, or the interaction in the only field `payload`."""
    if not _FORM_CHARACTERS.fullmatch(text) or text.count("&") >= MAX_FIELDS:
        raise Unacceptable(400, "not a form")
    pairs = [pair.partition("=") for pair in text.split("&") if pair]
    fields: dict[str, Any] = {_decoded_part(name): _decoded_part(value) for name, _, value in pairs}
    if len(fields) < len(pairs):
        raise Unacceptable(400, "a field is there twice")
    if fields.keys() == {"payload"}:
        return _interaction(fields["payload"])
    if "payload" in fields or not {"command", "ssl_check"} & fields.keys():
        raise Unacceptable(400, "not something that Slack sends")
    return fields


def _decoded_part(text: str) -> str:
    """A name or a value of a form. Most have nothing to decode."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except ValueError as error:
        raise Unacceptable(400, "not a form") from error


def _interaction(text: str) -> dict[str, Any]:
    interaction = _object(text)
    kind = interaction.get("type")
    if not isinstance(kind, str) or kind in _EVENTS or {"command", "ssl_check"} & interaction.keys():
        raise Unacceptable(400, "not an interaction of Slack's")
    return interaction


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unacceptable(400, "not JSON") from error
    if not isinstance(parsed, dict):
        raise Unacceptable(400, "not a JSON object")
    return parsed


PATH = "/slack/events"
SIGNATURE_TTL_S = 2.0 * TIMESTAMP_TOLERANCE_S
"""A signature is valid for this long: its timestamp may be in the future by as much as in the past."""


class RequestUrl:
    """Accepts what Slack signed, once, and nothing else."""

    def __init__(self, signing_secret: str, dispatcher: Dispatcher, store: Store) -> None:
        self._secret = signing_secret
        self._dispatcher = dispatcher
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Slack's answer, or 400, 401, 413. A replay is acknowledged, and nothing is done."""
        try:
            checked = check(self._secret, request.headers, await request.read(), time.time())
        except Unacceptable as wrong:
            log.info("a request was refused", status=wrong.status, why=str(wrong))
            return web.Response(status=wrong.status, text=str(wrong))
        match checked.payload:
            case {"type": "url_verification", **rest}:
                return web.json_response({"challenge": str(rest.get("challenge", ""))})
            case {"ssl_check": _}:
                return web.Response()
            case _:
                return await self._once(checked)

    async def _once(self, checked: VerifiedRequest) -> web.Response:
        nonce = Nonce(f"slack:signature:{checked.signature}", SIGNATURE_TTL_S)
        signed = SignedRequest(nonce, self._store.key_values, self._store.runs)
        response = await self._dispatcher.dispatch(checked.payload, signed)
        if response.status >= web.HTTPInternalServerError.status_code:
            await signed.take_back()
        return await to_aiohttp_response(response)

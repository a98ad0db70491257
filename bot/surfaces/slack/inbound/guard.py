"""The gate before everything else: what is really from Slack, and has Slack's shape, gets in.

Nothing is parsed before its signature was verified, and whatever is wrong ends in a 4xx without an effect.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

MOST_BYTES = 1024 * 1024
WINDOW = 300
"""Seconds by which a request's timestamp may differ from our clock, either way."""
_LONGEST_TIMESTAMP = 12

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Unacceptable(Exception):  # noqa: N818 - it is an answer to the sender, not a failure of ours
    """The request is turned away with this HTTP status; the message is for the sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Checked:
    """A verified request: what Bolt shall read, and the JSON object in it."""

    body: str
    payload: dict[str, Any]

    @property
    def kind(self) -> str:
        """`command`, `ssl_check`, or Slack's `type`."""
        if "command" in self.payload:
            return "command"
        return "ssl_check" if "ssl_check" in self.payload else str(self.payload["type"])


def check(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> Checked:
    """Verify and parse one request. Raises Unacceptable (400, 401, 413)."""
    if len(body) > MOST_BYTES:
        raise Unacceptable(413, "too long")
    verify(secret, headers, body, now)
    text = _decoded(body)
    payload = _payload(headers.get("Content-Type", ""), text)
    if not {"command", "ssl_check"} & payload.keys() and not isinstance(payload.get("type"), str):
        raise Unacceptable(400, "not something that Slack sends")
    return Checked(text, payload)


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raises Unacceptable (401) unless Slack signed the body just now."""
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    if not _is_timestamp(timestamp) or abs(now - int(timestamp)) > WINDOW:
        raise Unacceptable(401, "missing, wrong or old timestamp")
    signed = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    # As bytes, since compare_digest refuses text that is not ASCII.
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogateescape")):
        raise Unacceptable(401, "wrong signature")


def _is_timestamp(timestamp: str) -> bool:
    # str.isdigit() alone takes digits of every script.
    return timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Unacceptable(400, "not UTF-8") from error


def _payload(content_type: str, text: str) -> dict[str, Any]:
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            return _object(text)
        case "application/x-www-form-urlencoded":
            return _form(text)
        case _:
            raise Unacceptable(400, f"send {JSON} or {FORM}")


def _form(text: str) -> dict[str, Any]:
    try:
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise Unacceptable(400, "not a form") from error
    if "payload" in fields:
        return _object(fields["payload"][0])
    return {name: values[0] for name, values in fields.items()}


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unacceptable(400, "not JSON") from error
    if not isinstance(parsed, dict):
        raise Unacceptable(400, "not a JSON object")
    return parsed

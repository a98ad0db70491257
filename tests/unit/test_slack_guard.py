"""Only what Slack signed, and what has Slack's shape, gets in."""

import contextlib
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.slack.inbound import guard
from bot.surfaces.slack.inbound.guard import Unacceptable

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_700_000_000.0
EVENT = json.dumps({"type": "event_callback", "event": {}}).encode()


def headers(
    body: bytes, *, at: object = int(NOW), secret: str = SECRET, content_type: str = guard.JSON
) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": content_type,
    }


def status(given: dict[str, str], body: bytes = EVENT) -> int:
    with pytest.raises(Unacceptable) as refused:
        guard.check(SECRET, given, body, NOW)
    return refused.value.status


def test_a_signed_event_gets_in() -> None:
    checked = guard.check(SECRET, headers(EVENT), EVENT, NOW)
    assert checked.kind == "event_callback"
    assert checked.payload["event"] == {}


def test_a_signed_command_gets_in() -> None:
    body = b"command=%2Fcrew&text=start+demo&user_id=U1"
    checked = guard.check(SECRET, headers(body, content_type=guard.FORM), body, NOW)
    assert checked.kind == "command"
    assert checked.payload == {"command": "/crew", "text": "start demo", "user_id": "U1"}


def test_a_signed_interaction_gets_in() -> None:
    body = b"payload=%7B%22type%22%3A%22block_actions%22%7D"
    assert (
        guard.check(SECRET, headers(body, content_type=f"{guard.FORM}; charset=utf-8"), body, NOW).kind
        == "block_actions"
    )


@pytest.mark.parametrize(
    "at", [int(NOW) - 301, int(NOW) + 301, "soon", "", "²", "1e9", "-1", "+1", "1" * 400, "\u0661\u0667" * 5]
)
def test_stale_future_and_malformed_timestamps_are_refused(at: object) -> None:
    assert status(headers(EVENT, at=at)) == 401


@pytest.mark.parametrize("signature", ["", "v0=", "v0=00", "v1=abc", "münchen", "\udcff", "v0=" + "0" * 64])
def test_wrong_signatures_are_refused(signature: str) -> None:
    assert status(headers(EVENT) | {"X-Slack-Signature": signature}) == 401


def test_another_secret_is_refused() -> None:
    assert status(headers(EVENT, secret="another")) == 401


def test_missing_headers_are_refused() -> None:
    assert status({"Content-Type": guard.JSON}) == 401


def test_a_body_that_was_changed_is_refused() -> None:
    assert status(headers(EVENT), EVENT + b" ") == 401


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", guard.JSON),
        (b"[]", guard.JSON),
        (b'[{"type": "event_callback"}]', guard.JSON),
        (b"null", guard.JSON),
        (b'"text"', guard.JSON),
        (b"", guard.JSON),
        (b"{}", guard.JSON),
        (b'{"type": 7}', guard.JSON),
        (b"\xff\xfe", guard.JSON),
        (b"[" * 100_000, guard.JSON),
        (b'{"type":"event_callback"}', "text/plain"),
        (b'{"type":"event_callback"}', ""),
        (b"payload=%7B", guard.FORM),
        (b"payload=%5B%5D", guard.FORM),
        (b"nothing=here", guard.FORM),
        (b"&".join(b"a%d=b" % number for number in range(500)), guard.FORM),
        (b"command=%FF", guard.FORM),
    ],
)
def test_signed_bodies_that_slack_does_not_send_are_refused(body: bytes, content_type: str) -> None:
    assert status(headers(body, content_type=content_type), body) == 400


def test_a_body_that_is_too_long_is_refused() -> None:
    body = b"x" * (guard.MOST_BYTES + 1)
    assert status(headers(body), body) == 413


@given(st.binary(max_size=200), st.sampled_from([guard.JSON, guard.FORM, "text/plain"]))
def test_any_signed_body_gets_in_or_is_refused(body: bytes, content_type: str) -> None:
    signed = headers(body, content_type=content_type)
    with contextlib.suppress(Unacceptable):
        assert isinstance(guard.check(SECRET, signed, body, NOW).payload, dict)

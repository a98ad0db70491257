"""Only what Slack signed, and what has Slack's shape, gets in."""

import contextlib
import hashlib
import hmac
import json
from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.surfaces.chat.inbound.ports import Unacceptable
from bot.surfaces.slack.inbound import request_url

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_700_000_000.0
EVENT = json.dumps({"type": "event_callback", "event": {}}).encode()


def headers(
    body: bytes, *, at: object = int(NOW), secret: str = SECRET, content_type: str = request_url.JSON
) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": content_type,
    }


def status(given: dict[str, str], body: bytes = EVENT) -> int:
    with pytest.raises(Unacceptable) as refused:
        request_url.check(SECRET, given, body, NOW)
    return refused.value.status


def test_a_signed_event_gets_in() -> None:
    checked = request_url.check(SECRET, headers(EVENT), EVENT, NOW)
    assert checked.payload == {"type": "event_callback", "event": {}}


def test_a_signed_command_gets_in() -> None:
    body = b"command=%2Fcrew&text=start+demo&user_id=U1"
    checked = request_url.check(SECRET, headers(body, content_type=request_url.FORM), body, NOW)
    assert checked.payload == {"command": "/crew", "text": "start demo", "user_id": "U1"}


def test_a_signed_interaction_gets_in() -> None:
    body = b"payload=%7B%22type%22%3A%22block_actions%22%7D"
    checked = request_url.check(
        SECRET, headers(body, content_type=f"{request_url.FORM}; charset=utf-8"), body, NOW
    )
    assert checked.payload == {"type": "block_actions"}


def test_each_try_of_a_delivery_has_its_own_signature_and_a_replay_the_same() -> None:
    first, again = headers(EVENT), headers(EVENT, at=int(NOW) + 60)
    assert (
        request_url.check(SECRET, first, EVENT, NOW).signature
        == request_url.check(SECRET, first, EVENT, NOW).signature
    )
    assert (
        request_url.check(SECRET, again, EVENT, NOW).signature
        != request_url.check(SECRET, first, EVENT, NOW).signature
    )


HIDDEN = (
    "x&command=/crew&text=start+ask&user_id=U0BOB&team_id=T0&channel_id=C0&trigger_id=1&x=",
    'x&payload={"type":"block_actions","user":{"id":"U0BOB"}}&x=',
    "x&payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U0BOB%22%7D%7D&x=",
    "&ssl_check=1&",
)


@pytest.mark.parametrize("text", HIDDEN)
@pytest.mark.parametrize("spaces", [None, 1])
def test_an_event_is_no_form_whatever_people_wrote(text: str, spaces: int | None) -> None:
    event = {"type": "event_callback", "event": {"type": "message", "text": text}}
    body = json.dumps(event, indent=spaces).encode()
    assert status(headers(body, content_type=request_url.FORM), body) == 400


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=3), max_leaves=5))
def test_no_json_object_is_a_form(value: object) -> None:
    body = json.dumps({"text": value}, ensure_ascii=False).encode(errors="replace")
    assert status(headers(body, content_type=request_url.FORM), body) == 400


@pytest.mark.parametrize("kind", ["block_actions", "view_submission", "view_closed", "shortcut"])
def test_interactions_are_no_json(kind: str) -> None:
    body = json.dumps({"type": kind}).encode()
    assert status(headers(body), body) == 400


@pytest.mark.parametrize("kind", [None, 1, ["event_callback"], {"event_callback": 1}, "unknown"])
def test_what_has_another_type_is_refused(kind: object) -> None:
    body = json.dumps({"type": kind}).encode()
    assert status(headers(body), body) == 400
    form = b"payload=" + quote_plus(json.dumps({"type": kind})).encode()
    if kind != "unknown":  # An interaction of a later day.
        assert status(headers(form, content_type=request_url.FORM), form) == 400


def test_commands_are_no_json() -> None:
    body = json.dumps({"type": "event_callback", "command": "/crew"}).encode()
    assert status(headers(body), body) == 400


@pytest.mark.parametrize("kind", ["event_callback", "url_verification"])
def test_events_are_no_forms(kind: str) -> None:
    body = f"payload=%7B%22type%22%3A%22{kind}%22%7D".encode()
    assert status(headers(body, content_type=request_url.FORM), body) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"command=%2Fcrew&command=%2Fother",
        b"payload=%7B%22type%22%3A%22a%22%7D&payload=%7B%22type%22%3A%22b%22%7D",
        b"payload=%7B%22type%22%3A%22block_actions%22%7D&command=%2Fcrew",
        b"payload=%7B%22type%22%3A%22block_actions%22%2C%22command%22%3A%22%2Fcrew%22%7D",
    ],
)
def test_a_form_says_one_thing(body: bytes) -> None:
    assert status(headers(body, content_type=request_url.FORM), body) == 400


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
    assert status({"Content-Type": request_url.JSON}) == 401


def test_a_body_that_was_changed_is_refused() -> None:
    assert status(headers(EVENT), EVENT + b" ") == 401


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", request_url.JSON),
        (b"[]", request_url.JSON),
        (b'[{"type": "event_callback"}]', request_url.JSON),
        (b"null", request_url.JSON),
        (b'"text"', request_url.JSON),
        (b"", request_url.JSON),
        (b"{}", request_url.JSON),
        (b'{"type": 7}', request_url.JSON),
        (b"\xff\xfe", request_url.JSON),
        (b"[" * 100_000, request_url.JSON),
        (b'{"type":"event_callback"}', "text/plain"),
        (b'{"type":"event_callback"}', ""),
        (b"payload=%7B", request_url.FORM),
        (b"payload=%5B%5D", request_url.FORM),
        (b"nothing=here", request_url.FORM),
        (b"&".join(b"a%d=b" % number for number in range(500)), request_url.FORM),
        (b"command=%FF", request_url.FORM),
    ],
)
def test_signed_bodies_that_slack_does_not_send_are_refused(body: bytes, content_type: str) -> None:
    assert status(headers(body, content_type=content_type), body) == 400


def test_a_body_that_is_too_long_is_refused() -> None:
    body = b"x" * (request_url.MAX_BODY_BYTES + 1)
    assert status(headers(body), body) == 413


@given(st.binary(max_size=200), st.sampled_from([request_url.JSON, request_url.FORM, "text/plain"]))
def test_any_signed_body_gets_in_or_is_refused(body: bytes, content_type: str) -> None:
    signed = headers(body, content_type=content_type)
    with contextlib.suppress(Unacceptable):
        assert isinstance(request_url.check(SECRET, signed, body, NOW).payload, dict)


@given(
    st.lists(
        st.sampled_from([*"&=+%;a", "%C3%A9", "%20", "%3D", "%26", "%2B", "%FF", "command"]), max_size=12
    )
)
def test_a_form_is_read_as_the_standard_library_reads_it(parts: list[str]) -> None:
    body = f"command=%2Fcrew&{''.join(parts)}".encode()
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict")
        expected = {name: value for name, [value] in fields.items()}
    except ValueError:  # Bytes that are no text, or a field that is there twice.
        expected = None
    found = None
    with contextlib.suppress(Unacceptable):
        signed = headers(body, content_type=request_url.FORM)
        found = request_url.check(SECRET, signed, body, NOW).payload
    assert found == expected


def test_a_form_has_no_more_fields_than_any_of_slacks() -> None:
    body = "&".join(["command=%2Fcrew", *(f"field{n}=" for n in range(request_url.MAX_FIELDS - 1))]).encode()
    assert (
        len(request_url.check(SECRET, headers(body, content_type=request_url.FORM), body, NOW).payload) == 100
    )
    body += b"&another="
    assert status(headers(body, content_type=request_url.FORM), body) == 400

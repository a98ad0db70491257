"""Which bodies are activities of this tenant, and what becomes of all others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.surfaces.chat.inbound.ports import Unacceptable
from bot.surfaces.teams.inbound.payloads import Activity
from bot.surfaces.teams.inbound.request_url import (
    MAX_BODY_BYTES,
    ActivityResponse,
    RequestUrl,
    parsed,
    read,
)
from bot.surfaces.teams.inbound.token_verifier import SigningKeys, TokenVerifier, VerifiedToken

TENANT = "00000000-0000-0000-0000-000000007e4a"
SERVICE_URL = "https://smba.example/emea/"


class NoKeys:
    async def fetch(self) -> Mapping[str, Any]:
        return {}


async def refuse(payload: Mapping[str, Any], activity: Activity) -> ActivityResponse:
    raise AssertionError((payload, activity))


def url(*, local: bool = False) -> RequestUrl:
    verifier = TokenVerifier("app", TENANT, "issuer", SigningKeys(NoKeys()))
    return RequestUrl(verifier, TENANT, refuse, local=local)


def activity(**changed: Any) -> dict[str, Any]:
    made = {
        "type": "message",
        "id": "1700",
        "timestamp": "2026-11-29T12:00:00.000Z",
        "serviceUrl": SERVICE_URL,
        "channelId": "msteams",
        "from": {"id": "29:ada", "name": "Ada", "aadObjectId": "A0"},
        "recipient": {"id": "28:app", "name": "Crewdeck"},
        "conversation": {
            "id": "19:x@thread.tacv2;messageid=1",
            "conversationType": "channel",
            "tenantId": TENANT,
        },
        "channelData": {"tenant": {"id": TENANT}},
        "text": "hello",
    }
    return {name: value for name, value in (made | changed).items() if value is not None}


def conversation(**changed: Any) -> dict[str, Any]:
    return {"conversation": activity()["conversation"] | changed}


def test_an_activity_of_this_tenant_is_admitted() -> None:
    admitted = url().admitted(activity(), VerifiedToken(SERVICE_URL))
    assert admitted.key == f"teams:{TENANT}:message:19:x@thread.tacv2:1700"
    assert admitted.user == "a0"


@pytest.mark.parametrize(
    ("changed", "claimed", "status"),
    [
        ({}, "https://smba.example/amer/", 401),
        ({"serviceUrl": "https://evil.example/"}, SERVICE_URL, 401),
        ({"serviceUrl": "http://smba.example/"}, "http://smba.example/", 401),
        (conversation(tenantId="another"), SERVICE_URL, 403),
        ({"channelData": {"tenant": {"id": "another"}}}, SERVICE_URL, 403),
        (conversation(tenantId=None) | {"channelData": None}, SERVICE_URL, 403),
        ({"channelId": "directline"}, SERVICE_URL, 403),
        ({"channelId": None}, SERVICE_URL, 403),
        ({"conversation": None}, SERVICE_URL, 400),
        (conversation(id=""), SERVICE_URL, 400),
        ({"from": "Ada"}, SERVICE_URL, 400),
        ({"id": None}, SERVICE_URL, 400),
        ({"id": 1700}, SERVICE_URL, 400),
        ({"serviceUrl": ""}, SERVICE_URL, 400),
        ({"entities": "many"}, SERVICE_URL, 400),
        ({"timestamp": "yesterday"}, SERVICE_URL, 400),
        ({"text": ["hello"]}, SERVICE_URL, 400),
    ],
)
def test_what_is_not_of_this_tenant_or_no_activity_is_refused(
    changed: dict[str, Any], claimed: str, status: int
) -> None:
    with pytest.raises(Unacceptable) as refused:
        url().admitted(activity(**changed), VerifiedToken(claimed))
    assert refused.value.status == status


def test_only_a_local_peer_may_be_called_without_tls() -> None:
    peer = "http://127.0.0.1:8123/emea"
    assert url(local=True).admitted(activity(serviceUrl=peer), VerifiedToken(f"{peer}/")).service_url == peer


def test_a_local_peer_may_call_its_channel_something_else() -> None:
    assert url(local=True).admitted(activity(channelId="emulator"), VerifiedToken(SERVICE_URL)).user == "a0"


@pytest.mark.parametrize("name", ["channelData", "entities", "text", "value"])
def test_null_is_the_same_as_nothing(name: str) -> None:
    given = activity()
    given[name] = None
    assert read(given) == read({key: value for key, value in given.items() if key != name})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"id": ' + b"1" * 5000 + b"}", 400),
        (b" " * (MAX_BODY_BYTES + 1), 413),
    ],
)
def test_other_bodies_are_refused(body: bytes, status: int) -> None:
    with pytest.raises(Unacceptable) as refused:
        parsed(body)
    assert refused.value.status == status


def test_text_that_is_none_is_made_valid() -> None:
    assert parsed(json.dumps({"text": "a\ud800b"}).encode())["text"].isprintable()

"""Who gets in: keys and their scopes; without keys, this machine and nobody else."""

import asyncio
import json
import time
from collections.abc import Mapping
from functools import partial

import pytest
import websockets
from httpx_sse import aconnect_sse

from bot.core.people.actor import Actor
from bot.core.people.api_keys import ApiKey, Scope, digest, new_secret
from bot.core.people.policy import Approvers
from bot.store.redis import RedisStore
from bot.surfaces.http.streams.streams import StreamTimings
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, SECRETS, Served, bearer, demo, serve
from tests.waiting import WITHIN, eventually

NOBODY = "00000000-0000-4000-8000-000000000000"
PATHS = (
    "/crews",
    "/runs",
    "/questions",
    f"/{NOBODY}/stream",
    "/poll/human-input",
    "/metrics",
    "/ready",
    "/nothing",
)


async def test_with_keys_nothing_but_health_and_the_description_is_open(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    for path in PATHS:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {SECRETS['ops']}"}):
            answer = await served.get(path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await served.get(f"/crews?token={SECRETS['ops']}")).status_code == 401
    for path in ("/openapi.json", "/docs"):
        assert (await served.get(path)).status_code == 200


async def test_secrets_and_cursors_that_are_no_text_open_nothing(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    answer = await served.get("/runs", headers={"Authorization": b"Bearer \xff\xfe"})
    assert answer.status_code == 401
    run_id = await served.start(headers=bearer("ops"))
    odd = {**bearer("ops"), "Last-Event-ID": b"\xff"}
    events = await served.get(f"/poll/human-input/{run_id}?last_event_id=%ff", headers=odd)
    assert events.json()["events"][0] == {"type": "stream_reset"}
    key = {**bearer("ops"), "Idempotency-Key": b"\xff"}
    refused = await served.post("/crew/start", {"crew": "demo"}, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_idempotency_key")


async def test_a_scope_covers_what_it_says(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    assert (await served.get("/runs", headers=bearer("reader"))).status_code == 200
    start = {"crew": "demo"}
    refused = await served.post("/crew/start", start, headers=bearer("reader"))
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert (await served.post("/crew/start", start, headers=bearer("ops"))).status_code == 202
    path = f"/questions/{NOBODY}/answer"
    assert (await served.post(path, {"action": "approve"}, headers=bearer("reader"))).status_code == 403


@pytest.mark.parametrize(
    ("approvers", "other", "admin"),
    [
        (Approvers(), 403, 200),
        (Approvers(anyone=True), 200, 200),
        (Approvers(requester=False, listed=("key:other",)), 200, 200),
        (Approvers(requester=False, listed=("U1",)), 403, 200),
    ],
)
async def test_whose_answers_a_key_may_give(
    approvers: Approvers, other: int, admin: int, serve_with: Serve
) -> None:
    served = await serve_with(KEYS)
    await served.store.catalogue.announce("here", [demo(approvers=approvers)])
    for name, status in (("other", other), ("ops", admin)):
        claim = await served.started(headers=bearer("ci"))
        question = await served.ask(claim)
        path = f"/questions/{question.id}/answer"
        answer = await served.post(path, {"action": "approve"}, headers=bearer(name))
        assert answer.status_code == status, answer.text


async def test_a_key_cancels_its_own_runs_and_an_admin_all(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    for name, status in (("reader", 403), ("other", 403), ("ci", 200), ("ops", 200)):
        run_id = await served.start(headers=bearer("ci"))
        answer = await served.post(f"/runs/{run_id}/cancel", {}, headers=bearer(name))
        assert answer.status_code == status, name
        if status == 403:
            assert answer.json()["code"] == ("missing_scope" if name == "reader" else "not_allowed")


async def test_without_keys_the_person_at_this_machine_may_answer_everything(served: Served) -> None:
    await served.store.catalogue.announce(
        "here", [demo(approvers=Approvers(requester=False, listed=("U1", "key:ci")))]
    )
    question = await served.ask(await served.started())
    answer = await served.post(f"/questions/{question.id}/answer", {"action": "approve"})
    assert (answer.status_code, answer.json()["answered_by"]["name"]) == (200, "local")


async def test_without_keys_nobody_is_told_to_slow_down(serve_with: Serve) -> None:
    served = await serve_with({"CREWDECK_RATE_LIMIT": "1"})
    assert {(await served.get("/me")).status_code for _ in range(20)} == {200}


async def test_an_answer_records_the_key_and_for_whom(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    claim = await served.started(headers=bearer("ci"))
    question = await served.ask(claim)
    body = {"response": "Approve", "on_behalf_of": "ada@example.com"}
    await served.post(f"/{claim.run.id}/input", body, headers=bearer("ci"))
    [response] = await served.store.questions.responses(claim.run.id, question.id)
    assert response.actor == Actor(
        surface="http",
        user_id="key:ci",
        name="ci",
        authentication="api_key",
        on_behalf_of="ada@example.com",
    )


async def add_key(store: RedisStore, name: str, *scopes: Scope) -> dict[str, str]:
    secret = new_secret()
    assert await store.api_keys.add(ApiKey(name=name, scopes=scopes or tuple(Scope), digest=digest(secret)))
    return {"Authorization": f"Bearer {secret}"}


async def test_a_stored_key_lets_in_until_it_is_revoked_and_then_it_stays_locked(served: Served) -> None:
    assert (await served.get("/runs")).status_code == 200
    headers = await add_key(served.store, "ci")
    await eventually(partial(_answers, served, 401))
    assert (await served.get("/runs", headers=headers)).status_code == 200
    await served.store.api_keys.revoke("ci")
    await eventually(partial(_answers, served, 401, headers))
    assert (await served.get("/runs")).status_code == 401


async def _answers(served: Served, status: int, headers: Mapping[str, str] | None = None) -> bool:
    return (await served.get("/runs", headers=headers)).status_code == status


async def test_keys_that_left_the_settings_leave_the_door_locked(store: RedisStore) -> None:
    async with serve(store, KEYS):
        pass
    async with serve(store, {}) as served:
        assert (await served.get("/runs")).status_code == 401


async def test_a_revoked_keys_open_streams_are_ended(store: RedisStore) -> None:
    await store.catalogue.announce("here", [demo()])
    async with serve(store, {}, StreamTimings(quiet=0.2, check=0.2)) as served:
        headers = await add_key(served.store, "ci")
        await eventually(partial(_answers, served, 200, headers))
        async with asyncio.timeout(WITHIN):
            await _ends_when_revoked(served, headers)


async def _ends_when_revoked(served: Served, headers: dict[str, str]) -> None:
    run_id = await served.start(headers=headers)
    path = f"/events/human-input/{run_id}"
    address = f"{served.ws_url}/ws/human-input/{run_id}"
    async with (
        aconnect_sse(served.client, "GET", path, headers=headers) as source,
        websockets.connect(address, additional_headers=headers) as socket,
    ):
        events = source.aiter_sse()
        assert (await anext(events)).event == "run_started"
        await served.store.api_keys.revoke("ci")
        assert [event.event async for event in events] == []
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            _ = [message async for message in socket]
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == websockets.CloseCode.POLICY_VIOLATION


async def test_what_is_stored_of_a_key_does_not_open_anything(served: Served) -> None:
    headers = await add_key(served.store, "ci")
    [key] = await served.store.api_keys.list()
    secret = headers["Authorization"].removeprefix("Bearer ")
    assert secret not in key.model_dump_json()
    wrong = {"Authorization": f"Bearer {key.digest}"}
    await eventually(partial(_answers, served, 200, headers))
    assert (await served.get("/runs", headers=wrong)).status_code == 401


async def test_a_key_that_calls_too_often_is_told_when_to_come_back(serve_with: Serve) -> None:
    served = await serve_with(KEYS | {"CREWDECK_RATE_LIMIT": "2"})
    began = time.monotonic()
    answers = await asyncio.gather(*(served.get("/runs", headers=bearer("ci")) for _ in range(60)))
    refused = [answer for answer in answers if answer.status_code == 429]
    taken = len(answers) - len(refused)
    assert 4 <= taken <= 4 + 2 * (time.monotonic() - began) + 1
    assert refused[-1].json()["code"] == "rate_limited"
    assert int(refused[-1].headers["Retry-After"]) >= 1
    assert (await served.get("/runs", headers=bearer("ops"))).status_code == 200
    await asyncio.sleep(int(refused[-1].headers["Retry-After"]))
    assert (await served.get("/runs", headers=bearer("ci"))).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "wrong_host"),
        ({"Host": "127.0.0.1.evil.example"}, "wrong_host"),
        ({"Host": "localhost.evil.example:3000"}, "wrong_host"),
        ({"Host": "[::1"}, "wrong_host"),
        ({"Origin": "https://evil.example"}, "wrong_origin"),
        ({"Origin": "null"}, "wrong_origin"),
        ({"Origin": "http://["}, "wrong_origin"),
        ({"Origin": "http://localhost:1"}, "wrong_origin"),
        ({"X-Forwarded-For": "203.0.113.7"}, "forwarded"),
        ({"x-forwarded-host": "localhost"}, "forwarded"),
        ({"Forwarded": "for=203.0.113.7"}, "forwarded"),
        ({"Via": "1.1 proxy"}, "forwarded"),
        ({"X-Real-IP": "203.0.113.7"}, "forwarded"),
        ({"X-Forwarded": "for=203.0.113.7"}, "forwarded"),
        ({"CF-Connecting-IP": "203.0.113.7"}, "forwarded"),
        ({"X-Original-Host": "crews.example"}, "forwarded"),
    ],
)
async def test_without_keys_web_pages_and_the_world_are_kept_out(
    headers: dict[str, str], code: str, served: Served
) -> None:
    for path in ("/runs", "/", "/docs", "/metrics", "/events/human-input", "/ws/human-input"):
        answer = await served.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code), path
    refused = await served.post("/crew/start", {"crew": "demo"}, headers=headers)
    assert refused.status_code == 403
    assert (await served.get("/health", headers=headers)).status_code in {200, 404}


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "localhost"])
async def test_this_machine_may_call_by_its_names(host: str, served: Served) -> None:
    name = host.format(port=served.port)
    assert (await served.get("/runs", headers={"Host": name})).status_code == 200
    assert (await served.get("/runs", headers={"Host": name, "Origin": f"http://{name}"})).status_code == 200


async def test_a_web_page_cannot_open_a_websocket(served: Served) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"{served.ws_url}/ws/human-input", origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


async def test_listening_elsewhere_without_keys_answers_nobody_and_says_what_to_set(
    serve_with: Serve,
) -> None:
    served = await serve_with({"HOST": "0.0.0.0"})  # noqa: S104
    for path in ("/runs", "/docs", "/openapi.json", "/metrics", "/ready", "/"):
        answer = await served.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "keys_required"), path
        assert "crewdeck keys add" in answer.json()["detail"]
        assert "(HOST)" in answer.json()["detail"]
    assert (await served.get("/slack/events")).status_code == 404  # whoever answers there checks signatures


async def test_pages_of_named_origins_may_call_and_others_may_not(serve_with: Serve) -> None:
    served = await serve_with(KEYS | {"CREWDECK_CORS_ORIGINS": "https://intranet.example/"})
    asked = {"Origin": "https://intranet.example", "Access-Control-Request-Method": "POST"}
    allowed = await served.client.options("/crew/start", headers=asked)
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://intranet.example"
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    answer = await served.get("/runs", headers={**bearer("ci"), "Origin": "https://intranet.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://intranet.example"
    other = await served.client.options("/crew/start", headers={**asked, "Origin": "https://evil.example"})
    assert other.status_code == 401
    assert not [name for name in other.headers if name.lower().startswith("access-control")]


async def test_a_problem_never_repeats_a_secret(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    secret = SECRETS["reader"] + "x"
    for answer in (
        await served.get("/runs", headers={"Authorization": f"Bearer {secret}"}),
        await served.get(f"/ws/human-input?token={secret}"),
    ):
        assert answer.status_code == 401
        assert secret not in json.dumps([answer.text, dict(answer.headers)])

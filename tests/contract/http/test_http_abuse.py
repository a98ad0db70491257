"""Wrong keys, too many streams, and whatever else is sent where people sign in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.core import sessions
from bot.core.errors import SettingsError
from bot.core.people.actor import Actor, Membership
from bot.core.people.api_keys import Scope, parse_keys
from bot.core.starting import plan
from bot.store.redis import RedisStore
from bot.surfaces.trust import OVERALL_RATE, RATE_PER_ADDRESS, AttemptRate, FailedKeyAttempts
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, SECRETS, Served, bearer, demo, serve
from tests.waiting import WITHIN, eventually

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def console(store: RedisStore) -> AsyncIterator[Served]:
    """The API with keys, and the console's sign-in."""
    async with serve(store, KEYS, console=True) as served:
        yield served


# ── wrong keys ──────────────────────────────────────────────────────────────────────────────────────────


async def test_wrong_keys_are_throttled_and_right_ones_never_are(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    statuses = [
        (await served.get("/runs", headers={"Authorization": f"Bearer {number}"})).status_code
        for number in range(RATE_PER_ADDRESS.burst + 3)
    ]
    assert statuses[: RATE_PER_ADDRESS.burst] == [401] * RATE_PER_ADDRESS.burst
    assert statuses[-1] == 429
    slowed = await served.get("/ws/human-input?token=wrong")
    assert (slowed.status_code, slowed.json()["code"]) == (429, "rate_limited")
    assert int(slowed.headers["Retry-After"]) >= 1
    assert (await served.get("/runs", headers=bearer("ci"))).status_code == 200
    assert (await served.get("/runs")).status_code == 401  # no key is no guess


async def test_wrong_keys_in_the_form_count_too(console: Served) -> None:
    own = {"Origin": console.url}
    for _ in range(RATE_PER_ADDRESS.burst):
        wrong = await console.client.post("/console/sign-in", data={"key": "wrong"}, headers=own)
        assert wrong.status_code == 401
    slowed = await console.client.post("/console/sign-in", data={"key": "wrong"}, headers=own)
    assert slowed.status_code == 429
    assert int(slowed.headers["Retry-After"]) >= 1
    right = await console.client.post("/console/sign-in", data={"key": SECRETS["ci"]}, headers=own)
    assert right.status_code == 303


def test_wrong_keys_from_everywhere_are_bounded_together() -> None:
    now = [0.0]
    wrong = FailedKeyAttempts(AttemptRate(2, 1), AttemptRate(5, 1), lambda: now[0])
    with capture_logs() as said:
        assert [wrong.count(f"198.51.100.{number}") > 0 for number in range(7)] == [False] * 5 + [True] * 2
    assert [(line["event"], line["address"]) for line in said] == [
        ("Many wrong keys are tried", "198.51.100.5")
    ]
    now[0] = 10
    assert wrong.count("198.51.100.1") == 0


def test_one_ipv6_network_counts_as_one_client() -> None:
    wrong = FailedKeyAttempts(AttemptRate(1, 0.001), OVERALL_RATE, lambda: 0.0)
    assert wrong.count("2001:db8:0:1::1") == 0
    assert wrong.count("2001:db8:0:1::ffff") > 0
    assert wrong.count("2001:db8:0:2::1") == 0
    assert wrong.count("::ffff:198.51.100.1") == 0
    assert wrong.count("::ffff:198.51.100.2") == 0


@pytest.mark.parametrize("text", ["ci:x", "ops:abc:admin", "a:" + "x" * 15])
def test_keys_that_can_be_guessed_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="too short"):
        parse_keys(text)
    monkeypatch.setenv("CREWDECK_API_KEYS", text)
    from bot.settings import load

    with pytest.raises(SettingsError, match=r"CREWDECK_API_KEYS.*openssl rand"):
        load()


async def test_an_expectation_that_nobody_knows_is_a_problem_like_any_other(serve_with: Serve) -> None:
    served = await serve_with({})
    for path in ("/runs", "/nowhere"):
        refused = await served.get(path, headers={"Expect": "a-miracle"})
        assert (refused.status_code, refused.json()["code"]) == (417, "expectation_failed"), path
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["X-Content-Type-Options"] == "nosniff"


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_key_may_have_so_many_streams_open_and_no_more(serve_with: Serve) -> None:
    served = await serve_with(KEYS | {"CREWDECK_STREAMS_PER_KEY": "3"})
    run_id = await served.start(headers=bearer("ops"))
    address = f"{served.ws_url}/ws/human-input"
    async with contextlib.AsyncExitStack() as stack:
        for path in ("", "", f"/{run_id}"):
            opening = websockets.connect(address + path, additional_headers=bearer("ci"))
            await stack.enter_async_context(opening)
        for path in (
            "/events/human-input",
            f"/events/human-input/{run_id}",
            f"/{run_id}/stream",
            "/poll/human-input?wait=1",
        ):
            refused = await served.get(path, headers=bearer("ci"))
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams"), path
            assert "Retry-After" in refused.headers
        with pytest.raises(websockets.InvalidStatus) as no:
            await websockets.connect(address, additional_headers=bearer("ci"))
        assert no.value.response.status_code == 429
        async with websockets.connect(address, additional_headers=bearer("other")):
            pass
    # What its sockets took is given back when the server has seen them close.
    await eventually(lambda: _may_poll(served))


async def _may_poll(served: Served) -> bool:
    return (await served.get("/poll/human-input", headers=bearer("ci"))).status_code == 200


# ── what people who have signed in don't see ────────────────────────────────────────────────────────────


async def test_the_socket_of_all_runs_says_nothing_of_hidden_ones(store: RedisStore) -> None:
    await store.catalogue.announce("here", [demo()])
    async with serve(store, KEYS, console=True) as served:
        claim = await served.started(headers=bearer("ci"))
        question = await served.ask(claim)
        await served.post(f"/questions/{question.id}/answer", {"action": "approve"}, headers=bearer("ops"))
        eve = Actor(surface="slack", tenant="T1", user_id="UEVE", name="Eve", membership=Membership.MEMBER)
        scopes = (Scope.READ, Scope.ANSWER)
        token = await sessions.open_session(store.key_values, sessions.person_at_console(eve), scopes)
        headers = {"Cookie": f"crewdeck_session={token}", "Origin": served.url}
        async with websockets.connect(
            f"{served.ws_url}/ws/human-input", additional_headers=headers
        ) as socket:
            assert '"snapshot_complete"' in await socket.recv()
            answer = f'{{"type": "answer", "question_id": "{question.id}", "action": "approve"}}'
            await socket.send(answer)
            told = await socket.recv()
            assert '"unknown_question"' in told
            assert "ops" not in told
            mine, _ = await store.runs.start(plan(demo(), {}, eve, key="mine"))
            await served.ask(await served.claim(), "Mine?")
            assert f'"execution_id":"{mine.id}"' in await socket.recv()


# ── what is sent where people sign in ───────────────────────────────────────────────────────────────────


ODD_TYPES = (
    FORM,
    f"{FORM}; charset=nonsense",
    f"{FORM}; charset=utf-16",
    f"{FORM}; charset=",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=" + "x" * 100,
    "multipart/mixed; boundary=x",
    "application/json",
    "text/plain",
    ";;;",
    "",
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        (
            b"",
            b"key",
            b"key=%",
            b"key=%ff%fe",
            b"key=%00",
            b"key=%ed%a0%80",
            b"key=a&key=b",
            b"&" * 5000,
            b"key=" + b"x" * 100_000,
            b'--x\r\nContent-Disposition: form-data; name="key"; filename="a"\r\n\r\nx\r\n--x--\r\n',
            b"--x\r\nContent-Transfer-Encoding: base64\r\n\r\n!!\r\n--x--\r\n",
            b"--x\r\n",
        )
    ),
)
# What a header's line can hold, and what it can't but somebody sends all the same.
VALUES = st.binary(max_size=80).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))


async def test_a_malformed_sign_in_is_the_clients_mistake(console: Served) -> None:
    for kind in ODD_TYPES:
        for body in (b"key=wrong", b"\xff", b"--x\r\n", b""):
            for path in ("/console/sign-in", "/console/local"):
                headers = {"Origin": console.url, "Content-Type": kind}
                answer = await console.client.post(path, content=body, headers=headers)
                assert 400 <= answer.status_code < 500, (path, kind, body)


async def test_nothing_that_is_sent_to_sign_in_is_a_servers_error(console: Served) -> None:
    heads: list[tuple[bytes, bytes]] = []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(
            ("/console/sign-in", "/console/local", "/console/sign-out", "/console/link/" + "x" * 43, "/runs")
        ),
        kind=st.one_of(st.sampled_from(ODD_TYPES).map(str.encode), VALUES),
        authorization=VALUES,
        cookie=st.one_of(VALUES, VALUES.map(lambda value: b"crewdeck_session=" + value)),
        origin=st.one_of(st.just(console.url.encode()), VALUES),
        body=BODIES,
    )
    def collect(
        path: str, kind: bytes, authorization: bytes, cookie: bytes, origin: bytes, body: bytes
    ) -> None:
        lines = (
            f"POST {path} HTTP/1.1".encode(),
            f"Host: 127.0.0.1:{console.port}".encode(),
            b"Connection: close",
            b"Content-Length: %d" % len(body),
            b"Content-Type: " + kind,
            b"Authorization: Bearer " + authorization,
            b"Cookie: " + cookie,
            b"Origin: " + origin,
        )
        heads.append((b"\r\n".join(lines) + b"\r\n\r\n", body))

    await asyncio.to_thread(collect)
    for head, body in heads:
        status = await _status(console, head + body)
        assert status < 500, head


async def _status(served: Served, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        line = await asyncio.wait_for(reader.readline(), WITHIN)
        return int(line.split()[1])
    finally:
        writer.close()


# ── the address that browsers come by ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://crews.example", "Host": "crews.example"}, 303),
        ({"Origin": "http://crews.example", "Host": "crews.example", "X-Forwarded-Proto": "https"}, 403),
        ({"Origin": "https://crews.example:444", "Host": "crews.example"}, 403),
        ({"Origin": "https://evil.example", "Host": "crews.example"}, 403),
        ({"Origin": "null", "Host": "crews.example"}, 403),
        ({"Host": "crews.example"}, 403),
    ],
)
async def test_an_origin_is_a_scheme_too(store: RedisStore, headers: Mapping[str, str], status: int) -> None:
    public = {"CREWDECK_PUBLIC_URL": "https://crews.example"}
    async with serve(store, KEYS | public, console=True) as served:
        answer = await served.client.post("/console/sign-in", data={"key": SECRETS["ci"]}, headers=headers)
        assert answer.status_code == status
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_without_a_public_address_over_tls_nobody_is_told_to_use_it(served: Served) -> None:
    assert "Strict-Transport-Security" not in (await served.get("/runs")).headers

"""Answering over the WebSocket; mistakes are answered, not punished."""

import asyncio
import json
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, SECRETS, Served, bearer
from tests.waiting import WITHIN


async def say(socket: ClientConnection, message: object) -> dict[str, Any]:
    """Say something; the answer, events left out."""
    await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    while True:
        heard: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), WITHIN))
        if heard["type"] in {"accepted", "error"}:
            return heard


@pytest.mark.parametrize("everywhere", [False, True], ids=["one run", "all runs"])
async def test_an_answer_is_accepted_and_comes_as_an_event(everywhere: bool, served: Served) -> None:  # noqa: FBT001
    claim = await served.started()
    question = await served.ask(claim)
    path = "/ws/human-input" if everywhere else f"/ws/human-input/{claim.run.id}"
    async with websockets.connect(f"{served.ws_url}{path}") as socket:
        message = {"type": "answer", "request_id": "r1", "question_id": question.id, "action": "approve"}
        heard = await say(socket, {**message, "value": None})
        assert (heard["type"], heard["request_id"], heard["action"]) == ("accepted", "r1", "approve")
        assert heard["answered_by"]["name"] == "local"
        again = await say(socket, message)
        assert again == heard | {"repeated": True}
        late = await say(socket, {**message, "action": "reject", "request_id": 2})
        assert (late["type"], late["request_id"], late["code"]) == ("error", 2, "settled")
        assert late["outcome"]["human_feedback"] == "Approve"


async def test_a_ping_is_answered(served: Served) -> None:
    claim = await served.started()
    async with websockets.connect(f"{served.ws_url}/ws/human-input/{claim.run.id}") as socket:
        assert await asyncio.wait_for(await socket.ping("are you there?"), WITHIN) < WITHIN


async def test_words_and_choices_go_in_the_value(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    async with websockets.connect(f"{served.ws_url}/ws/human-input/{claim.run.id}") as socket:
        message = {
            "type": "answer",
            "question_id": question.id,
            "action": "respond",
            "value": "Shorter, please.",
        }
        assert (await say(socket, message))["human_feedback"] == "Shorter, please."


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        (b"\x00\x01", "invalid_json"),
        ("[]", "invalid_request"),
        ("7", "invalid_request"),
        ({"type": "answer"}, "invalid_request"),
        ({"type": "shout", "request_id": "r"}, "invalid_request"),
        ({"type": "answer", "question_id": "x" * 36, "action": "approve", "really": True}, "invalid_request"),
        ({"type": "answer", "question_id": "0" * 36, "action": "expire"}, "invalid_request"),
        (
            {"type": "answer", "question_id": "0" * 36, "action": "approve", "request_id": True},
            "invalid_request",
        ),
        ({"type": "answer", "question_id": "0" * 36, "action": "approve"}, "unknown_question"),
        ('"' + "x" * 256 * 1024 + '"', "too_large"),
        ('"' + "x" * 8 * 1024 * 1024 + '"', "too_large"),
    ],
)
async def test_a_mistake_gets_an_error_and_the_connection_lives(
    message: object, code: str, served: Served
) -> None:
    claim = await served.started()
    async with websockets.connect(f"{served.ws_url}/ws/human-input/{claim.run.id}") as socket:
        heard = await say(socket, message)
        assert (heard["type"], heard["code"]) == ("error", code)
        assert heard["detail"]
        question = await served.ask(claim)
        good = {"type": "answer", "question_id": question.id, "action": "approve"}
        assert (await say(socket, good))["type"] == "accepted"


async def test_a_question_of_another_run_is_unknown_here(served: Served) -> None:
    claim, other = await served.started(), await served.started()
    question = await served.ask(other)
    async with websockets.connect(f"{served.ws_url}/ws/human-input/{claim.run.id}") as socket:
        message = {"type": "answer", "question_id": question.id, "action": "approve"}
        assert (await say(socket, message))["code"] == "unknown_question"


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_key_opens_it_and_its_scope_limits_it(how: str, serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    claim = await served.started(headers=bearer("ci"))
    question = await served.ask(claim)
    path = f"{served.ws_url}/ws/human-input/{claim.run.id}"
    query = f"?token={SECRETS['reader']}" if how == "query" else ""
    headers = bearer("reader") if how == "header" else {}
    async with websockets.connect(path + query, additional_headers=headers) as socket:
        message = {"type": "answer", "question_id": question.id, "action": "approve"}
        assert (await say(socket, message))["code"] == "missing_scope"


@pytest.mark.parametrize("token", ["", "?token=wrong"])
async def test_without_a_key_it_is_refused_before_the_upgrade(token: str, serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    run_id = await served.start(headers=bearer("ci"))
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"{served.ws_url}/ws/human-input/{run_id}{token}")
    assert refused.value.response.status_code == 401

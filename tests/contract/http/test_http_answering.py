"""What an answer is held to: what its giver was shown, and what they may know."""

import json
from typing import Any

import pytest
import websockets

from bot.core.errors import Refused
from bot.core.people.actor import Actor
from bot.core.people.policy import Approvers
from bot.core.questions.question import Action, Question, QuestionKind
from bot.core.questions.response import make_response
from tests.contract.http.conftest import Serve
from tests.contract.http.served import SECRETS, Served, demo

OTHER = f"sha256:{'0' * 64}"
ANSWER_ONLY = "w" * 40
KEYS = {
    "CREWDECK_API_KEYS": (
        f"ci:{SECRETS['ci']}:read+start+answer,reader:{SECRETS['reader']}:read+answer,"
        f"blind:{ANSWER_ONLY}:start+answer"
    )
}


def bearer(name: str) -> dict[str, str]:
    secret = ANSWER_ONLY if name == "blind" else SECRETS[name]
    return {"Authorization": f"Bearer {secret}"}


async def over_websocket(served: Served, path: str, message: dict[str, Any], key: str = "") -> dict[str, Any]:
    """What the server says to an answer; its code, like a problem's, under `code`."""
    async with websockets.connect(
        f"{served.ws_url}{path}", additional_headers=bearer(key) if key else {}
    ) as socket:
        await socket.send(json.dumps({"type": "answer", "request_id": 7, **message}))
        while True:
            heard: dict[str, Any] = json.loads(await socket.recv())
            if heard.get("request_id") == 7:
                return heard


async def answered(served: Served, question: Question, body: dict[str, Any], key: str = "") -> list[str]:
    """The codes (empty: it counts) of an answer on each path that takes one."""
    headers = bearer(key) if key else {}
    by_id = {"question_id": question.id, **body}
    heard = [
        (await served.post(f"/questions/{question.id}/answer", body, headers=headers)).json(),
        (await served.post(f"/{question.run_id}/input", by_id, headers=headers)).json(),
        (await served.post(f"/{question.run_id}/input", body, headers=headers)).json(),
        await over_websocket(served, f"/ws/human-input/{question.run_id}", by_id, key),
        await over_websocket(served, "/ws/human-input", by_id, key),
    ]
    assert not [each for each in heard if "code" in each and ("outcome" in each or "prompt" in str(each))]
    return [each.get("code", "") for each in heard]


async def test_an_answer_to_something_else_is_stale(served: Served) -> None:
    question = await served.ask(await served.started())
    shown = (await served.get(f"/questions/{question.id}")).json()
    [announced] = (await served.get(f"/poll/human-input/{question.run_id}")).json()["events"][1:]
    assert question.digest == shown["digest"] == announced["digest"]
    body = {"action": "approve", "digest": OTHER}
    assert await answered(served, question, body) == ["stale"] * 5
    words = {"response": "Approve", "digest": OTHER}
    stale = await served.post(f"/{question.run_id}/input", words)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert "shown" in stale.json()["detail"]
    assert (await served.store.questions.get(question.run_id, question.id)).open
    assert await answered(served, question, body | {"digest": shown["digest"]}) == [""] * 2 + [
        "no_open_question",
        "",
        "",
    ]


async def test_what_is_no_digest_is_said(served: Served) -> None:
    question = await served.ask(await served.started())
    body = {"action": "approve", "digest": "5" * 64}
    refused = await served.post(f"/questions/{question.id}/answer", body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "digest"


async def test_an_answer_without_a_digest_counts(served: Served) -> None:
    question = await served.ask(await served.started(), kind=QuestionKind.TEXT)
    body = {"action": "respond", "value": "blue"}
    assert (await served.post(f"/questions/{question.id}/answer", body)).status_code == 200


@pytest.mark.parametrize("settled", [False, True])
async def test_who_may_know_of_a_question_but_not_answer_it_hears_no_outcome(
    *, settled: bool, serve_with: Serve
) -> None:
    served = await serve_with(KEYS)
    question = await served.ask(await served.started(headers=bearer("ci")))
    if settled:
        await _settle(served, question)
    codes = await answered(served, question, {"action": "approve"}, "reader")
    assert (
        codes
        == ["not_allowed", "not_allowed", "no_open_question" if settled else "not_allowed"]
        + ["not_allowed"] * 2
    )


@pytest.mark.parametrize("settled", [False, True])
async def test_to_who_may_not_know_of_a_question_there_is_none(*, settled: bool, serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    question = await served.ask(await served.started(headers=bearer("ci")))
    await served.ask(await served.started(headers=bearer("ci")), "Another?")
    if settled:
        await _settle(served, question)
    for body in ({"action": "approve"}, {"action": "approve", "digest": OTHER}, {"action": "choose"}):
        by_id = {"question_id": question.id, **body}
        heard = [
            await served.post(f"/questions/{question.id}/answer", body, headers=bearer("blind")),
            await served.post(f"/{question.run_id}/input", by_id, headers=bearer("blind")),
            await served.post(f"/{question.run_id}/input", body, headers=bearer("blind")),
            await served.post(f"/runs/{question.run_id}/cancel", {}, headers=bearer("blind")),
            await served.post(f"/runs/{question.run_id}/retry", {}, headers=bearer("blind")),
        ]
        assert [each.status_code for each in heard] == [404] * 5
        assert [each.json()["code"] for each in heard] == ["unknown_question"] * 2 + ["unknown_run"] * 3


async def test_a_key_that_reads_nothing_answers_what_is_for_it(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    await served.store.catalogue.announce(
        "here", [demo(approvers=Approvers(requester=False, listed=("key:blind",)))]
    )
    question = await served.ask(await served.started(headers=bearer("ci")))
    taken = await served.post(f"/{question.run_id}/input", {"response": "Approve"}, headers=bearer("blind"))
    assert taken.status_code == 200
    own = await served.ask(await served.started(headers=bearer("blind")))
    assert (await served.post(f"/{own.run_id}/input", {"response": "?"}, headers=bearer("blind"))).is_success


async def test_who_may_not_cancel_hears_nothing_of_the_end(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    claim = await served.started(headers=bearer("ci"))
    await served.store.queue.finish(claim, result="done")
    refused = await served.post(f"/runs/{claim.run.id}/cancel", {}, headers=bearer("blind"))
    assert refused.status_code == 404
    with pytest.raises(Refused) as stranger:
        await served.store.runs.cancel(claim.run.id, Actor(surface="http", user_id="key:other"))
    assert stranger.value.code == "not_allowed"


async def _settle(served: Served, question: Question) -> None:
    by = Actor(surface="http", user_id="key:ci")
    await served.store.questions.respond(
        question.run_id, question.id, make_response(Action.REJECT, by, key="k")
    )


@pytest.mark.parametrize("body", [{"response": "Approve"}, {"action": "approve"}], ids=["words", "action"])
async def test_a_repeated_request_never_answers_the_next_question(
    body: dict[str, str], served: Served
) -> None:
    claim, key = await served.started(), {"Idempotency-Key": "one press"}
    first = await served.ask(claim, "Publish it?")
    said = await served.post(f"/{claim.run.id}/input", body, headers=key)
    assert (said.status_code, said.json()["question_id"]) == (200, first.id)
    following = await served.ask(claim, "Pay for it?")
    again = await served.post(f"/{claim.run.id}/input", body, headers=key)
    assert (again.status_code, again.json()["question_id"], again.json()["repeated"]) == (200, first.id, True)
    assert (await served.store.questions.get(claim.run.id, following.id)).open
    meant = await served.post(f"/{claim.run.id}/input", body, headers={"Idempotency-Key": "another press"})
    assert meant.json()["question_id"] == following.id


async def test_the_keys_of_two_callers_and_of_two_runs_do_not_meet(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    key = {"Idempotency-Key": "the same"}
    for caller in ("ci", "ci"):
        claim = await served.started(headers=bearer(caller))
        question = await served.ask(claim)
        for asker, status in (("reader", 403), (caller, 200)):
            said = await served.post(
                f"/{claim.run.id}/input", {"response": "Approve"}, headers={**bearer(asker), **key}
            )
            assert said.status_code == status
        assert not (await served.store.questions.get(claim.run.id, question.id)).open


async def test_a_refused_request_can_be_mended_under_the_same_key(served: Served) -> None:
    claim, key = await served.started(), {"Idempotency-Key": "one press"}
    asked = [await served.ask(claim, prompt) for prompt in ("One?", "Two?")]
    path = f"/{claim.run.id}/input"
    several = await served.post(path, {"response": "Approve"}, headers=key)
    assert several.json()["code"] == "several_open_questions"
    named = {"response": "Approve", "question_id": asked[1].id}
    assert (await served.post(path, named, headers=key)).json()["question_id"] == asked[1].id
    assert (await served.post(path, {"response": "Approve"}, headers=key)).json()["question_id"] == asked[
        0
    ].id

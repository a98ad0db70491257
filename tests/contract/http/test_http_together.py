"""Whoever answers first, wherever, settles it for everybody."""

import asyncio
import json
import time
from typing import Any

import pytest
import websockets

from bot.core.people.actor import Actor
from bot.core.people.policy import Approvers, can_decide
from bot.core.questions.question import Action, Deadline, QuestionKind
from bot.core.questions.response import make_response
from bot.core.runs.run import Run
from bot.surfaces.http.streams.wire import RECHECK_INTERVAL_S
from tests.contract.examples import ADA, LOST
from tests.contract.http.conftest import Serve
from tests.contract.http.following import all_of, over_sse, over_websocket
from tests.contract.http.served import KEYS, Served, bearer, demo

ATTEMPTS = 5


async def from_slack(served: Served, run: Run, question_id: str) -> dict[str, Any]:
    """A press in Slack, as its surface passes it on."""
    said = make_response(Action.REJECT, ADA, key="press")
    ruling = await served.store.questions.respond(run.id, question_id, said)
    return {"surface": "slack", "counted": ruling.verdict.value == "settled"}


async def over_http(served: Served, run: Run, question_id: str) -> dict[str, Any]:
    answer = await served.post(f"/{run.id}/input", {"response": "Approve", "question_id": question_id})
    assert answer.status_code in {200, 409}
    if answer.status_code == 409:
        assert answer.json()["code"] == "settled"
        assert answer.json()["outcome"]["answered_by"]
    return {"surface": "http", "counted": answer.status_code == 200}


async def over_socket(served: Served, run: Run, question_id: str) -> dict[str, Any]:
    message = {"type": "answer", "question_id": question_id, "action": "respond", "value": "Later."}
    async with websockets.connect(f"{served.ws_url}/ws/human-input/{run.id}") as socket:
        await socket.send(json.dumps(message))
        while (heard := json.loads(await socket.recv()))["type"] not in {"accepted", "error"}:
            pass
    if heard["type"] == "error":
        assert heard["code"] == "settled"
    return {"surface": "http", "counted": heard["type"] == "accepted"}


@pytest.mark.parametrize("order", range(6))
async def test_of_answers_from_everywhere_at_once_one_counts(order: int, served: Served) -> None:
    await served.store.catalogue.announce("here", [demo(approvers=Approvers(anyone=True))])
    claim = await served.started()
    question = await served.ask(claim)
    ways = [from_slack, over_http, over_socket]
    ways = ways[order % 3 :] + ways[: order % 3]
    ways = ways[::-1] if order >= 3 else ways
    streams = [
        asyncio.create_task(all_of(follow(served, f"/{claim.run.id}", "")))
        for follow in (over_sse, over_websocket)
    ]
    said = await asyncio.gather(*(way(served, claim.run, question.id) for way in ways))
    [winner] = [each["surface"] for each in said if each["counted"]]
    shown = (await served.get(f"/questions/{question.id}")).json()
    assert shown["outcome"]["answered_by"]["surface"] == winner
    await served.store.queue.finish(claim, result="x")
    for found in await asyncio.gather(*streams):
        told = [json.loads(data) for data, _ in found]
        completed = [each for each in told if each["type"] == "human_input_completed"]
        assert [each["action"] for each in completed] == [shown["outcome"]["action"]]


async def test_a_program_hears_at_once_what_was_decided_in_slack(served: Served) -> None:
    """Not only when all runs are read again. Where much else is going on, one of several attempts will do."""
    await served.store.catalogue.announce("here", [demo(approvers=Approvers(anyone=True))])
    took: list[float] = []
    while not took or (min(took) >= RECHECK_INTERVAL_S / 10 and len(took) < ATTEMPTS):
        took.append(await heard_after(served))
    assert min(took) < RECHECK_INTERVAL_S / 10


async def heard_after(served: Served) -> float:
    """Seconds from a decision in Slack until a program has heard of it."""
    claim = await served.started()
    question = await served.ask(claim)
    async with websockets.connect(f"{served.ws_url}/ws/human-input/{claim.run.id}") as socket:
        await from_slack(served, claim.run, question.id)
        decided = time.monotonic()
        while (heard := json.loads(await socket.recv()))["type"] != "human_input_completed":
            pass
        took = time.monotonic() - decided
    assert (heard["action"], heard["human_feedback"]) == ("reject", "Reject")
    return took


async def test_what_time_decided_is_told_to_who_comes_too_late(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim, deadline=Deadline(after=1))
    await asyncio.sleep(1.05)
    await served.store.clock.apply_due(LOST)
    late = await served.post(f"/questions/{question.id}/answer", {"action": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "settled")
    assert late.json()["outcome"]["action"] == "expire"
    assert late.json()["outcome"]["answered_by"] is None


@pytest.mark.parametrize("words", ["tea", " TEA ", "Tea"])
async def test_a_label_is_a_choice_whatever_its_case(words: str, served: Served) -> None:
    claim = await served.started()
    await served.ask(claim, "Which?", QuestionKind.CHOICE, ("Coffee", "Tea"))
    answer = await served.post(f"/{claim.run.id}/input", {"response": words})
    assert (answer.json()["action"], answer.json()["value"]) == ("choose", "2")


@pytest.mark.parametrize("words", ["REJECT", "reject"])
async def test_an_action_is_a_choice_whatever_its_case(words: str, served: Served) -> None:
    claim = await served.started()
    await served.ask(claim, kind=QuestionKind.REVIEW)
    answer = await served.post(f"/{claim.run.id}/input", {"response": words})
    assert answer.json()["action"] == "reject"


@pytest.mark.parametrize("words", ["expire", "cancel", "respond", "1"])
async def test_what_is_nobodys_to_say_is_an_answer_in_words(words: str, served: Served) -> None:
    claim = await served.started()
    await served.ask(claim)
    answer = await served.post(f"/{claim.run.id}/input", {"response": words})
    assert (answer.json()["action"], answer.json()["comment"]) == ("respond", words)


async def test_listed_people_of_slack_are_nobody_where_a_run_has_no_workspace(serve_with: Serve) -> None:
    """A user's id means a person only together with their workspace: without one it fails closed."""
    served = await serve_with(KEYS)
    await served.store.catalogue.announce(
        "here", [demo(approvers=Approvers(requester=False, listed=("U1",)))]
    )
    claim = await served.started(headers=bearer("ci"))
    question = await served.ask(claim)
    for tenant in ("T1", "T2"):
        somebody = Actor(surface="slack", tenant=tenant, user_id="U1", name="Ada")
        assert not can_decide(somebody, question.policy)
    answer = {"action": "approve"}
    path = f"/questions/{question.id}/answer"
    assert (await served.post(path, answer, headers=bearer("ci"))).status_code == 403
    assert (await served.post(path, answer, headers=bearer("ops"))).status_code == 200

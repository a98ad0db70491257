"""Halves of surrogate pairs, which JSON can spell and no text can hold, are replaced where they enter."""

from __future__ import annotations

import pytest

from bot.core.questions.question import Option, QuestionKind
from tests.contract.http.served import Served

JSON = {"Content-Type": "application/json"}


async def test_in_the_inputs_of_a_run(served: Served) -> None:
    body = rb'{"crew": "demo", "on_behalf_of": "\ude00 Ada"}'
    answer = await served.client.post("/crew/start", content=body, headers=JSON)
    assert answer.status_code == 202, answer.text
    run = (await served.get(f"/runs/{answer.json()['run_id']}")).json()
    assert run["requester"]["on_behalf_of"] == "\ufffd Ada"


async def test_in_an_answer(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim, "half \ud83d?", QuestionKind.TEXT)
    [shown] = (await served.get("/questions")).json()["questions"]
    assert shown["prompt"] == "half \ufffd?"
    body = rb'{"action": "respond", "value": "half \ud83d", "comment": "whole \ud83d\ude00"}'
    answer = await served.client.post(f"/questions/{question.id}/answer", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    [settled] = await served.store.questions.list(claim.run.id)
    assert settled.outcome is not None
    assert settled.outcome.comment == "half \ufffd\nwhole 😀"


async def test_in_what_a_run_comes_to(served: Served) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, result="half \ud83d")
    assert (await served.get(f"/runs/{claim.run.id}")).json()["result"] == "half \ufffd"


@pytest.mark.parametrize(
    "body",
    [
        rb'{"crew": "\u12"}',
        rb'{"crew": "\ud83d", "inputs": {"a": NaN}}',
        rb'{"crew": "\ud83d"',
        rb'{"crew": "demo", "inputs": {"a": 1e999}}',
        rb'{"crew": "\ud83d", "inputs": {"a": [-1e999]}}',
    ],
)
async def test_what_is_no_json_for_another_reason_is_refused(body: bytes, served: Served) -> None:
    answer = await served.client.post("/crew/start", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


async def test_deeply_nested_halves_are_no_crash(served: Served) -> None:
    body = b'{"crew": "demo", "inputs": {"a": ' + b"[" * 100_000 + rb'"\ud83d"' + b"]" * 100_000 + b"}}"
    answer = await served.client.post("/crew/start", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


async def test_a_value_that_is_one_options_id_and_anothers_label_is_refused(served: Served) -> None:
    """As earlier releases asked."""
    claim = await served.started()
    options = tuple(Option(id=str(at), label=each) for at, each in enumerate(("2", "3", "None"), start=1))
    question = await served.ask(claim, "How many?", QuestionKind.CHOICE, options=options)
    path = f"/questions/{question.id}/answer"
    refused = await served.post(path, {"action": "choose", "value": "2"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_answer")
    assert "label of another" in refused.json()["detail"]
    chosen = await served.post(path, {"action": "choose", "value": "NONE"})
    assert (chosen.status_code, chosen.json()["value"]) == (200, "3")


@pytest.mark.parametrize("by", ["id", "label"])
@pytest.mark.parametrize("wanted", ["1", "2", "3"])
async def test_numbers_may_be_chosen_by_id_and_by_label(served: Served, wanted: str, by: str) -> None:
    """Terminal and console send the id of what was pressed: here each of the numbers would be two options."""
    claim = await served.started()
    question = await served.ask(claim, "How many?", QuestionKind.CHOICE, ("3", "1", "2"))
    shown = (await served.get(f"/questions/{question.id}")).json()["options"]
    [value] = [each[by] for each in shown if each["label"] == wanted]
    chosen = await served.post(f"/questions/{question.id}/answer", {"action": "choose", "value": value})
    assert (chosen.status_code, chosen.json()["human_feedback"]) == (200, wanted)


async def test_an_id_that_is_nobodys_label_is_taken(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim, "How many?", QuestionKind.CHOICE, ("2", "3", "None"))
    chosen = await served.post(f"/questions/{question.id}/answer", {"action": "choose", "value": "1"})
    assert (chosen.status_code, chosen.json()["value"]) == (200, "1")

"""Runs over HTTP, as a program starts, reads, answers and cancels them."""

import asyncio

import pytest
import redis

from bot.core.forms.fields import Field, FieldType
from bot.core.questions.question import Action, QuestionKind
from bot.core.runs.crew import CrewProblem
from bot.core.runs.run import RunError
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, Served, bearer, demo


async def test_a_started_run_can_be_read(served: Served) -> None:
    answer = await served.post("/crew/start", {"crew": "demo"})
    run_id = answer.json()["run_id"]
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/runs/{run_id}"
    run = (await served.get(f"/runs/{run_id}")).json()
    assert (run["run_id"], run["crew"], run["status"]) == (run_id, "demo", "queued")
    assert run["requester"] == {"surface": "http", "name": "local", "on_behalf_of": None}
    assert (run["questions"], run["result"], run["finished_at"]) == ([], None, None)


async def test_a_queued_run_says_what_it_waits_for(served: Served) -> None:
    run_id, _ = await served.start(), await served.start()
    run = (await served.get(f"/runs/{run_id}")).json()
    assert run["waiting_for"]["code"] == "worker"
    assert run["waiting_for"]["message"].startswith("No worker that can run")
    broken = CrewProblem(name="demo", problem="demo/crew.yaml:3: titel: is no key", remedy="Correct it.")
    await served.store.catalogue.announce("here", [], problems=[broken])
    run = (await served.get(f"/runs/{run_id}")).json()
    assert run["waiting_for"]["code"] == "worker"
    assert "is up: demo/crew.yaml:3: titel: is no key. Correct it." in run["waiting_for"]["message"]
    await served.store.queue.register_worker("w1", {"demo": None}, 30)
    listed = (await served.get("/runs")).json()["runs"]
    assert [(each["waiting_for"]["code"], each["waiting_for"]["ahead"]) for each in listed] == [
        ("turn", 1),
        ("turn", 0),
    ]
    await served.claim()
    assert (await served.get(f"/runs/{run_id}")).json()["waiting_for"] is None


async def test_a_finished_run_has_its_result_and_a_failed_one_its_error(served: Served) -> None:
    claim = await served.started()
    await served.store.queue.finish(claim, result="Done.")
    run = (await served.get(f"/runs/{claim.run.id}")).json()
    assert (run["status"], run["result"]) == ("completed", "Done.")
    assert run["finished_at"]
    claim = await served.started()
    await served.store.queue.finish(claim, error=RunError(code="crew_failed", message="No model."))
    run = (await served.get(f"/runs/{claim.run.id}")).json()
    assert run["error"] == {"code": "crew_failed", "message": "No model."}


async def test_the_same_idempotency_key_is_the_same_run(served: Served) -> None:
    headers = {"Idempotency-Key": "order 17"}
    body = {"crew": "demo", "inputs": {}}
    answers = await asyncio.gather(*[served.post("/crew/start", body, headers=headers) for _ in range(5)])
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    other = await served.post("/crew/start", {**body, "on_behalf_of": "Ada"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert len((await served.get("/runs")).json()["runs"]) == 1


async def test_an_idempotency_key_is_remembered_for_a_day_and_free_again_after_it(
    served: Served, server: redis.Redis
) -> None:
    headers = {"Idempotency-Key": "order 18"}
    first = await served.start(headers=headers)
    expiring = {name: server.ttl(name) for name in server.scan_iter() if server.ttl(name) > 0}
    [receipt] = [name for name, seconds in expiring.items() if 86_000 < seconds <= 86_400]
    server.delete(receipt)
    assert await served.start(headers=headers) != first


async def test_a_repeated_start_finds_its_run_though_the_crew_has_gone(served: Served) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await served.start(headers=headers)
    await served.store.catalogue.announce("here", [])
    assert await served.start(headers=headers) == first


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["once", "with a key"])
async def test_while_no_worker_has_announced_a_crew_a_start_is_told_to_come_again(
    served: Served, headers: dict[str, str]
) -> None:
    """It may well be a crew that there will be, so it is not called unknown."""
    await served.store.catalogue.announce("here", [])
    refused = await served.post("/crew/start", {"crew": "demo", "inputs": {}}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "no_worker")
    assert refused.json()["detail"].startswith("No worker is up yet")
    assert int(refused.headers["Retry-After"]) > 0
    await served.store.catalogue.announce("here", [demo()])
    assert await served.start(headers=headers)
    unknown = await served.post("/crew/start", {"crew": "nothing", "inputs": {}})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_crew")


async def test_a_start_is_told_why_a_crew_is_not_offered(served: Served) -> None:
    starting = CrewProblem(name="news", problem="its worker is starting", remedy="Come again.", starting=True)
    await served.store.catalogue.announce("here", [demo()])
    await served.store.catalogue.announce("there", [], complete=False, problems=[starting])
    for name in ("news", "News", "news-report-crew"):
        refused = await served.post("/crew/start", {"crew": name, "inputs": {}})
        assert (refused.status_code, refused.json()["code"]) == (503, "no_worker")
        assert refused.json()["detail"] == "news: its worker is starting. Come again."
    broken = CrewProblem(name="news", problem="crew.py:3: it can't be loaded")
    await served.store.catalogue.announce("there", [], problems=[broken])
    refused = await served.post("/crew/start", {"crew": "news", "inputs": {}})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_crew")
    assert refused.json()["detail"] == "There is no crew news: crew.py:3: it can't be loaded"
    other = await served.post("/crew/start", {"crew": "newspaper", "inputs": {}})
    assert other.json()["detail"] == "There is no crew newspaper."


async def test_a_refused_start_can_be_mended_under_the_same_key(served: Served) -> None:
    field = Field(name="topic", type=FieldType.STRING, required=True)
    await served.store.catalogue.announce("here", [demo(inputs=(field,))])
    headers = {"Idempotency-Key": "k"}
    refused = await served.post("/crew/start", {"crew": "demo", "inputs": {"tone": "x"}}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_inputs")
    assert {each["field"] for each in refused.json()["errors"]} == {"inputs.topic", "inputs.tone"}
    body = {"crew": "demo", "inputs": {"topic": "mills"}}
    assert (await served.post("/crew/start", body, headers=headers)).status_code == 202


async def test_keys_of_two_callers_do_not_meet(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    runs = {await served.start(headers={**bearer(name), "Idempotency-Key": "k"}) for name in ("ci", "other")}
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"{", 400, "invalid_json", None),
        (b'{"crew": NaN}', 400, "invalid_json", None),
        (b'{"crew": "nothing", "crew": "demo"}', 400, "invalid_json", None),
        (b'{"crew": "demo", "inputs": {"a": [{"b": 1, "b": 1}]}}', 400, "invalid_json", None),
        (b'{"crew": "demo", "inputs": {"\\ud800": 1, "a": 1, "a": 2}}', 400, "invalid_json", None),
        (b"[]", 422, "invalid_request", ""),
        (b"{}", 422, "invalid_request", "crew"),
        (b'{"crew": 7}', 422, "invalid_request", "crew"),
        (b'{"crew": "demo", "inptus": {}}', 422, "invalid_request", "inptus"),
        (b'{"crew": "nothing"}', 404, "unknown_crew", None),
        (b"null", 422, "invalid_request", ""),
        (b'{"crew": "demo", "inputs": []}', 422, "invalid_request", "inputs"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    body: bytes, status: int, code: str, field: str | None, served: Served
) -> None:
    answer = await served.client.post(
        "/crew/start", content=body, headers={"Content-Type": "application/json"}
    )
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"]
    assert "dictionary" not in answer.text
    assert [each["field"] for each in problem.get("errors", [])] == ([] if field is None else [field])


@pytest.mark.parametrize(
    "path",
    ["/runs", "/questions", "/poll/human-input", "/events/human-input", "/crews", "/me", "/runs/{}/files"],
)
async def test_a_query_is_as_strict_as_a_body(path: str, served: Served) -> None:
    answer = await served.get(path.format(await served.start()), params={"lmit": "5"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": "lmit", "reason": "There is no such field"}]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/runs/{}/retry"), ("DELETE", "/runs/{}"), ("POST", "/me/identities/code")],
)
async def test_a_body_with_something_in_it_is_refused_where_none_is_taken(
    method: str, path: str, served: Served
) -> None:
    """`{"inputs": ...}` for another try, say: it would be taken for a wish that came true."""
    claim = await served.started()
    await served.store.queue.finish(claim, error=RunError(code="crew_failed", message="No model."))
    where = path.format(claim.run.id)
    answer = await served.client.request(method, where, json={"inputs": {}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": "inputs", "reason": "There is no such field"}]
    assert (await served.client.request(method, where, content=b"inputs")).status_code == 415
    assert (await served.client.request(method, where, json={})).is_success


@pytest.mark.parametrize(
    ("path", "name"), [("/runs?limit=1&limit=2", "limit"), ("/poll/human-input?wait=0&wait=0", "wait")]
)
async def test_what_is_given_twice_in_a_query_is_refused(path: str, name: str, served: Served) -> None:
    answer = await served.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"] == [{"field": name, "reason": "Give it once"}]


async def test_a_run_has_all_that_its_clients_read(served: Served) -> None:
    answer = await served.post("/crew/start", {"crew": "demo", "on_behalf_of": "Ada"})
    run = (await served.get(f"/runs/{answer.json()['run_id']}")).json()
    assert {
        *("run_id", "crew", "status", "inputs", "requester", "created_at"),
        *("finished_at", "result", "error", "questions"),
    } <= set(run)
    assert run["requester"]["on_behalf_of"] == "Ada"


async def test_only_json_is_taken(served: Served) -> None:
    answer = await served.client.post("/crew/start", data={"crew": "demo"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_body_over_a_mebibyte_is_too_large(served: Served) -> None:
    answer = await served.post("/crew/start", {"crew": "demo", "inputs": {"x": "y" * 1024 * 1024}})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_lists_of_runs_have_filters_and_pages(served: Served) -> None:
    started = [await served.start() for _ in range(5)]
    claim = await served.claim()
    await served.store.queue.finish(claim, result="")
    seen, cursor = [], None
    while True:
        page = (
            await served.get("/runs", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [run["run_id"] for run in page["runs"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == sorted(started, key=seen.index)
    assert len(seen) == 5
    for query, count in (
        ("status=completed", 1),
        ("active=true", 4),
        ("active=false", 1),
        ("crew=demo", 5),
        ("crew=x", 0),
    ):
        assert len((await served.get(f"/runs?{query}")).json()["runs"]) == count, query


async def test_a_question_is_answered_with_its_label(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    listed = (await served.get("/questions?state=open")).json()["questions"]
    assert [each["question_id"] for each in listed] == [question.id]
    answer = await served.post(f"/{claim.run.id}/input", {"response": "aPPROVE"})
    assert answer.status_code == 200
    assert (answer.json()["action"], answer.json()["human_feedback"]) == ("approve", "Approve")
    settled = (await served.get(f"/questions/{question.id}")).json()
    assert settled["state"] == "settled"
    assert settled["outcome"]["answered_by"]["name"] == "local"


async def test_any_other_words_are_an_answer_in_words(served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    answer = await served.post(f"/{claim.run.id}/input", {"response": "yes, approve it"})
    assert (answer.json()["action"], answer.json()["comment"]) == ("respond", "yes, approve it")
    outcome = (await served.store.questions.get(claim.run.id, question.id)).outcome
    assert outcome is not None
    assert outcome.action is Action.RESPOND


async def test_input_needs_exactly_one_open_question(served: Served) -> None:
    claim = await served.started()
    none = await served.post(f"/{claim.run.id}/input", {"response": "Approve"})
    assert (none.status_code, none.json()["code"]) == (409, "no_open_question")
    asked = [await served.ask(claim, prompt) for prompt in ("One?", "Two?")]
    several = await served.post(f"/{claim.run.id}/input", {"response": "Approve"})
    assert (several.status_code, several.json()["code"]) == (409, "several_open_questions")
    assert [each["question_id"] for each in several.json()["questions"]] == [each.id for each in asked]
    full = {"question_id": asked[1].id, "action": "reject", "value": None, "comment": "Too long."}
    answer = await served.post(f"/{claim.run.id}/input", full)
    assert (answer.json()["question_id"], answer.json()["human_feedback"]) == (
        asked[1].id,
        "Reject: Too long.",
    )


@pytest.mark.parametrize("value", ["2", "Coffee", " coffee "])
async def test_a_choice_is_made_by_id_or_label(value: str, served: Served) -> None:
    claim = await served.started()
    question = await served.ask(claim, "Which?", QuestionKind.CHOICE, ("Tea", "Coffee"))
    answer = await served.post(f"/questions/{question.id}/answer", {"action": "choose", "value": value})
    assert (answer.json()["value"], answer.json()["human_feedback"]) == ("2", "Coffee")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "expire"}, "invalid_request"),
        ({"action": "cancel"}, "invalid_request"),
        ({"action": "choose", "value": "1"}, "invalid_answer"),
        ({"action": "respond"}, "invalid_answer"),
        ({"action": "approve", "value": "1"}, "invalid_answer"),
        ({}, "invalid_request"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused(
    body: dict[str, str], code: str, served: Served
) -> None:
    claim = await served.started()
    question = await served.ask(claim)
    answer = await served.post(f"/questions/{question.id}/answer", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await served.store.questions.get(claim.run.id, question.id)).open


async def test_a_settled_question_says_what_was_decided_and_by_whom(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    claim = await served.started(headers=bearer("ci"))
    question = await served.ask(claim)
    path = f"/questions/{question.id}/answer"
    body = {"action": "approve", "comment": "Fine.", "on_behalf_of": "ada@example.com"}
    first = await served.post(path, body, headers=bearer("ci"))
    again = await served.post(path, body, headers=bearer("ci"))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json() | {"repeated": True}
    assert first.json()["answered_by"] == {"surface": "http", "name": "ci", "on_behalf_of": "ada@example.com"}
    for name, other in (("ci", {"action": "reject"}), ("ops", body)):
        late = await served.post(path, other, headers=bearer(name))
        assert (late.status_code, late.json()["code"]) == (409, "settled")
        assert late.json()["outcome"]["human_feedback"] == "Approve: Fine."
        assert late.json()["outcome"]["answered_by"]["name"] == "ci"
    assert len(await served.store.questions.responses(claim.run.id, question.id)) == 1


async def test_a_run_is_cancelled_with_and_without_a_body(served: Served) -> None:
    claim = await served.started()
    await served.ask(claim)
    answer = await served.client.post(f"/runs/{claim.run.id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["questions"][0]["outcome"]["action"] == "cancel"
    again = await served.post(f"/runs/{await served.start()}/cancel", {})
    assert again.json()["status"] == "cancelled"
    over = await served.post(f"/runs/{claim.run.id}/cancel", {})
    assert (over.status_code, over.json()["code"]) == (409, "run_over")


async def test_what_is_unknown_is_404_everywhere(served: Served) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    for path in (
        f"/runs/{nobody}",
        f"/runs/{nobody}/events",
        f"/{nobody}/stream",
        f"/events/human-input/{nobody}",
        f"/ws/human-input/{nobody}",
        f"/poll/human-input/{nobody}",
        f"/questions/{nobody}",
    ):
        answer = await served.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["code"] in {"unknown_run", "unknown_question"}
    for path, body in (
        (f"/{nobody}/input", {"response": "x"}),
        (f"/runs/{nobody}/cancel", {}),
        (f"/questions/{nobody}/answer", {"action": "approve"}),
    ):
        assert (await served.post(path, body)).status_code == 404, path
    assert (await served.get("/not-a-run/stream")).json()["code"] == "not_found"


async def test_what_cannot_be_offered_is_listed_with_the_reason(served: Served) -> None:
    broken = {"name": "blog", "problem": "blog/crew.py:3: no module", "remedy": "Install it."}
    problems = [CrewProblem.model_validate(broken)]
    await served.store.catalogue.announce("here", [], problems=problems)
    assert (await served.get("/crews")).json()["problems"] == [broken]


async def test_crews_are_listed_with_their_inputs(served: Served) -> None:
    field = Field(name="topic", required=True, description="What it is about")
    await served.store.catalogue.announce("here", [demo(inputs=(field,), main_input="topic")])
    body = (await served.get("/crews")).json()
    assert body["problems"] == []
    [crew] = body["crews"]
    assert (crew["name"], crew["main_input"]) == ("demo", "topic")
    assert crew["inputs"][0]["required"]

"""Decisions over HTTP: policies of several people, tool calls, edits, forms, overrides, and what counts."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import websockets

from bot.core import sessions
from bot.core.errors import CrewdeckError
from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor, Membership
from bot.core.people.api_keys import Scope
from bot.core.people.policy import Group, OnReject, Policy
from bot.core.questions.question import Question, QuestionKind, Source
from bot.core.questions.tool_call import ToolCall, call_digest
from bot.core.runs.crew import CrewProblem
from bot.core.runs.run import Claim
from bot.store.redis import RedisStore
from bot.surfaces.console.authenticator import COOKIE_NAME
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, Served, bearer, demo, serve

CI, OTHER, OPS = "http::key:ci", "http::key:other", "http::key:ops"
CALL = ToolCall(
    tool="send_money",
    title="Pay {amount} to {recipient}",
    on_behalf="as the app",
    arguments={"amount": 1200, "recipient": "Acme", "reference": "A-1"},
    proposed={"amount": 1200, "recipient": "Acme", "reference": "A-1"},
    editable=("reference",),
    secrets={"token": "hmac:1234"},
    parameters={"type": "object", "properties": {"reference": {"type": "string"}}},
)
FORM = (
    Field(name="city", type=FieldType.STRING, required=True),
    Field(name="nights", type=FieldType.INTEGER, required=True, min=1, max=30),
    Field(name="extras", type=FieldType.MULTI_CHOICE, choices=("breakfast", "parking")),
)


def policy(**fields: Any) -> Policy:
    given: dict[str, Any] = {"deciders": (CI, OTHER), "who": ("finance",), "name": "pay", "version": "v1"}
    return Policy(**{**given, "admins": False, **fields})


TWO = policy(need=2)


@pytest.fixture
async def served(serve_with: Serve) -> Served:
    return await serve_with(KEYS | {"CREWDECK_RATE_LIMIT": "10000"})


async def gate(served: Served, claim: Claim | None = None, **fields: Any) -> Question:
    claim = claim or await served.started(headers=bearer("ci"))
    given = {"source": Source.GATE, "call": CALL, "policy": policy(), **fields}
    return await served.ask(claim, "Send money?", **given)


async def answer(
    served: Served, question: Question, body: Mapping[str, Any], key: str = "ci", **headers: str
) -> httpx.Response:
    path = f"/questions/{question.id}/answer"
    return await served.post(path, body, headers=bearer(key) | headers)


def problems(response: httpx.Response) -> dict[str, str]:
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    return {each["field"]: each["reason"] for each in response.json().get("errors", ())}


async def view(served: Served, question: Question, key: str = "ci") -> dict[str, Any]:
    shown: dict[str, Any] = (await served.get(f"/questions/{question.id}", headers=bearer(key))).json()
    return shown


# ── tool calls ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_is_shown_with_every_argument_and_no_secret(served: Served) -> None:
    question = await gate(served)
    shown = await view(served, question)
    assert shown["action"]["title"] == "Pay 1200 to Acme"
    assert shown["action"]["arguments"] == CALL.arguments
    assert shown["action"]["secret"] == ["token"]
    assert "hmac:1234" not in json.dumps(shown)
    assert shown["digest"] == shown["action"]["digest"] == question.digest
    assert shown["actions"] == ["approve", "reject"]


async def test_approving_a_call_needs_its_digest(served: Served) -> None:
    question = await gate(served)
    without = await answer(served, question, {"action": "approve"})
    assert (without.status_code, without.json()["code"]) == (422, "invalid_answer")
    assert list(problems(without)) == ["digest"]
    other = await answer(served, question, {"action": "approve", "digest": f"sha256:{'0' * 64}"})
    assert (other.status_code, other.json()["code"]) == (409, "stale")
    done = await answer(served, question, {"action": "approve", "digest": question.digest})
    assert (done.status_code, done.json()["status"]) == (200, "settled")
    assert done.json()["arguments"] == CALL.arguments


async def test_a_number_that_no_computer_holds_is_no_argument(served: Served) -> None:
    """Read as infinity, it could be stored as nothing at all."""
    call = CALL.model_copy(
        update={"editable": ("amount",), "parameters": {"properties": {"amount": {"type": "number"}}}}
    )
    question = await gate(served, call=call)
    body = f'{{"action": "approve", "digest": "{question.digest}", "arguments": {{"amount": 1e999}}}}'
    headers = bearer("ci") | {"Content-Type": "application/json"}
    said = await served.client.post(f"/questions/{question.id}/answer", content=body, headers=headers)
    assert (said.status_code, said.json()["code"]) == (400, "invalid_json")
    assert (await served.store.questions.get(question.run_id, question.id)).open


@pytest.mark.parametrize("words", ["approve", "Approve", "APPROVE!", "yes, do it"])
async def test_words_never_open_a_gate(words: str, served: Served) -> None:
    question = await gate(served)
    body = {"response": words, "digest": question.digest}
    said = await served.post(f"/{question.run_id}/input", body, headers=bearer("ci"))
    assert (said.status_code, list(problems(said))) == (422, ["response"])
    assert (await served.store.questions.get(question.run_id, question.id)).open


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_an_edit_is_approved_as_edited(*, all_of_them: bool, served: Served) -> None:
    question = await gate(served)
    edited = {**(CALL.arguments if all_of_them else {}), "reference": "B-2"}
    body = {"action": "approve", "digest": question.digest, "arguments": edited}
    done = (await answer(served, question, body)).json()
    assert done["status"] == "settled"
    assert done["arguments"] == {**CALL.arguments, "reference": "B-2"}
    assert done["digest"] != question.digest
    kept = await served.store.questions.get(question.run_id, question.id)
    assert kept.call is not None
    assert call_digest(kept.call, kept.policy) != call_digest(CALL, kept.policy)


async def test_each_wrong_argument_is_named(served: Served) -> None:
    question = await gate(served)
    wrong = {"amount": 9, "reference": 7, "token": "x", "iban": "y"}
    refused = await answer(
        served, question, {"action": "approve", "digest": question.digest, "arguments": wrong}
    )
    assert refused.status_code == 422
    assert set(problems(refused)) == {f"arguments.{name}" for name in wrong}
    assert "edited" in problems(refused)["arguments.amount"]


async def test_a_call_is_rejected_with_a_reason(served: Served) -> None:
    question = await gate(served)
    body = {"action": "reject", "comment": "Wrong account", "digest": question.digest}
    done = (await answer(served, question, body)).json()
    assert (done["status"], done["human_feedback"]) == ("settled", "Reject: Wrong account")


# ── several people ──────────────────────────────────────────────────────────────────────────────────────────


async def test_two_people_approve(served: Served) -> None:
    question = await gate(served, policy=TWO)
    body = {"action": "approve", "digest": question.digest, "comment": "Fine"}
    first = (await answer(served, question, body)).json()
    assert (first["status"], first["repeated"], first["action"]) == ("recorded", False, "approve")
    assert first["progress"]["approved"] == 1
    assert first["progress"]["need"] == 2
    assert first["progress"]["missing"] == ["finance"]
    assert [each["answered_by"] for each in first["progress"]["responses"]] == ["ci"]
    again = (await answer(served, question, body)).json()
    assert again == first | {"repeated": True}
    second = (await answer(served, question, {**body, "comment": ""}, "other")).json()
    assert (second["status"], second["action"]) == ("settled", "approve")
    assert [(each["answered_by"], each["comment"]) for each in second["responses"]] == [
        ("ci", "Fine"),
        ("other", ""),
    ]
    late = (await answer(served, question, body)).json()
    assert (late["status"], late["repeated"]) == ("settled", True)


async def test_another_answer_replaces_the_former(served: Served) -> None:
    question = await served.ask(
        await served.started(headers=bearer("ci")), "Which?", QuestionKind.CHOICE, ("a", "b"), policy=TWO
    )
    await answer(served, question, {"action": "choose", "value": "a"})
    changed = (await answer(served, question, {"action": "choose", "value": "b"})).json()
    assert [each["value"] for each in changed["progress"]["responses"]] == ["2"]
    back = (await answer(served, question, {"action": "choose", "value": "a"})).json()
    assert back["repeated"] is False
    done = (await answer(served, question, {"action": "choose", "value": "1"}, "other")).json()
    assert (done["status"], done["value"]) == ("settled", "1")


@pytest.mark.parametrize("kind", [QuestionKind.APPROVAL, QuestionKind.CHOICE])
async def test_words_count_for_nothing_where_several_decide(kind: QuestionKind, served: Served) -> None:
    labels = ("a", "b") if kind is QuestionKind.CHOICE else ()
    question = await served.ask(await served.started(headers=bearer("ci")), "?", kind, labels, policy=TWO)
    for words in ("approve", "a", "1", "why not"):
        said = await served.post(f"/{question.run_id}/input", {"response": words}, headers=bearer("ci"))
        assert (said.status_code, list(problems(said))) == (422, ["response"])
    said = await answer(served, question, {"action": "respond", "value": "why not"})
    assert (said.status_code, list(problems(said))) == (422, ["action"])


async def test_taking_back_counts_and_the_same_answer_counts_again(served: Served) -> None:
    question = await gate(served, policy=TWO)
    approve = {"action": "approve", "digest": question.digest}
    nothing = await answer(served, question, {"action": "withdraw"})
    assert (nothing.status_code, list(problems(nothing))) == (422, ["action"])
    await answer(served, question, approve)
    for repeated in (False, True):
        back = (await answer(served, question, {"action": "withdraw"})).json()
        assert (back["status"], back["repeated"], back["progress"]["approved"]) == ("recorded", repeated, 0)
    again = (await answer(served, question, approve)).json()
    assert (again["repeated"], again["progress"]["approved"]) == (False, 1)
    assert (await answer(served, question, approve)).json()["repeated"] is True
    assert (await answer(served, question, approve, "other")).json()["status"] == "settled"
    late = await answer(served, question, {"action": "withdraw"})
    assert (late.status_code, late.json()["code"]) == (409, "settled")


async def test_a_request_that_arrives_again_after_all_counts_once(served: Served) -> None:
    question = await gate(served, policy=TWO)
    approve = {"action": "approve", "digest": question.digest}
    key = {"Idempotency-Key": "one press"}
    await answer(served, question, approve, **key)
    await answer(served, question, {"action": "withdraw"})
    late = (await answer(served, question, approve, **key)).json()
    assert (late["repeated"], late["progress"]["approved"]) == (True, 0)
    other = await answer(served, question, {**approve, "comment": "Now"}, **key)
    assert (other.json()["repeated"], other.json()["progress"]["approved"]) == (False, 1)


async def test_an_edit_makes_earlier_approvals_void(served: Served) -> None:
    question = await gate(served, policy=TWO)
    await answer(served, question, {"action": "approve", "digest": question.digest})
    edit = {"action": "approve", "digest": question.digest, "arguments": {"reference": "B-2"}}
    edited = (await answer(served, question, edit, "other")).json()
    assert (edited["status"], edited["progress"]["approved"]) == ("recorded", 1)
    assert [each["answered_by"] for each in edited["progress"]["responses"]] == ["other"]
    stale = await answer(served, question, {"action": "approve", "digest": question.digest})
    assert stale.json()["code"] == "stale"
    done = (await answer(served, question, {"action": "approve", "digest": edited["digest"]})).json()
    assert (done["status"], done["arguments"]["reference"]) == ("settled", "B-2")


async def test_a_rejection_counts_until_approval_is_out_of_reach(served: Served) -> None:
    who = policy(need=2, deciders=(CI, OTHER, OPS), on_reject=OnReject.COUNTS)
    question = await gate(served, policy=who)
    body = {"action": "reject", "digest": question.digest}
    first = (await answer(served, question, body)).json()
    assert (first["status"], first["progress"]["approved"]) == ("recorded", 0)
    assert (await answer(served, question, body, "other")).json()["status"] == "settled"


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "objection", "words"),
    [
        ({"deciders": (CI,)}, "not_named", "takes 1 of finance."),
        (
            {"excluded": (OTHER,), "not_": ("requester",), "need": 2},
            "excluded",
            "takes 2 of finance, but not requester.",
        ),
        (
            {
                "deciders": (CI,),
                "per_group": {"legal": 1, "finance": 2},
                "groups": (Group(name="legal", members=(CI,)), Group(name="finance", members=(CI,))),
            },
            "not_named",
            "takes 1 of legal and 2 of finance.",
        ),
        (
            {"deciders": ("*",), "who": ("anyone",), "need": 2, "excluded": (OTHER,), "not_": ("requester",)},
            "excluded",
            "takes 2 people, anyone, but not requester.",
        ),
        (
            {"deciders": ("slack:T1:@finance",), "who": ("@finance",)},
            "not_named",
            "takes 1 of @finance.",
        ),
    ],
)
async def test_who_may_not_hears_why_and_who_may(
    fields: dict[str, Any], objection: str, words: str, served: Served
) -> None:
    question = await gate(served, policy=policy(**fields))
    refused = await answer(served, question, {"action": "approve", "digest": question.digest}, "other")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert refused.json()["objection"] == objection
    assert refused.json()["detail"].endswith(words)
    assert refused.json()["policy"]["name"] == "pay"


async def test_a_group_that_nobody_can_read_closes_the_question(served: Served) -> None:
    question = await gate(served, policy=policy(deciders=("slack::@finance",), who=("@finance",)))
    refused = await answer(served, question, {"action": "approve", "digest": question.digest})
    assert (refused.status_code, refused.json()["objection"]) == (403, "unreadable_group")
    assert "can't be read" in refused.json()["detail"]


async def test_while_an_account_that_the_policy_means_cannot_be_looked_up_that_is_said(
    served: Served,
) -> None:
    async def membership(_actor: Actor) -> Membership | None:
        raise CrewdeckError("Slack can't tell who you are right now.")

    ada = Actor(surface="slack", tenant="T1", user_id="ada")
    ci = Actor(surface="http", tenant="", user_id="key:ci")
    await served.store.directory.redeem(await served.store.directory.new_code(ada), ci)
    question = await gate(served, policy=policy(deciders=(ada.principal,)))
    served.store.directory.vouch("slack", membership)
    refused = await answer(served, question, {"action": "approve", "digest": question.digest})
    assert (refused.status_code, refused.json()["objection"]) == (403, "unverified")
    assert "can't be found out now. Slack can't tell who you are right now." in refused.json()["detail"]


async def test_an_administrator_decides_a_gate_only_as_an_override(served: Served) -> None:
    question = await gate(served)
    plain = {"action": "approve", "digest": question.digest}
    assert (await answer(served, question, plain, "ops")).status_code == 403
    override = {**plain, "override": True, "comment": "Nobody else is here"}
    for_others = await answer(served, question, override, "other")
    assert for_others.status_code == 403
    done = (await answer(served, question, override, "ops")).json()
    assert (done["status"], done["override"]) == ("settled", True)
    assert (await view(served, question))["outcome"]["override"] is True


@pytest.mark.parametrize("word", ["true", "no", 1, 0])
async def test_only_true_is_an_override(served: Served, word: object) -> None:
    question = await gate(served)
    body = {"action": "approve", "digest": question.digest, "override": word}
    refused = await answer(served, question, body, "ops")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert [each["field"] for each in refused.json()["errors"]] == ["override"]
    assert (await view(served, question, "ops"))["state"] == "open"


async def test_an_administrator_who_is_named_counts_as_one_unless_they_override(served: Served) -> None:
    question = await gate(served, policy=policy(need=2, deciders=(OPS, CI)))
    plain = {"action": "approve", "digest": question.digest}
    assert (await answer(served, question, plain, "ops")).json()["status"] == "recorded"
    assert (await view(served, question, "ops"))["viewer"]["can_override"] is True
    done = (await answer(served, question, {**plain, "override": True}, "ops")).json()
    assert (done["status"], done["override"]) == ("settled", True)


async def test_an_override_is_not_open_to_who_is_excluded(served: Served) -> None:
    question = await gate(served, policy=policy(excluded=(OPS,), not_=("requester",)))
    body = {"action": "approve", "digest": question.digest, "override": True}
    refused = await answer(served, question, body, "ops")
    assert (refused.status_code, refused.json()["objection"]) == (403, "excluded")


async def test_views_say_what_the_caller_may_do(served: Served) -> None:
    question = await gate(served, policy=policy(need=2, deciders=(CI,)))
    mine, others, ops = [(await view(served, question, key))["viewer"] for key in ("ci", "other", "ops")]
    assert mine == {"can_answer": True, "objection": "", "can_override": False, "response": None}
    assert (others["can_answer"], others["objection"], others["can_override"]) == (False, "not_named", False)
    assert (ops["can_answer"], ops["can_override"]) == (False, True)
    await answer(served, question, {"action": "approve", "digest": question.digest})
    assert (await view(served, question))["viewer"]["response"]["action"] == "approve"
    assert (await view(served, question, "other"))["viewer"]["response"] is None


async def test_mine_are_those_that_the_caller_may_answer(served: Served) -> None:
    claim = await served.started(headers=bearer("ci"))
    plain, named = await served.ask(claim), await gate(served, claim, policy=policy(deciders=(OTHER,)))

    async def mine(key: str) -> list[str]:
        listed = await served.get("/questions?mine=true", headers=bearer(key))
        return [each["question_id"] for each in listed.json()["questions"]]

    assert await mine("ci") == [plain.id]
    assert await mine("other") == [named.id]
    assert await mine("ops") == [plain.id]


# ── reviews and forms ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_review_is_approved_with_an_edited_text(served: Served) -> None:
    claim = await served.started(headers=bearer("ci"))
    question = await served.ask(claim, "Publish?", QuestionKind.REVIEW, context="A draft")
    empty = await answer(served, question, {"action": "approve", "value": "  "})
    assert list(problems(empty)) == ["value"]
    body = {"action": "approve", "value": "A better draft", "digest": question.digest}
    done = (await answer(served, question, body)).json()
    assert (done["status"], done["value"]) == ("settled", "A better draft")
    shown = await view(served, question)
    assert (shown["proposed"], shown["context"]) == ("A draft", "A better draft")


async def test_only_a_review_has_a_text_to_edit(served: Served) -> None:
    question = await gate(served)
    body = {"action": "approve", "value": "other", "digest": question.digest}
    assert list(problems(await answer(served, question, body))) == ["value"]
    for action in ("reject", "withdraw"):
        refused = await answer(served, question, {"action": action, "value": "x", "arguments": {}})
        assert set(problems(refused)) == {"value", "arguments"}


async def form(served: Served) -> Question:
    claim = await served.started(headers=bearer("ci"))
    return await served.ask(claim, "Where to?", QuestionKind.FORM, form=FORM)


async def test_a_form_is_shown_as_a_schema_and_as_fields(served: Served) -> None:
    shown = await view(served, await form(served))
    assert shown["form"]["required"] == ["city", "nights"]
    assert shown["form"]["properties"]["nights"]["maximum"] == 30
    assert [field["name"] for field in shown["fields"]] == ["city", "nights", "extras"]
    assert shown["actions"] == ["submit", "reject"]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"city", "nights"}),
        ({"city": "Cork", "nights": "3"}, {"nights"}),
        ({"city": "Cork", "nights": 31}, {"nights"}),
        ({"city": 7, "nights": 0, "extras": ["sauna"]}, {"city", "nights", "extras"}),
        ({"city": "Cork", "nights": 3, "action": "x"}, {"action"}),
    ],
)
async def test_every_wrong_field_of_a_form_is_named(
    values: dict[str, Any], wrong: set[str], served: Served
) -> None:
    question = await form(served)
    refused = await answer(served, question, {"action": "submit", "values": values})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_answer")
    assert set(problems(refused)) == {f"values.{name}" for name in wrong}


async def test_a_form_is_submitted_with_values_of_their_types(served: Served) -> None:
    question = await form(served)
    values = {"city": "Cork", "nights": 3, "extras": ["parking"]}
    done = (await answer(served, question, {"action": "submit", "values": values})).json()
    assert (done["status"], done["values"]) == ("settled", values)
    again = (await answer(served, question, {"action": "submit", "values": values})).json()
    assert again["repeated"] is True


async def test_a_form_is_declined_with_a_comment_and_not_answered_in_words(served: Served) -> None:
    question = await form(served)
    said = await served.post(f"/{question.run_id}/input", {"response": "Cork"}, headers=bearer("ci"))
    assert (said.status_code, list(problems(said))) == (422, ["response"])
    done = (await answer(served, question, {"action": "reject", "comment": "No trip"})).json()
    assert (done["status"], done["action"], done["comment"]) == ("settled", "reject", "No trip")


# ── the same on every path ──────────────────────────────────────────────────────────────────────────────────


async def test_all_streams_tell_of_a_response_that_settles_nothing(served: Served) -> None:
    question = await gate(served, policy=TWO)
    run_id, headers = question.run_id, bearer("ci")
    body = {"action": "approve", "digest": question.digest, "arguments": {"reference": "B-2"}}
    path = f"{served.ws_url}/ws/human-input/{run_id}"
    async with websockets.connect(path, additional_headers=headers) as socket:
        message = {"type": "answer", "request_id": 1, "question_id": question.id, **body}
        await socket.send(json.dumps(message))
        heard = [json.loads(await socket.recv()) for _ in range(4)]
    [accepted] = [each for each in heard if each["type"] == "accepted"]
    assert (accepted["status"], accepted["progress"]["approved"]) == ("recorded", 1)
    [told] = [each for each in heard if each["type"] == "human_input_recorded"]
    assert told["action"] == "approve"
    assert told["answered_by"] == "ci"
    assert told["progress"] == {"approved": 1, "need": 2, "missing": ["finance"]}
    assert told["arguments"]["reference"] == "B-2"
    assert told["digest"] == accepted["digest"] != question.digest
    polled = (await served.get(f"/poll/human-input/{run_id}", headers=headers)).json()["events"]
    assert told in polled
    listed = (await served.get(f"/runs/{run_id}/events", headers=headers)).json()["events"]
    assert told in listed


async def test_the_full_form_of_input_takes_all_parts(served: Served) -> None:
    question = await form(served)
    body = {"action": "submit", "values": {"city": "Cork", "nights": 3}}
    done = await served.post(f"/{question.run_id}/input", body, headers=bearer("ci"))
    assert done.json()["status"] == "settled"
    mixed = {"response": "x", "values": {"city": "Cork"}}
    refused = await served.post(f"/{question.run_id}/input", mixed, headers=bearer("ci"))
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


# ── the record ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_record_holds_what_was_shown_said_and_run(served: Served) -> None:
    claim = await served.started(headers=bearer("ci"))
    question = await gate(served, claim, policy=TWO)
    approve = {"action": "approve", "digest": question.digest, "comment": "Fine"}
    await answer(served, question, approve)
    edit = {"action": "approve", "digest": question.digest, "arguments": {"reference": "B-2"}}
    edited = (await answer(served, question, edit, "other")).json()
    done = (await answer(served, question, {**approve, "digest": edited["digest"]})).json()
    now = await served.store.questions.get(question.run_id, question.id)
    assert now.call is not None
    called, result = call_digest(now.call, now.policy), f"sha256:{'1' * 64}"
    await served.store.questions.record_executed(claim, question.id, called, result)
    record = (await served.get(f"/questions/{question.id}/record", headers=bearer("reader"))).json()
    assert [each["digest"] for each in record["versions"]] == [question.digest, edited["digest"]]
    assert record["versions"][1]["changes"] == [
        {"part": "arguments.reference", "before": "A-1", "after": "B-2"}
    ]
    said = [(each["by"]["identity"], each["standing"], each["digest"]) for each in record["responses"]]
    assert said == [
        (CI, "replaced", question.digest),
        (OTHER, "counted", edited["digest"]),
        (CI, "counted", edited["digest"]),
    ]
    assert {each["by"]["authentication"] for each in record["responses"]} == {"api_key"}
    assert (record["policy"]["name"], record["policy"]["version"]) == ("pay", "v1")
    assert record["outcome"]["arguments"] == done["arguments"]
    assert record["executed"]["call_digest"] == called
    assert record["executed"]["result_digest"] == result
    assert "hmac:1234" not in json.dumps(record)


async def test_the_record_keeps_what_was_taken_back_and_overridden(served: Served) -> None:
    question = await gate(served, policy=TWO)
    approve = {"action": "approve", "digest": question.digest}
    await answer(served, question, approve)
    await answer(served, question, {"action": "withdraw"})
    await answer(served, question, {**approve, "override": True, "comment": "Urgent"}, "ops")
    record = (await served.get(f"/questions/{question.id}/record", headers=bearer("ci"))).json()
    assert [(each["action"], each["standing"], each["override"]) for each in record["responses"]] == [
        ("approve", "taken_back", False),
        ("withdraw", "withdrawal", False),
        ("approve", "counted", True),
    ]
    assert record["outcome"]["override"] is True
    assert record["executed"] is None


async def test_who_may_not_know_of_a_question_gets_no_record(serve_with: Serve) -> None:
    secret = "w" * 40
    served = await serve_with({"CREWDECK_API_KEYS": f"{KEYS['CREWDECK_API_KEYS']},blind:{secret}:answer"})
    question = await gate(served)
    headers = {"Authorization": f"Bearer {secret}"}
    for path in ("record", "opened"):
        method = served.get if path == "record" else served.post
        given = {} if path == "record" else {"body": {"digest": question.digest}}
        refused = await method(f"/questions/{question.id}/{path}", **given, headers=headers)
        assert refused.status_code in {403, 404}


# ── people at the console ───────────────────────────────────────────────────────────────────────────────────


ADA = Actor(surface="slack", tenant="T1", user_id="UADA", name="Ada")


async def signed_in(store: RedisStore, person: Actor = ADA) -> dict[str, str]:
    scopes = (Scope.READ, Scope.START, Scope.ANSWER)
    token = await sessions.open_session(store.key_values, sessions.person_at_console(person), scopes)
    return {"Cookie": f"{COOKIE_NAME}={token}"}


@pytest.fixture
async def console(store: RedisStore, serve_with: Serve) -> AsyncIterator[Served]:
    await serve_with(KEYS)  # announces the crew
    async with serve(store, KEYS, console=True) as served:
        yield served


async def test_people_have_a_question_before_them_and_keys_never_do(console: Served) -> None:
    question = await gate(console, policy=policy(deciders=(ADA.principal,)))
    body = {"digest": question.digest}
    by_key = await console.post(f"/questions/{question.id}/opened", body, headers=bearer("ci"))
    assert (by_key.status_code, by_key.json()["code"]) == (403, "not_allowed")
    cookie = await signed_in(console.store)
    headers = cookie | {"Origin": console.url}
    for _ in range(2):
        seen = await console.post(f"/questions/{question.id}/opened", body, headers=headers)
        assert seen.status_code == 204
    record = (await console.get(f"/questions/{question.id}/record", headers=cookie)).json()
    [opened] = record["opened"]
    assert (opened["by"]["name"], opened["by"]["authentication"]) == ("Ada", "session")
    assert opened["digest"] == question.digest


async def test_only_what_was_shown_can_have_been_opened(console: Served) -> None:
    question = await gate(console, policy=policy(deciders=(ADA.principal, CI), need=2))
    headers = await signed_in(console.store) | {"Origin": console.url}
    path, first = f"/questions/{question.id}/opened", question.digest
    never = await console.post(path, {"digest": f"sha256:{'0' * 64}"}, headers=headers)
    assert (never.status_code, never.json()["code"]) == (409, "stale")
    edit = {"action": "approve", "digest": first, "arguments": {"reference": "2026-118"}}
    edited = await console.post(f"/questions/{question.id}/answer", edit, headers=headers)
    assert (edited.status_code, edited.json()["status"]) == (200, "recorded"), edited.text
    for digest in (first, edited.json()["digest"]):
        assert (await console.post(path, {"digest": digest}, headers=headers)).status_code == 204
    record = (await console.get(f"/questions/{question.id}/record", headers=headers)).json()
    assert {each["digest"] for each in record["opened"]} == {first, edited.json()["digest"]}


async def test_whom_a_policy_names_sees_the_question_and_its_events_but_not_the_run(console: Served) -> None:
    question = await gate(console, policy=policy(deciders=(ADA.principal,)))
    other = await gate(console, await console.started(headers=bearer("ci")))
    cookie = await signed_in(console.store)
    assert (await console.get(f"/questions/{question.id}", headers=cookie)).status_code == 200
    assert (await console.get(f"/questions/{other.id}", headers=cookie)).status_code == 404
    assert (await console.get(f"/runs/{question.run_id}", headers=cookie)).status_code == 404
    listed = (await console.get("/questions", headers=cookie)).json()["questions"]
    assert [each["question_id"] for each in listed] == [question.id]
    events = (await console.get("/poll/human-input", headers=cookie)).json()["events"]
    assert [each.get("question_id") for each in events if each["type"] != "snapshot_complete"] == [
        question.id
    ]


async def test_two_identities_become_one_person_by_a_code(console: Served) -> None:
    question = await gate(console, policy=policy(need=2, deciders=(CI, OTHER, ADA.principal)))
    ada = await signed_in(console.store)
    ada_acts = ada | {"Origin": console.url}
    assert len((await console.get("/me/identities", headers=ada)).json()["identities"]) == 1
    code = (await console.client.post("/me/identities/code", headers=ada_acts)).json()["code"]
    bearer_of = await console.post("/me/identities/bearer", {"code": code}, headers=bearer("ci"))
    assert (bearer_of.json()["id"], bearer_of.json()["name"]) == (ADA.principal, "Ada")
    linked = await console.post("/me/identities", {"code": code}, headers=bearer("ci"))
    assert linked.is_success, linked.text
    assert {each["id"] for each in linked.json()["identities"]} == {CI, ADA.principal}
    approve = {"action": "approve", "digest": question.digest}
    await answer(console, question, approve)
    path = f"/questions/{question.id}/answer"
    again = (await console.post(path, approve, headers=ada_acts)).json()
    assert (again["status"], again["progress"]["approved"]) == ("recorded", 1)
    assert (await console.get(f"/questions/{question.id}", headers=ada)).json()["viewer"]["response"]
    gone = await console.client.delete(f"/me/identities?identity={CI}", headers=ada_acts)
    assert [each["id"] for each in gone.json()["identities"]] == [ADA.principal]
    unknown = await console.client.delete("/me/identities?identity=slack:T1:UEVE", headers=ada_acts)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_identity")


@pytest.mark.parametrize("code", ["0000-0000", "x", "' OR 1=1"])
async def test_a_wrong_code_links_nobody(code: str, console: Served) -> None:
    refused = await console.post("/me/identities", {"code": code}, headers=bearer("ci"))
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_code")


@pytest.mark.parametrize("who", ["a person", "a key that only reads"])
async def test_messages_of_a_socket_count_like_requests(who: str, store: RedisStore) -> None:
    limited = KEYS | {"CREWDECK_RATE_LIMIT": "0.5"}
    async with serve(store, limited, console=True) as served:
        headers = bearer("reader") if who != "a person" else await signed_in(store)
        address, here = f"{served.ws_url}/ws/human-input", {"Origin": served.url}
        async with websockets.connect(address, additional_headers=headers | here) as socket:
            for _ in range(3):
                await socket.send(json.dumps({"type": "answer", "request_id": 1, "nonsense": True}))
            heard: list[str] = []
            while "rate_limited" not in heard:
                heard += [code for code in [json.loads(await socket.recv()).get("code")] if code]
        assert heard[-1] == "rate_limited"


async def test_guests_are_told_of_the_crews_that_admit_them(store: RedisStore) -> None:
    everybody = (Membership.MEMBER, Membership.GUEST)
    crews = [demo(), demo(allowed_memberships=everybody).model_copy(update={"name": "open"})]
    broken = CrewProblem(name="broken", problem="its model has no key", remedy="Set it.")
    await store.catalogue.announce("here", crews, problems=[broken])
    async with serve(store, KEYS, console=True) as served:
        guest = await signed_in(store, ADA.model_copy(update={"membership": Membership.GUEST}))
        for headers, names, problems in (
            (guest, {"open"}, []),
            (await signed_in(store), {"demo", "open"}, ["broken"]),
            (bearer("reader"), {"demo", "open"}, ["broken"]),
            (guest, {"open"}, []),
        ):
            told = (await served.get("/crews", headers=headers)).json()
            assert {crew["name"] for crew in told["crews"]} == names
            assert [each["name"] for each in told["problems"]] == problems

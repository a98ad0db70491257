"""Decisions by the client: what an answer may carry, the record, identities, and new events."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.core.forms.fields import Field, FieldType
from bot.core.people.policy import Policy
from bot.core.ports.outbox import redrawn
from bot.core.questions.question import QuestionKind, Source
from bot.core.runs.place import Place
from bot.store.redis import RedisStore
from bot.store.redis_keys import shard_of
from crewdeck.client import ApiError, Client, Event, HumanInputRecorded, HumanInputRequired, SyncClient
from tests.contract.examples import DEMO, LEASE, new_run
from tests.contract.http.served import KEYS, SECRETS, Served, bearer, serve
from tests.contract.http.test_http_decisions import ADA, CALL, TWO, policy

CI = "http::key:ci"
FORM = (Field(name="nights", type=FieldType.INTEGER, required=True),)


@pytest.fixture
async def locked(store: RedisStore) -> AsyncIterator[Served]:
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, KEYS) as api:
        yield api


async def test_two_people_edit_take_back_and_approve(locked: Served) -> None:
    claim = await locked.started(headers=bearer("ci"))
    question = await locked.ask(claim, "Pay?", source=Source.GATE, call=CALL, policy=TWO)
    async with Client(locked.url, SECRETS["ci"]) as ci, Client(locked.url, SECRETS["other"]) as other:
        shown = await ci.question(question.id)
        assert shown.action is not None
        assert (shown.action.title, shown.action.secret) == ("Pay 1200 to Acme", ("token",))
        assert shown.policy is not None
        assert (shown.policy.name, shown.policy.need) == ("pay", 2)
        changes = {"reference": "B-2"}
        first = await ci.answer(question.id, "approve", digest=shown.digest, arguments=changes)
        assert (first.status, first.progress.approved) == ("recorded", 1)
        with pytest.raises(ApiError) as stale:
            await other.answer(question.id, "approve", digest=shown.digest)
        assert stale.value.code == "stale"
        back = await ci.answer(question.id, "withdraw")
        assert back.progress.approved == 0
        now = await other.question(question.id)
        await ci.answer(question.id, "approve", comment="Fine", digest=now.digest)
        last = await other.answer(question.id, "approve", comment="Fine", digest=now.digest)
        assert (last.status, last.arguments) == ("settled", {**CALL.arguments, **changes})
        assert [each.answered_by for each in last.responses] == ["ci", "other"]
        record = await ci.record(question.id)
        assert [each.standing for each in record.responses] == [
            "taken_back",
            "withdrawal",
            "counted",
            "counted",
        ]
        assert record.versions[1].changes[0].part == "arguments.reference"
        events = [event async for event in _first(ci, claim.run.id, 4)]
    required = next(event for event in events if isinstance(event, HumanInputRequired))
    assert required.action is not None
    assert required.action.arguments == CALL.arguments
    recorded = next(event for event in events if isinstance(event, HumanInputRecorded))
    assert (recorded.answered_by, recorded.progress.approved, recorded.digest) == ("ci", 1, now.digest)


async def _first(client: Client, run_id: str, number: int) -> AsyncIterator[Event]:
    async for event in client.follow(run_id):
        yield event
        number -= 1
        if not number:
            return


async def test_a_form_is_submitted_and_its_errors_are_by_field(served: Served, client: Client) -> None:
    question = await served.ask(await served.started(), "How long?", QuestionKind.FORM, form=FORM)
    assert (await client.question(question.id)).fields[0].name == "nights"
    with pytest.raises(ApiError) as refused:
        await client.answer(question.id, "submit", values={"nights": "3"})
    assert [each.field for each in refused.value.errors] == ["values.nights"]
    done = await client.answer(question.id, "submit", values={"nights": 3})
    assert (done.status, done.values) == ("settled", {"nights": 3})


async def test_an_override_says_so(locked: Served) -> None:
    claim = await locked.started(headers=bearer("ci"))
    question = await locked.ask(claim, "Pay?", source=Source.GATE, call=CALL, policy=policy())
    async with Client(locked.url, SECRETS["ops"]) as ops:
        shown = await ops.question(question.id)
        assert (shown.viewer.can_answer, shown.viewer.can_override) == (False, True)
        done = await ops.answer(question.id, "approve", override=True, digest=shown.digest)
    assert done.override


async def test_a_key_makes_each_delivery_the_same_response(locked: Served) -> None:
    claim = await locked.started(headers=bearer("ci"))
    question = await locked.ask(claim, "Pay?", source=Source.GATE, call=CALL, policy=TWO)
    async with Client(locked.url, SECRETS["ci"]) as ci:
        for repeated in (False, True):
            answer = await ci.answer(question.id, "approve", digest=question.digest, idempotency_key="k")
            assert answer.repeated is repeated


async def test_identities_are_linked_and_unlinked(locked: Served) -> None:
    code = await locked.store.directory.new_code(ADA)
    async with Client(locked.url, SECRETS["ci"]) as ci:
        assert (await ci.code_bearer(code)).name == "Ada"
        assert {each.id for each in await ci.link(code)} == {"http::key:ci", ADA.principal}
        assert [each.id for each in await ci.unlink(ADA.principal)] == ["http::key:ci"]
        assert len((await ci.link_code()).code) > 8


async def test_who_is_unlinked_has_what_they_were_asked_redrawn(locked: Served) -> None:
    """Ada was asked in Slack what the key decides, in a run of Teams."""
    store = locked.store
    run, _ = await store.runs.start(new_run(place=Place(surface="teams", tenant="T", ref="c/m")))
    await store.outbox.lease_shard("slack", shard_of(run.id), "web", LEASE, relay=True)
    question = await locked.ask(await locked.claim(run.crew.name), policy=Policy(deciders=(CI,)))
    async with Client(locked.url, SECRETS["ci"]) as ci:
        await ci.link(await store.directory.new_code(ADA))
        await ci.unlink(ADA.principal)
    [name] = (await store.outbox.state("slack", run.id)).outdated
    assert name.startswith(redrawn(question.id, ""))


async def test_the_client_without_a_loop_has_the_same(locked: Served) -> None:
    claim = await locked.started(headers=bearer("ci"))
    question = await locked.ask(claim, "Pay?", source=Source.GATE, call=CALL, policy=policy())

    def decide() -> tuple[str, int, int]:
        with SyncClient(locked.url, SECRETS["ci"]) as client:
            digest = client.question(question.id).digest
            answer = client.answer(question.id, "reject", comment="No", digest=digest)
            record = client.record(question.id)
            return answer.status, len(record.responses), len(client.identities())

    assert await asyncio.to_thread(decide) == ("settled", 1, 1)

"""Trying runs again and deleting them over HTTP."""

import asyncio

from bot.core.errors import CrewdeckError
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Approvers, PolicyDefinition
from bot.core.runs.run import RunError
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, Served, bearer, demo

BROKEN = RunError(code="model_error", message="No model.")


async def test_a_failed_run_is_tried_again(served: Served) -> None:
    claim = await served.started()
    await served.store.journal.put_if_absent(claim, "t1/tool/x/0", '{"result": "done"}')
    await served.store.queue.finish(claim, error=BROKEN)
    headers = {"Idempotency-Key": "again"}
    path = f"/runs/{claim.run.id}/retry"
    answers = await asyncio.gather(*(served.client.post(path, headers=headers) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {202}
    [new] = {answer.json()["run_id"] for answer in answers}
    assert answers[0].headers["Location"] == f"/runs/{new}"
    run = (await served.get(f"/runs/{new}")).json()
    assert (run["retry_of"], run["status"]) == (claim.run.id, "queued")
    assert await served.store.journal.read(new) == {"kept/t1/tool/x/0": '{"result": "done"}'}
    other = await served.client.post(path)
    assert other.json()["run_id"] != new


async def test_what_can_not_be_tried_again_is_refused(served: Served) -> None:
    queued = await served.start()
    refused = await served.client.post(f"/runs/{queued}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "run_live")
    claim = await served.claim()
    await served.store.queue.finish(claim, result="done")
    refused = await served.client.post(f"/runs/{queued}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "run_completed")


async def test_a_key_tries_again_what_it_may_cancel_and_only_admins_delete(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    claim = await served.started(headers=bearer("ci"))
    await served.store.queue.finish(claim, error=BROKEN)
    path = f"/runs/{claim.run.id}"
    tried = {
        name: (await served.client.post(f"{path}/retry", headers=bearer(name))).status_code
        for name in ("reader", "other", "ci", "ops")
    }
    assert tried == {"reader": 403, "other": 403, "ci": 202, "ops": 202}
    assert (await served.client.delete(path, headers=bearer("ci"))).status_code == 403
    assert (await served.client.delete(path, headers=bearer("ops"))).status_code == 204


async def test_a_linked_identity_tries_again_what_it_may_cancel(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    stop = PolicyDefinition(name="stop", who=("U1",))
    await served.store.catalogue.announce("here", [demo(cancellers=Approvers(policy=stop))])
    claim = await served.started(headers=bearer("ci"))
    await served.store.queue.finish(claim, error=BROKEN)
    path = f"/runs/{claim.run.id}/retry"
    ada, other = (
        Actor(surface="slack", tenant="T1", user_id="U1"),
        Actor(surface="http", tenant="", user_id="key:other"),
    )
    assert (await served.client.post(path, headers=bearer("other"))).status_code == 403
    await served.store.directory.redeem(await served.store.directory.new_code(ada), other)

    async def nobody_knows(_actor: Actor) -> Membership | None:
        raise CrewdeckError("Slack can't tell who you are right now.")

    assert (await served.client.post(path, headers=bearer("other"))).status_code == 202
    served.store.directory.vouch("slack", nobody_knows)
    refused = await served.client.post(path, headers=bearer("other"))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert "can't be found out now. Slack can't tell who you are right now." in refused.json()["detail"]


async def test_a_deleted_run_is_not_started_again_by_its_key(served: Served) -> None:
    headers = {"Idempotency-Key": "order 17"}
    run_id = await served.start(headers=headers)
    assert (await served.client.delete(f"/runs/{run_id}", params={"cancel": "true"})).status_code == 204
    for _ in range(2):
        again = await served.post("/crew/start", {"crew": "demo", "inputs": {}}, headers=headers)
        assert (again.status_code, again.json()["code"]) == (410, "run_deleted")
    assert (await served.get("/runs")).json()["runs"] == []
    assert await served.start(headers={"Idempotency-Key": "order 18"}) != run_id


async def test_a_deleted_retry_is_not_started_again_by_its_key(served: Served) -> None:
    claim = await served.started()
    await served.store.journal.put_if_absent(claim, "t1/tool/x/0", '{"result": "done"}')
    await served.store.queue.finish(claim, error=BROKEN)
    path, headers = f"/runs/{claim.run.id}/retry", {"Idempotency-Key": "again"}
    retried = (await served.client.post(path, headers=headers)).json()["run_id"]
    assert (await served.client.delete(f"/runs/{retried}", params={"cancel": "true"})).status_code == 204
    again = await served.client.post(path, headers=headers)
    assert (again.status_code, again.json()["code"]) == (410, "run_deleted")


async def test_a_run_is_deleted_with_all_that_it_was(served: Served) -> None:
    claim = await served.started()
    await served.ask(claim)
    path = f"/runs/{claim.run.id}"
    live = await served.client.delete(path)
    assert (live.status_code, live.json()["code"]) == (409, "run_live")
    assert (await served.client.delete(path, params={"cancel": "true"})).status_code == 204
    assert (await served.get(path)).status_code == 404
    assert (await served.get("/questions")).json()["questions"] == []
    assert (await served.client.delete(path)).json()["code"] == "unknown_run"

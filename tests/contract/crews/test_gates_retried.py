"""An operator tries a failed run again: an approval of the former run opens no gate of the new one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bot.core.questions.question import Action
from bot.core.retry import retry
from bot.core.runs.run import Claim, Run, RunStatus
from tests.contract.crews.local_worker import LocalWorker
from tests.contract.examples import LEASE

if TYPE_CHECKING:
    from crewai.tools import BaseTool

    from crews.building.build import Built

pytestmark = pytest.mark.usefixtures("crewai_environment")


def payer(within: Callable[[], object]) -> BaseTool:
    """A tool that pays; `within` happens in it afterwards."""
    from tests.contract.crews import gated

    class Payer(gated.Sender):
        def _run(self, to: str, amount: float) -> str:
            said = gated.send(to, amount)
            within()
            return said

    return Payer()


def paying(amount: float, *, then: Callable[[str], str] = str, within: Callable[[], object] = str) -> Built:
    """A flow whose method pays; `then` happens after the call."""
    from tests.contract.crews import gated

    return gated.code(lambda: then(payer(within).run(to="Acme", amount=amount)))


def broken(*_: object) -> str:
    raise ValueError("broken")


async def failed(local: LocalWorker, build: Callable[[], Built]) -> Run:
    """A run that asks, is approved, and fails."""
    async with local.running(build) as run:
        await local.say(await local.question(run))
        over = await local.over(run)
    assert over.status is RunStatus.FAILED
    return over


async def tried_again(local: LocalWorker, run: Run) -> Claim:
    await retry(local.store, run, key=uuid.uuid4().hex)
    [claim] = await local.store.queue.claim("here", ["gated"], 1, LEASE)
    return claim


async def test_a_call_whose_result_is_recorded_is_neither_made_nor_asked_about_again(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    run = await failed(local, lambda: paying(1200, then=broken))
    claim = await tried_again(local, run)
    async with local.executing(claim, lambda: paying(1200)) as again:
        assert await local.result(again) == "sent 1200 to Acme"
    assert await local.gates(again) == []
    assert sent == [{"to": "Acme", "amount": 1200.0}]


async def test_a_call_that_failed_in_a_flows_own_code_is_not_made_again(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    run = await failed(local, lambda: paying(1200, within=broken))
    claim = await tried_again(local, run)
    async with local.executing(claim, lambda: paying(1200)) as again:
        assert (await local.over(again)).status is RunStatus.FAILED
    assert await local.gates(again) == []
    assert sent == [{"to": "Acme", "amount": 1200.0}]


async def test_another_call_is_asked_about_although_the_former_one_is_recorded(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    run = await failed(local, lambda: paying(1200, then=broken))
    claim = await tried_again(local, run)
    async with local.executing(claim, lambda: paying(99_000)) as again:
        question = await local.question(again)
        assert question.call is not None
        assert question.call.arguments == {"to": "Acme", "amount": 99_000.0}
        await local.say(question, Action.REJECT)
        assert "rejected" in await local.result(again)
    assert sent == [{"to": "Acme", "amount": 1200.0}]


def by_agent(within: Callable[[], object] = str) -> Built:
    """An agent that pays, and whose crew can't go on without it."""
    from tests.contract.crews import gated

    tool = payer(within)
    object.__setattr__(tool, "tool_failure_policy", "raise")
    says = gated.then(gated.calls(("send", gated.PAY)))
    return gated.one_task(gated.agent(says, tool, max_retry_limit=0))


@pytest.mark.parametrize("action", [Action.APPROVE, Action.REJECT])
async def test_a_call_that_failed_the_run_is_asked_about_again_before_it_is_made_again(
    local: LocalWorker, sent: list[dict[str, Any]], action: Action
) -> None:
    with capture_logs():  # with CrewAI's objects in it, the traceback has thousands of lines
        run = await failed(local, lambda: by_agent(broken))
    assert run.error is not None
    assert run.error.code == "tool_error"
    claim = await tried_again(local, run)
    async with local.executing(claim, by_agent) as again:
        question = await local.question(again)
        assert len(sent) == 1, "nothing is called before people have decided anew"
        await local.say(question, action)
        assert ("sent" if action is Action.APPROVE else "rejected") in await local.result(again)
    assert len(sent) == (2 if action is Action.APPROVE else 1)
    assert len(await local.gates(again)) == 1

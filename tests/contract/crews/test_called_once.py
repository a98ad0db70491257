"""Calls that CrewAI repeats, or answers from its cache: each that a model wants is made once, no other is."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from bot.core.questions.question import Action, Question, Source
from bot.core.runs.run import Run
from tests.contract.crews.features import shows
from tests.contract.crews.local_worker import LocalWorker
from tests.contract.crews.test_gates_taken_up import last_asked, paying, taken_up
from tests.waiting import WITHIN, until

if TYPE_CHECKING:
    from crews.building.build import Built

GATED: dict[str, Any] = {"send": {"approval": {}}}
PAID = {"to": "Acme", "amount": 1200.0}

pytestmark = pytest.mark.usefixtures("crewai_environment")


async def approved(local: LocalWorker, run: Run) -> None:
    await local.say(await local.question(run))


# ── without function calling ────────────────────────────────────────────────────────────────────────────


@shows("Models without function calling")
@pytest.mark.parametrize("tool", ["Failing", "Choosy"])
async def test_a_call_that_failed_is_made_once(
    local: LocalWorker, sent: list[dict[str, Any]], tool: str
) -> None:
    from tests.contract.crews import retried

    made = getattr(retried, tool)
    async with local.running(lambda: retried.written(made()), tools={}) as run:
        assert "the connection was lost" in await local.result(run), "the model is told"
    assert sent == [PAID]


async def test_an_approved_call_that_failed_is_made_and_asked_about_once(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import retried

    async with local.running(lambda: retried.written(retried.Failing()), tools=GATED) as run:
        await approved(local, run)
        assert "the connection was lost" in await local.result(run)
        assert len(await local.gates(run)) == 1
    assert sent == [PAID]


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("it says nothing")


class Mute:
    __str__ = __repr__ = MuteError.__str__


def deep(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = {"in": [value]}
    return value


COMES_TO: dict[str, tuple[object, str]] = {
    "an exception that fails to say why": (MuteError("x"), "MuteError"),
    "an exception of half a character": (ValueError("half \ud83d"), "ValueError"),
    "a result that fails to say what it is": (Mute(), "Mute"),
    "a result that is nested deeply": (deep(150), "dict"),
    "a result that is nested too deeply": (deep(400), "dict"),
    "a result that is nested much too deeply": (deep(4000), "dict"),
}


def coming_to(name: str, by: str) -> Callable[[], Built]:
    """A tool that sends, and comes to this; called by code or by an agent."""
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    came_to, _ = COMES_TO[name]

    @requires_approval()
    class Odd(gated.Plain):
        name: str = "send"

        def _run(self, to: str, amount: float) -> Any:  # noqa: ANN401 - whatever it comes to
            gated.send(to, amount)
            if isinstance(came_to, Exception):
                raise came_to
            return came_to

    def call() -> str:
        try:
            return type(Odd().run(**PAID)).__name__
        except Exception as error:  # noqa: BLE001 - whichever it is
            return type(error).__name__

    if by == "code":
        return lambda: gated.code(call)
    return lambda: gated.one_task(gated.agent(gated.then(gated.calls(("send", PAID))), Odd()))


@pytest.mark.parametrize("by", ["code", "an agent"])
@pytest.mark.parametrize("name", COMES_TO)
async def test_a_call_is_recorded_whatever_it_comes_to(
    local: LocalWorker, sent: list[dict[str, Any]], name: str, by: str
) -> None:
    async with local.running(coming_to(name, by)) as run:
        question = await local.question(run)
        await local.say(question)
        result = await local.result(run)
    if by == "code":
        assert result == COMES_TO[name][1], "code gets what the tool gave"
    assert sent == [PAID]
    assert len(await local.gates(run)) == 1
    record = await local.store.questions.record(run.id, question.id)
    assert record.executed is not None


async def test_a_call_that_failed_is_made_again_if_the_model_wants_it_again(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import retried

    build = lambda: retried.written(retried.Failing(), says=retried.twice)  # noqa: E731
    async with local.running(build, tools=GATED) as run:
        await approved(local, run)
        await approved(local, run)
        assert await local.result(run) == "twice"
    assert sent == [PAID, PAID]


async def test_a_tool_that_may_be_called_again_is(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    from tests.contract.crews import retried

    reads = {"send": {"use": "tests.contract.crews.retried:Failing", "on_interrupted": "retry"}}
    async with local.running(lambda: retried.written(retried.Failing()), tools=reads) as run:
        assert "the connection was lost" in await local.result(run)
    assert len(sent) > 1, "as CrewAI does"


# ── servers ─────────────────────────────────────────────────────────────────────────────────────────────


@shows("MCP servers")
@pytest.mark.parametrize("tools", [{"wire_money": {"approval": {}}}, {}], ids=["gated", "free"])
@pytest.mark.parametrize("bank", ["client", "address"])
async def test_a_call_that_a_server_does_not_answer_is_sent_once(
    local: LocalWorker, sent: list[dict[str, Any]], bank: str, tools: dict[str, Any]
) -> None:
    from tests.contract.crews import gated, retried

    def work() -> str:
        try:
            return str(retried.BANKS[bank]().run(**PAID))
        except RuntimeError as error:
            return str(error)

    async with local.running(lambda: gated.code(work), tools=tools) as run:
        if tools:
            await approved(local, run)
        said = await local.result(run)
        assert "timed out" in said or "the connection was lost" in said
    assert len(sent) == 1


@pytest.mark.parametrize("bank", ["client", "address"])
async def test_a_server_is_sent_what_was_approved(
    local: LocalWorker, sent: list[dict[str, Any]], bank: str
) -> None:
    from tests.contract.crews import gated, retried

    given = {
        **PAID,
        "cc": [],
        "sources": ["web"],
        "options": {"empty": {}, "none": None},
        "lines": [{}, {"n": 1}],
    }

    def work() -> str:
        try:
            return str(retried.BANKS[bank]().run(**given))
        except RuntimeError as error:
            return str(error)

    async with local.running(lambda: gated.code(work), tools={"wire_money": {"approval": {}}}) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.arguments == {**given, "note": None}
        await local.say(question)
        await local.result(run)
    [arguments] = sent
    assert without_null(arguments) == without_null(question.call.arguments)
    assert arguments["options"] == given["options"], (
        "null was given there: it may say that something is removed"
    )


def without_null(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_null(each) for name, each in value.items() if each is not None}
    return [without_null(each) for each in value] if isinstance(value, list) else value


# ── caches ──────────────────────────────────────────────────────────────────────────────────────────────


@shows("cache")
@pytest.mark.parametrize("says", ["first_then_second", "second_asks_first"])
async def test_what_a_cache_answers_is_not_called_for_when_the_run_is_taken_up(
    local: LocalWorker, sent: list[dict[str, Any]], says: str
) -> None:
    """Whether it was asked before the run left its worker, or only after that."""
    from tests.contract.crews import retried

    build = functools.partial(retried.caching, getattr(retried, says))
    claim = await local.claimed(build, tools={})
    async with local.executing(claim, build, tools={}) as run:
        await last_asked(local, run)
    again = await taken_up(local, claim)
    async with local.executing(again, build, tools={}) as run:
        await local.say(await last_asked(local, run), Action.RESPOND, comment="yes")
        assert "Ada answered: yes" in await local.result(run)
    assert sent == [PAID]


# ── results that can't be read any more ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tools", [GATED, {}], ids=["gated", "free"])
async def test_a_step_whose_result_became_unreadable_is_taken_again_once(
    local: LocalWorker, sent: list[dict[str, Any]], tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requester says so; whoever decides on the call decides on it anew."""
    from tests.contract.crews import retried

    build = paying(retried.Receipting())
    claim = await local.claimed(build, tools=tools)
    async with local.executing(claim, build, tools=tools) as run:
        if tools:
            await approved(local, run)
        await last_asked(local, run)
    monkeypatch.setattr(retried, "Receipt", retried.renumbered())

    claim = await taken_up(local, claim)
    async with local.executing(claim, build, tools=tools) as run:
        goes_on = await asked_by(local, run, Source.SYSTEM)
        assert "That step is taken again" in goes_on.prompt
        assert len(sent) == 1
        await local.say(goes_on, Action.CHOOSE, value=goes_on.options[0].id)
        if tools:
            await local.say(await asked_by(local, run, Source.GATE))
        await until(lambda: len(sent) > 1)

    claim = await taken_up(local, claim)
    async with local.executing(claim, build, tools=tools) as run:
        await local.say(await asked_by(local, run, Source.TOOL), Action.RESPOND, comment="no")
        assert await local.result(run) == "receipt_number=2, no"
    assert len(sent) == 2
    assert sent[0] == sent[1], "under the same idempotency key"
    assert len(await local.gates(run)) == (2 if tools else 0)


async def asked_by(local: LocalWorker, run: Run, source: Source) -> Question:
    """The open question from this source, once there is one."""
    async with asyncio.timeout(WITHIN):
        while True:
            found = [each for each in await local.asked(run) if each.source is source]
            if found:
                return found[0]
            await asyncio.sleep(0.01)


# ── tasks that are finished ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def called() -> Iterator[list[str]]:
    from tests.contract.crews import retried

    retried.CALLED.clear()
    retried.GATE.clear()
    yield retried.CALLED
    retried.GATE.set()


async def test_a_finished_task_has_its_file_also_if_the_worker_dies_in_a_callback(
    local: LocalWorker, called: list[str]
) -> None:
    from tests.contract.crews import retried

    build = lambda: retried.reporting(retried.waiting, None)  # noqa: E731
    claim = await local.claimed(build, tools={})
    async with local.executing(claim, build, tools={}) as run:
        await until(lambda: called == ["report"])
    claim = await taken_up(local, claim)
    async with local.executing(claim, build, tools={}) as run:
        assert await local.result(run) == "the report"
    assert called == ["report", "last"], "the first task is finished"
    [file] = await local.store.files.list(run.id)
    assert file.name == "report.md"


async def test_a_callback_that_is_the_tasks_and_the_crews_is_called_once(
    local: LocalWorker, called: list[str]
) -> None:
    from tests.contract.crews import retried

    async with local.running(lambda: retried.reporting(retried.called, retried.called), tools={}) as run:
        await local.result(run)
    assert called == ["report", "last"]

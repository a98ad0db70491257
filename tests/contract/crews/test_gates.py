"""Gates in front of tools, against a real store: whoever calls, people decide, and exactly that is called."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools take and return anything
import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import field_validator

from bot.core.people.actor import Actor
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, QuestionKind
from bot.core.runs.crew import Crew
from bot.settings import Settings
from crews.definitions.defined_crews import read
from tests.contract.crews.local_worker import LocalWorker
from tests.contract.examples import BOB, LOST
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from crews.building.build import Built

EVE = Actor(surface="slack", tenant="T1", user_id="U3", name="Eve")
OVERRIDING = Actor(surface="http", user_id="key:admin", name="Admin", admin=True)
CONFIG = Path(__file__).parents[3] / "config"

pytestmark = pytest.mark.usefixtures("crewai_environment")


def ways(name: str) -> list[str]:
    """The names of one of the tables in gated.py, without importing crewai when tests are collected."""
    text = (Path(__file__).parent / "gated.py").read_text()
    table = text.split(f"\n{name}: ", 1)[1].split("\n}", 1)[0]
    return [line.split('"')[1] for line in table.splitlines() if line.startswith('    "') and '": ' in line]


# ── no way round ────────────────────────────────────────────────────────────────────────────────────────


def way(name: str) -> Callable[[], Built]:
    from tests.contract.crews import gated

    if name in gated.AGENTS:
        return gated.AGENTS[name]
    call = {**gated.CODE, **gated.REFUSED}[name]
    return lambda: gated.code(call)


@pytest.mark.parametrize("name", [*ways("CODE"), *ways("AGENTS")])
async def test_whoever_calls_people_decide_and_the_call_is_made_once(
    local: LocalWorker, sent: list[dict[str, Any]], name: str
) -> None:
    async with local.running(way(name)) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.arguments == {"to": "Acme", "amount": 1200.0}
        assert sent == []
        await local.say(question)
        assert "sent 1200 to Acme" in await local.result(run)
    assert sent == [{"to": "Acme", "amount": 1200.0}]
    assert len(await local.gates(run)) == 1, "one call is asked about once"


@pytest.mark.parametrize("name", [*ways("CODE"), *ways("AGENTS")])
async def test_whoever_calls_a_rejected_call_is_not_made(
    local: LocalWorker, sent: list[dict[str, Any]], name: str
) -> None:
    async with local.running(way(name)) as run:
        await local.say(await local.question(run), Action.REJECT, comment="not this week")
        assert "Ada rejected this call" in (said := await local.result(run))
        assert "Their words: not this week" in said
    assert sent == []


@pytest.mark.parametrize("name", ways("REFUSED"))
async def test_where_nobody_can_be_asked_the_call_is_refused(
    local: LocalWorker, sent: list[dict[str, Any]], name: str
) -> None:
    async with local.running(way(name)) as run:
        assert "needs an approval" in await local.result(run)
    assert sent == []
    assert await local.gates(run) == []


async def test_calls_of_one_turn_have_a_question_each(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    from tests.contract.crews import gated

    wanted = [{"to": name, "amount": 1.0} for name in ("Ada", "Bob", "Eve", "Eve")]
    turn = gated.calls(*(("send", each) for each in wanted))
    build = lambda: gated.one_task(gated.agent(gated.then(turn), gated.Sender()))  # noqa: E731
    async with local.running(build) as run:
        questions = {
            f"{each.call.arguments['to']}{n}": each
            for n, each in enumerate(await local.asked(run, 4))
            if each.call is not None
        }
        assert sorted(name[:3] for name in questions) == ["Ada", "Bob", "Eve", "Eve"]
        for name, question in questions.items():
            await local.say(question, Action.REJECT if name.startswith("Bob") else Action.APPROVE)
        assert "rejected" in await local.result(run)
    assert sorted(each["to"] for each in sent) == ["Ada", "Eve", "Eve"]


async def test_an_approved_call_lets_through_no_other_tool_under_the_same_decorator(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    async with local.running(lambda: gated.code(lambda: gated.first_of_two.run(**gated.PAY))) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.tool == "first_of_two"
        await local.say(question)
        assert "second_of_two needs an approval" in await local.result(run)
    assert sent == [gated.PAY]


# ── exactly that ────────────────────────────────────────────────────────────────────────────────────────


def sending(tool: Any = None, title: str = "") -> Callable[[], Built]:
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    made = tool or requires_approval(edit=["amount"], title=title or "Send {amount} to {to}")(gated.Plain())
    return lambda: gated.code(lambda: made.run(**gated.PAY))


def superstitious() -> Any:
    """A tool whose schema refuses what no JSON Schema can say."""
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    class Lucky(gated.Pay):
        @field_validator("amount")
        @classmethod
        def _lucky(cls, amount: float) -> float:
            if amount == 13:
                raise ValueError("nobody pays 13")
            return amount

    return requires_approval(edit=["amount"])(gated.Plain(args_schema=Lucky))


async def test_what_was_edited_is_what_is_called(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    async with local.running(sending(), tools={}) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.summary == "Send 1200 to Acme"
        await local.say(question, arguments={"amount": 900})
        assert await local.result(run) == "sent 900 to Acme"
    assert sent == [{"to": "Acme", "amount": 900.0}]
    [settled] = await local.gates(run)
    assert settled.call is not None
    assert (settled.call.proposed["amount"], settled.call.arguments["amount"]) == (1200.0, 900.0)
    assert settled.call.summary == "Send 900 to Acme", "the title says what is called"


async def test_an_edit_that_the_tool_refuses_is_asked_about_anew(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    async with local.running(sending(superstitious()), tools={}) as run:
        first = await local.question(run)
        await local.say(first, arguments={"amount": 13.0})
        second = await local.question(run)
        assert second.id != first.id
        assert "nobody pays 13" in second.context
        assert sent == []
        await local.say(second)
        await local.result(run)
    assert sent == [{"to": "Acme", "amount": 1200.0}]


async def test_an_edit_that_removes_what_a_secret_is_in_is_asked_about_anew(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    class Wire(gated.Pay):
        account: gated.Account | None = None

    class Wiring(gated.Plain):
        def _run(self, to: str, amount: float, **more: Any) -> str:
            return gated.send(to, amount, **more)

    tool = requires_approval(edit=["account"], hide=["account.pin"])(Wiring(args_schema=Wire))
    wanted = {**gated.PAY, "account": {"iban": "DE1", "pin": "0815"}}
    async with local.running(lambda: gated.code(lambda: tool.run(**wanted)), tools={}) as run:
        first = await local.question(run)
        await local.say(first, arguments={"account": None})
        second = await local.question(run)
        assert second.call is not None
        assert (second.call.arguments["account"], second.call.secrets) == (None, {})
        assert sent == []
        await local.say(second)
        await local.result(run)
    assert sent == [{"to": "Acme", "amount": 1200.0, "account": None}]


@pytest.mark.parametrize("way", ["run", "_run", "invoke"])
@pytest.mark.parametrize("given", [{}, {"limit": None}, {"limit": 3}], ids=str)
async def test_a_default_that_its_own_type_refuses_is_shown_and_called_with(
    local: LocalWorker, sent: list[dict[str, Any]], given: dict[str, Any], way: str
) -> None:
    from crewai.tools import tool

    from crewdeck import requires_approval
    from tests.contract.crews import gated

    @tool("lax")
    @requires_approval()
    def lax(to: str, amount: float = 5, limit: int = None, tags: list[str] = ()) -> str:  # type: ignore[assignment] # noqa: RUF013 - as many write it
        """Sends money."""
        return gated.send(to, amount, limit=limit, tags=list(tags))

    ways: dict[str, Callable[..., Any]] = {
        "run": lax.run,
        "_run": lax._run,  # noqa: SLF001 - the way round
        "invoke": lambda **wanted: lax.to_structured_tool().invoke(wanted),
    }
    called: dict[str, Any] = {"to": "Acme", "amount": 5.0, "limit": given.get("limit"), "tags": []}
    async with local.running(lambda: gated.code(lambda: ways[way](to="Acme", **given))) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.arguments == called
        await local.say(question)
        assert await local.result(run) == "sent 5 to Acme"
    assert sent == [called]


@pytest.mark.parametrize("at", ["when it was decided", "right before the call"])
async def test_what_turns_out_to_be_another_call_is_asked_about_anew(
    local: LocalWorker, sent: list[dict[str, Any]], at: str
) -> None:
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    reads = itertools.count(1)
    # Arguments are read twice each time: when they are wanted, decided, compared, and about to be used.
    odd = range(5, 7) if at == "when it was decided" else range(7, 9)

    class Shifting(gated.Pay):
        @field_validator("amount")
        @classmethod
        def _shifts(cls, amount: float) -> float:
            return amount + 1 if next(reads) in odd else amount

    tool = requires_approval()(gated.Plain(args_schema=Shifting))
    async with local.running(sending(tool), tools={}) as run:
        first = await local.question(run)
        await local.say(first)
        second = await local.question(run)
        assert second.id != first.id
        assert "isn't what was approved, so it was not called" in second.context
        assert sent == []
        await local.say(second)
        await local.result(run)
    assert len(sent) == 1


async def test_only_what_may_be_edited_is_edited(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    async with local.running(sending(), tools={}) as run:
        question = await local.question(run)
        ruling = await local.say(question, arguments={"to": "Eve"})
        assert (ruling.verdict, [*ruling.errors]) == (Verdict.REFUSED, ["to"])
        assert sent == []
        await local.say(question, Action.REJECT)
        await local.result(run)
    assert sent == []


async def test_an_approval_of_something_else_opens_nothing(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    async with local.running(sending(), tools={}) as run:
        question = await local.question(run)
        other = question.model_copy(update={"digest": "sha256:0"})
        assert (await local.say(other)).code == "stale"
        without = question.model_copy(update={"digest": ""})
        assert [*(await local.say(without)).errors] == ["digest"]
        assert (await local.say(question, Action.RESPOND, comment="yes, do it")).verdict is Verdict.REFUSED
        assert (await local.say(question, by=EVE)).code == "not_allowed"
        assert (await local.say(question, by=OVERRIDING)).code == "not_allowed"
        assert sent == []
        await local.say(question, by=OVERRIDING, override=True)
        await local.result(run)
    assert len(sent) == 1


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"in": value}
    return value


def taking(way: str, levels: int, *, guarded: bool) -> Callable[[], Built]:
    """A call of a tool with an argument that has so many levels."""
    from crewai.tools import BaseTool

    from crewdeck import requires_approval
    from tests.contract.crews import gated

    class Take(BaseTool):
        name: str = "take"
        description: str = "Takes anything."

        def _run(self, what: Any) -> str:
            return gated.send("here", 1, taken=bool(what))

    tool = requires_approval()(Take()) if guarded else Take()
    what = nested(levels)
    if way == "code":
        return lambda: gated.code(lambda: tool.run(what=what))
    if way == "objects":
        return lambda: gated.one_task(gated.agent(gated.then(gated.calls(("take", {"what": what}))), tool))
    written = '{"what": ' + '{"in": ' * levels + "{}" + "}" * (levels + 1)
    if way == "text":
        calls = gated.calls(("take", written))
        return lambda: gated.one_task(gated.agent(gated.then(calls), tool))

    def react(messages: list[dict[str, Any]], tools: list[Any]) -> str:
        said = gated.react(messages, tools)
        return said if "Final Answer" in said else f"Thought: do\nAction: take\nAction Input: {written}"

    return lambda: gated.one_task(gated.agent(react, tool, native=False))


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "free"])
@pytest.mark.parametrize("levels", [120, 600])
@pytest.mark.parametrize("way", ["text", "objects", "react"])
async def test_a_model_is_told_of_arguments_that_are_nested_too_deeply(
    local: LocalWorker, sent: list[dict[str, Any]], way: str, levels: int, *, guarded: bool
) -> None:
    """They ended the run as an error of Crewdeck, or said something of recursion."""
    async with local.running(taking(way, levels, guarded=guarded)) as run:
        done = await local.over(run)
    told = "nested more than 100 levels deep"
    if (way, levels) == ("objects", 600):  # The answer itself can't be recorded.
        assert done.error is not None
        assert (done.error.code, "nested more than" in done.error.message) == ("model_error", True)
    else:
        assert told in (done.result or ""), done
    assert sent == []
    assert await local.gates(run) == []


@pytest.mark.parametrize("way", ["text", "objects", "react", "code"])
async def test_what_is_nested_less_is_called_with(
    local: LocalWorker, sent: list[dict[str, Any]], way: str
) -> None:
    async with local.running(taking(way, 90, guarded=True)) as run:
        await local.say(await local.question(run))
        assert "sent 1 to here" in await local.result(run)
    assert len(sent) == 1


async def test_invalid_arguments_reach_the_model_and_nobody_else(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    turn = gated.calls(("send", {"to": "Acme", "amount": -1}), ("send", {"amount": 1}), ("send", {}))
    build = lambda: gated.one_task(gated.agent(gated.then(turn), gated.Sender()))  # noqa: E731
    async with local.running(build) as run:
        said = await local.result(run)
    assert "Input should be greater than 0" in said
    assert "to: Field required" in said
    assert sent == []
    assert await local.gates(run) == []


async def test_secrets_are_called_with_and_never_stored(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    build = lambda: gated.code(lambda: gated.Secretive().run(to="the-recipient", pin="the-pin-0815"))  # noqa: E731
    async with local.running(build) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.arguments == {}
        assert set(question.call.secrets) == {"to", "pin"}
        seen = question.model_dump_json() + json.dumps(
            [each.model_dump(mode="json") for each in await local.store.events.read(run.id)]
        )
        journal = json.dumps(await local.store.journal.read(run.id))
        for secret in ("the-recipient", "the-pin"):
            assert secret not in seen
            assert secret not in journal
        await local.say(question)
        await local.result(run)
    assert sent == [{"to": "the-recipient", "amount": 1, "pin": "the-pin-0815"}]


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("when", "asks"),
    [
        ("args.amount > 1000", True),
        ("args.amount > 1200.5", False),
        ("inputs.limit < args.amount", True),
        ("crew.name == 'other' || requester.user_id == 'U9'", False),
        ("args.nothing > 1", True),
        ("args.amount / 0 > 1", True),
    ],
)
async def test_people_are_asked_when_the_crew_says_so(
    local: LocalWorker, sent: list[dict[str, Any]], when: str, asks: object
) -> None:
    from tests.contract.crews import gated

    tools = {"plain_send": {"approval": {"when": when}}}
    inputs = {"limit": {"type": "number", "default": 1000}}
    build = lambda: gated.code(lambda: gated.Plain().run(**gated.PAY))  # noqa: E731
    async with local.running(build, tools=tools, inputs=inputs) as run:
        if asks:
            assert sent == []
            await local.say(await local.question(run))
        await local.result(run)
    assert len(sent) == 1
    assert len(await local.gates(run)) == (1 if asks else 0)


# ── policies ────────────────────────────────────────────────────────────────────────────────────────────


def two(**more: Any) -> dict[str, Any]:
    return {
        "groups": {"finance": ["U1", "U2"]},
        "policies": {"pay": {"who": ["finance"], "need": 2, **more}},
        "tools": {"plain_send": {"approval": {"policy": "pay"}}},
    }


def plainly() -> Built:
    from tests.contract.crews import gated

    return gated.code(lambda: gated.Plain().run(**gated.PAY))


async def test_two_people_open_a_gate_for_two(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    async with local.running(plainly, **two()) as run:
        question = await local.question(run)
        assert question.policy.name == "pay"
        assert (await local.say(question)).verdict is Verdict.RECORDED
        assert (await local.say(question)).verdict is Verdict.REPEATED
        assert (await local.say(question, by=EVE)).code == "not_allowed"
        assert sent == []
        assert (await local.say(question, by=BOB)).verdict is Verdict.SETTLED
        await local.result(run)
    assert len(sent) == 1


async def test_too_few_people_are_told_when_it_asks(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    keys = two(who=["requester", "U1"], need=2)
    async with local.running(plainly, **keys) as run:  # the requester is U1
        failed = await local.over(run)
    assert failed.error is not None
    assert failed.error.code == "policy_unsatisfiable"
    assert "The policy pay can't be satisfied: it needs 2 people, and 1 may decide" in failed.error.message
    assert sent == []


async def test_a_policy_that_only_a_decorator_gives_is_checked_when_it_asks(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from crewdeck import Policy, requires_approval
    from tests.contract.crews import gated

    policy = Policy(who=["requester", "U1"], need=2)  # the requester is U1

    def build() -> Built:
        tool = requires_approval(policy=policy)(gated.Plain().model_copy(update={"name": "marked"}))
        return gated.code(lambda: tool.run(**gated.PAY))

    assert local.blueprint(build).card().policies == (), "it is not announced with the crew"
    async with local.running(build) as run:
        failed = await local.over(run)
    assert failed.error is not None
    assert failed.error.code == "policy_unsatisfiable"
    assert "it needs 2 people, and 1 may decide" in failed.error.message
    assert sent == []


async def test_too_few_people_are_waited_for_where_the_policy_says_so(local: LocalWorker) -> None:
    keys = two(who=["requester", "U1"], need=2, if_too_few="wait")
    async with local.running(plainly, **keys) as run:
        question = await local.question(run)
        assert "too few people may decide now" in question.prompt


async def test_a_task_names_who_reviews_it(local: LocalWorker) -> None:
    from tests.contract.crews import gated

    build = lambda: gated.one_task(gated.agent(lambda _messages, _tools: "a draft"), human_input=True)  # noqa: E731
    async with local.running(build, reviewers={"work": ["U2"]}) as run:
        [question] = await local.asked(run)
        assert question.kind is QuestionKind.REVIEW
        assert (await local.say(question)).code == "not_allowed", "not even the requester"
        await local.say(question, by=BOB)
        assert await local.result(run) == "a draft"


async def test_what_is_answered_in_words_takes_one_of_the_policys_people(local: LocalWorker) -> None:
    from crewdeck import AskHuman
    from tests.contract.crews import gated

    build = lambda: gated.code(lambda: AskHuman().run(question="Which one?"))  # noqa: E731
    async with local.running(build, **two(), approvers="pay") as run:
        [question] = await local.asked(run)
        assert (await local.say(question, Action.RESPOND, by=EVE, comment="mine")).code == "not_allowed"
        await local.say(question, Action.RESPOND, by=BOB, comment="this one")
        assert await local.result(run) == "Bob answered: this one"


async def test_what_an_approval_should_hide_is_not_shown_because_it_is_misspelt(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    tool = requires_approval(hide=["ammount"])(gated.Plain())
    async with local.running(lambda: gated.code(lambda: tool.run(**gated.PAY))) as run:
        over = await local.over(run)
    assert over.error is not None
    assert "hides ammount, which is no argument of it: amount is one" in over.error.message
    assert await local.gates(run) == []
    assert sent == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"edit": ["to", "ammount"]}, "lets people edit ammount"),
        ({"title": "Send {ammount} to {to}"}, "has a title with ammount"),
        ({"title": "Send {Amount} to {to}"}, "has a title with Amount"),
    ],
)
async def test_what_an_approval_misspells_is_not_ignored(
    local: LocalWorker, sent: list[dict[str, Any]], said: dict[str, Any], told: str
) -> None:
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    tool = requires_approval(**said)(gated.Plain())
    async with local.running(lambda: gated.code(lambda: tool.run(**gated.PAY))) as run:
        over = await local.over(run)
    assert over.error is not None
    assert f"{told}, which is no argument of it: amount is one" in over.error.message
    assert f"Correct what `{next(iter(said))}` names." in over.error.message
    assert await local.gates(run) == []
    assert sent == []


async def test_what_an_approval_names_that_means_no_argument_is_left_as_it_is(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    """Tools that have less than others may have a class with an approval in common."""
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    tool = requires_approval(edit=["reference"], title="Send {amount} as {reference}")(gated.Plain())
    async with local.running(lambda: gated.code(lambda: tool.run(**gated.PAY))) as run:
        question = await local.question(run)
        assert question.call is not None
        assert question.call.summary == "Send 1200 as {reference}"
        await local.say(question)
        await local.result(run)
    assert len(sent) == 1


async def test_an_unknown_policy_opens_nothing(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    from crewdeck import requires_approval
    from tests.contract.crews import gated

    tool = requires_approval(policy="nobody-defined-it")(gated.Plain())
    async with local.running(lambda: gated.code(lambda: tool.run(**gated.PAY)), tools={}) as run:
        failed = await local.over(run)
    assert failed.error is not None
    assert "there is no policy 'nobody-defined-it'" in failed.error.message
    assert sent == []


# ── time, and what comes again ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outcome", ["expire", "reject"])
async def test_time_opens_no_gate(local: LocalWorker, sent: list[dict[str, Any]], outcome: str) -> None:
    questions = {"deadline": "1s", "on_deadline": outcome}
    async with local.running(plainly, questions=questions) as run:
        await local.question(run)
        async with asyncio.timeout(WITHIN):
            while not (await local.store.runs.get(run.id)).status.over:
                await local.store.clock.apply_due(LOST)
                await asyncio.sleep(0.05)
        assert "before the deadline" in ((await local.over(run)).result or "")
    assert sent == []


async def test_a_second_call_with_the_same_arguments_is_another_call(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    tool = gated.Sender()
    async with local.running(lambda: gated.code(lambda: [tool.run(**gated.PAY) for _ in range(2)])) as run:
        for many in (1, 2):
            await local.say(await local.question(run))
            async with asyncio.timeout(WITHIN):
                for _ in itertools.count():
                    if len(sent) == many:
                        break
                    await asyncio.sleep(0.01)
        await local.result(run)
    assert len(sent) == 2


async def test_an_agent_that_repeats_a_call_is_asked_about_again_and_gets_no_cached_result(
    local: LocalWorker, sent: list[dict[str, Any]]
) -> None:
    from tests.contract.crews import gated

    def says(messages: list[dict[str, Any]], _tools: list[Any]) -> Any:
        results = [each for each in messages if each.get("role") == "tool"]
        return gated.calls(("send", gated.PAY)) if len(results) < 2 else "twice"

    async with local.running(lambda: gated.one_task(gated.agent(says, gated.Sender()))) as run:
        first = await local.question(run)
        await local.say(first)
        second = await local.question(run)
        assert second.id != first.id
        await local.say(second, Action.REJECT)
        assert await local.result(run) == "twice"
    assert len(sent) == 1


async def test_a_hook_of_crewai_asks_people(local: LocalWorker, sent: list[dict[str, Any]]) -> None:
    from crewai.hooks.dispatch import InterceptionPoint, register, unregister

    from tests.contract.crews import gated

    def hook(context: Any) -> bool | None:
        return None if context.request_human_input("Really?", "Type 'go':") == "go" else False

    register(InterceptionPoint.PRE_TOOL_CALL, hook)
    turn = gated.calls(("plain_send", gated.PAY))
    build = lambda: gated.one_task(gated.agent(gated.then(turn), gated.Plain()))  # noqa: E731
    try:
        for words, made in (("go", 1), ("no", 1)):
            async with local.running(build, tools={}) as run:
                [question] = await local.asked(run)
                assert "Really?" in question.prompt
                assert '"amount": 1200.0' in question.context
                await local.say(question, Action.RESPOND, comment=words)
                await local.result(run)
            assert len(sent) == made
    finally:
        unregister(InterceptionPoint.PRE_TOOL_CALL, hook)


async def test_the_catalogue_tells_which_policies_a_crew_uses(local: LocalWorker) -> None:
    card: Crew = local.blueprint(plainly, **two()).card()
    assert [policy.name for policy in card.policies] == ["pay"]


# ── crews in YAML ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("amount", "people"), [(1000, 0), (1200, 2)])
async def test_the_shipped_crew_needs_two_people_above_its_threshold(
    local: LocalWorker, amount: int, people: int
) -> None:
    from crews.building.build import YamlCrew

    crew = YamlCrew(read([CONFIG]).definitions["payments"])
    async with local.running_crew(crew, recipient="Acme", amount=amount, pace=0) as run:
        if people:
            question = await local.question(run)
            assert question.call is not None
            assert question.call.summary == "Send € 1200 to Acme"
            await local.say(question, arguments={"reference": "Invoice 4712"})
            edited = await local.question(run)
            assert (await local.say(edited, by=BOB)).verdict is Verdict.SETTLED
        said = await local.result(run)
    reference = "Invoice 4712" if people else "Invoice 4711"
    assert said.startswith(f"Sent € {amount:,.2f} to Acme (“{reference}”)")


AGENT = "writer:\n  role: W\n  goal: W\n  backstory: W\n  tools: [pay]\n"
TASK = "work:\n  description: W\n  expected_output: W\n  agent: writer\n"
CREW = """\
title: Pays
model: scripted
tools:
  pay:
    use: "tests.contract.crews.gated:{use}"
    approval:
      {approval}
"""


@pytest.mark.parametrize(
    ("use", "approval", "problem"),
    [
        (
            "Plain",
            'when: "args.amuont > 3"',
            "crew.yaml:7: tools.pay.approval.when: is no condition: undeclared",
        ),
        ("Plain", "edit: [sum]", "crew.yaml:7: tools.pay.approval.edit: sum is no argument of the tool"),
        ("Secretive", 'title: "Open {pin}"', "crew.yaml:7: tools.pay.approval.title: pin is secret"),
        (
            "by_function",
            "hide: [sum]",
            "crew.yaml:7: tools.pay.approval.hide: sum is no argument of the tool",
        ),
        (
            "Nested",
            "hide: [account.pni]",
            "crew.yaml:7: tools.pay.approval.hide: account.pni: there is no pni in it",
        ),
        ("nothing_there", "edit: []", "tests.contract.crews.gated:nothing_there can't be imported"),
    ],
)
def test_what_does_not_go_with_a_tool_is_found_when_the_crew_is_loaded(
    tmp_path: Path, use: str, approval: str, problem: str
) -> None:
    from crews.building import loading

    home = tmp_path / "pays"
    home.mkdir()
    text = CREW.format(use=use, approval=approval)
    for file, content in {"crew.yaml": text, "agents.yaml": AGENT, "tasks.yaml": TASK}.items():
        (home / file).write_text(content)
    defined = read([tmp_path])
    assert defined.problems == ()
    loaded = loading.load(defined, Settings(data_dir=tmp_path))
    assert loaded.crews.keys().isdisjoint({"pays"})
    assert problem in str(loaded.problems["pays"])


@pytest.mark.parametrize(("named", "offered"), [("send", True), ("sendd", False)])
def test_an_approval_by_name_that_would_guard_nothing_keeps_the_crew_from_being_offered(
    tmp_path: Path, *, named: str, offered: bool
) -> None:
    from crews.building import loading

    home = tmp_path / "pays"
    home.mkdir()
    tools = f'  pay: {{use: "tests.contract.crews.gated:Sender"}}\n  {named}: {{approval: {{}}}}\n'
    (home / "crew.yaml").write_text(f"title: Pays\nmodel: scripted\ntools:\n{tools}")
    (home / "script.yaml").write_text("work:\n  - say: done\n")
    (home / "agents.yaml").write_text(AGENT)
    (home / "tasks.yaml").write_text(TASK)
    loaded = loading.load(read([tmp_path]), Settings(data_dir=tmp_path))
    assert ("pays" in loaded.crews) is offered
    if not offered:
        told = str(loaded.problems["pays"])
        assert "crew.yaml:5: tools.sendd: is no tool of this crew, so nothing would be asked" in told


def test_a_tool_under_crewais_decorator_may_be_named() -> None:
    from crews.definitions.tool_options import make
    from tests.contract.crews import gated

    made = make("tests.contract.crews.gated:by_function")
    assert made is not gated.by_function
    assert made.func is gated.by_function.func

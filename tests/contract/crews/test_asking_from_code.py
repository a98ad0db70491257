"""Authors' own code asks people: `crewdeck.ask_human` and `crewdeck.approve`, in tools and in flows.

The worker parks each run as soon as it waits, so what a flow asks is asked again from its journal.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import crewdeck
from bot.core import ids
from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Run
from crewdeck.testing import call as tool
from crewdeck.testing import expire, reject, reply, run_crew, submit
from tests.contract.crews.conftest import DEFINITIONS
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say

MODULE = "tests.contract.crews.asking_crews"
CREWS = ("pays", "asks", "fills_in", "impatient")
ENTRY_POINTS = "[crewdeck.crews]\n" + "\n".join(f"{name} = {MODULE}:{name}" for name in CREWS)


@pytest.fixture(scope="module")
def parking(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, ENTRY_POINTS, fork_server, CREWDECK_HOT_WINDOW="0"
    ) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def people(parking: WorkerProcess) -> AsyncIterator[Deployment]:
    async with Deployment.at(parking.redis_url, lambda: parking.log) as deployment:
        yield deployment


async def asked(people: Deployment, run: Run, prompt: str, many: int = 1) -> Question:
    """The run's open question with these words."""
    while True:
        for question in await people.asked(run, many):
            if question.prompt == prompt:
                return question
        await asyncio.sleep(0.02)


async def test_a_tool_asks_in_the_name_of_its_agent(people: Deployment, model: LoopbackModel) -> None:
    model.script("pays", [call("pay", amount=5), say("{last}")])
    run = await people.start("pays", prompt="[[pays]]")
    form = await asked(people, run, "Whom?")
    assert (form.kind, form.asker, form.context) == (QuestionKind.FORM, "Payer", "An order.")
    assert (form.task_id, form.agent_id) == (ids.part_id(run.id, "task", 1), ids.part_id(run.id, "agent", 1))
    await people.submit(form, {"customer": "Bo", "amount": 5})
    approval = await asked(people, run, "Pay 5 to Bo?")
    assert approval.kind is QuestionKind.APPROVAL
    assert approval.context == "Order(customer='Bo', amount=Decimal('5'), due=None)"
    await people.say(approval, "approve")
    assert await people.result(run) == "paid: ApprovalResult(approved=True, comment='', by='Ada')"


async def test_a_flow_gets_its_answers_typed_from_its_journal_as_well(people: Deployment) -> None:
    run = await people.start("asks", prompt="-")
    words = await asked(people, run, "What?")
    assert (words.kind, words.asker) == (QuestionKind.TEXT, "Asks")
    await people.say(words, "tides")
    await people.say(await asked(people, run, "Which tone?"), "playful")
    await people.submit(await asked(people, run, "How much?"), {"amount": 12.5})
    await people.say(await asked(people, run, "Go on?"), "approve")
    await people.submit(await asked(people, run, "Second?", 2), {"customer": "Bo", "amount": 3})
    await people.say(await asked(people, run, "First?"), "one")
    await people.reject(await asked(people, run, "Really?"), "not yet")
    assert json.loads(await people.result(run)) == [
        "tides",
        "Playful",
        {"amount": 12.5},
        "ApprovalResult(approved=True, comment='', by='Ada')",
        "one",
        "Order(customer='Bo', amount=Decimal('3'), due=None)",
        False,
        "not yet",
    ]
    assert len(await people.store.questions.list(run.id)) == 7, "nobody was asked twice"


# ── in one process ──────────────────────────────────────────────────────────────────────────────────────────


def made(name: str) -> Any:  # noqa: ANN401 - a factory
    """A factory of the module that the worker imports, too; it needs crewai."""
    return getattr(importlib.import_module(MODULE), name)


def test_words_and_rejections_are_no_approvals() -> None:
    result = run_crew(
        made("pays"),
        {"prompt": "-"},
        model=[tool("pay", amount=5), tool("pay", amount=6), "Done."],
        people=[
            submit({"customer": "Bo", "amount": 5}, to="Whom?"),
            reply("yes, go ahead", to="Pay 5 to Bo?"),
            submit({"customer": "Cy", "amount": 6}, to="Whom?"),
            reject("too much", to="Pay 6 to Cy?"),
        ],
    )
    assert [each.result for each in result.calls_of("pay")] == [
        "not paid: ApprovalResult(approved=False, comment='yes, go ahead', by='Ada')",
        "not paid: ApprovalResult(approved=False, comment='too much', by='Ada')",
    ]
    assert "comment='yes, go ahead'" in result.model_calls[1].prompt


def test_a_choice_may_be_answered_in_words() -> None:
    people = [reply("tides", to="What?"), reply("neither of them"), reject("ask Bob", to="How much?")]
    result = run_crew(made("asks"), {"prompt": "-"}, people=people)
    assert result.error is not None
    said = "Ada declined to fill in the form. Their words: ask Bob"
    assert (result.error.code, result.error.message) == ("not_answered", said)
    assert [each["type"] for each in result.events].count("human_input_completed") == 3


def test_what_the_model_refuses_is_asked_again_with_what_was_filled_in() -> None:
    result = run_crew(
        made("fills_in"),
        {"prompt": "-"},
        people=[
            submit({"customer": "nobody", "amount": 120.5}),
            submit({"customer": "Bo", "amount": 120.5}),
            submit({"customer": "Bo", "amount": 120.5, "due": "2026-03-31"}),
        ],
    )
    first, second, third = result.questions
    assert (first.prompt, first.context) == ("What is ordered?", "For the shop.")
    assert [(field.name, field.title, field.default) for field in first.form] == [
        ("customer", "Customer", None),
        ("amount", "How much?", None),
        ("due", "Due", None),
    ]
    assert second.context == "For the shop.\nThis was not accepted:\n- Customer: is no customer"
    assert {field.name: field.default for field in second.form} == {
        "customer": "nobody",
        "amount": 120.5,
        "due": None,
    }
    assert third.context == "For the shop.\nThis was not accepted:\n- large orders have a due date"
    assert result.output == "Order(customer='Bo', amount=Decimal('120.5'), due=datetime.date(2026, 3, 31))"


def test_a_form_that_is_never_right_is_given_up() -> None:
    people = [submit({"customer": "nobody", "amount": number}) for number in range(5)]
    result = run_crew(made("fills_in"), {"prompt": "-"}, people=people)
    assert result.output == "not answered: Asked 5 times, and what was filled in was never right."


def test_a_declined_form_raises_what_people_said() -> None:
    result = run_crew(made("fills_in"), {"prompt": "-"}, people=[reject("Ask Bob")])
    assert result.output == "not answered: Ada declined to fill in the form. Their words: Ask Bob"


def test_a_model_is_told_that_people_declined() -> None:
    people = [reject("Ask Bob", to="Whom?")]
    result = run_crew(made("pays"), {"prompt": "-"}, model=[tool("pay", amount=5), "Undone."], people=people)
    told = "Ada declined to fill in the form. Their words: Ask Bob"
    assert told in result.model_calls[1].prompt
    assert len(result.questions) == 1


def test_a_passed_deadline_is_no_answer() -> None:
    result = run_crew(made("impatient"), {"prompt": "-"}, people=[expire(), expire(), expire()])
    nobody = "Nobody answered before the deadline."
    rejected = "ApprovalResult(approved=False, comment='No answer before the deadline.', by=None)"
    assert result.output == f"{rejected} / {nobody} / {nobody}"


# ── without a run ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["ask_human", "approve"])
async def test_outside_of_a_run_it_is_said_that_it_takes_one(name: str) -> None:
    with pytest.raises(RuntimeError, match=rf"crewdeck\.{name} needs a run that Crewdeck started"):
        getattr(crewdeck, name)("Hello?")
    with pytest.raises(RuntimeError, match=rf"crewdeck\.{name}_async needs a run that Crewdeck started"):
        await getattr(crewdeck, f"{name}_async")("Hello?")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"question": " "}, "say in `question`"),
        ({"question": "Q", "options": ["a"], "kind": "choice"}, "at least 2 options"),
        ({"question": "Q", "options": ["a", "A"]}, "no two options may be the same"),
        ({"question": "Q", "options": ["Approve", "Reject"]}, "crewdeck.approve"),
        ({"question": "Q", "options": "ab"}, "list of texts"),
        ({"question": "Q", "kind": "poll"}, "kind"),
        ({"question": "Q", "kind": "form"}, "field"),
        ({"question": "Q", "fields": [{"name": "api_key"}]}, "send people a link"),
        ({"question": "Q", "fields": [{"name": "a"}], "options": ["a", "b"]}, "no `options`"),
        ({"question": "Q", "form": crewdeck.Policy, "options": ["a", "b"]}, "leave out"),
        ({"question": "Q", "form": crewdeck.Policy, "kind": "text"}, "leave out"),
        ({"question": "Q", "form": crewdeck.Policy}, "is no form"),
    ],
)
async def test_what_can_not_be_asked_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        crewdeck.ask_human(**arguments)
    with pytest.raises((ValueError, TypeError), match=words):
        await crewdeck.ask_human_async(**arguments)


async def test_an_approval_that_was_not_awaited_is_none() -> None:
    with pytest.raises(TypeError, match=r"await crewdeck\.approve_async"):
        bool(crewdeck.approve_async("Pay?"))
    with pytest.raises(RuntimeError, match="needs a run"):
        await asyncio.create_task(crewdeck.approve_async("Pay?"))
    assert not crewdeck.ApprovalResult(approved=False, comment="yes")
    assert crewdeck.ApprovalResult(approved=True)

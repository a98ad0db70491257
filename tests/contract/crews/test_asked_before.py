"""What an earlier release asked, and this one would refuse to ask, keeps its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from bot.core import ids
from bot.core.questions.decision import Verdict
from bot.core.questions.question import Action, Question, QuestionKind, options_for
from bot.core.runs.run import Claim, RunStatus
from bot.core.text import valid
from tests.contract.crews.local_worker import LocalWorker
from tests.contract.crews.test_gates_retried import broken, tried_again
from tests.contract.crews.test_gates_taken_up import taken_up

if TYPE_CHECKING:
    from crews.building.build import Built

pytestmark = pytest.mark.usefixtures("crewai_environment")

REFUSED = {
    "like an outcome": ("Keep it", "Approved by Bo"),
    "like a button": ("Show all", "Drop it"),
    "alike": ("Keep it", "Keep\u200b it"),
}


def by_code(labels: tuple[str, ...], then: Callable[[str], str] = str) -> Callable[[], Built]:
    import crewdeck
    from tests.contract.crews import gated

    return lambda: gated.code(lambda: then(crewdeck.ask_human("Which one?", options=labels)))


def by_agent(labels: tuple[str, ...], then: Callable[[str], str] = str) -> Callable[[], Built]:
    from tests.contract.crews import gated

    asking = ("ask_human", {"question": "Which one?", "options": list(labels)})
    says = gated.then(gated.calls(asking))

    def answered(messages: list[dict[str, Any]], tools: list[Any]) -> object:
        said = says(messages, tools)
        return then(said) if isinstance(said, str) else said

    return lambda: gated.one_task(gated.agent(answered))


WAYS: dict[str, tuple[Callable[..., Callable[[], Built]], int | str]] = {
    "code": (by_code, "method:0"),
    "an agent": (by_agent, 1),
}


def asked_by_an_earlier_release(claim: Claim, labels: tuple[str, ...], task: int | str) -> Question:
    from crews.run.questions import Asking

    asking = Asking(kind=QuestionKind.CHOICE, prompt="Which one?", labels=labels)
    content = (task, asking.kind, asking.fingerprint, 0)
    return Question(
        id=ids.part_id(claim.run.id, "question", *content),
        content_hash=hashlib.sha256("/".join(map(str, content)).encode()).hexdigest()[:32],
        run_id=claim.run.id,
        kind=asking.kind,
        prompt=asking.prompt,
        options=options_for(asking.kind, labels),
        policy=claim.run.approvers,
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("labels", REFUSED.values(), ids=REFUSED)
async def test_an_answer_counts_whose_options_are_refused_by_now(
    local: LocalWorker, labels: tuple[str, ...], way: str
) -> None:
    build, task = WAYS[way][0](labels), WAYS[way][1]
    claim = await local.claimed(build)
    asked = await local.store.questions.ask(claim, asked_by_an_earlier_release(claim, labels, task))
    again = await taken_up(local, claim)
    ruling = await local.say(asked, Action.CHOOSE, value=asked.options[1].id)
    assert ruling.verdict is Verdict.SETTLED
    async with local.executing(again, build) as run:
        result = await local.result(run)
    assert result == (labels[1] if way == "code" else f"Ada chose '{labels[1]}'.")
    assert [each.id for each in await local.store.questions.list(run.id)] == [asked.id]


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_asked_first_by_this_release_is_the_same_question(local: LocalWorker, way: str) -> None:
    """Or the test above would try nothing."""
    labels = ("Keep it", "Drop it")
    build, task = WAYS[way][0](labels), WAYS[way][1]
    claim = await local.claimed(build)
    async with local.executing(claim, build) as run:
        [asked] = await local.asked(run)
    before = asked_by_an_earlier_release(claim, labels, task)
    assert (asked.id, asked.content_hash) == (before.id, before.content_hash)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("labels", REFUSED.values(), ids=REFUSED)
async def test_a_retry_takes_over_an_answer_whose_options_are_refused_by_now(
    local: LocalWorker, labels: tuple[str, ...], way: str
) -> None:
    make, task = WAYS[way]
    claim = await local.claimed(make(labels))
    asked = await local.store.questions.ask(claim, asked_by_an_earlier_release(claim, labels, task))
    again = await taken_up(local, claim)
    await local.say(asked, Action.CHOOSE, value=asked.options[1].id)
    async with local.executing(again, make(labels, broken)) as run:
        failed = await local.over(run)
    assert failed.status is RunStatus.FAILED
    tried = await tried_again(local, failed)
    async with local.executing(tried, make(labels)) as run:
        result = await local.result(run)
    assert result == (labels[1] if way == "code" else f"Ada chose '{labels[1]}'.")
    assert await local.store.questions.list(run.id) == []


@pytest.mark.parametrize(
    "labels", [("Keep it\n", "Drop it\n"), ("\tKeep it", "Drop it "), ("half \ud83d", "Drop")]
)
async def test_code_gets_the_option_as_it_gave_it(local: LocalWorker, labels: tuple[str, ...]) -> None:
    """Such as lines of a file. People see them without spaces around them."""
    import crewdeck
    from tests.contract.crews import gated

    does = {label: f"did {number}" for number, label in enumerate(labels)}
    build = lambda: gated.code(lambda: does[crewdeck.ask_human("Which one?", options=labels)])  # noqa: E731
    async with local.running(build) as run:
        [asked] = await local.asked(run)
        assert [each.label for each in asked.options] == [valid(each).strip() for each in labels]
        await local.say(asked, Action.CHOOSE, value=asked.options[0].id)
        assert await local.result(run) == "did 0"


OTHERS: dict[str, dict[str, str]] = {
    "of which only the beginning is the same": {"question": "Which one? Or both?"},
    "about something else": {"context": "Another text."},
    "the same once more": {},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("labels", REFUSED.values(), ids=REFUSED)
async def test_such_options_are_refused_in_another_question_of_that_run(
    local: LocalWorker, labels: tuple[str, ...], other: dict[str, str]
) -> None:
    import crewdeck
    from tests.contract.crews import gated

    def ask() -> str:
        crewdeck.ask_human("Which one?", options=labels)
        try:
            return crewdeck.ask_human(
                other.get("question", "Which one?"), context=other.get("context", ""), options=labels
            )
        except ValueError as error:
            return f"refused: {error}"

    build = lambda: gated.code(ask)  # noqa: E731
    claim = await local.claimed(build)
    asked = await local.store.questions.ask(claim, asked_by_an_earlier_release(claim, labels, "method:0"))
    again = await taken_up(local, claim)
    await local.say(asked, Action.CHOOSE, value=asked.options[1].id)
    async with local.executing(again, build) as run:
        assert "refused: " in await local.result(run)
    assert [each.id for each in await local.store.questions.list(run.id)] == [asked.id]


@pytest.mark.parametrize("labels", REFUSED.values(), ids=REFUSED)
async def test_such_options_are_refused_where_nobody_was_asked(
    local: LocalWorker, labels: tuple[str, ...]
) -> None:
    async with local.running(by_agent(labels)) as run:
        result = await local.result(run)
    assert await local.store.questions.list(run.id) == []
    assert "option" in result

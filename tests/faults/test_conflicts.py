"""Several answers to one question: at once, at its deadline, and days late."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import redis

from bot.core.events.event import HumanInputCompleted
from bot.core.people.policy import Approvers
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import Action, Deadline, Outcome, Question, QuestionKind
from bot.surfaces.chat.message_keys import question_message
from tests.contract.http.served import http_client
from tests.faults.multi_web_deployment import MultiWebDeployment
from tests.faults.process_deployment import ProcessDeployment, Web
from tests.loopback.slack import GENERAL
from tests.scenario.slack_deployment import SECRET
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ANYONE = Approvers(requester=False, anyone=True)


@pytest.fixture
async def multi_web(processes: ProcessDeployment) -> AsyncIterator[MultiWebDeployment]:
    async with MultiWebDeployment.built(processes, webs=2) as built:
        yield built


async def outcome_of(multi_web: MultiWebDeployment, question: Question) -> Outcome:
    """The question's outcome, which was told once."""
    settled = await multi_web.on.store.questions.get(question.run_id, question.id)
    told = [event.body for event in await multi_web.on.store.events.read(question.run_id)]
    completed = [b for b in told if isinstance(b, HumanInputCompleted) and b.question_id == question.id]
    assert settled.outcome is not None
    assert [body.action for body in completed] == [settled.outcome.action]
    return settled.outcome


async def over_http(web: Web, question: Question, words: str) -> httpx.Response:
    async with http_client(web.url, WITHIN) as client:
        body = {"response": words, "question_id": question.id}
        return await client.post(f"/{question.run_id}/input", json=body, headers=web.bearer)


@pytest.mark.parametrize("seed", range(2))
async def test_of_answers_at_once_one_counts_and_the_others_hear_whose(
    multi_web: MultiWebDeployment, seed: int
) -> None:
    """Two people in Slack and two programs, at two web processes, in any order."""
    on, (first, second) = multi_web.on, multi_web.webs
    chosen = random.Random(seed)
    people = [on.slack.person("U0ADA", name="Ada"), on.slack.person("U0BOB", name="Bob")]
    claim = await on.claimed(await on.start())
    question = await on.ask(claim, approvers=ANYONE)
    shown = await on.sees(lambda: on.said("May I go on?"))
    acts: list[Any] = [(person, label) for person, label in zip(people, ("Approve", "Reject"), strict=True)]
    acts += [(web, words) for web, words in ((first, "Reject"), (second, "Not like this."))]
    chosen.shuffle(acts)
    doing: list[asyncio.Task[Any]] = []
    for who, what in acts:
        await asyncio.sleep(chosen.choice([0, 0, 0.002]))
        if isinstance(who, Web):
            doing.append(asyncio.create_task(over_http(who, question, what)))
        else:
            doing.append(await multi_web.at(chosen.choice(multi_web.webs), who.press(shown, what)))
    answers = await asyncio.gather(*doing)
    outcome = await outcome_of(multi_web, question)
    assert outcome.by is not None
    assert len(await on.store.questions.responses(claim.run.id, question.id)) == 1
    for (who, _), answer in zip(acts, answers, strict=True):
        if isinstance(who, Web):
            _told_over_http(answer, outcome)
        else:
            assert answer.ok
            await _told_in_slack(multi_web, who.id, outcome)


def _told_over_http(answer: httpx.Response, outcome: Outcome) -> None:
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (409, "settled")
        assert answer.json()["outcome"]["action"] == outcome.action.value
        assert outcome.by is not None
        assert answer.json()["outcome"]["answered_by"]["surface"] == outcome.by.surface


async def _told_in_slack(multi_web: MultiWebDeployment, user: str, outcome: Outcome) -> None:
    assert outcome.by is not None
    if outcome.by.user_id != user:
        by = f"<@{outcome.by.user_id}>" if outcome.by.surface == "slack" else outcome.by.label
        words = f"This was already settled by {by}"
        await multi_web.on.sees(lambda: next(m for m in multi_web.slack.ephemerals(user) if words in m.words))
    else:
        assert not multi_web.slack.ephemerals(user)


async def test_an_answer_that_races_the_deadline_counts_or_is_told_that_it_does_not(
    multi_web: MultiWebDeployment,
) -> None:
    """Three of thirty questions are answered at once, three after the deadline, the others about then."""
    on, chosen = multi_web.on, random.Random(1)
    claim = await on.claimed(await on.start())
    silence = Deadline(after=5, outcome="reject")
    questions = [
        await on.ask(claim, f"Question {n}?", kind=QuestionKind.TEXT, approvers=ANYONE, deadline=silence)
        for n in range(30)
    ]
    at_once, after = questions[-3:], questions[:3]

    async def answer(question: Question) -> int:
        assert question.deadline_at is not None
        if question not in at_once:
            left = (question.deadline_at - await on.store.clock.now()) / 1000
            off = 0.2 if question in after else chosen.uniform(-0.08, 0.08)
            await asyncio.sleep(max(0, left + off))
        return (await over_http(chosen.choice(multi_web.webs), question, "in time")).status_code

    said = await asyncio.gather(*map(answer, questions))
    for question, status in zip(questions, said, strict=True):
        outcome = await outcome_of(multi_web, question)
        assert (outcome.action, status) in {(Action.RESPOND, 200), (Action.EXPIRE, 409), (Action.REJECT, 409)}
    assert set(said[-3:]) == {200}, "an answer in time counts"
    assert set(said[:3]) == {409}, "an answer after the deadline doesn't"


async def test_what_slack_delivers_again_days_later_counts_once_and_answers_nothing_else(
    multi_web: MultiWebDeployment,
) -> None:
    """Some of it had arrived before, some of it arrives for the first time."""
    on, ada = multi_web.on, multi_web.slack.person("U0ADA", name="Ada")
    command = await ada.command("/crew", "start demo lighthouses")
    run = await on.start()
    claim = await on.claimed(run)
    words = await on.ask(claim, "Which colour?", kind=QuestionKind.TEXT)
    decision = await on.ask(claim, "Go on?")
    thread = (await on.sees(lambda: on.said("Which colour?"))).thread_ts or ""
    shown = await on.sees(lambda: on.said("Go on?"))
    pressed, reply = await ada.press(shown, "Approve"), await ada.reply(GENERAL, thread, "blue")
    assert command.ok
    assert pressed.ok
    assert reply.ok
    multi_web.slack.connect_http("http://127.0.0.1:9/slack/events", SECRET)
    lost = [await ada.press(shown, "Reject"), await ada.reply(GENERAL, thread, "red")]
    assert not any(each.ok for each in lost)
    later = await on.ask(claim, "And which shape?", kind=QuestionKind.TEXT)
    await on.until(lambda: _is_shown(multi_web, later))
    _days_pass(multi_web)
    multi_web.reach(multi_web.webs[1])
    for delivery in (command, pressed, reply, *lost):
        assert (await ada.redeliver(delivery, retry_num=3)).ok
    await on.slack.wait_for(lambda: len(multi_web.slack.ephemerals(ada.id)) == 3)
    starting, *told = sorted(each.words for each in multi_web.slack.ephemerals(ada.id))
    assert starting.startswith("Starting")
    assert told[0].startswith(f"This was already settled by <@{ada.id}>: Approve")
    assert told[1].startswith("You wrote that before the question that is open now was shown here")
    assert (await outcome_of(multi_web, words)).comment == "blue"
    assert (await outcome_of(multi_web, decision)).action is Action.APPROVE
    assert (await on.store.questions.get(run.id, later.id)).open
    assert len(await on.store.runs.list(RunFilter())) == 2


async def _is_shown(multi_web: MultiWebDeployment, question: Question) -> bool:
    """Whether it is recorded that the thread shows it."""
    shown = (await multi_web.on.store.outbox.state("slack", question.run_id)).messages
    return question_message(question.id) in shown


def _days_pass(multi_web: MultiWebDeployment) -> None:
    """What is remembered for a week is forgotten."""
    with redis.Redis.from_url(multi_web.processes.redis_url) as client:
        for key in client.scan_iter("crewdeck:memory:*"):
            client.delete(key)

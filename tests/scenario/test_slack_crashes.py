"""Web processes that die or stop in the midst of their work: the next one, or another one, goes on with it.

Real web processes on a real store; the tests play the worker and the people.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping

from bot.core.ports.lists import RunFilter
from bot.core.ports.outbox import DeliveryState as Shown
from bot.core.questions.question import Question
from bot.core.runs.run import Claim, Run
from bot.surfaces.chat.message_keys import orphaned_opener
from bot.surfaces.chat.places import MessageRef
from tests.loopback.slack import GENERAL, Delivery, Message, Person
from tests.scenario.outbox import Outbox
from tests.scenario.server import Server
from tests.scenario.slack_deployment import connect, serving, slack_settings


async def asked(on: Outbox, prompt: str = "May I go on?") -> tuple[Claim, Question, Message]:
    """A run that asks, and its question as people see it."""
    claim = await on.claimed(await on.start())
    question = await on.ask(claim, prompt)
    return claim, question, await on.sees(lambda: on.said(prompt))


async def settled(on: Outbox, question: Question) -> bool:
    return not (await on.store.questions.get(question.run_id, question.id)).open


def ada(on: Outbox) -> Person:
    return on.slack.person("U0ADA", name="Ada")


async def test_a_press_that_a_killed_process_had_acknowledged_still_counts(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web) as server:
        _, question, shown = await asked(on)
        on.slack.delay("users.info", 60)
        pressed = await ada(on).press(shown, "Approve")
        assert pressed.ok
        assert not await settled(on, question)
        await asyncio.to_thread(server.kill)
    on.slack.heal()
    async with serving(on.slack, "http", web):
        await on.sees(lambda: on.said("*Approved* by <@U0ADA>"))
        assert (await ada(on).redeliver(pressed)).ok
    assert on.times_said("*Approved*") == 1
    assert await on.store.key_values.pending("slack:deliveries") == {}


async def test_words_that_a_stopped_process_had_acknowledged_still_count(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        _, question, shown = await asked(on)
        on.slack.delay("users.info", 60)
        assert shown.thread_ts
        assert (await ada(on).reply(GENERAL, shown.thread_ts, "not yet")).ok
    assert not await settled(on, question)
    on.slack.heal()
    async with serving(on.slack, "http", web):
        await on.sees(lambda: on.said("not yet"))
        await on.sees(lambda: on.said("Answered in words"))


MESSAGES = "message.channels"
"""What Slack tells us of messages, our own among them."""


async def two_copies(on: Outbox) -> tuple[Question, Message, Message]:
    """A question that was posted twice, since nobody heard that the first one had been."""
    claim = await on.claimed(await on.start())
    with on.slack.unheard(MESSAGES):
        on.lose_post()
        question = await on.ask(claim)
        await on.slack.wait_for(lambda: on.times_said("May I go on?") == 2)
    await on.until(lambda: recorded(on, claim.run.id, 2))
    unrecorded, copy = [each for each in on.slack.messages() if "May I go on?" in each.words]
    return question, unrecorded, copy


async def recorded(on: Outbox, run_id: str, messages: int) -> bool:
    """Whether so many messages of a run are recorded."""
    return len(recorded_at(await on.store.outbox.state("slack", run_id))) == messages


def recorded_at(shown: Shown) -> set[str]:
    return {shown.messages[name] for name in recorded_names(shown.messages)}


def recorded_names(copies: Mapping[str, str]) -> set[str]:
    return {name for name, ref in copies.items() if "/" in ref}


async def test_a_press_on_a_copy_that_nobody_recorded_counts_and_rewrites_all_copies(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        question, unrecorded, _ = await two_copies(on)
        await ada(on).press(unrecorded, "Approve")
        await on.slack.wait_for(lambda: on.times_said("*Approved*") == 2)
    assert await settled(on, question)
    assert all(each.labels in ([], ["Cancel"]) for each in on.slack.messages())


async def test_a_copy_that_turns_up_after_the_decision_shows_the_outcome(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        _, unrecorded, copy = await two_copies(on)
        await ada(on).press(copy, "Approve")
        await on.sees(lambda: on.said("*Approved*"))
        assert "Reject" in on.slack.message(GENERAL, unrecorded.ts).labels
        await ada(on).press(unrecorded, "Reject")
        await on.slack.wait_for(lambda: on.times_said("*Approved*") == 2)
        await on.slack.wait_for(lambda: "already settled" in on.slack.ephemerals("U0ADA")[-1].words)
    assert on.slack.message(GENERAL, unrecorded.ts).labels == []


async def test_a_copy_that_nobody_recorded_is_rewritten_with_the_others_though_nobody_pressed_it(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        question, unrecorded, copy = await two_copies(on)
        await on.slack.tell_of(unrecorded)
        await on.until(lambda: recorded(on, question.run_id, 3))
        await ada(on).press(copy, "Approve")
        await on.slack.wait_for(lambda: on.times_said("*Approved*") == 2)


async def two_first_messages(on: Outbox) -> tuple[Run, Message, Message]:
    with on.slack.unheard(MESSAGES):
        on.lose_post("conversations.history")
        run = await on.start()
        await on.slack.wait_for(lambda: len(on.slack.messages()) == 2)
    await on.until(lambda: recorded(on, run.id, 1))
    orphan, first = on.slack.messages()
    return run, orphan, first


def without_buttons(on: Outbox, message: Message) -> bool:
    return not on.slack.message(message.channel, message.ts).labels


async def test_a_first_message_that_was_posted_twice_points_to_the_thread(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        run, orphan, first = await two_first_messages(on)
        await on.slack.tell_of(orphan)
        await on.slack.wait_for(lambda: without_buttons(on, orphan))
        claim = await on.claimed(run)
        with on.slack.unheard(MESSAGES):
            await on.ask(claim)
            asked = await on.sees(lambda: on.said("May I go on?"))
        await on.until(lambda: recorded(on, run.id, 3))
        await on.slack.tell_of(asked)
    copies = (await on.store.outbox.state("slack", run.id)).messages
    assert len(recorded_names(copies)) == 3, "what was recorded before is not adopted"
    assert "posted twice" in on.slack.message(GENERAL, orphan.ts).words
    assert first.ts.replace(".", "") in on.slack.message(GENERAL, orphan.ts).words
    assert asked.thread_ts == first.ts
    assert on.slack.message(GENERAL, first.ts).labels == ["Cancel"]


async def test_a_message_that_was_told_to_a_process_which_died_of_it_is_not_forgotten(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web) as server:
        _, orphan, _ = await two_first_messages(on)
        assert (await on.slack.tell_of(orphan)).ok
        await asyncio.to_thread(server.kill)
    async with serving(on.slack, "http", web):
        await on.slack.wait_for(lambda: without_buttons(on, orphan))
        await on.until(lambda: nothing_is_left_to_do(on))
    assert "posted twice" in on.slack.message(GENERAL, orphan.ts).words


async def nothing_is_left_to_do(on: Outbox) -> bool:
    return not await on.store.key_values.pending("slack:deliveries")


async def test_cancel_on_a_first_message_that_nobody_recorded_rewrites_both(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        _, orphan, first = await two_first_messages(on)
        await ada(on).press(orphan, "Cancel")
        await on.slack.wait_for(lambda: without_buttons(on, orphan) and without_buttons(on, first))
    assert "Cancelled" in on.slack.message(GENERAL, first.ts).words


async def test_a_first_message_whose_poster_died_is_not_posted_again_once_it_turned_up(on: Outbox) -> None:
    on.lose_post("conversations.history")
    async with on.web("web-1"):
        run = await on.start()
        first = await on.sees(lambda: on.said("Demo"))
    posted = MessageRef(first.channel, first.ts)
    await on.store.outbox.adopt("slack", run.id, orphaned_opener(posted), posted.encode())
    async with on.web("web-2"):
        claim = await on.claimed(run)
        await on.ask(claim)
        asked = await on.sees(lambda: on.said("May I go on?"))
        await on.until(lambda: all_shown(on, [claim]))
    assert asked.thread_ts == first.ts
    assert [each.thread_ts for each in on.slack.messages()] == [first.ts, first.ts]


async def test_a_question_that_is_pressed_before_it_is_recorded_is_not_posted_again(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web):
        claim = await on.claimed(await on.start())
        with on.slack.faults.holding_answers("chat.postMessage"):
            question = await on.ask(claim)
            early = await on.sees(lambda: on.said("May I go on?"))
            await ada(on).press(early, "Approve")
            await on.until(lambda: settled(on, question))
        await on.sees(lambda: on.said("*Approved*"))
    assert on.times_said("go on?") == 1


async def test_another_process_goes_on_when_one_is_killed(on: Outbox, web: dict[str, str]) -> None:
    # It draws the progress of a run anew after twelve seconds; the other one, which has half of them, soon.
    slowly = web | {"CREWDECK_SLACK_EDITS_PER_MINUTE": "6"}
    async with serving(on.slack, "http", slowly) as first:
        claims = [await on.claimed(await on.start(channel=channel(on, n))) for n in range(4)]
        async with Server.start(slack_settings(on.slack, "http") | web) as second:
            connect(on.slack, second, "http")
            # Taken in, and still to be drawn.
            for claim in claims:
                await on.begin_task(claim, 1, 2)
            await on.until(lambda: all_shown(on, claims))
            await asyncio.to_thread(first.kill)
            drawn = [n for n in range(4) if on.said("Task 1 of 2", f"C0MANY{n}")]
            assert len(drawn) < 4
            for n in range(4):
                await on.sees(lambda n=n: on.said("Task 1 of 2", f"C0MANY{n}"))  # type: ignore[misc]
            for n, claim in enumerate(claims):
                await on.ask(claim, f"Question {n}?")
            for n in range(4):
                await on.sees(lambda n=n: on.said(f"Question {n}?", f"C0MANY{n}"))  # type: ignore[misc]
    assert [on.times_said("Question", f"C0MANY{n}") for n in range(4)] == [1, 1, 1, 1]


def channel(on: Outbox, number: int) -> str:
    return on.slack.add_channel(f"C0MANY{number}").id


async def all_shown(on: Outbox, claims: list[Claim]) -> bool:
    """Nothing is pending of these runs: what is not drawn yet is known to the process alone that draws it."""
    for claim in claims:
        run = await on.store.runs.get(claim.run.id)
        if (await on.store.outbox.state("slack", run.id)).cursor < run.seq:
            return False
    return True


async def test_all_that_was_acknowledged_has_its_effect_when_the_process_is_stopped_meanwhile(
    on: Outbox, web: dict[str, str]
) -> None:
    people = [on.slack.person(f"U0LOAD{n}", name=f"Person {n}") for n in range(20)]
    async with serving(on.slack, "http", web) as server:
        claim, _, _ = await asked(on)
        questions = [await on.ask(claim, f"Question {n}?", task_id=f"t{n}") for n in range(4)]
        shown = [await on.sees(lambda n=n: on.said(f"Question {n}?")) for n in range(4)]  # type: ignore[misc]
        await ada(on).command("/crew", "list")
        acts = [each.command("/crew", "start demo", GENERAL) for each in people]
        acts += [ada(on).press(each, "Approve") for each in shown]
        doing = asyncio.gather(*acts)
        await asyncio.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        done: list[Delivery] = await doing
        assert await asyncio.to_thread(server.wait) == 0
    async with serving(on.slack, "http", web):
        acknowledged = {person.id for person, act in zip(people, done, strict=False) if act.ok}
        await on.until(lambda: have_runs(on, acknowledged))
        for question, act in zip(questions, done[len(people) :], strict=True):
            if act.ok:
                await on.until(lambda question=question: settled(on, question))  # type: ignore[misc]


async def have_runs(on: Outbox, people: set[str]) -> bool:
    runs = await on.store.runs.list(RunFilter(limit=100))
    return people <= {run.requester.user_id for run in runs}


async def test_replies_are_heard_where_a_run_goes_on_after_its_channel_was_archived(
    on: Outbox, web: dict[str, str]
) -> None:
    direct = on.slack.workspace.open_im("U0ADA").id
    async with serving(on.slack, "http", web):
        claim, first, _ = await asked(on, "First?")
        await on.slack.archive(GENERAL)
        second = await on.ask(claim, "Second?")
        moved = await on.sees(lambda: on.said("Second?", direct))
        assert "by a reply here" in moved.words
        await on.answer(first)
        assert moved.thread_ts
        assert (await ada(on).reply(direct, moved.thread_ts, "approve")).ok
        await on.until(lambda: settled(on, second))
        third = await on.ask(claim, "Third?")
        await on.sees(lambda: on.said("Third?", direct))
    assert not (await ada(on).reply(direct, moved.thread_ts, "missed, but not lost")).ok
    async with serving(on.slack, "http", web):
        await on.until(lambda: settled(on, third))
        await on.sees(lambda: on.said(">missed, but not lost", direct))

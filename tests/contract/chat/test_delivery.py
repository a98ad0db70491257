"""What every chat platform shows of runs, on good days and bad ones."""

from __future__ import annotations

import itertools
from collections import Counter

from bot.core import ids
from bot.core.events.event import FileAttached, FileRefused, RunProgress
from bot.core.files import stored_file
from bot.core.people.policy import Policy
from bot.core.questions.question import Action, Deadline, QuestionKind
from bot.surfaces.chat.places import ChatPlace, MessageRef
from tests.contract.chat.deployment import TENANT, Deployment, deployed
from tests.contract.chat.memory_platform import MemoryPlatform
from tests.contract.chat.peers import Disturbance, Seen, Trouble
from tests.contract.examples import LOST, response

DECIDING = ("Approve", "Reject")


async def test_a_run_opens_one_thread_and_lives_in_it(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering("web-1"):
        opener = await deployment.sees("Demo")
        claim = await deployment.claim()
    assert opener.buttons == ("Cancel",)
    assert claim.run.place is not None
    place = ChatPlace.decode(claim.run.place, deployment.surface)
    assert (place.channel, place.thread) == (opener.posted.channel, opener.posted.message_id)
    async with deployment.delivering("web-2"):
        await deployment.ask(claim, "Publish it?")
        asked = await deployment.sees("Publish it?")
        await deployment.until(lambda: deployment.all_shown(run))
    assert asked.thread == opener.posted.message_id
    assert len(deployment.peer.messages(deployment.peer.channel)) == 2


async def test_events_are_shown_in_order_and_the_result_last(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        for number in range(3):
            await deployment.ask(claim, f"Question {number}?", kind=QuestionKind.TEXT, options=())
        await deployment.store.queue.finish(claim, result="The tide mills of Brittany.")
        await deployment.sees("The tide mills of Brittany.")
        await deployment.until(lambda: deployment.all_shown(run))
    opener, *said = deployment.peer.messages(deployment.peer.channel)
    assert [f"Question {number}?" in each.words for number, each in enumerate(said[:3])] == [True] * 3
    assert "The tide mills of Brittany." in said[3].words
    assert len(said) == 4
    assert not any(each.buttons for each in (opener, *said))


async def test_a_file_of_the_crew_is_given_once_whoever_delivers(deployment: Deployment) -> None:
    run = await deployment.start()
    content = b"# Tides"
    file = stored_file("plan.md", content)
    body = FileAttached(
        crew_id=ids.part_id(run.id, "crew"),
        file_id=file.id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        digest=file.digest,
    )
    async with deployment.delivering("web-1"):
        claim = await deployment.claim()
        await deployment.store.files.attach(claim, file, content)
        await deployment.store.events.append(claim, body, file.id)
        await deployment.until(lambda: deployment.all_shown(run))
    async with deployment.delivering("web-2"):
        await deployment.store.events.append(
            claim, FileRefused(crew_id="c", name="big.bin", reason="Too large.")
        )
        refused = await deployment.sees("big.bin")
        await deployment.until(lambda: deployment.all_shown(run))
    assert "can't be attached. Too large." in refused.words
    [given] = deployment.peer.files(deployment.peer.channel)
    assert "plan.md" in given


async def test_an_opener_that_shows_all_there_is_is_not_drawn_again(redis_url: str) -> None:
    """Edits are what platforms grant least of."""
    async with deployed("memory", redis_url) as deployment, deployment.delivering():
        platform, calls = deployment.platform, Counter[str]()
        assert isinstance(platform, MemoryPlatform)
        platform.check = lambda call: calls.update([call])
        still = await deployment.start()
        await deployment.until(lambda: deployment.all_shown(still))
        moving = await deployment.start()
        claim = next(
            each for each in [await deployment.claim() for _ in range(2)] if each.run.id == moving.id
        )
        # What is marked first is drawn first.
        await deployment.store.events.append(claim, RunProgress(crew_id="c", text="Reading the tides"))
        await deployment.sees("Reading the tides")
    assert calls == {"post": 2, "update": 1}


async def test_the_opener_shows_what_the_crew_says_of_its_progress(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        for number in (1, 2):
            await deployment.store.events.append(
                claim, RunProgress(crew_id="c", text=f"Fetched {number} of 2")
            )
        await deployment.sees("Fetched 2 of 2")
        await deployment.store.queue.finish(claim, result="Done.")
        await deployment.until(lambda: deployment.all_shown(run))
    opener, _ = deployment.peer.messages(deployment.peer.channel)
    assert "Fetched" not in opener.words


async def test_a_settled_question_is_rewritten_wherever_it_was_asked(deployment: Deployment) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        question = await deployment.ask(claim, "Publish it?", "U0ADA", "U0BOB")
        asked = await deployment.sees("Publish it?")
        assert asked.buttons[:2] == DECIDING
        await deployment.peer.close(deployment.peer.channel)
        later = await deployment.ask(claim, "Really?", "U0ADA", "U0BOB", task_id="the next task")
        directs = [deployment.peer.direct_channel(user_id) for user_id in ("U0ADA", "U0BOB")]
        for channel in directs:
            for prompt in ("Publish it?", "Really?"):
                assert (await deployment.sees(prompt, channel)).buttons[:2] == DECIDING
        for each in (question, later):
            said = response(Action.APPROVE, deployment.person("U0BOB"), key=each.id)
            await deployment.store.questions.respond(each.run_id, each.id, said)

        async def without_buttons() -> bool:
            shown = [seen for channel in directs for seen in deployment.all_saying("?", channel)]
            return len(shown) == 4 and not any(seen.buttons for seen in shown)

        await deployment.until(without_buttons)


async def test_an_open_question_of_a_closed_thread_is_asked_directly_once_that_is_known(
    deployment: Deployment,
) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        question = await deployment.ask(claim, "Publish it?", "U0ADA", "U0BOB")
        await deployment.sees("Publish it?")
        await deployment.until(lambda: deployment.all_shown(run))
        await deployment.peer.close(deployment.peer.channel)
        await deployment.store.outbox.redraw(deployment.surface, run.id, question.id, "the app was removed")
        for user_id in ("U0ADA", "U0BOB"):
            direct = deployment.peer.direct_channel(user_id)
            assert (await deployment.sees("Publish it?", direct)).buttons[:2] == DECIDING


async def test_where_a_run_goes_on_its_requester_gets_no_buttons_for_what_others_decide(
    deployment: Deployment,
) -> None:
    await deployment.start(by="U0BOB")
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        await deployment.peer.close(deployment.peer.channel)
        people = tuple(deployment.person(each).principal for each in ("U0ADA", "U0CAT"))
        both = Policy(deciders=people, name="both", version="v1", need=2, admins=False)
        question = await deployment.ask(claim, "Publish it?", policy=both)
        requesters = deployment.peer.direct_channel("U0BOB")
        assert not set(DECIDING) & set((await deployment.sees("Publish it?", requesters)).buttons)
        said = response(Action.APPROVE, deployment.person("U0CAT"), key="press")
        await deployment.store.questions.respond(question.run_id, question.id, said)
        adas = deployment.peer.direct_channel("U0ADA")
        assert (await deployment.sees("1 of 2", adas)).buttons[:2] == DECIDING
        await deployment.until(lambda: deployment.all_shown(claim.run))
        assert not set(DECIDING) & set((await deployment.sees("Publish it?", requesters)).buttons)


async def test_a_question_whose_message_somebody_deleted_is_shown_anew(deployment: Deployment) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        people = tuple(deployment.person(each).principal for each in ("U0ADA", "U0BOB"))
        both = Policy(deciders=people, name="both", version="v1", need=2, admins=False)
        question = await deployment.ask(claim, "Publish it?", policy=both)
        first = await deployment.sees("Publish it?")
        for user_id, says in (("U0ADA", "1 of 2"), ("U0BOB", "Approved")):
            shown = await deployment.sees("Publish it?")
            deployment.peer.delete(shown.posted)
            said = response(Action.APPROVE, deployment.person(user_id), key=user_id)
            await deployment.store.questions.respond(question.run_id, question.id, said)
            again = await deployment.sees(says)
            assert "Publish it?" in again.words
            assert again.thread == first.thread
            assert again.buttons[:2] == (DECIDING if user_id == "U0ADA" else ())
    assert len(deployment.all_saying("Publish it?")) == 1


async def test_an_open_question_is_shown_anew_as_soon_as_somebody_deletes_it(deployment: Deployment) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        question = await deployment.ask(claim, "Publish it?")
        first = await deployment.sees("Publish it?")
        await deleted(deployment, first)
        again = await deployment.sees("Publish it?")
        assert (again.thread, again.buttons[:2]) == (first.thread, DECIDING)
        said = response(Action.APPROVE, deployment.person("U0ADA"), key="press")
        await deployment.store.questions.respond(question.run_id, question.id, said)
        await deleted(deployment, await deployment.sees("Approved"))
        await deployment.ask(claim, "Really?", task_id="the next task")
        await deployment.sees("Really?")
    assert deployment.all_saying("Publish it?") == []


async def test_a_question_is_shown_anew_that_is_deleted_before_its_post_is_answered(
    deployment: Deployment,
) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        with deployment.peer.holding_answers():
            await deployment.ask(claim, "Publish it?")
            first = await deployment.sees("Publish it?")
            await deleted(deployment, first)
        again = await deployment.sees("Publish it?")
    assert (again.thread, again.buttons[:2]) == (first.thread, DECIDING)


async def test_a_message_that_somebody_deleted_is_not_adopted(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        deployment.peer.lose_answer_once()
        question = await deployment.ask(claim, "Publish it?")
        await deployment.until(lambda: deployment.all_shown(run))
    orphan, recorded = deployment.all_saying("Publish it?")
    await deleted(deployment, orphan)
    for posted in (orphan.posted, recorded.posted):
        await deployment.orphans.adopt(run.id, question.id, posted, tenant=TENANT, thread="17")
    shown = (await deployment.store.outbox.state(deployment.surface, run.id)).messages.values()
    assert (orphan.posted.encode() in shown, recorded.posted.encode() in shown) == (False, True)


async def test_a_question_that_is_deleted_in_direct_messages_is_asked_there_again(
    deployment: Deployment,
) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        await deployment.peer.close(deployment.peer.channel)
        question = await deployment.ask(claim, "Publish it?", "U0ADA", "U0BOB")
        people = [deployment.peer.direct_channel(each) for each in ("U0ADA", "U0BOB")]
        first = [await deployment.sees("Publish it?", each) for each in people]
        for seen in first:
            thread = seen.thread or deployment.platform.thread_of(seen.posted).thread or ""
            deployment.peer.delete(seen.posted)
            await deployment.orphans.show_anew(TENANT, seen.posted, thread)
            again = await deployment.sees("Publish it?", seen.posted.channel)
            assert (again.thread, again.buttons[:2]) == (seen.thread, DECIDING)
        said = response(Action.APPROVE, deployment.person("U0BOB"), key="press")
        await deployment.store.questions.respond(question.run_id, question.id, said)
        for channel in people:
            assert (await deployment.sees("Approved", channel)).buttons == ()
            assert len(deployment.all_saying("Publish it?", channel)) == 1


async def test_only_what_is_gone_is_shown_anew(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.ask(claim, "Publish it?")
        first = await deployment.sees("Publish it?")
        assert first.thread is not None
        await deployment.orphans.show_anew(TENANT, first.posted, first.thread)
        await deployment.orphans.show_anew(TENANT, MessageRef(first.posted.channel, "17"), first.thread)
        await deployment.ask(claim, "Really?", task_id="the next task")
        await deployment.sees("Really?")
        await deployment.until(lambda: deployment.all_shown(run))
    assert deployment.all_saying("Publish it?") == [first]


async def deleted(deployment: Deployment, seen: Seen) -> None:
    """Somebody deletes a message, and the platform tells of it."""
    deployment.peer.delete(seen.posted)
    await deployment.orphans.show_anew(TENANT, seen.posted, seen.thread or "")


async def test_a_question_whose_message_is_refused_is_asked_as_text(deployment: Deployment) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        deployment.peer.refuse_blocks_once()
        await deployment.ask(claim, "Publish it?")
        asked = await deployment.sees("Publish it?")
    assert asked.buttons == ()
    assert "Approve / Reject" in asked.words


async def test_a_question_of_which_even_text_is_refused_is_asked_directly(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        # In Teams the text comes with a message about the file in which all of it is, and with its parts.
        for _ in range(3 if deployment.surface == "teams" else 2):
            deployment.peer.refuse_blocks_once()
        question = await deployment.ask(claim, "Publish it?", "U0BOB")
        direct = deployment.peer.direct_channel("U0BOB")
        assert (await deployment.sees("Publish it?", direct)).buttons[:2] == DECIDING
        assert deployment.all_saying("Publish it?") == []
        said = response(Action.APPROVE, deployment.person("U0BOB"), key="press")
        await deployment.store.questions.respond(question.run_id, question.id, said)
        assert (await deployment.sees("Approved", direct)).buttons == ()
        await deployment.until(lambda: deployment.all_shown(run))


async def test_what_takes_a_file_has_it_whatever_else_its_turn_asks(deployment: Deployment) -> None:
    run, channel = await deployment.start(), deployment.peer.channel
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.ask(claim, "Publish it?")
        await deployment.sees("Publish it?")
        await deployment.ask(claim, "Pay it?", context="All of this is to be read. " * 10_000)
        asked = await deployment.sees("Pay it?")
        await deployment.until(lambda: deployment.all_shown(run))
    assert "All of it is in the file above" in asked.words
    assert "Publish it?" not in asked.words
    assert deployment.peer.files(channel) or deployment.all_saying("The whole question")


async def test_what_is_rate_limited_is_shown_later_and_once(deployment: Deployment) -> None:
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        deployment.peer.rate_limit_once()
        await deployment.ask(claim, "Publish it?")
        await deployment.sees("Publish it?")
        await deployment.until(lambda: deployment.all_shown(run))
    assert len(deployment.all_saying("Publish it?")) == 1


def every_second_post() -> Disturbance:
    """Rate limits one post of two, and begins with one that isn't."""
    turns = itertools.cycle((Trouble.NONE, Trouble.RATE_LIMITED))
    return lambda call: next(turns) if call == "post" else Trouble.NONE


async def test_who_was_reminded_directly_is_not_reminded_again_for_somebody_who_was_not(
    deployment: Deployment,
) -> None:
    run = await deployment.start(by="U0CAT")
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        await deployment.peer.close(deployment.peer.channel)
        await deployment.ask(
            claim, "Publish it?", "U0ADA", "U0BOB", deadline=Deadline(after=3600, remind_after=1)
        )
        directs = [deployment.peer.direct_channel(each) for each in ("U0ADA", "U0BOB")]
        for channel in directs:
            await deployment.sees("Publish it?", channel)
        deployment.peer.disturb(every_second_post())

        async def reminded() -> bool:
            await deployment.store.clock.apply_due(LOST)
            told = [len(deployment.all_saying("is still open", each)) for each in directs]
            assert max(told) <= 1
            return told == [1, 1]

        await deployment.until(reminded)
        await deployment.until(lambda: deployment.all_shown(run))
    assert [len(deployment.all_saying("is still open", each)) for each in directs] == [1, 1]


async def test_a_message_that_nobody_recorded_loses_its_buttons_with_the_others(
    deployment: Deployment,
) -> None:
    await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.sees("Demo")
        deployment.peer.lose_answer_once()
        question = await deployment.ask(claim, "Publish it?")

        async def posted_twice() -> bool:
            return len(deployment.all_saying("Publish it?")) == 2

        await deployment.until(posted_twice)
        for each in deployment.all_saying("Publish it?"):
            await deployment.orphans.adopt_unless_recorded_soon(
                question.run_id, question.id, each.posted, tenant=TENANT, thread=each.thread or ""
            )
        said = response(Action.APPROVE, deployment.person("U0ADA"), key="press")
        await deployment.store.questions.respond(question.run_id, question.id, said)

        async def without_buttons() -> bool:
            shown = deployment.all_saying("Publish it?")
            return len(shown) == 2 and not any(seen.buttons for seen in shown)

        await deployment.until(without_buttons)


async def test_an_orphaned_opener_points_to_the_runs_thread(deployment: Deployment) -> None:
    deployment.peer.lose_answer_once()
    run = await deployment.start()
    async with deployment.delivering():
        claim = await deployment.claim()
        state = await deployment.store.outbox.state(deployment.surface, run.id)
        [orphan] = [
            each.posted
            for each in deployment.all_saying("Demo")
            if each.posted.encode() not in state.messages.values()
        ]
        await deployment.orphans.adopt(run.id, "", orphan, tenant=TENANT, thread="")
        shown = await deployment.sees("posted twice")
    assert shown.posted == orphan
    assert shown.buttons == ()
    assert claim.run.place is not None
    assert claim.run.place.ref in state.messages.values()
    assert MessageRef.decode(claim.run.place.ref) != orphan

"""What people see in Slack of runs: threads, questions, answers, results; on good days and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle
from typing import Any

import pytest

from bot.core.events.event import RunChanged
from bot.core.people.actor import Actor, principal
from bot.core.people.policy import Approvers, Policy
from bot.core.questions.question import Action, Deadline, QuestionKind
from bot.core.runs.place import Place
from bot.core.runs.run import Run, RunError, RunStatus
from bot.exposition import exposition
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.delivery.outbox import MAX_CONCURRENT_RUNS
from bot.surfaces.chat.places import ChatPlace
from bot.surfaces.slack import SURFACE
from tests.contract.examples import approval, new_run
from tests.contract.outboxes import make_due
from tests.loopback.slack import GENERAL, SLACK_BUDGETS, Budget, Message
from tests.loopback.slack.faults import Fault
from tests.scenario.outbox import ADA, TEAM, Outbox, delivering

LOST = RunError(code="worker_lost", message="The worker is gone.")


@pytest.fixture
async def on(redis_url: str) -> AsyncIterator[Outbox]:
    async with delivering(redis_url) as made:
        yield made


# ── one thread a run ────────────────────────────────────────────────────────────────────────────────────


async def test_a_run_opens_a_thread_and_is_queued_only_then(on: Outbox) -> None:
    run = await on.start(topic="tide mills")
    assert await on.store.queue.claim("worker", ["demo"], 1, 60) == []
    async with on.web():
        parent = await on.sees(lambda: on.said("Demo"))
        assert "tide mills" in parent.words
        assert "<@U0ADA>" in parent.words
        assert parent.labels == ["Cancel"]
        claim = await on.claimed(run)
    assert claim.run.place is not None
    assert ChatPlace.decode(claim.run.place, SURFACE) == ChatPlace(SURFACE, TEAM, GENERAL, parent.ts)


async def test_progress_is_edited_into_the_first_message(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        parent = await on.sees(lambda: on.said("Demo"))
        await on.begin_task(claim, 1, 2)
        await on.sees(lambda: on.said("Task 1 of 2: Draft 1 · Writer"))
        await on.end_task(claim, 1, 2)
        await on.begin_task(claim, 2, 2, agent="Editor")
        shown = await on.sees(lambda: on.said("Task 2 of 2: Draft 2 · Editor"))
        assert shown.ts == parent.ts
        await on.finish(claim)
        await on.sees(lambda: on.said("✅ Done"))
        assert on.slack.message(GENERAL, parent.ts).labels == []
    assert len(on.slack.called("chat.postMessage")) == 2


async def test_progress_is_edited_at_most_every_second_and_a_half(on: Outbox) -> None:
    run = await on.start()
    async with on.web(edits_per_minute=50):
        claim = await on.claimed(run)
        for number in range(1, 31):
            await on.begin_task(claim, number, 30)
            await asyncio.sleep(0.05)
        await on.sees(lambda: on.said("Task 30 of 30"))
        await on.finish(claim)
        await on.sees(lambda: on.said("✅ Done"))
    edits = [call.time for call in on.slack.called("chat.update")]
    # When one is late on a busy machine, the next one may follow it sooner.
    assert len(edits) - 1 <= (edits[-1] - edits[0]) / 1.2


async def test_a_run_in_an_existing_thread_lives_there(on: Outbox) -> None:
    ada = on.slack.person("U0ADA", name="Ada")
    root = await ada.say(GENERAL, "let us talk")
    thread = str(root.payload["event"]["ts"])
    run = await on.start(thread=thread)
    async with on.web():
        await on.claimed(run)
        shown = await on.sees(lambda: on.said("Demo"))
    assert shown.thread_ts == thread


async def test_the_result_is_a_reply(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.finish(claim, "# Tide mills\n\nThey use the **tide**.")
        result = await on.sees(lambda: on.said("They use the *tide*."))
    assert result.thread_ts is not None
    assert "*Tide mills*" in result.words


async def test_a_long_result_is_a_file_with_a_summary(on: Outbox) -> None:
    text = "# Tide mills\n\n" + "\n\n".join(f"Paragraph {n} on mills." for n in range(2000))
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.finish(claim, text)
        await on.slack.wait_for(on.slack.files)
        summary = await on.sees(lambda: on.said("Paragraph 1 on mills."))
    [(name, content)] = on.slack.files().items()
    assert name.endswith("result.md")
    assert content.decode() == text
    assert "the whole result is in the file" in summary.words
    assert on.times_said("Paragraph 1 on mills.") == 1


async def test_a_failure_says_what_failed_and_names_the_run(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.fail(claim, "The model did not answer.")
        shown = await on.sees(lambda: on.said("The model did not answer."))
        await on.sees(lambda: on.said("❌ Failed"))
    assert run.id in shown.words
    assert shown.thread_ts is not None


async def test_a_cancelled_run_says_by_whom(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.ask(claim)
        await on.sees(lambda: on.said("May I go on?"))
        await on.store.runs.cancel(run.id, ADA)
        await on.sees(lambda: on.said("was cancelled by <@U0ADA>"))
        question = await on.sees(lambda: on.said("*Withdrawn*"))
    assert "May I go on?" in question.words
    assert question.labels == []


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_approval_is_asked_and_its_message_rewritten_with_the_outcome(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        question = await on.ask(claim)
        asked = await on.sees(lambda: on.said("May I go on?"))
        assert asked.labels == ["Approve", "Reject", "Reply..."]
        assert "Writer asks for approval" in asked.words
        assert "<@U0ADA> can answer" in asked.words
        assert "<!date^" in asked.words
        assert "nothing is approved by silence" in asked.words
        await on.sees(lambda: on.said("Waiting for an answer"))
        await on.answer(question)
        settled = await on.sees(lambda: on.said("*Approved* by <@U0ADA>"))
    assert settled.ts == asked.ts
    assert settled.labels == []


async def test_words_are_quoted_in_the_thread(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        question = await on.ask(claim, "Which tone?", kind=QuestionKind.TEXT)
        assert (await on.sees(lambda: on.said("Which tone?"))).labels == ["Answer..."]
        await on.answer(question, Action.RESPOND, comment="Warm & <!channel>\nshort")
        settled = await on.sees(lambda: on.said("Answered in words"))
    assert ">Warm & <!channel>\n>short" in settled.words


@pytest.mark.parametrize(("options", "kind"), [(5, "button"), (6, "static_select"), (10, "static_select")])
async def test_options_are_buttons_up_to_five_and_a_select_above(on: Outbox, options: int, kind: str) -> None:
    run = await on.start()
    labels = tuple(f"Way {number}" for number in range(1, options + 1))
    async with on.web():
        claim = await on.claimed(run)
        question = await on.ask(claim, "Which way?", kind=QuestionKind.CHOICE, options=labels)
        asked = await on.sees(lambda: on.said("Which way?"))
        assert asked.elements()[0][1]["type"] == kind
        assert asked.labels == [*labels, "Reply..."]
        await on.answer(question, Action.CHOOSE, value="2")
        await on.sees(lambda: on.said("*Chosen:* Way 2"))


async def test_a_review_says_its_round(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        review = QuestionKind.REVIEW
        question = await on.ask(claim, "Is this right?", kind=review, context="A draft.", round=2, rounds=5)
        asked = await on.sees(lambda: on.said("Is this right?"))
        assert "round 2 of 5" in asked.words
        assert asked.labels == ["Approve", "Edit and approve...", "Reject", "Request changes..."]
        await on.answer(question, Action.RESPOND, comment="Shorter.")
        settled = await on.sees(lambda: on.said("Changes requested"))
    assert ">Shorter." in settled.words


async def test_a_shortened_question_is_decided_at_the_end_of_its_whole_text(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.ask(claim, "Publish this?", kind=QuestionKind.REVIEW, context="word " * 4000)
        asked = await on.sees(lambda: on.said("Publish this?"))
    assert asked.labels == ["Show all", "Request changes..."]
    assert "This is only the beginning." in asked.words


async def test_what_is_too_long_for_a_window_is_posted_as_a_file_before_the_question(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.ask(claim, "Publish this?", kind=QuestionKind.REVIEW, context="word " * 40_000)
        asked = await on.sees(lambda: on.said("Publish this?"))
    [file] = [each for each in on.slack.messages() if each.body.get("files")]
    assert float(file.ts) < float(asked.ts)
    assert asked.labels == ["Show all", "Request changes..."]
    assert "in the file above" in asked.words


async def test_an_expired_question_says_so(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.ask(claim, deadline=Deadline(after=1))
        await on.sees(lambda: on.said("May I go on?"))
        await asyncio.sleep(1.1)
        await on.store.clock.apply_due(LOST)
        shown = await on.sees(lambda: on.said("*Expired*"))
    assert shown.labels == []


async def test_a_reminder_mentions_who_may_answer_once_and_links_to_the_question(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        named = Approvers(requester=False, listed=("U0ADA", "U0BOB"))
        await on.ask(claim, approvers=named, deadline=Deadline(after=3600, remind_after=1))
        asked = await on.sees(lambda: on.said("May I go on?"))
        await asyncio.sleep(1.1)
        await on.store.clock.apply_due(LOST)
        shown = await on.sees(lambda: on.said("is still open"))
    assert shown.thread_ts == asked.thread_ts
    assert "<@U0ADA> or <@U0BOB>" in shown.words
    assert f"p{asked.ts.replace('.', '')}" in shown.words


async def test_a_change_that_a_run_goes_on_with_is_one_line_in_its_thread(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        for _ in range(2):  # by two workers, of which the first died at once
            changed = RunChanged(crew_id="c", change="Goes on with <big> instead of small.")
            await on.store.events.append(claim, changed, "1")
        shown = await on.sees(lambda: on.said("*Demo*: Goes on with <big> instead of small."))
    async with on.web("web-2"):
        await on.finish(claim)
        done = await on.sees(lambda: on.said("is done after"))
    assert shown.thread_ts == done.thread_ts
    assert on.times_said("Goes on with") == 1


async def test_pings_and_disguised_links_of_a_model_have_no_effect(on: Outbox) -> None:
    bad = "<!channel> <!here> <!subteam^S1> <@U0BOB> [bank.com](https://evil.com) <https://evil.com|bank.com>"
    run = await on.start(topic=bad)
    async with on.web():
        claim = await on.claimed(run)
        question = await on.ask(claim, bad, kind=QuestionKind.REVIEW, context=bad)
        await on.answer(question, Action.RESPOND, comment=bad)
        await on.finish(claim, bad)
        await on.sees(lambda: on.said("✅ Done"))
    ours = [each for each in on.slack.messages() if each.blocks]
    marked_up = [each.text for each in ours] + [text for each in ours for text in mrkdwn(each.blocks)]
    for effect in ("<!channel", "<!here", "<!subteam", "<@U0BOB", "<https://evil.com|"):
        assert not any(effect in text for text in marked_up)
    mentioned = [
        part["user_id"] for each in ours for part in parts(each.blocks) if part.get("type") == "user"
    ]
    assert set(mentioned) == {"U0ADA"}
    assert any(bad in each.words for each in ours)


def parts(value: object) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [part for each in value for part in parts(each)]
    return (
        [value, *(part for each in value.values() for part in parts(each))] if isinstance(value, dict) else []
    )


def mrkdwn(blocks: object) -> list[str]:
    return [part["text"] for part in parts(blocks) if part.get("type") in {"mrkdwn", "markdown"}]


# ── bad days ────────────────────────────────────────────────────────────────────────────────────────────


async def test_rate_limits_and_server_errors_delay_and_lose_nothing(on: Outbox) -> None:
    on.slack.fail("chat.postMessage", times=2, status=500)
    on.slack.rate_limit("chat.postMessage", retry_after=1, times=1)
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        on.slack.fail("chat.postMessage", times=1, status=503)
        question = await on.ask(claim)
        await on.sees(lambda: on.said("May I go on?"))
        on.slack.rate_limit("chat.update", retry_after=1, times=2)
        await on.answer(question)
        await on.sees(lambda: on.said("*Approved*"))
        await on.finish(claim, "The result.")
        await on.sees(lambda: on.said("✅ Done"))
    assert on.times_said("May I go on?") == 1
    assert on.times_said("The result.") == 1
    assert b"crewdeck_web_api_retries_total" in exposition(on.metrics, None, 0)


async def test_who_shows_more_with_each_attempt_waits_no_longer_for_the_next_one(on: Outbox) -> None:
    """Every second message is refused: 1 s each time, in place of 1, 2, 4, 8 and 16."""
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        refused = cycle([Fault(1, 429, "ratelimited", headers={"Retry-After": "1"}), None])
        on.slack.faults.otherwise = lambda method: next(refused) if method == "chat.postMessage" else None
        for number in range(5):
            await on.ask(claim, f"Question {number}?", kind=QuestionKind.TEXT)
        await on.slack.wait_for(lambda: len(asked(on)) == 5 or None)
        first, *_, last = asked(on)
    assert float(last.ts) - float(first.ts) < 12


def asked(on: Outbox) -> list[Message]:
    """The questions in #general's threads."""
    return [each for each in on.slack.messages(GENERAL) if each.thread_ts and "Question" in each.words]


async def test_while_slack_is_down_everything_waits_in_order(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        async with on.slack.outage():
            for number in range(3):
                await on.answer(await on.ask(claim, f"Question {number}?"))
            await on.finish(claim, "The result.")
            await asyncio.sleep(0.3)
        await on.sees(lambda: on.said("✅ Done"))
    said = [each.words for each in on.slack.messages()]
    order = [next(n for n, words in enumerate(said) if f"Question {i}?" in words) for i in range(3)]
    assert order == sorted(order)
    assert "The result." in said[-1]


async def test_after_a_restart_it_goes_on_from_what_was_shown(on: Outbox) -> None:
    run = await on.start()
    async with on.web("before"):
        claim = await on.claimed(run)
        question = await on.ask(claim)
        await on.sees(lambda: on.said("May I go on?"))
    await on.answer(question)
    await on.finish(claim, "The result.")
    async with on.web("after"):
        await on.sees(lambda: on.said("✅ Done"))
    assert on.times_said("May I go on?") == 1
    assert on.times_said("*Approved*") == 1
    assert on.times_said("The result.") == 1


@pytest.mark.parametrize("found", [True, False])
async def test_a_lost_answer_posts_twice_at_most_where_it_can_be_looked_for_once(
    on: Outbox, *, found: bool
) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        if found:
            on.slack.lose_answer("chat.postMessage")
        else:
            on.lose_post()
        await on.finish(claim, "The result.")
        await on.sees(lambda: on.said("✅ Done"))
    assert on.times_said("The result.") == 1 + (not found)


async def test_one_runs_trouble_does_not_hold_up_another(on: Outbox) -> None:
    secret = on.slack.add_channel("C0QUIET").id
    slow, other = await on.start(channel=secret), await on.start()
    on.slack.fail("chat.postMessage", times=1, status=500)
    async with on.web():
        await on.claimed(slow)
        await on.claimed(other)


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long"])
async def test_what_slack_cannot_render_is_said_as_text(on: Outbox, error: str) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        on.slack.fail("chat.postMessage", error=error, times=1)
        question = await on.ask(claim)
        asked = await on.sees(lambda: on.said("May I go on?"))
        assert asked.blocks == []
        assert "Approve / Reject" in asked.words
        await on.answer(question)
        await on.sees(lambda: on.said("*Approved*"))
        on.slack.fail("chat.postMessage", error=error, times=1)
        await on.finish(claim, "word " * 2000)
        await on.slack.wait_for(on.slack.files)
        await on.sees(lambda: on.said("✅ Done"))


async def test_what_nobody_may_edit_any_more_is_shown_anew_as_it_stands(on: Outbox) -> None:
    two = Policy(
        deciders=(ADA.principal, principal(ADA.surface, ADA.tenant, "U0BOB")),
        who=("U0ADA", "U0BOB"),
        name="two",
        version="1",
        need=2,
        admins=False,
    )
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        asked = await on.ask(claim, kind=QuestionKind.REVIEW, context="The first draft", policy=two)
        first = await on.sees(lambda: on.said("The first draft"))
        on.slack.fail("chat.update", error="edit_window_closed", times=None)
        await on.answer(asked, value="The second draft", digest=asked.digest)
        anew = await on.sees(lambda: on.said("1 of 2"))
        assert anew.ts != first.ts
        assert "second" in anew.words
        assert "Approve" in anew.labels
        now = await on.store.questions.get(run.id, asked.id)
        target = Target(run.id, asked.id, digest=now.digest).encode()
        assert target in str(anew.blocks), "its buttons are for what is asked now"
        bob = ADA.model_copy(update={"user_id": "U0BOB", "name": "Bob"})
        await on.answer(now, by=bob, digest=now.digest)
        settled = await on.sees(lambda: on.said("Edited and approved"))
        assert settled.labels == []
        await on.finish(claim, "The end.")
        await on.sees(lambda: on.said("The end."))


@pytest.mark.parametrize("failed", [False, True])
async def test_how_a_run_ended_is_said_in_a_sentence_of_ours_where_even_the_text_is_refused(
    on: Outbox, *, failed: bool
) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.sees(lambda: on.said("Demo"))
        on.slack.fail("chat.postMessage", error="invalid_arguments", times=2)
        if failed:
            await on.fail(claim, "It broke: THEIRS")
        else:
            await on.finish(claim, "THEIRS")
        told = await on.sees(lambda: on.said("It can't be shown here in full"))
        await on.until(lambda: all_delivered(on, run))
    assert run.id in told.words
    assert ("failed" if failed else "completed") in told.words
    assert "THEIRS" not in told.words
    whole = [each for each in on.slack.files() if "result" in each]
    assert len(whole) == (0 if failed else 1), "the result is in a file then"


async def test_a_file_that_is_refused_comes_as_messages_each_once_whatever_is_refused_meanwhile(
    on: Outbox,
) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.sees(lambda: on.said("Demo"))
        on.slack.fail("files.getUploadURLExternal", error="missing_scope", times=None)
        turns = iter((None, None, Fault(1, 500)))  # the result, its first part, and the second one
        on.slack.faults.otherwise = lambda name: next(turns, None) if name == "chat.postMessage" else None
        await on.finish(claim, "\n".join(f"Line {number} is one of many." for number in range(800)))
        await on.sees(lambda: on.said("Line 799 "))
        await on.until(lambda: all_delivered(on, run))
    _, end, *parts = on.slack.messages()
    assert len(parts) > 1
    said = " ".join(each.words for each in parts)
    assert [said.count(f"Line {number} ") for number in range(800)] == [1] * 800, end


async def all_delivered(on: Outbox, run: Run) -> bool:
    newest = (await on.store.runs.get(run.id)).seq
    return (await on.store.outbox.state("slack", run.id)).cursor == newest


async def test_where_the_app_is_no_member_nothing_starts_and_the_requester_hears_how_to_invite_it(
    on: Outbox,
) -> None:
    on.slack.remove_app(GENERAL)
    run = await on.start()
    async with on.web():
        direct = await on.slack.wait_for(lambda: on.slack.workspace.open_im("U0ADA").messages)
    assert (await on.store.runs.get(run.id)).status is RunStatus.FAILED
    error = (await on.store.runs.get(run.id)).error
    assert error is not None
    assert error.code == "not_posted"
    [told] = direct.values()
    assert "/invite @" in told["text"]


@pytest.mark.parametrize("how", ["archived", "left"])
async def test_a_channel_that_is_closed_to_the_app_does_not_stop_the_run(on: Outbox, how: str) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        first = await on.ask(claim, "First?")
        await on.sees(lambda: on.said("First?"))
        await (
            on.slack.archive(GENERAL)
            if how == "archived"
            else asyncio.to_thread(on.slack.remove_app, GENERAL)
        )
        direct = on.slack.workspace.open_im("U0ADA").id
        second = await on.ask(claim, "Second?")
        await on.sees(lambda: on.said("I can't post in", direct))
        again = await on.sees(lambda: on.said("First?", direct))
        assert again.labels == ["Approve", "Reject", "Reply..."]
        await on.sees(lambda: on.said("Second?", direct))
        await on.answer(first)
        await on.answer(second, Action.REJECT)
        await on.sees(lambda: on.said("*Approved*", direct))
        await on.sees(lambda: on.said("*Rejected*", direct))
        await on.finish(claim, "The result.")
        await on.sees(lambda: on.said("The result.", direct))
    assert on.times_said("I can't post in", direct) == 1


async def test_a_revoked_token_pauses_the_workspace_until_it_works_again(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        on.slack.fail("chat.postMessage", error="token_revoked", times=1)
        await on.ask(claim)
        await on.until(lambda: paused(on))
        assert "token_revoked" in (await on.store.runs.pause_reason(TEAM) or "")
        await make_due(on.store, "slack", run.id)
        await on.sees(lambda: on.said("May I go on?"))
        await on.until(lambda: going_on(on))


async def paused(on: Outbox) -> bool:
    return await on.store.runs.pause_reason(TEAM) is not None


async def going_on(on: Outbox) -> bool:
    return not await paused(on)


async def test_many_runs_keep_slacks_budgets(on: Outbox) -> None:
    on.slack.enforce(SLACK_BUDGETS)
    channels = [on.slack.add_channel(f"C0MANY{number}").id for number in range(8)]
    runs = [await on.start(channel=channel) for channel in channels]
    async with on.web(edits_per_minute=50):
        claims = [await on.claimed(run) for run in runs]
        for number, claim in enumerate(claims):
            await on.begin_task(claim, 1, 2)
            await on.answer(await on.ask(claim, f"Question {number}?"))
        for number, channel in enumerate(channels):
            await on.sees(lambda n=number, c=channel: on.said(f"Question {n}?", c))  # type: ignore[misc]
            await on.sees(lambda c=channel: on.said("*Approved*", c))  # type: ignore[misc]
    assert [call for call in on.slack.calls if call.status == 429] == []


async def test_a_busy_channel_holds_up_no_other(on: Outbox) -> None:
    on.slack.enforce({"chat.postMessage": Budget(1, 1.0, per_channel=True)})
    busy, quiet = (on.slack.add_channel(name).id for name in ("C0BUSY", "C0QUIET"))
    for _ in range(1200):  # more in each shard than are looked at at first
        await on.start(channel=busy)
    await on.start(channel=quiet)
    async with on.web():
        await on.sees(lambda: on.said("Demo", quiet))
        assert len(on.slack.messages(busy)) <= 20
        late = await on.start(channel=quiet)
        await on.claimed(late)
        assert len(on.slack.messages(busy)) <= 30


async def test_threads_and_questions_do_not_wait_until_all_that_ended_is_edited(on: Outbox) -> None:
    """It takes five minutes to edit the first messages of all that ended."""
    ending = MAX_CONCURRENT_RUNS + 20
    channels = [on.slack.add_channel(f"C0MANY{number}").id for number in range(ending // 2)]
    runs = [await on.start(channel=channels[number // 2]) for number in range(ending)]
    async with on.web(edits_per_minute=30):
        for run in runs:
            await on.finish(await on.claimed(run), f"Result of {run.id}")
        for number, run in enumerate(runs):
            await on.sees(lambda n=number, r=run: on.said(f"Result of {r.id}", channels[n // 2]))  # type: ignore[misc]
        edits = len(on.slack.called("chat.update"))
        late = await on.start()
        question = await on.ask(await on.claimed(late))
        await on.sees(lambda: on.said("May I go on?"))
        await on.answer(question)
        await on.sees(lambda: on.said("*Approved*"))
    assert len(on.slack.called("chat.update")) - edits < ending / 4


async def test_another_process_takes_over_the_shards(on: Outbox) -> None:
    async with on.web("one"), on.web("two"):
        for _ in range(6):
            run = await on.start()
            await on.claimed(run)
    assert on.times_said("Demo") == 6


# ── home ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_home_tab_offers_what_waits_on_another_surface(on: Outbox) -> None:
    elsewhere = Actor(surface="elsewhere", tenant="E1", user_id="ada", name="Ada")
    await on.store.directory.redeem(await on.store.directory.new_code(elsewhere), ADA)
    place = Place(surface="elsewhere", tenant="E1", ref="c1/m1")
    run, _ = await on.store.runs.start(new_run(by=elsewhere, place=place))
    async with on.web() as web:
        await web.home.opened(ADA)
        await on.slack.wait_for(lambda: "Nothing." in on.slack.home("U0ADA").words or None)
        [claim] = await on.store.queue.claim("worker", [run.crew.name], 1, 60)
        await on.store.questions.ask(claim, approval(claim))
        await on.slack.wait_for(lambda: "Publish it?" in on.slack.home("U0ADA").words)
        assert "Answer" in on.slack.home("U0ADA").labels


async def test_the_home_tab_shows_a_question_that_is_in_no_conversation(on: Outbox) -> None:
    run, _ = await on.store.runs.start(new_run(by=ADA))
    [claim] = await on.store.queue.claim("worker", [run.crew.name], 1, 60)
    await on.store.questions.ask(claim, approval(claim))
    async with on.web() as web:
        await web.home.opened(ADA)
        await on.slack.wait_for(lambda: "Publish it?" in on.slack.home("U0ADA").words)
        assert "Show" in on.slack.home("U0ADA").labels


async def test_the_home_tab_shows_what_is_mine_and_is_refreshed(on: Outbox) -> None:
    await on.store.catalogue.announce("here", [(await on.start()).crew])
    run = await on.start()
    async with on.web() as web:
        claim = await on.claimed(run)
        await web.home.opened(ADA)
        await on.slack.wait_for(lambda: "Nothing." in on.slack.home("U0ADA").words or None)
        question = await on.ask(claim)
        asked = await on.sees(lambda: on.said("May I go on?"))
        await on.slack.wait_for(lambda: "May I go on?" in on.slack.home("U0ADA").words)
        # It may be published before the question is posted, and is once more after that.
        await on.slack.wait_for(lambda: asked.ts.replace(".", "") in str(on.slack.home("U0ADA").body))
        assert "/crew start demo" in on.slack.home("U0ADA").words
        await on.answer(question)
        await on.slack.wait_for(lambda: "May I go on?" not in on.slack.home("U0ADA").words)

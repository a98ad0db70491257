"""What people do in chat, on any platform: commands, presses, replies and forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.people.policy import ANYONE, Policy
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import Action, Outcome, Question, QuestionKind
from bot.core.runs.crew import CrewProblem
from bot.core.runs.place import Place
from bot.core.runs.run import Run, RunStatus
from bot.store import redis_keys
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target, input_field
from bot.surfaces.chat.inbound.form_values import FormDrafts
from tests.contract.chat.memory_inbound import MemoryChat, memory_chat, target_of
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.slack_inbound import SlackChat, slack_chat_over_a_socket, slack_chat_over_http
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.contract.examples import DEMO, approval, new_run

Chat = MemoryChat | SlackChat | TeamsChat
CHATS = {
    "memory": memory_chat,
    "slack over http": slack_chat_over_http,
    "slack over a socket": slack_chat_over_a_socket,
    "teams": teams_chat,
}


@pytest.fixture(params=CHATS.values(), ids=list(CHATS))
async def chat(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Chat]:
    async with request.param(redis_url) as made:
        yield made


ADA_ELSEWHERE = Actor(surface="elsewhere", tenant="E1", user_id="ada", name="Ada")
ELSEWHERE = Place(surface="elsewhere", tenant="E1", ref="c1/m1", group="elsewhere:E1:c1")


async def link_elsewhere(chat: Chat) -> None:
    """From now on this Ada is the one elsewhere, too."""
    code = await chat.store.directory.new_code(ADA_ELSEWHERE)
    await chat.store.directory.redeem(code, chat.person(ADA))


async def asked_elsewhere(chat: Chat, *deciders: str, **more: Any) -> Question:
    """An open question of a run that lives on another surface, of an Ada who is linked with the one here."""
    await link_elsewhere(chat)
    await chat.store.runs.start(new_run(by=ADA_ELSEWHERE, place=ELSEWHERE))
    [claim] = await chat.store.queue.claim("worker", [DEMO.name], 1, 60)
    policy = Policy(deciders=deciders or (ADA_ELSEWHERE.principal,))
    question = approval(claim).model_copy(update={"policy": policy, **more})
    return await chat.store.questions.ask(claim, question)


async def runs_of(chat: Chat, user: str) -> list[Run]:
    return await chat.store.runs.list(RunFilter(requester=chat.person(user).principal, limit=10))


async def outcome_of(chat: Chat, question: Question) -> Outcome | None:
    return (await chat.store.questions.get(question.run_id, question.id)).outcome


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────


async def test_help_says_what_can_be_said_and_what_was_probably_meant(chat: Chat) -> None:
    assert "start <crew>" in await chat.command(ADA, "help")
    assert "status" in await chat.command(ADA, "statsu")


async def test_list_shows_the_crews_and_what_they_need(chat: Chat) -> None:
    listed = await chat.command(ADA, "list")
    assert "Greeter" in listed
    assert "topic" in listed
    assert "required" in listed


async def test_start_starts_a_run_that_waits_for_its_thread(chat: Chat) -> None:
    said = await chat.command(ADA, "start greeter tide mills")
    assert ("Starting" in said) is chat.answers_starts
    [run] = await runs_of(chat, ADA)
    assert run.inputs["topic"] == "tide mills"
    assert run.awaiting_thread


async def test_a_start_is_told_why_a_crew_is_not_offered(chat: Chat) -> None:
    starting = CrewProblem(
        name="news", problem="its worker is starting", remedy="Come *again*.", starting=True
    )
    await chat.store.catalogue.announce("elsewhere", [], complete=False, problems=[starting])
    for name in ("news", "NEWS", "news-report-crew"):
        assert "news: its worker is starting. Come *again*." in await chat.command(ADA, f"start {name}")
    assert "There is no crew 'newspaper'" in await chat.command(ADA, "start newspaper")
    assert await runs_of(chat, ADA) == []


async def test_guests_are_told_no_names_of_crews_that_they_may_not_start(chat: Chat) -> None:
    broken = CrewProblem(name="payroll", problem="it has a mistake.", remedy="Mend it.")
    await chat.store.catalogue.announce("elsewhere", [], complete=False, problems=[broken])
    chat.make_guest(BOB)
    listed, guessed, offered = [
        await chat.command(BOB, each) for each in ("list", "start payroll", "start greter")
    ]
    assert "payroll" not in listed
    assert "There is no crew" in guessed
    assert "Greeter" not in offered
    assert "payroll" in await chat.command(ADA, "list")


async def test_a_start_that_is_delivered_twice_starts_one_run(chat: Chat) -> None:
    for _ in range(2):
        await chat.starts(ADA, "start greeter tide mills", message_id="m-once")
    assert len(await runs_of(chat, ADA)) == 1


async def test_wrong_inputs_are_explained_and_start_nothing(chat: Chat) -> None:
    assert "count" in await chat.command(ADA, "start greeter count=many tide mills")
    assert await runs_of(chat, ADA) == []


async def test_status_shows_ones_own_runs_and_those_of_the_channel(chat: Chat) -> None:
    claim = await chat.claimed()
    assert claim.run.id[:8] in await chat.command(ADA, "status")
    assert "Other runs here" in await chat.command(BOB, "status")
    assert "running" in await chat.command(ADA, f"status {claim.run.id[:8]}")


async def test_cancel_is_for_who_may(chat: Chat) -> None:
    claim = await chat.claimed()
    assert "isn't yours to cancel" in await chat.command(BOB, f"cancel {claim.run.id[:8]}")
    assert (await chat.store.runs.get(claim.run.id)).status is RunStatus.RUNNING
    assert "Cancelled" in await chat.command(ADA, f"cancel {claim.run.id[:8]}")
    assert (await chat.store.runs.get(claim.run.id)).status is RunStatus.CANCELLED


# ── presses ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_press_settles_and_is_answered_with_nothing(chat: Chat) -> None:
    question = await chat.asking()
    posted = await chat.orphan()
    assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), posted=posted) == ""
    assert await chat.outcome(question) == Action.APPROVE
    assert await chat.is_adopted(question, posted)


async def test_a_press_of_somebody_who_may_not_is_explained_and_changes_nothing(chat: Chat) -> None:
    question = await chat.asking()
    assert "isn't yours" in await chat.press(BOB, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == ""


async def test_the_same_press_twice_counts_once_and_is_not_explained(chat: Chat) -> None:
    question = await chat.asking()
    for _ in range(2):
        assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), key="press-once") == ""
    assert len(await chat.store.questions.responses(question.run_id, question.id)) == 1


async def test_a_press_on_a_settled_question_is_explained_and_its_message_shows_the_outcome(
    chat: Chat,
) -> None:
    question = await chat.asking()
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    posted = await chat.orphan()
    late = await chat.press(ADA, actions.ANSWER_REJECT, target_of(question), posted=posted)
    assert "already settled" in late
    assert await chat.outcome(question) == Action.APPROVE
    assert await chat.shows_outcome(posted)


async def test_who_presses_the_same_again_on_a_settled_question_reads_what_was_decided(chat: Chat) -> None:
    question = await chat.asking()
    await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    posted = await chat.orphan()
    again = await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question), posted=posted)
    assert "already settled" in again
    assert "Approve" in again
    assert "not counted" not in again
    assert await chat.shows_outcome(posted)
    assert len(await chat.store.questions.responses(question.run_id, question.id)) == 1


async def test_a_press_on_what_is_not_asked_now_decides_nothing(chat: Chat) -> None:
    question = await chat.asking()
    stale = target_of(question, digest=f"sha256:{'0' * 64}")
    assert await chat.press(ADA, actions.ANSWER_APPROVE, stale) != ""
    assert await chat.outcome(question) == ""


async def test_a_press_in_a_form_is_answered_in_it(chat: Chat) -> None:
    question = await chat.asking()
    assert "Publish it?" in await chat.opens(ADA, actions.OPEN_FULL, target_of(question))
    assert "Recorded" in await chat.decides_in_form(ADA, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == Action.APPROVE


@pytest.mark.parametrize("command", ["status", "list"])
async def test_what_waits_elsewhere_is_listed_and_decided_from_the_list(chat: Chat, command: str) -> None:
    question = await asked_elsewhere(chat)
    listed = await chat.command(ADA, command)
    assert "Publish it?" in listed
    assert "Publish it?" not in await chat.command(BOB, command)
    assert "Publish it?" in await chat.opens(ADA, f"{actions.OPEN_FULL}.1", target_of(question))
    assert "Recorded" in await chat.decides_in_form(ADA, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == Action.APPROVE


async def test_ones_runs_of_another_surface_are_listed_and_can_be_cancelled(chat: Chat) -> None:
    question = await asked_elsewhere(chat)
    short = question.run_id[:8]
    assert short in await chat.command(ADA, "status")
    assert "Which run do you want to cancel?" in await chat.command(ADA, "cancel")
    assert "Cancelled" in await chat.command(ADA, f"cancel {short}")
    assert (await chat.store.runs.get(question.run_id)).status is RunStatus.CANCELLED
    assert short not in await chat.command(BOB, "status")


async def test_what_anyone_may_decide_is_listed_to_everybody(chat: Chat) -> None:
    await asked_elsewhere(chat, ANYONE)
    for user in (ADA, BOB):
        assert "Publish it?" in await chat.command(user, "status")


async def test_who_may_not_decide_what_waits_elsewhere_is_not_shown_it(chat: Chat) -> None:
    question = await asked_elsewhere(chat)
    assert "isn't for you to see" in await chat.press(BOB, f"{actions.OPEN_FULL}.1", target_of(question))


async def test_a_press_of_somebody_unknown_decides_nothing(chat: Chat) -> None:
    question = await chat.asking()
    chat.make_unknown(ADA)
    assert "who you are" in await chat.press(ADA, actions.ANSWER_APPROVE, target_of(question))
    assert await chat.outcome(question) == ""


async def test_a_button_that_is_not_known_says_so(chat: Chat) -> None:
    assert "does nothing any more" in await chat.press(ADA, "of.another.release", Target("r1"))


# ── replies ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_in_words_answers_the_question_of_the_thread(chat: Chat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    assert await chat.says(ADA, "Make it shorter") == ""
    assert await chat.outcome(question) == Action.RESPOND


@pytest.mark.parametrize(
    "chat", [each for name, each in CHATS.items() if name != "memory"], ids=list(CHATS)[1:], indirect=True
)
async def test_a_reply_counts_where_the_stores_clock_is_ahead_of_the_platforms(
    chat: SlackChat | TeamsChat, redis_url: str
) -> None:
    """Its id says that it comes after the question's message."""
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    with redis.Redis.from_url(redis_url) as server:
        server.hincrby(redis_keys.question(question.run_id, question.id), "created_at", 120_000)
    assert await chat.says(ADA, "Make it shorter") == ""
    assert await chat.outcome(question) == Action.RESPOND


async def test_a_reply_that_names_a_button_counts_as_it(chat: Chat) -> None:
    question = await chat.asking()
    assert await chat.says(ADA, "Approve") == ""
    assert await chat.outcome(question) == Action.APPROVE


async def test_a_reply_decides_nothing_of_which_the_thread_shows_the_beginning_only(chat: Chat) -> None:
    question = await chat.asking_at_length()
    assert "Show all" in await chat.says(ADA, "Approve")
    assert await chat.outcome(question) == ""


async def test_a_reply_does_not_answer_what_its_thread_has_not_shown(chat: Chat) -> None:
    question = await chat.asking(posted=False)
    assert "before the question" in await chat.says(ADA, "Approve")
    assert await chat.says(BOB, "Approve") == ""
    assert await chat.outcome(question) == ""
    await chat.show(question)
    assert await chat.says(ADA, "Approve") == ""
    assert await chat.outcome(question) == Action.APPROVE


async def test_a_reply_does_not_answer_what_was_shown_after_it_was_written(chat: Chat) -> None:
    early = chat.written_now()
    question = await chat.asking()
    assert "before the question" in await chat.says(ADA, "Approve", message_id=early)
    assert await chat.outcome(question) == ""


async def test_a_reply_answers_the_question_that_it_follows_and_not_the_one_after_it(chat: Chat) -> None:
    first = await chat.asking("first")
    between = chat.written_now()
    second = await chat.asking("second")
    assert await chat.says(ADA, "Approve", message_id=between) == ""
    assert [await chat.outcome(each) for each in (first, second)] == [Action.APPROVE, ""]


async def test_a_reply_that_might_have_answered_one_of_several_never_answers_what_is_left(chat: Chat) -> None:
    first, second = [await chat.asking(each) for each in ("first", "second")]
    written = chat.written_now()
    assert "Which question" in await chat.says(ADA, "Approve", message_id=written)
    await chat.press(ADA, actions.ANSWER_REJECT, target_of(first))
    await chat.says(ADA, "Approve", message_id=written)
    assert [await chat.outcome(each) for each in (first, second)] == [Action.REJECT, ""]


@pytest.mark.parametrize("ends", ["decided", "cancelled"])
async def test_a_reply_that_arrives_late_answers_nothing_of_several_that_were_open(
    chat: Chat, ends: str
) -> None:
    first, second = [await chat.asking(each) for each in ("first", "second")]
    written = chat.written_now()
    if ends == "decided":
        await chat.press(ADA, actions.ANSWER_REJECT, target_of(first))
    else:
        await chat.store.runs.cancel(first.run_id, chat.person(ADA))
    assert "Which question" in await chat.says(ADA, "Approve", message_id=written)
    assert await chat.outcome(second) == ""
    assert await chat.says(ADA, "Approve") == ""
    assert await chat.outcome(second) == Action.APPROVE


async def test_a_reply_of_the_millisecond_in_which_a_question_ended_may_have_been_for_it(
    redis_url: str,
) -> None:
    """Ends are kept in milliseconds, and messages have fractions of them."""
    async with memory_chat(redis_url) as chat:
        first, second = [await chat.asking(each) for each in ("first", "second")]
        await chat.press(ADA, actions.ANSWER_REJECT, target_of(first))
        ended = (await chat.store.questions.get(first.run_id, first.id)).settled_at
        assert ended is not None
        chat.written["then"] = (ended + 0.5) / 1000
        assert "Which question" in await chat.says(ADA, "Approve", message_id="then")
        assert await chat.outcome(second) == ""
        chat.written["after it"] = (ended + 2) / 1000
        assert await chat.says(ADA, "Approve", message_id="after it") == ""
        assert await chat.outcome(second) == Action.APPROVE


async def test_a_reply_that_was_refused_counts_no_more_when_it_is_read_again(chat: Chat) -> None:
    question = await chat.asking(policy=Policy(deciders=(ADA_ELSEWHERE.principal,)))
    written = chat.written_now()
    assert "isn't yours" in await chat.says(ADA, "Approve", message_id=written)
    await link_elsewhere(chat)
    await chat.says(ADA, "Approve", message_id=written)
    assert await chat.outcome(question) == ""
    await chat.says(ADA, "Approve")
    assert await chat.outcome(question) == Action.APPROVE


async def test_a_file_alone_is_no_answer_and_one_beside_words_is_named(chat: Chat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    assert "was not taken as an answer" in await chat.says(ADA, "", files=("map.pdf",))
    assert await chat.says(ADA, "", files=("map.pdf",)) == ""
    assert await chat.says(BOB, "", files=("map.pdf",)) == ""
    assert await outcome_of(chat, question) is None
    assert await chat.says(ADA, "See these", files=("map.pdf", "tide.csv")) == ""
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.comment == "See these\nAttached: map.pdf, tide.csv"


async def test_a_reply_decides_nothing_of_which_a_shared_message_shows_a_line_only(chat: Chat) -> None:
    together, claim = chat.written_now(), await chat.claimed()
    policy = Policy(deciders=(chat.person(ADA).principal,))
    first, second = [
        await chat.store.questions.ask(
            claim, approval(claim, name).model_copy(update={"policy": policy, "prompt": prompt})
        )
        for name, prompt in (("first", "Publish it?"), ("second", f"Pay?{' And sign.' * 200} And resign."))
    ]
    for each in (first, second):
        await chat.show(each, together)
    assert await chat.press(ADA, actions.ANSWER_APPROVE, target_of(first)) == ""
    assert "“Open”" in await chat.says(ADA, "Approve")
    assert [await chat.outcome(each) for each in (first, second)] == [Action.APPROVE, ""]


async def test_talk_between_people_is_left_alone(chat: Chat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    assert "not taken as an answer" in await chat.says(ADA, "what do you think?", to=BOB)
    assert await chat.says(ADA, "and now?", to=BOB) == ""
    assert await chat.outcome(question) == ""


async def test_which_one_is_asked_where_a_reply_may_answer_several_questions(chat: Chat) -> None:
    first = await chat.asking("first", kind=QuestionKind.TEXT, options=(), prompt="Which colour?")
    second = await chat.asking("second", kind=QuestionKind.TEXT, options=(), prompt="Which shape?")
    asked = await chat.says(ADA, "blue", message_id="m-blue")
    assert "Which question is that for?" in asked
    assert "Which colour?" in asked
    assert "Which shape?" in asked
    assert [await chat.outcome(each) for each in (first, second)] == ["", ""]
    told = await chat.press(ADA, actions.choose_question(first.id), target_of(first, "m-blue"))
    assert "passed on" in told
    assert await chat.outcome(first) == Action.RESPOND
    again = await chat.press(ADA, actions.choose_question(second.id), target_of(second, "m-blue"))
    assert "already passed on" in again
    assert await chat.outcome(second) == ""


async def test_which_one_is_meant_can_be_said_wherever_it_is_asked(chat: Chat) -> None:
    first, second = [await chat.asking(each) for each in ("first", "second")]
    await chat.says(ADA, "Approve", message_id="m-yes")
    which = actions.choose_question(second.id)
    for somebody, told in ((BOB, "no longer have"), (ADA, "passed on")):
        assert told in await chat.press(somebody, which, target_of(second, "m-yes"), directly=True)
    assert [await chat.outcome(each) for each in (first, second)] == ["", Action.APPROVE]


async def test_a_reply_of_somebody_who_may_not_is_explained_once(chat: Chat) -> None:
    question = await chat.asking()
    assert "isn't yours" in await chat.says(BOB, "Approve")
    assert await chat.says(BOB, "Approve!") == ""
    assert await chat.outcome(question) == ""


async def test_a_message_outside_of_our_threads_is_left_alone(chat: Chat) -> None:
    await chat.asking()
    assert await chat.says(ADA, "Approve", elsewhere=True) == ""
    assert await chat.says(ADA, "Approve", edited=True) == ""


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_missing_inputs_are_asked_for_in_a_form(chat: Chat) -> None:
    draft = await chat.draft(ADA, "start greeter")
    assert "Topic" in await chat.opens(ADA, actions.OPEN_START, Target(draft))
    assert await runs_of(chat, ADA) == []


async def test_a_form_says_at_its_fields_what_is_wrong_and_then_starts_the_run(chat: Chat) -> None:
    draft = await chat.draft(ADA, "start greeter")
    wrong = await chat.submit(
        ADA, actions.START, draft, **{input_field("topic"): "mills", input_field("count"): "x"}
    )
    assert list(wrong) == [input_field("count")]
    assert await runs_of(chat, ADA) == []
    right = {input_field("topic"): "mills", input_field("count"): "3"}
    assert await chat.submit(ADA, actions.START, draft, **right) == {}
    assert await chat.submit(ADA, actions.START, draft, **right) == {}
    [run] = await runs_of(chat, ADA)
    assert run.inputs == {"topic": "mills", "count": 3}


async def test_nobody_completes_the_form_of_another(chat: Chat) -> None:
    draft = await chat.draft(ADA, "start greeter")
    wrong = await chat.submit(BOB, actions.START, draft, **{input_field("topic"): "mills"})
    assert "somebody else" in " ".join(wrong.values())
    assert await runs_of(chat, BOB) == []


async def test_words_in_a_form_answer_and_empty_ones_are_asked_for(chat: Chat) -> None:
    question = await chat.asking(kind=QuestionKind.TEXT, options=())
    about = target_of(question).encode()
    empty = await chat.submit(ADA, actions.REPLY, about, **{actions.REPLY_FIELD: " \n"})
    assert list(empty) == [actions.REPLY_FIELD]
    refused = await chat.submit(BOB, actions.REPLY, about, **{actions.REPLY_FIELD: "shorter"})
    assert "isn't yours" in refused[actions.REPLY_FIELD]
    assert await chat.submit(ADA, actions.REPLY, about, **{actions.REPLY_FIELD: " shorter\n"}) == {}
    assert await chat.outcome(question) == Action.RESPOND


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────

ORDER = (
    Field(name="amount", type=FieldType.NUMBER, required=True, min=0),
    Field(name="pieces", type=FieldType.INTEGER, default=1),
    *(Field(name=f"note_{number}") for number in range(1, 6)),
)
AMOUNT, PIECES, LAST = input_field("amount"), input_field("pieces"), input_field("note_5")


async def test_a_form_is_filled_in_by_steps_and_wrong_values_are_said_at_their_fields(chat: Chat) -> None:
    question = await chat.asking(kind=QuestionKind.FORM, options=(), form=ORDER)
    first, last = target_of(question).encode(), replace(target_of(question), option_id="1").encode()
    assert "Step 1 of 2" in await chat.opens(ADA, actions.OPEN_REPLY, target_of(question))
    wrong = await chat.submit(ADA, actions.FORM, first, **{AMOUNT: "-5", PIECES: "many"})
    assert wrong.keys() == {AMOUNT, PIECES}
    await chat.submit(ADA, actions.FORM, first, **{AMOUNT: "12.5", PIECES: ""})
    assert (await outcome_of(chat, question)) is None
    assert await chat.submit(ADA, actions.FORM, last, **{LAST: "soon"}) == {}
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    # What was emptied has no value, though it has a default.
    assert outcome.values == {"amount": 12.5, "note_5": "soon"}


async def test_of_two_people_the_first_one_counts_and_the_other_learns_who_it_was(chat: Chat) -> None:
    fields = (Field(name="amount", type=FieldType.NUMBER, required=True),)
    question = await chat.asking("ok", ADA, BOB, kind=QuestionKind.FORM, options=(), form=fields)
    about = target_of(question).encode()
    assert await chat.submit(ADA, actions.FORM, about, **{AMOUNT: "1"}) == {}
    late = await chat.sends_late(BOB, actions.FORM, about, **{AMOUNT: "2"})
    assert "was first" in late
    assert "amount: 2" in late.lower()
    outcome = await outcome_of(chat, question)
    assert outcome is not None
    assert outcome.values == {"amount": 1}


async def test_what_was_filled_in_is_kept_for_who_wrote_it(chat: Chat) -> None:
    fields = (Field(name="amount", type=FieldType.NUMBER), Field(name="note_5", min_length=5))
    question = await chat.asking("ok", ADA, BOB, kind=QuestionKind.FORM, options=(), form=fields)
    about = target_of(question).encode()
    wrong = await chat.submit(ADA, actions.FORM, about, **{AMOUNT: "1", LAST: "abc"})
    assert wrong.keys() == {LAST}
    ada = chat.person(ADA)
    drafts = FormDrafts(ada.surface, chat.store.key_values)
    assert await drafts.of(question.id, ada) == {"amount": "1", "note_5": "abc"}
    assert await drafts.of(question.id, chat.person(BOB)) == {}
    assert await chat.submit(ADA, actions.FORM, about, **{AMOUNT: "1", LAST: "abcde"}) == {}
    assert await drafts.of(question.id, ada) == {}


async def test_words_do_not_answer_a_form_but_lead_to_it(chat: Chat) -> None:
    question = await chat.asking(kind=QuestionKind.FORM, options=(), form=ORDER)
    assert "Words don't answer a form" in await chat.says(ADA, "12.50")
    assert (await outcome_of(chat, question)) is None

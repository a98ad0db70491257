"""Whatever people and models write, what is posted keeps Slack's limits and has no effect of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core.events.event import Event, TaskCompleted, TaskStarted
from bot.core.forms.fields import Field, FieldType
from bot.core.locales import Locale
from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.question import (
    APPROVAL_OPTIONS,
    Action,
    Deadline,
    Option,
    Outcome,
    Question,
    QuestionKind,
    options_for,
)
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.runs.run import Run, RunError, RunStatus
from bot.core.runs.waiting import Wait, WaitFor
from bot.core.text import valid, visible
from bot.surfaces.chat.cards import progress, question_card, run_card
from bot.surfaces.chat.messages import Actions, Form, Message, text_message
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import (
    answer_messages,
    crew_list,
    field_forms,
    home,
    private_messages,
    question_forms,
    question_messages,
    run_messages,
)
from bot.surfaces.chat.wording import outcomes as settled_questions
from bot.surfaces.chat.wording.field_forms import FormState
from bot.surfaces.chat.wording.question_messages import ReadableIn
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.renderer import LIMITS, render_form, render_home, render_message
from tests.examples import examples
from tests.linear import LINEAR, growth
from tests.loopback.slack.blocks import check_message_blocks, check_view, texts

RUN = "6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31"
ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")
PLATFORM = Capabilities(SURFACE, "Slack", 1.0, LIMITS)
POLICY = Policy(deciders=("slack:T0:U0ADA",))
PARTS = (
    "<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S1|x>", "<@U0EVIL>", "<#C1>", "<https://evil.com|a>",
    "[bank](https://evil.com)", "![x](https://evil.com)", "[a][b]", "[b]: https://evil.com", "```\ncode\n```",
    "&lt;!channel&gt;", "&amp;", "&", "<", ">", "\n", "\n\n", " ", "\x00", "\ud800", "\U0001f469\u200d",
    "# head", "*", "_", "~", "|", "`", "@channel", "@here", "long " * 50, "x" * 200, "é", "行", "- item\n",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS) | st.text(max_size=20), max_size=40).map("".join)
LONG = st.builds(lambda text, times: text * times, TEXTS, st.sampled_from([1, 1, 1, 5, 20, 200]))
PINGS = re.compile(r"<!(?!date\^)|<@(?!U0ADA>)|<#(?!C0>)|<https?:(?!//x\.slack\.com/)[^>]*\|")


@st.composite
def questions(draw: st.DrawFn) -> Question:
    kind = draw(st.sampled_from(list(QuestionKind)))
    labels = tuple(draw(st.lists(LONG, min_size=1, max_size=10)))
    return Question(
        id="b3b0a5a2-9f7b-5f7e-8a39-6a4c0a3c0f11",
        run_id=RUN,
        kind=kind,
        prompt=draw(LONG),
        context=draw(LONG),
        options=options_for(kind, labels),
        asker=draw(TEXTS),
        round=draw(st.none() | st.integers(1, 9)),
        rounds=draw(st.none() | st.integers(1, 9)),
        policy=draw(st.sampled_from([POLICY, Policy(deciders=("*",)), Policy(deciders=())])),
        deadline=Deadline(after=60, outcome=draw(st.sampled_from(["expire", "reject", "1"]))),
        deadline_at=draw(st.none() | st.just(1_790_000_000_000)),
    )


def a_run(**more: Any) -> Run:
    crew = Crew(name="demo", title=more.pop("title", "Demo"), inputs=more.pop("fields", ()))
    return Run(
        id=RUN,
        crew=crew,
        status=more.pop("status", RunStatus.RUNNING),
        requester=ADA,
        approvers=POLICY,
        cancellers=POLICY,
        created_at=1_790_000_000_000,
        **more,
    )


def check(message: Message) -> None:
    """Slack takes it, and nothing in it that isn't ours has an effect; the same of its text alone."""
    shown = render_message(message)
    if message.blocks:
        check_message_blocks(shown["blocks"])
        check(message.without_blocks())
    assert shown["text"].strip()
    assert len(shown["text"]) <= 40_000
    assert_harmless(shown["text"])
    for block in shown["blocks"]:
        assert_harmless_block(block)


def blocks_of(message: Message | Form) -> list[dict[str, Any]]:
    shown = render_form(message) if isinstance(message, Form) else render_message(message)
    blocks: list[dict[str, Any]] = shown["blocks"]
    return blocks


def assert_harmless(text: str) -> None:
    assert not PINGS.search(text), text


def assert_harmless_block(block: dict[str, Any]) -> None:
    """No markup is made of anybody's text, and of rich text only texts and what is ours to mention."""
    for part in _parts(block):
        match part.get("type"):
            case "mrkdwn":
                assert_harmless(part["text"])
            case "user":
                assert part["user_id"] == "U0ADA"
            case "channel":
                assert part["channel_id"] == "C0"
            case kind:
                assert kind not in {"markdown", "usergroup", "broadcast"}


def _parts(value: object) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [part for each in value for part in _parts(each)]
    if isinstance(value, dict):
        return [value, *(part for each in value.values() for part in _parts(each))]
    return []


def literally(blocks: Sequence[dict[str, Any]]) -> str:
    """What stands in quotations and frames: what the crew wrote."""
    kinds = {"rich_text_quote", "rich_text_preformatted"}
    framed = [part for part in _parts(list(blocks)) if part.get("type") in kinds]
    return "".join(text["text"] for part in framed for text in part["elements"])


@settings(max_examples=examples(60), deadline=None)
@given(questions())
def test_any_question_can_be_posted_and_settled(question: Question) -> None:
    card = question_card(a_run(), question)
    check(question_messages.ask(card, LIMITS))
    check(question_messages.reminder(card, "https://x.slack.com/archives/C0/p1"))
    check(question_messages.in_words(card, LIMITS))
    for outcome in outcomes(question):
        done = question.model_copy(update={"outcome": outcome, "settled_at": 1_790_000_000_000})
        message = settled_questions.settled(question_card(a_run(), done), LIMITS)
        check(message)
        assert not [block for block in message.blocks if isinstance(block, Actions)]


def outcomes(question: Question) -> list[Outcome]:
    words = question.prompt + "\n" + question.context
    return [
        Outcome(action=Action.APPROVE, by=ADA),
        Outcome(action=Action.REJECT, comment=words, by=ADA),
        Outcome(action=Action.RESPOND, comment=words, by=ADA),
        Outcome(action=Action.CHOOSE, value="1", by=ADA),
        Outcome(action=Action.EXPIRE),
        Outcome(action=Action.CANCEL),
    ]


def test_a_carriage_return_at_the_end_of_a_prompt_is_seen_in_front_of_the_context() -> None:
    question = Question(
        id="b3b0a5a2-9f7b-5f7e-8a39-6a4c0a3c0f11",
        run_id=RUN,
        kind=QuestionKind.TEXT,
        prompt="Pay\r",
        context="Acme",
        policy=POLICY,
    )
    shown = visible(question_messages.full_text(question_card(a_run(), question), LIMITS))
    assert shown == "Pay[U+000D]\n\nAcme"


@settings(max_examples=examples(60), deadline=None)
@given(questions())
def test_nothing_can_be_decided_by_button_before_it_can_be_read_in_full(question: Question) -> None:
    card = question_card(a_run(), question)
    blocks = blocks_of(question_messages.ask(card, LIMITS))
    view = render_form(question_forms.full_text(a_run(), question, LIMITS))
    whole = visible(question_messages.full_text(card, LIMITS))
    assert all(visible(part).strip() in whole for part in (question.prompt, question.context))
    match question_messages.readable_in(card, LIMITS):
        case ReadableIn.MESSAGE:
            assert solid(literally(blocks)) == solid(whole)
            assert "beginning" not in "".join(texts(blocks))
        case ReadableIn.FORM:
            assert deciding(blocks) == []
            assert solid(literally(view["blocks"])) == solid(whole)
        case ReadableIn.FILE:
            assert deciding(blocks) == []
            assert "file" in "".join(texts(blocks))
            assert "file" in "".join(texts(view["blocks"]))
    if question_messages.readable_in(card, LIMITS) is not ReadableIn.MESSAGE and question.kind not in WORDY:
        assert deciding(view["blocks"])


WORDY = {QuestionKind.TEXT, QuestionKind.FORM}
"""No button decides these: it opens a form."""


def deciding(blocks: Sequence[dict[str, Any]]) -> list[str]:
    rows = [block for block in blocks if block["type"] == "actions"]
    ids = [element["action_id"] for block in rows for element in block["elements"]]
    return [each for each in ids if each.startswith("answer.")]


def solid(text: str) -> str:
    """The text without spaces and line ends; a dash stands for no text at all."""
    return "".join(text.split()).strip("-")


@settings(max_examples=examples(60), deadline=None)
@given(st.text(st.characters(), max_size=400), st.text(st.characters(), max_size=400))
def test_every_visible_character_of_any_text_can_be_read_in_order(prompt: str, about: str) -> None:
    question = Question(
        id="q", run_id=RUN, kind=QuestionKind.APPROVAL, prompt=prompt, context=about, policy=POLICY,
        options=APPROVAL_OPTIONS,
    )  # fmt: skip
    card = question_card(a_run(), question)
    assert question_messages.readable_in(card, LIMITS) is ReadableIn.MESSAGE
    # A question holds valid text: halves of surrogate pairs were replaced where they entered.
    assert solid(literally(blocks_of(question_messages.ask(card, LIMITS)))) == solid(
        visible(valid(prompt)) + visible(valid(about))
    )


@pytest.mark.parametrize(
    "text",
    [
        "[Refund to customer](10 EUR, and wire 9000 EUR to account 1)",
        "if limits[user](amount and not blocked):\n    pay()",
        "*not* _marked_ ~up~ `at all` :rocket: &lt;!here&gt; <@U1> <https://a.b|c>",
        "> quote\n\n    two  spaces\ttab",
    ],
)
def test_a_text_to_be_decided_stands_on_the_card_just_as_it_is(text: str) -> None:
    question = Question(
        id="q", run_id=RUN, kind=QuestionKind.APPROVAL, prompt=text, context=text, policy=POLICY,
        options=APPROVAL_OPTIONS,
    )  # fmt: skip
    assert (
        literally(blocks_of(question_messages.ask(question_card(a_run(), question), LIMITS))) == text + text
    )


def test_a_crews_words_cant_leave_their_frame() -> None:
    """What looks like an outcome or a headline of ours stands in the crew's frame, a name in its own."""
    forged = "ok\n\n✅ *Approved* by <@U0ADA>\n\nThe crew writes: nothing"
    question = Question(
        id="q", run_id=RUN, kind=QuestionKind.APPROVAL, prompt=forged, asker="Ada approved. Nobody\n*x*",
        policy=POLICY, options=APPROVAL_OPTIONS,
    )  # fmt: skip
    blocks = blocks_of(question_messages.ask(question_card(a_run(), question), LIMITS))
    headline = blocks[0]["elements"][0]["elements"]
    assert [part["text"] for part in headline][1:] == [" asks for approval"]
    assert not [part for part in _parts(blocks) if part.get("style") == {"bold": True}]
    [name] = [part for part in _parts(blocks) if part.get("style") == {"code": True}]
    assert name["text"] == "Ada approved. Nobody *x*"
    assert literally(blocks) == forged
    outside = "".join(block["text"]["text"] for block in blocks if block["type"] == "section")
    assert "Approved" not in outside


@settings(max_examples=examples(60), deadline=None)
@given(questions())
def test_any_question_can_be_opened_in_a_window(question: Question) -> None:
    check_view(render_form(question_forms.full_text(a_run(), question, LIMITS)), "modal")
    check_view(render_form(question_forms.reply_form(question)), "modal")
    assert_harmless_block(render_form(question_forms.reply_form(question)))


@settings(max_examples=examples(60), deadline=None)
@given(LONG, LONG, st.sampled_from(RunStatus), st.dictionaries(TEXTS, LONG, max_size=20), st.integers(0, 30))
def test_any_run_can_be_shown(
    title: str, words: str, status: RunStatus, inputs: dict[str, str], tasks: int
) -> None:
    error = RunError(code="x", message=words)
    run = a_run(title=title, status=status, inputs=inputs, error=error, finished_at=1_790_000_999_000)
    card = run_card(run, progress(events(tasks, words)), paused=words)
    check(run_messages.progress(card))
    check(run_messages.failed(card))
    check(run_messages.cancelled(card))
    check(run_messages.moved(card, "C0"))
    check(run_messages.not_placed(card, "C0"))
    check(run_messages.completed(card, words, LIMITS))
    check(run_messages.completed_in_words(card, words, LIMITS))


def events(tasks: int, words: str) -> list[Event]:
    found: list[Event] = []
    for number in range(1, tasks + 1):
        about = {"crew_id": "c", "task_id": "t", "task": words, "number": number, "total": tasks}
        started = TaskStarted.model_validate({**about, "agent": words})
        for body in (started, TaskCompleted.model_validate(about)):
            at = 1_790_000_000_000 + len(found)
            found.append(Event(run_id=RUN, seq=len(found) + 1, at=at, body=body))
    return found


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(questions(), max_size=4), TEXTS, LONG)
def test_any_home_tab_can_be_published(asked: list[Question], title: str, about: str) -> None:
    crew = Crew(name="demo", title=title, description=about)
    run = a_run(title=title)
    link = "https://x.slack.com/archives/C0/p1"
    questions_asked = [home.AskedQuestion(question_card(run, each), link) for each in asked[:1]]
    view = render_home(
        home.home(questions_asked, [home.ListedRun(run, link)], [crew] * 30, LIMITS, more=True)
    )
    check_view(view, "home")
    assert_harmless_block(view)


@settings(max_examples=examples(60), deadline=None)
@given(questions(), TEXTS, LONG, TEXTS)
def test_any_private_message_can_be_shown(question: Question, title: str, words: str, name: str) -> None:
    for message in private(question, title, words, name):
        check(message)
        assert_nothing_of_others_is_mrkdwn(render_message(message))


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(questions(), max_size=4), TEXTS, LONG)
def test_nothing_of_others_is_mrkdwn_on_a_home_tab(asked: list[Question], title: str, about: str) -> None:
    crew = Crew(name="demo", title=title, description=about)
    listed = [home.ListedRun(a_run(title=title), None)]
    questions_asked = [home.AskedQuestion(question_card(a_run(title=title), each), None) for each in asked]
    page = home.home(questions_asked, listed, [crew], LIMITS, more=True)
    assert_nothing_of_others_is_mrkdwn(render_home(page))


OURS = {
    "It is too long to be shown here. Decide it where its run lives, or in the console.",
    "There are more; these are the oldest.",
    "Type one of these in a channel where I am. `/crew list` shows what each crew needs.",
}


def assert_nothing_of_others_is_mrkdwn(shown: dict[str, Any]) -> None:
    """`* _ ~` have an effect in mrkdwn elements only."""
    mrkdwn = [part["text"] for part in _parts(shown["blocks"]) if part.get("type") == "mrkdwn"]
    assert set(mrkdwn) <= OURS


MARKS = "*bold* _so_ ~gone~ `code`"


def test_marks_in_names_and_prompts_are_shown_as_they_are_in_private_messages_too() -> None:
    question = Question(
        id="q", run_id=RUN, kind=QuestionKind.APPROVAL, prompt=MARKS, policy=POLICY,
        options=APPROVAL_OPTIONS,
    )  # fmt: skip
    for message in private(question, MARKS, MARKS, MARKS):
        literal = [part["text"] for part in _parts(blocks_of(message)) if part.get("type") == "text"]
        assert any(MARKS in text for text in literal), message


def private(question: Question, title: str, words: str, name: str) -> list[Message]:
    """What is said privately of a run and a question, wherever texts of others are in it."""
    error = RunError(code="x", message=words)
    run = a_run(title=title, error=error)
    field = Field(name=name or "x", description=words, default=words)
    crew = Crew(name="demo", title=title, description=words, inputs=(field,))
    wait = Wait(code=WaitFor.TURN, message=words)
    by_words = Outcome(action=Action.RESPOND, comment=words, by=ADA)
    settled = question.model_copy(update={"outcome": by_words})
    return [
        private_messages.catalogue(crew_list.shown([crew] * 3, LIMITS), LIMITS),
        crew_list.shown([], LIMITS, [CrewProblem(name=name, problem=words, remedy=words)] * 3),
        private_messages.problems(crew, {name: words}, LIMITS),
        private_messages.fill_in(crew, RUN),
        private_messages.unknown_word(name, "status"),
        private_messages.unknown_crew("There is no such crew.", name, []),
        private_messages.unknown_crew("There is no such crew.", None, [name] * 2),
        private_messages.started(run),
        private_messages.cancelled(run),
        private_messages.over(run),
        private_messages.not_yours_to_cancel(run),
        private_messages.run_state(run, [question], words, PLATFORM, wait, {question.id: words}),
        private_messages.runs_state([run] * 3, [run] * 30, words, PLATFORM, {run.id: wait}),
        private_messages.ambiguous([run] * 3, PLATFORM),
        answer_messages.ask_which_question([(run, question)] * 30, words, "1700.1", LIMITS),
        text_message(*answer_messages.run_is_over(run)),
        text_message(*answer_messages.already_settled(settled)),
    ]


@settings(max_examples=examples(60), deadline=None)
@given(TEXTS, st.lists(LONG, min_size=1, max_size=150), LONG)
@example("Demo", ["one"], "\x00")
def test_any_crews_form_can_be_opened(title: str, choices: list[str], about: str) -> None:
    kinds = [Field(name=kind.value, type=kind, description=about, required=True) for kind in FieldType]
    fields = [each.model_copy(update={"choices": tuple(each[:200] for each in choices)}) for each in kinds]
    many = [Field(name=f"more{number}") for number in range(8)]
    crew = Crew(name="demo", title=title, description=about, inputs=(*fields, *many))
    known: dict[str, JsonValue] = {"string": about, "choice": choices[0], "boolean": True, "integer": 3}
    filled = FormState(crew.inputs, known, Locale(), problems={"string": about})
    for step in range(filled.steps):
        form = field_forms.start_form(crew, RUN, replace(filled, step=step), LIMITS)
        check_view(render_form(form), "modal")


def test_labels_that_are_too_long_for_a_button_are_listed_in_full() -> None:
    labels = tuple(f"{letter * 300}" for letter in "abc")
    question = Question(
        id="q", run_id=RUN, kind=QuestionKind.CHOICE, prompt="Which?", policy=POLICY,
        options=tuple(Option(id=str(n), label=label) for n, label in enumerate(labels, start=1)),
    )  # fmt: skip
    blocks = blocks_of(question_messages.ask(question_card(a_run(), question), LIMITS))
    shown = "\n".join(texts(blocks))
    assert all(label in shown for label in labels)
    [row] = [block for block in blocks if block["type"] == "actions"]
    assert [each["text"]["text"][:3] for each in row["elements"][:3]] == ["1. ", "2. ", "3. "]


def test_a_question_of_3000_characters_is_shown_whole() -> None:
    question = Question(
        id="q", run_id=RUN, kind=QuestionKind.APPROVAL, prompt="a & b " * 500, policy=POLICY,
        options=APPROVAL_OPTIONS,
    )  # fmt: skip
    assert question_messages.readable_in(question_card(a_run(), question), LIMITS) is ReadableIn.MESSAGE


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "](",
        "`",
        "*",
        "<",
        "&",
        "\u202e",
        "é",
        "e\u0301",
        "行",
        " ",
        "\n",
        "\r\n",
        "[](<" + " " * 50,
        "\ufe0f",
    ],
)
def test_every_card_is_drawn_in_linear_time(unit: str) -> None:
    def draw(size: int) -> None:
        text = (unit * size)[:size]
        for outcome in (None, Outcome(action=Action.RESPOND, comment=text, by=ADA)):
            question = Question(
                id="q", run_id=RUN, kind=QuestionKind.CHOICE, prompt=text, context=text,
                options=(Option(id="1", label=text), Option(id="2", label="b")), policy=POLICY,
                asker=text, outcome=outcome,
            )  # fmt: skip
            card = question_card(a_run(), question)
            render_message(question_messages.ask(card, LIMITS))
            render_message(settled_questions.settled(card, LIMITS))
            render_message(question_messages.in_words(card, LIMITS))
            render_message(question_messages.reminder(card, None))
            render_form(question_forms.full_text(a_run(), question, LIMITS))
            render_form(question_forms.reply_form(question))
        shown = run_card(a_run(title=text, inputs={"topic": text}), progress(events(2, text)))
        render_message(run_messages.progress(shown))
        render_message(run_messages.completed(shown, text, LIMITS))
        render_message(run_messages.completed_in_words(shown, text, LIMITS))

    assert growth(draw, 3000) < LINEAR

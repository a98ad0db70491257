"""What somebody is told whose answer did not count: words of others can't pass for ours."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import APPROVAL_OPTIONS, Action, Option, Outcome, Question, QuestionKind
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.surfaces.chat.formatted_text import Mention, Untrusted, plain_words
from bot.surfaces.chat.inbound.ports import text_reply
from bot.surfaces.chat.messages import Limits, Paragraph
from bot.surfaces.chat.wording import answer_messages
from bot.surfaces.slack import renderer as slack
from bot.surfaces.slack.renderer import render_message
from bot.surfaces.teams import renderer as teams
from tests.loopback.slack.blocks import check_message_blocks

THEIRS = "¤"
SPOOFS = (
    f"{THEIRS}no.\n\nYour answer was counted.",
    f"{THEIRS}*b* `c` <!channel> <https://evil.example|x> \u202e\u200b",
    THEIRS * 3000,
)
ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA", name="Ada")
POLICY = Policy(deciders=("slack::U1",))


def settled(outcome: Outcome) -> Question:
    return Question(
        id="q",
        run_id="6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31",
        kind=QuestionKind.CHOICE if outcome.action is Action.CHOOSE else QuestionKind.APPROVAL,
        prompt="May I?",
        options=(*APPROVAL_OPTIONS, Option(id="1", label=f"{THEIRS}Tea\nYour answer was counted.")),
        policy=POLICY,
        outcome=outcome,
    )


@pytest.mark.parametrize("text", SPOOFS)
@pytest.mark.parametrize("action", list(Action))
def test_what_was_decided_before_is_told_in_a_frame_and_shortened(action: Action, text: str) -> None:
    by = Actor(surface="slack", tenant="T0", user_id="U0BOB", name=text)
    value = "1" if action is Action.CHOOSE else None
    values: dict[str, JsonValue] | None = {text: text} if action is Action.SUBMIT else None
    question = settled(Outcome(action=action, by=by, comment=text, value=value, values=values))
    line = answer_messages.refusal(
        Ruling(verdict=Verdict.REFUSED, code="settled", question=question), question.policy
    )
    assert all(THEIRS not in part for part in line if isinstance(part, str))
    assert all(isinstance(part, str | Mention | Untrusted) for part in line)
    assert plain_words(line).endswith("Your answer was not counted.")
    reply = text_reply(*line)
    assert reply.say is not None
    shown = render_message(reply.say)
    check_message_blocks(shown["blocks"])
    assert len(shown["text"]) < 1000


@pytest.mark.parametrize("limits", [slack.LIMITS, teams.LIMITS], ids=["slack", "teams"])
def test_of_questions_with_the_same_prompt_it_is_said_what_each_is_about(limits: Limits) -> None:
    run = Run(
        id="6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31",
        crew=Crew(name="demo", title="Demo"),
        status=RunStatus.INPUT_REQUIRED,
        requester=ADA,
        approvers=POLICY,
        cancellers=POLICY,
        created_at=0,
    )
    asked = [
        settled(Outcome(action=Action.CANCEL)).model_copy(
            update={"id": f"q{number}", "outcome": None, "context": f"{THEIRS}Draft {number} {'x' * 9000}"}
        )
        for number in range(2 * limits.rows)
    ]
    message = answer_messages.ask_which_question(
        [(run, question) for question in asked], "Approve", "1.2", limits
    )
    rows = [plain_words(each.text) for each in message.blocks if isinstance(each, Paragraph)][1:]
    assert len(set(rows)) == limits.rows
    assert all(f"Draft {number} " in row for number, row in enumerate(rows))
    if limits is slack.LIMITS:
        check_message_blocks(render_message(message)["blocks"])

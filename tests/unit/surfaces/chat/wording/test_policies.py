"""What a card says of how far its question is, and of responses that no longer count."""

from collections.abc import Sequence

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions import decision
from bot.core.questions.question import Question, QuestionKind, Source
from bot.core.questions.response import Approve, Response
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.formatted_text import plain_words
from bot.surfaces.chat.wording import policies

ADA, BOB = (Actor(surface="slack", tenant="T0", user_id=name, name=name) for name in ("ada", "bob"))
POLICY = Policy(deciders=(ADA.principal, BOB.principal), who=("finance",), need=2, name="pay", admins=False)
CALL = ToolCall(tool="pay", arguments={"to": "Acme"}, proposed={"to": "Acme"}, editable=("to",))


def asked(need: int = 2) -> Question:
    return decision.prepare(
        Question(
            id="q",
            run_id="r",
            kind=QuestionKind.APPROVAL,
            prompt="?",
            policy=POLICY.model_copy(update={"need": need}),
            call=CALL,
            source=Source.GATE,
        )
    )


def lines(question: Question, said: Sequence[Response]) -> list[str]:
    progress = decision.evaluate(question, (), earlier=said).progress
    run = Run(
        id="r",
        crew=Crew(name="demo", title="Demo"),
        status=RunStatus.RUNNING,
        requester=ADA,
        approvers=POLICY,
        cancellers=POLICY,
        created_at=1,
    )
    card = question_card(run, question.model_copy(update={"progress": progress}), said)
    return [plain_words(each) for each in policies.progress_lines(card)]


def test_an_edit_that_was_undone_is_why_an_approval_no_longer_counts() -> None:
    first = asked(3)
    question, said = first, list[Response]([Approve(actor=ADA, key="k", digest=first.digest)])
    for to in ("Eve", "Acme"):
        edit = Approve(actor=BOB, key=to, digest=question.digest, arguments={"to": to})
        question, amended = decision.amend(question, edit)
        said.append(amended)
    progress, no_more = lines(question, said)
    assert progress.startswith("1 of 3")
    assert no_more.startswith("No longer counted: ada")
    assert "before it was edited" in no_more


def test_nobody_more_is_needed_where_enough_may_decide_again() -> None:
    question = asked()
    both = [Approve(actor=each, key="k", digest=question.digest) for each in (ADA, BOB)]
    [progress] = lines(question, both)
    assert progress.startswith("2 of 2")
    assert progress.endswith("the next answer that agrees settles it")

"""Tasks with `human_input: true`: people review the output until they approve or reject it."""

from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Run, RunStatus
from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, say, text_of


def drafts(conversation: Conversation) -> Turn:
    """Draft 1, draft 2, ...; from the second one on it says which draft it saw and what it was told."""
    number = conversation.answered + 1
    seen = [text_of(message) for message in conversation.messages if message["role"] == "assistant"]
    told = text_of(conversation.messages[-1])
    return say(f"Draft {number}" + (f" after {seen[-1]!r}, told {'shorter' in told}" if seen else ""))


async def reviewed(deployment: Deployment, run: Run, number: int) -> Question:
    """The review of this round."""
    await deployment.until(run, lambda now: now.status.over or now.seq >= 1 + 2 * number)
    return await deployment.question(run)


async def test_feedback_leads_to_another_round_until_it_is_approved(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("drafts", drafts)
    run = await deployment.start("reviewed", prompt="[[drafts]]")
    first = await reviewed(deployment, run, 1)
    assert (first.kind, first.context, first.round, first.rounds) == (QuestionKind.REVIEW, "Draft 1", 1, 3)
    await deployment.say(first, "shorter please")
    second = await reviewed(deployment, run, 2)
    assert (second.context, second.round) == ("Draft 2 after 'Draft 1', told True", 2)
    await deployment.say(second, "Approve")
    assert await deployment.result(run) == second.context


async def test_a_rejected_review_ends_the_run_with_its_reason(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("drafts", drafts)
    run = await deployment.start("reviewed", prompt="[[drafts]]")
    await deployment.reject(await reviewed(deployment, run, 1), "this is about another product")
    done = await deployment.over(run)
    assert done.status is RunStatus.FAILED
    assert done.error is not None
    assert done.error.code == "rejected"
    assert done.error.message == "Ada rejected the result: this is about another product"


async def test_the_last_round_ends_the_run_and_says_so(deployment: Deployment, model: LoopbackModel) -> None:
    model.script("drafts", drafts)
    run = await deployment.start("reviewed", prompt="[[drafts]]")
    for number in (1, 2, 3):
        await deployment.say(await reviewed(deployment, run, number), f"change {number}")
    done = await deployment.over(run)
    assert done.error is not None
    assert done.error.code == "review_rounds"
    assert "after 3 rounds" in done.error.message
    assert "change 3" in done.error.message


async def test_a_result_that_nobody_reviews_in_time_ends_the_run(
    deployment: Deployment, model: LoopbackModel
) -> None:
    model.script("drafts", drafts)
    done = await deployment.over(await deployment.start("unreviewed", prompt="[[drafts]]"))
    assert done.error is not None
    assert (done.error.code, done.error.message) == (
        "expired",
        "Nobody reviewed the result before the deadline.",
    )

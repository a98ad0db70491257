"""What people say to a method's output, and what it comes to: never an approval that nobody gave."""

import pytest

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.questions.answering import interpret
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, options_for
from crews.flows.feedback_spec import FeedbackSpec, feedback, follow_up_prompt

ADA = Actor(surface="http", user_id="ada", name="Ada")


def settled(wanted: FeedbackSpec, words: str | None = None, **outcome: object) -> Question:
    """The question once somebody has answered in these words, or with this outcome."""
    question = Question(
        id="q",
        run_id="r",
        kind=wanted.kind,
        prompt=wanted.message,
        options=options_for(wanted.kind, wanted.labels),
        policy=Policy(deciders=("*",)),
    )
    if words is not None:
        action, value, comment = interpret(question, words)
        outcome = {"action": action, "value": value, "comment": comment, "by": ADA}
    return question.model_copy(update={"outcome": Outcome.model_validate(outcome)})


REVIEW = FeedbackSpec("Publish?", ("approved", "rejected"))
ROUNDS = FeedbackSpec("Publish?", ("approved", "needs_revision"), default="needs_revision")


@pytest.mark.parametrize(
    ("emit", "kind"),
    [
        ((), QuestionKind.TEXT),
        (("approved", "rejected"), QuestionKind.APPROVAL),
        (("Reject", "Approve"), QuestionKind.APPROVAL),
        (("approve", "approved"), QuestionKind.CHOICE),
        (("approved", "rejected", "later"), QuestionKind.CHOICE),
        (("yes", "no"), QuestionKind.CHOICE),
    ],
)
def test_the_kind_follows_from_the_outcomes(emit: tuple[str, ...], kind: QuestionKind) -> None:
    assert FeedbackSpec("?", emit).kind is kind


@pytest.mark.parametrize(
    ("wanted", "words", "outcome"),
    [
        (REVIEW, "approve", "approved"),
        (REVIEW, " Reject ", "rejected"),
        (REVIEW, "approved, of course", None),
        (REVIEW, "yes", None),
        (ROUNDS, "APPROVED", "approved"),
        (ROUNDS, "needs_revision", "needs_revision"),
        (ROUNDS, "needs revision", None),
        (ROUNDS, "I have approved worse", None),
    ],
)
def test_only_a_label_decides(wanted: FeedbackSpec, words: str, outcome: str | None) -> None:
    assert wanted.outcome(settled(wanted, words)) == outcome


@pytest.mark.parametrize(
    ("default", "outcome"),
    [(None, None), ("needs_revision", "needs_revision"), ("approved", None)],
)
def test_silence_is_the_default_outcome_unless_that_approves(
    default: str | None, outcome: str | None
) -> None:
    wanted = FeedbackSpec("Publish?", ("approved", "needs_revision"), default)
    silent = settled(wanted, action=Action.EXPIRE)
    assert wanted.outcome(silent) == outcome
    assert feedback([], silent, outcome) == ""


def test_a_deadline_that_rejects_does() -> None:
    assert REVIEW.outcome(settled(REVIEW, action=Action.REJECT)) == "rejected"


def test_words_are_kept_until_a_button_says_what_they_mean() -> None:
    said = settled(ROUNDS, "shorter")
    assert follow_up_prompt("Publish?", said) == (
        "Publish?\n\nAda said: “shorter” That is kept as the feedback. Which of these is it?"
    )
    assert feedback(["shorter"], settled(ROUNDS, "needs_revision"), "needs_revision") == "shorter"


def test_a_button_alone_says_its_outcome_and_a_comment_more() -> None:
    assert feedback([], settled(REVIEW, "approve"), "approved") == "approved"
    rejected = settled(REVIEW, action=Action.REJECT, comment="too long", by=ADA)
    assert feedback(["hm"], rejected, "rejected") == "hm\ntoo long"


@pytest.mark.parametrize("emit", [("Yes", "yes"), ("a", " "), tuple(map(str, range(11)))])
def test_outcomes_that_people_could_not_tell_apart_are_a_problem(emit: tuple[str, ...]) -> None:
    assert FeedbackSpec("?", emit).problem()
    assert FeedbackSpec("?", ("a", "b")).problem() is None

"""Who may do what, and what words mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import questions, rules
from bot.core.alike import label_key
from bot.core.model import (
    Action,
    Actor,
    Approvers,
    Deadline,
    Option,
    Policy,
    Question,
    QuestionKind,
    Response,
    Standing,
)

ADA = Actor(surface="slack", tenant="T1", user_id="U1", name="Ada")
BOB = Actor(surface="slack", tenant="T1", user_id="U2", name="Bob")


def question(kind: QuestionKind, *labels: str) -> Question:
    options = rules.options_for(kind, labels)
    return Question(
        id="q", run_id="r", kind=kind, prompt="?", options=options, policy=Policy(deciders=("*",))
    )


APPROVAL = question(QuestionKind.APPROVAL)
CHOICE = question(QuestionKind.CHOICE, "Tea", "Coffee", "2")
REVIEW = question(QuestionKind.REVIEW)
TEXT = question(QuestionKind.TEXT)


def test_by_default_the_requester_alone_decides() -> None:
    policy = rules.policy_for(Approvers(), ADA)
    assert rules.may(ADA, policy)
    assert not rules.may(BOB, policy)


def test_listed_people_and_keys_decide() -> None:
    policy = rules.policy_for(Approvers(requester=False, listed=("U2", "key:ci")), ADA)
    assert rules.may(BOB, policy)
    assert rules.may(Actor(surface="http", user_id="key:ci"), policy)
    assert not rules.may(ADA, policy)
    assert not rules.may(BOB.model_copy(update={"tenant": "T2"}), policy)


def test_another_identity_of_the_same_person_counts() -> None:
    policy = rules.policy_for(Approvers(), ADA)
    assert rules.may(Actor(surface="http", user_id="key:ada", identities=(ADA.principal,)), policy)


@pytest.mark.parametrize("standing", [Standing.GUEST, Standing.EXTERNAL])
def test_guests_and_strangers_decide_only_where_they_are_admitted(standing: Standing) -> None:
    guest = ADA.model_copy(update={"standing": standing})
    assert not rules.may(guest, rules.policy_for(Approvers(anyone=True), ADA))
    assert rules.may(guest, rules.policy_for(Approvers(anyone=True), ADA, (Standing.MEMBER, standing)))


def test_an_admin_may_do_everything() -> None:
    assert rules.may(BOB.model_copy(update={"admin": True}), Policy(deciders=(), admits=()))


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (("Reject", "approve"), QuestionKind.APPROVAL),
        (("Tea", "Coffee"), QuestionKind.CHOICE),
        ((), QuestionKind.TEXT),
    ],
)
def test_the_options_say_what_kind_of_question_it_is(labels: tuple[str, ...], kind: QuestionKind) -> None:
    assert rules.infer_kind(None, labels) is kind
    assert rules.infer_kind(QuestionKind.REVIEW, labels) is QuestionKind.REVIEW


@pytest.mark.parametrize(
    ("asked", "words", "meaning"),
    [
        (APPROVAL, " APPROVE ", (Action.APPROVE, None, "")),
        (APPROVAL, "Reject", (Action.REJECT, None, "")),
        (APPROVAL, "approve!", (Action.RESPOND, None, "approve!")),
        (APPROVAL, "yes", (Action.RESPOND, None, "yes")),
        (APPROVAL, "I approve of it", (Action.RESPOND, None, "I approve of it")),
        (CHOICE, "coffee", (Action.CHOOSE, "2", "")),
        (CHOICE, "2", (Action.CHOOSE, "3", "")),
        (CHOICE, "1", (Action.RESPOND, None, "1")),
        (CHOICE, "approve", (Action.RESPOND, None, "approve")),
        (REVIEW, "approve", (Action.APPROVE, None, "")),
        (REVIEW, "Request changes", (Action.RESPOND, None, "Request changes")),
        (TEXT, "approve", (Action.RESPOND, None, "approve")),
    ],
)
def test_only_words_that_are_exactly_a_label_are_that_button(
    asked: Question, words: str, meaning: tuple[Action, str | None, str]
) -> None:
    assert rules.interpret(asked, words) == meaning


@given(words=st.text())
def test_no_other_words_ever_approve(words: str) -> None:
    action, _, _ = rules.interpret(APPROVAL, words)
    assert (action is Action.APPROVE) == (label_key(words) == "approve")


PICK = question(QuestionKind.CHOICE, "Don’t ship", "🚀 Launch it", "Stra\u00dfe", "Wait…", "1")


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ("don't ship", "1"), ("DON\u2018T\u00a0SHIP.", "1"), ("🚀 launch  it", "2"), ("STRASSE", "3"),
        ("wait...", "4"),
        ("2", "2"), ("2.", "2"), ("#3", "3"), ("4)", "4"), ("5", "5"),
    ],
)  # fmt: skip
def test_labels_match_as_people_type_them_and_numbers_where_they_are_shown(words: str, chosen: str) -> None:
    assert rules.interpret(PICK, words, numbered=True) == (Action.CHOOSE, chosen, "")


@pytest.mark.parametrize("words", ["ship", "6", "0", "2 please", "don't", "1"])
def test_what_is_none_or_several_of_the_labels_is_an_answer_in_words(words: str) -> None:
    assert rules.interpret(PICK, words, numbered=True) == (Action.RESPOND, None, words)


def test_a_number_is_no_choice_where_no_numbers_are_shown() -> None:
    assert rules.interpret(PICK, "2") == (Action.RESPOND, None, "2")
    assert rules.interpret(PICK, "1") == (Action.CHOOSE, "5", "")


def test_words_that_fit_several_options_are_explained() -> None:
    why = questions.ambiguous(PICK, "1", numbered=True)
    assert "“Don’t ship” and “1”" in why
    assert not questions.ambiguous(PICK, "2", numbered=True)


@pytest.mark.parametrize(
    ("asked", "declared", "text"),
    [
        (APPROVAL, "reject", "Reject: No answer before the deadline."),
        (APPROVAL, "approve", "No answer before the deadline"),
        (REVIEW, "approve", "No answer before the deadline"),
        (CHOICE, "Coffee", "Coffee: No answer before the deadline."),
        (CHOICE, "Water", "No answer before the deadline"),
        (question(QuestionKind.CHOICE, "Approve", "Later"), "Approve", "No answer before the deadline"),
        (TEXT, "reject", "No answer before the deadline"),
    ],
)
def test_silence_is_what_was_declared_and_never_an_approval(
    asked: Question, declared: str, text: str
) -> None:
    outcome = rules.silence(Deadline(after=1, outcome=declared), asked)
    assert outcome.text(asked.options) == text
    assert outcome.action is not Action.APPROVE


@pytest.mark.parametrize("action", [Action.EXPIRE, Action.CANCEL])
def test_nobody_can_send_what_only_the_store_decides(action: Action) -> None:
    for asked in (APPROVAL, CHOICE, REVIEW, TEXT):
        assert not rules.admissible(asked, Response(action=action, actor=ADA, key="k"))


def test_a_choice_takes_the_ids_of_its_options() -> None:
    def fits(value: str | int | list[str] | None) -> bool:
        return rules.admissible(CHOICE, Response(action=Action.CHOOSE, value=value, actor=ADA, key="k"))  # type: ignore[arg-type]

    assert fits("1")
    assert not any(fits(value) for value in ("4", "Tea", 1, ["1"], None))
    assert Option(id="1", label="Tea") in CHOICE.options

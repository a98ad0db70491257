"""Who may do what, and what words mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.forms.fields import Field
from bot.core.labels import label_key
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Approvers, Policy, can_decide, policy_for
from bot.core.questions import answering, decision
from bot.core.questions.decision import Ruling, Verdict
from bot.core.questions.question import (
    Action,
    Deadline,
    Option,
    Outcome,
    Progress,
    Question,
    QuestionKind,
    ReasonFlags,
    Source,
    digest_of,
    infer_kind,
    options_for,
)
from bot.core.questions.response import Choose, Reply, Response, make_response, parse_response
from bot.core.questions.tool_call import ToolCall

ADA = Actor(surface="slack", tenant="T1", user_id="U1", name="Ada")
BOB = Actor(surface="slack", tenant="T1", user_id="U2", name="Bob")


def question(kind: QuestionKind, *labels: str) -> Question:
    options = options_for(kind, labels)
    return Question(
        id="q", run_id="r", kind=kind, prompt="?", options=options, policy=Policy(deciders=("*",))
    )


APPROVAL = question(QuestionKind.APPROVAL)
CHOICE = question(QuestionKind.CHOICE, "Tea", "Coffee", "2")
REVIEW = question(QuestionKind.REVIEW)
COUNTED = CHOICE.model_copy(update={"options": (Option(id="1", label="2"), Option(id="2", label="1"))})
"""As an earlier release asked it: its ids are read as labels of others."""
TEXT = question(QuestionKind.TEXT)


def test_by_default_the_requester_alone_decides() -> None:
    policy = policy_for(Approvers(), ADA)
    assert can_decide(ADA, policy)
    assert not can_decide(BOB, policy)


def test_listed_people_and_keys_decide() -> None:
    policy = policy_for(Approvers(requester=False, listed=("U2", "key:ci")), ADA)
    assert can_decide(BOB, policy)
    assert can_decide(Actor(surface="http", user_id="key:ci"), policy)
    assert not can_decide(ADA, policy)
    assert not can_decide(BOB.model_copy(update={"tenant": "T2"}), policy)


def test_another_identity_of_the_same_person_counts() -> None:
    policy = policy_for(Approvers(), ADA)
    assert can_decide(Actor(surface="http", user_id="key:ada", identities=(ADA.principal,)), policy)


@pytest.mark.parametrize("membership", [Membership.GUEST, Membership.EXTERNAL])
def test_guests_and_strangers_decide_only_where_they_are_admitted(membership: Membership) -> None:
    guest = ADA.model_copy(update={"membership": membership})
    assert not can_decide(guest, policy_for(Approvers(anyone=True), ADA))
    assert can_decide(guest, policy_for(Approvers(anyone=True), ADA, (Membership.MEMBER, membership)))


def test_an_admin_may_do_everything() -> None:
    assert can_decide(BOB.model_copy(update={"admin": True}), Policy(deciders=(), allowed_memberships=()))


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (("Reject", "approve"), QuestionKind.APPROVAL),
        (("Tea", "Coffee"), QuestionKind.CHOICE),
        ((), QuestionKind.TEXT),
    ],
)
def test_the_options_say_what_kind_of_question_it_is(labels: tuple[str, ...], kind: QuestionKind) -> None:
    assert infer_kind(None, labels) is kind
    assert infer_kind(QuestionKind.REVIEW, labels) is QuestionKind.REVIEW


@pytest.mark.parametrize(
    ("asked", "words", "meaning"),
    [
        (APPROVAL, " APPROVE ", (Action.APPROVE, None, "")),
        (APPROVAL, "Reject", (Action.REJECT, None, "")),
        (APPROVAL, "approve!", (Action.RESPOND, None, "approve!")),
        (APPROVAL, "yes", (Action.RESPOND, None, "yes")),
        (APPROVAL, "I approve of it", (Action.RESPOND, None, "I approve of it")),
        (CHOICE, "coffee", (Action.CHOOSE, "option-2", "")),
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
    assert answering.interpret(asked, words) == meaning


@given(words=st.text())
def test_no_other_words_ever_approve(words: str) -> None:
    action, _, _ = answering.interpret(APPROVAL, words)
    assert (action is Action.APPROVE) == (label_key(words) == "approve")


PICK = question(QuestionKind.CHOICE, "Don’t ship", "🚀 Launch it", "Stra\u00dfe", "Wait…", "1")


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ("don't ship", "option-1"), ("DON\u2018T\u00a0SHIP.", "option-1"), ("🚀 launch  it", "2"),
        ("STRASSE", "3"), ("wait...", "4"),
        ("2", "2"), ("2.", "2"), ("#3", "3"), ("4)", "4"), ("5", "5"),
    ],
)  # fmt: skip
def test_labels_match_as_people_type_them_and_numbers_where_they_are_shown(words: str, chosen: str) -> None:
    assert answering.interpret(PICK, words, numbered=True) == (Action.CHOOSE, chosen, "")


@pytest.mark.parametrize("words", ["ship", "6", "0", "2 please", "don't", "1"])
def test_what_is_none_or_several_of_the_labels_is_an_answer_in_words(words: str) -> None:
    assert answering.interpret(PICK, words, numbered=True) == (Action.RESPOND, None, words)


def test_a_number_is_no_choice_where_no_numbers_are_shown() -> None:
    assert answering.interpret(PICK, "2") == (Action.RESPOND, None, "2")
    assert answering.interpret(PICK, "1") == (Action.CHOOSE, "5", "")


def test_words_that_fit_several_options_are_explained() -> None:
    why = answering.ambiguous(PICK, "1", numbered=True)
    assert "“Don’t ship” and “1”" in why
    assert not answering.ambiguous(PICK, "2", numbered=True)


@pytest.mark.parametrize(
    ("asked", "declared", "text"),
    [
        (APPROVAL, "reject", "Reject: No answer before the deadline."),
        (APPROVAL, "approve", "No answer before the deadline"),
        (REVIEW, "approve", "No answer before the deadline"),
        (CHOICE, "Coffee", "Coffee: No answer before the deadline."),
        (CHOICE, "Water", "No answer before the deadline"),
        (question(QuestionKind.CHOICE, "Approve", "Later"), "Approve", "No answer before the deadline"),
        (question(QuestionKind.CHOICE, "Accept", "Later"), "Accept", "No answer before the deadline"),
        (question(QuestionKind.CHOICE, "Yes.", "No"), "1", "No answer before the deadline"),
        *(
            (question(QuestionKind.CHOICE, yes, "Later"), yes, "No answer before the deadline")
            for yes in (
                "OK!",
                "Yes, publish it",
                "✅ Approved",
                "Approved ✅",
                "“Confirm”",
                "yes - all",
                "_ok_",
            )
        ),
        *(
            (question(QuestionKind.CHOICE, other, "x"), other, f"{other}: No answer before the deadline.")
            for other in ("Confirm later", "Yesterday's draft", "Not OK", "Okayama", "!")
        ),
        (question(QuestionKind.CHOICE, "Yes.", "No"), "No", "No: No answer before the deadline."),
        (TEXT, "reject", "No answer before the deadline"),
        (question(QuestionKind.CHOICE, "expire", "keep"), "expire", "No answer before the deadline"),
        (question(QuestionKind.CHOICE, "2", "1"), "1", "1: No answer before the deadline."),
        (question(QuestionKind.CHOICE, "5", "1"), "2", "1: No answer before the deadline."),
        (COUNTED, "1", "1: No answer before the deadline."),
        (COUNTED, "2", "2: No answer before the deadline."),
    ],
)
def test_silence_is_what_was_declared_and_never_an_approval(
    asked: Question, declared: str, text: str
) -> None:
    outcome = decision.timeout_outcome(Deadline(after=1, outcome=declared), asked)
    assert outcome.text(asked.options) == text
    assert outcome.action is not Action.APPROVE


@pytest.mark.parametrize("action", [Action.EXPIRE, Action.CANCEL])
def test_nobody_can_send_what_only_the_store_decides(action: Action) -> None:
    with pytest.raises(ValueError, match="nobody's to send"):
        make_response(action, ADA, key="k")
    with pytest.raises(ValueError, match="action"):
        parse_response(f'{{"action": "{action}", "actor": {ADA.model_dump_json()}, "key": "k"}}')


def test_a_choice_takes_the_ids_of_its_options() -> None:
    def fits(value: str) -> bool:
        return decision.admissible(CHOICE, Choose(value=value, actor=ADA, key="k"))

    assert fits("1")
    assert not any(fits(value) for value in ("4", "Tea", ""))
    assert Option(id="1", label="Tea") in CHOICE.options
    wrong = decision.invalid(CHOICE, Choose(value="4", actor=ADA, key="k"))
    assert wrong == {"value": "must stand for one option: Tea, Coffee, 2"}


# ── what responses decide ───────────────────────────────────────────────────────────────────────────────

FOR_ADA = Policy(deciders=(ADA.principal,))
said = st.lists(
    st.builds(
        lambda act, actor, comment: make_response(act[0], actor, key="k", value=act[1], comment=comment),
        st.sampled_from(
            [
                (Action.APPROVE, None),
                (Action.REJECT, None),
                (Action.RESPOND, None),
                *((Action.CHOOSE, value) for value in (None, "1", "9")),
            ]
        ),
        st.sampled_from([ADA, BOB, BOB.model_copy(update={"admin": True})]),
        st.sampled_from(["", " ", "words"]),
    ),
    max_size=5,
)


@given(asked=st.sampled_from([APPROVAL, CHOICE, REVIEW, TEXT]), responses=said)
def test_the_first_response_that_counts_decides(asked: Question, responses: list[Response]) -> None:
    asked = asked.model_copy(update={"policy": FOR_ADA})
    counting = [r for r in responses if can_decide(r.actor, FOR_ADA) and decision.admissible(asked, r)]
    decided = decision.evaluate(asked, responses)
    if counting:
        assert isinstance(decided, decision.Settled)
        first, outcome = counting[0], decided.outcome
        assert (outcome.action, outcome.by, outcome.comment) == (first.action, first.actor, first.comment)
        assert [each.by for each in outcome.responses] == [first.actor]
    else:
        assert isinstance(decided, decision.Pending)
        assert decided.progress.approved == 0


@given(asked=st.sampled_from([APPROVAL, CHOICE, REVIEW, TEXT]), responses=said)
def test_a_response_that_is_not_refused_counts(asked: Question, responses: list[Response]) -> None:
    asked = asked.model_copy(update={"policy": FOR_ADA})
    for each in responses:
        assert (decision.refusal(asked, each) is None) == isinstance(
            decision.evaluate(asked, [each]), decision.Settled
        )


def code_of(asked: Question, response: Response) -> str:
    refused = decision.refusal(asked, response)
    return refused.code if refused is not None else ""


def test_who_may_not_answer_learns_nothing_else() -> None:
    settled = APPROVAL.model_copy(
        update={"policy": FOR_ADA, "outcome": decision.WITHDRAWN, "digest": "sha256:now"}
    )
    stranger = make_response(Action.CHOOSE, BOB, key="k", value="9", digest="sha256:then")
    assert code_of(settled, stranger) == "not_allowed"
    assert code_of(settled, stranger.model_copy(update={"actor": ADA})) == "settled"


@pytest.mark.parametrize(
    ("comment", "end"), [("Well said.", "Well said. Your"), ("Well said", "Well said. Your")]
)
def test_who_comes_late_reads_the_decision_as_one_sentence(comment: str, end: str) -> None:
    outcome = Outcome(action=Action.APPROVE, comment=comment, by=ADA)
    settled = APPROVAL.model_copy(update={"policy": FOR_ADA, "outcome": outcome})
    late = Ruling(verdict=Verdict.REFUSED, code="settled", question=settled)
    assert end in answering.explain(late, "")


def test_an_answer_to_what_is_no_longer_asked_is_stale() -> None:
    asked = APPROVAL.model_copy(update={"digest": "sha256:now"})
    assert code_of(asked, make_response(Action.APPROVE, ADA, key="k", digest="sha256:then")) == "stale"
    for known in ("", "sha256:now"):
        assert not code_of(asked, make_response(Action.APPROVE, ADA, key="k", digest=known))


CHANGED = {
    "kind": QuestionKind.REVIEW,
    "prompt": "??",
    "context": "more",
    "proposed": "less",
    "form": (Field(name="day"),),
    "call": ToolCall(tool="pay", arguments={"amount": 1}, proposed={"amount": 1}),
    "options": (),
    "policy": FOR_ADA,
    "round": 2,
    "rounds": 3,
    "asker": "Somebody",
    "deadline": Deadline(after=9),
    "reason": ReasonFlags(ambiguity=True),
    "source": Source.GATE,
}
NOT_SHOWN = {
    "id": "other",
    "run_id": "other",
    "crew_id": "c",
    "task_id": "t",
    "agent_id": "a",
    "content_hash": "k",
    "digest": "d",
    "created_at": 1,
    "deadline_at": 2,
    "settled_at": 3,
    "progress": Progress(approved=1),
    "outcome": decision.WITHDRAWN,
}


def test_each_field_of_a_question_is_covered_by_its_digest_or_is_not_shown() -> None:
    assert set(Question.model_fields) == set(CHANGED) | set(NOT_SHOWN)
    for name, value in CHANGED.items():
        assert digest_of(APPROVAL.model_copy(update={name: value})) != digest_of(APPROVAL), name
    assert digest_of(APPROVAL.model_copy(update=NOT_SHOWN)) == digest_of(APPROVAL)


@given(words=st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_other_words_have_another_digest(words: list[str]) -> None:
    first, second = (digest_of(APPROVAL.model_copy(update={"prompt": each})) for each in words)
    assert first != second


def test_what_a_newer_release_wrote_is_not_read_as_something_else() -> None:
    written = APPROVAL.model_dump(mode="json")
    questions: list[dict[str, object]] = [
        {"policy": {"deciders": ["*"], "quorum": 2}},
        {"kind": "vote"},
        {"fields": []},
        {"call": {"tool": "pay", "arguments": {}, "proposed": {}, "dry_run": True}},
        {"deadline": {"after": 1, "escalate": "U2"}},
        {"options": [{"id": "1", "label": "One", "danger": True}]},
    ]
    for changed in questions:
        with pytest.raises(ValueError, match="validation error"):
            Question.model_validate(written | changed)
    reply = Reply(actor=ADA, key="k", comment="words").model_dump(mode="json")
    replies: list[dict[str, object]] = [{"withdrawn": True}, {"action": "delegate"}]
    for changed in replies:
        with pytest.raises(ValueError, match="validation error"):
            parse_response(json.dumps(reply | changed))


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        (("Tea", "Coffee"), ["1", "2"]),
        (("1", "2", "3"), ["1", "2", "3"]),
        (("2", "1"), ["option-1", "option-2"]),
        (("Tea", "1.", "Coffee"), ["option-1", "2", "3"]),
        (("Tea", "\uff11", "option-1"), ["option-option-1", "2", "3"]),
        (("option-2", "3", "Tea"), ["1", "2", "option-3"]),
    ],
)
def test_no_id_of_an_option_reads_as_the_label_of_another(labels: tuple[str, ...], ids: list[str]) -> None:
    options = question(QuestionKind.CHOICE, *labels).options
    assert [each.id for each in options] == ids
    for each in options:
        assert [other.id for other in options if label_key(each.id) == label_key(other.label)] in (
            [],
            [each.id],
        )

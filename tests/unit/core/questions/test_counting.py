"""How responses of several people settle a question, in any order and whoever they are on other surfaces."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core.events.question_events import recorded_event
from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.people.identities import People, person_of, same_people
from bot.core.people.policy import Group, IfTooFew, OnReject, Policy, too_few
from bot.core.questions import decision
from bot.core.questions.decision import Pending, Settled
from bot.core.questions.question import Action, Question, QuestionKind, Source, digest_of, options_for
from bot.core.questions.response import Approve, Choose, Reject, Response, Submit, Withdraw, make_response
from bot.core.questions.tool_call import ToolCall, call_digest

GROUP = "slack::@finance"


def slack(user: str) -> Actor:
    return Actor(surface="slack", tenant="T1", user_id=user, name=user)


def key(user: str) -> Actor:
    return Actor(surface="http", user_id=f"key:{user}", name=user)


NAMES = ("ada", "bob", "cy", "dee")
"""Each of them has an identity in Slack and a key, and both are linked."""
PEOPLE = People(
    identities=same_people((slack(each).principal, key(each).principal) for each in NAMES),
    groups={GROUP: frozenset(slack(each).principal for each in ("ada", "bob", "cy"))},
)
POLICY = Policy(
    deciders=(GROUP, slack("dee").principal),
    excluded=(key("cy").principal,),
    groups=(Group(name="finance", members=(GROUP,)), Group(name="legal", members=(slack("dee").principal,))),
    need=2,
    name="pay",
    who=("finance", "legal"),
    admins=False,
)
MAY = {"ada", "bob", "dee"}


def approval(**policy: object) -> Question:
    return decision.prepare(
        Question(
            id="q",
            run_id="r",
            kind=QuestionKind.APPROVAL,
            prompt="?",
            options=options_for(QuestionKind.APPROVAL, ()),
            policy=POLICY.model_copy(update=policy),
        )
    )


def gate(**policy: object) -> Question:
    arguments: dict[str, JsonValue] = {"amount": 1200, "reference": "R1"}
    call = ToolCall(
        tool="pay",
        title="Pay {amount} for {reference}",
        arguments=arguments,
        proposed=arguments,
        editable=("reference",),
        parameters={"properties": {"amount": {"type": "integer"}, "reference": {"type": "string"}}},
    )
    asked = approval(**policy).model_copy(update={"call": call, "source": Source.GATE})
    return decision.prepare(asked)


def told(
    question: Question, said: Sequence[Response], people: People = PEOPLE
) -> tuple[Question, list[Response]]:
    """The question and its responses after all that were not refused, as the store records them."""
    recorded: list[Response] = []
    for each in said:
        if not question.open or decision.refusal(question, each, people, recorded) is not None:
            continue
        if decision.repeats(question, each, people, recorded):
            continue
        question, amended = decision.amend(question, each)
        recorded.append(amended)
        match decision.evaluate(question, recorded, people):
            case Settled(outcome=outcome):
                question = question.model_copy(update={"outcome": outcome})
            case Pending(progress=progress):
                question = question.model_copy(update={"progress": progress})
    return question, recorded


identity = st.tuples(st.sampled_from(NAMES), st.sampled_from([slack, key]))
acts = st.sampled_from([Action.APPROVE, Action.APPROVE, Action.REJECT, Action.WITHDRAW])
said = st.lists(st.tuples(identity, acts), max_size=9)


def response(name: str, surface: object, action: Action, number: int = 0, digest: str = "") -> Response:
    actor = slack(name) if surface is slack else key(name)
    return make_response(action, actor, key=f"k{number}", digest=digest)


def responses(steps: Sequence[tuple[tuple[str, object], Action]], digest: str = "") -> list[Response]:
    return [response(*who, action, number, digest) for number, (who, action) in enumerate(steps)]


@given(steps=said, on_reject=st.sampled_from(OnReject), need=st.integers(1, 3))
def test_the_outcome_is_that_of_a_plain_count(
    steps: list[tuple[tuple[str, object], Action]], on_reject: OnReject, need: int
) -> None:
    """Against a model that knows people by their names alone."""
    asked, _ = told(approval(need=need, on_reject=on_reject), responses(steps))
    latest: dict[str, Action] = {}
    expected = None
    for (name, _), action in steps:
        if expected is not None or name not in MAY:
            continue
        latest.pop(name, None)
        if action is not Action.WITHDRAW:
            latest[name] = action
        votes = list(latest.values())
        if action is Action.APPROVE and votes.count(Action.APPROVE) >= need:
            expected = Action.APPROVE
        out_of_reach = len(MAY) - votes.count(Action.REJECT) < need
        if action is Action.REJECT and (on_reject is OnReject.ENDS or out_of_reach):
            expected = Action.REJECT
    assert (asked.outcome.action if asked.outcome else None) == expected
    if asked.outcome is None and steps:
        assert {each.by.name: each.action for each in asked.progress.counted} == latest
        assert asked.progress.approved == list(latest.values()).count(Action.APPROVE)


@given(steps=said, others=st.lists(st.sampled_from([slack, key]), min_size=9, max_size=9))
def test_it_does_not_matter_on_which_surface_people_act(
    steps: list[tuple[tuple[str, object], Action]], others: list[object]
) -> None:
    elsewhere = [((name, where), action) for ((name, _), action), where in zip(steps, others, strict=False)]
    one, other = (told(approval(), responses(each))[0] for each in (steps, elsewhere))
    assert _said(one) == _said(other)


def _said(question: Question) -> object:
    counted = question.outcome.responses if question.outcome else question.progress.counted
    action = question.outcome.action if question.outcome else None
    return action, [(each.by.name, each.action) for each in counted]


@given(order=st.permutations([*NAMES, *NAMES]))
def test_approvals_settle_in_any_order_once_enough_different_people_agree(order: list[str]) -> None:
    asked, recorded = told(approval(need=3), responses([((name, slack), Action.APPROVE) for name in order]))
    assert asked.outcome is not None
    assert {each.by.name for each in asked.outcome.responses} == MAY
    assert len(recorded) == 3, "a repetition is not recorded"


@given(steps=said, need=st.integers(1, 3))
def test_whatever_is_not_refused_counts_until_it_is_taken_back(
    steps: list[tuple[tuple[str, object], Action]], need: int
) -> None:
    recorded: list[Response] = []
    asked = approval(need=need, on_reject=OnReject.COUNTS)
    for each in responses(steps):
        if decision.refusal(asked, each, PEOPLE, recorded) is not None:
            continue
        recorded.append(each)
        decided = decision.evaluate(asked, recorded, PEOPLE)
        if isinstance(decided, Settled):
            assert decided.outcome.by == each.actor
            return
        counted = {person_of(by.by, PEOPLE): by.action for by in decided.progress.counted}
        taken_back = isinstance(each, Withdraw)
        assert counted.get(person_of(each.actor, PEOPLE)) == (None if taken_back else each.action)


def test_seats_of_groups_are_filled_by_one_person_each() -> None:
    both = POLICY.groups[1].model_copy(update={"members": (slack("ada").principal, slack("dee").principal)})
    asked = approval(per_group={"finance": 1, "legal": 1}, groups=(POLICY.groups[0], both), need=1)
    ada, bob, dee = (Approve(actor=slack(each), key="k") for each in ("ada", "bob", "dee"))
    alone, _ = told(asked, [ada])
    assert (alone.outcome, alone.progress.approved, alone.progress.need) == (None, 1, 2)
    for pair in ((ada, bob), (ada, dee), (dee, ada), (bob, dee)):
        assert told(asked, pair)[0].outcome is not None, [each.actor.name for each in pair]
    waiting, _ = told(asked, [bob])
    assert waiting.progress.missing == ("legal",)


def test_whoever_has_left_the_group_falls_out_when_it_is_settled() -> None:
    asked, recorded = told(approval(), [Approve(actor=slack("bob"), key="k")])
    left = PEOPLE.model_copy(update={"groups": {GROUP: PEOPLE.groups[GROUP] - {slack("bob").principal}}})
    decided = decision.evaluate(asked, [*recorded, Approve(actor=slack("ada"), key="k")], left)
    assert isinstance(decided, Pending)
    assert [each.by.name for each in decided.progress.counted] == ["ada"]
    assert [each.by.name for each in decided.progress.ineligible] == ["bob"]
    back = Withdraw(actor=slack("bob"), key="k2")
    assert decision.refusal(asked, back, left, recorded) is None, "what they said is theirs to take back"


memberships = st.frozensets(st.sampled_from(["ada", "bob", "cy"]))


@given(
    steps=st.lists(st.tuples(identity, acts, memberships), max_size=9),
    on_reject=st.sampled_from(OnReject),
    need=st.integers(1, 3),
)
def test_while_people_join_and_leave_only_who_approves_approves(
    steps: list[tuple[tuple[str, object], Action, frozenset[str]]], on_reject: OnReject, need: int
) -> None:
    """Whoever's response approves is who said so, and enough of those who said so may decide at that time."""
    asked, recorded = approval(need=need, on_reject=on_reject), list[Response]()
    for number, (who, action, members) in enumerate(steps):
        people = PEOPLE.model_copy(
            update={"groups": {GROUP: frozenset(slack(each).principal for each in members)}}
        )
        said = response(*who, action, number)
        if decision.refusal(asked, said, people, recorded) is not None:
            continue
        if decision.repeats(asked, said, people, recorded):
            continue
        decided = decision.evaluate(asked, (said,), people, earlier=recorded)
        recorded.append(said)
        may = (members - {"cy"}) | {"dee"}
        latest = {person_of(each.actor, people): each for each in recorded}
        votes = [each.action for each in latest.values() if each.actor.user_id.removeprefix("key:") in may]
        rejected = votes.count(Action.REJECT)
        approves = action is Action.APPROVE and votes.count(Action.APPROVE) >= need
        ends = action is Action.REJECT and on_reject is OnReject.ENDS
        out_of_reach = rejected > 0 and len(may) - rejected < need
        if not approves and not ends and not out_of_reach:
            assert isinstance(decided, Pending)
            continue
        assert isinstance(decided, Settled)
        assert decided.outcome.action is (Action.APPROVE if approves else Action.REJECT)
        if approves or ends:
            assert decided.outcome.by == said.actor
        return


@pytest.mark.parametrize(
    "members", [["ada"], ["ada", "bob"], ["ada", "bob", "eve"], ["ada", "bob", "eve", "fay"]]
)
def test_fewer_people_than_it_takes_are_not_more_than_just_enough_of_them(members: list[str]) -> None:
    """Where a policy waits for more people, a rejection that counts ends it as where nobody is missing."""
    need = 3
    asked = approval(
        deciders=(GROUP,), need=need, on_reject=OnReject.COUNTS, if_too_few=IfTooFew.WAIT, excluded=()
    )
    group = frozenset(slack(each).principal for each in members)
    people = PEOPLE.model_copy(update={"groups": {GROUP: group}})
    assert bool(too_few(asked.policy, people)) is (len(members) < need)
    no = Reject(actor=slack("ada"), key="k")
    decided = decision.evaluate(asked, (no,), people)
    assert isinstance(decided, Settled) is (len(members) <= need)
    yes = [Approve(actor=slack(each), key="k") for each in members[1:]]
    last = decision.evaluate(asked, yes, people, earlier=(no,))
    if len(members) > need:
        assert isinstance(last, Settled)
        assert last.outcome.action is Action.APPROVE


def test_while_a_group_cannot_be_read_an_approval_does_not_bring_about_a_rejection() -> None:
    everybody = tuple(slack(each).principal for each in ("ada", "bob", "dee"))
    asked = approval(deciders=(GROUP, *everybody), excluded=(), on_reject=OnReject.COUNTS)
    five = PEOPLE.model_copy(
        update={"groups": {GROUP: frozenset(slack(each).principal for each in ("cy", "eve", "fay"))}}
    )
    said = [Reject(actor=slack(each), key="k") for each in ("ada", "bob")]
    yes = Approve(actor=slack("dee"), key="k")
    away = five.model_copy(update={"groups": {}, "unreadable": {GROUP: "Slack is away."}})
    for people in (five, away):
        assert isinstance(decision.evaluate(asked, (yes,), people, earlier=said), Pending)
    left = five.model_copy(update={"groups": {GROUP: frozenset[str]()}})
    decided = decision.evaluate(asked, (yes,), left, earlier=said)
    assert isinstance(decided, Settled)
    assert (decided.outcome.action, decided.outcome.by) == (Action.REJECT, slack("bob"))


def test_of_a_group_that_cannot_be_read_nobody_counts_and_people_hear_why() -> None:
    away = PEOPLE.model_copy(update={"groups": {}, "unreadable": {GROUP: "Slack is away."}})
    refused = decision.refusal(approval(), Approve(actor=slack("ada"), key="k"), away)
    assert refused is not None
    assert (refused.code, refused.objection, refused.reason) == (
        "not_allowed",
        "unreadable_group",
        "Slack is away.",
    )


def test_a_choice_is_won_by_the_option_that_enough_people_chose() -> None:
    options = options_for(QuestionKind.CHOICE, ("Tea", "Coffee"))
    asked = approval().model_copy(update={"kind": QuestionKind.CHOICE, "options": options})
    votes = [("ada", "1"), ("bob", "2"), ("bob", "1")]
    picked = [Choose(actor=slack(name), key=value + name, value=value) for name, value in votes]
    assert told(asked, picked[:2])[0].progress.approved == 1
    outcome = told(asked, picked)[0].outcome
    assert outcome is not None
    assert (outcome.action, outcome.value) == (Action.CHOOSE, "1")


# ── edits ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_makes_earlier_approvals_void_and_is_the_first_of_the_new_one() -> None:
    first = gate()
    ada = Approve(actor=slack("ada"), key="k", digest=first.digest)
    bob = Approve(actor=slack("bob"), key="k", digest=first.digest, arguments={"reference": "R2"})
    asked, recorded = told(first, [ada, bob])
    assert asked.open
    assert asked.digest != first.digest
    assert asked.call is not None
    assert asked.call.arguments == {"amount": 1200, "reference": "R2"}
    assert asked.call.summary == "Pay 1200 for R2"
    assert [each.by.name for each in asked.progress.counted] == ["bob"]
    assert [each.by.name for each in asked.progress.ineligible] == ["ada"]
    late = Approve(actor=slack("dee"), key="k", digest=first.digest)
    assert _code(asked, late, recorded) == "stale"
    again = Approve(actor=key("ada"), key="k2", digest=asked.digest)
    outcome = told(asked, [again])[0].outcome
    decided = decision.evaluate(asked, [*recorded, again], PEOPLE)
    assert outcome is None, "hers alone is not enough"
    assert isinstance(decided, Settled)
    assert decided.outcome.arguments == {"amount": 1200, "reference": "R2"}


def test_an_approval_that_repeats_what_is_asked_is_no_edit() -> None:
    first = gate(need=3)
    edit = Approve(actor=slack("ada"), key="k", digest=first.digest, arguments={"reference": "R2"})
    asked, recorded = told(first, [edit])
    whole = Approve(
        actor=slack("bob"), key="k", digest=asked.digest, arguments={"amount": 1200, "reference": "R2"}
    )
    same, plain = decision.amend(asked, whole)
    assert same is asked
    assert isinstance(plain, Approve)
    assert not plain.edits
    assert recorded_event(asked, plain).arguments is None
    for again in (whole, plain):
        assert decision.repeats(asked, again.model_copy(update={"key": "k2"}), PEOPLE, [*recorded, plain])
    assert decision.repeats(asked, edit, PEOPLE, recorded), "and the same edit again is repeated, too"


def test_an_edit_back_to_what_was_approved_first_takes_everybody_anew() -> None:
    """They were told that their approvals count no more, and may have agreed to that."""
    first = gate(need=3)
    ada = Approve(actor=slack("ada"), key="k", digest=first.digest)
    asked, recorded = told(first, [ada])
    for reference in ("R2", "R1"):
        edit = Approve(
            actor=slack("bob"), key=reference, digest=asked.digest, arguments={"reference": reference}
        )
        asked, amended = decision.amend(asked, edit)
        decided = decision.evaluate(asked, (amended,), PEOPLE, earlier=recorded)
        recorded = [*recorded, amended]
        assert [each.by.name for each in decided.progress.counted] == ["bob"]
        assert [each.by.name for each in decided.progress.ineligible] == ["ada"]
    assert asked.digest == first.digest
    again = ada.model_copy(update={"key": "again"})
    assert not decision.repeats(asked, again, PEOPLE, recorded), "hers is one more, not a repetition"
    decided = decision.evaluate(asked, (again,), PEOPLE, earlier=recorded)
    assert [each.by.name for each in decided.progress.counted] == ["bob", "ada"]


values: st.SearchStrategy[JsonValue] = st.sampled_from(["R1", "R2", "", True, None, 1.0, 1, 0, []])


@given(
    edits=st.lists(
        st.tuples(
            st.sampled_from(["ada", "bob", "dee"]),
            st.none() | st.dictionaries(st.sampled_from(["amount", "reference", "to"]), values, max_size=2),
            st.booleans(),
        ),
        max_size=8,
    ),
    need=st.integers(1, 3),
)
def test_what_is_approved_is_what_enough_people_were_shown(
    edits: list[tuple[str, dict[str, JsonValue] | None, bool]], need: int
) -> None:
    """Whatever people edit: what runs was approved by `need` of them as it runs, and only `edit` changed."""
    asked, first = gate(need=need), gate(need=need).digest
    recorded: list[Response] = []
    for number, (name, arguments, stale) in enumerate(edits):
        digest = first if stale else asked.digest
        said = Approve(actor=slack(name), key=f"k{number}", digest=digest, arguments=arguments)
        if decision.refusal(asked, said, PEOPLE, recorded) is not None:
            continue
        asked, amended = decision.amend(asked, said)
        recorded.append(amended)
        decided = decision.evaluate(asked, recorded, PEOPLE)
        assert asked.digest == digest_of(asked)
        assert asked.call is not None
        assert asked.call.arguments["amount"] == 1200
        assert type(asked.call.arguments["amount"]) is int
        assert isinstance(asked.call.arguments["reference"], str)
        if isinstance(decided, Settled):
            agreed = {each.actor.name for each in recorded if each.digest == asked.digest}
            assert len(agreed) >= need
            assert decided.outcome.arguments == asked.call.arguments
            return


def test_a_gate_is_answered_only_with_the_digest_of_what_was_shown() -> None:
    asked = gate(need=1)
    for said in (Approve(actor=slack("ada"), key="k"), Reject(actor=slack("ada"), key="k")):
        refused = decision.refusal(asked, said, PEOPLE)
        assert refused is not None
        assert (refused.code, list(refused.errors)) == ("invalid_answer", ["digest"])


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"reference": 7}, {"reference": "must be text"}),
        ({"amount": 1}, {"amount": "can't be edited"}),
        ({"amount": 1200.0}, {"amount": "can't be edited"}),
        ({"amount": 1200, "reference": "R3"}, {}),
        ({"to": "me", "reference": 1}, {"to": "is no argument of this call", "reference": "must be text"}),
    ],
)
def test_an_edit_names_all_its_mistakes(arguments: dict[str, JsonValue], wrong: dict[str, str]) -> None:
    asked = gate()
    said = Approve(actor=slack("ada"), key="k", digest=asked.digest, arguments=arguments)
    refused = decision.refusal(asked, said, PEOPLE)
    assert (refused.errors if refused is not None else {}) == wrong


def test_the_digest_of_a_call_covers_what_runs_and_the_policy() -> None:
    asked = gate()
    assert asked.call is not None
    digests = {
        call_digest(asked.call, asked.policy),
        call_digest(asked.call.edited({"reference": "R2"}), asked.policy),
        call_digest(asked.call.model_copy(update={"tool": "other"}), asked.policy),
        call_digest(asked.call.model_copy(update={"parameters": {}}), asked.policy),
        call_digest(asked.call.model_copy(update={"secrets": {"token": "hmac"}}), asked.policy),
        call_digest(asked.call, asked.policy.model_copy(update={"need": 1})),
    }
    assert len(digests) == 6
    retitled = asked.call.model_copy(update={"title": "Send it", "editable": ()})
    assert call_digest(retitled, asked.policy) == call_digest(asked.call, asked.policy)


def test_an_edited_review_is_approved_as_it_stands() -> None:
    review = decision.prepare(
        approval().model_copy(update={"kind": QuestionKind.REVIEW, "context": "first draft"})
    )
    ada = Approve(actor=slack("ada"), key="k", value="second draft")
    asked, recorded = told(review, [ada])
    assert (asked.context, asked.proposed) == ("second draft", "first draft")
    assert _code(asked, Approve(actor=slack("bob"), key="k"), recorded) == "invalid_answer"
    bob = Approve(actor=slack("bob"), key="k", digest=asked.digest)
    decided = decision.evaluate(asked, [*recorded, bob], PEOPLE)
    assert isinstance(decided, Settled)
    assert decided.outcome.value == "second draft"


def _code(question: Question, said: Response, recorded: Sequence[Response]) -> str:
    refused = decision.refusal(question, said, PEOPLE, recorded)
    return refused.code if refused is not None else ""


# ── overrides, forms, silence ───────────────────────────────────────────────────────────────────────────


def test_an_administrator_overrides_visibly_unless_the_policy_excludes_them() -> None:
    asked = gate()
    admin = key("root").model_copy(update={"admin": True})
    plain = Approve(actor=admin, key="k", digest=asked.digest)
    assert _code(asked, plain, ()) == "not_allowed"
    outcome = told(asked, [plain.model_copy(update={"override": True})])[0].outcome
    assert outcome is not None
    assert outcome.override
    for barred in (key("cy").model_copy(update={"admin": True}), key("bob")):
        said = Approve(actor=barred, key="k", digest=asked.digest, override=True)
        assert _code(asked, said, ()) == "not_allowed"


def test_a_form_is_filled_in_by_one_person_and_all_its_mistakes_are_named() -> None:
    fields = (
        Field(name="count", type=FieldType.INTEGER, required=True),
        Field(name="note", default="none"),
        Field(name="loud", type=FieldType.BOOLEAN),
    )
    asked = decision.prepare(approval().model_copy(update={"kind": QuestionKind.FORM, "form": fields}))
    wrong = Submit(actor=slack("ada"), key="k", values={"count": "3", "loud": 1, "more": 1})
    refused = decision.refusal(asked, wrong, PEOPLE)
    assert refused is not None
    assert set(refused.errors) == {"count", "loud", "more"}
    outcome = told(asked, [wrong, Submit(actor=slack("ada"), key="k2", values={"count": 3})])[0].outcome
    assert outcome is not None
    assert outcome.values == {"count": 3, "note": "none"}
    declined = told(asked, [Reject(actor=slack("bob"), key="k", comment="Not me")])[0].outcome
    assert declined is not None
    assert declined.action is Action.REJECT


def test_words_count_nowhere_where_several_people_or_a_gate_decide() -> None:
    assert Action.RESPOND not in approval().actions
    assert Action.RESPOND not in gate(need=1).actions
    assert Action.RESPOND in approval(need=1).actions


def test_silence_opens_no_gate_whoever_has_approved() -> None:
    first = gate()
    asked, _ = told(first, [Approve(actor=slack("ada"), key="k", digest=first.digest)])
    outcome = decision.expired_outcome(asked)
    assert outcome.action is Action.EXPIRE
    assert [each.by.name for each in outcome.responses] == ["ada"]

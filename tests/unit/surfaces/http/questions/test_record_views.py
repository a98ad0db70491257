"""What the record of a decision says became of each response, and what an edit changed."""

from collections.abc import Sequence

import pytest
from pydantic import JsonValue

from bot.core.people.actor import Actor
from bot.core.people.identities import People, same_people
from bot.core.people.policy import OnReject, Policy
from bot.core.questions import decision
from bot.core.questions.question import Question, QuestionKind, Source
from bot.core.questions.record import Record
from bot.core.questions.response import Approve, Reject, Response, Withdraw
from bot.core.questions.tool_call import ToolCall
from bot.surfaces.http.questions.record_views import RecordView, ResponseState

ADA = Actor(surface="slack", tenant="T1", user_id="ada", name="Ada")
BOB = Actor(surface="slack", tenant="T1", user_id="bob", name="Bob")
KEY = Actor(surface="http", user_id="key:ada", name="Ada's key")
LINKED = People(identities=same_people([(ADA.principal, KEY.principal)]))


def asked(*, seats: int = 2, **arguments: JsonValue) -> Question:
    call = ToolCall(tool="pay", arguments=arguments, proposed=arguments, editable=tuple(arguments))
    policy = Policy(
        deciders=tuple(each.principal for each in (ADA, BOB, KEY)),
        need=seats,
        on_reject=OnReject.COUNTS,
        admins=False,
    )
    return decision.prepare(
        Question(
            id="q",
            run_id="r",
            kind=QuestionKind.APPROVAL,
            prompt="?",
            policy=policy,
            call=call,
            source=Source.GATE,
        )
    )


def recorded(question: Question, said: Sequence[Response]) -> Record:
    """The question and its responses as the store keeps them."""
    kept: list[Response] = []
    for number, each in enumerate(said):
        decided = decision.evaluate(question, (each,), LINKED, earlier=kept)
        kept.append(each.model_copy(update={"at": number}))
        question = question.model_copy(update={"progress": decided.progress})
        if isinstance(decided, decision.Settled):
            question = question.model_copy(update={"outcome": decided.outcome})
    progress = decision.evaluate(question, (), LINKED, earlier=kept).progress
    return Record(question=question.model_copy(update={"progress": progress}), responses=tuple(kept))


def approve(by: Actor, question: Question) -> Approve:
    return Approve(actor=by, key=by.user_id, digest=question.digest)


def states(record: Record) -> list[ResponseState]:
    return [each.standing for each in RecordView.of(record, LINKED).responses]


@pytest.mark.parametrize(("first", "second"), [(ADA, KEY), (KEY, ADA)])
def test_what_a_linked_identity_said_later_replaces_or_takes_back(first: Actor, second: Actor) -> None:
    question = asked()
    rejects = Reject(actor=second, key="no")
    assert states(recorded(question, [approve(first, question), rejects])) == ["replaced", "counted"]
    withdraws = Withdraw(actor=second, key="back")
    assert states(recorded(question, [approve(first, question), withdraws])) == ["taken_back", "withdrawal"]


def test_where_the_run_ended_nobody_is_said_to_decide_no_more() -> None:
    question = asked()
    record = recorded(question, [approve(BOB, question)])
    ended = record.question.model_copy(update={"outcome": decision.WITHDRAWN})
    assert states(record.model_copy(update={"question": ended})) == ["counted"]


def test_an_approval_is_outdated_by_an_edit_even_if_that_is_undone() -> None:
    first = asked(seats=3, to="Acme")
    question, kept = first, list[Response]([approve(ADA, first)])
    for to in ("Eve", "Acme"):
        edit = Approve(actor=BOB, key=to, digest=question.digest, arguments={"to": to})
        question, amended = decision.amend(question, edit)
        kept.append(amended)
    assert question.digest == first.digest
    assert states(recorded(question, kept)) == ["outdated", "replaced", "counted"]


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), ([1], [True])])
def test_an_edit_that_python_takes_for_the_same_is_a_change(before: JsonValue, after: JsonValue) -> None:
    first = asked(amount=before, other="x")
    edited, _ = decision.amend(
        first, Approve(actor=ADA, key="k", digest=first.digest, arguments={"amount": after})
    )
    assert edited.digest != first.digest
    [_, version] = RecordView.of(Record(question=edited, versions=(first,))).versions
    assert [(each.part, each.before, each.after) for each in version.changes] == [
        ("arguments.amount", before, after)
    ]

"""What a run that tries another one again begins with."""

import json

import pytest

from bot.core import ids
from bot.core.errors import Refused
from bot.core.people.policy import Policy
from bot.core.questions import decision
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, Source
from bot.core.retry import check_retriable, seed_entries
from bot.core.runs.run import Run, RunError, RunStatus
from tests.contract.examples import ADA, DEMO

OLD = ids.run_id("old")
POLICY = Policy(deciders=(ADA.principal,))
APPROVED = Outcome(action=Action.APPROVE, by=ADA)


def run(status: RunStatus = RunStatus.FAILED, code: str = "model_error", began: int | None = 1) -> Run:
    return Run(
        id=OLD,
        crew=DEMO,
        status=status,
        requester=ADA,
        approvers=POLICY,
        cancellers=POLICY,
        created_at=0,
        started_at=began,
        error=RunError(code=code, message="It failed.") if status is RunStatus.FAILED else None,
    )


def question(known_as: str = "q", outcome: Outcome | None = APPROVED, **more: object) -> Question:
    fields = {"id": "i", "run_id": OLD, "kind": QuestionKind.APPROVAL, "prompt": "?", "policy": POLICY}
    return Question.model_validate(fields | {"known_as": known_as, "outcome": outcome} | more)


def result(value: object) -> str:
    return json.dumps({"result": value})


FAILED = json.dumps({"failed": "429"})


def test_what_was_done_is_kept_and_marked_as_such() -> None:
    journal = {
        "t2/model/a/0": result("said"),
        "t2/tool/b/0": result("did"),
        "t2/prompt/c/0": "[]",
        "t2/tool/b/0/model/d/0": result("delegated"),
        "kept/t1/model/e/0": result("of the one before"),
    }
    taken = seed_entries(run(), journal, [])
    own = {f"kept/{name}": value for name, value in journal.items() if not name.startswith("kept/")}
    assert taken == own | {"kept/t1/model/e/0": result("of the one before")}


def test_model_calls_that_failed_are_left_out_and_what_they_were_repeated_for_moves_up() -> None:
    journal = {
        "t1/model/a/0": FAILED,
        "t1/model/a/1": result("second"),
        "t1/model/a/2": FAILED,
        "t1/model/a/10": result("third"),
        "t1/model/b/0": FAILED,
    }
    assert seed_entries(run(), journal, []) == {
        "kept/t1/model/a/0": result("second"),
        "kept/t1/model/a/1": result("third"),
    }


def test_so_are_answers_with_nothing_in_them_but_not_results_of_tools() -> None:
    journal = {
        "t1/model/a/0": result(""),
        "t1/model/a/1": json.dumps({"result": None}),
        "t1/model/a/2": result("something"),
        "t1/model/b/0": json.dumps({"result": [{"of": "m:Call", "model": {}}]}),
        "t1/tool/c/0": result(""),
    }
    assert seed_entries(run(), journal, []) == {
        "kept/t1/model/a/0": result("something"),
        "kept/t1/model/b/0": journal["t1/model/b/0"],
        "kept/t1/tool/c/0": result(""),
    }


def test_what_tools_failed_with_is_known_to_the_crew_unless_it_was_the_end() -> None:
    journal = {"t1/tool/a/0": FAILED}
    assert seed_entries(run(), journal, []) == {"kept/t1/tool/a/0": FAILED}
    assert seed_entries(run(code="tool_error"), journal, []) == {}


def test_finished_tasks_stay_and_their_model_calls_count_for_nothing() -> None:
    written = json.dumps({"output": {"raw": "done"}, "model_calls": 7})
    delegated = json.dumps({"result": "did", "model_calls": 3})
    taken = seed_entries(run(), {"done/1": written, "t2/tool/a/0": delegated}, [])
    assert json.loads(taken["done/1"]) == {"output": {"raw": "done"}, "model_calls": 0}
    assert json.loads(taken["kept/t2/tool/a/0"]) == {"result": "did", "model_calls": 0}


def test_methods_of_a_flow_are_known_by_the_run_that_first_began_them() -> None:
    done = json.dumps({"end": 1, "number": 1, "model_calls": 2, "result": "x"})
    journal = {"done/m:draft:0/": done, "fed/m:draft:0/": "{}", "m:send:0/begun": '{"number": 2}'}
    taken = seed_entries(run(), journal, [])
    assert json.loads(taken.pop("kept/done/m:draft:0/"))["model_calls"] == 0
    begun = {"kept/m:send:0/begun": '{"number": 2}', "kept/m:send:0?": f"1 {OLD}"}
    assert taken == begun | {"kept/fed/m:draft:0/": "{}"}
    later = run().model_copy(update={"id": ids.run_id("later")})
    assert seed_entries(later, taken, []) == taken


def test_what_concerns_the_old_run_alone_stays_there() -> None:
    assert seed_entries(run(), {"heard/x": "mark", "diverged/t1/0": '"tools"'}, []) == {}


def test_a_call_that_may_have_happened_is_known_by_the_run_that_first_began_it() -> None:
    assert seed_entries(run(), {"t1/tool/a/0?": "1"}, []) == {"kept/t1/tool/a/0?": f"1 {OLD}"}
    again = {"kept/t1/tool/a/0?": "1 first", "t1/tool/a/0?": "2"}
    assert seed_entries(run(), again, []) == {"kept/t1/tool/a/0?": "2 first"}


def test_answers_of_people_count_again() -> None:
    taken = seed_entries(run(), {"answer/old": "{}"}, [question()])
    assert taken["answer/old"] == "{}"
    assert Outcome.model_validate_json(taken["answer/q"]) == APPROVED


REJECTED = Outcome(action=Action.REJECT, by=ADA)
CHANGES = Outcome(action=Action.RESPOND, comment="shorter", by=ADA)


@pytest.mark.parametrize(
    ("asked", "counts"),
    [
        (question(outcome=None), False),
        (question(outcome=Outcome(action=Action.EXPIRE)), False),
        (question(outcome=decision.WITHDRAWN), False),
        (question(outcome=REJECTED), True),
        (question(known_as=""), False),
        (question(source=Source.SYSTEM), False),
        (question(kind=QuestionKind.REVIEW), True),
        (question(kind=QuestionKind.REVIEW, outcome=REJECTED), False),
        (question(kind=QuestionKind.REVIEW, outcome=CHANGES, round=1, rounds=3), True),
        (question(kind=QuestionKind.REVIEW, outcome=CHANGES, round=3, rounds=3), False),
    ],
)
def test_unless_they_were_nobodys_or_the_end_of_the_run(*, asked: Question, counts: bool) -> None:
    assert bool(seed_entries(run(), {}, [asked])) is counts


def test_what_failed_or_was_cancelled_can_be_tried_again() -> None:
    check_retriable(run())
    check_retriable(run(RunStatus.CANCELLED))
    for status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.INPUT_REQUIRED, RunStatus.COMPLETED):
        with pytest.raises(Refused):
            check_retriable(run(status))
    with pytest.raises(Refused, match="start it anew"):
        check_retriable(run(RunStatus.CANCELLED, began=None))

"""Who gets to know of a run and of its questions over HTTP."""

import pytest

from bot.core import ids
from bot.core.people.actor import Actor
from bot.core.people.api_keys import Scope
from bot.core.people.policy import Policy
from bot.core.ports.store import Store
from bot.core.questions.question import APPROVAL_OPTIONS, Question, QuestionKind
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.sessions import Session
from bot.surfaces.http.callers import LOCAL, Caller, Visibility
from tests.contract.examples import ADA, BOB

ID = ids.run_id("visibility")
ADAS = Policy(deciders=(ADA.principal,))
RUN = Run(
    id=ID,
    crew=Crew(name="demo", title="Demo"),
    status=RunStatus.INPUT_REQUIRED,
    requester=ADA,
    approvers=ADAS,
    cancellers=ADAS,
    created_at=1,
)
KEY = Actor(surface="http", user_id="key:ci", name="ci")


def question(policy: Policy) -> Question:
    return Question(
        id="q",
        run_id=ID,
        kind=QuestionKind.APPROVAL,
        prompt="?",
        options=APPROVAL_OPTIONS,
        policy=policy,
    )


def signed_in(actor: Actor) -> Caller:
    """A person with a session of the console, who has all scopes and sees what is theirs."""
    session = Session(id="s", actor=actor, scopes=tuple(Scope))
    return Caller(actor, frozenset(Scope), session=session)


@pytest.mark.parametrize(
    ("caller", "run", "adas", "bobs"),
    [
        (LOCAL, True, True, True),
        (signed_in(ADA), True, True, True),
        (signed_in(BOB), False, False, True),
        (signed_in(BOB.model_copy(update={"tenant": "T2"})), False, False, False),
        (Caller(KEY, frozenset({Scope.READ, Scope.ANSWER})), True, True, True),
        (Caller(KEY, frozenset({Scope.ADMIN})), True, True, True),
        (Caller(KEY, frozenset({Scope.START, Scope.ANSWER})), False, False, False),
    ],
)
def test_who_knows_of_a_run_and_of_its_questions(
    caller: Caller, *, run: bool, adas: bool, bobs: bool
) -> None:
    store: Store = None  # type: ignore[assignment]  # what is asked here needs none
    visibility = Visibility(store)
    assert visibility.of_run(caller, RUN) is run
    assert visibility.of_question(caller, RUN, question(ADAS)) is adas
    assert visibility.of_question(caller, RUN, question(Policy(deciders=(BOB.principal,)))) is bobs

"""What a queued run waits for, in words."""

import pytest

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.runs.waiting import QueuedRunState, WaitFor, wait_of

NOBODY = Policy(deciders=())
RUN = Run(
    id="r",
    crew=Crew(name="demo", title="Demo"),
    status=RunStatus.QUEUED,
    requester=Actor(surface="http", user_id="ada"),
    approvers=NOBODY,
    cancellers=NOBODY,
    created_at=0,
)


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        (QueuedRunState(), WaitFor.WORKER, "No worker that can run Demo is up."),
        (
            QueuedRunState(problem="demo/crew.yaml:3: titel: is no key. Correct it."),
            WaitFor.WORKER,
            "No worker that can run Demo is up: demo/crew.yaml:3: titel: is no key. Correct it.",
        ),
        (QueuedRunState(workers=1), WaitFor.TURN, "It is the next one of its crew."),
        (QueuedRunState(workers=1, ahead=1), WaitFor.TURN, "One run of its crew goes before it."),
        (QueuedRunState(workers=1, ahead=7), WaitFor.TURN, "7 runs of its crew go before it."),
        (QueuedRunState(workers=1, limit=2, working=1), WaitFor.TURN, "It is the next one"),
        (
            QueuedRunState(workers=1, limit=2, working=2, ahead=3),
            WaitFor.LIMIT,
            "2 of at most 2 runs of this crew are",
        ),
        (QueuedRunState(workers=1, paused="revoked"), WaitFor.PAUSED, "Its workspace is paused: revoked"),
        (QueuedRunState(workers=1, paused=""), WaitFor.PAUSED, "Its workspace is paused."),
        (QueuedRunState(workers=1, retry_at=5, crashes=2), WaitFor.RETRY, "Two workers died"),
        (QueuedRunState(workers=1, retry_at=5, crashes=1), WaitFor.RETRY, "could not read what is recorded"),
        (QueuedRunState(workers=1, retry_at=5), WaitFor.RETRY, "could not read what is recorded"),
        (QueuedRunState(workers=1, isolated=True), WaitFor.ALONE, "by a worker of its own"),
    ],
)
def test_each_reason_has_its_code_and_sentence(facts: QueuedRunState, code: WaitFor, words: str) -> None:
    wait = wait_of(RUN, facts)
    assert wait is not None
    assert wait.code is code
    assert words in wait.message


def test_a_run_whose_thread_is_being_opened_waits_for_that() -> None:
    wait = wait_of(RUN.model_copy(update={"awaiting_thread": True}), QueuedRunState())
    assert wait is not None
    assert wait.code is WaitFor.PLACE


def test_a_run_that_is_not_queued_waits_for_nothing() -> None:
    assert wait_of(RUN.model_copy(update={"status": RunStatus.RUNNING}), QueuedRunState()) is None

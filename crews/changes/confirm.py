"""A crew that was changed under its run: its requester says whether the run goes on with the new one.

Of other models alone the run only tells, and goes on: a step isn't known by the model that took it.
"""

from __future__ import annotations

from crewai import Crew
from pydantic import BaseModel, ConfigDict

from bot.core.event import RunChanged
from bot.core.retry import DONE
from crews.changes.snapshot import CrewSnapshot
from crews.definitions.placeholders import filled, kickoff_inputs
from crews.journal.fingerprints import fingerprint
from crews.journal.journal import CREW, Journal
from crews.run import system_questions
from crews.run.context import RunContext
from crews.run.finished_tasks import misfit
from crews.run.identity import task_scope


class _Noted(BaseModel):
    """What is noted of the crew when a run begins, and whenever it goes on with another one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    made: CrewSnapshot
    #: What had been recorded by then, and may not come up again.
    left: tuple[str, ...] = ()


def confirm_changes(run: RunContext, crew: Crew, *, literal: bool) -> None:
    """Returns when the run may go on with the crew as it is now. Raises Leave otherwise. Holds its thread.

    `literal`: its texts are the same each time that it is built.
    """
    inputs = kickoff_inputs(run.claim.run.crew, run.claim.run.inputs)
    run.identity.learn(crew, inputs)
    journal, made = run.history.journal, CrewSnapshot.of(crew, literal=literal)
    noted = [_Noted.model_validate(written) for _, written in sorted(journal.own(CREW))]
    before = noted[-1].made if noted else made
    finished, unfit = _finished(journal, before), misfit(crew, journal)
    changed = [*made.since(before, finished), *_told(made, unfit)]
    if not changed:
        if not noted:
            _note(run, 0, _Noted(made=made))
        return
    moved = min((each for each in (made.moved(before), unfit) if each is not None), default=None)
    again = filled(made.tasks[moved - 1].name, inputs) if moved is not None else None
    key = f"{len(noted)}/{fingerprint(made.model_dump(mode='json'))}"
    if unfit is None and (models := made.models_since(before, finished)):
        run.tell_in_thread(RunChanged(crew_id=run.crew_id, change=filled(models, inputs)), key)
        _note(run, len(noted), _Noted(made=made))
        return
    named = [filled(each, inputs) for each in changed]
    system_questions.confirm_changed_crew(run.questions, named, again, key)
    struck = _struck(moved, len(before.tasks)) if moved is not None else []
    journal.forget(struck)
    left = tuple(journal.left())
    _note(run, len(noted), _Noted(made=made, left=left), struck)
    journal.excuse(left)


def _told(made: CrewSnapshot, unfit: int | None) -> list[str]:
    """What is said of a finished task whose output can't be given back."""
    return [f"task “{made.tasks[unfit - 1].name}”: the class of what it came to"] if unfit is not None else []


def _finished(journal: Journal, made: CrewSnapshot) -> int:
    """How many tasks are finished, in a row."""
    done = {int(name.removeprefix(DONE)) for name, _ in journal.under(DONE)}
    return next((number for number in range(len(made.tasks)) if number + 1 not in done), len(made.tasks))


def _struck(first: int, many: int) -> list[str]:
    """What is known of tasks that stand in other places now."""
    numbers = range(first, many + 1)
    return [*(f"{task_scope(number)}/" for number in numbers), *(f"{DONE}{number}" for number in numbers)]


def _note(run: RunContext, number: int, noted: _Noted, struck: list[str] | None = None) -> None:
    run.writer.write(f"{CREW}{number:03}", noted.model_dump_json(), struck or [])

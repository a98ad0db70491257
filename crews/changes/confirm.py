"""A crew that changed while a run of it was under way: the requester decides whether the run continues.

If only models changed, the run reports it and continues: the model is no part of a step's name.
"""

from __future__ import annotations

from crewai import Crew
from pydantic import BaseModel, ConfigDict

from bot.core.events.event import RunChanged
from bot.core.ports.journal import DONE_PREFIX
from crews.changes.snapshot import CrewSnapshot
from crews.definitions.placeholders import filled, kickoff_inputs
from crews.journal.fingerprints import fingerprint
from crews.journal.journal import CREW_PREFIX, Journal
from crews.run import system_questions
from crews.run.context import RunContext
from crews.run.finished_tasks import first_unreadable_task
from crews.run.identity import task_scope


class _CrewRecord(BaseModel):
    """The record of a crew: written when a run begins, and whenever it continues with a changed crew."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    made: CrewSnapshot
    #: Steps that were recorded by then and may not be repeated.
    left: tuple[str, ...] = ()


def confirm_changes(run: RunContext, crew: Crew, *, literal: bool) -> None:
    """Return once the run may continue with the crew as it is now. Blocks its thread. Raises RunExit.

    `literal`: the crew's texts are the same each time it is built.
    """
    inputs = kickoff_inputs(run.claim.run.crew, run.claim.run.inputs)
    run.identity.learn(crew, inputs)
    journal, made = run.history.journal, CrewSnapshot.of(crew, literal=literal)
    records = [_CrewRecord.model_validate(written) for _, written in sorted(journal.own_records(CREW_PREFIX))]
    before = records[-1].made if records else made
    finished, unfit = _finished(journal, before), first_unreadable_task(crew, journal)
    changed = [*made.changes_since(before, finished), *_unreadable_output(made, unfit)]
    if not changed:
        if not records:
            _record_crew(run, 0, _CrewRecord(made=made))
        return
    moved = min((each for each in (made.first_moved_task(before), unfit) if each is not None), default=None)
    again = filled(made.tasks[moved - 1].name, inputs) if moved is not None else None
    key = f"{len(records)}/{fingerprint(made.model_dump(mode='json'))}"
    if unfit is None and (models := made.model_changes_since(before, finished)):
        run.record_event_in_thread(RunChanged(crew_id=run.crew_id, change=filled(models, inputs)), key)
        _record_crew(run, len(records), _CrewRecord(made=made))
        return
    named = [filled(each, inputs) for each in changed]
    system_questions.confirm_changed_crew(run.questions, named, again, key)
    deleted = _deleted(moved, len(before.tasks)) if moved is not None else []
    journal.forget(deleted)
    left = tuple(journal.unrepeated_model_calls())
    _record_crew(run, len(records), _CrewRecord(made=made, left=left), deleted)
    journal.stop_expecting(left)


def _unreadable_output(made: CrewSnapshot, unfit: int | None) -> list[str]:
    """The change to report where the output of a finished task can't be restored."""
    return [f"task “{made.tasks[unfit - 1].name}”: the class of what it came to"] if unfit is not None else []


def _finished(journal: Journal, made: CrewSnapshot) -> int:
    """The number of consecutive finished tasks, from the first."""
    done = {int(name.removeprefix(DONE_PREFIX)) for name, _ in journal.records(DONE_PREFIX)}
    return next((number for number in range(len(made.tasks)) if number + 1 not in done), len(made.tasks))


def _deleted(first: int, many: int) -> list[str]:
    """The prefixes of the records of tasks whose position changed."""
    numbers = range(first, many + 1)
    return [
        *(f"{task_scope(number)}/" for number in numbers),
        *(f"{DONE_PREFIX}{number}" for number in numbers),
    ]


def _record_crew(run: RunContext, number: int, record: _CrewRecord, deleted: list[str] | None = None) -> None:
    run.writer.write(f"{CREW_PREFIX}{number:03}", record.model_dump_json(), deleted or [])

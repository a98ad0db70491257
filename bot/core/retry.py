"""Retry of a run: a new run that continues from the journal of the old one.

`crews/journal/journal.py` replays it in a worker. The new run takes over what was paid or waited for: the
results of models and tools, finished tasks and people's answers. It leaves out what made the run end.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from bot.core import ids
from bot.core.errors import Refused
from bot.core.ports.journal import (
    ANNOUNCER_PREFIX,
    ANSWER_PREFIX,
    BEGUN_SUFFIX,
    DIVERGED_PREFIX,
    DONE_PREFIX,
    FAILED,
    FORMAT_ENTRY,
    METHOD_PREFIX,
    MODEL,
    SEEDED_PREFIX,
    STARTED_SUFFIX,
    TOOL,
)
from bot.core.ports.store import Files, Store
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, Source
from bot.core.runs.run import NewRun, Run, RunStatus

_AS_IT_IS = (SEEDED_PREFIX, ANSWER_PREFIX, FORMAT_ENTRY)
_OWN = (ANNOUNCER_PREFIX, DIVERGED_PREFIX)
"""Prefixes of entries that concern the old run only."""
_STEP = 3
"""Number of parts at the end of a step's name: kind, fingerprint, occurrence."""

HUMAN_DECISIONS = frozenset(
    {"rejected", "review_rounds", "edited_result", "expired", "not_answered", "not_posted"}
)
"""Codes of failures that people's decisions caused: their messages don't suggest a retry."""


async def retry(store: Store, run: Run, *, key: str) -> Run:
    """Start the retry of a failed or cancelled run. The same `key` returns the same run.

    The new run has the same place and requester. Raises Refused (run_live, run_completed, never_began,
    journal_expired) and JournalUndecryptable.
    """
    check_retriable(run)
    new = _planned(run, key)
    taken = seed_entries(run, await store.journal.read(run.id), await store.questions.list(run.id))
    # Checked after reading: the journal may have expired in the meantime.
    if (await store.journal.extent(run.id)).expired:
        raise Refused(
            "journal_expired",
            "What this run had done is no longer kept (CREWDECK_JOURNAL_DAYS): start it anew instead.",
        )
    await store.journal.seed(new.id, taken)
    await _copy_files(store.files, run.id, new.id)
    started, _ = await store.runs.start(new)
    return started


def check_retriable(run: Run) -> None:
    """Raises Refused unless the run can be retried."""
    if not run.status.over:
        raise Refused("run_live", "This run is not over.")
    if run.status is RunStatus.COMPLETED:
        raise Refused("run_completed", "This run was completed: there is nothing to try again.")
    if run.started_at is None:
        raise Refused("never_began", "This run never began: start it anew instead.")


def _planned(run: Run, key: str) -> NewRun:
    return NewRun(
        id=ids.run_id(f"retry:{run.id}:{key}"),
        crew=run.crew,
        inputs=run.inputs,
        requester=run.requester,
        approvers=run.approvers,
        cancellers=run.cancellers,
        place=run.place,
        retry_of=run.id,
        followers=run.followers,
    )


def seed_entries(run: Run, journal: Mapping[str, str], questions: Iterable[Question]) -> dict[str, str]:
    """The journal entries with which a retry of `run` begins."""
    answers = {
        f"{ANSWER_PREFIX}{each.content_hash}": _written(each.outcome) for each in questions if _counts(each)
    }
    earlier = {name: value for name, value in journal.items() if name.startswith(_AS_IT_IS)}
    return earlier | dict(_steps(run, journal)) | answers


def _counts(question: Question) -> bool:
    """Whether an answer is taken over: a person's, unless it ended the run or concerned its interruption."""
    outcome = question.outcome
    if not question.content_hash or outcome is None or outcome.by is None or question.source is Source.SYSTEM:
        return False
    return question.kind is not QuestionKind.REVIEW or not (
        outcome.action is Action.REJECT
        or (outcome.action is Action.RESPOND and question.round == question.rounds)
    )


def _written(outcome: Outcome | None) -> str:
    return outcome.model_dump_json() if outcome is not None else ""


def _steps(run: Run, journal: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    models: defaultdict[str, list[int]] = defaultdict(list)
    for name, value in journal.items():
        if name.startswith((*_AS_IT_IS, *_OWN)):
            continue
        if name.startswith(DONE_PREFIX):
            yield _finished_as(name), _counted_anew(value)
        elif name.endswith((STARTED_SUFFIX, BEGUN_SUFFIX)):
            yield from _start_entries(run, journal, name, value)
        elif _kind(name) == MODEL:
            call, _, occurrence = name.rpartition("/")
            if not _failed(value) and not _says_nothing(value):
                models[call].append(int(occurrence))
        elif not (_kind(name) == TOOL and _ended_by_tool(run) and _failed(value)):
            yield f"{SEEDED_PREFIX}{name}", _counted_anew(value) if _kind(name) == TOOL else value
    for call, occurrences in models.items():
        # CrewAI repeats calls that fail or return nothing; only the successful repetition is kept.
        for number, which in enumerate(sorted(occurrences)):
            yield f"{SEEDED_PREFIX}{call}/{number}", journal[f"{call}/{which}"]


def _finished_as(name: str) -> str:
    """The entry's name in the new journal. Methods are marked as seeded (`SEEDED_PREFIX`); tasks are not."""
    return f"{SEEDED_PREFIX}{name}" if name.startswith(f"{DONE_PREFIX}{METHOD_PREFIX}") else name


def _start_entries(run: Run, journal: Mapping[str, str], name: str, value: str) -> Iterator[tuple[str, str]]:
    """The entries of a step or a flow's method that was started and may not have finished."""
    if name.endswith(BEGUN_SUFFIX):
        yield f"{SEEDED_PREFIX}{name}", value
        name, value = f"{name.removesuffix(BEGUN_SUFFIX)}{STARTED_SUFFIX}", "1"
    yield f"{SEEDED_PREFIX}{name}", _first_begun(journal.get(f"{SEEDED_PREFIX}{name}"), value, run.id)


def _kind(name: str) -> str:
    """The kind of a step, from its name: MODEL or TOOL; empty for other entries."""
    parts = name.split("/")
    return parts[-_STEP] if len(parts) > _STEP and parts[-1].isdigit() else ""


def _ended_by_tool(run: Run) -> bool:
    """Whether the failure of a tool ended the run. Other tool failures were reported to the crew and stay."""
    return run.error is not None and run.error.code == "tool_error"


def _failed(value: str) -> bool:
    return FAILED in json.loads(value)


def _says_nothing(value: str) -> bool:
    """Whether a model's answer is empty, which CrewAI treats as a failure."""
    return json.loads(value).get("result", "") in ("", None)


def _counted_anew(value: str) -> str:
    """The result with its count of model calls reset: the crew's limit applies to each retry separately."""
    written = json.loads(value)
    return json.dumps(written | {"model_calls": 0}) if "model_calls" in written else value


def _first_begun(earlier: str | None, value: str, run_id: str) -> str:
    """The number of attempts of a call and the run of its first one, so that its idempotency key is kept."""
    first = earlier.partition(" ")[2] if earlier else ""
    return f"{value.partition(' ')[0]} {first or run_id}"


async def _copy_files(files: Files, owner: str, to: str) -> None:
    """Give a run that is about to be started the files of another one. Raises JournalUndecryptable."""
    for file in await files.list(owner):
        content = b"".join([part async for part in files.read(owner, file.id)])
        await files.seed(to, file.model_copy(update={"kept": True, "task_id": None}), content)

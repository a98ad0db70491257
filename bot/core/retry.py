"""Trying a run again: a new run that goes on from what the old one recorded.

What a worker does with it is in `crews/journal/journal.py`. Taken over is what was paid or waited for: what
models and tools returned, finished tasks, and what people answered. Left out is what made the run end.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from bot.core import ids
from bot.core.errors import Refused
from bot.core.ports import Store
from bot.core.question import Action, Outcome, Question, QuestionKind, Source
from bot.core.run import NewRun, Run, RunStatus

KEPT = "kept/"
"""What names of steps start with that an earlier run has taken."""
ANSWER = "answer/"
"""What names of outcomes start with; then comes `Question.known_as`."""
DONE = "done/"
METHOD, BEGUN = "m:", "/begun"
"""What names of a flow's methods start with, and what ends the name under which one was begun."""
INTENDED = "?"
MODEL, TOOL = "model", "tool"
_AS_IT_IS = (KEPT, ANSWER, "format")
_OWN = ("heard/", "diverged/")
"""What concerns the old run alone."""
_STEP = 3
"""Parts that the name of a step ends with: kind, fingerprint, occurrence."""

PEOPLES_DECISIONS = frozenset({"rejected", "review_rounds", "expired", "not_posted"})
"""Codes of failures of which nobody need be told that they can be tried again."""


async def retry(store: Store, run: Run, *, key: str) -> Run:
    """The run that goes on from `run`, which failed or was cancelled. The same `key` is the same run.

    It lives in the same place and is its requester's. Raises Refused (run_live, run_completed, never_began,
    journal_expired) and JournalUndecryptable.
    """
    check_retriable(run)
    new = _planned(run, key)
    taken = taken_over(run, await store.journal.read(run.id), await store.questions.list(run.id))
    # Looked at afterwards: it may have expired meanwhile.
    if (await store.journal.extent(run.id)).expired:
        raise Refused(
            "journal_expired",
            "What this run had done is no longer kept (CREWDECK_JOURNAL_DAYS): start it anew instead.",
        )
    await store.journal.seed(new.id, taken)
    started, _ = await store.runs.start(new)
    return started


def check_retriable(run: Run) -> None:
    """Raises Refused unless the run can be tried again."""
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


def taken_over(run: Run, journal: Mapping[str, str], questions: Iterable[Question]) -> dict[str, str]:
    """The journal with which a retry of `run` begins."""
    answers = {f"{ANSWER}{each.known_as}": _written(each.outcome) for each in questions if _counts(each)}
    earlier = {name: value for name, value in journal.items() if name.startswith(_AS_IT_IS)}
    return earlier | dict(_steps(run, journal)) | answers


def _counts(question: Question) -> bool:
    """Whether an answer is taken over: a person's, unless it ended the run or was about its interruption."""
    outcome = question.outcome
    if not question.known_as or outcome is None or outcome.by is None or question.source is Source.SYSTEM:
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
        if name.startswith(DONE):
            yield _finished_as(name), _counted_anew(value)
        elif name.endswith((INTENDED, BEGUN)):
            yield from _begun(run, journal, name, value)
        elif _kind(name) == MODEL:
            call, _, occurrence = name.rpartition("/")
            if not _failed(value) and not _says_nothing(value):
                models[call].append(int(occurrence))
        elif not (_kind(name) == TOOL and _ended_by_tool(run) and _failed(value)):
            yield f"{KEPT}{name}", _counted_anew(value) if _kind(name) == TOOL else value
    for call, occurrences in models.items():
        # CrewAI repeats a call that failed or said nothing; what is left is what it was repeated for.
        for number, which in enumerate(sorted(occurrences)):
            yield f"{KEPT}{call}/{number}", journal[f"{call}/{which}"]


def _finished_as(name: str) -> str:
    """Tasks are known by their place in the crew; of methods it matters later whose they were."""
    return f"{KEPT}{name}" if name.startswith(f"{DONE}{METHOD}") else name


def _begun(run: Run, journal: Mapping[str, str], name: str, value: str) -> Iterator[tuple[str, str]]:
    """A step, or a flow's method, that was begun and may not have ended."""
    if name.endswith(BEGUN):
        yield f"{KEPT}{name}", value
        name, value = f"{name.removesuffix(BEGUN)}{INTENDED}", "1"
    yield f"{KEPT}{name}", _first_begun(journal.get(f"{KEPT}{name}"), value, run.id)


def _kind(name: str) -> str:
    """What kind of step this is the name of."""
    parts = name.split("/")
    return parts[-_STEP] if len(parts) > _STEP and parts[-1].isdigit() else ""


def _ended_by_tool(run: Run) -> bool:
    """Whether it ended since a tool failed. Other failures of tools are what the crew was told, and knows."""
    return run.error is not None and run.error.code == "tool_error"


def _failed(value: str) -> bool:
    return "failed" in json.loads(value)


def _says_nothing(value: str) -> bool:
    """Whether a model's answer is empty, which CrewAI takes for a failure."""
    return json.loads(value).get("result", "") in ("", None)


def _counted_anew(value: str) -> str:
    """What was finished with model calls. The crew's limit of these holds for each try by itself."""
    written = json.loads(value)
    return json.dumps(written | {"model_calls": 0}) if "model_calls" in written else value


def _first_begun(earlier: str | None, value: str, run_id: str) -> str:
    """How often a call was begun, and in which run it first was: its idempotency key stays."""
    first = earlier.partition(" ")[2] if earlier else ""
    return f"{value.partition(' ')[0]} {first or run_id}"

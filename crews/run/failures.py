"""Why a run failed, as a sentence for people.

The exception itself goes to the log, never to people: it may quote keys, prompts and answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from crewai.tools.tool_failure import ToolExecutionFailedError

from bot.core import ids
from bot.core.people.policy import Policy
from bot.core.runs.run import RunError
from crews.definitions.exceptions import CrewBroken, NotAnswered, missing_package
from crews.journal.exceptions import words_of
from crews.journal.serialization import TooDeep

_REFUSED_KEY = "refused the key ({status}). Check that provider's key in the workers' environment."
_SENTENCES = {
    401: _REFUSED_KEY,
    403: _REFUSED_KEY,
    404: "doesn't know this model ({status}). Check `model:` in crew.yaml, or CREWDECK_MODEL.",
    429: "turned the crew away: too many requests, or the quota is used up ({status}). Try again later.",
}
_SILENT = "Invalid response from LLM call - None or empty"
"""What CrewAI raises where a model answers with nothing."""
_SERVER = 500
"""From here on it is the provider's own trouble."""


def of_build(error: BaseException) -> RunError:
    """The crew could not be built."""
    if not isinstance(error, Exception):
        return _of_exit("the code that builds the crew", error)
    if isinstance(error, CrewBroken):
        return RunError(code=error.code, message=str(error))
    return RunError(
        code="crew_broken",
        message=f"The crew can't be built ({type(error).__name__}). `crewdeck doctor` says what is wrong.",
    )


def not_built_within(seconds: float) -> CrewBroken:
    """The code that builds the crew takes too long."""
    return CrewBroken(
        f"The crew can't be built within {seconds:g} s",
        remedy="What its code waits for belongs into a tool; CREWDECK_BUILD_TIMEOUT is the limit.",
    )


def unsatisfiable(policy: Policy, why: str) -> RunError:
    """A policy that needs more people than may decide."""
    name = f"The policy {policy.name}" if policy.name else "Its policy"
    return RunError(
        code="policy_unsatisfiable",
        message=f"{name} can't be satisfied: {why}. Add people to it, or say `if_too_few: wait`.",
    )


def of_release(run_id: str, problem: str) -> RunError:
    """The run's journal was written by another release."""
    return RunError(
        code="other_release",
        message="This run was begun by another release of Crewdeck, and can't go on with this one: "
        f"{problem}. Where that one runs, `crewdeck runs retry {ids.short(run_id)}` goes on from what is "
        "recorded.",
    )


def of_run(run_id: str, error: BaseException, model_failure: Exception | None) -> RunError:
    """CrewAI gave up with `error`; `model_failure` is the last exception of a model call."""
    if not isinstance(error, Exception):
        return _of_exit("something in the crew", error)
    if isinstance(error, NotAnswered):
        return RunError(code="not_answered", message=str(error))
    chain = tuple(_chain(error))
    for each in chain:
        if isinstance(each, ToolExecutionFailedError):
            record = getattr(each, "record", None)  # Restored exceptions may lack it.
            name = f" {record.tool_name}" if record is not None else ""
            return RunError(
                code="tool_error",
                message=f"The tool{name} failed, and the crew can't go on without it.",
            )
    if (failed := _of_model(chain)) is not None:
        return failed
    if model_failure is not None and (model_failure in chain or _quotes(error, model_failure)):
        return RunError(code="model_error", message=_model_sentence(model_failure))
    return RunError(
        code="internal",
        message=f"Something in the crew went wrong ({type(error).__name__}). "
        f"The worker's log has the details under {ids.short(run_id)}.",
    )


def of_tool(name: str, error: BaseException) -> RunError:
    """A tool raised something other than an Exception."""
    return _of_exit(f"the tool {name}", error)


def _of_exit(what: str, error: BaseException) -> RunError:
    """`error` is meant to end the process; here it ends one run."""
    match error:
        case SystemExit():
            # The argument of sys.exit may contain secrets.
            raised = f"called sys.exit({error.code if isinstance(error.code, int) else ''})"
        case _:
            raised = f"raised {type(error).__name__}"
    return RunError(
        code="crew_exited",
        message=f"{what[0].upper()}{what[1:]} {raised}, which ends a process. Only this run was ended.",
    )


def _quotes(error: BaseException, other: Exception) -> bool:
    """CrewAI wraps some exceptions in others that only repeat their words."""
    words = words_of(other)
    return bool(words) and words in words_of(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _of_model(chain: Iterable[BaseException]) -> RunError | None:
    """What CrewAI itself says of a model, whoever called it."""
    for each in chain:
        words = words_of(each)
        if _SILENT in words:
            return RunError(
                code="model_silent",
                message="The model said nothing, however often it was asked. Try again, or use another "
                "model.",
            )
        # The agents of a flow are made in its methods, and only then their provider's package is loaded.
        if isinstance(each, ImportError) and (package := missing_package(words)):
            return RunError(
                code="model_error",
                message=f"A model of the crew needs a package: install {package} for the workers.",
            )
    return None


def _model_sentence(error: Exception) -> str:
    if isinstance(error, TooDeep):
        return str(error)
    status = next((each for each in map(_status, _chain(error)) if each is not None), None)
    if status is not None:
        trouble = (
            "has trouble ({status}). Try again later."
            if status >= _SERVER
            else "didn't accept the request ({status})."
        )
        return f"The model's provider {_SENTENCES.get(status, trouble).format(status=status)}"
    if any(isinstance(each, OSError) or "Connect" in type(each).__name__ for each in _chain(error)):
        return "The model's provider can't be reached. Check the network, or the provider's address."
    if named := next(filter(None, (_VARIABLE.search(words_of(each)) for each in _chain(error))), None):
        return f"The model's provider needs its key: set {named[0]} for the workers."
    return f"The model failed ({type(error).__name__})."


_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9_]*_API_KEY\b")
"""What is repeated of a provider's library that can't be used without it: the name, and nothing else."""


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None

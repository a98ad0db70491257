"""Runs a crew in a test: the two functions that authors call. crewai is imported with the first run."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import structlog
from pydantic import JsonValue

from bot.logging import Redaction, secrets_in
from bot.settings import Settings
from crews.crewai_adapter import environment
from crews.testing.people import REQUESTER, ScriptedAnswer
from crews.testing.script import ModelScript, Script

if TYPE_CHECKING:
    from crewai import Crew, Flow

    from crews.testing.result import CrewResult

TIMEOUT_S = 60.0

P = ParamSpec("P")


@dataclass(frozen=True)
class _Call:
    """What `run_crew` was given."""

    what: object
    crew: str | None
    inputs: Mapping[str, JsonValue]
    model: ModelScript | None
    people: Sequence[ScriptedAnswer]
    requester: str
    groups: Mapping[str, Sequence[str]]
    timeout: float


def run_crew(  # noqa: PLR0913 - what a test can script
    what: str | Path | Crew | Flow[Any] | type[Any] | Callable[..., object],
    inputs: Mapping[str, JsonValue] | None = None,
    *,
    model: ModelScript | None = None,
    people: Sequence[ScriptedAnswer] = (),
    crew: str | None = None,
    requester: str = REQUESTER,
    groups: Mapping[str, Sequence[str]] | None = None,
    timeout: float = TIMEOUT_S,
) -> CrewResult:
    """Run a crew with scripted answers, and return its result. Needs no Redis, no Slack and no key.

    `what`: a factory, a class with `@CrewBase`, a Flow, a Crew, or the folder of a crew or a project (of
    whose crews `crew` is the one meant). `model`: what every model answers, in order, or by tasks; None: the
    crew's own models are called. `people`: their answers, in order. `requester` starts the run. `groups`: the
    members of Slack's user groups. `timeout`: seconds in which the run has to be over.

    Raises AssertionError if somebody is asked and nobody answers, if answers are left over, or if one is
    refused; InvalidInputs; and CrewBroken if there is no such crew. A run that fails is a result.
    """
    __tracebackhide__ = True
    given = _Call(what, crew, dict(inputs or {}), model, people, requester, groups or {}, timeout)
    with _QUIET:
        return _in_thread(partial(contextvars.copy_context().run, _run, given))


def _to_await(function: Callable[P, CrewResult]) -> Callable[P, Coroutine[Any, Any, CrewResult]]:
    @wraps(function)
    async def awaitable(*args: P.args, **kwargs: P.kwargs) -> CrewResult:
        return await asyncio.to_thread(partial(function, *args, **kwargs))

    return awaitable


run_crew_async = _to_await(run_crew)
"""The same to await, with the same arguments: the test's own loop goes on meanwhile."""


def _run(given: _Call) -> CrewResult:
    __tracebackhide__ = True
    with _PREPARING:  # for the first runs, if they begin side by side
        settings = _prepared()
        from crews.crewai_adapter import install
        from crews.crewai_adapter.models import replaced_model
        from crews.testing.engine import ScriptedRun, execute
        from crews.testing.model import AnsweringModel
        from crews.testing.targets import target_of

        install.install()
        replaced_model.install()
    # Projects make their crews once to see what they take.
    with replaced_model.replaced(AnsweringModel.of(Script(())) if given.model is not None else None):
        target = target_of(given.what, given.crew, settings)
    run = ScriptedRun(
        target, given.inputs, given.model, given.people, given.requester, given.groups, given.timeout
    )
    return asyncio.run(execute(run))


_PREPARING = threading.Lock()


@cache
def _prepared() -> Settings:
    """Prepare this process for crewai, once. It keeps what it writes in a folder that is removed."""
    folder = tempfile.mkdtemp(prefix="crewdeck-testing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = Settings.model_construct(data_dir=Path(folder))
    environment.prepare(settings)
    return settings


class _OnlyErrorsLogged:
    """Prints only errors while there are runs, unless the test has configured structlog itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Runs that go on side by side: the last one restores what was there before the first.
        self._runs = 0
        self._configured = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._runs and not structlog.is_configured():
                _log_errors_only()
                self._configured = True
            self._runs += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._runs -= 1
            if not self._runs and self._configured:
                structlog.reset_defaults()
                self._configured = False


_QUIET = _OnlyErrorsLogged()


def _log_errors_only() -> None:
    """As structlog would by default, without secrets of the environment, and with plain tracebacks.

    The formatted ones print variables: those of a crew are thousands of lines, with keys among them.
    """
    *first, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(
        processors=[*first, renderer, Redaction(secrets_in(os.environ))],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )


def _in_thread(call: Callable[[], CrewResult]) -> CrewResult:
    """Its result, from a thread of its own: the test may have an event loop, which can't run another."""
    __tracebackhide__ = True
    results: list[CrewResult] = []
    errors: list[BaseException] = []

    def run() -> None:
        __tracebackhide__ = True
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again where the test is
            errors.append(error)

    thread = threading.Thread(target=run, name="crewdeck-testing", daemon=True)
    thread.start()
    thread.join()
    if errors and isinstance(errors[0], AssertionError):
        raise errors[0].with_traceback(None)  # of the test's own making
    if errors:
        raise errors[0]
    return results[0]

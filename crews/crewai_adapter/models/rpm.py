"""`max_rpm` of crews and agents: what really reaches a model is counted, and waits; what is replayed doesn't.

CrewAI asks before each turn of an agent, when nobody knows yet whether the answer is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

import structlog
from crewai import Crew
from crewai.utilities.rpm_controller import RPMController

from crews.run.context import CURRENT

log = structlog.get_logger(__name__)

MINUTE_S = 60.0
POLL_INTERVAL_S = 0.1
"""Seconds after which a run that waits looks whether it is to leave."""

_DUE: ContextVar[RPMController | None] = ContextVar("crewdeck_rpm_due", default=None)
"""Who counts the model call that is about to be made here."""


def install() -> None:
    """Defer counting until a model is called, once per process."""
    controller: Any = RPMController
    if getattr(controller, "_crewdeck_installed", False):
        return
    controller._crewdeck_count = controller.check_or_wait  # noqa: SLF001 - a seam
    controller.check_or_wait = _deferring_wait(controller.check_or_wait)
    controller._wait_for_next_minute = _wait(controller._wait_for_next_minute)  # noqa: SLF001 - a seam
    controller._crewdeck_installed = True  # noqa: SLF001


def due() -> Callable[[], None]:
    """A function that counts this model call and may wait for the limit; not called for a replayed call."""
    controller: Any = _DUE.get()
    _DUE.set(None)

    def count() -> None:
        if controller is not None:
            controller._crewdeck_count()  # noqa: SLF001 - a seam

    return count


def forget(crew: object) -> None:
    """Stop the crew's counters. Each has a thread, which CrewAI only ends for crews that complete."""
    if isinstance(crew, Crew):
        for each in _counts(crew):
            each.stop_rpm_counter()


def _counts(crew: Crew) -> Iterator[RPMController]:
    for each in (crew, *crew.agents, crew.manager_agent):
        controller = getattr(each, "_rpm_controller", None)
        if isinstance(controller, RPMController):
            yield controller


def _deferring_wait(original: Callable[..., bool]) -> Callable[..., bool]:
    @wraps(original)
    def check_or_wait(controller: RPMController) -> bool:
        if CURRENT.get() is None:
            return original(controller)
        _DUE.set(controller)
        return True

    return check_or_wait


def _wait(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def wait(controller: RPMController) -> None:
        run = CURRENT.get()
        if run is None:
            original(controller)
            return
        log.info("max_rpm is reached; the run waits a minute", run_id=run.run_id)
        until = time.monotonic() + MINUTE_S
        while time.monotonic() < until:
            run.before_step()
            time.sleep(POLL_INTERVAL_S)
        run.check_lease()
        controller._current_rpm = 0  # noqa: SLF001 - as CrewAI does

    return wait

"""`max_rpm` of crews and agents: what really reaches a model is counted, and waits; what is replayed doesn't.

CrewAI asks before each turn of an agent, when nobody knows yet whether the answer is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

from crewai import Crew
from crewai.utilities.rpm_controller import RPMController

from crews.run.context import CURRENT

MINUTE = 60.0
LOOK = 0.1
"""Seconds after which a run that waits looks whether it is to leave."""

_DUE: ContextVar[RPMController | None] = ContextVar("crewdeck_rpm_due", default=None)
"""Who counts the model call that is about to be made here."""


def install() -> None:
    """Put off counting until a model is asked, once for the whole process."""
    controller: Any = RPMController
    if getattr(controller, "_crewdeck_installed", False):
        return
    controller._crewdeck_count = controller.check_or_wait  # noqa: SLF001 - a seam
    controller.check_or_wait = _put_off(controller.check_or_wait)
    controller._wait_for_next_minute = _wait(controller._wait_for_next_minute)  # noqa: SLF001 - a seam
    controller._crewdeck_installed = True  # noqa: SLF001


def due() -> Callable[[], None]:
    """What counts the model call that is made here, and may wait for it; called unless it is replayed."""
    controller: Any = _DUE.get()
    _DUE.set(None)

    def count() -> None:
        if controller is not None:
            controller._crewdeck_count()  # noqa: SLF001 - a seam

    return count


def forget(crew: object) -> None:
    """The crew is over. Each count has a thread, which CrewAI ends for crews that come to their end."""
    if isinstance(crew, Crew):
        for each in _counts(crew):
            each.stop_rpm_counter()


def _counts(crew: Crew) -> Iterator[RPMController]:
    for each in (crew, *crew.agents, crew.manager_agent):
        controller = getattr(each, "_rpm_controller", None)
        if isinstance(controller, RPMController):
            yield controller


def _put_off(original: Callable[..., bool]) -> Callable[..., bool]:
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
        until = time.monotonic() + MINUTE
        while time.monotonic() < until:
            run.go_on()
            time.sleep(LOOK)
        run.check_lease()
        controller._current_rpm = 0  # noqa: SLF001 - as CrewAI does

    return wait

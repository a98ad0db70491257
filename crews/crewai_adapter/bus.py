"""CrewAI's event bus: no listener ends it, keeps others from being called, or makes us miss an event.

CrewAI calls listeners in a pool of threads, in any order, and where one of them awaits, the end of a crew
waits for none of the others. So what we have to hear is heard as it is emitted, in the thread that emits it.
Cancelled tasks are let go.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any

from crewai.events import crewai_event_bus, event_bus
from crewai.events.event_listener import event_listener

Listener = Callable[..., Awaitable[Any]]
Tap = Callable[[Any, Any], None]
"""Is called with the source and the event. Returns at once, and never raises."""


class ListenerExited(Exception):  # noqa: N818 - says what happened
    """A listener raised an exception that would have ended the bus; the other listeners are still called."""


def install() -> None:
    """Contain listeners that call `sys.exit()`, as CrewAI only catches Exceptions; make `tap` possible."""
    bus: Any = type(crewai_event_bus)
    if getattr(bus, "_crewdeck_installed", False):
        return
    module: Any = event_bus
    module.is_call_handler_safe = _called_safely(module.is_call_handler_safe)
    bus._acall_handlers = _awaited_safely(bus._acall_handlers)  # noqa: SLF001 - a seam
    bus.emit = _tapped(bus.emit)
    bus._crewdeck_taps = []  # noqa: SLF001 - a seam
    bus._crewdeck_installed = True  # noqa: SLF001 - a seam


def tap(heard: Tap) -> Callable[[], None]:
    """Call this with each event as it is emitted, until what is returned is called. After `install`."""
    taps: list[Tap] = type(crewai_event_bus)._crewdeck_taps  # type: ignore[attr-defined] # noqa: SLF001 - a seam
    taps.append(heard)
    return lambda: taps.remove(heard)


def _tapped(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def emit(bus: Any, source: Any, event: Any) -> Any:
        future = original(bus, source, event)
        for heard in tuple(bus._crewdeck_taps):  # noqa: SLF001 - a seam
            heard(source, event)
        return future

    return emit


def _called_safely(original: Callable[..., Exception | None]) -> Callable[..., Exception | None]:
    @wraps(original)
    def call(*args: Any) -> Exception | None:
        try:
            return original(*args)
        except BaseException as error:  # noqa: BLE001 - listeners may raise anything
            return ListenerExited(type(error).__name__)

    return call


def _awaited_safely(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(original)
    async def call(bus: Any, source: Any, event: Any, handlers: Iterable[Listener], state: Any) -> None:
        await original(bus, source, event, frozenset(map(_safe, handlers)), state)

    return call


def _safe(listener: Listener) -> Listener:
    @wraps(listener)
    async def call(*args: Any) -> Any:
        try:
            return await listener(*args)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise ListenerExited(type(error).__name__) from error

    return call


def forget(tasks: Iterable[Any]) -> None:
    """Release finished tasks. CrewAI's own listener would keep a cancelled task and its crew forever."""
    for task in tasks:
        event_listener.execution_spans.pop(task, None)

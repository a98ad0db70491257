"""CrewAI's event bus: no listener ends it or keeps others from being called; cancelled tasks are let go."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any

from crewai.events import crewai_event_bus, event_bus
from crewai.events.event_listener import event_listener

Listener = Callable[..., Awaitable[Any]]


class ListenerExited(Exception):  # noqa: N818 - says what happened
    """A listener raised an exception that would have ended the bus; the other listeners are still called."""


def install() -> None:
    """Contain listeners that call `sys.exit()`: CrewAI only catches Exceptions."""
    bus: Any = type(crewai_event_bus)
    if getattr(bus, "_crewdeck_installed", False):
        return
    module: Any = event_bus
    module.is_call_handler_safe = _called_safely(module.is_call_handler_safe)
    bus._acall_handlers = _awaited_safely(bus._acall_handlers)  # noqa: SLF001 - a seam
    bus._crewdeck_installed = True  # noqa: SLF001 - a seam


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

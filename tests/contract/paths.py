"""The files that an answer passes on its way from a request to the rules."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from pathlib import Path
from types import FrameType
from typing import Any

from bot.core.questions import decision

REPOSITORY = Path(__file__).parents[2]
BOT = f"{REPOSITORY / 'bot'}/"

FilePath = tuple[str, ...]
_began: ContextVar[FilePath] = ContextVar("files that led to the task", default=())


@contextmanager
def paths_to_the_rules() -> Iterator[list[FilePath]]:
    """The path of each answer that reaches the rules while the block runs: files of `bot`, in order.

    It leads through callers, whatever awaits them, and what began their task. Each file is there once.
    """
    paths: list[FilePath] = []
    rule = decision.refusal.__code__

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is rule:
            paths.append(_path_to(frame))

    loop = asyncio.get_running_loop()
    loop.set_task_factory(_task)
    sys.setprofile(called)
    try:
        yield paths
    finally:
        sys.setprofile(None)
        loop.set_task_factory(None)


def _task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    /,
    *,
    context: Context | None = None,
) -> asyncio.Task[Any]:
    """A task that knows what led to it."""
    context = context or copy_context()
    context.run(_began.set, _path_to(sys._getframe(1)))  # noqa: SLF001 - Python's own way to the caller
    return asyncio.Task(coroutine, loop=loop, context=context)


def _path_to(frame: FrameType | None) -> FilePath:
    running: list[str] = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(BOT):
            running.append(frame.f_code.co_filename.removeprefix(BOT))
        frame = frame.f_back
    return tuple(dict.fromkeys([*_began.get(), *reversed(running)]))

"""Tasks that belong to a block: none outlives it, and none fails unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bot.core.errors import CrewdeckError


@asynccontextmanager
async def run_alongside(*tasks: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these while the block runs, and cancel them when it ends.

    One that fails cancels the block: nothing goes on half-dead.
    """
    failure: CrewdeckError | None = None
    async with asyncio.TaskGroup() as group:
        started = [group.create_task(task) for task in tasks]
        try:
            yield
        except CrewdeckError as error:
            failure = error  # What is wrong outside of our tasks is told as it is, not as part of a group.
        finally:
            for task in started:
                task.cancel()
    if failure is not None:
        raise failure

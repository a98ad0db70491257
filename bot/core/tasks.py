"""Background tasks that are scoped to a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from bot.core.errors import CrewdeckError


@asynccontextmanager
async def run_alongside(*tasks: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these tasks during the block and cancel them at its end.

    If one of them fails, the block is cancelled, so that the process doesn't continue in part.
    """
    failure: CrewdeckError | None = None
    async with asyncio.TaskGroup() as group:
        started = [group.create_task(task) for task in tasks]
        try:
            yield
        except CrewdeckError as error:
            failure = error  # Re-raised below: not wrapped in an exception group.
        finally:
            for task in started:
                task.cancel()
    if failure is not None:
        raise failure

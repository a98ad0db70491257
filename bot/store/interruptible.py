"""Connections on which a cancelled command is cancelled.

redis-py sends through `asyncio.wait_for`, which until Python 3.12 forgets a cancellation that arrives while
the sending is done already. A task that loops over the store would then never end, and neither would a stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from redis.asyncio.connection import AbstractConnection, ConnectionPool


class Interruptible(AbstractConnection):
    """Mixed into redis-py's kinds of connections."""

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)
        if task and task.cancelling() > before:
            # The answer to what was sent must not be taken for the next command's.
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


def make_interruptible(pool: ConnectionPool) -> None:
    """Let the pool make such connections, of the kind that its address asks for."""
    kind = pool.connection_class
    pool.connection_class = type(f"Interruptible{kind.__name__}", (Interruptible, kind), {})

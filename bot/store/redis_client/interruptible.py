"""Connections that send without a task of its own, and on which a cancelled command is cancelled.

redis-py sends through `asyncio.wait_for`. Until Python 3.12 that makes a task for each command, which costs
as much as all the rest of sending, and forgets a cancellation that arrives while the sending is done already:
a task that loops over the store would then never end, and neither would a stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class Interruptible(AbstractConnection):
    """Mixed into redis-py's kinds of connections."""

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """As redis-py's. An answer to what was sent in part must not be taken for the next command's."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            await self._send(_parts(command))
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout writing to socket") from None
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"Error while writing to socket: {error}.") from error
        except BaseException:
            await self.disconnect(nowait=True)
            raise

    def detach(self) -> asyncio.StreamWriter:
        """Give the open stream away. This object holds no connection then. Raises ConnectionResetError."""
        if self._writer is None or self._reader is None or self._reader.at_eof():
            raise ConnectionResetError("the connection is closed")
        writer, self._writer, self._reader = self._writer, None, None
        self._parser.on_disconnect()  # type: ignore[no-untyped-call]
        return writer

    def parse_error(self, words: str) -> Exception:
        """The error that the server's words stand for."""
        error: Exception = self._parser.parse_error(words)  # type: ignore[no-untyped-call]
        return error

    async def _send(self, parts: Iterable[bytes]) -> None:
        writer = self._writer
        if writer is None:
            raise ConnectionResetError("the connection is closed")
        writer.writelines(parts)
        if writer.transport.get_write_buffer_size() or writer.is_closing():
            async with asyncio.timeout(self.socket_timeout):
                await writer.drain()


def _parts(command: bytes | str | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(command, str):
        command = command.encode()
    return [command] if isinstance(command, bytes) else command


def make_interruptible(pool: ConnectionPool) -> None:
    """Let the pool make such connections, of the kind that its address asks for."""
    kind = pool.connection_class
    pool.connection_class = type(f"Interruptible{kind.__name__}", (Interruptible, kind), {})

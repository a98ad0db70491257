"""One connection that all commands of a process share: sent as they come, answered in their order.

A connection of its own for each command costs several times what the command does: it is taken from a pool
and given back, through locks, timers and streams. Here a command is packed, and its reply resolves a future.
One leaves at once where none is on its way. Behind one, those of a turn of the loop leave in one packet, so
that the server writes them to its disk together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

import hiredis
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as TookTooLong

from bot.store.redis_client.interruptible import Interruptible

Reply = Any
Command = tuple[Any, ...]
"""A command in Redis' own words."""

_INCOMPLETE: Final = object()
CLOSED = "Connection closed by server."


class _Request(NamedTuple):
    """Commands that were sent together."""

    replies: list[Reply]
    many: int
    answered: asyncio.Future[list[Reply]]
    sent_at: float


class SharedConnection(asyncio.Protocol):
    """A connection that redis-py has made and authenticated. Nothing else uses it."""

    def __init__(self, connection: Interruptible, *, of_sentinels: bool = False) -> None:
        self._of_sentinels = of_sentinels
        self._timeout = connection.socket_timeout
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        encoder = connection.encoder
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection.parse_error,
            encoding=encoder.encoding if encoder.decode_responses else None,
            errors=encoder.encoding_errors,
            notEnoughData=_INCOMPLETE,
        )
        self._unsent: list[bytes] = []
        self._waiting: deque[_Request] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._retired = False
        self.closed = False
        self._writer = connection.detach()  # kept: when it is collected, it closes the transport
        self._transport = cast("asyncio.Transport", self._writer.transport)
        self._transport.set_protocol(self)

    def send(self, packed: bytes, many: int) -> asyncio.Future[list[Reply]]:
        """Send so many commands; the future gets their replies, errors of the server among them.

        Whoever no longer waits may cancel the future: the commands are executed all the same.
        """
        answered = self._loop.create_future()
        if self.closed:
            answered.set_exception(Disconnected(CLOSED))
            return answered
        idle = not self._waiting
        self._waiting.append(_Request([], many, answered, self._loop.time()))
        self._unsent.append(packed)
        if idle:
            self._flush()
        elif len(self._unsent) == 1:
            self._loop.call_soon(self._flush)
        if self._timer is None and self._timeout is not None:
            self._timer = self._loop.call_later(self._timeout, self._check)
        return answered

    def retire(self) -> None:
        """Close it once all that was sent is answered."""
        self._retired = True
        if not self._waiting:
            self.close()

    def close(self, why: Callable[[], Exception] = lambda: Disconnected(CLOSED)) -> None:
        """Close it. Whoever waits for a reply gets an error."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
        for request in self._waiting:
            if not request.answered.done():
                request.answered.set_exception(why())
        self._waiting.clear()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.closed:
            self._transport.writelines(unsent)

    def _check(self) -> None:
        """Close the connection if nothing was heard, or the oldest command has waited, for too long."""
        self._timer = None
        if not self._waiting or self._timeout is None:
            return
        oldest = self._waiting[0].sent_at
        silent_until = max(oldest, self._heard_at) + self._timeout
        left = min(silent_until, oldest + total_timeout(self._timeout)) - self._loop.time()
        if left <= 0:
            self.close(lambda: TookTooLong("Timeout reading from the server"))
        else:
            self._timer = self._loop.call_later(left, self._check)

    # ── what the transport calls ────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._reader.feed(data)
        while not self.closed and (reply := self._next()) is not _INCOMPLETE:
            if isinstance(reply, hiredis.PushNotification):
                self._pushed(reply)
            elif self._of_sentinels and isinstance(reply, ReadOnlyError):
                # It was the primary. The sentinels are asked who is, when the commands are sent again.
                self.close(lambda: Disconnected("The previous master is now a slave"))
            else:
                self._answer(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(lambda: Disconnected(f"Connection closed by server ({exc})." if exc else CLOSED))

    def _next(self) -> Reply:
        try:
            return self._reader.gets()
        except InvalidResponse:
            self.close(lambda: Disconnected("Redis sent what is no reply."))
            return _INCOMPLETE
        except ValueError as error:
            return error  # Bytes that are no text. The replies behind it are whole.

    def _pushed(self, message: Reply) -> None:
        """What is no reply: nobody here has asked for it."""

    def _answer(self, reply: Reply) -> None:
        if not self._waiting:
            self.close()
            return
        request = self._waiting[0]
        request.replies.append(reply)
        if len(request.replies) == request.many:
            self._waiting.popleft()
            if not request.answered.done():
                request.answered.set_result(request.replies)
            if self._retired and not self._waiting:
                self.close()


def total_timeout(socket_timeout: float) -> float:
    """Seconds after which a command is given up, on however many connections it was sent.

    So a half-open connection costs a command the first half, and it is sent again in the second one.
    """
    return 2 * socket_timeout


def packed(commands: Iterable[Command]) -> bytes:
    """The commands as they are sent."""
    return b"".join(hiredis.pack_command((*command[0].split(), *command[1:])) for command in commands)


def usable(replies: list[Reply]) -> list[Reply]:
    """The replies. Raises what answers no command: an error of the connection, or bytes that are no text."""
    for reply in replies:
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply
    return replies

"""Ports of this machine that nobody else is given while a test has them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"


@contextmanager
def reserved(many: int) -> Iterator[list[int]]:
    """Ports on which servers can listen, also again after they have ended, until the block ends.

    A port that is found free and let go may be anybody's a moment later. So a socket stays bound to each of
    these without listening: whoever names the port can listen there, since servers let their address be
    reused, and the system gives it to nobody who doesn't.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(many)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((HOST, 0))
        yield [each.getsockname()[1] for each in sockets]

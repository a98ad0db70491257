"""A program that stands in for the Python interpreter: a fork server forks what it is asked to run.

A copy of this file lies beside the socket of the fork server, as `python`. `python [-P] -m ...` with a module
of ours, and `python [-P] -c ...`, hand their arguments, environment, folder and open files over, pass signals
on, and end as the forked process does. That one is killed with its process group once this program is gone.
Whatever else it is asked to run is run by the real interpreter. It imports little, as it starts anew each
time.
"""

import array
import contextlib
import json
import os
import signal
import socket
import sys

SOCKET = "programs"
"""The name of the fork server's socket for programs like this one."""
CLIENTS = "clients"
"""That of its socket for processes that run tests."""
LENGTH_BYTES = 8
OURS = ("bot", "crews", "tests")
"""The packages whose modules are run in a forked process."""
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main() -> None:
    """Be the interpreter."""
    program, *arguments = sys.argv
    if not _is_forked(arguments):
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell is wanted
    # A signal that comes meanwhile is passed on afterwards.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.path.join(os.path.dirname(program), SOCKET))  # noqa: PTH118, PTH120
        _hand_over(server, arguments)
        for number in FORWARDED:
            signal.signal(number, lambda number, _: _pass_on(server, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        status = int(server.recv(LENGTH_BYTES) or b"1")
    if status < 0:
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _is_forked(arguments: list[str]) -> bool:
    match arguments[arguments[:1] == ["-P"] :]:
        case ["-m", module, *_]:
            return module.partition(".")[0] in OURS
        case ["-c", _, *_]:
            return True
    return False


def _hand_over(server: socket.socket, arguments: list[str]) -> None:
    """What the forked process inherits in place of this one."""
    known = map(int, os.listdir("/proc/self/fd"))  # noqa: PTH208
    descriptors = [each for each in known if _is_inherited(each)]
    what = {
        "arguments": arguments,
        "env": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "descriptors": descriptors,
    }
    content = json.dumps(what).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    server.sendmsg([len(content).to_bytes(LENGTH_BYTES, "big")], rights)
    server.sendall(content)


def _pass_on(server: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the process has just ended
        server.send(bytes([number]))


def _is_inherited(descriptor: int) -> bool:
    """All that Python opens itself closes when another program is executed."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the folder that was listed
        return False


if __name__ == "__main__":
    main()

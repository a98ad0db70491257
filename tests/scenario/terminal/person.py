"""A person at a terminal: a process on a pseudo-terminal, read through a terminal emulator.

with person(server.url, "start", "demo", "topic=tide mills") as ada:
    ada.sees("Shall I publish")      # waits until it is on the screen
    ada.types("\\r")
    assert ada.leaves() == 0         # the exit status
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

from tests.folders import own_folder
from tests.scenario.server import Server, environment
from tests.waiting import WITHIN, pauses

UP, DOWN, ENTER, CTRL_C = "\x1b[A", "\x1b[B", "\r", "\x03"
WIDTH, HEIGHT = 110, 45
AS_A_SHELL_DOES = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C on this terminal is for us
os.execv(sys.argv[1], sys.argv[1:])
"""


class _Screen(pyte.Screen):
    """A screen that answers what programs ask terminals."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__(WIDTH, HEIGHT)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Person:
    """One process on a terminal of its own."""

    def __init__(self, program: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self._line, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._screen = _Screen(self.types)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._raw = bytearray()
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", AS_A_SHELL_DOES, *program],
            cwd=folder,
            env={**env, "TERM": "xterm-256color"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._line, 65536)
            except OSError:  # the terminal is gone with the last process on it
                return
            with self._lock:
                self._raw += chunk
                self._stream.feed(chunk)

    @property
    def raw(self) -> str:
        """All that the terminal was sent so far, as it came."""
        with self._lock:
            return self._raw.decode(errors="replace")

    @property
    def screen(self) -> str:
        """What is on the screen now."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def sees(self, *words: str) -> None:
        """Wait until all of these are on the screen."""
        self._wait(lambda screen: all(word in screen for word in words), f"There is no {words}")

    def sees_no(self, words: str) -> None:
        """Wait until this is gone."""
        self._wait(lambda screen: words not in screen, f"There still is {words!r}")

    def _wait(self, there: Callable[[str], bool], otherwise: str) -> None:
        deadline = time.monotonic() + WITHIN
        for pause in pauses():
            if there(self.screen):
                return
            assert time.monotonic() < deadline, f"{otherwise} after {WITHIN} s:\n{self.screen}"
            time.sleep(pause)

    def types(self, keys: str) -> None:
        os.write(self._line, keys.encode())

    def leaves(self) -> int:
        """Wait for the end; the exit status."""
        try:
            status = self.process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It doesn't end:\n{self.screen}") from None
        self._reading.join(WITHIN)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WITHIN)
        self._reading.join(WITHIN)
        os.close(self._line)


@contextmanager
def person(
    url: str, *words: str, env: Mapping[str, str] | None = None, executed: bool = False
) -> Iterator[Person]:
    """Somebody who runs `crewdeck <words>` against the server at `url`.

    `executed`: as people start it; otherwise a fork server has imported it.
    """
    program = (sys.executable if executed else Server.python(), "-m", "bot", *words)
    with own_folder() as folder:
        somebody = Person(program, environment(folder) | {"CREWDECK_URL": url} | dict(env or {}), folder)
        try:
            yield somebody
        finally:
            somebody.close()


def piped(url: str, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """`crewdeck <words>` in a pipe."""
    with own_folder() as folder:
        return subprocess.run(
            [Server.python(), "-m", "bot", *words],
            cwd=folder,
            env=environment(folder) | {"CREWDECK_URL": url} | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=WITHIN * 2,
        )

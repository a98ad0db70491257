"""Asks the person at the terminal, where no run is under way: a project that is started by `crewai run`.

In a worker it is switched off: code that has lost its run must never reach the terminal of whoever started
the worker.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from bot.core.text import terminal_safe

T = TypeVar("T")

APPROVE, REJECT = "approve", "reject"
_ONE_AT_A_TIME = threading.Lock()
"""Agents work side by side, and one person reads one question at a time."""


class NoTerminal(RuntimeError):  # noqa: N818 - says what is missing
    """Nobody can be asked: this is no run of Crewdeck, and no person is at a terminal."""


class _AskingSwitch:
    """Whether a person at the terminal may be asked in this process."""

    allowed = True


def forbid_asking() -> None:
    """Never ask at the terminal in this process, which runs crews for Crewdeck."""
    _AskingSwitch.allowed = False


def asking_allowed() -> bool:
    """Whether the terminal may be asked. There may still be none: `asking` says so."""
    return _AskingSwitch.allowed


@contextmanager
def asking(what: str) -> Iterator[None]:
    """One question at a time. Raises NoTerminal; `what` can't be asked."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise NoTerminal(
            f"{what} needs a run that Crewdeck started, or a person at a terminal, and standard input and "
            "output are none. Nobody was asked, and nothing is approved. Start it with `crewdeck serve`, or "
            "in a terminal."
        )
    with _ONE_AT_A_TIME, _quiet_console():
        try:
            yield
        except EOFError:
            raise NoTerminal(f"{what} was not answered: the input ended. Nothing is approved.") from None


def say(*lines: str) -> None:
    """Print lines, with every character of them visible."""
    for line in lines:
        sys.stdout.write(f"{terminal_safe(line)}\n")
    sys.stdout.flush()


def ask_until(prompt: str, read: Callable[[str], T]) -> T:
    """Read lines until one is understood. `read` raises ValueError with what is wrong."""
    while True:
        typed = input(f"{terminal_safe(prompt)} ").strip()
        try:
            return read(typed)
        except ValueError as error:
            say(f"  {error}")


def confirm(what: str, lines: Iterable[str]) -> bool:
    """Show the lines completely, and have the person approve or reject. Raises NoTerminal."""
    with asking(what):
        say("", *lines)
        return ask_until(f"Type {APPROVE} or {REJECT}:", _decision) == APPROVE


def _decision(typed: str) -> str:
    if typed.casefold() in {APPROVE, REJECT}:
        return typed.casefold()
    raise ValueError(f"Only the word {APPROVE} approves, and {REJECT} rejects.")


@contextmanager
def _quiet_console() -> Iterator[None]:
    """CrewAI redraws its console while it streams, which would overwrite the question."""
    if "crewai" not in sys.modules:
        yield
        return
    from crewai.events.event_listener import event_listener

    event_listener.formatter.pause_live_updates()
    try:
        yield
    finally:
        event_listener.formatter.resume_live_updates()

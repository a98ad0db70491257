"""What processes do with the open files and signals that they were started with."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
LIMITS = """if True:
    import resource
    from bot.processes.start import allow_open_files

    allow_open_files()
    print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
SIGNALS = "from bot.processes.start import stop_signals; print(*(each.name for each in stop_signals()))"


def said_by(script: str, shell: str) -> str:
    """What Python prints that a shell starts after these commands."""
    return subprocess.run(
        ["/bin/sh", "-c", f'{shell}; exec "$0" -c "$1"', sys.executable, script],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.mark.parametrize(
    ("shell", "limits"),
    [
        ("ulimit -Sn 100; ulimit -Hn 500", "500 500"),
        ("ulimit -Sn 500; ulimit -Hn 500", "500 500"),
    ],
)
def test_as_many_files_as_the_hard_limit_allows_may_be_open(shell: str, limits: str) -> None:
    assert said_by(LIMITS, shell) == limits


def test_a_higher_limit_stays() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= 65_536:
        pytest.skip("this machine allows no higher limit")
    assert said_by(LIMITS, "ulimit -Sn 65537").split()[0] == "65537"


def test_a_closed_terminal_stops_a_process_unless_it_was_told_to_ignore_that() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # of pytest, which may itself have been told so
    try:
        assert said_by(SIGNALS, ":") == "SIGINT SIGTERM SIGHUP"
    finally:
        signal.signal(signal.SIGHUP, before)
    assert said_by(SIGNALS, "trap '' HUP") == "SIGINT SIGTERM"

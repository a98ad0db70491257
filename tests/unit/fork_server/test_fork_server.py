"""The fork server of tests: what it forks behaves as if it had been executed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.fork_server.client import REPOSITORY, SERVE, ForkServer
from tests.scenario.server import environment
from tests.waiting import WITHIN

pytestmark = pytest.mark.slow


def done(python: str, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The exit status of a command, and what it printed."""
    finished = subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=environment(folder) | {"CREWDECK_LOG_FORMAT": "console"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout, finished.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "bot", "runs", "--nonsense"),
        ("-m", "bot", "inbox"),
        # Starts itself over, with its secrets in a pipe.
        ("-m", "crews", "list"),
        ("-c", "import sys; print(__name__, sys.path[0], sys.argv); sys.exit('bad')", "-m", "bot"),
        ("-P", "-c", "seen = 1; import __main__; print(__main__.seen)"),
    ],
)
def test_a_command_says_and_ends_as_if_it_had_been_executed(
    fork_server: ForkServer, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    forked, executed = [done(python, tmp_path, *arguments) for python in (fork_server.python, sys.executable)]
    assert forked == executed
    assert "".join(forked[1:])


OVERTAKEN = """
import os, shutil, socket
from tests.fork_server.server import Ward, Wish

fork = os.fork

def overtaken():
    pid = fork()
    if pid:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid

os.fork = overtaken
true, (program, _) = shutil.which("true"), socket.socketpair()
ward = Ward("python", os.pipe(), socket.socket(), socket.socket())
pid = ward._bear(Wish(lambda: os.execv(true, [true]), dict(os.environ), "/", {}), program)
print(os.getpgid(pid) == pid)
"""


def test_a_child_that_has_executed_a_program_before_the_fork_server_goes_on_leads_its_group() -> None:
    """On a busy machine the system lets a child run first."""
    command = [sys.executable, "-c", OVERTAKEN]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.stderr) == ("True\n", "")


def of_fork_server(fork_server: ForkServer, folder: Path) -> list[psutil.Process]:
    """What it has forked that runs in this folder."""
    found = psutil.process_iter(["cmdline", "cwd"])
    return [
        each
        for each in found
        if fork_server.python in (each.info["cmdline"] or [])[3:] and each.info["cwd"] == str(folder)
    ]


@contextmanager
def serving(fork_server: ForkServer, folder: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A program that stands in for a server, and the forked server."""
    with subprocess.Popen(
        [fork_server.python, "-P", "-m", "bot", "serve"],
        cwd=folder,
        env=environment(folder) | {"CREWDECK_WORKERS": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            assert "http://" in next(line for line in program.stdout if "http://" in line)
            [forked] = of_fork_server(fork_server, folder)
            yield program, forked
        finally:
            program.kill()


def test_signals_reach_the_forked_process(fork_server: ForkServer, data_dir: Path) -> None:
    with serving(fork_server, data_dir) as (program, forked):
        program.send_signal(signal.SIGTERM)
        assert program.wait(WITHIN) == 0
        assert not forked.is_running()


def test_the_program_ends_by_the_signal_that_ends_the_forked_process(
    fork_server: ForkServer, data_dir: Path
) -> None:
    with serving(fork_server, data_dir) as (program, forked):
        forked.kill()
        assert program.wait(WITHIN) == -signal.SIGKILL


def test_the_forked_process_ends_when_the_program_is_killed(fork_server: ForkServer, data_dir: Path) -> None:
    with serving(fork_server, data_dir) as (program, forked):
        program.kill()
        assert psutil.wait_procs([forked], timeout=WITHIN)[0] == [forked]


def test_who_goes_away_takes_its_own_children_along(
    fork_server: ForkServer, data_dir: Path, tmp_path: Path
) -> None:
    python = Path(fork_server.python)
    with ForkServer.connected(python) as staying:
        with ForkServer.connected(python) as leaving:
            first, other = (
                each.born(SERVE, environment(folder) | {"CREWDECK_WORKERS": "0"}, folder, folder / "log")
                for each, folder in ((leaving, data_dir), (staying, tmp_path))
            )
            process = psutil.Process(first.pid)
        assert psutil.wait_procs([process], timeout=WITHIN)[0] == [process]
        assert other.poll() is None
        other.kill()
        assert other.wait(WITHIN) == -signal.SIGKILL
    assert first.pid != other.pid

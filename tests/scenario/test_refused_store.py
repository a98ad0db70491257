"""Every command with an address that Redis refuses: one line that names setting and file, and status 2."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.servers import Server
from tests.folders import own_folder
from tests.ports import HOST, reserved
from tests.scenario.server import Server as ForkedServer
from tests.scenario.server import environment
from tests.scenario.test_serve import run_command
from tests.waiting import WITHIN

SECRET = "tide-mill-7"
COMMANDS = ("serve", "deliver", "worker", "runs list", "keys list", "sessions list", "webhooks list")
DELIVERS = {"CREWDECK_WEBHOOKS": f"erp=https://erp.example/hooks whsec_{'A' * 44}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_folder() as folder, reserved(1) as [port], Server(folder, port) as alone:
        rules = ("~crewdeck:*", "resetchannels", "+@all", "-@dangerous", "+info")
        alone.tell("ACL", "SETUSER", "without_channel", "on", f">{SECRET}", *rules)
        yield alone


ADDRESSES = {
    "password": ("ada:{secret}@{host}:{port}", "refuses the user or the password"),
    "permission": ("without_channel:{secret}@{host}:{port}", "does not let the user"),
    "database": ("{host}:{port}/99", "no database of that number"),
    "tls": ("{host}:{port}?socket_timeout=0.3", "doesn't speak TLS"),
}


MISTAKES = [*((each, "password") for each in COMMANDS), *(("worker", each) for each in ADDRESSES)]
"""Of processes that start, workers alone wait for a store that is away."""


@pytest.mark.parametrize(("command", "what"), dict.fromkeys(MISTAKES))
def test_a_mistake_is_one_line(server: Server, command: str, what: str, tmp_path: Path) -> None:
    address, said = ADDRESSES[what]
    scheme = "rediss" if what == "tls" else "redis"
    url = f"{scheme}://{address.format(secret=SECRET, host=HOST, port=server.port)}"
    (tmp_path / ".env").write_text(f"REDIS_URL={url}\n")
    done = run_command(tmp_path, *command.split(), **DELIVERS)
    assert done.returncode == 2, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith(f"crewdeck: REDIS_URL (in {tmp_path / '.env'}): ")
    assert said in line
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_worker_waits_for_a_redis_that_is_away(tmp_path: Path) -> None:
    with reserved(1) as [port]:
        worker = subprocess.Popen(
            [ForkedServer.python(), "-m", "bot", "worker"],
            cwd=tmp_path,
            env=environment(tmp_path) | {"REDIS_URL": f"redis://{HOST}:{port}"},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert worker.stderr is not None
            said = next(line for line in worker.stderr if "Redis is away; waiting for it" in line)
            assert "REDIS_URL (in the environment): Redis can't be reached" in said
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(WITHIN) == 0
        finally:
            worker.kill()
            worker.wait(WITHIN)
            if worker.stderr is not None:
                worker.stderr.close()

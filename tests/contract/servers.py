"""Redis servers of a test's own, alone or together: replicas, sentinels, clusters. They end with it."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import redis
from redis.crc import key_slot

from bot.store.embedded import find_server
from tests.folders import own_folder
from tests.ports import HOST, reserved
from tests.waiting import WITHIN

SLOTS = 16384
Answer = Any
"""What a server says."""
SERVICE = "crews"
PATIENT, IMPATIENT = 20_000, 800
"""Milliseconds after which a sentinel takes a silent primary for dead: before a test wants that, and then."""
PATIENT_NODES, IMPATIENT_NODES = 20_000, 1500
"""Milliseconds after which nodes of a cluster take one for dead."""


def until(happens: Callable[[], object], what: str) -> None:
    """Wait until something is so; a server that can't be reached yet is not so."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, OSError):
            if happens():
                return
        time.sleep(0.03)
    raise AssertionError(f"{what}: not within {WITHIN:.0f} s")


def command(client: redis.Redis, *words: str | int) -> Answer:
    """Any command, in the server's own words."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


class Server:
    """One `valkey-server` (or another binary) on a TCP port."""

    def __init__(self, folder: Path, port: int, *options: str, binary: str | None = None) -> None:
        self.port = port
        self._folder = folder / str(port)
        self._folder.mkdir(exist_ok=True)
        self._binary = binary or str(find_server())
        self._options = options
        self.start()

    def start(self) -> None:
        command = [self._binary, *self._arguments(), "--dir", str(self._folder), "--logfile", "log"]
        self._process = subprocess.Popen(command)

    def _arguments(self) -> Sequence[str]:
        listening = ("--port", str(self.port), "--bind", HOST)
        return (*listening, "--save", "", "--appendonly", "yes", *self._options)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    @contextmanager
    def asked(self) -> Iterator[redis.Redis]:
        """A client of this very server."""
        with self._client() as client:
            yield client

    def _client(self) -> redis.Redis:
        return redis.Redis(host=HOST, port=self.port, decode_responses=True, socket_timeout=5)

    def tell(self, *words: str | int) -> Answer:
        with self.asked() as client:
            return command(client, *words)

    def info(self, section: str, name: str) -> object:
        with self.asked() as client:
            return client.info(section).get(name)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def deafen(self) -> None:
        """From now on it doesn't hear the other nodes of its cluster; they hear it."""
        self.tell("DEBUG", "DROP-CLUSTER-PACKET-FILTER", -2)

    def hear(self) -> None:
        self.tell("DEBUG", "DROP-CLUSTER-PACKET-FILTER", -1)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(WITHIN)

    def __enter__(self) -> Self:
        until(lambda: self.info("server", "redis_version"), "a server that answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class SentinelServer(Server):
    """A sentinel that alone decides about one service."""

    def __init__(self, folder: Path, port: int, primary: Server) -> None:
        (folder / str(port)).mkdir(exist_ok=True)
        self._file = folder / str(port) / "sentinel.conf"
        self._file.write_text(
            f"port {port}\nbind {HOST}\n"
            f"sentinel monitor {SERVICE} {HOST} {primary.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} {PATIENT}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        super().__init__(folder, port)

    def _arguments(self) -> Sequence[str]:
        return (str(self._file), "--sentinel")

    def primary(self) -> int:
        """The port of the server that it calls the primary."""
        with self.asked() as client:
            return int(command(client, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def knows_replica(self) -> bool:
        with self.asked() as client:
            return bool(command(client, "SENTINEL", "REPLICAS", SERVICE))


class Pair:
    """A primary with a replica, and a sentinel that promotes it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        first, second, third = stack.enter_context(reserved(3))
        # Failovers and full copies without the pauses that help large servers.
        quick = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        self.primary = stack.enter_context(Server(folder, first, *quick))
        self.replica = stack.enter_context(Server(folder, second, *quick, "--replicaof", f"{HOST} {first}"))
        until(lambda: self.replica.info("replication", "master_link_status") == "up", "a replica")
        self.sentinel = stack.enter_context(SentinelServer(folder, third, self.primary))
        until(self.sentinel.knows_replica, "a sentinel that knows the replica")

    def lose_patience(self) -> None:
        """From now on the sentinel soon takes a primary that is silent for dead.

        Before, a primary that has to wait for the processor would be replaced, too.
        """
        self.sentinel.tell("SENTINEL", "SET", SERVICE, "down-after-milliseconds", IMPATIENT)

    def mend(self) -> None:
        """Start the replica if it died."""
        if not self.replica.alive:
            self.replica.start()
        until(lambda: self.replica.info("replication", "master_link_status") == "up", "a replica")
        until(lambda: self.primary.info("replication", "connected_slaves") == 1, "a replica")

    @property
    def url(self) -> str:
        return f"redis+sentinel://{HOST}:{self.sentinel.port}/{SERVICE}"


@contextmanager
def pair() -> Iterator[Pair]:
    with own_folder() as folder, ExitStack() as stack:
        yield Pair(folder, stack)


class Cluster:
    """Three primaries; the first has a replica."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        ports = stack.enter_context(reserved(8))
        self.nodes = [
            stack.enter_context(Server(folder, port, *_in_a_cluster(bus)))
            for port, bus in zip(ports[:4], ports[4:], strict=True)
        ]
        for other, bus in zip(self.nodes[1:], ports[5:], strict=True):
            self.nodes[0].tell("CLUSTER MEET", HOST, other.port, bus)
        share = SLOTS // 3
        for n, node in enumerate(self.primaries):
            last = SLOTS - 1 if n == 2 else (n + 1) * share - 1
            node.tell("CLUSTER ADDSLOTS", *range(n * share, last + 1))
        first = str(self.nodes[0].tell("CLUSTER MYID"))
        until(lambda: self.replica.tell("CLUSTER REPLICATE", first), "a replica that knows its primary")
        until(self.is_whole, "a cluster that is whole")
        until(lambda: self.replica.info("replication", "master_link_status") == "up", "a replica")
        self._set_timeout(PATIENT_NODES)

    @property
    def primaries(self) -> list[Server]:
        """At first."""
        return self.nodes[:3]

    @property
    def replica(self) -> Server:
        """At first."""
        return self.nodes[3]

    def owner(self, key: str) -> Server:
        """The node that has a key now."""
        slot = key_slot(key.encode())
        for low, high, (_, port, *_), *_ in self.primaries[1].tell("CLUSTER SLOTS"):
            if low <= slot <= high:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody has {key}")

    def promote(self, node: Server) -> None:
        """Let a replica take over from its primary, in good order."""
        until(lambda: node.info("replication", "master_link_status") == "up", "a replica")
        node.tell("CLUSTER FAILOVER")
        until(lambda: node.info("replication", "role") == "master", "a new primary")
        until(self.is_whole, "a cluster that is whole")

    def replace_unnoticed(self) -> None:
        """The first primary is paused and replaced by its replica. When it goes on, it can't hear of that."""
        first, replica = self.primaries[0], self.replica
        first.deafen()
        first.freeze()
        replica.tell("CLUSTER FAILOVER", "TAKEOVER")
        until(lambda: all(replica.port in _owners(node) for node in self.primaries[1:]), "others that know")
        first.thaw()
        until(lambda: first.info("replication", "connected_slaves") == 0, "a primary without replicas")

    def lose_patience(self) -> None:
        """From now on a node that is silent is soon taken for dead, also if it waits for the processor."""
        self._set_timeout(IMPATIENT_NODES)

    def _set_timeout(self, milliseconds: int) -> None:
        for node in self.nodes:
            node.tell("CONFIG", "SET", "cluster-node-timeout", milliseconds)

    def mend(self) -> None:
        """Start who died, and give everybody the part that they had at first."""
        for node in self.nodes:
            if not node.alive:
                node.start()
            until(lambda node=node: node.info("server", "redis_version"), "a server that answers")  # type: ignore[misc]
            node.hear()
        self.lose_patience()
        until(self._is_as_at_first, "a cluster as it was at first")
        self._set_timeout(PATIENT_NODES)

    def _is_as_at_first(self) -> bool:
        first = self.nodes[0]
        if first.info("replication", "master_link_status") == "up":
            # Without votes, of which there is one in some seconds.
            first.tell("CLUSTER FAILOVER", "TAKEOVER")
            return False
        return self.replica.info("replication", "master_link_status") == "up" and self.is_whole()

    def is_whole(self) -> bool:
        return all(map(_is_whole, self.nodes))

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{node.port}" for node in self.nodes)


@contextmanager
def cluster() -> Iterator[Cluster]:
    with own_folder() as folder, ExitStack() as stack:
        yield Cluster(folder, stack)


def empty(url: str) -> None:
    """Forget everything that is behind a URL of these tests."""
    kind, _, hosts = url.partition("://")
    urls = [f"redis://{host}" for host in hosts.split(",")] if kind == "redis+cluster" else [url]
    for each in urls:
        with redis.Redis.from_url(each) as client, contextlib.suppress(redis.ReadOnlyError):
            client.flushall()


def _owners(node: Server) -> set[int]:
    """The ports of the nodes that have slots, by the word of one."""
    return {port for _, _, (_, port, *_), *_ in node.tell("CLUSTER SLOTS")}


def _in_a_cluster(bus: int) -> tuple[str, ...]:
    return (
        *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
        *("--cluster-node-timeout", str(IMPATIENT_NODES), "--cluster-replica-validity-factor", "0"),
        *("--repl-diskless-sync-delay", "0", "--enable-debug-command", "local"),
    )


def _is_whole(node: Server) -> bool:
    state = node.tell("CLUSTER INFO")
    return bool(state["cluster_state"] == "ok" and state["cluster_known_nodes"] == "4")

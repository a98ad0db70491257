"""`make chaos`: a storm, what happened in it, and what held. Exit status 1 if something didn't.

python -m tests.faults.chaos SECONDS SEED [embedded | redis-server]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from tests.faults.chaos.servers import EmbeddedValkey, InstalledRedis, RedisServer
from tests.faults.chaos.storm import Storm
from tests.folders import own_folder
from tests.fork_server.client import ForkServer

SERVERS: dict[str, Callable[[Path], RedisServer]] = {
    "embedded": EmbeddedValkey,
    "redis-server": InstalledRedis,
}


async def storm(seconds: float, seed: int, server: str) -> int:
    with own_folder() as folder, ForkServer.opened() as fork_server:
        async with Storm.brewing(folder, fork_server, SERVERS[server], seed) as storm:
            say(f"A storm of {seconds:g} s, seed {seed}, on {server}.")
            await storm.rage(seconds)
            await storm.calm()
            say(storm.report())
            if not storm.invariants.violations:
                return 0
            say(f"\nSeed {seed}:", *(f"  {what}: {why}" for what, why in storm.invariants.violations))
            say(await storm.invariants.story())
            return 1


def say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    words = [*sys.argv[1:], *("60", "1", "embedded")[len(sys.argv) - 1 :]]
    sys.exit(asyncio.run(storm(float(words[0]), int(words[1]), words[2])))

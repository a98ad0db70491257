"""A short storm; `make chaos` makes longer ones."""

from pathlib import Path

import pytest

from tests.faults.chaos.servers import EmbeddedValkey
from tests.faults.chaos.storm import Storm
from tests.fork_server.client import ForkServer

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def test_everything_ends_as_it_should_in_a_storm(data_dir: Path, fork_server: ForkServer) -> None:
    async with Storm.brewing(data_dir, fork_server, EmbeddedValkey, seed=1) as storm:
        await storm.rage(10)
        await storm.calm()
        assert not storm.invariants.violations, f"{storm.report()}\n{await storm.invariants.story()}"
        killed = {"SIGKILL of a worker", "SIGKILL of a web process", "SIGKILL of Redis"}
        assert killed <= storm.done.keys(), storm.report()

"""A process that takes part in a measurement: a baseline, or Slack."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.scenario.server import environment

MAX_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Peer:
    """`python -m bench.peers.<name>`. It says something once it is up, and then answers what it is asked."""

    process: asyncio.subprocess.Process

    @classmethod
    @asynccontextmanager
    async def started(
        cls, name: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[Self]:
        """Perhaps not up yet, so that several can start at once; ended with the block."""
        with tempfile.TemporaryDirectory(prefix="crewdeck-bench-") as folder:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"bench.peers.{name}", *arguments),
                cwd=folder,
                env=environment(Path(folder)) | dict(env or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=MAX_LINE_BYTES,
            )
            try:
                yield cls(process)
            finally:
                await _end(process)

    async def heard(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the peer has died; standard error says why"
        words: dict[str, Any] = json.loads(line)
        return words

    async def ask(self, **words: Any) -> dict[str, Any]:
        """Ask for something, and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        return await self.heard()


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(3):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

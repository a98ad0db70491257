"""A provider's model that asks people one thing, where it is told to: the loopback one."""

from __future__ import annotations

import asyncio

from bench.peers import json_lines
from tests.loopback.models import DEFAULT, LoopbackModel, call, say

MARKER = "asks"
"""In the description of the task in whose course it asks."""


async def main() -> None:
    async with LoopbackModel() as model:
        model.script(MARKER, [call("ask_human", question="Go on?"), say("Done.")])
        model.script(DEFAULT, [say("Done.")])
        json_lines.say(base_url=model.base_url)
        async for _ in json_lines.requests():
            pass


if __name__ == "__main__":
    asyncio.run(main())

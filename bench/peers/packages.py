"""A process that has imported what a web process with Slack can't do without, and does nothing."""

from __future__ import annotations

import asyncio

import aiohttp.web  # noqa: F401 - what it takes in memory is what is measured
import redis.asyncio  # noqa: F401
import slack_bolt.async_app  # noqa: F401
from pydantic import BaseModel

from bench.peers import json_lines


class Loaded(BaseModel):
    """Pydantic loads most of itself with the first model."""

    name: str


async def main() -> None:
    json_lines.say(ready=True)
    async for _ in json_lines.requests():
        pass


if __name__ == "__main__":
    asyncio.run(main())

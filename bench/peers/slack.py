"""The loopback Slack in a process of its own, so that it doesn't slow down who measures."""

from __future__ import annotations

import asyncio
import sys

from bench.peers import json_lines
from tests.loopback.slack import LoopbackSlack


async def main(channels: int) -> None:
    async with LoopbackSlack() as slack:
        for number in range(channels):
            slack.person(f"U0BENCH{number}")
            slack.add_channel(f"C0BENCH{number}")
        json_lines.say(api_url=slack.api_url, token=slack.bot_token)
        async for _ in json_lines.requests():
            json_lines.say(posted=len(slack.called("chat.postMessage")))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

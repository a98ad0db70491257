"""The other end of a bare Redis publish/subscribe round trip: sends back what it hears."""

from __future__ import annotations

import asyncio
import sys

from redis.asyncio import Redis

from bench.peers import json_lines

PING, PONG = "bench:ping", "bench:pong"


async def echo(url: str) -> None:
    async with Redis.from_url(url) as redis, redis.pubsub(ignore_subscribe_messages=True) as heard:
        await heard.subscribe(PING)
        json_lines.say(listening=PING)
        async for message in heard.listen():
            await redis.publish(PONG, message["data"])


async def main(url: str) -> None:
    echoing = asyncio.create_task(echo(url))
    async for _ in json_lines.requests():
        pass
    echoing.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

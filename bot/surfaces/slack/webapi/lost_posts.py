"""Posts of which Slack's answer was lost: found by an id in the message, so that none is made twice.

Slack takes no idempotency key. The id is a random one of ours in a block, or that of the file that is shared.
A message without blocks has no place for one, and is posted again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bot.surfaces.chat.lost_answers import look_for
from bot.surfaces.chat.places import Conversation, MessageRef

CHECK_DELAYS_S = (0.3, 2.0)
"""Seconds before each look. The first one is before an orphan would be adopted."""
CLOCK_SKEW_S = 600.0
"""Slack's clock may be this far behind ours."""


class Conversations(Protocol):
    """What can be read of conversations. Raises RetryLater, Rejected."""

    async def replies(self, channel: str, thread_ts: str, oldest: str) -> Sequence[Mapping[str, Any]]: ...

    async def newest(self, channel: str, oldest: str) -> Sequence[Mapping[str, Any]]: ...


def marked(content: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A message with a random id in its first block that has none, and that id; empty if there is none."""
    blocks = list(content.get("blocks") or ())
    at = next((at for at, block in enumerate(blocks) if "block_id" not in block), None)
    if at is None:
        return dict(content), ""
    mark = f"m{uuid.uuid4().hex}"
    blocks[at] = {**blocks[at], "block_id": mark}
    return {**content, "blocks": blocks}, mark


async def find_post(where: Conversations, to: Conversation, mark: str, began: float) -> MessageRef | None:
    """Our message with this mark; None if it did not arrive, or that can't be found out.

    `began`: when it was sent, in seconds since the epoch.
    """
    oldest = f"{began - CLOCK_SKEW_S:.6f}"

    async def search() -> str | None:
        if to.thread:
            messages = await where.replies(to.channel, to.thread, oldest)
        else:
            messages = await where.newest(to.channel, oldest)
        return next((str(message["ts"]) for message in messages if _carries(message, mark)), None)

    found = await look_for(search, CHECK_DELAYS_S) if mark else None
    return MessageRef(to.channel, found) if found else None


def _carries(message: Mapping[str, Any], mark: str) -> bool:
    blocks, files = message.get("blocks") or (), message.get("files") or ()
    return any(each.get("block_id") == mark for each in blocks) or any(
        each.get("id") == mark for each in files
    )

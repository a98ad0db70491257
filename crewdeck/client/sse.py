"""Event streams as they come over the wire: bytes in, (id, data) out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple


class Sent(NamedTuple):
    """One event of a stream."""

    data: str
    #: Where a client goes on that has seen it.
    cursor: str


async def read(chunks: AsyncIterator[bytes], cursor: str = "") -> AsyncGenerator[Sent]:
    """The events of a stream. One that is cut off in the middle is not among them.

    Only line feeds end lines here, as the server writes them: U+2028 and its like are part of the data.
    """
    rest, data = b"", []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.removesuffix(b"\r").decode().partition(":")
            match name:
                case "id":
                    cursor = value.removeprefix(" ")
                case "data":
                    data.append(value.removeprefix(" "))
                case "" if not value and data and not line.startswith(b":"):
                    yield Sent("\n".join(data), cursor)
                    data = []

"""Whether an address that can't be used is a mistake: what its servers say when asked in another way.

A server that expects TLS looks like one that is away, and so does a service that no sentinel knows.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress

from redis.asyncio import SSLConnection

from bot.core.errors import StoreRefused, StoreUnavailable
from bot.store.redis_client.addresses import Address, Kind, Node
from bot.store.redis_client.pools import sentinel_pool
from bot.store.redis_client.redis_errors import ErrorTranslation

TIMEOUT_S = 2.0
"""Seconds in which a server answers that is there."""
REPLIES = (b"+", b"-")
"""How Redis begins its replies to PING, whoever may give it."""
WITH_TLS = "the server expects TLS: the address begins with rediss"
WITHOUT_TLS = "the server doesn't speak TLS: the address begins with redis, not rediss"


async def refusal_of(address: Address) -> str | None:
    """Why the servers won't take this address until it is corrected; None if they may only be away."""
    over_tls = issubclass(address.options.get("connection_class", object), SSLConnection)
    for node in _nodes(address):
        if over_tls and (refusal := await _refusal_of_certificates(address, node)):
            return refusal
        if over_tls and await _answers_plainly(node):
            return WITHOUT_TLS
        if not over_tls and await _answers_with_tls(node):
            return WITH_TLS
    return await _refusal_of_sentinels(address) if address.kind is Kind.SENTINEL else None


def _nodes(address: Address) -> Iterable[Node]:
    """Where its servers listen; none for a socket."""
    if address.nodes:
        return address.nodes
    host = address.options.get("host")
    return [(host, address.options.get("port", 6379))] if host else []


async def _refusal_of_certificates(address: Address, node: Node) -> str | None:
    """What one side has against the other's certificate. A server says it once hands are shaken.

    Nothing is sent after that: its objection could be lost, since it resets connections with unread commands.
    """
    options = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    try:
        with ErrorTranslation(address.secrets):
            async with asyncio.timeout(TIMEOUT_S):
                context = SSLConnection(**options).ssl_context.get()
                reader, writer = await asyncio.open_connection(*node, ssl=context)
                try:
                    await reader.read(1)
                finally:
                    writer.transport.abort()
    except StoreRefused as error:
        return _bare(error)
    except StoreUnavailable:
        return None
    return None


def _bare(error: StoreRefused) -> str:
    return str(error).removesuffix(".")


async def _answers_plainly(node: Node) -> bool:
    with suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*node)
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).startswith(REPLIES)
            finally:
                writer.transport.abort()
    return False


async def _answers_with_tls(node: Node) -> bool:
    """Whether it shakes hands. Nothing is sent to it, so its certificate doesn't matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(*node, ssl=context)
            writer.transport.abort()
    except ssl.SSLError as error:
        return "_ALERT_" in str(error)  # It wants a certificate, or another version.
    except (OSError, TimeoutError):
        return False
    return True


async def _refusal_of_sentinels(address: Address) -> str | None:
    """What the sentinels refuse, or which services they know in place of this one; None if one knows it."""
    pool = sentinel_pool(address)
    refusals, known = [], set()
    try:
        for sentinel in pool.sentinel_manager.sentinels:
            try:
                with ErrorTranslation(address.secrets):
                    known |= set(await sentinel.sentinel_masters())
            except StoreRefused as error:
                refusals.append(f"of a sentinel: {_bare(error)}")
            except StoreUnavailable:
                continue
    finally:
        await pool.sentinel_manager.aclose()
    if address.service in known:
        return None
    if known:
        return f"the sentinels know no service {address.service} (but {', '.join(sorted(known))})"
    return refusals[0] if refusals else None

"""Calls of MCP servers' tools: each is sent once, and where people decide on it, with what they were shown.

CrewAI sends a call up to three times if it fails or takes too long, though the server may have done what it
says; and it leaves out empty lists and objects, and rewrites `sources`.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from types import SimpleNamespace
from typing import Any

from crews.human_input.secret_arguments import not_null, resolved


@dataclass(frozen=True)
class SendOptions:
    """How a call is to be sent."""

    #: Without a retry after a failure.
    once: bool
    #: With the arguments of the call, unchanged; their JSON Schema. None: as CrewAI sends them.
    exactly: Mapping[str, Any] | None


CREWAI_DEFAULT = SendOptions(once=False, exactly=None)
"""Outside of runs."""
_SEND_OPTIONS: ContextVar[SendOptions] = ContextVar("crewdeck_mcp_send_options", default=CREWAI_DEFAULT)


@contextmanager
def sent(*, once: bool, exactly: Mapping[str, Any] | None) -> Iterator[None]:
    """What a tool sends to its server in the block is sent with these options."""
    install()
    token = _SEND_OPTIONS.set(SendOptions(once, exactly))
    try:
        yield
    finally:
        _SEND_OPTIONS.reset(token)


def install() -> None:
    """Patch the clients that CrewAI has loaded; it does so with the first server, as that takes long."""
    client: Any = getattr(sys.modules.get("crewai.mcp.client"), "MCPClient", None)
    if client is not None and not getattr(client, "_crewdeck_installed", False):
        client._retry_operation = _attempt(client._retry_operation)  # noqa: SLF001 - a seam
        client._clean_tool_arguments = _arguments(client._clean_tool_arguments)  # noqa: SLF001 - a seam
        client._crewdeck_installed = True  # noqa: SLF001 - ours
    wrapper: Any = getattr(sys.modules.get("crewai.tools.mcp_tool_wrapper"), "MCPToolWrapper", None)
    if wrapper is not None and "_crewdeck_mcp" not in vars(wrapper):
        wrapper._retry_with_exponential_backoff = _attempt_by_address(wrapper._retry_with_exponential_backoff)  # noqa: SLF001
        wrapper._crewdeck_mcp = True  # noqa: SLF001 - ours


def _attempt(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def attempt(client: Any, operation: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - CrewAI's
        if not _SEND_OPTIONS.get().once:
            return await original(client, operation, timeout)
        one = SimpleNamespace(execution_timeout=client.execution_timeout, max_retries=1)
        return await original(one, operation, timeout)

    return attempt


def _attempt_by_address(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """As `_attempt`, for servers that an agent names by their addresses alone."""

    @wraps(original)
    async def attempt(tool: Any, operation: Any, **arguments: Any) -> Any:
        if not _SEND_OPTIONS.get().once:
            return await original(tool, operation, **arguments)
        result, error, _ = await tool._execute_single_attempt(operation, **arguments)  # noqa: SLF001 - as it does
        return result if result is not None else error

    return attempt


def _arguments(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @wraps(original)
    def clean(client: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        schema = _SEND_OPTIONS.get().exactly
        return original(client, arguments) if schema is None else _given(arguments, schema, schema)

    return clean


def _given(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:
    """The value without fields of the schema that are None: to servers these aren't given; many refuse null.

    Where the schema names no fields, null was given, and shown.
    """
    schema = not_null(resolved(schema, whole), whole)
    match value:
        case dict():
            fields = schema.get("properties", {})
            return {
                name: _given(each, fields.get(name, {}), whole)
                for name, each in value.items()
                if each is not None or name not in fields
            }
        case list():
            return [_given(each, schema.get("items", {}), whole) for each in value]
    return value

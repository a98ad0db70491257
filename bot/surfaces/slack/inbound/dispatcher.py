"""Hands verified payloads to their listeners, behind both transports, and measures their acknowledgements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

import structlog
from pydantic import ValidationError

from bot.core.text import valid, valid_json
from bot.metrics import Metrics
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.slack.inbound.acknowledgement import FAILED, MALFORMED, NOTHING, Acknowledgement

log = structlog.get_logger(__name__)

KINDS = {
    "command": "command",
    "event_callback": "event",
    "block_actions": "press",
    "view_submission": "modal",
    "view_closed": "modal",
}
"""Labels of the metrics."""

Listener = Callable[[Mapping[str, Any]], Awaitable[Acknowledgement]]
"""Acknowledges a payload. Raises pydantic's ValidationError for one that lacks what its kind has."""

ENVELOPES: Mapping[str, frozenset[str]] = {
    "slash_commands": frozenset({"command"}),
    "events_api": frozenset({"event_callback"}),
    "interactive": frozenset({"block_actions", "view_submission", "view_closed"}),
}
"""What each kind of envelope of Socket Mode may hold."""


def kind_of(payload: Mapping[str, Any]) -> str:
    """`command`, or Slack's `type`."""
    return "command" if "command" in payload else str(payload.get("type"))


class Dispatcher:
    """Hands verified payloads to their listeners, and measures how long their acknowledgement takes."""

    def __init__(
        self, listeners: Mapping[str, Listener], metrics: Metrics, ack_priority: AckPriority
    ) -> None:
        """`listeners` by the kinds that are taken in; everything else is acknowledged."""
        self._listeners = listeners
        self._ack_priority = ack_priority
        self._metrics = metrics

    async def dispatch(self, payload: Mapping[str, Any]) -> Acknowledgement:
        """The acknowledgement of one request; 400 for what has not Slack's shape."""
        started = perf_counter()
        payload = {valid(name): valid_json(value) for name, value in payload.items()}
        kind = kind_of(payload)
        if kind not in self._listeners:
            return NOTHING  # of no use here, and not to be sent again
        try:
            with self._ack_priority.acknowledging():
                acknowledgement = await self._listeners[kind](payload)
        except ValidationError as error:
            log.warning("a payload has not Slack's shape", problems=error.error_count())
            return MALFORMED
        except Exception:
            log.exception("a request of Slack's failed")
            acknowledgement = FAILED
        self._metrics.acks.observe(KINDS[kind], perf_counter() - started)
        return acknowledgement

    async def replay(self, payload: Mapping[str, Any]) -> int:
        """Handle a saved payload; the status of its acknowledgement, which reaches nobody."""
        return (await self.dispatch(payload)).status

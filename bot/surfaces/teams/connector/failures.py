"""What the Bot Connector answers when it doesn't do what was asked, as failures that no platform owns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.core.retry_after import parse_retry_after
from bot.surfaces.chat.failures import Later, PlatformFailure, Reason, Rejected, ShutOut, Unrenderable

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
PRECONDITION_FAILED: Final = 412
TOO_LARGE: Final = 413
RATE_LIMITED: Final = 429
BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500
DEFAULT_RETRY_DELAY_S: Final = 1.0
MAX_RETRY_DELAY_S: Final = 600.0
NOT_DONE: Final = frozenset({PRECONDITION_FAILED, RATE_LIMITED})
"""Statuses which say that nothing was done, and to try again."""
_REASONS: Mapping[str, Reason] = {
    "BotNotInConversationRoster": Reason.NOT_A_MEMBER,
    "ForbiddenOperationException": Reason.NOT_A_MEMBER,
    "BotDisabledByAdmin": Reason.POSTING_RESTRICTED,
    "MessageWritesBlocked": Reason.DIRECT_MESSAGES_OFF,
    "ConversationBlockedByUser": Reason.DIRECT_MESSAGES_OFF,
    "ConversationNotFound": Reason.THREAD_GONE,
    "ActivityNotFoundInConversation": Reason.MESSAGE_GONE,
}
_UNRENDERABLE: Final = frozenset({"BadSyntax", "BadArgument", "MessageSizeTooBig"})


class RateLimited(Later):
    """Too many calls, by the platform's count. Nothing was done."""


class Uncertain(Later):
    """The connection broke, or the server failed: it is not known whether the call took effect."""


def translated(status: int, headers: Mapping[str, str], body: object) -> PlatformFailure:
    """The failure that an answer stands for."""
    code = _code(body) or f"status {status}"
    if status in NOT_DONE:
        return RateLimited(retry_after(headers), code)
    if status >= SERVER_ERROR:
        return Uncertain(retry_after(headers), code)
    if status == TOO_LARGE or (status == BAD_REQUEST and code in _UNRENDERABLE):
        return Unrenderable(code)
    if status == UNAUTHORIZED:
        return ShutOut(code)
    otherwise = Reason.NOT_A_MEMBER if status == FORBIDDEN else Reason.OTHER
    return Rejected(code, _REASONS.get(code, otherwise))


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code") or "")[:100] if isinstance(error, dict) else ""


def retry_after(headers: Mapping[str, str]) -> float:
    """In seconds."""
    return parse_retry_after(headers.get("Retry-After"), most=MAX_RETRY_DELAY_S) or DEFAULT_RETRY_DELAY_S

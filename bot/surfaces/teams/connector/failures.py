"""Translates errors of the Bot Connector into failures that all platforms share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.surfaces.chat.failures import (
    CredentialsRefused,
    OutcomeUnknown,
    PlatformFailure,
    Rejected,
    RejectionReason,
    RetryLater,
    Unrenderable,
    retry_after,
)

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
PRECONDITION_FAILED: Final = 412
TOO_LARGE: Final = 413
RATE_LIMITED: Final = 429
BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500
NOT_DONE: Final = frozenset({PRECONDITION_FAILED, RATE_LIMITED})
"""Statuses which say that nothing was done, and to try again."""
_REASONS: Mapping[str, RejectionReason] = {
    "BotNotInConversationRoster": RejectionReason.NOT_A_MEMBER,
    "ForbiddenOperationException": RejectionReason.NOT_A_MEMBER,
    "BotDisabledByAdmin": RejectionReason.POSTING_RESTRICTED,
    "MessageWritesBlocked": RejectionReason.DIRECT_MESSAGES_OFF,
    "ConversationBlockedByUser": RejectionReason.DIRECT_MESSAGES_OFF,
    "ConversationNotFound": RejectionReason.THREAD_GONE,
    "ActivityNotFoundInConversation": RejectionReason.MESSAGE_GONE,
}
_UNRENDERABLE: Final = frozenset({"BadSyntax", "BadArgument", "MessageSizeTooBig"})


class RateLimited(RetryLater):
    """Too many calls, by the platform's count. Nothing was done."""


def translated(status: int, headers: Mapping[str, str], body: object) -> PlatformFailure:
    """The failure that an answer stands for."""
    code = _code(body) or f"status {status}"
    if status in NOT_DONE:
        return RateLimited(retry_after(headers), code)
    if status >= SERVER_ERROR:
        return OutcomeUnknown(retry_after(headers), code)
    if status == TOO_LARGE or (status == BAD_REQUEST and code in _UNRENDERABLE):
        return Unrenderable(code)
    if status == UNAUTHORIZED:
        return CredentialsRefused(code)
    otherwise = RejectionReason.NOT_A_MEMBER if status == FORBIDDEN else RejectionReason.OTHER
    return Rejected(code, _REASONS.get(code, otherwise))


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code") or "")[:100] if isinstance(error, dict) else ""

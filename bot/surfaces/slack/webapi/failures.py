"""Translates errors of Slack's Web API into failures that all platforms share.

Between Slack and us there may be proxies, which answer with pages and texts of their own. Such an answer says
nothing of what Slack has done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.surfaces.chat.failures import (
    DEFAULT_RETRY_DELAY_S,
    CredentialsRefused,
    OutcomeUnknown,
    PlatformFailure,
    Rejected,
    RejectionReason,
    RetryLater,
    Unrenderable,
    retry_after,
)

SERVER_ERROR: Final = 500
RATE_LIMITED: Final = 429

_TRANSIENT = frozenset(
    {
        "internal_error",
        "fatal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "message_limit_exceeded",
        "accesslimited",
        "external_channel_migrating",
        "update_failed",
    }
)
_UNRENDERABLE = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "blocks_too_long",
        "msg_blocks_too_long",
        "msg_too_long",
        "markdown_text_conflict",
        "invalid_arguments",
        "no_text",
        "view_too_large",
    }
)
_CREDENTIALS_REFUSED = frozenset(
    {
        "account_inactive",
        "app_uninstalled",
        "invalid_auth",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
_REASONS = {
    "is_archived": RejectionReason.ARCHIVED,
    "is_inactive": RejectionReason.ARCHIVED,
    "thread_not_found": RejectionReason.THREAD_GONE,
    "message_not_found": RejectionReason.MESSAGE_GONE,
    # What is left of a deleted message that has replies, and what another installation posted, isn't ours.
    "cant_update_message": RejectionReason.MESSAGE_GONE,
    # Where a workspace lets nobody edit a message after so long: it stays there, and shows nothing new.
    "edit_window_closed": RejectionReason.MESSAGE_GONE,
    "messages_tab_disabled": RejectionReason.DIRECT_MESSAGES_OFF,
    "not_in_channel": RejectionReason.NOT_A_MEMBER,
    "channel_not_found": RejectionReason.NOT_A_MEMBER,
}
_DIRECT = "D"
"""With what the ids of direct messages begin. Where they aren't the app's own, it can't be invited."""
RATE_LIMIT_CODES = frozenset({"ratelimited", "rate_limited", f"status {RATE_LIMITED}"})
"""`RetryLater.why` where a rate limit was hit."""


ANSWERS: Mapping[str, Mapping[str, type]] = {
    "auth.test": {"user_id": str},
    "chat.getPermalink": {"permalink": str},
    "chat.postMessage": {"channel": str, "ts": str},
    "conversations.history": {"messages": list},
    "conversations.open": {"channel": dict},
    "conversations.replies": {"messages": list},
    "files.getUploadURLExternal": {"upload_url": str, "file_id": str},
    "usergroups.list": {"usergroups": list},
    "usergroups.users.list": {"users": list},
    "users.info": {"user": dict},
}
"""What the answers of methods have at least."""


class Unreadable(Exception):  # noqa: N818 - it says what the answer is
    """An answer that is none of Slack's, or not all of it."""


def check_answer(method: str, data: object) -> None:
    """Raises Unreadable unless the answer has what is needed of it."""
    needed = ANSWERS.get(method, {})
    if not isinstance(data, Mapping) or not all(isinstance(data.get(name), needed[name]) for name in needed):
        raise Unreadable(method)


def translated(error: Exception, channel: str = "") -> PlatformFailure:
    """The failure that an exception of the SDK or of the network stands for, in a call about this channel."""
    match error:
        case Unreadable() | AttributeError() | RecursionError() | UnicodeDecodeError():
            # The SDK takes it for granted that what comes is a JSON object, in UTF-8.
            return OutcomeUnknown(DEFAULT_RETRY_DELAY_S, "not an answer of Slack's")
        case SlackApiError():
            return _answered(error, channel)
        case aiohttp.ClientConnectorError():
            return RetryLater(DEFAULT_RETRY_DELAY_S, type(error).__name__)
        case SlackClientError() | aiohttp.ClientError() | OSError():
            return OutcomeUnknown(DEFAULT_RETRY_DELAY_S, type(error).__name__)
        case _:
            raise error


def _answered(error: SlackApiError, channel: str) -> PlatformFailure:
    response = error.response
    # An answer that was no JSON comes as aiohttp's own response.
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", SERVER_ERROR))
    data = getattr(response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    if status == RATE_LIMITED or code in RATE_LIMIT_CODES:
        return RetryLater(retry_after(response.headers), code or f"status {status}")
    if status >= SERVER_ERROR or code in _TRANSIENT or not code:
        return OutcomeUnknown(retry_after(response.headers), code or f"status {status}")
    return _refused(code, channel)


def _refused(code: str, channel: str) -> Rejected:
    if code in _UNRENDERABLE:
        return Unrenderable(code)
    if code in _CREDENTIALS_REFUSED:
        return CredentialsRefused(code)
    if code.startswith("restricted_action"):
        return Rejected(code, RejectionReason.POSTING_RESTRICTED)
    reason = _REASONS.get(code, RejectionReason.OTHER)
    if reason is RejectionReason.NOT_A_MEMBER and channel.startswith(_DIRECT):
        reason = RejectionReason.OTHERS_CONVERSATION
    return Rejected(code, reason)

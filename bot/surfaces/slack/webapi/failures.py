"""What Slack's Web API answers when it doesn't do what was asked, translated once.

CrewdeckError
└── SlackFailure
├── Later          try again after `seconds`: rate limit, server error, network
└── Rejected       trying again would not help; `code` is Slack's
└── Unrenderable   the message's form was refused: say it more simply
"""

from __future__ import annotations

# ruff: noqa: N818 - these names say what happened, and that reads well behind `raise` and `except`
from collections.abc import Mapping
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.core.errors import CrewdeckError
from bot.core.retry_after import parse_retry_after

SERVER_ERROR: Final = 500
RATE_LIMITED: Final = 429
SOON: Final = 1.0
"""Seconds after which a failure without a Retry-After is tried again; who retries lengthens it."""

LATEST: Final = 600.0
"""Seconds after which Slack is asked again at the latest, whatever its Retry-After says."""

_PASSING = frozenset(
    {
        "internal_error",
        "fatal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "message_limit_exceeded",
    }
)
_FORM = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "blocks_too_long",
        "msg_blocks_too_long",
        "msg_too_long",
        "markdown_text_conflict",
        "invalid_arguments",
        "no_text",
    }
)
SHUT_OUT = frozenset(
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
"""The workspace doesn't let us in at all."""

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"})
"""A message of ours that can't be edited any more."""


class SlackFailure(CrewdeckError):
    """Slack did not do what was asked."""

    code = "slack"


class Later(SlackFailure):
    """Slack can't do it now; it may have been done all the same if the connection broke."""

    code = "slack_later"

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(f"Slack asks to try again in {seconds:g} s{f' ({why})' if why else ''}.")
        self.seconds = seconds
        self.why = why


class Rejected(SlackFailure):
    """Slack refuses it, and would again. `code` is Slack's own."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack refused: {code}.")
        self.code = code


class Unrenderable(Rejected):
    """Slack refuses the form of a message: its blocks, or its length."""


def translated(error: Exception) -> SlackFailure:
    """The failure that an exception of the SDK or of the network stands for."""
    match error:
        case SlackApiError():
            return _answered(error)
        case SlackClientError() | aiohttp.ClientError() | OSError():
            return Later(SOON, type(error).__name__)
        case _:
            raise error


def _answered(error: SlackApiError) -> SlackFailure:
    response = error.response
    # An answer that was no JSON comes as aiohttp's own response.
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", SERVER_ERROR))
    data = getattr(response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, Mapping) else ""
    if status == RATE_LIMITED or status >= SERVER_ERROR or code in _PASSING or not code:
        return Later(retry_after(response.headers), code or f"status {status}")
    return Unrenderable(code) if code in _FORM else Rejected(code)


def retry_after(headers: Mapping[str, object]) -> float:
    """In seconds; by any capitalisation of the header's name."""
    named = {str(name).lower(): value for name, value in headers.items()}
    value = named.get("retry-after", "")
    value = value[0] if isinstance(value, list) and value else value
    return parse_retry_after(str(value), most=LATEST) or SOON

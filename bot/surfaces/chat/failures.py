"""Failures of chat platforms; adapters translate their vendor's errors into these.

CrewdeckError
└── PlatformFailure
    ├── RetryLater                 try again after `seconds`: rate limit, server error, network
    │   ├── OutcomeUnknown         the connection broke, or the platform failed: it may have been done
    │   └── Deferred               nothing failed: others have the next calls that the platform grants
    └── Rejected                   trying again is no use; `reason` says why, `code` is the platform's own
        ├── Unrenderable           the message's form was refused: say it more simply
        └── CredentialsRefused     the whole workspace refuses the app's credentials
"""

from __future__ import annotations

# ruff: noqa: N818 - these names say what happened, and that reads well behind `raise` and `except`
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from bot.core.errors import CrewdeckError
from bot.core.retry_after import parse_retry_after

DEFAULT_RETRY_DELAY_S: Final = 1.0
"""Seconds after which a failure without a Retry-After is tried again; callers lengthen it."""
MAX_RETRY_AFTER_S: Final = 600.0
"""Seconds after which a platform is asked again at the latest, whatever its Retry-After says."""


class RejectionReason(StrEnum):
    """Why a platform refuses something, as far as anything depends on it."""

    ARCHIVED = "archived"
    THREAD_GONE = "thread_gone"
    MESSAGE_GONE = "message_gone"
    NOT_A_MEMBER = "not_a_member"
    #: The direct messages of other people: nobody can let the app in there.
    OTHERS_CONVERSATION = "others_conversation"
    POSTING_RESTRICTED = "posting_restricted"
    DIRECT_MESSAGES_OFF = "direct_messages_off"
    UNRENDERABLE = "unrenderable"
    CREDENTIALS_REFUSED = "credentials_refused"
    OTHER = "other"


class PlatformFailure(CrewdeckError):
    """The platform did not do what was asked."""

    code = "platform"


class RetryLater(PlatformFailure):
    """The platform can't do it now."""

    code = "platform_later"

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(f"Try again in {seconds:g} s{f' ({why})' if why else ''}.")
        self.seconds = seconds
        self.why = why


class OutcomeUnknown(RetryLater):
    """The connection broke, or the platform failed: it is not known whether the call took effect."""


class Deferred(RetryLater):
    """Nothing failed: the calls that the platform grants all channels together go to others first."""


class Rejected(PlatformFailure):
    """The platform refuses it, and would again. `code` is the platform's own."""

    default_reason: ClassVar[RejectionReason] = RejectionReason.OTHER

    def __init__(self, code: str, reason: RejectionReason | None = None) -> None:
        super().__init__(f"Refused: {code}.")
        self.code = code
        self.reason = reason or self.default_reason


class Unrenderable(Rejected):
    """The platform refuses the form of a message: its blocks, or its length."""

    default_reason = RejectionReason.UNRENDERABLE


class CredentialsRefused(Rejected):
    """The workspace doesn't let the app in at all: its credentials are refused."""

    default_reason = RejectionReason.CREDENTIALS_REFUSED


def retry_after(headers: Mapping[str, object]) -> float:
    """The seconds of an answer's Retry-After, by any capitalisation of the header's name."""
    named = {str(name).lower(): value for name, value in headers.items()}
    value = named.get("retry-after", "")
    value = value[0] if isinstance(value, list) and value else value
    return parse_retry_after(str(value), most=MAX_RETRY_AFTER_S) or DEFAULT_RETRY_DELAY_S

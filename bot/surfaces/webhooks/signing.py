"""What proves to a receiver that an event is ours: the headers of the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from bot.core.endpoints import key_of


def headers(secrets: Sequence[SecretStr], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of one try, at `at` (seconds since the epoch). A message keeps its id in all tries."""
    signed = b".".join((message_id.encode(), str(at).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: SecretStr, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()

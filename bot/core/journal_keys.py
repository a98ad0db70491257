"""The keys of `CREWDECK_JOURNAL_KEY`, which encrypt journals."""

from __future__ import annotations

import base64
import binascii
import hashlib

KEY_BYTES = 32
"""The size of an AES-256 key."""


def parse_journal_keys(text: str) -> tuple[bytes, ...]:
    """Parse `CREWDECK_JOURNAL_KEY`. Raises ValueError, whose message never quotes a key."""
    return tuple(_parsed(part.strip()) for part in text.split(",") if part.strip())


def _parsed(part: str) -> bytes:
    try:
        key = base64.b64decode(part.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("each key is 32 random bytes in base64, as `openssl rand -base64 32` prints them")
    return key


def key_id_of(key: bytes) -> str:
    """An identifier of a key that reveals nothing about it."""
    return hashlib.sha256(b"crewdeck journal key" + key).hexdigest()[:8]

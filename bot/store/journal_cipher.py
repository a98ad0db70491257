"""Journals encrypted at rest, with AES-256-GCM and the keys of the settings; without a key, not encrypted."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.core.errors import JournalUndecryptable
from bot.core.journal_keys import key_id_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCRYPTED_PREFIX = "sealed:"
"""What a sealed value starts with; nothing else in a journal does."""
_NONCE = 12


class JournalCipher:
    """JournalCipher and opens values. The first key seals, each of them opens what it has sealed."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._ciphers = {key_id_of(key): _cipher(key) for key in keys}
        self._current = next(iter(self._ciphers), None)

    def encrypt(self, run_id: str, name: str, value: str) -> str:
        """`value` as it is stored under this name in this run's journal, and is readable nowhere else."""
        if self._current is None:
            return value
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._current].encrypt(nonce, value.encode(), _place(run_id, name))
        return f"{ENCRYPTED_PREFIX}{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, run_id: str, name: str, stored: str) -> str:
        """The value again; one that was stored without a key is itself. Raises JournalUndecryptable."""
        if not stored.startswith(ENCRYPTED_PREFIX):
            return stored
        key_id, _, written = stored.removeprefix(ENCRYPTED_PREFIX).partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise JournalUndecryptable(run_id, key_id, known=tuple(self._ciphers))
        from cryptography.exceptions import InvalidTag

        raw = base64.b64decode(written)
        try:
            return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _place(run_id, name)).decode()
        except InvalidTag as error:
            raise JournalUndecryptable(run_id, key_id) from error


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # only paid for where there is a key

    return AESGCM(key)


def _place(run_id: str, name: str) -> bytes:
    """What a value is bound to: it can't be moved."""
    return f"{run_id}/{name}".encode()

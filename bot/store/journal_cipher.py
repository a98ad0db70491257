"""Encryption of journals and files at rest with AES-256-GCM; without a key they are stored in plain text."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.core.errors import JournalUndecryptable
from bot.core.ports.journal import key_id_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCRYPTED_PREFIX = "sealed:"
"""The prefix of encrypted values; no other value in a journal has it."""
_NONCE = 12


class JournalCipher:
    """Encrypts with the first key, and decrypts with the key that encrypted a value."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._ciphers = {key_id_of(key): _cipher(key) for key in keys}
        self._current = next(iter(self._ciphers), None)

    def encrypt(self, run_id: str, name: str, value: str) -> str:
        """The encrypted value, bound to this run and name: it can't be decrypted under others."""
        return value if self._current is None else self.encrypt_bytes(run_id, name, value.encode())

    def encrypt_bytes(self, run_id: str, name: str, value: bytes) -> str:
        """The same for bytes, which are text in any case: base64 where no key is set."""
        if self._current is None:
            return base64.b64encode(value).decode()
        nonce = os.urandom(_NONCE)
        encrypted = self._ciphers[self._current].encrypt(nonce, value, _associated_data(run_id, name))
        return f"{ENCRYPTED_PREFIX}{self._current}:{base64.b64encode(nonce + encrypted).decode()}"

    def decrypt(self, run_id: str, name: str, stored: str) -> str:
        """The plain value; a value without the prefix is returned as it is. Raises JournalUndecryptable."""
        if not stored.startswith(ENCRYPTED_PREFIX):
            return stored
        return self._decrypted(run_id, name, stored).decode()

    def decrypt_bytes(self, run_id: str, name: str, stored: str) -> bytes:
        """The plain bytes. Raises JournalUndecryptable."""
        if not stored.startswith(ENCRYPTED_PREFIX):
            return base64.b64decode(stored)
        return self._decrypted(run_id, name, stored)

    def _decrypted(self, run_id: str, name: str, stored: str) -> bytes:
        key_id, _, written = stored.removeprefix(ENCRYPTED_PREFIX).partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise JournalUndecryptable(run_id, key_id, known=tuple(self._ciphers))
        from cryptography.exceptions import InvalidTag

        raw = base64.b64decode(written)
        try:
            return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _associated_data(run_id, name))
        except InvalidTag as error:
            raise JournalUndecryptable(run_id, key_id) from error


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # a slow import, needed only with a key

    return AESGCM(key)


def _associated_data(run_id: str, name: str) -> bytes:
    """The associated data of a value."""
    return f"{run_id}/{name}".encode()

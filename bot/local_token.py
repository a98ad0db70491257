"""The token that identifies the local user, on servers that others can reach, too.

It is a file in the data folder that only this user can read. While no API keys exist, its holder may do
everything.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from bot.core.errors import SettingsError

FILE_NAME = "local-token"
LOCAL_PREFIX = "cdl_"
"""The prefix of the token, so that scanners and people recognise it."""
MAX_BYTES = 200
"""Bytes of the file that are read."""


def path_in(data_dir: Path) -> Path:
    """The path of the token."""
    return data_dir.expanduser().absolute() / FILE_NAME


def read(data_dir: Path) -> str:
    """The token; "" if there is none. Raises SettingsError if others can read the file or it has none."""
    path = path_in(data_dir)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unusable(path, error.strerror or "it can't be read") from error
    with os.fdopen(descriptor, "rb") as file:
        _check_private(path, os.fstat(file.fileno()))
        token = file.read(MAX_BYTES).decode(errors="replace").strip()
    if not token.startswith(LOCAL_PREFIX):
        raise _unusable(path, "it holds no token")
    return token


def read_or_create(data_dir: Path) -> str:
    """The token, created if there is none; concurrent processes get the same one.

    Raises SettingsError.
    """
    if token := read(data_dir):
        return token
    path = path_in(data_dir)
    draft = path.with_name(f"{FILE_NAME}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{LOCAL_PREFIX}{secrets.token_urlsafe(32)}\n")
                file.flush()
                os.fsync(descriptor)
            # The file appears complete, and an existing one is kept.
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    except OSError as error:
        raise _unusable(path, error.strerror or "it can't be written") from error
    return read(data_dir)


def _check_private(path: Path, found: os.stat_result) -> None:
    if not hasattr(os, "geteuid"):
        return  # Windows: the permissions of the user's folder apply
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise _unusable(path, "it must be a file that belongs to this user")
    if found.st_mode & 0o077:
        raise _unusable(path, "others can read it, or could have written it")


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"CREWDECK_DATA_DIR: {path} can't be used: {why}. Remove it, and restart the server."
    )

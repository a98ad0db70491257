"""The append-only file of the embedded server, when its end is damaged, as by a power failure.

What is behind the last whole entry was never acknowledged: it is moved to a file beside, and the server is
started again. Damage with whole entries behind it has another cause, such as a failing disk. Cutting there
would lose decisions, so nothing is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bot.core.errors import StoreUnavailable

FOLDER = "appendonlydir"
CHECKER = "valkey-check-aof or redis-check-aof"
"""The server's own check, which its binary is under a name that contains one of these."""
RESTORE = "Restore a backup: docs/operations.md, Backup and restore."

_REFUSED = re.compile(
    r"(?:Bad file format|Unexpected end of file) reading the append only file ?([\w.-]*\.aof)?"
)
_UNREADABLE = re.compile(
    r"AOF MANIFEST|Unrecoverable error|Unable to obtain the AOF|error reading the append only file"
)
_WARNING = re.compile(r" # (.+)")
_WHOLE_UP_TO = re.compile(r"ok_up_to=(\d+)")
_HEAD = re.compile(rb"\*([1-9]\d{0,6})\r\n")
_ARGUMENT = re.compile(rb"\$(\d{1,10})\r\n")


def check(home: Path) -> None:
    """Raises StoreUnavailable where the server would begin an empty file in place of one that has data."""
    folder = home / FOLDER
    if not folder.is_dir() or any(folder.glob("*.manifest")):
        return
    if any(each.stat().st_size for each in folder.glob("*.incr.aof")):
        raise StoreUnavailable(
            f"The embedded Valkey can't read its data: {folder} has no manifest. {RESTORE}"
        )


def repair(home: Path, binary: Path, said: str) -> str | None:
    """Cut a damaged end, where that is why the server refused to start; `said` is what it logged.

    Returns a sentence that says what was cut; None if there is something else that the server doesn't like.
    Raises StoreUnavailable where cutting would lose data.
    """
    if (refused := _REFUSED.search(said)) is None:
        return None
    damaged = home / FOLDER / refused[1] if refused[1] else home / "appendonly.aof"
    whole = _intact_size(binary, damaged)
    size = damaged.stat().st_size
    with damaged.open("rb") as file:
        file.seek(whole)
        end = file.read()
    if not end:
        return None
    if _has_entries_behind_damage(end):
        raise StoreUnavailable(
            f"The embedded Valkey can't read its data: {damaged} is damaged after byte {whole} of {size}, "
            f"and there are whole entries behind that. {RESTORE}"
        )
    aside = damaged.with_name(f"{damaged.name}.cut-at-{whole}")
    _write(aside, end)
    _cut(damaged, whole)
    return (
        f"The file of the embedded Valkey ended in an unfinished write of {len(end)} bytes, which nobody was "
        f"told is saved. It was moved to {aside}; everything before it is there."
    )


def complaint(said: str) -> str:
    """What the server logged of data that can't be read, nor repaired; "" if it is something else."""
    return str(_WARNING.findall(said)[-1]) if _UNREADABLE.search(said) else ""


def _intact_size(binary: Path, damaged: Path) -> int:
    """The size of the whole entries at its beginning. An unfinished transaction is none."""
    checked = subprocess.run(
        [CHECKER, str(damaged)],
        executable=binary,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if (found := _WHOLE_UP_TO.search(checked.stdout)) is None:
        raise StoreUnavailable(f"The embedded Valkey can't read its data: {damaged} is damaged. {RESTORE}")
    return int(found[1])


def _has_entries_behind_damage(end: bytes) -> bool:
    """Whether a whole entry follows what is no entry."""
    at = 0
    while (after := _after_entry(end, at)) is not None:
        at = after
    return any(_after_entry(end, head) is not None for head in _entry_offsets(end, at + 1))


def _entry_offsets(text: bytes, at: int) -> Iterator[int]:
    return (found.start() for found in _HEAD.finditer(text, at))


def _after_entry(text: bytes, at: int) -> int | None:
    """Where the entry ends that begins here; None if there is no whole one."""
    if (head := _HEAD.match(text, at)) is None:
        return None
    at = head.end()
    for _ in range(int(head[1])):
        if (argument := _ARGUMENT.match(text, at)) is None:
            return None
        at = argument.end() + int(argument[1])
        if text[at : at + 2] != b"\r\n":
            return None
        at += 2
    return at


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())

"""Files of runs: what a crew attached, what its tasks wrote, and what people gave to it.

The bytes are in the store; records and events have the id, the name, the size and the digest.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import JsonValue

from bot.core import ids
from bot.core.errors import Refused
from bot.core.text import ValidText, drop_invisible
from bot.core.value import Value

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_RUN_BYTES = 50 * 1024 * 1024
"""The sum of all files of a run."""
MAX_RUN_FILES = 100
MAX_NAME_BYTES = 200
"""In UTF-8: file systems take 255."""
MAX_DESCRIPTION = 500
UPLOAD_TTL_S = 3600.0
"""How long an uploaded file is kept until a run takes it."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
"""Characters that no common file system takes in a name."""
_MORE_TYPES = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".webp": "image/webp",
}
_MIB = 1024 * 1024


class StoredFile(Value):
    """A file of a run, or an upload that no run has taken yet, without its bytes."""

    id: str
    name: ValidText
    media_type: str
    #: In bytes.
    size: int
    #: `sha256:` and 64 hexadecimal digits.
    digest: str
    description: ValidText = ""
    #: The task in whose course it was written or attached.
    task_id: str | None = None
    #: Where it is in the run's folder, with slashes; empty: the crew keeps it elsewhere.
    path: ValidText = ""
    #: The input whose value it is; empty: the crew made it.
    input: ValidText = ""
    #: The principal who uploaded it.
    owner: str = ""
    #: It is of the run that this one retries, where it was announced.
    kept: bool = False


def file_name(raw: str, otherwise: str = "file") -> str:
    """A name that every file system takes, and that looks like what it is.

    Only the last part of a path counts. Control characters and those that are invisible or change the
    direction of text are removed; what file systems refuse becomes `_`. The suffix is kept.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", raw).rstrip("/\\"))[-1]
    name = _FORBIDDEN.sub("_", drop_invisible(last)).strip(" ._") if last.strip(" .") else ""
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > MAX_NAME_BYTES // 4:
        stem, dot, suffix = name, "", ""
    room = MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())
    kept = stem.encode()[:room].decode(errors="ignore").rstrip(" .")
    return f"{kept or otherwise}{dot}{suffix}"


def media_type(name: str) -> str:
    """The media type that the name's suffix stands for, the same on every machine."""
    suffix = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    return _MORE_TYPES.get(suffix) or _media_types().guess_type(f"x{suffix}")[0] or "application/octet-stream"


@cache
def _media_types() -> mimetypes.MimeTypes:
    """The types that Python knows. Made when first needed, since that reads files of the machine."""
    return mimetypes.MimeTypes()


def digest_of(content: bytes) -> str:
    """The digest as records have it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def stored_file(name: str, content: bytes, **more: Any) -> StoredFile:
    """The record of a file. The same content under the same name is the same file of a run.

    Raises Refused (file_too_large).
    """
    check_size(name, len(content))
    called = file_name(name)
    digest = digest_of(content)
    named = ids.file_id(more.get("input", ""), called, digest)
    return StoredFile(
        id=named, name=called, media_type=media_type(called), size=len(content), digest=digest, **more
    )


def check_size(name: str, size: int, most: int = MAX_FILE_BYTES) -> None:
    """Raises Refused (file_too_large)."""
    if size <= most:
        return
    has, may = in_words(size), in_words(most)
    if has == may:  # It is only a little too large.
        has, may = f"{size} bytes", f"{most}"
    raise Refused("file_too_large", f"{file_name(name)} has {has}, and a file may have at most {may}.")


def in_words(size: int) -> str:
    """A size in bytes as people read it: `812 bytes`, `1.5 MB`."""
    if size < 1024:  # noqa: PLR2004 - a kilobyte
        return f"{size} byte{'' if size == 1 else 's'}"
    unit, scale = ("MB", _MIB) if size >= _MIB else ("kB", 1024)
    return f"{size / scale:.1f}".removesuffix(".0") + f" {unit}"


# ── files as inputs ─────────────────────────────────────────────────────────────────────────────────────────

_AS_INPUT = ("id", "name", "media_type", "size", "digest")


def as_input(file: StoredFile) -> dict[str, JsonValue]:
    """The value of an input whose file is stored with the run."""
    return {"file": {name: getattr(file, name) for name in _AS_INPUT}}


def file_of_input(value: JsonValue) -> StoredFile | None:
    """The file that is the value of an input; None for other values."""
    match value:
        case {"file": dict() as file, **more} if not more and file.keys() == set(_AS_INPUT):
            return StoredFile.model_validate(file)
        case _:
            return None


def files_of_inputs(inputs: Mapping[str, JsonValue]) -> dict[str, StoredFile]:
    """The files among these inputs, by the input's name."""
    found = {name: file_of_input(value) for name, value in inputs.items()}
    return {name: file for name, file in found.items() if file is not None}
